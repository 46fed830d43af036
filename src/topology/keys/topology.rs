//! The keys of a topology, its variables, tables and steps.

use super::{DEAD_LETTER, EXCEPT, Kind, Object, ROUTE, SOURCE, key, word};

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
        EXCEPT,
        key(
            "set",
            Kind::Map(&Kind::Expr),
            "Fields and the expressions that they are set to; stronger than `from`.",
            "set: { total: event.after.price * decimal(event.after.quantity) }",
        ),
    ],
};
