//! Events as JSON from a file or standard input, for `eval` and `trace`: values alone, or records as `tail --json` writes
//! them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::UsageError;
use crate::input;
use crate::topology::cases::Bytes;
use crate::words;

/// Members of a record as `tail --json` writes it.
const MEMBERS: [&str; 7] = [
    "topic",
    "partition",
    "offset",
    "timestamp",
    "key",
    "value",
    "headers",
];

/// A record as JSON.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// The topic that it came from, if it says so.
    pub topic: Option<String>,
    /// The key, if it says one.
    pub key: Option<Bytes>,
    /// The value; null for a tombstone.
    pub value: Bytes,
    /// Names and values.
    pub headers: Vec<(String, Option<String>)>,
    /// Partition, offset, timestamp in milliseconds.
    pub position: (i32, i64, Option<i64>),
}

/// Bytes of events read at most; they are in memory together.
const BYTES_MAX: u64 = 64 << 20;

/// Reads the events of a file; `-` is standard input. They follow each other, on a line each or over several.
pub fn read(path: &Path) -> Result<Vec<Event>, UsageError> {
    let name = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let text = match path == Path::new("-") {
        true => input::text(std::io::stdin(), BYTES_MAX),
        false => input::text_of(path, BYTES_MAX),
    };
    let text = text.map_err(|error| {
        let (why, help) = (words::of_io(&error), words::remedy(&error));
        UsageError(format!(
            "the event cannot be read from {name}: {why}; {help}"
        ))
    })?;
    let mut events = Vec::new();
    for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let value = value.map_err(|error| UsageError(format!("{name} is not JSON: {error}")))?;
        events.push(event(value).map_err(|why| UsageError(format!("{name}: {why}")))?);
    }
    match events.is_empty() {
        true => Err(UsageError(format!("{name} holds no event"))),
        false => Ok(events),
    }
}

/// A key given on the command line: JSON, or text where it is none.
pub fn key(text: &str) -> Bytes {
    bytes(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

fn event(value: Value) -> Result<Event, String> {
    let is_record = value.as_object().is_some_and(|members| {
        members.contains_key("value")
            && members.len() > 1
            && members.keys().all(|name| MEMBERS.contains(&name.as_str()))
    });
    let Value::Object(mut members) = value else {
        return Ok(alone(value));
    };
    if !is_record {
        return Ok(alone(Value::Object(members)));
    }
    let number = |name: &str| members.get(name).and_then(Value::as_i64);
    let time = match members.get("timestamp") {
        Some(Value::String(text)) => {
            let at: jiff::Timestamp = text
                .parse()
                .map_err(|_| format!("the timestamp `{text}` is not one of RFC 3339"))?;
            Some(at.as_millisecond())
        }
        Some(Value::Number(number)) => number.as_i64(),
        _ => None,
    };
    Ok(Event {
        topic: members
            .get("topic")
            .and_then(Value::as_str)
            .map(str::to_owned),
        position: (
            number("partition").unwrap_or(0) as i32,
            number("offset").unwrap_or(0),
            time,
        ),
        headers: headers(&members)?,
        key: members.remove("key").map(bytes),
        value: members.remove("value").map_or(Bytes::Null, bytes),
    })
}

fn alone(value: Value) -> Event {
    Event {
        topic: None,
        key: None,
        value: bytes(value),
        headers: Vec::new(),
        position: (0, 0, None),
    }
}

fn bytes(value: Value) -> Bytes {
    let raw = match &value {
        Value::Null => return Bytes::Null,
        Value::Object(members) if members.len() == 1 => members.get("$base64"),
        _ => None,
    };
    match raw.and_then(Value::as_str).map(|text| BASE64.decode(text)) {
        Some(Ok(bytes)) => Bytes::Raw(bytes),
        _ => Bytes::Json(value),
    }
}

/// Pairs of name and value, or an object.
fn headers(members: &Map<String, Value>) -> Result<Vec<(String, Option<String>)>, String> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    match members.get("headers") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(headers)) => Ok(headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()),
        Some(Value::Array(pairs)) => pairs
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([Value::String(name), value]) => Ok((name.clone(), text(value))),
                _ => Err("a header is not a pair of name and value".to_owned()),
            })
            .collect(),
        Some(_) => Err("headers are neither pairs nor an object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_may_stand_alone_or_in_a_record() {
        let plain = event(json!({ "op": "c", "value": 1 })).unwrap();
        assert_eq!(plain.value, Bytes::Json(json!({ "op": "c", "value": 1 })));
        let record = event(json!({
            "topic": "t", "partition": 3, "offset": 42, "timestamp": "1970-01-01T00:00:01Z", "key": { "$base64": "/wA=" },
            "value": null, "headers": [["a", "b"], ["c", null]],
        }))
        .unwrap();
        let expected = Event {
            topic: Some("t".to_owned()),
            key: Some(Bytes::Raw(vec![0xff, 0])),
            value: Bytes::Null,
            headers: vec![
                ("a".to_owned(), Some("b".to_owned())),
                ("c".to_owned(), None),
            ],
            position: (3, 42, Some(1_000)),
        };
        assert_eq!(record, expected);
        assert!(event(json!({ "value": 1, "headers": [1] })).is_err());
    }
}
