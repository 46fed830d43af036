//! Conditions: `!`, `&&`, `||` and `?:`, and what they prove for the parts behind them.

use super::ast::{Ast, Span};
use super::check::{Checker, Typed, article};
use super::{ExprFault, Facts, Node, Type, Written};
use crate::schema::NodeId;

impl Checker<'_> {
    pub fn not(&mut self, of: &Ast, span: Span, facts: &Facts) -> Option<Typed> {
        let of = self.condition(of, facts)?;
        let (if_true, if_false) = (of.if_false.clone(), of.if_true.clone());
        let node = Node::Not(Box::new(self.node(of)?));
        Some(Typed {
            if_true,
            if_false,
            ..self.folded(node, Type::Bool, span, &[])
        })
    }

    pub fn and(&mut self, a: &Ast, b: &Ast, span: Span, facts: &Facts) -> Option<Typed> {
        let left = self.condition(a, facts);
        let known = left
            .as_ref()
            .map_or_else(|| facts.clone(), |left| facts.and(&left.if_true));
        let right = self.behind(left.as_ref(), |this| this.condition(b, &known));
        let (left, right) = (left?, right?);
        let if_true = left.if_true.and(&right.if_true);
        let if_false = left.if_false.or(&left.if_true.and(&right.if_false));
        let node = Node::And(Box::new([self.node(left)?, self.node(right)?]));
        Some(Typed {
            if_true,
            if_false,
            ..self.folded(node, Type::Bool, span, &[])
        })
    }

    pub fn or(&mut self, a: &Ast, b: &Ast, span: Span, facts: &Facts) -> Option<Typed> {
        let left = self.condition(a, facts);
        let known = left
            .as_ref()
            .map_or_else(|| facts.clone(), |left| facts.and(&left.if_false));
        let right = self.behind(left.as_ref(), |this| this.condition(b, &known));
        let (left, right) = (left?, right?);
        let if_true = left.if_true.or(&left.if_false.and(&right.if_true));
        let if_false = left.if_false.and(&right.if_false);
        let node = Node::Or(Box::new([self.node(left)?, self.node(right)?]));
        Some(Typed {
            if_true,
            if_false,
            ..self.folded(node, Type::Bool, span, &[])
        })
    }

    #[allow(clippy::too_many_arguments)]
    pub fn conditional(
        &mut self,
        condition: &Ast,
        a: &Ast,
        b: &Ast,
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let condition = self.condition(condition, facts);
        let (when, unless) = match &condition {
            Some(typed) => (facts.and(&typed.if_true), facts.and(&typed.if_false)),
            None => (facts.clone(), facts.clone()),
        };
        let (then, otherwise) = self.behind(condition.as_ref(), |this| {
            (
                this.part_of(a, target, &when),
                this.part_of(b, target, &unless),
            )
        });
        let (condition, mut then, mut otherwise) = (condition?, then?, otherwise?);
        let written = Written::joined([then.written.take(), otherwise.written.take()]);
        let ty = match then.ty.join(&otherwise.ty) {
            Some(ty) => ty,
            None if then.ty == Type::Dyn || otherwise.ty == Type::Dyn => Type::Dyn,
            None => {
                let message = format!(
                    "the branches have different types: {} and {}",
                    article(&then.ty),
                    article(&otherwise.ty)
                );
                return self.fault(ExprFault::new("type_mismatch", span, message));
            }
        };
        for branch in [&then, &otherwise] {
            self.not_lost(&branch.ty, &ty, branch.span)?;
        }
        let if_true = condition
            .if_true
            .and(&then.if_true)
            .or(&condition.if_false.and(&otherwise.if_true));
        let if_false = condition
            .if_true
            .and(&then.if_false)
            .or(&condition.if_false.and(&otherwise.if_false));
        let node = Node::Cond(Box::new([
            self.node(condition)?,
            self.node(then)?,
            self.node(otherwise)?,
        ]));
        Some(Typed {
            if_true,
            if_false,
            written,
            ..self.folded(node, ty, span, &[])
        })
    }
}
