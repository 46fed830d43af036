//! Reasons of events: Debezium's envelope and other records, and the rules of the topology.

use crate::topology::codes::{ReasonCode, reason, rule};

pub(super) static REASONS: &[ReasonCode] = &[
    reason(
        "null_key",
        "The key is null, the topology says that it is Avro.",
        "Mend the producer, or write `key: bytes`.",
    ),
    reason(
        "unknown_op",
        "`event.op` is none of Debezium's.",
        "Look at the connector.",
    ),
    reason(
        "bad_envelope",
        "`before` or `after` is null, or not null, against what `op` says.",
        "Look at the connector and its transformations.",
    ),
    rule(
        "unavailable_value",
        "A column that is read, copied, or sent as it came, arrived as Debezium's placeholder for an unchanged large value.",
        "Set the replica identity to full, do not read the column, or choose another `unavailable`.",
    ),
    rule(
        "rule",
        "A `require` of the topology does not hold.",
        "Mend the data, or the rule.",
    ),
    rule(
        "unmatched",
        "No route takes the event, and `unmatched: dead_letter`.",
        "Add a route.",
    ),
    rule(
        "truncate",
        "A TRUNCATE of the table, and `truncate: dead_letter`.",
        "Empty the outputs by hand if you must; or choose `drop` or `pass`.",
    ),
    rule(
        "message",
        "A logical decoding message, and `messages: dead_letter`.",
        "Choose `drop` or `pass`.",
    ),
    rule(
        "heartbeat",
        "A heartbeat, and `heartbeats: dead_letter`.",
        "Choose `drop`.",
    ),
    rule(
        "schema_change",
        "A schema change event, and `schema_changes: dead_letter`.",
        "Choose `drop`.",
    ),
    rule(
        "transaction",
        "A transaction boundary, and `transactions: dead_letter`.",
        "Choose `drop`.",
    ),
];
