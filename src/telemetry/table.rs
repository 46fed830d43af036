//! Every metric that Lockgate exposes. Nothing else can be registered; `docs/METRICS.md` is this table, printed.

use std::fmt::Write as _;

/// How a metric's numbers behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of observations in buckets; the upper bounds, in the metric's unit.
    Histogram(&'static [f64]),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct MetricSpec {
    /// Full name, unit last (counters: then `_total`).
    pub name: &'static str,
    /// Behaviour of its numbers.
    pub kind: Kind,
    /// What one of it is: `records`, `bytes`, `seconds`, `1` for a switch or a share.
    pub unit: &'static str,
    /// Label names. Every value comes from a topology, the configuration, or a fixed list in the code.
    pub labels: &'static [&'static str],
    /// What it says, for an operator.
    pub help: &'static str,
}

/// From a fetch to the acknowledgement of the far side: 1 ms to a minute.
const DELIVERY: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// From the event's own time to its arrival: 10 ms to a day.
const AGE: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0,
];

const PARTITION: &[&str] = &["topology", "topic", "partition"];

macro_rules! specs {
    ($($id:ident = $name:literal, $kind:expr, $unit:literal, $labels:expr, $help:literal;)*) => {
        $(pub(super) const $id: &MetricSpec =
            &MetricSpec { name: $name, kind: $kind, unit: $unit, labels: $labels, help: $help };)*
        static TABLE: &[&MetricSpec] = &[$($id),*];
    };
}

specs! {
    CONSUMED = "lockgate_consumed_records_total", Kind::Counter, "records", PARTITION,
        "Records taken from the source partition, counted at the poll.";
    CONSUMED_BYTES = "lockgate_consumed_bytes_total", Kind::Counter, "bytes", PARTITION,
        "Bytes of key and value of the consumed records.";
    DISPOSED = "lockgate_disposed_records_total", Kind::Counter, "records", &["topology", "topic", "partition", "disposition"],
        "Records that reached their end: delivered, filtered, dead_lettered, or released to the next owner at a revoke.";
    PENDING = "lockgate_pending_records", Kind::Gauge, "records", PARTITION,
        "Records consumed and not yet disposed of, counted by walking the slots.";
    PENDING_BYTES = "lockgate_pending_bytes", Kind::Gauge, "bytes", PARTITION,
        "Bytes held for the pending records.";
    BALANCE = "lockgate_balance_records", Kind::Gauge, "records", PARTITION,
        "Consumed minus disposed minus pending. Always 0; anything else is a record that nobody accounts for.";
    LAG = "lockgate_lag_records", Kind::Gauge, "records", PARTITION,
        "Offsets between the frontier and the end of an owned partition. Gone at the revoke.";
    LAG_SECONDS = "lockgate_lag_seconds", Kind::Gauge, "seconds", PARTITION,
        "Age of the oldest record of an owned partition that is not done; 0 when nothing is left. Computed at the scrape, so it grows while the road stands still.";
    PAUSED = "lockgate_paused", Kind::Gauge, "1", &["topology", "topic", "partition", "reason"],
        "1 while the partition is paused for this reason, 0 after it was. Reasons: see docs/OPERATIONS.md.";
    COMMITS = "lockgate_commits_total", Kind::Counter, "commits", &["topology", "topic", "partition", "result"],
        "Answers of the broker to offset commits, those of initial positions too, whoever gets the partition: committed or failed. While the partition is ours, a failure is driven again from the frontier.";
    DELIVERIES = "lockgate_deliveries_total", Kind::Counter, "deliveries", &["topology", "route", "outcome"],
        "Deliveries by how they end: delivered, counted when the sink has taken it, or dead_lettered, counted when its letter is on its way.";
    DELIVERED_BYTES = "lockgate_delivered_bytes_total", Kind::Counter, "bytes", &["topology", "route"],
        "Bytes of key and value that arrived at the route's sink.";
    RETRIES = "lockgate_retries_total", Kind::Counter, "attempts", &["topology", "route", "class"],
        "Attempts after the first, by the class of the error that made them necessary.";
    DEAD_LETTERS = "lockgate_dead_letters_total", Kind::Counter, "records", &["topology", "step", "class", "reason"],
        "Dead letters by the step or route that gave up, and why. Each is counted once, when it is on its way to the dead letter topic; what has arrived there is in lockgate_disposed_records_total.";
    DELIVERY_SECONDS = "lockgate_delivery_seconds", Kind::Histogram(DELIVERY), "seconds", &["topology", "route"],
        "Time from the fetch of a record to its delivery.";
    EVENT_AGE_SECONDS = "lockgate_event_age_seconds", Kind::Histogram(AGE), "seconds", &["topology"],
        "Time from the event's own timestamp to its delivery.";
    REBALANCES = "lockgate_rebalances_total", Kind::Counter, "rebalances", &["topology", "kind"],
        "Changes of the assignment: assigned, revoked or lost.";
    OWNER_DEATHS = "lockgate_owner_deaths_total", Kind::Counter, "deaths", PARTITION,
        "Assignments that found that the worker before had not left the partition in order, with records waiting: it died, was expelled, or could not say that it left.";
    STATE = "lockgate_topology_state", Kind::Gauge, "1", &["topology", "state"],
        "1 for the state that the topology is in: starting, running, waiting, stopped, draining or ended.";
    POLL_AGE = "lockgate_poll_age_seconds", Kind::Gauge, "seconds", &["topology"],
        "Time since the consumer's poll loop last turned.";
    SINK_USABLE = "lockgate_sink_usable", Kind::Gauge, "1", &["topology", "sink"],
        "1 while the sink takes deliveries, 0 while it does not.";
    POISON_SHARE = "lockgate_poison_share", Kind::Gauge, "1", &["topology", "scope", "name"],
        "Share of the last records of a source or a route that were judged poison (rules that the topology declares do not count).";
    POISON_STOPPED = "lockgate_poison_stopped", Kind::Gauge, "1", &["topology", "scope", "name"],
        "1 from when the share of poison of this source or route passed the limit, and the whole topology stopped.";
    SCHEMA_LOOKUPS = "lockgate_schema_lookups_total", Kind::Counter, "lookups", &["result"],
        "Schema ids looked up in the cache: hit or miss.";
    REGISTRY_REQUESTS = "lockgate_registry_requests_total", Kind::Counter, "requests", &["result"],
        "Ids asked of the schema registry: found (or found unusable), not_found, or failed (an outage; retried).";
    REGISTRY_OUTAGE = "lockgate_registry_outage", Kind::Gauge, "1", &[],
        "1 while the schema registry does not answer as it should.";
    SCHEMAS_CACHED = "lockgate_schemas_cached", Kind::Gauge, "schemas", &[],
        "Writer schemas in the cache.";
    NEW_SCHEMAS = "lockgate_new_schemas_total", Kind::Counter, "schemas", &["topology", "topic", "change"],
        "Schema ids seen for the first time, by what they are to the checked schema: equal, resolvable, incompatible or wrong.";
    KAFKA_ERRORS = "lockgate_kafka_errors_total", Kind::Counter, "errors", &["connection", "client", "code"],
        "Errors that librdkafka reported, by connection, client (consumer or producer) and its name for the error; a fatal one by its cause.";
    LOG_SUPPRESSED = "lockgate_log_suppressed_total", Kind::Counter, "lines", &[],
        "Log lines left out by the rate limit per reason; each window ends with a summary line.";
    MEMORY = "process_resident_memory_bytes", Kind::Gauge, "bytes", &[],
        "Resident memory of the process.";
    CPU = "process_cpu_seconds_total", Kind::Counter, "seconds", &[],
        "CPU time of the process, user and system.";
    OPEN_FDS = "process_open_fds", Kind::Gauge, "files", &[],
        "Open file descriptors of the process.";
    START_TIME = "process_start_time_seconds", Kind::Gauge, "seconds", &[],
        "When the process started, in seconds since 1970.";
    BUILD_INFO = "lockgate_build_info", Kind::Gauge, "1", &["version", "revision", "librdkafka"],
        "Always 1; the labels say what runs.";
}

/// All metrics, in the order of the reference page.
pub fn table() -> &'static [&'static MetricSpec] {
    TABLE
}

/// The reference page, `docs/METRICS.md`, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Generated from the table in `src/telemetry/table.rs`; a test compares the two (`LOCKGATE_BLESS=1 cargo test --lib telemetry` writes this file anew).\n\
         What to watch and what to do about it: [OPERATIONS.md](OPERATIONS.md).\n\n\
         | Metric | Kind | Unit | Labels | Meaning |\n|---|---|---|---|---|\n",
    );
    for spec in TABLE {
        let kind = match spec.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels = spec
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let unit = if spec.unit == "1" { "" } else { spec.unit };
        writeln!(
            page,
            "| `{}` | {kind} | {unit} | {labels} | {} |",
            spec.name, spec.help
        )
        .expect("writing to a String does not fail");
    }
    page.push_str("\nBuckets, in seconds:\n\n");
    for spec in TABLE {
        if let Kind::Histogram(buckets) = spec.kind {
            let bounds = buckets
                .iter()
                .map(f64::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            writeln!(page, "- `{}`: {bounds}", spec.name)
                .expect("writing to a String does not fail");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_reference_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        if std::env::var_os("LOCKGATE_BLESS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            reference(),
            "run with LOCKGATE_BLESS=1 to write it anew"
        );
    }

    #[test]
    fn names_are_unique_and_follow_the_convention() {
        let mut names = HashSet::new();
        for spec in table() {
            assert!(names.insert(spec.name), "{} stands twice", spec.name);
            // The names that every client library uses for the process itself, so that general dashboards find them.
            assert!(spec.name.starts_with("lockgate_") || spec.name.starts_with("process_"));
            assert_eq!(
                spec.name.ends_with("_total"),
                spec.kind == Kind::Counter,
                "{}",
                spec.name
            );
            assert!(spec.help.ends_with('.'), "{}", spec.name);
            if let Kind::Histogram(buckets) = spec.kind {
                assert!(buckets.is_sorted(), "{}", spec.name);
                assert!(spec.name.ends_with("_seconds"), "{}", spec.name);
            }
        }
    }
}
