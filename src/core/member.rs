//! One member of a consumer group: which partitions are ours, under which epoch, what is committed, and how they leave.
//!
//! ```text
//! Assigned ─► resolving ─Positions─► running ─Revoked, Shutdown─► draining ─Drained─► final commit ─► gone
//!                 │                     └──────────────Lost (no commit)──────────────────────────────►
//!                 └─ stopped (no position that may be used)
//! ```
//!
//! - Every rebalance is answered: `Assigned` by an [`Action::Assign`] at once, empty while the positions are being
//!   read, so that a slow or stuck read never holds up the group; the partitions follow in later incremental assigns.
//!   `Revoked` and `Lost` by one [`Action::Unassign`] each, of exactly the partitions named there, those included
//!   that were never assigned.
//! - A partition that is being revoked drains while the others go on. Its lane has until `drain_timeout` less a share
//!   for the final commit, is then abandoned, and the partition is given back at `drain_timeout` in any case.
//! - One commit per partition is under way at a time, so an older one never lands on a newer one. Failures are driven
//!   again from the frontier, after a backoff, for as long as the partition is ours.
//! - A position is read only after the partition was assigned, and an answer to an earlier question is ignored: it
//!   could be older than what the previous owner committed.
use std::collections::{BTreeMap, BTreeSet};

use super::start::{self, Start, StartFault};
use super::{Epoch, Millis, Tp};

/// Times of a member.
#[derive(Debug, Clone, Copy)]
pub struct MemberConfig {
    /// Between two commits.
    pub commit_interval: Millis,
    /// From a revoke or a shutdown until the partition is given back.
    pub drain_timeout: Millis,
}

/// Number of a commit request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch(pub u64);

/// Number of a request for positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request(pub u64);

/// One partition of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitEntry {
    /// The partition.
    pub tp: Tp,
    /// Next offset to read.
    pub offset: i64,
    /// Partitions the group knows: [`start::metadata`] of it goes along.
    pub partitions: Option<u32>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The group gave us partitions, possibly none.
    Assigned(Vec<Tp>),
    /// Answer to [`Action::ResolvePositions`], from [`start::resolve`].
    Positions {
        /// The request that is answered.
        request: Request,
        /// Initial positions to be committed, if the first start is ours to make.
        initial: Vec<(Tp, Start)>,
        /// One per partition.
        positions: Vec<(Tp, Result<Start, StartFault>)>,
    },
    /// The group wants partitions back.
    Revoked(Vec<Tp>),
    /// The group has given partitions away already.
    Lost(Vec<Tp>),
    /// Answer to [`Action::DrainLane`] and [`Action::AbandonLane`], the last word of a lane.
    Drained {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Its last frontier.
        frontier: i64,
        /// Records that were taken and not done.
        released: u64,
    },
    /// A lane's frontier moved.
    Frontier {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Next offset to read.
        offset: i64,
    },
    /// Answer to [`Action::Commit`], for each partition. A partition that is missing counts as failed.
    CommitAnswer {
        /// The request that is answered.
        batch: Batch,
        /// Whether the position was committed.
        results: Vec<(Tp, bool)>,
    },
    /// Time went by. Expected several times a second.
    Tick,
    /// Drain everything, then [`Action::Done`].
    Shutdown,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read committed positions and watermarks (elsewhere), answer with [`Event::Positions`].
    ResolvePositions(Request, Vec<Tp>),
    /// Incremental assign. Must be called with an empty list too.
    Assign(Vec<(Tp, i64, Epoch)>),
    /// Open a lane. Comes before the partition is assigned.
    OpenLane {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Offset of the first record at the earliest.
        offset: i64,
    },
    /// Process nothing new, wait for what is under way, answer with [`Event::Drained`], close the lane.
    DrainLane {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
    },
    /// Wait for nothing, answer with [`Event::Drained`], close the lane. May come for a lane that is closed.
    AbandonLane {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
    },
    /// Commit, answer with [`Event::CommitAnswer`].
    Commit(Batch, Vec<CommitEntry>),
    /// Incremental unassign, the answer to [`Event::Revoked`] and [`Event::Lost`]: the same partitions. Must be called
    /// with an empty list too.
    Unassign(Vec<Tp>),
    /// The partition has no position that may be used. It is ours and stands still.
    Stopped(Tp, StartFault),
    /// The shutdown is complete. What was left behind; empty if nothing was.
    Done(Vec<Leftover>),
}

/// What a shutdown left behind for the next owner: it will see these records again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// The partition.
    pub tp: Tp,
    /// Records taken and not done; `None` if the lane did not answer in time.
    pub records: Option<u64>,
    /// The frontier, if it could not be committed.
    pub uncommitted: Option<i64>,
}

/// How a partition stands, for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Ours; its position is being read. Why not yet, after the first answer.
    Resolving(Option<StartFault>),
    /// Ours, without a position that may be used.
    Stopped(StartFault),
    /// Flowing.
    Running(Positions),
    /// On its way out.
    Draining(Positions),
}

/// Positions of a partition under one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    /// The assignment.
    pub epoch: Epoch,
    /// Next offset to read, every record before it done.
    pub frontier: i64,
    /// The last position that the broker confirmed.
    pub committed: i64,
}

/// The member. Feed it events, carry out its actions in order.
#[derive(Debug)]
pub struct Member {
    config: MemberConfig,
    partitions: BTreeMap<Tp, State>,
    /// Rebalances that wait for their unassign: the partitions they name.
    revocations: Vec<Vec<Tp>>,
    /// Commits of initial positions under way, with their topics.
    bootstraps: BTreeMap<Batch, BTreeSet<u16>>,
    next_epoch: u32,
    next_number: u64,
    commit_at: Millis,
    shutdown: Option<Vec<Leftover>>,
    is_done: bool,
}

#[derive(Debug)]
enum State {
    Resolving(Resolving),
    Stopped(StartFault),
    Active(Active),
}

#[derive(Debug, Default)]
struct Resolving {
    /// The question that is open. Without one, the next is due at `ask_at`.
    asked: Option<Request>,
    ask_at: Millis,
    attempts: u32,
    fault: Option<StartFault>,
}

#[derive(Debug)]
struct Active {
    positions: Positions,
    partitions: Option<u32>,
    in_flight: Option<(Batch, i64)>,
    failures: u32,
    /// No commit before this.
    retry_at: Millis,
    leaving: Option<Leaving>,
}

#[derive(Debug)]
struct Leaving {
    abandon_at: Millis,
    leave_at: Millis,
    is_abandoned: bool,
    /// The lane's last word: records released.
    released: Option<u64>,
    /// Assigned again before it had left.
    is_wanted_again: bool,
}

const COMMIT_RETRY_MAX: Millis = Millis(30_000);
const FINAL_COMMIT_SHARE_MAX: u64 = 5_000;

impl Member {
    /// A member that owns nothing.
    pub fn new(config: MemberConfig) -> Member {
        Member {
            config,
            partitions: BTreeMap::new(),
            revocations: Vec::new(),
            bootstraps: BTreeMap::new(),
            next_epoch: 1,
            next_number: 1,
            commit_at: Millis(0),
            shutdown: None,
            is_done: false,
        }
    }

    /// The epoch under which records of `tp` are taken. `None`: they are dropped, they come again or belong to others.
    pub fn accepts(&self, tp: Tp) -> Option<Epoch> {
        match self.partitions.get(&tp) {
            Some(State::Active(active)) if active.leaving.is_none() => Some(active.positions.epoch),
            _ => None,
        }
    }

    /// Whether [`Action::Done`] was given.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Every partition that the group gave us and that has not left.
    pub fn standings(&self) -> impl Iterator<Item = (Tp, Standing)> {
        self.partitions.iter().map(|(tp, state)| {
            let standing = match state {
                State::Resolving(resolving) => Standing::Resolving(resolving.fault.clone()),
                State::Stopped(fault) => Standing::Stopped(fault.clone()),
                State::Active(active) if active.leaving.is_none() => {
                    Standing::Running(active.positions)
                }
                State::Active(active) => Standing::Draining(active.positions),
            };
            (*tp, standing)
        })
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Millis, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Assigned(tps) => self.assigned(tps, actions),
            Event::Positions {
                request,
                initial,
                positions,
            } => {
                self.bootstrap(request, initial, actions);
                self.resolved(now, request, positions, actions);
            }
            Event::Revoked(tps) => self.revoked(now, tps, actions),
            Event::Lost(tps) => self.lost(tps, actions),
            Event::Drained {
                tp,
                epoch,
                frontier,
                released,
            } => self.drained(tp, epoch, frontier, released),
            Event::Frontier { tp, epoch, offset } => self.frontier(tp, epoch, offset),
            Event::CommitAnswer { batch, results } => self.commit_answer(now, batch, &results),
            Event::Tick => {}
            Event::Shutdown => self.begin_shutdown(now, actions),
        }
        self.abandon_late_lanes(now, actions);
        self.commit(now, actions);
        self.finish_revocations(now, actions);
        self.finish_shutdown(now, actions);
        self.ask_positions(now, actions);
    }

    fn assigned(&mut self, tps: Vec<Tp>, actions: &mut Vec<Action>) {
        actions.push(Action::Assign(Vec::new()));
        if self.shutdown.is_some() {
            return;
        }
        for tp in tps {
            match self.partitions.get_mut(&tp) {
                None => drop(
                    self.partitions
                        .insert(tp, State::Resolving(Resolving::default())),
                ),
                Some(State::Active(Active {
                    leaving: Some(leaving),
                    ..
                })) => leaving.is_wanted_again = true,
                Some(_) => {}
            }
        }
    }

    fn bootstrap(
        &mut self,
        request: Request,
        initial: Vec<(Tp, Start)>,
        actions: &mut Vec<Action>,
    ) {
        // While a first start is under way there is no second one: it could land on what others committed meanwhile.
        let is_due = |topic| {
            let is_under_way = self
                .bootstraps
                .values()
                .any(|topics| topics.contains(&topic));
            let first = self.partitions.get(&Tp {
                topic,
                partition: 0,
            });
            let asked = matches!(first, Some(State::Resolving(resolving)) if resolving.asked == Some(request));
            asked && !is_under_way
        };
        let entries: Vec<_> = initial
            .into_iter()
            .filter(|(tp, _)| is_due(tp.topic))
            .collect();
        if entries.is_empty() {
            return;
        }
        let batch = Batch(self.number());
        let topics: BTreeSet<u16> = entries.iter().map(|(tp, _)| tp.topic).collect();
        for (tp, state) in &mut self.partitions {
            if let State::Resolving(resolving) = state
                && topics.contains(&tp.topic)
            {
                // Asked again when the commit is answered.
                let (ask_at, fault) = (Millis(u64::MAX), Some(StartFault::Waiting));
                *resolving = Resolving {
                    ask_at,
                    fault,
                    ..Resolving::default()
                };
            }
        }
        self.bootstraps.insert(batch, topics);
        let entry = |(tp, Start { offset, partitions })| CommitEntry {
            tp,
            offset,
            partitions,
        };
        actions.push(Action::Commit(
            batch,
            entries.into_iter().map(entry).collect(),
        ));
    }

    fn resolved(
        &mut self,
        now: Millis,
        request: Request,
        positions: Vec<(Tp, Result<Start, StartFault>)>,
        actions: &mut Vec<Action>,
    ) {
        let mut assign = Vec::new();
        for (tp, position) in positions {
            let Some(state) = self.partitions.get_mut(&tp) else {
                continue;
            };
            let State::Resolving(resolving) = state else {
                continue;
            };
            if resolving.asked != Some(request) {
                continue;
            }
            match position {
                Ok(Start { offset, partitions }) => {
                    let epoch = Epoch(self.next_epoch);
                    self.next_epoch += 1;
                    let positions = Positions {
                        epoch,
                        frontier: offset,
                        committed: offset,
                    };
                    *state = State::Active(Active::new(positions, partitions));
                    actions.push(Action::OpenLane { tp, epoch, offset });
                    assign.push((tp, offset, epoch));
                }
                Err(fault) if fault.is_final() => {
                    *state = State::Stopped(fault.clone());
                    actions.push(Action::Stopped(tp, fault));
                }
                Err(fault) => resolving.try_later(now, fault),
            }
        }
        for state in self.partitions.values_mut() {
            if let State::Resolving(resolving) = state
                && resolving.asked == Some(request)
            {
                let fault = "the answer does not name the partition".to_owned();
                resolving.try_later(now, StartFault::Unreadable(fault));
            }
        }
        if !assign.is_empty() {
            actions.push(Action::Assign(assign));
        }
    }

    fn revoked(&mut self, now: Millis, tps: Vec<Tp>, actions: &mut Vec<Action>) {
        let config = self.config;
        for tp in &tps {
            match self.partitions.get_mut(tp) {
                None => {}
                Some(State::Active(active)) => active.leave(*tp, now, config, actions),
                Some(_) => drop(self.partitions.remove(tp)),
            }
        }
        self.revocations.push(tps);
    }

    fn lost(&mut self, tps: Vec<Tp>, actions: &mut Vec<Action>) {
        for tp in &tps {
            let Some(State::Active(active)) = self.partitions.remove(tp) else {
                continue;
            };
            let last_word = active.leaving.as_ref().and_then(|leaving| leaving.released);
            if last_word.is_none() {
                actions.push(Action::AbandonLane {
                    tp: *tp,
                    epoch: active.positions.epoch,
                });
            }
            self.leave_behind(*tp, &active);
        }
        actions.push(Action::Unassign(tps));
    }

    fn drained(&mut self, tp: Tp, epoch: Epoch, frontier: i64, records: u64) {
        self.frontier(tp, epoch, frontier);
        if let Some(active) = self.active(tp, epoch)
            && let Some(leaving) = &mut active.leaving
        {
            leaving.released = Some(records);
            active.retry_at = Millis(0);
        }
    }

    fn frontier(&mut self, tp: Tp, epoch: Epoch, offset: i64) {
        if let Some(active) = self.active(tp, epoch) {
            active.positions.frontier = active.positions.frontier.max(offset);
        }
    }

    fn commit_answer(&mut self, now: Millis, batch: Batch, results: &[(Tp, bool)]) {
        if let Some(topics) = self.bootstraps.remove(&batch) {
            // Read again in any case: a commit that failed may have been applied all the same.
            for (tp, state) in &mut self.partitions {
                if let State::Resolving(resolving) = state
                    && topics.contains(&tp.topic)
                    && resolving.asked.is_none()
                {
                    resolving.ask_at = now;
                }
            }
            return;
        }
        for (tp, state) in &mut self.partitions {
            let State::Active(active) = state else {
                continue;
            };
            let Some((_, offset)) = active
                .in_flight
                .take_if(|(in_flight, _)| *in_flight == batch)
            else {
                continue;
            };
            if results.contains(&(*tp, true)) {
                active.positions.committed = offset;
                active.failures = 0;
            } else {
                let wait = doubled(
                    self.config.commit_interval,
                    active.failures,
                    COMMIT_RETRY_MAX,
                );
                active.failures = active.failures.saturating_add(1);
                // On the way out there is no time to be patient.
                let wait = if active.leaving.is_some() {
                    wait.min(self.config.commit_interval)
                } else {
                    wait
                };
                active.retry_at = now.after(wait);
            }
        }
    }

    fn begin_shutdown(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.shutdown.is_some() {
            return;
        }
        self.shutdown = Some(Vec::new());
        let config = self.config;
        self.partitions.retain(|tp, state| match state {
            State::Active(active) => {
                active.leave(*tp, now, config, actions);
                true
            }
            _ => false,
        });
    }

    fn abandon_late_lanes(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for (tp, state) in &mut self.partitions {
            let State::Active(Active {
                leaving: Some(leaving),
                positions,
                ..
            }) = state
            else {
                continue;
            };
            if leaving.released.is_none() && !leaving.is_abandoned && now >= leaving.abandon_at {
                leaving.is_abandoned = true;
                actions.push(Action::AbandonLane {
                    tp: *tp,
                    epoch: positions.epoch,
                });
            }
        }
    }

    /// Commits what moved: about every interval, and at once for what waits for nothing but its final commit.
    fn commit(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let is_time = now >= self.commit_at;
        let mut entries = Vec::new();
        let batch = Batch(self.next_number);
        for (tp, state) in &mut self.partitions {
            let State::Active(active) = state else {
                continue;
            };
            let is_last = active
                .leaving
                .as_ref()
                .is_some_and(|leaving| leaving.released.is_some());
            let Positions {
                frontier,
                committed,
                ..
            } = active.positions;
            if frontier > committed
                && active.in_flight.is_none()
                && now >= active.retry_at
                && (is_time || is_last)
            {
                active.in_flight = Some((batch, frontier));
                entries.push(CommitEntry {
                    tp: *tp,
                    offset: frontier,
                    partitions: active.partitions,
                });
            }
        }
        if is_time {
            self.commit_at = now.after(self.config.commit_interval);
        }
        if !entries.is_empty() {
            self.number();
            actions.push(Action::Commit(batch, entries));
        }
    }

    fn finish_revocations(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for tps in std::mem::take(&mut self.revocations) {
            if !tps.iter().all(|tp| self.may_leave(*tp, now)) {
                self.revocations.push(tps);
                continue;
            }
            for tp in &tps {
                self.left(*tp);
            }
            actions.push(Action::Unassign(tps));
        }
    }

    fn left(&mut self, tp: Tp) {
        let Some(State::Active(Active {
            leaving: Some(leaving),
            ..
        })) = self.partitions.get(&tp)
        else {
            return;
        };
        let is_wanted_again = leaving.is_wanted_again && self.shutdown.is_none();
        if let Some(State::Active(active)) = self.partitions.remove(&tp) {
            self.leave_behind(tp, &active);
        }
        if is_wanted_again {
            self.partitions
                .insert(tp, State::Resolving(Resolving::default()));
        }
    }

    fn finish_shutdown(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let is_complete = self.revocations.is_empty()
            && self.partitions.keys().all(|tp| self.may_leave(*tp, now));
        if self.shutdown.is_none() || self.is_done || !is_complete {
            return;
        }
        let partitions = std::mem::take(&mut self.partitions);
        for (tp, state) in &partitions {
            if let State::Active(active) = state {
                self.leave_behind(*tp, active);
            }
        }
        self.is_done = true;
        actions.push(Action::Done(self.shutdown.clone().unwrap_or_default()));
    }

    fn ask_positions(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let request = Request(self.next_number);
        let mut tps = Vec::new();
        for (tp, state) in &mut self.partitions {
            if let State::Resolving(resolving) = state
                && resolving.asked.is_none()
                && now >= resolving.ask_at
            {
                resolving.asked = Some(request);
                tps.push(*tp);
            }
        }
        if !tps.is_empty() {
            self.number();
            actions.push(Action::ResolvePositions(request, tps));
        }
    }

    /// Nothing holds the partition any more: its lane has answered, its frontier is committed, or time is up.
    fn may_leave(&self, tp: Tp, now: Millis) -> bool {
        let Some(State::Active(active)) = self.partitions.get(&tp) else {
            return true;
        };
        let Some(leaving) = &active.leaving else {
            return true;
        };
        let is_settled =
            active.in_flight.is_none() && active.positions.frontier == active.positions.committed;
        (leaving.released.is_some() && is_settled) || now >= leaving.leave_at
    }

    /// Remembers what a partition leaves undone, if we are shutting down.
    fn leave_behind(&mut self, tp: Tp, active: &Active) {
        let Some(leftovers) = &mut self.shutdown else {
            return;
        };
        let records = active.leaving.as_ref().and_then(|leaving| leaving.released);
        let Positions {
            frontier,
            committed,
            ..
        } = active.positions;
        let uncommitted = (frontier > committed).then_some(frontier);
        if records != Some(0) || uncommitted.is_some() {
            leftovers.push(Leftover {
                tp,
                records,
                uncommitted,
            });
        }
    }

    fn active(&mut self, tp: Tp, epoch: Epoch) -> Option<&mut Active> {
        match self.partitions.get_mut(&tp) {
            Some(State::Active(active)) if active.positions.epoch == epoch => Some(active),
            _ => None,
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }
}

impl Resolving {
    fn try_later(&mut self, now: Millis, fault: StartFault) {
        self.asked = None;
        self.ask_at = now.after(doubled(start::RETRY_MIN, self.attempts, start::RETRY_MAX));
        self.attempts = self.attempts.saturating_add(1);
        self.fault = Some(fault);
    }
}

impl Active {
    fn new(positions: Positions, partitions: Option<u32>) -> Active {
        Active {
            positions,
            partitions,
            in_flight: None,
            failures: 0,
            retry_at: Millis(0),
            leaving: None,
        }
    }

    /// Begins to leave, unless it does so already: the first deadline counts.
    fn leave(&mut self, tp: Tp, now: Millis, config: MemberConfig, actions: &mut Vec<Action>) {
        if let Some(leaving) = &mut self.leaving {
            leaving.is_wanted_again = false;
            return;
        }
        let total = config.drain_timeout.0;
        let for_lane = Millis(total - (total / 4).min(FINAL_COMMIT_SHARE_MAX));
        self.leaving = Some(Leaving {
            abandon_at: now.after(for_lane),
            leave_at: now.after(config.drain_timeout),
            is_abandoned: false,
            released: None,
            is_wanted_again: false,
        });
        actions.push(Action::DrainLane {
            tp,
            epoch: self.positions.epoch,
        });
    }
}

/// `base` doubled `times`, up to `cap`. Without jitter: the members of a group do these things at unrelated moments.
fn doubled(base: Millis, times: u32, cap: Millis) -> Millis {
    Millis(base.0.saturating_mul(1 << times.min(32)).min(cap.0))
}
