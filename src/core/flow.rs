//! What is in flight, and which partitions are paused for it. A pause has a set of reasons; the partition flows when
//! the set is empty. Limits have hysteresis, so that records come in runs: a pause begins at the limit and ends at half of it.
use std::collections::BTreeMap;

use super::{Epoch, Tp};

/// Why a partition is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Its own records in flight are at the limit.
    Partition,
    /// The process's records in flight are, and it holds its share of them.
    Process,
    /// It waits for a schema.
    Schema,
    /// A sink or the dead letter topic is unavailable.
    Sink,
    /// Too large a share of poison.
    Poison,
    /// A schema that does not resolve to the checked one.
    IncompatibleSchema,
    /// It is being drained.
    Drain,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 7] = [
        Reason::Partition,
        Reason::Process,
        Reason::Schema,
        Reason::Sink,
        Reason::Poison,
        Reason::IncompatibleSchema,
        Reason::Drain,
    ];

    /// The name in metrics, the status and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Partition => "partition_limit",
            Reason::Process => "process_limit",
            Reason::Schema => "schema",
            Reason::Sink => "sink",
            Reason::Poison => "poison",
            Reason::IncompatibleSchema => "incompatible_schema",
            Reason::Drain => "drain",
        }
    }
}

/// A set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasons(u8);

impl Reasons {
    /// No reason: the partition flows.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `reason` is one of them.
    pub fn contains(self, reason: Reason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }

    /// The reasons, in the order of [`Reason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL
            .into_iter()
            .filter(move |reason| self.contains(*reason))
    }

    fn with(self, reason: Reason, is_set: bool) -> Reasons {
        let bit = 1 << reason as u8;
        Reasons(if is_set { self.0 | bit } else { self.0 & !bit })
    }
}

/// Records, and the bytes they hold in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    /// In either unit as much as `other`, or more.
    fn reaches(self, other: Amount) -> bool {
        self.records >= other.records || self.bytes >= other.bytes
    }

    /// In both units no more than the `parts`-th part of `other`.
    fn within(self, other: Amount, parts: u64) -> bool {
        self.records <= other.records / parts && self.bytes <= other.bytes / parts
    }

    fn part(self, parts: u64) -> Amount {
        Amount {
            records: (self.records / parts).max(1),
            bytes: (self.bytes / parts).max(1),
        }
    }

    fn add(&mut self, other: Amount) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Amount) {
        self.records = self.records.saturating_sub(other.records);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

/// What may be in flight. What one poll hands over can go beyond it, no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowLimits {
    /// Per partition.
    pub partition: Amount,
    /// Per process.
    pub process: Amount,
}

/// What the consumer is told, only on change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Read no more of it.
    Pause(Tp),
    /// Read it again.
    Resume(Tp),
}

/// The partitions of one consumer: what each has in flight and why it is paused.
///
/// The process limit spares whoever holds little, so that one stuck partition does not stop the others: from half of
/// the limit on, those pause that hold their share (that half divided by the partitions) or more. Together that stays
/// within the limit.
#[derive(Debug)]
pub struct Flow {
    limits: FlowLimits,
    total: Amount,
    is_tight: bool,
    partitions: BTreeMap<Tp, Entry>,
}

#[derive(Debug)]
struct Entry {
    epoch: Epoch,
    held: Amount,
    reasons: Reasons,
}

impl Flow {
    /// No partitions.
    pub fn new(limits: FlowLimits) -> Flow {
        Flow {
            limits,
            total: Amount::default(),
            is_tight: false,
            partitions: BTreeMap::new(),
        }
    }

    /// A partition was assigned. Its state is told in any case.
    pub fn assigned(&mut self, tp: Tp, epoch: Epoch, turns: &mut Vec<Turn>) {
        self.forget(tp);
        let entry = Entry {
            epoch,
            held: Amount::default(),
            reasons: Reasons::default(),
        };
        self.partitions.insert(tp, entry);
        turns.push(Turn::Resume(tp));
        // Every share became smaller.
        self.weigh_all(turns);
    }

    /// Partitions are unassigned: nothing is said about them any more. Whatever their lanes still hold is no longer
    /// counted, which is nothing unless they were lost or abandoned.
    pub fn removed(&mut self, tps: &[Tp], turns: &mut Vec<Turn>) {
        for tp in tps {
            self.forget(*tp);
        }
        self.weigh_all(turns);
    }

    /// Records of a partition were polled.
    pub fn taken(&mut self, tp: Tp, epoch: Epoch, amount: Amount, turns: &mut Vec<Turn>) {
        let Some(entry) = self
            .partitions
            .get_mut(&tp)
            .filter(|entry| entry.epoch == epoch)
        else {
            return;
        };
        entry.held.add(amount);
        self.total.add(amount);
        self.weigh(tp, turns);
    }

    /// Records of a partition left its lane: disposed of or released.
    pub fn done(&mut self, tp: Tp, epoch: Epoch, amount: Amount, turns: &mut Vec<Turn>) {
        let Some(entry) = self
            .partitions
            .get_mut(&tp)
            .filter(|entry| entry.epoch == epoch)
        else {
            return;
        };
        entry.held.subtract(amount);
        self.total.subtract(amount);
        self.weigh(tp, turns);
    }

    /// A reason begins or ends. Unknown partitions and earlier epochs are ignored.
    pub fn set(
        &mut self,
        tp: Tp,
        epoch: Epoch,
        reason: Reason,
        is_set: bool,
        turns: &mut Vec<Turn>,
    ) {
        if let Some(entry) = self
            .partitions
            .get_mut(&tp)
            .filter(|entry| entry.epoch == epoch)
        {
            entry.turn(tp, entry.reasons.with(reason, is_set), turns);
        }
    }

    /// Why a partition is paused; empty if it is not, or not ours.
    pub fn reasons(&self, tp: Tp) -> Reasons {
        self.partitions
            .get(&tp)
            .map(|entry| entry.reasons)
            .unwrap_or_default()
    }

    /// What a partition has in flight.
    pub fn held(&self, tp: Tp) -> Amount {
        self.partitions
            .get(&tp)
            .map(|entry| entry.held)
            .unwrap_or_default()
    }

    /// What all partitions have in flight.
    pub fn total(&self) -> Amount {
        self.total
    }

    /// The share of the process limit that a partition may hold while others press.
    pub fn share(&self) -> Amount {
        self.limits
            .process
            .part(2 * self.partitions.len().max(1) as u64)
    }

    /// Whether a partition is paused for nothing but what is in flight: it flows again as soon as that is worked off.
    pub fn is_limited(&self) -> bool {
        let limits = Reasons::default()
            .with(Reason::Partition, true)
            .with(Reason::Process, true);
        self.partitions
            .values()
            .any(|entry| !entry.reasons.is_empty() && entry.reasons.0 & !limits.0 == 0)
    }

    fn forget(&mut self, tp: Tp) {
        if let Some(entry) = self.partitions.remove(&tp) {
            self.total.subtract(entry.held);
        }
    }

    fn weigh(&mut self, tp: Tp, turns: &mut Vec<Turn>) {
        let was_tight = self.is_tight;
        self.is_tight = self.tightness();
        if self.is_tight != was_tight {
            return self.weigh_all(turns);
        }
        let (share, is_tight, limits) = (self.share(), self.is_tight, self.limits);
        if let Some(entry) = self.partitions.get_mut(&tp) {
            entry.weigh(tp, share, is_tight, limits, turns);
        }
    }

    fn weigh_all(&mut self, turns: &mut Vec<Turn>) {
        self.is_tight = self.tightness();
        let (share, is_tight, limits) = (self.share(), self.is_tight, self.limits);
        for (tp, entry) in &mut self.partitions {
            entry.weigh(*tp, share, is_tight, limits, turns);
        }
    }

    fn tightness(&self) -> bool {
        let soft = self.limits.process.part(2);
        self.total.reaches(soft) || (self.is_tight && !self.total.within(soft, 2))
    }
}

impl Entry {
    fn weigh(
        &mut self,
        tp: Tp,
        share: Amount,
        is_tight: bool,
        limits: FlowLimits,
        turns: &mut Vec<Turn>,
    ) {
        let held = self.held;
        let stays =
            |is_set: bool, limit: Amount| held.reaches(limit) || (is_set && !held.within(limit, 2));
        let partition = stays(self.reasons.contains(Reason::Partition), limits.partition);
        let process = is_tight && stays(self.reasons.contains(Reason::Process), share);
        let reasons = self
            .reasons
            .with(Reason::Partition, partition)
            .with(Reason::Process, process);
        self.turn(tp, reasons, turns);
    }

    fn turn(&mut self, tp: Tp, reasons: Reasons, turns: &mut Vec<Turn>) {
        match (self.reasons.is_empty(), reasons.is_empty()) {
            (true, false) => turns.push(Turn::Pause(tp)),
            (false, true) => turns.push(Turn::Resume(tp)),
            _ => {}
        }
        self.reasons = reasons;
    }
}

#[cfg(test)]
mod tests;
