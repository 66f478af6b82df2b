//! What is given: the file's keys and the environment's variables. The only place that reads either.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// The file that is read without `--config`.
const FILE: &str = "headshot.toml";

/// The file's keys, all optional. Each is also an environment variable, `HEADSHOT_` and the name in
/// capitals. Holds secrets: never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) database_url: Option<String>,
    pub(super) storage_url: Option<String>,
    pub(super) trusted_proxies: Option<String>,
    pub(super) log_retention_days: Option<u32>,
    pub(super) keys_in_memory_max: Option<usize>,
    pub(super) open_invites_max: Option<u32>,
    pub(super) job_lease_seconds: Option<u32>,
    pub(super) webhook_allow_http: Option<bool>,
    pub(super) webhook_allow_networks: Option<String>,
    pub(super) webhook_ca_file: Option<PathBuf>,
    pub(super) encryption_key: Option<String>,
    pub(super) log: Option<String>,
    pub(super) pepper: Option<String>,
    pub(super) retired_peppers: Option<String>,
    pub(super) cookie_secret: Option<String>,
    pub(super) input_retention_days: Option<u32>,
    pub(super) result_retention_days: Option<u32>,
    pub(super) photo_secret: Option<String>,
    pub(super) photos_per_shoot: Option<u32>,
    pub(super) restore_photos: Option<bool>,
    pub(super) shoots_max: Option<u32>,
    pub(super) smtp_url: Option<String>,
    pub(super) mail_from: Option<String>,
    pub(super) smtp_ca_file: Option<PathBuf>,
    pub(super) generator_url: Option<String>,
    pub(super) generator_secret: Option<String>,
    pub(super) generator_timeout: Option<u32>,
    /// `AWS_*`, as usual; from the environment only.
    #[serde(skip)]
    pub(super) aws: Vec<(String, String)>,
}

impl Raw {
    /// Of `file` (or `headshot.toml` if it is there) and the environment, which wins.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut raw = read_file(file)?;
        overlay(&mut raw, variable)?;
        raw.aws = aws_variables();
        Ok(raw)
    }
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
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Refuses variables that look like ours and are not.
pub(super) fn check_variables() -> anyhow::Result<()> {
    check_names(names())
}

/// The names of all variables that are set to something.
fn names() -> Vec<String> {
    std::env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect()
}

/// The environment variables that are read.
pub(super) const VARIABLES: [&str; 30] = [
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

pub(super) fn overlay(
    raw: &mut Raw,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn a_switch_is_true_or_false() {
        let set = |text: &str| {
            let mut raw = Raw::default();
            let variable =
                |name: &str| (name == "HEADSHOT_RESTORE_PHOTOS").then(|| text.to_owned());
            overlay(&mut raw, variable)?;
            Ok::<_, anyhow::Error>(raw.restore_photos)
        };
        assert_eq!(set("false").unwrap(), Some(false));
        assert_eq!(set("true").unwrap(), Some(true));
        let wrong = set("no").unwrap_err().to_string();
        assert_eq!(
            wrong,
            "HEADSHOT_RESTORE_PHOTOS: \"no\" is neither true nor false"
        );
    }
}
