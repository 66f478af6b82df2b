//! Both kinds of database, and rows to fill them with.

use headshot_domain::{Credits, Email, KeyHint, KeyId, OrgId, Package, Plan, Timestamp, UserId};
use headshot_storage::api_keys::{ApiKey, Secret};
use headshot_storage::organizations::Organization;
use headshot_storage::users::User;
use headshot_storage::{
    AsConn, Conn, Error, ReadConn, WriteTx, api_keys, credits, organizations, users,
};
use headshot_testkit::TestDb;
use sqlx::AssertSqlSafe;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// A fresh migrated database.
    pub(crate) async fn open(self) -> TestDb {
        match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        }
    }
}

pub(crate) async fn read(database: &TestDb) -> ReadConn {
    database.db.read().await.unwrap()
}

pub(crate) async fn write(database: &TestDb) -> WriteTx {
    database.db.write().await.unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_705_314_600_000 + ms)
}

/// Runs text that is no statement of the product.
pub(crate) async fn raw(conn: &mut impl AsConn, sql: &str) -> Result<u64, sqlx::Error> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    match conn.conn() {
        Conn::Sqlite(conn) => sql.execute(conn).await.map(|done| done.rows_affected()),
        Conn::Postgres(conn) => sql.execute(conn).await.map(|done| done.rows_affected()),
    }
}

pub(crate) fn organization(id: &str) -> Organization {
    Organization {
        id: OrgId::from(id),
        name: format!("Organization {id}"),
        website: String::new(),
        plan: Plan::Standard,
        package: Package::Normal,
        credits_unlimited: false,
        whitelabel: false,
        created_at: at(0),
    }
}

pub(crate) fn user(id: &str) -> User {
    User {
        id: UserId::from(id),
        email: email(id).as_str().to_owned(),
        name: None,
        password_hash: None,
    }
}

pub(crate) fn email(id: &str) -> Email {
    format!("{id}@example.com").parse().unwrap()
}

pub(crate) fn key(id: &str, org: &str) -> ApiKey {
    ApiKey {
        id: KeyId::from(id),
        org: OrgId::from(org),
        name: format!("Key {id}"),
        hint: KeyHint {
            first: "hsp_abcd".into(),
            last: "wxyz".into(),
        },
        scopes: "photos:read".parse().unwrap(),
        networks: "".parse().unwrap(),
        created_by: "user:1 a@example.com".into(),
        created_at: at(0),
        expires_at: None,
        deleted_at: None,
        deleted_by: None,
        last_use: None,
        browser_used_at: None,
    }
}

/// Stores organizations in a transaction of their own.
pub(crate) async fn with_orgs(database: &TestDb, ids: &[&str]) {
    let mut tx = write(database).await;
    for id in ids {
        organizations::insert(&mut tx, &organization(id))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// Stores people in a transaction of their own.
pub(crate) async fn with_users(database: &TestDb, ids: &[&str]) {
    let mut tx = write(database).await;
    for id in ids {
        users::insert(&mut tx, &user(id), &email(id), at(0))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// Stores a key under a digest made of its id.
pub(crate) async fn insert_key(tx: &mut WriteTx, key: &ApiKey) -> Result<(), Error> {
    let secret = Secret {
        digest: key.id.as_str().as_bytes(),
        pepper_id: "p1",
        nonce: None,
    };
    api_keys::insert(tx, key, secret).await
}

/// Stores one movement of credits.
pub(crate) async fn grant(
    tx: &mut WriteTx,
    org: &str,
    id: &str,
    hundredths: i64,
) -> Result<(), Error> {
    let entry = credits::Entry {
        id: id.into(),
        amount: Credits::from_hundredths(hundredths),
        kind: "grant".into(),
        description: "for a test".into(),
        actor: "command line".into(),
        created_at: at(0),
    };
    credits::insert(tx, &OrgId::from(org), &entry).await
}
