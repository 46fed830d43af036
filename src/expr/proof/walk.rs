//! The parts of a node.

use crate::expr::Node;

impl Node {
    /// What is evaluated within the node, in order.
    pub fn children(&self) -> Vec<&Node> {
        match self {
            Node::Const(_)
            | Node::Slot { .. }
            | Node::Reg(_)
            | Node::Meta(_)
            | Node::Local(_)
            | Node::Fail(_) => Vec::new(),
            Node::Field { of, .. }
            | Node::IsNull { of, .. }
            | Node::InSet { of, .. }
            | Node::HasKey { of, .. }
            | Node::Not(of)
            | Node::Negate(of)
            | Node::IfPresent(of)
            | Node::OptNonNull(of)
            | Node::Watched(of, _) => vec![of],
            Node::And(parts)
            | Node::Or(parts)
            | Node::In(parts)
            | Node::Index(parts)
            | Node::Bind(parts)
            | Node::OptIndex(parts)
            | Node::OptMap(parts, _) => parts.iter().collect(),
            Node::OptOr(parts) | Node::OptOrValue(parts) => parts.iter().collect(),
            Node::Equal { operands, .. }
            | Node::Compare { operands, .. }
            | Node::Arith { operands, .. } => operands.iter().collect(),
            Node::Cond(parts) => parts.iter().collect(),
            Node::Try(parts) => parts.iter().collect(),
            Node::Lookup(lookup) => vec![&lookup.key],
            Node::List(items) | Node::Coalesce(items) => items.iter().collect(),
            Node::Call(call) => call.args.iter().collect(),
            Node::Map(entries, _) => entries
                .iter()
                .flat_map(|(key, value)| [key, value])
                .collect(),
            Node::Fold(fold) => [Some(&fold.over), fold.filter.as_ref(), Some(&fold.body)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}
