use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `header` looks a request header up; `body` is the raw request body; `now` is Unix time.
pub fn is_genuine<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    secret: &str,
    now: u64,
) -> bool {
    let timestamp = header("x-headshotpro-timestamp").unwrap_or_default();
    let fresh = |at: u64| now.abs_diff(at) <= 300;
    if !timestamp.parse().is_ok_and(fresh) {
        return false;
    }
    // The second header is there while a rotation overlaps.
    let names = ["x-headshotpro-signature", "x-headshotpro-signature-previous"];
    names.into_iter().filter_map(header).any(|given| {
        let Some(given) = given.strip_prefix("sha256=").and_then(from_hex) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
            return false;
        };
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(&given).is_ok()
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}
