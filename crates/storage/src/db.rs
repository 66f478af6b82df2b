//! Opening the database, its pools, and its migrations.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use crate::conn::{ReadConn, ReadInner, WriteInner, WriteTx};
use crate::dialect;
use crate::error::Error;

/// How long a caller waits for a connection or for SQLite's write lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    pub(crate) location: Arc<str>,
}

/// SQLite has one writer, so its writes queue for one connection instead of for a lock.
#[derive(Debug, Clone)]
pub(crate) enum Pools {
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        path: PathBuf,
    },
    Postgres(PgPool),
}

impl Db {
    /// Opens `sqlite://<path>` (creating file and folder) or `postgres://...`. Does not migrate.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the path or address when it can't be opened or reached.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            Self::connect_sqlite(Path::new(path)).await
        } else {
            Self::connect_postgres(url).await
        }
    }

    /// Whether `url` has one of the forms that [`Db::connect`] takes. Connects to nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_url(url: &str) -> Result<(), Error> {
        if url.starts_with("sqlite://") {
            return Ok(());
        }
        let parsed = url.parse::<PgConnectOptions>();
        let wrong = |source| Error::of(source, "the configured address");
        parsed.map(|_| ()).map_err(wrong)
    }

    async fn connect_sqlite(path: &Path) -> Result<Self, Error> {
        let location: Arc<str> = path.display().to_string().into();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| Error::of(sqlx::Error::Io(source), &location))?;
        }
        let options = dialect::sqlite_options(path);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(|source| not_opened(source, path, &location))?;
        let read = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.pragma("query_only", "1"));
        Ok(Self {
            pools: Pools::Sqlite {
                read,
                write,
                path: path.to_owned(),
            },
            location,
        })
    }

    async fn connect_postgres(url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = url
            .parse()
            .map_err(|source| Error::of(source, "the configured address"))?;
        let location: Arc<str> = postgres_location(&options).into();
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|source| Error::of(source, &location))?;
        Ok(Self {
            pools: Pools::Postgres(pool),
            location,
        })
    }

    /// Brings the schema up to date. Several processes may call it at once: one does the work.
    pub async fn migrate(&self) -> Result<(), Error> {
        let migrated = match &self.pools {
            Pools::Sqlite { write, path, .. } => {
                let lock = dialect::migration_lock(path)
                    .await
                    .map_err(|source| Error::of(sqlx::Error::Io(source), &self.location))?;
                let result = sqlx::migrate!("./migrations/sqlite").run(write).await;
                drop(lock);
                result
            }
            Pools::Postgres(pool) => sqlx::migrate!("./migrations/postgres").run(pool).await,
        };
        migrated.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(source) => Error::of(source, &self.location),
            source => Error::Migration {
                location: self.location.to_string(),
                source,
            },
        })
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<ReadConn, Error> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => read.acquire().await.map(ReadInner::Sqlite),
            Pools::Postgres(pool) => pool.acquire().await.map(ReadInner::Postgres),
        };
        let location = Arc::clone(&self.location);
        match inner {
            Ok(inner) => Ok(ReadConn { inner, location }),
            Err(source) => Err(Error::of(source, &location)),
        }
    }

    /// A transaction that writes.
    pub async fn write(&self) -> Result<WriteTx, Error> {
        let inner = match &self.pools {
            Pools::Sqlite { write, .. } => write
                .begin_with(dialect::SQLITE_BEGIN)
                .await
                .map(WriteInner::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(WriteInner::Postgres),
        };
        let location = Arc::clone(&self.location);
        match inner {
            Ok(inner) => Ok(WriteTx { inner, location }),
            Err(source) => Err(Error::of(source, &location)),
        }
    }

    /// Path or address, without a password. For messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// `"SQLite"` or `"PostgreSQL"`.
    pub fn product(&self) -> &'static str {
        match self.pools {
            Pools::Sqlite { .. } => "SQLite",
            Pools::Postgres(_) => "PostgreSQL",
        }
    }

    /// Closes all connections, after the statements that are running.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// SQLite does not tell why it can't open a file. Whether the folder can be written does.
fn not_opened(source: sqlx::Error, path: &Path, location: &str) -> Error {
    let probe = path.with_extension(format!("probe-{}", std::process::id()));
    match std::fs::File::create_new(&probe) {
        Ok(_) => {
            std::fs::remove_file(&probe).ok();
            Error::of(source, location)
        }
        Err(why) => Error::of(sqlx::Error::Io(why), location),
    }
}

fn postgres_location(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("postgres");
    format!(
        "postgres://{}:{}/{database}",
        options.get_host(),
        options.get_port()
    )
}

/// What every SQLite connection is opened with.
pub(crate) fn sqlite_base(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
}
