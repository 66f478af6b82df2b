//! Models: headshot sessions. Contract: models.md, whitelabel.md.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use headshot_app::App;
use headshot_app::caller::Caller;
use headshot_app::idempotency::Once;
use headshot_app::models::{self, Created, Filter, Model as Row, NewModel};
use headshot_domain::{Gender, ModelId, ModelVersion, TeamId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Web;
use crate::api::error::{Common, ErrorBody};
use crate::api::request::{self, Body, Claimed, Query};
use crate::api::v2::page::Pagination;
use crate::api::{ApiError, json, json_text};

/// Where a model stands.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum ModelStatus {
    /// The person has not submitted photos yet.
    Onboarding,
    /// Photos are submitted; the shoot waits for its turn.
    Waiting,
    /// The engine studies the photos.
    Pending,
    /// Headshots are being made.
    GeneratingHeadshots,
    /// Headshots are ready.
    Active,
    /// The shoot failed; it restarts by itself.
    Failed,
    /// Deleted for good.
    Deleted,
}

/// One person's headshot session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Model {
    /// The model's id.
    #[schema(example = "507f1f77bcf86cd799439011")]
    id: String,
    /// The person's id, `anon_...` for a person without an account.
    #[schema(example = "anon_abc123")]
    uid: String,
    /// The person's address.
    #[schema(example = "john@example.com")]
    email: String,
    /// The person's name, once it is known.
    #[schema(required, example = "John Doe")]
    title: Option<String>,
    /// Where it stands.
    #[schema(value_type = ModelStatus)]
    status: &'static str,
    /// The person's team.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
    /// Its name.
    #[schema(required, example = "Marketing")]
    team_name: Option<String>,
    /// Whether it is a test, which costs nothing.
    is_development: bool,
    /// When it was created.
    #[schema(format = DateTime, example = "2024-01-15T10:30:00.000Z")]
    created_at: String,
    /// When the headshots were ready.
    #[schema(required, format = DateTime, example = "2024-01-15T11:45:00.000Z")]
    finished_at: Option<String>,
}

/// A model with all its details.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelDetail {
    #[serde(flatten)]
    model: Model,
    /// `male` or `female`, once it is chosen.
    #[schema(required, value_type = Option<Trigger>)]
    trigger: Option<&'static str>,
    /// The engine that was asked for.
    #[schema(value_type = Version)]
    version: &'static str,
    /// When it was deleted.
    #[schema(required, format = DateTime)]
    deleted_at: Option<String>,
    /// Until when the person can begin.
    #[schema(required, format = DateTime, example = "2024-02-14T10:30:00.000Z")]
    invite_expires_at: Option<String>,
}

/// The engine that is asked for.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum Version {
    /// Trained for the person.
    Lora,
    /// Not trained.
    OneShot,
}

/// Who the styles are chosen for.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum Trigger {
    /// A man.
    Male,
    /// A woman.
    Female,
}

impl From<&Row> for Model {
    fn from(row: &Row) -> Self {
        Self {
            id: row.id.to_string(),
            uid: row.uid.clone(),
            email: row.email.clone(),
            title: Some(row.title.clone()).filter(|title| !title.is_empty()),
            status: row.status.name(),
            team_id: row.team_id().map(ToString::to_string),
            team_name: row.team.as_ref().map(|team| team.name.clone()),
            is_development: row.development,
            created_at: row.created_at.to_string(),
            finished_at: row.finished_at.map(|at| at.to_string()),
        }
    }
}

impl From<&Row> for ModelDetail {
    fn from(row: &Row) -> Self {
        Self {
            model: row.into(),
            trigger: row.gender.map(Gender::name),
            version: row.version.name(),
            deleted_at: row.deleted_at.map(|at| at.to_string()),
            invite_expires_at: row.invite_expires_at.map(|at| at.to_string()),
        }
    }
}

/// A page of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelsResponse {
    /// Always `true`.
    success: bool,
    /// Newest first.
    models: Vec<Model>,
    pagination: Pagination,
}

const STATUSES: &str = "onboarding, waiting, pending, generatingHeadshots, active, failed, deleted";

/// List models
#[utoipa::path(
    get, path = "/api/v2/organization/models", operation_id = "listModels", tag = "models",
    params(
        ("limit" = Option<i64>, Query, description = "Return at most so many; more than 200 count as 200.", minimum = 1),
        ("offset" = Option<i64>, Query, description = "Skip so many.", minimum = 0),
        ("status" = Option<ModelStatus>, Query, description = "Only these. Without it deleted ones are listed too."),
        ("teamId" = Option<String>, Query, description = "Only this team's."),
    ),
    responses(
        (status = 200, description = "A page of models.", body = ModelsResponse),
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
    let team = query.one("teamId")?.map(TeamId::from);
    let filter = Filter {
        status: query.word("status", STATUSES)?,
        team: team.as_ref(),
    };
    let page = models::list(web.app(), caller.org(), filter, slice).await?;
    let answer = ModelsResponse {
        success: true,
        models: page.items.iter().map(Model::from).collect(),
        pagination: (&page).into(),
    };
    Ok(Json(answer).into_response())
}

/// Whose session is created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateModelRequest {
    /// The person's address.
    #[schema(required, nullable = false, format = Email, example = "user@example.com")]
    email: Option<String>,
    /// The person's team.
    #[schema(example = "team_xyz789")]
    team_id: Option<String>,
    /// Whether it is a test: bundled photos, no credit.
    #[schema(default = false)]
    is_development: Option<bool>,
    /// `lora` (the default) or `one-shot`; this server's engine makes either.
    #[schema(value_type = Option<Version>)]
    version: Option<String>,
}

/// A created session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateModelResponse {
    /// Always `true`.
    success: bool,
    /// The model's id.
    #[schema(example = "507f1f77bcf86cd799439011")]
    model_id: String,
    /// Always `onboarding`.
    #[schema(value_type = ModelStatus)]
    status: &'static str,
    /// What opens the session, to be embedded. Works for 30 days.
    #[schema(
        format = "uri",
        example = "https://acme.com/auth/social?token=AUTH_TOKEN&anonymous=1"
    )]
    signed_url: String,
}

fn created(_app: &App, created: &Created) -> String {
    json(&CreateModelResponse {
        success: true,
        model_id: created.model.id.to_string(),
        status: created.model.status.name(),
        signed_url: created.signed_url.clone(),
    })
}

/// Taken from requests of organizations that have the whitelabel feature; the others' are refused
/// before their body is read (contract: errors.md, order of checks).
pub(crate) struct Whitelabel;

impl FromRequestParts<Web> for Whitelabel {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>();
        let caller = caller.ok_or(ApiError::NoSuchRoute)?;
        models::check_enabled(web.app(), caller.org()).await?;
        Ok(Self)
    }
}

/// Create a model (whitelabel)
///
/// For a person without an account. Needs the whitelabel feature; a credit is reserved, and taken
/// once the person submits photos.
#[utoipa::path(
    post, path = "/api/v2/organization/models", operation_id = "createModel", tag = "models",
    request_body = CreateModelRequest,
    responses(
        (status = 200, description = "The session and what opens it.", body = CreateModelResponse),
        (status = 400, description = "The address is missing, malformed (`INVALID_EMAIL`) or of an account (`ALREADY_EXISTS`), or the version is unknown.", body = ErrorBody),
        (status = 402, description = "No credit is left to reserve.", body = ErrorBody),
        (status = 404, description = "The organization has no such team.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn create(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    _whitelabel: Whitelabel,
    claimed: Option<Claimed>,
    Body(new): Body<CreateModelRequest>,
) -> Result<Response, ApiError> {
    let version = match new.version.as_deref() {
        None => ModelVersion::Lora,
        Some(text) => text.parse().map_err(|_unknown| {
            ApiError::InvalidRequest("version must be one of lora, one-shot".to_owned())
        })?,
    };
    let new = NewModel {
        email: request::email(new.email.as_deref())?,
        team: new.team_id.map(TeamId::from),
        development: new.is_development.unwrap_or(false),
        version,
    };
    let once = Once::kept(request::claim(claimed.as_ref()), created);
    let by = (caller.org(), &caller.actor());
    let model = models::create(web.app(), by, &new, once).await?;
    Ok(json_text(created(web.app(), &model)))
}

/// One model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelResponse {
    /// Always `true`.
    success: bool,
    model: ModelDetail,
}

/// Get a model
///
/// A deleted one too.
#[utoipa::path(
    get, path = "/api/v2/organization/models/{modelId}", operation_id = "getModel", tag = "models",
    params(("modelId" = String, Path, description = "The model.", example = "507f1f77bcf86cd799439011")),
    responses(
        (status = 200, description = "The model.", body = ModelResponse),
        (status = 404, description = "The organization has no such model.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn get(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    model: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = ModelId::from(request::path(model)?);
    let model = models::find(web.app(), caller.org(), &id).await?;
    let model = model.ok_or(ApiError::NotFound("Model not found"))?;
    let answer = ModelResponse {
        success: true,
        model: (&model).into(),
    };
    Ok(Json(answer).into_response())
}

/// A deleted model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteModelResponse {
    /// Always `true`.
    success: bool,
    /// Always `Model deleted`.
    #[schema(example = "Model deleted")]
    message: &'static str,
    /// The model's id.
    #[schema(example = "507f1f77bcf86cd799439011")]
    model_id: String,
}

/// Delete a model
///
/// With its photos, at once and for good. No credit comes back.
#[utoipa::path(
    delete, path = "/api/v2/organization/models/{modelId}", operation_id = "deleteModel", tag = "models",
    params(("modelId" = String, Path, description = "The model.", example = "507f1f77bcf86cd799439011")),
    responses(
        (status = 200, description = "It is gone.", body = DeleteModelResponse),
        (status = 400, description = "It was deleted before (`ALREADY_DELETED`).", body = ErrorBody),
        (status = 404, description = "The organization has no such model.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn delete(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    model: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = ModelId::from(request::path(model)?);
    models::delete(web.app(), (caller.org(), &caller.actor()), &id).await?;
    let answer = DeleteModelResponse {
        success: true,
        message: "Model deleted",
        model_id: id.to_string(),
    };
    Ok(Json(answer).into_response())
}
