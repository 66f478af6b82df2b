//! Every statement is understood by both databases, in the same way.

use headshot_storage::{AsConn, Conn, STATEMENTS, many_statements};
use sqlx::{Column, Either, Executor, SqlSafeStr, Statement};

use crate::support::{Kind, read};

/// How many parameters a statement has, and the names of its columns.
type Shape = (usize, Vec<String>);

async fn shape(conn: &mut impl AsConn, sql: &'static str) -> Result<Shape, sqlx::Error> {
    fn of<S: Statement>(statement: &S) -> Shape {
        let parameters = match statement.parameters() {
            Some(Either::Left(types)) => types.len(),
            Some(Either::Right(count)) => count,
            None => 0,
        };
        let names = statement
            .columns()
            .iter()
            .map(|column| column.name().to_lowercase());
        (parameters, names.collect())
    }
    match conn.conn() {
        Conn::Sqlite(conn) => Ok(of(&conn.prepare(sql.into_sql_str()).await?)),
        Conn::Postgres(conn) => Ok(of(&conn.prepare(sql.into_sql_str()).await?)),
    }
}

/// The highest `$n` of a text.
fn places(sql: &str) -> usize {
    sql.split('$')
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        .max()
        .unwrap_or(0)
}

#[tokio::test]
async fn every_statement_prepares_on_both_with_the_same_shape() {
    let (sqlite, postgres) = (Kind::Sqlite.open().await, Kind::Postgres.open().await);
    let (mut sqlite, mut postgres) = (read(&sqlite).await, read(&postgres).await);
    let mut count = 0;
    for (module, statements) in STATEMENTS {
        for (name, sql) in *statements {
            let here = shape(&mut sqlite, sql).await;
            let here = here.unwrap_or_else(|error| panic!("{module}::{name} on SQLite: {error}"));
            let there = shape(&mut postgres, sql).await;
            let there =
                there.unwrap_or_else(|error| panic!("{module}::{name} on PostgreSQL: {error}"));
            assert_eq!(here.0, places(sql), "{module}::{name}: parameters");
            assert_eq!(here.0, there.0, "{module}::{name}: parameters");
            // What an expression without a name is called is each database's own affair.
            assert_eq!(here.1.len(), there.1.len(), "{module}::{name}: columns");
            count += 1;
        }
    }
    assert!(count > 70, "only {count} statements were found");
}

#[tokio::test]
async fn statements_about_several_rows_prepare_on_both_and_use_an_index() {
    let (sqlite, postgres) = (Kind::Sqlite.open().await, Kind::Postgres.open().await);
    let (mut sqlite, mut postgres) = (read(&sqlite).await, read(&postgres).await);
    let statements = many_statements();
    assert_eq!(statements.len(), 4);
    for (name, here, there) in statements {
        let places = here.matches('?').count();
        assert_eq!(shape(&mut sqlite, here).await.unwrap().0, places, "{name}");
        let there = shape(&mut postgres, there).await.unwrap();
        assert_eq!(there.0, places, "{name}");
        let plan = plan(&mut sqlite, here).await;
        let scans = |step: &&String| step.starts_with("SCAN") && !step.contains("CONSTANT");
        let scans: Vec<_> = plan.iter().filter(scans).collect();
        // The rows given, no table's.
        let given = |step: &&&String| step.ends_with("VALUES CLAUSE") || **step == "SCAN u";
        assert_eq!(
            scans.iter().filter(given).count(),
            scans.len(),
            "{name}: {plan:?}"
        );
    }
}

/// How SQLite goes about a statement, step by step.
#[expect(clippy::panic, reason = "a helper of tests")]
async fn plan(conn: &mut impl AsConn, sql: &str) -> Vec<String> {
    let Conn::Sqlite(conn) = conn.conn() else {
        panic!("the helper opened another database");
    };
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(explain).fetch_all(conn).await.unwrap();
    steps.into_iter().map(|step| step.3).collect()
}

/// The plan must search an index, not read the whole table, where tables grow with use.
#[tokio::test]
async fn statements_on_growing_tables_use_an_index() {
    let database = Kind::Sqlite.open().await;
    let mut conn = read(&database).await;
    // They are for rare clean-up or for all rows there are.
    let whole_table = [
        "api_keys::EXPIRING",
        "api_keys::PEPPERS",
        "api_requests::CLOSE_GAPS",
        "auth::BEHIND",
        "auth::NODES",
        "organizations::LIST",
        "sessions::DELETE_ALL",
        "sessions::DELETE_ENDED",
        "sign_in::DELETE_ALL_LINKS",
        "sign_in::DELETE_EXPIRED_LINKS",
        "sign_in::DELETE_OLD_FAILURES",
        "tallies::NUMBER",
        "tallies::WRONG",
        "tallies::WRONG_ONE",
    ];
    for (module, statements) in STATEMENTS {
        for (name, sql) in *statements {
            let plan = plan(&mut conn, sql).await;
            // A subquery's own rows, which its LIMIT or the number of lanes bounds, are no table.
            let bounded = ["SCAN tries", "SCAN q", "SCAN heads"];
            let scans = plan.iter().any(|step| {
                step.starts_with("SCAN")
                    && !step.contains("CONSTANT")
                    && !bounded.contains(&step.as_str())
            });
            let expected = whole_table.contains(&format!("{module}::{name}").as_str());
            assert_eq!(scans, expected, "{module}::{name}: {plan:?}");
        }
    }
}

#[test]
fn places_are_counted_by_the_highest_number() {
    assert_eq!(places("SELECT $1, $12, $2"), 12);
    assert_eq!(places("SELECT 1"), 0);
}
