//! The signature of a delivery (contract: webhooks.md).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header with the signature under the current secret.
pub const SIGNATURE: &str = "X-HeadshotPro-Signature";
/// The header with the signature under the previous secret, while a rotation overlaps.
pub const PREVIOUS_SIGNATURE: &str = "X-HeadshotPro-Signature-Previous";
/// The header with the Unix time, in seconds, that is signed too.
pub const TIMESTAMP: &str = "X-HeadshotPro-Timestamp";

/// `sha256=` and the HMAC-SHA-256 of `<timestamp>.<body>` in hex. The key is the secret's text as
/// it was shown, not the bytes that it spells.
pub fn sign(secret: &str, timestamp: i64, body: &[u8]) -> String {
    sign_parts(secret, timestamp, &[body])
}

/// The same for a message in parts, none of which has to be copied.
pub(crate) fn sign_parts(secret: &str, timestamp: i64, parts: &[&[u8]]) -> String {
    let mac = mac(secret, timestamp, parts);
    let hex = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    format!("{SCHEME}{hex}")
}

/// Whether `given` is what [`sign_parts`] gives. Takes the same time whatever is wrong with it.
pub(crate) fn is_signed(secret: &str, timestamp: i64, parts: &[&[u8]], given: &str) -> bool {
    let Some(hex) = given.strip_prefix(SCHEME) else {
        return false;
    };
    let Ok(bytes) = data_encoding::HEXLOWER.decode(hex.as_bytes()) else {
        return false;
    };
    mac(secret, timestamp, parts).verify_slice(&bytes).is_ok()
}

const SCHEME: &str = "sha256=";

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(secret: &str, timestamp: i64, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '1705314600.{"a":1}' | openssl dgst -sha256 -hmac $(printf ab%.0s {1..32})`.
    #[test]
    fn it_is_what_openssl_computes() {
        assert_eq!(
            sign(&"ab".repeat(32), 1_705_314_600, br#"{"a":1}"#),
            "sha256=c04006127a039195c776a4f8b9e7d55bbd5a108dfeed59bdf5045d07fc825038"
        );
    }

    #[test]
    fn it_depends_on_secret_time_and_body() {
        let signature = sign("a", 1, b"{}");
        assert_ne!(signature, sign("b", 1, b"{}"));
        assert_ne!(signature, sign("a", 2, b"{}"));
        assert_ne!(signature, sign("a", 1, b"{} "));
        assert_eq!(signature.len(), 7 + 64);
    }
}
