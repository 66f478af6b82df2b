//! The operations of v1. Contract: v1-legacy.md.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::response::Response;
use headshot_app::caller::Caller;
use serde::de::IgnoredAny;

use crate::Web;
use crate::api::{ApiError, v2};

/// The same shape as v2's.
pub(crate) async fn organization(
    web: State<Web>,
    caller: Extension<Caller>,
) -> Result<Response, ApiError> {
    v2::organization(web, caller).await
}

/// The same shape as v2's.
pub(crate) async fn credits(
    web: State<Web>,
    caller: Extension<Caller>,
) -> Result<Json<v2::CreditsResponse>, ApiError> {
    v2::credits(web, caller).await
}

/// Older clients ask by `POST`, with any JSON or nothing as the body.
pub(crate) async fn credits_by_post(
    web: State<Web>,
    caller: Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<v2::CreditsResponse>, ApiError> {
    let too_large = |_rejected| ApiError::InvalidRequest("The body is too large".to_owned());
    let body = body.map_err(too_large)?;
    if !body.is_empty() && serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        return Err(ApiError::InvalidRequest("The body is not JSON".to_owned()));
    }
    v2::credits(web, caller).await
}
