//! The database of Headshot: SQLite by default, PostgreSQL to scale out, one SQL text for both.
//!
//! Reads take `&mut impl AsConn` (a [`ReadConn`] or a [`WriteTx`]), writes take `&mut WriteTx`: a
//! write outside a transaction does not compile. One module for each aggregate; what differs
//! between the databases is in `dialect`. Nothing here knows HTTP, JSON shapes or files.
//!
//! To add a statement: put it in the module's `statements!`, bind every `$n` (SQLite reads a
//! missing one as NULL), and the tests prepare it on both databases. A parameter's first place must
//! tell PostgreSQL its type: `(a = $1 OR $1 IS NULL)`, not the other way round.

mod conn;
mod db;
mod dialect;
mod error;
mod many;

pub mod api_keys;
pub mod api_requests;
pub mod audit;
pub mod auth;
pub mod brand;
pub mod credits;
pub mod doomed;
pub mod idempotency;
pub mod invites;
pub mod jobs;
pub mod mails;
pub mod members;
pub mod models;
pub mod organizations;
pub mod people;
pub mod photos;
pub mod retention;
pub mod sessions;
pub mod sign_in;
pub mod tallies;
pub mod teams;
pub mod uploads;
pub mod users;
pub mod webhooks;

pub use conn::{AsConn, Conn, ReadConn, WriteTx};
pub use db::{Db, copy_sqlite};
pub use dialect::Watcher;
pub use error::Error;

/// Every SQL statement, by module and name: the tests prepare each on both databases.
pub const STATEMENTS: &[(&str, &[(&str, &str)])] = &[
    ("api_keys", api_keys::STATEMENTS),
    ("api_requests", api_requests::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("auth", auth::STATEMENTS),
    ("brand", brand::STATEMENTS),
    ("credits", credits::STATEMENTS),
    ("doomed", doomed::STATEMENTS),
    ("idempotency", idempotency::STATEMENTS),
    ("invites", invites::STATEMENTS),
    ("jobs", jobs::STATEMENTS),
    ("mails", mails::STATEMENTS),
    ("members", members::STATEMENTS),
    ("models", models::STATEMENTS),
    ("organizations", organizations::STATEMENTS),
    ("people", people::STATEMENTS),
    ("photos", photos::STATEMENTS),
    ("retention", retention::STATEMENTS),
    ("sessions", sessions::STATEMENTS),
    ("sign_in", sign_in::STATEMENTS),
    ("tallies", tallies::STATEMENTS),
    ("teams", teams::STATEMENTS),
    ("uploads", uploads::STATEMENTS),
    ("users", users::STATEMENTS),
    ("webhooks", webhooks::STATEMENTS),
];

/// The statements about several rows, for 16 rows: name, text on SQLite, text on PostgreSQL. For the
/// tests.
pub fn many_statements() -> Vec<(&'static str, &'static str, &'static str)> {
    let of = |(name, many): (&'static str, &'static many::Many)| {
        let (sqlite, postgres) = (&many.sqlite[2], &many.postgres[2]);
        (name, sqlite.as_str(), postgres.as_str())
    };
    let of_log = api_requests::many().into_iter();
    of_log
        .chain([("api_keys::USED", api_keys::many_used())])
        .map(of)
        .collect()
}

/// Reads a stored text as `T`, or says which column is corrupt.
fn parsed<T: std::str::FromStr>(
    text: &str,
    table: &'static str,
    column: &'static str,
) -> Result<T, Error> {
    text.parse().ok().ok_or(Error::Corrupt { table, column })
}
