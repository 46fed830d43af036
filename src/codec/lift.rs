//! From physical values to what they mean: Avro's logical types and Debezium's and Connect's type names.

use bumpalo::Bump;

use super::decimal::DecimalFault;
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
        (Logical::Decimal { scale, .. }, Val::Bytes(bytes)) => {
            decimal(Decimal::from_be_bytes(bytes, *scale), bump)?
        }
        (
            Logical::VariableScaleDecimal,
            Val::Map([(_, Val::Int(scale)), (_, Val::Bytes(bytes))]),
        ) => decimal(Decimal::from_variable(*scale, bytes), bump)?,
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

fn decimal<'a>(number: Result<Decimal, DecimalFault>, bump: &'a Bump) -> Result<Val<'a>, Fault> {
    match number {
        Ok(number) => Ok(Val::Decimal(bump.alloc(number))),
        Err(fault) => Err(Fault::new(fault.reason(), fault.to_string())),
    }
}
