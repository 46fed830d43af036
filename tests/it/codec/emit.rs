//! Goal: what is written is what the output schema says, whether bytes are copied, converted or computed; what does not
//! fit is refused with its reason and leaves nothing behind.

use std::sync::Arc;

use bumpalo::Bump;
use lockgate::codec::{
    Decimal, Emit, EmitFault, FieldSource, Scan, Slots, Val, Want, copyable, encodable, encode,
    json,
};
use lockgate::expr::Type;
use lockgate::schema::Schema;
use serde_json::{Value, json};

use super::schema;

/// The orders envelope of the shop, as Debezium registered it.
fn orders() -> Arc<Schema> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop.json"))
            .unwrap();
    let shop: Value = serde_json::from_str(&text).unwrap();
    schema(&shop["schemas"]["6"])
}

fn order() -> Value {
    json!({
        "before": null,
        "after": {
            "id": "00000000-0000-4000-8000-000000000001", "customer_id": 2, "status": "placed", "currency": "EUR",
            "price": "137.50", "quantity": 2, "weight_kg": 0.5, "discount": null, "note": "nöte", "placed_on": "2026-11-22",
            "ship_after": "08:30:00", "updated_at": "2026-11-22T18:08:13.414675", "payload": "3q2+7w==",
        },
        "source": {"version": "3", "connector": "postgresql", "name": "shop", "ts_ms": 1, "snapshot": "false", "db": "shop",
            "sequence": null, "ts_us": null, "ts_ns": null, "schema": "public", "table": "orders", "txId": 7, "lsn": 9, "xmin": null},
        "transaction": null, "op": "c", "ts_ms": 5, "ts_us": null, "ts_ns": null,
    })
}

fn want(schema: &Schema, path: &str) -> Want {
    let mut node = schema.root;
    let mut indexes = Vec::new();
    for name in path.split('.') {
        let (record, _) = schema.strip_null(node);
        let (index, field) = schema
            .field(record, name)
            .unwrap_or_else(|| panic!("no {name} in {path}"));
        indexes.push(index);
        node = field.ty;
    }
    Want { path: indexes }
}

/// Copies `paths` of an order into a record of `fields`, read back as JSON.
fn copied(fields: Value, paths: &[&str], order: &Value) -> Result<Value, EmitFault> {
    let writer = orders();
    copied_from(&writer, &writer, fields, paths, order)
}

fn copied_from(
    writer: &Schema,
    reader: &Arc<Schema>,
    fields: Value,
    paths: &[&str],
    order: &Value,
) -> Result<Value, EmitFault> {
    let out = schema(json!({"type": "record", "name": "Out", "fields": fields}));
    let wants: Vec<_> = paths.iter().map(|path| want(reader, path)).collect();
    let scan = Scan::compile(writer, reader, &wants).unwrap();
    let sources: Vec<_> = (0..paths.len())
        .map(|slot| FieldSource::Slot(slot as u16))
        .collect();
    let emit = Emit::compile(&scan, reader, &wants, &out, &sources).unwrap();
    let datum = json::from_json(writer, order).unwrap();
    let mut slots = Slots::new();
    scan.run(&datum, &mut slots).unwrap();
    let mut bytes = b"before".to_vec();
    let done = emit.run(&scan, &datum, &slots, &[], &Bump::new(), &mut bytes);
    if let Err(fault) = done {
        assert_eq!(bytes, b"before", "a fault leaves nothing behind");
        return Err(fault);
    }
    Ok(json::to_json(&out, &bytes[6..]).unwrap())
}

fn decimal(precision: u32, scale: u32) -> Value {
    json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
}

#[test]
fn fields_are_copied_whatever_their_encodings() {
    let fields = json!([
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "customer", "type": ["null", "long"]},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["cancelled", "placed", "paid", "shipped"]}},
        {"name": "price", "type": decimal(12, 2)},
        {"name": "exact", "type": {"type": "fixed", "name": "F", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 4}},
        {"name": "quantity", "type": "double"},
        {"name": "weight", "type": ["double", "null"]},
        {"name": "note", "type": ["null", "string"]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "time", "type": ["null", {"type": "long", "logicalType": "time-micros"}]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
        {"name": "at_number", "type": "long"},
        {"name": "payload", "type": ["null", "bytes"]},
        {"name": "source", "type": {"type": "record", "name": "S", "fields": [{"name": "lsn", "type": ["null", "long"]}, {"name": "db", "type": "string"}, {"name": "more", "type": "int", "default": 3}]}},
    ]);
    let paths = [
        "after.id",
        "after.customer_id",
        "after.status",
        "after.price",
        "after.price",
        "after.quantity",
        "after.weight_kg",
        "after.note",
        "after.placed_on",
        "after.ship_after",
        "after.updated_at",
        "after.updated_at",
        "after.payload",
        "source",
    ];
    let seen = copied(fields, &paths, &order()).unwrap();
    assert_eq!(
        seen,
        json!({
            "id": "00000000-0000-4000-8000-000000000001", "customer": 2, "status": "placed", "price": "137.50",
            "exact": "137.5000", "quantity": 2.0, "weight": 0.5, "note": "nöte", "day": "2026-11-22", "time": "08:30:00",
            "at": "2026-11-22T18:08:13.414675Z", "at_number": 1_795_370_893_414_675i64, "payload": "3q2+7w==",
            "source": {"lsn": 9, "db": "shop", "more": 3},
        })
    );
}

#[test]
fn whole_records_are_copied_and_nulls_stay_nulls() {
    let row = json!({"type": "record", "name": "Row", "fields": [
        {"name": "quantity", "type": "int"}, {"name": "price", "type": decimal(14, 2)}, {"name": "note", "type": ["null", "string"]},
    ]});
    let fields = json!([{"name": "old", "type": ["null", row]}, {"name": "new", "type": ["null", "Row"]}, {"name": "op", "type": "string"}]);
    let seen = copied(fields, &["before", "after", "op"], &order()).unwrap();
    assert_eq!(
        seen,
        json!({"old": null, "new": {"quantity": 2, "price": "137.50", "note": "nöte"}, "op": "c"})
    );
}

#[test]
fn a_null_parent_is_null_where_the_target_allows_it_and_a_fault_elsewhere() {
    let nullable = json!([{"name": "a", "type": ["null", "string"]}, {"name": "b", "type": ["null", "long"]}, {"name": "c", "type": ["int", "null"]}]);
    let paths = ["before.id", "before.customer_id", "before.quantity"];
    assert_eq!(
        copied(nullable, &paths, &order()).unwrap(),
        json!({"a": null, "b": null, "c": null})
    );
    let neighbours = json!([{"name": "discount", "type": ["null", "double"]}, {"name": "note", "type": ["null", "string"]}]);
    let paths = ["before.discount", "before.note"];
    assert_eq!(
        copied(neighbours, &paths, &order()).unwrap(),
        json!({"discount": null, "note": null})
    );
    let required = json!([{"name": "discount", "type": ["null", "double"]}, {"name": "note", "type": "string"}]);
    let fault = copied(required, &paths, &order()).unwrap_err();
    assert_eq!(
        (fault.field.as_str(), fault.reason),
        ("note", "unexpected_null")
    );
    let required = json!([{"name": "id", "type": "string"}, {"name": "customer", "type": "long"}]);
    let fault = copied(required, &["before.id", "before.customer_id"], &order()).unwrap_err();
    assert_eq!(
        (fault.field.as_str(), fault.reason),
        ("id", "unexpected_null")
    );
}

#[test]
fn a_default_of_a_field_that_the_writer_lacks_is_written() {
    let writer = schema(
        json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "z", "type": "string"}]}),
    );
    let reader = schema(json!({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "long"},
        {"name": "level", "type": "string", "default": "low"},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}, "default": "Y"},
        {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
        {"name": "z", "type": "string"},
    ]}));
    let fields = json!([
        {"name": "a", "type": "long"},
        {"name": "level", "type": ["null", "string"]},
        {"name": "e", "type": "string"},
        {"name": "list", "type": {"type": "array", "items": ["null", "int"]}},
        {"name": "z", "type": "string"},
    ]);
    let seen = copied_from(
        &writer,
        &reader,
        fields,
        &["a", "level", "e", "list", "z"],
        &json!({"a": 1, "z": "end"}),
    )
    .unwrap();
    assert_eq!(
        seen,
        json!({"a": 1, "level": "low", "e": "Y", "list": [1, 2], "z": "end"})
    );
}

#[test]
fn values_that_do_not_fit_are_refused_by_name() {
    // The checker would refuse most of these pairs; the writer of bytes must not rely on it.
    let reason = |field: Value, path: &str, change: fn(&mut Value)| {
        let mut order = order();
        change(&mut order["after"]);
        copied(json!([{"name": "f", "type": field}]), &[path], &order).map_err(|fault| fault.reason)
    };
    let no = |_: &mut Value| {};
    assert_eq!(
        reason(decimal(4, 2), "after.price", no),
        Err("decimal_overflow")
    );
    assert_eq!(
        reason(decimal(12, 1), "after.price", no),
        Ok(json!({"f": "137.5"}))
    );
    assert_eq!(
        reason(decimal(12, 0), "after.price", no),
        Err("unrepresentable")
    );
    assert_eq!(
        reason(json!("int"), "after.customer_id", |a| a["customer_id"] =
            json!(1i64 << 40)),
        Err("int_overflow")
    );
    assert_eq!(
        reason(json!("double"), "after.customer_id", |a| a["customer_id"] =
            json!(9_007_199_254_740_993i64)),
        Err("unrepresentable")
    );
    let millis = json!({"type": "long", "logicalType": "timestamp-millis"});
    assert_eq!(
        reason(millis, "after.updated_at", no),
        Err("unrepresentable"),
        "a copy cuts no digits"
    );
    let status = json!({"type": "enum", "name": "S", "symbols": ["paid"]});
    assert_eq!(reason(status, "after.status", no), Err("unrepresentable"));
    assert_eq!(
        reason(json!("string"), "after.note", |a| a["note"] = Value::Null),
        Err("unexpected_null")
    );
}

#[test]
fn computed_values_are_written_as_the_target_says() {
    let price = Decimal::parse("12.5").unwrap();
    let half = Decimal::parse("0.125").unwrap();
    let written = |ty: Value, value: Val<'_>| {
        let schema = schema(ty);
        let mut out = Vec::new();
        encode::value(&schema, schema.root, &value, &mut out).map_err(|fault| fault.reason)?;
        Ok(json::to_json(&schema, &out).unwrap())
    };
    let connect = |ty: &str, name: &str| json!({"type": ty, "connect.name": name});
    let avro = |ty: &str, name: &str| json!({"type": ty, "logicalType": name});
    let instant = Val::Timestamp(1_795_370_893, 411_558_999);
    let cases: Vec<(Value, Val<'_>, Result<Value, &str>)> = vec![
        (decimal(6, 2), Val::Decimal(&price), Ok(json!("12.50"))),
        (decimal(6, 2), Val::Decimal(&half), Err("unrepresentable")),
        (decimal(3, 2), Val::Decimal(&price), Err("decimal_overflow")),
        (decimal(6, 2), Val::Int(-7), Ok(json!("-7.00"))),
        (json!(["null", decimal(6, 2)]), Val::Null, Ok(json!(null))),
        (
            json!({"type": "record", "name": "V", "connect.name": "io.debezium.data.VariableScaleDecimal", "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}]}),
            Val::Decimal(&half),
            Ok(json!("0.125")),
        ),
        (
            avro("long", "timestamp-millis"),
            instant,
            Ok(json!("2026-11-22T18:08:13.411Z")),
        ),
        (
            avro("long", "timestamp-micros"),
            instant,
            Ok(json!("2026-11-22T18:08:13.411558Z")),
        ),
        (
            connect("long", "io.debezium.time.NanoTimestamp"),
            instant,
            Ok(json!("2026-11-22T18:08:13.411558999")),
        ),
        (
            connect("string", "io.debezium.time.ZonedTimestamp"),
            instant,
            Ok(json!("2026-11-22T18:08:13.411558999Z")),
        ),
        (
            connect("long", "org.apache.kafka.connect.data.Timestamp"),
            Val::Timestamp(-1, 500_000_000),
            Ok(json!("1969-12-31T23:59:59.500Z")),
        ),
        (
            avro("int", "time-millis"),
            Val::Duration(30_600, 1_000_000),
            Ok(json!("08:30:00.001")),
        ),
        (
            avro("int", "time-millis"),
            Val::Duration(86_400, 0),
            Err("unrepresentable"),
        ),
        (
            connect("long", "io.debezium.time.MicroDuration"),
            Val::Duration(-1, -500_000_000),
            Ok(json!("-PT1.500S")),
        ),
        (
            avro("int", "date"),
            Val::Int(20_779),
            Ok(json!("2026-11-22")),
        ),
        (
            avro("string", "uuid"),
            Val::Str("00000000-0000-4000-8000-000000000001"),
            Ok(json!("00000000-0000-4000-8000-000000000001")),
        ),
        (
            avro("string", "uuid"),
            Val::Str("not-a-uuid"),
            Err("unrepresentable"),
        ),
        (
            connect("string", "io.debezium.data.Json"),
            Val::Str("{"),
            Err("unrepresentable"),
        ),
        (json!("int"), Val::Uint(1 << 40), Err("int_overflow")),
        (json!("long"), Val::Uint(u64::MAX), Err("int_overflow")),
        (
            json!("float"),
            Val::Double(0.1),
            Ok(json!(0.10000000149011612)),
        ),
        (json!("float"), Val::Double(1e300), Err("unrepresentable")),
        (json!("double"), Val::Double(f64::NAN), Ok(json!("NaN"))),
        (
            json!(["null", "long", "string"]),
            Val::Str("x"),
            Ok(json!("x")),
        ),
        (
            json!({"type": "array", "items": ["null", "int"]}),
            Val::List(&[Val::Int(1), Val::Null]),
            Ok(json!([1, null])),
        ),
        (
            json!({"type": "map", "values": "boolean"}),
            Val::Map(&[(Val::Str("k"), Val::Bool(true))]),
            Ok(json!({"k": true})),
        ),
        (
            json!({"type": "fixed", "name": "F", "size": 2}),
            Val::Bytes(&[1]),
            Err("unrepresentable"),
        ),
        (json!("string"), Val::Null, Err("unexpected_null")),
        (json!("string"), Val::Int(1), Err("unrepresentable")),
    ];
    for (ty, value, expected) in cases {
        assert_eq!(written(ty.clone(), value), expected, "{value:?} as {ty}");
    }
}

#[test]
fn the_checker_says_what_may_be_copied() {
    let avro = |ty: &str, name: &str| json!({"type": ty, "logicalType": name});
    let connect = |ty: &str, name: &str| json!({"type": ty, "connect.name": name});
    let row = |fields: Value| json!({"type": "record", "name": "R", "fields": fields});
    let color = |symbols: Value| json!({"type": "enum", "name": "C", "symbols": symbols});
    let cases = [
        (json!("int"), json!("long"), ""),
        (json!("int"), json!("double"), ""),
        (json!("int"), json!("float"), "cannot be copied"),
        (json!("long"), json!("int"), "cannot be copied"),
        (json!("long"), json!("double"), "2^53"),
        (json!("string"), json!("bytes"), ""),
        (json!("bytes"), json!("string"), "cannot be copied"),
        (json!(["null", "int"]), json!("int"), ""),
        (decimal(12, 2), decimal(12, 2), ""),
        (decimal(12, 2), decimal(14, 4), ""),
        (decimal(12, 2), decimal(12, 4), "fewer digits"),
        (decimal(12, 2), json!("bytes"), "without their scale"),
        (decimal(12, 2), json!("string"), "without their scale"),
        (
            connect("long", "io.debezium.time.MicroTimestamp"),
            avro("long", "timestamp-micros"),
            "",
        ),
        (
            connect("long", "io.debezium.time.MicroTimestamp"),
            avro("long", "timestamp-nanos"),
            "",
        ),
        (
            connect("long", "io.debezium.time.MicroTimestamp"),
            avro("long", "timestamp-millis"),
            "coarser",
        ),
        (
            connect("long", "io.debezium.time.MicroTimestamp"),
            json!("long"),
            "",
        ),
        (
            json!("long"),
            avro("long", "timestamp-millis"),
            "is not known",
        ),
        (
            avro("long", "timestamp-micros"),
            avro("long", "time-micros"),
            "cannot be copied",
        ),
        (
            connect("int", "io.debezium.time.Date"),
            avro("int", "date"),
            "",
        ),
        (
            connect("string", "io.debezium.time.ZonedTimestamp"),
            avro("long", "timestamp-micros"),
            "",
        ),
        (
            connect("string", "io.debezium.data.Uuid"),
            avro("string", "uuid"),
            "",
        ),
        (
            connect("string", "io.debezium.data.Uuid"),
            json!("string"),
            "",
        ),
        (color(json!(["A"])), color(json!(["B", "A"])), ""),
        (color(json!(["A", "B"])), color(json!(["A"])), "symbols"),
        (color(json!(["A"])), json!("string"), ""),
        (json!("string"), color(json!(["A"])), "cannot be copied"),
        (
            json!({"type": "array", "items": ["null", "int"]}),
            json!({"type": "array", "items": "int"}),
            "may be null",
        ),
        (
            json!({"type": "array", "items": "int"}),
            json!({"type": "array", "items": ["null", "long"]}),
            "",
        ),
        (
            row(json!([{"name": "a", "type": "int"}])),
            row(json!([{"name": "a", "type": "long"}, {"name": "b", "type": "int", "default": 1}])),
            "",
        ),
        (
            row(json!([{"name": "a", "type": "int"}])),
            row(json!([{"name": "b", "type": "int"}])),
            "no such field",
        ),
        (
            json!(["null", "int", "string"]),
            json!(["null", "int", "string"]),
            "",
        ),
        (json!(["null", "int", "string"]), json!("int"), "unions"),
    ];
    for (from, to, why) in cases {
        let (f, t) = (schema(&from), schema(&to));
        match (copyable(&f, f.root, &t, t.root), why) {
            (Ok(()), "") => {}
            (Err(message), why) if !why.is_empty() => {
                assert!(message.contains(why), "{from} into {to}: {message}")
            }
            (verdict, _) => panic!("{from} into {to}: {verdict:?}"),
        }
    }
}

#[test]
fn the_checker_says_what_may_be_computed() {
    let avro = |ty: &str, name: &str| json!({"type": ty, "logicalType": name});
    let nullable = |ty: Type| Type::Nullable(Box::new(ty));
    let cases = [
        (Type::Int, json!("int"), true),
        (Type::Int, decimal(6, 2), true),
        (Type::Int, avro("long", "timestamp-millis"), false),
        (Type::Decimal, decimal(6, 2), true),
        (Type::Decimal, json!("double"), false),
        (Type::Double, decimal(6, 2), false),
        (Type::Timestamp, avro("long", "timestamp-millis"), true),
        (Type::Timestamp, json!("string"), false),
        (Type::Date, avro("int", "date"), true),
        (Type::TimeOfDay, avro("long", "time-micros"), true),
        (
            Type::String,
            json!({"type": "enum", "name": "E", "symbols": ["A"]}),
            true,
        ),
        (Type::String, avro("string", "uuid"), true),
        (Type::Null, json!(["null", "int"]), true),
        (Type::Null, json!("int"), false),
        (nullable(Type::Int), json!("int"), false),
        (nullable(Type::Int), json!(["null", "int"]), true),
        (nullable(Type::Int), json!(["null", "int", "string"]), true),
        (
            Type::List(Box::new(Type::Int)),
            json!({"type": "array", "items": "long"}),
            true,
        ),
        (
            Type::List(Box::new(nullable(Type::Int))),
            json!({"type": "array", "items": "long"}),
            false,
        ),
        (
            Type::Map(Box::new(Type::String), Box::new(Type::Bool)),
            json!({"type": "map", "values": "boolean"}),
            true,
        ),
        (Type::Dyn, json!("int"), false),
        (
            Type::List(Box::new(Type::Never)),
            json!({"type": "array", "items": "long"}),
            true,
        ),
        (
            Type::Map(Box::new(Type::Never), Box::new(Type::Never)),
            json!(["null", {"type": "map", "values": "long"}]),
            true,
        ),
        (
            Type::List(Box::new(Type::Never)),
            json!({"type": "map", "values": "long"}),
            false,
        ),
        (
            Type::Optional(Box::new(Type::Int)),
            json!(["null", "long"]),
            false,
        ),
    ];
    for (ty, to, ok) in cases {
        let schema = schema(&to);
        let verdict = encodable(&ty, &schema, schema.root);
        assert_eq!(verdict.is_ok(), ok, "{ty} as {to}: {verdict:?}");
    }
}
