//! The fields of what a mapping writes, those of records that are written out one by one: each is judged by the tag that its
//! own place in the output has.

use super::{Carried, Tags, Taint};
use crate::codec::FieldSource;
use crate::expr::{Const, FoldKind, Node};
use crate::schema::{Kind, NodeId, Schema};
use crate::topology::code::Computed;

/// A field of the output, or of a record in it that is written out.
pub(super) struct Part {
    /// Its path: `address.street`, `items[].sku`.
    pub(super) name: String,
    /// Whether the schema tags it, or a field around it.
    pub(super) is_tagged: bool,
    /// The tags that it carries.
    pub(super) tags: Tags,
}

/// A place in the output.
#[derive(Clone)]
struct At<'s> {
    out: &'s Schema,
    node: NodeId,
    name: String,
    is_tagged: bool,
}

impl<'s> At<'s> {
    /// The fields of the record that is written there: the node, or the one branch of a union that is one.
    fn fields(&self) -> Vec<At<'s>> {
        let is_record = |node: &NodeId| matches!(self.out.node(*node).kind, Kind::Record(_));
        let record = match &self.out.node(self.node).kind {
            Kind::Union(branches) => branches.iter().copied().find(is_record),
            _ => Some(self.node),
        };
        let fields = record.map_or(&[][..], |record| self.out.fields(record));
        let at = |field: &crate::schema::Field| At {
            out: self.out,
            node: field.ty,
            name: match self.name.is_empty() {
                true => field.name.to_string(),
                false => format!("{}.{}", self.name, field.name),
            },
            is_tagged: self.is_tagged || field.pii,
        };
        fields.iter().map(at).collect()
    }

    fn field(&self, name: &str) -> Option<At<'s>> {
        let is_it = |at: &At| at.name.rsplit('.').next() == Some(name);
        self.fields().into_iter().find(is_it)
    }

    fn elements(&self) -> Option<At<'s>> {
        let (node, step) = match self.out.node(self.out.strip_null(self.node).0).kind {
            Kind::Array(items) => (items, "[]"),
            Kind::Map(values) => (values, "{}"),
            _ => return None,
        };
        Some(At {
            node,
            name: format!("{}{step}", self.name),
            ..self.clone()
        })
    }
}

impl<'a> Taint<'a> {
    /// The fields of an emission, with the tags that each carries; `values` is what its route computes, if it is a route's own.
    pub(super) fn fields(&self, at: usize, values: &[Computed], out: &Schema) -> Vec<Part> {
        let emission = &self.code.emissions[at];
        let own: Vec<Tags> = values
            .iter()
            .map(|value| self.node(&value.node, &mut Vec::new()))
            .collect();
        let root = At {
            out,
            node: out.root,
            name: String::new(),
            is_tagged: false,
        };
        let mut found = Vec::new();
        let mut open: Vec<_> = emission.fields.iter().zip(root.fields()).collect();
        open.reverse();
        while let Some((source, at)) = open.pop() {
            match source {
                FieldSource::Record(sources) => {
                    open.extend(sources.iter().zip(at.fields()).rev());
                }
                FieldSource::Reg(reg) => {
                    let node = match usize::from(*reg).checked_sub(self.code.regs) {
                        Some(own) if emission.step.is_none() => {
                            values.get(own).map(|value| &value.node)
                        }
                        _ => self.nodes.get(usize::from(*reg)).copied(),
                    };
                    match node.filter(|node| writes_record(node, &at)) {
                        Some(node) => {
                            self.written(node, at, &Tags::new(), &mut Vec::new(), &mut found);
                        }
                        None => found.push(Part {
                            name: at.name,
                            is_tagged: at.is_tagged,
                            tags: self.source(source, emission.step, &own),
                        }),
                    }
                }
                source => found.push(Part {
                    name: at.name,
                    is_tagged: at.is_tagged,
                    tags: self.source(source, emission.step, &own),
                }),
            }
        }
        found
    }

    /// The parts of a value in which records are written out. `around` is carried by all of them: what decides whether they are
    /// there.
    fn written(
        &self,
        node: &Node,
        at: At,
        around: &Tags,
        locals: &mut Vec<Carried<'a>>,
        found: &mut Vec<Part>,
    ) {
        let is_empty = matches!(node, Node::Map(entries, _) if entries.is_empty());
        if is_empty || !writes_record(node, &at) {
            let mut tags = self.node(node, locals);
            tags.extend(around.iter().cloned());
            match found.iter_mut().find(|part| part.name == at.name) {
                Some(part) => part.tags.extend(tags),
                None => found.push(Part {
                    name: at.name,
                    is_tagged: at.is_tagged,
                    tags,
                }),
            }
            return;
        }
        let with = |tags: Tags| -> Tags { around.iter().cloned().chain(tags).collect() };
        match node {
            Node::Map(entries, _) => {
                for (key, value) in entries {
                    let part = match key {
                        Node::Const(Const::Str(name)) => at.field(name),
                        _ => None,
                    };
                    // Of a map for the output the keys are values as well.
                    let around = with(self.node(key, locals));
                    let part = part.or_else(|| at.elements());
                    let part = part.unwrap_or_else(|| at.clone());
                    self.written(value, part, &around, locals, found);
                }
            }
            Node::List(items) => {
                for item in items {
                    if let Some(part) = at.elements() {
                        self.written(item, part, around, locals, found);
                    }
                }
            }
            Node::Fold(fold) => {
                let before = locals.len();
                let mut tags = self.open(fold, locals);
                if let Some(filter) = &fold.filter {
                    tags.extend(self.node(filter, locals));
                }
                if let Some(part) = at.elements() {
                    self.written(&fold.body, part, &with(tags), locals, found);
                }
                locals.truncate(before);
            }
            Node::Cond(parts) => {
                let around = with(self.node(&parts[0], locals));
                for branch in &parts[1..] {
                    self.written(branch, at.clone(), &around, locals, found);
                }
            }
            Node::Bind(parts) | Node::OptMap(parts, _) => {
                let value = self.carried(&parts[0], locals);
                let around = with(value.tags.clone());
                locals.push(value);
                self.written(&parts[1], at, &around, locals, found);
                locals.pop();
            }
            Node::IfPresent(of) => self.written(of, at, around, locals, found),
            node => {
                for part in node.children() {
                    self.written(part, at.clone(), around, locals, found);
                }
            }
        }
    }
}

/// Whether a value comes out as something in which a record is written out.
fn writes_record(node: &Node, at: &At) -> bool {
    let below = |node: &Node| at.elements().is_some_and(|at| writes_record(node, &at));
    match node {
        Node::Map(entries, _) => {
            !at.fields().is_empty() || entries.iter().any(|(_, value)| below(value))
        }
        Node::List(items) => items.iter().any(below),
        Node::Fold(fold) => {
            matches!(fold.kind, FoldKind::Map | FoldKind::TransformMap) && below(&fold.body)
        }
        Node::Cond(parts) => parts[1..].iter().any(|part| writes_record(part, at)),
        Node::Bind(parts) | Node::OptMap(parts, _) => writes_record(&parts[1], at),
        Node::IfPresent(of) => writes_record(of, at),
        Node::OptOrValue(parts) => parts.iter().any(|part| writes_record(part, at)),
        Node::Arith { operands, .. } => operands.iter().any(|part| writes_record(part, at)),
        _ => false,
    }
}
