//! Exact decimals of up to 38 digits. Nothing here rounds unless its name says so; what does not fit is an error.

mod round;
mod text;

use std::cmp::Ordering;

pub use round::Rounding;

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

#[cfg(test)]
mod tests;
