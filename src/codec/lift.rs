//! From physical values to what they mean: Avro's logical types and Debezium's and Connect's type names.

use bumpalo::Bump;

use super::{Decimal, Fault, Val, time};
use crate::schema::{Logical, NodeId, Schema};

/// Gives a physical value of `node` its meaning:
///
/// | schema says | value becomes |
/// |---|---|
/// | decimal (also of variable scale) | `Decimal` |
/// | timestamp, with or without zone, or as text | `Timestamp`; without a zone it is taken as UTC |
/// | time of day | `Duration` since midnight |
/// | interval in units | `Duration` |
/// | date, and everything else | as it is (a date is `Int`, days since 1970-01-01) |
///
/// Null stays null. Containers are not entered. Faults: `unrepresentable`, `decimal_overflow`.
pub fn lift<'a>(
    schema: &Schema,
    node: NodeId,
    value: Val<'a>,
    bump: &'a Bump,
) -> Result<Val<'a>, Fault> {
    let (node, _) = schema.strip_null(node);
    let Some(logical) = &schema.node(node).logical else {
        return Ok(value);
    };
    Ok(match (logical, value) {
        (Logical::Decimal { scale, .. }, Val::Bytes(bytes)) => decimal(bytes, *scale, bump)?,
        (
            Logical::VariableScaleDecimal,
            Val::Map([(_, Val::Int(scale)), (_, Val::Bytes(bytes))]),
        ) => variable_decimal(*scale, bytes, bump)?,
        (
            Logical::Timestamp { per_second } | Logical::LocalTimestamp { per_second },
            Val::Int(units),
        ) => {
            let (seconds, nanos) = time::from_units(units, *per_second);
            if !(time::SECONDS_MIN..=time::SECONDS_MAX).contains(&seconds) {
                return Err(Fault::new(
                    "unrepresentable",
                    "the timestamp is outside the years 1 to 9999",
                ));
            }
            Val::Timestamp(seconds, nanos)
        }
        (Logical::Time { per_second } | Logical::Interval { per_second }, Val::Int(units)) => {
            let (seconds, nanos) = time::span_from_units(units, *per_second);
            Val::Duration(seconds, nanos)
        }
        (Logical::ZonedTimestamp, Val::Str(text)) => match time::parse_timestamp(text) {
            Some((seconds, nanos)) => Val::Timestamp(seconds, nanos),
            None => {
                return Err(Fault::new(
                    "unrepresentable",
                    "the text is no timestamp with a zone",
                ));
            }
        },
        (_, value) => value,
    })
}

fn decimal<'a>(bytes: &[u8], scale: u32, bump: &'a Bump) -> Result<Val<'a>, Fault> {
    match Decimal::from_be_bytes(bytes, scale) {
        Ok(number) => Ok(Val::Decimal(bump.alloc(number))),
        Err(fault) => Err(Fault::new(fault.reason(), fault.to_string())),
    }
}

fn variable_decimal<'a>(scale: i64, bytes: &[u8], bump: &'a Bump) -> Result<Val<'a>, Fault> {
    let out_of_range = || Fault::new("decimal_overflow", "the decimal's scale is out of range");
    // A negative scale means zeros before the point.
    let (digits, shift) = match u32::try_from(scale) {
        Ok(scale) if scale <= super::decimal::SCALE_MAX => (scale, 0),
        _ => (
            0,
            scale
                .checked_neg()
                .and_then(|s| u32::try_from(s).ok())
                .ok_or_else(out_of_range)?,
        ),
    };
    let number = Decimal::from_be_bytes(bytes, digits);
    let number = number.and_then(|n| {
        Decimal::new(n.unscaled, 0)
            .rescale(shift)
            .map(|w| Decimal::new(w.unscaled, digits))
    });
    match number {
        Ok(number) => Ok(Val::Decimal(bump.alloc(number))),
        Err(fault) => Err(Fault::new(fault.reason(), fault.to_string())),
    }
}
