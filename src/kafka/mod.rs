//! The client library behind one wall: the only module with `unsafe`.
//!
//! ```text
//! conf       (name, value) pairs -> a client configuration; the client's log -> tracing
//! consumer   one group member: records in batches, events (assigned, revoked, commit answers, errors)
//! handle     the member's blocking questions, from any thread: committed, watermarks, offsets for times
//! record     what Kafka handed us, by reference into the fetched batch
//! producer   ordered enqueue, every delivery report, errors of the client
//! partition  Java's murmur2 and the partition that follows from it
//! admin      topics: exist? how many partitions? what size limit?
//! classify   what an error says about: the cluster, the topic, or the record
//! memory     the C allocator, set up for messages that change threads
//! error      error codes and failed calls
//! native     the handle of a client, and lists of positions
//! ```
//!
//! `rdkafka`'s consumer and producer types are not used: their consumer loses rebalances served through the batch call and throws
//! commit answers away, their header iterators panic on a name that is not UTF-8. Every answer of the library is seen here.

pub mod admin;
pub mod classify;
mod conf;
mod consumer;
mod error;
mod event;
mod handle;
mod native;
mod partition;
mod producer;
mod record;

pub use conf::Properties;
pub use consumer::{Consumer, Position};
pub use error::{ClientError, KafkaError};
pub use event::{CommitResult, Event};
pub use handle::{Answers, Committed, ConsumerHandle, Watermarks};
pub use native::wait_for_dropped_clients;
pub use partition::{murmur2, partition_for};
pub use producer::{EnqueueError, Header, Persisted, Producer, ProducerError, Report, TopicHandle};
pub use record::{Headers, RawRecord};
