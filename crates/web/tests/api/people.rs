use std::time::Duration;

use headshot_app::audit::Actor;
use headshot_app::members::{self, RemoveError, RetryError};
use headshot_app::{mail, organizations};
use headshot_domain::{Credits, MailKind, Package};
use headshot_storage::tallies::{self, Tally};
use rstest::rstest;
use serde_json::json;

use crate::world::{Kind, World};

const TEAM: &str = "/api/v2/organization/team";

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn members_by_stage(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let team = world.team("Sales").await;
    world.joined("ann@example.com", Some(&team)).await;
    world.clock.advance(Duration::from_secs(1));
    let model = world.joined("bob@example.com", None).await;
    world.submitted(&model).await;

    let shown = world.get(TEAM).await.shown();
    insta::allow_duplicates! { insta::assert_snapshot!(shown, @r#"
    200
    {
      "members": [
        {
          "email": "bob@example.com",
          "id": "[id]",
          "joinedAt": "2024-01-15T10:30:01.000Z",
          "modelId": "[id]",
          "modelStatus": "waiting",
          "name": "Ann Example",
          "status": "pending",
          "teamId": null,
          "teamName": null
        },
        {
          "email": "ann@example.com",
          "id": "[id]",
          "joinedAt": "2024-01-15T10:30:00.000Z",
          "modelId": "[id]",
          "modelStatus": "onboarding",
          "name": "Ann Example",
          "status": "accepted",
          "teamId": "[team]",
          "teamName": "Sales"
        }
      ],
      "pagination": {
        "hasMore": false,
        "limit": 50,
        "offset": 0,
        "total": 2
      },
      "success": true
    }
    "#) }
    let accepted = world.get(&format!("{TEAM}/accepted")).await;
    insta::allow_duplicates! { insta::assert_snapshot!(accepted.shown(), @r#"
    200
    {
      "count": 1,
      "members": [
        {
          "email": "ann@example.com",
          "id": "[id]",
          "joinedAt": "2024-01-15T10:30:00.000Z",
          "name": "Ann Example",
          "teamId": "[team]",
          "teamName": "Sales"
        }
      ],
      "success": true
    }
    "#) }
    let pending = world.get(&format!("{TEAM}/pending")).await;
    insta::allow_duplicates! { insta::assert_snapshot!(pending.shown(), @r#"
    200
    {
      "count": 1,
      "members": [
        {
          "email": "bob@example.com",
          "id": "[id]",
          "joinedAt": "2024-01-15T10:30:01.000Z",
          "modelId": "[id]",
          "modelStatus": "waiting",
          "name": "Ann Example",
          "teamId": null,
          "teamName": null
        }
      ],
      "success": true
    }
    "#) }
    let finished = world.get(&format!("{TEAM}/finished")).await.expect(200);
    assert_eq!(
        finished,
        json!({ "success": true, "members": [], "count": 0 })
    );

    for (status, total) in [("accepted", 1), ("pending", 1), ("finished", 0)] {
        let page = world
            .get(&format!("{TEAM}?status={status}"))
            .await
            .expect(200);
        assert_eq!(page["pagination"]["total"], total, "{status}");
        assert_eq!(page["members"].as_array().unwrap().len(), total, "{status}");
    }
    assert_eq!(
        world.get(&format!("{TEAM}?status=active")).await.error(),
        (400, "INVALID_REQUEST")
    );
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn pages_of_members(#[case] kind: Kind) {
    let world = World::new(kind).await;
    for n in 0..5 {
        world.joined(&format!("p{n}@example.com"), None).await;
        world.clock.advance(Duration::from_secs(1));
    }
    let page = async |query: &str| {
        let page = world.get(&format!("{TEAM}?{query}")).await.expect(200);
        let emails = page["members"].as_array().unwrap().iter();
        let emails: Vec<_> = emails
            .map(|m| m["email"].as_str().unwrap()[..2].to_owned())
            .collect();
        (
            emails.join(" "),
            page["pagination"]["hasMore"].as_bool().unwrap(),
        )
    };
    assert_eq!(page("limit=2").await, ("p4 p3".to_owned(), true));
    assert_eq!(page("limit=2&offset=2").await, ("p2 p1".to_owned(), true));
    assert_eq!(page("limit=2&offset=3").await, ("p1 p0".to_owned(), false));
    assert_eq!(page("limit=2&offset=5").await, (String::new(), false));
    assert_eq!(
        page("offset=99999999999999999999").await,
        (String::new(), false)
    );
    for wrong in ["limit=0", "limit=x", "offset=-1", "limit=1&limit=2"] {
        let refused = world.get(&format!("{TEAM}?{wrong}")).await;
        assert_eq!(refused.error(), (400, "INVALID_REQUEST"), "{wrong}");
    }
}

/// Owners are listed once they have headshots made of themselves.
#[tokio::test]
async fn an_owner_without_a_session_is_no_member() {
    let world = World::new(Kind::Sqlite).await;
    assert_eq!(world.get(TEAM).await.expect(200)["pagination"]["total"], 0);
}

/// Everything of a removed member goes at once; the person may be invited again.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_removed_member_leaves_nothing(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let model = world.joined("ann@example.com", None).await;
    world.submitted(&model).await;
    world.joined("bob@example.com", None).await;
    let actor = Actor::command_line();
    let remove = async |email: &str| {
        let email = email.parse().unwrap();
        members::remove(&world.app, (&world.org, &actor), &email).await
    };
    assert!(matches!(
        remove("nobody@example.com").await,
        Err(RemoveError::NotFound(_))
    ));
    assert!(matches!(
        remove("owner@acme.example").await,
        Err(RemoveError::Owner)
    ));
    remove("Ann@Example.com").await.unwrap();
    let members = world.get(TEAM).await.expect(200);
    assert_eq!(members["pagination"]["total"], 1, "{members}");
    assert_eq!(members["members"][0]["email"], "bob@example.com");
    let path = format!("/api/v2/organization/models/{model}");
    let gone = world.get(&path).await.expect(200);
    assert_eq!(gone["model"]["status"], "deleted", "{gone}");
    let photos = world.get(&format!("{path}/photos")).await.expect(200);
    assert_eq!(photos["photos"], json!([]), "{photos}");
    assert!(matches!(
        remove("ann@example.com").await,
        Err(RemoveError::NotFound(_))
    ));
    let mut conn = world.app.db.read().await.unwrap();
    assert_eq!(tallies::wrong(&mut conn, 9).await.unwrap(), []);
    drop(conn);

    let body = json!({ "email": "ann@example.com" });
    let again = world.post("/api/v2/organization/invites", &body).await;
    again.expect(200);
    world.joined("cleo@example.com", None).await;
    // An invite that nobody has used is revoked with the member who left it behind.
    remove("cleo@example.com").await.unwrap();
    let members = world.get(TEAM).await.expect(200);
    assert_eq!(members["pagination"]["total"], 1, "{members}");
}

/// A quarter of a credit, reserved and taken.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn on_the_lite_package_a_shoot_costs_a_quarter(#[case] kind: Kind) {
    let world = World::with(kind, Some(Credits::from_hundredths(50)), false).await;
    let invited = json!({ "email": "ann@example.com" });
    let invites = "/api/v2/organization/invites";
    assert_eq!(world.post(invites, &invited).await.status, 402);
    let actor = Actor::command_line();
    organizations::set_package(&world.app, &actor, &world.org, Package::Lite)
        .await
        .unwrap();
    let first = world.joined("ann@example.com", None).await;
    let second = world.joined("bob@example.com", None).await;
    let third = json!({ "email": "cleo@example.com" });
    assert_eq!(world.post(invites, &third).await.status, 402, "all is held");
    world.submitted(&first).await;
    assert_eq!(world.credits().await, json!(0.25));
    world.submitted(&second).await;
    assert_eq!(world.credits().await, json!(0));
}

/// A session that is deleted, by the API or by the retention, is not the end of its member.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_member_whose_session_was_deleted_begins_again(#[case] kind: Kind) {
    const MODELS: &str = "/api/v2/organization/models";
    let world = World::with(kind, Some(Credits::whole(2)), true).await;
    let team = world.team("Sales").await;
    let first = world.joined("ann@example.com", Some(&team)).await;
    let (email, actor) = ("ann@example.com".parse().unwrap(), Actor::command_line());
    let retry = async || members::retry(&world.app, (&world.org, &actor), &email).await;
    let delete = async |id: &str| world.delete(&format!("{MODELS}/{id}")).await.expect(200);
    let reserved = async || {
        let mut conn = world.app.db.read().await.unwrap();
        let held = tallies::get(&mut conn, &world.org, Tally::Reserved).await;
        held.unwrap()
    };
    // The newest of the member's sessions, as member and invite have it too.
    let current = async |stage: &str, status: &str| {
        let listed = world.get(&format!("{MODELS}?limit=1")).await.expect(200);
        let newest = listed["models"][0].clone();
        assert_eq!(newest["email"], "ann@example.com");
        assert_eq!(
            (&newest["status"], &newest["teamId"]),
            (&status.into(), &json!(team))
        );
        let members = world.get(TEAM).await.expect(200);
        let member = &members["members"][0];
        assert_eq!(
            (&member["modelId"], &member["status"]),
            (&newest["id"], &stage.into())
        );
        let invite = "/api/v2/organization/invites/ann@example.com";
        let invite = world.get(invite).await.expect(200)["invite"].clone();
        assert_eq!(
            (&invite["modelId"], &invite["status"]),
            (&newest["id"], &stage.into())
        );
        newest["id"].as_str().unwrap().to_owned()
    };

    // Nothing was paid: the new session holds a credit back.
    delete(&first).await;
    for path in ["/api/v2/organization/invites", MODELS] {
        let refused = world
            .post(path, &json!({ "email": "ann@example.com" }))
            .await;
        assert_eq!(refused.error(), (400, "ALREADY_EXISTS"), "{path}");
    }
    assert_eq!(reserved().await, 0);
    world.clock.advance(Duration::from_secs(1));
    retry().await.unwrap();
    let second = current("accepted", "onboarding").await;
    assert_ne!(second, first);
    assert_eq!(reserved().await, 100);
    let told = mail::list(&world.app, &world.org).await.unwrap();
    assert_eq!(
        (told[0].kind, &*told[0].recipient),
        (MailKind::Retry, "ann@example.com")
    );
    // It has a session, whose headshots are not made.
    let refused = retry().await;
    assert!(
        matches!(refused, Err(RetryError::Session(_))),
        "{refused:?}"
    );

    // What was paid for is made again at no cost, once.
    world.submitted(&second).await;
    assert_eq!(world.credits().await, 1);
    delete(&second).await;
    world.clock.advance(Duration::from_secs(1));
    retry().await.unwrap();
    let third = current("accepted", "onboarding").await;
    assert_eq!(reserved().await, 0);
    world.submitted(&third).await;
    assert_eq!(world.credits().await, 1);
    delete(&third).await;
    world.clock.advance(Duration::from_secs(1));
    retry().await.unwrap();
    let fourth = current("accepted", "onboarding").await;
    assert_eq!(reserved().await, 100);
    world.submitted(&fourth).await;
    assert_eq!(world.credits().await, 0);
    delete(&fourth).await;
    let refused = retry().await;
    assert!(
        matches!(refused, Err(RetryError::InsufficientCredits)),
        "{refused:?}"
    );
    let mut conn = world.app.db.read().await.unwrap();
    assert_eq!(tallies::wrong(&mut conn, 9).await.unwrap(), []);
}
