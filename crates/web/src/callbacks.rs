//! Where a generator tells that there is news (`docs/generator/openapi.json`). The answers are for
//! programs: a status and a line of text.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use headshot_app::generations::{self, CALLBACK_MAX, Refused};
use headshot_app::outbound::generator::{SIGNATURE, TIMESTAMP};

use crate::Web;

/// The protocol.
const DOCUMENT: &str = include_str!("../../../docs/generator/openapi.json");

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route(
            "/engine/callbacks/{id}",
            post(callback).layer(DefaultBodyLimit::max(CALLBACK_MAX)),
        )
        .route("/engine/openapi.json", get(document))
}

/// News of a generation. Whether somebody waits for it is not told.
async fn callback(
    State(web): State<Web>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> (StatusCode, String) {
    let Ok(Path(id)) = path else {
        return answer(StatusCode::NOT_FOUND, "there is no such generation");
    };
    let body = match body {
        Ok(body) => body,
        Err(unread) => return answer(unread.status(), &unread.body_text()),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = (
        header(TIMESTAMP).unwrap_or_default(),
        header(SIGNATURE).unwrap_or_default(),
    );
    match generations::told(web.app(), &id, signed, &body) {
        Ok(()) => (StatusCode::NO_CONTENT, String::new()),
        Err(refused @ Refused::NoGenerator) => answer(StatusCode::NOT_FOUND, &refused.to_string()),
        Err(refused @ Refused::Signature) => answer(StatusCode::UNAUTHORIZED, &refused.to_string()),
    }
}

fn answer(status: StatusCode, text: &str) -> (StatusCode, String) {
    (status, format!("{text}\n"))
}

async fn document() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, DOCUMENT)
}
