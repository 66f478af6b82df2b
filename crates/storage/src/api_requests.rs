//! The API log: one row for each API request, written in batches.
//!
//! Callers repeat themselves: a poller's thousand requests differ in nothing but id, time and
//! duration. What they have in common, their *shape*, is stored once, under a digest of all of it.
//!
//! A gap says which node's requests may be missing and from when on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use headshot_domain::{KeyId, OrgId, RequestId, Timestamp, storable};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;
use crate::many::{Many, execute_many};
use shapes::{Shape, ShapeId};

mod shapes;

/// One API request, as it is written.
#[derive(Debug, Clone)]
pub struct Request {
    /// The organization's id; empty when no key told it.
    pub org: Arc<str>,
    /// The request's id.
    pub id: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// The key's id, also of a deleted or expired one.
    pub key: Option<Arc<str>>,
    /// What the key was found to be.
    pub key_state: KeyState,
    /// Tells attempts with the same unknown key apart from others. Not the key.
    pub fingerprint: Option<String>,
    /// The method.
    pub method: Cow<'static, str>,
    /// The route's pattern; empty when none matched.
    pub route: Cow<'static, str>,
    /// Path and query, without anything that looks like a key, cut to 2,048 bytes.
    pub path: String,
    /// The status that was answered.
    pub status: u16,
    /// The error's code.
    pub code: Option<&'static str>,
    /// Which check refused it.
    pub refused_by: Option<&'static str>,
    /// From arrival to the answer's head, in microseconds.
    pub duration_us: i64,
    /// The body's announced length, in bytes.
    pub request_bytes: i64,
    /// The answer's length, in bytes.
    pub response_bytes: i64,
    /// The caller's address.
    pub address: IpAddr,
    /// The caller's `User-Agent`, cut to 512 bytes.
    pub user_agent: String,
    /// Whether a browser sent it.
    pub browser: bool,
}

/// What the key of a request was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// A key that works.
    Live,
    /// A deleted key.
    Deleted,
    /// An expired key.
    Expired,
    /// Well-formed, but no key of this server.
    Unknown,
    /// Not of the form of a key.
    Malformed,
    /// No key at all.
    Missing,
}

impl KeyState {
    const ALL: [Self; 6] = [
        Self::Live,
        Self::Deleted,
        Self::Expired,
        Self::Unknown,
        Self::Malformed,
        Self::Missing,
    ];

    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
        }
    }
}

impl std::str::FromStr for KeyState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or(())
    }
}

/// One API request, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The request's id.
    pub id: String,
    /// When it arrived.
    pub at: Timestamp,
    /// The key's id.
    pub key: Option<KeyId>,
    /// What the key was found to be.
    pub key_state: KeyState,
    /// Tells attempts with the same unknown key apart from others.
    pub fingerprint: Option<String>,
    /// The method.
    pub method: String,
    /// The route's pattern; empty when none matched.
    pub route: String,
    /// Path and query.
    pub path: String,
    /// The status that was answered.
    pub status: i64,
    /// The error's code.
    pub code: Option<String>,
    /// Which check refused it.
    pub refused_by: Option<String>,
    /// From arrival to the answer's head, in microseconds.
    pub duration_us: i64,
    /// The body's announced length, in bytes.
    pub request_bytes: i64,
    /// The answer's length, in bytes.
    pub response_bytes: i64,
    /// The caller's address.
    pub address: String,
    /// The caller's `User-Agent`.
    pub user_agent: String,
    /// Whether a browser sent it.
    pub browser: bool,
    /// The process that answered.
    pub node: String,
}

/// A stretch in which requests may be missing from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Its id, which sorts among the requests' ids.
    pub id: String,
    /// From when on.
    pub at: Timestamp,
    /// Whose requests.
    pub node: String,
    /// How many are known to be missing; 0 when unknown.
    pub lost: i64,
}

/// Which requests to list. Times bound the ids, `before` continues a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Before the request with this id.
    pub before: Option<String>,
    /// From the request with this id on.
    pub not_before: Option<String>,
    /// Of this key.
    pub key: Option<KeyId>,
    /// With a status in this range, both ends included.
    pub status: Option<(i64, i64)>,
    /// Whose path holds this text, whatever its case.
    pub path: Option<String>,
    /// From this address.
    pub address: Option<String>,
}

/// Attempts with one deleted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadKeyUse {
    /// How many.
    pub attempts: i64,
    /// From how many addresses.
    pub addresses: i64,
    /// The latest.
    pub last_at: Timestamp,
}

/// Requests of one hour with one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourCount {
    /// The hour's beginning, in hours since 1970.
    pub hour: i64,
    /// `accepted`, `refused` or `failed`.
    pub outcome: String,
    /// How many.
    pub requests: i64,
}

macro_rules! logged {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.at, s.node, s.key_id, s.key_state, s.fingerprint, s.method, s.route, s.path, \
             s.status, s.code, s.refused_by, r.duration_us, s.request_bytes, s.response_bytes, s.address, \
             s.user_agent, s.browser FROM api_log r JOIN api_log_shapes s ON s.id = r.shape ",
            $rest
        )
    };
}

statements! {
    GAP = "INSERT INTO api_log_gaps (id, at, node, lost) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (id) DO NOTHING";
    CLOSE_GAPS = "DELETE FROM api_log_gaps WHERE node = $1 AND lost = 0";
    LIST = logged!("WHERE r.org_id = $1 AND r.id >= $2 AND r.id < $3 \
        AND (s.key_id = $4 OR $4 IS NULL) AND s.status BETWEEN $5 AND $6 \
        AND (lower(s.path) LIKE $7 ESCAPE '\\' OR $7 IS NULL) AND (s.address = $8 OR $8 IS NULL) \
        ORDER BY r.id DESC LIMIT $9");
    FIND = logged!("WHERE r.org_id = $1 AND r.id = $2");
    GAPS = "SELECT id, at, node, lost FROM api_log_gaps WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    WINDOW_START = "SELECT id FROM api_log WHERE org_id = $1 AND id >= $2 AND id < $3 \
        ORDER BY id DESC LIMIT 1 OFFSET $4";
    DEAD_KEY_USE = "SELECT COUNT(*), COUNT(DISTINCT s.address), COALESCE(MAX(tries.at), 0) FROM \
        (SELECT shape, at FROM api_log WHERE dead_key = $1 ORDER BY id DESC LIMIT $2) AS tries \
        JOIN api_log_shapes s ON s.id = tries.shape";
    HOURS = "SELECT hour, outcome, CAST(SUM(requests) AS BIGINT) FROM api_request_hours \
        WHERE org_id = $1 AND hour >= $2 AND (key_id = $3 OR $3 IS NULL) GROUP BY hour, outcome ORDER BY hour, outcome";
    ORGS = "SELECT DISTINCT org_id FROM api_request_hours WHERE org_id > $1 ORDER BY org_id LIMIT 1";
    EXPIRE = "DELETE FROM api_log WHERE org_id = $1 AND id IN \
        (SELECT id FROM api_log WHERE org_id = $1 AND id < $2 ORDER BY id LIMIT $3)";
    EXPIRE_GAPS = "DELETE FROM api_log_gaps WHERE id < $1";
    EXPIRE_SHAPES = "DELETE FROM api_log_shapes WHERE id IN \
        (SELECT id FROM api_log_shapes WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)";
    EXPIRE_HOURS = "DELETE FROM api_request_hours WHERE org_id = $1 AND hour < $2";
}

static ROWS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT INTO api_log (org_id, id, at, shape, duration_us, dead_key) VALUES",
        "(?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (org_id, id) DO NOTHING",
    )
});

static HOUR_COUNTS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT INTO api_request_hours (org_id, hour, key_id, outcome, requests) VALUES",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (org_id, hour, key_id, outcome) DO UPDATE SET \
         requests = api_request_hours.requests + excluded.requests",
    )
});

/// The statements about several rows, for the tests.
pub(crate) fn many() -> [(&'static str, &'static Many); 3] {
    [
        ("api_requests::ROWS", &ROWS),
        ("api_requests::HOUR_COUNTS", &HOUR_COUNTS),
        ("api_requests::SHAPES", &shapes::SHAPES),
    ]
}

const HOUR_MS: i64 = 3_600_000;

/// Stores requests of `node`. How many there were new: those that are stored already stay as they
/// are, so that a batch can be written again when nobody knows whether its commit went through.
pub async fn insert(tx: &mut WriteTx, node: &str, requests: &[Request]) -> Result<u64, Error> {
    let mut shapes: HashMap<Shape<'_>, (ShapeId, i64)> = HashMap::new();
    let mut rows: Vec<(&Request, ShapeId)> = Vec::with_capacity(requests.len());
    // The last row's shape and hour: a caller that repeats itself is recognised without a hash.
    let mut last: Option<(Shape<'_>, i64)> = None;
    for request in requests {
        let hour = request.at.unix_ms().div_euclid(HOUR_MS) * HOUR_MS;
        let shape = Shape::of(request);
        if let (Some((of_last, hour_of_last)), Some((_, id))) = (&last, rows.last())
            && *of_last == shape
            && *hour_of_last == hour
        {
            let id = *id;
            rows.push((request, id));
            continue;
        }
        let (id, seen_at) = match shapes.entry(shape) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let id = new.key().id(node);
                new.insert((id, hour))
            }
        };
        *seen_at = hour.max(*seen_at);
        rows.push((request, *id));
        last = Some((shape, hour));
    }
    shapes::insert(tx, node, shapes).await?;
    execute_many!(
        tx,
        &ROWS,
        rows.as_slice(),
        |(request, shape)| &*request.org,
        request.id.as_str(),
        request.at.unix_ms(),
        shape.as_slice(),
        request.duration_us,
        request
            .key
            .as_deref()
            .filter(|_| request.key_state == KeyState::Deleted),
    )
}

/// Stores a gap, once.
pub async fn insert_gap(tx: &mut WriteTx, gap: &Gap) -> Result<(), Error> {
    execute!(tx, GAP, &gap.id, gap.at.unix_ms(), &gap.node, gap.lost)?;
    Ok(())
}

/// Removes what others noted of `node` when they took it for dead; what it knows to be lost stays.
pub async fn close_gaps(tx: &mut WriteTx, node: &str) -> Result<(), Error> {
    execute!(tx, CLOSE_GAPS, node)?;
    Ok(())
}

/// Requests of one organization and key in one hour with one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHour<'a> {
    /// The organization's id; empty when no key told it.
    pub org: &'a str,
    /// The key's id; empty without one.
    pub key: &'a str,
    /// The hour's beginning, in hours since 1970.
    pub hour: i64,
    /// `accepted`, `refused`, `failed` or `turned away`.
    pub outcome: &'static str,
    /// How many.
    pub requests: i64,
}

/// Adds to the counts of hours, none of them twice. In the order given: everywhere the same one, so
/// that PostgreSQL sees no deadlock.
pub async fn count(tx: &mut WriteTx, hours: &[KeyHour<'_>]) -> Result<(), Error> {
    execute_many!(
        tx,
        &HOUR_COUNTS,
        hours,
        |hour| hour.org,
        hour.hour,
        hour.key,
        hour.outcome,
        hour.requests,
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LoggedRow {
    id: String,
    at: i64,
    node: String,
    key_id: Option<String>,
    key_state: String,
    fingerprint: Option<String>,
    method: String,
    route: String,
    path: String,
    status: i64,
    code: Option<String>,
    refused_by: Option<String>,
    duration_us: i64,
    request_bytes: i64,
    response_bytes: i64,
    address: String,
    user_agent: String,
    browser: i64,
}

impl TryFrom<LoggedRow> for Logged {
    type Error = Error;

    fn try_from(row: LoggedRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            at: Timestamp::from_unix_ms(row.at),
            key: row.key_id.map(KeyId::from),
            key_state: crate::parsed(&row.key_state, "api_requests", "key_state")?,
            fingerprint: row.fingerprint,
            method: row.method,
            route: row.route,
            path: row.path,
            status: row.status,
            code: row.code,
            refused_by: row.refused_by,
            duration_us: row.duration_us,
            request_bytes: row.request_bytes,
            response_bytes: row.response_bytes,
            address: row.address,
            user_agent: row.user_agent,
            browser: row.browser != 0,
            node: row.node,
        })
    }
}

/// Sorts after every request id.
const ID_END: &str = "req~";

fn id_bounds(filter: &Filter) -> (String, String) {
    let bound = |at: Timestamp| RequestId::floor(at).to_string();
    let from = filter.from.map_or_else(String::new, bound);
    let to = filter.to.map_or_else(|| ID_END.to_owned(), bound);
    let from = match filter.not_before.as_deref().map(storable) {
        Some(start) if *start > *from => start.into_owned(),
        _ => from,
    };
    let to = match filter.before.as_deref().map(storable) {
        Some(before) if *before < *to => before.into_owned(),
        _ => to,
    };
    (from, to)
}

/// An organization's newest `limit` requests that `filter` lets through, newest first.
pub async fn list(
    conn: &mut impl AsConn,
    org: &OrgId,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Logged>, Error> {
    let (from, to) = id_bounds(filter);
    let (low, high) = filter.status.unwrap_or((0, 999));
    let rows = fetch_all!(
        conn,
        LoggedRow,
        LIST,
        org.as_str(),
        &from,
        &to,
        filter.key.as_ref().map(KeyId::as_str),
        low,
        high,
        filter.path.as_deref().map(like_pattern),
        filter.address.as_deref().map(storable),
        limit,
    )?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The id of the `rows`-th newest request in the stretch of time that `filter` covers, whatever else
/// it asks for; `None` when there are fewer.
pub async fn window_start(
    conn: &mut impl AsConn,
    org: &OrgId,
    filter: &Filter,
    rows: i64,
) -> Result<Option<String>, Error> {
    let (from, to) = id_bounds(filter);
    let row = fetch_optional!(
        conn,
        (String,),
        WINDOW_START,
        org.as_str(),
        &from,
        &to,
        rows - 1
    )?;
    Ok(row.map(|row| row.0))
}

/// The gaps in the stretch of time that `filter` covers, newest first, at most `limit`.
pub async fn gaps(conn: &mut impl AsConn, filter: &Filter, limit: i64) -> Result<Vec<Gap>, Error> {
    let (from, to) = id_bounds(filter);
    let rows = fetch_all!(conn, (String, i64, String, i64), GAPS, &from, &to, limit)?;
    Ok(rows
        .into_iter()
        .map(|(id, at, node, lost)| Gap {
            id,
            at: Timestamp::from_unix_ms(at),
            node,
            lost,
        })
        .collect())
}

/// One request of an organization.
pub async fn find(conn: &mut impl AsConn, org: &OrgId, id: &str) -> Result<Option<Logged>, Error> {
    fetch_optional!(conn, LoggedRow, FIND, org.as_str(), storable(id))?
        .map(TryInto::try_into)
        .transpose()
}

/// How many attempts [`dead_key_use`] counts at most.
pub const DEAD_KEY_ATTEMPTS_MAX: i64 = 10_000;

/// What has been tried with a key since it was deleted.
pub async fn dead_key_use(
    conn: &mut impl AsConn,
    key: &KeyId,
) -> Result<Option<DeadKeyUse>, Error> {
    let (attempts, addresses, last_at) = fetch_one!(
        conn,
        (i64, i64, i64),
        DEAD_KEY_USE,
        key.as_str(),
        DEAD_KEY_ATTEMPTS_MAX
    )?;
    let last_at = Timestamp::from_unix_ms(last_at);
    Ok((attempts > 0).then_some(DeadKeyUse {
        attempts,
        addresses,
        last_at,
    }))
}

/// Counts by hour and outcome from `hour` on, of one key or of the whole organization.
pub async fn hours(
    conn: &mut impl AsConn,
    org: &OrgId,
    hour: i64,
    key: Option<&KeyId>,
) -> Result<Vec<HourCount>, Error> {
    let key = key.map(KeyId::as_str);
    let rows = fetch_all!(conn, (i64, String, i64), HOURS, org.as_str(), hour, key)?;
    Ok(rows
        .into_iter()
        .map(|(hour, outcome, requests)| HourCount {
            hour,
            outcome,
            requests,
        })
        .collect())
}

/// The first organization after `org`, in the order of ids, that has requests in the log.
pub async fn next_org(conn: &mut impl AsConn, org: &str) -> Result<Option<String>, Error> {
    Ok(fetch_optional!(conn, (String,), ORGS, org)?.map(|row| row.0))
}

/// Removes up to `limit` of an organization's requests from before `at`, oldest first.
pub async fn expire(tx: &mut WriteTx, org: &str, at: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(tx, EXPIRE, org, RequestId::floor(at).as_str(), limit)
}

/// Removes the gaps from before `at`, and up to `limit` shapes that no request from then on has; how
/// many shapes.
pub async fn expire_shapes(tx: &mut WriteTx, at: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(tx, EXPIRE_GAPS, RequestId::floor(at).as_str())?;
    // A shape's hour began up to an hour before its last request.
    execute!(
        tx,
        EXPIRE_SHAPES,
        at.unix_ms().saturating_sub(HOUR_MS),
        limit
    )
}

/// Removes an organization's hourly counts from before `hour`.
pub async fn expire_hours(tx: &mut WriteTx, org: &str, hour: i64) -> Result<u64, Error> {
    execute!(tx, EXPIRE_HOURS, org, hour)
}

/// A `LIKE` pattern that finds `text` anywhere in a text that was lowered, with its own `%` and `_`
/// taken literally. Lowered here as both databases lower the column: ASCII only.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in storable(text).to_ascii_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
