//! Reads every output topic, as a stranger would, and notes in the truth what arrived of which source record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::broker::{CLIENT_PROPERTIES, client};
use super::feed::lock;
use super::truth::{DeadLetters, Seen, Truth};

/// What the audit reads and where it notes it.
pub struct Audit {
    /// Output topics, each with its number of partitions.
    pub topics: Vec<(String, i32)>,
    /// Those of them that hold dead letters.
    pub dead_letter_topics: Vec<String>,
    /// The book.
    pub truth: Arc<Mutex<Truth>>,
    /// Dead letters by topic and reason.
    pub dead_letters: Arc<Mutex<DeadLetters>>,
    /// Set when nothing more is to be read.
    pub stop: Arc<AtomicBool>,
}

impl Audit {
    /// Reads until the stop sign.
    pub fn run(self, addresses: &str) -> anyhow::Result<()> {
        let mut config = client(addresses);
        for (name, value) in CLIENT_PROPERTIES {
            config.set(name, value);
        }
        let consumer: BaseConsumer = config
            .set("group.id", "demo-audit")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .create()
            .context("creating the audit's consumer failed")?;
        let mut partitions = TopicPartitionList::new();
        for (topic, count) in &self.topics {
            for partition in 0..*count {
                partitions
                    .add_partition_offset(topic, partition, Offset::Offset(0))
                    .context("naming an output partition failed")?;
            }
        }
        consumer
            .assign(&partitions)
            .context("assigning the output topics to the audit failed")?;
        while !self.stop.load(Ordering::Relaxed) {
            match consumer.poll(Duration::from_millis(50)) {
                None => {}
                Some(Ok(message)) => self.note(&message),
                // The broker drops what is older than 5 MiB per partition: then the audit was too slow, and its verdict is worth nothing.
                Some(Err(error)) => {
                    return Err(anyhow!(error).context("reading the output topics failed"));
                }
            }
        }
        Ok(())
    }

    fn note(&self, message: &BorrowedMessage<'_>) {
        let is_dead_letter = self
            .dead_letter_topics
            .iter()
            .any(|topic| topic == message.topic());
        let noted = if is_dead_letter {
            self.dead_letter(message)
        } else {
            self.output(message)
        };
        if noted.is_none() {
            let (topic, partition, offset) =
                (message.topic(), message.partition(), message.offset());
            lock(&self.truth).complain(format!(
                "{topic}/{partition}/{offset} does not say which source record it comes from"
            ));
        }
    }

    fn output(&self, message: &BorrowedMessage<'_>) -> Option<()> {
        let source = header(message, "lockgate.source")?;
        let mut parts = source.rsplitn(3, '/');
        let offset = parts.next()?.parse().ok()?;
        let partition = parts.next()?.parse().ok()?;
        lock(&self.truth).see(
            parts.next()?,
            partition,
            offset,
            &Seen::Output(message.topic().to_owned()),
        );
        Some(())
    }

    fn dead_letter(&self, message: &BorrowedMessage<'_>) -> Option<()> {
        let reason = header(message, "lockgate.dlq.reason")?;
        let topic = header(message, "lockgate.dlq.topic")?;
        let partition = header(message, "lockgate.dlq.partition")?.parse().ok()?;
        let offset = header(message, "lockgate.dlq.offset")?.parse().ok()?;
        let mut dead_letters = self
            .dead_letters
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *dead_letters
            .entry((message.topic().to_owned(), reason.to_owned()))
            .or_default() += 1;
        drop(dead_letters);
        lock(&self.truth).see(
            topic,
            partition,
            offset,
            &Seen::DeadLetter(reason.to_owned()),
        );
        Some(())
    }
}

fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
