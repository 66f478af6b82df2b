//! Odd input: whatever is sent, the answer is one of the contract's.

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
