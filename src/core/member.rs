//! One member of a consumer group: which partitions are ours, under which epoch, what is committed, and how they leave.
//!
//! ```text
//! Assigned ─► resolving ─Positions─► noting ─CommitAnswer─► running ─Revoked, Shutdown─► draining ─Drained─► final commit ─► gone
//!                 │                                            └───────────────Lost (no commit)────────────────────────────►
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
//! - Before its lane is opened, a partition's position [says](super::guard) that it is owned, and its final commit that it
//!   was left in order: by that the next owner knows whether this one died. The final word is tried once, and not for long.
//! - A position is read only after the partition was assigned, and an answer to an earlier question is ignored: it
//!   could be older than what the previous owner committed.
use std::collections::{BTreeMap, BTreeSet};

use super::start::{Start, StartFault};
use super::{Epoch, Millis, Note, Tp};

mod commits;
mod messages;
mod positions;

pub use messages::{Action, Batch, CommitEntry, Event, Leftover, Positions, Request, Standing};

/// Times of a member, and what it has in flight.
#[derive(Debug, Clone, Copy)]
pub struct MemberConfig {
    /// Between two commits.
    pub commit_interval: Millis,
    /// From a revoke or a shutdown until the partition is given back.
    pub drain_timeout: Millis,
    /// Records of one partition that are in flight at most: so many are tried one by one after deaths.
    pub in_flight_records: u64,
    /// Positions say who owns them, and what they say is heeded.
    pub has_guard: bool,
}

/// The member. Feed it events, carry out its actions in order.
#[derive(Debug)]
pub struct Member {
    config: MemberConfig,
    partitions: BTreeMap<Tp, State>,
    /// Rebalances that wait for their unassign: the partitions they name.
    revocations: Vec<Vec<Tp>>,
    /// Commits from this number on were sent after the last revoke.
    revoked_at: Batch,
    /// Commits of initial positions under way, with their topics.
    bootstraps: BTreeMap<Batch, BTreeSet<u16>>,
    next_epoch: u32,
    next_number: u64,
    commit_at: Millis,
    shutdown: Option<Vec<Leftover>>,
    is_done: bool,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a member has some dozens of them, almost all active"
)]
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
    /// The lane was opened.
    is_open: bool,
    /// Where it began, and where the partition ended then.
    began: i64,
    end: i64,
    /// What became of the owners before, at the position where it began.
    found: Note,
    is_after_death: bool,
    /// What the group's position says of its owner; `None` after a commit that failed, which may have been applied.
    noted: Option<Note>,
    /// The record that the lane tries, and whether it was told that the position says so.
    trying: Option<i64>,
    is_told: bool,
    /// A commit failed that bore a mark or was to take one away.
    is_mark_unknown: bool,
    in_flight: Option<InFlight>,
    failures: u32,
    /// No commit before this.
    retry_at: Millis,
    leaving: Option<Leaving>,
}

/// A commit under way.
#[derive(Debug)]
struct InFlight {
    batch: Batch,
    offset: i64,
    note: Note,
}

#[derive(Debug)]
struct Leaving {
    abandon_at: Millis,
    leave_at: Millis,
    is_abandoned: bool,
    /// The lane's last word: records released.
    released: Option<u64>,
    /// From the last word on: how long the position's is waited for.
    note_until: Millis,
    /// The position's last word was sent, and refused.
    is_noted: bool,
    /// Assigned again before it had left.
    is_wanted_again: bool,
}

const FINAL_COMMIT_SHARE_MAX: u64 = 5_000;

/// How long the last word of a position is waited for, when there is nothing else to commit.
const NOTE_WAIT_MAX: u64 = 2_000;

impl Member {
    /// A member that owns nothing.
    pub fn new(config: MemberConfig) -> Member {
        Member {
            config,
            partitions: BTreeMap::new(),
            revocations: Vec::new(),
            revoked_at: Batch(1),
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
            Some(State::Active(active)) if active.is_open && active.leaving.is_none() => {
                Some(active.positions.epoch)
            }
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
            } => self.drained(now, tp, epoch, frontier, released),
            Event::Frontier { tp, epoch, offset } => self.frontier(tp, epoch, offset),
            Event::Trying {
                tp,
                epoch,
                frontier,
                offset,
            } => self.trying(tp, epoch, frontier, offset),
            Event::CommitAnswer { batch, results } => self.commit_answer(now, batch, &results),
            Event::MovedOn(batch) => self.moved_on(now, batch, actions),
            Event::Tick => {}
            Event::Shutdown => self.begin_shutdown(now, actions),
        }
        self.abandon_late_lanes(now, actions);
        self.commit(now, actions);
        self.tell_marks(actions);
        self.open_lanes(actions);
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
        self.revoked_at = Batch(self.next_number);
    }

    fn lost(&mut self, tps: Vec<Tp>, actions: &mut Vec<Action>) {
        for tp in &tps {
            let Some(State::Active(active)) = self.partitions.remove(tp) else {
                continue;
            };
            let last_word = active.leaving.as_ref().and_then(|leaving| leaving.released);
            if active.is_open && last_word.is_none() {
                actions.push(Action::AbandonLane {
                    tp: *tp,
                    epoch: active.positions.epoch,
                });
            }
            self.leave_behind(*tp, &active);
        }
        actions.push(Action::Unassign(tps));
    }

    fn drained(&mut self, now: Millis, tp: Tp, epoch: Epoch, frontier: i64, records: u64) {
        self.frontier(tp, epoch, frontier);
        let drain_timeout = self.config.drain_timeout;
        if let Some(active) = self.active(tp, epoch) {
            active.spoke(now, records, drain_timeout);
        }
    }

    fn frontier(&mut self, tp: Tp, epoch: Epoch, offset: i64) {
        if let Some(active) = self.active(tp, epoch) {
            active.positions.frontier = active.positions.frontier.max(offset);
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

    /// Nothing holds the partition any more: its lane has answered, its frontier is committed, or time is up.
    fn may_leave(&self, tp: Tp, now: Millis) -> bool {
        let Some(State::Active(active)) = self.partitions.get(&tp) else {
            return true;
        };
        let Some(leaving) = &active.leaving else {
            return true;
        };
        let is_committed = active.positions.frontier == active.positions.committed;
        let is_noted = active.in_flight.is_none() && !active.is_news(active.note(), now);
        // A mark that is left behind accuses a record.
        let is_enough = now >= leaving.note_until && !active.may_bear_mark();
        let is_settled = is_committed && (is_noted || is_enough);
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

impl Active {
    fn new(epoch: Epoch, start: Start, has_guard: bool) -> Active {
        let Start {
            offset,
            partitions,
            end,
            note,
        } = start;
        // Without the guard nothing is known of anybody, and nothing is said.
        let (noted, found) = match has_guard {
            true => (note, note.taken_over(offset, end)),
            false => (Note::default(), Note::default()),
        };
        Active {
            positions: Positions {
                epoch,
                frontier: offset,
                committed: offset,
            },
            partitions,
            is_open: false,
            began: offset,
            end,
            found,
            is_after_death: noted.is_open && offset < end,
            noted: Some(noted),
            trying: None,
            is_told: true,
            is_mark_unknown: false,
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
            note_until: Millis(0),
            is_noted: false,
            is_wanted_again: false,
        });
        if !self.is_open {
            return self.spoke(now, 0, config.drain_timeout);
        }
        actions.push(Action::DrainLane {
            tp,
            epoch: self.positions.epoch,
        });
    }

    /// Nothing of the partition is under way any more.
    fn spoke(&mut self, now: Millis, records: u64, drain_timeout: Millis) {
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        leaving.released = Some(records);
        leaving.note_until = now.after(Millis((drain_timeout.0 / 4).min(NOTE_WAIT_MAX)));
        self.retry_at = Millis(0);
    }
}

/// `base` doubled `times`, up to `cap`. Without jitter: the members of a group do these things at unrelated moments.
fn doubled(base: Millis, times: u32, cap: Millis) -> Millis {
    Millis(base.0.saturating_mul(1 << times.min(32)).min(cap.0))
}

#[cfg(test)]
mod tests;
