//! Lists and sets: the extensions of cel-go.

use std::cmp::Ordering;

use bumpalo::collections::Vec as BumpVec;

use super::super::EvalFault;
use super::super::eval::{Result, Run, mismatch, weight};
use super::super::value::{compare, equal};
use super::needs::{Need, Of};
use super::{Family, Function};
use crate::codec::Val;

const LIMIT: &[&str] = &["expression_limit"];
const SORTED: &[&str] = &["expression_limit", "no_such_overload"];
/// Elements that `lists.range` makes; the budget of bytes ends sooner for most of what is done with them.
const RANGE_MAX: i64 = 500_000;

pub(super) static FAMILY: Family = Family {
    title: "Lists and sets",
    intro: "A set is a list whose order and repetitions do not matter.",
    functions: &[
        Function::new("list(A).slice(int, int) -> list(A)", slice)
            .fails(&["index_out_of_range"])
            .needs(&[Need("index_out_of_range", Of::Positions(&[1, 2]))])
            .doc("The elements from a position up to another, which is not part of it.")
            .examples(&[("[1, 2, 3, 4].slice(1, 3)", "[2, 3]"), ("[1].slice(1, 2)", "fails index_out_of_range")]),
        Function::new("list(list(A)).flatten() -> list(A)", flatten)
            .fails(LIMIT)
            .doc("The elements of the lists in a list.")
            .examples(&[("[[1], [2, 3]].flatten()", "[1, 2, 3]")]),
        Function::new("list(dyn).flatten() -> list(dyn)", flatten)
            .fails(LIMIT)
            .doc("The elements, those that are lists replaced by their elements.")
            .examples(&[("[1, dyn([2, [3]])].flatten()", "[dyn(1), 2, [3]]")]),
        Function::new("list(dyn).flatten(int) -> list(dyn)", flatten)
            .fails(&["bad_argument", "expression_limit"])
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The same for lists in lists, so many levels deep.")
            .examples(&[("[dyn(1), [2, [3, [4]]]].flatten(2)", "[dyn(1), 2, 3, [4]]")]),
        Function::new("list(O).sort() -> list(O)", sort)
            .fails(SORTED)
            .needs(&[Need("no_such_overload", Of::Types)])
            .doc("The elements in ascending order.")
            .examples(&[("[3, 1, 2].sort()", "[1, 2, 3]"), ("['b', 'a'].sort()", "['a', 'b']")]),
        Function::new("list(A).sortBy(list(O)) -> list(A)", sort_by)
            .shown("list(A).sortBy(x, O) -> list(A)")
            .fails(SORTED)
            .needs(&[Need("no_such_overload", Of::Types)])
            .doc("The elements in the order of a key that is computed for each of them; `x` is the name of a variable.")
            .examples(&[("['bbb', 'a', 'cc'].sortBy(s, s.size())", "['a', 'cc', 'bbb']")]),
        Function::new("list(A).distinct() -> list(A)", distinct)
            .fails(LIMIT)
            .doc("The elements without repetitions, each where it stands first.")
            .examples(&[("[1, 2, 2, 1].distinct()", "[1, 2]")]),
        Function::new("list(A).reverse() -> list(A)", reverse)
            .fails(LIMIT)
            .doc("The elements from the last to the first.")
            .examples(&[("[1, 2, 3].reverse()", "[3, 2, 1]")]),
        Function::new("list(A).first() -> optional(A)", first)
            .fails(LIMIT)
            .doc("The first element, if there is one.")
            .examples(&[("[1, 2].first() == [1].last()", "true")]),
        Function::new("list(A).last() -> optional(A)", last)
            .fails(LIMIT)
            .doc("The last element, if there is one.")
            .examples(&[("[1, 2].last() == [2].last()", "true")]),
        Function::new("lists.range(int) -> list(int)", range)
            .fails(&["bad_argument", "expression_limit"])
            .needs(&[Need("bad_argument", Of::Whole(0, 0, i64::MAX)), Need("expression_limit", Of::Bounded(0))])
            .doc("The numbers from 0 up to one, which is not part of it.")
            .examples(&[("lists.range(3)", "[0, 1, 2]"), ("lists.range(-1)", "fails bad_argument")]),
        Function::new("sets.contains(list(A), list(A)) -> bool", contains)
            .fails(LIMIT)
            .doc("Whether the first set has all elements of the second.")
            .examples(&[("sets.contains([1, 2, 3], [2, 3])", "true"), ("sets.contains([1], [1.0, 2])", "false")]),
        Function::new("sets.equivalent(list(A), list(A)) -> bool", equivalent)
            .fails(LIMIT)
            .doc("Whether the sets have the same elements.")
            .examples(&[("sets.equivalent([1, 1, 2], [2, 1])", "true")]),
        Function::new("sets.intersects(list(A), list(A)) -> bool", intersects)
            .fails(LIMIT)
            .doc("Whether the sets have an element in common.")
            .examples(&[("sets.intersects([1, 2], [2, 3])", "true"), ("sets.intersects([1], [])", "false")]),
    ],
};

fn slice<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items), Val::Int(from), Val::Int(to)] = args else {
        return Err(mismatch(args));
    };
    let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
    range
        .and_then(|(from, to)| items.get(from..to))
        .map(Val::List)
        .ok_or_else(|| EvalFault::new("index_out_of_range", "a part is not within the list"))
}

fn flatten<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (items, depth) = match args {
        [Val::List(items)] => (*items, 1),
        [Val::List(items), Val::Int(depth)] => (*items, *depth),
        other => return Err(mismatch(other)),
    };
    if depth < 0 {
        let message = "a list cannot be flattened by a negative number of levels";
        return Err(EvalFault::new("bad_argument", message));
    }
    let mut out = BumpVec::new_in(run.cx.bump);
    flatten_into(&mut out, items, depth, run)?;
    Ok(Val::List(out.into_bump_slice()))
}

/// Values are as deep as expressions and records are, some dozens of levels.
fn flatten_into<'a>(
    out: &mut BumpVec<'a, Val<'a>>,
    items: &'a [Val<'a>],
    depth: i64,
    run: &Run<'_, 'a>,
) -> Result<()> {
    run.step(items.len())?;
    for item in items {
        match item {
            Val::List(inner) if depth > 0 => flatten_into(out, inner, depth - 1, run)?,
            other => {
                run.spend(size_of::<Val>())?;
                out.push(*other);
            }
        }
    }
    Ok(())
}

/// The order of values of one type, total.
fn ordering(a: Val, b: Val) -> Ordering {
    match (a, b) {
        (Val::Double(a), Val::Double(b)) => a.total_cmp(&b),
        (a, b) => compare(a, b).unwrap_or(Ordering::Equal),
    }
}

/// 1.0 and 1.00 are equal; which comes first must not be left to chance.
fn scale(val: Val) -> u32 {
    match val {
        Val::Decimal(decimal) => decimal.scale,
        _ => 0,
    }
}

/// Whether values have an order among each other: they are of one type.
fn has_order(items: &[Val]) -> bool {
    let plain = |val: &Val| {
        !matches!(
            val,
            Val::Null | Val::List(_) | Val::Map(_) | Val::Type(_) | Val::Optional(_)
        )
    };
    let alike = |pair: &[Val]| std::mem::discriminant(&pair[0]) == std::mem::discriminant(&pair[1]);
    items.iter().all(plain) && items.windows(2).all(alike)
}

/// Steps of sorting.
fn sorting_steps(len: usize) -> usize {
    len.saturating_mul(len.checked_ilog2().unwrap_or(0) as usize + 1)
}

fn sort<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items)] = args else {
        return Err(mismatch(args));
    };
    if !has_order(items) {
        return Err(mismatch(args));
    }
    run.step(sorting_steps(items.len()))?;
    run.spend(size_of_val(*items))?;
    let sorted = run.cx.bump.alloc_slice_copy(items);
    sorted.sort_unstable_by(|a, b| ordering(*a, *b).then(scale(*a).cmp(&scale(*b))));
    Ok(Val::List(sorted))
}

fn sort_by<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items), Val::List(keys)] = args else {
        return Err(mismatch(args));
    };
    if !has_order(keys) || items.len() != keys.len() {
        return Err(mismatch(args));
    }
    run.step(sorting_steps(items.len()))?;
    let order = in_order(keys, run)?;
    run.spend(size_of_val(*items))?;
    let sorted = order.iter().map(|at| items[*at]);
    Ok(Val::List(run.cx.bump.alloc_slice_fill_iter(sorted)))
}

/// The places of values in ascending order; of equal ones, the first comes first.
fn in_order<'a>(vals: &[Val<'a>], run: &Run<'_, 'a>) -> Result<&'a [usize]> {
    run.spend(vals.len() * size_of::<usize>())?;
    let order = run.cx.bump.alloc_slice_fill_with(vals.len(), |at| at);
    order.sort_unstable_by(|a, b| ordering(vals[*a], vals[*b]).then(a.cmp(b)));
    Ok(order)
}

fn distinct<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items)] = args else {
        return Err(mismatch(args));
    };
    run.spend(size_of_val(*items))?;
    let mut out = BumpVec::with_capacity_in(items.len(), run.cx.bump);
    // NaN is not equal to itself, so doubles are compared one by one.
    if has_order(items) && !matches!(items.first(), Some(Val::Double(_))) {
        run.step(sorting_steps(items.len()))?;
        let order = in_order(items, run)?;
        let repeated = run.cx.bump.alloc_slice_fill_copy(items.len(), false);
        for pair in order.windows(2) {
            repeated[pair[1]] = equal(items[pair[0]], items[pair[1]]);
        }
        let once = items
            .iter()
            .zip(repeated)
            .filter(|(_, repeated)| !**repeated);
        out.extend(once.map(|(item, _)| *item));
    } else {
        for item in *items {
            if !has(run, &out, *item)? {
                out.push(*item);
            }
        }
    }
    Ok(Val::List(out.into_bump_slice()))
}

fn reverse<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items)] = args else {
        return Err(mismatch(args));
    };
    run.spend(size_of_val(*items))?;
    let reversed = items.iter().rev().copied();
    Ok(Val::List(run.cx.bump.alloc_slice_fill_iter(reversed)))
}

fn first<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items)] = args else {
        return Err(mismatch(args));
    };
    optional(run, items.first())
}

fn last<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(items)] = args else {
        return Err(mismatch(args));
    };
    optional(run, items.last())
}

fn optional<'a>(run: &Run<'_, 'a>, val: Option<&'a Val<'a>>) -> Result<Val<'a>> {
    run.spend(size_of::<Val>())?;
    Ok(Val::Optional(val))
}

fn range<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Int(end)] = args else {
        return Err(mismatch(args));
    };
    if *end < 0 {
        let message = "a list cannot have a negative number of elements";
        return Err(EvalFault::new("bad_argument", message));
    }
    let len = (*end).min(RANGE_MAX + 1) as usize;
    run.step(len)?;
    // One more than the limit is more than the budget.
    run.spend(if *end > RANGE_MAX {
        usize::MAX
    } else {
        len * size_of::<Val>()
    })?;
    let numbers = run
        .cx
        .bump
        .alloc_slice_fill_with(len, |at| Val::Int(at as i64));
    Ok(Val::List(numbers))
}

/// Whether a list has an element.
fn has(run: &Run<'_, '_>, items: &[Val], item: Val) -> Result<bool> {
    run.step(items.len().saturating_mul(1 + weight(item)))?;
    Ok(items.iter().any(|one| equal(*one, item)))
}

fn has_all(run: &Run<'_, '_>, items: &[Val], all: &[Val]) -> Result<bool> {
    for one in all {
        if !has(run, items, *one)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn contains<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::List(a), Val::List(b)] => Ok(Val::Bool(has_all(run, a, b)?)),
        other => Err(mismatch(other)),
    }
}

fn equivalent<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::List(a), Val::List(b)] => Ok(Val::Bool(has_all(run, a, b)? && has_all(run, b, a)?)),
        other => Err(mismatch(other)),
    }
}

fn intersects<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::List(a), Val::List(b)] = args else {
        return Err(mismatch(args));
    };
    for one in *b {
        if has(run, a, *one)? {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}
