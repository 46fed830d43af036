//! What Kafka handed us, by reference into the fetched batch: key, value and headers stay where they are.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

use rdkafka_sys as sys;

use super::consumer::Lease;
use crate::core::Tp;

/// What the library adds to a header in memory: its entry in the list and the ends of two strings.
const HEADER_OVERHEAD_BYTES: usize = 64;

/// One consumed record. It pins the fetched batch that it lies in until it is dropped, on any thread.
///
/// What is asked for again and again is copied out of the library's message while that is in the caches of the thread that polls: read
/// from the message by another thread, much later, each part would be waited for.
///
/// `Send` but not `Sync`: the library parses headers on first sight, inside the message.
pub struct RawRecord {
    message: NonNull<sys::rd_kafka_message_t>,
    key: Slice,
    value: Slice,
    offset: i64,
    /// Below 0 where the format has none.
    timestamp_ms: i64,
    partition: i32,
    /// What the headers hold; 0 if there are none. Looked at once, because the library parses an empty header section anew each time.
    header_bytes: u32,
    topic: u16,
    has_broken_headers: bool,
    /// Keeps the client alive: a message must not outlive it. One per batch, so that records of different batches share no counter.
    _lease: Arc<Lease>,
}

/// Bytes in the fetched batch; null or not.
#[derive(Clone, Copy)]
struct Slice {
    data: *const u8,
    length: usize,
}

impl Slice {
    /// # Safety
    /// The record that the bytes belong to lives as long as what is returned.
    unsafe fn bytes<'a>(self) -> Option<&'a [u8]> {
        // SAFETY: the caller vouches for the bytes.
        unsafe { bytes(self.data.cast_mut().cast(), self.length) }
    }
}

// SAFETY: a message is owned by one value, and the library lets any thread read and destroy it.
unsafe impl Send for RawRecord {}

impl RawRecord {
    /// # Safety
    /// `message` is a record (no error) that a consumer of `lease` returned, owned by nobody else.
    pub(super) unsafe fn adopt(
        message: NonNull<sys::rd_kafka_message_t>,
        topic: u16,
        lease: Arc<Lease>,
    ) -> RawRecord {
        // SAFETY: the message is valid, and only read here.
        let raw = unsafe { message.as_ref() };
        let slice = |data: *mut c_void, length| Slice {
            data: data.cast_const().cast(),
            length,
        };
        let mut record = RawRecord {
            message,
            key: slice(raw.key, raw.key_len),
            value: slice(raw.payload, raw.len),
            offset: raw.offset,
            timestamp_ms: timestamp(message),
            partition: raw.partition,
            header_bytes: 0,
            topic,
            has_broken_headers: false,
            _lease: lease,
        };
        let Some(headers) = record.parsed_headers() else {
            record.has_broken_headers = true;
            return record;
        };
        let bytes: usize = headers
            .map(|(name, value)| HEADER_OVERHEAD_BYTES + name.len() + value.map_or(0, <[u8]>::len))
            .sum();
        record.header_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        record
    }

    /// The headers, if the library can read them.
    fn parsed_headers(&self) -> Option<Headers<'_>> {
        let mut headers = null_mut();
        // SAFETY: the message is ours; what is returned belongs to it and is only read while it is borrowed.
        let code = unsafe { sys::rd_kafka_message_headers(self.message.as_ptr(), &mut headers) };
        let headers = match code {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => headers,
            // There are none.
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NOENT => null_mut(),
            _ => return None,
        };
        Some(Headers {
            headers,
            next: 0,
            record: PhantomData,
        })
    }

    /// Index of the topic among those that the consumer was made with: the index of the source.
    pub fn topic(&self) -> u16 {
        self.topic
    }

    /// Partition number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The topic and partition.
    pub fn topic_partition(&self) -> Tp {
        Tp {
            topic: self.topic,
            partition: self.partition,
        }
    }

    /// Offset within the partition.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Milliseconds since 1970-01-01 UTC, as the producer or the broker wrote them; `None` where the format has none.
    pub fn timestamp_ms(&self) -> Option<i64> {
        (self.timestamp_ms >= 0).then_some(self.timestamp_ms)
    }

    /// The key: `None` for null, empty for an empty one.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: part of the message, which lives as long as this value.
        unsafe { self.key.bytes() }
    }

    /// The value: `None` for null (a tombstone), empty for an empty one.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: as for the key.
        unsafe { self.value.bytes() }
    }

    /// What the headers hold in memory, in bytes: names, values and what the library adds to each. 0 if there are none.
    pub fn header_bytes(&self) -> usize {
        self.header_bytes as usize
    }

    /// Whether there are headers that the library cannot read: they contradict their lengths, or are more than 100 000.
    pub fn has_broken_headers(&self) -> bool {
        self.has_broken_headers
    }

    /// The headers in their order, as bytes; none if they are broken.
    pub fn headers(&self) -> Headers<'_> {
        let parsed = (self.header_bytes > 0).then(|| self.parsed_headers());
        parsed.flatten().unwrap_or(Headers {
            headers: null_mut(),
            next: 0,
            record: PhantomData,
        })
    }

    /// Bytes of key and value.
    pub fn size(&self) -> usize {
        self.key.length + self.value.length
    }
}

impl Drop for RawRecord {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; the client lives until the lease goes, after this.
        unsafe { sys::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}

impl std::fmt::Debug for RawRecord {
    /// The position only: payloads do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "record {}/{}/{}",
            self.topic, self.partition, self.offset
        )
    }
}

/// The headers of a record, in order: name and value as bytes. A name ends at its first zero byte, as the library keeps names as C strings.
pub struct Headers<'a> {
    headers: *mut sys::rd_kafka_headers_t,
    next: usize,
    record: PhantomData<&'a RawRecord>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut size) = (null(), null(), 0usize);
        // SAFETY: the headers belong to the borrowed record; the call answers an error beyond the last one.
        let code = unsafe {
            sys::rd_kafka_header_get_all(self.headers, self.next, &mut name, &mut value, &mut size)
        };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.next += 1;
        // SAFETY: a C string and a sized value, both part of the borrowed record.
        Some(unsafe {
            (
                CStr::from_ptr(name).to_bytes(),
                bytes(value.cast_mut(), size),
            )
        })
    }
}

/// The timestamp of a message that is valid; -1 if it has none.
fn timestamp(message: NonNull<sys::rd_kafka_message_t>) -> i64 {
    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the message is valid; the kind is written before the return.
    let timestamp = unsafe { sys::rd_kafka_message_timestamp(message.as_ptr(), &mut kind) };
    match kind {
        sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => -1,
        _ => timestamp,
    }
}

/// # Safety
/// `data` is null or points to `length` bytes that stay valid for `'a`.
unsafe fn bytes<'a>(data: *mut c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller vouches for pointer and length.
    NonNull::new(data)
        .map(|data| unsafe { std::slice::from_raw_parts(data.as_ptr().cast::<u8>(), length) })
}
