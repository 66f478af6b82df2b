//! Every error answer of the API. Contract: errors.md.
//!
//! The body has exactly three keys. The match in `ApiError::answer` has no wildcard: a new error
//! does not compile until it has a status, a code and a text.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headshot_app::StorageError;
use headshot_app::caller::Forbidden;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request got no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// No `Authorization` header.
    KeyMissing,
    /// A key that is malformed, unknown, deleted or expired.
    KeyInvalid,
    /// A valid key that may not do this.
    Forbidden(Forbidden),
    /// The organization's (or the address's) requests of this minute are used up.
    RateLimited,
    /// No such route, or not with this method.
    NoSuchRoute,
    /// A published operation that this server does not have yet.
    NotBuilt,
    /// The request can't be understood; says why.
    InvalidRequest(String),
    /// The request took too long.
    TimedOut,
    /// The server failed.
    Internal {
        /// Why, for the operator's log only.
        cause: String,
    },
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Always `false`.
    #[schema(example = false)]
    pub success: bool,
    /// What went wrong, for people.
    #[schema(example = "Invalid API key")]
    pub error: String,
    /// What went wrong, for programs.
    #[schema(example = "UNAUTHORIZED")]
    pub code: String,
}

/// What the API log keeps of an error; put on the answer for the gate to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code of the body.
    pub(crate) code: &'static str,
    /// Which check refused the request.
    pub(crate) by: &'static str,
}

/// One row of the table: status, code, text, and the check that refused.
struct Answer {
    status: StatusCode,
    code: &'static str,
    text: String,
    by: &'static str,
}

impl ApiError {
    fn answer(&self) -> Answer {
        let (status, code, text, by) = match self {
            Self::KeyMissing | Self::KeyInvalid => {
                (401, "UNAUTHORIZED", "Invalid API key".to_owned(), "key")
            }
            Self::Forbidden(Forbidden::Scope(scope)) => {
                let text = format!("This API key does not have the scope {scope}");
                (403, "FORBIDDEN", text, "scope")
            }
            Self::Forbidden(Forbidden::ReadOnly(scope)) => {
                let text = format!("This API key does not have the scope {scope}:write");
                (403, "FORBIDDEN", text, "scope")
            }
            Self::Forbidden(Forbidden::Network) => {
                let text = "This API key may not be used from this network".to_owned();
                (403, "FORBIDDEN", text, "network")
            }
            Self::RateLimited => (
                429,
                "RATE_LIMIT_EXCEEDED",
                "Rate limit exceeded".to_owned(),
                "rate limit",
            ),
            Self::NoSuchRoute => (
                404,
                "NOT_FOUND",
                "There is no such operation".to_owned(),
                "route",
            ),
            Self::NotBuilt => {
                let text = "This server does not offer this operation yet".to_owned();
                (404, "NOT_FOUND", text, "route")
            }
            Self::InvalidRequest(why) => (400, "INVALID_REQUEST", why.clone(), "request"),
            Self::TimedOut => (
                500,
                "INTERNAL_ERROR",
                "The request took too long".to_owned(),
                "server",
            ),
            Self::Internal { .. } => (
                500,
                "INTERNAL_ERROR",
                "Internal server error".to_owned(),
                "server",
            ),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer {
            status,
            code,
            text,
            by,
        }
    }

    /// RFC 6750, section 3: no `error` when the header is missing.
    fn challenge(&self) -> Option<String> {
        match self {
            Self::KeyMissing => Some(r#"Bearer realm="headshot""#.to_owned()),
            Self::KeyInvalid => {
                Some(r#"Bearer realm="headshot", error="invalid_token""#.to_owned())
            }
            Self::Forbidden(Forbidden::Scope(scope)) => Some(insufficient(scope.name())),
            Self::Forbidden(Forbidden::ReadOnly(scope)) => {
                Some(insufficient(&format!("{scope}:write")))
            }
            _ => None,
        }
    }
}

fn insufficient(scope: &str) -> String {
    format!(r#"Bearer realm="headshot", error="insufficient_scope", scope="{scope}""#)
}

/// Why the server failed; put on the answer for the gate to log with the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        Self::Internal {
            cause: headshot_app::causes(&error),
        }
    }
}

/// The text of the answer to what the HTTP parser refused, before there was a request.
pub(crate) fn unparsable() -> String {
    let why = "The request is not well-formed HTTP/1.1, or its head is too large";
    let Answer { code, text, .. } = ApiError::InvalidRequest(why.to_owned()).answer();
    let body = ErrorBody {
        success: false,
        error: text,
        code: code.to_owned(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let cause = match &self {
            Self::Internal { cause } => Some(cause.clone()),
            Self::TimedOut => Some("it took too long".to_owned()),
            _ => None,
        };
        let Answer {
            status,
            code,
            text,
            by,
        } = self.answer();
        let body = ErrorBody {
            success: false,
            error: text,
            code: code.to_owned(),
        };
        let mut response = (status, Json(body)).into_response();
        let challenge = self
            .challenge()
            .and_then(|text| HeaderValue::from_str(&text).ok());
        if let Some(challenge) = challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response.extensions_mut().insert(Refusal { code, by });
        response
    }
}

/// The body that documents an error status, indented.
pub(crate) fn example(status: u16) -> Option<String> {
    let error = match status {
        400 => ApiError::InvalidRequest("Send JSON such as {\"key\": \"hsp_...\"}".to_owned()),
        401 => ApiError::KeyInvalid,
        403 => ApiError::Forbidden(Forbidden::Scope(headshot_domain::Scope::Organization)),
        429 => ApiError::RateLimited,
        500 => ApiError::Internal {
            cause: String::new(),
        },
        _ => return None,
    };
    let Answer { code, text, .. } = error.answer();
    let body = ErrorBody {
        success: false,
        error: text,
        code: code.to_owned(),
    };
    serde_json::to_string_pretty(&body).ok()
}
