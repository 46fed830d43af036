//! stub
use super::{Fault, Val};
use crate::schema::{Schema, resolve::Mismatch};
use bumpalo::Bump;
use std::sync::Arc;

/// A value that a plan reads: the field indexes of the *reader's* schema from the root record down, looking through
/// nullable unions. The slot's number is the index in the list of wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// Field indexes; empty for the whole datum.
    pub path: Vec<u32>,
}

/// The program that validates and captures.
pub struct Scan {}
/// What a run of the scan captured; reused from record to record.
#[derive(Default)]
pub struct Slots {}

/// Why a datum is not one of the writer's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct ScanFault {
    /// Reason code, an entry of `docs/ERRORS.md`.
    pub reason: &'static str,
    /// Byte of the datum where it was noticed.
    pub at: usize,
}

impl Scan {
    /// Compiles the program.
    pub fn compile(
        _writer: &Schema,
        _reader: &Arc<Schema>,
        _wants: &[Want],
    ) -> Result<Scan, Vec<Mismatch>> {
        todo!()
    }
    /// Validates every byte of the datum and fills the slots. Allocates only when the slots are first used.
    pub fn run(&self, _datum: &[u8], _slots: &mut Slots) -> Result<(), ScanFault> {
        todo!()
    }
    /// The physical value.
    pub fn get<'a>(&'a self, _slots: &Slots, _slot: u16, _datum: &'a [u8]) -> Val<'a> {
        todo!()
    }
    /// Whether the value is null or under a null.
    pub fn is_null(&self, _slots: &Slots, _slot: u16) -> bool {
        todo!()
    }
    /// Any value, containers included, built in `bump`.
    pub fn materialise<'a>(
        &'a self,
        _slots: &Slots,
        _slot: u16,
        _datum: &'a [u8],
        _bump: &'a Bump,
    ) -> Result<Val<'a>, Fault> {
        todo!()
    }
}
