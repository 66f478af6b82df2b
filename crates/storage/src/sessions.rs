//! Signed-in browsers. The cookie's token is never stored, only its hash.

use headshot_domain::{OrgId, Role, SessionId, Timestamp, UserId};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::dialect;
use crate::error::Error;
use crate::parsed;

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The public id, safe to show.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// The organization that is being looked at.
    pub org: OrgId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to about a minute.
    pub last_seen_at: Timestamp,
    /// When the password was last given.
    pub authenticated_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// From where it began.
    pub address: String,
    /// The browser, as it named itself.
    pub user_agent: String,
}

/// The most sessions that a list shows.
pub const LIST_MAX: i64 = 100;

statements! {
    INSERT = "INSERT INTO sessions (id, token_hash, user_id, org_id, created_at, last_seen_at, \
        authenticated_at, expires_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    FIND = "SELECT id, user_id, org_id, created_at, last_seen_at, authenticated_at, expires_at, address, \
        user_agent FROM sessions WHERE token_hash = $1";
    LIST = "SELECT id, user_id, org_id, created_at, last_seen_at, authenticated_at, expires_at, address, \
        user_agent FROM sessions WHERE user_id = $1 AND expires_at > $2 AND last_seen_at > $3 \
        ORDER BY last_seen_at DESC, id LIMIT $4";
    TOUCH = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1";
    AUTHENTICATED = "UPDATE sessions SET authenticated_at = $2 WHERE id = $1";
    SWITCH = "UPDATE sessions SET org_id = $2 WHERE id = $1";
    STANDING = "SELECT p.role FROM sessions s JOIN memberships p ON p.user_id = s.user_id AND p.org_id = $2 \
        WHERE s.id = $1 AND s.user_id = $3";
    DELETE = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
    DELETE_OTHERS = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    DELETE_IN = "DELETE FROM sessions WHERE user_id = $1 AND org_id = $2";
    DELETE_ALL = "DELETE FROM sessions";
    DELETE_ENDED = "DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2";
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    user_id: String,
    org_id: String,
    created_at: i64,
    last_seen_at: i64,
    authenticated_at: i64,
    expires_at: i64,
    address: String,
    user_agent: String,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id.into(),
            user: row.user_id.into(),
            org: row.org_id.into(),
            created_at: Timestamp::from_unix_ms(row.created_at),
            last_seen_at: Timestamp::from_unix_ms(row.last_seen_at),
            authenticated_at: Timestamp::from_unix_ms(row.authenticated_at),
            expires_at: Timestamp::from_unix_ms(row.expires_at),
            address: row.address,
            user_agent: row.user_agent,
        }
    }
}

/// Stores a new session under the hash of its token.
pub async fn insert(tx: &mut WriteTx, session: &Session, token_hash: &[u8]) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        session.id.as_str(),
        token_hash,
        session.user.as_str(),
        session.org.as_str(),
        session.created_at.unix_ms(),
        session.last_seen_at.unix_ms(),
        session.authenticated_at.unix_ms(),
        session.expires_at.unix_ms(),
        &session.address,
        &session.user_agent,
    )?;
    Ok(())
}

/// The session whose token has this hash, ended or not.
pub async fn find(conn: &mut impl AsConn, token_hash: &[u8]) -> Result<Option<Session>, Error> {
    Ok(fetch_optional!(conn, SessionRow, FIND, token_hash)?.map(Session::from))
}

/// A person's sessions that haven't ended, newest use first: those that expire after `now` and
/// were seen after `seen_after`.
pub async fn list(
    conn: &mut impl AsConn,
    user: &UserId,
    (now, seen_after): (Timestamp, Timestamp),
) -> Result<Vec<Session>, Error> {
    let rows = fetch_all!(
        conn,
        SessionRow,
        LIST,
        user.as_str(),
        now.unix_ms(),
        seen_after.unix_ms(),
        LIST_MAX
    )?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// Notes that the session was used.
pub async fn touch(tx: &mut WriteTx, id: &SessionId, now: Timestamp) -> Result<(), Error> {
    execute!(tx, TOUCH, id.as_str(), now.unix_ms())?;
    Ok(())
}

/// Notes that the password was given again. `false` when the session has ended.
pub async fn authenticated(
    tx: &mut WriteTx,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(execute!(tx, AUTHENTICATED, id.as_str(), now.unix_ms())? == 1)
}

/// The role of a session's person in an organization, both of which stay until the transaction ends;
/// `None` when one of them is gone.
pub async fn standing(
    tx: &mut WriteTx,
    (id, user): (&SessionId, &UserId),
    org: &OrgId,
) -> Result<Option<Role>, Error> {
    dialect::lock_session(tx, id.as_str()).await?;
    let row = fetch_optional!(
        tx,
        (String,),
        STANDING,
        id.as_str(),
        org.as_str(),
        user.as_str()
    )?;
    row.map(|row| parsed(&row.0, "memberships", "role"))
        .transpose()
}

/// Turns the session to another organization.
pub async fn switch(tx: &mut WriteTx, id: &SessionId, org: &OrgId) -> Result<(), Error> {
    execute!(tx, SWITCH, id.as_str(), org.as_str())?;
    Ok(())
}

/// Ends one session of a person. Whether there was one.
pub async fn delete(tx: &mut WriteTx, id: &SessionId, user: &UserId) -> Result<bool, Error> {
    Ok(execute!(tx, DELETE, id.as_str(), user.as_str())? > 0)
}

/// Ends all sessions of a person but `keep`. How many there were.
pub async fn delete_others(
    tx: &mut WriteTx,
    user: &UserId,
    keep: &SessionId,
) -> Result<u64, Error> {
    execute!(tx, DELETE_OTHERS, user.as_str(), keep.as_str())
}

/// Removes sessions that expired by `now` or were last seen by `seen_before`.
pub async fn delete_ended(
    tx: &mut WriteTx,
    now: Timestamp,
    seen_before: Timestamp,
) -> Result<u64, Error> {
    execute!(tx, DELETE_ENDED, now.unix_ms(), seen_before.unix_ms())
}

/// Ends a person's sessions that show an organization.
pub async fn delete_in(tx: &mut WriteTx, user: &UserId, org: &OrgId) -> Result<(), Error> {
    execute!(tx, DELETE_IN, user.as_str(), org.as_str())?;
    Ok(())
}

/// Ends every session.
pub async fn delete_all(tx: &mut WriteTx) -> Result<(), Error> {
    execute!(tx, DELETE_ALL)?;
    Ok(())
}
