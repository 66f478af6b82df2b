//! The HTTP API. Contract: README.md, authentication.md, errors.md, rate-limits.md.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::Web;

pub mod error;
pub(crate) mod gate;
pub mod openapi;
mod operation;
mod revoke;
mod v1;
mod v2;

pub use error::ApiError;
pub(crate) use operation::OPERATIONS;

/// All API routes, behind the gate that verifies, limits, checks scopes and logs.
pub(crate) fn routes(web: &Web) -> Router {
    let v2 = Router::new()
        .route("/api/v2/organization", get(v2::organization))
        .route("/api/v2/organization/credits", get(v2::credits));
    let v1 = Router::new()
        .route("/api/v1/organization", get(v1::organization))
        .route(
            "/api/v1/organization/credits",
            get(v1::credits).post(v1::credits_by_post),
        );
    let keyed = operation::unbuilt(v2.merge(v1))
        .route("/api/v2", get(gate::no_such_route))
        .route("/api/v2/", get(gate::no_such_route))
        .route("/api/v1/", get(gate::no_such_route))
        .route("/api/v1", get(gate::no_such_route))
        .route("/api/v2/{*path}", get(gate::no_such_route))
        .route("/api/v1/{*path}", get(gate::no_such_route))
        .method_not_allowed_fallback(gate::no_such_route)
        .layer(from_fn_with_state(web.clone(), gate::gate))
        .with_state(web.clone());
    let unkeyed = Router::new()
        .route("/api/keys/revoke", post(revoke::revoke))
        .method_not_allowed_fallback(gate::no_such_route)
        .layer(from_fn_with_state(web.clone(), gate::open_gate))
        .with_state(web.clone());
    keyed.merge(unkeyed)
}
