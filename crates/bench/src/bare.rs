//! The other side of the comparison: axum as small as it gets, answering the same bytes.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};

/// What the bare route answers: recorded from our own server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Bare {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// The file with the answer.
    #[arg(long)]
    answer: PathBuf,
}

pub(crate) fn serve(bare: &Bare) -> anyhow::Result<()> {
    let recorded: Recorded = serde_json::from_slice(&std::fs::read(&bare.answer)?)?;
    let body = Bytes::from(recorded.body);
    let mut headers = HeaderMap::new();
    for (name, value) in &recorded.headers {
        let name: HeaderName = name.parse()?;
        headers.insert(name, HeaderValue::from_str(value)?);
    }
    let answer = move || {
        let (headers, body) = (headers.clone(), body.clone());
        async move {
            let mut response = Response::new(Body::from(body));
            *response.headers_mut() = headers;
            response
        }
    };
    let router = Router::new().route(crate::route::PATH, get(answer));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(bare.listen).await?;
        writeln!(std::io::stdout(), "listening")?;
        axum::serve(listener, router).await?;
        anyhow::Ok(())
    })
}
