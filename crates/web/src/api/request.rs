//! What callers send: bodies and query strings, read strictly enough to give a clear error.

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Path, Request};
use axum::http::request::Parts;
use headshot_app::idempotency::Claim;
use headshot_app::page::Slice;
use headshot_domain::Email;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::api::ApiError;

/// A JSON object as the body, whatever its `Content-Type` says.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await;
        parse(&bytes.map_err(|_rejected| too_large())?).map(Self)
    }
}

/// A JSON object as the body, or nothing.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|_rejected| too_large())?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self)
    }
}

/// The answer to a body beyond the limit, or cut off on its way.
pub(crate) fn too_large() -> ApiError {
    ApiError::InvalidRequest(format!(
        "The body is larger than {} bytes or was cut off",
        crate::BODY_MAX
    ))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let why = "The body must be a JSON object".to_owned();
        return Err(ApiError::InvalidRequest(why));
    }
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut parser)
        .map_err(|wrong| in_words(&wrong.path().to_string(), wrong.inner()))?;
    parser.end().map_err(|wrong| in_words("", &wrong))?;
    Ok(value)
}

/// What is wrong with a body, and where, counted in bytes from 1.
fn in_words(field: &str, wrong: &serde_json::Error) -> ApiError {
    let what = match wrong.classify() {
        Category::Eof => "The body ends before its JSON does".to_owned(),
        Category::Syntax | Category::Io => "The body is not valid JSON".to_owned(),
        Category::Data => {
            let field = match field {
                "" | "." => "a field",
                named => named,
            };
            format!("The body is not valid: {field} is given twice or has the wrong type")
        }
    };
    let (line, column) = (wrong.line(), wrong.column());
    ApiError::InvalidRequest(format!("{what} (line {line}, column {column})"))
}

/// The address of a body's `email` field.
pub(crate) fn email(given: Option<&str>) -> Result<Email, ApiError> {
    match given.map(str::trim) {
        None | Some("") => Err(ApiError::InvalidRequest("Email is required".to_owned())),
        Some(text) => text.parse().map_err(|_invalid| ApiError::InvalidEmail),
    }
}

/// The largest number that every JSON reader takes exactly (RFC 8259, section 6): an offset is sent
/// back.
const NUMBER_MAX: i64 = (1 << 53) - 1;

/// The path's parameters; text that is no UTF-8 names nothing.
pub(crate) fn path<T>(path: Result<Path<T>, PathRejection>) -> Result<T, ApiError> {
    path.map(|Path(value)| value)
        .map_err(|_rejected| ApiError::NoSuchRoute)
}

/// The query string's parameters. Unknown ones are ignored, one that is given twice is refused.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(text.as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }
}

impl Query {
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(ApiError::InvalidRequest(format!("{name} is given twice")));
        }
        Ok(first)
    }

    /// A parameter that takes one of some words.
    pub(crate) fn word<T: std::str::FromStr>(
        &self,
        name: &str,
        words: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        let wrong = || ApiError::InvalidRequest(format!("{name} must be one of {words}"));
        text.parse().map(Some).map_err(|_unknown| wrong())
    }

    /// `limit` and `offset`.
    pub(crate) fn slice(&self) -> Result<Slice, ApiError> {
        Ok(self.asked_slice()?.unwrap_or(Slice::new(Slice::LIMIT, 0)))
    }

    /// `limit` and `offset`, if either is given.
    pub(crate) fn asked_slice(&self) -> Result<Option<Slice>, ApiError> {
        let limit = self.number("limit", 1)?;
        let offset = self.number("offset", 0)?;
        if limit.is_none() && offset.is_none() {
            return Ok(None);
        }
        let limit = limit.unwrap_or(Slice::LIMIT);
        Ok(Some(Slice::new(limit, offset.unwrap_or(0))))
    }

    /// A whole number of at least `least`. What is beyond [`NUMBER_MAX`] is as good as that.
    fn number(&self, name: &str, least: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().unwrap_or(NUMBER_MAX).min(NUMBER_MAX));
        match number.filter(|number| *number >= least) {
            Some(number) => Ok(Some(number)),
            None => Err(ApiError::InvalidRequest(format!(
                "{name} must be a whole number of at least {least}"
            ))),
        }
    }
}

/// The claim of a request that carries an `Idempotency-Key`; put there by the gate.
#[derive(Debug, Clone)]
pub(crate) struct Claimed(pub(crate) Claim);

impl<S: Send + Sync> OptionalFromRequestParts<S> for Claimed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// The claim, as use cases take it.
pub(crate) fn claim(claimed: Option<&Claimed>) -> Option<&Claim> {
    claimed.map(|claimed| &claimed.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Query(pairs.into_owned().collect())
    }

    #[test]
    fn limit_and_offset_at_and_past_their_edges() {
        let slice = |text| {
            query(text)
                .slice()
                .map(|slice| (slice.limit(), slice.offset()))
        };
        assert_eq!(slice(""), Ok((50, 0)));
        assert_eq!(slice("limit=1&offset=0"), Ok((1, 0)));
        assert_eq!(slice("limit=200"), Ok((200, 0)));
        assert_eq!(slice("limit=201"), Ok((200, 0)));
        assert_eq!(slice("limit=9999999999999999999999"), Ok((200, 0)));
        let most = 9_007_199_254_740_991;
        assert_eq!(slice("offset=9007199254740991"), Ok((50, most)));
        assert_eq!(slice("offset=9007199254740992"), Ok((50, most)));
        assert_eq!(slice("offset=99999999999999999999"), Ok((50, most)));
        for wrong in [
            "limit=0",
            "limit=-1",
            "limit=",
            "limit=1.5",
            "limit=%2B1",
            "limit=1e2",
            "limit=x",
            "offset=-1",
            "offset=",
            "limit=1&limit=2",
        ] {
            assert!(slice(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_body_is_told_in_our_own_words() {
        #[derive(Debug, serde::Deserialize)]
        struct Team {
            #[expect(dead_code, reason = "only read")]
            name: Option<String>,
            #[expect(dead_code, reason = "only read")]
            emails: Option<Vec<String>>,
        }
        let told = |body: &str| match parse::<Team>(body.as_bytes()) {
            Err(ApiError::InvalidRequest(why)) => why,
            other => format!("{other:?}"),
        };
        insta::assert_snapshot!(
            [
                "[]",
                "{\"name\":",
                "{\"name\": nope}",
                "{\"name\":\"\\ud800\"}",
                "{}{}",
                "{\n  \"name\": 1\n}",
                "{\"emails\":[\"a\",2]}",
                "{\"name\":\"a\",\"name\":\"b\"}",
            ]
            .map(told)
            .join("\n"),
            @r"
        The body must be a JSON object
        The body ends before its JSON does (line 1, column 8)
        The body is not valid JSON (line 1, column 11)
        The body is not valid JSON (line 1, column 16)
        The body is not valid JSON (line 1, column 3)
        The body is not valid: name is given twice or has the wrong type (line 2, column 11)
        The body is not valid: emails[1] is given twice or has the wrong type (line 1, column 16)
        The body is not valid: a field is given twice or has the wrong type (line 1, column 18)
        "
        );
    }

    #[test]
    fn words_are_exact() {
        let stage = |text| query(text).word::<headshot_domain::MemberStage>("status", "them");
        assert_eq!(stage("").unwrap(), None);
        assert!(stage("status=accepted").unwrap().is_some());
        assert!(stage("status=").is_err());
        assert!(stage("status=Accepted").is_err());
    }
}
