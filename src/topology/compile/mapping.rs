//! A mapping: which field of the output comes from where.

use std::sync::Arc;

use super::Compiler;
use super::source::{Scope, follow};
use super::written::takes_null;
use crate::codec::{self, FieldSource, placeholder};
use crate::expr::{
    Binding, BrokenOut, Compiled, Const, Facts, Node, OutField, Source, Target, Type,
};
use crate::schema::{Field, Kind, NodeId, Schema};
use crate::topology::code::{Computed, Emission, StepCode};
use crate::topology::fault::nearest;
use crate::topology::plan::{OutputSchema, Unavailable};
use crate::topology::proof::fields;
use crate::topology::spec::{MapSpec, Text};

/// The fields of an output record, settled.
pub(super) struct Mapped {
    pub(super) schema: u16,
    pub(super) fields: Vec<FieldSource>,
    pub(super) values: Vec<Computed>,
    pub(super) out: Vec<OutField>,
    /// Whether fields may be copied from the record's bytes; otherwise all are computed.
    pub(super) splices: bool,
    /// Whether no field needs the event.
    pub(super) only_meta: bool,
    /// What is known of the computed values.
    pub(super) facts: Facts,
    /// The fields that had a fault: something stands in their place; `None` if the mapping has none.
    pub(super) broken: Option<Vec<String>>,
}

impl Mapped {
    /// What stands in the place of a field that had a fault: the value that does not fit there, as far as one is known. It is
    /// never written; it is asked what it carries.
    fn stand_in(&mut self, field: &str, node: Option<Node>, scope: &Scope) {
        let source = match node {
            Some(node) => {
                let register = scope.regs + self.values.len() as u16;
                self.values.push(Computed {
                    field: field.to_owned(),
                    node,
                });
                FieldSource::Reg(register)
            }
            None => FieldSource::Default,
        };
        self.fields.push(source);
    }
}

impl Compiler<'_> {
    /// A mapping step: its fields become `out`.
    pub(super) fn step_mapping(
        &mut self,
        map: &MapSpec,
        step: u16,
        scope: &mut Scope,
    ) -> Option<StepCode> {
        let mapped = self.mapping(map, scope, true);
        // What was known of the former `out` says nothing of the new one.
        scope.facts = scope.facts.without("out.");
        let Some(mapped) = mapped else {
            scope.out = None;
            scope.env.out = None;
            scope.env.broken = BrokenOut::All;
            return None;
        };
        scope.regs += mapped.values.len() as u16;
        scope.facts = scope.facts.and(&mapped.facts);
        scope.env.out = Some(mapped.out);
        scope.env.broken = BrokenOut::None;
        if let Some(broken) = mapped.broken {
            scope.env.broken = BrokenOut::Fields(broken);
            scope.whole = false;
        }
        scope.out = Some(scope.emissions.len() as u16);
        scope.emissions.push(Emission {
            schema: mapped.schema,
            fields: mapped.fields,
            step: Some(step),
        });
        Some(StepCode::Compute {
            step,
            values: mapped.values,
        })
    }

    /// A route's own mapping: the index of its emission, and what it computes.
    pub(super) fn route_mapping(
        &mut self,
        map: &MapSpec,
        scope: &mut Scope,
        values: &mut Vec<Computed>,
    ) -> Option<u16> {
        let mapped = self.mapping(map, scope, true)?;
        scope.whole &= mapped.broken.is_none();
        *values = mapped.values;
        scope.emissions.push(Emission {
            schema: mapped.schema,
            fields: mapped.fields,
            step: None,
        });
        Some(scope.emissions.len() as u16 - 1)
    }

    /// Settles every field of the output. With `splices`, fields are copied from the record's bytes where that is possible.
    pub(super) fn mapping(
        &mut self,
        map: &MapSpec,
        scope: &mut Scope,
        splices: bool,
    ) -> Option<Mapped> {
        let Some(known) = self.schema(&map.schema) else {
            self.fieldless(map, scope);
            return None;
        };
        let schema = known.schema.clone();
        let Kind::Record(fields) = &schema.node(schema.root).kind else {
            let message = format!("`{}` is not a record; an event is one", known.name);
            self.error("schema_not_record", &map.schema.name.span, message, None);
            self.fieldless(map, scope);
            return None;
        };
        let mut whole = self.known_fields(map, &known.name, fields);
        let mut from = match &map.from {
            Some(from) => self.from(from, scope).map(|names| (from, names)),
            None => None,
        };
        if let Some((from, names)) = &from {
            whole &= self.known_exceptions(map, &from.value, names);
        }
        // What a field gets that is not set is then unknown.
        let is_unclear = !map.unclear.is_empty() || map.from.is_some() && from.is_none();
        if is_unclear {
            whole = false;
            from = None;
        } else if let (None, Some(except)) = (&map.from, map.except.first()) {
            let message = "`except` says what is not copied, and there is no `from`";
            self.error(
                "conflicting_keys",
                &except.span,
                message,
                "remove `except`".to_owned(),
            );
            whole = false;
        }
        let excepted = |name: &str| map.except.iter().any(|except| except.value == name);
        let mut mapped = Mapped {
            schema: 0,
            fields: Vec::new(),
            values: Vec::new(),
            out: Vec::new(),
            splices,
            only_meta: true,
            facts: Facts::none(),
            broken: None,
        };
        let mut broken = Vec::new();
        for field in fields {
            let name = &*field.name;
            let copied = from
                .as_ref()
                .filter(|(_, names)| names.iter().any(|known| known == name) && !excepted(name));
            let (value, place, is_copied) = if let Some(text) = set_of(map, fields, name) {
                let target = Target {
                    schema: &schema,
                    node: field.ty,
                };
                (self.expression_as(text, Some(target), scope), text, false)
            } else if let Some((from, _)) = copied {
                (self.copied(from, name, scope), *from, true)
            } else if is_unclear {
                (None, &map.schema.name, false)
            } else if field.default.is_some() {
                mapped.fields.push(FieldSource::Default);
                mapped.out.extend(default_of(&schema, field));
                continue;
            } else {
                let message = format!("the field `{name}` of `{}` gets no value", known.name);
                let help = match &from {
                    Some(_) if excepted(name) => {
                        format!("it is listed under `except`: add `{name}: …` under `set`")
                    }
                    Some((from, _)) => {
                        format!(
                            "`{}` has no such field: add `{name}: …` under `set`, or give it a default",
                            from.value
                        )
                    }
                    None => format!("add `{name}: …` under `set`, or give it a default"),
                };
                self.error("field_missing", &map.schema.name.span, message, help);
                (None, &map.schema.name, false)
            };
            let node = value.as_ref().map(|value| value.node.clone());
            let settled = value.and_then(|value| {
                self.field(&schema, field, value, place, is_copied, scope, &mut mapped)
            });
            if settled.is_none() {
                whole = false;
                broken.push(name.to_owned());
                mapped.stand_in(name, node, scope);
            }
        }
        mapped.broken = (!whole).then_some(broken);
        mapped.schema = self.output(known);
        Some(mapped)
    }

    /// The faults of what is set, where the fields that it is set to are unknown.
    fn fieldless(&mut self, map: &MapSpec, scope: &mut Scope) {
        for (_, text) in &map.set {
            if let Some(compiled) = self.expression(text, scope) {
                self.findings(text, &compiled.findings);
            }
        }
    }

    /// Settles a field of the output: a copy where the encodings allow it, a computed value else.
    #[allow(clippy::too_many_arguments)]
    fn field(
        &mut self,
        schema: &Arc<Schema>,
        field: &Field,
        compiled: Compiled,
        place: &Text,
        copied: bool,
        scope: &Scope,
        mapped: &mut Mapped,
    ) -> Option<()> {
        if compiled.written.is_some() {
            return self.written(schema, field, compiled, place, scope, mapped);
        }
        let nullable = takes_null(schema, field.ty);
        let name = &*field.name;
        let what = if copied {
            format!("`{}.{name}`", place.value)
        } else {
            "this".to_owned()
        };
        if compiled.ty.is_nullable() && !nullable && !matches!(compiled.ty, Type::Dyn) {
            if scope.facts_broken {
                return None;
            }
            let message = format!("{what} can be null, and the field `{name}` cannot");
            let help = if copied {
                format!(
                    "set `{name}` under `set` to something that is never null, or keep only events where it is not null"
                )
            } else {
                "test it for null first, or make the field nullable".to_owned()
            };
            self.error("may_be_null", &place.span, message, help);
            return None;
        }
        if compiled.may_be_left_out() {
            let message =
                format!("{what} may be left out by Debezium, and the field `{name}` needs a value");
            let path = compiled.reads.first().map_or("x", String::as_str);
            let mut help = format!("write `{name}: {path}.orValue(…)` under `set`");
            if copied {
                help.push_str(&format!(", or list `{name}` under `except`"));
            }
            self.error("left_out", &place.span, message, help);
            return None;
        }
        mapped.only_meta &= compiled.reads_only_meta();
        let copy = match mapped.splices {
            true => copy_of(&compiled.node, schema, field.ty, scope),
            false => None,
        };
        let binding = match &compiled.node {
            node @ (Node::Slot { .. } | Node::Const(_)) => Some(Binding::Source(node.clone())),
            _ => None,
        };
        let source = match copy {
            // The bytes are copied: nobody asks what they mean.
            Some(source) => source,
            None => {
                if let Err(why) = codec::encodable(&compiled.ty, schema, field.ty) {
                    let message = format!("{what} does not fit the field `{name}`: {why}");
                    let help = if copied {
                        format!("convert it under `set`, or list `{name}` under `except`")
                    } else {
                        "convert it, or change the schema".to_owned()
                    };
                    self.error("wrong_field_type", &place.span, message, help);
                    return None;
                }
                let register = scope.regs + mapped.values.len() as u16;
                self.computed(field, schema, &compiled, place, copied, scope);
                let seen = scope.seen();
                mapped.facts = mapped.facts.and(&fields::register(
                    register,
                    &compiled.ty,
                    &compiled.node,
                    &seen,
                ));
                mapped.values.push(Computed {
                    field: name.to_owned(),
                    node: compiled.node,
                });
                FieldSource::Reg(register)
            }
        };
        let binding = binding.or(match source {
            FieldSource::Reg(register) => Some(Binding::Reg(register)),
            _ => None,
        })?;
        mapped.fields.push(source);
        mapped.out.push(OutField {
            name: name.to_owned(),
            ty: compiled.ty,
            binding,
            parts: None,
        });
        Some(())
    }

    /// The names of the fields of a `from`.
    fn from(&mut self, from: &Text, scope: &mut Scope) -> Option<Vec<String>> {
        if from.value == "out" {
            let broken = match &scope.env.broken {
                BrokenOut::All => return None,
                BrokenOut::Fields(broken) => broken.clone(),
                BrokenOut::None => Vec::new(),
            };
            let Some(out) = &scope.env.out else {
                let help =
                    "write `event.after` or `event`; `out` exists behind a mapping step".to_owned();
                self.error("from_unknown", &from.span, "there is no `out` yet", help);
                return None;
            };
            let names = out.iter().map(|field| field.name.clone());
            return Some(names.chain(broken).collect());
        }
        let event = scope.env.event.as_ref()?.schema.clone();
        let path: Vec<&str> = from.value.split('.').collect();
        let mut node = event.root;
        let mut known = path.first() == Some(&"event");
        for name in &path[1..] {
            match event.field(event.strip_null(node).0, name) {
                Some((_, field)) => node = field.ty,
                None => known = false,
            }
        }
        let (record, _) = event.strip_null(node);
        let Kind::Record(fields) = &event.node(record).kind else {
            known = false;
            let message = format!("`{}` is not a record of this event", from.value);
            let help = self.records(&event);
            self.error("from_unknown", &from.span, message, help);
            return known.then(Vec::new);
        };
        if !known {
            let message = format!("`{}` is not a record of this event", from.value);
            let help = self.records(&event);
            self.error("from_unknown", &from.span, message, help);
            return None;
        }
        // The record itself must be there: its fields are not copied one by one if it can be null.
        let mut prefix = "event".to_owned();
        let mut at = event.root;
        for name in &path[1..] {
            let (_, field) = event.field(event.strip_null(at).0, name)?;
            prefix = format!("{prefix}.{name}");
            at = field.ty;
            if event.strip_null(at).1 && !scope.facts.is_non_null(&prefix) {
                if scope.facts_broken {
                    return None;
                }
                let message = format!("`{prefix}` can be null here");
                let help = match prefix.as_str() {
                    "event.after" => {
                        "put a step before this one: `keep: event.op in [\"c\", \"u\", \"r\"]`"
                            .to_owned()
                    }
                    _ => format!("put a step before this one: `keep: {prefix} != null`"),
                };
                self.error("may_be_null", &from.span, message, help);
                return None;
            }
        }
        Some(fields.iter().map(|field| field.name.to_string()).collect())
    }

    fn records(&self, event: &Schema) -> String {
        let records: Vec<String> = event
            .fields(event.root)
            .iter()
            .filter(|field| {
                matches!(
                    event.node(event.strip_null(field.ty).0).kind,
                    Kind::Record(_)
                )
            })
            .map(|field| format!("`event.{}`", field.name))
            .collect();
        if records.is_empty() {
            "write `event`".to_owned()
        } else {
            format!("write `event`, {}", records.join(", "))
        }
    }

    /// The expression that copies a field.
    fn copied(&mut self, from: &Text, name: &str, scope: &mut Scope) -> Option<Compiled> {
        let path = format!("{}.{name}", from.value);
        match crate::expr::compile(&path, &scope.env, &mut scope.wants, &scope.facts) {
            Ok(compiled) => Some(compiled),
            Err(faults) => {
                for fault in scope.own(faults) {
                    let help = format!("set `{name}` under `set`, or list it under `except`");
                    self.error(fault.code, &from.span, fault.message, help);
                }
                None
            }
        }
    }

    /// Names under `set` are fields of the schema.
    fn known_fields(&mut self, map: &MapSpec, schema: &str, fields: &[Field]) -> bool {
        let mut whole = true;
        for (key, _) in &map.set {
            if fields.iter().any(|field| *field.name == *key.value) {
                continue;
            }
            let help = match nearest(&key.value, fields.iter().map(|field| &*field.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add the field to the schema, or remove the line".to_owned(),
            };
            let message = format!("the schema `{schema}` has no field `{}`", key.value);
            self.error("unknown_field", &key.span, message, help);
            whole = false;
        }
        whole
    }

    /// Names under `except` are fields of `from`.
    fn known_exceptions(&mut self, map: &MapSpec, from: &str, names: &[String]) -> bool {
        let mut whole = true;
        for except in &map.except {
            if names.contains(&except.value) {
                continue;
            }
            let help = match nearest(&except.value, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it".to_owned(),
            };
            let message = format!("`{from}` has no field `{}`", except.value);
            self.error("unknown_field", &except.span, message, help);
            whole = false;
        }
        whole
    }

    /// The index of an output schema.
    pub(super) fn output(&mut self, known: crate::topology::plan::SourceSchema) -> u16 {
        let same =
            |output: &OutputSchema| output.name == known.name && output.subject == known.subject;
        let at = self.outputs.iter().position(same).unwrap_or_else(|| {
            self.outputs.push(OutputSchema {
                name: known.name,
                subject: known.subject,
                schema: known.schema,
                is_framed: false,
            });
            self.outputs.len() - 1
        });
        u16::try_from(at).expect("a file of bounded size names fewer than 65 536 schemas")
    }
}

/// What a field is set to: by its name, or by a misspelt one that means it and has had its fault.
fn set_of<'m>(map: &'m MapSpec, fields: &[Field], name: &str) -> Option<&'m Text> {
    let names = || fields.iter().map(|field| &*field.name);
    let is = |key: &str| key == name;
    let means =
        |key: &str| !names().any(|known| known == key) && nearest(key, names()) == Some(name);
    let mut set = map.set.iter();
    let found = set
        .find(|(key, _)| is(&key.value))
        .or_else(|| map.set.iter().find(|(key, _)| means(&key.value)));
    found.map(|(_, text)| text)
}

/// How the bytes of a value become those of a node of the output, where it is read from the event and the encodings allow it.
pub(super) fn copy_of(
    value: &Node,
    schema: &Schema,
    target: NodeId,
    scope: &Scope,
) -> Option<FieldSource> {
    let Some((Source::Value, slot)) = value.as_slot() else {
        return None;
    };
    let reader = &scope.env.event.as_ref()?.schema;
    let (_, node) = follow(reader, &scope.wants.value()[usize::from(slot)].path)?;
    // What becomes null is copied alone: its neighbours' bytes do not know of it.
    let nulled = scope.unavailable == Unavailable::Null
        && reader.strip_null(node).1
        && placeholder::of_value(reader, node).any();
    let copied = match nulled {
        true => FieldSource::Guarded(slot),
        false => FieldSource::Slot(slot),
    };
    codec::copyable(reader, node, schema, target)
        .is_ok()
        .then_some(copied)
}

/// A field that only has its default, as far as expressions can read it.
pub(super) fn default_of(schema: &Arc<Schema>, field: &Field) -> Option<OutField> {
    use serde_json::Value;
    let ty = Type::of(schema, field.ty);
    let value = match (field.default.as_ref()?, ty.non_null()) {
        (Value::Null, _) => Const::Null,
        (Value::Bool(value), Type::Bool) => Const::Bool(*value),
        (Value::Number(number), Type::Int) => Const::Int(number.as_i64()?),
        (Value::Number(number), Type::Double) => Const::Double(number.as_f64()?),
        (Value::String(text), Type::String) => Const::Str(text.as_str().into()),
        _ => return None,
    };
    Some(OutField {
        name: field.name.to_string(),
        ty: if matches!(value, Const::Null) {
            Type::Null
        } else {
            ty.non_null().clone()
        },
        binding: Binding::Source(Node::Const(value)),
        parts: None,
    })
}
