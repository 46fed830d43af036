//! What the runs of the job need of the broker, and what came of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use lockgate::core::Tp;
use lockgate::kafka::admin::Admin;
use lockgate::kafka::{Consumer, EnqueueError, Position, Producer, Properties, Report};

use crate::corpus::{CORPUS, Corpus};

/// The worker's own consumer properties, for the floor.
pub fn consumer_properties(brokers: &str, group: &str) -> Properties {
    // All partitions come through one queue.
    let partitions = 1;
    properties(
        brokers,
        lockgate::config::Role::Consumer { group, partitions },
    )
}

/// The worker's own producer properties, for the floor.
pub fn producer_properties(brokers: &str, compression: &str) -> Properties {
    let mut properties = properties(brokers, lockgate::config::Role::Producer);
    properties.set("compression.type", compression);
    properties
}

fn properties(brokers: &str, role: lockgate::config::Role<'_>) -> Properties {
    let connection = lockgate::config::Connection {
        name: "main".into(),
        brokers: brokers.into(),
        ..Default::default()
    };
    let list = connection.client(role, &lockgate::config::Limits::default());
    list.iter()
        .map(|property| (property.name.clone(), property.value.expose().to_owned()))
        .collect()
}

/// A consumer of all partitions of a topic, from their beginning and without a group.
pub fn from_beginning(properties: &Properties, topic: &str) -> anyhow::Result<Consumer> {
    let mut consumer = Consumer::new(properties, &[topic])?;
    let positions: Vec<Position> = (0..crate::partitions())
        .map(|partition| Position {
            partition: Tp {
                topic: 0,
                partition,
            },
            offset: 0,
        })
        .collect();
    consumer.assign(&positions)?;
    Ok(consumer)
}

/// Enqueues a record; while the queue is full, waits for reports.
pub fn until_taken(
    producer: &Producer,
    reports: &mut Vec<Report>,
    mut enqueue: impl FnMut() -> Result<(), EnqueueError>,
) -> anyhow::Result<()> {
    while let Err(error) = enqueue() {
        anyhow::ensure!(matches!(error, EnqueueError::Full), "enqueue: {error}");
        delivered(producer, Duration::from_millis(10), reports)?;
    }
    Ok(())
}

/// Takes the reports that are there, or come in time: everything must have been delivered.
pub fn delivered(
    producer: &Producer,
    timeout: Duration,
    reports: &mut Vec<Report>,
) -> anyhow::Result<()> {
    producer.poll_reports(timeout, reports);
    all_well(reports)
}

/// Waits until everything is delivered.
pub fn finish(
    producer: &Producer,
    timeout: Duration,
    reports: &mut Vec<Report>,
) -> anyhow::Result<()> {
    let is_empty = producer.flush(timeout, reports);
    all_well(reports)?;
    anyhow::ensure!(is_empty, "not everything was delivered in {timeout:?}");
    Ok(())
}

fn all_well(reports: &mut Vec<Report>) -> anyhow::Result<()> {
    match reports.drain(..).find_map(|report| report.error) {
        Some(error) => Err(anyhow::anyhow!("a delivery failed: {error}")),
        None => Ok(()),
    }
}

/// A client for topics.
pub fn admin(brokers: &str) -> anyhow::Result<Admin> {
    Ok(Admin::new(
        &[("bootstrap.servers", brokers)]
            .into_iter()
            .collect::<Properties>(),
    )?)
}

/// Writes the input.
pub fn fill(brokers: &str, topic: &str, records: u64, compression: &str) -> anyhow::Result<()> {
    let corpus = Corpus::make(crate::size());
    let producer = Producer::new(&producer_properties(brokers, compression))?;
    let handle = producer.topic(topic)?;
    let mut reports = Vec::new();
    for n in 0..records {
        let at = n as usize % CORPUS;
        let partition = (n / 64 % crate::partitions() as u64) as i32;
        let (key, value) = (
            Some(corpus.keys[at].as_slice()),
            Some(corpus.values[at].as_slice()),
        );
        until_taken(&producer, &mut reports, || {
            producer.enqueue(&handle, Some(partition), key, value, &[], None, 1)
        })?;
    }
    finish(&producer, Duration::from_secs(120), &mut reports).context("write the input")
}

/// What is in a topic, independent of its order: records, and a sum over the hashes of partition, key, value and header names.
pub fn digest(brokers: &str, topic: &str) -> anyhow::Result<(u64, u64)> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut consumer = from_beginning(&consumer_properties(brokers, "road-digest"), topic)?;
    let handle = consumer.handle();
    let mut expected = 0;
    for partition in 0..crate::partitions() {
        let marks = handle.query_watermarks(
            Tp {
                topic: 0,
                partition,
            },
            Duration::from_secs(10),
        )?;
        expected += u64::try_from(marks.high - marks.low)?;
    }
    let (mut records, mut events) = (Vec::new(), Vec::new());
    let (mut count, mut sum) = (0u64, 0u64);
    let deadline = Instant::now() + Duration::from_secs(120);
    while count < expected {
        anyhow::ensure!(
            Instant::now() < deadline,
            "{count} of {expected} records of {topic} were read in time"
        );
        consumer.poll(1000, Duration::from_millis(100), &mut records, &mut events);
        events.clear();
        for record in records.drain(..) {
            let mut hasher = DefaultHasher::new();
            (record.partition(), record.key(), record.value()).hash(&mut hasher);
            record
                .headers()
                .for_each(|(name, _)| name.hash(&mut hasher));
            sum = sum.wrapping_add(hasher.finish());
            count += 1;
        }
    }
    Ok((count, sum))
}

/// Deletes a topic; what cannot be deleted stays.
pub fn delete_topic(brokers: &str, topic: &str) {
    use rdkafka::admin::{AdminClient, AdminOptions};
    let client: Result<AdminClient<_>, _> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create();
    let Ok(client) = client else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        let _ = runtime.block_on(client.delete_topics(&[topic], &AdminOptions::new()));
    }
}
