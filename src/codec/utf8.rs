//! Whether text is UTF-8. A scan asks it for dozens of short texts of one datum, so it first notes for the whole datum, in one
//! go, which bytes are not ASCII: a bit for each. For most texts one look at the bits is all.

use super::primitive::{self, Trouble};

const HIGH: u64 = 0x8080_8080_8080_8080;

/// Bytes that a word of marks is about.
const WORD: usize = u64::BITS as usize;

/// Notes which bytes of a datum are not ASCII. Behind the last word is an empty one, so that there are always two to look at.
pub(super) fn mark(data: &[u8], marks: &mut Vec<u64>) {
    marks.clear();
    let (blocks, rest) = data.as_chunks::<WORD>();
    marks.extend(blocks.iter().map(high_bits));
    if !rest.is_empty() {
        marks.push(match data.last_chunk::<WORD>() {
            // What stands before the rest is shifted out.
            Some(last) => high_bits(last) >> (WORD - rest.len()),
            None => {
                let mut block = [0; WORD];
                block[..rest.len()].copy_from_slice(rest);
                high_bits(&block)
            }
        });
    }
    marks.push(0);
}

/// The highest bit of each byte, the first byte's lowest. Eight bytes at a time: the multiplication moves their bits side by
/// side into the highest byte.
#[inline(always)]
fn high_bits(block: &[u8; WORD]) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    words.iter().rev().fold(0, |bits, word| {
        let high = u64::from_le_bytes(*word) & HIGH;
        bits << 8 | high.wrapping_mul(0x0002_0408_1020_4081) >> 56
    })
}

/// The marks from a byte on.
#[inline(always)]
fn ahead(marks: &[u64], at: usize) -> u64 {
    match marks.get(at / WORD..).and_then(<[u64]>::first_chunk) {
        Some([low, high]) => low >> (at % WORD) | high << 1 << (WORD - 1 - at % WORD),
        // There are always two; if not, every byte is looked at.
        None => u64::MAX,
    }
}

/// A length-prefixed string of a datum with its marks: where its text starts and ends.
#[inline(always)]
pub(super) fn string(data: &[u8], marks: &[u64], pos: usize) -> Result<(usize, usize), Trouble> {
    if let Some(length) = primitive::short_length(data, pos) {
        let (start, end) = (pos + 1, pos + 1 + length);
        if end <= data.len() {
            // A short length is below the bits of a word.
            let seen = ahead(marks, start) << (WORD - 1 - length) << 1;
            if seen == 0 || is_text(data, marks, start, end) {
                return Ok((start, end));
            }
            return Err(Trouble::Utf8);
        }
    }
    long_string(data, marks, pos)
}

#[inline(never)]
fn long_string(data: &[u8], marks: &[u64], pos: usize) -> Result<(usize, usize), Trouble> {
    let (start, end) = primitive::run(data, pos)?;
    if is_text(data, marks, start, end) {
        Ok((start, end))
    } else {
        Err(Trouble::Utf8)
    }
}

/// Whether the bytes between two places are UTF-8.
#[inline(never)]
fn is_text(data: &[u8], marks: &[u64], start: usize, end: usize) -> bool {
    let mut at = start;
    while at < end {
        let bits = ahead(marks, at);
        if bits == 0 {
            at += WORD;
            continue;
        }
        at += bits.trailing_zeros() as usize;
        while at < end && data[at] >= 0x80 {
            match width(&data[at..end]) {
                Some(bytes) => at += bytes,
                None => return false,
            }
        }
    }
    true
}

/// Whether a text that stands alone is UTF-8. Most are ASCII, for which that is the quicker question.
#[inline]
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || is_wide_utf8(bytes)
}

/// Words of eight bytes, the last one overlapping.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    let mut seen = 0;
    match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Some(last), _) => {
            for word in bytes.as_chunks::<8>().0 {
                seen |= u64::from_le_bytes(*word);
            }
            seen |= u64::from_le_bytes(*last);
        }
        (None, Some(first)) => {
            let last = bytes.last_chunk::<4>().unwrap_or(first);
            seen = u64::from(u32::from_le_bytes(*first) | u32::from_le_bytes(*last));
        }
        (None, None) => {
            for byte in bytes {
                seen |= u64::from(*byte);
            }
        }
    }
    seen & HIGH == 0
}

/// The words between letters beyond ASCII are skipped whole, wherever they begin (the standard library's check goes byte by
/// byte up to the next aligned word).
fn is_wide_utf8(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let high = u64::from_le_bytes(*word) & HIGH;
        if high == 0 {
            rest = after;
            continue;
        }
        rest = &rest[high.trailing_zeros() as usize / 8..];
        match width(rest) {
            Some(bytes) => rest = &rest[bytes..],
            None => return false,
        }
    }
    std::str::from_utf8(rest).is_ok()
}

/// The bytes of the character that is first; `None` if there is none that UTF-8 allows.
#[inline(always)]
fn width(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xC2..=0xDF, 0x80..=0xBF, ..] => Some(2),
        // The second byte rules out the long forms of shorter characters, the surrogates, and what is beyond 10FFFF.
        [0xE0, 0xA0..=0xBF, 0x80..=0xBF, ..]
        | [0xED, 0x80..=0x9F, 0x80..=0xBF, ..]
        | [0xE1..=0xEC | 0xEE..=0xEF, 0x80..=0xBF, 0x80..=0xBF, ..] => Some(3),
        [0xF0, 0x90..=0xBF, 0x80..=0xBF, 0x80..=0xBF, ..]
        | [0xF1..=0xF3, 0x80..=0xBF, 0x80..=0xBF, 0x80..=0xBF, ..]
        | [0xF4, 0x80..=0x8F, 0x80..=0xBF, 0x80..=0xBF, ..] => Some(4),
        [0..0x80, ..] => Some(1),
        _ => None,
    }
}

/// The text of bytes that a scan has validated; empty if the caller mixed up two datums.
#[inline]
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marked(data: &[u8]) -> Vec<u64> {
        let mut marks = vec![7; 3];
        mark(data, &mut marks);
        marks
    }

    /// Every sequence of four bytes that matters, at the borders of every class of bytes, behind a few letters.
    #[test]
    fn the_check_of_characters_agrees_with_std_at_every_border() {
        const BORDERS: &[u8] = &[
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ];
        for before in [0, 5, 8, 62] {
            let mut bytes = vec![b'a'; before];
            for a in BORDERS {
                for b in BORDERS {
                    for c in BORDERS {
                        for d in BORDERS {
                            bytes.truncate(before);
                            bytes.extend([a, b, c, d]);
                            let expected = std::str::from_utf8(&bytes).is_ok();
                            assert_eq!(is_utf8(&bytes), expected, "{bytes:x?}");
                            let marks = marked(&bytes);
                            let is_text = is_text(&bytes, &marks, 0, bytes.len());
                            assert_eq!(is_text, expected, "{bytes:x?}");
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_mark_is_a_byte_beyond_ascii(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let marks = marked(&data);
            prop_assert_eq!(marks.len(), data.len().div_ceil(WORD) + 1);
            for at in 0..marks.len() * WORD {
                let expected = data.get(at).is_some_and(|byte| !byte.is_ascii());
                prop_assert_eq!(marks[at / WORD] >> (at % WORD) & 1 == 1, expected, "byte {}", at);
            }
        }

        #[test]
        fn a_string_is_checked_from_its_start_to_its_end(
            before in proptest::collection::vec(any::<u8>(), 0..140),
            text in proptest::collection::vec(prop_oneof![9 => 0u8..128, 1 => any::<u8>()], 0..140),
            tail in proptest::collection::vec(any::<u8>(), 0..140),
        ) {
            let mut data = before;
            let pos = data.len();
            primitive::put_run(&text, &mut data);
            let end = data.len();
            data.extend(tail);
            let expected = std::str::from_utf8(&text).map(|_| (end - text.len(), end));
            prop_assert_eq!(string(&data, &marked(&data), pos), expected.map_err(|_| Trouble::Utf8));
        }

        #[test]
        fn text_is_text(text in "\\PC{0,140}", cut in 0usize..560) {
            let data = text.as_bytes();
            let marks = marked(data);
            prop_assert!(is_utf8(data) && is_text(data, &marks, 0, data.len()));
            let end = cut.min(data.len());
            let expected = std::str::from_utf8(&data[..end]).is_ok();
            prop_assert_eq!(is_utf8(&data[..end]), expected);
            prop_assert_eq!(is_text(data, &marks, 0, end), expected);
        }

        #[test]
        fn the_quick_check_agrees_with_std(bytes in proptest::collection::vec(prop_oneof![9 => 0u8..128, 1 => any::<u8>()], 0..70)) {
            prop_assert_eq!(is_utf8(&bytes), std::str::from_utf8(&bytes).is_ok());
            prop_assert_eq!(is_ascii(&bytes), bytes.is_ascii());
        }
    }
}
