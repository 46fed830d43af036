//! Every key of a topology file, in one table: the reader, the JSON Schema and `docs/TOPOLOGY.md` are made from it.

/// A mapping with known keys.
#[derive(Debug)]
pub struct Object {
    /// What it is called in messages and documents.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Its keys, in the order in which one writes them.
    pub keys: &'static [Key],
}

/// A key of an [`Object`].
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// The value that counts if it is not there.
    pub default: Option<&'static str>,
    /// What it says, one or two sentences.
    pub doc: &'static str,
    /// How it is written, for documents and for the help of faults.
    pub example: &'static str,
}

/// What a value must be.
#[derive(Debug)]
pub enum Kind {
    /// Literal text; `${vars.x}` is replaced.
    Text,
    /// Letters, digits, `_`, `-`, `.`; begins with a letter or digit.
    Name,
    /// Literal text with `${expression}` in it.
    Template,
    /// A CEL expression.
    Expr,
    /// A dotted path to a record: `event.after`, `out`.
    Path,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Words(&'static [Word]),
    /// Any single value.
    Scalar,
    /// Anything, null included.
    Json,
    /// A mapping with known keys.
    Object(&'static Object),
    /// A list.
    List(&'static Kind),
    /// A mapping with free keys.
    Map(&'static Kind),
    /// A single value or a mapping, told apart by their shape.
    Either(&'static Kind, &'static Object),
}

/// A word that a key may have as its value.
#[derive(Debug)]
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub doc: &'static str,
}

const fn word(word: &'static str, doc: &'static str) -> Word {
    Word { word, doc }
}

const fn key(name: &'static str, kind: Kind, doc: &'static str, example: &'static str) -> Key {
    Key {
        name,
        kind,
        required: false,
        default: None,
        doc,
        example,
    }
}

impl Key {
    const fn required(mut self) -> Key {
        self.required = true;
        self
    }

    const fn default(mut self, value: &'static str) -> Key {
        self.default = Some(value);
        self
    }
}

/// Words of keys that name what later versions have: `(object, key, what it is)`.
pub const LATER: &[(&str, &str)] = &[
    ("route", "http"),
    ("route", "graphql"),
    ("route", "soap"),
    ("route", "webhook"),
    ("route", "sql"),
];

/// The whole file.
pub static TOPOLOGY: Object = Object {
    name: "topology",
    doc: "A topology says which topics are read, what is done to each event, and where it goes.",
    keys: &[
        key(
            "id",
            Kind::Name,
            "Names the consumer group, so it is stable: renaming the file moves no position. Two topologies never share one.",
            "id: orders",
        )
        .required(),
        key(
            "description",
            Kind::Text,
            "What the topology is for, for people.",
            "description: Orders of the shop, cleaned, for downstream teams.",
        ),
        key(
            "connection",
            Kind::Name,
            "The Kafka connection (of the configuration) that the sources are read from.",
            "connection: main",
        )
        .default("main"),
        key(
            "vars",
            Kind::Map(&Kind::Object(&VAR)),
            "Values that differ between environments, typed. Read as `vars.NAME` in expressions and as `${vars.NAME}` in text; set under `vars` in the configuration.",
            "vars: { big_from: { type: decimal, default: \"1000\" } }",
        ),
        key(
            "tables",
            Kind::Map(&Kind::Object(&TABLE)),
            "Static tables, for `lookup` in expressions. They are read once, when the topology is checked or started.",
            "tables: { countries: { file: countries.csv, key: code, columns: { name: string } } }",
        ),
        key(
            "sources",
            Kind::List(&Kind::Object(&SOURCE)),
            "The topics that are read. All of them feed the same steps.",
            "sources:\n  - topic: shop.public.orders\n    envelope: debezium\n    value: { avro: shop.public.orders-value }",
        )
        .required(),
        key(
            "ordering",
            Kind::Words(&[
                word("key", "records of one key stay in order"),
                word("partition", "all records of a partition stay in order"),
                word("none", "records may overtake each other"),
            ]),
            "What stays in order on the way out.",
            "ordering: key",
        )
        .default("key"),
        key(
            "delivery",
            Kind::Words(&[
                word(
                    "at_least_once",
                    "nothing is lost; after a failure some records may arrive twice",
                ),
                word("exactly_once", "not available in this version"),
            ]),
            "What is promised about repetition.",
            "delivery: at_least_once",
        )
        .default("at_least_once"),
        key(
            "strict",
            Kind::Flag,
            "Whether the warnings of `lockgate check` are errors: then nothing starts that can fail on a value without saying what becomes of it.",
            "strict: true",
        )
        .default("false"),
        key(
            "steps",
            Kind::List(&Kind::Object(&STEP)),
            "What is done to each event, in this order: rules that filter (`keep`, `drop`), rules that must hold (`require`), and mappings (`schema` with `from`, `except`, `set`).",
            "steps:\n  - name: live\n    keep: event.op in [\"c\", \"u\", \"r\"]",
        ),
        key(
            "match",
            Kind::Words(&[
                word("first", "an event goes to the first route whose condition holds"),
                word("all", "an event goes to every route whose condition holds"),
            ]),
            "How many routes an event can take.",
            "match: first",
        )
        .default("first"),
        key(
            "routes",
            Kind::List(&Kind::Object(&ROUTE)),
            "Where events go, tried in this order.",
            "routes:\n  - name: all\n    kafka: { topic: orders.clean }",
        )
        .required(),
        key(
            "unmatched",
            Kind::Words(&[
                word("drop", "it ends as filtered, by the step `unmatched`"),
                word("dead_letter", "it is dead-lettered with the reason `unmatched`"),
            ]),
            "What becomes of an event that no route takes. Must be said if every route has a condition.",
            "unmatched: drop",
        ),
        key(
            "dead_letter",
            Kind::Object(&DEAD_LETTER),
            "Where records go that can never be delivered.",
            "dead_letter: { topic: orders.dlq }",
        )
        .required(),
    ],
};

/// A typed variable.
pub static VAR: Object = Object {
    name: "variable",
    doc: "A value that differs between environments.",
    keys: &[
        key(
            "type",
            Kind::Words(&[
                word("string", "text"),
                word("int", "a 64-bit integer"),
                word("double", "a 64-bit floating point number"),
                word("bool", "true or false"),
                word("decimal", "an exact decimal number, written as text"),
                word(
                    "secret",
                    "a key for `tokenize` and `hash.hmac_sha256`, which expressions cannot read; the configuration has a reference to it, `env:NAME` or `file:PATH`",
                ),
            ]),
            "The type in expressions.",
            "type: decimal",
        )
        .required(),
        key(
            "default",
            Kind::Scalar,
            "The value where the configuration has none. Without a default the configuration must have one.",
            "default: \"1000\"",
        ),
        key(
            "description",
            Kind::Text,
            "What it is for.",
            "description: From which total an order is big.",
        ),
    ],
};

/// A static table.
pub static TABLE: Object = Object {
    name: "table",
    doc: "A file of rows, found by a key.",
    keys: &[
        key(
            "file",
            Kind::Text,
            "The file, its path beginning at the folder of the topology: CSV with a line of names, or YAML (`.yaml`) with a list of mappings. At most 16 MiB and 200 000 rows.",
            "file: countries.csv",
        )
        .required(),
        key(
            "key",
            Kind::Name,
            "The column of the key: text, or an int if `columns` says so. Every key has one row.",
            "key: code",
        )
        .required(),
        key(
            "columns",
            Kind::Map(&Kind::Words(&[
                word("string", "text"),
                word("int", "a 64-bit integer"),
                word("double", "a 64-bit floating point number"),
                word("bool", "true or false"),
                word("decimal", "an exact decimal number"),
            ])),
            "The columns that expressions can read, and their types. Every row has a value for each of them.",
            "columns: { name: string, vat: decimal }",
        )
        .required(),
    ],
};

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

/// A step.
pub static STEP: Object = Object {
    name: "step",
    doc: "Either a rule that filters (`keep`, `drop`), a rule that must hold (`require`), or a mapping (`schema` with `from`, `except`, `set`).",
    keys: &[
        key(
            "name",
            Kind::Name,
            "Metric label, log field, dead letter header and handle in tests.",
            "name: live",
        )
        .required(),
        key(
            "keep",
            Kind::Expr,
            "A condition: an event for which it is false ends here as filtered, by this step's name.",
            "keep: event.op in [\"c\", \"u\", \"r\"]",
        ),
        key(
            "drop",
            Kind::Expr,
            "A condition: an event for which it is true ends here as filtered, by this step's name.",
            "drop: event.after.status == \"cancelled\"",
        ),
        key(
            "require",
            Kind::Expr,
            "A condition that must hold: an event for which it is false is dead-lettered with the reason `rule` and this step's name.",
            "require: event.after.quantity > 0",
        ),
        key(
            "schema",
            Kind::Text,
            "The type of `out` from here on: an Avro record, a file stem in `avro/`.",
            "schema: order-placed-value",
        ),
        key(
            "subject",
            Kind::Text,
            "The registry subject, if it is not the schema's name.",
            "subject: orders.placed-value",
        ),
        key(
            "from",
            Kind::Path,
            "A record: its fields are copied to the fields of equal name.",
            "from: event.after",
        ),
        key(
            "except",
            Kind::List(&Kind::Text),
            "Fields of `from` that are not copied.",
            "except: [payload]",
        ),
        key(
            "set",
            Kind::Map(&Kind::Expr),
            "Fields and the expressions that they are set to; stronger than `from`.",
            "set: { total: event.after.price * decimal(event.after.quantity) }",
        ),
    ],
};

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
        key(
            "from",
            Kind::Path,
            "A record: its fields are copied to the fields of equal name.",
            "from: out",
        ),
        key(
            "except",
            Kind::List(&Kind::Text),
            "Fields of `from` that are not copied.",
            "except: [note]",
        ),
        key(
            "set",
            Kind::Map(&Kind::Expr),
            "Fields and the expressions that they are set to; stronger than `from`.",
            "set: { customer: string(out.customer_id) }",
        ),
    ],
};

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
        key(
            "from",
            Kind::Path,
            "A record: its fields are copied to the fields of equal name.",
            "from: out",
        ),
        key(
            "except",
            Kind::List(&Kind::Text),
            "Fields of `from` that are not copied.",
            "except: [note]",
        ),
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

/// All objects, in the order in which documents describe them.
pub static OBJECTS: &[&Object] = &[
    &TOPOLOGY,
    &VAR,
    &TABLE,
    &SOURCE,
    &AVRO,
    &STEP,
    &ROUTE,
    &MAP,
    &KAFKA,
    &KEY,
    &JSON,
    &DEAD_LETTER,
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::topology::fault::{Faults, Source};
    use crate::topology::{read, yaml};

    #[test]
    fn the_example_of_every_key_is_what_the_reader_accepts() {
        for object in OBJECTS {
            for key in object.keys {
                let source = Arc::new(Source::new("example.yaml", key.example));
                let mut faults = Faults::default();
                let node = yaml::parse(&source, &mut faults).expect(key.example);
                assert!(
                    node.get(key.name).is_some(),
                    "{}: {}",
                    object.name,
                    key.example
                );
                read::check_shape(&source, &node, object, &mut faults);
                let other: Vec<_> = faults
                    .iter()
                    // An example shows one key; what else its object, or an object within it, needs is not its business.
                    .filter(|fault| fault.code != "missing_key")
                    .map(|fault| fault.message.as_str())
                    .collect();
                assert!(
                    other.is_empty(),
                    "{}: {}: {other:?}",
                    object.name,
                    key.example
                );
            }
        }
    }

    #[test]
    fn defaults_are_words_of_their_keys() {
        for object in OBJECTS {
            for key in object.keys {
                if let (Kind::Words(words), Some(default)) = (&key.kind, key.default) {
                    assert!(
                        words.iter().any(|word| word.word == default),
                        "{}: {default}",
                        key.name
                    );
                }
            }
        }
    }
}
