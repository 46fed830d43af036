//! Confluent's wire format: a zero byte, the schema id in four bytes (big-endian), the datum.

/// Bytes before the datum.
pub const HEADER_BYTES: usize = 5;

/// Splits a record's value (or key) into schema id and datum. `Err` is the reason code `bad_frame`: too short,
/// a wrong first byte, or the id 0, which no registry gives.
pub fn split(value: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    match value {
        [0, a, b, c, d, datum @ ..] => match u32::from_be_bytes([*a, *b, *c, *d]) {
            0 => Err("bad_frame"),
            id => Ok((id, datum)),
        },
        _ => Err("bad_frame"),
    }
}

/// Appends the header for a datum of schema `id`.
pub fn write(id: u32, out: &mut Vec<u8>) {
    let [a, b, c, d] = id.to_be_bytes();
    out.extend_from_slice(&[0, a, b, c, d]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let mut out = Vec::new();
        write(0xFFFF_FFFF, &mut out);
        out.extend_from_slice(b"xy");
        assert_eq!(split(&out), Ok((0xFFFF_FFFF, &b"xy"[..])));
    }

    #[test]
    fn what_is_no_frame_is_named_bad_frame() {
        for bytes in [
            &b""[..],
            &[0],
            &[0, 0, 0, 1],
            &[1, 0, 0, 0, 1, 2],
            &[0, 0, 0, 0, 0, 2],
            &b"{\"a\":1}"[..],
        ] {
            assert_eq!(split(bytes), Err("bad_frame"), "{bytes:?}");
        }
        assert_eq!(
            split(&[0, 0, 0, 0, 7]),
            Ok((7, &b""[..])),
            "an empty datum is the schema's business"
        );
    }
}
