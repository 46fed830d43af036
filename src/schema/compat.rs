//! Whether data of one version of a schema can be read with another, as Avro's own checker (`SchemaCompatibility` of the
//! Java implementation) judges it, and the levels that registries know. The verdicts are compared with those of the
//! Java checker in `tests/data/compat`.
//!
//! [`super::resolve`] is stricter on purpose: there, values must mean the same as well.

use std::collections::HashMap;
use std::fmt;

use super::resolve::{Mismatch, PAIR_DEPTH_MAX};
use super::{Field, Kind, Node, NodeId, Schema};

/// Most reasons that are reported.
const REASONS_MAX: usize = 20;
/// Pairs of types that are looked at; two schemas of the largest size that have nothing to do with each other stay below.
const PAIRS_MAX: usize = 1_000_000;

/// What versions of a schema owe each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    None,
    /// The new one reads data of the last.
    Backward,
    /// The new one reads data of all earlier ones.
    BackwardTransitive,
    /// The last one reads data of the new.
    Forward,
    /// All earlier ones read data of the new.
    ForwardTransitive,
    /// Both, with the last.
    Full,
    /// Both, with all earlier ones.
    FullTransitive,
}

impl Level {
    /// All levels.
    pub const ALL: [Level; 7] = [
        Level::None,
        Level::Backward,
        Level::BackwardTransitive,
        Level::Forward,
        Level::ForwardTransitive,
        Level::Full,
        Level::FullTransitive,
    ];

    /// The name that registries use.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "NONE",
            Level::Backward => "BACKWARD",
            Level::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Level::Forward => "FORWARD",
            Level::ForwardTransitive => "FORWARD_TRANSITIVE",
            Level::Full => "FULL",
            Level::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Whether all earlier versions count, not only the last.
    pub fn is_transitive(self) -> bool {
        matches!(
            self,
            Level::BackwardTransitive | Level::ForwardTransitive | Level::FullTransitive
        )
    }

    /// The directions that are asked for.
    fn directions(self) -> &'static [Direction] {
        match self {
            Level::None => &[],
            Level::Backward | Level::BackwardTransitive => &[Direction::Backward],
            Level::Forward | Level::ForwardTransitive => &[Direction::Forward],
            Level::Full | Level::FullTransitive => &[Direction::Backward, Direction::Forward],
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who reads whose data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The new version reads data of the earlier one.
    Backward,
    /// The earlier version reads data of the new one.
    Forward,
}

/// A version that a new one is not compatible with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Index of the earlier version.
    pub version: usize,
    /// Who cannot read.
    pub direction: Direction,
    /// Why.
    pub why: Vec<Mismatch>,
}

/// The earlier versions (oldest first) that the new one is not compatible with at a level.
pub fn breaks(level: Level, new: &Schema, earlier: &[&Schema]) -> Vec<Break> {
    let from = match level.is_transitive() {
        true => 0,
        false => earlier.len().saturating_sub(1),
    };
    let mut found = Vec::new();
    for (version, old) in earlier.iter().enumerate().skip(from) {
        for direction in level.directions() {
            let why = match direction {
                Direction::Backward => unreadable(new, old),
                Direction::Forward => unreadable(old, new),
            };
            if !why.is_empty() {
                found.push(Break {
                    version,
                    direction: *direction,
                    why,
                });
            }
        }
    }
    found
}

/// Why a reader's schema cannot read data of a writer's; empty if it can.
pub fn unreadable(reader: &Schema, writer: &Schema) -> Vec<Mismatch> {
    let mut judge = Judge {
        reader,
        writer,
        known: HashMap::new(),
    };
    let mut why = Vec::new();
    judge.pair(reader.root, writer.root, "", 0, &mut why);
    why
}

struct Judge<'a> {
    reader: &'a Schema,
    writer: &'a Schema,
    /// Whether the writer's type can be read; `None` while that is being judged further up, where it counts as yes.
    known: HashMap<(NodeId, NodeId), Option<bool>>,
}

impl Judge<'_> {
    /// Judges a pair; appends why it is not compatible. Returns whether it is.
    fn pair(
        &mut self,
        r: NodeId,
        w: NodeId,
        path: &str,
        depth: u32,
        why: &mut Vec<Mismatch>,
    ) -> bool {
        match self.known.get(&(r, w)) {
            Some(None | Some(true)) => return true,
            Some(Some(false)) => {
                self.no(why, path, format!("{}, as above", self.misfit(r, w)));
                return false;
            }
            None if depth > PAIR_DEPTH_MAX || self.known.len() >= PAIRS_MAX => {
                self.no(
                    why,
                    path,
                    "the types are too large to be compared".to_owned(),
                );
                return false;
            }
            None => {}
        }
        self.known.insert((r, w), None);
        let fits = self.types(r, w, path, depth, why);
        self.known.insert((r, w), Some(fits));
        fits
    }

    fn types(
        &mut self,
        r: NodeId,
        w: NodeId,
        path: &str,
        depth: u32,
        why: &mut Vec<Mismatch>,
    ) -> bool {
        let (reader, writer) = (self.reader, self.writer);
        let (rn, wn) = (reader.node(r), writer.node(w));
        let item = |sign: &str| format!("{path}{sign}");
        match (&rn.kind, &wn.kind) {
            // Every branch that may be written must be readable.
            (_, Kind::Union(branches)) => {
                let mut fits = true;
                for branch in branches {
                    fits &= self.pair(r, *branch, path, depth + 1, why);
                }
                fits
            }
            (Kind::Union(branches), _) => {
                let fits = branches
                    .iter()
                    .any(|branch| self.pair(*branch, w, path, depth + 1, &mut Vec::new()));
                if !fits {
                    self.no(why, path, self.misfit(r, w));
                }
                fits
            }
            (Kind::Record(rf), Kind::Record(wf)) => {
                let named = self.named(rn, wn, path, why);
                let mut fits = named;
                for field in rf {
                    fits &= self.field(field, wf, path, depth, why);
                }
                fits
            }
            (
                Kind::Enum {
                    symbols: rs,
                    default,
                },
                Kind::Enum { symbols: ws, .. },
            ) => {
                let named = self.named(rn, wn, path, why);
                let lacking: Vec<&str> = ws
                    .iter()
                    .filter(|symbol| !rs.contains(symbol))
                    .map(|symbol| &**symbol)
                    .collect();
                let fits = lacking.is_empty() || default.is_some();
                if !fits {
                    let list = lacking.join(", ");
                    let message = format!("the reader's enum lacks {list}, and has no default");
                    self.no(why, path, message);
                }
                named && fits
            }
            (Kind::Fixed { size: a }, Kind::Fixed { size: b }) => {
                let named = self.named(rn, wn, path, why);
                if a != b {
                    self.no(
                        why,
                        path,
                        format!("fixed of {b} bytes cannot be read as fixed of {a}"),
                    );
                }
                named && a == b
            }
            (Kind::Array(ri), Kind::Array(wi)) => self.pair(*ri, *wi, &item("[]"), depth + 1, why),
            (Kind::Map(ri), Kind::Map(wi)) => self.pair(*ri, *wi, &item("{}"), depth + 1, why),
            (a, b) => {
                let fits = a == b || super::resolve::is_promotion(b, a);
                if !fits {
                    self.no(why, path, self.misfit(r, w));
                }
                fits
            }
        }
    }

    fn field(
        &mut self,
        field: &Field,
        written: &[Field],
        path: &str,
        depth: u32,
        why: &mut Vec<Mismatch>,
    ) -> bool {
        let path = match path.is_empty() {
            true => field.name.to_string(),
            false => format!("{path}.{}", field.name),
        };
        let find = |name: &str| written.iter().find(|other| *other.name == *name);
        let aliases = field.aliases.iter().filter_map(|alias| find(alias));
        let found: Vec<&Field> = find(&field.name).into_iter().chain(aliases).collect();
        match found.as_slice() {
            [] if field.default.is_some() => true,
            [] => {
                let message = "the writer lacks the field, and it has no default".to_owned();
                self.no(why, &path, message);
                false
            }
            [one] => self.pair(field.ty, one.ty, &path, depth + 1, why),
            _ => {
                let message = "its name and aliases are several fields of the writer".to_owned();
                self.no(why, &path, message);
                false
            }
        }
    }

    /// Unqualified names agree, or an alias of the reader is the writer's full name.
    fn named(&self, reader: &Node, writer: &Node, path: &str, why: &mut Vec<Mismatch>) -> bool {
        let (Some(a), Some(b)) = (&reader.name, &writer.name) else {
            return true;
        };
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
        let agree = last(a) == last(b) || reader.aliases.contains(b);
        if !agree {
            self.no(
                why,
                path,
                format!("`{b}` cannot be read as `{a}`: another name"),
            );
        }
        agree
    }

    fn misfit(&self, r: NodeId, w: NodeId) -> String {
        let (from, to) = (self.writer.describe(w), self.reader.describe(r));
        format!("{from} cannot be read as {to}")
    }

    fn no(&self, why: &mut Vec<Mismatch>, path: &str, message: String) {
        if why.len() < REASONS_MAX {
            why.push(Mismatch {
                path: path.to_owned(),
                message,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Schema> {
        texts
            .iter()
            .map(|text| Schema::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn every_verdict_is_that_of_avros_own_checker() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/compat/cases.json");
        let text = std::fs::read_to_string(path).unwrap();
        let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let mut wrong = Vec::new();
        for case in &cases {
            let schema = |name: &str| Schema::parse(&case[name].to_string()).unwrap();
            let why = unreadable(&schema("reader"), &schema("writer"));
            if why.is_empty() != case["readable"].as_bool().unwrap() {
                wrong.push(format!("{}: {why:?}, Java: {}", case["name"], case["why"]));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(cases.len() > 150);
    }

    #[test]
    fn each_level_asks_the_versions_that_it_names() {
        // An optional field came, then a required one became optional, then the type was widened.
        let all = versions(&[
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":"int","default":0}]}"#,
        ]);
        let (new, earlier) = (&all[2], [&all[0], &all[1]]);
        let found = |level| -> Vec<(usize, Direction)> {
            breaks(level, new, &earlier)
                .into_iter()
                .map(|found| (found.version, found.direction))
                .collect()
        };
        use Direction::*;
        assert_eq!(found(Level::None), []);
        assert_eq!(found(Level::Backward), []);
        assert_eq!(found(Level::BackwardTransitive), []);
        assert_eq!(found(Level::Forward), [(1, Forward)]);
        assert_eq!(
            found(Level::ForwardTransitive),
            [(0, Forward), (1, Forward)]
        );
        assert_eq!(found(Level::Full), [(1, Forward)]);
        assert_eq!(found(Level::FullTransitive), [(0, Forward), (1, Forward)]);
        // The second version cannot read the first: only a transitive level sees that from the third on.
        let found = breaks(Level::BackwardTransitive, &all[1], &[&all[0], &all[1]]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].why[0].path, "b");
        assert!(breaks(Level::Backward, &all[1], &[&all[0], &all[1]]).is_empty());
        assert!(breaks(Level::Full, &all[1], &[]).is_empty());
    }

    #[test]
    fn types_that_repeat_each_other_are_judged_in_bounded_time() {
        // Without memory, each level would double the pairs.
        let mut text = "\"int\"".to_owned();
        for level in 0..14 {
            text = format!(
                r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":{text}}},{{"name":"b","type":["null","{}"]}}]}}"#,
                if level == 0 {
                    "int".to_owned()
                } else {
                    format!("R{}", level - 1)
                }
            );
        }
        let schema = Schema::parse(&text).unwrap();
        assert_eq!(unreadable(&schema, &schema), []);
    }
}
