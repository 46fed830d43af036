//! Every type name of Debezium and Connect, read from data as Debezium writes it: values at the edges, in expressions and
//! as JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::codec::json::{from_json, to_json};
use crate::schema::names::NAMES;

/// A schema without the names, so that values can be given as they lie in the data.
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !key.starts_with("connect.") && *key != "logicalType")
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// A record with the one field `x` of this type.
fn record(ty: &Value) -> Value {
    json!({"type": "record", "name": "Row", "fields": [{"name": "x", "type": ty}]})
}

/// The value, or reason, of an expression over `event.x`; and the event as JSON.
struct Read {
    schema: Arc<Schema>,
    datum: Vec<u8>,
}

impl Read {
    fn new(ty: &Value, raw: &Value) -> Read {
        let schema = Arc::new(Schema::parse(&record(ty).to_string()).unwrap());
        let writer = Schema::parse(&plain(&record(ty)).to_string()).unwrap();
        let datum = from_json(&writer, &json!({ "x": raw })).unwrap();
        Read { schema, datum }
    }

    fn eval(&self, text: &str) -> (String, String) {
        let env = Env {
            event: Some(row(&self.schema)),
            ..Env::default()
        };
        let text = text.replace('X', "event.x");
        let mut wants = Wants::new();
        let compiled = match compile(&text, &env, &mut wants, &Facts::none()) {
            Ok(compiled) => compiled,
            Err(faults) => return (String::new(), format!("{faults:?}")),
        };
        let value = on_datum(&compiled, &wants, &self.schema, &self.datum, |outcome| {
            foreseen(&compiled, outcome)
        });
        (compiled.ty.to_string(), value)
    }

    fn json(&self) -> Value {
        to_json(&self.schema, &self.datum).unwrap()["x"].clone()
    }
}

/// A type name's Avro type, and for each value: as it lies in the data, what expressions make of it, and its JSON.
type Case = (
    &'static str,
    Value,
    Vec<(Value, Vec<(&'static str, &'static str)>, Value)>,
);

fn named(ty: &str, name: &str) -> Value {
    json!({"type": ty, "connect.name": name, "connect.version": 1})
}

/// Big-endian digits in base64.
fn digits(number: i128) -> Value {
    let (bytes, start) = crate::codec::Decimal::new(number, 0).to_be_bytes();
    from_bytes(&bytes[start..])
}

fn from_bytes(bytes: &[u8]) -> Value {
    use base64::Engine as _;
    json!(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn times() -> Vec<Case> {
    const MAX: i64 = i64::MAX;
    let days = |name: &'static str| {
        (
            name,
            named("int", name),
            vec![
                (
                    json!(19_753),
                    vec![
                        ("string(X)", "2024-01-31"),
                        ("X > date('2024-01-30')", "true"),
                    ],
                    json!("2024-01-31"),
                ),
                (
                    json!(-719_162),
                    vec![("string(X)", "0001-01-01")],
                    json!("0001-01-01"),
                ),
                (
                    json!(2_932_896),
                    vec![("string(X)", "9999-12-31")],
                    json!("9999-12-31"),
                ),
                (
                    json!(2_147_483_647),
                    vec![("string(X)", "time_range")],
                    json!(2_147_483_647),
                ),
                (
                    json!(-719_163),
                    vec![("string(X)", "0000-12-31")],
                    json!(-719_163),
                ),
            ],
        )
    };
    let of_day = |name: &'static str, ty: &str, units: i64| {
        (
            name,
            named(ty, name),
            vec![
                (
                    json!(0),
                    vec![("string(X)", "00:00:00"), ("X < time('00:00:01')", "true")],
                    json!("00:00:00"),
                ),
                (
                    json!(37_230 * units + units / 2),
                    vec![("string(X)", "10:20:30.5")],
                    json!("10:20:30.500"),
                ),
                (
                    json!(86_399 * units),
                    vec![("string(X)", "23:59:59")],
                    json!("23:59:59"),
                ),
                (
                    json!(86_400 * units),
                    vec![("string(X)", "24:00:00")],
                    json!(86_400 * units),
                ),
            ],
        )
    };
    let instant = |name: &'static str, units: i64, zone: &'static str| {
        let seconds = 1_706_696_430;
        let mut values = vec![
            (
                json!(seconds * units + units / 2),
                vec![
                    ("string(X)", "2024-01-31T10:20:30.5Z"),
                    ("X + duration('1s') > X", "true"),
                ],
                json!(format!("2024-01-31T10:20:30.500{zone}")),
            ),
            (
                json!(-units / 2),
                vec![("string(X)", "1969-12-31T23:59:59.5Z")],
                json!(format!("1969-12-31T23:59:59.500{zone}")),
            ),
        ];
        if units < 1_000_000_000 {
            values.push((
                json!(253_402_300_799 * units),
                vec![("string(X)", "9999-12-31T23:59:59Z")],
                json!(format!("9999-12-31T23:59:59{zone}")),
            ));
            values.push((
                json!(-62_135_596_800 * units),
                vec![("string(X)", "0001-01-01T00:00:00Z")],
                json!(format!("0001-01-01T00:00:00{zone}")),
            ));
            // PostgreSQL's infinity, as its driver has it.
            values.push((
                json!(9_223_372_036_825_200_000_i64),
                vec![("string(X)", "time_range")],
                json!(9_223_372_036_825_200_000_i64),
            ));
        } else {
            values.push((
                json!(MAX),
                vec![("string(X)", "2262-04-11T23:47:16.854775807Z")],
                json!(format!("2262-04-11T23:47:16.854775807{zone}")),
            ));
        }
        (name, named("long", name), values)
    };
    let text = |name: &'static str, values: Vec<(Value, Vec<(&'static str, &'static str)>)>| {
        let values = values.into_iter().map(|(raw, all)| (raw.clone(), all, raw));
        (name, named("string", name), values.collect())
    };
    vec![
        days("org.apache.kafka.connect.data.Date"),
        days("io.debezium.time.Date"),
        of_day("org.apache.kafka.connect.data.Time", "int", 1_000),
        of_day("io.debezium.time.Time", "int", 1_000),
        of_day("io.debezium.time.MicroTime", "long", 1_000_000),
        of_day("io.debezium.time.NanoTime", "long", 1_000_000_000),
        instant("org.apache.kafka.connect.data.Timestamp", 1_000, "Z"),
        instant("io.debezium.time.Timestamp", 1_000, ""),
        instant("io.debezium.time.MicroTimestamp", 1_000_000, ""),
        instant("io.debezium.time.NanoTimestamp", 1_000_000_000, ""),
        text(
            "io.debezium.time.ZonedTimestamp",
            vec![
                (
                    json!("2024-01-31T12:20:30.123456+02:00"),
                    vec![("string(X)", "2024-01-31T10:20:30.123456Z")],
                ),
                (
                    json!("9999-12-31T23:59:59.999999Z"),
                    vec![("string(X)", "9999-12-31T23:59:59.999999Z")],
                ),
                (
                    json!("infinity"),
                    vec![
                        ("string(X)", "bad_timestamp"),
                        ("try(string(X), 'none')", "none"),
                    ],
                ),
                (json!("-infinity"), vec![("string(X)", "bad_timestamp")]),
            ],
        ),
        text(
            "io.debezium.time.ZonedTime",
            vec![(json!("10:20:30.5Z"), vec![("X", "10:20:30.5Z")])],
        ),
        text(
            "io.debezium.time.IsoDate",
            vec![
                (
                    json!("2024-01-31Z"),
                    vec![
                        ("string(X)", "2024-01-31"),
                        ("X < date('2024-02-01')", "true"),
                    ],
                ),
                (
                    json!("+5881580-07-11Z"),
                    vec![("string(X)", "bad_timestamp")],
                ),
                (json!("2024-01-31"), vec![("string(X)", "bad_timestamp")]),
            ],
        ),
        text(
            "io.debezium.time.IsoTime",
            vec![
                (
                    json!("10:20:30.123456Z"),
                    vec![("string(X)", "10:20:30.123456")],
                ),
                (json!("24:00:00Z"), vec![("string(X)", "bad_timestamp")]),
            ],
        ),
        text(
            "io.debezium.time.IsoTimestamp",
            vec![
                (
                    json!("2024-01-31T10:20:30.5Z"),
                    vec![("string(X)", "2024-01-31T10:20:30.5Z")],
                ),
                (json!("2024-01-31"), vec![("string(X)", "bad_timestamp")]),
            ],
        ),
        (
            "io.debezium.time.MicroDuration",
            named("long", "io.debezium.time.MicroDuration"),
            vec![
                (
                    json!(-1_500_000),
                    vec![("string(X)", "-1.5s")],
                    json!("-PT1.500S"),
                ),
                (
                    json!(MAX),
                    vec![("string(X)", "time_range")],
                    json!("PT2562047788H54.775807S"),
                ),
            ],
        ),
        (
            "io.debezium.time.NanoDuration",
            named("long", "io.debezium.time.NanoDuration"),
            vec![
                (
                    json!(1),
                    vec![("string(X)", "0.000000001s")],
                    json!("PT0.000000001S"),
                ),
                (
                    json!(MAX),
                    vec![("X > duration('1h')", "true")],
                    json!("PT2562047H47M16.854775807S"),
                ),
            ],
        ),
        text(
            "io.debezium.time.Interval",
            vec![
                (
                    json!("P1Y2M3DT4H5M6.78S"),
                    vec![
                        ("interval.months(X)", "14"),
                        ("interval.days(X)", "3"),
                        ("string(interval.time(X))", "14706.78s"),
                    ],
                ),
                (
                    json!("P-178000000Y0M0DT0H0M0S"),
                    vec![
                        ("interval.months(X)", "-2136000000"),
                        ("interval.time(X) == duration('0s')", "true"),
                    ],
                ),
                (
                    json!("P0Y0M0DT-2562047788H0M-54.775807S"),
                    vec![
                        ("string(interval.time(X))", "bad_duration"),
                        ("interval.days(X)", "0"),
                    ],
                ),
            ],
        ),
        (
            "io.debezium.time.Year",
            named("int", "io.debezium.time.Year"),
            vec![(json!(2024), vec![("X + 1", "2025")], json!(2024))],
        ),
    ]
}

fn data() -> Vec<Case> {
    let text = |name: &'static str, raw: &str, all: Vec<(&'static str, &'static str)>| {
        (
            name,
            named("string", name),
            vec![(json!(raw), all, json!(raw))],
        )
    };
    let list = |name: &'static str, item: &str| {
        (
            name,
            json!({"type": "array", "items": item, "connect.name": name}),
            vec![(
                json!([1.5, -2.0]),
                vec![("X[0] + X[1] == -0.5", "true"), ("X.size()", "2")],
                json!([1.5, -2.0]),
            )],
        )
    };
    let shape = |name: &'static str,
                 fields: Value,
                 raw: Value,
                 all: Vec<(&'static str, &'static str)>| {
        let short = name.rsplit('.').next().unwrap();
        let ty = json!({"type": "record", "name": short, "namespace": "io.debezium.data", "fields": fields, "connect.name": name});
        (name, ty, vec![(raw.clone(), all, raw)])
    };
    let wkb = json!({"name": "wkb", "type": ["null", "bytes"], "default": null});
    let srid = json!({"name": "srid", "type": ["null", "int"], "default": null});
    let decimal = json!({"type": "bytes", "connect.name": "org.apache.kafka.connect.data.Decimal",
        "connect.parameters": {"scale": "2", "connect.decimal.precision": "38"}});
    let variable = json!({"type": "record", "name": "VariableScaleDecimal", "namespace": "io.debezium.data",
        "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}], "connect.name": "io.debezium.data.VariableScaleDecimal"});
    let most = 10_i128.pow(38) - 1;
    let digits_of = "99999999999999999999999999999999999999";
    let mut bits = named("bytes", "io.debezium.data.Bits");
    bits["connect.parameters"] = json!({"length": "10"});
    let with_allowed = |name: &str| {
        let mut ty = named("string", name);
        ty["connect.parameters"] = json!({"allowed": "a,b"});
        ty
    };
    vec![
        (
            "org.apache.kafka.connect.data.Decimal",
            decimal,
            vec![
                (
                    digits(1),
                    vec![("X", "0.01"), ("X * 3", "0.03")],
                    json!("0.01"),
                ),
                (
                    digits(-most),
                    vec![
                        ("X + 0", "-999999999999999999999999999999999999.99"),
                        ("X * 10", "decimal_overflow"),
                    ],
                    json!("-999999999999999999999999999999999999.99"),
                ),
            ],
        ),
        (
            "io.debezium.data.VariableScaleDecimal",
            variable,
            vec![
                (
                    json!({"scale": 3, "value": digits(12_345)}),
                    vec![("X", "12.345"), ("X > decimal('12.3449')", "true")],
                    json!("12.345"),
                ),
                (
                    json!({"scale": 0, "value": digits(most)}),
                    vec![("X", digits_of), ("X * 10", "decimal_overflow")],
                    json!(digits_of),
                ),
                (
                    json!({"scale": -2, "value": digits(12)}),
                    vec![("X", "1200")],
                    json!("1200"),
                ),
                (
                    json!({"scale": 38, "value": digits(1)}),
                    vec![("X", "0.00000000000000000000000000000000000001")],
                    json!("0.00000000000000000000000000000000000001"),
                ),
                (
                    json!({"scale": 0, "value": from_bytes(&[[1].as_slice(), &[0; 16]].concat())}),
                    vec![("X", "decimal_overflow")],
                    json!("340282366920938463463374607431768211456"),
                ),
            ],
        ),
        text(
            "io.debezium.data.Json",
            "{\"a\": 1}",
            vec![("X.contains('a')", "true")],
        ),
        text("io.debezium.data.Xml", "<a/>", vec![("X", "<a/>")]),
        text(
            "io.debezium.data.Uuid",
            "00000000-0000-4000-8000-000000000001",
            vec![("X.size()", "36")],
        ),
        (
            "io.debezium.data.Enum",
            with_allowed("io.debezium.data.Enum"),
            vec![(json!("b"), vec![("X == 'b'", "true")], json!("b"))],
        ),
        (
            "io.debezium.data.EnumSet",
            with_allowed("io.debezium.data.EnumSet"),
            vec![(json!("a,b"), vec![("X.split(',')", "[a, b]")], json!("a,b"))],
        ),
        (
            "io.debezium.data.Bits",
            bits,
            vec![
                (
                    from_bytes(&[5, 2]),
                    vec![
                        (
                            "bits.test(X, 0) && bits.test(X, 2) && bits.test(X, 9)",
                            "true",
                        ),
                        ("X == b'\\x05\\x02'", "true"),
                    ],
                    json!("BQI="),
                ),
                (
                    from_bytes(&[]),
                    vec![("bits.test(X, 0)", "false")],
                    json!(""),
                ),
            ],
        ),
        text(
            "io.debezium.data.Ltree",
            "Top.Science",
            vec![("X.split('.')", "[Top, Science]")],
        ),
        text("io.debezium.data.Tsvector", "'a':1", vec![("X", "'a':1")]),
        list("io.debezium.data.DoubleVector", "double"),
        list("io.debezium.data.FloatVector", "float"),
        shape(
            "io.debezium.data.SparseDoubleVector",
            json!([{"name": "dimensions", "type": "int"}, {"name": "vector", "type": {"type": "array", "items":
                {"type": "record", "name": "MapEntry", "fields": [{"name": "key", "type": "int"}, {"name": "value", "type": "double"}]}}}]),
            json!({"dimensions": 5, "vector": [{"key": 3, "value": 0.5}]}),
            vec![("X.dimensions", "5"), ("X.vector[0].value == 0.5", "true")],
        ),
        shape(
            "io.debezium.data.geometry.Point",
            json!([{"name": "x", "type": "double"}, {"name": "y", "type": "double"}, wkb, srid]),
            json!({"x": 1.5, "y": -2.0, "wkb": null, "srid": null}),
            vec![("X.x * X.y == -3.0", "true"), ("X.srid == null", "true")],
        ),
        shape(
            "io.debezium.data.geometry.Geometry",
            json!([{"name": "wkb", "type": "bytes"}, srid]),
            json!({"wkb": "AQE=", "srid": 4326}),
            vec![("X.wkb.size()", "2"), ("default(X.srid, 0)", "4326")],
        ),
        shape(
            "io.debezium.data.geometry.Geography",
            json!([{"name": "wkb", "type": "bytes"}, srid]),
            json!({"wkb": "AQE=", "srid": 4326}),
            vec![("X.wkb.size()", "2")],
        ),
    ]
}

#[test]
fn every_type_name_has_its_type_and_means_what_the_table_says() {
    let mut tried = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, ty, values) in times().into_iter().chain(data()) {
        let known = NAMES.iter().find(|known| known.name == name).unwrap();
        assert!(tried.insert(name), "{name} is here twice");
        for (raw, all, written) in values {
            let read = Read::new(&ty, &raw);
            let (found, _) = read.eval("X");
            assert!(
                found.starts_with(known.ty),
                "{name}: {found} is not {}",
                known.ty
            );
            for (text, expected) in all {
                let (_, found) = read.eval(text);
                if found != expected {
                    wrong.push(format!("{name} {raw}: {text} is {found}, not {expected}"));
                }
            }
            if read.json() != written {
                wrong.push(format!(
                    "{name} {raw}: as JSON {}, not {written}",
                    read.json()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<_> = NAMES.iter().map(|known| known.name).collect();
    assert_eq!(tried, known, "a name of the table is not tried");
}

#[test]
fn a_name_on_another_type_means_nothing() {
    for known in NAMES {
        let schema = Schema::parse(&named("boolean", known.name).to_string()).unwrap();
        let ty = Type::of(&Arc::new(schema), crate::schema::NodeId(0));
        assert_eq!(ty, Type::Bool, "{}", known.name);
    }
}
