//! From values to the encoding of a target node: what expressions compute, and what a copy must convert.
//!
//! Every conversion is exact or a fault, with two exceptions that the declared target type asks for: a computed instant
//! or span is cut to the target's unit (towards the past, towards zero), and a computed double to a `float`.
//! A *copied* value is not even cut: see [`copied`].

use std::cell::Cell;

use super::alike::is_of;
use super::primitive::{put_long, put_run};
use super::{Decimal, Fault, NESTING_MAX, Val, defaults, time};
use crate::schema::{Field, Kind, Logical, NodeId, Schema};

/// Appends a computed value in the encoding of `node`. Physical values are taken as they are where the node has a
/// meaning (an `Int` for a timestamp is in its unit): the checker lets them through only from a type that agrees.
/// On a fault `out` may hold a part of the value.
pub fn value(
    schema: &Schema,
    node: NodeId,
    value: &Val<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    Target {
        schema,
        exact: false,
        misfits: Cell::new(0),
    }
    .put(node, value, out, 0)
    .map_err(|fault| *fault)
}

/// Appends a copied value: as [`value`], but no digit is cut.
pub(super) fn copied(
    schema: &Schema,
    node: NodeId,
    value: &Val<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    Target {
        schema,
        exact: true,
        misfits: Cell::new(0),
    }
    .put(node, value, out, 0)
    .map_err(|fault| *fault)
}

/// A fault in a box: what every value returns is small.
type Written<T> = Result<T, Box<Fault>>;

/// What trying branches that do not fit may cost one value, because unions within unions multiply: the bytes thrown away, and
/// [`MISFIT`] for each try.
const MISFITS_MAX: usize = 64 << 20;
const MISFIT: usize = 256;

struct Target<'a> {
    schema: &'a Schema,
    exact: bool,
    misfits: Cell<usize>,
}

impl Target<'_> {
    fn put(&self, id: NodeId, value: &Val<'_>, out: &mut Vec<u8>, depth: usize) -> Written<()> {
        if depth > NESTING_MAX * 2 {
            return Err(Fault::new("avro_limit", "the value nests too deep").into());
        }
        let node = self.schema.node(id);
        if let Some(logical) = &node.logical
            && self.meaning(&node.kind, logical, value, out)?
        {
            return Ok(());
        }
        match (&node.kind, value) {
            (Kind::Union(branches), value) => self.union(id, branches, value, out, depth)?,
            (Kind::Null, Val::Null) => {}
            (_, Val::Null) => {
                return Err(Fault::new(
                    "unexpected_null",
                    "the value is null, the field is not nullable",
                )
                .into());
            }
            (Kind::Boolean, Val::Bool(value)) => out.push(u8::from(*value)),
            (Kind::Int, Val::Int(value)) => put_long(i64::from(narrow(*value)?), out),
            (Kind::Int, Val::Uint(value)) => put_long(i64::from(narrow(signed(*value)?)?), out),
            (Kind::Long, Val::Int(value)) => put_long(*value, out),
            (Kind::Long, Val::Uint(value)) => put_long(signed(*value)?, out),
            (Kind::Double, Val::Double(value)) => out.extend_from_slice(&value.to_le_bytes()),
            (Kind::Double, Val::Int(value)) => {
                out.extend_from_slice(&whole(*value, 53)?.to_le_bytes())
            }
            (Kind::Double, Val::Uint(value)) => {
                out.extend_from_slice(&whole(signed(*value)?, 53)?.to_le_bytes())
            }
            (Kind::Float, Val::Double(value)) => {
                out.extend_from_slice(&self.float(*value)?.to_le_bytes())
            }
            (Kind::Float, Val::Int(value)) => {
                out.extend_from_slice(&(whole(*value, 24)? as f32).to_le_bytes())
            }
            (Kind::String, Val::Str(text)) => put_run(text.as_bytes(), out),
            (Kind::Bytes, Val::Bytes(bytes)) => put_run(bytes, out),
            (Kind::Bytes, Val::Str(text)) => put_run(text.as_bytes(), out),
            (Kind::Fixed { size }, Val::Bytes(bytes)) if bytes.len() == *size as usize => {
                out.extend_from_slice(bytes)
            }
            (Kind::Fixed { size }, Val::Bytes(bytes)) => {
                return Err(unrepresentable(format!(
                    "{} bytes do not fit a fixed of {size}",
                    bytes.len()
                ))
                .into());
            }
            (Kind::Enum { symbols, .. }, Val::Str(text)) => {
                let at = symbols.iter().position(|symbol| **symbol == **text);
                put_long(
                    at.ok_or_else(|| unrepresentable("the text is no symbol of the enum"))? as i64,
                    out,
                );
            }
            (Kind::Array(items), Val::List(list)) => {
                if !list.is_empty() {
                    put_long(list.len() as i64, out);
                }
                for item in *list {
                    self.put(*items, item, out, depth + 1)?;
                }
                out.push(0);
            }
            (Kind::Map(values), Val::Map(entries)) => {
                if !entries.is_empty() {
                    put_long(entries.len() as i64, out);
                }
                for (key, value) in *entries {
                    let Val::Str(key) = key else {
                        return Err(unrepresentable("a key of the map is no text").into());
                    };
                    put_run(key.as_bytes(), out);
                    self.put(*values, value, out, depth + 1)?;
                }
                out.push(0);
            }
            (Kind::Record(fields), Val::Map(entries)) => {
                self.record(fields, entries, out, depth)?
            }
            (_, value) => {
                return Err(unrepresentable(format!(
                    "{} cannot be written as {}",
                    name(value),
                    self.schema.describe(id)
                ))
                .into());
            }
        }
        Ok(())
    }

    fn union(
        &self,
        id: NodeId,
        branches: &[NodeId],
        value: &Val<'_>,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Written<()> {
        let is_null = matches!(value, Val::Null);
        if let Some((null, inner)) = self.schema.nullable(id) {
            put_long(i64::from(if is_null { null } else { 1 - null }), out);
            return if is_null {
                Ok(())
            } else {
                self.put(inner, value, out, depth + 1)
            };
        }
        let start = out.len();
        let like = Like::of(value);
        let rank = |branch: NodeId| match self.schema.node(branch).kind {
            // A record of other fields may take the value with defaults only.
            Kind::Record(ref fields) if !is_of(self.schema, fields, value) => LAST,
            _ => like.rank(self.schema, branch),
        };
        // The branches are few: going through them once for each rank costs less than sorting them.
        let mut next = branches.iter().map(|branch| rank(*branch)).min();
        while let Some(current) = next {
            for (at, branch) in branches.iter().enumerate() {
                if rank(*branch) != current {
                    continue;
                }
                if self.misfits.get() >= MISFITS_MAX {
                    let message = "the value fits none of too many branches of unions";
                    return Err(Fault::new("avro_limit", message).into());
                }
                put_long(at as i64, out);
                if self.put(*branch, value, out, depth + 1).is_ok() {
                    return Ok(());
                }
                let cost = MISFIT + out.len() - start;
                self.misfits.set(self.misfits.get() + cost);
                out.truncate(start);
            }
            let ranks = branches.iter().map(|branch| rank(*branch));
            next = ranks.filter(|rank| *rank > current).min();
        }
        Err(unrepresentable(format!(
            "{} fits no branch of {}",
            name(value),
            self.schema.describe(id)
        ))
        .into())
    }

    fn record(
        &self,
        fields: &[Field],
        entries: &[(Val<'_>, Val<'_>)],
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Written<()> {
        for (i, field) in fields.iter().enumerate() {
            let is_it = |entry: &&(Val<'_>, Val<'_>)| matches!(entry.0, Val::Str(key) if *key == *field.name);
            // Records of one shape have their fields in one order.
            let entry = entries
                .get(i)
                .filter(is_it)
                .or_else(|| entries.iter().find(is_it));
            match (entry, &field.default) {
                (Some((_, value)), _) => self.put(field.ty, value, out, depth + 1)?,
                (None, Some(default)) => defaults::write(self.schema, field.ty, default, out)?,
                (None, None) => {
                    return Err(
                        unrepresentable(format!("the field {} is missing", field.name)).into(),
                    );
                }
            }
        }
        Ok(())
    }

    /// Writes a value that the node's meaning takes; `false` if it is a physical one (or does not fit).
    fn meaning(
        &self,
        kind: &Kind,
        logical: &Logical,
        value: &Val<'_>,
        out: &mut Vec<u8>,
    ) -> Written<bool> {
        match (logical, value) {
            (Logical::Decimal { precision, scale }, value) => {
                let number = match value {
                    Val::Decimal(number) => **number,
                    Val::Int(number) => Decimal::new(i128::from(*number), 0),
                    Val::Uint(number) => Decimal::new(i128::from(*number), 0),
                    _ => return Ok(false),
                };
                decimal(kind, number, *precision, *scale, out)?;
            }
            (Logical::VariableScaleDecimal, Val::Decimal(number)) => {
                put_long(i64::from(number.scale), out);
                let (bytes, start) = number.to_be_bytes();
                put_run(&bytes[start..], out);
            }
            (
                Logical::Timestamp { per_second } | Logical::LocalTimestamp { per_second },
                Val::Timestamp(seconds, nanos),
            ) => put_long(
                time::to_units(*seconds, *nanos, *per_second, self.exact)?,
                out,
            ),
            (Logical::ZonedTimestamp, Val::Timestamp(seconds, nanos)) => {
                put_run(time::rfc3339(*seconds, *nanos)?.as_bytes(), out);
            }
            (Logical::Time { per_second }, Val::Duration(seconds, nanos)) => {
                if !(0..86_400).contains(seconds) || *nanos < 0 {
                    return Err(unrepresentable("the time of day is not within a day").into());
                }
                let units = time::span_to_units(*seconds, *nanos, *per_second, self.exact)?;
                match kind {
                    Kind::Int => put_long(i64::from(narrow(units)?), out),
                    _ => put_long(units, out),
                }
            }
            (Logical::Interval { per_second }, Val::Duration(seconds, nanos)) => {
                put_long(
                    time::span_to_units(*seconds, *nanos, *per_second, self.exact)?,
                    out,
                );
            }
            (Logical::Uuid, Val::Str(text)) => {
                let bytes = uuid(text).ok_or_else(|| unrepresentable("the text is no UUID"))?;
                match kind {
                    Kind::Fixed { .. } => out.extend_from_slice(&bytes),
                    _ => put_run(text.as_bytes(), out),
                }
            }
            (Logical::TextEnum { allowed }, Val::Str(text))
                if !allowed.iter().any(|a| a == text) =>
            {
                return Err(unrepresentable("the text is none of the allowed ones").into());
            }
            (Logical::Json, Val::Str(text))
                if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() =>
            {
                return Err(unrepresentable("the text is not JSON").into());
            }
            (Logical::ZonedTimestamp, Val::Str(text)) if time::parse_timestamp(text).is_none() => {
                return Err(unrepresentable("the text is no timestamp with a zone").into());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn float(&self, value: f64) -> Result<f32, Fault> {
        let narrow = value as f32;
        let is_lossy = f64::from(narrow) != value && !value.is_nan();
        if is_lossy && (self.exact || narrow.is_infinite()) {
            return Err(unrepresentable("the number does not fit a float"));
        }
        Ok(narrow)
    }
}

/// Appends a decimal with `scale` digits after the point, as bytes or fixed.
pub(super) fn decimal(
    kind: &Kind,
    number: Decimal,
    precision: u32,
    scale: u32,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let number = number
        .rescale(scale)
        .map_err(|e| Fault::new(e.reason(), format!("the decimal does not fit: {e}")))?;
    if number.digits() > precision && number.unscaled != 0 {
        let message = format!(
            "the decimal has {} digits, the target takes {precision}",
            number.digits()
        );
        return Err(Fault::new("decimal_overflow", message));
    }
    let (bytes, start) = number.to_be_bytes();
    let bytes = &bytes[start..];
    match kind {
        Kind::Fixed { size } => {
            let size = *size as usize;
            if bytes.len() > size {
                return Err(Fault::new(
                    "decimal_overflow",
                    format!("the decimal does not fit a fixed of {size} bytes"),
                ));
            }
            let sign = if number.unscaled < 0 { 0xFF } else { 0 };
            out.extend(std::iter::repeat_n(sign, size - bytes.len()));
            out.extend_from_slice(bytes);
        }
        _ => put_run(bytes, out),
    }
    Ok(())
}

/// The sixteen bytes of a UUID in its usual form (8-4-4-4-12 hexadecimal digits).
pub(super) fn uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let (mut bytes, mut count, mut at) = ([0u8; 16], 0, 0);
    while at < 36 {
        if matches!(at, 8 | 13 | 18 | 23) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes[count] = (digit(text[at])? * 16 + digit(text[at + 1])?) as u8;
        count += 1;
        at += 2;
    }
    Some(bytes)
}

/// What values are like, as far as the choice among the branches of a union goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    /// Null, a bool, a list, a map or a record: what one kind of branch takes.
    Plain,
    /// A whole number.
    Whole,
    /// A double.
    Double,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A decimal.
    Decimal,
    /// A timestamp.
    Instant,
    /// A duration.
    Span,
}

/// The rank of a branch that is not made for such values; it may take them all the same.
const LAST: u8 = 9;

impl Like {
    fn of(value: &Val<'_>) -> Like {
        match value {
            Val::Int(_) | Val::Uint(_) => Like::Whole,
            Val::Double(_) => Like::Double,
            Val::Str(_) => Like::Text,
            Val::Bytes(_) => Like::Bytes,
            Val::Decimal(_) => Like::Decimal,
            Val::Timestamp(..) => Like::Instant,
            Val::Duration(..) => Like::Span,
            _ => Like::Plain,
        }
    }

    /// The order in which the branches of a union are tried: the value's own type, then types that take it exactly or not
    /// at all, then those that cut digits or only hold its bytes. Branches of one rank are tried as they stand.
    pub fn rank(self, schema: &Schema, branch: NodeId) -> u8 {
        use Logical::{Decimal, Interval, LocalTimestamp, Time, Timestamp, ZonedTimestamp};
        let node = schema.node(branch);
        let logical = node.logical.as_ref();
        let logical = logical.filter(|logical| !matches!(logical, Logical::Other(_)));
        // The finer its unit, the less is cut.
        let unit = |per_second: u32| per_second.ilog10().min(9) as u8 / 3;
        match (self, &node.kind, logical) {
            (Like::Whole, Kind::Long, None) | (Like::Double, Kind::Double, None) => 0,
            (Like::Text, Kind::String, None) | (Like::Bytes, Kind::Bytes, None) => 0,
            (Like::Decimal, _, Some(Decimal { .. })) => 0,
            (Like::Decimal, _, Some(Logical::VariableScaleDecimal)) => 1,
            (Like::Whole, Kind::Int, None) => 1,
            (Like::Whole, _, Some(Decimal { .. })) => 2,
            (Like::Whole, Kind::Double, None) => 3,
            (Like::Whole, Kind::Float, None) => 4,
            (Like::Text, Kind::String, Some(_)) | (Like::Text, Kind::Enum { .. }, _) => 1,
            (Like::Bytes, Kind::Fixed { .. }, None) => 1,
            (Like::Instant, _, Some(Timestamp { per_second })) => 3 - unit(*per_second),
            (Like::Instant, _, Some(LocalTimestamp { per_second })) => 7 - unit(*per_second),
            (Like::Instant, _, Some(ZonedTimestamp)) => 8,
            (Like::Span, _, Some(Interval { per_second })) => 3 - unit(*per_second),
            (Like::Span, _, Some(Time { per_second })) => 7 - unit(*per_second),
            (Like::Plain, _, _) => 0,
            _ => LAST,
        }
    }
}

fn unrepresentable(message: impl Into<String>) -> Fault {
    Fault::new("unrepresentable", message)
}

fn narrow(value: i64) -> Result<i32, Fault> {
    i32::try_from(value)
        .map_err(|_| Fault::new("int_overflow", "the number does not fit an int of 32 bits"))
}

fn signed(value: u64) -> Result<i64, Fault> {
    i64::try_from(value).map_err(|_| Fault::new("int_overflow", "the number does not fit a long"))
}

/// An integer as floating point with `bits` of mantissa, if it is one exactly.
fn whole(value: i64, bits: u32) -> Result<f64, Fault> {
    let magnitude = value.unsigned_abs();
    let significant = 64 - magnitude.leading_zeros() - magnitude.trailing_zeros().min(63);
    if magnitude != 0 && significant > bits {
        return Err(unrepresentable(
            "the number has no exact floating point value",
        ));
    }
    Ok(value as f64)
}

fn name(value: &Val<'_>) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a bool",
        Val::Int(_) => "an int",
        Val::Uint(_) => "a uint",
        Val::Double(_) => "a double",
        Val::Str(_) => "a string",
        Val::Bytes(_) => "bytes",
        Val::Decimal(_) => "a decimal",
        Val::Timestamp(..) => "a timestamp",
        Val::Duration(..) => "a duration",
        Val::List(_) => "a list",
        Val::Map(_) => "a map",
        Val::Type(_) => "a type",
        Val::Optional(_) => "an optional",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_nothing_of_the_number() {
        let secret = 4_711_223_344_556_677;
        let faults = [
            narrow(secret).unwrap_err(),
            signed(secret as u64 + (1 << 63)).unwrap_err(),
            whole(secret, 24).unwrap_err(),
        ];
        for fault in faults {
            assert!(!fault.message.contains('4'), "{}", fault.message);
        }
    }
}
