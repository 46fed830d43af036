//! Why partitions wait.

use super::{PauseCode, pause};

/// Reasons of pauses, as `/status` and `lockgate_paused` show them.
pub static PAUSES: &[PauseCode] = &[
    pause(
        "partition_limit",
        "As many records or bytes of the partition are in flight as may be; ends at half.",
        "Nothing; if it lasts, the sink is slow.",
    ),
    pause(
        "process_limit",
        "At least half of the records or bytes that may be in flight in the process are, and the partition holds its share of that half; ends at half of the share, or when the process is down to a quarter.",
        "Nothing; if it lasts, start more workers or look at the sink.",
    ),
    pause(
        "schema",
        "A schema id has not been seen before and the registry has not answered; tried again with back-off.",
        "If it lasts: is the registry up, are its URL and credentials right?",
    ),
    pause(
        "sink",
        "The sink does not take records: the broker or a topic is gone, an ACL is missing; tried again with back-off.",
        "The log names the topic and the operation; mend it and it goes on by itself.",
    ),
    pause(
        "poison",
        "More than the allowed share of the last records of a source or a route is judged poison: all partitions of the topology stop instead of emptying the stream into the dead letters.",
        "Look at the dead letters, mend the cause, restart; or raise `limits.poison_share`.",
    ),
    pause(
        "incompatible_schema",
        "A writer schema of the checked name that cannot be read as the checked one: a column that is read is gone, or has another type. Wider and nullable columns do not stop anything.",
        "Update the topology's schema, or take the producer's change back; then restart.",
    ),
    pause(
        "drain",
        "The partition is being handed over, or the process ends.",
        "Nothing.",
    ),
];
