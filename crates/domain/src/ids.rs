//! Identifiers. Each is a newtype over its wire text, so that one can't be passed for another.

use std::borrow::Cow;
use std::fmt;

use crate::entropy::{Entropy, characters};
use crate::time::Timestamp;

const LOWER_ALNUM: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";
/// Crockford's base 32, lower case: sorts like the number it spells.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `text` as every database can hold it: PostgreSQL refuses the character NUL, which SQLite takes.
/// Another character that is in no id stands in for it.
pub fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $alphabet:expr, $length:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// A new random id.
            pub fn generate(entropy: &dyn Entropy) -> Self {
                Self(format!("{}{}", $prefix, characters(entropy, $alphabet, $length)))
            }

            /// The wire text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Takes any text: an id that does not exist is simply not found.
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(storable(&text).into_owned())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(storable(text).into_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// An organization, `org_` and 12 characters (contract: organization.md).
    OrgId, "org_", LOWER_ALNUM, 12
);
id!(
    /// A team, `team_` and 12 characters (contract: teams.md).
    TeamId, "team_", LOWER_ALNUM, 12
);
id!(
    /// A person, 24 hex characters (contract: teams.md, member object).
    UserId, "", HEX, 24
);
id!(
    /// An API key's public name, `key_` and 16 characters. Not the secret.
    KeyId, "key_", LOWER_ALNUM, 16
);
id!(
    /// A signed-in browser's public name, `ses_` and 16 characters. Not the cookie.
    SessionId, "ses_", LOWER_ALNUM, 16
);

/// A request's id: `req_`, 10 base-32 characters of Unix milliseconds, 10 random ones.
///
/// Ids sort by time, so the API log needs no second index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId([u8; RequestId::LENGTH]);

impl RequestId {
    const LENGTH: usize = 24;

    /// The id of a request that arrived at `at`; `random` gives its last 50 bits.
    pub fn new(at: Timestamp, random: u64) -> Self {
        let mut text = *b"req_00000000000000000000";
        // Ten characters hold 50 bits. A moment outside of them sorts at the end that it is nearer.
        let ms = at.unix_ms().clamp(0, (1 << 50) - 1);
        write_base32(&mut text[4..14], ms.unsigned_abs());
        write_base32(&mut text[14..24], random);
        Self(text)
    }

    /// The smallest id of its millisecond: a bound for searches by time.
    pub fn floor(at: Timestamp) -> Self {
        Self::new(at, 0)
    }

    /// The wire text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Spells the low bits of `value` into the whole of `into`, most significant first.
fn write_base32(into: &mut [u8], mut value: u64) {
    for place in into.iter_mut().rev() {
        *place = BASE32[(value & 31) as usize];
        value >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn ids_have_the_contract_s_form() {
        let entropy = SeededEntropy::new(3);
        assert_eq!(OrgId::generate(&entropy).as_str().len(), 16);
        assert!(TeamId::generate(&entropy).as_str().starts_with("team_"));
        let user = UserId::generate(&entropy);
        assert_eq!(user.as_str().len(), 24);
        assert!(user.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn request_ids_sort_by_time() {
        let earlier = RequestId::new(Timestamp::from_unix_ms(1_700_000_000_000), u64::MAX);
        let later = RequestId::new(Timestamp::from_unix_ms(1_700_000_000_001), 0);
        assert!(earlier < later);
        assert!(RequestId::floor(Timestamp::from_unix_ms(1_700_000_000_000)) < earlier);
        assert_eq!(later.as_str().len(), 24);
    }

    #[test]
    fn request_ids_of_moments_out_of_range_sort_at_the_ends() {
        let floor = |ms| RequestId::floor(Timestamp::from_unix_ms(ms));
        assert!(floor(i64::MIN) < floor(1));
        assert!(floor(-6_000_000_000_000) < floor(1));
        assert!(floor(253_402_300_799_999) < floor(i64::MAX));
    }

    #[test]
    fn ids_never_hold_what_a_database_refuses() {
        assert_eq!(KeyId::from("key_\0").as_str(), "key_\u{FFFD}");
        assert_eq!(OrgId::from(String::from("org_1")).as_str(), "org_1");
    }
}
