//! Faults of what is read and written: topics, schemas, routes.

use crate::topology::codes::{FaultCode, fault};

pub(super) static FAULTS: &[FaultCode] = &[
    fault(
        "bad_topic",
        "Not a name that Kafka allows for a topic.",
        "Letters, digits, `.`, `_` and `-`, at most 249.",
    ),
    fault(
        "schema_missing",
        "No file of that name in the folder of Avro schemas.",
        "Correct the name, add `NAME.avsc`, or name the folder with `--avro`.",
    ),
    fault(
        "schema_invalid",
        "The schema file is not a valid Avro schema.",
        "Mend the schema.",
    ),
    fault(
        "schema_not_record",
        "A mapping needs a record, the schema is something else.",
        "Name the schema of a record.",
    ),
    fault(
        "envelope_mismatch",
        "`envelope: debezium`, but the schema is no such envelope.",
        "Name the schema of the envelope, or write `envelope: none` for flattened events.",
    ),
    fault(
        "duplicate_id",
        "Two topologies have the same `id`, hence the same consumer group.",
        "Give each its own.",
    ),
    fault(
        "duplicate_name",
        "Two steps, two routes or two test cases have the same name, or a step has the name of a built-in one.",
        "Choose another name.",
    ),
    fault(
        "duplicate_source",
        "A topic stands twice under `sources`.",
        "Remove one of them.",
    ),
    fault(
        "topic_loop",
        "A route writes to a topic that the same topology reads.",
        "Write to another topic.",
    ),
    fault(
        "topic_ring",
        "Topologies feed each other in a ring: what one writes comes back to it, over others. A warning.",
        "Write to another topic, or make sure that a condition ends the ring.",
    ),
    fault(
        "dead_letter_topic",
        "The dead letter topic is also a source, or the target of a route.",
        "Give the dead letters a topic of their own.",
    ),
    fault(
        "unreachable_route",
        "Nothing takes a route: with `match: first` it stands behind one without a condition (an error), or the schema and the conditions before decide that no event gets there (a warning).",
        "Put it first, write `match: all`, or correct the condition.",
    ),
    fault(
        "too_many_routes",
        "More routes than a record's deliveries are numbered for.",
        "Split the topology.",
    ),
    fault(
        "topics_missing",
        "The topic depends on the event, and no `topics` lists what it can be.",
        "Add `topics`.",
    ),
    fault(
        "tombstone_route",
        "`tombstones: forward`, but every route needs the event.",
        "Give one route a key from `meta.key` and no condition on the event, or write `tombstones: drop`.",
    ),
];
