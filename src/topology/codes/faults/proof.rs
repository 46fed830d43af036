//! What the proof of values finds: what can fail, what is decided, what does not fit, where personal data goes.

use crate::topology::codes::{FaultCode, fault};

pub(super) static FAULTS: &[FaultCode] = &[
    fault(
        "can_fail",
        "A part of an expression fails for some values of the right types; the record is then dead-lettered with the reason named. A warning; with `strict: true` an error.",
        "Guard it, as the help shows; the proof understands comparisons, `in`, `has`, `size`, `?:`, `&&`, `||`, and the steps before.",
    ),
    fault(
        "always_fails",
        "A part of an expression fails for all values: a position before the start of a text, a division by the constant 0, a clause of a format for a value that it cannot write.",
        "Correct it; what is to be refused on purpose is written as `error(\"reason\")`.",
    ),
    fault(
        "bad_data",
        "Data that keeps to its schema can be outside of what the language has, such as a time beyond the year 9999; no condition can ask for it. A note.",
        "Nothing; such records are dead-lettered.",
    ),
    fault(
        "constant_condition",
        "A condition, or a part of one, is always or never true: the schema and the conditions before decide it. A warning; for a `when` that is always true a note.",
        "Remove it, or correct it.",
    ),
    fault(
        "nothing_passes",
        "A step lets no event pass. A warning.",
        "Correct the condition, or one before that contradicts it.",
    ),
    fault(
        "int_narrowing",
        "An integer goes into a smaller one, and may not fit. A warning; an error if no value fits.",
        "Bound the value before, or make the field a long.",
    ),
    fault(
        "float_narrowing",
        "A number goes into floating point that may not hold it. A warning.",
        "Make the field a double or a long, or convert with `double(…)`.",
    ),
    fault(
        "decimal_narrowing",
        "A decimal may have more digits than its field, before or after the point. A warning; an error if no value fits.",
        "Raise the field's precision or scale, or bound and round the value.",
    ),
    fault(
        "fixed_size",
        "Bytes go into a fixed of a size that they may not have. A warning; an error for a constant.",
        "Keep only values of that size, or make the field bytes.",
    ),
    fault(
        "enum_symbols",
        "A text goes into an enum that may not have it as a symbol. A warning where any text may come; an error where the texts are known and one of them is no symbol.",
        "Keep only events with texts that are symbols, or add symbols.",
    ),
    fault(
        "text_format",
        "Any text goes into a field that takes only some: a UUID, JSON, a time. A warning.",
        "Take the value from a field of that type, or make the field a string.",
    ),
    fault(
        "unhandled_branch",
        "An expression has no meaning for one of the types of a union (a warning), or a branch of an output's union is never written (a note).",
        "Convert the value, or keep such events out.",
    ),
    fault(
        "unread_fields",
        "Fields of a source that nothing reads. A note.",
        "Nothing; `except` says that it is meant.",
    ),
    fault(
        "pii_not_cleared",
        "A field that its schema tags as `pii`, or something computed from it, goes to a sink that is not cleared for it. Only redacting and keyed functions take the tag off: a plain hash can be undone by trying.",
        "Leave it out, redact it, or write `cleared_for: [pii]` at the sink.",
    ),
    fault(
        "pii_untagged",
        "A field carries `pii` and its schema does not say so. A warning.",
        "Tag the field in the schema: `\"pii\": true`.",
    ),
    fault(
        "dead_letter_not_cleared",
        "A source has fields tagged `pii`, dead letters carry whole records, and their topic is not cleared. A warning.",
        "Restrict who reads the topic, and write `cleared_for: [pii]` at `dead_letter`.",
    ),
];
