//! The flat scan: a program over a writer's bytes that validates every one of them and captures what a plan reads.
//!
//! The program itself is in [`super::program`]. A slot that was not captured stays absent, which is what "some parent is null" means.

use std::sync::Arc;

use bumpalo::Bump;

use super::compile::{self, Place};
use super::defaults::DefaultSlot;
use super::grown::{self, Check};
use super::program::{Frame, Program};
use super::shape::{Builder, Shapes};
use super::{Fault, Val, utf8};
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
    pub(super) frames: Vec<Frame>,
    /// Which bytes of the datum are not ASCII.
    pub(super) marks: Vec<u64>,
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
