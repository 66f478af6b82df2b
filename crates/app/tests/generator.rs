//! Shoots that a generator makes: the reference server of `tests/generator`, well and with faults.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::TryStreamExt as _;
use headshot_app::access::{self, Visit};
use headshot_app::audit::Actor;
use headshot_app::consent::{self, Said};
use headshot_app::idempotency::Once;
use headshot_app::outbound::generator::{
    Endpoint, IMAGE_MAX, PHOTOS_MAX, REQUEST_MAX, SIGNATURE, STATE_MAX, TIMESTAMP,
};
use headshot_app::{Roles, Settings, invites, jobs, shoots, uploads};
use headshot_domain::{Clock as _, Credits, JobState, ModelStatus, Variant};
use headshot_imaging::decode::{self, Format};
use headshot_imaging::{Recipe, SourceType, portraits};
use headshot_testkit::{GENERATOR_SECRET, GeneratorServer, Home, On, TestDb};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Photos of each shoot in these tests.
const PHOTOS: usize = 2;

/// How long a test waits for what must happen. Only a failure takes this long.
const PATIENCE: Duration = Duration::from_mins(2);

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../docs/generator/openapi.json")).unwrap()
});

struct Place {
    home: Home,
}

impl Deref for Place {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn endpoint(url: &str, time_max: Duration) -> Endpoint {
    Endpoint::new(url, GENERATOR_SECRET, (false, time_max)).unwrap()
}

fn set(settings: &mut Settings, endpoint: Endpoint) {
    settings.studio.photos = PHOTOS;
    settings.generator = Some(endpoint);
}

impl Place {
    async fn open(database: TestDb, endpoint: Endpoint) -> Self {
        let credits = Some(Credits::whole(100));
        Self {
            home: Home::open(database, credits, |settings| set(settings, endpoint)).await,
        }
    }

    async fn on(url: &str) -> Self {
        let endpoint = endpoint(url, Duration::from_hours(1));
        Self::open(headshot_testkit::sqlite().await, endpoint).await
    }

    /// The same database and objects with another generator.
    fn with(&mut self, endpoint: Endpoint) {
        self.home.restart(|settings| set(settings, endpoint));
    }

    /// A person who has submitted a selfie.
    async fn submitted(&self, name: &str) -> Visit {
        let (app, email) = (&self.app, format!("{name}@acme.example").parse().unwrap());
        let by = (&self.org, &Actor::command_line());
        let invite = invites::create(app, by, (&email, None), Once::unkept()).await;
        let joined = invites::join(app, &invite.unwrap().id, (&email, None)).await;
        let visit = access::open(app, &joined.unwrap().token).await;
        let visit = visit.unwrap().unwrap();
        let said = Said {
            name,
            gender: None,
            version: consent::terms(app).version,
        };
        consent::give(app, &visit, said, HOME).await.unwrap();
        let portrait = portraits::ALL.iter().find(|one| one.name == "obama");
        let portrait = Bytes::from_static(portrait.unwrap().bytes);
        uploads::add(app, &visit, portrait).await.unwrap();
        shoots::submit(app, &visit).await.unwrap();
        visit
    }

    fn work(&self) -> Worker {
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&self.app).run(Roles::Worker, stop.clone()));
        Worker { stop, task }
    }

    async fn until(&self, visit: &Visit, wanted: ModelStatus) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = shoots::progress(&self.app, visit).await.unwrap().status;
            if now == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{now}, not {wanted}");
            tokio::task::yield_now().await;
        }
    }

    /// Until no shoot waits or runs.
    async fn until_idle(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.errors(JobState::Queued).await.is_empty()
            || !self.errors(JobState::Running).await.is_empty()
        {
            assert!(Instant::now() < deadline, "a shoot never ends");
            tokio::task::yield_now().await;
        }
    }

    /// Until the one shoot that did not succeed waits for its next try; why it does.
    async fn waits_again(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut errors = self.errors(JobState::Queued).await;
            errors.retain(|error| !error.is_empty());
            if let Some(error) = errors.pop() {
                return error;
            }
            assert!(Instant::now() < deadline, "it is not tried again");
            tokio::task::yield_now().await;
        }
    }

    /// What the shoots in a state say of their last try.
    async fn errors(&self, state: JobState) -> Vec<String> {
        let found = jobs::list(&self.app, None, state).await.unwrap();
        let shoots = found.into_iter().filter(|job| job.kind == "shoot");
        shoots
            .map(|job| job.last_error.unwrap_or_default())
            .collect()
    }
}

/// Waits until the generator has answered so.
async fn heard(generator: &mut GeneratorServer, method: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while generator.count(method, status) == 0 {
        assert!(Instant::now() < deadline, "no {method} with {status}");
        tokio::task::yield_now().await;
    }
}

fn size(bytes: &[u8]) -> (usize, usize) {
    let pixels = decode::decode(bytes).unwrap().pixels;
    (pixels.width(), pixels.height())
}

/// Holds an exchange against the document.
fn conforms(exchange: &Value) {
    let (method, path) = (&exchange["method"], exchange["path"].as_str().unwrap());
    let template = match path.split('/').count() {
        3 => "/v1/generations",
        4 => "/v1/generations/{id}",
        _ => "/v1/generations/{id}/images/{place}",
    };
    let item = &DOCUMENT["paths"][template];
    let operation = &item[method.as_str().unwrap().to_lowercase()];
    assert!(operation.is_object(), "{method} {path} is not documented");
    let parameters = [&item["parameters"], &operation["parameters"]];
    let parameters = parameters.iter().filter_map(|list| list.as_array());
    let mut headers = 0;
    for parameter in parameters.flatten() {
        let parameter = resolved(parameter);
        if parameter["in"] == "header" {
            let name = parameter["name"].as_str().unwrap();
            valid(&parameter["schema"], &exchange["headers"][name]);
            headers += 1;
        }
    }
    assert_eq!(headers, 2, "{TIMESTAMP} and {SIGNATURE}");
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema.is_null(), exchange["request"].is_null());
    if schema.is_object() {
        valid(schema, &exchange["request"]);
    }
    let responses = &operation["responses"];
    let response = match &responses[exchange["status"].to_string()] {
        Value::Null => &responses["default"],
        response => response,
    };
    let schema = &resolved(response)["content"]["application/json"]["schema"];
    if schema.is_object() {
        valid(schema, &exchange["answer"]);
    }
}

fn resolved(node: &Value) -> &Value {
    match node["$ref"].as_str() {
        Some(place) => DOCUMENT.pointer(place.trim_start_matches('#')).unwrap(),
        None => node,
    }
}

fn valid(schema: &Value, body: &Value) {
    let whole = json!({ "components": DOCUMENT["components"], "allOf": [schema] });
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&whole)
        .unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_generator_makes_the_headshots(#[case] on: On) {
    let mut generator = GeneratorServer::start();
    let endpoint = endpoint(&generator.url, Duration::from_hours(1));
    let place = Place::open(on.database().await, endpoint).await;
    generator.fail("large");
    let visit = place.submitted("jane").await;
    let worker = place.work();
    place.until(&visit, ModelStatus::Active).await;
    place.until_idle().await;
    worker.end().await;

    let made = place.photos(&visit.model.id).await;
    assert_eq!(made.len(), PHOTOS);
    for photo in &made {
        let main = place.object(photo, Variant::Main).await;
        assert_eq!(decode::sniff(&main), Some(Format::Jpeg));
        let recipe: Recipe = serde_json::from_str(&photo.recipe).unwrap();
        let wished = (recipe.look.size.width, recipe.look.size.height);
        assert_eq!(size(&main), wished);
        // It came twice as wide and three times as high, and was cut to the shape.
        let original = place.object(photo, Variant::Original).await;
        assert_eq!(size(&original), (wished.0 * 2, wished.1 * 2));
        let thumbnail = place.object(photo, Variant::Thumbnail).await;
        assert_eq!(size(&thumbnail), (256, 256 * wished.1 / wished.0));
        assert_eq!(Recipe::from_photo(&main), Some(recipe.clone()));
        assert_eq!(recipe.engine, "generator Grey 1");
        assert_eq!(recipe.source, SourceType::TrainedAlgorithmicMedia);
        for file in [&main, &original, &thumbnail] {
            let text = String::from_utf8_lossy(file);
            assert!(text.contains("digitalsourcetype/trainedAlgorithmicMedia<"));
        }
    }
    assert_eq!(place.problems().await, [""; 0]);
    let exchanges = generator.exchanges();
    exchanges.iter().for_each(conforms);
    // Nothing is left at the generator.
    let last = exchanges.last().unwrap();
    assert_eq!(
        (&last["method"], &last["status"]),
        (&json!("DELETE"), &json!(204))
    );
    assert_eq!(generator.count("POST", 202), 1);
    let request = generator
        .exchanges()
        .iter()
        .find(|one| one["method"] == "POST");
    check_request(&request.unwrap()["request"], &place);
}

/// What is sent: enough to make the photos, and nothing of who it is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions"
)]
fn check_request(request: &Value, place: &Place) {
    let id = request["id"].as_str().unwrap();
    let callback = format!("http://127.0.0.1:8080/engine/callbacks/{id}");
    assert_eq!(request["callbackUrl"], callback);
    let until = place.clock.now().plus(Duration::from_hours(25)).to_string();
    let until = (
        &until[..16],
        &request["deleteAfter"].as_str().unwrap()[..16],
    );
    assert_eq!(until.0, until.1);
    assert_eq!(request["photos"].as_array().unwrap().len(), PHOTOS);
    let selfies = request["selfies"].as_array().unwrap();
    assert_eq!(selfies.len(), 1);
    let selfie = &selfies[0];
    let side = |name: &str| usize::try_from(selfie[name].as_u64().unwrap()).unwrap();
    let sides = (side("width"), side("height"));
    let file = |name: &str| {
        let text = selfie[name].as_str().unwrap();
        BASE64.decode(text.as_bytes()).unwrap()
    };
    assert_eq!(decode::sniff(&file("picture")), Some(Format::Jpeg));
    assert_eq!(size(&file("picture")), sides);
    let (matte, skin) = (file("matte"), file("skin"));
    let level = |bytes: &[u8], point: &Value| {
        let pixels = decode::decode(bytes).unwrap().pixels;
        assert_eq!((pixels.width(), pixels.height()), sides);
        let at = |axis: usize| point[axis].as_f64().unwrap() as usize;
        pixels.at(at(0), at(1))[0]
    };
    let landmarks = &selfie["landmarks"];
    // A cheek is person and skin, the eyes are person and no skin, the corner is nobody.
    let cheek = &landmarks["mesh"][50];
    assert_eq!(level(&matte, cheek), 255);
    assert!(level(&skin, cheek) > 128);
    assert_eq!(level(&matte, &landmarks["leftEye"]), 255);
    assert!(level(&skin, &landmarks["leftEye"]) < 64);
    assert_eq!(level(&matte, &json!([1, 1])), 0);
    let text = request.to_string();
    for secret in ["jane", "acme", place.org.as_str()] {
        assert!(!text.contains(secret), "{secret} is sent");
    }
}

#[test]
fn the_document_s_limits_are_the_code_s() {
    let schemas = &DOCUMENT["components"]["schemas"];
    let number = |schema: &str, path: &str| {
        let found = schemas[schema]["properties"].pointer(path);
        usize::try_from(found.unwrap().as_u64().unwrap()).unwrap()
    };
    assert_eq!(number("Request", "/photos/maxItems"), PHOTOS_MAX);
    assert_eq!(number("Generation", "/images/maxItems"), PHOTOS_MAX);
    assert_eq!(number("Wish", "/place/maximum"), PHOTOS_MAX - 1);
    assert_eq!(number("Image", "/bytes/maximum"), IMAGE_MAX);
    assert_eq!(PHOTOS_MAX, headshot_app::studio::PHOTOS_MAX);
    let text = DOCUMENT.to_string();
    assert!(text.contains(&format!("At most {} MiB", REQUEST_MAX >> 20)));
    assert!(text.contains(&format!("at most {} KiB of JSON", STATE_MAX >> 10)));
}

/// Each fault fails the try with its reason, costs nothing, and is over with the next try.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_generator_does_wrong() {
    let mut generator = GeneratorServer::start();
    let place = Place::on(&generator.url).await;
    let worker = place.work();
    for (fault, why) in [
        ("garbage", "it is not what the protocol says"),
        ("endless", "is longer than 262144 bytes"),
        ("unasked", "made place 199, which it was not asked for"),
        ("too-many", "it lists 201 pictures; there may be 200"),
        ("twice", "twice"),
        ("huge", "has 33554433 bytes; 1 to 33554432 are taken"),
        ("wrong-digest", "its SHA-256 is not the announced one"),
        ("longer", "the generator's answer is longer than"),
        ("shorter", "were announced"),
        ("no-picture", "it is no JPEG, PNG or WebP"),
        (
            "small",
            "1023 x 1280 pixels; at least 1024 x 1280 are needed",
        ),
        ("short", "has left out 1 of the photos"),
        ("fails", "the card is full (no_memory)"),
        ("cancels", "the generation was cancelled at the generator"),
        ("redirects", "answered 302"),
    ] {
        generator.fail(fault);
        let before = (generator.count("POST", 202), generator.count("DELETE", 204));
        let visit = place.submitted(fault).await;
        place.until(&visit, ModelStatus::Failed).await;
        let error = place.waits_again().await;
        assert!(error.contains(why), "{fault}: {error}");
        generator.fail("");
        place.clock.advance(Duration::from_secs(3));
        place.until(&visit, ModelStatus::Active).await;
        assert_eq!(place.photos(&visit.model.id).await.len(), PHOTOS, "{fault}");
        place.until_idle().await;
        // What is of no use is deleted before it is asked for anew.
        let after = (generator.count("POST", 202), generator.count("DELETE", 204));
        let tries = if fault == "redirects" { 1 } else { 2 };
        assert_eq!(after, (before.0 + tries, before.1 + tries), "{fault}");
    }
    worker.end().await;
    assert_eq!(place.problems().await, [""; 0]);
}

/// 500, 503, 429 and then an answer: within one try.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_generator_is_asked_again() {
    let mut generator = GeneratorServer::start();
    let place = Place::on(&generator.url).await;
    generator.fail("busy silent");
    let visit = place.submitted("jane").await;
    let worker = place.work();
    place.until(&visit, ModelStatus::Active).await;
    place.until_idle().await;
    worker.end().await;
    for status in [500, 503, 429] {
        assert_eq!(generator.count("GET", status), 1);
    }
    generator.exchanges().iter().for_each(conforms);
    assert_eq!(place.app.jobs.counts().retried, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_tried_again() {
    let mut generator = GeneratorServer::start();
    let mut place = Place::on(&generator.url).await;
    for (fault, why) in [
        (
            "refuses",
            "answered 422: mono is not known here (no_such_style)",
        ),
        ("fails-for-good", "the card is full (no_memory)"),
    ] {
        generator.fail(fault);
        let visit = place.submitted(fault).await;
        let worker = place.work();
        place.until(&visit, ModelStatus::Failed).await;
        place.until_idle().await;
        worker.end().await;
        let dead = place.errors(JobState::Dead).await;
        assert!(dead.iter().any(|error| error.contains(why)), "{dead:?}");
    }
    // Another secret.
    generator.fail("");
    let other = "another secret that the generator does not know";
    let endpoint = Endpoint::new(&generator.url, other, (false, Duration::from_hours(1)));
    place.with(endpoint.unwrap());
    let visit = place.submitted("jane").await;
    let worker = place.work();
    place.until(&visit, ModelStatus::Failed).await;
    place.until_idle().await;
    worker.end().await;
    let dead = place.errors(JobState::Dead).await;
    let refused =
        |error: &String| error.contains("answered 401") && error.contains("wrong_signature");
    assert!(dead.iter().any(refused), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_is_down_is_waited_for() {
    let mut generator = GeneratorServer::start();
    let mut place = Place::on(&generator.url).await;
    generator.stop();
    let visit = place.submitted("jane").await;
    let worker = place.work();
    place.until(&visit, ModelStatus::Failed).await;
    worker.end().await;
    let errors = place.errors(JobState::Queued).await;
    assert!(
        errors[0].contains("does not accept a connection"),
        "{errors:?}"
    );
    let up = GeneratorServer::start();
    place.with(endpoint(&up.url, Duration::from_hours(1)));
    place.clock.advance(Duration::from_secs(3));
    let worker = place.work();
    place.until(&visit, ModelStatus::Active).await;
    worker.end().await;
    assert_eq!(place.photos(&visit.model.id).await.len(), PHOTOS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_session_s_generation_is_stopped() {
    let mut generator = GeneratorServer::start();
    let place = Place::on(&generator.url).await;
    generator.fail("held");
    let visit = place.submitted("jane").await;
    let worker = place.work();
    heard(&mut generator, "POST", 202).await;
    access::erase(&place.app, &visit).await.unwrap();
    heard(&mut generator, "DELETE", 204).await;
    place.until_idle().await;
    worker.end().await;
    assert!(place.photos(&visit.model.id).await.is_empty());
    assert_eq!(place.errors(JobState::Dead).await, [""; 0]);
    let listed = place.objects.list("").map_ok(|meta| meta.path);
    let left: Vec<String> = listed.try_collect().await.unwrap();
    assert_eq!(left, [""; 0]);
}

/// The generator does not hear that a session is deleted: it is told when it is there again.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_reaches_a_generator_that_was_away() {
    let mut generator = GeneratorServer::start();
    let place = Place::on(&generator.url).await;
    generator.fail("held");
    let visit = place.submitted("jane").await;
    let worker = place.work();
    heard(&mut generator, "POST", 202).await;
    // Every call fails until the next list of faults.
    generator.fail("away");
    access::erase(&place.app, &visit).await.unwrap();
    heard(&mut generator, "DELETE", 503).await;
    generator.fail("");
    let error = place.waits_again().await;
    assert!(error.contains("can't be stopped"), "{error}");
    place.clock.advance(Duration::from_secs(3));
    heard(&mut generator, "DELETE", 204).await;
    place.until_idle().await;
    worker.end().await;
    assert_eq!(place.errors(JobState::Dead).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_takes_too_long_is_stopped() {
    let mut generator = GeneratorServer::start();
    let endpoint = endpoint(&generator.url, Duration::from_secs(1));
    let place = Place::open(headshot_testkit::sqlite().await, endpoint).await;
    generator.fail("held");
    let visit = place.submitted("jane").await;
    let worker = place.work();
    place.until(&visit, ModelStatus::Failed).await;
    heard(&mut generator, "DELETE", 204).await;
    worker.end().await;
    let errors = place.errors(JobState::Queued).await;
    assert!(
        errors[0].contains("took longer than 1 seconds"),
        "{errors:?}"
    );
}

/// A worker that stops leaves the generation running; the next one finds it, and it is no try.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_the_generation_to_the_next_worker() {
    let mut generator = GeneratorServer::start();
    let place = Place::on(&generator.url).await;
    generator.fail("held");
    let visit = place.submitted("jane").await;
    let worker = place.work();
    heard(&mut generator, "POST", 202).await;
    worker.end().await;
    let queued = jobs::list(&place.app, None, JobState::Queued)
        .await
        .unwrap();
    let shoot = queued.iter().find(|job| job.kind == "shoot").unwrap();
    assert_eq!((shoot.attempts, &shoot.last_error), (0, &None));
    let worker = place.work();
    generator.go();
    place.until(&visit, ModelStatus::Active).await;
    place.until_idle().await;
    worker.end().await;
    assert_eq!(place.photos(&visit.model.id).await.len(), PHOTOS);
    let posts = generator
        .exchanges()
        .iter()
        .filter(|one| one["method"] == "POST");
    assert_eq!(posts.count(), 1);
}

/// Whoever agreed to a text that names no generator gets headshots of the built-in engine.
#[tokio::test(flavor = "multi_thread")]
async fn without_consent_no_photo_leaves() {
    let mut generator = GeneratorServer::start();
    let place = Place::on(&generator.url).await;
    let visit = place.submitted("jane").await;
    let version = consent::VERSION;
    place
        .raw(&format!("UPDATE consents SET version = '{version}'"))
        .await;
    let worker = place.work();
    place.until(&visit, ModelStatus::Active).await;
    place.until_idle().await;
    worker.end().await;
    for photo in place.photos(&visit.model.id).await {
        let recipe: Recipe = serde_json::from_str(&photo.recipe).unwrap();
        assert_eq!(recipe.source, SourceType::Composite);
    }
    assert_eq!(generator.exchanges(), [Value::Null; 0]);
}
