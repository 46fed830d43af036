//! Causes in words: what the system and libraries say, for people.

use std::io::{Error, ErrorKind};

/// Why a file could not be read or written, or an address not be reached.
pub fn of_io(error: &Error) -> String {
    // Who made it has said what it is.
    if let Some(own) = error.get_ref() {
        return without_number(&own.to_string());
    }
    let words = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is not a folder",
        ErrorKind::InvalidData => "it is not text in UTF-8",
        ErrorKind::ConnectionRefused => "connection refused: nothing listens there",
        _ => return without_number(&error.to_string()),
    };
    words.to_owned()
}

/// What to do about a file that could not be read.
pub fn remedy(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "let the user that lockgate runs as read it, and the folders above it (chmod, chown)"
        }
        ErrorKind::InvalidData => "save it as UTF-8",
        _ => "check the path",
    }
}

/// A number of things: `1 record`, `2 records`.
pub fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// A text without the system's numbers, ` (os error 13)`: they say nothing that the words before them do not.
pub fn without_number(text: &str) -> String {
    const BEGINS: &str = " (os error ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGINS) {
        let (before, number) = (&rest[..at], &rest[at + BEGINS.len()..]);
        let digits = number.len()
            - number
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .len();
        let is_number = digits > 0 && number[digits..].starts_with(')');
        out.push_str(before);
        if !is_number {
            out.push_str(BEGINS);
        }
        rest = if is_number {
            &number[digits + 1..]
        } else {
            number
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_ends_in_a_number_of_the_system() {
        for number in 1..134 {
            let words = of_io(&Error::from_raw_os_error(number));
            assert!(
                !words.contains("os error") && !words.is_empty(),
                "{number}: {words}"
            );
        }
        let shown = without_number("a: b (os error 2): c (os error 111), (os error x) (os error 5");
        assert_eq!(shown, "a: b: c, (os error x) (os error 5");
    }
}
