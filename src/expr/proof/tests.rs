//! What is proved holds for every record.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::{Extent, FindingKind, Scope, decided};
use crate::codec::Val;
use crate::expr::tests::{on_record, row};
use crate::expr::{Compiled, Env, Facts, Wants, compile};
use crate::schema::Schema;

const SCHEMA: &str = r#"{"type":"record","name":"T","fields":[
 {"name":"a","type":"int"},
 {"name":"b","type":"long"},
 {"name":"n","type":["null","int"]},
 {"name":"s","type":{"type":"enum","name":"S","symbols":["x","y","z"]}},
 {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":1}},
 {"name":"t","type":"string"},
 {"name":"v","type":"boolean"},
 {"name":"l","type":{"type":"array","items":"int"}},
 {"name":"m","type":{"type":"map","values":"int"}},
 {"name":"r","type":{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"k","type":"int"}]}}}
]}"#;

fn schema() -> Arc<Schema> {
    Arc::new(Schema::parse(SCHEMA).unwrap())
}

fn env() -> Env {
    Env {
        event: Some(row(&schema())),
        ..Env::default()
    }
}

fn compiled(text: &str) -> (Compiled, Wants) {
    let mut wants = Wants::new();
    let compiled = compile(text, &env(), &mut wants, &Facts::none())
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    (compiled, wants)
}

/// The findings of a text, each with the part that it is about.
fn found(text: &str) -> Vec<String> {
    let (compiled, _) = compiled(text);
    let show = |kind: &FindingKind| match kind {
        FindingKind::CanFail(reason) => (*reason).to_owned(),
        FindingKind::BadData(reason) => format!("data {reason}"),
        FindingKind::AlwaysFails(reason) => format!("always {reason}"),
        FindingKind::Always(value) => value.to_string(),
    };
    let lines = compiled.findings.iter();
    lines
        .map(|finding| {
            format!(
                "{}: {}",
                &text[finding.start..finding.end],
                show(&finding.kind)
            )
        })
        .collect()
}

#[test]
fn what_cannot_fail_is_not_told() {
    for text in [
        "event.a + event.a * 3",
        "event.b > 0 && event.b < 100 ? event.b * event.b + 1 : 0",
        "event.a != 0 && event.b > 0 ? event.b / event.a : 0",
        "event.a > 0 ? 100 / event.a : 0",
        "event.a != 0 ? 100 % event.a : 0",
        "event.n != null && event.n > 0 ? 10 / event.n : 0",
        "event.a in [1, 2] ? 10 / event.a : 0",
        "!(event.a == 0) ? 10 / event.a : 0",
        "event.a - 1 != 0 ? 1 / (event.a - 1) : 0",
        "-event.a",
        "event.d * event.d + 1 > 5",
        "size(event.l) > 1 ? event.l[0] + event.l[1] : 0",
        "[1, 2, 3][2]",
        "'k' in event.m ? event.m['k'] : has(event.m.j) ? event.m.j : 0",
        "size(event.t) >= 2 ? event.t.substring(0, 2) + event.t.charAt(2) : event.t.substring(0)",
        "event.t.matches('^-?[0-9]{1,9}$') ? int(event.t) : 0",
        "int(event.d)",
        "event.l.map(i, i + 1)",
        "event.l.filter(i, i != 0).map(i, i > 5 ? 10 / i : 10 % i)",
        "[1, 2].map(i, 10 / i)",
        "event.l.transformList(i, v, v + 1)",
        "cel.bind(x, event.a, x > 0 ? 10 / x : x + 1)",
        "event.r.map(r, r.k > 0 ? 10 / r.k : r.k + 1)",
        "try(int(event.t), 10) == 3 ? 0 : try(event.l[0], 1)",
        "100 / (event.a != 0 ? event.a : error('zero'))",
        "event.s == 'x' ? 1 : error('not_x')",
        "100 / default(event.n == null || event.n == 0 ? null : event.n, 1)",
        "timestamp(event.a) > timestamp(0)",
        "[?event.?n, 5, 6][1]",
        "event.d.round(0).unscaled() + 1",
        "event.d.div(3, 2) > 1",
        "event.l.map(i, math.abs(i) + 1).sort()",
        "event.s.padStart(4, '0') + event.s.truncate(2)",
        "event.a < 1000 ? event.t.padStart(event.a, '0') + event.t.padEnd(event.a, '0') : ''",
        "event.b > 0 && event.b < 1000 ? lists.range(event.b).size() : 0",
        "event.a > 0 ? lists.range(math.least(event.a, 1000)).size() : lists.range(100000).size()",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_can_fail_is_told_where_it_stands() {
    for (text, expected) in [
        ("1 / event.a", "1 / event.a: division_by_zero"),
        (
            "lists.range(event.a > 0 ? event.a : 0).size()",
            "lists.range(event.a > 0 ? event.a : 0): expression_limit",
        ),
        (
            "event.t.padStart(event.a, '0')",
            "event.t.padStart(event.a, '0'): expression_limit",
        ),
        (
            "event.a > 2000 ? event.t.padEnd(event.a, '0') : ''",
            "event.t.padEnd(event.a, '0'): expression_limit",
        ),
        (
            "try('x'.padStart(event.a, '0'), 'x')",
            "'x'.padStart(event.a, '0'): expression_limit",
        ),
        (
            "lists.range(600000).size() + event.a",
            "lists.range(600000): always expression_limit",
        ),
        ("event.l.map(i, 1 / i)", "1 / i: division_by_zero"),
        (
            "event.l.filter(i, i > 0).map(i, 1).map(i, 1 / (i - 1))",
            "1 / (i - 1): always division_by_zero",
        ),
        ("event.r.map(r, 1 / r.k)", "1 / r.k: division_by_zero"),
        (
            "event.a >= 0 ? 1 / event.a : 0",
            "1 / event.a: division_by_zero",
        ),
        ("event.b + 1", "event.b + 1: int_overflow"),
        ("-event.b", "-event.b: int_overflow"),
        ("event.l[0]", "event.l[0]: index_out_of_range"),
        ("[?event.?n, 5][1]", "[?event.?n, 5][1]: index_out_of_range"),
        (
            "size(event.l) > 0 ? event.l[1] : 0",
            "event.l[1]: index_out_of_range",
        ),
        ("event.m['k']", "event.m['k']: missing_key"),
        ("event.a / 0", "event.a / 0: always division_by_zero"),
        ("event.l[-1]", "event.l[-1]: always index_out_of_range"),
        ("int('x') + int(event.a)", "int('x'): always bad_number"),
        (
            "event.v ? event.t.charAt(-1) : ''",
            "event.t.charAt(-1): always index_out_of_range",
        ),
        (
            "'k' in event.m ? event.m['j'] : 0",
            "event.m['j']: missing_key",
        ),
        ("int(event.t)", "int(event.t): bad_number"),
        (
            "event.t.matches('[0-9]+') ? int(event.t) : 0",
            "int(event.t): bad_number",
        ),
        (
            "timestamp(event.b) > timestamp(0)",
            "timestamp(event.b): time_range",
        ),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn decided_conditions_are_told() {
    for (text, expected) in [
        ("event.a < 3000000000", "event.a < 3000000000: true"),
        ("event.a > 5 && event.a < 3", "event.a < 3: false"),
        ("event.a != null", "event.a != null: true"),
        (
            "event.s == 'x' || event.s in ['y', 'z']",
            "event.s in ['y', 'z']: true",
        ),
        ("event.s == 'x' && event.s == 'y'", "event.s == 'y': false"),
        (
            "event.n == null || event.n != null",
            "event.n != null: true",
        ),
        ("event.d > 1000", "event.d > 1000: false"),
        (
            "event.d >= decimal('1000.0')",
            "event.d >= decimal('1000.0'): false",
        ),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
    for text in [
        "event.a < 5 && event.b < 3",
        "event.s != 'x' && event.s != 'y'",
        "event.d > 999",
        "event.v && event.a > 2",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

fn number() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "event.a",
        "event.b",
        "(event.n != null ? event.n : 7)",
        "0",
        "1",
        "-3",
        "5",
        "size(event.l)",
        "event.l.filter(i, i > 1).map(i, 20 / i).map(i, i + 1).size()",
        "event.r.map(r, r.k == 0 ? 1 : 9 / r.k)[0]",
        "cel.bind(x, event.a, x < 3 ? x : 3)",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(2, 12, 3, |inner| {
        let op = prop::sample::select(vec!["+", "-", "*", "/", "%"]);
        let compare = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let join = prop::sample::select(vec!["&&", "||"]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (
                inner.clone(),
                compare.clone(),
                inner.clone(),
                inner.clone(),
                inner.clone()
            )
                .prop_map(|(a, op, b, c, d)| format!("({a} {op} {b} ? {c} : {d})")),
            (inner.clone(), compare.clone(), join, inner.clone(), compare).prop_map(
                |(a, op, join, b, other)| format!(
                    "({a} {op} 1 {join} {b} {other} 0 ? {a} / {b} : {b} - {a})"
                )
            ),
            inner
                .prop_map(|a| format!("(event.s == 'x' ? -{a} : event.s in ['x', 'y'] ? {a} : 2)")),
        ]
    })
}

fn record() -> impl Strategy<Value = serde_json::Value> {
    let small = prop::sample::select(vec![i32::MIN, -3, -1, 0, 1, 2, 5, 7, i32::MAX]);
    let large = prop::sample::select(vec![i64::MIN, -3, -1, 0, 1, 2, 5, 7, i64::MAX]);
    let symbol = prop::sample::select(vec!["x", "y", "z"]);
    let maybe = prop::option::of(small.clone());
    (small.clone(), large, maybe, symbol, prop::collection::vec(small, 0..3)).prop_map(
        |(a, b, n, s, l)| {
            json!({ "a": a, "b": b, "n": n, "s": s, "d": "1.5", "t": "", "v": true, "l": l, "m": {}, "r": [{ "k": a }] })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn values_and_failures_are_those_that_were_proved(text in number(), records in prop::collection::vec(record(), 8)) {
        let mut wants = Wants::new();
        // Some texts are too large.
        let Ok(compiled) = compile(&text, &env(), &mut wants, &Facts::none()) else { return Ok(()) };
        let (env, nothing) = (env(), Facts::none());
        let scope = Scope { env: &env, wants: &wants, facts: &nothing, depth: 0 };
        let extent = scope.extent(&compiled.node);
        for record in &records {
            on_record(&compiled, &wants, &schema(), record, |value| match value {
                Ok(Val::Int(value)) => {
                    let fits = match &extent {
                        Extent::Any => true,
                        Extent::Number(all) => {
                            all.low <= value.into() && all.high >= value.into() && (value != 0 || all.has_zero())
                        }
                        _ => false,
                    };
                    prop_assert!(fits, "{text} is {value} for {record}, not in {extent:?}");
                    Ok(())
                }
                Ok(other) => panic!("{text} is {other:?}"),
                Err(fault) => {
                    let reason = fault.reason;
                    prop_assert!(compiled.can_fail.contains(&reason), "{text} fails with {reason} for {record}");
                    Ok(())
                }
            })?;
        }
    }

    #[test]
    fn a_decided_condition_has_that_value_for_every_record(
        a in number(), b in number(), op in prop::sample::select(vec!["<", "<=", ">=", "==", "!="]),
        also in prop::sample::select(vec!["true", "event.s != 'x'", "event.a > 2", "event.n != null", "event.n != 1 && event.n != null"]),
        records in prop::collection::vec(record(), 8),
    ) {
        let text = format!("{also} && {a} {op} {b}");
        let (compiled, wants) = compiled(&text);
        let Some(known) = decided(&compiled.if_true, &compiled.if_false, &Facts::none()) else { return Ok(()) };
        for record in &records {
            on_record(&compiled, &wants, &schema(), record, |value| {
                // A condition that fails has no value.
                if let Ok(value) = value {
                    prop_assert!(matches!(value, Val::Bool(value) if value == known), "{text} is {value:?} for {record}");
                }
                Ok(())
            })?;
        }
    }
}
