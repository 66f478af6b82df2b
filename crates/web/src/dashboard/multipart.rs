//! Forms of owners and admins that bring a file: the token first, then one file, which is read into
//! memory up to its limit.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::BytesMut;
use headshot_app::accounts;

use super::PageError;
use super::extract::{Admin, NotSignedIn, Person};
use crate::Web;

/// What is around the file in a form's body, at most.
pub(crate) const AROUND_MAX: usize = 64 * 1024;

/// The longest token that is read.
const TOKEN_MAX: usize = 256;

/// How long the file may take to arrive.
const FILE_TIME_MAX: Duration = Duration::from_mins(2);

/// How long a form waits until its file is read.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A multipart form that an owner or admin sent from one of our own pages, read up to its token.
pub(crate) struct AdminMultipart {
    pub(crate) person: Person,
    form: Multipart,
}

/// Why a form brings no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFile {
    /// No file was chosen.
    Missing,
    /// It has too many bytes.
    TooLarge,
    /// It did not arrive whole, or it took too long.
    Cut,
    /// Too many files are being read.
    Busy,
}

/// A form whose body is no form, or is cut off.
fn unreadable(error: impl std::fmt::Display) -> PageError {
    tracing::debug!("an upload can't be read: {error}");
    PageError::StaleForm
}

impl FromRequest<Web> for AdminMultipart {
    type Rejection = NotSignedIn;

    async fn from_request(request: Request, web: &Web) -> Result<Self, NotSignedIn> {
        use axum::extract::FromRequestParts as _;
        let (mut parts, body) = request.into_parts();
        let Admin(person) = Admin::from_request_parts(&mut parts, web).await?;
        let request = Request::from_parts(parts, body);
        let form = Multipart::from_request(request, web).await;
        let mut form = form.map_err(unreadable)?;
        // The token comes first: nothing is read of a form that is not ours.
        let first = form.next_field().await.map_err(unreadable)?;
        let first = first.filter(|field| field.name() == Some("csrf"));
        let mut first = first.ok_or(PageError::StaleForm)?;
        let sent = whole(&mut first, TOKEN_MAX).await;
        drop(first);
        let sent = sent.map_err(|_long| PageError::StaleForm)?;
        let session = person.visit.session_token.as_deref();
        let matches = std::str::from_utf8(&sent)
            .is_ok_and(|sent| session.is_some_and(|session| accounts::csrf_matches(session, sent)));
        if !matches {
            return Err(PageError::StaleForm.into());
        }
        Ok(Self { person, form })
    }
}

impl AdminMultipart {
    /// The field `file`: its name and its bytes, at most `most` of them.
    pub(crate) async fn file(&mut self, web: &Web, most: usize) -> Result<(String, Bytes), NoFile> {
        // So many forms are read at a time: each holds one file in memory.
        let place = tokio::time::timeout(WAIT_MAX, web.0.uploads.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(NoFile::Busy);
        };
        let mut field = match self.form.next_field().await {
            Ok(Some(field)) if field.name() == Some("file") => field,
            Ok(_) => return Err(NoFile::Missing),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(NoFile::TooLarge);
            }
            Err(_cut) => return Err(NoFile::Cut),
        };
        let name = match field.file_name() {
            Some("") | None => return Err(NoFile::Missing),
            Some(name) => name.to_owned(),
        };
        let bytes = tokio::time::timeout(FILE_TIME_MAX, whole(&mut field, most)).await;
        let bytes = bytes.map_err(|_late| NoFile::Cut)??;
        Ok((name, bytes))
    }
}

/// A field's content, at most `most` bytes.
async fn whole(field: &mut Field<'_>, most: usize) -> Result<Bytes, NoFile> {
    let mut bytes = BytesMut::new();
    loop {
        match field.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > most => return Err(NoFile::TooLarge),
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes.freeze()),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(NoFile::TooLarge);
            }
            Err(_cut) => return Err(NoFile::Cut),
        }
    }
}
