//! Writes redriven records and their markers, and believes only delivery reports.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::letter::REDRIVEN;
use crate::cli::topic;
use crate::config::Config;
use crate::kafka::classify::{self, Class};
use crate::kafka::{EnqueueError, Header, KafkaError, Producer, Report, TopicHandle};
use crate::pipeline::process::{Input, Output, Outputs};
use crate::pipeline::{SOURCE_HEADER, passes};
use crate::topology::Plan;
use crate::topology::plan::OutputTopic;

/// How long outputs may go without a report before the command gives up.
const STALL: Duration = Duration::from_secs(60);

type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

/// One record for an output topic.
pub struct Parcel {
    /// Index of the topic in the plan.
    pub topic: u16,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<OwnedHeader>,
    timestamp_ms: Option<i64>,
}

impl Parcel {
    /// Copies an output, with the headers that the worker gives it. `correlation` is the header that is passed on besides those of traces.
    pub fn pack(
        plan: &Plan,
        outputs: &Outputs,
        output: &Output,
        input: &Input<'_>,
        correlation: &str,
    ) -> Parcel {
        let source = &plan.sources[usize::from(input.source)].topic;
        let position = format!("{source}/{}/{}", input.partition, input.offset);
        let mut headers: Vec<OwnedHeader> =
            vec![(SOURCE_HEADER.to_vec(), Some(position.into_bytes()))];
        let names = &plan.routes[usize::from(output.route)].headers;
        let (first, end) = output.headers;
        for header in &outputs.headers[first as usize..end as usize] {
            let name = names[usize::from(header.name)].clone().into_bytes();
            let value = outputs.part(header.value, input.value);
            headers.push((name, value.map(<[u8]>::to_vec)));
        }
        let correlation = (!correlation.is_empty()).then_some(correlation.as_bytes());
        for (name, value) in input.headers {
            if passes(name, correlation) {
                headers.push((name.to_vec(), value.map(<[u8]>::to_vec)));
            }
        }
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Parcel {
            topic: output.topic,
            key: owned(outputs.part(output.key, input.key)),
            value: owned(outputs.part(output.value, input.value)),
            headers,
            timestamp_ms: input.timestamp_ms,
        }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + length(value))
            .sum();
        length(&self.key) + length(&self.value) + headers
    }
}

/// Why a delivery failed, and whether the record is to blame.
pub struct Refused {
    /// Reason code.
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// The record, not the cluster or the topic.
    pub is_record: bool,
}

/// The producers of a redrive, one per connection.
pub struct Outbox<'a> {
    config: &'a Config,
    ports: HashMap<String, Port>,
}

struct Port {
    producer: Producer,
    topics: HashMap<String, TopicHandle>,
}

impl<'a> Outbox<'a> {
    /// Producers for these topics. Each may write records as large as the largest of its topics takes.
    pub fn open<'t>(
        config: &'a Config,
        topics: impl Iterator<Item = &'t OutputTopic>,
    ) -> anyhow::Result<Outbox<'a>> {
        let mut names: HashMap<&str, Vec<&str>> = HashMap::new();
        for topic in topics {
            names
                .entry(&topic.connection)
                .or_default()
                .push(&topic.topic);
        }
        let mut ports = HashMap::new();
        for (connection, names) in names {
            ports.insert(
                connection.to_owned(),
                Port::open(config, connection, &names)?,
            );
        }
        Ok(Outbox { config, ports })
    }

    /// Delivers parcels, and waits for their reports. The answer has one entry per parcel.
    pub fn deliver(
        &self,
        parcels: &[(&OutputTopic, &Parcel)],
    ) -> anyhow::Result<Vec<Result<(), Refused>>> {
        let mut results: Vec<Option<Result<(), Refused>>> = parcels.iter().map(|_| None).collect();
        for (i, (topic, parcel)) in parcels.iter().enumerate() {
            let headers: Vec<Header> = parcel
                .headers
                .iter()
                .map(|(name, value)| (name.as_slice(), value.as_deref()))
                .collect();
            let port = &self.ports[&topic.connection];
            let enqueue = || {
                let handle = &port.topics[&topic.topic];
                let (key, value) = (parcel.key.as_deref(), parcel.value.as_deref());
                let opaque = i as u64;
                port.producer.enqueue(
                    handle,
                    None,
                    key,
                    value,
                    &headers,
                    parcel.timestamp_ms,
                    opaque,
                )
            };
            results[i] = port
                .put(enqueue, &mut |report| take(&mut results, report))?
                .map(Err);
        }
        self.settle(|report| take(&mut results, report))?;
        // Settled means that every parcel was refused or has its report.
        Ok(results
            .into_iter()
            .map(|result| result.unwrap_or(Ok(())))
            .collect())
    }

    /// Records that these dead letters were redriven.
    pub fn mark(&self, topic: &OutputTopic, redriven: &[(i32, i64)]) -> anyhow::Result<()> {
        let port = &self.ports[&topic.connection];
        let mut failed = None;
        let mut note = |report: Report| failed = failed.or(report.error);
        let now = jiff::Timestamp::now().to_string();
        for (partition, offset) in redriven {
            let text = offset.to_string();
            // A key and a value of its own, so that compaction removes neither a dead letter nor the marker.
            let key = format!("redriven/{partition}/{offset}");
            let headers: [Header; 2] = [
                (REDRIVEN, Some(text.as_bytes())),
                (b"lockgate.dlq.time", Some(now.as_bytes())),
            ];
            let handle = &port.topics[&topic.topic];
            let enqueue = || {
                port.producer.enqueue(
                    handle,
                    Some(*partition),
                    Some(key.as_bytes()),
                    Some(b""),
                    &headers,
                    None,
                    0,
                )
            };
            if let Some(refused) = port.put(enqueue, &mut note)? {
                bail!(
                    "marking {partition}:{offset} as redriven in {}: {}",
                    topic.topic,
                    refused.message
                );
            }
        }
        self.settle(&mut note)?;
        match failed {
            None => Ok(()),
            Some(error) => bail!(
                "marking dead letters as redriven in {}: {error}; they were delivered, and a further redrive would deliver them again",
                topic.topic
            ),
        }
    }

    fn settle(&self, mut note: impl FnMut(Report)) -> anyhow::Result<()> {
        for (connection, port) in &self.ports {
            let mut reports = Vec::new();
            let mut since = Instant::now();
            while port.producer.outstanding() > 0 {
                port.producer
                    .poll_reports(Duration::from_millis(100), &mut reports);
                if !reports.is_empty() {
                    since = Instant::now();
                }
                reports.drain(..).for_each(&mut note);
                if since.elapsed() > STALL {
                    let outstanding = port.producer.outstanding();
                    let brokers = self
                        .config
                        .connection(connection)
                        .map_or("", |found| &found.brokers);
                    bail!(
                        "{outstanding} records wait for {brokers} (connection `{connection}`) since {} s; whether they arrived is not known, and a further redrive delivers them again",
                        STALL.as_secs()
                    );
                }
            }
        }
        Ok(())
    }
}

fn take(results: &mut [Option<Result<(), Refused>>], report: Report) {
    if let Some(result) = results.get_mut(report.opaque as usize) {
        *result = Some(
            report
                .error
                .map_or(Ok(()), |error| Err(refused(error, error.to_string()))),
        );
    }
}

fn refused(error: KafkaError, message: String) -> Refused {
    let (class, reason) = classify::produce(error);
    Refused {
        reason,
        message,
        is_record: class == Class::Record,
    }
}

impl Port {
    fn open(config: &Config, connection: &str, names: &[&str]) -> anyhow::Result<Port> {
        let producer = topic::producer(config, connection, names)?;
        let topics = names
            .iter()
            .map(|name| Ok(((*name).to_owned(), producer.topic(name)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Port { producer, topics })
    }

    /// Enqueues, waiting for room. `Some`: it was refused.
    fn put(
        &self,
        enqueue: impl Fn() -> Result<(), EnqueueError>,
        note: &mut impl FnMut(Report),
    ) -> anyhow::Result<Option<Refused>> {
        let since = Instant::now();
        let mut reports = Vec::new();
        loop {
            let error = match enqueue() {
                Ok(()) => return Ok(None),
                Err(EnqueueError::Full) if since.elapsed() < STALL => {
                    self.producer
                        .poll_reports(Duration::from_millis(100), &mut reports);
                    reports.drain(..).for_each(&mut *note);
                    continue;
                }
                Err(error) => error,
            };
            return match &error {
                EnqueueError::TooLarge => Ok(Some(Refused {
                    reason: "output_too_large",
                    message: error.to_string(),
                    is_record: true,
                })),
                EnqueueError::Other(cause) => Ok(Some(refused(cause.error, cause.to_string()))),
                _ => Err(error).context("a redriven record cannot be written"),
            };
        }
    }
}
