//! API keys.

use headshot_domain::{KeyId, OrgId, Plan};
use headshot_storage::api_keys::{self, ApiKey, KeyUse, LIVE_MAX, LastUse, Secret};
use headshot_storage::{Error, auth};
use rstest::rstest;

use crate::support::{Kind, at, insert_key, key, read, with_orgs, write};

fn ids(keys: &[ApiKey]) -> Vec<&str> {
    keys.iter().map(|key| key.id.as_str()).collect()
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_key_comes_back_as_it_was_stored(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let restricted = ApiKey {
        name: "CI 'deploy' \"漢字\" 🔑".into(),
        scopes: "invites,photos:read".parse().unwrap(),
        networks: "10.0.0.0/8 2001:db8::/32".parse().unwrap(),
        expires_at: Some(at(500)),
        ..key("key_1", "org_1")
    };
    let mut tx = write(&database).await;
    insert_key(&mut tx, &restricted).await.unwrap();
    insert_key(&mut tx, &key("key_2", "org_1")).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let found = api_keys::find(&mut conn, &restricted.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&restricted));
    let plain = api_keys::find(&mut conn, &KeyId::from("key_2"))
        .await
        .unwrap();
    assert_eq!(plain, Some(key("key_2", "org_1")));
    assert_eq!(
        api_keys::find(&mut conn, &KeyId::from("key_\0"))
            .await
            .unwrap(),
        None
    );

    let (record, epoch) = api_keys::record(&mut conn, b"key_1").await.unwrap();
    let record = record.unwrap();
    assert_eq!((record.id, record.org), (restricted.id, restricted.org));
    assert_eq!(
        (record.scopes, record.networks),
        (restricted.scopes, restricted.networks)
    );
    assert_eq!(
        (record.expires_at, record.deleted_at, record.plan),
        (Some(at(500)), None, Plan::Standard)
    );
    assert_eq!(epoch, 1);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn an_unknown_digest_still_tells_the_epoch(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    auth::bump(&mut tx, None).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    assert_eq!(
        api_keys::record(&mut conn, b"nothing").await.unwrap(),
        (None, 2)
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn one_form_makes_one_key(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let secret = |digest: &'static [u8], nonce| Secret {
        digest,
        pepper_id: "p1",
        nonce,
    };
    let mut tx = write(&database).await;
    api_keys::insert(&mut tx, &key("key_1", "org_1"), secret(b"a", Some("n")))
        .await
        .unwrap();
    let same_form =
        api_keys::insert(&mut tx, &key("key_2", "org_1"), secret(b"b", Some("n"))).await;
    assert!(matches!(same_form, Err(Error::Conflict)), "{same_form:?}");
    let same_digest = api_keys::insert(&mut tx, &key("key_2", "org_1"), secret(b"a", None)).await;
    assert!(
        matches!(same_digest, Err(Error::Conflict)),
        "{same_digest:?}"
    );
    // Keys without a form don't collide, and a conflict leaves the transaction usable.
    api_keys::insert(&mut tx, &key("key_2", "org_1"), secret(b"b", None))
        .await
        .unwrap();
    api_keys::insert(&mut tx, &key("key_3", "org_1"), secret(b"c", None))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    assert_eq!(
        api_keys::count_live(&mut conn, &OrgId::from("org_1"))
            .await
            .unwrap(),
        3
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_deleted_key_is_deleted_once_and_kept(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    let org = OrgId::from("org_1");
    let mut tx = write(&database).await;
    for (id, created) in [("key_a", 0), ("key_c", 5), ("key_b", 5), ("key_d", 9)] {
        let key = ApiKey {
            created_at: at(created),
            ..key(id, "org_1")
        };
        insert_key(&mut tx, &key).await.unwrap();
    }
    insert_key(&mut tx, &key("key_z", "org_2")).await.unwrap();
    assert_eq!(
        ids(&api_keys::live(&mut tx, &org).await.unwrap()),
        ["key_d", "key_b", "key_c", "key_a"]
    );

    let d = KeyId::from("key_d");
    let elsewhere = OrgId::from("org_2");
    let wrong = api_keys::delete(&mut tx, (&d, Some(&elsewhere)), "server", at(10));
    assert_eq!(wrong.await.unwrap(), None);
    let first = api_keys::delete(&mut tx, (&d, Some(&org)), "user:1 a@example.com", at(20));
    let deleted = first.await.unwrap().unwrap();
    let again = api_keys::delete(&mut tx, (&d, None), "user:2 b@example.com", at(30));
    assert_eq!(again.await.unwrap(), None);
    let unknown = KeyId::from("key_x");
    let unknown = api_keys::delete(&mut tx, (&unknown, None), "server", at(30));
    assert_eq!(unknown.await.unwrap(), None);
    let found = api_keys::find(&mut tx, &d).await.unwrap().unwrap();
    assert_eq!(found, deleted);
    assert_eq!(found.deleted_at, Some(at(20)));
    assert_eq!(found.deleted_by.as_deref(), Some("user:1 a@example.com"));
    let (record, _) = api_keys::record(&mut tx, b"key_d").await.unwrap();
    assert_eq!(record.unwrap().deleted_at, Some(at(20)));
    assert_eq!(api_keys::count_live(&mut tx, &org).await.unwrap(), 3);

    for (id, when) in [("key_c", 25), ("key_b", 25)] {
        let id = KeyId::from(id);
        let deleted = api_keys::delete(&mut tx, (&id, Some(&org)), "server", at(when));
        assert!(deleted.await.unwrap().is_some());
    }
    let deleted = api_keys::deleted(&mut tx, &org, 10).await.unwrap();
    assert_eq!(ids(&deleted), ["key_b", "key_c", "key_d"]);
    assert_eq!(api_keys::deleted(&mut tx, &org, 2).await.unwrap().len(), 2);
    assert_eq!(
        ids(&api_keys::live(&mut tx, &org).await.unwrap()),
        ["key_a"]
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_list_of_keys_is_bounded(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let org = OrgId::from("org_1");
    let mut tx = write(&database).await;
    for number in 0..=LIVE_MAX {
        insert_key(&mut tx, &key(&format!("key_{number:03}"), "org_1"))
            .await
            .unwrap();
    }
    assert_eq!(api_keys::live(&mut tx, &org).await.unwrap().len(), 200);
    assert_eq!(api_keys::count_live(&mut tx, &org).await.unwrap(), 201);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn the_last_use_never_goes_back(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let id = KeyId::from("key_1");
    let known = |ms| LastUse {
        at: at(ms),
        address: Some(format!("10.0.0.{ms}")),
        call: Some(format!("GET /{ms}")),
    };
    let mut tx = write(&database).await;
    insert_key(&mut tx, &key("key_1", "org_1")).await.unwrap();
    let used = |last, browser_at| {
        [KeyUse {
            key: id.clone(),
            last,
            browser_at,
        }]
    };
    let last = async |tx: &mut _| {
        let key = api_keys::find(tx, &KeyId::from("key_1"))
            .await
            .unwrap()
            .unwrap();
        (key.last_use, key.browser_used_at)
    };
    api_keys::used(&mut tx, &used(known(50), Some(at(50))))
        .await
        .unwrap();
    assert_eq!(last(&mut tx).await, (Some(known(50)), Some(at(50))));
    api_keys::used(&mut tx, &used(known(40), Some(at(40))))
        .await
        .unwrap();
    assert_eq!(last(&mut tx).await, (Some(known(50)), Some(at(50))));
    // A later use by no browser, and one whose browser came before the known one.
    api_keys::used(&mut tx, &used(known(60), None))
        .await
        .unwrap();
    assert_eq!(last(&mut tx).await, (Some(known(60)), Some(at(50))));
    api_keys::used(&mut tx, &used(known(61), Some(at(45))))
        .await
        .unwrap();
    assert_eq!(last(&mut tx).await, (Some(known(61)), Some(at(50))));
    // The time alone, before the log is written; with it another key that was never used.
    insert_key(&mut tx, &key("key_2", "org_1")).await.unwrap();
    let bare = ["key_1", "key_2"].map(|key| KeyUse::at(KeyId::from(key), at(70)));
    api_keys::used(&mut tx, &bare).await.unwrap();
    let other = api_keys::find(&mut tx, &KeyId::from("key_2")).await;
    let [_, expected] = bare;
    assert_eq!(other.unwrap().unwrap().last_use, Some(expected.last));
    let expected = LastUse {
        at: at(70),
        ..known(61)
    };
    assert_eq!(last(&mut tx).await, (Some(expected), Some(at(50))));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn only_live_keys_are_counted_by_pepper(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let mut tx = write(&database).await;
    for (id, pepper_id) in [("1", "p1"), ("2", "p0"), ("3", "p1"), ("4", "p1")] {
        let secret = Secret {
            digest: id.as_bytes(),
            pepper_id,
            nonce: None,
        };
        api_keys::insert(&mut tx, &key(id, "org_1"), secret)
            .await
            .unwrap();
    }
    api_keys::delete(&mut tx, (&KeyId::from("3"), None), "server", at(1))
        .await
        .unwrap();
    let peppers = api_keys::peppers(&mut tx).await.unwrap();
    assert_eq!(peppers, [("p0".to_owned(), 1), ("p1".to_owned(), 2)]);
}
