//! A receiver of webhooks whose every answer the test gives.

use std::collections::BTreeMap;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// Listens on a port of its own until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens, `http://127.0.0.1:<port>/hook`.
    pub url: String,
    calls: mpsc::UnboundedReceiver<Call>,
}

/// A request that waits for its answer. Dropped, the connection is closed.
#[derive(Debug)]
pub struct Call {
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The raw body.
    pub body: Vec<u8>,
    answer: oneshot::Sender<u16>,
}

impl Call {
    /// The header's value, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Answers with this status.
    pub fn answer(self, status: u16) {
        // The other side may have gone.
        self.answer.send(status).ok();
    }
}

impl Receiver {
    /// Starts listening.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                if sender.is_closed() {
                    return;
                }
                tokio::spawn(serve(stream, sender));
            }
        });
        Self {
            url: format!("http://{address}/hook"),
            calls,
        }
    }

    /// The next request.
    pub async fn next(&mut self) -> Call {
        self.calls.recv().await.expect("the receiver listens")
    }
}

async fn serve(stream: TcpStream, sender: mpsc::UnboundedSender<Call>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None if line.trim_end().is_empty() => break,
            None => None,
        };
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (answer, answered) = oneshot::channel();
    let call = Call {
        headers,
        body,
        answer,
    };
    sender.send(call).ok()?;
    let status = answered.await.ok()?;
    let head = format!("HTTP/1.1 {status} Answer\r\nContent-Length: 2\r\n\r\nok");
    stream.write_all(head.as_bytes()).await.ok()
}
