//! The public conformance cases of CEL (`tests/data/cel/README.md`), through the compiled road: parse, check, compile to
//! nodes, evaluate. Judged are the value of every case and, where the suite states it, the static type.
//!
//! `CEL_CASES=FILE cargo test --test cel_conformance` runs another file of such cases.

use std::process::ExitCode;

use bumpalo::Bump;
use lockgate::codec::Val;
use lockgate::codec::time::parse_timestamp;
use lockgate::expr::{Cx, Dialect, Env, Facts, Meta, Type, Variable, Wants, compile, eval};
use serde_json::{Value as Json, json};

/// Failures that have an explanation, a line each: the name of the case, a tab, why it fails.
const EXPLAINED: &str = include_str!("data/cel/explained.tsv");

/// Faults of ours with which a text can be refused that the language allows.
const LACKS: [&str; 2] = ["expr_unsupported", "expr_limit"];

fn main() -> ExitCode {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cel/cases.json");
    let path = std::env::var("CEL_CASES").unwrap_or_else(|_| committed.to_owned());
    let cases: Vec<Json> = match read(&path) {
        Ok(cases) => cases,
        Err(error) => {
            println!("the conformance cases cannot be read from {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let explained: Vec<(&str, &str)> = EXPLAINED
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let (mut passed, mut failed, mut unexplained) = (0, 0, 0);
    for case in &cases {
        let name = case["name"].as_str().unwrap_or("(a case without a name)");
        match judge(case) {
            Ok(()) => passed += 1,
            Err(reason) => {
                failed += 1;
                let why = explained.iter().find(|(known, _)| *known == name);
                unexplained += usize::from(why.is_none());
                println!("FAILED {name}");
                println!("  {}", case["expr"].as_str().unwrap_or_default());
                println!("  {reason}");
                if let Some((_, why)) = why {
                    println!("  explained: {why}");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if unexplained == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn read(path: &str) -> Result<Vec<Json>, Box<dyn std::error::Error>> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

/// Whether a case comes out as the suite says; else what came instead.
fn judge(case: &Json) -> Result<(), String> {
    let text = case["expr"].as_str().ok_or("the case has no expression")?;
    let bump = Bump::new();
    let (mut variables, mut regs) = (Vec::new(), Vec::new());
    declare(case, &bump, &mut variables, &mut regs)?;
    let env = Env {
        dialect: Dialect {
            container: case["container"].as_str().unwrap_or_default().to_owned(),
            variables,
            macros: case["disable_macros"] != true,
            checked: case["disable_check"] != true,
        },
        ..Env::default()
    };
    let fails = case["error"] == true;
    let compiled = match compile(text, &env, &mut Wants::new(), &Facts::none()) {
        Ok(compiled) => compiled,
        // What the language lacks, or finds too large, is no fault of the case.
        Err(faults) if fails && !faults.iter().any(|fault| LACKS.contains(&fault.code)) => {
            return Ok(());
        }
        Err(faults) => {
            let told: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
            return Err(format!("refused: {}", told.join("; ")));
        }
    };
    if let Some(wanted) = case.get("deduced_type") {
        let given = notation(&compiled.ty);
        if given != *wanted {
            return Err(format!("the type is {given}, not {wanted}"));
        }
    }
    if case["check_only"] == true {
        return Ok(());
    }
    let meta = Meta::default();
    let cx = Cx {
        regs: &regs,
        ..Cx::without_record(&meta, &bump)
    };
    match eval(&compiled.node, &cx) {
        Ok(val) if fails => Err(format!("{val:?} instead of a fault")),
        Ok(val) => {
            if !same(val, &case["value"], &bump)? {
                return Err(format!("{val:?}, not {}", case["value"]));
            }
            Ok(())
        }
        Err(fault) if fails => {
            // A fault that the checker did not announce breaks the promise of `can_fail`.
            match compiled.can_fail.contains(&fault.reason) {
                true => Ok(()),
                false => Err(format!("`{}` is not announced", fault.reason)),
            }
        }
        Err(fault) => Err(format!("failed: {} ({})", fault.message, fault.reason)),
    }
}

/// The variables of a case and their values, in registers.
fn declare<'a>(
    case: &Json,
    bump: &'a Bump,
    variables: &mut Vec<Variable>,
    regs: &mut Vec<Val<'a>>,
) -> Result<(), String> {
    let declared = case["declarations"].as_array().into_iter().flatten();
    for one in declared.filter(|one| one.get("ident").is_some()) {
        let name = one["name"].as_str().ok_or("a declaration has no name")?;
        variables.push(Variable {
            name: name.to_owned(),
            ty: type_of(&one["ident"]["type"])?,
            reg: u16::MAX,
        });
    }
    for (name, json) in case["bindings"].as_object().into_iter().flatten() {
        let reg = u16::try_from(regs.len()).map_err(|_| "too many bindings")?;
        regs.push(value(json, bump)?);
        match variables.iter_mut().find(|one| one.name == *name) {
            Some(variable) => variable.reg = reg,
            None => variables.push(Variable {
                name: name.clone(),
                ty: Type::Dyn,
                reg,
            }),
        }
    }
    Ok(())
}

/// The only entry of an object.
fn entry(json: &Json) -> Option<(&str, &Json)> {
    let (kind, inner) = json.as_object()?.iter().next()?;
    Some((kind, inner))
}

/// A value out of the suite's notation.
fn value<'a>(json: &Json, bump: &'a Bump) -> Result<Val<'a>, String> {
    let unknown = || format!("the value {json} is not understood");
    let (kind, inner) = entry(json).ok_or_else(unknown)?;
    let text = inner.as_str().unwrap_or_default();
    let all = inner.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(match kind {
        "null" => Val::Null,
        "bool" => Val::Bool(inner.as_bool().ok_or_else(unknown)?),
        "int" => Val::Int(text.parse().map_err(|_| unknown())?),
        "uint" => Val::Uint(text.parse().map_err(|_| unknown())?),
        "double" => Val::Double(text.parse().map_err(|_| unknown())?),
        "string" => Val::Str(bump.alloc_str(text)),
        "bytes" => {
            let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
            Val::Bytes(bump.alloc_slice_copy(&bytes.ok_or_else(unknown)?))
        }
        "timestamp" => {
            let (seconds, nanos) = parse_timestamp(text).ok_or_else(unknown)?;
            Val::Timestamp(seconds, nanos)
        }
        "duration" => {
            let part = |at: usize| inner[at].as_i64().ok_or_else(unknown);
            Val::Duration(part(0)?, part(1)? as i32)
        }
        "type" => Val::Type(String::leak(text.to_owned())),
        "list" => {
            let items: Result<Vec<_>, _> = all.iter().map(|one| value(one, bump)).collect();
            Val::List(bump.alloc_slice_copy(&items?))
        }
        "map" => {
            let pair = |pair: &Json| Ok((value(&pair[0], bump)?, value(&pair[1], bump)?));
            let items: Result<Vec<_>, String> = all.iter().map(pair).collect();
            Val::Map(bump.alloc_slice_copy(&items?))
        }
        _ => return Err(unknown()),
    })
}

/// Whether a value is the one of the suite, its type included.
fn same(given: Val, json: &Json, bump: &Bump) -> Result<bool, String> {
    Ok(identical(given, value(json, bump)?))
}

fn identical(a: Val, b: Val) -> bool {
    match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Int(a), Val::Int(b)) => a == b,
        (Val::Uint(a), Val::Uint(b)) => a == b,
        (Val::Double(a), Val::Double(b)) => a == b || a.is_nan() && b.is_nan(),
        (Val::Str(a), Val::Str(b)) | (Val::Type(a), Val::Type(b)) => a == b,
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::Timestamp(a, an), Val::Timestamp(b, bn)) => (a, an) == (b, bn),
        (Val::Duration(a, an), Val::Duration(b, bn)) => (a, an) == (b, bn),
        (Val::List(a), Val::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(*a, *b))
        }
        (Val::Map(a), Val::Map(b)) => {
            let found =
                |k: Val, v: Val| b.iter().any(|(l, w)| identical(k, *l) && identical(v, *w));
            a.len() == b.len() && a.iter().all(|(k, v)| found(*k, *v))
        }
        _ => false,
    }
}

/// A type out of the suite's notation.
fn type_of(json: &Json) -> Result<Type, String> {
    let unknown = || format!("the type {json} is not understood");
    let (kind, inner) = entry(json).ok_or_else(unknown)?;
    Ok(match (kind, inner.as_str()) {
        ("dyn", _) => Type::Dyn,
        ("null", _) => Type::Null,
        ("type", _) => Type::Type,
        ("primitive" | "wrapper", Some(name)) => {
            let ty = match name {
                "BOOL" => Type::Bool,
                "INT64" => Type::Int,
                "UINT64" => Type::Uint,
                "DOUBLE" => Type::Double,
                "STRING" => Type::String,
                "BYTES" => Type::Bytes,
                _ => return Err(unknown()),
            };
            if kind == "wrapper" { ty.nullable() } else { ty }
        }
        ("wellKnown", Some("TIMESTAMP")) => Type::Timestamp,
        ("wellKnown", Some("DURATION")) => Type::Duration,
        ("wellKnown", Some("ANY")) => Type::Dyn,
        ("listType", None) => Type::List(Box::new(type_of(&inner["elemType"])?)),
        ("mapType", None) => Type::Map(
            Box::new(type_of(&inner["keyType"])?),
            Box::new(type_of(&inner["valueType"])?),
        ),
        ("abstractType", None) if inner["name"] == "optional_type" => {
            Type::Optional(Box::new(type_of(&inner["parameterTypes"][0])?))
        }
        _ => return Err(unknown()),
    })
}

/// A type in the suite's notation. CEL's types of times, messages and optionals admit null as they are, its others are
/// `dyn` beside it.
fn notation(ty: &Type) -> Json {
    match ty {
        Type::Null => json!({"null": null}),
        Type::Bool => json!({"primitive": "BOOL"}),
        Type::Int => json!({"primitive": "INT64"}),
        Type::Uint => json!({"primitive": "UINT64"}),
        Type::Double => json!({"primitive": "DOUBLE"}),
        Type::String => json!({"primitive": "STRING"}),
        Type::Bytes => json!({"primitive": "BYTES"}),
        Type::Timestamp => json!({"wellKnown": "TIMESTAMP"}),
        Type::Duration => json!({"wellKnown": "DURATION"}),
        Type::Type => json!({"type": {"dyn": {}}}),
        Type::List(item) => json!({"listType": {"elemType": notation(item)}}),
        Type::Map(key, value) => {
            json!({"mapType": {"keyType": notation(key), "valueType": notation(value)}})
        }
        Type::Optional(inner) => {
            json!({"abstractType": {"name": "optional_type", "parameterTypes": [notation(inner)]}})
        }
        Type::Nullable(inner)
            if matches!(
                **inner,
                Type::Timestamp | Type::Duration | Type::Optional(_)
            ) =>
        {
            notation(inner)
        }
        Type::Nullable(_) | Type::Dyn | Type::Never => json!({"dyn": {}}),
        other => json!({ "abstractType": { "name": other.to_string() } }),
    }
}
