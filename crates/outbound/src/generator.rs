//! A generator: another program that makes the photos, called over HTTP.
//!
//! The operator names it, so no address is refused; but no redirect is followed, each answer is
//! read up to a bound, and each call has its time. Both sides sign what they send, with the method
//! and the path, so that a captured request proves nothing but itself. What the protocol says is
//! `docs/generator/openapi.json`; nothing here knows what the answers are for.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request as HttpRequest};
use url::Host;
use zeroize::Zeroizing;

use crate::client::{Answer, Failure};
use crate::guard::{Refusal, Target};
use crate::signature::{is_signed, sign_parts};
use crate::tls::{Authorities, Tls};
use crate::wire;

mod protocol;

pub use protocol::{
    IMAGE_MAX, Image, Nonsense, PHOTOS_MAX, Points, REQUEST_MAX, Request, STATE_MAX, SelfieParts,
    Source, State, Status, Trouble, Wish,
};

/// The header with the signature of a request, in both directions.
pub const SIGNATURE: &str = "X-Headshot-Signature";
/// The header with the Unix time, in seconds, that is signed too.
pub const TIMESTAMP: &str = "X-Headshot-Timestamp";

/// The shortest shared secret, in characters.
pub const SECRET_MIN: usize = 32;

/// How far the clocks of both sides may be apart when a callback comes.
pub const SKEW_MAX: Duration = Duration::from_mins(5);

/// Where callbacks come in, before the generation's id.
pub const CALLBACKS: &str = "/engine/callbacks/";

/// How long a connection may take to be there.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long a call without pictures may take in all.
const CALL_MAX: Duration = Duration::from_secs(30);

/// How long a call with pictures may take in all.
const TRANSFER_MAX: Duration = Duration::from_mins(2);

/// Who calls.
const USER_AGENT: &str = concat!("Headshot/", env!("CARGO_PKG_VERSION"), " (generator)");

/// Where a generator is, what is shared with it, and how long it may take. Holds a secret.
#[derive(Clone)]
pub struct Endpoint {
    /// Ends with a slash.
    base: String,
    target: Target,
    secret: Zeroizing<String>,
    /// How long one shoot may take in all.
    pub time_max: Duration,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("base", &self.base)
            .field("time_max", &self.time_max)
            .finish_non_exhaustive()
    }
}

/// Why a generator can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Its address is none that may be called.
    #[error(transparent)]
    Url(#[from] Refusal),
    /// Its address has a query, where paths have to follow.
    #[error("the address may not hold a query")]
    Query,
    /// The secret is shorter than [`SECRET_MIN`].
    #[error("use a secret of at least {SECRET_MIN} random characters")]
    Secret,
}

impl Endpoint {
    /// A generator at `url`. Without encryption it may be on this machine, or anywhere if
    /// `allow_http`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        url: &str,
        secret: &str,
        (allow_http, time_max): (bool, Duration),
    ) -> Result<Self, EndpointError> {
        let target = Target::parse(url, |host| allow_http || is_loopback(host))?;
        if target.url.query().is_some() {
            return Err(EndpointError::Query);
        }
        if secret.trim().chars().count() < SECRET_MIN {
            return Err(EndpointError::Secret);
        }
        Ok(Self {
            base: format!("{}/", target.url.as_str().trim_end_matches('/')),
            target,
            secret: Zeroizing::new(secret.to_owned()),
            time_max,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.base.trim_end_matches('/')
    }

    /// Whether a callback about the generation `id` was signed by the generator, just now.
    pub fn is_genuine(
        &self,
        id: &str,
        (timestamp, signature): (&str, &str),
        (body, now): (&[u8], i64),
    ) -> bool {
        let Ok(timestamp) = timestamp.parse::<i64>() else {
            return false;
        };
        let skew = i64::try_from(SKEW_MAX.as_secs()).unwrap_or(i64::MAX);
        let start = start_line("POST", &format!("{CALLBACKS}{id}"));
        now.abs_diff(timestamp) <= skew.unsigned_abs()
            && is_signed(&self.secret, timestamp, &[&start, body], signature)
    }
}

fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    }
}

/// What of a request is signed before its body.
fn start_line(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path}\n").into_bytes()
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no answer.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The generator, or what stands before it, can't do it now.
    #[error("the generator answered {status}: {trouble}")]
    Busy {
        /// Its status.
        status: u16,
        /// What it says.
        trouble: Trouble,
    },
    /// It will not do this.
    #[error("the generator answered {status}: {trouble}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it says.
        trouble: Trouble,
    },
    /// The answer is longer than it may be.
    #[error("the generator's answer is longer than {max} bytes")]
    TooLong {
        /// What is read.
        max: usize,
    },
    /// The request is longer than [`REQUEST_MAX`].
    #[error("the request has {bytes} bytes; at most {REQUEST_MAX} are sent")]
    Request {
        /// How long it is.
        bytes: usize,
    },
    /// The answer makes no sense.
    #[error("the generator's answer can't be used: {0}")]
    Nonsense(#[from] Nonsense),
}

impl CallError {
    /// Whether the same call may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Failure(_) | Self::Busy { .. })
    }
}

/// Calls a generator.
pub struct Generator {
    endpoint: Endpoint,
    /// The most that any call may take, in tests; each has its own bound besides.
    time_max: Duration,
    tls: Tls,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.endpoint.fmt(f)
    }
}

/// One call.
struct Call {
    method: Method,
    /// Below the generator's address, with a slash before it.
    path: String,
    body: Bytes,
    time_max: Duration,
    answer_max: usize,
}

impl Call {
    fn small(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            body: Bytes::new(),
            time_max: CALL_MAX,
            answer_max: STATE_MAX,
        }
    }
}

impl Generator {
    /// Calls `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            time_max: TRANSFER_MAX,
            tls: Tls::default(),
        }
    }

    /// The same, trusting these authorities besides the machine's.
    #[must_use]
    pub fn with_authorities(mut self, authorities: Authorities) -> Self {
        self.tls = Tls::trusting(authorities);
        self
    }

    /// The same with another bound on every call.
    #[must_use]
    pub fn with_time_max(mut self, time_max: Duration) -> Self {
        self.time_max = time_max;
        self
    }

    /// Whom it calls.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks for a generation: `body` is a [`Request`] with this id. Asked again, the generator tells
    /// how far it is.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn begin(&self, id: &str, body: Bytes, now: i64) -> Result<State, CallError> {
        if body.len() > REQUEST_MAX {
            return Err(CallError::Request { bytes: body.len() });
        }
        let call = Call {
            body,
            time_max: TRANSFER_MAX,
            ..Call::small(Method::POST, "/v1/generations".to_owned())
        };
        let answer = success(self.call(call, now).await?)?;
        Ok(State::read(&answer.body, id)?)
    }

    /// How far a generation is; nothing where the generator does not know it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn state(&self, id: &str, now: i64) -> Result<Option<State>, CallError> {
        let call = Call::small(Method::GET, path_of(id));
        let answer = self.call(call, now).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let answer = success(answer)?;
        Ok(Some(State::read(&answer.body, id)?))
    }

    /// The file of a picture.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn image(&self, id: &str, image: &Image, now: i64) -> Result<Vec<u8>, CallError> {
        let call = Call {
            time_max: TRANSFER_MAX,
            // No more than it has promised, which is bounded.
            answer_max: image.bytes.min(IMAGE_MAX),
            ..Call::small(
                Method::GET,
                format!("{}/images/{}", path_of(id), image.place),
            )
        };
        Ok(success(self.call(call, now).await?)?.body)
    }

    /// Stops a generation and deletes all of it. One that is not known is deleted already.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn delete(&self, id: &str, now: i64) -> Result<(), CallError> {
        let answer = self
            .call(Call::small(Method::DELETE, path_of(id)), now)
            .await?;
        if answer.status == 404 {
            return Ok(());
        }
        success(answer).map(drop)
    }

    async fn call(&self, call: Call, now: i64) -> Result<Answer, CallError> {
        let time_max = call.time_max.min(self.time_max);
        let answer_max = call.answer_max;
        let exchanged = tokio::time::timeout(time_max, self.exchange(call, now)).await;
        let answer = exchanged.unwrap_or(Err(Failure::TimedOut(time_max)))?;
        // What says that it failed is told as such, however long it is.
        if answer.cut && (200..300).contains(&answer.status) {
            return Err(CallError::TooLong { max: answer_max });
        }
        Ok(answer)
    }

    async fn exchange(&self, call: Call, now: i64) -> Result<Answer, Failure> {
        let Endpoint { target, secret, .. } = &self.endpoint;
        let start = start_line(call.method.as_str(), &call.path);
        let prefix = target.url.path().trim_end_matches('/');
        let request = HttpRequest::builder()
            .method(call.method)
            .uri(format!("{prefix}{}", call.path))
            .header("Host", target.authority())
            .header("User-Agent", USER_AGENT)
            .header("Content-Type", "application/json")
            .header("Content-Length", call.body.len())
            .header("Connection", "close")
            .header(TIMESTAMP, now)
            .header(SIGNATURE, sign_parts(secret, now, &[&start, &call.body]))
            .body(Full::new(call.body))
            .map_err(Failure::Request)?;
        let connecting = async {
            let addresses = wire::resolve(target, None).await?;
            wire::connect(target, &addresses, &self.tls).await
        };
        let stream = tokio::time::timeout(CONNECT_MAX, connecting).await;
        let stream = stream.unwrap_or(Err(Failure::TimedOut(CONNECT_MAX)))?;
        wire::send(stream, request, (call.answer_max, wire::Ending::Required)).await
    }
}

fn path_of(id: &str) -> String {
    format!("/v1/generations/{id}")
}

fn success(answer: Answer) -> Result<Answer, CallError> {
    let status = answer.status;
    match status {
        200..300 => Ok(answer),
        408 | 425 | 429 | 500.. => Err(CallError::Busy {
            status,
            trouble: Trouble::read(&answer.body),
        }),
        _ => Err(CallError::Refused {
            status,
            trouble: Trouble::read(&answer.body),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn endpoint(url: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::new(url, SECRET, (false, Duration::from_hours(1)))
    }

    #[test]
    fn encryption_is_demanded_except_on_this_machine() {
        for good in [
            "https://gpu.example",
            "https://gpu.example/headshot/",
            "https://10.1.2.3:8443",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://localhost:9000/",
        ] {
            let read = endpoint(good).unwrap();
            assert_eq!(read.url(), good.trim_end_matches('/'));
        }
        for bad in [
            "http://gpu.example",
            "http://10.1.2.3",
            "ftp://gpu.example",
            "gpu.example",
            "https://user:secret@gpu.example",
            "https://gpu.example/?a=b",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
        let lax = (true, Duration::from_hours(1));
        assert!(Endpoint::new("http://gpu.example", SECRET, lax).is_ok());
    }

    #[test]
    fn a_secret_has_its_length_and_is_not_shown() {
        let with = |secret: &str| {
            Endpoint::new(
                "https://a.example",
                secret,
                (false, Duration::from_hours(1)),
            )
        };
        assert!(with(&SECRET[1..]).is_err());
        let shown = format!("{:?}", Generator::new(with(SECRET).unwrap()));
        assert!(!shown.contains(SECRET), "{shown}");
    }

    #[test]
    fn a_callback_proves_its_generation_its_time_and_its_body() {
        let endpoint = endpoint("https://a.example").unwrap();
        let sign = |id: &str, at: i64, body: &[u8]| {
            let start = start_line("POST", &format!("{CALLBACKS}{id}"));
            sign_parts(SECRET, at, &[&start, body])
        };
        let genuine = |id: &str, at: i64, signature: &str, now: i64| {
            endpoint.is_genuine(id, (&at.to_string(), signature), (b"{}", now))
        };
        let at = 1_705_314_600;
        let good = sign("job_1", at, b"{}");
        for now in [at - 300, at, at + 300] {
            assert!(genuine("job_1", at, &good, now));
        }
        for now in [at - 301, at + 301] {
            assert!(!genuine("job_1", at, &good, now));
        }
        assert!(!genuine("job_2", at, &good, at));
        assert!(!genuine("job_1", at + 1, &good, at));
        assert!(!genuine("job_1", at, &sign("job_1", at, b"[]"), at));
        assert!(!genuine("job_1", at, &good["sha256=".len()..], at));
        assert!(!genuine("job_1", at, &good[..good.len() - 2], at));
        assert!(!genuine("job_1", at, "sha256=", at));
        assert!(!endpoint.is_genuine("job_1", ("now", &good), (b"{}", at)));
        let far = i64::MIN.to_string();
        assert!(!endpoint.is_genuine("job_1", (&far, &good), (b"{}", at)));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let answered = |status| {
            let answer = Answer {
                status,
                head: String::new(),
                body: br#"{"error":{"code":"c","message":"m"}}"#.to_vec(),
                cut: false,
            };
            success(answer).map(drop)
        };
        for status in [200, 202, 204] {
            assert!(answered(status).is_ok());
        }
        for (status, passing) in [
            (429, true),
            (500, true),
            (503, true),
            (302, false),
            (413, false),
        ] {
            let error = answered(status).unwrap_err();
            assert_eq!(error.is_passing(), passing, "{status}");
            assert_eq!(
                error.to_string(),
                format!("the generator answered {status}: m (c)")
            );
        }
    }
}
