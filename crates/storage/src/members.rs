//! Members: people of an organization who get headshots. Owners and admins are listed once they
//! have a session.

use headshot_domain::{
    Email, MemberStage, ModelId, ModelStatus, OrgId, Role, TeamId, Timestamp, UserId,
};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::error::Error;
use crate::models::Model;
use crate::parsed;
use crate::tallies::{self, Tally};
use crate::teams::Team;

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub id: UserId,
    /// The address.
    pub email: String,
    /// The name, once known: as the current session has it, else the account's.
    pub name: Option<String>,
    /// How far the person is.
    pub stage: MemberStage,
    /// The team.
    pub team: Option<Team>,
    /// The current session, unless it is deleted.
    pub model: Option<(ModelId, ModelStatus)>,
    /// When the person joined.
    pub joined_at: Timestamp,
    /// When the headshots were ready.
    pub finished_at: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT p.user_id, u.email, COALESCE(NULLIF(m.title, ''), u.name) AS name, p.stage, p.team_id, t.name AS team_name, m.id AS model_id, \
             m.status AS model_status, p.created_at, m.finished_at FROM memberships p \
             JOIN users u ON u.id = p.user_id LEFT JOIN teams t ON t.id = p.team_id \
             LEFT JOIN models m ON m.id = p.model_id AND m.status <> 'deleted' \
             WHERE p.org_id = $1 AND p.listed = 1 ",
            $rest
        )
    };
}

statements! {
    LIST = select!("ORDER BY p.created_at DESC, p.user_id DESC LIMIT $2 OFFSET $3");
    LIST_STAGE = select!("AND p.stage = $4 ORDER BY p.created_at DESC, p.user_id DESC LIMIT $2 OFFSET $3");
    AFTER = select!("AND p.stage = $2 AND (p.created_at, p.user_id) < ($3, $4) \
        ORDER BY p.created_at DESC, p.user_id DESC LIMIT $5");
    PLACE = "SELECT p.stage, p.listed, p.model_id, p.team_id FROM memberships p WHERE p.org_id = $1 AND p.user_id = $2";
    FOLLOW = "UPDATE memberships SET stage = $3, listed = 1, model_id = $4 WHERE org_id = $1 AND user_id = $2";
    SET_TEAM = "UPDATE memberships SET team_id = $3 WHERE org_id = $1 AND user_id = $2";
    SET_ROLE = "UPDATE memberships SET role = $3, listed = $4 WHERE org_id = $1 AND user_id = $2";
    FIND_BY_EMAIL = "SELECT p.user_id FROM users u JOIN memberships p ON p.user_id = u.id AND p.org_id = $1 WHERE u.email_key = $2";
    REMOVE = "DELETE FROM memberships WHERE org_id = $1 AND user_id = $2 RETURNING stage, listed";
    LEAVE_TEAM = "UPDATE memberships SET team_id = NULL WHERE team_id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    user_id: String,
    email: String,
    name: Option<String>,
    stage: String,
    team_id: Option<String>,
    team_name: Option<String>,
    model_id: Option<String>,
    model_status: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
}

impl TryFrom<Row> for Member {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let model = match (row.model_id, row.model_status) {
            (Some(id), Some(status)) => Some((id.into(), parsed(&status, "models", "status")?)),
            _ => None,
        };
        Ok(Self {
            id: row.user_id.into(),
            email: row.email,
            name: row.name,
            stage: parsed(&row.stage, "memberships", "stage")?,
            team: Team::joined(row.team_id, row.team_name),
            model,
            joined_at: Timestamp::from_unix_ms(row.created_at),
            finished_at: row.finished_at.map(Timestamp::from_unix_ms),
        })
    }
}

/// A page of an organization's members, at one stage or all, newest first.
pub async fn list(
    conn: &mut impl AsConn,
    org: &OrgId,
    stage: Option<MemberStage>,
    (limit, offset): (i64, i64),
) -> Result<Vec<Member>, Error> {
    let rows = match stage {
        None => fetch_all!(conn, Row, LIST, org.as_str(), limit, offset)?,
        Some(stage) => {
            let stage = stage.name();
            fetch_all!(conn, Row, LIST_STAGE, org.as_str(), limit, offset, stage)?
        }
    };
    rows.into_iter().map(Member::try_from).collect()
}

/// The next `limit` members at a stage behind `last`, newest first.
pub async fn after(
    conn: &mut impl AsConn,
    org: &OrgId,
    stage: MemberStage,
    last: Option<&Member>,
    limit: i64,
) -> Result<Vec<Member>, Error> {
    let (at, id) = last.map_or((i64::MAX, ""), |last| {
        (last.joined_at.unix_ms(), last.id.as_str())
    });
    let rows = fetch_all!(conn, Row, AFTER, org.as_str(), stage.name(), at, id, limit)?;
    rows.into_iter().map(Member::try_from).collect()
}

/// The member with this address, whatever its case.
pub async fn find_by_email(
    conn: &mut impl AsConn,
    org: &OrgId,
    email: &Email,
) -> Result<Option<UserId>, Error> {
    let row = fetch_optional!(conn, (String,), FIND_BY_EMAIL, org.as_str(), email.key())?;
    Ok(row.map(|row| row.0.into()))
}

/// Moves a member into a team, or out of all.
pub async fn set_team(
    tx: &mut WriteTx,
    org: &OrgId,
    user: &UserId,
    team: Option<&TeamId>,
) -> Result<(), Error> {
    execute!(
        tx,
        SET_TEAM,
        org.as_str(),
        user.as_str(),
        team.map(TeamId::as_str)
    )?;
    Ok(())
}

/// Takes everybody out of a team.
pub async fn leave_team(tx: &mut WriteTx, team: &TeamId) -> Result<(), Error> {
    execute!(tx, LEAVE_TEAM, team.as_str())?;
    Ok(())
}

/// Brings the person's membership up to their session. `current` makes it the current one.
pub(crate) async fn follow(tx: &mut WriteTx, model: &Model, current: bool) -> Result<(), Error> {
    type Place = (String, i64, Option<String>, Option<String>);
    let (org, user) = (model.org.as_str(), model.user.as_str());
    let Some((stage, listed, of, _)) = fetch_optional!(tx, Place, PLACE, org, user)? else {
        return Ok(());
    };
    if !current && of.as_deref() != Some(model.id.as_str()) {
        return Ok(());
    }
    let before: MemberStage = parsed(&stage, "memberships", "stage")?;
    let after = MemberStage::of(Some(model.status), model.started_at.is_some());
    execute!(tx, FOLLOW, org, user, after.name(), model.id.as_str())?;
    if listed == 0 || before != after {
        if listed != 0 {
            tallies::add(tx, &model.org, Tally::Members(before), -1).await?;
        }
        tallies::add(tx, &model.org, Tally::Members(after), 1).await?;
    }
    Ok(())
}

/// Changes a member's role; does nothing for whoever is none.
pub async fn set_role(
    tx: &mut WriteTx,
    org: &OrgId,
    user: &UserId,
    role: Role,
) -> Result<(), Error> {
    type Place = (String, i64, Option<String>, Option<String>);
    let (org_id, user) = (org.as_str(), user.as_str());
    let Some((stage, listed, ..)) = fetch_optional!(tx, Place, PLACE, org_id, user)? else {
        return Ok(());
    };
    // Owners and admins are listed as members once they have a session of their own, and stay it.
    let lists = listed == 0 && role == Role::Member;
    let listed = i64::from(listed != 0 || lists);
    execute!(tx, SET_ROLE, org_id, user, role.name(), listed)?;
    if lists {
        let stage = parsed(&stage, "memberships", "stage")?;
        tallies::add(tx, org, Tally::Members(stage), 1).await?;
    }
    Ok(())
}

/// Ends a person's membership; `false` when there is none.
pub async fn remove(tx: &mut WriteTx, org: &OrgId, user: &UserId) -> Result<bool, Error> {
    let row = fetch_optional!(tx, (String, i64), REMOVE, org.as_str(), user.as_str())?;
    let Some((stage, listed)) = row else {
        return Ok(false);
    };
    if listed != 0 {
        let stage = parsed(&stage, "memberships", "stage")?;
        tallies::add(tx, org, Tally::Members(stage), -1).await?;
    }
    Ok(true)
}
