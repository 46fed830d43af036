//! Expected against actual, as differences that a person can read.

use std::fmt;

use serde_json::Value;

/// One place where what came out differs from what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, dotted: `deliveries[0].value.total`.
    pub path: String,
    /// What was expected; `None` for nothing.
    pub expected: Option<Value>,
    /// What came; `None` for nothing.
    pub actual: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        writeln!(f, "{}", self.path)?;
        writeln!(f, "  - {}", show(&self.expected))?;
        write!(f, "  + {}", show(&self.actual))
    }
}

/// Appends where `actual` lacks or contradicts something of `expected`. Members of `actual` that `expected` does not
/// name are not compared.
pub fn compare(path: &str, expected: &Value, actual: &Value, differences: &mut Vec<Difference>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, wanted) in expected {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match actual.get(key) {
                    Some(found) => compare(&path, wanted, found, differences),
                    None => differences.push(Difference {
                        path,
                        expected: Some(wanted.clone()),
                        actual: None,
                    }),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) => {
            for index in 0..wanted.len().max(found.len()) {
                let path = format!("{path}[{index}]");
                match (wanted.get(index), found.get(index)) {
                    (Some(wanted), Some(found)) => compare(&path, wanted, found, differences),
                    (wanted, found) => differences.push(Difference {
                        path,
                        expected: wanted.cloned(),
                        actual: found.cloned(),
                    }),
                }
            }
        }
        _ if equal(expected, actual) => {}
        _ => differences.push(Difference {
            path: path.to_owned(),
            expected: Some(expected.clone()),
            actual: Some(actual.clone()),
        }),
    }
}

/// Equal as a person reads it: numbers by value, and a number in YAML equals the same digits as text (a decimal).
fn equal(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(a), Value::Number(b)) => {
            a.to_string() == b.to_string() || (a.as_i64().is_none() && a.as_f64() == b.as_f64())
        }
        (Value::Number(a), Value::String(b)) => a.to_string() == *b,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_named_is_not_compared_and_lists_are_whole() {
        let mut differences = Vec::new();
        let expected = json!({ "a": { "b": 1 }, "list": [1, 2], "price": 12.5 });
        let actual = json!({ "a": { "b": 2, "c": 3 }, "list": [1], "price": "12.5" });
        compare("", &expected, &actual, &mut differences);
        let paths: Vec<_> = differences
            .iter()
            .map(|difference| difference.path.as_str())
            .collect();
        assert_eq!(paths, ["a.b", "list[1]"]);
    }
}
