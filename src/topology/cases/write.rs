//! JSON values as YAML text that reads back as the same values.

use std::sync::Arc;

use serde_json::Value;

use crate::topology::fault::{Faults, Source};
use crate::topology::yaml;

/// Appends a value as YAML in block style, its lines indented by `indent` blanks; no end of line behind the last.
pub fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = |out: &mut String, first: bool| {
        if !first {
            out.push('\n');
        }
        out.push_str(&" ".repeat(indent));
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (index, (key, value)) in members.iter().enumerate() {
                pad(out, index == 0);
                out.push_str(&text(key));
                out.push(':');
                below(out, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                pad(out, index == 0);
                out.push('-');
                match item {
                    Value::Object(members) if !members.is_empty() => {
                        let mut inner = String::new();
                        block(&mut inner, item, indent + 2);
                        out.push(' ');
                        out.push_str(inner.trim_start());
                    }
                    _ => below(out, item, indent),
                }
            }
        }
        _ => {
            pad(out, true);
            out.push_str(&scalar(value));
        }
    }
}

/// What follows `key:` or `-`: on the same line, or as a block below.
fn below(out: &mut String, value: &Value, indent: usize) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(out, value, indent + 2);
    } else {
        out.push(' ');
        out.push_str(&scalar(value));
    }
}

/// A value on one line.
pub fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        other => other.to_string(),
    }
}

/// Text: plain where YAML reads it back as this text, else in double quotes.
fn text(value: &str) -> String {
    let is_plain = !value.is_empty()
        && value.len() <= 200
        && value
            .chars()
            .all(|c| c.is_alphanumeric() || " _-./+@:".contains(c))
        && !value.starts_with(['-', ' ', ':', '@'])
        && !value.ends_with([' ', ':'])
        && !value.contains(": ")
        && reads_back(value);
    match is_plain {
        true => value.to_owned(),
        // JSON's escapes are YAML's.
        false => Value::String(value.to_owned()).to_string(),
    }
}

fn reads_back(value: &str) -> bool {
    let source = Arc::new(Source::new("", format!("- {value}\n")));
    let read = yaml::parse(&source, &mut Faults::default()).map(|node| node.to_json());
    read == Some(Value::Array(vec![Value::String(value.to_owned())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back() {
        let value = json!({
            "deliveries": [
                { "route": "clean", "key": "17", "value": { "total": "59.97", "note": "nöte \"x\"", "n": null, "list": [1, [true, "a b"], []] } },
                { "route": "big", "headers": {}, "at": "2026-11-22T18:08:13.411558Z", "text": "a: b # c\n- d", "empty": "" },
            ],
            "- odd: key": "null",
            "number": 0.25,
        });
        let mut text = String::new();
        block(&mut text, &value, 2);
        let source = Arc::new(Source::new("", text.clone()));
        let mut faults = Faults::default();
        let read = yaml::parse(&source, &mut faults).map(|node| node.to_json());
        assert_eq!(read, Some(value), "{text}\n{faults}");
    }
}
