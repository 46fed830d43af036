//! Evaluation of a compiled expression for one record. Nothing is allocated but in the record's arena, and there only for
//! values that are built: text, decimals, lists.

use std::cell::Cell;
use std::cmp::Ordering;

use bumpalo::collections::{String as BumpString, Vec as BumpVec};

use super::functions;
use super::node::{Arith, Const, Order, Set};
use super::read::{apply, datum, read};
use super::value::{compare, equal, get, whole};
use super::{Cx, EvalFault, MetaField, Node, Source, View, time};
use crate::codec::decimal::DecimalFault;
use crate::codec::{Decimal, Val};

/// Steps of one evaluation: elements that are looked at, and text in pieces of [`PIECE`]. Bounds the time of macros within
/// macros over long lists.
const STEPS_MAX: usize = 10_000_000;
/// Bytes of text that count as a step.
const PIECE: usize = 64;
/// Bytes that one evaluation may build.
const BUILT_MAX: usize = 16 << 20;

pub(super) type Result<T> = std::result::Result<T, EvalFault>;

/// Evaluates an expression.
///
/// # Errors
/// A reason code out of [`super::Compiled::can_fail`]; `unexpected_null` where a record contradicts what its envelope
/// promises (an operation `c` without `after`).
pub fn eval<'a>(node: &'a Node, cx: &Cx<'a>) -> Result<Val<'a>> {
    match node {
        // The commonest expressions need no budget.
        Node::Const(value) => Ok(value.val()),
        Node::Slot { source, slot, view } => read(cx, *source, *slot, view),
        Node::Reg(at) => register(cx, *at),
        _ => {
            if let Some(is_in) = text_in_set(cx, node) {
                return Ok(Val::Bool(is_in));
            }
            budgeted(cx, |run| run.eval(node))
        }
    }
}

/// Something that is evaluated within a budget of its own.
pub(super) fn budgeted<'a, T>(
    cx: &Cx<'a>,
    evaluate: impl FnOnce(&Run<'_, 'a>) -> Result<T>,
) -> Result<T> {
    let budget = Budget {
        steps: Cell::new(STEPS_MAX),
        bytes: Cell::new(BUILT_MAX),
        arena: cx.bump.allocated_bytes(),
        built: Default::default(),
    };
    evaluate(&Run {
        cx,
        budget: &budget,
        frame: None,
        repeated: false,
    })
}

/// What is left to one evaluation, and what it has built.
struct Budget<'a> {
    steps: Cell<usize>,
    bytes: Cell<usize>,
    /// Bytes of the arena when the evaluation began.
    arena: usize,
    /// Containers of the record, so that a macro does not build one for every element of another.
    built: [Cell<Option<(Source, u16, Val<'a>)>>; 4],
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
    budget: &'c Budget<'a>,
    frame: Option<&'c Frame<'c, 'a>>,
    /// Whether a macro repeats this.
    repeated: bool,
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
                // A chain of conditions is a loop.
                let mut parts = parts;
                loop {
                    let [condition, then, otherwise] = &**parts;
                    match if self.bool(condition)? {
                        then
                    } else {
                        otherwise
                    } {
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
            Node::Field { of, name, view } => match self.eval(of)? {
                Val::Map(fields) => apply(
                    view,
                    get(fields, Val::Str(name)).unwrap_or(Val::Null),
                    self.cx,
                ),
                other => Err(mismatch(&[other])),
            },
            Node::Local(up) => {
                let mut frame = self.frame;
                for _ in 0..*up {
                    frame = frame.and_then(|frame| frame.outer);
                }
                frame.map(|frame| frame.value).ok_or_else(|| mismatch(&[]))
            }
            Node::Meta(field) => self.meta(*field),
            Node::List(nodes) => self.list(nodes),
            Node::Map(nodes) => self.map(nodes),
            Node::Fold(fold) => self.fold(fold),
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

    /// Whether the arena has grown too far. What is built on the way to a value counts, even if the value is small.
    pub(super) fn check_arena(&self) -> Result<()> {
        let built = self.cx.bump.allocated_bytes();
        if built.saturating_sub(self.budget.arena) > 2 * BUILT_MAX {
            return Err(too_large());
        }
        Ok(())
    }

    fn both(&self, operands: &'a [Node; 2]) -> Result<(Val<'a>, Val<'a>)> {
        Ok((self.eval(&operands[0])?, self.eval(&operands[1])?))
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

    #[inline(never)]
    fn compare(&self, order: Order, operands: &'a [Node; 2]) -> Result<Val<'a>> {
        let (a, b) = self.both(operands)?;
        self.look(weight(a).min(weight(b)))?;
        let Some(ordering) = compare(a, b) else {
            let numbers = |val| matches!(val, Val::Double(_) | Val::Int(_) | Val::Uint(_));
            // NaN is not less and not greater than anything.
            return if numbers(a) && numbers(b) {
                Ok(Val::Bool(false))
            } else {
                Err(mismatch(&[a, b]))
            };
        };
        Ok(Val::Bool(match order {
            Order::Less => ordering == Ordering::Less,
            Order::LessOrEqual => ordering != Ordering::Greater,
            Order::Greater => ordering == Ordering::Greater,
            Order::GreaterOrEqual => ordering != Ordering::Less,
        }))
    }

    #[inline(never)]
    fn arith(&self, op: Arith, a: Val<'a>, b: Val<'a>) -> Result<Val<'a>> {
        match (a, b) {
            (Val::Int(a), Val::Int(b)) => int(op, a, b),
            (Val::Uint(a), Val::Uint(b)) => uint(op, a, b),
            (Val::Double(x), Val::Double(y)) => Ok(Val::Double(match op {
                Arith::Add => x + y,
                Arith::Subtract => x - y,
                Arith::Multiply => x * y,
                Arith::Divide => x / y,
                Arith::Remainder => return Err(mismatch(&[a, b])),
            })),
            (Val::Decimal(x), Val::Decimal(y)) => self.decimals(op, *x, *y),
            (Val::Decimal(x), y) if whole(y).is_some() => {
                self.decimals(op, *x, whole(y).unwrap_or(*x))
            }
            (x, Val::Decimal(y)) if whole(x).is_some() => {
                self.decimals(op, whole(x).unwrap_or(*y), *y)
            }
            (Val::Str(a), Val::Str(b)) if op == Arith::Add => self.text(a.len() + b.len(), |out| {
                out.push_str(a);
                out.push_str(b);
            }),
            (Val::Bytes(a), Val::Bytes(b)) if op == Arith::Add => {
                self.spend(a.len() + b.len())?;
                let mut out = BumpVec::with_capacity_in(a.len() + b.len(), self.cx.bump);
                out.extend_from_slice(a);
                out.extend_from_slice(b);
                Ok(Val::Bytes(out.into_bump_slice()))
            }
            (Val::List(a), Val::List(b)) if op == Arith::Add => {
                self.spend((a.len() + b.len()) * size_of::<Val>())?;
                let mut out = BumpVec::with_capacity_in(a.len() + b.len(), self.cx.bump);
                out.extend_from_slice(a);
                out.extend_from_slice(b);
                Ok(Val::List(out.into_bump_slice()))
            }
            _ => times(op, a, b).unwrap_or_else(|| Err(mismatch(&[a, b]))),
        }
    }

    fn decimals(&self, op: Arith, a: Decimal, b: Decimal) -> Result<Val<'a>> {
        match op {
            Arith::Add => self.decimal(a.add(b)),
            Arith::Subtract => self.decimal(a.sub(b)),
            Arith::Multiply => self.decimal(a.mul(b)),
            Arith::Divide | Arith::Remainder => Err(mismatch(&[])),
        }
    }

    /// A decimal in the arena.
    pub fn decimal(&self, value: std::result::Result<Decimal, DecimalFault>) -> Result<Val<'a>> {
        value
            .map(|value| Val::Decimal(self.cx.bump.alloc(value)))
            .map_err(decimal_fault)
    }

    /// A new text of about this many bytes, in the arena.
    pub fn text(&self, bytes: usize, write: impl FnOnce(&mut BumpString<'a>)) -> Result<Val<'a>> {
        self.spend(bytes)?;
        let mut out = BumpString::with_capacity_in(bytes, self.cx.bump);
        write(&mut out);
        Ok(Val::Str(out.into_bump_str()))
    }

    /// Takes bytes out of the budget of this evaluation.
    pub fn spend(&self, bytes: usize) -> Result<()> {
        let left = self
            .budget
            .bytes
            .get()
            .checked_sub(bytes)
            .ok_or_else(too_large)?;
        self.budget.bytes.set(left);
        Ok(())
    }

    /// Takes the steps of looking at a value. Only what macros repeat can be too much: an expression is short, and looks at
    /// each value a bounded number of times.
    #[inline]
    pub fn look(&self, steps: usize) -> Result<()> {
        if self.repeated {
            self.step(steps)
        } else {
            Ok(())
        }
    }

    /// Takes steps out of the budget of this evaluation.
    pub fn step(&self, steps: usize) -> Result<()> {
        let left = self.budget.steps.get().checked_sub(steps).ok_or_else(|| {
            EvalFault::new(
                "expression_limit",
                format!("the expression took more than {STEPS_MAX} steps"),
            )
        })?;
        self.budget.steps.set(left);
        Ok(())
    }

    /// A list, map or record of the record, built once per evaluation.
    #[inline(never)]
    fn container(&self, source: Source, slot: u16, view: &View) -> Result<Val<'a>> {
        let known = self.budget.built.iter().find_map(|cell| match cell.get() {
            Some((s, n, val)) if s == source && n == slot => Some(val),
            _ => None,
        });
        if let Some(val) = known {
            return Ok(val);
        }
        let val = read(self.cx, source, slot, view)?;
        if let Some(free) = self.budget.built.iter().find(|cell| cell.get().is_none()) {
            free.set(Some((source, slot, val)));
        }
        Ok(val)
    }

    #[inline(never)]
    fn meta(&self, field: MetaField) -> Result<Val<'a>> {
        let meta = self.cx.meta;
        Ok(match field {
            MetaField::Topic => Val::Str(meta.topic),
            MetaField::Partition => Val::Int(meta.partition.into()),
            MetaField::Offset => Val::Int(meta.offset),
            MetaField::Timestamp => {
                let time = meta
                    .timestamp_ms
                    .and_then(|ms| time::timestamp_of(ms, 1_000));
                let (seconds, nanos) = time.ok_or_else(|| {
                    EvalFault::new("missing_timestamp", "the record has no timestamp")
                })?;
                Val::Timestamp(seconds, nanos)
            }
            MetaField::KeyBytes => meta.key.map_or(Val::Null, Val::Bytes),
            MetaField::KeyText => match meta.key {
                Some(key) => Val::Str(functions::utf8(key)?),
                None => Val::Null,
            },
            MetaField::Headers => {
                self.spend(meta.headers.len() * 2 * size_of::<Val>())?;
                let mut map = BumpVec::with_capacity_in(meta.headers.len(), self.cx.bump);
                // A name that is not text cannot be asked for.
                for (name, value) in meta.headers {
                    if let Ok(name) = std::str::from_utf8(name) {
                        map.push((Val::Str(name), value.map_or(Val::Null, Val::Bytes)));
                    }
                }
                Val::Map(map.into_bump_slice())
            }
        })
    }
}

/// The name of a value's type.
pub(super) fn type_name(val: Val) -> &'static str {
    match val {
        Val::Null => "null_type",
        Val::Bool(_) => "bool",
        Val::Int(_) => "int",
        Val::Uint(_) => "uint",
        Val::Double(_) => "double",
        Val::Str(_) => "string",
        Val::Bytes(_) => "bytes",
        Val::Decimal(_) => "decimal",
        Val::Timestamp(..) => "google.protobuf.Timestamp",
        Val::Duration(..) => "google.protobuf.Duration",
        Val::List(_) => "list",
        Val::Map(_) => "map",
        Val::Type(_) => "type",
        Val::Optional(_) => "optional_type",
    }
}

pub(super) fn too_large() -> EvalFault {
    EvalFault::new(
        "expression_limit",
        format!("the expression built more than {BUILT_MAX} bytes"),
    )
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

/// The bytes of a text that is read as it stands in the record, or is a constant.
#[inline(always)]
fn text_bytes<'a>(cx: &Cx<'a>, node: &'a Node) -> Option<&'a [u8]> {
    match node {
        Node::Slot {
            source,
            slot,
            view: View::Plain,
        } => {
            let datum = datum(cx, *source)?;
            datum.scan.text_bytes(datum.slots, *slot, datum.bytes)
        }
        Node::Const(Const::Str(text)) => Some(text.as_bytes()),
        _ => None,
    }
}

/// Whether a text of the record is in a set of constants, if that is what is asked.
#[inline(always)]
fn text_in_set<'a>(cx: &Cx<'a>, node: &'a Node) -> Option<bool> {
    match node {
        Node::InSet {
            of,
            set: Set::Texts(all),
        } => Some(all.contains(text_bytes(cx, of)?)),
        _ => None,
    }
}

fn register<'a>(cx: &Cx<'a>, at: u16) -> Result<Val<'a>> {
    cx.regs
        .get(usize::from(at))
        .copied()
        .ok_or_else(|| mismatch(&[Val::Null]))
}

/// What a container has at an index or key, if anything.
pub(super) fn element<'a>(of: Val<'a>, index: Val) -> Result<Option<Val<'a>>> {
    match (of, index) {
        (Val::List(items), index) => {
            let at = match index {
                Val::Int(v) => usize::try_from(v).ok(),
                Val::Uint(v) => usize::try_from(v).ok(),
                Val::Double(v) if v.fract() == 0.0 && v >= 0.0 => Some(v as usize),
                Val::Double(_) => None,
                other => return Err(mismatch(&[other])),
            };
            Ok(at.and_then(|at| items.get(at)).copied())
        }
        (Val::Map(items), key) => Ok(get(items, key)),
        (other, _) => Err(mismatch(&[other])),
    }
}

fn missing(of: Val) -> EvalFault {
    match of {
        Val::List(items) => {
            let message = format!("an index is outside of a list of {} elements", items.len());
            EvalFault::new("index_out_of_range", message)
        }
        _ => EvalFault::new("missing_key", "a map does not have the key"),
    }
}

fn int<'a>(op: Arith, a: i64, b: i64) -> Result<Val<'a>> {
    if b == 0 && matches!(op, Arith::Divide | Arith::Remainder) {
        return Err(division_by_zero());
    }
    let result = match op {
        Arith::Add => a.checked_add(b),
        Arith::Subtract => a.checked_sub(b),
        Arith::Multiply => a.checked_mul(b),
        Arith::Divide => a.checked_div(b),
        Arith::Remainder => a.checked_rem(b),
    };
    result.map(Val::Int).ok_or_else(int_overflow)
}

fn uint<'a>(op: Arith, a: u64, b: u64) -> Result<Val<'a>> {
    if b == 0 && matches!(op, Arith::Divide | Arith::Remainder) {
        return Err(division_by_zero());
    }
    let result = match op {
        Arith::Add => a.checked_add(b),
        Arith::Subtract => a.checked_sub(b),
        Arith::Multiply => a.checked_mul(b),
        Arith::Divide => a.checked_div(b),
        Arith::Remainder => a.checked_rem(b),
    };
    result.map(Val::Uint).ok_or_else(int_overflow)
}

/// Sums and differences of timestamps and durations; `None` if it is neither.
fn times<'a>(op: Arith, a: Val, b: Val) -> Option<Result<Val<'a>>> {
    let nanos = |val| match val {
        Val::Timestamp(seconds, nanos) => Some(time::nanos(seconds, nanos.into())),
        Val::Duration(seconds, nanos) => Some(time::nanos(seconds, nanos.into())),
        _ => None,
    };
    let (x, y) = (nanos(a)?, nanos(b)?);
    let total = match op {
        Arith::Add => x + y,
        Arith::Subtract => x - y,
        _ => return None,
    };
    let instant = |val| matches!(val, Val::Timestamp(..));
    let result = match (op, instant(a), instant(b)) {
        (Arith::Add, true, true) | (Arith::Subtract, false, true) => return None,
        (Arith::Subtract, true, true) | (_, false, false) => {
            time::duration(total).map(|(s, n)| Val::Duration(s, n))
        }
        _ => time::timestamp(total).map(|(s, n)| Val::Timestamp(s, n)),
    };
    Some(result.ok_or_else(|| EvalFault::new("time_range", "a sum of times is out of range")))
}

pub(super) fn int_overflow() -> EvalFault {
    EvalFault::new("int_overflow", "a whole number does not fit 64 bits")
}

fn division_by_zero() -> EvalFault {
    EvalFault::new("division_by_zero", "a number was divided by zero")
}

pub(super) fn decimal_fault(fault: DecimalFault) -> EvalFault {
    EvalFault::new(fault.reason(), fault.to_string())
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
    let bump = bumpalo::Bump::new();
    let meta = super::Meta {
        topic: "",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        headers: &[],
    };
    let cx = Cx {
        value: None,
        key: None,
        regs: &[],
        meta: &meta,
        bump: &bump,
    };
    eval(node, &cx).map(Const::of).transpose()
}
