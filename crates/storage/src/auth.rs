//! The tables behind immediate deletion: the epoch, what each epoch invalidated, and the nodes.
//!
//! What they mean, and why it is right, is told in the app crate's `verification` module.

use headshot_domain::{OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;

/// What a node sees in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The newest epoch.
    pub epoch: i64,
    /// The epoch that this node acknowledged; `None` when its row is gone.
    pub acked: Option<i64>,
}

/// What one epoch made invalid: everything remembered of one organization (its keys, plan and
/// details), or `None` for nothing at all, which is a roll call.
pub type Invalidated = Option<OrgId>;

/// A node that may verify keys from memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id, new for each start of a process.
    pub id: String,
    /// The newest epoch that it acknowledged.
    pub acked: i64,
    /// Until when its API log is known to be complete.
    pub flushed_at: Timestamp,
}

/// How many invalidations are kept at least. A node that fell further behind forgets everything.
pub const INVALIDATIONS_KEPT: i64 = 1_000;

/// Each so many epochs, the invalidations that are no longer kept are removed.
const TRIM_EVERY: i64 = 64;

/// The most nodes that a list names; those that are furthest behind come first.
pub const NODES_MAX: usize = 1_000;

statements! {
    BUMP = "UPDATE auth_epoch SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch";
    RECORD = "INSERT INTO auth_invalidations (epoch, org_id) VALUES ($1, $2)";
    TRIM = "DELETE FROM auth_invalidations WHERE epoch <= $1";
    SINCE = "SELECT epoch, org_id FROM auth_invalidations WHERE epoch > $1 AND epoch <= $2 ORDER BY epoch";
    EPOCH = "SELECT epoch FROM auth_epoch WHERE id = 1";
    OBSERVE = "SELECT e.epoch, n.acked_epoch FROM auth_epoch e LEFT JOIN auth_nodes n ON n.id = $1 WHERE e.id = 1";
    LOCK_EPOCH = "UPDATE auth_epoch SET epoch = epoch WHERE id = 1 RETURNING epoch";
    REGISTER = "INSERT INTO auth_nodes (id, acked_epoch, started_at, flushed_at) VALUES ($1, $2, $3, $3) \
        ON CONFLICT (id) DO UPDATE SET acked_epoch = excluded.acked_epoch";
    ACKNOWLEDGE = "UPDATE auth_nodes SET acked_epoch = $2 WHERE id = $1";
    DEREGISTER = "DELETE FROM auth_nodes WHERE id = $1";
    FLUSHED = "UPDATE auth_nodes SET flushed_at = $2 WHERE id = $1";
    BEHIND = "SELECT id, acked_epoch, flushed_at FROM auth_nodes WHERE acked_epoch < $1 ORDER BY id LIMIT 1000";
    NODES = "SELECT id, acked_epoch, flushed_at FROM auth_nodes ORDER BY acked_epoch, id LIMIT 1000";
    EXPEL = "DELETE FROM auth_nodes WHERE id = $1 AND acked_epoch < $2 RETURNING flushed_at";
}

/// Starts a new epoch that invalidates `what`. Part of the transaction that made it invalid.
///
/// Until `tx` ends no node can register.
pub async fn bump(tx: &mut WriteTx, what: Option<&OrgId>) -> Result<i64, Error> {
    let (epoch,) = fetch_one!(tx, (i64,), BUMP)?;
    execute!(tx, RECORD, epoch, what.map(OrgId::as_str))?;
    if epoch % TRIM_EVERY == 0 {
        execute!(tx, TRIM, epoch - INVALIDATIONS_KEPT)?;
    }
    Ok(epoch)
}

/// The nodes that are registered, as [`nodes`] gives them. Those other than `own` are told to look at
/// the database as soon as `tx` commits.
pub async fn tell(tx: &mut WriteTx, own: &str) -> Result<Vec<Node>, Error> {
    let nodes = nodes(tx).await?;
    if nodes.iter().any(|node| node.id != own) {
        crate::dialect::notify_nodes(tx).await?;
    }
    Ok(nodes)
}

/// What the epochs after `after`, up to `until`, invalidated; `None` when not all of it is kept.
pub async fn invalidated(
    conn: &mut impl AsConn,
    after: i64,
    until: i64,
) -> Result<Option<Vec<Invalidated>>, Error> {
    if until - after > INVALIDATIONS_KEPT {
        return Ok(None);
    }
    let rows = fetch_all!(conn, (i64, Option<String>), SINCE, after, until)?;
    let complete = i64::try_from(rows.len()).is_ok_and(|count| count == until - after);
    Ok(complete.then(|| {
        rows.into_iter()
            .map(|(_, org)| org.map(OrgId::from))
            .collect()
    }))
}

/// The newest epoch.
pub async fn epoch(conn: &mut impl AsConn) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), EPOCH)?.0)
}

/// The newest epoch and this node's acknowledgement, in one snapshot.
pub async fn observe(conn: &mut impl AsConn, node: &str) -> Result<Observation, Error> {
    let (epoch, acked) = fetch_one!(conn, (i64, Option<i64>), OBSERVE, node)?;
    Ok(Observation { epoch, acked })
}

/// Makes `node` known, as one that has applied the newest epoch, which it returns.
///
/// The epoch's row stays locked until `tx` ends, so that every [`bump`] comes wholly before (and
/// its epoch is the one returned) or wholly after (and finds the node registered).
pub async fn register(tx: &mut WriteTx, node: &str, now: Timestamp) -> Result<i64, Error> {
    let epoch = lock_epoch(tx).await?;
    execute!(tx, REGISTER, node, epoch, now.unix_ms())?;
    Ok(epoch)
}

/// Writes the epoch's row as it is, which locks it until `tx` ends.
pub(crate) async fn lock_epoch(tx: &mut WriteTx) -> Result<i64, Error> {
    Ok(fetch_one!(tx, (i64,), LOCK_EPOCH)?.0)
}

/// Notes that `node` has applied every epoch up to `epoch`. `false` when its row is gone: it was
/// expelled and must register again before it answers from memory.
pub async fn acknowledge(tx: &mut WriteTx, node: &str, epoch: i64) -> Result<bool, Error> {
    Ok(execute!(tx, ACKNOWLEDGE, node, epoch)? > 0)
}

/// Removes `node`: it has stopped answering from memory.
///
/// Waits for a [`register`] of it whose caller gave up but which PostgreSQL may still commit.
pub async fn deregister(tx: &mut WriteTx, node: &str) -> Result<(), Error> {
    fetch_one!(tx, (i64,), LOCK_EPOCH)?;
    execute!(tx, DEREGISTER, node)?;
    Ok(())
}

/// Notes that the API log of `node` is complete until `at`.
pub async fn flushed(tx: &mut WriteTx, node: &str, at: Timestamp) -> Result<(), Error> {
    execute!(tx, FLUSHED, node, at.unix_ms())?;
    Ok(())
}

/// The nodes that haven't acknowledged `epoch`.
pub async fn behind(conn: &mut impl AsConn, epoch: i64) -> Result<Vec<Node>, Error> {
    Ok(fetch_all!(conn, (String, i64, i64), BEHIND, epoch)?
        .into_iter()
        .map(node)
        .collect())
}

/// The registered nodes, [`NODES_MAX`] at most: those that are furthest behind come first.
pub async fn nodes(conn: &mut impl AsConn) -> Result<Vec<Node>, Error> {
    Ok(fetch_all!(conn, (String, i64, i64), NODES)?
        .into_iter()
        .map(node)
        .collect())
}

fn node((id, acked, flushed_at): (String, i64, i64)) -> Node {
    Node {
        id,
        acked,
        flushed_at: Timestamp::from_unix_ms(flushed_at),
    }
}

/// Removes `node` unless it has acknowledged `epoch` meanwhile; until when its log is complete.
pub async fn expel(tx: &mut WriteTx, node: &str, epoch: i64) -> Result<Option<Timestamp>, Error> {
    let row = fetch_optional!(tx, (i64,), EXPEL, node, epoch)?;
    Ok(row.map(|(at,)| Timestamp::from_unix_ms(at)))
}
