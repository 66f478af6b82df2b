//! The organization and its credits. Contract: organization.md.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::Response;
use headshot_app::caller::Caller;
use headshot_app::organizations::{self, CreditsLeft, OrgDetails};
use headshot_domain::Credits;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::api::error::Common;
use crate::api::{ApiError, json, json_text};

/// What `credits` says where an organization's credits are not counted.
pub(crate) const UNLIMITED_CREDITS: i64 = 1_000_000;

/// A team.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Team<'a> {
    /// The team's id.
    #[schema(example = "team_xyz789")]
    id: &'a str,
    /// The team's name.
    #[schema(example = "Marketing")]
    name: &'a str,
}

/// The organization that the key belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Organization<'a> {
    /// The organization's id.
    #[schema(example = "org_abc123def456")]
    uid: &'a str,
    /// The display name.
    #[schema(example = "Acme Corporation")]
    name: &'a str,
    /// The site's URL; empty when none was given.
    #[schema(example = "https://acme.com")]
    website: &'a str,
    /// Every team, oldest first.
    teams: Vec<Team<'a>>,
}

impl<'a> From<&'a organizations::Team> for Team<'a> {
    fn from(team: &'a organizations::Team) -> Self {
        Self {
            id: team.id.as_str(),
            name: &team.name,
        }
    }
}

impl<'a> From<&'a OrgDetails> for Organization<'a> {
    fn from(details: &'a OrgDetails) -> Self {
        Self {
            uid: details.id.as_str(),
            name: &details.name,
            website: &details.website,
            teams: details.teams.iter().map(Team::from).collect(),
        }
    }
}

/// The organization's details.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationResponse<'a> {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    organization: Organization<'a>,
}

impl<'a> OrganizationResponse<'a> {
    pub(crate) fn of(details: &'a OrgDetails) -> Self {
        Self {
            success: true,
            organization: details.into(),
        }
    }
}

/// The credits that are left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreditsResponse {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    /// Credits before reservations; an integer when whole. 1000000 where credits are not counted.
    #[schema(value_type = f64, example = 100)]
    credits: serde_json::Number,
}

/// An integer when whole (contract: README.md, C10).
fn number(credits: Credits) -> serde_json::Number {
    let text = credits.to_string();
    text.parse()
        .unwrap_or_else(|_wrong| credits.hundredths().into())
}

/// Get the organization
#[utoipa::path(
    get,
    path = "/api/v2/organization",
    operation_id = "getOrganization",
    tag = "organization",
    responses(
        (status = 200, description = "The organization and its teams.", body = OrganizationResponse<'static>),
        Common,
    ),
)]
pub(crate) async fn organization(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let details = organizations::details(web.app(), &caller).await?;
    let answer = || json(&OrganizationResponse::of(&details)).into();
    Ok(json_text(details.answer.get_or_init(answer).clone()))
}

/// Get the credit balance
#[utoipa::path(
    get,
    path = "/api/v2/organization/credits",
    operation_id = "getCredits",
    tag = "organization",
    responses(
        (status = 200, description = "The balance, before reservations.", body = CreditsResponse),
        Common,
    ),
)]
pub(crate) async fn credits(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<CreditsResponse>, ApiError> {
    let credits = match organizations::credits_left(web.app(), caller.org()).await? {
        CreditsLeft::Balance(credits) => credits,
        CreditsLeft::Unlimited => Credits::whole(UNLIMITED_CREDITS),
    };
    Ok(Json(CreditsResponse {
        success: true,
        credits: number(credits),
    }))
}
