//! A pipeline thread: owner of lanes, from the record that arrives to the report of its last delivery.
//!
//! Its loop takes messages, then reports, then processes a round of records and enqueues what came of it, and sleeps when there
//! is nothing to do. Everything about one partition happens here, in order, without a lock.

mod reports;
mod round;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tracing::Level;

use super::deliver::{Deliveries, Flush, Flushed, Pending};
use super::judges::Judges;
use super::lane::{Block, Held, Lane, LaneLink, held_bytes};
use super::messages::{Bell, Clock, FromThread, Inlet, PoisonStop, ToThread};
use super::open::{BEFORE_ROUTES, Opened, Opening};
use super::process::{Outputs, Processor};
use super::programs::{self, Known, Needs, Place, Programs, Sightings};
use super::source_of;
use super::topics::Topics;
use crate::core::flow::Reason;
use crate::core::tracker::Acked;
use crate::core::{Backoff, DeliveryId, Disposition, Epoch, Guard, Lanes, Millis, Tp};
use crate::kafka::{EnqueueError, KafkaError, Report, classify};
use crate::record_event;
use crate::registry::{Answer, Cache};
use crate::sink::kafka::KafkaSink;
use crate::telemetry::{LaneMetrics, Metrics, PartitionMetrics};
use crate::topology::plan::{Plan, Refusal};

/// How often accounts are published.
const PUBLISH_INTERVAL: Millis = Millis(250);

/// How long reports wait for a thread that has nothing else to do; doubled up to the second while none come. Being woken for them cost a
/// switch of threads for each batch, which is one per output partition and `linger.ms`: docs/PERFORMANCE.md.
const REPORTS_WAIT: Duration = Duration::from_millis(2);
const REPORTS_WAIT_MAX: Duration = Duration::from_millis(32);

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
    /// Shared by the threads of the topology.
    pub judges: Arc<Judges>,
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
    /// No record is tried before this, so that others get a turn.
    trial_at: Millis,
    /// Another thread tries a record.
    is_held_up: bool,

    lane_metrics: LaneMetrics,
    judges: Arc<Judges>,
    published_at: Millis,
    /// How long the next wait for reports is.
    reports_wait: Duration,
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
            judges,
            correlation,
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
            correlation,
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
            trial_at: Millis(0),
            is_held_up: false,
            lane_metrics,
            judges,
            published_at: Millis(0),
            reports_wait: REPORTS_WAIT,
            is_stopping: false,
            plan,
        }
    }

    /// Works until told to stop.
    pub fn run(mut self) {
        self.bell.claim();
        let seat = trial::Seat::new();
        while !self.is_stopping {
            let mut is_busy = self.take_messages();
            is_busy |= self.take_reports();
            // While a record is tried, in whatever lane, no other one of the process is.
            match seat.turn() {
                Some(_turn) => {
                    self.is_held_up = false;
                    is_busy |= self.round();
                }
                None => self.held_up(),
            }
            is_busy |= self.trials();
            self.settle();
            self.publish(false);
            if is_busy {
                self.reports_wait = REPORTS_WAIT;
            } else {
                std::thread::park_timeout(self.patience());
                self.reports_wait = REPORTS_WAIT_MAX.min(2 * self.reports_wait);
            }
        }
        self.publish(true);
        self.sinks.into_iter().for_each(KafkaSink::close);
    }

    /// How long nothing can happen without a bell: messages ring it, reports do not.
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
        let trial = self
            .has_guarded()
            .then(|| self.trial_at.0.saturating_sub(now.0));
        let wait = blocked
            .chain(trial)
            .chain(self.is_held_up.then_some(0))
            .min()
            .unwrap_or(u64::MAX)
            .clamp(5, PUBLISH_INTERVAL.0);
        let wait = Duration::from_millis(wait);
        if self.sinks.iter().any(|sink| sink.outstanding() > 0) {
            wait.min(self.reports_wait)
        } else {
            wait
        }
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
                    guard,
                    link,
                    metrics,
                } => self.open(tp, epoch, position, guard, link, metrics),
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
        guard: Option<Guard>,
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
        lane.set_guard(guard);
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
            lane.saw(record.timestamp_ms());
            let (offset, bytes) = (record.offset(), held_bytes(&record));
            if let Err(error) = tracker.take(offset, bytes, Held { record, fetched }) {
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
