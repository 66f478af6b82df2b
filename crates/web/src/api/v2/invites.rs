//! Invites. Contract: invites.md.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use headshot_app::App;
use headshot_app::caller::Caller;
use headshot_app::idempotency::Once;
use headshot_app::invites::{self, Invite as Row, Walk};
use headshot_domain::{Email, TeamId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Web;
use crate::api::error::{Common, ErrorBody};
use crate::api::request::{self, Body, Claimed, Query};
use crate::api::v2::page::Whole;
use crate::api::{ApiError, json, json_text};

/// An invite.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invite {
    /// The address: the invited one, and once the person has joined the one of the account.
    #[schema(example = "john@example.com")]
    email: String,
    /// What became of it.
    #[schema(value_type = InviteStatus)]
    status: &'static str,
    /// The person's model; absent before there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "507f1f77bcf86cd799439011")]
    model_id: Option<String>,
    /// The team that the person joins.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
    /// Its name.
    #[schema(required, example = "Marketing")]
    team_name: Option<String>,
    /// When the person was invited.
    #[schema(format = DateTime, example = "2024-01-15T10:30:00.000Z")]
    created_at: String,
}

/// What became of an invite.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum InviteStatus {
    /// Sent, the person has not signed up.
    Pending,
    /// Signed up, no photos uploaded.
    Accepted,
    /// Withdrawn.
    Revoked,
    /// In onboarding or upload.
    Uploading,
    /// Headshots are being made.
    Generating,
    /// Headshots are ready.
    Completed,
    /// The person or the session was deleted.
    Deleted,
}

impl From<&Row> for Invite {
    fn from(row: &Row) -> Self {
        let team = row.team.as_ref();
        Self {
            email: row.email.clone(),
            status: row.status().name(),
            model_id: row.session.as_ref().map(|(id, ..)| id.to_string()),
            team_id: team.map(|team| team.id.to_string()),
            team_name: team.map(|team| team.name.clone()),
            created_at: row.created_at.to_string(),
        }
    }
}

/// All invites.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is written item by item")]
pub(crate) struct InvitesResponse {
    /// Always `true`.
    success: bool,
    /// Newest first.
    invites: Vec<Invite>,
}

/// List invites
///
/// All of them, newest first. With `limit` or `offset`, a part of them.
#[utoipa::path(
    get, path = "/api/v2/organization/invites", operation_id = "listInvites", tag = "invites",
    params(
        ("limit" = Option<i64>, Query, description = "Return at most so many; more than 200 count as 200. All when neither this nor `offset` is given.", minimum = 1),
        ("offset" = Option<i64>, Query, description = "Skip so many.", minimum = 0),
    ),
    responses(
        (status = 200, description = "The invites.", body = InvitesResponse),
        (status = 400, description = "`limit` or `offset` is no such number.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response, ApiError> {
    if let Some(slice) = query.asked_slice()? {
        let mut list = Whole::named("invites");
        for row in invites::list(web.app(), caller.org(), slice).await?.items {
            list.push(&Invite::from(&row))?;
        }
        return Ok(list.end(false));
    }
    let mut list = Whole::of_all(&web, &caller, "invites").await?;
    let mut walk = Walk::start(web.app(), caller.org()).await?;
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            return Ok(list.end(false));
        }
        for row in &rows {
            list.push(&Invite::from(row))?;
        }
    }
}

/// Who is invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateInviteRequest {
    /// The address to invite.
    #[schema(required, nullable = false, format = Email, example = "user@example.com")]
    email: Option<String>,
    /// The team that the person joins.
    #[schema(example = "team_xyz789")]
    team_id: Option<String>,
}

/// What was understood of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Input {
    /// The address.
    #[schema(example = "user@example.com")]
    email: String,
}

/// A sent invite.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateInviteResponse {
    /// Always `true`.
    success: bool,
    input: Input,
    /// Always `Invite sent`.
    #[schema(example = "Invite sent")]
    message: &'static str,
    /// Where the person joins. Whoever has it can join: send it to nobody else.
    #[schema(format = "uri", example = "https://acme.com/auth/signup?invite=abc123")]
    link: String,
    /// The invite's id.
    #[schema(example = "abc123")]
    id: String,
    /// The team; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "team_xyz789")]
    team_id: Option<String>,
}

/// The body that answers a sent invite; v1 has the same.
pub(crate) fn created(app: &App, invite: &Row) -> String {
    json(&CreateInviteResponse {
        success: true,
        input: Input {
            email: invite.email.clone(),
        },
        message: "Invite sent",
        link: invites::link(app, &invite.id),
        id: invite.id.to_string(),
        team_id: invite.team.as_ref().map(|team| team.id.to_string()),
    })
}

/// Create an invite
///
/// Sends the person a link that works for 30 days, and reserves a credit, which is taken once the
/// person submits photos. All of it happens together or not at all. A server without mail keeps the
/// letter in its outbox: pass the link on.
#[utoipa::path(
    post, path = "/api/v2/organization/invites", operation_id = "createInvite", tag = "invites",
    request_body = CreateInviteRequest,
    responses(
        (status = 200, description = "The invite is made.", body = CreateInviteResponse),
        (status = 400, description = "The address is missing, malformed (`INVALID_EMAIL`), or invited or a member already (`ALREADY_EXISTS`).", body = ErrorBody),
        (status = 402, description = "No credit is left to reserve.", body = ErrorBody),
        (status = 404, description = "The organization has no such team.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn create(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    claimed: Option<Claimed>,
    Body(new): Body<CreateInviteRequest>,
) -> Result<Response, ApiError> {
    let email = request::email(new.email.as_deref())?;
    let team = new.team_id.map(TeamId::from);
    let once = Once::kept(request::claim(claimed.as_ref()), created);
    let by = (caller.org(), &caller.actor());
    let invite = invites::create(web.app(), by, (&email, team.as_ref()), once).await?;
    Ok(json_text(created(web.app(), &invite)))
}

/// One invite.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InviteResponse {
    /// Always `true`.
    success: bool,
    invite: Invite,
}

/// Get an invite by email
///
/// The newest invite to the address, or of the member who has it.
#[utoipa::path(
    get, path = "/api/v2/organization/invites/{email}", operation_id = "getInviteByEmail", tag = "invites",
    params(("email" = String, Path, description = "The address, percent-encoded.", example = "user@example.com")),
    responses(
        (status = 200, description = "The invite.", body = InviteResponse),
        (status = 404, description = "Nobody with that address was invited.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn get(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    email: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let email = request::path(email)?;
    let invite = invites::find_by_email(web.app(), caller.org(), &email).await?;
    let invite = invite.ok_or(ApiError::NotFound("Invite not found"))?;
    let answer = InviteResponse {
        success: true,
        invite: (&invite).into(),
    };
    Ok(Json(answer).into_response())
}

/// Whose invite is withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RevokeInviteRequest {
    /// The invited address.
    #[schema(required, nullable = false, format = Email, example = "user@example.com")]
    email: Option<String>,
}

/// A withdrawn invite.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevokeInviteResponse {
    /// Always `true`.
    success: bool,
    /// Always `Invite revoked`.
    #[schema(example = "Invite revoked")]
    message: &'static str,
    input: Input,
}

fn revoked(_app: &App, email: &Email) -> String {
    json(&RevokeInviteResponse {
        success: true,
        message: "Invite revoked",
        input: Input {
            email: email.to_string(),
        },
    })
}

/// Revoke an invite
///
/// The link stops working at once and the reserved credit is free again.
#[utoipa::path(
    post, path = "/api/v2/organization/invites/revoke", operation_id = "revokeInvite", tag = "invites",
    request_body = RevokeInviteRequest,
    responses(
        (status = 200, description = "The invite is withdrawn.", body = RevokeInviteResponse),
        (status = 400, description = "The address is missing or malformed, or the person has joined.", body = ErrorBody),
        (status = 404, description = "Nobody with that address was invited.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn revoke(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    claimed: Option<Claimed>,
    Body(which): Body<RevokeInviteRequest>,
) -> Result<Response, ApiError> {
    // The contract's table has one code for this operation's bodies.
    let email = match request::email(which.email.as_deref()) {
        Err(ApiError::InvalidEmail) => {
            let why = "Email is not an email address".to_owned();
            return Err(ApiError::InvalidRequest(why));
        }
        read => read?,
    };
    let once = Once::kept(request::claim(claimed.as_ref()), revoked);
    let by = (caller.org(), &caller.actor());
    invites::revoke(web.app(), by, &email, once).await?;
    Ok(json_text(revoked(web.app(), &email)))
}
