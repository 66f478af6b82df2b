//! A database with an organization and keys, made through the same use cases as any other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headshot_app::audit::Actor;
use headshot_app::idempotency::Once;
use headshot_app::keys::{self, NewKey};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::peppers::{Pepper, Peppers};
use headshot_app::photos::Signer;
use headshot_app::retention::Rules;
use headshot_app::{App, Settings, teams};
use headshot_blobs::{Location, Objects};
use headshot_domain::{Networks, OrgId, OsEntropy, Plan, ScopeSet, SystemClock};
use headshot_storage::Db;
use tempfile::TempDir;

/// Of these databases only.
pub(crate) const PEPPER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// An organization has a limit of live keys.
const KEYS_EACH: usize = 100;

/// A database and what is in it.
pub(crate) struct Seed {
    folder: TempDir,
    pub(crate) database_url: String,
    pub(crate) org: OrgId,
    /// The keys themselves.
    pub(crate) keys: Vec<String>,
}

impl Seed {
    /// An SQLite file with an organization on the plan `unlimited`, three teams and `keys` keys, of
    /// which most belong to further organizations where there are many.
    pub(crate) async fn sqlite(keys: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("headshot.db").display());
        Self::fill(folder, url, keys).await
    }

    /// The same in an empty database.
    pub(crate) async fn at(database_url: String, keys: usize) -> anyhow::Result<Self> {
        Self::fill(tempfile::tempdir()?, database_url, keys).await
    }

    async fn fill(folder: TempDir, database_url: String, keys: usize) -> anyhow::Result<Self> {
        let app = app(&database_url, 1_000).await?;
        let actor = Actor::command_line();
        let org = organization(&app).await?;
        for team in ["Marketing", "Engineering", "Sales"] {
            teams::create(&app, (&org, &actor), team, Once::unkept()).await?;
        }
        let mut made = Vec::with_capacity(keys);
        let mut of = org.clone();
        for number in 1..=keys {
            if number % KEYS_EACH == 0 {
                of = organization(&app).await?;
            }
            let new = NewKey {
                name: String::new(),
                scopes: ScopeSet::FULL,
                networks: Networks::default(),
                expires_at: None,
                nonce: None,
            };
            let (_, secret) = keys::create(&app, &actor, &of, new).await?;
            made.push(secret.expose().to_owned());
        }
        app.db.close().await;
        Ok(Self {
            folder,
            database_url,
            org,
            keys: made,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

async fn organization(app: &App) -> anyhow::Result<OrgId> {
    let new = NewOrganization {
        name: "Acme Corporation".to_owned(),
        website: "https://acme.example".to_owned(),
        owner: "owner@acme.example".parse().map_err(anyhow::Error::msg)?,
        plan: Plan::Unlimited,
        credits: None,
        whitelabel: false,
    };
    let created = organizations::create(app, &Actor::command_line(), new).await?;
    Ok(created.org.id)
}

/// An application in this process.
pub(crate) async fn app(database_url: &str, keys_in_memory_max: usize) -> anyhow::Result<App> {
    let db = Db::connect(database_url).await?;
    db.migrate().await?;
    let settings = Settings {
        public_url: "http://127.0.0.1".to_owned(),
        log_retention: Duration::from_hours(24),
        keys_in_memory_max,
        cookie_secret: String::new(),
        open_invites_max: None,
        jobs: headshot_app::jobs::Limits::default(),
        vault: headshot_app::vault::Vault::parse(PEPPER)?,
        webhook_guard: headshot_app::outbound::Guard {
            allow_http: true,
            allow_networks: "127.0.0.0/8".parse()?,
        },
        webhook_time_max: headshot_app::outbound::TIME_MAX,
        authorities: headshot_app::outbound::Authorities::default(),
        photo_signer: Signer::parse(PEPPER)?,
        retention: Rules {
            inputs: None,
            results: None,
        },
        studio: headshot_app::studio::Limits::default(),
        smtp: None,
        generator: None,
    };
    Ok(App::new(
        (db, Objects::open(&Location::Memory)?),
        Peppers::new(Pepper::parse(PEPPER)?, Vec::new()),
        settings,
        (Arc::new(SystemClock::new()), Arc::new(OsEntropy)),
    ))
}
