//! A table changes while its topics are read: what becomes of values under a schema that has outgrown the checked one.

use std::sync::Arc;

use lockgate::codec::json::from_json;
use lockgate::codec::{Emit, FieldSource, Scan, Slots, Want};
use lockgate::schema::Schema;
use serde_json::{Value, json};

fn row(fields: Value) -> Arc<Schema> {
    let text = json!({"type": "record", "name": "Row", "fields": fields}).to_string();
    Arc::new(Schema::parse(&text).unwrap())
}

fn decimal(precision: u32) -> Value {
    json!({"type": "bytes", "connect.name": "org.apache.kafka.connect.data.Decimal",
        "connect.parameters": {"scale": "2", "connect.decimal.precision": precision.to_string()}})
}

/// Reads the field `x` of the checked type from a value of the writer's, and writes it into a field of the checked type.
fn carried(checked: &Value, writer: &Value, value: &Value) -> Result<Value, String> {
    let out = row(json!([{"name": "x", "type": checked}]));
    let bytes = carried_bytes(checked, writer, value)?;
    Ok(lockgate::codec::json::to_json(&out, &bytes).unwrap()["x"].clone())
}

/// The same as bytes, which say the branches of unions.
fn carried_bytes(checked: &Value, writer: &Value, value: &Value) -> Result<Vec<u8>, String> {
    let reader = row(json!([{"name": "id", "type": "int"}, {"name": "x", "type": checked}]));
    let written = row(json!([{"name": "id", "type": "int"}, {"name": "x", "type": writer}]));
    let wants = [Want { path: vec![1] }];
    let scan = Scan::compile_grown(&written, &reader, &wants, &[])
        .map_err(|why| format!("stops: {}", why[0].message))?;
    let datum = from_json(&written, &json!({"id": 1, "x": value})).unwrap();
    let mut slots = Slots::new();
    scan.run(&datum, &mut slots)
        .map_err(|fault| fault.reason.to_owned())?;
    let out = row(json!([{"name": "x", "type": checked}]));
    let emit = Emit::compile(&scan, scan.reader(), &wants, &out, &[FieldSource::Slot(0)])
        .map_err(|why| format!("stops: {why}"))?;
    let bump = bumpalo::Bump::new();
    let mut bytes = Vec::new();
    emit.run(&scan, &datum, &slots, &[], &bump, &mut bytes)
        .map_err(|fault| fault.reason.to_owned())?;
    Ok(bytes)
}

#[test]
fn a_value_keeps_its_meaning_or_is_a_fault_of_its_record() {
    let outgrown = Err("outgrown".to_owned());
    let null = |ty: Value| json!(["null", ty]);
    for (checked, writer, value, expected) in [
        // Widened.
        (json!("int"), json!("long"), json!(7), Ok(json!(7))),
        (
            json!("int"),
            json!("long"),
            json!(-2_147_483_648_i64),
            Ok(json!(-2_147_483_648_i64)),
        ),
        (
            json!("int"),
            json!("long"),
            json!(2_147_483_648_i64),
            outgrown.clone(),
        ),
        (json!("float"), json!("double"), json!(1.5), Ok(json!(1.5))),
        (
            json!("float"),
            json!("double"),
            json!(0.1),
            outgrown.clone(),
        ),
        (
            decimal(6),
            decimal(9),
            json!("1234.56"),
            Ok(json!("1234.56")),
        ),
        (decimal(6), decimal(9), json!("-12345.67"), outgrown.clone()),
        // Made nullable.
        (json!("int"), null(json!("int")), json!(7), Ok(json!(7))),
        (
            json!("int"),
            null(json!("int")),
            json!(null),
            outgrown.clone(),
        ),
        (
            json!("string"),
            null(json!("string")),
            json!("a"),
            Ok(json!("a")),
        ),
        (
            json!("string"),
            null(json!("string")),
            json!(null),
            outgrown.clone(),
        ),
        (
            decimal(6),
            null(decimal(6)),
            json!("1.00"),
            Ok(json!("1.00")),
        ),
        // Both.
        (json!("int"), null(json!("long")), json!(7), Ok(json!(7))),
        (
            json!("int"),
            null(json!("long")),
            json!(null),
            outgrown.clone(),
        ),
        (
            null(json!("int")),
            null(json!("long")),
            json!(null),
            Ok(json!(null)),
        ),
        (
            null(json!("int")),
            null(json!("long")),
            json!(1_i64 << 40),
            outgrown.clone(),
        ),
        (null(json!("int")), json!("long"), json!(5), Ok(json!(5))),
    ] {
        assert_eq!(
            carried(&checked, &writer, &value),
            expected,
            "{writer} as {checked}: {value}"
        );
    }
}

#[test]
fn another_meaning_is_never_read_as_the_checked_one() {
    let named = |ty: &str, name: &str| json!({"type": ty, "connect.name": name});
    for (checked, writer) in [
        (json!("int"), json!("string")),
        (json!("string"), json!("int")),
        (
            named("long", "io.debezium.time.Timestamp"),
            named("long", "io.debezium.time.MicroTimestamp"),
        ),
        (named("int", "io.debezium.time.Date"), json!("long")),
        (
            json!({"type": "array", "items": "int"}),
            json!({"type": "array", "items": "long"}),
        ),
    ] {
        let value = if writer == "string" {
            json!("1")
        } else {
            json!(1)
        };
        let value = if writer["type"] == "array" {
            json!([1])
        } else {
            value
        };
        let found = carried(&checked, &writer, &value).unwrap_err();
        assert!(
            found.starts_with("stops: "),
            "{writer} as {checked}: {found}"
        );
    }
    // The scale of a decimal is what its digits mean.
    let mut finer = decimal(6);
    finer["connect.parameters"]["scale"] = json!("3");
    let found = carried(&decimal(6), &finer, &json!("1.234")).unwrap_err();
    assert!(found.starts_with("stops: "), "{found}");
}

#[test]
fn a_column_that_is_gone_stops_what_reads_it_and_nothing_else() {
    let reader = row(json!([
        {"name": "id", "type": "int"}, {"name": "gone", "type": "string"},
        {"name": "other", "type": "string"}, {"name": "kept", "type": ["null", "string"], "default": null}
    ]));
    let writer = row(json!([
        {"name": "id", "type": "int"}, {"name": "other", "type": "boolean"}, {"name": "new", "type": "string"}
    ]));
    let want = |field: u32| Want { path: vec![field] };
    let scan = Scan::compile_grown(&writer, &reader, &[want(0), want(3)], &[]).unwrap();
    let datum = from_json(&writer, &json!({"id": 7, "other": true, "new": "x"})).unwrap();
    let mut slots = Slots::new();
    scan.run(&datum, &mut slots).unwrap();
    assert!(matches!(
        scan.get(&slots, 0, &datum),
        lockgate::codec::Val::Int(7)
    ));
    assert!(scan.is_null(&slots, 1));
    for (field, why) in [(1, "no default"), (2, "cannot be read as")] {
        let found = Scan::compile_grown(&writer, &reader, &[want(0), want(field)], &[]);
        let found = found.err().unwrap();
        assert!(
            found.iter().any(|one| one.message.contains(why)),
            "{found:?}"
        );
    }
    // A row as a whole is all of its columns.
    let whole = [Want { path: vec![] }, want(0)];
    assert!(Scan::compile_grown(&writer, &reader, &whole[..1], &[]).is_err());
    assert!(Scan::compile_grown(&writer, &reader, &whole, &[0]).is_ok());
}

#[test]
fn a_table_that_grows_under_its_envelope_is_read_on() {
    let envelope = |fields: Value| {
        let value = json!({"type": "record", "name": "Value", "fields": fields});
        row(json!([
            {"name": "before", "type": ["null", value], "default": null},
            {"name": "after", "type": ["null", "Value"], "default": null},
            {"name": "op", "type": "string"}
        ]))
    };
    let reader = envelope(json!([
        {"name": "id", "type": "int"}, {"name": "count", "type": "int"}, {"name": "gone", "type": "string"}
    ]));
    let writer = envelope(json!([
        {"name": "id", "type": "int"}, {"name": "count", "type": ["null", "long"], "default": null}
    ]));
    // before and after are asked for, count is read of both.
    let wants: Vec<Want> = [vec![0], vec![1], vec![1, 1], vec![0, 1], vec![2]]
        .map(|path| Want { path })
        .to_vec();
    let scan = Scan::compile_grown(&writer, &reader, &wants, &[0, 1]).unwrap();
    let run = |event: Value| {
        let datum = from_json(&writer, &event).unwrap();
        let mut slots = Slots::new();
        scan.run(&datum, &mut slots)
            .map(|()| format!("{:?}", scan.get(&slots, 2, &datum)))
            .map_err(|fault| fault.reason)
    };
    let event = |before: Value, count: Value| {
        run(json!({"before": before, "after": {"id": 1, "count": count}, "op": "u"}))
    };
    assert_eq!(event(Value::Null, json!(5)), Ok("Int(5)".to_owned()));
    assert_eq!(event(Value::Null, Value::Null), Err("outgrown"));
    assert_eq!(
        event(json!({"id": 1, "count": 4}), json!(5)),
        Ok("Int(5)".to_owned())
    );
    assert_eq!(
        event(json!({"id": 1, "count": null}), json!(5)),
        Err("outgrown")
    );
}

#[test]
fn a_union_of_records_that_look_alike_is_not_built_for_a_grown_writer() {
    let union = |more: Value, second: &str, ty: &str| {
        let mut fields = vec![json!({"name": "n", "type": "int"})];
        fields.extend(more.as_array().unwrap().clone());
        json!([{"type": "record", "name": "And", "fields": fields},
            {"type": "record", "name": "Or", "fields": [{"name": second, "type": ty}]}])
    };
    let new = || json!([{"name": "new", "type": "int", "default": 0}]);
    let value = json!({"$type": "Or", "value": {"n": 7}});
    let alike = union(json!([]), "n", "int");
    // As bytes it is what it was: of the second branch, 7.
    assert_eq!(carried_bytes(&alike, &alike, &value), Ok(vec![2, 14]));
    let found = carried_bytes(&alike, &union(new(), "n", "int"), &value).unwrap_err();
    assert!(
        found.starts_with("stops: ") && found.contains("record And or record Or"),
        "{found}"
    );
    // A name or a type that differs says which it is.
    let (named, typed) = (json!({"m": 7}), json!({"n": "7"}));
    for (second, ty, value, expected) in [
        ("m", "int", named, vec![2, 14]),
        ("n", "string", typed, vec![2, 2, b'7']),
    ] {
        let (checked, writer) = (union(json!([]), second, ty), union(new(), second, ty));
        let value = json!({"$type": "Or", "value": value});
        assert_eq!(
            carried_bytes(&checked, &writer, &value),
            Ok(expected),
            "{second} {ty}"
        );
    }
}
