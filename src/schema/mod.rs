//! Avro schemas as Lockgate models them: a flat arena of nodes that keeps what `apache-avro`'s parser drops
//! (`connect.name`, `connect.parameters` on primitive types, tags), parsed from the same JSON that `apache-avro` has accepted.
//! Pure: no I/O.
//!
//! ```text
//! JSON ─► parse (limits, names, logical) ─► Schema ─┬─► resolve: may this reader read that writer?
//!                                                  ├─► compare: what changed, in words
//!                                                  └─► codec: scan, emit, JSON
//! ```

pub mod compare;
pub mod compat;
mod logical;
pub mod names;
mod parse;
pub mod resolve;

use std::sync::Arc;

pub use parse::{DEPTH_MAX, EXPANDED_NODES_MAX, NODES_MAX, SOURCE_BYTES_MAX, SchemaFault};

/// Index of a node in [`Schema::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// One Avro schema with all its named types. Recursive schemas point back into the arena.
#[derive(Clone, Debug)]
pub struct Schema {
    /// All nodes; children are referred to by index.
    pub nodes: Vec<Node>,
    /// The node that a datum of this schema starts with.
    pub root: NodeId,
    /// The JSON text that this schema was parsed from.
    pub source: String,
}

/// A type in the arena: its physical shape, and what its name and properties say about its meaning.
#[derive(Clone, Debug)]
pub struct Node {
    /// The encoding on the wire.
    pub kind: Kind,
    /// Full name (`namespace.name`) of a record, enum or fixed.
    pub name: Option<String>,
    /// Full names of aliases.
    pub aliases: Vec<String>,
    /// What the value means beyond its encoding; `None` for a plain value.
    pub logical: Option<Logical>,
}

/// The physical Avro types.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed {
        size: u32,
    },
    Enum {
        symbols: Vec<Arc<str>>,
        default: Option<u32>,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<Field>),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name, as the schema writes it.
    pub name: Arc<str>,
    /// Other names under which a writer may have written it.
    pub aliases: Vec<String>,
    /// The field's type.
    pub ty: NodeId,
    /// The default, as JSON, if the schema has one.
    pub default: Option<serde_json::Value>,
    /// Documentation, if any.
    pub doc: Option<String>,
    /// Whether the field carries the property `"pii": true` or `"lockgate.pii": true`, or a tag `pii` (`tags`, `confluent:tags`).
    pub pii: bool,
}

/// Meanings of values: Avro logical types, and Debezium's and Connect's type names (`connect.name`).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Logical {
    /// Avro `decimal` and `org.apache.kafka.connect.data.Decimal`, on bytes or fixed.
    Decimal { precision: u32, scale: u32 },
    /// `io.debezium.data.VariableScaleDecimal` (a record of scale and value).
    VariableScaleDecimal,
    /// Days since 1970-01-01 (`date`, `io.debezium.time.Date`, `org.apache.kafka.connect.data.Date`).
    Date,
    /// Time of day, in units per second (1_000, 1_000_000 or 1_000_000_000).
    Time { per_second: u32 },
    /// An instant in UTC, in units per second.
    Timestamp { per_second: u32 },
    /// A wall-clock date and time without a zone, in units per second (`io.debezium.time.MicroTimestamp`, `local-timestamp-*`).
    LocalTimestamp { per_second: u32 },
    /// ISO 8601 text with a zone (`io.debezium.time.ZonedTimestamp`).
    ZonedTimestamp,
    /// ISO 8601 text with a zone (`io.debezium.time.ZonedTime`).
    ZonedTime,
    /// ISO 8601 text in UTC (`io.debezium.time.IsoDate` and its kin).
    Iso(Iso),
    /// `io.debezium.time.MicroDuration` and its kin, in units per second.
    Interval { per_second: u32 },
    /// Avro `duration`: fixed(12).
    Duration,
    /// Text that holds a UUID (`uuid`, `io.debezium.data.Uuid`).
    Uuid,
    /// Text that holds JSON (`io.debezium.data.Json`).
    Json,
    /// Text out of a list of allowed symbols (`io.debezium.data.Enum`), from `connect.parameters.allowed`.
    TextEnum { allowed: Vec<String> },
    /// A type name that we know no meaning for; treated as its physical type.
    Other(String),
}

/// What text of ISO 8601 holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Iso {
    Date,
    Time,
    Timestamp,
}

impl Schema {
    /// Parses a schema from JSON. `apache-avro` must accept it too (without its field defaults, which are judged when
    /// they are needed). Refuses schemas beyond the limits of this module, so that whatever is compiled from a schema
    /// is bounded as well.
    pub fn parse(json: &str) -> Result<Schema, SchemaFault> {
        parse::parse(json, &[])
    }

    /// Like [`Schema::parse`], for a schema that uses named types of other subjects: `references` holds each
    /// one's name and JSON, those that others need first (the registry's order).
    pub fn parse_with(json: &str, references: &[(String, String)]) -> Result<Schema, SchemaFault> {
        parse::parse(json, references)
    }

    /// The node with this index. Ids come from the same schema.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Full name of the root type, if it is a named one.
    pub fn root_name(&self) -> Option<&str> {
        self.node(self.root).name.as_deref()
    }

    /// Looks through a nullable union: `["null", T]` and `[T, "null"]` give `(T, true)`, everything else itself and `false`.
    pub fn strip_null(&self, id: NodeId) -> (NodeId, bool) {
        match self.nullable(id) {
            Some((_, inner)) => (inner, true),
            None => (id, false),
        }
    }

    /// For a union of null and one other type: the index of the null branch (0 or 1) and the other type.
    pub fn nullable(&self, id: NodeId) -> Option<(u32, NodeId)> {
        let Kind::Union(branches) = &self.node(id).kind else {
            return None;
        };
        match branches.as_slice() {
            [a, b] if matches!(self.node(*a).kind, Kind::Null) => Some((0, *b)),
            [a, b] if matches!(self.node(*b).kind, Kind::Null) => Some((1, *a)),
            _ => None,
        }
    }

    /// The field `name` of a record, with its index. `None` if there is no such field or the node is no record.
    pub fn field(&self, record: NodeId, name: &str) -> Option<(u32, &Field)> {
        let fields = self.fields(record);
        let index = fields.iter().position(|field| &*field.name == name)?;
        Some((index as u32, &fields[index]))
    }

    /// The fields of a record; empty for any other node.
    pub fn fields(&self, record: NodeId) -> &[Field] {
        match &self.node(record).kind {
            Kind::Record(fields) => fields,
            _ => &[],
        }
    }

    /// A short description of a node for messages: `long (timestamp, microseconds)`, `record shop.Value`, `null or string`.
    pub fn describe(&self, id: NodeId) -> String {
        compare::describe(self, id)
    }
}
