//! Dead letters: the original record untouched, and headers that say why it is here and where it came from.
//!
//! A dead letter is an ordinary delivery: it leaves through a producer of the topology and its report gates the source
//! offset. If even the dead letter is too large for its topic, a stub takes its place and says so.

use crate::codec::frame::SchemaId;
use crate::pipeline::process::{Input, Poison};
use crate::topology::plan::Plan;

/// Prefix of all headers that Lockgate adds to dead letters.
pub const PREFIX: &str = "lockgate.dlq.";

/// Bytes of the message header at most: it is for a person, the payload is beside it.
const MESSAGE_BYTES_MAX: usize = 512;

/// A composed dead letter, ready to be enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The original key, or none where a stub had to drop it.
    pub key: Option<Vec<u8>>,
    /// The original value, or a stub.
    pub value: Option<Vec<u8>>,
    /// The original headers in their order, then ours.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The original time; none, for the time of writing, where it may be what a broker refuses.
    pub timestamp_ms: Option<i64>,
}

/// What is known of a failure besides the record and the verdict.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Id of the value's writer schema, where its frame could be read.
    pub schema_id: Option<SchemaId>,
    /// How often the record was tried.
    pub attempts: u32,
    /// Now, in milliseconds since the epoch.
    pub now_ms: i64,
}

impl DeadLetter {
    /// Composes the dead letter of `input`, whose original headers are in `input.headers`.
    pub fn compose(
        plan: &Plan,
        input: &Input<'_>,
        poison: &Poison,
        about: Circumstances,
    ) -> DeadLetter {
        let mut headers: Vec<(Vec<u8>, Option<Vec<u8>>)> = input
            .headers
            .iter()
            // A record that was redriven and failed again must not pile up our headers.
            .filter(|(name, _)| !name.starts_with(PREFIX.as_bytes()))
            .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
            .collect();
        let mut add = |name: &str, value: String| {
            headers.push((
                format!("{PREFIX}{name}").into_bytes(),
                Some(value.into_bytes()),
            ));
        };
        add("class", poison.class.as_str().to_owned());
        add("reason", poison.reason.to_owned());
        if let Some(step) = poison.step {
            add("step", plan.steps[usize::from(step)].name.clone());
        }
        if let Some(route) = poison.route {
            add("route", plan.routes[usize::from(route)].name.clone());
        }
        add("message", bounded(&poison.message));
        add(
            "topic",
            plan.sources[usize::from(input.source)].topic.clone(),
        );
        add("partition", input.partition.to_string());
        add("offset", input.offset.to_string());
        if let Some(timestamp_ms) = input.timestamp_ms {
            add("timestamp", timestamp_ms.to_string());
        }
        if let Some(id) = about.schema_id {
            add("schema_id", id.to_string());
        }
        add("topology", plan.id.clone());
        add("version", plan.version.clone());
        add("attempts", about.attempts.to_string());
        add("time", rfc3339(about.now_ms));
        DeadLetter {
            key: input.key.map(<[u8]>::to_vec),
            value: input.value.map(<[u8]>::to_vec),
            headers,
            timestamp_ms: input
                .timestamp_ms
                .filter(|_| poison.reason != "invalid_timestamp"),
        }
    }

    /// Bytes on the wire, as the broker's limit counts them (without the batch's own overhead).
    pub fn bytes(&self) -> usize {
        let part = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + part(value) + 10)
            .sum();
        part(&self.key) + part(&self.value) + headers + RECORD_OVERHEAD_BYTES
    }

    /// Replaces a payload that does not fit by a stub, dropping the original value first, then the original headers, then
    /// the key, until at most `bytes_max` remain. A stub has the time of its writing. The header `stub` holds the size of the whole original.
    pub fn into_stub(mut self, bytes_max: usize) -> DeadLetter {
        let original = self.bytes();
        self.timestamp_ms = None;
        self.headers.push((
            format!("{PREFIX}stub").into_bytes(),
            Some(original.to_string().into_bytes()),
        ));
        self.value = Some(
            format!("{{\"lockgate\":\"the original record of {original} bytes does not fit into this topic; read it at its source position\"}}")
                .into_bytes(),
        );
        if self.bytes() > bytes_max {
            self.headers
                .retain(|(name, _)| name.starts_with(PREFIX.as_bytes()));
        }
        if self.bytes() > bytes_max {
            self.key = None;
        }
        self
    }
}

/// Upper bound of what a record adds to its key, value and headers: lengths, deltas and attributes in a v2 batch, and the
/// batch's header, because a record may be alone in its batch.
pub const RECORD_OVERHEAD_BYTES: usize = 70 + 61;

/// Cuts at a character boundary and removes control characters, which a terminal would obey.
fn bounded(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MESSAGE_BYTES_MAX));
    for c in message.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if out.len() + c.len_utf8() > MESSAGE_BYTES_MAX {
            break;
        }
        out.push(c);
    }
    out
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}
