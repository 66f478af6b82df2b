//! Every interleaving of the rules in `verification::protocol`, explored exhaustively.
//!
//! The model runs the production `Lease` and `may_answer` on a small world: two nodes, two keys with
//! a deletion each, a clock of half seconds. Everything that can happen between two steps of the real
//! code is a step of its own here: a read is sent, its snapshot is taken, its answer arrives; the
//! clock moves at any point, so that every step can be arbitrarily slow, a paused process included;
//! every step that needs the database can fail.
//!
//! Nodes are alike, and so are keys: it is enough to watch whether the first node accepts the first
//! key. The other node matters by its row, the other key by its epoch.
//!
//! To show that the model can find mistakes, rules are broken one at a time (in the model, never in
//! the product) and each time a counterexample has to come out.

#![expect(
    clippy::print_stdout,
    reason = "the size of the explored world is a result"
)]

use std::time::Duration;

use headshot_app::verification::protocol::{Lease, Next, may_answer};
use headshot_app::verification::{LEASE, SETTLE};
use headshot_storage::auth::Observation;
use stateright::{Checker, HasDiscoveries, Model, Property};

/// One step of the clock. A lease holds for the step in which it begins and one more; a deletion
/// waits two.
const TICK: Duration = Duration::from_millis(500);
const FIRST_EPOCH: i64 = 1;

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// The lease counts from when the answer arrived, not from before the read was sent.
    LeaseFromReply,
    /// A fill is remembered whatever has been invalidated since.
    FillWithoutEpoch,
    /// A fill is remembered between two leases.
    FillWithoutLease,
    /// The lease is extended when memory has forgotten, before the acknowledgement is stored.
    LeaseBeforeAcknowledgement,
    /// The acknowledgement is stored before memory has forgotten.
    AcknowledgeBeforeForgetting,
    /// A deletion answers half a second after its commit, whoever is behind.
    AnswerEarly,
    /// A late node is expelled even when it has acknowledged meanwhile.
    ExpelAcknowledged,
    /// A lease that is ended early leaves what was remembered under it until the next registration.
    EndKeepsMemory,
    /// The deleting process's own node acknowledges ahead though it has not seen all epochs before.
    AheadOfOthers,
    /// It does so when memory alone says that it has: a transaction that failed may have said that.
    AheadByMemory,
    /// It acknowledges ahead and forgets after the commit.
    AheadForgetsLate,
}

/// How much world to explore.
#[derive(Debug, Clone)]
struct World {
    nodes: usize,
    deletions: usize,
    ticks: u32,
    /// The keys from this one on may also be deleted by the first node's own process.
    here_from: usize,
    mistake: Option<Mistake>,
}

/// What a node's own loop is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Task {
    /// Nothing: it was never started, or something failed.
    Off,
    /// The registration is sent.
    Registering { sent_at: u32 },
    /// It is committed, the answer is under way.
    Registered { sent_at: u32, epoch: i64 },
    /// The lease is held until the next look.
    Waiting,
    /// A look is sent.
    Looking { sent_at: u32 },
    /// Its snapshot is taken, the answer is under way.
    Looked {
        sent_at: u32,
        epoch: i64,
        acked: Option<i64>,
    },
    /// What the epochs up to this one deleted is forgotten, the acknowledgement is sent.
    Acknowledging { sent_at: u32, epoch: i64 },
    /// It is stored or found no row, the answer is under way.
    Acknowledged {
        sent_at: u32,
        epoch: i64,
        known: bool,
    },
    /// The lease is ended, the removal of the row is sent.
    Leaving,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    task: Task,
    lease: Lease,
    /// Keys that are remembered as alive.
    memory: Vec<bool>,
    /// A read of a living key: its number and the epoch of the snapshot.
    fill: Option<(usize, i64)>,
    /// A look-up in memory that has read the lease: the key, and until when the lease is good.
    find: Option<(usize, Duration)>,
}

/// How far the deletion of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Deletion {
    NotYet,
    /// A transaction of the process whose node is the first one holds the epoch's row. `ahead`: that
    /// node has forgotten the key, and its acknowledgement is part of the transaction.
    Open {
        ahead: bool,
    },
    /// Committed at this moment. (The real one counts from when it learned that, which is later.)
    Settling {
        epoch: i64,
        since: u32,
    },
    /// The caller has the answer. Late nodes may still have to be expelled.
    Answered {
        epoch: i64,
        early: bool,
        late: u8,
    },
}

impl Deletion {
    fn epoch(self) -> Option<i64> {
        match self {
            Self::NotYet | Self::Open { .. } => None,
            Self::Settling { epoch, .. } | Self::Answered { epoch, .. } => Some(epoch),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    now: u32,
    epoch: i64,
    /// The epoch that each node's row acknowledges.
    rows: Vec<Option<i64>>,
    nodes: Vec<Node>,
    /// One for each key.
    deletions: Vec<Deletion>,
    /// A key was accepted from memory after its deletion had answered.
    broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Tick,
    /// The next step of a node's loop.
    Go(usize),
    /// The step that needs the database fails, or its answer is lost.
    Fail(usize),
    /// The node gives up its row.
    Leave(usize),
    /// A read of a key takes its snapshot.
    BeginFill(usize, usize),
    EndFill(usize),
    /// A look-up of a key reads the lease.
    BeginFind(usize, usize),
    EndFind(usize),
    /// The next step of a deletion.
    Delete(usize),
    /// The first node's own process begins a deletion, and prepares its commit.
    DeleteHere(usize),
    /// Its transaction fails.
    RollBack(usize),
    /// The database does not answer the deletion.
    DeleteBlind(usize),
    /// The deletion removes late nodes' rows.
    Expel(usize),
}

fn at(ticks: u32) -> Duration {
    TICK * ticks
}

impl State {
    fn key_is_alive(&self, key: usize) -> bool {
        matches!(
            self.deletions[key],
            Deletion::NotYet | Deletion::Open { .. }
        )
    }

    /// Whether a transaction holds the epoch's row.
    fn is_locked(&self) -> bool {
        let open = |deletion: &Deletion| matches!(deletion, Deletion::Open { .. });
        self.deletions.iter().any(open)
    }

    /// The key that the look-up under way at `node` would accept now.
    fn would_accept(&self, node: &Node) -> Option<usize> {
        let (key, until) = node.find?;
        (node.memory[key] && at(self.now) < until).then_some(key)
    }

    fn end_lease(&mut self, node: usize, mistake: Option<Mistake>) {
        self.nodes[node].lease.end();
        if mistake != Some(Mistake::EndKeepsMemory) {
            self.nodes[node].memory.fill(false);
        }
    }

    /// The next step of a node's loop: `Node::serve` cut at every wait.
    fn go(&mut self, node: usize, mistake: Option<Mistake>) {
        let now = self.now;
        let counted_from = |sent_at: u32| match mistake {
            Some(Mistake::LeaseFromReply) => at(now),
            _ => at(sent_at),
        };
        self.nodes[node].task = match self.nodes[node].task {
            Task::Off => {
                self.end_lease(node, mistake);
                Task::Registering { sent_at: now }
            }
            Task::Registering { sent_at } => {
                let epoch = self.epoch;
                self.rows[node] = Some(epoch);
                Task::Registered { sent_at, epoch }
            }
            Task::Registered { sent_at, epoch } => {
                let node = &mut self.nodes[node];
                if mistake.is_some() {
                    node.memory.fill(false);
                }
                node.lease.registered(counted_from(sent_at), epoch);
                Task::Waiting
            }
            Task::Waiting => Task::Looking { sent_at: now },
            Task::Looking { sent_at } => Task::Looked {
                sent_at,
                epoch: self.epoch,
                acked: self.rows[node],
            },
            Task::Looked {
                sent_at,
                epoch,
                acked,
            } => {
                let seen = Observation { epoch, acked };
                let lease = &mut self.nodes[node].lease;
                match lease.observed(counted_from(sent_at), seen) {
                    Next::Serve => Task::Waiting,
                    Next::CatchUp { applied, epoch } => {
                        self.catch_up(node, (applied, epoch), sent_at, mistake);
                        Task::Acknowledging { sent_at, epoch }
                    }
                    Next::Register => Task::Off,
                }
            }
            Task::Acknowledging { sent_at, epoch } => {
                let known = self.acknowledge(node, epoch);
                Task::Acknowledged {
                    sent_at,
                    epoch,
                    known,
                }
            }
            Task::Acknowledged {
                sent_at,
                epoch,
                known,
            } => {
                if mistake == Some(Mistake::AcknowledgeBeforeForgetting) {
                    self.forget(node, FIRST_EPOCH, epoch);
                }
                let lease = &mut self.nodes[node].lease;
                lease.acknowledged(counted_from(sent_at), epoch, known);
                Task::Waiting
            }
            Task::Leaving => {
                self.rows[node] = None;
                Task::Off
            }
        };
    }

    fn catch_up(
        &mut self,
        node: usize,
        (applied, epoch): (i64, i64),
        sent_at: u32,
        mistake: Option<Mistake>,
    ) {
        if mistake != Some(Mistake::AcknowledgeBeforeForgetting) {
            self.forget(node, applied, epoch);
        }
        if mistake == Some(Mistake::LeaseBeforeAcknowledgement) {
            let lease = &mut self.nodes[node].lease;
            lease.acknowledged(at(sent_at), epoch, true);
        }
    }

    fn forget(&mut self, node: usize, applied: i64, epoch: i64) {
        let node = &mut self.nodes[node];
        for (remembered, deletion) in node.memory.iter_mut().zip(&self.deletions) {
            let among = |of: i64| of > applied && of <= epoch;
            *remembered &= !deletion.epoch().is_some_and(among);
        }
        node.lease.caught_up(epoch);
    }

    fn acknowledge(&mut self, node: usize, epoch: i64) -> bool {
        let row = &mut self.rows[node];
        *row = row.and(Some(epoch));
        row.is_some()
    }

    fn end_fill(&mut self, node: usize, mistake: Option<Mistake>) -> Option<()> {
        let node = &mut self.nodes[node];
        let (key, epoch) = node.fill.take()?;
        let may_remember = match mistake {
            Some(Mistake::FillWithoutEpoch) => node.lease.until().is_some(),
            Some(Mistake::FillWithoutLease) => epoch >= node.lease.applied(),
            _ => node.lease.may_remember(epoch),
        };
        node.memory[key] |= may_remember;
        Some(())
    }

    /// The next step of a deletion: `keys::delete` and `settle` cut at every wait.
    fn delete(&mut self, key: usize, blind: bool, mistake: Option<Mistake>) {
        self.deletions[key] = match self.deletions[key] {
            Deletion::NotYet => {
                self.epoch += 1;
                Deletion::Settling {
                    epoch: self.epoch,
                    since: self.now,
                }
            }
            Deletion::Settling { epoch, since } => {
                let behind = self.behind(epoch);
                let waiting = if blind { 1 } else { behind.count_ones() };
                self.answer((epoch, since), (behind, waiting as usize), mistake)
            }
            Deletion::Open { ahead } => {
                self.epoch += 1;
                let epoch = self.epoch;
                if ahead {
                    self.acknowledge(0, epoch);
                    if mistake == Some(Mistake::AheadForgetsLate) {
                        self.nodes[0].lease.caught_up(epoch);
                    }
                }
                Deletion::Settling {
                    epoch,
                    since: self.now,
                }
            }
            answered @ Deletion::Answered { .. } => answered,
        };
    }

    /// `Node::acknowledge_ahead`: what comes before the commit.
    fn delete_here(&mut self, key: usize, mistake: Option<Mistake>) {
        let epoch = self.epoch + 1;
        let node = &mut self.nodes[0];
        let acknowledged = self.rows[0] == Some(self.epoch);
        let ahead = match mistake {
            Some(Mistake::AheadOfOthers) => node.lease.until().is_some(),
            Some(Mistake::AheadByMemory) => node.lease.is_next(epoch),
            _ => acknowledged && node.lease.is_next(epoch),
        };
        if ahead && mistake != Some(Mistake::AheadForgetsLate) {
            node.memory[key] = false;
            node.lease.caught_up(epoch);
        }
        self.deletions[key] = Deletion::Open { ahead };
    }

    fn behind(&self, epoch: i64) -> u8 {
        let behind = |acked: &Option<i64>| acked.is_some_and(|acked| acked < epoch);
        let bits = (0..).zip(&self.rows);
        bits.fold(0, |bits, (node, acked)| {
            bits | (u8::from(behind(acked)) << node)
        })
    }

    fn answer(
        &self,
        (epoch, since): (i64, u32),
        (late, waiting): (u8, usize),
        mistake: Option<Mistake>,
    ) -> Deletion {
        let mut waited = at(self.now - since);
        if mistake == Some(Mistake::AnswerEarly) && waited >= TICK {
            waited = SETTLE;
        }
        if may_answer(waiting, waited) {
            let acknowledged = self.rows.iter().flatten().any(|acked| *acked >= epoch);
            let early = waiting == 0 && acknowledged && waited < SETTLE;
            Deletion::Answered { epoch, early, late }
        } else {
            Deletion::Settling { epoch, since }
        }
    }

    fn expel(&mut self, key: usize, mistake: Option<Mistake>) {
        if let Deletion::Answered { epoch, late, .. } = &mut self.deletions[key] {
            for (node, row) in self.rows.iter_mut().enumerate() {
                let was_late = *late & (1 << node) != 0;
                let is_late = row.is_some_and(|acked| acked < *epoch);
                if was_late && (is_late || mistake == Some(Mistake::ExpelAcknowledged)) {
                    *row = None;
                }
            }
            *late = 0;
        }
    }
}

const PROMISE: &str = "no key is accepted after its deletion answered";

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let node = Node {
            task: Task::Off,
            lease: Lease::default(),
            memory: vec![false; self.deletions],
            fill: None,
            find: None,
        };
        vec![State {
            now: 0,
            epoch: FIRST_EPOCH,
            rows: vec![None; self.nodes],
            nodes: vec![node; self.nodes],
            deletions: vec![Deletion::NotYet; self.deletions],
            broken: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.now < self.ticks {
            steps.push(Step::Tick);
        }
        let locked = state.is_locked();
        for (n, node) in state.nodes.iter().enumerate() {
            // A registration locks the epoch's row as well.
            if !(locked && matches!(node.task, Task::Registering { .. })) {
                steps.push(Step::Go(n));
            }
            match node.task {
                Task::Off => {}
                Task::Waiting => steps.push(Step::Leave(n)),
                _ => steps.push(Step::Fail(n)),
            }
            if n == 0 && node.fill.is_none() && state.key_is_alive(0) && !node.memory[0] {
                steps.push(Step::BeginFill(n, 0));
            }
            if n == 0 && node.find.is_none() && node.lease.is_good(at(state.now)) {
                steps.push(Step::BeginFind(n, 0));
            }
            if node.fill.is_some() {
                steps.push(Step::EndFill(n));
            }
            if node.find.is_some() {
                steps.push(Step::EndFind(n));
            }
        }
        for (key, deletion) in state.deletions.iter().enumerate() {
            match deletion {
                Deletion::Answered { late: 0, .. } => {}
                Deletion::Answered { .. } => steps.push(Step::Expel(key)),
                Deletion::Settling { .. } => {
                    steps.extend([Step::Delete(key), Step::DeleteBlind(key)]);
                }
                Deletion::NotYet if locked => {}
                Deletion::NotYet => {
                    steps.push(Step::Delete(key));
                    if key >= self.here_from {
                        steps.push(Step::DeleteHere(key));
                    }
                }
                Deletion::Open { .. } => steps.extend([Step::Delete(key), Step::RollBack(key)]),
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Tick => {
                state.now += 1;
                let now = at(state.now);
                // A look-up whose lease is over will not accept, whatever happens.
                for node in &mut state.nodes {
                    node.find = node.find.filter(|(_, until)| now < *until);
                }
            }
            Step::Go(node) => state.go(node, self.mistake),
            Step::Fail(node) => state.nodes[node].task = Task::Off,
            Step::Leave(node) => {
                state.end_lease(node, self.mistake);
                state.nodes[node].task = Task::Leaving;
            }
            Step::BeginFill(node, key) => state.nodes[node].fill = Some((key, state.epoch)),
            Step::EndFill(node) => state.end_fill(node, self.mistake)?,
            Step::BeginFind(node, key) => {
                let until = state.nodes[node].lease.until()?;
                state.nodes[node].find = Some((key, until));
            }
            Step::EndFind(node) => {
                if let Some(key) = state.would_accept(&state.nodes[node]) {
                    state.broken |= matches!(state.deletions[key], Deletion::Answered { .. });
                }
                state.nodes[node].find = None;
            }
            Step::Delete(key) => state.delete(key, false, self.mistake),
            Step::DeleteHere(key) => state.delete_here(key, self.mistake),
            Step::RollBack(key) => state.deletions[key] = Deletion::NotYet,
            Step::DeleteBlind(key) => state.delete(key, true, self.mistake),
            Step::Expel(key) => state.expel(key, self.mistake),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISE, |_, state: &State| !state.broken),
            Property::sometimes("a node serves from memory", |_, state: &State| {
                let serves = |node| state.would_accept(node).is_some();
                state.nodes.iter().any(serves)
            }),
            Property::sometimes("it does so after the commit", |_, state: &State| {
                let dead = |key: usize| !state.key_is_alive(key);
                let serves = |node| state.would_accept(node).is_some_and(dead);
                state.nodes.iter().any(serves)
            }),
            Property::sometimes("acknowledgements end a wait early", |_, state: &State| {
                let early = |d: &Deletion| matches!(d, Deletion::Answered { early: true, .. });
                state.deletions.iter().any(early)
            }),
            Property::sometimes(
                "a node is never behind its own deletion",
                |_, state: &State| {
                    let settling = |d: &Deletion| matches!(d, Deletion::Settling { epoch, .. } if state.behind(*epoch) == 0);
                    state.nodes[0].task == Task::Waiting
                        && state.nodes[0].lease.is_good(at(state.now))
                        && state.rows[0].is_some()
                        && state.deletions.iter().any(settling)
                },
            ),
            Property::sometimes("time ends a wait", |_, state: &State| {
                let late = |d: &Deletion| matches!(d, Deletion::Answered { late: 1.., .. });
                state.deletions.iter().any(late)
            }),
            Property::sometimes("a fill is thrown away", |_, state: &State| {
                state.nodes.iter().any(|node| {
                    let stale = |(_, epoch)| epoch < node.lease.applied();
                    node.lease.is_good(at(state.now)) && node.fill.is_some_and(stale)
                })
            }),
        ]
    }
}

fn explore(nodes: usize, deletions: usize, ticks: u32, here_from: usize) {
    let world = World {
        nodes,
        deletions,
        ticks,
        here_from,
        mistake: None,
    };
    let checker = world.clone().checker().threads(2).spawn_bfs().join();
    println!(
        "{nodes} nodes, {deletions} deletions, {ticks} ticks: {} states, up to {} steps",
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

fn catches(mistake: Mistake) {
    let world = World {
        nodes: 1,
        deletions: 2,
        ticks: 3,
        here_from: 0,
        mistake: Some(mistake),
    };
    let checker = world
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let path = checker.assert_any_discovery(PROMISE);
    println!("{mistake:?}: {:?}", path.into_actions());
}

#[test]
fn the_clock_of_the_model_tells_the_lease_from_the_wait() {
    assert!(TICK < LEASE && LEASE < 2 * TICK);
    assert!(TICK < SETTLE && SETTLE <= 2 * TICK);
}

#[test]
fn one_node_and_two_deletions_keep_the_promise() {
    explore(1, 2, 4, 0);
}

#[test]
fn two_nodes_and_one_deletion_keep_the_promise() {
    explore(2, 1, 3, 0);
}

#[test]
fn two_nodes_and_two_deletions_keep_the_promise() {
    // The first key's deletion is another process's: with both, the world is three times as large.
    explore(2, 2, 2, 1);
}

#[test]
fn the_model_catches_a_lease_that_counts_from_the_reply() {
    catches(Mistake::LeaseFromReply);
}

#[test]
fn the_model_catches_a_fill_without_the_epoch_check() {
    catches(Mistake::FillWithoutEpoch);
}

#[test]
fn the_model_catches_a_fill_between_two_leases() {
    catches(Mistake::FillWithoutLease);
}

#[test]
fn the_model_catches_a_lease_extended_before_the_acknowledgement() {
    catches(Mistake::LeaseBeforeAcknowledgement);
}

#[test]
fn the_model_catches_an_acknowledgement_before_forgetting() {
    catches(Mistake::AcknowledgeBeforeForgetting);
}

#[test]
fn the_model_catches_a_deletion_that_answers_early() {
    catches(Mistake::AnswerEarly);
}

#[test]
fn the_model_catches_an_expulsion_of_a_node_that_acknowledged() {
    catches(Mistake::ExpelAcknowledged);
}

#[test]
fn the_model_catches_an_acknowledgement_ahead_that_passes_over_others() {
    catches(Mistake::AheadOfOthers);
}

#[test]
fn the_model_catches_an_acknowledgement_ahead_after_a_failed_one() {
    catches(Mistake::AheadByMemory);
}

#[test]
fn the_model_catches_an_acknowledgement_ahead_of_forgetting() {
    catches(Mistake::AheadForgetsLate);
}

#[test]
fn the_model_catches_a_lease_that_ends_but_leaves_its_memory() {
    catches(Mistake::EndKeepsMemory);
}
