//! Calls of a generator against real sockets: bounds, signatures, what is not followed.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::time::Duration;

use bytes::Bytes;
use headshot_outbound::generator::{
    CallError, Endpoint, Generator, Image, REQUEST_MAX, SIGNATURE, STATE_MAX, Source, TIMESTAMP,
};
use headshot_outbound::{Failure, sign};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SECRET: &str = "a secret of the tests that is shared with the generator";
const NOW: i64 = 1_705_314_600;

/// A server that gives each request the same answer, and tells what it was sent.
async fn server(answer: Vec<u8>) -> (Generator, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/below", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0u8; 4_096];
                let read = stream.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..read]);
            }
            sender.send(String::from_utf8(seen).unwrap()).ok();
            // The client may have read enough and gone.
            stream.write_all(&answer).await.ok();
            if answer.is_empty() {
                // Says nothing until the other side hangs up.
                stream.read_exact(&mut [0u8; 1]).await.ok();
            }
        }
    });
    let endpoint = Endpoint::new(&url, SECRET, (false, Duration::from_hours(1)));
    (Generator::new(endpoint.unwrap()), requests)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A state of exactly so many bytes.
fn state(length: usize) -> Vec<u8> {
    let start = r#"{"id":"job_1","status":"queued","noise":""#;
    let noise = "x".repeat(length - start.len() - 2);
    format!("{start}{noise}\"}}").into_bytes()
}

#[tokio::test]
async fn a_call_is_signed_with_its_method_and_path() {
    let (generator, mut requests) = server(answer("204 No Content", b"")).await;
    generator.delete("job_1", NOW).await.unwrap();
    let request = requests.recv().await.unwrap();
    let line = "DELETE /below/v1/generations/job_1 HTTP/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    // What the address has before the path is not signed: a proxy may cut it off.
    let signature = sign(SECRET, NOW, b"DELETE /v1/generations/job_1\n");
    for header in [
        format!("{TIMESTAMP}: {NOW}\r\n"),
        format!("{SIGNATURE}: {signature}\r\n"),
    ] {
        assert!(request.contains(&header), "{request}");
    }
    assert!(!request.contains(SECRET));
}

#[tokio::test]
async fn an_answer_has_its_bound() {
    let (generator, _requests) = server(answer("200 OK", &state(STATE_MAX))).await;
    assert!(generator.state("job_1", NOW).await.unwrap().is_some());
    let (generator, _requests) = server(answer("200 OK", &state(STATE_MAX + 1))).await;
    let long = generator.state("job_1", NOW).await;
    assert!(matches!(long, Err(CallError::TooLong { max: STATE_MAX })));
    // A failure stays one, however much it says.
    let (generator, _requests) = server(answer("500 No", &state(STATE_MAX + 1))).await;
    let failed = generator.state("job_1", NOW).await;
    assert!(matches!(failed, Err(CallError::Busy { status: 500, .. })));
}

#[tokio::test]
async fn a_picture_has_no_more_bytes_than_announced() {
    let image = |bytes: usize| Image {
        place: 0,
        sha256: String::new(),
        bytes,
        digital_source_type: Source::default(),
    };
    let (generator, _requests) = server(answer("200 OK", b"0123456789")).await;
    for (announced, read) in [(10, true), (11, true), (9, false)] {
        let file = generator.image("job_1", &image(announced), NOW).await;
        assert_eq!(file.is_ok(), read, "{announced}");
    }
}

#[tokio::test]
async fn a_request_has_its_bound() {
    let (generator, _requests) = server(b"no HTTP".to_vec()).await;
    let begin = async |length: usize| {
        let body = Bytes::from(vec![b' '; length]);
        generator.begin("job_1", body, NOW).await.unwrap_err()
    };
    let long = begin(REQUEST_MAX + 1).await;
    assert!(matches!(long, CallError::Request { bytes } if bytes == REQUEST_MAX + 1));
    // It is sent; this server speaks something else.
    assert!(matches!(begin(REQUEST_MAX).await, CallError::Failure(_)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (generator, mut requests) =
        server(answer("302 Found\r\nLocation: http://127.0.0.1:1/", b"")).await;
    let redirected = generator.state("job_1", NOW).await.unwrap_err();
    assert!(matches!(redirected, CallError::Refused { status: 302, .. }));
    assert!(!redirected.is_passing());
    assert!(requests.recv().await.is_some());
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn what_is_not_known_is_nothing_and_deleted() {
    let (generator, _requests) = server(answer("404 Not Found", b"")).await;
    assert_eq!(generator.state("job_1", NOW).await.unwrap(), None);
    generator.delete("job_1", NOW).await.unwrap();
}

#[tokio::test]
async fn an_answer_has_its_time() {
    let (generator, _requests) = server(Vec::new()).await;
    let time_max = Duration::from_millis(50);
    let generator = generator.with_time_max(time_max);
    let ended = generator.state("job_1", NOW).await.unwrap_err();
    assert!(
        matches!(ended, CallError::Failure(Failure::TimedOut(time)) if time == time_max),
        "{ended}"
    );
    assert!(ended.is_passing());
}
