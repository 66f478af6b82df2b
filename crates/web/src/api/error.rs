//! Every error answer of the API. Contract: errors.md.
//!
//! The body has exactly three keys. The match in `ApiError::answer` has no wildcard: a new error
//! does not compile until it has a status, a code and a text.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headshot_app::caller::Forbidden;
use headshot_app::gallery::PhotoError;
use headshot_app::teams::TeamError;
use headshot_app::{StorageError, invites, models};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

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
    /// The request can't be understood; says why.
    InvalidRequest(String),
    /// Text that is no mail address.
    InvalidEmail,
    /// The organization has no such thing; says what.
    NotFound(&'static str),
    /// There is one already; says of what.
    AlreadyExists(String),
    /// It was deleted before; says what.
    AlreadyDeleted(&'static str),
    /// No credit is left.
    InsufficientCredits,
    /// Too many invites are open.
    InviteLimit,
    /// The organization may not use this; says what.
    NotEnabled(String),
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
    #[schema(value_type = ErrorCode, example = "UNAUTHORIZED")]
    pub code: String,
}

/// What went wrong, for programs.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum ErrorCode {
    Unauthorized,
    Forbidden,
    InvalidRequest,
    InvalidEmail,
    NotFound,
    AlreadyExists,
    InsufficientCredits,
    AlreadyDeleted,
    RateLimitExceeded,
    InviteLimitExceeded,
    InternalError,
}

/// The errors that every operation may answer with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "names the answers in the document")]
pub(crate) enum Common {
    /// The key is missing or not valid.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The key lacks the scope or may not be used from here, or the organization lacks the feature.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// The organization's requests of this minute are used up, or too many invites are open.
    #[response(status = 429)]
    TooMany(ErrorBody),
    /// The server failed.
    #[response(status = 500)]
    Failed(ErrorBody),
}

/// What the API log keeps of an error; put on the answer for the gate to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code of the body.
    pub(crate) code: &'static str,
    /// Which check refused the request.
    pub(crate) by: Check,
}

/// What a request has to pass; the log names the one that refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// The key is there and valid.
    Key,
    /// Requests of this minute are left.
    RateLimit,
    /// The key may be used from there.
    Network,
    /// The key holds the operation's scope.
    Scope,
    /// The organization may use the feature.
    Feature,
    /// There is such an operation.
    Route,
    /// The request is valid.
    Request,
    /// What it names is there.
    Existence,
    /// What is there already does not forbid it.
    Conflict,
    /// Credits are left.
    Credits,
    /// Another invite may be open.
    InviteLimit,
    /// The server did not fail.
    Server,
}

impl Check {
    pub(crate) const ALL: [Self; 12] = [
        Self::Key,
        Self::RateLimit,
        Self::Network,
        Self::Scope,
        Self::Feature,
        Self::Route,
        Self::Request,
        Self::Existence,
        Self::Conflict,
        Self::Credits,
        Self::InviteLimit,
        Self::Server,
    ];

    /// Its name in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::RateLimit => "rate limit",
            Self::Network => "network",
            Self::Scope => "scope",
            Self::Feature => "feature",
            Self::Route => "route",
            Self::Request => "request",
            Self::Existence => "existence",
            Self::Conflict => "conflict",
            Self::Credits => "credits",
            Self::InviteLimit => "invite limit",
            Self::Server => "server",
        }
    }

    /// The check of a row of the log.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }
}

/// One row of the table: status, code, text, and the check that refused.
struct Answer {
    status: StatusCode,
    code: &'static str,
    text: String,
    by: Check,
}

impl ApiError {
    #[expect(
        clippy::too_many_lines,
        reason = "a table of all errors is clearer in one piece"
    )]
    fn answer(&self) -> Answer {
        let (status, code, text, by) = match self {
            Self::KeyMissing | Self::KeyInvalid => (
                401,
                "UNAUTHORIZED",
                "Invalid API key".to_owned(),
                Check::Key,
            ),
            Self::Forbidden(Forbidden::Scope(scope)) => {
                let text = format!("This API key does not have the scope {scope}");
                (403, "FORBIDDEN", text, Check::Scope)
            }
            Self::Forbidden(Forbidden::ReadOnly(scope)) => {
                let text = format!("This API key does not have the scope {scope}:write");
                (403, "FORBIDDEN", text, Check::Scope)
            }
            Self::Forbidden(Forbidden::Network) => {
                let text = "This API key may not be used from this network".to_owned();
                (403, "FORBIDDEN", text, Check::Network)
            }
            Self::RateLimited => (
                429,
                "RATE_LIMIT_EXCEEDED",
                "Rate limit exceeded".to_owned(),
                Check::RateLimit,
            ),
            Self::NoSuchRoute => (
                404,
                "NOT_FOUND",
                "There is no such operation".to_owned(),
                Check::Route,
            ),
            Self::InvalidRequest(why) => (400, "INVALID_REQUEST", why.clone(), Check::Request),
            Self::InvalidEmail => {
                let text = "Invalid email".to_owned();
                (400, "INVALID_EMAIL", text, Check::Request)
            }
            Self::NotFound(what) => (404, "NOT_FOUND", (*what).to_owned(), Check::Existence),
            Self::AlreadyExists(what) => (400, "ALREADY_EXISTS", what.clone(), Check::Conflict),
            Self::AlreadyDeleted(what) => {
                let text = (*what).to_owned();
                (400, "ALREADY_DELETED", text, Check::Conflict)
            }
            Self::InsufficientCredits => (
                402,
                "INSUFFICIENT_CREDITS",
                "Insufficient credits".to_owned(),
                Check::Credits,
            ),
            Self::InviteLimit => (
                429,
                "INVITE_LIMIT_EXCEEDED",
                "Invite limit exceeded".to_owned(),
                Check::InviteLimit,
            ),
            Self::NotEnabled(what) => (403, "FORBIDDEN", what.clone(), Check::Feature),
            Self::TimedOut => (
                500,
                "INTERNAL_ERROR",
                "The request took too long".to_owned(),
                Check::Server,
            ),
            Self::Internal { .. } => (
                500,
                "INTERNAL_ERROR",
                "Internal server error".to_owned(),
                Check::Server,
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

impl From<invites::CreateError> for ApiError {
    fn from(error: invites::CreateError) -> Self {
        use invites::CreateError as E;
        match error {
            E::NoSuchTeam => Self::NotFound("Team not found"),
            E::AlreadyInvited | E::AlreadyMember => Self::AlreadyExists(error.to_string()),
            E::LimitExceeded => Self::InviteLimit,
            E::InsufficientCredits => Self::InsufficientCredits,
            E::Internal(error) => error.into(),
        }
    }
}

impl From<invites::RevokeError> for ApiError {
    fn from(error: invites::RevokeError) -> Self {
        use invites::RevokeError as E;
        match error {
            E::NotFound => Self::NotFound("Invite not found"),
            E::AlreadyUsed => Self::InvalidRequest(error.to_string()),
            E::Internal(error) => error.into(),
        }
    }
}

impl From<TeamError> for ApiError {
    fn from(error: TeamError) -> Self {
        use TeamError as E;
        match error {
            // Also a taken name (contract: README.md, C4).
            E::NameMissing | E::NameUnusable | E::AlreadyExists | E::TooMany => {
                Self::InvalidRequest(error.to_string())
            }
            E::NotFound => Self::NotFound("Team not found"),
            E::NobodyFound => {
                Self::NotFound("None of these people is a member of the organization")
            }
            E::Internal(error) => error.into(),
        }
    }
}

impl From<PhotoError> for ApiError {
    fn from(error: PhotoError) -> Self {
        match error {
            PhotoError::NoSuchModel => Self::NotFound("Model not found"),
            PhotoError::NoSuchPhoto => Self::NotFound("Photo not found"),
            PhotoError::Internal(error) => error.into(),
        }
    }
}

impl From<models::CreateError> for ApiError {
    fn from(error: models::CreateError) -> Self {
        use models::CreateError as E;
        match error {
            E::NotEnabled => Self::NotEnabled(error.to_string()),
            E::NoSuchTeam => Self::NotFound("Team not found"),
            E::AlreadyExists | E::AlreadyInvited => Self::AlreadyExists(error.to_string()),
            E::InsufficientCredits => Self::InsufficientCredits,
            E::Internal(error) => error.into(),
        }
    }
}

impl From<models::DeleteError> for ApiError {
    fn from(error: models::DeleteError) -> Self {
        use models::DeleteError as E;
        match error {
            E::NotFound => Self::NotFound("Model not found"),
            E::AlreadyDeleted => Self::AlreadyDeleted("Model already deleted"),
            E::Internal(error) => error.into(),
        }
    }
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

/// The body that documents an error which no story can provoke, indented.
pub(crate) fn example(status: u16) -> Option<String> {
    let error = match status {
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

#[cfg(test)]
mod tests {
    use super::*;
    use headshot_domain::Scope;

    fn every_error() -> Vec<ApiError> {
        let text = || "text".to_owned();
        vec![
            ApiError::KeyMissing,
            ApiError::KeyInvalid,
            ApiError::Forbidden(Forbidden::Scope(Scope::Teams)),
            ApiError::Forbidden(Forbidden::ReadOnly(Scope::Teams)),
            ApiError::Forbidden(Forbidden::Network),
            ApiError::RateLimited,
            ApiError::NoSuchRoute,
            ApiError::InvalidRequest(text()),
            ApiError::InvalidEmail,
            ApiError::NotFound("text"),
            ApiError::AlreadyExists(text()),
            ApiError::AlreadyDeleted("text"),
            ApiError::InsufficientCredits,
            ApiError::InviteLimit,
            ApiError::NotEnabled(text()),
            ApiError::TimedOut,
            ApiError::Internal { cause: text() },
        ]
    }

    #[test]
    fn each_error_names_the_check_that_the_log_tells() {
        let checks = every_error().into_iter().map(|error| {
            let Answer {
                status, code, by, ..
            } = error.answer();
            assert_eq!(Check::of(by.name()), Some(by));
            assert_eq!(by == Check::Server, status.is_server_error(), "{code}");
            format!("{} {code}: {}", status.as_u16(), by.name())
        });
        insta::assert_snapshot!(checks.collect::<Vec<_>>().join("\n"), @r"
        401 UNAUTHORIZED: key
        401 UNAUTHORIZED: key
        403 FORBIDDEN: scope
        403 FORBIDDEN: scope
        403 FORBIDDEN: network
        429 RATE_LIMIT_EXCEEDED: rate limit
        404 NOT_FOUND: route
        400 INVALID_REQUEST: request
        400 INVALID_EMAIL: request
        404 NOT_FOUND: existence
        400 ALREADY_EXISTS: conflict
        400 ALREADY_DELETED: conflict
        402 INSUFFICIENT_CREDITS: credits
        429 INVITE_LIMIT_EXCEEDED: invite limit
        403 FORBIDDEN: feature
        500 INTERNAL_ERROR: server
        500 INTERNAL_ERROR: server
        ");
    }

    #[test]
    fn every_check_refuses_something() {
        let answers = every_error().into_iter().map(|error| error.answer().by);
        let used: Vec<Check> = answers.collect();
        for check in Check::ALL {
            assert!(used.contains(&check), "{check:?}");
        }
    }
}
