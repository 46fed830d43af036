//! Writes the source records: in order per partition, as fast as asked for, never further ahead than the broker keeps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::broker::{OPEN_BYTES_MAX, client};
use super::generate::{Generator, SOURCE_PARTITIONS};
use super::shop::Table;
use super::truth::Truth;

/// Records between two looks at the clock, the truth and the stop sign.
const RUN_RECORDS: usize = 250;

/// Bytes a record takes in the log beyond its key and value: Debezium's headers, lengths, times.
const RECORD_OVERHEAD_BYTES: usize = 160;

/// What the feed needs.
pub struct Feed {
    /// The records.
    pub generator: Generator,
    /// Records per second at most; none: as fast as they are taken.
    pub rate: Option<f64>,
    /// Where every record is noted before it is written.
    pub truth: Arc<Mutex<Truth>>,
    /// Set by whoever wants no more records.
    pub stop: Arc<AtomicBool>,
}

impl Feed {
    /// Writes until the generator or the stop sign ends it. Returns when every record is in the broker's log.
    pub fn run(mut self, addresses: &str) -> anyhow::Result<()> {
        let producer: BaseProducer = client(addresses)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "100000")
            .create()
            .context("creating the generator's producer failed")?;
        let headers = debezium_headers();
        let started = Instant::now();
        let mut written = 0_u64;
        while !self.stop.load(Ordering::Relaxed) {
            let room = self.rate.map_or(RUN_RECORDS, |rate| {
                allowance(rate, started.elapsed(), written).min(RUN_RECORDS)
            });
            if room == 0 || self.is_far_ahead() {
                producer.poll(Duration::from_millis(5));
                continue;
            }
            let now_us = now_us();
            for index in 0..room {
                // A millisecond's records get different microseconds.
                let Some(record) = self.generator.next_record(now_us + index as i64) else {
                    return flush(&producer);
                };
                let bytes =
                    record.key.len() + record.value.map_or(0, <[u8]>::len) + RECORD_OVERHEAD_BYTES;
                lock(&self.truth).write(record.table, record.partition, record.expect, bytes);
                let mut message = BaseRecord::to(record.table.topic())
                    .partition(record.partition as i32)
                    .key(record.key)
                    .headers(headers.clone());
                message.payload = record.value;
                send(&producer, message)?;
            }
            written += room as u64;
            producer.poll(Duration::ZERO);
        }
        flush(&producer)
    }

    fn is_far_ahead(&self) -> bool {
        let truth = lock(&self.truth);
        let mut partitions = Table::ALL
            .into_iter()
            .flat_map(|table| (0..SOURCE_PARTITIONS).map(move |partition| (table, partition)));
        partitions.any(|(table, partition)| truth.bytes_open(table, partition) > OPEN_BYTES_MAX)
    }
}

/// Records that a rate allows now.
fn allowance(rate: f64, elapsed: Duration, written: u64) -> usize {
    let due = elapsed.as_secs_f64() * rate - written as f64;
    due.max(0.0) as usize
}

fn send(producer: &BaseProducer, mut message: BaseRecord<'_, [u8], [u8]>) -> anyhow::Result<()> {
    loop {
        match producer.send(message) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                producer.poll(Duration::from_millis(5));
                message = same;
            }
            Err((error, _)) => {
                return Err(
                    anyhow!(error).context("writing a source record to the embedded broker failed")
                );
            }
        }
    }
}

fn flush(producer: &BaseProducer) -> anyhow::Result<()> {
    producer
        .flush(Duration::from_secs(30))
        .context("the embedded broker did not take all source records")
}

/// The headers that Debezium puts on every record.
fn debezium_headers() -> OwnedHeaders {
    let context = [
        ("connectorLogicalName", "shop"),
        ("taskId", "0"),
        ("connectorName", "postgresql"),
    ];
    context
        .into_iter()
        .fold(OwnedHeaders::new(), |headers, (name, value)| {
            headers.insert(Header {
                key: &format!("__debezium.context.{name}"),
                value: Some(value),
            })
        })
}

fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Locks; a panic elsewhere has been reported there and leaves the book usable.
pub fn lock(truth: &Mutex<Truth>) -> std::sync::MutexGuard<'_, Truth> {
    truth
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
