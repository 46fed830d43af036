//! Fields of records, and which columns of `event.before` are real.

use super::ast::Span;
use super::check::{Checker, Typed, Value};
use super::path::{closest, listed, narrowed};
use super::{BeforeColumns, Envelope, ExprFault, Facts, Node, Type, View};

impl Checker<'_> {
    /// A field of a record.
    pub fn column(&mut self, of: Typed, field: &str, span: Span, facts: &Facts) -> Option<Typed> {
        let Type::Record(schema, node) = &of.ty else {
            return self.fault(ExprFault::new("unknown_field", span, "this has no fields"));
        };
        let (schema, node) = (schema.clone(), *node);
        let Some((index, found)) = schema.field(node, field) else {
            let names: Vec<&str> = schema
                .fields(node)
                .iter()
                .map(|field| &*field.name)
                .collect();
            let record = schema
                .node(node)
                .name
                .clone()
                .unwrap_or_else(|| "the record".into());
            let fault = ExprFault::new(
                "unknown_field",
                span,
                format!("`{record}` has no field `{field}`"),
            );
            let help = match closest(field, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", listed(&names)),
            };
            return self.fault(fault.help(help));
        };
        let path = of.path.as_ref().map(|path| format!("{path}.{field}"));
        if of.path.as_deref() == Some("event.before") {
            self.real_column(field, span)?;
        }
        let (ty, view) = Type::with_view(&schema, found.ty);
        let ty = match &path {
            Some(path) => narrowed(self.supposed(ty, path), path, facts),
            None => ty,
        };
        let (ty, view) = match &of.path {
            Some(row) if self.may_be_left_out(row, field) => {
                (Type::Optional(Box::new(ty)), View::LeftOut(Box::new(view)))
            }
            _ => (ty, view),
        };
        let value = match of.value {
            Value::Path {
                source,
                path: mut indexes,
                ..
            } => {
                indexes.push(index);
                Value::Path {
                    source,
                    path: indexes,
                    view,
                    optional: false,
                }
            }
            Value::Node(of) => {
                self.view_can_fail(&view);
                Value::Node(Node::Field {
                    of: Box::new(of),
                    name: found.name.clone(),
                    at: index as usize,
                    view,
                })
            }
        };
        Some(Typed {
            value,
            path,
            ..Typed::new(Node::Reg(0), ty, span)
        })
    }

    fn supposed(&self, ty: Type, path: &str) -> Type {
        let mut supposed = self.env.supposed.iter();
        supposed
            .find(|(name, _)| name == path)
            .map_or(ty, |(_, supposed)| supposed.clone())
    }

    /// Whether a column of `event.before` carries the row's value.
    fn real_column(&mut self, field: &str, span: Span) -> Option<()> {
        let Some(event) = &self.env.event else {
            return Some(());
        };
        match &event.before {
            BeforeColumns::Only(columns)
                if event.envelope == Envelope::Debezium
                    && !columns.iter().any(|column| column == field) =>
            {
                let keys = columns.join("`, `");
                let message = format!(
                    "`event.before.{field}` is not real: under replica_identity default only the key columns (`{keys}`) \
                     are, Debezium fills the others with zeros and blanks"
                );
                self.fault(ExprFault::new("before_not_carried", span, message).help(
                    "set the table to `REPLICA IDENTITY FULL` and the source to `replica_identity: full`, or read `event.after`",
                ))
            }
            _ => Some(()),
        }
    }

    /// `event.before` as a whole is real only if all its columns are.
    pub fn whole_before(&mut self, path: &str, span: Span) -> Option<()> {
        match &self.env.event {
            Some(event)
                if path == "event.before"
                    && event.envelope == Envelope::Debezium
                    && event.before != BeforeColumns::All =>
            {
                let message = "`event.before` as a whole is not real: under replica_identity default only its key columns are";
                self.fault(
                    ExprFault::new("before_not_carried", span, message)
                        .help("read its key columns one by one"),
                )
            }
            _ => Some(()),
        }
    }
}
