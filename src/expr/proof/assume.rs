//! What a condition proves where it is true, and where it is false.

use super::Scope;
use super::call::{self, Named};
use super::extent::Extent;
use super::scope::number;
use super::values::Values;
use crate::expr::node::{Order, Set};
use crate::expr::{Const, Facts, MetaField, Node};

impl Scope<'_> {
    /// Asks something where more is known.
    pub fn under<T>(&self, known: &Values, ask: impl FnOnce(&Scope) -> T) -> T {
        let facts = self.facts.and(&Facts::of_values(known.clone()));
        ask(&Scope {
            facts: &facts,
            ..*self
        })
    }

    /// What is known where a condition is true, or false; `None` if it never is.
    pub fn assume(&self, node: &Node, truth: bool) -> Option<Values> {
        match node {
            Node::Not(of) => self.assume(of, !truth),
            Node::Watched(of, _) => self.assume(of, truth),
            Node::And(parts) | Node::Or(parts) => {
                let [a, b] = &**parts;
                let all = matches!(node, Node::And(_)) == truth;
                match (self.assume(a, truth), self.assume(b, truth)) {
                    (Some(a), Some(b)) if all => a.and(&b),
                    _ if all => None,
                    (Some(a), Some(b)) => Some(a.or(&b)),
                    (one, other) => one.or(other),
                }
            }
            Node::Const(Const::Bool(value)) => (*value == truth).then(Values::default),
            Node::Compare { order, operands } => {
                let order = if truth { *order } else { opposite(*order) };
                self.ordered(order, &operands[0], &operands[1])
            }
            Node::Equal { operands, negated } => {
                self.equal(&operands[0], &operands[1], truth != *negated)
            }
            Node::InSet { of, set } => {
                let all = match set {
                    Set::Texts(texts) => texts.iter().map(text).reduce(|a, b| a.join(&b)),
                    Set::Ints(ints) => {
                        let ends = ints.first().zip(ints.last());
                        ends.map(|(low, high)| number((*low).into(), (*high).into()))
                    }
                };
                let own = self.extent(of);
                let exact = matches!(set, Set::Texts(_));
                let extent = match (all, truth) {
                    (None, true) => return None,
                    (None, false) => return Some(Values::default()),
                    (Some(all), true) => own.meet(&all),
                    (Some(all), false) if exact => own.minus(&all),
                    (Some(_), false) => own,
                };
                self.noted(of, extent, truth)
            }
            Node::IsNull { of, negated } => {
                let null = truth != *negated;
                let Node::Slot { source, slot, .. } = &**of else {
                    return Some(Values::default());
                };
                match (self.can_be_null(*source, *slot), null) {
                    (Some(false), true) | (None, false) => None,
                    _ => Some(Values::default()),
                }
            }
            other => {
                if let Some(Extent::Truth(known)) = self
                    .key(other)
                    .and_then(|key| self.facts.values().get(&key))
                    && *known != truth
                {
                    return None;
                }
                let known = match self.key(other) {
                    Some(key) => Values::one(key, Extent::Truth(truth), true),
                    None => Values::default(),
                };
                match call::named(other) {
                    Some(call) if truth => known.and(&self.matched(&call)),
                    _ => Some(known),
                }
            }
        }
    }

    /// What a pattern that was found says of its text.
    fn matched(&self, call: &Named) -> Values {
        let ("matches", [of, Node::Const(Const::Str(pattern))]) = (call.name, call.args) else {
            return Values::default();
        };
        let known = self.noted(of, Extent::Like(pattern.clone()), true);
        known.unwrap_or_default()
    }

    /// `left order right` holds, so neither is null.
    fn ordered(&self, order: Order, left: &Node, right: &Node) -> Option<Values> {
        let (Extent::Number(a), Extent::Number(b)) = (self.extent(left), self.extent(right)) else {
            return Some(Values::default());
        };
        let (a, b) = (a.bounded(order, &b)?, b.bounded(mirrored(order), &a)?);
        self.noted(left, Extent::Number(a), true)?.and(&self.noted(
            right,
            Extent::Number(b),
            true,
        )?)
    }

    fn equal(&self, left: &Node, right: &Node, equal: bool) -> Option<Values> {
        let (a, b) = (self.extent(left), self.extent(right));
        if equal {
            // Two values that are both null are equal too.
            let present = [left, right].iter().any(|side| !self.may_be_null(side));
            let both = a.meet(&b);
            if both == Extent::Empty && present {
                return None;
            }
            self.noted(left, both.clone(), present)?
                .and(&self.noted(right, both, present)?)
        } else {
            let is_one = |extent: &Extent| match extent {
                Extent::Texts(texts) => texts.len() == 1,
                Extent::Number(number) => number.low == number.high,
                Extent::Truth(_) => true,
                _ => false,
            };
            let mut known = Values::default();
            for (side, own, other, other_side) in [(left, &a, &b, right), (right, &b, &a, left)] {
                if is_one(other) && !self.may_be_null(other_side) {
                    let present = !self.may_be_null(side);
                    known = known.and(&self.noted(side, own.minus(other), present)?)?;
                }
            }
            Some(known)
        }
    }

    /// Whether the value of a node can be null; true where that is not known.
    fn may_be_null(&self, node: &Node) -> bool {
        match node {
            Node::Const(value) => *value == Const::Null,
            Node::Slot { source, slot, .. } => self.can_be_null(*source, *slot) != Some(false),
            Node::Arith { .. } | Node::Negate(_) | Node::Compare { .. } | Node::Equal { .. } => {
                false
            }
            Node::Meta(MetaField::Topic | MetaField::Partition | MetaField::Offset) => false,
            _ => call::named(node).is_none_or(|call| {
                !matches!(call.name, "size" | "int" | "uint" | "decimal" | "string")
            }),
        }
    }

    fn noted(&self, node: &Node, extent: Extent, present: bool) -> Option<Values> {
        if extent == Extent::Empty && present {
            return None;
        }
        Some(match (self.key(node), node) {
            (_, Node::Const(_)) | (None, _) => Values::default(),
            _ if extent == Extent::Any => Values::default(),
            (Some(key), _) => Values::one(key, extent, present),
        })
    }
}

fn text(text: &str) -> Extent {
    Extent::Texts([text.into()].into())
}

fn opposite(order: Order) -> Order {
    match order {
        Order::Less => Order::GreaterOrEqual,
        Order::LessOrEqual => Order::Greater,
        Order::Greater => Order::LessOrEqual,
        Order::GreaterOrEqual => Order::Less,
    }
}

fn mirrored(order: Order) -> Order {
    match order {
        Order::Less => Order::Greater,
        Order::LessOrEqual => Order::GreaterOrEqual,
        Order::Greater => Order::Less,
        Order::GreaterOrEqual => Order::LessOrEqual,
    }
}
