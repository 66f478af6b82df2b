//! The audit log's table: a chain of places, and no way to change it.

use headshot_storage::Error;
use headshot_storage::WriteTx;
use headshot_storage::audit::{self, Entry, Head};
use rstest::rstest;

use crate::support::{Kind, at, raw, read, write};

async fn append(tx: &mut WriteTx, org: &str) -> Entry {
    let Head { seq, .. } = audit::next(tx).await.unwrap();
    let entry = Entry {
        seq,
        at: at(seq),
        org: org.into(),
        actor: "user:1 a@example.com".into(),
        action: "key.deleted".into(),
        target: "key:key_1".into(),
        detail: r#"{"name":"O'Brien \"漢字\" \u0000"}"#.into(),
        address: "::1".into(),
        hash: vec![u8::try_from(seq).unwrap(); 32],
    };
    audit::append(tx, &entry).await.unwrap();
    entry
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn rows_take_places_in_order_and_move_the_head(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    assert_eq!(
        audit::head(&mut tx).await.unwrap(),
        Head {
            seq: 0,
            hash: vec![0; 32]
        }
    );
    let first = append(&mut tx, "org_1").await;
    let second = append(&mut tx, "").await;
    let third = append(&mut tx, "org_1").await;
    tx.commit().await.unwrap();

    // A place that was taken by a transaction that did not commit is free again.
    let mut tx = write(&database).await;
    assert_eq!(
        audit::next(&mut tx).await.unwrap(),
        Head {
            seq: 4,
            hash: vec![3; 32]
        }
    );
    drop(tx);
    let mut tx = write(&database).await;
    assert_eq!(audit::next(&mut tx).await.unwrap().seq, 4);
    drop(tx);

    let mut conn = read(&database).await;
    assert_eq!(
        audit::head(&mut conn).await.unwrap(),
        Head {
            seq: 3,
            hash: vec![3; 32]
        }
    );
    assert_eq!(
        audit::after(&mut conn, 0, 2).await.unwrap(),
        [first.clone(), second.clone()]
    );
    assert_eq!(
        audit::after(&mut conn, 2, 2).await.unwrap(),
        std::slice::from_ref(&third)
    );
    assert_eq!(audit::after(&mut conn, 3, 2).await.unwrap(), []);
    let newest = audit::newest(&mut conn, "org_1", i64::MAX, 9)
        .await
        .unwrap();
    assert_eq!(newest, [third, first.clone()]);
    assert_eq!(
        audit::newest(&mut conn, "org_1", 3, 9).await.unwrap(),
        [first]
    );
    assert_eq!(
        audit::newest(&mut conn, "", i64::MAX, 1).await.unwrap(),
        [second]
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn the_database_refuses_to_change_rows(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    let entry = append(&mut tx, "org_1").await;
    tx.commit().await.unwrap();
    let mut attempts = vec![
        "UPDATE audit_entries SET actor = 'nobody' WHERE seq = 1",
        "DELETE FROM audit_entries WHERE seq = 1",
        "DELETE FROM audit_entries",
    ];
    if kind == Kind::Postgres {
        attempts.push("TRUNCATE audit_entries");
    }
    for attempt in attempts {
        let mut tx = write(&database).await;
        let refused = raw(&mut tx, attempt).await.unwrap_err();
        assert!(
            refused.to_string().contains("append-only"),
            "{attempt}: {refused}"
        );
    }
    let mut tx = write(&database).await;
    let twice = audit::append(&mut tx, &entry).await;
    assert!(matches!(twice, Err(Error::Conflict)), "{twice:?}");
    drop(tx);
    let mut conn = read(&database).await;
    assert_eq!(audit::after(&mut conn, 0, 9).await.unwrap(), [entry]);
}
