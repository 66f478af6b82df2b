//! One exchange over HTTP/1.1: look-up, connection, TLS, request, and an answer up to a bound. No
//! redirect, no proxy, no pool.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::Host;

use crate::client::{Answer, Failure};
use crate::guard::Target;
use crate::tls::Tls;

/// How much of an answer's head is kept, in bytes.
const HEAD_MAX: usize = 8 * 1024;

/// How much of a head is read, in bytes.
const BUFFER_MAX: usize = 64 * 1024;

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The addresses of the target's host, by `names` where there are some. Nobody asks again: the one
/// that is checked is called.
pub(crate) async fn resolve(
    target: &Target,
    names: Option<&HashMap<String, Vec<IpAddr>>>,
) -> Result<Vec<SocketAddr>, Failure> {
    let literal = |address: IpAddr| Ok(vec![SocketAddr::new(address, target.port)]);
    let name = match &target.host {
        Host::Ipv4(address) => return literal((*address).into()),
        Host::Ipv6(address) => return literal((*address).into()),
        Host::Domain(name) => name,
    };
    let found: Vec<SocketAddr> = match names {
        Some(names) => {
            let addresses = names.get(name).into_iter().flatten();
            addresses
                .map(|address| SocketAddr::new(*address, target.port))
                .collect()
        }
        None => match tokio::net::lookup_host((name.as_str(), target.port)).await {
            Ok(found) => found.collect(),
            Err(_unknown) => Vec::new(),
        },
    };
    if found.is_empty() {
        return Err(Failure::Name { name: name.clone() });
    }
    Ok(found)
}

/// Connects to the first address that accepts, with TLS where the target wants it.
pub(crate) async fn connect(
    target: &Target,
    addresses: &[SocketAddr],
    tls: &Tls,
) -> Result<Box<dyn Stream>, Failure> {
    let stream = reach(target, addresses).await?;
    if !target.https {
        return Ok(Box::new(stream));
    }
    let name = server_name(&target.host).map_err(Failure::Tls)?;
    let connector = tls.connector().map_err(Failure::Tls)?;
    let stream = connector.connect(name, stream).await;
    Ok(Box::new(stream.map_err(Failure::Tls)?))
}

async fn reach(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut failure = Failure::Name {
        name: target.host.to_string(),
    };
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(why) => {
                let address = *address;
                failure = Failure::Connect { address, why };
            }
        }
    }
    Err(failure)
}

fn server_name(host: &Host<String>) -> std::io::Result<ServerName<'static>> {
    match host {
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::V4(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::V6(*address))),
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_wrong| std::io::ErrorKind::InvalidInput.into()),
    }
}

/// How an answer that does not come to its end is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// It is none.
    Required,
    /// Its head is the answer, with what came of the body by then: the moment up to which the head has
    /// to come, and what is said of one that does not.
    By(Instant, Duration),
}

/// Sends a request and reads at most `body_max` bytes of the answer's body.
pub(crate) async fn send(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    (body_max, ending): (usize, Ending),
) -> Result<Answer, Failure> {
    let handshake = hyper::client::conn::http1::Builder::new()
        .max_buf_size(BUFFER_MAX)
        .title_case_headers(true)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(Failure::Protocol)?;
    let exchanged = pin!(async move {
        let response = sender.send_request(request);
        match ending {
            Ending::Required => {
                let response = response.await.map_err(Failure::Protocol)?;
                let (mut answer, mut incoming) = begun(response);
                let read = body(&mut answer, &mut incoming, body_max).await;
                read.map_err(Failure::Protocol)?;
                Ok(answer)
            }
            Ending::By(end, time_max) => {
                let response = timeout_at(end, response).await;
                let response = response.map_err(|_elapsed| Failure::TimedOut(time_max))?;
                let response = response.map_err(Failure::Protocol)?;
                let (mut answer, mut incoming) = begun(response);
                let ended = timeout_at(end, body(&mut answer, &mut incoming, body_max)).await;
                answer.cut |= !matches!(ended, Ok(Ok(())));
                Ok(answer)
            }
        }
    });
    // The connection moves only while somebody waits for its end.
    match select(exchanged, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_ended, exchanged)) => exchanged.await,
    }
}

/// An answer of which only the head has been read.
fn begun(response: Response<Incoming>) -> (Answer, Incoming) {
    let (parts, incoming) = response.into_parts();
    let mut head = format!("{:?} {}\n", parts.version, parts.status);
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if head.len() + name.as_str().len() + value.len() < HEAD_MAX {
            let _infallible = writeln!(head, "{name}: {value}");
        }
    }
    let answer = Answer {
        status: parts.status.as_u16(),
        head,
        body: Vec::new(),
        cut: false,
    };
    (answer, incoming)
}

/// Reads the body, up to the bound.
async fn body(
    answer: &mut Answer,
    incoming: &mut Incoming,
    body_max: usize,
) -> Result<(), hyper::Error> {
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = body_max - answer.body.len();
        answer.body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            answer.cut = true;
            break;
        }
    }
    Ok(())
}
