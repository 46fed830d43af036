//! One record through its plan: pure computation between consume and deliver. No I/O, no clock, no allocation per
//! record on the copy path.
//!
//! ```text
//! tombstone ─► key ──────────────────────────────────────────────────────────────► routes
//! value ─► frame ─► scan ─► other records ─► key ─► unavailable columns ─► steps ─► routes ─► topic, key, body, headers
//! ```

mod caught;
mod run;

use std::sync::Arc;

use bumpalo::Bump;

use crate::codec::Slots;
use crate::expr::Meta;
use crate::topology::plan::{Plan, builtin};
use crate::topology::program::{KeyProgram, ValueProgram, sanitised};
pub(super) use caught::caught;
pub use caught::{INTERNAL_PANIC, PROCESS_ABORTED};
use run::{End, Run};

/// What a failure is about: decides what happens to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The record itself can never be delivered: dead letter.
    Poison,
}

impl Class {
    /// The name in headers, labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Poison => "poison",
        }
    }
}

/// A record as Kafka handed it to us, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Index in [`Plan::sources`](crate::topology::Plan::sources).
    pub source: u16,
    /// Partition of the source topic.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The record's timestamp in milliseconds since the epoch, if it has one.
    pub timestamp_ms: Option<i64>,
    /// The key; `None` is the null key, `Some(&[])` the empty one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in the order of the record; a value may be null.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// One or more outputs were appended, or failures of single routes among them ([`Outputs::failures`]).
    Deliver,
    /// Filtered by the step of this index in [`Plan::steps`](crate::topology::Plan::steps).
    Filtered(u16),
    /// Can never be delivered; nothing was appended.
    Poison(Poison),
}

/// Why a record can never be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Error class.
    pub class: Class,
    /// Reason code of `docs/ERRORS.md`.
    pub reason: &'static str,
    /// Index in [`Plan::steps`](crate::topology::Plan::steps) of the step that failed.
    pub step: Option<u16>,
    /// Index in [`Plan::routes`](crate::topology::Plan::routes) of the route that failed.
    pub route: Option<u16>,
    /// What is wrong, for a person: no control characters, at most 512 bytes.
    pub message: String,
    /// Judged by a rule of the topology itself, which does not count for the poison share.
    pub declared: bool,
}

/// The outputs of one or more records. Reused; the caller clears it.
#[derive(Debug, Default)]
pub struct Outputs {
    /// The bytes that [`Part::Range`] points into.
    pub bytes: Vec<u8>,
    /// The outputs, in the order in which they must be enqueued.
    pub list: Vec<Output>,
    /// The headers that [`Output::headers`] points into.
    pub headers: Vec<OutputHeader>,
    /// Routes that failed while others did not: each is a dead letter of its own beside the record's outputs.
    pub failures: Vec<Poison>,
    pub(super) scratch: Scratch,
}

/// Room to work in while a record is written as JSON.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The record in Avro.
    datum: Vec<u8>,
    /// One value as text.
    text: String,
}

impl Outputs {
    /// Forgets all outputs and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.list.clear();
        self.headers.clear();
        self.failures.clear();
    }

    /// The bytes of a part of an output of the record with this key and value; `None` is null.
    pub fn part<'a>(&'a self, part: Part, source: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match part {
            Part::Null => None,
            Part::Source => source,
            Part::Range(start, end) => Some(&self.bytes[start as usize..end as usize]),
        }
    }
}

/// One event on its way to one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Index in [`Plan::routes`](crate::topology::Plan::routes).
    pub route: u16,
    /// Index in [`Plan::topics`](crate::topology::Plan::topics).
    pub topic: u16,
    /// The key; `Source` is the input's key.
    pub key: Part,
    /// The value; `Source` is the input's value, `Null` a tombstone.
    pub value: Part,
    /// The headers that the route sets: a range of [`Outputs::headers`].
    pub headers: (u32, u32),
}

/// A header that a route sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputHeader {
    /// Index in [`RoutePlan::headers`](crate::topology::plan::RoutePlan::headers).
    pub name: u16,
    /// The value.
    pub value: Part,
}

/// Where the bytes of a key or value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Null.
    Null,
    /// The record's own bytes, unchanged.
    Source,
    /// From and up to this index of [`Outputs::bytes`].
    Range(u32, u32),
}

/// Runs a plan, record by record. One per pipeline thread; its memory is reused.
pub struct Processor {
    plan: Arc<Plan>,
    /// Registry ids of `Plan::schemas`.
    schema_ids: Vec<u32>,
    steps: Builtin,
    value_slots: Slots,
    key_slots: Slots,
    bump: Bump,
}

/// Indexes of the built-in steps.
struct Builtin {
    decode: u16,
    key: u16,
    unavailable: u16,
    tombstone: u16,
    unmatched: u16,
}

/// Arena bytes that are kept from record to record; what a single large record needed beyond is given back.
const ARENA_BYTES_MAX: usize = 1 << 20;

impl Processor {
    /// A processor for the plan; `schema_ids` are the registry ids of [`Plan::schemas`], in their order.
    pub fn new(plan: Arc<Plan>, schema_ids: Vec<u32>) -> Processor {
        caught::note_panics();
        let step = |name| plan.step(name).expect("every plan has the built-in steps");
        let steps = Builtin {
            decode: step(builtin::DECODE),
            key: step(builtin::KEY),
            unavailable: step(builtin::UNAVAILABLE),
            tombstone: step(builtin::TOMBSTONE),
            unmatched: step(builtin::UNMATCHED),
        };
        Processor {
            plan,
            schema_ids,
            steps,
            value_slots: Slots::default(),
            key_slots: Slots::default(),
            bump: Bump::new(),
        }
    }

    /// Processes a record. `value` is the program of the id in its value's frame (`None` for a tombstone), `key` that of
    /// its key's frame (`None` for a null key, and for keys that are not Avro).
    pub fn process(
        &mut self,
        key: Option<&KeyProgram>,
        value: Option<&ValueProgram>,
        input: &Input<'_>,
        out: &mut Outputs,
    ) -> Verdict {
        if self.bump.allocated_bytes() > ARENA_BYTES_MAX {
            self.bump = Bump::new();
        } else {
            self.bump.reset();
        }
        let Processor {
            plan,
            schema_ids,
            steps,
            value_slots,
            key_slots,
            bump,
        } = self;
        let source = &plan.sources[usize::from(input.source)];
        let meta = Meta {
            topic: &source.topic,
            partition: input.partition,
            offset: input.offset,
            timestamp_ms: input.timestamp_ms,
            key: input.key,
            headers: input.headers,
        };
        let run = Run {
            plan,
            source,
            code: &plan.code[usize::from(input.source)],
            schema_ids,
            steps,
            bump,
            meta: &meta,
            input,
        };
        let (bytes, list, headers, failures) = (
            out.bytes.len(),
            out.list.len(),
            out.headers.len(),
            out.failures.len(),
        );
        let ended = caught(|| {
            #[cfg(test)]
            super::planted::panic_at(input);
            run.record(key, value, value_slots, key_slots, out)
        });
        let end = match ended {
            Ok(Ok(())) => return Verdict::Deliver,
            Ok(Err(end)) => end,
            Err(poison) => {
                // Whatever was left half done.
                *bump = Bump::new();
                (*value_slots, *key_slots) = (Slots::default(), Slots::default());
                out.scratch = Scratch::default();
                End::Poison(poison)
            }
        };
        out.bytes.truncate(bytes);
        out.list.truncate(list);
        out.headers.truncate(headers);
        out.failures.truncate(failures);
        match end {
            End::Filtered(step) => Verdict::Filtered(step),
            End::Poison(poison) => Verdict::Poison(poison),
        }
    }
}

impl Poison {
    /// A poison of a step; the message is made safe to show.
    fn new(reason: &'static str, step: Option<u16>, message: String) -> Poison {
        Poison {
            class: Class::Poison,
            reason,
            step,
            route: None,
            message: sanitised(message),
            declared: false,
        }
    }
}
