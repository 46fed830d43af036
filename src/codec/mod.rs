//! From bytes to slots and back: the wire frame, the flat scan of a datum, splice and encode, JSON. Pure, allocation-free per record.
//!
//! ```text
//!             compile, once per (writer, reader, wants)                 per record
//! writer ┐                                                 datum ─► Scan::run: validates every byte, fills Slots
//! reader ┼─► resolve ─► Scan (flat ops) ─► Emit (field ops)   │              get / materialise: Val, on demand
//! wants  ┘                                                   └───► Emit::run: byte ranges, converted and computed fields
//! ```
//!
//! A value is *physical* as it leaves the scan (a decimal is its bytes, an instant an integer). [`lift`] gives it
//! the meaning that its schema says, and [`encode::value`] turns meanings back into the encoding of a target node.

pub mod copy;
pub mod decimal;
pub mod emit;
pub mod encode;
pub mod frame;
pub mod json;
pub mod lift;
pub mod murmur2;
pub mod placeholder;
pub mod scan;
pub mod time;

mod alike;
mod compile;
pub(crate) mod defaults;
mod digits;
mod grown;
mod op;
mod primitive;
mod program;
mod shape;
mod utf8;

pub use copy::{copyable, encodable};
pub use decimal::Decimal;
pub use emit::{Emit, EmitFault, FieldSource};
pub use lift::lift;
pub use scan::{Scan, ScanFault, Slots, Want};

/// Deepest nesting of arrays, maps and recursive records in a datum. A limit of ours: the specification has none, and
/// decoders that recurse without one end the process on a few hundred hostile bytes.
pub const NESTING_MAX: usize = 64;

/// Items of arrays and maps that one datum may hold beyond its length in bytes. Items that take at least one byte each are
/// bounded by the length; only items of zero bytes (null, empty records) are ever refused by this.
pub const ZERO_BYTE_ITEMS_MAX: u64 = 1_024;

/// Values (scalars and containers) that one datum may become when it is materialised or written as JSON, beyond four per
/// byte. Null fields take no bytes, so the length alone does not bound them.
pub const VALUES_MAX: usize = 100_000;

/// A value as expressions see it: borrowed from the record's bytes, the compiled plan, or the record's arena. `Copy`, 24 bytes.
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
    /// The name of a type: what `type(x)` is.
    Type(&'static str),
    /// An optional value, and what it holds.
    Optional(Option<&'a Val<'a>>),
}

// Values are passed and kept by the million; a wider one costs every record.
const _: () = assert!(size_of::<Val>() == 24);

/// Why a value could not be read, converted or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Reason code, an entry of `docs/ERRORS.md`.
    pub reason: &'static str,
    /// What failed on what, bounded, without what the record says: lengths and indices only.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Fault {
        Fault {
            reason,
            message: message.into(),
        }
    }
}
