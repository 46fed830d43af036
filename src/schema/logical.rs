//! What a type means beyond its encoding: Avro's `logicalType`, and the type names that Debezium and Kafka Connect put
//! into `connect.name`. A name on a physical type that cannot carry it is kept as [`Logical::Other`] and means nothing.

use serde_json::{Map, Value};

use super::{Field, Kind, Logical, names};

/// Largest precision whose values always fit the 128 bits of [`crate::codec::Decimal`] is 38; larger ones are read
/// too, and a value that does not fit is refused when it arrives.
const PRECISION_UNKNOWN: u32 = 64;

/// Reads the meaning of a node of physical type `kind` from the attributes of its JSON object. `is_bytes(id)` style
/// questions about a record's fields are answered from `kind` alone by `variable_scale`.
pub(super) fn of(
    kind: &Kind,
    attributes: &Map<String, Value>,
    variable_scale: bool,
) -> Option<Logical> {
    let connect = attributes.get("connect.name").and_then(Value::as_str);
    if let Some(name) = connect
        && let Some(logical) = names::meaning(kind, name, attributes, variable_scale)
    {
        return Some(logical);
    }
    let avro = attributes.get("logicalType").and_then(Value::as_str);
    if let Some(name) = avro {
        return Some(
            by_avro_name(kind, name, attributes).unwrap_or_else(|| Logical::Other(name.to_owned())),
        );
    }
    match kind {
        // The name of a record, enum or fixed is its type name already.
        Kind::Record(_) | Kind::Enum { .. } | Kind::Fixed { .. } => None,
        _ => connect.map(|name| Logical::Other(name.to_owned())),
    }
}

/// Whether a record has the shape of `io.debezium.data.VariableScaleDecimal`; `kind_of` gives a field's physical type.
pub(super) fn is_variable_scale(fields: &[Field], kind_of: impl Fn(&Field) -> Kind) -> bool {
    matches!(fields, [scale, value]
        if &*scale.name == "scale" && kind_of(scale) == Kind::Int
        && &*value.name == "value" && kind_of(value) == Kind::Bytes)
}

fn by_avro_name(kind: &Kind, name: &str, attributes: &Map<String, Value>) -> Option<Logical> {
    Some(match (kind, name) {
        (Kind::Bytes | Kind::Fixed { .. }, "decimal") => {
            let precision = attributes.get("precision").and_then(Value::as_u64)?;
            let scale = match attributes.get("scale") {
                Some(scale) => scale.as_u64()?,
                None => 0,
            };
            // The specification says to ignore an impossible decimal; Debezium writes scale > precision for the
            // numeric(2,5) of PostgreSQL 15, but then under Connect's name as well, which is read first.
            if precision == 0 || scale > precision {
                return None;
            }
            return decimal(kind, precision, scale);
        }
        (Kind::Int, "date") => Logical::Date,
        (Kind::Int, "time-millis") => Logical::Time { per_second: 1_000 },
        (Kind::Long, "time-micros") => Logical::Time {
            per_second: 1_000_000,
        },
        (Kind::Long, "timestamp-millis") => Logical::Timestamp { per_second: 1_000 },
        (Kind::Long, "timestamp-micros") => Logical::Timestamp {
            per_second: 1_000_000,
        },
        (Kind::Long, "timestamp-nanos") => Logical::Timestamp {
            per_second: 1_000_000_000,
        },
        (Kind::Long, "local-timestamp-millis") => Logical::LocalTimestamp { per_second: 1_000 },
        (Kind::Long, "local-timestamp-micros") => Logical::LocalTimestamp {
            per_second: 1_000_000,
        },
        (Kind::Long, "local-timestamp-nanos") => Logical::LocalTimestamp {
            per_second: 1_000_000_000,
        },
        (Kind::Fixed { size: 12 }, "duration") => Logical::Duration,
        (Kind::String | Kind::Fixed { size: 16 }, "uuid") => Logical::Uuid,
        _ => return None,
    })
}

pub(super) fn connect_decimal(kind: &Kind, attributes: &Map<String, Value>) -> Option<Logical> {
    let scale = match parameter(attributes, "scale") {
        Some(text) => text.parse().ok()?,
        None => attributes.get("scale").and_then(Value::as_u64)?,
    };
    let precision = parameter(attributes, "connect.decimal.precision")
        .and_then(|text| text.parse().ok())
        .or_else(|| attributes.get("precision").and_then(Value::as_u64))
        .filter(|precision| *precision > 0)
        .unwrap_or(u64::from(PRECISION_UNKNOWN));
    decimal(kind, precision, scale)
}

fn decimal(kind: &Kind, precision: u64, scale: u64) -> Option<Logical> {
    // Beyond a thousand digits the numbers are a mistake, and bounds that are computed from them would be useless.
    const DIGITS_MAX: u64 = 1_000;
    let fits = match kind {
        Kind::Fixed { size } => *size > 0,
        _ => true,
    };
    if precision > DIGITS_MAX || scale > DIGITS_MAX || !fits {
        return None;
    }
    Some(Logical::Decimal {
        precision: precision as u32,
        scale: scale as u32,
    })
}

pub(super) fn parameter<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get("connect.parameters")?.get(name)?.as_str()
}
