//! Tokens to syntax tree: the published grammar, with optional syntax and names in backticks. Recursion is bounded, and so
//! is the depth of the tree, which bounds that of everything that walks it. The macros are in `macros.rs`.

mod cursor;

use self::cursor::{Parser, RESERVED};
use super::ast::{Ast, AstKind, BinaryOp, Item};
use super::lex::{Kind, tokens, unquoted};
use super::{Const, ExprFault, macros};

/// Expressions within expressions: brackets, arguments, branches.
const LEVELS_MAX: usize = 48;

/// Words that mean something: no names, and no fields.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];

type Result<T> = std::result::Result<T, ExprFault>;

/// Parses an expression; `macros` says whether `all`, `has` and the like are more than names of functions.
pub(super) fn parse(text: &str, macros: bool) -> Result<Ast> {
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        at: 0,
        levels: 0,
        macros,
    };
    if parser.tokens.len() == 1 {
        let whole = (0, text.len());
        return Err(ExprFault::new(
            "expr_syntax",
            whole,
            "the expression is empty",
        ));
    }
    let ast = parser.expr()?;
    match parser.peek().kind {
        Kind::End => Ok(ast),
        _ => Err(parser.unexpected()),
    }
}

impl Parser<'_> {
    fn expr(&mut self) -> Result<Ast> {
        self.levels += 1;
        if self.levels > LEVELS_MAX {
            let message = format!(
                "the expression has more than {LEVELS_MAX} brackets and branches within one another"
            );
            return Err(ExprFault::new("expr_limit", self.peek().span, message));
        }
        let start = self.start();
        let mut ast = self.binary(1)?;
        if self.take("?") {
            let then = self.binary(1)?;
            self.expect(":")?;
            let otherwise = self.expr()?;
            let kind = AstKind::Cond(Box::new(ast), Box::new(then), Box::new(otherwise));
            ast = self.node(kind, start)?;
        }
        self.levels -= 1;
        Ok(ast)
    }

    /// Operators that bind at least as strongly as `weakest`.
    fn binary(&mut self, weakest: u8) -> Result<Ast> {
        let start = self.start();
        let mut left = self.unary()?;
        while let Some((strength, op)) = self.operator().filter(|(s, _)| *s >= weakest) {
            self.at += 1;
            let right = Box::new(self.binary(strength + 1)?);
            let boxed = Box::new(left);
            let kind = match op {
                Operator::Or => AstKind::Or(boxed, right),
                Operator::And => AstKind::And(boxed, right),
                Operator::Binary(op) => AstKind::Binary(op, boxed, right),
            };
            left = self.node(kind, start)?;
        }
        Ok(left)
    }

    /// The operator to come and how strongly it binds.
    fn operator(&self) -> Option<(u8, Operator)> {
        let token = self.peek();
        let binary = |strength, op| Some((strength, Operator::Binary(op)));
        match token.kind {
            Kind::Sign("||") => Some((1, Operator::Or)),
            Kind::Sign("&&") => Some((2, Operator::And)),
            Kind::Sign("==") => binary(3, BinaryOp::Eq),
            Kind::Sign("!=") => binary(3, BinaryOp::Ne),
            Kind::Sign("<") => binary(3, BinaryOp::Lt),
            Kind::Sign("<=") => binary(3, BinaryOp::Le),
            Kind::Sign(">") => binary(3, BinaryOp::Gt),
            Kind::Sign(">=") => binary(3, BinaryOp::Ge),
            Kind::Name if self.word(token) == "in" => binary(3, BinaryOp::In),
            Kind::Sign("+") => binary(4, BinaryOp::Add),
            Kind::Sign("-") => binary(4, BinaryOp::Sub),
            Kind::Sign("*") => binary(5, BinaryOp::Mul),
            Kind::Sign("/") => binary(5, BinaryOp::Div),
            Kind::Sign("%") => binary(5, BinaryOp::Rem),
            _ => None,
        }
    }

    fn unary(&mut self) -> Result<Ast> {
        let mut signs = Vec::new();
        loop {
            let token = self.peek();
            let number = |at: usize| {
                let next = self.tokens.get(at).map(|token| token.kind);
                matches!(next, Some(Kind::Int | Kind::Double))
            };
            match token.kind {
                Kind::Sign("-") if number(self.at + 1) => break,
                Kind::Sign("-") => signs.push((token.span.0, true)),
                Kind::Sign("!") => signs.push((token.span.0, false)),
                _ => break,
            }
            self.at += 1;
        }
        let mut ast = self.member()?;
        for (start, negates) in signs.into_iter().rev() {
            let of = Box::new(ast);
            let kind = if negates {
                AstKind::Negate(of)
            } else {
                AstKind::Not(of)
            };
            ast = self.node(kind, start)?;
        }
        Ok(ast)
    }

    /// A value and what follows it: fields, elements, methods.
    fn member(&mut self) -> Result<Ast> {
        let start = self.start();
        let mut ast = self.primary()?;
        loop {
            let kind = if self.take(".") {
                let optional = self.take("?");
                let token = self.peek();
                let field = self.field()?;
                if !optional && token.kind == Kind::Name && self.take("(") {
                    let args = self.arguments()?;
                    let span = self.since(start);
                    match self.macros {
                        true => macros::method(ast, field, args, span)?,
                        false => AstKind::Call {
                            name: field,
                            target: Some(Box::new(ast)),
                            args,
                        },
                    }
                } else {
                    AstKind::Select {
                        of: Box::new(ast),
                        field,
                        optional,
                    }
                }
            } else if self.take("[") {
                let optional = self.take("?");
                let index = Box::new(self.expr()?);
                self.expect("]")?;
                AstKind::Index {
                    of: Box::new(ast),
                    index,
                    optional,
                }
            } else if self.is("{") && matches!(ast.kind, AstKind::Ident(_) | AstKind::Select { .. })
            {
                let message = "messages are not part of the language here";
                return Err(ExprFault::new("expr_unsupported", ast.span, message));
            } else {
                return Ok(ast);
            };
            ast = self.node(kind, start)?;
        }
    }

    /// The name of a field or method after its dot.
    fn field(&mut self) -> Result<String> {
        let token = self.peek();
        let word = self.word(token);
        let field = match token.kind {
            Kind::Name if !KEYWORDS.contains(&word) => word.to_owned(),
            Kind::Quoted => {
                let name = &word[1..word.len() - 1];
                let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/ ".contains(c);
                if name.is_empty() || !name.chars().all(fits) {
                    let message =
                        "a name in backticks has letters, digits, `_`, `.`, `-`, `/` and spaces";
                    return Err(ExprFault::new("expr_syntax", token.span, message)
                        .help("other names are read as keys: `x[\"…\"]`"));
                }
                name.to_owned()
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(field)
    }

    fn primary(&mut self) -> Result<Ast> {
        let start = self.start();
        let token = self.peek();
        let kind = match token.kind {
            Kind::Sign("(") => {
                self.at += 1;
                let inner = self.expr()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Kind::Sign("[") => {
                self.at += 1;
                AstKind::List(self.items()?)
            }
            Kind::Sign("{") => {
                self.at += 1;
                AstKind::Map(self.entries()?)
            }
            Kind::Sign(".") => {
                self.at += 1;
                self.name(".")?
            }
            Kind::Sign("-") => {
                self.at += 2;
                AstKind::Literal(self.number(start)?)
            }
            Kind::Int | Kind::Uint | Kind::Double => {
                self.at += 1;
                AstKind::Literal(self.number(start)?)
            }
            Kind::Text | Kind::Bytes => {
                self.at += 1;
                let bytes = unquoted(self.word(token), token.kind, start)?;
                AstKind::Literal(match token.kind {
                    Kind::Bytes => Const::Bytes(bytes.into()),
                    _ => Const::Str(String::from_utf8_lossy(&bytes).into()),
                })
            }
            Kind::Name => {
                let literal = match self.word(token) {
                    "true" => Some(Const::Bool(true)),
                    "false" => Some(Const::Bool(false)),
                    "null" => Some(Const::Null),
                    _ => None,
                };
                match literal {
                    Some(value) => {
                        self.at += 1;
                        AstKind::Literal(value)
                    }
                    None => self.name("")?,
                }
            }
            _ => return Err(self.unexpected()),
        };
        self.node(kind, start)
    }

    /// A name, or the call of a function.
    fn name(&mut self, dot: &str) -> Result<AstKind> {
        let token = self.peek();
        let word = self.word(token);
        if token.kind != Kind::Name || RESERVED.contains(&word) || KEYWORDS.contains(&word) {
            return Err(self.unexpected());
        }
        self.at += 1;
        if !self.take("(") {
            return Ok(AstKind::Ident(format!("{dot}{word}")));
        }
        let args = self.arguments()?;
        match self.macros && dot.is_empty() {
            true => macros::function(word, args, self.since(token.span.0)),
            false => Ok(AstKind::Call {
                name: word.to_owned(),
                target: None,
                args,
            }),
        }
    }

    /// What was just taken, a number with its sign.
    fn number(&self, start: usize) -> Result<Const> {
        let span = self.since(start);
        let token = self.tokens[self.at - 1];
        let negative = start < token.span.0;
        let word = self.word(token).trim_end_matches(['u', 'U']);
        let hex = word.strip_prefix("0x");
        let magnitude = match hex {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        let value = match token.kind {
            Kind::Double => {
                let value: Option<f64> = word.parse().ok().filter(|value: &f64| value.is_finite());
                value.map(|value| Const::Double(if negative { -value } else { value }))
            }
            Kind::Uint => magnitude.map(Const::Uint),
            _ => {
                let signed = magnitude
                    .map(i128::from)
                    .map(|v| if negative { -v } else { v });
                signed
                    .and_then(|value| i64::try_from(value).ok())
                    .map(Const::Int)
            }
        };
        let what = match token.kind {
            Kind::Double => "a double",
            Kind::Uint => "a uint",
            _ => "an int",
        };
        value.ok_or_else(|| {
            ExprFault::new(
                "expr_syntax",
                span,
                format!("the number does not fit {what}"),
            )
        })
    }

    /// Up to the closing parenthesis.
    fn arguments(&mut self) -> Result<Vec<Ast>> {
        let mut args = Vec::new();
        if self.take(")") {
            return Ok(args);
        }
        loop {
            args.push(self.expr()?);
            if self.take(")") {
                return Ok(args);
            }
            self.expect(",")?;
        }
    }

    fn items(&mut self) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        while !self.take("]") {
            let optional = self.take("?");
            let ast = self.expr()?;
            items.push(Item { ast, optional });
            if !self.is("]") {
                self.expect(",")?;
            }
        }
        Ok(items)
    }

    fn entries(&mut self) -> Result<Vec<(Ast, Item)>> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let optional = self.take("?");
            let key = self.expr()?;
            self.expect(":")?;
            let ast = self.expr()?;
            entries.push((key, Item { ast, optional }));
            if !self.is("}") {
                self.expect(",")?;
            }
        }
        Ok(entries)
    }
}

enum Operator {
    Or,
    And,
    Binary(BinaryOp),
}

#[cfg(test)]
mod tests;
