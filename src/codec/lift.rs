//! stub
use super::{Fault, Val};
use crate::schema::{NodeId, Schema};
use bumpalo::Bump;
/// A physical value with the meaning that the schema gives it.
pub fn lift<'a>(
    _schema: &Schema,
    _node: NodeId,
    _value: Val<'a>,
    _bump: &'a Bump,
) -> Result<Val<'a>, Fault> {
    todo!()
}
