//! Our OpenAPI document against the published contract, operation by operation.

use std::collections::{BTreeMap, BTreeSet};

use headshot_app::audit::Actor;
use headshot_app::{models, webhooks};
use headshot_domain::{Gender, ModelId, ModelStatus, WebhookEvent};
use headshot_storage::models::Model;
use serde_json::Value;

use crate::contract::{CONTRACT, resolved, valid};
use crate::world::{Kind, World};

/// What we add, with a reason in docs/decisions.
const EXTRA_PARAMETERS: [(&str, &[&str]); 11] = [
    ("listInvites", &["limit query", "offset query"]),
    ("createInvite", &["Idempotency-Key header"]),
    ("revokeInvite", &["Idempotency-Key header"]),
    ("createTeam", &["Idempotency-Key header"]),
    ("addMembersToTeam", &["Idempotency-Key header"]),
    ("createModel", &["Idempotency-Key header"]),
    ("v1CreateInvite", &["Idempotency-Key header"]),
    ("v1RevokeInvite", &["Idempotency-Key header"]),
    ("downloadModelPhotos", &["Idempotency-Key header"]),
    ("v1PostCredits", &["Idempotency-Key header"]),
    ("onModelEvent", &["X-HeadshotPro-Signature-Previous header"]),
];

/// Where we differ from what is published, with a reason in docs/decisions.
const DIFFERENT: [&str; 2] = [
    r#"createModel body.version: words {}, published {"lora", "one-shot"}"#,
    "v1CreateInvite documents 404, which is not published",
];

/// What any request may be answered, whether an operation publishes it or not: it is malformed, lacks
/// the scope, comes too often, or the server fails.
const ANY_REQUEST: [&str; 4] = ["400", "403", "429", "500"];

fn ours() -> Value {
    serde_json::to_value(headshot_web::api::openapi::document("http://localhost")).unwrap()
}

/// The names, and which of them are always there, of everything a schema describes.
#[derive(Debug, PartialEq, Eq, Default)]
struct Shape {
    kinds: BTreeSet<String>,
    words: BTreeSet<String>,
    fields: BTreeMap<String, (bool, Shape)>,
    items: Option<Box<Shape>>,
}

fn shape(document: &Value, schema: &Value) -> Shape {
    let schema = resolved(document, schema);
    let mut shape = Shape::default();
    match &schema["type"] {
        Value::String(kind) => drop(shape.kinds.insert(kind.clone())),
        Value::Array(kinds) => {
            shape
                .kinds
                .extend(kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()));
        }
        _ => {}
    }
    let words = schema["enum"].as_array().into_iter().flatten();
    shape
        .words
        .extend(words.filter_map(Value::as_str).map(str::to_owned));
    let required: BTreeSet<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let inner = self::shape(document, field);
        let always = required.contains(name.as_str());
        shape.fields.insert(name.clone(), (always, inner));
    }
    if schema["items"].is_object() {
        shape.items = Some(Box::new(self::shape(document, &schema["items"])));
    }
    for list in ["allOf", "anyOf", "oneOf"] {
        for part in schema[list].as_array().into_iter().flatten() {
            let part = self::shape(document, part);
            shape.kinds.extend(part.kinds);
            shape.words.extend(part.words);
            shape.fields.extend(part.fields);
        }
    }
    shape
}

/// Whether a value of shape `ours` is always one of shape `published`.
fn differences(at: &str, published: &Shape, ours: &Shape, found: &mut Vec<String>) {
    // A number may be narrower, and what we never leave empty need not be nullable.
    let mut allowed = published.kinds.clone();
    if allowed.contains("number") {
        allowed.insert("integer".into());
    }
    if !allowed.is_empty() && !ours.kinds.is_subset(&allowed) {
        found.push(format!(
            "{at}: kinds {:?}, published {:?}",
            ours.kinds, published.kinds
        ));
    }
    if !published.words.is_empty() && ours.words != published.words {
        found.push(format!(
            "{at}: words {:?}, published {:?}",
            ours.words, published.words
        ));
    }
    for (name, (always, inner)) in &published.fields {
        match ours.fields.get(name) {
            None if *always => found.push(format!("{at}: {name} is missing")),
            None => {}
            Some((ours_always, _)) if *always && !ours_always => {
                found.push(format!("{at}: {name} may be absent"));
            }
            Some((_, ours)) => differences(&format!("{at}.{name}"), inner, ours, found),
        }
    }
    for name in ours.fields.keys() {
        if !published.fields.contains_key(name) {
            found.push(format!("{at}: {name} is not published"));
        }
    }
    if let (Some(published), Some(ours)) = (&published.items, &ours.items) {
        differences(&format!("{at}[]"), published, ours, found);
    }
}

/// What a client calls, and what it is called with.
fn operations(document: &Value) -> BTreeMap<String, (String, &Value, &Value)> {
    let mut found = BTreeMap::new();
    let items = |name: &str| document[name].as_object().unwrap();
    for (path, item) in items("paths").iter().chain(items("webhooks")) {
        for method in ["get", "post", "put", "delete"] {
            let operation = &item[method];
            if let Some(id) = operation["operationId"].as_str() {
                let place = format!("{method} {path}");
                found.insert(id.to_owned(), (place, item, operation));
            }
        }
    }
    found
}

fn parameters(document: &Value, item: &Value, operation: &Value) -> BTreeSet<String> {
    [item, operation]
        .into_iter()
        .flat_map(|of| of["parameters"].as_array().into_iter().flatten())
        .map(|parameter| {
            let parameter = resolved(document, parameter);
            let text = |name: &str| parameter[name].as_str().unwrap().to_owned();
            format!("{} {}", text("name"), text("in"))
        })
        .collect()
}

#[test]
fn our_document_is_the_contract_s() {
    let ours_document = ours();
    let (published, ours) = (operations(&CONTRACT), operations(&ours_document));
    let mut found = Vec::new();
    for (id, (place, item, operation)) in &published {
        let Some((our_place, our_item, our_operation)) = ours.get(id) else {
            found.push(format!("{id} is missing"));
            continue;
        };
        if place != our_place {
            found.push(format!("{id} is at {our_place}, published {place}"));
        }
        let mut known = parameters(&CONTRACT, item, operation);
        let extra = EXTRA_PARAMETERS.iter().find(|(of, _)| of == id);
        known.extend(
            extra
                .into_iter()
                .flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())),
        );
        let have = parameters(&ours_document, our_item, our_operation);
        if known != have {
            found.push(format!("{id} takes {have:?}, published {known:?}"));
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let of = |document: &Value, response: &Value| {
                let schema = &resolved(document, response)["content"]["application/json"]["schema"];
                shape(document, schema)
            };
            let ours = &our_operation["responses"][status];
            if !ours.is_object() {
                found.push(format!("{id} does not document {status}"));
                continue;
            }
            let (published, ours) = (of(&CONTRACT, response), of(&ours_document, ours));
            differences(&format!("{id} {status}"), &published, &ours, &mut found);
        }
        for status in our_operation["responses"].as_object().unwrap().keys() {
            let is_published = operation["responses"][status].is_object();
            if !is_published && !ANY_REQUEST.contains(&status.as_str()) {
                found.push(format!("{id} documents {status}, which is not published"));
            }
        }
        let body = |document: &Value, operation: &Value| {
            shape(
                document,
                &operation["requestBody"]["content"]["application/json"]["schema"],
            )
        };
        let (published, ours) = (
            body(&CONTRACT, operation),
            body(&ours_document, our_operation),
        );
        // What we take, the other way round: what is published must be taken.
        let (from, to) = match id.as_str() {
            "onModelEvent" => (&published, &ours),
            _ => (&ours, &published),
        };
        differences(&format!("{id} body"), from, to, &mut found);
    }
    assert_eq!(found, DIFFERENT);
    let unpublished: Vec<_> = ours
        .keys()
        .filter(|id| !published.contains_key(*id))
        .collect();
    assert_eq!(unpublished, ["revokeKey"]);
}

/// Every event, about a model with everything and about one that nobody has begun.
#[tokio::test]
async fn webhook_bodies_are_as_published_and_as_documented() {
    let world = World::new(Kind::Sqlite).await;
    let actor = Actor::command_line();
    let saved = webhooks::save_url(&world.app, &actor, &world.org, "http://127.0.0.1:9/").await;
    assert!(saved.is_ok());
    let id = ModelId::from(world.joined("ann@example.com", None).await.as_str());
    let begun = models::find(&world.app, &world.org, &id).await;
    let begun = begun.unwrap().unwrap();
    let done = Model {
        title: "Ann".into(),
        gender: Some(Gender::Female),
        status: ModelStatus::Active,
        finished_at: Some(begun.created_at),
        deleted_at: Some(begun.created_at),
        invite_expires_at: None,
        ..begun.clone()
    };
    let events = [
        WebhookEvent::Created,
        WebhookEvent::StatusUpdated,
        WebhookEvent::PhotosReady,
        WebhookEvent::FavoriteSelected,
        WebhookEvent::Deleted,
    ];
    let mut tx = world.app.db.write().await.unwrap();
    for event in events {
        for model in [&begun, &done] {
            let told = webhooks::emit(&world.app, &mut tx, event, model).await;
            told.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let ours = ours();
    let page = webhooks::page(&world.app, &world.org, None, None).await;
    let told = page.unwrap().events;
    // One was told of the session itself.
    assert_eq!(told.len(), 1 + 2 * events.len());
    for (event, _) in told {
        let body: Value = serde_json::from_str(&event.body).unwrap();
        for document in [&*CONTRACT, &ours] {
            let operation = &document["webhooks"]["modelEvent"]["post"];
            let content = &operation["requestBody"]["content"]["application/json"];
            valid(document, &content["schema"], &body);
        }
    }
    let sample = serde_json::from_str(headshot_pages::WEBHOOK_BODY).unwrap();
    valid(
        &ours,
        &ours["components"]["schemas"]["WebhookPayload"],
        &sample,
    );
}
