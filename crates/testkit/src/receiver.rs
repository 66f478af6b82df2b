//! A receiver of webhooks whose every answer the test gives.

use std::collections::BTreeMap;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use crate::Authority;

/// Listens on a port of its own until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens, `http://127.0.0.1:<port>/hook`, or `https`.
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
    /// Status, body, and how long the head says that the body is.
    answer: oneshot::Sender<(u16, Vec<u8>, usize)>,
}

impl Call {
    /// The header's value, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Answers with this status.
    pub fn answer(self, status: u16) {
        self.say(status, b"ok".to_vec());
    }

    /// Answers with this status and the request's own body.
    pub fn echo(self, status: u16) {
        let body = self.body.clone();
        self.say(status, body);
    }

    /// Answers with this status, and hangs up in the middle of the body.
    pub fn break_off(self, status: u16) {
        self.answer.send((status, b"ok".to_vec(), 1_000)).ok();
    }

    fn say(self, status: u16, body: Vec<u8>) {
        let length = body.len();
        // The other side may have gone.
        self.answer.send((status, body, length)).ok();
    }
}

impl Receiver {
    /// Starts listening.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// Starts listening with TLS, and a certificate of `authority` for `name`.
    pub async fn start_tls(authority: &Authority, name: &str) -> Self {
        Self::listen(Some(authority.acceptor(name))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
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
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, sender).await,
                        Some(tls) => serve(tls.accept(stream).await.ok()?, sender).await,
                    }
                });
            }
        });
        Self {
            url: format!("{scheme}://{address}/hook"),
            calls,
        }
    }

    /// Whether no request waits to be taken.
    pub fn is_unheard(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }

    /// The next request.
    pub async fn next(&mut self) -> Call {
        self.calls.recv().await.expect("the receiver listens")
    }
}

async fn serve<S>(stream: S, sender: mpsc::UnboundedSender<Call>) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
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
    let (status, body, length) = answered.await.ok()?;
    let head = format!("HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\n\r\n");
    let answer = [head.as_bytes(), &body].concat();
    stream.write_all(&answer).await.ok()?;
    stream.shutdown().await.ok()
}
