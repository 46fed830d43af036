//! The floor: the cheapest loop known over the client library. It reads the same input without a group, and writes outputs that were
//! computed beforehand, with the same keys, headers, partitions, acks and idempotence; no tracker, no commits, no metrics.

use std::time::Duration;

use anyhow::Context;
use lockgate::kafka::{Producer, partition_for};

use crate::{corpus, job};

/// Reads `records` records and writes what the job keeps of them.
pub fn run(
    brokers: &str,
    input: &str,
    output: &str,
    records: u64,
    compression: &str,
) -> anyhow::Result<()> {
    let corpus = corpus::Corpus::make(crate::size());
    let expected = corpus.outputs()?;
    let partitions: Vec<i32> = corpus
        .keys
        .iter()
        .map(|key| partition_for(key, crate::partitions()))
        .collect();
    let mut consumer =
        job::from_beginning(&job::consumer_properties(brokers, "road-floor"), input)?;
    let producer = Producer::new(&job::producer_properties(brokers, compression))?;
    let topic = producer.topic(output)?;
    let header = format!("{input}/7/123456");
    let headers = [(b"lockgate.source".as_slice(), Some(header.as_bytes()))];

    let (mut batch, mut events, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    let mut runs: Vec<Vec<(usize, Option<i64>)>> = vec![Vec::new(); crate::partitions() as usize];
    let mut seen = 0;
    while seen < records {
        consumer.poll(1000, Duration::from_millis(100), &mut batch, &mut events);
        events.clear();
        for record in batch.drain(..) {
            seen += 1;
            let at = corpus.index(record.key().context("a record without a key")?)?;
            if expected[at].is_some() {
                runs[partitions[at] as usize].push((at, record.timestamp_ms()));
            }
        }
        for (partition, run) in runs.iter_mut().enumerate() {
            for (at, timestamp) in run.drain(..) {
                let (key, value) = (&corpus.keys[at], expected[at].as_deref());
                let partition = Some(partition as i32);
                job::until_taken(&producer, &mut reports, || {
                    producer.enqueue(&topic, partition, Some(key), value, &headers, timestamp, 1)
                })?;
            }
        }
        job::delivered(&producer, Duration::ZERO, &mut reports)?;
    }
    job::finish(&producer, Duration::from_secs(60), &mut reports)
}
