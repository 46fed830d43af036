//! What is made of constant arguments once: compiled patterns, zones.

use jiff::tz::TimeZone;
use regex_syntax::ast;
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

/// A pattern for the engine, which takes `\d`, `\w`, `\s` and `\b` for Unicode's and knows classes within classes: RE2's are
/// ASCII, and nothing within a class but a range is more than its letters. What the engine cannot read is left to its own words.
fn as_re2(pattern: &str) -> Result<String, String> {
    let Ok(tree) = ast::parse::Parser::new().parse(pattern) else {
        return Ok(pattern.to_owned());
    };
    let mut out = String::with_capacity(pattern.len());
    let mut from = 0;
    for (span, meant) in ast::visit(&tree, Ascii::default())? {
        out.push_str(&pattern[from..span.start.offset]);
        out.push_str(meant);
        from = span.end.offset;
    }
    out.push_str(&pattern[from..]);
    Ok(out)
}

/// The places of a pattern where RE2 means something else, and how the engine is told so.
#[derive(Default)]
struct Ascii(Vec<(ast::Span, &'static str)>);

impl Ascii {
    fn class(&mut self, class: &ast::ClassPerl) {
        use ast::ClassPerlKind::{Digit, Space, Word};
        let members = match (&class.kind, class.negated) {
            (Digit, false) => "[0-9]",
            (Digit, true) => "[^0-9]",
            (Word, false) => "[0-9A-Za-z_]",
            (Word, true) => "[^0-9A-Za-z_]",
            (Space, false) => r"[\t\n\f\r\x20]",
            (Space, true) => r"[^\t\n\f\r\x20]",
        };
        self.0.push((class.span, members));
    }
}

impl ast::Visitor for Ascii {
    type Output = Vec<(ast::Span, &'static str)>;
    type Err = String;

    fn finish(self) -> Result<Self::Output, String> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, node: &ast::Ast) -> Result<(), String> {
        match node {
            ast::Ast::ClassPerl(class) => self.class(class),
            ast::Ast::Assertion(edge) => match edge.kind {
                ast::AssertionKind::WordBoundary => self.0.push((edge.span, r"(?-u:\b)")),
                ast::AssertionKind::NotWordBoundary => self.0.push((edge.span, r"(?-u:\B)")),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), String> {
        match item {
            ast::ClassSetItem::Perl(class) => self.class(class),
            ast::ClassSetItem::Bracketed(_) => {
                return Err(r"a class cannot hold a class; write `\[` for the bracket".into());
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), String> {
        let why = r"classes are not computed with `&&`, `--` or `~~`; write `\&`, `\-` or `\~` for the letters";
        Err(why.into())
    }
}

/// Compiles a pattern of at most so many bytes, compiled.
pub(super) fn compile(text: &str, bytes_max: usize) -> Result<Pattern, String> {
    let text = &*as_re2(text)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_re2() {
        for (pattern, text, is_found) in [
            (r"^\d$", "7", true),
            (r"^\d$", "٣", false),
            (r"^\D$", "٣", true),
            (r"^\w+$", "a_9", true),
            (r"^\w+$", "é", false),
            (r"^[\w.-]+$", "a.b-c", true),
            (r"^[\w.-]+$", "é", false),
            (r"^[^\d]$", "٣", true),
            (r"^[\D]$", "7", false),
            (r"^[\D7]$", "7", true),
            (r"^[\w.-]+$", "a-.", true),
            (r"^[+-\-\d]$", "/", false),
            (r"^[]\d]+$", "]7", true),
            (r"^[^]\d]$", "]", false),
            (r"^[[:alpha:]\d]+$", "a7", true),
            (r"\s", "a\u{a0}b", false),
            (r"^\S$", "\u{a0}", true),
            (r"\bx\b", "éxé", true),
            (r"\Bx", "éx", false),
            (r"\bx\b", "axa", false),
            (r"^\\d$", r"\d", true),
            (r"^\pL$", "é", true),
            (r"^(?i)É$", "é", true),
            (r"^.$", "é", true),
        ] {
            let compiled =
                compile(pattern, PATTERN_MAX).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert_eq!(compiled.is_match(text), is_found, "{pattern} in {text}");
        }
        // The engine would take the range for one up to the bracket, and `[[a]` or `[a&&b]` for sets.
        for refused in [
            r"a\", r"[\b]", r"[+-\d]", "[[a]", "[[a]]", "[a&&b]", "[a-z--b]", "[a~~b]",
        ] {
            assert!(compile(refused, PATTERN_MAX).is_err(), "{refused}");
        }
    }
}
