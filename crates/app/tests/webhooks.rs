//! Webhooks against a receiver on this machine, by the worker itself.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::sync::Arc;
use std::time::Duration;

use headshot_app::audit::Actor;
use headshot_app::jobs::{self, Dead, ReviveError};
use headshot_app::outbound::{Authorities, Guard, Refusal};
use headshot_app::webhooks::{self, ChangeError, ReplayError};
use headshot_app::{App, Roles, maintenance};
use headshot_domain::{Clock, Credits, Gender, ModelStatus, ModelVersion, OrgId};
use headshot_domain::{Package, Plan, WebhookEvent, WebhookState};
use headshot_storage::models::Model;
use headshot_storage::organizations::{self, Organization};
use headshot_storage::webhooks::{self as rows, Delivery, Event};
use headshot_testkit::{Authority, Call, ManualClock, Receiver, TestDb};
use rstest::rstest;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The code that the documentation shows: written without looking at ours.
mod published {
    #![expect(unreachable_pub, reason = "it is shown as it stands")]
    include!("../../pages/src/docs/verify/verify.rs");
}

#[derive(Debug, Clone, Copy)]
enum On {
    Sqlite,
    Postgres,
}

struct Place {
    _database: TestDb,
    clock: Arc<ManualClock>,
    app: Arc<App>,
    stop: CancellationToken,
    worker: Option<JoinHandle<()>>,
}

impl On {
    async fn open(self) -> Place {
        self.open_with(|_| {}).await
    }

    async fn open_with(self, change: impl FnOnce(&mut headshot_app::Settings)) -> Place {
        let mut place = self.open_idle(change).await;
        place.start();
        place
    }

    /// Without a worker, until it is started.
    async fn open_idle(self, change: impl FnOnce(&mut headshot_app::Settings)) -> Place {
        let database = match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        };
        let clock = ManualClock::new();
        let app = headshot_testkit::app_set(&database.db, &clock, change);
        let mut tx = app.db.write().await.unwrap();
        for id in ["org_1", "org_2"] {
            let org = Organization {
                id: id.into(),
                name: "Acme".into(),
                website: String::new(),
                plan: Plan::Standard,
                package: Package::Normal,
                credits_unlimited: false,
                whitelabel: true,
                created_at: clock.now(),
            };
            organizations::insert(&mut tx, &org).await.unwrap();
        }
        tx.commit().await.unwrap();
        Place {
            _database: database,
            clock,
            app,
            worker: None,
            stop: CancellationToken::new(),
        }
    }
}

fn org(id: &str) -> OrgId {
    OrgId::from(id)
}

fn actor() -> Actor {
    Actor::command_line()
}

impl Place {
    fn start(&mut self) {
        let running = Arc::clone(&self.app).run(Roles::Worker, self.stop.clone());
        self.worker = Some(tokio::spawn(running));
    }

    async fn save(&self, id: &str, url: &str) -> String {
        let saved = webhooks::save_url(&self.app, &actor(), &org(id), url).await;
        saved.unwrap().unwrap().to_string()
    }

    async fn emit(&self, id: &str, events: &[WebhookEvent]) {
        self.emit_about(&self.model(id), events).await;
    }

    /// One event for each of so many models.
    async fn emit_each(&self, id: &str, count: usize) {
        for number in 0..count {
            let model = self.numbered(id, number);
            let events = [WebhookEvent::StatusUpdated];
            self.emit_about(&model, &events).await;
        }
    }

    fn numbered(&self, id: &str, number: usize) -> Model {
        Model {
            id: format!("507f1f77bcf86cd7994390{number:02}").as_str().into(),
            ..self.model(id)
        }
    }

    async fn emit_about(&self, model: &Model, events: &[WebhookEvent]) {
        let mut tx = self.app.db.write().await.unwrap();
        organizations::lock(&mut tx, &model.org).await.unwrap();
        for event in events {
            let emitted = webhooks::emit(&self.app, &mut tx, *event, model).await;
            emitted.unwrap();
        }
        tx.commit().await.unwrap();
    }

    fn model(&self, id: &str) -> Model {
        Model {
            id: "507f1f77bcf86cd799439011".into(),
            org: org(id),
            user: "507f1f77bcf86cd799439012".into(),
            uid: "anon_abc123".into(),
            email: "john@example.com".into(),
            title: "John \u{202e}Doe \"漢字\"".into(),
            gender: Some(Gender::Male),
            status: ModelStatus::Active,
            team: None,
            development: false,
            version: ModelVersion::Lora,
            reserved: Credits::ZERO,
            charged: Credits::ZERO,
            favorite: None,
            created_at: self.clock.now(),
            started_at: None,
            submitted_at: None,
            finished_at: Some(self.clock.now()),
            deleted_at: None,
            invite_expires_at: None,
        }
    }

    /// Waits until an event is in a state.
    async fn until(&self, id: &str, state: WebhookState) -> (Event, Vec<Delivery>) {
        loop {
            let org_1 = webhooks::find(&self.app, &org("org_1"), id).await.unwrap();
            let found = match org_1 {
                Some(found) => Some(found),
                None => webhooks::find(&self.app, &org("org_2"), id).await.unwrap(),
            };
            if let Some(found) = found.filter(|found| found.0.state == state) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until no job runs: one that does would lose its lease to a clock that jumps.
    async fn idle(&self) {
        loop {
            let running = headshot_domain::JobState::Running;
            let running = jobs::list(&self.app, None, running).await;
            if running.unwrap().is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.app.jobs.wake();
    }

    async fn end(self) {
        self.stop.cancel();
        if let Some(worker) = self.worker {
            worker.await.unwrap();
        }
    }

    async fn dead(&self) -> Dead {
        jobs::dead(&self.app, None, None).await.unwrap()
    }

    /// Lets an event fail for the last time; its id.
    async fn fail(&self, receiver: &mut Receiver) -> String {
        self.emit("org_1", &[WebhookEvent::Deleted]).await;
        let mut id = String::new();
        for (tries, pause) in [(1, 0), (2, 0), (3, 5), (4, 15), (5, 60)] {
            // A tenth is added at most.
            self.pass(Duration::from_secs(pause * 66));
            let call = receiver.next().await;
            id = id_of(&call);
            call.answer(500);
            self.tried(&id, tries).await;
            self.idle().await;
        }
        self.until(&id, WebhookState::Failed).await;
        id
    }

    /// Waits until an event was tried so often.
    async fn tried(&self, id: &str, tries: usize) {
        loop {
            let found = webhooks::find(&self.app, &org("org_1"), id).await;
            if found.unwrap().unwrap().1.len() == tries {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Whether the published code takes a call for genuine, now.
    fn genuine(&self, call: &Call, secret: &str) -> bool {
        let now = u64::try_from(self.clock.now().unix_ms() / 1_000).unwrap();
        published::is_genuine(|name| call.header(name), &call.body, secret, now)
    }
}

fn body(call: &Call) -> serde_json::Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn id_of(call: &Call) -> String {
    body(call)["id"].as_str().unwrap().to_owned()
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_signed_in_the_contract_s_shape(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    // Without an address nothing is stored.
    place.emit("org_1", &[WebhookEvent::Created]).await;
    let secret = place.save("org_1", &receiver.url).await;
    assert_eq!(secret.len(), 64);
    assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
    place.emit("org_1", &[WebhookEvent::StatusUpdated]).await;
    let call = receiver.next().await;
    assert!(place.genuine(&call, &secret));
    assert!(!place.genuine(&call, &"0".repeat(64)));
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(call.header("x-headshotpro-signature-previous"), None);
    let text = String::from_utf8(call.body.clone()).unwrap();
    let id = id_of(&call);
    let at = place.clock.now().to_string();
    let title = "John \u{202e}Doe \\\"漢字\\\"";
    assert_eq!(
        text,
        format!(
            "{{\"id\":\"{id}\",\"event\":\"model.status.updated\",\"createdAt\":\"{at}\",\
             \"objectType\":\"model\",\"object\":{{\"_id\":\"507f1f77bcf86cd799439011\",\
             \"uid\":\"anon_abc123\",\"title\":\"{title}\",\"trigger\":\"male\",\
             \"status\":\"active\",\"isDevelopment\":false,\"finishedAt\":\"{at}\",\
             \"deletedAt\":null,\"inviteExpiresAt\":null,\"createdAt\":\"{at}\",\
             \"organization\":\"org_1\"}}}}"
        )
    );
    call.answer(204);
    let (event, deliveries) = place.until(&id, WebhookState::Delivered).await;
    assert_eq!(event.body, text);
    assert_eq!(deliveries.len(), 1);
    let delivery = &deliveries[0];
    assert_eq!((delivery.attempt, delivery.status), (1, Some(204)));
    assert!(
        delivery
            .request_head
            .contains("X-HeadshotPro-Signature: sha256=")
    );
    assert!(delivery.response_head.starts_with("HTTP/1.1 204"));
    let other = webhooks::find(&place.app, &org("org_2"), &id).await;
    assert!(other.unwrap().is_none(), "another organization's event");
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn five_tries_each_signed_anew_then_failed_then_replayed(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    let secret = place.save("org_1", &receiver.url).await;
    place.emit("org_1", &[WebhookEvent::Deleted]).await;
    let mut seen: Vec<(String, Vec<u8>, String)> = Vec::new();
    for pause in [0, 0, 5, 15, 60] {
        // A tenth is added at most.
        place.pass(Duration::from_secs(pause * 66));
        let call = receiver.next().await;
        assert!(place.genuine(&call, &secret), "a stale timestamp");
        let timestamp = call.header("x-headshotpro-timestamp").unwrap().to_owned();
        seen.push((id_of(&call), call.body.clone(), timestamp));
        call.answer(500);
        place.tried(&seen[0].0, seen.len()).await;
        place.idle().await;
    }
    assert!(
        seen.iter()
            .all(|(id, body, _)| (id, body) == (&seen[0].0, &seen[0].1))
    );
    let mut times: Vec<&String> = seen.iter().map(|(_, _, time)| time).collect();
    times.dedup();
    assert_eq!(times.len(), 4, "the first two are one second's: {times:?}");
    let id = seen[0].0.clone();
    let (_, deliveries) = place.until(&id, WebhookState::Failed).await;
    let attempts: Vec<i64> = deliveries.iter().map(|row| row.attempt).collect();
    assert_eq!(attempts, [5, 4, 3, 2, 1]);
    assert_eq!(
        webhooks::count_failed(&place.app, &org("org_1"))
            .await
            .unwrap(),
        1
    );

    let other = webhooks::replay(&place.app, &actor(), &org("org_2"), &id).await;
    assert!(matches!(other, Err(ReplayError::NotFound)));
    let replayed = webhooks::replay_failed(&place.app, &actor(), &org("org_1")).await;
    assert_eq!(replayed.unwrap(), 1);
    let pending = webhooks::replay(&place.app, &actor(), &org("org_1"), &id).await;
    assert!(matches!(pending, Err(ReplayError::Pending)));
    let call = receiver.next().await;
    assert_eq!((id_of(&call), &call.body), (id.clone(), &seen[0].1));
    assert!(place.genuine(&call, &secret));
    call.answer(200);
    place.until(&id, WebhookState::Delivered).await;
    webhooks::replay(&place.app, &actor(), &org("org_1"), &id)
        .await
        .unwrap();
    receiver.next().await.answer(200);
    place.until(&id, WebhookState::Delivered).await;
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_delays_no_other(#[case] on: On) {
    let place = on.open().await;
    let (mut slow, mut quick) = (Receiver::start().await, Receiver::start().await);
    place.save("org_1", &slow.url).await;
    place.save("org_2", &quick.url).await;
    place.emit_each("org_1", 20).await;
    let mut hanging = Vec::new();
    for _ in 0..4 {
        hanging.push(slow.next().await);
    }
    place.emit_each("org_2", 20).await;
    for _ in 0..20 {
        let call = quick.next().await;
        let id = id_of(&call);
        call.answer(200);
        place.until(&id, WebhookState::Delivered).await;
    }
    // The slow one still has not seen a fifth.
    let running = headshot_domain::JobState::Running;
    let slow_org = org("org_1");
    let running = jobs::list(&place.app, Some(&slow_org), running).await;
    assert_eq!(running.unwrap().len(), 4);
    drop((hanging, slow));
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_is_left(#[case] on: On) {
    let place = on
        .open_with(|settings| settings.webhook_time_max = Duration::from_millis(50))
        .await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    place.emit("org_1", &[WebhookEvent::Created]).await;
    let hanging = receiver.next().await;
    // The second try follows at once.
    let call = receiver.next().await;
    let id = id_of(&call);
    assert_eq!(id, id_of(&hanging));
    call.answer(200);
    let (_, deliveries) = place.until(&id, WebhookState::Delivered).await;
    let first = deliveries.last().unwrap();
    assert_eq!(
        first.error.as_deref(),
        Some("no answer within 0.05 seconds")
    );
    assert_eq!(first.status, None);
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_signs_twice_until_the_overlap_ends(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    let old = place.save("org_1", &receiver.url).await;
    let day = Duration::from_hours(24);
    let new = webhooks::rotate(&place.app, &actor(), &org("org_1"), day).await;
    let new = new.unwrap().to_string();
    assert_ne!(old, new);
    place.emit("org_1", &[WebhookEvent::Created]).await;
    let call = receiver.next().await;
    assert!(place.genuine(&call, &new) && place.genuine(&call, &old));
    let id = id_of(&call);
    call.answer(200);
    place.until(&id, WebhookState::Delivered).await;
    place.idle().await;
    place.pass(day);
    place.emit("org_1", &[WebhookEvent::Created]).await;
    let call = receiver.next().await;
    assert!(place.genuine(&call, &new) && !place.genuine(&call, &old));
    let id = id_of(&call);
    call.answer(200);
    place.until(&id, WebhookState::Delivered).await;

    // Without an overlap the old one is void at once; a saved address keeps the secret.
    let newest = webhooks::rotate(&place.app, &actor(), &org("org_1"), Duration::ZERO).await;
    let newest = newest.unwrap().to_string();
    let kept = webhooks::save_url(&place.app, &actor(), &org("org_1"), &receiver.url).await;
    assert!(kept.unwrap().is_none());
    place.emit("org_1", &[WebhookEvent::Created]).await;
    let call = receiver.next().await;
    assert!(place.genuine(&call, &newest) && !place.genuine(&call, &new));
    call.answer(200);

    let endpoint = webhooks::endpoint(&place.app, &org("org_1"))
        .await
        .unwrap()
        .unwrap();
    let shows = |secret: &str| {
        endpoint
            .secret
            .windows(64)
            .any(|part| part == secret.as_bytes())
    };
    assert!(!shows(&newest));
    let too_long = webhooks::OVERLAP_MAX + Duration::from_secs(1);
    let refused = webhooks::rotate(&place.app, &actor(), &org("org_1"), too_long).await;
    assert!(matches!(refused, Err(ChangeError::Overlap)));
    let longest = webhooks::OVERLAP_MAX;
    assert!(
        webhooks::rotate(&place.app, &actor(), &org("org_1"), longest)
            .await
            .is_ok()
    );
    let none = webhooks::rotate(&place.app, &actor(), &org("org_2"), day).await;
    assert!(matches!(none, Err(ChangeError::NoEndpoint)));
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn internal_addresses_are_refused_also_behind_a_name(#[case] on: On) {
    let place = on
        .open_with(|settings| {
            settings.webhook_guard = Guard {
                allow_http: true,
                ..Guard::default()
            };
        })
        .await;
    let receiver = Receiver::start().await;
    let refused = webhooks::save_url(&place.app, &actor(), &org("org_1"), &receiver.url).await;
    assert!(matches!(
        refused,
        Err(ChangeError::Url(Refusal::Internal(_)))
    ));
    let named = receiver.url.replace("127.0.0.1", "localhost");
    place.save("org_1", &named).await;
    let id = webhooks::send_test(&place.app, &actor(), &org("org_1"))
        .await
        .unwrap();
    loop {
        let (_, deliveries) = place.until(&id, WebhookState::Pending).await;
        if let Some(first) = deliveries.last() {
            let error = first.error.as_deref().unwrap();
            assert!(error.contains("is not a public address"), "{error}");
            break;
        }
        tokio::task::yield_now().await;
    }
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_fails_when_the_webhook_is_removed(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    let id = webhooks::send_test(&place.app, &actor(), &org("org_1"))
        .await
        .unwrap();
    let call = receiver.next().await;
    assert_eq!(body(&call)["event"], "webhook.test");
    assert_eq!(body(&call)["object"]["isDevelopment"], true);
    webhooks::remove(&place.app, &actor(), &org("org_1"))
        .await
        .unwrap();
    place.until(&id, WebhookState::Failed).await;
    call.answer(500);
    place.until(&id, WebhookState::Failed).await;
    let again = webhooks::remove(&place.app, &actor(), &org("org_1")).await;
    assert!(matches!(again, Err(ChangeError::NoEndpoint)));
    let replay = webhooks::replay_failed(&place.app, &actor(), &org("org_1")).await;
    assert!(matches!(replay, Err(ReplayError::NoEndpoint)));
    place.end().await;
}

/// What was meant for one address is not sent to the next one, signed with that one's secret.
#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_a_removed_webhook_is_not_sent_to_the_next(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    let send = async || webhooks::send_test(&place.app, &actor(), &org("org_1")).await;
    let first = send().await.unwrap();
    // The second try follows at once, the third one after minutes.
    for tries in [1, 2] {
        receiver.next().await.answer(500);
        place.tried(&first, tries).await;
    }
    place.idle().await;
    let removed = webhooks::remove(&place.app, &actor(), &org("org_1")).await;
    removed.unwrap();
    place.save("org_1", &receiver.url).await;
    place.idle().await;
    place.pass(Duration::from_hours(24));
    let second = send().await.unwrap();
    let call = receiver.next().await;
    assert_eq!(body(&call)["id"], second);
    call.answer(200);
    place.until(&second, WebhookState::Delivered).await;
    assert_eq!(place.until(&first, WebhookState::Failed).await.1.len(), 2);
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_by_state_and_page(#[case] on: On) {
    let place = on.open().await;
    let receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    place
        .emit("org_1", &[WebhookEvent::StatusUpdated; webhooks::PAGE + 1])
        .await;
    let first = webhooks::page(&place.app, &org("org_1"), None, None)
        .await
        .unwrap();
    assert_eq!(first.events.len(), webhooks::PAGE);
    let second = webhooks::page(&place.app, &org("org_1"), None, first.older).await;
    let second = second.unwrap();
    assert_eq!((second.events.len(), second.older), (1, None));
    let failed = Some(WebhookState::Failed);
    let none = webhooks::page(&place.app, &org("org_1"), failed, None)
        .await
        .unwrap();
    assert!(none.events.is_empty());
    drop(receiver);
    place.end().await;
}

/// Several events of each model wait when a worker starts: the first try of each begins when that of
/// the one before it is over, and other models do not wait for it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_model_s_events_are_told_in_their_order(
    #[values(On::Sqlite, On::Postgres)] on: On,
    #[values(
        [WebhookEvent::Created, WebhookEvent::Deleted],
        [WebhookEvent::StatusUpdated, WebhookEvent::PhotosReady]
    )]
    pair: [WebhookEvent; 2],
) {
    const MODELS: usize = 12;
    let mut place = on.open_idle(|_| {}).await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    for number in 0..MODELS {
        place
            .emit_about(&place.numbered("org_1", number), &pair)
            .await;
    }
    place.start();
    // As many as are told at a time hang, each about another model.
    let mut hanging = Vec::new();
    for _ in 0..4 {
        hanging.push(receiver.next().await);
    }
    let mut told = Vec::new();
    while told.len() < 2 * MODELS {
        let call = match hanging.pop() {
            Some(call) => call,
            None => receiver.next().await,
        };
        let said = body(&call);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        told.push((text(&said["object"]["_id"]), text(&said["event"])));
        call.answer(200);
    }
    for number in 0..MODELS {
        let id = place.numbered("org_1", number).id.to_string();
        let of_model: Vec<&str> = told
            .iter()
            .filter(|(model, _)| *model == id)
            .map(|(_, event)| event.as_str())
            .collect();
        assert_eq!(of_model, pair.map(WebhookEvent::name), "{told:?}");
    }
    place.end().await;
}

/// One that is refused holds up nothing: what comes after it is tried before its third try.
#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_no_second_success(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    let events = [WebhookEvent::Created, WebhookEvent::Deleted];
    place.emit("org_1", &events).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let call = receiver.next().await;
        let event = body(&call)["event"].as_str().unwrap().to_owned();
        call.answer(if event == "model.created" { 500 } else { 200 });
        told.push(event);
    }
    assert_eq!(told[0], "model.created");
    told.sort();
    assert_eq!(told, ["model.created", "model.created", "model.deleted"]);
    place.end().await;
}

/// Whoever said 2xx has the event, whatever becomes of the rest of the answer.
#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_counts_though_its_body_breaks_off(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    place.emit("org_1", &[WebhookEvent::Created]).await;
    let call = receiver.next().await;
    let id = id_of(&call);
    call.break_off(200);
    let (_, deliveries) = place.until(&id, WebhookState::Delivered).await;
    assert_eq!(deliveries.len(), 1);
    let delivery = &deliveries[0];
    assert_eq!((delivery.status, &delivery.error), (Some(200), &None));
    assert!(delivery.response_head.starts_with("HTTP/1.1 200"));
    assert_eq!(delivery.response_body, "ok");
    place.end().await;
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_job_goes_with_its_replay_and_with_its_event(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    let id = place.fail(&mut receiver).await;
    assert_eq!(place.dead().await.total, 1);
    let org = org("org_1");
    webhooks::replay(&place.app, &actor(), &org, &id)
        .await
        .unwrap();
    assert_eq!(place.dead().await.total, 0);
    receiver.next().await.answer(200);
    place.until(&id, WebhookState::Delivered).await;
    place.idle().await;

    place.fail(&mut receiver).await;
    let replayed = webhooks::replay_failed(&place.app, &actor(), &org).await;
    assert_eq!((replayed.unwrap(), place.dead().await.total), (1, 0));
    let call = receiver.next().await;
    let id = id_of(&call);
    call.answer(200);
    place.until(&id, WebhookState::Delivered).await;
    place.idle().await;

    let id = place.fail(&mut receiver).await;
    assert_eq!(place.dead().await.total, 1);
    let kept = place.app.settings.log_retention;
    place
        .clock
        .advance(kept.saturating_sub(Duration::from_hours(2)));
    maintenance::clean_up(&place.app).await.unwrap();
    assert_eq!(place.dead().await.total, 1, "not before its event");
    place.clock.advance(Duration::from_hours(3));
    maintenance::clean_up(&place.app).await.unwrap();
    let found = webhooks::find(&place.app, &org, &id).await.unwrap();
    assert!(found.is_none());
    assert_eq!(place.dead().await.total, 0);
    place.end().await;
}

/// Five deliveries at most: what was acknowledged is not sent again by a job that is left over.
#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_job_of_a_delivered_event_is_not_tried_again(#[case] on: On) {
    let place = on.open().await;
    let mut receiver = Receiver::start().await;
    place.save("org_1", &receiver.url).await;
    for state in [WebhookState::Delivered, WebhookState::Pending] {
        let id = place.fail(&mut receiver).await;
        let mut tx = place.app.db.write().await.unwrap();
        rows::set_state(&mut tx, &id, state).await.unwrap();
        tx.commit().await.unwrap();
        let dead = place.dead().await;
        let revived = jobs::revive(&place.app, &actor(), None, &dead.jobs[0].id).await;
        assert!(matches!(revived, Err(ReviveError::Needless)), "{revived:?}");
        assert_eq!(place.dead().await.total, 0);
        let (event, deliveries) = place.until(&id, state).await;
        assert_eq!((event.state, deliveries.len()), (state, 5));
    }
    place.idle().await;
    assert!(receiver.is_unheard());
    place.end().await;
}

/// What the page shows is what is sent, but for spaces, and its signature is right.
#[tokio::test]
async fn the_documentation_shows_a_delivery_as_it_is() {
    let place = On::Sqlite.open_idle(|_| {}).await;
    place.save("org_1", "http://127.0.0.1:9/").await;
    let created = place.clock.now();
    place.clock.advance(Duration::from_mins(90));
    let model = Model {
        title: "John Doe".into(),
        created_at: created,
        finished_at: Some(created.plus(Duration::from_mins(75))),
        invite_expires_at: Some(created.plus(Duration::from_hours(30 * 24))),
        ..place.model("org_1")
    };
    let event = [WebhookEvent::StatusUpdated];
    place.emit_about(&model, &event).await;
    let page = webhooks::page(&place.app, &org("org_1"), None, None).await;
    let (event, _) = page.unwrap().events.remove(0);
    let lines = headshot_pages::WEBHOOK_BODY.lines().map(str::trim);
    let shown = lines.collect::<String>().replace("\": ", "\":");
    let sample: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let sent = event.body.replace(&event.id, &text(&sample["id"]));
    let sent = sent.replace("org_1", &text(&sample["object"]["organization"]));
    assert_eq!(sent, shown);

    let secret = "0123456789abcdef".repeat(4);
    let at = place.clock.now().unix_ms() / 1_000;
    let signature = headshot_app::outbound::sign(&secret, at, sent.as_bytes());
    assert_eq!(
        headshot_pages::WEBHOOK_DELIVERY,
        format!(
            "POST /your/path HTTP/1.1\nContent-Type: application/json\n\
             X-HeadshotPro-Timestamp: {at}\nX-HeadshotPro-Signature: {signature}\n"
        )
    );
    place.end().await;
}

/// As by default, but for this machine's addresses: over TLS only, trusting one more authority.
fn over_tls(settings: &mut headshot_app::Settings, authority: &Authority) {
    settings.webhook_guard = Guard {
        allow_http: false,
        allow_networks: "127.0.0.0/8".parse().unwrap(),
    };
    settings.authorities = Authorities::from_pem(authority.pem.as_bytes()).unwrap();
}

#[rstest]
#[case::sqlite(On::Sqlite)]
#[case::postgres(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_over_tls(#[case] on: On) {
    let authority = Authority::new();
    let place = on
        .open_with(|settings| over_tls(settings, &authority))
        .await;
    let mut receiver = Receiver::start_tls(&authority, "127.0.0.1").await;
    let secret = place.save("org_1", &receiver.url).await;
    place.emit("org_1", &[WebhookEvent::StatusUpdated]).await;
    let call = receiver.next().await;
    assert!(place.genuine(&call, &secret));
    let id = id_of(&call);
    call.answer(200);
    let (_, deliveries) = place.until(&id, WebhookState::Delivered).await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(
        (deliveries[0].status, &deliveries[0].error),
        (Some(200), &None)
    );
    assert!(deliveries[0].url.starts_with("https://127.0.0.1:"));
    place.end().await;
}

/// The receiver's certificate is from whom, for which host, and what the delivery log says of it.
#[rstest]
#[case(
    "somebody else",
    "127.0.0.1",
    "the certificate is from an authority that this server does not trust"
)]
#[case(
    "the trusted one",
    "hooks.acme.example",
    "the certificate is for another host"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_with_a_wrong_certificate_is_told_nothing(
    #[case] from: &str,
    #[case] host: &str,
    #[case] why: &str,
) {
    let (trusted, other) = (Authority::new(), Authority::new());
    let place = On::Sqlite
        .open_with(|settings| over_tls(settings, &trusted))
        .await;
    let issuer = match from {
        "somebody else" => &other,
        _ => &trusted,
    };
    let mut receiver = Receiver::start_tls(issuer, host).await;
    place.save("org_1", &receiver.url).await;
    place.emit("org_1", &[WebhookEvent::StatusUpdated]).await;
    // The second try follows at once; the third one does not.
    let tries = loop {
        let page = webhooks::page(&place.app, &org("org_1"), None, None).await;
        let id = page.unwrap().events[0].0.id.clone();
        let found = webhooks::find(&place.app, &org("org_1"), &id).await;
        let (_, tries) = found.unwrap().unwrap();
        if tries.len() == 2 {
            break tries;
        }
        tokio::task::yield_now().await;
    };
    for tried in tries {
        assert_eq!(tried.status, None);
        let said = format!("no TLS connection: {why}");
        assert_eq!(tried.error.as_deref(), Some(&*said));
    }
    place.end().await;
    assert!(receiver.is_unheard(), "it was told something");
}
