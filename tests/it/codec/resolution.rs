//! Goal: the verdicts of schema resolution, and that what resolves is read as Avro says.
//! Method: a table of pairs with the expected verdict; for readable ones a value of the writer and what the reader sees,
//! cross-checked with `apache-avro` where it resolves such a pair at all.

use bumpalo::Bump;
use lockgate::codec::{Scan, Slots, Want, json};
use lockgate::schema::compare::difference;
use lockgate::schema::resolve::resolvable;
use serde_json::{Value, json};

use super::schema;

fn record(fields: Value) -> Value {
    json!({"type": "record", "name": "R", "fields": fields})
}

fn of(ty: Value) -> Value {
    json!({"type": "record", "name": "Outer", "fields": [{"name": "f", "type": ty}]})
}

fn enumeration(symbols: Value, default: Option<&str>) -> Value {
    let mut ty = json!({"type": "enum", "name": "E", "symbols": symbols});
    if let Some(default) = default {
        ty["default"] = json!(default);
    }
    ty
}

fn logical(ty: &str, name: &str) -> Value {
    json!({"type": ty, "logicalType": name})
}

fn decimal(precision: u32, scale: u32) -> Value {
    json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
}

/// Writer, reader, and the part of the message that says why not; empty if it resolves.
fn verdicts() -> Vec<(Value, Value, &'static str)> {
    let fixed = |name: &str, size: u32| json!({"type": "fixed", "name": name, "size": size});
    let named = |name: &str, aliases: Value| json!({"type": "record", "name": name, "aliases": aliases, "fields": [{"name": "f", "type": "int"}]});
    let mut cases = Vec::new();
    let plain = [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    ];
    let promotions = [
        ("int", "long"),
        ("int", "float"),
        ("int", "double"),
        ("long", "float"),
        ("long", "double"),
        ("float", "double"),
        ("string", "bytes"),
        ("bytes", "string"),
    ];
    for w in plain {
        for r in plain {
            let ok = w == r || promotions.contains(&(w, r));
            cases.push((
                json!(w),
                json!(r),
                if ok { "" } else { "cannot be read as" },
            ));
        }
    }
    cases.extend([
        // Records: names, aliases, order, defaults.
        (named("a.R", json!([])), named("b.R", json!([])), ""),
        (named("a.R", json!([])), named("a.S", json!([])), "cannot be read as"),
        (named("a.R", json!([])), named("a.S", json!(["R"])), ""),
        (named("a.R", json!([])), named("b.S", json!(["a.R"])), ""),
        (record(json!([{"name": "a", "type": "int"}, {"name": "b", "type": "string"}])), record(json!([{"name": "b", "type": "string"}, {"name": "a", "type": "long"}])), ""),
        (record(json!([])), record(json!([{"name": "a", "type": "int"}])), "a: the writer lacks the field"),
        (record(json!([])), record(json!([{"name": "a", "type": "int", "default": 5}])), ""),
        (record(json!([])), record(json!([{"name": "a", "type": "int", "default": "x"}])), "default is invalid"),
        (record(json!([])), record(json!([{"name": "a", "type": ["null", "int"], "default": 5}])), ""),
        (record(json!([{"name": "old", "type": "int"}])), record(json!([{"name": "new", "aliases": ["old"], "type": "int"}])), ""),
        (record(json!([{"name": "extra", "type": "int"}])), record(json!([])), ""),
        // Unions: every branch of the writer must be readable.
        (json!(["null", "int"]), json!(["int", "null"]), ""),
        (json!(["null", "int"]), json!(["null", "string", "long"]), ""),
        (json!(["null", "int"]), json!("int"), "null cannot be read as int"),
        (json!(["int", "float"]), json!("double"), ""),
        (json!("int"), json!(["null", "int"]), ""),
        (json!("int"), json!(["null", "string"]), "cannot be read as"),
        (json!(["null", "int", "string"]), json!(["null", "int"]), "cannot be read as"),
        // Enums and fixed.
        (enumeration(json!(["A", "B"]), None), enumeration(json!(["B", "A", "C"]), None), ""),
        (enumeration(json!(["A", "B"]), None), enumeration(json!(["A"]), None), "symbols that the reader lacks"),
        (enumeration(json!(["A", "B"]), None), enumeration(json!(["A"]), Some("A")), ""),
        (enumeration(json!(["A"]), None), json!("string"), "cannot be read as"),
        (fixed("F", 4), fixed("F", 4), ""),
        (fixed("F", 4), fixed("F", 5), "cannot be read as"),
        (fixed("F", 4), fixed("G", 4), "cannot be read as"),
        // Containers.
        (json!({"type": "array", "items": "int"}), json!({"type": "array", "items": "long"}), ""),
        (json!({"type": "array", "items": "long"}), json!({"type": "array", "items": "int"}), "[]: long cannot be read as int"),
        (json!({"type": "map", "values": "int"}), json!({"type": "map", "values": "string"}), "{}"),
        (json!({"type": "map", "values": "int"}), json!({"type": "array", "items": "int"}), "cannot be read as"),
        // Meanings: the specification ignores most of them; a wrong unit is a wrong value.
        (logical("long", "timestamp-millis"), logical("long", "timestamp-micros"), "cannot be read as"),
        (logical("long", "timestamp-millis"), json!("long"), ""),
        (json!("long"), logical("long", "timestamp-millis"), "cannot be read as"),
        (logical("int", "date"), logical("int", "date"), ""),
        (logical("int", "date"), json!("long"), ""),
        (json!("string"), logical("string", "uuid"), ""),
        (decimal(10, 2), decimal(12, 2), ""),
        (decimal(12, 2), decimal(10, 2), "cannot be read as"),
        (decimal(12, 2), decimal(12, 3), "cannot be read as"),
        (decimal(12, 2), json!("bytes"), ""),
        // Recursion ends.
        (json!({"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}, {"name": "v", "type": "int"}]}),
         json!({"type": "record", "name": "L", "fields": [{"name": "v", "type": "long"}, {"name": "n", "type": ["null", "L"]}]}), ""),
        (json!({"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}, {"name": "v", "type": "long"}]}),
         json!({"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}, {"name": "v", "type": "int"}]}), "v: long cannot be read as int"),
    ]);
    cases
}

#[test]
fn verdicts_are_those_of_the_table() {
    for (w, r, why) in verdicts() {
        for (w, r) in [(w.clone(), r.clone()), (of(w), of(r))] {
            let verdict = resolvable(&schema(&w), &schema(&r));
            match (&verdict, why) {
                (Ok(()), "") => {}
                (Err(faults), why) if !why.is_empty() => {
                    let text = faults
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join("; ");
                    assert!(text.contains(why), "{w} as {r}: {text}");
                }
                _ => panic!("{w} as {r}: {verdict:?}, expected {why:?}"),
            }
            // Compiling has the same opinion.
            assert_eq!(
                Scan::compile(&schema(&w), &schema(&r), &[]).is_ok(),
                verdict.is_ok()
            );
        }
    }
}

#[test]
fn all_mismatches_are_told_at_once() {
    let w = schema(record(
        json!([{"name": "a", "type": "string"}, {"name": "b", "type": "long"}, {"name": "c", "type": of(json!("null"))["fields"][0]["type"]}]),
    ));
    let r = schema(record(
        json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}, {"name": "c", "type": "null"}, {"name": "d", "type": "int"}]),
    ));
    let paths: Vec<_> = resolvable(&w, &r)
        .unwrap_err()
        .into_iter()
        .map(|m| m.path)
        .collect();
    assert_eq!(paths, ["a", "b", "d"]);
}

/// Reads a datum of `writer` through a scan to `reader` and gives the whole value in the form of plain JSON.
fn read_as(writer: &Value, reader: &Value, value: &Value) -> String {
    let (w, r) = (schema(writer), schema(reader));
    let datum = json::from_json(&w, value).unwrap();
    let whole = Want { path: vec![] };
    let scan = Scan::compile(&w, &r, &[whole]).unwrap();
    let mut slots = Slots::new();
    scan.run(&datum, &mut slots).unwrap();
    let bump = Bump::new();
    format!("{:?}", scan.materialise(&slots, 0, &datum, &bump).unwrap())
}

#[test]
fn what_resolves_is_read_as_the_reader_says() {
    let w = record(json!([
        {"name": "id", "type": "int"},
        {"name": "gone", "type": {"type": "array", "items": "string"}},
        {"name": "color", "type": {"type": "enum", "name": "C", "symbols": ["RED", "BLUE", "PINK"]}},
        {"name": "any", "type": ["null", "string", "int"]},
    ]));
    let r = record(json!([
        {"name": "note", "type": ["null", "string"], "default": null},
        {"name": "color", "type": {"type": "enum", "name": "C", "symbols": ["BLUE", "RED", "OTHER"], "default": "OTHER"}},
        {"name": "any", "type": ["long", "bytes", "null"]},
        {"name": "number", "aliases": ["id"], "type": "double"},
        {"name": "level", "type": "string", "default": "low"},
        {"name": "deep", "type": {"type": "record", "name": "D", "fields": [{"name": "x", "type": "int", "default": 7}]}, "default": {}},
    ]));
    let value = json!({"id": 3, "gone": ["a", "b"], "color": "PINK", "any": 5});
    assert_eq!(
        read_as(&w, &r, &value),
        "Map([(Str(\"note\"), Null), (Str(\"color\"), Str(\"OTHER\")), (Str(\"any\"), Int(5)), \
         (Str(\"number\"), Double(3.0)), (Str(\"level\"), Str(\"low\")), \
         (Str(\"deep\"), Map([(Str(\"x\"), Int(7))]))])"
    );
    // The same through single slots, the default's inside included.
    let (ws, rs) = (schema(&w), schema(&r));
    let wants: Vec<Want> = [
        vec![0],
        vec![1],
        vec![2],
        vec![3],
        vec![4],
        vec![5, 0],
        vec![5],
        vec![5, 0],
    ]
    .map(|path| Want { path })
    .into();
    let scan = Scan::compile(&ws, &rs, &wants).unwrap();
    let datum = json::from_json(
        &ws,
        &json!({"id": 3, "gone": [], "color": "RED", "any": "x"}),
    )
    .unwrap();
    let mut slots = Slots::new();
    scan.run(&datum, &mut slots).unwrap();
    let seen: Vec<_> = (0..8)
        .map(|slot| format!("{:?}", scan.get(&slots, slot, &datum)))
        .collect();
    assert_eq!(
        seen,
        [
            "Null",
            "Str(\"RED\")",
            "Bytes([120])",
            "Double(3.0)",
            "Str(\"low\")",
            "Int(7)",
            "Bytes([14])",
            "Int(7)"
        ]
    );
}

#[test]
fn bytes_that_a_reader_takes_as_text_must_be_text() {
    let (w, r) = (schema(of(json!("bytes"))), schema(of(json!("string"))));
    let scan = Scan::compile(&w, &r, &[]).unwrap();
    assert!(scan.run(&[4, b'o', b'k'], &mut Slots::new()).is_ok());
    assert_eq!(
        scan.run(&[2, 0xFF], &mut Slots::new()).unwrap_err().reason,
        "bad_utf8"
    );
}

#[test]
fn references_are_types_of_their_own() {
    let address =
        r#"{"type":"record","name":"shop.Address","fields":[{"name":"zip","type":"string"}]}"#;
    let customer = r#"{"type":"record","name":"shop.Customer","fields":[{"name":"home","type":"shop.Address"},{"name":"work","type":["null","Address"]}]}"#;
    let parsed =
        lockgate::schema::Schema::parse_with(customer, &[("shop.Address".into(), address.into())])
            .unwrap();
    assert_eq!(parsed.root_name(), Some("shop.Customer"));
    let (_, home) = parsed.field(parsed.root, "home").unwrap();
    assert_eq!(parsed.field(home.ty, "zip").unwrap().0, 0);
    assert!(
        lockgate::schema::Schema::parse(customer).is_err(),
        "without the reference the type is unknown"
    );
}

#[test]
fn differences_are_told_in_words() {
    let w = schema(record(
        json!([{"name": "a", "type": "long"}, {"name": "note", "type": "string"}, {"name": "e", "type": enumeration(json!(["A", "B"]), None)}]),
    ));
    let r = schema(record(
        json!([{"name": "a", "type": "int"}, {"name": "old", "type": "string"}, {"name": "e", "type": enumeration(json!(["A", "C"]), None)}]),
    ));
    let words: Vec<_> = difference(&w, &r).iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "field a: int became long",
            "field note added",
            "enum e: added B removed C",
            "field old removed"
        ]
    );
    assert!(difference(&w, &w).is_empty());
}
