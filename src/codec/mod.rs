//! From bytes to slots and back: the wire frame, the flat scan of a datum, splice and encode, JSON. Pure, allocation-free per record.

/// A value as expressions see it: borrowed from the record's bytes, the compiled plan, or the record's arena. `Copy`, 24-32 bytes.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    /// Exact decimal: `unscaled * 10^-scale`. In the arena or the plan because it is wide.
    Decimal(&'a Decimal),
    /// Nanoseconds since the epoch, UTC; CEL's range 0001-01-01 to 9999-12-31 fits i128, kept as (seconds, nanos).
    Timestamp(i64, u32),
    /// Seconds and nanoseconds of the same sign.
    Duration(i64, i32),
    List(&'a [Val<'a>]),
    Map(&'a [(Val<'a>, Val<'a>)]),
}

/// An exact decimal number, `unscaled * 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The digits, signed.
    pub unscaled: i128,
    /// Digits after the point.
    pub scale: u32,
}

/// A value that a scan captures into a slot: field indexes of the reader schema from the root record down, passing through nullable unions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// The indexes; empty for the whole datum.
    pub path: Vec<u32>,
}
