//! Webhooks: what an organization's receiver is told, signed, tried again, and written down
//! (contract: webhooks.md).

use std::borrow::Cow;
use std::time::Duration;

use headshot_domain::{
    DeliveryId, Entropy, ModelId, OrgId, Timestamp, WebhookEvent, WebhookState, entropy,
};
use headshot_outbound::{Exchange, PREVIOUS_SIGNATURE, Refusal, SIGNATURE, TIMESTAMP, sign};
use headshot_storage::jobs::{self as job_rows, Job};
use headshot_storage::models::Model;
use headshot_storage::webhooks;
use headshot_storage::{Error, WriteTx, organizations};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use crate::App;
use crate::audit::{self, Actor};
use crate::jobs::{self, Kind, NewJob, Outcome, Place, Running};
use crate::models::News;

pub use headshot_storage::webhooks::{Delivery, Endpoint, Event};

/// How long after each try in vain the next one comes: at once, 5 minutes, 15 minutes, an hour.
const SCHEDULE: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// The longest overlap of a rotation.
pub const OVERLAP_MAX: Duration = Duration::from_hours(7 * 24);

/// How many failed events one replay takes.
pub const REPLAY_MAX: i64 = 1_000;

/// Tries that are shown of one event.
const DELIVERIES_SHOWN: i64 = 50;

/// Events that one step of the retention removes.
const EXPIRE_STEP: i64 = 1_000;

/// Events that one step of an erasure changes.
const ERASE_STEP: i64 = 500;

/// How much of an answer's body is kept in the delivery log, in bytes.
const BODY_KEPT: usize = 4 * 1024;

/// What a delivery holds, in the order of the contract.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: Cow<'a, str>,
    event: Cow<'a, str>,
    created_at: String,
    object_type: Cow<'a, str>,
    object: Object<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    uid: Cow<'a, str>,
    title: Option<Cow<'a, str>>,
    trigger: Option<Cow<'a, str>>,
    status: Cow<'a, str>,
    is_development: bool,
    finished_at: Option<String>,
    deleted_at: Option<String>,
    invite_expires_at: Option<String>,
    created_at: String,
    organization: Cow<'a, str>,
}

impl<'a> Object<'a> {
    fn of(model: &'a Model) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: model.id.as_str().into(),
            uid: model.uid.as_str().into(),
            // Nobody's yet, as in the API.
            title: Some(&*model.title)
                .filter(|title| !title.is_empty())
                .map(Into::into),
            trigger: model.gender.map(|gender| gender.name().into()),
            status: model.status.name().into(),
            is_development: model.development,
            finished_at: text(model.finished_at),
            deleted_at: text(model.deleted_at),
            invite_expires_at: text(model.invite_expires_at),
            created_at: model.created_at.to_string(),
            organization: model.org.as_str().into(),
        }
    }

    /// Without what tells of the person: the rest is ids, times and where the session stood.
    fn erased(self) -> Self {
        Self {
            title: None,
            trigger: None,
            ..self
        }
    }

    /// The contract's sample, marked as development: for tests of a receiver.
    fn sample(org: &'a OrgId, now: Timestamp) -> Self {
        Self {
            id: "507f1f77bcf86cd799439011".into(),
            uid: "anon_abc123".into(),
            title: Some("John Doe".into()),
            trigger: Some("male".into()),
            status: "active".into(),
            is_development: true,
            finished_at: Some(now.to_string()),
            deleted_at: None,
            invite_expires_at: None,
            created_at: now.to_string(),
            organization: org.as_str().into(),
        }
    }
}

impl From<News> for WebhookEvent {
    fn from(news: News) -> Self {
        match news {
            News::Created => Self::Created,
            News::StatusUpdated => Self::StatusUpdated,
            News::PhotosReady => Self::PhotosReady,
            News::FavoriteSelected => Self::FavoriteSelected,
            News::Deleted => Self::Deleted,
        }
    }
}

/// Tells the organization's receiver about a model: writes the event and its job in the transaction
/// that makes the news. Does nothing where there is no receiver.
pub async fn emit(
    app: &App,
    tx: &mut WriteTx,
    event: WebhookEvent,
    model: &Model,
) -> Result<(), Error> {
    if webhooks::endpoint(tx, &model.org).await?.is_none() {
        return Ok(());
    }
    let subject = (&model.org, model.id.as_str());
    store(app, tx, (event, subject), Object::of(model)).await?;
    Ok(())
}

/// Stores an event and the job that delivers it; the event's id. The organization is locked.
async fn store(
    app: &App,
    tx: &mut WriteTx,
    (name, (org, model)): (WebhookEvent, (&OrgId, &str)),
    object: Object<'_>,
) -> Result<String, Error> {
    let now = app.clock.now();
    let id = event_id(&*app.entropy);
    let body = Body {
        id: id.as_str().into(),
        event: name.name().into(),
        created_at: now.to_string(),
        object_type: "model".into(),
        object,
    };
    let body = serde_json::to_string(&body).unwrap_or_default();
    let mut event = Event {
        id,
        org: org.clone(),
        model: model.into(),
        name: name.name().to_owned(),
        body: headshot_domain::storable(&body).into_owned(),
        state: WebhookState::Pending,
        created_at: now,
        erased_at: None,
        seq: 0,
    };
    event.seq = webhooks::insert_event(tx, &event).await?;
    enqueue(app, tx, &event, now).await?;
    Ok(event.id)
}

/// The first try of an event begins after those of the model's events before it.
async fn enqueue(
    app: &App,
    tx: &mut WriteTx,
    event: &Event,
    run_at: Timestamp,
) -> Result<(), Error> {
    let job = NewJob {
        kind: Kind::WebhookDeliver,
        lane: event.org.as_str(),
        payload: payload(event),
        run_at,
    };
    jobs::enqueue_at(app, tx, job, place(event)).await?;
    Ok(())
}

fn payload(event: &Event) -> serde_json::Value {
    json!({ "event": event.id })
}

/// Where the event's job stands: among those of its model; a test is about none.
fn place(event: &Event) -> Place<'_> {
    let series = match event.model.as_str() {
        "" => event.id.as_str(),
        model => model,
    };
    Place {
        series,
        seq: event.seq,
    }
}

/// Forgets that an event failed for the last time.
async fn forget_dead(tx: &mut WriteTx, event: &Event) -> Result<(), Error> {
    job_rows::forget_dead_at(tx, place(event), &payload(event).to_string()).await
}

/// `evt_` and a random UUID (version 4).
fn event_id(entropy: &dyn Entropy) -> String {
    let mut bytes = entropy::bytes::<16>(entropy);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    let (a, b, c) = (&hex[..8], &hex[8..12], &hex[12..16]);
    format!("evt_{a}-{b}-{c}-{}-{}", &hex[16..20], &hex[20..])
}

/// A new secret: 64 hexadecimal characters.
fn new_secret(entropy: &dyn Entropy) -> Zeroizing<String> {
    Zeroizing::new(data_encoding::HEXLOWER.encode(&entropy::bytes::<32>(entropy)))
}

/// What a sealed secret belongs to.
fn context(org: &OrgId) -> String {
    format!("webhook {org}")
}

/// One try to deliver an event.
pub(crate) async fn deliver(app: &App, job: &Running) -> Outcome {
    match try_once(app, job).await {
        Ok(outcome) => outcome,
        Err(error) => retry(job.attempt, crate::causes(&error)),
    }
}

fn retry(attempt: i64, why: String) -> Outcome {
    let place = usize::try_from(attempt - 1).unwrap_or(0);
    let after = SCHEDULE.get(place).or(SCHEDULE.last()).copied();
    Outcome::Retry {
        after: after.unwrap_or_default(),
        why,
    }
}

async fn try_once(app: &App, job: &Running) -> Result<Outcome, Error> {
    let id = event_of(&job.payload);
    let (event, endpoint) = {
        let mut conn = app.db.read().await?;
        let Some(event) = webhooks::event(&mut conn, id).await? else {
            // Erased meanwhile.
            return Ok(Outcome::Done);
        };
        if event.state != WebhookState::Pending {
            // The address that it was meant for was removed while it was tried, or somebody else's
            // try was acknowledged.
            return Ok(Outcome::Done);
        }
        let endpoint = webhooks::endpoint(&mut conn, &event.org).await?;
        (event, endpoint)
    };
    let Some(endpoint) = endpoint else {
        let mut tx = app.db.write().await?;
        webhooks::set_state(&mut tx, &event.id, WebhookState::Failed).await?;
        tx.commit().await?;
        return Ok(Outcome::Done);
    };
    let started_at = app.clock.now();
    let headers = match signatures(app, &endpoint, &event, started_at) {
        Ok(headers) => headers,
        Err(unreadable) => return Ok(retry(job.attempt, unreadable.to_string())),
    };
    let body = event.body.clone().into_bytes().into();
    let exchange = app.outbound.post(&endpoint.url, &headers, body).await;
    let why = in_vain(&exchange);
    let mut delivery = Delivery {
        id: DeliveryId::generate(&*app.entropy),
        org: event.org.clone(),
        event: event.id.clone(),
        attempt: job.attempt,
        url: endpoint.url,
        ..log_row(&exchange, started_at)
    };
    let mut tx = app.db.write().await?;
    let Some(held) = webhooks::hold(&mut tx, &event.id).await? else {
        // Past its retention.
        return Ok(Outcome::Done);
    };
    if held.erased_at.is_some() {
        // The receiver may repeat what it knows of the person.
        delivery.response_head.clear();
        delivery.response_body.clear();
    }
    webhooks::insert_delivery(&mut tx, &delivery).await?;
    if why.is_none() {
        webhooks::set_state(&mut tx, &event.id, WebhookState::Delivered).await?;
    }
    tx.commit().await?;
    Ok(match why {
        None => Outcome::Done,
        Some(why) => retry(job.attempt, why),
    })
}

/// Takes a person out of everything that is stored of the events about a model, in the transaction
/// that deletes it. Events that still wait are delivered like this: each is owed to the receiver, the
/// person's name is not.
pub(crate) async fn erase(tx: &mut WriteTx, model: &ModelId, now: Timestamp) -> Result<(), Error> {
    loop {
        let telling = webhooks::telling(tx, model, ERASE_STEP).await?;
        if telling.is_empty() {
            return Ok(());
        }
        for (id, body) in telling {
            webhooks::erase(tx, &id, &erased(&body), now).await?;
        }
    }
}

/// A stored body without the person.
fn erased(body: &str) -> String {
    let Ok(told) = serde_json::from_str::<Body<'_>>(body) else {
        return "{}".to_owned();
    };
    let erased = Body {
        object: told.object.erased(),
        ..told
    };
    serde_json::to_string(&erased).unwrap_or_default()
}

fn event_of(payload: &serde_json::Value) -> &str {
    payload["event"].as_str().unwrap_or_default()
}

/// The headers that prove a delivery: signed anew on every try.
fn signatures(
    app: &App,
    endpoint: &Endpoint,
    event: &Event,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, crate::vault::Unreadable> {
    let vault = &app.settings.vault;
    let context = context(&endpoint.org);
    let timestamp = now.unix_ms().div_euclid(1_000);
    let body = event.body.as_bytes();
    let secret = vault.open(&context, &endpoint.secret)?;
    let mut headers = vec![
        (SIGNATURE, sign(&secret, timestamp, body)),
        (TIMESTAMP, timestamp.to_string()),
    ];
    let previous = endpoint.previous.as_ref().filter(|(_, until)| *until > now);
    if let Some((sealed, _)) = previous {
        let secret = vault.open(&context, sealed)?;
        headers.push((PREVIOUS_SIGNATURE, sign(&secret, timestamp, body)));
    }
    Ok(headers)
}

/// Why a try did not succeed; `None` when the receiver acknowledged: any 2xx does.
fn in_vain(exchange: &Exchange) -> Option<String> {
    match &exchange.answer {
        Ok(answer) if (200..300).contains(&answer.status) => None,
        Ok(answer) => Some(format!("the receiver answered {}", answer.status)),
        Err(failure) => Some(failure.to_string()),
    }
}

/// What the delivery log keeps of an exchange.
fn log_row(exchange: &Exchange, started_at: Timestamp) -> Delivery {
    let answer = exchange.answer.as_ref();
    let text = |text: &str| headshot_domain::storable(text).into_owned();
    let body = |answer: &headshot_outbound::Answer| {
        let kept = &answer.body[..answer.body.len().min(BODY_KEPT)];
        text(&String::from_utf8_lossy(kept))
    };
    Delivery {
        id: "".into(),
        org: "".into(),
        event: String::new(),
        attempt: 0,
        url: String::new(),
        request_head: text(&exchange.request_head),
        status: answer.ok().map(|answer| i64::from(answer.status)),
        response_head: answer.map(|answer| text(&answer.head)).unwrap_or_default(),
        response_body: answer.map(body).unwrap_or_default(),
        error: answer.err().map(|failure| text(&failure.to_string())),
        started_at,
        duration_ms: i64::try_from(exchange.duration.as_millis()).unwrap_or(i64::MAX),
    }
}

/// The event of a dead job has failed.
pub(crate) async fn gave_up(tx: &mut WriteTx, job: &Job) -> Result<(), Error> {
    set_state_of(tx, job, WebhookState::Failed).await
}

/// The event of a revived job waits again. `false` when it has not failed: it is delivered, gone, or
/// has another job.
pub(crate) async fn tries_again(tx: &mut WriteTx, job: &Job) -> Result<bool, Error> {
    let payload: serde_json::Value = serde_json::from_str(&job.payload).unwrap_or_default();
    let event = webhooks::event(tx, event_of(&payload)).await?;
    let Some(event) = event.filter(|event| event.state == WebhookState::Failed) else {
        return Ok(false);
    };
    webhooks::set_state(tx, &event.id, WebhookState::Pending).await?;
    Ok(true)
}

async fn set_state_of(tx: &mut WriteTx, job: &Job, state: WebhookState) -> Result<(), Error> {
    let payload: serde_json::Value = serde_json::from_str(&job.payload).unwrap_or_default();
    webhooks::set_state(tx, event_of(&payload), state).await
}

/// Removes events, with their deliveries and dead jobs, from before a time.
pub(crate) async fn expire(app: &App, before: Timestamp) -> Result<(), Error> {
    loop {
        let mut tx = app.db.write().await?;
        let removed = webhooks::expire(&mut tx, before, EXPIRE_STEP).await?;
        for event in &removed {
            if event.state == WebhookState::Failed {
                forget_dead(&mut tx, event).await?;
            }
        }
        tx.commit().await?;
        if removed.is_empty() {
            return Ok(());
        }
    }
}

/// Why the settings can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The address may not be called.
    #[error(transparent)]
    Url(#[from] Refusal),
    /// The overlap is longer than [`OVERLAP_MAX`].
    #[error("the overlap may be at most 7 days")]
    Overlap,
    /// No address is saved.
    #[error("no webhook URL is saved")]
    NoEndpoint,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// An organization's endpoint; its secrets stay sealed.
pub async fn endpoint(app: &App, org: &OrgId) -> Result<Option<Endpoint>, Error> {
    let mut conn = app.db.read().await?;
    webhooks::endpoint(&mut conn, org).await
}

/// How many of an organization's events have failed.
pub async fn count_failed(app: &App, org: &OrgId) -> Result<i64, Error> {
    let mut conn = app.db.read().await?;
    webhooks::count_failed(&mut conn, org).await
}

/// A transaction that changes the settings or the events of an organization: one at a time.
async fn change(app: &App, org: &OrgId) -> Result<WriteTx, Error> {
    let mut tx = app.db.write().await?;
    organizations::lock(&mut tx, org).await?;
    Ok(tx)
}

/// Saves the address. The first time, this makes the secret, which exists in the clear only in what
/// this returns; later the secret stays.
pub async fn save_url(
    app: &App,
    actor: &Actor,
    org: &OrgId,
    url: &str,
) -> Result<Option<Zeroizing<String>>, ChangeError> {
    let url = url.trim();
    app.outbound.guard().check(url)?;
    let now = app.clock.now();
    let mut tx = change(app, org).await?;
    let saved = webhooks::endpoint(&mut tx, org).await?;
    let secret = saved.is_none().then(|| new_secret(&*app.entropy));
    let sealed = secret.as_ref().map(|text| seal(app, org, text));
    let new = || Endpoint {
        org: org.clone(),
        url: String::new(),
        secret: sealed.unwrap_or_default(),
        previous: None,
        created_at: now,
        updated_at: now,
    };
    let endpoint = Endpoint {
        url: url.to_owned(),
        updated_at: now,
        ..saved.unwrap_or_else(new)
    };
    webhooks::save_endpoint(&mut tx, &endpoint).await?;
    let detail = json!({ "name": url, "newSecret": secret.is_some() });
    record(&mut tx, (actor, org, now), ("webhook.saved", detail)).await?;
    tx.commit().await?;
    Ok(secret)
}

fn seal(app: &App, org: &OrgId, secret: &str) -> Vec<u8> {
    let vault = &app.settings.vault;
    vault.seal(&*app.entropy, &context(org), secret)
}

/// Makes a new secret. The old one is void at once, or signs along for `overlap`.
pub async fn rotate(
    app: &App,
    actor: &Actor,
    org: &OrgId,
    overlap: Duration,
) -> Result<Zeroizing<String>, ChangeError> {
    if overlap > OVERLAP_MAX {
        return Err(ChangeError::Overlap);
    }
    let now = app.clock.now();
    let secret = new_secret(&*app.entropy);
    let mut tx = change(app, org).await?;
    let endpoint = webhooks::endpoint(&mut tx, org).await?;
    let endpoint = endpoint.ok_or(ChangeError::NoEndpoint)?;
    let old = (endpoint.secret, now.plus(overlap));
    let rotated = Endpoint {
        secret: seal(app, org, &secret),
        previous: Some(old).filter(|_| !overlap.is_zero()),
        updated_at: now,
        ..endpoint
    };
    webhooks::save_endpoint(&mut tx, &rotated).await?;
    let detail = json!({ "name": rotated.url, "overlapSeconds": overlap.as_secs() });
    record(&mut tx, (actor, org, now), ("webhook.rotated", detail)).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Removes the address and its secrets. Events that still wait fail.
pub async fn remove(app: &App, actor: &Actor, org: &OrgId) -> Result<(), ChangeError> {
    let now = app.clock.now();
    let mut tx = change(app, org).await?;
    if !webhooks::remove_endpoint(&mut tx, org).await? {
        return Err(ChangeError::NoEndpoint);
    }
    // Not when they are due: another address, saved until then, would get what was meant for this one.
    webhooks::fail_pending(&mut tx, org).await?;
    job_rows::forget_queued(&mut tx, Kind::WebhookDeliver, org.as_str()).await?;
    record(&mut tx, (actor, org, now), ("webhook.removed", json!({}))).await?;
    tx.commit().await?;
    Ok(())
}

/// Sends a signed test event, which tells nothing about any model; its id.
pub async fn send_test(app: &App, actor: &Actor, org: &OrgId) -> Result<String, ChangeError> {
    let now = app.clock.now();
    let mut tx = change(app, org).await?;
    let endpoint = webhooks::endpoint(&mut tx, org).await?;
    let endpoint = endpoint.ok_or(ChangeError::NoEndpoint)?;
    let object = Object::sample(org, now);
    let id = store(app, &mut tx, (WebhookEvent::Test, (org, "")), object).await?;
    let detail = json!({ "name": endpoint.url, "event": id });
    record(&mut tx, (actor, org, now), ("webhook.tested", detail)).await?;
    tx.commit().await?;
    Ok(id)
}

async fn record(
    tx: &mut WriteTx,
    (actor, org, now): (&Actor, &OrgId, Timestamp),
    (action, detail): (&'static str, serde_json::Value),
) -> Result<(), Error> {
    let event = audit::Event {
        org: Some(org),
        action,
        target: format!("webhook:{org}"),
        detail,
    };
    audit::record(tx, actor, now, event).await
}

/// Events of one page.
pub const PAGE: usize = 50;

/// An event, and the last try to deliver it.
pub type Listed = (Event, Option<Delivery>);

/// One page of an organization's events, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// At most [`PAGE`].
    pub events: Vec<Listed>,
    /// Where the next page begins, if there is one: time and number of this page's last event.
    pub older: Option<(Timestamp, i64)>,
    /// How many of all events have failed.
    pub failed: i64,
}

/// The newest events of an organization before a place, of one state or of all.
pub async fn page(
    app: &App,
    org: &OrgId,
    state: Option<WebhookState>,
    before: Option<(Timestamp, i64)>,
) -> Result<Page, Error> {
    let mut conn = app.db.read().await?;
    let before = before.unwrap_or((Timestamp::from_unix_ms(i64::MAX), i64::MAX));
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut found = webhooks::page(&mut conn, org, (state, before), limit).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more);
    let older = last.map(|event| (event.created_at, event.seq));
    let mut events = Vec::with_capacity(found.len());
    for event in found {
        let last = webhooks::last_delivery(&mut conn, &event.id).await?;
        events.push((event, last));
    }
    let failed = webhooks::count_failed(&mut conn, org).await?;
    Ok(Page {
        events,
        older,
        failed,
    })
}

/// One event of an organization with its last tries, newest first.
pub async fn find(
    app: &App,
    org: &OrgId,
    id: &str,
) -> Result<Option<(Event, Vec<Delivery>)>, Error> {
    let mut conn = app.db.read().await?;
    let id = headshot_domain::storable(id);
    let event = webhooks::event(&mut conn, &id).await?;
    let Some(event) = event.filter(|event| event.org == *org) else {
        return Ok(None);
    };
    let deliveries = webhooks::deliveries(&mut conn, &event.id, DELIVERIES_SHOWN).await?;
    Ok(Some((event, deliveries)))
}

/// Why an event can't be sent again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No event has this id in this organization.
    #[error("there is no such event")]
    NotFound,
    /// It waits for a try already.
    #[error("this event still waits for its next try")]
    Pending,
    /// No address is saved.
    #[error("no webhook URL is saved")]
    NoEndpoint,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Sends an event again, delivered or failed, with the same id and body.
pub async fn replay(app: &App, actor: &Actor, org: &OrgId, id: &str) -> Result<(), ReplayError> {
    let now = app.clock.now();
    let mut tx = change(app, org).await?;
    let id = headshot_domain::storable(id);
    let event = webhooks::event(&mut tx, &id).await?;
    let event = event.filter(|event| event.org == *org);
    let event = event.ok_or(ReplayError::NotFound)?;
    if event.state == WebhookState::Pending {
        return Err(ReplayError::Pending);
    }
    if webhooks::endpoint(&mut tx, org).await?.is_none() {
        return Err(ReplayError::NoEndpoint);
    }
    again(app, &mut tx, &event, now).await?;
    let detail = json!({ "name": event.name, "event": event.id });
    record(&mut tx, (actor, org, now), ("webhook.replayed", detail)).await?;
    tx.commit().await?;
    Ok(())
}

/// Sends the failed events again, oldest first, at most [`REPLAY_MAX`]; how many.
pub async fn replay_failed(app: &App, actor: &Actor, org: &OrgId) -> Result<usize, ReplayError> {
    let now = app.clock.now();
    let mut tx = change(app, org).await?;
    if webhooks::endpoint(&mut tx, org).await?.is_none() {
        return Err(ReplayError::NoEndpoint);
    }
    let failed = webhooks::failed(&mut tx, org, REPLAY_MAX).await?;
    for event in &failed {
        again(app, &mut tx, event, now).await?;
    }
    let detail = json!({ "name": format!("{} failed events", failed.len()) });
    record(&mut tx, (actor, org, now), ("webhook.replayed", detail)).await?;
    tx.commit().await?;
    Ok(failed.len())
}

async fn again(app: &App, tx: &mut WriteTx, event: &Event, now: Timestamp) -> Result<(), Error> {
    // The job of its last try in vain is replaced.
    forget_dead(tx, event).await?;
    webhooks::set_state(tx, &event.id, WebhookState::Pending).await?;
    enqueue(app, tx, event, now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use headshot_domain::SeededEntropy;

    #[test]
    fn five_tries_on_the_published_schedule() {
        assert_eq!(
            i64::try_from(SCHEDULE.len()).unwrap() + 1,
            Kind::WebhookDeliver.attempts_max()
        );
        let after = |attempt| match retry(attempt, String::new()) {
            Outcome::Retry { after, .. } => after.as_secs(),
            _ => panic!("no retry"),
        };
        assert_eq!([1, 2, 3, 4].map(after), [0, 300, 900, 3_600]);
    }

    #[test]
    fn event_ids_are_uuids_of_version_4() {
        let id = event_id(&SeededEntropy::new(1));
        assert_eq!(id.len(), 4 + 36);
        assert_eq!(&id[..4], "evt_");
        let uuid = &id[4..];
        assert_eq!(&uuid[14..15], "4");
        assert!(["8", "9", "a", "b"].contains(&&uuid[19..20]));
        let dashes = uuid.match_indices('-').map(|(at, _)| at);
        assert_eq!(dashes.collect::<Vec<_>>(), [8, 13, 18, 23]);
    }
}
