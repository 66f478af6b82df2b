//! Jobs: rows that are written in the transaction that makes them necessary, and leased to workers.
//!
//! A worker holds a job while `lease_until` lies ahead and `lease_by` and `attempts` are those that
//! it claimed: every change asks for all three, so that who lost a lease can't finish the job.

use std::sync::Arc;

use headshot_domain::{JobId, JobKind, JobState, Timestamp};
use tokio::sync::Notify;

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::dialect;
use crate::error::Error;
use crate::parsed;

pub use crate::dialect::JobListener;

/// A job to be stored.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its id.
    pub id: &'a JobId,
    /// What it does.
    pub kind: JobKind,
    /// Who it is for: at most so many jobs of one kind and lane run at a time.
    pub lane: &'a str,
    /// What the kind needs to know, JSON.
    pub payload: &'a str,
    /// Not before this.
    pub run_at: Timestamp,
    /// Now.
    pub created_at: Timestamp,
    /// Where it stands among others that are begun one after the other, if it does.
    pub place: Option<Place<'a>>,
}

/// A place in a series: a job is claimed when all of the series that come before it, and are not done,
/// have had their first try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// What they have in common; all of them are of one kind and lane.
    pub series: &'a str,
    /// Which one of them.
    pub seq: i64,
}

/// A stored job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does, as stored: a newer version may know more kinds.
    pub kind: String,
    /// Who it is for.
    pub lane: String,
    /// What the kind needs to know, JSON.
    pub payload: String,
    /// Where it stands.
    pub state: JobState,
    /// How often it was begun.
    pub attempts: i64,
    /// Not before this.
    pub run_at: Timestamp,
    /// Until when a worker holds it.
    pub lease_until: Option<Timestamp>,
    /// Which worker holds it.
    pub lease_by: Option<String>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it died.
    pub finished_at: Option<Timestamp>,
    /// Its place in its series, 0 without one.
    pub seq: i64,
}

/// The right to change a running job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which job.
    pub id: JobId,
    /// Which worker.
    pub by: String,
    /// Which try.
    pub attempts: i64,
}

impl Job {
    /// The lease under which the job runs, or ran when it expired.
    pub fn lease(&self) -> Lease {
        Lease {
            id: self.id.clone(),
            by: self.lease_by.clone().unwrap_or_default(),
            attempts: self.attempts,
        }
    }
}

/// What a worker asks for.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The worker.
    pub worker: &'a str,
    /// Now.
    pub now: Timestamp,
    /// Until when it holds what it gets.
    pub lease_until: Timestamp,
    /// How many jobs of one kind and lane may run at a time, over all workers.
    pub lane_max: i64,
    /// How many jobs it takes at most.
    pub limit: i64,
    /// Kinds that may not take all places, and how many jobs of each it takes at most.
    pub bounded: [(JobKind, i64); 2],
}

statements! {
    INSERT = "INSERT INTO jobs (id, kind, lane, queue, payload, state, attempts, run_at, created_at, \
            series, seq) \
        VALUES ($1, $2, $3, $4, $5, 'queued', 0, $6, $7, $8, $9)";
    // One step of the index for each queue, however many jobs a queue holds: a lane that is full
    // and has thousands of jobs due must not slow the search for the others.
    FREE_QUEUES = "WITH RECURSIVE queues (queue) AS ( \
            SELECT MIN(queue) FROM jobs WHERE state = 'queued' \
            UNION ALL \
            SELECT (SELECT MIN(j.queue) FROM jobs j WHERE j.state = 'queued' AND j.queue > q.queue) \
                FROM queues q WHERE q.queue IS NOT NULL \
        ), heads AS ( \
            SELECT q.queue, \
                (SELECT MIN(j.run_at) FROM jobs j WHERE j.state = 'queued' AND j.queue = q.queue) AS due, \
                (SELECT COUNT(*) FROM jobs r WHERE r.state = 'running' AND r.queue = q.queue) AS running \
            FROM queues q WHERE q.queue IS NOT NULL \
        ) \
        SELECT queue, running FROM heads WHERE due <= $1 AND running < $2 \
            AND ($4 > 0 OR queue < $5 OR queue >= $6) AND ($7 > 0 OR queue < $8 OR queue >= $9) \
        ORDER BY running, due, queue LIMIT $3";
    TAKE = "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_until = $3, lease_by = $4 \
        WHERE id IN (SELECT j.id FROM jobs j WHERE j.state = 'queued' AND j.queue = $1 AND j.run_at <= $2 \
            AND NOT EXISTS (SELECT 1 FROM jobs e WHERE e.series = j.series AND e.seq < j.seq \
                AND (e.state = 'queued' AND e.attempts = 0 OR e.state = 'running' AND e.attempts = 1)) \
            ORDER BY j.run_at, j.seq, j.id LIMIT $5) \
        RETURNING id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, last_error, \
            created_at, finished_at, seq";
    NEXT_DUE = "SELECT MIN(run_at) FROM jobs WHERE state = 'queued'";
    EXPIRED = "SELECT id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, last_error, \
            created_at, finished_at, seq \
        FROM jobs WHERE state = 'running' AND lease_until <= $1 ORDER BY run_at, id LIMIT $2";
    HEARTBEAT = "UPDATE jobs SET lease_until = $2 WHERE state = 'running' AND lease_by = $1 \
        RETURNING id, attempts";
    FINISH = "DELETE FROM jobs WHERE id = $1 AND state = 'running' AND lease_by = $2 AND attempts = $3";
    WITHDRAW = "DELETE FROM jobs WHERE id = $1";
    FORGET = "DELETE FROM jobs WHERE lane = $1 AND state IN ('queued', 'dead') AND payload = $2";
    FORGET_DEAD_AT = "DELETE FROM jobs WHERE series = $1 AND seq = $2 AND state = 'dead' AND payload = $3";
    FORGET_QUEUED = "DELETE FROM jobs WHERE state = 'queued' AND queue = $1";
    FORGET_DEAD = "DELETE FROM jobs WHERE state = 'dead' AND run_at <= $2 AND kind = $1";
    RETRY = "UPDATE jobs SET state = 'queued', run_at = $4, lease_until = NULL, lease_by = NULL, \
        last_error = $5 WHERE id = $1 AND state = 'running' AND lease_by = $2 AND attempts = $3";
    RELEASE = "UPDATE jobs SET state = 'queued', attempts = attempts - 1, run_at = $4, lease_until = NULL, \
        lease_by = NULL WHERE id = $1 AND state = 'running' AND lease_by = $2 AND attempts = $3";
    BURY = "UPDATE jobs SET state = 'dead', lease_until = NULL, lease_by = NULL, finished_at = $4, \
        last_error = $5 WHERE id = $1 AND state = 'running' AND lease_by = $2 AND attempts = $3";
    REQUEUE = "UPDATE jobs SET state = 'queued', attempts = 0, run_at = $2, finished_at = NULL \
        WHERE id = $1 AND state = 'dead'";
    FIND = "SELECT id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, last_error, \
            created_at, finished_at, seq FROM jobs WHERE id = $1";
    LIST = "SELECT id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, last_error, \
            created_at, finished_at, seq \
        FROM jobs WHERE state = $1 ORDER BY run_at, id LIMIT $2";
    LIST_OF_LANE = "SELECT id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, \
            last_error, created_at, finished_at, seq \
        FROM jobs WHERE lane = $1 AND state = $2 ORDER BY run_at, id LIMIT $3";
    DEAD = "SELECT id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, last_error, \
            created_at, finished_at, seq \
        FROM jobs WHERE state = 'dead' AND ($1 = '' OR kind = $1) \
        ORDER BY run_at DESC, id DESC LIMIT $2";
    DEAD_OF_LANE = "SELECT id, kind, lane, payload, state, attempts, run_at, lease_until, lease_by, \
            last_error, created_at, finished_at, seq \
        FROM jobs WHERE lane = $1 AND state = 'dead' AND ($2 = '' OR kind = $2) \
        ORDER BY run_at DESC, id DESC LIMIT $3";
    COUNT_DEAD = "SELECT COUNT(*) FROM jobs WHERE state = 'dead' AND ($1 = '' OR kind = $1)";
    COUNT_DEAD_OF_LANE = "SELECT COUNT(*) FROM jobs \
        WHERE lane = $1 AND state = 'dead' AND ($2 = '' OR kind = $2)";
}

#[derive(sqlx::FromRow)]
struct JobRow {
    id: String,
    kind: String,
    lane: String,
    payload: String,
    state: String,
    attempts: i64,
    run_at: i64,
    lease_until: Option<i64>,
    lease_by: Option<String>,
    last_error: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
    seq: i64,
}

impl TryFrom<JobRow> for Job {
    type Error = Error;

    fn try_from(row: JobRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            kind: row.kind,
            lane: row.lane,
            payload: row.payload,
            state: parsed(&row.state, "jobs", "state")?,
            attempts: row.attempts,
            run_at: Timestamp::from_unix_ms(row.run_at),
            lease_until: row.lease_until.map(Timestamp::from_unix_ms),
            lease_by: row.lease_by,
            last_error: row.last_error,
            created_at: Timestamp::from_unix_ms(row.created_at),
            finished_at: row.finished_at.map(Timestamp::from_unix_ms),
            seq: row.seq,
        })
    }
}

fn jobs(rows: Vec<JobRow>) -> Result<Vec<Job>, Error> {
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Stores a new job in the transaction that makes it necessary. When that commits, `wake` is
/// notified, and so are the workers of other processes (on SQLite they poll instead).
pub async fn insert(tx: &mut WriteTx, new: &New<'_>, wake: &Arc<Notify>) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        new.id.as_str(),
        new.kind.name(),
        new.lane,
        format!("{} {}", new.kind, new.lane),
        new.payload,
        new.run_at.unix_ms(),
        new.created_at.unix_ms(),
        new.place.map(|place| place.series),
        new.place.map_or(0, |place| place.seq),
    )?;
    // What is due later is found in time by the looks that a worker takes anyway.
    if new.run_at > new.created_at {
        return Ok(());
    }
    tx.wake_on_commit(wake);
    dialect::notify_workers(tx).await
}

/// Takes jobs that are due, of queues that are not full, those with the fewest running jobs first. Of
/// one queue they are in the order in which they are to be begun.
pub async fn claim(tx: &mut WriteTx, claim: &Claim<'_>) -> Result<Vec<Job>, Error> {
    // One worker claims at a time: what runs in a lane is counted exactly.
    dialect::lock_jobs(tx).await?;
    let mut left = claim.limit;
    let mut bounds = claim.bounded.map(|(kind, left)| Bound::of(kind, left));
    let queues = free_queues(tx, claim, &bounds).await?;
    let mut claimed = Vec::new();
    // Each queue gets an equal share of the free places at least.
    let share = left / i64::try_from(queues.len()).unwrap_or(left).max(1);
    for (queue, running) in queues {
        let bound = bounds.iter_mut().find(|bound| bound.holds(&queue));
        let of_kind = bound.as_ref().map_or(left, |bound| bound.left);
        let take = (claim.lane_max - running).min(share.max(1)).min(left);
        let take = take.min(of_kind);
        if take <= 0 {
            continue;
        }
        let rows = fetch_all!(
            tx,
            JobRow,
            TAKE,
            &queue,
            claim.now.unix_ms(),
            claim.lease_until.unix_ms(),
            claim.worker,
            take
        )?;
        let mut taken = jobs(rows)?;
        // The statement returns them in any order.
        taken.sort_by(|a, b| (a.run_at, a.seq, &a.id).cmp(&(b.run_at, b.seq, &b.id)));
        let count = i64::try_from(taken.len()).unwrap_or(left);
        left -= count;
        if let Some(bound) = bound {
            bound.left -= count;
        }
        claimed.extend(taken);
    }
    Ok(claimed)
}

/// How many jobs of a kind may be taken.
struct Bound {
    /// All queues of the kind begin like this, and no other one.
    prefix: String,
    beyond: String,
    left: i64,
}

impl Bound {
    fn of(kind: JobKind, left: i64) -> Self {
        Self {
            prefix: format!("{kind} "),
            beyond: format!("{kind}!"),
            left,
        }
    }

    fn holds(&self, queue: &str) -> bool {
        queue.starts_with(&self.prefix)
    }
}

async fn free_queues(
    tx: &mut WriteTx,
    claim: &Claim<'_>,
    [one, other]: &[Bound; 2],
) -> Result<Vec<(String, i64)>, Error> {
    fetch_all!(
        tx,
        (String, i64),
        FREE_QUEUES,
        claim.now.unix_ms(),
        claim.lane_max,
        claim.limit,
        one.left,
        &one.prefix,
        &one.beyond,
        other.left,
        &other.prefix,
        &other.beyond
    )
}

/// When the next job is due, whether or not its lane has a free place.
pub async fn next_due(conn: &mut impl AsConn) -> Result<Option<Timestamp>, Error> {
    let (at,) = fetch_one!(conn, (Option<i64>,), NEXT_DUE)?;
    Ok(at.map(Timestamp::from_unix_ms))
}

/// Running jobs whose lease has ended: their worker was killed, or stood still.
pub async fn expired(
    conn: &mut impl AsConn,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Job>, Error> {
    jobs(fetch_all!(conn, JobRow, EXPIRED, now.unix_ms(), limit)?)
}

/// Extends the leases of a worker; those that it still holds.
pub async fn heartbeat(
    tx: &mut WriteTx,
    worker: &str,
    until: Timestamp,
) -> Result<Vec<Lease>, Error> {
    let rows = fetch_all!(tx, (String, i64), HEARTBEAT, worker, until.unix_ms())?;
    let lease = |(id, attempts): (String, i64)| Lease {
        id: id.into(),
        by: worker.to_owned(),
        attempts,
    };
    Ok(rows.into_iter().map(lease).collect())
}

/// Removes a job that is done. `false` when the lease was lost.
pub async fn finish(tx: &mut WriteTx, lease: &Lease) -> Result<bool, Error> {
    let id = lease.id.as_str();
    Ok(execute!(tx, FINISH, id, &lease.by, lease.attempts)? == 1)
}

/// Removes a job in the transaction that does it, whoever holds its lease. `false` when it is gone: of
/// two that do the same, one wins.
pub async fn withdraw(tx: &mut WriteTx, id: &JobId) -> Result<bool, Error> {
    Ok(execute!(tx, WITHDRAW, id.as_str())? == 1)
}

/// Forgets the jobs of a lane with this payload that do not run, with the reasons of their failures.
pub async fn forget(tx: &mut WriteTx, lane: &str, payload: &str) -> Result<(), Error> {
    execute!(tx, FORGET, lane, payload)?;
    Ok(())
}

/// Forgets the dead job with this payload at a place of a series.
pub async fn forget_dead_at(
    tx: &mut WriteTx,
    place: Place<'_>,
    payload: &str,
) -> Result<(), Error> {
    execute!(tx, FORGET_DEAD_AT, place.series, place.seq, payload)?;
    Ok(())
}

/// Forgets the jobs of a kind and lane that do not run.
pub async fn forget_queued(tx: &mut WriteTx, kind: JobKind, lane: &str) -> Result<(), Error> {
    execute!(tx, FORGET_QUEUED, format!("{kind} {lane}"))?;
    Ok(())
}

/// Forgets the dead jobs of a kind that were due at `until` or before.
pub async fn forget_dead(tx: &mut WriteTx, kind: JobKind, until: Timestamp) -> Result<(), Error> {
    execute!(tx, FORGET_DEAD, kind.name(), until.unix_ms())?;
    Ok(())
}

/// Puts a job back until `run_at`. `false` when the lease was lost.
pub async fn retry(
    tx: &mut WriteTx,
    lease: &Lease,
    run_at: Timestamp,
    why: &str,
) -> Result<bool, Error> {
    let (id, at) = (lease.id.as_str(), run_at.unix_ms());
    Ok(execute!(tx, RETRY, id, &lease.by, lease.attempts, at, why)? == 1)
}

/// Gives a job back as if it had not been begun. `false` when the lease was lost.
pub async fn release(tx: &mut WriteTx, lease: &Lease, run_at: Timestamp) -> Result<bool, Error> {
    let (id, at) = (lease.id.as_str(), run_at.unix_ms());
    Ok(execute!(tx, RELEASE, id, &lease.by, lease.attempts, at)? == 1)
}

/// Marks a job dead. `false` when the lease was lost.
pub async fn bury(
    tx: &mut WriteTx,
    lease: &Lease,
    now: Timestamp,
    why: &str,
) -> Result<bool, Error> {
    let (id, at) = (lease.id.as_str(), now.unix_ms());
    Ok(execute!(tx, BURY, id, &lease.by, lease.attempts, at, why)? == 1)
}

/// Puts a dead job back with all its tries. `false` when it is not dead.
pub async fn requeue(
    tx: &mut WriteTx,
    id: &JobId,
    run_at: Timestamp,
    wake: &Arc<Notify>,
) -> Result<bool, Error> {
    let requeued = execute!(tx, REQUEUE, id.as_str(), run_at.unix_ms())? == 1;
    tx.wake_on_commit(wake);
    dialect::notify_workers(tx).await?;
    Ok(requeued)
}

/// The job with this id, unless it is done.
pub async fn find(conn: &mut impl AsConn, id: &JobId) -> Result<Option<Job>, Error> {
    fetch_optional!(conn, JobRow, FIND, id.as_str())?
        .map(TryInto::try_into)
        .transpose()
}

/// The first `limit` jobs in a state, by the time for which they are set.
pub async fn list(conn: &mut impl AsConn, state: JobState, limit: i64) -> Result<Vec<Job>, Error> {
    jobs(fetch_all!(conn, JobRow, LIST, state.name(), limit)?)
}

/// The same of one lane.
pub async fn list_of_lane(
    conn: &mut impl AsConn,
    lane: &str,
    state: JobState,
    limit: i64,
) -> Result<Vec<Job>, Error> {
    let state = state.name();
    jobs(fetch_all!(conn, JobRow, LIST_OF_LANE, lane, state, limit)?)
}

/// The dead jobs of all lanes or of one, of all kinds or of one: the last `limit`, newest first.
pub async fn dead(
    conn: &mut impl AsConn,
    (lane, kind): (Option<&str>, Option<JobKind>),
    limit: i64,
) -> Result<Vec<Job>, Error> {
    let kind = kind.map_or("", JobKind::name);
    jobs(match lane {
        None => fetch_all!(conn, JobRow, DEAD, kind, limit),
        Some(lane) => fetch_all!(conn, JobRow, DEAD_OF_LANE, lane, kind, limit),
    }?)
}

/// How many of them there are.
pub async fn count_dead(
    conn: &mut impl AsConn,
    (lane, kind): (Option<&str>, Option<JobKind>),
) -> Result<i64, Error> {
    let kind = kind.map_or("", JobKind::name);
    let (count,) = match lane {
        None => fetch_one!(conn, (i64,), COUNT_DEAD, kind),
        Some(lane) => fetch_one!(conn, (i64,), COUNT_DEAD_OF_LANE, lane, kind),
    }?;
    Ok(count)
}
