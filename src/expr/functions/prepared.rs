//! What is made of constant arguments once: compiled patterns, zones.

use jiff::tz::TimeZone;
use regex_syntax::hir::{Hir, HirKind};

use regex::{Regex, RegexBuilder};

use super::super::Const;
use super::typed::Shape;
use super::{Key, Unfit};
use crate::codec::decimal::Rounding;

/// Bytes of a compiled pattern, and of the states that a search keeps.
const PATTERN_MAX: usize = 1 << 20;
/// Characters that a pattern is made of, repetitions written out.
const POSITIONS_MAX: usize = 1_000;
/// Positions up to which all states of a search fit what it may keep: each byte of a text is then looked at once.
const POSITIONS_FEW: usize = 12;

/// A constant argument in the form that calls need.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// A pattern of `matches` and its relatives.
    Pattern(Pattern),
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

/// A compiled pattern, and what bounds the time of a search.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// Characters and classes that it is made of, repetitions written out: each may stand at each byte of a text.
    positions: usize,
    /// Bytes of the longest text that it finds; `None` if there is none.
    longest: Option<usize>,
}

impl std::ops::Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.regex
    }
}

impl Pattern {
    /// Steps of a search through so many bytes.
    pub fn steps(&self, bytes: usize) -> usize {
        match self.positions {
            0..=POSITIONS_FEW => bytes / 8,
            many => bytes.saturating_mul(many),
        }
    }

    /// Steps of searching once more, with so many bytes left: a pattern that can go on without end may look at all of them
    /// before it settles for less. What lies before the find is looked at once, and counted with the first search.
    pub fn steps_again(&self, left: usize) -> usize {
        1 + self.steps(self.longest.map_or(left, |longest| longest.min(left)))
    }

    /// Steps of finding the groups within a find of so many bytes.
    pub fn steps_of_groups(&self, bytes: usize) -> usize {
        bytes.saturating_mul(self.positions)
    }
}

fn positions(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| {
        let parts = parts.iter().map(positions);
        parts.fold(0, usize::saturating_add)
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(text) => text.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min).max(1) as usize;
            positions(&repeated.sub).saturating_mul(times)
        }
        HirKind::Capture(group) => positions(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
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
pub(super) fn compile(text: &str, bytes_max: usize) -> Result<Pattern, String> {
    let text = &*super::re2::translated(text)?;
    let regex = RegexBuilder::new(text)
        .size_limit(bytes_max)
        .dfa_size_limit(bytes_max)
        .nest_limit(50)
        .build()
        .map_err(|error| {
            // The last line of the engine's message says what is wrong, those before draw the pattern.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_owned()
        })?;
    let hir = regex_syntax::parse(text).map_err(|error| error.to_string())?;
    let positions = positions(&hir);
    if positions > POSITIONS_MAX {
        return Err(format!(
            "with its repetitions written out it has {positions} characters, at most {POSITIONS_MAX} are looked for"
        ));
    }
    Ok(Pattern {
        regex,
        positions,
        longest: hir.properties().maximum_len(),
    })
}
