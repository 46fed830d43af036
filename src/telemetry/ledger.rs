//! The account of every partition: what was consumed, how it ended, what is still pending.
//!
//! A [`PartitionMetrics`] belongs to one assignment of one partition. Its last clone closes the assignment: gauges go, the
//! totals stay, so counters never fall back while the process lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::{Metric, MetricFamily};

use super::metrics::{counter, family, gauge};
use super::status::PartitionStatus;
use super::table;

/// Names of the dispositions, in the order of [`Snapshot::disposed`].
pub const DISPOSITIONS: [&str; 4] = ["delivered", "filtered", "dead_lettered", "released"];

/// The account of one assignment, as its lane sees it at one instant. Counts are cumulative since the assignment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Records taken from the partition.
    pub consumed: u64,
    /// Bytes of their keys and values.
    pub consumed_bytes: u64,
    /// Records that ended, in the order of [`DISPOSITIONS`].
    pub disposed: [u64; 4],
    /// Records not yet ended, counted by walking the slots, never as a remainder.
    pub pending: u64,
    /// Bytes held for them.
    pub pending_bytes: u64,
    /// Next offset to read, all before it done.
    pub frontier: Option<i64>,
    /// Timestamp of the oldest pending record, milliseconds since 1970.
    pub oldest_pending_ms: Option<i64>,
    /// Timestamp of the newest consumed record, milliseconds since 1970.
    pub newest_consumed_ms: Option<i64>,
}

/// Where the consumer stands in one partition, as the poll loop sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Position {
    /// Counter of assignments of this partition here.
    pub epoch: u32,
    /// Next offset that the consumer will take.
    pub position: Option<i64>,
    /// Last offset that the broker confirmed as committed.
    pub committed: Option<i64>,
    /// End of the partition (high watermark).
    pub end_offset: Option<i64>,
    /// Why the partition is paused; empty when it flows.
    pub paused: Vec<&'static str>,
}

/// Totals over all partitions of a topology, this process's whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Records taken from the sources.
    pub consumed: u64,
    /// Records that ended, in the order of [`DISPOSITIONS`].
    pub disposed: [u64; 4],
    /// Records not yet ended.
    pub pending: u64,
}

impl Account {
    /// Consumed minus disposed minus pending: 0, or records are missing (positive) or counted twice (negative).
    pub fn balance(&self) -> i64 {
        self.consumed as i64 - self.disposed.iter().sum::<u64>() as i64 - self.pending as i64
    }

    fn add(&mut self, snapshot: &Snapshot) {
        self.consumed += snapshot.consumed;
        for (total, count) in self.disposed.iter_mut().zip(snapshot.disposed) {
            *total += count;
        }
        self.pending += snapshot.pending;
    }
}

/// The numbers of one assignment of one partition. Clones write to the same place: the lane publishes its account, the poll
/// loop its position. When the last clone goes, so do the partition's gauges.
#[derive(Clone, Debug)]
pub struct PartitionMetrics {
    open: Arc<Open>,
}

impl PartitionMetrics {
    /// Publishes the lane's account. Costs an uncontended lock and a copy; meant for a few times a second, and once more,
    /// with everything pending released, before the handle is dropped.
    pub fn publish(&self, snapshot: &Snapshot) {
        lock(&self.open.slot.numbers).account = *snapshot;
    }

    /// Publishes where the consumer stands.
    pub fn track(&self, position: &Position) {
        let numbers = &mut *lock(&self.open.slot.numbers);
        for reason in &position.paused {
            if !numbers.paused_before.contains(reason) {
                numbers.paused_before.push(reason);
            }
        }
        numbers.position.clone_from(position);
    }
}

/// Totals and open assignments of all partitions.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    open: Vec<Arc<Slot>>,
    /// What ended assignments leave behind.
    closed: BTreeMap<Arc<Key>, Numbers>,
    /// Answers to commits: committed, failed. Not a part of an assignment, because the answer to its last commit comes when it has
    /// ended, and initial positions are committed for partitions that others get.
    commits: BTreeMap<Arc<Key>, [u64; 2]>,
}

/// Topology, topic, partition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(String, String, i32);

impl Key {
    fn labels<'a>(&'a self, partition: &'a str) -> [(&'static str, &'a str); 3] {
        [
            ("partition", partition),
            ("topic", &self.1),
            ("topology", &self.0),
        ]
    }
}

#[derive(Debug)]
struct Slot {
    key: Arc<Key>,
    numbers: Mutex<Numbers>,
}

#[derive(Clone, Debug, Default)]
struct Numbers {
    account: Snapshot,
    position: Position,
    paused_before: Vec<&'static str>,
}

/// Closes its slot when the last handle is gone.
#[derive(Debug)]
struct Open {
    slot: Arc<Slot>,
    ledger: Arc<Ledger>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let book = &mut *lock(&self.ledger.book);
        book.open.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        let numbers = lock(&self.slot.numbers).clone();
        book.closed
            .entry(self.slot.key.clone())
            .or_default()
            .absorb(&numbers);
    }
}

impl Numbers {
    /// Adds the counts of another assignment of the same partition. What that one left pending stays missing in the balance.
    fn absorb(&mut self, other: &Numbers) {
        let (mine, theirs) = (&mut self.account, &other.account);
        mine.consumed += theirs.consumed;
        mine.consumed_bytes += theirs.consumed_bytes;
        for (total, count) in mine.disposed.iter_mut().zip(theirs.disposed) {
            *total += count;
        }
    }

    fn lag_records(&self) -> Option<i64> {
        let done = self.account.frontier.or(self.position.position)?;
        Some((self.position.end_offset? - done).max(0))
    }

    fn lag_seconds(&self, now_ms: i64) -> Option<f64> {
        if self.account.pending == 0 && self.lag_records() == Some(0) {
            return Some(0.0);
        }
        let since = self
            .account
            .oldest_pending_ms
            .or(self.account.newest_consumed_ms)?;
        Some((now_ms - since).max(0) as f64 / 1000.0)
    }
}

impl Ledger {
    pub(super) fn open(
        self: &Arc<Self>,
        topology: &str,
        topic: &str,
        partition: i32,
    ) -> PartitionMetrics {
        let key = Arc::new(Key(topology.to_owned(), topic.to_owned(), partition));
        let slot = Arc::new(Slot {
            key,
            numbers: Mutex::default(),
        });
        lock(&self.book).open.push(slot.clone());
        PartitionMetrics {
            open: Arc::new(Open {
                slot,
                ledger: self.clone(),
            }),
        }
    }

    pub(super) fn committed(&self, topology: &str, topic: &str, partition: i32, is_done: bool) {
        let key = Arc::new(Key(topology.to_owned(), topic.to_owned(), partition));
        let book = &mut *lock(&self.book);
        book.commits.entry(key).or_default()[usize::from(!is_done)] += 1;
    }

    pub(super) fn account(&self, topology: &str) -> Account {
        let book = lock(&self.book);
        let mut account = Account::default();
        for (_, numbers) in book.closed.iter().filter(|(key, _)| key.0 == topology) {
            account.add(&numbers.account);
        }
        for slot in book.open.iter().filter(|slot| slot.key.0 == topology) {
            account.add(&lock(&slot.numbers).account);
        }
        account
    }

    pub(super) fn partitions(&self, topology: &str) -> Vec<PartitionStatus> {
        let book = lock(&self.book);
        let mut partitions: Vec<_> = book
            .open
            .iter()
            .filter(|slot| slot.key.0 == topology)
            .map(|slot| {
                let numbers = lock(&slot.numbers);
                PartitionStatus {
                    topic: slot.key.1.clone(),
                    partition: slot.key.2,
                    epoch: numbers.position.epoch,
                    position: numbers.position.position,
                    frontier: numbers.account.frontier,
                    committed: numbers.position.committed,
                    lag_records: numbers.lag_records(),
                    lag_seconds: numbers.lag_seconds(now_ms()),
                    pending: numbers.account.pending,
                    paused: numbers.position.paused.clone(),
                }
            })
            .collect();
        partitions.sort_by(|a, b| {
            (&a.topic, a.partition, a.epoch).cmp(&(&b.topic, b.partition, b.epoch))
        });
        partitions
    }

    /// All families of the ledger, from one look at the book.
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let book = lock(&self.book);
        let now_ms = now_ms();
        // Two assignments of one partition overlap while the older one drains: their counts add up, the newer one's position holds.
        let mut totals: BTreeMap<Arc<Key>, (Numbers, Option<Numbers>)> = book
            .closed
            .iter()
            .map(|(key, numbers)| (key.clone(), (numbers.clone(), None)))
            .collect();
        for slot in &book.open {
            let numbers = lock(&slot.numbers).clone();
            let (total, live) = totals.entry(slot.key.clone()).or_default();
            total.absorb(&numbers);
            total.account.pending += numbers.account.pending;
            total.account.pending_bytes += numbers.account.pending_bytes;
            *live = Some(numbers);
        }
        let mut answers = book.commits.clone();
        for key in totals.keys() {
            answers.entry(key.clone()).or_default();
        }
        let specs = [
            table::CONSUMED,
            table::CONSUMED_BYTES,
            table::DISPOSED,
            table::COMMITS,
            table::PENDING,
            table::PENDING_BYTES,
            table::BALANCE,
            table::LAG,
            table::LAG_SECONDS,
            table::PAUSED,
        ];
        let mut samples: [Vec<Metric>; 10] = Default::default();
        let [
            consumed,
            bytes,
            disposed,
            commits,
            pending,
            pending_bytes,
            balance,
            lag,
            lag_seconds,
            paused,
        ] = &mut samples;
        for (key, (total, live)) in &totals {
            let partition = key.2.to_string();
            let labels = key.labels(&partition);
            let with = |name: &'static str, value: &'static str| {
                [(name, value), labels[0], labels[1], labels[2]]
            };
            consumed.push(counter(&labels, total.account.consumed as f64));
            bytes.push(counter(&labels, total.account.consumed_bytes as f64));
            for (name, count) in DISPOSITIONS.into_iter().zip(total.account.disposed) {
                disposed.push(counter(&with("disposition", name), count as f64));
            }
            let mut account = Account::default();
            account.add(&total.account);
            // A loss must not vanish with the assignment in which it happened.
            if live.is_some() || account.balance() != 0 {
                balance.push(gauge(&labels, account.balance() as f64));
            }
            let Some(live) = live else { continue };
            pending.push(gauge(&labels, total.account.pending as f64));
            pending_bytes.push(gauge(&labels, total.account.pending_bytes as f64));
            lag.extend(
                live.lag_records()
                    .map(|records| gauge(&labels, records as f64)),
            );
            lag_seconds.extend(
                live.lag_seconds(now_ms)
                    .map(|seconds| gauge(&labels, seconds)),
            );
            for reason in &live.paused_before {
                let is_paused = live.position.paused.contains(reason);
                paused.push(gauge(
                    &with("reason", reason),
                    f64::from(u8::from(is_paused)),
                ));
            }
        }
        for (key, counts) in &answers {
            let partition = key.2.to_string();
            let [partition, topic, topology] = key.labels(&partition);
            for (name, count) in ["committed", "failed"].into_iter().zip(counts) {
                let labels = [("result", name), partition, topic, topology];
                commits.push(counter(&labels, *count as f64));
            }
        }
        specs
            .into_iter()
            .zip(samples)
            .map(|(spec, samples)| family(spec, samples))
            .collect()
    }
}

/// A panic elsewhere does not make these numbers wrong: each write is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
