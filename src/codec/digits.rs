//! How many digits the bytes of a decimal hold.

use super::Decimal;

/// Bounds of a decimal's digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecimalCheck {
    precision: u32,
    bytes_max: usize,
    /// The bytes of a fixed; 0 for bytes.
    pub(super) size: u32,
    /// `10^precision`, or what no 64 bits reach.
    below: u64,
}

impl DecimalCheck {
    /// Digits in bytes of any length.
    pub(super) fn of(precision: u32) -> DecimalCheck {
        DecimalCheck::new(precision, 0)
    }

    /// Digits in a fixed of `size` bytes; 0 for bytes.
    pub(super) fn new(precision: u32, size: u32) -> DecimalCheck {
        DecimalCheck {
            precision,
            bytes_max: digits_bytes(precision),
            size,
            below: match precision {
                0 => 0,
                _ => 10u64.checked_pow(precision).unwrap_or(u64::MAX),
            },
        }
    }

    /// Whether the bytes from `start` to `end` are digits of it.
    #[inline(always)]
    pub(super) fn accepts(&self, data: &[u8], start: usize, end: usize) -> bool {
        let length = end - start;
        match data[start..].first_chunk::<8>() {
            Some(eight) if matches!(length, 1..=8) => {
                // What follows the digits is shifted out.
                let number = i64::from_be_bytes(*eight) >> (64 - 8 * length);
                number.unsigned_abs() < self.below
            }
            _ => self.accepts_slowly(&data[start..end]),
        }
    }

    #[inline(never)]
    fn accepts_slowly(&self, digits: &[u8]) -> bool {
        match digits {
            [] => false,
            [first, rest @ ..] if rest.len() < 8 => {
                let number = rest.iter().fold(i64::from(*first as i8), |number, byte| {
                    number << 8 | i64::from(*byte)
                });
                number.unsigned_abs() < self.below
            }
            _ => self.accepts_wide(digits),
        }
    }

    fn accepts_wide(&self, digits: &[u8]) -> bool {
        match Decimal::from_be_bytes(digits, 0) {
            Ok(number) => number.digits() <= self.precision,
            // Beyond 128 bits only the length is judged: such a precision is a guess of the converter (64) anyway.
            Err(_) => !digits.is_empty() && self.precision > 38 && digits.len() <= self.bytes_max,
        }
    }
}

/// Bytes of two's complement that hold `precision` digits and a sign.
fn digits_bytes(precision: u32) -> usize {
    (f64::from(precision) * std::f64::consts::LOG2_10 / 8.0).ceil() as usize + 1
}
