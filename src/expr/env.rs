//! What an expression can see: the scopes at check time, and the record at run time.

use std::sync::Arc;

use super::{Const, Key, Node, Probes, Table, Type};
use crate::schema::Schema;

/// The scopes of an expression: `event`, `out`, `meta` and `vars`.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// The event, where there is one; without it only `meta` and `vars` can be read (tombstones).
    pub event: Option<EventEnv>,
    /// Fields of the mapped event; `None` before there is one.
    pub out: Option<Vec<OutField>>,
    /// Fields of the mapped event whose expression has had its fault: what reads them is neither right nor wrong.
    pub broken: BrokenOut,
    /// What `meta.key` is.
    pub key: KeyEnv,
    /// `vars.NAME`: values of the topology, constants to the expression.
    pub vars: Vec<(String, Const)>,
    /// Where conditions are noted that are compiled here, if their outcomes are to be watched.
    pub probes: Option<Probes>,
    /// Tables and secrets.
    pub given: Given,
    /// What differs where expressions are not those of a topology.
    pub dialect: Dialect,
    /// Paths into the event that are taken to have another type than their schema says: to ask what an expression would
    /// be for one branch of a union.
    pub supposed: Vec<(String, Type)>,
}

/// What a topology is given beside its expressions.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Tables for `lookup`.
    pub tables: Vec<Arc<Table>>,
    /// Keys by the names of their variables.
    pub secrets: Vec<(String, Key)>,
    /// Schemas by name, for JSON; `None` for one that has had its fault.
    pub schemas: Vec<(String, Option<Arc<Schema>>)>,
    /// Variables whose value has had its fault: what reads them is neither right nor wrong.
    pub broken: Vec<String>,
}

/// How texts are read. The default is what topologies have; the rest of CEL's settings are for the public suite and tools.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// The namespace in which names are looked for first: `com.example`.
    pub container: String,
    /// Variables outside of the scopes.
    pub variables: Vec<Variable>,
    /// Whether `all`, `has` and the like are macros, not functions.
    pub macros: bool,
    /// Whether faults are refused. If not, all types are `dyn` and what is ill-typed fails when it is evaluated.
    pub checked: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            container: String::new(),
            variables: Vec::new(),
            macros: true,
            checked: true,
        }
    }
}

/// A variable by its full name, which may have dots.
#[derive(Clone, Debug)]
pub struct Variable {
    /// `a.b`.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// The register that has its value.
    pub reg: u16,
}

/// The event's schema and what its envelope promises.
#[derive(Clone, Debug)]
pub struct EventEnv {
    /// Reader schema of the value; `event` is its root.
    pub schema: Arc<Schema>,
    /// The envelope around the row.
    pub envelope: Envelope,
    /// Columns of `event.before` that are real.
    pub before: BeforeColumns,
    /// Columns of the row that Debezium may leave out of an update, where that is to be seen: they are optional values.
    pub left_out: Vec<String>,
}

/// The envelope of a source's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// The value is the row.
    None,
    /// Debezium's: `before`, `after`, `op`, `source`, `ts_ms`.
    Debezium,
}

/// Which columns of `event.before` carry the row's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeforeColumns {
    /// All (replica identity full).
    All,
    /// Only these, the key columns (replica identity default): Debezium fills the others with zeros and blanks.
    Only(Vec<String>),
}

/// What `meta.key` is.
#[derive(Clone, Debug, Default)]
pub enum KeyEnv {
    /// Bytes, or null.
    #[default]
    Bytes,
    /// Text, or null; not UTF-8 is a fault of the record.
    String,
    /// An Avro datum with this reader schema.
    Avro {
        /// Reader schema of the key.
        schema: Arc<Schema>,
        /// Whether records without a key get as far as the expression.
        nullable: bool,
    },
}

/// A field of the mapped event.
#[derive(Clone, Debug)]
pub struct OutField {
    /// Name in the output schema.
    pub name: String,
    /// Type of what the field was set to, narrowed by what was known there.
    pub ty: Type,
    /// Where its value is.
    pub binding: Binding,
    /// Its own fields, if it is a record that is written out field by field.
    pub parts: Option<Vec<OutField>>,
}

/// What of the mapped event has had its fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BrokenOut {
    /// Nothing.
    #[default]
    None,
    /// These fields.
    Fields(Vec<String>),
    /// Nobody knows which fields there are.
    All,
}

impl BrokenOut {
    /// Whether a field is one of them.
    pub fn has(&self, field: &str) -> bool {
        match self {
            BrokenOut::None => false,
            BrokenOut::Fields(fields) => fields.iter().any(|broken| broken == field),
            BrokenOut::All => true,
        }
    }
}

/// Where a field of the mapped event has its value: there is no second decode of the output.
#[derive(Clone, Debug)]
pub enum Binding {
    /// Read again what it was copied from: a slot or a constant (see [`super::Compiled::as_slot`]).
    Source(Node),
    /// Computed once, into this register.
    Reg(u16),
}

/// What Kafka says about a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meta<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since the epoch, if the broker has a time for the record.
    pub timestamp_ms: Option<i64>,
    /// The key's bytes; null and empty are different.
    pub key: Option<&'a [u8]>,
    /// Names and values in order.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}
