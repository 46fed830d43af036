//! One worker: the real `Member`, `Flow`, `Lanes`, `Tracker` and `start`, with the threads, queues, consumer client and
//! producer around them simulated. The consumer thread and the pipeline thread talk through `to_lanes` and
//! `to_consumer`, first in, first out, each as late as the schedule pleases.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::broker::Broker;
use super::lanes::{Completion, Pipeline, ToConsumer, ToLane};
use super::rng::Rng;
use super::{Cover, Held, Mutant, hold};
use crate::core::flow::{Amount, FlowLimits, Reason, Turn};
use crate::core::member::{
    Action, Batch, CommitEntry, Event, Leftover, MemberConfig, Request, Standing,
};
use crate::core::start::{self, StartFault};
use crate::core::{Epoch, Flow, Member, Millis, Tp};

pub const POLL_MAX: u64 = 4;
pub const RECORD_BYTES: u32 = 100;
pub const LIMITS: FlowLimits = FlowLimits {
    partition: Amount {
        records: 10,
        bytes: 1_200,
    },
    process: Amount {
        records: 20,
        bytes: 2_000,
    },
};
pub const CONFIG: MemberConfig = MemberConfig {
    commit_interval: Millis(1_000),
    drain_timeout: Millis(20_000),
};

pub struct Worker {
    pub id: usize,
    pub member: Member,
    pub flow: Flow,
    pub client: Client,
    pub pipeline: Pipeline,
    pub consumed: u64,
    /// Partitions whose lanes were left with something under way.
    pub abandoned: BTreeSet<Tp>,
    /// Requests for positions: not read yet, then read and on the way back.
    pub requests: VecDeque<(Request, Vec<Tp>)>,
    pub read: Vec<Event>,
    /// Commits on their way to the broker, and the answers on their way back.
    pub commits: VecDeque<Sent>,
    pub answers: VecDeque<Event>,
    /// The last position sent, by assignment.
    sent: BTreeMap<(Tp, Epoch), i64>,
    /// Began to shut down: these assignments were ours then.
    pub shutdown: Option<BTreeSet<(Tp, Epoch)>>,
    pub done: Option<Vec<Leftover>>,
}

pub struct Sent {
    pub batch: Batch,
    pub entries: Vec<CommitEntry>,
    pub seat: u32,
    pub generation: u32,
    pub is_initial: bool,
}

/// The consumer client: what librdkafka knows.
#[derive(Default)]
pub struct Client {
    pub seat: Option<u32>,
    pub generation: u32,
    /// What the group gave us.
    pub group: BTreeSet<Tp>,
    /// What is being fetched, with the position of the next fetch.
    pub assigned: BTreeMap<Tp, i64>,
    /// Stays across assignments, as in librdkafka.
    pub paused: BTreeSet<Tp>,
    pub callback: Option<Callback>,
    /// To be given after the unassign of a rebalance.
    pub added: Option<BTreeSet<Tp>>,
    pub wants_join: bool,
}

/// A rebalance that the application has not answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Callback {
    Assign,
    Revoke(BTreeSet<Tp>),
}

/// What every step needs.
pub struct Cx<'a> {
    pub now: Millis,
    pub rng: &'a mut Rng,
    pub broker: &'a mut Broker,
    pub cover: &'a mut Cover,
    pub mutant: Option<Mutant>,
    /// No fault is injected any more.
    pub is_calm: bool,
}

impl Worker {
    pub fn new(id: usize) -> Worker {
        Worker {
            id,
            member: Member::new(CONFIG),
            flow: Flow::new(LIMITS),
            client: Client::default(),
            pipeline: Pipeline::default(),
            consumed: 0,
            abandoned: BTreeSet::new(),
            requests: VecDeque::new(),
            read: Vec::new(),
            commits: VecDeque::new(),
            answers: VecDeque::new(),
            sent: BTreeMap::new(),
            shutdown: None,
            done: None,
        }
    }

    /// Gives an event to the member and carries out what it wants.
    pub fn tell(&mut self, cx: &mut Cx, event: Event) -> Held {
        let mut actions = Vec::new();
        let stale = match &event {
            Event::Frontier { tp, epoch, .. } | Event::Drained { tp, epoch, .. } => {
                !self.owns(*tp, *epoch)
            }
            _ => false,
        };
        if stale {
            // What time alone does comes first, so that the event itself is seen to do nothing.
            self.tell(cx, Event::Tick)?;
        }
        let before = stale.then(|| self.member.standings().collect::<Vec<_>>());
        self.member.handle(cx.now, event, &mut actions);
        if let Some(before) = before {
            cx.cover.hit("member.stale");
            let after: Vec<_> = self.member.standings().collect();
            hold(before == after, "I-3", || {
                format!("a lane of an earlier epoch moved {before:?} to {after:?}")
            })?;
        }
        for action in actions {
            self.act(cx, action)?;
        }
        self.check_flow()
    }

    fn owns(&self, tp: Tp, epoch: Epoch) -> bool {
        self.member
            .standings()
            .any(|(other, standing)| match standing {
                Standing::Running(positions) | Standing::Draining(positions) => {
                    other == tp && positions.epoch == epoch
                }
                _ => false,
            })
    }

    /// Something of `tp` can still be sent: as far as this worker knows it is its own, or its lane is open.
    pub fn may_send(&self, tp: Tp) -> bool {
        self.client.group.contains(&tp) || self.pipeline.has_lane(tp)
    }

    fn act(&mut self, cx: &mut Cx, action: Action) -> Held {
        let mut turns = Vec::new();
        match action {
            Action::ResolvePositions(request, tps) => self.requests.push_back((request, tps)),
            Action::OpenLane { tp, epoch, offset } => {
                cx.cover.hit("lane.open");
                cx.broker.safe(tp, offset)?;
                self.check_start(cx, tp, offset)?;
                self.pipeline
                    .inbox
                    .push_back(ToLane::Open { tp, epoch, offset });
            }
            Action::Assign(list) => {
                if self.client.callback == Some(Callback::Assign) {
                    self.client.callback = None;
                }
                for (tp, offset, epoch) in list {
                    let is_ours =
                        self.client.group.contains(&tp) && !self.client.assigned.contains_key(&tp);
                    hold(is_ours, "I-5", || {
                        format!("{tp:?} assigned, which is not ours or was assigned before")
                    })?;
                    self.client.assigned.insert(tp, offset);
                    self.flow.assigned(tp, epoch, &mut turns);
                }
            }
            Action::DrainLane { tp, epoch } => {
                cx.cover.hit("lane.drain");
                self.pipeline.inbox.push_back(ToLane::Drain { tp, epoch });
                self.flow.set(tp, epoch, Reason::Drain, true, &mut turns);
            }
            Action::AbandonLane { tp, epoch } => {
                cx.cover.hit("lane.abandon");
                self.abandoned.insert(tp);
                self.pipeline.inbox.push_back(ToLane::Abandon { tp, epoch });
            }
            Action::Commit(batch, entries) => self.send_commit(cx, batch, entries)?,
            Action::Unassign(list) => {
                for tp in &list {
                    self.client.assigned.remove(tp);
                }
                self.flow.removed(&list, &mut turns);
                self.unassign_called(cx, &list)?;
            }
            Action::Stopped(tp, fault) => {
                cx.cover
                    .hit(if matches!(fault, StartFault::OutOfRange { .. }) {
                        "stop.range"
                    } else {
                        "stop.position"
                    });
                let is_due = cx.broker.spoiled.contains(&tp);
                hold(is_due, "I-10", || {
                    format!("{tp:?} stopped without need: {fault}")
                })?;
            }
            Action::Done(leftovers) => self.done = Some(leftovers),
        }
        self.turn(cx, &turns)
    }

    fn unassign_called(&mut self, cx: &mut Cx, list: &[Tp]) -> Held {
        let Some(Callback::Revoke(revoked)) = &self.client.callback else {
            return Ok(());
        };
        let is_answer = list.iter().copied().collect::<BTreeSet<Tp>>() == *revoked;
        hold(is_answer, "I-5", || {
            format!("{revoked:?} were revoked, {list:?} are unassigned")
        })?;
        cx.cover.hit("rebalance.unassigned");
        self.client.group.retain(|tp| !revoked.contains(tp));
        self.client.callback = None;
        Ok(())
    }

    fn turn(&mut self, cx: &mut Cx, turns: &[Turn]) -> Held {
        for turn in turns {
            let (Turn::Pause(tp) | Turn::Resume(tp)) = turn;
            let is_ours = self.client.assigned.contains_key(tp);
            hold(is_ours, "I-7", || format!("{turn:?}: not assigned"))?;
            match turn {
                Turn::Pause(tp) => {
                    let is_share = self.flow.reasons(*tp).contains(Reason::Process);
                    cx.cover.hit(if is_share {
                        "flow.pause_share"
                    } else {
                        "flow.pause"
                    });
                    self.client.paused.insert(*tp);
                }
                Turn::Resume(tp) => {
                    let was_paused = self.client.paused.remove(tp);
                    cx.cover.hit(if was_paused {
                        "flow.resume"
                    } else {
                        "flow.resume_new"
                    });
                }
            }
        }
        Ok(())
    }

    fn send_commit(&mut self, cx: &mut Cx, batch: Batch, entries: Vec<CommitEntry>) -> Held {
        let is_initial = entries
            .iter()
            .any(|entry| !self.client.assigned.contains_key(&entry.tp));
        for CommitEntry {
            tp,
            offset,
            partitions,
        } in &entries
        {
            hold(partitions.is_some(), "I-5", || {
                format!("{tp:?}: commits without the number of partitions")
            })?;
            if is_initial {
                let may = self.client.group.contains(&Tp {
                    partition: 0,
                    ..*tp
                });
                hold(may, "I-5", || format!("{tp:?}: commits what is not ours"))?;
                continue;
            }
            cx.broker.safe(*tp, *offset)?;
            let Some(epoch) = self.epoch(*tp) else {
                continue;
            };
            let last = self.sent.entry((*tp, epoch)).or_insert(*offset);
            hold(offset >= last, "I-4", || {
                format!("{tp:?}: commits {offset} after {last}")
            })?;
            *last = *offset;
        }
        cx.cover.hit(if is_initial {
            "commit.initial"
        } else {
            "commit"
        });
        let (seat, generation) = (self.client.seat.unwrap_or(0), self.client.generation);
        self.commits.push_back(Sent {
            batch,
            entries,
            seat,
            generation,
            is_initial,
        });
        Ok(())
    }

    fn epoch(&self, tp: Tp) -> Option<Epoch> {
        self.member
            .standings()
            .find_map(|(other, standing)| match standing {
                Standing::Running(positions) | Standing::Draining(positions) if other == tp => {
                    Some(positions.epoch)
                }
                _ => None,
            })
    }

    /// While our seat is valid nobody else commits, so an assignment begins exactly where the group stands.
    fn check_start(&self, cx: &Cx, tp: Tp, offset: i64) -> Held {
        let is_fenced = self.client.generation != cx.broker.group.generation
            || !self
                .client
                .seat
                .is_some_and(|seat| cx.broker.group.seats.contains_key(&seat));
        let committed = cx
            .broker
            .committed
            .get(&tp)
            .map(|committed| committed.offset);
        let is_same = committed.is_none_or(|committed| committed == offset);
        hold(is_fenced || is_same, "I-4", || {
            format!("{tp:?}: begins at {offset}, the group stands at {committed:?}")
        })
    }

    /// One poll: a few records of one partition, if it is not paused.
    pub fn poll(&mut self, cx: &mut Cx) -> Held {
        let ready: Vec<Tp> = self
            .client
            .assigned
            .keys()
            .filter(|tp| !self.client.paused.contains(tp))
            .copied()
            .collect();
        let Some(tp) = cx.rng.pick(&ready) else {
            return Ok(());
        };
        let mut position = self.client.assigned[&tp];
        let (low, high) = cx.broker.truth.watermarks(tp);
        let Some(epoch) = self.member.accepts(tp).filter(|_| position >= low) else {
            return Ok(());
        };
        let mut offsets = Vec::new();
        for _ in 0..1 + cx.rng.below(POLL_MAX as usize) {
            let Some(offset) = cx.broker.truth.next_record(tp, position) else {
                break;
            };
            offsets.push(offset);
            position = offset + 1;
        }
        if offsets.is_empty() {
            cx.cover.hit("poll.end");
            self.client.assigned.insert(tp, high);
            self.pipeline.inbox.push_back(ToLane::Advance {
                tp,
                epoch,
                position: high,
            });
            return Ok(());
        }
        cx.cover.hit("poll");
        if !cx.is_calm && cx.rng.per_mille(20) {
            // A client that fetches again what it handed out before (after a resume, a seek).
            cx.cover.hit("poll.again");
            offsets.push(offsets[0]);
        }
        self.client.assigned.insert(tp, position);
        self.consumed += offsets.len() as u64;
        let amount = Amount {
            records: offsets.len() as u64,
            bytes: offsets.len() as u64 * u64::from(RECORD_BYTES),
        };
        let mut turns = Vec::new();
        self.flow.taken(tp, epoch, amount, &mut turns);
        self.pipeline
            .inbox
            .push_back(ToLane::Records { tp, epoch, offsets });
        self.turn(cx, &turns)?;
        self.check_flow()
    }

    /// One message of the pipeline thread arrives.
    pub fn hear(&mut self, cx: &mut Cx) -> Held {
        let Some(message) = self.pipeline.outbox.pop_front() else {
            return Ok(());
        };
        let mut turns = Vec::new();
        match message {
            ToConsumer::Member(event) => return self.tell(cx, event),
            ToConsumer::Gone { tp, epoch, amount } => self.flow.done(tp, epoch, amount, &mut turns),
            ToConsumer::Waits { tp, epoch, waits } => {
                self.flow.set(tp, epoch, Reason::Schema, waits, &mut turns)
            }
        }
        self.turn(cx, &turns)?;
        self.check_flow()
    }

    /// Invariant I-7: bounded, and paused exactly if there is a reason.
    fn check_flow(&self) -> Held {
        let total = self.flow.total();
        let slack = POLL_MAX * self.client.assigned.len() as u64;
        hold(
            total.records <= LIMITS.process.records + slack,
            "I-7",
            || format!("{} records in flight", total.records),
        )?;
        for tp in self.client.assigned.keys() {
            let (held, reasons) = (self.flow.held(*tp), self.flow.reasons(*tp));
            let is_bounded = held.records <= LIMITS.partition.records + POLL_MAX;
            hold(is_bounded, "I-7", || {
                format!("{tp:?}: {} records in flight", held.records)
            })?;
            let is_paused = self.client.paused.contains(tp);
            let is_right = is_paused != reasons.is_empty();
            hold(is_right, "I-7", || {
                format!("{tp:?}: paused {is_paused}, reasons {reasons:?}")
            })?;
            let is_full = held.records >= LIMITS.partition.records;
            hold(!is_full || is_paused, "I-7", || {
                format!("{tp:?}: full and not paused")
            })?;
            let is_low = held.records * 2 <= LIMITS.partition.records
                && held.bytes * 2 <= LIMITS.partition.bytes;
            let is_held_back = reasons.contains(Reason::Partition);
            hold(!is_low || !is_held_back, "I-7", || {
                format!("{tp:?}: half empty and still paused")
            })?;
        }
        Ok(())
    }

    /// Heartbeat: the coordinator's news, one at a time.
    pub fn heartbeat(&mut self, cx: &mut Cx) -> Held {
        let Some(seat) = self.client.seat else {
            if self.shutdown.is_none() && self.client.callback.is_none() {
                cx.cover.hit("group.join_new");
                self.client.seat = Some(cx.broker.group.take_seat());
                self.client.wants_join = true;
            }
            return Ok(());
        };
        if !cx.broker.group.seats.contains_key(&seat) {
            return self.lose(cx);
        }
        if self.client.callback.is_some() {
            return Ok(());
        }
        if let Some(added) = self.client.added.take() {
            return self.give(cx, added);
        }
        if let Some(assigned) = cx
            .broker
            .group
            .seats
            .get_mut(&seat)
            .and_then(|seat| seat.assigned.take())
        {
            self.client.generation = cx.broker.group.generation;
            let revoked: BTreeSet<Tp> = self.client.group.difference(&assigned).copied().collect();
            let added: BTreeSet<Tp> = assigned.difference(&self.client.group).copied().collect();
            if revoked.is_empty() {
                return self.give(cx, added);
            }
            cx.cover.hit("rebalance.revoke");
            self.client.added = Some(added);
            self.client.wants_join = true;
            self.client.callback = Some(Callback::Revoke(revoked.clone()));
            return self.tell(cx, Event::Revoked(revoked.into_iter().collect()));
        }
        if self.client.wants_join || cx.broker.group.wants_join(seat) {
            self.client.wants_join = false;
            cx.broker.group.join(seat, &self.client.group);
            let tps: Vec<Tp> = cx.broker.truth.tps().collect();
            cx.broker.group.deal(&tps);
        }
        Ok(())
    }

    fn give(&mut self, cx: &mut Cx, added: BTreeSet<Tp>) -> Held {
        cx.cover.hit(if self.shutdown.is_some() {
            "rebalance.assign_at_shutdown"
        } else {
            "rebalance.assign"
        });
        self.client.group.extend(added.iter().copied());
        self.client.callback = Some(Callback::Assign);
        self.tell(cx, Event::Assigned(added.into_iter().collect()))?;
        let is_answered = self.client.callback.is_none();
        hold(is_answered, "I-10", || {
            "an assign holds up the group".to_owned()
        })
    }

    /// The coordinator took our seat away: everything is lost, whatever was under way.
    fn lose(&mut self, cx: &mut Cx) -> Held {
        let is_draining = matches!(self.client.callback, Some(Callback::Revoke(_)));
        cx.cover.hit(if is_draining {
            "rebalance.lost_while_draining"
        } else {
            "rebalance.lost"
        });
        self.client.seat = None;
        self.client.added = None;
        self.client.callback = None;
        self.client.wants_join = false;
        let lost = std::mem::take(&mut self.client.group);
        self.tell(cx, Event::Lost(lost.into_iter().collect()))?;
        let left = self.client.assigned.len();
        hold(left == 0, "I-5", || {
            format!("{left} partitions are still assigned after all were lost")
        })
    }

    /// The broker reads positions for a request, or cannot.
    pub fn read_positions(&mut self, cx: &mut Cx) {
        let Some((request, tps)) = self.requests.pop_front() else {
            return;
        };
        let (mut initial, mut positions) = (Vec::new(), Vec::new());
        if !cx.is_calm && cx.rng.per_mille(100) {
            cx.cover.hit("positions.unreadable");
            let fault = StartFault::Unreadable("timed out".to_owned());
            positions.extend(tps.into_iter().map(|tp| (tp, Err(fault.clone()))));
        } else {
            cx.cover.hit("positions.read");
            for (topic, partitions) in start::by_topic(&tps) {
                let view = cx.broker.view(topic);
                let resolution = start::resolve(&cx.broker.topic_view(&view), &partitions);
                let tp = |partition| Tp { topic, partition };
                initial.extend(
                    resolution
                        .initial
                        .into_iter()
                        .map(|(partition, start)| (tp(partition), start)),
                );
                positions.extend(
                    resolution
                        .positions
                        .into_iter()
                        .map(|(partition, start)| (tp(partition), start)),
                );
            }
        }
        if positions
            .iter()
            .any(|(_, position)| *position == Err(StartFault::Waiting))
            && initial.is_empty()
        {
            cx.cover.hit("positions.waiting");
        }
        self.read.push(Event::Positions {
            request,
            initial,
            positions,
        });
    }

    /// The answer to a request for positions arrives, in any order.
    pub fn hear_positions(&mut self, cx: &mut Cx) -> Held {
        if self.read.is_empty() {
            return Ok(());
        }
        let index = cx.rng.below(self.read.len());
        let event = self.read.swap_remove(index);
        self.tell(cx, event)
    }

    /// The broker takes the oldest commit on its way, or fails to, or fails to say that it did.
    pub fn take_commit(&mut self, cx: &mut Cx) -> Held {
        let Some(Sent {
            batch,
            entries,
            seat,
            generation,
            is_initial,
        }) = self.commits.pop_front()
        else {
            return Ok(());
        };
        let fails = !cx.is_calm && cx.rng.per_mille(120);
        let is_applied = !fails && cx.broker.commit(seat, generation, &entries, is_initial)?;
        let is_unsaid = is_applied && !cx.is_calm && cx.rng.per_mille(60);
        cx.cover.hit(match (fails, is_applied, is_unsaid) {
            (true, ..) => "commit.fail",
            (false, false, _) => "commit.fenced",
            (_, true, true) => "commit.unsaid",
            (_, true, false) => "commit.ok",
        });
        let results = entries
            .iter()
            .map(|entry| (entry.tp, is_applied && !is_unsaid))
            .collect();
        self.answers
            .push_back(Event::CommitAnswer { batch, results });
        Ok(())
    }

    /// The answer to a commit arrives.
    pub fn hear_answer(&mut self, cx: &mut Cx) -> Held {
        match self.answers.pop_front() {
            Some(event) => self.tell(cx, event),
            None => Ok(()),
        }
    }

    pub fn begin_shutdown(&mut self, cx: &mut Cx) -> Held {
        cx.cover.hit("shutdown");
        let assigned = self.client.assigned.keys();
        self.shutdown = Some(
            assigned
                .filter_map(|tp| Some((*tp, self.epoch(*tp)?)))
                .collect(),
        );
        self.tell(cx, Event::Shutdown)
    }

    /// Invariant I-12: a shutdown that names nothing has left nothing.
    pub fn check_done(&self, cx: &mut Cx) -> Held {
        let (Some(leftovers), Some(owned)) = (&self.done, &self.shutdown) else {
            return Ok(());
        };
        if !leftovers.is_empty() {
            cx.cover.hit("shutdown.leftovers");
            return Ok(());
        }
        cx.cover.hit("shutdown.clean");
        for (tp, epoch) in owned {
            let last = self.pipeline.closed.get(&(*tp, *epoch));
            let committed = cx
                .broker
                .committed
                .get(tp)
                .map_or(0, |committed| committed.offset);
            let is_clean =
                last.is_some_and(|(frontier, released)| *released == 0 && committed >= *frontier);
            hold(is_clean, "I-12", || {
                format!("{tp:?}: last word {last:?}, {committed} committed, nothing named")
            })?;
        }
        Ok(())
    }

    /// Invariant I-13: every record taken is accounted for.
    pub fn check_balance(&self) -> Held {
        let Pipeline {
            disposed,
            released,
            again,
            ..
        } = &self.pipeline;
        let on_the_way = self.pipeline.inbox_records();
        let pending = self.pipeline.pending();
        let accounted = disposed + released + again + pending + on_the_way;
        hold(self.consumed == accounted, "I-13", || {
            format!(
                "{} consumed, {disposed} disposed of, {released} released, {again} again, {pending} pending",
                self.consumed
            )
        })
    }

    pub fn completion(&mut self, cx: &mut Cx) -> Held {
        if self.pipeline.completions.is_empty() {
            return Ok(());
        }
        let index = cx.rng.below(self.pipeline.completions.len());
        let completion: Completion = self.pipeline.completions.swap_remove(index);
        self.pipeline.complete(cx, completion)
    }
}
