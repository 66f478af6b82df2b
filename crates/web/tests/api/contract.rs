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

/// Stops the test when an answer is not what the contract publishes.
pub(crate) fn check(method: &str, path: &str, status: u16, body: &Value) {
    let Some(template) = template(path) else {
        assert_eq!(status, 404, "{method} {path} is no published operation");
        return valid(&CONTRACT["components"]["schemas"]["Error"], body);
    };
    let operation = &CONTRACT["paths"][template][method.to_lowercase()];
    let response = resolved(&CONTRACT, &operation["responses"][status.to_string()]);
    let schema = &response["content"]["application/json"]["schema"];
    if status == 200 {
        assert!(schema.is_object(), "{method} {template} has no answer");
        valid(schema, body);
    } else {
        valid(&CONTRACT["components"]["schemas"]["Error"], body);
    }
}

fn valid(schema: &Value, body: &Value) {
    let whole = json!({ "components": CONTRACT["components"], "allOf": [schema] });
    let validator = jsonschema::draft202012::new(&whole).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?} in {body:#}");
}

#[test]
fn a_wrong_body_is_noticed() {
    let body = json!({ "success": true, "teams": [{ "id": "team_1" }] });
    let wrong = std::panic::catch_unwind(|| {
        check("GET", "/api/v2/organization/teams", 200, &body);
    });
    assert!(wrong.is_err());
}
