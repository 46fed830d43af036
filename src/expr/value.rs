//! Equality and order of values, as CEL has them: numbers compare by their value, whatever their types.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::codec::{Decimal, Val};

/// Whether two values are equal. Values of different kinds are not.
pub(super) fn equal(a: Val, b: Val) -> bool {
    match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Int(a), Val::Int(b)) => a == b,
        (Val::Str(a), Val::Str(b)) => a == b,
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::List(a), Val::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(*a, *b))
        }
        (Val::Map(a), Val::Map(b)) => a.len() == b.len() && maps(a, b),
        (Val::Type(a), Val::Type(b)) => a == b,
        (Val::Optional(None), Val::Optional(None)) => true,
        (Val::Optional(Some(a)), Val::Optional(Some(b))) => equal(*a, *b),
        _ => compare(a, b) == Some(Ordering::Equal),
    }
}

/// Maps of a size that is not worth an index.
const SMALL: usize = 32;

fn maps<'a>(a: &[(Val<'a>, Val<'a>)], b: &[(Val<'a>, Val<'a>)]) -> bool {
    if b.len() <= SMALL {
        return a
            .iter()
            .all(|(key, value)| get(b, *key).is_some_and(|other| equal(*value, other)));
    }
    // Without an index the comparison of large maps takes the square of their size.
    let index: HashMap<Key, Val> = b
        .iter()
        .map(|(key, value)| (Key::of(*key), *value))
        .collect();
    a.iter().all(|(key, value)| {
        index
            .get(&Key::of(*key))
            .is_some_and(|other| equal(*value, *other))
    })
}

/// The key of a map, such that equal keys are equal here.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Bool(bool),
    Whole(i128),
    Text(&'a str),
    /// Maps have no such keys.
    None,
}

impl<'a> Key<'a> {
    fn of(val: Val<'a>) -> Key<'a> {
        match val {
            Val::Bool(v) => Key::Bool(v),
            Val::Int(v) => Key::Whole(v.into()),
            Val::Uint(v) => Key::Whole(v.into()),
            Val::Str(text) => Key::Text(text),
            _ => Key::None,
        }
    }
}

/// The value of a key.
pub(super) fn get<'a>(map: &[(Val<'a>, Val<'a>)], key: Val) -> Option<Val<'a>> {
    map.iter()
        .find(|(k, _)| equal(*k, key))
        .map(|(_, value)| *value)
}

/// The order of two values of a kind that has one; `None` for NaN and for values of different kinds.
pub(super) fn compare(a: Val, b: Val) -> Option<Ordering> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(&b)),
        (Val::Uint(a), Val::Uint(b)) => Some(a.cmp(&b)),
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(&b),
        (Val::Str(a), Val::Str(b)) => Some(a.cmp(b)),
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(&b)),
        (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
        (Val::Decimal(a), Val::Decimal(b)) => Some(a.cmp(b)),
        (Val::Timestamp(a, an), Val::Timestamp(b, bn)) => Some((a, an).cmp(&(b, bn))),
        (Val::Duration(a, an), Val::Duration(b, bn)) => Some((a, an).cmp(&(b, bn))),
        (Val::Int(a), Val::Uint(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Val::Uint(a), Val::Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Val::Int(a), Val::Double(b)) => whole_and_double(a.into(), b),
        (Val::Uint(a), Val::Double(b)) => whole_and_double(a.into(), b),
        (Val::Double(a), Val::Int(b)) => whole_and_double(b.into(), a).map(Ordering::reverse),
        (Val::Double(a), Val::Uint(b)) => whole_and_double(b.into(), a).map(Ordering::reverse),
        (Val::Decimal(a), b) => whole(b).map(|b| (*a).cmp(&b)),
        (a, Val::Decimal(b)) => whole(a).map(|a| a.cmp(b)),
        _ => None,
    }
}

/// An int or uint as a decimal.
pub(super) fn whole(val: Val) -> Option<Decimal> {
    let unscaled = match val {
        Val::Int(v) => v.into(),
        Val::Uint(v) => v.into(),
        _ => return None,
    };
    Some(Decimal { unscaled, scale: 0 })
}

/// As the specification's suite has it: the whole number becomes a double, so 2^63 - 1 equals 2^63 there.
fn whole_and_double(whole: i128, double: f64) -> Option<Ordering> {
    (whole as f64).partial_cmp(&double)
}

/// The name of a value's type.
pub(super) fn type_name(val: Val) -> &'static str {
    match val {
        Val::Null => "null_type",
        Val::Bool(_) => "bool",
        Val::Int(_) => "int",
        Val::Uint(_) => "uint",
        Val::Double(_) => "double",
        Val::Str(_) => "string",
        Val::Bytes(_) => "bytes",
        Val::Decimal(_) => "decimal",
        Val::Timestamp(..) => "google.protobuf.Timestamp",
        Val::Duration(..) => "google.protobuf.Duration",
        Val::List(_) => "list",
        Val::Map(_) => "map",
        Val::Type(_) => "type",
        Val::Optional(_) => "optional_type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_across_types() {
        let max = i64::MAX;
        assert_eq!(
            compare(Val::Int(max), Val::Double(max as f64)),
            Some(Ordering::Equal)
        );
        assert_eq!(
            compare(Val::Uint(1 << 63), Val::Double(max as f64)),
            Some(Ordering::Equal)
        );
        assert_eq!(
            compare(Val::Int(-1), Val::Double(-1.5)),
            Some(Ordering::Greater)
        );
        assert_eq!(
            compare(Val::Double(f64::INFINITY), Val::Int(1)),
            Some(Ordering::Greater)
        );
        assert_eq!(compare(Val::Int(1), Val::Double(f64::NAN)), None);
        assert!(equal(Val::Int(1), Val::Uint(1)) && !equal(Val::Int(-1), Val::Uint(u64::MAX)));
        let price = Decimal {
            unscaled: 100,
            scale: 2,
        };
        assert!(equal(Val::Decimal(&price), Val::Int(1)));
    }

    #[test]
    fn maps_are_equal_in_any_order() {
        let a = [(Val::Str("a"), Val::Int(1)), (Val::Str("b"), Val::Null)];
        let b = [a[1], a[0]];
        assert!(equal(Val::Map(&a), Val::Map(&b)));
        assert!(!equal(Val::Map(&a), Val::Map(&b[..1])));
        let large = |turn: i64| -> Vec<(Val<'static>, Val<'static>)> {
            let number = |at: i64| (at + turn) % 100;
            (0..100)
                .map(|at| (Val::Int(number(at)), Val::Int(2 * number(at))))
                .collect()
        };
        let (a, b) = (large(0), large(7));
        assert!(equal(Val::Map(&a), Val::Map(&b)));
        let mut c = b.clone();
        c[50].1 = Val::Null;
        assert!(!equal(Val::Map(&a), Val::Map(&c)));
        c[50] = (Val::Uint(57), Val::Int(114));
        assert!(equal(Val::Map(&a), Val::Map(&c)));
    }
}
