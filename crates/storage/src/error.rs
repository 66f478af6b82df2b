//! What can go wrong with the database. Nothing here knows HTTP.

use std::io::ErrorKind;

/// A failed storage call. Absence is `Option`, never an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique value exists.
    #[error("a row with the same unique value exists")]
    Conflict,
    /// The database does not answer: gone, busy for too long, or shutting down.
    #[error("the database at {location} does not answer")]
    Unavailable {
        /// Path or address, without a password.
        location: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// No space is left.
    #[error("the disk that holds {location} is full")]
    DiskFull {
        /// Path or address, without a password.
        location: String,
    },
    /// The database or its folder can't be written.
    #[error("{location} can't be written: it or its folder is read-only")]
    ReadOnly {
        /// Path or address, without a password.
        location: String,
    },
    /// A stored value that this program can't have written.
    #[error("{table}.{column} holds a value that is not valid")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of {location} can't be brought up to date")]
    Migration {
        /// Path or address, without a password.
        location: String,
        /// What the migrator said.
        source: sqlx::migrate::MigrateError,
    },
    /// Anything else: a bug in a statement, a broken file.
    #[error("the database at {location} refused a statement")]
    Driver {
        /// Path or address, without a password.
        location: String,
        /// What the driver said.
        source: sqlx::Error,
    },
}

impl Error {
    /// Classifies what the driver said about the database at `location`.
    pub(crate) fn of(source: sqlx::Error, location: &str) -> Self {
        let location = location.to_owned();
        let code = source.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            // 4874: no room for the index of the write-ahead log.
            Some("13" | "4874" | "53100") => return Self::DiskFull { location },
            Some(code) if is_read_only(code) => return Self::ReadOnly { location },
            Some(code) if is_unavailable(code) => return Self::Unavailable { location, source },
            _ => {}
        }
        match source {
            sqlx::Error::Io(error) if error.kind() == ErrorKind::StorageFull => {
                Self::DiskFull { location }
            }
            sqlx::Error::Io(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
                ) =>
            {
                Self::ReadOnly { location }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable { location, source },
            sqlx::Error::Database(ref error) if error.is_unique_violation() => Self::Conflict,
            source => Self::Driver { location, source },
        }
    }
}

/// SQLite's `SQLITE_READONLY` family (8 in the low byte) and PostgreSQL's read-only transaction.
fn is_read_only(code: &str) -> bool {
    code == "25006"
        || code
            .parse::<u32>()
            .is_ok_and(|code| code < 10_000 && code & 0xff == 8)
}

/// SQLite: busy 5, locked 6, I/O 10, can't open 14. PostgreSQL: connection exceptions (08),
/// too many connections (53300), operator intervention (57P).
fn is_unavailable(code: &str) -> bool {
    let sqlite = code
        .parse::<u32>()
        .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6 | 10 | 14));
    let postgres =
        code.len() == 5 && (code.starts_with("08") || code.starts_with("57P") || code == "53300");
    postgres || (sqlite && code.len() < 5)
}
