//! HTTP/1.1 by hand, so that requests can be wrong in every way.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use super::{PATIENCE, Server};

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

pub(crate) fn get(path: &str) -> Request {
    Request::new("GET", path)
}

pub(crate) fn post(path: &str) -> Request {
    Request::new("POST", path)
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn bearer(self, key: &str) -> Self {
        self.header("Authorization", format!("Bearer {key}"))
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\n",
            self.method, self.path
        )
        .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }

    /// The answer on a connection of its own.
    pub(crate) fn send(&self, server: &Server) -> Answer {
        self.try_send(server.address).expect("the server answers")
    }

    pub(crate) fn try_send(&self, address: SocketAddr) -> std::io::Result<Answer> {
        Connection::open(address)?.exchange(self)
    }
}

/// A connection that is kept alive.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) fn exchange(&mut self, request: &Request) -> std::io::Result<Answer> {
        self.write(&request.bytes())?;
        self.answer(request.method == "HEAD")
    }

    /// Sends raw bytes. The server may have answered and closed before it has read all.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Write).ok();
    }

    /// Whether the server has closed the connection without another byte.
    pub(crate) fn is_over(&mut self) -> bool {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).is_ok() && rest.is_empty()
    }

    pub(crate) fn answer(&mut self, head_only: bool) -> std::io::Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut answer = Answer::of_head(&lines);
        let length = answer
            .header("content-length")
            .and_then(|text| text.parse().ok());
        if head_only {
            return Ok(answer);
        }
        match length {
            Some(length) => {
                answer.body = vec![0; length];
                self.0.read_exact(&mut answer.body)?;
            }
            None => {
                self.0.read_to_end(&mut answer.body)?;
            }
        }
        Ok(answer)
    }
}

/// Sends bytes as they are, then reads one answer.
pub(crate) fn raw(server: &Server, bytes: &[u8]) -> Answer {
    let mut connection = Connection::open(server.address).expect("the server accepts");
    connection.write(bytes).ok();
    connection.answer(false).expect("the server answers")
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn of_head(lines: &[String]) -> Self {
        let (first, headers) = lines.split_first().expect("a status line");
        let (version, status) = first.split_once(' ').expect("a status line");
        let header = |line: &String| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self {
            version: version.to_owned(),
            status: status[..3].parse().expect("a status"),
            headers: headers.iter().map(header).collect(),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> u32 {
        let value = self
            .header(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.parse().expect("a number")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// `code` of an answer that has the shape of the contract: JSON with exactly three keys.
    pub(crate) fn error_code(&self) -> String {
        let body = self.json();
        let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, ["code", "error", "success"], "{}", self.text());
        assert_eq!(body["success"], false);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()));
        body["code"].as_str().expect("a code").to_owned()
    }

    /// Status, headers and body as text, with what differs from run to run masked.
    pub(crate) fn shown(&self) -> String {
        let mut text = format!("{} {}\n", self.version, self.status);
        for (name, value) in &self.headers {
            let value = match name.as_str() {
                "date" | "x-request-id" | "x-ratelimit-reset" | "retry-after" => {
                    assert!(!value.is_empty());
                    "[masked]"
                }
                // Lower in the same minute, full again in the next.
                "x-ratelimit-remaining" if value.len() == 3 => "[left]",
                _ => value,
            };
            let _infallible = writeln!(text, "{name}: {value}");
        }
        text.push('\n');
        text.push_str(&self.text());
        text
    }
}
