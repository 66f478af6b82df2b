//! The parser of keys, and the redaction of texts that may hold one.

#![no_main]

use headshot_domain::ApiKeySecret;
use headshot_domain::api_key::redact;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let checked = ApiKeySecret::check(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(checked.is_err());
        return;
    };
    let parsed = ApiKeySecret::parse(text);
    assert_eq!(parsed.is_ok(), checked.is_ok());
    let redacted = redact(text);
    assert_eq!(redact(&redacted), redacted);
    if let Ok(key) = parsed {
        assert_eq!(key.expose(), text);
        assert_eq!(redacted, "hsp_[redacted]");
        assert!(!key.hint().to_string().contains(&text[8..46]));
    }
});
