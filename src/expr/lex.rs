//! Text to tokens, and what literals mean.

use super::ExprFault;
use super::ast::Span;

/// Bytes of an expression.
const LENGTH_MAX: usize = 8 * 1024;
/// Words and signs of an expression.
const TOKENS_MAX: usize = 2_000;

/// A word or sign, with its first byte and the byte after the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Name,
    /// A name in backticks.
    Quoted,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Sign(&'static str),
    End,
}

/// The longer before those that they begin with.
const SIGNS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ",", ".",
    "(", ")", "[", "]", "{", "}",
];

/// All tokens, the last of which is the end; bounded.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExprFault> {
    if text.len() > LENGTH_MAX {
        let message = format!(
            "the expression has {} bytes, the limit is {LENGTH_MAX}",
            text.len()
        );
        return Err(ExprFault::new("expr_limit", (0, text.len()), message));
    }
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
        if tokens.len() > TOKENS_MAX {
            let message = format!(
                "the expression is too large: it has more than {TOKENS_MAX} words and signs"
            );
            return Err(ExprFault::new("expr_limit", token.span, message));
        }
    }
}

/// Reads one token after the other.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Lexer { text, at: 0 }
    }

    /// The next token; at the end of the text again and again the end.
    ///
    /// # Errors
    /// A character that begins nothing, or a literal that is not closed.
    pub fn next(&mut self) -> Result<Token, ExprFault> {
        self.skip();
        let start = self.at;
        let bytes = &self.text.as_bytes()[start..];
        let kind = match bytes {
            [] => Kind::End,
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => self.number(),
            [b'\'' | b'"', ..] => self.quoted(start, 0)?,
            [b'`', ..] => {
                let Some(len) = self.text[start + 1..].find(['`', '\n']) else {
                    return Err(self.open(start, "a name in backticks is not closed"));
                };
                self.at += len + 2;
                if !self.text[..self.at].ends_with('`') {
                    return Err(self.open(start, "a name in backticks is not closed"));
                }
                Kind::Quoted
            }
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => match prefix(bytes) {
                Some(len) => self.quoted(start, len)?,
                None => {
                    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
                    self.at += bytes.iter().take_while(|b| is_part(b)).count();
                    Kind::Name
                }
            },
            _ => self.sign(start)?,
        };
        Ok(Token {
            kind,
            span: (start, self.at),
        })
    }

    /// White space and comments.
    fn skip(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn sign(&mut self, start: usize) -> Result<Kind, ExprFault> {
        let rest = &self.text[start..];
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.at += sign.len();
            return Ok(Kind::Sign(sign));
        }
        let len = rest.chars().next().map_or(0, char::len_utf8);
        self.at += len;
        let span = (start, start + len);
        Err(match &rest[..len] {
            "=" => ExprFault::new("expr_syntax", span, "`=` is not an operator")
                .help("a comparison is `==`"),
            "&" => ExprFault::new("expr_syntax", span, "`&` is not an operator")
                .help("logical and is `&&`"),
            "|" => ExprFault::new("expr_syntax", span, "`|` is not an operator")
                .help("logical or is `||`"),
            _ => ExprFault::new("expr_syntax", span, "unexpected character"),
        })
    }

    fn number(&mut self) -> Kind {
        let bytes = self.text.as_bytes();
        let digits = |from: usize| {
            let is_digit = |b: &&u8| b.is_ascii_digit();
            from + bytes[from..].iter().take_while(is_digit).count()
        };
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let mut at = self.at;
        let mut kind = Kind::Int;
        if byte(at) == b'0' && byte(at + 1) == b'x' && byte(at + 2).is_ascii_hexdigit() {
            at += 2;
            while byte(at).is_ascii_hexdigit() {
                at += 1;
            }
        } else {
            at = digits(at);
            if byte(at) == b'.' && byte(at + 1).is_ascii_digit() {
                at = digits(at + 1);
                kind = Kind::Double;
            }
            let sign = usize::from(matches!(byte(at + 1), b'+' | b'-'));
            if matches!(byte(at), b'e' | b'E') && byte(at + 1 + sign).is_ascii_digit() {
                at = digits(at + 1 + sign);
                kind = Kind::Double;
            }
        }
        if kind == Kind::Int && matches!(byte(at), b'u' | b'U') {
            at += 1;
            kind = Kind::Uint;
        }
        self.at = at;
        kind
    }

    /// A text or bytes literal whose quotes begin after `prefix` letters.
    fn quoted(&mut self, start: usize, prefix: usize) -> Result<Kind, ExprFault> {
        let bytes = self.text.as_bytes();
        let letters = &bytes[start..start + prefix];
        let is = |letter: u8| letters.iter().any(|b| b.to_ascii_lowercase() == letter);
        let kind = if is(b'b') { Kind::Bytes } else { Kind::Text };
        let open = start + prefix;
        let quote = bytes[open];
        let triple = bytes[open..].starts_with(&[quote; 3]);
        let width = if triple { 3 } else { 1 };
        let mut at = open + width;
        loop {
            match bytes.get(at) {
                None => return Err(self.open(start, "the text is not closed")),
                Some(b'\\') if !is(b'r') => at += 2,
                Some(b'\n' | b'\r') if !triple => {
                    return Err(self.open(start, "the text is not closed on its line"));
                }
                Some(b) if *b == quote && (!triple || bytes[at..].starts_with(&[quote; 3])) => {
                    self.at = at + width;
                    return Ok(kind);
                }
                Some(_) => at += 1,
            }
        }
    }

    fn open(&mut self, start: usize, message: &str) -> ExprFault {
        let line = self.text[start..].find('\n');
        self.at = line.map_or(self.text.len(), |len| start + len);
        ExprFault::new("expr_syntax", (start, self.at), message)
    }
}

/// The letters before the quotes of a literal: `r`, `b`, both in any order; none if no quote follows.
fn prefix(bytes: &[u8]) -> Option<usize> {
    let quote = |at: usize| matches!(bytes.get(at), Some(b'\'' | b'"'));
    match bytes {
        [b'r' | b'R' | b'b' | b'B', ..] if quote(1) => Some(1),
        [b'r' | b'R', b'b' | b'B', ..] | [b'b' | b'B', b'r' | b'R', ..] if quote(2) => Some(2),
        _ => None,
    }
}

/// The bytes that a literal of text or bytes stands for; `start` is where it begins.
pub(super) fn unquoted(literal: &str, kind: Kind, start: usize) -> Result<Vec<u8>, ExprFault> {
    let prefix = literal.find(['\'', '"']).unwrap_or_default();
    let (letters, quoted) = literal.split_at(prefix);
    let triple = quoted.len() >= 6 && ["'''", "\"\"\""].iter().any(|q| quoted.starts_with(q));
    let width = if triple { 3 } else { 1 };
    let inner = quoted.get(width..quoted.len() - width).unwrap_or_default();
    let base = start + prefix + width;
    if letters.contains(['r', 'R']) {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let place = base + inner.len() - rest.len() + at;
        let after = &rest[at + 1..];
        let taken = escape(after, kind == Kind::Bytes, &mut out).ok_or_else(|| {
            let len = after.chars().next().map_or(0, char::len_utf8);
            let text = &after[..len];
            let span = (place, place + 1 + len);
            ExprFault::new(
                "expr_syntax",
                span,
                format!("`\\{text}` is not an escape here"),
            )
            .help("a backslash itself is written `\\\\`")
        })?;
        rest = &after[taken..];
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

/// The character of a surrogate pair: its first half, and what follows, which begins with the second: `\ude00`.
fn pair(high: u32, rest: &str) -> Option<char> {
    let digits = rest.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let low = u32::from_str_radix(digits, 16).ok()?;
    let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    is_pair
        .then(|| 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        .and_then(char::from_u32)
}

/// Writes what an escape stands for; the bytes it takes after the backslash.
fn escape(after: &str, bytes: bool, out: &mut Vec<u8>) -> Option<usize> {
    let first = *after.as_bytes().first()?;
    let plain = match first {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' | b'?' | b'"' | b'\'' | b'`' => first,
        _ => {
            let (from, len, radix) = match first {
                b'x' | b'X' => (1, 2, 16),
                b'u' if !bytes => (1, 4, 16),
                b'U' if !bytes => (1, 8, 16),
                b'0'..=b'3' => (0, 3, 8),
                _ => return None,
            };
            let digits = after.get(from..from + len)?;
            // A sign is no digit.
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            let code = u32::from_str_radix(digits, radix).ok()?;
            if bytes {
                out.push(u8::try_from(code).ok()?);
                return Some(from + len);
            }
            let (sign, taken) = match char::from_u32(code) {
                Some(sign) => (sign, from + len),
                None if first == b'u' => (pair(code, &after[from + len..])?, 2 * (from + len) + 1),
                None => return None,
            };
            out.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(taken);
        }
    };
    out.push(plain);
    Some(1)
}
