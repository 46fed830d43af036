//! From two schemas and the wants of a plan to the flat program of [`super::scan`].
//!
//! Types are written out in place, so that every place can have its own captures; only records that contain themselves
//! become subroutines. The size of the program is bounded by the schema's expanded size.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::defaults::{self, DefaultSlot};
use super::scan::{DecimalCheck, Found, Number, Op, Program, Scan, Slots, Want};
use super::shape::{ShapeId, Shapes};
use crate::schema::resolve::{self, Mismatch};
use crate::schema::{Kind, Logical, NodeId, Schema};

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

    // === ops ===

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

    // === with captures ===

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

    // === validation only ===

    /// The reader's type for the writer's `w` (no union): `r`, or the branch of it that fits.
    fn counterpart(&self, w: NodeId, r: NodeId) -> Option<NodeId> {
        match &self.reader.node(r).kind {
            Kind::Union(branches) => {
                resolve::reader_branch(self.writer, w, self.reader, branches).map(|at| branches[at])
            }
            _ => Some(r),
        }
    }

    /// Ops that validate the writer's `w`. The reader's type matters only where it makes text of bytes.
    fn skip(&mut self, w: NodeId, r: Option<NodeId>) {
        let writer = self.writer;
        let wn = writer.node(w);
        if let Kind::Union(branches) = &wn.kind {
            return self.skip_union(w, branches, r);
        }
        let r = r.and_then(|r| self.counterpart(w, r));
        let reads_text = r.is_some_and(|r| self.reader.node(r).kind == Kind::String);
        match &wn.kind {
            Kind::Null | Kind::Fixed { size: 0 } => {}
            Kind::Boolean => _ = self.push(Op::Boolean),
            Kind::Int => _ = self.push(Op::Int),
            Kind::Long => _ = self.push(Op::Longs(1)),
            Kind::Float => _ = self.push(Op::Skip(4)),
            Kind::Double => _ = self.push(Op::Skip(8)),
            Kind::String => _ = self.push(Op::Strs(1)),
            Kind::Bytes if reads_text => _ = self.push(Op::Strs(1)),
            Kind::Bytes => {
                let op = self.check_of(w).map_or(Op::Bytes, Op::Decimal);
                self.push(op);
            }
            Kind::Fixed { size } => {
                let op = self.check_of(w).map_or(Op::Skip(*size), Op::FixedDecimal);
                self.push(op);
            }
            Kind::Enum { symbols, .. } => _ = self.push(Op::Enum(symbols.len() as u32)),
            Kind::Array(items) => {
                let inner = r.and_then(|r| match self.reader.node(r).kind {
                    Kind::Array(items) => Some(items),
                    _ => None,
                });
                self.items(self.bytes_min[items.0 as usize], |this| {
                    this.skip(*items, inner)
                });
            }
            Kind::Map(values) => {
                let inner = r.and_then(|r| match self.reader.node(r).kind {
                    Kind::Map(values) => Some(values),
                    _ => None,
                });
                // A key takes at least its length byte.
                let bytes_min = self.bytes_min[values.0 as usize].saturating_add(1);
                self.items(bytes_min, |this| {
                    this.push(Op::Strs(1));
                    this.skip(*values, inner);
                });
            }
            Kind::Record(_) if self.recursive[w.0 as usize] => {
                let at = self.push(Op::Call(0));
                self.here();
                self.calls.push((at, w, r));
            }
            Kind::Record(_) => self.record_body(w, r),
            Kind::Union(_) => unreachable!("handled above"),
        }
    }

    fn skip_union(&mut self, w: NodeId, branches: &'a [NodeId], r: Option<NodeId>) {
        let Some((null, inner)) = self.writer.nullable(w) else {
            let done = self.branches(branches, |this, branch| {
                this.skip(branch, r);
                Ok(())
            });
            return done.expect("a skip cannot fail");
        };
        let null = null as u8;
        match self.writer.node(inner).kind {
            Kind::Long => _ = self.push(Op::OptLong { null }),
            Kind::String => _ = self.push(Op::OptStr { null }),
            _ => {
                let at = self.push(Op::Opt { null, over: 0 });
                self.here();
                self.skip(inner, r);
                if let Some(fused) = fused(null, &self.program.ops[at + 1..], None) {
                    self.program.ops.truncate(at);
                    self.push(fused);
                    return;
                }
                let over = self.here();
                self.program.ops[at] = Op::Opt { null, over };
            }
        }
    }

    fn record_body(&mut self, w: NodeId, r: Option<NodeId>) {
        let wf = self.writer.fields(w);
        let rf = r.map_or(&[][..], |r| self.reader.fields(r));
        let map = resolve::field_map(wf, rf);
        for (i, field) in wf.iter().enumerate() {
            let counterpart = map
                .iter()
                .position(|from| *from == Some(i))
                .map(|j| rf[j].ty);
            self.skip(field.ty, counterpart);
        }
    }

    fn items(&mut self, bytes_min: u16, body: impl FnOnce(&mut Self)) {
        let at = self.push(Op::Array { bytes_min, over: 0 });
        let start = self.here();
        body(self);
        if let [Op::Strs(each)] = self.program.ops[at + 1..] {
            self.program.ops.truncate(at);
            self.push(Op::StrItems { bytes_min, each });
            return;
        }
        self.push(Op::Next {
            bytes_min,
            body: start,
        });
        let over = self.here();
        self.program.ops[at] = Op::Array { bytes_min, over };
    }

    fn branches(
        &mut self,
        branches: &'a [NodeId],
        mut body: impl FnMut(&mut Self, NodeId) -> Result<(), Vec<Mismatch>>,
    ) -> Result<(), Vec<Mismatch>> {
        let table = self.table(branches.iter().map(|_| 0));
        self.push(Op::Union { table });
        let mut jumps = Vec::with_capacity(branches.len());
        for (i, branch) in branches.iter().enumerate() {
            let start = self.here();
            self.program.tables[table as usize + 1 + i] = start;
            body(self, *branch)?;
            jumps.push(self.push(Op::Jump(0)));
        }
        let end = self.here();
        for at in jumps {
            self.program.ops[at] = Op::Jump(end);
        }
        Ok(())
    }

    fn check_of(&mut self, w: NodeId) -> Option<u32> {
        let node = self.writer.node(w);
        let Some(Logical::Decimal { precision, .. }) = node.logical else {
            return None;
        };
        let size = match node.kind {
            Kind::Fixed { size } => size,
            _ => 0,
        };
        Some(self.decimal(DecimalCheck::new(precision, digits_bytes(precision), size)))
    }
}

/// One op for a union with null that is captured in `slot`, if there is one for what it holds.
fn fused(null: u8, inner: &[Op], slot: Option<u16>) -> Option<Op> {
    match (inner, slot) {
        ([Op::Skip(size)], None) => Some(Op::OptSkip { null, size: *size }),
        // What is captured may also be the only field of a record, which is another matter.
        ([Op::TakeLong(taken, Number::Int)], Some(slot)) if slot == *taken => {
            Some(Op::TakeOptLong { null, slot })
        }
        ([Op::TakeStr(taken)], Some(slot)) if slot == *taken => Some(Op::TakeOptStr { null, slot }),
        _ => None,
    }
}

/// Bytes of two's complement that hold `precision` digits and a sign.
pub(super) fn digits_bytes(precision: u32) -> usize {
    (f64::from(precision) * std::f64::consts::LOG2_10 / 8.0).ceil() as usize + 1
}

/// Which records must be subroutines: those that a depth-first walk meets while they are open. Every cycle of types has
/// one, so that everything else can be written out in place.
fn recursive(schema: &Schema) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; schema.nodes.len()];
    let mut recursive = vec![false; schema.nodes.len()];
    // (node, next child)
    let mut stack: Vec<(usize, usize)> = vec![(schema.root.0 as usize, 0)];
    states[schema.root.0 as usize] = State::Open;
    while let Some((node, next)) = stack.last_mut() {
        let (at, child) = (*node, child(schema, *node, *next));
        *next += 1;
        match child {
            None => {
                states[at] = State::Done;
                stack.pop();
            }
            Some(child) if states[child] == State::New => {
                states[child] = State::Open;
                stack.push((child, 0));
            }
            Some(child) if states[child] == State::Open => recursive[child] = true,
            Some(_) => {}
        }
    }
    recursive
}

fn child(schema: &Schema, node: usize, index: usize) -> Option<usize> {
    let id = match &schema.nodes[node].kind {
        Kind::Array(inner) | Kind::Map(inner) => (index == 0).then_some(*inner),
        Kind::Union(branches) => branches.get(index).copied(),
        Kind::Record(fields) => fields.get(index).map(|field| field.ty),
        _ => None,
    };
    id.map(|id| id.0 as usize)
}

/// The fewest bytes that a value of each node takes; a record inside itself counts as none, which is a lower bound still.
fn bytes_min(schema: &Schema) -> Vec<u16> {
    fn of(schema: &Schema, node: usize, known: &mut [Option<u16>], depth: u32) -> u16 {
        if let Some(bytes) = known[node] {
            return bytes;
        }
        known[node] = Some(0);
        if depth > resolve::PAIR_DEPTH_MAX {
            return 0;
        }
        let mut inner = |id: &NodeId| of(schema, id.0 as usize, known, depth + 1);
        let bytes = match &schema.nodes[node].kind {
            Kind::Null => 0,
            Kind::Float => 4,
            Kind::Double => 8,
            Kind::Fixed { size } => (*size).min(u32::from(u16::MAX)) as u16,
            Kind::Union(branches) => branches
                .iter()
                .map(&mut inner)
                .min()
                .unwrap_or(0)
                .saturating_add(1),
            Kind::Record(fields) => fields
                .iter()
                .fold(0u16, |sum, field| sum.saturating_add(inner(&field.ty))),
            Kind::Array(items) | Kind::Map(items) => {
                inner(items);
                1
            }
            _ => 1,
        };
        known[node] = Some(bytes);
        bytes
    }
    let mut known = vec![None; schema.nodes.len()];
    (0..schema.nodes.len())
        .map(|node| of(schema, node, &mut known, 0))
        .collect()
}
