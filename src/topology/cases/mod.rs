//! Test cases beside topologies: `orders.test.yaml` holds events and what must become of them. They take the same road
//! as live records, from the frame on.

mod compare;
mod keys;
mod run;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fault::{Faults, Source};
use super::yaml::{Data, Node};
use super::{files, plan::Plan, read, yaml};

pub use compare::Difference;
pub use run::{Outcome, run};

/// The cases of one file.
#[derive(Debug)]
pub struct Cases {
    /// The file.
    pub file: Arc<Source>,
    /// Its cases, in order.
    pub list: Vec<Case>,
}

/// An event, and what must become of it.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Range<usize>,
    /// Source topic.
    pub topic: String,
    /// The record's key.
    pub key: Bytes,
    /// The record's value.
    pub value: Bytes,
    /// The record's headers.
    pub headers: Vec<(String, Option<String>)>,
    /// Partition, offset, timestamp in milliseconds.
    pub position: (i32, i64, Option<i64>),
    /// What must become of it.
    pub expect: Expect,
}

/// A key or value as a case gives it.
#[derive(Debug)]
pub enum Bytes {
    /// Null.
    Null,
    /// As JSON, to be encoded with the source's schema.
    Json(Value, Range<usize>),
    /// As it is.
    Raw(Vec<u8>),
}

/// What must become of a record.
#[derive(Debug, Default)]
pub struct Expect {
    /// The deliveries, in order.
    pub deliveries: Vec<Value>,
    /// The step that filters it.
    pub filtered: Option<String>,
    /// What its dead letter says.
    pub dead_letter: Option<Value>,
}

/// The file of cases beside a topology, if there is one.
pub fn beside(topology: &Path) -> Option<PathBuf> {
    ["test.yaml", "test.yml"]
        .into_iter()
        .map(|end| topology.with_extension(end))
        .find(|path| path.is_file())
}

/// Reads the cases of a topology. `None` after a fault.
pub fn read(path: &Path, plan: &Plan, faults: &mut Faults) -> Option<Cases> {
    let file = files::open(path, faults)?;
    let before = faults.iter().count();
    let root = yaml::parse(&file, faults)?;
    read::check_shape(&file, &root, &keys::FILE, faults);
    let defaults = root.get("defaults");
    let mut list = Vec::new();
    if let Some(Data::List(cases)) = root.get("cases").map(|cases| &cases.data) {
        for node in cases {
            list.extend(case(&file, node, defaults, plan, faults));
        }
    }
    (faults.iter().count() == before).then_some(Cases { file, list })
}

fn case(
    file: &Arc<Source>,
    node: &Node,
    defaults: Option<&Node>,
    plan: &Plan,
    faults: &mut Faults,
) -> Option<Case> {
    let get = |key: &str| node.get(key).or_else(|| defaults?.get(key));
    let topic = match get("source").and_then(Node::text) {
        Some(topic) if plan.sources.iter().any(|source| source.topic == topic) => topic.to_owned(),
        Some(topic) => {
            let span = get("source")
                .map(|node| node.span.clone())
                .unwrap_or_default();
            let message = format!("`{topic}` is not a source of the topology `{}`", plan.id);
            faults.error("case_source", file, &span, message, None);
            return None;
        }
        None if plan.sources.len() == 1 => plan.sources[0].topic.clone(),
        None => {
            let message = format!("the topology `{}` has several sources", plan.id);
            let help = "say which one: `source: TOPIC`".to_owned();
            faults.error("case_source", file, &line(file, node), message, help);
            return None;
        }
    };
    let number = |key: &str| {
        get(key)
            .and_then(Node::text)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let mut headers = Vec::new();
    for entries in [
        defaults.and_then(|node| node.get("headers")),
        node.get("headers"),
    ]
    .into_iter()
    .flatten()
    {
        if let Value::Object(entries) = entries.to_json() {
            headers.extend(
                entries
                    .into_iter()
                    .map(|(name, value)| (name, words(&value))),
            );
        }
    }
    let expect = node.get("expect")?;
    let values = |key: &str| expect.get(key).map(Node::to_json);
    Some(Case {
        name: node.get("name")?.text()?.to_owned(),
        span: line(file, node),
        topic,
        key: bytes(file, node, defaults, "key", faults)?,
        value: bytes(file, node, defaults, "value", faults)?,
        headers,
        position: (
            number("partition").unwrap_or(0) as i32,
            number("offset").unwrap_or(0),
            number("timestamp"),
        ),
        expect: Expect {
            deliveries: match values("deliveries") {
                Some(Value::Array(list)) => list,
                _ => Vec::new(),
            },
            filtered: expect
                .get("filtered")
                .and_then(Node::text)
                .map(str::to_owned),
            dead_letter: values("dead_letter"),
        },
    })
}

/// A header's value as text.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn bytes(
    file: &Arc<Source>,
    node: &Node,
    defaults: Option<&Node>,
    name: &str,
    faults: &mut Faults,
) -> Option<Bytes> {
    if let Some(hex) = node.get(&format!("{name}_hex")) {
        return match hex.text().and_then(unhex) {
            Some(bytes) => Some(Bytes::Raw(bytes)),
            None => {
                let message = "this is not hexadecimal";
                faults.error(
                    "case_hex",
                    file,
                    &hex.span,
                    message,
                    "two digits per byte".to_owned(),
                );
                None
            }
        };
    }
    let default = defaults.and_then(|node| node.get(name)).map(Node::to_json);
    let Some(own) = node.get(name) else {
        return Some(match default {
            Some(value) if name == "key" && !value.is_null() => {
                Bytes::Json(value, line(file, node))
            }
            _ => Bytes::Null,
        });
    };
    if own.is_null() {
        return Some(Bytes::Null);
    }
    let value = match default {
        Some(default) => merged(default, own.to_json()),
        None => own.to_json(),
    };
    Some(Bytes::Json(value, line(file, own)))
}

/// `over` laid over `under`: mappings are merged, anything else replaces.
fn merged(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (key, value) in over {
                let value = match under.remove(&key) {
                    Some(old) => merged(old, value),
                    None => value,
                };
                under.insert(key, value);
            }
            Value::Object(Map::from_iter(under))
        }
        (_, over) => over,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| {
            u8::from_str_radix(
                std::str::from_utf8(pair)
                    .ok()
                    .filter(|pair| pair.len() == 2)?,
                16,
            )
            .ok()
        })
        .collect()
}

/// The first line of a node.
fn line(file: &Source, node: &Node) -> Range<usize> {
    let start = node.span.start;
    let line = file.line(file.position(start).0);
    start..line.end.max(start)
}
