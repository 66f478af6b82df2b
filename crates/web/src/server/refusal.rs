//! The parser's own refusals, in the contract's shape.
//!
//! hyper answers what it can't parse by itself, with a status and an empty body, and no hook to
//! change that. [`Refusals`] stands between hyper and the socket and puts our answer in its place.
//! Contract: errors.md (no empty body, statuses as listed there).

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::api::error;

/// What ends a head, and so an answer without a body.
const END: &[u8] = b"\r\n\r\n";

/// A stream on which hyper's empty refusals become ours.
#[derive(Debug)]
pub(crate) struct Refusals<Stream> {
    stream: Stream,
    /// What is written instead, and how much of it is through.
    instead: Option<(Vec<u8>, usize)>,
}

impl<Stream> Refusals<Stream> {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            instead: None,
        }
    }
}

/// What to write instead of `bytes`, if they end with a refusal that is hyper's own: an error
/// without a body and without the id that each of our answers has.
fn instead_of(bytes: &[u8]) -> Option<Vec<u8>> {
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
    let body = error::unparsable();
    let answer = format!(
        "{version} 400 Bad Request\r\ncontent-type: application/json\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         connection: close\r\ncontent-length: {}\r\n{date}\r\n{body}",
        body.len()
    );
    Some([&bytes[..before], answer.as_bytes()].concat())
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
            self.instead = instead_of(bytes).map(|answer| (answer, 0));
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

    #[test]
    fn a_refusal_of_the_parser_gets_the_shape_of_the_contract() {
        let text = String::from_utf8(instead_of(REFUSAL).unwrap()).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(text.contains("\r\ndate: D\r\n"), "{text}");
        assert!(text.ends_with("\"code\":\"INVALID_REQUEST\"}"), "{text}");
    }

    #[test]
    fn also_behind_an_answer_to_an_earlier_request() {
        let both = [OURS, REFUSAL].concat();
        let written = instead_of(&both).unwrap();
        assert!(written.starts_with(OURS));
        assert!(written[OURS.len()..].starts_with(b"HTTP/1.1 400 "));
    }

    #[test]
    fn our_own_answers_stay_as_they_are() {
        let redirect = b"HTTP/1.1 303 See Other\r\ncontent-length: 0\r\n\r\n";
        let bodiless = b"HTTP/1.1 404 Not Found\r\nx-request-id: r\r\ncontent-length: 0\r\n\r\n";
        for bytes in [OURS, redirect, bodiless, b"", END, b"text", b"\xff\r\n\r\n"] {
            assert_eq!(instead_of(bytes), None);
        }
    }
}
