//! Mistakes that a test plants into its worker, to see who notices. Nothing of this is in the program: the module, and
//! every place that asks it, exists in unit tests only.

mod aborts;
mod tests;
/// The world of the integration tests.
#[path = "../../../tests/it/road/world.rs"]
#[expect(dead_code, reason = "the integration tests use the rest of it")]
pub(super) mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::process::Input;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// The code panics at every record with the key [`PANIC_KEY`].
    Panic,
    /// The process aborts at every record with the key [`ABORT_KEY`].
    Abort,
    /// The process aborts a while after a record with the key [`LATER_KEY`], and is slow at those that begin with [`SLOW_KEY`].
    AbortLater,
    /// One delivery report is thrown away.
    ReportLost,
    /// One record that is done is counted nowhere.
    AckLost,
}

/// The key of records that [`Mutant::Panic`] is about.
const PANIC_KEY: &[u8] = b"panic";

/// The key of records that [`Mutant::Abort`] is about.
const ABORT_KEY: &[u8] = b"abort";

/// The keys of records that [`Mutant::AbortLater`] is about, and how long it takes.
const LATER_KEY: &[u8] = b"later";
const SLOW_KEY: &str = "slow";
const LATER: Duration = Duration::from_millis(400);

/// By the id of the topology whose worker has it.
static PLANTED: Mutex<Vec<(&str, Mutant)>> = Mutex::new(Vec::new());

fn plant(topology: &'static str, mutant: Mutant) {
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    planted.push((topology, mutant));
}

/// Whether this pipeline thread has the mistake. Those that happen once are taken out.
pub(super) fn strikes(mutant: Mutant) -> bool {
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    if planted.is_empty() {
        return false;
    }
    let thread = std::thread::current();
    // Named after the topology, with a number.
    let Some((topology, _)) = thread.name().and_then(|name| name.rsplit_once('-')) else {
        return false;
    };
    let Some(at) = planted.iter().position(|one| *one == (topology, mutant)) else {
        return false;
    };
    if matches!(mutant, Mutant::ReportLost | Mutant::AckLost) {
        planted.remove(at);
    }
    true
}

/// Records that were processed by this process.
static PROCESSED: AtomicU64 = AtomicU64::new(0);

pub(super) fn panic_at(input: &Input<'_>) {
    PROCESSED.fetch_add(1, Ordering::Relaxed);
    if input.key == Some(PANIC_KEY) && strikes(Mutant::Panic) {
        let value = String::from_utf8_lossy(input.value.unwrap_or_default());
        panic!("a panic that quotes its record: {value}");
    }
    if input.key == Some(ABORT_KEY) && strikes(Mutant::Abort) {
        std::process::abort();
    }
    if input.key == Some(LATER_KEY) && strikes(Mutant::AbortLater) {
        std::thread::spawn(|| {
            std::thread::sleep(LATER);
            std::process::abort();
        });
    }
    let is_slow = input
        .key
        .is_some_and(|key| key.starts_with(SLOW_KEY.as_bytes()));
    if is_slow && strikes(Mutant::AbortLater) {
        std::thread::sleep(3 * LATER);
    }
}
