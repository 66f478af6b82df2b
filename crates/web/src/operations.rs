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
    /// Requests that the API log counts and does not keep.
    pub(crate) turned_away: AtomicU64,
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
    match web.app().is_ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
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
    let answers = CLASSES
        .iter()
        .zip(&web.0.metrics.answers)
        .map(|(class, count)| {
            let count = count.load(Ordering::Relaxed);
            format!("headshot_api_answers_total{{status=\"{class}\"}} {count}\n")
        });
    let jobs = app.jobs.counts();
    let figures = [
        ("headshot_api_log_queued", app.recorder.queued() as u64),
        ("headshot_api_log_written_total", app.recorder.written()),
        ("headshot_api_log_lost", app.recorder.lost()),
        (
            "headshot_api_turned_away_total",
            web.0.metrics.turned_away.load(Ordering::Relaxed),
        ),
        ("headshot_keys_in_memory", app.node.memory.len() as u64),
        ("headshot_jobs_done_total", jobs.done),
        ("headshot_jobs_retried_total", jobs.retried),
        ("headshot_jobs_died_total", jobs.died),
        ("headshot_jobs_panicked_total", jobs.panicked),
        (
            "headshot_lease_held",
            u64::from(app.node.memory.is_leased()),
        ),
    ];
    let figures = figures.map(|(name, value)| format!("{name} {value}\n"));
    let text: String = std::iter::once(HELP.to_owned())
        .chain(answers)
        .chain(figures)
        .collect();
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// What the figures mean; Prometheus reads it too.
const HELP: &str = "\
# HELP headshot_api_answers_total API answers by class of status.
# TYPE headshot_api_answers_total counter
# HELP headshot_api_log_queued API log rows that wait to be written.
# TYPE headshot_api_log_queued gauge
# HELP headshot_api_log_written_total API log rows written.
# TYPE headshot_api_log_written_total counter
# HELP headshot_api_log_lost API log rows lost and not yet told by a gap row.
# TYPE headshot_api_log_lost gauge
# HELP headshot_api_turned_away_total API requests without a key beyond their address's limit: counted, not logged.
# TYPE headshot_api_turned_away_total counter
# HELP headshot_keys_in_memory Keys that this process remembers.
# TYPE headshot_keys_in_memory gauge
# HELP headshot_lease_held Whether this process may answer from memory.
# TYPE headshot_lease_held gauge
# HELP headshot_jobs_done_total Tries of jobs that succeeded in this process.
# TYPE headshot_jobs_done_total counter
# HELP headshot_jobs_retried_total Tries of jobs that failed and were put back.
# TYPE headshot_jobs_retried_total counter
# HELP headshot_jobs_died_total Tries of jobs that were the last.
# TYPE headshot_jobs_died_total counter
# HELP headshot_jobs_panicked_total Tries of jobs that panicked.
# TYPE headshot_jobs_panicked_total counter
";
