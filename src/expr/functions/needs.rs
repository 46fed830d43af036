//! What the proof knows of functions: which values of the arguments decide whether a call can end with a reason, and which
//! values a call can have. It stands in the table beside each entry, so that an entry cannot be added without the question.

use std::sync::Arc;

use super::super::eval;
use super::super::proof::{Extent, Number, Scope};
use super::super::{Const, Node, Type};
use super::call::{Call, Target};
use super::{Function, Overload, Prepared};

/// A reason, and what a call needs so as not to end with it. A reason with several needs is ruled out if all of them are met.
pub(super) struct Need(pub &'static str, pub Of);

/// What is needed.
pub(super) enum Of {
    /// The argument is a whole number from the one bound to the other.
    Whole(usize, i64, i64),
    /// The argument without its fraction is such a number.
    Cut(usize, i128, i128),
    /// The argument is not zero.
    NonZero(usize),
    /// The list has an element.
    Element(usize),
    /// The argument is a constant: whether it is a good one was found out when it was prepared.
    Constant(usize),
    /// These arguments are positions in the first one, its end included, none before the one named before it.
    Positions(&'static [usize]),
    /// The argument, which says how much is built, is at most [`BUILT_MAX`].
    Bounded(usize),
    /// The types of the arguments are known.
    Types,
    /// The arguments go together.
    Together(fn(&Given) -> Fails),
}

/// Whether a call ends with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// For no values.
    Never,
    /// For all values.
    Always,
    /// For some, as far as is known.
    Perhaps,
}

/// The values that a call can have where it does not fail.
pub(super) enum Gives {
    /// Nothing is known.
    Any,
    /// Whole numbers from the one to the other.
    Whole(i64, i64),
    /// What follows from the arguments.
    Number(fn(&Given) -> Option<Number>),
}

/// What is known of a value by its type, and by the parts it was written with.
#[derive(Clone, Debug)]
pub struct Known {
    /// The type.
    pub ty: Type,
    /// The elements of a list, or the values of a map, that is written out.
    pub parts: Option<Arc<[Known]>>,
}

impl Known {
    /// Whether something holds of all types that the value is made of, as far as they were written out.
    pub fn all(&self, holds: &impl Fn(&Type) -> bool) -> bool {
        match &self.parts {
            Some(parts) => parts.iter().all(|part| part.all(holds)),
            None => every(&self.ty, holds),
        }
    }
}

/// Whether something holds of all plain types within a type.
fn every(ty: &Type, holds: &impl Fn(&Type) -> bool) -> bool {
    match ty {
        Type::Nullable(inner) | Type::List(inner) => every(inner, holds),
        Type::Map(key, value) => every(key, holds) && every(value, holds),
        plain => holds(plain),
    }
}

/// A call, and the place where it stands.
pub(super) struct Given<'g> {
    scope: &'g Scope<'g>,
    call: &'g Call,
}

/// Elements or characters that one number of a record may ask for: two macros within one another over so many stay within
/// the budget of an evaluation.
const BUILT_MAX: i128 = 1_000;
/// Texts that a finite argument is tried with.
const TEXTS_MAX: usize = 32;

impl<'g> Given<'g> {
    /// An argument; the receiver is the first.
    pub fn node(&self, at: usize) -> Option<&'g Node> {
        self.call.args.get(at)
    }

    /// What is known of its type.
    pub fn known(&self, at: usize) -> Option<&'g Known> {
        self.call.known.get(at)
    }

    /// The values that it can have.
    pub fn extent(&self, at: usize) -> Extent {
        self.node(at)
            .map_or(Extent::Any, |node| self.scope.extent(node))
    }

    /// The values of any node of the call.
    pub fn extent_of(&self, node: &Node) -> Extent {
        self.scope.extent(node)
    }

    /// The numbers that it can be: at least what its type says.
    pub fn number(&self, at: usize) -> Option<Number> {
        let of_type = match self.known(at).map(|known| &known.ty) {
            Some(Type::Int) => Extent::Number(Number::whole(i64::MIN.into(), i64::MAX.into())),
            Some(Type::Uint) => Extent::Number(Number::whole(0, u64::MAX.into())),
            _ => Extent::Any,
        };
        self.extent(at).meet(&of_type).number().copied()
    }

    /// Its only value, if it is a whole number.
    pub fn whole(&self, at: usize) -> Option<i64> {
        let number = self.number(at)?;
        let is_one = number.scale == 0 && number.low == number.high;
        is_one.then(|| i64::try_from(number.low).ok()).flatten()
    }

    /// Its value, if it is a constant.
    pub fn constant(&self, at: usize) -> Option<&'g Const> {
        match self.node(at) {
            Some(Node::Const(value)) => Some(value),
            _ => None,
        }
    }

    /// What was made of the constant that the function prepares.
    pub fn prepared(&self) -> Option<&'g Prepared> {
        self.call.prepared.as_ref()
    }

    /// How many arguments there are.
    pub fn count(&self) -> usize {
        self.call.args.len()
    }

    /// The sizes that it can have.
    pub fn size(&self, at: usize) -> Option<Number> {
        self.node(at).map(|node| self.scope.sizes(node))
    }

    fn positions(&self, all: &[usize]) -> Fails {
        let Some(size) = self.size(0) else {
            return Fails::Perhaps;
        };
        let mut fails = Fails::Never;
        let mut before: Option<Number> = None;
        for at in all {
            let Some(number) = self.number(*at) else {
                return Fails::Perhaps;
            };
            let is_before = before.is_some_and(|before| number.high < before.low);
            if number.high < 0 || number.low > size.high || is_before {
                return Fails::Always;
            }
            let may_be_before = before.is_some_and(|before| number.low < before.high);
            if !number.is_within(0, size.low) || may_be_before {
                fails = Fails::Perhaps;
            }
            before = Some(number);
        }
        fails
    }

    fn judge(&self, need: &Of) -> Fails {
        match need {
            Of::Whole(at, low, high) => match self.number(*at) {
                Some(number) => within(&number, (*low).into(), (*high).into()),
                None => Fails::Perhaps,
            },
            Of::Cut(at, low, high) => match self.number(*at).and_then(|number| number.cut()) {
                Some((least, greatest)) => within(&Number::whole(least, greatest), *low, *high),
                None => Fails::Perhaps,
            },
            Of::NonZero(at) => match self.number(*at) {
                Some(number) if !number.has_zero() => Fails::Never,
                Some(number) if number.low == 0 && number.high == 0 => Fails::Always,
                _ => Fails::Perhaps,
            },
            Of::Element(at) => match self.size(*at) {
                Some(size) if size.low > 0 => Fails::Never,
                Some(size) if size.high == 0 => Fails::Always,
                _ => Fails::Perhaps,
            },
            Of::Constant(at) => match self.constant(*at) {
                Some(_) => Fails::Never,
                None => Fails::Perhaps,
            },
            Of::Bounded(at) => match self.number(*at) {
                Some(number) if number.high <= BUILT_MAX => Fails::Never,
                _ => Fails::Perhaps,
            },
            Of::Positions(all) => self.positions(all),
            Of::Types => Fails::Never,
            Of::Together(fits) => fits(self),
        }
    }

    /// Tries all values of the one argument that is not constant, if they are a few texts.
    fn outcomes(&self) -> Option<Vec<eval::Result<Option<Const>>>> {
        let is_constant = |node: &&Node| matches!(node, Node::Const(_));
        let mut open = self.call.args.iter().enumerate();
        let (at, _) = open.find(|(_, node)| !is_constant(node))?;
        if open.any(|(_, node)| !is_constant(&node)) {
            return None;
        }
        let Extent::Texts(texts) = self.extent(at) else {
            return None;
        };
        if texts.len() > TEXTS_MAX {
            return None;
        }
        let tried = texts.into_iter().map(|text| {
            let mut call = self.call.clone();
            call.args[at] = Node::Const(Const::Str(text));
            eval::tried(&Node::Call(Box::new(call)))
        });
        Some(tried.collect())
    }
}

fn within(number: &Number, low: i128, high: i128) -> Fails {
    if number.is_within(low, high) {
        Fails::Never
    } else if number.scale == 0 && (number.low > high || number.high < low) {
        Fails::Always
    } else {
        Fails::Perhaps
    }
}

impl Fails {
    /// Of two needs, or two parts.
    pub fn and(self, other: Fails) -> Fails {
        match (self, other) {
            (Fails::Always, _) | (_, Fails::Always) => Fails::Always,
            (Fails::Never, Fails::Never) => Fails::Never,
            _ => Fails::Perhaps,
        }
    }
}

impl Call {
    /// Whether a number that is an argument decides how much is built, so that a condition can ask for the limit.
    pub fn is_sized(&self) -> bool {
        let sized = |overload: &&'static Overload| {
            let mut needs = overload.function.needs.iter();
            needs.any(|need| matches!(need.1, Of::Bounded(_)))
        };
        match &self.target {
            Target::One(overload) => sized(overload),
            Target::ByValue(all) => all.iter().any(sized),
        }
    }

    /// Whether the call ends with a reason, given what its arguments can be where it stands.
    pub fn fails(&self, scope: &Scope, reason: &str) -> Fails {
        let Target::One(overload) = &self.target else {
            return Fails::Perhaps;
        };
        let given = Given { scope, call: self };
        let needs = overload.function.needs.iter();
        let judged = needs
            .filter(|need| need.0 == reason)
            .map(|need| given.judge(&need.1));
        match judged.reduce(Fails::and) {
            Some(fails @ (Fails::Never | Fails::Always)) => return fails,
            Some(Fails::Perhaps) | None => {}
        }
        let Some(outcomes) = given.outcomes() else {
            return Fails::Perhaps;
        };
        let ends =
            |outcome: &eval::Result<_>| matches!(outcome, Err(fault) if fault.reason == reason);
        match outcomes.iter().filter(|outcome| ends(outcome)).count() {
            0 => Fails::Never,
            all if all == outcomes.len() => Fails::Always,
            _ => Fails::Perhaps,
        }
    }

    /// The values that the call can have.
    pub fn extent(&self, scope: &Scope) -> Extent {
        let overload = match &self.target {
            Target::One(overload) => overload,
            Target::ByValue(all) => return of_any(all),
        };
        let given = Given { scope, call: self };
        match &overload.function.gives {
            Gives::Whole(low, high) => {
                return Extent::Number(Number::whole((*low).into(), (*high).into()));
            }
            Gives::Number(number) => {
                if let Some(number) = number(&given) {
                    return Extent::Number(number);
                }
            }
            Gives::Any => {}
        }
        let Some(outcomes) = given.outcomes() else {
            return Extent::Any;
        };
        let mut all = Extent::Empty;
        for outcome in outcomes {
            all = match outcome {
                Ok(Some(value)) => all.join(&Extent::of_const(&value)),
                Ok(None) => return Extent::Any,
                Err(_) => all,
            };
        }
        all
    }
}

/// The values of whichever entry it will be.
fn of_any(all: &[&'static Overload]) -> Extent {
    let each = all.iter().map(|overload| match overload.function {
        Function {
            gives: Gives::Whole(low, high),
            ..
        } => Extent::Number(Number::whole((*low).into(), (*high).into())),
        _ => Extent::Any,
    });
    each.reduce(|a, b| a.join(&b)).unwrap_or(Extent::Any)
}
