//! What holds of a topology beyond types and nulls: what can fail, what is decided before any record comes, what does not
//! fit its field, what is never read, and where tagged fields go.

pub mod fields;
pub mod pii;
pub mod unread;
mod verdicts;

pub use verdicts::{Rule, Verdicts};

use super::codes;

/// The sentence of a reason, for the middle of a sentence, and what to do about it.
pub fn reason(code: &str) -> (String, &'static str) {
    let Some(known) = codes::reasons().find(|reason| reason.code == code) else {
        return (code.to_owned(), "");
    };
    let meaning = known.meaning.trim_end_matches('.');
    let mut chars = meaning.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    (first.into_iter().chain(chars).collect(), known.remedy)
}
