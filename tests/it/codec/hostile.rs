//! Goal: no bytes and no schema cost more than a bounded time and memory, and each kind of damage has its name.
//! The cases are those of the decoders' known faults: recursion, collections of nothing, types that double, leniency.

use std::time::Duration;

use lockgate::codec::{Scan, Slots, Val, encode, json};
use lockgate::schema::Schema;
use serde_json::json;

use super::schema;
use crate::cpu::cpu_time;

/// What one datum may cost, in a build without optimisation.
const TIME_MAX: Duration = Duration::from_millis(250);

/// What the scan says about a datum; JSON must come to the same verdict, and both quickly.
fn verdict(schema: &std::sync::Arc<Schema>, datum: &[u8]) -> &'static str {
    let scan = Scan::compile(schema, schema, &[]).unwrap();
    let mut scanned = Ok(());
    let took = cpu_time(|| scanned = scan.run(datum, &mut Slots::new()));
    assert!(took < TIME_MAX, "{took:?}");
    let read = json::to_json(schema, datum);
    match (scanned, read) {
        (Ok(()), Ok(_)) => "ok",
        (Err(scanned), Err(read)) => {
            // Only the scan knows how many bytes an item takes at least, and so that a count is impossible.
            let impossible = (scanned.reason, read.reason) == ("truncated", "avro_limit");
            assert!(
                scanned.reason == read.reason || impossible,
                "{} {}",
                scanned.reason,
                read.reason
            );
            scanned.reason
        }
        (scanned, read) => panic!("the scan says {scanned:?}, JSON {read:?}"),
    }
}

fn long(value: i64) -> Vec<u8> {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    let mut out = Vec::new();
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
    out
}

#[test]
fn deep_data_of_a_recursive_schema_meets_a_limit() {
    let list = schema(
        json!({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}),
    );
    let nested = |levels: usize| [vec![2u8; levels], vec![0]].concat();
    assert_eq!(verdict(&list, &nested(60)), "ok");
    assert_eq!(verdict(&list, &nested(500)), "avro_limit");
    assert_eq!(verdict(&list, &nested(5_000_000)), "avro_limit");
    let tree = schema(
        json!({"type": "record", "name": "T", "fields": [{"name": "of", "type": {"type": "array", "items": "T"}}]}),
    );
    assert_eq!(
        verdict(&tree, &[vec![2u8; 100_000], vec![0; 100_000]].concat()),
        "avro_limit"
    );
    // Without a union, array or map between, no datum ends: the limit is met without reading a byte.
    let endless =
        schema(json!({"type": "record", "name": "E", "fields": [{"name": "e", "type": "E"}]}));
    assert_eq!(verdict(&endless, &[]), "avro_limit");
}

#[test]
fn collections_of_nothing_are_bounded_by_the_datum() {
    for items in [
        json!("null"),
        json!({"type": "record", "name": "R", "fields": []}),
        json!({"type": "fixed", "name": "F", "size": 0}),
    ] {
        let array = schema(json!({"type": "array", "items": items}));
        let bomb = |count: i64| [long(count), vec![0]].concat();
        assert_eq!(verdict(&array, &bomb(1_000)), "ok");
        assert_eq!(verdict(&array, &bomb(1 << 33)), "avro_limit");
        assert_eq!(verdict(&array, &bomb(i64::MAX)), "avro_limit");
        assert_eq!(
            verdict(&array, &[long(i64::MIN), vec![0, 0]].concat()),
            "avro_limit"
        );
        let many: Vec<u8> = (0..100).flat_map(|_| long(1_000)).chain([0]).collect();
        assert_eq!(
            verdict(&array, &many),
            "avro_limit",
            "the limit is one of the datum, not of a block"
        );
    }
    let nested = schema(
        json!({"type": "array", "items": {"type": "array", "items": {"type": "array", "items": "null"}}}),
    );
    let bomb: Vec<u8> = (0..10_000).flat_map(|_| long(1 << 20)).collect();
    assert_eq!(
        verdict(&nested, &bomb),
        "truncated",
        "an array takes a byte, so the outer count is impossible"
    );
}

#[test]
fn null_fields_do_not_multiply_without_bound() {
    // Sixteen levels of two: 65 536 nulls in no bytes. The scan needs none of them; JSON is bounded.
    let mut ty = json!("null");
    for level in 0..15 {
        let name = format!("R{level}");
        ty = json!({"type": "record", "name": name, "fields": [{"name": "a", "type": ty}, {"name": "b", "type": if level == 0 { json!("null") } else { json!(format!("R{}", level - 1)) }}]});
    }
    let nulls = schema(json!({"type": "array", "items": ty}));
    let scan = Scan::compile(&nulls, &nulls, &[]).unwrap();
    let datum = [long(1_000), vec![0]].concat();
    assert_eq!(scan.run(&datum, &mut Slots::new()), Ok(()));
    assert_eq!(
        json::to_json(&nulls, &datum).unwrap_err().reason,
        "avro_limit"
    );
}

#[test]
fn schema_bombs_are_refused_when_they_are_parsed() {
    let mut ty = json!("int");
    for level in 0..22 {
        let before = if level == 0 {
            json!("int")
        } else {
            json!(format!("R{}", level - 1))
        };
        ty = json!({"type": "record", "name": format!("R{level}"), "fields": [{"name": "a", "type": ty}, {"name": "b", "type": before}]});
    }
    let refused = |json: &str, why: &str| {
        let mut parsed = None;
        let took = cpu_time(|| parsed = Some(Schema::parse(json)));
        let fault = parsed.unwrap().expect_err(why);
        assert!(
            fault.message.contains(why),
            "{} instead of {why}",
            fault.message
        );
        assert!(
            fault.message.len() < 600 && !fault.message.chars().any(char::is_control),
            "{}",
            fault.message
        );
        assert!(took < Duration::from_secs(1), "{took:?}");
    };
    refused(&ty.to_string(), "written out");
    refused(
        &format!(
            "{}\"int\"{}",
            r#"{"type":"array","items":"#.repeat(70),
            "}".repeat(70)
        ),
        "deep",
    );
    refused(
        &format!(
            "{}\"int\"{}",
            r#"{"type":"array","items":"#.repeat(200),
            "}".repeat(200)
        ),
        "not JSON",
    );
    let fields: Vec<_> = (0..10_000)
        .map(|i| json!({"name": format!("f{i}"), "type": "int"}))
        .collect();
    refused(
        &json!({"type": "record", "name": "W", "fields": fields}).to_string(),
        "more than 8192 types",
    );
    let record = |fields: serde_json::Value| {
        json!({"type": "record", "name": "W", "fields": fields}).to_string()
    };
    refused(
        &record(json!([{"name": "f", "type": "int", "doc": "x".repeat(1_000_000)}])),
        "at most 1000000",
    );
    refused(
        &record(json!([{"name": "f", "type": "int", "doc": "x".repeat(100_000)}])),
        "doc",
    );
    for name in ["a\nb", "\u{1b}[31m", "../x", "", "1a", "é"] {
        refused(
            &record(json!([{"name": name, "type": "int"}])),
            "not a valid field name",
        );
        refused(
            &json!({"type": "fixed", "name": name, "size": 1}).to_string(),
            "not a valid name",
        );
    }
    refused("[\"null\", [\"int\"]]", "union");
    refused("[\"int\", \"int\"]", "twice");
    refused("\"Missing\"", "not defined");
    refused("[]", "at least one");
    refused(
        &record(json!([{"name": "a", "type": "int"}, {"name": "a", "type": "int"}])),
        "twice",
    );
    refused("{\"type\":\"record\",\"name\":\"X\"}", "fields");
    refused("{", "not JSON");
    refused("", "empty");
}

#[test]
fn damage_has_a_name() {
    let record = schema(json!({"type": "record", "name": "R", "fields": [
        {"name": "flag", "type": "boolean"},
        {"name": "number", "type": "int"},
        {"name": "text", "type": "string"},
        {"name": "color", "type": {"type": "enum", "name": "C", "symbols": ["RED", "BLUE"]}},
        {"name": "maybe", "type": ["null", "long"]},
    ]}));
    let good = [1u8, 14, 4, b'h', b'i', 2, 2, 10];
    assert_eq!(verdict(&record, &good), "ok");
    let with = |at: usize, bytes: &[u8]| [&good[..at], bytes, &good[at + 1..]].concat();
    for cut in 0..good.len() {
        assert_eq!(verdict(&record, &good[..cut]), "truncated", "cut at {cut}");
    }
    assert_eq!(
        verdict(&record, &[&good[..], &[0]].concat()),
        "trailing_bytes"
    );
    assert_eq!(verdict(&record, &with(0, &[2])), "bad_boolean");
    assert_eq!(verdict(&record, &with(1, &[0xFF; 11])), "bad_varint");
    assert_eq!(
        verdict(&record, &with(1, &[0xFE, 0xFF, 0xFF, 0xFF, 0x1F])),
        "bad_varint",
        "beyond 32 bits"
    );
    assert_eq!(verdict(&record, &with(3, &[0xFF])), "bad_utf8");
    assert_eq!(verdict(&record, &with(2, &[3])), "bad_length");
    assert_eq!(verdict(&record, &with(2, &long(1 << 40))), "avro_limit");
    assert_eq!(verdict(&record, &with(2, &long(100))), "truncated");
    assert_eq!(verdict(&record, &with(5, &[4])), "bad_enum_index");
    assert_eq!(
        verdict(&record, &with(5, &[1])),
        "bad_enum_index",
        "negative"
    );
    assert_eq!(verdict(&record, &with(6, &[4])), "bad_union_index");
    let map = schema(json!({"type": "map", "values": "int"}));
    assert_eq!(
        verdict(&map, &[long(1_000_000_000), vec![0]].concat()),
        "avro_limit"
    );
    assert_eq!(
        verdict(&map, &[1, 8, 2, b'k', 14, 0]),
        "avro_limit",
        "a block that says four bytes and has three"
    );
    assert_eq!(
        verdict(&map, &[1, 6, 2, b'k', 14, 0]),
        "ok",
        "a block with its size"
    );
    let fixed = schema(json!({"type": "fixed", "name": "F", "size": 4_000_000_000u32}));
    assert_eq!(verdict(&fixed, &[0; 8]), "avro_limit");
}

#[test]
fn a_decimal_longer_than_its_precision_is_refused() {
    let decimal =
        schema(json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}));
    let scan = Scan::compile(&decimal, &decimal, &[]).unwrap();
    let reason = |digits: &[u8]| {
        let datum = [long(digits.len() as i64), digits.to_vec()].concat();
        scan.run(&datum, &mut Slots::new())
            .map_err(|fault| fault.reason)
    };
    assert_eq!(reason(&9_999i16.to_be_bytes()), Ok(()));
    assert_eq!(reason(&(-9_999i16).to_be_bytes()), Ok(()));
    assert_eq!(reason(&10_000i16.to_be_bytes()), Err("unrepresentable"));
    assert_eq!(reason(&[1; 100_000]), Err("unrepresentable"));
    assert_eq!(reason(&[]), Err("unrepresentable"));
}

#[test]
fn what_json_cannot_hold_is_text_or_a_plain_number() {
    let double = schema(json!("double"));
    for (value, text) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let json = json::to_json(&double, &value.to_le_bytes()).unwrap();
        assert_eq!(json, json!(text));
        assert_eq!(
            json::from_json(&double, &json).unwrap(),
            value.to_le_bytes()
        );
    }
    let long_schema = schema(json!("long"));
    let json = json::to_json(&long_schema, &long(9_007_199_254_740_993)).unwrap();
    assert_eq!(json.to_string(), "9007199254740993", "beyond 2^53, exact");
    for logical in ["timestamp-millis", "local-timestamp-nanos"] {
        let time = schema(json!({"type": "long", "logicalType": logical}));
        for value in [i64::MAX, i64::MIN, 0] {
            let json = json::to_json(&time, &long(value)).unwrap();
            assert_eq!(
                json::from_json(&time, &json).unwrap(),
                long(value),
                "{json}"
            );
        }
    }
}

#[test]
fn a_value_that_fits_no_branch_deep_in_unions_is_refused_before_all_ways_are_tried() {
    // Each level may be tried as either branch: 2^40 ways to find that the innermost value fits none.
    let tree = schema(json!({"type": "record", "name": "A", "fields": [
        {"name": "next", "type": ["string", "A",
            {"type": "record", "name": "B", "fields": [{"name": "next", "type": ["string", "A", "B"]}, {"name": "b", "type": "int", "default": 0}]}]},
        {"name": "a", "type": "int", "default": 0}]}));
    let mut value = Val::Bool(true);
    let levels: Vec<_> = (0..40).map(|_| bumpalo::Bump::new()).collect();
    for level in &levels {
        value = Val::Map(level.alloc([(Val::Str("next"), value)]));
    }
    // Another reason would mean that all ways were tried, which takes days.
    let refused = encode::value(&tree, tree.root, &value, &mut Vec::new());
    assert_eq!(refused.unwrap_err().reason, "avro_limit");
}
