//! Jobs: claimed once, in turn by lane, and never finished by who lost the lease.

use std::sync::Arc;
use std::time::Duration;

use headshot_domain::{JobId, JobKind, JobState, Timestamp};
use headshot_storage::WriteTx;
use headshot_storage::jobs::{self, Claim, Job, JobListener, New, Place};
use headshot_testkit::TestDb;
use rstest::rstest;
use tokio::sync::Notify;

use crate::support::{Kind, at, read, write};

async fn store(tx: &mut WriteTx, id: &str, lane: &str, run_at: Timestamp) {
    store_at(tx, (id, lane), run_at, None).await;
}

async fn store_at(
    tx: &mut WriteTx,
    (id, lane): (&str, &str),
    run_at: Timestamp,
    place: Option<Place<'_>>,
) {
    let id = JobId::from(id);
    let new = New {
        id: &id,
        kind: JobKind::WebhookDeliver,
        lane,
        payload: r#"{"event":"evt_1"}"#,
        run_at,
        created_at: at(0),
        place,
    };
    jobs::insert(tx, &new, &Arc::default()).await.unwrap();
}

async fn with_jobs(database: &TestDb, rows: &[(&str, &str, i64)]) {
    let mut tx = write(database).await;
    for (id, lane, ms) in rows {
        store(&mut tx, id, lane, at(*ms)).await;
    }
    tx.commit().await.unwrap();
}

fn ask(worker: &str, now: Timestamp, limit: i64) -> Claim<'_> {
    Claim {
        worker,
        now,
        lease_until: now.plus(Duration::from_secs(30)),
        lane_max: 2,
        limit,
        bounded: [JobKind::Shoot, JobKind::WebhookDeliver].map(|kind| (kind, limit)),
    }
}

async fn claim(database: &TestDb, asked: &Claim<'_>) -> Vec<Job> {
    let mut tx = write(database).await;
    let claimed = jobs::claim(&mut tx, asked).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_job_is_claimed_when_it_is_due_and_only_once(#[case] kind: Kind) {
    let database = kind.open().await;
    with_jobs(&database, &[("job_2", "org_1", 10), ("job_1", "org_1", 5)]).await;
    assert!(claim(&database, &ask("w1", at(4), 9)).await.is_empty());
    let mut conn = read(&database).await;
    assert_eq!(jobs::next_due(&mut conn).await.unwrap(), Some(at(5)));
    drop(conn);
    assert_eq!(
        ids(&claim(&database, &ask("w1", at(5), 9)).await),
        ["job_1"]
    );
    let second = claim(&database, &ask("w2", at(10), 9)).await;
    assert_eq!(ids(&second), ["job_2"]);
    assert_eq!(second[0].attempts, 1);
    assert_eq!(second[0].lease_by.as_deref(), Some("w2"));
    assert_eq!(second[0].state, JobState::Running);
    assert_eq!(second[0].payload, r#"{"event":"evt_1"}"#);
    assert!(claim(&database, &ask("w3", at(99), 9)).await.is_empty());
    let mut conn = read(&database).await;
    assert_eq!(jobs::next_due(&mut conn).await.unwrap(), None);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn workers_that_race_share_the_jobs_and_keep_the_lanes(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    for number in 0..60 {
        let (id, lane) = (format!("job_{number:02}"), format!("org_{}", number % 20));
        store(&mut tx, &id, &lane, at(0)).await;
    }
    tx.commit().await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..6 {
        let db = database.connect_again().await;
        racing.spawn(async move {
            let worker = format!("w{number}");
            let mut tx = db.write().await.unwrap();
            let claimed = jobs::claim(&mut tx, &ask(&worker, at(0), 10)).await;
            tx.commit().await.unwrap();
            claimed.unwrap()
        });
    }
    let mut all: Vec<Job> = Vec::new();
    while let Some(claimed) = racing.join_next().await {
        all.extend(claimed.unwrap());
    }
    let mut seen = ids(&all);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all.len(), "a job was claimed twice");
    // Sixty jobs of twenty lanes, two of each lane at a time.
    assert_eq!(all.len(), 40);
    for lane in 0..20 {
        let lane = format!("org_{lane}");
        let count = all.iter().filter(|job| job.lane == lane).count();
        assert_eq!(count, 2, "{lane}");
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_lane_gets_its_share_and_not_one_more(#[case] kind: Kind) {
    let database = kind.open().await;
    let slow: Vec<String> = (0..50).map(|number| format!("job_a{number:02}")).collect();
    let mut rows: Vec<(&str, &str, i64)> =
        slow.iter().map(|id| (id.as_str(), "org_a", 0)).collect();
    rows.push(("job_b", "org_b", 9));
    with_jobs(&database, &rows).await;
    // The newer job of the other lane does not wait for the fifty older ones.
    let claimed = claim(&database, &ask("w", at(9), 9)).await;
    assert_eq!(ids(&claimed), ["job_a00", "job_a01", "job_b"]);
    assert!(claim(&database, &ask("w", at(9), 9)).await.is_empty());
    // One ends, one begins.
    let mut tx = write(&database).await;
    assert!(jobs::finish(&mut tx, &claimed[0].lease()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(
        ids(&claim(&database, &ask("w", at(9), 9)).await),
        ["job_a02"]
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn no_more_are_claimed_than_asked_for(#[case] kind: Kind) {
    let database = kind.open().await;
    let rows = [
        ("job_1", "org_1", 0),
        ("job_2", "org_2", 0),
        ("job_3", "org_3", 0),
        ("job_4", "org_4", 0),
    ];
    with_jobs(&database, &rows).await;
    assert_eq!(claim(&database, &ask("w", at(0), 3)).await.len(), 3);
    assert_eq!(claim(&database, &ask("w", at(0), 3)).await.len(), 1);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_lost_lease_changes_nothing(#[case] kind: Kind) {
    let database = kind.open().await;
    with_jobs(&database, &[("job_1", "org_1", 0)]).await;
    let first = claim(&database, &ask("w1", at(0), 9)).await.remove(0);
    let mut conn = read(&database).await;
    let end = first.lease_until.unwrap();
    let before = end.minus(Duration::from_millis(1));
    assert!(
        jobs::expired(&mut conn, before, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let expired = jobs::expired(&mut conn, end, 9).await.unwrap();
    assert_eq!(expired, std::slice::from_ref(&first));
    drop(conn);
    let mut tx = write(&database).await;
    assert!(
        jobs::retry(&mut tx, &first.lease(), end, "gone")
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let second = claim(&database, &ask("w1", end, 9)).await.remove(0);
    assert_eq!(
        (second.attempts, second.last_error.as_deref()),
        (2, Some("gone"))
    );
    // The first holder comes back: the same worker, but another try.
    let mut tx = write(&database).await;
    let lost = first.lease();
    assert!(!jobs::finish(&mut tx, &lost).await.unwrap());
    assert!(!jobs::retry(&mut tx, &lost, end, "x").await.unwrap());
    assert!(!jobs::release(&mut tx, &lost, end).await.unwrap());
    assert!(!jobs::bury(&mut tx, &lost, end, "x").await.unwrap());
    assert!(jobs::finish(&mut tx, &second.lease()).await.unwrap());
    assert_eq!(jobs::find(&mut tx, &second.id).await.unwrap(), None);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_heartbeat_extends_what_a_worker_holds(#[case] kind: Kind) {
    let database = kind.open().await;
    with_jobs(&database, &[("job_1", "org_1", 0), ("job_2", "org_2", 0)]).await;
    claim(&database, &ask("w1", at(0), 1)).await;
    let held_by_other = claim(&database, &ask("w2", at(0), 1)).await;
    let until = at(1_000_000);
    let mut tx = write(&database).await;
    let held = jobs::heartbeat(&mut tx, "w1", until).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].id.as_str(), held[0].attempts), ("job_1", 1));
    assert!(
        jobs::heartbeat(&mut tx, "w3", until)
            .await
            .unwrap()
            .is_empty()
    );
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let before = until.minus(Duration::from_millis(1));
    let expired = jobs::expired(&mut conn, before, 9).await.unwrap();
    assert_eq!(expired, held_by_other);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn released_jobs_keep_their_tries_and_dead_ones_get_them_back(#[case] kind: Kind) {
    let database = kind.open().await;
    with_jobs(&database, &[("job_1", "org_1", 0)]).await;
    let job = claim(&database, &ask("w", at(0), 9)).await.remove(0);
    let mut tx = write(&database).await;
    assert!(jobs::release(&mut tx, &job.lease(), at(7)).await.unwrap());
    let released = jobs::find(&mut tx, &job.id).await.unwrap().unwrap();
    assert_eq!((released.attempts, released.run_at), (0, at(7)));
    assert!(
        !jobs::requeue(&mut tx, &job.id, at(8), &Arc::default())
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();

    let job = claim(&database, &ask("w", at(7), 9)).await.remove(0);
    let mut tx = write(&database).await;
    assert!(
        jobs::bury(&mut tx, &job.lease(), at(9), "in vain")
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let dead = jobs::list(&mut conn, JobState::Dead, 9).await.unwrap();
    assert_eq!(dead[0].finished_at, Some(at(9)));
    assert_eq!(dead[0].last_error.as_deref(), Some("in vain"));
    let state = JobState::Dead;
    let here = jobs::list_of_lane(&mut conn, "org_1", state, 9).await;
    assert_eq!(here.unwrap(), dead);
    let elsewhere = jobs::list_of_lane(&mut conn, "org_2", state, 9).await;
    assert!(elsewhere.unwrap().is_empty());
    drop(conn);
    assert!(claim(&database, &ask("w", at(99), 9)).await.is_empty());

    let mut tx = write(&database).await;
    assert!(
        jobs::requeue(&mut tx, &job.id, at(100), &Arc::default())
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let again = claim(&database, &ask("w", at(100), 9)).await.remove(0);
    assert_eq!((again.attempts, again.finished_at), (1, None));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_commit_wakes_and_a_rollback_stores_nothing(#[case] kind: Kind) {
    let database = kind.open().await;
    let wake: Arc<Notify> = Arc::default();
    let mut listener = JobListener::start(&database.db).await.unwrap();
    let id = JobId::from("job_1");
    let new = New {
        id: &id,
        kind: JobKind::MailSend,
        lane: "org_1",
        payload: "{}",
        run_at: at(0),
        created_at: at(0),
        place: None,
    };
    let mut tx = write(&database).await;
    jobs::insert(&mut tx, &new, &wake).await.unwrap();
    drop(tx);
    let mut tx = write(&database).await;
    assert_eq!(jobs::find(&mut tx, &id).await.unwrap(), None);
    jobs::insert(&mut tx, &new, &wake).await.unwrap();
    tx.commit().await.unwrap();
    wake.notified().await;
    if kind == Kind::Postgres {
        listener.stored().await.unwrap();
    }
}

/// Whatever the ids say, and though several are due at once.
#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_series_is_begun_in_its_order(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    for (id, series, seq, ms) in [
        ("job_d", "one", 1, 1),
        ("job_c", "one", 2, 1),
        ("job_b", "one", 3, 0),
        ("job_a", "other", 4, 1),
    ] {
        let place = Some(Place { series, seq });
        store_at(&mut tx, (id, "org_1"), at(ms), place).await;
    }
    tx.commit().await.unwrap();
    let ask = Claim {
        lane_max: 9,
        ..ask("w", at(1), 9)
    };
    let first = claim(&database, &ask).await;
    assert_eq!(ids(&first), ["job_d", "job_a"]);
    assert!(
        claim(&database, &ask).await.is_empty(),
        "the first is tried"
    );
    // Given up, it was no try.
    let mut tx = write(&database).await;
    let lease = first[0].lease();
    assert!(jobs::release(&mut tx, &lease, at(1)).await.unwrap());
    tx.commit().await.unwrap();
    let first = claim(&database, &ask).await;
    assert_eq!(ids(&first), ["job_d"]);
    // In vain, it was one.
    let mut tx = write(&database).await;
    let lease = first[0].lease();
    assert!(jobs::retry(&mut tx, &lease, at(1), "no").await.unwrap());
    tx.commit().await.unwrap();
    let second = claim(&database, &ask).await;
    assert_eq!(ids(&second), ["job_d", "job_c"]);
    assert!(claim(&database, &ask).await.is_empty());
    let mut tx = write(&database).await;
    assert!(jobs::finish(&mut tx, &second[1].lease()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(ids(&claim(&database, &ask).await), ["job_b"]);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn dead_jobs_are_the_newest_first_and_counted(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    let place = |seq| Some(Place { series: "one", seq });
    store_at(&mut tx, ("job_1", "org_1"), at(1), place(1)).await;
    store_at(&mut tx, ("job_2", "org_2"), at(2), place(2)).await;
    store_at(&mut tx, ("job_3", "org_1"), at(3), None).await;
    let id = JobId::from("job_4");
    let mail = New {
        id: &id,
        kind: JobKind::MailSend,
        lane: "org_1",
        payload: "{}",
        run_at: at(0),
        created_at: at(0),
        place: None,
    };
    jobs::insert(&mut tx, &mail, &Arc::default()).await.unwrap();
    for _ in 0..2 {
        for job in jobs::claim(&mut tx, &ask("w", at(9), 9)).await.unwrap() {
            let lease = job.lease();
            assert!(jobs::bury(&mut tx, &lease, at(9), "no").await.unwrap());
        }
    }
    let hook = Some(JobKind::WebhookDeliver);
    let one = Some("org_1");
    for (which, limit, found, total) in [
        (
            (None, None),
            9,
            &["job_3", "job_2", "job_1", "job_4"][..],
            4,
        ),
        ((None, None), 2, &["job_3", "job_2"], 4),
        ((None, hook), 9, &["job_3", "job_2", "job_1"], 3),
        ((one, None), 9, &["job_3", "job_1", "job_4"], 3),
        ((one, hook), 1, &["job_3"], 2),
    ] {
        let dead = jobs::dead(&mut tx, which, limit).await.unwrap();
        assert_eq!(ids(&dead), found, "{which:?}");
        let count = jobs::count_dead(&mut tx, which).await.unwrap();
        assert_eq!(count, total, "{which:?}");
    }
    let payload = r#"{"event":"evt_1"}"#;
    for (seq, payload) in [(2, "{}"), (3, payload), (1, payload)] {
        let place = place(seq).unwrap();
        jobs::forget_dead_at(&mut tx, place, payload).await.unwrap();
    }
    let left = jobs::dead(&mut tx, (None, hook), 9).await.unwrap();
    assert_eq!(ids(&left), ["job_3", "job_2"]);
}
