//! Deleting a key is immediate: real processes, real clients.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::support::browser::hidden;
use crate::support::{Browser, Connection, Key, Org, Place, Server, eventually, get, post};

const ORGANIZATION: &str = "/api/v2/organization";

/// How a key is deleted. Returns when the deletion has answered.
enum By<'a> {
    CommandLine,
    Dashboard(&'a mut Browser),
    Possession(SocketAddr),
}

fn delete(place: &Place, key: &Key, by: By<'_>) {
    match by {
        By::CommandLine => {
            place.run(&["key", "delete", &key.id]);
        }
        By::Dashboard(browser) => {
            let path = format!("/app/admin/api/keys/{}/delete", key.id);
            let answer = browser.submit(&path, &path, &[]);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.text().contains("No process accepts this key since"));
        }
        By::Possession(address) => {
            let body = format!(r#"{{"key":"{}"}}"#, key.key);
            let answer = post("/api/keys/revoke").body(body).try_send(address);
            assert_eq!(answer.expect("answered").status, 200);
        }
    }
}

/// What four clients saw of one key.
#[derive(Default)]
struct Seen {
    accepted: AtomicU64,
    refused: AtomicU64,
    /// When the newest request was begun that was accepted.
    last_accepted: Mutex<Option<Instant>>,
    stop: AtomicBool,
}

/// Ends the clients, also when the test fails: their threads are waited for.
struct Stop<'a>(&'a Seen);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Release);
    }
}

/// Calls all servers in turn until told to stop.
fn hammer(servers: &[SocketAddr], key: &str, seen: &Seen) {
    // Refusals use up the budget of this address only.
    let request = get(ORGANIZATION)
        .bearer(key)
        .header("X-Forwarded-For", "198.51.100.7");
    let open = |address: &SocketAddr| Connection::open(*address).expect("open");
    let mut connections: Vec<Connection> = servers.iter().map(open).collect();
    while !seen.stop.load(Ordering::Acquire) {
        for connection in &mut connections {
            let begun = Instant::now();
            match connection.exchange(&request).expect("answered").status {
                200 => {
                    seen.accepted.fetch_add(1, Ordering::Relaxed);
                    let mut last = seen.last_accepted.lock().expect("not poisoned");
                    *last = (*last).max(Some(begun));
                }
                // More refusals than an address may have in a minute get 429.
                401 | 429 => {
                    seen.refused.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("status {other}"),
            }
        }
    }
}

/// Four clients hammer the key over all servers while it is deleted. No request that was begun after
/// the deletion answered may be accepted.
fn race(place: &Place, servers: &[SocketAddr], key: &Key, by: By<'_>) {
    let seen = Arc::new(Seen::default());
    let deleted_at = std::thread::scope(|scope| {
        let _stop = Stop(&seen);
        for _ in 0..4 {
            scope.spawn(|| hammer(servers, &key.key, &seen));
        }
        let wait_for = |count: &AtomicU64, more: u64| {
            let before = count.load(Ordering::Relaxed);
            eventually("clients are answered", || {
                (count.load(Ordering::Relaxed) >= before + more).then_some(())
            });
        };
        wait_for(&seen.accepted, 60);
        delete(place, key, by);
        let deleted_at = Instant::now();
        wait_for(&seen.refused, 60);
        deleted_at
    });
    let last = seen
        .last_accepted
        .lock()
        .expect("not poisoned")
        .expect("accepted before");
    let late = last.saturating_duration_since(deleted_at);
    assert!(
        last <= deleted_at,
        "accepted {late:?} after the deletion had answered"
    );
}

struct Cluster {
    place: Place,
    org: Org,
    servers: Vec<Server>,
}

impl Cluster {
    fn start(place: Place) -> Self {
        let place = place.with("HEADSHOT_TRUSTED_PROXIES", "127.0.0.0/8");
        let org = place.org("unlimited");
        let servers = (0..3).map(|_| place.serve()).collect();
        Self {
            place,
            org,
            servers,
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// Uses the key on every server until each holds it in memory, under a lease.
    fn warm(&self, key: &Key) {
        for server in &self.servers {
            let call = || get(ORGANIZATION).bearer(&key.key).send(server).status;
            eventually("the server holds a lease", || {
                assert_eq!(call(), 200);
                (server.metric("headshot_lease_held") == 1).then_some(())
            });
            assert_eq!(call(), 200);
        }
    }

    fn key(&self) -> Key {
        self.place.key(&self.org, &[])
    }

    fn assert_dead(&self, key: &Key) {
        for server in &self.servers {
            assert_eq!(get(ORGANIZATION).bearer(&key.key).send(server).status, 401);
        }
    }

    /// Every way of deleting, twice, under load.
    fn deletions_under_load(&self) {
        let mut browser = Browser::new(&self.servers[0]);
        browser.set_up(&self.org.setup_url, "correct horse battery");
        let addresses = self.addresses();
        for _ in 0..2 {
            race(&self.place, &addresses, &self.key(), By::CommandLine);
            race(
                &self.place,
                &addresses,
                &self.key(),
                By::Dashboard(&mut browser),
            );
            race(
                &self.place,
                &addresses,
                &self.key(),
                By::Possession(addresses[2]),
            );
        }
        let other = self.key();
        self.warm(&other);
    }
}

/// A place whose database is a fresh one on PostgreSQL. It lives as long as the runtime.
fn on_postgres() -> (Place, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let database = runtime.block_on(headshot_testkit::postgres());
    let place = Place::new().with("HEADSHOT_DATABASE_URL", &database.url);
    runtime.block_on(database.db.close());
    (place, runtime)
}

#[test]
fn three_servers_on_one_sqlite_file() {
    Cluster::start(Place::new()).deletions_under_load();
}

#[test]
fn three_servers_on_one_postgresql_database() {
    let (place, _runtime) = on_postgres();
    Cluster::start(place).deletions_under_load();
}

/// A server that is not asked meanwhile refuses the first request afterwards.
fn idle_servers(cluster: &Cluster) {
    let (one, other) = (cluster.key(), cluster.key());
    cluster.warm(&one);
    cluster.warm(&other);
    delete(&cluster.place, &one, By::CommandLine);
    cluster.assert_dead(&one);
    cluster.warm(&other);
    let never_used = cluster.key();
    delete(&cluster.place, &never_used, By::CommandLine);
    cluster.assert_dead(&never_used);
}

/// A server that is stopped while it holds the key in memory can't acknowledge. The deletion
/// answers all the same, and the server refuses when it wakes: also a request that waited for it
/// since before the deletion.
fn a_stopped_server(cluster: &Cluster) {
    let key = cluster.key();
    cluster.warm(&key);
    let stopped = &cluster.servers[1];
    // Stopped inside a transaction it would keep SQLite's write lock: no deletion could be made.
    eventually("the server has nothing to write", || {
        let answers = |class| {
            let name = format!("headshot_api_answers_total{{status=\"{class}\"}}");
            stopped.metric(&name)
        };
        let written = stopped.metric("headshot_api_log_written_total");
        (written == answers("2xx") + answers("4xx")).then_some(())
    });
    stopped.signal("STOP");
    let request = get(ORGANIZATION).bearer(&key.key);
    let waiting = || {
        let mut connection = Connection::open(stopped.address).expect("the system accepts");
        connection.write(&request.bytes()).expect("written");
        connection
    };
    let mut before = waiting();
    let receipt = cluster.place.json(&["key", "delete", &key.id, "--json"]);
    assert_eq!(
        receipt["lapsed"].as_array().map(Vec::len),
        Some(1),
        "{receipt}"
    );
    let mut after = waiting();
    stopped.signal("CONT");
    for connection in [&mut before, &mut after] {
        assert_eq!(connection.answer(false).expect("answered").status, 401);
    }
    cluster.assert_dead(&key);
    cluster.warm(&cluster.key());
}

#[test]
fn idle_and_stopped_servers_on_sqlite() {
    let cluster = Cluster::start(Place::new());
    idle_servers(&cluster);
    a_stopped_server(&cluster);
}

#[test]
fn idle_and_stopped_servers_on_postgresql() {
    let (place, _runtime) = on_postgres();
    let cluster = Cluster::start(place);
    idle_servers(&cluster);
    a_stopped_server(&cluster);
}

/// A killed server holds a deletion up for one lease at most, not for ever.
#[test]
fn a_killed_server_does_not_block_deletions() {
    let mut cluster = Cluster::start(Place::new());
    let key = cluster.key();
    cluster.warm(&key);
    cluster.servers.remove(0).kill();
    let receipt = cluster.place.json(&["key", "delete", &key.id, "--json"]);
    assert_eq!(
        receipt["lapsed"].as_array().map(Vec::len),
        Some(1),
        "{receipt}"
    );
    cluster.assert_dead(&key);
}

/// The same key deleted twice at once: one deletion, one refusal, one audit entry.
#[test]
fn two_deletions_of_one_key() {
    let cluster = Cluster::start(Place::new());
    let key = cluster.key();
    cluster.warm(&key);
    let outcomes = std::thread::scope(|scope| {
        let delete = || {
            cluster
                .place
                .output(&["key", "delete", &key.id])
                .status
                .success()
        };
        let threads = [scope.spawn(delete), scope.spawn(delete)];
        threads.map(|thread| thread.join().expect("ran"))
    });
    assert_eq!(outcomes.iter().filter(|done| **done).count(), 1);
    let sql = "SELECT count(*) FROM audit_entries WHERE action = 'key.deleted'";
    assert_eq!(
        crate::support::database::number(&cluster.place.database(), sql),
        1
    );
    cluster.assert_dead(&key);
}

/// A member of staff who may not delete: the form of another organization's key.
#[test]
fn another_organizations_key_is_not_found() {
    let place = Place::new();
    let org = place.org("standard");
    let foreign = place.json(&[
        "org",
        "create",
        "--name",
        "Other",
        "--owner-email",
        "other@other.example",
        "--json",
    ]);
    let foreign = Org {
        uid: foreign["organization"]["uid"]
            .as_str()
            .expect("uid")
            .to_owned(),
        setup_url: String::new(),
    };
    let key = place.key(&foreign, &[]);
    let server = place.serve();
    let mut browser = Browser::new(&server);
    browser.set_up(&org.setup_url, "correct horse battery");
    let csrf = hidden(&browser.get("/app/admin/api").text(), "csrf");
    let path = format!("/app/admin/api/keys/{}/delete", key.id);
    assert_eq!(browser.get(&path).status, 404);
    assert_eq!(browser.post(&path, &[("csrf", &csrf)]).status, 404);
    assert_eq!(get(ORGANIZATION).bearer(&key.key).send(&server).status, 200);
}
