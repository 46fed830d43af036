//! The functions, at run time. Which of them a call means was decided by the checker.

use std::fmt::Write;

use bumpalo::collections::Vec as BumpVec;

use super::eval::{Result, Run, int_overflow, mismatch, weight};
use super::value::whole;
use super::{EvalFault, time};
use crate::codec::{Decimal, Val};

/// A function. Where a Rust value stands for two types (a day is an int, a time of day a duration) there is one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Func {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    CharAt,
    IndexOf,
    LastIndexOf,
    Substring,
    Replace,
    Split,
    Join,
    ToBool,
    ToInt,
    ToUint,
    ToDouble,
    ToDecimal,
    ToText,
    DateToText,
    ClockToText,
    ToBytes,
    ToTimestamp,
    ToDuration,
    TextToDate,
    TimestampToDate,
    DateToTimestamp,
    Part(Part),
}

/// A part of a timestamp or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Part {
    Year,
    /// From 0.
    Month,
    /// From 1.
    Date,
    /// From 0.
    DayOfMonth,
    /// From 0, Sunday.
    DayOfWeek,
    /// From 0.
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// Calls a function.
pub(super) fn call<'a>(func: Func, args: &[Val<'a>], run: &Run<'_, 'a>) -> Result<Val<'a>> {
    for arg in args {
        run.step(weight(*arg))?;
    }
    match (func, args) {
        (Func::Size, [val]) => size(*val),
        (Func::Contains, [Val::Str(a), Val::Str(b)]) => Ok(Val::Bool(a.contains(b))),
        (Func::StartsWith, [Val::Str(a), Val::Str(b)]) => Ok(Val::Bool(a.starts_with(b))),
        (Func::EndsWith, [Val::Str(a), Val::Str(b)]) => Ok(Val::Bool(a.ends_with(b))),
        (Func::LowerAscii, [Val::Str(text)]) => {
            match text.bytes().any(|b| b.is_ascii_uppercase()) {
                true => run.text(text.len(), |out| {
                    out.push_str(text);
                    out.make_ascii_lowercase();
                }),
                false => Ok(Val::Str(text)),
            }
        }
        (Func::UpperAscii, [Val::Str(text)]) => {
            match text.bytes().any(|b| b.is_ascii_lowercase()) {
                true => run.text(text.len(), |out| {
                    out.push_str(text);
                    out.make_ascii_uppercase();
                }),
                false => Ok(Val::Str(text)),
            }
        }
        (Func::Trim, [Val::Str(text)]) => Ok(Val::Str(text.trim())),
        (Func::CharAt, [Val::Str(text), Val::Int(at)]) => {
            let start = byte_at(text, *at)?;
            let end = text[start..]
                .chars()
                .next()
                .map_or(start, |c| start + c.len_utf8());
            Ok(Val::Str(&text[start..end]))
        }
        (Func::IndexOf, [Val::Str(text), Val::Str(part)]) => {
            Ok(Val::Int(index(text, text.find(part))))
        }
        (Func::IndexOf, [Val::Str(text), Val::Str(part), Val::Int(from)]) => {
            let from = byte_at(text, *from)?;
            Ok(Val::Int(index(
                text,
                text[from..].find(part).map(|at| at + from),
            )))
        }
        (Func::LastIndexOf, [Val::Str(text), Val::Str(part)]) => {
            Ok(Val::Int(index(text, text.rfind(part))))
        }
        (Func::LastIndexOf, [Val::Str(text), Val::Str(part), Val::Int(last)]) => {
            // The part may begin at `last`, so the text may go on for the length of the part.
            let end = (byte_at(text, *last)? + part.len()).min(text.len());
            let end = (0..=end)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            Ok(Val::Int(index(text, text[..end].rfind(part))))
        }
        (Func::Substring, [Val::Str(text), Val::Int(from)]) => {
            Ok(Val::Str(&text[byte_at(text, *from)?..]))
        }
        (Func::Substring, [Val::Str(text), Val::Int(from), Val::Int(to)]) => {
            let (from, to) = (byte_at(text, *from)?, byte_at(text, *to)?);
            text.get(from..to).map(Val::Str).ok_or_else(bad_index)
        }
        (Func::Replace, [Val::Str(text), Val::Str(old), Val::Str(new)]) => {
            replace(text, old, new, -1, run)
        }
        (
            Func::Replace,
            [
                Val::Str(text),
                Val::Str(old),
                Val::Str(new),
                Val::Int(limit),
            ],
        ) => replace(text, old, new, *limit, run),
        (Func::Split, [Val::Str(text), Val::Str(by)]) => split(text, by, -1, run),
        (Func::Split, [Val::Str(text), Val::Str(by), Val::Int(limit)]) => {
            split(text, by, *limit, run)
        }
        (Func::Join, [Val::List(parts)]) => join(parts, "", run),
        (Func::Join, [Val::List(parts), Val::Str(by)]) => join(parts, by, run),
        (Func::ToBool, [val]) => match val {
            Val::Bool(_) => Ok(*val),
            Val::Str("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Val::Bool(true)),
            Val::Str("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Val::Bool(false)),
            Val::Str(_) => Err(EvalFault::new(
                "bad_bool",
                "a text is neither true nor false",
            )),
            other => Err(mismatch(&[*other])),
        },
        (Func::ToInt, [val]) => to_int(*val),
        (Func::ToUint, [val]) => to_uint(*val),
        (Func::ToDouble, [val]) => match val {
            Val::Double(_) => Ok(*val),
            Val::Int(v) => Ok(Val::Double(*v as f64)),
            Val::Uint(v) => Ok(Val::Double(*v as f64)),
            Val::Decimal(v) => Ok(Val::Double(v.to_f64())),
            Val::Str(text) => text.parse().map(Val::Double).map_err(|_| bad_number()),
            other => Err(mismatch(&[*other])),
        },
        (Func::ToDecimal, [val]) => match val {
            Val::Decimal(_) => Ok(*val),
            Val::Str(text) => {
                let parsed = Decimal::parse(text);
                match parsed {
                    Err(crate::codec::decimal::DecimalFault::Syntax) => Err(EvalFault::new(
                        "bad_number",
                        "a text is not a decimal number",
                    )),
                    parsed => run.decimal(parsed),
                }
            }
            other => run.decimal(Ok(whole(*other).ok_or_else(|| mismatch(&[*other]))?)),
        },
        (Func::ToText, [val]) => to_text(*val, run),
        (Func::DateToText, [Val::Int(days)]) => {
            written(10, run, |out| time::write_date(out, *days))
        }
        (Func::ClockToText, [Val::Duration(seconds, nanos)]) => written(18, run, |out| {
            time::write_clock(out, *seconds, nanos.unsigned_abs())
        }),
        (Func::ToBytes, [Val::Str(text)]) => Ok(Val::Bytes(text.as_bytes())),
        (Func::ToBytes, [val @ Val::Bytes(_)]) => Ok(*val),
        (Func::ToTimestamp, [val]) => match val {
            Val::Timestamp(..) => Ok(*val),
            Val::Int(v) => time::timestamp_of(*v, 1)
                .map(|(s, n)| Val::Timestamp(s, n))
                .ok_or_else(bad_range),
            Val::Str(text) => time::parse_timestamp(text)
                .map(|(s, n)| Val::Timestamp(s, n))
                .ok_or_else(|| {
                    EvalFault::new("bad_timestamp", "a text is not a timestamp of RFC 3339")
                }),
            other => Err(mismatch(&[*other])),
        },
        (Func::ToDuration, [val]) => match val {
            Val::Duration(..) => Ok(*val),
            Val::Str(text) => time::parse_duration(text)
                .map(|(s, n)| Val::Duration(s, n))
                .ok_or_else(|| {
                    EvalFault::new("bad_duration", "a text is not a duration such as 1h30m")
                }),
            other => Err(mismatch(&[*other])),
        },
        (Func::TextToDate, [Val::Str(text)]) => time::parse_date(text)
            .map(Val::Int)
            .ok_or_else(|| EvalFault::new("bad_timestamp", "a text is not a date of ISO 8601")),
        (Func::TimestampToDate, [Val::Timestamp(seconds, _)]) => {
            Ok(Val::Int(seconds.div_euclid(86_400)))
        }
        (Func::DateToTimestamp, [Val::Int(days)]) => {
            let time = days
                .checked_mul(86_400)
                .and_then(|seconds| time::timestamp_of(seconds, 1));
            time.map(|(s, n)| Val::Timestamp(s, n))
                .ok_or_else(bad_range)
        }
        (Func::Part(part), [Val::Duration(seconds, nanos)]) => Ok(Val::Int(match part {
            Part::Hours => seconds / 3_600,
            Part::Minutes => seconds / 60,
            Part::Seconds => *seconds,
            Part::Milliseconds => i64::from(nanos / 1_000_000),
            _ => return Err(mismatch(args)),
        })),
        (Func::Part(part), [Val::Timestamp(seconds, nanos)]) => part_of(part, *seconds, *nanos, 0),
        (Func::Part(part), [Val::Timestamp(seconds, nanos), Val::Str(zone)]) => {
            let offset = time::parse_offset(zone).ok_or_else(|| {
                EvalFault::new(
                    "bad_timezone",
                    "a text is not a fixed offset such as +02:00",
                )
            })?;
            part_of(part, *seconds, *nanos, offset)
        }
        (_, args) => Err(mismatch(args)),
    }
}

fn size<'a>(val: Val) -> Result<Val<'a>> {
    let size = match val {
        Val::Str(text) => text.chars().count(),
        Val::Bytes(bytes) => bytes.len(),
        Val::List(items) => items.len(),
        Val::Map(items) => items.len(),
        other => return Err(mismatch(&[other])),
    };
    Ok(Val::Int(size as i64))
}

/// The first double that is too large for 64 bits with a sign.
const TWO_63: f64 = (1_u64 << 63) as f64;

fn to_int<'a>(val: Val) -> Result<Val<'a>> {
    let converted = match val {
        Val::Int(v) => Some(v),
        Val::Uint(v) => i64::try_from(v).ok(),
        Val::Double(v) => (v > -TWO_63 && v < TWO_63).then_some(v as i64),
        Val::Decimal(v) => v
            .truncate(0)
            .ok()
            .and_then(|whole| i64::try_from(whole.unscaled).ok()),
        Val::Timestamp(seconds, _) => Some(seconds),
        Val::Str(text) => return text.parse().map(Val::Int).map_err(|_| bad_number()),
        other => return Err(mismatch(&[other])),
    };
    converted.map(Val::Int).ok_or_else(int_overflow)
}

fn to_uint<'a>(val: Val) -> Result<Val<'a>> {
    let converted = match val {
        Val::Uint(v) => Some(v),
        Val::Int(v) => u64::try_from(v).ok(),
        Val::Double(v) => (v > -1.0 && v < 18_446_744_073_709_551_616.0).then_some(v as u64),
        Val::Decimal(v) => v
            .truncate(0)
            .ok()
            .and_then(|whole| u64::try_from(whole.unscaled).ok()),
        Val::Str(text) => return text.parse().map(Val::Uint).map_err(|_| bad_number()),
        other => return Err(mismatch(&[other])),
    };
    converted.map(Val::Uint).ok_or_else(int_overflow)
}

fn to_text<'a>(val: Val<'a>, run: &Run<'_, 'a>) -> Result<Val<'a>> {
    match val {
        Val::Str(_) => Ok(val),
        Val::Bytes(bytes) => utf8(bytes).map(Val::Str),
        Val::Bool(v) => Ok(Val::Str(if v { "true" } else { "false" })),
        Val::Int(v) => written(20, run, |out| write!(out, "{v}")),
        Val::Uint(v) => written(20, run, |out| write!(out, "{v}")),
        Val::Double(v) => written(24, run, |out| write_double(out, v)),
        Val::Decimal(v) => written(48, run, |out| write!(out, "{v}")),
        Val::Timestamp(seconds, nanos) => {
            written(30, run, |out| time::write_timestamp(out, seconds, nanos))
        }
        Val::Duration(seconds, nanos) => {
            written(24, run, |out| time::write_duration(out, seconds, nanos))
        }
        other => Err(mismatch(&[other])),
    }
}

/// The shortest text that reads back as the same number; an exponent where it has many digits, as Go writes it.
fn write_double(out: &mut impl Write, value: f64) -> std::fmt::Result {
    let magnitude = value.abs();
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    if magnitude == 0.0 || (1e-4..1e21).contains(&magnitude) {
        return write!(out, "{value}");
    }
    // At most 17 digits, a sign, a point and the exponent.
    let mut digits = scientific(value);
    let (mantissa, exponent) = digits.split();
    write!(
        out,
        "{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.unsigned_abs()
    )
}

/// The text of a double with an exponent, on the stack.
struct Scientific {
    text: [u8; 32],
    len: usize,
}

fn scientific(value: f64) -> Scientific {
    let mut out = Scientific {
        text: [0; 32],
        len: 0,
    };
    write!(out, "{value:e}").expect("17 digits and an exponent fit 32 bytes");
    out
}

impl Scientific {
    fn split(&mut self) -> (&str, i32) {
        let text = std::str::from_utf8(&self.text[..self.len]).unwrap_or_default();
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        (mantissa, exponent.parse().unwrap_or_default())
    }
}

impl Write for Scientific {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room = self
            .text
            .get_mut(self.len..self.len + part.len())
            .ok_or(std::fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.len += part.len();
        Ok(())
    }
}

fn written<'a>(
    bytes: usize,
    run: &Run<'_, 'a>,
    write: impl FnOnce(&mut bumpalo::collections::String<'a>) -> std::fmt::Result,
) -> Result<Val<'a>> {
    let mut failed = false;
    let text = run.text(bytes, |out| failed = write(out).is_err())?;
    if failed { Err(bad_range()) } else { Ok(text) }
}

fn replace<'a>(
    text: &'a str,
    old: &str,
    new: &str,
    limit: i64,
    run: &Run<'_, 'a>,
) -> Result<Val<'a>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = text.matches(old).take(limit).count();
    if found == 0 {
        return Ok(Val::Str(text));
    }
    let bytes = (text.len() + found.saturating_mul(new.len())).saturating_sub(found * old.len());
    run.text(bytes, |out| {
        let mut from = 0;
        for (at, part) in text.match_indices(old).take(limit) {
            out.push_str(&text[from..at]);
            out.push_str(new);
            from = at + part.len();
        }
        out.push_str(&text[from..]);
    })
}

fn split<'a>(text: &'a str, by: &'a str, limit: i64, run: &Run<'_, 'a>) -> Result<Val<'a>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = BumpVec::new_in(run.cx.bump);
    let mut push = |part| {
        run.spend(size_of::<Val>())?;
        parts.push(Val::Str(part));
        Ok::<_, EvalFault>(())
    };
    if by.is_empty() {
        let mut rest = text;
        let mut count = 1;
        while let Some(c) = rest.chars().next().filter(|_| count < limit && limit > 0) {
            let (part, after) = rest.split_at(c.len_utf8());
            if after.is_empty() {
                break;
            }
            push(part)?;
            rest = after;
            count += 1;
        }
        if limit > 0 && !rest.is_empty() {
            push(rest)?;
        }
    } else {
        for part in text.splitn(limit, by) {
            push(part)?;
        }
    }
    Ok(Val::List(parts.into_bump_slice()))
}

fn join<'a>(parts: &[Val<'a>], by: &str, run: &Run<'_, 'a>) -> Result<Val<'a>> {
    let mut bytes = by.len().saturating_mul(parts.len().saturating_sub(1));
    for part in parts {
        match part {
            Val::Str(text) => bytes += text.len(),
            other => return Err(mismatch(&[*other])),
        }
    }
    run.text(bytes, |out| {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.push_str(by);
            }
            if let Val::Str(text) = part {
                out.push_str(text);
            }
        }
    })
}

fn part_of<'a>(part: Part, seconds: i64, nanos: u32, offset: i32) -> Result<Val<'a>> {
    let civil = time::civil(seconds, nanos, offset).ok_or_else(bad_range)?;
    Ok(Val::Int(match part {
        Part::Year => civil.year().into(),
        Part::Month => i64::from(civil.month()) - 1,
        Part::Date => civil.day().into(),
        Part::DayOfMonth => i64::from(civil.day()) - 1,
        Part::DayOfWeek => civil.weekday().to_sunday_zero_offset().into(),
        Part::DayOfYear => i64::from(civil.day_of_year()) - 1,
        Part::Hours => civil.hour().into(),
        Part::Minutes => civil.minute().into(),
        Part::Seconds => civil.second().into(),
        Part::Milliseconds => i64::from(nanos / 1_000_000),
    }))
}

/// The byte where a character begins; the end of the text counts.
fn byte_at(text: &str, at: i64) -> Result<usize> {
    let at = usize::try_from(at).map_err(|_| bad_index())?;
    let mut bytes = text
        .char_indices()
        .map(|(byte, _)| byte)
        .chain([text.len()]);
    bytes.nth(at).ok_or_else(bad_index)
}

/// The number of the character at a byte, or -1.
fn index(text: &str, byte: Option<usize>) -> i64 {
    byte.map_or(-1, |byte| text[..byte].chars().count() as i64)
}

/// Bytes as text.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| EvalFault::new("bad_utf8", "bytes are not UTF-8"))
}

fn bad_index() -> EvalFault {
    EvalFault::new("index_out_of_range", "an index is outside of a text")
}

fn bad_number() -> EvalFault {
    EvalFault::new("bad_number", "a text is not a number of this type")
}

fn bad_range() -> EvalFault {
    EvalFault::new("time_range", "a time is outside of the years 1 to 9999")
}
