//! What changed between two schemas, in words for a log line. No verdict: that is [`super::resolve`].

use std::collections::HashSet;
use std::fmt;

use super::parse::kind_name;
use super::{Iso, Kind, Logical, NodeId, Schema};

/// One difference of a writer's schema from the checked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The writer has a field that the checked schema lacks; it is not read.
    FieldAdded {
        /// Path of the field, dotted.
        path: String,
    },
    /// The writer lacks a field of the checked schema; its default is read.
    FieldRemoved {
        /// Path of the field, dotted.
        path: String,
    },
    /// The type differs.
    TypeChanged {
        /// Path of the value, dotted; empty at the root.
        path: String,
        /// The type in the checked schema.
        from: String,
        /// The type that the writer has.
        to: String,
    },
    /// The writer's enum has other symbols.
    SymbolsChanged {
        /// Path of the value, dotted.
        path: String,
        /// Symbols that only the writer has.
        added: Vec<String>,
        /// Symbols that only the checked schema has.
        removed: Vec<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::FieldAdded { path } => write!(f, "field {path} added"),
            Change::FieldRemoved { path } => write!(f, "field {path} removed"),
            Change::TypeChanged { path, from, to } if path.is_empty() => {
                write!(f, "type {from} became {to}")
            }
            Change::TypeChanged { path, from, to } => write!(f, "field {path}: {from} became {to}"),
            Change::SymbolsChanged {
                path,
                added,
                removed,
            } => {
                write!(f, "enum {path}:")?;
                if !added.is_empty() {
                    write!(f, " added {}", added.join(" "))?;
                }
                if !removed.is_empty() {
                    write!(f, " removed {}", removed.join(" "))?;
                }
                Ok(())
            }
        }
    }
}

/// Most changes that are listed; a schema that differs more is another schema.
const CHANGES_MAX: usize = 100;

/// The differences of `writer` from `reader`, the checked schema. Documentation, defaults and order of fields are not
/// compared. At most 100 are listed.
pub fn difference(writer: &Schema, reader: &Schema) -> Vec<Change> {
    let mut walk = Walk {
        writer,
        reader,
        seen: HashSet::new(),
        changes: Vec::new(),
    };
    walk.pair(writer.root, reader.root, "", 0);
    walk.changes
}

struct Walk<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    seen: HashSet<(NodeId, NodeId)>,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn pair(&mut self, w: NodeId, r: NodeId, path: &str, depth: u32) {
        if self.changes.len() >= CHANGES_MAX
            || depth > super::resolve::PAIR_DEPTH_MAX
            || !self.seen.insert((w, r))
        {
            return;
        }
        let ((w, w_null), (r, r_null)) = (self.writer.strip_null(w), self.reader.strip_null(r));
        let (wn, rn) = (self.writer.node(w), self.reader.node(r));
        let same_shape = std::mem::discriminant(&wn.kind) == std::mem::discriminant(&rn.kind);
        if w_null != r_null || !same_shape || wn.logical != rn.logical {
            let name = |schema: &Schema, node, null| {
                format!(
                    "{}{}",
                    describe(schema, node),
                    if null { " or null" } else { "" }
                )
            };
            self.changes.push(Change::TypeChanged {
                path: path.to_owned(),
                from: name(self.reader, r, r_null),
                to: name(self.writer, w, w_null),
            });
        }
        match (&wn.kind, &rn.kind) {
            (Kind::Record(wf), Kind::Record(rf)) => {
                for field in wf {
                    match rf
                        .iter()
                        .find(|f| super::resolve::same_field(&field.name, f))
                    {
                        Some(other) => {
                            self.pair(field.ty, other.ty, &join(path, &field.name), depth + 1)
                        }
                        None => self.changes.push(Change::FieldAdded {
                            path: join(path, &field.name),
                        }),
                    }
                }
                for field in rf {
                    if !wf
                        .iter()
                        .any(|f| super::resolve::same_field(&f.name, field))
                    {
                        self.changes.push(Change::FieldRemoved {
                            path: join(path, &field.name),
                        });
                    }
                }
            }
            (Kind::Array(wi), Kind::Array(ri)) => {
                self.pair(*wi, *ri, &format!("{path}[]"), depth + 1)
            }
            (Kind::Map(wi), Kind::Map(ri)) => {
                self.pair(*wi, *ri, &format!("{path}{{}}"), depth + 1)
            }
            (Kind::Enum { symbols: ws, .. }, Kind::Enum { symbols: rs, .. }) if ws != rs => {
                let only = |a: &[std::sync::Arc<str>], b: &[std::sync::Arc<str>]| {
                    a.iter()
                        .filter(|s| !b.contains(s))
                        .map(|s| s.to_string())
                        .collect::<Vec<_>>()
                };
                let (added, removed) = (only(ws, rs), only(rs, ws));
                if !added.is_empty() || !removed.is_empty() {
                    self.changes.push(Change::SymbolsChanged {
                        path: path.to_owned(),
                        added,
                        removed,
                    });
                }
            }
            (Kind::Fixed { size: a }, Kind::Fixed { size: b }) if a != b => {
                self.changes.push(Change::TypeChanged {
                    path: path.to_owned(),
                    from: format!("fixed of {b} bytes"),
                    to: format!("fixed of {a} bytes"),
                });
            }
            (Kind::Union(wb), Kind::Union(rb)) => {
                let list = |schema: &Schema, ids: &[NodeId]| {
                    ids.iter()
                        .map(|id| describe(schema, *id))
                        .collect::<Vec<_>>()
                };
                let (ws, rs) = (list(self.writer, wb), list(self.reader, rb));
                if ws == rs {
                    for (w, r) in wb.iter().zip(rb) {
                        self.pair(*w, *r, path, depth + 1);
                    }
                } else {
                    let (from, to) = (rs.join(" or "), ws.join(" or "));
                    self.changes.push(Change::TypeChanged {
                        path: path.to_owned(),
                        from,
                        to,
                    });
                }
            }
            _ => {}
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A node in a few words.
pub(super) fn describe(schema: &Schema, id: NodeId) -> String {
    let node = schema.node(id);
    let plain = match (&node.kind, &node.name) {
        (Kind::Union(branches), _) => {
            let list: Vec<_> = branches.iter().map(|b| describe(schema, *b)).collect();
            return list.join(" or ");
        }
        (Kind::Array(items), _) => format!("array of {}", brief(schema, *items)),
        (Kind::Map(values), _) => format!("map of {}", brief(schema, *values)),
        (kind, Some(name)) => format!("{} {name}", kind_name(kind)),
        (kind, None) => kind_name(kind).to_owned(),
    };
    match &node.logical {
        Some(logical) => format!("{plain} ({})", meaning(logical)),
        None => plain,
    }
}

fn brief(schema: &Schema, id: NodeId) -> String {
    match &schema.node(id).kind {
        // One level is enough for a message, and types may contain themselves.
        Kind::Array(_) => "arrays".to_owned(),
        Kind::Map(_) => "maps".to_owned(),
        Kind::Union(branches) => {
            let name = |b: &NodeId| match &schema.node(*b).name {
                Some(name) => name.clone(),
                None => kind_name(&schema.node(*b).kind).to_owned(),
            };
            branches.iter().map(name).collect::<Vec<_>>().join(" or ")
        }
        _ => describe(schema, id),
    }
}

fn meaning(logical: &Logical) -> String {
    let unit = |per_second: u32| match per_second {
        1_000 => "milliseconds",
        1_000_000 => "microseconds",
        _ => "nanoseconds",
    };
    match logical {
        Logical::Decimal { precision, scale } => {
            format!("decimal of {precision} digits, {scale} after the point")
        }
        Logical::VariableScaleDecimal => "decimal of any scale".to_owned(),
        Logical::Date => "date".to_owned(),
        Logical::Time { per_second } => format!("time of day in {}", unit(*per_second)),
        Logical::Timestamp { per_second } => format!("timestamp in {}", unit(*per_second)),
        Logical::LocalTimestamp { per_second } => {
            format!("timestamp without zone in {}", unit(*per_second))
        }
        Logical::ZonedTimestamp => "timestamp as text".to_owned(),
        Logical::ZonedTime => "time of day with zone, as text".to_owned(),
        Logical::Iso(Iso::Date) => "date as text".to_owned(),
        Logical::Iso(Iso::Time) => "time of day as text".to_owned(),
        Logical::Iso(Iso::Timestamp) => "timestamp without zone, as text".to_owned(),
        Logical::Interval { per_second } => format!("interval in {}", unit(*per_second)),
        Logical::Duration => "duration of months, days and milliseconds".to_owned(),
        Logical::Uuid => "uuid".to_owned(),
        Logical::Json => "json".to_owned(),
        Logical::TextEnum { allowed } => format!("one of {}", allowed.join(", ")),
        Logical::Other(name) => name.clone(),
    }
}
