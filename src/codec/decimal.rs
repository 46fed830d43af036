//! Exact decimals of up to 38 digits. Nothing here rounds unless its name says so; what does not fit is an error.

use std::cmp::Ordering;
use std::fmt;

/// An exact decimal number, `unscaled * 10^-scale`. Equality and order are those of the number: 1.0 equals 1.00.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// The digits, signed.
    pub unscaled: i128,
    /// Digits after the point.
    pub scale: u32,
}

/// Why an operation on decimals has no exact result here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalFault {
    /// The result needs more than 128 bits.
    #[error("the result has more than 38 digits")]
    Overflow,
    /// The target scale would cut digits off.
    #[error("the target has fewer digits after the point than the value")]
    Inexact,
    /// The text is not a decimal number.
    #[error("not a decimal number")]
    Syntax,
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
}

impl DecimalFault {
    /// The reason code: `decimal_overflow`, `unrepresentable` or `division_by_zero`.
    pub fn reason(self) -> &'static str {
        match self {
            DecimalFault::Overflow => "decimal_overflow",
            DecimalFault::Inexact | DecimalFault::Syntax => "unrepresentable",
            DecimalFault::DivisionByZero => "division_by_zero",
        }
    }
}

type Result<T> = std::result::Result<T, DecimalFault>;

/// What becomes of digits that do not fit a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
    /// To the larger number.
    Ceiling,
    /// To the smaller number.
    Floor,
    /// To the nearest number, a tie away from zero.
    HalfUp,
    /// To the nearest number, a tie towards zero.
    HalfDown,
    /// To the nearest number, a tie to the even digit.
    HalfEven,
    /// They must be zeros.
    Exact,
}

impl Rounding {
    /// The mode of a name: `half_up`.
    pub fn named(name: &str) -> Option<Rounding> {
        Some(match name {
            "up" => Rounding::Up,
            "down" => Rounding::Down,
            "ceiling" => Rounding::Ceiling,
            "floor" => Rounding::Floor,
            "half_up" => Rounding::HalfUp,
            "half_down" => Rounding::HalfDown,
            "half_even" => Rounding::HalfEven,
            "exact" => Rounding::Exact,
            _ => return None,
        })
    }

    /// Whether to step away from zero: `rest` is how what is cut off compares with a half, `None` if it is nothing.
    fn steps(self, rest: Option<Ordering>, is_odd: bool, is_negative: bool) -> Result<bool> {
        let Some(rest) = rest else { return Ok(false) };
        Ok(match self {
            Rounding::Up => true,
            Rounding::Down => false,
            Rounding::Ceiling => !is_negative,
            Rounding::Floor => is_negative,
            Rounding::HalfUp => rest != Ordering::Less,
            Rounding::HalfDown => rest == Ordering::Greater,
            Rounding::HalfEven => rest == Ordering::Greater || rest == Ordering::Equal && is_odd,
            Rounding::Exact => return Err(DecimalFault::Inexact),
        })
    }
}

/// Largest scale that is computed with; further digits cannot be told from zero in 128 bits.
pub const SCALE_MAX: u32 = 1_000;

#[expect(
    clippy::should_implement_trait,
    reason = "the operators cannot say that a result does not exist"
)]
impl Decimal {
    /// The number `unscaled * 10^-scale`.
    pub const fn new(unscaled: i128, scale: u32) -> Decimal {
        Decimal { unscaled, scale }
    }

    /// Reads `-12.50`, `+3`, `.5`, `1e3`, `2.5E-3`. Digits after the point are kept as written.
    pub fn parse(text: &str) -> Result<Decimal> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (digits, exponent) = match digits.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&digits[..at], exponent(&digits[at + 1..])?),
            None => (digits, 0),
        };
        let (mut unscaled, mut scale, mut seen, mut point) = (0i128, 0i64, false, false);
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    scale += i64::from(point);
                    // Built downwards, because the smallest i128 has no positive twin.
                    unscaled = unscaled
                        .checked_mul(10)
                        .and_then(|u| u.checked_sub(i128::from(byte - b'0')))
                        .ok_or(DecimalFault::Overflow)?;
                }
                b'.' if !point => point = true,
                _ => return Err(DecimalFault::Syntax),
            }
        }
        if !seen {
            return Err(DecimalFault::Syntax);
        }
        let unscaled = if negative {
            unscaled
        } else {
            unscaled.checked_neg().ok_or(DecimalFault::Overflow)?
        };
        let scale = scale - exponent;
        if scale >= 0 {
            let scale = u32::try_from(scale)
                .ok()
                .filter(|s| *s <= SCALE_MAX)
                .ok_or(DecimalFault::Overflow)?;
            Ok(Decimal { unscaled, scale })
        } else {
            let shift = u32::try_from(-scale).map_err(|_| DecimalFault::Overflow)?;
            let unscaled = scale_up(unscaled, shift).ok_or(DecimalFault::Overflow)?;
            Ok(Decimal { unscaled, scale: 0 })
        }
    }

    /// The same number with `scale` digits after the point. `Inexact` if digits other than zero would be cut.
    pub fn rescale(self, scale: u32) -> Result<Decimal> {
        if scale == self.scale {
            return Ok(self);
        }
        let unscaled = if scale >= self.scale {
            scale_up(self.unscaled, scale - self.scale).ok_or(DecimalFault::Overflow)?
        } else {
            match power(self.scale - scale) {
                Some(divisor) if self.unscaled % divisor == 0 => self.unscaled / divisor,
                None if self.unscaled == 0 => 0,
                _ => return Err(DecimalFault::Inexact),
            }
        };
        Ok(Decimal { unscaled, scale })
    }

    /// The nearest number with `scale` digits after the point; a tie goes to the even digit (as SQL servers and
    /// Java's `HALF_EVEN` do, without a drift over many values).
    pub fn round_half_even(self, scale: u32) -> Result<Decimal> {
        self.round(scale, |quotient, twice, divisor| {
            match twice.cmp(&divisor) {
                Ordering::Less => false,
                Ordering::Greater => true,
                Ordering::Equal => quotient % 2 != 0,
            }
        })
    }

    /// The nearest number with `scale` digits after the point; a tie goes away from zero (commercial rounding).
    pub fn round_half_up(self, scale: u32) -> Result<Decimal> {
        self.round(scale, |_, twice, divisor| twice >= divisor)
    }

    /// The number with the digits after `scale` cut off (towards zero).
    pub fn truncate(self, scale: u32) -> Result<Decimal> {
        self.round(scale, |_, _, _| false)
    }

    /// `away(quotient, 2 * |remainder|, divisor)` says whether to step away from zero.
    fn round(self, scale: u32, away: impl Fn(i128, u128, u128) -> bool) -> Result<Decimal> {
        if scale >= self.scale {
            return self.rescale(scale);
        }
        let Some(divisor) = power(self.scale - scale) else {
            // More digits are cut than the number has: it is below half of the last digit that stays.
            return Ok(Decimal { unscaled: 0, scale });
        };
        let (quotient, rest) = (self.unscaled / divisor, self.unscaled % divisor);
        let step = away(quotient, rest.unsigned_abs() * 2, divisor.unsigned_abs());
        let unscaled = if step {
            quotient + self.unscaled.signum()
        } else {
            quotient
        };
        Ok(Decimal { unscaled, scale })
    }

    /// Exact sum, with the larger scale.
    pub fn add(self, other: Decimal) -> Result<Decimal> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.rescale(scale)?, other.rescale(scale)?);
        let unscaled = a
            .unscaled
            .checked_add(b.unscaled)
            .ok_or(DecimalFault::Overflow)?;
        Ok(Decimal { unscaled, scale })
    }

    /// Exact difference, with the larger scale.
    pub fn sub(self, other: Decimal) -> Result<Decimal> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.rescale(scale)?, other.rescale(scale)?);
        let unscaled = a
            .unscaled
            .checked_sub(b.unscaled)
            .ok_or(DecimalFault::Overflow)?;
        Ok(Decimal { unscaled, scale })
    }

    /// Exact product, with the sum of the scales.
    pub fn mul(self, other: Decimal) -> Result<Decimal> {
        let unscaled = self
            .unscaled
            .checked_mul(other.unscaled)
            .ok_or(DecimalFault::Overflow)?;
        let scale = self.scale + other.scale;
        if scale > SCALE_MAX {
            Err(DecimalFault::Overflow)
        } else {
            Ok(Decimal { unscaled, scale })
        }
    }

    /// The number with `scale` digits after the point; a negative scale rounds before the point.
    pub fn round_to(self, scale: i32, mode: Rounding) -> Result<Decimal> {
        let kept = scale.max(0).unsigned_abs();
        let cut = i64::from(self.scale) - i64::from(scale);
        let Ok(cut @ 1..) = u32::try_from(cut) else {
            return self.rescale(kept);
        };
        let (quotient, rest) = match power(cut) {
            Some(divisor) => {
                let (quotient, rest) = (self.unscaled / divisor, self.unscaled % divisor);
                (quotient, half(rest.unsigned_abs(), divisor.unsigned_abs()))
            }
            // More digits are cut than the number has: it is below half of the last digit that stays.
            None => (0, (self.unscaled != 0).then_some(Ordering::Less)),
        };
        let is_negative = self.unscaled < 0;
        let step = mode.steps(rest, quotient % 2 != 0, is_negative)?;
        let unscaled = match (step, is_negative) {
            (false, _) => quotient,
            (true, false) => quotient + 1,
            (true, true) => quotient - 1,
        };
        let zeros = scale.min(0).unsigned_abs();
        let unscaled = scale_up(unscaled, zeros).ok_or(DecimalFault::Overflow)?;
        Ok(Decimal {
            unscaled,
            scale: kept,
        })
    }

    /// Quotient with `scale` digits after the point, ties to even.
    pub fn div(self, other: Decimal, scale: u32) -> Result<Decimal> {
        self.div_round(other, scale, Rounding::HalfEven)
    }

    /// Quotient with `scale` digits after the point.
    pub fn div_round(self, other: Decimal, scale: u32, mode: Rounding) -> Result<Decimal> {
        if other.unscaled == 0 {
            return Err(DecimalFault::DivisionByZero);
        }
        // a * 10^-sa / (b * 10^-sb) = (a * 10^(scale + sb - sa)) / b * 10^-scale
        let shift = i64::from(scale) + i64::from(other.scale) - i64::from(self.scale);
        let is_negative = (self.unscaled < 0) != (other.unscaled < 0);
        let (a, b) = (self.unscaled.unsigned_abs(), other.unscaled.unsigned_abs());
        let (mut quotient, rest) = match u32::try_from(shift) {
            Ok(digits) => long_division(a, b, digits)?,
            Err(_) => {
                let zeros = u32::try_from(-shift).map_err(|_| DecimalFault::Overflow)?;
                match 10_u128
                    .checked_pow(zeros)
                    .and_then(|zeros| b.checked_mul(zeros))
                {
                    Some(b) => (a / b, half(a % b, b)),
                    // The divisor is larger than any number that is written with 128 bits, and than its double.
                    None => (0, (a != 0).then_some(Ordering::Less)),
                }
            }
        };
        if mode.steps(rest, quotient % 2 != 0, is_negative)? {
            quotient = quotient.checked_add(1).ok_or(DecimalFault::Overflow)?;
        }
        let unscaled = match is_negative {
            true => 0_i128.checked_sub_unsigned(quotient),
            false => i128::try_from(quotient).ok(),
        };
        let unscaled = unscaled.ok_or(DecimalFault::Overflow)?;
        Ok(Decimal { unscaled, scale })
    }

    /// The same number without zeros at the end of its fraction.
    pub fn stripped(self) -> Decimal {
        let mut stripped = self;
        while stripped.scale > 0 && stripped.unscaled % 10 == 0 {
            stripped = match stripped.unscaled {
                0 => Decimal::new(0, 0),
                unscaled => Decimal::new(unscaled / 10, stripped.scale - 1),
            };
        }
        stripped
    }

    /// The negated number.
    pub fn neg(self) -> Result<Decimal> {
        let unscaled = self.unscaled.checked_neg().ok_or(DecimalFault::Overflow)?;
        Ok(Decimal {
            unscaled,
            scale: self.scale,
        })
    }

    /// Number of decimal digits of the unscaled value; 1 for zero.
    #[inline]
    pub fn digits(self) -> u32 {
        let number = self.unscaled.unsigned_abs();
        let log = match u64::try_from(number) {
            Ok(short) => short.checked_ilog10(),
            Err(_) => number.checked_ilog10(),
        };
        log.unwrap_or(0) + 1
    }

    /// The number as an integer, if it is one and fits.
    pub fn to_i64(self) -> Option<i64> {
        i64::try_from(self.rescale(0).ok()?.unscaled).ok()
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        // The text road rounds once, correctly; a division of two rounded numbers would round three times.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Reads Avro's and Connect's form: big-endian two's complement. Empty bytes are refused; leading sign bytes are allowed.
    pub fn from_be_bytes(bytes: &[u8], scale: u32) -> Result<Decimal> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Err(DecimalFault::Syntax);
        };
        if rest.len() < 8 {
            let start = i64::from(first as i8);
            let short = rest
                .iter()
                .fold(start, |number, byte| number << 8 | i64::from(*byte));
            return Ok(Decimal::new(short.into(), scale));
        }
        let sign = if first & 0x80 == 0 { 0u8 } else { 0xFF };
        let low = if bytes.len() > 16 {
            let (high, low) = bytes.split_at(bytes.len() - 16);
            if high.iter().any(|b| *b != sign) || (low[0] ^ sign) & 0x80 != 0 {
                return Err(DecimalFault::Overflow);
            }
            low
        } else {
            bytes
        };
        let mut wide = [sign; 16];
        wide[16 - low.len()..].copy_from_slice(low);
        Ok(Decimal {
            unscaled: i128::from_be_bytes(wide),
            scale,
        })
    }

    /// A number whose scale comes with it, as in Debezium's `VariableScaleDecimal`: a negative one means zeros before the
    /// point. A scale beyond [`SCALE_MAX`] is an `Overflow`: it is data, and as text it would be that many digits.
    pub fn from_variable(scale: i64, bytes: &[u8]) -> Result<Decimal> {
        let digits = u32::try_from(scale.unsigned_abs())
            .ok()
            .filter(|digits| *digits <= SCALE_MAX)
            .ok_or(DecimalFault::Overflow)?;
        if scale >= 0 {
            return Decimal::from_be_bytes(bytes, digits);
        }
        let shifted = Decimal::from_be_bytes(bytes, 0)?.rescale(digits)?;
        Ok(Decimal::new(shifted.unscaled, 0))
    }

    /// Big-endian two's complement in the fewest bytes (at least one), as Java's `BigInteger.toByteArray`: the tail of the
    /// returned array from the returned index.
    pub fn to_be_bytes(self) -> ([u8; 16], usize) {
        // All but one of the leading bits that equal the sign can go, in whole bytes.
        let same = (self.unscaled ^ (self.unscaled >> 127)).leading_zeros();
        let start = (same - 1) / 8;
        (self.unscaled.to_be_bytes(), start as usize)
    }
}

fn exponent(text: &[u8]) -> Result<i64> {
    let text = std::str::from_utf8(text).map_err(|_| DecimalFault::Syntax)?;
    match text.parse::<i64>() {
        Ok(exponent) if exponent.unsigned_abs() <= u64::from(SCALE_MAX) => Ok(exponent),
        Ok(_) => Err(DecimalFault::Overflow),
        Err(_) => Err(DecimalFault::Syntax),
    }
}

/// How a remainder compares with half of what it was divided by; `None` for zero.
fn half(rest: u128, divisor: u128) -> Option<Ordering> {
    (rest != 0).then(|| rest.cmp(&(divisor - rest)))
}

/// `a * 10^digits / b`, digit by digit, because the product may not fit; and how the rest compares with a half.
fn long_division(a: u128, b: u128, digits: u32) -> Result<(u128, Option<Ordering>)> {
    let (mut quotient, mut rest) = (a / b, a % b);
    for done in 0..digits {
        if rest == 0 {
            let zeros = 10_u128.checked_pow(digits - done);
            let quotient = match quotient {
                0 => Some(0),
                quotient => zeros.and_then(|zeros| quotient.checked_mul(zeros)),
            };
            return Ok((quotient.ok_or(DecimalFault::Overflow)?, None));
        }
        let digit;
        (digit, rest) = next_digit(rest, b);
        quotient = quotient
            .checked_mul(10)
            .and_then(|quotient| quotient.checked_add(digit))
            .ok_or(DecimalFault::Overflow)?;
    }
    Ok((quotient, half(rest, b)))
}

/// `10 * rest / b` and what is left. Both are at most 2^127, so the sum of two remainders fits where ten times one does not.
fn next_digit(rest: u128, b: u128) -> (u128, u128) {
    if let Some(next) = rest.checked_mul(10) {
        return (next / b, next % b);
    }
    let (mut digit, mut left) = (0, 0);
    for _ in 0..10 {
        left += rest;
        if left >= b {
            left -= b;
            digit += 1;
        }
    }
    (digit, left)
}

/// `10^exponent`, if it fits.
fn power(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

fn scale_up(number: i128, digits: u32) -> Option<i128> {
    if number == 0 {
        Some(0)
    } else {
        number.checked_mul(power(digits)?)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        if self.scale == other.scale {
            return self.unscaled.cmp(&other.unscaled);
        }
        if self.scale > other.scale {
            return other.cmp(self).reverse();
        }
        // Ours has fewer digits after the point. If it does not fit with as many as the other has, it is the larger in magnitude.
        match scale_up(self.unscaled, other.scale - self.scale) {
            Some(unscaled) => unscaled.cmp(&other.unscaled),
            None if self.unscaled < 0 => Ordering::Less,
            None => Ordering::Greater,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.unsigned_abs().to_string();
        let scale = self.scale as usize;
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if scale == 0 {
            write!(f, "{sign}{digits}")
        } else if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            write!(f, "{sign}{whole}.{fraction}")
        } else {
            // Not with the formatter's width, which ends the thread where it is above 65 535.
            write!(f, "{sign}0.")?;
            let mut zeros = scale - digits.len();
            while zeros > 0 {
                let some = zeros.min(ZEROS.len());
                f.write_str(&ZEROS[..some])?;
                zeros -= some;
            }
            f.write_str(&digits)
        }
    }
}

const ZEROS: &str = "00000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn text_is_kept_exactly() {
        for text in [
            "0",
            "-0.01",
            "137.50",
            "170141183460469231731687303715884105727",
            "-170141183460469231731687303715884105728",
            "0.000",
        ] {
            assert_eq!(d(text).to_string(), text);
        }
        assert_eq!(d("1.5e3").to_string(), "1500");
        assert_eq!(d("15E-4").to_string(), "0.0015");
        assert_eq!(d(".5").to_string(), "0.5");
        for wrong in [
            "",
            ".",
            "-",
            "1.2.3",
            "1e",
            "e1",
            "0x1",
            "1 ",
            "1e999999",
            "170141183460469231731687303715884105728",
        ] {
            assert!(Decimal::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_scale_out_of_the_data_is_bounded_and_its_text_ends_no_thread() {
        let variable = |scale: i64| Decimal::from_variable(scale, &[1]);
        assert_eq!(variable(2).unwrap().to_string(), "0.01");
        assert_eq!(variable(-2).unwrap().to_string(), "100");
        let most = variable(i64::from(SCALE_MAX)).unwrap().to_string();
        assert_eq!(most, format!("0.{}1", "0".repeat(SCALE_MAX as usize - 1)));
        for scale in [
            1_001,
            65_536,
            i64::from(i32::MAX),
            i64::MAX,
            -39,
            -1_001,
            i64::MIN,
        ] {
            assert_eq!(variable(scale), Err(DecimalFault::Overflow), "{scale}");
        }
        // Zero has no digits that a shift could lose.
        assert_eq!(Decimal::from_variable(-39, &[0]).unwrap().to_string(), "0");
        let text = Decimal::new(-1, 70_000).to_string();
        assert_eq!(text.len(), "-0.".len() + 70_000);
        assert!(
            text.starts_with("-0.000") && text.ends_with("001"),
            "zeros before the digit"
        );
    }

    #[test]
    fn nothing_is_rounded_silently() {
        assert_eq!(d("1.50").rescale(1).unwrap().to_string(), "1.5");
        assert_eq!(d("1.55").rescale(1), Err(DecimalFault::Inexact));
        assert_eq!(d("1").rescale(39), Err(DecimalFault::Overflow));
        assert_eq!(
            d("0").rescale(39).unwrap().to_string(),
            format!("0.{}", "0".repeat(39))
        );
        assert_eq!(d("2.5").round_half_even(0).unwrap().to_string(), "2");
        assert_eq!(d("-2.5").round_half_up(0).unwrap().to_string(), "-3");
        assert_eq!(d("-2.9").truncate(0).unwrap().to_string(), "-2");
        assert_eq!(d("10").div(d("3"), 4).unwrap().to_string(), "3.3333");
        assert_eq!(d("-1").div(d("8"), 2).unwrap().to_string(), "-0.12");
        assert_eq!(d("1").div(d("0.00"), 2), Err(DecimalFault::DivisionByZero));
        assert_eq!(
            Decimal::new(i128::MAX, 0).mul(d("2")),
            Err(DecimalFault::Overflow)
        );
        assert_eq!(
            Decimal::new(i128::MIN, 0).neg(),
            Err(DecimalFault::Overflow)
        );
        assert_eq!(
            Decimal::new(i128::MIN, 0).div(d("-1"), 0),
            Err(DecimalFault::Overflow)
        );
    }

    #[test]
    fn every_mode_rounds_as_its_name_says() {
        use Rounding::{Ceiling, Down, Exact, Floor, HalfDown, HalfEven, HalfUp, Up};
        // As the table in the documentation of Java's `RoundingMode`.
        for (mode, rounded) in [
            (Up, ["6", "3", "2", "2", "1", "-1", "-2", "-2", "-3", "-6"]),
            (
                Down,
                ["5", "2", "1", "1", "1", "-1", "-1", "-1", "-2", "-5"],
            ),
            (
                Ceiling,
                ["6", "3", "2", "2", "1", "-1", "-1", "-1", "-2", "-5"],
            ),
            (
                Floor,
                ["5", "2", "1", "1", "1", "-1", "-2", "-2", "-3", "-6"],
            ),
            (
                HalfUp,
                ["6", "3", "2", "1", "1", "-1", "-1", "-2", "-3", "-6"],
            ),
            (
                HalfDown,
                ["5", "2", "2", "1", "1", "-1", "-1", "-2", "-2", "-5"],
            ),
            (
                HalfEven,
                ["6", "2", "2", "1", "1", "-1", "-1", "-2", "-2", "-6"],
            ),
        ] {
            let inputs = [
                "5.5", "2.5", "1.6", "1.1", "1.0", "-1.0", "-1.1", "-1.6", "-2.5", "-5.5",
            ];
            for (input, expected) in inputs.iter().zip(rounded) {
                assert_eq!(
                    d(input).round_to(0, mode).unwrap().to_string(),
                    expected,
                    "{mode:?} {input}"
                );
                let quotient = d(input).div_round(d("1"), 0, mode).unwrap();
                assert_eq!(quotient.to_string(), expected, "{mode:?} {input}");
            }
        }
        assert_eq!(d("1.10").round_to(1, Exact).unwrap().to_string(), "1.1");
        assert_eq!(d("1.11").round_to(1, Exact), Err(DecimalFault::Inexact));
        assert_eq!(
            d("1250").round_to(-2, HalfEven).unwrap().to_string(),
            "1200"
        );
        assert_eq!(
            Decimal::new(1, 500).round_to(2, Up).unwrap().to_string(),
            "0.01"
        );
        assert_eq!(
            Decimal::new(-1, 500)
                .round_to(0, Floor)
                .unwrap()
                .to_string(),
            "-1"
        );
        assert_eq!(
            Decimal::new(1, 0).div_round(Decimal::new(i128::MAX, 0), 40, Up),
            Ok(Decimal::new(59, 40))
        );
        assert_eq!(
            Decimal::new(0, 900).div_round(d("3"), 2, Up),
            Ok(Decimal::new(0, 2))
        );
        assert_eq!(
            d("10000000000000000000000000000000000000")
                .div(d("3"), 0)
                .unwrap()
                .to_string(),
            "3".repeat(37)
        );
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        assert!(d("1.0") == d("1.00"));
        assert!(d("170141183460469231731687303715884105727") > d("0.0000001"));
        assert!(d("-170141183460469231731687303715884105727") < d("0.0000001"));
        assert!(Decimal::new(1, 1000) > d("0"));
    }

    proptest! {
        #[test]
        fn bytes_come_back_and_are_the_fewest(unscaled in any::<i128>(), shift in 0u32..128) {
            let number = Decimal::new(unscaled >> shift, 3);
            let (bytes, start) = number.to_be_bytes();
            let bytes = &bytes[start..];
            prop_assert_eq!(Decimal::from_be_bytes(bytes, 3), Ok(number));
            if bytes.len() > 1 {
                prop_assert!(Decimal::from_be_bytes(&bytes[1..], 3) != Ok(number));
            }
            let mut padded = vec![if number.unscaled < 0 { 0xFF } else { 0 }; 20];
            padded.extend_from_slice(bytes);
            prop_assert_eq!(Decimal::from_be_bytes(&padded, 3), Ok(number));
        }

        #[test]
        fn sums_and_products_agree_with_integers(a in any::<i64>(), b in any::<i64>(), sa in 0u32..6, sb in 0u32..6) {
            let (x, y) = (Decimal::new(a.into(), sa), Decimal::new(b.into(), sb));
            prop_assert_eq!(x.add(y).unwrap().sub(y).unwrap(), x);
            prop_assert_eq!(x.mul(y).unwrap().unscaled, i128::from(a) * i128::from(b));
            prop_assert_eq!(Decimal::parse(&x.to_string()), Ok(x));
            let wide = 10i128.pow(6);
            let (wa, wb) = (i128::from(a) * wide / 10i128.pow(sa), i128::from(b) * wide / 10i128.pow(sb));
            prop_assert_eq!(x.cmp(&y), wa.cmp(&wb));
        }
    }
}
