//! Which branch of a union a value came in, when its bytes are gone.
//!
//! A value that is built and written again goes into the branch that it looks made for ([`super::encode::Like::rank`]): its own,
//! or one that takes the same value in a wider type. So it may be built only where no two branches hold values that look alike
//! and mean something else; elsewhere bytes are copied, which say their branch.

use std::collections::HashSet;

use super::Val;
use crate::schema::{Field, Kind, Logical, Node, NodeId, Schema};

const NULL: u16 = 1;
const BOOL: u16 = 2;
const NUMBER: u16 = 4;
/// Text and bytes: a field of bytes takes text.
const RUN: u16 = 8;
const LIST: u16 = 16;
/// Maps and records.
const NAMED: u16 = 32;
const DECIMAL: u16 = 64;
const INSTANT: u16 = 128;
const SPAN: u16 = 256;
const ANY: u16 = u16::MAX;

/// A union of the target, written with values of `from`, of which two branches hold values that look alike.
pub(super) fn ambiguous(
    from: &Schema,
    from_node: NodeId,
    to: &Schema,
    to_node: NodeId,
) -> Option<NodeId> {
    let (mut seen, mut open) = (HashSet::new(), vec![(from_node, to_node)]);
    while let Some((f, t)) = open.pop() {
        if !seen.insert((f, t)) {
            continue;
        }
        match (&from.node(f).kind, &to.node(t).kind) {
            (Kind::Union(a), Kind::Union(b)) => {
                let mut rest = b.as_slice();
                while let Some((one, others)) = rest.split_first() {
                    let mut others_left = others.iter();
                    if others_left.any(|other| are_alike((to, *one), (to, *other))) {
                        return Some(t);
                    }
                    rest = others;
                }
                open.extend(a.iter().copied().zip(b.iter().copied()));
            }
            (Kind::Record(a), Kind::Record(b)) => open.extend(b.iter().filter_map(|t| {
                let f = a.iter().find(|f| f.name == t.name)?;
                Some((from.strip_null(f.ty).0, to.strip_null(t.ty).0))
            })),
            (Kind::Array(a), Kind::Array(b)) | (Kind::Map(a), Kind::Map(b)) => {
                open.push((from.strip_null(*a).0, to.strip_null(*b).0));
            }
            _ => {}
        }
    }
    None
}

/// Why a union cannot be written again.
pub(super) fn confused(schema: &Schema, union: NodeId) -> String {
    format!(
        "a value that is built anew does not say which of {} it is; copy the union itself, or into a field of one type",
        schema.describe(union)
    )
}

/// Whether a value of one branch may be taken for one of the other, and would not be the same there.
pub(super) fn are_alike((from, a): (&Schema, NodeId), (to, b): (&Schema, NodeId)) -> bool {
    use Kind::{Bytes, Double, Enum, Fixed, Float, Int, Long, Map, Record, String};
    let (one, other) = (from.node(a), to.node(b));
    let means = has_meaning(one) || has_meaning(other);
    match (&one.kind, &other.kind) {
        (Record(a), Record(b)) => {
            let has_place = |field: &Field| {
                let place = b.iter().find(|other| other.name == field.name);
                place.is_some_and(|place| looks(from, field.ty) & looks(to, place.ty) != 0)
            };
            a.len() == b.len() && a.iter().all(has_place)
        }
        (Record(fields), Map(values)) => all_look(from, fields, looks(to, *values)),
        (Map(values), Record(fields)) => all_look(to, fields, looks(from, *values)),
        (Enum { symbols: a, .. }, Enum { symbols: b, .. }) => {
            means || a.iter().any(|symbol| b.contains(symbol))
        }
        (Fixed { size: a }, Fixed { size: b }) => means || a == b,
        // A number is the same in a wider type, but a date is not the number of its days.
        (Int | Long | Float | Double, Int | Long | Float | Double) => means,
        (Bytes | Fixed { .. }, Bytes | Fixed { .. }) => means,
        (String | Enum { .. }, String | Enum { .. }) => means,
        (Int | Long | Float | Double, Bytes | Fixed { .. }) => {
            has_meaning(one) && is_decimal(other)
        }
        (Bytes | Fixed { .. }, Int | Long | Float | Double) => {
            is_decimal(one) && has_meaning(other)
        }
        _ => false,
    }
}

/// Whether a built value has the fields of a record, and no others, and each looks as its field does.
pub(super) fn is_of(schema: &Schema, fields: &[Field], value: &Val<'_>) -> bool {
    let Val::Map(entries) = value else {
        return false;
    };
    let has_place = |(key, value): &(Val<'_>, Val<'_>)| {
        let Val::Str(key) = key else { return false };
        let place = fields.iter().find(|field| **key == *field.name);
        place.is_some_and(|place| looks(schema, place.ty) & look(value) != 0)
    };
    entries.len() == fields.len() && entries.iter().all(has_place)
}

/// How values of a type may look, a bit for each way: physical, or with the meaning that the schema says. A decimal takes whole
/// numbers too.
fn looks(schema: &Schema, node: NodeId) -> u16 {
    let node = schema.node(node);
    let physical = match &node.kind {
        Kind::Null => NULL,
        Kind::Boolean => BOOL,
        Kind::Int | Kind::Long | Kind::Float | Kind::Double => NUMBER,
        Kind::String | Kind::Bytes | Kind::Fixed { .. } | Kind::Enum { .. } => RUN,
        Kind::Array(_) => LIST,
        Kind::Map(_) | Kind::Record(_) => NAMED,
        Kind::Union(branches) => {
            let each = branches.iter().map(|branch| looks(schema, *branch));
            each.fold(0, |all, one| all | one)
        }
    };
    use Logical::{
        Decimal, Interval, LocalTimestamp, Time, Timestamp, VariableScaleDecimal, ZonedTimestamp,
    };
    let meant = match node.logical {
        Some(Decimal { .. }) => NUMBER | DECIMAL,
        Some(VariableScaleDecimal) => DECIMAL,
        Some(Timestamp { .. } | LocalTimestamp { .. } | ZonedTimestamp) => INSTANT,
        Some(Time { .. } | Interval { .. }) => SPAN,
        _ => 0,
    };
    physical | meant
}

fn look(value: &Val<'_>) -> u16 {
    match value {
        Val::Null => NULL,
        Val::Bool(_) => BOOL,
        Val::Int(_) | Val::Uint(_) | Val::Double(_) => NUMBER,
        Val::Str(_) | Val::Bytes(_) => RUN,
        Val::List(_) => LIST,
        Val::Map(_) => NAMED,
        Val::Decimal(_) => DECIMAL,
        Val::Timestamp(..) => INSTANT,
        Val::Duration(..) => SPAN,
        Val::Type(_) | Val::Optional(_) => ANY,
    }
}

fn all_look(schema: &Schema, fields: &[Field], as_one: u16) -> bool {
    let mut fields = fields.iter();
    fields.all(|field| looks(schema, field.ty) & as_one != 0)
}

fn has_meaning(node: &Node) -> bool {
    !matches!(node.logical, None | Some(Logical::Other(_)))
}

fn is_decimal(node: &Node) -> bool {
    matches!(node.logical, Some(Logical::Decimal { .. }))
}
