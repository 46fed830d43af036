//! Decimals as text.

use std::fmt;

use super::{Decimal, DecimalFault, Result, SCALE_MAX, scale_up};

impl Decimal {
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
}

fn exponent(text: &[u8]) -> Result<i64> {
    let text = std::str::from_utf8(text).map_err(|_| DecimalFault::Syntax)?;
    match text.parse::<i64>() {
        Ok(exponent) if exponent.unsigned_abs() <= u64::from(SCALE_MAX) => Ok(exponent),
        Ok(_) => Err(DecimalFault::Overflow),
        Err(_) => Err(DecimalFault::Syntax),
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
