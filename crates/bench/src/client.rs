//! A small HTTP/1.1 client on one connection: enough for our own answers, and nothing between the
//! clock and the socket.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One open connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes of head and body.
    pub(crate) length: usize,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4_096),
        })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let (status, headers) = read_head(text)?;
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(Ok(0), |(_, value)| value.parse())?;
        let end = head + 4 + length;
        while self.buffer.len() < end {
            self.fill().await?;
        }
        let body = self.buffer[head + 4..end].to_vec();
        self.buffer.drain(..end);
        Ok(Answer {
            status,
            headers,
            body,
            length: end,
        })
    }

    /// Sends a request again whose answer has `length` bytes, and looks at its status only.
    pub(crate) async fn repeat(&mut self, request: &[u8], length: usize) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        while self.buffer.len() < length {
            self.fill().await?;
        }
        if !self.buffer.starts_with(b"HTTP/1.1 200 ") {
            bail!("an answer other than 200");
        }
        self.buffer.drain(..length);
        Ok(())
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn read_head(head: &str) -> anyhow::Result<(u16, Vec<(String, String)>)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Ok((
        status.context("an answer without a status")?.parse()?,
        headers.collect(),
    ))
}

/// The request that everything here sends.
pub(crate) fn get(path: &str, key: Option<&str>) -> Vec<u8> {
    let key = key.map_or_else(String::new, |key| {
        format!("Authorization: Bearer {key}\r\n")
    });
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{key}\r\n").into_bytes()
}

/// A request as a trusted proxy passes it on, for a caller of its own for each `number`.
pub(crate) fn forwarded(mut request: Vec<u8>, number: usize) -> Vec<u8> {
    let [.., high, middle, low] = number.to_be_bytes();
    let header = format!("X-Forwarded-For: 10.{high}.{middle}.{low}\r\n");
    let first_line = request.windows(2).position(|two| two == b"\r\n");
    let at = first_line.map_or(0, |end| end + 2);
    request.splice(at..at, header.into_bytes());
    request
}

/// Revocation by possession.
pub(crate) fn revoke(key: &str) -> Vec<u8> {
    let body = format!("{{\"key\":\"{key}\"}}");
    let length = body.len();
    format!(
        "POST /api/keys/revoke HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> anyhow::Result<Answer> {
    Client::connect(address).await?.send(request).await
}
