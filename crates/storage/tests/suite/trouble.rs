//! Databases that are full, read-only, shared, interrupted, or gone.

use headshot_domain::{OrgId, Role};
use headshot_storage::{AsConn, Conn, Db, Error, Watcher, auth, organizations, users};
use headshot_testkit::{Proxy, TestDb};
use rstest::rstest;

use crate::support::{Kind, at, organization, raw, read, with_orgs, with_users, write};

/// The messages of an error and of its causes.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn opened(url: &str) -> Result<Db, Error> {
    let db = Db::connect(url).await?;
    db.migrate().await?;
    Ok(db)
}

async fn value(conn: &mut impl AsConn, sql: &'static str) -> String {
    match conn.conn() {
        Conn::Sqlite(conn) => {
            let (value,): (i64,) = sqlx::query_as(sql).fetch_one(conn).await.unwrap();
            value.to_string()
        }
        Conn::Postgres(conn) => {
            sqlx::query_as::<_, (String,)>(sql)
                .fetch_one(conn)
                .await
                .unwrap()
                .0
        }
    }
}

#[tokio::test]
async fn sqlite_is_opened_so_that_commits_survive() {
    let database = Kind::Sqlite.open().await;
    let mut conn = read(&database).await;
    let wal = "SELECT journal_mode = 'wal' FROM pragma_journal_mode";
    assert_eq!(value(&mut conn, wal).await, "1");
    assert_eq!(value(&mut conn, "PRAGMA synchronous").await, "2");
    assert_eq!(value(&mut conn, "PRAGMA foreign_keys").await, "1");
    let refused = raw(&mut conn, "DELETE FROM teams").await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
}

#[rstest]
#[case::sqlite(Kind::Sqlite, "PRAGMA synchronous", "1", "2")]
#[case::postgres(Kind::Postgres, "SHOW synchronous_commit", "off", "on")]
#[tokio::test]
async fn only_a_lazy_commit_does_not_wait_for_the_disk(
    #[case] kind: Kind,
    #[case] asked: &'static str,
    #[case] lazy: &str,
    #[case] durable: &str,
) {
    let database = kind.open().await;
    // Also on the connection that a lazy one had before.
    for _ in 0..2 {
        let mut tx = write(&database).await;
        assert_eq!(value(&mut tx, asked).await, durable);
        tx.commit().await.unwrap();
        let mut tx = database.db.write_lazily().await.unwrap();
        assert_eq!(value(&mut tx, asked).await, lazy);
        auth::bump(&mut tx, None).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut conn = read(&database).await;
    assert_eq!(auth::epoch(&mut conn).await.unwrap(), 3);
    drop(conn);
    drop(database.db.write_lazily().await.unwrap());
    let mut tx = write(&database).await;
    assert_eq!(value(&mut tx, asked).await, durable);
}

#[tokio::test]
async fn a_file_that_was_replaced_is_used_no_more() {
    let database = Kind::Sqlite.open().await;
    let file = database.url.strip_prefix("sqlite://").unwrap();
    let moved = format!("{file}.old");
    std::fs::rename(file, &moved).unwrap();
    for _ in 0..2 {
        let told = [
            told(&database.db.read().await.unwrap_err()),
            told(&database.db.write().await.unwrap_err()),
            told(&database.db.write_lazily().await.unwrap_err()),
        ];
        for told in told {
            assert!(told.contains("moved or replaced"), "{told}");
            assert!(told.contains(file), "{told}");
        }
        std::fs::write(file, "").unwrap();
    }
    // Put back, it is the same one.
    std::fs::rename(&moved, file).unwrap();
    drop(read(&database).await);
    drop(write(&database).await);
}

/// The epoch in the database's file alone, without its write-ahead log.
async fn epoch_in_the_file(database: &TestDb) -> i64 {
    let file = database.url.strip_prefix("sqlite://").unwrap();
    std::fs::copy(file, format!("{file}.copy")).unwrap();
    let copy = Db::connect(&format!("{}.copy", database.url))
        .await
        .unwrap();
    let mut conn = copy.read().await.unwrap();
    let epoch = auth::epoch(&mut conn).await.unwrap();
    drop(conn);
    copy.close().await;
    epoch
}

#[tokio::test]
async fn what_was_written_is_copied_into_the_file_beside_the_commits() {
    let database = Kind::Sqlite.open().await;
    database.db.checkpoint().await.unwrap();
    let before = epoch_in_the_file(&database).await;
    for _ in 0..2_000 {
        let mut tx = write(&database).await;
        auth::bump(&mut tx, None).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(
        epoch_in_the_file(&database).await,
        before,
        "no commit does it"
    );
    let mut open = write(&database).await;
    auth::bump(&mut open, None).await.unwrap();
    database.db.written().await;
    database.db.checkpoint().await.unwrap();
    assert_eq!(epoch_in_the_file(&database).await, before + 2_000);
    open.commit().await.unwrap();
    database.db.written().await;
}

#[tokio::test]
async fn a_stopped_process_cannot_hold_postgres_up() {
    let database = Kind::Postgres.open().await;
    let mut conn = read(&database).await;
    for (setting, expected) in [
        ("SHOW idle_in_transaction_session_timeout", "2s"),
        ("SHOW lock_timeout", "5s"),
        ("SHOW statement_timeout", "30s"),
        ("SHOW standard_conforming_strings", "on"),
    ] {
        assert_eq!(value(&mut conn, setting).await, expected, "{setting}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_does_no_lasting_harm() {
    let database = Kind::Sqlite.open().await;
    let mut tx = write(&database).await;
    // SQLite answers for its own limit as it does for the disk's.
    raw(&mut tx, "PRAGMA max_page_count = 1").await.unwrap();
    let mut big = organization("org_1");
    big.website = "x".repeat(1_000_000);
    let error = organizations::insert(&mut tx, &big).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    let path = database.url.strip_prefix("sqlite://").unwrap();
    assert_eq!(
        error.to_string(),
        format!("the disk that holds {path} is full")
    );
    assert!(error.is_transient());
    drop(tx);

    // SQLite has ended the transaction by itself; the next one begins all the same.
    let mut tx = write(&database).await;
    raw(&mut tx, "PRAGMA max_page_count = 1000000")
        .await
        .unwrap();
    organizations::insert(&mut tx, &big).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    assert_eq!(organizations::list(&mut conn, 9).await.unwrap(), [big]);
}

/// Byte 18 of the file is the lowest version of SQLite's format that may write it: root, too, finds
/// such a file read-only, whatever its mode.
#[tokio::test]
async fn a_read_only_file_is_named_at_the_start() {
    let database = Kind::Sqlite.open().await;
    with_orgs(&database, &["org_1"]).await;
    database.db.close().await;
    let path = database.url.strip_prefix("sqlite://").unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    bytes[18] = 3;
    std::fs::write(path, bytes).unwrap();
    let error = opened(&database.url).await.unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{path} can't be written: it or its folder is read-only")
    );
}

#[tokio::test]
async fn a_read_only_postgres_is_named_at_the_start() {
    let database = Kind::Postgres.open().await;
    let mut tx = write(&database).await;
    let sql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', \
        current_database()); END $$";
    raw(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
    let error = opened(&database.url).await.unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_database_is_named() {
    let database = Kind::Sqlite.open().await;
    let file = database.url.strip_prefix("sqlite://").unwrap();
    let garbage = format!("{file}.garbage");
    std::fs::write(&garbage, "no database ".repeat(1_000)).unwrap();
    let error = opened(&format!("sqlite://{garbage}")).await.unwrap_err();
    assert!(told(&error).contains(&garbage), "{}", told(&error));
    assert!(told(&error).contains("not a database"), "{}", told(&error));
    // A file where a folder has to be.
    let error = opened(&format!("{}/folder/headshot.db", database.url))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(told(&error).contains(file), "{}", told(&error));
    // A folder where the file has to be.
    let folder = format!("{file}.folder");
    std::fs::create_dir(&folder).unwrap();
    let error = opened(&format!("sqlite://{folder}")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(told(&error).contains(&folder), "{}", told(&error));
}

/// The address of an empty database beside `database` or in its place.
async fn unmigrated(kind: Kind, database: &TestDb) -> String {
    if kind == Kind::Sqlite {
        return format!("{}.new", database.url);
    }
    let mut tx = write(database).await;
    raw(&mut tx, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    database.url.clone()
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn of_processes_that_migrate_at_once_one_does_the_work(#[case] kind: Kind) {
    let database = kind.open().await;
    let url = unmigrated(kind, &database).await;
    let processes: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { opened(&url).await.unwrap() })
        })
        .collect();
    for process in processes {
        let db = process.await.unwrap();
        let mut conn = db.read().await.unwrap();
        assert_eq!(auth::epoch(&mut conn).await.unwrap(), 1);
    }
    // And once more, on what is up to date.
    opened(&url).await.unwrap();
}

/// The one that is first changes how SQLite keeps the file's log, and refuses that to a second one.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_open_a_new_file_at_once_all_succeed() {
    let database = Kind::Sqlite.open().await;
    for round in 0..40 {
        let url = format!("{}.{round}", database.url);
        let processes: Vec<_> = (0..8)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Db::connect(&url).await })
            })
            .collect();
        for process in processes {
            process.await.unwrap().unwrap();
        }
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_newer_schema_is_left_alone_and_a_changed_one_is_refused(#[case] kind: Kind) {
    let database = kind.open().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    let mut tx = write(&database).await;
    raw(&mut tx, newer).await.unwrap();
    tx.commit().await.unwrap();
    database.db.migrate().await.unwrap();

    let changed = match kind {
        Kind::Sqlite => "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
        Kind::Postgres => "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1",
    };
    let mut tx = write(&database).await;
    raw(&mut tx, changed).await.unwrap();
    tx.commit().await.unwrap();
    let error = database.db.migrate().await.unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error:?}");
    assert!(
        told(&error).contains("has been modified"),
        "{}",
        told(&error)
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_at_once_lose_nothing(#[case] kind: Kind) {
    let database = kind.open().await;
    let processes: Vec<_> = (0..4)
        .map(|_| {
            let url = database.url.clone();
            tokio::spawn(async move {
                let db = Db::connect(&url).await.unwrap();
                for _ in 0..25 {
                    let mut tx = db.write().await.unwrap();
                    // Reads first: a transaction that only began reading would fail here.
                    auth::epoch(&mut tx).await.unwrap();
                    auth::bump(&mut tx, None).await.unwrap();
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    for process in processes {
        process.await.unwrap();
    }
    let mut conn = read(&database).await;
    assert_eq!(auth::epoch(&mut conn).await.unwrap(), 101);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_dropped_transaction_changes_nothing(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    organizations::insert(&mut tx, &organization("org_1"))
        .await
        .unwrap();
    drop(tx);
    with_orgs(&database, &["org_2"]).await;
    let mut conn = read(&database).await;
    let left = organizations::list(&mut conn, 9).await.unwrap();
    assert_eq!(left, [organization("org_2")]);
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_failed_statement_spoils_only_its_transaction(#[case] kind: Kind) {
    let database = kind.open().await;
    with_users(&database, &["1"]).await;
    let mut tx = write(&database).await;
    let (org, user) = (OrgId::from("nowhere"), "1".into());
    users::insert_membership(&mut tx, &org, &user, (Role::Owner, None), at(0))
        .await
        .unwrap_err();
    drop(tx);
    with_orgs(&database, &["org_1"]).await;
}

/// A caller can go away at any point, as when a browser closes the connection.
#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_write_that_is_abandoned_anywhere_is_whole_or_not_at_all(#[case] kind: Kind) {
    let database = kind.open().await;
    for polls in 0..60 {
        let (first, second) = (format!("org_{polls}_1"), format!("org_{polls}_2"));
        let whole = async {
            let mut tx = write(&database).await;
            organizations::insert(&mut tx, &organization(&first))
                .await
                .unwrap();
            organizations::insert(&mut tx, &organization(&second))
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        tokio::select! {
            biased;
            () = whole => {}
            () = async { for _ in 0..polls { tokio::task::yield_now().await } } => {}
        }
        let mut tx = write(&database).await;
        let found = [
            organizations::find(&mut tx, &OrgId::from(first))
                .await
                .unwrap()
                .is_some(),
            organizations::find(&mut tx, &OrgId::from(second))
                .await
                .unwrap()
                .is_some(),
        ];
        assert_eq!(found[0], found[1], "after {polls} polls");
        tx.commit().await.unwrap();
    }
}

const TERMINATE_OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test]
async fn a_killed_connection_fails_its_transaction_and_is_replaced() {
    let database = Kind::Postgres.open().await;
    let operator = database.connect_again().await;
    // Some connections at rest, one in use, one that listens.
    drop((read(&database).await, read(&database).await));
    let mut watcher = Watcher::start(&database.db).await.unwrap();
    let mut tx = write(&database).await;
    organizations::insert(&mut tx, &organization("org_1"))
        .await
        .unwrap();
    let mut conn = operator.read().await.unwrap();
    raw(&mut conn, TERMINATE_OTHERS).await.unwrap();

    let error = auth::bump(&mut tx, None).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    drop(tx);
    with_orgs(&database, &["org_2"]).await;
    let mut conn = read(&database).await;
    assert_eq!(
        organizations::list(&mut conn, 9).await.unwrap(),
        [organization("org_2")]
    );
    // Whoever watches looks again, because notifications may have been lost.
    watcher.changed().await.unwrap();
}

#[tokio::test]
async fn a_lost_postgres_is_told_and_found_again() {
    let database = Kind::Postgres.open().await;
    let network = Proxy::start(&database.url).await;
    let db = Db::connect(&network.url).await.unwrap();
    let mut conn = db.read().await.unwrap();
    network.cut().await;
    let error = auth::epoch(&mut conn).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    drop(conn);
    let error = db.read().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    network.mend();
    let mut conn = db.read().await.unwrap();
    assert_eq!(auth::epoch(&mut conn).await.unwrap(), 1);
}

#[tokio::test]
async fn a_wrong_address_is_told_without_its_password() {
    let database = Kind::Postgres.open().await;
    let network = Proxy::start(&database.url).await;
    let url = network.url.replace("postgres@", "nobody:geheim@");
    let error = Db::connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Driver { .. }), "{error:?}");
    let text = told(&error);
    assert!(
        text.contains("127.0.0.1") && text.contains("nobody"),
        "{text}"
    );
    assert!(
        !text.contains("geheim") && !format!("{error:?}").contains("geheim"),
        "{error:?}"
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_closed_database_says_so(#[case] kind: Kind) {
    let database = kind.open().await;
    database.db.close().await;
    let error = database.db.write().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let product = database.db.product();
    let prefix = if kind == Kind::Sqlite {
        "/"
    } else {
        "postgres://"
    };
    assert!(
        database.db.location().starts_with(prefix),
        "{product}: {}",
        database.db.location()
    );
}
