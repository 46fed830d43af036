//! Where fields go that the schema of a source tags as personal (`pii`). Whatever is computed from such a field carries
//! its tag, but for a test for null; only functions that redact or that need a key take it off.

use std::collections::BTreeSet;

use super::unread::end;
use crate::codec::FieldSource;
use crate::expr::{Const, Fold, Node, Source, Template, TemplatePart};
use crate::schema::{Kind, NodeId, Schema};
use crate::topology::code::{
    Body, Computed, KeyCode, KeyPart, RouteCode, SourceCode, StepCode, TopicCode,
};

mod written;

/// Paths of the tagged fields that a value carries.
pub type Tags = BTreeSet<String>;

/// What carries tags to a route's sink.
#[derive(Debug)]
pub struct Carrier {
    /// What it is: ``the field `email` ``, `the key`.
    pub what: String,
    /// The tagged fields.
    pub tags: Tags,
    /// Whether the output's schema tags it, if it is a field.
    pub is_tagged: Option<bool>,
}

/// The tagged fields of a schema, by their paths below `name`.
pub fn tagged(schema: &Schema, name: &str) -> Tags {
    let mut tags = Tags::new();
    below(schema, schema.root, name, &mut Vec::new(), &mut tags);
    tags
}

fn below(schema: &Schema, node: NodeId, name: &str, within: &mut Vec<NodeId>, tags: &mut Tags) {
    if within.contains(&node) {
        return;
    }
    within.push(node);
    match &schema.node(node).kind {
        Kind::Record(fields) => {
            for field in fields {
                let name = format!("{name}.{}", field.name);
                if field.pii {
                    tags.insert(name);
                } else {
                    below(schema, field.ty, &name, within, tags);
                }
            }
        }
        Kind::Union(branches) => {
            for branch in branches {
                below(schema, *branch, name, within, tags);
            }
        }
        Kind::Array(items) | Kind::Map(items) => below(schema, *items, name, within, tags),
        _ => {}
    }
    within.pop();
}

/// A value, and where it stands in a schema (in one of several places, behind a union): the tags below that are carried
/// once it is used as a whole.
#[derive(Clone, Default)]
struct Carried<'a> {
    tags: Tags,
    places: Vec<Place<'a>>,
}

#[derive(Clone)]
struct Place<'a> {
    schema: &'a Schema,
    node: NodeId,
    path: String,
}

impl<'a> Place<'a> {
    fn at(&self, node: NodeId, path: String) -> Place<'a> {
        Place {
            schema: self.schema,
            node,
            path,
        }
    }

    /// The places of the branches of a union; the place itself for what is none.
    fn branches(&self) -> Vec<Place<'a>> {
        match &self.schema.node(self.node).kind {
            Kind::Union(branches) => branches
                .iter()
                .flat_map(|branch| self.at(*branch, self.path.clone()).branches())
                .collect(),
            _ => vec![self.clone()],
        }
    }
}

impl<'a> Carried<'a> {
    fn of(tags: Tags) -> Carried<'a> {
        Carried {
            tags,
            places: Vec::new(),
        }
    }

    fn branches(&self) -> impl Iterator<Item = Place<'a>> {
        self.places.iter().flat_map(Place::branches)
    }

    /// The tags of the value as a whole.
    fn all(self) -> Tags {
        let mut tags = self.tags;
        for place in self.places {
            below(
                place.schema,
                place.node,
                &place.path,
                &mut Vec::new(),
                &mut tags,
            );
        }
        tags
    }

    /// What it has under a name: a field of a record, or a value of a map.
    fn field(self, name: &str) -> Carried<'a> {
        let mut found = Carried::of(self.tags.clone());
        for place in self.branches() {
            match &place.schema.node(place.node).kind {
                Kind::Record(_) => {
                    // A branch without the field has nothing there.
                    if let Some((_, field)) = place.schema.field(place.node, name) {
                        let path = format!("{}.{name}", place.path);
                        if field.pii {
                            found.tags.insert(path.clone());
                        }
                        found.places.push(place.at(field.ty, path));
                    }
                }
                Kind::Map(items) => found.places.push(place.at(*items, place.path.clone())),
                // It cannot be followed: what is below may be anything of it.
                _ => found.places.push(place),
            }
        }
        found
    }

    /// An element of a list, a value of a map; of a record it may be any field.
    fn element(self) -> Carried<'a> {
        let mut found = Carried::of(self.tags.clone());
        for place in self.branches() {
            match &place.schema.node(place.node).kind {
                Kind::Array(items) | Kind::Map(items) => {
                    found.places.push(place.at(*items, place.path.clone()));
                }
                _ => found.tags.extend(
                    Carried {
                        tags: Tags::new(),
                        places: vec![place],
                    }
                    .all(),
                ),
            }
        }
        found
    }
}

/// The tags that the registers of a source's steps carry.
pub struct Taint<'a> {
    code: &'a SourceCode,
    regs: Vec<Tags>,
    /// What fills them.
    nodes: Vec<&'a Node>,
}

impl<'a> Taint<'a> {
    /// Follows the steps.
    pub fn of_steps(code: &'a SourceCode) -> Taint<'a> {
        let mut taint = Taint {
            code,
            regs: Vec::new(),
            nodes: Vec::new(),
        };
        for step in &code.steps {
            if let StepCode::Compute { values, .. } = step {
                for value in values {
                    let tags = taint.node(&value.node, &mut Vec::new());
                    taint.regs.push(tags);
                    taint.nodes.push(&value.node);
                }
            }
        }
        taint
    }

    /// Everything that carries tags to the sink of a route; `out` is the schema of what it writes, if it writes a record.
    pub fn route(
        &self,
        route: &RouteCode,
        headers: &[String],
        out: Option<&Schema>,
    ) -> Vec<Carrier> {
        let mut found = Vec::new();
        let mut carry = |what: String, tags: Tags, is_tagged| {
            if !tags.is_empty() {
                found.push(Carrier {
                    what,
                    tags,
                    is_tagged,
                });
            }
        };
        match &route.body {
            Body::Computed(node) => {
                let tags = self.node(node, &mut Vec::new());
                carry("the value".to_owned(), tags, None);
            }
            Body::Source => {
                let tags = tagged(&self.code.reader, "event");
                carry("the value as it came".to_owned(), tags, None);
            }
            Body::Emission(at) | Body::Json(at, _) => {
                let all = out.map(|out| self.fields(usize::from(*at), &route.values, out));
                for part in all.into_iter().flatten() {
                    let what = format!("the field `{}`", part.name);
                    carry(what, part.tags, Some(part.is_tagged));
                }
            }
        }
        let key = match &route.key {
            KeyCode::Source => match &self.code.key_reader {
                Some(key) => tagged(key, "meta.key"),
                None => Tags::new(),
            },
            KeyCode::Computed(node) => self.node(node, &mut Vec::new()),
            KeyCode::Avro(key) => {
                let values = key.parts.iter().filter_map(|part| match part {
                    KeyPart::Value(value, _) => Some(self.node(&value.node, &mut Vec::new())),
                    KeyPart::Constant(_) => None,
                });
                values.flatten().collect()
            }
        };
        carry("the key".to_owned(), key, None);
        if let TopicCode::Chosen(template, _) = &route.topic {
            carry("the topic".to_owned(), self.template(template), None);
        }
        for (index, template) in &route.headers {
            let name = headers.get(usize::from(*index)).map_or("?", String::as_str);
            carry(
                format!("the header `{name}`"),
                self.template(template),
                None,
            );
        }
        found
    }

    /// The tags that each field of an emission carries; `values` is what its route computes, if it is a route's own.
    pub fn emission(&self, at: usize, values: &[Computed]) -> Vec<Tags> {
        let emission = &self.code.emissions[at];
        let own: Vec<Tags> = values
            .iter()
            .map(|value| self.node(&value.node, &mut Vec::new()))
            .collect();
        let fields = emission.fields.iter();
        fields
            .map(|field| self.source(field, emission.step, &own))
            .collect()
    }

    fn source(&self, field: &FieldSource, step: Option<u16>, own: &[Tags]) -> Tags {
        match field {
            FieldSource::Slot(slot) | FieldSource::Guarded(slot) => {
                self.slot(Source::Value, *slot).all()
            }
            FieldSource::Reg(reg) => self.register(*reg, step, own),
            FieldSource::Default => Tags::new(),
            FieldSource::Record(fields) => fields
                .iter()
                .flat_map(|field| self.source(field, step, own))
                .collect(),
        }
    }

    /// A register of the steps; of a route's own mapping those that follow them.
    fn register(&self, at: u16, step: Option<u16>, own: &[Tags]) -> Tags {
        let at = usize::from(at);
        let known = match step {
            Some(_) => self.regs.get(at),
            None => match at.checked_sub(self.code.regs) {
                Some(at) => own.get(at),
                None => self.regs.get(at),
            },
        };
        known.cloned().unwrap_or_default()
    }

    fn template(&self, template: &Template) -> Tags {
        let values = template.parts.iter().filter_map(|part| match part {
            TemplatePart::Value(node) => Some(self.node(node, &mut Vec::new())),
            TemplatePart::Text(_) => None,
        });
        values.flatten().collect()
    }

    fn node(&self, node: &Node, locals: &mut Vec<Carried<'a>>) -> Tags {
        self.carried(node, locals).all()
    }

    fn carried(&self, node: &Node, locals: &mut Vec<Carried<'a>>) -> Carried<'a> {
        match node {
            Node::Slot { source, slot, .. } => self.slot(*source, *slot),
            Node::Reg(at) => {
                Carried::of(self.regs.get(usize::from(*at)).cloned().unwrap_or_default())
            }
            Node::Local(up) => match locals.iter().rev().nth(usize::from(*up)) {
                Some(carried) => carried.clone(),
                // Not a macro that is known here: it may stand for anything.
                None => Carried::of(tagged(&self.code.reader, "event")),
            },
            Node::Field { of, name, .. } => self.carried(of, locals).field(name),
            // An optional carries what its value does.
            Node::OptNonNull(of) | Node::IfPresent(of) | Node::Watched(of, _) => {
                self.carried(of, locals)
            }
            Node::Bind(parts) | Node::OptMap(parts, _) => {
                let value = self.carried(&parts[0], locals);
                let mut tags = value.tags.clone();
                locals.push(value);
                tags.extend(self.node(&parts[1], locals));
                locals.pop();
                Carried::of(tags)
            }
            Node::Index(parts) | Node::OptIndex(parts) => {
                let index = self.node(&parts[1], locals);
                let of = self.carried(&parts[0], locals);
                let mut element = match &parts[1] {
                    Node::Const(Const::Str(name)) => of.field(name),
                    _ => of.element(),
                };
                element.tags.extend(index);
                element
            }
            Node::Fold(fold) => self.fold(fold, locals),
            Node::IsNull { .. } | Node::HasKey { .. } => Carried::default(),
            Node::Call(call) if call.redacts() => Carried::default(),
            _ => {
                let parts = node.children().into_iter();
                let mut tags: Tags = parts.flat_map(|part| self.node(part, locals)).collect();
                // What is read by a schema with tags carries all of them.
                if let Node::Call(call) = node
                    && let Some(schema) = call.schema()
                {
                    tags.extend(tagged(schema, "json"));
                }
                Carried::of(tags)
            }
        }
    }

    fn fold(&self, fold: &Fold, locals: &mut Vec<Carried<'a>>) -> Carried<'a> {
        let before = locals.len();
        let mut tags = self.open(fold, locals);
        for part in fold.filter.iter().chain([&fold.body]) {
            tags.extend(self.node(part, locals));
        }
        locals.truncate(before);
        Carried::of(tags)
    }

    /// Adds the variables of a macro; gives the tags of what it goes over.
    fn open(&self, fold: &Fold, locals: &mut Vec<Carried<'a>>) -> Tags {
        let over = self.carried(&fold.over, locals);
        let tags = over.tags.clone();
        let is_map = !over.places.is_empty()
            && over.branches().all(|place| {
                matches!(
                    place.schema.node(place.node).kind,
                    Kind::Null | Kind::Map(_)
                )
            });
        // Keys and indexes carry what the whole does.
        if fold.two || is_map {
            locals.push(Carried::of(over.tags.clone()));
        }
        if fold.two || !is_map {
            locals.push(over.element());
        }
        tags
    }

    fn slot(&self, source: Source, slot: u16) -> Carried<'a> {
        let (schema, wants, mut name) = match (source, &self.code.key_reader) {
            (Source::Value, _) => (
                &self.code.reader,
                self.code.wants.value(),
                "event".to_owned(),
            ),
            (Source::Key, Some(key)) => (key, self.code.wants.key(), "meta.key".to_owned()),
            (Source::Key, None) => return Carried::default(),
        };
        let path = &wants[usize::from(slot)].path;
        let mut tags = Tags::new();
        for at in 0..path.len() {
            let record = end(schema, &path[..at]);
            let Some(field) = schema.fields(record).get(path[at] as usize) else {
                break;
            };
            name = format!("{name}.{}", field.name);
            if field.pii {
                tags.insert(name.clone());
            }
        }
        let place = Place {
            schema,
            node: end(schema, path),
            path: name,
        };
        Carried {
            tags,
            places: vec![place],
        }
    }
}
