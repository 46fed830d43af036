//! Optional values: `a.?b`, `a[?i]`, `optMap`. The functions are in `functions/optional.rs`.

use super::ast::{Ast, Span};
use super::check::{Checker, Local, Typed, Value, article};
use super::functions::{self, Call};
use super::node::Wrap;
use super::path::{comparable, no_fields};
use super::{Const, ExprFault, Facts, Node, Type};
use crate::schema::NodeId;

impl Checker<'_> {
    /// `of.?field`
    pub fn optional_select(
        &mut self,
        of: &Ast,
        field: &str,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        if self.out_parts(of).is_some() {
            let part = self.select(of, field, span, facts)?;
            return self.non_null_or_none(part, span);
        }
        let of = self.expr(of, facts)?;
        self.optional_field(of, field, span)
    }

    /// `of.?field` of a value, and `of.field` of an optional.
    pub fn optional_field(&mut self, of: Typed, field: &str, span: Span) -> Option<Typed> {
        let of = self.possible(of)?;
        match inner(&of.ty) {
            Type::Record(..) => self.optional_column(of, field, span),
            Type::Map(key, _) if !comparable(key, &Type::String) => {
                let message = format!("{} has no fields", article(&of.ty));
                self.fault(ExprFault::new("type_mismatch", of.span, message))
            }
            Type::Map(..) | Type::Dyn | Type::Never => {
                let key = Typed::new(Node::Const(Const::Str(field.into())), Type::String, span);
                self.optional_element(of, key, span)
            }
            other => self.fault(no_fields(other, field, span)),
        }
    }

    /// A field of a record that may be missing, or a field that may be null: present if it is not null.
    fn optional_column(&mut self, of: Typed, field: &str, span: Span) -> Option<Typed> {
        let known = Facts::none();
        let (record, is_optional) = match &of.ty {
            Type::Optional(record) => ((**record).clone(), true),
            other => (other.clone(), false),
        };
        if is_optional && matches!(of.value, Value::Node(_)) {
            // The record is looked into where there is one.
            let place = Typed::new(Node::Local(0), record, of.span);
            let column = self.column(place, field, span, &known)?;
            let ty = Type::Optional(Box::new(column.ty.non_null().clone()));
            let body = self.node(column)?;
            let node = Node::OptMap(Box::new([self.node(of)?, body]), Wrap::NonNull);
            return Some(Typed::new(node, ty, span));
        }
        let column = self.column(Typed { ty: record, ..of }, field, span, &known)?;
        self.non_null_or_none(column, span)
    }

    /// An optional of what may be null.
    fn non_null_or_none(&mut self, typed: Typed, span: Span) -> Option<Typed> {
        let typed = self.or_null(typed)?;
        let ty = Type::Optional(Box::new(typed.ty.non_null().clone()));
        let value = match typed.value {
            Value::Path {
                source, path, view, ..
            } => Value::Path {
                source,
                path,
                view,
                optional: true,
            },
            Value::Node(node) => Value::Node(Node::OptNonNull(Box::new(node))),
        };
        Some(Typed {
            value,
            ty,
            span,
            ..typed
        })
    }

    /// `of.hasValue()` and `of.value()`, which cannot fail where the first was true.
    pub fn presence(
        &mut self,
        name: &str,
        target: &Ast,
        call: &Ast,
        facts: &Facts,
    ) -> Option<Typed> {
        let place = self.place(target).filter(|_| self.env.dialect.checked);
        let Some(place) = place else {
            return self.call(name, Some(target), &[], call.span, facts);
        };
        if name != "value" {
            let typed = self.call(name, Some(target), &[], call.span, facts)?;
            return Some(Typed {
                if_true: Facts::present(&place),
                ..typed
            });
        }
        if !facts.is_present(&place) {
            return self.call(name, Some(target), &[], call.span, facts);
        }
        let of = self.expr(target, facts)?;
        match &of.ty {
            Type::Optional(inner) => {
                let ty = (**inner).clone();
                // What is known of such a column is known of its value.
                let path = of.path.clone().filter(|_| of.may_be_left_out());
                let typed = self.called_on(name, of, ty, call.span)?;
                Some(Typed { path, ..typed })
            }
            _ => self.call(name, Some(target), &[], call.span, facts),
        }
    }

    /// Whether an optional has a value.
    pub fn has_value(&mut self, of: Typed, span: Span) -> Option<Typed> {
        self.called_on("hasValue", of, Type::Bool, span)
    }

    fn called_on(&mut self, name: &str, of: Typed, ty: Type, span: Span) -> Option<Typed> {
        let overload = functions::named(name).first()?;
        let node = Node::Call(Box::new(Call::of(overload, vec![self.node(of)?])));
        Some(Typed::new(node, ty, span))
    }

    /// `of[?key]`, and `of[key]` of an optional.
    pub fn optional_element(&mut self, of: Typed, key: Typed, span: Span) -> Option<Typed> {
        let of = self.possible(of)?;
        let key = self.non_null(key)?;
        let ty = match (inner(&of.ty), &key.ty) {
            (Type::List(item), Type::Int | Type::Uint | Type::Double | Type::Dyn | Type::Never) => {
                (**item).clone()
            }
            (Type::Map(k, value), given) if comparable(k, given) => (**value).clone(),
            (Type::Record(..), Type::String) => {
                let Some(Const::Str(field)) = key.constant().cloned() else {
                    let message = "the name of a field must be a constant";
                    return self.fault(ExprFault::new("type_mismatch", key.span, message));
                };
                return self.optional_column(of, &field, span);
            }
            (Type::Dyn | Type::Never, _) => {
                self.can_fail.insert("no_such_overload");
                Type::Dyn
            }
            (of_ty, key_ty) => {
                let message = format!(
                    "{} has no elements that {} could name",
                    article(of_ty),
                    article(key_ty)
                );
                return self.fault(ExprFault::new("type_mismatch", span, message));
            }
        };
        if matches!(key.ty, Type::Dyn | Type::Never | Type::Double) {
            self.can_fail.insert("no_such_overload");
        }
        let node = Node::OptIndex(Box::new([self.node(of)?, self.node(key)?]));
        Some(Typed::new(node, Type::Optional(Box::new(ty)), span))
    }

    /// `of.optMap(var, body)`, `of.optFlatMap(var, body)`
    #[allow(clippy::too_many_arguments)]
    pub fn opt_map(
        &mut self,
        of: &Ast,
        var: &str,
        body: &Ast,
        flat: bool,
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let of = self.expr(of, facts)?;
        let of = self.non_null(of)?;
        let item = match &of.ty {
            Type::Optional(inner) => (**inner).clone(),
            Type::Dyn | Type::Never => {
                self.can_fail.insert("no_such_overload");
                Type::Dyn
            }
            other => {
                let message = format!(
                    "an optional value is needed here, this is {}",
                    article(other)
                );
                return self.fault(ExprFault::new("type_mismatch", of.span, message));
            }
        };
        self.free_name(var, span)?;
        self.locals.push(Local::new(var, item));
        let body = self.part_of(body, target, facts);
        self.locals.pop();
        let mut body = body?;
        let written = body.written.take();
        let (wrap, ty) = match (flat, &body.ty) {
            (false, ty) => (Wrap::Value, Type::Optional(Box::new(ty.clone()))),
            (true, Type::Optional(_)) => (Wrap::Flat, body.ty.clone()),
            (true, Type::Dyn | Type::Never) => {
                self.can_fail.insert("no_such_overload");
                (Wrap::Flat, Type::Optional(Box::new(Type::Dyn)))
            }
            (true, other) => {
                let message = format!(
                    "an optional value is needed here, this is {}",
                    article(other)
                );
                let fault = ExprFault::new("type_mismatch", body.span, message);
                return self.fault(fault.help("`optMap` takes values that are there"));
            }
        };
        let node = Node::OptMap(Box::new([self.node(of)?, self.node(body)?]), wrap);
        Some(Typed {
            written,
            ..Typed::new(node, ty, span)
        })
    }

    /// What is looked into with `?`: a record that may be null counts as one that may be missing.
    fn possible(&mut self, of: Typed) -> Option<Typed> {
        if of.may_be_left_out() {
            let span = of.span;
            return self.non_null_or_none(of, span);
        }
        let (Type::Nullable(inner), span) = (&of.ty, of.span) else {
            return self.non_null(of);
        };
        match (&of.value, &**inner) {
            (Value::Path { .. }, Type::Record(..)) => Some(Typed {
                ty: (**inner).clone(),
                ..of
            }),
            _ => self.non_null_or_none(of, span),
        }
    }
}

/// What an optional holds; other types are what they are.
pub(super) fn inner(ty: &Type) -> &Type {
    match ty {
        Type::Optional(inner) => inner,
        other => other,
    }
}
