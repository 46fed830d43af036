//! What travels between the consumer thread and the pipeline threads, and what they share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Instant;

use crate::core::{Epoch, Guard, Millis, Tp};
use crate::kafka::RawRecord;
use crate::pipeline::lane::LaneLink;
use crate::pipeline::programs::{Known, Place};
use crate::telemetry::PartitionMetrics;

/// To a pipeline thread.
pub(super) enum ToThread {
    /// A lane begins.
    Open {
        tp: Tp,
        epoch: Epoch,
        position: i64,
        guard: Option<Guard>,
        link: Arc<LaneLink>,
        metrics: PartitionMetrics,
    },
    /// Records, in the order of their partitions, and what was consumed of each of their lanes up to and with them.
    Records {
        records: Vec<RawRecord>,
        fetched: Millis,
        consumed: Vec<Consumed>,
    },
    /// The end of the partition: the frontier of an empty lane may move there.
    End { tp: Tp, epoch: Epoch, position: i64 },
    /// Begin nothing new, report when empty.
    Drain { tp: Tp, epoch: Epoch },
    /// Report now.
    Abandon { tp: Tp, epoch: Epoch },
    /// What was asked about a schema.
    Learned(Place, Known),
    /// All lanes are closed; end.
    Stop,
}

/// What the consumer has polled of one assignment so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consumed {
    pub tp: Tp,
    pub records: u64,
    pub bytes: u64,
}

/// To the consumer thread.
#[derive(Debug)]
pub(super) enum FromThread {
    /// A lane's last word.
    Drained {
        tp: Tp,
        epoch: Epoch,
        frontier: i64,
        released: u64,
    },
    /// A guarded lane is about to process this record alone, or has ended to. The answer is in its [`LaneLink`].
    Trying {
        tp: Tp,
        epoch: Epoch,
        frontier: i64,
        offset: Option<i64>,
    },
}

/// The way to a pipeline thread: a queue and its bell.
#[derive(Clone)]
pub(super) struct Inlet {
    pub sender: Sender<ToThread>,
    pub bell: Bell,
}

impl Inlet {
    /// Sends and rings. A thread that has ended takes nothing; its end is seen elsewhere.
    pub fn send(&self, message: ToThread) {
        if self.sender.send(message).is_ok() {
            self.bell.ring();
        }
    }
}

/// Wakes a pipeline thread. Made before the thread, which claims it.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<OnceLock<Thread>>);

impl Bell {
    /// The calling thread is the one to wake.
    pub fn claim(&self) {
        self.0.get_or_init(std::thread::current);
    }

    /// Wakes the thread, or keeps it from falling asleep.
    pub fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

/// Whether the topology has stopped for too large a share of poison, and why. Shared by its threads.
#[derive(Debug, Default)]
pub(super) struct PoisonStop {
    is_stopped: AtomicBool,
    why: Mutex<Option<String>>,
}

impl PoisonStop {
    /// Stops; the first reason stays. Returns whether it was the first.
    pub fn stop(&self, why: String) -> bool {
        let mut held = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = held.is_none();
        held.get_or_insert(why);
        self.is_stopped.store(true, Ordering::Release);
        is_first
    }

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// Why.
    pub fn why(&self) -> Option<String> {
        self.why
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The monotonic clock of one worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    /// Begins at 0 now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Milliseconds since the start.
    pub fn now(self) -> Millis {
        Millis(self.0.elapsed().as_millis() as u64)
    }
}
