//! Which values an expression can have: intervals of numbers, sets of texts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Const;
use super::super::node::{Arith, Order};

/// The values that something which is not null can have. Always too many rather than too few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing is known.
    Any,
    /// No value at all.
    Empty,
    /// True or false.
    Truth(bool),
    /// Whole numbers and exact decimals.
    Number(Number),
    /// One of these texts.
    Texts(BTreeSet<Arc<str>>),
    /// Texts in which a pattern is found.
    Like(Arc<str>),
}

/// The numbers `n * 10^-scale` with `low <= n <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The least one, without its point.
    pub low: i128,
    /// The greatest one, without its point.
    pub high: i128,
    /// Digits after the point, at most.
    pub scale: u32,
    /// Whether zero, if it lies between them, is one of them.
    pub zero: bool,
}

impl Extent {
    /// What a constant can be.
    pub fn of_const(value: &Const) -> Extent {
        match value {
            Const::Bool(value) => Extent::Truth(*value),
            Const::Int(value) => Extent::Number(Number::from(i128::from(*value))),
            Const::Uint(value) => Extent::Number(Number::from(i128::from(*value))),
            Const::Decimal(value) => Extent::Number(Number {
                scale: value.scale,
                ..Number::from(value.unscaled)
            }),
            Const::Str(text) => Extent::Texts(BTreeSet::from([text.clone()])),
            Const::Null => Extent::Empty,
            _ => Extent::Any,
        }
    }

    /// The number, if it is known to be one.
    pub fn number(&self) -> Option<&Number> {
        match self {
            Extent::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The values of both.
    pub fn meet(&self, other: &Extent) -> Extent {
        match (self, other) {
            (Extent::Any, known) | (known, Extent::Any) => known.clone(),
            (Extent::Number(a), Extent::Number(b)) => a.meet(b).map_or(Extent::Empty, Self::Number),
            (Extent::Texts(a), Extent::Texts(b)) => Self::texts(a.intersection(b).cloned()),
            (Extent::Truth(a), Extent::Truth(b)) if a == b => self.clone(),
            (Extent::Truth(_), Extent::Truth(_)) | (Extent::Empty, _) | (_, Extent::Empty) => {
                Extent::Empty
            }
            // A text and a number: only values that are known at run time are both.
            _ => self.clone(),
        }
    }

    /// The values of either.
    pub fn join(&self, other: &Extent) -> Extent {
        match (self, other) {
            (Extent::Empty, known) | (known, Extent::Empty) => known.clone(),
            (Extent::Number(a), Extent::Number(b)) => a.join(b).map_or(Extent::Any, Self::Number),
            (Extent::Texts(a), Extent::Texts(b)) => Self::texts(a.union(b).cloned()),
            (a, b) if a == b => a.clone(),
            _ => Extent::Any,
        }
    }

    /// Without the values of the other, as far as that can be told.
    pub fn minus(&self, other: &Extent) -> Extent {
        match (self, other) {
            (Extent::Texts(a), Extent::Texts(b)) => Self::texts(a.difference(b).cloned()),
            (Extent::Number(a), Extent::Number(b)) if b.is_one() => {
                a.without(b).map_or(Extent::Empty, Self::Number)
            }
            (Extent::Truth(a), Extent::Truth(b)) if a == b => Extent::Empty,
            _ => self.clone(),
        }
    }

    fn texts(texts: impl Iterator<Item = Arc<str>>) -> Extent {
        let texts: BTreeSet<_> = texts.collect();
        match texts.is_empty() {
            true => Extent::Empty,
            false => Extent::Texts(texts),
        }
    }
}

impl From<i128> for Number {
    fn from(value: i128) -> Number {
        Number {
            low: value,
            high: value,
            scale: 0,
            zero: true,
        }
    }
}

impl Number {
    /// Whole numbers from `low` to `high`.
    pub fn whole(low: i128, high: i128) -> Number {
        Number {
            low,
            high,
            scale: 0,
            zero: true,
        }
    }

    /// Decimals of so many digits, so many of them after the point; `None` if they are more than can be computed with.
    pub fn digits(precision: u32, scale: u32) -> Option<Number> {
        let most = 10_i128.checked_pow(precision)? - 1;
        Some(Number {
            low: -most,
            high: most,
            scale,
            zero: true,
        })
    }

    /// Whether zero is one of them.
    pub fn has_zero(&self) -> bool {
        self.zero && self.low <= 0 && self.high >= 0
    }

    /// Whether all of them are whole numbers from `low` to `high`.
    pub fn is_within(&self, low: i128, high: i128) -> bool {
        match self.cut() {
            Some((least, greatest)) => self.scale == 0 && least >= low && greatest <= high,
            None => false,
        }
    }

    /// The digits before the point that the largest of them has.
    pub fn whole_digits(&self) -> u32 {
        let most = self.low.unsigned_abs().max(self.high.unsigned_abs());
        let whole = 10_u128
            .checked_pow(self.scale)
            .map_or(0, |unit| most / unit);
        if whole == 0 { 0 } else { whole.ilog10() + 1 }
    }

    /// The bounds without what follows the point, towards zero.
    pub fn cut(&self) -> Option<(i128, i128)> {
        let unit = 10_i128.checked_pow(self.scale)?;
        Some((self.low / unit, self.high / unit))
    }

    fn is_one(&self) -> bool {
        self.low == self.high
    }

    /// The same bounds with more digits after the point.
    pub fn at(&self, scale: u32) -> Option<Number> {
        let unit = 10_i128.checked_pow(scale.checked_sub(self.scale)?)?;
        Some(Number {
            low: self.low.checked_mul(unit)?,
            high: self.high.checked_mul(unit)?,
            scale,
            zero: self.zero,
        })
    }

    /// Both with as many digits after the point; `None` if they do not fit 128 bits.
    pub fn both(&self, other: &Number) -> Option<(Number, Number)> {
        let scale = self.scale.max(other.scale);
        Some((self.at(scale)?, other.at(scale)?))
    }

    /// The numbers of both; `None` if there is none.
    fn meet(&self, other: &Number) -> Option<Number> {
        let Some((a, b)) = self.both(other) else {
            return Some(*self);
        };
        let scale = self.scale.min(other.scale);
        let unit = 10_i128.pow(a.scale - scale);
        let low = a.low.max(b.low);
        let high = a.high.min(b.high);
        // Rounded inwards: a whole number above 2.5 is at least 3.
        Number {
            low: low.div_euclid(unit) + i128::from(low.rem_euclid(unit) != 0),
            high: high.div_euclid(unit),
            scale,
            zero: self.zero && other.zero,
        }
        .settled()
    }

    fn join(&self, other: &Number) -> Option<Number> {
        let (a, b) = self.both(other)?;
        Some(Number {
            low: a.low.min(b.low),
            high: a.high.max(b.high),
            scale: a.scale,
            zero: self.has_zero() || other.has_zero(),
        })
    }

    /// Without a single number: one at an end, or zero.
    fn without(&self, one: &Number) -> Option<Number> {
        let Some((mut a, one)) = self.both(one) else {
            return Some(*self);
        };
        if a.scale != self.scale {
            return Some(*self);
        }
        a.zero &= one.low != 0;
        a.low += i128::from(a.low == one.low);
        a.high -= i128::from(a.high == one.low);
        a.settled()
    }

    /// Zero left out at the ends; `None` if nothing is left.
    fn settled(mut self) -> Option<Number> {
        if !self.zero {
            self.low += i128::from(self.low == 0);
            self.high -= i128::from(self.high == 0);
        }
        (self.low <= self.high).then_some(self)
    }

    /// Those of them that stand in an order to one of the other; `None` if none does.
    pub fn bounded(&self, order: Order, other: &Number) -> Option<Number> {
        let Some((a, b)) = self.both(other) else {
            return Some(*self);
        };
        let bound = match order {
            Order::Less => Number {
                low: a.low,
                high: a.high.min(b.high.saturating_sub(1)),
                ..a
            },
            Order::LessOrEqual => Number {
                high: a.high.min(b.high),
                ..a
            },
            Order::Greater => Number {
                low: a.low.max(b.low.saturating_add(1)),
                ..a
            },
            Order::GreaterOrEqual => Number {
                low: a.low.max(b.low),
                ..a
            },
        };
        if bound.low > bound.high {
            return None;
        }
        self.meet(&bound)
    }

    /// What a sum, difference, product, quotient or remainder can be; `None` if it can be anything.
    pub fn arith(op: Arith, left: &Number, right: &Number) -> Option<Number> {
        let hull = |corners: &[Option<i128>], scale| {
            let corners = corners.iter().copied().collect::<Option<Vec<_>>>()?;
            Some(Number {
                low: *corners.iter().min()?,
                high: *corners.iter().max()?,
                scale,
                zero: true,
            })
        };
        match op {
            Arith::Add | Arith::Subtract => {
                let (a, b) = left.both(right)?;
                let (low, high) = match op {
                    Arith::Add => (a.low.checked_add(b.low), a.high.checked_add(b.high)),
                    _ => (a.low.checked_sub(b.high), a.high.checked_sub(b.low)),
                };
                hull(&[low, high], a.scale)
            }
            Arith::Multiply => {
                let (a, b) = (left, right);
                let corners = [
                    a.low.checked_mul(b.low),
                    a.low.checked_mul(b.high),
                    a.high.checked_mul(b.low),
                    a.high.checked_mul(b.high),
                ];
                let product = hull(&corners, a.scale.checked_add(b.scale)?)?;
                Some(Number {
                    zero: a.has_zero() || b.has_zero(),
                    ..product
                })
            }
            Arith::Divide | Arith::Remainder if left.scale > 0 || right.scale > 0 => None,
            Arith::Divide => {
                // The divisors of either sign that are nearest to zero and farthest from it.
                let below = (right.low < 0).then_some([right.low, right.high.min(-1)]);
                let above = (right.high > 0).then_some([right.low.max(1), right.high]);
                let mut corners = Vec::new();
                if right.low == 0 && right.high == 0 {
                    // No quotient at all.
                    return Some(Number::from(0));
                }
                for divisor in below.into_iter().chain(above).flatten() {
                    corners.push(left.low.checked_div(divisor));
                    corners.push(left.high.checked_div(divisor));
                }
                hull(&corners, 0)
            }
            Arith::Remainder => {
                let most = right.low.unsigned_abs().max(right.high.unsigned_abs());
                let most = i128::try_from(most.saturating_sub(1)).ok()?;
                Some(Number::whole(
                    if left.low < 0 {
                        (-most).max(left.low)
                    } else {
                        0
                    },
                    if left.high > 0 {
                        most.min(left.high)
                    } else {
                        0
                    },
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(low: i128, high: i128) -> Number {
        Number::whole(low, high)
    }

    #[test]
    fn every_result_of_small_numbers_lies_within_their_extent() {
        let ranges = [whole(-3, 4), whole(1, 3), whole(-5, -2), whole(0, 0)];
        let mut checked = 0;
        for a in &ranges {
            for b in &ranges {
                for op in [
                    Arith::Add,
                    Arith::Subtract,
                    Arith::Multiply,
                    Arith::Divide,
                    Arith::Remainder,
                ] {
                    for x in a.low..=a.high {
                        for y in b.low..=b.high {
                            let result = match op {
                                Arith::Add => x + y,
                                Arith::Subtract => x - y,
                                Arith::Multiply => x * y,
                                _ if y == 0 => continue,
                                Arith::Divide => x / y,
                                Arith::Remainder => x % y,
                            };
                            let all = Number::arith(op, a, b).unwrap();
                            assert!(
                                all.low <= result && result <= all.high,
                                "{x} {op:?} {y} = {result}, not in {all:?}"
                            );
                            assert!(result != 0 || all.has_zero(), "{x} {op:?} {y}: {all:?}");
                            checked += 1;
                        }
                    }
                }
            }
        }
        assert!(checked > 500);
    }

    #[test]
    fn bounds_of_finer_scale_are_rounded_inwards() {
        let quantity = whole(-10, 10);
        let price = Number {
            scale: 2,
            ..whole(250, 250)
        };
        let above = quantity.bounded(Order::Greater, &price).unwrap();
        assert_eq!((above.low, above.high, above.scale), (3, 10, 0));
        let below = quantity.bounded(Order::Less, &price).unwrap();
        assert_eq!((below.low, below.high), (-10, 2));
        assert_eq!(whole(0, 2).bounded(Order::Greater, &price), None);
    }

    #[test]
    fn zero_is_left_out() {
        let some = Extent::Number(whole(-1, 1)).minus(&Extent::Number(whole(0, 0)));
        assert!(!some.number().unwrap().has_zero());
        let none = Extent::Number(whole(0, 0)).minus(&Extent::Number(whole(0, 0)));
        assert_eq!(none, Extent::Empty);
        let from_one = Extent::Number(whole(0, 9)).minus(&Extent::Number(whole(0, 0)));
        assert_eq!(from_one.number().unwrap().low, 1);
    }

    #[test]
    fn digits_are_counted_before_the_point() {
        assert_eq!(Number::digits(12, 2).unwrap().whole_digits(), 10);
        assert_eq!(whole(-2_147_483_648, 0).whole_digits(), 10);
        assert_eq!(whole(0, 0).whole_digits(), 0);
        assert_eq!(Number::digits(40, 2), None);
    }
}
