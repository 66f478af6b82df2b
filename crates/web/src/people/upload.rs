//! Photos that arrive: one in memory at a time, each judged before the next is read.

use std::iter;

use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use headshot_app::accounts;
use headshot_app::uploads::{self, BYTES_MAX, UPLOADS_MAX, UploadError};
use headshot_domain::UploadId;
use serde::Serialize;
use tokio::time::timeout;

use super::inside::{Inside, InsideForm};
use super::{photos_page, upload_row};
use crate::Web;
use crate::dashboard::access::see_other;
use crate::dashboard::{PageError, html_with};

/// What stands for files that were not looked at.
const REST: &str = "The other files";

/// What is said of a form with too many bytes.
const TOGETHER: &str = "They are too large together. Send fewer at a time.";

/// What is said of a file, or of what comes after it, that does not come.
const TOO_SLOW: &str = "It took too long to arrive.";

/// The longest file name that is repeated, in characters.
const NAME_MAX: usize = 80;

/// The most files of one form, refused ones too.
const FILES_MAX: usize = 2 * UPLOADS_MAX;

/// What became of one file, for the page's script.
#[derive(Serialize)]
struct Taken {
    /// The verdict in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What became of a form's files.
#[derive(Default)]
struct Outcome {
    /// The verdicts on those that were taken.
    taken: Vec<String>,
    /// Files that were not, and why.
    problems: Vec<(String, String)>,
    /// Whether one of them can be sent again as it is.
    busy: bool,
}

impl Outcome {
    fn refuse(&mut self, name: &str, why: impl Into<String>) {
        self.problems.push((name.to_owned(), why.into()));
    }

    fn files(&self) -> usize {
        self.taken.len() + self.problems.len()
    }

    fn status(&self) -> StatusCode {
        if self.busy {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::BAD_REQUEST
        }
    }
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
    let limits = web.0.upload_limits;
    let place = timeout(limits.wait, web.0.uploads.acquire()).await;
    let Ok(Ok(_place)) = place else {
        let mut outcome = Outcome {
            busy: true,
            ..Outcome::default()
        };
        outcome.refuse("Your photos", UploadError::Busy.to_string());
        return answer(&web, &inside, &headers, outcome).await;
    };
    // The token comes first: nothing is read of a form that is not ours.
    let token = timeout(limits.file_time, token(&mut form)).await;
    if !accounts::csrf_matches(&inside.token, &token.map_err(unreadable)??) {
        return Err(PageError::StaleForm);
    }
    let outcome = files(&web, &inside, &mut form).await?;
    answer(&web, &inside, &headers, outcome).await
}

/// The form's first field, if it is a token.
async fn token(form: &mut Multipart) -> Result<String, PageError> {
    let first = form.next_field().await.map_err(unreadable)?;
    let first = first.filter(|field| field.name() == Some("csrf"));
    let text = first.ok_or(PageError::StaleForm)?.text().await;
    text.map_err(unreadable)
}

/// Takes a form's files one after another. What is wrong with one does not touch the others, unless
/// it does not come: nobody holds a place by sending nothing.
async fn files(web: &Web, inside: &Inside, form: &mut Multipart) -> Result<Outcome, PageError> {
    let mut outcome = Outcome::default();
    let time_max = web.0.upload_limits.file_time;
    loop {
        let mut field = match timeout(time_max, form.next_field()).await {
            Ok(Ok(Some(field))) => field,
            Ok(Ok(None)) => break,
            Ok(Err(error)) if is_too_large(&error) => {
                outcome.refuse(REST, TOGETHER);
                break;
            }
            Ok(Err(_cut)) => {
                outcome.refuse(REST, "They did not arrive whole. Send them again.");
                break;
            }
            Err(_) => {
                outcome.refuse(REST, TOO_SLOW);
                break;
            }
        };
        if field.name() != Some("photos") || field.file_name() == Some("") {
            continue;
        }
        if outcome.files() == FILES_MAX {
            outcome.refuse(REST, format!("Send at most {FILES_MAX} files at a time."));
            break;
        }
        let name = field.file_name().unwrap_or("photo");
        let name: String = name.chars().take(NAME_MAX).collect();
        let arrived = timeout(time_max, whole(&mut field)).await;
        drop(field);
        let taken = match arrived {
            Ok(Ok(bytes)) => uploads::add(web.app(), &inside.visit, bytes).await,
            Ok(Err(error)) => Err(error),
            Err(_) => {
                outcome.refuse(&name, TOO_SLOW);
                break;
            }
        };
        match taken {
            Ok(upload) => outcome.taken.push(verdict_in_words(&upload)),
            Err(error) => {
                outcome.busy |= matches!(error, UploadError::Busy);
                outcome.refuse(&name, words(web, error)?);
            }
        }
    }
    Ok(outcome)
}

/// Whether a form has more bytes than it may have.
fn is_too_large(error: &MultipartError) -> bool {
    error.status() == StatusCode::PAYLOAD_TOO_LARGE
}

/// Reads one file.
async fn whole(field: &mut Field<'_>) -> Result<Bytes, UploadError> {
    let mut bytes = BytesMut::new();
    loop {
        match field.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > BYTES_MAX => {
                return Err(UploadError::TooLarge);
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes.freeze()),
            Err(error) if is_too_large(&error) => {
                return Err(UploadError::NotAPhoto(TOGETHER.to_owned()));
            }
            Err(_cut) => {
                let cut = "It did not arrive whole.".to_owned();
                return Err(UploadError::NotAPhoto(cut));
            }
        }
    }
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

/// What the page shows of a verdict, as one text.
fn verdict_in_words(upload: &uploads::Upload) -> String {
    let row = upload_row(upload.clone());
    let sentences = row.findings.iter().map(|(_, sentence)| sentence.as_str());
    let parts: Vec<&str> = iter::once(row.word()).chain(sentences).collect();
    parts.join(". ")
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|accept| accept == "application/json")
}

async fn answer(
    web: &Web,
    inside: &Inside,
    headers: &HeaderMap,
    outcome: Outcome,
) -> Result<Response, PageError> {
    let status = outcome.status();
    let Outcome {
        taken, problems, ..
    } = outcome;
    if wants_json(headers) {
        let error = problems.into_iter().next().map(|(_, why)| why);
        let status = if error.is_some() {
            status
        } else {
            StatusCode::OK
        };
        let verdict = taken.into_iter().next();
        return Ok((status, axum::Json(Taken { verdict, error })).into_response());
    }
    if problems.is_empty() {
        return Ok(see_other(&inside.path()));
    }
    let page = photos_page(web, inside, problems).await?;
    html_with(status, &page)
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
