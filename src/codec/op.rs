//! The operations of a scan's program.

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
