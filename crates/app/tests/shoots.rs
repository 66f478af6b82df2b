//! A person's session from the invite to the chosen headshot, with the real engine and its worker.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headshot_app::access::{self, Visit};
use headshot_app::audit::Actor;
use headshot_app::brand::{self, Kind};
use headshot_app::consent::{self, ConsentError, Said};
use headshot_app::gallery::{self, PhotoError};
use headshot_app::idempotency::Once;
use headshot_app::jobs::{self, NewJob};
use headshot_app::models::{self, NewModel, SubmitError};
use headshot_app::organizations;
use headshot_app::shoots::Looks;
use headshot_app::uploads::{self, UPLOADS_MAX, UploadError};
use headshot_app::{Roles, invites, members, roles, shoots, studio};
use headshot_domain::{
    Clock as _, Credits, JobKind, JobState, Liked, ModelStatus, ModelVersion, PhotoId, Role,
    Variant,
};
use headshot_imaging::encode::encode;
use headshot_imaging::raster::Rgb8;
use headshot_imaging::{Backdrop, Engine, Options, OutputFormat, Recipe, decode};
use headshot_storage::jobs::Claim;
use headshot_storage::{jobs as job_rows, models as model_rows, webhooks};
use headshot_testkit::{Home, On};
use rstest::rstest;
use tokio_util::sync::CancellationToken;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Photos of each shoot in these tests.
const PHOTOS: usize = 3;

struct Place {
    home: Home,
}

impl Deref for Place {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

async fn place(on: On) -> Place {
    place_with(on, |_usual| {}).await
}

async fn place_with(on: On, change: impl FnOnce(&mut studio::Limits)) -> Place {
    let credits = Some(Credits::whole(2));
    let home = Home::open(on.database().await, credits, |settings| {
        settings.studio.photos = PHOTOS;
        change(&mut settings.studio);
    });
    let home = home.await;
    // Nobody listens there: what is told stays in the log.
    let (url, actor) = ("http://127.0.0.1:9/", Actor::command_line());
    let saved = headshot_app::webhooks::save_url(&home.app, &actor, &home.org, url).await;
    saved.unwrap();
    Place { home }
}

fn said<'a>(name: &'a str, version: &'a str) -> Said<'a> {
    Said {
        name,
        gender: None,
        version,
    }
}

impl Place {
    async fn invited(&self, email: &str) -> Visit {
        let (app, email) = (&self.app, email.parse().unwrap());
        let by = (&self.org, &Actor::command_line());
        let invite = invites::create(app, by, (&email, None), Once::unkept()).await;
        let id = invite.unwrap().id;
        assert_eq!(invites::look(app, &id).await.unwrap().org_name, "Acme");
        let joined = invites::join(app, &id, (&email, None)).await.unwrap();
        access::open(app, &joined.token).await.unwrap().unwrap()
    }

    async fn agreed(&self, email: &str) -> Visit {
        let visit = self.invited(email).await;
        let said = said("Jane Doe", consent::VERSION);
        consent::give(&self.app, &visit, said, HOME).await.unwrap();
        visit
    }

    async fn test_session(&self) -> Visit {
        self.test_session_of("test@acme.example").await
    }

    async fn test_session_of(&self, email: &str) -> Visit {
        let new = NewModel {
            email: email.parse().unwrap(),
            team: None,
            development: true,
            version: ModelVersion::Lora,
        };
        let by = (&self.org, &Actor::command_line());
        let created = models::create(&self.app, by, &new, Once::unkept()).await;
        let url = created.unwrap().signed_url;
        let token = url.split("token=").nth(1).unwrap().split('&').next();
        let visit = access::open(&self.app, token.unwrap()).await;
        let visit = visit.unwrap().unwrap();
        let said = said("Test", consent::VERSION);
        consent::give(&self.app, &visit, said, HOME).await.unwrap();
        visit
    }

    /// Works until the session is in one of these states.
    async fn work_until(&self, visit: &Visit, states: &[ModelStatus]) -> ModelStatus {
        let stop = CancellationToken::new();
        let worker = tokio::spawn(Arc::clone(&self.app).run(Roles::Worker, stop.clone()));
        let reached = loop {
            let now = self.progress(visit).await.status;
            if states.contains(&now) {
                break now;
            }
            tokio::task::yield_now().await;
        };
        stop.cancel();
        worker.await.unwrap();
        reached
    }

    async fn progress(&self, visit: &Visit) -> shoots::Progress {
        shoots::progress(&self.app, visit).await.unwrap()
    }

    async fn credits(&self) -> String {
        let left = organizations::credits_left(&self.app, &self.org).await;
        format!("{:?}", left.unwrap())
    }

    /// What receivers are told, in order: event and status.
    async fn told(&self) -> Vec<(String, String)> {
        let mut conn = self.database.db.read().await.unwrap();
        let newest = (self.clock.now().plus(Duration::from_hours(1)), 0);
        let events = webhooks::page(&mut conn, &self.org, (None, newest), 100).await;
        let events = events.unwrap();
        let status = |body: &str| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            body["object"]["status"].as_str().unwrap().to_owned()
        };
        let oldest_first = events.iter().rev();
        oldest_first
            .map(|event| (event.name.clone(), status(&event.body)))
            .collect()
    }
}

/// A portrait before it was enlarged for test sessions.
fn portrait(name: &str) -> Bytes {
    Bytes::from_static(match name {
        "astronaut" => include_bytes!("../../imaging/portraits/astronaut.png"),
        "obama" => include_bytes!("../../imaging/portraits/obama.jpg"),
        "obama2" => include_bytes!("../../imaging/portraits/obama2.jpg"),
        other => unreachable!("no portrait {other}"),
    })
}

/// The portraits of a test session are large enough as they are: it has to be over soon.
#[tokio::test(flavor = "multi_thread")]
async fn small_photos_are_restored_where_the_operator_wants_it() {
    let restored = async |place: &Place, visit: Visit| {
        shoots::submit(&place.app, &visit).await.unwrap();
        place.work_until(&visit, &[ModelStatus::Active]).await;
        let made = place.photos(&visit.model.id).await;
        let recipe: Recipe = serde_json::from_str(&made[0].recipe).unwrap();
        recipe.restored.is_some()
    };
    for (restores, expected) in [(true, true), (false, false)] {
        let place = place_with(On::Sqlite, |studio| {
            studio.photos = 1;
            studio.restores = restores;
        });
        let place = place.await;
        let visit = place.agreed("jane@acme.example").await;
        let upload = uploads::add(&place.app, &visit, portrait("obama")).await;
        assert!(upload.unwrap().usable);
        assert_eq!(restored(&place, visit).await, expected, "{restores}");
        let session = place.test_session().await;
        assert!(!restored(&place, session).await);
    }
}

/// Each of its tries takes the process with it, so that nobody can say that it failed but whoever
/// finds the last one.
#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_shoot_that_no_worker_survives_has_failed(#[case] on: On) {
    let place = place(on).await;
    let visit = place.test_session().await;
    shoots::submit(&place.app, &visit).await.unwrap();
    let lease = jobs::Limits::default().lease;
    let most = JobKind::Shoot.attempts_max();
    for attempt in 1..=most {
        let now = place.clock.now();
        let claim = Claim {
            worker: "worker_killed",
            now,
            lease_until: now.plus(lease),
            lane_max: 1,
            limit: 1,
            bounded: [(JobKind::Shoot, 1), (JobKind::WebhookDeliver, 0)],
        };
        let mut tx = place.app.db.write().await.unwrap();
        let claimed = job_rows::claim(&mut tx, &claim).await.unwrap();
        assert_eq!(claimed[0].attempts, attempt);
        if attempt < most {
            let lease = claimed[0].lease();
            job_rows::retry(&mut tx, &lease, now, "gone").await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    assert_eq!(place.progress(&visit).await.status, ModelStatus::Waiting);
    place.clock.advance(lease);
    place.work_until(&visit, &[ModelStatus::Failed]).await;
    let dead = jobs::dead(&place.app, None, Some(JobKind::Shoot)).await;
    let dead = dead.unwrap();
    assert_eq!(dead.total, 1);
    let told = place.told().await;
    let expected = ["model.status.updated", "failed"].map(str::to_owned);
    assert_eq!(told.last(), Some(&expected.into()));
    // The operator may have it tried again.
    let by = Actor::command_line();
    jobs::revive(&place.app, &by, None, &dead.jobs[0].id)
        .await
        .unwrap();
    place.work_until(&visit, &[ModelStatus::Active]).await;
}

/// Credits were taken back, so that fewer are there than are held: nobody waits for another one who
/// waits too.
#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_first_gets_what_is_left(#[case] on: On) {
    let place = place(on).await;
    let mut visits = Vec::new();
    for email in ["jane@acme.example", "joe@acme.example"] {
        let visit = place.agreed(email).await;
        let upload = uploads::add(&place.app, &visit, portrait("astronaut")).await;
        assert!(upload.unwrap().usable);
        visits.push(visit);
    }
    let (app, actor) = (&place.app, Actor::command_line());
    let grant = async |credits: i64| {
        let amount = Credits::whole(credits);
        organizations::grant(app, &actor, &place.org, amount)
            .await
            .unwrap()
    };
    assert_eq!(grant(-1).await, Credits::whole(1));
    shoots::submit(app, &visits[1]).await.unwrap();
    let none = shoots::submit(app, &visits[0]).await;
    assert!(matches!(none, Err(SubmitError::InsufficientCredits)));
    grant(1).await;
    shoots::submit(app, &visits[0]).await.unwrap();
    assert_eq!(place.credits().await, "Balance(Credits(0))");
}

/// Nothing is owed for a test: who made one and begins anew holds a credit back like anybody else.
#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_test_session_is_no_headshots_that_are_owed(#[case] on: On) {
    let place = place(on).await;
    let (app, by) = (&place.app, (&place.org, &Actor::command_line()));
    let visit = place.test_session_of("zed@acme.example").await;
    let email = "zed@acme.example".parse().unwrap();
    let known = (&email, Some("Zed"));
    let admin = (Role::Admin, None);
    roles::set(app, by, known, admin).await.unwrap();
    shoots::submit(app, &visit).await.unwrap();
    models::delete(app, by, &visit.model.id).await.unwrap();
    place.clock.advance(Duration::from_secs(1));
    members::retry(app, by, &email).await.unwrap();
    let mut conn = app.db.read().await.unwrap();
    let begun = model_rows::find_of_user(&mut conn, by.0, &visit.model.user).await;
    let begun = begun.unwrap().unwrap();
    assert!(!begun.development);
    assert_eq!(begun.submitted_at, None);
    assert_eq!(begun.reserved, Credits::whole(1));
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_selfie_becomes_headshots(#[case] on: On) {
    let place = place(on).await;
    let app = &place.app;
    let visit = place.agreed("jane@acme.example").await;
    let upload = uploads::add(app, &visit, portrait("obama")).await.unwrap();
    assert!(upload.usable);
    let small = uploads::preview(app, &visit, &upload.id).await.unwrap();
    let small = decode::decode(&small.unwrap()).unwrap().pixels;
    assert_eq!(small.width().max(small.height()), 320);
    assert_eq!(place.credits().await, "Balance(Credits(200))");
    let submitted = shoots::submit(app, &visit).await.unwrap();
    assert_eq!(submitted.title, "Jane Doe");
    assert_eq!(place.credits().await, "Balance(Credits(100))");
    assert_eq!(place.progress(&visit).await.ahead, 0);
    place.work_until(&visit, &[ModelStatus::Active]).await;

    let made = place.photos(&visit.model.id).await;
    assert_eq!(made.len(), PHOTOS);
    // Three sizes of each, the upload and its preview.
    assert_eq!(place.stored().await.len(), PHOTOS * 3 + 2);
    assert_eq!(place.problems().await, [""; 0]);
    let main = place.object(&made[0], Variant::Main).await;
    let size = |bytes: &[u8]| {
        let pixels = decode::decode(bytes).unwrap().pixels;
        (pixels.width(), pixels.height())
    };
    let thumbnail = size(&place.object(&made[0], Variant::Thumbnail).await);
    let original = size(&place.object(&made[0], Variant::Original).await);
    assert_eq!(thumbnail, (256, 320));
    assert!(
        original.0 >= size(&main).0 && original.0 <= 2048,
        "{original:?}"
    );
    // The stored recipe makes the same bytes.
    let recipe: Recipe = serde_json::from_str(&made[0].recipe).unwrap();
    assert_eq!(Recipe::from_photo(&main), Some(recipe.clone()));
    let engine = Engine::new(Options::default()).unwrap();
    let selfie = engine.open(&portrait("obama")).unwrap().as_it_is();
    let again = engine
        .sitting(&selfie)
        .remake(&recipe, &headshot_imaging::Assets::default());
    assert!(again.unwrap().bytes == main, "the recipe makes other bytes");

    gallery::rate(app, &visit, &made[1].id, Liked::Loved)
        .await
        .unwrap();
    gallery::choose(app, &visit, &made[1].id).await.unwrap();
    gallery::choose(app, &visit, &made[1].id).await.unwrap();
    let favorite = gallery::favorite(app, (&place.org, &visit.model.id))
        .await
        .unwrap();
    assert_eq!(favorite.unwrap().liked, Liked::Loved);
    let other = gallery::choose(app, &visit, &PhotoId::from("0")).await;
    assert!(matches!(other, Err(PhotoError::NoSuchPhoto)));
    place
        .clock
        .advance(models::LINK_LIFE.saturating_sub(Duration::from_secs(1)));
    access::erase(app, &visit).await.unwrap();
    assert_eq!(place.stored().await, [""; 0]);
    assert_eq!(place.credits().await, "Balance(Credits(100))");
    let told = place.told().await;
    let told: Vec<(&str, &str)> = told.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(
        told,
        [
            ("model.created", "onboarding"),
            ("model.status.updated", "waiting"),
            ("model.status.updated", "pending"),
            ("model.status.updated", "generatingHeadshots"),
            ("model.status.updated", "active"),
            ("model.photos_ready", "active"),
            ("model.favorite_selected", "active"),
            ("model.deleted", "deleted"),
        ]
    );
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_test_session_needs_no_photo_and_no_credit(#[case] on: On) {
    let place = place(on).await;
    let visit = place.test_session().await;
    let before = place.credits().await;
    shoots::submit(&place.app, &visit).await.unwrap();
    place.work_until(&visit, &[ModelStatus::Active]).await;
    let made = place.photos(&visit.model.id).await;
    assert_eq!(made.len(), PHOTOS);
    for photo in &made {
        let main = decode::decode(&place.object(photo, Variant::Main).await);
        let main = main.unwrap().pixels;
        assert_eq!((main.width(), main.height()), (1024, 1280));
    }
    assert_eq!(place.credits().await, before);
    assert_eq!(place.problems().await, [""; 0]);
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn own_images_and_the_logo_are_in_the_headshots(#[case] on: On) {
    let place = place(on).await;
    let (app, actor) = (&place.app, Actor::command_line());
    let by = (&place.org, &actor);
    let picture = |format, (width, height): (usize, usize), colour: [u8; 3]| {
        let pixels = Rgb8::filled(width, height, colour);
        Bytes::from(encode(&pixels, format, 90, "").unwrap())
    };
    let wall = picture(OutputFormat::Jpeg, (1024, 1280), [200, 40, 40]);
    let wall = brand::add(app, by, Kind::Backdrop, ("wall.jpg", wall)).await;
    let wall = wall.unwrap().digest;
    let logo = picture(OutputFormat::Png, (400, 100), [0, 255, 0]);
    let drawn = brand::add(app, by, Kind::Logo, ("logo.png", logo.clone())).await;
    let drawn = drawn.unwrap().digest;
    let looks = Looks {
        backdrops: vec![format!("image:{wall}")],
        ..Looks::default()
    };
    shoots::choose_looks(app, by, looks).await.unwrap();
    let visit = place.test_session().await;
    shoots::submit(app, &visit).await.unwrap();
    place.work_until(&visit, &[ModelStatus::Active]).await;
    let made = place.photos(&visit.model.id).await;
    assert_eq!(made.len(), PHOTOS);
    for photo in &made {
        let recipe: Recipe = serde_json::from_str(&photo.recipe).unwrap();
        assert_eq!(recipe.look.backdrop, Backdrop::Image(wall.clone()));
        assert_eq!(recipe.look.logo.as_ref(), Some(&drawn));
    }
    let main = place.object(&made[0], Variant::Main).await;
    let pixels = decode::decode(&main).unwrap().pixels;
    let at = |x: usize, y: usize| pixels.at(x * pixels.width() / 100, y * pixels.height() / 100);
    let [red, green, _] = at(4, 4);
    assert!(red > 150 && green < 100, "the wall is red: {:?}", at(4, 4));
    let [red, green, _] = at(88, 5);
    assert!(
        green > 150 && red < 100,
        "the logo is green: {:?}",
        at(88, 5)
    );
    // What is gone is in no later shoot, and does not stop it.
    for digest in [&wall, &drawn] {
        brand::remove(app, by, digest).await.unwrap();
    }
    let later = place.test_session_of("later@acme.example").await;
    shoots::submit(app, &later).await.unwrap();
    place.work_until(&later, &[ModelStatus::Active]).await;
    for photo in place.photos(&later.model.id).await {
        assert!(!photo.recipe.contains(&wall) && !photo.recipe.contains(&drawn));
    }
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_shoot_goes_on_where_it_was(#[case] on: On) {
    let place = place(on).await;
    let visit = place.agreed("jane@acme.example").await;
    uploads::add(&place.app, &visit, portrait("obama2"))
        .await
        .unwrap();
    shoots::submit(&place.app, &visit).await.unwrap();
    place.work_until(&visit, &[ModelStatus::Active]).await;
    let whole = place.photos(&visit.model.id).await;
    // As a killed process leaves it: one photo is missing, another has its objects and no row.
    let id = visit.model.id.as_str();
    place
        .raw(&format!(
            "DELETE FROM photos WHERE model_id = '{id}' AND place > 0"
        ))
        .await;
    place
        .raw(&format!(
            "UPDATE models SET status = 'generatingHeadshots', finished_at = NULL WHERE id = '{id}'"
        ))
        .await;
    place.enqueue(&visit).await;
    place.work_until(&visit, &[ModelStatus::Active]).await;
    let again = place.photos(&visit.model.id).await;
    let places = |photos: &[gallery::Photo]| {
        photos
            .iter()
            .map(|one| (one.place, one.id.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&again), places(&whole));
    assert_eq!(again[0], whole[0], "it was there and is not made again");
    assert_eq!(place.stored().await.len(), PHOTOS * 3 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_shoot_restarts_by_itself_and_costs_nothing_more() {
    let place = place(On::Sqlite).await;
    let visit = place.agreed("jane@acme.example").await;
    let upload = uploads::add(&place.app, &visit, portrait("obama"))
        .await
        .unwrap();
    shoots::submit(&place.app, &visit).await.unwrap();
    let path = place
        .stored()
        .await
        .into_iter()
        .find(|path| path.ends_with(&format!("{}.jpg", upload.id)))
        .unwrap();
    // The store gives something else than what was put there.
    let key = headshot_blobs::Key::parse(&path).unwrap();
    place
        .objects
        .put(&key, Bytes::from_static(b"no picture"))
        .await
        .unwrap();
    place.work_until(&visit, &[ModelStatus::Failed]).await;
    assert_eq!(place.credits().await, "Balance(Credits(100))");
    assert!(place.photos(&visit.model.id).await.is_empty());
    place.objects.put(&key, portrait("obama")).await.unwrap();
    place.clock.advance(Duration::from_mins(5));
    place.work_until(&visit, &[ModelStatus::Active]).await;
    assert_eq!(place.photos(&visit.model.id).await.len(), PHOTOS);
    assert_eq!(place.credits().await, "Balance(Credits(100))");
    let told = place.told().await;
    let waiting = told
        .iter()
        .filter(|(_, status)| status == "waiting")
        .count();
    assert_eq!(waiting, 2, "{told:?}");
    assert!(told.contains(&("model.status.updated".into(), "failed".into())));
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_deleted_meanwhile_leaves_nothing(#[case] on: On) {
    let place = place(on).await;
    let visit = place.agreed("jane@acme.example").await;
    uploads::add(&place.app, &visit, portrait("obama"))
        .await
        .unwrap();
    shoots::submit(&place.app, &visit).await.unwrap();
    let stop = CancellationToken::new();
    let worker = tokio::spawn(Arc::clone(&place.app).run(Roles::Worker, stop.clone()));
    while place.progress(&visit).await.made == 0 {
        tokio::task::yield_now().await;
    }
    access::erase(&place.app, &visit).await.unwrap();
    while place.jobs().await > 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    worker.await.unwrap();
    assert!(place.photos(&visit.model.id).await.is_empty());
    // Also of what was being written at that moment.
    assert_eq!(place.stored().await, [""; 0]);
    assert!(
        access::open(&place.app, "anything")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        access::of_user(&place.app, &visit.model.user, &visit.model.id)
            .await
            .unwrap()
            .is_none()
    );
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_can_do_wrong(#[case] on: On) {
    let place = place(on).await;
    let app = &place.app;
    let visit = place.invited("jane@acme.example").await;
    // Before the consent.
    let early = uploads::add(app, &visit, portrait("obama")).await;
    assert!(matches!(early, Err(UploadError::NoConsent)));
    let early = shoots::submit(app, &visit).await;
    assert!(matches!(early, Err(SubmitError::NoConsent)));
    let give = async |name: &str, version: &str| {
        consent::give(app, &visit, said(name, version), HOME).await
    };
    assert!(matches!(
        give("Jane", "2020-01-01").await,
        Err(ConsentError::Outdated)
    ));
    let longest = "J".repeat(consent::NAME_MAX);
    for name in ["", " ", "a\nb", &format!("{longest}J")] {
        assert!(
            matches!(give(name, consent::VERSION).await, Err(ConsentError::Name)),
            "{name:?}"
        );
    }
    assert_eq!(
        give(&longest, consent::VERSION).await.unwrap().title,
        longest
    );
    // Without a usable photo.
    let none = shoots::submit(app, &visit).await;
    assert!(matches!(none, Err(SubmitError::NoUsablePhoto)));
    let no_photo = uploads::add(app, &visit, Bytes::from_static(b"text")).await;
    assert!(matches!(no_photo, Err(UploadError::NotAPhoto(_))));
    let large = uploads::add(app, &visit, vec![0; uploads::BYTES_MAX + 1].into()).await;
    assert!(matches!(large, Err(UploadError::TooLarge)));
    let exact = uploads::add(app, &visit, vec![0; uploads::BYTES_MAX].into()).await;
    assert!(matches!(exact, Err(UploadError::NotAPhoto(_))));
    // A photo of nobody is kept with its reason, and is no usable photo.
    let nobody = uploads::add(app, &visit, plain_png()).await.unwrap();
    assert!(!nobody.usable);
    assert_eq!(
        nobody.verdict.findings[0].sentence,
        "No face found in this photo."
    );
    let twice = uploads::add(app, &visit, plain_png()).await;
    assert!(matches!(twice, Err(UploadError::Duplicate)));
    let none = shoots::submit(app, &visit).await;
    assert!(matches!(none, Err(SubmitError::NoUsablePhoto)));
    uploads::remove(app, &visit, &nobody.id).await.unwrap();
    assert!(uploads::list(app, &visit).await.unwrap().is_empty());
    assert_eq!(place.stored().await, [""; 0]);
    let gone = uploads::remove(app, &visit, &nobody.id).await;
    assert!(matches!(gone, Err(UploadError::NotFound)));
    // After the submission.
    let kept = uploads::add(app, &visit, portrait("obama")).await.unwrap();
    shoots::submit(app, &visit).await.unwrap();
    let late = uploads::add(app, &visit, portrait("obama2")).await;
    assert!(
        matches!(late, Err(UploadError::NotNow(ModelStatus::Waiting))),
        "{late:?}"
    );
    let late = uploads::remove(app, &visit, &kept.id).await;
    assert!(matches!(late, Err(UploadError::NotNow(_))));
    let late = shoots::submit(app, &visit).await;
    assert!(matches!(
        late,
        Err(SubmitError::NotNow(ModelStatus::Waiting))
    ));
    assert!(matches!(
        give("Jane", consent::VERSION).await,
        Err(ConsentError::NotNow(_))
    ));
    assert_eq!(place.credits().await, "Balance(Credits(100))");
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_s_photos_show_one_person(#[case] on: On) {
    let place = place(on).await;
    let app = &place.app;
    let visit = place.agreed("jane@acme.example").await;
    let said = async || {
        let all = uploads::list(app, &visit).await.unwrap();
        let one = |upload: uploads::Upload| {
            let mut about_others = upload.verdict.findings.into_iter();
            let code = about_others
                .find(|f| f.code.contains("differ"))
                .map(|f| f.code);
            (upload.usable, code.unwrap_or_default())
        };
        all.into_iter().map(one).collect::<Vec<_>>()
    };
    // They are listed by time.
    let add = async |name: &str| {
        place.clock.advance(Duration::from_millis(1));
        uploads::add(app, &visit, portrait(name)).await.unwrap()
    };
    let told = |usable: bool, code: &str| (usable, code.to_owned());
    let fine = told(true, "");
    let stranger = add("astronaut").await;
    assert_eq!(said().await, std::slice::from_ref(&fine));
    // One against one: both are told, neither is left out.
    let first = add("obama").await;
    assert!(first.verdict.has("people_differ"), "{first:?}");
    assert_eq!(
        said().await,
        [told(true, "people_differ"), told(true, "people_differ")]
    );
    // Outvoted.
    let second = add("obama2").await;
    assert!(second.verdict.findings.is_empty());
    let refused = told(false, "different_person");
    assert_eq!(said().await, [refused.clone(), fine.clone(), fine.clone()]);
    // Whoever is left is judged anew.
    uploads::remove(app, &visit, &first.id).await.unwrap();
    assert_eq!(
        said().await,
        [told(true, "people_differ"), told(true, "people_differ")]
    );
    add("obama").await;
    assert_eq!(said().await[0], refused);

    // An upload whose comparison was cut off: the shoot compares once more.
    let (id, model) = (stranger.id.as_str(), visit.model.id.as_str());
    let usable = serde_json::to_string(&stranger.verdict).unwrap();
    place
        .raw(&format!("UPDATE uploads SET usable = 1, verdict = '{usable}' WHERE id = '{id}' AND model_id = '{model}'"))
        .await;
    shoots::submit(app, &visit).await.unwrap();
    place.work_until(&visit, &[ModelStatus::Active]).await;
    let digest = headshot_imaging::weights::sha256_hex(&portrait("astronaut"));
    for photo in place.photos(&visit.model.id).await {
        assert!(
            !photo.recipe.contains(&digest),
            "a stranger's photo was made"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_so_many_photos_and_no_more() {
    let place = place(On::Sqlite).await;
    let visit = place.agreed("jane@acme.example").await;
    let other = |n: u8| {
        let mut bytes = plain_png().to_vec();
        bytes.push(n);
        Bytes::from(bytes)
    };
    for n in 0..u8::try_from(UPLOADS_MAX).unwrap() {
        uploads::add(&place.app, &visit, other(n)).await.unwrap();
    }
    let one_more = uploads::add(&place.app, &visit, other(99)).await;
    assert!(matches!(one_more, Err(UploadError::TooMany)));
    assert_eq!(
        uploads::list(&place.app, &visit).await.unwrap().len(),
        UPLOADS_MAX
    );
    assert_eq!(place.stored().await.len(), UPLOADS_MAX * 2);
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn of_two_submissions_one_takes_the_credit(#[case] on: On) {
    let place = place(on).await;
    let visit = place.agreed("jane@acme.example").await;
    uploads::add(&place.app, &visit, portrait("obama"))
        .await
        .unwrap();
    let (one, two) = tokio::join!(
        shoots::submit(&place.app, &visit),
        shoots::submit(&place.app, &visit)
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!(place.credits().await, "Balance(Credits(100))");
    assert_eq!(place.jobs().await, 1);
}

impl Place {
    /// The job that a killed process has left.
    async fn enqueue(&self, visit: &Visit) {
        let mut tx = self.database.db.write().await.unwrap();
        let job = NewJob {
            kind: JobKind::Shoot,
            lane: self.org.as_str(),
            payload: serde_json::json!({
                "organization": self.org.as_str(), "model": visit.model.id.as_str(),
            }),
            run_at: self.clock.now(),
        };
        jobs::enqueue(&self.app, &mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Shoots that wait or run.
    async fn jobs(&self) -> usize {
        let mut conn = self.database.db.read().await.unwrap();
        let mut count = 0;
        for state in [JobState::Queued, JobState::Running] {
            let found = job_rows::list(&mut conn, state, 100).await.unwrap();
            count += found.iter().filter(|job| job.kind == "shoot").count();
        }
        count
    }
}

/// A grey picture without anybody on it.
fn plain_png() -> Bytes {
    let grey = Rgb8::filled(64, 64, [128; 3]);
    encode(&grey, OutputFormat::Png, 90, "").unwrap().into()
}
