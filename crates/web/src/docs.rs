//! The published documentation of the API, with this server's address in every sample.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use headshot_pages::{
    Bodies, DocsAuthentication, DocsErrors, DocsOverview, DocsRateLimits, DocsWebhooks,
    OperationDoc, ParameterDoc, Reference, ResponseDoc, Template,
};
use serde_json::Value;

use crate::Web;
use crate::api::{OPERATIONS, openapi};
use crate::dashboard::PageError;
use crate::public::{Page, Public};

mod samples;

pub(crate) use samples::Samples;

pub(crate) fn routes() -> Router<Web> {
    let mut routes = Router::new().route("/assets/{*path}", get(asset));
    for (path, page) in PAGES {
        let show = move |State(web): State<Web>, headers: HeaderMap| async move {
            let kept = web.0.public.page(page, || make(&web, page))?;
            Ok::<_, PageError>(kept.answer(&headers))
        };
        routes = routes.route(path, get(show));
    }
    routes
}

const PAGES: [(&str, Page); 7] = [
    ("/api", Page::Overview),
    ("/api/authentication", Page::Authentication),
    ("/api/errors", Page::Errors),
    ("/api/rate-limits", Page::RateLimits),
    ("/api/webhooks", Page::Webhooks),
    ("/api/reference", Page::Reference),
    ("/api/openapi.json", Page::Document),
];

/// A page that is the same for everybody.
fn make(web: &Web, page: Page) -> Result<Public, PageError> {
    let (base_url, bodies) = (web.base_url().to_owned(), || bodies(web));
    let html = match page {
        Page::Overview => {
            let bodies = bodies();
            DocsOverview { base_url, bodies }.render()
        }
        Page::Authentication => {
            let bodies = bodies();
            DocsAuthentication { base_url, bodies }.render()
        }
        Page::Errors => {
            let bodies = bodies();
            DocsErrors { base_url, bodies }.render()
        }
        Page::RateLimits => {
            let bodies = bodies();
            DocsRateLimits { base_url, bodies }.render()
        }
        Page::Webhooks => DocsWebhooks { base_url }.render(),
        Page::Reference => {
            let document = serde_json::to_value(openapi::document(&base_url))?;
            let operations = operations(&document, &base_url);
            Reference {
                base_url,
                operations,
            }
            .render()
        }
        Page::Document => {
            let document = openapi::document(&base_url);
            return Ok(Public::json(serde_json::to_vec(&document)?));
        }
    };
    Ok(Public::page(html?))
}

/// The recorded answers that the pages explain.
fn bodies(web: &Web) -> Bodies {
    let samples = Samples::read();
    let of = |operation, status| {
        let sample = samples.find(operation, status);
        sample.map_or_else(String::new, |sample| sample.answer(web.base_url()))
    };
    Bodies {
        organization: of("getOrganization", 200),
        invalid_request: of("updateTeam", 400),
        unauthorized: of("getOrganization", 401),
        insufficient_credits: of("createInvite", 402),
        forbidden: of("createInvite", 403),
        rate_limited: of("getOrganization", 429),
    }
}

/// The document's operations: v2 in the contract's order, then v1, then what needs no scope.
fn operations(document: &Value, base_url: &str) -> Vec<OperationDoc> {
    let samples = Samples::read();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let told = Told {
                document,
                base_url,
                samples: &samples,
                operation,
            };
            all.push(told.doc(&method.to_uppercase(), path));
        }
    }
    let place = |doc: &OperationDoc| {
        let mut known = OPERATIONS.iter();
        let place = known.position(|known| known.path == doc.path && known.method == doc.method);
        place.unwrap_or(OPERATIONS.len())
    };
    all.sort_by_key(place);
    all
}

/// One operation of the document, and what its samples are taken from.
struct Told<'a> {
    document: &'a Value,
    base_url: &'a str,
    samples: &'a Samples,
    operation: &'a Value,
}

impl Told<'_> {
    fn doc(&self, method: &str, path: &str) -> OperationDoc {
        let scope = OPERATIONS
            .iter()
            .find(|known| known.path == path && known.method == method)
            .map(|known| known.scope.name().to_owned());
        let id = text(&self.operation["operationId"]);
        let success = self.samples.find(&id, 200);
        let responses = self.operation["responses"].as_object();
        OperationDoc {
            method: method.to_owned(),
            path: path.to_owned(),
            summary: text(&self.operation["summary"]),
            description: text(&self.operation["description"]).replace('\n', " "),
            scope: scope.unwrap_or_default(),
            parameters: self.parameters(),
            sample_path: success.map_or(path, |sample| sample.path).to_owned(),
            request_example: success
                .map(|sample| sample.body(self.base_url))
                .unwrap_or_default(),
            responses: responses
                .into_iter()
                .flatten()
                .map(|(status, response)| self.response(&id, status, response))
                .collect(),
        }
    }

    fn response(&self, id: &str, status: &str, response: &Value) -> ResponseDoc {
        let status = status.parse().unwrap_or(0);
        let sample = self.samples.find(id, status);
        let example = sample.map(|sample| sample.answer(self.base_url));
        ResponseDoc {
            status,
            description: text(&response["description"]),
            example: example
                .or_else(|| crate::api::error::example(status))
                .unwrap_or_default(),
        }
    }

    fn parameters(&self) -> Vec<ParameterDoc> {
        let listed = self.operation["parameters"].as_array();
        let listed = listed.into_iter().flatten().map(|parameter| ParameterDoc {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: self.kind(&parameter["schema"]),
            required: parameter["required"].as_bool().unwrap_or(false),
            description: text(&parameter["description"]),
        });
        let body = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        let body = resolve(self.document, body);
        let required = |name: &str| {
            let names = body["required"].as_array();
            names.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let fields = body["properties"].as_object();
        let fields = fields
            .into_iter()
            .flatten()
            .map(|(name, field)| ParameterDoc {
                name: name.clone(),
                place: "body".to_owned(),
                kind: self.kind(field),
                required: required(name),
                // Of a field that may be null too, its type has it.
                description: field["description"]
                    .as_str()
                    .or_else(|| field["oneOf"][0]["description"].as_str())
                    .unwrap_or_default()
                    .to_owned(),
            });
        listed.chain(fields).collect()
    }

    /// A type in words: *integer, at least 1*; *main or all*.
    fn kind(&self, schema: &Value) -> String {
        let schema = resolve(self.document, schema);
        if let Some(words) = schema["enum"].as_array() {
            return words.iter().map(text).collect::<Vec<_>>().join(" or ");
        }
        if let Some(either) = schema["oneOf"].as_array().and_then(|all| all.first()) {
            return self.kind(either);
        }
        // What may be null as well says so first or last.
        let named = schema["type"].as_array().into_iter().flatten();
        let named = named.map(text).find(|name| name != "null");
        let named = named.unwrap_or_else(|| text(&schema["type"]));
        let (mut kind, unit) = match (named, schema["format"].as_str()) {
            (_, Some("email")) => ("mail address".to_owned(), "characters"),
            (kind, _) if kind == "array" => {
                let items = text(&resolve(self.document, &schema["items"])["type"]);
                (format!("list of {items}s"), "items")
            }
            (kind, _) => (kind, "characters"),
        };
        let limit = |name: &str| schema[name].as_i64();
        if let Some(least) = limit("minimum") {
            let _infallible = write!(kind, ", at least {least}");
        }
        let least = limit("minLength").or(limit("minItems"));
        let most = limit("maxLength").or(limit("maxItems"));
        let _infallible = match (least, most) {
            (Some(least), Some(most)) => write!(kind, ", {least} to {most} {unit}"),
            (None, Some(most)) => write!(kind, ", at most {most} {unit}"),
            _ => Ok(()),
        };
        kind
    }
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

async fn asset(
    State(web): State<Web>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let asset = headshot_pages::asset(&path).ok_or(PageError::NotFound)?;
    Ok(web.0.public.asset(asset).answer(&headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::Limits;
    use crate::tests::served;
    use axum::body::Body;
    use axum::http::Request;
    use headshot_domain::{Access, Scope};
    use tower::ServiceExt;

    #[tokio::test]
    async fn the_table_of_scopes_follows_the_operations() {
        let served = served(Limits::default()).await;
        let request = Request::get("/api/authentication").body(Body::empty());
        let page = crate::router(&served.web).oneshot(request.unwrap()).await;
        let page = axum::body::to_bytes(page.unwrap().into_body(), 1_000_000).await;
        let page = String::from_utf8(page.unwrap().to_vec()).unwrap();
        for scope in Scope::ALL {
            let row = format!("<th scope=\"row\"><code>{}</code></th>", scope.name());
            let (_, rest) = page.split_once(&row).unwrap();
            let (cells, _) = rest.split_once("</tr>").unwrap();
            let cells: Vec<&str> = cells.split("<td>").skip(1).collect();
            for (cell, access) in cells.iter().zip([Access::Read, Access::Write]) {
                let mut asked = OPERATIONS.iter();
                let any = asked.any(|asked| asked.scope == scope && asked.access == access);
                let says_any = !cell.starts_with("Nothing yet");
                assert_eq!(says_any, any, "{} {access:?}: {cell}", scope.name());
            }
        }
    }
}
