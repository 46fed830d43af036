//! Where a record says which schema wrote it: in front of the datum (Confluent's wire format: a zero byte, the schema id
//! in four bytes, big-endian), or in a header of the record, the datum standing alone.

use std::fmt;

/// The id of a schema in its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaId {
    /// Of one registry; never 0.
    Number(u32),
    /// Of the schema itself, the same in every registry.
    Guid([u8; 16]),
}

impl From<u32> for SchemaId {
    fn from(number: u32) -> SchemaId {
        SchemaId::Number(number)
    }
}

/// As the registry's API writes it.
impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaId::Number(number) => number.fmt(f),
            SchemaId::Guid(bytes) => bytes.iter().enumerate().try_for_each(|(at, byte)| {
                let dash = if matches!(at, 4 | 6 | 8 | 10) {
                    "-"
                } else {
                    ""
                };
                write!(f, "{dash}{byte:02x}")
            }),
        }
    }
}

/// Which of a record's two data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Side {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Side::Key => "key",
            Side::Value => "value",
        }
    }
}

/// Where the id stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdFrom {
    /// In front of the datum.
    #[default]
    Payload,
    /// In Confluent's header, as GUID or number; in front of the datum if there is no such header.
    Confluent,
    /// In Apicurio's header of content ids.
    ApicurioContent,
    /// In Apicurio's header of global ids.
    ApicurioGlobal,
}

impl IdFrom {
    /// The header's name; `None` if it is in none.
    pub fn header(self, side: Side) -> Option<&'static str> {
        match (self, side) {
            (IdFrom::Payload, _) => None,
            (IdFrom::Confluent, Side::Key) => Some("__key_schema_id"),
            (IdFrom::Confluent, Side::Value) => Some("__value_schema_id"),
            (IdFrom::ApicurioContent, Side::Key) => Some("apicurio.key.contentId"),
            (IdFrom::ApicurioContent, Side::Value) => Some("apicurio.value.contentId"),
            (IdFrom::ApicurioGlobal, Side::Key) => Some("apicurio.key.globalId"),
            (IdFrom::ApicurioGlobal, Side::Value) => Some("apicurio.value.globalId"),
        }
    }
}

/// Name and value of a record's header.
type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Bytes before the datum.
pub const HEADER_BYTES: usize = 5;

/// The schema id and the datum of a record's key or value. `Err` is a reason code: `bad_frame`, or `bad_id_header` for a
/// header that must be there and is not, or holds no id.
#[inline]
pub fn locate<'a>(
    from: IdFrom,
    side: Side,
    headers: &[Header<'_>],
    bytes: &'a [u8],
) -> Result<(SchemaId, &'a [u8]), &'static str> {
    if from == IdFrom::Payload {
        return split(bytes).map(|(id, datum)| (SchemaId::Number(id), datum));
    }
    let id = match (in_header(from, side, headers), from) {
        // Topics are moved to headers while they are in use: both kinds of records are in them.
        (None, IdFrom::Confluent) => return locate(IdFrom::Payload, side, headers, bytes),
        (None, _) => None,
        (Some([1, guid @ ..]), IdFrom::Confluent) => guid.try_into().ok().map(SchemaId::Guid),
        (Some(header @ [0, _, _, _, _]), IdFrom::Confluent) => {
            split(header).ok().map(|(id, _)| SchemaId::Number(id))
        }
        (Some(_), IdFrom::Confluent) => None,
        (Some(header), _) => header
            .try_into()
            .ok()
            .and_then(|eight| u32::try_from(u64::from_be_bytes(eight)).ok())
            .filter(|id| (1..=ID_MAX).contains(id))
            .map(SchemaId::Number),
    };
    id.map(|id| (id, bytes)).ok_or("bad_id_header")
}

/// The value of the header that holds the id: the last of its name, as Java's clients take it. Null is none.
pub fn in_header<'h>(from: IdFrom, side: Side, headers: &[Header<'h>]) -> Option<&'h [u8]> {
    let name = from.header(side)?.as_bytes();
    headers.iter().rfind(|header| header.0 == name)?.1
}

/// Largest id that a registry gives: they are ints of Java. A question about a larger one is no question to Confluent's registry,
/// which answers that there is no such address, and that would be taken for an outage.
const ID_MAX: u32 = i32::MAX as u32;

/// Splits a record's value (or key) into schema id and datum. `Err` is the reason code `bad_frame`: too short,
/// a wrong first byte, or an id that no registry gives: 0, or one above 2^31 - 1.
pub fn split(value: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    match value {
        [0, a, b, c, d, datum @ ..] => match u32::from_be_bytes([*a, *b, *c, *d]) {
            id @ 1..=ID_MAX => Ok((id, datum)),
            _ => Err("bad_frame"),
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
        write(ID_MAX, &mut out);
        out.extend_from_slice(b"xy");
        assert_eq!(split(&out), Ok((ID_MAX, &b"xy"[..])));
    }

    #[test]
    fn what_is_no_frame_is_named_bad_frame() {
        for bytes in [
            &b""[..],
            &[0],
            &[0, 0, 0, 1],
            &[1, 0, 0, 0, 1, 2],
            &[0, 0, 0, 0, 0, 2],
            &[0, 128, 0, 0, 0, 2],
            &[0, 255, 255, 255, 255, 2],
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

    #[test]
    fn ids_in_headers_are_found_and_odd_ones_named() {
        let datum = &b"\x00\x00\x00\x00\x09xy"[..];
        let guid: [u8; 16] = std::array::from_fn(|at| at as u8);
        let with_magic = [&[1][..], &guid].concat();
        let seven = 7u64.to_be_bytes();
        let wide = (1u64 << 32).to_be_bytes();
        use IdFrom::{ApicurioContent, ApicurioGlobal, Confluent};
        let number = |id| Ok((SchemaId::Number(id), datum));
        let payload = Ok((SchemaId::Number(9), &b"xy"[..]));
        type Case<'a> = (
            IdFrom,
            &'a str,
            Option<&'a [u8]>,
            Result<(SchemaId, &'a [u8]), &'static str>,
        );
        let cases: [Case<'_>; 13] = [
            (
                Confluent,
                "__value_schema_id",
                Some(&with_magic),
                Ok((SchemaId::Guid(guid), datum)),
            ),
            (
                Confluent,
                "__value_schema_id",
                Some(&[0, 0, 0, 0, 7]),
                number(7),
            ),
            (
                Confluent,
                "__value_schema_id",
                Some(&[0, 0, 0, 0, 0]),
                Err("bad_id_header"),
            ),
            (
                Confluent,
                "__value_schema_id",
                Some(&with_magic[..16]),
                Err("bad_id_header"),
            ),
            (
                Confluent,
                "__value_schema_id",
                Some(&[2; 17]),
                Err("bad_id_header"),
            ),
            (
                Confluent,
                "__value_schema_id",
                Some(&[]),
                Err("bad_id_header"),
            ),
            (Confluent, "__value_schema_id", None, payload),
            (Confluent, "__key_schema_id", Some(&with_magic), payload),
            (
                ApicurioContent,
                "apicurio.value.contentId",
                Some(&seven),
                number(7),
            ),
            (
                ApicurioContent,
                "apicurio.value.globalId",
                Some(&seven),
                Err("bad_id_header"),
            ),
            (
                ApicurioContent,
                "apicurio.value.contentId",
                Some(&wide),
                Err("bad_id_header"),
            ),
            (
                ApicurioGlobal,
                "apicurio.value.globalId",
                Some(&seven),
                number(7),
            ),
            (
                ApicurioGlobal,
                "apicurio.value.globalId",
                Some(&[0; 8]),
                Err("bad_id_header"),
            ),
        ];
        for (from, name, value, expected) in cases {
            let found = locate(from, Side::Value, &[(name.as_bytes(), value)], datum);
            assert_eq!(found, expected, "{from:?} {name} {value:?}");
        }
        // The last header of a name counts.
        let twice = [
            (&b"__key_schema_id"[..], Some(&b"?"[..])),
            (&b"__key_schema_id"[..], Some(&with_magic[..])),
        ];
        let found = locate(Confluent, Side::Key, &twice, datum);
        assert_eq!(found, Ok((SchemaId::Guid(guid), datum)));
        assert_eq!(
            SchemaId::Guid(guid).to_string(),
            "00010203-0405-0607-0809-0a0b0c0d0e0f"
        );
    }
}
