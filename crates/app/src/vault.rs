//! Encrypts what has to be read again and must not lie open in the database: webhook secrets.
//!
//! The key is kept outside the database, like the peppers. A sealed text is one version byte, a
//! random nonce and the ciphertext; it opens only in the context (organization and purpose) in
//! which it was sealed, so that a row can't be given another's secret.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use headshot_domain::{Entropy, entropy};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

const NONCE: usize = 24;

/// The key that seals and opens. Never printed.
#[derive(Clone)]
pub struct Vault(XChaCha20Poly1305);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// Text that isn't an encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an encryption key is 64 hexadecimal characters")]
pub struct InvalidKey;

/// Bytes that this key did not seal in this context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was encrypted with another key (HEADSHOT_ENCRYPTION_KEY)")]
pub struct Unreadable;

impl Vault {
    /// Reads a key of 64 hexadecimal characters.
    ///
    /// # Errors
    /// [`InvalidKey`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let decoded = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.trim().as_bytes())
            .map_err(|_wrong| InvalidKey)?;
        let bytes = Zeroizing::new(decoded);
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_wrong| InvalidKey)?;
        Ok(Self(cipher))
    }

    /// Encrypts `text` for one context.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a short text is not too long to encrypt"
    )]
    pub fn seal(&self, entropy: &dyn Entropy, context: &str, text: &str) -> Vec<u8> {
        let nonce = entropy::bytes::<NONCE>(entropy);
        let payload = Payload {
            msg: text.as_bytes(),
            aad: context.as_bytes(),
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("a short text");
        [&[VERSION][..], &nonce, &sealed].concat()
    }

    /// Decrypts what was sealed in this context.
    ///
    /// # Errors
    /// [`Unreadable`] with another key, another context, or changed bytes.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Unreadable> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(Unreadable)?;
        let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(Unreadable)?;
        let payload = Payload {
            msg,
            aad: context.as_bytes(),
        };
        let opened = self.0.decrypt(&XNonce::from(*nonce), payload);
        let text = String::from_utf8(opened.map_err(|_wrong| Unreadable)?);
        text.map(Zeroizing::new).map_err(|_wrong| Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headshot_domain::OsEntropy;

    fn vault(byte: &str) -> Vault {
        Vault::parse(&byte.repeat(32)).unwrap()
    }

    #[test]
    fn it_opens_with_its_key_in_its_context() {
        let sealed = vault("ab").seal(&OsEntropy, "webhook org_1", "secret");
        let opened = vault("ab").open("webhook org_1", &sealed);
        assert_eq!(opened.unwrap().as_str(), "secret");
        assert_eq!(vault("ab").open("webhook org_2", &sealed), Err(Unreadable));
        assert_eq!(vault("cd").open("webhook org_1", &sealed), Err(Unreadable));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(vault("ab").open("webhook org_1", &changed), Err(Unreadable));
        }
        assert_eq!(vault("ab").open("webhook org_1", &[]), Err(Unreadable));
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let seal = || vault("ab").seal(&OsEntropy, "c", "secret");
        let sealed = seal();
        assert_ne!(sealed, seal());
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn a_key_is_32_bytes() {
        assert!(Vault::parse(&"a".repeat(64)).is_ok());
        assert!(Vault::parse(&"a".repeat(62)).is_err());
        assert!(Vault::parse(&"a".repeat(66)).is_err());
        assert!(Vault::parse(&"g".repeat(64)).is_err());
    }
}
