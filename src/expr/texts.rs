//! A set of constant texts: what `in` looks into.

use std::sync::Arc;

/// Sets up to this size are looked through one by one; larger ones by halves.
const SMALL: usize = 16;

/// Constant texts, sorted by length, then by their first eight bytes, then by all of them. Length and first bytes are two
/// numbers, which tell most texts apart without a comparison of bytes.
#[derive(Clone, Debug)]
pub struct Texts {
    entries: Vec<Entry>,
    /// The bits of all texts: see [`Asked::bit`].
    bits: u64,
}

/// A text that is looked for in one set or in several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    text: &'a [u8],
    /// Its first bytes as a number: see [`first`].
    first: u64,
    /// One of 64 bits, which says of most texts that they are not in a small set.
    bit: u64,
}

impl<'a> Asked<'a> {
    #[inline(always)]
    pub(super) fn new(text: &'a [u8]) -> Asked<'a> {
        let first = first(text);
        Asked {
            text,
            first,
            bit: bit(text.len(), first),
        }
    }
}

#[inline(always)]
fn bit(len: usize, first: u64) -> u64 {
    // The upper bits of the product depend on all bits of both.
    let mixed = (first ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    1 << (mixed >> 58)
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    len: usize,
    first: u64,
    text: Arc<str>,
}

impl Texts {
    /// The texts, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.text)
    }

    /// Whether the set has the text of these bytes.
    pub fn contains(&self, text: &[u8]) -> bool {
        self.has(&Asked::new(text))
    }

    /// The same, of a text that is looked for in several sets.
    #[inline(always)]
    pub(super) fn has(&self, asked: &Asked<'_>) -> bool {
        self.bits & asked.bit != 0 && self.finds(asked)
    }

    #[inline]
    fn finds(&self, asked: &Asked<'_>) -> bool {
        let Asked { text, first, .. } = *asked;
        let len = text.len();
        // Up to eight bytes the number is the text.
        let is_it = |entry: &Entry| len <= 8 || entry.text.as_bytes() == text;
        if self.entries.len() <= SMALL {
            let mut entries = self.entries.iter();
            return entries.any(|entry| entry.len == len && entry.first == first && is_it(entry));
        }
        let key = (len, first, text);
        self.entries
            .binary_search_by(|entry| (entry.len, entry.first, entry.text.as_bytes()).cmp(&key))
            .is_ok()
    }
}

impl FromIterator<Arc<str>> for Texts {
    fn from_iter<T: IntoIterator<Item = Arc<str>>>(texts: T) -> Texts {
        let entry = |text: Arc<str>| Entry {
            len: text.len(),
            first: first(text.as_bytes()),
            text,
        };
        let mut entries: Vec<Entry> = texts.into_iter().map(entry).collect();
        entries.sort_unstable();
        let bits = entries.iter().map(|entry| bit(entry.len, entry.first));
        Texts {
            bits: bits.fold(0, |all, bit| all | bit),
            entries,
        }
    }
}

/// The first eight bytes, the first of them in the lowest bits; zeros where there are fewer.
#[inline]
fn first(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk::<8>() {
        return u64::from_le_bytes(*first);
    }
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        // The two overlap in bytes that are the same in both.
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last));
            u64::from(u32::from_le_bytes(*first)) | last << (8 * (text.len() - 4))
        }
        _ => match text {
            [] => 0,
            [a] => u64::from(*a),
            [a, b] => u64::from(*a) | u64::from(*b) << 8,
            [a, b, c, ..] => u64::from(*a) | u64::from(*b) << 8 | u64::from(*c) << 16,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zeros_do_not_make_texts_of_different_lengths_equal() {
        let texts: Texts = ["a", "ab\0"].map(Arc::from).into_iter().collect();
        assert!(texts.contains(b"a") && texts.contains(b"ab\0"));
        assert!(!texts.contains(b"a\0") && !texts.contains(b"ab") && !texts.contains(b""));
    }

    proptest! {
        #[test]
        fn a_set_has_what_was_put_into_it(all in proptest::collection::vec("[ab\0é]{0,11}", 0..40), other in "[ab\0é]{0,11}") {
            let texts: Texts = all.iter().map(|text| Arc::from(text.as_str())).collect();
            for text in &all {
                prop_assert!(texts.contains(text.as_bytes()));
            }
            prop_assert_eq!(texts.contains(other.as_bytes()), all.contains(&other));
        }
    }
}
