//! YAML text to a tree in which every node knows its bytes. Bounded in size, depth and aliases. YAML's own traps for
//! expressions (`!x` is a tag, `"a" in b` ends a scalar, `x ? y : z` holds a key) are reported with the quoted form, and
//! reading goes on as if it had been quoted, so that one trap does not hide the other faults.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::fault::{Faults, Source};

/// Nesting beyond this is refused.
pub const DEPTH_MAX: usize = 32;

/// How large a file may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A file beyond this is refused.
    pub bytes: usize,
    /// Nodes beyond this, aliases expanded, are refused.
    pub nodes: usize,
}

impl Bounds {
    /// Of what a person writes: a topology.
    pub const TOPOLOGY: Bounds = Bounds {
        bytes: 1 << 20,
        nodes: 50_000,
    };
    /// Of what may be written by a program: test cases, the rows of a table.
    pub const ROWS: Bounds = Bounds {
        bytes: 16 << 20,
        nodes: 2_000_000,
    };
}

/// Lines that are quoted on the author's behalf before giving up.
const REPAIRS_MAX: usize = 32;

/// A YAML node and the bytes that it was read from.
#[derive(Debug, Clone)]
pub struct Node {
    /// Byte range in the file.
    pub span: Range<usize>,
    /// What it is.
    pub data: Data,
}

/// The content of a node.
#[derive(Debug, Clone)]
pub enum Data {
    /// A scalar. `quoted` ones are text whatever they look like.
    Scalar {
        /// The value, unescaped.
        text: String,
        /// Whether it was quoted or a block.
        quoted: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file, duplicates included.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is YAML's null: nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, quoted: false } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.data {
            Data::Map(entries) => entries
                .iter()
                .find(|(name, _)| name.text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            _ if self.is_null() => "nothing",
            Data::Scalar { .. } => "a single value",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The node as JSON: quoted scalars are strings, plain ones are what they look like. Numbers keep every digit.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Scalar { text, quoted: true } => Value::String(text.clone()),
            Data::Scalar { text, .. } => match text.as_str() {
                "" | "~" | "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                other => match serde_json::from_str::<serde_json::Number>(other) {
                    Ok(number) => Value::Number(number),
                    Err(_) => Value::String(other.to_owned()),
                },
            },
            Data::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Data::Map(entries) => {
                let is_merge = |key: &Node| key.text() == Some("<<");
                let mut object = serde_json::Map::new();
                // `<<: *anchor`, YAML's merge key: what stands beside it wins.
                for (_, merged) in entries.iter().filter(|(key, _)| is_merge(key)) {
                    if let Value::Object(merged) = merged.to_json() {
                        object.extend(merged);
                    }
                }
                for (key, value) in entries.iter().filter(|(key, _)| !is_merge(key)) {
                    object.insert(key.text().unwrap_or_default().to_owned(), value.to_json());
                }
                Value::Object(object)
            }
        }
    }
}

/// Reads the one document of a topology. `None` if nothing could be made of it; the faults say why.
pub fn parse(source: &Arc<Source>, faults: &mut Faults) -> Option<Node> {
    parse_within(Bounds::TOPOLOGY, source, faults)
}

/// As [`parse`], of a file that may be larger or not as large.
pub fn parse_within(bounds: Bounds, source: &Arc<Source>, faults: &mut Faults) -> Option<Node> {
    let whole = 0..0;
    let before = faults.iter().count();
    let (size, most) = (source.text.len(), bounds.bytes);
    if size > most {
        let message = format!("the file has {size} bytes; at most {most} are read");
        let help = "make several of it".to_owned();
        faults.error("yaml_limit", source, &whole, message, help);
        return None;
    }
    let mut text = source.text.clone();
    let mut repaired = Vec::new();
    let events = loop {
        match events(&text, bounds) {
            Ok(events) => break events,
            Err(error) => match repair(&text, bounds, &error, &repaired) {
                Some(repair) if repaired.len() < REPAIRS_MAX => {
                    let value = &text[repair.value.clone()];
                    let original = Lines::new(&text).map(source, repair.value.start, &repaired);
                    let span = original..(original + value.len()).min(source.text.len());
                    faults.error(
                        "yaml_quote",
                        source,
                        &span,
                        "YAML does not read this expression as one value",
                        format!("quote it: {}", quote(value)),
                    );
                    let quoted = quote(value);
                    text.replace_range(repair.value.clone(), &quoted);
                    repaired.push(repair.line);
                }
                _ => {
                    let offset = byte_of(&text, error.marker().index());
                    let at = Lines::new(&text).map(source, offset, &repaired);
                    let end = source.text[at..]
                        .chars()
                        .next()
                        .map_or(at, |c| at + c.len_utf8());
                    faults.error(
                        "yaml_syntax",
                        source,
                        &(at..end),
                        format!("this is not YAML: {}", error.info()),
                        "check the indentation; quote values that hold `: `, ` #`, or begin with one of `\"'!&*[{|>@%`"
                            .to_owned(),
                    );
                    return None;
                }
            },
        }
    };
    let mut builder = Builder {
        source,
        faults,
        bytes: byte_table(&text),
        lines: Lines::new(&text),
        repaired: &repaired,
        anchors: HashMap::new(),
        nodes_max: bounds.nodes,
        nodes: 0,
        stop: false,
    };
    let root = builder.document(events);
    if root.is_none() && faults.iter().count() == before {
        let help = "a topology begins with `id: …`, a file of test cases with `cases:`".to_owned();
        faults.error(
            "yaml_documents",
            source,
            &whole,
            "the file holds nothing",
            help,
        );
    }
    root
}

/// The value as a single-quoted YAML scalar.
pub fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn events(text: &str, bounds: Bounds) -> Result<Vec<(Event<'_>, Span)>, ScanError> {
    let mut parser = Parser::new_from_str(text);
    let mut events = Vec::new();
    // A node has two events at most, and few are open at once: more than these are refused when nodes are made of them.
    while let Some(event) = parser.next_event() {
        events.push(event?);
        if events.len() > 2 * bounds.nodes + 128 {
            break;
        }
    }
    Ok(events)
}

struct Repair {
    line: usize,
    value: Range<usize>,
}

/// The line at or before a syntax error whose value, once quoted, lets the parser get further.
fn repair(text: &str, bounds: Bounds, error: &ScanError, repaired: &[usize]) -> Option<Repair> {
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
struct Lines(Vec<usize>, usize);

impl Lines {
    fn new(text: &str) -> Lines {
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
    fn map(&self, source: &Source, offset: usize, repaired: &[usize]) -> usize {
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
fn byte_table(text: &str) -> Vec<usize> {
    if text.is_ascii() {
        return Vec::new();
    }
    text.char_indices()
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()))
        .collect()
}

fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(at, _)| at)
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    faults: &'a mut Faults,
    bytes: Vec<usize>,
    lines: Lines,
    repaired: &'a [usize],
    anchors: HashMap<usize, (Node, usize)>,
    nodes_max: usize,
    nodes: usize,
    stop: bool,
}

/// A collection that is still open.
enum Open {
    List(usize, Range<usize>, Vec<Node>),
    Map(usize, Range<usize>, Vec<(Node, Node)>, Option<Node>),
}

impl Builder<'_> {
    fn document(&mut self, events: Vec<(Event<'_>, Span)>) -> Option<Node> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        let mut documents = 0;
        for (event, span) in events {
            if self.stop {
                return None;
            }
            let span = self.span(span);
            let done = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents == 2 {
                        self.fault(
                            "yaml_documents",
                            &span,
                            "a second document begins here",
                            "one topology per file",
                        );
                        return root;
                    }
                    None
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let mut span = span;
                    let mut text = text.into_owned();
                    if let Some(tag) = tag {
                        (text, span) = self.tagged(&tag.to_string(), text, span);
                    }
                    let quoted = !matches!(style, ScalarStyle::Plain);
                    Some((
                        Node {
                            span,
                            data: Data::Scalar { text, quoted },
                        },
                        anchor,
                        1,
                    ))
                }
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some((node, size)) => {
                        let node = Node {
                            span,
                            data: node.data.clone(),
                        };
                        Some((node, 0, *size))
                    }
                    None => {
                        self.fault(
                            "yaml_limit",
                            &span,
                            "this alias stands inside its own anchor",
                            "write the value out",
                        );
                        return None;
                    }
                },
                Event::SequenceStart(anchor, tag) => {
                    self.no_tag(tag.is_some(), &span);
                    open.push(Open::List(anchor, span, Vec::new()));
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.no_tag(tag.is_some(), &span);
                    open.push(Open::Map(anchor, span, Vec::new(), None));
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(Open::List(anchor, start, items)) => Some((
                        Node {
                            span: start.start..span.end.max(start.end),
                            data: Data::List(items),
                        },
                        anchor,
                        1,
                    )),
                    Some(Open::Map(anchor, start, entries, _)) => Some((
                        Node {
                            span: start.start..span.end.max(start.end),
                            data: Data::Map(entries),
                        },
                        anchor,
                        1,
                    )),
                    None => None,
                },
                _ => None,
            };
            if open.len() > DEPTH_MAX {
                let message = format!("nested deeper than {DEPTH_MAX} levels");
                self.fault("yaml_limit", &(0..0), &message, "flatten it");
                return None;
            }
            let Some((node, anchor, size)) = done else {
                continue;
            };
            self.nodes += size;
            if self.nodes > self.nodes_max {
                let most = self.nodes_max;
                let message =
                    format!("more than {most} values, aliases counted where they are used");
                let help = "make several files of it, or use fewer aliases";
                self.fault("yaml_limit", &node.span, &message, help);
                return None;
            }
            if anchor > 0 {
                let size = count(&node);
                self.anchors.insert(anchor, (node.clone(), size));
            }
            match open.last_mut() {
                None => root = Some(node),
                Some(Open::List(_, _, items)) => items.push(node),
                Some(Open::Map(_, _, entries, key)) => match key.take() {
                    None => *key = Some(node),
                    Some(key) => entries.push((key, node)),
                },
            }
        }
        root
    }

    /// A scalar behind a tag: nearly always an expression that begins with `!`.
    fn tagged(&mut self, tag: &str, text: String, span: Range<usize>) -> (String, Range<usize>) {
        let line = self.source.position(span.start).0;
        let from = self.source.line(line).start;
        let before = &self.source.text[from..span.end.max(from)];
        let start = before.rfind(tag).map_or(span.start, |at| from + at);
        let value = if text.is_empty() {
            tag.to_owned()
        } else {
            format!("{tag} {text}")
        };
        let end = span
            .end
            .max((start + tag.len()).min(self.source.text.len()));
        let span = start..end;
        let help = format!("quote it: {}", quote(&value));
        self.fault(
            "yaml_tag",
            &span,
            "YAML reads this `!` as a tag, not as `not`",
            &help,
        );
        (value, span)
    }

    fn no_tag(&mut self, tagged: bool, span: &Range<usize>) {
        if tagged {
            self.fault(
                "yaml_tag",
                span,
                "YAML tags have no meaning here",
                "remove the tag",
            );
        }
    }

    fn fault(&mut self, code: &'static str, span: &Range<usize>, message: &str, help: &str) {
        self.faults
            .error(code, self.source, span, message, help.to_owned());
    }

    fn span(&self, span: Span) -> Range<usize> {
        let byte = |index: usize| match self.bytes.as_slice() {
            [] => index,
            table => table.get(index).copied().unwrap_or(self.lines.1),
        };
        let start = self
            .lines
            .map(self.source, byte(span.start.index()), self.repaired);
        let end = self
            .lines
            .map(self.source, byte(span.end.index()), self.repaired);
        start..end.max(start)
    }
}

fn count(node: &Node) -> usize {
    match &node.data {
        Data::Scalar { .. } => 1,
        Data::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Data::Map(entries) => {
            1 + entries
                .iter()
                .map(|(key, value)| count(key) + count(value))
                .sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code, line, column, help.
    type Found = (&'static str, usize, usize, Option<String>);

    fn read(text: &str) -> (Option<Node>, Vec<Found>) {
        let source = Arc::new(Source::new("t.yaml", text));
        let mut faults = Faults::default();
        let node = parse(&source, &mut faults);
        let list = faults
            .iter()
            .map(|fault| {
                let (line, column) = fault.position();
                (fault.code, line, column, fault.help.clone())
            })
            .collect();
        (node, list)
    }

    #[test]
    fn every_node_knows_its_bytes() {
        let text = "ä: 'x y'\nlist:\n  - one # why\n  - \"tw\\no\"\nflow: {a: b, c: [d]}\n";
        let (node, faults) = read(text);
        let node = node.unwrap();
        assert!(faults.is_empty());
        assert_eq!(&text[node.get("ä").unwrap().span.clone()], "'x y'");
        let Data::List(items) = &node.get("list").unwrap().data else {
            panic!("not a list")
        };
        assert_eq!(&text[items[0].span.clone()], "one");
        assert_eq!(&text[items[1].span.clone()], "\"tw\\no\"");
        assert_eq!(items[1].text(), Some("tw\no"));
        assert_eq!(
            &text[node.get("flow").unwrap().get("a").unwrap().span.clone()],
            "b"
        );
    }

    #[test]
    fn traps_are_named_with_the_quoted_form_and_reading_goes_on() {
        let text = "a: \"c\" in event.op\nb: !out.vip\nc: x ? 'y' : 'z'\nd: fine\n";
        let (node, faults) = read(text);
        let node = node.expect("the rest is read");
        assert_eq!(node.get("a").unwrap().text(), Some("\"c\" in event.op"));
        assert_eq!(node.get("b").unwrap().text(), Some("!out.vip"));
        assert_eq!(node.get("c").unwrap().text(), Some("x ? 'y' : 'z'"));
        assert_eq!(node.get("d").unwrap().text(), Some("fine"));
        let mut faults: Vec<_> = faults
            .into_iter()
            .map(|(code, line, column, help)| (code, line, column, help.unwrap()))
            .collect();
        faults.sort_by_key(|fault| fault.1);
        assert_eq!(
            faults,
            [
                (
                    "yaml_quote",
                    1,
                    4,
                    "quote it: '\"c\" in event.op'".to_owned()
                ),
                ("yaml_tag", 2, 4, "quote it: '!out.vip'".to_owned()),
                (
                    "yaml_quote",
                    3,
                    4,
                    "quote it: 'x ? ''y'' : ''z'''".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn hostile_files_are_refused_and_bounded() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert_eq!(read(&bomb).1[0].0, "yaml_limit");
        assert_eq!(read(&"[".repeat(5_000)).1.len(), 1);
        assert_eq!(
            read(&format!("a: {}", "[".repeat(100) + &"]".repeat(100))).1[0].0,
            "yaml_limit"
        );
        assert_eq!(
            read(&"x".repeat(Bounds::TOPOLOGY.bytes + 1)).1[0].0,
            "yaml_limit"
        );
        assert_eq!(read("a: &x [*x]\n").1[0].0, "yaml_limit");
        assert_eq!(read("a: 1\n---\nb: 2\n").1[0].0, "yaml_documents");
        assert_eq!(read("a: b\n c: [\n").1[0].0, "yaml_syntax");
    }
}
