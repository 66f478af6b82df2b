//! The HTTP API. Contract: README.md, authentication.md, errors.md, rate-limits.md.

use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{self, MethodRouter};
use serde::Serialize;

use crate::Web;
use gate::{Keyed, Open};

pub mod error;
pub(crate) mod gate;
mod idempotent;
pub mod openapi;
mod operation;
mod request;
mod revoke;
mod v1;
mod v2;

pub use error::ApiError;
pub(crate) use operation::OPERATIONS;

/// All API routes, behind the gate that verifies, limits, checks scopes and logs.
pub(crate) fn routes(web: &Web) -> Router {
    let mut router = Router::new();
    for (path, methods) in v2_routes().into_iter().chain(v1_routes()) {
        router = router.route(path, only(methods));
    }
    for path in ["/api/v2", "/api/v2/", "/api/v2/{*path}"] {
        router = router.route(path, routing::any(Keyed(gate::no_such_route)));
    }
    for path in ["/api/v1", "/api/v1/", "/api/v1/{*path}"] {
        router = router.route(path, routing::any(Keyed(gate::no_such_route)));
    }
    let revoke = routing::any(Open(gate::no_such_route)).post(Open(revoke::revoke));
    router
        .route(operation::REVOKE, revoke)
        .with_state(web.clone())
}

/// These methods and no others. The router's own answer to the others would say which there are, also
/// to somebody without a key.
fn only(methods: MethodRouter<Web>) -> MethodRouter<Web> {
    routing::any(Keyed(gate::no_such_route)).merge(methods)
}

type Routes = Vec<(&'static str, MethodRouter<Web>)>;

fn v2_routes() -> Routes {
    use v2::{invites, models, organization, people, photos, teams};
    vec![
        ("/api/v2/organization", get(organization::organization)),
        ("/api/v2/organization/credits", get(organization::credits)),
        (
            "/api/v2/organization/invites",
            get(invites::list).merge(post(invites::create)),
        ),
        ("/api/v2/organization/invites/revoke", post(invites::revoke)),
        ("/api/v2/organization/invites/{email}", get(invites::get)),
        (
            "/api/v2/organization/teams",
            get(teams::list).merge(post(teams::create)),
        ),
        (
            "/api/v2/organization/teams/{teamId}",
            put(teams::update).merge(delete(teams::delete)),
        ),
        (
            "/api/v2/organization/teams/{teamId}/members",
            post(teams::add_members),
        ),
        ("/api/v2/organization/team", get(people::list)),
        ("/api/v2/organization/team/accepted", get(people::accepted)),
        ("/api/v2/organization/team/pending", get(people::pending)),
        ("/api/v2/organization/team/finished", get(people::finished)),
        (
            "/api/v2/organization/models",
            get(models::list).merge(post(models::create)),
        ),
        (
            "/api/v2/organization/models/{modelId}",
            get(models::get).merge(delete(models::delete)),
        ),
        (
            "/api/v2/organization/models/{modelId}/photos",
            get(photos::list),
        ),
        (
            "/api/v2/organization/models/{modelId}/photos/favorite",
            get(photos::favorite),
        ),
        (
            "/api/v2/organization/models/{modelId}/photos/download",
            post(photos::download),
        ),
        (
            "/api/v2/organization/models/{modelId}/photos/{photoId}",
            get(photos::get),
        ),
        (
            "/api/v2/organization/photos/favorites",
            get(photos::favorites),
        ),
    ]
}

fn v1_routes() -> Routes {
    vec![
        ("/api/v1/organization", get(v1::organization)),
        (
            "/api/v1/organization/credits",
            get(v1::credits).merge(post(v1::credits_by_post)),
        ),
        ("/api/v1/organization/invite", post(v1::create_invite)),
        (
            "/api/v1/organization/invite/revoke",
            post(v1::revoke_invite),
        ),
        ("/api/v1/organization/invites", get(v1::list_invites)),
        (
            "/api/v1/organization/invite/id/{inviteId}",
            get(v1::get_invite),
        ),
    ]
}

/// Routes behind the gate. There are no others for operations.
fn get<T: 'static>(operation: impl Handler<T, Web>) -> MethodRouter<Web> {
    routing::get(Keyed(operation))
}

fn post<T: 'static>(operation: impl Handler<T, Web>) -> MethodRouter<Web> {
    routing::post(Keyed(operation))
}

fn put<T: 'static>(operation: impl Handler<T, Web>) -> MethodRouter<Web> {
    routing::put(Keyed(operation))
}

fn delete<T: 'static>(operation: impl Handler<T, Web>) -> MethodRouter<Web> {
    routing::delete(Keyed(operation))
}

/// A view as text. Views hold strings, numbers and lists: they always have one.
fn json(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

/// An answer whose body is JSON already.
fn json_text(body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.reserve(gate::HEADERS_ADDED + 1);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
