//! The compiled form of an expression: a tree of typed nodes over slots, registers and constants.

use std::collections::BTreeSet;
use std::sync::Arc;

pub use super::ast::FoldKind;
use super::functions::Call;
use super::probe::Outcomes;
use super::proof::Finding;
use super::{EvalFault, Facts, Table, Texts, Type, View, Written};
use crate::codec::{Decimal, Val};

/// A checked expression, ready to be evaluated for any record of its source.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What to evaluate.
    pub node: Node,
    /// The type of its values, narrowed by the facts it was compiled under.
    pub ty: Type,
    /// What is known where the expression, a condition, was true.
    pub if_true: Facts,
    /// What is known where it was false.
    pub if_false: Facts,
    /// Reason codes that an evaluation can end with, sorted.
    pub can_fail: Vec<&'static str>,
    /// Where it can fail, and which of its conditions are decided.
    pub findings: Vec<Finding>,
    /// Full paths that are read: `event.after.id`, `out.total`, `meta.key`.
    pub reads: BTreeSet<String>,
    /// What the value is made of, if records are written out in it for the output.
    pub written: Option<Written>,
}

impl Compiled {
    /// The slot, if the expression is nothing but a path into the event or the key: its value can be copied unchanged.
    pub fn as_slot(&self) -> Option<(Source, u16)> {
        self.node.as_slot()
    }

    /// Whether the expression is nothing but a column that Debezium may have left out.
    pub fn may_be_left_out(&self) -> bool {
        self.node.may_be_left_out()
    }

    /// The value, if the expression is a constant.
    pub fn as_const(&self) -> Option<&Const> {
        match &self.node {
            Node::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Whether only `meta` and `vars` are read, so that the expression also has a value for a tombstone.
    pub fn reads_only_meta(&self) -> bool {
        self.reads.iter().all(|path| path.starts_with("meta."))
    }
}

/// Which scanned datum a slot belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The record's value.
    Value,
    /// The record's key.
    Key,
}

/// Kafka's coordinates of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MetaField {
    Topic,
    Partition,
    Offset,
    Timestamp,
    KeyBytes,
    KeyText,
    Headers,
}

/// A constant value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Const {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    Decimal(Decimal),
    Timestamp(i64, u32),
    Duration(i64, i32),
    Type(&'static str),
}

impl Const {
    /// The type of the constant.
    pub fn ty(&self) -> Type {
        match self {
            Const::Null => Type::Null,
            Const::Bool(_) => Type::Bool,
            Const::Int(_) => Type::Int,
            Const::Uint(_) => Type::Uint,
            Const::Double(_) => Type::Double,
            Const::Str(_) => Type::String,
            Const::Bytes(_) => Type::Bytes,
            Const::Decimal(_) => Type::Decimal,
            Const::Timestamp(..) => Type::Timestamp,
            Const::Duration(..) => Type::Duration,
            Const::Type(_) => Type::Type,
        }
    }

    /// The constant as a value.
    pub fn val(&self) -> Val<'_> {
        match self {
            Const::Null => Val::Null,
            Const::Bool(v) => Val::Bool(*v),
            Const::Int(v) => Val::Int(*v),
            Const::Uint(v) => Val::Uint(*v),
            Const::Double(v) => Val::Double(*v),
            Const::Str(v) => Val::Str(v),
            Const::Bytes(v) => Val::Bytes(v),
            Const::Decimal(v) => Val::Decimal(v),
            Const::Timestamp(seconds, nanos) => Val::Timestamp(*seconds, *nanos),
            Const::Duration(seconds, nanos) => Val::Duration(*seconds, *nanos),
            Const::Type(name) => Val::Type(name),
        }
    }

    /// The value as a constant; `None` for lists, maps and optionals.
    pub fn of(val: Val) -> Option<Const> {
        Some(match val {
            Val::Null => Const::Null,
            Val::Bool(v) => Const::Bool(v),
            Val::Int(v) => Const::Int(v),
            Val::Uint(v) => Const::Uint(v),
            Val::Double(v) => Const::Double(v),
            Val::Str(v) => Const::Str(v.into()),
            Val::Bytes(v) => Const::Bytes(v.into()),
            Val::Decimal(v) => Const::Decimal(*v),
            Val::Timestamp(seconds, nanos) => Const::Timestamp(seconds, nanos),
            Val::Duration(seconds, nanos) => Const::Duration(seconds, nanos),
            Val::Type(name) => Const::Type(name),
            Val::List(_) | Val::Map(_) | Val::Optional(_) => return None,
        })
    }
}

/// One step of an evaluation. Operands have been checked: what a node is given fits it, except for `dyn`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Node {
    Const(Const),
    /// A path into the event or the key.
    Slot {
        source: Source,
        slot: u16,
        view: View,
    },
    /// A value computed by an earlier expression.
    Reg(u16),
    Meta(MetaField),
    /// A variable of a macro, counted from the innermost.
    Local(u16),
    /// A field of a record that is a value (an element of a list), and where it stands in records of the schema.
    Field {
        of: Box<Node>,
        name: Arc<str>,
        at: usize,
        view: View,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Cond(Box<[Node; 3]>),
    Equal {
        operands: Box<[Node; 2]>,
        negated: bool,
    },
    IsNull {
        of: Box<Node>,
        negated: bool,
    },
    Compare {
        order: Order,
        operands: Box<[Node; 2]>,
    },
    Arith {
        op: Arith,
        operands: Box<[Node; 2]>,
    },
    In(Box<[Node; 2]>),
    InSet {
        of: Box<Node>,
        set: Set,
    },
    Index(Box<[Node; 2]>),
    /// Whether a map has a key.
    HasKey {
        of: Box<Node>,
        key: Arc<str>,
    },
    List(Vec<Node>),
    /// A map that is written out, and whether its keys are known to differ: nobody has to compare them.
    Map(Vec<(Node, Node)>, bool),
    Call(Box<Call>),
    Fold(Box<Fold>),
    /// The first value that is not null.
    Coalesce(Vec<Node>),
    /// A row of a table, or a cell of it.
    Lookup(Box<Lookup>),
    /// The first value, or the second where the first fails.
    Try(Box<[Node; 2]>),
    /// A variable and what is evaluated with it.
    Bind(Box<[Node; 2]>),
    /// An element of a list, or a value of a map, that is there if its optional has a value.
    IfPresent(Box<Node>),
    /// An optional of what may be null.
    OptNonNull(Box<Node>),
    /// What a container, or an optional of one, has at a key, as an optional.
    OptIndex(Box<[Node; 2]>),
    /// A body evaluated with the value of an optional.
    OptMap(Box<[Node; 2]>, Wrap),
    /// The first of two optionals that has a value.
    OptOr(Box<[Node]>),
    /// The value of an optional, or another.
    OptOrValue(Box<[Node]>),
    /// What the checker would have refused, where it was told not to.
    Fail(EvalFault),
    /// A condition whose outcomes are noted; only in what is compiled for tests.
    Watched(Box<Node>, Arc<Outcomes>),
}

impl Node {
    /// The slot that is read, if its value can be copied unchanged.
    pub fn as_slot(&self) -> Option<(Source, u16)> {
        match self {
            Node::Slot { source, slot, .. } if !self.may_be_left_out() => Some((*source, *slot)),
            _ => None,
        }
    }

    /// Whether it is a column that Debezium may have left out.
    pub fn may_be_left_out(&self) -> bool {
        let view = match self {
            Node::Slot { view, .. } => view,
            _ => return false,
        };
        matches!(view, View::LeftOut(_))
    }
}

/// What becomes of the value of the body of an [`Node::OptMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// It is the value of the optional.
    Value,
    /// It is an optional itself.
    Flat,
    /// It is the value, unless it is null.
    NonNull,
}

/// A search in a table.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Lookup {
    pub table: Arc<Table>,
    pub key: Node,
    /// The column, or all.
    pub column: Option<usize>,
}

/// The four orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Arithmetic, and its namesakes on text, lists and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Arith {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Constants on the right of `in`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Set {
    /// Sorted.
    Ints(Vec<i64>),
    Texts(Texts),
}

/// A macro over a list or a map.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Fold {
    pub kind: FoldKind,
    /// Whether the body has two variables: index or key, and value.
    pub two: bool,
    pub over: Node,
    pub filter: Option<Node>,
    pub body: Node,
}
