//! What every API request passes: verification, rate limit, scope, time limit, and the API log.
//!
//! Order of the checks (contract: errors.md): key 401, rate limit 429, network and scope 403.
//!
//! The gates are handlers around handlers, not layers: a layer costs each request a boxed service
//! and a boxed future more.

use std::any::Any;
use std::borrow::Cow;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use headshot_app::caller::Caller;
use headshot_app::keys::{self, Refused, Verification};
use headshot_app::rate_limit::Quota;
use headshot_app::request_log::{self, KeyState, Request as LogRow};
use headshot_domain::Timestamp;

use crate::Web;
use crate::api::error::{ApiError, Cause, Refusal};
use crate::api::idempotent;
use crate::api::operation::{self, Operation};
use crate::arrival::{Arrival, Arriving, Peer};
use seen::{Seen, body_length};

mod seen;

/// The most bytes that all headers of a request may have together.
pub(crate) const HEADERS_MAX: usize = 32 * 1024;

/// How many headers each answer gets here, about.
pub(crate) const HEADERS_ADDED: usize = 7;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the checks found, whether or not the request may go on.
struct Checked {
    quota: Quota,
    /// The key, where one is known, and its state.
    key: Option<Arc<headshot_app::verification::KeyEntry>>,
    state: KeyState,
    fingerprint: Option<String>,
    result: Result<Caller, ApiError>,
}

/// A handler behind the gate that verifies the key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keyed<H>(pub(crate) H);

/// A handler that needs no key: limited by address and logged like the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open<H>(pub(crate) H);

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

impl<H: Handler<T, Web>, T: 'static> Handler<T, Web> for Keyed<H> {
    type Future = Answer;

    fn call(self, request: Request, web: Web) -> Answer {
        Box::pin(keyed(web, request, self.0))
    }
}

impl<H: Handler<T, Web>, T: 'static> Handler<T, Web> for Open<H> {
    type Future = Answer;

    fn call(self, request: Request, web: Web) -> Answer {
        Box::pin(open(web, request, self.0))
    }
}

/// Verifies the key, then lets the request through to its operation.
async fn keyed<T>(web: Web, request: Request, handler: impl Handler<T, Web>) -> Response {
    let started = web.app().clock.monotonic();
    let arrival = Arrival::of(&web, &request);
    let seen = Seen::of(&request);
    let (mut parts, body) = request.into_parts();
    let checked = check(&web, &arrival, &parts, seen.operation).await;
    let response = match &checked.result {
        Err(error) => error.clone().into_response(),
        Ok(_) if parts.method == Method::OPTIONS => options(&seen.route),
        Ok(caller) => {
            parts.extensions.insert(caller.clone());
            let request = Request::from_parts(parts, body);
            let answer = |request| handler.call(request, web.clone());
            match seen.operation.filter(|seen| idempotent::heeds(seen)) {
                Some(operation) => {
                    let access = operation.access;
                    run(&web, request, |request| {
                        // Boxed: what only reads must not carry this state along.
                        Box::pin(idempotent::run(&web, request, access, answer))
                    })
                    .await
                }
                None => run(&web, request, answer).await,
            }
        }
    };
    finish(&web, (arrival, started), seen, checked, response)
}

async fn open<T>(web: Web, request: Request, handler: impl Handler<T, Web>) -> Response {
    let started = web.app().clock.monotonic();
    let arrival = Arrival::of(&web, &request);
    let seen = Seen::of(&request);
    let quota = web.app().addresses.take(arrival.address, arrival.at);
    let response = if !quota.allowed {
        ApiError::RateLimited.into_response()
    } else if headers_too_large(request.headers()) {
        headers_error().into_response()
    } else if request.method() == Method::OPTIONS {
        options(&seen.route)
    } else {
        let mut request = request;
        request.extensions_mut().insert(arrival.clone());
        run(&web, request, |request| handler.call(request, web.clone())).await
    };
    let state = KeyState::Missing;
    let result = Err(ApiError::NoSuchRoute);
    let checked = Checked {
        quota,
        key: None,
        state,
        fingerprint: None,
        result,
    };
    finish(&web, (arrival, started), seen, checked, response)
}

/// What stands around all pages: a program that asks for one that does not exist, below `/api` or with
/// a key anywhere, gets the contract's error. Its key is verified, so that the mistake is in the log of
/// its organization.
pub(crate) async fn beside_pages(State(web): State<Web>, request: Request, next: Next) -> Response {
    let has_key = request.headers().contains_key(header::AUTHORIZATION);
    let of_program = has_key || request.uri().path().starts_with("/api/");
    if !of_program || wants_page(request.headers()) {
        return next.run(request).await;
    }
    let started = web.app().clock.monotonic();
    let arrival = Arrival::of(&web, &request);
    let seen = Seen::of(&request);
    let (parts, body) = request.into_parts();
    let response = next.run(Request::from_parts(parts.clone(), body)).await;
    if response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    if !has_key {
        return refuse(&web, (arrival, started), seen, ApiError::NoSuchRoute);
    }
    let checked = check(&web, &arrival, &parts, None).await;
    let error = checked.result.as_ref().err().cloned();
    let response = error.unwrap_or(ApiError::NoSuchRoute).into_response();
    finish(&web, (arrival, started), seen, checked, response)
}

/// The answer to what the HTTP parser refused: nothing is known of it but the peer.
pub(crate) fn unparsable(web: &Web, peer: Peer) -> Response {
    let started = web.app().clock.monotonic();
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(peer);
    let arrival = Arrival::of(web, &request);
    let seen = Seen {
        operation: None,
        method: Cow::Borrowed(""),
        route: Cow::Borrowed(""),
        path: String::new(),
        user_agent: String::new(),
        browser: false,
        bytes: 0,
    };
    let why = "The request is not well-formed HTTP/1.1, or its head is too large";
    let error = ApiError::InvalidRequest(why.to_owned());
    refuse(web, (arrival, started), seen, error)
}

/// Refuses a request whose key nobody looked at. It counts for its address.
fn refuse(
    web: &Web,
    (arrival, started): (Arrival, Duration),
    seen: Seen,
    error: ApiError,
) -> Response {
    let quota = web.app().addresses.take(arrival.address, arrival.at);
    let error = if quota.allowed {
        error
    } else {
        ApiError::RateLimited
    };
    let checked = Checked {
        quota,
        key: None,
        state: KeyState::Missing,
        fingerprint: None,
        result: Err(error.clone()),
    };
    let response = error.into_response();
    finish(web, (arrival, started), seen, checked, response)
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accepted| {
        accepted
            .to_str()
            .is_ok_and(|text| text.contains("text/html"))
    })
}

fn headers_too_large(headers: &HeaderMap) -> bool {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    bytes.sum::<usize>() > HEADERS_MAX
}

fn headers_error() -> ApiError {
    ApiError::InvalidRequest(format!("The headers are larger than {HEADERS_MAX} bytes"))
}

async fn check(
    web: &Web,
    arrival: &Arrival,
    request: &Parts,
    operation: Option<&Operation>,
) -> Checked {
    let app = web.app();
    let refused = |quota, refused: Refused, error| Checked {
        quota,
        key: refused.key,
        state: refused.state,
        fingerprint: refused.fingerprint,
        result: Err(error),
    };
    let verification = match verify(web, arrival, &request.headers).await {
        Ok(verification) => verification,
        Err((error, quota)) => {
            let unknown = Refused {
                state: KeyState::Unknown,
                key: None,
                fingerprint: None,
            };
            return refused(quota, unknown, error);
        }
    };
    match verification {
        Ok(key) => {
            let limit = key.record.plan.requests_per_minute();
            let quota = key.org.budget.take(arrival.at, limit);
            let result = permit((quota, &key), arrival, (request, operation));
            if result.is_ok() {
                key.note_use(arrival.at);
            }
            Checked {
                quota,
                key: Some(key),
                state: KeyState::Live,
                fingerprint: None,
                result,
            }
        }
        Err(why) => {
            let quota = app.addresses.take(arrival.address, arrival.at);
            let error = match why.state {
                _ if !quota.allowed => ApiError::RateLimited,
                KeyState::Missing => ApiError::KeyMissing,
                _ => ApiError::KeyInvalid,
            };
            refused(quota, why, error)
        }
    }
}

type Key = Arc<headshot_app::verification::KeyEntry>;

/// From memory; else from the database. Addresses that have used up their refusals queue for that,
/// one at a time: guessing keys must not become a load on the database, but whoever shares an
/// address with a guesser and has a good key gets its own answer.
async fn verify(
    web: &Web,
    arrival: &Arrival,
    headers: &HeaderMap,
) -> Result<Result<Key, Refused>, (ApiError, Quota)> {
    let app = web.app();
    let verification = match keys::verify(app, authorization(headers), arrival.at) {
        Verification::Unknown(secret, digest) => {
            let quota = app.addresses.look(arrival.address, arrival.at);
            let _turn = if quota.allowed {
                None
            } else {
                web.0.guessers.acquire().await.ok()
            };
            // Boxed: what memory answers must not carry a query's state along.
            Box::pin(keys::load(app, &secret, &digest))
                .await
                .map_err(|error| (error.into(), quota))?
        }
        known => known,
    };
    Ok(match verification {
        Verification::Accepted(key) => Ok(key),
        Verification::Refused(refused) => Err(refused),
        // `load` has asked the database.
        Verification::Unknown(..) => Err(Refused {
            state: KeyState::Unknown,
            key: None,
            fingerprint: None,
        }),
    })
}

/// The header's value: `None` when it is missing, empty when there are several.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next()?;
    Some(if values.next().is_some() {
        b""
    } else {
        first.as_bytes()
    })
}

/// The checks of a valid key, in the contract's order.
fn permit(
    (quota, key): (Quota, &Key),
    arrival: &Arrival,
    (request, operation): (&Parts, Option<&Operation>),
) -> Result<Caller, ApiError> {
    if !quota.allowed {
        return Err(ApiError::RateLimited);
    }
    let caller = Caller::new(Arc::clone(key), arrival.address).map_err(ApiError::Forbidden)?;
    if let Some(operation) = operation {
        caller
            .require(operation.scope, operation.access)
            .map_err(ApiError::Forbidden)?;
    }
    if headers_too_large(&request.headers) {
        return Err(headers_error());
    }
    Ok(caller)
}

/// Runs the operation within its time; a panic is an internal error like any other.
async fn run<F>(web: &Web, mut request: Request, operation: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    if !request.body().is_end_stream() {
        DefaultBodyLimit::max(crate::BODY_MAX).apply(&mut request);
    }
    let arriving = Arriving::watch(&mut request);
    let running = AssertUnwindSafe(operation(request)).catch_unwind();
    match tokio::time::timeout(web.0.limits.time_max, running).await {
        Ok(Ok(response)) => response,
        Ok(Err(panicked)) => ApiError::Internal {
            cause: panic_in_words(&*panicked),
        }
        .into_response(),
        Err(_) if arriving.is_waited_for() => {
            let why = "The body did not arrive in time".to_owned();
            ApiError::InvalidRequest(why).into_response()
        }
        Err(_) => ApiError::TimedOut.into_response(),
    }
}

/// What a panic said, for the operator's log only.
pub(crate) fn panic_in_words(panicked: &(dyn Any + Send)) -> String {
    let what = panicked
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panicked.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("it panicked: {what}")
}

fn options(route: &str) -> Response {
    let Some(methods) = operation::allowed(route) else {
        return ApiError::NoSuchRoute.into_response();
    };
    let allow = HeaderValue::from_str(&methods);
    let mut response = StatusCode::OK.into_response();
    if let Ok(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// Adds the headers that every answer has, and hands the request to the log.
fn finish(
    web: &Web,
    (arrival, started): (Arrival, Duration),
    seen: Seen,
    checked: Checked,
    mut response: Response,
) -> Response {
    let headers = response.headers_mut();
    headers.reserve(HEADERS_ADDED);
    add_quota(headers, web, &checked.quota, arrival.at);
    if let Ok(id) = HeaderValue::from_str(arrival.id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    no_sniff(headers);

    let app = web.app();
    web.0.metrics.count(response.status());
    let refusal = response.extensions().get::<Refusal>().copied();
    if let Some(Cause(cause)) = response.extensions().get() {
        tracing::error!(
            request.id = arrival.id.as_str(),
            "{} failed: {cause}",
            arrival.id
        );
    }
    if checked.key.is_none() && response.status() == StatusCode::TOO_MANY_REQUESTS {
        // A row for each would let one address fill the log.
        app.recorder.turn_away();
        web.0.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
        return response;
    }
    let duration = app.clock.monotonic().saturating_sub(started);
    let row = LogRow {
        org: checked
            .key
            .as_ref()
            .map_or_else(|| Arc::from(""), |key| Arc::clone(&key.org.shared_id)),
        id: arrival.id,
        at: arrival.at,
        key: checked.key.as_ref().map(|key| Arc::clone(&key.shared_id)),
        key_state: checked.state,
        fingerprint: checked.fingerprint,
        method: seen.method,
        route: seen.route,
        path: seen.path,
        status: response.status().as_u16(),
        code: refusal.map(|refusal| refusal.code),
        refused_by: refusal.map(|refusal| refusal.by.name()),
        duration_us: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
        request_bytes: seen.bytes,
        response_bytes: body_length(response.body()),
        address: arrival.address,
        user_agent: seen.user_agent,
        browser: seen.browser,
    };
    request_log::record(app, row);
    response
}

fn add_quota(headers: &mut HeaderMap, web: &Web, quota: &Quota, now: Timestamp) {
    headers.insert(LIMIT, quota.limit.into());
    headers.insert(REMAINING, quota.remaining.into());
    headers.insert(RESET, web.0.reset_text.of(quota.reset));
    if !quota.allowed {
        let seconds = quota.reset.since(now).as_millis().div_ceil(1_000).max(1);
        headers.insert(
            header::RETRY_AFTER,
            u64::try_from(seconds).unwrap_or(60).into(),
        );
    }
}

/// No browser may take an answer for anything but what it says it is.
fn no_sniff(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// Any path that is no operation, and any method that an operation does not have.
pub(crate) async fn no_such_route() -> ApiError {
    ApiError::NoSuchRoute
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::Limits;
    use crate::tests::served;
    use axum::Router;
    use axum::routing::get;
    use futures_util::StreamExt as _;
    use headshot_app::request_log::Filter;
    use tower::ServiceExt;

    const ORGANIZATION: &str = "/api/v2/organization";

    /// The whole answer of an operation behind the gate, and what the log keeps of it.
    async fn answer<T: 'static>(
        limits: Limits,
        operation: impl Handler<T, Web>,
    ) -> (String, String) {
        let served = served(limits).await;
        let web = &served.web;
        let router = Router::new().route(ORGANIZATION, get(Keyed(operation)));
        let router = router.with_state(web.clone());
        let authorization = format!("Bearer {}", served.key);
        let request = Request::get(ORGANIZATION).header("authorization", authorization);
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let mut shown = vec![parts.status.to_string()];
        for (name, value) in &parts.headers {
            let value = value.to_str().unwrap();
            let value = if *name == REQUEST_ID {
                "[masked]"
            } else {
                value
            };
            if *name != header::CONTENT_LENGTH {
                shown.push(format!("{name}: {value}"));
            }
        }
        shown.push(String::new());
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        shown.push(String::from_utf8(body.to_vec()).unwrap());
        request_log::drain(web.app()).await;
        let rows = request_log::page(web.app(), &served.org, &Filter::default()).await;
        let rows = rows.unwrap().rows.into_iter().map(|row| match row {
            request_log::Row::Request(row) => {
                let code = row.code.unwrap_or_default();
                let by = row.refused_by.unwrap_or_default();
                format!("{} {} {code} by {by}", row.route, row.status)
            }
            request_log::Row::Gap(_) => "a gap".to_owned(),
        });
        (shown.join("\n"), rows.collect::<Vec<_>>().join("\n"))
    }

    #[tokio::test]
    async fn an_operation_that_takes_too_long_is_ended() {
        let limits = Limits {
            time_max: Duration::from_millis(1),
            ..Limits::default()
        };
        let hangs = std::future::pending::<StatusCode>;
        let (shown, logged) = answer(limits, hangs).await;
        insta::assert_snapshot!(shown, @r#"
        500 Internal Server Error
        content-type: application/json
        x-ratelimit-limit: 300
        x-ratelimit-remaining: 299
        x-ratelimit-reset: 2024-01-15T10:31:00.000Z
        x-request-id: [masked]
        cache-control: no-store
        x-content-type-options: nosniff

        {"success":false,"error":"The request took too long","code":"INTERNAL_ERROR"}
        "#);
        assert_eq!(logged, "/api/v2/organization 500 INTERNAL_ERROR by server");
    }

    /// The sender's connection is to blame for a body that does not come, not this server.
    #[tokio::test]
    async fn a_body_that_stops_on_its_way_is_the_sender_s() {
        async fn reads(body: Result<axum::body::Bytes, axum::extract::rejection::BytesRejection>) {
            assert!(body.is_ok());
        }
        let limits = Limits {
            time_max: Duration::from_millis(1),
            ..Limits::default()
        };
        let served = served(limits).await;
        let web = &served.web;
        let router = Router::new().route(ORGANIZATION, axum::routing::post(Keyed(reads)));
        let router = router.with_state(web.clone());
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>("{")]);
        let stalls = begun.chain(futures_util::stream::pending());
        let request = Request::post(ORGANIZATION)
            .header("authorization", format!("Bearer {}", served.key))
            .body(Body::from_stream(stalls));
        let answer = router.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(
            answer.extensions().get::<Cause>().is_none(),
            "no error line"
        );
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await;
        assert_eq!(
            String::from_utf8(body.unwrap().to_vec()).unwrap(),
            r#"{"success":false,"error":"The body did not arrive in time","code":"INVALID_REQUEST"}"#
        );
    }

    /// Nothing of what the panic said goes out.
    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        async fn panics() -> StatusCode {
            panic!("secret of {}", file!());
        }
        let (shown, logged) = answer(Limits::default(), panics).await;
        insta::assert_snapshot!(shown, @r#"
        500 Internal Server Error
        content-type: application/json
        x-ratelimit-limit: 300
        x-ratelimit-remaining: 299
        x-ratelimit-reset: 2024-01-15T10:31:00.000Z
        x-request-id: [masked]
        cache-control: no-store
        x-content-type-options: nosniff

        {"success":false,"error":"Internal server error","code":"INTERNAL_ERROR"}
        "#);
        assert_eq!(logged, "/api/v2/organization 500 INTERNAL_ERROR by server");
    }

    #[test]
    fn the_operator_s_log_has_what_a_panic_said() {
        let said = std::panic::catch_unwind(|| panic!("at {}", 5)).unwrap_err();
        assert_eq!(panic_in_words(&*said), "it panicked: at 5");
        let said = std::panic::catch_unwind(|| panic!("plain")).unwrap_err();
        assert_eq!(panic_in_words(&*said), "it panicked: plain");
        let said: Box<dyn Any + Send> = Box::new(5);
        assert_eq!(panic_in_words(&*said), "it panicked: no message");
    }
}
