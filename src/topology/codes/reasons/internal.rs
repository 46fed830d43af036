//! Reasons that are defects of Lockgate.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[reason(
    "internal_panic",
    "Lockgate's own code panicked at the record: a defect of Lockgate. The message names the place in the code.",
    "Report the place, and what is special about the record; redrive after an upgrade.",
)];
