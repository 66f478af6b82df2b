//! What everybody may see and gets in the same bytes: made once, compressed once, with an `ETag`.
//!
//! Compressed answers tell their content by their size to whoever can put text into them
//! (BREACH). So what holds a form's token or anything of an organization is never compressed: only
//! the documentation and the assets come through here.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use headshot_pages::Asset;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::dashboard::PageError;

/// One file or page, ready to be sent.
#[derive(Debug)]
pub(crate) struct Public {
    plain: Bytes,
    /// Where it is smaller.
    gzip: Option<Bytes>,
    /// Of the content, without quotes.
    tag: String,
    content_type: &'static str,
    cache_control: &'static str,
}

impl Public {
    fn new(plain: Bytes, content_type: &'static str, cache_control: &'static str) -> Self {
        let gzip = compressed(&plain).filter(|gzip| gzip.len() < plain.len());
        let digest = Sha256::digest(&plain);
        let tag = digest[..8].iter().map(|byte| format!("{byte:02x}"));
        Self {
            gzip,
            tag: tag.collect(),
            plain,
            content_type,
            cache_control,
        }
    }

    /// A page. It is asked for again each time, and is not sent again while it is the same.
    pub(crate) fn page(html: String) -> Self {
        Self::new(html.into(), "text/html; charset=utf-8", "no-cache")
    }

    /// The same for a document of programs.
    pub(crate) fn json(json: Vec<u8>) -> Self {
        Self::new(json.into(), "application/json", "no-cache")
    }

    fn asset(asset: Asset) -> Self {
        let for_ever = "public, max-age=31536000, immutable";
        let bytes = Bytes::from_static(asset.bytes);
        Self::new(bytes, asset.content_type, for_ever)
    }

    /// The answer to a request with these headers.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        let gzip = self.gzip.as_ref().filter(|_| takes_gzip(request));
        let tag = match gzip {
            Some(_) => format!("\"{}-gzip\"", self.tag),
            None => format!("\"{}\"", self.tag),
        };
        let mut response = if is_known(request, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let bytes = gzip.unwrap_or(&self.plain);
            let mut response = Response::new(Body::from(bytes.clone()));
            let content_type = HeaderValue::from_static(self.content_type);
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, content_type);
            if gzip.is_some() {
                let gzip = HeaderValue::from_static("gzip");
                response
                    .headers_mut()
                    .insert(header::CONTENT_ENCODING, gzip);
            }
            response
        };
        let headers = response.headers_mut();
        let cache_control = HeaderValue::from_static(self.cache_control);
        headers.insert(header::CACHE_CONTROL, cache_control);
        let vary = HeaderValue::from_static("accept-encoding");
        headers.insert(header::VARY, vary);
        // Hexadecimal digits: always a valid value.
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

fn compressed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether `Accept-Encoding` names gzip, with another weight than zero.
fn takes_gzip(request: &HeaderMap) -> bool {
    let named = request.get_all(header::ACCEPT_ENCODING).iter();
    let named = named.filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let gzip = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        gzip && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

/// Whether `If-None-Match` names what would be sent.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let known = request.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

/// What is made at its first request, and kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pages: [OnceLock<Public>; 7],
    /// By their tags, of which there are as many as assets.
    assets: Mutex<HashMap<&'static str, Arc<Public>>>,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Overview,
    Authentication,
    Errors,
    RateLimits,
    Webhooks,
    Reference,
    Document,
}

impl Kept {
    /// The page, made now if nobody asked for it before.
    pub(crate) fn page(
        &self,
        page: Page,
        make: impl FnOnce() -> Result<Public, PageError>,
    ) -> Result<&Public, PageError> {
        let kept = &self.pages[page as usize];
        if let Some(kept) = kept.get() {
            return Ok(kept);
        }
        let first = make()?;
        Ok(kept.get_or_init(|| first))
    }

    pub(crate) fn asset(&self, asset: Asset) -> Arc<Public> {
        let mut assets = self.assets.lock();
        let kept = assets.entry(asset.etag);
        Arc::clone(kept.or_insert_with(|| Arc::new(Public::asset(asset))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let name = header::HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepted, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("x-gzip-like", false),
            ("identity", false),
            ("gzip;q=nonsense", false),
        ] {
            let request = headers(&[("accept-encoding", accepted)]);
            assert_eq!(takes_gzip(&request), takes, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let page = Public::page("<p>text</p>".repeat(100));
        let sent = page.answer(&HeaderMap::new());
        assert_eq!(sent.status(), StatusCode::OK);
        let tag = sent.headers()["etag"].to_str().unwrap();
        let zipped = page.answer(&headers(&[("accept-encoding", "gzip")]));
        assert_ne!(zipped.headers()["etag"], tag, "other bytes");
        for known in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
            let again = page.answer(&headers(&[("if-none-match", known)]));
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()["etag"], tag);
            assert!(!again.headers().contains_key("content-type"));
        }
        let other = page.answer(&headers(&[("if-none-match", "\"x\"")]));
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn what_does_not_shrink_is_sent_as_it_is() {
        let page = Public::page("x".to_owned());
        let sent = page.answer(&headers(&[("accept-encoding", "gzip")]));
        assert!(!sent.headers().contains_key("content-encoding"));
    }

    #[test]
    fn a_page_is_made_once() {
        let kept = Kept::default();
        let make = || Ok(Public::page("made".to_owned()));
        let first: *const Public = kept.page(Page::Errors, make).ok().unwrap();
        let again = kept.page(Page::Errors, || panic!("it is there already"));
        assert!(std::ptr::eq(first, again.ok().unwrap()));
        let failed = kept.page(Page::Reference, || Err(PageError::NotFound));
        assert!(failed.is_err(), "a failure is not kept");
        let second = kept.page(Page::Reference, make);
        assert_eq!(second.ok().unwrap().plain, "made");
    }
}
