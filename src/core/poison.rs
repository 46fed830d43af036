//! When a stream, not a record, is bad: the share of records judged poison. Above it the stream stops, instead of
//! being emptied into the dead letters by a wrong schema or a bad release of an API.

/// Judgements that a share needs before it means anything.
pub const JUDGED_MIN: usize = 100;

/// The share of poison among the last records of one source or route. Records that a rule of the topology itself
/// declares poison are not judged here. Once tripped it stays so until [`reset`](Self::reset).
#[derive(Debug, Clone)]
pub struct PoisonGauge {
    share_max: f64,
    /// The last judgements, one bit each, as a ring.
    window: Vec<u64>,
    size: usize,
    at: usize,
    judged: usize,
    poison: usize,
    tripped: bool,
}

impl PoisonGauge {
    /// Trips above `share_max` (0.20 is 20 %) of the last `window` records, at least [`JUDGED_MIN`].
    pub fn new(share_max: f64, window: usize) -> PoisonGauge {
        let size = window.max(JUDGED_MIN);
        let window = vec![0; size.div_ceil(64)];
        PoisonGauge {
            share_max,
            window,
            size,
            at: 0,
            judged: 0,
            poison: 0,
            tripped: false,
        }
    }

    /// Counts one record. True if the stream must stop.
    pub fn judge(&mut self, is_poison: bool) -> bool {
        let (word, bit) = (self.at / 64, 1 << (self.at % 64));
        self.poison -= usize::from(self.window[word] & bit != 0);
        self.poison += usize::from(is_poison);
        if is_poison {
            self.window[word] |= bit;
        } else {
            self.window[word] &= !bit;
        }
        self.at = (self.at + 1) % self.size;
        self.judged = (self.judged + 1).min(self.size);
        self.tripped |= self.judged >= JUDGED_MIN && self.share() > self.share_max;
        self.tripped
    }

    /// The stream must stop.
    pub fn is_tripped(&self) -> bool {
        self.tripped
    }

    /// The share of poison in the window.
    pub fn share(&self) -> f64 {
        if self.judged == 0 {
            0.0
        } else {
            self.poison as f64 / self.judged as f64
        }
    }

    /// Poison and all records in the window, for the message that says why.
    pub fn counts(&self) -> (usize, usize) {
        (self.poison, self.judged)
    }

    /// Begins again.
    pub fn reset(&mut self) {
        *self = PoisonGauge::new(self.share_max, self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_means_nothing_before_enough_records_are_judged() {
        let mut gauge = PoisonGauge::new(0.20, 100);
        assert!((0..99).all(|_| !gauge.judge(true)));
        assert!(gauge.judge(true));
    }

    #[test]
    fn the_share_itself_is_allowed_and_one_more_is_not() {
        let mut gauge = PoisonGauge::new(0.20, 100);
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
}
