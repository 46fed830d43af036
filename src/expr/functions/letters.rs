//! Text beyond CEL: case, white space, padding.

use super::super::eval::{Result, Run, mismatch};
use super::super::{Const, EvalFault};
use super::needs::{Need, Of};
use super::prepared::Prepared;
use super::{Family, Function, Prepare, Unfit};
use crate::codec::Val;

const LIMIT: &[&str] = &["expression_limit"];
const PADS: &[&str] = &["bad_argument", "expression_limit"];
/// What padding needs.
const PADDED: &[Need] = &[
    Need("bad_argument", Of::Constant(2)),
    Need("expression_limit", Of::Bounded(1)),
];

/// What a text is padded with, as the third argument.
const ONE_SIGN: Prepare = Prepare {
    arg: 2,
    make: one_sign,
    rules_out: &[],
};

pub(super) static FAMILY: Family = Family {
    title: "Case, white space, padding",
    intro: "Characters are code points.",
    functions: &[
    Function::new("string.lower() -> string", lower)
        .fails(LIMIT)
        .doc("The text in lower case, as Unicode has it.")
        .examples(&[("'ÄRGER'.lower()", "'ärger'")]),
    Function::new("string.upper() -> string", upper)
        .fails(LIMIT)
        .doc("The text in upper case, as Unicode has it; it may grow.")
        .examples(&[("'straße'.upper()", "'STRASSE'")]),
    Function::new("string.title() -> string", title)
        .fails(LIMIT)
        .doc("The text with the first letter of each word in upper case and the others in lower case.")
        .examples(&[("'o nEILL-smith'.title()", "'O Neill-Smith'")]),
    Function::new("string.trimStart() -> string", trim_start)
        .doc("The text without white space at its start.")
        .examples(&[("'  a '.trimStart()", "'a '")]),
    Function::new("string.trimEnd() -> string", trim_end)
        .doc("The text without white space at its end.")
        .examples(&[("' a  '.trimEnd()", "' a'")]),
    Function::new("string.removePrefix(string) -> string", remove_prefix)
        .doc("The text without a part it begins with; the text itself if it does not.")
        .examples(&[("'shop.orders'.removePrefix('shop.')", "'orders'")]),
    Function::new("string.removeSuffix(string) -> string", remove_suffix)
        .doc("The text without a part it ends with; the text itself if it does not.")
        .examples(&[("'a.txt'.removeSuffix('.txt')", "'a'")]),
    Function::new("string.collapse() -> string", collapse)
        .fails(LIMIT)
        .doc("The text with a single space for each run of white space, and none at its ends.")
        .examples(&[("'  a \\n  b '.collapse()", "'a b'")]),
    Function::new("string.padStart(int, string) -> string", pad_start)
        .fails(PADS)
        .checks(&[ONE_SIGN])
        .needs(PADDED)
            .doc("The text with one character in front as often as it needs to have so many characters.")
        .examples(&[("'42'.padStart(5, '0')", "'00042'")]),
    Function::new("string.padEnd(int, string) -> string", pad_end)
        .fails(PADS)
        .checks(&[ONE_SIGN])
        .needs(PADDED)
            .doc("The text with one character behind it as often as it needs to have so many characters.")
        .examples(&[("'ab'.padEnd(4, '.')", "'ab..'")]),
    Function::new("string.truncate(int) -> string", truncate)
        .fails(&["bad_argument"])
        .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The first so many characters, or the text if it has no more.")
        .examples(&[("'héllo'.truncate(2)", "'hé'"), ("'a'.truncate(9)", "'a'")]),
    Function::new("string.isBlank() -> bool", is_blank)
        .doc("Whether the text is empty or white space only.")
        .examples(&[("' \\t'.isBlank()", "true")]),
    ],
};

/// Functions of a text that give a part of it.
macro_rules! parts {
    ($($name:ident: |$text:ident| $part:expr;)*) => {$(
        fn $name<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
            match args {
                [Val::Str($text)] => Ok($part),
                other => Err(mismatch(other)),
            }
        }
    )*};
}

parts! {
    trim_start: |text| Val::Str(text.trim_start());
    trim_end: |text| Val::Str(text.trim_end());
    is_blank: |text| Val::Bool(text.trim().is_empty());
}

/// The longest that a character becomes when its case changes is three characters.
const GROWTH: usize = 3;

fn lower<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    if text.is_ascii() {
        return run.text(text.len(), |out| {
            out.push_str(text);
            out.make_ascii_lowercase();
        });
    }
    run.spend(GROWTH * text.len())?;
    // Of a whole text, because a sigma at the end of a word has a form of its own.
    Ok(Val::Str(run.cx.bump.alloc_str(&text.to_lowercase())))
}

fn upper<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    if text.is_ascii() {
        return run.text(text.len(), |out| {
            out.push_str(text);
            out.make_ascii_uppercase();
        });
    }
    run.text(GROWTH * text.len(), |out| {
        out.extend(text.chars().flat_map(char::to_uppercase));
    })
}

fn title<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    run.text(GROWTH * text.len(), |out| {
        let mut in_word = false;
        for sign in text.chars() {
            match in_word {
                true => out.extend(sign.to_lowercase()),
                false => out.extend(sign.to_uppercase()),
            }
            // An apostrophe is within a word.
            in_word = sign.is_alphanumeric() || in_word && matches!(sign, '\'' | '’');
        }
    })
}

fn remove_prefix<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text), Val::Str(part)] => Ok(Val::Str(text.strip_prefix(part).unwrap_or(text))),
        other => Err(mismatch(other)),
    }
}

fn remove_suffix<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text), Val::Str(part)] => Ok(Val::Str(text.strip_suffix(part).unwrap_or(text))),
        other => Err(mismatch(other)),
    }
}

fn collapse<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    run.text(text.len(), |out| {
        for (at, word) in text.split_whitespace().enumerate() {
            if at > 0 {
                out.push(' ');
            }
            out.push_str(word);
        }
    })
}

/// The text, and what is to be put beside it: a character, and how often.
fn padding<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<(&'a str, char, usize)> {
    let [Val::Str(text), Val::Int(width), Val::Str(with)] = args else {
        return Err(mismatch(args));
    };
    let mut signs = with.chars();
    let (Some(sign), None) = (signs.next(), signs.next()) else {
        let message = "a text is padded with one character";
        return Err(EvalFault::new("bad_argument", message));
    };
    let count = text.chars().count();
    let missing = usize::try_from(*width).unwrap_or(0).saturating_sub(count);
    run.spend(missing.saturating_mul(sign.len_utf8()))?;
    Ok((text, sign, missing))
}

fn pad_start<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (text, sign, missing) = padding(run, args)?;
    run.text(text.len(), |out| {
        out.extend(std::iter::repeat_n(sign, missing));
        out.push_str(text);
    })
}

fn pad_end<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let (text, sign, missing) = padding(run, args)?;
    run.text(text.len(), |out| {
        out.push_str(text);
        out.extend(std::iter::repeat_n(sign, missing));
    })
}

fn truncate<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Int(count)] = args else {
        return Err(mismatch(args));
    };
    let count = usize::try_from(*count)
        .map_err(|_| EvalFault::new("bad_argument", "a text has no negative length"))?;
    let end = text
        .char_indices()
        .nth(count)
        .map_or(text.len(), |(at, _)| at);
    Ok(Val::Str(&text[..end]))
}

fn one_sign(text: &Const) -> std::result::Result<Prepared, Unfit> {
    match text {
        Const::Str(text) if text.chars().count() != 1 => Err(Unfit {
            code: "bad_constant",
            message: format!(
                "a text is padded with one character, \"{text}\" has {}",
                text.chars().count()
            ),
            help: "write one character: \"0\"".into(),
        }),
        _ => Ok(Prepared::Good),
    }
}
