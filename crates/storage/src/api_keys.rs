//! API keys. The key itself is never stored, only its digest under a pepper kept elsewhere.

use std::sync::LazyLock;

use headshot_domain::{KeyHint, KeyId, Networks, OrgId, Plan, ScopeSet, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::dialect;
use crate::error::Error;
use crate::many::{Many, execute_many};
use crate::parsed;

/// A key as admins see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public id.
    pub id: KeyId,
    /// The organization it belongs to.
    pub org: OrgId,
    /// The name that its creator gave.
    pub name: String,
    /// First and last characters.
    pub hint: KeyHint,
    /// What it may do.
    pub scopes: ScopeSet,
    /// From where; empty is anywhere.
    pub networks: Networks,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Who deleted it.
    pub deleted_by: Option<String>,
    /// The last accepted use.
    pub last_use: Option<LastUse>,
    /// The last accepted use by a browser.
    pub browser_used_at: Option<Timestamp>,
}

/// A key's last accepted use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From which address; unknown for the instant before the log is written.
    pub address: Option<String>,
    /// Method and path.
    pub call: Option<String>,
}

/// An accepted use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key: KeyId,
    /// When, from where, what for.
    pub last: LastUse,
    /// When a browser last used it.
    pub browser_at: Option<Timestamp>,
}

impl KeyUse {
    /// A use of which the time alone is known, until the log is written.
    pub const fn at(key: KeyId, at: Timestamp) -> Self {
        Self {
            key,
            last: LastUse {
                at,
                address: None,
                call: None,
            },
            browser_at: None,
        }
    }
}

/// What verification needs to know of a key, read in one snapshot with the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public id.
    pub id: KeyId,
    /// The organization.
    pub org: OrgId,
    /// What it may do.
    pub scopes: ScopeSet,
    /// From where; empty is anywhere.
    pub networks: Networks,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// The organization's rate tier.
    pub plan: Plan,
}

/// What is stored of a new key beside [`ApiKey`].
#[derive(Debug, Clone, Copy)]
pub struct Secret<'a> {
    /// HMAC-SHA-256 of the key.
    pub digest: &'a [u8],
    /// Which pepper made the digest.
    pub pepper_id: &'a str,
    /// The form's nonce: the same form sent twice makes one key.
    pub nonce: Option<&'a str>,
}

/// The most keys that a list returns, and that an organization may hold alive.
pub const LIVE_MAX: i64 = 200;

statements! {
    INSERT = "INSERT INTO api_keys (id, org_id, name, digest, pepper_id, hint_first, hint_last, scopes, networks, \
        nonce, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
        ON CONFLICT DO NOTHING";
    FIND = "SELECT id, org_id, name, hint_first, hint_last, scopes, networks, created_by, created_at, expires_at, \
        deleted_at, deleted_by, last_used_at, last_used_address, last_used_call, browser_used_at \
        FROM api_keys WHERE id = $1";
    LIVE = "SELECT id, org_id, name, hint_first, hint_last, scopes, networks, created_by, created_at, expires_at, \
        deleted_at, deleted_by, last_used_at, last_used_address, last_used_call, browser_used_at \
        FROM api_keys WHERE org_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id LIMIT $2";
    EXPIRING = "SELECT id, org_id, name, hint_first, hint_last, scopes, networks, created_by, created_at, expires_at, \
        deleted_at, deleted_by, last_used_at, last_used_address, last_used_call, browser_used_at \
        FROM api_keys WHERE deleted_at IS NULL AND expires_at > $1 AND expires_at <= $2 ORDER BY expires_at, id LIMIT $3";
    DELETED = "SELECT id, org_id, name, hint_first, hint_last, scopes, networks, created_by, created_at, expires_at, \
        deleted_at, deleted_by, last_used_at, last_used_address, last_used_call, browser_used_at \
        FROM api_keys WHERE org_id = $1 AND deleted_at IS NOT NULL ORDER BY deleted_at DESC, id LIMIT $2";
    COUNT_LIVE = "SELECT COUNT(*) FROM api_keys WHERE org_id = $1 AND deleted_at IS NULL";
    RECORD = "SELECT k.id, k.org_id, k.scopes, k.networks, k.expires_at, k.deleted_at, o.plan, e.epoch \
        FROM auth_epoch e LEFT JOIN api_keys k ON k.digest = $1 LEFT JOIN organizations o ON o.id = k.org_id \
        WHERE e.id = 1";
    DELETE = "UPDATE api_keys SET deleted_at = $2, deleted_by = $3 \
        WHERE id = $1 AND deleted_at IS NULL AND org_id = COALESCE(CAST($4 AS TEXT), org_id) \
        RETURNING id, org_id, name, hint_first, hint_last, scopes, networks, created_by, created_at, expires_at, \
        deleted_at, deleted_by, last_used_at, last_used_address, last_used_call, browser_used_at";
    PEPPERS = "SELECT pepper_id, COUNT(*) FROM api_keys WHERE deleted_at IS NULL GROUP BY pepper_id ORDER BY pepper_id";
}

static USED: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "UPDATE api_keys SET last_used_at = u.column2, \
         last_used_address = COALESCE(u.column3, last_used_address), \
         last_used_call = COALESCE(u.column4, last_used_call), \
         browser_used_at = CASE WHEN browser_used_at > u.column5 THEN browser_used_at \
         ELSE COALESCE(u.column5, browser_used_at) END FROM (VALUES",
        "(CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT))",
        ") AS u WHERE api_keys.id = u.column1 AND (last_used_at IS NULL OR last_used_at <= u.column2)",
    )
});

/// [`USED`] for the tests.
pub(crate) fn many_used() -> &'static Many {
    &USED
}

#[derive(sqlx::FromRow)]
struct ApiKeyRow {
    id: String,
    org_id: String,
    name: String,
    hint_first: String,
    hint_last: String,
    scopes: String,
    networks: String,
    created_by: String,
    created_at: i64,
    expires_at: Option<i64>,
    deleted_at: Option<i64>,
    deleted_by: Option<String>,
    last_used_at: Option<i64>,
    last_used_address: Option<String>,
    last_used_call: Option<String>,
    browser_used_at: Option<i64>,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = Error;

    fn try_from(row: ApiKeyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.into(),
            name: row.name,
            hint: KeyHint {
                first: row.hint_first,
                last: row.hint_last,
            },
            scopes: parsed(&row.scopes, "api_keys", "scopes")?,
            networks: parsed(&row.networks, "api_keys", "networks")?,
            created_by: row.created_by,
            created_at: Timestamp::from_unix_ms(row.created_at),
            expires_at: row.expires_at.map(Timestamp::from_unix_ms),
            deleted_at: row.deleted_at.map(Timestamp::from_unix_ms),
            deleted_by: row.deleted_by,
            last_use: row.last_used_at.map(|at| LastUse {
                at: Timestamp::from_unix_ms(at),
                address: row.last_used_address,
                call: row.last_used_call,
            }),
            browser_used_at: row.browser_used_at.map(Timestamp::from_unix_ms),
        })
    }
}

/// The columns of `RECORD`: all but the epoch are missing when no key has the digest.
#[derive(sqlx::FromRow)]
struct RecordRow {
    id: Option<String>,
    org_id: Option<String>,
    scopes: Option<String>,
    networks: Option<String>,
    expires_at: Option<i64>,
    deleted_at: Option<i64>,
    plan: Option<String>,
    epoch: i64,
}

impl RecordRow {
    fn into_record(self) -> Result<Option<KeyRecord>, Error> {
        let (Some(id), Some(org), Some(scopes), Some(networks), Some(plan)) =
            (self.id, self.org_id, self.scopes, self.networks, self.plan)
        else {
            return Ok(None);
        };
        Ok(Some(KeyRecord {
            id: id.into(),
            org: org.into(),
            scopes: parsed(&scopes, "api_keys", "scopes")?,
            networks: parsed(&networks, "api_keys", "networks")?,
            expires_at: self.expires_at.map(Timestamp::from_unix_ms),
            deleted_at: self.deleted_at.map(Timestamp::from_unix_ms),
            plan: parsed(&plan, "organizations", "plan")?,
        }))
    }
}

/// Stores a new key.
///
/// # Errors
/// [`Error::Conflict`] when the nonce was used before.
pub async fn insert(tx: &mut WriteTx, key: &ApiKey, secret: Secret<'_>) -> Result<(), Error> {
    let inserted = execute!(
        tx,
        INSERT,
        key.id.as_str(),
        key.org.as_str(),
        &key.name,
        secret.digest,
        secret.pepper_id,
        &key.hint.first,
        &key.hint.last,
        key.scopes.to_string(),
        key.networks.to_string(),
        secret.nonce,
        &key.created_by,
        key.created_at.unix_ms(),
        key.expires_at.map(Timestamp::unix_ms),
    )?;
    if inserted == 0 {
        Err(Error::Conflict)
    } else {
        Ok(())
    }
}

/// The key with this id, deleted or not, of whichever organization.
pub async fn find(conn: &mut impl AsConn, id: &KeyId) -> Result<Option<ApiKey>, Error> {
    fetch_optional!(conn, ApiKeyRow, FIND, id.as_str())?
        .map(TryInto::try_into)
        .transpose()
}

/// An organization's keys that aren't deleted, newest first.
pub async fn live(conn: &mut impl AsConn, org: &OrgId) -> Result<Vec<ApiKey>, Error> {
    let rows = fetch_all!(conn, ApiKeyRow, LIVE, org.as_str(), LIVE_MAX)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Keys of all organizations that run out after `now` and until `until`, at most `limit`.
pub async fn expiring(
    conn: &mut impl AsConn,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    let rows = fetch_all!(
        conn,
        ApiKeyRow,
        EXPIRING,
        now.unix_ms(),
        until.unix_ms(),
        limit
    )?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// An organization's last `limit` deleted keys, newest deletion first.
pub async fn deleted(
    conn: &mut impl AsConn,
    org: &OrgId,
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    let rows = fetch_all!(conn, ApiKeyRow, DELETED, org.as_str(), limit)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How many keys of an organization aren't deleted.
pub async fn count_live(conn: &mut impl AsConn, org: &OrgId) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), COUNT_LIVE, org.as_str())?.0)
}

/// The key with this digest, deleted or not, and the epoch under which it was read.
pub async fn record(
    conn: &mut impl AsConn,
    digest: &[u8],
) -> Result<(Option<KeyRecord>, i64), Error> {
    let row = fetch_one!(conn, RecordRow, RECORD, digest)?;
    let epoch = row.epoch;
    Ok((row.into_record()?, epoch))
}

/// Marks a key (of one organization, where it is given) deleted and returns it. `None` when there is
/// none or it is gone already: of two that try at once, one wins.
pub async fn delete(
    tx: &mut WriteTx,
    (id, org): (&KeyId, Option<&OrgId>),
    by: &str,
    now: Timestamp,
) -> Result<Option<ApiKey>, Error> {
    let (id, org, at) = (id.as_str(), org.map(OrgId::as_str), now.unix_ms());
    fetch_optional!(tx, ApiKeyRow, DELETE, id, at, by, org)?
        .map(TryInto::try_into)
        .transpose()
}

/// Notes accepted uses, one of each key at most, unless later ones are known.
pub async fn used(tx: &mut WriteTx, uses: &[KeyUse]) -> Result<(), Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = uses.iter().map(|used| used.key.as_str()).collect();
    dialect::lock_keys(tx, &keys).await?;
    execute_many!(
        tx,
        &USED,
        uses,
        |used| used.key.as_str(),
        used.last.at.unix_ms(),
        used.last.address.as_deref(),
        used.last.call.as_deref(),
        used.browser_at.map(Timestamp::unix_ms),
    )?;
    Ok(())
}

/// How many live keys were made under each pepper.
pub async fn peppers(conn: &mut impl AsConn) -> Result<Vec<(String, i64)>, Error> {
    fetch_all!(conn, (String, i64), PEPPERS)
}
