//! The macros: calls whose arguments are names and expressions, not values.

use super::ExprFault;
use super::ast::{Ast, AstKind, FoldAst, FoldKind, Span};

type Result<T> = std::result::Result<T, ExprFault>;

/// What a method call is: a macro by its name and the number of its arguments, or a call.
pub(super) fn method(target: Ast, name: String, args: Vec<Ast>, span: Span) -> Result<AstKind> {
    let two = match (name.as_str(), args.len()) {
        ("all" | "exists" | "exists_one" | "existsOne" | "filter", 2) | ("map", 2 | 3) => false,
        ("all" | "exists" | "exists_one" | "existsOne", 3)
        | ("transformList" | "transformMap" | "transformMapEntry", 3 | 4) => true,
        ("optMap" | "optFlatMap", 2) => {
            let [var, body] = array(args)?;
            return Ok(AstKind::OptMap {
                flat: name == "optFlatMap",
                of: Box::new(target),
                var: variable(&name, var)?,
                body: Box::new(body),
            });
        }
        ("sortBy", 2) => {
            // The list, and the list of its keys; no name that is written has an `@`.
            let [var, key] = array(args)?;
            let list = Ast::new(AstKind::Ident("@list".to_owned()), target.span);
            let keys = FoldAst {
                kind: FoldKind::Map,
                over: list.clone(),
                var: variable(&name, var)?,
                second: None,
                filter: None,
                body: key,
            };
            let sorted = AstKind::Call {
                name,
                target: Some(Box::new(list)),
                args: vec![Ast::new(AstKind::Fold(Box::new(keys)), span)],
            };
            return Ok(AstKind::Bind {
                var: "@list".to_owned(),
                value: Box::new(target),
                body: Box::new(Ast::new(sorted, span)),
            });
        }
        ("bind", 3) if matches!(&target.kind, AstKind::Ident(space) if space == "cel") => {
            let [var, value, body] = array(args)?;
            return Ok(AstKind::Bind {
                var: variable("cel.bind", var)?,
                value: Box::new(value),
                body: Box::new(body),
            });
        }
        _ => {
            return Ok(AstKind::Call {
                name,
                target: Some(Box::new(target)),
                args,
            });
        }
    };
    let kind = match name.as_str() {
        "all" => FoldKind::All,
        "exists" => FoldKind::Exists,
        "exists_one" | "existsOne" => FoldKind::ExistsOne,
        "transformMap" => FoldKind::TransformMap,
        "transformMapEntry" => FoldKind::TransformMapEntry,
        _ => FoldKind::Map,
    };
    let mut args = args.into_iter();
    let mut next = || args.next().ok_or_else(|| missing(span));
    let element = next()?;
    let var = variable(&name, element.clone())?;
    let second = match two {
        true => Some(variable(&name, next()?)?),
        false => None,
    };
    if second.as_ref() == Some(&var) {
        let message = format!("the two variables of `{name}` have the same name");
        return Err(ExprFault::new("expr_syntax", element.span, message));
    }
    let first = next()?;
    let (filter, body) = match args.next() {
        _ if name == "filter" => (Some(first), element),
        Some(body) => (Some(first), body),
        None => (None, first),
    };
    Ok(AstKind::Fold(Box::new(FoldAst {
        kind,
        over: target,
        var,
        second,
        filter,
        body,
    })))
}

/// What the call of a function is: `has`, or a call.
pub(super) fn function(name: &str, args: Vec<Ast>, span: Span) -> Result<AstKind> {
    if name != "has" || args.len() != 1 {
        return Ok(AstKind::Call {
            name: name.to_owned(),
            target: None,
            args,
        });
    }
    let [arg] = array(args)?;
    match arg.kind {
        AstKind::Select {
            of,
            field,
            optional: false,
        } => Ok(AstKind::Has { of, field }),
        _ => {
            let fault = ExprFault::new("expr_syntax", span, "`has` asks for a field");
            Err(fault.help("it is called as `has(path.field)`"))
        }
    }
}

/// The name of a variable.
fn variable(of: &str, arg: Ast) -> Result<String> {
    match arg.kind {
        AstKind::Ident(name) if !name.starts_with('.') => Ok(name),
        _ => Err(ExprFault::new(
            "expr_syntax",
            arg.span,
            format!("the first argument of `{of}` is the name of a variable"),
        )),
    }
}

fn array<const N: usize>(args: Vec<Ast>) -> Result<[Ast; N]> {
    let span = args.first().map_or((0, 0), |arg| arg.span);
    args.try_into().map_err(|_| missing(span))
}

fn missing(span: Span) -> ExprFault {
    ExprFault::new("expr_syntax", span, "an argument is missing")
}
