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

pub mod api_keys;
pub mod api_requests;
pub mod audit;
pub mod auth;
pub mod credits;
pub mod organizations;
pub mod sessions;
pub mod sign_in;
pub mod teams;
pub mod users;

pub use conn::{AsConn, Conn, ReadConn, WriteTx};
pub use db::Db;
pub use dialect::{Watcher, notify_nodes};
pub use error::Error;

/// Every SQL statement, by module and name: the tests prepare each on both databases.
pub const STATEMENTS: &[(&str, &[(&str, &str)])] = &[
    ("api_keys", api_keys::STATEMENTS),
    ("api_requests", api_requests::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("auth", auth::STATEMENTS),
    ("credits", credits::STATEMENTS),
    ("organizations", organizations::STATEMENTS),
    ("sessions", sessions::STATEMENTS),
    ("sign_in", sign_in::STATEMENTS),
    ("teams", teams::STATEMENTS),
    ("users", users::STATEMENTS),
];

/// Reads a stored text as `T`, or says which column is corrupt.
fn parsed<T: std::str::FromStr>(
    text: &str,
    table: &'static str,
    column: &'static str,
) -> Result<T, Error> {
    text.parse().ok().ok_or(Error::Corrupt { table, column })
}
