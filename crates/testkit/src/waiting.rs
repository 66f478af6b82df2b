//! Two transactions at once, one of which a test holds.

use headshot_storage::{AsConn as _, Conn, WriteTx};
use tokio::task::JoinHandle;

const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM pg_locks \
    WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))";

/// Lets `task` run until it waits for a lock that `tx` holds; `false` when it ends without one. On
/// SQLite whoever writes waits for `tx` anyway.
pub async fn waits_for<T>(tx: &mut WriteTx, task: &JoinHandle<T>) -> bool {
    loop {
        if task.is_finished() {
            return false;
        }
        let waits: bool = match tx.conn() {
            Conn::Sqlite(_) => return true,
            Conn::Postgres(conn) => sqlx::query_scalar(WAITS)
                .fetch_one(conn)
                .await
                .expect("PostgreSQL tells who waits"),
        };
        if waits {
            return true;
        }
        tokio::task::yield_now().await;
    }
}
