//! Text: CEL's strings extension.

use bumpalo::collections::Vec as BumpVec;
use memchr::memmem;

use super::super::EvalFault;
use super::super::eval::{Result, Run, mismatch};
use super::super::proof::Number;
use super::needs::{Given, Gives, Need, Of};
use super::{Family, Function};
use crate::codec::Val;

const INDEX: &[&str] = &["index_out_of_range"];
const LIMIT: &[&str] = &["expression_limit"];

pub(super) static FAMILY: Family = Family {
    title: "Text",
    intro: "Positions are counted in characters (code points), from 0.",
    functions: &[
        super::format::FORMAT,
        super::format::QUOTE,
        Function::new("string.reverse() -> string", reverse)
            .fails(LIMIT)
            .doc("The characters from the last to the first.")
            .examples(&[("'gums'.reverse()", "'smug'")]),
        Function::new("string.contains(string) -> bool", contains)
            .doc("Whether a part is in the text.")
            .examples(&[("'abc'.contains('bc')", "true")]),
        Function::new("string.startsWith(string) -> bool", starts_with)
            .doc("Whether the text begins with a part.")
            .examples(&[("'abc'.startsWith('ab')", "true")]),
        Function::new("string.endsWith(string) -> bool", ends_with)
            .doc("Whether the text ends with a part.")
            .examples(&[("'abc'.endsWith('ab')", "false")]),
        Function::new("string.lowerAscii() -> string", lower_ascii)
            .fails(LIMIT)
            .doc("The text with the letters A to Z in lower case.")
            .examples(&[("'TacoCÆt'.lowerAscii()", "'tacocÆt'")]),
        Function::new("string.upperAscii() -> string", upper_ascii)
            .fails(LIMIT)
            .doc("The text with the letters a to z in upper case.")
            .examples(&[("'TacoCæt'.upperAscii()", "'TACOCæT'")]),
        Function::new("string.trim() -> string", trim)
            .doc("The text without white space at its ends.")
            .examples(&[("'  a b '.trim()", "'a b'")]),
        Function::new("string.charAt(int) -> string", char_at)
            .fails(INDEX)
            .needs(&[Need("index_out_of_range", Of::Positions(&[1]))])
            .doc("The character at a position; empty right behind the last one.")
            .examples(&[("'hello'.charAt(4)", "'o'"), ("'hello'.charAt(5)", "''"), ("'hello'.charAt(-1)", "fails index_out_of_range")]),
        Function::new("string.indexOf(string) -> int", index_of)
            .gives(Gives::Number(places))
            .doc("The position of the first occurrence of a part, -1 without one.")
            .examples(&[("'hello mellow'.indexOf('ello')", "1"), ("'hello'.indexOf('x')", "-1")]),
        Function::new("string.indexOf(string, int) -> int", index_of)
            .fails(INDEX)
            .needs(&[Need("index_out_of_range", Of::Positions(&[2]))]).gives(Gives::Number(places))
            .doc("The position of the first occurrence from a position on.")
            .examples(&[("'hello mellow'.indexOf('ello', 2)", "7")]),
        Function::new("string.lastIndexOf(string) -> int", last_index_of)
            .gives(Gives::Number(places))
            .doc("The position of the last occurrence of a part, -1 without one.")
            .examples(&[("'hello mellow'.lastIndexOf('ello')", "7")]),
        Function::new("string.lastIndexOf(string, int) -> int", last_index_of)
            .fails(INDEX)
            .needs(&[Need("index_out_of_range", Of::Positions(&[2]))]).gives(Gives::Number(places))
            .doc("The position of the last occurrence that begins at a position or before it.")
            .examples(&[("'hello mellow'.lastIndexOf('ello', 6)", "1")]),
        Function::new("string.substring(int) -> string", substring)
            .fails(INDEX)
            .needs(&[Need("index_out_of_range", Of::Positions(&[1]))])
            .doc("The text from a position on.")
            .examples(&[("'tacocat'.substring(4)", "'cat'")]),
        Function::new("string.substring(int, int) -> string", substring)
            .fails(INDEX)
            .needs(&[Need("index_out_of_range", Of::Positions(&[1, 2]))])
            .doc("The text from a position up to another, which is not part of it.")
            .examples(&[("'tacocat'.substring(0, 4)", "'taco'"), ("'tacocat'.substring(2, 1)", "fails index_out_of_range")]),
        Function::new("string.replace(string, string) -> string", replace)
            .fails(LIMIT)
            .doc("The text with all occurrences of a part replaced.")
            .examples(&[("'hello hello'.replace('he', 'we')", "'wello wello'")]),
        Function::new("string.replace(string, string, int) -> string", replace)
            .fails(LIMIT)
            .doc("The text with at most so many occurrences replaced; all if the number is negative.")
            .examples(&[("'hello hello'.replace('he', 'we', 1)", "'wello hello'")]),
        Function::new("string.split(string) -> list(string)", split)
            .fails(LIMIT)
            .doc("The parts between a separator; the characters if the separator is empty.")
            .examples(&[("'a,b'.split(',')", "['a', 'b']")]),
        Function::new("string.split(string, int) -> list(string)", split)
            .fails(LIMIT)
            .doc("At most so many parts, the last with the rest; none for 0, all if the number is negative.")
            .examples(&[("'a,b,c'.split(',', 2)", "['a', 'b,c']")]),
        Function::new("list(string).join() -> string", join)
            .fails(LIMIT)
            .doc("The texts one behind the other.")
            .examples(&[("['a', 'b'].join()", "'ab'")]),
        Function::new("list(string).join(string) -> string", join)
            .fails(LIMIT)
            .doc("The texts with a separator between them.")
            .examples(&[("['a', 'b'].join('-')", "'a-b'")]),
    ],
};

fn contains<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(a), Val::Str(b)] => Ok(Val::Bool(a.contains(b))),
        other => Err(mismatch(other)),
    }
}

fn starts_with<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(a), Val::Str(b)] => Ok(Val::Bool(a.starts_with(b))),
        other => Err(mismatch(other)),
    }
}

fn ends_with<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(a), Val::Str(b)] => Ok(Val::Bool(a.ends_with(b))),
        other => Err(mismatch(other)),
    }
}

fn lower_ascii<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] if text.bytes().any(|b| b.is_ascii_uppercase()) => {
            run.text(text.len(), |out| {
                out.push_str(text);
                out.make_ascii_lowercase();
            })
        }
        [text @ Val::Str(_)] => Ok(*text),
        other => Err(mismatch(other)),
    }
}

fn upper_ascii<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] if text.bytes().any(|b| b.is_ascii_lowercase()) => {
            run.text(text.len(), |out| {
                out.push_str(text);
                out.make_ascii_uppercase();
            })
        }
        [text @ Val::Str(_)] => Ok(*text),
        other => Err(mismatch(other)),
    }
}

fn trim<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] => Ok(Val::Str(text.trim())),
        other => Err(mismatch(other)),
    }
}

fn char_at<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Int(at)] = args else {
        return Err(mismatch(args));
    };
    let rest = &text[byte_at(text, *at)?..];
    let len = rest.chars().next().map_or(0, char::len_utf8);
    Ok(Val::Str(&rest[..len]))
}

fn index_of<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (text, part, from) = match args {
        [Val::Str(text), Val::Str(part)] => (text, part, 0),
        [Val::Str(text), Val::Str(part), Val::Int(from)] => (text, part, byte_at(text, *from)?),
        other => return Err(mismatch(other)),
    };
    let found = text[from..].find(part).map(|at| at + from);
    Ok(Val::Int(index(text, found)))
}

fn last_index_of<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (text, part, end) = match args {
        [Val::Str(text), Val::Str(part)] => (text, part, text.len()),
        [Val::Str(text), Val::Str(part), Val::Int(last)] => {
            // The part may begin at `last`, so the text may go on for the length of the part.
            let end = (byte_at(text, *last)? + part.len()).min(text.len());
            let is_boundary = |at: &usize| text.is_char_boundary(*at);
            (text, part, (0..=end).rev().find(is_boundary).unwrap_or(0))
        }
        other => return Err(mismatch(other)),
    };
    Ok(Val::Int(index(text, text[..end].rfind(part))))
}

fn substring<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text), Val::Int(from)] => Ok(Val::Str(&text[byte_at(text, *from)?..])),
        [Val::Str(text), Val::Int(from), Val::Int(to)] => {
            let (from, to) = (byte_at(text, *from)?, byte_at(text, *to)?);
            text.get(from..to).map(Val::Str).ok_or_else(bad_index)
        }
        other => Err(mismatch(other)),
    }
}

fn replace<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (text, old, new, limit) = match args {
        [Val::Str(text), Val::Str(old), Val::Str(new)] => (text, old, new, -1),
        [
            Val::Str(text),
            Val::Str(old),
            Val::Str(new),
            Val::Int(limit),
        ] => (text, old, new, *limit),
        other => return Err(mismatch(other)),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if old.is_empty() {
        return replace_at(run, text, old, new, || {
            text.match_indices(old).map(|(at, _)| at).take(limit)
        });
    }
    // It finds single bytes and rare ones many at a time.
    let finder = memmem::Finder::new(old);
    replace_at(run, text, old, new, || {
        finder.find_iter(text.as_bytes()).take(limit)
    })
}

/// The text with `new` where `old` was found.
fn replace_at<'a, I: Iterator<Item = usize>>(
    run: &Run<'_, 'a>,
    text: &'a str,
    old: &str,
    new: &str,
    finds: impl Fn() -> I,
) -> Result<Val<'a>> {
    let found = finds().count();
    if found == 0 {
        return Ok(Val::Str(text));
    }
    let bytes = (text.len() + found.saturating_mul(new.len())).saturating_sub(found * old.len());
    run.text(bytes, |out| {
        let mut from = 0;
        for at in finds() {
            out.push_str(&text[from..at]);
            out.push_str(new);
            from = at + old.len();
        }
        out.push_str(&text[from..]);
    })
}

fn split<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (text, by, limit) = match args {
        [Val::Str(text), Val::Str(by)] => (*text, *by, -1),
        [Val::Str(text), Val::Str(by), Val::Int(limit)] => (*text, *by, *limit),
        other => return Err(mismatch(other)),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = BumpVec::new_in(run.cx.bump);
    let mut push = |part| {
        run.spend(size_of::<Val>())?;
        parts.push(Val::Str(part));
        Ok::<_, EvalFault>(())
    };
    if by.is_empty() {
        let mut rest = text;
        let mut count = 1;
        while let Some(c) = rest.chars().next().filter(|_| count < limit && limit > 0) {
            let (part, after) = rest.split_at(c.len_utf8());
            if after.is_empty() {
                break;
            }
            push(part)?;
            rest = after;
            count += 1;
        }
        if limit > 0 && !rest.is_empty() {
            push(rest)?;
        }
    } else {
        let mut from = 0;
        let finds = memmem::find_iter(text.as_bytes(), by);
        for at in finds.take(limit.saturating_sub(1)) {
            push(&text[from..at])?;
            from = at + by.len();
        }
        if limit > 0 {
            push(&text[from..])?;
        }
    }
    Ok(Val::List(parts.into_bump_slice()))
}

fn join<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (parts, by) = match args {
        [Val::List(parts)] => (*parts, ""),
        [Val::List(parts), Val::Str(by)] => (*parts, *by),
        other => return Err(mismatch(other)),
    };
    let mut bytes = by.len().saturating_mul(parts.len().saturating_sub(1));
    for part in parts {
        match part {
            Val::Str(text) => bytes += text.len(),
            other => return Err(mismatch(&[*other])),
        }
    }
    run.text(bytes, |out| {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.push_str(by);
            }
            if let Val::Str(text) = part {
                out.push_str(text);
            }
        }
    })
}

fn reverse<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] => run.text(text.len(), |out| out.extend(text.chars().rev())),
        other => Err(mismatch(other)),
    }
}

/// The byte where a character begins; the end of the text counts.
fn byte_at(text: &str, at: i64) -> Result<usize> {
    let at = usize::try_from(at).map_err(|_| bad_index())?;
    let mut bytes = text
        .char_indices()
        .map(|(byte, _)| byte)
        .chain([text.len()]);
    bytes.nth(at).ok_or_else(bad_index)
}

/// The number of the character at a byte, or -1.
fn index(text: &str, byte: Option<usize>) -> i64 {
    byte.map_or(-1, |byte| text[..byte].chars().count() as i64)
}

fn bad_index() -> EvalFault {
    EvalFault::new("index_out_of_range", "an index is outside of a text")
}

/// What the proof knows of a place in a text: -1 where there is none.
fn places(given: &Given) -> Option<Number> {
    Some(Number::whole(-1, given.size(0)?.high))
}
