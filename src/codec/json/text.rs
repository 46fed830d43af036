//! The texts that JSON is made of, appended to bytes without an allocation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::codec::Decimal;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends UTF-8 as a quoted string, escaped as RFC 8259 demands and no more.
pub(super) fn quoted(mut bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    loop {
        let plain = plain_prefix(bytes);
        out.extend_from_slice(&bytes[..plain]);
        let Some((special, rest)) = bytes[plain..].split_first() else {
            break;
        };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                hex_digits(&[*control], out);
            }
        }
        bytes = rest;
    }
    out.push(b'"');
}

/// How many bytes stand before the first that must be escaped: eight are looked at in one go.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(eight);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zero(word ^ (ONES * 0x22));
        let backslash = zero(word ^ (ONES * 0x5C));
        // A borrow can only mark bytes behind the first true one.
        let marks = (control | quote | backslash) & HIGHS;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let rest = &bytes[at..];
    at + rest.iter().position(special).unwrap_or(rest.len())
}

/// Appends an integer.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends bytes as quoted base64.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    // The room is as large as the text: it cannot fail.
    let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.push(b'"');
}

/// Appends bytes as quoted hexadecimal digits.
pub(super) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    hex_digits(bytes, out);
    out.push(b'"');
}

fn hex_digits(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

/// Appends sixteen bytes as a quoted UUID.
pub(super) fn uuid(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        hex_digits(&[*byte], out);
    }
    out.push(b'"');
}

/// Appends a decimal's digits; big-endian two's complement, `scale` digits after the point, zeros before it if negative.
pub(super) fn decimal(bytes: &[u8], scale: i64, out: &mut Vec<u8>) {
    match Decimal::from_be_bytes(bytes, 0) {
        Ok(number) => {
            let mut buffer = itoa::Buffer::new();
            let digits = buffer.format(number.unscaled.unsigned_abs());
            scaled(number.unscaled < 0, digits, scale, out);
        }
        // Beyond 128 bits; no column of money gets here.
        Err(_) => {
            let (negative, digits) = long_digits(bytes);
            scaled(negative, &digits, scale, out);
        }
    }
}

fn scaled(negative: bool, digits: &str, scale: i64, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let digits = digits.as_bytes();
    let places = usize::try_from(scale).unwrap_or(0);
    if places == 0 {
        out.extend_from_slice(digits);
        if digits != b"0" {
            let zeros = scale.min(0).unsigned_abs() as usize;
            out.resize(out.len() + zeros, b'0');
        }
    } else if digits.len() > places {
        let (whole, fraction) = digits.split_at(digits.len() - places);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + places - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// Sign and decimal digits of big-endian two's complement of any length.
fn long_digits(bytes: &[u8]) -> (bool, String) {
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    let mut groups = Vec::new();
    while magnitude.iter().any(|b| *b != 0) {
        let mut rest = 0u64;
        for byte in &mut magnitude {
            let current = rest << 8 | u64::from(*byte);
            *byte = (current / 1_000_000_000) as u8;
            rest = current % 1_000_000_000;
        }
        groups.push(rest);
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    (negative, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_decimals_agree_with_short_ones() {
        for number in [
            0,
            1,
            -1,
            255,
            -256,
            i128::MAX,
            i128::MIN,
            10i128.pow(27),
            -(10i128.pow(18)),
        ] {
            let (negative, digits) = long_digits(&number.to_be_bytes());
            assert_eq!(
                format!("{}{digits}", if negative { "-" } else { "" }),
                number.to_string()
            );
        }
    }

    #[test]
    fn strings_are_escaped_as_serde_json_escapes_them() {
        // Every byte of ASCII at every place of a word and behind it, and wide letters beside them.
        for special in (0u8..128)
            .map(char::from)
            .chain(['ä', '€', '𝄞', '\u{2028}'])
        {
            for before in 0..17 {
                for after in [0, 1, 9] {
                    let text = format!("{}{special}{}", "x".repeat(before), "é".repeat(after));
                    let mut out = Vec::new();
                    quoted(text.as_bytes(), &mut out);
                    assert_eq!(
                        std::str::from_utf8(&out).unwrap(),
                        serde_json::to_string(&text).unwrap()
                    );
                }
            }
        }
    }

    #[test]
    fn decimals_have_all_the_digits_of_their_scale() {
        let text = |number: i128, scale: i64| {
            let mut out = Vec::new();
            decimal(&number.to_be_bytes(), scale, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(1250, 2), "12.50");
        assert_eq!(text(-5, 3), "-0.005");
        assert_eq!(text(0, 2), "0.00");
        assert_eq!(text(0, -2), "0");
        assert_eq!(text(12, -2), "1200");
        assert_eq!(text(i128::MIN, 0), i128::MIN.to_string());
        assert_eq!(text(100, 3), "0.100");
    }
}
