//! stub
use crate::expr::Type;
use crate::schema::{NodeId, Schema};
/// Whether every value of `from` can be copied into `to`, exactly. Nullability is the caller's business (flow facts).
pub fn copyable(
    _from: &Schema,
    _from_node: NodeId,
    _to: &Schema,
    _to_node: NodeId,
) -> Result<(), String> {
    todo!()
}
/// Whether a computed value of this type may be written there.
pub fn encodable(_ty: &Type, _to: &Schema, _to_node: NodeId) -> Result<(), String> {
    todo!()
}
