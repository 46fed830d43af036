//! Reasons of bytes that are not a datum of their schema.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[
    reason("bad_utf8", "Text that is not UTF-8.", "Mend the producer."),
    reason(
        "bad_union_index",
        "A union branch that does not exist.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_enum_index",
        "An enum symbol that does not exist.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_varint",
        "A number of more bytes than a number has.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_length",
        "A length that is negative or beyond the datum.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_boolean",
        "A boolean that is neither 0 nor 1.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "avro_limit",
        "Deeper or larger than a datum may be here.",
        "Look at the record; a hostile or broken producer.",
    ),
    reason(
        "invalid_default",
        "A default of the schema does not fit its type.",
        "Mend the schema.",
    ),
];
