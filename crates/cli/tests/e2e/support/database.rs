//! A look into the SQLite file, beside the servers that use it.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// Runs asynchronous code of the tests.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// The first column of a query's rows, as text.
pub(crate) fn texts(path: &Path, sql: &str) -> Vec<String> {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let options = options.busy_timeout(super::PATIENCE);
        let mut connection = options.connect().await.expect("the database opens");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await;
        let rows = rows.expect("the query runs");
        connection.close().await.expect("the database closes");
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    })
}

/// Runs `meanwhile` while nobody can write to the database.
pub(crate) fn locked<T>(path: &Path, meanwhile: impl FnOnce() -> T) -> T {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let options = options.busy_timeout(super::PATIENCE);
        let mut connection = options.connect().await.expect("the database opens");
        let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection);
        begun.await.expect("the lock is taken");
        let result = meanwhile();
        connection.close().await.expect("the database closes");
        result
    })
}

/// The number that a query gives.
pub(crate) fn number(path: &Path, sql: &str) -> u64 {
    let all = texts(path, &format!("SELECT CAST(({sql}) AS TEXT)"));
    all[0].parse().expect("a number")
}
