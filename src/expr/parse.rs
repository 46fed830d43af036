//! Text to syntax tree, through the parser of the crate `cel`, whose recursion is bounded here first.
//!
//! The crate's parser keeps the place of each node only in its errors. So a text that parses is parsed once more with a
//! closing parenthesis too many: the numbers of the nodes are the same, and the error carries the places of all of them.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators as op};
use cel::parser::PrattParser;
use cel::parser::pratt_parser::{Lexer, Token, TokenKind};

use super::ast::{Ast, AstKind, BinaryOp, FoldKind, Span};
use super::{Const, ExprFault};

/// Bytes of an expression.
const LENGTH_MAX: usize = 8 * 1024;
/// Words and signs of an expression.
const TOKENS_MAX: usize = 2_000;
/// Brackets within brackets.
const NESTING_MAX: usize = 48;
/// Conditionals, which the crate's parser nests without counting.
const CONDITIONALS_MAX: usize = 48;
/// Levels of the tree: `a + b + c` has two. Bounds the stack; CEL asks for 32 of an operator in a row.
const DEPTH_MAX: usize = 64;

/// Parses an expression.
pub(super) fn parse(text: &str) -> Result<Ast, ExprFault> {
    let tokens = tokens(text)?;
    let parser = || {
        PrattParser::new()
            .max_recursion_depth(NESTING_MAX as u16 * 2)
            .enable_optional_syntax(true)
    };
    let tree = parser()
        .parse(text)
        .map_err(|errors| syntax_fault(text, errors))?;
    let places = parser().parse(&format!("{text}\n)")).err();
    let places = places.and_then(|errors| {
        errors
            .errors
            .into_iter()
            .find_map(|error| error.source_info)
    });
    let lower = Lower {
        text,
        tokens: &tokens,
        places: places.as_deref(),
    };
    lower.expr(&tree, 0)
}

/// All tokens, bounded.
fn tokens(text: &str) -> Result<Vec<Token>, ExprFault> {
    if text.len() > LENGTH_MAX {
        let message = format!(
            "the expression has {} bytes, the limit is {LENGTH_MAX}",
            text.len()
        );
        return Err(ExprFault::new("expr_limit", (0, text.len()), message));
    }
    let mut lexer = Lexer::new(text);
    let (mut tokens, mut nesting, mut conditionals) = (Vec::new(), 0_usize, 0);
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd => break,
            TokenKind::TokWhitespace | TokenKind::TokComment => continue,
            TokenKind::TokError => return Err(lexer_fault(text, &lexer, &token)),
            TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => {
                nesting += 1
            }
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace => {
                nesting = nesting.saturating_sub(1);
            }
            TokenKind::TokQuestion => conditionals += 1,
            TokenKind::TokEqual => {
                let fault = ExprFault::new(
                    "expr_syntax",
                    (token.start, token.end),
                    "`=` is not an operator",
                );
                return Err(fault.help("a comparison is `==`"));
            }
            _ => {}
        }
        tokens.push(token);
        if nesting > NESTING_MAX || conditionals > CONDITIONALS_MAX || tokens.len() > TOKENS_MAX {
            let message = format!(
                "the expression is too large: at most {TOKENS_MAX} words and signs, {NESTING_MAX} brackets within \
                 brackets, {CONDITIONALS_MAX} conditionals"
            );
            return Err(ExprFault::new(
                "expr_limit",
                (token.start, token.end),
                message,
            ));
        }
    }
    match tokens.is_empty() {
        true => Err(ExprFault::new(
            "expr_syntax",
            (0, text.len()),
            "the expression is empty",
        )),
        false => Ok(tokens),
    }
}

fn lexer_fault(text: &str, lexer: &Lexer, token: &Token) -> ExprFault {
    let message = lexer
        .get_error()
        .map_or("unexpected character", |error| error.message.as_str());
    // The lexer counts bytes: the end may be inside of a character.
    let end = (token.end..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    ExprFault::new("expr_syntax", (token.start, end), message)
}

fn syntax_fault(text: &str, errors: cel::ParseErrors) -> ExprFault {
    let Some(error) = errors.errors.into_iter().next() else {
        return ExprFault::new(
            "expr_syntax",
            (0, text.len()),
            "the expression cannot be parsed",
        );
    };
    let place = error
        .source_info
        .as_deref()
        .and_then(|info| info.offset_for(error.expr_id));
    let whole = (0, text.len());
    let span = place.map_or(whole, |(start, end)| {
        (start as usize, (end as usize).min(text.len()))
    });
    let found = text.get(span.0..span.1).unwrap_or_default();
    let message = error
        .msg
        .strip_prefix("Syntax error: ")
        .unwrap_or(&error.msg);
    let fault = match message {
        m if m.contains("'<EOF>'") || m.contains("input <EOF>") => ExprFault::new(
            "expr_syntax",
            (text.len(), text.len()),
            "the expression ends too early",
        ),
        m if m.starts_with("mismatched input") || m == "unexpected token" => {
            ExprFault::new("expr_syntax", span, format!("unexpected `{found}`"))
        }
        m if m.contains("recursion limit") => ExprFault::new("expr_limit", whole, m),
        m => ExprFault::new("expr_syntax", span, m),
    };
    match found {
        "and" => fault.help("logical and is `&&`"),
        "or" => fault.help("logical or is `||`"),
        _ => fault,
    }
}

/// Turns the crate's tree into ours.
struct Lower<'a> {
    text: &'a str,
    tokens: &'a [Token],
    places: Option<&'a SourceInfo>,
}

/// Indexes of the first and the last token.
type Range = (usize, usize);

impl Lower<'_> {
    fn expr(&self, tree: &IdedExpr, depth: usize) -> Result<Ast, ExprFault> {
        let at = self.token(tree.id);
        if depth > DEPTH_MAX {
            let message = format!("the expression is nested more than {DEPTH_MAX} levels deep");
            return Err(ExprFault::new("expr_limit", self.span((at, at)), message));
        }
        let child = |tree: &IdedExpr| self.expr(tree, depth + 1);
        let boxed = |tree: &IdedExpr| child(tree).map(Box::new);
        let mut range = (at, at);
        let kind = match &tree.expr {
            Expr::Unspecified => {
                return Err(ExprFault::new(
                    "expr_syntax",
                    self.span(range),
                    "the expression cannot be parsed",
                ));
            }
            Expr::Literal(value) => {
                if self.tokens[at].kind == TokenKind::TokMinus {
                    range.1 = at + 1;
                }
                AstKind::Literal(literal(value))
            }
            Expr::Ident(name) => AstKind::Ident(name.clone()),
            Expr::Select(select) => {
                let of = boxed(&select.operand)?;
                self.cover(&mut range, &of);
                range.1 = range.1.max(at + 1);
                let field = select.field.clone();
                match select.test {
                    true => AstKind::Has { of, field },
                    false => AstKind::Select { of, field },
                }
            }
            Expr::List(list) => {
                if !list.optional_indices.is_empty() {
                    return Err(self.unsupported("optional elements", range));
                }
                AstKind::List(self.all(&list.elements, &mut range, depth)?)
            }
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.unsupported("messages", range));
                    };
                    if entry.optional {
                        return Err(self.unsupported("optional entries", range));
                    }
                    let (key, value) = (child(&entry.key)?, child(&entry.value)?);
                    self.cover(&mut range, &value);
                    entries.push((key, value));
                }
                AstKind::Map(entries)
            }
            Expr::Struct(_) => return Err(self.unsupported("messages", range)),
            Expr::Comprehension(fold) => {
                let over = boxed(&fold.iter_range)?;
                let Some((kind, filter, body)) = folded(&fold.accu_init.expr, &fold.loop_step.expr)
                else {
                    return Err(self.unsupported("this comprehension", range));
                };
                let filter = filter.map(boxed).transpose()?;
                let body = boxed(body)?;
                self.cover(&mut range, &over);
                self.cover(&mut range, &body);
                AstKind::Fold {
                    kind,
                    over,
                    var: fold.iter_var.clone(),
                    filter,
                    body,
                }
            }
            Expr::Call(call) => {
                let target = call.target.as_deref().map(boxed).transpose()?;
                if let Some(target) = &target {
                    self.cover(&mut range, target);
                }
                let args = self.all(&call.args, &mut range, depth)?;
                self.call(&call.func_name, target, args, &mut range)?
            }
        };
        Ok(Ast {
            span: self.span(range),
            kind,
        })
    }

    fn all(
        &self,
        trees: &[IdedExpr],
        range: &mut Range,
        depth: usize,
    ) -> Result<Vec<Ast>, ExprFault> {
        let mut all = Vec::with_capacity(trees.len());
        for tree in trees {
            let one = self.expr(tree, depth + 1)?;
            self.cover(range, &one);
            all.push(one);
        }
        Ok(all)
    }

    fn call(
        &self,
        name: &str,
        target: Option<Box<Ast>>,
        args: Vec<Ast>,
        range: &mut Range,
    ) -> Result<AstKind, ExprFault> {
        let binary = match name {
            op::ADD => Some(BinaryOp::Add),
            op::SUBSTRACT => Some(BinaryOp::Sub),
            op::MULTIPLY => Some(BinaryOp::Mul),
            op::DIVIDE => Some(BinaryOp::Div),
            op::MODULO => Some(BinaryOp::Rem),
            op::EQUALS => Some(BinaryOp::Eq),
            op::NOT_EQUALS => Some(BinaryOp::Ne),
            op::LESS => Some(BinaryOp::Lt),
            op::LESS_EQUALS => Some(BinaryOp::Le),
            op::GREATER => Some(BinaryOp::Gt),
            op::GREATER_EQUALS => Some(BinaryOp::Ge),
            op::IN => Some(BinaryOp::In),
            _ => None,
        };
        let mut operands = args.into_iter().map(Box::new);
        let mut next = || {
            operands
                .next()
                .expect("the parser gives operators their operands")
        };
        Ok(match name {
            op::LOGICAL_AND => AstKind::And(next(), next()),
            op::LOGICAL_OR => AstKind::Or(next(), next()),
            op::LOGICAL_NOT => AstKind::Not(next()),
            op::NEGATE => AstKind::Negate(next()),
            op::CONDITIONAL => AstKind::Cond(next(), next(), next()),
            op::INDEX => AstKind::Index(next(), next()),
            op::OPT_INDEX | op::OPT_SELECT => {
                return Err(self.unsupported("optional values", *range));
            }
            _ => match binary {
                Some(binary) => AstKind::Binary(binary, next(), next()),
                None => {
                    // The name of a function is followed by its parenthesis, which the span then balances.
                    let name_is_last =
                        self.tokens[range.1].kind != TokenKind::TokLeftParen && target.is_none();
                    if name_is_last && range.1 + 1 < self.tokens.len() {
                        range.1 += 1;
                    }
                    let name = name.strip_prefix('.').unwrap_or(name).to_owned();
                    AstKind::Call {
                        name,
                        target,
                        args: operands.map(|arg| *arg).collect(),
                    }
                }
            },
        })
    }

    fn unsupported(&self, what: &str, range: Range) -> ExprFault {
        ExprFault::new(
            "expr_unsupported",
            self.span(range),
            format!("{what} are not part of the language here"),
        )
    }

    /// The token that a node's place points at.
    fn token(&self, id: u64) -> usize {
        let place = self
            .places
            .and_then(|places| places.offset_for(id))
            .unwrap_or((0, 0));
        let at = self
            .tokens
            .partition_point(|token| token.start < place.0 as usize);
        at.min(self.tokens.len() - 1)
    }

    fn cover(&self, range: &mut Range, ast: &Ast) {
        let first = self
            .tokens
            .partition_point(|token| token.start < ast.span.0);
        let last = self
            .tokens
            .partition_point(|token| token.start < ast.span.1);
        range.0 = range.0.min(first);
        range.1 = range.1.max(last.saturating_sub(1));
    }

    /// The bytes of a range of tokens, widened until its brackets are balanced.
    fn span(&self, (mut first, last): Range) -> Span {
        let mut last = last.min(self.tokens.len() - 1);
        let turn = |token: &Token| match token.kind {
            TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => 1,
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace => -1,
            _ => 0,
        };
        let (mut open, mut missing) = (0_i32, 0_i32);
        for token in &self.tokens[first..=last] {
            open += turn(token);
            missing = missing.max(-open);
        }
        let mut unclosed = open + missing;
        while unclosed > 0 && last + 1 < self.tokens.len() {
            last += 1;
            unclosed += turn(&self.tokens[last]);
        }
        while missing > 0 && first > 0 {
            first -= 1;
            missing -= turn(&self.tokens[first]);
        }
        (
            self.tokens[first].start,
            self.tokens[last].end.min(self.text.len()),
        )
    }
}

/// What a macro was before the parser expanded it: its kind, its filter and its body.
fn folded<'e>(
    init: &Expr,
    step: &'e Expr,
) -> Option<(FoldKind, Option<&'e IdedExpr>, &'e IdedExpr)> {
    let args = |expr: &'e Expr, name: &str| match expr {
        Expr::Call(call) if call.func_name == name => Some(&call.args[..]),
        _ => None,
    };
    // `@result + [element]`
    let appended = |expr: &'e Expr| match args(expr, op::ADD)? {
        [
            _,
            IdedExpr {
                expr: Expr::List(list),
                ..
            },
        ] => list.elements.first(),
        _ => None,
    };
    match init {
        Expr::Literal(LiteralValue::Boolean(start)) => {
            let (kind, name) = match *start.inner() {
                true => (FoldKind::All, op::LOGICAL_AND),
                false => (FoldKind::Exists, op::LOGICAL_OR),
            };
            args(step, name)?.get(1).map(|body| (kind, None, body))
        }
        Expr::Literal(LiteralValue::Int(_)) => args(step, op::CONDITIONAL)?
            .first()
            .map(|body| (FoldKind::ExistsOne, None, body)),
        Expr::List(_) => match args(step, op::CONDITIONAL) {
            Some([filter, then, _]) => {
                appended(&then.expr).map(|body| (FoldKind::Map, Some(filter), body))
            }
            _ => appended(step).map(|body| (FoldKind::Map, None, body)),
        },
        _ => None,
    }
}

fn literal(value: &LiteralValue) -> Const {
    match value {
        LiteralValue::Null => Const::Null,
        LiteralValue::Boolean(v) => Const::Bool(*v.inner()),
        LiteralValue::Int(v) => Const::Int(*v.inner()),
        LiteralValue::UInt(v) => Const::Uint(*v.inner()),
        LiteralValue::Double(v) => Const::Double(*v.inner()),
        LiteralValue::String(v) => Const::Str(v.inner().into()),
        LiteralValue::Bytes(v) => Const::Bytes(v.inner().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text under the first node that `pick` finds, depth first.
    fn texts(text: &str) -> Vec<String> {
        fn walk(ast: &Ast, text: &str, out: &mut Vec<String>) {
            out.push(text[ast.span.0..ast.span.1].to_owned());
            match &ast.kind {
                AstKind::Literal(_) | AstKind::Ident(_) => {}
                AstKind::Select { of, .. } | AstKind::Has { of, .. } => walk(of, text, out),
                AstKind::Not(a) | AstKind::Negate(a) => walk(a, text, out),
                AstKind::And(a, b)
                | AstKind::Or(a, b)
                | AstKind::Binary(_, a, b)
                | AstKind::Index(a, b) => {
                    walk(a, text, out);
                    walk(b, text, out);
                }
                AstKind::Cond(a, b, c) => [a, b, c].iter().for_each(|one| walk(one, text, out)),
                AstKind::List(all) => all.iter().for_each(|one| walk(one, text, out)),
                AstKind::Map(all) => all.iter().for_each(|(k, v)| {
                    walk(k, text, out);
                    walk(v, text, out);
                }),
                AstKind::Call { target, args, .. } => {
                    target.iter().for_each(|one| walk(one, text, out));
                    args.iter().for_each(|one| walk(one, text, out));
                }
                AstKind::Fold {
                    over, filter, body, ..
                } => {
                    walk(over, text, out);
                    filter.iter().for_each(|one| walk(one, text, out));
                    walk(body, text, out);
                }
                AstKind::Watched(of, _) => walk(of, text, out),
            }
        }
        let mut out = Vec::new();
        walk(&parse(text).unwrap(), text, &mut out);
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
        let kind = |text: &str| match parse(text).unwrap().kind {
            AstKind::Fold { kind, filter, .. } => (kind, filter.is_some()),
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
            let fault = parse(text).unwrap_err();
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
            assert_eq!(parse(&text).unwrap_err().code, "expr_limit", "{text}");
        }
    }
}
