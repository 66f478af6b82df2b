//! What the document says of the deliveries to an organization's receiver (contract: webhooks.md).
//! The bodies are made by `app::webhooks`; a test holds them against this.

use headshot_pages::WEBHOOK_BODY;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, OpenApi, PathItem, PathsBuilder, Ref, Required, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::super::v2::models::{ModelStatus, Trigger};

/// What happened to a model.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "names the fields in the document")]
struct WebhookPayload {
    /// The same on every try of one event.
    #[schema(pattern = "^evt_")]
    id: String,
    /// What happened.
    event: WebhookEvent,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// Always `model`.
    #[schema(pattern = "^model$")]
    object_type: String,
    /// The model as it was then.
    object: WebhookModel,
}

/// A model in an event.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "names the fields in the document")]
struct WebhookModel {
    /// The model's id.
    #[schema(rename = "_id")]
    id: String,
    /// The person's id, `anon_...` for a person without an account.
    uid: String,
    /// The person's name, once it is known, until the model is deleted.
    #[schema(required)]
    title: Option<String>,
    /// `male` or `female`, once it is chosen, until the model is deleted.
    #[schema(required)]
    trigger: Option<Trigger>,
    /// Where it stood.
    status: ModelStatus,
    /// Whether it is a test, which costs nothing.
    is_development: bool,
    /// When the headshots were ready.
    #[schema(required, format = DateTime)]
    finished_at: Option<String>,
    /// When it was deleted.
    #[schema(required, format = DateTime)]
    deleted_at: Option<String>,
    /// Until when the person can begin.
    #[schema(required, format = DateTime)]
    invite_expires_at: Option<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// The organization's id.
    organization: String,
}

/// What can happen.
#[derive(ToSchema)]
#[expect(dead_code, reason = "names the values in the document")]
enum WebhookEvent {
    /// A session was created.
    #[schema(rename = "model.created")]
    Created,
    /// Its status changed.
    #[schema(rename = "model.status.updated")]
    StatusUpdated,
    /// Its headshots are ready.
    #[schema(rename = "model.photos_ready")]
    PhotosReady,
    /// The person chose a photo.
    #[schema(rename = "model.favorite_selected")]
    FavoriteSelected,
    /// It was deleted.
    #[schema(rename = "model.deleted")]
    Deleted,
}

/// Adds the deliveries to the document.
pub(super) fn add(document: &mut OpenApi) {
    if let Some(components) = document.components.as_mut() {
        let all = &mut components.schemas;
        all.insert("WebhookPayload".to_owned(), WebhookPayload::schema());
        all.insert("WebhookModel".to_owned(), WebhookModel::schema());
        all.insert("WebhookEvent".to_owned(), WebhookEvent::schema());
    }
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("WebhookPayload")))
        .example(serde_json::from_str(WEBHOOK_BODY).ok())
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True))
        .build();
    let acknowledged = ResponseBuilder::new().description(
        "Acknowledged. Anything else is tried again at once, after 5 minutes, after 15 minutes and \
         after an hour.",
    );
    let operation = OperationBuilder::new()
        .operation_id(Some("onModelEvent"))
        .summary(Some("Delivery of an event"))
        .description(Some(
            "Posted to the organization's webhook URL. The signature is the HMAC-SHA-256 of the \
             timestamp, a dot and the raw body, keyed with the webhook secret's 64 characters.",
        ))
        .parameter(header(
            "X-HeadshotPro-Signature",
            ("^sha256=[0-9a-f]{64}$", Required::True),
            "Proves who sent it.",
        ))
        .parameter(header(
            "X-HeadshotPro-Timestamp",
            ("^[0-9]+$", Required::True),
            "Unix seconds of this try.",
        ))
        .parameter(header(
            "X-HeadshotPro-Signature-Previous",
            ("^sha256=[0-9a-f]{64}$", Required::False),
            "The same with the secret before, during the overlap of a rotation.",
        ))
        .request_body(Some(body))
        .response("2XX", acknowledged)
        // Nobody has a key there.
        .securities(Some(Vec::<SecurityRequirement>::new()))
        .build();
    let item = PathItem::new(HttpMethod::Post, operation);
    document.webhooks = Some(PathsBuilder::new().path("modelEvent", item).build());
}

fn header(
    name: &str,
    (pattern, required): (&str, Required),
    description: &str,
) -> utoipa::openapi::path::Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(text))
        .build()
}
