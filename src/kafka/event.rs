//! What a consumer is told: rebalances, commit answers, errors. The library's callbacks leave it in an inbox, and a poll hands it out.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Mutex, PoisonError};

use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as code;

use super::conf::scrub;
#[cfg(doc)]
use super::consumer::Consumer;
use super::error::{ClientError, KafkaError};
use super::native::{elements, ffi};
use crate::core::Tp;

/// What happened to the member, besides records. In a poll's result, records come before the events of the same poll.
#[derive(Clone, Debug)]
pub enum Event {
    /// The group gave these partitions to this member (none, in a rebalance that changes nothing). To be answered with
    /// [`Consumer::incremental_assign`]; until then nothing is fetched.
    Assigned(Vec<Tp>),
    /// The group takes these partitions back, and waits: drain, commit, then answer with [`Consumer::incremental_unassign`].
    Revoked(Vec<Tp>),
    /// These partitions belong to somebody else already (session timed out, fenced): no commit can succeed. Answer at once with
    /// [`Consumer::incremental_unassign`].
    Lost(Vec<Tp>),
    /// The answer to [`Consumer::commit_queue`].
    Committed(CommitResult),
    /// Everything before this offset was handed out, also what is no record (markers of transactions). Told a few times a second, when it moved.
    Passed(Tp, i64),
    /// The end of a partition was reached; the next record will have this offset. Only with `enable.partition.eof`, which nobody may set who
    /// pauses or is in a group: the batch call counts the end as a message, the library notes at a pause (its own at a rebalance too) to go on
    /// behind it, and the next record is never seen.
    End(Tp, i64),
    /// The position of this partition is not in the log any more, or there is none (`auto.offset.reset=error`). Its fetch has stopped.
    PositionLost(Tp, String),
    /// An error of this partition, of a topic (`partition` -1), or of the whole client (`None`); the library goes on by itself unless it is fatal.
    Error {
        /// What it is about, where that is one topic or partition.
        about: Option<Tp>,
        /// The code.
        error: KafkaError,
        /// The library's words.
        detail: String,
    },
    /// The client is of no further use: build a new one.
    Fatal(ClientError),
}

/// The broker's answer to a commit.
#[derive(Clone, Debug)]
pub struct CommitResult {
    /// The number given to [`Consumer::commit_queue`].
    pub batch: u64,
    /// What failed as a whole, if anything; then no partition was committed unless it says so itself.
    pub error: Option<KafkaError>,
    /// Each partition with its offset, and its own error if it has one.
    pub partitions: Vec<(Tp, i64, Option<KafkaError>)>,
}

/// Where callbacks leave what they were told. They run inside [`Consumer::poll`] and [`Consumer::close`], on the caller's thread.
pub(super) struct Inbox {
    topics: HashMap<CString, u16>,
    events: Mutex<Vec<Event>>,
}

impl Inbox {
    /// An inbox for a consumer of these topics, by their names and indexes.
    pub(super) fn new(topics: HashMap<CString, u16>) -> Inbox {
        Inbox {
            topics,
            events: Mutex::default(),
        }
    }

    pub(super) fn locate(&self, topic: &CStr, partition: i32) -> Option<Tp> {
        let topic = *self.topics.get(topic)?;
        Some(Tp { topic, partition })
    }

    pub(super) fn push(&self, event: Event) {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    pub(super) fn take(&self, out: &mut Vec<Event>) {
        out.append(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// # Safety
/// `opaque` is the inbox that the client was created with.
unsafe fn inbox<'a>(opaque: *mut c_void) -> &'a Inbox {
    // SAFETY: the caller vouches for it; the inbox lives longer than the client.
    unsafe { &*opaque.cast::<Inbox>().cast_const() }
}

pub(super) unsafe extern "C" fn on_rebalance(
    rk: *mut sys::rd_kafka_t,
    answer: i32,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: the library passes the client's opaque value and a list that lives during the call.
    let (inbox, list) = unsafe { (inbox(opaque), elements(partitions)) };
    let partitions: Vec<Tp> = list
        .filter_map(|at| inbox.locate(at.topic, at.partition))
        .collect();
    let what = KafkaError(answer);
    if what.is(code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        inbox.push(Event::Assigned(partitions));
    } else {
        if !what.is(code::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
            inbox.push(Event::Error {
                about: None,
                error: what,
                detail: "a rebalance failed".into(),
            });
        }
        // SAFETY: the client is live while its callback runs.
        let is_lost = unsafe { sys::rd_kafka_assignment_lost(rk) } != 0;
        inbox.push(if is_lost {
            Event::Lost(partitions)
        } else {
            Event::Revoked(partitions)
        });
    }
    // The batch call goes on waiting after a callback; this lets it return.
    // SAFETY: the client is live. The queue handle is ours and destroyed here; the queue itself lives with the client.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(rk);
        if !queue.is_null() {
            sys::rd_kafka_queue_yield(queue);
            sys::rd_kafka_queue_destroy(queue);
        }
    }
}

pub(super) unsafe extern "C" fn on_commit(
    rk: *mut sys::rd_kafka_t,
    answer: i32,
    offsets: *mut sys::rd_kafka_topic_partition_list_t,
    batch: *mut c_void,
) {
    // SAFETY: the client's opaque value is its inbox; the list lives during the call and may be null.
    let (inbox, list) = unsafe { (inbox(sys::rd_kafka_opaque(rk)), elements(offsets)) };
    let partitions = list
        .filter_map(|at| Some((inbox.locate(at.topic, at.partition)?, at.offset, at.error)))
        .collect();
    inbox.push(Event::Committed(CommitResult {
        batch: batch as usize as u64,
        error: KafkaError::from_code(answer),
        partitions,
    }));
    // SAFETY: as in `on_rebalance`.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(rk);
        if !queue.is_null() {
            sys::rd_kafka_queue_yield(queue);
            sys::rd_kafka_queue_destroy(queue);
        }
    }
}

pub(super) unsafe extern "C" fn on_error(
    rk: *mut sys::rd_kafka_t,
    error: i32,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: the client's opaque value is its inbox; the reason is a C string that lives during the call.
    let (inbox, detail) = unsafe {
        (
            inbox(opaque),
            scrub(CStr::from_ptr(reason).to_string_lossy().into_owned()),
        )
    };
    let error = KafkaError(error);
    if !error.is_fatal() {
        inbox.push(Event::Error {
            about: None,
            error,
            detail,
        });
        return;
    }
    let mut text = [0; 512];
    // SAFETY: the client is live; buffer and size agree.
    let cause = unsafe { ffi::rd_kafka_fatal_error(rk, text.as_mut_ptr(), text.len()) };
    let error = KafkaError::from_code(cause).unwrap_or(error);
    inbox.push(Event::Fatal(ClientError {
        attempted: "use the client".into(),
        error,
        detail,
    }));
}
