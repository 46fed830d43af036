//! From a datum to JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::DEPTH_MAX;
use crate::codec::primitive::{self, Trouble};
use crate::codec::{Decimal, Fault, VALUES_MAX, ZERO_BYTE_ITEMS_MAX, time};
use crate::schema::{Kind, Logical, NodeId, Schema};

/// Most bytes of a decimal that are written as digits; the conversion is quadratic.
const DECIMAL_BYTES_MAX: usize = 1_024;

pub(super) fn datum(schema: &Schema, data: &[u8]) -> Result<Value, Fault> {
    let values = VALUES_MAX.saturating_add(data.len().saturating_mul(4));
    let items = data.len() as u64 + ZERO_BYTE_ITEMS_MAX;
    let mut reader = Reader {
        schema,
        data,
        pos: 0,
        values,
        items,
    };
    let value = reader.node(schema.root, 0)?;
    if reader.pos == data.len() {
        Ok(value)
    } else {
        Err(reader.fault(Trouble::Trailing))
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    data: &'a [u8],
    pos: usize,
    values: usize,
    items: u64,
}

impl<'a> Reader<'a> {
    fn fault(&self, trouble: Trouble) -> Fault {
        let reason = trouble.reason();
        Fault::new(
            reason,
            format!("{reason} at byte {} of the datum", self.pos),
        )
    }

    fn take<T>(
        &mut self,
        read: impl FnOnce(&'a [u8], usize) -> Result<(T, usize), Trouble>,
    ) -> Result<T, Fault> {
        match read(self.data, self.pos) {
            Ok((value, end)) => {
                self.pos = end;
                Ok(value)
            }
            Err(trouble) => Err(self.fault(trouble)),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        self.take(|data, pos| primitive::run(data, pos).map(|(from, to)| (&data[from..to], to)))
    }

    fn text(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.fault(Trouble::Utf8))
    }

    fn node(&mut self, id: NodeId, depth: usize) -> Result<Value, Fault> {
        if self.values == 0 || depth > DEPTH_MAX {
            return Err(self.fault(Trouble::Limit));
        }
        self.values -= 1;
        let node = self.schema.node(id);
        let logical = node.logical.as_ref();
        Ok(match &node.kind {
            Kind::Null => Value::Null,
            Kind::Boolean => Value::Bool(self.take(primitive::boolean)?),
            Kind::Int => integer(self.take(primitive::int)?, logical),
            Kind::Long => integer(self.take(primitive::long)?, logical),
            Kind::Float => floating(self.take(primitive::float)?.into()),
            Kind::Double => floating(self.take(primitive::double)?),
            Kind::Bytes => {
                let bytes = self.bytes()?;
                self.binary(bytes, logical)?
            }
            Kind::Fixed { size } => {
                let size = *size;
                let bytes = self.take(|data, pos| {
                    primitive::skip(data, pos, size).map(|end| (&data[pos..end], end))
                })?;
                self.binary(bytes, logical)?
            }
            Kind::String => Value::String(self.text()?.to_owned()),
            Kind::Enum { symbols, .. } => {
                let count = symbols.len() as u32;
                let at =
                    self.take(|data, pos| primitive::index(data, pos, count, Trouble::EnumIndex))?;
                Value::String(symbols[at as usize].to_string())
            }
            Kind::Union(branches) => {
                let count = branches.len() as u32;
                let at =
                    self.take(|data, pos| primitive::index(data, pos, count, Trouble::UnionIndex))?;
                self.node(branches[at as usize], depth)?
            }
            Kind::Array(items) => {
                let mut list = Vec::new();
                self.blocks(|this| {
                    list.push(this.node(*items, depth + 1)?);
                    Ok(())
                })?;
                Value::Array(list)
            }
            Kind::Map(values) => {
                let mut object = Map::new();
                self.blocks(|this| {
                    let key = this.text()?.to_owned();
                    object.insert(key, this.node(*values, depth + 1)?);
                    Ok(())
                })?;
                Value::Object(object)
            }
            Kind::Record(_) if logical == Some(&Logical::VariableScaleDecimal) => {
                let scale = self.take(primitive::int)?;
                let bytes = self.bytes()?;
                self.decimal(bytes, scale)?
            }
            Kind::Record(fields) => {
                let mut object = Map::with_capacity(fields.len());
                for field in fields {
                    object.insert(field.name.to_string(), self.node(field.ty, depth + 1)?);
                }
                Value::Object(object)
            }
        })
    }

    fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let mut items = self.items;
            let block = self.take(|data, pos| primitive::block(data, pos, 0, &mut items))?;
            self.items = items;
            if block.items == 0 {
                return Ok(());
            }
            for _ in 0..block.items {
                item(self)?;
            }
            if block.end.is_some_and(|end| end != self.pos) {
                return Err(self.fault(Trouble::Limit));
            }
        }
    }

    fn binary(&self, bytes: &[u8], logical: Option<&Logical>) -> Result<Value, Fault> {
        match logical {
            Some(Logical::Decimal { scale, .. }) => self.decimal(bytes, i64::from(*scale)),
            Some(Logical::Uuid) => {
                let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                let parts = [
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..16],
                    &hex[16..20],
                    &hex[20..],
                ];
                Ok(Value::String(parts.join("-")))
            }
            Some(Logical::Duration) => {
                let part = |at: usize| match bytes.get(at..at + 4).map(<[u8; 4]>::try_from) {
                    Some(Ok(four)) => u32::from_le_bytes(four),
                    _ => 0,
                };
                let (months, days, millis) = (part(0), part(4), part(8));
                Ok(Value::String(format!(
                    "P{months}M{days}DT{}.{:03}S",
                    millis / 1_000,
                    millis % 1_000
                )))
            }
            _ => Ok(Value::String(STANDARD.encode(bytes))),
        }
    }

    fn decimal(&self, bytes: &[u8], scale: i64) -> Result<Value, Fault> {
        const SCALE_MAX: i64 = crate::codec::decimal::SCALE_MAX as i64;
        if bytes.is_empty()
            || bytes.len() > DECIMAL_BYTES_MAX
            || !(-SCALE_MAX..=SCALE_MAX).contains(&scale)
        {
            return Err(self.fault(Trouble::Decimal));
        }
        if let (Ok(number), Ok(scale)) = (Decimal::from_be_bytes(bytes, 0), u32::try_from(scale)) {
            return Ok(Value::String(
                Decimal::new(number.unscaled, scale).to_string(),
            ));
        }
        let (negative, mut digits) = long_digits(bytes);
        if scale < 0 && digits != "0" {
            digits.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
        } else if scale > 0 {
            let scale = scale as usize;
            if digits.len() <= scale {
                digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
            }
            digits.insert(digits.len() - scale, '.');
        }
        if negative {
            digits.insert(0, '-');
        }
        Ok(Value::String(digits))
    }
}

/// Sign and decimal digits of big-endian two's complement of any length.
fn long_digits(bytes: &[u8]) -> (bool, String) {
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    let mut groups = Vec::new();
    while magnitude.iter().any(|b| *b != 0) {
        let mut rest = 0u64;
        for byte in &mut magnitude {
            let current = rest << 8 | u64::from(*byte);
            *byte = (current / 1_000_000_000) as u8;
            rest = current % 1_000_000_000;
        }
        groups.push(rest);
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    (negative, text)
}

fn integer(value: i64, logical: Option<&Logical>) -> Value {
    const DAY: i64 = 86_400;
    let mut text = String::new();
    let written = match logical {
        Some(Logical::Date) => time::write_date(value, &mut text).is_ok(),
        Some(Logical::Timestamp { per_second }) => {
            let (seconds, nanos) = time::from_units(value, *per_second);
            let written = time::write_date_time(seconds, nanos, &mut text).is_ok();
            text.push('Z');
            written
        }
        Some(Logical::LocalTimestamp { per_second }) => {
            let (seconds, nanos) = time::from_units(value, *per_second);
            time::write_date_time(seconds, nanos, &mut text).is_ok()
        }
        Some(Logical::Time { per_second }) => {
            let (seconds, nanos) = time::from_units(value, *per_second);
            let is_within_a_day = (0..DAY).contains(&seconds);
            if is_within_a_day {
                time::write_time(seconds as u32, nanos, &mut text);
            }
            is_within_a_day
        }
        Some(Logical::Interval { per_second }) => {
            let (seconds, nanos) = time::span_from_units(value, *per_second);
            time::write_span(seconds, nanos, &mut text);
            true
        }
        _ => false,
    };
    if written {
        Value::String(text)
    } else {
        Value::Number(Number::from(value))
    }
}

fn floating(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::String("NaN".to_owned()),
        None if value > 0.0 => Value::String("Infinity".to_owned()),
        None => Value::String("-Infinity".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_decimals_agree_with_short_ones() {
        for number in [
            0,
            1,
            -1,
            255,
            -256,
            i128::MAX,
            i128::MIN,
            10i128.pow(27),
            -(10i128.pow(18)),
        ] {
            let (negative, digits) = long_digits(&number.to_be_bytes());
            assert_eq!(
                format!("{}{digits}", if negative { "-" } else { "" }),
                number.to_string()
            );
        }
    }
}
