//! Exact decimals: rounding, division, digits.

use super::super::eval::{Result, Run, mismatch};
use super::super::value::whole;
use super::super::{Const, EvalFault};
use super::prepared::Prepared;
use super::{Family, Function, Prepare, Unfit};
use crate::codec::decimal::{Rounding, SCALE_MAX};
use crate::codec::{Decimal, Val};

const OVERFLOW: &[&str] = &["decimal_overflow"];
const ROUNDS: &[&str] = &["bad_argument", "decimal_overflow"];
const DIVIDES: &[&str] = &["bad_argument", "decimal_overflow", "division_by_zero"];

/// A rounding mode as the third argument.
const MODE_2: Prepare = Prepare {
    arg: 2,
    make: mode,
    rules_out: &[],
};
/// A rounding mode as the fourth argument.
const MODE_3: Prepare = Prepare {
    arg: 3,
    make: mode,
    rules_out: &[],
};

pub(super) static FAMILY: Family = Family {
    title: "Decimals",
    intro: "A decimal is exact and has up to 38 digits. `+`, `-`, `*` and comparisons also take an int or uint on the other side; a sum has the larger \
            scale, a product the sum of the scales. Nothing is rounded unless a function says so. Rounding modes: `half_up` (a tie goes away from \
            zero), `half_even` (to the even digit; this is the default), `half_down`, `up` (away from zero), `down` (towards zero), `ceiling`, `floor`, \
            `exact` (a digit that would be lost is a fault).",
    functions: &[
        Function::new("decimal(double) -> decimal", from_double)
            .fails(&["bad_number", "decimal_overflow"])
            .doc("The number that the shortest text of a double spells; infinity and NaN are none.")
            .examples(&[("decimal(0.1)", "decimal('0.1')"), ("decimal(1.0 / 0.0)", "fails bad_number")]),
        Function::new("decimal(int, int) -> decimal", from_unscaled)
            .fails(&["bad_argument"])
            .doc("The digits of a whole number with so many of them behind the point: cents to euros.")
            .examples(&[("decimal(1250, 2)", "decimal('12.50')")]),
        Function::new("decimal.round(int) -> decimal", round)
            .fails(ROUNDS)
            .doc("The number with so many digits behind the point, a tie to the even digit; a negative number rounds before the point.")
            .examples(&[("string(decimal('2.345').round(2))", "'2.34'"), ("decimal('1234').round(-2)", "decimal('1200')")]),
        Function::with("decimal.round(int, string) -> decimal", MODE_2, round_as)
            .fails(ROUNDS)
            .doc("The number with so many digits behind the point, rounded as a mode says.")
            .examples(&[
                ("decimal('2.345').round(2, 'half_up')", "decimal('2.35')"),
                ("decimal('-2.341').round(2, 'floor')", "decimal('-2.35')"),
                ("decimal('2.345').round(2, 'exact')", "fails bad_argument"),
            ]),
        Function::new("decimal.div(decimal, int) -> decimal", div)
            .fails(DIVIDES)
            .doc("The quotient with so many digits behind the point, a tie to the even digit.")
            .examples(&[("decimal('10').div(decimal('3'), 4)", "decimal('3.3333')"), ("decimal('1').div(decimal('0'), 2)", "fails division_by_zero")]),
        Function::new("decimal.div(int, int) -> decimal", div)
            .fails(DIVIDES)
            .doc("The same, by a whole number.")
            .examples(&[("decimal('10').div(4, 1)", "decimal('2.5')")]),
        Function::with("decimal.div(decimal, int, string) -> decimal", MODE_3, div_as)
            .fails(DIVIDES)
            .doc("The quotient, rounded as a mode says.")
            .examples(&[("decimal('2').div(decimal('3'), 2, 'down')", "decimal('0.66')")]),
        Function::with("decimal.div(int, int, string) -> decimal", MODE_3, div_as)
            .fails(DIVIDES)
            .doc("The same, by a whole number.")
            .examples(&[("decimal('2').div(3, 2, 'up')", "decimal('0.67')")]),
        Function::new("decimal.scale() -> int", scale)
            .doc("The digits behind the point.")
            .examples(&[("decimal('1.50').scale()", "2")]),
        Function::new("decimal.precision() -> int", precision)
            .doc("All digits, without leading zeros.")
            .examples(&[("decimal('-1.50').precision()", "3")]),
        Function::new("decimal.unscaled() -> int", unscaled)
            .fails(&["int_overflow"])
            .doc("The digits as a whole number: euros to cents, behind `round(2)`.")
            .examples(&[("decimal('12.5').round(2).unscaled()", "1250")]),
        Function::new("decimal.strip() -> decimal", strip)
            .doc("The same number without zeros at the end of its fraction.")
            .examples(&[("string(decimal('1.500').strip())", "'1.5'")]),
        Function::new("math.abs(decimal) -> decimal", abs)
            .fails(OVERFLOW)
            .doc("The number without its sign.")
            .examples(&[("math.abs(decimal('-1.5'))", "decimal('1.5')")]),
        Function::new("math.sign(decimal) -> int", sign)
            .doc("-1, 0 or 1.")
            .examples(&[("math.sign(decimal('-0.01'))", "-1")]),
    ],
};

fn mode(text: &Const) -> std::result::Result<Prepared, Unfit> {
    let Const::Str(text) = text else {
        return Ok(Prepared::Good);
    };
    match Rounding::named(text) {
        Some(mode) => Ok(Prepared::Rounding(mode)),
        None => Err(Unfit {
            code: "bad_constant",
            message: format!("\"{text}\" is not a rounding mode"),
            help: "it is one of half_up, half_even, half_down, up, down, ceiling, floor, exact",
        }),
    }
}

/// The mode of a call.
fn chosen(text: &str, prepared: Option<&Prepared>) -> Result<Rounding> {
    match prepared {
        Some(Prepared::Rounding(mode)) => Ok(*mode),
        _ => Rounding::named(text).ok_or_else(|| {
            EvalFault::new(
                "bad_argument",
                "a text is not a rounding mode such as half_up",
            )
        }),
    }
}

fn digits(scale: i64) -> Result<i32> {
    i32::try_from(scale)
        .ok()
        .filter(|scale| scale.unsigned_abs() <= SCALE_MAX)
        .ok_or_else(|| {
            let message = format!("a number of digits is outside of -{SCALE_MAX} to {SCALE_MAX}");
            EvalFault::new("bad_argument", message)
        })
}

/// A decimal in the arena; a digit that `exact` would lose is a fault of the argument.
fn exact<'a>(
    run: &Run<'_, 'a>,
    value: std::result::Result<Decimal, crate::codec::decimal::DecimalFault>,
) -> Result<Val<'a>> {
    use crate::codec::decimal::DecimalFault;
    match value {
        Err(DecimalFault::Inexact) => Err(EvalFault::new(
            "bad_argument",
            "a digit would be lost, and the rounding mode is exact",
        )),
        value => run.decimal(value),
    }
}

fn from_double<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Double(v)] = args else {
        return Err(mismatch(args));
    };
    if !v.is_finite() {
        return Err(EvalFault::new("bad_number", "a double is not a number"));
    }
    let mut text = bumpalo::collections::String::with_capacity_in(32, run.cx.bump);
    let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{v:e}"));
    run.decimal(Decimal::parse(&text))
}

fn from_unscaled<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Int(unscaled), Val::Int(scale)] = args else {
        return Err(mismatch(args));
    };
    let scale = digits(*scale).and_then(|scale| {
        u32::try_from(scale).map_err(|_| EvalFault::new("bad_argument", "a scale is negative"))
    })?;
    run.decimal(Ok(Decimal::new((*unscaled).into(), scale)))
}

fn round<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Decimal(v), Val::Int(scale)] = args else {
        return Err(mismatch(args));
    };
    exact(run, v.round_to(digits(*scale)?, Rounding::HalfEven))
}

fn round_as<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [Val::Decimal(v), Val::Int(scale), Val::Str(mode)] = args else {
        return Err(mismatch(args));
    };
    exact(run, v.round_to(digits(*scale)?, chosen(mode, prepared)?))
}

fn div<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [a, b, scale] = args else {
        return Err(mismatch(args));
    };
    quotient(run, [*a, *b, *scale], Rounding::HalfEven)
}

fn div_as<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [a, b, scale, Val::Str(mode)] = args else {
        return Err(mismatch(args));
    };
    quotient(run, [*a, *b, *scale], chosen(mode, prepared)?)
}

fn quotient<'a>(run: &Run<'_, 'a>, args: [Val<'a>; 3], mode: Rounding) -> Result<Val<'a>> {
    let [Val::Decimal(a), b, Val::Int(scale)] = args else {
        return Err(mismatch(&args));
    };
    let b = match b {
        Val::Decimal(b) => *b,
        b => whole(b).ok_or_else(|| mismatch(&args))?,
    };
    let scale = u32::try_from(digits(scale)?)
        .map_err(|_| EvalFault::new("bad_argument", "a scale is negative"))?;
    exact(run, a.div_round(b, scale, mode))
}

fn scale<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Decimal(v)] => Ok(Val::Int(v.scale.into())),
        other => Err(mismatch(other)),
    }
}

fn precision<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Decimal(v)] => Ok(Val::Int(v.digits().into())),
        other => Err(mismatch(other)),
    }
}

fn unscaled<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Decimal(v)] => i64::try_from(v.unscaled)
            .map(Val::Int)
            .map_err(|_| super::super::eval::int_overflow()),
        other => Err(mismatch(other)),
    }
}

fn strip<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Decimal(v)] => run.decimal(Ok(v.stripped())),
        other => Err(mismatch(other)),
    }
}

fn abs<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Decimal(v)] if v.unscaled < 0 => run.decimal(v.neg()),
        [v @ Val::Decimal(_)] => Ok(*v),
        other => Err(mismatch(other)),
    }
}

fn sign<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Decimal(v)] => Ok(Val::Int(v.unscaled.signum() as i64)),
        other => Err(mismatch(other)),
    }
}
