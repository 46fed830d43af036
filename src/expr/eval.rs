//! Evaluation of a compiled expression for one record. Nothing is allocated but in the record's arena, and there only for
//! values that are built: text, decimals, lists.

use bumpalo::collections::String as BumpString;

pub(super) use super::arith::int_overflow;
use super::budget::{Budget, PIECE};
pub(super) use super::budget::{budgeted, limited};
use super::fold::{element, missing};
use super::functions;
use super::node::{Const, Set};
use super::read::{Known, apply, datum, plain, read, register, text_bytes, text_in_set};
use super::value::{equal, get};
use super::{Cx, EvalFault, Node, View};
use crate::codec::Val;

pub(super) type Result<T> = std::result::Result<T, EvalFault>;

/// Evaluates an expression.
///
/// # Errors
/// A reason code out of [`super::Compiled::can_fail`]; `unexpected_null` where a record contradicts what its envelope
/// promises (an operation `c` without `after`).
pub fn eval<'a>(node: &'a Node, cx: &Cx<'a>) -> Result<Val<'a>> {
    match simple(node, cx) {
        Some(value) => value,
        None => budgeted(cx, |run| run.eval(node)),
    }
}

/// The commonest expressions need no budget.
#[inline]
pub(super) fn simple<'a>(node: &'a Node, cx: &Cx<'a>) -> Option<Result<Val<'a>>> {
    match node {
        Node::Const(value) => Some(Ok(value.val())),
        Node::Slot { source, slot, view } if !view.is_built() => {
            Some(read(cx, *source, *slot, view))
        }
        Node::Reg(at) => Some(register(cx, *at)),
        _ => text_in_set(cx, node).map(|is_in| Ok(Val::Bool(is_in))),
    }
}

/// The variable of a macro, and those around it.
#[derive(Clone, Copy)]
pub(super) struct Frame<'c, 'a> {
    value: Val<'a>,
    outer: Option<&'c Frame<'c, 'a>>,
}

/// One evaluation.
#[derive(Clone, Copy)]
pub(super) struct Run<'c, 'a> {
    pub cx: &'c Cx<'a>,
    pub(super) budget: &'c Budget<'a>,
    frame: Option<&'c Frame<'c, 'a>>,
    /// Whether a macro repeats this.
    pub(super) repeated: bool,
}

impl<'c, 'a> Run<'c, 'a> {
    pub(super) fn new(cx: &'c Cx<'a>, budget: &'c Budget<'a>) -> Run<'c, 'a> {
        Run {
            cx,
            budget,
            frame: None,
            repeated: false,
        }
    }
}

impl<'a> Run<'_, 'a> {
    pub fn eval(&self, node: &'a Node) -> Result<Val<'a>> {
        match node {
            Node::Const(value) => Ok(value.val()),
            Node::Slot { source, slot, view } if view.is_built() => {
                self.container(*source, *slot, view)
            }
            Node::Slot { source, slot, view } => read(self.cx, *source, *slot, view),
            Node::Reg(at) => register(self.cx, *at),
            Node::Equal { operands, negated } => {
                let texts = |at: usize| text_bytes(self.cx, &operands[at]);
                if let (Some(a), Some(b)) = (texts(0), texts(1)) {
                    self.look(a.len().min(b.len()) / PIECE)?;
                    return Ok(Val::Bool((a == b) != *negated));
                }
                let (a, b) = self.both(operands)?;
                self.look(weight(a).min(weight(b)))?;
                Ok(Val::Bool(equal(a, b) != *negated))
            }
            Node::IsNull { of, negated } => Ok(Val::Bool(self.is_null(of)? != *negated)),
            Node::Compare { order, operands } => self.compare(*order, operands),
            Node::InSet { of, set } => {
                let of = self.eval(of)?;
                Ok(Val::Bool(match (set, of) {
                    (Set::Ints(all), Val::Int(v)) => all.binary_search(&v).is_ok(),
                    (Set::Texts(all), Val::Str(v)) => all.contains(v.as_bytes()),
                    _ => false,
                }))
            }
            Node::And(operands) => self.absorbing(operands, false),
            Node::Or(operands) => self.absorbing(operands, true),
            Node::Not(of) => Ok(Val::Bool(!self.bool(of)?)),
            Node::Cond(parts) => {
                // A chain of conditions is a loop. Many ask for the same text again and again.
                let (mut parts, mut known) = (parts, Known::default());
                loop {
                    let [condition, then, otherwise] = &**parts;
                    let holds = match known.text_in_set(self.cx, condition) {
                        Some(is_in) => is_in,
                        None => self.bool(condition)?,
                    };
                    match if holds { then } else { otherwise } {
                        Node::Cond(next) => parts = next,
                        taken => return self.eval(taken),
                    }
                }
            }
            Node::Arith { op, operands } => {
                let (a, b) = self.both(operands)?;
                self.arith(*op, a, b)
            }
            Node::Negate(of) => match self.eval(of)? {
                Val::Int(v) => v.checked_neg().map(Val::Int).ok_or_else(int_overflow),
                Val::Double(v) => Ok(Val::Double(-v)),
                Val::Decimal(v) => self.decimal(v.neg()),
                other => Err(mismatch(&[other])),
            },
            Node::Call(call) => functions::invoke(self, call),
            Node::In(operands) => {
                let (item, all) = self.both(operands)?;
                self.look(weight(all))?;
                match all {
                    Val::List(all) => Ok(Val::Bool(all.iter().any(|one| equal(*one, item)))),
                    Val::Map(all) => Ok(Val::Bool(get(all, item).is_some())),
                    other => Err(mismatch(&[other])),
                }
            }
            Node::Index(operands) => {
                let (of, index) = self.both(operands)?;
                if let Val::Optional(of) = of {
                    return self.possible_element(of, index);
                }
                self.look(weight(of))?;
                element(of, index)?.ok_or_else(|| missing(of))
            }
            Node::HasKey { of, key } => match self.eval(of)? {
                Val::Map(all) => {
                    self.look(all.len())?;
                    Ok(Val::Bool(get(all, Val::Str(key)).is_some()))
                }
                Val::Optional(of) => match self.possible_element(of, Val::Str(key))? {
                    Val::Optional(found) => Ok(Val::Bool(found.is_some())),
                    other => Err(mismatch(&[other])),
                },
                other => Err(mismatch(&[other])),
            },
            Node::Field { of, name, at, view } => match self.operand(of)? {
                Val::Map(fields) => {
                    let value = match fields.get(*at) {
                        Some((Val::Str(key), value)) if is_same(key, name) => *value,
                        _ => get(fields, Val::Str(name)).unwrap_or(Val::Null),
                    };
                    match view {
                        View::Plain | View::Record => Ok(value),
                        view => apply(view, value, self.cx),
                    }
                }
                other => Err(mismatch(&[other])),
            },
            Node::Local(up) => self.local(*up),
            Node::Meta(field) => self.meta(*field),
            Node::List(nodes) => self.list(nodes),
            Node::Map(nodes, differ) => self.map(nodes, *differ),
            Node::Fold(fold) => self.fold(fold),
            Node::Lookup(lookup) => functions::look_up(self, lookup),
            Node::Coalesce(nodes) => self.coalesce(nodes),
            Node::Try(parts) => match self.eval(&parts[0]) {
                Err(fault) if fault.reason != "expression_limit" => self.eval(&parts[1]),
                result => result,
            },
            Node::Bind(parts) => {
                let frame = self.framed(self.eval(&parts[0])?);
                self.within(&frame).eval(&parts[1])
            }
            Node::OptNonNull(_)
            | Node::OptIndex(_)
            | Node::OptMap(..)
            | Node::OptOr(_)
            | Node::OptOrValue(_)
            | Node::IfPresent(_) => self.optional(node),
            Node::Fail(fault) => Err(fault.clone()),
            Node::Watched(of, outcomes) => {
                let value = self.eval(of);
                outcomes.note(&value);
                value
            }
        }
    }

    fn coalesce(&self, nodes: &'a [Node]) -> Result<Val<'a>> {
        for node in nodes {
            match self.eval(node)? {
                Val::Null | Val::Optional(None) | Val::Optional(Some(Val::Null)) => {}
                Val::Optional(Some(val)) => return Ok(*val),
                val => return Ok(val),
            }
        }
        Ok(Val::Null)
    }

    /// A variable with a value, within those that there are.
    pub(super) fn framed(&self, value: Val<'a>) -> Frame<'_, 'a> {
        Frame {
            value,
            outer: self.frame,
        }
    }

    /// The same evaluation, with one more variable.
    pub(super) fn within<'f>(&'f self, frame: &'f Frame<'f, 'a>) -> Run<'f, 'a> {
        Run {
            frame: Some(frame),
            ..*self
        }
    }

    /// The same evaluation, within a macro that repeats it.
    pub(super) fn repeated(&self) -> Run<'_, 'a> {
        Run {
            repeated: true,
            ..*self
        }
    }

    pub(super) fn both(&self, operands: &'a [Node; 2]) -> Result<(Val<'a>, Val<'a>)> {
        Ok((self.operand(&operands[0])?, self.operand(&operands[1])?))
    }

    /// As [`Run::eval`]. Many operands are values that are there already: getting them costs less than a call.
    #[inline(always)]
    pub(super) fn operand(&self, node: &'a Node) -> Result<Val<'a>> {
        match node {
            Node::Slot {
                source,
                slot,
                view: View::Plain,
            } => Ok(plain(self.cx, *source, *slot)),
            Node::Local(up) => self.local(*up),
            node => self.eval(node),
        }
    }

    /// A variable, counted from the innermost.
    #[inline(always)]
    fn local(&self, up: u16) -> Result<Val<'a>> {
        let mut frame = self.frame;
        for _ in 0..up {
            frame = frame.and_then(|frame| frame.outer);
        }
        frame.map(|frame| frame.value).ok_or_else(|| mismatch(&[]))
    }

    /// The presence of a slot is known without its value.
    fn is_null(&self, node: &'a Node) -> Result<bool> {
        match node {
            Node::Slot { source, slot, .. } => {
                Ok(datum(self.cx, *source)
                    .is_none_or(|datum| datum.scan.is_null(datum.slots, *slot)))
            }
            node => Ok(matches!(self.eval(node)?, Val::Null)),
        }
    }

    pub(super) fn bool(&self, node: &'a Node) -> Result<bool> {
        if let Some(is_in) = text_in_set(self.cx, node) {
            return Ok(is_in);
        }
        match self.eval(node)? {
            Val::Bool(value) => Ok(value),
            other => Err(mismatch(&[other])),
        }
    }

    /// CEL's logic: a side that decides makes up for a fault of the other.
    fn absorbing(&self, operands: &'a [Node; 2], decides: bool) -> Result<Val<'a>> {
        match self.bool(&operands[0]) {
            Ok(value) if value == decides => Ok(Val::Bool(decides)),
            Ok(_) => self.bool(&operands[1]).map(Val::Bool),
            Err(fault) => match self.bool(&operands[1]) {
                Ok(value) if value == decides => Ok(Val::Bool(decides)),
                _ => Err(fault),
            },
        }
    }

    /// A new text of about this many bytes, in the arena.
    pub fn text(&self, bytes: usize, write: impl FnOnce(&mut BumpString<'a>)) -> Result<Val<'a>> {
        self.spend(bytes)?;
        let mut out = BumpString::with_capacity_in(bytes, self.cx.bump);
        write(&mut out);
        Ok(Val::Str(out.into_bump_str()))
    }
}

/// Whether two names are the same; those of one schema are the same piece of memory.
#[inline(always)]
fn is_same(a: &str, b: &str) -> bool {
    std::ptr::eq(a, b) || a == b
}

/// The steps that looking at a value takes.
pub(super) fn weight(val: Val) -> usize {
    match val {
        Val::Str(text) => text.len() / PIECE,
        Val::Bytes(bytes) => bytes.len() / PIECE,
        Val::List(items) => items.len(),
        Val::Map(items) => items.len(),
        _ => 0,
    }
}

/// A value of a kind that the operation has no meaning for: null against the envelope's promise, or `dyn`.
pub(super) fn mismatch(vals: &[Val]) -> EvalFault {
    match vals.iter().any(|val| matches!(val, Val::Null)) {
        true => EvalFault::new("unexpected_null", "a value is null where one is needed"),
        false => EvalFault::new(
            "no_such_overload",
            "an operation has no meaning for the types of its values",
        ),
    }
}

/// Evaluates an expression that reads nothing; `None` if it fails or its value is not a constant.
pub(super) fn constant(node: &Node) -> Option<std::result::Result<Const, EvalFault>> {
    without_record(|cx| eval(node, cx).map(Const::of)).transpose()
}

/// Steps of an evaluation that is only tried, while a text is checked.
const TRIED_STEPS_MAX: usize = 100_000;

/// Evaluates an expression that reads nothing, to see whether it fails; the value, if it is a constant.
pub(super) fn tried(node: &Node) -> Result<Option<Const>> {
    without_record(|cx| limited(cx, TRIED_STEPS_MAX, |run| run.eval(node)).map(Const::of))
}

fn without_record<T>(evaluate: impl FnOnce(&Cx<'_>) -> T) -> T {
    let bump = bumpalo::Bump::new();
    evaluate(&Cx::without_record(&super::Meta::default(), &bump))
}
