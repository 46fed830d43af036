//! The reference of all functions, made from the table.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{FAMILIES, Function, Signature};
use crate::schema::names;

const INTRO: &str = include_str!("../language_intro.md");
/// The same idioms in other languages; what stands in the last column is compiled by a test.
pub(super) const IDIOMS: &str = include_str!("../language_idioms.md");
const CORE: &str = include_str!("../language_core.md");

/// `docs/LANGUAGE.md`: how to read it, the core of the language, then families and functions, each with its types, what it can fail with, and
/// examples that a test runs.
pub fn reference() -> String {
    let mut out = format!("{INTRO}{CORE}{}", names::reference());
    for family in FAMILIES {
        let _ = write!(out, "\n## {}\n\n{}\n", family.title, family.intro);
        // By name, in the order of the table.
        let mut order = Vec::new();
        let mut names: BTreeMap<&str, Vec<&Function>> = BTreeMap::new();
        for function in family.functions {
            let name = Signature::parse(function.signature).map_or("", |signature| signature.name);
            if !names.contains_key(name) {
                order.push(name);
            }
            names.entry(name).or_default().push(function);
        }
        for name in order {
            let _ = write!(out, "\n### `{name}`\n\n");
            for function in &names[name] {
                entry(&mut out, function);
            }
        }
    }
    out.push_str(IDIOMS);
    out
}

fn entry(out: &mut String, function: &Function) {
    let _ = write!(out, "- `{}`  \n  {}", function.written(), function.doc);
    if !function.fails.is_empty() {
        let reasons: Vec<_> = function
            .fails
            .iter()
            .map(|one| format!("`{one}`"))
            .collect();
        let _ = write!(out, " Can fail: {}.", reasons.join(", "));
    }
    for (at, (text, value)) in function.examples.iter().enumerate() {
        let separator = if at == 0 { "  \n  " } else { ", " };
        let _ = match value.strip_prefix("fails ") {
            Some(reason) => write!(out, "{separator}`{text}` fails with `{reason}`"),
            None => write!(out, "{separator}`{text}` is `{value}`"),
        };
    }
    out.push('\n');
}
