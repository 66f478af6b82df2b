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
    let keyed = v2_routes()
        .merge(v1_routes())
        .route("/api/v2", get(gate::no_such_route))
        .route("/api/v2/", get(gate::no_such_route))
        .route("/api/v1/", get(gate::no_such_route))
        .route("/api/v1", get(gate::no_such_route))
        .route("/api/v2/{*path}", get(gate::no_such_route))
        .route("/api/v1/{*path}", get(gate::no_such_route))
        .method_not_allowed_fallback(Keyed(gate::no_such_route))
        .with_state(web.clone());
    let unkeyed = Router::new()
        .route("/api/keys/revoke", routing::post(Open(revoke::revoke)))
        .method_not_allowed_fallback(Open(gate::no_such_route))
        .with_state(web.clone());
    keyed.merge(unkeyed)
}

fn v2_routes() -> Router<Web> {
    use v2::{invites, models, organization, people, photos, teams};
    Router::new()
        .route("/api/v2/organization", get(organization::organization))
        .route("/api/v2/organization/credits", get(organization::credits))
        .route(
            "/api/v2/organization/invites",
            get(invites::list).merge(post(invites::create)),
        )
        .route("/api/v2/organization/invites/revoke", post(invites::revoke))
        .route("/api/v2/organization/invites/{email}", get(invites::get))
        .route(
            "/api/v2/organization/teams",
            get(teams::list).merge(post(teams::create)),
        )
        .route(
            "/api/v2/organization/teams/{teamId}",
            put(teams::update).merge(delete(teams::delete)),
        )
        .route(
            "/api/v2/organization/teams/{teamId}/members",
            post(teams::add_members),
        )
        .route("/api/v2/organization/team", get(people::list))
        .route("/api/v2/organization/team/accepted", get(people::accepted))
        .route("/api/v2/organization/team/pending", get(people::pending))
        .route("/api/v2/organization/team/finished", get(people::finished))
        .route(
            "/api/v2/organization/models",
            get(models::list).merge(post(models::create)),
        )
        .route(
            "/api/v2/organization/models/{modelId}",
            get(models::get).merge(delete(models::delete)),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos",
            get(photos::list),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos/favorite",
            get(photos::favorite),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos/download",
            post(photos::download),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos/{photoId}",
            get(photos::get),
        )
        .route(
            "/api/v2/organization/photos/favorites",
            get(photos::favorites),
        )
}

fn v1_routes() -> Router<Web> {
    Router::new()
        .route("/api/v1/organization", get(v1::organization))
        .route(
            "/api/v1/organization/credits",
            get(v1::credits).merge(post(v1::credits_by_post)),
        )
        .route("/api/v1/organization/invite", post(v1::create_invite))
        .route(
            "/api/v1/organization/invite/revoke",
            post(v1::revoke_invite),
        )
        .route("/api/v1/organization/invites", get(v1::list_invites))
        .route(
            "/api/v1/organization/invite/id/{inviteId}",
            get(v1::get_invite),
        )
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
