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

    pub(super) fn resolved(
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
}

impl Resolving {
    pub(super) fn try_later(&mut self, now: Millis, fault: StartFault) {
        self.asked = None;
        self.ask_at = now.after(doubled(start::RETRY_MIN, self.attempts, start::RETRY_MAX));
        self.attempts = self.attempts.saturating_add(1);
        self.fault = Some(fault);
    }
}
