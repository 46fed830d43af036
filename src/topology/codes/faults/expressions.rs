//! Faults of expressions.

use crate::topology::codes::{FaultCode, fault};

pub(super) static FAULTS: &[FaultCode] = &[
    fault(
        "not_a_condition",
        "A condition is neither true nor false.",
        "Compare it with something.",
    ),
    fault(
        "key_type",
        "The key of an output is neither text nor bytes, and has no schema.",
        "Write `string(…)`, or `key: { schema: …, value: … }`.",
    ),
    fault(
        "value_type",
        "The value of an output is an expression of neither text nor bytes.",
        "Write `string(…)`, or map it to a record.",
    ),
    fault(
        "expr_syntax",
        "The expression is not CEL.",
        "Correct it where the caret points.",
    ),
    fault(
        "expr_limit",
        "The expression is too long or too deep.",
        "Split it over several fields.",
    ),
    fault(
        "expr_unsupported",
        "Something of CEL that this version does not have.",
        "Write it differently, as the help shows.",
    ),
    fault(
        "unknown_name",
        "A name that is none of `event`, `out`, `meta`, `vars`.",
        "Put the scope in front of it.",
    ),
    fault(
        "no_event",
        "There is no event here.",
        "Use `meta` or `vars`.",
    ),
    fault(
        "no_out",
        "There is no `out` yet.",
        "Move the expression behind a mapping step.",
    ),
    fault(
        "nullable",
        "Something that can be null is used as if it could not.",
        "Test it for null first.",
    ),
    fault(
        "before_not_carried",
        "A column of `event.before` that Debezium fills with zeros and blanks.",
        "Read key columns only, or set the table's replica identity to full and say so.",
    ),
    fault(
        "type_mismatch",
        "A value of another type is needed here.",
        "Convert it.",
    ),
    fault(
        "no_such_function",
        "A function that does not exist.",
        "Correct the name; the help names the nearest one.",
    ),
    fault(
        "unknown_symbol",
        "`event.op`, or an enum, is compared with something that it never is.",
        "Write one of the symbols; the operations are `c`, `r`, `u`, `d`, `t` and `m`.",
    ),
    fault(
        "bad_constant",
        "A constant that is never valid, such as `decimal(\"x\")`.",
        "Correct it.",
    ),
    fault(
        "bad_pattern",
        "Not a regular expression, or one that is too large.",
        "Correct the pattern.",
    ),
];
