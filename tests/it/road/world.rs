//! A broker, a registry and one topology from `in` to `out`; events that are numbered per key, and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate::codec::{frame, json};
use lockgate::config::{Config, Sources};
use lockgate::registry::fake::FakeRegistry;
use lockgate::schema::Schema;
use lockgate::service::Service;
use lockgate::telemetry::{Account, Metrics, TopologyState};
use lockgate::topology::fault::Source;
use lockgate::topology::files::Schemas;
use lockgate::topology::{Faults, Plan, Vars, compile_all};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Headers, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

pub const EVENT: &str = r#"{"type": "record", "name": "Event", "fields": [
    {"name": "key", "type": "string"}, {"name": "sequence", "type": "long"}, {"name": "filler", "type": "string"}]}"#;
pub const MAPPED: &str = r#"{"type": "record", "name": "Mapped", "fields": [
    {"name": "key", "type": "string"}, {"name": "sequence", "type": "long"}, {"name": "doubled", "type": "long"},
    {"name": "filler", "type": "string"}]}"#;
pub const TOPOLOGY: &str = "
id: road
sources:
  - topic: in
    envelope: none
    key: string
    value: { avro: event }
steps:
  - name: positive
    keep: event.sequence >= 0
  - name: small
    require: event.sequence < 1000000
  - name: shape
    schema: mapped
    from: event
    set:
      doubled: event.sequence * 2
routes:
  - name: out
    kafka: { topic: out, key: event.key }
dead_letter: { topic: dlq }
";

/// Source and output partitions.
pub const PARTITIONS: i32 = 4;

/// An output or a dead letter.
#[derive(Debug)]
pub struct Arrival {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, String)>,
    pub timestamp_ms: Option<i64>,
}

impl Arrival {
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map_or("", |(_, value)| value)
    }
}

pub struct World {
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    pub registry: FakeRegistry,
    pub event_id: u32,
    mapped: Schema,
    event: Schema,
    producer: BaseProducer,
    /// Pipeline threads of its workers.
    pub threads: usize,
    /// Events written per key: sequence numbers 0, 1, 2 …
    written: BTreeMap<String, i64>,
}

impl World {
    /// Two pipeline threads, whatever the machine: each has two partitions.
    pub async fn new() -> World {
        World::with_threads(2).await
    }

    pub async fn with_threads(threads: usize) -> World {
        let cluster = MockCluster::new(1).unwrap();
        for (topic, partitions) in [("in", PARTITIONS), ("out", PARTITIONS), ("dlq", 1)] {
            cluster.create_topic(topic, partitions, 1).unwrap();
        }
        let registry = FakeRegistry::start().await.unwrap();
        let event_id = registry.register("event", EVENT);
        registry.register("mapped", MAPPED);
        let producer = client(&cluster)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", "0")
            .create()
            .unwrap();
        World {
            cluster,
            registry,
            event_id,
            mapped: Schema::parse(MAPPED).unwrap(),
            event: Schema::parse(EVENT).unwrap(),
            producer,
            threads,
            written: BTreeMap::new(),
        }
    }

    /// The configuration of a worker in this world; `flags` outrank.
    pub fn config(&self, flags: &[(&str, &str)]) -> Config {
        let threads = self.threads.to_string();
        let mut all = vec![("limits.pipeline_threads", threads.as_str())];
        all.extend(flags);
        let (brokers, registry) = (self.cluster.bootstrap_servers(), self.registry.url());
        config_at(&brokers, &registry, &all)
    }

    /// A worker on the topology.
    pub fn worker(&self, flags: &[(&str, &str)]) -> Service {
        Service::start(&[plan()], self.config(flags), false).unwrap()
    }

    /// A worker on another topology.
    pub fn worker_on(&self, plan: Arc<Plan>, flags: &[(&str, &str)]) -> Service {
        Service::start(&[plan], self.config(flags), false).unwrap()
    }

    /// A worker that ends at the ends seen at its start.
    pub fn backfill(&self) -> Service {
        Service::start(&[plan()], self.config(&[]), true).unwrap()
    }

    /// Writes the next `count` events of some keys, in turn.
    pub fn write(&mut self, count: i64) {
        for index in 0..count {
            let key = format!("key-{}", index % 23);
            let next = self.written.entry(key.clone()).or_default();
            let sequence = *next;
            *next += 1;
            let value = self.framed(self.event_id, &key, sequence, "näßig");
            self.send(key.as_bytes(), Some(&value));
        }
        self.flush();
    }

    /// A framed event.
    pub fn framed(&self, schema_id: u32, key: &str, sequence: i64, filler: &str) -> Vec<u8> {
        let mut value = Vec::new();
        frame::write(schema_id, &mut value);
        let event = serde_json::json!({"key": key, "sequence": sequence, "filler": filler});
        value.extend(json::from_json(&self.event, &event).unwrap());
        value
    }

    /// Writes a record as it is.
    pub fn send(&self, key: &[u8], value: Option<&[u8]>) {
        self.send_with(key, value, OwnedHeaders::new());
    }

    /// Writes a record with headers.
    pub fn send_with(&self, key: &[u8], value: Option<&[u8]>, headers: OwnedHeaders) {
        self.put(BaseRecord::to("in").key(key).headers(headers), value);
    }

    /// Writes a record of a time.
    pub fn send_at(&self, timestamp_ms: i64, key: &[u8], value: Option<&[u8]>) {
        self.put(BaseRecord::to("in").key(key).timestamp(timestamp_ms), value);
    }

    fn put<'a>(&'a self, mut record: BaseRecord<'a, [u8], [u8]>, value: Option<&'a [u8]>) {
        record.payload = value;
        while let Err((_, same)) = self.producer.send(record) {
            self.producer.poll(Duration::from_millis(10));
            record = same;
        }
    }

    pub fn flush(&self) {
        self.producer.flush(Duration::from_secs(20)).unwrap();
    }

    /// Number of events written by [`World::write`].
    pub fn events(&self) -> u64 {
        self.written.values().sum::<i64>() as u64
    }

    /// Waits until the worker is done with all of them and so many other records.
    pub async fn settle(&self, worker: &Service, others: u64) {
        let all = self.events() + others;
        until("all records are done", || done(worker) == all).await;
    }

    /// Everything in a topic, partition by partition.
    pub fn read(&self, topic: &str) -> Vec<Arrival> {
        let consumer: BaseConsumer = client(&self.cluster)
            .set("group.id", "reader")
            .set("fetch.wait.max.ms", "10")
            .set("auto.offset.reset", "error")
            .create()
            .unwrap();
        let partitions = if topic == "dlq" { 1 } else { PARTITIONS };
        let mut wanted = 0;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            wanted += consumer
                .fetch_watermarks(topic, partition, Duration::from_secs(10))
                .unwrap()
                .1;
            list.add_partition_offset(topic, partition, Offset::Offset(0))
                .unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut arrivals = Vec::new();
        let end = Instant::now() + Duration::from_secs(20);
        while (arrivals.len() as i64) < wanted {
            assert!(
                Instant::now() < end,
                "read {} of {wanted} records of {topic}",
                arrivals.len()
            );
            let Some(message) = consumer.poll(Duration::from_millis(100)) else {
                continue;
            };
            let message = message.unwrap();
            let text = |value: Option<&[u8]>| {
                String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
            };
            let headers = message.headers().into_iter().flat_map(Headers::iter);
            arrivals.push(Arrival {
                partition: message.partition(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                timestamp_ms: message.timestamp().to_millis(),
                headers: headers
                    .map(|header| (header.key.to_owned(), text(header.value)))
                    .collect(),
            });
        }
        arrivals
    }

    /// Holds the output topic against what was written: nothing lost, nothing invented, the first arrivals of each key in order.
    /// Returns the number of repetitions.
    pub fn judge(&self) -> usize {
        self.judge_of(&self.read("out"))
    }

    /// The same of outputs that arrived elsewhere.
    pub fn judge_of(&self, arrivals: &[Arrival]) -> usize {
        let mut next: BTreeMap<String, i64> = BTreeMap::new();
        let mut duplicates = 0;
        for arrival in arrivals {
            let (_, datum) = frame::split(arrival.value.as_deref().unwrap()).unwrap();
            let value = json::to_json(&self.mapped, datum).unwrap();
            let (key, sequence) = (
                value["key"].as_str().unwrap(),
                value["sequence"].as_i64().unwrap(),
            );
            assert_eq!(value["doubled"].as_i64(), Some(2 * sequence));
            assert_eq!(value["filler"], "näßig");
            assert_eq!(arrival.key.as_deref(), Some(key.as_bytes()));
            let next = next.entry(key.to_owned()).or_default();
            assert!(
                sequence <= *next,
                "{key}#{sequence} came before #{next}: lost or reordered"
            );
            match sequence == *next {
                true => *next += 1,
                false => duplicates += 1,
            }
        }
        assert_eq!(
            next, self.written,
            "the last events of some keys are missing"
        );
        duplicates
    }

    /// Offsets that the group of the usual topology has committed, added up.
    pub fn committed(&self) -> i64 {
        self.committed_by("road")
    }

    /// The same of another one.
    pub fn committed_by(&self, topology: &str) -> i64 {
        let positions = self.positions_of(topology);
        positions.into_iter().map(|(offset, _)| offset).sum()
    }

    /// Says something else with the positions of a group in which nobody is: one for each partition.
    pub fn say(&self, topology: &str, said: [&str; PARTITIONS as usize]) {
        let consumer: BaseConsumer = client(&self.cluster)
            .set("group.id", topology)
            .set("enable.auto.commit", "false")
            .set("session.timeout.ms", "6000")
            .create()
            .unwrap();
        // The mock cluster takes commits of members only.
        consumer.subscribe(&["in"]).unwrap();
        let begun = Instant::now();
        while consumer.assignment().unwrap().count() < PARTITIONS as usize {
            assert!(begun.elapsed() < Duration::from_secs(60), "no assignment");
            consumer.poll(Duration::from_millis(50));
        }
        let mut list = TopicPartitionList::new();
        let positions = self.positions_of(topology);
        for (partition, ((offset, _), said)) in positions.into_iter().zip(said).enumerate() {
            let mut element = list.add_partition("in", partition as i32);
            element.set_offset(Offset::Offset(offset)).unwrap();
            element.set_metadata(said);
        }
        consumer.commit(&list, CommitMode::Sync).unwrap();
        let now = self.positions_of(topology);
        assert!(
            now.iter().map(|(_, said)| said.as_str()).eq(said),
            "{now:?}"
        );
    }

    /// What the group of a topology has committed, and said with it.
    pub fn positions_of(&self, topology: &str) -> Vec<(i64, String)> {
        let consumer: BaseConsumer = client(&self.cluster)
            .set("group.id", topology)
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition("in", partition);
        }
        let committed = consumer
            .committed_offsets(list, Duration::from_secs(10))
            .unwrap();
        let positions = committed.elements().into_iter().filter_map(|element| {
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some((offset, element.metadata().to_owned()))
        });
        positions.collect()
    }
}

/// Runs a test with one pipeline thread and with one for each partition, at the same time: most of a test is waiting.
pub async fn with_one_thread_and_with_four(test: impl AsyncFn(usize)) {
    let with = async |threads| {
        let mut run = Box::pin(test(threads));
        let tell = |panic| {
            println!("failed with {threads} pipeline threads");
            resume_unwind(panic)
        };
        poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| run.as_mut().poll(cx));
            catch_unwind(poll).unwrap_or_else(tell)
        })
        .await;
    };
    tokio::join!(with(1), with(4));
}

/// The configuration of a worker on a world that may be another process's.
pub fn config_at(brokers: &str, registry: &str, flags: &[(&str, &str)]) -> Config {
    let mut sources = Sources::none();
    let own = [
        ("kafka.brokers", brokers),
        (
            "kafka.properties",
            "fetch.wait.max.ms=10;session.timeout.ms=6000;heartbeat.interval.ms=500",
        ),
        ("registry.url", registry),
        ("registry.unknown_wait_ms", "500"),
        ("admin.listen", "off"),
        ("limits.commit_interval_ms", "200"),
    ];
    sources.flags = own
        .iter()
        .chain(flags)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    lockgate::config::load(&sources).unwrap_or_else(|faults| panic!("{faults}"))
}

pub fn client(cluster: &MockCluster<'static, DefaultProducerContext>) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("log_level", "0");
    client
}

pub fn plan() -> Arc<Plan> {
    plan_of(TOPOLOGY, &[])
}

/// The plan of a topology, with more schemas than the usual ones.
pub fn plan_of(topology: &'static str, more: &[(&'static str, &'static str)]) -> Arc<Plan> {
    let mut faults = Faults::default();
    let source = Arc::new(Source::new("road.yaml", topology));
    let all = [("event", EVENT), ("mapped", MAPPED)];
    let mut schemas = Schemas::embedded(all.into_iter().chain(more.iter().copied()));
    let plans = compile_all(&[source], &mut schemas, &Vars::new(), &mut faults);
    assert!(faults.is_ok(), "{}", faults.render(false));
    plans.into_iter().next().unwrap()
}

pub fn account(service: &Service) -> Account {
    service.metrics().account("road")
}

/// The sum of all series of a metric that have this label, such as `client="producer"`.
pub fn counted(metrics: &Metrics, name: &str, label: &str) -> f64 {
    let text = metrics.render();
    let is_it = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
    let values = text.lines().filter(is_it);
    values
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

pub fn state(service: &Service) -> TopologyState {
    let plan = plan();
    service
        .metrics()
        .board()
        .topology(&plan.id, &plan.version)
        .state()
}

/// Delivered, filtered and dead-lettered records together.
pub fn done(service: &Service) -> u64 {
    account(service).disposed[..3].iter().sum()
}

/// Waits for a condition; a failure that names it if it does not come true.
pub async fn until(what: &str, condition: impl FnMut() -> bool) {
    within(30, what, condition).await;
}

/// The same with so many seconds of patience.
pub async fn within(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Drains; the worker must leave nothing behind.
pub async fn drain(service: Service) -> Account {
    service.stop();
    until("the worker has ended", || service.is_finished()).await;
    let metrics = service.metrics().clone();
    for (_, ended) in service.join() {
        let ended = ended.unwrap();
        assert!(
            ended.error.is_none() && ended.leftovers.is_empty(),
            "{:?}",
            ended.leftovers
        );
    }
    let account = metrics.account("road");
    assert_eq!((account.pending, account.balance()), (0, 0));
    account
}

/// The reasons of dead letters.
pub fn reasons(arrivals: &[Arrival]) -> BTreeSet<&str> {
    arrivals
        .iter()
        .map(|arrival| arrival.header("lockgate.dlq.reason"))
        .collect()
}
