//! How values are written where JSON has no one way to write them. The defaults are the form of events as JSON.

/// All choices of one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Exact decimals.
    pub decimals: Decimals,
    /// Bytes and fixed without a meaning.
    pub bytes: Bytes,
    /// Integers beyond ±(2^53 - 1), which readers that know only doubles would round.
    pub big_ints: BigInts,
    /// NaN and the infinities.
    pub non_finite: NonFinite,
    /// Dates, times, timestamps and intervals.
    pub times: Times,
    /// Fields of records that are null.
    pub nulls: Nulls,
}

/// How decimals are written: always with all digits of their scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decimals {
    /// `"12.50"`
    #[default]
    Text,
    /// `12.50`
    Number,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bytes {
    /// RFC 4648, with padding.
    #[default]
    Base64,
    /// Lower case.
    Hex,
}

/// How integers beyond ±(2^53 - 1) are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BigInts {
    /// As numbers, all digits.
    #[default]
    Number,
    /// As text; smaller ones stay numbers.
    Text,
}

/// How NaN and the infinities are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// `"NaN"`, `"Infinity"`, `"-Infinity"`
    #[default]
    Text,
    /// `null`
    Null,
    /// Not at all: a fault, `unrepresentable`.
    Fault,
}

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// ISO 8601 text; a plain number for what is beyond the years 1 to 9999 or 24 hours.
    #[default]
    Iso8601,
    /// Timestamps since the epoch, times since midnight, intervals: in so many units per second, finer digits cut off. Dates: days.
    Epoch(u32),
}

/// What becomes of fields of records that are null. Nulls in arrays and maps always stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nulls {
    /// Written as `null`.
    #[default]
    Keep,
    /// Left out.
    Drop,
}
