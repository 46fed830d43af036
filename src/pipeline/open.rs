//! From a record to its deliveries: the programs that its schemas need, its verdict, and for each output whether its topic takes it.

use super::deliver::{Deliveries, Payload, Pending, passes};
use super::judges::Judges;
use super::lane::{Condemned, Held, Lane};
use super::process::{
    Class, Input, Output, Outputs, PROCESS_ABORTED, Poison, Processor, Verdict, caught,
};
use super::programs::{Needs, Place, Programs};
use super::topics::Topics;
use crate::codec::frame::SchemaId;
use crate::core::guard::TRIES_MAX;
use crate::core::{Seq, Tracker};
use crate::kafka::{Header, partition_for};
use crate::sink::dead_letter::{Circumstances, DeadLetter, RECORD_OVERHEAD_BYTES};
use crate::telemetry::LaneMetrics;
use crate::topology::plan::{Plan, Refusal, builtin};

/// The number of a delivery that goes to the dead letters before a route was chosen. Deliveries of routes have the route's index.
pub(super) const BEFORE_ROUTES: u8 = 63;

/// Headers of a record that are kept on the stack; Debezium writes three or four.
const HEADERS_INLINE: usize = 16;

/// What became of a record.
pub(super) enum Opened {
    /// Its deliveries were appended: their numbers, and which of them go to the dead letters, as sets of bits.
    Deliveries { numbers: u64, buried: u64 },
    /// It has none.
    Filtered,
    /// It waits for these schemas.
    Missing(Vec<Place>),
    /// Its schema cannot be read as the checked one.
    Incompatible { schema_id: SchemaId, why: String },
    /// It waits for this topic.
    Blocked(u16),
    /// Too large a share of records is judged poison: this one waits with all others.
    Poisoned(String),
}

/// What a record meets on its way.
pub(super) struct Opening<'t> {
    pub plan: &'t Plan,
    pub topics: &'t Topics,
    pub programs: &'t mut Programs,
    pub processor: &'t mut Processor,
    pub outputs: &'t mut Outputs,
    pub deliveries: &'t mut Deliveries,
    pub metrics: &'t mut LaneMetrics,
    pub judges: &'t Judges,
    pub correlation: Option<&'t [u8]>,
}

/// The record that is being opened.
struct Subject<'r> {
    tracker: &'r Tracker<Held>,
    seq: Seq,
    input: Input<'r>,
    schema_id: Option<SchemaId>,
    attempts: u32,
    has_broken_headers: bool,
    has_passing: bool,
    /// It was judged in an earlier attempt, and counts once.
    is_judged: bool,
}

impl Opening<'_> {
    /// Processes a record and appends its deliveries. Leaves no trace unless it returns [`Opened::Deliveries`].
    pub fn process(
        &mut self,
        lane: &Lane,
        tracker: &Tracker<Held>,
        seq: Seq,
        held: &Held,
    ) -> Opened {
        let record = &held.record;
        // Most topics have no headers: the room for them is made only if there are some.
        let mut found = record.headers();
        let Some(first) = found.next() else {
            return self.process_with(lane, tracker, seq, held, &[], false);
        };
        let mut inline = [(b"".as_slice(), None); HEADERS_INLINE];
        let mut heap = Vec::new();
        let (mut count, mut has_passing) = (0, false);
        for header in std::iter::once(first).chain(found) {
            has_passing |= passes(header.0, self.correlation);
            if count < HEADERS_INLINE {
                inline[count] = header;
            } else {
                if heap.is_empty() {
                    heap.extend_from_slice(&inline);
                }
                heap.push(header);
            }
            count += 1;
        }
        let headers = if heap.is_empty() {
            &inline[..count]
        } else {
            &heap[..]
        };
        self.process_with(lane, tracker, seq, held, headers, has_passing)
    }

    fn process_with(
        &mut self,
        lane: &Lane,
        tracker: &Tracker<Held>,
        seq: Seq,
        held: &Held,
        headers: &[Header<'_>],
        has_passing: bool,
    ) -> Opened {
        let record = &held.record;
        let input = Input {
            source: lane.tp.topic,
            partition: lane.tp.partition,
            offset: record.offset(),
            timestamp_ms: record.timestamp_ms(),
            key: record.key(),
            value: record.value(),
            headers,
        };
        let mut subject = Subject {
            tracker,
            seq,
            input,
            schema_id: None,
            attempts: lane.attempts,
            has_broken_headers: record.has_broken_headers(),
            has_passing,
            is_judged: record.offset() < lane.judged_until,
        };
        let (deliveries, letters, outputs) = (
            self.deliveries.len(),
            self.deliveries.dead_letters.len(),
            self.outputs.list.len(),
        );
        let opened = if lane.is_convicted(record.offset()) {
            self.poisoned(&subject, &lane.condemned, aborted())
        } else {
            self.open(&mut subject, &lane.condemned, outputs)
        };
        if !matches!(opened, Opened::Deliveries { .. }) {
            self.deliveries.truncate(deliveries, letters);
            self.outputs.list.truncate(outputs);
        }
        opened
    }

    fn open(
        &mut self,
        subject: &mut Subject<'_>,
        condemned: &[Condemned],
        before: usize,
    ) -> Opened {
        let input = subject.input;
        let ids = || {
            if subject.has_broken_headers {
                let message = "the record's headers cannot be read";
                return Err(self.plan.poison("bad_headers", builtin::DECODE, message));
            }
            self.plan
                .ids(input.source, input.key, input.value, input.headers)
        };
        let verdict = match caught(ids).flatten() {
            Err(poison) => Verdict::Poison(poison),
            Ok(ids) => {
                subject.schema_id = ids.value;
                match self.programs.find(input.source, ids) {
                    Needs::Ready(key, value) => {
                        self.processor.process(key, value, &input, self.outputs)
                    }
                    Needs::Missing(places) => return Opened::Missing(places),
                    Needs::Unknown(place) => Verdict::Poison(self.schema_poison(
                        "unknown_schema",
                        format!("the registry does not know schema {}", place.id),
                    )),
                    Needs::Refused(place, refusal) => match &*refusal {
                        Refusal::Wrong(why) => {
                            Verdict::Poison(self.schema_poison("wrong_schema", why.clone()))
                        }
                        Refusal::Incompatible(why) => {
                            return Opened::Incompatible {
                                schema_id: place.id,
                                why: why.clone(),
                            };
                        }
                    },
                }
            }
        };
        match verdict {
            Verdict::Filtered(_) => {
                if !subject.is_judged
                    && let Some(why) = self.judges.source(input.source, false)
                {
                    return Opened::Poisoned(why);
                }
                Opened::Filtered
            }
            Verdict::Poison(poison) => self.poisoned(subject, condemned, poison),
            Verdict::Deliver => self.deliver(subject, condemned, before),
        }
    }

    /// The whole record goes to the dead letters.
    fn poisoned(
        &mut self,
        subject: &Subject<'_>,
        condemned: &[Condemned],
        poison: Poison,
    ) -> Opened {
        // With a route known, the letter has that route's number, so that its report counts for the route.
        let number = poison.route.map_or(BEFORE_ROUTES, |route| route as u8);
        let form = Form::after(refusals(condemned, subject.input.offset, number));
        if let Err(topic) = self.bury(subject, &poison, number, form) {
            return Opened::Blocked(topic);
        }
        let is_news = !subject.is_judged;
        if let Some(why) = self.tell(subject, &[(poison, is_news)]) {
            return Opened::Poisoned(why);
        }
        Opened::Deliveries {
            numbers: 1 << number,
            buried: 1 << number,
        }
    }

    /// One delivery per output; those that their topic would refuse go to the dead letters, and so do routes that failed
    /// while others did not.
    fn deliver(&mut self, subject: &Subject<'_>, condemned: &[Condemned], before: usize) -> Opened {
        let offset = subject.input.offset;
        let (mut numbers, mut buried) = (0u64, 0u64);
        // Judged and told when all topics are known to take them: what waits would count again and again.
        let mut poisons = Vec::new();
        // Taken first: whatever ends this record early must not leave them to the next one.
        let failures = std::mem::take(&mut self.outputs.failures);
        for index in before..self.outputs.list.len() {
            let output = self.outputs.list[index];
            let number = output.route as u8;
            let Some(partitions) = self.topics.partitions(output.topic) else {
                return Opened::Blocked(output.topic);
            };
            let key = self.outputs.part(output.key, subject.input.key);
            let partition = key.map(|key| partition_for(key, partitions));
            let bytes = self.output_bytes(&output, &subject.input);
            let bytes_max = self.topics.bytes_max(output.topic);
            let mut refusals = refusals(condemned, offset, number);
            numbers |= 1 << number;
            let (poison, is_news) = match refusals.next() {
                Some(one) => {
                    let poison = self.output_poison(&output, one.reason, one.message.clone());
                    (poison, !one.is_told)
                }
                None if bytes > bytes_max => {
                    let topic = &self.plan.topics[usize::from(output.topic)].topic;
                    let message =
                        format!("the output has {bytes} bytes, topic {topic} takes {bytes_max}");
                    let poison = self.output_poison(&output, "output_too_large", message);
                    (poison, !subject.is_judged)
                }
                None => {
                    let id = subject.tracker.delivery(subject.seq, number);
                    let payload = Payload::Output(index as u32);
                    let (seq, topic, has_passing) =
                        (subject.seq, output.topic, subject.has_passing);
                    self.deliveries.push(Pending {
                        id,
                        seq,
                        topic,
                        partition,
                        payload,
                        has_passing,
                    });
                    continue;
                }
            };
            buried |= 1 << number;
            if let Err(topic) = self.bury(subject, &poison, number, Form::after(refusals)) {
                return Opened::Blocked(topic);
            }
            poisons.push((poison, is_news));
        }
        for poison in failures {
            let number = poison.route.map_or(BEFORE_ROUTES, |route| route as u8);
            numbers |= 1 << number;
            buried |= 1 << number;
            let form = Form::after(refusals(condemned, offset, number));
            if let Err(topic) = self.bury(subject, &poison, number, form) {
                return Opened::Blocked(topic);
            }
            poisons.push((poison, !subject.is_judged));
        }
        let mut stop = None;
        if !subject.is_judged {
            stop = self.judges.source(subject.input.source, false);
            let mut good = numbers & !buried;
            while good != 0 {
                let of_route = self.judges.route(good.trailing_zeros() as u16, false);
                stop = stop.or(of_route);
                good &= good - 1;
            }
        }
        if let Some(why) = stop.or_else(|| self.tell(subject, &poisons)) {
            return Opened::Poisoned(why);
        }
        Opened::Deliveries { numbers, buried }
    }

    /// Judges, counts and logs the poison of a record as far as it is news: a letter that is sent again is the same letter. Some if the
    /// stream must stop.
    fn tell(&mut self, subject: &Subject<'_>, poisons: &[(Poison, bool)]) -> Option<String> {
        let news = || poisons.iter().filter(|(_, is_news)| *is_news);
        for (poison, _) in news() {
            if let Some(why) = self.judges.poison(poison, subject.input.source) {
                return Some(why);
            }
        }
        for (poison, _) in news() {
            let place = match (poison.step, poison.route) {
                (Some(step), _) => &self.plan.steps[usize::from(step)].name,
                (None, Some(route)) => &self.plan.routes[usize::from(route)].name,
                (None, None) => "",
            };
            self.metrics
                .dead_lettered(place, poison.class.as_str(), poison.reason);
            if let Some(route) = poison.route {
                self.metrics.delivery_dead_lettered(route);
            }
            super::tell_dead_letter(self.plan, &subject.input, poison, self.correlation);
        }
        None
    }

    /// Appends the dead letter of a record; a stub if the letter does not fit. Fails with the topic that cannot be written to.
    fn bury(
        &mut self,
        subject: &Subject<'_>,
        poison: &Poison,
        number: u8,
        form: Form,
    ) -> Result<(), u16> {
        let topic = self.plan.dead_letter;
        let partitions = self.topics.partitions(topic).ok_or(topic)?;
        let about = Circumstances {
            schema_id: subject.schema_id,
            attempts: subject.attempts,
            now_ms: super::epoch_ms(),
        };
        let mut letter = DeadLetter::compose(self.plan, &subject.input, poison, about);
        if form == Form::OfNow {
            letter.timestamp_ms = None;
        }
        let bytes_max = self.topics.bytes_max(topic);
        if form == Form::Stub || letter.bytes() > bytes_max {
            letter = letter.into_stub(bytes_max);
        }
        let partition = letter
            .key
            .as_deref()
            .map(|key| partition_for(key, partitions));
        let payload = Payload::DeadLetter(self.deliveries.dead_letters.len() as u32);
        self.deliveries.dead_letters.push(letter);
        let id = subject.tracker.delivery(subject.seq, number);
        self.deliveries.push(Pending {
            id,
            seq: subject.seq,
            topic,
            partition,
            payload,
            has_passing: false,
        });
        Ok(())
    }

    fn output_bytes(&self, output: &Output, input: &Input<'_>) -> usize {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let key = length(self.outputs.part(output.key, input.key));
        let value = length(self.outputs.part(output.value, input.value));
        let set = &self.outputs.headers[output.headers.0 as usize..output.headers.1 as usize];
        let names = &self.plan.routes[usize::from(output.route)].headers;
        let set = set.iter().map(|header| {
            names[usize::from(header.name)].len()
                + length(self.outputs.part(header.value, input.value))
                + 10
        });
        // The provenance header: topic (at most 249), partition, offset.
        let passing = input
            .headers
            .iter()
            .filter(|(name, _)| passes(name, self.correlation));
        let passing = passing.map(|(name, value)| name.len() + length(*value) + 10);
        key + value
            + set.sum::<usize>()
            + passing.sum::<usize>()
            + PROVENANCE_BYTES_MAX
            + RECORD_OVERHEAD_BYTES
    }

    fn schema_poison(&self, reason: &'static str, message: String) -> Poison {
        let step = self
            .plan
            .steps
            .iter()
            .position(|step| step.name == "decode");
        Poison {
            class: Class::Poison,
            reason,
            step: step.map(|step| step as u16),
            route: None,
            message,
            declared: false,
        }
    }

    fn output_poison(&self, output: &Output, reason: &'static str, message: String) -> Poison {
        Poison {
            class: Class::Poison,
            reason,
            step: None,
            route: Some(output.route),
            message,
            declared: false,
        }
    }
}

/// A record that is left out: the process died of it.
fn aborted() -> Poison {
    Poison {
        class: Class::Poison,
        reason: PROCESS_ABORTED,
        step: None,
        route: None,
        message: format!(
            "the process died {TRIES_MAX} times while it processed this record alone: not processed again"
        ),
        declared: false,
    }
}

/// What the broker refused of one delivery, singly, in order.
fn refusals(condemned: &[Condemned], offset: i64, number: u8) -> impl Iterator<Item = &Condemned> {
    condemned
        .iter()
        .filter(move |one| one.offset == offset && one.delivery == number)
}

/// How a dead letter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    /// With the time of its writing, because the topic refused the original one.
    OfNow,
    Stub,
}

impl Form {
    /// By what the broker said of the letter before.
    fn after<'c>(mut refusals: impl Iterator<Item = &'c Condemned>) -> Form {
        match (refusals.next(), refusals.next()) {
            (None, _) => Form::Whole,
            (Some(one), None) if one.reason == "invalid_timestamp" => Form::OfNow,
            _ => Form::Stub,
        }
    }
}

/// `lockgate.source` and the longest value it can have.
const PROVENANCE_BYTES_MAX: usize = 15 + 249 + 10 + 19 + 2 + 10;
