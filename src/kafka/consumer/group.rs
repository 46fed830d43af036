//! The member's side of a rebalance: what the group has asked, and our answers.
//!
//! **Rebalance.** The library's callback only records what it was told, and the application answers when it is ready:
//! `Assigned` → [`Consumer::incremental_assign`], `Revoked` or `Lost` → [`Consumer::incremental_unassign`]. That the answer may come later
//! and from outside the callback is how the library works: after it has posted the callback its group state waits for the call
//! (`WAIT_ASSIGN_CALL`, `WAIT_UNASSIGN_CALL`), while heartbeats, commits and their answers go on, for up to `max.poll.interval.ms`.
//! Three consequences, all from its source:
//! - Between callback and answer the library pauses the fetch of *all* partitions of this member. A long drain of one partition holds up the others.
//! - The first `unassign` call completes the revocation, whatever it names. So answers for part of the revoked partitions are
//!   collected here, and the call is made when the last of them is answered for. A partial assign is fine: the rest is added later.
//! - While a revoke is open it does not tell that partitions are lost. That commits are refused for an old generation is the only sign of it.
//!
//! **Both protocols.** Under the eager protocol the library wants `assign` with everything and `assign` with nothing; the same two methods
//! do that. Partitions that were assigned before keep their place.

use std::ptr::null;

use super::*;

/// What the library waits for us to answer.
pub(super) enum Question {
    Nothing,
    Assign,
    /// With the partitions that are not answered for yet.
    Revoke(BTreeSet<Tp>),
}

impl Consumer {
    /// Follows what the group told.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Assigned(partitions) => {
                self.owned.extend(partitions);
                self.question = Question::Assign;
            }
            Event::Revoked(partitions) | Event::Lost(partitions) => {
                self.owned.retain(|at| !partitions.contains(at));
                self.question = Question::Revoke(partitions.iter().copied().collect());
            }
            _ => {}
        }
    }

    /// Starts to fetch these partitions, each at its offset (the next record to read), and so answers [`Event::Assigned`]. Partitions that
    /// were taken back in the meantime are left out. May be called again for the rest of what the group gave.
    pub fn incremental_assign(&mut self, positions: &[Position]) -> Result<(), ClientError> {
        let new: BTreeMap<Tp, i64> = positions
            .iter()
            .filter(|position| self.owned.contains(&position.partition))
            .map(|position| (position.partition, position.offset))
            .collect();
        let is_answer = matches!(self.question, Question::Assign);
        if new.is_empty() && !is_answer {
            return Ok(());
        }
        for &at in new.keys() {
            self.queues.open(&self.client, at)?;
        }
        let attempted = "take over partitions from the group";
        if self.is_eager() {
            let mut all = self.positions()?;
            all.extend(&new);
            let list = self
                .client
                .list(all.iter().map(|(&at, &offset)| (at, offset)));
            // SAFETY: client and list are live; the library copies the list.
            let code = unsafe { sys::rd_kafka_assign(self.client.native.as_ptr(), list.as_ptr()) };
            self.checked(attempted, code)?;
            // The others begin anew too, and until their next record the library does not say where.
            self.assigned = all;
        } else {
            let list = self
                .client
                .list(new.iter().map(|(&at, &offset)| (at, offset)));
            // SAFETY: as above; the error object is ours.
            unsafe {
                check(
                    attempted,
                    sys::rd_kafka_incremental_assign(self.client.native.as_ptr(), list.as_ptr()),
                )?
            };
        }
        self.halted.retain(|at, _| !new.contains_key(at));
        self.assigned.extend(new);
        if is_answer {
            self.question = Question::Nothing;
        }
        Ok(())
    }

    /// Gives these partitions back, and so answers [`Event::Revoked`] and [`Event::Lost`]; the group goes on when all revoked partitions are
    /// answered for. From then on nothing of them arrives.
    pub fn incremental_unassign(&mut self, partitions: &[Tp]) -> Result<(), ClientError> {
        let Question::Revoke(remaining) = &mut self.question else {
            return Ok(());
        };
        remaining.retain(|at| !partitions.contains(at));
        if !remaining.is_empty() {
            return Ok(());
        }
        let attempted = "give partitions back to the group";
        if self.is_eager() {
            // SAFETY: null means nothing at all.
            let code = unsafe { sys::rd_kafka_assign(self.client.native.as_ptr(), null()) };
            self.checked(attempted, code)?;
        } else {
            // The library refuses a list with a partition that was never started, and takes an empty one.
            let gone: Vec<Tp> = self
                .assigned
                .keys()
                .filter(|at| !self.owned.contains(at))
                .copied()
                .collect();
            let list = self.client.list(gone.iter().map(|&at| (at, 0)));
            // SAFETY: client and list are live; the error object is ours.
            unsafe {
                check(
                    attempted,
                    sys::rd_kafka_incremental_unassign(self.client.native.as_ptr(), list.as_ptr()),
                )?
            };
        }
        let owned = &self.owned;
        self.assigned.retain(|at, _| owned.contains(at));
        self.passed.retain(|at, _| owned.contains(at));
        self.queues.retain(|at| owned.contains(at));
        self.question = Question::Nothing;
        Ok(())
    }

    /// Leaves the group, waiting no longer than `timeout`; true if the group was left in good order. Drain and commit before: what the group still
    /// asks is answered with "gone" here. Commit answers that arrive are appended to `events`.
    pub fn close(mut self, timeout: Duration, events: &mut Vec<Event>) -> bool {
        let deadline = Instant::now() + timeout;
        self.is_closed = true;
        self.owned.clear();
        let rk = self.client.native.as_ptr();
        // SAFETY: client and queue are live; the error object is ours.
        let started = unsafe {
            check(
                "leave the group",
                sys::rd_kafka_consumer_close_queue(rk, self.client.queue.as_ptr()),
            )
        };
        if let Err(error) = started {
            tracing::warn!(%error, "the group was not left in good order");
            return false;
        }
        loop {
            let answered = match self.question {
                Question::Nothing => Ok(()),
                Question::Assign => self.incremental_assign(&[]),
                Question::Revoke(ref mut remaining) => {
                    remaining.clear();
                    self.incremental_unassign(&[])
                }
            };
            if let Err(error) = answered {
                tracing::warn!(%error, "the group was not left in good order");
                return false;
            }
            // SAFETY: the client is live.
            if unsafe { sys::rd_kafka_consumer_closed(rk) } != 0 {
                return true;
            }
            let now = Instant::now();
            if now >= deadline {
                tracing::warn!(
                    ?timeout,
                    "the group was not left in time; it will notice by the end of the session"
                );
                return false;
            }
            self.poll(
                100,
                (deadline - now).min(Duration::from_millis(100)),
                &mut Vec::new(),
                events,
            );
            self.owned.clear();
        }
    }

    fn is_eager(&self) -> bool {
        // SAFETY: the client is live; the answer is null or a static C string.
        let protocol = unsafe {
            let name = sys::rd_kafka_rebalance_protocol(self.client.native.as_ptr());
            if name.is_null() {
                c"NONE"
            } else {
                CStr::from_ptr(name)
            }
        };
        protocol != c"COOPERATIVE"
    }
}
