//! A record that brings the code down ends as a dead letter. Without this the thread would end at it, the process would
//! start again, read it again, and so on for ever.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::Poison;

#[cfg(not(panic = "unwind"))]
compile_error!(
    "a panic must unwind: a record that provokes one ends as a dead letter, not the process"
);

/// The reason code of a record that the code panics at.
pub const INTERNAL_PANIC: &str = "internal_panic";

/// The reason code of a record that ended the process, where nothing could be caught: it is [left out](crate::core::guard).
pub const PROCESS_ABORTED: &str = "process_aborted";

thread_local! {
    /// This thread is at a record.
    static IS_AT_RECORD: Cell<bool> = const { Cell::new(false) };
    /// Where in the code it has panicked at one.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Panics at a record are noted from now on, and not written to standard error: their text may quote the record. All
/// others go on as before.
pub(super) fn note_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_AT_RECORD.get() {
                return before(panic);
            }
            let place = panic
                .location()
                .map(|at| format!("{}:{}", at.file(), at.line()));
            PLACE.set(place);
        }));
    });
}

/// What `body` makes of a record; poison if it panics. What it has changed by then is for the caller to throw away.
pub(in crate::pipeline) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, Poison> {
    IS_AT_RECORD.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    IS_AT_RECORD.set(false);
    result.map_err(|_| {
        let place = PLACE.take();
        let place = place.as_deref().unwrap_or("an unknown place");
        let message = format!("Lockgate's code panicked at {place}: a defect, please report it");
        Poison::new(INTERNAL_PANIC, None, message)
    })
}
