//! Configuration: a file and the environment, which wins. The only place that reads either.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use headshot_app::outbound::generator::{Endpoint, EndpointError};
use headshot_app::outbound::mail::Smtp;
use headshot_app::outbound::{Authorities, Guard};
use headshot_app::peppers::Pepper;
use headshot_app::photos::Signer;
use headshot_app::retention::Rules;
use headshot_app::studio::PHOTOS_MAX;
use headshot_app::vault::Vault;
use headshot_blobs::Location;
use headshot_domain::{Networks, TrustedProxies};
use headshot_storage::Db;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::secrets;

/// The file that is read without `--config`.
const FILE: &str = "headshot.toml";

/// Where everything is kept unless the configuration says otherwise.
const DATA_DIR: &str = "./headshot-data";

/// The file's keys, all optional. Each is also an environment variable, `HEADSHOT_` and the name in
/// capitals. Holds secrets: never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    data_dir: Option<PathBuf>,
    listen: Option<String>,
    public_url: Option<String>,
    database_url: Option<String>,
    storage_url: Option<String>,
    trusted_proxies: Option<String>,
    log_retention_days: Option<u32>,
    keys_in_memory_max: Option<usize>,
    open_invites_max: Option<u32>,
    job_lease_seconds: Option<u32>,
    webhook_allow_http: Option<bool>,
    webhook_allow_networks: Option<String>,
    webhook_ca_file: Option<PathBuf>,
    encryption_key: Option<String>,
    log: Option<String>,
    pepper: Option<String>,
    retired_peppers: Option<String>,
    cookie_secret: Option<String>,
    input_retention_days: Option<u32>,
    result_retention_days: Option<u32>,
    photo_secret: Option<String>,
    photos_per_shoot: Option<u32>,
    restore_photos: Option<bool>,
    shoots_max: Option<u32>,
    smtp_url: Option<String>,
    mail_from: Option<String>,
    smtp_ca_file: Option<PathBuf>,
    generator_url: Option<String>,
    generator_secret: Option<String>,
    generator_timeout: Option<u32>,
    /// `AWS_*`, as usual; from the environment only.
    #[serde(skip)]
    aws: Vec<(String, String)>,
}

/// The shortest key of device cookies, in characters.
const COOKIE_SECRET_MIN: usize = 32;

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
        check_names(names())?;
        let mut raw = read_file(file)?;
        overlay(&mut raw, variable)?;
        raw.aws = aws_variables();
        Self::check(raw)
    }

    /// Where everything is kept; no other setting is checked.
    pub(crate) fn data_dir(file: Option<&Path>) -> anyhow::Result<PathBuf> {
        let mut raw = read_file(file)?;
        overlay(&mut raw, variable)?;
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
        let job_lease_seconds = raw.job_lease_seconds.unwrap_or(30);
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

    /// The same configuration for the demo: its own folder and address, the embedded database.
    pub(crate) fn demo(data_dir: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        Self::check(Raw {
            data_dir: Some(data_dir.to_owned()),
            listen: Some(listen.to_string()),
            log: variable("HEADSHOT_LOG").or_else(|| Some("warn".to_owned())),
            // Its shoots are made before it prints anything.
            restore_photos: Some(false),
            ..Raw::default()
        })
    }

    /// Names and values, secrets redacted, in the order of the documentation.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![
            ("data_dir", self.data_dir.display().to_string()),
            ("listen", self.listen.to_string()),
            ("public_url", self.public_url.clone()),
            ("database_url", without_password(&self.database_url)),
            ("storage_url", self.storage.to_string()),
            ("trusted_proxies", self.trusted_proxies.0.to_string()),
            ("log_retention_days", self.log_retention_days.to_string()),
            ("keys_in_memory_max", self.keys_in_memory_max.to_string()),
            (
                "open_invites_max",
                self.open_invites_max
                    .map_or_else(|| "(by credits)".to_owned(), |max| max.to_string()),
            ),
            ("job_lease_seconds", self.job_lease_seconds.to_string()),
            (
                "webhook_allow_http",
                self.webhook_guard.allow_http.to_string(),
            ),
            (
                "webhook_allow_networks",
                self.webhook_guard.allow_networks.to_string(),
            ),
            ("webhook_ca_file", is_set(!self.authorities.is_empty())),
            ("input_retention_days", shown_days(self.retention.inputs)),
            ("result_retention_days", shown_days(self.retention.results)),
            ("photos_per_shoot", self.photos_per_shoot.to_string()),
            ("restore_photos", self.restore_photos.to_string()),
            ("shoots_max", self.shoots_max.to_string()),
            (
                "smtp_url",
                self.smtp.as_ref().map_or_else(
                    || "(none: mails stay in the outbox)".to_owned(),
                    Smtp::shown,
                ),
            ),
            (
                "mail_from",
                self.smtp.as_ref().map_or_else(String::new, Smtp::sender),
            ),
            (
                "smtp_ca_file",
                is_set(self.smtp.as_ref().is_some_and(Smtp::has_authority)),
            ),
        ];
        shown.extend(self.shown_generator());
        shown.extend(self.shown_secrets());
        shown
    }

    fn shown_generator(&self) -> [(&'static str, String); 3] {
        let (url, secret) = match &self.generator {
            Some(generator) => (generator.url(), "(set)"),
            None => ("(none: the built-in engine)", "(none)"),
        };
        [
            ("generator_url", url.to_owned()),
            ("generator_secret", secret.to_owned()),
            ("generator_timeout", self.generator_timeout.to_string()),
        ]
    }

    /// The log's filter, and whether each secret is set.
    fn shown_secrets(&self) -> Vec<(&'static str, String)> {
        let secret = |value: &Option<String>, otherwise: &str| match value {
            Some(_) => "(set)".to_owned(),
            None => otherwise.to_owned(),
        };
        vec![
            ("log", self.log.clone()),
            ("pepper", secret(&self.pepper, "(in the data folder)")),
            (
                "retired_peppers",
                secret(&self.retired_peppers, "(in the data folder)"),
            ),
            (
                "encryption_key",
                secret(&self.encryption_key, "(in the data folder)"),
            ),
            (
                "cookie_secret",
                secret(&self.cookie_secret, "(in the data folder)"),
            ),
            (
                "photo_secret",
                secret(&self.photo_secret, "(in the data folder)"),
            ),
        ]
    }
}

/// The address without a slash at the end. It may be no more than scheme, host and port: pages,
/// cookies and the API live at the root.
fn check_public_url(url: &str) -> anyhow::Result<String> {
    let origin = url.trim_end_matches('/');
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '\\');
    let Some(host) = host.filter(|host| !host.is_empty() && !host.contains(odd)) else {
        bail!("public_url: \"{url}\" is not an address such as https://headshots.acme.com");
    };
    let parts = [('#', "fragment"), ('?', "query"), ('/', "path")];
    let part = parts.iter().find(|(mark, _)| host.contains(*mark));
    match part {
        Some((_, part)) => bail!(
            "public_url: \"{url}\" has a {part}; give scheme, host and port only, as in https://headshots.acme.com"
        ),
        None => Ok(origin.to_owned()),
    }
}

/// A time in days, where 0 is for ever.
fn days(name: &str, days: u32) -> anyhow::Result<Option<Duration>> {
    if days > 36_500 {
        bail!("{name}: use 1 to 36500, or 0 for ever");
    }
    Ok((days > 0).then(|| Duration::from_hours(24 * u64::from(days))))
}

fn shown_days(time: Option<Duration>) -> String {
    let days = time.map_or(0, |time| time.as_secs() / 86_400);
    days.to_string()
}

fn check_database_url(given: Option<&str>, data_dir: &Path) -> anyhow::Result<String> {
    let embedded = || format!("sqlite://{}", data_dir.join("headshot.db").display());
    let url = given.map_or_else(embedded, str::to_owned);
    let known = ["sqlite://", "postgres://", "postgresql://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        bail!(
            "database_url: use sqlite://<path> or postgres://<user>:<password>@<host>/<database>"
        );
    }
    Db::check_url(&url).context("database_url")?;
    Ok(url)
}

/// Whether a number is one of those that the setting `name` takes.
fn within<T: PartialOrd + Display + Copy>(
    name: &str,
    number: T,
    range: &RangeInclusive<T>,
) -> anyhow::Result<()> {
    if !range.contains(&number) {
        bail!("{name}: use {} to {}", range.start(), range.end());
    }
    Ok(())
}

fn check_secrets(cookie: Option<&str>, photo: Option<&str>) -> anyhow::Result<()> {
    if cookie.is_some_and(|secret| secret.trim().chars().count() < COOKIE_SECRET_MIN) {
        bail!("cookie_secret: use at least {COOKIE_SECRET_MIN} random characters");
    }
    if let Some(secret) = photo {
        Signer::parse(secret).context("photo_secret")?;
    }
    Ok(())
}

/// `no-reply` at the public address's host. A bare address is this machine's or a test's: no mail
/// server would take a sender there.
fn default_sender(public_url: &str) -> String {
    let url = url::Url::parse(public_url).ok();
    let domain = match url.as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name.to_owned(),
        _ => "localhost".to_owned(),
    };
    format!("Headshot <no-reply@{domain}>")
}

/// The mail server, if there is one. Who sends is `no-reply` at the public address's host unless the
/// operator says otherwise.
fn check_smtp(
    (url, from): (Option<&str>, Option<&str>),
    authority: Option<&Path>,
    public_url: &str,
) -> anyhow::Result<Option<Smtp>> {
    let default = default_sender(public_url);
    let authority = match authority {
        Some(path) => {
            let pem = std::fs::read(path);
            Some(pem.with_context(|| format!("smtp_ca_file: {} can't be read", path.display()))?)
        }
        None => None,
    };
    let from = from.unwrap_or(&default);
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        // A sender that can't be one is told of before it is needed.
        Smtp::new("smtp://localhost", from, None).context("mail_from")?;
        return Ok(None);
    };
    let smtp = Smtp::new(url, from, authority);
    Ok(Some(smtp.context("smtp_url or mail_from")?))
}

/// The generator, if there is one, and the seconds that it may take. A secret alone is a mistake.
fn check_generator(raw: &Raw, allow_http: bool) -> anyhow::Result<(Option<Endpoint>, u32)> {
    let timeout = raw.generator_timeout.unwrap_or(3_600);
    within("generator_timeout", timeout, &(1..=86_400))?;
    let (url, secret) = match (&raw.generator_url, &raw.generator_secret) {
        (Some(url), Some(secret)) => (url, secret),
        (None, None) => return Ok((None, timeout)),
        (Some(_), None) => bail!("generator_secret: it is needed with generator_url"),
        (None, Some(_)) => bail!("generator_url: it is needed with generator_secret"),
    };
    let time_max = Duration::from_secs(u64::from(timeout));
    let generator = Endpoint::new(url, secret, (allow_http, time_max));
    let name = match &generator {
        Err(EndpointError::Secret) => "generator_secret",
        _ => "generator_url",
    };
    Ok((Some(generator.context(name)?), timeout))
}

fn check_webhooks(raw: &Raw) -> anyhow::Result<Guard> {
    if let Some(text) = &raw.encryption_key {
        Vault::parse(text).context("encryption_key")?;
    }
    let networks = raw.webhook_allow_networks.as_deref().unwrap_or_default();
    Ok(Guard {
        allow_http: raw.webhook_allow_http.unwrap_or(false),
        allow_networks: networks.parse().context("webhook_allow_networks")?,
    })
}

/// The authorities of a PEM file, if one is named.
fn check_authorities(file: Option<&Path>) -> anyhow::Result<Authorities> {
    let Some(path) = file else {
        return Ok(Authorities::default());
    };
    let pem = std::fs::read(path);
    let pem = pem.with_context(|| format!("webhook_ca_file: {} can't be read", path.display()))?;
    Authorities::from_pem(&pem).context("webhook_ca_file")
}

/// What is shown of a file that is named or not.
fn is_set(is_set: bool) -> String {
    if is_set { "(set)" } else { "(none)" }.to_owned()
}

fn check_peppers(current: Option<&str>, retired: Option<&str>) -> anyhow::Result<()> {
    if let Some(text) = current {
        Pepper::parse(text).context("pepper")?;
    }
    for text in secrets::several(retired.unwrap_or_default()) {
        Pepper::parse(text).context("retired_peppers")?;
    }
    Ok(())
}

fn read_file(file: Option<&Path>) -> anyhow::Result<Raw> {
    let path = file.unwrap_or(Path::new(FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => {
            toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {
            Ok(Raw::default())
        }
        Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The names of all variables that are set to something.
fn names() -> Vec<String> {
    std::env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect()
}

/// The environment variables that are read.
const VARIABLES: [&str; 30] = [
    "HEADSHOT_DATA_DIR",
    "HEADSHOT_LISTEN",
    "HEADSHOT_PUBLIC_URL",
    "HEADSHOT_DATABASE_URL",
    "HEADSHOT_TRUSTED_PROXIES",
    "HEADSHOT_LOG_RETENTION_DAYS",
    "HEADSHOT_KEYS_IN_MEMORY_MAX",
    "HEADSHOT_OPEN_INVITES_MAX",
    "HEADSHOT_JOB_LEASE_SECONDS",
    "HEADSHOT_WEBHOOK_ALLOW_HTTP",
    "HEADSHOT_WEBHOOK_ALLOW_NETWORKS",
    "HEADSHOT_WEBHOOK_CA_FILE",
    "HEADSHOT_ENCRYPTION_KEY",
    "HEADSHOT_STORAGE_URL",
    "HEADSHOT_INPUT_RETENTION_DAYS",
    "HEADSHOT_RESULT_RETENTION_DAYS",
    "HEADSHOT_PHOTO_SECRET",
    "HEADSHOT_PHOTOS_PER_SHOOT",
    "HEADSHOT_RESTORE_PHOTOS",
    "HEADSHOT_SHOOTS_MAX",
    "HEADSHOT_SMTP_URL",
    "HEADSHOT_MAIL_FROM",
    "HEADSHOT_SMTP_CA_FILE",
    "HEADSHOT_GENERATOR_URL",
    "HEADSHOT_GENERATOR_SECRET",
    "HEADSHOT_GENERATOR_TIMEOUT",
    "HEADSHOT_LOG",
    "HEADSHOT_PEPPER",
    "HEADSHOT_RETIRED_PEPPERS",
    "HEADSHOT_COOKIE_SECRET",
];

/// Refuses a name that looks like ours and is not, as the file's unknown keys are refused: a
/// misspelt pepper must not quietly become a new one. What Kubernetes sets for a service with the
/// name `headshot` is let through.
fn check_names(names: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    for name in names {
        let Some(rest) = name.strip_prefix("HEADSHOT_") else {
            continue;
        };
        let of_kubernetes =
            rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_");
        if !of_kubernetes && !VARIABLES.contains(&&*name) {
            bail!(
                "{name}: there is no such setting; there are {}",
                VARIABLES.join(", ")
            );
        }
    }
    Ok(())
}

fn aws_variables() -> Vec<(String, String)> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts
        .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
        .collect()
}

fn overlay(raw: &mut Raw, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    let number = |name: &str| {
        let parse = |text: String| {
            text.parse::<u32>()
                .with_context(|| format!("{name}: \"{text}\" is not a number"))
        };
        variable(name).map(parse).transpose()
    };
    let texts = [
        (&mut raw.listen, "HEADSHOT_LISTEN"),
        (&mut raw.public_url, "HEADSHOT_PUBLIC_URL"),
        (&mut raw.database_url, "HEADSHOT_DATABASE_URL"),
        (&mut raw.storage_url, "HEADSHOT_STORAGE_URL"),
        (&mut raw.trusted_proxies, "HEADSHOT_TRUSTED_PROXIES"),
        (&mut raw.log, "HEADSHOT_LOG"),
        (&mut raw.pepper, "HEADSHOT_PEPPER"),
        (&mut raw.retired_peppers, "HEADSHOT_RETIRED_PEPPERS"),
        (
            &mut raw.webhook_allow_networks,
            "HEADSHOT_WEBHOOK_ALLOW_NETWORKS",
        ),
        (&mut raw.encryption_key, "HEADSHOT_ENCRYPTION_KEY"),
        (&mut raw.cookie_secret, "HEADSHOT_COOKIE_SECRET"),
        (&mut raw.photo_secret, "HEADSHOT_PHOTO_SECRET"),
        (&mut raw.smtp_url, "HEADSHOT_SMTP_URL"),
        (&mut raw.mail_from, "HEADSHOT_MAIL_FROM"),
        (&mut raw.generator_url, "HEADSHOT_GENERATOR_URL"),
        (&mut raw.generator_secret, "HEADSHOT_GENERATOR_SECRET"),
    ];
    for (field, name) in texts {
        if let Some(value) = variable(name) {
            *field = Some(value);
        }
    }
    let numbers = [
        (&mut raw.log_retention_days, "HEADSHOT_LOG_RETENTION_DAYS"),
        (&mut raw.photos_per_shoot, "HEADSHOT_PHOTOS_PER_SHOOT"),
        (&mut raw.shoots_max, "HEADSHOT_SHOOTS_MAX"),
        (&mut raw.open_invites_max, "HEADSHOT_OPEN_INVITES_MAX"),
        (&mut raw.job_lease_seconds, "HEADSHOT_JOB_LEASE_SECONDS"),
        (
            &mut raw.input_retention_days,
            "HEADSHOT_INPUT_RETENTION_DAYS",
        ),
        (
            &mut raw.result_retention_days,
            "HEADSHOT_RESULT_RETENTION_DAYS",
        ),
        (&mut raw.generator_timeout, "HEADSHOT_GENERATOR_TIMEOUT"),
    ];
    for (field, name) in numbers {
        if let Some(value) = number(name)? {
            *field = Some(value);
        }
    }
    overlay_paths(raw, &variable);
    if let Some(keys) = number("HEADSHOT_KEYS_IN_MEMORY_MAX")? {
        raw.keys_in_memory_max = usize::try_from(keys).ok();
    }
    for (field, name) in [
        (&mut raw.webhook_allow_http, "HEADSHOT_WEBHOOK_ALLOW_HTTP"),
        (&mut raw.restore_photos, "HEADSHOT_RESTORE_PHOTOS"),
    ] {
        if let Some(text) = variable(name) {
            let parsed = text.parse();
            let wrong = || format!("{name}: \"{text}\" is neither true nor false");
            *field = Some(parsed.with_context(wrong)?);
        }
    }
    Ok(())
}

fn overlay_paths(raw: &mut Raw, variable: impl Fn(&str) -> Option<String>) {
    for (field, name) in [
        (&mut raw.data_dir, "HEADSHOT_DATA_DIR"),
        (&mut raw.smtp_ca_file, "HEADSHOT_SMTP_CA_FILE"),
        (&mut raw.webhook_ca_file, "HEADSHOT_WEBHOOK_CA_FILE"),
    ] {
        if let Some(value) = variable(name) {
            *field = Some(value.into());
        }
    }
}

/// The address with its password masked.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let Some((user, host)) = rest.rsplit_once('@') else {
        return url.to_owned();
    };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> anyhow::Result<Config> {
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
    fn a_switch_is_true_or_false() {
        assert!(checked("").unwrap().restore_photos);
        let set = |text: &str| {
            let mut raw = Raw::default();
            let variable =
                |name: &str| (name == "HEADSHOT_RESTORE_PHOTOS").then(|| text.to_owned());
            overlay(&mut raw, variable)?;
            Ok::<_, anyhow::Error>(Config::check(raw)?.restore_photos)
        };
        assert!(!set("false").unwrap());
        assert!(set("true").unwrap());
        let wrong = set("no").unwrap_err().to_string();
        assert_eq!(
            wrong,
            "HEADSHOT_RESTORE_PHOTOS: \"no\" is neither true nor false"
        );
    }

    #[test]
    fn the_environment_wins() {
        let mut raw: Raw = toml::from_str("listen = '127.0.0.1:1'").unwrap();
        overlay(&mut raw, |name| {
            (name == "HEADSHOT_LISTEN").then(|| "127.0.0.1:2".to_owned())
        })
        .unwrap();
        assert_eq!(raw.listen.as_deref(), Some("127.0.0.1:2"));
        let wrong = overlay(&mut raw, |name| {
            (name == "HEADSHOT_LOG_RETENTION_DAYS").then(|| "x".to_owned())
        });
        assert!(wrong.is_err());
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut config = checked("database_url = 'postgres://u:p%40ss:w@db:5432/h'").unwrap();
        config.pepper = Some("abcd".into());
        config.retired_peppers = Some("efgh".into());
        config.encryption_key = Some("ijkl".into());
        config.cookie_secret = Some("ijkl".into());
        config.photo_secret = Some("ijkl".into());
        let secret = "ijkl".repeat(8);
        let raw = Raw {
            generator_url: Some("https://gpu.example/".into()),
            generator_secret: Some(secret),
            ..Raw::default()
        };
        config.generator = check_generator(&raw, false).unwrap().0;
        let shown = format!("{:?}", config.shown());
        for secret in ["abcd", "efgh", "ijkl", "p%40ss"] {
            assert!(!shown.contains(secret), "{secret}");
        }
        assert!(shown.contains("postgres://u:***@db:5432/h"));
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
    fn the_public_address_is_scheme_host_and_port() {
        let url = |text: &str| check_public_url(text).map_err(|wrong| wrong.to_string());
        for (given, kept) in [
            ("https://acme.com", "https://acme.com"),
            ("https://acme.com/", "https://acme.com"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(url(given).as_deref(), Ok(kept));
        }
        for (given, part) in [
            ("https://acme.com/headshots", "has a path"),
            ("https://acme.com/headshots/", "has a path"),
            ("https://acme.com?x=/", "has a query"),
            ("https://acme.com/a?x", "has a query"),
            ("https://acme.com/#top", "has a fragment"),
            ("https://user@acme.com", "is not an address"),
            ("https://", "is not an address"),
            ("https://acme .com", "is not an address"),
        ] {
            let wrong = url(given).unwrap_err();
            assert!(wrong.contains(part) && wrong.contains(given), "{wrong}");
        }
    }

    #[test]
    fn a_cookie_secret_has_32_characters() {
        let with = |length: usize| checked(&format!("cookie_secret = '{}'", "s".repeat(length)));
        assert!(with(COOKIE_SECRET_MIN).is_ok());
        assert!(with(COOKIE_SECRET_MIN - 1).is_err());
    }

    #[test]
    fn misspelt_variables_are_named() {
        let check = |name: &str| check_names([name.to_owned()]);
        for known in VARIABLES {
            check(known).unwrap();
        }
        for others in [
            "PATH",
            "HEADSHOT_PORT",
            "HEADSHOT_PORT_80_TCP",
            "HEADSHOT_SERVICE_HOST",
        ] {
            check(others).unwrap();
        }
        for misspelt in ["HEADSHOT_PEPER", "HEADSHOT_", "HEADSHOT_listen"] {
            let wrong = check(misspelt).unwrap_err().to_string();
            assert!(wrong.starts_with(&format!("{misspelt}: ")), "{wrong}");
        }
    }

    /// Each variable is read into its field, and each field has its variable.
    #[test]
    fn every_variable_is_read() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        overlay(&mut Raw::default(), |name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        })
        .unwrap();
        let asked = asked.into_inner();
        assert!(VARIABLES.iter().all(|name| asked.contains(*name)));
        assert_eq!(asked.len(), VARIABLES.len());
        assert_eq!(checked("").unwrap().shown().len(), VARIABLES.len());
    }
}
