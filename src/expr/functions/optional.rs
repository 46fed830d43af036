//! Types as values, and optional values. Those that need not evaluate all of their arguments are nodes of their own.

use bumpalo::collections::Vec as BumpVec;

use super::super::eval::{Result, Run, mismatch};
use super::super::value::type_name;
use super::super::{EvalFault, Node};
use super::{Family, Function};
use crate::codec::Val;

pub(super) static FAMILY: Family = Family {
    title: "Types and optional values",
    intro: "`a.?b` and `a[?i]` are optionals: `b` of `a` if it is there. A field of a record that may be null is there if it is \
            not null. `.field` and `[i]` of an optional are optionals again.",
    functions: FUNCTIONS,
};

const FUNCTIONS: &[Function] = &[
    Function::new("type(V) -> type", |_, args| {
        Ok(Val::Type(type_name(args[0])))
    })
    .doc("The type of the value.")
    .examples(&[("type(1)", "int"), ("type([]) == list", "true")]),
    Function::new("optional.of(V) -> optional(V)", |run, args| {
        Ok(some(run, args[0]))
    })
    .doc("The value as an optional.")
    .examples(&[("optional.of(1).value()", "1")]),
    Function::new("optional.none() -> optional(V)", |_, _| {
        Ok(Val::Optional(None))
    })
    .doc("An optional without a value.")
    .examples(&[("optional.none().hasValue()", "false")]),
    Function::new("optional.ofNonZeroValue(V) -> optional(V)", |run, args| {
        Ok(match is_zero(args[0]) {
            true => Val::Optional(None),
            false => some(run, args[0]),
        })
    })
    .doc("The value as an optional; none if it is null, false, zero or empty.")
    .examples(&[
        ("optional.ofNonZeroValue('a').hasValue()", "true"),
        ("optional.ofNonZeroValue('').hasValue()", "false"),
    ]),
    Function::new("optional(V).hasValue() -> bool", |_, args| match args[0] {
        Val::Optional(inner) => Ok(Val::Bool(inner.is_some())),
        other => Err(mismatch(&[other])),
    })
    .doc("Whether there is a value.")
    .examples(&[("{'a': 1}.?a.hasValue()", "true")]),
    Function::new("optional(V).has_value() -> bool", |_, args| match args[0] {
        Val::Optional(inner) => Ok(Val::Bool(inner.is_some())),
        other => Err(mismatch(&[other])),
    })
    .doc("The same as `hasValue`.")
    .examples(&[("{'a': 1}.?b.has_value()", "false")]),
    Function::new("optional(V).value() -> V", |_, args| match args[0] {
        Val::Optional(inner) => inner.copied().ok_or_else(no_value),
        other => Err(mismatch(&[other])),
    })
    .fails(&["no_value"])
    .doc("The value. After `x.hasValue() ?` it cannot fail.")
    .examples(&[
        ("{'a': 1}.?a.value()", "1"),
        ("{'a': 1}.?b.value()", "fails no_value"),
    ]),
    Function::built("optional(V).or(optional(V)) -> optional(V)", |args| {
        Node::OptOr(args.into())
    })
    .doc("This, if it has a value; else the other, which is evaluated only then.")
    .examples(&[("optional.none().or(optional.of(2)).value()", "2")]),
    Function::built("optional(V).orValue(V) -> V", |args| {
        Node::OptOrValue(args.into())
    })
    .doc("The value; else the other, which is evaluated only then.")
    .examples(&[
        ("{'a': 1}.?a.orValue(7)", "1"),
        ("{'a': 1}.?b.orValue(7)", "7"),
    ]),
    Function::new("optional.unwrap(list(optional(V))) -> list(V)", unwrap)
        .fails(&["expression_limit"])
        .doc("The values of those that have one.")
        .examples(&[("optional.unwrap([optional.of(1), optional.none()])", "[1]")]),
    Function::new("list(optional(V)).unwrapOpt() -> list(V)", unwrap)
        .fails(&["expression_limit"])
        .doc("The values of those that have one.")
        .examples(&[("[optional.of(1), optional.none()].unwrapOpt()", "[1]")]),
];

/// The value in an optional.
pub(in super::super) fn some<'a>(run: &Run<'_, 'a>, val: Val<'a>) -> Val<'a> {
    Val::Optional(Some(run.cx.bump.alloc(val)))
}

fn no_value() -> EvalFault {
    EvalFault::new("no_value", "an optional value is not there")
}

/// Whether a value is the zero of its type.
fn is_zero(val: Val) -> bool {
    match val {
        Val::Null | Val::Bool(false) | Val::Int(0) | Val::Uint(0) | Val::Duration(0, 0) => true,
        Val::Double(v) => v == 0.0,
        Val::Decimal(v) => v.unscaled == 0,
        Val::Str(text) => text.is_empty(),
        Val::Bytes(bytes) => bytes.is_empty(),
        Val::List(items) => items.is_empty(),
        Val::Map(items) => items.is_empty(),
        Val::Optional(inner) => inner.is_none(),
        Val::Bool(true)
        | Val::Int(_)
        | Val::Uint(_)
        | Val::Duration(..)
        | Val::Timestamp(..)
        | Val::Type(_) => false,
    }
}

fn unwrap<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let Val::List(items) = args[0] else {
        return Err(mismatch(args));
    };
    run.spend(size_of_val(items))?;
    let mut out = BumpVec::with_capacity_in(items.len(), run.cx.bump);
    for item in items {
        match item {
            Val::Optional(inner) => out.extend(inner.copied()),
            other => return Err(mismatch(&[*other])),
        }
    }
    Ok(Val::List(out.into_bump_slice()))
}
