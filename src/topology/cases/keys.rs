//! Every key of a file of test cases.

use crate::topology::keys::{Key, Kind, Object};

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

const fn required(mut key: Key) -> Key {
    key.required = true;
    key
}

/// The whole file.
pub static FILE: Object = Object {
    name: "file of test cases",
    doc: "Events, and what must become of them.",
    keys: &[
        key(
            "defaults",
            Kind::Object(&DEFAULTS),
            "What all cases share; mappings are merged, a case's own values win.",
            "defaults: { value: { op: c } }",
        ),
        required(key(
            "cases",
            Kind::List(&Kind::Object(&CASE)),
            "The cases.",
            "cases:\n  - name: a delete is filtered\n    value: { op: d }\n    expect: { filtered: live }",
        )),
    ],
};

/// What all cases share.
static DEFAULTS: Object = Object {
    name: "set of defaults",
    doc: "What all cases share.",
    keys: &[
        key(
            "source",
            Kind::Text,
            "The source topic.",
            "source: shop.public.orders",
        ),
        key("key", Kind::Json, "The key.", "key: { id: 1 }"),
        key(
            "value",
            Kind::Json,
            "Laid under the value of every case that has one.",
            "value: { op: c }",
        ),
        key(
            "headers",
            Kind::Map(&Kind::Json),
            "The headers.",
            "headers: { traceparent: \"00-…\" }",
        ),
    ],
};

/// A case.
static CASE: Object = Object {
    name: "test case",
    doc: "An event, and what must become of it.",
    keys: &[
        required(key(
            "name",
            Kind::Text,
            "What it shows.",
            "name: a delete is filtered",
        )),
        key(
            "source",
            Kind::Text,
            "The source topic, if the topology has several.",
            "source: shop.public.orders",
        ),
        key(
            "key",
            Kind::Json,
            "The key as JSON; null for none.",
            "key: { id: 1 }",
        ),
        key(
            "key_hex",
            Kind::Scalar,
            "The key's bytes, frame included.",
            "key_hex: \"000000000102\"",
        ),
        key(
            "key_base64",
            Kind::Scalar,
            "The key's bytes, frame included.",
            "key_base64: AAAAAAEC",
        ),
        key(
            "value",
            Kind::Json,
            "The value as JSON; null for a tombstone.",
            "value: { op: d }",
        ),
        key(
            "value_hex",
            Kind::Scalar,
            "The value's bytes, frame included.",
            "value_hex: \"00000000ff\"",
        ),
        key(
            "value_base64",
            Kind::Scalar,
            "The value's bytes, frame included.",
            "value_base64: AAAAAP8=",
        ),
        key(
            "value_schema",
            Kind::Text,
            "The schema that the value was written with, a file in `avro/`, if it is not the one of the topology: an older or newer version.",
            "value_schema: shop.public.orders-value-v1",
        ),
        key(
            "headers",
            Kind::Map(&Kind::Json),
            "The headers.",
            "headers: { traceparent: \"00-…\" }",
        ),
        key("partition", Kind::Scalar, "The partition.", "partition: 3"),
        key("offset", Kind::Scalar, "The offset.", "offset: 42"),
        key(
            "timestamp",
            Kind::Scalar,
            "The record's time, in milliseconds since the epoch.",
            "timestamp: 1795370894536",
        ),
        required(key(
            "expect",
            Kind::Object(&EXPECT),
            "What must become of it.",
            "expect: { filtered: live }",
        )),
    ],
};

/// What must become of an event.
static EXPECT: Object = Object {
    name: "expectation",
    doc: "What must become of an event.",
    keys: &[
        key(
            "deliveries",
            Kind::List(&Kind::Object(&DELIVERY)),
            "All its deliveries, in order.",
            "deliveries:\n  - { route: all, value: { id: 1 } }",
        ),
        key(
            "filtered",
            Kind::Name,
            "The step that filters it.",
            "filtered: live",
        ),
        key(
            "dead_letter",
            Kind::Object(&DEAD_LETTER),
            "What its dead letter says.",
            "dead_letter: { reason: rule, step: quantity }",
        ),
        key(
            "dead_letters",
            Kind::List(&Kind::Object(&DEAD_LETTER)),
            "What its dead letters say, where several routes fail.",
            "dead_letters: [{ reason: rule, route: a }, { reason: rule, route: b }]",
        ),
    ],
};

/// A delivery.
static DELIVERY: Object = Object {
    name: "delivery",
    doc: "A delivery: what is not named is not compared, in the value too.",
    keys: &[
        key("route", Kind::Name, "The route.", "route: all"),
        key("topic", Kind::Text, "The topic.", "topic: orders.clean"),
        key(
            "key",
            Kind::Json,
            "The key: text, or JSON where the record's own Avro key passes.",
            "key: \"17\"",
        ),
        key(
            "value",
            Kind::Json,
            "The value as JSON; null for a tombstone.",
            "value: { total: \"12.50\" }",
        ),
        key(
            "headers",
            Kind::Map(&Kind::Json),
            "Headers that the route sets.",
            "headers: { currency: EUR }",
        ),
    ],
};

/// A dead letter.
static DEAD_LETTER: Object = Object {
    name: "dead letter",
    doc: "What a dead letter says.",
    keys: &[
        key("reason", Kind::Name, "The reason code.", "reason: rule"),
        key("step", Kind::Name, "The step.", "step: quantity"),
        key("route", Kind::Name, "The route.", "route: big"),
    ],
};
