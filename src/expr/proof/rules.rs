//! Which reasons an operation cannot end with, given what its operands can be.

use super::extent::{Extent, Number};
use super::scope::Scope;
use crate::codec::decimal::SCALE_MAX;
use crate::expr::functions::Fails;
use crate::expr::node::Arith;
use crate::expr::{Node, Type, View, eval};

/// Whether the node, of this type, ends with the reason.
pub(super) fn judge(scope: &Scope, node: &Node, ty: &Type, reason: &str) -> Fails {
    let unless = |ruled_out: bool| match ruled_out {
        true => Fails::Never,
        false => Fails::Perhaps,
    };
    match (node, reason) {
        (Node::Arith { operands, .. }, "division_by_zero") => {
            match scope.extent(&operands[1]).number() {
                Some(number) if !number.has_zero() => Fails::Never,
                Some(number) if number.low == 0 && number.high == 0 => Fails::Always,
                _ => Fails::Perhaps,
            }
        }
        (Node::Arith { op, operands }, "int_overflow" | "decimal_overflow") => {
            let (a, b) = (scope.extent(&operands[0]), scope.extent(&operands[1]));
            let (Some(a), Some(b)) = (a.number(), b.number()) else {
                return Fails::Perhaps;
            };
            // A quotient of the least integer by -1 overflows, and so does its remainder in CEL.
            let op = match op {
                Arith::Remainder => Arith::Divide,
                op => *op,
            };
            unless(Number::arith(op, a, b).is_some_and(|result| fits(&result, ty)))
        }
        (Node::Negate(of), "int_overflow" | "decimal_overflow") => {
            let of = scope.extent(of);
            let result = of
                .number()
                .and_then(|of| Number::arith(Arith::Subtract, &Number::from(0), of));
            unless(result.is_some_and(|result| fits(&result, ty)))
        }
        (Node::Index(operands), "index_out_of_range") => {
            let index = scope.extent(&operands[1]);
            let Some(index) = index.number() else {
                return Fails::Perhaps;
            };
            let size = scope.sizes(&operands[0]);
            // A map that is known at run time only may have such a key.
            let is_list = matches!(
                operands[0],
                Node::List(_)
                    | Node::Slot {
                        view: View::List(_),
                        ..
                    }
            );
            if is_list && index.scale == 0 && (index.high < 0 || index.low >= size.high) {
                return Fails::Always;
            }
            unless(index.is_within(0, size.low - 1))
        }
        (Node::Index(operands), "missing_key") => {
            let asked = scope
                .key(&operands[1])
                .zip(scope.key(&operands[0]))
                .and_then(|(_, map)| match &operands[1] {
                    Node::Const(crate::expr::Const::Str(key)) => Some(format!("{key:?} in {map}")),
                    _ => None,
                });
            unless(asked.is_some_and(|asked| {
                scope.facts.values().get(&asked) == Some(&Extent::Truth(true))
            }))
        }
        (Node::Call(call), reason) => call.fails(scope, reason),
        _ => Fails::Perhaps,
    }
}

/// How the evaluation of something that reads nothing ends; `None` if it reads something.
pub(super) fn outcome(node: &Node) -> Option<Result<(), crate::expr::EvalFault>> {
    is_closed(node).then(|| eval::tried(node).map(|_| ()))
}

fn is_closed(node: &Node) -> bool {
    let reads = matches!(
        node,
        Node::Slot { .. }
            | Node::Reg(_)
            | Node::Meta(_)
            | Node::Local(_)
            | Node::Fail(_)
            | Node::Watched(..)
    );
    !reads && node.children().into_iter().all(is_closed)
}

/// Whether a time is made of a number, which a condition can ask for.
pub(super) fn is_from_number(node: Option<&Node>) -> bool {
    node.and_then(super::named).is_some_and(|call| {
        call.name == "timestamp" || call.name.starts_with("epoch.from") || call.name == "plusDays"
    })
}

/// Digits that are a number of any type.
const DIGITS_MAX: u32 = 18;

/// Whether every text in which the pattern is found is a number that the function reads: a sign, digits, and for what is
/// not whole a point with digits. Only patterns that are written this way are known: `^-?[0-9]{1,9}(\\.[0-9]{1,2})?$`.
pub fn is_number(pattern: &str, function: &str) -> bool {
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
        Type::Decimal => result.scale <= SCALE_MAX,
        _ => false,
    }
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
