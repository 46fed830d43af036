//! Test cases beside topologies: `orders.test.yaml` holds events and what must become of them. They take the same road
//! as live records, from the frame on.

mod compare;
mod coverage;
mod keys;
pub mod run;
mod update;
pub mod write;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::fault::{Faults, Source};
use super::files::Schemas;
use super::yaml::{Bounds, Data, Node};
use super::{files, plan::Plan, read, yaml};
use crate::schema::Schema;

pub use compare::Difference;
pub use coverage::{Coverage, Point, PointKind};
pub(super) use coverage::{one_line, owner};
pub use run::{Ended, Outcome, Ran, Record, Trail, encoded, record, run};
pub use update::update;

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
    /// The schema that the value was written with, if the case names one.
    pub value_schema: Option<Arc<Schema>>,
    /// The record's headers.
    pub headers: Vec<(String, Option<String>)>,
    /// Partition, offset, timestamp in milliseconds.
    pub position: (i32, i64, Option<i64>),
    /// What must become of it.
    pub expect: Expect,
}

/// A key or value as a case gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Bytes {
    /// Null.
    Null,
    /// As JSON, to be encoded with the source's schema.
    Json(Value),
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
    /// What its dead letters say, in order.
    pub dead_letters: Vec<Value>,
}

/// The file of cases beside a topology, if there is one.
pub fn beside(topology: &Path) -> Option<PathBuf> {
    ["test.yaml", "test.yml"]
        .into_iter()
        .map(|end| topology.with_extension(end))
        .find(|path| path.is_file())
}

/// Reads the cases of a topology; schemas that they name are taken from `schemas`. `None` after a fault.
pub fn read(path: &Path, plan: &Plan, schemas: &mut Schemas, faults: &mut Faults) -> Option<Cases> {
    read_source(files::open(path, faults)?, plan, schemas, faults)
}

/// Reads the cases of a file that was read already.
fn read_source(
    file: Arc<Source>,
    plan: &Plan,
    schemas: &mut Schemas,
    faults: &mut Faults,
) -> Option<Cases> {
    let before = faults.iter().count();
    let root = yaml::parse_within(Bounds::ROWS, &file, faults)?;
    read::check_shape(&file, &root, &keys::FILE, faults);
    let defaults = root.get("defaults");
    let mut list = Vec::new();
    if let Some(Data::List(cases)) = root.get("cases").map(|cases| &cases.data) {
        are_named_once(&file, cases, faults);
        for node in cases {
            list.extend(case(&file, node, defaults, plan, schemas, faults));
        }
    }
    (faults.iter().count() == before).then_some(Cases { file, list })
}

/// A name finds one case (`trace --case`), and a report tells them apart by it.
fn are_named_once(file: &Arc<Source>, cases: &[Node], faults: &mut Faults) {
    let mut known = HashMap::new();
    for name in cases.iter().filter_map(|node| node.get("name")) {
        let Some(text) = name.text() else { continue };
        let line = file.position(name.span.start).0;
        match known.entry(text) {
            Entry::Vacant(place) => {
                place.insert(line);
            }
            Entry::Occupied(first) => {
                let message = format!("a test case on line {} has this name already", first.get());
                let help = "choose another name".to_owned();
                faults.error("duplicate_name", file, &name.span, message, help);
            }
        }
    }
}

fn case(
    file: &Arc<Source>,
    node: &Node,
    defaults: Option<&Node>,
    plan: &Plan,
    schemas: &mut Schemas,
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
    let mut number = |key: &str, max: i64| {
        let Some(node) = get(key).filter(|node| !node.is_null()) else {
            return Some(None);
        };
        let number = node.text().and_then(|text| text.parse::<i64>().ok());
        let number = number.filter(|number| (0..=max).contains(number));
        if number.is_none() {
            let message = format!("this is no {key}");
            let help = format!("write a whole number from 0 to {max}");
            faults.error("wrong_value", file, &node.span, message, help);
        }
        number.map(Some)
    };
    let (partition, offset, timestamp) = (
        number("partition", i32::MAX.into())?.unwrap_or(0),
        number("offset", i64::MAX)?.unwrap_or(0),
        number("timestamp", i64::MAX)?,
    );
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
    let value_schema = match node.get("value_schema") {
        Some(name) => Some(schemas.get(file, name.text()?, &name.span, faults)?),
        None => None,
    };
    let expect = node.get("expect")?;
    let values = |key: &str| expect.get(key).map(Node::to_json);
    Some(Case {
        name: node.get("name")?.text()?.to_owned(),
        span: line(file, node),
        topic,
        key: bytes(file, node, defaults, "key", faults)?,
        value: bytes(file, node, defaults, "value", faults)?,
        value_schema,
        headers,
        position: (partition as i32, offset, timestamp),
        expect: Expect {
            deliveries: match values("deliveries") {
                Some(Value::Array(list)) => list,
                _ => Vec::new(),
            },
            filtered: expect
                .get("filtered")
                .and_then(Node::text)
                .map(str::to_owned),
            dead_letters: match (values("dead_letters"), values("dead_letter")) {
                (Some(Value::Array(list)), _) => list,
                (_, Some(one)) if !one.is_null() => vec![one],
                _ => Vec::new(),
            },
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

/// The key or value of a case: as JSON with the defaults under it, or as bytes.
fn bytes(
    file: &Arc<Source>,
    node: &Node,
    defaults: Option<&Node>,
    name: &str,
    faults: &mut Faults,
) -> Option<Bytes> {
    let written: Vec<&(Node, Node)> = match &node.data {
        Data::Map(entries) => entries
            .iter()
            .filter(|(key, _)| {
                let key = key.text().unwrap_or_default();
                let form = key.strip_prefix(name);
                matches!(form, Some("" | "_hex" | "_base64"))
            })
            .collect(),
        _ => Vec::new(),
    };
    if let [_, (other, _), ..] = written.as_slice() {
        let message = format!("the {name} of this case is given twice");
        let help = format!("keep one of `{name}`, `{name}_hex` and `{name}_base64`");
        faults.error("conflicting_keys", file, &other.span, message, help);
        return None;
    }
    let Some((key, own)) = written.first() else {
        let default = defaults.and_then(|node| node.get(name)).map(Node::to_json);
        return Some(match default {
            Some(value) if name == "key" && !value.is_null() => Bytes::Json(value),
            _ => Bytes::Null,
        });
    };
    let form = key.text().and_then(|key| key.strip_prefix(name));
    let (bytes, code, message, help) = match form {
        Some("_hex") => (
            own.text().and_then(unhex),
            "case_hex",
            "this is not hexadecimal",
            "two digits per byte",
        ),
        Some("_base64") => (
            own.text().and_then(|text| BASE64.decode(text.trim()).ok()),
            "case_base64",
            "this is not base64",
            "the standard alphabet, padded with `=`",
        ),
        _ if own.is_null() => return Some(Bytes::Null),
        _ => {
            let value = match defaults.and_then(|node| node.get(name)) {
                Some(default) => merged(default.to_json(), own.to_json()),
                None => own.to_json(),
            };
            return Some(Bytes::Json(value));
        }
    };
    if bytes.is_none() {
        faults.error(code, file, &own.span, message, help.to_owned());
    }
    bytes.map(Bytes::Raw)
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
