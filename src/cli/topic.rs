//! Reads a topic for an operator's command: from positions to the end or for ever, in no group, committing nothing.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use super::signals::Stop;
use crate::config::{Config, ConfigFaults, Role};
use crate::core::Tp;
use crate::kafka::admin::Admin;
use crate::kafka::classify::{self, Class};
use crate::kafka::{
    ClientError, Consumer, ConsumerHandle, Event, Position, Producer, Properties, RawRecord,
    Watermarks,
};

/// How long the cluster may take to answer one question.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to tell a topic's settings: they are a help, not a need.
const SETTINGS_PATIENCE: Duration = Duration::from_secs(2);
/// Longer than this a poll does not wait, so that a signal is heeded.
const POLL: Duration = Duration::from_millis(100);
/// Records per poll.
const BATCH: usize = 500;

/// The properties of a client of a configured connection. Fails if there is none of that name.
pub fn properties(config: &Config, connection: &str, role: Role) -> anyhow::Result<Properties> {
    let connection = config
        .connection(connection)
        .map_err(|fault| ConfigFaults(vec![fault]))?;
    Ok(connection
        .client(role, &config.limits)
        .iter()
        .map(|property| (property.name.as_str(), property.value.expose()))
        .collect())
}

/// Why nothing can be done with a topic, with the addresses that were tried.
fn unusable(
    config: &Config,
    connection: &str,
    topic: &str,
    what: &str,
    error: ClientError,
) -> anyhow::Error {
    let known = config.connection(connection).ok();
    let brokers = known.map_or("", |known| &known.brokers);
    let what = format!(
        "the topic {topic} cannot be {what} over the connection `{connection}` ({brokers})"
    );
    // No broker has said anything: the library's words would not help.
    let code = error.error.name();
    if matches!(code, "_TRANSPORT" | "_ALL_BROKERS_DOWN" | "_TIMED_OUT") {
        return anyhow!(
            "{what}: no broker answers ({code}): is the cluster up, are its address and `security.protocol` right? \
             `lockgate config` shows what is set"
        );
    }
    anyhow::Error::new(error).context(what)
}

/// A producer for topics of one connection, which must exist. No record beyond what the largest of them takes is enqueued, and no
/// batch is larger than what the smallest takes: a broker refuses a batch as a whole.
pub fn producer(config: &Config, connection: &str, topics: &[&str]) -> anyhow::Result<Producer> {
    let admin = Admin::new(&properties(config, connection, Role::Admin)?)?;
    for name in topics {
        let found = admin.topic(name, PATIENCE);
        found.map_err(|error| unusable(config, connection, name, "written to", error))?;
    }
    let told = admin.topic_settings(topics, "max.message.bytes", SETTINGS_PATIENCE);
    let limits: Vec<u64> = told
        .into_iter()
        .flatten()
        .map(|told| told.ok().flatten()?.parse().ok())
        .map(|limit: Option<u64>| limit.unwrap_or(config.limits.output_record_bytes))
        .collect();
    let default = config.limits.output_record_bytes;
    let largest = limits.iter().max().copied().unwrap_or(default);
    let smallest = limits.iter().min().copied().unwrap_or(default);
    // What a batch adds to its records.
    let batch = smallest.saturating_sub(1_024).clamp(1_000, 1_000_000);
    let mut properties = properties(config, connection, Role::Producer)?;
    // Within librdkafka's own ranges.
    properties.set(
        "message.max.bytes",
        largest.clamp(1_000, 1_000_000_000).to_string(),
    );
    properties.set("batch.size", batch.to_string());
    Ok(Producer::new(&properties)?)
}

/// One topic, open for reading.
pub struct Topic {
    name: String,
    connection: String,
    partitions: i32,
    consumer: Consumer,
    handle: ConsumerHandle,
}

impl Topic {
    /// Opens a topic that must exist.
    pub fn open(config: &Config, connection: &str, name: &str) -> anyhow::Result<Topic> {
        let mut properties = properties(config, connection, Role::Tool)?;
        properties.set("enable.partition.eof", "true");
        let consumer = Consumer::new(&properties, &[name])?;
        let handle = consumer.handle();
        let found = handle.partition_count(0, PATIENCE);
        let partitions =
            found.map_err(|error| unusable(config, connection, name, "read", error))?;
        Ok(Topic {
            name: name.to_owned(),
            connection: connection.to_owned(),
            partitions,
            consumer,
            handle,
        })
    }

    /// Its partitions.
    pub fn partitions(&self) -> impl Iterator<Item = Tp> + use<> {
        (0..self.partitions).map(|partition| Tp {
            topic: 0,
            partition,
        })
    }

    /// First and next offset of each partition, in their order.
    pub fn ends(&self) -> anyhow::Result<Vec<Watermarks>> {
        self.partitions()
            .map(|at| Ok(self.handle.query_watermarks(at, PATIENCE)?))
            .collect()
    }

    /// The position of each partition at a time: of its first record that is not older, or its end.
    pub fn at_time(&self, time_ms: i64) -> anyhow::Result<Vec<Position>> {
        let times: Vec<_> = self.partitions().map(|at| (at, time_ms)).collect();
        let found = self.handle.offsets_for_times(&times, PATIENCE)?;
        found
            .into_iter()
            .map(|(partition, offset)| {
                let offset = match offset {
                    Ok(Some(offset)) => offset,
                    Ok(None) => self.handle.query_watermarks(partition, PATIENCE)?.high,
                    Err(error) => bail!(
                        "looking up the time in {}/{}: {error}",
                        self.name,
                        partition.partition
                    ),
                };
                Ok(Position { partition, offset })
            })
            .collect()
    }

    /// Hands out records from these positions on, until `each` says no, a signal comes, or, if `to_end`, each partition has been
    /// read to its end. False if a signal came first.
    pub fn read(
        &mut self,
        from: &[Position],
        to_end: bool,
        stop: &Stop,
        mut each: impl FnMut(&RawRecord) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        self.consumer.assign(from)?;
        let mut open: Vec<Tp> = from.iter().map(|position| position.partition).collect();
        let (mut records, mut events) = (Vec::new(), Vec::new());
        let mut heard = Instant::now();
        while !(to_end && open.is_empty()) {
            if *stop.borrow() {
                return Ok(false);
            }
            self.consumer.poll(BATCH, POLL, &mut records, &mut events);
            if !records.is_empty() {
                heard = Instant::now();
            }
            for record in records.drain(..) {
                if !each(&record)? {
                    return Ok(true);
                }
            }
            for event in events.drain(..) {
                if let Event::End(at, _) = event {
                    heard = Instant::now();
                    open.retain(|other| *other != at);
                } else {
                    self.judge(event)?;
                }
            }
            if to_end && heard.elapsed() > 3 * PATIENCE {
                bail!(
                    "reading {}: nothing has come from the connection `{}` for {} s",
                    self.name,
                    self.connection,
                    heard.elapsed().as_secs()
                );
            }
        }
        Ok(true)
    }

    /// Errors that pass are left to the library; the others end the command.
    fn judge(&self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::PositionLost(at, detail) => {
                bail!(
                    "reading {}/{}: the position is not in the log: {detail}",
                    self.name,
                    at.partition
                )
            }
            Event::Fatal(error) => Err(error.into()),
            Event::Error {
                about: Some(_),
                error,
                detail,
            } if classify::produce(error).0 == Class::Topic => {
                bail!("reading {}: {detail} ({})", self.name, error.name())
            }
            Event::Error { error, detail, .. } => {
                tracing::debug!(topic = self.name, %error, detail, "reading goes on");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
