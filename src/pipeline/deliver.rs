//! From outputs to a producer's queue: sorted into runs per output partition, then enqueued in order.
//!
//! Runs per partition make producing cheaper, because the client library locks and schedules per partition. The sort
//! is stable, so the records of one key, which share a partition, keep their order.

use crate::core::{DeliveryId, Lanes, Seq};
use crate::kafka::{EnqueueError, Header};
use crate::pipeline::lane::{Held, Lane};
use crate::pipeline::process::{Outputs, Part};
use crate::sink::dead_letter::DeadLetter;
use crate::sink::kafka::KafkaSink;
use crate::topology::plan::Plan;

/// Name of the provenance header: `topic/partition/offset` of the source record.
pub(crate) const SOURCE_HEADER: &[u8] = b"lockgate.source";

/// Headers of W3C trace context and baggage, which pass through.
const TRACE_HEADERS: [&[u8]; 3] = [b"traceparent", b"tracestate", b"baggage"];

/// Whether a header passes through to outputs.
pub(crate) fn passes(name: &[u8], correlation: Option<&[u8]>) -> bool {
    TRACE_HEADERS.contains(&name) || correlation == Some(name)
}

/// One delivery on its way into a producer's queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub id: DeliveryId,
    pub seq: Seq,
    /// Index in the plan's topics.
    pub topic: u16,
    /// `None` for a null key: the client library spreads those.
    pub partition: Option<i32>,
    pub payload: Payload,
    /// The record carries headers that pass through.
    pub has_passing: bool,
}

/// What is delivered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload {
    /// Index in the round's outputs.
    Output(u32),
    /// Index in the round's dead letters.
    DeadLetter(u32),
}

/// How far a flush got.
#[derive(Debug)]
pub(super) enum Flushed {
    /// Everything is in the queues.
    All,
    /// A queue is full; the rest waits.
    Full,
    /// A delivery could not be enqueued; it is no longer here, the rest waits.
    Refused(Pending, EnqueueError),
}

/// The deliveries of one round, in the order they must be enqueued.
#[derive(Default)]
pub(super) struct Deliveries {
    pending: Vec<Pending>,
    /// Output partition and index into `pending`, sorted into runs.
    order: Vec<(u64, u32)>,
    next: usize,
    pub dead_letters: Vec<DeadLetter>,
}

impl Deliveries {
    /// Appends one.
    pub fn push(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Deliveries of this round.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Takes back what was appended beyond these counts; nothing of it has been enqueued.
    pub fn truncate(&mut self, deliveries: usize, dead_letters: usize) {
        self.pending.truncate(deliveries);
        self.dead_letters.truncate(dead_letters);
    }

    /// Drops everything: the lanes have been rewound.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.order.clear();
        self.dead_letters.clear();
        self.next = 0;
    }

    /// Enqueues as much as the queues take. Deliveries of lanes that were rewound or closed meanwhile are left out.
    pub fn flush(&mut self, cx: &mut Flush<'_>) -> Flushed {
        if self.order.is_empty() && !self.pending.is_empty() {
            let keys = self.pending.iter().zip(0..);
            self.order.extend(keys.map(|(delivery, index)| {
                // Null keys, which have no partition yet, come first.
                let partition = delivery.partition.map_or(0, |number| number as u32 + 1);
                (
                    u64::from(delivery.topic) << 32 | u64::from(partition),
                    index,
                )
            }));
            // Stable: within a partition, the order in which they were pushed.
            self.order.sort_by_key(|(partition, _)| *partition);
        }
        while let Some(&(_, index)) = self.order.get(self.next) {
            let delivery = self.pending[index as usize];
            match self.enqueue(&delivery, cx) {
                Ok(()) => self.next += 1,
                Err(EnqueueError::Full) => return Flushed::Full,
                Err(refused) => {
                    self.next += 1;
                    return Flushed::Refused(delivery, refused);
                }
            }
        }
        self.clear();
        Flushed::All
    }

    fn enqueue(&self, delivery: &Pending, cx: &mut Flush<'_>) -> Result<(), EnqueueError> {
        let Some((_, tracker)) = cx.lanes.of(delivery.id) else {
            return Ok(());
        };
        let Some(held) = tracker.payload(delivery.seq) else {
            return Ok(());
        };
        let record = &held.record;
        let sink = &mut cx.sinks[cx.sink_of[usize::from(delivery.topic)]];
        let opaque = delivery.id.pack();
        match delivery.payload {
            Payload::DeadLetter(index) => {
                let letter = &self.dead_letters[index as usize];
                let headers: Vec<Header<'_>> = letter
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_slice(), value.as_deref()))
                    .collect();
                let (key, value) = (letter.key.as_deref(), letter.value.as_deref());
                sink.enqueue(
                    delivery.topic,
                    delivery.partition,
                    key,
                    value,
                    &headers,
                    letter.timestamp_ms,
                    opaque,
                )
            }
            Payload::Output(index) => {
                let output = &cx.outputs.list[index as usize];
                let lane = cx.states[usize::from(delivery.id.lane())].as_ref();
                let lane = lane.expect("a lane that has a tracker has a state");
                let source = Source::new(&lane.prefix, record.offset());
                let mut headers = HeaderList::new();
                headers.push(SOURCE_HEADER, Some(source.as_bytes()));
                let names = &cx.plan.routes[usize::from(output.route)].headers;
                for header in
                    &cx.outputs.headers[output.headers.0 as usize..output.headers.1 as usize]
                {
                    let value = cx.outputs.part(header.value, record.value());
                    headers.push(names[usize::from(header.name)].as_bytes(), value);
                }
                if delivery.has_passing {
                    for (name, value) in record.headers() {
                        if passes(name, cx.correlation) {
                            headers.push(name, value);
                        }
                    }
                }
                let key = part(cx.outputs, output.key, record.key());
                let value = part(cx.outputs, output.value, record.value());
                let timestamp = record.timestamp_ms();
                sink.enqueue(
                    delivery.topic,
                    delivery.partition,
                    key,
                    value,
                    headers.as_slice(),
                    timestamp,
                    opaque,
                )
            }
        }
    }
}

/// What a flush works with.
pub(super) struct Flush<'a> {
    pub plan: &'a Plan,
    pub lanes: &'a mut Lanes<Held>,
    pub states: &'a [Option<Lane>],
    pub outputs: &'a Outputs,
    pub sinks: &'a mut [KafkaSink],
    /// Index of the sink by topic index.
    pub sink_of: &'a [usize],
    /// Name of the configured correlation header.
    pub correlation: Option<&'a [u8]>,
}

fn part<'a>(outputs: &'a Outputs, part: Part, source: Option<&'a [u8]>) -> Option<&'a [u8]> {
    outputs.part(part, source)
}

/// `topic/partition/offset`, on the stack where it fits.
struct Source {
    inline: [u8; 128],
    length: usize,
    heap: Vec<u8>,
}

impl Source {
    fn new(prefix: &str, offset: i64) -> Source {
        let mut source = Source {
            inline: [0; 128],
            length: 0,
            heap: Vec::new(),
        };
        // Topic names have at most 249 characters, offsets at most 19.
        let mut digits = [0u8; 20];
        let offset = decimal(offset, &mut digits);
        let length = prefix.len() + offset.len();
        if length <= source.inline.len() {
            source.inline[..prefix.len()].copy_from_slice(prefix.as_bytes());
            source.inline[prefix.len()..length].copy_from_slice(offset);
            source.length = length;
        } else {
            source.heap = [prefix.as_bytes(), offset].concat();
        }
        source
    }

    fn as_bytes(&self) -> &[u8] {
        if self.heap.is_empty() {
            &self.inline[..self.length]
        } else {
            &self.heap
        }
    }
}

/// The digits of an offset, which is never negative.
fn decimal(offset: i64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut rest = offset.unsigned_abs();
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &buffer[at..];
        }
    }
}

/// The headers of one output: on the stack up to four, which is more than most have.
struct HeaderList<'a> {
    inline: [Header<'a>; 4],
    length: usize,
    heap: Vec<Header<'a>>,
}

impl<'a> HeaderList<'a> {
    fn new() -> HeaderList<'a> {
        HeaderList {
            inline: [(b"".as_slice(), None); 4],
            length: 0,
            heap: Vec::new(),
        }
    }

    fn push(&mut self, name: &'a [u8], value: Option<&'a [u8]>) {
        if self.heap.is_empty() && self.length < self.inline.len() {
            self.inline[self.length] = (name, value);
            self.length += 1;
            return;
        }
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.inline);
        }
        self.heap.push((name, value));
    }

    fn as_slice(&self) -> &[Header<'a>] {
        if self.heap.is_empty() {
            &self.inline[..self.length]
        } else {
            &self.heap
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provenance_is_topic_partition_offset_of_any_length() {
        assert_eq!(
            Source::new("shop.orders/3/", 0).as_bytes(),
            b"shop.orders/3/0"
        );
        assert_eq!(
            Source::new("a/0/", i64::MAX).as_bytes(),
            b"a/0/9223372036854775807"
        );
        let long = format!("{}/7/", "t".repeat(249));
        assert_eq!(
            Source::new(&long, 12).as_bytes(),
            format!("{long}12").as_bytes()
        );
    }

    #[test]
    fn headers_beyond_the_inline_ones_keep_their_order() {
        let names: Vec<Vec<u8>> = (0..20u8).map(|n| vec![b'a' + n]).collect();
        let mut list = HeaderList::new();
        for name in &names {
            list.push(name, None);
        }
        let seen: Vec<&[u8]> = list.as_slice().iter().map(|(name, _)| *name).collect();
        assert_eq!(seen, names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}
