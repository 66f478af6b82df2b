//! What is known of a request before anything is done with it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use headshot_domain::{Entropy, RequestId, Timestamp};
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;

use crate::Web;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The peer's socket address, put on each request by the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// A request that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// Its id, also in the `X-Request-Id` header of the answer.
    pub(crate) id: RequestId,
    /// When.
    pub(crate) at: Timestamp,
    /// From where, by the trusted-proxy rule.
    pub(crate) address: IpAddr,
}

impl Arrival {
    pub(crate) fn of<B>(web: &Web, request: &Request<B>) -> Self {
        let at = web.app().clock.now();
        let mut random = [0; 8];
        web.0.request_numbers.fill(&mut random);
        let peer = request.extensions().get::<Peer>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        let forwarded = request.headers().get_all(FORWARDED_FOR);
        let hops: Vec<&[u8]> = forwarded.iter().map(HeaderValue::as_bytes).collect();
        Self {
            id: RequestId::new(at, u64::from_le_bytes(random)),
            at,
            address: web.0.proxies.client_address(peer, hops.into_iter()),
        }
    }
}

/// Tells whether a request's body is being waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arriving(Arc<AtomicBool>);

impl Arriving {
    /// Watches the body of `request`; one that is there already, or empty, is left as it is.
    pub(crate) fn watch(request: &mut Request<Body>) -> Self {
        let arriving = Self::default();
        if !request.body().is_end_stream() {
            let inner = std::mem::take(request.body_mut());
            let waits = Arc::clone(&arriving.0);
            *request.body_mut() = Body::new(Watched { inner, waits });
        }
        arriving
    }

    /// Whether the last that was asked for has not arrived.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Watched {
    inner: Body,
    waits: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        self.waits.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A point in time as a header's value. All answers of a minute have the same one, so the last one
/// is kept.
#[derive(Debug, Default)]
pub(crate) struct MinuteText(Mutex<Option<(Timestamp, HeaderValue)>>);

impl MinuteText {
    pub(crate) fn of(&self, at: Timestamp) -> HeaderValue {
        let mut last = self.0.lock();
        if let Some((of, text)) = &*last
            && *of == at
        {
            return text.clone();
        }
        // Digits and punctuation: always a valid value.
        let text = HeaderValue::try_from(at.to_string())
            .unwrap_or_else(|_invalid| HeaderValue::from_static(""));
        *last = Some((at, text.clone()));
        text
    }
}

/// The longest `User-Agent` that is kept, in bytes.
const USER_AGENT_MAX: usize = 512;

/// The caller's `User-Agent`, cleaned and cut.
pub(crate) fn user_agent(headers: &HeaderMap) -> String {
    let text = headers
        .get(header::USER_AGENT)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    clean(&String::from_utf8_lossy(text), USER_AGENT_MAX)
}

/// What stands in a log for a mail address.
const ADDRESS: &str = "[address]";

/// A path and query without the mail addresses in it: the log outlives a person's erasure.
pub(crate) fn without_addresses(path: &str) -> Cow<'_, str> {
    let is_address = |part: &str| part.contains('@') || part.contains("%40");
    if !is_address(path) {
        return Cow::Borrowed(path);
    }
    let mut clean = String::with_capacity(path.len());
    for part in path.split_inclusive(['/', '?', '&', '=']) {
        let text = part.trim_end_matches(['/', '?', '&', '=']);
        clean.push_str(if is_address(text) { ADDRESS } else { text });
        clean.push_str(&part[text.len()..]);
    }
    Cow::Owned(clean)
}

/// Text from a stranger, as it may be stored: without control characters or anything that looks
/// like a key, at most `max` bytes.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let redacted = headshot_domain::api_key::redact(text);
    let mut end = redacted.len().min(max);
    while !redacted.is_char_boundary(end) {
        end -= 1;
    }
    let cut = &redacted[..end];
    if cut.contains(char::is_control) {
        cut.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    } else {
        cut.to_owned()
    }
}

/// Whether a browser's script sent the request. Node's own `fetch` sends `Sec-Fetch-Mode: cors` as
/// well, but no `Sec-Fetch-Site`, and gives itself away.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::ORIGIN) {
        return true;
    }
    let cors = headers.get(FETCH_MODE).is_some_and(|mode| mode == "cors");
    cors && (headers.contains_key(FETCH_SITE) || !is_node(headers))
}

/// By its name, or by the language `*`, which no browser asks for.
fn is_node(headers: &HeaderMap) -> bool {
    let is = |name, values: &[&str]| {
        let value = headers.get(name);
        value.is_some_and(|value| values.iter().any(|known| value == known))
    };
    is(header::USER_AGENT, &["node", "undici"]) || is(header::ACCEPT_LANGUAGE, &["*"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn browsers_are_told_from_servers() {
        assert!(is_browser(&headers(&[("origin", "https://acme.com")])));
        assert!(is_browser(&headers(&[("sec-fetch-mode", "cors")])));
        let browser = [
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-site", "cross-site"),
            ("user-agent", "node"),
        ];
        assert!(is_browser(&headers(&browser)));
        assert!(!is_browser(&headers(&[
            ("sec-fetch-mode", "cors"),
            ("user-agent", "node")
        ])));
        assert!(!is_browser(&headers(&[
            ("sec-fetch-mode", "cors"),
            ("accept-language", "*"),
            ("user-agent", "payroll/2.1")
        ])));
        assert!(!is_browser(&headers(&[("user-agent", "curl/8")])));
    }

    #[test]
    fn logged_paths_hold_no_mail_address() {
        for (path, logged) in [
            (
                "/api/v2/organization/models?limit=1",
                "/api/v2/organization/models?limit=1",
            ),
            (
                "/api/v2/organization/invites/ann@x.com",
                "/api/v2/organization/invites/[address]",
            ),
            (
                "/invites/ann%40x.com/?q=a@b&c=d",
                "/invites/[address]/?q=[address]&c=d",
            ),
            ("/@", "/[address]"),
        ] {
            assert_eq!(without_addresses(path), logged);
        }
    }

    #[test]
    fn stored_text_is_cut_between_characters_and_holds_no_controls() {
        assert_eq!(clean("äöü", 3), "ä");
        assert_eq!(clean("a\nb\0", 10), "a\u{fffd}b\u{fffd}");
        assert_eq!(clean("abc", 3), "abc");
        assert_eq!(clean("abcd", 3), "abc");
    }
}
