//! The form of an API key: `hsp_`, 40 random base-62 characters, 6 base-62 characters of CRC-32.
//!
//! The checksum lets a mistyped or cut key be refused without hashing or a look-up, and lets a
//! secret scanner tell a real key from a look-alike.

use std::fmt;

use zeroize::Zeroize;

use crate::entropy::{Entropy, characters};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "hsp_";
const RANDOM_LENGTH: usize = 40;
const CHECKSUM_LENGTH: usize = 6;
const BODY_LENGTH: usize = PREFIX.len() + RANDOM_LENGTH;

/// A well-formed API key: the secret itself. Wiped from memory when dropped; prints as its hint.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

/// Text that has not the form of a key, or whose checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedKey {
    /// Not `hsp_` and 46 letters and digits.
    #[error("not the form of a key: hsp_ and 46 letters or digits")]
    Form,
    /// The last six characters don't belong to the rest.
    #[error("the checksum is wrong: the key was mistyped or cut")]
    Checksum,
}

impl ApiKeySecret {
    /// Characters in a key.
    pub const LENGTH: usize = BODY_LENGTH + CHECKSUM_LENGTH;
    /// The pattern for secret scanners.
    pub const PATTERN: &str = "hsp_[0-9A-Za-z]{46}";

    /// A new key with about 238 bits of randomness.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut text = String::with_capacity(Self::LENGTH);
        text.push_str(PREFIX);
        text.push_str(&characters(entropy, BASE62, RANDOM_LENGTH));
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.into_iter().map(char::from));
        Self(text)
    }

    /// Checks form and checksum, without a look-up. Constant memory, whatever the input.
    ///
    /// # Errors
    /// [`MalformedKey`] tells which of the two is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        Self::check(text.as_bytes()).map(|()| Self(text.to_owned()))
    }

    /// [`ApiKeySecret::parse`] without keeping the text.
    ///
    /// # Errors
    /// [`MalformedKey`] tells which of the two is wrong.
    pub fn check(text: &[u8]) -> Result<(), MalformedKey> {
        let form = text.len() == Self::LENGTH
            && text.starts_with(PREFIX.as_bytes())
            && text[PREFIX.len()..].iter().all(u8::is_ascii_alphanumeric);
        if !form {
            return Err(MalformedKey::Form);
        }
        let (body, given) = text.split_at(BODY_LENGTH);
        if checksum(body) == given {
            Ok(())
        } else {
            Err(MalformedKey::Checksum)
        }
    }

    /// The secret. Give it to the hash or to the person who made it, to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown later.
    pub fn hint(&self) -> KeyHint {
        KeyHint {
            first: self.0[..8].to_owned(),
            last: self.0[Self::LENGTH - 4..].to_owned(),
        }
    }
}

impl Drop for ApiKeySecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeySecret({})", self.hint())
    }
}

/// The first 8 and last 4 characters of a key: enough to recognise it, not to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHint {
    /// The first 8 characters, `hsp_` included.
    pub first: String,
    /// The last 4 characters.
    pub last: String,
}

impl fmt::Display for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…{}", self.first, self.last)
    }
}

/// The CRC-32 of `body` as six base-62 digits, most significant first.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// Replaces every stretch of `text` that looks like a key by `hsp_[redacted]`, whether or not its
/// checksum is right and even if its underscore is percent-encoded. For anything that is stored or
/// logged.
pub fn redact(text: &str) -> std::borrow::Cow<'_, str> {
    const WORD: &str = "hsp";
    if !text.contains(WORD) {
        return text.into();
    }
    let in_run = |byte: &u8| byte.is_ascii_alphanumeric() || b"_%".contains(byte);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(WORD) {
        let length = rest[at..].bytes().take_while(in_run).count();
        let run = &rest[at..at + length];
        let marked = ["hsp_", "hsp%5F", "hsp%5f"]
            .iter()
            .any(|mark| run.starts_with(mark));
        clean.push_str(&rest[..at]);
        if marked && length > REDACT_LENGTH_MIN {
            clean.push_str("hsp_[redacted]");
            rest = &rest[at + length..];
        } else {
            clean.push_str(WORD);
            rest = &rest[at + WORD.len()..];
        }
    }
    clean.push_str(rest);
    clean.into()
}

/// Shorter runs are hints (`hsp_AbCd`), not secrets.
const REDACT_LENGTH_MIN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_published_form() {
        let key = ApiKeySecret::generate(&SeededEntropy::new(1));
        assert_eq!(key.expose().len(), 50);
        assert!(key.expose().starts_with("hsp_"));
        assert!(ApiKeySecret::parse(key.expose()).is_ok());
    }

    #[test]
    fn the_checksum_is_crc32_in_base62() {
        // The published check value of CRC-32.
        let value = 0xCBF4_3926_u64;
        let spelled = checksum(b"123456789").iter().fold(0u64, |sum, digit| {
            sum * 62 + BASE62.iter().position(|c| c == digit).unwrap() as u64
        });
        assert_eq!(spelled, value);
    }

    #[test]
    fn debug_does_not_print_the_secret() {
        let key = ApiKeySecret::generate(&SeededEntropy::new(2));
        let debug = format!("{key:?}");
        assert!(!debug.contains(&key.expose()[8..46]));
        assert!(debug.contains(&key.expose()[..8]));
    }

    #[test]
    fn redaction_leaves_no_key() {
        let key = ApiKeySecret::generate(&SeededEntropy::new(3));
        let path = format!("/api/v2/organization?key={}&x=1", key.expose());
        assert_eq!(redact(&path), "/api/v2/organization?key=hsp_[redacted]&x=1");
        let twice = format!("{0}{0} ä {0}", key.expose());
        assert!(!redact(&twice).contains(&key.expose()[4..20]));
        let encoded = key.expose().replace('_', "%5F");
        assert_eq!(redact(&encoded), "hsp_[redacted]");
        assert_eq!(
            redact("hsp_short is no key, nor is hspital"),
            "hsp_short is no key, nor is hspital"
        );
    }

    proptest! {
        #[test]
        fn generated_keys_parse(seed: u64) {
            let key = ApiKeySecret::generate(&SeededEntropy::new(seed));
            prop_assert_eq!(ApiKeySecret::parse(key.expose()).unwrap(), key);
        }

        #[test]
        fn one_wrong_character_is_always_noticed(seed: u64, at in 4usize..50, to in 0usize..62) {
            let key = ApiKeySecret::generate(&SeededEntropy::new(seed));
            let mut text = key.expose().as_bytes().to_vec();
            prop_assume!(text[at] != BASE62[to]);
            text[at] = BASE62[to];
            prop_assert_eq!(ApiKeySecret::check(&text), Err(MalformedKey::Checksum));
        }

        #[test]
        fn never_panics(text in ".{0,200}") {
            let _seen = ApiKeySecret::parse(&text);
            let clean = redact(&text).into_owned();
            prop_assert_eq!(redact(&clean).into_owned(), clean);
        }
    }
}
