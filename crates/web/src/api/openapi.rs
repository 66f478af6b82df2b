//! The generated OpenAPI 3.1 document.

use headshot_domain::ApiKeySecret;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, ServerBuilder};

use crate::api::{error, revoke, v2};

#[derive(OpenApi)]
#[openapi(
    paths(v2::organization, v2::credits, revoke::revoke),
    components(schemas(error::ErrorBody)),
    tags(
        (name = "organization", description = "Organization details and credits. Scope `organization`."),
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
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme("bearerAuth", SecurityScheme::Http(scheme));
    }
    document
}
