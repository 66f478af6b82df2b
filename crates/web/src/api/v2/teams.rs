//! Teams. Contract: teams.md.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use headshot_app::App;
use headshot_app::caller::Caller;
use headshot_app::idempotency::Once;
use headshot_app::organizations::{self, OrgDetails};
use headshot_app::teams::{self, ADDRESSES_MAX};
use headshot_domain::{Email, TeamId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Web;
use crate::api::error::{Common, ErrorBody};
use crate::api::request::{self, Body, Claimed};
use crate::api::v2::organization::{OrganizationResponse, Team};
use crate::api::{ApiError, json, json_text};

/// All teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TeamsResponse<'a> {
    /// Always `true`.
    success: bool,
    /// Oldest first.
    teams: Vec<Team<'a>>,
}

/// List teams
#[utoipa::path(
    get, path = "/api/v2/organization/teams", operation_id = "listTeams", tag = "teams",
    responses((status = 200, description = "All teams.", body = TeamsResponse<'static>), Common),
)]
pub(crate) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let teams = teams::list(web.app(), caller.org()).await?;
    let answer = TeamsResponse {
        success: true,
        teams: teams.iter().map(Team::from).collect(),
    };
    Ok(Json(answer).into_response())
}

/// A team's name.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TeamNameRequest {
    /// 1 to 200 characters, unlike the names of the other teams whatever the case.
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 200,
        example = "Product"
    )]
    name: Option<String>,
}

fn organization(_app: &App, details: &OrgDetails) -> String {
    json(&OrganizationResponse::of(details))
}

/// Create a team
///
/// Answers with the whole organization: find the new team by its name.
#[utoipa::path(
    post, path = "/api/v2/organization/teams", operation_id = "createTeam", tag = "teams",
    request_body = TeamNameRequest,
    responses(
        (status = 200, description = "The organization with the new team.", body = OrganizationResponse<'static>),
        (status = 400, description = "The name is missing or taken.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn create(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    claimed: Option<Claimed>,
    Body(new): Body<TeamNameRequest>,
) -> Result<Response, ApiError> {
    let once = Once::kept(request::claim(claimed.as_ref()), organization);
    let by = (caller.org(), &caller.actor());
    let name = new.name.unwrap_or_default();
    let (_, details) = teams::create(web.app(), by, &name, once).await?;
    Ok(json_text(organization(web.app(), &details)))
}

/// Rename a team
#[utoipa::path(
    put, path = "/api/v2/organization/teams/{teamId}", operation_id = "updateTeam", tag = "teams",
    params(("teamId" = String, Path, description = "The team.", example = "team_xyz789")),
    request_body = TeamNameRequest,
    responses(
        (status = 200, description = "The organization with the renamed team.", body = OrganizationResponse<'static>),
        (status = 400, description = "The name is missing or taken.", body = ErrorBody),
        (status = 404, description = "The organization has no such team.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn update(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    team: Result<Path<String>, PathRejection>,
    Body(new): Body<TeamNameRequest>,
) -> Result<Response, ApiError> {
    let team = TeamId::from(request::path(team)?);
    let by = (caller.org(), &caller.actor());
    let name = new.name.unwrap_or_default();
    let details = teams::rename(web.app(), by, (&team, &name)).await?;
    Ok(json_text(organization(web.app(), &details)))
}

/// Delete a team
///
/// Its members stay in the organization, without a team.
#[utoipa::path(
    delete, path = "/api/v2/organization/teams/{teamId}", operation_id = "deleteTeam", tag = "teams",
    params(("teamId" = String, Path, description = "The team.", example = "team_xyz789")),
    responses(
        (status = 200, description = "The organization without that team.", body = OrganizationResponse<'static>),
        (status = 404, description = "The organization has no such team.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn delete(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    team: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let team = TeamId::from(request::path(team)?);
    let details = teams::delete(web.app(), (caller.org(), &caller.actor()), &team).await?;
    Ok(json_text(organization(web.app(), &details)))
}

/// Who is moved.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AddMembersRequest {
    /// Addresses of members, 1 to 1000. Those of nobody are skipped.
    #[schema(required, nullable = false, min_items = 1, max_items = 1000, value_type = Vec<String>)]
    emails: Option<Vec<String>>,
}

/// The move is done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageResponse {
    /// Always `true`.
    success: bool,
    /// What was done.
    #[schema(example = "Members added to team")]
    message: &'static str,
}

fn added(_app: &App, _team: &organizations::Team) -> String {
    message()
}

fn message() -> String {
    json(&MessageResponse {
        success: true,
        message: "Members added to team",
    })
}

/// Add members to a team
///
/// Moves people who are in the organization already. Everybody is in one team at most.
#[utoipa::path(
    post, path = "/api/v2/organization/teams/{teamId}/members", operation_id = "addMembersToTeam", tag = "team-members",
    params(
        ("teamId" = String, Path, description = "The team.", example = "team_xyz789"),
    ),
    request_body = AddMembersRequest,
    responses(
        (status = 200, description = "They are in the team.", body = MessageResponse),
        (status = 400, description = "`emails` is no list of 1 to 1000 texts.", body = ErrorBody),
        (status = 404, description = "No such team, or none of them is a member.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn add_members(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    team: Result<Path<String>, PathRejection>,
    claimed: Option<Claimed>,
    Body(who): Body<AddMembersRequest>,
) -> Result<Response, ApiError> {
    let team = TeamId::from(request::path(team)?);
    let emails = who.emails.unwrap_or_default();
    if emails.is_empty() || emails.len() > ADDRESSES_MAX {
        let why = format!("emails must be a list of 1 to {ADDRESSES_MAX} addresses");
        return Err(ApiError::InvalidRequest(why));
    }
    // What is no address is nobody's.
    let emails: Vec<Email> = emails.iter().filter_map(|text| text.parse().ok()).collect();
    let once = Once::kept(request::claim(claimed.as_ref()), added);
    let by = (caller.org(), &caller.actor());
    teams::add_members(web.app(), by, (&team, &emails), once).await?;
    Ok(json_text(message()))
}
