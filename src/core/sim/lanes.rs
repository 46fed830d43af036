//! The pipeline thread of a simulated worker: the real `Lanes` and `Tracker`, and around them what the road does. The
//! planted mistakes are made here, where the road would make them.
mod producer;
mod trial;

use std::collections::{BTreeMap, VecDeque};

use super::truth::Verdict;
use super::worker::{Cx, RECORD_BYTES};
use super::{Held, Mutant, hold};
use crate::core::flow::Amount;
use crate::core::member::Event;
use crate::core::tracker::Acked;
use crate::core::{DeliveryId, Disposition, Epoch, Guard, Lanes, Tp};
pub use producer::Completion;
use producer::{Out, Producer, Sending};
use trial::Trial;

#[derive(Debug)]
pub enum ToLane {
    Open {
        tp: Tp,
        epoch: Epoch,
        offset: i64,
        guard: Option<Guard>,
    },
    Records {
        tp: Tp,
        epoch: Epoch,
        offsets: Vec<i64>,
    },
    Advance {
        tp: Tp,
        epoch: Epoch,
        position: i64,
    },
    Drain {
        tp: Tp,
        epoch: Epoch,
    },
    Abandon {
        tp: Tp,
        epoch: Epoch,
    },
}

pub enum ToConsumer {
    Member(Event),
    /// Records left a lane.
    Gone {
        tp: Tp,
        epoch: Epoch,
        amount: Amount,
    },
    /// A lane waits for a schema, or no longer does.
    Waits {
        tp: Tp,
        epoch: Epoch,
        waits: bool,
    },
}

#[derive(Default)]
pub struct Pipeline {
    lanes: Lanes<i64>,
    states: BTreeMap<u16, State>,
    pub inbox: VecDeque<ToLane>,
    pub outbox: VecDeque<ToConsumer>,
    pub producer: Producer,
    pub disposed: u64,
    pub released: u64,
    /// Records that came again and were dropped.
    pub again: u64,
    /// The last word of each lane: frontier and records released.
    pub closed: BTreeMap<(Tp, Epoch), (i64, u64)>,
    trial: Option<Trial>,
    /// The record of which the process has died.
    pub victim: Option<(Tp, i64)>,
}

struct State {
    guard: Option<Guard>,
    attempt: u32,
    is_draining: bool,
    is_waiting: bool,
    reported: i64,
    last_taken: i64,
    last_sent: i64,
    released: u64,
}

impl Pipeline {
    pub fn pending(&self) -> u64 {
        self.lanes
            .iter()
            .map(|(_, _, tracker)| tracker.pending().total())
            .sum()
    }

    pub fn inbox_records(&self) -> u64 {
        let records = |message: &ToLane| {
            if let ToLane::Records { offsets, .. } = message {
                offsets.len() as u64
            } else {
                0
            }
        };
        self.inbox.iter().map(records).sum()
    }

    /// A lane of `tp` is open, or about to be: it can still send.
    pub fn has_lane(&self, tp: Tp) -> bool {
        let is_open =
            |message: &ToLane| matches!(message, ToLane::Open { tp: other, .. } if *other == tp);
        self.lanes.iter().any(|(_, other, _)| other == tp) || self.inbox.iter().any(is_open)
    }

    /// One message of the consumer thread arrives.
    pub fn hear(&mut self, cx: &mut Cx) -> Held {
        let Some(message) = self.inbox.pop_front() else {
            return Ok(());
        };
        match message {
            ToLane::Open {
                tp,
                epoch,
                offset,
                guard,
            } => {
                let index = self.lanes.open(tp, epoch, offset);
                let state = State {
                    guard,
                    attempt: 0,
                    is_draining: false,
                    is_waiting: false,
                    reported: offset,
                    last_taken: offset - 1,
                    last_sent: -1,
                    released: 0,
                };
                self.states.insert(index, state);
                Ok(())
            }
            ToLane::Records { tp, epoch, offsets } => self.take(cx, tp, epoch, &offsets),
            ToLane::Advance {
                tp,
                epoch,
                position,
            } => {
                if let Some((_, tracker)) = self
                    .lanes
                    .find(tp, epoch)
                    .and_then(|index| self.lanes.get_mut(index))
                {
                    tracker.advance(position);
                }
                Ok(())
            }
            ToLane::Drain { tp, epoch } => {
                let Some(index) = self.lanes.find(tp, epoch) else {
                    return Ok(());
                };
                self.state(index).is_draining = true;
                self.break_off(cx, index);
                self.release(index);
                self.report(cx, index)
            }
            ToLane::Abandon { tp, epoch } => {
                let Some(index) = self.lanes.find(tp, epoch) else {
                    cx.cover.hit("lane.abandon_closed");
                    return Ok(());
                };
                self.report(cx, index)?;
                if self.lanes.find(tp, epoch).is_some() {
                    self.close(cx, index);
                }
                Ok(())
            }
        }
    }

    fn take(&mut self, cx: &mut Cx, tp: Tp, epoch: Epoch, offsets: &[i64]) -> Held {
        let Some(index) = self.lanes.find(tp, epoch) else {
            return hold(false, "I-6", || {
                format!("{tp:?} {epoch:?}: records for no lane")
            });
        };
        let is_draining = self.state(index).is_draining;
        hold(!is_draining, "I-6", || {
            format!("{tp:?}: records for a lane that drains")
        })?;
        for offset in offsets {
            let Some((_, tracker)) = self.lanes.get_mut(index) else {
                break;
            };
            let is_new = tracker.take(*offset, RECORD_BYTES, *offset).is_ok();
            let state = self.state(index);
            let is_right = is_new == (*offset > state.last_taken);
            hold(is_right, "I-6", || {
                format!("{tp:?}: {offset} taken {is_new} after {}", state.last_taken)
            })?;
            if is_new {
                state.last_taken = *offset;
            } else {
                cx.cover.hit("take.again");
                self.again += 1;
                self.gone(tp, epoch, 1);
            }
        }
        self.check(index)
    }

    /// Processes a few records of one lane into deliveries, or goes on with what is tried.
    pub fn process(&mut self, cx: &mut Cx) -> Held {
        if self.trial.is_some() && (cx.mutant != Some(Mutant::NotAlone) || cx.rng.per_mille(500)) {
            return self.go_on(cx);
        }
        let ready: Vec<u16> = self
            .states
            .iter()
            .filter(|(_, s)| !s.is_draining && !s.is_waiting)
            .map(|(i, _)| *i)
            .collect();
        let Some(index) = cx.rng.pick(&ready) else {
            return Ok(());
        };
        if self.state(index).guard.is_some() {
            return self.begin_trial(cx, index);
        }
        for _ in 0..1 + cx.rng.below(4) {
            if !self.process_one(cx, index, false)? {
                break;
            }
        }
        self.check(index)
    }

    /// Processes the next record of a lane, or leaves it out. False if there is none, or the process died of it.
    fn process_one(
        &mut self,
        cx: &mut Cx,
        index: u16,
        is_left_out: bool,
    ) -> Result<bool, super::Violation> {
        let Some((tp, tracker)) = self.lanes.get_mut(index) else {
            return Ok(false);
        };
        let Some((seq, offset, _)) = tracker.next_unprocessed() else {
            return Ok(false);
        };
        let epoch = tracker.epoch();
        let verdict = cx.broker.truth.verdict(tp, offset);
        let routes = match verdict {
            _ if is_left_out => 1,
            Verdict::Kills => {
                self.victim = Some((tp, offset));
                return Ok(false);
            }
            Verdict::Filtered => {
                cx.cover.hit("process.filtered");
                tracker.dispose(seq, Disposition::Filtered);
                return Ok(true);
            }
            Verdict::Poison => 1,
            Verdict::Deliver { routes, .. } => routes,
        };
        tracker.opened(seq, routes);
        let is_dead_letter = is_left_out || verdict == Verdict::Poison;
        let ids: Vec<DeliveryId> = (0..routes)
            .map(|route| tracker.delivery(seq, route))
            .collect();
        if is_dead_letter {
            tracker.bury(ids[0]);
        }
        cx.cover.hit(if is_dead_letter {
            "process.poison"
        } else {
            "process.deliver"
        });
        let state = self.state(index);
        let is_in_order = offset > state.last_sent;
        hold(is_in_order, "I-8", || {
            format!("{tp:?}: {offset} sent after {}", state.last_sent)
        })?;
        state.last_sent = offset;
        let sent = Sending {
            tp,
            epoch,
            attempt: state.attempt,
            offset,
        };
        for (route, id) in ids.into_iter().enumerate() {
            self.producer.enqueue(
                cx,
                Out {
                    id,
                    sent,
                    route: route as u8,
                    is_dead_letter,
                },
            );
        }
        Ok(true)
    }

    /// A report comes back: now, late, or for something long gone.
    pub fn complete(&mut self, cx: &mut Cx, Completion { out, has_arrived }: Completion) -> Held {
        let Out { mut id, sent, .. } = out;
        let index = id.lane();
        let is_current = self
            .lanes
            .get_mut(index)
            .is_some_and(|(tp, tracker)| (tp, tracker.epoch()) == (sent.tp, sent.epoch))
            && self.state(index).attempt == sent.attempt;
        if cx.mutant == Some(Mutant::EpochIgnored)
            && let Some((_, tracker)) = self.lanes.get_mut(index)
        {
            id = DeliveryId::new(
                index,
                tracker.tag(),
                id.seq_from(crate::core::Seq(0)),
                id.delivery(),
            );
        }
        let before = self.fingerprint();
        let mut fate = Acked::Stale;
        if let Some((_, tracker)) = self.lanes.of(id) {
            if has_arrived || cx.mutant == Some(Mutant::FailedSkipped) {
                fate = tracker.delivered(id);
            } else if tracker.bury(id) {
                fate = Acked::Open;
                cx.cover.hit("delivery.buried");
                self.producer.enqueue(
                    cx,
                    Out {
                        is_dead_letter: true,
                        ..out
                    },
                );
            }
        }
        if !is_current {
            cx.cover.hit("delivery.stale");
            let is_untouched = fate == Acked::Stale && before == self.fingerprint();
            return hold(is_untouched, "I-3", || {
                format!("{sent:?}, of an earlier attempt, changed something: {fate:?}")
            });
        }
        hold(fate != Acked::Stale, "I-10", || {
            format!("{sent:?}: the report was not recognised")
        })?;
        cx.cover.hit(match fate {
            Acked::Done => "delivery.done",
            _ => "delivery.open",
        });
        self.check(index)
    }

    fn fingerprint(&self) -> Vec<(u16, i64, u64, u64, u64)> {
        let print = |(index, _, tracker): (u16, Tp, &crate::core::Tracker<i64>)| {
            let pending = tracker.pending();
            (
                index,
                tracker.frontier(),
                pending.open,
                pending.done,
                pending.unprocessed,
            )
        };
        self.lanes.iter().map(print).collect()
    }

    /// The lane hands back what is done and says how far it is.
    pub fn report_some(&mut self, cx: &mut Cx) -> Held {
        let indexes: Vec<u16> = self.states.keys().copied().collect();
        match cx.rng.pick(&indexes) {
            Some(index) => self.report(cx, index),
            None => Ok(()),
        }
    }

    fn report(&mut self, cx: &mut Cx, index: u16) -> Held {
        let Some((tp, tracker)) = self.lanes.get_mut(index) else {
            return Ok(());
        };
        let mut held = Ok(());
        let popped = tracker.pop_done(|offset, _, disposition| {
            let is_right = cx.broker.truth.has_arrived(tp, offset)
                && cx.broker.truth.may_become(tp, offset, disposition);
            let one = hold(is_right, "I-2", || {
                format!("{tp:?}: {offset} is {disposition:?} without having arrived")
            });
            held = std::mem::replace(&mut held, Ok(())).and(one);
        }) as u64;
        held?;
        let (epoch, mut frontier, is_idle) =
            (tracker.epoch(), tracker.frontier(), tracker.is_idle());
        if cx.mutant == Some(Mutant::CommitBeforeAck) {
            frontier = frontier.max(self.state(index).last_taken + 1);
        }
        self.disposed += popped;
        if popped > 0 {
            cx.cover.hit("lane.pop");
            self.gone(tp, epoch, popped);
        }
        let state = self.state(index);
        if frontier != state.reported {
            hold(frontier > state.reported, "I-4", || {
                format!("{tp:?}: frontier {frontier} after {}", state.reported)
            })?;
            state.reported = frontier;
            self.outbox.push_back(ToConsumer::Member(Event::Frontier {
                tp,
                epoch,
                offset: frontier,
            }));
        }
        if self.state(index).is_draining && is_idle && !self.is_tried(index) {
            cx.cover.hit("lane.drained");
            self.close(cx, index);
        } else {
            self.check(index)?;
        }
        Ok(())
    }

    fn close(&mut self, cx: &Cx, index: u16) {
        let Some((tp, _)) = self.lanes.get_mut(index) else {
            return;
        };
        let (Some(tracker), Some(state)) = (self.lanes.close(index), self.states.remove(&index))
        else {
            return;
        };
        self.trial.take_if(|trial| trial.is_of(tp, tracker.epoch()));
        let (epoch, pending) = (tracker.epoch(), tracker.pending().total());
        let frontier = if cx.mutant == Some(Mutant::CommitBeforeAck) {
            state.reported
        } else {
            tracker.frontier()
        };
        self.gone(tp, epoch, pending);
        self.released += pending;
        let released = state.released + pending;
        self.closed.insert((tp, epoch), (frontier, released));
        self.outbox.push_back(ToConsumer::Member(Event::Drained {
            tp,
            epoch,
            frontier,
            released,
        }));
    }

    /// A lane that drains begins nothing new.
    fn release(&mut self, index: u16) {
        let Some((tp, tracker)) = self.lanes.get_mut(index) else {
            return;
        };
        let (epoch, released) = (tracker.epoch(), tracker.release_unprocessed(|_, _| {}));
        self.released += released;
        self.state(index).released += released;
        self.gone(tp, epoch, released);
    }
    /// The producer died. A new one, and everything again.
    pub fn die(&mut self, cx: &mut Cx) -> Held {
        self.producer.die(cx)?;
        let indexes: Vec<u16> = self.states.keys().copied().collect();
        for index in indexes {
            let Some((tp, tracker)) = self.lanes.get_mut(index) else {
                continue;
            };
            let (frontier, records) = (tracker.frontier(), tracker.len());
            if cx.mutant != Some(Mutant::NoRewind) {
                tracker.rewind();
            }
            let pending = tracker.pending();
            let is_rewound =
                pending.open == 0 && tracker.frontier() == frontier && tracker.len() == records;
            hold(is_rewound, "I-11", || {
                format!("{tp:?}: after the producer's death {pending:?}, frontier {frontier}")
            })?;
            if pending.unprocessed > 0 {
                cx.cover.hit("lane.rewind");
            }
            let state = self.state(index);
            state.attempt += 1;
            state.last_sent = -1;
            if state.is_draining {
                self.release(index);
            }
            self.check(index)?;
        }
        Ok(())
    }

    /// A lane begins or ends to wait for a schema.
    pub fn wait(&mut self, cx: &mut Cx) {
        let waiting: Vec<u16> = self
            .states
            .iter()
            .filter(|(_, state)| state.is_waiting)
            .map(|(index, _)| *index)
            .collect();
        let all: Vec<u16> = self.states.keys().copied().collect();
        let is_end = cx.is_calm || cx.rng.per_mille(600);
        let Some(index) = cx.rng.pick(if is_end { &waiting } else { &all }) else {
            return;
        };
        self.state(index).is_waiting = !is_end;
        cx.cover.hit(if is_end {
            "schema.found"
        } else {
            "schema.wait"
        });
        if let Some((tp, tracker)) = self.lanes.get_mut(index) {
            let epoch = tracker.epoch();
            self.outbox.push_back(ToConsumer::Waits {
                tp,
                epoch,
                waits: !is_end,
            });
        }
    }

    fn gone(&mut self, tp: Tp, epoch: Epoch, records: u64) {
        let amount = Amount {
            records,
            bytes: records * u64::from(RECORD_BYTES),
        };
        self.outbox
            .push_back(ToConsumer::Gone { tp, epoch, amount });
    }

    fn check(&mut self, index: u16) -> Held {
        match self.lanes.get_mut(index) {
            Some((tp, tracker)) => {
                let checked = tracker.check();
                hold(checked.is_ok(), "tracker", || {
                    format!("{tp:?}: {checked:?}")
                })
            }
            None => Ok(()),
        }
    }

    fn state(&mut self, index: u16) -> &mut State {
        self.states
            .get_mut(&index)
            .expect("every open lane has a state")
    }
}
