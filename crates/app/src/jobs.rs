//! Jobs: work that follows from a change, stored in its transaction and done after it.
//!
//! A worker claims what is due, under a lease that it extends while the job runs. A worker that is
//! killed, or stands still, loses its leases: another one takes the jobs over. So a job may run more
//! than once, and every kind is written to stand that. What fails is tried again, later each time,
//! and is *dead* after its last try: visible, and put back by hand.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use headshot_domain::{Entropy, JobId, JobState, OrgId, Timestamp, entropy};
use headshot_storage::jobs::{self, Lease, New};
use headshot_storage::{Error, WriteTx};
use tokio::sync::{Notify, watch};

use crate::App;
use crate::audit::{self, Actor, Event};
use crate::{keys, mail, shoots, webhooks};

mod worker;

pub use headshot_domain::JobKind as Kind;
pub use headshot_storage::jobs::{Job, Place};
pub use worker::work;

/// How many jobs run at a time, and how long a worker may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that one process runs at a time.
    pub concurrency: usize,
    /// Shoots among them at most: each waits for the studio, or for a generator, and keeps its place.
    pub shoots: usize,
    /// Webhook deliveries among them at most: each may wait for a receiver that hangs. Together they
    /// leave places to mail and the rest.
    pub webhooks: usize,
    /// Jobs of one kind and lane that all processes together run at a time.
    pub lane_max: i64,
    /// How long a lease holds. It is extended three times in this time.
    pub lease: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 256,
            shoots: 32,
            webhooks: 192,
            lane_max: 4,
            lease: Duration::from_secs(15),
        }
    }
}

/// A job to be done.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// What it does.
    pub kind: Kind,
    /// Who it is for, an organization's id: one that is slow delays no other.
    pub lane: &'a str,
    /// What the kind needs to know.
    pub payload: serde_json::Value,
    /// Not before this.
    pub run_at: Timestamp,
}

/// A job that runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: Kind,
    /// Who it is for.
    pub lane: String,
    /// What the kind needs to know.
    pub payload: serde_json::Value,
    /// Which try this is, from 1.
    pub attempt: i64,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do.
    Done,
    /// It has to be tried again, unless this was the last try.
    Retry {
        /// After this time, and up to a tenth more.
        after: Duration,
        /// Why.
        why: String,
    },
    /// It can't ever succeed.
    Fail {
        /// Why.
        why: String,
    },
    /// It was given up because the process stops; another one goes on, and it is no try.
    Release,
}

/// What one process knows of its jobs.
#[derive(Debug)]
pub struct Jobs {
    /// The name under which this process holds leases.
    worker: String,
    wake: Arc<Notify>,
    /// Whether the worker of this process is asked to stop.
    stopping: watch::Sender<bool>,
    /// How a job ended could not be stored: the next heartbeat puts it back.
    unsettled: AtomicBool,
    done: AtomicU64,
    retried: AtomicU64,
    died: AtomicU64,
    panicked: AtomicU64,
}

/// What the jobs of this process have come to since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tries that succeeded.
    pub done: u64,
    /// Tries that failed and were put back.
    pub retried: u64,
    /// Tries that were the last.
    pub died: u64,
    /// Tries that panicked; they are among the others too.
    pub panicked: u64,
}

impl Jobs {
    pub(crate) fn new(worker: String) -> Self {
        Self {
            worker,
            wake: Arc::default(),
            stopping: watch::Sender::new(false),
            unsettled: AtomicBool::new(false),
            done: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            died: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
        }
    }

    /// Lets the worker of this process look for jobs now. Committing a transaction with a new job
    /// does it too.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until the worker of this process is asked to stop: for jobs that only wait.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as this.
        drop(stopping.wait_for(|stopping| *stopping).await);
    }

    /// What the jobs of this process have come to.
    pub fn counts(&self) -> Counts {
        Counts {
            done: self.done.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            died: self.died.load(Ordering::Relaxed),
            panicked: self.panicked.load(Ordering::Relaxed),
        }
    }
}

/// Stores a job in the transaction that makes it necessary. The worker is woken when it commits.
pub async fn enqueue(app: &App, tx: &mut WriteTx, job: NewJob<'_>) -> Result<JobId, Error> {
    store(app, tx, job, None).await
}

/// The same for a job that is begun after those before it in a series.
pub(crate) async fn enqueue_at(
    app: &App,
    tx: &mut WriteTx,
    job: NewJob<'_>,
    place: Place<'_>,
) -> Result<JobId, Error> {
    store(app, tx, job, Some(place)).await
}

async fn store(
    app: &App,
    tx: &mut WriteTx,
    job: NewJob<'_>,
    place: Option<Place<'_>>,
) -> Result<JobId, Error> {
    let id = JobId::generate(&*app.entropy);
    let new = New {
        id: &id,
        kind: job.kind,
        lane: job.lane,
        payload: &job.payload.to_string(),
        run_at: job.run_at,
        created_at: app.clock.now(),
        place,
    };
    jobs::insert(tx, &new, &app.jobs.wake).await?;
    Ok(id)
}

/// Does a job: the one list of what each kind means.
pub(crate) async fn run(app: Arc<App>, job: Running) -> Outcome {
    match job.kind {
        Kind::WebhookDeliver => webhooks::deliver(&app, &job).await,
        Kind::Shoot => shoots::run(&app, &job).await,
        Kind::MailSend => mail::send(&app, &job).await,
        Kind::SignInLink => mail::send_sign_in_link(&app, &job).await,
        Kind::KeyReceipt => keys::record_late(&app, &job).await,
    }
}

/// Buries a job after its last try, and says in its own table that it is dead. `false` when another
/// worker has it.
async fn bury(
    app: &App,
    tx: &mut WriteTx,
    (job, kind): (&Job, Kind),
    why: &str,
) -> Result<bool, Error> {
    let shoot = match kind {
        // Before the job's row: an organization is locked first, always.
        Kind::Shoot => shoots::session(tx, job).await?,
        _ => None,
    };
    if !jobs::bury(tx, &job.lease(), app.clock.now(), &shortened(why)).await? {
        return Ok(false);
    }
    match (kind, shoot) {
        (Kind::WebhookDeliver, _) => webhooks::gave_up(tx, job).await?,
        (Kind::MailSend, _) => mail::gave_up(tx, job).await?,
        (Kind::Shoot, Some(session)) => shoots::gave_up(app, tx, &session).await?,
        // Nobody must learn who has which address.
        (Kind::Shoot | Kind::SignInLink | Kind::KeyReceipt, _) => {}
    }
    Ok(true)
}

/// Says in its own table that a dead job is tried again, in the transaction that revives it. `false`
/// when there is nothing left to do.
async fn revived(tx: &mut WriteTx, job: &Job) -> Result<bool, Error> {
    match job.kind.parse() {
        Ok(Kind::WebhookDeliver) => return webhooks::tries_again(tx, job).await,
        Ok(Kind::MailSend) => mail::tries_again(tx, job).await?,
        Ok(Kind::Shoot | Kind::SignInLink | Kind::KeyReceipt) | Err(_) => {}
    }
    Ok(true)
}

/// The pause after the `attempt`-th try where a kind has no schedule of its own: 2 seconds, then
/// four times as long each time, at most an hour.
pub fn backoff(attempt: i64) -> Duration {
    let steps = u32::try_from(attempt.clamp(1, 7) - 1).unwrap_or(0);
    Duration::from_secs(2 * 4u64.pow(steps)).min(Duration::from_hours(1))
}

/// `after` and up to a tenth more, so that what failed together is not tried again together.
fn jittered(after: Duration, entropy: &dyn Entropy) -> Duration {
    let random = u32::from_le_bytes(entropy::bytes(entropy));
    let share = f64::from(random) / f64::from(u32::MAX) / 10.0;
    after.saturating_add(after.mul_f64(share))
}

/// The longest reason that is stored, in characters.
const WHY_MAX: usize = 2_000;

/// A reason as the database keeps it.
fn shortened(why: &str) -> String {
    let storable = headshot_domain::storable(why);
    storable.chars().take(WHY_MAX).collect()
}

/// Does one try of a claimed job, and stores how it ended.
async fn attempt<R, F>(app: Arc<App>, job: Job, run: R)
where
    R: Fn(Arc<App>, Running) -> F + Send + Sync,
    F: Future<Output = Outcome> + Send,
{
    let Ok(kind) = job.kind.parse::<Kind>() else {
        // A newer version stored it while this one still runs: leave it to that one.
        let later = app.clock.now().plus(Duration::from_mins(1));
        give_back(&app, &job.lease(), later).await;
        return;
    };
    let outcome = match serde_json::from_str(&job.payload) {
        Ok(payload) => {
            let running = Running {
                id: job.id.clone(),
                kind,
                lane: job.lane.clone(),
                payload,
                attempt: job.attempts,
            };
            let tried = AssertUnwindSafe(async { run(Arc::clone(&app), running).await });
            match tried.catch_unwind().await {
                Ok(outcome) => outcome,
                Err(panic) => {
                    app.jobs.panicked.fetch_add(1, Ordering::Relaxed);
                    Outcome::Retry {
                        after: backoff(job.attempts),
                        why: format!("it panicked: {}", panic_text(&*panic)),
                    }
                }
            }
        }
        Err(error) => Outcome::Fail {
            why: format!("its payload can't be read: {error}"),
        },
    };
    if let Err(error) = settle(&app, &job, kind, outcome).await {
        app.jobs.unsettled.store(true, Ordering::Relaxed);
        app.report(&error, "how a job ended can't be stored");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(owned).unwrap_or("without words")
}

/// Stores how a try ended. A job whose lease was lost is left to its new holder.
async fn settle(app: &App, job: &Job, kind: Kind, outcome: Outcome) -> Result<(), Error> {
    let lease = job.lease();
    let now = app.clock.now();
    let last = job.attempts >= kind.attempts_max();
    let mut tx = app.db.write().await?;
    let counter = match outcome {
        Outcome::Release => {
            jobs::release(&mut tx, &lease, now).await?;
            return tx.commit().await;
        }
        Outcome::Done => {
            jobs::finish(&mut tx, &lease).await?;
            &app.jobs.done
        }
        Outcome::Retry { after, why } if !last => {
            let at = now.plus(jittered(after, &*app.entropy));
            jobs::retry(&mut tx, &lease, at, &shortened(&why)).await?;
            &app.jobs.retried
        }
        Outcome::Retry { why, .. } | Outcome::Fail { why } => {
            if bury(app, &mut tx, (job, kind), &why).await? {
                tracing::warn!(
                    job.id = job.id.as_str(),
                    job.kind = kind.name(),
                    "job {} ({kind}) is dead after {} tries",
                    job.id,
                    job.attempts
                );
            }
            &app.jobs.died
        }
    };
    tx.commit().await?;
    counter.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Gives a job back as if it had not been begun.
async fn give_back(app: &App, lease: &Lease, run_at: Timestamp) {
    let given = async {
        let mut tx = app.db.write().await?;
        jobs::release(&mut tx, lease, run_at).await?;
        tx.commit().await
    };
    if let Err(error) = given.await {
        app.report(
            &error,
            "a job can't be given back; its lease ends by itself",
        );
    }
}

/// Jobs that a list shows at most.
pub const LIST_MAX: i64 = 200;

/// The jobs in a state, of one organization or of all, at most [`LIST_MAX`], by the time for which they
/// are set. For dead ones see [`dead`].
pub async fn list(app: &App, org: Option<&OrgId>, state: JobState) -> Result<Vec<Job>, Error> {
    let mut conn = app.db.read().await?;
    match org {
        Some(org) => jobs::list_of_lane(&mut conn, org.as_str(), state, LIST_MAX).await,
        None => jobs::list(&mut conn, state, LIST_MAX).await,
    }
}

/// Jobs that were tried in vain for the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The newest ones first, at most [`LIST_MAX`].
    pub jobs: Vec<Job>,
    /// How many there are.
    pub total: i64,
}

/// The dead jobs of one organization or of all, of one kind or of all.
pub async fn dead(app: &App, org: Option<&OrgId>, kind: Option<Kind>) -> Result<Dead, Error> {
    let mut conn = app.db.read().await?;
    let which = (org.map(OrgId::as_str), kind);
    Ok(Dead {
        jobs: jobs::dead(&mut conn, which, LIST_MAX).await?,
        total: jobs::count_dead(&mut conn, which).await?,
    })
}

/// Why a job can't be put back.
#[derive(Debug, thiserror::Error)]
pub enum ReviveError {
    /// No dead job has this id (in this organization).
    #[error("there is no dead job with this id")]
    NotFound,
    /// What it had to do is done, or is done by another job. It is no longer among the dead ones.
    #[error("what this job had to do is done, or waits for another job; it is forgotten")]
    Needless,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Puts a dead job back with all its tries. `org` limits it to one organization; the command line
/// gives none.
pub async fn revive(
    app: &App,
    actor: &Actor,
    org: Option<&OrgId>,
    id: &JobId,
) -> Result<(), ReviveError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let job = jobs::find(&mut tx, id)
        .await?
        .filter(|job| org.is_none_or(|org| job.lane == org.as_str()))
        .ok_or(ReviveError::NotFound)?;
    if !jobs::requeue(&mut tx, id, now, &app.jobs.wake).await? {
        return Err(ReviveError::NotFound);
    }
    if !revived(&mut tx, &job).await? {
        jobs::withdraw(&mut tx, id).await?;
        tx.commit().await?;
        return Err(ReviveError::Needless);
    }
    let lane = OrgId::from(job.lane.as_str());
    let event = Event {
        org: Some(&lane),
        action: "job.retried",
        target: format!("job:{id}"),
        detail: serde_json::json!({ "name": job.kind, "lastError": job.last_error }),
    };
    audit::record(&mut tx, actor, now, event).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use headshot_domain::SeededEntropy;

    #[test]
    fn pauses_grow_to_an_hour() {
        let seconds = |attempt| backoff(attempt).as_secs();
        let pauses: Vec<u64> = (0..=8).map(seconds).collect();
        assert_eq!(pauses, [2, 2, 8, 32, 128, 512, 2_048, 3_600, 3_600]);
        assert_eq!(seconds(i64::MAX), 3_600);
    }

    #[test]
    fn a_pause_is_stretched_by_a_tenth_at_most() {
        let entropy = SeededEntropy::new(1);
        let after = Duration::from_mins(5);
        for _ in 0..1_000 {
            let stretched = jittered(after, &entropy);
            assert!((after..=after + after / 10).contains(&stretched));
        }
        assert_eq!(jittered(Duration::ZERO, &entropy), Duration::ZERO);
        assert_ne!(jittered(after, &entropy), jittered(after, &entropy));
    }
}
