//! Our OpenAPI document against the published contract, operation by operation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::contract::{CONTRACT, resolved};

/// What we add, with a reason in docs/decisions.
const EXTRA_PARAMETERS: [(&str, &[&str]); 8] = [
    ("listInvites", &["limit query", "offset query"]),
    ("createInvite", &["Idempotency-Key header"]),
    ("revokeInvite", &["Idempotency-Key header"]),
    ("createTeam", &["Idempotency-Key header"]),
    ("addMembersToTeam", &["Idempotency-Key header"]),
    ("createModel", &["Idempotency-Key header"]),
    ("v1CreateInvite", &["Idempotency-Key header"]),
    ("v1RevokeInvite", &["Idempotency-Key header"]),
];

/// What we take less of than is published, with a reason in docs/decisions.
const NARROWER: [&str; 1] =
    [r#"createModel body.version: words {}, published {"lora", "one-shot"}"#];

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

fn operations(document: &Value) -> BTreeMap<String, (String, &Value, &Value)> {
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
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
        // The other way round: what is published must be taken.
        differences(&format!("{id} body"), &ours, &published, &mut found);
    }
    assert_eq!(found, NARROWER);
    let unpublished: Vec<_> = ours
        .keys()
        .filter(|id| !published.contains_key(*id))
        .collect();
    assert_eq!(unpublished, ["revokeKey"]);
}
