//! What an evaluation reads: the scanned record, registers, and the arena it builds in.

use bumpalo::Bump;

use super::Meta;
use crate::codec::{Scan, Slots, Val};

/// A scanned datum.
#[derive(Clone, Copy)]
pub struct Datum<'a> {
    /// The program that filled the slots.
    pub scan: &'a Scan,
    /// The bytes that the slots point into.
    pub bytes: &'a [u8],
    /// What was captured.
    pub slots: &'a Slots,
}

/// Everything that an evaluation reads.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// The value, if it was scanned.
    pub value: Option<Datum<'a>>,
    /// The key, if it is Avro and was scanned; else `meta.key` reads [`Meta::key`].
    pub key: Option<Datum<'a>>,
    /// Values computed by earlier expressions.
    pub regs: &'a [Val<'a>],
    /// The record's coordinates.
    pub meta: &'a Meta<'a>,
    /// Where new strings, decimals and lists are built; reset by the owner between records.
    pub bump: &'a Bump,
}

impl<'a> Cx<'a> {
    /// What there is without a record: neither value nor key nor registers.
    pub fn without_record(meta: &'a Meta<'a>, bump: &'a Bump) -> Cx<'a> {
        Cx {
            value: None,
            key: None,
            regs: &[],
            meta,
            bump,
        }
    }
}
