//! What delivery reports say, and what follows when they say that something failed.

use super::*;

impl PipelineThread {
    pub(super) fn take_reports(&mut self) -> bool {
        for sink in &mut self.sinks {
            sink.reports(&mut self.reports);
            for one in sink.errors() {
                let (connection, code) = (sink.connection(), one.error.name());
                self.metrics
                    .kafka_errors(connection, "producer", code, one.count);
                tracing::warn!(
                    topology = self.plan.id, connection, error = %one.error, detail = one.detail, count = one.count,
                    "a producer reports an error and goes on"
                );
            }
        }
        if self.reports.is_empty() {
            return false;
        }
        let now = self.clock.now();
        let now_ms = crate::pipeline::epoch_ms();
        let mut reports = std::mem::take(&mut self.reports);
        let mut is_failed = false;
        for report in reports.drain(..) {
            let id = DeliveryId::unpack(report.opaque);
            match report.error {
                None => {
                    self.renewals.reset();
                    self.arrived(id, report.bytes, now, now_ms);
                }
                Some(error) => is_failed |= self.failed(id, error),
            }
        }
        self.reports = reports;
        if is_failed {
            self.renew();
        }
        true
    }

    pub(super) fn arrived(&mut self, id: DeliveryId, bytes: usize, now: Millis, now_ms: i64) {
        #[cfg(test)]
        if crate::pipeline::planted::strikes(crate::pipeline::planted::Mutant::ReportLost) {
            return;
        }
        let Some((_, tracker)) = self.lanes.of(id) else {
            return;
        };
        if id.delivery() != BEFORE_ROUTES
            && !tracker.is_buried(id)
            && let Some((_, _, held)) = tracker.get(id)
        {
            let seconds = (now.0 - held.fetched.0) as f64 / 1000.0;
            let age = held
                .record
                .timestamp_ms()
                .map(|at| (now_ms - at) as f64 / 1000.0);
            self.lane_metrics
                .delivered(u16::from(id.delivery()), bytes, seconds, age);
        }
        if tracker.delivered(id) == Acked::Stale {
            tracing::trace!(?id, "a report of an earlier attempt");
        }
    }

    /// Notes what a failed delivery means for its lane. Returns whether the producer has to be replaced.
    pub(super) fn failed(&mut self, id: DeliveryId, error: KafkaError) -> bool {
        let (class, reason) = classify::produce(error);
        let Some((_, tracker)) = self.lanes.of(id) else {
            return false;
        };
        let is_letter = tracker.is_buried(id);
        let Some((_, offset, held)) = tracker.get(id) else {
            return false;
        };
        let Some(lane) = self.states[usize::from(id.lane())].as_mut() else {
            return false;
        };
        let topic = topic_of(&self.plan, id.delivery(), is_letter);
        if id.delivery() != BEFORE_ROUTES {
            self.lane_metrics
                .retried(u16::from(id.delivery()), class_name(class));
        }
        match class {
            // Its neighbours in the batch were refused with it: find out whose fault it is.
            classify::Class::Record
                if lane.single_until.is_none() || lane.suspected_in == id.tag() =>
            {
                lane.single_until = lane.single_until.max(Some(offset));
                lane.suspected_in = id.tag();
            }
            classify::Class::Record if !lane.is_exhausted(offset, id.delivery()) => {
                let message = format!("the broker refused the record: {error}");
                lane.condemn(offset, id.delivery(), reason, message);
            }
            // Not even a stub of the dead letter is taken: that is the topic.
            classify::Class::Record | classify::Class::Topic | classify::Class::Retry => {
                let is_poisoned = self.stop.is_stopped();
                if let Some(until) = lane.hold(topic, offset, self.clock.now(), is_poisoned) {
                    record_event!(
                        Level::WARN,
                        source_of(&self.plan, &held.record, self.correlation.as_deref()),
                        reason,
                        topology = self.plan.id,
                        %error,
                        "an output topic takes nothing: waiting, nothing is lost"
                    );
                    self.wait_together(topic, until);
                }
            }
            classify::Class::Fatal | classify::Class::Purged => {
                record_event!(
                    Level::DEBUG,
                    source_of(&self.plan, &held.record, self.correlation.as_deref()),
                    reason,
                    topology = self.plan.id,
                    %error,
                    "a delivery failed and is sent again"
                );
            }
        }
        true
    }

    /// Lanes that wait for the same topic try again at the same time: every try that fails costs a producer.
    pub(super) fn wait_together(&mut self, topic: Option<u16>, at: Millis) {
        for lane in self.states.iter_mut().flatten() {
            if let Block::Sink {
                topic: other,
                until,
            } = &mut lane.block
                && *other == topic
            {
                *until = at.max(*until);
            }
        }
    }

    /// New producers, and everything from the frontiers on again: what failed, and what must not overtake it.
    pub(super) fn renew(&mut self) {
        // The first one begins at once. Where nothing arrives in between, the next ones take their time.
        let is_again = self.renewals.attempts() > 0;
        let wait = self.renewals.fail(rand::random()).0 + 100;
        let until = self.clock.now().after(Millis(wait));
        let is_poisoned = self.stop.is_stopped();
        for sink in &mut self.sinks {
            let fatal = sink.fatal();
            if let Err(error) = sink.renew() {
                // The old one goes on as it is; its next failure leads here again.
                tracing::error!(%error, connection = sink.connection(), "a new producer could not be made");
                continue;
            }
            if let Some(error) = &fatal {
                self.metrics
                    .kafka_errors(sink.connection(), "producer", error.error.name(), 1);
            }
            tracing::warn!(
                connection = sink.connection(),
                why = fatal.map(|error| error.to_string()),
                "a producer failed: a new one sends again from the frontier"
            );
        }
        self.deliveries.clear();
        self.outputs.clear();
        for (index, _, tracker) in self.lanes.iter_mut() {
            if tracker.is_idle() {
                continue;
            }
            tracker.rewind();
            if let Some(lane) = self.states[usize::from(index)].as_mut() {
                lane.attempts += 1;
                if lane.is_draining {
                    lane.release(tracker);
                } else if matches!(lane.block, Block::Sink { .. }) {
                    // It waits already.
                } else if is_again {
                    lane.set_block(Block::Sink { topic: None, until }, is_poisoned);
                } else {
                    // What it waited for may be far behind the records that are sent again.
                    lane.set_block(Block::Open, is_poisoned);
                }
            }
        }
    }

    /// A delivery that could not be enqueued. Returns whether the producer has to be replaced.
    pub(super) fn refused(&mut self, pending: Pending, error: EnqueueError) -> bool {
        let Some((_, tracker)) = self.lanes.of(pending.id) else {
            return false;
        };
        let Some((_, offset, held)) = tracker.get(pending.id) else {
            return false;
        };
        let Some(lane) = self.states[usize::from(pending.id.lane())].as_mut() else {
            return false;
        };
        match &error {
            EnqueueError::Full => {}
            // Its size was checked against the topic's limit, so the client's own limit is smaller: as if the broker had refused it.
            EnqueueError::TooLarge => {
                let message = "larger than the client's message.max.bytes".to_owned();
                let delivery = pending.id.delivery();
                if !lane.is_exhausted(offset, delivery) {
                    lane.condemn(offset, delivery, "output_too_large", message);
                } else {
                    let topic = Some(pending.topic);
                    lane.hold(topic, offset, self.clock.now(), self.stop.is_stopped());
                }
            }
            EnqueueError::UnknownTopic | EnqueueError::UnknownPartition => {
                let wait = lane.backoff.fail(rand::random()).0.clamp(100, 1_000);
                lane.set_block(
                    Block::Sink {
                        topic: Some(pending.topic),
                        until: self.clock.now().after(Millis(wait)),
                    },
                    false,
                );
                self.topics
                    .set_trouble(pending.topic, Some(error.to_string()));
            }
            EnqueueError::Other(_) => {
                let topic = Some(pending.topic);
                lane.hold(topic, offset, self.clock.now(), self.stop.is_stopped());
            }
            EnqueueError::Fatal(_) => {}
        }
        record_event!(
            Level::DEBUG,
            source_of(&self.plan, &held.record, self.correlation.as_deref()),
            Reason::Sink.as_str(),
            topology = self.plan.id,
            %error,
            "a delivery could not be enqueued and is tried again"
        );
        true
    }
}

/// The topic that a delivery of this number was for, if its route has no choice: what is looked at before it is tried again.
fn topic_of(plan: &Plan, number: u8, is_letter: bool) -> Option<u16> {
    if is_letter || number == BEFORE_ROUTES {
        return Some(plan.dead_letter);
    }
    match plan.routes.get(usize::from(number))?.topics.as_slice() {
        [topic] => Some(*topic),
        _ => None,
    }
}

fn class_name(class: classify::Class) -> &'static str {
    match class {
        classify::Class::Retry => "retry",
        classify::Class::Topic => "config",
        classify::Class::Record => "poison",
        classify::Class::Fatal | classify::Class::Purged => "unknown",
    }
}
