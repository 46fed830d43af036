//! `lockgate test --update`: what came out becomes what is expected. Only the expectations of cases that failed are
//! rewritten: single values in their place, so that comments and layout stay; the whole `expect` where its shape changed.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::compare::{aligned, compare};
use super::{Cases, write};
use crate::topology::fault::{Faults, Source};
use crate::topology::yaml::{self, Bounds, Data, Node};

/// A piece of the file and what stands there instead.
type Edit = (Range<usize>, String);

/// The text of the file with the expectations of these cases (index, what became of the record) set to what came out.
///
/// # Errors
/// A case whose expectation cannot be written so that it reads back.
pub fn update(cases: &Cases, failed: &[(usize, &Value)]) -> Result<String, String> {
    let file = &cases.file;
    let root = yaml::parse_within(Bounds::ROWS, file, &mut Faults::default())
        .ok_or("the file is not YAML any more")?;
    let Some(Data::List(nodes)) = root.get("cases").map(|cases| &cases.data) else {
        return Err("the file has no list of cases any more".to_owned());
    };
    let mut changes = Vec::new();
    for (index, actual) in failed {
        let node = nodes.get(*index).ok_or("a case is gone")?;
        changes.push(change(file, *index, node, actual)?);
    }
    // Nearly always all of them read back at once; else each is tried alone.
    let edits: Vec<Edit> = changes
        .iter()
        .flat_map(|change| change.in_place.as_ref().unwrap_or(&change.whole))
        .cloned()
        .collect();
    if reads_as(&file.text, nodes, &edits, &changes) {
        return Ok(applied(&file.text, edits));
    }
    let mut edits = Vec::new();
    for change in &changes {
        let mut ways = change.in_place.iter().chain([&change.whole]);
        let alone = std::slice::from_ref(change);
        let way = ways.find(|edits| reads_as(&file.text, nodes, edits, alone));
        edits.extend_from_slice(way.ok_or_else(|| {
            format!(
                "the expectation of the case `{}` cannot be rewritten here: write it by hand",
                change.name
            )
        })?);
    }
    Ok(applied(&file.text, edits))
}

fn applied(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, new) in edits {
        out.push_str(&text[at..span.start]);
        out.push_str(&new);
        at = span.end;
    }
    out.push_str(&text[at..]);
    out
}

/// How a case's expectation is to be changed.
struct Change {
    /// Index of the case.
    index: usize,
    name: String,
    /// What is to be expected.
    wanted: Value,
    /// Single values in their place, if they are enough.
    in_place: Option<Vec<Edit>>,
    /// The whole expectation.
    whole: Vec<Edit>,
}

fn change(file: &Arc<Source>, index: usize, node: &Node, actual: &Value) -> Result<Change, String> {
    let name = node.get("name").and_then(Node::text).unwrap_or_default();
    let Data::Map(entries) = &node.data else {
        return Err(format!("the case `{name}` is not a mapping"));
    };
    let Some((key, expect)) = entries.iter().find(|(key, _)| key.text() == Some("expect")) else {
        return Err(format!("the case `{name}` expects nothing"));
    };
    let wanted = projected(&expect.to_json(), actual);
    let mut edits = Vec::new();
    let in_place = in_place(file, expect, &wanted, &mut edits).then_some(edits);
    let column = file.position(key.span.start).1 - 1;
    let mut new = String::from("\n");
    write::block(&mut new, &wanted, column + 2);
    let start = key.span.end + file.text[key.span.end..].find(':').map_or(0, |at| at + 1);
    let end = end_of(file, expect).max(start);
    Ok(Change {
        index,
        name: name.to_owned(),
        wanted,
        in_place,
        whole: vec![(start..end, new)],
    })
}

/// What is to be expected: of what came out the members that the author compares; new deliveries whole.
fn projected(expected: &Value, actual: &Value) -> Value {
    let mut wanted = Map::new();
    let list = |name: &str| match &actual[name] {
        Value::Array(list) => list.clone(),
        _ => Vec::new(),
    };
    let written = |name: &str| match &expected[name] {
        Value::Array(list) => list.clone(),
        Value::Object(one) => vec![Value::Object(one.clone())],
        _ => Vec::new(),
    };
    let deliveries = list("deliveries");
    if !deliveries.is_empty() {
        wanted.insert(
            "deliveries".to_owned(),
            narrowed_list(&written("deliveries"), &deliveries),
        );
    }
    if !actual["filtered"].is_null() {
        wanted.insert("filtered".to_owned(), actual["filtered"].clone());
    }
    let mut letters = list("dead_letters");
    let mut known = written("dead_letters");
    known.extend(written("dead_letter"));
    for (at, letter) in letters.iter_mut().enumerate() {
        if let (Value::Object(letter), None) = (&mut *letter, known.get(at)) {
            // The message is for people: it may name what differs from version to version.
            letter.retain(|key, value| key != "message" && !value.is_null());
        }
    }
    let letters = narrowed_list(&known, &letters);
    match letters.as_array().map(Vec::as_slice) {
        None | Some([]) => {}
        Some([one]) if expected.get("dead_letters").is_none() => {
            wanted.insert("dead_letter".to_owned(), one.clone());
        }
        Some(_) => {
            wanted.insert("dead_letters".to_owned(), letters);
        }
    }
    // In the author's order, so that nothing moves without need.
    let mut ordered = Map::new();
    for key in expected
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        if let Some(value) = wanted.remove(key) {
            ordered.insert(key.clone(), value);
        }
    }
    ordered.extend(wanted);
    Value::Object(ordered)
}

/// Of `actual` what `expected` names, its form kept where it says the same.
fn narrowed(expected: &Value, actual: &Value) -> Value {
    let mut differences = Vec::new();
    compare("", expected, actual, &mut differences);
    if differences.is_empty() {
        return expected.clone();
    }
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), narrowed(value, actual.get(key)?))))
            .collect(),
        (Value::Array(expected), Value::Array(actual)) => narrowed_list(expected, actual),
        _ => actual.clone(),
    }
}

fn narrowed_list(expected: &[Value], actual: &[Value]) -> Value {
    aligned(expected, actual)
        .into_iter()
        .filter_map(|(at, to)| {
            let found = &actual[to?];
            Some(at.map_or_else(|| whole(found), |at| narrowed(&expected[at], found)))
        })
        .collect()
}

/// A delivery that no one expected: all of it, without what is empty.
fn whole(found: &Value) -> Value {
    match found {
        Value::Object(members) => members
            .iter()
            .filter(|(key, value)| {
                *key != "headers" || value.as_object().is_some_and(|all| !all.is_empty())
            })
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        other => other.clone(),
    }
}

/// Collects edits of single values that turn the node into `wanted`. False if its shape would have to change.
fn in_place(file: &Source, node: &Node, wanted: &Value, edits: &mut Vec<Edit>) -> bool {
    let now = node.to_json();
    if now == *wanted {
        return true;
    }
    match (&node.data, wanted) {
        (Data::Scalar { .. }, Value::Object(_) | Value::Array(_)) => false,
        (Data::Scalar { text, .. }, wanted) => {
            // An alias stands for a value that others share.
            let written = &file.text[node.span.clone()];
            let is_alias = written.starts_with('*') && !text.starts_with('*');
            if is_alias || written.is_empty() {
                return false;
            }
            let end = end_of_scalar(file, &node.span);
            edits.push((node.span.start..end, write::scalar(wanted)));
            true
        }
        (Data::List(items), Value::Array(wanted)) => {
            items.len() == wanted.len()
                && items
                    .iter()
                    .zip(wanted)
                    .all(|(item, wanted)| in_place(file, item, wanted, edits))
        }
        (Data::Map(entries), Value::Object(wanted)) => {
            entries.len() == wanted.len()
                && entries.iter().all(|(key, value)| {
                    let wanted = key.text().and_then(|key| wanted.get(key));
                    wanted.is_some_and(|wanted| in_place(file, value, wanted, edits))
                })
        }
        _ => false,
    }
}

/// Whether the file with the edits has these expectations, and is as before otherwise.
fn reads_as(text: &str, before: &[Node], edits: &[Edit], changes: &[Change]) -> bool {
    let source = Arc::new(Source::new("", applied(text, edits.to_vec())));
    let mut faults = Faults::default();
    let root = yaml::parse_within(Bounds::ROWS, &source, &mut faults);
    let cases = root.as_ref().and_then(|root| root.get("cases"));
    let Some(Data::List(after)) = cases.map(|cases| &cases.data) else {
        return false;
    };
    let mut changes = changes.iter().peekable();
    let mut pairs = before.iter().zip(after).enumerate();
    faults.is_empty()
        && before.len() == after.len()
        && pairs.all(
            |(index, (old, new))| match changes.next_if(|change| change.index == index) {
                Some(change) => {
                    new.get("expect").map(Node::to_json).as_ref() == Some(&change.wanted)
                }
                None => old.to_json() == new.to_json(),
            },
        )
}

/// Where a value ends: the span of a collection goes on to what follows it, comments included.
fn end_of(file: &Source, node: &Node) -> usize {
    let text = &file.text[node.span.clone()];
    let last = match &node.data {
        // An alias.
        _ if text.starts_with('*') => None,
        Data::List(items) => items.last(),
        Data::Map(entries) => entries.last().map(|(_, value)| value),
        Data::Scalar { .. } => None,
    };
    let close = match text.chars().next() {
        Some('{') => '}',
        Some('[') => ']',
        _ => {
            return last.map_or_else(
                || end_of_scalar(file, &node.span),
                |last| end_of(file, last),
            );
        }
    };
    let from = last.map_or(node.span.start, |last| end_of(file, last));
    file.text[from..]
        .find(close)
        .map_or(node.span.end, |at| from + at + 1)
}

/// Where a scalar ends: its span goes on to the next token, blanks and comments included.
fn end_of_scalar(file: &Source, span: &Range<usize>) -> usize {
    let text = &file.text[span.clone()];
    let len = match text.chars().next() {
        Some('"') => {
            let mut escaped = false;
            let close = text[1..].find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            });
            close.map_or(text.len(), |at| at + 2)
        }
        Some('\'') => {
            let mut at = 1;
            while let Some(quote) = text[at..].find('\'') {
                at += quote + 1;
                match text[at..].starts_with('\'') {
                    true => at += 1,
                    false => break,
                }
            }
            at
        }
        Some('|' | '>') => text.trim_end().len(),
        _ => {
            let line = text.lines().next().unwrap_or_default();
            let plain = if text.trim_end().contains('\n') && !line.contains(" #") {
                text
            } else {
                line
            };
            let end = plain.find(" #").unwrap_or(plain.len());
            plain[..end].trim_end().len()
        }
    };
    span.start + len
}
