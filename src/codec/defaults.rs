//! stub
use super::Fault;
use crate::schema::{NodeId, Schema};
pub(crate) fn encode(
    _schema: &Schema,
    _node: NodeId,
    _default: &serde_json::Value,
) -> Result<Vec<u8>, Fault> {
    todo!()
}
