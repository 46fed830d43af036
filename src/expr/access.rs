//! Whether something is there, and what is there: `has`, elements and values by their keys.

use super::ast::{Ast, AstKind, Span};
use super::check::{Checker, Typed, article};
use super::path::{SCOPES, comparable};
use super::{Const, ExprFault, Facts, Node, Type};

impl Checker<'_> {
    /// `has(of.field)`: present and not null. Parents that are null make it false.
    pub fn has(&mut self, of: &Ast, field: &str, span: Span, facts: &Facts) -> Option<Typed> {
        let parent = match &of.kind {
            AstKind::Ident(name)
                if SCOPES[1..].contains(&name.as_str()) && self.local(name).is_none() =>
            {
                None
            }
            _ if self.out_parts(of).is_some() => None,
            _ => {
                let outer = std::mem::replace(&mut self.lenient, is_path(of));
                let parent = self.expr(of, facts);
                self.lenient = outer;
                Some(parent?)
            }
        };
        let outer = std::mem::replace(&mut self.lenient, is_path(of));
        let typed = match parent {
            Some(parent) => match &parent.ty {
                Type::Map(key, _) if comparable(key, &Type::String) => {
                    self.lenient = outer;
                    return self.has_key(parent, of, field, span);
                }
                Type::Dyn | Type::Never => {
                    self.lenient = outer;
                    self.can_fail.insert("no_such_overload");
                    return self.has_key(parent, of, field, span);
                }
                Type::Optional(_) => {
                    self.lenient = outer;
                    let found = self.optional_field(parent, field, span)?;
                    return self.has_value(found, span);
                }
                _ => self.step(parent, field, None, span, facts),
            },
            None => self.select(of, field, span, facts),
        };
        self.lenient = outer;
        let typed = typed?;
        let path = typed.path.clone();
        let may_be_left_out = typed.may_be_left_out();
        let typed = self.or_null(typed)?;
        let tested = self.null_test(typed, true, span)?;
        // Where the field is, its parents are.
        let mut if_true = tested.if_true.clone();
        if let (Some(path), true) = (&path, may_be_left_out) {
            if_true = if_true.and(&Facts::present(path));
        }
        let mut rest = path.as_deref().unwrap_or_default();
        while let Some((parent, _)) = rest.rsplit_once('.') {
            if_true = if_true.and(&Facts::non_null(parent));
            rest = parent;
        }
        Some(Typed { if_true, ..tested })
    }

    fn has_key(&mut self, of: Typed, written: &Ast, field: &str, span: Span) -> Option<Typed> {
        let place = self.key(written, field);
        let of = Box::new(self.node(of)?);
        let key = field.into();
        Some(Typed {
            if_true: place.map_or_else(Facts::none, |place| Facts::present(&place)),
            ..Typed::new(Node::HasKey { of, key }, Type::Bool, span)
        })
    }

    /// `of[index]`, or `of[?index]`.
    pub fn index(
        &mut self,
        of: &Ast,
        index: &Ast,
        optional: bool,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let place = match &index.kind {
            AstKind::Literal(Const::Str(key)) => self.key(of, key),
            _ => None,
        };
        let (of, index) = (self.expr(of, facts), self.expr(index, facts));
        let (of, index) = (of?, index?);
        if optional || matches!(of.ty, Type::Optional(_)) {
            return self.optional_element(of, index, span);
        }
        let of = self.non_null(of)?;
        let index = self.non_null(index)?;
        let ty = match (&of.ty, &index.ty) {
            (Type::Record(..), Type::String) => {
                let Some(Const::Str(field)) = index.constant().cloned() else {
                    let message = "the name of a field must be a constant";
                    return self.fault(ExprFault::new("type_mismatch", index.span, message));
                };
                return self.column(of, &field, span, facts);
            }
            (Type::List(item), Type::Int | Type::Uint | Type::Double | Type::Dyn | Type::Never) => {
                self.can_fail.insert("index_out_of_range");
                (**item).clone()
            }
            (Type::Map(key, value), given) if comparable(key, given) => {
                let ty = (**value).clone();
                let typed = self.value_of(of, index, ty, place, facts)?;
                return Some(Typed { span, ..typed });
            }
            (Type::Dyn | Type::Never, _) => {
                self.can_fail.insert("index_out_of_range");
                let typed = self.value_of(of, index, Type::Dyn, place, facts)?;
                return Some(Typed { span, ..typed });
            }
            (of_ty, index_ty) => {
                let message = format!(
                    "{} has no elements that {} could name",
                    article(of_ty),
                    article(index_ty)
                );
                return self.fault(ExprFault::new("type_mismatch", span, message));
            }
        };
        if matches!(index.ty, Type::Dyn | Type::Never) {
            self.can_fail.insert("no_such_overload");
        }
        let node = Node::Index(Box::new([self.node(of)?, self.node(index)?]));
        Some(Typed::new(node, ty, span))
    }
}

/// Names and fields only: nothing in it could be null but its parts.
fn is_path(ast: &Ast) -> bool {
    match &ast.kind {
        AstKind::Ident(_) => true,
        AstKind::Select {
            of,
            optional: false,
            ..
        } => is_path(of),
        _ => false,
    }
}
