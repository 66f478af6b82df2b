//! Pictures that people uploaded for their sessions.

use headshot_domain::{ModelId, OrgId, Timestamp, UploadId};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::error::Error;

/// An uploaded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The organization.
    pub org: OrgId,
    /// For which session.
    pub model: ModelId,
    /// SHA-256 of its bytes.
    pub digest: Vec<u8>,
    /// How its file ends: `jpg`, `png`, `webp` or `heic`.
    pub format: String,
    /// Its size.
    pub bytes: i64,
    /// What the engine says of it, as JSON.
    pub verdict: String,
    /// Whether a shoot may use it.
    pub usable: bool,
    /// When it arrived.
    pub created_at: Timestamp,
}

statements! {
    INSERT = "INSERT INTO uploads (id, org_id, model_id, digest, format, bytes, verdict, usable, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (model_id, digest) DO NOTHING";
    OF_MODEL = "SELECT id, org_id, model_id, digest, format, bytes, verdict, usable, created_at FROM uploads \
        WHERE model_id = $1 AND org_id = $2 ORDER BY created_at, id";
    FIND = "SELECT id, org_id, model_id, digest, format, bytes, verdict, usable, created_at FROM uploads \
        WHERE id = $1 AND model_id = $2 AND org_id = $3";
    JUDGE = "UPDATE uploads SET verdict = $3, usable = $4 WHERE id = $1 AND model_id = $2";
    DELETE = "DELETE FROM uploads WHERE id = $1 AND model_id = $2";
    DELETE_OF_MODEL = "DELETE FROM uploads WHERE model_id = $1 AND created_at <= $2";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    org_id: String,
    model_id: String,
    digest: Vec<u8>,
    format: String,
    bytes: i64,
    verdict: String,
    usable: i64,
    created_at: i64,
}

impl From<Row> for Upload {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            org: row.org_id.into(),
            model: row.model_id.into(),
            digest: row.digest,
            format: row.format,
            bytes: row.bytes,
            verdict: row.verdict,
            usable: row.usable != 0,
            created_at: Timestamp::from_unix_ms(row.created_at),
        }
    }
}

/// Stores a new upload; `false` when the session has one with the same bytes already.
pub async fn insert(tx: &mut WriteTx, upload: &Upload) -> Result<bool, Error> {
    let inserted = execute!(
        tx,
        INSERT,
        upload.id.as_str(),
        upload.org.as_str(),
        upload.model.as_str(),
        &upload.digest,
        &upload.format,
        upload.bytes,
        &upload.verdict,
        i64::from(upload.usable),
        upload.created_at.unix_ms(),
    )?;
    Ok(inserted == 1)
}

/// A session's uploads, oldest first; their number is limited when they arrive.
pub async fn of_model(
    conn: &mut impl AsConn,
    (org, model): (&OrgId, &ModelId),
) -> Result<Vec<Upload>, Error> {
    let rows = fetch_all!(conn, Row, OF_MODEL, model.as_str(), org.as_str())?;
    Ok(rows.into_iter().map(Upload::from).collect())
}

/// The session's upload with this id.
pub async fn find(
    conn: &mut impl AsConn,
    (org, model): (&OrgId, &ModelId),
    id: &UploadId,
) -> Result<Option<Upload>, Error> {
    let row = fetch_optional!(conn, Row, FIND, id.as_str(), model.as_str(), org.as_str())?;
    Ok(row.map(Upload::from))
}

/// Stores another verdict over an upload; `false` when it is not there any more.
pub async fn judge(tx: &mut WriteTx, upload: &Upload) -> Result<bool, Error> {
    let judged = execute!(
        tx,
        JUDGE,
        upload.id.as_str(),
        upload.model.as_str(),
        &upload.verdict,
        i64::from(upload.usable),
    )?;
    Ok(judged == 1)
}

/// Forgets an upload; `false` when the session has none with this id.
pub async fn delete(tx: &mut WriteTx, model: &ModelId, id: &UploadId) -> Result<bool, Error> {
    Ok(execute!(tx, DELETE, id.as_str(), model.as_str())? == 1)
}

/// Forgets a session's uploads that arrived at `until` or before, with what was said of them.
pub async fn delete_of_model(
    tx: &mut WriteTx,
    model: &ModelId,
    until: Timestamp,
) -> Result<u64, Error> {
    execute!(tx, DELETE_OF_MODEL, model.as_str(), until.unix_ms())
}
