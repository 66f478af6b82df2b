//! HTTP: the API (v2 and v1), the dashboard, the documentation and the operations routes.
//!
//! Handlers are short: extractors have proven the caller, a use case of the app crate does the
//! work, a view gives the wire shape. Nothing here knows SQL. No answer under `/api/v1`, `/api/v2`
//! or `/api/keys` leaves in another shape than the contract's ([`api::error`]).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;
use headshot_app::App;
use headshot_app::uploads::{BYTES_MAX, UPLOADS_MAX};
use headshot_domain::{SeededEntropy, TrustedProxies, entropy};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use dashboard::multipart::{FILE_TIME_MAX, WAIT_MAX};
use places::Places;

pub mod api;
mod arrival;
mod callbacks;
mod cookies;
mod dashboard;
mod docs;
mod operations;
mod people;
mod photos;
mod places;
mod public;
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
    /// Where photos wait that people upload: so many are in memory at a time.
    uploads: Places,
    /// The same for the images and logos of owners and admins, whom no upload of a person holds up.
    images: Places,
    /// Where organizations wait for lists that are sent whole.
    lists: Places,
    /// The documentation's pages and the assets, made once.
    public: public::Kept,
    limits: Limits,
    /// Whether the public address is https.
    secure: bool,
}

/// Bounds of the forms with which people send their photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// Bytes of one form.
    pub form_bytes: usize,
    /// Photos that are in memory at a time while they are read and judged.
    pub at_a_time: usize,
    /// Of these, those of one session.
    pub of_one_session: usize,
    /// How long a form waits until a file of it is read.
    pub wait: Duration,
    /// How long each file may take to arrive, from the end of what comes before it.
    pub file_time: Duration,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            // Every photo as large as it may be, and some for what is around them.
            form_bytes: UPLOADS_MAX * (BYTES_MAX + 4_096),
            at_a_time: 8,
            of_one_session: 2,
            wait: WAIT_MAX,
            file_time: FILE_TIME_MAX,
        }
    }
}

/// What a process does at most; the tests have smaller ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a request may take, from its head to the answer's.
    pub time_max: Duration,
    /// The most connections at one time; more wait in the system's queue.
    pub connections_max: usize,
    /// Of uploaded photos.
    pub uploads: UploadLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time_max: TIME_MAX,
            connections_max: CONNECTIONS_MAX,
            uploads: UploadLimits::default(),
        }
    }
}

/// Lists that are sent whole at a time, each of up to 64 MiB, and of them those of one organization.
const LISTS_AT_A_TIME: (usize, usize) = (8, 2);

/// Images and logos that are in memory at a time, and of them those of one person.
const IMAGES_AT_A_TIME: (usize, usize) = (4, 1);

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

impl Web {
    /// Serves `app`; `proxies` are believed about the caller's address.
    pub fn new(app: Arc<App>, proxies: TrustedProxies) -> Self {
        Self::with_limits(app, proxies, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(app: Arc<App>, proxies: TrustedProxies, limits: Limits) -> Self {
        let seed = u64::from_le_bytes(entropy::bytes(&*app.entropy));
        let secure = app.settings.public_url.starts_with("https://");
        Self(Arc::new(Inner {
            app,
            proxies,
            request_numbers: SeededEntropy::new(seed),
            metrics: operations::Metrics::default(),
            reset_text: arrival::MinuteText::default(),
            guessers: Semaphore::new(1),
            uploads: Places::new(limits.uploads.at_a_time, limits.uploads.of_one_session),
            images: Places::new(IMAGES_AT_A_TIME.0, IMAGES_AT_A_TIME.1),
            lists: Places::new(LISTS_AT_A_TIME.0, LISTS_AT_A_TIME.1),
            public: public::Kept::default(),
            limits,
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

/// The most connections at one time.
const CONNECTIONS_MAX: usize = 8_192;

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
        .merge(people::routes(&web.0.limits.uploads))
        .fallback(dashboard::not_found)
        .method_not_allowed_fallback(dashboard::not_found)
        .layer(axum::middleware::from_fn_with_state(
            web.clone(),
            dashboard::gate,
        ))
        .layer(axum::middleware::from_fn_with_state(
            web.clone(),
            api::gate::beside_pages,
        ))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(web.clone());
    // The API's gate limits bodies itself, where there are any.
    let pages = ServiceExt::<Request>::map_response(pages, without_methods);
    api::routes(web).fallback_service(pages)
}

/// A path that is no page for a method is none at all: the router adds which methods it would have.
fn without_methods(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        response.headers_mut().remove(header::ALLOW);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use headshot_app::audit::Actor;
    use headshot_app::caller::Caller;
    use headshot_app::keys::{self, NewKey, Verification};
    use headshot_app::organizations::{self, NewOrganization};
    use headshot_domain::{Networks, OrgId, Plan, ScopeSet};
    use headshot_testkit::{ManualClock, TestDb};
    use std::net::Ipv4Addr;

    /// A server with an organization, and a key of it that may do everything.
    pub(crate) struct Served {
        pub(crate) web: Web,
        pub(crate) org: OrgId,
        pub(crate) key: String,
        _database: TestDb,
    }

    impl Served {
        /// Who calls with the key.
        pub(crate) async fn caller(&self) -> Caller {
            let app = self.web.app();
            let bearer = format!("Bearer {}", self.key);
            let known = match keys::verify(app, Some(bearer.as_bytes()), app.clock.now()) {
                Verification::Unknown(secret, digest) => keys::load(app, &secret, &digest).await,
                known => Ok(known),
            };
            let Ok(Verification::Accepted(key)) = known else {
                panic!("the key is valid");
            };
            Caller::new(key, Ipv4Addr::LOCALHOST.into()).unwrap()
        }
    }

    pub(crate) async fn served(limits: Limits) -> Served {
        let database = headshot_testkit::sqlite().await;
        let app = headshot_testkit::app(&database.db, &ManualClock::new());
        let actor = Actor::command_line();
        let new = NewOrganization {
            name: "Acme".to_owned(),
            website: String::new(),
            owner: "owner@acme.example".parse().unwrap(),
            plan: Plan::Standard,
            credits: None,
            whitelabel: false,
        };
        let created = organizations::create(&app, &actor, new).await.unwrap();
        let new = NewKey {
            name: "Test".to_owned(),
            scopes: ScopeSet::FULL,
            networks: Networks::default(),
            expires_at: None,
            nonce: None,
        };
        let org = created.org.id;
        let made = keys::create(&app, &actor, &org, new).await;
        let key = made.unwrap().1.expose().to_owned();
        Served {
            web: Web::with_limits(app, TrustedProxies::default(), limits),
            org,
            key,
            _database: database,
        }
    }

    #[test]
    fn a_request_has_half_a_minute() {
        assert_eq!(Limits::default().time_max, Duration::from_secs(30));
        assert_eq!(Limits::default().connections_max, 8_192);
    }
}
