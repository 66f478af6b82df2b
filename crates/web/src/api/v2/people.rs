//! Team members: the people of the organization. Contract: teams.md.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use headshot_app::caller::Caller;
use headshot_app::members::{self, Member as Row, Walk};
use headshot_domain::MemberStage;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::api::ApiError;
use crate::api::error::{Common, ErrorBody};
use crate::api::request::Query;
use crate::api::v2::models::ModelStatus;
use crate::api::v2::page::{Pagination, Whole};

/// A member.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    /// The person's id.
    #[schema(example = "507f1f77bcf86cd799439011")]
    id: String,
    /// The address.
    #[schema(example = "john@example.com")]
    email: String,
    /// The name, once it is known.
    #[schema(required, example = "John Doe")]
    name: Option<String>,
    /// How far the person is.
    #[schema(value_type = MemberStatus)]
    status: &'static str,
    /// The team.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
    /// Its name.
    #[schema(required, example = "Marketing")]
    team_name: Option<String>,
    /// The person's model.
    #[schema(required, example = "507f1f77bcf86cd799439022")]
    model_id: Option<String>,
    /// Its status.
    #[schema(required, value_type = Option<ModelStatus>)]
    model_status: Option<&'static str>,
    /// When the person joined.
    #[schema(format = DateTime, example = "2024-01-15T10:30:00.000Z")]
    joined_at: String,
}

/// How far a member is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum MemberStatus {
    /// Signed up, has not begun.
    Accepted,
    /// Uploading, or headshots are being made.
    Pending,
    /// Headshots are ready.
    Finished,
}

/// A member who has not begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberBrief {
    /// The person's id.
    #[schema(example = "507f1f77bcf86cd799439011")]
    id: String,
    /// The address.
    #[schema(example = "jane@example.com")]
    email: String,
    /// The name, once it is known.
    #[schema(required)]
    name: Option<String>,
    /// The team.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
    /// Its name.
    #[schema(required, example = "Marketing")]
    team_name: Option<String>,
    /// When the person joined.
    #[schema(format = DateTime, example = "2024-01-15T10:30:00.000Z")]
    joined_at: String,
}

/// A member with a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberWithModel {
    #[serde(flatten)]
    brief: MemberBrief,
    /// The person's model.
    #[schema(required, example = "507f1f77bcf86cd799439022")]
    model_id: Option<String>,
    /// Its status.
    #[schema(required, value_type = Option<ModelStatus>)]
    model_status: Option<&'static str>,
    /// When the headshots were ready; of finished members only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false, example = "2024-01-15T11:45:00.000Z")]
    finished_at: Option<String>,
}

impl From<&Row> for MemberBrief {
    fn from(row: &Row) -> Self {
        let team = row.team.as_ref();
        Self {
            id: row.id.to_string(),
            email: row.email.clone(),
            name: row.name.clone(),
            team_id: team.map(|team| team.id.to_string()),
            team_name: team.map(|team| team.name.clone()),
            joined_at: row.joined_at.to_string(),
        }
    }
}

impl From<&Row> for MemberWithModel {
    fn from(row: &Row) -> Self {
        let model = row.model.as_ref();
        let finished = row
            .finished_at
            .filter(|_| row.stage == MemberStage::Finished);
        Self {
            brief: row.into(),
            model_id: model.map(|(id, _)| id.to_string()),
            model_status: model.map(|(_, status)| status.name()),
            finished_at: finished.map(|at| at.to_string()),
        }
    }
}

impl From<&Row> for Member {
    fn from(row: &Row) -> Self {
        let brief = MemberBrief::from(row);
        let model = row.model.as_ref();
        Self {
            id: brief.id,
            email: brief.email,
            name: brief.name,
            status: row.stage.name(),
            team_id: brief.team_id,
            team_name: brief.team_name,
            model_id: model.map(|(id, _)| id.to_string()),
            model_status: model.map(|(_, status)| status.name()),
            joined_at: brief.joined_at,
        }
    }
}

/// A page of members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembersResponse {
    /// Always `true`.
    success: bool,
    /// Who joined last comes first.
    members: Vec<Member>,
    pagination: Pagination,
}

/// List team members
#[utoipa::path(
    get, path = "/api/v2/organization/team", operation_id = "listTeamMembers", tag = "team-members",
    params(
        ("limit" = Option<i64>, Query, description = "Return at most so many; more than 200 count as 200.", minimum = 1),
        ("offset" = Option<i64>, Query, description = "Skip so many.", minimum = 0),
        ("status" = Option<MemberStatus>, Query, description = "Only these."),
    ),
    responses(
        (status = 200, description = "A page of members.", body = MembersResponse),
        (status = 400, description = "A parameter is not valid.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response, ApiError> {
    let slice = query.slice()?;
    let stage = query.word("status", "accepted, pending, finished")?;
    let page = members::list(web.app(), caller.org(), stage, slice).await?;
    let answer = MembersResponse {
        success: true,
        members: page.items.iter().map(Member::from).collect(),
        pagination: (&page).into(),
    };
    Ok(Json(answer).into_response())
}

/// Members who joined and have not begun.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is written item by item")]
pub(crate) struct AcceptedResponse {
    /// Always `true`.
    success: bool,
    /// Who joined last comes first.
    members: Vec<MemberBrief>,
    /// How many there are.
    #[schema(minimum = 0)]
    count: i64,
}

/// Members with a model.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is written item by item")]
pub(crate) struct MembersWithModelResponse {
    /// Always `true`.
    success: bool,
    /// Who joined last comes first.
    members: Vec<MemberWithModel>,
    /// How many there are.
    #[schema(minimum = 0)]
    count: i64,
}

/// List accepted team members
///
/// Who signed up and has not begun.
#[utoipa::path(
    get, path = "/api/v2/organization/team/accepted", operation_id = "listAcceptedTeamMembers", tag = "team-members",
    responses((status = 200, description = "All of them, and how many.", body = AcceptedResponse), Common),
)]
pub(crate) async fn accepted(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    whole(&web, &caller, MemberStage::Accepted, |list, row| {
        list.push(&MemberBrief::from(row))
    })
    .await
}

/// List pending team members
///
/// Everybody in onboarding, and whose headshots are being made.
#[utoipa::path(
    get, path = "/api/v2/organization/team/pending", operation_id = "listPendingTeamMembers", tag = "team-members",
    responses((status = 200, description = "All of them, and how many.", body = MembersWithModelResponse), Common),
)]
pub(crate) async fn pending(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    whole(&web, &caller, MemberStage::Pending, |list, row| {
        list.push(&MemberWithModel::from(row))
    })
    .await
}

/// List finished team members
///
/// Whose headshots are ready.
#[utoipa::path(
    get, path = "/api/v2/organization/team/finished", operation_id = "listFinishedTeamMembers", tag = "team-members",
    responses((status = 200, description = "All of them, and how many.", body = MembersWithModelResponse), Common),
)]
pub(crate) async fn finished(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    whole(&web, &caller, MemberStage::Finished, |list, row| {
        list.push(&MemberWithModel::from(row))
    })
    .await
}

async fn whole(
    web: &Web,
    caller: &Caller,
    stage: MemberStage,
    push: impl Fn(&mut Whole, &Row) -> Result<(), ApiError> + Send,
) -> Result<Response, ApiError> {
    let mut list = Whole::of_all(web, caller, "members").await?;
    let mut walk = Walk::start(web.app(), caller.org(), stage).await?;
    loop {
        let rows = walk.next().await?;
        if rows.is_empty() {
            return Ok(list.end(true));
        }
        for row in &rows {
            push(&mut list, row)?;
        }
    }
}
