//! The keys of a route, of what it sends and where to.

use super::{EXCEPT, Key, Kind, Object, key, word};

/// A route.
pub static ROUTE: Object = Object {
    name: "route",
    doc: "A rule from event to sink.",
    keys: &[
        key(
            "name",
            Kind::Name,
            "Metric label, log field, dead letter header and handle in tests.",
            "name: big",
        )
        .required(),
        key(
            "when",
            Kind::Expr,
            "The condition under which an event takes this route; without it every event does.",
            "when: out.total >= decimal(\"1000\")",
        ),
        key(
            "map",
            Kind::Object(&MAP),
            "A body of its own. Without it the route sends `out`, or, if no step maps, the value as it came.",
            "map: { schema: order-summary-value, from: out }",
        ),
        key(
            "kafka",
            Kind::Object(&KAFKA),
            "The Kafka topic that it writes to.",
            "kafka: { topic: orders.big, key: out.order_id }",
        )
        .required(),
    ],
};

/// A mapping of a route.
pub static MAP: Object = Object {
    name: "mapping",
    doc: "What a route sends, if not `out`.",
    keys: &[
        key(
            "schema",
            Kind::Text,
            "The schema of what is sent: an Avro record, a file stem in `avro/`.",
            "schema: order-summary-value",
        )
        .required(),
        key(
            "subject",
            Kind::Text,
            "The registry subject, if it is not the schema's name.",
            "subject: orders.summary-value",
        ),
        FROM_OUT,
        EXCEPT,
        key(
            "set",
            Kind::Map(&Kind::Expr),
            "Fields and the expressions that they are set to; stronger than `from`.",
            "set: { customer: string(out.customer_id) }",
        ),
    ],
};

const FROM_OUT: Key = key(
    "from",
    Kind::Path,
    "A record: its fields are copied to the fields of equal name.",
    "from: out",
);

/// The Kafka sink of a route.
pub static KAFKA: Object = Object {
    name: "Kafka sink",
    doc: "A Kafka topic, and the key and headers of what is written to it.",
    keys: &[
        key(
            "connection",
            Kind::Name,
            "The Kafka connection (of the configuration) that is written to.",
            "connection: main",
        )
        .default("main"),
        key(
            "topic",
            Kind::Template,
            "The topic; may hold `${expression}`, and then `topics` lists what it can be.",
            "topic: orders.${out.currency}",
        )
        .required(),
        key(
            "topics",
            Kind::List(&Kind::Text),
            "The allow-list of a `topic` with expressions: any other result is a dead letter, `topic_not_allowed`.",
            "topics: [orders.EUR, orders.USD]",
        ),
        key(
            "key",
            Kind::Either(&Kind::Expr, &KEY),
            "The key: text or bytes, or null for none; or a mapping for a key in Avro. Without it the record's own key, unchanged.",
            "key: out.order_id",
        ),
        key(
            "value",
            Kind::Expr,
            "The value: text or bytes, sent as they are in place of a record; null is a tombstone.",
            "value: out.note",
        ),
        key(
            "format",
            Kind::Words(&[
                word("avro", "Avro in the Confluent wire format"),
                word("json", "one line of JSON, without a schema id"),
            ]),
            "How the record is written that the route sends.",
            "format: json",
        )
        .default("avro"),
        key(
            "json",
            Kind::Object(&JSON),
            "The choices of `format: json`.",
            "json: { decimals: number, times: epoch_millis }",
        ),
        key(
            "headers",
            Kind::Map(&Kind::Template),
            "Headers to set; the value may hold `${expression}`.",
            "headers: { origin: \"${event.source.table}\" }",
        ),
        key("cleared_for", CLEARED, CLEARED_DOC, "cleared_for: [pii]"),
    ],
};

/// How JSON is written.
pub static JSON: Object = Object {
    name: "JSON form",
    doc: "How values are written where JSON has no one way to write them. The defaults are the form of events as JSON (`lockgate tail`).",
    keys: &[
        key(
            "decimals",
            Kind::Words(&[
                word("string", "text with all digits of the scale: \"12.50\""),
                word("number", "a number with the same digits; readers may round it to a double"),
            ]),
            "Exact decimals.",
            "decimals: string",
        )
        .default("string"),
        key(
            "bytes",
            Kind::Words(&[
                word("base64", "RFC 4648, with padding"),
                word("hex", "two lower-case digits per byte"),
            ]),
            "Bytes, and fixed without a logical type.",
            "bytes: base64",
        )
        .default("base64"),
        key(
            "big_ints",
            Kind::Words(&[
                word("number", "a number, all digits"),
                word("string", "text; smaller ones stay numbers"),
            ]),
            "Integers beyond ±(2^53 - 1), which readers that know only doubles would round.",
            "big_ints: number",
        )
        .default("number"),
        key(
            "non_finite",
            Kind::Words(&[
                word("string", "\"NaN\", \"Infinity\", \"-Infinity\""),
                word("null", "null"),
                word("dead_letter", "not at all: a dead letter, `unrepresentable`"),
            ]),
            "NaN and the infinities of double and float.",
            "non_finite: string",
        )
        .default("string"),
        key(
            "times",
            Kind::Words(&[
                word(
                    "iso8601",
                    "ISO 8601 text, and the plain number beyond the years 1 to 9999 or 24 hours",
                ),
                word("epoch_seconds", "seconds"),
                word("epoch_millis", "milliseconds"),
                word("epoch_micros", "microseconds"),
                word("epoch_nanos", "nanoseconds"),
            ]),
            "Timestamps, times of day, intervals and dates. As numbers they count since 1970, since midnight, and from begin to end, finer digits cut off; a date is its day since 1970.",
            "times: iso8601",
        )
        .default("iso8601"),
        key(
            "nulls",
            Kind::Words(&[
                word("keep", "written as null"),
                word("drop", "left out; nulls in arrays and maps stay"),
            ]),
            "Fields of records that are null.",
            "nulls: keep",
        )
        .default("keep"),
    ],
};

/// An output key in Avro.
pub static KEY: Object = Object {
    name: "key",
    doc: "A key in Avro, in the Confluent wire format: a record with `from`, `except`, `set`, or any other type with `value`. The partition follows from its bytes, so equal keys stay together and in order.",
    keys: &[
        key(
            "schema",
            Kind::Text,
            "The schema of the key: a file stem in `avro/`.",
            "schema: orders.by-customer-key",
        )
        .required(),
        key(
            "subject",
            Kind::Text,
            "The registry subject, if it is not the schema's name.",
            "subject: orders.by-customer-key",
        ),
        FROM_OUT,
        EXCEPT,
        key(
            "set",
            Kind::Map(&Kind::Expr),
            "Fields and the expressions that they are set to; stronger than `from`.",
            "set: { customer_id: out.customer_id }",
        ),
        key(
            "value",
            Kind::Expr,
            "The key itself, where its schema is no record.",
            "value: out.customer_id",
        ),
    ],
};

/// The dead letter topic.
pub static DEAD_LETTER: Object = Object {
    name: "dead letter sink",
    doc: "Where records go that can never be delivered.",
    keys: &[
        key(
            "connection",
            Kind::Name,
            "The Kafka connection (of the configuration) that is written to.",
            "connection: main",
        )
        .default("main"),
        key("topic", Kind::Text, "The topic.", "topic: orders.dlq").required(),
        key(
            "cleared_for",
            CLEARED,
            "The tags of fields that may be read there: a dead letter carries the whole record, tagged fields included.",
            "cleared_for: [pii]",
        ),
    ],
};

/// Tags that a sink may be cleared for.
const CLEARED: Kind = Kind::List(&Kind::Words(&[word(
    "pii",
    "fields with the property `\"pii\": true`, `\"lockgate.pii\": true` or a tag `PII` (`confluent:tags`) in the schema",
)]));

const CLEARED_DOC: &str = "The tags of fields that may be written there. A field tagged in the schema of a source, and whatever is computed from it, \
    goes to no sink that is not cleared for the tag: `check` refuses it. Only redacting and keyed functions take the tag off.";
