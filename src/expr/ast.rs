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
    /// Levels of the tree from here on.
    pub depth: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum AstKind {
    Literal(Const),
    /// A name; one that begins with a dot is looked for outside of all containers and macros.
    Ident(String),
    /// `of.field`, or `of.?field`.
    Select {
        of: Box<Ast>,
        field: String,
        optional: bool,
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
    /// `of[index]`, or `of[?index]`.
    Index {
        of: Box<Ast>,
        index: Box<Ast>,
        optional: bool,
    },
    List(Vec<Item>),
    Map(Vec<(Ast, Item)>),
    Call {
        name: String,
        target: Option<Box<Ast>>,
        args: Vec<Ast>,
    },
    Fold(Box<FoldAst>),
    /// `cel.bind(var, value, body)`
    Bind {
        var: String,
        value: Box<Ast>,
        body: Box<Ast>,
    },
    /// `of.optMap(var, body)`, or `of.optFlatMap(var, body)`.
    OptMap {
        of: Box<Ast>,
        var: String,
        body: Box<Ast>,
        flat: bool,
    },
    /// A condition whose outcomes are noted; only where expressions are compiled for tests.
    Watched(Box<Ast>, Arc<Outcomes>),
}

/// An element of a list, or a value of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub ast: Ast,
    /// `[?x]`, `{?k: x}`: there only if `x` has a value.
    pub optional: bool,
}

/// A macro over a list or a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FoldAst {
    pub kind: FoldKind,
    pub over: Ast,
    /// An element of a list or key of a map; with a second variable the index or key.
    pub var: String,
    /// The element of a list or value of a map.
    pub second: Option<String>,
    /// `p` of `map(v, p, f)` and of `filter(v, p)`.
    pub filter: Option<Ast>,
    pub body: Ast,
}

impl Ast {
    pub fn new(kind: AstKind, span: Span) -> Ast {
        let depth = 1 + kind
            .parts()
            .iter()
            .map(|part| part.depth)
            .max()
            .unwrap_or(0);
        Ast { span, kind, depth }
    }
}

impl AstKind {
    /// The parts right under this.
    pub fn parts(&self) -> Vec<&Ast> {
        match self {
            AstKind::Literal(_) | AstKind::Ident(_) => Vec::new(),
            AstKind::Select { of, .. }
            | AstKind::Has { of, .. }
            | AstKind::Not(of)
            | AstKind::Negate(of)
            | AstKind::Watched(of, _) => vec![of],
            AstKind::And(a, b)
            | AstKind::Or(a, b)
            | AstKind::Binary(_, a, b)
            | AstKind::Index {
                of: a, index: b, ..
            }
            | AstKind::Bind {
                value: a, body: b, ..
            }
            | AstKind::OptMap { of: a, body: b, .. } => vec![a, b],
            AstKind::Cond(a, b, c) => vec![a, b, c],
            AstKind::List(items) => items.iter().map(|item| &item.ast).collect(),
            AstKind::Map(entries) => entries
                .iter()
                .flat_map(|(key, item)| [key, &item.ast])
                .collect(),
            AstKind::Call { target, args, .. } => {
                target.as_deref().into_iter().chain(args).collect()
            }
            AstKind::Fold(fold) => {
                let filter = fold.filter.as_ref();
                let body = [&fold.body];
                [&fold.over].into_iter().chain(filter).chain(body).collect()
            }
        }
    }

    /// The same, to be changed.
    pub fn parts_mut(&mut self) -> Vec<&mut Ast> {
        match self {
            AstKind::Literal(_) | AstKind::Ident(_) => Vec::new(),
            AstKind::Select { of, .. }
            | AstKind::Has { of, .. }
            | AstKind::Not(of)
            | AstKind::Negate(of)
            | AstKind::Watched(of, _) => vec![of],
            AstKind::And(a, b)
            | AstKind::Or(a, b)
            | AstKind::Binary(_, a, b)
            | AstKind::Index {
                of: a, index: b, ..
            }
            | AstKind::Bind {
                value: a, body: b, ..
            }
            | AstKind::OptMap { of: a, body: b, .. } => vec![a, b],
            AstKind::Cond(a, b, c) => vec![a, b, c],
            AstKind::List(items) => items.iter_mut().map(|item| &mut item.ast).collect(),
            AstKind::Map(entries) => entries
                .iter_mut()
                .flat_map(|(key, item)| [key, &mut item.ast])
                .collect(),
            AstKind::Call { target, args, .. } => {
                target.as_deref_mut().into_iter().chain(args).collect()
            }
            AstKind::Fold(fold) => {
                let filter = fold.filter.as_mut();
                let body = [&mut fold.body];
                [&mut fold.over]
                    .into_iter()
                    .chain(filter)
                    .chain(body)
                    .collect()
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
    /// `map` and `transformList`, and `filter` as a map of the element itself: a list.
    Map,
    /// `transformMap`: a map with the same keys.
    TransformMap,
    /// `transformMapEntry`: a map of the entries of the maps that the body gives.
    TransformMapEntry,
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
