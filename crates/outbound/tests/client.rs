//! The client against real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headshot_outbound::{Answer, BODY_MAX, Client, Exchange, Failure, Guard, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A server that answers each connection with the same bytes, and tells what it was sent.
struct Receiver {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: mpsc::UnboundedReceiver<String>,
}

async fn receiver(answer: Vec<u8>) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (sender, requests) = mpsc::unbounded_channel();
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let (answer, sender) = (answer.clone(), sender.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !seen.ends_with(b"{}") {
                    let mut buffer = [0u8; 4_096];
                    match stream.read(&mut buffer).await {
                        Ok(read @ 1..) => seen.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                sender.send(String::from_utf8(seen).unwrap()).ok();
                // The client may have read enough and gone.
                stream.write_all(&answer).await.ok();
                if answer.is_empty() {
                    // Says nothing until the other side hangs up.
                    stream.read_exact(&mut [0u8; 1]).await.ok();
                }
            });
        }
    });
    Receiver {
        address,
        connections,
        requests,
    }
}

fn local() -> Client {
    Client::new(Guard {
        allow_http: true,
        allow_networks: "127.0.0.0/8".parse().unwrap(),
    })
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn post(client: &Client, url: &str) -> Exchange {
    let headers = [("X-HeadshotPro-Timestamp", "1".to_owned())];
    client.post(url, &headers, Bytes::from_static(b"{}")).await
}

async fn answered(client: &Client, url: &str) -> Answer {
    post(client, url).await.answer.unwrap()
}

#[tokio::test]
async fn a_request_is_what_the_log_says() {
    let mut receiver = receiver(answer("204 No Content\r\nX-Seen: yes", b"")).await;
    let port = receiver.address.port();
    let exchange = post(&local(), &format!("http://127.0.0.1:{port}/a/b?c=d%20e")).await;
    let sent = receiver.requests.recv().await.unwrap();
    let head = sent.split("\r\n\r\n").next().unwrap().replace("\r\n", "\n");
    assert_eq!(
        exchange.request_head.to_lowercase().trim(),
        head.to_lowercase()
    );
    assert!(head.starts_with("POST /a/b?c=d%20e HTTP/1.1\n"), "{head}");
    for line in [
        format!("Host: 127.0.0.1:{port}"),
        "Content-Type: application/json".to_owned(),
        "Content-Length: 2".to_owned(),
    ] {
        assert!(exchange.request_head.contains(&line), "{line}: {head}");
    }
    let answer = exchange.answer.unwrap();
    assert_eq!((answer.status, answer.cut), (204, false));
    assert!(answer.head.contains("x-seen: yes"), "{}", answer.head);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let elsewhere = receiver(answer("200 OK", b"")).await;
    let location = format!("302 Found\r\nLocation: http://{}/", elsewhere.address);
    let receiver = receiver(answer(&location, b"")).await;
    let answer = answered(&local(), &format!("http://{}/", receiver.address)).await;
    assert_eq!(answer.status, 302);
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_is_read_to_64_kib() {
    for (length, cut) in [(BODY_MAX, false), (BODY_MAX + 1, true), (1_000_000, true)] {
        let receiver = receiver(answer("200 OK", &vec![b'a'; length])).await;
        let answer = answered(&local(), &format!("http://{}/", receiver.address)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.len(), BODY_MAX, "{length}");
        assert_eq!(answer.cut, cut, "{length}");
    }
}

#[tokio::test]
async fn whoever_hangs_is_left_after_the_time() {
    let receiver = receiver(Vec::new()).await;
    let client = local().with_time_max(Duration::from_millis(50));
    let exchange = post(&client, &format!("http://{}/", receiver.address)).await;
    assert!(
        matches!(exchange.answer, Err(Failure::TimedOut(_))),
        "{exchange:?}"
    );
    assert!(exchange.duration >= Duration::from_millis(50));
    assert!(exchange.request_head.starts_with("POST / HTTP/1.1\n"));
}

#[tokio::test]
async fn internal_addresses_are_not_called_whatever_their_name() {
    let receiver = receiver(answer("200 OK", b"")).await;
    let port = receiver.address.port();
    let strict = Guard {
        allow_http: true,
        ..Guard::default()
    };
    let addresses =
        |list: &[&str]| -> Vec<IpAddr> { list.iter().map(|text| text.parse().unwrap()).collect() };
    let names = HashMap::from([
        ("internal.example".to_owned(), addresses(&["127.0.0.1"])),
        (
            "mapped.example".to_owned(),
            addresses(&["::ffff:127.0.0.1"]),
        ),
        (
            "metadata.example".to_owned(),
            addresses(&["169.254.169.254"]),
        ),
        ("both.example".to_owned(), addresses(&["10.0.0.1", "::1"])),
    ]);
    let client = Client::new(strict.clone()).with_names(names);
    for host in [
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "internal.example",
        "mapped.example",
        "metadata.example",
        "both.example",
    ] {
        let failed = post(&client, &format!("http://{host}:{port}/"))
            .await
            .answer;
        let refused = matches!(failed, Err(Failure::Refused(Refusal::Internal(_))));
        assert!(refused, "{host}: {failed:?}");
    }
    // The system's resolver, too.
    let system = Client::new(strict);
    let failed = post(&system, &format!("http://localhost:{port}/"))
        .await
        .answer;
    let refused = matches!(failed, Err(Failure::Refused(Refusal::Internal(_))));
    assert!(refused, "{failed:?}");
    assert_eq!(receiver.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_is_called_at_the_address_that_was_checked() {
    let mut receiver = receiver(answer("200 OK", b"")).await;
    let port = receiver.address.port();
    // The first address is refused, the second one checked and called.
    let guarded = Client::new(Guard {
        allow_http: true,
        allow_networks: "127.0.0.1/32".parse().unwrap(),
    });
    let addresses = ["10.0.0.1", "127.0.0.1"].map(|text| text.parse().unwrap());
    let names = HashMap::from([("hooks.example".to_owned(), addresses.to_vec())]);
    let client = guarded.with_names(names);
    let answer = answered(&client, &format!("http://hooks.example:{port}/")).await;
    assert_eq!(answer.status, 200);
    let sent = receiver.requests.recv().await.unwrap();
    assert!(sent.contains(&format!("hooks.example:{port}")), "{sent}");
    let unknown = post(&client, "http://other.example/").await.answer;
    assert!(matches!(unknown, Err(Failure::Name { .. })), "{unknown:?}");
}

#[tokio::test]
async fn answers_that_are_none_are_failures() {
    for rubbish in [
        "hello\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = stream.read(&mut [0u8; 4_096]).await.unwrap();
            assert!(read > 0);
            stream.write_all(rubbish.as_bytes()).await.unwrap();
        });
        let failed = post(&local(), &format!("http://{address}/")).await.answer;
        assert!(matches!(failed, Err(Failure::Protocol(_))), "{failed:?}");
    }
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let failed = post(&local(), &format!("http://{free}/")).await.answer;
    assert!(matches!(failed, Err(Failure::Connect { .. })), "{failed:?}");
}

/// What a webhook's receiver said counts as soon as its status is known.
#[tokio::test]
async fn an_answer_counts_though_its_body_is_cut_or_slow() {
    for (hangs, broken) in [
        (false, "Content-Length: 9\r\n\r\nshort"),
        (true, "Content-Length: 9\r\n\r\nshort"),
        (
            false,
            "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nrubbish\r\n",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = stream.read(&mut [0u8; 4_096]).await.unwrap();
            assert!(read > 0);
            let head = "HTTP/1.1 202 Accepted\r\nX-Seen: yes\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(broken.as_bytes()).await.unwrap();
            if hangs {
                // Until the other side hangs up.
                while stream.read(&mut [0u8; 64]).await.unwrap_or(0) > 0 {}
            }
        });
        let time_max = Duration::from_millis(if hangs { 100 } else { 10_000 });
        let client = local().with_time_max(time_max);
        let exchange = post(&client, &format!("http://{address}/")).await;
        let answer = exchange.answer.unwrap();
        assert_eq!((answer.status, answer.cut), (202, true), "{broken}");
        assert_eq!(answer.body, b"short");
        assert!(answer.head.contains("x-seen: yes"), "{}", answer.head);
        assert_eq!(exchange.duration >= time_max, hangs);
    }
}

/// The bounds of the contract and of the documentation (contract: webhooks.md, *Delivery*).
#[test]
fn a_receiver_has_10_seconds_and_64_kib() {
    assert_eq!(headshot_outbound::TIME_MAX, Duration::from_secs(10));
    assert_eq!(BODY_MAX, 65_536);
}

#[tokio::test]
async fn https_to_something_else_is_a_failure() {
    let receiver = receiver(answer("200 OK", b"")).await;
    let client = local().with_time_max(Duration::from_secs(2));
    let failed = post(&client, &format!("https://{}/", receiver.address))
        .await
        .answer;
    assert!(
        matches!(failed, Err(Failure::Tls(_) | Failure::TimedOut(_))),
        "{failed:?}"
    );
}
