//! The chain of the audit log shows what happened to it when somebody went around its triggers.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use headshot_app::audit::{self, Actor, Event, Verified};
use headshot_domain::{OrgId, Timestamp};
use headshot_storage::{AsConn, Conn, Db};
use headshot_testkit::TestDb;
use rstest::rstest;
use sqlx::AssertSqlSafe;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// A database with a chain of `rows` rows.
    async fn with_rows(self, rows: i64) -> TestDb {
        let database = match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        };
        for row in 1..=rows {
            record(&database.db, row).await;
        }
        database
    }

    /// What lets rows be changed at all.
    const fn without_triggers(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "DROP TRIGGER audit_entries_no_update; DROP TRIGGER audit_entries_no_delete"
            }
            Self::Postgres => "DROP TRIGGER audit_entries_no_change ON audit_entries",
        }
    }
}

async fn record(db: &Db, row: i64) {
    let org = OrgId::from("org_1");
    let event = Event {
        org: (row % 2 == 0).then_some(&org),
        action: "key.deleted",
        target: format!("key:{row}"),
        detail: serde_json::json!({ "name": "O'Brien \"漢字\"" }),
    };
    let actor = Actor::user(&"1".into(), "a@example.com", [127, 0, 0, 1].into());
    let mut tx = db.write().await.unwrap();
    let now = Timestamp::from_unix_ms(1_705_314_600_000 + row);
    audit::record(&mut tx, &actor, now, event).await.unwrap();
    tx.commit().await.unwrap();
}

async fn raw(database: &TestDb, sql: &str) {
    let mut tx = database.db.write().await.unwrap();
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    match tx.conn() {
        Conn::Sqlite(conn) => drop(sql.execute(conn).await.unwrap()),
        Conn::Postgres(conn) => drop(sql.execute(conn).await.unwrap()),
    }
    tx.commit().await.unwrap();
}

async fn verify(database: &TestDb) -> Verified {
    let mut conn = database.db.read().await.unwrap();
    audit::verify(&mut conn).await.unwrap()
}

const fn broken(seq: i64, what: &'static str) -> Verified {
    Verified::Broken { seq, what }
}

/// What `change` does to a chain of five rows.
async fn after(kind: Kind, change: &str) -> Verified {
    let database = kind.with_rows(5).await;
    raw(&database, kind.without_triggers()).await;
    raw(&database, change).await;
    verify(&database).await
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_concurrent_writers_is_intact(#[case] kind: Kind) {
    let database = kind.with_rows(0).await;
    let empty = Verified::Intact {
        entries: 0,
        head: "0".repeat(64),
    };
    assert_eq!(verify(&database).await, empty);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let url = database.url.clone();
            tokio::spawn(async move {
                let other = headshot_testkit::connect(&url).await;
                for row in 0..15 {
                    record(&other, writer * 100 + row).await;
                }
            })
        })
        .collect();
    // A chain that grows while it is followed is intact at every moment.
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let seen = verify(&database).await;
        assert!(matches!(seen, Verified::Intact { .. }), "{seen:?}");
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let Verified::Intact { entries, head } = verify(&database).await else {
        unreachable!("it was intact at every moment")
    };
    assert_eq!((entries, head.len()), (60, 64));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_changed_row_is_found_by_each_of_its_fields(#[case] kind: Kind) {
    let database = kind.with_rows(5).await;
    raw(&database, kind.without_triggers()).await;
    for field in ["actor", "action", "target", "detail", "address", "org_id"] {
        raw(
            &database,
            &format!("UPDATE audit_entries SET {field} = {field} || 'x' WHERE seq = 3"),
        )
        .await;
        assert_eq!(verify(&database).await, broken(3, "was changed"), "{field}");
        let back = format!(
            "UPDATE audit_entries SET {field} = substr({field}, 1, length({field}) - 1) WHERE seq = 3"
        );
        raw(&database, &back).await;
        assert!(
            matches!(verify(&database).await, Verified::Intact { entries: 5, .. }),
            "{field}"
        );
    }
    // A character moved from one field to the next.
    raw(
        &database,
        "UPDATE audit_entries SET actor = actor || 'k', action = 'ey.deleted' WHERE seq = 3",
    )
    .await;
    assert_eq!(verify(&database).await, broken(3, "was changed"));
    assert_eq!(
        after(kind, "UPDATE audit_entries SET at = at + 1 WHERE seq = 1").await,
        broken(1, "was changed")
    );
    assert_eq!(
        after(kind, "UPDATE audit_entries SET hash = (SELECT hash FROM audit_entries WHERE seq = 4) WHERE seq = 5").await,
        broken(5, "was changed")
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_removed_row_is_found(#[case] kind: Kind) {
    assert_eq!(
        after(kind, "DELETE FROM audit_entries WHERE seq = 3").await,
        broken(3, "is missing")
    );
    assert_eq!(
        after(kind, "DELETE FROM audit_entries WHERE seq = 1").await,
        broken(1, "is missing")
    );
    // Renumbering hides no removal.
    let closed =
        "DELETE FROM audit_entries WHERE seq = 4; UPDATE audit_entries SET seq = 4 WHERE seq = 5";
    assert_eq!(after(kind, closed).await, broken(4, "was changed"));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_removed_tail_is_found(#[case] kind: Kind) {
    assert_eq!(
        after(kind, "DELETE FROM audit_entries WHERE seq > 3").await,
        broken(4, "is missing")
    );
    assert_eq!(
        after(kind, "DELETE FROM audit_entries").await,
        broken(1, "is missing")
    );
    // The head's place was set back, its hash was not.
    let back = "DELETE FROM audit_entries WHERE seq > 3; UPDATE audit_head SET seq = 3";
    assert_eq!(after(kind, back).await, broken(3, "was rewritten"));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_swapped_pair_is_found(#[case] kind: Kind) {
    let swapped = "UPDATE audit_entries SET seq = 99 WHERE seq = 2; \
        UPDATE audit_entries SET seq = 2 WHERE seq = 3; UPDATE audit_entries SET seq = 3 WHERE seq = 99";
    assert_eq!(after(kind, swapped).await, broken(2, "was changed"));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn an_added_row_is_found(#[case] kind: Kind) {
    let copy = |seq: &str| {
        format!(
            "INSERT INTO audit_entries (seq, at, org_id, actor, action, target, detail, address, hash) \
             SELECT {seq}, at, org_id, actor, action, target, detail, address, hash FROM audit_entries WHERE seq = 5"
        )
    };
    assert_eq!(
        after(kind, &copy("0")).await,
        broken(0, "was never written")
    );
    assert_eq!(
        after(kind, &copy("-7")).await,
        broken(-7, "was never written")
    );
    assert_eq!(after(kind, &copy("6")).await, broken(6, "was changed"));
    // A row that was written rightly, but that the head was set back to hide.
    let hidden =
        "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit_entries WHERE seq = 4)";
    assert_eq!(
        after(kind, hidden).await,
        broken(5, "was added behind the end")
    );
}
