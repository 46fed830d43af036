//! Fields of a source that nothing reads.

use std::collections::BTreeSet;

use crate::codec::FieldSource;
use crate::expr::{Node, Source, TemplatePart};
use crate::schema::{Kind, NodeId, Schema};
use crate::topology::code::{Body, KeyCode, KeyPart, RouteCode, SourceCode, StepCode, TopicCode};

/// The expressions of a source's steps and routes.
pub fn nodes(code: &SourceCode) -> Vec<&Node> {
    let mut nodes = Vec::new();
    for step in &code.steps {
        match step {
            StepCode::Filter { node, .. } | StepCode::Require { node, .. } => nodes.push(node),
            StepCode::Compute { values, .. } => {
                nodes.extend(values.iter().map(|value| &value.node))
            }
        }
    }
    for route in &code.routes {
        nodes.extend(&route.when);
        nodes.extend(route.values.iter().map(|value| &value.node));
        if let Body::Computed(node) = &route.body {
            nodes.push(node);
        }
        match &route.key {
            KeyCode::Source => {}
            KeyCode::Computed(node) => nodes.push(node),
            KeyCode::Avro(key) => nodes.extend(key.parts.iter().filter_map(|part| match part {
                KeyPart::Value(value, _) => Some(&value.node),
                KeyPart::Constant(_) => None,
            })),
        }
        let topic = match &route.topic {
            TopicCode::Chosen(template, _) => Some(template),
            TopicCode::Fixed(_) => None,
        };
        let texts = topic
            .into_iter()
            .chain(route.headers.iter().map(|(_, text)| text));
        for part in texts.flat_map(|template| &template.parts) {
            if let TemplatePart::Value(node) = part {
                nodes.push(node);
            }
        }
    }
    nodes
}

/// The fields of the row (`event.after`, or the event itself where there is no envelope) that neither an expression nor a
/// copy reads, those of records by their paths, and how many were looked at; empty if some route sends the value as it came.
/// A record of which some fields are read counts by its fields; what is in lists, maps and unions is taken to be read.
pub fn fields(code: &SourceCode) -> (Vec<String>, usize) {
    let schema = &code.reader;
    let row = match code.envelope {
        Some(_) => schema
            .field(schema.root, "after")
            .map(|(at, field)| (vec![at], field.ty)),
        None => Some((Vec::new(), schema.root)),
    };
    let Some((prefix, row)) = row else {
        return (Vec::new(), 0);
    };
    let is_sent = |route: &RouteCode| matches!(route.body, Body::Source);
    if code.routes.iter().any(is_sent) {
        return (Vec::new(), 0);
    }
    let mut named = Vec::new();
    for slot in read(code) {
        let path = &code.wants.value()[usize::from(slot)].path;
        match path.strip_prefix(&prefix[..]) {
            Some(path) => named.push(path),
            None if path.is_empty() => named.push(&[]),
            // `before` has the same columns: what is read there is not forgotten.
            None if code.envelope.is_some() && is_row(schema, path[0]) => named.push(&path[1..]),
            None => {}
        }
    }
    let mut unread = Unread {
        schema,
        names: Vec::new(),
        count: 0,
    };
    if !named.iter().any(|path| path.is_empty()) {
        unread.record(schema.strip_null(row).0, "", &named);
    }
    (unread.names, unread.count)
}

struct Unread<'s> {
    schema: &'s Schema,
    names: Vec<String>,
    count: usize,
}

impl Unread<'_> {
    /// The fields of a record, of which these paths are read. A path leads deeper with each record, so that this ends.
    fn record(&mut self, record: NodeId, before: &str, read: &[&[u32]]) {
        for (at, field) in self.schema.fields(record).iter().enumerate() {
            let below = read.iter().filter_map(|path| match path.split_first() {
                Some((first, rest)) if *first as usize == at => Some(rest),
                _ => None,
            });
            let below: Vec<&[u32]> = below.collect();
            let path = format!("{before}{}", field.name);
            if below.is_empty() {
                self.names.push(path);
                self.count += 1;
            } else if below.iter().any(|path| path.is_empty()) {
                self.count += 1;
            } else {
                let inner = self.schema.strip_null(field.ty).0;
                self.record(inner, &format!("{path}."), &below);
            }
        }
    }
}

/// The slots of the value whose value is used, by expressions and by copies.
pub fn read(code: &SourceCode) -> BTreeSet<u16> {
    let mut read = BTreeSet::new();
    for node in nodes(code) {
        slots(node, code, &mut read);
    }
    for emission in &code.emissions {
        for field in &emission.fields {
            copied(field, &mut read);
        }
    }
    read
}

fn copied(field: &FieldSource, read: &mut BTreeSet<u16>) {
    match field {
        FieldSource::Slot(slot) | FieldSource::Guarded(slot) => {
            read.insert(*slot);
        }
        FieldSource::Record(fields) => fields.iter().for_each(|field| copied(field, read)),
        FieldSource::Reg(_) | FieldSource::Default => {}
    }
}

fn is_row(schema: &Schema, at: u32) -> bool {
    let field = schema.fields(schema.root).get(at as usize);
    field.is_some_and(|field| matches!(&*field.name, "before" | "after"))
}

/// The slots of the value whose value is used. Whether a record is there says nothing of its fields.
fn slots(node: &Node, code: &SourceCode, read: &mut BTreeSet<u16>) {
    if let Node::IsNull { of, .. } = node
        && let Node::Slot {
            source: Source::Value,
            slot,
            ..
        } = &**of
    {
        if !is_record(&code.reader, &code.wants.value()[usize::from(*slot)].path) {
            read.insert(*slot);
        }
        return;
    }
    if let Node::Slot {
        source: Source::Value,
        slot,
        ..
    } = node
    {
        read.insert(*slot);
    }
    for child in node.children() {
        slots(child, code, read);
    }
}

fn is_record(schema: &Schema, path: &[u32]) -> bool {
    matches!(schema.node(end(schema, path)).kind, Kind::Record(_))
}

/// The node at the end of a path, unions with null looked through.
pub fn end(schema: &Schema, path: &[u32]) -> NodeId {
    let mut node = schema.root;
    for index in path {
        let record = schema.strip_null(node).0;
        match schema.fields(record).get(*index as usize) {
            Some(field) => node = field.ty,
            None => break,
        }
    }
    schema.strip_null(node).0
}
