//! Tokens to syntax tree: the published grammar, with optional syntax and names in backticks. Recursion is bounded, and so
//! is the depth of the tree, which bounds that of everything that walks it. The macros are in `macros.rs`.

use super::ast::{Ast, AstKind, BinaryOp, Item, Span};
use super::lex::{Kind, Token, tokens, unquoted};
use super::{Const, ExprFault, macros};

/// Expressions within expressions: brackets, arguments, branches.
const LEVELS_MAX: usize = 48;
/// Levels of the tree: `a + b + c` has three. CEL asks for 32 of an operator in a row.
const DEPTH_MAX: usize = 64;

/// Words that cannot be names, though fields and methods may be called so.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];
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

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    levels: usize,
    macros: bool,
}

impl<'t> Parser<'t> {
    /// The token to come.
    fn peek(&self) -> Token {
        // The end is never taken.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn start(&self) -> usize {
        self.peek().span.0
    }

    /// From a byte to the end of what was taken last.
    fn since(&self, start: usize) -> Span {
        let last = self.at.checked_sub(1).map(|at| self.tokens[at].span.1);
        (start, last.unwrap_or(start).max(start))
    }

    fn word(&self, token: Token) -> &'t str {
        &self.text[token.span.0..token.span.1]
    }

    fn is(&self, sign: &'static str) -> bool {
        self.peek().kind == Kind::Sign(sign)
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<()> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn unexpected(&self) -> ExprFault {
        let token = self.peek();
        if token.kind == Kind::End {
            let end = (self.text.len(), self.text.len());
            return ExprFault::new("expr_syntax", end, "the expression ends too early");
        }
        let found = self.word(token);
        let message = match found {
            _ if RESERVED.contains(&found) => {
                format!("`{found}` is a reserved word and cannot be a name")
            }
            _ => format!("unexpected `{found}`"),
        };
        let fault = ExprFault::new("expr_syntax", token.span, message);
        match found {
            "and" => fault.help("logical and is `&&`"),
            "or" => fault.help("logical or is `||`"),
            "not" => fault.help("logical not is `!`"),
            _ => fault,
        }
    }

    /// A node, if the tree is not too deep with it.
    fn node(&self, kind: AstKind, start: usize) -> Result<Ast> {
        let ast = Ast::new(kind, self.since(start));
        if ast.depth > DEPTH_MAX {
            let message = format!("the expression is nested more than {DEPTH_MAX} levels deep");
            return Err(ExprFault::new("expr_limit", ast.span, message));
        }
        Ok(ast)
    }

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
        let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
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
mod tests {
    use super::super::ast::FoldKind;
    use super::*;

    /// The text under the first node that `pick` finds, depth first.
    fn texts(text: &str) -> Vec<String> {
        fn walk(ast: &Ast, text: &str, out: &mut Vec<String>) {
            out.push(text[ast.span.0..ast.span.1].to_owned());
            ast.kind
                .parts()
                .into_iter()
                .for_each(|part| walk(part, text, out));
        }
        let mut out = Vec::new();
        walk(&parse(text, true).unwrap(), text, &mut out);
        out
    }

    #[test]
    fn every_node_knows_its_bytes() {
        assert_eq!(
            texts("(a + b) * -1 // c"),
            ["(a + b) * -1", "a + b", "a", "b", "-1"]
        );
        assert_eq!(texts("'é' + (y)  "), ["'é' + (y)", "'é'", "y"]);
    }

    #[test]
    fn spans_cover_calls_paths_and_brackets() {
        assert_eq!(
            texts("event.after.id"),
            ["event.after.id", "event.after", "event"]
        );
        assert_eq!(texts(" f( (y) ) "), ["f( (y) )", "y"]);
        assert_eq!(
            texts("a.f(x)[0].g"),
            ["a.f(x)[0].g", "a.f(x)[0]", "a.f(x)", "a", "x", "0"]
        );
        assert_eq!(texts("f()"), ["f()"]);
        assert_eq!(
            texts("has(a.b) && 'é' in [1, 2]"),
            [
                "has(a.b) && 'é' in [1, 2]",
                "has(a.b)",
                "a",
                "'é' in [1, 2]",
                "'é'",
                "[1, 2]",
                "1",
                "2"
            ]
        );
        assert_eq!(
            texts("a.all(x, x > (1))"),
            ["a.all(x, x > (1))", "a", "x > (1)", "x", "1"]
        );
        assert_eq!(texts("{'a': !b}"), ["{'a': !b}", "'a'", "!b", "b"]);
        assert_eq!(texts("a ? b : (c)"), ["a ? b : (c)", "a", "b", "c"]);
    }

    #[test]
    fn macros_are_seen_as_written() {
        let kind = |text: &str| match parse(text, true).unwrap().kind {
            AstKind::Fold(fold) => (fold.kind, fold.filter.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(kind("[1].all(x, x > 0)"), (FoldKind::All, false));
        assert_eq!(kind("[1].exists(x, x > 0)"), (FoldKind::Exists, false));
        assert_eq!(
            kind("[1].exists_one(x, x > 0)"),
            (FoldKind::ExistsOne, false)
        );
        assert_eq!(kind("[1].map(x, x + 1)"), (FoldKind::Map, false));
        assert_eq!(kind("[1].map(x, x > 0, x + 1)"), (FoldKind::Map, true));
        assert_eq!(kind("[1].filter(x, x > 0)"), (FoldKind::Map, true));
    }

    #[test]
    fn syntax_faults_point_at_the_place() {
        let fault = |text: &str| {
            let fault = parse(text, true).unwrap_err();
            (
                fault.code,
                fault.start,
                fault.end,
                fault.message,
                fault.help,
            )
        };
        assert_eq!(
            fault("a = 1"),
            (
                "expr_syntax",
                2,
                3,
                "`=` is not an operator".into(),
                Some("a comparison is `==`".into())
            )
        );
        assert_eq!(
            fault("a and b"),
            (
                "expr_syntax",
                2,
                5,
                "unexpected `and`".into(),
                Some("logical and is `&&`".into())
            )
        );
        assert_eq!(
            fault("a +"),
            (
                "expr_syntax",
                3,
                3,
                "the expression ends too early".into(),
                None
            )
        );
        assert_eq!(
            fault("a é"),
            ("expr_syntax", 2, 4, "unexpected character".into(), None)
        );
        assert_eq!(fault(" ").3, "the expression is empty");
    }

    #[test]
    fn large_expressions_are_refused_without_recursion() {
        for text in [
            "(".repeat(4_000),
            "a?b:".repeat(1_500),
            "!-".repeat(900) + "a",
            "1+".repeat(900) + "1",
            "a.".repeat(900) + "a",
            "x".repeat(9_000),
            "[".repeat(100),
            "{1:".repeat(100),
        ] {
            assert_eq!(parse(&text, true).unwrap_err().code, "expr_limit", "{text}");
        }
    }

    #[test]
    fn literals_mean_what_the_language_says() {
        let literal = |text: &str| match parse(text, true).unwrap().kind {
            AstKind::Literal(value) => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(literal("-9223372036854775808"), Const::Int(i64::MIN));
        assert_eq!(literal("0xFFu"), Const::Uint(255));
        assert_eq!(literal("-0x10"), Const::Int(-16));
        assert_eq!(literal(".5e1"), Const::Double(5.0));
        assert_eq!(
            literal(r"'\x41\u00e9\U0001F600\101\`'"),
            Const::Str("Aé😀A`".into())
        );
        assert_eq!(literal(r"r'\d'"), Const::Str(r"\d".into()));
        assert_eq!(literal("'''a\n'b' '''"), Const::Str("a\n'b' ".into()));
        assert_eq!(
            literal(r"b'\xff\377é'"),
            Const::Bytes([255, 255, 195, 169].into())
        );
        assert_eq!(literal(r"bR'\x'"), Const::Bytes(br"\x"[..].into()));
    }

    #[test]
    fn what_the_grammar_does_not_have_is_refused() {
        for text in [
            "9223372036854775808",
            "18446744073709551616u",
            "1e999",
            r"'\xg1'",
            r"'\ud800'",
            r"b'\u0041'",
            r"'\8'",
            "'a",
            "'a\n'",
            "'''a''",
            "`a`",
            "a.`b",
            "a.``",
            "a.`$`",
            "1.",
            "a.true",
            "if",
            "in + 1",
            "[,]",
            "a.(b)",
            "f(,)",
            "{a}",
            "a ? b",
            "has(a)",
            "a.all(1, b)",
            "a.all(x, x, y)",
            "a = b",
            "é",
        ] {
            let code = parse(text, true).map_err(|fault| fault.code);
            assert_eq!(code.err(), Some("expr_syntax"), "{text}");
        }
    }

    #[test]
    fn optional_syntax_and_quoted_names_are_read() {
        let kind = |text: &str| parse(text, true).unwrap().kind;
        let optional = |text: &str| match kind(text) {
            AstKind::Select { optional, .. } | AstKind::Index { optional, .. } => optional,
            AstKind::List(items) => items[0].optional && !items[1].optional,
            AstKind::Map(entries) => entries[0].1.optional,
            other => panic!("{other:?}"),
        };
        for text in ["a.?b", "a[?b]", "[?a, b,]", "{?a: b,}"] {
            assert!(optional(text), "{text}");
        }
        let field = |text: &str| match kind(text) {
            AstKind::Select { field, .. } => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field("a.`b/c.d`"), "b/c.d");
        assert_eq!(field("a.if"), "if");
        assert!(matches!(kind("cel.bind(x, 1, x)"), AstKind::Bind { .. }));
        assert!(matches!(
            kind("a.optMap(x, x)"),
            AstKind::OptMap { flat: false, .. }
        ));
        assert!(matches!(kind("a.all(i, x, i < x)"), AstKind::Fold(fold) if fold.second.is_some()));
        let plain = parse("[1].all(x, x > 0)", false).unwrap().kind;
        assert!(matches!(plain, AstKind::Call { .. }));
    }
}
