//! The generated OpenAPI 3.1 document.

use headshot_domain::ApiKeySecret;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, ServerBuilder};

use crate::api::{error, revoke, v1, v2};

mod alike;
mod webhook;

#[derive(OpenApi)]
#[openapi(
    paths(
        v2::organization::organization, v2::organization::credits,
        v2::invites::list, v2::invites::create, v2::invites::get, v2::invites::revoke,
        v2::teams::list, v2::teams::create, v2::teams::update, v2::teams::delete, v2::teams::add_members,
        v2::people::list, v2::people::accepted, v2::people::pending, v2::people::finished,
        v2::models::list, v2::models::create, v2::models::get, v2::models::delete,
        v2::photos::list, v2::photos::favorite, v2::photos::download, v2::photos::get, v2::photos::favorites,
        v1::organization, v1::credits, v1::credits_by_post, v1::create_invite, v1::revoke_invite,
        v1::list_invites, v1::get_invite,
        revoke::revoke,
    ),
    components(schemas(error::ErrorBody)),
    tags(
        (name = "organization", description = "Organization details and credits. Scope `organization`."),
        (name = "invites", description = "Invitations. Scope `invites`."),
        (name = "teams", description = "Teams. Scope `teams`."),
        (name = "team-members", description = "The people of the organization. Scope `teams`."),
        (name = "models", description = "One person's headshot session each. Scope `models`."),
        (name = "photos", description = "Generated headshots. Scope `photos`."),
        (name = "legacy", description = "v1, for older clients. The scopes are the same."),
        (name = "keys", description = "What the holder of a key can do with the key itself."),
    ),
    security(("bearerAuth" = [])),
)]
struct Document;

/// The document for a server at `base_url`.
pub fn document(base_url: &str) -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.info = InfoBuilder::new()
        .title("Headshot API")
        .version("2.0.0")
        .description(Some(
            "The HeadshotPro HTTP API, served by this installation. Every answer carries \
             `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (an ISO 8601 \
             timestamp).",
        ))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url(base_url).build()]);
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format(ApiKeySecret::PATTERN)
        .description(Some("An API key of one organization, from Admin > API."))
        .build();
    alike::complete(&mut document, base_url);
    webhook::add(&mut document);
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme("bearerAuth", SecurityScheme::Http(scheme));
    }
    document
}
