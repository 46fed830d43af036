//! What rounds: a number to fewer digits, and quotients.

use std::cmp::Ordering;

use super::{Decimal, DecimalFault, Result, power, scale_up};

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

impl Decimal {
    /// The number with the digits after `scale` cut off (towards zero).
    pub fn truncate(self, scale: u32) -> Result<Decimal> {
        self.round_to(i32::try_from(scale).unwrap_or(i32::MAX), Rounding::Down)
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
