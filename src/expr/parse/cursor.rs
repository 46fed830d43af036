//! The tokens to come, and faults at them.

use super::super::ast::{Ast, AstKind, Span};
use super::super::lex::{Kind, Token};
use super::{ExprFault, Result};

/// Levels of the tree: `a + b + c` has three. CEL asks for 32 of an operator in a row.
const DEPTH_MAX: usize = 64;

/// Words that cannot be names, though fields and methods may be called so.
pub(super) const RESERVED: [&str; 17] = [
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

/// What is being parsed, and how far it is.
pub(super) struct Parser<'t> {
    pub text: &'t str,
    pub tokens: Vec<Token>,
    pub at: usize,
    pub levels: usize,
    pub macros: bool,
}

impl<'t> Parser<'t> {
    /// The token to come.
    pub fn peek(&self) -> Token {
        // The end is never taken.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub fn start(&self) -> usize {
        self.peek().span.0
    }

    /// From a byte to the end of what was taken last.
    pub fn since(&self, start: usize) -> Span {
        let last = self.at.checked_sub(1).map(|at| self.tokens[at].span.1);
        (start, last.unwrap_or(start).max(start))
    }

    pub fn word(&self, token: Token) -> &'t str {
        &self.text[token.span.0..token.span.1]
    }

    pub fn is(&self, sign: &'static str) -> bool {
        self.peek().kind == Kind::Sign(sign)
    }

    pub fn take(&mut self, sign: &'static str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, sign: &'static str) -> Result<()> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    pub fn unexpected(&self) -> ExprFault {
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
    pub fn node(&self, kind: AstKind, start: usize) -> Result<Ast> {
        let ast = Ast::new(kind, self.since(start));
        if ast.depth > DEPTH_MAX {
            let message = format!("the expression is nested more than {DEPTH_MAX} levels deep");
            return Err(ExprFault::new("expr_limit", ast.span, message));
        }
        Ok(ast)
    }
}
