//! The paths that a text names, for those who want to see their values, and the schemas that it needs.

use std::ops::Range;

use super::ast::{Ast, AstKind};
use super::{Const, parse};

/// The paths into `event`, `out`, `meta` and `vars` that an expression names, each once, in the order of the text; none of
/// what is not an expression. `event.after.tags[0]` names `event.after.tags`.
pub fn paths(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    if let Ok(ast) = parse::parse(text, true) {
        collect(&ast, &mut all);
    }
    all
}

/// The schemas that an expression reads JSON by, each with the bytes of its name.
pub fn schemas(text: &str) -> Vec<(String, Range<usize>)> {
    let mut all = Vec::new();
    if let Ok(ast) = parse::parse(text, true) {
        collect_schemas(&ast, &mut all);
    }
    all
}

fn collect_schemas(ast: &Ast, all: &mut Vec<(String, Range<usize>)>) {
    if let AstKind::Call { name, target, args } = &ast.kind
        && name == "parse"
        && target
            .as_ref()
            .is_some_and(|space| space.kind == AstKind::Ident("json".into()))
        && let [_, schema] = &args[..]
        && let AstKind::Literal(Const::Str(name)) = &schema.kind
    {
        all.push((name.to_string(), schema.span.0..schema.span.1));
    }
    let parts = ast.kind.parts().into_iter();
    parts.for_each(|part| collect_schemas(part, all));
}

fn collect(ast: &Ast, all: &mut Vec<String>) {
    match named(ast) {
        Some(path) if path.contains('.') => {
            if !all.contains(&path) {
                all.push(path);
            }
        }
        _ => ast
            .kind
            .parts()
            .into_iter()
            .for_each(|part| collect(part, all)),
    }
}

/// The path that a node is.
fn named(ast: &Ast) -> Option<String> {
    match &ast.kind {
        AstKind::Ident(name) if matches!(name.as_str(), "event" | "out" | "meta" | "vars") => {
            Some(name.clone())
        }
        AstKind::Select { of, field, .. } | AstKind::Has { of, field, .. } => {
            Some(format!("{}.{field}", named(of)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_named_once_and_variables_of_macros_are_none() {
        let text = "event.after.id > 1 && has(event.before.note) || event.after.tags.exists(t, t.size == 1) ? out.x : event.after.id";
        let expected = [
            "event.after.id",
            "event.before.note",
            "event.after.tags",
            "out.x",
        ];
        assert_eq!(paths(text), expected);
        assert_eq!(paths("event..x"), Vec::<String>::new());
    }
}
