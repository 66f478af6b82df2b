//! Forms that bring files: the token first, then files, each of which is read into memory up to its
//! limit. Nothing else of a form is held, however it is written.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::BytesMut;
use futures_util::Stream;
use headshot_app::accounts;

use super::PageError;
use super::extract::{Admin, NotSignedIn, Person};
use crate::Web;
use crate::places::Place;

/// What is around the file in a form's body, at most.
pub(crate) const AROUND_MAX: usize = 64 * 1024;

/// The longest token that is read.
const TOKEN_MAX: usize = 256;

/// How long a form may take up to the end of its token.
pub(crate) const TOKEN_TIME_MAX: Duration = Duration::from_secs(20);

/// How long a file may take to arrive.
pub(crate) const FILE_TIME_MAX: Duration = Duration::from_mins(2);

/// How long a form waits until a file of it is read.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);

/// The most bytes between two fields: the rest of a boundary and a field's headers.
const BETWEEN_MAX: usize = 64 * 1024;

/// The most bytes of a body that are handed on at once.
const PIECE_MAX: usize = 16 * 1024;

/// A form with files, of which only what was asked for is held.
pub(crate) struct Form {
    fields: Multipart,
    allowed: Arc<AtomicUsize>,
}

impl Form {
    /// Reads a form up to its token, which comes first and belongs to `session`: nothing is read of
    /// a form that is not ours, and nobody waits for one that does not come.
    pub(crate) async fn begin(request: Request, session: Option<&str>) -> Result<Self, PageError> {
        Self::begin_within(TOKEN_TIME_MAX, request, session).await
    }

    /// The same within `time_max`.
    pub(crate) async fn begin_within(
        time_max: Duration,
        request: Request,
        session: Option<&str>,
    ) -> Result<Self, PageError> {
        let mut form = Self::of(request).await?;
        let sent = tokio::time::timeout(time_max, form.token()).await;
        let sent = sent.map_err(|_late| PageError::StaleForm)??;
        let matches = std::str::from_utf8(&sent)
            .is_ok_and(|sent| session.is_some_and(|session| accounts::csrf_matches(session, sent)));
        if matches {
            Ok(form)
        } else {
            Err(PageError::StaleForm)
        }
    }

    async fn of(request: Request) -> Result<Self, PageError> {
        let allowed = Arc::new(AtomicUsize::new(0));
        let request = request.map(|body| {
            Body::from_stream(Pieces {
                body: body.into_data_stream(),
                rest: Bytes::new(),
                gave: false,
                allowed: Arc::clone(&allowed),
            })
        });
        let fields = Multipart::from_request(request, &()).await;
        let fields = fields.map_err(unreadable)?;
        Ok(Self { fields, allowed })
    }

    async fn token(&mut self) -> Result<Bytes, PageError> {
        let first = self.next().await.map_err(unreadable)?;
        let first = first.filter(|field| field.name() == Some("csrf"));
        let mut first = first.ok_or(PageError::StaleForm)?;
        let sent = whole(&mut first, TOKEN_MAX).await;
        sent.map_err(|_long| PageError::StaleForm)
    }

    /// The next field. Read the one before to its end first ([`skip`]).
    pub(crate) async fn next(&mut self) -> Result<Option<Field<'_>>, MultipartError> {
        self.allowed.store(BETWEEN_MAX, Ordering::Relaxed);
        let field = self.fields.next_field().await?;
        // From here on whoever reads the field bounds it.
        self.allowed.store(usize::MAX, Ordering::Relaxed);
        Ok(field)
    }
}

/// A body in small pieces, at most so many bytes of it. The parser of forms takes all that is there,
/// whatever it needs: after each piece it is told that nothing is.
struct Pieces {
    body: BodyDataStream,
    rest: Bytes,
    gave: bool,
    allowed: Arc<AtomicUsize>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.gave) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                ended => return Poll::Ready(ended),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE_MAX));
        let allowed = this.allowed.load(Ordering::Relaxed);
        let Some(left) = allowed.checked_sub(piece.len()) else {
            let error = axum::Error::new("too much between two fields of a form");
            return Poll::Ready(Some(Err(error)));
        };
        this.allowed.store(left, Ordering::Relaxed);
        this.gave = true;
        Poll::Ready(Some(Ok(piece)))
    }
}

/// A multipart form that an owner or admin sent from one of our own pages, read up to its token.
pub(crate) struct AdminMultipart {
    pub(crate) person: Person,
    form: Form,
    /// Held as long as the form is: its file is still in memory when it has been read.
    place: Option<Place>,
}

/// Why a form brings no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFile {
    /// No file was chosen.
    Missing,
    /// It has too many bytes.
    TooLarge,
    /// The form has too many bytes.
    FormTooLarge,
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
        let form = Form::begin(request, person.visit.session_token.as_deref()).await?;
        Ok(Self {
            person,
            form,
            place: None,
        })
    }
}

impl AdminMultipart {
    /// The field `file`: its name and its bytes, at most `most` of them.
    pub(crate) async fn file(&mut self, web: &Web, most: usize) -> Result<(String, Bytes), NoFile> {
        let mut field = match self.form.next().await {
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
        // So many files are in memory at a time.
        let who = self.person.signed_in.user.id.as_str();
        self.place = web.0.images.take(who, WAIT_MAX).await;
        if self.place.is_none() {
            return Err(NoFile::Busy);
        }
        let bytes = tokio::time::timeout(FILE_TIME_MAX, whole(&mut field, most)).await;
        let bytes = bytes.map_err(|_late| NoFile::Cut)??;
        Ok((name, bytes))
    }
}

/// A field's content, at most `most` bytes.
pub(crate) async fn whole(field: &mut Field<'_>, most: usize) -> Result<Bytes, NoFile> {
    let mut bytes = BytesMut::new();
    loop {
        match field.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > most => return Err(NoFile::TooLarge),
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes.freeze()),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(NoFile::FormTooLarge);
            }
            Err(_cut) => return Err(NoFile::Cut),
        }
    }
}

/// Reads what is left of a field, and holds none of it. What cuts it off shows at the next field.
pub(crate) async fn skip(mut field: Field<'_>) {
    while let Ok(Some(_)) = field.chunk().await {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;
    use futures_util::stream;

    const HEAD: &str = "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n";
    const FILE: &str = "\r\n--x\r\nContent-Disposition: form-data; name=\"photos\"; \
                        filename=\"me.jpg\"\r\n\r\n";

    fn request(body: Body) -> Request {
        Request::builder()
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
            .body(body)
            .unwrap()
    }

    async fn token(content: &str) -> Result<Bytes, PageError> {
        let body = format!("{HEAD}{content}\r\n--x--\r\n");
        let form = Form::of(request(Body::from(body))).await;
        form.ok().unwrap().token().await
    }

    #[tokio::test]
    async fn a_token_has_at_most_256_bytes() {
        let longest = "a".repeat(256);
        assert_eq!(token(&longest).await.ok().unwrap(), longest.as_bytes());
        let refused = token(&"a".repeat(257)).await;
        assert!(matches!(refused, Err(PageError::StaleForm)));
    }

    /// A body of 64 MiB after `start`, and how much of it was taken.
    fn flood(start: &'static str, filler: u8) -> (Body, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let piece = Bytes::from(vec![filler; 64 * 1024]);
        let flood = (0..1_024).map(move |_| {
            count.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, axum::Error>(piece.clone())
        });
        let start = stream::iter([Ok(Bytes::from_static(start.as_bytes()))]);
        let body = futures_util::StreamExt::chain(start, stream::iter(flood));
        (Body::from_stream(body), taken)
    }

    /// Wherever a form has no end before its token has one, next to nothing of it is taken.
    #[tokio::test]
    async fn a_form_without_a_token_is_not_held() {
        let no_end_of_headers = "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\nX: ";
        for start in [HEAD, no_end_of_headers, "no boundary", "--x"] {
            let (body, taken) = flood(start, b' ');
            let refused = Form::begin(request(body), Some("token")).await;
            assert!(matches!(refused, Err(PageError::StaleForm)), "{start:?}");
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken <= 128 * 1024, "{start:?}: {taken} bytes");
        }
    }

    /// A file is read as it is asked for: what comes faster waits outside.
    #[tokio::test]
    async fn no_more_of_a_file_is_taken_than_is_read() {
        let start: &'static str = Box::leak(format!("{HEAD}abc{FILE}").into_boxed_str());
        let (body, taken) = flood(start, b'a');
        let mut form = Form::of(request(body)).await.ok().unwrap();
        assert_eq!(form.token().await.ok().unwrap(), "abc");
        let mut field = form.next().await.unwrap().unwrap();
        assert_eq!(field.name(), Some("photos"));
        let refused = whole(&mut field, 1024 * 1024).await;
        assert_eq!(refused, Err(NoFile::TooLarge));
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= 1024 * 1024 + 128 * 1024, "{taken} bytes");
    }

    #[tokio::test]
    async fn headers_of_a_second_field_have_a_bound_too() {
        let start = "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n--x\r\nX: ";
        let (body, taken) = flood(start, b'a');
        let mut form = Form::of(request(body)).await.ok().unwrap();
        assert_eq!(form.token().await.ok().unwrap(), "abc");
        assert!(form.next().await.is_err());
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= 2 * BETWEEN_MAX, "{taken} bytes");
    }

    #[tokio::test]
    async fn a_large_field_is_skipped_and_the_next_one_found() {
        let large = "b".repeat(4 * BETWEEN_MAX);
        let last = "--x\r\nContent-Disposition: form-data; name=\"last\"\r\n\r\nz\r\n--x--\r\n";
        let body = format!("{HEAD}abc{FILE}{large}\r\n{last}");
        let mut form = Form::of(request(Body::from(body))).await.ok().unwrap();
        form.token().await.ok().unwrap();
        skip(form.next().await.unwrap().unwrap()).await;
        let mut field = form.next().await.unwrap().unwrap();
        assert_eq!(field.name(), Some("last"));
        assert_eq!(whole(&mut field, 1).await.unwrap(), "z");
        drop(field);
        assert!(form.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_token_that_does_not_come_is_not_waited_for() {
        let begun = stream::iter([Ok::<_, axum::Error>(Bytes::from_static(HEAD.as_bytes()))]);
        let body = futures_util::StreamExt::chain(begun, stream::pending());
        let request = request(Body::from_stream(body));
        let moment = Duration::from_millis(1);
        let refused = Form::begin_within(moment, request, Some("token")).await;
        assert!(matches!(refused, Err(PageError::StaleForm)));
        assert!(TOKEN_TIME_MAX <= Duration::from_secs(20));
    }
}
