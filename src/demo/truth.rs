//! The demo's own book: what every source record must become, and what was seen of it in the output topics. The worker writes
//! nothing here but its frontier.

use std::collections::{BTreeMap, VecDeque};

use super::expect::Expect;
use super::generate::SOURCE_PARTITIONS;
use super::shop::Table;

/// Complaints that are kept as text; the others are counted.
const COMPLAINTS_MAX: usize = 10;

/// What was seen of a source record in an output topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A record in this output topic.
    Output(String),
    /// A dead letter with this reason.
    DeadLetter(String),
}

/// The book of a run.
#[derive(Debug, Default)]
pub struct Truth {
    lanes: [[Lane; SOURCE_PARTITIONS]; 2],
    /// Records written, by what they must become.
    pub written: Tally,
    /// Records settled.
    pub settled: Tally,
    /// Outputs and dead letters seen once more. At-least-once allows them; without a fault there is no reason for any.
    pub duplicates: u64,
    /// Number of contradictions between what had to be and what was seen.
    pub mismatches: u64,
    /// The first of them.
    pub complaints: Vec<String>,
}

/// Records by disposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Tally {
    pub delivered: u64,
    pub filtered: u64,
    pub dead_lettered: u64,
}

impl Tally {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.delivered + self.filtered + self.dead_lettered
    }

    fn add(&mut self, expect: Expect) {
        match expect {
            Expect::Delivered(_) => self.delivered += 1,
            Expect::Filtered => self.filtered += 1,
            Expect::DeadLettered(_) => self.dead_lettered += 1,
        }
    }
}

/// One source partition: the records that are not settled yet, in the order of their offsets.
#[derive(Debug, Default)]
struct Lane {
    /// Offset of the first entry.
    floor: i64,
    entries: VecDeque<Entry>,
    /// Bytes of the entries.
    bytes: u64,
    /// The worker's frontier: only what lies before it can be filtered.
    frontier: i64,
}

#[derive(Debug)]
struct Entry {
    expect: Expect,
    bytes: u32,
    /// Which of the outputs (or the dead letter, as the first) were seen: a bit each.
    seen: u8,
}

impl Entry {
    /// Bits of all that has to be seen.
    fn wanted(&self) -> u8 {
        match self.expect {
            Expect::Filtered => 0,
            Expect::DeadLettered(_) => 1,
            Expect::Delivered(topics) => (1 << topics.len()) - 1,
        }
    }
}

impl Truth {
    /// Notes a record that is about to be written as the next of its partition.
    pub fn write(&mut self, table: Table, partition: usize, expect: Expect, bytes: usize) {
        let lane = &mut self.lanes[table as usize][partition];
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        lane.entries.push_back(Entry {
            expect,
            bytes,
            seen: 0,
        });
        lane.bytes += u64::from(bytes);
        self.written.add(expect);
    }

    /// Bytes of a partition that are written and not settled.
    pub fn bytes_open(&self, table: Table, partition: usize) -> u64 {
        self.lanes[table as usize][partition].bytes
    }

    /// Notes what was seen of a source record.
    pub fn see(&mut self, topic: &str, partition: i32, offset: i64, seen: &Seen) {
        let Some((table, lane)) = self.lane(topic, partition) else {
            return self.complain(format!("{topic}/{partition}/{offset} was never written, but an output names it as its source"));
        };
        let lane = &mut self.lanes[table as usize][lane];
        let Ok(index) = usize::try_from(offset - lane.floor) else {
            self.duplicates += 1;
            return;
        };
        let Some(entry) = lane.entries.get_mut(index) else {
            return self.complain(format!("{topic}/{partition}/{offset} was never written, but an output names it as its source"));
        };
        let bit = match (entry.expect, seen) {
            (Expect::Delivered(topics), Seen::Output(topic)) => topics
                .iter()
                .position(|wanted| wanted == topic)
                .map(|index| 1 << index),
            (Expect::DeadLettered(spoiled), Seen::DeadLetter(reason)) => {
                (spoiled.reason() == reason).then_some(1)
            }
            _ => None,
        };
        let Some(bit) = bit else {
            let expect = entry.expect;
            // Said once: it is not missing besides.
            entry.seen = entry.wanted();
            return self.complain(format!(
                "{topic}/{partition}/{offset} had to be {expect:?}, but was seen as {seen:?}"
            ));
        };
        if entry.seen & bit != 0 {
            self.duplicates += 1;
        }
        entry.seen |= bit;
    }

    /// Notes how far the worker is, and settles what is before it and was seen if it had to be.
    pub fn advance(&mut self, topic: &str, partition: i32, frontier: i64) {
        let Some((table, index)) = self.lane(topic, partition) else {
            return;
        };
        let lane = &mut self.lanes[table as usize][index];
        lane.frontier = lane.frontier.max(frontier);
        while let Some(entry) = lane.entries.front() {
            let is_done = lane.floor < lane.frontier && entry.seen == entry.wanted();
            if !is_done {
                break;
            }
            lane.floor += 1;
            lane.bytes -= u64::from(entry.bytes);
            self.settled.add(entry.expect);
            lane.entries.pop_front();
        }
    }

    /// Records that are written and not settled.
    pub fn open(&self) -> u64 {
        self.written.total() - self.settled.total()
    }

    /// Complains of every record behind the frontier that was never seen.
    pub fn complain_of_missing(&mut self) {
        let mut missing = Vec::new();
        for table in Table::ALL {
            for (partition, lane) in self.lanes[table as usize].iter().enumerate() {
                let passed = usize::try_from(lane.frontier - lane.floor).unwrap_or(0);
                for (index, entry) in lane.entries.iter().enumerate().take(passed) {
                    if entry.seen != entry.wanted() {
                        missing.push((table, partition, lane.floor + index as i64, entry.expect));
                    }
                }
            }
        }
        for (table, partition, offset, expect) in missing {
            let topic = table.topic();
            self.complain(format!(
                "{topic}/{partition}/{offset} had to be {expect:?}, but not all of it was seen"
            ));
        }
    }

    fn lane(&self, topic: &str, partition: i32) -> Option<(Table, usize)> {
        let table = Table::ALL
            .into_iter()
            .find(|table| table.topic() == topic)?;
        let partition = usize::try_from(partition)
            .ok()
            .filter(|partition| *partition < SOURCE_PARTITIONS)?;
        Some((table, partition))
    }

    /// Notes a contradiction.
    pub fn complain(&mut self, complaint: String) {
        self.mismatches += 1;
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(complaint);
        }
    }
}

/// Dead letters by topic and reason, for the summary.
pub type DeadLetters = BTreeMap<(String, String), u64>;

#[cfg(test)]
mod tests {
    use super::super::expect::Spoiled;
    use super::*;

    const TOPIC: &str = "shop.public.orders";
    const CLEAN: Expect = Expect::Delivered(&["orders.clean"]);
    const BOTH: Expect = Expect::Delivered(&["orders.clean", "orders.big"]);

    fn written(expects: &[Expect]) -> Truth {
        let mut truth = Truth::default();
        for expect in expects {
            truth.write(Table::Orders, 0, *expect, 100);
        }
        truth
    }

    fn output(topic: &str) -> Seen {
        Seen::Output(topic.to_owned())
    }

    #[test]
    fn settles_in_order_and_only_behind_the_frontier() {
        let dead = Expect::DeadLettered(Spoiled::BadFrame);
        let mut truth = written(&[CLEAN, Expect::Filtered, dead]);
        truth.see(TOPIC, 0, 2, &Seen::DeadLetter("bad_frame".into()));
        truth.advance(TOPIC, 0, 3);
        assert_eq!(truth.open(), 3);
        truth.see(TOPIC, 0, 0, &output("orders.clean"));
        truth.advance(TOPIC, 0, 1);
        assert_eq!(truth.open(), 0);
        assert_eq!(
            truth.settled,
            Tally {
                delivered: 1,
                filtered: 1,
                dead_lettered: 1
            }
        );
        assert_eq!(
            (truth.mismatches, truth.bytes_open(Table::Orders, 0)),
            (0, 0)
        );
    }

    #[test]
    fn a_record_passed_and_not_seen_on_each_of_its_routes_is_missing() {
        let mut truth = written(&[CLEAN, BOTH, BOTH]);
        truth.see(TOPIC, 0, 1, &output("orders.clean"));
        truth.see(TOPIC, 0, 2, &output("orders.clean"));
        truth.see(TOPIC, 0, 2, &output("orders.big"));
        truth.advance(TOPIC, 0, 3);
        assert_eq!(truth.open(), 3);
        truth.complain_of_missing();
        assert_eq!(truth.mismatches, 2);
        assert!(
            truth.complaints[0].contains("shop.public.orders/0/0"),
            "{:?}",
            truth.complaints
        );
        assert!(
            truth.complaints[1].contains("shop.public.orders/0/1"),
            "{:?}",
            truth.complaints
        );
    }

    #[test]
    fn what_had_to_be_otherwise_or_was_never_written_is_a_mismatch() {
        let truncated = Expect::DeadLettered(Spoiled::Truncated);
        let mut truth = written(&[Expect::Filtered, truncated, CLEAN]);
        truth.see(TOPIC, 0, 0, &output("orders.clean"));
        truth.see(TOPIC, 0, 1, &Seen::DeadLetter("bad_frame".into()));
        truth.see(TOPIC, 0, 2, &output("orders.big"));
        truth.see(TOPIC, 0, 7, &output("orders.clean"));
        truth.see("another", 0, 0, &output("orders.clean"));
        truth.advance(TOPIC, 0, 3);
        assert_eq!(
            (truth.mismatches, truth.duplicates, truth.open()),
            (5, 0, 0)
        );
    }

    #[test]
    fn what_is_seen_again_is_a_duplicate_before_and_after_it_is_settled() {
        let mut truth = written(&[CLEAN]);
        truth.see(TOPIC, 0, 0, &output("orders.clean"));
        truth.see(TOPIC, 0, 0, &output("orders.clean"));
        truth.advance(TOPIC, 0, 1);
        truth.see(TOPIC, 0, 0, &output("orders.clean"));
        assert_eq!((truth.mismatches, truth.duplicates), (0, 2));
    }
}
