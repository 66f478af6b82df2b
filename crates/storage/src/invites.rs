//! Invites.

use headshot_domain::{
    Credits, Email, InviteId, InviteState, InviteStatus, ModelId, ModelStatus, OrgId, TeamId,
    Timestamp, UserId,
};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::error::Error;
use crate::parsed;
use crate::tallies::{self, Tally};
use crate::teams::Team;

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The id, which is also what opens it.
    pub id: InviteId,
    /// The organization.
    pub org: OrgId,
    /// The address: the invited one, and once used the one of the person's account.
    pub email: String,
    /// The team that the person joins.
    pub team: Option<Team>,
    /// Who invited.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// What it went through.
    pub state: InviteState,
    /// What is held back of the organization's credits for it.
    pub reserved: Credits,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// The person's session once it is used: id, status, and whether the person has begun.
    pub session: Option<(ModelId, ModelStatus, bool)>,
}

impl Invite {
    /// What became of it.
    pub fn status(&self) -> InviteStatus {
        let session = self.session.as_ref();
        InviteStatus::of(
            self.state,
            session.map(|(_, status, begun)| (*status, *begun)),
        )
    }

    /// Whether it can be used at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == InviteState::Open && self.expires_at > now
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.org_id, COALESCE(u.email, i.email) AS email, i.team_id, t.name AS team_name, \
             i.created_by, i.created_at, i.expires_at, i.state, i.reserved, i.used_at, m.id AS model_id, \
             m.status AS model_status, m.started_at FROM invites i LEFT JOIN users u ON u.id = i.user_id \
             LEFT JOIN teams t ON t.id = i.team_id LEFT JOIN models m ON m.id = i.model_id ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO invites (id, org_id, email, email_key, team_id, created_by, created_at, expires_at, state, reserved) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    CLOSE = "UPDATE invites SET state = $3, reserved = 0 WHERE org_id = $1 AND id = $2 AND state = $4";
    USE = "UPDATE invites SET state = 'used', reserved = 0, used_at = $3, user_id = $4, user_email_key = $5, model_id = $6 \
        WHERE org_id = $1 AND id = $2 AND state = 'open'";
    FIND = select!("WHERE i.id = $1");
    FIND_BY_EMAIL = select!("WHERE i.org_id = $1 AND i.email_key = $2 ORDER BY i.created_at DESC, i.id DESC LIMIT 1");
    FIND_BY_ACCOUNT = select!("WHERE i.org_id = $1 AND i.user_email_key = $2 ORDER BY i.created_at DESC, i.id DESC LIMIT 1");
    LIST = select!("WHERE i.org_id = $1 ORDER BY i.created_at DESC, i.id DESC LIMIT $2 OFFSET $3");
    AFTER = select!("WHERE i.org_id = $1 AND (i.created_at, i.id) < ($2, $3) ORDER BY i.created_at DESC, i.id DESC LIMIT $4");
    RUN_OUT_ANYWHERE = "SELECT org_id, id FROM invites WHERE state = 'open' AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
    RUN_OUT = select!("WHERE i.org_id = $1 AND i.state = 'open' AND i.expires_at <= $2 ORDER BY i.expires_at LIMIT $3");
    LEAVE_TEAM = "UPDATE invites SET team_id = NULL WHERE team_id = $1";
    LEAD_ON = "UPDATE invites SET model_id = $2 WHERE model_id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    org_id: String,
    email: String,
    team_id: Option<String>,
    team_name: Option<String>,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    state: String,
    reserved: i64,
    used_at: Option<i64>,
    model_id: Option<String>,
    model_status: Option<String>,
    started_at: Option<i64>,
}

impl TryFrom<Row> for Invite {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let session = match (row.model_id, row.model_status) {
            (Some(id), Some(status)) => {
                let status = parsed(&status, "models", "status")?;
                Some((id.into(), status, row.started_at.is_some()))
            }
            _ => None,
        };
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.into(),
            email: row.email,
            team: Team::joined(row.team_id, row.team_name),
            created_by: row.created_by,
            created_at: Timestamp::from_unix_ms(row.created_at),
            expires_at: Timestamp::from_unix_ms(row.expires_at),
            state: parsed(&row.state, "invites", "state")?,
            reserved: Credits::from_hundredths(row.reserved),
            used_at: row.used_at.map(Timestamp::from_unix_ms),
            session,
        })
    }
}

/// Lets the invite that led to a deleted session stand for the one in its place.
pub async fn lead_on(tx: &mut WriteTx, deleted: &ModelId, new: &ModelId) -> Result<(), Error> {
    execute!(tx, LEAD_ON, deleted.as_str(), new.as_str())?;
    Ok(())
}

/// Stores a new open invite and reserves its credits.
pub async fn insert(tx: &mut WriteTx, invite: &Invite, email: &Email) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        invite.id.as_str(),
        invite.org.as_str(),
        email.as_str(),
        email.key(),
        invite.team.as_ref().map(|team| team.id.as_str()),
        &invite.created_by,
        invite.created_at.unix_ms(),
        invite.expires_at.unix_ms(),
        invite.state.name(),
        invite.reserved.hundredths(),
    )?;
    tallies::add(tx, &invite.org, Tally::Invites, 1).await?;
    hold(tx, invite, 1).await
}

/// Counts an open invite and what it reserves, or takes it back.
async fn hold(tx: &mut WriteTx, invite: &Invite, sign: i64) -> Result<(), Error> {
    tallies::add(tx, &invite.org, Tally::OpenInvites, sign).await?;
    let reserved = sign * invite.reserved.hundredths();
    tallies::add(tx, &invite.org, Tally::Reserved, reserved).await?;
    Ok(())
}

/// Revokes or expires an invite and frees its credits.
///
/// # Errors
/// [`Error::Conflict`] when its state is not the one that `invite` has any more.
pub async fn close(tx: &mut WriteTx, invite: &Invite, state: InviteState) -> Result<(), Error> {
    let (org, id) = (invite.org.as_str(), invite.id.as_str());
    if execute!(tx, CLOSE, org, id, state.name(), invite.state.name())? == 0 {
        return Err(Error::Conflict);
    }
    if invite.state == InviteState::Open {
        hold(tx, invite, -1).await?;
    }
    Ok(())
}

/// Marks an open invite as used by a person, whose new session takes its credits over.
///
/// # Errors
/// [`Error::Conflict`] when it is not open any more.
pub async fn mark_used(
    tx: &mut WriteTx,
    invite: &Invite,
    (user, email): (&UserId, &Email),
    (model, now): (&ModelId, Timestamp),
) -> Result<(), Error> {
    let changed = execute!(
        tx,
        USE,
        invite.org.as_str(),
        invite.id.as_str(),
        now.unix_ms(),
        user.as_str(),
        email.key(),
        model.as_str(),
    )?;
    if changed == 0 {
        return Err(Error::Conflict);
    }
    hold(tx, invite, -1).await
}

/// The invite with this id, whatever its organization.
pub async fn find(conn: &mut impl AsConn, id: &InviteId) -> Result<Option<Invite>, Error> {
    let row = fetch_optional!(conn, Row, FIND, id.as_str())?;
    row.map(Invite::try_from).transpose()
}

/// The newest invite to an address, or of the account with this address.
pub async fn find_by_email(
    conn: &mut impl AsConn,
    org: &OrgId,
    email_key: &str,
) -> Result<Option<Invite>, Error> {
    let invited = fetch_optional!(conn, Row, FIND_BY_EMAIL, org.as_str(), email_key)?;
    let joined = fetch_optional!(conn, Row, FIND_BY_ACCOUNT, org.as_str(), email_key)?;
    let newest = invited
        .into_iter()
        .chain(joined)
        .max_by_key(|row| row.created_at);
    newest.map(Invite::try_from).transpose()
}

/// A page of an organization's invites, newest first.
pub async fn list(
    conn: &mut impl AsConn,
    org: &OrgId,
    (limit, offset): (i64, i64),
) -> Result<Vec<Invite>, Error> {
    let rows = fetch_all!(conn, Row, LIST, org.as_str(), limit, offset)?;
    rows.into_iter().map(Invite::try_from).collect()
}

/// The next `limit` invites behind `last`, newest first.
pub async fn after(
    conn: &mut impl AsConn,
    org: &OrgId,
    last: Option<&Invite>,
    limit: i64,
) -> Result<Vec<Invite>, Error> {
    let (at, id) = last.map_or((i64::MAX, ""), |last| {
        (last.created_at.unix_ms(), last.id.as_str())
    });
    let rows = fetch_all!(conn, Row, AFTER, org.as_str(), at, id, limit)?;
    rows.into_iter().map(Invite::try_from).collect()
}

/// Some invites that are open although their time is over.
pub async fn run_out(
    conn: &mut impl AsConn,
    org: &OrgId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Invite>, Error> {
    let rows = fetch_all!(conn, Row, RUN_OUT, org.as_str(), now.unix_ms(), limit)?;
    rows.into_iter().map(Invite::try_from).collect()
}

/// The same in all organizations.
pub async fn run_out_anywhere(
    conn: &mut impl AsConn,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(OrgId, InviteId)>, Error> {
    let rows = fetch_all!(
        conn,
        (String, String),
        RUN_OUT_ANYWHERE,
        now.unix_ms(),
        limit
    )?;
    Ok(rows
        .into_iter()
        .map(|(org, id)| (org.into(), id.into()))
        .collect())
}

/// Takes a team out of all invites to it.
pub async fn leave_team(tx: &mut WriteTx, team: &TeamId) -> Result<(), Error> {
    execute!(tx, LEAVE_TEAM, team.as_str())?;
    Ok(())
}
