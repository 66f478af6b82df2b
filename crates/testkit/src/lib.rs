//! What tests need around the real code: a fresh migrated database of either kind, a clock that
//! only the test moves, and a network that can be cut. A development dependency only.
//!
//! ```no_run
//! # async fn example() {
//! let clock = headshot_testkit::ManualClock::new();
//! let database = headshot_testkit::postgres().await;
//! let app = headshot_testkit::app(&database.db, &clock);
//! # }
//! ```

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test without its surroundings can only stop"
)]

mod authority;
mod clock;
mod generator;
mod home;
mod postgres;
mod proxy;
mod receiver;
mod s3;
mod smtp;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use headshot_app::peppers::{Pepper, Peppers};
use headshot_app::photos::Signer;
use headshot_app::retention::Rules;
use headshot_app::vault::Vault;
use headshot_app::{App, Settings};
use headshot_blobs::{Location, Objects};
use headshot_domain::{OsEntropy, SeededEntropy};
use headshot_storage::Db;
use tempfile::TempDir;

pub use authority::Authority;
pub use clock::ManualClock;
pub use generator::{GENERATOR_SECRET, GeneratorServer};
pub use home::{Home, On, organization};
pub use postgres::postgres;
pub use proxy::Proxy;
pub use receiver::{Call, Receiver};
pub use s3::{S3, s3};
pub use smtp::MailServer;
pub use waiting::waits_for;

/// A migrated database of one test. Its files go when it is dropped; a PostgreSQL database goes
/// with its server.
#[derive(Debug)]
pub struct TestDb {
    /// Connected and migrated.
    pub db: Db,
    /// For further connections, as other processes would make them.
    pub url: String,
    _folder: Option<TempDir>,
}

impl TestDb {
    /// Another set of connections to the same database: what another process would have.
    pub async fn connect_again(&self) -> Db {
        connect(&self.url).await
    }
}

/// A fresh migrated SQLite database in a temporary folder.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = format!("sqlite://{}", folder.path().join("headshot.db").display());
    let db = connect(&url).await;
    db.migrate().await.expect("a new database can be migrated");
    TestDb {
        db,
        url,
        _folder: Some(folder),
    }
}

/// Connects to `url` or stops the test.
pub async fn connect(url: &str) -> Db {
    Db::connect(url).await.expect("the test database answers")
}

/// An application as one process has it, on `db`, with a pepper that all of them share. Ids and
/// keys are random, so that several of them never collide.
pub fn app(db: &Db, clock: &Arc<ManualClock>) -> Arc<App> {
    app_with(db, clock, Peppers::new(pepper(0xab), Vec::new()))
}

/// The same with other peppers.
pub fn app_with(db: &Db, clock: &Arc<ManualClock>, peppers: Peppers) -> Arc<App> {
    made(db, clock, (peppers, settings()))
}

/// The same with other settings.
pub fn app_set(db: &Db, clock: &Arc<ManualClock>, change: impl FnOnce(&mut Settings)) -> Arc<App> {
    let mut settings = settings();
    change(&mut settings);
    let peppers = Peppers::new(pepper(0xab), Vec::new());
    made(db, clock, (peppers, settings))
}

fn made(db: &Db, clock: &Arc<ManualClock>, (peppers, settings): (Peppers, Settings)) -> Arc<App> {
    let objects = Objects::open(&Location::Memory).expect("memory is always there");
    Arc::new(App::new(
        (db.clone(), objects),
        peppers,
        settings,
        (Arc::clone(clock) as _, Arc::new(OsEntropy)),
    ))
}

/// The same with its own objects and settings.
pub fn app_on(
    db: &Db,
    clock: &Arc<ManualClock>,
    objects: &Objects,
    settings: Settings,
) -> Arc<App> {
    Arc::new(App::new(
        (db.clone(), objects.clone()),
        Peppers::new(pepper(0xab), Vec::new()),
        settings,
        (Arc::clone(clock) as _, Arc::new(OsEntropy)),
    ))
}

/// The same where randomness is the sequence of `seed`, so that ids and links are always the same.
pub fn app_seeded(
    db: &Db,
    clock: &Arc<ManualClock>,
    (objects, settings): (&Objects, Settings),
    seed: u64,
) -> Arc<App> {
    Arc::new(App::new(
        (db.clone(), objects.clone()),
        Peppers::new(pepper(0xab), Vec::new()),
        settings,
        (Arc::clone(clock) as _, Arc::new(SeededEntropy::new(seed))),
    ))
}

/// What an operator gets who sets nothing.
pub fn settings() -> Settings {
    Settings {
        public_url: "http://127.0.0.1:8080".into(),
        log_retention: Duration::from_hours(90 * 24),
        keys_in_memory_max: 10_000,
        cookie_secret: "cookie secret of the tests".into(),
        open_invites_max: None,
        vault: Vault::parse(&"cd".repeat(32)).expect("64 hexadecimal characters"),
        webhook_guard: headshot_app::outbound::Guard {
            allow_http: true,
            allow_networks: "127.0.0.0/8".parse().expect("a network"),
        },
        webhook_time_max: headshot_app::outbound::TIME_MAX,
        authorities: headshot_app::outbound::Authorities::default(),
        photo_signer: Signer::parse(&"cd".repeat(32)).expect("64 hexadecimal characters"),
        retention: Rules {
            inputs: Some(Duration::from_hours(30 * 24)),
            results: None,
        },
        jobs: headshot_app::jobs::Limits::default(),
        studio: headshot_app::studio::Limits {
            // The engine's own tests do: it takes them long enough.
            restores: false,
            ..headshot_app::studio::Limits::default()
        },
        smtp: None,
        generator: None,
    }
}

/// The pepper whose bytes are all `byte`.
pub fn pepper(byte: u8) -> Pepper {
    Pepper::parse(&format!("{byte:02x}").repeat(32)).expect("64 hexadecimal characters")
}
