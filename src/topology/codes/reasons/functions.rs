//! Reasons of what a function is given.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[
    reason(
        "bad_argument",
        "A function was given a value that it has no meaning for: a negative shift, an unknown rounding mode.",
        "Mend the data, or guard the call.",
    ),
    reason(
        "bad_format",
        "A text is not a format, or not one for the values.",
        "Mend the format.",
    ),
    reason(
        "bad_encoding",
        "A text is not base64, hex, an URL encoding or JSON where it is read as such.",
        "Mend the producer, or guard with `try`.",
    ),
    reason(
        "json_mismatch",
        "A JSON text that is read by a schema does not fit it; the message names the path and the reason.",
        "Mend the producer or the schema, or guard with `try`.",
    ),
    reason(
        "bad_pattern",
        "A text that is used as a pattern is none, or is too large.",
        "Mend the data, or write the pattern as a constant.",
    ),
];
