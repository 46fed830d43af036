//! What is committed, when, and again.
use super::{Action, Batch, CommitEntry, Member, Positions, State, doubled};
use crate::core::start::StartFault;
use crate::core::{Millis, Tp};

/// The longest wait after a commit that failed.
const RETRY_MAX: Millis = Millis(30_000);

impl Member {
    /// Commits what moved: about every interval, and at once for what waits for nothing but its final commit.
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
            let is_due = (is_time || is_last) && now >= active.retry_at && !is_over;
            let Positions {
                frontier,
                committed,
                ..
            } = active.positions;
            if is_due && frontier > committed && active.in_flight.is_none() {
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
