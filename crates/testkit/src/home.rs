//! What most tests of use cases begin with: an organization with a database, objects and a clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use headshot_app::audit::Actor;
use headshot_app::doctor::Doctor;
use headshot_app::gallery::{self, Photo};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::{App, Settings};
use headshot_blobs::{Location, Objects};
use headshot_domain::{Clock as _, Credits, ModelId, OrgId, Plan, SystemClock, Variant};
use headshot_storage::{AsConn, Conn};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use crate::{ManualClock, TestDb};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The embedded one.
    Sqlite,
    /// The other one.
    Postgres,
}

impl On {
    /// A fresh migrated database.
    pub async fn database(self) -> TestDb {
        match self {
            Self::Sqlite => crate::sqlite().await,
            Self::Postgres => crate::postgres().await,
        }
    }
}

/// An organization that may do everything, owned by `owner@<name>.example`. Without `credits` they
/// are not counted.
pub async fn organization(app: &App, name: &str, credits: Option<Credits>) -> OrgId {
    let owner = format!("owner@{}.example", name.to_lowercase());
    let new = NewOrganization {
        name: name.to_owned(),
        website: String::new(),
        owner: owner.parse().expect("an address"),
        plan: Plan::Standard,
        credits,
        whitelabel: true,
    };
    let made = organizations::create(app, &Actor::command_line(), new).await;
    made.expect("a new organization").org.id
}

/// The organization Acme with what it stores. Its clock starts at the machine's time, which objects
/// and signatures carry.
#[derive(Debug)]
pub struct Home {
    /// Its database.
    pub database: TestDb,
    /// Its objects, in a folder of their own.
    pub objects: Objects,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// One process on them.
    pub app: Arc<App>,
    /// Acme.
    pub org: OrgId,
    _folder: TempDir,
}

impl Home {
    /// Opens one on an empty database.
    pub async fn open(
        database: TestDb,
        credits: Option<Credits>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let objects = Objects::open(&Location::Folder(folder.path().to_owned()));
        let objects = objects.expect("a folder is there");
        let clock = ManualClock::new();
        clock.jump_to(SystemClock::new().now());
        let mut settings = crate::settings();
        change(&mut settings);
        let app = crate::app_on(&database.db, &clock, &objects, settings);
        Self {
            org: organization(&app, "Acme", credits).await,
            database,
            objects,
            clock,
            app,
            _folder: folder,
        }
    }

    /// Goes on with another process, which has other settings.
    pub fn restart(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = crate::settings();
        change(&mut settings);
        self.app = crate::app_on(&self.database.db, &self.clock, &self.objects, settings);
    }

    /// The photos of a session.
    pub async fn photos(&self, model: &ModelId) -> Vec<Photo> {
        let found = gallery::some(&self.app, (&self.org, model), &[]).await;
        found.expect("the database answers")
    }

    /// A photo's file in one of its sizes.
    pub async fn object(&self, photo: &Photo, variant: Variant) -> Vec<u8> {
        let key = headshot_app::objects::photo_key(photo, variant).expect("a known format");
        let object = self.objects.get(&key, None).await;
        let object = object.expect("the objects answer").expect("it is there");
        let parts: Vec<Bytes> = object.content.try_collect().await.expect("it is whole");
        parts.concat()
    }

    /// The paths of all objects.
    pub async fn stored(&self) -> Vec<String> {
        let listed = self.objects.list("").map_ok(|meta| meta.path);
        listed.try_collect().await.expect("the objects answer")
    }

    /// Everything that the doctor finds wrong.
    pub async fn problems(&self) -> Vec<String> {
        let doctor = Doctor {
            db: &self.database.db,
            objects: &self.objects,
            repair: false,
            now: self.clock.now().plus(Duration::from_hours(2)),
        };
        let checks = doctor.examine().await.expect("the doctor can look");
        let problems = checks.into_iter().flat_map(|check| check.problems);
        problems.collect()
    }

    /// Runs text that is no statement of the product.
    pub async fn raw(&self, sql: &str) {
        let mut tx = self.database.db.write().await.expect("a transaction");
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match tx.conn() {
            Conn::Sqlite(conn) => drop(sql.execute(conn).await.expect("it is SQL")),
            Conn::Postgres(conn) => drop(sql.execute(conn).await.expect("it is SQL")),
        }
        tx.commit().await.expect("it lasts");
    }
}
