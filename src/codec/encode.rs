//! stub
use super::{Fault, Val};
use crate::schema::{NodeId, Schema};
/// Appends a value in the encoding of a node.
pub fn value(
    _schema: &Schema,
    _node: NodeId,
    _value: &Val<'_>,
    _out: &mut Vec<u8>,
) -> Result<(), Fault> {
    todo!()
}
