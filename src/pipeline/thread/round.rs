//! A round: records of the lanes in turn, through the plan and into the producers' queues.

use super::*;

/// Records processed between two looks at messages and reports.
const ROUND_RECORDS: usize = 1024;

/// Records of one lane in a round, so that one full lane does not keep others waiting.
const ROUND_RECORDS_PER_LANE: usize = 256;

/// Output bytes after which a round ends.
const ROUND_BYTES: usize = 1 << 20;

/// Records behind a waiting one whose schemas are asked for along with its own.
const AHEAD_RECORDS: usize = 1000;

/// Schemas that a lane asks for at once, at most: random ids must not cost the registry more than patience.
const AHEAD_SCHEMAS_MAX: usize = 32;

impl PipelineThread {
    /// Processes a round of records. Returns whether anything was done.
    pub(super) fn round(&mut self) -> bool {
        if !self.flush() || self.stop.is_stopped() {
            return false;
        }
        self.unblock();
        if let Some(index) = self.single_lane() {
            // One at a time, alone in its batch: nothing of others may be under way.
            let is_quiet = self.sinks.iter().all(|sink| sink.outstanding() == 0);
            let is_busy = is_quiet && self.process_lane(index, 1) > 0;
            self.flush();
            return is_busy;
        }
        let lanes = self.states.len();
        let mut left = ROUND_RECORDS;
        for step in 0..lanes {
            let index = (self.turn + step) % lanes;
            if left == 0 || self.outputs.bytes.len() >= ROUND_BYTES {
                break;
            }
            left -= self.process_lane(index as u16, left.min(ROUND_RECORDS_PER_LANE));
        }
        self.turn = (self.turn + 1) % lanes.max(1);
        let is_busy = left < ROUND_RECORDS;
        if is_busy {
            self.flush();
        }
        is_busy
    }

    /// The lane whose suspects are being sent singly, if there is one that can go on.
    pub(super) fn single_lane(&self) -> Option<u16> {
        let is_single = |lane: &Option<Lane>| {
            lane.as_ref().is_some_and(|lane| {
                lane.single_until.is_some() && lane.block == Block::Open && !lane.is_draining
            })
        };
        self.states
            .iter()
            .position(is_single)
            .map(|index| index as u16)
    }

    /// Lanes whose time has come look again.
    pub(super) fn unblock(&mut self) {
        let now = self.clock.now();
        for lane in self.states.iter_mut().flatten() {
            if let Block::Sink { topic, until } = lane.block
                && now >= until
            {
                if topic.is_none_or(|topic| self.topics.partitions(topic).is_some()) {
                    lane.set_block(Block::Open, false);
                } else {
                    let wait = lane.backoff.fail(rand::random()).0.clamp(50, 1_000);
                    lane.set_block(
                        Block::Sink {
                            topic,
                            until: now.after(Millis(wait)),
                        },
                        false,
                    );
                }
            }
        }
    }

    /// Processes up to `max` records of a lane; returns how many.
    pub(super) fn process_lane(&mut self, index: u16, max: usize) -> usize {
        let mut processed = 0;
        if self.is_guarded(index) {
            return 0;
        }
        while processed < max && self.outputs.bytes.len() < ROUND_BYTES && self.process_one(index) {
            processed += 1;
        }
        processed
    }

    /// Processes the next record of a lane; false if it has none, or cannot go on.
    pub(super) fn process_one(&mut self, index: u16) -> bool {
        let Some(lane) = self.states[usize::from(index)].as_mut() else {
            return false;
        };
        if lane.block != Block::Open || lane.is_draining {
            return false;
        }
        let Some((_, tracker)) = self.lanes.get_mut(index) else {
            return false;
        };
        if lane.careful_until.is_some() && !tracker.is_idle() {
            return false;
        }
        let Some((seq, offset, held)) = tracker.next_unprocessed() else {
            return false;
        };
        let mut opening = Opening {
            plan: &self.plan,
            topics: &self.topics,
            programs: &mut self.programs,
            processor: &mut self.processor,
            outputs: &mut self.outputs,
            deliveries: &mut self.deliveries,
            metrics: &mut self.lane_metrics,
            judges: &self.judges,
            correlation: self.correlation.as_deref().map(str::as_bytes),
        };
        let opened = opening.process(lane, &*tracker, seq, held);
        // What waits leaves no trace, so that it is news when its turn comes.
        let waits = matches!(
            opened,
            Opened::Missing(_) | Opened::Incompatible { .. } | Opened::Blocked(_)
        );
        if !waits {
            lane.judged_until = lane.judged_until.max(offset + 1);
            lane.told(offset);
        }
        match opened {
            Opened::Deliveries { numbers, buried } => {
                tracker.opened_as(seq, numbers);
                let mut left = buried;
                while left != 0 {
                    tracker.bury(tracker.delivery(seq, left.trailing_zeros() as u8));
                    left &= left - 1;
                }
                true
            }
            Opened::Filtered => {
                tracker.dispose(seq, Disposition::Filtered);
                true
            }
            Opened::Missing(mut places) => {
                lane.set_block(Block::Schema, false);
                // The waits for the schemas of the records behind it overlap with this one.
                let source = lane.tp.topic;
                for (_, held) in tracker.unprocessed().take(AHEAD_RECORDS) {
                    if places.len() >= AHEAD_SCHEMAS_MAX {
                        break;
                    }
                    let headers: Vec<_> = held.record.headers().collect();
                    let (key, value) = (held.record.key(), held.record.value());
                    let Ok(ids) = self.plan.ids(source, key, value, &headers) else {
                        continue;
                    };
                    if let Needs::Missing(more) = self.programs.find(source, ids) {
                        places.extend(
                            more.into_iter()
                                .filter(|place| !places.contains(place))
                                .collect::<Vec<_>>(),
                        );
                    }
                }
                places.into_iter().for_each(|place| self.ask(place));
                false
            }
            Opened::Incompatible { schema_id, why } => {
                record_event!(
                    Level::ERROR,
                    source_of(&self.plan, &held.record, self.correlation.as_deref()),
                    Reason::IncompatibleSchema.as_str(),
                    topology = self.plan.id,
                    %schema_id,
                    why,
                    "this partition stops: incompatible_schema. Deploy a topology whose schema can read this one, or skip the record"
                );
                lane.set_block(Block::Incompatible, false);
                false
            }
            Opened::Blocked(topic) => {
                let wait = lane.backoff.fail(rand::random()).0.clamp(50, 1_000);
                record_event!(
                    Level::WARN,
                    source_of(&self.plan, &held.record, self.correlation.as_deref()),
                    Reason::Sink.as_str(),
                    topology = self.plan.id,
                    topic = self.plan.topics[usize::from(topic)].topic,
                    why = self.topics.trouble(topic),
                    "an output topic cannot be written to: waiting, nothing is lost"
                );
                lane.set_block(
                    Block::Sink {
                        topic: Some(topic),
                        until: self.clock.now().after(Millis(wait)),
                    },
                    false,
                );
                false
            }
            Opened::Poisoned(why) => {
                let why = format!("{why}; the last one is {}{offset}", lane.prefix);
                self.halt(why);
                false
            }
        }
    }

    /// Asks the registry for a schema; the answer is compiled where it arrives and comes as a message.
    pub(super) fn ask(&mut self, place: Place) {
        if !self.asked.insert(place) {
            return;
        }
        let (plan, inlet) = (self.plan.clone(), self.inlet.clone());
        let (sightings, metrics) = (self.sightings.clone(), self.metrics.clone());
        self.registry.request(place.id, move |answer| {
            let known = match answer {
                Answer::Found(writer) => {
                    let compile = || programs::compile(&plan, place, &writer);
                    // A panic here would end the registry's task, and every lane would wait for ever.
                    let known = std::panic::catch_unwind(AssertUnwindSafe(compile));
                    let known = known.unwrap_or_else(|_| {
                        let why = format!("schema {} brings the compiler down: a defect", place.id);
                        Known::Refused(Arc::new(Refusal::Incompatible(why)))
                    });
                    sightings.note(&plan, &metrics, place, &writer, &known);
                    known
                }
                Answer::Unusable(why) => Known::Refused(Arc::new(Refusal::Wrong(format!(
                    "schema {}: {why}",
                    place.id
                )))),
                Answer::Unknown => Known::Unknown(std::time::Instant::now()),
            };
            inlet.send(ToThread::Learned(place, known));
        });
    }

    /// Too much poison: every lane of the topology stands still until somebody has looked.
    pub(super) fn halt(&mut self, why: String) {
        if self.stop.stop(why.clone()) {
            tracing::error!(
                topology = self.plan.id,
                why,
                "stopped: too many records are judged poison. Look at the dead letters, mend the cause, restart"
            );
        }
        self.mark_poisoned();
    }

    pub(super) fn mark_poisoned(&mut self) {
        for lane in self.states.iter_mut().flatten() {
            let block = lane.block.clone();
            lane.set_block(block, true);
        }
    }

    /// Enqueues what the round brought; true if nothing is left over.
    pub(super) fn flush(&mut self) -> bool {
        while !self.deliveries.is_empty() {
            let mut flush = Flush {
                plan: &self.plan,
                lanes: &mut self.lanes,
                states: &self.states,
                outputs: &self.outputs,
                sinks: &mut self.sinks,
                sink_of: &self.sink_of,
                correlation: self.correlation.as_deref().map(str::as_bytes),
            };
            match self.deliveries.flush(&mut flush) {
                Flushed::All => break,
                Flushed::Full => return false,
                Flushed::Refused(pending, error) => {
                    if self.refused(pending, error) {
                        self.renew();
                    }
                }
            }
        }
        self.outputs.clear();
        true
    }
}
