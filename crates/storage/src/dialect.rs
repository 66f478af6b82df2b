//! The few places where SQLite and PostgreSQL differ: opening, locks, wake-ups.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

use crate::conn::AsConn;
use crate::conn::{Conn, WriteTx};
use crate::db::{Db, Pools, sqlite_base};
use crate::error::Error;

/// Takes the write lock at once. A transaction that starts by reading and writes later fails with
/// `SQLITE_BUSY_SNAPSHOT` when another process wrote in between, whatever the busy timeout.
///
/// How the commit is synced is said each time, because the connection may have done otherwise before.
pub(crate) const SQLITE_BEGIN: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";

/// The same for a commit that does not wait for the disk. The write-ahead log is in order all the same:
/// what a later commit syncs holds everything before it.
pub(crate) const SQLITE_BEGIN_LAZY: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";

/// Begins a transaction.
pub(crate) const POSTGRES_BEGIN: &str = "BEGIN";

/// Begins a transaction whose commit does not wait for the disk.
pub(crate) const POSTGRES_BEGIN_LAZY: &str = "BEGIN; SET LOCAL synchronous_commit = off";

/// What every PostgreSQL session is set to. Nobody waits for a lock for longer than on SQLite; a
/// process that was stopped within a transaction loses it, so that it can't hold up the deletions of
/// the others; `ESCAPE '\\'` means one backslash whatever the server's settings.
pub(crate) const POSTGRES_SESSION: &str = "SET lock_timeout = '5s'; SET statement_timeout = '30s'; \
    SET idle_in_transaction_session_timeout = '2s'; SET standard_conforming_strings = on";

/// Migrations take their time, and wait for each other.
pub(crate) const POSTGRES_NO_TIMEOUTS: &str = "SET lock_timeout = 0; SET statement_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0";

/// Writes a copy as of one moment, without what was deleted in it. The file has to be empty.
pub(crate) const SQLITE_COPY: &str = "VACUUM INTO $1";

/// Copies what readers no longer need from SQLite's write-ahead log into the database file. Waits for
/// nobody and holds nobody up; what it can't copy yet, the next one does.
pub(crate) const SQLITE_CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// From how many pages of 4 KiB on a commit does the same by itself, which it then waits for. Only a
/// bound: [`Db::checkpoint`] comes first.
pub(crate) const SQLITE_PAGES_MAX: &str = "8192";

/// The migrator's own table, on both.
pub(crate) const APPLIED_MIGRATIONS: &str =
    "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";

/// How often a SQLite process looks whether another process has written, while somebody waits.
const SQLITE_POLL: Duration = Duration::from_millis(5);

const CHANNEL: &str = "headshot_auth";

const JOBS_CHANNEL: &str = "headshot_jobs";

/// The advisory lock of whoever claims jobs.
const JOBS_LOCK: i64 = 0x6865_6164_6a6f_6273;

/// Options of every SQLite connection to a database that is there: where it was moved away, no empty
/// one may take its place.
pub(crate) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    sqlite_base(path)
}

/// SQLite's file is opened and migrated under a lock on a file beside it (PostgreSQL's migrator takes
/// an advisory lock by itself). The lock ends with the file's handle, also on a kill.
pub(crate) async fn opening_lock(path: &Path) -> std::io::Result<File> {
    let path = path.with_extension("db.migrate-lock");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    });
    locked
        .await
        .unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)))
}

/// Runs a statement that SQLite has no need of: its writer is alone, and its processes poll.
macro_rules! on_postgres {
    ($tx:expr, $sql:expr, $bind:expr) => {{
        let done = match $tx.conn() {
            Conn::Sqlite(_) => return Ok(()),
            Conn::Postgres(conn) => sqlx::query($sql).bind($bind).execute(conn).await,
        };
        done.map(|_| ())
            .map_err(|source| Error::of(source, $tx.location()))
    }};
}

/// Wakes the nodes of other processes as soon as `tx` commits. On SQLite they poll instead.
pub(crate) async fn notify_nodes(tx: &mut WriteTx) -> Result<(), Error> {
    notify(tx, CHANNEL).await
}

/// Wakes the workers of other processes as soon as `tx` commits, which one statement is enough for. On
/// SQLite they poll instead.
pub(crate) async fn notify_workers(tx: &mut WriteTx) -> Result<(), Error> {
    if !std::mem::replace(&mut tx.tells_workers, true) {
        notify(tx, JOBS_CHANNEL).await?;
    }
    Ok(())
}

async fn notify(tx: &mut WriteTx, channel: &'static str) -> Result<(), Error> {
    on_postgres!(tx, "SELECT pg_notify($1, '')", channel)
}

/// Lets one transaction at a time claim jobs. SQLite's writer is alone anyway.
pub(crate) async fn lock_jobs(tx: &mut WriteTx) -> Result<(), Error> {
    on_postgres!(tx, "SELECT pg_advisory_xact_lock($1)", JOBS_LOCK)
}

/// Not `FOR UPDATE`: rows that name the organization or the model can still be inserted meanwhile.
const LOCK_ORGANIZATION: &str = "SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE";

const LOCK_MODEL: &str = "SELECT 1 FROM models WHERE id = $1 FOR NO KEY UPDATE";

/// `FOR UPDATE`: nobody can insert a row that names a person who is about to be deleted.
const LOCK_USER: &str = "SELECT 1 FROM users WHERE id = $1 FOR UPDATE";

/// Lets one transaction at a time change what belongs to an organization. SQLite's writer is alone
/// anyway.
pub(crate) async fn lock_organization(tx: &mut WriteTx, org: &str) -> Result<(), Error> {
    on_postgres!(tx, LOCK_ORGANIZATION, org)
}

/// Keeps others from changing a model until the transaction ends.
pub(crate) async fn lock_model(tx: &mut WriteTx, model: &str) -> Result<(), Error> {
    on_postgres!(tx, LOCK_MODEL, model)
}

/// Waits for whoever stores something that belongs to a person, and keeps others from it until the
/// transaction ends.
pub(crate) async fn lock_user(tx: &mut WriteTx, user: &str) -> Result<(), Error> {
    on_postgres!(tx, LOCK_USER, user)
}

/// Nobody can end the session or change the role, and whoever is doing so is waited for.
const LOCK_SESSION: &str = "SELECT 1 FROM sessions s JOIN memberships p ON p.user_id = s.user_id \
    WHERE s.id = $1 ORDER BY p.org_id FOR SHARE";

/// Keeps a session, and the roles of its person, until the transaction ends.
pub(crate) async fn lock_session(tx: &mut WriteTx, session: &str) -> Result<(), Error> {
    on_postgres!(tx, LOCK_SESSION, session)
}

/// In one order everywhere: two transactions that note uses of the same keys see no deadlock.
const LOCK_KEYS: &str = "SELECT 1 FROM api_keys WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";

/// Keeps others from changing API keys until the transaction ends.
pub(crate) async fn lock_keys(tx: &mut WriteTx, keys: &[&str]) -> Result<(), Error> {
    on_postgres!(tx, LOCK_KEYS, keys)
}

/// Tells when another process has stored a job.
#[derive(Debug)]
pub struct JobListener {
    listener: Option<Box<PgListener>>,
    location: std::sync::Arc<str>,
}

impl JobListener {
    /// Starts listening: every job that is stored after this returned is told on PostgreSQL, none
    /// on SQLite.
    pub async fn start(db: &Db) -> Result<Self, Error> {
        let location = std::sync::Arc::clone(&db.location);
        let listening = match &db.pools {
            Pools::Sqlite { .. } => Ok(None),
            Pools::Postgres(pool) => listen(pool, JOBS_CHANNEL).await.map(Some),
        };
        match listening {
            Ok(listener) => Ok(Self { listener, location }),
            Err(source) => Err(Error::of(source, &location)),
        }
    }

    /// Waits until jobs may have been stored; for ever on SQLite.
    pub async fn stored(&mut self) -> Result<(), Error> {
        match &mut self.listener {
            // `None` is a lost connection: notifications may be lost, so look.
            Some(listener) => {
                let told = listener.try_recv().await.map(|_| ());
                told.map_err(|source| Error::of(source, &self.location))
            }
            None => std::future::pending().await,
        }
    }
}

async fn listen(
    pool: &sqlx::PgPool,
    channel: &'static str,
) -> Result<Box<PgListener>, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    Ok(Box::new(listener))
}

/// Tells when another process may have changed the database.
#[derive(Debug)]
pub struct Watcher {
    inner: WatcherInner,
    location: std::sync::Arc<str>,
}

#[derive(Debug)]
enum WatcherInner {
    /// `PRAGMA data_version` reads a counter in shared memory: cheap, and it sees every commit of
    /// other connections.
    Sqlite {
        conn: SqliteConnection,
        seen: i64,
    },
    Postgres(Box<PgListener>),
}

impl Watcher {
    /// Starts watching: every change after this returned is told.
    pub async fn start(db: &Db) -> Result<Self, Error> {
        let inner = match &db.pools {
            Pools::Sqlite { path, .. } => {
                db.check_place()?;
                start_sqlite(path).await
            }
            Pools::Postgres(pool) => start_postgres(pool).await,
        };
        let location = std::sync::Arc::clone(&db.location);
        match inner {
            Ok(inner) => Ok(Self { inner, location }),
            Err(source) => Err(Error::of(source, &location)),
        }
    }

    /// Waits until something may have changed. May wake without a change; never misses one.
    pub async fn changed(&mut self) -> Result<(), Error> {
        let changed = match &mut self.inner {
            WatcherInner::Sqlite { conn, seen } => sqlite_changed(conn, seen).await,
            // `None` is a lost connection: notifications may be lost, so look.
            WatcherInner::Postgres(listener) => listener.try_recv().await.map(|_| ()),
        };
        changed.map_err(|source| Error::of(source, &self.location))
    }
}

async fn start_sqlite(path: &Path) -> Result<WatcherInner, sqlx::Error> {
    let mut conn = sqlite_options(path)
        .pragma("query_only", "1")
        .connect()
        .await?;
    let seen = data_version(&mut conn).await?;
    Ok(WatcherInner::Sqlite { conn, seen })
}

async fn start_postgres(pool: &sqlx::PgPool) -> Result<WatcherInner, sqlx::Error> {
    Ok(WatcherInner::Postgres(listen(pool, CHANNEL).await?))
}

async fn sqlite_changed(conn: &mut SqliteConnection, seen: &mut i64) -> Result<(), sqlx::Error> {
    loop {
        let now = data_version(conn).await?;
        if now != *seen {
            *seen = now;
            return Ok(());
        }
        tokio::time::sleep(SQLITE_POLL).await;
    }
}

async fn data_version(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA data_version")
        .fetch_one(conn)
        .await?
        .try_get(0)
}
