//! The published contract, and whether an answer keeps it.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// The contract's document.
pub(crate) static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../contract/openapi.json")).unwrap());

/// The path's template, literal segments before parameters.
pub(crate) fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let paths = CONTRACT["paths"].as_object().unwrap();
    let matches = |template: &str| {
        let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.starts_with('{') || a == b)
    };
    let mut found: Vec<&str> = paths
        .keys()
        .map(String::as_str)
        .filter(|template| matches(template))
        .collect();
    found.sort_by_key(|template| template.matches('{').count());
    found.first().copied()
}

/// Follows a reference within `document`.
pub(crate) fn resolved<'a>(document: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str() {
        None => node,
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            resolved(document, document.pointer(pointer).unwrap())
        }
    }
}

/// Statuses that we give and the contract does not publish for the operation: it takes something that
/// can be wrong, or the request can't be read (see docs/decisions).
const UNPUBLISHED: [(&str, u16); 4] = [
    ("getOrganization", 400),
    ("listInvites", 400),
    ("getFavoriteModelPhoto", 400),
    ("v1CreateInvite", 404),
];

/// Stops the test when an answer is not what the contract publishes.
pub(crate) fn check(method: &str, path: &str, status: u16, body: &Value) {
    let error = &CONTRACT["components"]["schemas"]["Error"];
    let Some(template) = template(path) else {
        assert_eq!(status, 404, "{method} {path} is no published operation");
        return valid(&CONTRACT, error, body);
    };
    let operation = &CONTRACT["paths"][template][method.to_lowercase()];
    let Some(id) = operation["operationId"].as_str() else {
        assert_eq!(status, 404, "{method} {path} is no published operation");
        return valid(&CONTRACT, error, body);
    };
    let published = &operation["responses"][status.to_string()];
    if !published.is_object() {
        // What may become of any request is published for v2 alone.
        let of_all = id.starts_with("v1") && [403, 429, 500].contains(&status);
        let known = of_all || UNPUBLISHED.contains(&(id, status));
        assert!(known, "{status} is not published for {id}: {body:#}");
        return valid(&CONTRACT, error, body);
    }
    let response = resolved(&CONTRACT, published);
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{id} has no body with {status}");
    valid(&CONTRACT, schema, body);
}

/// Stops the test when a value is not what a schema of `document` describes, formats included.
pub(crate) fn valid(document: &Value, schema: &Value, body: &Value) {
    let whole = json!({ "components": document["components"], "allOf": [schema] });
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&whole).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?} in {body:#}");
}

/// What is not noticed is not proved.
#[test]
fn a_wrong_answer_is_noticed() {
    let team = json!({ "success": true, "teams": [{ "id": "team_1" }] });
    let error = json!({ "success": false, "error": "No", "code": "NOT_FOUND" });
    let mut invite = json!({
        "success": true, "input": { "email": "a@b.cd" }, "message": "Invite sent", "id": "i",
        "link": "https://a.example/b",
    });
    let invites = "/api/v2/organization/invites";
    check("POST", invites, 200, &invite);
    invite["link"] = "no address".into();
    for (method, path, status, body) in [
        ("GET", "/api/v2/organization/teams", 200, &team),
        ("GET", "/api/v2/organization/teams", 404, &error),
        ("GET", "/api/v2/organization/teams", 418, &error),
        ("POST", invites, 200, &invite),
    ] {
        let wrong = std::panic::catch_unwind(|| check(method, path, status, body));
        assert!(wrong.is_err(), "{method} {path} {status}");
    }
    for (format, wrong) in [
        ("date-time", "2024-01-15 10:30"),
        ("uri", "no address"),
        ("email", "nobody"),
    ] {
        let schema = json!({ "type": "string", "format": format });
        let noticed = std::panic::catch_unwind(|| valid(&CONTRACT, &schema, &wrong.into()));
        assert!(noticed.is_err(), "{format}");
    }
}
