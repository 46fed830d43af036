//! Signatures as they are written in the table and in the reference: `string.charAt(int) -> string`.

use super::super::Type;
use crate::codec::Val;

/// A type of a signature. `A` and `B` stand for any type, `V` for any type or null, `N` for a number, `O` for a type with an order; the same
/// letter is the same type everywhere in a signature.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum T {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Decimal,
    Text,
    Bytes,
    Timestamp,
    Duration,
    Date,
    TimeOfDay,
    Dyn,
    Letter(char),
    List(Box<T>),
    Map(Box<T>, Box<T>),
    Nullable(Box<T>),
    Optional(Box<T>),
    Type,
    /// The key of a keyed function, which is no value.
    Secret,
}

/// How a function is called, what it takes and gives.
#[derive(Clone, Debug)]
pub(in super::super) struct Signature {
    /// With its namespace: `math.greatest`.
    pub name: &'static str,
    /// Whether the first parameter stands before the name: `x.f()`.
    pub member: bool,
    pub params: Vec<T>,
    /// Whether the last parameter may be given any number of times, at least once.
    pub variadic: bool,
    pub result: T,
}

/// The types that the letters of a signature stand for in a call.
#[derive(Default)]
pub(super) struct Letters(Vec<(char, Type)>);

impl Signature {
    /// Reads a signature; `None` if it is not well-formed.
    pub fn parse(text: &'static str) -> Option<Signature> {
        let (call, result) = text.split_once(" -> ")?;
        let call = call.strip_suffix(')')?;
        // The parenthesis of a receiver's type comes before that of the parameters: `list(A).first(`.
        let from = match ["list(", "map(", "optional("]
            .iter()
            .any(|start| call.starts_with(start))
        {
            true => call.find(").")?,
            false => 0,
        };
        let open = from + call[from..].find('(')?;
        let (head, params) = (&call[..open], &call[open + 1..]);
        let (receiver, name) = match head.rsplit_once('.') {
            Some((space, _)) if T::parse(space).is_none() => (None, head),
            Some((receiver, name)) => (Some(T::parse(receiver)?), name),
            None => (None, head),
        };
        let variadic = params.ends_with("...");
        let params = params.trim_end_matches("...");
        let mut all: Vec<T> = receiver.iter().cloned().collect();
        for param in split(params) {
            all.push(T::parse(param)?);
        }
        Some(Signature {
            name,
            member: receiver.is_some(),
            params: all,
            variadic,
            result: T::parse(result)?,
        })
    }

    /// Whether a call with so many arguments (the receiver is one) may mean it.
    pub fn takes_count(&self, count: usize) -> bool {
        count == self.params.len() || self.variadic && count > self.params.len()
    }

    /// The type of an argument.
    pub fn param(&self, at: usize) -> &T {
        &self.params[at.min(self.params.len() - 1)]
    }

    /// The result for arguments of these types; `None` if it cannot be called with them.
    pub fn result(&self, types: &[&Type]) -> Option<Type> {
        if !self.takes_count(types.len()) {
            return None;
        }
        let mut letters = Letters::default();
        for (at, ty) in types.iter().enumerate() {
            if !self.param(at).takes(ty, &mut letters) {
                return None;
            }
        }
        // Numbers are taken to be compared, which a decimal and a double are not.
        let numbers = types.iter().enumerate();
        let has = |wanted: Type| {
            let is_one =
                |(at, ty): (usize, &&Type)| *self.param(at) == T::Letter('N') && **ty == wanted;
            numbers.clone().any(is_one)
        };
        if has(Type::Decimal) && has(Type::Double) {
            return None;
        }
        Some(self.result.resolve(&letters))
    }

    /// Whether values fit, as far as values tell: a day is an int at run time and fits nothing but an int.
    pub fn fits(&self, vals: &[Val]) -> bool {
        let mut numbers = Numbers::default();
        self.takes_count(vals.len())
            && vals.iter().enumerate().all(|(at, val)| {
                let param = self.param(at);
                param.fits(*val) && numbers.take(param, *val)
            })
    }
}

/// Which numbers there are among the values of a call: a decimal and a double are not compared with each other.
#[derive(Default)]
struct Numbers {
    decimal: bool,
    double: bool,
}

impl Numbers {
    /// Whether a value can be compared with those before.
    fn take(&mut self, param: &T, val: Val) -> bool {
        match (param, val) {
            (T::Letter('N'), Val::Decimal(_)) => self.decimal = true,
            (T::Letter('N'), Val::Double(_)) => self.double = true,
            (T::List(item), Val::List(items)) if **item == T::Letter('N') => {
                return items.iter().all(|one| self.take(item, *one));
            }
            _ => {}
        }
        !(self.decimal && self.double)
    }
}

/// The parts between the commas that are in no parentheses.
fn split(params: &'static str) -> Vec<&'static str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, sign) in params.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(params[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = params[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

impl T {
    fn parse(text: &'static str) -> Option<T> {
        if let Some(inner) = text.strip_suffix('?') {
            return Some(T::Nullable(Box::new(T::parse(inner)?)));
        }
        if let Some(item) = text.strip_prefix("list(") {
            return Some(T::List(Box::new(T::parse(item.strip_suffix(')')?)?)));
        }
        if let Some(inner) = text.strip_prefix("optional(") {
            return Some(T::Optional(Box::new(T::parse(inner.strip_suffix(')')?)?)));
        }
        if let Some(parts) = text.strip_prefix("map(") {
            let parts = split(parts.strip_suffix(')')?);
            let [key, value] = parts[..] else { return None };
            return Some(T::Map(Box::new(T::parse(key)?), Box::new(T::parse(value)?)));
        }
        Some(match text {
            "null" => T::Null,
            "bool" => T::Bool,
            "int" => T::Int,
            "uint" => T::Uint,
            "double" => T::Double,
            "decimal" => T::Decimal,
            "string" => T::Text,
            "bytes" => T::Bytes,
            "timestamp" => T::Timestamp,
            "duration" => T::Duration,
            "date" => T::Date,
            "time of day" => T::TimeOfDay,
            "type" => T::Type,
            "secret" => T::Secret,
            "dyn" => T::Dyn,
            "A" | "B" | "V" | "N" | "O" => T::Letter(text.chars().next()?),
            _ => return None,
        })
    }

    /// Whether an argument of a type may be given; notes what letters stand for.
    fn takes(&self, ty: &Type, letters: &mut Letters) -> bool {
        match (self, ty) {
            // At run time a day is an int, and a record the bytes of its fields: without their types they are not what they were.
            (T::Dyn, ty) => keeps_meaning(ty),
            (T::Secret, ty) => *ty == Type::Null,
            (T::Letter(letter), ty) => bounded(*letter, ty) && letters.note(*letter, ty),
            (T::Nullable(_), Type::Null) => true,
            (T::Nullable(inner), ty) => inner.takes(ty.non_null(), letters),
            (T::List(item) | T::Optional(item), Type::Dyn | Type::Never) => item.takes(ty, letters),
            (T::Map(key, value), Type::Dyn | Type::Never) => {
                key.takes(ty, letters) && value.takes(ty, letters)
            }
            (_, Type::Dyn | Type::Never) => true,
            (T::List(item), Type::List(ty)) | (T::Optional(item), Type::Optional(ty)) => {
                item.takes(ty, letters)
            }
            (T::Map(key, value), Type::Map(k, v)) => {
                key.takes(k, letters) && value.takes(v, letters)
            }
            (this, ty) => this.plain().is_some_and(|this| this == *ty),
        }
    }

    /// The type, unless it has parts.
    fn plain(&self) -> Option<Type> {
        Some(match self {
            T::Null => Type::Null,
            T::Bool => Type::Bool,
            T::Int => Type::Int,
            T::Uint => Type::Uint,
            T::Double => Type::Double,
            T::Decimal => Type::Decimal,
            T::Text => Type::String,
            T::Bytes => Type::Bytes,
            T::Timestamp => Type::Timestamp,
            T::Duration => Type::Duration,
            T::Date => Type::Date,
            T::TimeOfDay => Type::TimeOfDay,
            T::Type => Type::Type,
            T::Dyn => Type::Dyn,
            T::Secret
            | T::Letter(_)
            | T::List(_)
            | T::Map(..)
            | T::Nullable(_)
            | T::Optional(_) => {
                return None;
            }
        })
    }

    fn resolve(&self, letters: &Letters) -> Type {
        match self {
            T::Letter(letter) => letters.get(*letter),
            T::List(item) => Type::List(Box::new(item.resolve(letters))),
            T::Map(key, value) => Type::Map(
                Box::new(key.resolve(letters)),
                Box::new(value.resolve(letters)),
            ),
            T::Nullable(inner) => inner.resolve(letters).nullable(),
            T::Optional(inner) => Type::Optional(Box::new(inner.resolve(letters))),
            plain => plain.plain().unwrap_or(Type::Dyn),
        }
    }

    /// Whether a type leaves open what this needs to know: the values decide at run time.
    pub fn is_open(&self, ty: &Type) -> bool {
        match (self, ty) {
            (T::Dyn | T::Letter('A' | 'B' | 'V'), _) => false,
            (T::Nullable(inner), ty) => inner.is_open(ty.non_null()),
            (_, Type::Dyn) => true,
            (T::List(item), Type::List(ty)) | (T::Optional(item), Type::Optional(ty)) => {
                item.is_open(ty)
            }
            (T::Map(key, value), Type::Map(k, v)) => key.is_open(k) || value.is_open(v),
            _ => false,
        }
    }

    /// Whether null may be given.
    pub fn takes_null(&self) -> bool {
        matches!(self, T::Nullable(_) | T::Null | T::Letter('V'))
    }

    /// Whether a value fits.
    pub fn fits(&self, val: Val) -> bool {
        match (self, val) {
            (T::Dyn | T::Letter('A' | 'B' | 'V'), _) => true,
            (T::Letter('N'), val) => matches!(
                val,
                Val::Int(_) | Val::Uint(_) | Val::Double(_) | Val::Decimal(_)
            ),
            (T::Letter(_), val) => !matches!(
                val,
                Val::Null | Val::List(_) | Val::Map(_) | Val::Type(_) | Val::Optional(_)
            ),
            (T::Null | T::Secret | T::Nullable(_), Val::Null) => true,
            (T::Nullable(inner), val) => inner.fits(val),
            (T::List(item), Val::List(items)) => items.iter().all(|one| item.fits(*one)),
            (T::Map(key, value), Val::Map(items)) => {
                items.iter().all(|(k, v)| key.fits(*k) && value.fits(*v))
            }
            (T::Optional(inner), Val::Optional(val)) => val.is_none_or(|val| inner.fits(*val)),
            (T::Bool, Val::Bool(_))
            | (T::Type, Val::Type(_))
            | (T::Int, Val::Int(_))
            | (T::Uint, Val::Uint(_))
            | (T::Double, Val::Double(_))
            | (T::Decimal, Val::Decimal(_))
            | (T::Text, Val::Str(_))
            | (T::Bytes, Val::Bytes(_))
            | (T::Timestamp, Val::Timestamp(..))
            | (T::Duration, Val::Duration(..)) => true,
            _ => false,
        }
    }
}

/// Whether a value tells by itself what it is.
fn keeps_meaning(ty: &Type) -> bool {
    match ty {
        Type::Date | Type::TimeOfDay | Type::Record(..) | Type::Made(..) => false,
        Type::List(inner) | Type::Nullable(inner) | Type::Optional(inner) => keeps_meaning(inner),
        Type::Map(key, value) => keeps_meaning(key) && keeps_meaning(value),
        _ => true,
    }
}

/// Whether a letter may stand for a type.
fn bounded(letter: char, ty: &Type) -> bool {
    match letter {
        'N' => matches!(
            ty,
            Type::Int | Type::Uint | Type::Double | Type::Decimal | Type::Dyn | Type::Never
        ),
        'O' => !matches!(
            ty,
            Type::Null
                | Type::Nullable(_)
                | Type::List(_)
                | Type::Map(..)
                | Type::Record(..)
                | Type::Made(..)
                | Type::Optional(_)
                | Type::Type
        ),
        _ => true,
    }
}

impl Letters {
    /// Types that do not join are `dyn`; a type with an order is one type.
    fn note(&mut self, letter: char, ty: &Type) -> bool {
        let Some((_, known)) = self.0.iter_mut().find(|(name, _)| *name == letter) else {
            self.0.push((letter, ty.clone()));
            return true;
        };
        match known.join(ty) {
            None if letter == 'O' => return false,
            joined => {
                let joined = joined.unwrap_or(Type::Dyn);
                if known.is_lost_in(&joined) || ty.is_lost_in(&joined) {
                    return false;
                }
                *known = joined;
            }
        }
        true
    }

    fn get(&self, letter: char) -> Type {
        let found = self.0.iter().find(|(name, _)| *name == letter);
        // What no argument says anything about is what another part of the expression makes of it.
        found.map_or(Type::Never, |(_, ty)| ty.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_with_receivers_namespaces_and_parts() {
        let read = |text| Signature::parse(text).unwrap();
        let one = read("string.charAt(int) -> string");
        assert_eq!(
            (one.name, one.member, &one.params[..]),
            ("charAt", true, &[T::Text, T::Int][..])
        );
        let one = read("math.greatest(N, N...) -> N");
        assert_eq!(
            (one.name, one.member, one.variadic),
            ("math.greatest", false, true)
        );
        assert!(!one.takes_count(1) && one.takes_count(2) && one.takes_count(9));
        let one = read("list(map(A, B)).first(time of day) -> list(A)");
        assert_eq!((one.name, one.member, one.params.len()), ("first", true, 2));
        let one = read("size(list(A)) -> int");
        assert_eq!((one.name, one.member), ("size", false));
        let one = read("now() -> timestamp");
        assert_eq!((one.name, one.params.len()), ("now", 0));
        assert!(Signature::parse("f(text) -> int").is_none());
    }

    #[test]
    fn letters_stand_for_one_type_each() {
        let result = |text, types: &[&Type]| {
            Signature::parse(text)
                .unwrap()
                .result(types)
                .map(|ty| ty.to_string())
        };
        let ints = Type::List(Box::new(Type::Int));
        assert_eq!(
            result("list(A).first() -> A?", &[&ints]).as_deref(),
            Some("int or null")
        );
        let max = "math.greatest(N, N...) -> N";
        assert_eq!(
            result(max, &[&Type::Int, &Type::Int]).as_deref(),
            Some("int")
        );
        assert_eq!(
            result(max, &[&Type::Int, &Type::Double]).as_deref(),
            Some("dyn")
        );
        assert_eq!(result(max, &[&Type::Int, &Type::String]), None);
        assert_eq!(
            result(max, &[&Type::Decimal, &Type::Int]).as_deref(),
            Some("dyn")
        );
        assert_eq!(
            result(max, &[&Type::Decimal, &Type::Int, &Type::Double]),
            None
        );
    }
}
