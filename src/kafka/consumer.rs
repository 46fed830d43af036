//! One member of a consumer group. The thread that owns it polls, always; everything that happens to the member arrives as an event.

mod group;
mod halt;
mod queues;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{CStr, CString, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as code;

use super::conf::Properties;
use super::error::{ClientError, KafkaError};
use super::event::{Event, Inbox, on_commit, on_error, on_rebalance};
use super::handle::ConsumerHandle;
use super::native;
use super::native::{List, Native, check, ffi, timeout_ms};
use super::record::RawRecord;
use crate::core::Tp;
use group::Question;
use halt::Halt;
use queues::{Alarm, Queues};

/// Where to start or what to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: Tp,
    /// The offset of the next record to read.
    pub offset: i64,
}

/// A topic of the consumer. The handle is kept so that its address means this topic for the life of the client.
pub(super) struct Topic {
    pub name: CString,
    pub handle: NonNull<sys::rd_kafka_topic_t>,
}

/// The consumer's native side, shared with its handles and with the records that it returned.
pub(super) struct Client {
    pub native: Native<Inbox>,
    pub queue: NonNull<sys::rd_kafka_queue_t>,
    pub topics: Vec<Topic>,
    /// Rung by the partitions' queues.
    alarm: Alarm,
}

// SAFETY: queues and topic handles may be used from any thread, as the library documents; they are destroyed once, by the last owner.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    pub(super) fn list(&self, partitions: impl ExactSizeIterator<Item = (Tp, i64)>) -> List {
        let mut list = List::with_capacity(partitions.len());
        for (at, offset) in partitions {
            list.add(
                &self.topics[usize::from(at.topic)].name,
                at.partition,
                offset,
                &[],
            );
        }
        list
    }

    pub(super) fn locate(&self, topic: &CStr, partition: i32) -> Option<Tp> {
        self.native.state().locate(topic, partition)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: each handle is ours and destroyed once, before the client (a field) goes.
        unsafe {
            for topic in &self.topics {
                sys::rd_kafka_topic_destroy(topic.handle.as_ptr());
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Keeps the client alive for the records of one batch.
pub(super) struct Lease(#[expect(dead_code, reason = "held, not read")] Arc<Client>);

/// Reads the last byte of every payload. The headers lie behind it, and looking at them waits for memory once per record, one after
/// the other; here the waits overlap.
///
/// # Safety
/// The pointers are valid messages.
unsafe fn touch(batch: &[*mut sys::rd_kafka_message_t]) {
    let last = |message: &*mut sys::rd_kafka_message_t| {
        // SAFETY: the message is valid, and so are the bytes that it names.
        unsafe {
            let (data, length) = ((**message).payload.cast::<u8>(), (**message).len);
            if data.is_null() || length == 0 {
                0
            } else {
                data.add(length - 1).read()
            }
        }
    };
    std::hint::black_box(batch.iter().map(last).fold(0, u8::wrapping_add));
}

/// How often [`Event::Passed`] is told.
const POSITION_INTERVAL: Duration = Duration::from_millis(100);

/// One member of a consumer group. Not `Sync`: one thread owns it.
pub struct Consumer {
    client: Arc<Client>,
    queues: Queues,
    /// Given to us by the group and not taken back.
    owned: BTreeSet<Tp>,
    /// Being fetched, with the offset that each was started from.
    assigned: BTreeMap<Tp, i64>,
    /// The last [`Event::Passed`] of each partition.
    passed: BTreeMap<Tp, i64>,
    looked: Instant,
    /// Where an error came in the place of a record.
    halted: BTreeMap<Tp, Halt>,
    is_member: bool,
    question: Question,
    batch: Vec<*mut sys::rd_kafka_message_t>,
    /// The topic of the last record: most often also that of the next.
    last_topic: usize,
    is_closed: bool,
}

// SAFETY: the pointers in `batch` are only scratch space of `poll`; the rest is Send.
unsafe impl Send for Consumer {}

impl Consumer {
    /// Creates a member that reads these topics. It joins its group with [`Consumer::subscribe`]. The index of a topic in `topics` names it from here on.
    ///
    /// Fails on properties that the library refuses, on a missing `group.id`, and on topic names that cannot exist or are patterns.
    pub fn new<T: AsRef<str>>(
        properties: &Properties,
        topics: &[T],
    ) -> Result<Consumer, ClientError> {
        let conf = properties.conf()?;
        let invalid = |detail: String| ClientError {
            detail,
            ..ClientError::new(
                "create a Kafka consumer",
                code::RD_KAFKA_RESP_ERR__INVALID_ARG,
            )
        };
        let mut names = Vec::with_capacity(topics.len());
        let mut index = HashMap::new();
        for (i, topic) in topics.iter().enumerate() {
            let topic = topic.as_ref();
            if topic.is_empty() || topic.starts_with('^') {
                return Err(invalid(format!("{topic:?} is not the name of a topic")));
            }
            let name = native::c_name("create a Kafka consumer", topic)?;
            let number = u16::try_from(i)
                .map_err(|_| invalid(format!("{} topics are too many", topics.len())))?;
            if index.insert(name.clone(), number).is_some() {
                return Err(invalid(format!("the topic {topic:?} is named twice")));
            }
            names.push(name);
        }
        let inbox = Box::new(Inbox::new(index));
        // SAFETY: the configuration is valid, and the callbacks match the declared types.
        unsafe {
            ffi::rd_kafka_conf_set_rebalance_cb(conf.as_ptr(), Some(on_rebalance));
            sys::rd_kafka_conf_set_error_cb(conf.as_ptr(), Some(on_error));
        }
        let native = conf.create(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, inbox)?;
        // SAFETY: the client is live. Errors and logs of the main queue are served with the consumer's queue from here on.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(native.as_ptr());
            sys::rd_kafka_queue_get_consumer(native.as_ptr())
        };
        let queue = NonNull::new(queue).ok_or_else(|| invalid("group.id is not set".into()))?;
        let mut client = Client {
            native,
            queue,
            topics: Vec::with_capacity(names.len()),
            alarm: Alarm::new(queue),
        };
        for name in names {
            // SAFETY: the client is live and the name a C string; null configuration means the client's default.
            let handle = unsafe {
                sys::rd_kafka_topic_new(client.native.as_ptr(), name.as_ptr(), null_mut())
            };
            let handle = NonNull::new(handle)
                .ok_or_else(|| invalid(format!("{name:?} is not the name of a topic")))?;
            client.topics.push(Topic { name, handle });
        }
        Ok(Consumer {
            client: Arc::new(client),
            queues: Queues::default(),
            owned: BTreeSet::new(),
            assigned: BTreeMap::new(),
            passed: BTreeMap::new(),
            looked: Instant::now(),
            halted: BTreeMap::new(),
            is_member: false,
            question: Question::Nothing,
            batch: Vec::new(),
            last_topic: 0,
            is_closed: false,
        })
    }

    /// Joins the group.
    pub fn subscribe(&mut self) -> Result<(), ClientError> {
        let any = native::ANY_PARTITION;
        let mut list = List::with_capacity(self.client.topics.len());
        for topic in &self.client.topics {
            list.add(&topic.name, any, 0, &[]);
        }
        // SAFETY: client and list are live; the library copies the list.
        let code = unsafe { sys::rd_kafka_subscribe(self.client.native.as_ptr(), list.as_ptr()) };
        self.is_member = true;
        self.checked("subscribe to the topics", code)
    }

    /// The part of this member that may be used from other threads.
    pub fn handle(&self) -> ConsumerHandle {
        ConsumerHandle::new(self.client.clone())
    }

    /// Waits up to `timeout` for something to happen, then takes what is there: up to `max` records, and all events. Both vectors are appended to.
    /// Call it always, also with every partition paused: it is what keeps the member in its group. Returns early on [`ConsumerHandle::wake`].
    pub fn poll(
        &mut self,
        max: usize,
        timeout: Duration,
        out: &mut Vec<RawRecord>,
        events: &mut Vec<Event>,
    ) {
        let before = events.len();
        self.fetch_halted_again();
        let main = self.client.queue;
        let timeout = match self.has_records() {
            true => Duration::ZERO,
            false => timeout,
        };
        // What is no record comes here, and the records of a consumer without a group. One, because the library would wait until the array
        // is full; the rest is taken without waiting.
        let count = self.take(main, 1.min(max), timeout);
        self.hand_out(count, out);
        if count > 0 && max > 1 {
            let count = self.take(main, max - 1, Duration::ZERO);
            self.hand_out(count, out);
        }
        self.read_queues(max, out);
        self.tell_positions();
        self.client.native.state().take(events);
        for event in &events[before..] {
            self.note(event);
        }
    }

    fn take(
        &mut self,
        queue: NonNull<sys::rd_kafka_queue_t>,
        max: usize,
        timeout: Duration,
    ) -> usize {
        self.batch.resize(max.max(self.batch.len()), null_mut());
        // SAFETY: the array holds at least `max` pointers; the library writes the first `count` of them. Callbacks of the client run
        // inside; they only touch the inbox. They never call rd_kafka_yield, which would lose the next record here.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                queue.as_ptr(),
                timeout_ms(timeout),
                self.batch.as_mut_ptr(),
                max,
            )
        };
        usize::try_from(count).unwrap_or(0)
    }

    /// Turns the first `count` messages of the scratch space into records and events.
    fn hand_out(&mut self, count: usize, out: &mut Vec<RawRecord>) {
        if count == 0 {
            return;
        }
        let lease = Arc::new(Lease(self.client.clone()));
        out.reserve(count);
        // SAFETY: the library returned these messages.
        unsafe { touch(&self.batch[..count]) };
        for i in 0..count {
            let message = NonNull::new(self.batch[i]).expect("the library returned this message");
            // SAFETY: the message is ours. Its code is read as a number, see `native::ffi`.
            let (code, topic) = unsafe {
                (
                    (&raw const (*message.as_ptr()).err).cast::<i32>().read(),
                    (*message.as_ptr()).rkt,
                )
            };
            match (KafkaError::from_code(code), self.index_of(topic)) {
                // SAFETY: a record of this client, owned by nobody else.
                (None, Some(topic)) => {
                    let record = unsafe { RawRecord::adopt(message, topic, lease.clone()) };
                    // What follows an error comes again, after what is missing.
                    if self.halted.is_empty()
                        || !self.halted.contains_key(&record.topic_partition())
                    {
                        out.push(record);
                    }
                }
                (error, topic) => {
                    let error =
                        error.unwrap_or(KafkaError::from(code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC));
                    // SAFETY: ours until it is destroyed here.
                    unsafe {
                        self.tell_error(message.as_ref(), error, topic);
                        sys::rd_kafka_message_destroy(message.as_ptr());
                    }
                }
            }
        }
    }

    fn tell_positions(&mut self) {
        if self.looked.elapsed() < POSITION_INTERVAL || self.assigned.is_empty() {
            return;
        }
        self.looked = Instant::now();
        // A client that cannot say where it stands says it another time.
        let Ok(positions) = self.positions() else {
            return;
        };
        for (at, offset) in positions {
            // There the library counts the error as a record.
            if !self.halted.contains_key(&at) && self.passed.insert(at, offset) != Some(offset) {
                self.client.native.state().push(Event::Passed(at, offset));
            }
        }
    }

    fn index_of(&mut self, handle: *mut sys::rd_kafka_topic_t) -> Option<u16> {
        let is_it = |topic: &Topic| topic.handle.as_ptr() == handle;
        if !self.client.topics.get(self.last_topic).is_some_and(is_it) {
            self.last_topic = self.client.topics.iter().position(is_it)?;
        }
        u16::try_from(self.last_topic).ok()
    }

    fn tell_error(
        &mut self,
        message: &sys::rd_kafka_message_t,
        error: KafkaError,
        topic: Option<u16>,
    ) {
        // SAFETY: the message is live; the text, if there is one, belongs to it.
        let detail = unsafe {
            let text = sys::rd_kafka_message_errstr(message);
            if text.is_null() {
                String::new()
            } else {
                CStr::from_ptr(text).to_string_lossy().into_owned()
            }
        };
        let about = topic.map(|topic| Tp {
            topic,
            partition: message.partition,
        });
        if let Some(at) = about {
            self.halt(at, message.offset, error);
        }
        let inbox = self.client.native.state();
        if error.is_fatal() {
            let fatal = self.client.native.fatal();
            inbox.push(Event::Fatal(
                fatal.unwrap_or_else(|| ClientError::new("use the client", error)),
            ));
            return;
        }
        inbox.push(match about {
            Some(at) if error.is(code::RD_KAFKA_RESP_ERR__PARTITION_EOF) => {
                Event::End(at, message.offset)
            }
            Some(at) if error.is(code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) => {
                Event::PositionLost(at, detail)
            }
            about => Event::Error {
                about,
                error,
                detail,
            },
        });
    }

    /// Reads these partitions without a group: no member, no rebalance. For tools.
    pub fn assign(&mut self, positions: &[Position]) -> Result<(), ClientError> {
        let list = self.client.list(
            positions
                .iter()
                .map(|position| (position.partition, position.offset)),
        );
        // SAFETY: client and list are live; the library copies the list.
        let code = unsafe { sys::rd_kafka_assign(self.client.native.as_ptr(), list.as_ptr()) };
        self.checked("assign partitions", code)?;
        self.assigned = positions
            .iter()
            .map(|position| (position.partition, position.offset))
            .collect();
        self.owned = self.assigned.keys().copied().collect();
        self.passed.clear();
        Ok(())
    }

    /// The next offset to be handed out of every partition that is being fetched.
    fn positions(&self) -> Result<BTreeMap<Tp, i64>, ClientError> {
        let list = self
            .client
            .list(self.assigned.iter().map(|(&at, &offset)| (at, offset)));
        // SAFETY: client and list are live; the answer is written into the list.
        let code = unsafe { sys::rd_kafka_position(self.client.native.as_ptr(), list.as_ptr()) };
        self.checked("ask for the positions", code)?;
        let mut positions = self.assigned.clone();
        for element in list.iter().filter(|element| element.offset >= 0) {
            if let Some(at) = self.client.locate(element.topic, element.partition) {
                positions.insert(at, element.offset);
            }
        }
        Ok(positions)
    }

    /// Hands out nothing of these partitions; what is fetched waits. For members of a group; partitions that are not being fetched are left alone.
    pub fn pause(&mut self, partitions: &[Tp]) {
        for at in partitions {
            if self.assigned.contains_key(at) {
                self.queues.pause(*at);
            }
        }
    }

    /// Goes on with these partitions.
    pub fn resume(&mut self, partitions: &[Tp]) {
        for at in partitions {
            self.queues.resume(*at);
        }
    }

    /// Sends a commit. The broker's answer arrives as [`Event::Committed`] with this number, always: also when the group has moved on,
    /// the coordinator is away for long, or the member is closing. `metadata` goes with each offset.
    pub fn commit_queue(
        &mut self,
        batch: u64,
        offsets: &[(Position, &[u8])],
    ) -> Result<(), ClientError> {
        let mut list = List::with_capacity(offsets.len());
        for (position, metadata) in offsets {
            let topic = &self.client.topics[usize::from(position.partition.topic)];
            list.add(
                &topic.name,
                position.partition.partition,
                position.offset,
                metadata,
            );
        }
        // SAFETY: client, list and queue are live; the library copies the list and keeps the queue. The number travels as the opaque
        // pointer and is never dereferenced.
        let code = unsafe {
            ffi::rd_kafka_commit_queue(
                self.client.native.as_ptr(),
                list.as_ptr(),
                self.client.queue.as_ptr(),
                Some(on_commit),
                batch as usize as *mut c_void,
            )
        };
        match KafkaError::from_code(code) {
            None => Ok(()),
            Some(error) => Err(ClientError::new("commit offsets", error)),
        }
    }

    fn checked(&self, attempted: &str, code: code) -> Result<(), ClientError> {
        match KafkaError::from_code(code as i32) {
            None => Ok(()),
            Some(error) if error.is_fatal() => Err(self
                .client
                .native
                .fatal()
                .unwrap_or_else(|| ClientError::new(attempted, error))),
            Some(error) => Err(ClientError::new(attempted, error)),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if !self.is_closed && !self.owned.is_empty() {
            tracing::warn!("a consumer is dropped without leaving its group, as after a crash");
        }
    }
}
