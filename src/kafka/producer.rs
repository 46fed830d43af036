//! Writes records in the order in which they are enqueued, and hands out every delivery report: delivered, refused, or purged; and what
//! the client reports of itself.
//!
//! One enqueue is one call (`rd_kafka_produceva` with a ready header list: the batch call of the library carries no headers). Callers
//! enqueue in runs per output partition, where they can: that is what saves time, see docs/PERFORMANCE.md.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as code;
use sys::rd_kafka_vtype_t as vtype;

use super::conf::{Properties, scrub};
use super::error::{ClientError, KafkaError};
use super::handle;
use super::native::{ANY_PARTITION, Native, c_name, check, timeout_ms};

/// Name and value of a header, as bytes; the value may be null.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Why a record was not taken. It was not enqueued, and no report will come.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The queue is full: wait for reports, then try this record again before any other.
    #[error("the producer's queue is full")]
    Full,
    /// Larger than the client's `message.max.bytes`.
    #[error("the record is larger than message.max.bytes")]
    TooLarge,
    /// The cluster has said that it has no such topic.
    #[error("the topic does not exist")]
    UnknownTopic,
    /// The topic has no such partition.
    #[error("the topic has no such partition")]
    UnknownPartition,
    /// The producer is of no further use: build a new one and start over from the first record without a report.
    #[error("the producer is of no further use: {0}")]
    Fatal(ClientError),
    /// Anything else, such as what the cluster said about the topic at the last attempt; [`super::classify::produce`] tells.
    #[error(transparent)]
    Other(ClientError),
}

/// Whether a record is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Persisted {
    No,
    /// It was sent, and no answer is known.
    Possibly,
    Yes,
}

/// What became of a record.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The number given to [`Producer::enqueue`].
    pub opaque: u64,
    /// `None` if the record is durable on the far side, by the producer's `acks`.
    pub error: Option<KafkaError>,
    /// Whether it is in the log all the same.
    pub persisted: Persisted,
    /// Bytes of its key and value.
    pub bytes: usize,
    /// The partition written to, or -1.
    pub partition: i32,
    /// The offset in that partition, or a negative number if it is not known.
    pub offset: i64,
}

/// An error that is about no record: a broker that is away, a login that is refused. The client goes on by itself.
#[derive(Clone, Debug)]
pub struct ProducerError {
    /// The code.
    pub error: KafkaError,
    /// The library's words, of the last one.
    pub detail: String,
    /// How often it was reported.
    pub count: u64,
}

/// Where the callbacks leave what they were told.
struct Mailbox {
    /// The vector of the caller of `poll_reports`, while it is inside; null otherwise.
    reports: AtomicPtr<Vec<Report>>,
    /// Since they were last taken, one per code: no more than the library has codes.
    errors: Mutex<Vec<ProducerError>>,
}

impl Mailbox {
    fn new() -> Mailbox {
        Mailbox {
            reports: AtomicPtr::new(null_mut()),
            errors: Mutex::default(),
        }
    }

    fn note(&self, error: KafkaError, detail: String) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        match errors.iter_mut().find(|known| known.error == error) {
            Some(known) => {
                known.detail = detail;
                known.count += 1;
            }
            None => errors.push(ProducerError {
                error,
                detail,
                count: 1,
            }),
        }
    }

    fn take_errors(&self) -> Vec<ProducerError> {
        std::mem::take(&mut self.errors.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Client {
    native: Native<Mailbox>,
}

/// A topic to write to. Belongs to the producer that made it.
pub struct TopicHandle {
    topic: NonNull<sys::rd_kafka_topic_t>,
    name: String,
    client: Arc<Client>,
}

// SAFETY: a topic handle may be used from any thread; it is destroyed once, by its owner.
unsafe impl Send for TopicHandle {}
// SAFETY: as above.
unsafe impl Sync for TopicHandle {}

impl TopicHandle {
    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, before the client.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}

/// A producer. One thread at a time uses it (`Send`, not `Sync`), so that counting costs nothing.
pub struct Producer {
    client: Arc<Client>,
    /// Records that were enqueued and have no report yet.
    outstanding: Cell<u64>,
}

impl Producer {
    /// Creates a producer. Idempotence, acks and limits are what the properties say.
    pub fn new(properties: &Properties) -> Result<Producer, ClientError> {
        let conf = properties.conf()?;
        // SAFETY: the configuration is valid, and the callbacks match the declared types.
        unsafe {
            sys::rd_kafka_conf_set_dr_msg_cb(conf.as_ptr(), Some(on_report));
            sys::rd_kafka_conf_set_error_cb(conf.as_ptr(), Some(on_error));
        }
        let mailbox = Box::new(Mailbox::new());
        let native = conf.create(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, mailbox)?;
        Ok(Producer {
            client: Arc::new(Client { native }),
            outstanding: Cell::new(0),
        })
    }

    /// A topic to write to. Nothing is asked of the cluster here.
    pub fn topic(&self, name: &str) -> Result<TopicHandle, ClientError> {
        let attempted = "prepare a topic to write to";
        let c_name: CString = c_name(attempted, name)?;
        // SAFETY: the client is live and the name a C string; null configuration means the client's default.
        let topic = unsafe {
            sys::rd_kafka_topic_new(self.client.native.as_ptr(), c_name.as_ptr(), null_mut())
        };
        let topic = NonNull::new(topic).ok_or_else(|| ClientError {
            detail: format!("{name:?} is not the name of a topic"),
            ..ClientError::new(attempted, code::RD_KAFKA_RESP_ERR__INVALID_ARG)
        })?;
        Ok(TopicHandle {
            topic,
            name: name.to_owned(),
            client: self.client.clone(),
        })
    }

    /// Enqueues a record, copying it. Never waits. A report with this number will come, unless an error is returned.
    ///
    /// Without a partition the client's partitioner chooses; without a timestamp (milliseconds) it is now.
    ///
    /// # Panics
    /// If the topic belongs to another producer.
    #[expect(
        clippy::too_many_arguments,
        reason = "a record has that many parts, and this is the hot path"
    )]
    pub fn enqueue(
        &self,
        topic: &TopicHandle,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
        timestamp_ms: Option<i64>,
        opaque: u64,
    ) -> Result<(), EnqueueError> {
        assert!(
            Arc::ptr_eq(&self.client, &topic.client),
            "a topic is used with the producer that made it"
        );
        let list = HeaderList::new(headers);
        let memory = |bytes: Option<&[u8]>| sys::rd_kafka_vu_s__bindgen_ty_1 {
            mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                ptr: bytes.map_or(null_mut(), |bytes| bytes.as_ptr().cast_mut().cast()),
                size: bytes.map_or(0, <[u8]>::len),
            },
        };
        type U = sys::rd_kafka_vu_s__bindgen_ty_1;
        let vu = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
        let arguments = [
            vu(
                vtype::RD_KAFKA_VTYPE_RKT,
                U {
                    rkt: topic.topic.as_ptr(),
                },
            ),
            vu(
                vtype::RD_KAFKA_VTYPE_PARTITION,
                U {
                    i32_: partition.unwrap_or(ANY_PARTITION),
                },
            ),
            vu(
                vtype::RD_KAFKA_VTYPE_MSGFLAGS,
                U {
                    i: sys::RD_KAFKA_MSG_F_COPY,
                },
            ),
            vu(vtype::RD_KAFKA_VTYPE_VALUE, memory(value)),
            vu(vtype::RD_KAFKA_VTYPE_KEY, memory(key)),
            // 0 means now.
            vu(
                vtype::RD_KAFKA_VTYPE_TIMESTAMP,
                U {
                    i64_: timestamp_ms.unwrap_or(0),
                },
            ),
            vu(
                vtype::RD_KAFKA_VTYPE_OPAQUE,
                U {
                    ptr: opaque as usize as *mut c_void,
                },
            ),
            vu(vtype::RD_KAFKA_VTYPE_HEADERS, U { headers: list.0 }),
        ];
        // Without headers the last argument is left out.
        let count = arguments.len() - usize::from(list.0.is_null());
        // SAFETY: each argument has the type that its tag announces. Key and value are copied, so they need to live for the call
        // only. The header list belongs to the message if the call succeeds, and stays ours if not.
        let result = unsafe {
            let error =
                sys::rd_kafka_produceva(self.client.native.as_ptr(), arguments.as_ptr(), count);
            if error.is_null() {
                std::mem::forget(list);
                self.outstanding.set(self.outstanding.get() + 1);
                return Ok(());
            }
            check("enqueue a record", error)
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused(&self, error: ClientError) -> EnqueueError {
        match code::try_from(error.error.code()) {
            Ok(code::RD_KAFKA_RESP_ERR__QUEUE_FULL) => EnqueueError::Full,
            Ok(code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) => EnqueueError::TooLarge,
            Ok(
                code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
                | code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            ) => EnqueueError::UnknownTopic,
            Ok(code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) => EnqueueError::UnknownPartition,
            Ok(code::RD_KAFKA_RESP_ERR__FATAL) => {
                EnqueueError::Fatal(self.fatal().unwrap_or(error))
            }
            _ => EnqueueError::Other(error),
        }
    }

    /// Waits up to `timeout` for reports and appends those that are there. Every enqueued record gets exactly one.
    pub fn poll_reports(&self, timeout: Duration, out: &mut Vec<Report>) {
        let mailbox = self.client.native.state();
        let before = out.len();
        mailbox.reports.store(out, Ordering::Relaxed);
        // SAFETY: the client is live. The report callback runs inside this call, on this thread, and is the only one to use the
        // pointer to `out`, which is taken away again before the borrow ends.
        unsafe { sys::rd_kafka_poll(self.client.native.as_ptr(), timeout_ms(timeout)) };
        mailbox.reports.store(null_mut(), Ordering::Relaxed);
        let reported = (out.len() - before) as u64;
        self.outstanding.set(self.outstanding.get() - reported);
    }

    /// Takes what the client has reported of itself during [`Producer::poll_reports`]. A fatal error is not among it: [`Producer::fatal`]
    /// has it from when it happens.
    pub fn errors(&self) -> Vec<ProducerError> {
        self.client.native.state().take_errors()
    }

    /// Records that were enqueued and have no report yet.
    pub fn outstanding(&self) -> u64 {
        self.outstanding.get()
    }

    /// Takes reports until none is outstanding or the time is over; true if none is.
    pub fn flush(&self, timeout: Duration, out: &mut Vec<Report>) -> bool {
        let deadline = Instant::now() + timeout;
        while self.outstanding() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.poll_reports(left.min(Duration::from_millis(100)), out);
        }
        true
    }

    /// Gives up on everything that has no report; the reports (purged) come as all others. Records in flight may have been written.
    pub fn purge(&self) -> Result<(), ClientError> {
        let flags = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is live.
        let code = unsafe { sys::rd_kafka_purge(self.client.native.as_ptr(), flags) };
        match KafkaError::from_code(code as i32) {
            None => Ok(()),
            Some(error) => Err(ClientError::new("give up outstanding records", error)),
        }
    }

    /// The error after which this producer is of no use, if one has happened.
    pub fn fatal(&self) -> Option<ClientError> {
        self.client.native.fatal()
    }

    /// The number of partitions of a topic, asked of the cluster. The error's code says whether it does not exist or may not be seen.
    pub fn partition_count(
        &self,
        topic: &TopicHandle,
        timeout: Duration,
    ) -> Result<i32, ClientError> {
        assert!(
            Arc::ptr_eq(&self.client, &topic.client),
            "a topic is used with the producer that made it"
        );
        // SAFETY: the topic handle belongs to this client, and both are live.
        unsafe {
            handle::partition_count(
                self.client.native.as_ptr(),
                topic.topic.as_ptr(),
                &topic.name,
                timeout,
            )
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let outstanding = self.outstanding();
        if outstanding > 0 {
            tracing::error!(
                outstanding,
                "a producer is dropped with records that have no report: they may or may not have arrived"
            );
        }
    }
}

/// The headers of a record that is being enqueued; null if there are none.
struct HeaderList(*mut sys::rd_kafka_headers_t);

impl HeaderList {
    fn new(headers: &[Header<'_>]) -> HeaderList {
        if headers.is_empty() {
            return HeaderList(null_mut());
        }
        // SAFETY: the list is ours; names and values are copied. A null value stays null, an empty one empty.
        unsafe {
            let list = sys::rd_kafka_headers_new(headers.len());
            for (name, value) in headers {
                let data = value.map_or(null_mut(), |value| value.as_ptr().cast_mut());
                let size = value.map_or(0, <[u8]>::len);
                sys::rd_kafka_header_add(
                    list,
                    name.as_ptr().cast(),
                    name.len() as isize,
                    data.cast(),
                    size as isize,
                );
            }
            HeaderList(list)
        }
    }
}

impl Drop for HeaderList {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the message did not take it over, or the value would have been forgotten.
            unsafe { sys::rd_kafka_headers_destroy(self.0) }
        }
    }
}

unsafe extern "C" fn on_report(
    _: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: the client's opaque value is its mailbox, the message lives during the call; its code is read as a number. The vector
    // belongs to the caller of `poll_reports` on this very thread.
    unsafe {
        let mailbox = &*opaque.cast::<Mailbox>().cast_const();
        let persisted = match sys::rd_kafka_message_status(message) {
            sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Persisted::No,
            sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => {
                Persisted::Possibly
            }
            sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_PERSISTED => Persisted::Yes,
        };
        let report = Report {
            opaque: (*message)._private as usize as u64,
            error: KafkaError::from_code((&raw const (*message).err).cast::<i32>().read()),
            persisted,
            bytes: (*message).key_len + (*message).len,
            partition: (*message).partition,
            offset: (*message).offset,
        };
        if let Some(reports) = mailbox.reports.load(Ordering::Relaxed).as_mut() {
            reports.push(report);
        }
    }
}

unsafe extern "C" fn on_error(
    _: *mut sys::rd_kafka_t,
    error: i32,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: the client's opaque value is its mailbox; the reason is a C string that lives during the call.
    let (mailbox, reason) = unsafe {
        (
            &*opaque.cast::<Mailbox>().cast_const(),
            CStr::from_ptr(reason),
        )
    };
    let error = KafkaError(error);
    if !error.is_fatal() {
        mailbox.note(error, scrub(reason.to_string_lossy().into_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_code_take_one_place_and_are_counted() {
        let mailbox = Mailbox::new();
        for number in 0..1_000 {
            mailbox.note(
                code::RD_KAFKA_RESP_ERR__TRANSPORT.into(),
                format!("{number}"),
            );
            if number % 10 == 0 {
                mailbox.note(
                    code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.into(),
                    String::new(),
                );
            }
        }
        let errors = mailbox.take_errors();
        let told: Vec<_> = errors
            .iter()
            .map(|one| (one.error.name(), one.detail.as_str(), one.count))
            .collect();
        assert_eq!(
            told,
            [("_TRANSPORT", "999", 1_000), ("_ALL_BROKERS_DOWN", "", 100)]
        );
        assert!(mailbox.take_errors().is_empty());
    }
}
