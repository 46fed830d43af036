//! Reasons of the values that an expression meets.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[
    reason(
        "unexpected_null",
        "A null where the topology was told that none can be.",
        "Look at the record; report it if the schema forbids the null.",
    ),
    reason(
        "decimal_overflow",
        "A decimal of more digits than fit.",
        "Widen the field's precision, or mend the data.",
    ),
    reason(
        "int_overflow",
        "An integer beyond its range.",
        "Bound the values before (`require: x > 0 && x < 1000000`), use `decimal(x)`, or mend the data.",
    ),
    reason(
        "division_by_zero",
        "A division or a remainder by zero.",
        "Guard it: `x != 0 ? a / x : …`.",
    ),
    reason(
        "bad_number",
        "A text is not a number.",
        "Guard it: `x.matches(\"^-?[0-9]{1,18}$\") ? int(x) : …`; or mend the data.",
    ),
    reason(
        "bad_bool",
        "A text is neither true nor false.",
        "Mend the data.",
    ),
    reason("bad_timestamp", "A text is not a time.", "Mend the data."),
    reason(
        "bad_duration",
        "A text is not a duration.",
        "Mend the data.",
    ),
    reason(
        "bad_timezone",
        "A text is not a time zone.",
        "Mend the data.",
    ),
    reason(
        "time_range",
        "A time outside of the years 1 to 9999.",
        "Mend the data.",
    ),
    reason(
        "missing_timestamp",
        "The record has no time of Kafka.",
        "Do not read `meta.timestamp`, or mend the producer.",
    ),
    reason(
        "missing_key",
        "A map does not have the key.",
        "Guard it: `\"k\" in m ? m[\"k\"] : …`, or `m.?k.orValue(…)`.",
    ),
    reason(
        "no_value",
        "The value of an optional was taken that has none.",
        "Guard it: `x.hasValue() ? x.value() : …`, or `x.orValue(…)`.",
    ),
    reason(
        "duplicate_key",
        "A map literal gets the same key twice.",
        "Mend the expression.",
    ),
    reason(
        "index_out_of_range",
        "An index beyond a list or a text.",
        "Guard it: `size(x) > 0 ? x[0] : …`.",
    ),
    reason(
        "no_such_overload",
        "Values whose types are only known at run time do not go together.",
        "Convert them.",
    ),
    reason(
        "expression_limit",
        "An evaluation builds or repeats more than is allowed.",
        "Look at the record; simplify the expression; bound a number that says how much is built: `math.least(event.n, 1000)`.",
    ),
    reason(
        "wrong_type",
        "A condition, a key or a text came out as another type, which only `dyn` can.",
        "Convert it.",
    ),
];
