//! The syntax tree that the checker walks: every node with the bytes it was written in, macros as they were written.

use std::sync::Arc;

use super::Const;
use super::probe::Outcomes;

/// First byte and byte after the last.
pub(super) type Span = (usize, usize);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ast {
    pub span: Span,
    pub kind: AstKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum AstKind {
    Literal(Const),
    Ident(String),
    Select {
        of: Box<Ast>,
        field: String,
    },
    /// `has(of.field)`
    Has {
        of: Box<Ast>,
        field: String,
    },
    Not(Box<Ast>),
    Negate(Box<Ast>),
    And(Box<Ast>, Box<Ast>),
    Or(Box<Ast>, Box<Ast>),
    Cond(Box<Ast>, Box<Ast>, Box<Ast>),
    Binary(BinaryOp, Box<Ast>, Box<Ast>),
    Index(Box<Ast>, Box<Ast>),
    List(Vec<Ast>),
    Map(Vec<(Ast, Ast)>),
    Call {
        name: String,
        target: Option<Box<Ast>>,
        args: Vec<Ast>,
    },
    Fold {
        kind: FoldKind,
        over: Box<Ast>,
        var: String,
        /// `p` of `map(v, p, f)` and of `filter(v, p)`.
        filter: Option<Box<Ast>>,
        body: Box<Ast>,
    },
    /// A condition whose outcomes are noted; only where expressions are compiled for tests.
    Watched(Box<Ast>, Arc<Outcomes>),
}

impl Ast {
    /// Calls `each` for the direct children.
    pub fn children(&mut self, mut each: impl FnMut(&mut Ast)) {
        match &mut self.kind {
            AstKind::Literal(_) | AstKind::Ident(_) => {}
            AstKind::Select { of, .. }
            | AstKind::Has { of, .. }
            | AstKind::Not(of)
            | AstKind::Negate(of)
            | AstKind::Watched(of, _) => each(of),
            AstKind::And(a, b)
            | AstKind::Or(a, b)
            | AstKind::Binary(_, a, b)
            | AstKind::Index(a, b) => [a, b].into_iter().for_each(|child| each(child)),
            AstKind::Cond(a, b, c) => [a, b, c].into_iter().for_each(|child| each(child)),
            AstKind::List(items) => items.iter_mut().for_each(each),
            AstKind::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                each(key);
                each(value);
            }),
            AstKind::Call { target, args, .. } => {
                target.as_deref_mut().into_iter().for_each(&mut each);
                args.iter_mut().for_each(each);
            }
            AstKind::Fold {
                over, filter, body, ..
            } => {
                each(over);
                filter.as_deref_mut().into_iter().for_each(&mut each);
                each(body);
            }
        }
    }
}

/// The macros over lists and maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldKind {
    /// True of every element.
    All,
    /// True of an element.
    Exists,
    /// True of one element, and of one only.
    ExistsOne,
    /// `map`, and `filter` as a map of the element itself.
    Map,
}

/// Operators with two operands that are both always evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
}

impl BinaryOp {
    /// The operator as written.
    pub fn sign(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "in",
        }
    }
}
