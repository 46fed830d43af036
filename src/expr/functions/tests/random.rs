//! Random expressions over the whole table, on random records: what the proof says of them is what happens.

use serde_json::json;

use super::needs::env;
use super::*;
use crate::expr::proof::{Extent, FindingKind, Scope};
use crate::expr::tests::on_record;

/// Expressions that are tried.
const EXPRESSIONS: u64 = 3_000;
/// Records that each is evaluated for.
const RECORDS: usize = 6;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// Something of a type without parts: what the record has, and constants.
fn leaf(rng: &mut Rng, ty: &T) -> String {
    let text = match ty {
        T::Int => rng.one(&[
            "event.i",
            "event.n",
            "event.n",
            "0",
            "1",
            "-1",
            "2",
            "4",
            "12",
            "38",
            "-40",
            "1000",
            "size(event.t)",
            "9223372036854775807",
            "(event.i > -3 && event.i < 7 ? event.i : 3)",
            "(event.n >= 0 ? event.n : 5)",
            "int(event.e == 't' ? '1' : '0')",
        ]),
        T::Uint => rng.one(&["0u", "3u", "64u", "18446744073709551615u"]),
        T::Bool => rng.one(&["true", "event.n > 2", "event.t == 'a'", "event.i == 0"]),
        T::Double => rng.one(&["event.f", "0.5", "-1e300", "2.0"]),
        T::Decimal => rng.one(&[
            "event.d",
            "event.d",
            "decimal('0.5')",
            "decimal('-12345678901234567890.123')",
            "decimal('0')",
            "decimal(event.n)",
            "decimal('1e37')",
        ]),
        T::Text => rng.one(&[
            "event.t",
            "event.e",
            "'a'",
            "''",
            "'12'",
            "'%d %s'",
            "'%Y-%m-%d'",
            "'Europe/Berlin'",
            "'half_up'",
            "'exact'",
            "'dns'",
            "'(a)'",
            "(event.t in ['1', '22'] ? event.t : '7')",
        ]),
        T::Bytes => rng.one(&["event.b", "b'abc'", r"b'\xff'"]),
        T::Timestamp => rng.one(&[
            "event.at",
            "timestamp(0)",
            "timestamp('9999-12-31T23:59:59Z')",
        ]),
        T::Duration => rng.one(&["duration('1h')", "duration('-300ms')"]),
        T::Date => rng.one(&["event.day", "date('2024-01-31')"]),
        T::TimeOfDay => rng.one(&["time('10:20:30')", "time(event.at)"]),
        _ => "null",
    };
    text.to_owned()
}

/// A type for what a signature leaves open.
fn settled(rng: &mut Rng, ty: &T) -> T {
    match ty {
        T::Letter('N') => [T::Int, T::Decimal, T::Double][rng.below(3)].clone(),
        T::Letter(_) => [T::Int, T::Text, T::Decimal][rng.below(3)].clone(),
        T::Dyn => [
            T::Int,
            T::Text,
            T::Decimal,
            T::Timestamp,
            T::Bytes,
            T::Double,
        ][rng.below(6)]
        .clone(),
        T::Nullable(inner) => settled(rng, inner),
        T::List(inner) => T::List(Box::new(settled(rng, inner))),
        T::Optional(inner) => T::Optional(Box::new(settled(rng, inner))),
        plain => plain.clone(),
    }
}

fn expression(rng: &mut Rng, ty: &T, depth: usize) -> String {
    let ty = &settled(rng, ty);
    match ty {
        T::List(item) => {
            return match (&**item, rng.below(3)) {
                (T::Int, 0) => "event.l".to_owned(),
                (T::Text, 0) => "event.ls".to_owned(),
                _ => {
                    let count = rng.below(4);
                    let items = (0..count).map(|_| expression(rng, item, depth.min(1)));
                    format!("[{}]", items.collect::<Vec<_>>().join(", "))
                }
            };
        }
        T::Optional(inner) => return format!("optional.of({})", expression(rng, inner, 0)),
        _ => {}
    }
    if depth == 0 || rng.below(6) == 0 {
        return leaf(rng, ty);
    }
    let own = |rng: &mut Rng, ty: &T| expression(rng, ty, depth - 1);
    match (ty, rng.below(5)) {
        (T::Int, 0) => {
            let op = rng.one(&["+", "-", "*", "/", "%"]);
            return format!("({} {op} {})", own(rng, ty), own(rng, ty));
        }
        (T::Decimal, 0) => {
            let op = rng.one(&["+", "-", "*"]);
            return format!("({} {op} {})", own(rng, ty), own(rng, ty));
        }
        (T::Int, 1) => return format!("event.l[{}]", own(rng, &T::Int)),
        (_, 1) => {
            let order = rng.one(&["<", "<=", ">", ">=", "==", "!="]);
            let (a, b) = (own(rng, &T::Int), own(rng, &T::Int));
            return format!("({a} {order} {b} ? {} : {})", own(rng, ty), own(rng, ty));
        }
        _ => {}
    }
    let fitting: Vec<&Overload> = TABLE
        .iter()
        .filter(|overload| {
            let signature = &overload.signature;
            let is_plain = !matches!(overload.function.body, Body::Form | Body::Keyed(_));
            let takes = |param: &T| !matches!(param, T::Map(..) | T::Type | T::Secret);
            signature.result == *ty
                && is_plain
                && signature.name != "sortBy"
                && (signature.name != "json.parse" || signature.params.len() == 1)
                && signature.params.iter().all(takes)
        })
        .collect();
    let Some(at) = (!fitting.is_empty()).then(|| rng.below(fitting.len())) else {
        return leaf(rng, ty);
    };
    let signature = &fitting[at].signature;
    let args: Vec<String> = signature
        .params
        .iter()
        .map(|param| own(rng, param))
        .collect();
    match signature.member {
        true => format!("{}.{}({})", args[0], signature.name, args[1..].join(", ")),
        false => format!("{}({})", signature.name, args.join(", ")),
    }
}

fn record(rng: &mut Rng) -> serde_json::Value {
    let int = |rng: &mut Rng| {
        let all = [i64::MIN, -41, -1, 0, 1, 2, 7, 40, 1_000, i64::MAX];
        all[rng.below(all.len())]
    };
    let small = |rng: &mut Rng| int(rng).clamp(i32::MIN.into(), i32::MAX.into());
    let texts = ["", "a", "aé(b", "1", "22", "31.01.2024", "%Z", "x", "\u{0}"];
    let text = |rng: &mut Rng| texts[rng.below(texts.len())];
    let lists = rng.below(4);
    let doubles = [
        json!(0.0),
        json!(-2.5),
        json!("NaN"),
        json!("Infinity"),
        json!(1e300),
    ];
    let decimals = [
        "0.0000",
        "-99999999.9999",
        "99999999.9999",
        "0.0001",
        "12.5000",
    ];
    let times = [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "2024-01-31T10:20:30Z",
    ];
    let days = ["0001-01-01", "2024-02-29", "9999-12-31"];
    json!({
        "t": text(rng),
        "e": rng.one(&["t", "f"]),
        "i": int(rng),
        "n": small(rng),
        "f": doubles[rng.below(5)],
        "b": rng.one(&["", "/w==", "YWJj"]),
        "d": rng.one(&decimals),
        // A third of the times are none of the years 1 to 9999: infinity, as databases write it.
        "at": match rng.below(3) { 0 => json!(int(rng)), _ => json!(rng.one(&times)) },
        "day": match rng.below(3) { 0 => json!(small(rng)), _ => json!(rng.one(&days)) },
        "l": (0..lists).map(|_| small(rng)).collect::<Vec<_>>(),
        "ls": (0..lists).map(|_| text(rng)).collect::<Vec<_>>(),
        "ld": [],
    })
}

/// Whether a value is one of those that were said to be possible.
fn is_within(val: Val, extent: &Extent) -> bool {
    let value = match val {
        Val::Null => return true,
        Val::Int(value) => Decimal::new(value.into(), 0),
        Val::Uint(value) => Decimal::new(value.into(), 0),
        Val::Decimal(value) => *value,
        Val::Str(text) => {
            return match extent {
                Extent::Texts(texts) => texts.contains(text),
                Extent::Empty | Extent::Number(_) => false,
                _ => true,
            };
        }
        _ => return *extent != Extent::Empty,
    };
    match extent {
        Extent::Any => true,
        Extent::Number(all) => {
            let bound = |bound| Decimal::new(bound, all.scale);
            bound(all.low) <= value
                && value <= bound(all.high)
                && value.scale <= all.scale
                && (value.unscaled != 0 || all.has_zero())
        }
        _ => false,
    }
}

#[test]
fn what_the_proof_says_of_any_expression_is_what_happens() {
    let seed = match std::env::var("LOCKGATE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => 20_260_726,
    };
    let rng = &mut Rng(seed);
    let env = env();
    let schema = env.event.as_ref().unwrap().schema.clone();
    let nothing = Facts::none();
    let types = [
        T::Int,
        T::Decimal,
        T::Text,
        T::Bool,
        T::Timestamp,
        T::Bytes,
        T::Date,
    ];
    let (mut compiled_count, mut infallible, mut failures, mut always) = (0, 0, 0, 0);
    for _ in 0..EXPRESSIONS {
        let ty = &types[rng.below(types.len())];
        let text = expression(rng, ty, 3);
        let mut wants = Wants::new();
        let Ok(compiled) = compile(&text, &env, &mut wants, &nothing) else {
            continue;
        };
        compiled_count += 1;
        let scope = Scope {
            env: &env,
            wants: &wants,
            facts: &nothing,
            depth: 0,
        };
        let extent = scope.extent(&compiled.node);
        let always_fails = compiled.findings.iter().any(|finding| {
            matches!(finding.kind, FindingKind::AlwaysFails(_))
                && (finding.start, finding.end) == (0, text.len())
        });
        infallible += usize::from(compiled.can_fail.is_empty());
        always += usize::from(always_fails);
        for _ in 0..RECORDS {
            let record = record(rng);
            on_record(&compiled, &wants, &schema, &record, |result| match result {
                Ok(val) => {
                    assert!(
                        is_within(val, &extent),
                        "seed {seed}: {text} is {val:?} for {record}, not in {extent:?}"
                    );
                    assert!(!always_fails, "seed {seed}: {text} is {val:?} for {record}");
                }
                Err(fault) => {
                    failures += 1;
                    assert!(
                        compiled.can_fail.contains(&fault.reason),
                        "seed {seed}: {text} fails with {fault:?} for {record}, and was said to fail with {:?} only",
                        compiled.can_fail
                    );
                }
            });
        }
    }
    println!(
        "seed {seed}: {compiled_count} compiled, {infallible} infallible, {always} always fail, {failures} failures"
    );
    assert!(compiled_count > 2_000 && infallible > 500 && failures > 500 && always > 50);
}
