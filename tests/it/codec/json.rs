//! Goal: outputs in JSON are, byte for byte, what `serde_json` writes of the value that `apache-avro` reads, under every
//! policy. Method: random schemas and values of the oracle, and tables for what it does not draw.

use apache_avro::types::Value as Avro;
use lockgate::codec::json::{
    BigInts, Bytes, Decimals, NonFinite, Nulls, Policy, Times, Writer, from_json,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::oracle::{datum, oracle_reads, root, to_avro, to_json, to_schema, value};
use super::schema;

fn policy() -> impl Strategy<Value = Policy> {
    let per_second = prop_oneof![
        Just(1u32),
        Just(1_000),
        Just(1_000_000),
        Just(1_000_000_000)
    ];
    (
        prop_oneof![Just(Decimals::Text), Just(Decimals::Number)],
        prop_oneof![Just(Bytes::Base64), Just(Bytes::Hex)],
        prop_oneof![Just(BigInts::Number), Just(BigInts::Text)],
        prop_oneof![Just(Times::Iso8601), per_second.prop_map(Times::Epoch)],
        prop_oneof![Just(Nulls::Keep), Just(Nulls::Drop)],
    )
        .prop_map(|(decimals, bytes, big_ints, times, nulls)| Policy {
            decimals,
            bytes,
            big_ints,
            times,
            nulls,
            non_finite: NonFinite::Text,
        })
}

/// What a policy makes of `apache-avro`'s reading. `None` if a number does not fit: that is a fault.
fn expected(value: &Avro, policy: &Policy) -> Option<Json> {
    let integer = |number: i64| match policy.big_ints {
        BigInts::Text if number.unsigned_abs() >= 1 << 53 => json!(number.to_string()),
        _ => json!(number),
    };
    Some(match (value, policy.times) {
        (Avro::Long(number), _) => integer(*number),
        (Avro::Date(days), Times::Epoch(_)) => json!(days),
        (Avro::TimestampMicros(micros), Times::Epoch(per_second)) => {
            let wide = i128::from(*micros) * i128::from(per_second);
            integer(i64::try_from(wide.div_euclid(1_000_000)).ok()?)
        }
        (Avro::Bytes(bytes) | Avro::Fixed(_, bytes), _) if policy.bytes == Bytes::Hex => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!(digits)
        }
        (Avro::Decimal(_), _) if policy.decimals == Decimals::Number => {
            serde_json::from_str(to_json(value).as_str().unwrap()).unwrap()
        }
        (Avro::Array(items), _) => {
            let items = items.iter().map(|item| expected(item, policy));
            Json::Array(items.collect::<Option<_>>()?)
        }
        (Avro::Map(entries), _) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Some((key.clone(), expected(value, policy)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
        (Avro::Record(fields), _) => {
            let mut object = serde_json::Map::new();
            for (name, value) in fields {
                let value = expected(value, policy)?;
                if !(value.is_null() && policy.nulls == Nulls::Drop) {
                    object.insert(name.clone(), value);
                }
            }
            Json::Object(object)
        }
        (Avro::Union(_, value), _) => expected(value, policy)?,
        _ => to_json(value),
    })
}

/// A datum as JSON.
fn written(
    schema: &lockgate::schema::Schema,
    policy: Policy,
    datum: &[u8],
) -> Result<String, String> {
    let mut out = b"before".to_vec();
    let done = Writer::compile(schema, policy).write(datum, &mut String::new(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match done {
        Ok(()) => Ok(text.strip_prefix("before").unwrap().to_owned()),
        Err(fault) => {
            assert_eq!(text, "before", "a fault leaves nothing behind");
            Err(fault.to_string())
        }
    }
}

/// One member per map: `apache-avro`'s maps have no order.
fn is_ordered(value: &Avro) -> bool {
    match value {
        Avro::Map(entries) => entries.len() < 2 && entries.values().all(is_ordered),
        Avro::Array(items) => items.iter().all(is_ordered),
        Avro::Record(fields) => fields.iter().all(|(_, value)| is_ordered(value)),
        Avro::Union(_, value) => is_ordered(value),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn outputs_in_json_are_what_serde_json_writes(ty in root(), seed in any::<u64>(), policy in policy()) {
        let text = to_schema(&ty, "");
        let model = value(&ty, &mut StdRng::seed_from_u64(seed));
        let (oracle, bytes) = datum(&text, to_avro(&ty, &model));
        let read = oracle_reads(&oracle, &bytes).unwrap();
        let schema = schema(&text);
        let found = written(&schema, policy, &bytes);
        match expected(&read, &policy) {
            None => prop_assert!(found.unwrap_err().contains("does not fit")),
            Some(wanted) if is_ordered(&read) => prop_assert_eq!(found.unwrap(), wanted.to_string()),
            Some(wanted) => {
                let found: Json = serde_json::from_str(&found.unwrap()).unwrap();
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn random_doubles_are_written_so_that_they_come_back(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        let schema = schema(json!("double"));
        let text = written(&schema, Policy::default(), &double.to_le_bytes()).unwrap();
        let back: Json = serde_json::from_str(&text).unwrap();
        match double.is_finite() {
            true => prop_assert_eq!(back.as_f64().unwrap().to_bits(), bits),
            false => prop_assert!(back.is_string()),
        }
    }
}

#[test]
fn what_is_not_finite_is_written_as_the_policy_says() {
    let of = |non_finite| Policy {
        non_finite,
        ..Policy::default()
    };
    let schema = schema(json!({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "double"}, {"name": "b", "type": "float"}]}));
    let datum = |a: f64, b: f32| [&a.to_le_bytes()[..], &b.to_le_bytes()].concat();
    let cases = [
        (
            datum(f64::NAN, 1.5),
            r#"{"a":"NaN","b":1.5}"#,
            r#"{"a":null,"b":1.5}"#,
        ),
        (
            datum(f64::INFINITY, f32::NAN),
            r#"{"a":"Infinity","b":"NaN"}"#,
            r#"{"a":null,"b":null}"#,
        ),
        (
            datum(-0.0, f32::NEG_INFINITY),
            r#"{"a":-0.0,"b":"-Infinity"}"#,
            r#"{"a":-0.0,"b":null}"#,
        ),
    ];
    for (datum, text, null) in cases {
        assert_eq!(written(&schema, of(NonFinite::Text), &datum).unwrap(), text);
        assert_eq!(written(&schema, of(NonFinite::Null), &datum).unwrap(), null);
        let fault = written(&schema, of(NonFinite::Fault), &datum).unwrap_err();
        assert!(fault.contains("NaN and the infinities"), "{fault}");
        let back = from_json(&schema, &serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(written(&schema, of(NonFinite::Text), &back).unwrap(), text);
    }
    let dropped = Policy {
        nulls: Nulls::Drop,
        ..of(NonFinite::Null)
    };
    let datum = datum(f64::NAN, 0.5);
    assert_eq!(written(&schema, dropped, &datum).unwrap(), r#"{"b":0.5}"#);
}

#[test]
fn times_are_written_in_the_units_that_the_policy_says() {
    let logical = |ty: &str, name: &str| json!({"type": ty, "logicalType": name});
    let connect = |ty: &str, name: &str| json!({"type": ty, "connect.name": name});
    let long = |value: i64| {
        let mut raw = ((value << 1) ^ (value >> 63)) as u64;
        let mut out = Vec::new();
        while raw >= 0x80 {
            out.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        out.push(raw as u8);
        out
    };
    let text = |value: &str| [long(value.len() as i64), value.as_bytes().to_vec()].concat();
    // Type, datum, ISO 8601, and the same in seconds, milliseconds, microseconds.
    let cases = [
        (
            logical("int", "date"),
            long(20_000),
            "\"2024-10-04\"",
            ["20000"; 3],
        ),
        (
            logical("long", "timestamp-millis"),
            long(-1),
            "\"1969-12-31T23:59:59.999Z\"",
            ["-1", "-1", "-1000"],
        ),
        (
            logical("long", "local-timestamp-micros"),
            long(1_500_001),
            "\"1970-01-01T00:00:01.500001\"",
            ["1", "1500", "1500001"],
        ),
        (
            logical("int", "time-millis"),
            long(3_600_500),
            "\"01:00:00.500\"",
            ["3600", "3600500", "3600500000"],
        ),
        (
            connect("long", "io.debezium.time.MicroDuration"),
            long(-1_500_000),
            "\"-PT1.500S\"",
            ["-1", "-1500", "-1500000"],
        ),
        (
            connect("string", "io.debezium.time.ZonedTimestamp"),
            text("2026-11-22T20:08:13.5+02:00"),
            "\"2026-11-22T20:08:13.5+02:00\"",
            ["1795370893", "1795370893500", "1795370893500000"],
        ),
        // Beyond ISO 8601: the plain number.
        (
            logical("long", "timestamp-millis"),
            long(i64::MAX),
            "9223372036854775807",
            ["9223372036854775", "9223372036854775807", "does not fit"],
        ),
    ];
    for (ty, datum, iso, units) in cases {
        let schema = schema(&ty);
        assert_eq!(
            written(&schema, Policy::default(), &datum).unwrap(),
            iso,
            "{ty}"
        );
        for (per_second, wanted) in [1, 1_000, 1_000_000].into_iter().zip(units) {
            let policy = Policy {
                times: Times::Epoch(per_second),
                ..Policy::default()
            };
            match written(&schema, policy, &datum) {
                Ok(found) => assert_eq!(found, wanted, "{ty} {per_second}"),
                Err(fault) => assert!(fault.contains(wanted), "{ty} {per_second}: {fault}"),
            }
        }
    }
    let schema = schema(connect("string", "io.debezium.time.ZonedTimestamp"));
    let policy = Policy {
        times: Times::Epoch(1),
        ..Policy::default()
    };
    assert!(written(&schema, policy, &text("tomorrow")).is_err());
}

#[test]
fn fixed_types_with_a_meaning_have_their_texts() {
    let fixed = |name: &str, size: u32| json!({"type": "fixed", "name": "F", "size": size, "logicalType": name});
    let uuid = super::unhex("000102030405060708090a0b0c0d0e0f");
    assert_eq!(
        written(&schema(fixed("uuid", 16)), Policy::default(), &uuid).unwrap(),
        "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""
    );
    let duration = super::unhex("010000000200000005100000");
    assert_eq!(
        written(&schema(fixed("duration", 12)), Policy::default(), &duration).unwrap(),
        "\"P1M2DT4.101S\""
    );
}
