//! The output record: byte ranges copied where the encodings agree (neighbours in one piece), values converted where they
//! do not, computed values encoded.

use std::sync::Arc;

use bumpalo::Bump;

use super::copy::{rebuildable, same_encoding};
use super::primitive::{put_long, put_run};
use super::scan::Found;
use super::{Fault, Scan, Slots, Val, Want, defaults, encode};
use crate::schema::{Field, Kind, NodeId, Schema};

/// Where a field of the output comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldSource {
    /// Copied from a slot.
    Slot(u16),
    /// The same, from a slot that may be made null ([`Slots::set_null`]): never in one piece with its neighbours, because
    /// the bytes of the piece do not know it.
    Guarded(u16),
    /// A computed value, by its index in `regs`.
    Reg(u16),
    /// The default of the output schema.
    Default,
    /// A record that is written out: one source for each of its fields. Of a union it is the one branch that is a record.
    Record(Vec<FieldSource>),
}

/// A compiled program that writes one output record. Immutable; one serves all threads. It belongs to one scan.
pub struct Emit {
    out: Arc<Schema>,
    /// Each with the index of the (first) field that it writes.
    ops: Vec<(Op, u32)>,
    /// The bytes of defaults and of nulls.
    constants: Vec<u8>,
}

/// Why an output could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {message}")]
pub struct EmitFault {
    /// Name of the output field.
    pub field: String,
    /// Reason code, an entry of `docs/ERRORS.md`.
    pub reason: &'static str,
    /// What failed, bounded, without payload beyond numbers.
    pub message: String,
}

/// A range of [`Emit::constants`].
type Range = (u32, u32);

#[derive(Clone, Copy, Debug)]
enum Op {
    Constant(Range),
    /// The bytes from one slot to another, neighbours in the writer's datum. If their parent is null, `absent` (a null
    /// for each) is written, or the field (by its index) is at fault.
    Copy {
        first: u16,
        last: u16,
        union: bool,
        absent: Result<Range, u32>,
        /// Whether no neighbour may be joined.
        alone: bool,
    },
    /// The bytes of a value without the writer's union index, behind the target's.
    Wrap {
        slot: u16,
        null: Option<u8>,
        branch: Option<u8>,
    },
    /// Built, lifted and encoded.
    Convert {
        slot: u16,
        node: NodeId,
    },
    Compute {
        reg: u16,
        node: NodeId,
        simple: Simple,
        /// The union index before a value of the simple type, as it is encoded.
        branch: Option<u8>,
    },
}

/// The types that most computed values are written as. Values that fit them are written without a look at the schema.
#[derive(Clone, Copy, Debug)]
enum Simple {
    Boolean,
    Long,
    Double,
    String,
    /// As the schema says.
    None,
}

impl Simple {
    fn of(schema: &Schema, node: NodeId) -> Simple {
        let node = schema.node(node);
        match node.kind {
            _ if node.logical.is_some() => Simple::None,
            Kind::Boolean => Simple::Boolean,
            Kind::Long => Simple::Long,
            Kind::Double => Simple::Double,
            Kind::String => Simple::String,
            _ => Simple::None,
        }
    }
}

impl Op {
    /// The same, kept apart from what is copied after it.
    fn alone(mut self) -> Op {
        if let Op::Copy { alone, .. } = &mut self {
            *alone = true;
        }
        self
    }
}

impl Emit {
    /// Compiles the program; `fields` has one source for each field of `out`'s root record, in its order. `reader` and
    /// `wants` are those of the scan. The caller has asked [`super::copyable`] and [`super::encodable`]; `Err` is for a
    /// plan that contradicts itself.
    pub fn compile(
        scan: &Scan,
        reader: &Schema,
        wants: &[Want],
        out: &Arc<Schema>,
        fields: &[FieldSource],
    ) -> Result<Emit, String> {
        let targets = out.fields(out.root);
        if targets.len() != fields.len() {
            return Err(format!(
                "the output has {} fields, the plan fills {}",
                targets.len(),
                fields.len()
            ));
        }
        let mut emit = Emit {
            out: out.clone(),
            ops: Vec::new(),
            constants: Vec::new(),
        };
        for (index, (field, source)) in targets.iter().zip(fields).enumerate() {
            emit.field(scan, reader, wants.len(), field, source, index as u32)?;
        }
        Ok(emit)
    }

    /// Compiles what writes a field; `index` is that of the field of the root record that it belongs to.
    fn field(
        &mut self,
        scan: &Scan,
        reader: &Schema,
        slots: usize,
        field: &Field,
        source: &FieldSource,
        index: u32,
    ) -> Result<(), String> {
        let out = self.out.clone();
        match source {
            FieldSource::Slot(slot) if usize::from(*slot) < slots => {
                let op = self.slot(scan, reader, *slot, field, index)?;
                self.push(scan, op, index);
            }
            FieldSource::Guarded(slot) if usize::from(*slot) < slots => {
                let op = self.slot(scan, reader, *slot, field, index)?;
                self.ops.push((op.alone(), index));
            }
            FieldSource::Slot(slot) | FieldSource::Guarded(slot) => {
                return Err(format!("field {}: there is no slot {slot}", field.name));
            }
            FieldSource::Reg(reg) => {
                let nullable = out.nullable(field.ty);
                let inner = nullable.map_or(field.ty, |(_, inner)| inner);
                let op = Op::Compute {
                    reg: *reg,
                    node: field.ty,
                    simple: Simple::of(&out, inner),
                    branch: nullable.map(|(null, _)| (1 - null as u8) << 1),
                };
                self.ops.push((op, index));
            }
            FieldSource::Default => {
                let default = field.default.as_ref();
                let default =
                    default.ok_or_else(|| format!("field {} has no default", field.name))?;
                let bytes = defaults::encode(&out, field.ty, default)
                    .map_err(|fault| format!("field {}: {}", field.name, fault.message))?;
                let range = self.constant(&bytes);
                self.push(scan, Op::Constant(range), index);
            }
            FieldSource::Record(sources) => {
                let record = match &out.node(field.ty).kind {
                    Kind::Union(branches) => {
                        let is_record = |id: &NodeId| matches!(out.node(*id).kind, Kind::Record(_));
                        let branch = branches.iter().position(is_record);
                        let branch =
                            branch.ok_or_else(|| format!("field {} is no record", field.name))?;
                        let mut bytes = Vec::with_capacity(1);
                        put_long(branch as i64, &mut bytes);
                        let range = self.constant(&bytes);
                        self.push(scan, Op::Constant(range), index);
                        branches[branch]
                    }
                    _ => field.ty,
                };
                let fields = out.fields(record);
                if fields.len() != sources.len() {
                    return Err(format!(
                        "field {} has {} fields, the plan fills {}",
                        field.name,
                        fields.len(),
                        sources.len()
                    ));
                }
                for (field, source) in fields.iter().zip(sources) {
                    self.field(scan, reader, slots, field, source, index)?;
                }
            }
        }
        Ok(())
    }

    /// Appends the output datum. On a fault `out` is as it was. `regs` are the computed values; `bump` holds containers
    /// that must be rebuilt, and decimals that change their scale. Otherwise allocates only when `out` grows.
    pub fn run<'a>(
        &self,
        scan: &'a Scan,
        datum: &'a [u8],
        slots: &Slots,
        regs: &[Val<'a>],
        bump: &'a Bump,
        out: &mut Vec<u8>,
    ) -> Result<(), EmitFault> {
        let start = out.len();
        for (op, field) in &self.ops {
            let done = match *op {
                Op::Constant(range) => {
                    out.extend_from_slice(self.bytes(range));
                    continue;
                }
                Op::Copy {
                    first,
                    last,
                    union,
                    absent,
                    ..
                } => {
                    let (from, to) = (
                        &slots.slots[usize::from(first)],
                        &slots.slots[usize::from(last)],
                    );
                    debug_assert_eq!(
                        from.found == Found::Absent,
                        to.found == Found::Absent,
                        "a slot within a joined copy was made null"
                    );
                    let start_of = if union { from.start } else { from.value };
                    match (datum.get(start_of as usize..to.end as usize), absent) {
                        _ if from.found == Found::Absent => match absent {
                            Ok(range) => {
                                out.extend_from_slice(self.bytes(range));
                                continue;
                            }
                            Err(field) => {
                                out.truncate(start);
                                return Err(self.fault(field, null_fault()));
                            }
                        },
                        (Some(bytes), _) => {
                            put(datum, start_of as usize, bytes, out);
                            continue;
                        }
                        (None, _) => Err(foreign_slots()),
                    }
                }
                Op::Wrap { slot, null, branch } => {
                    let slot = &slots.slots[usize::from(slot)];
                    match (slot.found, null) {
                        (Found::Absent | Found::Null, Some(null)) => {
                            put_long(i64::from(null), out);
                            Ok(())
                        }
                        (Found::Absent | Found::Null, None) => Err(null_fault()),
                        _ => {
                            if let Some(branch) = branch {
                                put_long(i64::from(branch), out);
                            }
                            copy(datum, slot.value, slot.end, out)
                        }
                    }
                }
                Op::Convert { slot, node } => scan
                    .build(slots, slot, datum, bump, true)
                    .and_then(|value| encode::copied(&self.out, node, &value, out)),
                Op::Compute {
                    reg,
                    node,
                    simple,
                    branch,
                } => {
                    let value = &regs[usize::from(reg)];
                    if put_simple(simple, branch, value, out) {
                        continue;
                    }
                    encode::value(&self.out, node, value, out)
                }
            };
            if let Err(fault) = done {
                out.truncate(start);
                return Err(self.fault(*field, fault));
            }
        }
        Ok(())
    }

    fn slot(
        &mut self,
        scan: &Scan,
        reader: &Schema,
        slot: u16,
        field: &Field,
        index: u32,
    ) -> Result<Op, String> {
        let target = field.ty;
        let place = &scan.places[usize::from(slot)];
        let out = self.out.clone();
        let agree = |w: NodeId, r: NodeId, t: NodeId| {
            same_encoding(&scan.writer, w, reader, r) && same_encoding(reader, r, &out, t)
        };
        // A default has no bytes in the datum; of a union it is the first branch that takes it.
        let Some(w) = place.writer else {
            return Ok(Op::Convert { slot, node: target });
        };
        if agree(w, place.reader, target) {
            let null = match &out.node(target).kind {
                Kind::Union(branches) => branches
                    .iter()
                    .position(|branch| out.node(*branch).kind == Kind::Null),
                _ => None,
            };
            let absent = match null {
                Some(null) => {
                    let mut bytes = Vec::with_capacity(1);
                    put_long(null as i64, &mut bytes);
                    Ok(self.constant(&bytes))
                }
                None => Err(index),
            };
            return Ok(Op::Copy {
                first: slot,
                last: slot,
                union: place.writer_is_union,
                absent,
                alone: false,
            });
        }
        let (w, _) = scan.writer.strip_null(w);
        let (r, _) = reader.strip_null(place.reader);
        let (t, _) = out.strip_null(target);
        if agree(w, r, t) {
            let null = out.nullable(target).map(|(null, _)| null as u8);
            return Ok(Op::Wrap {
                slot,
                null,
                branch: null.map(|null| 1 - null),
            });
        }
        rebuildable(reader, r, &out, t).map_err(|why| format!("field {}: {why}", field.name))?;
        Ok(Op::Convert { slot, node: target })
    }

    /// Adds an op, in one piece with the one before it if their bytes lie side by side.
    fn push(&mut self, scan: &Scan, op: Op, index: u32) {
        let field = |slot: u16| scan.places[usize::from(slot)].field;
        match (self.ops.last_mut().map(|(op, _)| op), op) {
            (Some(Op::Constant(before)), Op::Constant(range)) if before.1 == range.0 => {
                before.1 = range.1
            }
            (
                Some(Op::Copy {
                    last,
                    absent: before,
                    alone: false,
                    ..
                }),
                Op::Copy {
                    first,
                    last: next,
                    absent,
                    ..
                },
            ) if matches!((field(*last), field(first)), (Some((a, i)), Some((b, j))) if a == b && i + 1 == j)
                && can_join(before, &absent) =>
            {
                *last = next;
                *before = match (*before, absent) {
                    (Ok(a), Ok(b)) => Ok((a.0, b.1)),
                    (Err(field), _) | (_, Err(field)) => Err(field),
                };
            }
            _ => self.ops.push((op, index)),
        }
    }

    fn constant(&mut self, bytes: &[u8]) -> Range {
        let start = self.constants.len() as u32;
        self.constants.extend_from_slice(bytes);
        (start, self.constants.len() as u32)
    }

    fn bytes(&self, (start, end): Range) -> &[u8] {
        &self.constants[start as usize..end as usize]
    }

    #[cold]
    fn fault(&self, field: u32, fault: Fault) -> EmitFault {
        let field = self.out.fields(self.out.root)[field as usize]
            .name
            .to_string();
        EmitFault {
            field,
            reason: fault.reason,
            message: fault.message,
        }
    }
}

/// Nulls that are written together must stand together; one field at fault is at fault for all.
fn can_join(before: &Result<Range, u32>, next: &Result<Range, u32>) -> bool {
    match (before, next) {
        (Ok(before), Ok(next)) => before.1 == next.0,
        _ => true,
    }
}

/// Writes a value of the simple type; `false` for any other.
#[inline(always)]
fn put_simple(simple: Simple, branch: Option<u8>, value: &Val<'_>, out: &mut Vec<u8>) -> bool {
    let fits = matches!(
        (simple, value),
        (Simple::Boolean, Val::Bool(_))
            | (Simple::Long, Val::Int(_))
            | (Simple::Double, Val::Double(_))
            | (Simple::String, Val::Str(_))
    );
    if !fits {
        return false;
    }
    out.extend(branch);
    match value {
        Val::Bool(value) => out.push(u8::from(*value)),
        Val::Int(value) => put_long(*value, out),
        Val::Double(value) => out.extend_from_slice(&value.to_le_bytes()),
        Val::Str(text) => put_run(text.as_bytes(), out),
        _ => {}
    }
    true
}

/// Bytes that are copied together with what stands behind them, because a copy of so many needs no call.
const SHORT: usize = 32;

/// Appends bytes of the datum, which begin at `start`.
#[inline(always)]
fn put(datum: &[u8], start: usize, bytes: &[u8], out: &mut Vec<u8>) {
    match datum.get(start..).and_then(<[u8]>::first_chunk::<SHORT>) {
        Some(piece) if bytes.len() <= SHORT => {
            let end = out.len() + bytes.len();
            out.extend_from_slice(piece);
            out.truncate(end);
        }
        _ => out.extend_from_slice(bytes),
    }
}

fn null_fault() -> Fault {
    Fault::new(
        "unexpected_null",
        "the value is null, the field is not nullable",
    )
}

#[inline]
fn copy(datum: &[u8], from: u32, to: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
    match datum.get(from as usize..to as usize) {
        Some(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        None => Err(foreign_slots()),
    }
}

#[cold]
fn foreign_slots() -> Fault {
    Fault::new("truncated", "the slots belong to another datum")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_copied_in_one_piece() {
        let parse = |json: &str| Arc::new(Schema::parse(json).unwrap());
        let source = parse(
            r#"{"type":"record","name":"S","fields":[{"name":"row","type":["null",{"type":"record","name":"R","fields":[
                {"name":"a","type":["null","string"]},{"name":"b","type":["null","int"]},{"name":"c","type":["null","string"]},
                {"name":"d","type":["null","string"]}]}]}]}"#,
        );
        let out = |types: [&str; 3]| {
            let fields: Vec<_> = types
                .iter()
                .enumerate()
                .map(|(i, ty)| format!(r#"{{"name":"f{i}","type":{ty}}}"#))
                .collect();
            parse(&format!(
                r#"{{"type":"record","name":"O","fields":[{}]}}"#,
                fields.join(",")
            ))
        };
        let ops = |fields: [u32; 3], types: [&str; 3]| {
            let wants: Vec<_> = fields
                .iter()
                .map(|field| Want {
                    path: vec![0, *field],
                })
                .collect();
            let scan = Scan::compile(&source, &source, &wants).unwrap();
            let slots = [
                FieldSource::Slot(0),
                FieldSource::Slot(1),
                FieldSource::Slot(2),
            ];
            Emit::compile(&scan, &source, &wants, &out(types), &slots)
                .unwrap()
                .ops
                .len()
        };
        let (string, int, long) = (
            r#"["null","string"]"#,
            r#"["null","int"]"#,
            r#"["null","long"]"#,
        );
        assert_eq!(ops([0, 1, 2], [string, int, string]), 1);
        assert_eq!(
            ops([0, 1, 2], [string, long, string]),
            1,
            "an int is encoded as a long is"
        );
        assert_eq!(
            ops([0, 2, 3], [string, string, string]),
            2,
            "b lies between"
        );
        assert_eq!(ops([2, 1, 0], [string, int, string]), 3, "another order");
        assert_eq!(
            ops([0, 1, 2], [string, r#"["int","null"]"#, string]),
            3,
            "another union order"
        );
    }
}
