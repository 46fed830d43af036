//! The compiled form of an expression: a tree of typed nodes over slots, registers and constants.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Facts, Type, View};
use crate::codec::Decimal;

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
    /// Full paths that are read: `event.after.id`, `out.total`, `meta.key`.
    pub reads: BTreeSet<String>,
}

impl Compiled {
    /// The slot, if the expression is nothing but a path into the event or the key: its value can be copied unchanged.
    pub fn as_slot(&self) -> Option<(Source, u16)> {
        match self.node {
            Node::Slot { source, slot, .. } => Some((source, slot)),
            _ => None,
        }
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
    /// Days since 1970-01-01.
    Date(i64),
    List(Vec<Const>),
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
}
