//! The one-by-one phase of a simulated lane: nothing else is processed while a record bears the mark.
use super::Pipeline;
use crate::core::guard::Next;
use crate::core::member::Event;
use crate::core::sim::Held;
use crate::core::sim::lanes::ToConsumer;
use crate::core::sim::worker::Cx;
use crate::core::{Epoch, Tp};

/// A lane that has or wants the mark.
#[derive(Debug)]
pub struct Trial {
    index: u16,
    tp: Tp,
    epoch: Epoch,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The mark for this record is on its way.
    Asked(i64),
    /// It stands.
    Marked(i64),
    /// It is being taken away.
    Clearing,
}

impl Trial {
    pub fn is_of(&self, tp: Tp, epoch: Epoch) -> bool {
        (self.tp, self.epoch) == (tp, epoch)
    }
}

impl Pipeline {
    /// A guarded lane looks at its next record.
    pub(super) fn begin_trial(&mut self, cx: &mut Cx, index: u16) -> Held {
        let Some((tp, offset, next)) = self.next_trial(index) else {
            return Ok(());
        };
        match next {
            Next::Over => {
                cx.cover.hit("guard.over");
                self.state(index).guard = None;
            }
            Next::Wait => cx.cover.hit("guard.wait"),
            Next::Quarantine => {
                cx.cover.hit("guard.quarantine");
                cx.broker.may_be_left_out(tp, offset)?;
                self.process_one(cx, index, true)?;
            }
            // Another lane has the mark: only a mistake comes here then.
            Next::Try | Next::TryAgain if self.trial.is_some() => {
                self.process_one(cx, index, false)?;
            }
            Next::Try | Next::TryAgain => self.ask(cx, index, Stage::Asked(offset)),
        }
        self.check(index)
    }

    fn next_trial(&mut self, index: u16) -> Option<(Tp, i64, Next)> {
        let guard = self.state(index).guard?;
        let (tp, tracker) = self.lanes.get_mut(index)?;
        let (_, offset, _) = tracker.next_unprocessed()?;
        Some((tp, offset, guard.next(offset, tracker.frontier())))
    }

    /// Asks for the mark, or for its end.
    fn ask(&mut self, cx: &mut Cx, index: u16, stage: Stage) {
        let Some((tp, tracker)) = self.lanes.get_mut(index) else {
            return;
        };
        cx.cover.hit("guard.ask");
        let (epoch, frontier) = (tracker.epoch(), tracker.frontier());
        let offset = match stage {
            Stage::Asked(offset) => Some(offset),
            _ => None,
        };
        self.trial = Some(Trial {
            index,
            tp,
            epoch,
            stage,
        });
        self.outbox.push_back(ToConsumer::Member(Event::Trying {
            tp,
            epoch,
            frontier,
            offset,
        }));
    }

    /// What became of the mark. No message: the thread looks at it while it waits.
    pub fn marked(&mut self, tp: Tp, epoch: Epoch, offset: Option<i64>) {
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.is_of(tp, epoch)) else {
            return;
        };
        match (trial.stage, offset) {
            (Stage::Asked(asked), Some(offset)) if asked == offset => {
                trial.stage = Stage::Marked(offset);
            }
            (Stage::Clearing, None) => self.trial = None,
            _ => {}
        }
    }

    /// The record that bears the mark is processed; then the next one of the lane may get it at once.
    pub(super) fn go_on(&mut self, cx: &mut Cx) -> Held {
        let Some(&Trial { index, stage, .. }) = self.trial.as_ref() else {
            return Ok(());
        };
        match stage {
            Stage::Clearing => return Ok(()),
            Stage::Asked(_) if !cx.rng.per_mille(20) => return Ok(()),
            Stage::Asked(_) => {
                cx.cover.hit("guard.give_up");
                self.ask(cx, index, Stage::Clearing);
                return Ok(());
            }
            Stage::Marked(_) => {}
        }
        // After a rewind another one is next.
        let next = self.next_trial(index);
        if !next.is_some_and(|(_, offset, _)| stage == Stage::Marked(offset)) {
            self.ask(cx, index, Stage::Clearing);
            return Ok(());
        }
        if !self.process_one(cx, index, false)? {
            return Ok(());
        }
        cx.cover.hit("guard.passed");
        if let Some(guard) = &mut self.state(index).guard {
            guard.passed();
        }
        let stage = match self.next_trial(index) {
            Some((_, offset, Next::Try)) if cx.rng.per_mille(700) => Stage::Asked(offset),
            _ => Stage::Clearing,
        };
        self.ask(cx, index, stage);
        self.check(index)
    }

    /// The lane of a trial drains: nothing of it is tried any more.
    pub(super) fn break_off(&mut self, cx: &mut Cx, index: u16) {
        let trial = self.trial.as_ref().filter(|trial| trial.index == index);
        if trial.is_some_and(|trial| trial.stage != Stage::Clearing) {
            self.ask(cx, index, Stage::Clearing);
        }
    }

    /// What is tried, for a report of what went wrong.
    pub fn describe(&self) -> String {
        let guards: Vec<_> = self
            .states
            .iter()
            .map(|(index, state)| (index, state.guard, state.is_draining))
            .collect();
        format!("trial {:?} guards {guards:?}", self.trial)
    }

    /// Whether the lane has or wants the mark.
    pub(super) fn is_tried(&self, index: u16) -> bool {
        self.trial
            .as_ref()
            .is_some_and(|trial| trial.index == index)
    }
}
