use std::time::Duration;

use headshot_domain::{Liked, ModelId, ModelStatus, PhotoId, PhotoStatus, Timestamp};
use headshot_storage::models as rows;
use headshot_storage::photos::{self, Photo};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{Kind, World};

/// A model with some photos, the second one loved and chosen.
async fn shot(world: &World, email: &str, count: i64) -> (String, Vec<String>) {
    shot_in(world, email, (count, None)).await
}

pub(crate) async fn shot_in(
    world: &World,
    email: &str,
    (count, team): (i64, Option<&str>),
) -> (String, Vec<String>) {
    let model = world.joined(email, team).await;
    let id = ModelId::from(model.as_str());
    world.submitted(&model).await;
    let mut tx = world.app.db.write().await.unwrap();
    let mut ids = Vec::new();
    for place in 0..count {
        let photo = Photo {
            id: PhotoId::generate(&*world.app.entropy),
            org: world.org.clone(),
            model: id.clone(),
            place,
            status: PhotoStatus::Active,
            liked: if place == 1 {
                Liked::Loved
            } else {
                Liked::None
            },
            format: "jpg".into(),
            recipe: "{}".into(),
            created_at: Timestamp::from_unix_ms(1_705_318_200_000 + place),
            deleted_at: None,
        };
        assert!(photos::insert(&mut tx, &photo).await.unwrap());
        ids.push(photo.id.to_string());
    }
    let before = rows::find(&mut tx, &world.org, &id).await.unwrap().unwrap();
    let mut after = before.clone();
    after.favorite = Some(PhotoId::from(ids[1].as_str()));
    after.status = ModelStatus::Active;
    after.finished_at = Some(world.app.clock.now());
    rows::update(&mut tx, &before, &after).await.unwrap();
    tx.commit().await.unwrap();
    (model, ids)
}

/// With the signatures cut off.
fn unsigned(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) if text.contains('?') => {
                *text = text.split('?').next().unwrap().to_owned();
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(fields) => fields.values_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn photos_of_a_model(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let (model, ids) = shot(&world, "ann@example.com", 3).await;
    let root = format!("/api/v2/organization/models/{model}/photos");
    let page = async |query: &str| {
        let page = world.get(&format!("{root}?{query}")).await.expect(200);
        let found = page["photos"].as_array().unwrap().iter();
        let places: Vec<_> = found
            .map(|photo| ids.iter().position(|id| photo["id"] == json!(id)).unwrap())
            .collect();
        (places, page["pagination"]["total"].as_i64().unwrap())
    };
    assert_eq!(page("").await, (vec![0, 1, 2], 3));
    assert_eq!(page("limit=1&offset=1").await, (vec![1], 3));
    assert_eq!(page("likedStatus=loved").await, (vec![1], 1));
    assert_eq!(page("likedStatus=none&limit=1").await, (vec![0], 2));
    assert_eq!(page("status=deleted").await, (vec![], 0));
    for wrong in [
        "status=gone",
        "likedStatus=hated",
        "include=both",
        "limit=0",
    ] {
        let refused = world.get(&format!("{root}?{wrong}")).await;
        assert_eq!(refused.error(), (400, "INVALID_REQUEST"), "{wrong}");
    }
    let one = unsigned(
        world
            .get(&format!("{root}/{}?include=all", ids[2]))
            .await
            .expect(200),
    );
    let base = format!("http://127.0.0.1:8080/photos/{}", ids[2]);
    assert_eq!(
        one,
        json!({ "success": true, "photo": {
            "id": ids[2], "modelId": model, "status": "active", "likedStatus": "none",
            "createdAt": "2024-01-15T11:30:00.002Z", "expiresAt": "2024-01-16T10:30:00.000Z",
            "urls": { "main": format!("{base}.jpg"), "thumbnail": format!("{base}_thumb.jpg"), "original": format!("{base}_original.jpg") },
        }})
    );
    let only_main = world.get(&format!("{root}/{}", ids[2])).await.expect(200);
    assert_eq!(only_main["photo"]["urls"].as_object().unwrap().len(), 1);
    assert_eq!(
        world.get(&format!("{root}/nothing")).await.error(),
        (404, "NOT_FOUND")
    );
    let elsewhere = "/api/v2/organization/models/nothing/photos";
    for path in [
        elsewhere.to_owned(),
        format!("{elsewhere}/favorite"),
        format!("{elsewhere}/{}", ids[0]),
    ] {
        assert_eq!(world.get(&path).await.error(), (404, "NOT_FOUND"), "{path}");
    }
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn favourites(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let before = world.joined("bob@example.com", None).await;
    let root = "/api/v2/organization/models";
    let none = world
        .get(&format!("{root}/{before}/photos/favorite"))
        .await
        .expect(200);
    assert_eq!(
        none,
        json!({ "success": true, "photo": null, "message": "No favorite photo selected" })
    );
    let (model, ids) = shot(&world, "ann@example.com", 2).await;
    let chosen = world
        .get(&format!("{root}/{model}/photos/favorite"))
        .await
        .expect(200);
    assert_eq!(chosen["photo"]["id"], json!(ids[1]));

    let team = world.team("Sales").await;
    let everybody = "/api/v2/organization/photos/favorites";
    let all = unsigned(world.get(everybody).await.expect(200));
    assert_eq!(
        all,
        json!({ "success": true, "pagination": { "total": 1, "limit": 50, "offset": 0, "hasMore": false }, "photos": [{
            "id": ids[1], "modelId": model, "email": "ann@example.com", "name": "Ann Example", "teamId": null, "teamName": null,
            "status": "active", "likedStatus": "loved", "createdAt": "2024-01-15T11:30:00.001Z", "expiresAt": "2024-01-16T10:30:00.000Z",
            "urls": { "main": format!("http://127.0.0.1:8080/photos/{}.jpg", ids[1]) },
        }]})
    );
    let of_team = format!("{everybody}?teamId={team}");
    assert_eq!(
        world.get(&of_team).await.expect(200)["pagination"]["total"],
        0
    );
    let members = json!({ "emails": ["ann@example.com"] });
    world
        .post(
            &format!("/api/v2/organization/teams/{team}/members"),
            &members,
        )
        .await
        .expect(200);
    assert_eq!(
        world.get(&of_team).await.expect(200)["photos"][0]["teamName"],
        "Sales"
    );

    // A deleted model's photos are gone at once.
    world.delete(&format!("{root}/{model}")).await.expect(200);
    assert_eq!(world.get(everybody).await.expect(200)["photos"], json!([]));
    assert_eq!(
        world.get(&of_team).await.expect(200)["pagination"]["total"],
        0
    );
    let gone = world
        .get(&format!("{root}/{model}/photos?status=deleted&include=all"))
        .await
        .expect(200);
    assert_eq!(gone["photos"].as_array().unwrap().len(), 2);
    assert_eq!(gone["photos"][0]["urls"], json!({}));
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn downloads(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let (model, ids) = shot(&world, "ann@example.com", 3).await;
    let path = format!("/api/v2/organization/models/{model}/photos/download");
    for (body, count, urls) in [
        (String::new(), 3, 1),
        ("{}".to_owned(), 3, 1),
        (json!({ "photoIds": [] }).to_string(), 3, 1),
        (
            json!({ "photoIds": [ids[0], "nothing"], "include": "all" }).to_string(),
            1,
            3,
        ),
    ] {
        let answer = world.call("POST", &path, &[], &body).await.expect(200);
        let downloads = answer["downloads"].as_array().unwrap();
        assert_eq!(downloads.len(), count, "{body}");
        assert_eq!(
            downloads[0]["urls"].as_object().unwrap().len(),
            urls,
            "{body}"
        );
        assert_eq!(downloads[0]["id"], downloads[0]["photoId"]);
        assert_eq!(answer["expiresAt"], "2024-01-16T10:30:00.000Z");
    }
    assert_eq!(
        world
            .post(&path, &json!({ "photoIds": ["nothing"] }))
            .await
            .error(),
        (404, "NOT_FOUND")
    );
    for wrong in [
        json!({ "photoIds": "x" }),
        json!({ "include": "both" }),
        json!({ "photoIds": vec!["x"; 1_001] }),
    ] {
        assert_eq!(
            world.post(&path, &wrong).await.error(),
            (400, "INVALID_REQUEST")
        );
    }
}

/// Photos are listed as they are made, whatever the model's status; those that are deleted by `status`.
/// An operation that only reads keeps its answer too.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_repeated_download_gets_the_first_answer(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let (model, ids) = shot(&world, "ann@example.com", 2).await;
    let path = format!("/api/v2/organization/models/{model}/photos/download");
    let key = [("Idempotency-Key", "download 1")];
    let call = async |path: &str, body: &str| world.call("POST", path, &key, body).await;
    // A refusal is not kept.
    let refused = call(&path, r#"{"photoIds":["nothing"]}"#).await;
    assert_eq!(refused.error(), (404, "NOT_FOUND"));

    let first = call(&path, "{}").await;
    world.clock.advance(Duration::from_mins(5));
    let again = call(&path, "{}").await;
    assert_eq!((first.status, &first.text), (200, &again.text));
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = call(&path, &json!({ "photoIds": [ids[0]] }).to_string()).await;
    assert_eq!(other.error(), (400, "INVALID_REQUEST"));
    let unkept = world.call("POST", &path, &[], "{}").await;
    assert_ne!(unkept.text, first.text);

    let credits = "/api/v1/organization/credits";
    let key = [("Idempotency-Key", "credits 1")];
    let first = world.call("POST", credits, &key, "{}").await;
    let again = world.call("POST", credits, &key, "{}").await;
    assert_eq!((first.status, &first.text), (200, &again.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn photos_appear_as_they_are_made(#[case] kind: Kind) {
    let world = World::new(kind).await;
    let (model, ids) = shot(&world, "ann@example.com", 2).await;
    let root = format!("/api/v2/organization/models/{model}/photos");
    let id = ModelId::from(model.as_str());
    for status in [ModelStatus::GeneratingHeadshots, ModelStatus::Active] {
        let mut tx = world.app.db.write().await.unwrap();
        let before = rows::find(&mut tx, &world.org, &id).await.unwrap().unwrap();
        let mut after = before.clone();
        after.status = status;
        rows::update(&mut tx, &before, &after).await.unwrap();
        tx.commit().await.unwrap();
        let page = world.get(&root).await.expect(200);
        assert_eq!(page["pagination"]["total"], 2, "{status}");
        assert_eq!(page["photos"].as_array().unwrap().len(), 2);
        let download = format!("{root}/download");
        let one = json!({ "photoIds": [ids[0]] });
        let one = world.post(&download, &one).await.expect(200);
        assert_eq!(one["downloads"].as_array().unwrap().len(), 1, "{status}");
    }
    let mut tx = world.app.db.write().await.unwrap();
    let now = world.app.clock.now();
    photos::delete_of_model(&mut tx, &id, now).await.unwrap();
    tx.commit().await.unwrap();
    let gone = world
        .get(&format!("{root}?status=deleted"))
        .await
        .expect(200);
    assert_eq!(gone["pagination"]["total"], 2);
}
