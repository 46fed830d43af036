//! Goal: real Debezium records decode to what `fastavro` read from the same bytes.
//! Method: tests/data/shop.json holds 48 records that Debezium wrote to Kafka (values and keys), their schemas, and
//! fastavro's reading of each. They are read through JSON and, field by field, through the slots of a scan.

use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::Bump;
use lockgate::codec::{Scan, Slots, Val, frame, json, lift};
use lockgate::schema::{Kind, Logical, NodeId, Schema};
use serde_json::Value;

use super::{places, unhex};

struct Record {
    schema: Arc<Schema>,
    datum: Vec<u8>,
    expected: Value,
}

/// All keys and values with a datum.
fn records() -> Vec<Record> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop.json"))
            .unwrap();
    let shop: Value = serde_json::from_str(&text).unwrap();
    let schemas: HashMap<u32, Arc<Schema>> = shop["schemas"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, json)| (id.parse().unwrap(), super::schema(json)))
        .collect();
    let list = shop["records"].as_array().unwrap();
    assert_eq!(list.len(), 48);
    let mut records = Vec::new();
    for record in list {
        for part in ["key", "value"] {
            let decoded = &record[format!("{part}_decoded")];
            let Some(hex) = record[part].as_str() else {
                assert!(
                    decoded.is_null() && part == "value",
                    "only tombstones have no bytes"
                );
                continue;
            };
            let bytes = unhex(hex);
            let (id, datum) = frame::split(&bytes).unwrap();
            records.push(Record {
                schema: schemas[&id].clone(),
                datum: datum.to_vec(),
                expected: decoded.clone(),
            });
        }
    }
    assert_eq!(records.len(), 94, "48 keys, 46 values, 2 tombstones");
    records
}

/// fastavro's reading in the form of the contracts, by rules written down a second time here with `jiff`.
fn as_contract(schema: &Schema, node: NodeId, value: &Value) -> Value {
    let (node, _) = schema.strip_null(node);
    if value.is_null() {
        return Value::Null;
    }
    if let Some(text) = value.get("$decimal") {
        return text.clone();
    }
    if let Some(hex) = value.get("$bytes") {
        use base64::Engine;
        return base64::engine::general_purpose::STANDARD
            .encode(unhex(hex.as_str().unwrap()))
            .into();
    }
    let micros = |units: i64| {
        jiff::Timestamp::from_microsecond(units)
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .datetime()
    };
    match (&schema.node(node).kind, &schema.node(node).logical) {
        (Kind::Record(fields), _) => {
            let object = value.as_object().unwrap();
            assert_eq!(object.len(), fields.len());
            Value::Object(
                fields
                    .iter()
                    .map(|f| {
                        (
                            f.name.to_string(),
                            as_contract(schema, f.ty, &object[&*f.name]),
                        )
                    })
                    .collect(),
            )
        }
        (Kind::Array(items), _) => value
            .as_array()
            .unwrap()
            .iter()
            .map(|v| as_contract(schema, *items, v))
            .collect::<Vec<_>>()
            .into(),
        (_, Some(Logical::Date)) => micros(value.as_i64().unwrap() * 86_400_000_000)
            .date()
            .to_string()
            .into(),
        (
            _,
            Some(Logical::LocalTimestamp {
                per_second: 1_000_000,
            }),
        ) => micros(value.as_i64().unwrap()).to_string().into(),
        (
            _,
            Some(Logical::Time {
                per_second: 1_000_000,
            }),
        ) => micros(value.as_i64().unwrap()).time().to_string().into(),
        _ => value.clone(),
    }
}

#[test]
fn every_record_becomes_the_json_that_fastavro_read_and_comes_back() {
    for record in records() {
        let expected = as_contract(&record.schema, record.schema.root, &record.expected);
        let json = json::to_json(&record.schema, &record.datum).unwrap();
        assert_eq!(json, expected);
        assert_eq!(
            json::from_json(&record.schema, &json).unwrap(),
            record.datum,
            "the bytes come back from JSON"
        );
    }
}

#[test]
fn every_slot_holds_what_fastavro_read() {
    let mut slots = Slots::new();
    let mut compared = 0;
    for record in records() {
        let places = places(&record.schema);
        let wants: Vec<_> = places.iter().map(|(want, _, _)| want.clone()).collect();
        let scan = Scan::compile(&record.schema, &record.schema, &wants).unwrap();
        scan.run(&record.datum, &mut slots).unwrap();
        let bump = Bump::new();
        for (slot, (_, names, node)) in places.iter().enumerate() {
            let expected = names
                .iter()
                .fold(&record.expected, |value, name| &value[name.as_str()]);
            let slot = slot as u16;
            assert_eq!(scan.is_null(&slots, slot), expected.is_null(), "{names:?}");
            let built = scan
                .materialise(&slots, slot, &record.datum, &bump)
                .unwrap();
            assert_same(&record.schema, *node, built, expected, &bump, names);
            if !matches!(built, Val::Map(_) | Val::List(_)) {
                let got = scan.get(&slots, slot, &record.datum);
                assert_same(&record.schema, *node, got, expected, &bump, names);
            }
            compared += 1;
        }
    }
    assert!(compared > 2_000, "{compared} values were compared");
}

fn assert_same(
    schema: &Schema,
    node: NodeId,
    found: Val<'_>,
    expected: &Value,
    bump: &Bump,
    at: &[String],
) {
    let (node, _) = schema.strip_null(node);
    match (found, expected) {
        (Val::Null, Value::Null) => {}
        (Val::Bool(a), Value::Bool(b)) => assert_eq!(a, *b, "{at:?}"),
        (Val::Int(a), Value::Number(b)) => assert_eq!(Some(a), b.as_i64(), "{at:?}"),
        (Val::Double(a), Value::Number(b)) => assert_eq!(Some(a), b.as_f64(), "{at:?}"),
        (Val::Str(a), Value::String(b)) => assert_eq!(a, b, "{at:?}"),
        (Val::Bytes(bytes), Value::Object(object)) => match object.get("$decimal") {
            Some(text) => {
                let Ok(Val::Decimal(number)) = lift(
                    schema,
                    node,
                    Val::Bytes(&bump.alloc_slice_copy(bytes)[..]),
                    bump,
                ) else {
                    panic!("{at:?} is no decimal");
                };
                assert_eq!(number.to_string(), text.as_str().unwrap(), "{at:?}");
            }
            None => assert_eq!(bytes, unhex(object["$bytes"].as_str().unwrap()), "{at:?}"),
        },
        (Val::List(list), Value::Array(expected)) => {
            assert_eq!(list.len(), expected.len(), "{at:?}");
            let Kind::Array(items) = schema.node(node).kind else {
                panic!("{at:?} is no array")
            };
            list.iter()
                .zip(expected)
                .for_each(|(a, b)| assert_same(schema, items, *a, b, bump, at));
        }
        (Val::Map(entries), Value::Object(expected)) => {
            assert_eq!(entries.len(), expected.len(), "{at:?}");
            for (key, value) in entries {
                let Val::Str(key) = key else {
                    panic!("{at:?}: a key is no text")
                };
                let (_, field) = schema.field(node, key).unwrap();
                assert_same(schema, field.ty, *value, &expected[*key], bump, at);
            }
        }
        (found, expected) => panic!("{at:?}: {found:?} is not {expected}"),
    }
}
