//! Nothing that was answered is lost, whenever a process is killed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::database::{locked, number, texts};
use crate::support::{Connection, Key, Org, Place, eventually, get, text};

const ORGANIZATION: &str = "/api/v2/organization";

/// What the command line was told has happened.
#[derive(Default)]
struct Told {
    live: Vec<Key>,
    deleted: Vec<Key>,
}

/// What goes on beside the kills.
#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    commands: AtomicU64,
    answers: AtomicU64,
}

/// Makes keys and deletes every second one until told to stop.
fn administer(place: &Place, org: &Org, progress: &Progress) -> Told {
    let mut told = Told::default();
    while !progress.stop.load(Ordering::Acquire) {
        let key = place.key(org, &[]);
        if told.live.len() > told.deleted.len() {
            place.run(&["key", "delete", &key.id]);
            told.deleted.push(key);
        } else {
            told.live.push(key);
        }
        progress.commands.fetch_add(1, Ordering::Release);
    }
    told
}

/// Starts a command and kills it after `steps` looks at the clock: another moment each time.
fn cut_short(place: &Place, org: &Org, steps: u32) {
    let mut command = place.command(&["key", "create", "--org", &org.uid, "--name", "cut"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(u64::from(steps)) {
        std::thread::yield_now();
    }
    child.kill().ok();
    child.wait().expect("it ends");
}

#[test]
fn kill_9_at_any_moment_loses_nothing_that_was_answered() {
    let place = Place::new();
    let org = place.org("unlimited");
    let caller = place.key(&org, &["--name", "caller"]);
    let mut live = vec![caller.clone()];
    let mut deleted = Vec::new();
    for round in 0..4_u32 {
        let server = place.serve();
        let progress = Progress::default();
        let address = server.address;
        std::thread::scope(|scope| {
            let administer = scope.spawn(|| administer(&place, &org, &progress));
            scope.spawn(|| {
                let request = get(ORGANIZATION).bearer(&caller.key);
                let mut connection = Connection::open(address).expect("open");
                while connection
                    .exchange(&request)
                    .is_ok_and(|answer| answer.status == 200)
                {
                    progress.answers.fetch_add(1, Ordering::Release);
                }
            });
            // Other moments each round: inside a start, a migration, a transaction.
            for step in 0..3 {
                cut_short(&place, &org, round * 7 + step * 13);
            }
            eventually("all of it has begun", || {
                let answers = progress.answers.load(Ordering::Acquire);
                let commands = progress.commands.load(Ordering::Acquire);
                (answers > 10 && commands > 1).then_some(())
            });
            // The server dies while all this goes on.
            server.signal("KILL");
            progress.stop.store(true, Ordering::Release);
            let told = administer.join().expect("administered");
            live.extend(told.live);
            deleted.extend(told.deleted);
        });
        drop(server);
        let verified = place.json(&["audit", "verify", "--json"]);
        assert_eq!(verified["intact"], true, "{verified}");
    }
    check(&place, &org, (&live, &deleted));
}

/// Keys that were made work, those that were deleted don't, and the audit log has all of them.
fn check(place: &Place, org: &Org, (live, deleted): (&[Key], &[Key])) {
    assert!(
        live.len() > 3 && !deleted.is_empty(),
        "{} {}",
        live.len(),
        deleted.len()
    );
    let server = place.serve();
    for key in live {
        assert_eq!(get(ORGANIZATION).bearer(&key.key).send(&server).status, 200);
    }
    for key in deleted {
        assert_eq!(get(ORGANIZATION).bearer(&key.key).send(&server).status, 401);
    }
    server.stop();
    let rows = |action: &str| -> BTreeSet<String> {
        let sql = format!("SELECT target FROM audit_entries WHERE action = '{action}'");
        texts(&place.database(), &sql).into_iter().collect()
    };
    let (generated, gone) = (rows("key.generated"), rows("key.deleted"));
    for key in live.iter().chain(deleted) {
        assert!(generated.contains(&format!("key:{}", key.id)), "{}", key.id);
    }
    for key in deleted {
        assert!(gone.contains(&format!("key:{}", key.id)), "{}", key.id);
    }
    // A key and its audit entry are one transaction: never one without the other.
    let keys = number(&place.database(), "SELECT count(*) FROM api_keys");
    assert_eq!(keys, generated.len() as u64);
    let of_org = format!("SELECT count(*) FROM api_keys WHERE org_id = '{}'", org.uid);
    assert_eq!(number(&place.database(), &of_org), keys);
}

/// The reader of the log can tell that a server which was in use ended without warning.
#[test]
fn a_killed_server_leaves_a_gap_row() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]);
    let gaps = "SELECT count(*) FROM api_log_gaps";
    let registered = "SELECT count(*) FROM auth_nodes";
    let server = place.serve();
    assert_eq!(get(ORGANIZATION).bearer(&key.key).send(&server).status, 200);
    eventually("the server holds a lease", || {
        (number(&place.database(), registered) == 1).then_some(())
    });
    server.kill();
    assert_eq!(number(&place.database(), gaps), 0);
    let server = place.serve();
    eventually("the gap is told", || {
        (number(&place.database(), gaps) == 1).then_some(())
    });
    let mut browser = crate::support::Browser::new(&server);
    browser.set_up(&org.setup_url, "correct horse battery");
    let page = browser.get("/app/admin/api/logs").text();
    assert!(page.contains("ended without warning"), "{page}");
    server.stop();
    // A stop in good order leaves none.
    place.serve().stop();
    assert_eq!(number(&place.database(), gaps), 1);
}

/// A server that answered no request leaves no trace when it is killed.
#[test]
fn an_idle_server_leaves_no_gap_row() {
    let place = Place::new();
    place.org("standard");
    place.serve().kill();
    let server = place.serve();
    assert_eq!(get("/healthz").send(&server).status, 200);
    server.stop();
    assert_eq!(number(&place.database(), "SELECT count(*) FROM api_log"), 0);
}

/// SIGTERM while requests come in: each request that was answered is in the log, once; those of an
/// address that had used up its minute are in the hour's count.
#[test]
fn a_graceful_stop_loses_no_row_of_the_api_log() {
    let place = Place::new();
    let org = place.org("unlimited");
    let key = place.key(&org, &[]);
    let server = place.serve();
    let address = server.address;
    let turned_away = AtomicU64::new(0);
    let mut answered = std::thread::scope(|scope| {
        let call = || {
            let request = get(ORGANIZATION).bearer(&key.key);
            let mut ids = Vec::new();
            while let Ok(mut connection) = Connection::open(address) {
                // Some on each connection, accepted and refused.
                for request in [&request, &request, &get(ORGANIZATION), &get("/api/v2/no")] {
                    match connection.exchange(request) {
                        Ok(answer) if answer.status == 429 => {
                            turned_away.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => {
                            ids.push(answer.header("x-request-id").expect("an id").to_owned());
                        }
                        Err(_) => break,
                    }
                }
            }
            ids
        };
        let threads = [(); 4].map(|()| scope.spawn(call));
        eventually("rows are written", || {
            let sql = "SELECT count(*) FROM api_log";
            (number(&place.database(), sql) > 200).then_some(())
        });
        server.stop();
        threads
            .map(|thread| thread.join().expect("called"))
            .concat()
    });
    let mut logged = texts(&place.database(), "SELECT id FROM api_log");
    answered.sort();
    logged.sort();
    let answered_set: BTreeSet<&String> = answered.iter().collect();
    let logged_set: BTreeSet<&String> = logged.iter().collect();
    let missing: Vec<_> = answered_set.difference(&logged_set).collect();
    assert_eq!(missing, Vec::<&&String>::new(), "of {}", answered.len());
    assert_eq!(answered_set.len(), answered.len(), "request ids are unique");
    let sql =
        "SELECT COALESCE(SUM(requests), 0) FROM api_request_hours WHERE outcome = 'turned away'";
    // A connection may end before its caller has read the answer: at least those that were read.
    assert!(number(&place.database(), sql) >= turned_away.into_inner());
    assert_eq!(
        number(&place.database(), "SELECT count(*) FROM api_log_gaps"),
        0
    );
    let counted = "SELECT sum(requests) FROM api_request_hours WHERE outcome <> 'turned away'";
    assert_eq!(number(&place.database(), counted), logged.len() as u64);
    assert_eq!(
        number(&place.database(), "SELECT count(*) FROM auth_nodes"),
        0
    );
}

/// More rows wait than one transaction takes, because somebody else holds SQLite's write lock, and
/// then the server is stopped.
#[test]
fn a_graceful_stop_writes_all_that_waited() {
    const REQUESTS: u64 = 1_500;
    let place = Place::new();
    let org = place.org("unlimited");
    let key = place.key(&org, &[]);
    let server = place.serve();
    locked(&place.database(), || {
        let request = get(ORGANIZATION).bearer(&key.key);
        let mut connection = Connection::open(server.address).expect("open");
        for _ in 0..REQUESTS {
            assert_eq!(connection.exchange(&request).expect("answered").status, 200);
        }
        assert_eq!(server.metric("headshot_api_log_written_total"), 0);
        server.signal("TERM");
    });
    server.stop();
    let rows = number(&place.database(), "SELECT count(*) FROM api_log");
    assert_eq!(rows, REQUESTS);
}

/// A changed audit entry is found, wherever it is.
#[test]
fn a_changed_audit_entry_is_found() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]);
    place.run(&["key", "delete", &key.id]);
    let entries = number(&place.database(), "SELECT count(*) FROM audit_entries");
    texts(&place.database(), "DROP TRIGGER audit_entries_no_update");
    texts(&place.database(), "DROP TRIGGER audit_entries_no_delete");
    let sql = "UPDATE audit_entries SET actor = 'somebody else' WHERE seq = 2 RETURNING actor";
    texts(&place.database(), sql);
    let output = place.output(&["audit", "verify"]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).starts_with("error: audit entry 2 "),
        "{}",
        text(&output.stderr)
    );
    texts(
        &place.database(),
        &format!("DELETE FROM audit_entries WHERE seq = {entries}"),
    );
    let failure = place.failure(&["audit", "verify"]);
    assert!(failure.contains("audit entry"), "{failure}");
}

/// A second server on one file serves, logs and deletes like the first.
#[test]
fn two_servers_on_one_file() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]);
    let (one, other) = (place.serve(), place.serve());
    for server in [&one, &other, &one, &other] {
        assert_eq!(get(ORGANIZATION).bearer(&key.key).send(server).status, 200);
    }
    one.stop();
    assert_eq!(get(ORGANIZATION).bearer(&key.key).send(&other).status, 200);
    other.stop();
    assert_eq!(number(&place.database(), "SELECT count(*) FROM api_log"), 5);
    assert_eq!(
        number(
            &place.database(),
            "SELECT count(DISTINCT node) FROM api_log JOIN api_log_shapes s ON s.id = shape"
        ),
        2
    );
}
