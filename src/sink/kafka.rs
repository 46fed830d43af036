//! Kafka topics of one cluster, written to by one producer that belongs to one pipeline thread.
//!
//! The producer is idempotent and gapless: when a batch fails for good, it becomes fatal instead of letting later records
//! overtake. It is then replaced ([`KafkaSink::renew`]) and its lanes are rewound.

use std::time::Duration;

use crate::kafka::{
    ClientError, EnqueueError, Header, Producer, ProducerError, Properties, Report, TopicHandle,
};

/// How long an old producer may take to give up what it holds, off the road.
const FAREWELL: Duration = Duration::from_secs(5);

/// The topics of one connection, for one pipeline thread.
pub struct KafkaSink {
    /// Name of the connection, for messages.
    connection: String,
    properties: Properties,
    topics: Vec<(u16, String)>,
    producer: Producer,
    /// By the topic's index in the plan; `None` for topics of other connections.
    handles: Vec<Option<TopicHandle>>,
}

impl KafkaSink {
    /// A sink for these topics, by their index in the plan.
    pub fn new(
        connection: &str,
        properties: Properties,
        topics: Vec<(u16, String)>,
    ) -> Result<KafkaSink, ClientError> {
        let (producer, handles) = produce(&properties, &topics)?;
        Ok(KafkaSink {
            connection: connection.to_owned(),
            properties,
            topics,
            producer,
            handles,
        })
    }

    /// Name of the connection.
    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// Enqueues one delivery; its report carries `opaque`. Deliveries of one partition arrive in the order of the calls.
    #[expect(
        clippy::too_many_arguments,
        reason = "a record has that many parts, and this is the hot path"
    )]
    pub fn enqueue(
        &mut self,
        topic: u16,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
        timestamp_ms: Option<i64>,
        opaque: u64,
    ) -> Result<(), EnqueueError> {
        let handle = self.handles.get(usize::from(topic));
        let handle = handle
            .and_then(Option::as_ref)
            .ok_or(EnqueueError::UnknownTopic)?;
        self.producer
            .enqueue(handle, partition, key, value, headers, timestamp_ms, opaque)
    }

    /// Appends the reports that wait.
    pub fn reports(&mut self, out: &mut Vec<Report>) {
        self.producer.poll_reports(Duration::ZERO, out);
    }

    /// Takes the errors that were told beside the reports and are about no delivery.
    pub fn errors(&self) -> Vec<ProducerError> {
        self.producer.errors()
    }

    /// Deliveries without a report.
    pub fn outstanding(&self) -> u64 {
        self.producer.outstanding()
    }

    /// Why this producer is of no further use, if so.
    pub fn fatal(&self) -> Option<ClientError> {
        self.producer.fatal()
    }

    /// Gives up what has no report and begins with a new producer. The reports of the old one never arrive here.
    pub fn renew(&mut self) -> Result<(), ClientError> {
        let (producer, handles) = produce(&self.properties, &self.topics)?;
        self.handles = handles;
        give_up(std::mem::replace(&mut self.producer, producer));
        Ok(())
    }

    /// Ends the sink; what has no report is given up.
    pub fn close(self) {
        drop(self.handles);
        give_up(self.producer);
    }
}

type Parts = (Producer, Vec<Option<TopicHandle>>);

fn produce(properties: &Properties, topics: &[(u16, String)]) -> Result<Parts, ClientError> {
    let producer = Producer::new(properties)?;
    let mut handles = Vec::new();
    for (index, name) in topics {
        let index = usize::from(*index);
        if handles.len() <= index {
            handles.resize_with(index + 1, || None);
        }
        handles[index] = Some(producer.topic(name)?);
    }
    Ok((producer, handles))
}

/// Waits for an old producer's last words on a thread of its own: destroying a client takes its time.
fn give_up(producer: Producer) {
    let farewell = move || {
        if producer.outstanding() > 0 {
            if let Err(error) = producer.purge() {
                tracing::debug!(%error, "an old producer could not be emptied");
            }
            producer.flush(FAREWELL, &mut Vec::new());
        }
    };
    if std::thread::Builder::new()
        .name("lockgate-farewell".into())
        .spawn(farewell)
        .is_err()
    {
        tracing::debug!("an old producer is dropped on the road: no thread could be started");
    }
}
