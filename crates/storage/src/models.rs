//! Models: one person's headshot session.

use headshot_domain::{
    Credits, Gender, ModelId, ModelStatus, ModelVersion, OrgId, PhotoId, TeamId, Timestamp, UserId,
};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::dialect;
use crate::error::Error;
use crate::members;
use crate::parsed;
use crate::tallies::{self, Tally};
use crate::teams::Team;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The public id.
    pub id: ModelId,
    /// The organization.
    pub org: OrgId,
    /// Whose session it is.
    pub user: UserId,
    /// The person's id on the wire: `anon_...` for a person without an account.
    pub uid: String,
    /// The person's address.
    pub email: String,
    /// The person's display name.
    pub title: String,
    /// Who the styles are chosen for, once chosen.
    pub gender: Option<Gender>,
    /// Where it stands.
    pub status: ModelStatus,
    /// The person's team.
    pub team: Option<Team>,
    /// Whether it is a test session, which costs nothing.
    pub development: bool,
    /// The engine that was asked for.
    pub version: ModelVersion,
    /// What is held back of the organization's credits for it.
    pub reserved: Credits,
    /// What was taken for it.
    pub charged: Credits,
    /// The photo that the person chose.
    pub favorite: Option<PhotoId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the person first did something in it.
    pub started_at: Option<Timestamp>,
    /// When photos were submitted.
    pub submitted_at: Option<Timestamp>,
    /// When the headshots were ready.
    pub finished_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Until when the person can begin.
    pub invite_expires_at: Option<Timestamp>,
}

/// Which models a list holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Of this status only.
    pub status: Option<ModelStatus>,
    /// Of this team only.
    pub team: Option<&'a TeamId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.org_id, m.user_id, m.uid, m.email, m.title, m.gender, m.status, \
             m.team_id, t.name AS team_name, m.development, m.version, m.reserved, m.charged, \
             m.favorite_id, m.created_at, m.started_at, m.submitted_at, m.finished_at, m.deleted_at, \
             m.invite_expires_at FROM models m LEFT JOIN teams t ON t.id = m.team_id WHERE m.org_id = $1 ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO models (id, org_id, user_id, uid, email, title, gender, status, team_id, development, \
        version, reserved, charged, favorite_id, created_at, started_at, submitted_at, finished_at, deleted_at, invite_expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    UPDATE = "UPDATE models SET title = $4, gender = $5, status = $6, team_id = $7, reserved = $8, charged = $9, \
        favorite_id = $10, started_at = $11, submitted_at = $12, finished_at = $13, deleted_at = $14 \
        WHERE org_id = $1 AND id = $2 AND status = $3";
    FIND = select!("AND m.id = $2");
    FIND_OF_USER = select!("AND m.user_id = $2 ORDER BY m.created_at DESC, m.id DESC LIMIT 1");
    LIVE_OF_USER = "SELECT id FROM models WHERE org_id = $1 AND user_id = $2 AND status <> 'deleted' ORDER BY id LIMIT $3";
    LIST = select!("ORDER BY m.created_at DESC, m.id DESC LIMIT $2 OFFSET $3");
    LIST_STATUS = select!("AND m.status = $4 ORDER BY m.created_at DESC, m.id DESC LIMIT $2 OFFSET $3");
    LIST_TEAM = select!("AND m.team_id = $4 ORDER BY m.created_at DESC, m.id DESC LIMIT $2 OFFSET $3");
    LIST_TEAM_STATUS = select!("AND m.team_id = $4 AND m.status = $5 ORDER BY m.created_at DESC, m.id DESC LIMIT $2 OFFSET $3");
    LEAVE_TEAM = "UPDATE models SET team_id = NULL WHERE team_id = $1";
    RUN_OUT = "SELECT org_id, id FROM models WHERE reserved > 0 AND invite_expires_at <= $1 \
        ORDER BY invite_expires_at LIMIT $2";
    ORG_OF = "SELECT org_id FROM models WHERE id = $1";
    INSERT_LINK = "INSERT INTO access_links (token_hash, model_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    FIND_LINK = "SELECT model_id FROM access_links WHERE token_hash = $1 AND expires_at > $2";
    HOLD = "UPDATE models SET status = status WHERE org_id = $1 AND id = $2 AND status = $3";
    AHEAD = "SELECT COUNT(*) FROM models WHERE status = 'waiting' AND submitted_at < $1";
    EXTEND_LINKS = "UPDATE access_links SET expires_at = $3 WHERE model_id = $1 AND expires_at > $2 AND expires_at < $3";
    FORGET_ADDRESS = "UPDATE models SET email = '' WHERE id = $1";
    FORGET_ADDRESSES = "UPDATE models SET email = '' WHERE user_id = $2 AND org_id = $1 AND status = 'deleted'";
    DELETE_LINKS = "DELETE FROM access_links WHERE model_id = $1";
    COUNT_SUBMITTED = "SELECT COUNT(*) FROM models WHERE org_id = $1 AND user_id = $2 \
        AND development = 0 AND submitted_at IS NOT NULL";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    org_id: String,
    user_id: String,
    uid: String,
    email: String,
    title: String,
    gender: Option<String>,
    status: String,
    team_id: Option<String>,
    team_name: Option<String>,
    development: i64,
    version: String,
    reserved: i64,
    charged: i64,
    favorite_id: Option<String>,
    created_at: i64,
    started_at: Option<i64>,
    submitted_at: Option<i64>,
    finished_at: Option<i64>,
    deleted_at: Option<i64>,
    invite_expires_at: Option<i64>,
}

impl TryFrom<Row> for Model {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let gender = row.gender.as_deref();
        let gender = gender.map(|text| parsed(text, "models", "gender"));
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.into(),
            user: row.user_id.into(),
            uid: row.uid,
            email: row.email,
            title: row.title,
            gender: gender.transpose()?,
            status: parsed(&row.status, "models", "status")?,
            team: Team::joined(row.team_id, row.team_name),
            development: row.development != 0,
            version: parsed(&row.version, "models", "version")?,
            reserved: Credits::from_hundredths(row.reserved),
            charged: Credits::from_hundredths(row.charged),
            favorite: row.favorite_id.map(PhotoId::from),
            created_at: Timestamp::from_unix_ms(row.created_at),
            started_at: row.started_at.map(Timestamp::from_unix_ms),
            submitted_at: row.submitted_at.map(Timestamp::from_unix_ms),
            finished_at: row.finished_at.map(Timestamp::from_unix_ms),
            deleted_at: row.deleted_at.map(Timestamp::from_unix_ms),
            invite_expires_at: row.invite_expires_at.map(Timestamp::from_unix_ms),
        })
    }
}

impl Model {
    /// The team's id.
    pub fn team_id(&self) -> Option<&TeamId> {
        self.team.as_ref().map(|team| &team.id)
    }

    /// What lists count it under.
    fn tallies(&self) -> (Tally<'_>, Option<Tally<'_>>) {
        let favorite = self
            .favorite
            .is_some()
            .then(|| Tally::Favorites(self.team_id()));
        (Tally::Models(self.status, self.team_id()), favorite)
    }
}

fn ms(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::unix_ms)
}

/// Stores a new session and makes it the person's current one.
pub async fn insert(tx: &mut WriteTx, model: &Model) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        model.id.as_str(),
        model.org.as_str(),
        model.user.as_str(),
        &model.uid,
        &model.email,
        &model.title,
        model.gender.map(Gender::name),
        model.status.name(),
        model.team_id().map(TeamId::as_str),
        i64::from(model.development),
        model.version.name(),
        model.reserved.hundredths(),
        model.charged.hundredths(),
        model.favorite.as_ref().map(PhotoId::as_str),
        model.created_at.unix_ms(),
        ms(model.started_at),
        ms(model.submitted_at),
        ms(model.finished_at),
        ms(model.deleted_at),
        ms(model.invite_expires_at),
    )?;
    count(tx, model, 1).await?;
    tallies::add(tx, &model.org, Tally::Reserved, model.reserved.hundredths()).await?;
    members::follow(tx, model, true).await
}

/// Stores what changed from `before` to `after`, with everything that is counted by it. `before` was
/// read under the locks of the organization and the session: all of it is written again.
///
/// # Errors
/// [`Error::Conflict`] when another transaction has changed the status meanwhile.
pub async fn update(tx: &mut WriteTx, before: &Model, after: &Model) -> Result<(), Error> {
    let changed = execute!(
        tx,
        UPDATE,
        before.org.as_str(),
        before.id.as_str(),
        before.status.name(),
        &after.title,
        after.gender.map(Gender::name),
        after.status.name(),
        after.team_id().map(TeamId::as_str),
        after.reserved.hundredths(),
        after.charged.hundredths(),
        after.favorite.as_ref().map(PhotoId::as_str),
        ms(after.started_at),
        ms(after.submitted_at),
        ms(after.finished_at),
        ms(after.deleted_at),
    )?;
    if changed == 0 {
        return Err(Error::Conflict);
    }
    if before.tallies() != after.tallies() {
        count(tx, before, -1).await?;
        count(tx, after, 1).await?;
    }
    let reserved = after.reserved.hundredths() - before.reserved.hundredths();
    if reserved != 0 {
        tallies::add(tx, &after.org, Tally::Reserved, reserved).await?;
    }
    members::follow(tx, after, false).await
}

async fn count(tx: &mut WriteTx, model: &Model, by: i64) -> Result<(), Error> {
    let (models, favorites) = model.tallies();
    tallies::add(tx, &model.org, models, by).await?;
    if let Some(favorites) = favorites {
        tallies::add(tx, &model.org, favorites, by).await?;
    }
    Ok(())
}

/// The organization's model with this id.
pub async fn find(
    conn: &mut impl AsConn,
    org: &OrgId,
    id: &ModelId,
) -> Result<Option<Model>, Error> {
    let row = fetch_optional!(conn, Row, FIND, org.as_str(), id.as_str())?;
    row.map(Model::try_from).transpose()
}

/// The person's newest session in an organization.
pub async fn find_of_user(
    conn: &mut impl AsConn,
    org: &OrgId,
    user: &UserId,
) -> Result<Option<Model>, Error> {
    let row = fetch_optional!(conn, Row, FIND_OF_USER, org.as_str(), user.as_str())?;
    row.map(Model::try_from).transpose()
}

/// How many sessions of a person in an organization were submitted, deleted ones too, tests not.
pub async fn count_submitted(
    conn: &mut impl AsConn,
    org: &OrgId,
    user: &UserId,
) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), COUNT_SUBMITTED, org.as_str(), user.as_str())?.0)
}

/// The sessions of a person that are not deleted, at most `limit`.
pub async fn live_of_user(
    conn: &mut impl AsConn,
    (org, user): (&OrgId, &UserId),
    limit: i64,
) -> Result<Vec<ModelId>, Error> {
    let rows = fetch_all!(
        conn,
        (String,),
        LIVE_OF_USER,
        org.as_str(),
        user.as_str(),
        limit
    )?;
    Ok(rows.into_iter().map(|row| row.0.into()).collect())
}

/// The organization that a model belongs to.
pub async fn org_of(conn: &mut impl AsConn, id: &ModelId) -> Result<Option<OrgId>, Error> {
    let row = fetch_optional!(conn, (String,), ORG_OF, id.as_str())?;
    Ok(row.map(|row| row.0.into()))
}

/// A page of an organization's models, newest first.
pub async fn list(
    conn: &mut impl AsConn,
    org: &OrgId,
    filter: Filter<'_>,
    (limit, offset): (i64, i64),
) -> Result<Vec<Model>, Error> {
    let org = org.as_str();
    let team = filter.team.map(TeamId::as_str);
    let status = filter.status.map(ModelStatus::name);
    let rows = match (team, status) {
        (None, None) => fetch_all!(conn, Row, LIST, org, limit, offset)?,
        (None, Some(status)) => fetch_all!(conn, Row, LIST_STATUS, org, limit, offset, status)?,
        (Some(team), None) => fetch_all!(conn, Row, LIST_TEAM, org, limit, offset, team)?,
        (Some(team), Some(status)) => fetch_all!(
            conn,
            Row,
            LIST_TEAM_STATUS,
            org,
            limit,
            offset,
            team,
            status
        )?,
    };
    rows.into_iter().map(Model::try_from).collect()
}

/// Takes a team out of all its models.
pub async fn leave_team(tx: &mut WriteTx, org: &OrgId, team: &TeamId) -> Result<(), Error> {
    execute!(tx, LEAVE_TEAM, team.as_str())?;
    let of_status = ModelStatus::ALL.iter().map(|status| {
        (
            Tally::Models(*status, Some(team)),
            Tally::Models(*status, None),
        )
    });
    let favorites = (Tally::Favorites(Some(team)), Tally::Favorites(None));
    for (from, to) in of_status.chain([favorites]) {
        let n = tallies::get(tx, org, from).await?;
        if n != 0 {
            tallies::add(tx, org, from, -n).await?;
            tallies::add(tx, org, to, n).await?;
        }
    }
    Ok(())
}

/// Some sessions that hold credits back although nobody can begin them any more.
pub async fn run_out(
    conn: &mut impl AsConn,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(OrgId, ModelId)>, Error> {
    let rows = fetch_all!(conn, (String, String), RUN_OUT, now.unix_ms(), limit)?;
    Ok(rows
        .into_iter()
        .map(|(org, id)| (org.into(), id.into()))
        .collect())
}

/// Stores the hash of a token that opens the session without an account.
pub async fn insert_link(
    tx: &mut WriteTx,
    model: &ModelId,
    token_hash: &[u8],
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<(), Error> {
    execute!(
        tx,
        INSERT_LINK,
        token_hash,
        model.as_str(),
        now.unix_ms(),
        expires_at.unix_ms()
    )?;
    Ok(())
}

/// The model that a token opens, while it does.
pub async fn find_link(
    conn: &mut impl AsConn,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<ModelId>, Error> {
    let row = fetch_optional!(conn, (String,), FIND_LINK, token_hash, now.unix_ms())?;
    Ok(row.map(|row| row.0.into()))
}

/// Keeps a session in `status` until the transaction ends, and other transactions from changing it
/// until then; `false` when it is in another status.
pub async fn hold(
    tx: &mut WriteTx,
    (org, id): (&OrgId, &ModelId),
    status: ModelStatus,
) -> Result<bool, Error> {
    Ok(execute!(tx, HOLD, org.as_str(), id.as_str(), status.name())? == 1)
}

/// Keeps other transactions from changing a session until this one ends, whatever its status.
pub async fn lock(tx: &mut WriteTx, id: &ModelId) -> Result<(), Error> {
    dialect::lock_model(tx, id.as_str()).await
}

/// How many sessions of the whole server wait for their turn since before `submitted_at`.
pub async fn ahead(conn: &mut impl AsConn, submitted_at: Timestamp) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), AHEAD, submitted_at.unix_ms())?.0)
}

/// Lets the links of a model that still open it do so until `until` at least.
pub async fn extend_links(
    tx: &mut WriteTx,
    model: &ModelId,
    (now, until): (Timestamp, Timestamp),
) -> Result<(), Error> {
    execute!(
        tx,
        EXTEND_LINKS,
        model.as_str(),
        now.unix_ms(),
        until.unix_ms()
    )?;
    Ok(())
}

/// Forgets the address of a session's person.
pub async fn forget_address(tx: &mut WriteTx, model: &ModelId) -> Result<(), Error> {
    execute!(tx, FORGET_ADDRESS, model.as_str())?;
    Ok(())
}

/// Forgets a person's address in the deleted sessions of an organization.
pub async fn forget_addresses(tx: &mut WriteTx, org: &OrgId, user: &UserId) -> Result<(), Error> {
    execute!(tx, FORGET_ADDRESSES, org.as_str(), user.as_str())?;
    Ok(())
}

/// Ends all links of a model.
pub async fn delete_links(tx: &mut WriteTx, model: &ModelId) -> Result<(), Error> {
    execute!(tx, DELETE_LINKS, model.as_str())?;
    Ok(())
}
