//! What is noted of each part of an expression once it is checked.

use std::collections::BTreeSet;

use super::{Extent, Finding, FindingKind, LIMITS, Scope, rules};
use crate::expr::ast::{Ast, AstKind, BinaryOp, Span};
use crate::expr::check::{Checker, Typed, Value};
use crate::expr::functions::Fails;
use crate::expr::path::{closest, listed};
use crate::expr::{Const, ExprFault, Facts, Node, Type, View};
use crate::schema::{Kind, Logical};

impl Checker<'_> {
    /// Takes over a checked part: `reasons` are those of the part itself, not of its parts.
    pub fn settled(
        &mut self,
        ast: &Ast,
        typed: Typed,
        reasons: BTreeSet<&'static str>,
        facts: &Facts,
    ) -> Option<Typed> {
        let Value::Node(node) = &typed.value else {
            self.note_reasons(ast, None, &typed, reasons, facts);
            return Some(typed);
        };
        self.note_reasons(ast, Some(node), &typed, reasons, facts);
        if typed.ty != Type::Bool || !is_leaf(ast) {
            return Some(typed);
        }
        self.known_symbols(ast, node)?;
        // What a variable is differs from place to place; nothing is concluded from it.
        if reads_vars(ast) {
            return Some(typed);
        }
        let scope = self.scope(facts);
        let conclude = |truth| match scope.assume(node, truth) {
            Some(values) => Facts::of_values(values),
            None => Facts::impossible(),
        };
        let typed = Typed {
            if_true: typed.if_true.and(&conclude(true)),
            if_false: typed.if_false.and(&conclude(false)),
            ..typed
        };
        if let Some(value) = decided(&typed.if_true, &typed.if_false, facts) {
            self.find(ast.span, FindingKind::Always(value));
        }
        Some(typed)
    }

    pub(in crate::expr) fn scope<'s>(&'s self, facts: &'s Facts) -> Scope<'s> {
        Scope {
            env: self.env,
            wants: self.wants,
            facts,
            depth: self.locals.len(),
        }
    }

    fn find(&mut self, span: Span, kind: FindingKind) {
        let finding = Finding {
            start: span.0,
            end: span.1,
            kind,
        };
        // A part that is checked twice is told of once.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn note_reasons(
        &mut self,
        ast: &Ast,
        node: Option<&Node>,
        typed: &Typed,
        reasons: BTreeSet<&'static str>,
        facts: &Facts,
    ) {
        let outcome = match node {
            Some(node) if !reasons.is_empty() => rules::outcome(node),
            _ => None,
        };
        if let Some(Ok(())) = outcome {
            return;
        }
        for reason in reasons {
            let fails = match (node, &outcome) {
                (_, Some(Err(fault))) if fault.reason == reason => Fails::Always,
                (Some(node), _) => rules::judge(&self.scope(facts), node, &typed.ty, reason),
                (None, _) => Fails::Perhaps,
            };
            if fails == Fails::Never {
                continue;
            }
            self.failing.insert(reason);
            // `error(…)` says itself that it fails.
            let is_meant = matches!(node, Some(Node::Fail(_)));
            let is_sized = matches!(node, Some(Node::Call(call)) if call.is_sized());
            let is_limit = LIMITS.contains(&reason) && !(is_sized && reason == "expression_limit");
            if is_meant || is_limit || facts.is_impossible() {
                continue;
            }
            // What a variable is differs from place to place.
            let always = fails == Fails::Always && !reads_vars(ast);
            // What a part fails with has been told there, and nothing follows from it.
            if self.always_fails_within(ast.span) && (!always || outcome.is_some()) {
                continue;
            }
            if always {
                self.find(ast.span, FindingKind::AlwaysFails(reason));
                continue;
            }
            let is_read = matches!(ast.kind, AstKind::Select { .. } | AstKind::Ident(_));
            let asked = matches!(reason, "missing_key" | "no_such_overload");
            let kind = match reason {
                _ if is_read && !asked => FindingKind::BadData(reason),
                "time_range" if !rules::is_from_number(node) => FindingKind::BadData(reason),
                _ => FindingKind::CanFail(reason),
            };
            self.find(ast.span, kind);
        }
    }

    fn always_fails_within(&self, span: Span) -> bool {
        self.findings.iter().any(|finding| {
            matches!(finding.kind, FindingKind::AlwaysFails(_))
                && span.0 <= finding.start
                && finding.end <= span.1
        })
    }

    /// The reasons for which a value that is read may be none of its type.
    pub fn note_view(&mut self, node: &Node, view: &View, span: Span) {
        let outer = std::mem::take(&mut self.can_fail);
        self.view_can_fail(view);
        for reason in std::mem::replace(&mut self.can_fail, outer) {
            let scope = self.scope(&self.nothing);
            if reason == "decimal_overflow" && scope.extent(node) != Extent::Any {
                continue;
            }
            self.failing.insert(reason);
            if !LIMITS.contains(&reason) {
                self.find(span, FindingKind::BadData(reason));
            }
        }
    }

    /// Texts that are compared with an enum are symbols of it.
    fn known_symbols(&mut self, ast: &Ast, node: &Node) -> Option<()> {
        let AstKind::Binary(op, a, b) = &ast.kind else {
            return Some(());
        };
        let (of, others): (&Node, Vec<(&Ast, Option<&Node>)>) = match (op, node) {
            (BinaryOp::Eq | BinaryOp::Ne, Node::Equal { operands, .. }) => {
                match (self.symbols(&operands[0]), self.symbols(&operands[1])) {
                    (Some(_), _) => (&operands[0], vec![(b, Some(&operands[1]))]),
                    (_, Some(_)) => (&operands[1], vec![(a, Some(&operands[0]))]),
                    _ => return Some(()),
                }
            }
            (BinaryOp::In, Node::InSet { of, .. }) => match &b.kind {
                AstKind::List(items) => (of, items.iter().map(|item| (&item.ast, None)).collect()),
                _ => return Some(()),
            },
            _ => return Some(()),
        };
        let Some((name, symbols)) = self.symbols(of) else {
            return Some(());
        };
        let mut whole = Some(());
        for (ast, node) in others {
            let text = match (&ast.kind, node) {
                (AstKind::Literal(Const::Str(text)), _) => text,
                (_, Some(Node::Const(Const::Str(text)))) => text,
                _ => continue,
            };
            if symbols.iter().any(|symbol| **symbol == **text) {
                continue;
            }
            let known: Vec<&str> = symbols.iter().map(String::as_str).collect();
            let help = match closest(text, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("its symbols are {}", listed(&known)),
            };
            let message = format!("`{name}` is never \"{text}\"");
            whole = self.fault(ExprFault::new("unknown_symbol", ast.span, message).help(help));
        }
        whole
    }

    /// Name and symbols of the enum that a node reads.
    fn symbols(&self, node: &Node) -> Option<(String, Vec<String>)> {
        let Node::Slot { source, slot, .. } = node else {
            return None;
        };
        let nothing = Facts::none();
        let scope = self.scope(&nothing);
        let (schema, at) = scope.place(*source, *slot)?;
        let place = schema.node(at);
        let symbols = match (&place.kind, &place.logical) {
            (Kind::Enum { symbols, .. }, _) => symbols.iter().map(|s| s.to_string()).collect(),
            (Kind::String, Some(Logical::TextEnum { allowed })) => allowed.clone(),
            _ => return None,
        };
        Some((scope.name(*source, *slot)?, symbols))
    }
}

/// The value of a condition that is known under the facts; `None` if it is open, or if nothing gets there anyway.
pub fn decided(if_true: &Facts, if_false: &Facts, facts: &Facts) -> Option<bool> {
    if facts.is_impossible() {
        return None;
    }
    match (
        facts.and(if_true).is_impossible(),
        facts.and(if_false).is_impossible(),
    ) {
        (true, false) => Some(false),
        (false, true) => Some(true),
        _ => None,
    }
}

/// Whether a condition is one question: what its parts prove is not put together here.
fn is_leaf(ast: &Ast) -> bool {
    matches!(
        ast.kind,
        AstKind::Binary(..) | AstKind::Has { .. } | AstKind::Call { .. }
    )
}

/// Whether a variable of the topology is read.
fn reads_vars(ast: &Ast) -> bool {
    match &ast.kind {
        AstKind::Ident(name) => name == "vars",
        kind => kind.parts().into_iter().any(reads_vars),
    }
}
