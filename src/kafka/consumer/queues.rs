//! One queue for each partition of a member, read in turn.
//!
//! The library's own way, all partitions in one queue, has one bound for all of them, and when a place in it is free, the partition that it looks
//! at first takes it: while a member is slower than its brokers, whole partitions wait until those before them are empty. With a
//! queue each, the bound is each partition's own, and who is read is decided here. A pause is a queue that is not read: the fetch stops when
//! it is full, nothing is thrown away, and going on costs nothing. And a rebalance does not wait behind records.

use std::collections::btree_map::Entry;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Records of one partition in a row: others have their turn then. Runs are good for the caches, of this thread and of the next.
const RUN_RECORDS: usize = 250;

/// Wakes the poll when the first record comes into an empty queue.
pub(super) struct Alarm {
    /// Set while the poll waits, and has seen all queues empty.
    is_waiting: AtomicBool,
    /// What the poll waits for.
    queue: NonNull<sys::rd_kafka_queue_t>,
}

// SAFETY: queues may be used from any thread.
unsafe impl Send for Alarm {}
// SAFETY: as above.
unsafe impl Sync for Alarm {}

impl Alarm {
    /// For a poll that waits for this queue, which lives as long as the alarm.
    pub fn new(queue: NonNull<sys::rd_kafka_queue_t>) -> Alarm {
        Alarm {
            is_waiting: AtomicBool::new(false),
            queue,
        }
    }

    fn set(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Ordering::SeqCst);
    }
}

/// A queue has its first record. Runs on a thread of the library, under the lock of that queue.
unsafe extern "C" fn on_first(_: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: the alarm belongs to the client, and queues forget it before the client goes.
    let alarm = unsafe { &*opaque.cast::<Alarm>() };
    if alarm.is_waiting.swap(false, Ordering::SeqCst) {
        // SAFETY: the queue lives as long as the alarm.
        unsafe { sys::rd_kafka_queue_yield(alarm.queue.as_ptr()) }
    }
}

/// The queue of one partition. It is not forwarded to the consumer's from here on.
struct Queue {
    native: NonNull<sys::rd_kafka_queue_t>,
    /// The queue and its alarm live in it.
    client: Arc<Client>,
}

impl Queue {
    fn open(client: &Arc<Client>, at: Tp) -> Result<Queue, ClientError> {
        let topic = &client.topics[usize::from(at.topic)].name;
        // SAFETY: client and name are live. The queue is ours to destroy.
        let native = unsafe {
            sys::rd_kafka_queue_get_partition(client.native.as_ptr(), topic.as_ptr(), at.partition)
        };
        let native = NonNull::new(native).ok_or_else(|| {
            let topic = topic.to_string_lossy();
            let attempted = format!("open the queue of {topic}/{}", at.partition);
            ClientError::new(attempted, code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        })?;
        let alarm = (&raw const client.alarm).cast_mut().cast();
        // SAFETY: the queue is live, and so is the alarm until the queue forgets it, in `drop`.
        unsafe {
            sys::rd_kafka_queue_forward(native.as_ptr(), null_mut());
            sys::rd_kafka_queue_cb_event_enable(native.as_ptr(), Some(on_first), alarm);
        }
        Ok(Queue {
            native,
            client: client.clone(),
        })
    }

    fn length(&self) -> usize {
        // SAFETY: the queue is live.
        unsafe { sys::rd_kafka_queue_length(self.native.as_ptr()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: live, and destroyed once. The lock that the alarm is taken away under is held by whoever rings it. What is left goes to
        // the consumer's queue, because the library throws away what is outdated when it comes to hand it out. But no forward may stay: a
        // partition that is destroyed empties its queue, and would empty the consumer's.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.native.as_ptr(), None, null_mut());
            sys::rd_kafka_queue_forward(self.native.as_ptr(), self.client.queue.as_ptr());
            sys::rd_kafka_queue_forward(self.native.as_ptr(), null_mut());
            sys::rd_kafka_queue_destroy(self.native.as_ptr());
        }
    }
}

/// The queues of all partitions that are being fetched.
#[derive(Default)]
pub(super) struct Queues {
    open: BTreeMap<Tp, Queue>,
    /// Not read.
    paused: BTreeSet<Tp>,
    /// The last one that was read.
    last: Option<Tp>,
    /// The next to be read, with how many records.
    ready: Vec<(Tp, usize)>,
}

// SAFETY: queues may be used from any thread.
unsafe impl Send for Queues {}

impl Queues {
    /// Before a partition is started.
    pub fn open(&mut self, client: &Arc<Client>, at: Tp) -> Result<(), ClientError> {
        self.paused.remove(&at);
        if let Entry::Vacant(place) = self.open.entry(at) {
            place.insert(Queue::open(client, at)?);
        }
        Ok(())
    }

    /// After partitions were stopped: their records are outdated.
    pub fn retain(&mut self, is_left: impl Fn(&Tp) -> bool) {
        self.paused.retain(&is_left);
        self.open.retain(|at, _| is_left(at));
    }

    pub fn pause(&mut self, at: Tp) {
        self.paused.insert(at);
    }

    pub fn resume(&mut self, at: Tp) {
        self.paused.remove(&at);
    }

    fn has_any(&self) -> bool {
        let is_read = |at: &Tp| !self.paused.contains(at);
        (self.open.iter()).any(|(at, queue)| is_read(at) && queue.length() > 0)
    }

    /// Chooses what is read next, `max` records at most, going on behind the partition that was read last.
    fn choose(&mut self, max: usize) {
        self.ready.clear();
        let mut room = max;
        let last = self.last.unwrap_or(Tp {
            topic: u16::MAX,
            partition: i32::MAX,
        });
        let turn = self.open.range((Excluded(last), Unbounded));
        for (&at, queue) in turn.chain(self.open.range(..=last)) {
            if room == 0 {
                break;
            }
            if self.paused.contains(&at) {
                continue;
            }
            let run = queue.length().min(RUN_RECORDS).min(room);
            if run > 0 {
                self.ready.push((at, run));
                room -= run;
            }
        }
    }
}

impl Consumer {
    /// Whether a partition has records. If none has, the first one that comes ends the wait for the consumer's queue.
    pub(super) fn has_records(&mut self) -> bool {
        if self.queues.has_any() {
            return true;
        }
        self.client.alarm.set(true);
        // What has come in between has rung for nobody.
        self.queues.has_any()
    }

    /// Takes up to `max` records out of the partitions' queues.
    pub(super) fn read_queues(&mut self, max: usize, out: &mut Vec<RawRecord>) {
        self.client.alarm.set(false);
        self.queues.choose(max);
        let ready = std::mem::take(&mut self.queues.ready);
        for &(at, run) in &ready {
            let Some(queue) = self.queues.open.get(&at) else {
                continue;
            };
            let native = queue.native;
            // No more than there is: for more it would wait.
            let count = self.take(native, run, Duration::ZERO);
            self.hand_out(count, out);
            self.queues.last = Some(at);
        }
        self.queues.ready = ready;
    }
}
