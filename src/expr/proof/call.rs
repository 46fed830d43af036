//! Calls by the names under which the language knows them: the proof knows a few of them closely, all others by the
//! reasons in their table.

use crate::expr::Node;

/// A call.
pub struct Named<'n> {
    /// The function, with its namespace.
    pub name: &'static str,
    /// The receiver, if there is one, and the arguments.
    pub args: &'n [Node],
}

/// The call that a node is.
pub fn named(node: &Node) -> Option<Named<'_>> {
    match node {
        Node::Call(call) => Some(Named {
            name: call.name(),
            args: &call.args,
        }),
        _ => None,
    }
}
