//! The credit ledger. Append-only; the balance is its sum.

use headshot_domain::{Credits, OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, statements};
use crate::error::Error;

/// One movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry's id.
    pub id: String,
    /// What was added, or taken when negative.
    pub amount: Credits,
    /// `grant`, later `shoot` and others.
    pub kind: String,
    /// What it was for, in words.
    pub description: String,
    /// Who did it: a person, a key, or the command line.
    pub actor: String,
    /// When.
    pub created_at: Timestamp,
}

statements! {
    INSERT = "INSERT INTO credit_entries (id, org_id, amount, kind, description, actor, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BALANCE = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM credit_entries WHERE org_id = $1";
    LIST = "SELECT id, amount, kind, description, actor, created_at FROM credit_entries \
        WHERE org_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2";
}

/// Adds a movement to an organization's ledger.
pub async fn insert(tx: &mut WriteTx, org: &OrgId, entry: &Entry) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        &entry.id,
        org.as_str(),
        entry.amount.hundredths(),
        &entry.kind,
        &entry.description,
        &entry.actor,
        entry.created_at.unix_ms(),
    )?;
    Ok(())
}

/// The sum of an organization's movements.
pub async fn balance(conn: &mut impl AsConn, org: &OrgId) -> Result<Credits, Error> {
    Ok(Credits::from_hundredths(
        fetch_one!(conn, (i64,), BALANCE, org.as_str())?.0,
    ))
}

/// The newest `limit` movements, newest first.
pub async fn list(conn: &mut impl AsConn, org: &OrgId, limit: i64) -> Result<Vec<Entry>, Error> {
    type Row = (String, i64, String, String, String, i64);
    let rows = fetch_all!(conn, Row, LIST, org.as_str(), limit)?;
    Ok(rows
        .into_iter()
        .map(|(id, amount, kind, description, actor, created_at)| Entry {
            id,
            amount: Credits::from_hundredths(amount),
            kind,
            description,
            actor,
            created_at: Timestamp::from_unix_ms(created_at),
        })
        .collect())
}
