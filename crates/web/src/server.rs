//! The accept loop: connections, header limits, a graceful stop.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::Web;
use crate::api::gate;
use crate::arrival::Peer;
use peers::Peers;
use refusal::Refusals;

mod peers;
mod refusal;

/// How long a client may take to send its headers, also on an idle connection.
const HEADERS_TIME_MAX: Duration = Duration::from_secs(30);

/// The most bytes of a request's head. Above the gate's bound on headers a request is still
/// identified, limited and logged before it is refused; above this the HTTP parser refuses it.
const HEAD_MAX: usize = 256 * 1024;

/// The most headers of a request. More than the parser's own 100, so that the gate knows who sends
/// them; above this the parser refuses them.
const HEADERS_MAX: usize = 512;

/// How long a graceful stop waits for running requests.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// How long `accept` is left alone after it failed: some descriptors have to be closed first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `web` on `listener` until `stop`, then lets running requests end. One address can't hold
/// all connections; trusted proxies, who bring everybody's, can.
pub async fn serve(listener: TcpListener, web: &Web, stop: CancellationToken) {
    let router = crate::router(web);
    let graceful = GracefulShutdown::new();
    let peers = Peers::new(web.0.proxies.clone());
    let places = std::sync::Arc::new(Semaphore::new(web.0.limits.connections_max));
    while let Some(Ok(place)) = stop
        .run_until_cancelled(std::sync::Arc::clone(&places).acquire_owned())
        .await
    {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else {
            break;
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a connection was not accepted"
                );
                stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE))
                    .await;
                continue;
            }
        };
        // Closed without a word: an answer would cost what the limit is there to save.
        let Some(share) = peers.take(peer.ip()) else {
            continue;
        };
        let connection = connection(stream, Peer(peer), (web.clone(), router.clone()));
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is not our failure.
            let _ended = watched.await;
            drop((place, share));
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_PATIENCE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still running after {STOP_PATIENCE:?}");
    }
}

fn connection(
    stream: TcpStream,
    peer: Peer,
    (web, router): (Web, Router),
) -> http1::Connection<
    Refusals<TokioIo<TcpStream>>,
    impl hyper::service::HttpService<
        Incoming,
        ResBody = axum::body::Body,
        Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        Future: Send,
    > + Send,
> {
    // A failure here means that the peer is gone; the first read tells.
    let _set = stream.set_nodelay(true);
    let refused = Box::new({
        let web = web.clone();
        move || gate::unparsable(&web, peer)
    });
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let whole = names_its_host(&request);
        let (web, mut router) = (web.clone(), router.clone());
        async move {
            if !whole {
                let mut refused = gate::unparsable(&web, peer);
                let close = HeaderValue::from_static("close");
                refused.headers_mut().insert(CONNECTION, close);
                return Ok(refused);
            }
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(peer);
            router.call(request).await
        }
    });
    let stream = Refusals::new(TokioIo::new(stream), refused);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME_MAX)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(stream, service)
}

/// Whether a request says once for whom it is, as all of HTTP/1.1 have to; the parser does not ask.
fn names_its_host<B>(request: &hyper::Request<B>) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || hosts == 0 && request.version() < Version::HTTP_11
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::tests::served;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn open(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(HEALTH).await.unwrap();
        stream
    }

    /// The answer's status line.
    async fn answer(stream: &mut TcpStream) -> String {
        let mut bytes = vec![0; 4_096];
        let length = stream.read(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        text.lines().next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn more_connections_than_there_may_be_wait_for_their_turn() {
        let limits = Limits {
            connections_max: 2,
            ..Limits::default()
        };
        let served = served(limits).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = {
            let (web, stop) = (served.web.clone(), stop.clone());
            tokio::spawn(async move { serve(listener, &web, stop).await })
        };
        let (mut first, mut second) = (open(address).await, open(address).await);
        assert_eq!(answer(&mut first).await, "HTTP/1.1 200 OK");
        assert_eq!(answer(&mut second).await, "HTTP/1.1 200 OK");
        let mut third = open(address).await;
        // While the two are served again and again, the third is not looked at.
        for _ in 0..20 {
            for stream in [&mut first, &mut second] {
                stream.write_all(HEALTH).await.unwrap();
                assert_eq!(answer(stream).await, "HTTP/1.1 200 OK");
            }
        }
        let unanswered = third.try_read(&mut [0; 1]);
        assert_eq!(
            unanswered.unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock
        );
        drop(first);
        assert_eq!(answer(&mut third).await, "HTTP/1.1 200 OK");
        drop((second, third));
        stop.cancel();
        serving.await.unwrap();
    }
}
