//! JSON as text, in and out.

use std::fmt::{self, Write};

use serde_json::Value as Json;

use super::super::eval::{Result, Run, mismatch};
use super::super::{EvalFault, Type, time};
use super::format::Writer;
use super::needs::{Fails, Given, Need, Of};
use super::prepared::Prepared;
use super::typed::parse_as;
use super::{Family, Function, Prepare};
use crate::codec::Val;

pub(super) static FAMILY: Family = Family {
    title: "JSON",
    intro: "A value that came out of JSON is `dyn`: what it is shows when it is used, so put `try` around what may be missing, or read it by a \
            schema: then it has types, which the checker knows.",
    functions: &[
        Function::new("json.parse(string) -> dyn", parse)
            .fails(&["bad_encoding", "expression_limit"])
            .doc(
                "The value that a text spells: whole numbers are int (or uint), others double; of a name that is there twice, the last counts. At most 127 \
                 levels deep.",
            )
            .examples(&[
                ("json.parse('{\"a\": [1, 2.5, null]}').a[0] == 1", "true"),
                ("try(string(json.parse('{}').a), 'none')", "'none'"),
                ("json.parse('{')", "fails bad_encoding"),
                (r#"json.parse(r'"\ud800"')"#, "fails bad_encoding"),
            ]),
        Function::with("json.parse(string, string) -> A", SCHEMA, parse_as)
            .fails(&["bad_encoding", "expression_limit", "json_mismatch"])
            .doc(
                "The value that a text spells, as a type of a schema: a file in `avro/`, without `.avsc`, whose name is a constant. Decimals are text or \
                 numbers, times are in ISO 8601 or in the schema's unit, bytes are base64. A field that is missing has its default, or is null if it can be; \
                 fields that the schema does not have are left out. What does not fit is `json_mismatch`, with the path and the reason. The examples have a \
                 schema `item` with a text `sku`, a decimal `price` and an `n` that may be null.",
            )
            .examples(&[
                ("json.parse('{\"sku\": \"a\", \"price\": \"1.50\"}', 'item').price * 2", "decimal('3.00')"),
                ("json.parse('{\"sku\": 7}', 'item').sku", "fails json_mismatch"),
            ]),
        Function::new("json.encode(dyn) -> string", encode)
            .fails(&["bad_encoding", "bad_utf8", "expression_limit", "time_range"])
            .needs(&[Need("bad_encoding", Of::Together(has_json)), Need("bad_utf8", Of::Together(has_json)), Need("time_range", Of::Together(has_json))])
            .doc(
                "The value as JSON, without white space. Decimals are text with all their digits, bytes are base64, times are as `string(…)` writes them; NaN \
                 and infinity have no JSON and are a fault.",
            )
            .examples(&[
                ("json.encode({'a': [1, 2.5, null], 'd': decimal('1.50')})", "'{\"a\":[1,2.5,null],\"d\":\"1.50\"}'"),
                ("json.encode('say \"hi\"')", r#"'"say \\"hi\\""'"#),
            ]),
    ],
};

/// The name of a schema; what it is for is found by the checker.
const SCHEMA: Prepare = Prepare {
    arg: 1,
    make: |_| Ok(Prepared::Good),
    rules_out: &[],
};

/// Bytes of memory that a byte of JSON may become while it is read: `[[],[],…` has a value of 72 bytes for three of text.
const GROWTH: usize = 32;

fn parse<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    value(run, &read(run, args.first())?)
}

/// The JSON that a text spells.
pub(super) fn read(run: &Run<'_, '_>, text: Option<&Val>) -> Result<Json> {
    let Some(Val::Str(text)) = text else {
        return Err(mismatch(&[text.copied().unwrap_or(Val::Null)]));
    };
    run.step(text.len())?;
    run.spend(text.len().saturating_mul(GROWTH))?;
    serde_json::from_str(text).map_err(|_| EvalFault::new("bad_encoding", "a text is not JSON"))
}

/// The value, in the arena. As deep as the parser allows: 127 levels.
fn value<'a>(run: &Run<'_, 'a>, json: &Json) -> Result<Val<'a>> {
    let bump = run.cx.bump;
    Ok(match json {
        Json::Null => Val::Null,
        Json::Bool(v) => Val::Bool(*v),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(v), _) => Val::Int(v),
            (None, Some(v)) => Val::Uint(v),
            _ => match number.as_f64() {
                Some(v) if v.is_finite() => Val::Double(v),
                _ => {
                    let message = "a number of a JSON text does not fit a double";
                    return Err(EvalFault::new("bad_encoding", message));
                }
            },
        },
        Json::String(text) => Val::Str(bump.alloc_str(text)),
        Json::Array(items) => {
            let out = bump.alloc_slice_fill_copy(items.len(), Val::Null);
            for (out, item) in out.iter_mut().zip(items) {
                *out = value(run, item)?;
            }
            Val::List(out)
        }
        Json::Object(entries) => {
            let out = bump.alloc_slice_fill_copy(entries.len(), (Val::Null, Val::Null));
            for (out, (name, item)) in out.iter_mut().zip(entries) {
                *out = (Val::Str(bump.alloc_str(name)), value(run, item)?);
            }
            Val::Map(out)
        }
    })
}

fn encode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [val] = args else {
        return Err(mismatch(args));
    };
    let mut out = Writer::new(run);
    // Where the budget ends, the text that is finished says so.
    let written = write(run, *val, &mut out)?;
    let text = out.finish()?;
    written.map_err(|_| super::convert::bad_range())?;
    Ok(text)
}

/// Writes a value. The outer result is the value's fault, the inner one that of the budget.
fn write<'a>(run: &Run<'_, 'a>, val: Val<'a>, out: &mut Writer) -> Result<fmt::Result> {
    Ok(match val {
        Val::Null => out.write_str("null"),
        Val::Bool(v) => write!(out, "{v}"),
        Val::Int(v) => write!(out, "{v}"),
        Val::Uint(v) => write!(out, "{v}"),
        Val::Double(v) if v.is_finite() => write!(out, "{v}"),
        Val::Double(_) | Val::Optional(_) | Val::Type(_) => return Err(no_json()),
        Val::Str(text) => quoted(text, out),
        Val::Bytes(_) => {
            let text = super::encode::base64_of(run, val)?;
            return write(run, text, out);
        }
        Val::Decimal(v) => write!(out, "\"{v}\""),
        Val::Timestamp(seconds, nanos) => {
            let written = out.write_char('"');
            let written = written.and_then(|()| time::write_timestamp(out, seconds, nanos));
            written.and_then(|()| out.write_char('"'))
        }
        Val::Duration(seconds, nanos) => {
            let written = out.write_char('"');
            let written = written.and_then(|()| time::write_duration(out, seconds, nanos));
            written.and_then(|()| out.write_char('"'))
        }
        Val::List(items) => {
            run.step(items.len())?;
            let mut written = out.write_char('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    written = written.and_then(|()| out.write_char(','));
                }
                if written.is_err() {
                    break;
                }
                written = write(run, *item, out)?;
            }
            written.and_then(|()| out.write_char(']'))
        }
        Val::Map(entries) => {
            run.step(entries.len())?;
            let mut written = out.write_char('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if !matches!(key, Val::Str(_) | Val::Bool(_) | Val::Int(_) | Val::Uint(_)) {
                    return Err(no_json());
                }
                if at > 0 {
                    written = written.and_then(|()| out.write_char(','));
                }
                written = written.and_then(|()| match key {
                    Val::Str(text) => quoted(text, out),
                    Val::Bool(v) => write!(out, "\"{v}\""),
                    Val::Int(v) => write!(out, "\"{v}\""),
                    Val::Uint(v) => write!(out, "\"{v}\""),
                    _ => Ok(()),
                });
                written = written.and_then(|()| out.write_char(':'));
                if written.is_err() {
                    break;
                }
                written = write(run, *item, out)?;
            }
            written.and_then(|()| out.write_char('}'))
        }
    })
}

fn no_json() -> EvalFault {
    let message = "a value has no JSON: NaN, infinity, an optional or a type";
    EvalFault::new("bad_encoding", message)
}

/// Text in quotes. (serde_json writes into bytes, not into text.)
fn quoted(text: &str, out: &mut Writer) -> fmt::Result {
    out.write_char('"')?;
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.write_str(&text[from..at])?;
        match escaped {
            "" => write!(out, "\\u{byte:04x}")?,
            escaped => out.write_str(escaped)?,
        }
        from = at + 1;
    }
    out.write_str(&text[from..])?;
    out.write_char('"')
}

/// Whether every value of the types has a JSON: all but doubles, which may be NaN, do.
fn has_json(given: &Given) -> Fails {
    let has = |ty: &Type| {
        matches!(
            ty,
            Type::Null
                | Type::Never
                | Type::Bool
                | Type::Int
                | Type::Uint
                | Type::Decimal
                | Type::String
                | Type::Bytes
                | Type::Timestamp
                | Type::Duration
        )
    };
    match given.known(0).is_some_and(|known| known.all(&has)) {
        true => Fails::Never,
        false => Fails::Perhaps,
    }
}
