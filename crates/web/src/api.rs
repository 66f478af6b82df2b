//! The HTTP API. Contract: README.md, authentication.md, errors.md, rate-limits.md.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post, put};
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
        .route("/api/v2", get(Keyed(gate::no_such_route)))
        .route("/api/v2/", get(Keyed(gate::no_such_route)))
        .route("/api/v1/", get(Keyed(gate::no_such_route)))
        .route("/api/v1", get(Keyed(gate::no_such_route)))
        .route("/api/v2/{*path}", get(Keyed(gate::no_such_route)))
        .route("/api/v1/{*path}", get(Keyed(gate::no_such_route)))
        .method_not_allowed_fallback(Keyed(gate::no_such_route))
        .with_state(web.clone());
    let unkeyed = Router::new()
        .route("/api/keys/revoke", post(Open(revoke::revoke)))
        .method_not_allowed_fallback(Open(gate::no_such_route))
        .with_state(web.clone());
    keyed.merge(unkeyed)
}

fn v2_routes() -> Router<Web> {
    use v2::{invites, models, organization, people, photos, teams};
    Router::new()
        .route(
            "/api/v2/organization",
            get(Keyed(organization::organization)),
        )
        .route(
            "/api/v2/organization/credits",
            get(Keyed(organization::credits)),
        )
        .route(
            "/api/v2/organization/invites",
            get(Keyed(invites::list)).post(Keyed(invites::create)),
        )
        .route(
            "/api/v2/organization/invites/revoke",
            post(Keyed(invites::revoke)),
        )
        .route(
            "/api/v2/organization/invites/{email}",
            get(Keyed(invites::get)),
        )
        .route(
            "/api/v2/organization/teams",
            get(Keyed(teams::list)).post(Keyed(teams::create)),
        )
        .route(
            "/api/v2/organization/teams/{teamId}",
            put(Keyed(teams::update)).delete(Keyed(teams::delete)),
        )
        .route(
            "/api/v2/organization/teams/{teamId}/members",
            post(Keyed(teams::add_members)),
        )
        .route("/api/v2/organization/team", get(Keyed(people::list)))
        .route(
            "/api/v2/organization/team/accepted",
            get(Keyed(people::accepted)),
        )
        .route(
            "/api/v2/organization/team/pending",
            get(Keyed(people::pending)),
        )
        .route(
            "/api/v2/organization/team/finished",
            get(Keyed(people::finished)),
        )
        .route(
            "/api/v2/organization/models",
            get(Keyed(models::list)).post(Keyed(models::create)),
        )
        .route(
            "/api/v2/organization/models/{modelId}",
            get(Keyed(models::get)).delete(Keyed(models::delete)),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos",
            get(Keyed(photos::list)),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos/favorite",
            get(Keyed(photos::favorite)),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos/download",
            post(Keyed(photos::download)),
        )
        .route(
            "/api/v2/organization/models/{modelId}/photos/{photoId}",
            get(Keyed(photos::get)),
        )
        .route(
            "/api/v2/organization/photos/favorites",
            get(Keyed(photos::favorites)),
        )
}

fn v1_routes() -> Router<Web> {
    Router::new()
        .route("/api/v1/organization", get(Keyed(v1::organization)))
        .route(
            "/api/v1/organization/credits",
            get(Keyed(v1::credits)).post(Keyed(v1::credits_by_post)),
        )
        .route(
            "/api/v1/organization/invite",
            post(Keyed(v1::create_invite)),
        )
        .route(
            "/api/v1/organization/invite/revoke",
            post(Keyed(v1::revoke_invite)),
        )
        .route("/api/v1/organization/invites", get(Keyed(v1::list_invites)))
        .route(
            "/api/v1/organization/invite/id/{inviteId}",
            get(Keyed(v1::get_invite)),
        )
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
