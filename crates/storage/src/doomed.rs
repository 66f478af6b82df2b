//! Objects that are to be deleted, whatever happens to the process that decided it.

use headshot_domain::Timestamp;

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, statements};
use crate::error::Error;

/// An object, or all objects of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The path in the store.
    pub path: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Since when.
    pub since: Timestamp,
}

statements! {
    INSERT = "INSERT INTO doomed_objects (path, folder, gone, created_at) VALUES ($1, $2, 0, $3) \
        ON CONFLICT (path) DO UPDATE SET gone = 0, created_at = EXCLUDED.created_at";
    DUE = "SELECT path, folder, created_at FROM doomed_objects WHERE gone = $1 AND created_at <= $2 \
        ORDER BY created_at, path LIMIT $3";
    PENDING = "SELECT COUNT(*) FROM doomed_objects WHERE gone = 0 AND created_at <= $1";
    SET_GONE = "UPDATE doomed_objects SET gone = 1 WHERE path = $1 AND created_at = $2";
    FORGET = "DELETE FROM doomed_objects WHERE path = $1 AND created_at = $2";
}

/// Dooms an object or a folder.
pub async fn insert(tx: &mut WriteTx, doomed: &Doomed) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        &doomed.path,
        i64::from(doomed.folder),
        doomed.since.unix_ms()
    )?;
    Ok(())
}

/// The oldest that were doomed at `until` or before, and that are or are not known to be gone.
pub async fn due(
    conn: &mut impl AsConn,
    (gone, until): (bool, Timestamp),
    limit: i64,
) -> Result<Vec<Doomed>, Error> {
    type Row = (String, i64, i64);
    let rows = fetch_all!(conn, Row, DUE, i64::from(gone), until.unix_ms(), limit)?;
    Ok(rows
        .into_iter()
        .map(|(path, folder, since)| Doomed {
            path,
            folder: folder != 0,
            since: Timestamp::from_unix_ms(since),
        })
        .collect())
}

/// How many were doomed at `until` or before and are not known to be gone.
pub async fn pending(conn: &mut impl AsConn, until: Timestamp) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), PENDING, until.unix_ms())?.0)
}

/// Notes that the objects are gone.
pub async fn set_gone(tx: &mut WriteTx, doomed: &Doomed) -> Result<(), Error> {
    execute!(tx, SET_GONE, &doomed.path, doomed.since.unix_ms())?;
    Ok(())
}

/// Forgets it, unless it was doomed again meanwhile.
pub async fn forget(tx: &mut WriteTx, doomed: &Doomed) -> Result<(), Error> {
    execute!(tx, FORGET, &doomed.path, doomed.since.unix_ms())?;
    Ok(())
}
