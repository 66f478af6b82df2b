//! The deleting side: waiting until no node can accept what was invalidated.

use std::time::Duration;

use headshot_domain::{Clock, Entropy, RequestId, Timestamp, entropy};
use headshot_storage::api_requests::{self, Gap};
use headshot_storage::auth::Node as NodeRow;
use headshot_storage::{AsConn, Db, Error, auth};

use crate::verification::protocol::{SETTLE, may_answer};

/// How often the deleting process looks for acknowledgements.
const POLL: Duration = Duration::from_millis(2);

/// How long the last look may take, which begins when the promise is about to hold by time alone.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// How long the rows of late nodes may take to go. The promise holds by then, and the next deletion
/// would remove them as well: this must not hold up the answer for long.
const EXPEL_MAX: Duration = Duration::from_millis(100);

/// An epoch that a transaction has raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The new epoch.
    pub epoch: i64,
    /// The nodes as that transaction saw them, [`auth::NODES_MAX`] at most. No other one can register
    /// before it commits, and one that does so later begins at this epoch.
    pub nodes: Vec<NodeRow>,
}

impl Raised {
    /// An epoch that was raised before, which is not known to hold everywhere.
    pub async fn again(conn: &mut impl AsConn, epoch: i64) -> Result<Self, Error> {
        let nodes = auth::nodes(conn).await?;
        Ok(Self { epoch, nodes })
    }

    /// Whether it holds everywhere as soon as the transaction has committed: those are all nodes, and
    /// none of them is behind.
    pub fn is_acknowledged(&self) -> bool {
        let is_behind = |node: &NodeRow| node.acked < self.epoch;
        self.nodes.len() < auth::NODES_MAX && !self.nodes.iter().any(is_behind)
    }
}

/// What is known once an invalidation holds everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Since when no process accepts what was invalidated.
    pub effective_at: Timestamp,
    /// Nodes that acknowledged.
    pub acknowledged: Vec<String>,
    /// Nodes whose lease was waited out: dead, paused, or cut off from the database.
    pub lapsed: Vec<String>,
}

/// Waits until every node has acknowledged an epoch or holds no lease from before it.
///
/// Call it at once after the commit; `committed_at` is the monotonic time at which that returned.
/// A database that goes away meanwhile only makes it wait: after [`SETTLE`] the promise holds by
/// time alone.
pub async fn settle(
    db: &Db,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    (raised, committed_at): (&Raised, Duration),
) -> Receipt {
    let epoch = raised.epoch;
    let mut seen: Vec<String> = raised.nodes.iter().map(|node| node.id.clone()).collect();
    if raised.is_acknowledged() {
        return Receipt {
            effective_at: clock.now(),
            acknowledged: seen,
            lapsed: Vec::new(),
        };
    }
    let mut late: Vec<NodeRow> = Vec::new();
    loop {
        let waited = clock.monotonic().saturating_sub(committed_at);
        let patience = SETTLE.saturating_sub(waited).max(LAST_LOOK);
        let behind = behind(db, epoch, patience).await;
        let waiting = behind.as_ref().map_or(1, Vec::len);
        let known = behind.is_some();
        if let Some(nodes) = behind {
            let new = nodes.iter().filter(|node| !seen.contains(&node.id));
            seen.extend(new.map(|node| node.id.clone()).collect::<Vec<_>>());
            late = nodes;
        }
        if may_answer(waiting, clock.monotonic().saturating_sub(committed_at)) {
            let effective_at = clock.now();
            expel(db, (clock, entropy), epoch, &late).await;
            // Nobody's acknowledgement is known where the database does not answer.
            let lapsed: Vec<String> = if known {
                late.into_iter().map(|node| node.id).collect()
            } else {
                seen.clone()
            };
            seen.retain(|id| !lapsed.contains(id));
            return Receipt {
                effective_at,
                acknowledged: seen,
                lapsed,
            };
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The nodes behind `epoch`; `None` when the database can't say within `patience`.
async fn behind(db: &Db, epoch: i64, patience: Duration) -> Option<Vec<NodeRow>> {
    let read = async {
        let mut conn = db.read().await?;
        auth::behind(&mut conn, epoch).await
    };
    match tokio::time::timeout(patience, read).await {
        Ok(Ok(nodes)) => Some(nodes),
        Ok(Err(error)) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "acknowledgements can't be read"
            );
            None
        }
        Err(_) => None,
    }
}

/// Removes the rows of nodes that let `epoch` pass, and notes the gap that a dead one leaves in the
/// API log.
async fn expel(
    db: &Db,
    (clock, entropy): (&dyn Clock, &dyn Entropy),
    epoch: i64,
    late: &[NodeRow],
) {
    if late.is_empty() {
        return;
    }
    let expelled = async {
        let mut tx = db.write().await?;
        for node in late {
            let Some(complete_until) = auth::expel(&mut tx, &node.id, epoch).await? else {
                continue;
            };
            tracing::warn!(node.id, "node {} did not answer and was expelled", node.id);
            let random = u64::from_le_bytes(entropy::bytes(entropy));
            let gap = Gap {
                id: RequestId::new(complete_until.min(clock.now()), random).to_string(),
                at: complete_until,
                node: node.id.clone(),
                lost: 0,
            };
            api_requests::insert_gap(&mut tx, &gap).await?;
        }
        tx.commit().await
    };
    let expelled: Result<Result<(), Error>, _> = tokio::time::timeout(EXPEL_MAX, expelled).await;
    match expelled {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "late nodes can't be expelled");
        }
        Err(_) => tracing::warn!("late nodes can't be expelled: the database does not answer"),
    }
}
