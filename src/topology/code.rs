//! What a plan executes for the records of one source: the steps and routes of the topology, compiled against the
//! source's schemas. `pipeline::process` runs it.

use std::sync::Arc;

use crate::codec::placeholder::Forms;
use crate::codec::{FieldSource, json};
use crate::expr::{Node, Template, Wants};
use crate::schema::{NodeId, Schema};

/// The compiled steps and routes of one source.
#[derive(Debug)]
pub struct SourceCode {
    /// The checked schema of the value.
    pub reader: Arc<Schema>,
    /// The checked schema of the key, if the key is Avro.
    pub key_reader: Option<Arc<Schema>>,
    /// What the scans of value and key capture.
    pub wants: Wants,
    /// Debezium's envelope, where there is one.
    pub envelope: Option<EnvelopeSlots>,
    /// Columns that may arrive as Debezium's placeholder.
    pub guards: Vec<Guard>,
    /// The forms that it can have in one of them.
    pub placeholders: Forms,
    /// Whether a route sends the event as it came, and what Debezium left out is not to be sent.
    pub guards_all: bool,
    /// The steps, in order.
    pub steps: Vec<StepCode>,
    /// The routes, in order.
    pub routes: Vec<RouteCode>,
    /// Records to write: by routes with a `map` and by the last mapping step.
    pub emissions: Vec<Emission>,
    /// Registers that the steps fill.
    pub regs: usize,
}

/// Slots of Debezium's envelope.
#[derive(Debug, Clone, Copy)]
pub struct EnvelopeSlots {
    /// `op`.
    pub op: u16,
    /// `before`.
    pub before: u16,
    /// `after`.
    pub after: u16,
}

/// A column that may arrive as Debezium's placeholder.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Its slot.
    pub slot: u16,
    /// Its path, for messages.
    pub path: String,
    /// Whether the column can be null.
    pub nullable: bool,
}

/// A step.
#[derive(Debug)]
pub enum StepCode {
    /// Records for which the condition differs from `keep` end as filtered.
    Filter {
        /// Index in `Plan::steps`.
        step: u16,
        /// The condition.
        node: Node,
        /// The value with which a record goes on.
        keep: bool,
    },
    /// Records for which the condition is false are dead-lettered.
    Require {
        /// Index in `Plan::steps`.
        step: u16,
        /// The condition.
        node: Node,
        /// The condition's text, for the message.
        text: String,
    },
    /// Values of the mapped event that are computed.
    Compute {
        /// Index in `Plan::steps`.
        step: u16,
        /// One per register, in order.
        values: Vec<Computed>,
    },
}

/// A computed field.
#[derive(Debug)]
pub struct Computed {
    /// Name of the field, for messages.
    pub field: String,
    /// What to evaluate.
    pub node: Node,
}

/// A record to write.
#[derive(Debug)]
pub struct Emission {
    /// Index in `Plan::schemas`.
    pub schema: u16,
    /// Where each field comes from.
    pub fields: Vec<FieldSource>,
    /// Index in `Plan::steps` of the mapping step; `None` for a route's own mapping.
    pub step: Option<u16>,
}

/// A route.
#[derive(Debug)]
pub struct RouteCode {
    /// The condition.
    pub when: Option<Node>,
    /// What it computes for its own mapping.
    pub values: Vec<Computed>,
    /// What it sends.
    pub body: Body,
    /// Where to.
    pub topic: TopicCode,
    /// With which key.
    pub key: KeyCode,
    /// With which headers: index in `RoutePlan::headers`, value.
    pub headers: Vec<(u16, Template)>,
    /// Whether tombstones take this route.
    pub tombstones: bool,
}

/// What a route sends.
#[derive(Debug)]
pub enum Body {
    /// The value as it came.
    Source,
    /// This emission.
    Emission(u16),
    /// This emission, as JSON.
    Json(u16, Box<json::Writer>),
    /// Text or bytes; null is a tombstone.
    Computed(Node),
}

/// Where a route sends to.
#[derive(Debug)]
pub enum TopicCode {
    /// This topic, an index in `Plan::topics`.
    Fixed(u16),
    /// The one of these names that the text comes out as.
    Chosen(Template, Vec<(String, u16)>),
}

/// The key that a route sends.
#[derive(Debug)]
pub enum KeyCode {
    /// The record's own, unchanged.
    Source,
    /// Text or bytes; null is the null key.
    Computed(Node),
    /// Avro.
    Avro(AvroKey),
}

/// A key in Avro. Nothing of it is copied from the record's bytes: keys are small, and tombstones have a key and no value.
#[derive(Debug)]
pub struct AvroKey {
    /// Index in `Plan::schemas`.
    pub schema: u16,
    /// What its datum consists of, in order.
    pub parts: Vec<KeyPart>,
}

/// A part of a key's datum.
#[derive(Debug)]
pub enum KeyPart {
    /// The encoding of a default.
    Constant(Box<[u8]>),
    /// A value, and the type of the schema that it is written as.
    Value(Computed, NodeId),
}
