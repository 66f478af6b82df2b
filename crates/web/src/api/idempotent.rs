//! `Idempotency-Key` on every POST operation: claims the request before it runs and gives a repeated
//! one its first answer.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use headshot_app::caller::Caller;
use headshot_app::idempotency::{self, Begun, KEY_MAX};
use headshot_domain::Access;

use crate::Web;
use crate::api::operation::Operation;
use crate::api::request::{Claimed, too_large};
use crate::api::{ApiError, json_text};

/// The header's name as it is documented.
pub(crate) const HEADER: &str = "Idempotency-Key";

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Runs a request of an operation that [`heeds`] the header, at most once for each key that its
/// organization sends with it. What writes keeps its answer by itself, together with what it wrote.
pub(crate) async fn run<F>(
    web: &Web,
    request: Request,
    access: Access,
    operation: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    match claimed(web, request, access, operation).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

/// Whether an operation heeds the header.
pub(crate) fn heeds(operation: &Operation) -> bool {
    operation.method == "POST"
}

async fn claimed<F>(
    web: &Web,
    request: Request,
    access: Access,
    operation: impl FnOnce(Request) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Response>,
{
    let Some(key) = of_headers(request.headers())? else {
        return Ok(operation(request).await);
    };
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Ok(operation(request).await);
    };
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, crate::BODY_MAX).await;
    let body = body.map_err(|_cut_off| too_large())?;
    let digest = idempotency::digest(parts.method.as_str(), parts.uri.path(), &body);
    let claim = match idempotency::begin(web.app(), caller.org(), &key, &digest).await? {
        Begun::Run(claim) => claim,
        Begun::Answered(body) => {
            let mut response = json_text(body);
            let replayed = HeaderValue::from_static("true");
            response.headers_mut().insert(REPLAYED, replayed);
            return Ok(response);
        }
        Begun::Different => {
            let why = "This Idempotency-Key was used for another request";
            return Err(ApiError::InvalidRequest(why.to_owned()));
        }
    };
    parts.extensions.insert(Claimed(claim.clone()));
    let released = Released::unless_answered(web, claim.clone());
    let running = operation(Request::from_parts(parts, Body::from(body)));
    let mut response = tokio::select! {
        response = running => response,
        never = claim.hold(web.app()) => match never {},
    };
    if !response.status().is_success() {
        released.now().await;
        return Ok(response);
    }
    if access == Access::Read {
        response = kept(web, claim, response).await?;
    }
    released.forget();
    Ok(response)
}

/// Keeps the answer of an operation that wrote nothing.
async fn kept(
    web: &Web,
    claim: idempotency::Claim,
    response: Response,
) -> Result<Response, ApiError> {
    let (parts, body) = response.into_parts();
    // It is in memory already.
    let body = to_bytes(body, usize::MAX).await;
    let body = body.map_err(|unread| ApiError::Internal {
        cause: unread.to_string(),
    })?;
    let text = String::from_utf8_lossy(&body);
    claim.settle(web.app(), &text).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn of_headers(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(KEY).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    // `to_str` lets tabs through.
    let printable = |text: &&str| !text.contains('\t');
    let text = first.to_str().ok().filter(printable).unwrap_or_default();
    if text.is_empty() || text.len() > KEY_MAX || values.next().is_some() {
        return Err(ApiError::InvalidRequest(format!(
            "Idempotency-Key must be one text of 1 to {KEY_MAX} printable ASCII characters"
        )));
    }
    Ok(Some(text.to_owned()))
}

/// Gives a claim up when the request that holds it changed nothing: refused, failed, or dropped
/// because its time was over.
struct Released {
    web: Web,
    claim: Option<idempotency::Claim>,
}

impl Released {
    fn unless_answered(web: &Web, claim: idempotency::Claim) -> Self {
        Self {
            web: web.clone(),
            claim: Some(claim),
        }
    }

    fn forget(mut self) {
        self.claim = None;
    }

    async fn now(mut self) {
        if let Some(claim) = self.claim.take() {
            release(&self.web, claim).await;
        }
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            let web = self.web.clone();
            tokio::spawn(async move { release(&web, claim).await });
        }
    }
}

/// A claim that can't be given up runs out by itself.
async fn release(web: &Web, claim: idempotency::Claim) {
    if let Err(error) = claim.release(web.app()).await {
        web.app()
            .report(&error, "an idempotency claim could not be given up");
    }
}
