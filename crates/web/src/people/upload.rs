//! Photos that arrive: one in memory at a time, each judged before the next is read.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart, MultipartRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use headshot_app::accounts;
use headshot_app::uploads::{self, BYTES_MAX, UPLOADS_MAX, UploadError};
use headshot_domain::UploadId;
use serde::Serialize;

use super::inside::{Inside, InsideForm};
use super::photos_page;
use crate::Web;
use crate::dashboard::access::see_other;
use crate::dashboard::{PageError, html_with};

/// The most bytes of one form: every photo as large as it may be, and some for what is around them.
pub(super) const BODY_MAX: usize = UPLOADS_MAX * (BYTES_MAX + 4_096);

/// How long one file may take to arrive.
const FILE_TIME_MAX: Duration = Duration::from_mins(2);

/// How long a form waits until its files are read.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The longest file name that is repeated, in characters.
const NAME_MAX: usize = 80;

/// What became of one file, for the page's script.
#[derive(Serialize)]
struct Taken {
    #[serde(skip_serializing_if = "Option::is_none")]
    usable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A form whose body is no form, or is cut off.
fn unreadable(error: impl std::fmt::Display) -> PageError {
    tracing::debug!("an upload can't be read: {error}");
    PageError::StaleForm
}

pub(super) async fn add(
    State(web): State<Web>,
    inside: Inside,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, PageError> {
    let mut form = form.map_err(unreadable)?;
    // So many forms are read at a time: each holds one file in memory.
    let place = tokio::time::timeout(WAIT_MAX, web.0.uploads.acquire()).await;
    let _place = match place {
        Ok(Ok(place)) => place,
        Ok(Err(_)) | Err(_) => return busy(&web, &inside, &headers).await,
    };
    // The token comes first: nothing is read of a form that is not ours.
    let first = form.next_field().await.map_err(unreadable)?;
    let first = first.filter(|field| field.name() == Some("csrf"));
    let text = first.ok_or(PageError::StaleForm)?.text().await;
    if !accounts::csrf_matches(&inside.token, &text.map_err(unreadable)?) {
        return Err(PageError::StaleForm);
    }
    let mut problems = Vec::new();
    let mut taken = Vec::new();
    while let Some(mut field) = form.next_field().await.map_err(unreadable)? {
        if field.name() != Some("photos") || field.file_name() == Some("") {
            continue;
        }
        let name = field.file_name().unwrap_or("photo");
        let name: String = name.chars().take(NAME_MAX).collect();
        match tokio::time::timeout(FILE_TIME_MAX, one(&web, &inside, &mut field)).await {
            Ok(Ok(upload)) => taken.push(upload.usable),
            Ok(Err(error)) => problems.push((name, words(&web, error)?)),
            Err(_) => problems.push((name, "It took too long to arrive.".to_owned())),
        }
        if problems.len() + taken.len() > 2 * UPLOADS_MAX {
            return Err(PageError::StaleForm);
        }
    }
    answer(&web, &inside, &headers, (taken, problems)).await
}

/// Reads one file and has it judged.
async fn one(
    web: &Web,
    inside: &Inside,
    field: &mut Field<'_>,
) -> Result<uploads::Upload, UploadError> {
    let mut bytes = BytesMut::new();
    loop {
        match field.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > BYTES_MAX => {
                return Err(UploadError::TooLarge);
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_cut) => {
                return Err(UploadError::NotAPhoto(
                    "It did not arrive whole.".to_owned(),
                ));
            }
        }
    }
    let bytes: Bytes = bytes.freeze();
    uploads::add(web.app(), &inside.visit, bytes).await
}

/// Why a file was not taken, as the person reads it; a failure of ours is none of the file's.
fn words(web: &Web, error: UploadError) -> Result<String, PageError> {
    match error {
        UploadError::Internal(error) => Err(error.into()),
        UploadError::Studio(_) | UploadError::Objects(_) => {
            web.app().report(&error, "an upload was not taken");
            Err(PageError::Internal("an upload was not taken".to_owned()))
        }
        told => Ok(told.to_string()),
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|accept| accept == "application/json")
}

async fn busy(web: &Web, inside: &Inside, headers: &HeaderMap) -> Result<Response, PageError> {
    let why = ("Your photos".to_owned(), UploadError::Busy.to_string());
    let mut response = answer(web, inside, headers, (Vec::new(), vec![why])).await?;
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    Ok(response)
}

async fn answer(
    web: &Web,
    inside: &Inside,
    headers: &HeaderMap,
    (taken, problems): (Vec<bool>, Vec<(String, String)>),
) -> Result<Response, PageError> {
    if wants_json(headers) {
        let error = problems.into_iter().next().map(|(_, why)| why);
        let status = if error.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        let usable = taken.first().copied();
        return Ok((status, axum::Json(Taken { usable, error })).into_response());
    }
    if problems.is_empty() {
        return Ok(see_other(&inside.path()));
    }
    let page = photos_page(web, inside, problems).await?;
    html_with(StatusCode::BAD_REQUEST, &page)
}

pub(super) async fn remove(
    State(web): State<Web>,
    Path((_, upload)): Path<(String, String)>,
    form: InsideForm,
) -> Result<Response, PageError> {
    let (inside, id) = (&form.inside, UploadId::from(upload));
    match uploads::remove(web.app(), &inside.visit, &id).await {
        Ok(()) | Err(UploadError::NotNow(_)) => Ok(see_other(&inside.path())),
        Err(UploadError::NotFound) => Err(PageError::NotFound),
        Err(error) => Err(PageError::Internal(words(&web, error)?)),
    }
}

/// The small picture of an upload. It never changes, and is nobody else's.
pub(super) async fn preview(
    State(web): State<Web>,
    Path((_, upload)): Path<(String, String)>,
    inside: Inside,
) -> Result<Response, PageError> {
    let found = uploads::preview(web.app(), &inside.visit, &UploadId::from(upload)).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(PageError::Internal(words(&web, error)?)),
    };
    let bytes = found.ok_or(PageError::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, bytes).into_response())
}
