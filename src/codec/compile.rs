//! From two schemas and the wants of a plan to the flat program of [`super::scan`].
//!
//! Types are written out in place, so that every place can have its own captures; only records that contain themselves
//! become subroutines. The size of the program is bounded by the schema's expanded size.

mod bounds;
mod skip;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::defaults::{self, DefaultSlot};
use super::digits::DecimalCheck;
use super::op::{Number, Op};
use super::program::Program;
use super::scan::{Found, Scan, Slots, Want};
use super::shape::{ShapeId, Shapes};
use crate::schema::resolve::{self, Mismatch};
use crate::schema::{Kind, NodeId, Schema};
use bounds::{bytes_min, recursive};
use skip::fused;

/// Where a want stands: what [`super::emit`] needs to know about its bytes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The writer's node (a union with its null, if it is one); `None` if the writer lacks it.
    pub(super) writer: Option<NodeId>,
    pub(super) reader: NodeId,
    pub(super) writer_is_union: bool,
    pub(super) reader_is_union: bool,
    /// The occurrence of a record in the writer's datum, and the field's index in it: neighbours lie side by side.
    pub(super) field: Option<(u32, u32)>,
    /// How to build the value if it is no scalar (or one of several types).
    pub(super) shape: Option<ShapeId>,
    pub(super) default_shape: Option<ShapeId>,
    /// Whether the place has been found; a second one would contradict it.
    found: bool,
}

/// The wants as a tree of field indexes.
#[derive(Default)]
struct Trie {
    slots: Vec<u16>,
    children: BTreeMap<u32, Trie>,
}

impl Trie {
    fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.children.is_empty()
    }

    fn all_slots(&self, into: &mut Vec<u16>) {
        into.extend(&self.slots);
        for child in self.children.values() {
            child.all_slots(into);
        }
    }
}

pub(super) fn compile(
    writer: &Schema,
    reader: &Arc<Schema>,
    wants: &[Want],
) -> Result<Scan, Vec<Mismatch>> {
    resolve::resolvable(writer, reader)?;
    let mut trie = Trie::default();
    let mut places = Vec::with_capacity(wants.len());
    let mut faults = Vec::new();
    for (slot, want) in wants.iter().enumerate() {
        match reader_node(reader, &want.path) {
            Ok(node) => {
                places.push(Place {
                    writer: None,
                    reader: node,
                    writer_is_union: false,
                    reader_is_union: matches!(reader.node(node).kind, Kind::Union(_)),
                    field: None,
                    shape: None,
                    default_shape: None,
                    found: false,
                });
                let leaf = want
                    .path
                    .iter()
                    .fold(&mut trie, |t, field| t.children.entry(*field).or_default());
                leaf.slots.push(slot as u16);
            }
            Err(message) => faults.push(Mismatch {
                path: format!("{:?}", want.path),
                message,
            }),
        }
    }
    if wants.len() > usize::from(u16::MAX) {
        faults.push(Mismatch {
            path: String::new(),
            message: "more than 65535 values are read".to_owned(),
        });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut compiler = Compiler::new(writer, reader, wants.len());
    compiler.places = places;
    compiler.root(writer.root, reader.root, &trie)?;
    Ok(Scan {
        program: compiler.program,
        places: compiler.places,
        defaults: compiler.defaults,
        shapes: compiler.shapes,
        writer: writer.clone(),
        reader: reader.clone(),
        checks: Vec::new(),
    })
}

/// The reader's node at a path, unions with null looked through.
fn reader_node(reader: &Schema, path: &[u32]) -> Result<NodeId, String> {
    let mut node = reader.root;
    for index in path {
        let (record, _) = reader.strip_null(node);
        match reader.fields(record).get(*index as usize) {
            Some(field) => node = field.ty,
            None => {
                return Err(format!(
                    "{} has no field number {index}",
                    reader.describe(record)
                ));
            }
        }
    }
    Ok(node)
}

struct Compiler<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    program: Program,
    places: Vec<Place>,
    defaults: Vec<DefaultSlot>,
    shapes: Shapes,
    recursive: Vec<bool>,
    bytes_min: Vec<u16>,
    /// Start of the subroutine of a recursive record, once it is written.
    subroutines: HashMap<(NodeId, Option<NodeId>), u32>,
    /// Calls whose target is not written yet.
    calls: Vec<(usize, NodeId, Option<NodeId>)>,
    records: u32,
    /// Ops before this one must not be merged with: something jumps here.
    fence: usize,
}

impl<'a> Compiler<'a> {
    fn new(writer: &'a Schema, reader: &'a Schema, slots: usize) -> Compiler<'a> {
        Compiler {
            writer,
            reader,
            program: Program {
                slots,
                ..Program::default()
            },
            places: Vec::new(),
            defaults: Vec::new(),
            shapes: Shapes::default(),
            recursive: recursive(writer),
            bytes_min: bytes_min(writer),
            subroutines: HashMap::new(),
            calls: Vec::new(),
            records: 0,
            fence: 0,
        }
    }

    fn root(&mut self, w: NodeId, r: NodeId, trie: &Trie) -> Result<(), Vec<Mismatch>> {
        self.node(w, r, trie, None)?;
        self.push(Op::End);
        while let Some((at, w, r)) = self.calls.pop() {
            let target = match self.subroutines.get(&(w, r)) {
                Some(target) => *target,
                None => {
                    let target = self.here();
                    self.subroutines.insert((w, r), target);
                    self.record_body(w, r);
                    self.push(Op::Return);
                    target
                }
            };
            self.program.ops[at] = Op::Call(target);
        }
        Ok(())
    }

    fn push(&mut self, op: Op) -> usize {
        if let (Op::Longs(more), Some(Op::Longs(count))) = (op, self.mergeable()) {
            *count += more;
        } else if let (Op::Strs(more), Some(Op::Strs(count))) = (op, self.mergeable()) {
            *count += more;
        } else if let (Op::Skip(more), Some(Op::Skip(size))) = (op, self.mergeable())
            && let Some(sum) = size.checked_add(more)
        {
            *size = sum;
        } else {
            self.program.ops.push(op);
        }
        self.program.ops.len() - 1
    }

    fn mergeable(&mut self) -> Option<&mut Op> {
        if self.program.ops.len() > self.fence {
            self.program.ops.last_mut()
        } else {
            None
        }
    }

    /// The next op's index, as a jump target.
    fn here(&mut self) -> u32 {
        self.fence = self.program.ops.len();
        self.fence as u32
    }

    fn decimal(&mut self, check: DecimalCheck) -> u32 {
        let known = self.program.decimals.iter().position(|c| *c == check);
        known.unwrap_or_else(|| {
            self.program.decimals.push(check);
            self.program.decimals.len() - 1
        }) as u32
    }

    fn symbol(&mut self, symbol: &Arc<str>) -> u32 {
        let known = self.program.symbols.iter().position(|s| s == symbol);
        known.unwrap_or_else(|| {
            self.program.symbols.push(symbol.clone());
            self.program.symbols.len() - 1
        }) as u32
    }

    fn table(&mut self, entries: impl ExactSizeIterator<Item = u32>) -> u32 {
        let at = self.program.tables.len() as u32;
        self.program.tables.push(entries.len() as u32);
        self.program.tables.extend(entries);
        at
    }

    /// Ops for the writer's `w` read as the reader's `r`, with the captures of `trie`.
    fn node(
        &mut self,
        w: NodeId,
        r: NodeId,
        trie: &Trie,
        field: Option<(u32, u32)>,
    ) -> Result<(), Vec<Mismatch>> {
        if trie.is_empty() {
            self.skip(w, Some(r));
            return Ok(());
        }
        let writer = self.writer;
        let is_union = matches!(writer.node(w).kind, Kind::Union(_));
        for slot in &trie.slots {
            let shape = self.shape_of(w, r);
            let place = self.place(*slot)?;
            place.writer = Some(w);
            place.writer_is_union = is_union;
            place.field = field;
            place.shape = shape;
        }
        let slot = trie.slots.first().copied();
        match &writer.node(w).kind {
            Kind::Union(branches) => self.union(w, branches, r, trie, slot)?,
            _ => self.one(w, r, trie, slot)?,
        }
        for other in trie.slots.iter().skip(1) {
            // Null jumps here too, so the copy holds it as well; a null parent jumps past both.
            self.here();
            self.push(Op::Copy(slot.expect("there is a first slot"), *other));
        }
        Ok(())
    }

    fn union(
        &mut self,
        w: NodeId,
        branches: &'a [NodeId],
        r: NodeId,
        trie: &Trie,
        slot: Option<u16>,
    ) -> Result<(), Vec<Mismatch>> {
        if let Some((null, inner)) = self.writer.nullable(w) {
            let null = null as u8;
            let op = |over| match slot {
                Some(slot) => Op::TakeOpt { null, slot, over },
                None => Op::Opt { null, over },
            };
            let at = self.push(op(0));
            self.here();
            self.one(inner, r, trie, slot)?;
            if let Some(fused) = fused(null, &self.program.ops[at + 1..], slot) {
                self.program.ops.truncate(at);
                self.push(fused);
                return Ok(());
            }
            let over = self.here();
            self.program.ops[at] = op(over);
            return Ok(());
        }
        if let Some(slot) = slot {
            self.push(Op::Mark(slot));
        }
        self.branches(branches, |this, branch| this.one(branch, r, trie, slot))
    }

    /// Ops for a type that is no union.
    fn one(
        &mut self,
        w: NodeId,
        r: NodeId,
        trie: &Trie,
        slot: Option<u16>,
    ) -> Result<(), Vec<Mismatch>> {
        let (writer, reader) = (self.writer, self.reader);
        let r = self
            .counterpart(w, r)
            .expect("resolvable() found a branch for every type of the writer");
        let (wn, rn) = (writer.node(w), reader.node(r));
        if let (Kind::Record(_), Kind::Record(_)) = (&wn.kind, &rn.kind) {
            if let Some(slot) = slot {
                self.push(Op::Begin(slot));
            }
            self.record(w, r, trie)?;
            if let Some(slot) = slot {
                self.push(Op::Close(slot));
            }
            return Ok(());
        }
        let Some(slot) = slot else {
            // A path through something that is no record was refused by `reader_node`.
            self.skip(w, Some(r));
            return Ok(());
        };
        let number = match rn.kind {
            Kind::Float => Number::Float,
            Kind::Double => Number::Double,
            _ => Number::Int,
        };
        let wants_bytes = rn.kind == Kind::Bytes;
        let op = match &wn.kind {
            Kind::Null => Op::TakeNull(slot),
            Kind::Boolean => Op::TakeBoolean(slot),
            Kind::Int => Op::TakeInt(slot, number),
            Kind::Long => Op::TakeLong(slot, number),
            Kind::Float => Op::TakeFloat(slot),
            Kind::Double => Op::TakeDouble(slot),
            Kind::String if wants_bytes => Op::TakeStrBytes(slot),
            Kind::String => Op::TakeStr(slot),
            Kind::Bytes if !wants_bytes => Op::TakeStr(slot),
            Kind::Bytes => match self.check_of(w) {
                Some(check) => Op::TakeDecimal(slot, check),
                None => Op::TakeBytes(slot),
            },
            Kind::Fixed { size } => match self.check_of(w) {
                Some(check) => Op::TakeFixedDecimal(slot, check),
                None => Op::TakeFixed(slot, *size),
            },
            Kind::Enum { symbols, .. } => {
                let Kind::Enum {
                    symbols: known,
                    default,
                } = &rn.kind
                else {
                    unreachable!("an enum resolves to an enum only");
                };
                let at = resolve::symbols(symbols, known, *default)
                    .map(|at| at.expect("resolvable() found every symbol"));
                let numbers: Vec<u32> = at.map(|at| self.symbol(&known[at as usize])).collect();
                Op::TakeEnum(slot, self.table(numbers.into_iter()))
            }
            Kind::Array(_) | Kind::Map(_) | Kind::Union(_) | Kind::Record(_) => {
                let at = self.push(Op::Begin(slot));
                self.skip(w, Some(r));
                match self.program.ops[at + 1..] {
                    [
                        Op::StrItems {
                            bytes_min,
                            each: each @ ..256,
                        },
                    ] => {
                        self.program.ops.truncate(at);
                        Op::TakeStrItems {
                            bytes_min,
                            each: each as u8,
                            slot,
                        }
                    }
                    _ => Op::Close(slot),
                }
            }
        };
        self.push(op);
        Ok(())
    }

    fn record(&mut self, w: NodeId, r: NodeId, trie: &Trie) -> Result<(), Vec<Mismatch>> {
        let (wf, rf) = (self.writer.fields(w), self.reader.fields(r));
        let map = resolve::field_map(wf, rf);
        let instance = self.records;
        self.records += 1;
        let nothing = Trie::default();
        for (i, field) in wf.iter().enumerate() {
            match map.iter().position(|from| *from == Some(i)) {
                Some(j) => {
                    let trie = trie.children.get(&(j as u32)).unwrap_or(&nothing);
                    self.node(field.ty, rf[j].ty, trie, Some((instance, i as u32)))?;
                }
                None => self.skip(field.ty, None),
            }
        }
        for (j, field) in rf.iter().enumerate().filter(|(j, _)| map[*j].is_none()) {
            if let (Some(trie), Some(default)) = (trie.children.get(&(j as u32)), &field.default) {
                self.default(field.ty, default, trie)?;
            }
        }
        Ok(())
    }

    /// Captures of a field that the writer lacks: its default is encoded and scanned now.
    fn default(
        &mut self,
        r: NodeId,
        default: &serde_json::Value,
        trie: &Trie,
    ) -> Result<(), Vec<Mismatch>> {
        let mismatch = |message: String| {
            vec![Mismatch {
                path: String::new(),
                message,
            }]
        };
        let bytes = defaults::encode(self.reader, r, default).map_err(|e| mismatch(e.message))?;
        let mut inner = Compiler::new(self.reader, self.reader, self.program.slots);
        inner.places = self.places.clone();
        inner.shapes = std::mem::take(&mut self.shapes);
        inner.root(r, r, trie)?;
        let mut found = Slots::new();
        inner
            .program
            .run(&bytes, &mut found)
            .map_err(|e| mismatch(format!("the default is no valid datum: {e}")))?;
        let bytes: Arc<[u8]> = bytes.into();
        let mut wanted = Vec::new();
        trie.all_slots(&mut wanted);
        self.shapes = std::mem::take(&mut inner.shapes);
        for number in wanted {
            let mut slot = found.slots[usize::from(number)];
            if slot.found == Found::Symbol {
                slot.bits = u64::from(self.symbol(&inner.program.symbols[slot.bits as usize]));
            }
            // The shape of reading the reader's own encoding.
            self.place(number)?.default_shape = inner.places[usize::from(number)].shape;
            self.defaults.push(DefaultSlot {
                bytes: bytes.clone(),
                slot,
            });
            self.push(Op::Default(number, self.defaults.len() as u32 - 1));
        }
        Ok(())
    }

    /// The place of a slot, which has one only.
    fn place(&mut self, slot: u16) -> Result<&mut Place, Vec<Mismatch>> {
        let place = &mut self.places[usize::from(slot)];
        if std::mem::replace(&mut place.found, true) {
            let message =
                "a value that is read stands in several records of the writer's union".to_owned();
            return Err(vec![Mismatch {
                path: String::new(),
                message,
            }]);
        }
        Ok(place)
    }

    /// How a want is built that is no scalar, or one of several scalars.
    fn shape_of(&mut self, w: NodeId, r: NodeId) -> Option<ShapeId> {
        let is_plain = |schema: &Schema, id: NodeId| {
            let (id, _) = schema.strip_null(id);
            !matches!(
                schema.node(id).kind,
                Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Union(_)
            )
        };
        if is_plain(self.writer, w) && is_plain(self.reader, r) {
            return None;
        }
        Some(self.shapes.compile(self.writer, w, self.reader, r))
    }
}
