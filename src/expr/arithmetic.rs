//! The types of arithmetic, and why a result may not exist.

use super::ast::{Ast, BinaryOp, Span};
use super::check::{Checker, Typed, article};
use super::functions::{self, Call};
use super::node::Arith;
use super::operators::conversion_help;
use super::{ExprFault, Facts, Node, Type};

impl Checker<'_> {
    pub fn arithmetic(
        &mut self,
        op: BinaryOp,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Option<Typed> {
        let (left, right) = (self.non_null(left), self.non_null(right));
        let (left, right) = (self.instant(left?)?, self.instant(right?)?);
        let arith = match op {
            BinaryOp::Add => Arith::Add,
            BinaryOp::Sub => Arith::Subtract,
            BinaryOp::Mul => Arith::Multiply,
            BinaryOp::Div => Arith::Divide,
            _ => Arith::Remainder,
        };
        let Some((ty, reasons)) = possible(arith, &left.ty, &right.ty) else {
            let message = format!(
                "`{}` has no meaning for {} and {}",
                op.sign(),
                article(&left.ty),
                article(&right.ty)
            );
            let fault = ExprFault::new("type_mismatch", span, message);
            let decimals = matches!(
                (&left.ty, &right.ty),
                (Type::Decimal, _) | (_, Type::Decimal)
            );
            let help = match conversion_help(&left.ty, &right.ty) {
                _ if decimals && matches!(arith, Arith::Divide | Arith::Remainder) => {
                    Some("the quotient of decimals has no exact scale".into())
                }
                Some(help) => Some(help),
                None if arith == Arith::Add
                    && (left.ty == Type::String || right.ty == Type::String) =>
                {
                    Some("write `string(…)` around the other side".into())
                }
                None => None,
            };
            return self.fault(match help {
                Some(help) => fault.help(help),
                None => fault,
            });
        };
        let operands = Box::new([self.node(left)?, self.node(right)?]);
        Some(self.folded(
            Node::Arith {
                op: arith,
                operands,
            },
            ty,
            span,
            &reasons,
        ))
    }

    /// A day counts as its first instant where times are computed with.
    pub fn instant(&mut self, typed: Typed) -> Option<Typed> {
        if typed.ty != Type::Date {
            return Some(typed);
        }
        let span = typed.span;
        let Some(overload) = functions::conversion("timestamp", &Type::Date) else {
            return Some(typed);
        };
        let node = Node::Call(Box::new(Call::of(overload, vec![self.node(typed)?])));
        Some(self.folded(node, Type::Timestamp, span, &["time_range"]))
    }

    pub fn negate(&mut self, of: &Ast, span: Span, facts: &Facts) -> Option<Typed> {
        let of = self.expr(of, facts)?;
        let of = self.non_null(of)?;
        let reasons: &[&str] = match &of.ty {
            Type::Int => &["int_overflow"],
            Type::Decimal => &["decimal_overflow"],
            Type::Double => &[],
            Type::Dyn | Type::Never => &["no_such_overload", "int_overflow", "decimal_overflow"],
            other => {
                let message = format!("`-` has no meaning for {}", article(other));
                return self.fault(ExprFault::new("type_mismatch", span, message));
            }
        };
        let ty = of.ty.clone();
        let node = Node::Negate(Box::new(self.node(of)?));
        Some(self.folded(node, ty, span, reasons))
    }
}

/// The type of a result, and why it may not exist for some values.
fn result(op: Arith, left: &Type, right: &Type) -> Option<(Type, &'static [&'static str])> {
    use Type::{
        Bytes, Decimal, Double, Duration, Dyn, Int, List, String, TimeOfDay, Timestamp, Uint,
    };
    let divides = matches!(op, Arith::Divide | Arith::Remainder);
    Some(match (left, right) {
        (Int, Int) | (Uint, Uint) if divides => {
            (left.clone(), &["division_by_zero", "int_overflow"])
        }
        (Int, Int) | (Uint, Uint) => (left.clone(), &["int_overflow"]),
        (Double, Double) if op != Arith::Remainder => (Double, &[]),
        (Decimal, Decimal | Int | Uint) | (Int | Uint, Decimal) if !divides => {
            (Decimal, &["decimal_overflow"])
        }
        (String, String) | (Bytes, Bytes) if op == Arith::Add => {
            (left.clone(), &["expression_limit"])
        }
        (List(_), List(_)) if op == Arith::Add => {
            let joined = left.join(right).unwrap_or_else(|| List(Box::new(Dyn)));
            if left.is_lost_in(&joined) || right.is_lost_in(&joined) {
                return None;
            }
            (joined, &["expression_limit"])
        }
        (Timestamp, Duration) if matches!(op, Arith::Add | Arith::Subtract) => {
            (Timestamp, &["time_range"])
        }
        (Duration, Timestamp) if op == Arith::Add => (Timestamp, &["time_range"]),
        (Timestamp, Timestamp) | (TimeOfDay, TimeOfDay) if op == Arith::Subtract => {
            (Duration, &["time_range"])
        }
        (Duration, Duration) if matches!(op, Arith::Add | Arith::Subtract) => {
            (Duration, &["time_range"])
        }
        (Timestamp, TimeOfDay) if op == Arith::Add => (Timestamp, &["time_range"]),
        _ => return None,
    })
}

/// The same where a type is known at run time only: what all types that have the operator leave possible.
fn possible(op: Arith, left: &Type, right: &Type) -> Option<(Type, Vec<&'static str>)> {
    let values = |ty: &Type| match ty {
        Type::Dyn | Type::Never => vec![
            Type::Int,
            Type::Uint,
            Type::Double,
            Type::Decimal,
            Type::String,
            Type::Bytes,
            Type::Timestamp,
            Type::Duration,
            Type::List(Box::new(Type::Dyn)),
        ],
        known => vec![known.clone()],
    };
    let is_open = |ty: &Type| matches!(ty, Type::Dyn | Type::Never);
    if !is_open(left) && !is_open(right) {
        return result(op, left, right).map(|(ty, reasons)| (ty, reasons.to_vec()));
    }
    let mut types: Vec<Type> = Vec::new();
    let mut reasons = vec!["no_such_overload"];
    for left in values(left) {
        for right in values(right) {
            if let Some((ty, fails)) = result(op, &left, &right) {
                types.push(ty);
                reasons.extend(fails);
            }
        }
    }
    let first = types.first()?.clone();
    // Of an empty list there are no elements: their type is whatever fits.
    let ty = match (left, right) {
        (Type::Never, Type::Never) => Type::Never,
        (Type::Never, other) | (other, Type::Never) if types.contains(other) => other.clone(),
        _ if types.iter().all(|ty| *ty == first) => first,
        _ => Type::Dyn,
    };
    Some((ty, reasons))
}
