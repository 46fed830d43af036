//! The codec against data and decoders that are not ours.

pub(crate) mod allocations;
mod emit;
mod evolution;
mod grown;
mod hostile;
mod json;
mod oracle;
mod resolution;
mod shop;
mod written;

pub use allocations::{allocated_bytes, allocations};

use std::sync::Arc;

use lockgate::codec::Want;
use lockgate::schema::{Kind, NodeId, Schema};

/// A schema from JSON.
pub(crate) fn schema(json: impl ToString) -> Arc<Schema> {
    Arc::new(
        Schema::parse(&json.to_string()).unwrap_or_else(|e| panic!("{e}: {}", json.to_string())),
    )
}

/// Every value that can be wanted: the path of indexes, the names, the node. Recursion is not followed.
fn places(schema: &Schema) -> Vec<(Want, Vec<String>, NodeId)> {
    fn walk(
        schema: &Schema,
        node: NodeId,
        at: &mut (Vec<u32>, Vec<String>),
        open: &mut Vec<NodeId>,
        into: &mut Vec<(Want, Vec<String>, NodeId)>,
    ) {
        into.push((Want { path: at.0.clone() }, at.1.clone(), node));
        let (record, _) = schema.strip_null(node);
        if let Kind::Record(fields) = &schema.node(record).kind
            && !open.contains(&record)
        {
            open.push(record);
            for (i, field) in fields.iter().enumerate() {
                at.0.push(i as u32);
                at.1.push(field.name.to_string());
                walk(schema, field.ty, at, open, into);
                at.0.pop();
                at.1.pop();
            }
            open.pop();
        }
    }
    let mut into = Vec::new();
    walk(
        schema,
        schema.root,
        &mut Default::default(),
        &mut Vec::new(),
        &mut into,
    );
    into
}

/// Bytes from hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}
