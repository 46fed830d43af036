//! When to try again: exponential backoff with full jitter. The caller brings the random number.
use super::Millis;

/// The delays of one thing that is tried again and again.
#[derive(Debug, Clone)]
pub struct Backoff {
    base_ms: u64,
    cap_ms: u64,
    attempts: u32,
}

impl Backoff {
    /// The first delay is at most `base`, the next twice that, and so on up to `cap`.
    pub fn new(base: Millis, cap: Millis) -> Backoff {
        Backoff {
            base_ms: base.0.max(1),
            cap_ms: cap.0.max(1),
            attempts: 0,
        }
    }

    /// How long to wait after one more failure: evenly distributed from 0 to the ceiling, as `random` is over all
    /// values of `u64`. Full jitter, so that many who failed together do not come back together.
    pub fn fail(&mut self, random: u64) -> Millis {
        let doubled = 1_u64.checked_shl(self.attempts).unwrap_or(u64::MAX);
        let ceiling = self.base_ms.saturating_mul(doubled).min(self.cap_ms);
        self.attempts = self.attempts.saturating_add(1);
        Millis(((u128::from(random) * (u128::from(ceiling) + 1)) >> 64) as u64)
    }

    /// It worked: the next failure is a first one again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Failures since the last success.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_begins_again_after_a_success() {
        let mut backoff = Backoff::new(Millis(100), Millis(1_000));
        let ceilings: Vec<u64> = (0..6).map(|_| backoff.fail(u64::MAX).0).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff.attempts(), 6);
        backoff.reset();
        assert_eq!(backoff.fail(u64::MAX), Millis(100));
    }

    #[test]
    fn delays_are_spread_from_nothing_to_the_ceiling() {
        let delay = |random| Backoff::new(Millis(100), Millis(1_000)).fail(random).0;
        assert_eq!(
            [delay(0), delay(u64::MAX / 2), delay(u64::MAX)],
            [0, 50, 100]
        );
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut backoff = Backoff::new(Millis(u64::MAX / 3), Millis(u64::MAX));
        for _ in 0..200 {
            backoff.fail(u64::MAX);
        }
        assert_eq!(backoff.fail(u64::MAX), Millis(u64::MAX));
        assert_eq!(Backoff::new(Millis(0), Millis(0)).fail(u64::MAX), Millis(1));
    }
}
