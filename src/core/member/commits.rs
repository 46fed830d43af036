//! What is committed, when, and again.
use super::{Action, Active, Batch, CommitEntry, InFlight, Member, Positions, State, doubled};
use crate::core::start::StartFault;
use crate::core::{Epoch, Millis, Note, Tp};

/// The longest wait after a commit that failed.
const RETRY_MAX: Millis = Millis(30_000);

impl Member {
    /// Commits what moved: about every interval, and at once what is news of its owner or waits for nothing but its final
    /// commit.
    pub(super) fn commit(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let is_time = now >= self.commit_at;
        let mut entries = Vec::new();
        let batch = Batch(self.next_number);
        for (tp, state) in &mut self.partitions {
            let State::Active(active) = state else {
                continue;
            };
            let leaving = active.leaving.as_ref();
            let is_last = leaving.is_some_and(|leaving| leaving.released.is_some());
            let is_over = leaving.is_some_and(|leaving| now >= leaving.leave_at);
            let may = active.in_flight.is_none() && now >= active.retry_at && !is_over;
            let Positions {
                frontier,
                committed,
                ..
            } = active.positions;
            let is_due = (is_time || is_last) && frontier > committed;
            let note = active.note();
            if may && (is_due || active.is_news(note, now)) {
                active.in_flight = Some(InFlight {
                    batch,
                    offset: frontier,
                    note,
                });
                entries.push(CommitEntry {
                    tp: *tp,
                    offset: frontier,
                    partitions: active.partitions,
                    note,
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

    /// A guarded lane says which record it is about to process, if any, and is told when the position says the same.
    pub(super) fn trying(&mut self, tp: Tp, epoch: Epoch, frontier: i64, offset: Option<i64>) {
        self.frontier(tp, epoch, frontier);
        if let Some(active) = self.active(tp, epoch) {
            active.trying = offset;
            active.is_told = false;
        }
    }

    /// Tells the lanes that wait for it that the group's position says what they are trying, and nothing else.
    pub(super) fn tell_marks(&mut self, actions: &mut Vec<Action>) {
        for (tp, state) in &mut self.partitions {
            let State::Active(active) = state else {
                continue;
            };
            let is_said = active.in_flight.is_none()
                && active
                    .noted
                    .is_some_and(|note| note.trying == active.trying);
            if !active.is_told && is_said {
                active.is_told = true;
                actions.push(Action::Marked {
                    tp: *tp,
                    epoch: active.positions.epoch,
                    offset: active.trying,
                });
            }
        }
    }

    pub(super) fn commit_answer(&mut self, now: Millis, batch: Batch, results: &[(Tp, bool)]) {
        if let Some(topics) = self.bootstraps.remove(&batch) {
            // Read again in any case: a commit that failed may have been applied all the same.
            let is_good = !results.is_empty() && results.iter().all(|(_, is_good)| *is_good);
            for (tp, state) in &mut self.partitions {
                if let State::Resolving(resolving) = state
                    && topics.contains(&tp.topic)
                    && resolving.asked.is_none()
                {
                    match is_good {
                        true => resolving.ask_at = now,
                        false => resolving.try_later(now, StartFault::Waiting),
                    }
                }
            }
            return;
        }
        for (tp, state) in &mut self.partitions {
            let State::Active(active) = state else {
                continue;
            };
            let Some(InFlight { offset, note, .. }) = active
                .in_flight
                .take_if(|in_flight| in_flight.batch == batch)
            else {
                continue;
            };
            if results.contains(&(*tp, true)) {
                active.positions.committed = offset;
                active.noted = Some(note);
                active.is_mark_unknown = false;
                active.failures = 0;
            } else {
                // It may have been applied all the same.
                active.is_mark_unknown = note.trying.is_some() || active.may_bear_mark();
                active.noted = None;
                if let Some(leaving) = &mut active.leaving {
                    leaving.is_noted |= !note.is_open;
                }
                let wait = doubled(self.config.commit_interval, active.failures, RETRY_MAX);
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

    /// The group goes on without us. While a revoke is open the client neither joins again nor says that everything is lost, so no
    /// commit of what is being given back can succeed: it goes at once, or others would work on the same records for all that time.
    pub(super) fn moved_on(&mut self, now: Millis, batch: Batch, actions: &mut Vec<Action>) {
        // What was sent before the revoke was sent in the generation before: its refusal says nothing of this one.
        if batch < self.revoked_at {
            return;
        }
        let mut left_behind = Vec::new();
        for tp in self.revocations.iter().flatten() {
            if let Some(State::Active(active)) = self.partitions.get_mut(tp)
                && let Some(leaving) = active.leaving.as_mut().filter(|it| it.leave_at > now)
            {
                leaving.abandon_at = leaving.abandon_at.min(now);
                leaving.leave_at = now;
                left_behind.push(*tp);
            }
        }
        if !left_behind.is_empty() {
            actions.push(Action::LeftBehind(left_behind));
        }
    }
}

impl Active {
    /// What the next commit says of the owner.
    pub(super) fn note(&self) -> Note {
        let Positions { frontier, .. } = self.positions;
        let note = match frontier > self.began {
            true => self.found.moved(frontier),
            false => self.found,
        };
        let is_last = |leaving: &super::Leaving| leaving.released.is_some();
        match self.leaving.as_ref().is_some_and(is_last) {
            true => note.closed(),
            false => Note {
                trying: self.trying,
                ..note
            },
        }
    }

    /// Whether the group's position should say so at once: it is to say that the partition is owned, or left in order, or
    /// which record is tried. The last word is tried once, and not for long.
    pub(super) fn is_news(&self, note: Note, now: Millis) -> bool {
        let is_enough = self.leaving.as_ref().is_some_and(|leaving| {
            let is_late = leaving.released.is_some() && now >= leaving.note_until;
            (leaving.is_noted || is_late) && !self.may_bear_mark()
        });
        self.noted != Some(note) && !is_enough
    }

    /// Whether the group's position may say that a record is tried, for all that is known.
    pub(super) fn may_bear_mark(&self) -> bool {
        let is_said = self.noted.is_some_and(|note| note.trying.is_some());
        let is_on_its_way = self
            .in_flight
            .as_ref()
            .is_some_and(|it| it.note.trying.is_some());
        is_said || is_on_its_way || self.is_mark_unknown
    }
}
