//! YAML text to a tree in which every node knows its bytes. Bounded in size, depth and aliases. YAML's own traps for
//! expressions (`!x` is a tag, `"a" in b` ends a scalar, `x ? y : z` holds a key) are reported with the quoted form, and
//! reading goes on as if it had been quoted, so that one trap does not hide the other faults.

mod build;
mod repair;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScanError, Span};

pub use repair::quote;

use super::fault::{Faults, Source};
use build::Builder;
use repair::{Lines, byte_of, byte_table, repair};

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
