//! What the log keeps of a request, and what it must not.

use std::borrow::Cow;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::Method;

use crate::api::operation::{self, Operation};
use crate::arrival;

/// The longest path and query that is kept in the log, in bytes.
const PATH_MAX: usize = 2_048;

/// What the log keeps of a request.
pub(super) struct Seen {
    pub(super) operation: Option<&'static Operation>,
    pub(super) method: Cow<'static, str>,
    pub(super) route: Cow<'static, str>,
    pub(super) path: String,
    pub(super) user_agent: String,
    pub(super) browser: bool,
    pub(super) bytes: i64,
}

impl Seen {
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let route = request
            .extensions()
            .get::<MatchedPath>()
            .map_or("", MatchedPath::as_str);
        let uri = request.uri();
        let path = uri.path_and_query();
        let path = without_invite_ids(path.map_or(uri.path(), |both| both.as_str()));
        let operation = operation::find(request.method(), route);
        Self {
            operation,
            method: method_name(request.method()),
            route: match operation {
                Some(operation) => Cow::Borrowed(operation.path),
                None => Cow::Owned(route.to_owned()),
            },
            path: arrival::clean(&arrival::without_addresses(&path), PATH_MAX),
            user_agent: arrival::user_agent(headers),
            browser: arrival::is_browser(headers),
            bytes: body_length(request.body()),
        }
    }
}

/// A path and its query as the log may keep them: whoever knows an invite's id can join. What comes
/// below `invite` or `invites`, however it is written and whether or not there is such a route, is
/// taken for one, but for the words and addresses that stand there in operations.
fn without_invite_ids(path: &str) -> Cow<'_, str> {
    let names_invite = path
        .as_bytes()
        .windows(b"invite".len())
        .any(|part| part.eq_ignore_ascii_case(b"invite"));
    if !names_invite && !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let plain = decoded(path);
    let (plain_path, query) = plain.split_once('?').unwrap_or((&plain, ""));
    let mut below = false;
    let mut found = false;
    let parts = plain_path.split(['/', '\\']).map(|part| {
        let word = |known: &[&str]| known.iter().any(|known| part.eq_ignore_ascii_case(known));
        let was_below = below;
        below |= word(&["invite", "invites"]);
        if !was_below || part.contains('@') || word(&["", "id", "invite", "invites", "revoke"]) {
            return part;
        }
        found = true;
        "{inviteId}"
    });
    let parts: Vec<&str> = parts.collect();
    // The list alone has a query of its own.
    let in_query = below && !query.is_empty() && !is_slice(query);
    if found || in_query {
        Cow::Owned(parts.join("/"))
    } else {
        Cow::Borrowed(path)
    }
}

/// Percent-decoded until nothing is left to decode, or so often that nobody's router gets there.
fn decoded(text: &str) -> String {
    let mut plain = text.to_owned();
    for _ in 0..4 {
        let once = percent_decoded(&plain);
        if once == plain {
            break;
        }
        plain = once;
    }
    plain
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        if let Some(code) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            plain.push(code);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Whether a query has `limit` and `offset` only, with numbers.
fn is_slice(query: &str) -> bool {
    query.split('&').all(|pair| {
        let number = pair
            .strip_prefix("limit=")
            .or_else(|| pair.strip_prefix("offset="));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// The methods that callers send are not copied for each request.
fn method_name(method: &Method) -> Cow<'static, str> {
    match method.as_str() {
        "GET" => Cow::Borrowed("GET"),
        "HEAD" => Cow::Borrowed("HEAD"),
        "POST" => Cow::Borrowed("POST"),
        "PUT" => Cow::Borrowed("PUT"),
        "DELETE" => Cow::Borrowed("DELETE"),
        "OPTIONS" => Cow::Borrowed("OPTIONS"),
        other => Cow::Owned(arrival::clean(other, 32)),
    }
}

pub(super) fn body_length(body: &Body) -> i64 {
    body.size_hint()
        .exact()
        .and_then(|bytes| i64::try_from(bytes).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_s_id_is_not_kept_however_the_path_is_written() {
        let id = "k3v9q0w8e7r6t5y4u3i2o1p0";
        let encoded = id.bytes().map(|byte| format!("%{byte:02x}"));
        let encoded = encoded.collect::<Vec<_>>().concat();
        let twice = encoded.replace('%', "%25");
        let v1 = "/api/v1/organization/invite/id";
        for path in [
            format!("{v1}/{id}"),
            format!("{v1}/{id}/"),
            format!("{v1}//{id}"),
            format!("{v1}/{id}/status?x=1"),
            format!("{v1}/{id}?x=1"),
            format!("{v1}?inviteId={id}"),
            format!("{v1}/?{id}"),
            format!("{v1}/{encoded}"),
            format!("{v1}/{twice}/"),
            format!("{v1}%2F{id}"),
            format!("{v1}%2f{encoded}%2F"),
            format!("{v1}\\{id}"),
            format!("/API/V1/Organization/Invite/ID/{id}"),
            format!("/api/v1/organization/%69nvite/%69d/{id}"),
            format!("/api/v1/organization/%2569nvite/id/{id}"),
            format!("//api//v1//organization//invite//id//{id}"),
            format!("/api/v1/organization/invite/{id}"),
            format!("/api/v1/organization/invites/{id}"),
            format!("/api/v2/organization/invite/id/{id}"),
            format!("/api/v2/organization/invites/{id}"),
            format!("/api/v2/organization/invites/{id}/?limit=1"),
            format!("/api/v3/organization/invites/revoke/{id}"),
            format!("/api/v2/organization/invites?invite={id}"),
        ] {
            let kept = without_invite_ids(&path);
            assert!(!decoded(&kept).contains(id), "{path} is kept as {kept}");
            assert!(kept.to_lowercase().contains("invite"), "{kept}");
        }
    }

    #[test]
    fn other_paths_are_kept_as_they_were_sent() {
        for path in [
            "/api/v2/organization",
            "/api/v2/organization/models/a%2Fb/photos?limit=%31",
            "/api/v2/organization/invites",
            "/api/v2/organization/invites?limit=10&offset=20",
            "/api/v2/organization/invites/ann%40example.com",
            "/api/v2/organization/invites/revoke",
            "/api/v1/organization/invite",
            "/api/v1/organization/invite/revoke",
            "/api/v2/organization/%ZZ%",
        ] {
            assert_eq!(without_invite_ids(path), path);
        }
        let by_id = without_invite_ids("/api/v1/organization/invite/id/abc");
        assert_eq!(by_id, operation::INVITE_BY_ID);
    }
}
