use std::time::Duration;

use headshot_app::models;
use headshot_domain::{Credits, ModelId};
use headshot_storage::tallies;
use rstest::rstest;
use serde_json::json;

use crate::world::{Kind, World};

const INVITES: &str = "/api/v2/organization/invites";
const REVOKE: &str = "/api/v2/organization/invites/revoke";
const DAY: Duration = Duration::from_hours(24);

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn an_invite_from_creation_to_joining(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let team = world.team("Marketing").await;
    let body = json!({ "email": "John.Doe+hr@example.com", "teamId": team });
    let created = world.post(INVITES, &body).await;
    insta::allow_duplicates! { insta::assert_snapshot!(created.shown(), @r#"
    200
    {
      "id": "[invite]",
      "input": {
        "email": "John.Doe+hr@example.com"
      },
      "link": "[link]",
      "message": "Invite sent",
      "success": true,
      "teamId": "[team]"
    }
    "#) }
    let link = created.body["link"].as_str().unwrap();
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(
        link,
        format!("http://127.0.0.1:8080/auth/signup?invite={id}")
    );

    world.clock.advance(Duration::from_secs(1));
    let without_team = world
        .post(INVITES, &json!({ "email": "jane@example.com" }))
        .await;
    insta::allow_duplicates! { insta::assert_snapshot!(without_team.shown(), @r#"
    200
    {
      "id": "[invite]",
      "input": {
        "email": "jane@example.com"
      },
      "link": "[link]",
      "message": "Invite sent",
      "success": true
    }
    "#) }
    let shown = world.get(INVITES).await.shown();
    insta::allow_duplicates! { insta::assert_snapshot!(shown, @r#"
    200
    {
      "invites": [
        {
          "createdAt": "2024-01-15T10:30:01.000Z",
          "email": "jane@example.com",
          "status": "pending",
          "teamId": null,
          "teamName": null
        },
        {
          "createdAt": "2024-01-15T10:30:00.000Z",
          "email": "John.Doe+hr@example.com",
          "status": "pending",
          "teamId": "[team]",
          "teamName": "Marketing"
        }
      ],
      "success": true
    }
    "#) }

    // Whatever the case, and percent-encoded or not.
    for path in ["john.doe%2Bhr%40example.com", "John.Doe+hr@example.com"] {
        let found = world.get(&format!("{INVITES}/{path}")).await;
        assert_eq!(
            found.expect(200)["invite"]["teamName"],
            "Marketing",
            "{path}"
        );
    }
    let nobody = world.get(&format!("{INVITES}/nobody@example.com")).await;
    assert_eq!(nobody.error(), (404, "NOT_FOUND"));
}

/// The contract's table of what an invite says while the person goes on.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn the_status_follows_the_person(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let status = async || {
        let invite = world
            .get(&format!("{INVITES}/ann@example.com"))
            .await
            .expect(200);
        let id = invite["invite"]["modelId"].as_str().map(str::to_owned);
        (invite["invite"]["status"].as_str().unwrap().to_owned(), id)
    };
    world
        .post(INVITES, &json!({ "email": "ann@example.com" }))
        .await
        .expect(200);
    assert_eq!(status().await, ("pending".to_owned(), None));
    world
        .post(REVOKE, &json!({ "email": "ann@example.com" }))
        .await
        .expect(200);
    assert_eq!(status().await, ("revoked".to_owned(), None));

    // A revoked invite does not block a new one.
    world.clock.advance(Duration::from_secs(1));
    let model = world.joined("ann@example.com", None).await;
    assert_eq!(status().await, ("accepted".to_owned(), Some(model.clone())));
    world.submitted(&model).await;
    assert_eq!(
        status().await,
        ("generating".to_owned(), Some(model.clone()))
    );
    world
        .delete(&format!("/api/v2/organization/models/{model}"))
        .await
        .expect(200);
    assert_eq!(status().await, ("deleted".to_owned(), Some(model)));
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_can_be_wrong_with_an_invite(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let refused = async |body: &str| {
        let answer = world.call("POST", INVITES, &[], body).await;
        let (status, code) = answer.error();
        format!(
            "{status} {code}: {}",
            answer.body["error"].as_str().unwrap()
        )
    };
    let missing = "400 INVALID_REQUEST: Email is required";
    for body in [
        "{}",
        r#"{"email":null}"#,
        r#"{"email":" "}"#,
        r#"{"mail":"a@b.co"}"#,
    ] {
        assert_eq!(refused(body).await, missing, "{body}");
    }
    for email in ["x", "a b@c.de", "a@b", "a@b.co\\u0000", &"a".repeat(250)] {
        let body = format!(r#"{{"email":"{email}"}}"#);
        assert_eq!(
            refused(&body).await,
            "400 INVALID_EMAIL: Invalid email",
            "{email}"
        );
    }
    for body in [
        "",
        "[]",
        "null",
        "{",
        r#"{"email":5}"#,
        r#"{"email":"a@b.co","email":"a@b.co"}"#,
    ] {
        assert!(
            refused(body)
                .await
                .starts_with("400 INVALID_REQUEST: The body"),
            "{body}"
        );
    }
    let unknown_team = r#"{"email":"a@b.co","teamId":"team_none"}"#;
    assert_eq!(refused(unknown_team).await, "404 NOT_FOUND: Team not found");

    let ann = r#"{"email":"ann@example.com"}"#;
    world.call("POST", INVITES, &[], ann).await.expect(200);
    let twice = "400 ALREADY_EXISTS: An invite for this email already exists";
    assert_eq!(refused(ann).await, twice);
    assert_eq!(refused(r#"{"email":"ANN@example.com"}"#).await, twice);
    world.joined("bob@example.com", None).await;
    assert_eq!(
        refused(r#"{"email":"bob@example.com"}"#).await,
        "400 ALREADY_EXISTS: A member with this email already exists"
    );
    // Nothing of what was refused is there.
    let invites = world.get(INVITES).await.expect(200);
    assert_eq!(invites["invites"].as_array().unwrap().len(), 2);
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn revoking(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let ann = json!({ "email": "ann@example.com" });
    assert_eq!(
        world.post(REVOKE, &json!({})).await.error(),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(world.post(REVOKE, &ann).await.error(), (404, "NOT_FOUND"));
    world.post(INVITES, &ann).await.expect(200);
    let revoked = world.post(REVOKE, &ann).await;
    insta::allow_duplicates! { insta::assert_snapshot!(revoked.shown(), @r#"
    200
    {
      "input": {
        "email": "ann@example.com"
      },
      "message": "Invite revoked",
      "success": true
    }
    "#) }
    // A client that repeats itself gets what it wants.
    world.post(REVOKE, &ann).await.expect(200);
    world.joined("bob@example.com", None).await;
    let used = world
        .post(REVOKE, &json!({ "email": "bob@example.com" }))
        .await;
    assert_eq!(used.error(), (400, "INVALID_REQUEST"));
}

/// A credit is reserved by an invite, freed by its end, and taken by the submission.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn credits_are_reserved_freed_and_taken(#[case] kind: Kind) {
    let world = World::with(kind, Some(Credits::whole(2)), true).await;
    let invite = async |email: &str| world.post(INVITES, &json!({ "email": email })).await;
    invite("a@example.com").await.expect(200);
    invite("b@example.com").await.expect(200);
    assert_eq!(
        invite("c@example.com").await.error(),
        (402, "INSUFFICIENT_CREDITS")
    );
    assert_eq!(world.credits().await, 2);

    world
        .post(REVOKE, &json!({ "email": "b@example.com" }))
        .await
        .expect(200);
    let model = world.joined("c@example.com", None).await;
    assert_eq!(
        invite("d@example.com").await.error(),
        (402, "INSUFFICIENT_CREDITS")
    );
    world.submitted(&model).await;
    assert_eq!(world.credits().await, 1);
    assert_eq!(
        invite("d@example.com").await.error(),
        (402, "INSUFFICIENT_CREDITS")
    );
    let again = models::submit(&world.app, &world.org, &ModelId::from(model)).await;
    assert!(again.is_err());
    assert_eq!(world.credits().await, 1);

    // One that ran out frees its credit, at the next invite or by the clean-up.
    world.clock.advance(30 * DAY);
    invite("d@example.com").await.expect(200);
    assert_eq!(
        invite("e@example.com").await.error(),
        (402, "INSUFFICIENT_CREDITS")
    );
    world.later(30 * DAY).await;
    invite("e@example.com").await.expect(200);
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn an_invite_works_for_thirty_days(#[case] kind: Kind) {
    let world = World::new(kind).await;
    world
        .post(INVITES, &json!({ "email": "a@example.com" }))
        .await
        .expect(200);
    world.clock.advance(30 * DAY - Duration::from_millis(1));
    let twice = world
        .post(INVITES, &json!({ "email": "a@example.com" }))
        .await;
    assert_eq!(twice.error(), (400, "ALREADY_EXISTS"));
    world.clock.advance(Duration::from_millis(1));
    let status = world
        .get(&format!("{INVITES}/a@example.com"))
        .await
        .expect(200);
    assert_eq!(status["invite"]["status"], "pending");
    world
        .post(INVITES, &json!({ "email": "a@example.com" }))
        .await
        .expect(200);
}

/// Two servers on one database, many at once, one credit: exactly one wins.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_gets_the_last_credit(#[case] kind: Kind) {
    let world = World::with(kind, Some(Credits::whole(1)), true).await;
    let calls = (0..12).map(|n| {
        let body = json!({ "email": format!("p{n}@example.com") });
        let world = &world;
        async move { world.post(INVITES, &body).await.status }
    });
    let mut statuses = futures_util::future::join_all(calls).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(
        statuses[1..].iter().all(|status| *status == 402),
        "{statuses:?}"
    );
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_gets_the_address(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let body = json!({ "email": "same@example.com" });
    let calls = (0..8).map(|_| world.post(INVITES, &body));
    let mut answers = futures_util::future::join_all(calls).await;
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(answers[0].status, 200, "{}", answers[0].text);
    for refused in &answers[1..] {
        assert_eq!(refused.error(), (400, "ALREADY_EXISTS"), "{}", refused.text);
    }
}

/// Creations, deletions, invites and moves of one organization, all of which count something.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_fails_nothing(#[case] kind: Kind) {
    const ROUNDS: usize = 20;
    let world = World::with(kind, Some(Credits::whole(1_000)), true).await;
    let teams = [world.team("Sales").await, world.team("Product").await];
    let models = "/api/v2/organization/models";
    let mut old = Vec::new();
    for n in 0..ROUNDS {
        let body = json!({ "email": format!("old{n}@example.com") });
        let created = world.post(models, &body).await.expect(200);
        old.push(created["modelId"].as_str().unwrap().to_owned());
        let stays = json!({ "email": format!("stays{n}@example.com") });
        world.post(models, &stays).await.expect(200);
    }
    let creates = async {
        for n in 0..ROUNDS {
            let body = json!({ "email": format!("new{n}@example.com"), "teamId": teams[n % 2] });
            world.post(models, &body).await.expect(200);
        }
    };
    let invites = async {
        for n in 0..ROUNDS {
            let body = json!({ "email": format!("invited{n}@example.com") });
            world.post(INVITES, &body).await.expect(200);
        }
    };
    let deletes = async {
        for id in &old {
            world.delete(&format!("{models}/{id}")).await.expect(200);
        }
    };
    let moves = |team: usize| {
        let world = &world;
        let path = format!("/api/v2/organization/teams/{}/members", teams[team]);
        async move {
            for round in 0..ROUNDS {
                let mut emails: Vec<String> = (0..ROUNDS)
                    .map(|n| format!("stays{n}@example.com"))
                    .collect();
                if team == round % 2 {
                    emails.reverse();
                }
                let body = json!({ "emails": emails });
                world.post(&path, &body).await.expect(200);
            }
        }
    };
    tokio::join!(creates, invites, deletes, moves(0), moves(1));
    let mut conn = world.app.db.read().await.unwrap();
    assert_eq!(tallies::wrong(&mut conn, 9).await.unwrap(), []);
    drop(conn);
    let page = async |query: &str| {
        let page = world.get(&format!("{models}?{query}")).await.expect(200);
        page["pagination"]["total"].as_u64().unwrap()
    };
    assert_eq!(page("status=deleted").await, ROUNDS as u64);
    assert_eq!(page("status=onboarding").await, 2 * ROUNDS as u64);
}

#[tokio::test]
async fn open_invites_are_limited_at_n_and_n_plus_one() {
    let world = World::limited(100).await;
    for n in 0..100 {
        let body = json!({ "email": format!("p{n}@example.com") });
        world.post(INVITES, &body).await.expect(200);
    }
    let body = json!({ "email": "p100@example.com" });
    assert_eq!(
        world.post(INVITES, &body).await.error(),
        (429, "INVITE_LIMIT_EXCEEDED")
    );
    world
        .post(REVOKE, &json!({ "email": "p7@example.com" }))
        .await
        .expect(200);
    world.post(INVITES, &body).await.expect(200);
    // A list without pages is whole, and newest first.
    let all = world.get(INVITES).await.expect(200);
    assert_eq!(all["invites"].as_array().unwrap().len(), 101);
    let some = world
        .get(&format!("{INVITES}?limit=2&offset=1"))
        .await
        .expect(200);
    assert_eq!(
        some["invites"],
        json!(&all["invites"].as_array().unwrap()[1..3])
    );
}
