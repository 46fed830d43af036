//! What looks like a function and decides which of its arguments are evaluated: `coalesce`, `default`, `try`, `error`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::super::ast::{Ast, Span};
use super::super::check::{Checker, Typed, article};
use super::super::proof::FindingKind;
use super::super::{Const, EvalFault, ExprFault, Facts, Node, Type};
use super::{Family, Function};

pub(super) static FAMILY: Family = Family {
    title: "Null, faults",
    intro: "These evaluate only the arguments that are needed.",
    functions: &[
        Function::form("coalesce(A?, A?...) -> A?")
            .doc("The first value that is not null and not an empty optional; null if there is none. It cannot be null if one of the arguments cannot.")
            .examples(&[("coalesce(null, 'a', 'b')", "'a'")]),
        Function::form("default(A?, A) -> A")
            .doc("The value, or another where it is null.")
            .examples(&[("default(null, 5)", "5")]),
        Function::form("default(optional(A), A) -> A")
            .doc("The value of an optional, or another where it has none.")
            .examples(&[("default([1, 2].first(), 0)", "1"), ("default(regex.extract('a', '[0-9]+'), '0')", "'0'")]),
        Function::form("try(A, A) -> A")
            .doc("The value of an expression, or that of another where it fails. Only a budget that is used up still is a fault.")
            .examples(&[("try(int('x'), -1)", "-1"), ("try(int('7'), -1)", "7")]),
        Function::form("error(string) -> A")
            .doc(
                "No value: the record is dead-lettered with this reason, which is a constant of lower-case letters, digits and `_`. It stands where a \
                 value of any type is needed.",
            )
            .examples(&[("1 > 2 ? error('no_such_thing') : 'fine'", "'fine'"), ("error('out_of_stock')", "fails out_of_stock")]),
    ],
};

impl Checker<'_> {
    /// One of the forms of the family.
    pub fn form(&mut self, name: &str, args: &[Ast], span: Span, facts: &Facts) -> Option<Typed> {
        match (name, args) {
            ("coalesce", [_, _, ..]) => self.first_of(args, span, facts),
            ("default", [_, _]) => self.first_of(args, span, facts),
            ("try", [of, otherwise]) => self.tried(of, otherwise, span, facts),
            ("lookup", [_, _] | [_, _, _]) => self.lookup(args, span, facts),
            ("error", [reason]) => self.error(reason, span, facts),
            _ => {
                let all: Vec<_> = args.iter().map(|arg| self.expr(arg, facts)).collect();
                let all = all.into_iter().collect::<Option<Vec<_>>>()?;
                let types: Vec<&Type> = all.iter().map(|typed| &typed.ty).collect();
                self.no_overload(name, &types, span)
            }
        }
    }

    fn first_of(&mut self, args: &[Ast], span: Span, facts: &Facts) -> Option<Typed> {
        let all: Vec<_> = args.iter().map(|arg| self.expr(arg, facts)).collect();
        let all = all.into_iter().collect::<Option<Vec<_>>>()?;
        let mut ty = Type::Never;
        let mut is_nullable = true;
        for arg in &all {
            let this = match &arg.ty {
                Type::Optional(inner) => (**inner).clone().nullable(),
                other => other.clone(),
            };
            is_nullable &= this.is_nullable();
            let value = match &this {
                Type::Null => &Type::Never,
                other => other.non_null(),
            };
            ty = match ty.join(value) {
                Some(joined) => joined,
                None if ty == Type::Dyn || *value == Type::Dyn => Type::Dyn,
                None => {
                    let message = format!(
                        "the values have different types: {} and {}",
                        article(&ty),
                        article(value)
                    );
                    return self.fault(ExprFault::new("type_mismatch", arg.span, message));
                }
            };
        }
        let mut nodes = Vec::with_capacity(all.len());
        for arg in all {
            self.not_lost(&arg.ty, &ty, arg.span)?;
            nodes.push(self.node(arg)?);
        }
        let ty = match (is_nullable, ty) {
            (true, Type::Never) => Type::Null,
            (true, ty) => ty.nullable(),
            (false, ty) => ty,
        };
        Some(Typed::new(Node::Coalesce(nodes), ty, span))
    }

    fn tried(&mut self, of: &Ast, otherwise: &Ast, span: Span, facts: &Facts) -> Option<Typed> {
        // What the first argument can fail with is handled, and not a failure of the whole, but for the limit.
        let outside = std::mem::take(&mut self.can_fail);
        let failing = std::mem::take(&mut self.failing);
        let found = self.findings.len();
        let of = self.expr(of, facts).and_then(|typed| {
            let (ty, span) = (typed.ty.clone(), typed.span);
            Some(Typed::new(self.node(typed)?, ty, span))
        });
        let mut inside = std::mem::replace(&mut self.can_fail, outside);
        inside.append(&mut std::mem::replace(&mut self.failing, failing));
        let handled = self.findings.split_off(found).into_iter();
        self.findings.extend(handled.filter(|finding| {
            matches!(
                finding.kind,
                FindingKind::Always(_)
                    | FindingKind::CanFail("expression_limit")
                    | FindingKind::AlwaysFails("expression_limit")
            )
        }));
        self.can_fail.extend(
            inside
                .into_iter()
                .filter(|reason| *reason == "expression_limit"),
        );
        let otherwise = self.expr(otherwise, facts);
        let (of, otherwise) = (of?, otherwise?);
        let ty = match of.ty.join(&otherwise.ty) {
            Some(ty) => ty,
            None if of.ty == Type::Dyn || otherwise.ty == Type::Dyn => Type::Dyn,
            None => {
                let message = format!(
                    "the values have different types: {} and {}",
                    article(&of.ty),
                    article(&otherwise.ty)
                );
                return self.fault(ExprFault::new("type_mismatch", span, message));
            }
        };
        for one in [&of, &otherwise] {
            self.not_lost(&one.ty, &ty, one.span)?;
        }
        let parts = Box::new([self.node(of)?, self.node(otherwise)?]);
        Some(Typed::new(Node::Try(parts), ty, span))
    }

    fn error(&mut self, reason: &Ast, span: Span, facts: &Facts) -> Option<Typed> {
        let reason = self.expr(reason, facts)?;
        let place = reason.span;
        let text = match reason.constant() {
            Some(Const::Str(text)) if is_reason(text) => text.clone(),
            _ => {
                let message = "the reason of a dead letter is a constant of up to 64 lower-case letters, digits and `_`";
                let fault = ExprFault::new("bad_constant", place, message);
                return self.fault(fault.help("write `error(\"out_of_stock\")`"));
            }
        };
        let reason = interned(&text);
        self.can_fail.insert(reason);
        let fault = EvalFault::new(reason, "the expression says so, with error(…)");
        Some(Typed::new(Node::Fail(fault), Type::Never, span))
    }
}

fn is_reason(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Reasons live as long as the process: those of topologies are few, and kept once however often they are compiled.
fn interned(reason: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match known.get(reason) {
        Some(reason) => reason,
        None => {
            let kept: &'static str = Box::leak(reason.to_owned().into_boxed_str());
            known.insert(kept);
            kept
        }
    }
}
