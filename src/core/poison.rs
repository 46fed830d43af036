//! When a stream, not a record, is bad: the share of records judged poison. Above it the stream stops, instead of
//! being emptied into the dead letters by a wrong schema or a bad release of an API.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

/// Judgements that a share needs before it means anything.
pub const JUDGED_MIN: usize = 100;

/// The share of poison among the last records of one source or route. Records that a rule of the topology itself
/// declares poison are not judged here. Once tripped it stays so until [`reset`](Self::reset).
///
/// All threads that process a source or route judge in one gauge. It trips as if one of them judged all records, give or take those that
/// others are judging at that moment. There is no lock: a sound record among sound ones costs one addition to shared memory.
#[derive(Debug)]
pub struct PoisonGauge {
    share_max: f64,
    size: usize,
    /// Judgements so far; the last `size` of them are in the window.
    judged: AtomicU64,
    /// One bit each, as a ring.
    window: Box<[AtomicU64]>,
    /// Bits that are set, or fewer for a moment, even below zero; never more: no stop is for poison that is not there.
    poison: AtomicI64,
    /// Poison and all records in the window when it tripped.
    tripped: OnceLock<(usize, usize)>,
}

impl PoisonGauge {
    /// Trips above `share_max` (0.20 is 20 %) of the last `window` records, at least [`JUDGED_MIN`].
    pub fn new(share_max: f64, window: usize) -> PoisonGauge {
        let size = window.max(JUDGED_MIN);
        PoisonGauge {
            share_max,
            size,
            judged: AtomicU64::new(0),
            window: (0..size.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            poison: AtomicI64::new(0),
            tripped: OnceLock::new(),
        }
    }

    /// Counts one record. True if the stream must stop.
    pub fn judge(&self, is_poison: bool) -> bool {
        // One total order of all of these: of threads that judge at the same time, the last to look sees what all of them counted.
        let turn = self.judged.fetch_add(1, SeqCst);
        let at = (turn % self.size as u64) as usize;
        let (word, bit) = (&self.window[at / 64], 1 << (at % 64));
        if is_poison {
            if word.fetch_or(bit, SeqCst) & bit == 0 {
                self.poison.fetch_add(1, SeqCst);
            }
        } else if word.load(SeqCst) & bit != 0 {
            self.poison.fetch_sub(1, SeqCst);
            if word.fetch_and(!bit, SeqCst) & bit == 0 {
                // A thread that is a whole window ahead, or behind, has cleared it.
                self.poison.fetch_add(1, SeqCst);
            }
        }
        if self.is_tripped() {
            return true;
        }
        let (poison, judged) = self.now();
        if judged < JUDGED_MIN || share(poison, judged) <= self.share_max {
            return false;
        }
        // Another thread may have been first.
        let _ = self.tripped.set((poison, judged));
        true
    }

    /// The stream must stop.
    pub fn is_tripped(&self) -> bool {
        self.tripped.get().is_some()
    }

    /// The share of poison in the window.
    pub fn share(&self) -> f64 {
        let (poison, judged) = self.now();
        share(poison, judged)
    }

    /// Poison and all records in the window, for the message that says why: when it tripped, or now.
    pub fn counts(&self) -> (usize, usize) {
        self.tripped.get().copied().unwrap_or_else(|| self.now())
    }

    /// Begins again.
    pub fn reset(&mut self) {
        *self = PoisonGauge::new(self.share_max, self.size);
    }

    fn now(&self) -> (usize, usize) {
        let poison = usize::try_from(self.poison.load(SeqCst)).unwrap_or(0);
        let judged = self.judged.load(SeqCst).min(self.size as u64) as usize;
        (poison, judged)
    }
}

fn share(poison: usize, judged: usize) -> f64 {
    if poison == 0 {
        0.0
    } else {
        poison as f64 / judged as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_means_nothing_before_enough_records_are_judged() {
        let gauge = PoisonGauge::new(0.20, 100);
        assert!((0..99).all(|_| !gauge.judge(true)));
        assert!(gauge.judge(true));
    }

    #[test]
    fn the_share_itself_is_allowed_and_one_more_is_not() {
        let gauge = PoisonGauge::new(0.20, 100);
        assert!(
            (0..300).all(|n| !gauge.judge(n % 5 == 0)),
            "20 % is not above 20 %"
        );
        assert_eq!(gauge.counts(), (20, 100));
        // The oldest in the window is a poison one that goes; the next ones that go are not.
        assert!(!gauge.judge(true));
        assert!(gauge.judge(true));
        assert_eq!(gauge.counts(), (21, 100));
    }

    #[test]
    fn what_is_long_ago_is_forgotten_but_a_trip_stays() {
        let mut gauge = PoisonGauge::new(0.20, 130);
        assert!((0..130).all(|_| !gauge.judge(false)));
        assert!((0..26).all(|_| !gauge.judge(true)) && gauge.judge(true));
        assert!((0..1_000).all(|_| gauge.judge(false)));
        assert_eq!(gauge.share(), 0.0);
        assert!(gauge.is_tripped(), "somebody has to look");
        gauge.reset();
        assert!(!gauge.is_tripped() && !gauge.judge(true));
    }
    /// Runs a judge on each of so many threads at once.
    fn together(threads: usize, judge: impl Fn(usize) + Sync) {
        let start = std::sync::Barrier::new(threads);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (start, judge) = (&start, &judge);
                scope.spawn(move || {
                    start.wait();
                    judge(thread);
                });
            }
        });
    }

    #[test]
    fn threads_that_each_have_a_part_of_the_poison_stop_as_one_that_has_it_all() {
        for (poison, is_stop) in [([11, 10], true), ([10, 10], false)] {
            // Other turns each time: the count must be right in all of them.
            for round in 0..300 {
                let gauge = PoisonGauge::new(0.20, 100);
                together(2, |thread| {
                    for n in 0..50 {
                        gauge.judge(n < poison[thread]);
                    }
                });
                assert_eq!(gauge.is_tripped(), is_stop, "round {round}: {gauge:?}");
                assert_eq!(gauge.counts(), (poison.iter().sum(), 100));
            }
        }
    }

    #[test]
    fn what_threads_judge_at_the_same_time_is_forgotten_too() {
        let gauge = PoisonGauge::new(1.0, 130);
        together(4, |thread| {
            for n in 0..20_000 {
                gauge.judge((n + thread) % 3 == 0);
            }
        });
        let bits: u32 = gauge
            .window
            .iter()
            .map(|w| w.load(SeqCst).count_ones())
            .sum();
        assert_eq!(gauge.counts(), (bits as usize, 130));
        assert!((0..130).all(|_| !gauge.judge(false)));
        assert_eq!(gauge.counts(), (0, 130));
    }
}
