//! The audit log: append-only, each row's hash covers the row before it.
//!
//! The database itself refuses updates and deletions (triggers); the chain shows what happened
//! when somebody went around them.

use headshot_domain::Timestamp;

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, statements};
use crate::error::Error;

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The organization's id, or empty for the whole server.
    pub org: String,
    /// Who: `user:<id> <email>`, `key:<id>`, `command line`, `server`.
    pub actor: String,
    /// What was done, as in `key.deleted`.
    pub action: String,
    /// To what, as in `key:<id>`.
    pub target: String,
    /// More about it, a JSON object.
    pub detail: String,
    /// From which address, or empty.
    pub address: String,
    /// SHA-256 over the previous row's hash and this row's fields.
    pub hash: Vec<u8>,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The newest row's place.
    pub seq: i64,
    /// The newest row's hash; 32 zero bytes while there is none.
    pub hash: Vec<u8>,
}

statements! {
    LOCK_HEAD = "UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, hash";
    SET_HEAD = "UPDATE audit_head SET hash = $1 WHERE id = 1";
    HEAD = "SELECT seq, hash FROM audit_head WHERE id = 1";
    INSERT = "INSERT INTO audit_entries (seq, at, org_id, actor, action, target, detail, address, hash) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    AFTER = "SELECT seq, at, org_id, actor, action, target, detail, address, hash FROM audit_entries \
        WHERE seq > $1 ORDER BY seq LIMIT $2";
    NEWEST = "SELECT seq, at, org_id, actor, action, target, detail, address, hash FROM audit_entries \
        WHERE org_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    seq: i64,
    at: i64,
    org_id: String,
    actor: String,
    action: String,
    target: String,
    detail: String,
    address: String,
    hash: Vec<u8>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            seq: row.seq,
            at: Timestamp::from_unix_ms(row.at),
            org: row.org_id,
            actor: row.actor,
            action: row.action,
            target: row.target,
            detail: row.detail,
            address: row.address,
            hash: row.hash,
        }
    }
}

/// Takes the next place in the chain and locks it until `tx` ends: the place, and the hash of the
/// row before it.
pub async fn next(tx: &mut WriteTx) -> Result<Head, Error> {
    let (seq, hash) = fetch_one!(tx, (i64, Vec<u8>), LOCK_HEAD)?;
    Ok(Head { seq, hash })
}

/// Stores the row for the place that [`next`] gave.
pub async fn append(tx: &mut WriteTx, entry: &Entry) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        entry.seq,
        entry.at.unix_ms(),
        &entry.org,
        &entry.actor,
        &entry.action,
        &entry.target,
        &entry.detail,
        &entry.address,
        &entry.hash,
    )?;
    execute!(tx, SET_HEAD, &entry.hash)?;
    Ok(())
}

/// The end of the chain.
pub async fn head(conn: &mut impl AsConn) -> Result<Head, Error> {
    let (seq, hash) = fetch_one!(conn, (i64, Vec<u8>), HEAD)?;
    Ok(Head { seq, hash })
}

/// The `limit` rows after place `seq`, in order.
pub async fn after(conn: &mut impl AsConn, seq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
    Ok(fetch_all!(conn, EntryRow, AFTER, seq, limit)?
        .into_iter()
        .map(Entry::from)
        .collect())
}

/// An organization's newest `limit` rows before place `before`, newest first.
pub async fn newest(
    conn: &mut impl AsConn,
    org: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let rows = fetch_all!(conn, EntryRow, NEWEST, org, before, limit)?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
