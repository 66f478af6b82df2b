//! One request, from the look-up of the name to the end of the answer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use tokio::time::Instant;

use crate::guard::{Guard, Refusal, Target};
use crate::tls::{Authorities, Tls, why};
use crate::wire;

/// How long one exchange may take in all.
pub const TIME_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// Who calls.
const USER_AGENT: &str = concat!("Headshot/", env!("CARGO_PKG_VERSION"), " (webhooks)");

/// Posts to addresses that strangers chose.
pub struct Client {
    guard: Guard,
    time_max: Duration,
    /// What names resolve to, in tests; the system's resolver without.
    names: Option<HashMap<String, Vec<IpAddr>>>,
    tls: Tls,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Status line and headers, up to a bound.
    pub head: String,
    /// The body, up to the caller's bound: [`BODY_MAX`] for a [`Client`].
    pub body: Vec<u8>,
    /// Whether there was more: beyond the bound, or, for a [`Client`], after the time, or because the
    /// other side hung up.
    pub cut: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The address may not be called.
    #[error("it was not called: {0}")]
    Refused(#[from] Refusal),
    /// The name has no address.
    #[error("the name {name} can't be resolved")]
    Name {
        /// Which name.
        name: String,
    },
    /// Nobody accepts the connection.
    #[error("{address} does not accept a connection: {why}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// TLS could not be agreed, as with a wrong certificate.
    #[error("no TLS connection: {}", why(.0))]
    Tls(std::io::Error),
    /// The answer is not HTTP, or, where all of it is needed, ended early.
    #[error("no complete answer: {0}")]
    Protocol(hyper::Error),
    /// The request can't be written down.
    #[error("the request can't be made: {0}")]
    Request(hyper::http::Error),
    /// It took too long.
    #[error("no answer within {} seconds", .0.as_secs_f32())]
    TimedOut(Duration),
}

/// What went out, what came back, and how long it took.
#[derive(Debug)]
pub struct Exchange {
    /// Request line and headers.
    pub request_head: String,
    /// The answer, or why there is none.
    pub answer: Result<Answer, Failure>,
    /// From the look-up of the name to the end.
    pub duration: Duration,
}

impl Client {
    /// A client that calls what `guard` allows.
    pub fn new(guard: Guard) -> Self {
        Self {
            guard,
            time_max: TIME_MAX,
            names: None,
            tls: Tls::default(),
        }
    }

    /// The same with another bound on an exchange.
    #[must_use]
    pub fn with_time_max(mut self, time_max: Duration) -> Self {
        self.time_max = time_max;
        self
    }

    /// The same with fixed names instead of the system's resolver.
    #[must_use]
    pub fn with_names(mut self, names: HashMap<String, Vec<IpAddr>>) -> Self {
        self.names = Some(names);
        self
    }

    /// The same, trusting these authorities besides the machine's.
    #[must_use]
    pub fn with_authorities(mut self, authorities: Authorities) -> Self {
        self.tls = Tls::trusting(authorities);
        self
    }

    /// What may be called.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Posts JSON to `url` with these headers besides the usual ones. An answer is one as soon as its
    /// head was read; its body may be slow, or end early.
    pub async fn post(&self, url: &str, headers: &[(&str, String)], body: Bytes) -> Exchange {
        let started = Instant::now();
        let target = match self.guard.check(url) {
            Ok(target) => target,
            Err(refusal) => {
                return Exchange {
                    request_head: String::new(),
                    answer: Err(refusal.into()),
                    duration: started.elapsed(),
                };
            }
        };
        let lines = head_lines(&target, headers, body.len());
        let answer = self.exchange(&target, (&lines, body), started).await;
        let mut request_head = format!("POST {} HTTP/1.1\n", target.path());
        for (name, value) in &lines {
            let _infallible = writeln!(request_head, "{name}: {value}");
        }
        Exchange {
            request_head,
            answer,
            duration: started.elapsed(),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        (lines, body): (&[(String, String)], Bytes),
        started: Instant,
    ) -> Result<Answer, Failure> {
        let end = started + self.time_max;
        let mut request = Request::post(target.path());
        for (name, value) in lines {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(Failure::Request)?;
        let connecting = async {
            let found = wire::resolve(target, self.names.as_ref()).await?;
            let addresses = self.guard.filter(&found)?;
            wire::connect(target, &addresses, &self.tls).await
        };
        let stream = tokio::time::timeout_at(end, connecting).await;
        let stream = stream.unwrap_or(Err(Failure::TimedOut(self.time_max)))?;
        let ending = wire::Ending::By(end, self.time_max);
        wire::send(stream, request, (BODY_MAX, ending)).await
    }
}

fn head_lines(target: &Target, headers: &[(&str, String)], length: usize) -> Vec<(String, String)> {
    let usual = [
        ("Host", target.authority()),
        ("User-Agent", USER_AGENT.to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("Content-Length", length.to_string()),
        ("Connection", "close".to_owned()),
    ];
    let all = usual.iter().chain(headers);
    all.map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
