//! Verification of API keys from memory, and why a deletion is immediate all the same.
//!
//! # The promise
//!
//! When the deletion of a key answers, no process accepts the key any more, whichever process
//! deleted it and however many verify.
//!
//! # The parts
//!
//! - The database holds an **epoch**, a number that every deletion (and every other change to what
//!   nodes remember) raises in its own transaction, and one row for each **node**: a process that
//!   may answer from memory. The row holds the newest epoch that the node has acknowledged.
//! - A node holds a **lease**: until a moment of its own monotonic clock it may answer from memory.
//!   The lease is not stored anywhere. It comes from reading `(epoch, my row)` in one snapshot: if
//!   the row is there and the node has applied and acknowledged that epoch, the lease runs until
//!   [`LEASE`] after the moment *before* the read was sent. Holding a lease costs one read each
//!   [`RENEWAL`]; an idle node lets it lapse, removes its row and leaves the database alone.
//! - A node that reads a higher epoch first forgets what the epochs in between invalidated, then
//!   acknowledges in its row, and only then extends its lease.
//! - The **deleting** process commits, then waits until every registered node has acknowledged its
//!   epoch or until [`SETTLE`] has passed by its own monotonic clock since the commit returned.
//!   Nodes that have not acknowledged by then are expelled: their row goes.
//!
//! # Why it is right
//!
//! Let the deletion commit at *C* with epoch *e*, and let a node accept the key from memory at *a*
//! (the moment at which it compares generations, see [`Memory::find`]). It had a lease at *a*, from
//! a read sent at *s*, so *a* < *s* + `LEASE`, and had not yet forgotten the key.
//!
//! 1. The read saw an epoch below *e* (else the node would have forgotten the key first). So its
//!    snapshot is older than the commit, *s* < *C*, and *a* < *C* + `LEASE`.
//! 2. The node was registered when the read was made. Its row can go in two ways. A deletion *d*
//!    expels it: only at `SETTLE` or later after its own commit, and only while the row has not
//!    acknowledged *d*'s epoch. A lease that was read before that commit has ended by then; one that
//!    was read after it would have needed the acknowledgement. Or the node removes it, after ending
//!    its lease early (see below). So while the node holds a lease its row is there.
//! 3. Hence our deletion, which looks for rows at *C* or later, finds the row and waits: until the node
//!    acknowledges *e*, which it does after it forgot the key, so after *a*; or until *C* + `SETTLE`,
//!    which is after *a* by 1.
//!
//! Either way the deletion answers after *a*. No clock is compared with another machine's clock and
//! no time of day is used; only durations are, so clocks need to run at about the same rate: `SETTLE`
//! is a twentieth longer than `LEASE`.
//!
//! **Ending a lease early** (idle, stop, a new registration) invalidates everything that was
//! remembered under it, before the row changes; and nothing is remembered without a lease. A look-up
//! that has seen the old lease and goes on only now (its thread was not scheduled, say) finds its
//! generation gone.
//!
//! **Registration** and the raising of the epoch lock the same row, so a node that registers while a
//! key is being deleted either starts at the new epoch or is waited for.
//!
//! So the transaction that raises the epoch also reads which nodes there are: if all of them have
//! acknowledged when it commits, as where the only node is its own, there is nothing to wait for.
//!
//! **Acknowledgements are on the disk** before a lease is extended by them. One that a crash of the
//! database took back would let a deletion expel a node that still holds a lease, and the next deletion
//! would not find its row. (The API log and receipts may be written lazily, this not.)
//!
//! **Fills.** What a node reads from the database it remembers together with the epoch of the same
//! snapshot. A fill whose epoch is below the one that the node has applied is used for its own
//! request and not remembered: a slow read cannot bring a dead key back. Its own request was there
//! before the deletion answered, so it counts as accepted at the moment of the snapshot.
//!
//! **The deleting process's own node** need not be waited for. While the transaction holds the
//! epoch's row, and if its memory has applied and its row acknowledged every epoch before *e*, it
//! forgets what *e* invalidates and stores its acknowledgement in that same transaction: forgetting
//! comes before the acknowledgement as always, and between the two nothing that is older than *e* is
//! remembered. If the transaction fails, memory has forgotten too much and is ahead of the database,
//! or of the row: the next look registers anew, or catches up from the row's acknowledgement. Until
//! then the row, which the failed transaction did not change, keeps the node from acknowledging
//! ahead again.
//!
//! **A deletion that lost** against another one, or repeats one whose process was killed after the
//! commit, waits as well before it says so.
//!
//! **A database that went back** (a failover that lost the last commits, a restored copy) shows an
//! epoch below the one applied, or an acknowledgement older than the one given: the node forgets
//! everything, or what the epochs since that acknowledgement invalidated. A SQLite file that is moved
//! away or replaced while a process has it open is no database any more: every look at it fails, so the
//! leases end.
//!
//! **Without a lease** (database gone, node paused, node idle) every request reads the database; if
//! that fails, the request fails. After a pause the lease has ended by the monotonic clock, which
//! keeps counting while the process is stopped and, on Linux, while the machine sleeps. It can't know
//! that a virtual machine was halted from outside, to be moved for one: such a machine may go on with
//! what was left of its lease, less than [`LEASE`].
//!
//! The rules above are in [`protocol`], free of time and I/O; `tests/verification_model.rs` explores
//! all interleavings of exactly that code. [`node`] runs it, [`memory`] is what a node remembers,
//! [`settlement`] is the deleting side.

use std::time::Duration;

pub mod memory;
pub mod node;
pub mod protocol;
pub mod settlement;

pub use memory::{KeyEntry, Memory, OrgState};
pub use node::{Found, Node};
pub use protocol::{LEASE, SETTLE};
pub use settlement::{Raised, Receipt, settle};

/// How often a node that is in use renews its lease.
pub const RENEWAL: Duration = Duration::from_millis(250);

/// After how long without a request a node gives up its lease and its row.
pub const IDLE: Duration = Duration::from_secs(10);
