//! The API log: written off the hot path in batches, read with filters.
//!
//! [`Recorder::record`] never waits. The queue is bounded: what does not fit is counted and told by
//! a gap row, as is what a killed process took with it (see the settlement of verification).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headshot_domain::{Clock, Entropy, KeyId, OrgId, RequestId, Timestamp, entropy};
use headshot_storage::api_keys::{self, KeyUse, LastUse};
use headshot_storage::api_requests::{self, HourCount, KeyHour};
use headshot_storage::{Db, Error, auth};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::App;

pub use headshot_storage::api_requests::{
    DEAD_KEY_ATTEMPTS_MAX, Filter, Gap, KeyState, Logged, Request,
};

/// Requests that wait to be written at most. Beyond it they are counted, not kept.
pub const QUEUE_MAX: usize = 65_536;

/// Requests of one transaction at most: the database's writer is not held up for long.
const BATCH_MAX: usize = 1_024;

/// How long the first request of a batch waits for others.
const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// How long a failed batch waits before it is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// How long a graceful stop waits for a database that does not answer.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

const HOUR_MS: i64 = 3_600_000;

/// Takes requests from the hot path and writes them.
#[derive(Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Request>,
    waiting: Mutex<mpsc::Receiver<Request>>,
    /// Tells the writer that a whole batch waits.
    full: Notify,
    lost: AtomicU64,
    turned_away: AtomicU64,
    written: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        Self {
            queue,
            waiting: Mutex::new(waiting),
            full: Notify::new(),
            lost: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            written: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    /// Takes one request. Never waits; a full queue counts it as lost. Requests without a known key
    /// leave a quarter of the queue to the others: noise must not hide what a key does.
    pub fn record(&self, request: Request) {
        let crowded = request.org.is_empty() && self.queue.capacity() < QUEUE_MAX / 4;
        if crowded || self.queue.try_send(request).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else if self.queued() >= BATCH_MAX {
            self.full.notify_one();
        }
    }

    /// Counts one request of an address that had used up its requests of the minute. Such requests
    /// are counted by the hour, not kept one by one.
    pub fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether no count waits to be written.
    fn nothing_waits(&self) -> bool {
        self.lost() == 0 && self.turned_away.load(Ordering::Relaxed) == 0
    }

    /// Requests that wait to be written.
    pub fn queued(&self) -> usize {
        QUEUE_MAX - self.queue.capacity()
    }

    /// Requests that have been written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Requests that were lost and not yet told by a gap row.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Takes a request that was answered; whatever it brought, a kill before it is written leaves a gap.
pub fn record(app: &App, request: Request) {
    let at = request.at;
    app.recorder.record(request);
    // Only now: the writer looks for it, or finds this mark.
    app.node.logs(at);
}

/// Writes what was recorded until `stop`, and then the rest.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let batch = next_batch(&app.recorder, &stop).await;
        let given_up = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            () = write_until_stored(&app, &batch) => {}
            () = given_up => {
                report_missing(batch.len() + app.recorder.queued());
                return;
            }
        }
    }
    drain(&app).await;
}

fn report_missing(missing: usize) {
    tracing::error!(
        missing,
        "{missing} rows of the API log could not be written"
    );
}

/// Writes everything that waits, now. For a graceful stop and for tests.
pub async fn drain(app: &App) {
    let deadline = tokio::time::Instant::now() + STOP_PATIENCE;
    loop {
        let mut batch = Vec::new();
        take_waiting(&mut *app.recorder.waiting.lock().await, &mut batch);
        if batch.is_empty() && app.recorder.nothing_waits() {
            return;
        }
        let written = write_until_stored(app, &batch);
        if tokio::time::timeout_at(deadline, written).await.is_err() {
            report_missing(batch.len() + app.recorder.queued());
            return;
        }
    }
}

async fn next_batch(recorder: &Recorder, stop: &CancellationToken) -> Vec<Request> {
    let mut waiting = recorder.waiting.lock().await;
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let Some(Some(first)) = stop.run_until_cancelled(waiting.recv()).await else {
        return batch;
    };
    batch.push(first);
    // One wait for the whole batch: waking up for each request costs more than taking it.
    let full = tokio::time::timeout(FLUSH_EVERY, recorder.full.notified());
    let _full_or_late = stop.run_until_cancelled(full).await;
    take_waiting(&mut waiting, &mut batch);
    batch
}

/// Fills `batch` up with what waits already.
fn take_waiting(waiting: &mut mpsc::Receiver<Request>, batch: &mut Vec<Request>) {
    while batch.len() < BATCH_MAX
        && let Ok(request) = waiting.try_recv()
    {
        batch.push(request);
    }
}

/// Writes `batch` and waits for as long as the database is in trouble. A row that the database
/// refuses for its own sake is counted as lost: it must not hold up all others for ever.
async fn write_until_stored(app: &App, batch: &[Request]) {
    let mut parts = vec![batch];
    let mut told = false;
    while let Some(part) = parts.pop() {
        if part.is_empty() && app.recorder.nothing_waits() {
            continue;
        }
        let Err(error) = write(app, part).await else {
            app.recorder
                .written
                .fetch_add(part.len() as u64, Ordering::Relaxed);
            continue;
        };
        if error.is_transient() || part.is_empty() {
            if !told {
                app.report(&error, "the API log can't be written; it is tried again");
                told = true;
            }
            tokio::time::sleep(RETRY).await;
            parts.push(part);
        } else if part.len() > 1 {
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second, first]);
        } else {
            app.report(&error, "the database refuses a row of the API log");
            app.recorder.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Two transactions, so that nobody waits for the database's writer longer than for the half of it, and
/// lazy ones: after a loss of power the log ends a moment earlier, and says until when it is complete.
async fn write(app: &App, batch: &[Request]) -> Result<(), Error> {
    let until = complete_until(app, batch);
    store(app, batch, until).await?;
    let oldest = batch.iter().map(|request| request.at).min();
    app.node.has_logged();
    let is_complete = app.recorder.queued() == 0;
    if let (false, Some(oldest)) = (is_complete, oldest) {
        app.node.logs_since(oldest);
    }
    let mut tx = app.db.write_lazily().await?;
    api_keys::used(&mut tx, &last_uses(batch)).await?;
    auth::flushed(&mut tx, app.node.id(), until).await?;
    let was_expelled = is_complete && app.node.was_expelled();
    if was_expelled {
        // This process was late, not dead: it has written all that it answered.
        api_requests::close_gaps(&mut tx, app.node.id()).await?;
    }
    let done = tx.commit().await;
    if was_expelled && done.is_err() {
        app.node.still_has_gap();
    }
    done
}

/// Stores requests with their counts, and what was lost or turned away, each once however often it
/// is tried.
async fn store(app: &App, batch: &[Request], until: Timestamp) -> Result<(), Error> {
    let node = app.node.id();
    let turned_away = app.recorder.turned_away.load(Ordering::Relaxed);
    let lost = app.recorder.lost.load(Ordering::Relaxed);
    let mut tx = app.db.write_lazily().await?;
    let stored = api_requests::insert(&mut tx, node, batch).await?;
    // A commit whose answer got lost may have stored the batch already, all of it: ids are unique.
    let counted = stored > 0 || batch.is_empty();
    if counted {
        let mut counts = hour_counts(batch);
        if turned_away > 0 {
            let hour = until.unix_ms().div_euclid(HOUR_MS);
            let requests = i64::try_from(turned_away).unwrap_or(i64::MAX);
            counts.insert(("", "", hour, "turned away"), requests);
        }
        let counts = counts.into_iter();
        let counts = counts.map(|((org, key, hour, outcome), requests)| KeyHour {
            org,
            key,
            hour,
            outcome,
            requests,
        });
        api_requests::count(&mut tx, &counts.collect::<Vec<_>>()).await?;
    }
    if lost > 0 {
        let lost = i64::try_from(lost).unwrap_or(i64::MAX);
        api_requests::insert_gap(&mut tx, &gap(&*app.clock, &*app.entropy, node, lost)).await?;
    }
    tx.commit().await?;
    app.recorder.lost.fetch_sub(lost, Ordering::Relaxed);
    if counted {
        app.recorder
            .turned_away
            .fetch_sub(turned_away, Ordering::Relaxed);
    }
    Ok(())
}

/// Until when everything is stored once `batch` is: now, or not beyond the batch while others wait.
fn complete_until(app: &App, batch: &[Request]) -> Timestamp {
    let now = app.clock.now();
    if app.recorder.queued() == 0 {
        return now;
    }
    batch.iter().map(|request| request.at).min().unwrap_or(now)
}

fn gap(clock: &dyn Clock, entropy: &dyn Entropy, node: &str, lost: i64) -> Gap {
    let at = clock.now();
    let random = u64::from_le_bytes(entropy::bytes(entropy));
    Gap {
        id: RequestId::new(at, random).to_string(),
        at,
        node: node.to_owned(),
        lost,
    }
}

/// How an answer counts in the hourly figures.
const fn outcome(status: u16) -> &'static str {
    match status {
        ..400 => "accepted",
        400..500 => "refused",
        500.. => "failed",
    }
}

type HourKey<'a> = (&'a str, &'a str, i64, &'static str);

/// In the order in which the rows are locked, everywhere the same: PostgreSQL sees no deadlock.
fn hour_counts(batch: &[Request]) -> BTreeMap<HourKey<'_>, i64> {
    let mut counts = BTreeMap::new();
    for request in batch {
        let key = request.key.as_deref().unwrap_or_default();
        let hour = request.at.unix_ms().div_euclid(HOUR_MS);
        *counts
            .entry((&*request.org, key, hour, outcome(request.status)))
            .or_insert(0) += 1;
    }
    counts
}

/// The newest accepted use of each key in the batch.
fn last_uses(batch: &[Request]) -> Vec<KeyUse> {
    let accepted = |request: &&Request| {
        let refused = matches!(request.refused_by, Some("rate limit" | "network" | "scope"));
        request.key_state == KeyState::Live && !refused
    };
    let mut newest: BTreeMap<&str, (&Request, Option<Timestamp>)> = BTreeMap::new();
    for request in batch.iter().filter(accepted) {
        let Some(key) = request.key.as_deref() else {
            continue;
        };
        let entry = newest.entry(key).or_insert((request, None));
        if request.at >= entry.0.at {
            entry.0 = request;
        }
        if request.browser {
            entry.1 = entry.1.max(Some(request.at));
        }
    }
    let newest = newest.into_iter();
    let uses = newest.map(|(key, (request, browser_at))| KeyUse {
        key: KeyId::from(key),
        last: LastUse {
            at: request.at,
            address: Some(request.address.to_string()),
            call: Some(format!(
                "{} {}",
                request.method,
                without_query(&request.path)
            )),
        },
        browser_at,
    });
    uses.collect()
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// Rows of one page of the log.
pub const PAGE: usize = 50;

/// Rows that one page looks through at most: a filter that matches nothing must not read a whole
/// log while others wait.
const SCAN_MAX: i64 = 100_000;

/// One row of the log as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A request.
    Request(Box<Logged>),
    /// A stretch in which requests may be missing.
    Gap(Gap),
}

impl Row {
    /// The id that orders the log.
    pub fn id(&self) -> &str {
        match self {
            Self::Request(request) => &request.id,
            Self::Gap(gap) => &gap.id,
        }
    }
}

/// One page of the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most [`PAGE`] requests, and the gaps between them.
    pub rows: Vec<Row>,
    /// Where the next page begins, if there is one.
    pub older: Option<String>,
}

/// The newest requests of an organization that `filter` lets through.
pub async fn page(app: &App, org: &OrgId, filter: &Filter) -> Result<Page, Error> {
    let mut conn = app.db.read().await?;
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let start = api_requests::window_start(&mut conn, org, filter, SCAN_MAX).await?;
    let filter = &Filter {
        not_before: start.clone(),
        ..filter.clone()
    };
    let mut requests = api_requests::list(&mut conn, org, filter, limit + 1).await?;
    let more = requests.len() > PAGE;
    requests.truncate(PAGE);
    let last = requests.last().filter(|_| more);
    let older = last.map(|request| request.id.clone()).or(start);
    let mut rows: Vec<Row> = requests
        .into_iter()
        .map(|row| Row::Request(Box::new(row)))
        .collect();
    let gaps = api_requests::gaps(&mut conn, filter, limit).await?;
    let shown = |gap: &Gap| older.as_ref().is_none_or(|oldest| gap.id > *oldest);
    rows.extend(gaps.into_iter().filter(shown).map(Row::Gap));
    rows.sort_by(|a, b| b.id().cmp(a.id()));
    Ok(Page { rows, older })
}

/// The newest requests and gaps that `filter` lets through, newest first, at most `limit`: of an
/// organization, or those that no key gave to one.
pub async fn newest(
    app: &App,
    org: Option<&OrgId>,
    filter: Filter,
    limit: usize,
) -> Result<Vec<Row>, Error> {
    let nobody = OrgId::from("");
    let mut filter = filter;
    let mut rows = Vec::new();
    while rows.len() < limit {
        let next = page(app, org.unwrap_or(&nobody), &filter).await?;
        rows.extend(next.rows);
        filter.before = next.older;
        if filter.before.is_none() {
            break;
        }
    }
    rows.truncate(limit);
    Ok(rows)
}

/// One request of an organization.
pub async fn find(app: &App, org: &OrgId, id: &str) -> Result<Option<Logged>, Error> {
    let mut conn = app.db.read().await?;
    api_requests::find(&mut conn, org, id).await
}

/// Requests of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HourUsage {
    /// All requests.
    pub total: i64,
    /// Those that were answered with 4xx.
    pub refused: i64,
}

/// Requests of a stretch of hours that ends with the running one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Each hour, oldest first.
    pub by_hour: Vec<HourUsage>,
    /// All requests.
    pub total: i64,
    /// Those that were answered with 4xx.
    pub refused: i64,
    /// Those that were answered with 5xx.
    pub failed: i64,
}

/// How an organization, or one of its keys, was used in the last `hours` hours.
pub async fn usage(
    app: &App,
    org: &OrgId,
    key: Option<&KeyId>,
    hours: usize,
) -> Result<Usage, Error> {
    let span = i64::try_from(hours).unwrap_or(i64::MAX);
    let first = app.clock.now().unix_ms().div_euclid(HOUR_MS) - span + 1;
    let mut conn = app.db.read().await?;
    let counts = api_requests::hours(&mut conn, org, first, key).await?;
    let by_hour = vec![HourUsage::default(); hours];
    let mut usage = Usage {
        by_hour,
        total: 0,
        refused: 0,
        failed: 0,
    };
    for HourCount {
        hour,
        outcome,
        requests,
    } in counts
    {
        let refused = if outcome == "refused" { requests } else { 0 };
        let place = usize::try_from(hour - first).ok();
        if let Some(of_hour) = place.and_then(|at| usage.by_hour.get_mut(at)) {
            of_hour.total += requests;
            of_hour.refused += refused;
        }
        usage.total += requests;
        usage.refused += refused;
        usage.failed += if outcome == "failed" { requests } else { 0 };
    }
    Ok(usage)
}

/// Rows that one step of the retention removes.
const EXPIRE_STEP: i64 = 2_000;

/// Removes what is older than the retention, in small transactions.
pub async fn expire(db: &Db, before: Timestamp) -> Result<u64, Error> {
    let removed = expire_requests(db, before).await?;
    // The shapes come last: a request without one can't be read.
    loop {
        let mut tx = db.write().await?;
        let step = api_requests::expire_shapes(&mut tx, before, EXPIRE_STEP).await?;
        tx.commit().await?;
        if step == 0 {
            return Ok(removed);
        }
    }
}

async fn expire_requests(db: &Db, before: Timestamp) -> Result<u64, Error> {
    let mut removed = 0;
    // Requests without an organization come first: their id is the empty text.
    let mut org = Some(String::new());
    while let Some(current) = org {
        loop {
            let mut tx = db.write().await?;
            let step = api_requests::expire(&mut tx, &current, before, EXPIRE_STEP).await?;
            tx.commit().await?;
            removed += step;
            if step == 0 {
                break;
            }
        }
        org = {
            let mut conn = db.read().await?;
            api_requests::next_org(&mut conn, &current).await?
        };
        let mut tx = db.write().await?;
        let hour = before.unix_ms().div_euclid(HOUR_MS);
        api_requests::expire_hours(&mut tx, &current, hour).await?;
        tx.commit().await?;
    }
    Ok(removed)
}
