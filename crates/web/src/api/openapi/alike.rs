//! What the document says of all operations alike, from the tables that the server runs on: errors
//! that the gate gives, headers that it adds, idempotency, and the recorded samples.

use axum::http::Method;
use headshot_app::idempotency::KEY_MAX;
use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Content, Deprecated, OpenApi, Ref, RefOr, Required, Response, Schema};

use crate::api::{error, idempotent, operation};
use crate::docs::Samples;

/// One printable ASCII text; a header's value has no space around it.
const KEY_PATTERN: &str = "^[!-~]([ -~]*[!-~])?$";

const JSON: &str = "application/json";

/// Completes what the operations say of themselves, for a server at `base_url`.
pub(super) fn complete(document: &mut OpenApi, base_url: &str) {
    let samples = Samples::read();
    for (path, item) in &mut document.paths.paths {
        let methods = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                if path.starts_with("/api/v1/") {
                    operation.deprecated = Some(Deprecated::True);
                }
                idempotency(operation, &method, path);
                numbers_of_any_size(operation);
                optional_body(operation);
                answers(operation);
                let record = Sampled {
                    samples: &samples,
                    base_url,
                    id: operation.operation_id.clone().unwrap_or_default(),
                };
                record.add(operation, path);
            }
        }
    }
}

/// The header, where `api::idempotent` heeds it.
fn idempotency(operation: &mut Operation, method: &Method, path: &str) {
    if !operation::find(method, path).is_some_and(idempotent::heeds) {
        return;
    }
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(KEY_MAX))
        .pattern(Some(KEY_PATTERN))
        .build();
    let header = ParameterBuilder::new()
        .name(idempotent::HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Makes the request safe to repeat for 24 hours: the same key with the same request \
             gets the first answer, and changes nothing again.",
        ))
        .schema(Some(text))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(header));
}

/// Numbers of the query are taken whatever their size: beyond the largest is as good as it.
fn numbers_of_any_size(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Object(schema))) = parameter.schema.as_mut()
            && matches!(
                schema.format,
                Some(SchemaFormat::KnownFormat(KnownFormat::Int64))
            )
        {
            schema.format = None;
        }
    }
}

/// A body that may be absent is not `null`, as the type of its handler has it.
fn optional_body(operation: &mut Operation) {
    if let Some(RefOr::T(request)) = operation.request_body.as_mut()
        && let Some(RefOr::T(content)) = request.content.get_mut(JSON)
        && let Some(RefOr::T(Schema::OneOf(either))) = &content.schema
        && let Some(whole) = either.items.first()
    {
        content.schema = Some(whole.clone());
        request.required = Some(Required::False);
    }
}

/// The error that any operation may give for a request that can't be read, and the headers.
fn answers(operation: &mut Operation) {
    let all = &mut operation.responses.responses;
    all.entry("400".to_owned())
        .or_insert_with(|| RefOr::T(unreadable()));
    for (status, response) in all {
        if let RefOr::T(response) = response {
            headers(response, status);
        }
    }
}

fn unreadable() -> Response {
    let mut response =
        Response::new("The request can't be understood, or its headers are too large.");
    let body = Ref::from_schema_name("ErrorBody");
    response
        .content
        .insert(JSON.to_owned(), RefOr::T(Content::new(Some(body))));
    response
}

fn headers(response: &mut Response, status: &str) {
    let integer = || {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
    };
    let string = || ObjectBuilder::new().schema_type(Type::String);
    let mut add = |name: &str, schema: ObjectBuilder, description: &str| {
        let header = HeaderBuilder::new()
            .schema(Some(schema.build()))
            .description(Some(description))
            .build();
        response.headers.insert(name.to_owned(), RefOr::T(header));
    };
    let time = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    add("X-RateLimit-Limit", integer(), "Requests a minute.");
    add(
        "X-RateLimit-Remaining",
        integer(),
        "How many of them are left.",
    );
    add("X-RateLimit-Reset", time, "When they are counted anew.");
    add(
        "X-Request-Id",
        string(),
        "Names the request to the operator.",
    );
    match status {
        "401" | "403" => add("WWW-Authenticate", string(), "What is missing (RFC 6750)."),
        "429" => add("Retry-After", integer(), "Seconds to wait."),
        _ => {}
    }
}

/// The recorded samples of one operation.
struct Sampled<'a> {
    samples: &'a Samples,
    base_url: &'a str,
    id: String,
}

impl Sampled<'_> {
    fn add(&self, operation: &mut Operation, path: &str) {
        let success = self.samples.find(&self.id, 200);
        if let Some(sample) = success {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    let value = sample.parameter(path, &parameter.name).map(Value::from);
                    set(parameter, value);
                }
            }
            let body = sample.body(self.base_url);
            if let Some(RefOr::T(request)) = operation.request_body.as_mut() {
                example(request.content.get_mut(JSON), &body);
            }
        }
        for (status, response) in &mut operation.responses.responses {
            let status = status.parse().unwrap_or(0);
            if let RefOr::T(response) = response {
                let sample = self.samples.find(&self.id, status);
                let text = sample.map(|sample| sample.answer(self.base_url));
                let text = text.or_else(|| error::example(status)).unwrap_or_default();
                example(response.content.get_mut(JSON), &text);
            }
        }
    }
}

fn set(parameter: &mut Parameter, value: Option<Value>) {
    if value.is_some() {
        let changed = std::mem::take(parameter);
        *parameter = ParameterBuilder::from(changed).example(value).build();
    }
}

fn example(content: Option<&mut RefOr<Content>>, text: &str) {
    if let (Some(RefOr::T(content)), Ok(value)) = (content, serde_json::from_str(text)) {
        content.example = Some(value);
    }
}
