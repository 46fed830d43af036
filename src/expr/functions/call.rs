//! From a call in the text to entries of the table, and from there to a value.

use std::sync::Arc;

use bumpalo::collections::Vec as BumpVec;

use super::super::ast::{Ast, AstKind, Span};
use super::super::check::{Checker, Typed, article};
use super::super::eval::{self, Result, Run, mismatch, weight};
use super::super::path::closest;
use super::super::{ExprFault, Facts, Node, Type};
use super::{Body, Known, Overload, Prepare, Prepared, named, names};
use crate::codec::Val;
use crate::schema::Schema;

/// A checked call.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) target: Target,
    pub(in super::super) args: Vec<Node>,
    /// What was made of a constant argument.
    pub(super) prepared: Option<Prepared>,
    /// What is known of the types of the arguments; empty where nobody asks.
    pub(super) known: Vec<Known>,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    One(&'static Overload),
    /// The types of the values decide, which are known at run time only.
    ByValue(Vec<&'static Overload>),
}

/// Arguments that are not worth a list in the arena.
const FEW: usize = 4;

/// Evaluates a call.
#[inline(never)]
pub(in super::super) fn invoke<'a>(run: &Run<'_, 'a>, call: &'a Call) -> Result<Val<'a>> {
    match &call.args[..] {
        [arg] => apply(run, call, &[run.operand(arg)?]),
        args if args.len() <= FEW => {
            let mut vals = [Val::Null; FEW];
            for (val, node) in vals.iter_mut().zip(args) {
                *val = run.operand(node)?;
            }
            apply(run, call, &vals[..args.len()])
        }
        args => {
            run.spend(size_of_val(args))?;
            let mut vals = BumpVec::with_capacity_in(args.len(), run.cx.bump);
            for node in args {
                vals.push(run.eval(node)?);
            }
            apply(run, call, &vals)
        }
    }
}

fn apply<'a>(run: &Run<'_, 'a>, call: &'a Call, vals: &[Val<'a>]) -> Result<Val<'a>> {
    if run.is_repeated() {
        for val in vals {
            run.look(weight(*val))?;
        }
    }
    let overload = match &call.target {
        Target::One(overload) => overload,
        Target::ByValue(all) => all
            .iter()
            .find(|overload| overload.signature.fits(vals))
            .ok_or_else(|| mismatch(vals))?,
    };
    match &overload.function.body {
        Body::Form => Err(mismatch(vals)),
        Body::Plain(body) => body(run, vals),
        Body::Keyed(body) | Body::With { call: body, .. } => {
            body(run, vals, call.prepared.as_ref())
        }
        // A call of it is a node of its own.
        Body::Built(_) => Err(mismatch(vals)),
    }
}

impl Call {
    /// The function's name, with its namespace.
    pub fn name(&self) -> &'static str {
        match &self.target {
            Target::One(overload) => overload.signature.name,
            Target::ByValue(all) => all.first().map_or("", |overload| overload.signature.name),
        }
    }

    /// A call of one entry, for conversions that the checker inserts.
    pub(in super::super) fn of(overload: &'static Overload, args: Vec<Node>) -> Call {
        Call {
            target: Target::One(overload),
            args,
            prepared: None,
            known: Vec::new(),
        }
    }

    /// A call of an entry with what was made for it.
    pub(super) fn prepared(
        overload: &'static Overload,
        args: Vec<Node>,
        prepared: Prepared,
    ) -> Call {
        Call {
            prepared: Some(prepared),
            ..Call::of(overload, args)
        }
    }

    /// The schema that its value is of, if it reads JSON by one.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        match &self.prepared {
            Some(Prepared::Shape(shape)) => Some(&shape.schema),
            _ => None,
        }
    }

    /// Whether the values that it is given cannot be told from what it gives.
    pub fn redacts(&self) -> bool {
        match &self.target {
            Target::One(overload) => overload.function.redacts,
            Target::ByValue(all) => all.iter().all(|overload| overload.function.redacts),
        }
    }
}

impl Checker<'_> {
    pub fn call(
        &mut self,
        name: &str,
        target: Option<&Ast>,
        args: &[Ast],
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        // `math.greatest(…)`: a namespace looks like a receiver.
        if let Some(AstKind::Ident(space)) = target.map(|target| &target.kind)
            && !self.locals.iter().any(|local| local.name == *space)
        {
            let full = format!("{space}.{name}");
            if let ("json.parse", [text, schema]) = (full.as_str(), args) {
                return self.typed_json(text, schema, span, facts);
            }
            if let [first, ..] = named(&full) {
                if matches!(first.function.body, Body::Keyed(_)) {
                    return self.keyed(&full, args, span, facts);
                }
                return self.called(&full, false, args.iter().collect(), span, facts);
            }
        }
        if name == "dyn" && target.is_none() && args.len() == 1 {
            let typed = self.expr(&args[0], facts)?;
            self.not_lost(&typed.ty, &Type::Dyn, typed.span)?;
            return Some(Typed {
                ty: Type::Dyn,
                span,
                ..typed
            });
        }
        if named(name).is_empty() {
            for arg in args {
                self.expr(arg, facts);
            }
            return self.unknown(name, target, span);
        }
        if let (None, [first, ..]) = (target, named(name)) {
            match first.function.body {
                Body::Form => return self.form(name, args, span, facts),
                Body::Keyed(_) => return self.keyed(name, args, span, facts),
                Body::Plain(_) | Body::With { .. } | Body::Built(_) => {}
            }
        }
        let all = target.into_iter().chain(args).collect();
        self.called(name, target.is_some(), all, span, facts)
    }

    fn called(
        &mut self,
        name: &str,
        member: bool,
        args: Vec<&Ast>,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let all: Vec<_> = args.iter().map(|arg| self.expr(arg, facts)).collect();
        let all = all.into_iter().collect::<Option<Vec<_>>>()?;
        let forms: Vec<&'static Overload> = named(name)
            .iter()
            .filter(|overload| overload.signature.member == member)
            .filter(|overload| overload.signature.takes_count(all.len()))
            .collect();
        let mut typed = Vec::with_capacity(all.len());
        for (at, arg) in all.into_iter().enumerate() {
            let takes_null = forms
                .iter()
                .any(|overload| overload.signature.param(at).takes_null());
            typed.push(if takes_null { arg } else { self.non_null(arg)? });
        }
        let types: Vec<&Type> = typed.iter().map(|typed| &typed.ty).collect();
        let fitting: Vec<(&'static Overload, Type)> = forms
            .into_iter()
            .filter_map(|overload| Some((overload, overload.signature.result(&types)?)))
            .collect();
        let Some((first, ty)) = fitting.first().cloned() else {
            return self.no_overload(name, &types, span);
        };
        let is_open = |overload: &Overload| {
            let open = |(at, ty): (usize, &&Type)| overload.signature.param(at).is_open(ty);
            types.iter().enumerate().any(open)
        };
        if is_open(first) {
            return self.call_by_value(fitting, typed, span);
        }
        let known = typed.iter().map(Typed::known).collect();
        let spans: Vec<Span> = typed.iter().map(|arg| arg.span).collect();
        let mut nodes = Vec::with_capacity(typed.len());
        for arg in typed {
            nodes.push(self.node(arg)?);
        }
        let function = first.function;
        let mut fails = function.fails.to_vec();
        let prepared = self.prepared(first, &nodes, &spans, &mut fails)?;
        if let Some(unfit) = function.fits.and_then(|fits| fits(&nodes)) {
            let at = spans.last().copied().unwrap_or(span);
            let fault = ExprFault::new(unfit.code, at, unfit.message);
            return self.fault(fault.help(unfit.help));
        }
        if let Body::Built(build) = &function.body {
            return Some(self.folded(build(nodes), ty, span, &fails));
        }
        let constant = nodes.iter().all(|node| matches!(node, Node::Const(_)));
        let node = Node::Call(Box::new(Call {
            target: Target::One(first),
            args: nodes,
            prepared,
            known,
        }));
        if constant
            && function.converts
            && let Some(Err(fault)) = eval::constant(&node)
        {
            let message = format!("this can never be: {}", fault.message);
            return self.fault(ExprFault::new("bad_constant", span, message));
        }
        Some(self.folded(node, ty, span, &fails))
    }

    /// What is made of the constant arguments of an entry, and the reasons that they rule out; a fault for one that cannot be
    /// used.
    fn prepared(
        &mut self,
        overload: &Overload,
        nodes: &[Node],
        spans: &[Span],
        fails: &mut Vec<&'static str>,
    ) -> Option<Option<Prepared>> {
        let own = match &overload.function.body {
            Body::With { prepare, .. } => Some(prepare),
            _ => None,
        };
        let mut make = |this: &mut Self, prepare: &Prepare| {
            let Some(Node::Const(value)) = nodes.get(prepare.arg) else {
                return Some(None);
            };
            match (prepare.make)(value) {
                Ok(made) => {
                    fails.retain(|reason| !prepare.rules_out.contains(reason));
                    Some(Some(made))
                }
                Err(unfit) => {
                    let fault = ExprFault::new(unfit.code, spans[prepare.arg], unfit.message);
                    this.fault(fault.help(unfit.help))
                }
            }
        };
        for check in overload.function.checks {
            make(self, check)?;
        }
        match own {
            Some(prepare) => make(self, prepare),
            None => Some(None),
        }
    }

    /// A call whose entry is found when its values are known.
    fn call_by_value(
        &mut self,
        fitting: Vec<(&'static Overload, Type)>,
        typed: Vec<Typed>,
        span: Span,
    ) -> Option<Typed> {
        let ty = match &fitting[..] {
            [(_, first), rest @ ..] if rest.iter().all(|(_, ty)| ty == first) => first.clone(),
            _ => Type::Dyn,
        };
        let mut fails = vec!["no_such_overload"];
        for (overload, _) in &fitting {
            fails.extend(overload.function.fails);
        }
        let known = typed.iter().map(Typed::known).collect();
        let spans: Vec<Span> = typed.iter().map(|arg| arg.span).collect();
        let mut args = Vec::with_capacity(typed.len());
        for arg in typed {
            args.push(self.node(arg)?);
        }
        // Where it can be one entry only, its constants are known now.
        let prepared = match fitting[..] {
            [(one, _)] => self.prepared(one, &args, &spans, &mut fails)?,
            _ => None,
        };
        if let [(one, _)] = fitting[..]
            && let Body::Built(build) = &one.function.body
        {
            return Some(self.folded(build(args), ty, span, &fails));
        }
        let node = Node::Call(Box::new(Call {
            target: Target::ByValue(fitting.into_iter().map(|(overload, _)| overload).collect()),
            args,
            prepared,
            known,
        }));
        Some(self.folded(node, ty, span, &fails))
    }

    pub(super) fn no_overload(&mut self, name: &str, types: &[&Type], span: Span) -> Option<Typed> {
        let given: Vec<_> = types.iter().map(|ty| article(ty)).collect();
        let given = match given.is_empty() {
            true => "nothing".into(),
            false => given.join(", "),
        };
        let message = format!("`{name}` cannot be called with {given}");
        let fault = ExprFault::new("no_such_function", span, message);
        let written = named(name).iter().map(|overload| {
            let (call, _) = overload
                .function
                .signature
                .split_once(" -> ")
                .unwrap_or_default();
            format!("`{call}`")
        });
        let written: Vec<_> = written.take(6).collect();
        self.fault(fault.help(format!("it is called as {}", written.join(", "))))
    }

    fn unknown(&mut self, name: &str, target: Option<&Ast>, span: Span) -> Option<Typed> {
        let full = match target.map(|target| &target.kind) {
            Some(AstKind::Ident(space))
                if !matches!(space.as_str(), "event" | "out" | "meta" | "vars")
                    && !self.locals.iter().any(|local| local.name == *space) =>
            {
                format!("{space}.{name}")
            }
            _ => name.to_owned(),
        };
        let message = format!("there is no function `{full}`");
        let fault = ExprFault::new("no_such_function", span, message);
        let macros = ["has", "all", "exists", "exists_one", "map", "filter"];
        // A name behind a namespace is looked for there; a bare one also among the last parts of the full names.
        let near = closest(&full, names())
            .or_else(|| closest(name, names().chain(macros)))
            .or_else(|| names().find(|known| known.rsplit('.').next() == Some(name)));
        let fault = match (meant(name), near) {
            _ if macros.contains(&name) => fault.help(match name {
                "has" => "it is called as `has(path.field)`".into(),
                _ => format!(
                    "it is called as `list.{name}(x, …)`, with the name of a variable first"
                ),
            }),
            (Some(meant), _) => fault.help(format!("did you mean `{meant}`?")),
            (None, Some(near)) => fault.help(format!("did you mean `{near}`?")),
            (None, None) => fault,
        };
        self.fault(fault)
    }
}

/// What people write who come from other languages.
fn meant(name: &str) -> Option<&'static str> {
    Some(match name {
        "toLowerCase" | "lower" | "downcase" | "lowercase" => "lowerAscii",
        "toUpperCase" | "upper" | "upcase" | "uppercase" => "upperAscii",
        "length" | "len" | "count" => "size",
        _ => return None,
    })
}
