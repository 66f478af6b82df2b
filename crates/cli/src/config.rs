//! Configuration: a file and the environment, which wins. The only place that reads either.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use headshot_app::peppers::Pepper;
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
/// capitals.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    data_dir: Option<PathBuf>,
    listen: Option<String>,
    public_url: Option<String>,
    database_url: Option<String>,
    trusted_proxies: Option<String>,
    log_retention_days: Option<u32>,
    keys_in_memory_max: Option<usize>,
    log: Option<String>,
    pepper: Option<String>,
    retired_peppers: Option<String>,
}

/// The configuration, checked and complete.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    /// Without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) database_url: String,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) log_retention_days: u32,
    pub(crate) keys_in_memory_max: usize,
    /// What to log, as in `info,headshot_app=debug`.
    pub(crate) log: String,
    pub(crate) pepper: Option<String>,
    pub(crate) retired_peppers: Option<String>,
}

impl Config {
    /// Reads `file` (or `headshot.toml` if it is there) and the environment.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut raw = read_file(file)?;
        overlay(&mut raw, variable)?;
        Self::check(raw)
    }

    /// Where everything is kept; no other setting is checked.
    pub(crate) fn data_dir(file: Option<&Path>) -> anyhow::Result<PathBuf> {
        let mut raw = read_file(file)?;
        overlay(&mut raw, variable)?;
        Ok(raw.data_dir.unwrap_or_else(|| DATA_DIR.into()))
    }

    fn check(raw: Raw) -> anyhow::Result<Self> {
        let data_dir = raw.data_dir.unwrap_or_else(|| DATA_DIR.into());
        let listen = raw.listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let listen: SocketAddr = listen.parse().with_context(|| {
            format!("listen: \"{listen}\" is not an address such as 127.0.0.1:8080")
        })?;
        let public_url = raw.public_url.unwrap_or_else(|| format!("http://{listen}"));
        let public_url = public_url.trim_end_matches('/').to_owned();
        let host = ["http://", "https://"]
            .iter()
            .find_map(|scheme| public_url.strip_prefix(scheme));
        let well_formed = |host: &str| !host.is_empty() && !host.contains(char::is_whitespace);
        if !host.is_some_and(well_formed) {
            bail!(
                "public_url: \"{public_url}\" is not an address such as https://headshots.acme.com"
            );
        }
        let database_url = raw
            .database_url
            .unwrap_or_else(|| format!("sqlite://{}", data_dir.join("headshot.db").display()));
        let known = ["sqlite://", "postgres://", "postgresql://"];
        if !known.iter().any(|scheme| database_url.starts_with(scheme)) {
            bail!(
                "database_url: use sqlite://<path> or postgres://<user>:<password>@<host>/<database>"
            );
        }
        Db::check_url(&database_url).context("database_url")?;
        let proxies: Networks = raw
            .trusted_proxies
            .unwrap_or_default()
            .parse()
            .context("trusted_proxies")?;
        let log_retention_days = raw.log_retention_days.unwrap_or(90);
        if !(1..=36_500).contains(&log_retention_days) {
            bail!("log_retention_days: use 1 to 36500");
        }
        let keys_in_memory_max = raw.keys_in_memory_max.unwrap_or(200_000);
        if !(1..=10_000_000).contains(&keys_in_memory_max) {
            bail!("keys_in_memory_max: use 1 to 10000000");
        }
        let log = raw.log.unwrap_or_else(|| "info".to_owned());
        EnvFilter::try_new(&log).context("log")?;
        check_peppers(raw.pepper.as_deref(), raw.retired_peppers.as_deref())?;
        Ok(Self {
            data_dir,
            listen,
            public_url,
            database_url,
            trusted_proxies: TrustedProxies(proxies),
            log_retention_days,
            keys_in_memory_max,
            log,
            pepper: raw.pepper,
            retired_peppers: raw.retired_peppers,
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
            ..Raw::default()
        })
    }

    /// Names and values, secrets redacted, in the order of the documentation.
    pub(crate) fn shown(&self) -> [(&'static str, String); 10] {
        let secret = |value: &Option<String>, otherwise: &str| match value {
            Some(_) => "(set)".to_owned(),
            None => otherwise.to_owned(),
        };
        [
            ("data_dir", self.data_dir.display().to_string()),
            ("listen", self.listen.to_string()),
            ("public_url", self.public_url.clone()),
            ("database_url", without_password(&self.database_url)),
            ("trusted_proxies", self.trusted_proxies.0.to_string()),
            ("log_retention_days", self.log_retention_days.to_string()),
            ("keys_in_memory_max", self.keys_in_memory_max.to_string()),
            ("log", self.log.clone()),
            ("pepper", secret(&self.pepper, "(in the data folder)")),
            (
                "retired_peppers",
                secret(&self.retired_peppers, "(in the data folder)"),
            ),
        ]
    }
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
        (&mut raw.trusted_proxies, "HEADSHOT_TRUSTED_PROXIES"),
        (&mut raw.log, "HEADSHOT_LOG"),
        (&mut raw.pepper, "HEADSHOT_PEPPER"),
        (&mut raw.retired_peppers, "HEADSHOT_RETIRED_PEPPERS"),
    ];
    for (field, name) in texts {
        if let Some(value) = variable(name) {
            *field = Some(value);
        }
    }
    if let Some(value) = variable("HEADSHOT_DATA_DIR") {
        raw.data_dir = Some(value.into());
    }
    if let Some(days) = number("HEADSHOT_LOG_RETENTION_DAYS")? {
        raw.log_retention_days = Some(days);
    }
    if let Some(keys) = number("HEADSHOT_KEYS_IN_MEMORY_MAX")? {
        raw.keys_in_memory_max = usize::try_from(keys).ok();
    }
    Ok(())
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
    }

    #[test]
    fn mistakes_name_the_field() {
        let message = |text: &str| format!("{:#}", checked(text).err().unwrap());
        assert!(message("listen = 'everywhere'").starts_with("listen: "));
        assert!(message("public_url = 'ftp://x'").starts_with("public_url: "));
        assert!(message("database_url = 'mysql://x'").starts_with("database_url: "));
        assert!(message("trusted_proxies = 'x'").starts_with("trusted_proxies: "));
        assert!(message("log_retention_days = 0").starts_with("log_retention_days: "));
        assert!(message("pubic_url = 'http://x'").contains("pubic_url"));
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
        let shown = format!("{:?}", config.shown());
        for secret in ["abcd", "efgh", "p%40ss"] {
            assert!(!shown.contains(secret), "{secret}");
        }
        assert!(shown.contains("postgres://u:***@db:5432/h"));
    }
}
