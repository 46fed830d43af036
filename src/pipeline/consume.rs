//! The consumer thread: polls always, hands records on, and carries out what the member and the flow decide.

mod act;
mod grants;
mod show;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use super::lane::{LaneLink, held_bytes};
use super::messages::{Clock, Consumed, FromThread, Inlet, PoisonStop, ToThread};
use super::positions;
use super::sources::Sources;
use crate::core::flow::{Amount, FlowLimits, Reason, Turn};
use crate::core::member::{Action, Batch, CommitEntry, Event, Leftover, MemberConfig, Standing};
use crate::core::start::{self, StartFault};
use crate::core::{Epoch, Flow, Guard, Member, Millis, Note, Tp, guard};
use crate::kafka::{self, ClientError, Consumer, ConsumerHandle, KafkaError, RawRecord, classify};
use crate::telemetry::{Metrics, PartitionMetrics, Position, TopologyState, TopologyStatus};
use crate::topology::plan::Plan;
use grants::{Granted, MissingGrant, missing_grant};

/// Records of one poll at most.
pub(super) const POLL_RECORDS: usize = 1000;

/// How long a poll waits when nothing happens.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// The same while something is being waited for: a drain, a final commit.
const POLL_WAIT_BUSY: Duration = Duration::from_millis(10);

/// The same while partitions are at their limits: at full speed the lanes work that off in a few milliseconds.
const POLL_WAIT_LIMITED: Duration = Duration::from_millis(3);

/// How often positions, lags and states are published.
const STATUS_INTERVAL: Millis = Millis(250);

/// How long to wait before the ends are asked for again.
const ENDS_RETRY: Duration = Duration::from_secs(1);

/// Longest wait for the group to take note that we leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the consumer thread is made of.
pub(super) struct Parts {
    pub plan: Arc<Plan>,
    pub consumer: Consumer,
    pub threads: Vec<Inlet>,
    pub inbox: Receiver<ToConsumer>,
    pub sender: Sender<ToConsumer>,
    pub metrics: Arc<Metrics>,
    pub status: Arc<TopologyStatus>,
    pub sources: Sources,
    pub poison: Arc<PoisonStop>,
    pub clock: Clock,
    pub limits: FlowLimits,
    pub member: MemberConfig,
    /// Stop at the ends seen at the start.
    pub until_latest: bool,
}

/// To the consumer thread.
pub(super) enum ToConsumer {
    /// From a lane.
    Lane(FromThread),
    /// Answer to a question for positions.
    Positions(Event),
    /// The ends of all partitions, seen at the start.
    Ends(Result<HashMap<Tp, i64>, ClientError>),
    /// A pipeline thread has panicked: its lanes do nothing any more.
    ThreadLost,
    /// Drain and end.
    Stop,
}

/// How the consumer thread ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// What was left behind: topic, partition, what.
    pub leftovers: Vec<(String, i32, Leftover)>,
    /// Partitions that stand still before the end that was to be reached: topic, partition, why.
    pub stuck: Vec<(String, i32, &'static str)>,
    /// Why it could not go on.
    pub error: Option<ClientError>,
}

/// A lane as this thread knows it.
struct Link {
    epoch: Epoch,
    thread: usize,
    link: Arc<LaneLink>,
    metrics: PartitionMetrics,
    consumed_records: u64,
    consumed_bytes: u64,
    /// What the flow was told of the lane's progress.
    done: Amount,
    frontier: i64,
    /// Next offset to be polled.
    position: i64,
    /// The position fell out of the log while the partition was ours: nothing more arrives.
    is_position_lost: bool,
}

pub(super) struct ConsumerThread {
    parts: Parts,
    handle: ConsumerHandle,
    member: Member,
    flow: Flow,
    links: HashMap<Tp, Link>,
    actions: Vec<Action>,
    turns: Vec<Turn>,
    /// The group waits for us to give partitions back.
    is_revoking: bool,
    /// Commit requests that could not even be sent.
    unsent: Vec<(Batch, Vec<CommitEntry>)>,
    /// Offsets to stop at, when running until the end.
    ends: Option<HashMap<Tp, i64>>,
    status_at: Millis,
    /// What the brokers refuse the group for want of a grant, until something comes that they would refuse without it.
    missing_grant: Option<MissingGrant>,
    is_stopping: bool,
    ended: Ended,
    is_fatal: bool,
}

impl ConsumerThread {
    pub fn new(parts: Parts) -> ConsumerThread {
        let handle = parts.consumer.handle();
        let member = Member::new(parts.member);
        let flow = Flow::new(parts.limits);
        ConsumerThread {
            parts,
            handle,
            member,
            flow,
            links: HashMap::new(),
            actions: Vec::new(),
            turns: Vec::new(),
            is_revoking: false,
            unsent: Vec::new(),
            ends: None,
            status_at: Millis(0),
            missing_grant: None,
            is_stopping: false,
            ended: Ended::default(),
            is_fatal: false,
        }
    }

    /// Works until everything is drained.
    pub fn run(mut self) -> Ended {
        if let Err(error) = self.parts.consumer.subscribe() {
            self.ended.error = Some(error);
            return self.end();
        }
        if self.parts.until_latest {
            self.ask_ends();
        }
        let (mut records, mut events) = (Vec::new(), Vec::new());
        while !self.member.is_done() && !self.is_fatal {
            self.parts.status.beat();
            let wait = if self.flow.is_limited() {
                POLL_WAIT_LIMITED
            } else if self.is_stopping || self.is_revoking {
                POLL_WAIT_BUSY
            } else {
                POLL_WAIT
            };
            self.parts
                .consumer
                .poll(POLL_RECORDS, wait, &mut records, &mut events);
            self.hand_on(&mut records);
            for event in events.drain(..) {
                self.happened(event);
            }
            self.take_messages();
            self.follow_lanes();
            self.step(Event::Tick);
            self.answer_unsent();
            self.show();
        }
        self.end()
    }

    fn end(mut self) -> Ended {
        for thread in &self.parts.threads {
            thread.send(ToThread::Stop);
        }
        let Parts {
            plan,
            consumer,
            metrics,
            status,
            ..
        } = self.parts;
        let mut events = Vec::new();
        if !consumer.close(CLOSE_TIMEOUT, &mut events) {
            tracing::warn!(
                "the group did not take note in time that this member leaves: its partitions are free when its session ends"
            );
        }
        for event in &events {
            if let kafka::Event::Committed(result) = event {
                answers(&plan, &metrics, result);
            }
        }
        status.set_state(match &self.ended.error {
            // A failed topology beside others must be seen, and brings /live down.
            Some(error) => TopologyState::Stopped(error.to_string()),
            None => TopologyState::Ended,
        });
        std::mem::take(&mut self.ended)
    }

    fn step(&mut self, event: Event) {
        let now = self.parts.clock.now();
        let mut actions = std::mem::take(&mut self.actions);
        self.member.handle(now, event, &mut actions);
        for action in actions.drain(..) {
            self.act(action);
        }
        self.actions = actions;
        self.turn();
    }

    // === records

    fn hand_on(&mut self, records: &mut Vec<RawRecord>) {
        if records.is_empty() {
            return;
        }
        self.parts.sources.note_life();
        let fetched = self.parts.clock.now();
        let mut batches: Vec<(Vec<RawRecord>, Vec<Consumed>)> = Vec::new();
        batches.resize_with(self.parts.threads.len(), Default::default);
        // Looked up once for each run of records of one partition, as they come.
        let runs: Vec<(Tp, usize, Amount, u64)> = records
            .chunk_by(|one, next| one.topic_partition() == next.topic_partition())
            .map(|run| {
                let held = run.iter().map(|record| u64::from(held_bytes(record))).sum();
                let amount = Amount {
                    records: run.len() as u64,
                    bytes: held,
                };
                let payload = run.iter().map(|record| record.size() as u64).sum();
                (run[0].topic_partition(), run.len(), amount, payload)
            })
            .collect();
        let mut rest = records.drain(..);
        for (tp, length, amount, payload) in runs {
            self.granted(|on| match on {
                Granted::Group => false,
                Granted::Source(source) => source.is_none_or(|source| source == tp.topic),
            });
            let run = rest.by_ref().take(length);
            // A partition that is leaving, or was never opened: its records come again, or belong to others.
            let Some(link) = self.member.accepts(tp).and(self.links.get_mut(&tp)) else {
                run.for_each(drop);
                continue;
            };
            link.consumed_records += amount.records;
            link.consumed_bytes += payload;
            let (records, consumed) = &mut batches[link.thread];
            records.extend(run);
            link.position = records
                .last()
                .map_or(link.position, |record| record.offset() + 1);
            consumed.push(Consumed {
                tp,
                records: link.consumed_records,
                bytes: link.consumed_bytes,
            });
            self.flow.taken(tp, link.epoch, amount, &mut self.turns);
        }
        drop(rest);
        for (thread, (records, consumed)) in self.parts.threads.iter().zip(batches) {
            if !records.is_empty() {
                thread.send(ToThread::Records {
                    records,
                    fetched,
                    consumed,
                });
            }
        }
        self.turn();
    }

    // === what the client library tells

    fn happened(&mut self, event: kafka::Event) {
        match event {
            kafka::Event::Assigned(partitions) => {
                self.parts
                    .metrics
                    .rebalanced(&self.parts.plan.id, "assigned");
                tracing::info!(topology = self.parts.plan.id, partitions = %self.names(&partitions), "assigned");
                self.parts.sources.note_life();
                if !partitions.is_empty() {
                    self.granted(|_| true);
                }
                self.step(Event::Assigned(partitions));
                self.parts.status.set_assigned();
            }
            kafka::Event::Revoked(partitions) => {
                self.parts
                    .metrics
                    .rebalanced(&self.parts.plan.id, "revoked");
                tracing::info!(topology = self.parts.plan.id, partitions = %self.names(&partitions), "revoked: draining");
                self.is_revoking = true;
                self.step(Event::Revoked(partitions));
            }
            kafka::Event::Lost(partitions) => {
                self.parts.metrics.rebalanced(&self.parts.plan.id, "lost");
                tracing::warn!(topology = self.parts.plan.id, partitions = %self.names(&partitions), "lost: others own these partitions already");
                self.is_revoking = true;
                self.step(Event::Lost(partitions));
            }
            kafka::Event::Committed(result) => self.committed(&result),
            kafka::Event::Passed(at, offset) => {
                let tp = at;
                if let (Some(epoch), Some(link)) =
                    (self.member.accepts(tp), self.links.get_mut(&tp))
                {
                    link.position = link.position.max(offset);
                    self.parts.threads[link.thread].send(ToThread::End {
                        tp,
                        epoch,
                        position: offset,
                    });
                }
            }
            kafka::Event::PositionLost(at, detail) => {
                let topic = &self.parts.plan.sources[usize::from(at.topic)].topic;
                let detail = detail.as_str();
                tracing::error!(
                    topic,
                    partition = at.partition,
                    detail,
                    "the position of this partition is gone: it stands still. Both ends would be a guess; see docs/OPERATIONS.md"
                );
                if let Some(link) = self.links.get_mut(&at) {
                    link.is_position_lost = true;
                }
            }
            kafka::Event::Error {
                about,
                error,
                detail,
            } => {
                self.count_error(error);
                self.parts.sources.tell(error, &detail);
                let topology = &self.parts.plan.id;
                match missing_grant(&self.parts.plan, error, about, &detail) {
                    Some(missing) => {
                        tracing::warn!(topology, %error, "the brokers refuse the consumer: {}", missing.grant);
                        self.missing_grant = Some(missing);
                    }
                    None => {
                        let sources = &self.parts.plan.sources;
                        let topic = about.map(|at| sources[usize::from(at.topic)].topic.as_str());
                        tracing::warn!(topology, topic, %error, detail, "the consumer reports an error and goes on")
                    }
                }
            }
            // Not asked for.
            kafka::Event::End(..) => {}
            kafka::Event::Fatal(error) => {
                self.count_error(error.error);
                tracing::error!(topology = self.parts.plan.id, %error, "the consumer is of no further use");
                self.ended.error = Some(error);
                self.is_fatal = true;
            }
        }
    }

    fn count_error(&self, error: KafkaError) {
        let connection = &self.parts.plan.connection;
        self.parts
            .metrics
            .kafka_errors(connection, "consumer", error.name(), 1);
    }

    fn committed(&mut self, result: &kafka::CommitResult) {
        let results = answers(&self.parts.plan, &self.parts.metrics, result);
        let of_partitions = result.partitions.iter().filter_map(|(_, _, error)| *error);
        let has_moved = |error| classify::commit(error).0 == classify::CommitClass::Moved;
        let is_taken = |(_, _, error): &(Tp, i64, Option<KafkaError>)| error.is_none();
        if result.error.is_none() && result.partitions.iter().any(is_taken) {
            self.parts.sources.note_life();
            self.granted(|on| on == Granted::Group);
        }
        if result.error.into_iter().chain(of_partitions).any(has_moved) {
            self.step(Event::MovedOn(Batch(result.batch)));
        }
        self.step(Event::CommitAnswer {
            batch: Batch(result.batch),
            results,
        });
    }

    // === messages

    fn take_messages(&mut self) {
        while let Ok(message) = self.parts.inbox.try_recv() {
            match message {
                ToConsumer::Lane(FromThread::Drained {
                    tp,
                    epoch,
                    frontier,
                    released,
                }) => {
                    if self.links.get(&tp).is_some_and(|link| link.epoch == epoch) {
                        self.links.remove(&tp);
                        self.flow.removed(&[tp], &mut self.turns);
                    }
                    self.step(Event::Drained {
                        tp,
                        epoch,
                        frontier,
                        released,
                    });
                }
                ToConsumer::Lane(FromThread::Trying {
                    tp,
                    epoch,
                    frontier,
                    offset,
                }) => self.step(Event::Trying {
                    tp,
                    epoch,
                    frontier,
                    offset,
                }),
                ToConsumer::Positions(event) => self.step(event),
                ToConsumer::Ends(Ok(ends)) => self.ends = Some(ends),
                ToConsumer::Ends(Err(error)) => {
                    tracing::warn!(%error, "the ends of the partitions are not known yet; asking again");
                    self.ask_ends();
                }
                // Told by whoever joins the thread. Nothing more is committed.
                ToConsumer::ThreadLost => self.is_fatal = true,
                ToConsumer::Stop => self.stop(),
            }
        }
    }

    fn stop(&mut self) {
        if !self.is_stopping {
            self.is_stopping = true;
            self.parts.status.set_state(TopologyState::Draining);
            self.step(Event::Shutdown);
        }
    }

    /// Takes note of how far the lanes are and what they wait for.
    fn follow_lanes(&mut self) {
        let mut moved = Vec::new();
        for (tp, link) in &mut self.links {
            let frontier = link.link.frontier();
            if frontier != link.frontier {
                link.frontier = frontier;
                moved.push(Event::Frontier {
                    tp: *tp,
                    epoch: link.epoch,
                    offset: frontier,
                });
            }
            let done = link.link.done();
            let (records, bytes) = (
                done.records - link.done.records,
                done.bytes.saturating_sub(link.done.bytes),
            );
            // The lane writes one after the other: a look in between sees the records and not their bytes yet.
            if records > 0 || bytes > 0 {
                link.done = done;
                self.flow
                    .done(*tp, link.epoch, Amount { records, bytes }, &mut self.turns);
            }
            for reason in [
                Reason::Schema,
                Reason::Sink,
                Reason::Poison,
                Reason::IncompatibleSchema,
            ] {
                self.flow.set(
                    *tp,
                    link.epoch,
                    reason,
                    link.link.wants(reason),
                    &mut self.turns,
                );
            }
        }
        for event in moved {
            self.step(event);
        }
        self.turn();
        if !self.is_stopping
            && let Some(stuck) = self.at_end()
        {
            tracing::info!(
                topology = self.parts.plan.id,
                stuck = stuck.len(),
                "reached the ends seen at the start"
            );
            self.ended.stuck = stuck;
            self.stop();
        }
    }

    /// Whether every partition that is ours has reached its end, or stands still for good before it, and at least one assignment has
    /// come. Then, which stand still and why.
    fn at_end(&self) -> Option<Vec<(String, i32, &'static str)>> {
        let ends = self.ends.as_ref()?;
        let (mut count, mut stuck) = (0, Vec::new());
        for (tp, standing) in self.member.standings() {
            count += 1;
            let end = ends.get(&tp).copied().unwrap_or(0);
            let is_there =
                matches!(standing, Standing::Running(positions) if positions.frontier >= end);
            if !is_there {
                let why = self.stands_still(tp, &standing)?;
                let topic = self.parts.plan.sources[usize::from(tp.topic)].topic.clone();
                stuck.push((topic, tp.partition, why));
            }
        }
        (count > 0).then_some(stuck)
    }
}

/// Counts the answers of a commit, and tells which of its partitions are committed.
fn answers(plan: &Plan, metrics: &Metrics, result: &kafka::CommitResult) -> Vec<(Tp, bool)> {
    let whole = result.error.map(classify::commit);
    let answer = |(tp, _, error): &(Tp, i64, Option<KafkaError>)| {
        let topic = &plan.sources[usize::from(tp.topic)].topic;
        let class = error.map(classify::commit).or(whole);
        let is_done = class.is_none_or(|(class, _)| class == classify::CommitClass::Fine);
        if let Some((_, reason)) = class.filter(|_| !is_done) {
            let error = error.or(result.error).map(|error| error.to_string());
            tracing::warn!(
                topic,
                partition = tp.partition,
                reason,
                error,
                "a commit failed: while the partition is ours, it is tried again from the frontier"
            );
        }
        metrics.committed(&plan.id, topic, tp.partition, is_done);
        (*tp, is_done)
    };
    result.partitions.iter().map(answer).collect()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(work) {
        // Asked again at the member's next turn only if an answer comes; without threads nothing else works either.
        tracing::error!(%error, name, "a thread could not be started");
    }
}
