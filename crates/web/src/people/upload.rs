//! Photos that arrive: one in memory at a time, each judged before the next is read.

use std::iter;
use std::ops::ControlFlow;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::Field;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headshot_app::uploads::{self, BYTES_MAX, UPLOADS_MAX, UploadError};
use headshot_domain::UploadId;
use serde::Serialize;
use tokio::time::timeout;

use super::inside::{Inside, InsideForm};
use super::{photos_page, upload_row};
use crate::Web;
use crate::dashboard::access::see_other;
use crate::dashboard::multipart::{self, Form, NoFile, TOKEN_TIME_MAX};
use crate::dashboard::{PageError, html_with};

/// What is said of a form that has more bytes than it may have.
const TOGETHER: &str = "They are too large together. Send fewer at a time.";

/// What is said of a file that stays away.
const TOO_SLOW: &str = "It took too long to arrive.";

/// What stands for files that were not looked at.
const REST: &str = "The other files";

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

    /// A form of which something was taken is no bad request: the page says what was not.
    fn status(&self) -> StatusCode {
        if self.busy {
            StatusCode::SERVICE_UNAVAILABLE
        } else if !self.taken.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::BAD_REQUEST
        }
    }
}

pub(super) async fn add(
    State(web): State<Web>,
    inside: Inside,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, PageError> {
    let time_max = web.0.limits.uploads.file_time.min(TOKEN_TIME_MAX);
    let mut form = Form::begin_within(time_max, request, Some(&inside.token)).await?;
    let outcome = files(&web, &inside, &mut form).await?;
    answer(&web, &inside, &headers, outcome).await
}

/// Takes a form's files one after another. What is wrong with one does not touch the others, unless
/// it does not come: nobody holds a place by sending nothing.
async fn files(web: &Web, inside: &Inside, form: &mut Form) -> Result<Outcome, PageError> {
    let mut outcome = Outcome::default();
    let time_max = web.0.limits.uploads.file_time;
    loop {
        let mut field = match timeout(time_max, form.next()).await {
            Ok(Ok(Some(field))) => field,
            Ok(Ok(None)) => break,
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                outcome.refuse(REST, TOGETHER);
                break;
            }
            Ok(Err(_cut)) => {
                outcome.refuse(REST, "They did not arrive whole. Send them again.");
                break;
            }
            Err(_late) => {
                outcome.refuse(REST, TOO_SLOW);
                break;
            }
        };
        if field.name() == Some("photos") && field.file_name() != Some("") {
            if outcome.files() == FILES_MAX {
                outcome.refuse(REST, format!("Send at most {FILES_MAX} files at a time."));
                break;
            }
            if file(web, inside, &mut field, &mut outcome)
                .await?
                .is_break()
            {
                break;
            }
        }
        if timeout(time_max, multipart::skip(field)).await.is_err() {
            outcome.refuse(REST, TOO_SLOW);
            break;
        }
    }
    Ok(outcome)
}

/// Takes one file, in a place of its own: so many are in memory at a time. Breaks where no other one
/// can follow.
async fn file(
    web: &Web,
    inside: &Inside,
    field: &mut Field<'_>,
    outcome: &mut Outcome,
) -> Result<ControlFlow<()>, PageError> {
    let name = field.file_name().unwrap_or("photo");
    let name: String = name.chars().take(NAME_MAX).collect();
    let limits = web.0.limits.uploads;
    // A form waits once, not for each of its files.
    let patience = if outcome.busy {
        Duration::ZERO
    } else {
        limits.wait
    };
    let session = inside.visit.model.id.as_str();
    let Some(_place) = web.0.uploads.take(session, patience).await else {
        outcome.busy = true;
        outcome.refuse(&name, UploadError::Busy.to_string());
        return Ok(ControlFlow::Continue(()));
    };
    // Only its arrival is timed: what has arrived is judged and kept.
    let Ok(arrived) = timeout(limits.file_time, one(field)).await else {
        outcome.refuse(&name, TOO_SLOW);
        return Ok(ControlFlow::Break(()));
    };
    let taken = match arrived {
        Ok(bytes) => uploads::add(web.app(), &inside.visit, bytes).await,
        Err(error) => Err(error),
    };
    match taken {
        Ok(upload) => outcome.taken.push(verdict_in_words(&upload)),
        Err(error) => {
            outcome.busy |= matches!(error, UploadError::Busy);
            outcome.refuse(&name, words(web, error)?);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads one file.
async fn one(field: &mut Field<'_>) -> Result<Bytes, UploadError> {
    let bytes = multipart::whole(field, BYTES_MAX).await;
    bytes.map_err(|why| match why {
        NoFile::TooLarge => UploadError::TooLarge,
        NoFile::FormTooLarge => UploadError::NotAPhoto(TOGETHER.to_owned()),
        NoFile::Busy => UploadError::Busy,
        NoFile::Cut | NoFile::Missing => {
            UploadError::NotAPhoto("It did not arrive whole.".to_owned())
        }
    })
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
