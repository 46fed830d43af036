//! The functions: a table with one entry for each way to call one. The checker chooses the entry ([`call`]), the
//! reference of `docs/LANGUAGE.md` is made from the table ([`reference`]), and a test runs its examples.
//!
//! To add a function, write an entry into the file of its family: signature, what it can fail with, a sentence,
//! examples, and a Rust function from values to a value.

mod call;
mod convert;
mod decimal;
mod encode;
mod form;
mod format;
mod given;
mod hash;
mod instant;
mod interval;
mod json;
mod letters;
mod list;
mod math;
mod needs;
mod optional;
mod pattern;
mod prepared;
mod re2;
mod reference;
mod signature;
mod strtime;
mod text;
mod time;
mod typed;

use std::sync::LazyLock;

pub use call::Call;
pub(super) use call::invoke;
pub(super) use convert::utf8;
pub use given::Key;
pub(super) use given::look_up;
pub use needs::{Fails, Known};
pub(super) use optional::some;
pub(super) use prepared::Prepared;
pub use reference::reference;
pub(super) use signature::Signature;

use needs::{Gives, Need};

use super::eval::{Result, Run};
use super::{Const, Node, Type};
use crate::codec::Val;

/// What a function does with its arguments. They fit the signature.
type Plain = for<'a> fn(&Run<'_, 'a>, &[Val<'a>]) -> Result<Val<'a>>;
/// The same, with what was made of a constant argument; without it where the argument is not constant.
type With = for<'a> fn(&Run<'_, 'a>, &[Val<'a>], Option<&'a Prepared>) -> Result<Val<'a>>;

/// One way to call a function.
pub(super) struct Function {
    /// `string.charAt(int) -> string`; see [`Signature`].
    signature: &'static str,
    /// What the reference shows instead, for what is written in another way than it is called: macros.
    shown: Option<&'static str>,
    /// Reason codes that a call can end with.
    fails: &'static [&'static str],
    /// What it gives, in a sentence.
    doc: &'static str,
    /// Expressions and their values, also written as expressions; `fails REASON` is one, too.
    examples: &'static [(&'static str, &'static str)],
    body: Body,
    /// What it needs of its arguments so as not to fail.
    needs: &'static [Need],
    /// The values that it can have.
    gives: Gives,
    /// Further arguments that are checked where they are constants.
    checks: &'static [Prepare],
    /// What is wrong with the arguments together, the last of them being at fault.
    fits: Option<Fits>,
    /// Whether a call with constants that fails is a fault of the text: `decimal("abc")`.
    converts: bool,
    /// Whether the value that it was given cannot be told from what it gives: it clears a tag such as `pii`.
    redacts: bool,
}

enum Body {
    /// The checker makes a node of its own.
    Form,
    Plain(Plain),
    /// With a secret as the first argument.
    Keyed(With),
    With {
        prepare: Prepare,
        call: With,
    },
    /// Not all arguments are evaluated: the checked arguments become a node of their own.
    Built(fn(Vec<Node>) -> Node),
}

/// What is wrong with checked arguments.
type Fits = fn(&[Node]) -> Option<Unfit>;

/// What is made of a constant argument once, when the expression is checked.
struct Prepare {
    /// Which argument, the receiver being the first.
    arg: usize,
    /// Makes it.
    make: fn(&Const) -> std::result::Result<Prepared, Unfit>,
    /// Reasons that a call with a constant cannot end with.
    rules_out: &'static [&'static str],
}

/// Why a constant cannot be used, for the person who wrote it.
struct Unfit {
    code: &'static str,
    message: String,
    help: std::borrow::Cow<'static, str>,
}

impl Function {
    const fn new(signature: &'static str, body: Plain) -> Function {
        Function {
            signature,
            shown: None,
            fails: &[],
            doc: "",
            examples: &[],
            body: Body::Plain(body),
            needs: &[],
            gives: Gives::Any,
            checks: &[],
            fits: None,
            converts: false,
            redacts: false,
        }
    }

    const fn with(signature: &'static str, prepare: Prepare, call: With) -> Function {
        Function {
            body: Body::With { prepare, call },
            ..Function::new(signature, nothing)
        }
    }

    const fn form(signature: &'static str) -> Function {
        Function {
            body: Body::Form,
            ..Function::new(signature, nothing)
        }
    }

    /// A function that evaluates its arguments only as it needs them.
    const fn built(signature: &'static str, build: fn(Vec<Node>) -> Node) -> Function {
        Function {
            body: Body::Built(build),
            ..Function::new(signature, nothing)
        }
    }

    const fn keyed(signature: &'static str, call: With) -> Function {
        Function {
            body: Body::Keyed(call),
            redacts: true,
            ..Function::new(signature, nothing)
        }
    }

    const fn fails(self, fails: &'static [&'static str]) -> Function {
        Function { fails, ..self }
    }

    const fn needs(self, needs: &'static [Need]) -> Function {
        Function { needs, ..self }
    }

    const fn gives(self, gives: Gives) -> Function {
        Function { gives, ..self }
    }

    const fn checks(self, checks: &'static [Prepare]) -> Function {
        Function { checks, ..self }
    }

    const fn fits(self, fits: Fits) -> Function {
        Function {
            fits: Some(fits),
            ..self
        }
    }

    const fn shown(self, shown: &'static str) -> Function {
        Function {
            shown: Some(shown),
            ..self
        }
    }

    /// The signature that people read.
    fn written(&self) -> &'static str {
        self.shown.unwrap_or(self.signature)
    }

    const fn doc(self, doc: &'static str) -> Function {
        Function { doc, ..self }
    }

    const fn examples(self, examples: &'static [(&'static str, &'static str)]) -> Function {
        Function { examples, ..self }
    }

    /// What it gives no longer tells the value it was given.
    const fn redacts(self) -> Function {
        Function {
            redacts: true,
            ..self
        }
    }

    const fn converts(self) -> Function {
        Function {
            converts: true,
            ..self
        }
    }
}

fn nothing<'a>(_: &Run<'_, 'a>, _: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(Val::Null)
}

/// An entry of the table with its signature read.
pub(super) struct Overload {
    pub signature: Signature,
    pub function: &'static Function,
}

impl std::fmt::Debug for Overload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.function.signature)
    }
}

/// A family: its heading in the reference, and its functions.
struct Family {
    title: &'static str,
    intro: &'static str,
    functions: &'static [Function],
}

static FAMILIES: &[&Family] = &[
    &convert::FAMILY,
    &form::FAMILY,
    &math::FAMILY,
    &decimal::FAMILY,
    &text::FAMILY,
    &letters::FAMILY,
    &pattern::FAMILY,
    &time::FAMILY,
    &instant::FAMILY,
    &interval::FAMILY,
    &list::FAMILY,
    &encode::FAMILY,
    &hash::FAMILY,
    &given::FAMILY,
    &json::FAMILY,
    &optional::FAMILY,
];

/// All entries, those of one name side by side.
static TABLE: LazyLock<Vec<Overload>> = LazyLock::new(|| {
    let all = FAMILIES.iter().flat_map(|family| family.functions);
    let mut table: Vec<Overload> = all
        .map(|function| Overload {
            signature: Signature::parse(function.signature).unwrap_or_else(|| {
                panic!("the signature `{}` is not well-formed", function.signature)
            }),
            function,
        })
        .collect();
    table.sort_by_key(|overload| overload.signature.name);
    table
});

/// The entries of a name, in the order of the table.
pub(super) fn named(name: &str) -> &'static [Overload] {
    let from = TABLE.partition_point(|overload| overload.signature.name < name);
    let to = TABLE.partition_point(|overload| overload.signature.name <= name);
    &TABLE[from..to]
}

/// The names of all functions.
fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|overload| overload.signature.name)
}

/// The conversion `name(T)` of a type, if it has one: `string(int)`.
pub(super) fn conversion(name: &str, of: &Type) -> Option<&'static Overload> {
    named(name)
        .iter()
        .find(|overload| overload.signature.result(&[of]).is_some())
}

#[cfg(test)]
mod tests;
