//! What the log holds and what has really arrived on the far side: the measure that commits and dispositions are held
//! against. Nothing here reads the state of a worker.
use std::collections::BTreeMap;

use super::rng::mix;
use super::{Held, hold};
use crate::core::{Disposition, Tp};

/// What the topology makes of a record. A function of its position, so that every attempt and worker agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Filtered,
    Poison,
    /// The process dies of it.
    Kills,
    /// One bit of `refused` per route whose sink refuses this record for good.
    Deliver {
        routes: u8,
        refused: u8,
    },
}

pub struct Truth {
    seed: u64,
    /// Some of the records kill.
    has_killers: bool,
    logs: BTreeMap<Tp, Log>,
}

#[derive(Default)]
struct Log {
    records: Vec<Fate>,
    /// Index of the first record that has not come to its end.
    first: usize,
    low: i64,
    high: i64,
    /// Highest offset that arrived, by key and route.
    arrived: BTreeMap<(u64, u8), i64>,
}

struct Fate {
    offset: i64,
    /// One bit per route on which it arrived.
    durable: u8,
    /// One bit per route on which its dead letter arrived.
    dead: u8,
    /// It may be left out, though it does nothing.
    is_unlucky: bool,
}

impl Truth {
    pub fn new(seed: u64) -> Truth {
        Truth {
            seed,
            has_killers: mix(seed) % 100 < 40,
            logs: BTreeMap::new(),
        }
    }

    pub fn create(&mut self, tp: Tp) {
        self.logs.insert(tp, Log::default());
    }

    pub fn tps(&self) -> impl Iterator<Item = Tp> {
        self.logs.keys().copied()
    }

    /// Writes a record after a gap of offsets without one.
    pub fn append(&mut self, tp: Tp, gap: i64) {
        let log = self.log_mut(tp);
        let offset = log.high + gap;
        log.high = offset + 1;
        log.records.push(Fate {
            offset,
            durable: 0,
            dead: 0,
            is_unlucky: false,
        });
        self.settle(tp);
    }

    /// A transaction marker at the end: an offset without a record.
    pub fn append_marker(&mut self, tp: Tp) {
        self.log_mut(tp).high += 1;
    }

    /// Retention deletes everything before `low`.
    pub fn truncate(&mut self, tp: Tp, low: i64) {
        self.log_mut(tp).low = low;
    }

    pub fn watermarks(&self, tp: Tp) -> (i64, i64) {
        let log = &self.logs[&tp];
        (log.low, log.high)
    }

    /// The first record at or after `position`.
    pub fn next_record(&self, tp: Tp, position: i64) -> Option<i64> {
        let log = &self.logs[&tp];
        log.records
            .get(log.records.partition_point(|fate| fate.offset < position))
            .map(|fate| fate.offset)
    }

    /// The offset after the last record.
    pub fn end(&self, tp: Tp) -> i64 {
        self.logs[&tp]
            .records
            .last()
            .map_or(0, |fate| fate.offset + 1)
    }

    /// The group begins here: what is before does not count.
    pub fn begin_at(&mut self, tp: Tp, offset: i64) {
        let log = self.log_mut(tp);
        log.first = log
            .first
            .max(log.records.partition_point(|fate| fate.offset < offset));
        self.settle(tp);
    }

    /// No commit may be above this: the first record that has not come to its end.
    pub fn frontier(&self, tp: Tp) -> i64 {
        let log = &self.logs[&tp];
        log.records
            .get(log.first)
            .map_or(log.high, |fate| fate.offset)
    }

    pub fn is_finished(&self, tp: Tp) -> bool {
        let log = &self.logs[&tp];
        log.first == log.records.len()
    }

    /// Records of one key stay in order.
    pub fn key(&self, tp: Tp, offset: i64) -> u64 {
        self.hash(tp, offset, 1) % 3
    }

    pub fn verdict(&self, tp: Tp, offset: i64) -> Verdict {
        let hash = self.hash(tp, offset, 2);
        if self.has_killers && (hash >> 32).is_multiple_of(60) {
            return Verdict::Kills;
        }
        match hash % 100 {
            0..12 => Verdict::Filtered,
            12..18 => Verdict::Poison,
            _ => {
                let routes = 1 + (hash >> 8) as u8 % 3;
                let refused = if (hash >> 16).is_multiple_of(12) {
                    (hash >> 24) as u8 & ((1 << routes) - 1)
                } else {
                    0
                };
                Verdict::Deliver { routes, refused }
            }
        }
    }

    /// Whether this may become of a record in the end.
    pub fn may_become(&self, tp: Tp, offset: i64, disposition: Disposition) -> bool {
        let is_unlucky = self.fate(tp, offset).is_some_and(|fate| fate.is_unlucky);
        let expected = match self.verdict(tp, offset) {
            Verdict::Filtered => Disposition::Filtered,
            Verdict::Deliver { refused: 0, .. } => Disposition::Delivered,
            Verdict::Poison | Verdict::Kills | Verdict::Deliver { .. } => Disposition::DeadLettered,
        };
        disposition == expected || is_unlucky && disposition == Disposition::DeadLettered
    }

    /// Its owners ended by chance while it was tried: it is left out for nothing.
    pub fn has_bad_luck(&mut self, tp: Tp, offset: i64) {
        let log = self.log_mut(tp);
        let index = log.records.partition_point(|fate| fate.offset < offset);
        log.records[index].is_unlucky = true;
    }

    fn fate(&self, tp: Tp, offset: i64) -> Option<&Fate> {
        let log = &self.logs[&tp];
        let index = log.records.partition_point(|fate| fate.offset < offset);
        log.records.get(index).filter(|fate| fate.offset == offset)
    }

    /// Everything that belongs to the record is durable on the far side.
    pub fn has_arrived(&self, tp: Tp, offset: i64) -> bool {
        self.fate(tp, offset)
            .is_some_and(|fate| self.is_complete(tp, fate))
    }

    /// A sink has written a delivery.
    pub fn sunk(&mut self, tp: Tp, offset: i64, route: u8, is_dead_letter: bool) -> Held {
        let key = self.key(tp, offset);
        let log = self.log_mut(tp);
        let index = log.records.partition_point(|fate| fate.offset < offset);
        let fate = &mut log.records[index];
        let bit = 1 << route;
        if is_dead_letter {
            fate.dead |= bit;
        } else {
            let is_first = fate.durable & bit == 0;
            fate.durable |= bit;
            let last = log.arrived.entry((key, route)).or_insert(-1);
            hold(!is_first || offset > *last, "I-8", || {
                format!(
                    "{tp:?} key {key} route {route}: offset {offset} arrived first after {last} had"
                )
            })?;
            *last = offset.max(*last);
        }
        self.settle(tp);
        Ok(())
    }

    fn is_complete(&self, tp: Tp, fate: &Fate) -> bool {
        if fate.is_unlucky && fate.dead & 1 != 0 {
            return true;
        }
        match self.verdict(tp, fate.offset) {
            Verdict::Filtered => true,
            Verdict::Poison | Verdict::Kills => fate.dead & 1 != 0,
            Verdict::Deliver { routes, refused } => {
                fate.durable | (fate.dead & refused) == (1 << routes) - 1
            }
        }
    }

    fn settle(&mut self, tp: Tp) {
        let log = &self.logs[&tp];
        let open = log.records[log.first..]
            .iter()
            .position(|fate| !self.is_complete(tp, fate));
        let first = open.map_or(log.records.len(), |open| log.first + open);
        self.log_mut(tp).first = first;
    }

    fn log_mut(&mut self, tp: Tp) -> &mut Log {
        self.logs.get_mut(&tp).expect("the partition exists")
    }

    fn hash(&self, tp: Tp, offset: i64, salt: u64) -> u64 {
        mix(self.seed
            ^ mix(offset as u64)
            ^ mix(u64::from(tp.topic) << 40 | (tp.partition as u64) << 8 | salt))
    }
}
