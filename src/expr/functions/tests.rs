//! The table keeps what it says: its examples have their values, and no value makes a function end in any other way.

use std::collections::HashMap;

use bumpalo::Bump;
use proptest::prelude::*;

use super::signature::T;
use super::*;
use crate::codec::Decimal;
use crate::expr::eval::{self, budgeted};
use crate::expr::value::equal;
use crate::expr::{BeforeColumns, Envelope, EventEnv};
use crate::expr::{Cx, Env, Facts, Given, Meta, Table, Wants, codes, compile};
use crate::schema::Schema;

const META: Meta<'static> = Meta {
    topic: "orders",
    partition: 0,
    offset: 0,
    timestamp_ms: None,
    key: None,
    headers: &[],
};

fn cx(bump: &Bump) -> Cx<'_> {
    Cx::without_record(&META, bump)
}

#[test]
fn every_entry_is_complete_and_every_reason_is_in_the_table_of_codes() {
    for overload in TABLE.iter() {
        let Function {
            signature,
            doc,
            examples,
            fails,
            ..
        } = overload.function;
        assert!(doc.ends_with('.'), "{signature}");
        assert!(!examples.is_empty(), "{signature} has no example");
        for reason in *fails {
            let known = codes::REASONS.iter().any(|(code, _)| code == reason);
            assert!(known, "{signature}: {reason}");
        }
    }
}

/// The schema of the examples.
const ITEM: &str = r#"{"type":"record","name":"Item","fields":[
 {"name":"sku","type":"string"},
 {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
 {"name":"n","type":["null","int"],"default":null}]}"#;

/// The table, the secret and the schema of the examples.
fn given() -> Env {
    let mut countries = Table::new(
        "countries".into(),
        false,
        vec![("name".into(), Type::String), ("vat".into(), Type::Int)],
    );
    assert!(countries.insert(
        &Const::Str("DE".into()),
        [Const::Str("Germany".into()), Const::Int(19)].into()
    ));
    Env {
        given: Given {
            tables: vec![countries.into()],
            secrets: vec![("pii_key".into(), Key::new(b"key").unwrap())],
            broken: Vec::new(),
            schemas: vec![("item".into(), Some(Schema::parse(ITEM).unwrap().into()))],
        },
        ..Env::default()
    }
}

#[test]
fn the_examples_have_the_values_that_the_reference_says() {
    let bump = Bump::new();
    let cx = cx(&bump);
    let env = given();
    let compiled = |text: &str| compile(text, &env, &mut Wants::new(), &Facts::none());
    for function in FAMILIES.iter().flat_map(|family| family.functions) {
        let name = Signature::parse(function.signature).unwrap().name;
        for (text, value) in function.examples {
            assert!(
                text.contains(name.rsplit('.').next().unwrap()),
                "{text} does not call {name}"
            );
            let found = match compiled(text) {
                Ok(found) => found,
                Err(faults) => panic!("{text}: {faults:?}"),
            };
            let result = eval::eval(&found.node, &cx);
            if let Some(reason) = value.strip_prefix("fails ") {
                assert_eq!(result.unwrap_err().reason, reason, "{text}");
                assert!(
                    found.can_fail.contains(&reason),
                    "{text}: {:?}",
                    found.can_fail
                );
                continue;
            }
            let expected = compiled(value).unwrap_or_else(|faults| panic!("{value}: {faults:?}"));
            let wanted = eval::eval(&expected.node, &cx).unwrap();
            let result = result.unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
            assert!(
                equal(result, wanted),
                "{text} is {result:?}, not {wanted:?}"
            );
            assert_eq!(found.ty.to_string(), expected.ty.to_string(), "{text}");
        }
    }
}

/// The orders table that the idioms of the reference are about.
const ORDERS: &str = r#"{"type":"record","name":"Envelope","fields":[
 {"name":"before","type":["null",{"type":"record","name":"Order","fields":[
   {"name":"id","type":"long"}, {"name":"email","type":"string"}, {"name":"note","type":["null","string"]},
   {"name":"status","type":"string"}, {"name":"code","type":"string"}, {"name":"card","type":"string"},
   {"name":"country","type":"string"}, {"name":"payload","type":"string"}, {"name":"at","type":"string"},
   {"name":"ms","type":"long"}, {"name":"created","type":{"type":"long","logicalType":"timestamp-micros"}},
   {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
   {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
      {"name":"sku","type":"string"},{"name":"n","type":"int"}]}}}]}]},
 {"name":"after","type":["null","Order"]},
 {"name":"op","type":"string"}]}"#;

#[test]
fn the_idioms_of_the_reference_compile() {
    let schema = Schema::parse(ORDERS).unwrap();
    let env = Env {
        event: Some(EventEnv {
            schema: schema.into(),
            envelope: Envelope::Debezium,
            before: BeforeColumns::All,
            left_out: Vec::new(),
        }),
        ..given()
    };
    let facts = Facts::op_in(&["c", "u", "r"]);
    let rows = reference::IDIOMS
        .lines()
        .filter(|line| line.starts_with("| "));
    let mut count = 0;
    for row in rows.skip(1) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let text = cell
            .split('`')
            .nth(1)
            .unwrap_or_else(|| panic!("no expression in {row}"));
        if let Err(faults) = compile(text, &env, &mut Wants::new(), &facts) {
            panic!("{text}: {faults:?}");
        }
        count += 1;
    }
    assert!(count >= 20, "{count}");
}

/// Values at the edges of a type.
fn edges<'a>(ty: &T, bump: &'a Bump) -> Vec<Val<'a>> {
    let long: &str = bump.alloc_str(&"aé(".repeat(40_000));
    let decimal = |unscaled, scale| Val::Decimal(bump.alloc(Decimal { unscaled, scale }));
    let ints = [0, 1, -1, 2, 7, 64, 1_000_000_000, i64::MIN, i64::MAX];
    match ty {
        T::Null => vec![Val::Null],
        T::Bool => vec![Val::Bool(true), Val::Bool(false)],
        T::Int | T::Date => ints.map(Val::Int).to_vec(),
        T::Uint => [0, 1, 63, 64, u64::MAX].map(Val::Uint).to_vec(),
        T::Double => [
            0.0,
            -0.0,
            0.5,
            -2.5,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9.3e18,
        ]
        .map(Val::Double)
        .to_vec(),
        T::Decimal => vec![
            decimal(0, 0),
            decimal(-12_345, 2),
            decimal(i128::MAX, 0),
            decimal(i128::MIN, 38),
            decimal(1, 1_000),
        ],
        T::Text => [
            "",
            "a",
            "é",
            "(",
            "%s %d",
            "%.999999999f",
            "UTC",
            "Europe/Berlin",
            "%Y-%m-%d",
            "[0-9]{1000}{1000}",
            "1e999999999",
            "half_up",
            "0123456789abcdef",
            "{\"a\": [1, null]}",
            "a%zz\u{0}",
            long,
        ]
        .map(Val::Str)
        .to_vec(),
        T::Bytes => vec![
            Val::Bytes(b""),
            Val::Bytes(b"\xff\x00"),
            Val::Bytes(long.as_bytes()),
        ],
        T::Timestamp => [
            (0, 0),
            (-62_135_596_800, 0),
            (253_402_300_799, 999_999_999),
            (1, 5),
        ]
        .map(|(s, n)| Val::Timestamp(s, n))
        .to_vec(),
        T::Duration | T::TimeOfDay => [
            (0, 0),
            (1, 5),
            (-1, -5),
            (9_223_372_036, 0),
            (-9_223_372_036, 0),
        ]
        .map(|(s, n)| Val::Duration(s, n))
        .to_vec(),
        T::Dyn | T::Letter('A' | 'B' | 'V') => {
            let mut all = edges(&T::Int, bump);
            all.extend(edges(&T::Text, bump));
            all.extend(edges(&T::Double, bump));
            all.extend([Val::Null, Val::List(&[Val::Null, Val::Int(1)])]);
            all
        }
        T::Letter('N') => [T::Int, T::Uint, T::Double, T::Decimal]
            .iter()
            .flat_map(|ty| edges(ty, bump))
            .collect(),
        T::Letter(_) => edges(&T::Double, bump),
        T::Nullable(inner) => {
            let mut all = edges(inner, bump);
            all.push(Val::Null);
            all
        }
        T::List(item) => {
            let items = edges(item, bump);
            let many: Vec<Val> = items.iter().copied().cycle().take(1_000).collect();
            let lists = [&items[..], &items[..1], &[], &many[..]];
            lists
                .map(|list| Val::List(bump.alloc_slice_copy(list)))
                .to_vec()
        }
        T::Secret => vec![Val::Null],
        T::Type => vec![Val::Type("int")],
        T::Optional(inner) => {
            let mut all = vec![Val::Optional(None)];
            all.extend(
                edges(inner, bump)
                    .into_iter()
                    .map(|val| Val::Optional(Some(bump.alloc(val)))),
            );
            all
        }
        T::Map(key, value) => {
            let (keys, values) = (edges(key, bump), edges(value, bump));
            let entries: Vec<_> = keys.iter().copied().zip(values.iter().copied()).collect();
            vec![Val::Map(&[]), Val::Map(bump.alloc_slice_copy(&entries))]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the values: a value of the type that the signature says, or a reason that it names.
    #[test]
    fn a_function_keeps_its_signature_for_all_values(choice in prop::collection::vec(any::<prop::sample::Index>(), 6)) {
        let values = Bump::new();
        let mut known: HashMap<String, Vec<Val>> = HashMap::new();
        for overload in TABLE.iter() {
            let bump = Bump::new();
            let signature = &overload.signature;
            let count = signature.params.len() + usize::from(signature.variadic);
            let mut args = Vec::new();
            for (at, choice) in choice.iter().enumerate().take(count) {
                let ty = signature.param(at);
                let edges = known.entry(format!("{ty:?}")).or_insert_with(|| edges(ty, &values));
                args.push(*choice.get(edges));
            }
            if matches!(overload.function.body, Body::Form) {
                continue;
            }
            let node = match &overload.function.body {
                Body::Built(build) => build((0..count as u16).map(Node::Reg).collect()),
                _ => Node::Const(Const::Null),
            };
            let cx = Cx { regs: &args, ..cx(&bump) };
            let key = Prepared::Key(Key::new(b"key").unwrap());
            let result = budgeted(&cx, |run| match &overload.function.body {
                Body::Form => Ok(Val::Null),
                Body::Keyed(call) => call(run, &args, Some(values.alloc(key))),
                Body::Plain(body) => body(run, &args),
                Body::With { call, .. } => call(run, &args, None),
                Body::Built(_) => run.eval(&node),
            });
            match result {
                Ok(val) => {
                    let fits = match (&signature.result, val) {
                        (T::Date, Val::Int(_)) | (T::TimeOfDay, Val::Duration(..)) => true,
                        (result, val) => result.fits(val),
                    };
                    prop_assert!(fits, "{overload:?}: {val:?}");
                }
                Err(fault) => prop_assert!(
                    overload.function.fails.contains(&fault.reason),
                    "{overload:?}: {fault:?} is not one of {:?}", overload.function.fails
                ),
            }
            prop_assert!(bump.allocated_bytes() < 64 << 20, "{overload:?}");
        }
    }
}

mod needs;
mod random;
