//! The member's questions to the cluster. They block up to their timeout, and may be asked from any thread while the owner polls.

use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::consumer::Client;
use super::error::{ClientError, KafkaError};
use super::native::{ffi, timeout_ms};
use crate::core::Tp;

/// A committed offset of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// What was committed with it, as bytes: another client may have written anything.
    pub metadata: Vec<u8>,
}

/// An answer for each partition: what there is, or why that is not known.
pub type Answers<T> = Result<Vec<(Tp, Result<Option<T>, KafkaError>)>, ClientError>;

/// The first offset of a partition that exists, and the offset that its next record will get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Watermarks {
    pub low: i64,
    pub high: i64,
}

/// What other threads may ask and tell a consumer.
#[derive(Clone)]
pub struct ConsumerHandle {
    client: Arc<Client>,
}

impl ConsumerHandle {
    pub(super) fn new(client: Arc<Client>) -> ConsumerHandle {
        ConsumerHandle { client }
    }

    /// Lets a waiting poll return.
    pub fn wake(&self) {
        // SAFETY: the queue lives as long as the client.
        unsafe { sys::rd_kafka_queue_yield(self.client.queue.as_ptr()) }
    }

    /// The group's committed offsets of these partitions; `None` where there is none.
    pub fn committed(&self, partitions: &[Tp], timeout: Duration) -> Answers<Committed> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.client.list(partitions.iter().map(|&at| (at, 0)));
        // SAFETY: client and list are live; the answer is written into the list.
        let code = unsafe {
            ffi::rd_kafka_committed(
                self.client.native.as_ptr(),
                list.as_ptr(),
                timeout_ms(timeout),
            )
        };
        checked(code, || "look up committed offsets".into())?;
        Ok(list
            .iter()
            .filter_map(|element| {
                let at = self.client.locate(element.topic, element.partition)?;
                let answer = match element.error {
                    Some(error) => Err(error),
                    None if element.offset < 0 => Ok(None),
                    None => Ok(Some(Committed {
                        offset: element.offset,
                        metadata: element.metadata.to_vec(),
                    })),
                };
                Some((at, answer))
            })
            .collect())
    }

    /// The first offset of each partition whose record is not older than the given time (milliseconds since 1970-01-01 UTC); `None` if there is no such record.
    pub fn offsets_for_times(&self, times: &[(Tp, i64)], timeout: Duration) -> Answers<i64> {
        if times.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.client.list(times.iter().copied());
        // SAFETY: client and list are live; the answer is written into the list.
        let code = unsafe {
            ffi::rd_kafka_offsets_for_times(
                self.client.native.as_ptr(),
                list.as_ptr(),
                timeout_ms(timeout),
            )
        };
        checked(code, || "look up offsets by time".into())?;
        Ok(list
            .iter()
            .filter_map(|element| {
                let at = self.client.locate(element.topic, element.partition)?;
                let answer = match element.error {
                    Some(error) => Err(error),
                    None => Ok((element.offset >= 0).then_some(element.offset)),
                };
                Some((at, answer))
            })
            .collect())
    }

    /// The watermarks as last seen by the fetch, without asking; `None` before the first answer.
    pub fn watermarks(&self, at: Tp) -> Option<Watermarks> {
        let (mut low, mut high) = (-1, -1);
        let topic = &self.client.topics[usize::from(at.topic)].name;
        // SAFETY: client and name are live; the answers are written before the return.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.client.native.as_ptr(),
                topic.as_ptr(),
                at.partition,
                &mut low,
                &mut high,
            )
        };
        let is_known =
            code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 && high >= 0;
        is_known.then_some(Watermarks { low, high })
    }

    /// The watermarks, asked of the broker.
    pub fn query_watermarks(&self, at: Tp, timeout: Duration) -> Result<Watermarks, ClientError> {
        let (mut low, mut high) = (-1, -1);
        let topic = &self.client.topics[usize::from(at.topic)].name;
        // SAFETY: client and name are live; the answers are written before the return.
        let code = unsafe {
            ffi::rd_kafka_query_watermark_offsets(
                self.client.native.as_ptr(),
                topic.as_ptr(),
                at.partition,
                &mut low,
                &mut high,
                timeout_ms(timeout),
            )
        };
        checked(code, || {
            format!(
                "look up the ends of {}/{}",
                topic.to_string_lossy(),
                at.partition
            )
        })?;
        Ok(Watermarks { low, high })
    }

    /// The number of partitions of a topic, asked of the cluster. The error's code says whether it does not exist or may not be seen.
    pub fn partition_count(&self, topic: u16, timeout: Duration) -> Result<i32, ClientError> {
        let topic = &self.client.topics[usize::from(topic)];
        // SAFETY: the topic handle belongs to the client, and both are live.
        unsafe {
            partition_count(
                self.client.native.as_ptr(),
                topic.handle.as_ptr(),
                &topic.name.to_string_lossy(),
                timeout,
            )
        }
    }

    /// The error after which this client is of no use, if one has happened.
    pub fn fatal(&self) -> Option<ClientError> {
        self.client.native.fatal()
    }
}

fn checked(code: i32, attempted: impl FnOnce() -> String) -> Result<(), ClientError> {
    match KafkaError::from_code(code) {
        None => Ok(()),
        Some(error) => Err(ClientError::new(attempted(), error)),
    }
}

/// # Safety
/// `topic` is a live handle of the live client `rk`.
pub(super) unsafe fn partition_count(
    rk: *mut sys::rd_kafka_t,
    topic: *mut sys::rd_kafka_topic_t,
    name: &str,
    timeout: Duration,
) -> Result<i32, ClientError> {
    let attempted = || format!("look up the partitions of topic {name}");
    let mut metadata = std::ptr::null();
    // SAFETY: the caller vouches for the handles; the answer is ours to destroy.
    checked(
        unsafe { ffi::rd_kafka_metadata(rk, 0, topic, &mut metadata, timeout_ms(timeout)) },
        attempted,
    )?;
    // SAFETY: the answer was written, holds `topic_cnt` topics, and is destroyed after the last use. The code is read as a number.
    let answer = unsafe {
        let answer = ((*metadata).topic_cnt > 0).then(|| {
            let topic = (*metadata).topics;
            (
                (&raw const (*topic).err).cast::<i32>().read(),
                (*topic).partition_cnt,
            )
        });
        sys::rd_kafka_metadata_destroy(metadata);
        answer
    };
    match answer {
        Some((0, count)) if count > 0 => Ok(count),
        Some((code, _)) if code != 0 => Err(ClientError::new(attempted(), KafkaError(code))),
        _ => Err(ClientError::new(
            attempted(),
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        )),
    }
}
