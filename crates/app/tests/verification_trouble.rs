//! Verification in trouble: the real node, settlement and keys on real databases of both kinds, with
//! the clock, the order of events and the network in the hands of the test.
//!
//! The nodes' loops don't run by themselves here (but for one test of the loop): a test calls
//! `register` and `renew` when they are due, and a paused process is one that it does not call.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headshot_app::audit::{self, Actor};
use headshot_app::caller::Caller;
use headshot_app::idempotency::Once;
use headshot_app::keys::{self, DeleteError, Deleted, NewKey, Verification};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::peppers::Peppers;
use headshot_app::verification::{LEASE, SETTLE};
use headshot_app::{App, Roles, maintenance, request_log, teams};
use headshot_domain::{ApiKeySecret, Clock, KeyId, Networks, OrgId, Plan, RequestId, Timestamp};
use headshot_storage::api_requests::{self, Filter, KeyState, Request};
use headshot_storage::{Db, Watcher, api_keys, auth, jobs};
use headshot_testkit::{self as testkit, ManualClock, Proxy, TestDb};
use tokio_util::sync::CancellationToken;

/// What became of a call with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    AcceptedFromMemory,
    AcceptedFromDatabase,
    Refused(KeyState),
    /// The database was needed and did not answer: the caller sees a 500.
    Failed,
}

async fn call(app: &App, key: &ApiKeySecret) -> Call {
    let header = format!("Bearer {}", key.expose());
    match keys::verify(app, Some(header.as_bytes()), app.clock.now()) {
        Verification::Accepted(_) => Call::AcceptedFromMemory,
        Verification::Refused(refused) => Call::Refused(refused.state),
        Verification::Unknown(secret, digest) => match keys::load(app, &secret, &digest).await {
            Ok(Verification::Accepted(_)) => Call::AcceptedFromDatabase,
            Ok(Verification::Refused(refused)) => Call::Refused(refused.state),
            Ok(Verification::Unknown(..)) => unreachable!("the database has been asked"),
            Err(_) => Call::Failed,
        },
    }
}

/// Two processes on one database. `a` verifies, `b` deletes.
struct World {
    database: TestDb,
    clock: Arc<ManualClock>,
    a: Arc<App>,
    b: Arc<App>,
    org: OrgId,
}

impl World {
    async fn new(database: TestDb) -> Self {
        let clock = ManualClock::new();
        let a = testkit::app(&database.connect_again().await, &clock);
        let b = testkit::app(&database.connect_again().await, &clock);
        let org = organization(&b).await;
        Self {
            database,
            clock,
            a,
            b,
            org,
        }
    }

    async fn key(&self) -> (KeyId, ApiKeySecret) {
        key(&self.b, &self.org, None).await
    }

    /// Registers `a` and makes it remember `key`.
    async fn remember(&self, key: &ApiKeySecret) {
        self.a.node.register().await.unwrap();
        assert_eq!(call(&self.a, key).await, Call::AcceptedFromDatabase);
        assert_eq!(call(&self.a, key).await, Call::AcceptedFromMemory);
    }

    async fn epoch(&self) -> i64 {
        let mut conn = self.database.db.read().await.unwrap();
        auth::epoch(&mut conn).await.unwrap()
    }

    /// Waits until somebody has committed a deletion since `epoch`.
    async fn committed_after(&self, epoch: i64) {
        while self.epoch().await <= epoch {
            tokio::task::yield_now().await;
        }
    }

    /// Lets whoever waits for something look a few times.
    async fn looks(&self) {
        for _ in 0..20 {
            self.epoch().await;
        }
    }

    /// Deletes by way of `b`; when that has committed, time passes. Returns how much of it did
    /// before the answer.
    async fn delete_by_time(&self, id: &KeyId) -> (Result<Deleted, DeleteError>, Duration) {
        let epoch = self.epoch().await;
        let begun_at = self.clock.monotonic();
        let time = async {
            self.committed_after(epoch).await;
            self.time_passes().await;
        };
        let deleted = tokio::select! {
            deleted = delete(&self.b, id) => deleted,
            () = time => unreachable!("time does not end"),
        };
        (deleted, self.clock.monotonic().saturating_sub(begun_at))
    }

    /// Moves the clock on without end, and gives everybody time to look at each step.
    async fn time_passes(&self) {
        loop {
            self.looks().await;
            self.clock.advance(SETTLE / 4);
        }
    }
}

async fn organization(app: &App) -> OrgId {
    let new = NewOrganization {
        name: "Acme Corporation".into(),
        website: String::new(),
        owner: "owner@acme.example".parse().unwrap(),
        plan: Plan::Standard,
        credits: None,
        whitelabel: false,
    };
    let created = organizations::create(app, &Actor::command_line(), new).await;
    created.unwrap().org.id
}

async fn key(app: &App, org: &OrgId, expires_at: Option<Timestamp>) -> (KeyId, ApiKeySecret) {
    let new = NewKey {
        name: "CI".into(),
        scopes: "organization".parse().unwrap(),
        networks: Networks::default(),
        expires_at,
        nonce: None,
    };
    let (key, secret) = keys::create(app, &Actor::command_line(), org, new)
        .await
        .unwrap();
    (key.id, secret)
}

async fn delete(app: &App, id: &KeyId) -> Result<Deleted, DeleteError> {
    keys::delete(app, &Actor::command_line(), None, id).await
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite { $(
            #[tokio::test]
            async fn $name() {
                super::$name(headshot_testkit::sqlite().await).await;
            }
        )* }
        mod postgres { $(
            #[tokio::test]
            async fn $name() {
                super::$name(headshot_testkit::postgres().await).await;
            }
        )* }
    };
}

on_both! {
    a_deletion_answers_when_every_node_has_acknowledged
    a_node_is_up_to_date_with_its_own_deletion
    a_receipt_that_was_cut_off_is_written_later_and_once
    a_node_without_its_database_serves_until_its_lease_ends
    a_slow_fill_does_not_bring_a_dead_key_back
    a_paused_process_wakes_without_a_lease
    a_dead_node_is_waited_out_expelled_and_leaves_a_gap
    a_gap_begins_with_what_waits_and_ends_when_it_is_written
    a_database_lost_after_the_commit_only_makes_it_wait
    a_registration_waits_for_a_deletion_under_way
    a_deletion_waits_for_a_registration_under_way
    a_key_of_a_retired_pepper_dies_everywhere
    a_change_of_the_organization_is_seen_by_all
    an_expired_key_is_refused_from_memory
    of_two_deletions_one_wins_and_both_hold
    a_deletion_killed_before_it_settled_is_waited_for_when_repeated
    a_roll_call_expels_the_dead_only
    an_ended_lease_takes_its_memory_along
    a_commit_wakes_a_watcher
}

async fn a_deletion_answers_when_every_node_has_acknowledged(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    world.remember(&key).await;
    let epoch = world.epoch().await;
    let acknowledge = async {
        world.committed_after(epoch).await;
        world.looks().await;
        assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
        world.a.node.renew().await.unwrap();
    };
    let (deleted, ()) = tokio::join!(delete(&world.b, &id), acknowledge);
    let receipt = deleted.unwrap().receipt;
    // Named only if the deletion looked before it acknowledged.
    assert!(
        receipt
            .acknowledged
            .iter()
            .all(|id| id == world.a.node.id())
    );
    assert!(receipt.lapsed.is_empty());
    assert!(world.a.node.memory.is_leased());
    for _ in 0..2 {
        assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
    }
}

/// Nobody looks here but the deletion itself: it waits for no acknowledgement of its own node.
async fn a_node_is_up_to_date_with_its_own_deletion(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    let (_, other) = world.key().await;
    world.remember(&key).await;
    let began = world.clock.monotonic();
    let receipt = delete(&world.a, &id).await.unwrap().receipt;
    assert_eq!(receipt.acknowledged, [world.a.node.id()]);
    assert_eq!(receipt.lapsed, Vec::<String>::new());
    assert_eq!(world.clock.monotonic(), began, "no lease was waited out");
    assert!(world.a.node.memory.is_leased());
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
    assert_eq!(call(&world.a, &other).await, Call::AcceptedFromDatabase);
    assert_eq!(call(&world.a, &other).await, Call::AcceptedFromMemory);
}

async fn a_receipt_that_was_cut_off_is_written_later_and_once(database: TestDb) {
    let world = World::new(database).await;
    let receipts = async || {
        let newest = audit::newest(&world.a, Some(&world.org), (i64::MAX, 100)).await;
        let entries = newest.unwrap().into_iter();
        let effective = entries.filter(|entry| entry.action == "key.deletion.effective");
        effective.map(|entry| entry.target).collect::<Vec<_>>()
    };
    let (recorded, _) = world.key().await;
    let (cut_off, _) = world.key().await;
    let deleted = delete(&world.a, &recorded).await.unwrap();
    deleted.recorded.await.unwrap();
    assert_eq!(receipts().await, [format!("key:{recorded}")]);
    // As a kill after the answer does.
    let deleted = delete(&world.a, &cut_off).await.unwrap();
    deleted.recorded.abort();
    assert!(deleted.recorded.await.unwrap_err().is_cancelled());
    assert_eq!(receipts().await.len(), 1);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(Arc::clone(&world.b).run(Roles::Worker, stop.clone()));
    while receipts().await.len() < 2 {
        world.clock.advance(Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(
        receipts().await,
        [format!("key:{cut_off}"), format!("key:{recorded}")]
    );
    let mut conn = world.a.db.read().await.unwrap();
    assert_eq!(jobs::next_due(&mut conn).await.unwrap(), None);
}

async fn a_node_without_its_database_serves_until_its_lease_ends(database: TestDb) {
    let world = World::new(database).await;
    let (_, key) = world.key().await;
    world.remember(&key).await;
    world.a.db.close().await;
    assert!(world.a.node.renew().await.is_err());
    world
        .clock
        .advance(LEASE.saturating_sub(Duration::from_millis(1)));
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(call(&world.a, &key).await, Call::Failed);
}

async fn a_slow_fill_does_not_bring_a_dead_key_back(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    world.a.node.register().await.unwrap();
    let digest = world.a.peppers.digest(&key);
    let (record, read_under) = {
        let mut conn = world.a.db.read().await.unwrap();
        api_keys::record(&mut conn, &digest).await.unwrap()
    };
    let acknowledge = async {
        world.committed_after(read_under).await;
        world.a.node.renew().await.unwrap();
    };
    let (deleted, ()) = tokio::join!(delete(&world.b, &id), acknowledge);
    deleted.unwrap();
    // Only now does the answer of the read reach the node.
    let memory = &world.a.node.memory;
    memory.remember(digest, record.unwrap(), read_under);
    assert!(memory.is_leased() && memory.is_empty());
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
}

async fn a_paused_process_wakes_without_a_lease(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    world.remember(&key).await;
    let (deleted, waited) = world.delete_by_time(&id).await;
    assert!(waited >= SETTLE);
    assert_eq!(deleted.unwrap().receipt.lapsed, [world.a.node.id()]);
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
    // It was expelled, finds that out, and goes on.
    world.a.node.renew().await.unwrap();
    assert!(world.a.node.memory.is_leased());
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
}

async fn a_dead_node_is_waited_out_expelled_and_leaves_a_gap(database: TestDb) {
    let world = World::new(database).await;
    let (id, _) = world.key().await;
    let mut tx = world.b.db.write().await.unwrap();
    let died_at = world.clock.now();
    auth::register(&mut tx, "node_dead", died_at).await.unwrap();
    tx.commit().await.unwrap();
    let (deleted, waited) = world.delete_by_time(&id).await;
    assert!(waited >= SETTLE);
    assert_eq!(deleted.unwrap().receipt.lapsed, ["node_dead"]);
    let mut conn = world.b.db.read().await.unwrap();
    assert_eq!(auth::nodes(&mut conn).await.unwrap(), []);
    let gaps = api_requests::gaps(&mut conn, &Filter::default(), 10).await;
    let gaps = gaps.unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!((&*gaps[0].node, gaps[0].at), ("node_dead", died_at));
}

async fn a_gap_begins_with_what_waits_and_ends_when_it_is_written(database: TestDb) {
    let world = World::new(database).await;
    let gaps = async || {
        let mut conn = world.b.db.read().await.unwrap();
        let gaps = api_requests::gaps(&mut conn, &Filter::default(), 10).await;
        gaps.unwrap()
    };
    // The database takes the node's row three seconds after the request that it begins with.
    let answered_at = world.clock.now();
    let id = RequestId::new(answered_at, 1);
    request_log::record(&world.a, request(id, answered_at));
    world.clock.advance(Duration::from_secs(3));
    world.a.node.register().await.unwrap();
    let (first, _) = world.key().await;
    let (deleted, _) = world.delete_by_time(&first).await;
    assert_eq!(deleted.unwrap().receipt.lapsed, [world.a.node.id()]);
    let noted = gaps().await;
    assert_eq!(noted.len(), 1);
    assert_eq!(
        (&*noted[0].node, noted[0].at),
        (world.a.node.id(), answered_at)
    );

    // It was late and not dead: it registers again, and writes what waits.
    world.a.node.renew().await.unwrap();
    assert_eq!(gaps().await.len(), 1);
    request_log::drain(&world.a).await;
    assert_eq!(gaps().await, []);
    // From here on nothing waits.
    let (second, _) = world.key().await;
    let (deleted, _) = world.delete_by_time(&second).await;
    deleted.unwrap();
    assert!(gaps().await[0].at > answered_at);
}

fn request(id: RequestId, at: Timestamp) -> Request {
    Request {
        org: "".into(),
        id,
        at,
        key: None,
        key_state: KeyState::Malformed,
        fingerprint: None,
        method: "GET".into(),
        route: String::new().into(),
        path: "/api/v2/organization".into(),
        status: 401,
        code: None,
        refused_by: None,
        duration_us: 1,
        request_bytes: 0,
        response_bytes: 0,
        address: [10, 0, 0, 1].into(),
        user_agent: String::new(),
        browser: false,
    }
}

/// A request without a key is a use of the node, too: a kill would take it along.
#[tokio::test]
async fn whatever_is_logged_wakes_the_node() {
    let world = World::new(headshot_testkit::sqlite().await).await;
    let stop = CancellationToken::new();
    let node = Arc::clone(&world.a.node);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { node.run(stop).await }
    });
    let now = world.clock.now();
    request_log::record(&world.a, request(RequestId::new(now, 1), now));
    leased(&world.a).await;
    stop.cancel();
    running.await.unwrap();
}

/// A file that was moved away is a database that is gone: nothing takes its place, and what is in
/// memory serves until the lease ends.
#[tokio::test]
async fn a_database_that_was_moved_away_takes_no_lease_along() {
    let world = World::new(headshot_testkit::sqlite().await).await;
    let (_, key) = world.key().await;
    world.remember(&key).await;
    let file = Path::new(world.database.url.strip_prefix("sqlite://").unwrap());
    let moved = file.with_extension("old");
    std::fs::rename(file, &moved).unwrap();
    assert!(Watcher::start(&world.a.db).await.is_err());
    assert!(world.a.node.renew().await.is_err());
    assert!(world.a.node.register().await.is_err());
    assert!(!file.exists());
    let nearly = LEASE.saturating_sub(Duration::from_millis(1));
    world.clock.advance(nearly);
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(call(&world.a, &key).await, Call::Failed);
    std::fs::rename(&moved, file).unwrap();
    world.a.node.renew().await.unwrap();
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
}

async fn a_database_lost_after_the_commit_only_makes_it_wait(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    world.remember(&key).await;
    let epoch = world.epoch().await;
    let lost = async {
        world.committed_after(epoch).await;
        world.b.db.close().await;
        world.time_passes().await;
    };
    let deleted = tokio::select! {
        deleted = delete(&world.b, &id) => deleted,
        () = lost => unreachable!("time does not end"),
    };
    let receipt = deleted.unwrap().receipt;
    assert!(receipt.acknowledged.is_empty());
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
}

async fn a_registration_waits_for_a_deletion_under_way(database: TestDb) {
    let world = World::new(database).await;
    let mut deletion = world.b.db.write().await.unwrap();
    let epoch = auth::bump(&mut deletion, Some(&world.org)).await.unwrap();
    let commit = async {
        world.looks().await;
        assert!(!world.a.node.memory.is_leased());
        deletion.commit().await.unwrap();
    };
    let (registered, ()) = tokio::join!(world.a.node.register(), commit);
    registered.unwrap();
    let mut conn = world.b.db.read().await.unwrap();
    let nodes = auth::nodes(&mut conn).await.unwrap();
    assert_eq!(nodes[0].acked, epoch);
}

async fn a_deletion_waits_for_a_registration_under_way(database: TestDb) {
    let world = World::new(database).await;
    let (id, _) = world.key().await;
    let epoch = world.epoch().await;
    let mut registration = world.a.db.write().await.unwrap();
    auth::register(&mut registration, "node_new", world.clock.now())
        .await
        .unwrap();
    let register = async {
        world.looks().await;
        registration.commit().await.unwrap();
        world.committed_after(epoch).await;
        world.time_passes().await;
    };
    let deleted = tokio::select! {
        deleted = delete(&world.b, &id) => deleted,
        () = register => unreachable!("time does not end"),
    };
    assert_eq!(deleted.unwrap().receipt.lapsed, ["node_new"]);
}

async fn a_key_of_a_retired_pepper_dies_everywhere(database: TestDb) {
    let world = World::new(database).await;
    let [first, second, third] = [1, 2, 3].map(testkit::pepper);
    let app = async |current, retired| {
        let db = world.database.connect_again().await;
        testkit::app_with(&db, &world.clock, Peppers::new(current, retired))
    };
    let old = app(first.clone(), vec![]).await;
    let (id, key) = key(&old, &world.org, None).await;
    let two = app(second.clone(), vec![first.clone()]).await;
    let three = app(third, vec![first, second]).await;
    for app in [&two, &three] {
        app.node.register().await.unwrap();
        assert_eq!(call(app, &key).await, Call::AcceptedFromDatabase);
        assert_eq!(call(app, &key).await, Call::AcceptedFromMemory);
    }
    let epoch = world.epoch().await;
    let acknowledge = async {
        world.committed_after(epoch).await;
        two.node.renew().await.unwrap();
        three.node.renew().await.unwrap();
    };
    let (deleted, ()) = tokio::join!(delete(&three, &id), acknowledge);
    deleted.unwrap();
    assert_eq!(call(&two, &key).await, Call::Refused(KeyState::Deleted));
    assert_eq!(call(&three, &key).await, Call::Refused(KeyState::Deleted));
}

async fn a_change_of_the_organization_is_seen_by_all(database: TestDb) {
    let world = World::new(database).await;
    let (_, key) = world.key().await;
    world.remember(&key).await;
    let header = format!("Bearer {}", key.expose());
    let teams = async || {
        let verified = keys::verify(&world.a, Some(header.as_bytes()), world.clock.now());
        let entry = match verified {
            Verification::Accepted(entry) => entry,
            Verification::Unknown(secret, digest) => {
                match keys::load(&world.a, &secret, &digest).await.unwrap() {
                    Verification::Accepted(entry) => entry,
                    other => unreachable!("{other:?}"),
                }
            }
            Verification::Refused(refused) => unreachable!("{refused:?}"),
        };
        let caller = Caller::new(entry, [10, 0, 0, 1].into()).unwrap();
        let details = organizations::details(&world.a, &caller).await.unwrap();
        details.teams.len()
    };
    assert_eq!((teams().await, teams().await), (0, 0));
    let epoch = world.epoch().await;
    let acknowledge = async {
        world.committed_after(epoch).await;
        world.a.node.renew().await.unwrap();
    };
    let actor = Actor::command_line();
    let create = teams::create(&world.b, (&world.org, &actor), "Sales", Once::unkept());
    let (created, ()) = tokio::join!(create, acknowledge);
    created.unwrap();
    assert_eq!(teams().await, 1);
}

async fn an_expired_key_is_refused_from_memory(database: TestDb) {
    let world = World::new(database).await;
    let expires_at = world.clock.now().plus(Duration::from_mins(1));
    let (_, key) = key(&world.b, &world.org, Some(expires_at)).await;
    world.remember(&key).await;
    world
        .clock
        .jump_to(expires_at.minus(Duration::from_millis(1)));
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
    world.clock.jump_to(expires_at);
    world.a.db.close().await;
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Expired));
}

async fn of_two_deletions_one_wins_and_both_hold(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    world.remember(&key).await;
    let other = testkit::app(&world.database.connect_again().await, &world.clock);
    let epoch = world.epoch().await;
    let after = async |app: &Arc<App>| {
        let deleted = delete(app, &id).await;
        assert_ne!(call(&world.a, &key).await, Call::AcceptedFromMemory);
        deleted
    };
    let time = async {
        world.committed_after(epoch).await;
        world.time_passes().await;
    };
    let both = async { tokio::join!(after(&world.b), after(&other)) };
    let (one, two) = tokio::select! {
        both = both => both,
        () = time => unreachable!("time does not end"),
    };
    let won = [&one, &two]
        .iter()
        .filter(|deleted| deleted.is_ok())
        .count();
    assert_eq!(won, 1);
    let lost = one.err().or(two.err());
    assert!(matches!(lost, Some(DeleteError::NotFound)));
}

async fn a_deletion_killed_before_it_settled_is_waited_for_when_repeated(database: TestDb) {
    let world = World::new(database).await;
    let (id, key) = world.key().await;
    world.remember(&key).await;
    let epoch = world.epoch().await;
    tokio::select! {
        _ = delete(&world.b, &id) => unreachable!("the node has not acknowledged"),
        () = world.committed_after(epoch) => {}
    }
    // The promise was not given yet, and the key is still in memory.
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
    let asked_at = world.clock.monotonic();
    let deleted = tokio::select! {
        deleted = delete(&world.b, &id) => deleted,
        () = world.time_passes() => unreachable!("time does not end"),
    };
    let waited = world.clock.monotonic().saturating_sub(asked_at);
    assert!(matches!(deleted, Err(DeleteError::NotFound)));
    assert!(waited >= SETTLE);
    assert_eq!(call(&world.a, &key).await, Call::Refused(KeyState::Deleted));
}

async fn a_roll_call_expels_the_dead_only(database: TestDb) {
    let world = World::new(database).await;
    let (_, key) = world.key().await;
    world.remember(&key).await;
    let mut tx = world.b.db.write().await.unwrap();
    auth::register(&mut tx, "node_dead", world.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let epoch = world.epoch().await;
    let acknowledge = async {
        world.committed_after(epoch).await;
        world.a.node.renew().await.unwrap();
        assert_eq!(call(&world.a, &key).await, Call::AcceptedFromMemory);
        world.time_passes().await;
    };
    let called = tokio::select! {
        called = maintenance::roll_call(&world.b) => called,
        () = acknowledge => unreachable!("time does not end"),
    };
    called.unwrap();
    let mut conn = world.b.db.read().await.unwrap();
    let nodes = auth::nodes(&mut conn).await.unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0].id, world.a.node.id());
}

async fn an_ended_lease_takes_its_memory_along(database: TestDb) {
    let world = World::new(database).await;
    let (_, key) = world.key().await;
    world.remember(&key).await;
    let node = &world.a.node;
    let held = node.memory.find(&world.a.peppers.digest(&key)).unwrap();
    node.deregister().await.unwrap();
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromDatabase);
    assert_eq!(call(&world.a, &key).await, Call::AcceptedFromDatabase);
    // A look-up that saw the old lease compares generations only now, with the lease back.
    let now = world.clock.monotonic();
    node.memory.with_lease(|lease| lease.registered(now, 1));
    assert_eq!(
        node.memory.find(&world.a.peppers.digest(&key)).map(|_| ()),
        None
    );
    drop(held);
}

async fn a_commit_wakes_a_watcher(database: TestDb) {
    let other = database.connect_again().await;
    let mut watcher = Watcher::start(&database.db).await.unwrap();
    let now = ManualClock::new().now();
    for _ in 0..3 {
        bump(&other, now).await;
        watcher.changed().await.unwrap();
    }
    // Neither a wait that was given up nor one that had nothing to tell loses a change.
    tokio::select! {
        biased;
        _ = watcher.changed() => {}
        () = tokio::task::yield_now() => {}
    }
    bump(&other, now).await;
    watcher.changed().await.unwrap();
}

async fn bump(db: &Db, now: Timestamp) {
    let mut tx = db.write().await.unwrap();
    auth::register(&mut tx, "node_other", now).await.unwrap();
    auth::bump(&mut tx, None).await.unwrap();
    auth::tell(&mut tx, "node_own").await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_node_recovers_by_itself_when_the_network_is_mended() {
    let database = testkit::postgres().await;
    let proxy = Proxy::start(&database.url).await;
    let clock = ManualClock::new();
    let app = testkit::app(&testkit::connect(&proxy.url).await, &clock);
    let org = organization(&app).await;
    let (_, key) = key(&app, &org, None).await;
    let stop = CancellationToken::new();
    let node = Arc::clone(&app.node);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { node.run(stop).await }
    });
    // The first request wakes the node.
    assert_eq!(call(&app, &key).await, Call::AcceptedFromDatabase);
    leased(&app).await;
    while call(&app, &key).await != Call::AcceptedFromMemory {}

    proxy.cut().await;
    assert_eq!(call(&app, &key).await, Call::AcceptedFromMemory);
    clock.advance(LEASE);
    assert_eq!(call(&app, &key).await, Call::Failed);

    proxy.mend();
    leased(&app).await;
    while call(&app, &key).await != Call::AcceptedFromMemory {}

    stop.cancel();
    running.await.unwrap();
    let mut conn = database.db.read().await.unwrap();
    assert_eq!(auth::nodes(&mut conn).await.unwrap(), []);
}

async fn leased(app: &App) {
    while !app.node.memory.is_leased() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_process_that_stalls_in_a_transaction_does_not_hold_deletions_up() {
    let world = World::new(testkit::postgres().await).await;
    let (id, _) = world.key().await;
    let mut stalled = world.a.db.write().await.unwrap();
    auth::register(&mut stalled, "node_stalled", world.clock.now())
        .await
        .unwrap();
    // PostgreSQL ends the stalled transaction, so its row never comes to be.
    let receipt = delete(&world.b, &id).await.unwrap().receipt;
    assert!(receipt.lapsed.is_empty());
    assert!(stalled.commit().await.is_err());
}
