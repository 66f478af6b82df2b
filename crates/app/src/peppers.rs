//! The secrets that key digests are made with. Kept outside the database: who steals the database
//! alone can't even test a guess.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use headshot_domain::ApiKeySecret;

use crate::verification::memory::Digest;

/// One pepper: 32 bytes.
#[derive(Clone)]
pub struct Pepper {
    id: String,
    /// HMAC with the key already mixed in.
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pepper({})", self.id)
    }
}

/// Text that isn't a pepper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pepper is 64 hexadecimal characters")]
pub struct InvalidPepper;

impl Pepper {
    /// Characters of a pepper's text form.
    pub const TEXT_LENGTH: usize = 64;

    /// Reads 64 hexadecimal characters.
    ///
    /// # Errors
    /// [`InvalidPepper`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidPepper> {
        let decoded = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.trim().as_bytes())
            .map_err(|_wrong| InvalidPepper)?;
        let bytes = Zeroizing::new(decoded);
        if bytes.len() * 2 != Self::TEXT_LENGTH {
            return Err(InvalidPepper);
        }
        let id = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes.as_slice())[..4]);
        let mac = Hmac::new_from_slice(&bytes).map_err(|_wrong| InvalidPepper)?;
        Ok(Self { id, mac })
    }

    /// Tells the pepper from others; says nothing about it.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn digest(&self, secret: &ApiKeySecret) -> Digest {
        let mut mac = self.mac.clone();
        mac.update(secret.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// The current pepper and the retired ones whose keys still work.
#[derive(Debug, Clone)]
pub struct Peppers {
    current: Pepper,
    retired: Vec<Pepper>,
}

impl Peppers {
    /// `current` makes new digests, `retired` ones are only tried.
    pub fn new(current: Pepper, retired: Vec<Pepper>) -> Self {
        Self { current, retired }
    }

    /// The digest under the current pepper.
    pub fn digest(&self, secret: &ApiKeySecret) -> Digest {
        self.current.digest(secret)
    }

    /// The digests under the retired peppers.
    pub fn retired_digests(&self, secret: &ApiKeySecret) -> impl Iterator<Item = Digest> {
        self.retired.iter().map(|pepper| pepper.digest(secret))
    }

    /// The current pepper's id.
    pub fn current_id(&self) -> &str {
        self.current.id()
    }

    /// Whether the pepper with this id is here.
    pub fn knows(&self, id: &str) -> bool {
        self.current.id() == id || self.retired.iter().any(|pepper| pepper.id() == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headshot_domain::SeededEntropy;

    #[test]
    fn a_digest_depends_on_pepper_and_key() {
        let (a, b) = (
            Pepper::parse(&"ab".repeat(32)).unwrap(),
            Pepper::parse(&"cd".repeat(32)).unwrap(),
        );
        let key = ApiKeySecret::generate(&SeededEntropy::new(1));
        let other = ApiKeySecret::generate(&SeededEntropy::new(2));
        assert_eq!(a.digest(&key), a.digest(&key));
        assert_ne!(a.digest(&key), b.digest(&key));
        assert_ne!(a.digest(&key), a.digest(&other));
        assert_ne!(a.id(), b.id());
    }

    #[test]
    fn a_pepper_is_32_bytes() {
        assert!(Pepper::parse(&"a".repeat(63)).is_err());
        assert!(Pepper::parse(&"a".repeat(64)).is_ok());
        assert!(Pepper::parse(&"a".repeat(66)).is_err());
        assert!(Pepper::parse(&"g".repeat(64)).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let pepper = Pepper::parse(&"ab".repeat(32)).unwrap();
        assert!(!format!("{pepper:?}").contains("abab"));
    }
}
