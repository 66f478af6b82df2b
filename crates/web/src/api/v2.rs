//! The operations of v2.

use axum::Json;
use axum::extract::{Extension, State};
use headshot_app::caller::Caller;
use headshot_app::organizations::{self, CreditsLeft, OrgDetails};
use headshot_domain::Credits;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::api::ApiError;
use crate::api::error::ErrorBody;

/// What `credits` says where an organization's credits are not counted.
pub(crate) const UNLIMITED_CREDITS: i64 = 1_000_000;

/// A team.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Team {
    /// The team's id.
    #[schema(example = "team_xyz789")]
    id: String,
    /// The team's name.
    #[schema(example = "Marketing")]
    name: String,
}

/// The organization that the key belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Organization {
    /// The organization's id.
    #[schema(example = "org_abc123def456")]
    uid: String,
    /// The display name.
    #[schema(example = "Acme Corporation")]
    name: String,
    /// The site's URL; empty when none was given.
    #[schema(example = "https://acme.com")]
    website: String,
    /// Every team, oldest first.
    teams: Vec<Team>,
}

impl From<&OrgDetails> for Organization {
    fn from(details: &OrgDetails) -> Self {
        let team = |team: &headshot_storage::teams::Team| Team {
            id: team.id.to_string(),
            name: team.name.clone(),
        };
        Self {
            uid: details.id.to_string(),
            name: details.name.clone(),
            website: details.website.clone(),
            teams: details.teams.iter().map(team).collect(),
        }
    }
}

/// The organization's details.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationResponse {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    organization: Organization,
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
        (status = 200, description = "The organization and its teams.", body = OrganizationResponse),
        (status = 401, description = "The key is missing or not valid.", body = ErrorBody),
        (status = 403, description = "The key lacks the scope `organization`, or its network.", body = ErrorBody),
        (status = 429, description = "The organization's requests of this minute are used up.", body = ErrorBody),
        (status = 500, description = "The server failed.", body = ErrorBody),
    ),
)]
pub(crate) async fn organization(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<OrganizationResponse>, ApiError> {
    let details = organizations::details(web.app(), &caller).await?;
    Ok(Json(OrganizationResponse {
        success: true,
        organization: (&*details).into(),
    }))
}

/// Get the credit balance
#[utoipa::path(
    get,
    path = "/api/v2/organization/credits",
    operation_id = "getCredits",
    tag = "organization",
    responses(
        (status = 200, description = "The balance, before reservations.", body = CreditsResponse),
        (status = 401, description = "The key is missing or not valid.", body = ErrorBody),
        (status = 403, description = "The key lacks the scope `organization`, or its network.", body = ErrorBody),
        (status = 429, description = "The organization's requests of this minute are used up.", body = ErrorBody),
        (status = 500, description = "The server failed.", body = ErrorBody),
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
