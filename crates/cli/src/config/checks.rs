//! What each setting may be. Every error begins with the setting's name.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use headshot_app::outbound::generator::{Endpoint, EndpointError};
use headshot_app::outbound::mail::Smtp;
use headshot_app::outbound::{Authorities, Guard};
use headshot_app::peppers::Pepper;
use headshot_app::photos::Signer;
use headshot_app::vault::Vault;
use headshot_storage::Db;

use super::given::Raw;
use crate::secrets;

/// The shortest key of device cookies, in characters.
pub(super) const COOKIE_SECRET_MIN: usize = 32;

/// The address without a slash at the end. It may be no more than scheme, host and port: pages,
/// cookies and the API live at the root.
pub(super) fn check_public_url(url: &str) -> anyhow::Result<String> {
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
pub(super) fn days(name: &str, days: u32) -> anyhow::Result<Option<Duration>> {
    if days > 36_500 {
        bail!("{name}: use 1 to 36500, or 0 for ever");
    }
    Ok((days > 0).then(|| Duration::from_hours(24 * u64::from(days))))
}

pub(super) fn check_database_url(given: Option<&str>, data_dir: &Path) -> anyhow::Result<String> {
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
pub(super) fn within<T: PartialOrd + Display + Copy>(
    name: &str,
    number: T,
    range: &RangeInclusive<T>,
) -> anyhow::Result<()> {
    if !range.contains(&number) {
        bail!("{name}: use {} to {}", range.start(), range.end());
    }
    Ok(())
}

pub(super) fn check_secrets(cookie: Option<&str>, photo: Option<&str>) -> anyhow::Result<()> {
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
pub(super) fn check_smtp(
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
pub(super) fn check_generator(
    raw: &Raw,
    allow_http: bool,
) -> anyhow::Result<(Option<Endpoint>, u32)> {
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

pub(super) fn check_webhooks(raw: &Raw) -> anyhow::Result<Guard> {
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
pub(super) fn check_authorities(file: Option<&Path>) -> anyhow::Result<Authorities> {
    let Some(path) = file else {
        return Ok(Authorities::default());
    };
    let pem = std::fs::read(path);
    let pem = pem.with_context(|| format!("webhook_ca_file: {} can't be read", path.display()))?;
    Authorities::from_pem(&pem).context("webhook_ca_file")
}

pub(super) fn check_peppers(current: Option<&str>, retired: Option<&str>) -> anyhow::Result<()> {
    if let Some(text) = current {
        Pepper::parse(text).context("pepper")?;
    }
    for text in secrets::several(retired.unwrap_or_default()) {
        Pepper::parse(text).context("retired_peppers")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
