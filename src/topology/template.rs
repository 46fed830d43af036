//! `text ${expression} text`: taken apart, with the place of every expression.

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Literal text.
    Literal(&'a str),
    /// An expression, and its byte offset in the template.
    Expr(&'a str, usize),
}

/// Takes a template apart. An expression ends at the brace that closes it: braces within it and within its string
/// literals are part of it.
///
/// # Errors
/// The byte offset of a `${` that is never closed.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, usize> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("${") {
        let open = at + open;
        if open > at {
            parts.push(Part::Literal(&text[at..open]));
        }
        let start = open + 2;
        let length = closing(&text[start..]).ok_or(open)?;
        parts.push(Part::Expr(&text[start..start + length], start));
        at = start + length + 1;
    }
    if at < text.len() {
        parts.push(Part::Literal(&text[at..]));
    }
    Ok(parts)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_end_at_their_own_brace() {
        assert_eq!(
            parts("a.${x == \"}\" ? {'k': 1}['k'] : y}.b").unwrap(),
            [
                Part::Literal("a."),
                Part::Expr("x == \"}\" ? {'k': 1}['k'] : y", 4),
                Part::Literal(".b")
            ]
        );
        assert_eq!(parts("plain").unwrap(), [Part::Literal("plain")]);
        assert_eq!(parts("a${b"), Err(1));
        assert_eq!(parts("").unwrap(), []);
    }
}
