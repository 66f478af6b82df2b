//! The worker: retries, deaths, panics, lost leases, lanes, and a stop in good order.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::sync::Arc;
use std::time::Duration;

use headshot_app::App;
use headshot_app::audit::Actor;
use headshot_app::jobs::{self, Job, Kind, NewJob, Outcome, ReviveError, Running};
use headshot_domain::{Clock, JobId, JobState, OrgId};
use headshot_storage::jobs::{self as storage, Claim};
use headshot_storage::{AsConn, Conn};
use headshot_testkit::{ManualClock, TestDb};
use rstest::rstest;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy)]
enum On {
    Sqlite,
    Postgres,
}

struct Place {
    _database: TestDb,
    clock: Arc<ManualClock>,
    app: Arc<App>,
}

impl On {
    async fn open(self) -> Place {
        let database = match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        };
        let clock = ManualClock::new();
        let app = headshot_testkit::app(&database.db, &clock);
        Place {
            _database: database,
            clock,
            app,
        }
    }
}

impl Place {
    async fn enqueue(&self, lane: &str, payload: serde_json::Value) -> JobId {
        self.enqueue_of(Kind::WebhookDeliver, lane, payload).await
    }

    async fn enqueue_of(&self, kind: Kind, lane: &str, payload: serde_json::Value) -> JobId {
        let mut tx = self.app.db.write().await.unwrap();
        let job = NewJob {
            kind,
            lane,
            payload,
            run_at: self.clock.now(),
        };
        let id = jobs::enqueue(&self.app, &mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn in_state(&self, state: JobState) -> Vec<Job> {
        jobs::list(&self.app, None, state).await.unwrap()
    }

    /// Waits until a job is in a state, or gone.
    async fn until(&self, id: &JobId, state: Option<JobState>) -> Option<Job> {
        loop {
            let mut conn = self.app.db.read().await.unwrap();
            let job = storage::find(&mut conn, id).await.unwrap();
            if job.as_ref().map(|job| job.state) == state {
                return job;
            }
            drop(conn);
            tokio::task::yield_now().await;
        }
    }
}

/// A worker whose jobs the test answers.
struct Worker {
    started: mpsc::UnboundedReceiver<(Running, oneshot::Sender<Outcome>)>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn start(app: &Arc<App>) -> Worker {
    let (sender, started) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let run = move |_app: Arc<App>, job: Running| {
        let sender = sender.clone();
        async move {
            assert!(job.payload != json!("panic"), "on purpose");
            let (answer, answered) = oneshot::channel();
            sender.send((job, answer)).unwrap();
            answered.await.unwrap_or(Outcome::Done)
        }
    };
    let task = tokio::spawn(jobs::work(Arc::clone(app), run, stop.clone()));
    Worker {
        started,
        stop,
        task,
    }
}

impl Worker {
    async fn next(&mut self) -> (Running, oneshot::Sender<Outcome>) {
        self.started.recv().await.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn retry(seconds: u64) -> Outcome {
    Outcome::Retry {
        after: Duration::from_secs(seconds),
        why: "not today".into(),
    }
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_try_of_a_shoot_is_the_last_and_a_retry_gives_all_back(#[case] on: On) {
    let place = on.open().await;
    let mut worker = start(&place.app);
    let payload = json!({"n": 1});
    let id = place.enqueue_of(Kind::Shoot, "org_1", payload).await;
    for attempt in 1..=6 {
        let (job, answer) = worker.next().await;
        assert_eq!(
            (job.attempt, &job.id, &job.payload),
            (attempt, &id, &json!({"n": 1}))
        );
        answer.send(retry(60)).unwrap();
        if attempt < 6 {
            let queued = place.until(&id, Some(JobState::Queued)).await.unwrap();
            let pause = queued.run_at.since(place.clock.now());
            let bounds = Duration::from_mins(1)..=Duration::from_secs(66);
            assert!(bounds.contains(&pause), "{pause:?}");
            place.clock.advance(Duration::from_secs(66));
            place.app.jobs.wake();
        }
    }
    let dead = place.until(&id, Some(JobState::Dead)).await.unwrap();
    assert_eq!(dead.attempts, 6);
    assert_eq!(dead.last_error.as_deref(), Some("not today"));

    let actor = Actor::command_line();
    let other = OrgId::from("org_2");
    let refused = jobs::revive(&place.app, &actor, Some(&other), &id).await;
    assert!(matches!(refused, Err(ReviveError::NotFound)));
    let org = OrgId::from("org_1");
    jobs::revive(&place.app, &actor, Some(&org), &id)
        .await
        .unwrap();
    let (job, answer) = worker.next().await;
    assert_eq!(job.attempt, 1);
    answer.send(Outcome::Done).unwrap();
    place.until(&id, None).await;
    let refused = jobs::revive(&place.app, &actor, None, &id).await;
    assert!(matches!(refused, Err(ReviveError::NotFound)));
    worker.stop().await;
    let counts = place.app.jobs.counts();
    assert_eq!((counts.done, counts.retried, counts.died), (1, 5, 1));
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_try_and_a_failure_is_the_end(#[case] on: On) {
    let place = on.open().await;
    let mut worker = start(&place.app);
    let panics = place.enqueue("org_1", json!("panic")).await;
    let job = place.until(&panics, Some(JobState::Queued)).await;
    // It may be seen before its first try too.
    let mut job = job.unwrap();
    while job.attempts == 0 {
        job = place.until(&panics, Some(JobState::Queued)).await.unwrap();
    }
    assert_eq!(job.last_error.as_deref(), Some("it panicked: on purpose"));
    assert_eq!(place.app.jobs.counts().panicked, 1);

    let fails = place.enqueue("org_1", json!(1)).await;
    let (_, answer) = worker.next().await;
    let why = "never".to_owned();
    answer.send(Outcome::Fail { why }).unwrap();
    let dead = place.until(&fails, Some(JobState::Dead)).await.unwrap();
    assert_eq!(dead.attempts, 1);
    worker.stop().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_lane_holds_up_no_other(#[case] on: On) {
    let place = on.open().await;
    let mut worker = start(&place.app);
    for number in 0..20 {
        place.enqueue("org_slow", json!(number)).await;
    }
    let lane_max = usize::try_from(jobs::Limits::default().lane_max).unwrap();
    let mut hanging = Vec::new();
    for _ in 0..lane_max {
        hanging.push(worker.next().await);
    }
    for number in 0..5 {
        let id = place.enqueue("org_fast", json!(number)).await;
        let (job, answer) = worker.next().await;
        assert_eq!(job.lane, "org_fast");
        answer.send(Outcome::Done).unwrap();
        place.until(&id, None).await;
    }
    assert_eq!(place.in_state(JobState::Running).await.len(), lane_max);
    let (job, answer) = hanging.remove(0);
    assert_eq!(job.lane, "org_slow");
    answer.send(Outcome::Done).unwrap();
    assert_eq!(worker.next().await.0.lane, "org_slow");
    drop(hanging);
    worker.stop().await;
}

/// However many organizations shoot at once, or have receivers that hang, everything else goes out.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_take_long_leave_places_to_the_others(
    #[values(On::Sqlite, On::Postgres)] on: On,
    #[values(&[Kind::Shoot], &[Kind::WebhookDeliver], &[Kind::Shoot, Kind::WebhookDeliver])]
    kinds: &[Kind],
) {
    let place = on.open().await;
    let limits = place.app.settings.jobs;
    let most = |kind| match kind {
        Kind::Shoot => limits.shoots,
        _ => limits.webhooks,
    };
    let all: usize = kinds.iter().map(|kind| most(*kind)).sum();
    assert!(all < limits.concurrency);
    for kind in kinds {
        for number in 0..=most(*kind) {
            let lane = format!("org_{number}");
            place.enqueue_of(*kind, &lane, json!(number)).await;
        }
    }
    let mut worker = start(&place.app);
    let mut long = Vec::new();
    for _ in 0..all {
        let (job, answer) = worker.next().await;
        long.push((job.kind, answer));
    }
    for kind in kinds {
        let begun = long.iter().filter(|(of, _)| of == kind).count();
        assert_eq!(begun, most(*kind), "{kind}");
    }
    for number in 0..all {
        let id = place
            .enqueue_of(Kind::MailSend, "org_0", json!(number))
            .await;
        let (job, answer) = worker.next().await;
        assert_eq!(job.kind, Kind::MailSend, "nothing beyond {all}");
        answer.send(Outcome::Done).unwrap();
        place.until(&id, None).await;
    }
    let (kind, answer) = long.remove(0);
    answer.send(Outcome::Done).unwrap();
    assert_eq!(worker.next().await.0.kind, kind, "a place is free");
    drop(long);
    worker.stop().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_worker_that_is_gone_are_taken_over(#[case] on: On) {
    let place = on.open().await;
    let id = place.enqueue("org_1", json!(1)).await;
    let lease = jobs::Limits::default().lease;
    // A worker that is killed after each claim, until the last try.
    for attempt in 1..=4 {
        let claim = Claim {
            worker: "worker_killed",
            now: place.clock.now(),
            lease_until: place.clock.now().plus(lease),
            lane_max: 1,
            limit: 1,
            bounded: [Kind::Shoot, Kind::WebhookDeliver].map(|kind| (kind, 1)),
        };
        let mut tx = place.app.db.write().await.unwrap();
        let claimed = storage::claim(&mut tx, &claim).await.unwrap();
        assert_eq!(claimed[0].attempts, attempt);
        tx.commit().await.unwrap();
        if attempt < 4 {
            let mut tx = place.app.db.write().await.unwrap();
            let lease = claimed[0].lease();
            let now = place.clock.now();
            storage::retry(&mut tx, &lease, now, "gone").await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    let mut worker = start(&place.app);
    let waiting = place.until(&id, Some(JobState::Running)).await.unwrap();
    assert_eq!(waiting.lease_by.as_deref(), Some("worker_killed"));
    place.clock.advance(lease);
    place.app.jobs.wake();
    let (job, answer) = worker.next().await;
    assert_eq!((job.attempt, &job.id), (5, &id));
    // This one stands still as well, and there is no sixth try.
    place.clock.advance(lease);
    place.app.jobs.wake();
    let dead = place.until(&id, Some(JobState::Dead)).await.unwrap();
    assert!(
        dead.last_error
            .unwrap()
            .contains("was gone before it ended")
    );
    // Its end comes too late to count.
    answer.send(Outcome::Done).unwrap();
    worker.stop().await;
    place.until(&id, Some(JobState::Dead)).await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_runs(#[case] on: On) {
    let place = on.open().await;
    let mut worker = start(&place.app);
    let id = place.enqueue("org_1", json!(1)).await;
    let (_, answer) = worker.next().await;
    worker.stop.cancel();
    let waiting = place.enqueue("org_2", json!(2)).await;
    answer.send(Outcome::Done).unwrap();
    worker.task.await.unwrap();
    place.until(&id, None).await;
    let left = place.until(&waiting, Some(JobState::Queued)).await.unwrap();
    assert_eq!(left.attempts, 0);
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test]
async fn a_job_commits_with_its_cause_or_not_at_all(#[case] on: On) {
    let place = on.open().await;
    let mut tx = place.app.db.write().await.unwrap();
    let job = NewJob {
        kind: Kind::MailSend,
        lane: "org_1",
        payload: json!({}),
        run_at: place.clock.now(),
    };
    jobs::enqueue(&place.app, &mut tx, job).await.unwrap();
    drop(tx);
    assert!(place.in_state(JobState::Queued).await.is_empty());
}

/// The end of a try is lost, whatever the reason; nothing else runs here.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_end_could_not_be_stored_is_put_back_by_the_next_heartbeat() {
    let database = headshot_testkit::sqlite().await;
    let clock = ManualClock::new();
    let app = headshot_testkit::app_set(&database.db, &clock, |settings| {
        settings.jobs.lease = Duration::from_millis(300);
    });
    let place = Place {
        _database: database,
        clock,
        app,
    };
    let mut tx = place.app.db.write().await.unwrap();
    let Conn::Sqlite(conn) = tx.conn() else {
        unreachable!("it is SQLite");
    };
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.last_error = 'not today' \
        BEGIN SELECT RAISE(FAIL, 'no'); END";
    sqlx::raw_sql(refuse).execute(conn).await.unwrap();
    tx.commit().await.unwrap();
    let mut worker = start(&place.app);
    let id = place.enqueue("org_1", json!(1)).await;
    let (_, answer) = worker.next().await;
    answer.send(retry(60)).unwrap();
    let again = tokio::time::timeout(Duration::from_secs(30), worker.next()).await;
    let (again, answer) = again.expect("it is put back");
    assert_eq!((&again.id, again.attempt), (&id, 2));
    let running = place.until(&id, Some(JobState::Running)).await.unwrap();
    let why = running.last_error.unwrap();
    assert_eq!(why, "how it ended could not be stored");
    answer.send(Outcome::Done).unwrap();
    place.until(&id, None).await;
    worker.stop().await;
}
