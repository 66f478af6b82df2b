//! The published documentation of the API, with this server's address in every sample.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use headshot_pages::{
    DocsAuthentication, DocsErrors, DocsOverview, DocsRateLimits, OperationDoc, ParameterDoc,
    Reference, ResponseDoc, Template,
};
use serde_json::Value;

use crate::Web;
use crate::api::{OPERATIONS, openapi};
use crate::dashboard::PageError;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/api", get(overview))
        .route("/api/authentication", get(authentication))
        .route("/api/errors", get(errors))
        .route("/api/rate-limits", get(rate_limits))
        .route("/api/reference", get(reference))
        .route("/api/openapi.json", get(document))
        .route("/assets/{*path}", get(asset))
}

fn page(template: &impl Template) -> Result<Response, PageError> {
    Ok(axum::response::Html(template.render()?).into_response())
}

fn base_url(web: &Web) -> String {
    web.base_url().to_owned()
}

async fn overview(State(web): State<Web>) -> Result<Response, PageError> {
    page(&DocsOverview {
        base_url: base_url(&web),
    })
}

async fn authentication(State(web): State<Web>) -> Result<Response, PageError> {
    page(&DocsAuthentication {
        base_url: base_url(&web),
    })
}

async fn errors(State(web): State<Web>) -> Result<Response, PageError> {
    page(&DocsErrors {
        base_url: base_url(&web),
    })
}

async fn rate_limits(State(web): State<Web>) -> Result<Response, PageError> {
    page(&DocsRateLimits {
        base_url: base_url(&web),
    })
}

async fn document(State(web): State<Web>) -> impl IntoResponse {
    (
        [(header::CACHE_CONTROL, "no-cache")],
        Json(openapi::document(web.base_url())),
    )
}

async fn reference(State(web): State<Web>) -> Result<Response, PageError> {
    let document = serde_json::to_value(openapi::document(web.base_url()))?;
    page(&Reference {
        base_url: base_url(&web),
        operations: operations(&document),
    })
}

/// The document's operations, in the order in which it lists them.
fn operations(document: &Value) -> Vec<OperationDoc> {
    let paths: BTreeMap<&String, &Value> = document["paths"]
        .as_object()
        .map(|paths| paths.iter().collect())
        .unwrap_or_default();
    let methods = |(path, item): (&String, &Value)| {
        let of_path: Vec<OperationDoc> = item
            .as_object()
            .into_iter()
            .flatten()
            .map(|(method, operation)| operation_doc(document, path, method, operation))
            .collect();
        of_path
    };
    paths.into_iter().flat_map(methods).collect()
}

fn operation_doc(document: &Value, path: &str, method: &str, operation: &Value) -> OperationDoc {
    let method = method.to_uppercase();
    let scope = OPERATIONS
        .iter()
        .find(|known| known.path == path && known.method == method)
        .map(|known| known.scope.name().to_owned());
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    OperationDoc {
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        scope: scope.unwrap_or_default(),
        parameters: parameters(document, operation, body),
        request_example: example_text(document, body),
        responses: operation["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(status, response)| response_doc(document, status, response))
            .collect(),
        method,
    }
}

fn response_doc(document: &Value, status: &str, response: &Value) -> ResponseDoc {
    let schema = &response["content"]["application/json"]["schema"];
    let status = status.parse().unwrap_or(0);
    let example =
        crate::api::error::example(status).unwrap_or_else(|| example_text(document, schema));
    ResponseDoc {
        status,
        description: text(&response["description"]),
        example,
    }
}

fn parameters(document: &Value, operation: &Value, body: &Value) -> Vec<ParameterDoc> {
    let listed = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| ParameterDoc {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: text(&parameter["schema"]["type"]),
            required: parameter["required"].as_bool().unwrap_or(false),
            description: text(&parameter["description"]),
        });
    let schema = resolve(document, body);
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|list| list.iter().any(|entry| entry == name))
    };
    let of_body = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| ParameterDoc {
            name: name.clone(),
            place: "body".to_owned(),
            kind: text(&property["type"]),
            required: required(name),
            description: text(&property["description"]),
        });
    listed.chain(of_body).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'))
    {
        Some(pointer) => document.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

fn example_text(document: &Value, schema: &Value) -> String {
    match example(document, schema) {
        Value::Null => String::new(),
        value => serde_json::to_string_pretty(&value).unwrap_or_default(),
    }
}

/// An example made of the examples of a schema's properties.
fn example(document: &Value, schema: &Value) -> Value {
    let schema = resolve(document, schema);
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    if let Some(properties) = schema["properties"].as_object() {
        let made = properties
            .iter()
            .map(|(name, property)| (name.clone(), example(document, property)));
        return Value::Object(made.collect());
    }
    match schema["items"] {
        Value::Null => Value::Null,
        ref items => Value::Array(vec![example(document, items)]),
    }
}

async fn asset(
    axum::extract::Path(path): axum::extract::Path<String>,
) -> Result<Response, PageError> {
    let asset = headshot_pages::asset(&path).ok_or(PageError::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::ETAG, asset.etag),
    ];
    Ok((headers, asset.bytes).into_response())
}
