//! The published operations: method, path, scope. Contract: README.md, one-page summary; v1-legacy.md.

use axum::http::Method;
use headshot_domain::Access::{self, Read, Write};
use headshot_domain::Scope::{self, Invites, Models, Organization, Photos, Teams};

/// One published operation.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// The route's pattern.
    pub(crate) path: &'static str,
    /// What a key needs for it.
    pub(crate) scope: Scope,
    pub(crate) access: Access,
}

const fn op(
    method: &'static str,
    path: &'static str,
    (scope, access): (Scope, Access),
) -> Operation {
    Operation {
        method,
        path,
        scope,
        access,
    }
}

/// Where whoever holds a key ends it. No operation: it needs no other permission.
pub(crate) const REVOKE: &str = "/api/keys/revoke";

/// The one path that holds a secret.
pub(crate) const INVITE_BY_ID: &str = "/api/v1/organization/invite/id/{inviteId}";

/// All of them, v2 in the contract's order, then v1.
#[rustfmt::skip]
pub(crate) const OPERATIONS: [Operation; 31] = [
    op("GET", "/api/v2/organization", (Organization, Read)),
    op("GET", "/api/v2/organization/credits", (Organization, Read)),
    op("GET", "/api/v2/organization/invites", (Invites, Read)),
    op("POST", "/api/v2/organization/invites", (Invites, Write)),
    op("GET", "/api/v2/organization/invites/{email}", (Invites, Read)),
    op("POST", "/api/v2/organization/invites/revoke", (Invites, Write)),
    op("GET", "/api/v2/organization/teams", (Teams, Read)),
    op("POST", "/api/v2/organization/teams", (Teams, Write)),
    op("PUT", "/api/v2/organization/teams/{teamId}", (Teams, Write)),
    op("DELETE", "/api/v2/organization/teams/{teamId}", (Teams, Write)),
    op("POST", "/api/v2/organization/teams/{teamId}/members", (Teams, Write)),
    op("GET", "/api/v2/organization/team", (Teams, Read)),
    op("GET", "/api/v2/organization/team/accepted", (Teams, Read)),
    op("GET", "/api/v2/organization/team/pending", (Teams, Read)),
    op("GET", "/api/v2/organization/team/finished", (Teams, Read)),
    op("GET", "/api/v2/organization/models", (Models, Read)),
    op("POST", "/api/v2/organization/models", (Models, Write)),
    op("GET", "/api/v2/organization/models/{modelId}", (Models, Read)),
    op("DELETE", "/api/v2/organization/models/{modelId}", (Models, Write)),
    op("GET", "/api/v2/organization/models/{modelId}/photos", (Photos, Read)),
    op("GET", "/api/v2/organization/models/{modelId}/photos/favorite", (Photos, Read)),
    op("GET", "/api/v2/organization/models/{modelId}/photos/{photoId}", (Photos, Read)),
    op("POST", "/api/v2/organization/models/{modelId}/photos/download", (Photos, Read)),
    op("GET", "/api/v2/organization/photos/favorites", (Photos, Read)),
    op("GET", "/api/v1/organization", (Organization, Read)),
    op("GET", "/api/v1/organization/credits", (Organization, Read)),
    op("POST", "/api/v1/organization/credits", (Organization, Read)),
    op("POST", "/api/v1/organization/invite", (Invites, Write)),
    op("POST", "/api/v1/organization/invite/revoke", (Invites, Write)),
    op("GET", "/api/v1/organization/invites", (Invites, Read)),
    op("GET", INVITE_BY_ID, (Invites, Read)),
];

/// The operation behind a matched route, if the method is one of its.
pub(crate) fn find(method: &Method, path: &str) -> Option<&'static Operation> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    OPERATIONS
        .iter()
        .find(|operation| operation.method == method && operation.path == path)
}

/// The methods of a matched route, for `Allow`; `None` where there is no operation.
pub(crate) fn allowed(path: &str) -> Option<String> {
    if path == REVOKE {
        return Some("OPTIONS, POST".to_owned());
    }
    let mut methods = vec!["OPTIONS"];
    for operation in OPERATIONS.iter().filter(|operation| operation.path == path) {
        methods.push(operation.method);
        if operation.method == "GET" {
            methods.push("HEAD");
        }
    }
    methods.sort_unstable();
    (methods.len() > 1).then(|| methods.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_there_once() {
        for (index, a) in OPERATIONS.iter().enumerate() {
            assert!(
                OPERATIONS[index + 1..]
                    .iter()
                    .all(|b| (a.method, a.path) != (b.method, b.path))
            );
        }
        assert_eq!(
            OPERATIONS
                .iter()
                .filter(|o| o.path.starts_with("/api/v2/"))
                .count(),
            24
        );
    }

    #[test]
    fn methods_of_a_route() {
        assert_eq!(allowed("/api/v2/{*path}"), None);
        assert_eq!(allowed(REVOKE).as_deref(), Some("OPTIONS, POST"));
        assert_eq!(
            allowed("/api/v2/organization").as_deref(),
            Some("GET, HEAD, OPTIONS")
        );
        assert_eq!(
            allowed("/api/v2/organization/teams/{teamId}").as_deref(),
            Some("DELETE, OPTIONS, PUT")
        );
    }
}
