//! What can go wrong with the database. Nothing here knows HTTP.

use std::io;

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;

/// A failed storage call. Absence is `Option`, never an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique value exists.
    #[error("a row with the same unique value exists")]
    Conflict,
    /// What allowed it was taken back meanwhile: a session ended, a role was changed.
    #[error("what allowed this was taken back meanwhile")]
    TakenBack,
    /// The database can't be opened or does not answer: gone, busy for too long, shutting down.
    #[error("the database at {location} can't be opened or does not answer")]
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
    /// Anything else: a wrong password, a broken file, a bug in a statement.
    #[error("the database at {location} answered with an error")]
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
        let trouble = match &source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Trouble::Unavailable,
            sqlx::Error::Database(error) => of_database(&**error),
            _ => Trouble::Other,
        };
        trouble.into_error(source, location)
    }

    /// Classifies a failure with a file or folder of the SQLite database at `location`.
    pub(crate) fn of_file(source: io::Error, location: &str) -> Self {
        let trouble = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Trouble::ReadOnly
            }
            _ => Trouble::Unavailable,
        };
        trouble.into_error(sqlx::Error::Io(source), location)
    }

    /// Whether the same call may work later: the statement and its values are not to blame.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::DiskFull { .. } | Self::ReadOnly { .. } => true,
            Self::Conflict
            | Self::TakenBack
            | Self::Corrupt { .. }
            | Self::Migration { .. }
            | Self::Driver { .. } => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Conflict,
    Unavailable,
    DiskFull,
    ReadOnly,
    Other,
}

impl Trouble {
    fn into_error(self, source: sqlx::Error, location: &str) -> Error {
        let location = location.to_owned();
        match self {
            Self::Conflict => Error::Conflict,
            Self::Unavailable => Error::Unavailable { location, source },
            Self::DiskFull => Error::DiskFull { location },
            Self::ReadOnly => Error::ReadOnly { location },
            Self::Other => Error::Driver { location, source },
        }
    }
}

fn of_database(error: &dyn DatabaseError) -> Trouble {
    if error.kind() == ErrorKind::UniqueViolation {
        return Trouble::Conflict;
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        of_postgres(&code)
    } else {
        code.parse().map_or(Trouble::Other, of_sqlite)
    }
}

/// An extended result code. Its low byte is the primary code (<https://www.sqlite.org/rescode.html>).
fn of_sqlite(code: u32) -> Trouble {
    const READONLY_DBMOVED: u32 = 1032;
    const IOERR_SHMSIZE: u32 = 4874;
    match (code, code & 0xff) {
        // The file was moved or removed under us: no question of rights.
        (READONLY_DBMOVED, _) => Trouble::Unavailable,
        // The file of the shared memory can't grow.
        (IOERR_SHMSIZE, _) | (_, 13) => Trouble::DiskFull,
        (_, 8) => Trouble::ReadOnly,
        // Busy, locked, I/O error, can't open, locking protocol.
        (_, 5 | 6 | 10 | 14 | 15) => Trouble::Unavailable,
        _ => Trouble::Other,
    }
}

/// An SQLSTATE (PostgreSQL's manual, appendix A).
fn of_postgres(code: &str) -> Trouble {
    match code {
        "53100" => Trouble::DiskFull,
        "25006" => Trouble::ReadOnly,
        // Serialization failure, deadlock, idle in a transaction for too long, lock or statement
        // not done in time.
        "40001" | "40P01" | "25P03" | "55P03" | "57014" => Trouble::Unavailable,
        // Connection exceptions, insufficient resources, operator intervention.
        code if ["08", "53", "57P"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Trouble::Unavailable
        }
        _ => Trouble::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_codes_are_told_by_their_low_byte() {
        // Busy, busy snapshot, busy recovery, locked, I/O, can't open, protocol, moved file.
        for code in [5, 517, 261, 6, 262, 10, 522, 778, 14, 526, 15, 1032] {
            assert_eq!(of_sqlite(code), Trouble::Unavailable, "{code}");
        }
        // Read-only, its recovery, can't lock, rollback, can't init, directory.
        for code in [8, 264, 520, 776, 1288, 1544] {
            assert_eq!(of_sqlite(code), Trouble::ReadOnly, "{code}");
        }
        for code in [13, 4874] {
            assert_eq!(of_sqlite(code), Trouble::DiskFull, "{code}");
        }
        // Plain error, corrupt, constraint, foreign key, not a database.
        for code in [1, 11, 19, 787, 26] {
            assert_eq!(of_sqlite(code), Trouble::Other, "{code}");
        }
    }

    #[test]
    fn postgres_states_are_told_by_their_class() {
        for code in [
            "08006", "08P01", "53300", "57P01", "57P03", "57014", "55P03", "40001", "40P01",
            "25P03",
        ] {
            assert_eq!(of_postgres(code), Trouble::Unavailable, "{code}");
        }
        assert_eq!(of_postgres("53100"), Trouble::DiskFull);
        assert_eq!(of_postgres("25006"), Trouble::ReadOnly);
        for code in [
            "42P01", "22021", "23503", "25P02", "28P01", "3D000", "XX000",
        ] {
            assert_eq!(of_postgres(code), Trouble::Other, "{code}");
        }
    }

    #[test]
    fn file_errors_are_told_by_their_kind() {
        let of = |kind| Error::of_file(io::Error::from(kind), "/data/headshot.db").to_string();
        assert_eq!(
            of(io::ErrorKind::PermissionDenied),
            "/data/headshot.db can't be written: it or its folder is read-only"
        );
        assert_eq!(
            of(io::ErrorKind::StorageFull),
            "the disk that holds /data/headshot.db is full"
        );
        assert_eq!(
            of(io::ErrorKind::NotADirectory),
            "the database at /data/headshot.db can't be opened or does not answer"
        );
    }
}
