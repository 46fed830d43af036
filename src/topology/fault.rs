//! Faults of topology files: what is wrong, where, and what to write instead.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::json;

use crate::input::{text_of, too_large};

/// A file that was read: its path as the user wrote it, and its text.
#[derive(Debug)]
pub struct Source {
    /// Path as given on the command line.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
    /// What reads the files beside it, where it is not from the disk.
    beside: Option<Beside>,
}

/// Reads a file by its path from the folder of a source.
struct Beside(Box<ReadBeside>);

type ReadBeside = dyn Fn(&str) -> io::Result<String> + Send + Sync;

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside")
    }
}

impl Source {
    /// Takes a file's text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Source {
        let text = text.into();
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Source {
            path: path.into(),
            text,
            lines,
            beside: None,
        }
    }

    /// The same, from elsewhere than the disk: `read` reads the files that it names, by their paths from its folder.
    pub fn with_beside(
        self,
        read: impl Fn(&str) -> io::Result<String> + Send + Sync + 'static,
    ) -> Source {
        let beside = Some(Beside(Box::new(read)));
        Source { beside, ..self }
    }

    /// Reads a file that it names, of so many bytes at most.
    pub fn read_beside(&self, name: &str, bytes_max: u64) -> io::Result<String> {
        let Some(Beside(read)) = &self.beside else {
            return text_of(&self.beside(name), bytes_max);
        };
        read(name).and_then(|text| match text.len() as u64 > bytes_max {
            true => Err(too_large(bytes_max)),
            false => Ok(text),
        })
    }

    /// The path of a file that it names.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// Byte range of a line (from 1), without its end of line.
    pub fn line(&self, line: usize) -> Range<usize> {
        let start = self
            .lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len());
        let end = self
            .lines
            .get(line)
            .map_or(self.text.len(), |next| next - 1);
        start..end.max(start)
    }

    /// The byte range in the file of a part of a scalar's value, given the range of the whole scalar: quotes, escapes
    /// and folded line ends are stepped over.
    pub fn within(&self, span: &Range<usize>, value: &str, part: Range<usize>) -> Range<usize> {
        let raw = &self.text[span.clone()];
        let mut at = raw.char_indices().peekable();
        let mut start = None;
        let mut end = span.end;
        for (offset, wanted) in value.char_indices() {
            while let Some((_, found)) = at.peek() {
                if *found == wanted || (found.is_whitespace() && wanted.is_whitespace()) {
                    break;
                }
                at.next();
            }
            let here = at.peek().map_or(span.end, |(here, _)| span.start + here);
            if offset >= part.start && start.is_none() {
                start = Some(here);
            }
            if offset >= part.end {
                end = here;
                break;
            }
            let found = at.next().map(|(_, found)| found);
            if found.is_some_and(char::is_whitespace) {
                while wanted == '\n' && at.peek().is_some_and(|(_, next)| next.is_whitespace()) {
                    at.next();
                }
            }
            end = at.peek().map_or(span.end, |(here, _)| span.start + here);
        }
        let start = start.unwrap_or(end);
        start..end.max(start)
    }
}

/// Whether a fault forbids the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The topology cannot run.
    Error,
    /// It can, but probably not as meant.
    Warning,
    /// Worth knowing, and nothing to mend.
    Note,
}

impl Severity {
    /// All of them, the gravest first.
    pub const ALL: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One fault of one file.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Stable code, an entry of `docs/ERRORS.md`.
    pub code: &'static str,
    /// Whether it forbids the start.
    pub severity: Severity,
    /// The file.
    pub file: Arc<Source>,
    /// The bytes at fault; empty for the file as a whole.
    pub span: Range<usize>,
    /// What is wrong, with the names involved.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// All that the message is about, where it names only some of them.
    pub names: Vec<String>,
}

impl Fault {
    /// Line and column, from 1.
    pub fn position(&self) -> (usize, usize) {
        self.file.position(self.span.start)
    }
}

/// All faults of all files, in the order of files and lines.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    /// Adds a fault, unless the same one is known: a step is compiled once per source.
    pub fn push(&mut self, fault: Fault) {
        let known = self.list.iter().any(|other| {
            other.code == fault.code
                && other.span == fault.span
                && other.message == fault.message
                && other.file.path == fault.file.path
        });
        if !known {
            self.list.push(fault);
        }
    }

    /// Makes errors of the warnings of a file.
    pub fn forbid_warnings(&mut self, file: &Arc<Source>) {
        for fault in &mut self.list {
            if Arc::ptr_eq(&fault.file, file) && fault.severity == Severity::Warning {
                fault.severity = Severity::Error;
            }
        }
    }

    /// Leaves out the others.
    pub fn keep(&mut self, wanted: impl FnMut(&Fault) -> bool) {
        self.list.retain(wanted);
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.list
            .iter()
            .filter(|fault| fault.severity == severity)
            .count()
    }

    /// `2 errors, 1 warning`; empty if there is none.
    pub fn counted(&self) -> String {
        let counts = Severity::ALL.into_iter().filter_map(|severity| {
            let count = self.count(severity);
            let end = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {}{end}", severity.as_str()))
        });
        counts.collect::<Vec<_>>().join(", ")
    }

    /// Adds an error.
    pub fn error(
        &mut self,
        code: &'static str,
        file: &Arc<Source>,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.push(Fault {
            code,
            severity: Severity::Error,
            file: file.clone(),
            span: span.clone(),
            message: message.into(),
            help: help.into(),
            names: Vec::new(),
        });
    }

    /// Whether nothing forbids the start.
    pub fn is_ok(&self) -> bool {
        self.list
            .iter()
            .all(|fault| fault.severity != Severity::Error)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter()
    }

    /// Sorts by file, line and column, as a reader meets them.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            (&a.file.path, a.span.start, a.code).cmp(&(&b.file.path, b.span.start, b.code))
        });
    }

    /// The faults as a person reads them: each with its line, a caret, and what to write instead; notes, which ask for
    /// nothing, on a line each.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for fault in &self.list {
            let path = fault.file.path.display().to_string();
            let level = match fault.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
                Severity::Note => continue,
            };
            let title = level.primary_title(fault.message.as_str()).id(fault.code);
            // A file without a text has no line to be shown.
            let mut group = match fault.file.text.as_str() {
                "" => title.element(Origin::path(path)),
                text => title.element(
                    Snippet::source(text)
                        .path(path)
                        .annotation(AnnotationKind::Primary.span(one_line(fault))),
                ),
            };
            if let Some(help) = &fault.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            text.push_str(&renderer.render(&[group]));
            text.push_str("\n\n");
        }
        let notes = |fault: &&Fault| fault.severity == Severity::Note;
        for fault in self.list.iter().filter(notes) {
            let (line, column) = fault.position();
            let path = fault.file.path.display();
            let title = Level::NOTE
                .primary_title(format!("{path}:{line}:{column}: {}", fault.message))
                .id(fault.code);
            text.push_str(&renderer.render(&[Group::with_title(title)]));
            text.push('\n');
        }
        text
    }

    /// The faults as a program reads them, `{"faults":[…]}`.
    pub fn to_json(&self) -> serde_json::Value {
        let faults: Vec<_> = self
            .list
            .iter()
            .map(|fault| {
                let (line, column) = fault.position();
                let mut json = json!({
                    "code": fault.code,
                    "severity": fault.severity.as_str(),
                    "file": fault.file.path.display().to_string(),
                    "line": line,
                    "column": column,
                    "message": fault.message,
                    "help": fault.help,
                });
                if !fault.names.is_empty() {
                    json["names"] = json!(fault.names);
                }
                json
            })
            .collect();
        json!({ "faults": faults })
    }
}

/// One fault per line, `file:line:column: code: message`: for logs. Without the position where the file has no text.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            write!(f, "{}", fault.file.path.display())?;
            if !fault.file.text.is_empty() {
                let (line, column) = fault.position();
                write!(f, ":{line}:{column}")?;
            }
            let is_last = index + 1 == self.list.len();
            let end = if is_last { "" } else { "\n" };
            write!(f, ": {}: {}{end}", fault.code, fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The fault's bytes on its first line: a caret under ten lines helps nobody.
fn one_line(fault: &Fault) -> Range<usize> {
    let text = &fault.file.text;
    let start = fault.span.start.min(text.len());
    let mut end = fault.span.end.clamp(start, text.len());
    if let Some(newline) = text[start..end].find('\n') {
        end = start + newline;
    }
    end = start + text[start..end].trim_end().len();
    start..end
}

/// The candidate nearest to a wrong word, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a, b or c`.
pub fn list_words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_quoted_value_is_found_in_the_file() {
        let text = "a: 'it''s x'\nb: >\n  one\n  two\n";
        let source = Source::new("t.yaml", text);
        let range = source.within(&(3..12), "it's x", 5..6);
        assert_eq!(&text[range], "x");
        let range = source.within(&(16..29), "one two\n", 4..7);
        assert_eq!(&text[range], "two");
    }

    #[test]
    fn columns_count_characters() {
        let source = Source::new("t.yaml", "ä: x\nb: y\n");
        assert_eq!(source.position(4), (1, 4));
        assert_eq!(source.position(6), (2, 1));
    }
}
