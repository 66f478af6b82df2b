//! Routes for operators: is it alive, is it ready, what does it do.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::Web;

/// Counts of API answers by the first digit of their status.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers: [AtomicU64; 4],
}

impl Metrics {
    pub(crate) fn count(&self, status: StatusCode) {
        let class = match status.as_u16() {
            ..300 => 0,
            300..400 => 1,
            400..500 => 2,
            500.. => 3,
        };
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// The process answers.
async fn healthy() -> &'static str {
    "ok\n"
}

/// The database answers too.
async fn ready(State(web): State<Web>) -> (StatusCode, &'static str) {
    let checked = async {
        let mut conn = web.app().db.read().await?;
        headshot_storage::auth::epoch(&mut conn).await
    };
    match checked.await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            web.app().report(&error, "the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
        }
    }
}

/// Figures in the text format of Prometheus. No names, addresses or keys.
async fn metrics(State(web): State<Web>) -> impl IntoResponse {
    let app = web.app();
    let mut text = String::new();
    let mut figure = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        text.push_str(&format!(
            "# HELP headshot_{name} {help}\n# TYPE headshot_{name} {kind}\n"
        ));
        for (labels, value) in values {
            text.push_str(&format!("headshot_{name}{labels} {value}\n"));
        }
    };
    let answers = web
        .0
        .metrics
        .answers
        .each_ref()
        .map(|count| count.load(Ordering::Relaxed));
    figure(
        "api_answers_total",
        "counter",
        "API answers by class of status.",
        &[
            ("{status=\"2xx\"}", answers[0]),
            ("{status=\"3xx\"}", answers[1]),
            ("{status=\"4xx\"}", answers[2]),
            ("{status=\"5xx\"}", answers[3]),
        ],
    );
    figure(
        "api_log_queued",
        "gauge",
        "API log rows that wait to be written.",
        &[("", app.recorder.queued() as u64)],
    );
    figure(
        "api_log_written_total",
        "counter",
        "API log rows written.",
        &[("", app.recorder.written())],
    );
    figure(
        "api_log_lost",
        "gauge",
        "API log rows lost and not yet told by a gap row.",
        &[("", app.recorder.lost())],
    );
    figure(
        "keys_in_memory",
        "gauge",
        "Keys that this process remembers.",
        &[("", app.node.memory.len() as u64)],
    );
    figure(
        "lease_held",
        "gauge",
        "Whether this process may answer from memory.",
        &[("", u64::from(app.node.memory.is_leased()))],
    );
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}
