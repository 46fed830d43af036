//! Null: where it has no meaning, how to guard against it, and what a comparison with it proves.

use super::ast::Span;
use super::check::{Checker, Typed, Value, article};
use super::{ExprFault, Facts, Node, Source, Type};

impl Checker<'_> {
    /// A part that must not be null.
    pub fn non_null(&mut self, typed: Typed) -> Option<Typed> {
        match &typed.ty {
            // A condition that would have guarded it has had its fault.
            Type::Nullable(_) if self.doubts > 0 => None,
            Type::Nullable(_) => {
                let message = match &typed.path {
                    Some(path) => format!("`{}` may be null here", shown(path)),
                    None => format!(
                        "this is {}, and null has no meaning here",
                        article(&typed.ty)
                    ),
                };
                let fault = ExprFault::new("nullable", typed.span, message);
                let help = self.null_help(typed.path.as_deref());
                self.fault(fault.help(help))
            }
            Type::Null => {
                let name = typed
                    .path
                    .as_ref()
                    .map_or_else(|| "this".to_owned(), |path| format!("`{}`", shown(path)));
                self.fault(ExprFault::new(
                    "nullable",
                    typed.span,
                    format!("{name} is always null here"),
                ))
            }
            _ => Some(typed),
        }
    }

    /// How to show that a path is not null.
    pub fn null_help(&self, path: Option<&str>) -> String {
        match path {
            Some("event.after") => {
                "keep only events that have it (`event.op in [\"c\", \"u\", \"r\"]`), or guard with `event.after != null`"
                    .into()
            }
            Some("event.before") => {
                "only deletes are sure to have it (`event.op == \"d\"`); else guard with `event.before != null`".into()
            }
            Some(path) if !path.contains('#') => format!("guard with `{path} != null && …`, or `{path} != null ? {path} : …`"),
            Some(path) => {
                format!("guard with `{} != null && …`", shown(path))
            }
            None => "guard with a comparison to null".into(),
        }
    }

    /// Whether a value is null (or not). Only its presence is read, so `event.before` may be asked.
    pub fn null_test(&mut self, of: Typed, negated: bool, span: Span) -> Option<Typed> {
        self.not_left_out(&of)?;
        let (null, non_null) = match &of.path {
            Some(path) => (Facts::null(path), Facts::non_null(path)),
            None => (Facts::none(), Facts::none()),
        };
        let node = match of.value {
            Value::Node(node) => node,
            Value::Path { optional: true, .. } => self.node(of)?,
            Value::Path {
                source, path, view, ..
            } => {
                self.reads.extend(of.path);
                let slot = match source {
                    Source::Value => self.wants.asked_slot(&path),
                    Source::Key => self.wants.key_slot(&path),
                };
                Node::Slot { source, slot, view }
            }
        };
        let (if_true, if_false) = if negated {
            (non_null, null)
        } else {
            (null, non_null)
        };
        let typed = self.folded(
            Node::IsNull {
                of: Box::new(node),
                negated,
            },
            Type::Bool,
            span,
            &[],
        );
        Some(Typed {
            if_true,
            if_false,
            ..typed
        })
    }
}

/// A path as it is written: without the numbers that tell variables of macros apart.
fn shown(path: &str) -> String {
    let Some((name, rest)) = path.split_once('#') else {
        return path.to_owned();
    };
    format!(
        "{name}{}",
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
    )
}
