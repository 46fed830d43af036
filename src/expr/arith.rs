//! Evaluation of comparisons and arithmetic.

use std::cmp::Ordering;

use bumpalo::collections::Vec as BumpVec;

use super::eval::{Result, Run, mismatch, weight};
use super::node::{Arith, Order};
use super::value::{compare, whole};
use super::{EvalFault, Node, time};
use crate::codec::decimal::DecimalFault;
use crate::codec::{Decimal, Val};

impl<'a> Run<'_, 'a> {
    #[inline(never)]
    pub(super) fn compare(&self, order: Order, operands: &'a [Node; 2]) -> Result<Val<'a>> {
        let (a, b) = self.both(operands)?;
        self.look(weight(a).min(weight(b)))?;
        let Some(ordering) = compare(a, b) else {
            let numbers = |val| matches!(val, Val::Double(_) | Val::Int(_) | Val::Uint(_));
            // NaN is not less and not greater than anything.
            return if numbers(a) && numbers(b) {
                Ok(Val::Bool(false))
            } else {
                Err(mismatch(&[a, b]))
            };
        };
        Ok(Val::Bool(match order {
            Order::Less => ordering == Ordering::Less,
            Order::LessOrEqual => ordering != Ordering::Greater,
            Order::Greater => ordering == Ordering::Greater,
            Order::GreaterOrEqual => ordering != Ordering::Less,
        }))
    }

    #[inline(never)]
    pub(super) fn arith(&self, op: Arith, a: Val<'a>, b: Val<'a>) -> Result<Val<'a>> {
        match (a, b) {
            (Val::Int(a), Val::Int(b)) => int(op, a, b),
            (Val::Uint(a), Val::Uint(b)) => uint(op, a, b),
            (Val::Double(x), Val::Double(y)) => Ok(Val::Double(match op {
                Arith::Add => x + y,
                Arith::Subtract => x - y,
                Arith::Multiply => x * y,
                Arith::Divide => x / y,
                Arith::Remainder => return Err(mismatch(&[a, b])),
            })),
            (Val::Decimal(x), Val::Decimal(y)) => self.decimals(op, *x, *y),
            (Val::Decimal(x), y) if whole(y).is_some() => {
                self.decimals(op, *x, whole(y).unwrap_or(*x))
            }
            (x, Val::Decimal(y)) if whole(x).is_some() => {
                self.decimals(op, whole(x).unwrap_or(*y), *y)
            }
            (Val::Str(a), Val::Str(b)) if op == Arith::Add => self.text(a.len() + b.len(), |out| {
                out.push_str(a);
                out.push_str(b);
            }),
            (Val::Bytes(a), Val::Bytes(b)) if op == Arith::Add => {
                self.spend(a.len() + b.len())?;
                let mut out = BumpVec::with_capacity_in(a.len() + b.len(), self.cx.bump);
                out.extend_from_slice(a);
                out.extend_from_slice(b);
                Ok(Val::Bytes(out.into_bump_slice()))
            }
            (Val::List(a), Val::List(b)) if op == Arith::Add => {
                self.spend((a.len() + b.len()) * size_of::<Val>())?;
                let mut out = BumpVec::with_capacity_in(a.len() + b.len(), self.cx.bump);
                out.extend_from_slice(a);
                out.extend_from_slice(b);
                Ok(Val::List(out.into_bump_slice()))
            }
            _ => times(op, a, b).unwrap_or_else(|| Err(mismatch(&[a, b]))),
        }
    }

    fn decimals(&self, op: Arith, a: Decimal, b: Decimal) -> Result<Val<'a>> {
        match op {
            Arith::Add => self.decimal(a.add(b)),
            Arith::Subtract => self.decimal(a.sub(b)),
            Arith::Multiply => self.decimal(a.mul(b)),
            Arith::Divide | Arith::Remainder => Err(mismatch(&[])),
        }
    }

    /// A decimal in the arena.
    pub fn decimal(&self, value: std::result::Result<Decimal, DecimalFault>) -> Result<Val<'a>> {
        value
            .map(|value| Val::Decimal(self.cx.bump.alloc(value)))
            .map_err(decimal_fault)
    }
}

fn int<'a>(op: Arith, a: i64, b: i64) -> Result<Val<'a>> {
    if b == 0 && matches!(op, Arith::Divide | Arith::Remainder) {
        return Err(division_by_zero());
    }
    let result = match op {
        Arith::Add => a.checked_add(b),
        Arith::Subtract => a.checked_sub(b),
        Arith::Multiply => a.checked_mul(b),
        Arith::Divide => a.checked_div(b),
        Arith::Remainder => a.checked_rem(b),
    };
    result.map(Val::Int).ok_or_else(int_overflow)
}

fn uint<'a>(op: Arith, a: u64, b: u64) -> Result<Val<'a>> {
    if b == 0 && matches!(op, Arith::Divide | Arith::Remainder) {
        return Err(division_by_zero());
    }
    let result = match op {
        Arith::Add => a.checked_add(b),
        Arith::Subtract => a.checked_sub(b),
        Arith::Multiply => a.checked_mul(b),
        Arith::Divide => a.checked_div(b),
        Arith::Remainder => a.checked_rem(b),
    };
    result.map(Val::Uint).ok_or_else(int_overflow)
}

/// Sums and differences of timestamps and durations; `None` if it is neither.
fn times<'a>(op: Arith, a: Val, b: Val) -> Option<Result<Val<'a>>> {
    let nanos = |val| match val {
        Val::Timestamp(seconds, nanos) => Some(time::nanos(seconds, nanos.into())),
        Val::Duration(seconds, nanos) => Some(time::nanos(seconds, nanos.into())),
        _ => None,
    };
    let (x, y) = (nanos(a)?, nanos(b)?);
    let total = match op {
        Arith::Add => x + y,
        Arith::Subtract => x - y,
        _ => return None,
    };
    let instant = |val| matches!(val, Val::Timestamp(..));
    let result = match (op, instant(a), instant(b)) {
        (Arith::Add, true, true) | (Arith::Subtract, false, true) => return None,
        (Arith::Subtract, true, true) | (_, false, false) => {
            time::duration(total).map(|(s, n)| Val::Duration(s, n))
        }
        _ => time::timestamp(total).map(|(s, n)| Val::Timestamp(s, n)),
    };
    Some(result.ok_or_else(|| EvalFault::new("time_range", "a sum of times is out of range")))
}

pub(super) fn int_overflow() -> EvalFault {
    EvalFault::new("int_overflow", "a whole number does not fit 64 bits")
}

fn division_by_zero() -> EvalFault {
    EvalFault::new("division_by_zero", "a number was divided by zero")
}

pub(super) fn decimal_fault(fault: DecimalFault) -> EvalFault {
    EvalFault::new(fault.reason(), fault.to_string())
}
