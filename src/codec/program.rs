//! The program of a scan: operations that run one after the other over the bytes of a datum.
//!
//! Jumps exist for unions, loops for arrays and maps, calls for records that contain themselves. There is no recursion in
//! Rust and no allocation: loops and calls live on a small stack in [`Slots`].

use std::sync::Arc;

use super::digits::DecimalCheck;
use super::op::{Number, Op};
use super::primitive::{self, Trouble};
use super::scan::{Found, ScanFault, Slot, Slots};
use super::{NESTING_MAX, ZERO_BYTE_ITEMS_MAX, utf8};

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
pub(super) struct Frame {
    /// Items left in the block of a loop; unused by a call.
    left: u64,
    block_end: Option<usize>,
    /// Where a call returns to.
    back: usize,
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
