//! Exact decimals: rounding, division, digits.

use super::super::eval::{Result, Run, mismatch};
use super::super::proof::Number;
use super::super::value::whole;
use super::super::{Const, EvalFault};
use super::convert::number;
use super::math::magnitude;
use super::needs::{Fails, Given, Gives, Need, Of};
use super::prepared::Prepared;
use super::{Family, Function, Prepare, Unfit};
use crate::codec::decimal::{Rounding, SCALE_MAX};
use crate::codec::{Decimal, Val};

/// Digits behind the point that a function can be asked for.
const DIGITS_MAX: i64 = SCALE_MAX as i64;
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
            .needs(&[Need("bad_argument", Of::Whole(1, 0, DIGITS_MAX))]).gives(Gives::Number(shifted))
            .doc("The digits of a whole number with so many of them behind the point: cents to euros.")
            .examples(&[("decimal(1250, 2)", "decimal('12.50')")]),
        Function::new("decimal.round(int) -> decimal", round)
            .fails(ROUNDS)
            .needs(&[Need("bad_argument", Of::Whole(1, -DIGITS_MAX, DIGITS_MAX)), Need("decimal_overflow", Of::Together(round_overflows))]).gives(Gives::Number(rounded))
            .doc("The number with so many digits behind the point, a tie to the even digit; a negative number rounds before the point.")
            .examples(&[("string(decimal('2.345').round(2))", "'2.34'"), ("decimal('1234').round(-2)", "decimal('1200')")]),
        Function::with("decimal.round(int, string) -> decimal", MODE_2, round_as)
            .fails(ROUNDS)
            .needs(&[Need("bad_argument", Of::Whole(1, -DIGITS_MAX, DIGITS_MAX)), Need("decimal_overflow", Of::Together(round_overflows)), Need("bad_argument", Of::Constant(2)), Need("bad_argument", Of::Together(round_is_exact))]).gives(Gives::Number(rounded))
            .doc("The number with so many digits behind the point, rounded as a mode says.")
            .examples(&[
                ("decimal('2.345').round(2, 'half_up')", "decimal('2.35')"),
                ("decimal('-2.341').round(2, 'floor')", "decimal('-2.35')"),
                ("decimal('2.345').round(2, 'exact')", "fails bad_argument"),
            ]),
        Function::new("decimal.div(decimal, int) -> decimal", div)
            .fails(DIVIDES)
            .needs(&[Need("bad_argument", Of::Whole(2, 0, DIGITS_MAX)), Need("division_by_zero", Of::NonZero(1)), Need("decimal_overflow", Of::Together(quotient_overflows))]).gives(Gives::Number(quotients))
            .doc("The quotient with so many digits behind the point, a tie to the even digit.")
            .examples(&[("decimal('10').div(decimal('3'), 4)", "decimal('3.3333')"), ("decimal('1').div(decimal('0'), 2)", "fails division_by_zero")]),
        Function::new("decimal.div(int, int) -> decimal", div)
            .fails(DIVIDES)
            .needs(&[Need("bad_argument", Of::Whole(2, 0, DIGITS_MAX)), Need("division_by_zero", Of::NonZero(1)), Need("decimal_overflow", Of::Together(quotient_overflows))]).gives(Gives::Number(quotients))
            .doc("The same, by a whole number.")
            .examples(&[("decimal('10').div(4, 1)", "decimal('2.5')")]),
        Function::with("decimal.div(decimal, int, string) -> decimal", MODE_3, div_as)
            .fails(DIVIDES)
            .needs(&[Need("bad_argument", Of::Whole(2, 0, DIGITS_MAX)), Need("division_by_zero", Of::NonZero(1)), Need("decimal_overflow", Of::Together(quotient_overflows)), Need("bad_argument", Of::Constant(3)), Need("bad_argument", Of::Together(is_rounded))]).gives(Gives::Number(quotients))
            .doc("The quotient, rounded as a mode says.")
            .examples(&[("decimal('2').div(decimal('3'), 2, 'down')", "decimal('0.66')")]),
        Function::with("decimal.div(int, int, string) -> decimal", MODE_3, div_as)
            .fails(DIVIDES)
            .needs(&[Need("bad_argument", Of::Whole(2, 0, DIGITS_MAX)), Need("division_by_zero", Of::NonZero(1)), Need("decimal_overflow", Of::Together(quotient_overflows)), Need("bad_argument", Of::Constant(3)), Need("bad_argument", Of::Together(is_rounded))]).gives(Gives::Number(quotients))
            .doc("The same, by a whole number.")
            .examples(&[("decimal('2').div(3, 2, 'up')", "decimal('0.67')")]),
        Function::new("decimal.scale() -> int", scale)
            .gives(Gives::Number(scales))
            .doc("The digits behind the point.")
            .examples(&[("decimal('1.50').scale()", "2")]),
        Function::new("decimal.precision() -> int", precision)
            .gives(Gives::Whole(1, 39))
            .doc("All digits, without leading zeros.")
            .examples(&[("decimal('-1.50').precision()", "3")]),
        Function::new("decimal.unscaled() -> int", unscaled)
            .fails(&["int_overflow"])
            .needs(&[Need("int_overflow", Of::Together(unscaled_overflows))]).gives(Gives::Number(digits_of))
            .doc("The digits as a whole number: euros to cents, behind `round(2)`.")
            .examples(&[("decimal('12.5').round(2).unscaled()", "1250")]),
        Function::new("decimal.strip() -> decimal", strip)
            .gives(Gives::Number(number))
            .doc("The same number without zeros at the end of its fraction.")
            .examples(&[("string(decimal('1.500').strip())", "'1.5'")]),
        Function::new("math.abs(decimal) -> decimal", abs)
            .fails(OVERFLOW)
            .needs(&[Need("decimal_overflow", Of::Together(has_opposite))]).gives(Gives::Number(magnitude))
            .doc("The number without its sign.")
            .examples(&[("math.abs(decimal('-1.5'))", "decimal('1.5')")]),
        Function::new("math.sign(decimal) -> int", sign)
            .gives(Gives::Whole(-1, 1))
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
            help: "it is one of half_up, half_even, half_down, up, down, ceiling, floor, exact"
                .into(),
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

// === what the proof knows ===

fn unless(fits: bool) -> Fails {
    match fits {
        true => Fails::Never,
        false => Fails::Perhaps,
    }
}

/// The mode of a call; `None` if it is not a constant.
fn mode_of(given: &Given, at: usize) -> Option<Rounding> {
    match (given.prepared(), given.node(at)) {
        (Some(Prepared::Rounding(mode)), _) => Some(*mode),
        (_, None) => Some(Rounding::HalfEven),
        _ => None,
    }
}

/// The digits that a call asks for, if they are known.
fn asked(given: &Given, at: usize) -> Option<i32> {
    let digits = given
        .whole(at)
        .filter(|digits| (-DIGITS_MAX..=DIGITS_MAX).contains(digits))?;
    i32::try_from(digits).ok()
}

/// The bounds, rounded outwards.
fn rounded_bounds(of: &Number, scale: i32, mode: Option<Rounding>) -> Option<Number> {
    let kept = scale.max(0).unsigned_abs();
    if scale >= 0 && kept >= of.scale {
        return of.at(kept);
    }
    let cut = u32::try_from(i64::from(of.scale) - i64::from(scale)).ok()?;
    let (low, high) = match 10_i128.checked_pow(cut) {
        Some(unit) => {
            let up = i128::from(of.high.rem_euclid(unit) != 0);
            (of.low.div_euclid(unit), of.high.div_euclid(unit) + up)
        }
        // All digits are cut: what is left is less than a half.
        None if is_to_nearest(mode) => (0, 0),
        None => (of.low.signum().min(0), of.high.signum().max(0)),
    };
    let zeros = scale.min(0).unsigned_abs();
    let scaled = |bound: i128| match bound {
        0 => Some(0),
        bound => bound.checked_mul(10_i128.checked_pow(zeros)?),
    };
    Some(Number {
        low: scaled(low)?,
        high: scaled(high)?,
        scale: kept,
        zero: true,
    })
}

fn is_to_nearest(mode: Option<Rounding>) -> bool {
    matches!(
        mode,
        Some(Rounding::HalfEven | Rounding::HalfUp | Rounding::HalfDown)
    )
}

/// All numbers with so many digits behind the point.
fn with_digits(digits: i32) -> Number {
    Number {
        low: i128::MIN,
        high: i128::MAX,
        scale: digits.max(0).unsigned_abs(),
        zero: true,
    }
}

fn rounded(given: &Given) -> Option<Number> {
    let digits = asked(given, 1)?;
    let bounds = given
        .number(0)
        .and_then(|of| rounded_bounds(&of, digits, mode_of(given, 2)));
    Some(bounds.unwrap_or(with_digits(digits)))
}

fn round_overflows(given: &Given) -> Fails {
    let bounds = given.number(0).zip(asked(given, 1));
    let bounds = bounds.and_then(|(of, digits)| rounded_bounds(&of, digits, mode_of(given, 2)));
    unless(bounds.is_some())
}

/// `exact` loses no digits that are not there.
fn round_is_exact(given: &Given) -> Fails {
    match mode_of(given, 2) {
        None => Fails::Perhaps,
        Some(Rounding::Exact) => {
            let bounds = given.number(0).zip(asked(given, 1));
            unless(bounds.is_some_and(|(of, digits)| i64::from(of.scale) <= i64::from(digits)))
        }
        Some(_) => Fails::Never,
    }
}

fn is_rounded(given: &Given) -> Fails {
    unless(mode_of(given, 3).is_some_and(|mode| mode != Rounding::Exact))
}

/// The largest quotient is that by the least divisor.
fn quotient_bounds(given: &Given) -> Option<Number> {
    let (a, b, scale) = (given.number(0)?, given.number(1)?, asked(given, 2)?);
    let scale = u32::try_from(scale).ok()?;
    let least = match (b.low > 0, b.high < 0) {
        (true, _) => b.low.unsigned_abs(),
        (_, true) => b.high.unsigned_abs(),
        _ => 1,
    };
    let most = a.low.unsigned_abs().max(a.high.unsigned_abs());
    let shift = i64::from(scale) + i64::from(b.scale) - i64::from(a.scale);
    let power = 10_u128.checked_pow(u32::try_from(shift.abs()).ok()?);
    let most = match (shift >= 0, power) {
        (true, power) => most.checked_mul(power?)? / least,
        (false, power) => power.map_or(0, |power| most / power / least),
    };
    let most = i128::try_from(most.checked_add(1)?).ok()?;
    Some(Number {
        low: if a.low >= 0 && b.low >= 0 { 0 } else { -most },
        high: most,
        scale,
        zero: true,
    })
}

fn quotients(given: &Given) -> Option<Number> {
    let digits = asked(given, 2)?;
    Some(quotient_bounds(given).unwrap_or(with_digits(digits)))
}

fn quotient_overflows(given: &Given) -> Fails {
    unless(quotient_bounds(given).is_some())
}

fn shifted(given: &Given) -> Option<Number> {
    let scale = u32::try_from(asked(given, 1)?).ok()?;
    Some(Number {
        scale,
        ..given.number(0)?
    })
}

fn scales(given: &Given) -> Option<Number> {
    let most = given.number(0).map_or(u32::MAX, |of| of.scale);
    Some(Number::whole(0, most.into()))
}

/// The digits of a number; one that was written with fewer behind the point has a smaller value.
fn digits_of(given: &Given) -> Option<Number> {
    let of = given.number(0)?;
    Some(Number::whole(of.low.min(0), of.high.max(0)))
}

fn unscaled_overflows(given: &Given) -> Fails {
    let all = digits_of(given);
    unless(all.is_some_and(|all| all.is_within(i64::MIN.into(), i64::MAX.into())))
}

fn has_opposite(given: &Given) -> Fails {
    unless(given.number(0).is_some_and(|of| of.low > i128::MIN))
}
