//! Registration, and the text that Prometheus scrapes.
//!
//! Not used on purpose: `prometheus::*Vec`. They hash label values without a separator, so that (`t1`, `12`) and (`t11`, `2`)
//! are one child and two partitions share one counter. Here every child is a metric of its own with constant labels.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, Opts, Registry, TextEncoder};

use super::handles::{LaneMetrics, PoisonMetrics, RegistryMetrics, RouteMetrics};
use super::ledger::{Account, Ledger, PartitionMetrics, lock};
use super::status::{PartitionStatus, Status, StatusBoard, TopologyState};
use super::table::{self, Kind, MetricSpec};
use super::{logging, process};

/// Label sets per metric; further ones are counted under the value `overflow`. Labels come from bounded lists, so this
/// is reached only by a fault of ours: it must cost a wrong label then, not the memory of the process.
const CHILDREN_MAX: usize = 5_000;
const OVERFLOW: &str = "overflow";

/// All metrics of the process. Shared by `Arc`; every method may be called from any thread.
pub struct Metrics {
    registry: Registry,
    children: Mutex<HashMap<&'static str, BTreeMap<Vec<String>, Child>>>,
    ledger: Arc<Ledger>,
    board: Arc<StatusBoard>,
}

#[derive(Clone)]
enum Child {
    Counter(IntCounter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Metrics {
    /// An empty set of metrics with its status board. One per process; tests make as many as they like.
    pub fn new() -> Arc<Self> {
        process::started_seconds();
        let ledger = Arc::new(Ledger::default());
        let board = Arc::new(StatusBoard::new());
        let registry = Registry::new();
        let view = View {
            ledger: ledger.clone(),
            board: board.clone(),
        };
        registry
            .register(Box::new(view))
            .expect("the view describes nothing that could collide");
        Arc::new(Self {
            registry,
            children: Mutex::default(),
            ledger,
            board,
        })
    }

    /// The board on which topologies say what they are doing.
    pub fn board(&self) -> &Arc<StatusBoard> {
        &self.board
    }

    /// The numbers of a new assignment of one partition. Its gauges go with the last clone of the handle.
    pub fn partition(&self, topology: &str, topic: &str, partition: i32) -> PartitionMetrics {
        self.ledger.open(topology, topic, partition)
    }

    /// Counts the broker's answer to a commit of one partition, whoever owns it by now.
    pub fn committed(&self, topology: &str, topic: &str, partition: i32, is_done: bool) {
        self.ledger.committed(topology, topic, partition, is_done);
    }

    /// The numbers of one lane thread: routes are addressed by their index in `routes`.
    pub fn lane(self: &Arc<Self>, topology: &str, routes: &[&str]) -> LaneMetrics {
        let route = |name: &&str| {
            let outcome = |outcome| {
                self.counter(table::DELIVERIES, &[topology, name, outcome])
                    .local()
            };
            RouteMetrics {
                name: (*name).to_owned(),
                delivered: outcome("delivered"),
                dead_lettered: outcome("dead_lettered"),
                bytes: self
                    .counter(table::DELIVERED_BYTES, &[topology, name])
                    .local(),
                delivery_seconds: self
                    .histogram(table::DELIVERY_SECONDS, &[topology, name])
                    .local(),
            }
        };
        LaneMetrics {
            topology: topology.to_owned(),
            routes: routes.iter().map(route).collect(),
            event_age_seconds: self
                .histogram(table::EVENT_AGE_SECONDS, &[topology])
                .local(),
            dead_letters: Vec::new(),
            retries: Vec::new(),
            metrics: self.clone(),
        }
    }

    /// Counts a change of the assignment; `kind` is `assigned`, `revoked` or `lost`.
    pub fn rebalanced(&self, topology: &str, kind: &'static str) {
        self.counter(table::REBALANCES, &[topology, kind]).inc();
    }

    /// Notes an assignment of a partition, and counts it if its last owner did not leave it in order. Before the first
    /// one it is 0: a counter that is born with its number has no rate.
    pub fn owned(&self, topology: &str, topic: &str, partition: i32, is_after_death: bool) {
        let labels = [topology, topic, &partition.to_string()];
        self.counter(table::OWNER_DEATHS, &labels)
            .inc_by(u64::from(is_after_death));
    }

    /// Counts the first sight of a schema id; `change` is what it is to the checked schema: `equal`, `resolvable`,
    /// `incompatible` or `wrong`.
    pub fn schema_seen(&self, topology: &str, topic: &str, change: &'static str) {
        self.counter(table::NEW_SCHEMAS, &[topology, topic, change])
            .inc();
    }

    /// Counts errors that librdkafka reported; `client` is `consumer` or `producer`, `code` librdkafka's name for them.
    pub fn kafka_errors(&self, connection: &str, client: &'static str, code: &str, count: u64) {
        self.counter(table::KAFKA_ERRORS, &[connection, client, code])
            .inc_by(count);
    }

    /// The poison gauge of one source or route; `scope` is `source` or `route`.
    pub fn poison(&self, topology: &str, scope: &'static str, name: &str) -> PoisonMetrics {
        PoisonMetrics {
            share: self.gauge(table::POISON_SHARE, &[topology, scope, name]),
            stopped: self.gauge(table::POISON_STOPPED, &[topology, scope, name]),
        }
    }

    /// The handles of the schema cache.
    pub fn registry(&self) -> RegistryMetrics {
        let lookups = |result| self.counter(table::SCHEMA_LOOKUPS, &[result]);
        let requests = |result| self.counter(table::REGISTRY_REQUESTS, &[result]);
        RegistryMetrics {
            hits: lookups("hit"),
            misses: lookups("miss"),
            found: requests("found"),
            not_found: requests("not_found"),
            failed: requests("failed"),
            outage: self.gauge(table::REGISTRY_OUTAGE, &[]),
            cached: self.gauge(table::SCHEMAS_CACHED, &[]),
        }
    }

    /// Says what runs: the version of the client library is known only at run time.
    pub fn set_build_info(&self, librdkafka: &str) {
        let revision = option_env!("LOCKGATE_REVISION").unwrap_or("unknown");
        self.gauge(
            table::BUILD_INFO,
            &[env!("CARGO_PKG_VERSION"), revision, librdkafka],
        )
        .set(1.0);
    }

    /// The account of a topology, over all its partitions and this process's whole life.
    pub fn account(&self, topology: &str) -> Account {
        self.ledger.account(topology)
    }

    /// The partitions that a topology owns now.
    pub fn partitions(&self, topology: &str) -> Vec<PartitionStatus> {
        self.ledger.partitions(topology)
    }

    /// Everything that is known, as `/status` answers it.
    pub fn status(&self) -> Status {
        let (live, ready) = (self.board.live(), self.board.ready());
        let report = |(id, topology): (String, Arc<super::TopologyStatus>)| {
            topology.status(&id, self.ledger.partitions(&id), self.ledger.account(&id))
        };
        Status {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: self.board.uptime().as_secs(),
            live: live.is_ok(),
            ready: ready.is_ok(),
            complaints: [live.err(), ready.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect(),
            registry_outage: self.gauge(table::REGISTRY_OUTAGE, &[]).get() != 0.0,
            topologies: self.board.all().into_iter().map(report).collect(),
        }
    }

    /// The text that Prometheus scrapes (format 0.0.4).
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("every family has a name and at least one sample")
    }

    // === children ===

    pub(super) fn counter(&self, spec: &'static MetricSpec, labels: &[&str]) -> IntCounter {
        match self.child(spec, labels) {
            Child::Counter(counter) => counter,
            _ => unreachable!("{} is a counter in the table", spec.name),
        }
    }

    fn gauge(&self, spec: &'static MetricSpec, labels: &[&str]) -> Gauge {
        match self.child(spec, labels) {
            Child::Gauge(gauge) => gauge,
            _ => unreachable!("{} is a gauge in the table", spec.name),
        }
    }

    fn histogram(&self, spec: &'static MetricSpec, labels: &[&str]) -> Histogram {
        match self.child(spec, labels) {
            Child::Histogram(histogram) => histogram,
            _ => unreachable!("{} is a histogram in the table", spec.name),
        }
    }

    fn child(&self, spec: &'static MetricSpec, labels: &[&str]) -> Child {
        assert_eq!(labels.len(), spec.labels.len(), "labels of {}", spec.name);
        let mut children = lock(&self.children);
        let children = children.entry(spec.name).or_default();
        let mut labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        if children.len() >= CHILDREN_MAX && !children.contains_key(&labels) {
            labels.fill(OVERFLOW.to_owned());
        }
        if let Some(child) = children.get(&labels) {
            return child.clone();
        }
        let constant: HashMap<String, String> = spec
            .labels
            .iter()
            .map(|&name| name.to_owned())
            .zip(labels.iter().cloned())
            .collect();
        let opts = Opts::new(spec.name, spec.help).const_labels(constant);
        let valid = "the table holds valid names";
        let (child, collector): (_, Box<dyn Collector>) = match spec.kind {
            Kind::Counter => {
                let counter = IntCounter::with_opts(opts).expect(valid);
                (Child::Counter(counter.clone()), Box::new(counter))
            }
            Kind::Gauge => {
                let gauge = Gauge::with_opts(opts).expect(valid);
                (Child::Gauge(gauge.clone()), Box::new(gauge))
            }
            Kind::Histogram(buckets) => {
                let opts = HistogramOpts {
                    common_opts: opts,
                    buckets: buckets.to_vec(),
                };
                let histogram = Histogram::with_opts(opts).expect(valid);
                (Child::Histogram(histogram.clone()), Box::new(histogram))
            }
        };
        self.registry
            .register(collector)
            .expect("each set of labels is registered once");
        children.insert(labels, child.clone());
        child
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What is computed at the scrape: ledger, board, process, log.
struct View {
    ledger: Arc<Ledger>,
    board: Arc<StatusBoard>,
}

impl Collector for View {
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.ledger.families();
        let (mut state, mut poll_age, mut usable) = (Vec::new(), Vec::new(), Vec::new());
        for (id, topology) in self.board.all() {
            let now = topology.state();
            for name in TopologyState::NAMES {
                state.push(gauge(
                    &[("state", name), ("topology", &id)],
                    f64::from(u8::from(name == now.name())),
                ));
            }
            poll_age.extend(
                topology
                    .poll_age()
                    .map(|age| gauge(&[("topology", &id)], age.as_secs_f64())),
            );
            for sink in topology.sinks() {
                usable.push(gauge(
                    &[("sink", &sink.name), ("topology", &id)],
                    f64::from(u8::from(sink.usable)),
                ));
            }
        }
        families.push(family(table::STATE, state));
        families.push(family(table::POLL_AGE, poll_age));
        families.push(family(table::SINK_USABLE, usable));
        families.push(family(
            table::LOG_SUPPRESSED,
            vec![counter(&[], logging::suppressed_lines() as f64)],
        ));
        families.extend(process::families());
        families
    }
}

/// A family of samples that were computed, not registered.
pub(super) fn family(spec: &'static MetricSpec, samples: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(spec.name.to_owned());
    family.set_help(spec.help.to_owned());
    family.set_field_type(match spec.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram(_) => MetricType::HISTOGRAM,
    });
    family.set_metric(samples);
    family
}

pub(super) fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
    let mut counter = prometheus::proto::Counter::default();
    counter.set_value(value);
    let mut metric = labelled(labels);
    metric.set_counter(counter);
    metric
}

pub(super) fn gauge(labels: &[(&str, &str)], value: f64) -> Metric {
    let mut gauge = prometheus::proto::Gauge::default();
    gauge.set_value(value);
    let mut metric = labelled(labels);
    metric.set_gauge(gauge);
    metric
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let mut labels = labels.to_vec();
    labels.sort_unstable();
    let pair = |&(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}
