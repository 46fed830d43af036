//! From an event to its outputs: the routes that take it, and topic, headers, key and value for each.

use super::{End, Event, Run, fault};
use crate::codec::frame::{self, Side};
use crate::codec::json::Writer;
use crate::codec::{Val, encode};
use crate::expr::{Cx, eval};
use crate::pipeline::process::{
    ARENA_BYTES_MAX, Output, OutputHeader, Outputs, Part, Poison, Scratch,
};
use crate::topology::code::{AvroKey, Body, KeyCode, KeyPart, RouteCode, TopicCode};
use crate::topology::plan::Unmatched;

impl<'a> Run<'a> {
    /// Every route that the event takes. A route that fails does not stop the others: it alone is dead-lettered.
    pub(super) fn routes(
        &self,
        cx: Cx<'a>,
        event: Option<Event<'a>>,
        out: &mut Outputs,
    ) -> Result<(), End> {
        let (outputs, failures) = (out.list.len(), out.failures.len());
        // The body that several routes share is written once.
        let mut shared = None;
        for (index, route) in self.code.routes.iter().enumerate() {
            if event.is_none() && !route.tombstones {
                continue;
            }
            let taken = match &route.when {
                None => Ok(true),
                Some(node) => self.condition(node, &cx),
            };
            let done = match taken {
                Ok(false) => continue,
                Ok(true) => self.route(index as u16, route, cx, event, &mut shared, out),
                Err(failed) => Err(fault(failed)),
            };
            if let Err((reason, message)) = done {
                out.failures.push(Poison {
                    route: Some(index as u16),
                    ..Poison::new(reason, None, message)
                });
            }
            if !self.plan.match_all {
                break;
            }
        }
        let failed = out.failures.len() - failures;
        match (out.list.len() - outputs, failed) {
            (0, 0) => Err(self.unmatched(event.is_none())),
            (0, 1) => Err(End::Poison(out.failures.remove(failures))),
            _ => Ok(()),
        }
    }

    fn unmatched(&self, is_tombstone: bool) -> End {
        let step = self.steps.unmatched;
        match self.plan.unmatched {
            Unmatched::DeadLetter if !is_tombstone => End::Poison(Poison {
                declared: true,
                ..Poison::new(
                    "unmatched",
                    Some(step),
                    "no route takes this event".to_owned(),
                )
            }),
            _ if is_tombstone => End::Filtered(self.steps.tombstone),
            _ => End::Filtered(step),
        }
    }

    fn route(
        &self,
        index: u16,
        route: &'a RouteCode,
        mut cx: Cx<'a>,
        event: Option<Event<'a>>,
        shared: &mut Option<Part>,
        out: &mut Outputs,
    ) -> Result<(), (&'static str, String)> {
        let (bytes, headers) = (out.bytes.len(), out.headers.len());
        let before = *shared;
        let mut appended = || {
            let topic = match &route.topic {
                TopicCode::Fixed(topic) => *topic,
                TopicCode::Chosen(text, allowed) => {
                    let name = text.eval(&cx).map_err(fault)?;
                    match allowed.iter().find(|(known, _)| *known == *name) {
                        Some((_, topic)) => *topic,
                        None => {
                            return Err((
                                "topic_not_allowed",
                                // Not the name: it is computed, and may say what no log is to know.
                                "the name that the route's `topic` makes of this record is not listed under `topics`"
                                    .to_owned(),
                            ));
                        }
                    }
                }
            };
            let key = match &route.key {
                KeyCode::Source => match self.input.key {
                    Some(_) => Part::Source,
                    None => Part::Null,
                },
                KeyCode::Computed(node) => match eval(node, &cx).map_err(fault)? {
                    Val::Str(text) => append(&mut out.bytes, text.as_bytes())?,
                    Val::Bytes(bytes) => append(&mut out.bytes, bytes)?,
                    Val::Null => Part::Null,
                    _ => {
                        return Err(("wrong_type", "the key is neither text nor bytes".to_owned()));
                    }
                },
                KeyCode::Avro(key) => self.avro_key(key, &cx, &mut out.bytes)?,
            };
            let first = out.headers.len() as u32;
            for (name, text) in &route.headers {
                let text = text.eval(&cx).map_err(fault)?;
                let value = append(&mut out.bytes, text.as_bytes())?;
                out.headers.push(OutputHeader { name: *name, value });
            }
            let value = match (&route.body, event) {
                (_, None) => Part::Null,
                (Body::Source, Some(_)) => Part::Source,
                (Body::Computed(node), Some(_)) => match eval(node, &cx).map_err(fault)? {
                    Val::Str(text) => append(&mut out.bytes, text.as_bytes())?,
                    Val::Bytes(bytes) => append(&mut out.bytes, bytes)?,
                    Val::Null => Part::Null,
                    _ => {
                        return Err((
                            "wrong_type",
                            "the value is neither text nor bytes".to_owned(),
                        ));
                    }
                },
                (Body::Json(emission, writer), Some(event)) => {
                    let regs = self.route_values(route, &cx)?;
                    self.emit_json(*emission, writer, event, regs, out)?
                }
                (Body::Emission(emission), Some(event)) => {
                    let emission = *emission;
                    cx.regs = self.route_values(route, &cx)?;
                    let is_shared = self.code.emissions[usize::from(emission)].step.is_some();
                    match *shared {
                        Some(part) if is_shared => part,
                        _ => {
                            let part = self.emit(emission, event, cx.regs, out)?;
                            if is_shared {
                                *shared = Some(part);
                            }
                            part
                        }
                    }
                }
            };
            for (part, side) in [(key, Side::Key), (value, Side::Value)] {
                if part == Part::Source {
                    self.pass_id(index, side, out)?;
                }
            }
            let headers = (first, out.headers.len() as u32);
            out.list.push(Output {
                route: index,
                topic,
                key,
                value,
                headers,
            });
            Ok(())
        };
        let done = appended();
        if done.is_err() {
            out.bytes.truncate(bytes);
            out.headers.truncate(headers);
            *shared = before;
        }
        done
    }

    /// What passes unchanged keeps the header with its schema id: without it nobody could read it.
    fn pass_id(
        &self,
        route: u16,
        side: Side,
        out: &mut Outputs,
    ) -> Result<(), (&'static str, String)> {
        let from = self.source.id_from(side);
        let (Some(name), Some(value)) = (
            from.header(side),
            frame::in_header(from, side, self.input.headers),
        ) else {
            return Ok(());
        };
        let names = &self.plan.routes[usize::from(route)].headers;
        if let Some(at) = names.iter().rposition(|known| known == name) {
            let value = append(&mut out.bytes, value)?;
            out.headers.push(OutputHeader {
                name: at as u16,
                value,
            });
        }
        Ok(())
    }

    /// The registers with what the route's own mapping computes.
    fn route_values(
        &self,
        route: &'a RouteCode,
        cx: &Cx<'a>,
    ) -> Result<&'a [Val<'a>], (&'static str, String)> {
        self.compute(&route.values, cx)
            .map_err(|(field, fault)| (fault.reason, format!("field {field}: {}", fault.message)))
    }

    fn avro_key(
        &self,
        key: &'a AvroKey,
        cx: &Cx<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Part, (&'static str, String)> {
        let start = out.len();
        let schema = usize::from(key.schema);
        frame::write(self.schema_ids[schema], out);
        for part in &key.parts {
            match part {
                KeyPart::Constant(bytes) => out.extend_from_slice(bytes),
                KeyPart::Value(computed, node) => {
                    let failed = |reason, message: &str| {
                        (reason, format!("key field {}: {message}", computed.field))
                    };
                    let value = eval(&computed.node, cx)
                        .map_err(|fault| failed(fault.reason, &fault.message))?;
                    encode::value(&self.plan.schemas[schema].schema, *node, &value, out)
                        .map_err(|fault| failed(fault.reason, &fault.message))?;
                }
            }
        }
        range(start, out.len())
    }

    fn emit(
        &self,
        emission: u16,
        event: Event<'a>,
        regs: &'a [Val<'a>],
        out: &mut Outputs,
    ) -> Result<Part, (&'static str, String)> {
        let emission = usize::from(emission);
        let start = out.bytes.len();
        let schema = usize::from(self.code.emissions[emission].schema);
        frame::write(self.schema_ids[schema], &mut out.bytes);
        let datum = event.datum;
        event.emits[emission]
            .run(
                datum.scan,
                datum.bytes,
                datum.slots,
                regs,
                self.bump,
                &mut out.bytes,
            )
            .map_err(|fault| (fault.reason, fault.to_string()))?;
        range(start, out.bytes.len())
    }

    /// A record as JSON. It is made in Avro first, so that every value is what the schema says it is.
    fn emit_json(
        &self,
        emission: u16,
        writer: &Writer,
        event: Event<'a>,
        regs: &'a [Val<'a>],
        out: &mut Outputs,
    ) -> Result<Part, (&'static str, String)> {
        let Scratch { datum: made, text } = &mut out.scratch;
        made.clear();
        made.shrink_to(ARENA_BYTES_MAX);
        let datum = event.datum;
        event.emits[usize::from(emission)]
            .run(datum.scan, datum.bytes, datum.slots, regs, self.bump, made)
            .map_err(|fault| (fault.reason, fault.to_string()))?;
        let start = out.bytes.len();
        writer
            .write(made, text, &mut out.bytes)
            .map_err(|fault| (fault.reason, fault.to_string()))?;
        range(start, out.bytes.len())
    }
}

fn append(bytes: &mut Vec<u8>, part: &[u8]) -> Result<Part, (&'static str, String)> {
    let start = bytes.len();
    bytes.extend_from_slice(part);
    range(start, bytes.len())
}

/// The part of these bytes. Outputs are addressed with 32 bits; no record gets there, a caller that never clears could.
fn range(start: usize, end: usize) -> Result<Part, (&'static str, String)> {
    match (u32::try_from(start), u32::try_from(end)) {
        (Ok(start), Ok(end)) => Ok(Part::Range(start, end)),
        _ => Err((
            "output_too_large",
            "the outputs in one batch exceed 4 GiB".to_owned(),
        )),
    }
}
