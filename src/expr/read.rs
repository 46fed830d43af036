//! From slots to values: what a schema's physical values mean.

use bumpalo::collections::Vec as BumpVec;

use super::arith::decimal_fault;
use super::eval::{Result, Run, mismatch};
use super::node::{Const, Set};
use super::texts::Asked;
use super::value::get;
use super::{Cx, Datum, EvalFault, MetaField, Node, Source, View, functions, time};
use crate::codec::{self, Decimal, Val, placeholder};
use crate::schema::Iso;

impl<'a> Run<'_, 'a> {
    /// A list, map or record of the record, built once per evaluation.
    #[inline(never)]
    pub(super) fn container(&self, source: Source, slot: u16, view: &View) -> Result<Val<'a>> {
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
    pub(super) fn meta(&self, field: MetaField) -> Result<Val<'a>> {
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
                let count = meta.headers.len();
                self.spend(count * (2 * size_of::<Val>() + size_of::<usize>()))?;
                let mut order = BumpVec::from_iter_in(0..count, self.cx.bump);
                order.sort_unstable_by_key(|at| (meta.headers[*at].0, *at));
                let mut map = BumpVec::with_capacity_in(count, self.cx.bump);
                for (i, at) in order.iter().enumerate() {
                    let (name, value) = meta.headers[*at];
                    let next = order.get(i + 1).map(|at| meta.headers[*at].0);
                    // A name that is not text cannot be asked for. Of a name that is there again the last counts.
                    if let (Ok(text), true) = (std::str::from_utf8(name), next != Some(name)) {
                        map.push((Val::Str(text), value.map_or(Val::Null, Val::Bytes)));
                    }
                }
                Val::Map(map.into_bump_slice())
            }
        })
    }
}

/// The scanned value or key.
pub(super) fn datum<'c, 'a>(cx: &'c Cx<'a>, source: Source) -> Option<&'c Datum<'a>> {
    match source {
        Source::Value => cx.value.as_ref(),
        Source::Key => cx.key.as_ref(),
    }
}

/// The value of a slot as it stands there; null without a datum.
#[inline]
pub(super) fn plain<'a>(cx: &Cx<'a>, source: Source, slot: u16) -> Val<'a> {
    datum(cx, source).map_or(Val::Null, |datum| {
        datum.scan.get(datum.slots, slot, datum.bytes)
    })
}

/// The value of a slot; null without a datum.
pub(super) fn read<'a>(cx: &Cx<'a>, source: Source, slot: u16, view: &View) -> Result<Val<'a>> {
    if matches!(view, View::Plain) {
        return Ok(plain(cx, source, slot));
    }
    let Some(datum) = datum(cx, source) else {
        return Ok(Val::Null);
    };
    if view.is_built() {
        let built = datum
            .scan
            .materialise(datum.slots, slot, datum.bytes, cx.bump);
        apply(
            view,
            built.map_err(|fault| EvalFault::new(fault.reason, fault.message))?,
            cx,
        )
    } else {
        apply(view, datum.scan.get(datum.slots, slot, datum.bytes), cx)
    }
}

/// Turns a physical value into one of its type.
pub(super) fn apply<'a>(view: &View, val: Val<'a>, cx: &Cx<'a>) -> Result<Val<'a>> {
    let out_of_range = || EvalFault::new("time_range", "a time is outside of the years 1 to 9999");
    Ok(match (view, val) {
        (View::LeftOut(_), val) if placeholder::holds(&val) => Val::Optional(None),
        (View::LeftOut(of), val) => Val::Optional(Some(cx.bump.alloc(apply(of, val, cx)?))),
        (View::Plain | View::Record, val) | (_, val @ Val::Null) => val,
        (View::Timestamp(per_second), Val::Int(v)) => {
            let (seconds, nanos) = time::timestamp_of(v, *per_second).ok_or_else(out_of_range)?;
            Val::Timestamp(seconds, nanos)
        }
        (View::ZonedTimestamp, Val::Str(text)) => {
            let (seconds, nanos) = time::parse_timestamp(text).ok_or_else(|| {
                EvalFault::new("bad_timestamp", "a text is not a timestamp of RFC 3339")
            })?;
            Val::Timestamp(seconds, nanos)
        }
        (View::Iso(iso), Val::Str(text)) => iso_text(*iso, text).ok_or_else(|| {
            EvalFault::new("bad_timestamp", "a text is not a time of ISO 8601 in UTC")
        })?,
        (View::Time(per_second) | View::Interval(per_second), Val::Int(v)) => {
            let (seconds, nanos) = time::duration_of(v, *per_second).ok_or_else(out_of_range)?;
            Val::Duration(seconds, nanos)
        }
        (View::Decimal(scale), Val::Bytes(bytes)) => Val::Decimal(
            cx.bump
                .alloc(Decimal::from_be_bytes(bytes, *scale).map_err(decimal_fault)?),
        ),
        (View::Decimal(_) | View::VariableDecimal, val @ Val::Decimal(_)) => val,
        (View::VariableDecimal, Val::Map(fields)) => {
            match (
                get(fields, Val::Str("scale")),
                get(fields, Val::Str("value")),
            ) {
                (Some(Val::Int(scale)), Some(Val::Bytes(bytes))) => {
                    let decimal = Decimal::from_variable(scale, bytes).map_err(decimal_fault)?;
                    Val::Decimal(cx.bump.alloc(decimal))
                }
                _ => return Err(mismatch(&[Val::Map(fields)])),
            }
        }
        (View::List(item), val @ Val::List(items)) => {
            if item.is_physical() {
                return Ok(val);
            }
            let mut list = BumpVec::with_capacity_in(items.len(), cx.bump);
            for one in items {
                list.push(apply(item, *one, cx)?);
            }
            Val::List(list.into_bump_slice())
        }
        (View::Map(item), val @ Val::Map(items)) => {
            if item.is_physical() {
                return Ok(val);
            }
            let mut map = BumpVec::with_capacity_in(items.len(), cx.bump);
            for (key, one) in items {
                map.push((*key, apply(item, *one, cx)?));
            }
            Val::Map(map.into_bump_slice())
        }
        (_, other) => return Err(mismatch(&[other])),
    })
}

fn iso_text<'a>(iso: Iso, text: &str) -> Option<Val<'a>> {
    Some(match iso {
        Iso::Date => Val::Int(codec::time::parse_date(text.strip_suffix('Z')?)?),
        Iso::Time => {
            let nanos = codec::time::parse_time(text.strip_suffix('Z')?)?;
            let (seconds, nanos) = codec::time::span_from_units(nanos, 1_000_000_000);
            Val::Duration(seconds, nanos)
        }
        Iso::Timestamp => {
            let (seconds, nanos) = time::parse_timestamp(text)?;
            Val::Timestamp(seconds, nanos)
        }
    })
}

/// The bytes of a text that is read as it stands in the record, or is a constant.
#[inline(always)]
pub(super) fn text_bytes<'a>(cx: &Cx<'a>, node: &'a Node) -> Option<&'a [u8]> {
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
pub(super) fn text_in_set<'a>(cx: &Cx<'a>, node: &'a Node) -> Option<bool> {
    match node {
        Node::InSet {
            of,
            set: Set::Texts(all),
        } => Some(all.contains(text_bytes(cx, of)?)),
        _ => None,
    }
}

/// The text that the conditions of a chain ask for, once one of them has.
#[derive(Default)]
pub(super) struct Known<'a> {
    slot: Option<(Source, u16)>,
    asked: Asked<'a>,
}

impl<'a> Known<'a> {
    /// As [`text_in_set`].
    #[inline(always)]
    pub(super) fn text_in_set(&mut self, cx: &Cx<'a>, node: &'a Node) -> Option<bool> {
        let Node::InSet {
            of,
            set: Set::Texts(all),
        } = node
        else {
            return None;
        };
        let Node::Slot { source, slot, .. } = **of else {
            return None;
        };
        if self.slot != Some((source, slot)) {
            self.asked = Asked::new(text_bytes(cx, of)?);
            self.slot = Some((source, slot));
        }
        Some(all.has(&self.asked))
    }
}

pub(super) fn register<'a>(cx: &Cx<'a>, at: u16) -> Result<Val<'a>> {
    cx.regs
        .get(usize::from(at))
        .copied()
        .ok_or_else(|| mismatch(&[Val::Null]))
}
