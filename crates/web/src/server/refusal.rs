//! The parser's own refusals, in the contract's shape.
//!
//! hyper answers what it can't parse by itself, with a status and an empty body, and no hook to
//! change that. [`Refusals`] stands between hyper and the socket and puts our answer in its place.
//! Contract: errors.md (no empty body, statuses as listed there).

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::response::Response;
use futures_util::FutureExt;
use hyper::rt::{Read, ReadBufCursor, Write};

/// What ends a head, and so an answer without a body.
const END: &[u8] = b"\r\n\r\n";

/// Makes our answer to what the parser refused.
pub(crate) type Refused = Box<dyn Fn() -> Response + Send>;

/// A stream on which hyper's empty refusals become ours.
pub(crate) struct Refusals<Stream> {
    stream: Stream,
    refused: Refused,
    /// What is written instead, and how much of it is through.
    instead: Option<(Vec<u8>, usize)>,
}

impl<Stream> Refusals<Stream> {
    pub(crate) fn new(stream: Stream, refused: Refused) -> Self {
        Self {
            stream,
            refused,
            instead: None,
        }
    }
}

/// What to write instead of `bytes`, if they end with a refusal that is hyper's own: an error
/// without a body and without the id that each of our answers has.
fn instead_of(bytes: &[u8], refused: &dyn Fn() -> Response) -> Option<Vec<u8>> {
    if !bytes.ends_with(END) {
        return None;
    }
    let before = bytes[..bytes.len() - END.len()]
        .windows(END.len())
        .rposition(|window| window == END)
        .map_or(0, |at| at + END.len());
    let head = std::str::from_utf8(&bytes[before..]).ok()?;
    let version = head.get(..8)?;
    let own = head.contains("x-request-id:") || !head.contains("content-length: 0\r\n");
    if own || !version.starts_with("HTTP/1.") || head.as_bytes().get(9) != Some(&b'4') {
        return None;
    }
    let date = head.lines().find(|line| line.starts_with("date: "));
    let date = date.map(|line| format!("{line}\r\n")).unwrap_or_default();
    let mut all = bytes[..before].to_vec();
    write(&mut all, (version, &date), refused());
    Some(all)
}

/// Writes an answer as it goes over the wire. Its body is there already.
fn write(all: &mut Vec<u8>, (version, date): (&str, &str), answer: Response) {
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).now_or_never();
    let body = body.and_then(std::result::Result::ok).unwrap_or_default();
    all.extend_from_slice(format!("{version} {}\r\n", parts.status).as_bytes());
    for (name, value) in &parts.headers {
        if name != axum::http::header::CONTENT_LENGTH {
            all.extend_from_slice(name.as_str().as_bytes());
            all.extend_from_slice(b": ");
            all.extend_from_slice(value.as_bytes());
            all.extend_from_slice(b"\r\n");
        }
    }
    let rest = format!(
        "connection: close\r\ncontent-length: {}\r\n{date}\r\n",
        body.len()
    );
    all.extend_from_slice(rest.as_bytes());
    all.extend_from_slice(&body);
}

impl<Stream: Write + Unpin> Refusals<Stream> {
    /// Writes what stands in for `length` bytes; those count as written when all of it is through.
    fn write_instead(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<Result<usize>> {
        while let Some((bytes, through)) = &mut self.instead
            && *through < bytes.len()
        {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[*through..]))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            *through += written;
        }
        self.instead = None;
        Poll::Ready(Ok(length))
    }
}

impl<Stream: Read + Unpin> Read for Refusals<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<Stream: Write + Unpin> Write for Refusals<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if self.instead.is_none() {
            self.instead = instead_of(bytes, &*self.refused).map(|answer| (answer, 0));
        }
        if self.instead.is_some() {
            return self.write_instead(cx, bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        // A refusal is a head alone, so it comes as one slice; a head with a body comes as two.
        match slices {
            [only] => self.poll_write(cx, only),
            several => Pin::new(&mut self.stream).poll_write_vectored(cx, several),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
          content-length: 0\r\ndate: D\r\n\r\n";
    const OURS: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nx-request-id: req_1\r\n\
          content-length: 65\r\n\r\n";

    fn refused() -> Response {
        let mut answer = Response::new(axum::body::Body::from("{\"success\":false}"));
        *answer.status_mut() = axum::http::StatusCode::BAD_REQUEST;
        let id = axum::http::HeaderValue::from_static("req_2");
        answer.headers_mut().insert("x-request-id", id);
        answer
    }

    #[test]
    fn a_refusal_of_the_parser_becomes_our_answer() {
        let text = String::from_utf8(instead_of(REFUSAL, &refused).unwrap()).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 400 Bad Request\r\nx-request-id: req_2\r\nconnection: close\r\n\
             content-length: 17\r\ndate: D\r\n\r\n{\"success\":false}"
        );
    }

    #[test]
    fn also_behind_an_answer_to_an_earlier_request() {
        let both = [OURS, REFUSAL].concat();
        let written = instead_of(&both, &refused).unwrap();
        assert!(written.starts_with(OURS));
        assert!(written[OURS.len()..].starts_with(b"HTTP/1.1 400 "));
    }

    #[test]
    fn our_own_answers_stay_as_they_are() {
        let redirect = b"HTTP/1.1 303 See Other\r\ncontent-length: 0\r\n\r\n";
        let bodiless = b"HTTP/1.1 404 Not Found\r\nx-request-id: r\r\ncontent-length: 0\r\n\r\n";
        for bytes in [OURS, redirect, bodiless, b"", END, b"text", b"\xff\r\n\r\n"] {
            let not_asked = || -> Response { panic!("no answer of ours is needed") };
            assert_eq!(instead_of(bytes, &not_asked), None);
        }
    }
}
