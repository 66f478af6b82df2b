//! Webhooks: an organization's endpoint, the events for it, and every try to deliver them.

use headshot_domain::{DeliveryId, ModelId, OrgId, Timestamp, WebhookState};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;
use crate::parsed;

/// Where an organization's events go. The secrets are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The organization.
    pub org: OrgId,
    /// The address.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: Vec<u8>,
    /// The secret before it, and until when deliveries are signed with it too.
    pub previous: Option<(Vec<u8>, Timestamp)>,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Something that an organization's receiver is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_` and a UUID; the same on every try.
    pub id: String,
    /// Whose.
    pub org: OrgId,
    /// About which model; empty for a test.
    pub model: ModelId,
    /// The contract's name.
    pub name: String,
    /// The body, byte for byte as it is sent.
    pub body: String,
    /// Where it stands.
    pub state: WebhookState,
    /// When it happened.
    pub created_at: Timestamp,
    /// Since when it tells nothing of its person any more.
    pub erased_at: Option<Timestamp>,
    /// Which of the organization's events it is; [`insert_event`] gives it.
    pub seq: i64,
}

/// One try to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose.
    pub org: OrgId,
    /// Of which event.
    pub event: String,
    /// Which try, from 1.
    pub attempt: i64,
    /// Where it went.
    pub url: String,
    /// Request line and headers.
    pub request_head: String,
    /// The answer's status, if there was an answer.
    pub status: Option<i64>,
    /// The answer's status line and headers.
    pub response_head: String,
    /// The beginning of the answer's body.
    pub response_body: String,
    /// Why there was no answer.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
}

/// Where a page of events begins: before the event with this time and number.
pub type Before = (Timestamp, i64);

statements! {
    SAVE = "INSERT INTO webhook_endpoints (org_id, url, secret, previous_secret, previous_until, \
            created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (org_id) DO UPDATE SET url = excluded.url, secret = excluded.secret, \
            previous_secret = excluded.previous_secret, previous_until = excluded.previous_until, \
            updated_at = excluded.updated_at";
    ENDPOINT = "SELECT org_id, url, secret, previous_secret, previous_until, created_at, updated_at \
        FROM webhook_endpoints WHERE org_id = $1";
    REMOVE = "DELETE FROM webhook_endpoints WHERE org_id = $1";
    INSERT_EVENT = "INSERT INTO webhook_events (id, org_id, model_id, event, body, state, created_at, seq) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, \
            (SELECT COALESCE(MAX(seq), 0) + 1 FROM webhook_events WHERE org_id = $2)) RETURNING seq";
    EVENT = "SELECT id, org_id, model_id, event, body, state, created_at, erased_at, seq FROM webhook_events WHERE id = $1";
    SET_STATE = "UPDATE webhook_events SET state = $2 WHERE id = $1";
    FAIL_PENDING = "UPDATE webhook_events SET state = 'failed' WHERE org_id = $1 AND state = 'pending'";
    EVENTS = "SELECT id, org_id, model_id, event, body, state, created_at, erased_at, seq FROM webhook_events \
        WHERE org_id = $1 AND (created_at, seq) < ($2, $3) ORDER BY created_at DESC, seq DESC LIMIT $4";
    EVENTS_OF_STATE = "SELECT id, org_id, model_id, event, body, state, created_at, erased_at, seq FROM webhook_events \
        WHERE org_id = $1 AND state = $2 AND (created_at, seq) < ($3, $4) \
        ORDER BY created_at DESC, seq DESC LIMIT $5";
    FAILED = "SELECT id, org_id, model_id, event, body, state, created_at, erased_at, seq FROM webhook_events \
        WHERE org_id = $1 AND state = 'failed' ORDER BY created_at, seq LIMIT $2";
    COUNT_FAILED = "SELECT COUNT(*) FROM webhook_events WHERE org_id = $1 AND state = 'failed'";
    HOLD = "UPDATE webhook_events SET state = state WHERE id = $1 RETURNING erased_at";
    TELLING = "SELECT id, body FROM webhook_events \
        WHERE model_id = $1 AND erased_at IS NULL AND event <> 'model.deleted' ORDER BY id LIMIT $2";
    ERASE = "UPDATE webhook_events SET body = $2, erased_at = $3 WHERE id = $1";
    ERASE_ANSWERS = "UPDATE webhook_deliveries SET response_head = '', response_body = '' WHERE event_id = $1";
    EXPIRE = "DELETE FROM webhook_events WHERE id IN \
        (SELECT id FROM webhook_events WHERE created_at < $1 ORDER BY created_at LIMIT $2) \
        RETURNING id, org_id, model_id, event, body, state, created_at, erased_at, seq";
    INSERT_DELIVERY = "INSERT INTO webhook_deliveries (id, org_id, event_id, attempt, url, request_head, \
            status, response_head, response_body, error, started_at, duration_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    DELIVERIES = "SELECT id, org_id, event_id, attempt, url, request_head, status, response_head, \
            response_body, error, started_at, duration_ms \
        FROM webhook_deliveries WHERE event_id = $1 ORDER BY started_at DESC, attempt DESC, id DESC LIMIT $2";
    LAST_DELIVERY = "SELECT id, org_id, event_id, attempt, url, request_head, status, response_head, \
            response_body, error, started_at, duration_ms \
        FROM webhook_deliveries WHERE event_id = $1 ORDER BY started_at DESC, attempt DESC, id DESC LIMIT 1";
}

#[derive(sqlx::FromRow)]
struct EndpointRow {
    org_id: String,
    url: String,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
    previous_until: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl From<EndpointRow> for Endpoint {
    fn from(row: EndpointRow) -> Self {
        let until = row.previous_until.map(Timestamp::from_unix_ms);
        Self {
            org: row.org_id.into(),
            url: row.url,
            secret: row.secret,
            previous: row.previous_secret.zip(until),
            created_at: Timestamp::from_unix_ms(row.created_at),
            updated_at: Timestamp::from_unix_ms(row.updated_at),
        }
    }
}

#[derive(sqlx::FromRow)]
struct EventRow {
    id: String,
    org_id: String,
    model_id: String,
    event: String,
    body: String,
    state: String,
    created_at: i64,
    erased_at: Option<i64>,
    seq: i64,
}

impl TryFrom<EventRow> for Event {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            org: row.org_id.into(),
            model: row.model_id.into(),
            name: row.event,
            body: row.body,
            state: parsed(&row.state, "webhook_events", "state")?,
            created_at: Timestamp::from_unix_ms(row.created_at),
            erased_at: row.erased_at.map(Timestamp::from_unix_ms),
            seq: row.seq,
        })
    }
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    id: String,
    org_id: String,
    event_id: String,
    attempt: i64,
    url: String,
    request_head: String,
    status: Option<i64>,
    response_head: String,
    response_body: String,
    error: Option<String>,
    started_at: i64,
    duration_ms: i64,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id.into(),
            org: row.org_id.into(),
            event: row.event_id,
            attempt: row.attempt,
            url: row.url,
            request_head: row.request_head,
            status: row.status,
            response_head: row.response_head,
            response_body: row.response_body,
            error: row.error,
            started_at: Timestamp::from_unix_ms(row.started_at),
            duration_ms: row.duration_ms,
        }
    }
}

fn events(rows: Vec<EventRow>) -> Result<Vec<Event>, Error> {
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Stores an organization's endpoint in place of the one it has.
pub async fn save_endpoint(tx: &mut WriteTx, endpoint: &Endpoint) -> Result<(), Error> {
    let previous = endpoint.previous.as_ref();
    execute!(
        tx,
        SAVE,
        endpoint.org.as_str(),
        &endpoint.url,
        &endpoint.secret,
        previous.map(|(secret, _)| secret),
        previous.map(|(_, until)| until.unix_ms()),
        endpoint.created_at.unix_ms(),
        endpoint.updated_at.unix_ms(),
    )?;
    Ok(())
}

/// An organization's endpoint.
pub async fn endpoint(conn: &mut impl AsConn, org: &OrgId) -> Result<Option<Endpoint>, Error> {
    let row = fetch_optional!(conn, EndpointRow, ENDPOINT, org.as_str())?;
    Ok(row.map(Endpoint::from))
}

/// Removes an organization's endpoint. `false` when there is none.
pub async fn remove_endpoint(tx: &mut WriteTx, org: &OrgId) -> Result<bool, Error> {
    Ok(execute!(tx, REMOVE, org.as_str())? == 1)
}

/// Stores a new event after all others of its organization, which the transaction has locked; its
/// number.
pub async fn insert_event(tx: &mut WriteTx, event: &Event) -> Result<i64, Error> {
    let (seq,) = fetch_one!(
        tx,
        (i64,),
        INSERT_EVENT,
        &event.id,
        event.org.as_str(),
        event.model.as_str(),
        &event.name,
        &event.body,
        event.state.name(),
        event.created_at.unix_ms(),
    )?;
    Ok(seq)
}

/// The event with this id.
pub async fn event(conn: &mut impl AsConn, id: &str) -> Result<Option<Event>, Error> {
    fetch_optional!(conn, EventRow, EVENT, id)?
        .map(TryInto::try_into)
        .transpose()
}

/// Says where an event stands.
pub async fn set_state(tx: &mut WriteTx, id: &str, state: WebhookState) -> Result<(), Error> {
    execute!(tx, SET_STATE, id, state.name())?;
    Ok(())
}

/// Marks the events of an organization that wait as failed.
pub async fn fail_pending(tx: &mut WriteTx, org: &OrgId) -> Result<(), Error> {
    execute!(tx, FAIL_PENDING, org.as_str())?;
    Ok(())
}

/// What [`hold`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Since when the event tells nothing of its person any more.
    pub erased_at: Option<Timestamp>,
}

/// Keeps an event as it is until the transaction ends, and others from erasing it until then. `None`
/// when it is gone.
pub async fn hold(tx: &mut WriteTx, id: &str) -> Result<Option<Held>, Error> {
    let row = fetch_optional!(tx, (Option<i64>,), HOLD, id)?;
    Ok(row.map(|(erased_at,)| Held {
        erased_at: erased_at.map(Timestamp::from_unix_ms),
    }))
}

/// Ids and bodies of up to `limit` events that still tell of a model's person. The event of the
/// deletion itself never did.
pub async fn telling(
    tx: &mut WriteTx,
    model: &ModelId,
    limit: i64,
) -> Result<Vec<(String, String)>, Error> {
    fetch_all!(tx, (String, String), TELLING, model.as_str(), limit)
}

/// Replaces an event's body by one that tells nothing of its person, and forgets what receivers
/// answered: they may have repeated it.
pub async fn erase(tx: &mut WriteTx, id: &str, body: &str, now: Timestamp) -> Result<(), Error> {
    // The event first: whoever stores an answer holds it.
    execute!(tx, ERASE, id, body, now.unix_ms())?;
    execute!(tx, ERASE_ANSWERS, id)?;
    Ok(())
}

/// An organization's newest `limit` events before a place, of one state or of all.
pub async fn page(
    conn: &mut impl AsConn,
    org: &OrgId,
    (state, before): (Option<WebhookState>, Before),
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let (org, at, seq) = (org.as_str(), before.0.unix_ms(), before.1);
    let rows = if let Some(state) = state {
        fetch_all!(
            conn,
            EventRow,
            EVENTS_OF_STATE,
            org,
            state.name(),
            at,
            seq,
            limit
        )
    } else {
        fetch_all!(conn, EventRow, EVENTS, org, at, seq, limit)
    };
    events(rows?)
}

/// An organization's oldest `limit` failed events, oldest first.
pub async fn failed(conn: &mut impl AsConn, org: &OrgId, limit: i64) -> Result<Vec<Event>, Error> {
    events(fetch_all!(conn, EventRow, FAILED, org.as_str(), limit)?)
}

/// How many of an organization's events have failed.
pub async fn count_failed(conn: &mut impl AsConn, org: &OrgId) -> Result<i64, Error> {
    let (count,) = fetch_one!(conn, (i64,), COUNT_FAILED, org.as_str())?;
    Ok(count)
}

/// Removes up to `limit` events from before a time, with their deliveries; which ones.
pub async fn expire(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<Vec<Event>, Error> {
    events(fetch_all!(tx, EventRow, EXPIRE, before.unix_ms(), limit)?)
}

/// Stores one try to deliver an event.
pub async fn insert_delivery(tx: &mut WriteTx, delivery: &Delivery) -> Result<(), Error> {
    execute!(
        tx,
        INSERT_DELIVERY,
        delivery.id.as_str(),
        delivery.org.as_str(),
        &delivery.event,
        delivery.attempt,
        &delivery.url,
        &delivery.request_head,
        delivery.status,
        &delivery.response_head,
        &delivery.response_body,
        delivery.error.as_deref(),
        delivery.started_at.unix_ms(),
        delivery.duration_ms,
    )?;
    Ok(())
}

/// The last `limit` tries to deliver an event, newest first.
pub async fn deliveries(
    conn: &mut impl AsConn,
    event: &str,
    limit: i64,
) -> Result<Vec<Delivery>, Error> {
    let rows = fetch_all!(conn, DeliveryRow, DELIVERIES, event, limit)?;
    Ok(rows.into_iter().map(Delivery::from).collect())
}

/// The last try to deliver an event.
pub async fn last_delivery(conn: &mut impl AsConn, event: &str) -> Result<Option<Delivery>, Error> {
    let row = fetch_optional!(conn, DeliveryRow, LAST_DELIVERY, event)?;
    Ok(row.map(Delivery::from))
}
