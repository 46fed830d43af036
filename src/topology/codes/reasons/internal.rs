//! Reasons that are defects of Lockgate.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[
    reason(
        "internal_panic",
        "Lockgate's own code panicked at the record: a defect of Lockgate. The message names the place in the code.",
        "Report the place, and what is special about the record; redrive after an upgrade.",
    ),
    reason(
        "process_aborted",
        "The process died three times while it processed this record alone, in a way that cannot be caught (a stack that overflowed, a fault in a library, no memory left). The letter is the record as it came; it was not looked at again.",
        "Look for what ended the process (its exit status, the kernel's log) and report it with the record; redrive after an upgrade, or with more memory. A redrive processes the record: it may end the command.",
    ),
];
