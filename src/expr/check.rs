//! From syntax tree to typed nodes: names, types, nullability and what conditions prove. Paths are in `path.rs`,
//! operators in `operators.rs`, functions in `calls.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ast::{Ast, AstKind, BinaryOp, Span};
use super::functions::Known;
use super::proof::Finding;
use super::{
    Binding, Compiled, Const, Env, EvalFault, ExprFault, Facts, Node, Source, Target, Type, View,
    Wants, Written, eval,
};
use crate::schema::{NodeId, Schema};

/// Checks a tree and compiles it.
pub(super) fn check(
    ast: &Ast,
    env: &Env,
    wants: &mut Wants,
    facts: &Facts,
    target: Option<Target<'_>>,
) -> Result<Compiled, Vec<ExprFault>> {
    let mut checker = Checker {
        env,
        wants,
        faults: Vec::new(),
        can_fail: BTreeSet::new(),
        failing: BTreeSet::new(),
        findings: Vec::new(),
        nothing: Facts::none(),
        reads: BTreeSet::new(),
        locals: Vec::new(),
        folds: 0,
        doubts: 0,
        lenient: false,
        output: target.map(|target| target.schema),
        place: String::new(),
    };
    let target = target.map(|target| target.node);
    let typed = checker.expr_as(ast, target, facts);
    let typed = typed.and_then(|typed| match typed.written {
        Some(_) => checker.there(typed),
        None => Some(typed),
    });
    let node = typed.and_then(|mut typed| {
        let (ty, if_true, if_false) = (
            typed.ty.clone(),
            typed.if_true.clone(),
            typed.if_false.clone(),
        );
        let written = typed.written.take();
        Some((checker.node(typed)?, ty, if_true, if_false, written))
    });
    let mut can_fail = checker.failing;
    can_fail.append(&mut checker.can_fail);
    if can_fail.contains("no_such_overload") {
        // What is known at run time only may also be null.
        can_fail.insert("unexpected_null");
    }
    match node {
        Some((node, ty, if_true, if_false, written)) if checker.faults.is_empty() => Ok(Compiled {
            node,
            ty: ty.settled(),
            if_true,
            if_false,
            can_fail: can_fail.into_iter().collect(),
            findings: checker.findings,
            reads: checker.reads,
            written,
        }),
        _ => Err(checker.faults),
    }
}

/// A checked part of an expression.
pub(super) struct Typed {
    pub value: Value,
    pub ty: Type,
    pub span: Span,
    /// The name under which facts know the value.
    pub path: Option<String>,
    /// The parts of a list or a map that is written out.
    pub parts: Option<Arc<[Known]>>,
    /// What it is made of, if a record is written out in it for the output.
    pub written: Option<Written>,
    /// What is known where it is true, beyond what was known before.
    pub if_true: Facts,
    /// What is known where it is false.
    pub if_false: Facts,
}

/// Where a value comes from. A path becomes a slot only when its value is used, so that `event.after.id` wants one slot.
pub(super) enum Value {
    Node(Node),
    Path {
        source: Source,
        path: Vec<u32>,
        view: View,
        /// Whether the value is an optional, there if the path is not null.
        optional: bool,
    },
}

/// A variable of a macro.
pub(super) struct Local {
    pub name: String,
    pub ty: Type,
}

impl Local {
    pub fn new(name: &str, ty: Type) -> Local {
        Local {
            name: name.to_owned(),
            ty,
        }
    }
}

pub(super) struct Checker<'e> {
    pub env: &'e Env,
    pub wants: &'e mut Wants,
    pub faults: Vec<ExprFault>,
    /// Reasons of the part that is being checked, its own parts left out.
    pub can_fail: BTreeSet<&'static str>,
    /// Reasons of all parts that have been checked.
    pub failing: BTreeSet<&'static str>,
    pub findings: Vec<Finding>,
    /// What is known where nothing is.
    pub nothing: Facts,
    pub reads: BTreeSet<String>,
    pub locals: Vec<Local>,
    /// Macros over lists and maps around this place.
    pub folds: usize,
    /// Conditions around this place that had faults: what they would have proved is unknown.
    pub doubts: usize,
    /// Inside of `has`: a null parent is an answer, not a fault.
    pub lenient: bool,
    /// The schema that the value is written as, if it is one's.
    pub output: Option<&'e Arc<Schema>>,
    /// The place in the output that is being written, below its field: `.address.street`.
    pub place: String,
}

impl Typed {
    pub fn new(node: Node, ty: Type, span: Span) -> Typed {
        Typed {
            value: Value::Node(node),
            ty,
            span,
            path: None,
            parts: None,
            written: None,
            if_true: Facts::none(),
            if_false: Facts::none(),
        }
    }

    /// What is known of the value by its type and its parts.
    pub fn known(&self) -> Known {
        Known {
            ty: self.ty.clone(),
            parts: self.parts.clone(),
        }
    }

    pub fn constant(&self) -> Option<&Const> {
        match &self.value {
            Value::Node(Node::Const(value)) => Some(value),
            _ => None,
        }
    }

    /// Whether it is a column that Debezium may have left out.
    pub fn may_be_left_out(&self) -> bool {
        let view = match &self.value {
            Value::Path { view, .. } | Value::Node(Node::Slot { view, .. }) => view,
            Value::Node(_) => return false,
        };
        matches!(view, View::LeftOut(_))
    }
}

impl Checker<'_> {
    /// Checks one part; `None` after a fault was noted.
    pub fn expr(&mut self, ast: &Ast, facts: &Facts) -> Option<Typed> {
        self.expr_as(ast, None, facts)
    }

    /// Checks one part, whose value goes into a node of the output, if it is known to.
    pub fn expr_as(&mut self, ast: &Ast, target: Option<NodeId>, facts: &Facts) -> Option<Typed> {
        if !self.env.dialect.checked {
            let typed = self.part(ast, None, facts);
            return self.unchecked(typed, ast.span);
        }
        let target = target.filter(|target| self.writes_record(ast, *target));
        let outer = std::mem::take(&mut self.can_fail);
        let typed = self.part(ast, target, facts);
        let reasons = std::mem::replace(&mut self.can_fail, outer);
        self.settled(ast, typed?, reasons, facts)
    }

    /// Without types: what is wrong fails when it is evaluated.
    fn unchecked(&mut self, typed: Option<Typed>, span: Span) -> Option<Typed> {
        if let Some(typed) = typed {
            return Some(Typed {
                ty: Type::Dyn,
                path: None,
                if_true: Facts::none(),
                if_false: Facts::none(),
                ..typed
            });
        }
        let kept = |fault: &ExprFault| matches!(fault.code, "expr_limit" | "expr_unsupported");
        let fault = self.faults.iter().position(|fault| !kept(fault))?;
        let message = self.faults.swap_remove(fault).message;
        self.faults.retain(kept);
        self.can_fail.insert("no_such_overload");
        let fault = EvalFault::new("no_such_overload", message);
        Some(Typed::new(Node::Fail(fault), Type::Dyn, span))
    }

    /// With a target, the part writes a record out for it.
    fn part(&mut self, ast: &Ast, target: Option<NodeId>, facts: &Facts) -> Option<Typed> {
        let span = ast.span;
        match &ast.kind {
            AstKind::Literal(value) => Some(literal(value, span)),
            AstKind::Ident(name) => self.ident(name, span, facts),
            AstKind::Select {
                of,
                field,
                optional: false,
            } => self.select(of, field, span, facts),
            AstKind::Select { of, field, .. } => self.optional_select(of, field, span, facts),
            AstKind::Has { of, field } => self.has(of, field, span, facts),
            AstKind::Not(of) => self.not(of, span, facts),
            AstKind::And(a, b) => self.and(a, b, span, facts),
            AstKind::Or(a, b) => self.or(a, b, span, facts),
            AstKind::Cond(condition, a, b) => {
                self.conditional(condition, a, b, target, span, facts)
            }
            AstKind::Binary(op, a, b) => self.operands(*op, a, b, target, span, facts),
            AstKind::Negate(of) => self.negate(of, span, facts),
            AstKind::Index {
                of,
                index,
                optional,
            } => self.index(of, index, *optional, span, facts),
            AstKind::List(items) => self.list(items, target, span, facts),
            AstKind::Map(entries) => {
                let record = target.and_then(|target| Some((target, self.record_of(target)?)));
                match record {
                    Some((target, record)) => self.record(entries, target, record, span, facts),
                    None => self.map(entries, target, span, facts),
                }
            }
            AstKind::Call {
                target: Some(of),
                args,
                ..
            } if target.is_some() => self.or_value(of, &args[0], target, span, facts),
            AstKind::Call { name, target, args } => {
                let target = target.as_deref();
                if let (Some(target), []) = (target, &args[..])
                    && matches!(name.as_str(), "hasValue" | "has_value" | "value")
                {
                    return self.presence(name, target, ast, facts);
                }
                self.call(name, target, args, span, facts)
            }
            AstKind::Fold(fold) => self.fold(fold, target, span, facts),
            AstKind::Bind { var, value, body } => self.bind(var, value, body, target, span, facts),
            AstKind::Watched(of, outcomes) => {
                let typed = self.expr(of, facts)?;
                let (ty, path) = (typed.ty.clone(), typed.path.clone());
                let (if_true, if_false) = (typed.if_true.clone(), typed.if_false.clone());
                let node = outcomes.clone().watch(self.node(typed)?);
                Some(Typed {
                    path,
                    if_true,
                    if_false,
                    ..Typed::new(node, ty, span)
                })
            }
            AstKind::OptMap {
                of,
                var,
                body,
                flat,
            } => self.opt_map(of, var, body, *flat, target, span, facts),
        }
    }

    /// Notes a fault.
    pub fn fault<T>(&mut self, fault: ExprFault) -> Option<T> {
        // A fault of a part that is checked twice is told once.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        None
    }

    /// The node of a checked part; a path becomes a slot.
    pub fn node(&mut self, typed: Typed) -> Option<Node> {
        match typed.value {
            Value::Node(node) => Some(node),
            Value::Path {
                source,
                path,
                view,
                optional,
            } => {
                if let Some(path) = &typed.path {
                    self.whole_before(path, typed.span)?;
                    self.whole_row(path, typed.span)?;
                    self.reads.insert(path.clone());
                }
                let slot = Node::Slot {
                    source,
                    slot: self.wants.slot_of(source, &path),
                    view: view.clone(),
                };
                self.note_view(&slot, &view, typed.span);
                Some(match optional {
                    true => Node::OptNonNull(Box::new(slot)),
                    false => slot,
                })
            }
        }
    }

    /// The reasons for which a physical value may not be a value of its type.
    pub fn view_can_fail(&mut self, view: &View) {
        if view.is_built() {
            self.can_fail.insert("avro_limit");
        }
        match view {
            View::Plain | View::Record => {}
            View::Timestamp(_) | View::Time(_) | View::Interval(_) => {
                self.can_fail.insert("time_range");
            }
            View::ZonedTimestamp | View::Iso(_) => {
                self.can_fail.insert("bad_timestamp");
            }
            View::Decimal(_) | View::VariableDecimal => {
                self.can_fail.insert("decimal_overflow");
            }
            View::List(item) | View::Map(item) | View::LeftOut(item) => self.view_can_fail(item),
        }
    }

    /// Checks something behind a condition: what is null is not told where the condition had a fault.
    pub fn behind<T>(
        &mut self,
        condition: Option<&Typed>,
        check: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let doubts = usize::from(condition.is_none());
        self.doubts += doubts;
        let checked = check(self);
        self.doubts -= doubts;
        checked
    }

    /// A part that must be a condition.
    pub fn condition(&mut self, ast: &Ast, facts: &Facts) -> Option<Typed> {
        let mut typed = self.expr(ast, facts)?;
        if matches!(typed.ty, Type::Dyn | Type::Never) {
            self.can_fail.insert("no_such_overload");
            return Some(typed);
        }
        typed = self.non_null(typed)?;
        if typed.ty != Type::Bool {
            let message = format!("a condition is needed here, this is {}", article(&typed.ty));
            return self.fault(ExprFault::new("type_mismatch", typed.span, message));
        }
        Some(typed)
    }

    /// A node over constants becomes a constant, unless it fails; then it, like any other, can fail for these reasons.
    pub fn folded(&mut self, node: Node, ty: Type, span: Span, reasons: &[&'static str]) -> Typed {
        let is_constant = |node: &Node| matches!(node, Node::Const(_));
        let foldable = match &node {
            Node::Call(call) => call.args.iter().all(is_constant),
            Node::Arith { operands, .. }
            | Node::Compare { operands, .. }
            | Node::Equal { operands, .. } => operands.iter().all(is_constant),
            Node::And(operands) | Node::Or(operands) => operands.iter().all(is_constant),
            Node::Negate(of) | Node::Not(of) | Node::IsNull { of, .. } => is_constant(of),
            Node::Cond(parts) => parts.iter().all(is_constant),
            _ => false,
        };
        let value = if foldable {
            eval::constant(&node).and_then(Result::ok)
        } else {
            None
        };
        match value {
            Some(value) => Typed::new(Node::Const(value), ty, span),
            None => {
                self.can_fail.extend(reasons);
                Typed::new(node, ty, span)
            }
        }
    }

    /// What a field of `out` is bound to.
    pub fn bound(&mut self, binding: &Binding) -> Value {
        match binding {
            Binding::Reg(at) => Value::Node(Node::Reg(*at)),
            Binding::Source(Node::Slot { source, slot, view }) => {
                let path = self.wants.path(*source, *slot).to_vec();
                Value::Path {
                    source: *source,
                    path,
                    view: view.clone(),
                    optional: false,
                }
            }
            Binding::Source(node) => Value::Node(node.clone()),
        }
    }

    fn operands(
        &mut self,
        op: BinaryOp,
        a: &Ast,
        b: &Ast,
        target: Option<NodeId>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        // Both sides, so that the faults of both are told.
        let (left, right) = (
            self.part_of(a, target, facts),
            self.part_of(b, target, facts),
        );
        let (mut left, mut right) = (left?, right?);
        if target.is_some() {
            let written = Written::joined([left.written.take(), right.written.take()]);
            let typed = self.arithmetic(op, left, right, span)?;
            return Some(Typed { written, ..typed });
        }
        match op {
            BinaryOp::Eq => self.equality(left, right, false, span),
            BinaryOp::Ne => self.equality(left, right, true, span),
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                self.order(op, left, right, span)
            }
            BinaryOp::In => {
                let place = self.place(b);
                self.contained(left, right, place.as_deref(), span)
            }
            _ => self.arithmetic(op, left, right, span),
        }
    }
}

fn literal(value: &Const, span: Span) -> Typed {
    let mut typed = Typed::new(Node::Const(value.clone()), value.ty(), span);
    match value {
        Const::Bool(true) => typed.if_false = Facts::impossible(),
        Const::Bool(false) => typed.if_true = Facts::impossible(),
        _ => {}
    }
    typed
}

/// The type with its article, for messages.
pub fn article(ty: &Type) -> String {
    let name = ty.to_string();
    match name.as_bytes().first() {
        _ if matches!(ty, Type::Null | Type::Bytes | Type::Dyn) => name,
        Some(b'a' | b'e' | b'i' | b'o') => format!("an {name}"),
        _ => format!("a {name}"),
    }
}
