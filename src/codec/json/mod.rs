//! Events as JSON, for people and scripts (`produce`, `tail`, `test`, `eval`); the form is fixed in the contracts:
//! fields by name; a union is the bare value (`{"$type": "name", "value": …}` chooses a branch); bytes and fixed are
//! base64; decimals strings; dates and times ISO 8601; NaN and the infinities strings.

mod input;
mod policy;
mod text;
mod writer;

pub(crate) use input::time_units;
pub use policy::{BigInts, Bytes, Decimals, NonFinite, Nulls, Policy, Times};
pub use writer::Writer;

use super::Fault;
use crate::schema::{Kind, NodeId, Schema};

/// Deepest nesting of values, as `serde_json` reads.
const DEPTH_MAX: usize = 120;

/// A value that does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct JsonFault {
    /// Path of the value, dotted, with indexes of lists; empty at the root.
    pub path: String,
    /// What does not fit.
    pub message: String,
}

/// A datum as JSON. Every byte is validated; the number of values is bounded. Values that ISO 8601 cannot hold
/// (years beyond 9999, a time of day beyond 24 h) are their plain number, which [`from_json`] takes as well.
pub fn to_json(schema: &Schema, datum: &[u8]) -> Result<serde_json::Value, Fault> {
    let mut text = Vec::new();
    Writer::compile(schema, Policy::default()).write(datum, &mut String::new(), &mut text)?;
    serde_json::from_slice(&text)
        .map_err(|error| Fault::new("avro_limit", format!("the datum makes no JSON: {error}")))
}

/// The datum of a JSON value. A field that is missing takes its default; a field that the schema lacks is a fault.
pub fn from_json(schema: &Schema, value: &serde_json::Value) -> Result<Vec<u8>, JsonFault> {
    input::datum(schema, value)
}

/// The name of a union's branch for `$type`.
fn branch_name(schema: &Schema, id: NodeId) -> &str {
    let node = schema.node(id);
    match (&node.name, &node.kind) {
        (Some(name), _) => name,
        (None, Kind::Null) => "null",
        (None, Kind::Boolean) => "boolean",
        (None, Kind::Int) => "int",
        (None, Kind::Long) => "long",
        (None, Kind::Float) => "float",
        (None, Kind::Double) => "double",
        (None, Kind::Bytes) => "bytes",
        (None, Kind::String) => "string",
        (None, Kind::Array(_)) => "array",
        (None, Kind::Map(_)) => "map",
        (None, _) => "union",
    }
}
