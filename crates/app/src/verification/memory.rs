//! What a node remembers: keys by digest, and for each organization its details and request budget.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use headshot_domain::{Clock, KeyId, OrgId, Timestamp};
use headshot_storage::api_keys::KeyRecord;
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;

use crate::organizations::OrgDetails;
use crate::rate_limit::Budget;
use crate::verification::protocol::Lease;

/// HMAC-SHA-256 of a key.
pub type Digest = [u8; 32];

/// What a node knows of one organization.
#[derive(Debug)]
pub struct OrgState {
    /// The organization.
    pub id: OrgId,
    /// The same as shared text, for log rows.
    pub shared_id: Arc<str>,
    /// Its requests of the running minute.
    pub budget: Budget,
    /// Raised by every invalidation: what was remembered under another number is forgotten.
    generation: AtomicU64,
    details: RwLock<Option<(u64, Arc<OrgDetails>)>>,
}

impl OrgState {
    fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// What a node knows of one key.
#[derive(Debug)]
pub struct KeyEntry {
    /// What the database said.
    pub record: KeyRecord,
    /// The key's id as shared text, for log rows.
    pub shared_id: Arc<str>,
    /// The key's organization.
    pub org: Arc<OrgState>,
    generation: u64,
    /// Unix milliseconds of the last accepted use in this process; 0 before the first.
    last_use: AtomicI64,
}

impl KeyEntry {
    /// Notes an accepted use.
    pub fn note_use(&self, at: Timestamp) {
        self.last_use.fetch_max(at.unix_ms(), Ordering::Relaxed);
    }

    fn last_use(&self) -> Option<Timestamp> {
        let at = self.last_use.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_unix_ms(at))
    }
}

/// The memory of one node. Bounded; shared by all requests.
pub struct Memory {
    keys: Cache<Digest, Arc<KeyEntry>>,
    orgs: Mutex<Orgs>,
    /// Locked for every fill and every invalidation, never for a look-up.
    lease: Mutex<Lease>,
    /// [`Lease::until`] in nanoseconds, 0 for none: what look-ups read.
    until: AtomicU64,
    clock: Arc<dyn Clock>,
}

/// Every [`OrgState`] that anybody holds.
#[derive(Debug)]
struct Orgs {
    by_id: HashMap<OrgId, Arc<OrgState>>,
    /// At how many organizations those that nobody holds are dropped.
    sweep_at: usize,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// An empty memory for at most `keys_max` keys.
    pub fn new(keys_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            keys: Cache::new(keys_max),
            orgs: Mutex::new(Orgs {
                by_id: HashMap::new(),
                sweep_at: ORGS_BEFORE_SWEEP,
            }),
            lease: Mutex::default(),
            until: AtomicU64::new(0),
            clock,
        }
    }

    /// What is remembered of the key with this digest, if memory may be used.
    ///
    /// The decision falls at the comparison of the generations. The lease is read before and the
    /// clock after it, so at that moment its time was not over and the key not invalidated here, nor
    /// the lease ended early: that would have invalidated everything.
    pub fn find(&self, digest: &Digest) -> Option<Arc<KeyEntry>> {
        let until = self.until.load(Ordering::Acquire);
        let entry = self.keys.get(digest)?;
        let current = entry.generation == entry.org.generation.load(Ordering::Acquire);
        (current && nanoseconds(self.clock.monotonic()) < until).then_some(entry)
    }

    /// What is remembered of an organization's details, by the same rule as [`Memory::find`].
    pub fn details(&self, org: &OrgState) -> Option<Arc<OrgDetails>> {
        let until = self.until.load(Ordering::Acquire);
        let (generation, details) = org.details.read().clone()?;
        let current = generation == org.generation.load(Ordering::Acquire);
        (current && nanoseconds(self.clock.monotonic()) < until).then_some(details)
    }

    /// Remembers what was read of a key under `epoch`, unless it may be older than an invalidation
    /// or there is no lease. The entry serves the request that read it in either case.
    pub fn remember(&self, digest: Digest, record: KeyRecord, epoch: i64) -> Arc<KeyEntry> {
        let org = self.org(&record.org);
        let lease = self.lease.lock();
        let entry = Arc::new(KeyEntry {
            shared_id: record.id.as_str().into(),
            generation: org.generation.load(Ordering::Acquire),
            last_use: AtomicI64::new(0),
            record,
            org,
        });
        if lease.may_remember(epoch) {
            self.keys.insert(digest, Arc::clone(&entry));
        }
        entry
    }

    /// Remembers an organization's details that were read under `epoch`, by the same rule.
    pub fn remember_details(&self, org: &OrgState, details: Arc<OrgDetails>, epoch: i64) {
        let lease = self.lease.lock();
        if lease.may_remember(epoch) {
            let generation = org.generation.load(Ordering::Acquire);
            *org.details.write() = Some((generation, details));
        }
    }

    /// The state of an organization; the same one for as long as anybody holds it.
    pub fn org(&self, id: &OrgId) -> Arc<OrgState> {
        let mut orgs = self.orgs.lock();
        if let Some(org) = orgs.by_id.get(id) {
            return Arc::clone(org);
        }
        if orgs.by_id.len() >= orgs.sweep_at {
            let now = self.clock.now();
            orgs.by_id
                .retain(|_, org| Arc::strong_count(org) > 1 || org.budget.is_running(now));
            // Twice what is left, so that a sweep is paid for by as many additions.
            orgs.sweep_at = ORGS_BEFORE_SWEEP.max(2 * orgs.by_id.len());
        }
        let org = Arc::new(OrgState {
            id: id.clone(),
            shared_id: id.as_str().into(),
            budget: Budget::default(),
            generation: AtomicU64::new(0),
            details: RwLock::default(),
        });
        orgs.by_id.insert(id.clone(), Arc::clone(&org));
        org
    }

    /// Forgets what `orgs` names, or everything for `None`, and notes that `epoch` is applied.
    /// Returns the last accepted uses of the keys that were forgotten one by one.
    pub fn forget(&self, orgs: Option<&[OrgId]>, epoch: i64) -> Vec<(KeyId, Timestamp)> {
        let mut lease = self.lease.lock();
        let uses = match orgs {
            None => {
                self.forget_all();
                Vec::new()
            }
            Some(named) => self.forget_orgs(named),
        };
        lease.caught_up(epoch);
        uses
    }

    /// Forgets an organization before the transaction that makes `epoch` commits, if memory has seen
    /// every epoch before it; else `None`, and nothing is forgotten.
    pub fn forget_ahead(&self, org: &OrgId, epoch: i64) -> Option<Vec<(KeyId, Timestamp)>> {
        let mut lease = self.lease.lock();
        if !lease.is_next(epoch) {
            return None;
        }
        let uses = self.forget_orgs(std::slice::from_ref(org));
        lease.caught_up(epoch);
        Some(uses)
    }

    fn forget_orgs(&self, named: &[OrgId]) -> Vec<(KeyId, Timestamp)> {
        let known = self.orgs.lock();
        named
            .iter()
            .filter_map(|id| known.by_id.get(id))
            .for_each(|org| org.invalidate());
        drop(known);
        self.uses_of(named)
    }

    fn forget_all(&self) {
        let known = self.orgs.lock();
        known.by_id.values().for_each(|org| org.invalidate());
        drop(known);
        self.keys.clear();
    }

    /// Ends the lease, with everything remembered under it.
    pub fn end_lease(&self) {
        let mut lease = self.lease.lock();
        lease.end();
        self.publish(&lease);
        self.forget_all();
    }

    /// The last uses of the keys of `orgs`. Looks through memory only when that is cheap: the API
    /// log brings the same figures a moment later.
    fn uses_of(&self, orgs: &[OrgId]) -> Vec<(KeyId, Timestamp)> {
        if orgs.is_empty() || self.keys.len() > KEYS_CHEAP_TO_SCAN {
            return Vec::new();
        }
        let used = |(_, entry): (Digest, Arc<KeyEntry>)| {
            let at = entry.last_use()?;
            orgs.contains(&entry.record.org)
                .then(|| (entry.record.id.clone(), at))
        };
        let mut found: Vec<_> = self.keys.iter().filter_map(used).collect();
        // Rows are locked in one order everywhere, so that PostgreSQL sees no deadlock.
        found.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        found
    }

    /// Runs `change` on the lease and lets look-ups see the result.
    pub fn with_lease<T>(&self, change: impl FnOnce(&mut Lease) -> T) -> T {
        let mut lease = self.lease.lock();
        let result = change(&mut lease);
        self.publish(&lease);
        result
    }

    fn publish(&self, lease: &Lease) {
        let until = lease.until().map_or(0, nanoseconds);
        self.until.store(until, Ordering::Release);
    }

    /// Whether memory may be used now.
    pub fn is_leased(&self) -> bool {
        nanoseconds(self.clock.monotonic()) < self.until.load(Ordering::Acquire)
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Up to this many organizations, those that nobody holds are kept.
const ORGS_BEFORE_SWEEP: usize = 10_000;

/// Up to this many keys, an invalidation looks for the last uses of the keys it forgets.
const KEYS_CHEAP_TO_SCAN: usize = 10_000;

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
