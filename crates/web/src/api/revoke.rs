//! Revocation by possession: whoever holds a key may kill it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use headshot_app::keys::{self, DeleteError};
use headshot_domain::ApiKeySecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Web;
use crate::api::ApiError;
use crate::api::error::ErrorBody;
use crate::arrival::Arrival;

/// The key to be revoked.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RevokeRequest {
    /// The key itself.
    #[schema(example = "hsp_...")]
    key: String,
}

/// The receipt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevokeResponse {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    /// Always `API key revoked`.
    #[schema(example = "API key revoked")]
    message: &'static str,
    /// Since when no process accepts the key.
    #[schema(format = DateTime, example = "2024-01-15T10:30:00.000Z")]
    effective_at: String,
}

/// Revoke a key by possession
///
/// For a key that was found where it should not be. Needs no other permission than the key itself.
#[utoipa::path(
    post,
    path = "/api/keys/revoke",
    operation_id = "revokeKey",
    tag = "keys",
    security(()),
    request_body = RevokeRequest,
    responses(
        (status = 200, description = "No process accepts the key any more.", body = RevokeResponse),
        (status = 400, description = "The body is not JSON that holds a key.", body = ErrorBody),
        (status = 401, description = "The key is not valid (any more).", body = ErrorBody),
        (status = 429, description = "Too many requests from this address.", body = ErrorBody),
        (status = 500, description = "The server failed.", body = ErrorBody),
    ),
)]
pub(crate) async fn revoke(
    State(web): State<Web>,
    Extension(arrival): Extension<Arrival>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<RevokeResponse>, ApiError> {
    let invalid = |why: &str| ApiError::InvalidRequest(why.to_owned());
    let body = body.map_err(|_wrong| invalid("The body is too large or was cut off"))?;
    // The parser's own message could repeat a part of the key.
    let request: RevokeRequest = serde_json::from_slice(&body)
        .map_err(|_wrong| invalid("Send JSON such as {\"key\": \"hsp_...\"}"))?;
    let secret = ApiKeySecret::parse(&request.key).map_err(|_wrong| ApiError::KeyInvalid)?;
    match keys::revoke_by_possession(web.app(), arrival.address, &secret).await {
        Ok(deleted) => Ok(Json(RevokeResponse {
            success: true,
            message: "API key revoked",
            effective_at: deleted.receipt.effective_at.to_string(),
        })),
        Err(DeleteError::NotFound) => Err(ApiError::KeyInvalid),
        Err(DeleteError::Internal(error)) => Err(error.into()),
    }
}
