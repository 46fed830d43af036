//! Encodings of bytes as text.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{Config as _, DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::EvalFault;
use super::super::eval::{Result, Run, mismatch};
use super::{Family, Function, utf8};
use crate::codec::Val;

const LIMIT: &[&str] = &["expression_limit"];
const DECODES: &[&str] = &["bad_encoding", "expression_limit"];

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, LENIENT.with_encode_padding(false));

pub(super) static FAMILY: Family = Family {
    title: "Encodings",
    intro: "Bytes as text, and back.",
    functions: &[
        Function::new("base64.encode(bytes) -> string", base64_encode)
            .fails(LIMIT)
            .doc("Base64, with padding.")
            .examples(&[("base64.encode(b'hello')", "'aGVsbG8='")]),
        Function::new("base64.decode(string) -> bytes", base64_decode)
            .fails(DECODES)
            .doc("The bytes of base64; the padding may be missing.")
            .examples(&[("base64.decode('aGVsbG8')", "b'hello'"), ("base64.decode('!')", "fails bad_encoding")]),
        Function::new("base64url.encode(bytes) -> string", base64url_encode)
            .fails(LIMIT)
            .doc("Base64 in the alphabet for URLs, without padding.")
            .examples(&[("base64url.encode(b'\\xfb\\xff')", "'-_8'")]),
        Function::new("base64url.decode(string) -> bytes", base64url_decode)
            .fails(DECODES)
            .doc("The bytes of base64 in the alphabet for URLs; the padding may be missing.")
            .examples(&[("base64url.decode('-_8')", "b'\\xfb\\xff'")]),
        Function::new("hex.encode(bytes) -> string", hex_encode)
            .fails(LIMIT)
            .doc("Two digits per byte, in lower case.")
            .examples(&[("hex.encode(b'\\x0a\\xff')", "'0aff'")]),
        Function::new("hex.decode(string) -> bytes", hex_decode)
            .fails(DECODES)
            .doc("The bytes of hexadecimal digits in either case.")
            .examples(&[("hex.decode('0aFF')", "b'\\x0a\\xff'"), ("hex.decode('abc')", "fails bad_encoding")]),
        Function::new("url.encode(string) -> string", url_encode)
            .fails(LIMIT)
            .doc("The text with all but letters, digits and `-._~` written as `%` and two digits per byte.")
            .examples(&[("url.encode('a b/é')", "'a%20b%2F%C3%A9'")]),
        Function::new("url.decode(string) -> string", url_decode)
            .fails(&["bad_encoding", "bad_utf8", "expression_limit"])
            .doc("The text that `url.encode` was given; `+` stays a plus sign.")
            .examples(&[("url.decode('a%20b%2f')", "'a b/'"), ("url.decode('50%')", "fails bad_encoding")]),
    ],
};

fn base64_encode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    to_base64(&BASE64, run, args)
}

fn base64_decode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    from_base64(&BASE64, run, args)
}

fn base64url_encode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    to_base64(&BASE64_URL, run, args)
}

fn base64url_decode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    from_base64(&BASE64_URL, run, args)
}

fn to_base64<'a>(engine: &GeneralPurpose, run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Bytes(bytes)] = args else {
        return Err(mismatch(args));
    };
    let len = base64::encoded_len(bytes.len(), engine.config().encode_padding());
    let out = room(run, len.unwrap_or(usize::MAX))?;
    let len = engine.encode_slice(bytes, out).unwrap_or_default();
    ascii(&out[..len])
}

/// Bytes in base64.
pub(super) fn base64_of<'a>(run: &Run<'_, 'a>, bytes: Val<'a>) -> Result<Val<'a>> {
    to_base64(&BASE64, run, &[bytes])
}

fn from_base64<'a>(
    engine: &GeneralPurpose,
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let out = room(run, base64::decoded_len_estimate(text.len()))?;
    let len = engine
        .decode_slice(text, out)
        .map_err(|_| EvalFault::new("bad_encoding", "a text is not base64"))?;
    Ok(Val::Bytes(&out[..len]))
}

/// Bytes in the arena, zeros.
pub(super) fn room<'a>(run: &Run<'_, 'a>, len: usize) -> Result<&'a mut [u8]> {
    run.spend(len)?;
    Ok(run.cx.bump.alloc_slice_fill_copy(len, 0))
}

fn ascii(bytes: &[u8]) -> Result<Val<'_>> {
    utf8(bytes).map(Val::Str)
}

fn hex_encode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Bytes(bytes)] = args else {
        return Err(mismatch(args));
    };
    hex(run, bytes)
}

/// Bytes in hexadecimal digits.
pub(super) fn hex<'a>(run: &Run<'_, 'a>, bytes: &[u8]) -> Result<Val<'a>> {
    let out = room(run, 2 * bytes.len())?;
    for (digits, byte) in out.chunks_exact_mut(2).zip(bytes) {
        digits[0] = digit(byte >> 4);
        digits[1] = digit(byte & 15);
    }
    ascii(out)
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value & 15)]
}

/// The byte that two hexadecimal digits spell.
fn byte(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    match digits {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    }
}

fn hex_decode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let out = room(run, text.len().div_ceil(2))?;
    for (to, digits) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *to = byte(digits)
            .ok_or_else(|| EvalFault::new("bad_encoding", "a text is not hexadecimal"))?;
    }
    Ok(Val::Bytes(out))
}

fn url_encode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = text.bytes().filter(|byte| !plain(*byte)).count();
    if escaped == 0 {
        return Ok(Val::Str(text));
    }
    run.text(text.len() + 2 * escaped, |out| {
        for byte in text.bytes() {
            if plain(byte) {
                out.push(char::from(byte));
            } else {
                out.push('%');
                for value in [byte >> 4, byte & 15] {
                    out.push(char::from(digit(value).to_ascii_uppercase()));
                }
            }
        }
    })
}

fn url_decode<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    if !text.contains('%') {
        return Ok(Val::Str(text));
    }
    let out = room(run, text.len())?;
    let (mut from, mut len) = (text.as_bytes(), 0);
    while let Some(first) = from.first() {
        let (value, taken) = match first {
            b'%' => (from.get(1..3).and_then(byte), 3),
            plain => (Some(*plain), 1),
        };
        out[len] = value.ok_or_else(|| {
            EvalFault::new(
                "bad_encoding",
                "a text has a % without two digits behind it",
            )
        })?;
        len += 1;
        from = &from[taken..];
    }
    utf8(&out[..len]).map(Val::Str)
}
