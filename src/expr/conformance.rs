//! The public conformance cases, as far as the language goes here: what it does not know is a fault, never another value.

use serde_json::Value as Json;

use super::*;
use crate::codec::Val;

/// Cases that pass. Only ever raised.
const PASSED: usize = 660;

/// The suite's text lost a backslash that its expected bytes still have.
const EXPLAINED: [&str; 2] = [
    "parse/bytes_literals/triple_single_quoted_unescaped_punctuation",
    "parse/bytes_literals/triple_double_quoted_unescaped_punctuation",
];

#[test]
fn what_is_understood_has_the_value_of_the_suite() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cel/cases.json");
    let cases: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut passed, mut wrong) = (0, Vec::new());
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        match outcome(case) {
            Some(true) => passed += 1,
            Some(false) if !EXPLAINED.contains(&name) => wrong.push(name),
            _ => {}
        }
    }
    assert_eq!(wrong, Vec::<&str>::new());
    assert!(passed >= PASSED, "{passed} of {} passed", cases.len());
    println!("{passed} of {} passed", cases.len());
}

/// Whether the case came out right; `None` if it needs what the language does not have.
fn outcome(case: &Json) -> Option<bool> {
    if case["check_only"] == true || case.get("container").is_some() {
        return None;
    }
    let mut text = case["expr"].as_str()?.to_owned();
    let mut vars = Vec::new();
    for (name, value) in case["bindings"].as_object().into_iter().flatten() {
        vars.push((name.clone(), constant(value)?));
        // Variables stand alone in the suite and in the scope `vars` here.
        if text == *name {
            text = format!("vars.{name}");
        }
    }
    let env = Env {
        vars,
        ..Env::default()
    };
    let fails = case["error"] == true;
    let Ok(compiled) = compile(&text, &env, &mut Wants::new(), &Facts::none()) else {
        return fails.then_some(true);
    };
    let bump = bumpalo::Bump::new();
    let meta = Meta {
        topic: "",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        headers: &[],
    };
    let cx = Cx {
        value: None,
        key: None,
        regs: &[],
        meta: &meta,
        bump: &bump,
    };
    Some(match eval(&compiled.node, &cx) {
        Ok(val) => !fails && same(val, &case["value"]),
        Err(_) => fails,
    })
}

fn constant(json: &Json) -> Option<Const> {
    let (kind, value) = json.as_object()?.iter().next()?;
    let text = value.as_str().unwrap_or_default();
    Some(match kind.as_str() {
        "null" => Const::Null,
        "bool" => Const::Bool(value.as_bool()?),
        "int" => Const::Int(text.parse().ok()?),
        "uint" => Const::Uint(text.parse().ok()?),
        "double" => Const::Double(text.parse().ok()?),
        "string" => Const::Str(text.into()),
        "bytes" => {
            let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
            Const::Bytes((0..text.len() / 2).map(byte).collect())
        }
        "timestamp" => {
            let (seconds, nanos) = time::parse_timestamp(text)?;
            Const::Timestamp(seconds, nanos)
        }
        "duration" => Const::Duration(value[0].as_i64()?, value[1].as_i64()? as i32),
        _ => return None,
    })
}

fn same(val: Val, json: &Json) -> bool {
    let Some((kind, value)) = json.as_object().and_then(|object| object.iter().next()) else {
        return false;
    };
    let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
    match (val, kind.as_str()) {
        (Val::List(items), "list") => {
            items.len() == all.len() && items.iter().zip(all).all(|(item, json)| same(*item, json))
        }
        (Val::Map(items), "map") => {
            let has = |k, v| {
                all.iter()
                    .any(|pair| same(k, &pair[0]) && same(v, &pair[1]))
            };
            items.len() == all.len() && items.iter().all(|(k, v)| has(*k, *v))
        }
        (Val::Double(a), "double") => {
            let b: f64 = value.as_str().unwrap().parse().unwrap();
            a == b || a.is_nan() && b.is_nan()
        }
        (val, _) => Const::of(val).is_some_and(|a| Some(a) == constant(json)),
    }
}
