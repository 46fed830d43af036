//! `format` and `strings.quote`: values as text.

use std::fmt::{self, Write};

use bumpalo::collections::{String as BumpString, Vec as BumpVec};

use super::super::eval::{Result, Run, mismatch};
use super::super::proof::Extent;
use super::super::{Const, EvalFault, Node, Type, time};
use super::needs::{Fails, Given, Known, Need, Of};
use super::prepared::Prepared;
use super::{Function, Prepare, Unfit};
use crate::codec::Val;
use crate::codec::decimal::Rounding;

/// Digits behind the point that a format may ask for.
const PRECISION_MAX: usize = 1_000;
/// Digits behind the point where a format does not say.
const PRECISION: usize = 6;

const FAILS: &[&str] = &["bad_format", "expression_limit", "time_range"];

pub(super) const FORMAT: Function = Function::with(
    "string.format(list(dyn)) -> string",
    Prepare {
        arg: 0,
        make: checked,
        rules_out: &[],
    },
    format,
)
.fails(FAILS)
.fits(not_too_many)
.needs(&[
    Need("bad_format", Of::Together(clauses_fit)),
    Need("time_range", Of::Together(are_known)),
])
.doc(
    "The text with its clauses replaced by the values, in order: `%s` any value (bytes as UTF-8, with U+FFFD for what is none), `%d` whole numbers, `%f` and `%e` with six digits behind the point or \
     as many as `%.2f` says, `%b` binary, `%o` octal, `%x` and `%X` hexadecimal (also of text and bytes), `%%` a percent sign.",
)
.examples(&[
    ("'%s has %d items, %.2f in all'.format(['cart', 3, 9.5])", "'cart has 3 items, 9.50 in all'"),
    ("'%X %b %s'.format([255, 5, [1, {'a': null}]])", "'FF 101 [1, {a: null}]'"),
    ("'%s'.format([b'\\xffab'])", "'\u{fffd}ab'"),
    ("'%d'.format([3])", "'3'"),
]);

pub(super) const QUOTE: Function = Function::new("strings.quote(string) -> string", quote)
    .fails(&["expression_limit"])
    .doc("The text in double quotes, with quotes, backslashes and control characters escaped.")
    .examples(&[(r#"strings.quote('a "b"\n')"#, r#"'"a \\"b\\"\\n"'"#)]);

/// Text that is written within the budget.
pub(super) struct Writer<'r, 'c, 'a> {
    run: &'r Run<'c, 'a>,
    text: BumpString<'a>,
    over: Option<EvalFault>,
}

impl<'r, 'c, 'a> Writer<'r, 'c, 'a> {
    pub fn new(run: &'r Run<'c, 'a>) -> Self {
        Writer {
            run,
            text: BumpString::new_in(run.cx.bump),
            over: None,
        }
    }

    /// The text; the fault if it did not fit the budget.
    pub fn finish(self) -> Result<Val<'a>> {
        match self.over {
            Some(fault) => Err(fault),
            None => Ok(Val::Str(self.text.into_bump_str())),
        }
    }
}

impl Write for Writer<'_, '_, '_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        // The text grows by doubling.
        if let Err(fault) = self.run.spend(2 * part.len() + 1) {
            self.over.get_or_insert(fault);
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

enum Clause<'t> {
    Text(&'t str),
    Verb(char, Option<usize>),
}

/// The clauses of a format; an error for one that is none.
struct Clauses<'t>(&'t str);

impl<'t> Iterator for Clauses<'t> {
    type Item = std::result::Result<Clause<'t>, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0;
        let Some(clause) = rest.strip_prefix('%') else {
            if rest.is_empty() {
                return None;
            }
            let end = rest.find('%').unwrap_or(rest.len());
            self.0 = &rest[end..];
            return Some(Ok(Clause::Text(&rest[..end])));
        };
        let (precision, clause) = match clause.strip_prefix('.') {
            None => (None, clause),
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let number = after[..digits].parse().ok();
                let Some(number) = number.filter(|number| *number <= PRECISION_MAX) else {
                    self.0 = "";
                    return Some(Err(()));
                };
                (Some(number), &after[digits..])
            }
        };
        let verb = clause.chars().next();
        self.0 = &clause[verb.map_or(0, char::len_utf8)..];
        let clause = match (verb, precision) {
            (Some('%'), None) => Clause::Text("%"),
            (Some(verb @ ('f' | 'e')), precision) => Clause::Verb(verb, precision),
            (Some(verb @ ('s' | 'd' | 'b' | 'o' | 'x' | 'X')), None) => Clause::Verb(verb, None),
            _ => {
                self.0 = "";
                return Some(Err(()));
            }
        };
        Some(Ok(clause))
    }
}

fn checked(text: &Const) -> std::result::Result<Prepared, Unfit> {
    let Const::Str(text) = text else {
        return Ok(Prepared::Good);
    };
    match Clauses(text).all(|clause| clause.is_ok()) {
        true => Ok(Prepared::Good),
        false => Err(Unfit {
            code: "bad_constant",
            message: "the format has a clause that is none".into(),
            help: "clauses are %s %d %f %e %b %o %x %X, %.2f and %.2e with at most 1000 digits, and %% for a percent sign".into(),
        }),
    }
}

/// A constant format takes as many values as it has clauses.
fn not_too_many(args: &[Node]) -> Option<Unfit> {
    let [Node::Const(Const::Str(text)), Node::List(values)] = args else {
        return None;
    };
    let is_there = |value: &&Node| !matches!(value, Node::IfPresent(_));
    let given = values.iter().filter(is_there).count();
    let is_verb = |clause: &std::result::Result<Clause, ()>| matches!(clause, Ok(Clause::Verb(..)));
    let clauses = Clauses(text).filter(is_verb).count();
    (given > clauses).then(|| Unfit {
        code: "bad_constant",
        message: format!("{given} values are given, and the format has clauses for {clauses}"),
        help: "leave out a value, or write a clause such as `%s` for it".into(),
    })
}

fn bad_clause() -> EvalFault {
    EvalFault::new("bad_format", "a format has a clause that is none")
}

fn bad_value(verb: char) -> EvalFault {
    EvalFault::new(
        "bad_format",
        format!("a format has %{verb} for a value that it cannot write"),
    )
}

fn format<'a>(run: &Run<'_, 'a>, args: &[Val<'a>], _: Option<&'a Prepared>) -> Result<Val<'a>> {
    let [Val::Str(text), Val::List(values)] = args else {
        return Err(mismatch(args));
    };
    let mut out = Writer::new(run);
    let mut values = values.iter();
    for clause in Clauses(text) {
        let written = match clause.map_err(|()| bad_clause())? {
            Clause::Text(text) => out.write_str(text),
            Clause::Verb(verb, precision) => {
                let value = values.next().ok_or_else(|| {
                    EvalFault::new(
                        "bad_format",
                        "a format has more clauses than there are values",
                    )
                })?;
                value_as(verb, precision.unwrap_or(PRECISION), *value, &mut out)?
            }
        };
        if written.is_err() {
            out.finish()?;
            return Err(super::convert::bad_range());
        }
    }
    out.finish()
}

/// Writes a value as a clause says. The outer result is the value's fault, the inner one that of the budget.
fn value_as(verb: char, precision: usize, value: Val, out: &mut Writer) -> Result<fmt::Result> {
    let special = |v: f64| {
        let text = if v.is_nan() {
            "NaN"
        } else if v > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        (!v.is_finite()).then_some(text)
    };
    Ok(match (verb, value) {
        ('s', value) => return any(value, out),
        ('d' | 'f' | 'e', Val::Double(v)) if !v.is_finite() => {
            out.write_str(special(v).unwrap_or_default())
        }
        ('d', Val::Int(v)) => write!(out, "{v}"),
        ('d', Val::Uint(v)) => write!(out, "{v}"),
        ('d', Val::Double(v)) => write!(out, "{v}"),
        ('d', Val::Decimal(v)) => write!(out, "{v}"),
        ('f', Val::Decimal(v)) => match v.round_to(precision as i32, Rounding::HalfEven) {
            Ok(rounded) => write!(out, "{rounded}"),
            Err(_) => return Err(bad_value('f')),
        },
        ('f', value) => match double(value) {
            Some(v) => write!(out, "{v:.precision$}"),
            None => return Err(bad_value('f')),
        },
        ('e', value) => match double(value) {
            Some(v) => scientific(v, precision, out),
            None => return Err(bad_value('e')),
        },
        ('b', Val::Bool(v)) => write!(out, "{}", u8::from(v)),
        ('b', Val::Int(v)) => write!(out, "{}{:b}", sign(v), v.unsigned_abs()),
        ('b', Val::Uint(v)) => write!(out, "{v:b}"),
        ('o', Val::Int(v)) => write!(out, "{}{:o}", sign(v), v.unsigned_abs()),
        ('o', Val::Uint(v)) => write!(out, "{v:o}"),
        ('x', Val::Int(v)) => write!(out, "{}{:x}", sign(v), v.unsigned_abs()),
        ('x', Val::Uint(v)) => write!(out, "{v:x}"),
        ('X', Val::Int(v)) => write!(out, "{}{:X}", sign(v), v.unsigned_abs()),
        ('X', Val::Uint(v)) => write!(out, "{v:X}"),
        ('x' | 'X', Val::Str(text)) => hex(verb, text.as_bytes(), out),
        ('x' | 'X', Val::Bytes(bytes)) => hex(verb, bytes, out),
        (verb, _) => return Err(bad_value(verb)),
    })
}

fn sign(v: i64) -> &'static str {
    if v < 0 { "-" } else { "" }
}

fn double(value: Val) -> Option<f64> {
    match value {
        Val::Double(v) => Some(v),
        Val::Int(v) => Some(v as f64),
        Val::Uint(v) => Some(v as f64),
        Val::Decimal(v) => Some(v.to_f64()),
        _ => None,
    }
}

fn hex(verb: char, bytes: &[u8], out: &mut Writer) -> fmt::Result {
    for byte in bytes {
        match verb {
            'x' => write!(out, "{byte:02x}")?,
            _ => write!(out, "{byte:02X}")?,
        }
    }
    Ok(())
}

/// The exponent has a sign and at least two digits.
fn scientific(v: f64, precision: usize, out: &mut Writer) -> fmt::Result {
    // At most a sign, a digit, a point, the precision and an exponent of three digits with its sign.
    let mut text = BumpString::with_capacity_in(precision + 12, out.run.cx.bump);
    write!(text, "{v:.precision$e}")?;
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(out, "{mantissa}e{sign}{digits:0>2}")
}

/// Bytes as UTF-8, with one U+FFFD for each run that is none.
fn lossy(bytes: &[u8], out: &mut Writer) -> fmt::Result {
    let mut after_invalid = false;
    for chunk in bytes.utf8_chunks() {
        after_invalid &= chunk.valid().is_empty();
        out.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() && !after_invalid {
            out.write_char(char::REPLACEMENT_CHARACTER)?;
            after_invalid = true;
        }
    }
    Ok(())
}

/// `%s`
fn any(value: Val, out: &mut Writer) -> Result<fmt::Result> {
    Ok(match value {
        Val::Null => out.write_str("null"),
        Val::Bool(v) => write!(out, "{v}"),
        Val::Int(v) => write!(out, "{v}"),
        Val::Uint(v) => write!(out, "{v}"),
        Val::Double(v) if !v.is_finite() => return value_as('d', 0, value, out),
        Val::Double(v) => write!(out, "{v}"),
        Val::Str(text) => out.write_str(text),
        Val::Bytes(bytes) => lossy(bytes, out),
        Val::Decimal(v) => write!(out, "{v}"),
        Val::Timestamp(seconds, nanos) => time::write_timestamp(out, seconds, nanos),
        Val::Duration(seconds, nanos) => time::write_duration(out, seconds, nanos),
        Val::Type(name) => out.write_str(name),
        Val::Optional(_) => return Err(bad_value('s')),
        Val::List(items) => {
            out.run.step(items.len())?;
            let mut written = out.write_char('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    written = written.and(out.write_str(", "));
                }
                if written.is_err() {
                    break;
                }
                written = any(*item, out)?;
            }
            written.and_then(|()| out.write_char(']'))
        }
        Val::Map(entries) => {
            let run = out.run;
            run.step(entries.len().saturating_mul(16))?;
            run.spend(size_of_val(entries))?;
            let mut sorted = BumpVec::with_capacity_in(entries.len(), run.cx.bump);
            for (key, value) in entries {
                let mut text = Writer::new(run);
                let is_written = any(*key, &mut text)?.is_ok();
                match text.finish()? {
                    Val::Str(text) if is_written => sorted.push((text, *value)),
                    _ => return Ok(Err(fmt::Error)),
                }
            }
            sorted.sort_unstable_by_key(|(key, _)| *key);
            let mut written = out.write_char('{');
            for (at, (key, value)) in sorted.iter().enumerate() {
                let separator = if at > 0 { ", " } else { "" };
                written = written.and_then(|()| write!(out, "{separator}{key}: "));
                if written.is_err() {
                    break;
                }
                written = any(*value, out)?;
            }
            written.and_then(|()| out.write_char('}'))
        }
    })
}

fn quote<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let escaped = |sign: char| {
        Some(match sign {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            '"' => "\\\"",
            _ => return None,
        })
    };
    let bytes = 2 + text.len() + text.chars().filter(|sign| escaped(*sign).is_some()).count();
    run.text(bytes, |out| {
        out.push('"');
        for sign in text.chars() {
            match escaped(sign) {
                Some(escaped) => out.push_str(escaped),
                None => out.push(sign),
            }
        }
        out.push('"');
    })
}

// === what the proof knows ===

/// The verbs of a constant format.
fn verbs(given: &Given) -> Option<Vec<(char, usize)>> {
    let Some(Const::Str(text)) = given.constant(0) else {
        return None;
    };
    let verbs = Clauses(text).filter_map(|clause| match clause {
        Ok(Clause::Verb(verb, precision)) => Some((verb, precision.unwrap_or(PRECISION))),
        _ => None,
    });
    Some(verbs.collect())
}

/// The values of a list that is written out, and what is known of them.
fn values<'g>(given: &Given<'g>) -> Option<Vec<(&'g Node, &'g Known)>> {
    let (Some(Node::List(items)), Some(parts)) = (given.node(1), &given.known(1)?.parts) else {
        return None;
    };
    let are_there = !items.iter().any(|item| matches!(item, Node::IfPresent(_)));
    are_there.then(|| items.iter().zip(parts.iter()).collect())
}

fn clauses_fit(given: &Given) -> Fails {
    let Some(verbs) = verbs(given) else {
        return Fails::Perhaps;
    };
    if verbs.is_empty() {
        return Fails::Never;
    }
    let Some(values) = values(given) else {
        return Fails::Perhaps;
    };
    if verbs.len() > values.len() {
        return Fails::Always;
    }
    let each = verbs
        .iter()
        .zip(values)
        .map(
            |((verb, precision), (node, known))| match (verb, &known.ty) {
                ('f', Type::Decimal) => {
                    let fits = |extent: Extent| match extent.number() {
                        Some(number) => {
                            *precision < number.scale as usize
                                || number.at(*precision as u32).is_some()
                        }
                        None => false,
                    };
                    match fits(given.extent_of(node)) {
                        true => Fails::Never,
                        false => Fails::Perhaps,
                    }
                }
                (verb, _) => written_as(*verb, known),
            },
        );
    each.reduce(Fails::and).unwrap_or(Fails::Never)
}

/// Whether a clause fails for the values of a type.
fn written_as(verb: char, known: &Known) -> Fails {
    use Type::{Bool, Bytes, Decimal, Double, Dyn, Int, Never, Nullable, Optional, String, Uint};
    let ty = &known.ty;
    let fits = match (verb, ty) {
        ('s', _) => {
            let open = |ty: &Type| !matches!(ty, Dyn | Never | Optional(_));
            return match (known.all(&open), ty) {
                (true, _) => Fails::Never,
                (false, Optional(_)) => Fails::Always,
                (false, _) => Fails::Perhaps,
            };
        }
        (_, Dyn | Never | Nullable(_)) => return Fails::Perhaps,
        ('d' | 'f' | 'e', Int | Uint | Double | Decimal) => true,
        ('b', Bool) | ('b' | 'o' | 'x' | 'X', Int | Uint) | ('x' | 'X', String | Bytes) => true,
        _ => false,
    };
    match fits {
        true => Fails::Never,
        false => Fails::Always,
    }
}

/// A time whose type is known is within its range.
fn are_known(given: &Given) -> Fails {
    all_types(given, |ty| {
        !matches!(ty, Type::Dyn | Type::Never | Type::Optional(_))
    })
}

fn all_types(given: &Given, holds: impl Fn(&Type) -> bool) -> Fails {
    match given.known(1).is_some_and(|known| known.all(&holds)) {
        true => Fails::Never,
        false => Fails::Perhaps,
    }
}
