//! Sizes, and conversions between types.

use std::fmt::Write;

use super::super::eval::{Result, Run, int_overflow, mismatch};
use super::super::proof::{Extent, Number, is_number};
use super::super::value::whole;
use super::super::{EvalFault, time};
use super::needs::{Fails, Given, Gives, Need, Of};
use super::{Family, Function};
use crate::codec::decimal::DecimalFault;
use crate::codec::{Decimal, Val};

const OVERFLOW: &[&str] = &["int_overflow"];
const NUMBER: &[&str] = &["bad_number"];
const RANGE: &[&str] = &["time_range"];
/// What 64 bits hold with a sign, and without one.
const INT: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);
const UINT: (i128, i128) = (0, u64::MAX as i128);
/// The seconds of the years 1 to 9999.
pub(super) const SECONDS: (i64, i64) = (-62_135_596_800, 253_402_300_799);

pub(super) static FAMILY: Family = Family {
    title: "Conversions and sizes",
    intro: "A conversion of a constant that can never succeed is a fault of `check`, as is every call that fails for all values.",
    functions: &[
        Function::new("size(string) -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of characters (code points).")
            .examples(&[("size('héllo')", "5")]),
        Function::new("string.size() -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of characters (code points).")
            .examples(&[("'héllo'.size()", "5")]),
        Function::new("size(bytes) -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of bytes.")
            .examples(&[("size(b'é')", "2")]),
        Function::new("bytes.size() -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of bytes.")
            .examples(&[("b'é'.size()", "2")]),
        Function::new("size(list(A)) -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of elements.")
            .examples(&[("size([1, 2])", "2")]),
        Function::new("list(A).size() -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of elements.")
            .examples(&[("[1, 2].size()", "2")]),
        Function::new("size(map(A, B)) -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of entries.")
            .examples(&[("size({'a': 1})", "1")]),
        Function::new("map(A, B).size() -> int", size)
            .gives(Gives::Number(sizes))
            .doc("The number of entries.")
            .examples(&[("{'a': 1}.size()", "1")]),
        Function::new("bool(bool) -> bool", same)
            .doc("The value itself.")
            .examples(&[("bool(true)", "true")]),
        Function::new("bool(string) -> bool", to_bool)
            .fails(&["bad_bool"])
            .doc("True for `1`, `t`, `T`, `true`, `TRUE`, `True`, false for `0`, `f`, `F`, `false`, `FALSE`, `False`.")
            .examples(&[("bool('t')", "true"), ("bool('yes')", "fails bad_bool")]),
        Function::new("int(int) -> int", same)
            .gives(Gives::Number(number))
            .doc("The value itself.")
            .examples(&[("int(1)", "1")]),
        Function::new("int(uint) -> int", to_int)
            .fails(OVERFLOW)
            .needs(&[Need("int_overflow", Of::Cut(0, INT.0, INT.1))]).gives(Gives::Number(whole_part))
            .doc("The same number, signed.")
            .examples(&[("int(1u)", "1"), ("int(18446744073709551615u)", "fails int_overflow")]),
        Function::new("int(double) -> int", to_int)
            .fails(OVERFLOW)
            .doc("The number without its fraction.")
            .examples(&[("int(-3.9)", "-3"), ("int(1e99)", "fails int_overflow")]),
        Function::new("int(decimal) -> int", to_int)
            .fails(OVERFLOW)
            .needs(&[Need("int_overflow", Of::Cut(0, INT.0, INT.1))]).gives(Gives::Number(whole_part))
            .doc("The number without its fraction.")
            .examples(&[("int(decimal('4.9'))", "4")]),
        Function::new("int(string) -> int", to_int)
            .fails(NUMBER)
            .needs(&[Need("bad_number", Of::Together(spelled_int))])
            .doc("The number that a text spells.")
            .examples(&[("int('-12')", "-12"), ("int('1.5')", "fails bad_number")]),
        Function::new("int(timestamp) -> int", to_int)
            .gives(Gives::Whole(SECONDS.0, SECONDS.1))
            .doc("Seconds since 1970-01-01T00:00:00Z.")
            .examples(&[("int(timestamp('1970-01-01T00:01:00Z'))", "60")]),
        Function::new("uint(uint) -> uint", same)
            .gives(Gives::Number(number))
            .doc("The value itself.")
            .examples(&[("uint(1u)", "1u")]),
        Function::new("uint(int) -> uint", to_uint)
            .fails(OVERFLOW)
            .needs(&[Need("int_overflow", Of::Cut(0, UINT.0, UINT.1))]).gives(Gives::Number(whole_part))
            .doc("The same number, unsigned.")
            .examples(&[("uint(1)", "1u"), ("uint(-1)", "fails int_overflow")]),
        Function::new("uint(double) -> uint", to_uint)
            .fails(OVERFLOW)
            .doc("The number without its fraction.")
            .examples(&[("uint(3.9)", "3u"), ("uint(-0.5)", "fails int_overflow")]),
        Function::new("uint(decimal) -> uint", to_uint)
            .fails(OVERFLOW)
            .needs(&[Need("int_overflow", Of::Cut(0, UINT.0, UINT.1))]).gives(Gives::Number(whole_part))
            .doc("The number without its fraction.")
            .examples(&[("uint(decimal('4.9'))", "4u")]),
        Function::new("uint(string) -> uint", to_uint)
            .fails(NUMBER)
            .needs(&[Need("bad_number", Of::Together(spelled_uint))])
            .doc("The number that a text spells.")
            .examples(&[("uint('12')", "12u"), ("uint('+12')", "fails bad_number")]),
        Function::new("double(double) -> double", same)
            .doc("The value itself.")
            .examples(&[("double(1.5)", "1.5")]),
        Function::new("double(int) -> double", to_double)
            .doc("The nearest double.")
            .examples(&[("double(2)", "2.0")]),
        Function::new("double(uint) -> double", to_double)
            .doc("The nearest double.")
            .examples(&[("double(2u)", "2.0")]),
        Function::new("double(decimal) -> double", to_double)
            .doc("The nearest double: this is where a decimal stops being exact.")
            .examples(&[("double(decimal('0.1'))", "0.1")]),
        Function::new("double(string) -> double", to_double)
            .fails(NUMBER)
            .needs(&[Need("bad_number", Of::Together(spelled))])
            .doc("The number that a text spells.")
            .examples(&[("double('1.5e3')", "1500.0"), ("double('x')", "fails bad_number"), ("double('1e999')", "fails bad_number")]),
        Function::new("decimal(decimal) -> decimal", same)
            .gives(Gives::Number(number))
            .doc("The value itself.")
            .examples(&[("decimal(decimal('1.50'))", "decimal('1.50')")]),
        Function::new("decimal(int) -> decimal", to_decimal)
            .gives(Gives::Number(number))
            .doc("The same number, exact, with scale 0.")
            .examples(&[("decimal(5)", "decimal('5')")]),
        Function::new("decimal(uint) -> decimal", to_decimal)
            .gives(Gives::Number(number))
            .doc("The same number, exact, with scale 0.")
            .examples(&[("decimal(5u)", "decimal('5')")]),
        Function::new("decimal(string) -> decimal", to_decimal)
            .fails(&["bad_number", "decimal_overflow"])
            .needs(&[Need("bad_number", Of::Together(spelled)), Need("decimal_overflow", Of::Together(spelled))])
            .doc("The number that a text spells, with the scale in which it is written.")
            .examples(&[("string(decimal('1.50'))", "'1.50'"), ("string(decimal('15e-4'))", "'0.0015'")])
            .converts(),
        Function::new("string(string) -> string", same)
            .doc("The value itself.")
            .examples(&[("string('a')", "'a'")]),
        Function::new("string(bool) -> string", to_text)
            .doc("`true` or `false`.")
            .examples(&[("string(true)", "'true'")]),
        Function::new("string(int) -> string", to_text)
            .doc("The digits.")
            .examples(&[("string(-5)", "'-5'")]),
        Function::new("string(uint) -> string", to_text)
            .doc("The digits.")
            .examples(&[("string(5u)", "'5'")]),
        Function::new("string(double) -> string", to_text)
            .doc("The shortest text that reads back as the same number.")
            .examples(&[("string(1.5)", "'1.5'"), ("string(1e21)", "'1e+21'")]),
        Function::new("string(decimal) -> string", to_text)
            .doc("All digits, as many after the point as the scale.")
            .examples(&[("string(decimal('1.50'))", "'1.50'")]),
        Function::new("string(timestamp) -> string", to_text)
            .doc("RFC 3339, in UTC.")
            .examples(&[("string(timestamp('2024-01-31T12:00:00+02:00'))", "'2024-01-31T10:00:00Z'")]),
        Function::new("string(duration) -> string", to_text)
            .doc("Seconds, and `s`.")
            .examples(&[("string(duration('1h30m'))", "'5400s'")]),
        Function::new("string(bytes) -> string", to_text)
            .fails(&["bad_utf8"])
            .doc("The text that UTF-8 bytes spell.")
            .examples(&[("string(b'abc')", "'abc'"), ("string(b'\\xff')", "fails bad_utf8")]),
        Function::new("string(date) -> string", date_to_text)
            .fails(RANGE)
            .doc("ISO 8601.")
            .examples(&[("string(date('2024-01-31'))", "'2024-01-31'")]),
        Function::new("string(time of day) -> string", clock_to_text)
            .doc("ISO 8601, with as many digits of a second as there are.")
            .examples(&[("string(time('10:20:30.50'))", "'10:20:30.5'")]),
        Function::new("bytes(bytes) -> bytes", same)
            .doc("The value itself.")
            .examples(&[("bytes(b'a')", "b'a'")]),
        Function::new("bytes(string) -> bytes", to_bytes)
            .doc("The text in UTF-8.")
            .examples(&[("bytes('é')", "b'\\xc3\\xa9'")]),
    ],
};

pub(super) fn same<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    args.first().copied().ok_or_else(|| mismatch(args))
}

fn size<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let size = match args {
        [Val::Str(text)] => text.chars().count(),
        [Val::Bytes(bytes)] => bytes.len(),
        [Val::List(items)] => items.len(),
        [Val::Map(items)] => items.len(),
        other => return Err(mismatch(other)),
    };
    Ok(Val::Int(size as i64))
}

fn to_bool<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str("1" | "t" | "T" | "true" | "TRUE" | "True")] => Ok(Val::Bool(true)),
        [Val::Str("0" | "f" | "F" | "false" | "FALSE" | "False")] => Ok(Val::Bool(false)),
        [Val::Str(_)] => Err(EvalFault::new(
            "bad_bool",
            "a text is neither true nor false",
        )),
        other => Err(mismatch(other)),
    }
}

/// The first double that is too large for 64 bits with a sign.
pub(super) const TWO_63: f64 = (1_u64 << 63) as f64;

fn to_int<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let converted = match args {
        [Val::Uint(v)] => i64::try_from(*v).ok(),
        [Val::Double(v)] => (*v > -TWO_63 && *v < TWO_63).then_some(*v as i64),
        [Val::Decimal(v)] => v
            .truncate(0)
            .ok()
            .and_then(|whole| i64::try_from(whole.unscaled).ok()),
        [Val::Timestamp(seconds, _)] => Some(*seconds),
        [Val::Str(text)] => return text.parse().map(Val::Int).map_err(|_| bad_number()),
        other => return Err(mismatch(other)),
    };
    converted.map(Val::Int).ok_or_else(int_overflow)
}

fn to_uint<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let converted = match args {
        [Val::Int(v)] => u64::try_from(*v).ok(),
        [Val::Double(v)] => (*v >= 0.0 && *v < 18_446_744_073_709_551_616.0).then_some(*v as u64),
        [Val::Decimal(v)] => v
            .truncate(0)
            .ok()
            .and_then(|whole| u64::try_from(whole.unscaled).ok()),
        // What has no sign is written without one.
        [Val::Str(text)] if text.starts_with('+') => return Err(bad_number()),
        [Val::Str(text)] => return text.parse().map(Val::Uint).map_err(|_| bad_number()),
        other => return Err(mismatch(other)),
    };
    converted.map(Val::Uint).ok_or_else(int_overflow)
}

fn to_double<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(v)] => Ok(Val::Double(*v as f64)),
        [Val::Uint(v)] => Ok(Val::Double(*v as f64)),
        [Val::Decimal(v)] => Ok(Val::Double(v.to_f64())),
        [Val::Str(text)] => match text.parse::<f64>() {
            // Digits that are too many for a double, unlike the word itself.
            Ok(v) if v.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
                Err(bad_number())
            }
            parsed => parsed.map(Val::Double).map_err(|_| bad_number()),
        },
        other => Err(mismatch(other)),
    }
}

fn to_decimal<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] => match Decimal::parse(text) {
            Err(DecimalFault::Syntax) => Err(EvalFault::new(
                "bad_number",
                "a text is not a decimal number",
            )),
            parsed => run.decimal(parsed),
        },
        [number] => run.decimal(Ok(whole(*number).ok_or_else(|| mismatch(args))?)),
        other => Err(mismatch(other)),
    }
}

pub(super) fn to_text<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Bytes(bytes)] => utf8(bytes).map(Val::Str),
        [Val::Bool(v)] => Ok(Val::Str(if *v { "true" } else { "false" })),
        [Val::Int(v)] => written(20, run, |out| out.write_str(itoa::Buffer::new().format(*v))),
        [Val::Uint(v)] => written(20, run, |out| out.write_str(itoa::Buffer::new().format(*v))),
        [Val::Double(v)] => written(24, run, |out| write_double(out, *v)),
        [Val::Decimal(v)] => written(48 + v.scale as usize, run, |out| write!(out, "{v}")),
        [Val::Timestamp(seconds, nanos)] => {
            written(30, run, |out| time::write_timestamp(out, *seconds, *nanos))
        }
        [Val::Duration(seconds, nanos)] => {
            written(24, run, |out| time::write_duration(out, *seconds, *nanos))
        }
        other => Err(mismatch(other)),
    }
}

fn date_to_text<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(days)] => written(10, run, |out| time::write_date(out, *days)),
        other => Err(mismatch(other)),
    }
}

fn clock_to_text<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Duration(seconds, nanos)] => written(18, run, |out| {
            time::write_clock(out, *seconds, nanos.unsigned_abs())
        }),
        other => Err(mismatch(other)),
    }
}

fn to_bytes<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] => Ok(Val::Bytes(text.as_bytes())),
        other => Err(mismatch(other)),
    }
}

/// The shortest text that reads back as the same number; an exponent where it has many digits, as Go writes it.
pub(super) fn write_double(out: &mut impl Write, value: f64) -> std::fmt::Result {
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

/// A text that is written, of about this many bytes; a time that cannot be written is out of range.
pub(super) fn written<'a>(
    bytes: usize,
    run: &Run<'_, 'a>,
    write: impl FnOnce(&mut bumpalo::collections::String<'a>) -> std::fmt::Result,
) -> Result<Val<'a>> {
    let mut failed = false;
    let text = run.text(bytes, |out| failed = write(out).is_err())?;
    if failed { Err(bad_range()) } else { Ok(text) }
}

/// Bytes as text.
pub(in super::super) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| EvalFault::new("bad_utf8", "bytes are not UTF-8"))
}

fn bad_number() -> EvalFault {
    EvalFault::new("bad_number", "a text is not a number of this type")
}

pub(super) fn bad_range() -> EvalFault {
    EvalFault::new("time_range", "a time is outside of the years 1 to 9999")
}

// === what the proof knows ===

fn sizes(given: &Given) -> Option<Number> {
    given.size(0)
}

/// The number itself.
pub(super) fn number(given: &Given) -> Option<Number> {
    given.number(0)
}

fn whole_part(given: &Given) -> Option<Number> {
    let (low, high) = given.number(0)?.cut()?;
    Some(Number::whole(low, high))
}

fn spelled_int(given: &Given) -> Fails {
    spelled_as(given, "int")
}

fn spelled_uint(given: &Given) -> Fails {
    spelled_as(given, "uint")
}

fn spelled(given: &Given) -> Fails {
    spelled_as(given, "decimal")
}

/// Whether a pattern was found in the text that makes it a number.
fn spelled_as(given: &Given, function: &str) -> Fails {
    match given.extent(0) {
        Extent::Like(pattern) if is_number(&pattern, function) => Fails::Never,
        _ => Fails::Perhaps,
    }
}
