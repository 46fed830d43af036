//! The parser's events to a tree, within bounds.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, ScalarStyle, Span};

use super::repair::{Lines, quote};
use super::{DEPTH_MAX, Data, Node};
use crate::topology::fault::{Faults, Source};

pub(super) struct Builder<'a> {
    pub source: &'a Arc<Source>,
    pub faults: &'a mut Faults,
    pub bytes: Vec<usize>,
    pub lines: Lines,
    pub repaired: &'a [usize],
    pub anchors: HashMap<usize, (Node, usize)>,
    pub nodes_max: usize,
    pub nodes: usize,
    pub stop: bool,
}

/// A collection that is still open.
enum Open {
    List(usize, Range<usize>, Vec<Node>),
    Map(usize, Range<usize>, Vec<(Node, Node)>, Option<Node>),
}

impl Builder<'_> {
    pub fn document(&mut self, events: Vec<(Event<'_>, Span)>) -> Option<Node> {
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
