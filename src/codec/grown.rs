//! Writers that have outgrown the checked schema: a column became wider or nullable, or one that nobody reads is gone or
//! has another type. Avro's rules refuse the whole schema; a change in the database would stop the stream. Here the checked
//! schema is widened where it must be, and every value that is read is held against what was checked: one that has no
//! place there is a fault of its record, not of the stream, and never another value.

use std::collections::{BTreeMap, BTreeSet};

use super::digits::DecimalCheck;
use super::primitive::Trouble;
use super::scan::{Found, Slot};
use super::{ScanFault, Want};
use crate::schema::resolve::{self, Mismatch, field_map};
use crate::schema::{Kind, Logical, Node, NodeId, Schema};

/// What the value of a slot must be to have a place in the checked schema.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) slot: u16,
    /// Null, where the checked schema has none.
    null: bool,
    range: Range,
}

#[derive(Clone, Debug)]
enum Range {
    Any,
    /// A long that was an int.
    Int,
    /// A double that was a float.
    Float,
    /// A decimal that had fewer digits.
    Decimal(DecimalCheck),
}

impl Check {
    /// Holds the value of its slot against what was checked. `datum` is the writer's.
    pub(super) fn run(&self, slots: &[Slot], datum: &[u8]) -> Result<(), ScanFault> {
        let slot = &slots[usize::from(self.slot)];
        let fits = match (slot.found, &self.range) {
            // A null parent is another's business, and a default is one of the checked schema.
            (Found::Absent | Found::Default, _) => true,
            (Found::Null, _) => self.null,
            (_, Range::Any) => true,
            (_, Range::Int) => i32::try_from(slot.bits as i64).is_ok(),
            (_, Range::Float) => {
                let value = f64::from_bits(slot.bits);
                value.is_nan() || f64::from(value as f32) == value
            }
            (_, Range::Decimal(check)) => {
                check.accepts(datum, slot.bits as usize, slot.end as usize)
            }
        };
        match fits {
            true => Ok(()),
            false => Err(ScanFault {
                reason: Trouble::Outgrown.reason(),
                at: slot.value as usize,
            }),
        }
    }
}

/// The checked schema, widened to what this writer needs, and what the values that are read must be. `asked` are the wants of
/// which only the presence matters. `Err` says why what is read cannot be read at all.
pub(super) fn widened(
    writer: &Schema,
    reader: &Schema,
    wants: &[Want],
    asked: &[u16],
) -> Result<(Schema, Vec<Check>), Vec<Mismatch>> {
    let mut paths: BTreeMap<&[u32], Vec<u16>> = BTreeMap::new();
    for (slot, want) in wants.iter().enumerate() {
        paths.entry(&want.path).or_default().push(slot as u16);
    }
    let mut grown = Grown {
        writer,
        reader,
        schema: reader.clone(),
        checks: Vec::new(),
        read: BTreeSet::new(),
        faults: Vec::new(),
    };
    let read = |slots: &Vec<u16>| slots.iter().any(|slot| !asked.contains(slot));
    for (path, slots) in &paths {
        grown.follow(path, slots, read(slots));
    }
    if grown.faults.is_empty() {
        for path in paths.keys() {
            grown.leave_out(path);
        }
        // The last word have the rules.
        match resolve::resolvable(writer, &grown.schema) {
            Ok(()) => return Ok((grown.schema, grown.checks)),
            Err(why) => grown.faults = why,
        }
    }
    Err(grown.faults)
}

struct Grown<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    schema: Schema,
    checks: Vec<Check>,
    /// Records and the fields of them that are read, or lead to what is.
    read: BTreeSet<(NodeId, u32)>,
    faults: Vec<Mismatch>,
}

impl Grown<'_> {
    /// Widens what stands at the end of a path.
    fn follow(&mut self, path: &[u32], slots: &[u16], is_read: bool) {
        let (mut w, mut r) = (self.writer.root, self.reader.root);
        let mut name = String::new();
        let mut place = None;
        for index in path {
            let (wr, rr) = (self.writer.strip_null(w).0, self.reader.strip_null(r).0);
            let (wf, rf) = (self.writer.fields(wr), self.reader.fields(rr));
            let Some(field) = rf.get(*index as usize) else {
                return;
            };
            self.read.insert((rr, *index));
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&field.name);
            let Some(from) = field_map(wf, rf)[*index as usize] else {
                if field.default.is_none() && is_read {
                    let message = "the writer lacks the field, and it has no default".to_owned();
                    self.fault(name, message);
                }
                return;
            };
            place = Some((rr, *index));
            (w, r) = (wf[from].ty, field.ty);
        }
        if !is_read {
            return;
        }
        let why = match resolve::readable(self.writer, w, self.reader, r) {
            Ok(()) => return,
            Err(why) => why,
        };
        let Some((record, index)) = place else {
            return self.faults.extend(why);
        };
        let ((wn, w_null), (rn, r_null)) = (self.writer.strip_null(w), self.reader.strip_null(r));
        let (wide, range) = match range(self.writer.node(wn), self.reader.node(rn)) {
            Some(found) => found,
            None => {
                let (from, to) = (self.writer.describe(w), self.reader.describe(r));
                return self.fault(name, format!("{from} cannot be read as {to}"));
            }
        };
        let wide = self.add(wide);
        let ty = if w_null || r_null {
            let null = self.add(plain(Kind::Null));
            self.add(plain(Kind::Union(vec![null, wide])))
        } else {
            wide
        };
        if let Kind::Record(fields) = &mut self.schema.nodes[record.0 as usize].kind {
            fields[index as usize].ty = ty;
            // A default is the checked type's; the writer has the field.
            fields[index as usize].default = None;
        }
        self.checks.extend(slots.iter().map(|slot| Check {
            slot: *slot,
            null: r_null,
            range: range.clone(),
        }));
    }

    /// Takes the fields out of the records along a path that nobody reads and the writer cannot give.
    fn leave_out(&mut self, path: &[u32]) {
        let (mut w, mut r) = (self.writer.root, self.reader.root);
        for index in path {
            let (wr, rr) = (self.writer.strip_null(w).0, self.reader.strip_null(r).0);
            let (wf, rf) = (self.writer.fields(wr), self.reader.fields(rr));
            self.spare(rr, wf);
            let Some(from) = field_map(wf, rf).get(*index as usize).copied().flatten() else {
                return;
            };
            (w, r) = (wf[from].ty, rf[*index as usize].ty);
        }
        let (wr, rr) = (self.writer.strip_null(w).0, self.reader.strip_null(r).0);
        self.spare(rr, self.writer.fields(wr));
    }

    fn spare(&mut self, record: NodeId, wf: &[crate::schema::Field]) {
        let rf = self.reader.fields(record);
        for (index, (field, from)) in rf.iter().zip(field_map(wf, rf)).enumerate() {
            let is_there = match from {
                Some(from) => {
                    resolve::readable(self.writer, wf[from].ty, self.reader, field.ty).is_ok()
                }
                None => field.default.is_some(),
            };
            if is_there || self.read.contains(&(record, index as u32)) {
                continue;
            }
            let null = self.add(plain(Kind::Null));
            if let Kind::Record(fields) = &mut self.schema.nodes[record.0 as usize].kind {
                let field = &mut fields[index];
                field.ty = null;
                field.default = Some(serde_json::Value::Null);
                // No writer has a field of this name.
                field.name = format!("\0{}", field.name).into();
                field.aliases.clear();
            }
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.schema.nodes.push(node);
        NodeId(self.schema.nodes.len() as u32 - 1)
    }

    fn fault(&mut self, path: String, message: String) {
        self.faults.push(Mismatch { path, message });
    }
}

fn plain(kind: Kind) -> Node {
    Node {
        kind,
        name: None,
        aliases: Vec::new(),
        logical: None,
    }
}

/// For two types without null: the type that holds the values of both, and what a value of the writer's must be to be one
/// of the reader's. `None` if they are not of one meaning.
fn range(writer: &Node, reader: &Node) -> Option<(Node, Range)> {
    if let (
        Kind::Bytes,
        Kind::Bytes,
        Some(Logical::Decimal {
            precision: p,
            scale: s,
        }),
        Some(Logical::Decimal {
            precision: q,
            scale: t,
        }),
    ) = (&writer.kind, &reader.kind, &writer.logical, &reader.logical)
    {
        let range = match p > q {
            true => Range::Decimal(DecimalCheck::of(*q)),
            false => Range::Any,
        };
        return (s == t).then(|| (writer.clone(), range));
    }
    if !resolve::meanings_agree(&writer.logical, &reader.logical) {
        return None;
    }
    let wide = |kind: &Kind| Node {
        kind: kind.clone(),
        ..reader.clone()
    };
    match (&writer.kind, &reader.kind) {
        (Kind::Long, Kind::Int) => Some((wide(&writer.kind), Range::Int)),
        (Kind::Double, Kind::Float) => Some((wide(&writer.kind), Range::Float)),
        (a, b) if !is_container(b) && (a == b || resolve::is_promotion(a, b)) => {
            Some((reader.clone(), Range::Any))
        }
        _ => None,
    }
}

fn is_container(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Union(_) | Kind::Enum { .. }
    )
}
