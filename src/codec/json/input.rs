//! From JSON to a datum.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{DEPTH_MAX, JsonFault, branch_name};
use crate::codec::primitive::{put_long, put_run};
use crate::codec::{Decimal, defaults, encode, time};
use crate::schema::{Field, Kind, Logical, NodeId, Schema};

type Result<T> = std::result::Result<T, JsonFault>;

pub(super) fn datum(schema: &Schema, value: &Value) -> Result<Vec<u8>> {
    let mut writer = Writer {
        schema,
        out: Vec::new(),
        path: String::new(),
    };
    writer.node(schema.root, value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    schema: &'a Schema,
    out: Vec<u8>,
    path: String,
}

impl Writer<'_> {
    fn fault<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(JsonFault {
            path: self.path.clone(),
            message: message.into(),
        })
    }

    fn misfit<T>(&self, id: NodeId, value: &Value) -> Result<T> {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.fault(format!("{found} does not fit {}", self.schema.describe(id)))
    }

    /// Runs `inner` with the path extended by `.name` or `[3]`.
    fn within<T>(&mut self, part: &str, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let length = self.path.len();
        if length > 0 && !part.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(part);
        let result = inner(self);
        self.path.truncate(length);
        result
    }

    fn node(&mut self, id: NodeId, value: &Value, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return self.fault(format!("the value nests deeper than {DEPTH_MAX}"));
        }
        let schema = self.schema;
        let node = schema.node(id);
        if let Some(logical) = &node.logical
            && self.meaning(id, &node.kind, logical, value)?
        {
            return Ok(());
        }
        match (&node.kind, value) {
            (Kind::Union(branches), value) => self.union(id, branches, value, depth)?,
            (Kind::Null, Value::Null) => {}
            (Kind::Boolean, Value::Bool(value)) => self.out.push(u8::from(*value)),
            (Kind::Int, Value::Number(number)) => match number.as_i64().map(i32::try_from) {
                Some(Ok(value)) => put_long(value.into(), &mut self.out),
                _ => return self.fault(format!("{number} does not fit an int of 32 bits")),
            },
            (Kind::Long, Value::Number(number)) => match number.as_i64() {
                Some(value) => put_long(value, &mut self.out),
                None => return self.fault(format!("{number} does not fit a long of 64 bits")),
            },
            (Kind::Float, value) => match floating(value) {
                Some(wide) if (wide as f32).is_finite() || !wide.is_finite() => {
                    self.out.extend_from_slice(&(wide as f32).to_le_bytes());
                }
                Some(_) => return self.fault("the number does not fit a float"),
                None => return self.misfit(id, value),
            },
            (Kind::Double, value) => match floating(value) {
                Some(wide) => self.out.extend_from_slice(&wide.to_le_bytes()),
                None => return self.misfit(id, value),
            },
            (Kind::String, Value::String(text)) => put_run(text.as_bytes(), &mut self.out),
            (Kind::Bytes, Value::String(text)) => {
                let bytes = self.base64(text)?;
                put_run(&bytes, &mut self.out);
            }
            (Kind::Fixed { size }, Value::String(text)) => {
                let bytes = self.base64(text)?;
                if bytes.len() != *size as usize {
                    return self.fault(format!(
                        "{} bytes do not fit a fixed of {size}",
                        bytes.len()
                    ));
                }
                self.out.extend_from_slice(&bytes);
            }
            (Kind::Enum { symbols, .. }, Value::String(text)) => {
                match symbols.iter().position(|symbol| **symbol == **text) {
                    Some(at) => put_long(at as i64, &mut self.out),
                    None => {
                        let list: Vec<&str> = symbols.iter().take(20).map(|s| &**s).collect();
                        return self.fault(format!(
                            "the text is no symbol of the enum; it has {}",
                            list.join(", ")
                        ));
                    }
                }
            }
            (Kind::Array(items), Value::Array(list)) => {
                if !list.is_empty() {
                    put_long(list.len() as i64, &mut self.out);
                }
                for (i, item) in list.iter().enumerate() {
                    self.within(&format!("[{i}]"), |this| this.node(*items, item, depth + 1))?;
                }
                self.out.push(0);
            }
            (Kind::Map(values), Value::Object(entries)) => {
                if !entries.is_empty() {
                    put_long(entries.len() as i64, &mut self.out);
                }
                for (key, value) in entries {
                    put_run(key.as_bytes(), &mut self.out);
                    self.within(key, |this| this.node(*values, value, depth + 1))?;
                }
                self.out.push(0);
            }
            (Kind::Record(fields), Value::Object(object)) => {
                let known = |key: &str| fields.iter().any(|field| *field.name == *key);
                if let Some(unknown) = object.keys().find(|key| !known(key)) {
                    return self.unknown(unknown, fields);
                }
                for field in fields {
                    match (object.get(&*field.name), &field.default) {
                        (Some(value), _) => {
                            self.within(&field.name, |this| this.node(field.ty, value, depth + 1))?;
                        }
                        (None, Some(default)) => {
                            match defaults::encode(schema, field.ty, default) {
                                Ok(bytes) => self.out.extend_from_slice(&bytes),
                                Err(fault) => {
                                    return self
                                        .within(&field.name, |this| this.fault(fault.message));
                                }
                            }
                        }
                        (None, None) => {
                            return self.fault(format!("the field {} is missing", field.name));
                        }
                    }
                }
            }
            (_, value) => return self.misfit(id, value),
        }
        Ok(())
    }

    fn unknown(&self, key: &str, fields: &[Field]) -> Result<()> {
        let close = fields
            .iter()
            .map(|field| (strsim::damerau_levenshtein(key, &field.name), field))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| *distance <= 2);
        match close {
            Some((_, field)) => self.fault(format!(
                "there is no field {key:?}; did you mean {:?}?",
                field.name
            )),
            None => self.fault(format!("there is no field {key:?}")),
        }
    }

    fn union(
        &mut self,
        id: NodeId,
        branches: &[NodeId],
        value: &Value,
        depth: usize,
    ) -> Result<()> {
        let schema = self.schema;
        if let Some((name, inner)) = chosen(value) {
            let short = |full: &str| full.rsplit('.').next() == Some(name);
            let at = branches
                .iter()
                .position(|b| branch_name(schema, *b) == name);
            let at = at.or_else(|| branches.iter().position(|b| short(branch_name(schema, *b))));
            return match at {
                Some(at) => {
                    put_long(at as i64, &mut self.out);
                    self.node(branches[at], inner, depth + 1)
                }
                None => self.fault(format!("{name:?} is no branch of {}", schema.describe(id))),
            };
        }
        if let Some((null, inner)) = schema.nullable(id) {
            // With one type to fit, its own fault says more than "no branch fits".
            let is_null = value.is_null();
            put_long(
                i64::from(if is_null { null } else { 1 - null }),
                &mut self.out,
            );
            return if is_null {
                Ok(())
            } else {
                self.node(inner, value, depth + 1)
            };
        }
        let start = self.out.len();
        for (at, branch) in branches.iter().enumerate() {
            put_long(at as i64, &mut self.out);
            match self.node(*branch, value, depth + 1) {
                Ok(()) => return Ok(()),
                Err(_) => self.out.truncate(start),
            }
        }
        self.misfit(id, value)
    }

    /// Writes a value in the form of the node's meaning; `false` if it is to be read as its physical type.
    fn meaning(
        &mut self,
        id: NodeId,
        kind: &Kind,
        logical: &Logical,
        value: &Value,
    ) -> Result<bool> {
        let text = value.as_str();
        let units = match (logical, text) {
            (Logical::Decimal { precision, scale }, _) => {
                let number = self.decimal(value)?;
                if let Err(fault) = encode::decimal(kind, number, *precision, *scale, &mut self.out)
                {
                    return self.fault(fault.message);
                }
                return Ok(true);
            }
            (Logical::VariableScaleDecimal, _) if !value.is_object() => {
                let number = self.decimal(value)?;
                put_long(i64::from(number.scale), &mut self.out);
                let (bytes, start) = number.to_be_bytes();
                put_run(&bytes[start..], &mut self.out);
                return Ok(true);
            }
            (Logical::Uuid, Some(text)) if matches!(kind, Kind::Fixed { .. }) => {
                match encode::uuid(text) {
                    Some(bytes) => {
                        self.out.extend_from_slice(&bytes);
                        return Ok(true);
                    }
                    None => return self.fault("the text is no UUID"),
                }
            }
            (Logical::Duration, Some(text)) => match calendar_duration(text) {
                Some(parts) => {
                    parts
                        .iter()
                        .for_each(|part| self.out.extend_from_slice(&part.to_le_bytes()));
                    return Ok(true);
                }
                // Base64, then.
                None => return Ok(false),
            },
            (logical, Some(text)) => match time_units(logical, text) {
                Some(units) => units,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        match units {
            Some(units) if *kind == Kind::Long || i32::try_from(units).is_ok() => {
                put_long(units, &mut self.out);
                Ok(true)
            }
            _ => self.fault(format!(
                "the text is no {} in ISO 8601 that its unit can hold",
                self.schema.describe(id)
            )),
        }
    }

    fn decimal(&self, value: &Value) -> Result<Decimal> {
        let parsed = match value {
            Value::String(text) => Decimal::parse(text),
            Value::Number(number) => Decimal::parse(&number.to_string()),
            _ => return self.fault("a decimal is a string or a number"),
        };
        parsed.or_else(|fault| self.fault(fault.to_string()))
    }

    fn base64(&self, text: &str) -> Result<Vec<u8>> {
        STANDARD
            .decode(text)
            .or_else(|_| self.fault("the text is not base64"))
    }
}

/// The units of a time written in ISO 8601, as an Avro type of this meaning keeps them: `None` inside if the text is none, or one that
/// its unit cannot hold exactly; `None` if the meaning is no time kept as a number.
pub(crate) fn time_units(logical: &Logical, text: &str) -> Option<Option<i64>> {
    Some(match logical {
        Logical::Date => time::parse_date(text),
        Logical::Timestamp { per_second } => time::parse_timestamp(text)
            .and_then(|(seconds, nanos)| time::to_units(seconds, nanos, *per_second, true).ok()),
        Logical::LocalTimestamp { per_second } => time::parse_local_timestamp(text)
            .and_then(|(seconds, nanos)| time::to_units(seconds, nanos, *per_second, true).ok()),
        Logical::Time { per_second } => time::parse_time(text).and_then(|nanos| {
            let step = 1_000_000_000 / i64::from(*per_second);
            (nanos % step == 0).then_some(nanos / step)
        }),
        Logical::Interval { per_second } => time::parse_span(text).and_then(|(seconds, nanos)| {
            time::span_to_units(seconds, nanos, *per_second, true).ok()
        }),
        _ => return None,
    })
}

/// `{"$type": name, "value": …}`.
fn chosen(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    Some((object.get("$type")?.as_str()?, object.get("value")?))
}

fn floating(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|wide| wide.is_finite()),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Avro's duration as it is written out: `P1M2DT3.004S` as months, days and milliseconds.
fn calendar_duration(text: &str) -> Option<[u32; 3]> {
    let (months, rest) = text.strip_prefix('P')?.split_once('M')?;
    let (days, seconds) = rest.split_once("DT")?;
    let millis = Decimal::parse(seconds.strip_suffix('S')?)
        .ok()?
        .rescale(3)
        .ok()?;
    Some([
        months.parse().ok()?,
        days.parse().ok()?,
        u32::try_from(millis.unscaled).ok()?,
    ])
}
