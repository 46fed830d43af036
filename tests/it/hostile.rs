//! Goal: whatever a record holds, it ends in one named way, in bounded time and memory. Method: the table of hostile inputs,
//! each through a whole plan, from its frame to its outputs: decoded, passed on, and written as JSON.

use std::sync::Arc;
use std::time::Duration;

use lockgate::codec::frame;
use lockgate::pipeline::process::{Input, Outputs, Processor, Verdict};
use lockgate::schema::Schema;
use lockgate::topology::{self, Plan, Vars};
use serde_json::{Value as Json, json};

use super::codec::allocated_bytes;
use super::cpu::cpu_time;

/// What one record may cost, in a build without optimisation.
const TIME_MAX: Duration = Duration::from_millis(250);
const BYTES_MAX: u64 = 24 << 20;

const TOPOLOGY: &str = "
id: hostile
sources:
  - topic: in
    envelope: none
    key: KEY
    value: { avro: event }
    tombstones: forward
match: all
routes:
  - name: passed
    kafka: { topic: passed }
  - name: json
    when: meta.offset >= 0
    kafka: { topic: json, format: json }
  - name: keyed
    when: meta.key != null
    kafka: { topic: keyed, key: KEYED }
dead_letter: { topic: dlq }
";

/// A plan for events of this schema.
fn plan(schema: &Json, key: &str) -> Arc<Plan> {
    let folder = tempfile::tempdir().unwrap();
    let keyed = if key == "string" {
        "meta.key + '!'"
    } else {
        "meta.key"
    };
    let text = TOPOLOGY.replace("KEYED", keyed).replace("KEY", key);
    std::fs::write(folder.path().join("t.yaml"), text).unwrap();
    std::fs::write(folder.path().join("event.avsc"), schema.to_string()).unwrap();
    topology::load(
        &[folder.path().join("t.yaml")],
        Some(folder.path()),
        &Vars::new(),
    )
    .unwrap_or_else(|faults| panic!("{}", faults.render(false)))
    .remove(0)
}

/// How a record ends: the reason of its dead letter, the schema it asks for, or what is delivered.
fn verdict(plan: &Arc<Plan>, key: Option<&[u8]>, value: Option<&[u8]>) -> String {
    let headers = [(&b"\xff\x00"[..], Some(&b"\r\n"[..])), (&b""[..], None)];
    let input = Input {
        source: 0,
        partition: 0,
        offset: 0,
        timestamp_ms: Some(i64::MIN),
        key,
        value,
        headers: &headers,
    };
    let ids = match plan.ids(0, key, value, &headers) {
        Ok(ids) => ids,
        Err(poison) => return poison.reason.to_owned(),
    };
    if let Some(id) = ids.value.filter(|id| *id != 1.into()) {
        return format!("asks for {id}");
    }
    let schema = &plan.sources[0].value.schema;
    let program = ids
        .value
        .map(|id| plan.compile_value(0, id, schema).unwrap());
    let mut processor = Processor::new(plan.clone(), vec![1; plan.schemas.len()]);
    let mut outputs = Outputs::default();
    let mut ended = None;
    let mut bytes = 0;
    let took = cpu_time(|| {
        bytes = allocated_bytes(|| {
            ended = Some(processor.process(None, program.as_ref(), &input, &mut outputs));
        });
    });
    assert!(took < TIME_MAX, "{took:?}");
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
    match ended.unwrap() {
        Verdict::Filtered(step) => format!("filtered by {}", plan.steps[usize::from(step)].name),
        Verdict::Poison(poison) => poison.reason.to_owned(),
        Verdict::Deliver => {
            let names = outputs.list.iter().map(|output| {
                let key = match outputs.part(output.key, key) {
                    None => "null".to_owned(),
                    Some(key) => format!("{} bytes", key.len()),
                };
                format!("{} ({key})", plan.routes[usize::from(output.route)].name)
            });
            let failed = outputs
                .failures
                .iter()
                .map(|poison| poison.reason.to_owned());
            names.chain(failed).collect::<Vec<_>>().join(", ")
        }
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

fn record(fields: Json) -> Json {
    json!({"type": "record", "name": "Event", "fields": fields})
}

fn one(ty: Json) -> Json {
    record(json!([{"name": "f", "type": ty}]))
}

#[test]
fn every_hostile_datum_ends_as_the_table_says() {
    let list = record(json!([{"name": "next", "type": ["null", "Event"]}]));
    let tree = record(json!([{"name": "of", "type": {"type": "array", "items": "Event"}}]));
    let array = |items: Json| one(json!({"type": "array", "items": items}));
    let map = one(json!({"type": "map", "values": "int"}));
    let decimal =
        one(json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}));
    let color = one(json!({"type": "enum", "name": "C", "symbols": ["RED", "BLUE"]}));
    let delivered = "passed (1 bytes), json (1 bytes), keyed (2 bytes)";
    let run = |length: i64, rest: usize| [long(length), vec![b'x'; rest]].concat();
    let table: Vec<(&str, Json, Vec<u8>, &str)> = vec![
        (
            "A-1 sixty levels",
            list.clone(),
            [vec![2; 60], vec![0]].concat(),
            delivered,
        ),
        (
            "A-1 five hundred levels",
            list.clone(),
            [vec![2; 500], vec![0]].concat(),
            "avro_limit",
        ),
        (
            "A-1 a million levels",
            list,
            vec![2; 1_000_000],
            "avro_limit",
        ),
        (
            "A-1 arrays of arrays",
            tree,
            vec![2; 1_000_000],
            "avro_limit",
        ),
        (
            "A-2 nine million nulls in five bytes",
            array(json!("null")),
            [long(9_000_000), vec![0]].concat(),
            "avro_limit",
        ),
        (
            "A-2 a map of a billion",
            map.clone(),
            long(1_000_000_000),
            "avro_limit",
        ),
        (
            "A-2 as many as there are",
            array(json!("int")),
            long(i64::MAX),
            "avro_limit",
        ),
        (
            "A-2 the smallest count",
            array(json!("null")),
            [long(i64::MIN), vec![0, 0]].concat(),
            "avro_limit",
        ),
        (
            "A-2 nested arrays of nothing",
            array(json!({"type": "array", "items": {"type": "array", "items": "null"}})),
            (0..10_000).flat_map(|_| long(1 << 20)).collect(),
            "truncated",
        ),
        (
            "A-2 a text of a terabyte",
            one(json!("string")),
            run(1 << 40, 3),
            "avro_limit",
        ),
        (
            "A-2 bytes of a terabyte",
            one(json!("bytes")),
            run(1 << 40, 3),
            "avro_limit",
        ),
        (
            "A-2 a fixed of four gigabytes",
            one(json!({"type": "fixed", "name": "F", "size": 4_000_000_000u32})),
            vec![0; 8],
            "avro_limit",
        ),
        (
            "A-2 a block of another size",
            map.clone(),
            vec![1, 8, 2, b'k', 14, 0],
            "avro_limit",
        ),
        (
            "A-2 a block that ends beyond",
            map.clone(),
            [vec![1], long(1 << 30), vec![2, b'k', 14, 0]].concat(),
            "avro_limit",
        ),
        (
            "A-4 bytes behind the datum",
            one(json!("int")),
            vec![14, 0],
            "trailing_bytes",
        ),
        (
            "A-4 a decimal longer than its precision",
            decimal.clone(),
            [long(3), vec![1, 0, 0]].concat(),
            "unrepresentable",
        ),
        (
            "A-4 a decimal of 100 kB",
            decimal.clone(),
            [long(100_000), vec![1; 100_000]].concat(),
            "unrepresentable",
        ),
        (
            "A-4 a decimal without digits",
            decimal,
            vec![0],
            "unrepresentable",
        ),
        (
            "A-4 ten bytes with bits beyond 64",
            one(json!("long")),
            [vec![0xFF; 9], vec![0x7F]].concat(),
            "bad_varint",
        ),
        (
            "an integer of eleven bytes",
            one(json!("long")),
            vec![0xFF; 11],
            "bad_varint",
        ),
        (
            "an int beyond 32 bits",
            one(json!("int")),
            vec![0xFE, 0xFF, 0xFF, 0xFF, 0x1F],
            "bad_varint",
        ),
        (
            "an integer that stops",
            one(json!("long")),
            vec![0x80],
            "truncated",
        ),
        ("no datum", one(json!("long")), vec![], "truncated"),
        (
            "a negative length",
            one(json!("bytes")),
            long(-5),
            "bad_length",
        ),
        (
            "text that is not UTF-8",
            one(json!("string")),
            vec![2, 0xFF],
            "bad_utf8",
        ),
        (
            "half of a surrogate pair",
            one(json!("string")),
            vec![6, 0xED, 0xA0, 0x80],
            "bad_utf8",
        ),
        (
            "a boolean that is neither",
            one(json!("boolean")),
            vec![2],
            "bad_boolean",
        ),
        (
            "a symbol that is not there",
            color.clone(),
            long(2),
            "bad_enum_index",
        ),
        (
            "a symbol before the first",
            color,
            long(-1),
            "bad_enum_index",
        ),
        (
            "a branch that is not there",
            one(json!(["null", "int"])),
            long(7),
            "bad_union_index",
        ),
        ("text with NUL", one(json!("string")), vec![2, 0], delivered),
        (
            "not a number",
            one(json!("double")),
            f64::NAN.to_le_bytes().to_vec(),
            delivered,
        ),
        (
            "a time beyond the calendar",
            one(json!({"type": "long", "logicalType": "timestamp-millis"})),
            long(i64::MAX),
            delivered,
        ),
    ];
    for (name, schema, datum, expected) in table {
        let plan = plan(&schema, "string");
        let mut value = Vec::new();
        frame::write(1, &mut value);
        value.extend_from_slice(&datum);
        assert_eq!(verdict(&plan, Some(b"k"), Some(&value)), expected, "{name}");
    }
}

#[test]
fn every_odd_frame_and_key_is_its_own_case() {
    let text = plan(&one(json!("int")), "string");
    let bytes = plan(&one(json!("int")), "bytes");
    let good = &[0, 0, 0, 0, 1, 14][..];
    type Case<'a> = (
        &'a str,
        &'a Arc<Plan>,
        Option<&'a [u8]>,
        Option<&'a [u8]>,
        &'a str,
    );
    let table: [Case<'_>; 16] = [
        (
            "an event",
            &text,
            Some(b"k"),
            Some(good),
            "passed (1 bytes), json (1 bytes), keyed (2 bytes)",
        ),
        ("an empty value", &text, Some(b"k"), Some(b""), "bad_frame"),
        (
            "only the magic byte",
            &text,
            Some(b"k"),
            Some(&[0]),
            "bad_frame",
        ),
        (
            "a short id",
            &text,
            Some(b"k"),
            Some(&[0, 0, 0, 1]),
            "bad_frame",
        ),
        (
            "another magic byte",
            &text,
            Some(b"k"),
            Some(&[1, 0, 0, 0, 1, 14]),
            "bad_frame",
        ),
        ("text", &text, Some(b"k"), Some(b"{\"a\":1}"), "bad_frame"),
        (
            "id 0",
            &text,
            Some(b"k"),
            Some(&[0, 0, 0, 0, 0, 14]),
            "bad_frame",
        ),
        (
            "the largest id",
            &text,
            Some(b"k"),
            Some(&[0, 127, 255, 255, 255, 14]),
            "asks for 2147483647",
        ),
        (
            "an id that no registry gives",
            &text,
            Some(b"k"),
            Some(&[0, 128, 0, 0, 0, 14]),
            "bad_frame",
        ),
        (
            "an unknown id",
            &text,
            Some(b"k"),
            Some(&[0, 0, 0, 0, 9]),
            "asks for 9",
        ),
        (
            "a tombstone",
            &text,
            Some(b"k"),
            None,
            "passed (1 bytes), json (1 bytes), keyed (2 bytes)",
        ),
        (
            "an empty key",
            &text,
            Some(b""),
            Some(good),
            "passed (0 bytes), json (0 bytes), keyed (1 bytes)",
        ),
        (
            "a null key",
            &bytes,
            None,
            Some(good),
            "passed (null), json (null)",
        ),
        (
            "an empty key of bytes",
            &bytes,
            Some(b""),
            Some(good),
            "passed (0 bytes), json (0 bytes), keyed (0 bytes)",
        ),
        (
            "a key of bytes that are no text",
            &bytes,
            Some(b"\xff"),
            Some(good),
            "passed (1 bytes), json (1 bytes), keyed (1 bytes)",
        ),
        (
            "a key that is no text",
            &text,
            Some(b"\xff"),
            Some(good),
            "passed (1 bytes), json (1 bytes), bad_utf8",
        ),
    ];
    for (name, plan, key, value, expected) in table {
        assert_eq!(verdict(plan, key, value), expected, "{name}");
    }
}

#[test]
fn a_schema_that_doubles_is_refused_before_any_datum() {
    // twenty-two levels of two fields, two kilobytes of schema, no byte of datum.
    let mut ty = json!("int");
    for level in 0..22 {
        let before = match level {
            0 => json!("int"),
            _ => json!(format!("R{}", level - 1)),
        };
        ty = json!({"type": "record", "name": format!("R{level}"), "fields": [
            {"name": "a", "type": ty}, {"name": "b", "type": before}]});
    }
    let mut parsed = None;
    let took = cpu_time(|| parsed = Some(Schema::parse(&ty.to_string())));
    let fault = parsed.unwrap().unwrap_err();
    assert!(fault.message.contains("written out"), "{}", fault.message);
    assert!(took < TIME_MAX, "{took:?}");
}
