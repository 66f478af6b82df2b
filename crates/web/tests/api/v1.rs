use headshot_app::request_log;
use rstest::rstest;
use serde_json::json;

use crate::world::{Kind, World};

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn v1_has_its_own_shapes(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let root = "/api/v1/organization";
    let team = world.team("Sales").await;
    for path in [root.to_owned(), format!("{root}/credits")] {
        let v2 = world.get(&path.replace("v1", "v2")).await.expect(200);
        assert_eq!(world.get(&path).await.expect(200), v2);
    }
    let body = json!({ "email": "ann@example.com", "teamId": team });
    let created = world.post(&format!("{root}/invite"), &body).await;
    insta::allow_duplicates! { insta::assert_snapshot!(created.shown(), @r#"
    200
    {
      "id": "[invite]",
      "input": {
        "email": "ann@example.com"
      },
      "link": "[link]",
      "message": "Invite sent",
      "success": true,
      "teamId": "[team]"
    }
    "#) }
    let list = world.get(&format!("{root}/invites")).await;
    insta::allow_duplicates! { insta::assert_snapshot!(list.shown(), @r#"
    200
    {
      "invites": [
        {
          "createdAt": "2024-01-15T10:30:00.000Z",
          "email": "ann@example.com",
          "id": "[invite]",
          "link": "[link]",
          "teamId": "[team]",
          "used": false,
          "valid": true
        }
      ],
      "success": true
    }
    "#) }
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(list.body["invites"][0]["link"], created.body["link"]);
    let one = world.get(&format!("{root}/invite/id/{id}")).await;
    insta::allow_duplicates! { insta::assert_snapshot!(one.shown(), @r#"
    200
    {
      "invite": {
        "email": "ann@example.com",
        "status": "pending-invite",
        "teamId": "[team]"
      },
      "success": true
    }
    "#) }
    let revoked = world
        .post(
            &format!("{root}/invite/revoke"),
            &json!({ "email": "ann@example.com" }),
        )
        .await;
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
    let after = world.get(&format!("{root}/invites")).await.expect(200);
    assert_eq!(after["invites"][0]["valid"], false);
    let one = world
        .get(&format!("{root}/invite/id/{id}"))
        .await
        .expect(200);
    assert_eq!(one["invite"]["status"], "revoked");
    let none = world.get(&format!("{root}/invite/id/none")).await;
    assert_eq!(none.error(), (404, "NOT_FOUND"));
}

/// Once used, an invite has the address that the person signed up with.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_used_invite_has_the_account_s_address(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let invite = world
        .post(
            "/api/v2/organization/invites",
            &json!({ "email": "work@example.com" }),
        )
        .await
        .expect(200);
    let id = headshot_domain::InviteId::from(invite["id"].as_str().unwrap());
    let home = "home@example.com".parse().unwrap();
    headshot_app::invites::join(&world.app, &id, (&home, None))
        .await
        .unwrap();
    let one = world
        .get(&format!("/api/v1/organization/invite/id/{id}"))
        .await
        .expect(200);
    assert_eq!(
        one["invite"],
        json!({ "email": "home@example.com", "status": "waiting-for-upload", "teamId": null })
    );
    for email in ["work@example.com", "home@example.com"] {
        let found = world
            .get(&format!("/api/v2/organization/invites/{email}"))
            .await
            .expect(200);
        assert_eq!(found["invite"]["email"], "home@example.com", "{email}");
    }
    let again = headshot_app::invites::join(&world.app, &id, (&home, None)).await;
    assert!(again.is_err());
}

/// Whoever knows an invite's id can join, so the log must not tell it, nor after a mistyped path.
#[tokio::test]
async fn the_log_holds_no_invite_id() {
    let world = World::new(Kind::Sqlite).await;
    let body = json!({ "email": "ann@example.com" });
    let created = world
        .post("/api/v1/organization/invite", &body)
        .await
        .expect(200);
    let id = created["id"].as_str().unwrap();
    let path = format!("/api/v1/organization/invite/id/{id}");
    world.get(&path).await.expect(200);
    let authorization = format!("Bearer {}", world.key);
    let key = [("authorization", authorization.as_str())];
    let near_misses = [
        format!("{path}/"),
        format!("{path}?a=b"),
        format!("/api/v1/organization/Invite/id/{id}"),
        format!("/api/v1/organization/%69nvite/id/{id}"),
        format!("/api/v1/organization/invite%2Fid%2F{id}"),
        format!("/api/v1/organization/invite/{id}"),
        format!("/api/V1/organization/invite/id/{id}"),
        format!("/api/v2/organization/invite/id/{id}"),
        format!("/api/v2/organization/invites/{id}"),
    ];
    for near_miss in &near_misses {
        world.send("GET", near_miss, &key, "").await;
        world.send("GET", near_miss, &[], "").await;
    }
    request_log::drain(&world.app).await;
    // Those without a key belong to nobody.
    for org in [&world.org, &"".into()] {
        let filter = request_log::Filter::default();
        let page = request_log::page(&world.app, org, &filter).await.unwrap();
        let shown = format!("{page:?}");
        assert!(shown.contains("/organization/invite/id/{inviteId}"));
        assert!(!shown.contains(id), "{shown}");
    }
}

/// The log is kept for months, and a person may be erased meanwhile.
#[tokio::test]
async fn the_log_holds_no_mail_address() {
    let world = World::new(Kind::Sqlite).await;
    for path in ["invites/ann@example.com", "nothing?of=ann%40example.com"] {
        let path = format!("/api/v2/organization/{path}");
        assert_eq!(world.get(&path).await.error(), (404, "NOT_FOUND"));
    }
    request_log::drain(&world.app).await;
    let filter = request_log::Filter::default();
    let page = request_log::page(&world.app, &world.org, &filter)
        .await
        .unwrap();
    let shown = format!("{page:?}");
    assert!(shown.contains("/api/v2/organization/invites/[address]"));
    assert!(shown.contains("/api/v2/organization/nothing?of=[address]"));
    assert!(!shown.contains("ann"), "{shown}");
}
