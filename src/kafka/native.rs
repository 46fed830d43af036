//! The handle of a client, its lists of positions, and the declarations that we need with other types than the bindings have.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rdkafka_sys as sys;

use super::error::{ClientError, KafkaError};

/// "Any partition", which the bindings lack (a macro with a cast).
pub(super) const ANY_PARTITION: i32 = -1;

/// Functions whose error codes come from a broker. The bindings declare codes as a Rust enum, and a number that the enum does not
/// have (a newer broker's) would be undefined behaviour; a C enum is an `int`, so they are declared as one.
pub(super) mod ffi {
    use super::*;

    unsafe extern "C" {
        pub fn rd_kafka_err2name(code: i32) -> *const c_char;
        pub fn rd_kafka_err2str(code: i32) -> *const c_char;
        pub fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> i32;
        pub fn rd_kafka_fatal_error(
            rk: *mut sys::rd_kafka_t,
            text: *mut c_char,
            size: usize,
        ) -> i32;
        pub fn rd_kafka_conf_set_rebalance_cb(
            conf: *mut sys::rd_kafka_conf_t,
            cb: Option<
                unsafe extern "C" fn(
                    *mut sys::rd_kafka_t,
                    i32,
                    *mut sys::rd_kafka_topic_partition_list_t,
                    *mut c_void,
                ),
            >,
        );
        pub fn rd_kafka_commit_queue(
            rk: *mut sys::rd_kafka_t,
            offsets: *const sys::rd_kafka_topic_partition_list_t,
            queue: *mut sys::rd_kafka_queue_t,
            cb: Option<
                unsafe extern "C" fn(
                    *mut sys::rd_kafka_t,
                    i32,
                    *mut sys::rd_kafka_topic_partition_list_t,
                    *mut c_void,
                ),
            >,
            opaque: *mut c_void,
        ) -> i32;
        pub fn rd_kafka_committed(
            rk: *mut sys::rd_kafka_t,
            list: *mut sys::rd_kafka_topic_partition_list_t,
            timeout_ms: i32,
        ) -> i32;
        pub fn rd_kafka_offsets_for_times(
            rk: *mut sys::rd_kafka_t,
            list: *mut sys::rd_kafka_topic_partition_list_t,
            timeout_ms: i32,
        ) -> i32;
        pub fn rd_kafka_query_watermark_offsets(
            rk: *mut sys::rd_kafka_t,
            topic: *const c_char,
            partition: i32,
            low: *mut i64,
            high: *mut i64,
            timeout_ms: i32,
        ) -> i32;
        pub fn rd_kafka_metadata(
            rk: *mut sys::rd_kafka_t,
            all_topics: i32,
            only: *mut sys::rd_kafka_topic_t,
            metadata: *mut *const sys::rd_kafka_metadata,
            timeout_ms: i32,
        ) -> i32;
    }
}

/// The handle of a client and what its callbacks write to. Destroyed with the value, on a thread of its own, because destruction
/// waits for the client's threads; the state goes after the handle, when no callback can run any more.
pub(super) struct Native<S: Send + Sync + 'static> {
    rk: NonNull<sys::rd_kafka_t>,
    state: Option<Box<S>>,
}

// SAFETY: the library documents all functions on a client handle as thread-safe; `S` is Send and Sync itself.
unsafe impl<S: Send + Sync> Send for Native<S> {}
// SAFETY: as above.
unsafe impl<S: Send + Sync> Sync for Native<S> {}

impl<S: Send + Sync> Native<S> {
    /// Takes over a client that was created with `state` as the opaque value of its configuration.
    ///
    /// # Safety
    /// `rk` is a live client that nobody else destroys, and its callbacks use the opaque value only as a shared reference to `*state`.
    pub(super) unsafe fn adopt(rk: NonNull<sys::rd_kafka_t>, state: Box<S>) -> Native<S> {
        Native {
            rk,
            state: Some(state),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    pub(super) fn state(&self) -> &S {
        self.state
            .as_ref()
            .expect("the state is taken only by drop")
    }

    /// The error after which this client is of no use, if one has happened.
    pub(super) fn fatal(&self) -> Option<ClientError> {
        let mut text = [0 as c_char; 512];
        // SAFETY: the buffer and its size agree; the library terminates what it writes.
        let code =
            unsafe { ffi::rd_kafka_fatal_error(self.as_ptr(), text.as_mut_ptr(), text.len()) };
        let error = KafkaError::from_code(code)?;
        Some(ClientError {
            attempted: "use the client".into(),
            error,
            detail: text_of(&text),
        })
    }
}

impl<S: Send + Sync> Drop for Native<S> {
    fn drop(&mut self) {
        let client = Leaving {
            rk: self.rk,
            _departure: Departure::begin(),
        };
        let state = self.state.take();
        let destroy = move || {
            let client = client;
            // SAFETY: the last owner of the handle is here; queues, topics and records hold it through an Arc and are gone.
            // A consumer has been closed before, or leaves its group by its session's end: waiting is not for a destructor.
            unsafe {
                sys::rd_kafka_destroy_flags(
                    client.rk.as_ptr(),
                    sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                )
            };
            drop(state);
        };
        if let Err(error) = std::thread::Builder::new()
            .name("kafka-destroy".into())
            .spawn(destroy)
        {
            tracing::warn!(%error, "a Kafka client is left behind: no thread to destroy it on");
        }
    }
}

/// A handle on its way to the thread that destroys it.
struct Leaving {
    rk: NonNull<sys::rd_kafka_t>,
    /// Counts while it lives.
    _departure: Departure,
}
// SAFETY: a client handle may be destroyed by any thread that is not one of its own.
unsafe impl Send for Leaving {}

/// Clients that are being destroyed, and a bell for each that is done.
static DEPARTING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Counts a destruction from its beginning to its end.
struct Departure;

impl Departure {
    fn begin() -> Departure {
        *DEPARTING.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Departure
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        *DEPARTING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        DEPARTING.1.notify_all();
    }
}

/// Waits until the clients that were dropped are gone; false if some are still there after `timeout`. For the end of the process: the
/// C libraries take their global state down at exit, and a client's threads should not be using it then.
pub fn wait_for_dropped_clients(timeout: Duration) -> bool {
    let count = DEPARTING.0.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = DEPARTING
        .1
        .wait_timeout_while(count, timeout, |count| *count > 0);
    *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
}

/// The text in a buffer that the library has written to.
pub(super) fn text_of(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer
        .iter()
        .map(|&c| c as u8)
        .take_while(|&c| c != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A name as the library wants it. A name with a zero byte cannot exist on a cluster.
pub(super) fn c_name(attempted: &str, name: &str) -> Result<CString, ClientError> {
    CString::new(name).map_err(|_| ClientError {
        detail: format!("the name {name:?} contains a zero byte"),
        ..ClientError::new(
            attempted,
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__INVALID_ARG,
        )
    })
}

/// Takes an error object of the library apart and frees it; null says that all is well.
///
/// # Safety
/// `error` is null or an error object that the caller owns.
pub(super) unsafe fn check(
    attempted: &str,
    error: *mut sys::rd_kafka_error_t,
) -> Result<(), ClientError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, and ours until it is destroyed below.
    unsafe {
        let code = KafkaError(ffi::rd_kafka_error_code(error));
        let detail = CStr::from_ptr(sys::rd_kafka_error_string(error))
            .to_string_lossy()
            .into_owned();
        sys::rd_kafka_error_destroy(error);
        Err(ClientError {
            attempted: attempted.into(),
            error: code,
            detail,
        })
    }
}

/// Milliseconds as the library takes them; never its "for ever".
pub(super) fn timeout_ms(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

/// A list of partitions with offsets, owned.
pub(super) struct List(NonNull<sys::rd_kafka_topic_partition_list_t>);

/// One element of a list.
pub(super) struct Element<'a> {
    pub topic: &'a CStr,
    pub partition: i32,
    pub offset: i64,
    pub metadata: &'a [u8],
    pub error: Option<KafkaError>,
}

impl List {
    pub(super) fn with_capacity(count: usize) -> List {
        // SAFETY: a plain constructor; it aborts rather than return null.
        let list = unsafe { sys::rd_kafka_topic_partition_list_new(count as i32) };
        List(NonNull::new(list).expect("the library allocates or aborts"))
    }

    /// Appends a partition. Metadata is copied to memory of the C allocator, which the list frees.
    pub(super) fn add(&mut self, topic: &CStr, partition: i32, offset: i64, metadata: &[u8]) {
        // SAFETY: the list is ours and the name is copied. The element stays valid until the list grows, which it does not here.
        unsafe {
            let element =
                sys::rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), partition);
            (*element).offset = offset;
            if !metadata.is_empty() {
                let copy = libc::malloc(metadata.len());
                if !copy.is_null() {
                    std::ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast(), metadata.len());
                    (*element).metadata = copy;
                    (*element).metadata_size = metadata.len();
                }
            }
        }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        // SAFETY: the list is ours and lives as long as the elements are borrowed.
        unsafe { elements(self.0.as_ptr()) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

/// The elements of a list that the library lends.
///
/// # Safety
/// `list` is null or a valid list that outlives `'a` unchanged.
pub(super) unsafe fn elements<'a>(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> impl Iterator<Item = Element<'a>> {
    let (first, count) = match NonNull::new(list.cast_mut()) {
        // SAFETY: the caller vouches for the list.
        Some(list) => unsafe {
            (
                list.as_ref().elems.cast_const(),
                list.as_ref().cnt.max(0) as usize,
            )
        },
        None => (std::ptr::null(), 0),
    };
    (0..count).map(move |i| {
        // SAFETY: `i` is below the count of the list. The code is read as a number, see `ffi`; the name is a C string; metadata
        // of size 0 may be null.
        unsafe {
            let element = first.add(i);
            let size = (*element).metadata_size;
            Element {
                topic: CStr::from_ptr((*element).topic),
                partition: (*element).partition,
                offset: (*element).offset,
                metadata: if size == 0 || (*element).metadata.is_null() {
                    &[]
                } else {
                    std::slice::from_raw_parts((*element).metadata.cast::<u8>(), size)
                },
                error: KafkaError::from_code((&raw const (*element).err).cast::<i32>().read()),
            }
        }
    })
}
