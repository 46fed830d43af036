//! The log: lines on standard error, JSON or for people.

use std::sync::atomic::{AtomicU64, Ordering};

static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// Lines left out by the rate limit since the process started.
pub fn suppressed_lines() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}
