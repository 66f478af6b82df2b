//! HTTP: the API (v2 and v1), the dashboard, the documentation and the operations routes.
//!
//! Handlers are short: extractors have proven the caller, a use case of the app crate does the
//! work, a view gives the wire shape. Nothing here knows SQL. No answer under `/api/v1`, `/api/v2`
//! or `/api/keys` leaves in another shape than the contract's ([`api::error`]).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use headshot_app::App;
use headshot_app::uploads::{BYTES_MAX, UPLOADS_MAX};
use headshot_domain::{SeededEntropy, TrustedProxies, entropy};
use tokio::sync::Semaphore;

pub mod api;
mod arrival;
mod callbacks;
mod cookies;
mod dashboard;
mod docs;
mod operations;
mod people;
mod photos;
pub mod server;
mod words;

/// What every handler can reach.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    proxies: TrustedProxies,
    /// Numbers for request ids: unique, not secret, and cheaper than the system's generator.
    request_numbers: SeededEntropy,
    metrics: operations::Metrics,
    /// The end of the running minute, for the header of every API answer.
    reset_text: arrival::MinuteText,
    /// Where callers wait whose address has used up its refusals.
    guessers: Semaphore,
    upload_limits: UploadLimits,
    /// Where forms with photos wait.
    uploads: Semaphore,
    /// Whether the public address is https.
    secure: bool,
}

/// Bounds of the forms with which people send their photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// Bytes of one form.
    pub form_bytes: usize,
    /// Forms that are read at a time; each holds one photo in memory.
    pub forms: usize,
    /// How long a form waits until its files are read.
    pub wait: Duration,
    /// How long each file may take to arrive, from the end of what comes before it.
    pub file_time: Duration,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            // Every photo as large as it may be, and some for what is around them.
            form_bytes: UPLOADS_MAX * (BYTES_MAX + 4_096),
            forms: 8,
            wait: Duration::from_secs(20),
            file_time: Duration::from_mins(2),
        }
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

impl Web {
    /// Serves `app`; `proxies` are believed about the caller's address.
    pub fn new(app: Arc<App>, proxies: TrustedProxies) -> Self {
        Self::with(app, proxies, UploadLimits::default())
    }

    /// The same with other bounds of uploads.
    pub fn with(app: Arc<App>, proxies: TrustedProxies, upload_limits: UploadLimits) -> Self {
        let seed = u64::from_le_bytes(entropy::bytes(&*app.entropy));
        let secure = app.settings.public_url.starts_with("https://");
        Self(Arc::new(Inner {
            app,
            proxies,
            request_numbers: SeededEntropy::new(seed),
            metrics: operations::Metrics::default(),
            reset_text: arrival::MinuteText::default(),
            guessers: Semaphore::new(1),
            uploads: Semaphore::new(upload_limits.forms),
            upload_limits,
            secure,
        }))
    }

    fn app(&self) -> &App {
        &self.0.app
    }

    fn base_url(&self) -> &str {
        &self.app().settings.public_url
    }
}

/// How long a request may take, from its head to the answer's.
pub const TIME_MAX: Duration = Duration::from_secs(30);

/// The largest request body outside of uploads, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// All routes.
pub fn router(web: &Web) -> Router {
    let pages = Router::new()
        .merge(dashboard::routes())
        .merge(docs::routes())
        .merge(operations::routes())
        .merge(callbacks::routes())
        .merge(photos::routes())
        .merge(people::routes(&web.0.upload_limits))
        .fallback(dashboard::not_found)
        .method_not_allowed_fallback(dashboard::not_found)
        .layer(axum::middleware::from_fn_with_state(
            web.clone(),
            dashboard::gate,
        ))
        .layer(axum::middleware::from_fn_with_state(
            web.clone(),
            api::gate::beside_docs,
        ))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(web.clone());
    // The API's gate limits bodies itself, where there are any.
    api::routes(web).fallback_service(pages)
}
