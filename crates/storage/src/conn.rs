//! Connections and transactions, and the macros that run one SQL text on either driver.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};
use tokio::sync::Notify;

use crate::error::Error;

/// A borrowed connection of one of the two drivers.
#[derive(Debug)]
pub enum Conn<'c> {
    /// SQLite.
    Sqlite(&'c mut SqliteConnection),
    /// PostgreSQL.
    Postgres(&'c mut PgConnection),
}

/// Something that statements can run on: a [`ReadConn`] or a [`WriteTx`].
pub trait AsConn: Send {
    /// The driver's connection.
    fn conn(&mut self) -> Conn<'_>;

    /// Path or address of the database, without a password.
    fn location(&self) -> &str;
}

/// A connection for reading. Each statement sees its own snapshot.
#[derive(Debug)]
pub struct ReadConn {
    pub(crate) inner: ReadInner,
    pub(crate) location: Arc<str>,
}

#[derive(Debug)]
pub(crate) enum ReadInner {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl AsConn for ReadConn {
    fn conn(&mut self) -> Conn<'_> {
        match &mut self.inner {
            ReadInner::Sqlite(conn) => Conn::Sqlite(conn),
            ReadInner::Postgres(conn) => Conn::Postgres(conn),
        }
    }

    fn location(&self) -> &str {
        &self.location
    }
}

/// A transaction that writes. Dropped without [`WriteTx::commit`], it changes nothing.
///
/// SQLite has one writer: keep network, files and heavy work out of it.
#[derive(Debug)]
pub struct WriteTx {
    pub(crate) inner: WriteInner,
    pub(crate) location: Arc<str>,
    /// Notified when the transaction has committed.
    pub(crate) written: Option<Arc<Notify>>,
    pub(crate) wake: Option<Arc<Notify>>,
    /// The workers of other processes are told when it commits.
    pub(crate) tells_workers: bool,
}

#[derive(Debug)]
pub(crate) enum WriteInner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl WriteTx {
    /// Makes the changes last: when this returns, they survive a kill of this process, and a loss of
    /// power unless the transaction is a lazy one.
    pub async fn commit(self) -> Result<(), Error> {
        let Self {
            inner,
            location,
            written,
            wake,
            ..
        } = self;
        match inner {
            WriteInner::Sqlite(tx) => tx.commit().await,
            WriteInner::Postgres(tx) => tx.commit().await,
        }
        .map_err(|source| Error::of(source, &location))?;
        for waiting in [written, wake].into_iter().flatten() {
            waiting.notify_one();
        }
        Ok(())
    }

    /// Notifies `wake` when the transaction has committed.
    pub(crate) fn wake_on_commit(&mut self, wake: &Arc<Notify>) {
        self.wake = Some(Arc::clone(wake));
    }
}

impl AsConn for WriteTx {
    fn conn(&mut self) -> Conn<'_> {
        match &mut self.inner {
            WriteInner::Sqlite(tx) => Conn::Sqlite(tx),
            WriteInner::Postgres(tx) => Conn::Postgres(tx),
        }
    }

    fn location(&self) -> &str {
        &self.location
    }
}

/// Runs `$call` of a query on whichever driver `$conn` holds, and classifies its error.
macro_rules! on {
    ($conn:expr, $query:expr, $call:ident) => {{
        let result = match $crate::conn::AsConn::conn($conn) {
            $crate::conn::Conn::Sqlite(conn) => $query.$call(conn).await,
            $crate::conn::Conn::Postgres(conn) => $query.$call(conn).await,
        };
        result.map_err(|source| {
            $crate::error::Error::of(source, $crate::conn::AsConn::location($conn))
        })
    }};
}

/// `execute!(conn, SQL, bind, ...)`: the number of rows that changed.
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let result = match $crate::conn::AsConn::conn($conn) {
            $crate::conn::Conn::Sqlite(conn) => {
                sqlx::query($sql)$(.bind($bind))*.execute(conn).await.map(|done| done.rows_affected())
            }
            $crate::conn::Conn::Postgres(conn) => {
                sqlx::query($sql)$(.bind($bind))*.execute(conn).await.map(|done| done.rows_affected())
            }
        };
        result.map_err(|source| {
            $crate::error::Error::of(source, $crate::conn::AsConn::location($conn))
        })
    }};
}

/// `fetch_one!(conn, Row, SQL, bind, ...)`: the only row.
macro_rules! fetch_one {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::conn::on!($conn, sqlx::query_as::<_, $row>($sql)$(.bind($bind))*, fetch_one)
    };
}

/// `fetch_optional!(conn, Row, SQL, bind, ...)`: the row, if there is one.
macro_rules! fetch_optional {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::conn::on!($conn, sqlx::query_as::<_, $row>($sql)$(.bind($bind))*, fetch_optional)
    };
}

/// `fetch_all!(conn, Row, SQL, bind, ...)`: all rows. Only for statements with a bound.
macro_rules! fetch_all {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::conn::on!($conn, sqlx::query_as::<_, $row>($sql)$(.bind($bind))*, fetch_all)
    };
}

/// Defines SQL constants and the list of them that the tests prepare on both databases.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*
        /// Every statement of this module, by name.
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

pub(crate) use {execute, fetch_all, fetch_one, fetch_optional, on, statements};
