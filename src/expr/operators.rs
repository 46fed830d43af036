//! Operators with two operands, and what comparisons prove.

use super::ast::{BinaryOp, Span};
use super::check::{Checker, Typed, Value, article};
use super::node::{Order, Set};
use super::path::{closest, comparable};
use super::{Const, Envelope, ExprFault, Facts, Node, Texts, Type};

/// The operations of Debezium, for spelling.
const OPS: [(&str, &str); 6] = [
    ("c", "create"),
    ("r", "read"),
    ("u", "update"),
    ("d", "delete"),
    ("t", "truncate"),
    ("m", "message"),
];

impl Checker<'_> {
    pub fn equality(
        &mut self,
        left: Typed,
        right: Typed,
        negated: bool,
        span: Span,
    ) -> Option<Typed> {
        let is_null = |typed: &Typed| matches!(typed.constant(), Some(Const::Null));
        if is_null(&right) {
            return self.null_test(left, negated, span);
        }
        if is_null(&left) {
            return self.null_test(right, negated, span);
        }
        self.comparable(&left, &right, if negated { "!=" } else { "==" }, span)?;
        let mut equal = Facts::none();
        let mut different = Facts::none();
        for (path, value) in [(&left, &right), (&right, &left)] {
            let Some(name) = &path.path else { continue };
            if !value.ty.is_nullable() {
                equal = equal.and(&Facts::non_null(name));
            }
            if let Some(Const::Str(op)) = value.constant()
                && self.is_op(path)
            {
                let span = value.span;
                self.known_op(op, span)?;
                equal = equal.and(&Facts::op_in(&[op]));
                different = different.and(&Facts::op_not_in(&[op]));
            }
        }
        let operands = Box::new([self.node(left)?, self.node(right)?]);
        let typed = self.folded(Node::Equal { operands, negated }, Type::Bool, span, &[]);
        let (if_true, if_false) = if negated {
            (different, equal)
        } else {
            (equal, different)
        };
        Some(Typed {
            if_true,
            if_false,
            ..typed
        })
    }

    /// Whether the part is `event.op` of Debezium's envelope.
    fn is_op(&self, typed: &Typed) -> bool {
        let debezium = self
            .env
            .event
            .as_ref()
            .is_some_and(|event| event.envelope == Envelope::Debezium);
        debezium && typed.path.as_deref() == Some("event.op")
    }

    fn known_op(&mut self, op: &str, span: Span) -> Option<()> {
        if OPS.iter().any(|(known, _)| *known == op) {
            return Some(());
        }
        let fault = ExprFault::new(
            "unknown_symbol",
            span,
            format!("`event.op` is never \"{op}\""),
        );
        let names = OPS.map(|(_, name)| name);
        let meant = closest(&op.to_ascii_lowercase(), names)
            .and_then(|near| OPS.iter().find(|(_, name)| *name == near));
        let help = match meant {
            Some((op, name)) => format!("{name} is \"{op}\""),
            None => "it is \"c\" (create), \"r\" (snapshot read), \"u\" (update), \"d\" (delete), \"t\" (truncate) or \"m\" (message)".into(),
        };
        self.fault(fault.help(help))
    }

    fn comparable(&mut self, left: &Typed, right: &Typed, sign: &str, span: Span) -> Option<()> {
        let (a, b) = (left.ty.non_null(), right.ty.non_null());
        if comparable(a, b) {
            return Some(());
        }
        if matches!((a, b), (Type::Record(..), Type::Record(..))) {
            let fault = ExprFault::new("type_mismatch", span, "records cannot be compared");
            return self.fault(fault.help("compare the fields that matter"));
        }
        let message = format!(
            "`{sign}` compares {} with {}",
            article(&left.ty),
            article(&right.ty)
        );
        let fault = ExprFault::new("type_mismatch", span, message);
        let fault = match conversion_help(a, b) {
            Some(help) => fault.help(help),
            None => fault,
        };
        self.fault(fault)
    }

    pub fn order(&mut self, op: BinaryOp, left: Typed, right: Typed, span: Span) -> Option<Typed> {
        let (left, right) = (self.non_null(left), self.non_null(right));
        let (left, right) = (left?, right?);
        self.comparable(&left, &right, op.sign(), span)?;
        for side in [&left, &right] {
            if !has_order(&side.ty) {
                let message = format!("{} has no order", article(&side.ty));
                return self.fault(ExprFault::new("type_mismatch", side.span, message));
            }
        }
        let order = match op {
            BinaryOp::Lt => Order::Less,
            BinaryOp::Le => Order::LessOrEqual,
            BinaryOp::Gt => Order::Greater,
            _ => Order::GreaterOrEqual,
        };
        let dynamic = [&left, &right]
            .iter()
            .any(|side| matches!(side.ty, Type::Dyn | Type::Never));
        let reasons: &[&str] = if dynamic { &["no_such_overload"] } else { &[] };
        let operands = Box::new([self.node(left)?, self.node(right)?]);
        Some(self.folded(Node::Compare { order, operands }, Type::Bool, span, reasons))
    }

    /// `left in right`; `place` is what facts call the right side.
    pub fn contained(
        &mut self,
        left: Typed,
        right: Typed,
        place: Option<&str>,
        span: Span,
    ) -> Option<Typed> {
        let right = self.non_null(right)?;
        let item = match &right.ty {
            Type::List(item) => (**item).clone(),
            Type::Map(key, _) => (**key).clone(),
            Type::Dyn | Type::Never => {
                self.can_fail.insert("no_such_overload");
                Type::Dyn
            }
            other => {
                let message = format!(
                    "`in` looks into a list or a map, this is {}",
                    article(other)
                );
                let fault = ExprFault::new("type_mismatch", right.span, message);
                let fault = if *other == Type::String {
                    fault.help("text has `.contains(…)`")
                } else {
                    fault
                };
                return self.fault(fault);
            }
        };
        if !comparable(&left.ty, &item) {
            let message = format!(
                "`in` looks for {} among values of type {item}",
                article(&left.ty)
            );
            let fault = ExprFault::new("type_mismatch", span, message);
            let fault = match conversion_help(left.ty.non_null(), item.non_null()) {
                Some(help) => fault.help(help),
                None => fault,
            };
            return self.fault(fault);
        }
        let consts = match &right.value {
            Value::Node(Node::List(nodes)) => nodes
                .iter()
                .map(|node| match node {
                    Node::Const(value) => Some(value.clone()),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let (mut if_true, mut if_false) = (Facts::none(), Facts::none());
        if let Some(path) = &left.path
            && !item.is_nullable()
        {
            if_true = Facts::non_null(path);
        }
        if let (Type::Map(..) | Type::Dyn, Some(place), Some(Const::Str(key))) =
            (&right.ty, place, left.constant())
        {
            if_true = Facts::present(&format!("{place}.{key}"));
        }
        if self.is_op(&left)
            && let Some(consts) = &consts
        {
            let texts = consts.iter().map(|value| match value {
                Const::Str(text) => Some(text.clone()),
                _ => None,
            });
            if let Some(ops) = texts.collect::<Option<Vec<_>>>() {
                for op in &ops {
                    self.known_op(op, right.span)?;
                }
                if_true = if_true.and(&Facts::op_in(&ops));
                if_false = Facts::op_not_in(&ops);
            }
        }
        let set = consts.and_then(|consts| set(left.ty.non_null(), &consts));
        let of = self.node(left)?;
        let node = match set {
            Some(set) => Node::InSet {
                of: Box::new(of),
                set,
            },
            None => Node::In(Box::new([of, self.node(right)?])),
        };
        Some(Typed {
            if_true,
            if_false,
            ..self.folded(node, Type::Bool, span, &[])
        })
    }
}

/// Whether values of the type can be smaller and larger.
fn has_order(ty: &Type) -> bool {
    !matches!(
        ty,
        Type::List(_)
            | Type::Map(..)
            | Type::Record(..)
            | Type::Made(..)
            | Type::Optional(_)
            | Type::Type
    )
}

/// A set, if all constants have the type of what is looked for.
fn set(ty: &Type, consts: &[Const]) -> Option<Set> {
    match ty {
        Type::Int => {
            let ints = consts.iter().map(|value| {
                if let Const::Int(v) = value {
                    Some(*v)
                } else {
                    None
                }
            });
            let mut ints = ints.collect::<Option<Vec<_>>>()?;
            ints.sort_unstable();
            Some(Set::Ints(ints))
        }
        Type::String => {
            let texts = consts.iter().map(|value| {
                if let Const::Str(v) = value {
                    Some(v.clone())
                } else {
                    None
                }
            });
            Some(Set::Texts(texts.collect::<Option<Texts>>()?))
        }
        _ => None,
    }
}

/// How one side becomes comparable with the other.
pub(super) fn conversion_help(a: &Type, b: &Type) -> Option<String> {
    let help = match (a, b) {
        (Type::Optional(inner), other) | (other, Type::Optional(inner)) if **inner == *other => {
            "take the value with `.orValue(…)`"
        }
        (Type::Decimal, Type::Double) | (Type::Double, Type::Decimal) => {
            "a double is not exact: write the number as `decimal(\"…\")`, or convert with `double(…)`"
        }
        (Type::Decimal, Type::String) | (Type::String, Type::Decimal) => "write `decimal(\"…\")`",
        (Type::Timestamp, Type::String) | (Type::String, Type::Timestamp) => {
            "write `timestamp(\"2024-01-31T00:00:00Z\")`"
        }
        (Type::Date, Type::String) | (Type::String, Type::Date) => "write `date(\"2024-01-31\")`",
        (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Date) => {
            "convert one side with `timestamp(…)` or `date(…)`"
        }
        (Type::Duration, Type::String) | (Type::String, Type::Duration) => {
            "write `duration(\"1h30m\")`"
        }
        (Type::Int, Type::Double) | (Type::Double, Type::Int) => "write `double(…)` around the int",
        (Type::Int, Type::Uint) | (Type::Uint, Type::Int) => {
            "convert one side with `int(…)` or `uint(…)`"
        }
        (Type::Int, Type::String) | (Type::String, Type::Int) => {
            "convert one side with `int(…)` or `string(…)`"
        }
        (Type::Bytes, Type::String) | (Type::String, Type::Bytes) => {
            "convert one side with `string(…)` or `bytes(…)`"
        }
        _ => return None,
    };
    Some(help.into())
}
