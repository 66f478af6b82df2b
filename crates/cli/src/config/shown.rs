//! What `headshot config check` prints.

use std::time::Duration;

use headshot_app::outbound::mail::Smtp;
use serde_json::Value;

use super::Config;

impl Config {
    /// Names and values, secrets redacted, in the order of the documentation. Numbers and switches
    /// are such; whatever is not set says in words what is used instead.
    pub(crate) fn shown(&self) -> Vec<(&'static str, Value)> {
        let guard = &self.webhook_guard;
        let mut shown: Vec<(&'static str, Value)> = vec![
            ("data_dir", self.data_dir.display().to_string().into()),
            ("listen", self.listen.to_string().into()),
            ("public_url", self.public_url.clone().into()),
            ("database_url", without_password(&self.database_url).into()),
            ("storage_url", self.storage.to_string().into()),
            ("trusted_proxies", self.trusted_proxies.0.to_string().into()),
            ("log_retention_days", self.log_retention_days.into()),
            ("keys_in_memory_max", self.keys_in_memory_max.into()),
            (
                "open_invites_max",
                self.open_invites_max
                    .map_or_else(|| "(by credits)".into(), Value::from),
            ),
            ("job_lease_seconds", self.job_lease_seconds.into()),
            ("webhook_allow_http", guard.allow_http.into()),
            (
                "webhook_allow_networks",
                guard.allow_networks.to_string().into(),
            ),
            ("webhook_ca_file", is_set(!self.authorities.is_empty())),
            ("input_retention_days", days(self.retention.inputs)),
            ("result_retention_days", days(self.retention.results)),
            ("photos_per_shoot", self.photos_per_shoot.into()),
            ("restore_photos", self.restore_photos.into()),
            ("shoots_max", self.shoots_max.into()),
        ];
        shown.extend(self.shown_mail());
        shown.extend(self.shown_generator());
        shown.push(("log", self.log.clone().into()));
        shown.extend(self.shown_secrets());
        shown
    }

    fn shown_mail(&self) -> [(&'static str, Value); 3] {
        let smtp = self.smtp.as_ref();
        let url = smtp.map_or_else(
            || "(none: mails stay in the outbox)".to_owned(),
            Smtp::shown,
        );
        [
            ("smtp_url", url.into()),
            (
                "mail_from",
                smtp.map_or_else(String::new, Smtp::sender).into(),
            ),
            (
                "smtp_ca_file",
                is_set(smtp.is_some_and(Smtp::has_authority)),
            ),
        ]
    }

    fn shown_generator(&self) -> [(&'static str, Value); 3] {
        let generator = self.generator.as_ref();
        let url = generator.map_or("(none: the built-in engine)", |generator| generator.url());
        [
            ("generator_url", url.into()),
            ("generator_secret", is_set(generator.is_some())),
            ("generator_timeout", self.generator_timeout.into()),
        ]
    }

    /// Whether each secret is set.
    fn shown_secrets(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let secrets = [
            ("pepper", &self.pepper),
            ("retired_peppers", &self.retired_peppers),
            ("encryption_key", &self.encryption_key),
            ("cookie_secret", &self.cookie_secret),
            ("photo_secret", &self.photo_secret),
        ];
        secrets.into_iter().map(|(name, secret)| {
            let told = match secret {
                Some(_) => "(set)",
                None => "(in the data folder)",
            };
            (name, told.into())
        })
    }
}

/// What is shown of a file or a secret that is given or not.
fn is_set(is_set: bool) -> Value {
    if is_set { "(set)" } else { "(none)" }.into()
}

fn days(time: Option<Duration>) -> Value {
    time.map_or(0, |time| time.as_secs() / 86_400).into()
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
    use super::super::tests::checked;

    #[test]
    fn passwords_are_not_shown() {
        let mut config = checked("database_url = 'postgres://u:p%40ss:w@db:5432/h'").unwrap();
        config.pepper = Some("abcd".into());
        config.retired_peppers = Some("efgh".into());
        config.encryption_key = Some("ijkl".into());
        config.cookie_secret = Some("ijkl".into());
        config.photo_secret = Some("ijkl".into());
        let secret = "ijkl".repeat(8);
        let generator =
            format!("generator_url = 'https://gpu.example'\ngenerator_secret = '{secret}'");
        config.generator = checked(&generator).unwrap().generator;
        let shown = format!("{:?}", config.shown());
        for secret in ["abcd", "efgh", "ijkl", "p%40ss"] {
            assert!(!shown.contains(secret), "{secret}");
        }
        assert!(shown.contains("postgres://u:***@db:5432/h"));
    }

    #[test]
    fn every_setting_is_shown() {
        let shown = checked("").unwrap().shown();
        assert_eq!(shown.len(), super::super::given::VARIABLES.len());
        let value = |name: &str| {
            let found = shown.iter().find(|(shown, _)| *shown == name);
            found.unwrap().1.clone()
        };
        assert_eq!(value("log_retention_days"), 90);
        assert_eq!(value("result_retention_days"), 0);
        assert_eq!(value("restore_photos"), true);
        assert_eq!(value("open_invites_max"), "(by credits)");
    }
}
