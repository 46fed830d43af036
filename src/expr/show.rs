//! Values of expressions as JSON, for people and tools: the form of events as JSON, led by the type.

use serde_json::{Map, Number, Value};

use super::{Cx, Type, read, time};
use crate::codec::Val;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A value as JSON: decimals, dates and times as text, bytes in base64, NaN and the infinities as text, whole numbers
/// exact. Keys of maps that are not text are written as text.
pub fn to_json(val: Val<'_>, ty: &Type, cx: &Cx<'_>) -> Value {
    let mut text = String::new();
    // Writing to a String fails only where a time is beyond the calendar: then its number is shown.
    match (val, ty.non_null()) {
        (Val::Int(days), Type::Date) => match time::write_date(&mut text, days) {
            Ok(()) => Value::String(text),
            Err(_) => days.into(),
        },
        (Val::Duration(seconds, nanos), Type::TimeOfDay) => {
            match time::write_clock(&mut text, seconds, nanos.unsigned_abs()) {
                Ok(()) => Value::String(text),
                Err(_) => seconds.into(),
            }
        }
        (Val::Map(entries), Type::Record(schema, node)) => {
            let mut object = Map::new();
            for field in schema.fields(*node) {
                let found = entries
                    .iter()
                    .find(|(key, _)| matches!(key, Val::Str(name) if **name == *field.name));
                let (ty, view) = Type::with_view(schema, field.ty);
                let value = found.map_or(Val::Null, |(_, value)| *value);
                let shown = match value {
                    Val::Null => Value::Null,
                    value => match read::apply(&view, value, cx) {
                        Ok(value) => to_json(value, &ty, cx),
                        Err(fault) => Value::String(format!("({})", fault.message)),
                    },
                };
                object.insert(field.name.to_string(), shown);
            }
            Value::Object(object)
        }
        (Val::Null, _) => Value::Null,
        (Val::Bool(value), _) => value.into(),
        (Val::Int(value), _) => value.into(),
        (Val::Uint(value), _) => value.into(),
        (Val::Double(value), _) => {
            Number::from_f64(value).map_or_else(|| infinite(value), Value::Number)
        }
        (Val::Str(value), _) => value.into(),
        (Val::Bytes(value), _) => BASE64.encode(value).into(),
        (Val::Decimal(value), _) => value.to_string().into(),
        (Val::Timestamp(seconds, nanos), _) => {
            match time::write_timestamp(&mut text, seconds, nanos) {
                Ok(()) => Value::String(text),
                Err(_) => seconds.into(),
            }
        }
        (Val::Duration(seconds, nanos), _) => {
            match time::write_duration(&mut text, seconds, nanos) {
                Ok(()) => Value::String(text),
                Err(_) => seconds.into(),
            }
        }
        (Val::List(items), ty) => {
            let item = match ty {
                Type::List(item) => item,
                _ => &Type::Dyn,
            };
            items.iter().map(|val| to_json(*val, item, cx)).collect()
        }
        (Val::Map(entries), ty) => {
            let (key, value) = match ty {
                Type::Map(key, value) => (&**key, &**value),
                _ => (&Type::Dyn, &Type::Dyn),
            };
            let member = |(k, v): &(Val<'_>, Val<'_>)| {
                let name = match to_json(*k, key, cx) {
                    Value::String(name) => name,
                    other => other.to_string(),
                };
                (name, to_json(*v, value, cx))
            };
            Value::Object(entries.iter().map(member).collect())
        }
        (Val::Type(name), _) => name.into(),
        (Val::Optional(None), _) => Value::String("optional.none()".to_owned()),
        (Val::Optional(Some(val)), ty) => {
            let of = match ty {
                Type::Optional(of) => of,
                _ => &Type::Dyn,
            };
            let inner = to_json(*val, of, cx);
            Value::Object(Map::from_iter([("optional.of".to_owned(), inner)]))
        }
    }
}

/// As events as JSON have them.
fn infinite(value: f64) -> Value {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN".into(),
        (false, true) => "Infinity".into(),
        (false, false) => "-Infinity".into(),
    }
}
