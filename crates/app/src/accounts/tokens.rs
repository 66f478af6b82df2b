//! Tokens of cookies, links and forms.

use headshot_domain::{Entropy, entropy};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A random text for a cookie or a link: 43 characters of base 64, 256 bits.
pub fn new_token(entropy: &dyn Entropy) -> String {
    data_encoding::BASE64URL_NOPAD.encode(&entropy::bytes::<32>(entropy))
}

/// What is stored of a token.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The text that a form carries to show that this browser asked for it; it follows from the
/// cookie's token and does not reveal it.
pub fn csrf_token(token: &str) -> String {
    keyed_text(token, b"headshot form")
}

/// Whether `given` is the form text of `token`. Takes the same time for every wrong one.
pub fn csrf_matches(token: &str, given: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(csrf_token(token).as_bytes(), given.as_bytes()).into()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(super) fn keyed_text(key: &str, purpose: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key length");
    mac.update(purpose);
    data_encoding::BASE64URL_NOPAD.encode(&mac.finalize().into_bytes())
}
