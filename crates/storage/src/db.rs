//! Opening the database, its pools, and its migrations.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgPool, SqlitePool};
use tokio::sync::Notify;

use crate::auth;
use crate::conn::{ReadConn, ReadInner, WriteInner, WriteTx, fetch_all};
use crate::dialect;
use crate::error::Error;

/// How long a caller waits for a connection or for SQLite's write lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection to PostgreSQL: a lost server must not hold requests up.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(3);

/// Connections to PostgreSQL that are kept open.
const POSTGRES_READY: u32 = 4;

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
        /// The file that was opened.
        opened: FileId,
        /// Notified by each commit.
        written: Arc<Notify>,
    },
    Postgres(PgPool),
}

/// Which file stands at a path, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn at(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path)?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }
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
        create_private(path).map_err(|source| Error::of_file(source, &location))?;
        let options = dialect::sqlite_options(path);
        // The first connection to a new file gives it its write-ahead log. SQLite refuses that to one
        // of two that try at the same moment, without any patience.
        let alone = dialect::opening_lock(path)
            .await
            .map_err(|source| Error::of_file(source, &location))?;
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            // SQLite ends a transaction by itself when the disk is full or an I/O error hits; the
            // driver still counts it, and the connection could never begin another one.
            .before_acquire(|conn, _| Box::pin(async { Ok(!conn.is_in_transaction()) }))
            .connect_with(options.clone())
            .await
            .map_err(|source| not_opened(source, path, &location))?;
        drop(alone);
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
                opened: FileId::at(path).map_err(|source| Error::of_file(source, &location))?,
                written: Arc::default(),
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
            // Opening one takes longer than what it is wanted for.
            .min_connections(POSTGRES_READY)
            .acquire_timeout(POSTGRES_PATIENCE)
            .after_connect(|conn, _| {
                Box::pin(async {
                    sqlx::raw_sql(dialect::POSTGRES_SESSION)
                        .execute(conn)
                        .await
                        .map(|_| ())
                })
            })
            .connect_with(options)
            .await
            .map_err(|source| Error::of(source, &location))?;
        Ok(Self {
            pools: Pools::Postgres(pool),
            location,
        })
    }

    /// Brings the schema up to date. Several processes may call it at once: one does the work.
    ///
    /// A schema that a newer version made is left as it is: migrations only add, so that this
    /// version keeps working during an upgrade and after a step back.
    pub async fn migrate(&self) -> Result<(), Error> {
        let of = |source| Error::of(source, &self.location);
        let migrated = match &self.pools {
            Pools::Sqlite { write, path, .. } => {
                let lock = dialect::opening_lock(path)
                    .await
                    .map_err(|source| Error::of_file(source, &self.location))?;
                let mut conn = write.acquire().await.map_err(of)?;
                let migrated = run(sqlx::migrate!("./migrations/sqlite"), &mut *conn).await;
                drop(lock);
                migrated
            }
            Pools::Postgres(pool) => {
                // A connection of its own: when this future is dropped, its lock goes with it.
                let mut conn = pool.acquire().await.map_err(of)?.detach();
                sqlx::raw_sql(dialect::POSTGRES_NO_TIMEOUTS)
                    .execute(&mut conn)
                    .await
                    .map_err(of)?;
                let migrated = run(sqlx::migrate!("./migrations/postgres"), &mut conn).await;
                conn.close().await.map_err(of)?;
                migrated
            }
        };
        migrated.map_err(|error| self.migration_error(error))?;
        // An up-to-date schema needs no write: tell a read-only database now, not at the first one.
        let mut tx = self.write().await?;
        auth::lock_epoch(&mut tx).await?;
        Ok(())
    }

    /// The migrations of this version that the database has not had. Changes nothing.
    pub async fn missing_migrations(&self) -> Result<Vec<i64>, Error> {
        let known = match &self.pools {
            Pools::Sqlite { .. } => sqlx::migrate!("./migrations/sqlite"),
            Pools::Postgres(_) => sqlx::migrate!("./migrations/postgres"),
        };
        let mut conn = self.read().await?;
        let done = fetch_all!(&mut conn, (i64,), dialect::APPLIED_MIGRATIONS)?;
        let is_missing = |version: &i64| !done.contains(&(*version,));
        Ok(known
            .iter()
            .map(|one| one.version)
            .filter(is_missing)
            .collect())
    }

    /// Writes a copy of a SQLite database, as it is at one moment, to `path`, where nothing may be
    /// yet; `false` for PostgreSQL, which has its own tools. Servers may go on writing.
    pub async fn copy_to(&self, path: &Path) -> Result<bool, Error> {
        let Pools::Sqlite { path: own, .. } = &self.pools else {
            return Ok(false);
        };
        copy_sqlite(own, path).await?;
        Ok(true)
    }

    fn migration_error(&self, error: MigrateError) -> Error {
        match error {
            MigrateError::Execute(source) => Error::of(source, &self.location),
            MigrateError::ExecuteMigration(source, version) => {
                match Error::of(source, &self.location) {
                    Error::Driver { location, source } => Error::Migration {
                        location,
                        source: MigrateError::ExecuteMigration(source, version),
                    },
                    trouble => trouble,
                }
            }
            source => Error::Migration {
                location: self.location.to_string(),
                source,
            },
        }
    }

    /// SQLite would go on with a file that was moved away, while others use the one that stands there
    /// now: what they delete would stay alive here.
    pub(crate) fn check_place(&self) -> Result<(), Error> {
        let Pools::Sqlite { path, opened, .. } = &self.pools else {
            return Ok(());
        };
        match FileId::at(path) {
            Ok(there) if there == *opened => Ok(()),
            Ok(_) | Err(_) => {
                let why =
                    "the file was moved or replaced while it was open; start this process again";
                Err(Error::of_file(std::io::Error::other(why), &self.location))
            }
        }
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<ReadConn, Error> {
        self.check_place()?;
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
        self.begin(dialect::SQLITE_BEGIN, dialect::POSTGRES_BEGIN)
            .await
    }

    /// A transaction whose commit does not wait for the disk, and so holds nobody up for long. What it
    /// wrote survives a kill of this process, but not a loss of power (or, on PostgreSQL, a crash of
    /// that server) within the next moment: for what is then made again, or may be missing.
    pub async fn write_lazily(&self) -> Result<WriteTx, Error> {
        self.begin(dialect::SQLITE_BEGIN_LAZY, dialect::POSTGRES_BEGIN_LAZY)
            .await
    }

    async fn begin(&self, sqlite: &'static str, postgres: &'static str) -> Result<WriteTx, Error> {
        self.check_place()?;
        let (inner, written) = match &self.pools {
            Pools::Sqlite { write, written, .. } => (
                write.begin_with(sqlite).await.map(WriteInner::Sqlite),
                Some(Arc::clone(written)),
            ),
            Pools::Postgres(pool) => (
                pool.begin_with(postgres).await.map(WriteInner::Postgres),
                None,
            ),
        };
        let location = Arc::clone(&self.location);
        match inner {
            Ok(inner) => Ok(WriteTx {
                inner,
                location,
                written,
                wake: None,
                tells_workers: false,
            }),
            Err(source) => Err(Error::of(source, &location)),
        }
    }

    /// Returns once something was committed that [`Db::checkpoint`] has to do with; on PostgreSQL,
    /// which does that by itself, never.
    pub async fn written(&self) {
        match &self.pools {
            Pools::Sqlite { written, .. } => written.notified().await,
            Pools::Postgres(_) => std::future::pending().await,
        }
    }

    /// Copies what was committed from SQLite's write-ahead log into the database file. Done beside the
    /// commits, because the commit that finds the log too long does it before it returns.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        let Pools::Sqlite { read, .. } = &self.pools else {
            return Ok(());
        };
        sqlx::query(dialect::SQLITE_CHECKPOINT)
            .execute(read)
            .await
            .map(|_| ())
            .map_err(|source| Error::of(source, &self.location))
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

/// Writes a copy of a SQLite database, as it is at one moment, to `to`, where nothing may be yet. Nothing
/// is written where it comes from.
///
/// # Errors
/// [`Error::Unavailable`] with the path, also when the file is no database.
pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), Error> {
    let location = from.display().to_string();
    let of = |source| Error::of(source, &location);
    create_private(to).map_err(|source| Error::of_file(source, &to.display().to_string()))?;
    let options = SqliteConnectOptions::new()
        .filename(from)
        .read_only(true)
        .busy_timeout(PATIENCE);
    let mut conn = options.connect().await.map_err(of)?;
    sqlx::query(dialect::SQLITE_COPY)
        .bind(to.display().to_string())
        .execute(&mut conn)
        .await
        .map_err(of)?;
    conn.close().await.map_err(of)
}

/// Runs the migrations that are missing. Those that this version does not know are no error: see
/// [`Db::migrate`]. `run_direct`, because the future of `run` can't be spawned.
async fn run(mut migrator: Migrator, conn: &mut impl Migrate) -> Result<(), MigrateError> {
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, conn, false).await
}

/// Makes the database's folder and file, where they are missing, for the server's user only. SQLite
/// gives its other files the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    if path.exists() {
        return Ok(());
    }
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        // Another process was faster.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done.map(|_| ()),
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
        Err(why) => Error::of_file(why, location),
    }
}

fn postgres_location(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres://{}/{database}", socket.display()),
        None => format!(
            "postgres://{}:{}/{database}",
            options.get_host(),
            options.get_port()
        ),
    }
}

/// What every SQLite connection is opened with.
pub(crate) fn sqlite_base(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("wal_autocheckpoint", dialect::SQLITE_PAGES_MAX)
}
