//! The keys of a source and of the schemas that it names.

use super::{Kind, Object, key, word};

/// A source topic.
pub static SOURCE: Object = Object {
    name: "source",
    doc: "A topic, how its records are encoded, and what becomes of the records that are not ordinary events.",
    keys: &[
        key("topic", Kind::Text, "The topic.", "topic: shop.public.orders").required(),
        key(
            "envelope",
            Kind::Words(&[
                word(
                    "debezium",
                    "the value is Debezium's envelope: event.before, event.after, event.op, event.source, event.ts_ms",
                ),
                word(
                    "none",
                    "the value is the event itself; also for topics flattened by ExtractNewRecordState",
                ),
            ]),
            "How the value wraps the change.",
            "envelope: debezium",
        )
        .required(),
        key(
            "key",
            Kind::Either(
                &Kind::Words(&[
                    word("string", "UTF-8 text"),
                    word("bytes", "opaque bytes"),
                ]),
                &AVRO,
            ),
            "How the record's key is encoded; `meta.key` has the type that follows.",
            "key: { avro: shop.public.orders-key }",
        )
        .default("bytes"),
        key(
            "value",
            Kind::Object(&AVRO),
            "How the record's value is encoded.",
            "value: { avro: shop.public.orders-value }",
        )
        .required(),
        key(
            "replica_identity",
            Kind::Words(&[
                word(
                    "default",
                    "only the key columns of event.before are real; Debezium fills the rest with zeros and blanks",
                ),
                word("full", "all of event.before is real"),
                word("nothing", "event.before cannot be read"),
            ]),
            "PostgreSQL's replica identity of the table: which columns of `event.before` may be read.",
            "replica_identity: default",
        )
        .default("default"),
        key(
            "tombstones",
            Kind::Words(&[
                word(
                    "forward",
                    "to the routes whose `when`, `key`, `topic` and `headers` need only `meta.*` and `vars.*`; there must be one",
                ),
                word("drop", "filtered, by the step `tombstone`"),
            ]),
            "What becomes of records without a value.",
            "tombstones: forward",
        )
        .default("drop"),
        key(
            "unavailable",
            Kind::Words(&[
                word("dead_letter", "the record is dead-lettered with the reason `unavailable_value`"),
                word("null", "the column counts as null; one that cannot be null is dead-lettered"),
                word("optional", "the columns that can arrive so are optional values: usable through `hasValue()`, `orValue(…)` and the like, never as data"),
                word("keep", "the placeholder is an ordinary value"),
            ]),
            "What becomes of a column that is read or copied and arrives as Debezium's placeholder, `__debezium_unavailable_value` (an unchanged TOAST value). Copied is also what a route sends as it came.",
            "unavailable: dead_letter",
        )
        .default("dead_letter"),
        key(
            "truncate",
            Kind::Words(&[
                word("dead_letter", "dead-lettered with the reason `truncate`"),
                word("drop", "filtered, by the step `truncate`"),
                word("pass", "an event like others, with event.op == \"t\" and neither before nor after"),
            ]),
            "What becomes of Debezium's record of a TRUNCATE (`op` is `t`).",
            "truncate: dead_letter",
        )
        .default("dead_letter"),
        key(
            "messages",
            Kind::Words(&[
                word("dead_letter", "dead-lettered with the reason `message`"),
                word("drop", "filtered, by the step `message`"),
                word("pass", "an event like others, with event.op == \"m\" and neither before nor after"),
            ]),
            "What becomes of logical decoding messages (`op` is `m`, or the record is a MessageValue).",
            "messages: drop",
        )
        .default("dead_letter"),
        key(
            "heartbeats",
            Kind::Words(&[
                word("dead_letter", "dead-lettered with the reason `heartbeat`"),
                word("drop", "filtered, by the step `heartbeat`"),
            ]),
            "What becomes of Debezium's heartbeats, if they are routed into this topic.",
            "heartbeats: drop",
        )
        .default("drop"),
        key(
            "schema_changes",
            Kind::Words(&[
                word("dead_letter", "dead-lettered with the reason `schema_change`"),
                word("drop", "filtered, by the step `schema_change`"),
            ]),
            "What becomes of Debezium's schema change events, if they are routed into this topic.",
            "schema_changes: drop",
        )
        .default("dead_letter"),
        key(
            "transactions",
            Kind::Words(&[
                word("dead_letter", "dead-lettered with the reason `transaction`"),
                word("drop", "filtered, by the step `transaction`"),
            ]),
            "What becomes of Debezium's transaction boundaries, if they are routed into this topic.",
            "transactions: drop",
        )
        .default("dead_letter"),
        key(
            "start_from",
            Kind::Words(&[
                word("earliest", "the oldest record"),
                word("latest", "the end: only what is written from now on"),
            ]),
            "Where a consumer group without positions begins.",
            "start_from: earliest",
        )
        .default("earliest"),
    ],
};

/// An Avro schema of a source.
pub static AVRO: Object = Object {
    name: "schema",
    doc: "An Avro schema, and where records name the one that they were written with.",
    keys: &[
        key(
            "avro",
            Kind::Text,
            "The schema: a file stem in `avro/`.",
            "avro: shop.public.orders-value",
        )
        .required(),
        key(
            "subject",
            Kind::Text,
            "The registry subject, if it is not the schema's name.",
            "subject: shop.public.orders-value",
        ),
        key(
            "id_from",
            Kind::Words(&[
                word("payload", "in front of the datum: a zero byte and four bytes of id"),
                word(
                    "confluent_header",
                    "in the header `__value_schema_id` (of keys `__key_schema_id`), as GUID or id; records without it have it in front of the datum",
                ),
                word(
                    "apicurio_content_id",
                    "in the header `apicurio.value.contentId` (of keys `apicurio.key.contentId`), eight bytes",
                ),
                word(
                    "apicurio_global_id",
                    "in the header `apicurio.value.globalId` (of keys `apicurio.key.globalId`), eight bytes; the registry must know global ids under `/schemas/ids`",
                ),
            ]),
            "Where a record says which schema wrote it.",
            "id_from: payload",
        )
        .default("payload"),
    ],
};
