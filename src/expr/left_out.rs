//! Columns that Debezium leaves out of an update (unchanged large values), where the topology wants to see it: they are
//! optional values, and can be used only through `hasValue()`, `orValue(…)` and the like.

use super::ast::Span;
use super::check::{Checker, Typed};
use super::{Const, Envelope, ExprFault, Node, Type};

impl Checker<'_> {
    /// Whether a column of the record at this path may be left out.
    pub fn may_be_left_out(&self, row: &str, column: &str) -> bool {
        let Some(event) = &self.env.event else {
            return false;
        };
        let is_row = match event.envelope {
            Envelope::Debezium => matches!(row, "event.before" | "event.after"),
            Envelope::None => row == "event",
        };
        is_row && event.left_out.iter().any(|name| name == column)
    }

    /// A row as a value of its own would carry its columns with it.
    pub fn whole_row(&mut self, path: &str, span: Span) -> Option<()> {
        let Some(event) = &self.env.event else {
            return Some(());
        };
        let is_row = match event.envelope {
            Envelope::Debezium => matches!(path, "event" | "event.before" | "event.after"),
            Envelope::None => path == "event",
        };
        let Some(first) = event.left_out.first().filter(|_| is_row) else {
            return Some(());
        };
        let message = format!("`{path}` as a whole may lack columns, such as `{first}`");
        self.fault(ExprFault::new("left_out", span, message).help("read its columns one by one"))
    }

    /// A column that may be left out has no null to be compared with: it could be there or not.
    pub fn not_left_out(&mut self, of: &Typed) -> Option<()> {
        if !of.may_be_left_out() {
            return Some(());
        }
        let name = of.path.as_deref().unwrap_or("x");
        let message =
            format!("whether `{name}` is null is not known where Debezium has left it out");
        let help = format!(
            "`{name}.hasValue()` tells whether it is there, `has({name})` whether it is there and not null"
        );
        self.fault(ExprFault::new("left_out", of.span, message).help(help))
    }

    /// Such a column, null where it is left out; anything else as it is.
    pub fn or_null(&mut self, of: Typed) -> Option<Typed> {
        let inner = match &of.ty {
            Type::Optional(inner) if of.may_be_left_out() => (**inner).clone(),
            _ => return Some(of),
        };
        let (span, path) = (of.span, of.path.clone());
        let parts = vec![self.node(of)?, Node::Const(Const::Null)];
        Some(Typed {
            path,
            ..Typed::new(
                Node::OptOrValue(parts.into_boxed_slice()),
                inner.nullable(),
                span,
            )
        })
    }
}
