//! One topology at work: its threads, from the start to the drain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::consume::{self, ConsumerThread, Ended, ToConsumer};
use super::judges::Judges;
use super::messages::{Bell, Clock, Inlet, PoisonStop};
use super::outputs::output_ids;
use super::programs::Sightings;
use super::sources::SourcesWatcher;
use super::thread::{self, PipelineThread};
use super::topics::Topics;
use super::watcher::Watcher;
use crate::config::{Config, Limits, Role};
use crate::core::Millis;
use crate::core::flow::{Amount, FlowLimits};
use crate::core::member::MemberConfig;
use crate::kafka::admin::Admin;
use crate::kafka::{Consumer, ConsumerHandle, Properties};
use crate::registry::Cache;
use crate::sink::kafka::KafkaSink;
use crate::telemetry::{Metrics, TopologyState, TopologyStatus};
use crate::topology::plan::{OutputTopic, Plan};

/// Bytes that a batch adds to its records, and some room: a batch stays below the smallest size limit of the topics it may go to, so
/// that the broker's refusal never strikes neighbours of a record that fits.
const BATCH_ROOM_BYTES: u32 = 4096;

/// Pipeline threads at most, unless configured: one keeps up with what most brokers deliver.
const PIPELINE_THREADS_MAX: usize = 4;

/// How long the start waits for the number of partitions of its sources, and how many a source has if nobody says.
const PARTITIONS_TIMEOUT: Duration = Duration::from_secs(2);
const PARTITIONS_ASSUMED: u64 = 16;

/// A consumer's queues at least, unless less is configured: a few fetches of a partition, so that it never waits for one.
const FETCH_QUEUE_BYTES_MIN: u64 = 1 << 20;

/// What all topologies of a process share.
#[derive(Clone)]
pub struct Shared {
    /// The effective configuration.
    pub config: Arc<Config>,
    /// Schemas by id.
    pub registry: Cache,
    /// All metrics, and the status board.
    pub metrics: Arc<Metrics>,
    /// Where asynchronous questions are answered.
    pub runtime: tokio::runtime::Handle,
    /// How many topologies share the limits of the process; at least 1.
    pub topologies: u64,
}

/// A topology at work. Dropping it does not stop it; [`Worker::stop`] does.
pub struct Worker {
    id: String,
    stop: Arc<Stop>,
    thread: JoinHandle<anyhow::Result<Ended>>,
}

/// How to reach the consumer thread, once there is one.
#[derive(Default)]
struct Stop {
    state: Mutex<StopState>,
}

#[derive(Default)]
struct StopState {
    is_asked: bool,
    consumer: Option<(Sender<ToConsumer>, ConsumerHandle)>,
}

impl Stop {
    fn ask(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_asked = true;
        if let Some((sender, handle)) = &state.consumer {
            // The thread may have ended by itself.
            let _ = sender.send(ToConsumer::Stop);
            handle.wake();
        }
    }

    fn is_asked(&self) -> bool {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_asked
    }

    fn reach(&self, sender: Sender<ToConsumer>, handle: ConsumerHandle) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_asked {
            let _ = sender.send(ToConsumer::Stop);
        }
        state.consumer = Some((sender, handle));
    }
}

/// Tells the consumer thread when a pipeline thread panics: without it the partitions of that thread would stand still, and
/// nobody would know.
struct Alarm {
    consumer: Sender<ToConsumer>,
    handle: ConsumerHandle,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() && self.consumer.send(ToConsumer::ThreadLost).is_ok() {
            self.handle.wake();
        }
    }
}

impl Worker {
    /// Starts a topology on threads of its own. `until_latest`: it ends at the end offsets seen at the start.
    pub fn start(plan: Arc<Plan>, shared: Shared, until_latest: bool) -> anyhow::Result<Worker> {
        let stop = Arc::new(Stop::default());
        let id = plan.id.clone();
        let status = shared.metrics.board().topology(&plan.id, &plan.version);
        let thread = std::thread::Builder::new()
            .name(format!("lockgate-{id}"))
            .spawn({
                let stop = stop.clone();
                move || {
                    let ended = work(&plan, &shared, &status, &stop, until_latest);
                    if let Err(error) = &ended {
                        status.set_state(TopologyState::Stopped(format!("{error:#}")));
                    }
                    ended
                }
            });
        let thread = thread.context("start a thread for the topology")?;
        Ok(Worker { id, stop, thread })
    }

    /// The topology's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Asks it to drain and end.
    pub fn stop(&self) {
        self.stop.ask();
    }

    /// Whether it has ended, by itself or because it was asked to.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub fn join(self) -> anyhow::Result<Ended> {
        self.thread.join().unwrap_or_else(|_| {
            anyhow::bail!(
                "a thread of topology {} panicked: this is a defect of Lockgate",
                self.id
            )
        })
    }
}

fn work(
    plan: &Arc<Plan>,
    shared: &Shared,
    status: &Arc<TopologyStatus>,
    stop: &Arc<Stop>,
    until_latest: bool,
) -> anyhow::Result<Ended> {
    let config = &shared.config;
    let limits = &config.limits;
    let Some(schema_ids) = output_ids(plan, shared, status, &|| stop.is_asked())? else {
        return Ok(Ended::default());
    };
    let default_limit = u32::try_from(limits.output_record_bytes).unwrap_or(u32::MAX);
    let topics = Topics::new(plan, default_limit);
    let connections: BTreeSet<&str> = plan
        .topics
        .iter()
        .map(|topic| topic.connection.as_str())
        .collect();

    let mut admins = BTreeMap::new();
    for &name in &connections {
        let admin = Admin::new(&properties(config, limits, name, Role::Admin)?)
            .context("make a client for output topics")?;
        admins.insert(name.to_owned(), admin);
    }
    let source_partitions = source_partitions(config, plan, &admins)?;
    let mut watcher = Watcher::new(plan.clone(), topics.clone(), status.clone(), admins);
    watcher.begin();

    let clock = Clock::start();
    let poison = Arc::new(PoisonStop::default());
    let sightings = Arc::new(Sightings::default());
    let (to_consumer, consumer_inbox) = channel();
    let threads_wanted = pipeline_threads(limits.pipeline_threads);
    let producers = shared.topologies * threads_wanted as u64 * connections.len() as u64;
    let queues = queue_shares(limits, shared.topologies, producers);
    let names: Vec<&str> = plan
        .sources
        .iter()
        .map(|source| source.topic.as_str())
        .collect();
    let role = Role::Consumer {
        group: &plan.id,
        partitions: source_partitions,
    };
    let source = properties(config, &queues, &plan.connection, role)?;
    let consumer = Consumer::new(&source, &names).context("make the consumer")?;
    let handle = consumer.handle();

    let mut producers = Vec::new();
    for &name in &connections {
        let properties = producer_properties(config, &queues, plan, &topics, name)?;
        producers.push((name, properties));
    }
    let judges = Arc::new(Judges::new(
        plan,
        &shared.metrics,
        limits.poison_share,
        usize::try_from(limits.poison_window).unwrap_or(usize::MAX),
    ));

    let mut threads = Vec::new();
    let mut inlets = Vec::new();
    for index in 0..threads_wanted {
        let bell = Bell::default();
        let (sender, inbox) = channel();
        let inlet = Inlet {
            sender,
            bell: bell.clone(),
        };
        let mut sinks = Vec::new();
        for (name, properties) in &producers {
            let of_connection = |(_, topic): &(usize, &OutputTopic)| topic.connection == *name;
            let topics = plan.topics.iter().enumerate().filter(of_connection);
            let topics = topics
                .map(|(index, topic)| (index as u16, topic.topic.clone()))
                .collect();
            let sink = KafkaSink::new(name, properties.clone(), topics);
            sinks.push(sink.with_context(|| format!("make a producer for connection {name}"))?);
        }
        let (outlet, wake) = (to_consumer.clone(), handle.clone());
        let parts = thread::Parts {
            plan: plan.clone(),
            schema_ids: schema_ids.clone(),
            topics: topics.clone(),
            sinks,
            registry: shared.registry.clone(),
            metrics: shared.metrics.clone(),
            stop: poison.clone(),
            sightings: sightings.clone(),
            clock,
            bell,
            inlet: inlet.clone(),
            inbox,
            outlet: Box::new(move |message| {
                if outlet.send(ToConsumer::Lane(message)).is_ok() {
                    wake.wake();
                }
            }),
            judges: judges.clone(),
            correlation: Some(config.correlation_header.clone()).filter(|name| !name.is_empty()),
        };
        let thread = PipelineThread::new(parts);
        let alarm = Alarm {
            consumer: to_consumer.clone(),
            handle: handle.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("{}-{index}", plan.id))
            .spawn(move || {
                let _alarm = alarm;
                thread.run();
            });
        threads.push(thread.context("start a pipeline thread")?);
        inlets.push(inlet);
    }

    let (still_watching, stop_watching) = channel::<()>();
    let watching = std::thread::Builder::new()
        .name("lockgate-topics".into())
        .spawn(move || watcher.run(stop_watching));
    let watching = watching.context("start the topics watcher")?;

    let (sources, sources_watcher) = SourcesWatcher::new(plan.clone(), handle.clone(), clock);
    std::thread::Builder::new()
        .name("lockgate-sources".into())
        .spawn(move || sources_watcher.run())
        .context("start the sources watcher")?;

    stop.reach(to_consumer.clone(), handle);
    let consumer = ConsumerThread::new(consume::Parts {
        plan: plan.clone(),
        consumer,
        threads: inlets,
        inbox: consumer_inbox,
        sender: to_consumer,
        metrics: shared.metrics.clone(),
        status: status.clone(),
        sources,
        poison,
        clock,
        limits: FlowLimits {
            partition: Amount {
                records: limits.in_flight_records_per_partition,
                bytes: limits.in_flight_bytes_per_partition,
            },
            // The limit of the process, shared evenly.
            process: Amount {
                records: (limits.in_flight_records / shared.topologies).max(1),
                bytes: (limits.in_flight_bytes / shared.topologies).max(1),
            },
        },
        member: MemberConfig {
            commit_interval: Millis(limits.commit_interval_ms),
            drain_timeout: Millis(limits.drain_timeout_ms),
            in_flight_records: limits.in_flight_records_per_partition
                + consume::POLL_RECORDS as u64,
            has_guard: limits.crash_loop_guard,
        },
        until_latest,
    });
    tracing::info!(topology = plan.id, version = plan.version, "started");
    let ended = consumer.run();
    for thread in threads {
        anyhow::ensure!(
            thread.join().is_ok(),
            "a pipeline thread panicked: this is a defect of Lockgate"
        );
    }
    drop(still_watching);
    // It may be inside a question to a cluster that does not answer; nothing depends on its end.
    drop(watching);
    Ok(ended)
}

/// How many partitions the sources have, as their cluster says now.
fn source_partitions(
    config: &Config,
    plan: &Plan,
    admins: &BTreeMap<String, Admin>,
) -> anyhow::Result<u64> {
    let own;
    let admin = match admins.get(&plan.connection) {
        Some(admin) => admin,
        None => {
            let properties = properties(config, &config.limits, &plan.connection, Role::Admin)?;
            own = Admin::new(&properties).context("make a client for source topics")?;
            &own
        }
    };
    let deadline = Instant::now() + PARTITIONS_TIMEOUT;
    let mut partitions = 0;
    for source in &plan.sources {
        let left = deadline.saturating_duration_since(Instant::now());
        partitions += match admin.topic(&source.topic, left) {
            Ok(topic) => u64::try_from(topic.partitions).unwrap_or(0),
            Err(_) => PARTITIONS_ASSUMED,
        };
    }
    Ok(partitions)
}

/// The limits of a client: its share of the queues of the process, of which there are so many consumers and producers.
fn queue_shares(limits: &Limits, consumers: u64, producers: u64) -> Limits {
    let fetch_min = FETCH_QUEUE_BYTES_MIN.min(limits.fetch_queue_bytes);
    Limits {
        fetch_queue_bytes: (limits.fetch_queue_bytes / consumers).max(fetch_min),
        producer_queue_bytes: limits.producer_queue_bytes / producers,
        ..limits.clone()
    }
}

/// The explicit properties of one kind of client of a connection.
fn properties(
    config: &Config,
    limits: &Limits,
    connection: &str,
    role: Role<'_>,
) -> anyhow::Result<Properties> {
    let connection = config
        .connection(connection)
        .map_err(crate::config::ConfigFaults::from)?;
    let list = connection.client(role, limits);
    Ok(list
        .iter()
        .map(|property| (property.name.clone(), property.value.expose().to_owned()))
        .collect())
}

fn producer_properties(
    config: &Config,
    queues: &Limits,
    plan: &Plan,
    topics: &Topics,
    connection: &str,
) -> anyhow::Result<Properties> {
    let mut properties = properties(config, queues, connection, Role::Producer)?;
    let largest = topics
        .largest_limit(plan, connection)
        .unwrap_or_default()
        // A record that the whole queue has no room for would wait for room for ever: hence the two bounds.
        .min(u32::try_from(config.limits.producer_queue_bytes).unwrap_or(u32::MAX))
        .clamp(1_000, 1_000_000_000);
    topics.cap(plan, connection, largest);
    let smallest = topics.smallest_limit(plan, connection).unwrap_or_default();
    properties.set("message.max.bytes", largest.to_string());
    let queue = queues.producer_queue_bytes.max(u64::from(largest));
    let kilobytes = queue.div_ceil(1024);
    properties.set("queue.buffering.max.kbytes", kilobytes.to_string());
    let batch = smallest
        .saturating_sub(BATCH_ROOM_BYTES)
        .clamp(1_000, 1_000_000);
    properties.set("batch.size", batch.to_string());
    // A batch that fails for good makes the producer fatal, so that nothing overtakes it.
    properties.set("enable.gapless.guarantee", "true");
    Ok(properties)
}

fn pipeline_threads(configured: u64) -> usize {
    match usize::try_from(configured).unwrap_or(usize::MAX) {
        0 => std::thread::available_parallelism()
            .map_or(1, |cores| cores.get().div_ceil(2))
            .min(PIPELINE_THREADS_MAX),
        count => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::planted::world::{self, World};

    #[test]
    fn the_queues_of_all_clients_together_are_as_large_as_configured() {
        let limits = Limits::default();
        for (topologies, threads, connections) in [(1, 1, 1), (1, 4, 1), (2, 4, 3), (8, 1, 1)] {
            let producers = topologies * threads * connections;
            let queues = queue_shares(&limits, topologies, producers);
            assert_eq!(
                queues.producer_queue_bytes,
                limits.producer_queue_bytes / producers
            );
            assert_eq!(
                queues.fetch_queue_bytes,
                limits.fetch_queue_bytes / topologies
            );
        }
        let many = queue_shares(&limits, 100, 100);
        assert_eq!(many.fetch_queue_bytes, FETCH_QUEUE_BYTES_MIN);
        let small = Limits {
            fetch_queue_bytes: 1024,
            ..limits
        };
        assert_eq!(queue_shares(&small, 100, 100).fetch_queue_bytes, 1024);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_largest_record_of_a_topic_fits_into_a_producers_share() {
        let (world, plan) = (World::new().await, world::plan());
        let kilobytes = |queue_bytes: &str, threads, record_bytes| {
            let config = world.config(&[("limits.producer_queue_bytes", queue_bytes)]);
            let topics = Topics::new(&plan, record_bytes);
            let queues = queue_shares(&config.limits, 1, threads);
            let found = producer_properties(&config, &queues, &plan, &topics, "main").unwrap();
            let number = |name| found.get(name).unwrap().parse::<u64>().unwrap();
            let (queue, record) = ("queue.buffering.max.kbytes", "message.max.bytes");
            assert!(number(queue) * 1024 >= number(record));
            number(queue)
        };
        assert_eq!(kilobytes("33554432", 1, 1_000_000), 32 * 1024);
        assert_eq!(kilobytes("33554432", 4, 1_000_000), 8 * 1024);
        assert_eq!(kilobytes("1048576", 8, 1_000_000), 977);
        // More than the whole limit no record can have.
        assert_eq!(kilobytes("1048576", 8, 20_000_000), 1024);
    }
}
