//! The loop that claims jobs and runs them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headshot_storage::Error;
use headshot_storage::jobs::{self, Claim, JobListener, Lease};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Kind, Outcome, Running, attempt, bury, give_back, shortened};
use crate::App;

/// How long a worker goes without a look: on SQLite other processes tell nothing, and a lease that
/// ends tells nothing anywhere. A look is a read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long running jobs may take to end when the process is asked to stop.
const GRACE: Duration = Duration::from_secs(12);

/// Expired leases that one look takes care of.
const EXPIRED_MAX: i64 = 100;

/// Claims jobs and does them with `run` until `stop`, then lets those that run come to an end for a
/// few seconds and gives back the rest.
pub async fn work<R, F>(app: Arc<App>, run: R, stop: CancellationToken)
where
    R: Fn(Arc<App>, Running) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    app.jobs.stopping.send_replace(false);
    let mut worker = Worker {
        limit: app.settings.jobs.concurrency,
        app,
        run,
        tasks: JoinSet::new(),
        running: HashMap::new(),
        failing: false,
    };
    worker.until(&stop).await;
    worker.end().await;
}

struct Worker<R> {
    app: Arc<App>,
    run: R,
    limit: usize,
    tasks: JoinSet<()>,
    running: HashMap<Id, Begun>,
    /// Whether the last look failed: a database that is gone is reported once.
    failing: bool,
}

/// A job that runs here.
struct Begun {
    lease: Lease,
    task: AbortHandle,
    kind: String,
}

impl<R, F> Worker<R>
where
    R: Fn(Arc<App>, Running) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    async fn until(&mut self, stop: &CancellationToken) {
        let app = Arc::clone(&self.app);
        let mut beat = tokio::time::interval(app.settings.jobs.lease / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listener = None;
        while !stop.is_cancelled() {
            if listener.is_none() {
                listener = JobListener::start(&app.db).await.ok();
            }
            // Registered before the look: what is stored after it is told.
            let woken = app.jobs.wake.notified();
            let pause = self.look_and_note().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = woken => {}
                told = stored(&mut listener) => {
                    if told.is_err() {
                        listener = None;
                    }
                }
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.forget(ended);
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.forget(ended);
                    }
                }
                _ = beat.tick() => self.beat_and_note().await,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Lets what runs come to an end, and gives back what does not.
    async fn end(&mut self) {
        self.app.jobs.stopping.send_replace(true);
        let deadline = Instant::now() + GRACE;
        let mut beat = tokio::time::interval(self.app.settings.jobs.lease / 3);
        while !self.running.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended),
                _ = beat.tick() => self.beat_and_note().await,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.tasks.shutdown().await;
        let now = self.app.clock.now();
        for begun in self.running.values() {
            give_back(&self.app, &begun.lease, now).await;
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        // An error: it was stopped because its lease was lost.
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.running.remove(&id);
    }

    /// Looks for jobs; how long to wait before the next look.
    async fn look_and_note(&mut self) -> Duration {
        let looked = self.look().await;
        self.note(looked).unwrap_or(LOOK_EVERY)
    }

    async fn beat_and_note(&mut self) {
        let beaten = self.beat().await;
        self.note(beaten);
    }

    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                self.failing = false;
                Some(value)
            }
            Err(error) => {
                if !self.failing {
                    self.app.report(&error, "jobs can't be looked for");
                }
                self.failing = true;
                None
            }
        }
    }

    async fn look(&mut self) -> Result<Duration, Error> {
        let now = self.app.clock.now();
        let (due, expired) = {
            let mut conn = self.app.db.read().await?;
            let expired = jobs::expired(&mut conn, now, EXPIRED_MAX).await?;
            (jobs::next_due(&mut conn).await?, expired)
        };
        if !expired.is_empty() {
            self.take_over(expired).await?;
            return Ok(Duration::ZERO);
        }
        let free = self.limit.saturating_sub(self.running.len());
        match due {
            Some(at) if at > now => Ok(at.since(now).min(LOOK_EVERY)),
            Some(_) if free > 0 => {
                let claimed = self.claim(free).await?;
                // Others may be due in lanes that have free places: look again at once.
                let more = claimed > 0 && claimed < free;
                Ok(if more { Duration::ZERO } else { LOOK_EVERY })
            }
            _ => Ok(LOOK_EVERY),
        }
    }

    /// Claims up to `free` jobs and begins them; how many.
    async fn claim(&mut self, free: usize) -> Result<usize, Error> {
        let limits = self.app.settings.jobs;
        let mut tx = self.app.db.write().await?;
        // Not before: while this waited for the writer, a lease would have run.
        let now = self.app.clock.now();
        let bounds = [
            (Kind::Shoot, limits.shoots),
            (Kind::WebhookDeliver, limits.webhooks),
        ];
        let claim = Claim {
            worker: &self.app.jobs.worker,
            now,
            lease_until: now.plus(limits.lease),
            lane_max: limits.lane_max,
            limit: i64::try_from(free).unwrap_or(i64::MAX),
            bounded: bounds.map(|(kind, most)| (kind, self.left_of(kind, most))),
        };
        let claimed = jobs::claim(&mut tx, &claim).await?;
        tx.commit().await?;
        let count = claimed.len();
        for job in claimed {
            let (lease, kind) = (job.lease(), job.kind.clone());
            let (app, run) = (Arc::clone(&self.app), self.run.clone());
            let task = self.tasks.spawn(attempt(app, job, run));
            let begun = Begun { lease, task, kind };
            self.running.insert(begun.task.id(), begun);
        }
        Ok(count)
    }

    /// How many more jobs of a kind may run here.
    fn left_of(&self, kind: Kind, most: usize) -> i64 {
        let of_kind = |begun: &&Begun| begun.kind == kind.name();
        let running = self.running.values().filter(of_kind).count();
        i64::try_from(most.saturating_sub(running)).unwrap_or(i64::MAX)
    }

    /// Puts back the jobs of workers that are gone, and buries those that had their last try. Each
    /// in a transaction of its own: a burial locks the job's organization.
    async fn take_over(&self, expired: Vec<jobs::Job>) -> Result<(), Error> {
        let now = self.app.clock.now();
        for job in expired {
            let lease = job.lease();
            let why = format!("its worker {} was gone before it ended", lease.by);
            let kind = job.kind.parse::<Kind>().ok();
            let mut tx = self.app.db.write().await?;
            match kind.filter(|kind| job.attempts >= kind.attempts_max()) {
                Some(kind) => bury(&self.app, &mut tx, (&job, kind), &why).await?,
                None => jobs::retry(&mut tx, &lease, now, &shortened(&why)).await?,
            };
            tx.commit().await?;
            tracing::warn!(job.id = job.id.as_str(), "job {}: {why}", job.id);
        }
        Ok(())
    }

    /// Extends the leases. What was taken over meanwhile is stopped; what this worker holds and does
    /// not run (the end of it could not be stored) is put back.
    async fn beat(&mut self) -> Result<(), Error> {
        // While something runs there is a beat anyway, so the mark stays for the first one without.
        let unsettled = || self.app.jobs.unsettled.swap(false, Ordering::Relaxed);
        if self.running.is_empty() && !self.failing && !unsettled() {
            return Ok(());
        }
        let worker = self.app.jobs.worker.clone();
        let now = self.app.clock.now();
        let until = now.plus(self.app.settings.jobs.lease);
        let mut tx = self.app.db.write().await?;
        let held = jobs::heartbeat(&mut tx, &worker, until).await?;
        let runs = |lease: &Lease| self.running.values().any(|begun| begun.lease == *lease);
        for lease in held.iter().filter(|lease| !runs(lease)) {
            let why = "how it ended could not be stored";
            jobs::retry(&mut tx, lease, now, why).await?;
        }
        tx.commit().await?;
        for begun in self.running.values() {
            if !held.contains(&begun.lease) {
                begun.task.abort();
            }
        }
        Ok(())
    }
}

async fn stored(listener: &mut Option<JobListener>) -> Result<(), Error> {
    match listener {
        Some(listener) => listener.stored().await,
        None => std::future::pending().await,
    }
}
