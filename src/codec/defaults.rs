//! Field defaults: from the JSON of a schema to a datum. Avro's rules for defaults, which differ from those for events
//! (bytes are text of code points below 256, a union takes its default without a marker).

use std::sync::Arc;

use serde_json::Value;

use super::primitive::{put_long, put_run};
use super::scan::Slot;
use super::{Fault, NESTING_MAX};
use crate::schema::{Kind, NodeId, Schema};

/// The default of a field that a writer lacks, as a scanned datum of the reader's type.
#[derive(Clone, Debug)]
pub(super) struct DefaultSlot {
    pub(super) bytes: Arc<[u8]>,
    pub(super) slot: Slot,
}

/// Most bytes that one default may encode to. Defaults of defaults multiply.
const DEFAULT_BYTES_MAX: usize = 1 << 20;

/// Encodes the default of a field of type `node`.
pub(crate) fn encode(schema: &Schema, node: NodeId, default: &Value) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    write(schema, node, default, &mut out)?;
    Ok(out)
}

/// Appends the encoding of such a default. Allocates only when `out` grows.
pub(super) fn write(
    schema: &Schema,
    node: NodeId,
    default: &Value,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let end_max = out.len().saturating_add(DEFAULT_BYTES_MAX);
    put(schema, node, default, out, end_max, 0)
}

fn put(
    schema: &Schema,
    id: NodeId,
    json: &Value,
    out: &mut Vec<u8>,
    end_max: usize,
    depth: usize,
) -> Result<(), Fault> {
    let misfit = || {
        let mut text = json.to_string();
        if text.len() > 60 {
            let cut = (0..=60)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            text.truncate(cut);
            text.push('…');
        }
        Fault::new(
            "invalid_default",
            format!("{text} is no default for {}", schema.describe(id)),
        )
    };
    if depth > NESTING_MAX * 2 || out.len() > end_max {
        return Err(Fault::new(
            "avro_limit",
            "the default is too deep or too large",
        ));
    }
    let integer = |min: i64, max: i64| {
        json.as_i64()
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(misfit)
    };
    match &schema.node(id).kind {
        Kind::Null => json.as_null().ok_or_else(misfit)?,
        Kind::Boolean => out.push(u8::from(json.as_bool().ok_or_else(misfit)?)),
        Kind::Int => put_long(integer(i64::from(i32::MIN), i64::from(i32::MAX))?, out),
        Kind::Long => put_long(integer(i64::MIN, i64::MAX)?, out),
        Kind::Float => {
            out.extend_from_slice(&(json.as_f64().ok_or_else(misfit)? as f32).to_le_bytes())
        }
        Kind::Double => out.extend_from_slice(&json.as_f64().ok_or_else(misfit)?.to_le_bytes()),
        Kind::String => put_run(json.as_str().ok_or_else(misfit)?.as_bytes(), out),
        Kind::Bytes => {
            let (text, size) = latin1(json).ok_or_else(misfit)?;
            put_long(size as i64, out);
            out.extend(text.chars().map(|char| char as u8));
        }
        Kind::Fixed { size } => {
            let (text, _) = latin1(json)
                .filter(|(_, bytes)| *bytes == *size as usize)
                .ok_or_else(misfit)?;
            out.extend(text.chars().map(|char| char as u8));
        }
        Kind::Enum { symbols, .. } => {
            let text = json.as_str().ok_or_else(misfit)?;
            let at = symbols
                .iter()
                .position(|s| &**s == text)
                .ok_or_else(misfit)?;
            put_long(at as i64, out);
        }
        Kind::Array(items) => {
            let list = json.as_array().ok_or_else(misfit)?;
            if !list.is_empty() {
                put_long(list.len() as i64, out);
                for item in list {
                    put(schema, *items, item, out, end_max, depth + 1)?;
                }
            }
            out.push(0);
        }
        Kind::Map(values) => {
            let entries = json.as_object().ok_or_else(misfit)?;
            if !entries.is_empty() {
                put_long(entries.len() as i64, out);
                for (key, value) in entries {
                    put_run(key.as_bytes(), out);
                    put(schema, *values, value, out, end_max, depth + 1)?;
                }
            }
            out.push(0);
        }
        Kind::Union(branches) => {
            // The specification says the first branch; since 1.12 any, and converters write both.
            let start = out.len();
            for (at, branch) in branches.iter().enumerate() {
                put_long(at as i64, out);
                match put(schema, *branch, json, out, end_max, depth + 1) {
                    Ok(()) => return Ok(()),
                    Err(fault) if fault.reason == "avro_limit" => return Err(fault),
                    Err(_) => out.truncate(start),
                }
            }
            return Err(misfit());
        }
        Kind::Record(fields) => {
            let object = json.as_object().ok_or_else(misfit)?;
            for field in fields {
                let value = object
                    .get(&*field.name)
                    .or(field.default.as_ref())
                    .ok_or_else(misfit)?;
                put(schema, field.ty, value, out, end_max, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// Text of which each character is a byte, and how many they are.
fn latin1(json: &Value) -> Option<(&str, usize)> {
    let text = json.as_str()?;
    let is_byte = |char: char| u32::from(char) < 256;
    text.chars()
        .all(is_byte)
        .then(|| (text, text.chars().count()))
}
