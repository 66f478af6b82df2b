//! The accept loop: connections, header limits, a graceful stop.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::arrival::Peer;
use refusal::Refusals;

mod refusal;

/// How long a client may take to send its headers, also on an idle connection.
const HEADERS_TIME_MAX: Duration = Duration::from_secs(30);

/// The most bytes of a request's head. Above the gate's bound on headers a request is still
/// identified, limited and logged before it is refused; above this the HTTP parser refuses it.
const HEAD_MAX: usize = 256 * 1024;

/// The most connections at one time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 8_192;

/// How long a graceful stop waits for running requests.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Serves `router` on `listener` until `stop`, then lets running requests end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let places = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
                // Out of file descriptors: wait for some to be closed.
                stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(50)))
                    .await;
                continue;
            }
        };
        let connection = connection(stream, Peer(peer), router.clone());
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is not our failure.
            let _ended = watched.await;
            drop(place);
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
    router: Router,
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
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(peer);
        router.clone().call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(Refusals::new(TokioIo::new(stream)), service)
}
