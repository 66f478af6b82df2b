//! The helpers themselves: databases are migrated and separate, and a cut network is cut.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use headshot_storage::auth;
use headshot_testkit::{Proxy, TestDb, connect, postgres, sqlite};

async fn epoch(database: &TestDb) -> i64 {
    let mut conn = database.db.read().await.unwrap();
    auth::epoch(&mut conn).await.unwrap()
}

#[tokio::test]
async fn databases_are_migrated_and_separate() {
    for (one, other) in [
        (sqlite().await, sqlite().await),
        (postgres().await, postgres().await),
    ] {
        let mut tx = one.db.write().await.unwrap();
        auth::bump(&mut tx, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(epoch(&one).await, 2);
        assert_eq!(epoch(&other).await, 1);
    }
}

#[tokio::test]
async fn a_cut_network_passes_nothing_until_mended() {
    let database = postgres().await;
    let proxy = Proxy::start(&database.url).await;
    let db = connect(&proxy.url).await;
    let mut conn = db.read().await.unwrap();
    assert_eq!(auth::epoch(&mut conn).await.unwrap(), 1);
    proxy.cut().await;
    assert!(auth::epoch(&mut conn).await.is_err());
    proxy.mend();
    assert!(db.read().await.is_ok());
}
