//! Names and paths: the scopes, fields of records, keys of maps, elements, `has`.

use super::ast::{Ast, AstKind, Span};
use super::check::{Checker, Typed, Value, article};
use super::{Const, ExprFault, Facts, KeyEnv, MetaField, Node, OutField, Source, Type};
use crate::schema::Kind;

pub(super) const SCOPES: [&str; 4] = ["event", "out", "meta", "vars"];
const META: [&str; 6] = [
    "topic",
    "partition",
    "offset",
    "timestamp",
    "key",
    "headers",
];

impl<'e> Checker<'e> {
    pub fn ident(&mut self, name: &str, span: Span, facts: &Facts) -> Option<Typed> {
        if let Some(up) = self.local(name) {
            let depth = self.locals.len() - 1 - up;
            let ty = self.locals[depth].ty.clone();
            let up = u16::try_from(up).expect("macros are nested a few levels deep");
            let path = format!("{name}#{depth}");
            let ty = narrowed(ty, &path, facts);
            return Some(Typed {
                path: Some(path),
                ..Typed::new(Node::Local(up), ty, span)
            });
        }
        if let Some(typed) = self
            .variable(name, span)
            .or_else(|| self.type_named(name, span))
        {
            return Some(typed);
        }
        match name {
            "event" => {
                let Some(event) = &self.env.event else {
                    let fault = ExprFault::new(
                        "no_event",
                        span,
                        "there is no event here, only `meta` and `vars`",
                    );
                    return self
                        .fault(fault.help("a tombstone has a key and no value: read `meta.key`"));
                };
                let (ty, view) = Type::with_view(&event.schema, event.schema.root);
                let value = Value::Path {
                    source: Source::Value,
                    path: Vec::new(),
                    view,
                    optional: false,
                };
                Some(Typed {
                    value,
                    path: Some("event".into()),
                    ..Typed::new(Node::Reg(0), ty, span)
                })
            }
            "out" | "meta" | "vars" => {
                let message = format!("`{name}` is a scope, not a value");
                self.fault(
                    ExprFault::new("bad_name", span, message)
                        .help(format!("read one of its fields: `{name}.…`")),
                )
            }
            _ => {
                let fault = ExprFault::new("unknown_name", span, format!("there is no `{name}`"));
                let help = self.name_help(name);
                self.fault(fault.help(help))
            }
        }
    }

    /// Where a variable of a macro is, counted from the innermost.
    pub fn local(&self, name: &str) -> Option<usize> {
        self.locals
            .iter()
            .rev()
            .position(|local| local.name == name)
    }

    fn name_help(&self, name: &str) -> String {
        let mut paths = Vec::new();
        for prefix in ["event.after", "event"] {
            if self.field_names(prefix).iter().any(|field| field == name) {
                paths.push(format!("{prefix}.{name}"));
            }
        }
        if let Some(out) = &self.env.out
            && out.iter().any(|field| field.name == name)
        {
            paths.insert(0, format!("out.{name}"));
        }
        if META.contains(&name) && paths.is_empty() {
            paths.push(format!("meta.{name}"));
        }
        let locals = self.locals.iter().map(|local| local.name.as_str());
        match (
            paths.first(),
            closest(name, SCOPES.into_iter().chain(locals)),
        ) {
            (Some(path), _) => format!("did you mean `{path}`?"),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => {
                "names begin with `event`, `out`, `meta` or `vars`; text is quoted".into()
            }
        }
    }

    /// Names of the fields under `event` or `event.after`.
    fn field_names(&self, path: &str) -> Vec<String> {
        let Some(event) = &self.env.event else {
            return Vec::new();
        };
        let schema = &event.schema;
        let mut node = schema.strip_null(schema.root).0;
        for name in path.split('.').skip(1) {
            match schema.field(node, name) {
                Some((_, field)) => node = schema.strip_null(field.ty).0,
                None => return Vec::new(),
            }
        }
        match &schema.node(node).kind {
            Kind::Record(fields) => fields.iter().map(|field| field.name.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    pub fn select(&mut self, of: &Ast, field: &str, span: Span, facts: &Facts) -> Option<Typed> {
        if let Some(typed) = self.qualified(of, field, span) {
            return Some(typed);
        }
        if let Some((path, fields)) = self.out_parts(of) {
            return self.out_field(&path, fields, field, span, facts);
        }
        match &of.kind {
            AstKind::Ident(name) if self.local(name).is_none() => match name.as_str() {
                "out" => return self.out(field, span, facts),
                "meta" => return self.meta(field, span, facts),
                "vars" => return self.var(field, span),
                _ => {}
            },
            _ => {}
        }
        let key = self.key(of, field);
        let of = self.expr(of, facts)?;
        self.step(of, field, key, span, facts)
    }

    /// A field of a record, or the value of a key.
    pub fn step(
        &mut self,
        of: Typed,
        field: &str,
        key: Option<String>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        if matches!(of.ty, Type::Optional(_)) {
            return self.optional_field(of, field, span);
        }
        let lenient = self.lenient && matches!(of.value, Value::Path { .. });
        let of = if lenient {
            Typed {
                ty: of.ty.non_null().clone(),
                ..of
            }
        } else {
            self.non_null(of)?
        };
        match &of.ty {
            Type::Record(..) => self.column(of, field, span, facts),
            Type::Map(name, value) if comparable(name, &Type::String) => {
                let ty = (**value).clone();
                let name = Typed::new(Node::Const(Const::Str(field.into())), Type::String, span);
                self.value_of(of, name, ty, key, facts)
            }
            Type::Dyn | Type::Never => {
                let name = Typed::new(Node::Const(Const::Str(field.into())), Type::String, span);
                self.value_of(of, name, Type::Dyn, key, facts)
            }
            other => self.fault(no_fields(other, field, span)),
        }
    }

    /// The value of a key of a map, or of something that is not known to be one; `place` is what facts call it.
    pub fn value_of(
        &mut self,
        of: Typed,
        name: Typed,
        ty: Type,
        place: Option<String>,
        facts: &Facts,
    ) -> Option<Typed> {
        let span = (of.span.0, name.span.1.max(of.span.1));
        if matches!(of.ty, Type::Dyn | Type::Never) {
            self.can_fail.insert("no_such_overload");
        }
        let is_known = place
            .as_deref()
            .is_some_and(|place| facts.is_present(place));
        if !is_known {
            self.can_fail.insert("missing_key");
        }
        let ty = match &place {
            Some(place) => narrowed(ty, place, facts),
            None => ty,
        };
        let node = Node::Index(Box::new([self.node(of)?, self.node(name)?]));
        Some(Typed {
            path: place,
            ..Typed::new(node, ty, span)
        })
    }

    fn out(&mut self, field: &str, span: Span, facts: &Facts) -> Option<Typed> {
        let env = self.env;
        let is_known = env.out.iter().flatten().any(|out| out.name == field);
        if !is_known && env.broken.has(field) {
            return None;
        }
        let Some(out) = &env.out else {
            let fault = ExprFault::new("no_out", span, "there is no mapped event here");
            return self.fault(fault.help("`out` is known after a step with `schema`"));
        };
        self.out_field("out", out, field, span, facts)
    }

    /// The fields of a record that the mapping writes out field by field, and its path.
    pub fn out_parts(&self, of: &Ast) -> Option<(String, &'e [OutField])> {
        let AstKind::Select {
            of: outer,
            field,
            optional: false,
        } = &of.kind
        else {
            return None;
        };
        let (path, fields) = match &outer.kind {
            AstKind::Ident(name) if name == "out" && self.local(name).is_none() => {
                ("out".to_owned(), self.env.out.as_deref()?)
            }
            _ => self.out_parts(outer)?,
        };
        let found = fields.iter().find(|known| known.name == *field)?;
        let parts = found.parts.as_deref()?;
        Some((format!("{path}.{field}"), parts))
    }

    /// A field of the mapped event, or of a record in it.
    fn out_field(
        &mut self,
        path: &str,
        out: &[OutField],
        field: &str,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let Some(found) = out.iter().find(|out| out.name == field) else {
            let of = match path {
                "out" => "the mapped event".to_owned(),
                path => format!("`{path}`"),
            };
            let fault = ExprFault::new(
                "unknown_field",
                span,
                format!("{of} has no field `{field}`"),
            );
            let names: Vec<&str> = out.iter().map(|field| field.name.as_str()).collect();
            let help = match closest(field, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", listed(&names)),
            };
            return self.fault(fault.help(help));
        };
        let path = format!("{path}.{field}");
        self.reads.insert(path.clone());
        let ty = narrowed(found.ty.clone(), &path, facts);
        let value = self.bound(&found.binding);
        Some(Typed {
            value,
            path: Some(path),
            ..Typed::new(Node::Reg(0), ty, span)
        })
    }

    fn meta(&mut self, field: &str, span: Span, facts: &Facts) -> Option<Typed> {
        let path = format!("meta.{field}");
        let (meta, ty) = match field {
            "topic" => (MetaField::Topic, Type::String),
            "partition" => (MetaField::Partition, Type::Int),
            "offset" => (MetaField::Offset, Type::Int),
            "timestamp" => {
                self.can_fail.insert("missing_timestamp");
                (MetaField::Timestamp, Type::Timestamp)
            }
            "headers" => {
                let value = Box::new(Type::Bytes.nullable());
                (MetaField::Headers, Type::Map(Box::new(Type::String), value))
            }
            "key" => match &self.env.key {
                KeyEnv::Bytes => (MetaField::KeyBytes, Type::Bytes.nullable()),
                KeyEnv::String => {
                    self.can_fail.insert("bad_utf8");
                    (MetaField::KeyText, Type::String.nullable())
                }
                KeyEnv::Avro { schema, nullable } => {
                    let (ty, view) = Type::with_view(schema, schema.root);
                    let ty = narrowed(if *nullable { ty.nullable() } else { ty }, &path, facts);
                    let value = Value::Path {
                        source: Source::Key,
                        path: Vec::new(),
                        view,
                        optional: false,
                    };
                    return Some(Typed {
                        value,
                        path: Some(path),
                        ..Typed::new(Node::Reg(0), ty, span)
                    });
                }
            },
            _ => {
                let fault = ExprFault::new(
                    "unknown_field",
                    span,
                    format!("`meta` has no field `{field}`"),
                );
                let help = match closest(field, META) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", listed(&META)),
                };
                return self.fault(fault.help(help));
            }
        };
        self.reads.insert(path.clone());
        let ty = narrowed(ty, &path, facts);
        Some(Typed {
            path: Some(path),
            ..Typed::new(Node::Meta(meta), ty, span)
        })
    }

    fn var(&mut self, field: &str, span: Span) -> Option<Typed> {
        let env = self.env;
        if let Some((_, value)) = env.vars.iter().find(|(name, _)| name == field) {
            return Some(Typed::new(Node::Const(value.clone()), value.ty(), span));
        }
        if env.given.secrets.iter().any(|(name, _)| name == field) {
            let message = format!("`vars.{field}` is a secret, and cannot be read");
            let fault = ExprFault::new("bad_name", span, message);
            return self.fault(fault.help(format!(
                "it is the key of `tokenize(vars.{field}, …)` and `hash.hmac_sha256`"
            )));
        }
        if env.given.broken.iter().any(|name| name == field) {
            return None;
        }
        let fault = ExprFault::new(
            "unknown_field",
            span,
            format!("the topology has no variable `{field}`"),
        );
        let help = match closest(field, env.vars.iter().map(|(name, _)| name.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `vars:`".into(),
        };
        self.fault(fault.help(help))
    }
}

/// The type with what is known about the path.
pub(super) fn narrowed(ty: Type, path: &str, facts: &Facts) -> Type {
    match facts {
        _ if facts.is_non_null(path) => ty.non_null().clone(),
        _ if facts.is_null(path) && ty.is_nullable() => Type::Null,
        _ => ty,
    }
}

/// What is said of a field of a value that has none.
pub(super) fn no_fields(of: &Type, field: &str, span: Span) -> ExprFault {
    if let Type::Made(..) = of {
        let message =
            format!("{of} is only written by the mapping, its `{field}` cannot be read again");
        let fault = ExprFault::new("unknown_field", span, message);
        return fault.help("read what it is made of");
    }
    let message = format!("{} has no fields, so there is no `{field}`", article(of));
    ExprFault::new("unknown_field", span, message)
}

/// Whether values of the two types can be equal.
pub(super) fn comparable(a: &Type, b: &Type) -> bool {
    match (a.non_null(), b.non_null()) {
        (Type::Dyn | Type::Never | Type::Null, _) | (_, Type::Dyn | Type::Never | Type::Null) => {
            true
        }
        (Type::Int | Type::Uint | Type::Double, Type::Int | Type::Uint | Type::Double) => true,
        (Type::Decimal, Type::Int | Type::Uint) | (Type::Int | Type::Uint, Type::Decimal) => true,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => comparable(a, b),
        (Type::Map(k, v), Type::Map(l, w)) => comparable(k, l) && comparable(v, w),
        (Type::Record(..), Type::Record(..)) | (Type::Made(..), _) | (_, Type::Made(..)) => false,
        (a, b) => a == b,
    }
}

/// The name that was meant, if one is near.
pub(super) fn closest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let scored = names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate));
    let (distance, candidate) = scored.min_by_key(|(distance, _)| *distance)?;
    let parts = |name: &str| name.to_ascii_lowercase().replace('_', "");
    let near = distance <= (name.chars().count() / 3).max(1) || parts(name) == parts(candidate);
    near.then_some(candidate)
}

/// Up to a dozen names for a help line.
pub(super) fn listed(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(12)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0 => "no fields".into(),
        1..=12 => shown,
        more => format!("{shown} and {} more", more - 12),
    }
}
