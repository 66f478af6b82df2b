use std::time::Duration;

use headshot_app::idempotency::{self, Begun};
use headshot_domain::Credits;
use headshot_storage::{idempotency as rows, organizations};
use rstest::rstest;
use serde_json::json;

use crate::world::{Kind, World};

const INVITES: &str = "/api/v2/organization/invites";

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_repeated_request_gets_the_first_answer(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let key = [("Idempotency-Key", "abc-1")];
    let team = world.team("Sales").await;
    let members = format!("/api/v2/organization/teams/{team}/members");
    world.joined("x@y.zz", None).await;
    for (n, (path, body)) in [
        (INVITES, r#"{"email":"ann@example.com"}"#),
        (
            "/api/v1/organization/invite",
            r#"{"email":"bob@example.com"}"#,
        ),
        (
            "/api/v2/organization/invites/revoke",
            r#"{"email":"ann@example.com"}"#,
        ),
        ("/api/v2/organization/teams", r#"{"name":"Product"}"#),
        (
            "/api/v2/organization/models",
            r#"{"email":"cyd@example.com"}"#,
        ),
        (&members, r#"{"emails":["x@y.zz"]}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key {n}");
        let key = [("Idempotency-Key", key.as_str())];
        let first = world.call("POST", path, &key, body).await;
        assert!(
            !first.headers.contains_key("idempotency-replayed"),
            "{path}"
        );
        let again = world.call("POST", path, &key, body).await;
        assert_eq!((first.status, &first.text), (200, &again.text), "{path}");
        assert_eq!(again.headers["idempotency-replayed"], "true", "{path}");
        assert_eq!(again.headers["content-type"], "application/json");
        // The same key with another body, or on another path.
        let other = world
            .call("POST", path, &key, r#"{"email":"zed@example.com"}"#)
            .await;
        assert_eq!(other.error(), (400, "INVALID_REQUEST"), "{path}");
    }
    // After a day a key is new.
    let ann = r#"{"email":"dan@example.com"}"#;
    let first = world.call("POST", INVITES, &key, ann).await.expect(200);
    world
        .clock
        .advance(Duration::from_hours(24) - Duration::from_millis(1));
    assert_eq!(
        world.call("POST", INVITES, &key, ann).await.expect(200),
        first
    );
    world.clock.advance(Duration::from_millis(1));
    let late = world.call("POST", INVITES, &key, ann).await;
    assert_eq!(late.error(), (400, "ALREADY_EXISTS"));
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_at_the_same_time_waits_for_the_first(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let key = [("Idempotency-Key", "abc")];
    let body = r#"{"email":"ann@example.com"}"#;
    let calls = (0..6).map(|_| world.call("POST", INVITES, &key, body));
    let answers = futures_util::future::join_all(calls).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (200, &answers[0].text));
    }
    let list = world.get(INVITES).await.expect(200);
    assert_eq!(list["invites"].as_array().unwrap().len(), 1);
}

/// A refusal changed nothing, so the request may be sent again.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn refusals_are_not_kept(#[case] kind: Kind) {
    let world = World::with(kind, Some(Credits::whole(1)), true).await;
    world
        .call("POST", INVITES, &[], r#"{"email":"ann@example.com"}"#)
        .await
        .expect(200);
    let key = [("Idempotency-Key", "abc")];
    let bob = r#"{"email":"bob@example.com"}"#;
    let refused = world.call("POST", INVITES, &key, bob).await;
    assert_eq!(refused.error(), (402, "INSUFFICIENT_CREDITS"));
    let revoke = json!({ "email": "ann@example.com" });
    world
        .post("/api/v2/organization/invites/revoke", &revoke)
        .await
        .expect(200);
    world.call("POST", INVITES, &key, bob).await.expect(200);
}

#[tokio::test]
async fn keys_of_organizations_are_apart_and_have_a_length() {
    let world = World::new(Kind::Sqlite).await;
    let body = r#"{"email":"ann@example.com"}"#;
    let long = "k".repeat(255);
    world
        .call("POST", INVITES, &[("Idempotency-Key", &long)], body)
        .await
        .expect(200);
    for wrong in ["", "a\tb", "\u{e9}", &"k".repeat(256)] {
        let refused = world
            .call("POST", INVITES, &[("Idempotency-Key", wrong)], body)
            .await;
        assert_eq!(refused.error(), (400, "INVALID_REQUEST"));
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    assert_eq!(
        world.call("POST", INVITES, &twice, body).await.error(),
        (400, "INVALID_REQUEST")
    );
}

/// A kept answer opens a session; the database alone does not.
#[tokio::test]
async fn a_kept_answer_is_encrypted() {
    let world = World::new(Kind::Sqlite).await;
    let create = async || {
        let key = [("Idempotency-Key", "once")];
        let body = r#"{"email":"cyd@example.com"}"#;
        world
            .call("POST", "/api/v2/organization/models", &key, body)
            .await
    };
    let first = create().await.expect(200);
    assert!(first["signedUrl"].as_str().unwrap().contains("token="));
    let mut conn = world.app.db.read().await.unwrap();
    let known = headshot_storage::idempotency::find(&mut conn, &world.org, "once").await;
    let stored = known.unwrap().unwrap().answer.unwrap();
    assert!(!stored.contains("signedUrl"), "{stored}");
    assert_eq!(create().await.expect(200), first);
}

/// What a process was doing when it was killed holds nobody up for long.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn the_claim_of_a_process_that_is_gone_ends_soon(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let body = r#"{"email":"ann@example.com"}"#;
    let digest = idempotency::digest("POST", INVITES, body.as_bytes());
    let gone = idempotency::begin(&world.app, &world.org, "abc", &digest).await;
    assert!(matches!(gone, Ok(Begun::Run(_))));
    world.clock.advance(Duration::from_secs(6));
    let key = [("Idempotency-Key", "abc")];
    world.call("POST", INVITES, &key, body).await.expect(200);
}

/// A request that waits for another one's lock keeps its claim, however long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claim_of_a_request_that_runs_is_extended() {
    let world = World::new(Kind::Postgres).await;
    let claimed_until = async || {
        let mut conn = world.app.db.read().await.unwrap();
        let known = rows::find(&mut conn, &world.org, "abc").await.unwrap();
        known.map(|known| known.claimed_until)
    };
    let mut tx = world.app.db.write().await.unwrap();
    organizations::lock(&mut tx, &world.org).await.unwrap();
    let key = [("Idempotency-Key", "abc")];
    let body = r#"{"email":"ann@example.com"}"#;
    let held = async {
        while claimed_until().await.is_none() {
            tokio::task::yield_now().await;
        }
        world.clock.advance(Duration::from_secs(5));
        let extended = world.app.clock.now().plus(Duration::from_secs(6));
        while claimed_until().await < Some(extended) {
            // Not idle, or the server would end it.
            organizations::lock(&mut tx, &world.org).await.unwrap();
        }
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(world.call("POST", INVITES, &key, body), held);
    answer.expect(200);
}
