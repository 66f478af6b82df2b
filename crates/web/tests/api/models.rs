use std::time::Duration;

use headshot_app::audit::Actor;
use headshot_app::consent::{self, Said};
use headshot_app::{access, invites, members, roles, webhooks};
use headshot_domain::{Credits, InviteId, Role};
use headshot_storage::{tallies, users};
use rstest::rstest;
use serde_json::json;

use crate::photos;
use crate::world::{Kind, World};

const MODELS: &str = "/api/v2/organization/models";

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_whitelabel_session(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let team = world.team("Marketing").await;
    let body = json!({ "email": "user@example.com", "teamId": team, "isDevelopment": false });
    let created = world.post(MODELS, &body).await;
    insta::allow_duplicates! { insta::assert_snapshot!(created.shown(), @r#"
    200
    {
      "modelId": "[id]",
      "signedUrl": "[signed URL]",
      "status": "onboarding",
      "success": true
    }
    "#) }
    let url = created.body["signedUrl"].as_str().unwrap();
    let token = url
        .strip_prefix("http://127.0.0.1:8080/auth/social?token=")
        .unwrap();
    assert_eq!(token.strip_suffix("&anonymous=1").unwrap().len(), 43);

    let id = created.body["modelId"].as_str().unwrap();
    let path = format!("{MODELS}/{id}");
    let shown = world.get(&path).await.shown();
    insta::allow_duplicates! { insta::assert_snapshot!(shown, @r#"
    200
    {
      "model": {
        "createdAt": "2024-01-15T10:30:00.000Z",
        "deletedAt": null,
        "email": "user@example.com",
        "finishedAt": null,
        "id": "[id]",
        "inviteExpiresAt": "2024-02-14T10:30:00.000Z",
        "isDevelopment": false,
        "status": "onboarding",
        "teamId": "[team]",
        "teamName": "Marketing",
        "title": null,
        "trigger": null,
        "uid": "[anon]",
        "version": "lora"
      },
      "success": true
    }
    "#) }
    let shown = world.get(MODELS).await.shown();
    insta::allow_duplicates! { insta::assert_snapshot!(shown, @r#"
    200
    {
      "models": [
        {
          "createdAt": "2024-01-15T10:30:00.000Z",
          "email": "user@example.com",
          "finishedAt": null,
          "id": "[id]",
          "isDevelopment": false,
          "status": "onboarding",
          "teamId": "[team]",
          "teamName": "Marketing",
          "title": null,
          "uid": "[anon]"
        }
      ],
      "pagination": {
        "hasMore": false,
        "limit": 50,
        "offset": 0,
        "total": 1
      },
      "success": true
    }
    "#) }
    let member = world.get("/api/v2/organization/team").await.expect(200);
    assert_eq!(member["members"][0]["status"], "pending");

    world.clock.advance(Duration::from_secs(5));
    let deleted = world.delete(&path).await;
    insta::allow_duplicates! { insta::assert_snapshot!(deleted.shown(), @r#"
    200
    {
      "message": "Model deleted",
      "modelId": "[id]",
      "success": true
    }
    "#) }
    assert_eq!(world.delete(&path).await.error(), (400, "ALREADY_DELETED"));
    let gone = world.get(&path).await.expect(200);
    assert_eq!(gone["model"]["status"], "deleted");
    // Nothing of the person is left, here or among the members, and the address is free again.
    assert_eq!(gone["model"]["email"], "");
    assert_eq!(gone["model"]["title"], json!(null));
    let members = world.get("/api/v2/organization/team").await.expect(200);
    assert_eq!(members["members"], json!([]));
    world.post(MODELS, &body).await.expect(200);
    assert_eq!(gone["model"]["deletedAt"], "2024-01-15T10:30:05.000Z");
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_can_be_wrong_with_a_session(#[case] kind: Kind) {
    let world = World::with(kind, Some(Credits::whole(1)), true).await;
    let refused = async |body| {
        let answer = world.post(MODELS, &body).await;
        let (status, code) = answer.error();
        format!(
            "{status} {code}: {}",
            answer.body["error"].as_str().unwrap()
        )
    };
    assert_eq!(
        refused(json!({})).await,
        "400 INVALID_REQUEST: Email is required"
    );
    assert_eq!(
        refused(json!({ "email": "x" })).await,
        "400 INVALID_EMAIL: Invalid email"
    );
    let version = json!({ "email": "a@b.co", "version": "sdxl" });
    assert_eq!(
        refused(version).await,
        "400 INVALID_REQUEST: version must be one of lora, one-shot"
    );
    let team = json!({ "email": "a@b.co", "teamId": "team_none" });
    assert_eq!(refused(team).await, "404 NOT_FOUND: Team not found");
    let kind_of = json!({ "email": "a@b.co", "isDevelopment": "yes" });
    assert!(
        refused(kind_of)
            .await
            .starts_with("400 INVALID_REQUEST: The body")
    );
    let owner = refused(json!({ "email": "owner@acme.example" })).await;
    assert!(owner.starts_with(
        "400 ALREADY_EXISTS: A user with this email already exists. You can solve this by appen"
    ));

    // A test costs nothing; the one credit is reserved by the next.
    world
        .post(MODELS, &json!({ "email": "t@b.co", "isDevelopment": true }))
        .await
        .expect(200);
    world
        .post(MODELS, &json!({ "email": "a@b.co", "version": "one-shot" }))
        .await
        .expect(200);
    assert_eq!(
        refused(json!({ "email": "c@b.co" })).await,
        "402 INSUFFICIENT_CREDITS: Insufficient credits"
    );
    world
        .post(MODELS, &json!({ "email": "u@b.co", "isDevelopment": true }))
        .await
        .expect(200);
    // Nobody began it in time: the credit is free again.
    world.later(Duration::from_hours(30 * 24)).await;
    world
        .post(MODELS, &json!({ "email": "c@b.co" }))
        .await
        .expect(200);
}

#[tokio::test]
async fn whitelabel_has_to_be_enabled() {
    let world = World::with(Kind::Sqlite, Some(Credits::whole(1)), false).await;
    let refused = world.post(MODELS, &json!({ "email": "a@b.co" })).await;
    insta::assert_snapshot!(refused.shown(), @r#"
    403
    {
      "code": "FORBIDDEN",
      "error": "Whitelabel is not enabled for this organization",
      "success": false
    }
    "#);
    // Feature before body (contract: errors.md, order of checks).
    assert_eq!(
        world.post(MODELS, &json!({})).await.error(),
        (403, "FORBIDDEN")
    );
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn lists_of_models(#[case] kind: Kind) {
    let world = World::with(kind, None, true).await;
    let sales = world.team("Sales").await;
    let mut ids = Vec::new();
    for n in 0..4 {
        let mut body = json!({ "email": format!("p{n}@example.com") });
        if n % 2 == 0 {
            body["teamId"] = sales.clone().into();
        }
        let created = world.post(MODELS, &body).await.expect(200);
        ids.push(created["modelId"].as_str().unwrap().to_owned());
        world.clock.advance(Duration::from_secs(1));
    }
    world
        .delete(&format!("{MODELS}/{}", ids[0]))
        .await
        .expect(200);
    let page = async |query: &str| {
        let page = world.get(&format!("{MODELS}?{query}")).await.expect(200);
        let emails = page["models"].as_array().unwrap().iter();
        let emails: Vec<_> = emails
            .map(|m| {
                m["email"]
                    .as_str()
                    .unwrap()
                    .get(..2)
                    .unwrap_or("-")
                    .to_owned()
            })
            .collect();
        (
            emails.join(" "),
            page["pagination"]["total"].as_i64().unwrap(),
        )
    };
    assert_eq!(page("").await, ("p3 p2 p1 -".to_owned(), 4));
    assert_eq!(page("limit=1&offset=1").await, ("p2".to_owned(), 4));
    assert_eq!(page("status=onboarding").await, ("p3 p2 p1".to_owned(), 3));
    assert_eq!(page("status=deleted").await, ("-".to_owned(), 1));
    assert_eq!(
        page(&format!("teamId={sales}")).await,
        ("p2 -".to_owned(), 2)
    );
    assert_eq!(
        page(&format!("teamId={sales}&status=onboarding")).await,
        ("p2".to_owned(), 1)
    );
    assert_eq!(page("teamId=team_none").await, (String::new(), 0));
    let refused = world.get(&format!("{MODELS}?status=generating")).await;
    assert_eq!(refused.error(), (400, "INVALID_REQUEST"));
}

/// What belongs to another organization does not exist.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn foreign_ids_are_not_found(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let team = world.team("Sales").await;
    let (model, photos) = photos::shot_in(&world, "ann@example.com", (2, Some(&team))).await;
    let photo = &photos[0];
    let own = format!("/api/v2/organization/models/{model}/photos/{photo}");
    world.get(&own).await.expect(200);
    let invite = world
        .post(
            "/api/v2/organization/invites",
            &json!({ "email": "b@c.de" }),
        )
        .await
        .expect(200);
    let (_, other) = world
        .organization("Other", Some(Credits::whole(5)), true)
        .await;
    let root = "/api/v2/organization";
    let calls = [
        ("GET", format!("{root}/models/{model}"), "{}"),
        ("DELETE", format!("{root}/models/{model}"), "{}"),
        ("PUT", format!("{root}/teams/{team}"), r#"{"name":"Mine"}"#),
        ("DELETE", format!("{root}/teams/{team}"), "{}"),
        (
            "POST",
            format!("{root}/teams/{team}/members"),
            r#"{"emails":["ann@example.com"]}"#,
        ),
        ("GET", format!("{root}/invites/ann@example.com"), ""),
        (
            "POST",
            format!("{root}/invites/revoke"),
            r#"{"email":"b@c.de"}"#,
        ),
        (
            "GET",
            format!(
                "/api/v1/organization/invite/id/{}",
                invite["id"].as_str().unwrap()
            ),
            "",
        ),
        ("GET", format!("{root}/models/{model}/photos"), ""),
        ("GET", format!("{root}/models/{model}/photos/favorite"), ""),
        ("GET", format!("{root}/models/{model}/photos/{photo}"), ""),
        ("POST", format!("{root}/models/{model}/photos/download"), ""),
        ("GET", format!("{root}/models/nothing"), ""),
        ("GET", format!("{root}/models/%00"), ""),
    ];
    for (method, path, body) in calls {
        let answer = world.as_key(&other, method, &path, body).await;
        assert_eq!(answer.error(), (404, "NOT_FOUND"), "{method} {path}");
    }
    let to_team = json!({ "email": "c@d.ef", "teamId": team }).to_string();
    for path in ["invites", "models"] {
        let answer = world
            .as_key(&other, "POST", &format!("{root}/{path}"), &to_team)
            .await;
        assert_eq!(answer.error(), (404, "NOT_FOUND"), "{path}");
    }
    let of_team = format!("{root}/models?teamId={team}");
    let models = world.as_key(&other, "GET", &of_team, "").await.expect(200);
    assert_eq!(models["models"], json!([]));
}

/// A person without an account exists for sessions only: the address is free when they are deleted.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn the_address_of_a_deleted_session_is_free(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let body = json!({ "email": "user@example.com" });
    let create = async || {
        let created = world.post(MODELS, &body).await.expect(200);
        created["modelId"].as_str().unwrap().to_owned()
    };
    let taken = async || world.post(MODELS, &body).await.error() == (400, "ALREADY_EXISTS");
    let members = async || {
        let team = world.get("/api/v2/organization/team").await.expect(200);
        team["pagination"]["total"].as_i64().unwrap()
    };
    let first = create().await;
    assert!(taken().await);
    world.delete(&format!("{MODELS}/{first}")).await.expect(200);
    assert_eq!(members().await, 0);
    let second = create().await;
    assert!(taken().await);
    assert_eq!(members().await, 1);

    // Removing the member deletes the session, and the account with it.
    let email = "user@example.com".parse().unwrap();
    let actor = Actor::command_line();
    members::remove(&world.app, (&world.org, &actor), &email)
        .await
        .unwrap();
    let gone = world.get(&format!("{MODELS}/{second}")).await.expect(200);
    assert_eq!(gone["model"]["status"], "deleted");
    assert_eq!(members().await, 0);

    // Whoever uses an invite has an account, which stays.
    let third = create().await;
    let (_, key) = world
        .organization("Other", Some(Credits::whole(5)), true)
        .await;
    let invites = "/api/v2/organization/invites";
    let invited = world.as_key(&key, "POST", invites, &body.to_string()).await;
    let invite = InviteId::from(invited.expect(200)["id"].as_str().unwrap());
    let joined = invites::join(&world.app, &invite, (&email, None)).await;
    joined.unwrap();
    world.delete(&format!("{MODELS}/{third}")).await.expect(200);
    assert!(taken().await);
    assert_eq!(members().await, 1);

    // An account that was left behind without a session is free as well.
    let place = (Role::Member, None);
    let left = "left@example.com".parse().unwrap();
    let by = (&world.org, &actor);
    let left = roles::set(&world.app, by, (&left, Some("Left")), place).await;
    let mut tx = world.app.db.write().await.unwrap();
    users::set_anonymous(&mut tx, &left.unwrap().id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let body = json!({ "email": "left@example.com" });
    world.post(MODELS, &body).await.expect(200);
    assert_eq!(members().await, 2);
    let mut conn = world.app.db.read().await.unwrap();
    assert_eq!(tallies::wrong(&mut conn, 9).await.unwrap(), []);
}

/// A name that nobody has given yet is null, in the API and in webhooks. The one that the person gives
/// is the member's as well.
#[tokio::test]
async fn a_model_has_one_title_wherever_it_is_told() {
    let world = World::new(Kind::Sqlite).await;
    let actor = Actor::command_line();
    let url = "http://127.0.0.1:9/hook";
    let saved = webhooks::save_url(&world.app, &actor, &world.org, url).await;
    assert!(saved.is_ok());
    let body = json!({ "email": "user@example.com" });
    let created = world.post(MODELS, &body).await.expect(200);
    let id = created["modelId"].clone();
    let path = format!("{MODELS}/{}", id.as_str().unwrap());
    let title = world.get(&path).await.expect(200)["model"]["title"].clone();
    let page = webhooks::page(&world.app, &world.org, None, None).await;
    let (event, _) = page.unwrap().events.into_iter().next().unwrap();
    let told: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    assert_eq!(told["object"]["title"], title);
    assert_eq!(title, serde_json::Value::Null);
    let member = async || {
        let members = world.get("/api/v2/organization/team").await.expect(200);
        members["members"][0]["name"].clone()
    };
    assert_eq!(member().await, serde_json::Value::Null);

    let token = created["signedUrl"].as_str().unwrap();
    let token = token.split("token=").nth(1).unwrap().split('&').next();
    let visit = access::open(&world.app, token.unwrap()).await;
    let said = Said {
        name: "Jane Doe",
        gender: None,
        version: consent::VERSION,
    };
    let home = [127, 0, 0, 1].into();
    consent::give(&world.app, &visit.unwrap().unwrap(), said, home)
        .await
        .unwrap();
    let model = world.get(&path).await.expect(200);
    assert_eq!(model["model"]["title"], "Jane Doe");
    assert_eq!(member().await, "Jane Doe");
}

/// A person who was invited gets one session, and one way to it.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn an_address_with_an_open_invite_gets_no_second_session(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let invites = "/api/v2/organization/invites";
    let body = json!({ "email": "Ann@example.com" });
    let invited = world.post(invites, &body).await.expect(200);
    let refused = world
        .post(MODELS, &json!({ "email": "ann@EXAMPLE.com" }))
        .await;
    assert_eq!(refused.error(), (400, "ALREADY_EXISTS"));
    let text = "An invite for this email already exists";
    assert_eq!(refused.body["error"], text);
    // The invite still opens.
    let invite = InviteId::from(invited["id"].as_str().unwrap());
    let email = "ann@example.com".parse().unwrap();
    let joined = invites::join(&world.app, &invite, (&email, None)).await;
    joined.unwrap();
    // One that was withdrawn, or has run out, stands in nobody's way.
    for (email, runs_out) in [("bob@example.com", false), ("cy@example.com", true)] {
        let body = json!({ "email": email });
        world.post(invites, &body).await.expect(200);
        if runs_out {
            world.clock.advance(invites::LIFE);
        } else {
            let revoke = format!("{invites}/revoke");
            world.post(&revoke, &body).await.expect(200);
        }
        world.post(MODELS, &body).await.expect(200);
    }
}
