//! The flat scan: a program over a writer's bytes that validates every one of them and captures what a plan reads.
//!
//! Ops run one after the other; jumps exist for unions, loops for arrays and maps, calls for records that contain
//! themselves. There is no recursion in Rust and no allocation: loops and calls live on a small stack in [`Slots`].
//! A slot that was not captured stays absent, which is what "some parent is null" means.

use std::sync::Arc;

use bumpalo::Bump;

use super::compile::{self, Place};
use super::defaults::DefaultSlot;
use super::grown::{self, Check};
use super::primitive::{self, Trouble};
use super::shape::{Builder, Shapes};
use super::{Decimal, Fault, NESTING_MAX, Val, ZERO_BYTE_ITEMS_MAX, utf8};
use crate::schema::Schema;
use crate::schema::resolve::Mismatch;

/// A value that a plan reads: the field indexes of the *reader's* schema from the root record down, looking through
/// nullable unions. The slot's number is the index in the list of wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// Field indexes; empty for the whole datum.
    pub path: Vec<u32>,
}

/// A compiled program for data of one writer schema, read as a reader schema, with the wants of one plan.
/// Immutable; one serves all threads.
pub struct Scan {
    pub(super) program: Program,
    pub(super) places: Vec<Place>,
    pub(super) defaults: Vec<DefaultSlot>,
    pub(super) shapes: Shapes,
    pub(super) writer: Schema,
    pub(super) reader: Arc<Schema>,
    /// What values must be where the writer has outgrown the reader.
    pub(super) checks: Vec<Check>,
}

/// What a run of the scan captured; reused from record to record, and by any number of programs.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    pub(super) slots: Vec<Slot>,
    frames: Vec<Frame>,
    /// Which bytes of the datum are not ASCII.
    marks: Vec<u64>,
}

/// Why a datum is not one of the writer's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at} of the datum")]
pub struct ScanFault {
    /// Reason code, an entry of `docs/ERRORS.md`.
    pub reason: &'static str,
    /// Byte of the datum where it was noticed.
    pub at: usize,
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Found {
    /// A parent is null.
    #[default]
    Absent,
    Null,
    Bool,
    Int,
    Double,
    /// Text from `bits` to `end`.
    Str,
    /// Bytes from `bits` to `end`.
    Bytes,
    /// Symbol number `bits` of the program.
    Symbol,
    /// A container: its encoding from `value` to `end`.
    Raw,
    /// Default number `bits` of the scan.
    Default,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// Where the union index before the value starts; only set if the writer's type is a union.
    pub(super) start: u32,
    /// Where the value's own encoding starts.
    pub(super) value: u32,
    /// Where the value ends.
    pub(super) end: u32,
    pub(super) found: Found,
    pub(super) bits: u64,
}

/// How the reader wants a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Int,
    Float,
    Double,
}

/// One instruction. "Take" instructions validate like their plain twin and fill a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Boolean,
    Int,
    Longs(u32),
    Skip(u32),
    Bytes,
    Strs(u32),
    Decimal(u32),
    FixedDecimal(u32),
    Enum(u32),
    OptLong {
        null: u8,
    },
    OptStr {
        null: u8,
    },
    OptSkip {
        null: u8,
        size: u32,
    },
    Opt {
        null: u8,
        over: u32,
    },
    Union {
        table: u32,
    },
    Jump(u32),
    Array {
        bytes_min: u16,
        over: u32,
    },
    Next {
        bytes_min: u16,
        body: u32,
    },
    /// An array or map of which each item is so many strings.
    StrItems {
        bytes_min: u16,
        each: u32,
    },
    Call(u32),
    Return,
    End,
    Mark(u16),
    TakeNull(u16),
    TakeBoolean(u16),
    TakeInt(u16, Number),
    TakeLong(u16, Number),
    TakeFloat(u16),
    TakeDouble(u16),
    TakeStr(u16),
    TakeBytes(u16),
    /// Text that the reader takes as bytes.
    TakeStrBytes(u16),
    TakeDecimal(u16, u32),
    TakeFixed(u16, u32),
    TakeFixedDecimal(u16, u32),
    TakeEnum(u16, u32),
    TakeOpt {
        null: u8,
        slot: u16,
        over: u32,
    },
    TakeOptLong {
        null: u8,
        slot: u16,
    },
    TakeOptStr {
        null: u8,
        slot: u16,
    },
    /// The same as [`Op::StrItems`].
    TakeStrItems {
        bytes_min: u16,
        each: u8,
        slot: u16,
    },
    Begin(u16),
    Close(u16),
    Default(u16, u32),
    Copy(u16, u16),
}

/// Bounds of a decimal's digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecimalCheck {
    pub(super) precision: u32,
    pub(super) bytes_max: usize,
    /// The bytes of a fixed; 0 for bytes.
    pub(super) size: u32,
    /// `10^precision`, or what no 64 bits reach.
    below: u64,
}

impl DecimalCheck {
    /// Digits in bytes of any length.
    pub(super) fn of(precision: u32) -> DecimalCheck {
        DecimalCheck::new(precision, compile::digits_bytes(precision), 0)
    }

    pub(super) fn new(precision: u32, bytes_max: usize, size: u32) -> DecimalCheck {
        DecimalCheck {
            precision,
            bytes_max,
            size,
            below: match precision {
                0 => 0,
                _ => 10u64.checked_pow(precision).unwrap_or(u64::MAX),
            },
        }
    }

    /// Whether the bytes from `start` to `end` are digits of it.
    #[inline(always)]
    pub(super) fn accepts(&self, data: &[u8], start: usize, end: usize) -> bool {
        let length = end - start;
        match data[start..].first_chunk::<8>() {
            Some(eight) if matches!(length, 1..=8) => {
                // What follows the digits is shifted out.
                let number = i64::from_be_bytes(*eight) >> (64 - 8 * length);
                number.unsigned_abs() < self.below
            }
            _ => self.accepts_slowly(&data[start..end]),
        }
    }

    #[inline(never)]
    fn accepts_slowly(&self, digits: &[u8]) -> bool {
        match digits {
            [] => false,
            [first, rest @ ..] if rest.len() < 8 => {
                let number = rest.iter().fold(i64::from(*first as i8), |number, byte| {
                    number << 8 | i64::from(*byte)
                });
                number.unsigned_abs() < self.below
            }
            _ => self.accepts_wide(digits),
        }
    }

    fn accepts_wide(&self, digits: &[u8]) -> bool {
        match Decimal::from_be_bytes(digits, 0) {
            Ok(number) => number.digits() <= self.precision,
            // Beyond 128 bits only the length is judged: such a precision is a guess of the converter (64) anyway.
            Err(_) => !digits.is_empty() && self.precision > 38 && digits.len() <= self.bytes_max,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    /// Jump tables of unions: the count of branches, then a target per branch; enums: the count, then symbol numbers.
    pub(super) tables: Vec<u32>,
    pub(super) decimals: Vec<DecimalCheck>,
    pub(super) symbols: Vec<Arc<str>>,
    pub(super) slots: usize,
}

/// Words of marks that are kept from datum to datum: those of a mebibyte.
const MARKS_MAX: usize = (1 << 20) / 64;

#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Items left in the block of a loop; unused by a call.
    left: u64,
    block_end: Option<usize>,
    /// Where a call returns to.
    back: usize,
}

impl Slots {
    /// Empty slots; they grow to a program's need when it first runs.
    pub fn new() -> Slots {
        Slots::default()
    }

    /// Makes a slot's value null, for expressions and for copies whose source is [`super::FieldSource::Guarded`]. Copies of
    /// several slots in one piece do not see it.
    pub fn set_null(&mut self, slot: u16) {
        self.slots[usize::from(slot)].found = Found::Absent;
    }
}

impl Scan {
    /// Compiles the program: resolution of the writer's schema to the reader's happens here and never per record.
    /// `Err` holds every reason why some datum of the writer could not be read as the reader's type.
    pub fn compile(
        writer: &Schema,
        reader: &Arc<Schema>,
        wants: &[Want],
    ) -> Result<Scan, Vec<Mismatch>> {
        compile::compile(writer, reader, wants)
    }

    /// As [`Scan::compile`], for a writer that may have outgrown the reader: a column is wider, or nullable, or one that
    /// nobody reads is gone. A value that has no place in the reader's type ends the run with `outgrown`. `asked` are the
    /// wants of which only the presence matters.
    pub fn compile_grown(
        writer: &Schema,
        reader: &Arc<Schema>,
        wants: &[Want],
        asked: &[u16],
    ) -> Result<Scan, Vec<Mismatch>> {
        let strict = compile::compile(writer, reader, wants);
        if strict.is_ok() {
            return strict;
        }
        let (widened, checks) = grown::widened(writer, reader, wants, asked)?;
        let scan = compile::compile(writer, &Arc::new(widened), wants)?;
        Ok(Scan { checks, ..scan })
    }

    /// The schema as which data are read: the reader's, widened where the writer has outgrown it.
    pub fn reader(&self) -> &Schema {
        &self.reader
    }

    /// Validates every byte of the datum and fills the slots. Allocates only when the slots grow to this program's need.
    pub fn run(&self, datum: &[u8], slots: &mut Slots) -> Result<(), ScanFault> {
        self.program.run(datum, slots)?;
        self.checks
            .iter()
            .try_for_each(|check| check.run(&slots.slots, datum))
    }

    /// The physical value of a slot after resolution: an enum is its symbol, fixed is bytes, numbers are promoted as the
    /// reader says, null stands for a null parent too, and a field that the writer lacks has the reader's default.
    /// A container is null or `Bytes` of its encoding, which says only that it is there: see [`Scan::materialise`].
    #[inline]
    pub fn get<'a>(&'a self, slots: &Slots, slot: u16, datum: &'a [u8]) -> Val<'a> {
        let (slot, datum) = self.find(slots, slot, datum);
        self.value(slot, datum)
    }

    /// The bytes of a slot whose value is text: without the check that makes a `str` of them, which costs more than most
    /// comparisons. `None` for null and for what is no text.
    #[inline]
    pub fn text_bytes<'a>(&'a self, slots: &Slots, slot: u16, datum: &'a [u8]) -> Option<&'a [u8]> {
        let (slot, datum) = self.find(slots, slot, datum);
        match slot.found {
            Found::Str => datum.get(slot.bits as usize..slot.end as usize),
            Found::Symbol => Some(self.program.symbols[slot.bits as usize].as_bytes()),
            _ => None,
        }
    }

    /// Whether the slot's value is null, or one of its parents is.
    #[inline]
    pub fn is_null(&self, slots: &Slots, slot: u16) -> bool {
        let (slot, _) = self.find(slots, slot, &[]);
        matches!(slot.found, Found::Null | Found::Absent)
    }

    /// The physical value of any slot, with containers built in `bump`: arrays as lists, maps and records as maps in the
    /// order of the reader's schema. Bounded by [`super::VALUES_MAX`].
    pub fn materialise<'a>(
        &'a self,
        slots: &Slots,
        slot: u16,
        datum: &'a [u8],
        bump: &'a Bump,
    ) -> Result<Val<'a>, Fault> {
        self.build(slots, slot, datum, bump, false)
    }

    /// As [`Scan::materialise`], with the meaning that the reader's schema gives to each value if `lifted`.
    pub(super) fn build<'a>(
        &'a self,
        slots: &Slots,
        slot: u16,
        datum: &'a [u8],
        bump: &'a Bump,
        lifted: bool,
    ) -> Result<Val<'a>, Fault> {
        let place = &self.places[usize::from(slot)];
        let is_default = slots.slots[usize::from(slot)].found == Found::Default;
        let (found, data) = self.find(slots, slot, datum);
        let (shape, is_union) = if is_default {
            (place.default_shape, place.reader_is_union)
        } else {
            (place.shape, place.writer_is_union)
        };
        match (found.found, shape) {
            (Found::Null | Found::Absent, _) => Ok(Val::Null),
            (_, Some(shape)) => {
                let start = if is_union { found.start } else { found.value };
                let encoded = data.get(start as usize..found.end as usize).unwrap_or(&[]);
                let mut builder = Builder::new(&self.shapes, &self.reader, encoded, bump, lifted);
                let built = builder.read(shape, 0);
                built.map_err(|fault| *fault)
            }
            (_, None) if lifted => {
                super::lift(&self.reader, place.reader, self.value(found, data), bump)
            }
            (_, None) => Ok(self.value(found, data)),
        }
    }

    #[inline]
    pub(super) fn find<'a>(
        &'a self,
        slots: &Slots,
        slot: u16,
        datum: &'a [u8],
    ) -> (Slot, &'a [u8]) {
        let slot = slots.slots[usize::from(slot)];
        if slot.found == Found::Default {
            let default = &self.defaults[slot.bits as usize];
            (default.slot, &default.bytes)
        } else {
            (slot, datum)
        }
    }

    #[inline]
    fn value<'a>(&'a self, slot: Slot, datum: &'a [u8]) -> Val<'a> {
        let bytes = |from: u64| datum.get(from as usize..slot.end as usize).unwrap_or(&[]);
        match slot.found {
            // A default is never made of another default.
            Found::Absent | Found::Null | Found::Default => Val::Null,
            Found::Bool => Val::Bool(slot.bits != 0),
            Found::Int => Val::Int(slot.bits as i64),
            Found::Double => Val::Double(f64::from_bits(slot.bits)),
            Found::Str => Val::Str(utf8::text(bytes(slot.bits))),
            Found::Bytes => Val::Bytes(bytes(slot.bits)),
            Found::Symbol => Val::Str(&self.program.symbols[slot.bits as usize]),
            Found::Raw => Val::Bytes(bytes(u64::from(slot.value))),
        }
    }
}

impl Program {
    pub(super) fn run(&self, datum: &[u8], slots: &mut Slots) -> Result<(), ScanFault> {
        let fault = |(trouble, at): (Trouble, usize)| ScanFault {
            reason: trouble.reason(),
            at,
        };
        if u32::try_from(datum.len()).is_err() {
            return Err(fault((Trouble::Limit, 0)));
        }
        slots.slots.clear();
        slots.slots.resize(self.slots, Slot::default());
        slots.frames.clear();
        slots.frames.reserve(NESTING_MAX);
        slots.marks.shrink_to(MARKS_MAX);
        utf8::mark(datum, &mut slots.marks);
        match self.execute(datum, &slots.marks, &mut slots.slots, &mut slots.frames) {
            Ok(end) if end == datum.len() => Ok(()),
            Ok(end) => Err(fault((Trouble::Trailing, end))),
            Err(trouble) => Err(fault(trouble)),
        }
    }

    /// Gives the position after the datum.
    fn execute(
        &self,
        data: &[u8],
        marks: &[u64],
        slots: &mut [Slot],
        frames: &mut Vec<Frame>,
    ) -> Result<usize, (Trouble, usize)> {
        let ops = self.ops.as_slice();
        let mut budget = data.len() as u64 + ZERO_BYTE_ITEMS_MAX;
        let (mut pc, mut pos) = (0usize, 0usize);
        // Reads at `pos`, and says where it was on a fault.
        macro_rules! at {
            ($read:expr) => {
                match $read {
                    Ok(read) => read,
                    Err(trouble) => return Err((trouble, pos)),
                }
            };
        }
        macro_rules! take {
            ($slot:expr, $found:expr, $bits:expr, $end:expr) => {{
                let end = $end;
                let slot = &mut slots[usize::from($slot)];
                slot.value = pos as u32;
                slot.end = end as u32;
                slot.found = $found;
                slot.bits = $bits;
                pos = end;
            }};
        }
        loop {
            let op = &ops[pc];
            pc += 1;
            match *op {
                Op::Boolean => pos = at!(primitive::boolean(data, pos)).1,
                Op::Int => pos = at!(primitive::int(data, pos)).1,
                Op::Longs(count) => {
                    for _ in 0..count {
                        pos = at!(primitive::varint(data, pos)).1;
                    }
                }
                Op::Skip(size) => pos = at!(primitive::skip(data, pos, size)),
                Op::Bytes => pos = at!(primitive::run(data, pos)).1,
                Op::Strs(count) => {
                    for _ in 0..count {
                        pos = at!(utf8::string(data, marks, pos)).1;
                    }
                }
                Op::Decimal(check) => pos = at!(self.decimal(data, pos, check)).1,
                Op::FixedDecimal(check) => pos = at!(self.fixed_decimal(data, pos, check)),
                Op::Enum(count) => {
                    pos = at!(primitive::index(data, pos, count, Trouble::EnumIndex)).1
                }
                Op::OptLong { null } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    pos = next;
                    if branch != u32::from(null) {
                        pos = at!(primitive::pass(data, pos));
                    }
                }
                Op::OptStr { null } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    pos = next;
                    if branch != u32::from(null) {
                        pos = at!(utf8::string(data, marks, pos)).1;
                    }
                }
                Op::OptSkip { null, size } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    pos = next;
                    if branch != u32::from(null) {
                        pos = at!(primitive::skip(data, pos, size));
                    }
                }
                Op::Opt { null, over } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    pos = next;
                    if branch == u32::from(null) {
                        pc = over as usize;
                    }
                }
                Op::Union { table } => {
                    let table = table as usize;
                    let (branch, next) = at!(primitive::index(
                        data,
                        pos,
                        self.tables[table],
                        Trouble::UnionIndex
                    ));
                    pos = next;
                    pc = self.tables[table + 1 + branch as usize] as usize;
                }
                Op::Jump(target) => pc = target as usize,
                Op::Array { bytes_min, over } => {
                    let (block, next) = at!(primitive::block(
                        data,
                        pos,
                        u32::from(bytes_min),
                        &mut budget
                    ));
                    if block.items == 0 {
                        at!(block_ends(block.end, next));
                        pos = next;
                        pc = over as usize;
                    } else if frames.len() >= NESTING_MAX {
                        return Err((Trouble::Limit, pos));
                    } else {
                        pos = next;
                        frames.push(Frame {
                            left: block.items,
                            block_end: block.end,
                            back: 0,
                        });
                    }
                }
                Op::Next { bytes_min, body } => {
                    let frame = frames
                        .last_mut()
                        .expect("a loop's frame is there until the loop ends");
                    frame.left -= 1;
                    if frame.left > 0 {
                        pc = body as usize;
                        continue;
                    }
                    at!(block_ends(frame.block_end, pos));
                    let (block, next) = at!(primitive::block(
                        data,
                        pos,
                        u32::from(bytes_min),
                        &mut budget
                    ));
                    pos = next;
                    if block.items == 0 {
                        at!(block_ends(block.end, pos));
                        frames.pop();
                    } else {
                        frame.left = block.items;
                        frame.block_end = block.end;
                        pc = body as usize;
                    }
                }
                Op::StrItems { bytes_min, each } => {
                    pos = str_items(data, marks, pos, bytes_min, each, &mut budget, frames)?;
                }
                Op::TakeStrItems {
                    bytes_min,
                    each,
                    slot,
                } => {
                    let end = str_items(
                        data,
                        marks,
                        pos,
                        bytes_min,
                        each.into(),
                        &mut budget,
                        frames,
                    )?;
                    take!(slot, Found::Raw, 0, end);
                }
                Op::Call(target) => {
                    if frames.len() >= NESTING_MAX {
                        return Err((Trouble::Limit, pos));
                    }
                    frames.push(Frame {
                        left: 0,
                        block_end: None,
                        back: pc,
                    });
                    pc = target as usize;
                }
                Op::Return => {
                    let frame = frames.pop().expect("a return follows a call");
                    pc = frame.back;
                }
                Op::End => return Ok(pos),
                Op::Mark(slot) => slots[usize::from(slot)].start = pos as u32,
                Op::TakeNull(slot) => take!(slot, Found::Null, 0, pos),
                Op::TakeBoolean(slot) => {
                    let (value, end) = at!(primitive::boolean(data, pos));
                    take!(slot, Found::Bool, u64::from(value), end);
                }
                Op::TakeInt(slot, number) => {
                    let (value, end) = at!(primitive::int(data, pos));
                    let (found, bits) = promoted(value, number);
                    take!(slot, found, bits, end);
                }
                Op::TakeLong(slot, number) => {
                    let (value, end) = at!(primitive::long(data, pos));
                    let (found, bits) = promoted(value, number);
                    take!(slot, found, bits, end);
                }
                Op::TakeFloat(slot) => {
                    let (value, end) = at!(primitive::float(data, pos));
                    take!(slot, Found::Double, f64::from(value).to_bits(), end);
                }
                Op::TakeDouble(slot) => {
                    let (value, end) = at!(primitive::double(data, pos));
                    take!(slot, Found::Double, value.to_bits(), end);
                }
                Op::TakeStr(slot) => {
                    let (start, end) = at!(utf8::string(data, marks, pos));
                    take!(slot, Found::Str, start as u64, end);
                }
                Op::TakeBytes(slot) => {
                    let (start, end) = at!(primitive::run(data, pos));
                    take!(slot, Found::Bytes, start as u64, end);
                }
                Op::TakeStrBytes(slot) => {
                    let (start, end) = at!(utf8::string(data, marks, pos));
                    take!(slot, Found::Bytes, start as u64, end);
                }
                Op::TakeDecimal(slot, check) => {
                    let (start, end) = at!(self.decimal(data, pos, check));
                    take!(slot, Found::Bytes, start as u64, end);
                }
                Op::TakeFixed(slot, size) => {
                    let end = at!(primitive::skip(data, pos, size));
                    take!(slot, Found::Bytes, pos as u64, end);
                }
                Op::TakeFixedDecimal(slot, check) => {
                    let end = at!(self.fixed_decimal(data, pos, check));
                    take!(slot, Found::Bytes, pos as u64, end);
                }
                Op::TakeEnum(slot, table) => {
                    let table = table as usize;
                    let (index, end) = at!(primitive::index(
                        data,
                        pos,
                        self.tables[table],
                        Trouble::EnumIndex
                    ));
                    take!(
                        slot,
                        Found::Symbol,
                        u64::from(self.tables[table + 1 + index as usize]),
                        end
                    );
                }
                Op::TakeOpt { null, slot, over } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    slots[usize::from(slot)].start = pos as u32;
                    pos = next;
                    if branch == u32::from(null) {
                        take!(slot, Found::Null, 0, pos);
                        pc = over as usize;
                    }
                }
                Op::TakeOptLong { null, slot } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    slots[usize::from(slot)].start = pos as u32;
                    pos = next;
                    if branch == u32::from(null) {
                        take!(slot, Found::Null, 0, pos);
                    } else {
                        let (value, end) = at!(primitive::long(data, pos));
                        take!(slot, Found::Int, value as u64, end);
                    }
                }
                Op::TakeOptStr { null, slot } => {
                    let (branch, next) = at!(primitive::index(data, pos, 2, Trouble::UnionIndex));
                    slots[usize::from(slot)].start = pos as u32;
                    pos = next;
                    if branch == u32::from(null) {
                        take!(slot, Found::Null, 0, pos);
                    } else {
                        let (start, end) = at!(utf8::string(data, marks, pos));
                        take!(slot, Found::Str, start as u64, end);
                    }
                }
                Op::Begin(slot) => {
                    let slot = &mut slots[usize::from(slot)];
                    slot.value = pos as u32;
                    slot.found = Found::Raw;
                }
                Op::Close(slot) => slots[usize::from(slot)].end = pos as u32,
                Op::Default(slot, default) => {
                    let slot = &mut slots[usize::from(slot)];
                    slot.found = Found::Default;
                    slot.bits = u64::from(default);
                }
                Op::Copy(from, to) => slots[usize::from(to)] = slots[usize::from(from)],
            }
        }
    }

    #[inline]
    fn decimal(&self, data: &[u8], pos: usize, check: u32) -> Result<(usize, usize), Trouble> {
        let (start, end) = primitive::run(data, pos)?;
        if self.decimals[check as usize].accepts(data, start, end) {
            Ok((start, end))
        } else {
            Err(Trouble::Decimal)
        }
    }

    #[inline]
    fn fixed_decimal(&self, data: &[u8], pos: usize, check: u32) -> Result<usize, Trouble> {
        let check = &self.decimals[check as usize];
        let end = primitive::skip(data, pos, check.size)?;
        if check.accepts(data, pos, end) {
            Ok(end)
        } else {
            Err(Trouble::Decimal)
        }
    }
}

#[inline(always)]
fn promoted(value: i64, number: Number) -> (Found, u64) {
    match number {
        Number::Int => (Found::Int, value as u64),
        Number::Float => (Found::Double, f64::from(value as f32).to_bits()),
        Number::Double => (Found::Double, (value as f64).to_bits()),
    }
}

/// An array or map of which each item is so many strings: the position after it.
#[inline]
fn str_items(
    data: &[u8],
    marks: &[u64],
    start: usize,
    bytes_min: u16,
    each: u32,
    budget: &mut u64,
    frames: &[Frame],
) -> Result<usize, (Trouble, usize)> {
    let mut pos = start;
    loop {
        let fault = |trouble| (trouble, pos);
        let block = primitive::block(data, pos, u32::from(bytes_min), budget);
        let (block, next) = block.map_err(fault)?;
        if block.items == 0 {
            return Ok(next);
        }
        if frames.len() >= NESTING_MAX {
            return Err((Trouble::Limit, pos));
        }
        pos = next;
        for _ in 0..block.items {
            for _ in 0..each {
                pos = match utf8::string(data, marks, pos) {
                    Ok((_, end)) => end,
                    Err(trouble) => return Err((trouble, pos)),
                };
            }
        }
        block_ends(block.end, pos).map_err(|trouble| (trouble, pos))?;
    }
}

#[inline(always)]
fn block_ends(expected: Option<usize>, pos: usize) -> Result<(), Trouble> {
    if expected.is_none_or(|end| end == pos) {
        Ok(())
    } else {
        Err(Trouble::Limit)
    }
}
