//! `Range` requests (RFC 9110, section 14): one range of bytes. What can't be read, and several
//! ranges at once, are answered as if nothing had been asked, which the standard allows.

use std::ops::Range;

use axum::http::{HeaderMap, header};
use headshot_app::photos::Meta;

/// Which part of an object a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it.
    All,
    /// These bytes of it.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Beyond,
}

/// The object's tag as a header's value.
pub(super) fn tag(meta: &Meta) -> String {
    format!("\"{}\"", meta.tag)
}

/// The part that a request asks for.
pub(super) fn asked(headers: &HeaderMap, meta: &Meta) -> Asked {
    // The part of another version is of no use to the caller.
    if let Some(of) = headers.get(header::IF_RANGE)
        && of.as_bytes() != tag(meta).as_bytes()
    {
        return Asked::All;
    }
    let text = headers
        .get(header::RANGE)
        .and_then(|text| text.to_str().ok());
    text.and_then(|text| parse(text, meta.size))
        .unwrap_or(Asked::All)
}

fn parse(text: &str, size: u64) -> Option<Asked> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let part = match (first, last) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..size.min(last.saturating_add(1))
        }
    };
    Some(if part.is_empty() {
        Asked::Beyond
    } else {
        Asked::Part(part)
    })
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number that does not fit lies beyond every object.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        use Asked::{Beyond, Part};
        for (text, expected) in [
            ("bytes=0-0", Some(Part(0..1))),
            ("bytes=0-9", Some(Part(0..10))),
            ("bytes=0-10", Some(Part(0..10))),
            ("bytes=9-", Some(Part(9..10))),
            ("bytes=10-", Some(Beyond)),
            ("bytes=-1", Some(Part(9..10))),
            ("bytes=-11", Some(Part(0..10))),
            ("bytes=-0", Some(Beyond)),
            ("Bytes = 2-3", Some(Part(2..4))),
            ("bytes=99999999999999999999999-", Some(Beyond)),
            ("bytes=0-99999999999999999999999", Some(Part(0..10))),
            ("bytes=3-2", None),
            ("bytes=-", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("bytes=+1-2", None),
            ("lines=0-1", None),
            ("", None),
        ] {
            assert_eq!(parse(text, 10), expected, "{text}");
        }
        assert_eq!(parse("bytes=0-", 0), Some(Beyond));
    }
}
