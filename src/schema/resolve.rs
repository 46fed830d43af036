//! May data of one schema be read as another? Avro's rules (aliases, defaults, promotions, unions, enums), made strict
//! in one way: the answer is yes only if *every* datum of the writer can be read, and means the same.
//! The specification lets a union or an enum fail on the datum that has no counterpart, and ignores logical types; then
//! a stream would break on a value weeks later, or read microseconds as milliseconds.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{Field, Kind, Logical, Node, NodeId, Schema};
use crate::codec::defaults;

/// Deepest nesting of pairs that is followed. Types nest 64 deep at most; the rest is recursion, which repeats.
pub(crate) const PAIR_DEPTH_MAX: u32 = 192;
/// Most mismatches that are reported.
const MISMATCHES_MAX: usize = 100;

/// One reason why a writer's data cannot be read as the reader's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Path of the value, dotted; empty at the root.
    pub path: String,
    /// What does not fit.
    pub message: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Whether every datum of `writer` can be read as `reader`, with the same meaning. All reasons at once.
pub fn resolvable(writer: &Schema, reader: &Schema) -> Result<(), Vec<Mismatch>> {
    readable(writer, writer.root, reader, reader.root)
}

/// As [`resolvable`], for a part of each.
pub(crate) fn readable(
    writer: &Schema,
    w: NodeId,
    reader: &Schema,
    r: NodeId,
) -> Result<(), Vec<Mismatch>> {
    let mut resolver = Resolver {
        writer,
        reader,
        seen: HashSet::new(),
        faults: Vec::new(),
    };
    resolver.pair(w, r, "", 0);
    if resolver.faults.is_empty() {
        Ok(())
    } else {
        Err(resolver.faults)
    }
}

/// Whether the writer's field `name` is read as the reader's field (by its name or one of its aliases).
pub(crate) fn same_field(name: &str, reader: &Field) -> bool {
    *reader.name == *name || reader.aliases.iter().any(|alias| alias == name)
}

/// For each field of the reader the index of the writer's field that it is read from: the one of its name, else one
/// that an alias of it names and that no other field of the reader claims.
pub(crate) fn field_map(writer: &[Field], reader: &[Field]) -> Vec<Option<usize>> {
    let mut claimed = vec![false; writer.len()];
    let by_name: HashMap<&str, usize> = writer
        .iter()
        .enumerate()
        .map(|(i, f)| (&*f.name, i))
        .collect();
    let mut map: Vec<Option<usize>> = reader
        .iter()
        .map(|field| by_name.get(&*field.name).copied())
        .collect();
    for at in map.iter().flatten() {
        claimed[*at] = true;
    }
    for (field, slot) in reader
        .iter()
        .zip(&mut map)
        .filter(|(_, slot)| slot.is_none())
    {
        let by_alias = field
            .aliases
            .iter()
            .filter_map(|alias| by_name.get(alias.as_str()));
        if let Some(at) = by_alias.copied().find(|at| !claimed[*at]) {
            claimed[at] = true;
            *slot = Some(at);
        }
    }
    map
}

/// The branch of the reader's union that a writer's (non-union) type is read as: the same type and name before the same
/// unqualified name or alias, that before a promotion. Only the types themselves are compared, not what is inside.
pub(crate) fn reader_branch(
    writer: &Schema,
    w: NodeId,
    reader: &Schema,
    branches: &[NodeId],
) -> Option<usize> {
    let node = writer.node(w);
    let rank = |branch: &NodeId| {
        let other = reader.node(*branch);
        if std::mem::discriminant(&node.kind) == std::mem::discriminant(&other.kind) {
            match (&node.name, &other.name) {
                (a, b) if a == b => Some(0),
                _ if names_agree(node, other) => Some(1),
                _ => None,
            }
        } else {
            is_promotion(&node.kind, &other.kind).then_some(2)
        }
    };
    let ranked = branches
        .iter()
        .enumerate()
        .filter_map(|(i, b)| Some((rank(b)?, i)));
    ranked.min().map(|(_, i)| i)
}

pub(crate) fn is_promotion(writer: &Kind, reader: &Kind) -> bool {
    matches!(
        (writer, reader),
        (Kind::Int, Kind::Long | Kind::Float | Kind::Double)
            | (Kind::Long, Kind::Float | Kind::Double)
            | (Kind::Float, Kind::Double)
            | (Kind::String, Kind::Bytes)
            | (Kind::Bytes, Kind::String)
    )
}

/// The specification: unqualified names agree, or an alias of the reader names the writer's type.
fn names_agree(writer: &Node, reader: &Node) -> bool {
    let (Some(a), Some(b)) = (&writer.name, &reader.name) else {
        return false;
    };
    last(a) == last(b) || reader.aliases.iter().any(|alias| alias == a)
}

/// Where each symbol of the writer's enum stands in the reader's; `None` for one that the reader can neither name nor default.
pub(crate) fn symbols<'a>(
    writer: &'a [std::sync::Arc<str>],
    reader: &'a [std::sync::Arc<str>],
    default: Option<u32>,
) -> impl Iterator<Item = Option<u32>> + 'a {
    let find = move |symbol| {
        reader
            .iter()
            .position(|r| r == symbol)
            .map(|at| at as u32)
            .or(default)
    };
    writer.iter().map(find)
}

struct Resolver<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    seen: HashSet<(NodeId, NodeId)>,
    faults: Vec<Mismatch>,
}

impl Resolver<'_> {
    fn fault(&mut self, path: &str, message: String) {
        if self.faults.len() < MISMATCHES_MAX {
            self.faults.push(Mismatch {
                path: path.to_owned(),
                message,
            });
        }
    }

    fn pair(&mut self, w: NodeId, r: NodeId, path: &str, depth: u32) {
        // A pair seen before is either judged or being judged further up; in both cases once is enough.
        if !self.seen.insert((w, r)) || self.faults.len() >= MISMATCHES_MAX {
            return;
        }
        if depth > PAIR_DEPTH_MAX {
            return self.fault(
                path,
                format!("the types nest more than {PAIR_DEPTH_MAX} deep"),
            );
        }
        let (wn, rn) = (self.writer.node(w), self.reader.node(r));
        match (&wn.kind, &rn.kind) {
            (Kind::Union(branches), _) => {
                for branch in branches {
                    self.pair(*branch, r, path, depth + 1);
                }
            }
            (_, Kind::Union(branches)) => {
                match reader_branch(self.writer, w, self.reader, branches) {
                    Some(branch) => self.pair(w, branches[branch], path, depth + 1),
                    None => self.misfit(w, r, path),
                }
            }
            (Kind::Record(wf), Kind::Record(rf)) => {
                if !names_agree(wn, rn) {
                    return self.misfit(w, r, path);
                }
                if !meanings_agree(&wn.logical, &rn.logical) {
                    self.misfit(w, r, path);
                }
                self.records(wf, rf, path, depth);
            }
            (
                Kind::Enum { symbols: ws, .. },
                Kind::Enum {
                    symbols: rs,
                    default,
                },
            ) => {
                if !names_agree(wn, rn) {
                    return self.misfit(w, r, path);
                }
                let missing: Vec<&str> = symbols(ws, rs, *default)
                    .zip(ws)
                    .filter_map(|(at, symbol)| at.is_none().then_some(&**symbol))
                    .collect();
                if !missing.is_empty() {
                    self.fault(
                        path,
                        format!(
                            "the enum has symbols that the reader lacks and has no default for: {}",
                            missing.join(", ")
                        ),
                    );
                }
            }
            (Kind::Fixed { size: a }, Kind::Fixed { size: b }) => {
                if a != b || !names_agree(wn, rn) || !meanings_agree(&wn.logical, &rn.logical) {
                    self.misfit(w, r, path);
                }
            }
            (Kind::Array(wi), Kind::Array(ri)) => {
                self.pair(*wi, *ri, &format!("{path}[]"), depth + 1)
            }
            (Kind::Map(wi), Kind::Map(ri)) => {
                self.pair(*wi, *ri, &format!("{path}{{}}"), depth + 1)
            }
            (a, b) => {
                if !(a == b || is_promotion(a, b)) || !meanings_agree(&wn.logical, &rn.logical) {
                    self.misfit(w, r, path);
                }
            }
        }
    }

    fn records(&mut self, wf: &[Field], rf: &[Field], path: &str, depth: u32) {
        for (field, from) in rf.iter().zip(field_map(wf, rf)) {
            let path = if path.is_empty() {
                field.name.to_string()
            } else {
                format!("{path}.{}", field.name)
            };
            match (from, &field.default) {
                (Some(at), _) => self.pair(wf[at].ty, field.ty, &path, depth + 1),
                (None, Some(default)) => {
                    if let Err(fault) = defaults::encode(self.reader, field.ty, default) {
                        self.fault(
                            &path,
                            format!(
                                "the writer lacks the field, and its default is invalid: {}",
                                fault.message
                            ),
                        );
                    }
                }
                (None, None) => self.fault(
                    &path,
                    "the writer lacks the field, and it has no default".to_owned(),
                ),
            }
        }
    }

    fn misfit(&mut self, w: NodeId, r: NodeId, path: &str) {
        let (from, to) = (self.writer.describe(w), self.reader.describe(r));
        self.fault(path, format!("{from} cannot be read as {to}"));
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Whether a value written with one meaning may be read with the other. A reader without a meaning takes the plain value;
/// a reader with one needs the same from the writer, unless it is only a kind of text.
pub(crate) fn meanings_agree(writer: &Option<Logical>, reader: &Option<Logical>) -> bool {
    use Logical::*;
    match (writer, reader) {
        (
            _,
            None
            | Some(Other(_) | Uuid | Json | TextEnum { .. } | ZonedTimestamp | ZonedTime | Iso(_)),
        ) => true,
        (
            Some(Decimal {
                precision: p,
                scale: s,
            }),
            Some(Decimal {
                precision: q,
                scale: t,
            }),
        ) => p <= q && s == t,
        (Some(a), Some(b)) => a == b,
        (None, Some(_)) => false,
    }
}
