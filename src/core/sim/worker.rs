//! One worker: the real `Member`, `Flow`, `Lanes`, `Tracker` and `start`, with the threads, queues, consumer client and
//! producer around them simulated. The consumer thread and the pipeline thread talk through `to_lanes` and
//! `to_consumer`, first in, first out, each as late as the schedule pleases.
mod checks;
mod group;
mod requests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::broker::Broker;
use super::lanes::{Pipeline, ToConsumer, ToLane};
use super::rng::Rng;
use super::{Cover, Held, Mutant, hold};
use crate::core::flow::{Amount, FlowLimits, Reason, Turn};
use crate::core::guard::{Suspect, TRIES_MAX};
use crate::core::member::{Action, Event, Leftover, MemberConfig, Request, Standing};
use crate::core::start::StartFault;
use crate::core::{Epoch, Flow, Guard, Member, Millis, Note, Tp};
pub use group::Callback;
use group::Client;
use requests::Sent;

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
    in_flight_records: LIMITS.partition.records + POLL_MAX,
    has_guard: true,
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
            Action::OpenLane {
                tp,
                epoch,
                offset,
                note,
                guard,
                ..
            } => {
                cx.cover.hit("lane.open");
                cx.broker.safe(tp, offset)?;
                self.check_start(cx, tp, offset)?;
                let guard = blamed_at_once(cx, tp, offset, note).or(guard);
                if guard.is_some() {
                    cx.cover.hit("guard.open");
                }
                self.pipeline.inbox.push_back(ToLane::Open {
                    tp,
                    epoch,
                    offset,
                    guard,
                });
            }
            Action::Marked { tp, epoch, offset } => self.pipeline.marked(tp, epoch, offset),
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
            Action::LeftBehind(_) => cx.cover.hit("rebalance.left_behind"),
            Action::Done(leftovers) => self.done = Some(leftovers),
        }
        self.turn(cx, &turns)
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

    pub fn completion(&mut self, cx: &mut Cx) -> Held {
        let Some(completion) = self.pipeline.producer.report(cx) else {
            return Ok(());
        };
        self.pipeline.complete(cx, completion)
    }
}

/// The mistake: the first record after any death is left out.
fn blamed_at_once(cx: &Cx, tp: Tp, offset: i64, note: Note) -> Option<Guard> {
    let is_planted = cx.mutant == Some(Mutant::BlamedAtOnce);
    (is_planted && (note.deaths > 0 || note.suspect.is_some())).then(|| Guard {
        until: i64::MAX,
        records: 1,
        suspect: cx
            .broker
            .truth
            .next_record(tp, offset)
            .map(|offset| Suspect {
                offset,
                deaths: TRIES_MAX,
            }),
    })
}
