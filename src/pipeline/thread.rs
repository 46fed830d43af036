//! A pipeline thread: owner of lanes, from the record that arrives to the report of its last delivery.
//!
//! Its loop takes messages, then reports, then processes a round of records and enqueues what came of it, and sleeps when there
//! is nothing to do. Everything about one partition happens here, in order, without a lock.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::deliver::{Deliveries, Flush, Flushed, Pending};
use super::lane::{Block, Condemned, Held, Lane, LaneLink, held_bytes};
use super::messages::{Bell, Clock, FromThread, Inlet, PoisonStop, ToThread};
use super::open::{BEFORE_ROUTES, Judges, Opened, Opening};
use super::process::{Outputs, Processor};
use super::programs::{self, Known, Needs, Place, Programs, Sightings};
use super::topics::Topics;
use crate::core::tracker::Acked;
use crate::core::{Backoff, DeliveryId, Disposition, Epoch, Lanes, Millis, Tp};
use crate::kafka::{EnqueueError, KafkaError, Report, classify};
use crate::registry::{Answer, Cache};

use crate::sink::kafka::KafkaSink;
use crate::telemetry::{LaneMetrics, Metrics, PartitionMetrics};
use crate::topology::plan::{Plan, Refusal};

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

/// How often accounts are published.
const PUBLISH_INTERVAL: Millis = Millis(250);

/// What a pipeline thread is made of.
pub(super) struct Parts {
    pub plan: Arc<Plan>,
    pub schema_ids: Vec<u32>,
    pub topics: Arc<Topics>,
    pub sinks: Vec<KafkaSink>,
    pub registry: Cache,
    pub metrics: Arc<Metrics>,
    pub stop: Arc<PoisonStop>,
    pub sightings: Arc<Sightings>,
    pub clock: Clock,
    pub bell: Bell,
    /// The way to this very thread, for answers about schemas.
    pub inlet: Inlet,
    pub inbox: Receiver<ToThread>,
    /// To the consumer thread.
    pub outlet: Box<dyn Fn(FromThread) + Send>,
    pub poison_share: f64,
    pub poison_window: usize,
    pub correlation: Option<String>,
}

pub(super) struct PipelineThread {
    plan: Arc<Plan>,
    topics: Arc<Topics>,
    sinks: Vec<KafkaSink>,
    sink_of: Vec<usize>,
    registry: Cache,
    stop: Arc<PoisonStop>,
    sightings: Arc<Sightings>,
    metrics: Arc<Metrics>,
    clock: Clock,
    bell: Bell,
    inlet: Inlet,
    inbox: Receiver<ToThread>,
    outlet: Box<dyn Fn(FromThread) + Send>,
    correlation: Option<String>,

    lanes: Lanes<Held>,
    states: Vec<Option<Lane>>,
    processor: Processor,
    programs: Programs,
    /// Schemas that were asked for and not answered yet: each is asked for once, however many lanes wait.
    asked: HashSet<Place>,
    outputs: Outputs,
    deliveries: Deliveries,
    reports: Vec<Report>,
    /// New producers since the last delivery that arrived.
    renewals: Backoff,
    /// Where the next round begins, so that no lane is always first.
    turn: usize,

    lane_metrics: LaneMetrics,
    judges: Judges,
    published_at: Millis,
    is_stopping: bool,
}

impl PipelineThread {
    pub fn new(parts: Parts) -> PipelineThread {
        let Parts {
            plan,
            schema_ids,
            topics,
            sinks,
            registry,
            metrics,
            stop,
            sightings,
            clock,
            bell,
            inlet,
            inbox,
            outlet,
            ..
        } = parts;
        let sink_of = plan.topics.iter().map(|topic| {
            let of_connection = |sink: &KafkaSink| sink.connection() == topic.connection;
            sinks
                .iter()
                .position(of_connection)
                .expect("a sink was made for every connection of the plan")
        });
        let sink_of = sink_of.collect();
        let names: Vec<&str> = plan
            .routes
            .iter()
            .map(|route| route.name.as_str())
            .collect();
        let lane_metrics = metrics.lane(&plan.id, &names);
        let judges = Judges::new(&plan, &metrics, parts.poison_share, parts.poison_window);
        let processor = Processor::new(plan.clone(), schema_ids);
        PipelineThread {
            sightings,
            metrics,
            topics,
            sinks,
            sink_of,
            registry,
            stop,
            clock,
            bell,
            inlet,
            inbox,
            outlet,
            correlation: parts.correlation,
            lanes: Lanes::new(),
            states: Vec::new(),
            processor,
            programs: Programs::default(),
            asked: HashSet::new(),
            outputs: Outputs::default(),
            deliveries: Deliveries::default(),
            reports: Vec::new(),
            renewals: Backoff::new(Millis(200), Millis(10_000)),
            turn: 0,
            lane_metrics,
            judges,
            published_at: Millis(0),
            is_stopping: false,
            plan,
        }
    }

    /// Works until told to stop.
    pub fn run(mut self) {
        self.bell.claim();
        while !self.is_stopping {
            let mut is_busy = self.take_messages();
            is_busy |= self.take_reports();
            is_busy |= self.round();
            self.settle();
            self.publish(false);
            if !is_busy {
                std::thread::park_timeout(self.patience());
            }
        }
        self.publish(true);
        self.sinks.into_iter().for_each(KafkaSink::close);
    }

    /// How long nothing can happen without a bell.
    fn patience(&self) -> Duration {
        let now = self.clock.now();
        let blocked = self
            .states
            .iter()
            .flatten()
            .filter_map(|lane| match lane.block {
                Block::Sink { until, .. } => Some(until.0.saturating_sub(now.0)),
                _ => None,
            });
        let wait = blocked
            .min()
            .unwrap_or(u64::MAX)
            .clamp(5, PUBLISH_INTERVAL.0);
        Duration::from_millis(wait)
    }

    // === messages

    fn take_messages(&mut self) -> bool {
        let mut is_busy = false;
        // Records are processed before more of them are taken: what waits stays in few places.
        while let Ok(message) = self.inbox.try_recv() {
            is_busy = true;
            match message {
                ToThread::Open {
                    tp,
                    epoch,
                    position,
                    link,
                    metrics,
                } => self.open(tp, epoch, position, link, metrics),
                ToThread::Records {
                    records,
                    fetched,
                    consumed,
                } => {
                    self.take_records(records, fetched);
                    for consumed in consumed {
                        let lane = self
                            .states
                            .iter_mut()
                            .flatten()
                            .find(|lane| lane.tp == consumed.tp && !lane.is_draining);
                        if let Some(lane) = lane {
                            lane.consumed(consumed.records, consumed.bytes);
                        }
                    }
                    break;
                }
                ToThread::End {
                    tp,
                    epoch,
                    position,
                } => {
                    if let Some(index) = self.lanes.find(tp, epoch)
                        && let Some((_, tracker)) = self.lanes.get_mut(index)
                    {
                        tracker.advance(position);
                    }
                }
                ToThread::Drain { tp, epoch } => self.drain(tp, epoch),
                ToThread::Abandon { tp, epoch } => self.abandon(tp, epoch),
                ToThread::Learned(place, known) => self.learn(place, known),
                ToThread::Stop => self.is_stopping = true,
            }
        }
        is_busy
    }

    fn open(
        &mut self,
        tp: Tp,
        epoch: Epoch,
        position: i64,
        link: Arc<LaneLink>,
        metrics: PartitionMetrics,
    ) {
        let index = usize::from(self.lanes.open(tp, epoch, position));
        if self.states.len() <= index {
            self.states.resize_with(index + 1, || None);
        }
        let topic = &self.plan.sources[usize::from(tp.topic)].topic;
        let mut lane = Lane::new(tp, epoch, position, topic, link, metrics);
        lane.set_block(Block::Open, self.stop.is_stopped());
        self.states[index] = Some(lane);
    }

    fn take_records(&mut self, records: Vec<crate::kafka::RawRecord>, fetched: Millis) {
        let mut last: Option<(Tp, u16)> = None;
        for record in records {
            let tp = Tp {
                topic: record.topic(),
                partition: record.partition(),
            };
            let index = match last {
                Some((known, index)) if known == tp => index,
                _ => {
                    let is_it = |lane: &Option<Lane>| {
                        lane.as_ref()
                            .is_some_and(|lane| lane.tp == tp && !lane.is_draining)
                    };
                    let Some(index) = self.states.iter().position(is_it) else {
                        // The consumer thread hands on only records of lanes that it has opened and not drained.
                        debug_assert!(false, "a record of {tp:?} without a lane");
                        continue;
                    };
                    last = Some((tp, index as u16));
                    index as u16
                }
            };
            let (Some((_, tracker)), Some(lane)) = (
                self.lanes.get_mut(index),
                &mut self.states[usize::from(index)],
            ) else {
                continue;
            };
            let timestamp_ms = record.timestamp_ms();
            lane.saw(timestamp_ms);
            let (offset, bytes) = (record.offset(), held_bytes(&record));
            if let Err(error) = tracker.take(
                offset,
                bytes,
                Held {
                    record,
                    fetched,
                    timestamp_ms,
                },
            ) {
                tracing::debug!(topic = lane.prefix, %error, "a record came twice and is left out");
                lane.refused(bytes);
            }
        }
    }

    fn drain(&mut self, tp: Tp, epoch: Epoch) {
        let Some(index) = self.lanes.find(tp, epoch) else {
            return;
        };
        let lane = self.states[usize::from(index)]
            .as_mut()
            .expect("every lane has a state");
        lane.is_draining = true;
        if let Some((_, tracker)) = self.lanes.get_mut(index) {
            lane.release(tracker);
        }
    }

    fn abandon(&mut self, tp: Tp, epoch: Epoch) {
        // A lane that is closed has said its last word already.
        if let Some(index) = self.lanes.find(tp, epoch) {
            self.close(index);
        }
    }

    /// Closes a lane, and tells its frontier and what it did not finish.
    fn close(&mut self, index: u16) {
        let Some(tracker) = self.lanes.close(index) else {
            return;
        };
        let mut lane = self.states[usize::from(index)]
            .take()
            .expect("every lane has a state");
        let frontier = tracker.frontier();
        let released = lane.close(tracker);
        (self.outlet)(FromThread::Drained {
            tp: lane.tp,
            epoch: lane.epoch,
            frontier,
            released,
        });
    }

    fn learn(&mut self, place: Place, known: Known) {
        self.asked.remove(&place);
        self.programs.learn(place, known);
        let is_poisoned = self.stop.is_stopped();
        for lane in self
            .states
            .iter_mut()
            .flatten()
            .filter(|lane| lane.block == Block::Schema)
        {
            lane.set_block(Block::Open, is_poisoned);
        }
    }

    // === reports

    fn take_reports(&mut self) -> bool {
        for sink in &mut self.sinks {
            sink.reports(&mut self.reports);
        }
        if self.reports.is_empty() {
            return false;
        }
        let now = self.clock.now();
        let now_ms = super::epoch_ms();
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

    fn arrived(&mut self, id: DeliveryId, bytes: usize, now: Millis, now_ms: i64) {
        let Some((_, tracker)) = self.lanes.of(id) else {
            return;
        };
        if id.delivery() != BEFORE_ROUTES
            && !tracker.is_buried(id)
            && let Some((_, _, held)) = tracker.get(id)
        {
            let seconds = (now.0 - held.fetched.0) as f64 / 1000.0;
            let age = held.timestamp_ms.map(|at| (now_ms - at) as f64 / 1000.0);
            self.lane_metrics
                .delivered(u16::from(id.delivery()), bytes, seconds, age);
        }
        if tracker.delivered(id) == Acked::Stale {
            tracing::trace!(?id, "a report of an earlier attempt");
        }
    }

    /// Notes what a failed delivery means for its lane. Returns whether the producer has to be replaced.
    fn failed(&mut self, id: DeliveryId, error: KafkaError) -> bool {
        let (class, reason) = classify::produce(error);
        let Some((_, tracker)) = self.lanes.of(id) else {
            return false;
        };
        let is_letter = tracker.is_buried(id);
        let Some((_, offset, _)) = tracker.get(id) else {
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
                lane.condemn(Condemned {
                    offset,
                    delivery: id.delivery(),
                    reason,
                    message,
                });
            }
            // Not even a stub of the dead letter is taken: that is the topic.
            classify::Class::Record | classify::Class::Topic | classify::Class::Retry => {
                let is_poisoned = self.stop.is_stopped();
                if let Some(until) = lane.hold(topic, offset, self.clock.now(), is_poisoned) {
                    tracing::warn!(
                        source = format!("{}{offset}", lane.prefix), reason, %error,
                        "an output topic takes nothing: waiting, nothing is lost"
                    );
                    self.wait_together(topic, until);
                }
            }
            classify::Class::Fatal | classify::Class::Purged => {
                tracing::debug!(source = format!("{}{offset}", lane.prefix), reason, %error, "a delivery failed and is sent again");
            }
        }
        true
    }

    /// Lanes that wait for the same topic try again at the same time: every try that fails costs a producer.
    fn wait_together(&mut self, topic: Option<u16>, at: Millis) {
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
    fn renew(&mut self) {
        // The first one begins at once. Where nothing arrives in between, the next ones take their time.
        let is_again = self.renewals.attempts() > 0;
        let wait = self.renewals.fail(rand::random()).0 + 100;
        let until = self.clock.now().after(Millis(wait));
        let is_poisoned = self.stop.is_stopped();
        for sink in &mut self.sinks {
            let why = sink.fatal().map(|error| error.to_string());
            if let Err(error) = sink.renew() {
                // The old one goes on as it is; its next failure leads here again.
                tracing::error!(%error, connection = sink.connection(), "a new producer could not be made");
                continue;
            }
            tracing::warn!(
                connection = sink.connection(),
                why,
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

    // === records

    /// Processes a round of records. Returns whether anything was done.
    fn round(&mut self) -> bool {
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
    fn single_lane(&self) -> Option<u16> {
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
    fn unblock(&mut self) {
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
    fn process_lane(&mut self, index: u16, max: usize) -> usize {
        let mut processed = 0;
        while processed < max && self.outputs.bytes.len() < ROUND_BYTES && self.process_one(index) {
            processed += 1;
        }
        processed
    }

    /// Processes the next record of a lane; false if it has none, or cannot go on.
    fn process_one(&mut self, index: u16) -> bool {
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
            judges: &mut self.judges,
            correlation: self.correlation.as_deref().map(str::as_bytes),
        };
        let opened = opening.process(lane, &*tracker, seq, held);
        if !matches!(opened, Opened::Missing(_) | Opened::Incompatible { .. }) {
            lane.judged_until = lane.judged_until.max(offset + 1);
        }
        match opened {
            Opened::Deliveries { numbers, buried } => {
                tracker.opened_as(seq, numbers);
                for number in (0..u64::BITS as u8).filter(|number| buried & (1 << number) != 0) {
                    tracker.bury(tracker.delivery(seq, number));
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
                    let Ok(ids) = self
                        .plan
                        .ids(source, held.record.key(), held.record.value())
                    else {
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
                tracing::error!(
                    source = format!("{}{offset}", lane.prefix),
                    schema_id,
                    why,
                    "this partition stops: incompatible_schema. Deploy a topology whose schema can read this one, or skip the record"
                );
                lane.set_block(Block::Incompatible, false);
                false
            }
            Opened::Blocked(topic) => {
                let wait = lane.backoff.fail(rand::random()).0.clamp(50, 1_000);
                tracing::warn!(
                    source = format!("{}{offset}", lane.prefix),
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
    fn ask(&mut self, place: Place) {
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
    fn halt(&mut self, why: String) {
        if self.stop.stop(why.clone()) {
            tracing::error!(
                topology = self.plan.id,
                why,
                "stopped: too many records are judged poison. Look at the dead letters, mend the cause, restart"
            );
        }
        self.mark_poisoned();
    }

    fn mark_poisoned(&mut self) {
        for lane in self.states.iter_mut().flatten() {
            let block = lane.block.clone();
            lane.set_block(block, true);
        }
    }

    /// Enqueues what the round brought; true if nothing is left over.
    fn flush(&mut self) -> bool {
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

    /// A delivery that could not be enqueued. Returns whether the producer has to be replaced.
    fn refused(&mut self, pending: Pending, error: EnqueueError) -> bool {
        let Some((_, tracker)) = self.lanes.of(pending.id) else {
            return false;
        };
        let Some((_, offset, _)) = tracker.get(pending.id) else {
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
                    lane.condemn(Condemned {
                        offset,
                        delivery,
                        reason: "output_too_large",
                        message,
                    });
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
        tracing::debug!(source = format!("{}{offset}", lane.prefix), %error, "a delivery could not be enqueued and is tried again");
        true
    }

    // === accounts

    /// Hands on what is done, and closes lanes that have drained.
    fn settle(&mut self) {
        for index in 0..self.states.len() {
            let Some(lane) = self.states[index].as_mut() else {
                continue;
            };
            let Some((_, tracker)) = self.lanes.get_mut(index as u16) else {
                continue;
            };
            lane.pop(tracker);
            if lane.is_draining && tracker.is_empty() {
                self.close(index as u16);
            }
        }
    }

    fn publish(&mut self, is_last: bool) {
        let now = self.clock.now();
        if !is_last && now.0 < self.published_at.0 + PUBLISH_INTERVAL.0 {
            return;
        }
        self.published_at = now;
        for index in 0..self.states.len() {
            if let (Some(lane), Some((_, tracker))) = (
                self.states[index].as_mut(),
                self.lanes.get_mut(index as u16),
            ) {
                lane.publish(tracker);
            }
        }
        self.lane_metrics.flush();
        self.judges.publish();
        if self.stop.is_stopped() {
            self.mark_poisoned();
        }
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
