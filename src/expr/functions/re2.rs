//! RE2's patterns in the engine's words. The engine takes `\d`, `\w`, `\s` and `\b` for Unicode's, knows classes within
//! classes, and refuses a brace that repeats nothing, `\Q…\E` and octal codes.

use std::iter::Peekable;
use std::str::Chars;

use regex_syntax::ast::ClassAsciiKind;

/// A pattern for the engine that means what RE2 means by this one. What neither can read is left to the engine's own words.
///
/// # Errors
/// What RE2 does not have or the engine cannot do, in a few words.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let mut reader = Reader {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len()),
    };
    reader.pattern()?;
    Ok(reader.out)
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
}

/// What an escape stands for.
enum Escape {
    Char(char),
    /// A class, as the engine writes it.
    Class(String),
    /// A place in the text.
    Place(&'static str),
}

impl Reader<'_> {
    fn pattern(&mut self) -> Result<(), String> {
        while let Some(sign) = self.rest.next() {
            match sign {
                '\\' if self.rest.peek() == Some(&'Q') => self.quoted(),
                '\\' => match self.escape()? {
                    Escape::Char(sign) => self.literal(sign),
                    Escape::Class(class) => self.out.push_str(&class),
                    Escape::Place(place) => self.out.push_str(place),
                },
                '[' => self.class()?,
                '{' => self.brace(),
                '}' => self.literal('}'),
                '(' => self.group()?,
                sign => self.out.push(sign),
            }
        }
        Ok(())
    }

    fn literal(&mut self, sign: char) {
        regex_syntax::escape_into(sign.encode_utf8(&mut [0; 4]), &mut self.out);
    }

    /// `\Q…\E`: letters, up to the end of the pattern if nothing ends them.
    fn quoted(&mut self) {
        self.rest.next();
        while let Some(sign) = self.rest.next() {
            if sign == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(sign);
        }
    }

    /// A brace is one, unless a repetition is written in it.
    fn brace(&mut self) {
        let mut ahead = self.rest.clone();
        let inner: String = ahead.by_ref().take_while(|sign| *sign != '}').collect();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let repeats = match inner.split_once(',') {
            Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
            None => is_number(&inner),
        };
        let is_closed = self.rest.clone().any(|sign| sign == '}');
        if repeats && is_closed {
            self.out.push('{');
            self.out.push_str(&inner);
            self.out.push('}');
            self.rest = ahead;
        } else {
            self.literal('{');
        }
    }

    /// What opens a group. The engine's other flags change how a pattern is read.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        while let Some(flag) = self
            .rest
            .next_if(|sign| sign.is_ascii_lowercase() || matches!(sign, '-' | 'U'))
        {
            if !"imsU-".contains(flag) {
                return Err(format!("RE2 has the flags i, m, s and U, no `{flag}`"));
            }
            self.out.push(flag);
        }
        Ok(())
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<Escape, String> {
        let Some(sign) = self.rest.next() else {
            return Err("a backslash is the last character".into());
        };
        Ok(match sign {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Escape::Class(perl(sign).to_owned()),
            'p' | 'P' => self.named(sign)?,
            'b' => Escape::Place(r"(?-u:\b)"),
            'B' => Escape::Place(r"(?-u:\B)"),
            'A' => Escape::Place(r"\A"),
            'z' => Escape::Place(r"\z"),
            'a' => Escape::Char('\x07'),
            'f' => Escape::Char('\x0c'),
            'n' => Escape::Char('\n'),
            'r' => Escape::Char('\r'),
            't' => Escape::Char('\t'),
            'v' => Escape::Char('\x0b'),
            'x' => Escape::Char(self.hexadecimal()?),
            '0'..='7' => Escape::Char(self.octal(sign)?),
            'C' => {
                return Err(
                    r"`\C` is a single byte, and texts are searched by characters; write `(?s:.)`"
                        .into(),
                );
            }
            sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => Escape::Char(sign),
            sign => return Err(format!(r"`\{sign}` is no escape of RE2")),
        })
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`.
    fn named(&mut self, sign: char) -> Result<Escape, String> {
        let open = || format!(r"`\{sign}` has no name of a class behind it");
        let mut name = String::new();
        match self.rest.next().ok_or_else(open)? {
            '{' => loop {
                match self.rest.next().ok_or_else(open)? {
                    '}' => break,
                    part => name.push(part),
                }
            },
            one => name.push(one),
        }
        let (is_inverse, name) = match name.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, &*name),
        };
        let letter = match (sign == 'P') != is_inverse {
            true => 'P',
            false => 'p',
        };
        Ok(Escape::Class(format!("\\{letter}{{{name}}}")))
    }

    /// `\x7F`, `\x{10FFFF}`.
    fn hexadecimal(&mut self) -> Result<char, String> {
        let mut digits = String::new();
        if self.rest.next_if_eq(&'{').is_some() {
            while let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit) {
                digits.push(digit);
            }
            if self.rest.next_if_eq(&'}').is_none() {
                digits.clear();
            }
        } else {
            digits.extend(self.rest.next_if(char::is_ascii_hexdigit));
            digits.extend(self.rest.next_if(char::is_ascii_hexdigit));
            if digits.len() < 2 {
                digits.clear();
            }
        }
        let code = u32::from_str_radix(&digits, 16).ok();
        code.and_then(char::from_u32)
            .ok_or_else(|| r"`\x` has no code of a character behind it".into())
    }

    /// `\0`, `\12`, `\123`; a single other digit would be a back-reference.
    fn octal(&mut self, first: char) -> Result<char, String> {
        let is_octal = |sign: &char| ('0'..='7').contains(sign);
        let mut code = first.to_digit(8).unwrap_or_default();
        let mut count = 1;
        while count < 3
            && let Some(digit) = self.rest.next_if(is_octal)
        {
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
            count += 1;
        }
        if first != '0' && count == 1 {
            return Err("there are no back-references".into());
        }
        char::from_u32(code).ok_or_else(|| "an octal code is no character".into())
    }

    /// A class: its letters, ranges and named classes. Nothing else in it means anything.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let item = match self.rest.next().ok_or_else(open_class)? {
                ']' if !is_first => break,
                '[' if self.rest.peek() == Some(&':') => self.posix()?,
                sign => self.letter(sign)?,
            };
            is_first = false;
            let low = match item {
                Escape::Char(low) => low,
                Escape::Class(class) => {
                    self.out.push_str(&class);
                    continue;
                }
                Escape::Place(_) => return Err("a class has characters, not places".into()),
            };
            self.literal(low);
            let mut ahead = self.rest.clone();
            if ahead.next() != Some('-') || matches!(ahead.peek(), Some(']') | None) {
                continue;
            }
            self.rest = ahead;
            let sign = self.rest.next().ok_or_else(open_class)?;
            let Escape::Char(high) = self.letter(sign)? else {
                return Err("a range in a class ends with a character".into());
            };
            self.out.push('-');
            self.literal(high);
        }
        self.out.push(']');
        Ok(())
    }

    fn letter(&mut self, sign: char) -> Result<Escape, String> {
        match sign {
            '\\' => self.escape(),
            sign => Ok(Escape::Char(sign)),
        }
    }

    /// `[:alpha:]` within a class; a bracket where no such name is closed.
    fn posix(&mut self) -> Result<Escape, String> {
        let rest: String = self.rest.clone().skip(1).collect();
        let Some(end) = rest.find(":]") else {
            return Ok(Escape::Char('['));
        };
        let name = &rest[..end];
        // The engine takes what it does not know for a class within the class.
        if ClassAsciiKind::from_name(name.trim_start_matches('^')).is_none() {
            return Err(format!("there is no class `[:{name}:]`"));
        }
        for _ in 0..name.chars().count() + 3 {
            self.rest.next();
        }
        Ok(Escape::Class(format!("[:{name}:]")))
    }
}

fn open_class() -> String {
    "a class is not closed".into()
}

/// The members of a class of Perl's.
fn perl(letter: char) -> &'static str {
    match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => r"[\t\n\f\r\x20]",
        _ => r"[^\t\n\f\r\x20]",
    }
}

#[cfg(test)]
mod tests {
    use super::super::prepared::compile;

    const BYTES_MAX: usize = 1 << 20;

    #[test]
    fn patterns_mean_what_re2_means() {
        for (pattern, text, is_found) in [
            (r"^\d$", "7", true),
            (r"^\d$", "٣", false),
            (r"^\D$", "٣", true),
            (r"^\w+$", "a_9", true),
            (r"^\w+$", "é", false),
            (r"^[\w.-]+$", "a.b-c", true),
            (r"^[\w.-]+$", "é", false),
            (r"^[^\d]$", "٣", true),
            (r"^[\D]$", "7", false),
            (r"^[\D7]$", "7", true),
            (r"^[\w.-]+$", "a-.", true),
            (r"^[\d-z]+$", "7-z", true),
            (r"^[\d-z]+$", "a", false),
            (r"^[+-\-\d]$", "/", false),
            (r"^[]\d]+$", "]7", true),
            (r"^[^]\d]$", "]", false),
            (r"^[[:alpha:]\d]+$", "a7", true),
            (r"^[[:^alpha:]]$", "7", true),
            (r"^[[:alpha:]]$", "7", false),
            (r"\s", "a\u{a0}b", false),
            (r"^\S$", "\u{a0}", true),
            (r"\bx\b", "éxé", true),
            (r"\Bx", "éx", false),
            (r"\bx\b", "axa", false),
            (r"^\\d$", r"\d", true),
            (r"^\pL$", "é", true),
            (r"^\p{^L}$", "é", false),
            (r"^\P{^L}$", "é", true),
            (r"^(?i)É$", "é", true),
            (r"^.$", "é", true),
            // A brace that repeats nothing.
            (r#"{"a""#, r#"{"a":1}"#, true),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{,2}$", "aa", false),
            (r"^a{ 2}$", "a{ 2}", true),
            (r"^a{2,3}$", "aa", true),
            (r"^a{2,}$", "aaaa", true),
            (r"^a{2$", "a{2", true),
            (r"^x}$", "x}", true),
            (r"^\b{start}$", "{start}", false),
            // Letters between \Q and \E.
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^\Q[(\d\E+$", r"[(\ddd", true),
            (r"^\Q{2}", "{2}", true),
            (r"^a\Q\E*$", "aaa", true),
            // Classes have letters and ranges only.
            (r"^[[a]+$", "[a", true),
            (r"^[[a]]$", "[]", true),
            (r"^[[:a]+$", "[:a", true),
            (r"^[+&&]+$", "+&", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[a~~b]+$", "a~b", true),
            (r"^[a~~b]+$", "c", false),
            (r"^[+--]+$", "+,-", true),
            (r"^[+--]+$", ".", false),
            (r"^[\x41-\x{43}\101]+$", "ABC", true),
            (r"^[#-]+$", "-#", true),
            (r"^\101\x42\x{43}\012$", "ABC\n", true),
            (r"^\<a\>$", "<a>", true),
        ] {
            let compiled =
                compile(pattern, BYTES_MAX).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert_eq!(compiled.is_match(text), is_found, "{pattern} in {text}");
        }
    }

    #[test]
    fn what_re2_refuses_or_no_text_has_is_refused() {
        for (refused, why) in [
            (r"a\", "backslash"),
            (r"[\b]", "places"),
            (r"[+-\d]", "range"),
            (r"[b-a]", "range"),
            (r"[a", "not closed"),
            (r"[[:nonsense:]]", "no class"),
            (r"\C", "single byte"),
            (r"\1", "back-references"),
            (r"\8", "no escape"),
            (r"\q", "no escape"),
            (r"\x{110000}", "code"),
            (r"\xg", "code"),
            (r"\p", "name"),
            (r"(?x)a b", "flags"),
            (r"(?=a)", "look-around"),
            (r"{2}", "missing"),
            (r"a\E", "no escape"),
        ] {
            let error = compile(refused, BYTES_MAX).expect_err(refused);
            assert!(error.contains(why), "{refused}: {error}");
        }
    }
}
