//! What data can do to an expression at worst: a fault, within the budget.

use super::*;

/// The outcome of an expression over a record of this schema, as it came: the value's text, or the reason of the fault.
fn outcome(schema: &str, datum: &[u8], text: &str) -> String {
    let schema = Arc::new(Schema::parse(schema).unwrap());
    let env = Env {
        event: Some(EventEnv {
            schema: schema.clone(),
            envelope: Envelope::None,
            before: BeforeColumns::All,
            left_out: Vec::new(),
        }),
        out: None,
        ..env()
    };
    let mut wants = Wants::new();
    let compiled = compile(text, &env, &mut wants, &Facts::none())
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let scan = crate::codec::Scan::compile(&schema, &schema, wants.value()).unwrap();
    let mut slots = crate::codec::Slots::new();
    scan.run(datum, &mut slots).unwrap();
    let bump = Bump::new();
    let meta = Meta {
        topic: "t",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        headers: &[],
    };
    let value = Datum {
        scan: &scan,
        bytes: datum,
        slots: &slots,
    };
    let cx = Cx {
        value: Some(value),
        key: None,
        regs: &[],
        meta: &meta,
        bump: &bump,
    };
    match eval(&compiled.node, &cx) {
        Ok(val) => show(val),
        Err(fault) => {
            let listed = &compiled.can_fail;
            assert!(
                listed.contains(&fault.reason),
                "{text}: {fault:?} is not one of {listed:?}"
            );
            fault.reason.to_owned()
        }
    }
}

/// An Avro int or long.
fn long(value: i64) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

#[test]
fn a_decimal_of_an_absurd_scale_is_a_fault_and_no_panic() {
    let schema = r#"{"type":"record","name":"V","fields":[{"name":"v","type":{"type":"record","name":"VariableScaleDecimal",
        "namespace":"io.debezium.data","fields":[{"name":"scale","type":"int"},{"name":"value","type":"bytes"}],
        "connect.name":"io.debezium.data.VariableScaleDecimal"}}]}"#;
    let expressions = [
        "string(event.v)",
        "double(event.v)",
        "'%s %d %.2f %e'.format([event.v, event.v, event.v, event.v])",
        "json.encode({'v': event.v})",
        "math.greatest(event.v, decimal('1'))",
        "event.v * event.v",
        "event.v > 1",
    ];
    for scale in [1_001, 65_536, 70_000, i32::MAX, -1_001, i32::MIN] {
        let datum = [long(scale.into()), vec![2, 1]].concat();
        for text in expressions {
            assert_eq!(
                outcome(schema, &datum, text),
                "decimal_overflow",
                "{text}, a scale of {scale}"
            );
        }
    }
    let datum = [long(1_000), vec![2, 1]].concat();
    let text = outcome(schema, &datum, "string(event.v)");
    assert_eq!(text, format!("0.{}1", "0".repeat(999)));
    assert_eq!(outcome(schema, &datum, "double(event.v) == 0.0"), "true");
    assert_eq!(
        outcome(schema, &datum, "event.v * event.v"),
        "decimal_overflow"
    );
}
