//! Numbers on the command line, refused in words that say what to write.

use std::str::FromStr;

/// A whole number.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    let wanted = match text.is_empty() || text.contains(|c: char| !c.is_ascii_digit()) {
        true => "write a whole number",
        false => "this number is too large",
    };
    text.parse().map_err(|_| wanted.to_owned())
}

/// A whole number, at least 1.
pub fn positive<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    match whole::<T>(text) {
        Ok(number) if number >= T::from(1) => Ok(number),
        Ok(_) => Err("write a whole number, at least 1".to_owned()),
        Err(wanted) => Err(wanted),
    }
}

/// A share of a whole.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("write a share from 0 to 1, such as 0.01 for one in a hundred".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;

    #[test]
    fn a_refused_number_is_answered_with_what_to_write() {
        for (words, said) in [
            (
                &["demo", "--records", "0"][..],
                "write a whole number, at least 1",
            ),
            (&["demo", "--rate", "1.5"], "write a whole number"),
            (&["demo", "--seed", "-"], "write a whole number"),
            (&["demo", "--records", "18446744073709551616"], "too large"),
            (&["demo", "--poison", "NaN"], "write a share from 0 to 1"),
            (&["demo", "--poison", "1%"], "write a share from 0 to 1"),
            (
                &["tail", "--topic", "t", "--count", "x"],
                "write a whole number",
            ),
            (&["dlq", "redrive", "t.yaml", "--rate", "0"], "at least 1"),
            (
                &["dlq", "redrive", "t.yaml", "--rate", "4294967296"],
                "too large",
            ),
            (
                &["dlq", "redrive", "t.yaml", "--limit", ""],
                "write a whole number",
            ),
        ] {
            let all = ["lockgate"].iter().chain(words);
            let shown = Cli::parse_words(all).err().unwrap().text();
            assert!(shown.contains(said), "{words:?}: {shown}");
            assert!(
                !shown.contains("18446744073709551615"),
                "{words:?}: {shown}"
            );
        }
    }
}
