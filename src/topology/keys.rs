//! Every key of a topology file, in one table: the reader, the JSON Schema and `docs/TOPOLOGY.md` are made from it.

mod route;
mod source;
mod topology;

pub use route::{DEAD_LETTER, JSON, KAFKA, KEY, MAP, ROUTE};
pub use source::{AVRO, SOURCE};
pub use topology::{STEP, TABLE, TOPOLOGY, VAR};

/// A mapping with known keys.
#[derive(Debug)]
pub struct Object {
    /// What it is called in messages and documents.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Its keys, in the order in which one writes them.
    pub keys: &'static [Key],
}

/// A key of an [`Object`].
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// The value that counts if it is not there.
    pub default: Option<&'static str>,
    /// What it says, one or two sentences.
    pub doc: &'static str,
    /// How it is written, for documents and for the help of faults.
    pub example: &'static str,
}

/// What a value must be.
#[derive(Debug)]
pub enum Kind {
    /// Literal text; `${vars.x}` is replaced.
    Text,
    /// Letters, digits, `_`, `-`, `.`; begins with a letter or digit.
    Name,
    /// Literal text with `${expression}` in it.
    Template,
    /// A CEL expression.
    Expr,
    /// A dotted path to a record: `event.after`, `out`.
    Path,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Words(&'static [Word]),
    /// Any single value.
    Scalar,
    /// Anything, null included.
    Json,
    /// A mapping with known keys.
    Object(&'static Object),
    /// A list.
    List(&'static Kind),
    /// A mapping with free keys.
    Map(&'static Kind),
    /// A single value or a mapping, told apart by their shape.
    Either(&'static Kind, &'static Object),
}

/// A word that a key may have as its value.
#[derive(Debug)]
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub doc: &'static str,
}

const fn word(word: &'static str, doc: &'static str) -> Word {
    Word { word, doc }
}

/// Of every mapping.
const EXCEPT: Key = key(
    "except",
    Kind::List(&Kind::Text),
    "Fields of `from` that are not copied.",
    "except: [note]",
);

const fn key(name: &'static str, kind: Kind, doc: &'static str, example: &'static str) -> Key {
    Key {
        name,
        kind,
        required: false,
        default: None,
        doc,
        example,
    }
}

impl Key {
    const fn required(mut self) -> Key {
        self.required = true;
        self
    }

    const fn default(mut self, value: &'static str) -> Key {
        self.default = Some(value);
        self
    }
}

/// Words of keys that name what later versions have: `(object, key, what it is)`.
pub const LATER: &[(&str, &str)] = &[
    ("route", "http"),
    ("route", "graphql"),
    ("route", "soap"),
    ("route", "webhook"),
    ("route", "sql"),
];

/// All objects, in the order in which documents describe them.
pub static OBJECTS: &[&Object] = &[
    &TOPOLOGY,
    &VAR,
    &TABLE,
    &SOURCE,
    &AVRO,
    &STEP,
    &ROUTE,
    &MAP,
    &KAFKA,
    &KEY,
    &JSON,
    &DEAD_LETTER,
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::topology::fault::{Faults, Source};
    use crate::topology::{read, yaml};

    /// Checks that the reader accepts an example of an object.
    fn accepts(object: &'static Object, name: &str, example: &str) {
        let source = Arc::new(Source::new("example.yaml", example));
        let mut faults = Faults::default();
        let node = yaml::parse(&source, &mut faults).expect(example);
        assert!(node.get(name).is_some(), "{}: {example}", object.name);
        read::check_shape(&source, &node, object, &mut faults);
        let other: Vec<_> = faults
            .iter()
            // An example shows one key; what else its object, or an object within it, needs is not its business.
            .filter(|fault| fault.code != "missing_key")
            .map(|fault| fault.message.as_str())
            .collect();
        assert!(other.is_empty(), "{}: {example}: {other:?}", object.name);
    }

    #[test]
    fn the_example_of_every_key_is_what_the_reader_accepts() {
        for object in OBJECTS {
            for key in object.keys {
                accepts(object, key.name, key.example);
            }
        }
    }

    #[test]
    fn the_fragments_of_the_introduction_are_what_the_reader_accepts() {
        let blocks = include_str!("topology_intro.md").split("```yaml\n").skip(1);
        let blocks: Vec<&str> = blocks
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        assert!(blocks.len() >= 5, "{blocks:?}");
        for block in blocks {
            // A step of a list, or single lines, each an example of its own.
            if let Some(step) = block.strip_prefix("  - ") {
                accepts(&STEP, "name", &format!("    {step}"));
                continue;
            }
            for line in block.lines() {
                match line.split_once(':').unwrap().0 {
                    "kafka" => accepts(&ROUTE, "kafka", line),
                    "value" => accepts(&SOURCE, "value", line),
                    other => panic!("which object has `{other}`?"),
                }
            }
        }
    }

    #[test]
    fn defaults_are_words_of_their_keys() {
        for object in OBJECTS {
            for key in object.keys {
                if let (Kind::Words(words), Some(default)) = (&key.kind, key.default) {
                    assert!(
                        words.iter().any(|word| word.word == default),
                        "{}: {default}",
                        key.name
                    );
                }
            }
        }
    }
}
