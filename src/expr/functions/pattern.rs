//! Patterns: `matches`, and the regex extension of cel-go. The engine is linear in the text.

use std::borrow::Cow;

use bumpalo::collections::Vec as BumpVec;

use super::super::eval::{Result, Run, mismatch};
use super::super::{Const, EvalFault};
use super::needs::{Fails, Given, Need, Of};
use super::prepared::{self, Pattern, Prepared};
use super::{Family, Function, Prepare, Unfit};
use crate::codec::Val;

/// Bytes of a pattern, and of what it is compiled to, that is not a constant: it is compiled for every record.
const DYNAMIC_PATTERN_MAX: (usize, usize) = (256, 64 << 10);
/// Steps that compiling a pattern counts for.
const DYNAMIC_PATTERN_STEPS: usize = 20_000;

/// A pattern as the second argument.
const PATTERN: Prepare = Prepare {
    arg: 1,
    make: prepared::pattern,
    rules_out: &["bad_pattern"],
};

/// The same, with at most one group.
const ONE_GROUP: Prepare = Prepare {
    arg: 1,
    make: one_group,
    rules_out: &["bad_pattern"],
};

const FAILS: &[&str] = &["bad_pattern", "expression_limit"];
const REPLACES: &[&str] = &["bad_pattern", "bad_argument", "expression_limit"];

pub(super) static FAMILY: Family = Family {
    title: "Patterns",
    intro: "The syntax is RE2's: no look-around, no back-references; `\\C` (a single byte) is refused, since texts are searched by characters; `\\d`, `\\w`, `\\s` and `\\b` know ASCII only, `\\pL` and `\\p{Nd}` all letters and \
            digits. A constant pattern is compiled when the topology is checked; one that \
            is not constant has at most 256 bytes and is compiled for every record. A pattern has at most 1000 characters, repetitions written out. \
            A search counts as a step for each eight bytes of the text where the pattern has up to twelve, else as one for each of its characters and each \
            byte; `extractAll` and `replace` search once more behind each find, and look as far as the pattern can reach.",
    functions: &[
        Function::with("string.matches(string) -> bool", PATTERN, matches)
            .fails(FAILS)
            .doc("Whether a pattern is found in the text.")
            .examples(&[("'foobar'.matches('o+b')", "true"), ("'foobar'.matches('^o')", "false")]),
        Function::with("matches(string, string) -> bool", PATTERN, matches)
            .fails(FAILS)
            .doc("Whether a pattern is found in a text.")
            .examples(&[("matches('foobar', 'o+b')", "true")]),
        Function::with("regex.extract(string, string) -> optional(string)", ONE_GROUP, extract)
            .fails(FAILS)
            .doc("What the pattern finds first, or what its group finds, if it has one; nothing if the group took no part or is empty there.")
            .examples(&[
                ("regex.extract('item-42', 'item-([0-9]+)') == ['42'].first()", "true"),
                ("regex.extract('item', '[0-9]+') == [].first()", "true"),
                ("regex.extract('item-', 'item-([0-9]*)').hasValue()", "false"),
            ]),
        Function::with("regex.extractAll(string, string) -> list(string)", ONE_GROUP, extract_all)
            .fails(FAILS)
            .doc("All that the pattern finds, or its group, if it has one, where that took part and is not empty.")
            .examples(&[
                ("regex.extractAll('id:1, id:22', 'id:([0-9]+)')", "['1', '22']"),
                ("regex.extractAll('v=a, v=, v=c', 'v=([a-z]*)')", "['a', 'c']"),
            ]),
        Function::with("regex.replace(string, string, string) -> string", PATTERN, replace)
            .fails(REPLACES)
            .needs(&[Need("bad_argument", Of::Together(groups))])
            .doc("The text with all that the pattern finds replaced; `\\1` is what the first group found, `\\0` all.")
            .examples(&[(r"regex.replace('2024-01-31', '([0-9]+)-([0-9]+)-([0-9]+)', r'\3.\2.\1')", "'31.01.2024'")]),
        Function::with("regex.replace(string, string, string, int) -> string", PATTERN, replace)
            .fails(REPLACES)
            .needs(&[Need("bad_argument", Of::Together(groups))])
            .doc("The same for at most so many places; for all if the number is negative.")
            .examples(&[("regex.replace('banana', 'a', 'x', 2)", "'bxnxna'")]),
    ],
};

/// A pattern with at most one group.
fn one_group(text: &Const) -> std::result::Result<Prepared, Unfit> {
    let prepared = prepared::pattern(text)?;
    match &prepared {
        Prepared::Pattern(pattern) if pattern.captures_len() > 2 => Err(Unfit {
            code: "bad_pattern",
            message: format!(
                "the pattern has {} groups, and only one can be extracted",
                pattern.captures_len() - 1
            ),
            help: "write `(?:…)` around what is not to be extracted".into(),
        }),
        _ => Ok(prepared),
    }
}

/// The pattern of a call, which is compiled now if it is not a constant.
fn compiled<'p>(
    run: &Run<'_, '_>,
    text: &str,
    pattern: &str,
    prepared: Option<&'p Prepared>,
) -> Result<Cow<'p, Pattern>> {
    if let Some(Prepared::Pattern(pattern)) = prepared {
        run.step(pattern.steps(text.len()))?;
        return Ok(Cow::Borrowed(pattern));
    }
    let (length_max, bytes_max) = DYNAMIC_PATTERN_MAX;
    run.step(DYNAMIC_PATTERN_STEPS)?;
    let compiled = match pattern.len() <= length_max {
        true => prepared::compile(pattern, bytes_max).ok(),
        false => None,
    };
    let compiled = compiled.ok_or_else(bad_pattern)?;
    run.step(compiled.steps(text.len()))?;
    Ok(Cow::Owned(compiled))
}

fn bad_pattern() -> EvalFault {
    let message = "a text is not a pattern, or one that is too large or has too many groups";
    EvalFault::new("bad_pattern", message)
}

fn matches<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Str(pattern)] = args else {
        return Err(mismatch(args));
    };
    let pattern = compiled(run, text, pattern, prepared)?;
    Ok(Val::Bool(pattern.is_match(text)))
}

fn extract<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Str(pattern)] = args else {
        return Err(mismatch(args));
    };
    let text: &'a str = text;
    let pattern = compiled(run, text, pattern, prepared)?;
    if pattern.captures_len() > 2 {
        return Err(bad_pattern());
    }
    let found = match pattern.captures_len() {
        1 => pattern.find(text),
        _ => pattern.captures(text).and_then(|found| group(&found)),
    };
    run.spend(size_of::<Val>())?;
    let bump = run.cx.bump;
    Ok(Val::Optional(
        found.map(|found| &*bump.alloc(Val::Str(&text[found.range()]))),
    ))
}

/// What the only group found; one that is empty found nothing.
fn group<'t>(found: &regex::Captures<'t>) -> Option<regex::Match<'t>> {
    found.get(1).filter(|found| !found.is_empty())
}

fn extract_all<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Str(pattern)] = args else {
        return Err(mismatch(args));
    };
    let text: &'a str = text;
    let pattern = compiled(run, text, pattern, prepared)?;
    let mut out = BumpVec::new_in(run.cx.bump);
    let mut push = |found: regex::Match| {
        run.spend(2 * size_of::<Val>())?;
        out.push(Val::Str(&text[found.range()]));
        run.step(pattern.steps_again(text.len() - found.end()))
    };
    match pattern.captures_len() {
        1 => pattern.find_iter(text).try_for_each(&mut push)?,
        2 => {
            for found in pattern.captures_iter(text) {
                let whole = found.get_match();
                run.step(pattern.steps_of_groups(whole.len()))?;
                match group(&found) {
                    Some(found) => push(found)?,
                    None => run.step(pattern.steps_again(text.len() - whole.end()))?,
                }
            }
        }
        _ => return Err(bad_pattern()),
    }
    Ok(Val::List(out.into_bump_slice()))
}

fn replace<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let (text, pattern, new, limit) = match args {
        [Val::Str(text), Val::Str(pattern), Val::Str(new)] => (*text, *pattern, *new, -1),
        [
            Val::Str(text),
            Val::Str(pattern),
            Val::Str(new),
            Val::Int(limit),
        ] => (*text, *pattern, *new, *limit),
        other => return Err(mismatch(other)),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let pattern = compiled(run, text, pattern, prepared)?;
    let bad = || {
        let message = "a replacement names a group that the pattern does not have";
        EvalFault::new("bad_argument", message)
    };
    // Checked before the text is looked at, so that the outcome does not depend on it.
    for part in Parts(new) {
        if let Part::Group(group) = part.ok_or_else(bad)?
            && group >= pattern.captures_len()
        {
            return Err(bad());
        }
    }
    if limit == 0 || !pattern.is_match(text) {
        return Ok(Val::Str(text));
    }
    let mut out = bumpalo::collections::String::new_in(run.cx.bump);
    let mut from = 0;
    for found in pattern.captures_iter(text).take(limit) {
        let Some(whole) = found.get(0) else { continue };
        let mut push = |part: &str| {
            // The text grows by doubling.
            run.spend(2 * part.len() + 1)?;
            out.push_str(part);
            Ok(())
        };
        push(&text[from..whole.start()])?;
        for part in Parts(new).flatten() {
            match part {
                Part::Text(part) => push(part)?,
                Part::Group(group) => push(found.get(group).map_or("", |found| found.as_str()))?,
            }
        }
        from = whole.end();
        run.step(pattern.steps_of_groups(whole.len()))?;
        run.step(pattern.steps_again(text.len() - from))?;
    }
    run.spend(2 * (text.len() - from))?;
    out.push_str(&text[from..]);
    Ok(Val::Str(out.into_bump_str()))
}

enum Part<'t> {
    Text(&'t str),
    Group(usize),
}

/// The parts of a replacement; `None` for a backslash before anything but a digit and a backslash.
struct Parts<'t>(&'t str);

impl<'t> Iterator for Parts<'t> {
    type Item = Option<Part<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0;
        let Some(escaped) = rest.strip_prefix('\\') else {
            if rest.is_empty() {
                return None;
            }
            let end = rest.find('\\').unwrap_or(rest.len());
            self.0 = &rest[end..];
            return Some(Some(Part::Text(&rest[..end])));
        };
        let part = match escaped.as_bytes().first() {
            Some(b'\\') => Part::Text("\\"),
            Some(digit @ b'0'..=b'9') => Part::Group(usize::from(digit - b'0')),
            _ => {
                self.0 = "";
                return Some(None);
            }
        };
        self.0 = &escaped[1..];
        Some(Some(part))
    }
}

/// Whether a replacement names groups only that the pattern has.
fn groups(given: &Given) -> Fails {
    let (Some(Prepared::Pattern(pattern)), Some(Const::Str(new))) =
        (given.prepared(), given.constant(2))
    else {
        return Fails::Perhaps;
    };
    let fits = Parts(new).all(|part| match part {
        Some(Part::Group(group)) => group < pattern.captures_len(),
        Some(Part::Text(_)) => true,
        None => false,
    });
    match fits {
        true => Fails::Never,
        false => Fails::Always,
    }
}
