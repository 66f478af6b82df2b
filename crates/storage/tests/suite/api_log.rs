//! The API log.

use headshot_domain::{KeyId, OrgId, RequestId};
use headshot_storage::api_requests::{
    self, DeadKeyUse, Filter, Gap, HourCount, KeyHour, KeyState, Logged, Request,
};
use headshot_storage::{AsConn as _, Conn};
use headshot_testkit::TestDb;
use rstest::rstest;
use sqlx::AssertSqlSafe;

use crate::support::{Kind, at, read, write};

fn request(org: &str, ms: i64, random: u64) -> Request {
    Request {
        org: org.into(),
        id: RequestId::new(at(ms), random),
        at: at(ms),
        key: Some("key_1".into()),
        key_state: KeyState::Live,
        fingerprint: None,
        method: "GET".into(),
        route: "/api/v2/organization".into(),
        path: "/api/v2/organization".into(),
        status: 200,
        code: None,
        refused_by: None,
        duration_us: 321,
        request_bytes: 0,
        response_bytes: 99,
        address: "10.0.0.1".parse().unwrap(),
        user_agent: "curl/8".into(),
        browser: false,
    }
}

async fn store(database: &TestDb, requests: &[Request]) -> u64 {
    let mut tx = write(database).await;
    let stored = api_requests::insert(&mut tx, "node_1", requests)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    stored
}

/// The times of what `filter` lets through, in the order of the list.
async fn listed(database: &TestDb, filter: &Filter, limit: i64) -> Vec<i64> {
    let mut conn = read(database).await;
    let list = api_requests::list(&mut conn, &OrgId::from("org_1"), filter, limit)
        .await
        .unwrap();
    list.iter()
        .map(|row| row.at.unix_ms() - at(0).unix_ms())
        .collect()
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_request_comes_back_as_it_was_written(#[case] kind: Kind) {
    let database = kind.open().await;
    let full = Request {
        key_state: KeyState::Deleted,
        fingerprint: Some("f00d".into()),
        path: "/api/v2/models?name=O'Brien%20\"漢字\"\\_".into(),
        status: 401,
        code: Some("UNAUTHORIZED"),
        refused_by: Some("key"),
        duration_us: i64::MAX,
        address: "2001:db8::7".parse().unwrap(),
        user_agent: "Mozilla/5.0 \u{1F980}".into(),
        browser: true,
        ..request("org_1", 0, 1)
    };
    let bare = Request {
        key: None,
        key_state: KeyState::Missing,
        ..request("org_1", 1, 1)
    };
    assert_eq!(store(&database, &[full.clone(), bare.clone()]).await, 2);
    let mut conn = read(&database).await;
    let org = OrgId::from("org_1");
    let found = api_requests::find(&mut conn, &org, full.id.as_str())
        .await
        .unwrap();
    assert_eq!(found.unwrap(), logged(&full));
    let found = api_requests::find(&mut conn, &org, bare.id.as_str())
        .await
        .unwrap();
    assert_eq!(found.unwrap(), logged(&bare));
    let elsewhere = api_requests::find(&mut conn, &OrgId::from("org_2"), full.id.as_str()).await;
    assert_eq!(elsewhere.unwrap(), None);
    assert_eq!(
        api_requests::find(&mut conn, &org, "req_\0").await.unwrap(),
        None
    );
}

fn logged(request: &Request) -> Logged {
    Logged {
        id: request.id.to_string(),
        at: request.at,
        key: request.key.as_deref().map(KeyId::from),
        key_state: request.key_state,
        fingerprint: request.fingerprint.clone(),
        method: request.method.to_string(),
        route: request.route.to_string(),
        path: request.path.clone(),
        status: request.status.into(),
        code: request.code.map(str::to_owned),
        refused_by: request.refused_by.map(str::to_owned),
        duration_us: request.duration_us,
        request_bytes: request.request_bytes,
        response_bytes: request.response_bytes,
        address: request.address.to_string(),
        user_agent: request.user_agent.clone(),
        browser: request.browser,
        node: "node_1".into(),
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn batches_of_every_size_are_written_whole_and_once(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut conn = read(&database).await;
    for (number, size) in [0, 1, 3, 4, 5, 16, 17, 255, 256, 257, 1024]
        .into_iter()
        .enumerate()
    {
        let org = format!("org_{number}");
        // Each third request has a path of its own: shapes are written many at a time as well.
        let of = |ms| Request {
            path: format!("/api/v2/organization?{}", if ms % 3 == 0 { ms } else { 1 }),
            ..request(&org, ms, 7)
        };
        let batch: Vec<Request> = (0..size).map(of).collect();
        assert_eq!(store(&database, &batch).await, batch.len() as u64, "{size}");
        // Again, as after a commit whose answer was lost.
        assert_eq!(store(&database, &batch).await, 0, "{size}");
        let list =
            api_requests::list(&mut conn, &OrgId::from(org), &Filter::default(), 2_000).await;
        let rows = list.unwrap().into_iter().rev();
        let rows: Vec<_> = rows.map(|row| (row.id, row.path)).collect();
        let expected = batch
            .iter()
            .map(|row| (row.id.to_string(), row.path.clone()));
        assert_eq!(rows, expected.collect::<Vec<_>>(), "{size}");
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn the_list_is_bounded_and_continues(#[case] kind: Kind) {
    let database = kind.open().await;
    let batch: Vec<Request> = (0..5).map(|ms| request("org_1", ms, 7)).collect();
    store(&database, &batch).await;
    store(&database, &[request("org_2", 2, 8), request("", 3, 8)]).await;
    let all = Filter::default();
    assert_eq!(listed(&database, &all, 2).await, [4, 3]);
    let before = Some(batch[3].id.to_string());
    let second = Filter {
        before,
        ..Filter::default()
    };
    assert_eq!(listed(&database, &second, 2).await, [2, 1]);
    let before = Some(batch[0].id.to_string());
    let last = Filter {
        before,
        ..Filter::default()
    };
    assert_eq!(listed(&database, &last, 2).await, [0; 0]);
    let range = Filter {
        from: Some(at(1)),
        to: Some(at(3)),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &range, 9).await, [2, 1]);
    // A place to go on from that lies after the end of the range changes nothing.
    let both = Filter {
        before: Some("req~".into()),
        ..range
    };
    assert_eq!(listed(&database, &both, 9).await, [2, 1]);
    // Whatever text a caller sends as the place.
    let odd = Filter {
        before: Some("a\0'%".into()),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &odd, 9).await, [0; 0]);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn filters_say_what_they_mean(#[case] kind: Kind) {
    let database = kind.open().await;
    let path = |ms, path: &str| Request {
        path: path.into(),
        ..request("org_1", ms, 7)
    };
    store(
        &database,
        &[
            path(0, "/API/v2/Models"),
            path(1, "/api/v2/100%25"),
            path(2, "/api/v2/a_b"),
            path(3, "/api/v2/axb"),
            path(4, "/api/v2/back\\slash"),
            path(5, "/api/v2/É"),
            Request {
                key: Some("key_2".into()),
                status: 404,
                ..request("org_1", 6, 7)
            },
            Request {
                key: None,
                status: 399,
                address: "::1".parse().unwrap(),
                ..request("org_1", 7, 7)
            },
        ],
    )
    .await;
    let of_path = async |text: &str| {
        let filter = Filter {
            path: Some(text.into()),
            ..Filter::default()
        };
        listed(&database, &filter, 99).await
    };
    assert_eq!(of_path("models").await, [0]);
    assert_eq!(of_path("V2/MODELS").await, [0]);
    assert_eq!(of_path("%").await, [1]);
    assert_eq!(of_path("A_B").await, [2]);
    assert_eq!(of_path("\\").await, [4]);
    assert_eq!(of_path("É").await, [5]);
    // Only ASCII letters lose their case, on both databases.
    assert_eq!(of_path("é").await, [0; 0]);
    assert_eq!(of_path("\0").await, [0; 0]);
    assert_eq!(of_path("' OR '1'='1").await, [0; 0]);

    let filter = Filter {
        key: Some(KeyId::from("key_2")),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 99).await, [6]);
    let filter = Filter {
        status: Some((399, 404)),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 99).await, [7, 6]);
    let filter = Filter {
        status: Some((400, 499)),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 99).await, [6]);
    let filter = Filter {
        address: Some("::1".into()),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 99).await, [7]);
    let filter = Filter {
        address: Some("10.0.0.1\0".into()),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 99).await, [0; 0]);
    let filter = Filter {
        key: Some(KeyId::from("key_1")),
        path: Some("a_b".into()),
        address: Some("10.0.0.1".into()),
        status: Some((200, 299)),
        from: Some(at(2)),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 99).await, [2]);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn gaps_lie_between_the_requests_of_every_organization(#[case] kind: Kind) {
    let database = kind.open().await;
    let gap = |ms, lost| Gap {
        id: RequestId::new(at(ms), 5).to_string(),
        at: at(ms),
        node: "node_2".into(),
        lost,
    };
    let mut tx = write(&database).await;
    for ms in [10, 20, 30] {
        api_requests::insert_gap(&mut tx, &gap(ms, ms))
            .await
            .unwrap();
    }
    api_requests::insert_gap(&mut tx, &gap(10, 99))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    store(&database, &[request("", 15, 7), request("org_1", 15, 7)]).await;
    let mut conn = read(&database).await;
    let all = api_requests::gaps(&mut conn, &Filter::default(), 9)
        .await
        .unwrap();
    assert_eq!(all, [gap(30, 30), gap(20, 20), gap(10, 10)]);
    let some = Filter {
        from: Some(at(10)),
        to: Some(at(30)),
        ..Filter::default()
    };
    let some = api_requests::gaps(&mut conn, &some, 1).await.unwrap();
    assert_eq!(some, [gap(20, 20)]);
    drop(conn);
    // A gap is no request.
    assert_eq!(listed(&database, &Filter::default(), 9).await, [15]);
    let mut conn = read(&database).await;
    let nobody = OrgId::from("");
    let without_org = api_requests::list(&mut conn, &nobody, &Filter::default(), 9)
        .await
        .unwrap();
    assert_eq!(without_org.len(), 1);
    assert_eq!(
        api_requests::find(&mut conn, &nobody, &gap(10, 10).id)
            .await
            .unwrap(),
        None
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn attempts_with_a_dead_key_are_told(#[case] kind: Kind) {
    let database = kind.open().await;
    let attempt = |ms, state, address: &str| Request {
        key_state: state,
        address: address.parse().unwrap(),
        ..request("org_1", ms, 7)
    };
    store(
        &database,
        &[
            attempt(0, KeyState::Live, "10.0.0.9"),
            attempt(1, KeyState::Deleted, "10.0.0.1"),
            attempt(5, KeyState::Deleted, "10.0.0.2"),
            attempt(3, KeyState::Expired, "10.0.0.1"),
            Request {
                key: Some("key_2".into()),
                ..attempt(9, KeyState::Deleted, "10.0.0.1")
            },
        ],
    )
    .await;
    let mut conn = read(&database).await;
    let found = api_requests::dead_key_use(&mut conn, &KeyId::from("key_1"))
        .await
        .unwrap();
    assert_eq!(
        found,
        Some(DeadKeyUse {
            attempts: 2,
            addresses: 2,
            last_at: at(5)
        })
    );
    assert_eq!(
        api_requests::dead_key_use(&mut conn, &KeyId::from("key_3"))
            .await
            .unwrap(),
        None
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn attempts_with_a_dead_key_are_counted_up_to_a_bound(#[case] kind: Kind) {
    let database = kind.open().await;
    let bound = api_requests::DEAD_KEY_ATTEMPTS_MAX;
    let mut attempts: Vec<Request> = (0..=bound)
        .map(|ms| Request {
            key_state: KeyState::Deleted,
            ..request("org_1", ms, 7)
        })
        .collect();
    // The oldest, which the bound leaves out, came from elsewhere.
    attempts[0].address = "10.0.0.2".parse().unwrap();
    store(&database, &attempts).await;
    let mut conn = read(&database).await;
    let found = api_requests::dead_key_use(&mut conn, &KeyId::from("key_1")).await;
    let expected = DeadKeyUse {
        attempts: bound,
        addresses: 1,
        last_at: at(bound),
    };
    assert_eq!(found.unwrap(), Some(expected));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_window_covers_so_many_of_the_newest_rows(#[case] kind: Kind) {
    let database = kind.open().await;
    let batch: Vec<Request> = (0..5).map(|ms| request("org_1", ms, 7)).collect();
    store(&database, &batch).await;
    store(&database, &[request("org_2", 3, 8)]).await;
    let start = async |filter: &Filter, rows| {
        let mut conn = read(&database).await;
        let org = OrgId::from("org_1");
        api_requests::window_start(&mut conn, &org, filter, rows)
            .await
            .unwrap()
    };
    let id = |at: usize| Some(batch[at].id.to_string());
    let all = Filter::default();
    assert_eq!(start(&all, 1).await, id(4));
    assert_eq!(start(&all, 5).await, id(0));
    assert_eq!(start(&all, 6).await, None);
    // It goes by time alone, whatever else the filter asks for.
    let filter = Filter {
        before: id(3),
        status: Some((500, 599)),
        ..Filter::default()
    };
    assert_eq!(start(&filter, 2).await, id(1));
    // A list from there on holds the row at the start, and an earlier time does not widen it.
    let filter = Filter {
        not_before: id(2),
        from: Some(at(1)),
        ..Filter::default()
    };
    assert_eq!(listed(&database, &filter, 9).await, [4, 3, 2]);
    let filter = Filter {
        from: Some(at(3)),
        ..filter
    };
    assert_eq!(listed(&database, &filter, 9).await, [4, 3]);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn hours_are_counted_and_summed(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    for (org, key, hour, outcome, requests) in [
        ("org_1", "key_1", 10, "accepted", 5_000_000_000),
        ("org_1", "key_1", 10, "accepted", 2),
        ("org_1", "key_2", 10, "accepted", 3),
        ("org_1", "key_1", 11, "refused", 4),
        ("org_1", "", 11, "failed", 1),
        ("org_1", "key_1", 9, "accepted", 8),
        ("org_2", "key_3", 10, "accepted", 16),
    ] {
        let counted = KeyHour {
            org,
            key,
            hour,
            outcome,
            requests,
        };
        api_requests::count(&mut tx, &[counted]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let counted = |hour, outcome: &str, requests| HourCount {
        hour,
        outcome: outcome.into(),
        requests,
    };
    let mut conn = read(&database).await;
    let org = OrgId::from("org_1");
    let all = api_requests::hours(&mut conn, &org, 10, None)
        .await
        .unwrap();
    let expected = [
        counted(10, "accepted", 5_000_000_005),
        counted(11, "failed", 1),
        counted(11, "refused", 4),
    ];
    assert_eq!(all, expected);
    let of_key = api_requests::hours(&mut conn, &org, 11, Some(&KeyId::from("key_1")))
        .await
        .unwrap();
    assert_eq!(of_key, [counted(11, "refused", 4)]);
    assert_eq!(
        api_requests::next_org(&mut conn, "")
            .await
            .unwrap()
            .as_deref(),
        Some("org_1")
    );
    assert_eq!(
        api_requests::next_org(&mut conn, "org_1")
            .await
            .unwrap()
            .as_deref(),
        Some("org_2")
    );
    assert_eq!(
        api_requests::next_org(&mut conn, "org_2").await.unwrap(),
        None
    );
    drop(conn);

    let mut tx = write(&database).await;
    assert_eq!(
        api_requests::expire_hours(&mut tx, "org_1", 10)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        api_requests::expire_hours(&mut tx, "org_1", 11)
            .await
            .unwrap(),
        2
    );
    let left = api_requests::hours(&mut tx, &org, 0, None).await.unwrap();
    assert_eq!(left, [counted(11, "failed", 1), counted(11, "refused", 4)]);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn old_requests_expire_oldest_first(#[case] kind: Kind) {
    let database = kind.open().await;
    let batch: Vec<Request> = (0..6).map(|ms| request("org_1", ms, 7)).collect();
    store(&database, &batch).await;
    store(&database, &[request("org_2", 0, 7)]).await;
    let mut tx = write(&database).await;
    assert_eq!(
        api_requests::expire(&mut tx, "org_1", at(4), 3)
            .await
            .unwrap(),
        3
    );
    assert_eq!(
        api_requests::expire(&mut tx, "org_1", at(4), 3)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        api_requests::expire(&mut tx, "org_1", at(4), 3)
            .await
            .unwrap(),
        0
    );
    // From the far past on nothing is old: a retention of centuries removes nothing.
    let far = headshot_domain::Timestamp::from_unix_ms(-6_000_000_000_000);
    assert_eq!(
        api_requests::expire(&mut tx, "org_1", far, 3)
            .await
            .unwrap(),
        0
    );
    tx.commit().await.unwrap();
    assert_eq!(listed(&database, &Filter::default(), 9).await, [5, 4]);
    let mut conn = read(&database).await;
    let other = api_requests::list(&mut conn, &OrgId::from("org_2"), &Filter::default(), 9).await;
    assert_eq!(other.unwrap().len(), 1);
}

/// How many rows a table has.
async fn count(database: &TestDb, sql: &'static str) -> i64 {
    let mut conn = read(database).await;
    let row: Result<(i64,), sqlx::Error> = match conn.conn() {
        Conn::Sqlite(conn) => sqlx::query_as(sql).fetch_one(conn).await,
        Conn::Postgres(conn) => sqlx::query_as(sql).fetch_one(conn).await,
    };
    row.unwrap().0
}

const SHAPES: &str = "SELECT COUNT(*) FROM api_log_shapes";

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn what_requests_have_in_common_is_stored_once(#[case] kind: Kind) {
    let database = kind.open().await;
    let same: Vec<Request> = (0..300).map(|ms| request("org_1", ms, 7)).collect();
    store(&database, &same).await;
    store(&database, &[request("org_2", 0, 7)]).await;
    assert_eq!(count(&database, SHAPES).await, 1);
    let base = request("org_1", 1_000, 7);
    // Whatever differs makes another one; texts do not run into each other, nothing is not empty.
    let others = [
        Request {
            key: None,
            ..base.clone()
        },
        Request {
            key: Some("".into()),
            ..base.clone()
        },
        Request {
            key_state: KeyState::Expired,
            ..base.clone()
        },
        Request {
            fingerprint: Some("f".into()),
            ..base.clone()
        },
        Request {
            method: "GETX".into(),
            route: "/b".into(),
            ..base.clone()
        },
        Request {
            method: "GET".into(),
            route: "X/b".into(),
            ..base.clone()
        },
        Request {
            path: "/other".into(),
            ..base.clone()
        },
        Request {
            status: 201,
            ..base.clone()
        },
        Request {
            code: Some("FORBIDDEN"),
            ..base.clone()
        },
        Request {
            refused_by: Some("scope"),
            ..base.clone()
        },
        Request {
            request_bytes: 1,
            ..base.clone()
        },
        Request {
            response_bytes: 98,
            ..base.clone()
        },
        Request {
            address: "10.0.0.2".parse().unwrap(),
            ..base.clone()
        },
        Request {
            address: "::ffff:10.0.0.1".parse().unwrap(),
            ..base.clone()
        },
        Request {
            user_agent: "curl/9".into(),
            ..base.clone()
        },
        Request {
            browser: true,
            ..base.clone()
        },
    ];
    let others: Vec<Request> = (1_001..)
        .zip(others)
        .map(|(ms, other)| Request {
            id: RequestId::new(at(ms), 7),
            at: at(ms),
            ..other
        })
        .collect();
    store(&database, &others).await;
    assert_eq!(count(&database, SHAPES).await, 1 + 16);
    let mut conn = read(&database).await;
    let org = OrgId::from("org_1");
    for other in &others {
        let found = api_requests::find(&mut conn, &org, other.id.as_str()).await;
        let found = found.unwrap().unwrap();
        assert_eq!(found.user_agent, other.user_agent);
        assert_eq!(found.address, other.address.to_string());
        assert_eq!(found.key.as_ref().map(KeyId::as_str), other.key.as_deref());
        assert_eq!(
            (found.path, found.status),
            (other.path.clone(), i64::from(other.status))
        );
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_shape_goes_when_its_last_request_is_gone(#[case] kind: Kind) {
    const HOUR: i64 = 3_600_000;
    let database = kind.open().await;
    let old = Request {
        path: "/old".into(),
        ..request("org_1", 0, 7)
    };
    store(&database, &[old, request("org_1", 1, 7)]).await;
    // Days later the second one is seen again.
    store(&database, &[request("org_1", 50 * HOUR, 7)]).await;
    let expire = async |before: i64| {
        let mut tx = write(&database).await;
        let requests = api_requests::expire(&mut tx, "org_1", at(before), 9)
            .await
            .unwrap();
        let shapes = api_requests::expire_shapes(&mut tx, at(before), 9)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (requests, shapes)
    };
    // Within its hour nobody knows whether another request of the shape came.
    assert_eq!(expire(2).await, (2, 0));
    assert_eq!(expire(3 * HOUR).await, (0, 1));
    assert_eq!(listed(&database, &Filter::default(), 9).await, [50 * HOUR]);
    assert_eq!(expire(60 * HOUR).await, (1, 1));
    assert_eq!(count(&database, SHAPES).await, 0);
}

/// Rows of the table that the log had before are moved when the schema is.
#[rstest]
#[case::sqlite(Kind::Sqlite, include_str!("../../migrations/sqlite/0007_api_log.sql"))]
#[case::postgres(Kind::Postgres, include_str!("../../migrations/postgres/0007_api_log.sql"))]
#[tokio::test]
async fn rows_of_the_old_table_move(#[case] kind: Kind, #[case] migration: &'static str) {
    let database = kind.open().await;
    let (_, moves) = migration.split_once("-- Each old row becomes").unwrap();
    let moves = format!("-- {moves}");
    let row = |org: &str, ms: i64, kind: &str, state: &str| {
        let (id, at) = (RequestId::new(at(ms), 7), at(ms).unix_ms());
        format!(
            "INSERT INTO api_requests (org_id, id, at, kind, node, key_id, key_state, method, route, path, \
             status, duration_us, request_bytes, response_bytes, address, user_agent, browser) VALUES \
             ('{org}', '{id}', {at}, '{kind}', 'node_1', 'key_1', '{state}', 'GET', '/r', '/p', 3, 5, 0, 9, \
             '10.0.0.1', 'curl/8', 1);"
        )
    };
    let rows = [
        row("org_1", 1, "request", "live"),
        row("org_1", 2, "request", "deleted"),
        row("", 3, "gap", "missing"),
    ];
    let sql = format!("{}{moves}", rows.concat());
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
    tx.commit().await.unwrap();
    assert_eq!(listed(&database, &Filter::default(), 9).await, [2, 1]);
    let mut conn = read(&database).await;
    let used = api_requests::dead_key_use(&mut conn, &KeyId::from("key_1"))
        .await
        .unwrap();
    assert_eq!(used.unwrap().attempts, 1);
    let gaps = api_requests::gaps(&mut conn, &Filter::default(), 9)
        .await
        .unwrap();
    assert_eq!((gaps.len(), gaps[0].lost), (1, 3));
    drop(conn);
    assert_eq!(
        count(&database, "SELECT COUNT(*) FROM api_requests").await,
        0
    );
}
