//! The value of an `Authorization` header, to the point where a key is looked up.

#![no_main]

use headshot_app::keys::bearer;
use headshot_domain::ApiKeySecret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &[u8]| {
    let Some(token) = bearer(header) else { return };
    assert!(header.len() > token.len() + "Bearer".len());
    assert!(header[..6].eq_ignore_ascii_case(b"Bearer"));
    if let Ok(key) = ApiKeySecret::parse(token) {
        assert_eq!(key.expose().len(), ApiKeySecret::LENGTH);
    }
});
