//! The documentation of the HTTP API at `/api`, with this server's own URL in every sample.

mod reference;
pub(crate) mod sample;

pub use reference::{OperationDoc, ParameterDoc, Reference, ResponseDoc};

use crate::{
    Template,
    ui::{Code, CodeTabs, Icon},
};

/// A page of the documentation, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Overview,
    Authentication,
    Errors,
    RateLimits,
    Webhooks,
    Reference,
}

impl Place {
    const ALL: [Self; 6] = [
        Self::Overview,
        Self::Authentication,
        Self::Errors,
        Self::RateLimits,
        Self::Webhooks,
        Self::Reference,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Authentication => "Authentication",
            Self::Errors => "Errors",
            Self::RateLimits => "Rate limits",
            Self::Webhooks => "Webhooks",
            Self::Reference => "Reference",
        }
    }

    fn href(self) -> &'static str {
        match self {
            Self::Overview => "/api",
            Self::Authentication => "/api/authentication",
            Self::Errors => "/api/errors",
            Self::RateLimits => "/api/rate-limits",
            Self::Webhooks => "/api/webhooks",
            Self::Reference => "/api/reference",
        }
    }

    fn previous(self) -> Option<Self> {
        Self::ALL
            .into_iter()
            .take_while(|place| *place != self)
            .last()
    }

    fn next(self) -> Option<Self> {
        Self::ALL
            .into_iter()
            .skip_while(|place| *place != self)
            .nth(1)
    }
}

/// Stands in samples where a reader puts the own key.
const PLACEHOLDER: &str = "YOUR_API_KEY";

/// What secret scanners look for.
const KEY_PATTERN: &str = "hsp_[0-9A-Za-z]{46}";

const SHAPE: &str = r#"{
  "success": false,
  "error": "Human-readable error message",
  "code": "MACHINE_READABLE_CODE"
}"#;

/// Answers to show, indented JSON, as this server gives them.
#[derive(Debug, Clone)]
pub struct Bodies {
    /// To the first call, which asks for the organization.
    pub organization: String,
    /// To a request that can't be understood.
    pub invalid_request: String,
    /// Without a key that is valid.
    pub unauthorized: String,
    /// Without credits.
    pub insufficient_credits: String,
    /// Without the scope.
    pub forbidden: String,
    /// Beyond the requests of a minute.
    pub rate_limited: String,
}

fn three_samples(id: &'static str, base_url: &str) -> CodeTabs {
    let path = "/organization";
    let code = |label: &str, text| Code::new(format!("{id}-{}", label.to_lowercase()), label, text);
    CodeTabs::new(
        id,
        "Sample in three languages",
        vec![
            code("curl", sample::curl(base_url, path, PLACEHOLDER)),
            code("Node", sample::node(base_url, path, PLACEHOLDER)),
            code("Python", sample::python(base_url, path, PLACEHOLDER)),
        ],
    )
}

/// `/api`
#[derive(Debug, Clone, Template)]
#[template(path = "docs/overview.html")]
pub struct DocsOverview {
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
    /// Answers to show.
    pub bodies: Bodies,
}

impl DocsOverview {
    const HERE: Place = Place::Overview;

    fn samples(&self) -> CodeTabs {
        three_samples("first-call", &self.base_url)
    }
}

/// `/api/authentication`
#[derive(Debug, Clone, Template)]
#[template(path = "docs/authentication.html")]
pub struct DocsAuthentication {
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
    /// Answers to show.
    pub bodies: Bodies,
}

impl DocsAuthentication {
    const HERE: Place = Place::Authentication;

    fn samples(&self) -> CodeTabs {
        three_samples("samples", &self.base_url)
    }

    fn header(&self) -> Code {
        let host = self
            .base_url
            .split_once("://")
            .map_or(self.base_url.as_str(), |(_, rest)| rest);
        Code::new(
            "header",
            "HTTP",
            sample::http(host, "/api/v2/organization", PLACEHOLDER),
        )
    }

    fn revoke(&self) -> Code {
        Code::new(
            "revoke",
            "curl",
            sample::revoke(&self.base_url, PLACEHOLDER),
        )
    }
}

/// One row of the table of error codes.
struct ErrorCode {
    code: &'static str,
    status: u16,
    meaning: &'static str,
    remedy: &'static str,
}

/// `/api/errors`
#[derive(Debug, Clone, Template)]
#[template(path = "docs/errors.html")]
pub struct DocsErrors {
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
    /// Answers to show.
    pub bodies: Bodies,
}

impl DocsErrors {
    const HERE: Place = Place::Errors;

    fn codes() -> impl Iterator<Item = ErrorCode> {
        ERROR_CODES
            .into_iter()
            .map(|(code, status, meaning, remedy)| ErrorCode {
                code,
                status,
                meaning,
                remedy,
            })
    }
}

/// Codes of the contract's `errors.md`, in its order.
const ERROR_CODES: [(&str, u16, &str, &str); 11] = [
    (
        "UNAUTHORIZED",
        401,
        "The key is missing, malformed, unknown, deleted or expired",
        "Check the Authorization header, or generate a new key",
    ),
    (
        "FORBIDDEN",
        403,
        "The key is valid, but lacks the scope, the network or the feature",
        "Use a key that holds the scope named in the text",
    ),
    (
        "INVALID_REQUEST",
        400,
        "A required field is missing or a value has the wrong form",
        "Correct the field named in the text",
    ),
    (
        "INVALID_EMAIL",
        400,
        "The address has the wrong form",
        "Correct the address",
    ),
    (
        "NOT_FOUND",
        404,
        "No such resource in your organization",
        "Check the identifier and the path",
    ),
    (
        "ALREADY_EXISTS",
        400,
        "There is one with these values",
        "Use the existing one",
    ),
    (
        "INSUFFICIENT_CREDITS",
        402,
        "The organization is out of credits",
        "Ask an admin to add credits",
    ),
    (
        "ALREADY_DELETED",
        400,
        "It was deleted before",
        "Nothing to do",
    ),
    (
        "RATE_LIMIT_EXCEEDED",
        429,
        "Too many requests in this minute",
        "Wait until the time in X-RateLimit-Reset",
    ),
    (
        "INVITE_LIMIT_EXCEEDED",
        429,
        "Too many invites are pending",
        "Revoke pending invites, or wait until they are accepted",
    ),
    (
        "INTERNAL_ERROR",
        500,
        "Something failed on the server",
        "Try again with a growing delay; quote X-Request-Id to the operator",
    ),
];

/// `/api/rate-limits`
#[derive(Debug, Clone, Template)]
#[template(path = "docs/rate_limits.html")]
pub struct DocsRateLimits {
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
    /// Answers to show.
    pub bodies: Bodies,
}

impl DocsRateLimits {
    const HERE: Place = Place::RateLimits;
}

/// The published event names, and when each is sent.
const EVENTS: [(&str, &str); 5] = [
    (
        "model.created",
        "a session is created through the API or by an accepted invite",
    ),
    ("model.status.updated", "its status changes"),
    (
        "model.photos_ready",
        "its headshots are ready; the change to active is told first",
    ),
    ("model.favorite_selected", "the person picks a favorite"),
    ("model.deleted", "it is deleted"),
];

/// A delivery's head. A test makes it, and its body below, anew; the secret is `0123456789abcdef`, four
/// times.
pub const WEBHOOK_DELIVERY: &str = include_str!("docs/event.http");
/// A delivery's body, with spaces and line breaks that it does not have.
pub const WEBHOOK_BODY: &str = include_str!("docs/event.json");

/// Code that verifies a delivery, as the page shows it and as the tests run it.
pub const VERIFY_NODE: &str = include_str!("docs/verify/verify.mjs");
/// The same in Python.
pub const VERIFY_PYTHON: &str = include_str!("docs/verify/verify.py");
/// The same in Rust.
pub const VERIFY_RUST: &str = include_str!("docs/verify/verify.rs");

/// `/api/webhooks`
#[derive(Debug, Clone, Template)]
#[template(path = "docs/webhooks.html")]
pub struct DocsWebhooks {
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
}

impl DocsWebhooks {
    const HERE: Place = Place::Webhooks;

    fn verify() -> CodeTabs {
        let code = |id: &str, label: &str, text: &str| Code::new(id, label, text.trim_end());
        CodeTabs::new(
            "verify-code",
            "Verification in three languages",
            vec![
                code("verify-node", "Node", VERIFY_NODE),
                code("verify-python", "Python", VERIFY_PYTHON),
                code("verify-rust", "Rust", VERIFY_RUST),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_order_has_a_beginning_and_an_end() {
        assert_eq!(Place::Overview.previous(), None);
        assert_eq!(Place::Overview.next(), Some(Place::Authentication));
        assert_eq!(Place::Reference.previous(), Some(Place::Webhooks));
        assert_eq!(Place::Reference.next(), None);
    }
}
