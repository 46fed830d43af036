//! A compiled topology. What the pipeline may rely on; how it is compiled lies beside it.

use std::path::PathBuf;
use std::sync::Arc;

use super::code::SourceCode;
use crate::codec::frame::{IdFrom, SchemaId, Side};
use crate::schema::Schema;

/// A compiled, valid topology. Immutable; shared by all threads.
#[derive(Debug)]
pub struct Plan {
    /// Names the consumer group. Stable: renaming the file moves no position.
    pub id: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// Short hash of the topology's text, its schemas and its variables: changes when the meaning may have changed.
    pub version: String,
    /// The file that it was read from.
    pub path: PathBuf,
    /// Name of the connection that the sources are read from.
    pub connection: String,
    /// The topics that feed the steps. [`Input::source`](crate::pipeline::process::Input::source) is an index here.
    pub sources: Vec<SourcePlan>,
    /// What must stay in order.
    pub ordering: Ordering,
    /// What is promised about repetition.
    pub delivery: Delivery,
    /// Whether an event goes to every route whose condition holds, instead of the first.
    pub match_all: bool,
    /// What becomes of an event that no route takes.
    pub unmatched: Unmatched,
    /// The routes, in the order of the file.
    pub routes: Vec<RoutePlan>,
    /// Every topic that this topology may write to, the dead letter topic included. Their index is the `TopicIx`
    /// of [`Output::topic`](crate::pipeline::process::Output::topic).
    pub topics: Vec<OutputTopic>,
    /// Index of the dead letter topic in `topics`.
    pub dead_letter: u16,
    /// The schemas that outputs are written with. Their registry ids, in this order, are given to the `Processor`.
    pub schemas: Vec<OutputSchema>,
    /// Where a record can be filtered or fail: the declared steps in the order of the file, then the built-in ones
    /// (`decode`, `tombstone`, ...). `Verdict::Filtered` and `Poison::step` are indexes here.
    pub steps: Vec<Step>,
    /// What is executed for each source, by its index.
    pub code: Vec<Arc<SourceCode>>,
}

/// A topic that feeds a topology.
#[derive(Debug, Clone)]
pub struct SourcePlan {
    /// Topic name.
    pub topic: String,
    /// How the change is wrapped.
    pub envelope: Envelope,
    /// How the record's key is encoded.
    pub key: KeyFormat,
    /// Where the schema ids of Avro keys stand.
    pub key_id_from: IdFrom,
    /// Where the schema ids of values stand.
    pub value_id_from: IdFrom,
    /// Subject of the value's schema, and the schema that the topology was checked against.
    pub value: SourceSchema,
    /// Which columns of `event.before` are real.
    pub replica_identity: ReplicaIdentity,
    /// What becomes of records without a value.
    pub tombstones: Tombstones,
    /// What becomes of a column that arrives as Debezium's placeholder for an unchanged large value.
    pub unavailable: Unavailable,
    /// What becomes of Debezium's other records.
    pub others: [(Other, OtherOutcome); 5],
    /// Where an empty group begins.
    pub start_from: StartFrom,
}

impl SourcePlan {
    /// Where the schema ids of one side stand.
    pub fn id_from(&self, side: Side) -> IdFrom {
        match side {
            Side::Key => self.key_id_from,
            Side::Value => self.value_id_from,
        }
    }

    /// What becomes of one of Debezium's other records.
    pub fn outcome(&self, other: Other) -> OtherOutcome {
        self.others
            .iter()
            .find(|(kind, _)| *kind == other)
            .map_or(OtherOutcome::DeadLetter, |(_, outcome)| *outcome)
    }
}

/// Records of Debezium that are not changes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// `op` is `t`.
    Truncate,
    /// `op` is `m`, or a MessageValue.
    Message,
    /// A heartbeat.
    Heartbeat,
    /// A change of the tables.
    SchemaChange,
    /// Begin or end of a transaction.
    Transaction,
}

impl Other {
    /// Name of the built-in step that filters it, and reason of its dead letter.
    pub fn name(self) -> &'static str {
        match self {
            Other::Truncate => builtin::TRUNCATE,
            Other::Message => builtin::MESSAGE,
            Other::Heartbeat => builtin::HEARTBEAT,
            Other::SchemaChange => builtin::SCHEMA_CHANGE,
            Other::Transaction => builtin::TRANSACTION,
        }
    }

    /// The key of a topology that says what becomes of it.
    pub fn key(self) -> &'static str {
        match self {
            Other::Truncate => "truncate",
            Other::Message => "messages",
            Other::Heartbeat => "heartbeats",
            Other::SchemaChange => "schema_changes",
            Other::Transaction => "transactions",
        }
    }

    /// The kind of record that Debezium gives this full name.
    pub fn of_record(name: &str) -> Option<Other> {
        let name = name.strip_prefix("io.debezium.connector.")?;
        match name.rsplit('.').next()? {
            "Heartbeat" => Some(Other::Heartbeat),
            "MessageValue" => Some(Other::Message),
            "SchemaChangeValue" => Some(Other::SchemaChange),
            "TransactionMetadataValue" => Some(Other::Transaction),
            _ => None,
        }
    }

    /// Whether this is the name of the key of such a record.
    pub fn is_key(name: &str) -> bool {
        name.strip_prefix("io.debezium.connector.")
            .and_then(|name| name.rsplit('.').next())
            .is_some_and(|name| {
                matches!(
                    name,
                    "ServerNameKey" | "MessageKey" | "SchemaChangeKey" | "TransactionMetadataKey"
                )
            })
    }
}

/// What becomes of such a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherOutcome {
    /// Dead-lettered, with its name as the reason.
    DeadLetter,
    /// Filtered by the built-in step of its name.
    Drop,
    /// An event like others.
    Pass,
}

/// What becomes of an event that no route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// Filtered by the built-in step `unmatched`.
    Drop,
    /// Dead-lettered.
    DeadLetter,
}

/// Names of the built-in steps: where a record can end before and after the declared ones.
pub mod builtin {
    /// The frame and the datum of the value.
    pub const DECODE: &str = "decode";
    /// The record's key.
    pub const KEY: &str = "key";
    /// Columns that arrive as Debezium's placeholder.
    pub const UNAVAILABLE: &str = "unavailable";
    /// Records without a value.
    pub const TOMBSTONE: &str = "tombstone";
    /// Debezium's record of a TRUNCATE.
    pub const TRUNCATE: &str = "truncate";
    /// Logical decoding messages.
    pub const MESSAGE: &str = "message";
    /// Debezium's heartbeats.
    pub const HEARTBEAT: &str = "heartbeat";
    /// Debezium's schema change events.
    pub const SCHEMA_CHANGE: &str = "schema_change";
    /// Debezium's transaction boundaries.
    pub const TRANSACTION: &str = "transaction";
    /// Events that no route takes.
    pub const UNMATCHED: &str = "unmatched";
    /// All of them, in the order in which they follow the declared steps in `Plan::steps`.
    pub const ALL: [&str; 10] = [
        DECODE,
        KEY,
        UNAVAILABLE,
        TOMBSTONE,
        TRUNCATE,
        MESSAGE,
        HEARTBEAT,
        SCHEMA_CHANGE,
        TRANSACTION,
        UNMATCHED,
    ];
}

/// A checked schema of a source.
#[derive(Debug, Clone)]
pub struct SourceSchema {
    /// Name in the topology: a file stem in `avro/`.
    pub name: String,
    /// Registry subject.
    pub subject: String,
    /// The checked (reader) schema.
    pub schema: Arc<Schema>,
}

/// How a record's value wraps the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// Debezium's `before`/`after`/`op`/`source`.
    Debezium,
    /// The value is the event.
    None,
}

/// How a record's key is encoded.
#[derive(Debug, Clone)]
pub enum KeyFormat {
    /// Confluent frame and Avro.
    Avro(SourceSchema),
    /// UTF-8 text.
    Text,
    /// Opaque.
    Bytes,
}

/// PostgreSQL's replica identity of the table behind a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// Only the key columns of `event.before` are real.
    Default,
    /// All of `event.before` is real.
    Full,
    /// Nothing of `event.before` is real.
    Nothing,
}

/// What becomes of tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// To the routes whose condition and key need only `meta.*`.
    Forward,
    /// Filtered by the built-in step `tombstone`.
    Drop,
}

/// What becomes of a column that holds `__debezium_unavailable_value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The record is dead-lettered.
    DeadLetter,
    /// The column counts as null.
    Null,
    /// The column is an optional value.
    Optional,
    /// The text is an ordinary value.
    Keep,
}

/// Where an empty group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFrom {
    /// At the oldest record.
    Earliest,
    /// At the end.
    Latest,
}

/// What must stay in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// Records of one key.
    Key,
    /// Records of one partition.
    Partition,
    /// Nothing.
    None,
}

/// What is promised about repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Every record arrives; after a failure some arrive twice.
    AtLeastOnce,
}

/// A rule from event to sink.
#[derive(Debug, Clone)]
pub struct RoutePlan {
    /// Name: metric label, log field, dead letter header.
    pub name: String,
    /// Connection that it writes to.
    pub connection: String,
    /// Topics that it may write to, as indexes in [`Plan::topics`].
    pub topics: Vec<u16>,
    /// Names of the headers that it sets, then of those with schema ids that pass with what passes unchanged. [`OutputHeader::name`](crate::pipeline::process::OutputHeader::name) is an index here.
    pub headers: Vec<String>,
    /// The condition, as written.
    pub when: Option<String>,
    /// The topic, as written.
    pub topic: String,
    /// The key, as written; `None` for the record's own.
    pub key: Option<String>,
    /// Name of the schema of the key, if the route writes one in Avro.
    pub key_schema: Option<String>,
    /// Name of the schema that it writes; `None` where the value passes unchanged or is computed.
    pub schema: Option<String>,
    /// How the value is written.
    pub format: OutputFormat,
}

/// How a route writes its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputFormat {
    /// Confluent frame and Avro.
    Avro,
    /// JSON.
    Json(crate::codec::json::Policy),
    /// Text or bytes of this expression.
    Plain(String),
}

/// A topic that a topology may write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputTopic {
    /// Connection name.
    pub connection: String,
    /// Topic name.
    pub topic: String,
}

/// A schema that outputs are written with.
#[derive(Debug, Clone)]
pub struct OutputSchema {
    /// Name in the topology: a file stem in `avro/`.
    pub name: String,
    /// Registry subject.
    pub subject: String,
    /// The schema.
    pub schema: Arc<Schema>,
    /// Whether some output carries its id, so that it must be registered. One that is only the type of `out`, or written as
    /// JSON, need not be.
    pub is_framed: bool,
}

impl OutputSchema {
    /// Stands for the id of a schema that no output carries.
    pub const NO_ID: u32 = 0;
}

/// A place where a record can be filtered or fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name: metric label, log field, dead letter header.
    pub name: String,
    /// Whether the topology's author declared it; the others are built in.
    pub declared: bool,
    /// What it does, as written: `keep event.op in ["c"]`, `map to orders-value`.
    pub text: String,
}

/// Why a schema id cannot be compiled against a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A record of a foreign name: one dead letter, `wrong_schema`. Holds the message.
    Wrong(String),
    /// The checked name, but a datum cannot be read as the checked schema: stop the partition, `incompatible_schema`.
    Incompatible(String),
}

/// Schema ids found in a record's frames or headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ids {
    /// Of the key, if the key is Avro.
    pub key: Option<SchemaId>,
    /// Of the value, unless it is a tombstone.
    pub value: Option<SchemaId>,
}
