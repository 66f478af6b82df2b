//! Every error answer, whole: status, headers, body. Contract: errors.md, rate-limits.md.

use std::collections::BTreeSet;

use crate::support::database::number;
use crate::support::http::raw;
use crate::support::{
    Answer, Browser, Connection, Key, Org, Place, Request, Server, eventually, get, post,
};

const ORGANIZATION: &str = "/api/v2/organization";
const CREDITS: &str = "/api/v2/organization/credits";

struct Served {
    place: Place,
    org: Org,
    server: Server,
    key: Key,
}

fn served() -> Served {
    served_on("standard")
}

fn served_on(plan: &str) -> Served {
    let place = Place::new().with("HEADSHOT_TRUSTED_PROXIES", "127.0.0.0/8");
    let org = place.org(plan);
    let key = place.key(&org, &[]);
    let server = place.serve();
    Served {
        place,
        org,
        server,
        key,
    }
}

impl Served {
    fn with_authorization(&self, value: impl AsRef<[u8]>) -> Answer {
        get(ORGANIZATION)
            .header("Authorization", value)
            .send(&self.server)
    }

    fn with_key(&self, key: &str) -> Answer {
        get(ORGANIZATION).bearer(key).send(&self.server)
    }

    fn own(&self, request: Request) -> Answer {
        request.bearer(&self.key.key).send(&self.server)
    }
}

/// Asserts status, code, the three headers and the shape of an error.
fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.error_code(), code);
    for name in [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
    ] {
        assert!(answer.header(name).is_some(), "no {name}: {answer:?}");
    }
    // That is the framework's word, and tells which paths there are.
    assert_eq!(answer.header("allow"), None, "{answer:?}");
}

#[test]
fn a_missing_key() {
    let served = served();
    insta::assert_snapshot!(get(ORGANIZATION).send(&served.server).shown(), @r#"
    HTTP/1.1 401
    content-type: application/json
    www-authenticate: Bearer realm="headshot"
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 65
    date: [masked]

    {"success":false,"error":"Invalid API key","code":"UNAUTHORIZED"}
    "#);
}

#[test]
fn a_success_for_comparison() {
    let served = served();
    insta::assert_snapshot!(served.with_key(&served.key.key).shown().replace(&served.org.uid, "[uid]"), @r#"
    HTTP/1.1 200
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 108
    date: [masked]

    {"success":true,"organization":{"uid":"[uid]","name":"Acme Corporation","website":"","teams":[]}}
    "#);
    insta::assert_snapshot!(served.own(get(CREDITS)).shown(), @r#"
    HTTP/1.1 200
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 30
    date: [masked]

    {"success":true,"credits":100}
    "#);
}

/// All the ways in which the header can be wrong get one answer.
#[test]
fn keys_that_are_not_valid() {
    let served = served();
    let key = &served.key.key;
    let first = served.with_key("not-a-key");
    insta::assert_snapshot!(first.shown(), @r#"
    HTTP/1.1 401
    content-type: application/json
    www-authenticate: Bearer realm="headshot", error="invalid_token"
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 65
    date: [masked]

    {"success":false,"error":"Invalid API key","code":"UNAUTHORIZED"}
    "#);

    let deleted = served.place.key(&served.org, &["--name", "gone"]);
    served.place.run(&["key", "delete", &deleted.id]);
    let expired = served.place.key(&served.org, &["--expires-in", "1s"]);
    eventually("the key expires", || {
        (served.with_key(&expired.key).status == 401).then_some(())
    });
    let mut wrong_checksum = key.clone();
    let last = if wrong_checksum.pop() == Some('0') {
        '1'
    } else {
        '0'
    };
    wrong_checksum.push(last);
    let unknown = Place::new();
    let unknown = unknown.key(&unknown.org("standard"), &[]).key;
    let cut = &key[..key.len() - 1];

    let garbage = vec![b'~'; 8 * 1024];
    let headers: Vec<(&str, Vec<u8>)> = vec![
        ("empty", b"".to_vec()),
        ("a blank", b" ".to_vec()),
        ("no token", b"Bearer".to_vec()),
        ("an empty token", b"Bearer ".to_vec()),
        ("Basic", b"Basic dXNlcjpwYXNzd29yZA==".to_vec()),
        ("Basic with a key", format!("Basic {key}").into_bytes()),
        ("the key alone", key.clone().into_bytes()),
        ("garbage", garbage),
        (
            "garbage token",
            [b"Bearer ".to_vec(), vec![b'x'; 8 * 1024]].concat(),
        ),
        ("not ASCII", "Bearer hsp_äöü".as_bytes().to_vec()),
        ("not UTF-8", b"Bearer \xff\xfe".to_vec()),
        ("a tab", format!("Bearer\t{key}").into_bytes()),
        ("two tokens", format!("Bearer {key} {key}").into_bytes()),
        ("a list", format!("Bearer {key}, Bearer {key}").into_bytes()),
        ("quotes", format!("Bearer \"{key}\"").into_bytes()),
        ("unknown", format!("Bearer {unknown}").into_bytes()),
        (
            "wrong checksum",
            format!("Bearer {wrong_checksum}").into_bytes(),
        ),
        ("cut", format!("Bearer {cut}").into_bytes()),
        ("longer", format!("Bearer {key}0").into_bytes()),
        (
            "upper case",
            format!("Bearer {}", key.to_uppercase()).into_bytes(),
        ),
        ("deleted", format!("Bearer {}", deleted.key).into_bytes()),
        ("expired", format!("Bearer {}", expired.key).into_bytes()),
        ("the placeholder", b"Bearer YOUR_API_KEY".to_vec()),
    ];
    for (what, value) in headers {
        let answer = served.with_authorization(&value);
        assert_eq!(answer.body, first.body, "{what}");
        assert_error(&answer, 401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, first.header("www-authenticate"), "{what}");
    }
    let two = get(ORGANIZATION)
        .bearer(key)
        .bearer(key)
        .send(&served.server);
    assert_eq!(two.body, first.body);
    assert_error(&two, 401, "UNAUTHORIZED");
}

#[test]
fn the_scheme_in_any_case_and_more_spaces_are_understood() {
    let served = served();
    let key = &served.key.key;
    for value in [
        format!("bearer {key}"),
        format!("BEARER {key}"),
        format!("Bearer   {key}"),
        format!("  Bearer {key}  "),
    ] {
        assert_eq!(served.with_authorization(&value).status, 200, "{value:?}");
    }
}

/// Method, path, scope, and whether it writes. From the contract, not from the code.
#[rustfmt::skip]
const OPERATIONS: [(&str, &str, &str, bool); 31] = [
    ("GET", "/api/v2/organization", "organization", false),
    ("GET", "/api/v2/organization/credits", "organization", false),
    ("GET", "/api/v2/organization/invites", "invites", false),
    ("POST", "/api/v2/organization/invites", "invites", true),
    ("GET", "/api/v2/organization/invites/a%40acme.example", "invites", false),
    ("POST", "/api/v2/organization/invites/revoke", "invites", true),
    ("GET", "/api/v2/organization/teams", "teams", false),
    ("POST", "/api/v2/organization/teams", "teams", true),
    ("PUT", "/api/v2/organization/teams/team_1", "teams", true),
    ("DELETE", "/api/v2/organization/teams/team_1", "teams", true),
    ("POST", "/api/v2/organization/teams/team_1/members", "teams", true),
    ("GET", "/api/v2/organization/team", "teams", false),
    ("GET", "/api/v2/organization/team/accepted", "teams", false),
    ("GET", "/api/v2/organization/team/pending", "teams", false),
    ("GET", "/api/v2/organization/team/finished", "teams", false),
    ("GET", "/api/v2/organization/models", "models", false),
    ("POST", "/api/v2/organization/models", "models", true),
    ("GET", "/api/v2/organization/models/m_1", "models", false),
    ("DELETE", "/api/v2/organization/models/m_1", "models", true),
    ("GET", "/api/v2/organization/models/m_1/photos", "photos", false),
    ("GET", "/api/v2/organization/models/m_1/photos/favorite", "photos", false),
    ("GET", "/api/v2/organization/models/m_1/photos/p_1", "photos", false),
    ("POST", "/api/v2/organization/models/m_1/photos/download", "photos", false),
    ("GET", "/api/v2/organization/photos/favorites", "photos", false),
    ("GET", "/api/v1/organization", "organization", false),
    ("GET", "/api/v1/organization/credits", "organization", false),
    ("POST", "/api/v1/organization/credits", "organization", false),
    ("POST", "/api/v1/organization/invite", "invites", true),
    ("POST", "/api/v1/organization/invite/revoke", "invites", true),
    ("GET", "/api/v1/organization/invites", "invites", false),
    ("GET", "/api/v1/organization/invite/id/i_1", "invites", false),
];
const SCOPES: [&str; 5] = ["organization", "invites", "teams", "models", "photos"];

#[test]
fn a_key_without_the_scope_may_not() {
    let served = served_on("unlimited");
    let mut texts = BTreeSet::new();
    for missing in SCOPES {
        let others: Vec<&str> = SCOPES
            .into_iter()
            .filter(|scope| *scope != missing)
            .collect();
        let key = served
            .place
            .key(&served.org, &["--scopes", &others.join(",")])
            .key;
        for (method, path, scope, _) in OPERATIONS {
            let answer = Request::new(method, path).bearer(&key).send(&served.server);
            if scope == missing {
                assert_error(&answer, 403, "FORBIDDEN");
                texts.insert(answer.shown());
            } else {
                assert_ne!(answer.status, 403, "{method} {path} without {missing}");
            }
        }
    }
    assert_eq!(texts.len(), 5, "{texts:?}");
    insta::assert_snapshot!(texts.first().expect("five"), @r#"
    HTTP/1.1 403
    content-type: application/json
    www-authenticate: Bearer realm="headshot", error="insufficient_scope", scope="invites"
    x-ratelimit-limit: 1000000000
    x-ratelimit-remaining: 1000000000
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 91
    date: [masked]

    {"success":false,"error":"This API key does not have the scope invites","code":"FORBIDDEN"}
    "#);
}

#[test]
fn a_key_that_reads_may_not_write() {
    let served = served_on("unlimited");
    let all = SCOPES.map(|scope| format!("{scope}:read")).join(",");
    let key = served.place.key(&served.org, &["--scopes", &all]).key;
    let mut shown = None;
    for (method, path, _, writes) in OPERATIONS {
        let answer = Request::new(method, path).bearer(&key).send(&served.server);
        if writes {
            assert_error(&answer, 403, "FORBIDDEN");
            shown.get_or_insert(answer.shown());
        } else {
            assert_ne!(answer.status, 403, "{method} {path}");
        }
    }
    insta::assert_snapshot!(shown.expect("an operation writes"), @r#"
    HTTP/1.1 403
    content-type: application/json
    www-authenticate: Bearer realm="headshot", error="insufficient_scope", scope="invites:write"
    x-ratelimit-limit: 1000000000
    x-ratelimit-remaining: 1000000000
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 97
    date: [masked]

    {"success":false,"error":"This API key does not have the scope invites:write","code":"FORBIDDEN"}
    "#);
}

/// Every published operation is there: a request with an empty body gets the operation's own answer.
#[test]
fn every_operation_answers() {
    let served = served_on("unlimited");
    for (method, path, ..) in OPERATIONS {
        let answer = served.own(Request::new(method, path));
        let own = [200, 400, 403, 404].contains(&answer.status);
        assert!(own, "{method} {path}: {}", answer.shown());
        let text = answer.text();
        assert!(
            !text.contains("no such operation"),
            "{method} {path}: {text}"
        );
    }
}

#[test]
fn a_key_is_bound_to_its_networks() {
    let served = served();
    let key = served
        .place
        .key(&served.org, &["--networks", "10.0.0.0/8,2001:db8::/32"])
        .key;
    let from = |address: &str| {
        get(ORGANIZATION)
            .bearer(&key)
            .header("X-Forwarded-For", address)
            .send(&served.server)
    };
    assert_eq!(from("10.1.2.3").status, 200);
    assert_eq!(from("2001:db8::7").status, 200);
    // What the caller claims stands on the left; the proxy adds what it saw on the right.
    assert_eq!(from("192.0.2.1, 10.1.2.3").status, 200);
    insta::assert_snapshot!(from("11.0.0.1").shown(), @r#"
    HTTP/1.1 403
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 93
    date: [masked]

    {"success":false,"error":"This API key may not be used from this network","code":"FORBIDDEN"}
    "#);
    for address in [
        "10.1.2.3, 192.0.2.1",
        "127.0.0.1",
        "nonsense",
        "",
        "10.1.2.3, nonsense",
    ] {
        assert_error(&from(address), 403, "FORBIDDEN");
    }
    assert_error(
        &get(ORGANIZATION).bearer(&key).send(&served.server),
        403,
        "FORBIDDEN",
    );
}

#[test]
fn without_trusted_proxies_nobody_is_believed() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &["--networks", "10.0.0.0/8"]).key;
    let server = place.serve();
    let claimed = get(ORGANIZATION)
        .bearer(&key)
        .header("X-Forwarded-For", "10.1.2.3");
    assert_error(&claimed.send(&server), 403, "FORBIDDEN");
}

#[test]
fn paths_that_are_no_operation() {
    let served = served();
    insta::assert_snapshot!(served.own(get("/api/v2/nothing")).shown(), @r#"
    HTTP/1.1 404
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 73
    date: [masked]

    {"success":false,"error":"There is no such operation","code":"NOT_FOUND"}
    "#);
    for path in [
        "/api/v2",
        "/api/v2/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/organization/",
        "/api/v2/organization/credits/",
        "/api/v2/Organization",
        "/api/v2//organization",
        "/api/v2/organization%2Fcredits",
        "/api/v2/%6Frganization",
        "/api/v2/organization%00",
        "/api/v2/organization/../organization",
        "/api/v2/organization/invites/a%ZZ",
        "/api/v2/organization/invites/%FF",
        "/api/v1/organization/invite/id/%FF%FE",
        "/api/v2/organization/models/a%2Fb/photos",
    ] {
        let answer = served.own(get(path));
        assert_error(&answer, 404, "NOT_FOUND");
    }
    // Without a key nobody learns which paths there are, or which methods.
    for request in [
        get("/api/v2/nothing"),
        post(ORGANIZATION),
        Request::new("DELETE", CREDITS),
    ] {
        assert_error(&request.send(&served.server), 401, "UNAUTHORIZED");
    }
}

/// Whoever calls with a key meets the contract's shape wherever that leads, and the organization's log
/// tells of it.
#[test]
fn wrong_paths_with_a_key() {
    let served = served();
    let paths = [
        "/v2/organization",
        "/organization",
        "//api/v2/organization",
        "/API/v2/organization",
        "/api/organization",
        "/api/v3/organization",
        "/app/nothing",
        "/",
    ];
    for path in &paths[..paths.len() - 1] {
        assert_error(&served.own(get(path)), 404, "NOT_FOUND");
        let wrong = get(path).bearer(&"hsp_".repeat(9)).send(&served.server);
        assert_error(&wrong, 401, "UNAUTHORIZED");
        let person = get(path)
            .bearer(&served.key.key)
            .header("Accept", "text/html");
        let page = person.send(&served.server);
        assert!(page.text().starts_with("<!doctype html>"), "{path}");
    }
    // What is a page stays one.
    assert_eq!(served.own(get("/")).status, 303);
    assert_error(&served.own(Request::new("OPTIONS", "*")), 404, "NOT_FOUND");
    let mut owner = Browser::new(&served.server);
    owner.set_up(&served.org.setup_url, "a long enough password");
    eventually("the mistake in the log", || {
        let log = owner.get("/app/admin/api/logs?status=404").text();
        log.contains("/v2/organization").then_some(())
    });
}

/// Beside the documentation under `/api` a program meets the contract's shape, a person a page.
#[test]
fn paths_beside_the_documentation() {
    let served = served();
    insta::assert_snapshot!(served.own(get("/api/v3/organization")).shown(), @r#"
    HTTP/1.1 404
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 73
    date: [masked]

    {"success":false,"error":"There is no such operation","code":"NOT_FOUND"}
    "#);
    for request in [
        get("/api/v2%2Forganization"),
        get("/api/nothing"),
        post("/api/authentication"),
        get("/api/keys"),
        get("/api/"),
        Request::new("DELETE", "/api/openapi.json"),
    ] {
        assert_error(&served.own(request), 404, "NOT_FOUND");
    }
    let page = get("/api/nothing")
        .header("Accept", "text/html,*/*;q=0.8")
        .send(&served.server);
    assert_eq!(page.status, 404);
    assert!(
        page.text().starts_with("<!doctype html>"),
        "{}",
        page.text()
    );
}

#[test]
fn methods_that_an_operation_does_not_have() {
    let served = served();
    for (method, path) in [
        ("POST", ORGANIZATION),
        ("PUT", ORGANIZATION),
        ("DELETE", CREDITS),
        ("PATCH", ORGANIZATION),
        ("TRACE", ORGANIZATION),
        ("PROPFIND", ORGANIZATION),
        ("get", ORGANIZATION),
        (
            "GETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGET",
            ORGANIZATION,
        ),
        ("POST", "/api/v1/organization"),
        ("GET", "/api/v1/organization/invite"),
        ("GET", "/api/keys/revoke"),
        ("DELETE", "/api/keys/revoke"),
    ] {
        assert_error(&served.own(Request::new(method, path)), 404, "NOT_FOUND");
    }
    let long = "M".repeat(300);
    assert_error(
        &served.own(Request::new(&long, ORGANIZATION)),
        404,
        "NOT_FOUND",
    );
}

#[test]
fn head_is_get_without_a_body() {
    let served = served();
    let full = served.own(get(ORGANIZATION));
    let head = served.own(Request::new("HEAD", ORGANIZATION));
    assert_eq!(head.status, 200);
    assert_eq!(head.body, b"");
    assert_eq!(head.header("content-length"), full.header("content-length"));
    assert_eq!(head.header("content-type"), full.header("content-type"));
    let refused = Request::new("HEAD", ORGANIZATION).send(&served.server);
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").is_some());
    let mut connection = Connection::open(served.server.address).expect("open");
    for _ in 0..2 {
        let request = Request::new("HEAD", ORGANIZATION).bearer(&served.key.key);
        assert_eq!(connection.exchange(&request).expect("answered").status, 200);
    }
}

#[test]
fn options_names_the_methods() {
    let served = served();
    let options = |path| served.own(Request::new("OPTIONS", path));
    insta::assert_snapshot!(options(ORGANIZATION).shown(), @r#"
    HTTP/1.1 200
    allow: GET, HEAD, OPTIONS
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 0
    date: [masked]
    "#);
    let teams = options("/api/v2/organization/teams/t");
    assert_eq!(teams.header("allow"), Some("DELETE, OPTIONS, PUT"));
    assert_error(&options("/api/v2/nothing"), 404, "NOT_FOUND");
    let without = Request::new("OPTIONS", ORGANIZATION).send(&served.server);
    assert_error(&without, 401, "UNAUTHORIZED");
}

#[test]
fn a_get_may_announce_json_and_bring_a_body() {
    let served = served();
    let json = || get(ORGANIZATION).header("Content-Type", "application/json");
    assert_eq!(served.own(json()).status, 200);
    assert_eq!(served.own(json().body("")).status, 200);
    assert_eq!(served.own(json().body("{not json")).status, 200);
    assert_eq!(
        served
            .own(get(ORGANIZATION).header("Content-Type", "nonsense"))
            .status,
        200
    );
}

/// All headers together may have 32 KiB, names and separators included.
#[test]
fn headers_at_their_bound_and_above() {
    const MAX: usize = 32 * 1024;
    let served = served();
    let authorization = format!("Bearer {}", served.key.key);
    let fixed: usize = [("host", "localhost"), ("authorization", &authorization)]
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    let filler = |bytes: usize| "x".repeat(bytes - fixed - "x-filler".len() - 4);
    let at = |bytes| served.own(get(ORGANIZATION).header("X-Filler", filler(bytes)));
    assert_eq!(at(MAX).status, 200);
    insta::assert_snapshot!(at(MAX + 1).shown(), @r#"
    HTTP/1.1 400
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 92
    date: [masked]

    {"success":false,"error":"The headers are larger than 32768 bytes","code":"INVALID_REQUEST"}
    "#);
    assert_error(&at(200 * 1024), 400, "INVALID_REQUEST");
    let many = (0..97).fold(get(ORGANIZATION), |request, n| {
        request.header(&format!("X-{n}"), "")
    });
    assert_eq!(served.own(many).status, 200);
}

/// Who sends more headers than others is known all the same, up to a bound.
#[test]
fn many_headers_of_a_caller_with_a_key() {
    let served = served();
    let with = |more: usize| {
        let request = (0..more).fold(get(ORGANIZATION), |request, n| {
            request.header(&format!("X-{n}"), "y")
        });
        served.own(request)
    };
    // Host and Authorization are there as well.
    for more in [298, 510] {
        let answer = with(more);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.header("x-request-id").is_some());
    }
    let refused = with(511);
    assert_error(&refused, 400, "INVALID_REQUEST");
    assert_eq!(refused.header("connection"), Some("close"));
    let long = |length: usize| served.own(get(&format!("/api/v2/{}", "x".repeat(length))));
    assert_error(&long(60_000), 404, "NOT_FOUND");
    assert_error(&long(70 * 1024), 400, "INVALID_REQUEST");
}

/// What the HTTP parser itself refuses: the key is not known, but the answer has all that others
/// have, and the log has a row.
#[test]
fn requests_that_are_no_http() {
    let served = served();
    let huge = format!(
        "GET {ORGANIZATION} HTTP/1.1\r\nX-Filler: {}\r\n\r\n",
        "x".repeat(1024 * 1024)
    );
    let first = raw(&served.server, b"GET / HTTP/1.1\r\nbroken header\r\n\r\n");
    insta::assert_snapshot!(first.shown(), @r#"
    HTTP/1.1 400
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    connection: close
    content-length: 118
    date: [masked]

    {"success":false,"error":"The request is not well-formed HTTP/1.1, or its head is too large","code":"INVALID_REQUEST"}
    "#);
    let many: String = (0..513).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("GET /api/v2/{} HTTP/1.1\r\n\r\n", "x".repeat(70 * 1024));
    let nul = format!("GET {ORGANIZATION} HTTP/1.1\r\nAuthorization: Bearer a\0b\r\n\r\n");
    for (what, bytes) in [
        ("a huge header", huge.into_bytes()),
        (
            "513 headers",
            format!("GET {ORGANIZATION} HTTP/1.1\r\n{many}\r\n").into_bytes(),
        ),
        ("a long path", long.into_bytes()),
        ("NUL in a header", nul.into_bytes()),
        (
            "NUL in the path",
            b"GET /api/v2/\0 HTTP/1.1\r\n\r\n".to_vec(),
        ),
        (
            "no Host",
            format!("GET {ORGANIZATION} HTTP/1.1\r\n\r\n").into_bytes(),
        ),
        (
            "two Hosts",
            format!("GET {ORGANIZATION} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").into_bytes(),
        ),
        ("no version", b"GET /api/v2/organization\r\n\r\n".to_vec()),
        (
            "HTTP/3.0",
            b"GET /api/v2/organization HTTP/3.0\r\n\r\n".to_vec(),
        ),
        (
            "a wrong method",
            b"G@T /api/v2/organization HTTP/1.1\r\n\r\n".to_vec(),
        ),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        ("garbage", b"\xff\xfe\x00garbage\r\n\r\n".to_vec()),
        (
            "two lengths",
            b"POST /api/keys/revoke HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
                .to_vec(),
        ),
        (
            "a wrong length",
            b"POST /api/keys/revoke HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec(),
        ),
    ] {
        let answer = raw(&served.server, &bytes);
        assert_error(&answer, 400, "INVALID_REQUEST");
        assert_eq!(answer.header("connection"), Some("close"), "{what}");
        let id = answer.header("x-request-id").expect("an id");
        let logged = format!("SELECT COUNT(*) FROM api_log WHERE id = '{id}'");
        eventually(what, || {
            (number(&served.place.database(), &logged) == 1).then_some(())
        });
    }
    // A client that speaks only HTTP/2 is told by the end of the connection.
    let mut connection = Connection::open(served.server.address).expect("open");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    connection.write(preface).expect("written");
    assert!(connection.is_over());
    assert_eq!(
        served.with_key(&served.key.key).status,
        200,
        "the server goes on"
    );
}

#[test]
fn old_http_and_pipelined_requests() {
    let served = served();
    let key = &served.key.key;
    let old = format!("GET {ORGANIZATION} HTTP/1.0\r\nAuthorization: Bearer {key}\r\n\r\n");
    let answer = raw(&served.server, old.as_bytes());
    assert_eq!((answer.version.as_str(), answer.status), ("HTTP/1.0", 200));
    let answer = raw(
        &served.server,
        format!("GET {ORGANIZATION} HTTP/1.0\r\n\r\n").as_bytes(),
    );
    assert_error(&answer, 401, "UNAUTHORIZED");

    let mut connection = Connection::open(served.server.address).expect("open");
    let requests = [
        get(ORGANIZATION).bearer(key),
        get(ORGANIZATION),
        post("/api/keys/revoke").body("{}"),
        get("/api/v2/nothing").bearer(key),
        get(CREDITS).bearer(key),
    ];
    let bytes: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
    connection.write(&bytes).expect("written");
    let answers = requests.map(|_| connection.answer(false).expect("answered").status);
    assert_eq!(answers, [200, 401, 400, 404, 200]);
    // An absolute target, as a proxy gets it.
    let absolute = get("http://server.headshotpro.com/api/v2/organization");
    assert_eq!(served.own(absolute).status, 200);
}

/// Bodies of the one operation that reads one today.
#[test]
fn bodies_that_are_not_a_request() {
    const MAX: usize = 64 * 1024;
    let served = served();
    let revoke = |body: &[u8]| post("/api/keys/revoke").body(body).send(&served.server);
    let filled = |bytes: usize| {
        let around = r#"{"key":"","x":""}"#.len();
        format!(r#"{{"key":"","x":"{}"}}"#, "x".repeat(bytes - around)).into_bytes()
    };
    assert_eq!(filled(MAX).len(), MAX);
    assert_error(&revoke(&filled(MAX)), 401, "UNAUTHORIZED");
    insta::assert_snapshot!(revoke(&filled(MAX + 1)).shown(), @r#"
    HTTP/1.1 400
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 89
    date: [masked]

    {"success":false,"error":"The body is too large or was cut off","code":"INVALID_REQUEST"}
    "#);
    insta::assert_snapshot!(revoke(b"{").shown(), @r#"
    HTTP/1.1 400
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 93
    date: [masked]

    {"success":false,"error":"Send JSON such as {\"key\": \"hsp_...\"}","code":"INVALID_REQUEST"}
    "#);
    let key = &served.key.key;
    let twice = format!(r#"{{"key":"{key}","key":"{key}"}}"#);
    let many = "[".repeat(60_000);
    for body in [
        "".as_bytes(),
        b"null",
        b"[]",
        b"\"hsp_\"",
        b"{}",
        b"{\"key\":null}",
        b"{\"key\":1}",
        b"{\"key\":[]}",
        b"{\"key\":\"\xff\"}",
        b"{\"key\":\"a\"} trailing",
        b"\0",
        b"{\"key\":\"\0\"}",
        b"key=hsp_x",
        twice.as_bytes(),
        many.as_bytes(),
    ] {
        assert_error(&revoke(body), 400, "INVALID_REQUEST");
    }
    assert_error(
        &post("/api/keys/revoke").send(&served.server),
        400,
        "INVALID_REQUEST",
    );
    for body in [
        r#"{"key":""}"#,
        r#"{"key":"hsp_x"}"#,
        "{\"key\":\"a\\u0000b\"}",
    ] {
        assert_error(&revoke(body.as_bytes()), 401, "UNAUTHORIZED");
    }
    // Cut off: the client ends before it has sent what it announced.
    let mut connection = Connection::open(served.server.address).expect("open");
    let cut = b"POST /api/keys/revoke HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"key\"";
    connection.write(cut).expect("written");
    connection.finish();
    if let Ok(answer) = connection.answer(false) {
        assert_error(&answer, 400, "INVALID_REQUEST");
    }
    // A broken chunk.
    let chunked =
        b"POST /api/keys/revoke HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n";
    assert_error(&raw(&served.server, chunked), 400, "INVALID_REQUEST");
    assert_eq!(served.with_key(key).status, 200, "the key lives");
}

/// A window of one minute may end while the test runs: then it counts again.
fn until_refused(mut answer: impl FnMut() -> Answer, limit: u32) -> Answer {
    for _ in 0..5 {
        let first = answer();
        let window = first
            .header("x-ratelimit-reset")
            .expect("a reset")
            .to_owned();
        let mut left = first.number("x-ratelimit-remaining");
        loop {
            let next = answer();
            if next.header("x-ratelimit-reset") != Some(&window) {
                break;
            }
            assert_eq!(next.number("x-ratelimit-limit"), limit);
            if next.status == 429 {
                assert_eq!(left, 0, "refused before the limit");
                return next;
            }
            assert_eq!(next.number("x-ratelimit-remaining") + 1, left);
            left -= 1;
        }
    }
    panic!("five minutes passed");
}

#[test]
fn requests_beyond_the_plan_are_refused_for_the_rest_of_the_minute() {
    let served = served();
    let mut connection = Connection::open(served.server.address).expect("open");
    let request = get(ORGANIZATION).bearer(&served.key.key);
    let refused = until_refused(|| connection.exchange(&request).expect("answered"), 300);
    insta::assert_snapshot!(refused.shown(), @r#"
    HTTP/1.1 429
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: 0
    x-ratelimit-reset: [masked]
    retry-after: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 76
    date: [masked]

    {"success":false,"error":"Rate limit exceeded","code":"RATE_LIMIT_EXCEEDED"}
    "#);
    let seconds = refused.number("retry-after");
    assert!((1..=60).contains(&seconds), "{seconds}");
    let reset = refused.header("x-ratelimit-reset").expect("a reset");
    assert!(reset.len() == 24 && reset.ends_with(":00.000Z"), "{reset}");
}

#[test]
fn all_keys_of_an_organization_share_its_limit() {
    let served = served();
    let other = served.place.key(&served.org, &["--scopes", "teams"]);
    let mut connection = Connection::open(served.server.address).expect("open");
    let mut turn = 0;
    let one_after_another = || {
        turn += 1;
        let key = if turn % 2 == 0 { &served.key } else { &other };
        // The second one gets 403: that counts as well.
        connection
            .exchange(&get(ORGANIZATION).bearer(&key.key))
            .expect("answered")
    };
    until_refused(one_after_another, 300);
}

#[test]
fn the_enterprise_plan_has_1000() {
    let served = served_on("enterprise");
    let mut connection = Connection::open(served.server.address).expect("open");
    let request = get(ORGANIZATION).bearer(&served.key.key);
    until_refused(|| connection.exchange(&request).expect("answered"), 1_000);
}

#[test]
fn the_unlimited_plan_has_no_limit() {
    let served = served_on("unlimited");
    let mut connection = Connection::open(served.server.address).expect("open");
    let request = get(ORGANIZATION).bearer(&served.key.key);
    for _ in 0..1_500 {
        assert_eq!(connection.exchange(&request).expect("answered").status, 200);
    }
    let answer = served.own(get(ORGANIZATION));
    assert_eq!(
        answer.number("x-ratelimit-remaining"),
        answer.number("x-ratelimit-limit")
    );
    assert!(answer.header("x-ratelimit-reset").is_some());
}

#[test]
fn callers_without_a_key_are_limited_by_address() {
    let served = served();
    let mut connection = Connection::open(served.server.address).expect("open");
    let from = |address: &str| get(ORGANIZATION).header("X-Forwarded-For", address);
    let refused = until_refused(
        || connection.exchange(&from("192.0.2.1")).expect("answered"),
        300,
    );
    insta::assert_snapshot!(refused.shown(), @r#"
    HTTP/1.1 429
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: 0
    x-ratelimit-reset: [masked]
    retry-after: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 76
    date: [masked]

    {"success":false,"error":"Rate limit exceeded","code":"RATE_LIMIT_EXCEEDED"}
    "#);
    let revoke = post("/api/keys/revoke")
        .header("X-Forwarded-For", "192.0.2.1")
        .body("{");
    let answer = revoke.send(&served.server);
    // Only in the same minute is it refused for the same reason.
    if answer.header("x-ratelimit-reset") == refused.header("x-ratelimit-reset") {
        assert_error(&answer, 429, "RATE_LIMIT_EXCEEDED");
    }
    assert_error(&from("192.0.2.2").send(&served.server), 401, "UNAUTHORIZED");
    // A good key from that address has its own budget.
    let good = from("192.0.2.1")
        .bearer(&served.key.key)
        .send(&served.server);
    assert_eq!(good.status, 200);
    let by_prefix = |address: &str| {
        connection
            .exchange(&from(address))
            .expect("answered")
            .number("x-ratelimit-remaining")
    };
    // One host has a whole /64 of addresses.
    let mut by_prefix = by_prefix;
    let (one, other) = (by_prefix("2001:db8::1"), by_prefix("2001:db8::2"));
    assert!(other < one || other == 299, "{one} {other}");
}

/// v1 answers as v2 does.
#[test]
fn the_older_version_is_a_twin() {
    let served = served();
    let v1 = |request: Request| served.own(request);
    assert_eq!(
        v1(get("/api/v1/organization")).body,
        served.own(get(ORGANIZATION)).body
    );
    let credits = served.own(get(CREDITS));
    assert_eq!(credits.text(), r#"{"success":true,"credits":100}"#);
    assert_eq!(v1(get("/api/v1/organization/credits")).body, credits.body);
    assert_eq!(v1(post("/api/v1/organization/credits")).body, credits.body);
    let with_body = post("/api/v1/organization/credits").header("Content-Type", "application/json");
    assert_eq!(v1(with_body.body("{}")).body, credits.body);
    let masked = |path: &str| get(path).send(&served.server).shown();
    assert_eq!(masked("/api/v1/organization"), masked(ORGANIZATION));
}

#[test]
fn more_invites_than_may_be_open() {
    let place = Place::new().with("HEADSHOT_OPEN_INVITES_MAX", "1");
    let org = place.org("unlimited");
    let key = place.key(&org, &[]).key;
    let server = place.serve();
    let invite = |email: &str| {
        let body = format!(r#"{{"email":"{email}"}}"#);
        let request = post("/api/v2/organization/invites").bearer(&key).body(body);
        request.send(&server)
    };
    assert_eq!(invite("a@acme.example").status, 200);
    insta::assert_snapshot!(invite("b@acme.example").shown(), @r#"
    HTTP/1.1 429
    content-type: application/json
    x-ratelimit-limit: 1000000000
    x-ratelimit-remaining: 1000000000
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 80
    date: [masked]

    {"success":false,"error":"Invite limit exceeded","code":"INVITE_LIMIT_EXCEEDED"}
    "#);
    // The log tells the admin why, and what to do.
    let again = invite("a@acme.example");
    assert_error(&again, 400, "ALREADY_EXISTS");
    let mut owner = Browser::new(&server);
    assert_eq!(
        owner.set_up(&org.setup_url, "correct horse battery").status,
        303
    );
    let page = eventually("both are logged", || {
        let page = owner.get("/app/admin/api/logs").text();
        page.contains("ALREADY_EXISTS").then_some(page)
    });
    assert!(page.contains("Too many invites were open."), "{page}");
    assert!(page.contains("It is there already, or was deleted before."));
    assert!(!page.contains("The server failed."), "{page}");
}
