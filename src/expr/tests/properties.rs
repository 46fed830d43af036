//! Properties over generated texts and expressions.

use proptest::prelude::*;

use super::*;

/// Words that expressions are made of, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "event",
        ".after",
        ".before",
        ".op",
        ".id",
        ".note",
        ".price",
        ".items",
        ".tags",
        "out",
        ".total",
        ".count",
        "meta",
        ".key",
        ".headers",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "?",
        ",",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        "&&",
        "||",
        "!",
        "null",
        "true",
        "1",
        "2u",
        "1.5",
        "'a'",
        "b'a'",
        "x",
        ".all(x, ",
        ".map(x, ",
        ".exists(x, ",
        "has(",
        "size(",
        "string(",
        "int(",
        "decimal(",
        "timestamp(",
        "duration(",
        ".size()",
        ".matches('a')",
        ".?",
        "[?",
        "{?",
        ".all(i, x, ",
        ".transformMap(i, x, ",
        ".optMap(x, ",
        "cel.bind(x, ",
        "optional.of(",
        "`a`",
        "'''",
        "r'",
        "é",
        "//",
        "\n",
        " ",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

/// Well-formed expressions, many of them well-typed, over registers of known types.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "out.total",
        "out.note",
        "out.count",
        "meta.topic",
        "meta.key",
        "meta.offset",
        "meta.timestamp",
        "vars.limit",
        "1",
        "0",
        "-1",
        "2u",
        "0.5",
        "'a'",
        "''",
        "null",
        "true",
        "false",
        "[1, 2]",
        "['a']",
        "[]",
        "{'a': 1}",
        "decimal('1.5')",
        "duration('1h')",
        "date('2024-01-31')",
        "b'a'",
        "dyn(1)",
        "dyn('a')",
        "meta.headers",
        "9223372036854775807",
        "optional.none()",
        "optional.of(1)",
        "dyn({'a': [1]})",
        "{1: 'a', 'b': 2u}",
        "int",
        "event.after.labels",
        "event.?after.?note",
        "event.after.items",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in",
        ]);
        let function = prop::sample::select(vec![
            "size",
            "string",
            "int",
            "uint",
            "double",
            "bool",
            "bytes",
            "decimal",
            "timestamp",
            "duration",
            "date",
            "dyn",
        ]);
        let method = prop::sample::select(vec![
            "size",
            "trim",
            "lowerAscii",
            "getHours",
            "getFullYear",
            "join",
            "contains",
            "startsWith",
            "split",
            "indexOf",
            "charAt",
            "substring",
        ]);
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (function, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (inner.clone(), method, prop::option::of(inner.clone()))
                .prop_map(|(a, f, b)| format!("{a}.{f}({})", b.unwrap_or_default())),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} != null ? {a} : {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("[{a}].map(x, x == {b} ? x : {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[?{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[?{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}, ?'a': {b}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.orValue({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.or({b}).value()")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("cel.bind(x, {a}, has(x.a) ? x.a : {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("cel.bind(o, {a}, o.hasValue() ? o.value() : {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.transformList(i, x, [i, x, {b}])")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.transformMap(i, x, i != {b}, x)")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.transformMapEntry(i, x, {{x: {b}}})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("optional.of({a}).optMap(x, x + {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.optFlatMap(x, x.?a.or({b}))")),
            inner.clone().prop_map(|a| format!("{a}.?a")),
            inner.clone().prop_map(|a| format!("{a}.a")),
            inner.clone().prop_map(|a| format!("has({a}.?a.b)")),
            inner.clone().prop_map(|a| format!("type({a})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_makes_the_compiler_panic(text in prop_oneof![words(), "\\PC{0,40}"]) {
        if let Err(faults) = checked(&text, &Facts::none()) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(text.get(fault.start..fault.end).is_some(), "{fault:?}");
            }
        }
    }

    /// With the checker and without, which then leaves every fault of types to the evaluation.
    #[test]
    fn an_expression_has_a_value_of_its_type_or_fails_for_a_listed_reason(text in expression(), checked in any::<bool>()) {
        let mut env = env();
        env.dialect.checked = checked;
        let mut wants = Wants::new();
        let Ok(compiled) = compile(&text, &env, &mut wants, &live()) else { return Ok(()) };
        let schema = env.event.as_ref().unwrap().schema.clone();
        let row = serde_json::json!({
            "id": 7, "quantity": 3, "note": null, "price": "12.50", "created": 0, "day": 0, "at": "2024-01-31T12:00:00Z", "tags": [],
            "labels": {"a": "b"}, "weight": 1.5, "address": null, "items": [{"sku": "s1", "n": 1, "price": null}]
        });
        let record = serde_json::json!({"before": null, "after": row, "op": "u", "ts_ms": 5});
        let datum = crate::codec::json::from_json(&schema, &record).unwrap();
        let scan = crate::codec::Scan::compile(&schema, &schema, wants.value()).unwrap();
        let mut slots = crate::codec::Slots::new();
        scan.run(&datum, &mut slots).unwrap();
        let value = Some(Datum { scan: &scan, bytes: &datum, slots: &slots });
        let bump = Bump::new();
        let total = Decimal { unscaled: i128::MAX, scale: 2 };
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"abc")), (b"b", None)];
        let meta = Meta { topic: "t", partition: 3, offset: 7, timestamp_ms: Some(1), key: Some(b"k"), headers: &headers };
        for regs in [
            [Val::Decimal(&total), Val::Null, Val::Int(i64::MIN)],
            [Val::Decimal(&total), Val::Str("é"), Val::Int(0)],
        ] {
            let cx = Cx { value, key: None, regs: &regs, meta: &meta, bump: &bump };
            match eval(&compiled.node, &cx) {
                Ok(val) => prop_assert!(fits(val, &compiled.ty), "{text}: {val:?} is not {}", compiled.ty),
                Err(fault) => prop_assert!(
                    compiled.can_fail.contains(&fault.reason),
                    "{text}: {fault:?} is not one of {:?}", compiled.can_fail
                ),
            }
        }
    }
}

fn fits(val: Val, ty: &Type) -> bool {
    match (val, ty) {
        (_, Type::Dyn) | (Val::Null, Type::Null | Type::Nullable(_)) => true,
        (val, Type::Nullable(inner)) => fits(val, inner),
        (Val::Bool(_), Type::Bool)
        | (Val::Int(_), Type::Int | Type::Date)
        | (Val::Uint(_), Type::Uint)
        | (Val::Double(_), Type::Double)
        | (Val::Str(_), Type::String)
        | (Val::Bytes(_), Type::Bytes)
        | (Val::Decimal(_), Type::Decimal)
        | (Val::Timestamp(..), Type::Timestamp)
        | (Val::Duration(..), Type::Duration | Type::TimeOfDay) => true,
        (Val::Type(_), Type::Type) | (Val::Optional(None), Type::Optional(_)) => true,
        (Val::Optional(Some(val)), Type::Optional(inner)) => fits(*val, inner),
        // A record is looked into by its schema; what it is read as is tested there.
        (Val::Map(_), Type::Record(..)) => true,
        (Val::List(items), Type::List(item)) => items.iter().all(|one| fits(*one, item)),
        (Val::Map(items), Type::Map(key, value)) => {
            items.iter().all(|(k, v)| fits(*k, key) && fits(*v, value))
        }
        _ => false,
    }
}
