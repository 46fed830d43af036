//! A topology as written: every value with its place in the file. What is missing or malformed is `None`; the reader has
//! reported it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::fault::Source;
use super::yaml::Node;

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct Text {
    /// The text, `${vars.x}` not yet replaced.
    pub value: String,
    /// Byte range of the whole scalar in the file.
    pub span: Range<usize>,
}

/// A topology file.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The file.
    pub file: Arc<Source>,
    /// Consumer group.
    pub id: Option<Text>,
    /// For people.
    pub description: Option<Text>,
    /// Connection of the sources.
    pub connection: Option<Text>,
    /// Typed variables.
    pub vars: Vec<VarSpec>,
    /// Static tables.
    pub tables: Vec<TableSpec>,
    /// Source topics.
    pub sources: Vec<SourceSpec>,
    /// `ordering`.
    pub ordering: Option<Text>,
    /// `delivery`.
    pub delivery: Option<Text>,
    /// Whether warnings are errors.
    pub strict: bool,
    /// Steps.
    pub steps: Vec<StepSpec>,
    /// `match`.
    pub matching: Option<Text>,
    /// Routes.
    pub routes: Vec<RouteSpec>,
    /// Where `routes` stands, for faults about all of them.
    pub routes_span: Range<usize>,
    /// `unmatched`.
    pub unmatched: Option<Text>,
    /// Where records go that can never be delivered.
    pub dead_letter: Option<DeadLetterSpec>,
    /// Its keys whose value was not understood.
    pub unclear: Unclear,
}

impl Spec {
    /// The names of its schemas.
    pub fn schemas(&self) -> BTreeSet<&str> {
        let sources = self.sources.iter();
        let read = sources.flat_map(|source| source.key_avro.iter().chain(&source.value));
        let steps = self.steps.iter().filter_map(|step| match &step.action {
            Some(ActionSpec::Map(map)) => Some(&map.schema),
            _ => None,
        });
        let routes = self.routes.iter().flat_map(|route| {
            let key = route.kafka.as_ref().and_then(|kafka| match &kafka.key {
                Some(KeySpec::Avro { map, .. }) => Some(&map.schema),
                _ => None,
            });
            route.map.iter().map(|map| &map.schema).chain(key)
        });
        let all = read.chain(steps).chain(routes);
        all.map(|schema| schema.name.value.as_str()).collect()
    }
}

/// Keys that are written and whose value was not understood, or not all of it. They have had their faults; what they were
/// meant to say is unknown.
pub type Unclear = Vec<&'static str>;

/// Keys that are words: name and word.
pub type Words = Vec<(&'static str, Text)>;

/// A variable.
#[derive(Debug, Clone)]
pub struct VarSpec {
    /// Its name.
    pub name: Text,
    /// Its type, one of the words.
    pub ty: Option<Text>,
    /// Its default.
    pub default: Option<Node>,
}

/// A static table.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its name.
    pub name: Text,
    /// Its file, beside the topology.
    pub file: Option<Text>,
    /// The column of the key.
    pub key: Option<Text>,
    /// Columns and their types.
    pub columns: Vec<(Text, Text)>,
}

/// A source.
#[derive(Debug, Clone, Default)]
pub struct SourceSpec {
    /// Topic.
    pub topic: Option<Text>,
    /// `string`, `bytes`.
    pub key_word: Option<Text>,
    /// Avro key.
    pub key_avro: Option<AvroSpec>,
    /// Value.
    pub value: Option<AvroSpec>,
    /// Where the schema ids of keys and of values stand.
    pub id_from: [Option<Text>; 2],
    /// The keys that are words: name and word.
    pub words: Words,
}

/// An Avro schema by name.
#[derive(Debug, Clone)]
pub struct AvroSpec {
    /// File stem.
    pub name: Text,
    /// Registry subject.
    pub subject: Option<Text>,
}

/// A step.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// Its name.
    pub name: Option<Text>,
    /// What it does; `None` if that is unclear.
    pub action: Option<ActionSpec>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum ActionSpec {
    /// Keep what satisfies the condition.
    Keep(Text),
    /// Drop what satisfies the condition.
    Drop(Text),
    /// Dead-letter what does not satisfy the condition.
    Require(Text),
    /// Map.
    Map(MapSpec),
}

/// A mapping.
#[derive(Debug, Clone)]
pub struct MapSpec {
    /// Schema and subject.
    pub schema: AvroSpec,
    /// Record that is copied from.
    pub from: Option<Text>,
    /// Fields that are not copied.
    pub except: Vec<Text>,
    /// Fields and their expressions.
    pub set: Vec<(Text, Text)>,
    /// Its keys whose value was not understood.
    pub unclear: Unclear,
}

/// A route.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// Its name.
    pub name: Option<Text>,
    /// Where it stands.
    pub span: Range<usize>,
    /// Condition.
    pub when: Option<Text>,
    /// A body of its own.
    pub map: Option<MapSpec>,
    /// The sink.
    pub kafka: Option<KafkaSpec>,
    /// Its keys whose value was not understood.
    pub unclear: Unclear,
}

/// A Kafka sink.
#[derive(Debug, Clone)]
pub struct KafkaSpec {
    /// Connection.
    pub connection: Option<Text>,
    /// Topic template.
    pub topic: Option<Text>,
    /// Allow-list.
    pub topics: Vec<Text>,
    /// Key.
    pub key: Option<KeySpec>,
    /// Expression of the value.
    pub value: Option<Text>,
    /// `avro`, `json`.
    pub format: Option<Text>,
    /// Where `json` stands, and its keys, which are words: name and word.
    pub json: Option<(Range<usize>, Words)>,
    /// Header templates.
    pub headers: Vec<(Text, Text)>,
    /// Tags that may be written there.
    pub cleared_for: Vec<Text>,
    /// Its keys whose value was not understood.
    pub unclear: Unclear,
}

/// The key of an output.
#[derive(Debug, Clone)]
pub enum KeySpec {
    /// Text or bytes.
    Expr(Text),
    /// Avro.
    Avro {
        /// Schema, and the fields if it is a record.
        map: Box<MapSpec>,
        /// The expression, if it is none.
        value: Option<Text>,
    },
}

/// The dead letter sink.
#[derive(Debug, Clone)]
pub struct DeadLetterSpec {
    /// Connection.
    pub connection: Option<Text>,
    /// Topic.
    pub topic: Option<Text>,
    /// Tags that may be written there.
    pub cleared_for: Vec<Text>,
    /// Its keys whose value was not understood.
    pub unclear: Unclear,
}
