//! One partition in one assignment, as its pipeline thread sees it: what stands between it and its next record, and its account.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use crate::core::flow::{Amount, Reason};
use crate::core::{Backoff, Disposition, Epoch, Guard, Millis, Tp, Tracker};
use crate::kafka::RawRecord;
use crate::telemetry::{PartitionMetrics, Snapshot};

/// Bytes that a record holds besides its key, value and headers: the library's message and our slot.
const HELD_OVERHEAD_BYTES: usize = 256;

/// What a lane keeps of a record until it is done.
#[derive(Debug)]
pub(super) struct Held {
    /// The record, by reference into the fetched batch.
    pub record: RawRecord,
    /// When it was polled, on the process's monotonic clock.
    pub fetched: Millis,
}

/// What a record counts for in the limits of what is in flight.
pub(super) fn held_bytes(record: &RawRecord) -> u32 {
    // Without them a stream of small records with large headers would hold any amount.
    u32::try_from(record.size() + record.header_bytes() + HELD_OVERHEAD_BYTES).unwrap_or(u32::MAX)
}

/// What a lane tells the consumer thread, read there at every turn, and what a guarded lane waits for.
#[derive(Debug, Default)]
pub(super) struct LaneLink {
    frontier: AtomicI64,
    done_records: AtomicU64,
    done_bytes: AtomicU64,
    reasons: AtomicU8,
    is_guarded: AtomicBool,
    /// The record that the group's position says is tried, by the consumer thread; [`MARK_UNKNOWN`] while it is asked.
    marked: AtomicI64,
    /// From the consumer thread: the partition is going away, and it waits for nothing any more.
    is_leaving: AtomicBool,
    is_given_up: AtomicBool,
}

/// No record is.
const NOT_MARKED: i64 = -1;
const MARK_UNKNOWN: i64 = -2;

impl LaneLink {
    /// A lane that begins at `position`.
    pub fn new(position: i64) -> Arc<LaneLink> {
        Arc::new(LaneLink {
            frontier: AtomicI64::new(position),
            marked: AtomicI64::new(NOT_MARKED),
            ..LaneLink::default()
        })
    }

    /// The frontier. Everything before it is done.
    pub fn frontier(&self) -> i64 {
        self.frontier.load(Ordering::Acquire)
    }

    /// What has left the lane since it was opened.
    pub fn done(&self) -> Amount {
        Amount {
            records: self.done_records.load(Ordering::Relaxed),
            bytes: self.done_bytes.load(Ordering::Relaxed),
        }
    }

    /// Whether its records pass one by one.
    pub fn is_guarded(&self) -> bool {
        self.is_guarded.load(Ordering::Relaxed)
    }

    /// Whether the group's position says that this record is tried, or none.
    pub fn has_marked(&self, offset: Option<i64>) -> bool {
        self.marked.load(Ordering::Acquire) == offset.unwrap_or(NOT_MARKED)
    }

    /// The group's position says that this record is tried, or none.
    pub fn mark(&self, offset: Option<i64>) {
        self.marked
            .store(offset.unwrap_or(NOT_MARKED), Ordering::Release);
    }

    /// What the position says is about to change, and not known until it is told.
    pub fn ask_mark(&self) {
        self.marked.store(MARK_UNKNOWN, Ordering::Release);
    }

    /// Whether it is of no use to wait for this: a partition that is going away gets no mark, and one that is given up
    /// may keep it.
    pub fn marks_no_more(&self, offset: Option<i64>) -> bool {
        let end = match offset {
            Some(_) => &self.is_leaving,
            None => &self.is_given_up,
        };
        end.load(Ordering::Relaxed)
    }

    /// Whether the partition is going away.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// The partition is going away.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// It is gone, or its time is up.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        self.leave();
    }

    /// Whether the lane wants its partition paused for this reason.
    pub fn wants(&self, reason: Reason) -> bool {
        self.reasons.load(Ordering::Relaxed) & (1 << reason as u8) != 0
    }
}

/// What a lane waits for before it goes on with its next record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// Nothing.
    Open,
    /// A schema that was requested.
    Schema,
    /// A topic that cannot be written to; the next try.
    Sink {
        /// Index in the plan's topics, if one is known to be at fault: it must be usable before the next try.
        topic: Option<u16>,
        /// When to look again.
        until: Millis,
    },
    /// A schema that does not resolve to the checked one: for good.
    Incompatible,
}

/// Refusals of one delivery after which it is the topic that takes nothing.
const REFUSALS_MAX: usize = 3;

/// A delivery that the broker refused for what it is, found by sending records singly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condemned {
    /// Offset of the record.
    pub offset: i64,
    /// Which of its deliveries.
    pub delivery: u8,
    /// Reason code.
    pub reason: &'static str,
    /// The broker's words.
    pub message: String,
    /// What follows from it was counted and told: a record that is processed once more is no news.
    pub is_told: bool,
}

/// The state of a lane beside its tracker.
#[derive(Debug)]
pub(super) struct Lane {
    pub tp: Tp,
    pub epoch: Epoch,
    pub block: Block,
    /// Takes nothing new, and reports when it is empty.
    pub is_draining: bool,
    /// Send records one at a time up to and with this offset: one of them was refused in a batch.
    pub single_until: Option<i64>,
    /// The attempt in which the suspects were refused together: only what a later one sends singly is guilty.
    pub suspected_in: u16,
    /// A topic took nothing at this offset: one record of this lane at a time up to and with it, so that a try that fails
    /// repeats no more than one.
    pub careful_until: Option<i64>,
    /// Its records pass one by one, because owners died at one of them.
    pub guard: Option<Guard>,
    pub condemned: Vec<Condemned>,
    /// Records before this offset were judged for the shares of poison; a rewind does not judge them again.
    pub judged_until: i64,
    pub backoff: Backoff,
    /// Attempts of the records at the frontier: rewinds since it last moved.
    pub attempts: u32,
    /// `topic/partition/`, for the provenance header.
    pub prefix: String,
    link: Arc<LaneLink>,
    metrics: PartitionMetrics,
    account: Snapshot,
    sent_frontier: i64,
}

impl Lane {
    /// A lane that begins at `position` of the partition.
    pub fn new(
        tp: Tp,
        epoch: Epoch,
        position: i64,
        topic: &str,
        link: Arc<LaneLink>,
        metrics: PartitionMetrics,
    ) -> Lane {
        Lane {
            tp,
            epoch,
            block: Block::Open,
            is_draining: false,
            single_until: None,
            suspected_in: 0,
            careful_until: None,
            guard: None,
            condemned: Vec::new(),
            judged_until: position,
            backoff: Backoff::new(Millis(200), Millis(10_000)),
            attempts: 1,
            prefix: format!("{topic}/{}/", tp.partition),
            link,
            metrics,
            account: Snapshot::default(),
            sent_frontier: position,
        }
    }

    /// Lets its records pass one by one, or no longer.
    pub fn set_guard(&mut self, guard: Option<Guard>) {
        self.link
            .is_guarded
            .store(guard.is_some(), Ordering::Relaxed);
        self.guard = guard;
    }

    /// Whether the record at `offset` is not processed any more.
    pub fn is_convicted(&self, offset: i64) -> bool {
        self.guard
            .is_some_and(|guard| guard.convicted() == Some(offset))
    }

    /// What the consumer thread sees of it.
    pub fn link(&self) -> &Arc<LaneLink> {
        &self.link
    }

    /// The consumer has polled `records` in all of this assignment, `bytes` of payload.
    pub fn consumed(&mut self, records: u64, bytes: u64) {
        self.account.consumed = records;
        self.account.consumed_bytes = bytes;
    }

    /// Records left the lane without one: the next owner reads them again.
    pub fn released(&mut self, records: u64) {
        self.account.disposed[3] += records;
    }

    /// A record was not taken: it came twice.
    pub fn refused(&mut self, bytes: u32) {
        self.released(1);
        self.left(1, u64::from(bytes));
    }

    /// Why the lane wants its partition paused, for the flow and the status.
    pub fn set_block(&mut self, block: Block, is_poisoned: bool) {
        self.block = block;
        let reason = match self.block {
            Block::Open => None,
            Block::Schema => Some(Reason::Schema),
            Block::Sink { .. } => Some(Reason::Sink),
            Block::Incompatible => Some(Reason::IncompatibleSchema),
        };
        let bit = |reason: Reason| 1u8 << reason as u8;
        let bits = reason.map_or(0, bit) | if is_poisoned { bit(Reason::Poison) } else { 0 };
        self.link.reasons.store(bits, Ordering::Relaxed);
    }

    /// A delivery of the record at `offset` failed for what its topic or the cluster is: the next try is later, with one
    /// record. Returns when, unless the lane waits already.
    pub fn hold(
        &mut self,
        topic: Option<u16>,
        offset: i64,
        now: Millis,
        is_poisoned: bool,
    ) -> Option<Millis> {
        self.careful_until = self.careful_until.max(Some(offset));
        if matches!(self.block, Block::Sink { .. }) {
            return None;
        }
        let wait = self.backoff.fail(rand::random());
        let until = now.after(Millis(wait.0 + 100));
        self.set_block(Block::Sink { topic, until }, is_poisoned);
        Some(until)
    }

    /// Whether refusals of this delivery, sent singly, were answered in every way there is: as an output, as its dead letter, as one
    /// with the time of its writing, and as a stub.
    pub fn is_exhausted(&self, offset: i64, delivery: u8) -> bool {
        let refusals = self
            .condemned
            .iter()
            .filter(|one| one.offset == offset && one.delivery == delivery);
        refusals.count() >= REFUSALS_MAX
    }

    /// The broker refused this delivery for what it is.
    pub fn condemn(&mut self, offset: i64, delivery: u8, reason: &'static str, message: String) {
        self.condemned.push(Condemned {
            offset,
            delivery,
            reason,
            message,
            is_told: false,
        });
    }

    /// What the broker refused of the record at `offset` was taken into account.
    pub fn told(&mut self, offset: i64) {
        for one in &mut self.condemned {
            one.is_told |= one.offset == offset;
        }
    }

    /// Hands on what is done at the front and tells the consumer thread. Returns whether the frontier moved.
    pub fn pop(&mut self, tracker: &mut Tracker<Held>) -> bool {
        let frontier = tracker.frontier();
        let mut records = 0;
        let before = tracker.bytes();
        let account = &mut self.account.disposed;
        tracker.pop_done(|_, _, disposition| {
            records += 1;
            #[cfg(test)]
            if super::planted::strikes(super::planted::Mutant::AckLost) {
                return;
            }
            let index = match disposition {
                Disposition::Delivered => 0,
                Disposition::Filtered => 1,
                Disposition::DeadLettered => 2,
            };
            account[index] += 1;
        });
        self.left(records, before - tracker.bytes());
        if frontier == self.sent_frontier {
            return false;
        }
        self.sent_frontier = frontier;
        self.attempts = 1;
        self.backoff.reset();
        self.condemned
            .retain(|condemned| condemned.offset >= frontier);
        self.single_until = self.single_until.filter(|until| *until >= frontier);
        self.careful_until = self.careful_until.filter(|until| *until >= frontier);
        self.link.frontier.store(frontier, Ordering::Release);
        true
    }

    /// Records were released instead of processed.
    pub fn release(&mut self, tracker: &mut Tracker<Held>) -> u64 {
        let before = tracker.bytes();
        let released = tracker.release_unprocessed(|_, _| {});
        self.released(released);
        self.left(released, before - tracker.bytes());
        released
    }

    fn left(&self, records: u64, bytes: u64) {
        if records > 0 {
            self.link.done_records.fetch_add(records, Ordering::Relaxed);
            self.link.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Publishes the account. Pending is counted by walking the slots, so that the balance means something.
    pub fn publish(&mut self, tracker: &Tracker<Held>) {
        self.account.pending = tracker.pending().total();
        self.account.pending_bytes = tracker.bytes();
        self.account.frontier = Some(tracker.frontier());
        self.account.oldest_pending_ms = tracker
            .oldest()
            .and_then(|(_, _, held)| held.record.timestamp_ms());
        self.metrics.publish(&self.account);
    }

    /// Publishes the account of a lane that is given up: what is pending is released.
    pub fn close(&mut self, tracker: Tracker<Held>) -> u64 {
        let pending = tracker.pending().total();
        self.released(pending);
        self.account.pending = 0;
        self.account.pending_bytes = 0;
        self.account.oldest_pending_ms = None;
        self.metrics.publish(&self.account);
        pending
    }

    /// Remembers the newest record's time, for the lag in seconds.
    pub fn saw(&mut self, timestamp_ms: Option<i64>) {
        self.account.newest_consumed_ms = timestamp_ms.or(self.account.newest_consumed_ms);
    }
}
