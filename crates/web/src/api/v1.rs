//! The operations of v1. Contract: v1-legacy.md. Most have v2's shape.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use headshot_app::App;
use headshot_app::caller::Caller;
use headshot_app::invites::{self, Invite as Row, Walk};
use headshot_domain::{InviteId, InviteState};
use serde::Serialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use crate::Web;
use crate::api::error::{Common, ErrorBody};
use crate::api::request::{self, Body, Claimed};
use crate::api::v2::invites::{
    CreateInviteRequest, CreateInviteResponse, RevokeInviteRequest, RevokeInviteResponse,
};
use crate::api::v2::organization::{CreditsResponse, OrganizationResponse};
use crate::api::v2::page::Whole;
use crate::api::{ApiError, v2};

/// Get the organization (v1)
#[utoipa::path(
    get, path = "/api/v1/organization", operation_id = "v1GetOrganization", tag = "legacy",
    responses((status = 200, description = "The organization and its teams.", body = OrganizationResponse<'static>), Common),
)]
pub(crate) async fn organization(
    web: State<Web>,
    caller: Extension<Caller>,
) -> Result<Response, ApiError> {
    v2::organization::organization(web, caller).await
}

/// Get the credit balance (v1)
#[utoipa::path(
    get, path = "/api/v1/organization/credits", operation_id = "v1GetCredits", tag = "legacy",
    responses((status = 200, description = "The balance, before reservations.", body = CreditsResponse), Common),
)]
pub(crate) async fn credits(
    web: State<Web>,
    caller: Extension<Caller>,
) -> Result<Json<CreditsResponse>, ApiError> {
    v2::organization::credits(web, caller).await
}

/// Get the credit balance (v1, older clients)
///
/// With any JSON or nothing as the body.
#[utoipa::path(
    post, path = "/api/v1/organization/credits", operation_id = "v1PostCredits", tag = "legacy",
    responses(
        (status = 200, description = "The balance, before reservations.", body = CreditsResponse),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn credits_by_post(
    web: State<Web>,
    caller: Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<CreditsResponse>, ApiError> {
    let body = body.map_err(|_rejected| request::too_large())?;
    if !body.is_empty() && serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        return Err(ApiError::InvalidRequest("The body is not JSON".to_owned()));
    }
    v2::organization::credits(web, caller).await
}

/// Create an invite (v1)
#[utoipa::path(
    post, path = "/api/v1/organization/invite", operation_id = "v1CreateInvite", tag = "legacy",
    request_body = CreateInviteRequest,
    responses(
        (status = 200, description = "The invite is made.", body = CreateInviteResponse),
        (status = 400, description = "The address is missing, malformed (`INVALID_EMAIL`), or invited or a member already (`ALREADY_EXISTS`).", body = ErrorBody),
        (status = 402, description = "No credit is left to reserve.", body = ErrorBody),
        (status = 404, description = "The organization has no such team.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn create_invite(
    web: State<Web>,
    caller: Extension<Caller>,
    claimed: Option<Claimed>,
    new: Body<CreateInviteRequest>,
) -> Result<Response, ApiError> {
    v2::invites::create(web, caller, claimed, new).await
}

/// Revoke an invite (v1)
#[utoipa::path(
    post, path = "/api/v1/organization/invite/revoke", operation_id = "v1RevokeInvite", tag = "legacy",
    request_body = RevokeInviteRequest,
    responses(
        (status = 200, description = "The invite is withdrawn.", body = RevokeInviteResponse),
        (status = 400, description = "The address is missing or malformed, or the person has joined.", body = ErrorBody),
        (status = 404, description = "Nobody with that address was invited.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn revoke_invite(
    web: State<Web>,
    caller: Extension<Caller>,
    claimed: Option<Claimed>,
    which: Body<RevokeInviteRequest>,
) -> Result<Response, ApiError> {
    v2::invites::revoke(web, caller, claimed, which).await
}

/// An invite in v1's shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V1Invite {
    /// The invite's id.
    #[schema(example = "abc123")]
    id: String,
    /// The address: the invited one, and once used the one of the person's account.
    #[schema(example = "user1@example.com")]
    email: String,
    /// Whether it is neither revoked nor expired.
    valid: bool,
    /// The team that the person joins.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
    /// When the person was invited.
    #[schema(format = DateTime, example = "2024-01-15T10:30:00.000Z")]
    created_at: String,
    /// Whether the person has joined.
    used: bool,
    /// Where the person joins.
    #[schema(example = "https://acme.com/auth/signup?invite=abc123")]
    link: String,
}

fn v1_invite(app: &App, row: &Row) -> V1Invite {
    let ran_out = row.state == InviteState::Open && row.expires_at <= app.clock.now();
    V1Invite {
        id: row.id.to_string(),
        email: row.email.clone(),
        valid: matches!(row.state, InviteState::Open | InviteState::Used) && !ran_out,
        team_id: row.team.as_ref().map(|team| team.id.to_string()),
        created_at: row.created_at.to_string(),
        used: row.state == InviteState::Used,
        link: invites::link(app, &row.id),
    }
}

/// All invites in v1's shape.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is written item by item")]
pub(crate) struct V1InvitesResponse {
    /// Always `true`.
    success: bool,
    /// Newest first.
    invites: Vec<V1Invite>,
}

/// List invites (v1)
#[utoipa::path(
    get, path = "/api/v1/organization/invites", operation_id = "v1ListInvites", tag = "legacy",
    responses((status = 200, description = "All invites.", body = V1InvitesResponse), Common),
)]
pub(crate) async fn list_invites(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let mut list = Whole::of_all(&web, &caller, "invites").await?;
    let mut walk = Walk::start(web.app(), caller.org()).await?;
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            return Ok(list.end(false));
        }
        for row in &rows {
            list.push(&v1_invite(web.app(), row))?;
        }
    }
}

/// What became of an invite, in v1's words.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum V1InviteStatus {
    /// Sent, the person has not signed up.
    PendingInvite,
    /// Withdrawn.
    Revoked,
    /// Signed up, photos not submitted.
    WaitingForUpload,
    /// Headshots are being made.
    GeneratingHeadshots,
    /// Headshots are ready.
    Active,
    /// The person or the session was deleted.
    Deleted,
}

/// One invite in v1's shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V1InviteStatusObject {
    /// The address: the invited one, and once used the one of the person's account.
    #[schema(example = "email@address.com")]
    email: String,
    /// What became of it.
    #[schema(value_type = V1InviteStatus)]
    status: &'static str,
    /// The team that the person joins.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
}

/// An invite and its status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct V1InviteResponse {
    /// Always `true`.
    success: bool,
    invite: V1InviteStatusObject,
}

/// Get an invite by id (v1)
#[utoipa::path(
    get, path = "/api/v1/organization/invite/id/{inviteId}", operation_id = "v1GetInvite", tag = "legacy",
    params(("inviteId" = String, Path, description = "The invite.", example = "abc123")),
    responses(
        (status = 200, description = "The invite and its status.", body = V1InviteResponse),
        (status = 404, description = "The organization has no such invite.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn get_invite(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = InviteId::from(request::path(id)?);
    let invite = invites::find(web.app(), caller.org(), &id).await?;
    let invite = invite.ok_or(ApiError::NotFound("Invite not found"))?;
    let answer = V1InviteResponse {
        success: true,
        invite: V1InviteStatusObject {
            status: invite.status().v1_name(),
            team_id: invite.team.as_ref().map(|team| team.id.to_string()),
            email: invite.email,
        },
    };
    Ok(Json(answer).into_response())
}
