//! Puts the parts together.

use std::sync::Arc;
use std::time::Duration;

use headshot_app::jobs::Limits;
use headshot_app::{App, Settings, studio};
use headshot_blobs::Objects;
use headshot_domain::{OsEntropy, SystemClock};
use headshot_storage::Db;

use crate::config::Config;
use crate::secrets;
use crate::studio::weights;

/// An application on the configured database, with its schema up to date. Starts nothing.
pub(crate) async fn app(config: &Config) -> anyhow::Result<Arc<App>> {
    let entropy = Arc::new(OsEntropy);
    let db = open(config).await?;
    let settings = Settings {
        public_url: config.public_url.clone(),
        log_retention: Duration::from_secs(u64::from(config.log_retention_days) * 86_400),
        keys_in_memory_max: config.keys_in_memory_max,
        jobs: Limits {
            lease: Duration::from_secs(u64::from(config.job_lease_seconds)),
            ..Limits::default()
        },
        vault: secrets::vault(config, &*entropy)?,
        webhook_guard: config.webhook_guard.clone(),
        webhook_time_max: headshot_app::outbound::TIME_MAX,
        authorities: config.authorities.clone(),
        cookie_secret: secrets::cookie(config, &*entropy)?,
        open_invites_max: config.open_invites_max,
        photo_signer: secrets::photo_signer(config, &*entropy)?,
        retention: config.retention,
        studio: studio(config),
        smtp: config.smtp.clone(),
        generator: config.generator.clone(),
    };
    let peppers = secrets::peppers(config, &*entropy)?;
    let app = App::new(
        (db, Objects::open(&config.storage)?),
        peppers,
        settings,
        (Arc::new(SystemClock::new()), entropy),
    );
    Ok(Arc::new(app))
}

/// What the studio may use of this machine.
fn studio(config: &Config) -> studio::Limits {
    let shoots = usize::try_from(config.shoots_max).unwrap_or(1);
    studio::Limits {
        shoots,
        checks: shoots,
        photos: usize::try_from(config.photos_per_shoot).unwrap_or(1),
        restores: config.restore_photos,
        detail: Some(weights::path(&config.data_dir)),
        ..studio::Limits::default()
    }
}

/// The configured database, with its schema up to date.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Db> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate().await?;
    Ok(db)
}

/// The configured database as it is: nothing is made or changed.
pub(crate) async fn open_existing(config: &Config) -> anyhow::Result<Db> {
    if let Some(path) = config.database_url.strip_prefix("sqlite://") {
        anyhow::ensure!(
            std::path::Path::new(path).exists(),
            "there is no database at {path}"
        );
    }
    Ok(Db::connect(&config.database_url).await?)
}

/// Starts logging to standard error.
pub(crate) fn start_logging(config: &Config) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|wrong| anyhow::anyhow!("log: {wrong}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .init();
    Ok(())
}
