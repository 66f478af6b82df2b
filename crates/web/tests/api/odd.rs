//! Odd input: whatever is sent, the answer is one of the contract's.

use rstest::rstest;
use serde_json::json;

use crate::world::{Kind, World};

const INVITES: &str = "/api/v2/organization/invites";
const TEAMS: &str = "/api/v2/organization/teams";

#[tokio::test]
async fn odd_bodies() {
    let world = World::new(Kind::Sqlite).await;
    let deep = format!(r#"{{"email":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    let nested = format!(
        r#"{{"x":{}{},"email":"ok@example.com"}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    for (body, status) in [
        (deep.as_str(), 400),
        (nested.as_str(), 200),
        ("{\"email\":\"a@b.co\"} trailing", 400),
        ("\u{feff}{\"email\":\"a@b.co\"}", 400),
        ("{\"email\":\"\\ud800\"}", 400),
        ("{\"email\":1e400}", 400),
        ("{\"email\":9007199254740993}", 400),
        ("{\"email\":\"a@b.co\",\"teamId\":9007199254740993}", 400),
        ("{\"email\":{\"$ne\":1}}", 400),
        ("{'email':'a@b.co'}", 400),
    ] {
        let answer = world.call("POST", INVITES, &[], body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    let padded = |size: usize| {
        let body = json!({ "email": "pad@example.com" }).to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    world
        .call("POST", INVITES, &[], &padded(64 * 1024))
        .await
        .expect(200);
    let large = world
        .call("POST", INVITES, &[], &padded(64 * 1024 + 1))
        .await;
    assert_eq!(large.error(), (400, "INVALID_REQUEST"));
    let keyed = [("Idempotency-Key", "large")];
    let large = world
        .call("POST", INVITES, &keyed, &padded(64 * 1024 + 1))
        .await;
    assert_eq!(large.error(), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn odd_text_is_stored_and_shown_as_it_was_sent() {
    let world = World::new(Kind::Sqlite).await;
    for email in [
        "o'neil%41@example.ie",
        "100%@x.de",
        "a+b@x.de",
        "jörg@bücher.de",
        "x{y}|z@x.de",
    ] {
        let created = world
            .post(INVITES, &json!({ "email": email }))
            .await
            .expect(200);
        assert_eq!(created["input"]["email"], email);
        let encoded = email
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect::<Vec<_>>()
            .concat();
        let found = world.get(&format!("{INVITES}/{encoded}")).await.expect(200);
        assert_eq!(found["invite"]["email"], email);
    }
    for name in [
        "\u{202e}right to left",
        "משרד",
        "💼 <script>alert(1)</script>",
        "e\u{301}\u{200d}\u{feff}",
        "100%25 + \"quoted\"",
        "%_\\ '\"",
    ] {
        let created = world
            .post(TEAMS, &json!({ "name": name }))
            .await
            .expect(200);
        let teams = created["organization"]["teams"].as_array().unwrap();
        let names: Vec<_> = teams.iter().map(|team| &team["name"]).collect();
        assert!(names.contains(&&json!(name.trim())), "{names:?}");
    }
    let long = json!({ "name": "n".repeat(60_000) });
    assert_eq!(
        world.post(TEAMS, &long).await.error(),
        (400, "INVALID_REQUEST")
    );
}

/// The longest that is taken, and one more.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn texts_at_and_past_their_lengths(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let label = "l".repeat(63);
    let address = |local: usize, last: usize| {
        let local = "a".repeat(local);
        format!("{local}@{label}.{label}.{}", "d".repeat(last))
    };
    assert_eq!((address(64, 61).len(), address(65, 60).len()), (254, 254));
    for (email, status) in [
        (address(64, 61), 200),
        (address(64, 62), 400),
        (address(65, 60), 400),
        (format!("b@{label}.de"), 200),
        (format!("b@{label}x.de"), 400),
    ] {
        let body = json!({ "email": email });
        let answer = world.post(INVITES, &body).await;
        assert_eq!(answer.status, status, "{email}");
        assert!(status == 200 || answer.body["code"] == "INVALID_EMAIL");
    }
    // Counted in characters, after the space around it is gone.
    for (name, status) in [
        ("ä".repeat(200), 200),
        ("ä".repeat(201), 400),
        (format!("  {}  ", "文".repeat(200)), 200),
        ("n".repeat(64 * 1024 - 20), 400),
        ("n".repeat(64 * 1024), 400),
        (" \t ".to_owned(), 400),
        ("a\0b".to_owned(), 400),
        ("a\nb".to_owned(), 400),
    ] {
        let answer = world.post(TEAMS, &json!({ "name": name })).await;
        assert_eq!(answer.status, status, "{name}");
    }
    for (length, status) in [(255, 200), (256, 400), (0, 400)] {
        let key = "k".repeat(length);
        let keyed = [("Idempotency-Key", key.as_str())];
        let body = json!({ "email": format!("k{length}@example.com") }).to_string();
        let answer = world.call("POST", INVITES, &keyed, &body).await;
        assert_eq!(answer.status, status, "a key of {length}");
    }
}

#[tokio::test]
async fn lists_of_the_body_at_and_past_their_lengths() {
    let world = World::new(Kind::Sqlite).await;
    let team = world.team("Sales").await;
    world.joined("ann@example.com", None).await;
    let members = format!("{TEAMS}/{team}/members");
    let model = world.joined("bob@example.com", None).await;
    let download = format!("/api/v2/organization/models/{model}/photos/download");
    for (count, status) in [(0, 400), (1, 200), (1_000, 200), (1_001, 400)] {
        let emails = vec!["ann@example.com"; count];
        let answer = world.post(&members, &json!({ "emails": emails })).await;
        assert_eq!(answer.status, status, "{count} addresses");
    }
    // None of these is a photo: beyond the limit that is not even looked up.
    for (count, status) in [(1, 404), (1_000, 404), (1_001, 400)] {
        let ids = vec!["507f1f77bcf86cd799439022"; count];
        let answer = world.post(&download, &json!({ "photoIds": ids })).await;
        assert_eq!(answer.status, status, "{count} photos");
    }
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn pages_at_and_past_their_edges(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let model = world.joined("ann@example.com", None).await;
    let root = "/api/v2/organization";
    // What every reader of JSON takes exactly.
    let most = 9_007_199_254_740_991;
    for path in [
        "team".to_owned(),
        "models".to_owned(),
        format!("models/{model}/photos"),
        "photos/favorites".to_owned(),
    ] {
        for (query, page) in [
            ("limit=1", Some((1, 0))),
            ("limit=200", Some((200, 0))),
            ("limit=201", Some((200, 0))),
            ("limit=9007199254740993", Some((200, 0))),
            ("limit=18446744073709551616", Some((200, 0))),
            ("offset=9223372036854775807", Some((50, most))),
            ("offset=9223372036854775808", Some((50, most))),
            ("limit=200&offset=9223372036854775807", Some((200, most))),
            ("limit=0", None),
            ("limit=-9223372036854775809", None),
            ("offset=-1", None),
            ("offset=%00", None),
            ("limit=%D9%A1", None),
            ("limit[]=1", Some((50, 0))),
        ] {
            let answer = world.get(&format!("{root}/{path}?{query}")).await;
            let pagination = &answer.body["pagination"];
            let found = pagination["limit"]
                .as_i64()
                .zip(pagination["offset"].as_i64());
            assert_eq!(found, page, "{path}?{query}: {}", answer.text);
            assert_eq!(answer.status, if page.is_some() { 200 } else { 400 });
        }
    }
    let past = format!("{INVITES}?offset=9223372036854775808");
    assert_eq!(world.get(&past).await.expect(200)["invites"], json!([]));
}

#[tokio::test]
async fn keys_that_are_given_twice_or_nested_deeply() {
    let world = World::new(Kind::Sqlite).await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"x":{open}{close},"email":"deep{depth}@example.com"}}"#)
    };
    for (body, status) in [
        (r#"{"email":"a@b.co","email":"c@d.co"}"#.to_owned(), 400),
        (
            r#"{"x":1,"x":2,"email":"twice@example.com"}"#.to_owned(),
            200,
        ),
        (nested(126), 200),
        (nested(127), 200),
        (nested(30_000), 200),
    ] {
        let answer = world.call("POST", INVITES, &[], &body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 400 {
            assert_eq!(answer.error(), (400, "INVALID_REQUEST"));
        }
    }
    let credits = "/api/v1/organization/credits";
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    world.call("POST", credits, &[], &deep).await.expect(200);
}

/// PostgreSQL takes no NUL, SQLite does: both must answer alike, and neither with a failure.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn nul_bytes_name_nothing(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let root = "/api/v2/organization";
    for path in [
        "invites/a%00b@example.com",
        "models/%00",
        "models/%00/photos",
        "models/%00/photos/favorite",
        "models/%00/photos/%00",
        "models/%FF",
    ] {
        let answer = world.get(&format!("{root}/{path}")).await;
        assert_eq!(answer.error(), (404, "NOT_FOUND"), "{path}");
    }
    let lost = world.get("/api/v1/organization/invite/id/%00").await;
    assert_eq!(lost.error(), (404, "NOT_FOUND"));
    for path in ["models?teamId=%00", "photos/favorites?teamId=%00"] {
        let page = world.get(&format!("{root}/{path}")).await.expect(200);
        assert_eq!(page["pagination"]["total"], 0, "{path}");
    }
    for (body, code) in [
        (json!({ "email": "a\0b@example.com" }), "INVALID_EMAIL"),
        (
            json!({ "email": "a@example.com", "teamId": "\0" }),
            "NOT_FOUND",
        ),
    ] {
        for path in [INVITES, "/api/v2/organization/models"] {
            let answer = world.post(path, &body).await;
            assert_eq!(answer.body["code"], code, "{path} {body}");
        }
    }
    let team = world.team("Sales").await;
    let members = format!("{TEAMS}/{team}/members");
    let nobody = json!({ "emails": ["\0", "a\0b@example.com"] });
    let answer = world.post(&members, &nobody).await;
    assert_eq!(answer.error(), (404, "NOT_FOUND"));
    let (path, name) = (format!("{TEAMS}/%00"), json!({ "name": "A" }));
    let renamed = world.put(&path, &name).await;
    assert_eq!(renamed.error(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn scopes_guard_each_operation() {
    let world = World::new(Kind::Sqlite).await;
    let read = world
        .key_of(
            &world.org,
            "invites:read,teams:read,models:read".parse().unwrap(),
        )
        .await;
    let none = world.key_of(&world.org, "photos".parse().unwrap()).await;
    for (path, body) in [
        (INVITES, r#"{"email":"a@b.co"}"#),
        (TEAMS, r#"{"name":"A"}"#),
        ("/api/v2/organization/models", r#"{"email":"a@b.co"}"#),
    ] {
        world.as_key(&read, "GET", path, "").await.expect(200);
        for key in [&read, &none] {
            let refused = world.as_key(key, "POST", path, body).await;
            assert_eq!(refused.error(), (403, "FORBIDDEN"), "{path}");
        }
        assert_eq!(
            world.as_key(&none, "GET", path, "").await.error(),
            (403, "FORBIDDEN")
        );
    }
}
