//! Records that are written out: map literals whose value goes into a record of the output. The checker takes the output's
//! type with it into the expression, so that every value is judged where it stands.
//!
//! ```text
//! {"street": a.street, "zip": a.zip}   into a record          ─► a field for each entry
//! x.map(i, {"sku": i.sku})             into an array of them  ─► one for each element
//! c ? {…} : null                       into a union with one  ─► one, and null, a value as any other
//! ```

use std::sync::Arc;

use super::ast::{Ast, AstKind, BinaryOp, FoldKind, Item, Span};
use super::check::{Checker, Typed, article};
use super::path::{closest, listed};
use super::{Const, ExprFault, Facts, Node, Type};
use crate::schema::{Field, Kind, Logical, NodeId, Schema};

/// What a value is written as.
#[derive(Clone, Copy, Debug)]
pub struct Target<'s> {
    /// The output's schema.
    pub schema: &'s Arc<Schema>,
    /// A node of it.
    pub node: NodeId,
}

/// What a value is made of in which records are written out.
#[derive(Clone, Debug)]
pub enum Written {
    /// An expression in which none is.
    Value(Box<Entry>),
    /// A record, by those of its fields that are given, in its order; the node is a map with an entry for each.
    Record(Vec<Given>),
    /// Elements of a list or map, branches of a condition.
    Parts(Vec<Written>),
}

/// A field of a record that is written out.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its index in the record.
    pub field: u32,
    /// Whether its value may be missing, and its default takes the place.
    pub optional: bool,
    /// The type of its value.
    pub ty: Type,
    /// What its value is made of.
    pub written: Written,
}

/// An expression within a value in which records are written out, with what is known where it stands.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its first byte in the text.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// Its place below the field of the output: `.street`, `[].sku`.
    pub place: String,
    /// Its type.
    pub ty: Type,
    /// The checked expression.
    pub node: Node,
    /// What it is written as.
    pub target: NodeId,
    /// The schema's node that it is read from unchanged, unions with null looked through.
    pub source: Option<(Arc<Schema>, NodeId)>,
    /// What is known where it stands.
    pub facts: Facts,
    /// Variables of macros around it.
    pub depth: usize,
}

/// The fields of a record that have been given a value.
struct Named {
    /// Whether each has.
    fields: Vec<bool>,
    /// Whether all keys are known: else nobody can tell what is missing.
    is_whole: bool,
}

impl Written {
    /// That of a whole, from those of its parts; `None` if they have none.
    pub(super) fn joined(parts: impl IntoIterator<Item = Option<Written>>) -> Option<Written> {
        let parts: Vec<Written> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then_some(Written::Parts(parts))
    }

    /// The expressions, in the order in which they are written.
    pub fn entries(&self) -> Vec<&Entry> {
        match self {
            Written::Value(entry) => vec![entry],
            Written::Record(given) => {
                let all = given.iter().flat_map(|given| given.written.entries());
                all.collect()
            }
            Written::Parts(parts) => parts.iter().flat_map(Written::entries).collect(),
        }
    }
}

impl Checker<'_> {
    /// Whether a part comes out as something in which a record is written out, as far as the output has one there.
    pub fn writes_record(&self, ast: &Ast, target: NodeId) -> bool {
        let writes = |part: &Ast, target: Option<NodeId>| {
            target.is_some_and(|target| self.writes_record(part, target))
        };
        match &ast.kind {
            AstKind::Map(entries) => {
                let values = self.values_of(target);
                self.record_of(target).is_some()
                    || entries.iter().any(|(_, item)| writes(&item.ast, values))
            }
            AstKind::List(items) => {
                let target = self.items_of(target);
                items.iter().any(|item| writes(&item.ast, target))
            }
            AstKind::Fold(fold) => match fold.kind {
                FoldKind::Map => writes(&fold.body, self.items_of(target)),
                FoldKind::TransformMap => writes(&fold.body, self.values_of(target)),
                _ => false,
            },
            AstKind::Binary(BinaryOp::Add, a, b) => {
                let target = self.items_of(target).map(|_| target);
                writes(a, target) || writes(b, target)
            }
            AstKind::Cond(_, a, b) => {
                self.writes_record(a, target) || self.writes_record(b, target)
            }
            AstKind::Bind { body, .. }
            | AstKind::OptMap {
                body, flat: false, ..
            } => self.writes_record(body, target),
            AstKind::Call {
                name,
                target: Some(of),
                args,
            } => match &args[..] {
                [other] if name == "orValue" => {
                    let is_made = matches!(of.kind, AstKind::OptMap { .. });
                    is_made && self.writes_record(of, target) || self.writes_record(other, target)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// The record that a map is, where it is written as a node of the output: the node itself, or the one branch of a union
    /// that takes a map.
    pub fn record_of(&self, target: NodeId) -> Option<NodeId> {
        let output = self.output?;
        let is_record = |node: &NodeId| {
            let node = output.node(*node);
            let has_meaning =
                matches!(&node.logical, Some(logical) if !matches!(logical, Logical::Other(_)));
            matches!(node.kind, Kind::Record(_)) && !has_meaning
        };
        let (node, _) = output.strip_null(target);
        match &output.node(node).kind {
            Kind::Union(branches) => {
                let of_map = |node: &&NodeId| {
                    matches!(output.node(**node).kind, Kind::Record(_) | Kind::Map(_))
                };
                let mut takers = branches.iter().filter(of_map);
                match (takers.next(), takers.next()) {
                    (Some(one), None) => Some(*one).filter(is_record),
                    _ => None,
                }
            }
            _ => Some(node).filter(is_record),
        }
    }

    /// What the elements of a list are written as.
    pub fn items_of(&self, target: NodeId) -> Option<NodeId> {
        let output = self.output?;
        match output.node(output.strip_null(target).0).kind {
            Kind::Array(items) => Some(items),
            _ => None,
        }
    }

    /// What the values of a map are written as.
    pub fn values_of(&self, target: NodeId) -> Option<NodeId> {
        let output = self.output?;
        match output.node(output.strip_null(target).0).kind {
            Kind::Map(values) => Some(values),
            _ => None,
        }
    }

    /// Checks a part of what is written for the output, if there is a target.
    pub fn part_of(&mut self, ast: &Ast, target: Option<NodeId>, facts: &Facts) -> Option<Typed> {
        let Some(target) = target else {
            return self.expr(ast, facts);
        };
        if self.writes_record(ast, target) {
            let typed = self.expr_as(ast, Some(target), facts)?;
            return self.there(typed);
        }
        let typed = self.expr(ast, facts)?;
        self.entry(typed, target, facts)
    }

    /// Something in which records are written out, where nothing says what becomes of it if it is missing.
    pub fn there(&mut self, typed: Typed) -> Option<Typed> {
        if !matches!(typed.ty.non_null(), Type::Optional(_)) {
            return Some(typed);
        }
        let message = "this may be missing, and nothing says what is written then";
        let fault = ExprFault::new("type_mismatch", typed.span, message);
        self.fault(fault.help("say what stands for it: `….orValue(null)`, `….orValue({…})`"))
    }

    /// A part that is there only if its optional has a value; its type is that of the value.
    pub fn possible_part(
        &mut self,
        typed: Typed,
        target: Option<NodeId>,
        facts: &Facts,
    ) -> Option<Typed> {
        match target {
            Some(target) if typed.written.is_none() => self.entry(typed, target, facts),
            _ => Some(typed),
        }
    }

    /// An expression that is written as it is. As a part of the whole it has the type of what it is written as, whatever its
    /// own: that it fits is asked of the entry.
    fn entry(&mut self, typed: Typed, target: NodeId, facts: &Facts) -> Option<Typed> {
        let (span, ty) = (typed.span, typed.ty.clone());
        let node = self.node(typed)?;
        let made = match &ty {
            Type::Null | Type::Never => ty.clone(),
            Type::Nullable(_) => self.made(target).nullable(),
            _ => self.made(target),
        };
        let value = match &node {
            Node::OptNonNull(of) => of,
            node => node,
        };
        let entry = Entry {
            start: span.0,
            end: span.1,
            place: self.place.clone(),
            ty,
            node: value.clone(),
            target,
            source: self.source(value, facts),
            facts: facts.clone(),
            depth: self.locals.len(),
        };
        Some(Typed {
            written: Some(Written::Value(Box::new(entry))),
            ..Typed::new(node, made, span)
        })
    }

    /// The type of what is written for a node of the output.
    fn made(&self, target: NodeId) -> Type {
        let Some(output) = self.output else {
            return Type::Dyn;
        };
        let (node, _) = output.strip_null(target);
        match output.node(node).kind {
            Kind::Array(items) => Type::List(Box::new(self.made(items))),
            Kind::Map(values) => Type::Map(Box::new(Type::String), Box::new(self.made(values))),
            _ => Type::Made(output.clone(), node),
        }
    }

    /// The schema's node that a value is read from unchanged.
    fn source(&self, node: &Node, facts: &Facts) -> Option<(Arc<Schema>, NodeId)> {
        match node {
            Node::Local(up) => {
                let depth = self.locals.len().checked_sub(usize::from(*up) + 1)?;
                match self.locals[depth].ty.non_null() {
                    Type::Record(schema, node) => Some((schema.clone(), *node)),
                    _ => None,
                }
            }
            Node::Field { of, name, .. } => {
                let (schema, record) = self.source(of, facts)?;
                let node = schema.strip_null(schema.field(record, name)?.1.ty).0;
                Some((schema, node))
            }
            node => {
                let scope = self.scope(facts);
                let (schema, node) = scope.part(node)?;
                Some((schema.clone(), node))
            }
        }
    }

    /// A record that is written out; `target` is what it is written as, `record` the record there.
    pub fn record(
        &mut self,
        entries: &[(Ast, Item)],
        target: NodeId,
        record: NodeId,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let output = self.output?;
        let fields = output.fields(record);
        let mut named = Named {
            fields: vec![false; fields.len()],
            is_whole: true,
        };
        let mut all = Vec::with_capacity(entries.len());
        for (key, item) in entries {
            let key = self.expr(key, facts);
            let field = key.and_then(|key| self.named_field(&key, record, &mut named));
            let Some(index) = field else {
                // What is given to a field that is unknown has its own faults.
                self.expr(&item.ast, facts);
                all.push(None);
                continue;
            };
            let field = &fields[index as usize];
            let place = format!(".{}", field.name);
            let value = self.below(&place, |this| this.field(item, field, facts));
            all.push(value.map(|(typed, optional)| (index, typed, optional)));
        }
        self.none_missing(record, &named, span);
        let mut all = all.into_iter().collect::<Option<Vec<_>>>()?;
        // In the record's order, in which it is encoded.
        all.sort_by_key(|(index, ..)| *index);
        let (mut nodes, mut given) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
        for (field, mut typed, optional) in all {
            given.push(Given {
                field,
                optional,
                ty: typed.ty.clone(),
                written: typed.written.take()?,
            });
            let node = self.node(typed)?;
            let name = Const::Str(fields[field as usize].name.clone());
            let node = match optional {
                true => Node::IfPresent(Box::new(node)),
                false => node,
            };
            nodes.push((Node::Const(name), node));
        }
        Some(Typed {
            written: Some(Written::Record(given)),
            ..Typed::new(Node::Map(nodes, true), self.made(target), span)
        })
    }

    /// The value of a field, and whether it may be missing.
    fn field(&mut self, item: &Item, field: &Field, facts: &Facts) -> Option<(Typed, bool)> {
        let output = self.output?;
        let mut typed = self.item(item, Some(field.ty), facts)?;
        if !item.optional || field.default.is_some() {
            return Some((typed, item.optional));
        }
        let is_null = |node: NodeId| output.node(node).kind == Kind::Null;
        let nullable = match &output.node(field.ty).kind {
            Kind::Union(branches) => branches.iter().any(|branch| is_null(*branch)),
            _ => is_null(field.ty),
        };
        if !nullable {
            let message = format!(
                "the field `{}` has no default and cannot be null, and this may be missing",
                field.name
            );
            let fault = ExprFault::new("field_missing", typed.span, message);
            return self.fault(
                fault.help("leave the `?` out, and say what stands for it: `….orValue(…)`"),
            );
        }
        let (ty, span) = (typed.ty.clone().nullable(), typed.span);
        let written = typed.written.take();
        let parts = [self.node(typed)?, Node::Const(Const::Null)];
        let node = Node::OptOrValue(Box::new(parts));
        Some((
            Typed {
                written,
                ..Typed::new(node, ty, span)
            },
            false,
        ))
    }

    /// The index of the field that a key names.
    fn named_field(&mut self, key: &Typed, record: NodeId, named: &mut Named) -> Option<u32> {
        let output = self.output?;
        let Some(Const::Str(name)) = key.constant() else {
            named.is_whole = false;
            let message = format!(
                "the key of a record that is written out is a constant text, this is {}",
                article(&key.ty)
            );
            let fault = ExprFault::new("type_mismatch", key.span, message);
            return self.fault(fault.help("write the names of its fields: `{\"id\": …}`"));
        };
        if let Some((index, _)) = output.field(record, name) {
            if std::mem::replace(&mut named.fields[index as usize], true) {
                let message = format!("the field `{name}` is given twice");
                let fault = ExprFault::new("duplicate_key", key.span, message);
                return self.fault(fault.help("keep one of the two"));
            }
            return Some(index);
        }
        let known = output.node(record).name.as_deref().unwrap_or("the record");
        let message = format!("`{known}` has no field `{name}`");
        let fault = ExprFault::new("unknown_field", key.span, message);
        let names: Vec<&str> = output
            .fields(record)
            .iter()
            .map(|field| &*field.name)
            .collect();
        let help = match closest(name, names.iter().copied()) {
            Some(near) => {
                // The one that is meant is not missing as well.
                if let Some((index, _)) = output.field(record, near) {
                    named.fields[index as usize] = true;
                }
                format!("did you mean `{near}`?")
            }
            None => {
                named.is_whole = false;
                format!("it has {}", listed(&names))
            }
        };
        self.fault(fault.help(help))
    }

    /// All fields without a default are given.
    fn none_missing(&mut self, record: NodeId, named: &Named, span: Span) {
        let Some(output) = self.output.filter(|_| named.is_whole) else {
            return;
        };
        let fields = output.fields(record).iter().zip(&named.fields);
        let missing: Vec<&str> = fields
            .filter(|(field, is_named)| !**is_named && field.default.is_none())
            .map(|(field, _)| &*field.name)
            .collect();
        let Some(first) = missing.first() else { return };
        let known = output.node(record).name.as_deref().unwrap_or("the record");
        let (what, gets) = match missing.len() {
            1 => ("field", "gets"),
            _ => ("fields", "get"),
        };
        let message = format!(
            "the {what} {} of `{known}` {gets} no value",
            listed(&missing)
        );
        let help = format!("add `\"{first}\": …`, or give it a default");
        self.fault::<()>(ExprFault::new("field_missing", span, message).help(help));
    }

    /// `of.orValue(other)`, where one of them writes a record out.
    pub fn or_value(
        &mut self,
        of: &Ast,
        other: &Ast,
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let of = Item {
            ast: of.clone(),
            optional: true,
        };
        let of = self.item(&of, target, facts);
        let other = self.part_of(other, target, facts);
        let (mut of, mut other) = (of?, other?);
        let ty = of.ty.join(&other.ty).unwrap_or(Type::Dyn);
        let written = Written::joined([of.written.take(), other.written.take()]);
        let parts = [self.node(of)?, self.node(other)?];
        Some(Typed {
            written,
            ..Typed::new(Node::OptOrValue(Box::new(parts)), ty, span)
        })
    }

    /// Checks something that stands below the present place of the output.
    pub fn below<T>(&mut self, step: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.place.len();
        self.place.push_str(step);
        let checked = check(self);
        self.place.truncate(before);
        checked
    }
}
