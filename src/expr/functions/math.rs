//! Numbers: CEL's math extension.

use std::cmp::Ordering;

use super::super::EvalFault;
use super::super::eval::{Result, Run, int_overflow, mismatch};
use super::super::proof::Number;
use super::super::value::compare;
use super::convert::{number, same};
use super::needs::{Given, Gives, Need, Of};
use super::{Family, Function};
use crate::codec::Val;

const ARGUMENT: &[&str] = &["bad_argument"];

pub(super) static FAMILY: Family = Family {
    title: "Numbers",
    intro: "Numbers of different types are compared by their value; a decimal and a double are not compared, as by the operators.",
    functions: &[
        Function::new("math.greatest(N) -> N", same)
            .gives(Gives::Number(number))
            .doc("The number itself.")
            .examples(&[("math.greatest(1)", "1")]),
        Function::new("math.greatest(N, N...) -> N", greatest)
            .gives(Gives::Number(greatest_of))
            .doc("The greatest of the numbers; the first of equal ones.")
            .examples(&[
                ("math.greatest(1u, 2u)", "2u"),
                ("math.greatest(1, 5.5, 3u)", "dyn(5.5)"),
            ]),
        Function::new("math.greatest(list(N)) -> N", greatest)
            .fails(ARGUMENT)
            .needs(&[Need("bad_argument", Of::Element(0))])
            .doc("The greatest number of a list; an empty list has none.")
            .examples(&[("math.greatest([-42.0, -21.5])", "-21.5")]),
        Function::new("math.least(N) -> N", same)
            .gives(Gives::Number(number))
            .doc("The number itself.")
            .examples(&[("math.least(1)", "1")]),
        Function::new("math.least(N, N...) -> N", least)
            .gives(Gives::Number(least_of))
            .doc("The least of the numbers; the first of equal ones.")
            .examples(&[("math.least(-42.0, -21.5, -100.0)", "-100.0")]),
        Function::new("math.least(list(N)) -> N", least)
            .fails(ARGUMENT)
            .needs(&[Need("bad_argument", Of::Element(0))])
            .doc("The least number of a list; an empty list has none.")
            .examples(&[("math.least([3, 2])", "2")]),
        Function::new("math.ceil(double) -> double", ceil)
            .doc("The next whole number upwards.")
            .examples(&[("math.ceil(1.2)", "2.0"), ("math.ceil(-1.2)", "-1.0")]),
        Function::new("math.floor(double) -> double", floor)
            .doc("The next whole number downwards.")
            .examples(&[("math.floor(1.2)", "1.0"), ("math.floor(-1.2)", "-2.0")]),
        Function::new("math.round(double) -> double", round)
            .doc("The nearest whole number; a half goes away from zero.")
            .examples(&[("math.round(1.5)", "2.0"), ("math.round(-1.5)", "-2.0")]),
        Function::new("math.trunc(double) -> double", trunc)
            .doc("The number without its fraction.")
            .examples(&[("math.trunc(-1.7)", "-1.0")]),
        Function::new("math.abs(int) -> int", abs)
            .fails(&["int_overflow"])
            .needs(&[Need("int_overflow", Of::Whole(0, -i64::MAX, i64::MAX))])
            .gives(Gives::Number(magnitude))
            .doc("The number without its sign.")
            .examples(&[
                ("math.abs(-5)", "5"),
                ("math.abs(-9223372036854775808)", "fails int_overflow"),
            ]),
        Function::new("math.abs(uint) -> uint", abs)
            .gives(Gives::Number(number))
            .doc("The number itself.")
            .examples(&[("math.abs(5u)", "5u")]),
        Function::new("math.abs(double) -> double", abs)
            .doc("The number without its sign.")
            .examples(&[("math.abs(-1.5)", "1.5")]),
        Function::new("math.sign(int) -> int", sign)
            .gives(Gives::Whole(-1, 1))
            .doc("-1, 0 or 1.")
            .examples(&[("math.sign(-42)", "-1")]),
        Function::new("math.sign(uint) -> uint", sign)
            .gives(Gives::Whole(0, 1))
            .doc("0 or 1.")
            .examples(&[("math.sign(42u)", "1u")]),
        Function::new("math.sign(double) -> double", sign)
            .doc("-1, 0, 1, or NaN for NaN.")
            .examples(&[("math.sign(-0.3)", "-1.0"), ("math.sign(0.0)", "0.0")]),
        Function::new("math.isNaN(double) -> bool", is_nan)
            .doc("Whether the double is not a number.")
            .examples(&[("math.isNaN(0.0 / 0.0)", "true")]),
        Function::new("math.isInf(double) -> bool", is_inf)
            .doc("Whether the double is infinite.")
            .examples(&[("math.isInf(1.0 / 0.0)", "true")]),
        Function::new("math.isFinite(double) -> bool", is_finite)
            .doc("Whether the double is a number and not infinite.")
            .examples(&[("math.isFinite(1.2)", "true")]),
        Function::new("math.sqrt(double) -> double", sqrt)
            .doc("The square root; NaN of a negative number.")
            .examples(&[("math.sqrt(81.0)", "9.0")]),
        Function::new("math.sqrt(int) -> double", sqrt)
            .doc("The square root; NaN of a negative number.")
            .examples(&[("math.sqrt(81)", "9.0")]),
        Function::new("math.sqrt(uint) -> double", sqrt)
            .doc("The square root.")
            .examples(&[("math.sqrt(81u)", "9.0")]),
        Function::new("math.bitAnd(int, int) -> int", bit_and)
            .gives(Gives::Number(common_bits))
            .doc("The bits that both have.")
            .examples(&[("math.bitAnd(3, 5)", "1")]),
        Function::new("math.bitAnd(uint, uint) -> uint", bit_and)
            .gives(Gives::Number(common_bits))
            .doc("The bits that both have.")
            .examples(&[("math.bitAnd(3u, 5u)", "1u")]),
        Function::new("math.bitOr(int, int) -> int", bit_or)
            .doc("The bits that one of them has.")
            .examples(&[("math.bitOr(1, 2)", "3")]),
        Function::new("math.bitOr(uint, uint) -> uint", bit_or)
            .doc("The bits that one of them has.")
            .examples(&[("math.bitOr(1u, 2u)", "3u")]),
        Function::new("math.bitXor(int, int) -> int", bit_xor)
            .doc("The bits that one of them has, and not the other.")
            .examples(&[("math.bitXor(3, 5)", "6")]),
        Function::new("math.bitXor(uint, uint) -> uint", bit_xor)
            .doc("The bits that one of them has, and not the other.")
            .examples(&[("math.bitXor(3u, 5u)", "6u")]),
        Function::new("math.bitNot(int) -> int", bit_not)
            .doc("All bits turned over.")
            .examples(&[("math.bitNot(1)", "-2")]),
        Function::new("math.bitNot(uint) -> uint", bit_not)
            .doc("All bits turned over.")
            .examples(&[("math.bitNot(0u)", "18446744073709551615u")]),
        Function::new("math.bitShiftLeft(int, int) -> int", shift_left)
            .fails(ARGUMENT)
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The bits moved to the left; by 64 and more it is 0.")
            .examples(&[
                ("math.bitShiftLeft(1, 2)", "4"),
                ("math.bitShiftLeft(1, -1)", "fails bad_argument"),
            ]),
        Function::new("math.bitShiftLeft(uint, int) -> uint", shift_left)
            .fails(ARGUMENT)
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The bits moved to the left; by 64 and more it is 0.")
            .examples(&[("math.bitShiftLeft(1u, 2)", "4u")]),
        Function::new("math.bitShiftRight(int, int) -> int", shift_right)
            .fails(ARGUMENT)
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The bits moved to the right, zeros following, also for negative numbers.")
            .examples(&[
                ("math.bitShiftRight(1024, 2)", "256"),
                ("math.bitShiftRight(-1024, 3)", "2305843009213693824"),
            ]),
        Function::new("math.bitShiftRight(uint, int) -> uint", shift_right)
            .fails(ARGUMENT)
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The bits moved to the right.")
            .examples(&[("math.bitShiftRight(1024u, 2)", "256u")]),
    ],
};

fn greatest<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    extreme(args, Ordering::Greater)
}

fn least<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    extreme(args, Ordering::Less)
}

fn extreme<'a>(args: &[Val<'a>], wanted: Ordering) -> Result<Val<'a>> {
    let all = match args {
        [Val::List(all)] => all,
        all => all,
    };
    let mut best = *all
        .first()
        .ok_or_else(|| EvalFault::new("bad_argument", "an empty list has no extreme"))?;
    for one in &all[1..] {
        if compare(*one, best) == Some(wanted) {
            best = *one;
        }
    }
    Ok(best)
}

/// Functions of one double.
macro_rules! doubles {
    ($($name:ident: |$value:ident| $result:expr;)*) => {$(
        fn $name<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
            match args {
                [Val::Double($value)] => Ok($result),
                other => Err(mismatch(other)),
            }
        }
    )*};
}

doubles! {
    ceil: |value| Val::Double(value.ceil());
    floor: |value| Val::Double(value.floor());
    round: |value| Val::Double(value.round());
    trunc: |value| Val::Double(value.trunc());
    is_nan: |value| Val::Bool(value.is_nan());
    is_inf: |value| Val::Bool(value.is_infinite());
    is_finite: |value| Val::Bool(value.is_finite());
}

/// Functions of two whole numbers of the same type.
macro_rules! bits {
    ($($name:ident: |$a:ident, $b:ident| $result:expr;)*) => {$(
        fn $name<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
            match args {
                [Val::Int($a), Val::Int($b)] => Ok(Val::Int($result)),
                [Val::Uint($a), Val::Uint($b)] => Ok(Val::Uint($result)),
                other => Err(mismatch(other)),
            }
        }
    )*};
}

bits! {
    bit_and: |a, b| a & b;
    bit_or: |a, b| a | b;
    bit_xor: |a, b| a ^ b;
}

fn abs<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(v)] => v.checked_abs().map(Val::Int).ok_or_else(int_overflow),
        [v @ Val::Uint(_)] => Ok(*v),
        [Val::Double(v)] => Ok(Val::Double(v.abs())),
        other => Err(mismatch(other)),
    }
}

fn sign<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(v)] => Ok(Val::Int(v.signum())),
        [Val::Uint(v)] => Ok(Val::Uint((*v).min(1))),
        // Rust gives zero a sign.
        [v @ Val::Double(0.0)] => Ok(*v),
        [Val::Double(v)] => Ok(Val::Double(v.signum())),
        other => Err(mismatch(other)),
    }
}

fn sqrt<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Double(v)] => Ok(Val::Double(v.sqrt())),
        [Val::Int(v)] => Ok(Val::Double((*v as f64).sqrt())),
        [Val::Uint(v)] => Ok(Val::Double((*v as f64).sqrt())),
        other => Err(mismatch(other)),
    }
}

fn bit_not<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(v)] => Ok(Val::Int(!v)),
        [Val::Uint(v)] => Ok(Val::Uint(!v)),
        other => Err(mismatch(other)),
    }
}

fn shift_left<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(v), Val::Int(by)] => Ok(Val::Int(v.checked_shl(bits(*by)?).unwrap_or(0))),
        [Val::Uint(v), Val::Int(by)] => Ok(Val::Uint(v.checked_shl(bits(*by)?).unwrap_or(0))),
        other => Err(mismatch(other)),
    }
}

fn shift_right<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let moved = |v: u64, by: i64| Ok(v.checked_shr(bits(by)?).unwrap_or(0));
    match args {
        [Val::Int(v), Val::Int(by)] => {
            moved(v.cast_unsigned(), *by).map(|v| Val::Int(v.cast_signed()))
        }
        [Val::Uint(v), Val::Int(by)] => moved(*v, *by).map(Val::Uint),
        other => Err(mismatch(other)),
    }
}

/// How far bits are moved; too far is 64.
fn bits(by: i64) -> Result<u32> {
    u32::try_from(by.min(64))
        .map_err(|_| EvalFault::new("bad_argument", "bits cannot be moved by a negative number"))
}

// === what the proof knows ===

fn greatest_of(given: &Given) -> Option<Number> {
    extreme_of(given, |a, b| a.max(b))
}

fn least_of(given: &Given) -> Option<Number> {
    extreme_of(given, |a, b| a.min(b))
}

/// The extremes of the bounds; numbers of several types are not compared here.
fn extreme_of(given: &Given, choose: fn(i128, i128) -> i128) -> Option<Number> {
    let all: Option<Vec<Number>> = (0..given.count()).map(|at| given.number(at)).collect();
    all?.into_iter().map(Some).reduce(|a, b| {
        let (a, b) = a?.both(&b?)?;
        Some(Number {
            low: choose(a.low, b.low),
            high: choose(a.high, b.high),
            scale: a.scale,
            zero: a.has_zero() || b.has_zero(),
        })
    })?
}

/// The number without its sign.
pub(super) fn magnitude(given: &Given) -> Option<Number> {
    let of = given.number(0)?;
    let low = match (of.low >= 0, of.high <= 0) {
        (true, _) => of.low,
        (_, true) => of.high.checked_neg()?,
        _ => 0,
    };
    let high = of.low.checked_neg()?.max(of.high);
    Some(Number { low, high, ..of })
}

/// Bits that a number without a sign has: no more than it.
fn common_bits(given: &Given) -> Option<Number> {
    let (a, b) = (given.number(0)?, given.number(1)?);
    let most = [a, b].into_iter().filter(|number| number.low >= 0);
    Some(Number::whole(0, most.map(|number| number.high).min()?))
}
