//! Expected against actual, as differences that a person can read.

use std::fmt::{self, Write};

use serde_json::Value;

use super::write;

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

/// The path, then `- expected` and `+ actual`; larger values over several lines.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        for (sign, value) in [('-', &self.expected), ('+', &self.actual)] {
            for line in shown(value).lines() {
                write!(f, "\n  {sign} {line}")?;
            }
        }
        if let (Some(Value::String(a)), Some(Value::String(b))) = (&self.expected, &self.actual)
            && let Some(column) = parting(a, b)
        {
            write!(f, "\n    {:column$}^ from here on", "")?;
        }
        Ok(())
    }
}

/// A value on one line, or as YAML if that line were long.
fn shown(value: &Option<Value>) -> String {
    const LINE_MAX: usize = 100;
    let Some(value) = value else {
        return "nothing".to_owned();
    };
    let line = value.to_string();
    match value {
        Value::Object(_) | Value::Array(_) if line.len() > LINE_MAX => {
            let mut text = String::new();
            write::block(&mut text, value, 0);
            text
        }
        _ => line,
    }
}

/// The column at which two long texts on one line part; `None` where the eye needs no help.
fn parting(a: &str, b: &str) -> Option<usize> {
    const SHORT: usize = 12;
    let plain = |text: &str| {
        text.len() <= 160 && !text.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'))
    };
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    (plain(a) && plain(b) && same >= SHORT).then_some(same + 1)
}

/// Appends where `actual` lacks or contradicts something of `expected`. Members of `actual` that `expected` does not
/// name are not compared; lists are whole.
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
            for (at, to) in aligned(wanted, found) {
                let mut item = String::from(path);
                let _ = write!(item, "[{}]", at.or(to).unwrap_or_default());
                match (at, to) {
                    (Some(at), Some(to)) => compare(&item, &wanted[at], &found[to], differences),
                    (at, to) => differences.push(Difference {
                        path: item,
                        expected: at.map(|at| wanted[at].clone()),
                        actual: to.map(|to| found[to].clone()),
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

/// Which items of two lists belong together. Of lists that differ in length, an item that is missing must not make all
/// that follow look wrong: items are paired in order where they agree, or go the same route.
pub(super) fn aligned(wanted: &[Value], found: &[Value]) -> Vec<(Option<usize>, Option<usize>)> {
    const PAIRS_MAX: usize = 10_000;
    let (n, m) = (wanted.len(), found.len());
    if n == m || n * m > PAIRS_MAX {
        let at = |index, len| (index < len).then_some(index);
        return (0..n.max(m)).map(|i| (at(i, n), at(i, m))).collect();
    }
    let alike = |i: usize, j: usize| {
        let (a, b) = (&wanted[i], &found[j]);
        let route = a.get("route").is_some() && a.get("route") == b.get("route");
        let mut differences = Vec::new();
        if !route {
            compare("", a, b, &mut differences);
        }
        differences.is_empty()
    };
    // Longest common subsequence, from the back.
    let mut longest = vec![vec![0_usize; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            longest[i][j] = match alike(i, j) {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < n || j < m {
        if i < n && j < m && alike(i, j) {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if j == m || (i < n && longest[i + 1][j] >= longest[i][j + 1]) {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs
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

    fn differences(expected: Value, actual: Value) -> Vec<Difference> {
        let mut differences = Vec::new();
        compare("", &expected, &actual, &mut differences);
        differences
    }

    #[test]
    fn what_is_not_named_is_not_compared_and_lists_are_whole() {
        let expected = json!({ "a": { "b": 1 }, "list": [1, 2], "price": 12.5 });
        let actual = json!({ "a": { "b": 2, "c": 3 }, "list": [1], "price": "12.5" });
        let found = differences(expected, actual);
        let paths: Vec<_> = found
            .iter()
            .map(|difference| difference.path.as_str())
            .collect();
        assert_eq!(paths, ["a.b", "list[1]"]);
    }

    #[test]
    fn a_missing_delivery_does_not_make_the_next_one_wrong() {
        let expected = json!([{ "route": "clean", "n": 1 }, { "route": "big", "n": 2 }]);
        let found = differences(expected, json!([{ "route": "big", "n": 3 }]));
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "[0]\n  - {\"route\":\"clean\",\"n\":1}\n  + nothing",
                "[1].n\n  - 2\n  + 3"
            ]
        );
    }

    #[test]
    fn long_texts_are_told_apart_and_large_values_get_lines() {
        let found = differences(json!("the quick brown fox"), json!("the quick brown dog"));
        assert_eq!(
            found[0].to_string(),
            "\n  - \"the quick brown fox\"\n  + \"the quick brown dog\"\n                     ^ from here on"
        );
        let found = differences(json!({ "a": { "b": "x".repeat(100) } }), json!({}));
        let told = format!("a\n  - b: {}\n  + nothing", "x".repeat(100));
        assert_eq!(found[0].to_string(), told);
    }
}
