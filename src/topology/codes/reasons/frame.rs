//! Reasons of headers, frames and schemas: a record cannot be read at all.

use crate::topology::codes::{ReasonCode, reason};

pub(super) static REASONS: &[ReasonCode] = &[
    reason(
        "bad_headers",
        "The record's headers cannot be read: their lengths contradict each other, or there are more than 100 000. The dead letter is without them.",
        "Read the record at its position with another client; find the producer that writes it.",
    ),
    reason(
        "headers_limit",
        "The record has more than 1000 headers, or more than 256 KiB of them.",
        "Find the producer, or the chain of services that each add some.",
    ),
    reason(
        "bad_id_header",
        "The header that must hold the schema id (`id_from` of the source) is missing, or holds none.",
        "Find the producer that writes without it; say in `id_from` how this topic's records name their schema.",
    ),
    reason(
        "bad_frame",
        "Key or value is not in the Confluent wire format: no zero byte, shorter than five bytes, or a schema id that no registry gives (0, or above 2147483647); an empty value is not a tombstone.",
        "Find the producer: it writes without the registry's serializer.",
    ),
    reason(
        "unknown_schema",
        "The registry does not know the schema id in the frame, even after a while.",
        "Restore the schema in the registry; or the producer uses another registry.",
    ),
    reason(
        "wrong_schema",
        "The schema id is that of a record with another name than the checked one.",
        "Something else is written to this topic; for flattened events write `envelope: none`.",
    ),
    reason(
        "incompatible_schema",
        "In test cases only: on the road such a schema stops its partition.",
        "See the pauses below.",
    ),
    reason(
        "outgrown",
        "The record's schema is newer than the checked one, and a value that is read has no place in it: null where there was none, a number beyond its range, more digits.",
        "Deploy a topology that is checked against the newer schema; then redrive.",
    ),
    reason(
        "truncated",
        "The datum ends early.",
        "The producer or something between is broken.",
    ),
    reason(
        "trailing_bytes",
        "The datum goes on behind its end.",
        "The frame names another schema than the datum was written with.",
    ),
];
