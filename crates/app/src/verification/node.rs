//! A process that verifies keys: it answers from memory while it holds a lease, else from the
//! database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use headshot_domain::{Clock, KeyId, OrgId, Timestamp};
use headshot_storage::api_keys::{self, KeyUse};
use headshot_storage::{Db, Error, Watcher, WriteTx, auth};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::verification::memory::{Digest, KeyEntry, Memory};
use crate::verification::protocol::Next;
use crate::verification::settlement::Raised;
use crate::verification::{IDLE, RENEWAL};

/// How long a node waits after a failure before it looks at the database again; twice as long each
/// time, up to [`RETRY_MAX`].
const RETRY: Duration = Duration::from_millis(100);

/// The longest wait between two looks at a database that fails.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// How long a look at the database may take before it is given up: a network may swallow it.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// How coarsely the time of the last request is kept: requests seldom write to one place.
const NOTE_EVERY_MS: u64 = 100;

/// A verifying process.
pub struct Node {
    id: String,
    db: Db,
    clock: Arc<dyn Clock>,
    /// What it remembers.
    pub memory: Memory,
    /// Monotonic milliseconds of the last request, to tell an idle node.
    last_request: AtomicU64,
    /// When the oldest request arrived that may not be in the API log yet, in Unix milliseconds; 0 for
    /// none.
    unlogged: AtomicI64,
    /// The database may hold the node's row.
    has_row: AtomicBool,
    /// Another process took this one for dead, and noted a gap in the API log.
    was_expelled: AtomicBool,
    wake: Notify,
}

/// What the database knows of a digest.
#[derive(Debug)]
pub enum Found {
    /// A key, alive or not.
    Key(Arc<KeyEntry>),
    /// No key has this digest.
    Nothing,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A node that is not registered yet. `id` must never have been used before.
    pub fn new(id: String, db: Db, clock: Arc<dyn Clock>, keys_max: usize) -> Self {
        let memory = Memory::new(keys_max, Arc::clone(&clock));
        Self {
            id,
            db,
            clock,
            memory,
            last_request: AtomicU64::new(0),
            unlogged: AtomicI64::new(0),
            has_row: AtomicBool::new(false),
            was_expelled: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// The node's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What memory says of a digest, if it may be asked. Notes that the node is in use.
    pub fn find(&self, digest: &Digest) -> Option<Arc<KeyEntry>> {
        let found = self.memory.find(digest);
        self.note_request();
        found
    }

    /// What the database says of a digest. `digest` is the one to remember it under, `stored` the
    /// one to look for; they differ for a key that was made under a retired pepper.
    pub async fn load(&self, digest: &Digest, stored: &Digest) -> Result<Found, Error> {
        let mut conn = self.db.read().await?;
        let (record, epoch) = api_keys::record(&mut conn, stored).await?;
        Ok(match record {
            Some(record) => Found::Key(self.memory.remember(*digest, record, epoch)),
            None => Found::Nothing,
        })
    }

    /// A request that arrived at `at` waits to be logged: whatever it brought, a kill from now on has
    /// to leave a gap, and so the node is in use.
    pub fn logs(&self, at: Timestamp) {
        self.note_request();
        // Nearly always there is an older one.
        if self.unlogged.load(Ordering::SeqCst) == 0 {
            self.logs_since(at);
        }
    }

    /// Nothing older than `at` waits to be logged.
    pub fn logs_since(&self, at: Timestamp) {
        let (none, since) = (0, at.unix_ms());
        let _older =
            self.unlogged
                .compare_exchange(none, since, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Nothing waits to be logged. Whoever finds something after this tells [`Node::logs_since`].
    pub fn has_logged(&self) {
        self.unlogged.store(0, Ordering::SeqCst);
    }

    /// Whether others took this node for dead since the last question.
    pub fn was_expelled(&self) -> bool {
        self.was_expelled.swap(false, Ordering::Relaxed)
    }

    /// The gap that they noted is still there.
    pub fn still_has_gap(&self) {
        self.was_expelled.store(true, Ordering::Relaxed);
    }

    fn note_request(&self) {
        let now = milliseconds(self.clock.monotonic()).max(1);
        let before = self.last_request.load(Ordering::Relaxed);
        if before != 0 && now.saturating_sub(before) < NOTE_EVERY_MS {
            return;
        }
        if self.last_request.swap(now, Ordering::Relaxed) == 0 {
            self.wake.notify_one();
        }
    }

    /// Looks at the database once: extends the lease, catches up, or registers.
    pub async fn renew(&self) -> Result<(), Error> {
        let sent_at = self.clock.monotonic();
        let seen = {
            let mut conn = self.db.read().await?;
            auth::observe(&mut conn, &self.id).await?
        };
        match self
            .memory
            .with_lease(|lease| lease.observed(sent_at, seen))
        {
            Next::Serve => Ok(()),
            Next::CatchUp { applied, epoch } => self.catch_up(sent_at, applied, epoch).await,
            Next::Register => self.register().await,
        }
    }

    /// Begins to answer from memory, which is emptied first; not before the database takes the row,
    /// for until then the lease that there is may be used.
    pub async fn register(&self) -> Result<(), Error> {
        let again = self.has_row.swap(true, Ordering::Relaxed);
        let mut complete_until = self.clock.now();
        if let oldest @ 1.. = self.unlogged.load(Ordering::SeqCst) {
            complete_until = complete_until.min(Timestamp::from_unix_ms(oldest));
        }
        let sent_at = self.clock.monotonic();
        let mut tx = self.db.write().await?;
        let epoch = auth::register(&mut tx, &self.id, complete_until).await?;
        self.memory.end_lease();
        tx.commit().await?;
        if again {
            self.still_has_gap();
        }
        self.memory
            .with_lease(|lease| lease.registered(sent_at, epoch));
        Ok(())
    }

    async fn catch_up(&self, sent_at: Duration, applied: i64, epoch: i64) -> Result<(), Error> {
        let invalidated = {
            let mut conn = self.db.read().await?;
            auth::invalidated(&mut conn, applied, epoch).await?
        };
        let orgs: Option<Vec<_>> = invalidated.map(|list| list.into_iter().flatten().collect());
        let uses = self.memory.forget(orgs.as_deref(), epoch);

        let mut tx = self.db.write().await?;
        let uses = uses.into_iter().map(|(key, at)| KeyUse::at(key, at));
        api_keys::used(&mut tx, &uses.collect::<Vec<_>>()).await?;
        let known = auth::acknowledge(&mut tx, &self.id, epoch).await?;
        tx.commit().await?;
        self.memory
            .with_lease(|lease| lease.acknowledged(sent_at, epoch, known));
        Ok(())
    }

    /// Raises the epoch in the transaction that made something of `org` invalid (`None`: nothing, it
    /// is a roll call). To be settled when that has committed.
    pub async fn raise(&self, tx: &mut WriteTx, org: Option<&OrgId>) -> Result<Raised, Error> {
        let epoch = auth::bump(tx, org).await?;
        let nodes = auth::tell(tx, &self.id).await?;
        Ok(Raised { epoch, nodes })
    }

    /// Forgets an organization and acknowledges the epoch inside the transaction that raised it: this
    /// node is then up to date when it commits, and the deletion need not wait for it. Where it
    /// has not acknowledged every epoch before, the node's own loop does it as for anybody's deletion.
    /// Returns the last accepted uses of what was forgotten.
    ///
    /// Call it when nothing can go wrong any more but the commit: from here on nothing new is
    /// remembered until that is known.
    pub async fn acknowledge_ahead(
        &self,
        tx: &mut WriteTx,
        (org, raised): (&OrgId, &mut Raised),
    ) -> Result<Vec<(KeyId, Timestamp)>, Error> {
        let epoch = raised.epoch;
        let own = raised.nodes.iter_mut().find(|node| node.id == self.id);
        // Memory alone can't tell: it may have forgotten ahead for a transaction that failed.
        let Some(own) = own.filter(|own| own.acked == epoch - 1) else {
            return Ok(Vec::new());
        };
        let Some(uses) = self.memory.forget_ahead(org, epoch) else {
            return Ok(Vec::new());
        };
        if auth::acknowledge(tx, &self.id, epoch).await? {
            own.acked = epoch;
        }
        Ok(uses)
    }

    /// Stops answering from memory and removes the node's row.
    pub async fn deregister(&self) -> Result<(), Error> {
        self.memory.end_lease();
        let mut tx = self.db.write().await?;
        auth::deregister(&mut tx, &self.id).await?;
        tx.commit().await?;
        self.has_row.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Tells this node's own loop to look at the database now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Keeps the lease while there are requests, until `stop`. Then the node's row is gone.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pause = RETRY;
        while stop.run_until_cancelled(self.needed()).await.is_some() {
            match stop.run_until_cancelled(self.serve(&mut pause)).await {
                None | Some(Ok(())) => {}
                Some(Err(error)) => {
                    if pause == RETRY {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "the lease can't be renewed; it is tried again");
                    }
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = RETRY_MAX.min(2 * pause);
                }
            }
        }
        if !self.has_row.load(Ordering::Relaxed) {
            return;
        }
        match tokio::time::timeout(LOOK_MAX, self.deregister()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the node's row stays behind");
            }
            Err(_) => tracing::warn!("the node's row stays behind: the database does not answer"),
        }
    }

    /// Waits for a request, or for nothing when the row of an idle node could not be removed.
    async fn needed(&self) {
        while self.last_request.load(Ordering::Relaxed) == 0
            && !self.has_row.load(Ordering::Relaxed)
        {
            self.wake.notified().await;
        }
    }

    /// Holds the lease until the node is idle, or a failure; `pause` starts anew once it has it. May be dropped at any point: the lease
    /// ends before the row goes, and is extended after the acknowledgement is stored.
    async fn serve(&self, pause: &mut Duration) -> Result<(), Error> {
        if !self.became_idle() {
            let mut watcher = Watcher::start(&self.db).await?;
            // After a failure the node's row may still be there, and what it remembers with it.
            self.renew().await?;
            *pause = RETRY;
            while !self.became_idle() {
                tokio::select! {
                    () = tokio::time::sleep(RENEWAL) => {}
                    () = self.wake.notified() => {}
                    changed = watcher.changed() => changed?,
                }
                let renewed = tokio::time::timeout(LOOK_MAX, self.renew()).await;
                renewed.unwrap_or_else(|_late| {
                    tracing::warn!("the database does not answer");
                    Ok(())
                })?;
            }
        }
        self.deregister().await
    }

    /// Whether the node has had no request for [`IDLE`]; from then on the next one wakes it.
    fn became_idle(&self) -> bool {
        let last = self.last_request.load(Ordering::Relaxed);
        let now = milliseconds(self.clock.monotonic());
        now.saturating_sub(last) > milliseconds(IDLE)
            && self
                .last_request
                .compare_exchange(last, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
