//! `auth`: the epoch, what it invalidated, and the nodes.

use headshot_domain::OrgId;
use headshot_storage::Watcher;
use headshot_storage::auth::{self, INVALIDATIONS_KEPT, Observation};
use rstest::rstest;

use crate::support::{Kind, at, read, write};

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn an_epoch_says_what_it_invalidated(#[case] kind: Kind) {
    let database = kind.open().await;
    let (one, two) = (OrgId::from("org_1"), OrgId::from("org_2"));
    let mut tx = write(&database).await;
    assert_eq!(auth::bump(&mut tx, Some(&one)).await.unwrap(), 2);
    assert_eq!(auth::bump(&mut tx, None).await.unwrap(), 3);
    assert_eq!(auth::bump(&mut tx, Some(&two)).await.unwrap(), 4);
    tx.commit().await.unwrap();

    let mut conn = read(&database).await;
    assert_eq!(auth::epoch(&mut conn).await.unwrap(), 4);
    let all = auth::invalidated(&mut conn, 1, 4).await.unwrap();
    assert_eq!(all, Some(vec![Some(one), None, Some(two)]));
    assert_eq!(
        auth::invalidated(&mut conn, 2, 3).await.unwrap(),
        Some(vec![None])
    );
    assert_eq!(
        auth::invalidated(&mut conn, 4, 4).await.unwrap(),
        Some(vec![])
    );
    // Epoch 1 was never recorded, epoch 5 is not there yet: not all of it is known.
    assert_eq!(auth::invalidated(&mut conn, 0, 4).await.unwrap(), None);
    assert_eq!(auth::invalidated(&mut conn, 3, 5).await.unwrap(), None);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn only_the_newest_invalidations_are_kept(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    for _ in 0..=INVALIDATIONS_KEPT {
        auth::bump(&mut tx, None).await.unwrap();
    }
    tx.commit().await.unwrap();
    let newest = INVALIDATIONS_KEPT + 2;
    let mut conn = read(&database).await;
    let kept = auth::invalidated(&mut conn, newest - INVALIDATIONS_KEPT, newest)
        .await
        .unwrap();
    assert_eq!(kept.map(|list| list.len()), Some(1_000));
    let more = auth::invalidated(&mut conn, newest - INVALIDATIONS_KEPT - 1, newest)
        .await
        .unwrap();
    assert_eq!(more, None);
    drop(conn);
    // Older ones go now and then.
    let mut tx = write(&database).await;
    let mut epoch = newest;
    while auth::invalidated(&mut tx, 1, 2).await.unwrap().is_some() {
        epoch = auth::bump(&mut tx, None).await.unwrap();
        assert!(epoch < newest + 64, "{epoch}");
    }
    let oldest = epoch - INVALIDATIONS_KEPT;
    let kept = auth::invalidated(&mut tx, oldest, epoch).await.unwrap();
    assert_eq!(kept.map(|list| list.len()), Some(1_000));
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn nodes_register_acknowledge_and_are_expelled(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    assert_eq!(
        auth::observe(&mut tx, "n1").await.unwrap(),
        Observation {
            epoch: 1,
            acked: None
        }
    );
    assert!(!auth::acknowledge(&mut tx, "n1", 1).await.unwrap());
    assert_eq!(auth::register(&mut tx, "n1", at(10)).await.unwrap(), 1);
    assert_eq!(auth::register(&mut tx, "n2", at(20)).await.unwrap(), 1);
    auth::bump(&mut tx, None).await.unwrap();
    assert_eq!(
        auth::observe(&mut tx, "n1").await.unwrap(),
        Observation {
            epoch: 2,
            acked: Some(1)
        }
    );
    assert_eq!(auth::behind(&mut tx, 1).await.unwrap(), []);
    assert!(auth::acknowledge(&mut tx, "n1", 2).await.unwrap());
    auth::flushed(&mut tx, "n2", at(25)).await.unwrap();

    let behind = auth::behind(&mut tx, 2).await.unwrap();
    assert_eq!(behind.len(), 1);
    assert_eq!(
        (behind[0].id.as_str(), behind[0].acked, behind[0].flushed_at),
        ("n2", 1, at(25))
    );
    assert_eq!(auth::expel(&mut tx, "n1", 2).await.unwrap(), None);
    assert_eq!(auth::expel(&mut tx, "n2", 2).await.unwrap(), Some(at(25)));
    assert_eq!(auth::expel(&mut tx, "n2", 2).await.unwrap(), None);

    // Registered again: at the newest epoch, once.
    assert_eq!(auth::register(&mut tx, "n1", at(30)).await.unwrap(), 2);
    let nodes = auth::nodes(&mut tx).await.unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!((nodes[0].id.as_str(), nodes[0].acked), ("n1", 2));
    auth::deregister(&mut tx, "n1").await.unwrap();
    assert_eq!(auth::nodes(&mut tx).await.unwrap(), []);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_watcher_is_told_of_a_commit_elsewhere(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut watcher = Watcher::start(&database.db).await.unwrap();
    let elsewhere = database.connect_again().await;
    let mut tx = elsewhere.write().await.unwrap();
    auth::register(&mut tx, "n1", at(0)).await.unwrap();
    auth::bump(&mut tx, None).await.unwrap();
    let told = auth::tell(&mut tx, "n2").await.unwrap();
    assert_eq!(
        (told.len(), told[0].id.as_str(), told[0].acked),
        (1, "n1", 1)
    );
    tx.commit().await.unwrap();
    watcher.changed().await.unwrap();
    let mut conn = read(&database).await;
    assert_eq!(auth::epoch(&mut conn).await.unwrap(), 2);
}
