//! Carries out what the member and the flow decide.

use super::*;

impl ConsumerThread {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::ResolvePositions(request, tps) => {
                let sender = self.parts.sender.clone();
                let (handle, plan) = (self.handle.clone(), self.parts.plan.clone());
                let resolve = move || {
                    let (initial, positions) = positions::resolve(&handle, &plan, &tps);
                    let event = Event::Positions {
                        request,
                        initial,
                        positions,
                    };
                    if sender.send(ToConsumer::Positions(event)).is_ok() {
                        handle.wake();
                    }
                };
                spawn("lockgate-positions", resolve);
            }
            Action::Assign(positions) => {
                let positions: Vec<kafka::Position> = positions
                    .iter()
                    .map(|(tp, offset, _)| kafka::Position {
                        partition: *tp,
                        offset: *offset,
                    })
                    .collect();
                if let Err(error) = self.parts.consumer.incremental_assign(&positions) {
                    self.give_up(error);
                }
            }
            Action::OpenLane {
                tp,
                epoch,
                offset,
                note,
                is_after_death,
                guard,
            } => {
                let topic = &self.parts.plan.sources[usize::from(tp.topic)].topic;
                let id = &self.parts.plan.id;
                self.parts
                    .metrics
                    .owned(id, topic, tp.partition, is_after_death);
                if is_after_death {
                    self.tell_death(tp, offset, note, guard);
                }
                self.open(tp, epoch, offset, guard);
            }
            Action::Marked { tp, epoch, offset } => {
                if let Some(link) = self.links.get(&tp).filter(|link| link.epoch == epoch) {
                    link.link.mark(offset);
                    self.parts.threads[link.thread].bell.ring();
                }
            }
            Action::DrainLane { tp, epoch } => {
                if let Some(link) = self.links.get(&tp).filter(|link| link.epoch == epoch) {
                    link.link.leave();
                    self.flow
                        .set(tp, epoch, Reason::Drain, true, &mut self.turns);
                    self.parts.threads[link.thread].send(ToThread::Drain { tp, epoch });
                }
            }
            Action::AbandonLane { tp, epoch } => {
                if let Some(link) = self.links.get(&tp).filter(|link| link.epoch == epoch) {
                    link.link.give_up();
                    self.parts.threads[link.thread].send(ToThread::Abandon { tp, epoch });
                }
            }
            Action::Commit(batch, entries) => self.commit(batch, entries),
            Action::Unassign(tps) => {
                self.is_revoking = false;
                if let Err(error) = self.parts.consumer.incremental_unassign(&tps) {
                    self.give_up(error);
                }
            }
            Action::LeftBehind(tps) => {
                self.parts.metrics.rebalanced(&self.parts.plan.id, "lost");
                tracing::warn!(topology = self.parts.plan.id, partitions = %self.names(&tps), "lost while they were given back: the group has gone on without this member");
            }
            Action::Stopped(tp, fault) => {
                let topic = &self.parts.plan.sources[usize::from(tp.topic)].topic;
                tracing::error!(topic, partition = tp.partition, why = %fault, "this partition stands still");
            }
            Action::Done(leftovers) => {
                let name = |tp: Tp| self.parts.plan.sources[usize::from(tp.topic)].topic.clone();
                self.ended.leftovers = leftovers
                    .into_iter()
                    .map(|leftover| (name(leftover.tp), leftover.tp.partition, leftover))
                    .collect();
            }
        }
    }

    /// Says that the worker that had the partition before died at this position, and what follows.
    fn tell_death(&self, tp: Tp, offset: i64, note: Note, guard: Option<Guard>) {
        let topic = &self.parts.plan.sources[usize::from(tp.topic)].topic;
        let partition = tp.partition;
        let what = match guard {
            None => "its records go on as usual",
            Some(guard) if guard.convicted().is_none() => {
                "its records pass one by one now, to find the one that ends the process"
            }
            Some(_) => {
                "the record at which it died again and again goes to the dead letters unread"
            }
        };
        tracing::warn!(
            topic,
            partition,
            offset,
            deaths = note.deaths,
            deaths_max = guard::DEATHS_MAX,
            suspect = note.suspect.map(|suspect| suspect.offset),
            tries = note.suspect.map(|suspect| suspect.deaths),
            "the worker that had this partition before did not leave it in order: {what}"
        );
    }

    pub(super) fn open(&mut self, tp: Tp, epoch: Epoch, position: i64, guard: Option<Guard>) {
        let topic = &self.parts.plan.sources[usize::from(tp.topic)].topic;
        let metrics = self
            .parts
            .metrics
            .partition(&self.parts.plan.id, topic, tp.partition);
        let link = LaneLink::new(position);
        let thread = (usize::from(tp.topic) + tp.partition.unsigned_abs() as usize)
            % self.parts.threads.len();
        let message = ToThread::Open {
            tp,
            epoch,
            position,
            guard,
            link: link.clone(),
            metrics: metrics.clone(),
        };
        self.parts.threads[thread].send(message);
        self.flow.assigned(tp, epoch, &mut self.turns);
        let link = Link {
            epoch,
            thread,
            link,
            metrics,
            consumed_records: 0,
            consumed_bytes: 0,
            done: Amount::default(),
            frontier: position,
            position,
            is_position_lost: false,
        };
        self.links.insert(tp, link);
    }

    pub(super) fn commit(&mut self, batch: Batch, entries: Vec<CommitEntry>) {
        let metadata: Vec<String> = entries
            .iter()
            .map(|entry| start::metadata(entry.partitions, entry.note))
            .collect();
        let offsets: Vec<(kafka::Position, &[u8])> = entries
            .iter()
            .zip(&metadata)
            .map(|(entry, metadata)| {
                let position = kafka::Position {
                    partition: entry.tp,
                    offset: entry.offset,
                };
                (position, metadata.as_bytes())
            })
            .collect();
        if let Err(error) = self.parts.consumer.commit_queue(batch.0, &offsets) {
            tracing::warn!(%error, "a commit could not be sent: it is tried again from the frontier");
            self.unsent.push((batch, entries));
        }
    }

    /// Answers commits that never left, outside the member's own step.
    pub(super) fn answer_unsent(&mut self) {
        for (batch, entries) in std::mem::take(&mut self.unsent) {
            let results = entries.iter().map(|entry| (entry.tp, false)).collect();
            self.step(Event::CommitAnswer { batch, results });
        }
    }

    pub(super) fn turn(&mut self) {
        for turn in std::mem::take(&mut self.turns) {
            match turn {
                Turn::Pause(tp) => self.parts.consumer.pause(&[tp]),
                Turn::Resume(tp) => self.parts.consumer.resume(&[tp]),
            }
        }
    }

    pub(super) fn give_up(&mut self, error: ClientError) {
        tracing::error!(topology = self.parts.plan.id, %error, "the group's answer could not be given: the worker ends");
        self.ended.error = Some(error);
        self.is_fatal = true;
    }

    pub(super) fn ask_ends(&self) {
        let sender = self.parts.sender.clone();
        let (handle, plan) = (self.handle.clone(), self.parts.plan.clone());
        spawn("lockgate-ends", move || {
            let ends = positions::ends(&handle, &plan);
            if ends.is_err() {
                std::thread::sleep(ENDS_RETRY);
            }
            if sender.send(ToConsumer::Ends(ends)).is_ok() {
                handle.wake();
            }
        });
    }
}
