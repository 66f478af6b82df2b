use rstest::rstest;
use serde_json::json;

use crate::world::{Kind, World};

const TEAMS: &str = "/api/v2/organization/teams";

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_team_from_creation_to_deletion(#[case] kind: Kind) {
    let world = World::new(kind).await;
    assert_eq!(
        world.get(TEAMS).await.expect(200),
        json!({ "success": true, "teams": [] })
    );
    let created = world.post(TEAMS, &json!({ "name": " Product " })).await;
    insta::allow_duplicates! { insta::assert_snapshot!(created.shown(), @r#"
    200
    {
      "organization": {
        "name": "Acme",
        "teams": [
          {
            "id": "[team]",
            "name": "Product"
          }
        ],
        "uid": "[org]",
        "website": "https://acme.com"
      },
      "success": true
    }
    "#) }
    let team = created.body["organization"]["teams"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("{TEAMS}/{team}");

    // Its own name, in another case too, is no other team's.
    for name in ["Product", "PRODUCT", "Marketing & Brand", "فريق التسويق"] {
        let renamed = world.put(&path, &json!({ "name": name })).await.expect(200);
        assert_eq!(renamed["organization"]["teams"][0]["name"], name);
    }
    // The organization is read from memory, and still new.
    let organization = world.get("/api/v2/organization").await.expect(200);
    assert_eq!(
        organization["organization"]["teams"][0]["name"],
        "فريق التسويق"
    );

    let deleted = world.delete(&path).await.expect(200);
    assert_eq!(deleted["organization"]["teams"], json!([]));
    assert_eq!(world.delete(&path).await.error(), (404, "NOT_FOUND"));
    assert_eq!(
        world.put(&path, &json!({ "name": "X" })).await.error(),
        (404, "NOT_FOUND")
    );
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn names_of_teams(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let team = world.team("Sales").await;
    let other = world.team("Other").await;
    let missing =
        json!({ "success": false, "error": "Team name is required", "code": "INVALID_REQUEST" });
    let taken = json!({ "success": false, "error": "Team with this name already exists", "code": "INVALID_REQUEST" });
    for body in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": " \t" }),
        json!({ "name": null }),
    ] {
        assert_eq!(
            world.post(TEAMS, &body).await.expect(400),
            missing,
            "{body}"
        );
        assert_eq!(
            world
                .put(&format!("{TEAMS}/{team}"), &body)
                .await
                .expect(400),
            missing
        );
    }
    // With an accent as a character, and as one of its own.
    let sent = "Cafe\u{301}";
    let details = world
        .post(TEAMS, &json!({ "name": sent }))
        .await
        .expect(200);
    assert!(details.to_string().contains(sent), "kept as it was sent");
    let composed = json!({ "name": "CAF\u{c9}" });
    assert_eq!(world.post(TEAMS, &composed).await.expect(400), taken);
    for name in ["Sales", "sales", " SALES "] {
        let body = json!({ "name": name });
        assert_eq!(world.post(TEAMS, &body).await.expect(400), taken, "{name}");
        assert_eq!(
            world
                .put(&format!("{TEAMS}/{other}"), &body)
                .await
                .expect(400),
            taken
        );
    }
    let name = |length| json!({ "name": "ä".repeat(length) });
    world.post(TEAMS, &name(200)).await.expect(200);
    assert_eq!(
        world.post(TEAMS, &name(201)).await.error(),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(
        world
            .post(TEAMS, &json!({ "name": "a\u{0}b" }))
            .await
            .error(),
        (400, "INVALID_REQUEST")
    );
}

/// Members stay without a team, and so do invites and models.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_deleted_team_leaves_its_people(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let team = world.team("Sales").await;
    world.joined("ann@example.com", Some(&team)).await;
    let invite = json!({ "email": "bob@example.com", "teamId": team });
    world
        .post("/api/v2/organization/invites", &invite)
        .await
        .expect(200);
    let of_team = format!("/api/v2/organization/models?teamId={team}");
    assert_eq!(
        world.get(&of_team).await.expect(200)["pagination"]["total"],
        1
    );

    world.delete(&format!("{TEAMS}/{team}")).await.expect(200);
    assert_eq!(
        world.get(&of_team).await.expect(200)["pagination"]["total"],
        0
    );
    let models = world.get("/api/v2/organization/models").await.expect(200);
    assert_eq!(models["pagination"]["total"], 1);
    for (list, items) in [
        ("models", "models"),
        ("team", "members"),
        ("invites", "invites"),
    ] {
        let answer = world
            .get(&format!("/api/v2/organization/{list}"))
            .await
            .expect(200);
        for item in answer[items].as_array().unwrap() {
            assert!(
                item["teamId"].is_null() && item["teamName"].is_null(),
                "{item}"
            );
        }
    }
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn people_are_in_one_team_at_most(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let sales = world.team("Sales").await;
    let product = world.team("Product").await;
    let model = world.joined("ann@example.com", Some(&sales)).await;
    let members = format!("{TEAMS}/{product}/members");
    let body = json!({ "emails": ["ANN@example.com", "nobody@example.com", "no address"] });
    let added = world.post(&members, &body).await;
    insta::allow_duplicates! { insta::assert_snapshot!(added.shown(), @r#"
    200
    {
      "message": "Members added to team",
      "success": true
    }
    "#) }
    let team = world.get("/api/v2/organization/team").await.expect(200);
    assert_eq!(team["members"][0]["teamName"], "Product");
    let model = world
        .get(&format!("/api/v2/organization/models/{model}"))
        .await
        .expect(200);
    assert_eq!(model["model"]["teamName"], "Product");

    let refused = async |body| {
        let answer = world.post(&members, &body).await;
        (
            answer.status,
            answer.body["code"].as_str().unwrap().to_owned(),
        )
    };
    let invalid = (400, "INVALID_REQUEST".to_owned());
    for body in [
        json!({}),
        json!({ "emails": [] }),
        json!({ "emails": "ann@example.com" }),
        json!({ "emails": [1] }),
    ] {
        assert_eq!(refused(body).await, invalid);
    }
    let many = |count: usize| json!({ "emails": vec!["ann@example.com"; count] });
    world.post(&members, &many(1_000)).await.expect(200);
    assert_eq!(refused(many(1_001)).await, invalid);
    let nobody = json!({ "emails": ["nobody@example.com"] });
    assert_eq!(refused(nobody.clone()).await.0, 404);
    let elsewhere = world
        .post(&format!("{TEAMS}/team_none/members"), &nobody)
        .await;
    assert_eq!(elsewhere.error(), (404, "NOT_FOUND"));
}
