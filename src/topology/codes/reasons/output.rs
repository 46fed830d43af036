//! Reasons of what is sent: its topic, its size, its form.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[
    reason(
        "topic_not_allowed",
        "The topic that the template comes out as is not listed under `topics`.",
        "Add it to the list, or mend the data.",
    ),
    reason(
        "output_too_large",
        "The output is larger than its topic takes.",
        "Raise the topic's `max.message.bytes`, or send less with `except`.",
    ),
    reason(
        "invalid_record",
        "The broker refuses the record itself, such as one without a key for a compacted topic.",
        "Give it what the topic demands.",
    ),
    reason(
        "invalid_timestamp",
        "The record's time is further from the broker's than its topic allows.",
        "Raise the topic's `message.timestamp.before.max.ms` or `message.timestamp.after.max.ms`.",
    ),
    reason(
        "unrepresentable",
        "A value has no exact counterpart in the field's type: digits would be lost, or an enum has no such symbol.",
        "Widen the field's type, or convert under `set`.",
    ),
];
