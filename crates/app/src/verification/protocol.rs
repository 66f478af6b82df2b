//! The rules, free of time and I/O. See [the module above](super) for why they are right.

use std::time::Duration;

use headshot_storage::auth::Observation;

/// How long a node may answer from memory after it sent the read that allowed it.
pub const LEASE: Duration = Duration::from_millis(900);

/// How long a deletion waits, after its commit, for nodes that don't acknowledge.
pub const SETTLE: Duration = Duration::from_millis(950);

/// A node's right to answer from memory. Times are its own monotonic clock's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Lease {
    /// Everything that the epochs up to this one invalidated has been forgotten.
    applied: i64,
    /// The node may answer from memory before this moment.
    until: Option<Duration>,
}

/// What a node has to do after it looked at the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Nothing: the lease is extended.
    Serve,
    /// Forget what the epochs after `applied` invalidated, acknowledge `epoch`, tell
    /// [`Lease::acknowledged`].
    CatchUp {
        /// The epoch that memory has seen.
        applied: i64,
        /// The epoch that it has to see.
        epoch: i64,
    },
    /// Forget everything and register: the node is not known (any more), or the database is an
    /// older one than it was.
    Register,
}

impl Lease {
    /// The epoch that memory has seen; 0 before the first registration.
    pub fn applied(&self) -> i64 {
        self.applied
    }

    /// Until when memory may be used.
    pub fn until(&self) -> Option<Duration> {
        self.until
    }

    /// Whether memory may be used at `now`.
    pub fn is_good(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// The node registered at `epoch`, in a transaction that it began at `sent_at`, after
    /// [`Lease::end`] and with nothing in memory.
    pub fn registered(&mut self, sent_at: Duration, epoch: i64) {
        self.applied = epoch;
        self.until = Some(sent_at + LEASE);
    }

    /// The node saw `seen` in a snapshot that it asked for at `sent_at`.
    pub fn observed(&mut self, sent_at: Duration, seen: Observation) -> Next {
        match seen.acked {
            Some(acked) if acked == seen.epoch && self.applied == seen.epoch => {
                self.until = self.until.max(Some(sent_at + LEASE));
                Next::Serve
            }
            // From the older of the two: after a failover that lost the last commits, the epochs
            // above `acked` are new ones.
            Some(acked) if self.applied <= seen.epoch => Next::CatchUp {
                applied: self.applied.min(acked),
                epoch: seen.epoch,
            },
            _ => {
                self.until = None;
                Next::Register
            }
        }
    }

    /// Whether `epoch` is the very next one that memory has to see, so that it may be forgotten, and
    /// acknowledged, inside the transaction that makes it.
    pub fn is_next(&self, epoch: i64) -> bool {
        self.until.is_some() && self.applied + 1 == epoch
    }

    /// Memory has forgotten all that the epochs up to `epoch` invalidated.
    pub fn caught_up(&mut self, epoch: i64) {
        self.applied = self.applied.max(epoch);
    }

    /// The acknowledgement of `epoch`, seen in a snapshot asked for at `sent_at`, is stored
    /// (`known`) or found no row to be stored in.
    pub fn acknowledged(&mut self, sent_at: Duration, epoch: i64, known: bool) {
        if !known {
            self.until = None;
        } else if self.applied == epoch {
            self.until = self.until.max(Some(sent_at + LEASE));
        }
    }

    /// Whether what was read under `read_epoch` may be remembered: nothing older than what memory
    /// has seen, and nothing at all between two leases.
    pub fn may_remember(&self, read_epoch: i64) -> bool {
        self.until.is_some() && read_epoch >= self.applied
    }

    /// The node stops answering from memory. Memory has to be emptied with it: a look-up that is
    /// under way may have seen the lease.
    pub fn end(&mut self) {
        self.until = None;
    }
}

/// Whether a deletion may answer: nobody is `behind`, or every lease that was good at its commit
/// has ended.
pub fn may_answer(behind: usize, since_commit: Duration) -> bool {
    behind == 0 || since_commit >= SETTLE
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_secs(100);

    fn seen(epoch: i64, acked: Option<i64>) -> Observation {
        Observation { epoch, acked }
    }

    #[test]
    fn a_lease_counts_from_before_the_read() {
        let mut lease = Lease::default();
        lease.registered(T, 5);
        assert_eq!(lease.observed(T + LEASE / 2, seen(5, Some(5))), Next::Serve);
        assert!(lease.is_good(T + LEASE));
        assert!(!lease.is_good(T + LEASE / 2 + LEASE));
    }

    #[test]
    fn a_new_epoch_does_not_extend_the_lease_until_acknowledged() {
        let mut lease = Lease::default();
        lease.registered(T, 5);
        let later = T + Duration::from_millis(500);
        assert_eq!(
            lease.observed(later, seen(6, Some(5))),
            Next::CatchUp {
                applied: 5,
                epoch: 6
            }
        );
        assert_eq!(lease.until(), Some(T + LEASE));
        lease.caught_up(6);
        lease.acknowledged(later, 6, true);
        assert_eq!(lease.until(), Some(later + LEASE));
    }

    #[test]
    fn an_expelled_node_loses_its_lease() {
        let mut lease = Lease::default();
        lease.registered(T, 5);
        assert_eq!(lease.observed(T, seen(6, None)), Next::Register);
        assert!(!lease.is_good(T));
        lease.registered(T, 6);
        lease.caught_up(7);
        lease.acknowledged(T, 7, false);
        assert!(!lease.is_good(T));
    }

    #[test]
    fn a_deletion_waits_for_nodes_or_for_their_leases() {
        assert!(may_answer(0, Duration::ZERO));
        assert!(!may_answer(
            1,
            SETTLE.saturating_sub(Duration::from_nanos(1))
        ));
        assert!(may_answer(1, SETTLE));
        assert!(SETTLE > LEASE);
    }

    #[test]
    fn only_the_next_epoch_is_forgotten_ahead() {
        let mut lease = Lease::default();
        assert!(!lease.is_next(1), "no lease");
        lease.registered(T, 5);
        assert!(!lease.is_next(5));
        assert!(lease.is_next(6));
        assert!(!lease.is_next(7), "it would pass over 6");
        lease.caught_up(6);
        // The transaction did not commit: the database is older than memory, which starts anew, or
        // another one has made this epoch, which is caught up with.
        assert_eq!(lease.clone().observed(T, seen(5, Some(5))), Next::Register);
        assert_eq!(
            lease.observed(T, seen(6, Some(5))),
            Next::CatchUp {
                applied: 5,
                epoch: 6
            }
        );
    }

    #[test]
    fn a_fill_older_than_an_invalidation_is_not_remembered() {
        let mut lease = Lease::default();
        lease.registered(T, 5);
        assert!(lease.may_remember(5));
        assert!(lease.may_remember(6));
        lease.caught_up(6);
        assert!(!lease.may_remember(5));
    }

    #[test]
    fn nothing_is_remembered_between_two_leases() {
        let mut lease = Lease::default();
        assert!(!lease.may_remember(5));
        lease.registered(T, 5);
        lease.end();
        assert!(!lease.may_remember(5));
    }

    #[test]
    fn a_database_that_went_back_is_noticed() {
        let mut lease = Lease::default();
        lease.registered(T, 5);
        assert_eq!(lease.clone().observed(T, seen(4, Some(4))), Next::Register);
        // It lost epoch 5 and has made another one since.
        assert_eq!(
            lease.observed(T, seen(5, Some(4))),
            Next::CatchUp {
                applied: 4,
                epoch: 5
            }
        );
    }
}
