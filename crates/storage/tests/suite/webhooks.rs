//! Webhook endpoints, events and deliveries.

use headshot_domain::WebhookState::{Delivered, Failed, Pending};
use headshot_domain::{DeliveryId, JobKind, OrgId, Timestamp, WebhookState};
use headshot_storage::jobs::{self, Claim};
use headshot_storage::webhooks::{self, Delivery, Endpoint, Event};
use headshot_storage::{AsConn, Conn};
use rstest::rstest;
use sqlx::AssertSqlSafe;

use crate::support::{Kind, at, read, with_orgs, write};

fn endpoint(org: &str) -> Endpoint {
    Endpoint {
        org: OrgId::from(org),
        url: "https://hooks.example.com/".into(),
        secret: vec![1, 2, 3],
        previous: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn event(id: &str, org: &str, ms: i64, state: WebhookState) -> Event {
    Event {
        id: id.into(),
        org: OrgId::from(org),
        model: "m1".into(),
        name: "model.created".into(),
        body: format!(r#"{{"id":"{id}"}}"#),
        state,
        created_at: at(ms),
        erased_at: None,
        seq: 0,
    }
}

fn delivery(id: &str, event: &str, ms: i64) -> Delivery {
    Delivery {
        id: DeliveryId::from(id),
        org: "org_1".into(),
        event: event.into(),
        attempt: 1,
        url: "https://hooks.example.com/".into(),
        request_head: "POST / HTTP/1.1".into(),
        status: Some(500),
        response_head: "HTTP/1.1 500".into(),
        response_body: "no".into(),
        error: None,
        started_at: at(ms),
        duration_ms: 12,
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn an_organization_has_one_endpoint(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    let mut tx = write(&database).await;
    webhooks::save_endpoint(&mut tx, &endpoint("org_1"))
        .await
        .unwrap();
    let changed = Endpoint {
        url: "https://other.example.com/".into(),
        secret: vec![4],
        previous: Some((vec![1, 2, 3], at(9))),
        updated_at: at(5),
        ..endpoint("org_1")
    };
    webhooks::save_endpoint(&mut tx, &changed).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let found = webhooks::endpoint(&mut conn, &"org_1".into())
        .await
        .unwrap();
    assert_eq!(found, Some(changed));
    let other = webhooks::endpoint(&mut conn, &"org_2".into())
        .await
        .unwrap();
    assert_eq!(other, None);
    drop(conn);
    let mut tx = write(&database).await;
    assert!(
        webhooks::remove_endpoint(&mut tx, &"org_1".into())
            .await
            .unwrap()
    );
    assert!(
        !webhooks::remove_endpoint(&mut tx, &"org_1".into())
            .await
            .unwrap()
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn events_are_paged_by_time_and_number(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    let mut tx = write(&database).await;
    let mut numbers = Vec::new();
    for (id, org, ms, state) in [
        ("evt_a", "org_1", 1, Failed),
        ("evt_c", "org_1", 2, Delivered),
        ("evt_b", "org_1", 2, Failed),
        ("evt_d", "org_1", 3, Pending),
        ("evt_e", "org_2", 4, Failed),
    ] {
        let stored = event(id, org, ms, state);
        numbers.push(webhooks::insert_event(&mut tx, &stored).await.unwrap());
    }
    assert_eq!(
        numbers,
        [1, 2, 3, 4, 1],
        "each organization counts for itself"
    );
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let org = OrgId::from("org_1");
    let end = Timestamp::from_unix_ms(i64::MAX);
    let mut page = async |state, before: (Timestamp, i64), limit| {
        let found = webhooks::page(&mut conn, &org, (state, before), limit).await;
        let ids = found.unwrap().into_iter().map(|event| event.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(page(None, (end, 9), 2).await, ["evt_d", "evt_b"]);
    assert_eq!(page(None, (at(2), 3), 9).await, ["evt_c", "evt_a"]);
    assert_eq!(page(Some(Failed), (end, 9), 9).await, ["evt_b", "evt_a"]);
    let failed = webhooks::failed(&mut conn, &org, 9).await.unwrap();
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[0].id, "evt_a", "oldest first");
    assert_eq!(webhooks::count_failed(&mut conn, &org).await.unwrap(), 2);
    drop(conn);

    let mut tx = write(&database).await;
    webhooks::set_state(&mut tx, "evt_a", Pending)
        .await
        .unwrap();
    let changed = webhooks::event(&mut tx, "evt_a").await.unwrap().unwrap();
    let expected = Event {
        seq: 1,
        ..event("evt_a", "org_1", 1, Pending)
    };
    assert_eq!(changed, expected);
    assert_eq!(webhooks::event(&mut tx, "evt_x").await.unwrap(), None);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn deliveries_go_with_their_event(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let mut tx = write(&database).await;
    for (id, ms) in [("evt_a", 1), ("evt_b", 2), ("evt_c", 3)] {
        let stored = event(id, "org_1", ms, Pending);
        webhooks::insert_event(&mut tx, &stored).await.unwrap();
    }
    let refused = Delivery {
        status: None,
        error: Some("10.0.0.1 is not a public address".into()),
        ..delivery("dlv_2", "evt_a", 2)
    };
    for row in [&delivery("dlv_1", "evt_a", 1), &refused] {
        webhooks::insert_delivery(&mut tx, row).await.unwrap();
    }
    let rows = webhooks::deliveries(&mut tx, "evt_a", 9).await.unwrap();
    assert_eq!(rows, [refused.clone(), delivery("dlv_1", "evt_a", 1)]);
    let last = webhooks::last_delivery(&mut tx, "evt_a").await.unwrap();
    assert_eq!(last, Some(refused));
    assert_eq!(
        webhooks::last_delivery(&mut tx, "evt_b").await.unwrap(),
        None
    );

    let expired = webhooks::expire(&mut tx, at(3), 1).await.unwrap();
    assert_eq!((expired.len(), &*expired[0].id), (1, "evt_a"));
    assert!(
        webhooks::deliveries(&mut tx, "evt_a", 9)
            .await
            .unwrap()
            .is_empty()
    );
    let mut expire = async || webhooks::expire(&mut tx, at(3), 9).await.unwrap().len();
    assert_eq!((expire().await, expire().await), (1, 0));
    assert!(webhooks::event(&mut tx, "evt_c").await.unwrap().is_some());
}

/// Events and jobs of an older version get their places when the schema moves.
#[rstest]
#[case::sqlite(Kind::Sqlite, include_str!("../../migrations/sqlite/0010_order.sql"))]
#[case::postgres(Kind::Postgres, include_str!("../../migrations/postgres/0010_order.sql"))]
#[tokio::test]
async fn old_events_are_numbered(#[case] kind: Kind, #[case] migration: &'static str) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    let id = |letter: &str| format!("evt_{}", letter.repeat(36));
    let mut rows = Vec::new();
    for (letter, org, model, ms) in [
        ("c", "org_1", "m1", 1),
        ("a", "org_1", "m1", 2),
        ("b", "org_2", "m2", 1),
        ("d", "org_2", "", 1),
    ] {
        let id = id(letter);
        rows.push(format!(
            "INSERT INTO webhook_events (id, org_id, model_id, event, body, state, created_at) \
                VALUES ('{id}', '{org}', '{model}', 'model.created', '{{}}', 'pending', {ms}); \
             INSERT INTO jobs (id, kind, lane, queue, payload, state, attempts, run_at, created_at) \
                VALUES ('job_{letter}', 'webhook.deliver', '{org}', 'webhook.deliver {org}', \
                '{{\"event\":\"{id}\"}}', 'queued', 0, 1, 1);"
        ));
    }
    let moves = migration
        .split_inclusive(';')
        .filter(|part| part.contains("UPDATE "));
    let sql = format!("{}{}", rows.concat(), moves.collect::<String>());
    let mut tx = write(&database).await;
    match tx.conn() {
        Conn::Sqlite(conn) => sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(conn)
            .await
            .map(drop),
        Conn::Postgres(conn) => sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(conn)
            .await
            .map(drop),
    }
    .unwrap();
    for (letter, seq) in [("c", 1), ("a", 2), ("b", 1), ("d", 2)] {
        let event = webhooks::event(&mut tx, &id(letter)).await.unwrap();
        assert_eq!(event.unwrap().seq, seq, "{letter}");
    }
    let claim = Claim {
        worker: "w",
        now: at(1),
        lease_until: at(2),
        lane_max: 9,
        limit: 9,
        bounded: [JobKind::Shoot, JobKind::WebhookDeliver].map(|kind| (kind, 9)),
    };
    let claimed = jobs::claim(&mut tx, &claim).await.unwrap();
    let mut ids: Vec<&str> = claimed.iter().map(|job| job.id.as_str()).collect();
    ids.sort_unstable();
    // The first of m1, that of m2, and a test, which stands alone.
    assert_eq!(ids, ["job_b", "job_c", "job_d"]);
}
