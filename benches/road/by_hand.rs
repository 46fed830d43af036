//! The floor's loop with the job in it: each output is computed from its record by code written for this one schema, the partition from
//! the key, the header from the position. Still no group, no tracker, no commits, no dead letters, no metrics: what any worker pays
//! before it keeps a promise.

use std::io::Write;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, anyhow};
use lockgate::kafka::{Producer, partition_for};

use crate::{hand, job};

/// Reads `records` records and writes what the job keeps of them.
pub fn run(
    brokers: &str,
    input: &str,
    output: &str,
    records: u64,
    compression: &str,
) -> anyhow::Result<()> {
    let mut consumer =
        job::from_beginning(&job::consumer_properties(brokers, "road-by-hand"), input)?;
    let producer = Producer::new(&job::producer_properties(brokers, compression))?;
    let topic = producer.topic(output)?;

    let (mut batch, mut events, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    // Per output partition: the record of the batch, and its output.
    let mut runs: Vec<Vec<(usize, Range<usize>)>> = vec![Vec::new(); crate::partitions() as usize];
    let (mut values, mut source) = (Vec::new(), Vec::new());
    let mut seen = 0;
    while seen < records {
        consumer.poll(1000, Duration::from_millis(100), &mut batch, &mut events);
        events.clear();
        values.clear();
        for (at, record) in batch.iter().enumerate() {
            seen += 1;
            let start = values.len();
            let value = record.value().context("a record without a value")?;
            if hand::run(value, &mut values).map_err(|bad| anyhow!("{bad:?}"))? {
                let key = record.key().context("a record without a key")?;
                let partition = partition_for(key, crate::partitions());
                runs[partition as usize].push((at, start..values.len()));
            }
        }
        for (partition, run) in runs.iter_mut().enumerate() {
            for (at, value) in run.drain(..) {
                let record = &batch[at];
                source.clear();
                write!(source, "{input}/{}/{}", record.partition(), record.offset())?;
                let headers = [(b"lockgate.source".as_slice(), Some(source.as_slice()))];
                let (partition, value) = (Some(partition as i32), Some(&values[value]));
                let (key, timestamp) = (record.key(), record.timestamp_ms());
                job::until_taken(&producer, &mut reports, || {
                    producer.enqueue(&topic, partition, key, value, &headers, timestamp, 1)
                })?;
            }
        }
        batch.clear();
        job::delivered(&producer, Duration::ZERO, &mut reports)?;
    }
    job::finish(&producer, Duration::from_secs(60), &mut reports)
}
