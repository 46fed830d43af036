//! Which reasons an operation cannot end with, given what its operands can be.

use super::call::{self, Named};
use super::extent::{Extent, Number};
use super::scope::Scope;
use crate::expr::node::Arith;
use crate::expr::{Node, Type};

/// Whether the node, of this type, cannot fail with the reason.
pub(super) fn rule_out(scope: &Scope, node: &Node, ty: &Type, reason: &str) -> bool {
    match (node, reason) {
        (Node::Arith { operands, .. }, "division_by_zero") => {
            let divisor = scope.extent(&operands[1]);
            divisor.number().is_some_and(|number| !number.has_zero())
        }
        (Node::Arith { op, operands }, "int_overflow" | "decimal_overflow") => {
            let (a, b) = (scope.extent(&operands[0]), scope.extent(&operands[1]));
            let (Some(a), Some(b)) = (a.number(), b.number()) else {
                return false;
            };
            // A quotient of the least integer by -1 overflows, and so does its remainder in CEL.
            let op = match op {
                Arith::Remainder => Arith::Divide,
                op => *op,
            };
            Number::arith(op, a, b).is_some_and(|result| fits(&result, ty))
        }
        (Node::Negate(of), "int_overflow" | "decimal_overflow") => scope
            .extent(of)
            .number()
            .and_then(|of| Number::arith(Arith::Subtract, &Number::from(0), of))
            .is_some_and(|result| fits(&result, ty)),
        (Node::Index(operands), "index_out_of_range") => {
            let index = scope.extent(&operands[1]);
            is_below_size(scope, &operands[0], &index, false)
        }
        (Node::Index(operands), "missing_key") => {
            let asked = scope
                .key(&operands[1])
                .zip(scope.key(&operands[0]))
                .and_then(|(_, map)| match &operands[1] {
                    Node::Const(crate::expr::Const::Str(key)) => Some(format!("{key:?} in {map}")),
                    _ => None,
                });
            asked
                .is_some_and(|asked| scope.facts.values().get(&asked) == Some(&Extent::Truth(true)))
        }
        _ => call::named(node).is_some_and(|call| never_fails(scope, &call, reason)),
    }
}

/// Whether a time is made of a number.
pub(super) fn is_from_number(node: Option<&Node>) -> bool {
    node.and_then(call::named)
        .is_some_and(|call| call.name == "timestamp")
}

fn never_fails(scope: &Scope, call: &Named, reason: &str) -> bool {
    let number = |at: usize| scope.extent(&call.args[at]).number().copied();
    match (call.name, reason) {
        ("int", "int_overflow") => number(0)
            .and_then(|of| of.cut())
            .is_some_and(|(low, high)| low >= i64::MIN.into() && high <= i64::MAX.into()),
        ("int" | "uint" | "double" | "decimal", "bad_number" | "decimal_overflow") => {
            match scope.extent(&call.args[0]) {
                Extent::Like(pattern) => is_number(&pattern, call.name),
                _ => false,
            }
        }
        ("uint", "int_overflow") => number(0)
            .and_then(|of| of.cut().filter(|_| of.low >= 0))
            .is_some_and(|(_, high)| high <= u64::MAX.into()),
        // Seconds of the years 1 and 9999.
        ("timestamp", "time_range") => {
            number(0).is_some_and(|of| of.is_within(-62_135_596_800, 253_402_300_799))
        }
        ("charAt" | "substring", "index_out_of_range") => {
            let all_below = call.args[1..]
                .iter()
                .all(|at| is_below_size(scope, &call.args[0], &scope.extent(at), true));
            let ordered = match call.args.len() {
                3 => matches!((number(1), number(2)), (Some(a), Some(b)) if a.high <= b.low),
                _ => true,
            };
            all_below && ordered
        }
        _ => false,
    }
}

/// Digits that are a number of any type.
const DIGITS_MAX: u32 = 18;

/// Whether every text in which the pattern is found is a number that the function reads: a sign, digits, and for what is
/// not whole a point with digits. Only patterns that are written this way are known: `^-?[0-9]{1,9}(\\.[0-9]{1,2})?$`.
fn is_number(pattern: &str, function: &str) -> bool {
    let known = || {
        let whole = pattern.strip_prefix('^')?.strip_suffix('$')?;
        let signed = whole.strip_prefix("-?");
        let (whole, rest) = digits(signed.unwrap_or(whole))?;
        let fraction = match rest {
            "" => 0,
            _ => {
                let rest = rest.strip_prefix("(\\.")?.strip_suffix(")?")?;
                let (fraction, "") = digits(rest)? else {
                    return None;
                };
                fraction
            }
        };
        Some(
            match function {
                "int" => fraction == 0,
                "uint" => fraction == 0 && signed.is_none(),
                _ => true,
            } && whole + fraction <= DIGITS_MAX,
        )
    };
    known().unwrap_or(false)
}

/// How many digits a part of a pattern takes at most, and what follows it. A point needs a digit before it, so none may be
/// absent.
fn digits(pattern: &str) -> Option<(u32, &str)> {
    let counted = pattern.strip_prefix("[0-9]")?;
    let Some(counted) = counted.strip_prefix('{') else {
        return Some((1, counted)).filter(|(_, rest)| !rest.starts_with(['*', '+', '?']));
    };
    let (bounds, rest) = counted.split_once('}')?;
    let (least, most) = bounds.split_once(',').unwrap_or((bounds, bounds));
    let (least, most): (u32, u32) = (least.parse().ok()?, most.parse().ok()?);
    (least > 0 && !rest.starts_with(['*', '+', '?'])).then_some((most, rest))
}

fn fits(result: &Number, ty: &Type) -> bool {
    match ty {
        Type::Int => result.is_within(i64::MIN.into(), i64::MAX.into()),
        Type::Uint => result.is_within(0, u64::MAX.into()),
        // What has bounds has them within 128 bits.
        Type::Decimal => true,
        _ => false,
    }
}

/// Whether all of these numbers are indexes; the size itself counts where `at_end`.
fn is_below_size(scope: &Scope, of: &Node, index: &Extent, at_end: bool) -> bool {
    let Some(index) = index.number() else {
        return false;
    };
    let least = match of {
        Node::List(items) => items.len() as i128,
        _ => scope.size(of).map_or(0, |size| size.low),
    };
    let last = if at_end { least } else { least - 1 };
    index.is_within(0, last)
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn a_pattern_of_digits_makes_a_number_of_any_text() {
        assert!(is_number("^-?[0-9]{1,18}$", "int"));
        assert!(is_number("^[0-9]$", "uint"));
        assert!(is_number("^-?[0-9]{1,9}(\\.[0-9]{1,2})?$", "decimal"));
        for (pattern, function) in [
            ("[0-9]{1,18}", "int"),
            ("^[0-9]{1,19}$", "int"),
            ("^[0-9]{0,3}$", "int"),
            ("^-?[0-9]{1,3}$", "uint"),
            ("^[0-9]+$", "int"),
            ("^[0-9]{1,9}(\\.[0-9]{1,2})?$", "int"),
            ("^[0-9]{1,3}|x$", "int"),
        ] {
            assert!(!is_number(pattern, function), "{pattern} {function}");
        }
    }
}
