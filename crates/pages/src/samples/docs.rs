use super::{Sample, sample};
use crate::{
    Bodies, DocsAuthentication, DocsErrors, DocsOverview, DocsRateLimits, DocsWebhooks, Error,
    OperationDoc, ParameterDoc, Reference, ResponseDoc,
};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    let base_url = "http://127.0.0.1:8080".to_owned();
    Ok(vec![
        sample(
            "docs-overview",
            &DocsOverview {
                base_url: base_url.clone(),
                bodies: bodies(),
            },
        )?,
        sample(
            "docs-authentication",
            &DocsAuthentication {
                base_url: base_url.clone(),
                bodies: bodies(),
            },
        )?,
        sample(
            "docs-errors",
            &DocsErrors {
                base_url: base_url.clone(),
                bodies: bodies(),
            },
        )?,
        sample(
            "docs-rate-limits",
            &DocsRateLimits {
                base_url: base_url.clone(),
                bodies: bodies(),
            },
        )?,
        sample(
            "docs-webhooks",
            &DocsWebhooks {
                base_url: base_url.clone(),
            },
        )?,
        sample(
            "docs-reference",
            &Reference {
                base_url,
                operations: operations(),
            },
        )?,
    ])
}

fn bodies() -> Bodies {
    let refused = |error: &str, code: &str| {
        format!("{{\n  \"success\": false,\n  \"error\": \"{error}\",\n  \"code\": \"{code}\"\n}}")
    };
    Bodies {
        organization: ORGANIZATION.to_owned(),
        invalid_request: refused("Team name is required", "INVALID_REQUEST"),
        unauthorized: UNAUTHORIZED.to_owned(),
        insufficient_credits: refused("Insufficient credits", "INSUFFICIENT_CREDITS"),
        forbidden: refused("This API key does not have the scope invites", "FORBIDDEN"),
        rate_limited: refused("Rate limit exceeded", "RATE_LIMIT_EXCEEDED"),
    }
}

fn operations() -> Vec<OperationDoc> {
    vec![
        operation(
            "GET",
            "/api/v2/organization",
            "Get the organization",
            ORGANIZATION,
        ),
        operation(
            "GET",
            "/api/v2/organization/credits",
            "Get the credit balance",
            CREDITS,
        ),
        OperationDoc {
            scope: "teams".to_owned(),
            parameters: vec![parameter(
                "teamId",
                "path",
                "string",
                "Identifier of the team.",
            )],
            description: "Its members stay in it.".to_owned(),
            request_example: "{\n  \"name\": \"Marketing\"\n}".to_owned(),
            ..operation(
                "PUT",
                "/api/v2/organization/teams/{teamId}",
                "Rename a team",
                ORGANIZATION,
            )
        },
    ]
}

fn operation(method: &str, path: &str, summary: &str, example: &str) -> OperationDoc {
    OperationDoc {
        method: method.to_owned(),
        path: path.to_owned(),
        summary: summary.to_owned(),
        description: String::new(),
        scope: "organization".to_owned(),
        parameters: Vec::new(),
        sample_path: path.replace("{teamId}", "team_xyz789"),
        request_example: String::new(),
        responses: vec![
            response(200, "Done", example),
            response(401, "The key is not valid", UNAUTHORIZED),
            response(429, "Too many requests in this minute", ""),
        ],
    }
}

fn parameter(name: &str, place: &str, kind: &str, description: &str) -> ParameterDoc {
    ParameterDoc {
        name: name.to_owned(),
        place: place.to_owned(),
        kind: kind.to_owned(),
        required: true,
        description: description.to_owned(),
    }
}

fn response(status: u16, description: &str, example: &str) -> ResponseDoc {
    ResponseDoc {
        status,
        description: description.to_owned(),
        example: example.to_owned(),
    }
}

const ORGANIZATION: &str = r#"{
  "success": true,
  "organization": {
    "uid": "org_abc123def456",
    "name": "Acme Corporation",
    "website": "https://acme.com",
    "teams": [
      { "id": "team_xyz789", "name": "Marketing" }
    ]
  }
}"#;
const CREDITS: &str = "{\n  \"success\": true,\n  \"credits\": 100\n}";
const UNAUTHORIZED: &str =
    "{\n  \"success\": false,\n  \"error\": \"Invalid API key\",\n  \"code\": \"UNAUTHORIZED\"\n}";
