//! Types of expressions, and what a schema's physical values mean in them.

use std::fmt;
use std::sync::Arc;

use crate::schema::{Iso, Kind, Logical, NodeId, Schema};

/// The type of an expression. The variant of [`crate::codec::Val`] that carries it at run time is named where it is not obvious.
#[derive(Clone, Debug)]
pub enum Type {
    /// Only `null`.
    Null,
    /// `bool`.
    Bool,
    /// 64-bit signed; Avro `int` and `long`.
    Int,
    /// 64-bit unsigned.
    Uint,
    /// 64-bit floating point; Avro `float` and `double`.
    Double,
    /// Text; Avro `string` and `enum`, Debezium's Uuid, Json, Enum.
    String,
    /// Bytes; Avro `bytes` and `fixed`.
    Bytes,
    /// Exact decimal, `Val::Decimal`.
    Decimal,
    /// An instant, or a wall-clock time taken as UTC; `Val::Timestamp`.
    Timestamp,
    /// A span of time, `Val::Duration`.
    Duration,
    /// A day; `Val::Int` with the days since 1970-01-01.
    Date,
    /// A time of day; `Val::Duration` since midnight.
    TimeOfDay,
    /// A list.
    List(Box<Type>),
    /// A map.
    Map(Box<Type>, Box<Type>),
    /// A record of a schema; as a value of its own it can be copied and selected from, nothing else.
    Record(Arc<Schema>, NodeId),
    /// What is written out for this node of an output (a record, or a union with one): it is written there and nothing else.
    Made(Arc<Schema>, NodeId),
    /// A value that may be missing; `Val::Optional`.
    Optional(Box<Type>),
    /// The type of types; `Val::Type`.
    Type,
    /// The type or null.
    Nullable(Box<Type>),
    /// Known at run time only: unions of several types, lists of mixed literals.
    Dyn,
    /// No value has it: the elements of an empty literal. Of an expression as a whole it is never the type.
    Never,
}

/// How a physical value of a datum becomes a value of its [`Type`].
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// As it is.
    Plain,
    /// An integer in units per second since the epoch.
    Timestamp(u32),
    /// ISO 8601 text with a zone.
    ZonedTimestamp,
    /// ISO 8601 text in UTC.
    Iso(Iso),
    /// An integer in units per second since midnight.
    Time(u32),
    /// An integer in units per second.
    Interval(u32),
    /// Big-endian two's complement digits with this scale.
    Decimal(u32),
    /// A record of `scale` and `value`.
    VariableDecimal,
    /// A list of such values.
    List(Box<View>),
    /// A map with such values.
    Map(Box<View>),
    /// A record: its fields are viewed when they are selected.
    Record,
    /// A column that Debezium may have left out: an optional, without a value where its placeholder stands.
    LeftOut(Box<View>),
}

impl View {
    /// Whether the slot must be built in the arena (lists, maps, records) before it can be looked at.
    pub fn is_built(&self) -> bool {
        match self {
            View::List(_) | View::Map(_) | View::Record | View::VariableDecimal => true,
            View::LeftOut(of) => of.is_built(),
            _ => false,
        }
    }

    /// Whether the physical value is the value already.
    pub(super) fn is_physical(&self) -> bool {
        match self {
            View::Plain | View::Record => true,
            View::List(item) | View::Map(item) => item.is_physical(),
            _ => false,
        }
    }
}

impl Type {
    /// The type of a schema's node: Avro logical types, and Debezium's and Connect's names, included.
    pub fn of(schema: &Arc<Schema>, node: NodeId) -> Type {
        Self::with_view(schema, node).0
    }

    /// The type of a node, and how its physical value is turned into it.
    pub fn with_view(schema: &Arc<Schema>, node: NodeId) -> (Type, View) {
        let this = &schema.nodes[node.0 as usize];
        match &this.logical {
            Some(Logical::Decimal { scale, .. }) => return (Type::Decimal, View::Decimal(*scale)),
            Some(Logical::VariableScaleDecimal) => return (Type::Decimal, View::VariableDecimal),
            Some(Logical::Date) => return (Type::Date, View::Plain),
            Some(Logical::Time { per_second }) => {
                return (Type::TimeOfDay, View::Time(*per_second));
            }
            Some(Logical::Timestamp { per_second } | Logical::LocalTimestamp { per_second }) => {
                return (Type::Timestamp, View::Timestamp(*per_second));
            }
            Some(Logical::ZonedTimestamp) => return (Type::Timestamp, View::ZonedTimestamp),
            Some(Logical::Iso(iso)) => {
                let ty = match iso {
                    Iso::Date => Type::Date,
                    Iso::Time => Type::TimeOfDay,
                    Iso::Timestamp => Type::Timestamp,
                };
                return (ty, View::Iso(*iso));
            }
            Some(Logical::Interval { per_second }) => {
                return (Type::Duration, View::Interval(*per_second));
            }
            // Text with a meaning that the language has no type for, and Avro's duration of months, days and
            // milliseconds (which has no length): their physical type.
            Some(
                Logical::ZonedTime
                | Logical::Duration
                | Logical::Uuid
                | Logical::Json
                | Logical::TextEnum { .. }
                | Logical::Other(_),
            )
            | None => {}
        }
        match &this.kind {
            Kind::Null => (Type::Null, View::Plain),
            Kind::Boolean => (Type::Bool, View::Plain),
            Kind::Int | Kind::Long => (Type::Int, View::Plain),
            Kind::Float | Kind::Double => (Type::Double, View::Plain),
            Kind::Bytes | Kind::Fixed { .. } => (Type::Bytes, View::Plain),
            Kind::String | Kind::Enum { .. } => (Type::String, View::Plain),
            Kind::Array(items) => {
                let (ty, view) = Self::with_view(schema, *items);
                (Type::List(Box::new(ty)), View::List(Box::new(view)))
            }
            Kind::Map(values) => {
                let (ty, view) = Self::with_view(schema, *values);
                (
                    Type::Map(Box::new(Type::String), Box::new(ty)),
                    View::Map(Box::new(view)),
                )
            }
            Kind::Record(_) => (Type::Record(schema.clone(), node), View::Record),
            Kind::Union(branches) => {
                let is_null = |id: &NodeId| matches!(schema.nodes[id.0 as usize].kind, Kind::Null);
                let others: Vec<_> = branches.iter().filter(|id| !is_null(id)).collect();
                match others[..] {
                    [] => (Type::Null, View::Plain),
                    [one] => {
                        let (ty, view) = Self::with_view(schema, *one);
                        let nullable = others.len() < branches.len();
                        (if nullable { ty.nullable() } else { ty }, view)
                    }
                    _ => (Type::Dyn, View::Plain),
                }
            }
        }
    }

    /// The type that also admits null.
    pub fn nullable(self) -> Type {
        match self {
            Type::Nullable(_) | Type::Null | Type::Dyn => self,
            other => Type::Nullable(Box::new(other)),
        }
    }

    /// The type without null.
    pub fn non_null(&self) -> &Type {
        match self {
            Type::Nullable(inner) => inner,
            other => other,
        }
    }

    /// Whether a value may be null, as far as types tell.
    pub fn is_nullable(&self) -> bool {
        matches!(self, Type::Nullable(_) | Type::Null | Type::Dyn)
    }

    /// The type as the world outside of the checker sees it.
    pub(super) fn settled(self) -> Type {
        match self {
            Type::Never => Type::Dyn,
            other => other,
        }
    }

    /// Whether values of this type, taken as those of another, are no longer what they are: at run time a date is a number of
    /// days, and only its type tells.
    pub(super) fn is_lost_in(&self, to: &Type) -> bool {
        match (self, to) {
            (Type::Date | Type::TimeOfDay, Type::Dyn) => true,
            (Type::List(inner) | Type::Nullable(inner) | Type::Optional(inner), Type::Dyn) => {
                inner.is_lost_in(to)
            }
            (Type::Map(key, value), Type::Dyn) => key.is_lost_in(to) || value.is_lost_in(to),
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => {
                a.is_lost_in(b)
            }
            (Type::Map(k, v), Type::Map(l, w)) => k.is_lost_in(l) || v.is_lost_in(w),
            (Type::Nullable(a), b) => a.is_lost_in(b.non_null()),
            (a, Type::Nullable(b)) => a.is_lost_in(b),
            _ => false,
        }
    }

    /// The type that holds values of both; `None` if only `dyn` does.
    pub fn join(&self, other: &Type) -> Option<Type> {
        if self == other {
            return Some(self.clone());
        }
        match (self, other) {
            (Type::Never, t) | (t, Type::Never) => Some(t.clone()),
            (Type::Dyn, _) | (_, Type::Dyn) => Some(Type::Dyn),
            (Type::Optional(a), Type::Optional(b)) => Some(Type::Optional(Box::new(a.join(b)?))),
            (Type::Null, t) | (t, Type::Null) => Some(t.clone().nullable()),
            (Type::Nullable(a), b) | (b, Type::Nullable(a)) => {
                a.join(b.non_null()).map(Type::nullable)
            }
            (Type::List(a), Type::List(b)) => Some(Type::List(Box::new(a.join(b)?))),
            (Type::Map(k, v), Type::Map(l, w)) => {
                Some(Type::Map(Box::new(k.join(l)?), Box::new(v.join(w)?)))
            }
            _ => None,
        }
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::List(a), Type::List(b))
            | (Type::Optional(a), Type::Optional(b))
            | (Type::Nullable(a), Type::Nullable(b)) => a == b,
            (Type::Map(k, v), Type::Map(l, w)) => k == l && v == w,
            (Type::Record(s, a), Type::Record(t, b)) => {
                Arc::ptr_eq(s, t) && a == b || {
                    let name =
                        |schema: &Schema, id: &NodeId| schema.nodes[id.0 as usize].name.clone();
                    name(s, a).is_some() && name(s, a) == name(t, b) && s.source == t.source
                }
            }
            (Type::Made(s, a), Type::Made(t, b)) => Arc::ptr_eq(s, t) && a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Decimal => "decimal",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::Date => "date",
            Type::TimeOfDay => "time of day",
            Type::Dyn | Type::Never => "dyn",
            Type::List(item) => return write!(f, "list({item})"),
            Type::Map(key, value) => return write!(f, "map({key}, {value})"),
            Type::Optional(inner) => return write!(f, "optional({inner})"),
            Type::Type => "type",
            Type::Nullable(inner) => return write!(f, "{inner} or null"),
            Type::Made(schema, node) => return f.write_str(&schema.describe(*node)),
            Type::Record(schema, node) => match &schema.nodes[node.0 as usize].name {
                Some(name) => return write!(f, "record {name}"),
                None => "record",
            },
        };
        f.write_str(name)
    }
}
