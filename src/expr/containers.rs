//! Lists, maps and the macros over them.

use std::collections::BTreeSet;

use super::ast::{Ast, FoldAst, FoldKind, Item, Span};
use super::check::{Checker, Local, Typed, article};
use super::node::Fold;
use super::{ExprFault, Facts, Node, Type, Written};
use crate::schema::NodeId;

/// Macros within macros: each takes stack, in the checker as in the evaluation. What they do is bounded by its steps.
const FOLDS_MAX: usize = 8;

impl Checker<'_> {
    /// A list; with a target one for the output, in which records are written out.
    pub fn list(
        &mut self,
        items: &[Item],
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let target = target.and_then(|target| self.items_of(target));
        let all: Vec<_> = items
            .iter()
            .map(|item| self.below("[]", |this| this.item(item, target, facts)))
            .collect();
        let mut all = all.into_iter().collect::<Option<Vec<_>>>()?;
        let written = Written::joined(all.iter_mut().map(|item| item.written.take()));
        let ty = joined(all.iter().map(|item| &item.ty));
        for item in &all {
            self.not_lost(&item.ty, &ty, item.span)?;
        }
        let parts = all.iter().map(Typed::known).collect();
        let mut nodes = Vec::with_capacity(all.len());
        for (typed, item) in all.into_iter().zip(items) {
            let node = self.node(typed)?;
            nodes.push(if item.optional {
                Node::IfPresent(Box::new(node))
            } else {
                node
            });
        }
        let ty = Type::List(Box::new(ty));
        Some(Typed {
            parts: Some(parts),
            written,
            ..Typed::new(Node::List(nodes), ty, span)
        })
    }

    /// An element or a value, with the type it has in the container.
    pub fn item(&mut self, item: &Item, target: Option<NodeId>, facts: &Facts) -> Option<Typed> {
        if !item.optional {
            return self.part_of(&item.ast, target, facts);
        }
        let typed = self.expr_as(&item.ast, target, facts)?;
        let typed = self.non_null(typed)?;
        let ty = match &typed.ty {
            Type::Optional(inner) => (**inner).clone(),
            Type::Dyn | Type::Never => {
                self.can_fail.insert("no_such_overload");
                Type::Dyn
            }
            other => {
                let message = format!("`?` needs an optional value, this is {}", article(other));
                let fault = ExprFault::new("type_mismatch", typed.span, message);
                return self.fault(fault.help("write `optional.of(…)`, or leave the `?` out"));
            }
        };
        self.possible_part(Typed { ty, ..typed }, target, facts)
    }

    /// A map; with a target one for the output, in whose values records are written out.
    pub fn map(
        &mut self,
        entries: &[(Ast, Item)],
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let target = target.and_then(|target| self.values_of(target));
        let mut all = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.expr(key, facts);
            let value = self.below("{}", |this| this.item(value, target, facts));
            all.push((key, value));
        }
        let mut typed = Vec::with_capacity(all.len());
        for (key, value) in all {
            let (key, value) = (key?, value?);
            if !matches!(
                key.ty,
                Type::Bool | Type::Int | Type::Uint | Type::String | Type::Dyn | Type::Never
            ) {
                let message = format!(
                    "the key of a map is a bool, int, uint or string, this is {}",
                    article(&key.ty)
                );
                return self.fault(ExprFault::new("type_mismatch", key.span, message));
            }
            if matches!(key.ty, Type::Dyn | Type::Never) {
                self.can_fail.insert("no_such_overload");
            }
            typed.push((key, value));
        }
        let values = typed.iter_mut().map(|(_, value)| value.written.take());
        let written = Written::joined(values);
        let key = joined(typed.iter().map(|(key, _)| &key.ty));
        let parts = typed.iter().map(|(_, value)| value.known()).collect();
        let value = joined(typed.iter().map(|(_, value)| &value.ty));
        for (_, one) in &typed {
            self.not_lost(&one.ty, &value, one.span)?;
        }
        let mut nodes = Vec::with_capacity(typed.len());
        for ((key, value), (_, item)) in typed.into_iter().zip(entries) {
            let (key, value) = (self.node(key)?, self.node(value)?);
            nodes.push(match item.optional {
                true => (key, Node::IfPresent(Box::new(value))),
                false => (key, value),
            });
        }
        let keys: BTreeSet<_> = nodes.iter().map(|(key, _)| format!("{key:?}")).collect();
        let is_constant = |(key, _): &(Node, Node)| matches!(key, Node::Const(_));
        let distinct =
            keys.len() == nodes.len() && (nodes.len() < 2 || nodes.iter().all(is_constant));
        let differ = distinct && !matches!(key, Type::Dyn);
        if !differ {
            self.can_fail.insert("duplicate_key");
        }
        let ty = Type::Map(Box::new(key), Box::new(value));
        Some(Typed {
            parts: Some(parts),
            written,
            ..Typed::new(Node::Map(nodes, differ), ty, span)
        })
    }

    /// A macro; with a target one whose elements go into the output, where records are written out in them.
    pub fn fold(
        &mut self,
        fold: &FoldAst,
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let over = self.expr(&fold.over, facts)?;
        let over = self.non_null(over)?;
        let (key, item) = match &over.ty {
            Type::List(item) => (Type::Int, (**item).clone()),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Dyn | Type::Never => {
                self.can_fail.insert("no_such_overload");
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!("a list or a map is needed here, this is {}", article(other));
                return self.fault(ExprFault::new("type_mismatch", over.span, message));
            }
        };
        if self.folds >= FOLDS_MAX {
            let message = format!("more than {FOLDS_MAX} macros within macros");
            return self.fault(ExprFault::new("expr_limit", span, message));
        }
        let mut locals = match (&fold.second, &over.ty) {
            (Some(second), _) => vec![Local::new(&fold.var, key.clone()), Local::new(second, item)],
            (None, Type::Map(..)) => vec![Local::new(&fold.var, key.clone())],
            (None, _) => vec![Local::new(&fold.var, item)],
        };
        for local in &locals {
            self.free_name(&local.name, span)?;
        }
        let count = locals.len();
        let facts = &self.within_fold(&over, fold.second.is_some(), facts);
        self.folds += 1;
        self.locals.append(&mut locals);
        let checked = self.fold_body(fold, target, facts);
        self.locals.truncate(self.locals.len() - count);
        self.folds -= 1;
        let (filter, body, item, written) = checked?;
        let ty = match fold.kind {
            FoldKind::Map => Type::List(Box::new(item)),
            FoldKind::TransformMap => Type::Map(Box::new(key), Box::new(item)),
            FoldKind::TransformMapEntry => item,
            _ => Type::Bool,
        };
        self.can_fail.insert("expression_limit");
        let over = self.node(over)?;
        let node = Node::Fold(Box::new(Fold {
            kind: fold.kind,
            two: fold.second.is_some(),
            over,
            filter,
            body,
        }));
        Some(Typed {
            written,
            ..Typed::new(node, ty, span)
        })
    }

    #[allow(clippy::type_complexity)]
    fn fold_body(
        &mut self,
        fold: &FoldAst,
        target: Option<NodeId>,
        facts: &Facts,
    ) -> Option<(Option<Node>, Node, Type, Option<Written>)> {
        let filter = match &fold.filter {
            Some(filter) => Some(self.condition(filter, facts)?),
            None => None,
        };
        let known = filter
            .as_ref()
            .map_or_else(|| facts.clone(), |filter| facts.and(&filter.if_true));
        let mut body = match fold.kind {
            FoldKind::Map => {
                let target = target.and_then(|target| self.items_of(target));
                self.below("[]", |this| this.part_of(&fold.body, target, &known))?
            }
            FoldKind::TransformMap => {
                let target = target.and_then(|target| self.values_of(target));
                self.below("{}", |this| this.part_of(&fold.body, target, &known))?
            }
            FoldKind::TransformMapEntry => self.entries(&fold.body, &known)?,
            _ => self.condition(&fold.body, &known)?,
        };
        let (ty, written) = (body.ty.clone(), body.written.take());
        let filter = match filter {
            Some(filter) => Some(self.node(filter)?),
            None => None,
        };
        Some((filter, self.node(body)?, ty, written))
    }

    /// The body of `transformMapEntry`: a map.
    fn entries(&mut self, body: &Ast, facts: &Facts) -> Option<Typed> {
        let typed = self.expr(body, facts)?;
        let typed = self.non_null(typed)?;
        self.can_fail.insert("duplicate_key");
        match &typed.ty {
            Type::Map(..) => {}
            Type::Dyn | Type::Never => {
                self.can_fail.insert("no_such_overload");
            }
            other => {
                let message = format!(
                    "a map of one entry is needed here, this is {}",
                    article(other)
                );
                return self.fault(ExprFault::new("type_mismatch", typed.span, message));
            }
        }
        Some(typed)
    }

    /// `cel.bind(var, value, body)`
    #[allow(clippy::too_many_arguments)]
    pub fn bind(
        &mut self,
        var: &str,
        value: &Ast,
        body: &Ast,
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let mut value = self.expr(value, facts)?;
        self.free_name(var, span)?;
        if var.starts_with('@') {
            // What a macro binds is a value that it goes through.
            value = self.non_null(value)?;
        }
        let facts = &self.within_bind(&value, facts);
        self.locals.push(Local::new(var, value.ty.clone()));
        let body = self.part_of(body, target, facts);
        self.locals.pop();
        let mut body = body?;
        let (ty, written) = (body.ty.clone(), body.written.take());
        let parts = Box::new([self.node(value)?, self.node(body)?]);
        Some(Typed {
            written,
            ..Typed::new(Node::Bind(parts), ty, span)
        })
    }

    /// A date or a time of day does not become `dyn`: nothing would tell it from a number or a duration.
    pub fn not_lost(&mut self, from: &Type, to: &Type, span: Span) -> Option<()> {
        if !from.is_lost_in(to) {
            return Some(());
        }
        let message = format!(
            "{} has no type of its own at run time, and would become a plain number or duration as {}",
            article(from),
            article(to)
        );
        let help = "write `string(…)` for its text, or `timestamp(…)` for a date";
        self.fault(ExprFault::new("type_mismatch", span, message).help(help))
    }

    /// Whether a variable may have this name.
    pub fn free_name(&mut self, name: &str, span: Span) -> Option<()> {
        if matches!(name, "event" | "out" | "meta" | "vars") {
            let message = format!("`{name}` is a scope and cannot be the name of a variable");
            return self.fault(ExprFault::new("bad_name", span, message));
        }
        Some(())
    }
}

/// The type of elements; `dyn` where they differ.
fn joined<'t>(types: impl Iterator<Item = &'t Type>) -> Type {
    let mut types = types;
    types
        .try_fold(Type::Never, |joined, ty| joined.join(ty))
        .unwrap_or(Type::Dyn)
}
