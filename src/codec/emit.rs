//! stub
use super::{Scan, Slots, Val, Want};
use crate::schema::Schema;
use bumpalo::Bump;
use std::sync::Arc;

/// Where a field of the output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSource {
    /// Copied from a slot.
    Slot(u16),
    /// A computed value, by its index in `regs`.
    Reg(u16),
    /// The default of the output schema.
    Default,
}
/// The program that writes an output record.
pub struct Emit {}

/// Why an output could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {message}")]
pub struct EmitFault {
    /// Name of the output field.
    pub field: String,
    /// Reason code, an entry of `docs/ERRORS.md`.
    pub reason: &'static str,
    /// What failed, bounded.
    pub message: String,
}
impl Emit {
    /// Compiles the program; `fields` has one source per field of `out`'s root record.
    pub fn compile(
        _scan: &Scan,
        _reader: &Schema,
        _wants: &[Want],
        _out: &Arc<Schema>,
        _fields: &[FieldSource],
    ) -> Result<Emit, String> {
        todo!()
    }
    /// Appends the output datum. On a fault `out` is as it was. `bump` holds containers that must be rebuilt.
    pub fn run<'a>(
        &self,
        _scan: &'a Scan,
        _datum: &'a [u8],
        _slots: &Slots,
        _regs: &[Val<'a>],
        _bump: &'a Bump,
        _out: &mut Vec<u8>,
    ) -> Result<(), EmitFault> {
        todo!()
    }
}
