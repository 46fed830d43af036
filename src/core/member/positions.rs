//! Where assigned partitions begin: asking, the first start of an empty group, and the answers.
use std::collections::BTreeSet;

use super::{Action, Active, CommitEntry, Member, Positions, Request, Resolving, State, doubled};
use crate::core::member::Batch;
use crate::core::start::{self, Start, StartFault};
use crate::core::{Epoch, Millis, Tp};

impl Member {
    pub(super) fn ask_positions(&mut self, now: Millis, actions: &mut Vec<Action>) {
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

    pub(super) fn bootstrap(
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
                resolving.asked = None;
                resolving.ask_at = Millis(u64::MAX);
                resolving.fault = Some(StartFault::Waiting);
            }
        }
        self.bootstraps.insert(batch, topics);
        let entry = |(tp, start): (Tp, Start)| CommitEntry {
            tp,
            offset: start.offset,
            partitions: start.partitions,
            note: start.note,
        };
        actions.push(Action::Commit(
            batch,
            entries.into_iter().map(entry).collect(),
        ));
    }

    pub(super) fn resolved(
        &mut self,
        now: Millis,
        request: Request,
        positions: Vec<(Tp, Result<Start, StartFault>)>,
        actions: &mut Vec<Action>,
    ) {
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
                Ok(start) => {
                    let epoch = Epoch(self.next_epoch);
                    self.next_epoch += 1;
                    *state = State::Active(Active::new(epoch, start, self.config.has_guard));
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
    }

    /// Opens the lanes of partitions whose positions say that they are owned, or could not be made to say so: what is not
    /// counted then is a death, and a partition that stands still for its counting would be worse.
    pub(super) fn open_lanes(&mut self, actions: &mut Vec<Action>) {
        let mut assign = Vec::new();
        for (tp, state) in &mut self.partitions {
            let State::Active(active) = state else {
                continue;
            };
            let is_written = active.noted == Some(active.note()) || active.failures > 0;
            if active.is_open || active.leaving.is_some() || !is_written {
                continue;
            }
            active.is_open = true;
            let Positions {
                epoch, frontier, ..
            } = active.positions;
            let records = self.config.in_flight_records;
            actions.push(Action::OpenLane {
                tp: *tp,
                epoch,
                offset: frontier,
                note: active.found,
                is_after_death: active.is_after_death,
                guard: active.found.guard(frontier, active.end, records),
            });
            assign.push((*tp, frontier, epoch));
        }
        if !assign.is_empty() {
            actions.push(Action::Assign(assign));
        }
    }
}

impl Resolving {
    pub(super) fn try_later(&mut self, now: Millis, fault: StartFault) {
        self.asked = None;
        self.ask_at = now.after(doubled(start::RETRY_MIN, self.attempts, start::RETRY_MAX));
        self.attempts = self.attempts.saturating_add(1);
        self.fault = Some(fault);
    }
}
