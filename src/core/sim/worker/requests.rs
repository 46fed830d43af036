//! What a worker asks of the broker: where its partitions begin, and to keep positions. Questions and answers are each as late as the
//! schedule pleases, may fail, and may be answered without a word.
use super::{Cx, Worker};
use crate::core::Tp;
use crate::core::member::{Batch, CommitEntry, Event};
use crate::core::sim::{Held, hold};
use crate::core::start::{self, StartFault};

pub struct Sent {
    pub batch: Batch,
    pub entries: Vec<CommitEntry>,
    pub seat: u32,
    pub generation: u32,
    pub is_initial: bool,
}

impl Worker {
    pub(super) fn send_commit(
        &mut self,
        cx: &mut Cx,
        batch: Batch,
        entries: Vec<CommitEntry>,
    ) -> Held {
        let is_initial = entries.iter().any(|entry| self.epoch(entry.tp).is_none());
        for CommitEntry {
            tp,
            offset,
            partitions,
            ..
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
                start::resolve(&cx.broker.topic_view(&view), &partitions).append_to(
                    topic,
                    &mut initial,
                    &mut positions,
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
        // A mark that lands when its partition was given back, for want of time, stands there by chance.
        for CommitEntry { tp, .. } in entries.iter().filter(|_| is_applied) {
            if !self.client.group.contains(tp) && cx.broker.given_up(seat, *tp) {
                cx.cover.hit("guard.chance");
            }
        }
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
        if !fails && !is_applied {
            self.answers.push_back(Event::MovedOn(batch));
        }
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
}
