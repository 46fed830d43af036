//! YAML tree -> `Spec`, by the table of keys. First the whole tree is checked against the table, so that every unknown,
//! missing, doubled and mistyped key of a file is known; then what is well-formed is taken over.

mod meant;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use meant::{meant, mend, unclear};

use super::fault::{Faults, Source, list_words, nearest};
use super::keys::{self, Kind, Object};
use super::spec::{
    ActionSpec, AvroSpec, DeadLetterSpec, KafkaSpec, KeySpec, MapSpec, RouteSpec, SourceSpec, Spec,
    StepSpec, TableSpec, Text, VarSpec, Words,
};
use super::yaml::{Data, Node};

/// Checks a tree against the table and takes over what is well-formed.
pub fn read(file: &Arc<Source>, root: &Node, faults: &mut Faults) -> Spec {
    let mut shape = Shape { file, faults };
    shape.object(root, &keys::TOPOLOGY);
    // What was misspelt has had its fault: read as it was meant, it hides nothing and has no others.
    let mut root = root.clone();
    mend(&mut root, &keys::TOPOLOGY);
    let root = &root;
    let steps = list(root, "steps")
        .map(|node| step(&mut shape, node))
        .collect();
    Spec {
        file: file.clone(),
        id: text(root, "id"),
        description: text(root, "description"),
        connection: text(root, "connection"),
        vars: entries(root, "vars").map(variable).collect(),
        tables: entries(root, "tables").map(table).collect(),
        sources: list(root, "sources").map(source).collect(),
        ordering: text(root, "ordering"),
        delivery: text(root, "delivery"),
        strict: text(root, "strict").is_some_and(|text| text.value == "true"),
        steps,
        matching: text(root, "match"),
        routes: list(root, "routes").map(route).collect(),
        routes_span: root
            .get("routes")
            .map_or(0..0, |node| node.span.start..node.span.start),
        unmatched: text(root, "unmatched"),
        dead_letter: root.get("dead_letter").map(|node| DeadLetterSpec {
            connection: text(node, "connection"),
            topic: text(node, "topic"),
            cleared_for: list(node, "cleared_for").filter_map(taken).collect(),
            unclear: unclear(node, &keys::DEAD_LETTER),
        }),
        unclear: unclear(root, &keys::TOPOLOGY),
    }
}

/// Checks a tree against the table of an object.
pub fn check_shape(file: &Arc<Source>, root: &Node, object: &'static Object, faults: &mut Faults) {
    Shape { file, faults }.object(root, object);
}

// === the tree against the table ===

struct Shape<'a> {
    file: &'a Arc<Source>,
    faults: &'a mut Faults,
}

impl Shape<'_> {
    fn error(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: String,
        help: impl Into<Option<String>>,
    ) {
        self.faults.error(code, self.file, span, message, help);
    }

    fn object(&mut self, node: &Node, object: &'static Object) {
        let Data::Map(entries) = &node.data else {
            let keys = list_words(object.keys.iter().map(|key| key.name));
            let message = format!("a {} is a mapping, this is {}", object.name, node.kind());
            return self.error(
                "wrong_type",
                &node.span,
                message,
                format!("its keys are {keys}"),
            );
        };
        self.no_duplicates(entries);
        for (name, value) in entries {
            let Some(text) = name.text() else {
                self.error(
                    "wrong_type",
                    &name.span,
                    "a key is a single word".to_owned(),
                    None,
                );
                continue;
            };
            if let Some(key) = object.keys.iter().find(|key| key.name == text) {
                if value.is_null() && !matches!(key.kind, Kind::Json) {
                    let message = format!("`{text}` has no value");
                    self.error(
                        "wrong_type",
                        &name.span,
                        message,
                        format!("write `{}`", key.example),
                    );
                } else {
                    self.value(value, &key.kind, text, key.example);
                }
            } else if keys::LATER.contains(&(object.name, text)) {
                let message = format!(
                    "a {} with `{text}` is not available in this version",
                    object.name
                );
                self.error(
                    "not_available",
                    &name.span,
                    message,
                    "use `kafka`".to_owned(),
                );
            } else {
                if let Some(key) = meant(object, entries, text)
                    && !value.is_null()
                {
                    self.value(value, &key.kind, key.name, key.example);
                }
                let known = object.keys.iter().map(|key| key.name);
                let help = match nearest(text, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys of a {} are {}", object.name, list_words(known)),
                };
                let message = format!("a {} has no key `{text}`", object.name);
                self.error("unknown_key", &name.span, message, help);
            }
        }
        for key in object.keys.iter().filter(|key| key.required) {
            let later = entries.iter().any(|(name, _)| {
                keys::LATER
                    .iter()
                    .any(|later| later.0 == object.name && name.text() == Some(later.1))
            });
            let is_misspelt = entries.iter().any(|(name, _)| {
                let meant = name.text().and_then(|text| meant(object, entries, text));
                meant.is_some_and(|meant| meant.name == key.name)
            });
            if node.get(key.name).is_none() && !is_misspelt && !(later && key.name == "kafka") {
                let start = node.span.start;
                let line = self.file.line(self.file.position(start).0);
                let span = start..line.end.max(start).min(node.span.end.max(start));
                let message = format!("this {} has no `{}`", object.name, key.name);
                self.error(
                    "missing_key",
                    &span,
                    message,
                    format!("add `{}`", key.example),
                );
            }
        }
    }

    fn no_duplicates(&mut self, entries: &[(Node, Node)]) {
        let mut seen = HashSet::new();
        for (name, _) in entries {
            if let Some(text) = name.text()
                && !seen.insert(text)
            {
                let message = format!("the key `{text}` stands here twice");
                self.error(
                    "duplicate_key",
                    &name.span,
                    message,
                    "remove one of them".to_owned(),
                );
            }
        }
    }

    fn value(&mut self, node: &Node, kind: &'static Kind, name: &str, example: &str) {
        match kind {
            Kind::Json => {}
            Kind::Object(object) => self.object(node, object),
            Kind::Either(word, object) => match node.data {
                Data::Map(_) => self.object(node, object),
                _ => self.value(node, word, name, example),
            },
            Kind::List(item) => match &node.data {
                Data::List(items) => {
                    if items.is_empty() && matches!(item, Kind::Object(_)) && name != "steps" {
                        let message = format!("`{name}` is empty");
                        self.error(
                            "wrong_value",
                            &node.span,
                            message,
                            format!("write `{example}`"),
                        );
                    }
                    for node in items {
                        self.value(node, item, name, example);
                    }
                }
                _ => self.mistyped(node, name, "a list", example),
            },
            Kind::Map(item) => match &node.data {
                Data::Map(entries) => {
                    self.no_duplicates(entries);
                    for (key, node) in entries {
                        if key.is_null() || key.text().is_none_or(str::is_empty) {
                            self.error(
                                "wrong_type",
                                &key.span,
                                "a name is a single word".to_owned(),
                                None,
                            );
                        }
                        self.value(node, item, key.text().unwrap_or_default(), example);
                    }
                }
                _ => self.mistyped(node, name, "a mapping", example),
            },
            scalar => match node.text() {
                Some(text) if !node.is_null() => self.scalar(node, text, scalar, name),
                _ if matches!(scalar, Kind::Scalar) && node.is_null() => {
                    self.mistyped(node, name, "a value", example);
                }
                _ => self.mistyped(node, name, "a single value", example),
            },
        }
    }

    fn mistyped(&mut self, node: &Node, name: &str, wanted: &str, example: &str) {
        let message = format!("`{name}` is {wanted}, this is {}", node.kind());
        self.error(
            "wrong_type",
            &node.span,
            message,
            format!("write `{example}`"),
        );
    }

    fn scalar(&mut self, node: &Node, text: &str, kind: &'static Kind, name: &str) {
        match kind {
            Kind::Words(words) => {
                if words.iter().any(|word| word.word == text) {
                    return;
                }
                let known = words.iter().map(|word| word.word);
                let help = match nearest(text, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {}", list_words(known)),
                };
                let all = list_words(words.iter().map(|word| word.word));
                let message = format!("`{name}` is {all}, not `{text}`");
                self.error("wrong_value", &node.span, message, help);
            }
            Kind::Flag if !matches!(text, "true" | "false") => {
                let message = format!("`{name}` is true or false, not `{text}`");
                self.error("wrong_value", &node.span, message, None);
            }
            Kind::Name => {
                let fits = text.len() <= 128
                    && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
                if !fits {
                    let message = format!("`{text}` is not a name");
                    let help = "letters, digits, `_`, `-` and `.`, beginning with a letter or digit, at most 128";
                    self.error("bad_name", &node.span, message, help.to_owned());
                }
            }
            Kind::Path => {
                let fits = text.split('.').all(|part| {
                    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                });
                if !fits {
                    let message = format!("`{name}` is a path to a record, not an expression");
                    let help = "write `event.after`, `event`, `out` or a longer path; expressions belong under `set`";
                    self.error("wrong_value", &node.span, message, help.to_owned());
                }
            }
            _ => {}
        }
    }
}

// === what is well-formed ===

fn taken(node: &Node) -> Option<Text> {
    match &node.data {
        Data::Scalar { text, .. } if !node.is_null() => Some(Text {
            value: text.clone(),
            span: node.span.clone(),
        }),
        _ => None,
    }
}

fn text(node: &Node, key: &str) -> Option<Text> {
    node.get(key).and_then(taken)
}

fn list<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a Node> + use<'a> {
    match node.get(key).map(|node| &node.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    }
    .iter()
}

fn entries<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = (Text, &'a Node)> + use<'a> {
    match node.get(key).map(|node| &node.data) {
        Some(Data::Map(entries)) => entries.as_slice(),
        _ => &[],
    }
    .iter()
    .filter_map(|(key, value)| Some((taken(key)?, value)))
}

fn variable((name, node): (Text, &Node)) -> VarSpec {
    VarSpec {
        name,
        ty: text(node, "type"),
        default: node.get("default").cloned(),
    }
}

fn table((name, node): (Text, &Node)) -> TableSpec {
    let columns = entries(node, "columns");
    TableSpec {
        name,
        file: text(node, "file"),
        key: text(node, "key"),
        columns: columns
            .filter_map(|(name, node)| Some((name, taken(node)?)))
            .collect(),
    }
}

fn source(node: &Node) -> SourceSpec {
    SourceSpec {
        topic: text(node, "topic"),
        key_word: text(node, "key"),
        key_avro: node.get("key").and_then(|key| avro(key, "avro")),
        value: node.get("value").and_then(|value| avro(value, "avro")),
        id_from: ["key", "value"].map(|side| node.get(side).and_then(|node| text(node, "id_from"))),
        words: words(node, &keys::SOURCE),
    }
}

fn words(node: &Node, object: &'static Object) -> Words {
    object
        .keys
        .iter()
        .filter(|key| matches!(key.kind, Kind::Words(_)))
        .filter_map(|key| Some((key.name, text(node, key.name)?)))
        .collect()
}

fn avro(node: &Node, key: &str) -> Option<AvroSpec> {
    Some(AvroSpec {
        name: text(node, key)?,
        subject: text(node, "subject"),
    })
}

fn step(shape: &mut Shape, node: &Node) -> StepSpec {
    let start = node.span.start;
    let line = shape.file.line(shape.file.position(start).0);
    let span = start..line.end.max(start);
    let said: Vec<_> = ["keep", "drop", "require", "schema"]
        .into_iter()
        .filter(|key| node.get(key).is_some())
        .collect();
    let action = match said.as_slice() {
        ["keep"] => text(node, "keep").map(ActionSpec::Keep),
        ["drop"] => text(node, "drop").map(ActionSpec::Drop),
        ["require"] => text(node, "require").map(ActionSpec::Require),
        ["schema"] => mapping(node, &keys::STEP).map(ActionSpec::Map),
        [] if has_unknown_key(node, &keys::STEP) => None,
        [] if matches!(node.data, Data::Map(_)) => {
            let message = "this step does nothing".to_owned();
            let help =
                "add `keep: …`, `drop: …`, `require: …`, or `schema: …` with `from` and `set`"
                    .to_owned();
            shape.error("missing_key", &span, message, help);
            None
        }
        [] => None,
        several => {
            let message = format!(
                "`{}` in one step exclude each other",
                several.join("` and `")
            );
            shape.error(
                "conflicting_keys",
                &span,
                message,
                "make two steps of it".to_owned(),
            );
            None
        }
    };
    if let Some(ActionSpec::Keep(_) | ActionSpec::Drop(_) | ActionSpec::Require(_)) = action {
        for key in ["subject", "from", "except", "set"] {
            if let Some(node) = node.get(key) {
                let message = format!("`{key}` belongs to a mapping, this step is a rule");
                let help = "make two steps of it; a mapping has a `schema`".to_owned();
                shape.error("conflicting_keys", &node.span, message, help);
            }
        }
    }
    StepSpec {
        name: text(node, "name"),
        action,
    }
}

/// Whether a key has had its fault, so that what the object lacks may be what it says.
fn has_unknown_key(node: &Node, object: &'static Object) -> bool {
    let Data::Map(entries) = &node.data else {
        return false;
    };
    let is_known = |text: &str| object.keys.iter().any(|key| key.name == text);
    entries
        .iter()
        .any(|(name, _)| !name.text().is_some_and(is_known))
}

fn mapping(node: &Node, object: &'static Object) -> Option<MapSpec> {
    Some(MapSpec {
        schema: avro(node, "schema")?,
        from: text(node, "from"),
        except: list(node, "except").filter_map(taken).collect(),
        set: entries(node, "set")
            .filter_map(|(name, node)| Some((name, taken(node)?)))
            .collect(),
        unclear: unclear(node, object),
    })
}

fn route(node: &Node) -> RouteSpec {
    RouteSpec {
        name: text(node, "name"),
        span: node.span.clone(),
        when: text(node, "when"),
        map: node.get("map").and_then(|map| mapping(map, &keys::MAP)),
        unclear: unclear(node, &keys::ROUTE),
        kafka: node.get("kafka").map(|node| KafkaSpec {
            connection: text(node, "connection"),
            topic: text(node, "topic"),
            topics: list(node, "topics").filter_map(taken).collect(),
            key: node.get("key").and_then(output_key),
            value: text(node, "value"),
            format: text(node, "format"),
            json: node
                .get("json")
                .map(|node| (node.span.clone(), words(node, &keys::JSON))),
            headers: entries(node, "headers")
                .filter_map(|(name, node)| Some((name, taken(node)?)))
                .collect(),
            cleared_for: list(node, "cleared_for").filter_map(taken).collect(),
            unclear: unclear(node, &keys::KAFKA),
        }),
    }
}

fn output_key(node: &Node) -> Option<KeySpec> {
    match node.data {
        Data::Map(_) => Some(KeySpec::Avro {
            map: Box::new(mapping(node, &keys::KEY)?),
            value: text(node, "value"),
        }),
        _ => taken(node).map(KeySpec::Expr),
    }
}
