//! Rows and objects go together: deletion, its interruption, retention, and the doctor who checks
//! it. On both databases and every kind of store.

#![expect(
    clippy::unwrap_used,
    clippy::unchecked_time_subtraction,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use headshot_app::audit::Actor;
use headshot_app::doctor::{Check, Doctor};
use headshot_app::idempotency::Once;
use headshot_app::models::RetryError;
use headshot_app::organizations::{self, CreditsLeft, NewOrganization};
use headshot_app::{
    App, Settings, invites, mail, maintenance, members, models, objects, retention, roles,
};
use headshot_blobs::{Location, Objects};
use headshot_domain::{
    Clock as _, Credits, InviteState, MailKind, ModelId, ModelStatus, ModelVersion, OrgId, PhotoId,
    PhotoStatus, Plan, Role, Timestamp, UploadId,
};
use headshot_storage::models::Model;
use headshot_storage::photos::{self, Photo};
use headshot_storage::uploads::{self, Upload};
use headshot_storage::{AsConn, Conn, audit, models as rows};
use headshot_testkit::{ManualClock, TestDb};
use rstest::rstest;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

const DAY: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Copy)]
enum Kind {
    SqliteAndFolder,
    SqliteAndS3,
    PostgresAndFolder,
    PostgresAndS3,
}

/// One installation with an organization.
struct Place {
    database: TestDb,
    objects: Objects,
    clock: Arc<ManualClock>,
    org: OrgId,
    _folder: TempDir,
}

impl Kind {
    async fn open(self) -> Place {
        let database = match self {
            Self::SqliteAndFolder | Self::SqliteAndS3 => headshot_testkit::sqlite().await,
            Self::PostgresAndFolder | Self::PostgresAndS3 => headshot_testkit::postgres().await,
        };
        let folder = tempfile::tempdir().unwrap();
        let location = match self {
            Self::SqliteAndFolder | Self::PostgresAndFolder => {
                Location::Folder(folder.path().to_owned())
            }
            Self::SqliteAndS3 | Self::PostgresAndS3 => headshot_testkit::s3().location(),
        };
        let mut place = Place {
            database,
            objects: Objects::open(&location).unwrap(),
            clock: ManualClock::new(),
            org: "".into(),
            _folder: folder,
        };
        // Objects carry the machine's time, so the test's clock starts there.
        place
            .clock
            .jump_to(headshot_domain::SystemClock::new().now());
        let new = NewOrganization {
            name: "Acme".into(),
            website: String::new(),
            owner: "owner@acme.example".parse().unwrap(),
            plan: Plan::Standard,
            credits: Some(Credits::whole(10)),
            whitelabel: true,
        };
        let created = organizations::create(&place.app(), &Actor::command_line(), new).await;
        place.org = created.unwrap().org.id;
        place
    }
}

impl Place {
    fn app(&self) -> Arc<App> {
        self.app_with(headshot_testkit::settings())
    }

    /// What another process would have.
    fn app_with(&self, settings: Settings) -> Arc<App> {
        headshot_testkit::app_on(&self.database.db, &self.clock, &self.objects, settings)
    }

    /// A finished shoot with two photos and two uploads, and their ten objects.
    async fn shoot(&self, app: &App) -> ModelId {
        let now = self.clock.now();
        let model = model(app, &self.org, now);
        let mut tx = self.database.db.write().await.unwrap();
        rows::insert(&mut tx, &model).await.unwrap();
        let mut keys = Vec::new();
        for place in 0..2 {
            let photo = photo(app, &model, place, now);
            assert!(photos::insert(&mut tx, &photo).await.unwrap());
            keys.extend(objects::photo_keys(&photo).unwrap());
            let upload = upload(app, &model, place, now);
            assert!(uploads::insert(&mut tx, &upload).await.unwrap());
            keys.push(objects::upload_key(&upload).unwrap());
            keys.push(objects::preview_key(&upload));
        }
        tx.commit().await.unwrap();
        for key in keys {
            self.objects.put(&key, "picture".into()).await.unwrap();
        }
        model.id
    }

    async fn stored(&self) -> Vec<String> {
        let listed = self.objects.list("").map_ok(|meta| meta.path);
        let mut paths: Vec<String> = listed.try_collect().await.unwrap();
        paths.sort();
        paths
    }

    async fn status(&self, model: &ModelId) -> ModelStatus {
        let mut conn = self.database.db.read().await.unwrap();
        let found = rows::find(&mut conn, &self.org, model).await.unwrap();
        found.unwrap().status
    }

    async fn doctor(&self, repair: bool) -> Vec<Check> {
        let doctor = Doctor {
            db: &self.database.db,
            objects: &self.objects,
            repair,
            now: self.clock.now(),
        };
        doctor.examine().await.unwrap()
    }

    /// Everything that the doctor finds wrong.
    async fn problems(&self) -> Vec<String> {
        let checks = self.doctor(false).await;
        checks
            .into_iter()
            .flat_map(|check| check.problems)
            .collect()
    }

    /// Actor, action and target of every audit entry that deletes something.
    async fn deletions(&self) -> Vec<(String, String)> {
        let mut conn = self.database.db.read().await.unwrap();
        let entries = audit::after(&mut conn, 0, 1_000).await.unwrap();
        let deletions = entries
            .into_iter()
            .filter(|entry| entry.action.ends_with(".deleted"));
        deletions.map(|entry| (entry.actor, entry.action)).collect()
    }

    async fn raw(&self, sql: &str) {
        let mut tx = self.database.db.write().await.unwrap();
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match tx.conn() {
            Conn::Sqlite(conn) => drop(sql.execute(conn).await.unwrap()),
            Conn::Postgres(conn) => drop(sql.execute(conn).await.unwrap()),
        }
        tx.commit().await.unwrap();
    }
}

fn model(app: &App, org: &OrgId, now: Timestamp) -> Model {
    Model {
        id: ModelId::generate(&*app.entropy),
        org: org.clone(),
        user: "507f1f77bcf86cd799439044".into(),
        uid: "anon_abc123".into(),
        email: "jane@acme.example".into(),
        title: "Jane Doe".into(),
        gender: None,
        status: ModelStatus::Active,
        team: None,
        development: false,
        version: ModelVersion::Lora,
        reserved: Credits::ZERO,
        charged: Credits::whole(1),
        favorite: None,
        created_at: now,
        started_at: Some(now),
        submitted_at: Some(now),
        finished_at: Some(now),
        deleted_at: None,
        invite_expires_at: None,
    }
}

fn photo(app: &App, model: &Model, place: i64, now: Timestamp) -> Photo {
    Photo {
        id: PhotoId::generate(&*app.entropy),
        org: model.org.clone(),
        model: model.id.clone(),
        place,
        status: PhotoStatus::Active,
        liked: headshot_domain::Liked::None,
        format: "jpg".into(),
        recipe: "{\"face\":\"oval\"}".into(),
        created_at: now,
        deleted_at: None,
    }
}

fn upload(app: &App, model: &Model, place: i64, now: Timestamp) -> Upload {
    Upload {
        id: UploadId::generate(&*app.entropy),
        org: model.org.clone(),
        model: model.id.clone(),
        digest: vec![u8::try_from(place).unwrap(); 32],
        format: "heic".into(),
        bytes: 7,
        verdict: "{\"glasses\":true}".into(),
        usable: true,
        created_at: now,
    }
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::SqliteAndS3)]
#[case(Kind::PostgresAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn a_deleted_model_leaves_nothing(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let (model, other) = (place.shoot(&app).await, place.shoot(&app).await);
    assert_eq!(place.stored().await.len(), 20);
    assert_eq!(place.problems().await, [""; 0]);
    let actor = Actor::command_line();
    models::delete(&app, (&place.org, &actor), &model)
        .await
        .unwrap();
    // At once: no worker has run.
    let left = place.stored().await;
    assert_eq!(left.len(), 10);
    assert!(left.iter().all(|path| path.contains(other.as_str())));
    assert_eq!(place.problems().await, [""; 0]);
    let mut conn = place.database.db.read().await.unwrap();
    let of = (&place.org, &model);
    assert_eq!(uploads::of_model(&mut conn, of).await.unwrap(), []);
    let deleted = photos::Filter {
        status: PhotoStatus::Deleted,
        liked: None,
    };
    let (kept, _) = photos::list(&mut conn, of, deleted, (10, 0)).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|photo| photo.recipe.is_empty()));
    let expected = [("command line".to_owned(), "model.deleted".to_owned())];
    assert_eq!(place.deletions().await, expected);
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::SqliteAndS3)]
#[case(Kind::PostgresAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn an_interrupted_deletion_is_finished_by_the_next_process(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let (model, other) = (place.shoot(&app).await, place.shoot(&app).await);
    // The process ends between the commit and the objects.
    let mut tx = place.database.db.write().await.unwrap();
    let doomed = objects::doom_model(&app, &mut tx, (&place.org, &model))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    drop((doomed, app));
    assert_eq!(place.stored().await.len(), 20);
    let next = place.app();
    objects::finish(&next).await.unwrap();
    assert_eq!(place.stored().await.len(), 10);
    // Somebody was still writing; that goes within the hour.
    let late = place.shoot_of_nobody(&next, &model).await;
    objects::finish(&next).await.unwrap();
    assert!(place.stored().await.contains(&late));
    place.clock.advance(objects::WRITERS_MAX);
    objects::finish(&next).await.unwrap();
    let left = place.stored().await;
    assert!(
        left.iter().all(|path| path.contains(other.as_str())),
        "{left:?}"
    );
}

impl Place {
    /// An object of `model` that has no row; its path.
    async fn shoot_of_nobody(&self, app: &App, model: &ModelId) -> String {
        let now = self.clock.now();
        let mut stray = photo(app, &self::model(app, &self.org, now), 0, now);
        stray.model = model.clone();
        let key = objects::photo_key(&stray, headshot_domain::Variant::Main).unwrap();
        self.objects.put(&key, "late".into()).await.unwrap();
        key.path()
    }
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn a_rolled_back_deletion_deletes_nothing(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let model = place.shoot(&app).await;
    let mut tx = place.database.db.write().await.unwrap();
    let doomed = objects::doom_model(&app, &mut tx, (&place.org, &model))
        .await
        .unwrap();
    assert_eq!(doomed.len(), 1);
    drop(tx);
    objects::finish(&app).await.unwrap();
    assert_eq!(place.stored().await.len(), 10);
    assert_eq!(place.problems().await, [""; 0]);
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn uploads_go_after_their_days_and_photos_stay(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let model = place.shoot(&app).await;
    place.clock.advance(30 * DAY - Duration::from_millis(1));
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.stored().await.len(), 10);
    place.clock.advance(Duration::from_millis(1));
    maintenance::clean_up(&app).await.unwrap();
    let left = place.stored().await;
    assert_eq!(left.len(), 6);
    assert!(
        left.iter().all(|path| path.contains("/photos/")),
        "{left:?}"
    );
    assert_eq!(place.status(&model).await, ModelStatus::Active);
    assert_eq!(place.problems().await, [""; 0]);
    let entry = (
        "server (retention)".to_owned(),
        "uploads.deleted".to_owned(),
    );
    assert_eq!(place.deletions().await, [entry]);
    // 0 days keep the results.
    place.clock.advance(1_000 * DAY);
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.stored().await.len(), 6);
}

/// Whoever was given a retry on the last day may still choose among the old uploads.
#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndFolder)]
#[tokio::test]
async fn uploads_wait_for_who_makes_headshots_again(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let model = place.shoot(&app).await;
    place.clock.advance(29 * DAY);
    let by = (&place.org, &Actor::command_line());
    place
        .raw(&format!(
            "UPDATE models SET uid = '507f1f77bcf86cd799439044' WHERE id = '{model}'"
        ))
        .await;
    models::retry(&app, by, &model).await.unwrap();
    place.clock.advance(30 * DAY - Duration::from_millis(1));
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.stored().await.len(), 4);
    place.clock.advance(Duration::from_millis(1));
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.stored().await, [""; 0]);

    // What failed has its days from the submission on.
    let failed = place.shoot(&app).await;
    let submitted = place.clock.now().plus(DAY).unix_ms();
    place
        .raw(&format!(
            "UPDATE models SET status = 'failed', finished_at = NULL, submitted_at = {submitted} \
             WHERE id = '{failed}'"
        ))
        .await;
    place.clock.advance(31 * DAY - Duration::from_millis(1));
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.stored().await.len(), 10);
    place.clock.advance(Duration::from_millis(1));
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.stored().await.len(), 6);
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn shoots_go_after_the_organization_s_days(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let model = place.shoot(&app).await;
    let actor = Actor::command_line();
    for wrong in [-1, retention::DAYS_MAX + 1] {
        assert!(
            retention::set(&app, &actor, &place.org, wrong)
                .await
                .is_err()
        );
    }
    assert!(
        retention::set(&app, &actor, &"org_none".into(), 1)
            .await
            .is_err()
    );
    let shortens = async |days| retention::shortens(&app, &place.org, days).await.unwrap();
    let gets = |before, due| Some(retention::Shortening { before, due });
    assert_eq!(shortens(0).await, None);
    assert_eq!(shortens(20).await, gets(0, 0), "they are kept for ever");
    retention::set(&app, &actor, &place.org, 20).await.unwrap();
    assert_eq!(retention::of(&app, &place.org).await.unwrap(), 20);
    assert_eq!([shortens(0).await, shortens(20).await], [None, None]);
    place.clock.advance(20 * DAY - Duration::from_millis(1));
    assert_eq!(shortens(19).await, gets(20, 1));
    retention::run(&app).await.unwrap();
    assert_eq!(place.status(&model).await, ModelStatus::Active);
    place.clock.advance(Duration::from_millis(1));
    retention::run(&app).await.unwrap();
    assert_eq!(place.status(&model).await, ModelStatus::Deleted);
    assert_eq!(place.stored().await, [""; 0]);
    assert_eq!(place.problems().await, [""; 0]);
    let by = "server (the organization's retention)".to_owned();
    assert_eq!(place.deletions().await, [(by, "model.deleted".to_owned())]);
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn shoots_go_after_the_operator_s_days(#[case] kind: Kind) {
    let place = kind.open().await;
    let mut settings = headshot_testkit::settings();
    settings.retention.results = Some(90 * DAY);
    let app = place.app_with(settings);
    let model = place.shoot(&app).await;
    place.clock.advance(90 * DAY - Duration::from_millis(1));
    retention::run(&app).await.unwrap();
    assert_eq!(place.status(&model).await, ModelStatus::Active);
    place.clock.advance(Duration::from_millis(1));
    retention::run(&app).await.unwrap();
    assert_eq!(place.status(&model).await, ModelStatus::Deleted);
    assert_eq!(place.stored().await, [""; 0]);
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::SqliteAndS3)]
#[case(Kind::PostgresAndFolder)]
#[case(Kind::PostgresAndS3)]
#[tokio::test]
async fn the_doctor_finds_what_does_not_fit_and_repairs_what_can_be(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let model = place.shoot(&app).await;
    // A photo, and the preview of an upload.
    let mut stored = place.stored().await;
    let preview = stored.iter().find(|path| path.ends_with("_preview.jpg"));
    let (preview, first) = (preview.unwrap().clone(), stored.remove(0));
    let lost = [&first, &preview].map(|path| format!("{path} has a row but no object"));
    place.objects.delete(vec![first, preview]).await.unwrap();
    let orphan = place.shoot_of_nobody(&app, &model).await;
    let stranger = place
        .shoot_of_nobody(&app, &ModelId::generate(&*app.entropy))
        .await;
    // Younger than an hour: their rows may be on the way.
    assert_eq!(place.problems().await, lost);
    place
        .clock
        .advance(objects::WRITERS_MAX + Duration::from_mins(1));
    place
        .raw("UPDATE tallies SET n = n + 100 WHERE name = 'credits'")
        .await;
    let mut expected = vec![
        format!("credits of {} says 1100, but there are 1000", place.org),
        format!("{orphan} has no row"),
        format!("{stranger} has no row"),
    ];
    expected.extend(lost.clone());
    expected[1..].sort();
    let mut problems = place.problems().await;
    problems[1..].sort();
    assert_eq!(problems, expected);
    let repaired: u64 = place
        .doctor(true)
        .await
        .iter()
        .map(|check| check.repaired)
        .sum();
    assert_eq!(repaired, 3);
    // What is lost can't be made again.
    assert_eq!(place.problems().await, lost);
}

#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndFolder)]
#[tokio::test]
async fn every_tally_is_compared_with_what_it_counts(#[case] kind: Kind) {
    let place = kind.open().await;
    place.shoot(&place.app()).await;
    place
        .raw("DELETE FROM tallies WHERE name LIKE 'models.%'")
        .await;
    place
        .raw(&format!(
            "INSERT INTO tallies (org_id, name, n) VALUES ('{}', 'invites', 3)",
            place.org
        ))
        .await;
    let org = &place.org;
    let expected = [
        format!("invites of {org} says 3, but there are 0"),
        format!("models.active. of {org} says 0, but there are 1"),
    ];
    assert_eq!(place.problems().await, expected);
    place.doctor(true).await;
    assert_eq!(place.problems().await, [""; 0]);
}

/// What can't be read or deleted is reported; everything else is cleaned up all the same.
#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndFolder)]
#[tokio::test]
async fn one_broken_row_stops_no_clean_up(#[case] kind: Kind) {
    let place = kind.open().await;
    let mut settings = headshot_testkit::settings();
    settings.retention.results = Some(90 * DAY);
    let app = place.app_with(settings);
    let (broken, good) = (place.shoot(&app).await, place.shoot(&app).await);
    let by = (&place.org, &Actor::command_line());
    let mut invited = Vec::new();
    for email in ["a@acme.example", "b@acme.example"] {
        let to = (&email.parse().unwrap(), None);
        let invite = invites::create(&app, by, to, Once::unkept()).await;
        invited.push(invite.unwrap().id);
    }
    place
        .raw(&format!(
            "UPDATE models SET version = 'none' WHERE id = '{broken}'; \
             UPDATE invites SET expires_at = 0; \
             UPDATE models SET reserved = 100, invite_expires_at = 0 WHERE id IN ('{broken}', '{good}')"
        ))
        .await;
    place.clock.advance(90 * DAY);
    let failed = maintenance::clean_up(&app).await;
    assert_eq!(
        failed.unwrap_err().to_string(),
        "models.version holds a value that is not valid"
    );
    assert_eq!(place.status(&good).await, ModelStatus::Deleted);
    // The uploads of both are past their days.
    let left = place.stored().await;
    assert!(
        left.iter()
            .all(|path| path.contains(broken.as_str()) && path.contains("/photos/")),
        "{left:?}"
    );
    for id in &invited {
        let invite = invites::find(&app, &place.org, id).await.unwrap().unwrap();
        assert_eq!(invite.state, InviteState::Expired);
    }

    place
        .raw(&format!(
            "UPDATE models SET version = 'lora' WHERE id = '{broken}'"
        ))
        .await;
    maintenance::clean_up(&app).await.unwrap();
    assert_eq!(place.status(&broken).await, ModelStatus::Deleted);
    assert_eq!(place.stored().await, [""; 0]);
}

/// An admin lets a person begin again: once, at no cost, and without what was there.
#[rstest]
#[case(Kind::SqliteAndFolder)]
#[case(Kind::PostgresAndFolder)]
#[tokio::test]
async fn a_retry_is_given_once_and_costs_nothing(#[case] kind: Kind) {
    let place = kind.open().await;
    let app = place.app();
    let by = (&place.org, &Actor::command_line());
    let id = place.shoot(&app).await;
    let email = "jane@acme.example".parse().unwrap();
    let role = (Role::Member, None);
    let user = roles::set(&app, by, (&email, Some("Jane")), role).await;
    let uid = user.unwrap().id;
    let favorite = {
        let mut conn = place.database.db.read().await.unwrap();
        let photos = photos::active(&mut conn, (&place.org, &id)).await.unwrap();
        photos[0].id.clone()
    };
    place
        .raw(&format!(
            "UPDATE models SET uid = '{uid}', user_id = '{uid}', favorite_id = '{favorite}' WHERE id = '{id}'; \
             INSERT INTO tallies (org_id, name, n) VALUES ('{org}', 'favorites.', 1)",
            org = place.org
        ))
        .await;
    members::retry(&app, by, &email).await.unwrap();
    let begun = models::find(&app, &place.org, &id).await.unwrap().unwrap();
    assert_eq!(begun.status, ModelStatus::Onboarding);
    assert_eq!((begun.finished_at, begun.favorite), (None, None));
    // The uploads may be used again.
    let left = place.stored().await;
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(place.problems().await, [""; 0]);
    let told = mail::list(&app, &place.org).await.unwrap();
    assert_eq!(
        (told[0].kind, told[0].recipient.as_str()),
        (MailKind::Retry, "jane@acme.example")
    );
    let early = models::retry(&app, by, &id).await;
    assert!(matches!(early, Err(RetryError::Given)), "{early:?}");

    let again = models::submit(&app, &place.org, &id).await.unwrap();
    assert_eq!(again.charged, Credits::whole(1));
    let left = organizations::credits_left(&app, &place.org).await.unwrap();
    assert_eq!(left, CreditsLeft::Balance(Credits::whole(10)));
    place
        .raw(&format!(
            "UPDATE models SET status = 'active' WHERE id = '{id}'"
        ))
        .await;
    let second = models::retry(&app, by, &id).await;
    assert!(matches!(second, Err(RetryError::Given)), "{second:?}");

    let other = place.shoot(&app).await;
    models::delete(&app, by, &other).await.unwrap();
    let deleted = models::retry(&app, by, &other).await;
    let deleted = deleted.unwrap_err();
    assert!(
        matches!(deleted, RetryError::NotNow(ModelStatus::Deleted)),
        "{deleted}"
    );
    let nobody = members::retry(&app, by, &"nobody@acme.example".parse().unwrap()).await;
    assert!(matches!(nobody, Err(members::RetryError::NotFound(_))));
}
