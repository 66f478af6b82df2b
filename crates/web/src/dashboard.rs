//! The pages for people: signing in, and the admin dashboard.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::FutureExt;
use headshot_app::StorageError;
use headshot_pages::{ErrorPage, Template};

use crate::Web;
use crate::api::gate::panic_in_words;
use crate::arrival::{Arrival, Arriving};
use crate::people::FramingSlot;

pub(crate) mod access;
mod api_keys;
mod audit;
pub(crate) mod extract;
mod invites;
mod jobs;
mod key_rows;
mod logs;
pub(crate) mod multipart;
mod overview;
mod settings;
mod shell;
mod webhooks;

pub(crate) fn routes() -> Router<Web> {
    ways_in()
        .merge(api_pages())
        .merge(mail_pages())
        .merge(settings_pages())
        .route("/app", get(to_overview))
        .route("/app/admin", get(to_overview))
        .route("/app/admin/overview", get(overview::page))
        .route("/app/admin/jobs", get(jobs::page))
        .route("/app/admin/jobs/{id}/retry", post(jobs::retry))
        .route("/app/admin/audit", get(audit::page))
}

fn ways_in() -> Router<Web> {
    Router::new()
        .route("/", get(access::home))
        .route("/auth/login", get(access::login_page).post(access::login))
        .route(
            "/auth/link",
            get(access::to_login).post(access::ask_for_link),
        )
        .route("/auth/logout", post(access::logout))
        .route("/auth/setup", get(access::setup_page).post(access::setup))
        .route("/auth/magic", get(access::magic_page).post(access::magic))
        .route("/auth/organization", post(access::switch))
}

fn api_pages() -> Router<Web> {
    Router::new()
        .route("/app/admin/api", get(api_keys::page))
        .route(
            "/app/admin/api/keys",
            get(api_keys::to_list).post(api_keys::create),
        )
        .route(
            "/app/admin/api/keys/{id}/delete",
            get(api_keys::delete_page).post(api_keys::delete),
        )
        .route("/app/admin/api/logs", get(logs::page))
        .route("/app/admin/api/logs/{id}", get(logs::detail))
        .route("/app/admin/webhooks", get(webhooks::page))
        .route(
            "/app/admin/webhooks/url",
            get(api_keys::to_list).post(webhooks::save),
        )
        .route(
            "/app/admin/webhooks/rotate",
            get(api_keys::to_list).post(webhooks::rotate),
        )
        .route(
            "/app/admin/webhooks/remove",
            get(api_keys::to_list).post(webhooks::remove),
        )
        .route(
            "/app/admin/webhooks/test",
            get(webhooks::to_list).post(webhooks::send_test),
        )
        .route(
            "/app/admin/webhooks/replay-failed",
            get(webhooks::to_list).post(webhooks::replay_failed),
        )
        .route("/app/admin/webhooks/{id}", get(webhooks::detail))
        .route(
            "/app/admin/webhooks/{id}/replay",
            get(webhooks::to_list).post(webhooks::replay),
        )
}

fn mail_pages() -> Router<Web> {
    Router::new()
        .route(
            "/app/admin/invites",
            get(invites::page).post(invites::create),
        )
        .route(
            "/app/admin/invites/{id}/remind",
            get(invites::to_list).post(invites::remind),
        )
        .route(
            "/app/admin/invites/{id}/revoke",
            get(invites::to_list).post(invites::revoke),
        )
        .route("/app/admin/outbox", get(invites::outbox))
        .route("/app/admin/outbox/{id}", get(invites::outbox_mail))
}

fn settings_pages() -> Router<Web> {
    settings::studio::routes()
        .route("/app/admin/settings", get(settings::to_security))
        .route("/app/admin/settings/security", get(settings::page))
        .route("/app/admin/settings/api", get(settings::to_api))
        .route(
            "/app/admin/settings/organization",
            get(settings::organization::page),
        )
        .route(
            "/app/admin/settings/organization/retention",
            get(settings::organization::to_page).post(settings::organization::retention),
        )
        .route(
            "/app/admin/settings/organization/mails",
            get(settings::organization::to_page).post(settings::organization::mails),
        )
        .route("/team-member/account", get(settings::account))
        .route("/team-member/account/password", post(settings::password))
        .route(
            "/team-member/account/sessions/end-others",
            post(settings::end_others),
        )
        .route(
            "/team-member/account/sessions/{id}/end",
            post(settings::end_one),
        )
        .route("/app/admin/settings/password", post(settings::password))
        .route(
            "/app/admin/settings/sessions/end-others",
            post(settings::end_others),
        )
        .route(
            "/app/admin/settings/sessions/{id}/end",
            post(settings::end_one),
        )
}

async fn to_overview() -> Redirect {
    Redirect::to("/app/admin/overview")
}

/// No page here.
pub(crate) async fn not_found() -> PageError {
    PageError::NotFound
}

/// Why a page can't be shown. [`gate`] turns it into an error page with the request's id.
#[derive(Debug, Clone)]
pub(crate) enum PageError {
    NotFound,
    /// The role does not include the page.
    Forbidden,
    /// The link was not made by this server, or was changed.
    LinkInvalid,
    /// The link has run out.
    LinkExpired,
    /// The form's token is missing or not this browser's.
    StaleForm,
    /// The database does not answer; why, for the operator's log only.
    Offline(String),
    /// Why, for the operator's log only.
    Internal(String),
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        let cause = headshot_app::causes(&error);
        match error {
            StorageError::Unavailable { .. } => Self::Offline(cause),
            // Whoever reloads sees what is left: the sign-in page, or less than before.
            StorageError::TakenBack => Self::StaleForm,
            _ => Self::Internal(cause),
        }
    }
}

impl From<headshot_app::photos::ObjectsError> for PageError {
    fn from(error: headshot_app::photos::ObjectsError) -> Self {
        Self::Internal(headshot_app::causes(&error))
    }
}

/// An address whose query can't be read leads to no page.
impl From<QueryRejection> for PageError {
    fn from(_unreadable: QueryRejection) -> Self {
        Self::NotFound
    }
}

impl From<headshot_pages::Error> for PageError {
    fn from(error: headshot_pages::Error) -> Self {
        Self::Internal(headshot_app::causes(&error))
    }
}

impl From<serde_json::Error> for PageError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(headshot_app::causes(&error))
    }
}

impl PageError {
    fn page(&self, id: &str) -> ErrorPage {
        match self {
            Self::NotFound => ErrorPage::not_found(id),
            Self::Forbidden => ErrorPage::forbidden(id),
            Self::LinkInvalid => ErrorPage::link_invalid(id),
            Self::LinkExpired => ErrorPage::link_expired(id),
            Self::StaleForm => ErrorPage::stale_form(id),
            Self::Offline(_) => ErrorPage::offline(id),
            Self::Internal(_) => ErrorPage::internal(id),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The headers of every page, besides `Cache-Control`.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, headshot_pages::CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// How long a form with photos may take: phones have slow connections.
const UPLOAD_TIME_MAX: Duration = Duration::from_mins(15);

/// What every page passes: an id, security headers, error pages.
pub(crate) async fn gate(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let arrival = Arrival::of(&web, &request);
    let cross_site = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    let changes = !request.method().is_safe();
    request.extensions_mut().insert(arrival.clone());
    let framing = FramingSlot::default();
    request.extensions_mut().insert(framing.clone());
    let time_max = if changes && request.uri().path().ends_with("/uploads") {
        UPLOAD_TIME_MAX
    } else {
        web.0.limits.time_max
    };
    let mut response = if cross_site && changes {
        PageError::StaleForm.into_response()
    } else {
        let arriving = Arriving::watch(&mut request);
        let running = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(time_max, running).await {
            Ok(Ok(response)) => response,
            Ok(Err(panicked)) => PageError::Internal(panic_in_words(&*panicked)).into_response(),
            // The sender's connection is to blame, not this server.
            Err(_) if arriving.is_waited_for() => PageError::StaleForm.into_response(),
            Err(_) => PageError::Internal("it took too long".to_owned()).into_response(),
        }
    };
    if let Some(error) = response.extensions_mut().remove::<PageError>() {
        response = error_page(&error, &arrival);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(framing) = framing.get() {
        framing.apply(headers);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(arrival.id.as_str()) {
        headers.insert("x-request-id", id);
    }
    response
}

fn error_page(error: &PageError, arrival: &Arrival) -> Response {
    if let PageError::Offline(cause) | PageError::Internal(cause) = error {
        tracing::error!(
            request.id = arrival.id.as_str(),
            "page {} failed: {cause}",
            arrival.id
        );
    }
    let page = error.page(arrival.id.as_str());
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => (status, "Something failed on the server.\n").into_response(),
    }
}

/// A page as an answer.
pub(crate) fn html(template: &impl Template) -> Result<Response, PageError> {
    Ok(Html(template.render()?).into_response())
}

/// A page that answers with another status than 200.
pub(crate) fn html_with(
    status: StatusCode,
    template: &impl Template,
) -> Result<Response, PageError> {
    Ok((status, Html(template.render()?)).into_response())
}
