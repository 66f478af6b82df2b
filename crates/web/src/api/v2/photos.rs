//! Photos: generated headshots. Contract: photos.md.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use headshot_app::caller::Caller;
use headshot_app::gallery::{self, Favorite, FavoriteFilter, Filter, IDS_MAX, Photo as Row};
use headshot_app::photos::{self, Include};
use headshot_domain::{ModelId, PhotoId, PhotoStatus, TeamId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Web;
use crate::api::ApiError;
use crate::api::error::{Common, ErrorBody};
use crate::api::request::{self, OptionalBody, Query};
use crate::api::v2::page::Pagination;

/// Signed URLs. A deleted photo has none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PhotoUrls {
    /// 1024 x 1280 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "https://acme.com/photos/abc123.jpg?signature=..."
    )]
    main: Option<String>,
    /// 256 x 320 pixels. Only with `include=all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    thumbnail: Option<String>,
    /// As large as the selfie allows. Only with `include=all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    original: Option<String>,
}

/// Whether a photo's files are there.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum PhotoStatusWord {
    /// They are.
    Active,
    /// They are gone.
    Deleted,
}

/// The person's rating.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum LikedStatus {
    /// None yet.
    None,
    /// Liked.
    Liked,
    /// Loved.
    Loved,
}

/// Which sizes an answer names.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "names the values in the document")]
pub(crate) enum IncludeVariant {
    /// The main one.
    Main,
    /// All three.
    All,
}

/// A photo.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Photo {
    /// The photo's id.
    #[schema(example = "507f1f77bcf86cd799439022")]
    id: String,
    /// Whether its files are there.
    #[schema(value_type = PhotoStatusWord)]
    status: &'static str,
    /// The person's rating.
    #[schema(value_type = LikedStatus)]
    liked_status: &'static str,
    /// When it was made.
    #[schema(format = DateTime, example = "2024-01-15T11:45:00.000Z")]
    created_at: String,
    urls: PhotoUrls,
    /// When the URLs stop working: 24 hours after this request.
    #[schema(format = DateTime, example = "2024-01-16T11:45:00.000Z")]
    expires_at: String,
}

/// A photo and whose session made it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhotoOfModel {
    #[serde(flatten)]
    photo: Photo,
    /// The model's id.
    #[schema(example = "507f1f77bcf86cd799439011")]
    model_id: String,
}

/// A favourite and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FavoritePhoto {
    #[serde(flatten)]
    photo: PhotoOfModel,
    /// The person's address.
    #[schema(example = "john@example.com")]
    email: String,
    /// The person's name, once it is known.
    #[schema(required, example = "John Doe")]
    name: Option<String>,
    /// The person's team.
    #[schema(required, example = "team_xyz789")]
    team_id: Option<String>,
    /// Its name.
    #[schema(required, example = "Marketing")]
    team_name: Option<String>,
}

fn urls(web: &Web, row: &Row, include: Include) -> Result<PhotoUrls, ApiError> {
    let urls = photos::urls(web.app(), row, include, web.app().clock.now())?;
    Ok(PhotoUrls {
        main: urls.main,
        thumbnail: urls.thumbnail,
        original: urls.original,
    })
}

fn expires_at(web: &Web) -> String {
    photos::expiry(web.app().clock.now()).to_string()
}

impl Photo {
    fn of(web: &Web, row: &Row, include: Include) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.id.to_string(),
            status: row.status.name(),
            liked_status: row.liked.name(),
            created_at: row.created_at.to_string(),
            urls: urls(web, row, include)?,
            expires_at: expires_at(web),
        })
    }
}

impl PhotoOfModel {
    fn of(web: &Web, row: &Row, include: Include) -> Result<Self, ApiError> {
        Ok(Self {
            model_id: row.model.to_string(),
            photo: Photo::of(web, row, include)?,
        })
    }
}

impl FavoritePhoto {
    fn of(web: &Web, row: Favorite, include: Include) -> Result<Self, ApiError> {
        Ok(Self {
            photo: PhotoOfModel::of(web, &row.photo, include)?,
            email: row.email,
            name: Some(row.name).filter(|name| !name.is_empty()),
            team_id: row.team.as_ref().map(|team| team.id.to_string()),
            team_name: row.team.map(|team| team.name),
        })
    }
}

fn include(text: Option<&str>) -> Result<Include, ApiError> {
    match text {
        None | Some("main") => Ok(Include::Main),
        Some("all") => Ok(Include::All),
        Some(_) => Err(ApiError::InvalidRequest(
            "include must be one of main, all".to_owned(),
        )),
    }
}

/// A page of photos.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PhotosResponse {
    /// Always `true`.
    success: bool,
    /// In the order in which they were made.
    photos: Vec<Photo>,
    pagination: Pagination,
}

/// List a model's photos
///
/// Headshots appear as they are made, also before the model is `active`.
#[utoipa::path(
    get, path = "/api/v2/organization/models/{modelId}/photos", operation_id = "listModelPhotos", tag = "photos",
    params(
        ("modelId" = String, Path, description = "The model.", example = "507f1f77bcf86cd799439011"),
        ("limit" = Option<i64>, Query, description = "Return at most so many; more than 200 count as 200.", minimum = 1),
        ("offset" = Option<i64>, Query, description = "Skip so many.", minimum = 0),
        ("status" = Option<PhotoStatusWord>, Query, description = "`active` (the default) or `deleted`."),
        ("likedStatus" = Option<LikedStatus>, Query, description = "Only these."),
        ("include" = Option<IncludeVariant>, Query, description = "Which sizes' URLs to give: `main` (the default) or `all`."),
    ),
    responses(
        (status = 200, description = "A page of photos.", body = PhotosResponse),
        (status = 400, description = "A parameter is not valid.", body = ErrorBody),
        (status = 404, description = "The organization has no such model.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    model: Result<Path<String>, PathRejection>,
    query: Query,
) -> Result<Response, ApiError> {
    let model = ModelId::from(request::path(model)?);
    let slice = query.slice()?;
    let filter = Filter {
        status: query
            .word("status", "active, deleted")?
            .unwrap_or(PhotoStatus::Active),
        liked: query.word("likedStatus", "none, liked, loved")?,
    };
    let include = include(query.one("include")?)?;
    let page = gallery::list(web.app(), (caller.org(), &model), filter, slice).await?;
    let photos: Result<Vec<Photo>, ApiError> = page
        .items
        .iter()
        .map(|row| Photo::of(&web, row, include))
        .collect();
    let answer = PhotosResponse {
        success: true,
        photos: photos?,
        pagination: (&page).into(),
    };
    Ok(Json(answer).into_response())
}

/// The favourite, or none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FavoriteResponse {
    /// Always `true`.
    success: bool,
    /// `null` when none is chosen.
    #[schema(required)]
    photo: Option<PhotoOfModel>,
    /// Says that none is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, example = "No favorite photo selected")]
    message: Option<&'static str>,
}

/// Get a model's favourite photo
#[utoipa::path(
    get, path = "/api/v2/organization/models/{modelId}/photos/favorite", operation_id = "getFavoriteModelPhoto", tag = "photos",
    params(
        ("modelId" = String, Path, description = "The model.", example = "507f1f77bcf86cd799439011"),
        ("include" = Option<IncludeVariant>, Query, description = "Which sizes' URLs to give: `main` (the default) or `all`."),
    ),
    responses(
        (status = 200, description = "The favourite; `null` and a message when none is chosen.", body = FavoriteResponse),
        (status = 400, description = "A parameter is not valid.", body = ErrorBody),
        (status = 404, description = "The organization has no such model.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn favorite(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    model: Result<Path<String>, PathRejection>,
    query: Query,
) -> Result<Response, ApiError> {
    let model = ModelId::from(request::path(model)?);
    let include = include(query.one("include")?)?;
    let photo = gallery::favorite(web.app(), (caller.org(), &model)).await?;
    let photo = photo.map(|row| PhotoOfModel::of(&web, &row, include));
    let photo = photo.transpose()?;
    let message = photo.is_none().then_some("No favorite photo selected");
    let answer = FavoriteResponse {
        success: true,
        photo,
        message,
    };
    Ok(Json(answer).into_response())
}

/// One photo.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PhotoResponse {
    /// Always `true`.
    success: bool,
    photo: PhotoOfModel,
}

/// Get a photo
#[utoipa::path(
    get, path = "/api/v2/organization/models/{modelId}/photos/{photoId}", operation_id = "getModelPhoto", tag = "photos",
    params(
        ("modelId" = String, Path, description = "The model.", example = "507f1f77bcf86cd799439011"),
        ("photoId" = String, Path, description = "The photo.", example = "507f1f77bcf86cd799439022"),
        ("include" = Option<IncludeVariant>, Query, description = "Which sizes' URLs to give: `main` (the default) or `all`."),
    ),
    responses(
        (status = 200, description = "The photo.", body = PhotoResponse),
        (status = 400, description = "A parameter is not valid.", body = ErrorBody),
        (status = 404, description = "The model has no such photo.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn get(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    ids: Result<Path<(String, String)>, PathRejection>,
    query: Query,
) -> Result<Response, ApiError> {
    let (model, photo) = request::path(ids)?;
    let (model, photo) = (ModelId::from(model), PhotoId::from(photo));
    let include = include(query.one("include")?)?;
    let row = gallery::find(web.app(), (caller.org(), &model), &photo).await?;
    let answer = PhotoResponse {
        success: true,
        photo: PhotoOfModel::of(&web, &row, include)?,
    };
    Ok(Json(answer).into_response())
}

/// What to download.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DownloadRequest {
    /// At most 1000; all photos when empty or absent.
    #[schema(max_items = 1000)]
    photo_ids: Option<Vec<String>>,
    /// `main` (the default) or `all`.
    #[schema(value_type = Option<IncludeVariant>)]
    include: Option<String>,
}

/// A photo's download URLs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Download {
    /// The photo's id.
    #[schema(example = "507f1f77bcf86cd799439022")]
    id: String,
    /// The same.
    #[schema(example = "507f1f77bcf86cd799439022")]
    photo_id: String,
    urls: PhotoUrls,
}

/// Download URLs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DownloadsResponse {
    /// Always `true`.
    success: bool,
    downloads: Vec<Download>,
    /// When the URLs stop working: 24 hours after this request.
    #[schema(format = DateTime, example = "2024-01-16T11:45:00.000Z")]
    expires_at: String,
}

/// Download a model's photos
///
/// Gives signed URLs, which browsers store as files.
#[utoipa::path(
    post, path = "/api/v2/organization/models/{modelId}/photos/download", operation_id = "downloadModelPhotos", tag = "photos",
    params(("modelId" = String, Path, description = "The model.", example = "507f1f77bcf86cd799439011")),
    request_body(content = Option<DownloadRequest>),
    responses(
        (status = 200, description = "Where to download.", body = DownloadsResponse),
        (status = 400, description = "The body is not valid.", body = ErrorBody),
        (status = 404, description = "No such model, or it has none of these photos.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn download(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    model: Result<Path<String>, PathRejection>,
    OptionalBody(which): OptionalBody<DownloadRequest>,
) -> Result<Response, ApiError> {
    let model = ModelId::from(request::path(model)?);
    let include = include(which.include.as_deref())?;
    let ids: Vec<PhotoId> = which
        .photo_ids
        .unwrap_or_default()
        .into_iter()
        .map(PhotoId::from)
        .collect();
    if ids.len() > IDS_MAX {
        let why = format!("photoIds must be a list of at most {IDS_MAX} ids");
        return Err(ApiError::InvalidRequest(why));
    }
    let rows = gallery::some(web.app(), (caller.org(), &model), &ids).await?;
    let download = |row: &Row| {
        let now = web.app().clock.now();
        let urls = photos::download_urls(web.app(), row, include, now)?;
        Ok(Download {
            id: row.id.to_string(),
            photo_id: row.id.to_string(),
            urls: PhotoUrls {
                main: urls.main,
                thumbnail: urls.thumbnail,
                original: urls.original,
            },
        })
    };
    let downloads: Result<Vec<Download>, ApiError> = rows.iter().map(download).collect();
    let answer = DownloadsResponse {
        success: true,
        downloads: downloads?,
        expires_at: expires_at(&web),
    };
    Ok(Json(answer).into_response())
}

/// A page of favourites.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FavoritesResponse {
    /// Always `true`.
    success: bool,
    /// Those of the newest models first.
    photos: Vec<FavoritePhoto>,
    pagination: Pagination,
}

/// List the organization's favourite photos
///
/// Everybody's favourite, with whose it is.
#[utoipa::path(
    get, path = "/api/v2/organization/photos/favorites", operation_id = "listFavoritePhotos", tag = "photos",
    params(
        ("limit" = Option<i64>, Query, description = "Return at most so many; more than 200 count as 200.", minimum = 1),
        ("offset" = Option<i64>, Query, description = "Skip so many.", minimum = 0),
        ("teamId" = Option<String>, Query, description = "Only this team's."),
        ("include" = Option<IncludeVariant>, Query, description = "Which sizes' URLs to give: `main` (the default) or `all`."),
    ),
    responses(
        (status = 200, description = "A page of favourites.", body = FavoritesResponse),
        (status = 400, description = "A parameter is not valid.", body = ErrorBody),
        Common,
    ),
)]
pub(crate) async fn favorites(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response, ApiError> {
    let slice = query.slice()?;
    let team = query.one("teamId")?.map(TeamId::from);
    let include = include(query.one("include")?)?;
    let filter = FavoriteFilter {
        team: team.as_ref(),
    };
    let mut page = gallery::favorites(web.app(), caller.org(), filter, slice).await?;
    let pagination = Pagination::from(&page);
    let photos: Result<Vec<FavoritePhoto>, ApiError> = std::mem::take(&mut page.items)
        .into_iter()
        .map(|row| FavoritePhoto::of(&web, row, include))
        .collect();
    let answer = FavoritesResponse {
        success: true,
        photos: photos?,
        pagination,
    };
    Ok(Json(answer).into_response())
}
