//! Records that an expression of a mapping writes out: each of their fields is settled where it stands, copied or computed
//! as those of the mapping itself are. Where that cannot be told before a record comes (behind a condition, within a list),
//! the whole is computed.

use std::sync::Arc;

use super::Compiler;
use super::mapping::{Mapped, default_of};
use super::source::Scope;
use crate::codec::{self, FieldSource};
use crate::expr::proof::Finding;
use crate::expr::{Binding, Compiled, Const, Entry, GivenField, Node, OutField, Type, Written};
use crate::schema::{Field, Kind, NodeId, Schema};
use crate::topology::code::Computed;
use crate::topology::proof::fields;
use crate::topology::spec::Text;

/// A field of a mapping while it is settled.
struct Settling<'a> {
    schema: &'a Arc<Schema>,
    field: &'a Field,
    place: &'a Text,
    scope: &'a Scope,
    /// Expressions whose bytes are copied: nobody asks what they mean.
    copied: Vec<(usize, usize)>,
}

/// A part of what is written, on its way to its source.
struct Part<'a> {
    /// Its name in the record around it.
    name: &'a str,
    /// Its place below the field of the mapping.
    place: String,
    ty: Type,
    node: Node,
    target: NodeId,
    written: &'a Written,
}

impl Compiler<'_> {
    /// Settles a field in whose expression records are written out.
    pub(super) fn written(
        &mut self,
        schema: &Arc<Schema>,
        field: &Field,
        compiled: Compiled,
        place: &Text,
        scope: &Scope,
        mapped: &mut Mapped,
    ) -> Option<()> {
        mapped.only_meta &= compiled.reads_only_meta();
        let written = compiled.written?;
        let mut settling = Settling {
            schema,
            field,
            place,
            scope,
            copied: Vec::new(),
        };
        let part = Part {
            name: &field.name,
            place: String::new(),
            ty: compiled.ty,
            node: compiled.node,
            target: field.ty,
            written: &written,
        };
        let settled = self.part(part, &mut settling, mapped);
        let is_computed = |finding: &&Finding| {
            let within =
                |(start, end): &(usize, usize)| *start <= finding.start && finding.end <= *end;
            !settling.copied.iter().any(within)
        };
        let findings: Vec<Finding> = compiled
            .findings
            .iter()
            .filter(is_computed)
            .cloned()
            .collect();
        self.findings(place, &findings);
        let (source, out) = settled?;
        mapped.fields.push(source);
        mapped.out.push(out);
        Some(())
    }

    /// Where a part comes from, and what later expressions read of it.
    fn part(
        &mut self,
        part: Part,
        settling: &mut Settling,
        mapped: &mut Mapped,
    ) -> Option<(FieldSource, OutField)> {
        match (part.written, &part.node) {
            (Written::Record(given), Node::Map(entries, _))
                if mapped.splices && given.iter().all(|given| !given.optional) =>
            {
                let entries: Vec<Node> = entries.iter().map(|(_, node)| node.clone()).collect();
                self.spread(part, given, entries, settling, mapped)
            }
            (Written::Value(entry), _) => {
                let (schema, scope) = (settling.schema, settling.scope);
                let copy = match mapped.splices {
                    true => super::mapping::copy_of(&part.node, schema, part.target, scope),
                    false => None,
                };
                let name = format!("{}{}", settling.field.name, entry.place);
                self.entry(&name, entry, schema, settling.place, copy.is_some(), scope)?;
                let Some(source) = copy else {
                    return Some(self.register(part, settling, mapped));
                };
                settling.copied.push((entry.start, entry.end));
                let out = OutField {
                    name: part.name.to_owned(),
                    ty: part.ty_read(),
                    binding: Binding::Source(part.node),
                    parts: None,
                };
                Some((source, out))
            }
            (written, _) => {
                self.entries(
                    &settling.field.name,
                    written,
                    settling.schema,
                    settling.place,
                    settling.scope,
                )?;
                Some(self.register(part, settling, mapped))
            }
        }
    }

    /// A record, field by field.
    fn spread(
        &mut self,
        part: Part,
        given: &[GivenField],
        nodes: Vec<Node>,
        settling: &mut Settling,
        mapped: &mut Mapped,
    ) -> Option<(FieldSource, OutField)> {
        let schema = settling.schema.clone();
        let mut given = given.iter().zip(nodes).peekable();
        let mut all = Vec::new();
        let mut whole = true;
        for (index, field) in schema
            .fields(record(&schema, part.target)?)
            .iter()
            .enumerate()
        {
            let is_it = |(given, _): &(&GivenField, Node)| given.field as usize == index;
            let Some((given, node)) = given.next_if(is_it) else {
                all.push((FieldSource::Default, default_of(&schema, field)));
                continue;
            };
            let below = Part {
                name: &field.name,
                place: format!("{}.{}", part.place, field.name),
                ty: given.ty.clone(),
                node,
                target: field.ty,
                written: &given.written,
            };
            match self.part(below, settling, mapped) {
                Some((source, out)) => all.push((source, Some(out))),
                None => whole = false,
            }
        }
        if !whole {
            return None;
        }
        let (sources, parts): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let parts: Vec<OutField> = parts.into_iter().flatten().collect();
        let out = OutField {
            name: part.name.to_owned(),
            ty: part.ty,
            binding: Binding::Source(Node::Map(parts.iter().map(read_again).collect(), true)),
            parts: Some(parts),
        };
        Some((FieldSource::Record(sources), out))
    }

    /// A part that is computed into a register.
    fn register(
        &mut self,
        part: Part,
        settling: &Settling,
        mapped: &mut Mapped,
    ) -> (FieldSource, OutField) {
        let register = settling.scope.regs + mapped.values.len() as u16;
        let ty = part.ty_read();
        let known = fields::register(register, &ty, &part.node, &settling.scope.seen());
        mapped.facts = mapped.facts.and(&known);
        let binding = match &part.node {
            node @ (Node::Slot { .. } | Node::Const(_)) => Binding::Source(node.clone()),
            _ => Binding::Reg(register),
        };
        mapped.values.push(Computed {
            field: format!("{}{}", settling.field.name, part.place),
            node: part.node,
        });
        let out = OutField {
            name: part.name.to_owned(),
            ty,
            binding,
            parts: None,
        };
        (FieldSource::Reg(register), out)
    }

    /// Whether all expressions of what is written fit what they are written as.
    pub(super) fn entries(
        &mut self,
        field: &str,
        written: &Written,
        schema: &Arc<Schema>,
        place: &Text,
        scope: &Scope,
    ) -> Option<()> {
        let mut whole = Some(());
        for entry in written.entries() {
            let name = format!("{field}{}", entry.place);
            let fits = self.entry(&name, entry, schema, place, false, scope);
            whole = whole.and(fits);
        }
        whole
    }

    /// Whether an expression fits what it is written as, `name` for messages, and what it may lose there.
    fn entry(
        &mut self,
        name: &str,
        entry: &Entry,
        schema: &Arc<Schema>,
        place: &Text,
        is_copied: bool,
        scope: &Scope,
    ) -> Option<()> {
        let span = self.within(place, entry.start..entry.end);
        if entry.ty.is_nullable() && entry.ty != Type::Dyn && !takes_null(schema, entry.target) {
            if scope.facts_broken {
                return None;
            }
            let (message, help) = match entry.ty {
                Type::Null => (
                    format!("this is null, and `{name}` cannot be"),
                    "write a value, or make it nullable in the schema",
                ),
                _ => (
                    format!("this can be null, and `{name}` cannot"),
                    "test it for null first, or make the field nullable",
                ),
            };
            self.error("may_be_null", &span, message, help.to_owned());
            return None;
        }
        if entry.node.may_be_left_out() {
            let message = format!("this may be left out by Debezium, and `{name}` needs a value");
            let help = "say what stands for it: `….orValue(…)`".to_owned();
            self.error("left_out", &span, message, help);
            return None;
        }
        if is_copied {
            return Some(());
        }
        if let Err(why) = codec::encodable(&entry.ty, schema, entry.target) {
            let message = format!("this does not fit `{name}`: {why}");
            let help = "convert it, or change the schema".to_owned();
            self.error("wrong_field_type", &span, message, help);
            return None;
        }
        if !scope.facts_broken {
            for found in fields::narrowings_of(name, entry, schema, &scope.seen()) {
                self.told(found.severity, found.code, &span, found.message, found.help);
            }
        }
        Some(())
    }
}

impl Part<'_> {
    /// The type of the part for those who read it.
    fn ty_read(&self) -> Type {
        match self.written {
            Written::Value(entry) => entry.ty.clone(),
            _ => self.ty.clone(),
        }
    }
}

/// An entry of a record that is made again of its fields.
fn read_again(field: &OutField) -> (Node, Node) {
    let node = match &field.binding {
        Binding::Source(node) => node.clone(),
        Binding::Reg(at) => Node::Reg(*at),
    };
    let name = Const::Str(field.name.as_str().into());
    (Node::Const(name), node)
}

/// The record that a node is, or the one branch of a union that is one.
fn record(schema: &Schema, node: NodeId) -> Option<NodeId> {
    let is_record = |node: &NodeId| matches!(schema.node(*node).kind, Kind::Record(_));
    match &schema.node(node).kind {
        Kind::Union(branches) => branches.iter().copied().find(is_record),
        _ => Some(node).filter(is_record),
    }
}

/// Whether null may be written as a node.
pub(super) fn takes_null(schema: &Schema, node: NodeId) -> bool {
    let is_null = |node: NodeId| schema.node(node).kind == Kind::Null;
    match &schema.node(node).kind {
        Kind::Union(branches) => branches.iter().any(|branch| is_null(*branch)),
        _ => is_null(node),
    }
}
