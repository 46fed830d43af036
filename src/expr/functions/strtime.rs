//! Patterns of times: which directives there are, and what is wrong with a constant one.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;

use super::super::Const;
use super::instant::{civil, write};
use super::needs::{Fails, Given};
use super::prepared::Prepared;
use super::{Prepare, Unfit};

/// Directives of a pattern that a time is written by.
const WRITTEN: &str = "%AaBbCcDdeFfGgHhIjklMmNnPpQqRrSsTtUuVWwXxYyz";
/// Those of them that not every time is written by: `%y`, `%g` and `%D` have the years 1969 to 2068, `%s` not the last day.
const BOUNDED: &str = "Dgsy";
/// Directives of a pattern that a text is read by.
const READ: &str = "%AaBbCDdeFfGgHhIjklMmNnPpQRSsTtUuVWwYyz";

/// A pattern to write by, as the second argument.
pub(super) const TO_WRITE: Prepare = Prepare {
    arg: 1,
    make: to_write,
    rules_out: &["bad_format"],
};
/// A pattern to read a time by.
pub(super) const TO_READ: Prepare = Prepare {
    arg: 1,
    make: to_read,
    rules_out: &[],
};
/// A pattern to read a day by.
pub(super) const TO_READ_DAY: Prepare = Prepare {
    arg: 1,
    make: to_read_day,
    rules_out: &[],
};

/// Times that a pattern is tried with.
const SAMPLES: [DateTime; 3] = [
    DateTime::constant(2024, 1, 31, 10, 20, 30, 0),
    DateTime::constant(2024, 12, 9, 23, 59, 59, 123_456_789),
    DateTime::constant(2023, 11, 1, 0, 0, 0, 0),
];

fn to_write(text: &Const) -> Result<Prepared, Unfit> {
    let Const::Str(text) = text else {
        return Ok(Prepared::Good);
    };
    known(text, WRITTEN, "written")?;
    let mut out = String::new();
    match write(SAMPLES[0], 0, text, &mut out) {
        true => Ok(Prepared::Good),
        false => Err(unfit(format!(
            "no time can be written by the pattern \"{text}\""
        ))),
    }
}

fn to_read(text: &Const) -> Result<Prepared, Unfit> {
    readable(text, |parts| civil(parts).is_ok())
}

fn to_read_day(text: &Const) -> Result<Prepared, Unfit> {
    readable(text, |parts| parts.to_date().is_ok())
}

/// A pattern by which a whole time can be read.
fn readable(text: &Const, is_whole: fn(&BrokenDownTime) -> bool) -> Result<Prepared, Unfit> {
    let Const::Str(text) = text else {
        return Ok(Prepared::Good);
    };
    known(text, READ, "read")?;
    // What is written by it is read by it; if that never gives a day, nothing does.
    let read: Vec<_> = SAMPLES
        .iter()
        .filter_map(|sample| {
            let mut out = String::new();
            write(*sample, 0, text, &mut out).then_some(())?;
            BrokenDownTime::parse(text.as_bytes(), out.as_bytes()).ok()
        })
        .collect();
    match read.is_empty() || read.iter().any(is_whole) {
        true => Ok(Prepared::Good),
        false => Err(unfit(format!(
            "a text that is read by the pattern \"{text}\" is never a whole time: it lacks a year, a month or a day, or an hour"
        ))),
    }
}

fn unfit(message: String) -> Unfit {
    Unfit {
        code: "bad_constant",
        message,
        help: "it is written as for strftime: %Y-%m-%dT%H:%M:%S".into(),
    }
}

/// Whether some times can be written by a pattern.
pub(super) fn is_pattern(text: &str) -> bool {
    write(SAMPLES[0], 0, text, String::new())
}

/// Whether the constant pattern of a call writes every time.
pub(super) fn writes_all(given: &Given) -> Fails {
    let Some(Const::Str(text)) = given.constant(1) else {
        return Fails::Perhaps;
    };
    let is_bounded = |directive: &str| directive.ends_with(|letter| BOUNDED.contains(letter));
    match Directives(text).any(is_bounded) {
        true => Fails::Perhaps,
        false => Fails::Never,
    }
}

/// Whether all directives are known; the fault names the first that is not.
fn known(pattern: &str, all: &str, what: &str) -> Result<(), Unfit> {
    for directive in Directives(pattern) {
        let letter = directive.chars().skip(1).last();
        let fits = letter.is_some_and(|letter| all.contains(letter)) && extensions_fit(directive);
        if !fits {
            let listed: Vec<_> = all.chars().map(|letter| format!("%{letter}")).collect();
            return Err(Unfit {
                help: format!("there are {}, and %.f", listed.join(" ")).into(),
                ..unfit(format!(
                    "`{directive}` of the pattern \"{pattern}\" is nothing that times are {what} by"
                ))
            });
        }
    }
    Ok(())
}

/// `%:z`, `%::z`, `%:::z`, `%:Q`, and a point before `f` only.
fn extensions_fit(directive: &str) -> bool {
    let colons = directive.matches(':').count();
    let has_point = directive.contains('.');
    match directive.chars().last() {
        Some('z') => !has_point,
        Some('Q') => colons <= 1 && !has_point,
        Some('f') => colons == 0,
        _ => colons == 0 && !has_point,
    }
}

/// The directives of a pattern, each with its `%`, flag, width, colons and letter.
struct Directives<'t>(&'t str);

impl<'t> Iterator for Directives<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let start = self.0.find('%')?;
        let rest = &self.0[start..];
        let mut signs = rest.char_indices().skip(1).peekable();
        signs.next_if(|(_, sign)| "_0-^#".contains(*sign));
        while signs.next_if(|(_, sign)| sign.is_ascii_digit()).is_some() {}
        for _ in 0..3 {
            signs.next_if(|(_, sign)| *sign == ':');
        }
        if signs.next_if(|(_, sign)| *sign == '.').is_some() {
            while signs.next_if(|(_, sign)| sign.is_ascii_digit()).is_some() {}
        }
        let end = signs
            .next()
            .map_or(rest.len(), |(at, sign)| at + sign.len_utf8());
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(make: fn(&Const) -> Result<Prepared, Unfit>, pattern: &str) -> Option<String> {
        make(&Const::Str(pattern.into()))
            .err()
            .map(|unfit| format!("{} ({})", unfit.message, unfit.help))
    }

    /// The lists are those of the library: a letter that is in none of them does not work.
    #[test]
    fn every_letter_is_listed_if_and_only_if_times_are_written_and_read_by_it() {
        for letter in (b'!'..=b'~').map(char::from) {
            if "_0-^#.:".contains(letter) || letter.is_ascii_digit() {
                continue;
            }
            let pattern = format!("%{letter}");
            let mut out = String::new();
            let is_written = write(SAMPLES[0], 3600, &pattern, &mut out);
            assert_eq!(WRITTEN.contains(letter), is_written, "{pattern} {out}");
            // What cannot be written is given another text.
            let texts = [out.as_str(), "10", "Europe/Berlin", "CET"];
            let is_read = texts
                .iter()
                .any(|text| BrokenDownTime::parse(pattern.as_bytes(), text.as_bytes()).is_ok());
            assert_eq!(READ.contains(letter), is_read, "{pattern} {out}");
        }
    }

    #[test]
    fn what_is_unknown_is_named_with_what_is_known() {
        let shown = faults(to_write, "%Y-%m-%d %Z").unwrap();
        assert!(shown.contains("`%Z`") && shown.contains("%Y %y"), "{shown}");
        let shown = faults(to_read, "%d.%m.%Y %Z").unwrap();
        assert!(shown.contains("`%Z`"), "{shown}");
        let shown = faults(to_read, "%c").unwrap();
        assert!(shown.contains("`%c`"), "{shown}");
        for pattern in ["100%", "%-", "%5", "%.", "%.3Y", "%:Y", "%é", "%E"] {
            assert!(faults(to_write, pattern).is_some(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_never_gives_a_day_is_refused() {
        for pattern in ["%H:%M", "%Y", "%m-%d", ""] {
            assert!(faults(to_read, pattern).is_some(), "{pattern}");
            assert!(faults(to_read_day, pattern).is_some(), "{pattern}");
        }
        for pattern in [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%d.%m.%Y",
            "%Y%m%d",
            "%-d/%-m/%y",
            "%Y-%j",
            "%G-W%V-%u",
            "%a, %d %b %Y %T %z",
            "%F %R",
            "100%% %F",
            "%I:%M %p %D",
            "%Y-%m-%d %H:%M:%S.%3f",
        ] {
            assert_eq!(faults(to_read, pattern), None, "{pattern}");
        }
        assert!(faults(to_read, "%s").is_some());
    }
}
