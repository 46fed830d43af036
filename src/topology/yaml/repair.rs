//! Lines on which YAML stumbles over an expression: found, and quoted on the author's behalf.

use std::ops::Range;

use saphyr_parser::ScanError;

use super::{Bounds, events};
use crate::topology::fault::Source;

/// The value as a single-quoted YAML scalar.
pub fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

pub(super) struct Repair {
    pub line: usize,
    pub value: Range<usize>,
}

/// The line at or before a syntax error whose value, once quoted, lets the parser get further.
pub(super) fn repair(
    text: &str,
    bounds: Bounds,
    error: &ScanError,
    repaired: &[usize],
) -> Option<Repair> {
    let last = error.marker().line();
    let lines = Lines::new(text);
    for line in [last, last.saturating_sub(1)] {
        if line == 0 || repaired.contains(&line) {
            continue;
        }
        let Some(value) = value_of(text, lines.line(line)) else {
            continue;
        };
        if !is_balanced(&text[value.clone()]) {
            continue;
        }
        let mut tried = text.to_owned();
        tried.replace_range(value.clone(), &quote(&text[value.clone()]));
        let further = match events(&tried, bounds) {
            Ok(_) => true,
            Err(next) => next.marker().line() > last,
        };
        if further {
            return Some(Repair { line, value });
        }
    }
    None
}

/// Whether every bracket and quote of a value is closed: else it is not an expression, but a broken collection.
fn is_balanced(value: &str) -> bool {
    let mut open = Vec::new();
    let mut quote = None;
    for c in value.chars() {
        match (quote, c) {
            (Some(opened), _) if c == opened => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => open.push(c),
            (None, ')' | ']' | '}') if open.pop().is_none() => return false,
            _ => {}
        }
    }
    open.is_empty() && quote.is_none()
}

/// The bytes after `key: ` or `- ` on a line, without a comment.
fn value_of(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    let content = &text[line.clone()];
    let mut start = content.len() - content.trim_start().len();
    while content[start..].starts_with("- ") {
        start += 2;
        start += content[start..].len() - content[start..].trim_start().len();
    }
    let key = content[start..]
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .unwrap_or(0);
    if key > 0 && content[start + key..].starts_with(": ") {
        start += key + 2;
        start += content[start..].len() - content[start..].trim_start().len();
    }
    let mut end = content.len();
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in content[start..].char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if before == ' ' => {
                end = start + at;
                break;
            }
            _ => {}
        }
        before = c;
    }
    end = start + content[start..end].trim_end().len();
    (end > start).then(|| line.start + start..line.start + end)
}

/// Where the lines of a text begin.
pub(super) struct Lines(Vec<usize>, pub usize);

impl Lines {
    pub fn new(text: &str) -> Lines {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Lines(starts, text.len())
    }

    fn line(&self, line: usize) -> Range<usize> {
        let start = self.0.get(line - 1).copied().unwrap_or(self.1);
        let end = self.0.get(line).map_or(self.1, |next| next - 1);
        start..end.max(start)
    }

    /// The place in the file as written of a place in the repaired text. Repairs add a quote in front of a value.
    pub fn map(&self, source: &Source, offset: usize, repaired: &[usize]) -> usize {
        let line = self.0.partition_point(|start| *start <= offset).max(1);
        let mut column = offset - self.0[line - 1];
        let original = source.line(line);
        if repaired.contains(&line) {
            let value =
                value_of(&source.text, original.clone()).map_or(original.end, |value| value.start);
            if original.start + column > value {
                column -= 1;
            }
        }
        let mut at = (original.start + column).min(original.end);
        while !source.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Byte offsets of all characters; empty for ASCII, where they are the same.
pub(super) fn byte_table(text: &str) -> Vec<usize> {
    if text.is_ascii() {
        return Vec::new();
    }
    text.char_indices()
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()))
        .collect()
}

pub(super) fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(at, _)| at)
}
