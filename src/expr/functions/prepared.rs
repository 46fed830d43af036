//! What is made of constant arguments once: compiled patterns, zones.

use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};

use super::super::Const;
use super::typed::Shape;
use super::{Key, Unfit};
use crate::codec::decimal::Rounding;

/// Bytes of a compiled pattern; the engine is linear in the text, this bounds the constant.
const PATTERN_MAX: usize = 1 << 20;

/// A constant argument in the form that calls need.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// A pattern of `matches` and its relatives.
    Pattern(Regex),
    /// A time zone.
    Zone(TimeZone),
    /// The key of a keyed function.
    Key(Key),
    /// How decimals are rounded.
    Rounding(Rounding),
    /// The namespace of a UUID.
    Namespace([u8; 16]),
    /// The schema that JSON is read by.
    Shape(Shape),
    /// Nothing: the constant was found to be good.
    Good,
}

/// A compiled pattern.
pub(super) fn pattern(text: &Const) -> Result<Prepared, Unfit> {
    let Const::Str(text) = text else {
        return Ok(Prepared::Good);
    };
    compile(text, PATTERN_MAX)
        .map(Prepared::Pattern)
        .map_err(|reason| Unfit {
            code: "bad_pattern",
            message: format!("the pattern cannot be used: {reason}"),
            help: "the syntax is RE2's: no look-around, no back-references".into(),
        })
}

/// Compiles a pattern of at most so many bytes, compiled.
pub(super) fn compile(text: &str, bytes_max: usize) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(bytes_max)
        .dfa_size_limit(bytes_max)
        .nest_limit(50)
        .build()
        .map_err(|error| {
            // The last line of the engine's message says what is wrong, those before draw the pattern.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_owned()
        })
}
