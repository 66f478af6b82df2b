//! Configuration: a file and the environment, which wins.

mod checks;
mod given;
mod shown;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use headshot_app::outbound::generator::Endpoint;
use headshot_app::outbound::mail::Smtp;
use headshot_app::outbound::{Authorities, Guard};
use headshot_app::retention::Rules;
use headshot_app::studio::PHOTOS_MAX;
use headshot_blobs::Location;
use headshot_domain::{Networks, TrustedProxies};
use tracing_subscriber::EnvFilter;

use checks::{
    check_authorities, check_database_url, check_generator, check_peppers, check_public_url,
    check_secrets, check_smtp, check_webhooks, days, within,
};
use given::Raw;

/// Where everything is kept unless the configuration says otherwise.
const DATA_DIR: &str = "./headshot-data";

/// The configuration, checked and complete.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    /// Without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) database_url: String,
    pub(crate) storage: Location,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) log_retention_days: u32,
    pub(crate) keys_in_memory_max: usize,
    /// 0 is no limit; `None` follows the organization's credits.
    pub(crate) open_invites_max: Option<i64>,
    pub(crate) job_lease_seconds: u32,
    pub(crate) webhook_guard: Guard,
    /// Whose certificates receivers and the generator may have, besides what the machine trusts.
    pub(crate) authorities: Authorities,
    pub(crate) encryption_key: Option<String>,
    pub(crate) retention: Rules,
    /// What to log, as in `info,headshot_app=debug`.
    pub(crate) log: String,
    pub(crate) pepper: Option<String>,
    pub(crate) retired_peppers: Option<String>,
    pub(crate) cookie_secret: Option<String>,
    pub(crate) photo_secret: Option<String>,
    pub(crate) photos_per_shoot: u32,
    pub(crate) restore_photos: bool,
    /// Shoots that one process makes at a time.
    pub(crate) shoots_max: u32,
    pub(crate) smtp: Option<Smtp>,
    /// Who makes the headshots; without one, the built-in engine.
    pub(crate) generator: Option<Endpoint>,
    /// How long it may take for a shoot, in seconds.
    pub(crate) generator_timeout: u32,
}

/// Memory that a shoot may need, in bytes.
const SHOOT_MEMORY: u64 = 1 << 30;

/// As many shoots at a time as half the cores and half the memory can carry: requests need the
/// other half.
fn shoots_by_machine() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let by_cores = u32::try_from(cores / 2).unwrap_or(u32::MAX);
    let memory = total_memory().unwrap_or(0);
    let by_memory = u32::try_from(memory / 2 / SHOOT_MEMORY).unwrap_or(u32::MAX);
    by_cores.min(by_memory).clamp(1, SHOOTS_MAX)
}

/// The most shoots that one process makes at a time.
const SHOOTS_MAX: u32 = 64;

/// The machine's memory in bytes, where the system tells.
fn total_memory() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

impl Config {
    /// Reads `file` (or `headshot.toml` if it is there) and the environment.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        given::check_variables()?;
        Self::check(Raw::read(file)?)
    }

    /// Where everything is kept; no other setting is checked.
    pub(crate) fn data_dir(file: Option<&Path>) -> anyhow::Result<PathBuf> {
        let raw = Raw::read(file)?;
        Ok(raw.data_dir.unwrap_or_else(|| DATA_DIR.into()))
    }

    fn check(raw: Raw) -> anyhow::Result<Self> {
        check_peppers(raw.pepper.as_deref(), raw.retired_peppers.as_deref())?;
        check_secrets(raw.cookie_secret.as_deref(), raw.photo_secret.as_deref())?;
        let webhook_guard = check_webhooks(&raw)?;
        let authorities = check_authorities(raw.webhook_ca_file.as_deref())?;
        let (generator, generator_timeout) = check_generator(&raw, webhook_guard.allow_http)?;
        let data_dir = raw.data_dir.unwrap_or_else(|| DATA_DIR.into());
        let listen = raw.listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let listen: SocketAddr = listen.parse().with_context(|| {
            format!("listen: \"{listen}\" is not an address such as 127.0.0.1:8080")
        })?;
        let public_url = raw.public_url.unwrap_or_else(|| format!("http://{listen}"));
        let public_url = check_public_url(&public_url)?;
        let database_url = check_database_url(raw.database_url.as_deref(), &data_dir)?;
        let storage_url = raw
            .storage_url
            .unwrap_or_else(|| format!("file://{}", data_dir.join("objects").display()));
        let storage = Location::parse(&storage_url, raw.aws).context("storage_url")?;
        let inputs = raw.input_retention_days.unwrap_or(30);
        let results = raw.result_retention_days.unwrap_or(0);
        let retention = Rules {
            inputs: days("input_retention_days", inputs)?,
            results: days("result_retention_days", results)?,
        };
        let proxies = raw.trusted_proxies.as_deref().unwrap_or_default();
        let proxies: Networks = proxies.parse().context("trusted_proxies")?;
        let log_retention_days = raw.log_retention_days.unwrap_or(90);
        within("log_retention_days", log_retention_days, &(1..=36_500))?;
        let keys_in_memory_max = raw.keys_in_memory_max.unwrap_or(200_000);
        within("keys_in_memory_max", keys_in_memory_max, &(1..=10_000_000))?;
        let job_lease_seconds = raw.job_lease_seconds.unwrap_or(15);
        within("job_lease_seconds", job_lease_seconds, &(1..=3_600))?;
        let photos_max = u32::try_from(PHOTOS_MAX).unwrap_or(u32::MAX);
        let photos_per_shoot = raw.photos_per_shoot.unwrap_or(40);
        within("photos_per_shoot", photos_per_shoot, &(1..=photos_max))?;
        let shoots_max = raw.shoots_max.unwrap_or_else(shoots_by_machine);
        within("shoots_max", shoots_max, &(1..=SHOOTS_MAX))?;
        let smtp = check_smtp(
            (raw.smtp_url.as_deref(), raw.mail_from.as_deref()),
            raw.smtp_ca_file.as_deref(),
            &public_url,
        )?;
        let log = raw.log.unwrap_or_else(|| "info".to_owned());
        EnvFilter::try_new(&log).context("log")?;
        Ok(Self {
            data_dir,
            listen,
            public_url,
            database_url,
            storage,
            trusted_proxies: TrustedProxies(proxies),
            log_retention_days,
            keys_in_memory_max,
            open_invites_max: raw.open_invites_max.map(i64::from),
            job_lease_seconds,
            webhook_guard,
            authorities,
            encryption_key: raw.encryption_key,
            log,
            pepper: raw.pepper,
            retired_peppers: raw.retired_peppers,
            cookie_secret: raw.cookie_secret,
            retention,
            photo_secret: raw.photo_secret,
            photos_per_shoot,
            restore_photos: raw.restore_photos.unwrap_or(true),
            shoots_max,
            smtp,
            generator,
            generator_timeout,
        })
    }

    /// The same after the address was bound: with port 0 the system has chosen one.
    pub(crate) fn listening_on(&self, address: SocketAddr) -> Self {
        let mut bound = self.clone();
        if self.public_url == format!("http://{}", self.listen) {
            bound.public_url = format!("http://{address}");
        }
        bound
    }

    /// The same configuration for the demo: its own folder and address, the embedded database. Of the
    /// environment it heeds the log's level and where webhooks may go: a receiver to try them with is
    /// mostly on the same machine.
    pub(crate) fn demo(data_dir: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        const HEEDED: [&str; 4] = [
            "HEADSHOT_LOG",
            "HEADSHOT_WEBHOOK_ALLOW_HTTP",
            "HEADSHOT_WEBHOOK_ALLOW_NETWORKS",
            "HEADSHOT_WEBHOOK_CA_FILE",
        ];
        let mut raw = Raw {
            log: Some("warn".to_owned()),
            ..Raw::default()
        };
        given::overlay(&mut raw, |name| {
            HEEDED.contains(&name).then(|| given::variable(name))?
        })?;
        raw.data_dir = Some(data_dir.to_owned());
        raw.listen = Some(listen.to_string());
        Self::check(raw)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::checks::COOKIE_SECRET_MIN;
    use super::*;

    pub(super) fn checked(text: &str) -> anyhow::Result<Config> {
        Config::check(toml::from_str(text)?)
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = checked("").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.public_url, "http://127.0.0.1:8080");
        assert_eq!(config.database_url, "sqlite://./headshot-data/headshot.db");
        assert_eq!(config.storage.to_string(), "file://./headshot-data/objects");
        assert_eq!(config.retention.inputs, Some(Duration::from_hours(30 * 24)));
        assert_eq!(config.retention.results, None);
    }

    #[test]
    fn mistakes_name_the_field() {
        let message = |text: &str| format!("{:#}", checked(text).err().unwrap());
        assert!(message("listen = 'everywhere'").starts_with("listen: "));
        assert!(message("public_url = 'ftp://x'").starts_with("public_url: "));
        assert!(message("database_url = 'mysql://x'").starts_with("database_url: "));
        assert!(message("storage_url = 'ftp://x'").starts_with("storage_url: "));
        assert!(message("storage_url = 's3://A'").starts_with("storage_url: "));
        assert!(message("photo_secret = 'abc'").starts_with("photo_secret: "));
        let days = "input_retention_days";
        assert!(message(&format!("{days} = 36501")).starts_with("input_retention_days: "));
        assert!(checked(&format!("{days} = 36500")).is_ok());
        assert!(message("result_retention_days = 36501").starts_with("result_retention_days: "));
        assert!(message("trusted_proxies = 'x'").starts_with("trusted_proxies: "));
        assert!(message("log_retention_days = 0").starts_with("log_retention_days: "));
        assert!(message("job_lease_seconds = 0").starts_with("job_lease_seconds: "));
        assert!(message("job_lease_seconds = 3601").starts_with("job_lease_seconds: "));
        assert!(message("webhook_allow_networks = 'x'").starts_with("webhook_allow_networks: "));
        assert!(message("webhook_ca_file = '/none.pem'").starts_with("webhook_ca_file: /none.pem"));
        let empty = message("webhook_ca_file = '/dev/null'");
        assert_eq!(
            empty,
            "webhook_ca_file: the file holds no certificate in PEM"
        );
        assert!(message("encryption_key = 'x'").starts_with("encryption_key: "));
        assert!(message("pubic_url = 'http://x'").contains("pubic_url"));
    }

    #[test]
    fn a_generator_has_an_address_a_secret_and_a_time() {
        let url = "generator_url = 'https://gpu.example'";
        let secret = |length: usize| format!("generator_secret = '{}'", "s".repeat(length));
        let timeout =
            |seconds: u32| format!("{url}\n{}\ngenerator_timeout = {seconds}", secret(32));
        let config = checked(&timeout(86_400)).unwrap();
        let generator = config.generator.unwrap();
        assert_eq!(generator.url(), "https://gpu.example");
        assert_eq!(generator.time_max, Duration::from_hours(24));
        assert!(checked("").unwrap().generator.is_none());
        assert!(checked(&timeout(1)).is_ok());
        let lax = "webhook_allow_http = true\ngenerator_url = 'http://gpu.example'";
        assert!(checked(&format!("{lax}\n{}", secret(32))).is_ok());
        for (text, field) in [
            (url.to_owned(), "generator_secret: "),
            (secret(32), "generator_url: "),
            (format!("{url}\n{}", secret(31)), "generator_secret: "),
            (
                format!("generator_url = 'http://gpu.example'\n{}", secret(32)),
                "generator_url: ",
            ),
            (timeout(0), "generator_timeout: "),
            (timeout(86_401), "generator_timeout: "),
        ] {
            let wrong = format!("{:#}", checked(&text).err().unwrap());
            assert!(wrong.starts_with(field), "{wrong}");
        }
    }

    #[test]
    fn a_cookie_secret_has_32_characters() {
        let with = |length: usize| checked(&format!("cookie_secret = '{}'", "s".repeat(length)));
        assert!(with(COOKIE_SECRET_MIN).is_ok());
        assert!(with(COOKIE_SECRET_MIN - 1).is_err());
    }
}
