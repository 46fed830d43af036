//! Faults of mappings, and of names.

use crate::topology::codes::{FaultCode, fault};

pub(super) static FAULTS: &[FaultCode] = &[
    fault(
        "unknown_field",
        "A field that the schema does not have.",
        "Correct the name; the help names the nearest one.",
    ),
    fault(
        "from_unknown",
        "`from` is not a record of this event.",
        "Write one of the records that the help lists.",
    ),
    fault(
        "field_missing",
        "A field of the output, or of a record that an expression writes out, gets no value and has no default.",
        "Add it under `set`, or to the record; or give it a default in the schema.",
    ),
    fault(
        "may_be_null",
        "Something that can be null goes into a field that cannot.",
        "Test it for null, keep only events where it is not null, or make the field nullable.",
    ),
    fault(
        "left_out",
        "Under `unavailable: optional`, a column that Debezium leaves out of updates which do not touch it is used as data, as a part of its row, or compared with null.",
        "Say what stands for it: `x.orValue(…)`; or ask whether it is there: `x.hasValue()`, `has(x)`.",
    ),
    fault(
        "wrong_field_type",
        "A value does not fit the type of its field.",
        "Convert it, or change the schema.",
    ),
];
