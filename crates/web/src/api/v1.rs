//! The operations of v1. Contract: v1-legacy.md.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::Response;
use headshot_app::caller::Caller;

use crate::Web;
use crate::api::{ApiError, v2};

/// The same shape as v2's.
pub(crate) async fn organization(
    web: State<Web>,
    caller: Extension<Caller>,
) -> Result<Response, ApiError> {
    v2::organization(web, caller).await
}

/// The same shape as v2's; older clients ask by `POST`.
pub(crate) async fn credits(
    web: State<Web>,
    caller: Extension<Caller>,
) -> Result<Json<v2::CreditsResponse>, ApiError> {
    v2::credits(web, caller).await
}
