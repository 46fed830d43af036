//! What a plan needs for data of one writer schema: compiled once per schema id, at its first sight.

use std::fmt;

use super::code::SourceCode;
use super::plan::{Ids, KeyFormat, Other, Plan, Refusal, builtin};
use crate::codec::frame::{SchemaId, Side};
use crate::codec::{Emit, Scan, frame};
use crate::pipeline::process::{Class, Poison};
use crate::schema::{Schema, resolve::Mismatch};

/// Headers of a record at most. Each route looks through them, and each expression over them makes a map of them.
const HEADERS_MAX: usize = 1_000;

/// Bytes of their names and values at most. Outputs carry some of them along, which no queue of a producer counts.
const HEADER_BYTES_MAX: usize = 256 << 10;

/// The program for values of one writer schema.
pub struct ValueProgram {
    pub(crate) kind: ValueKind,
}

pub(crate) enum ValueKind {
    /// An event: scanned as the checked schema, one emitter per emission of the plan.
    Event { scan: Scan, emits: Vec<Emit> },
    /// One of Debezium's other records, validated by its own schema.
    Other { kind: Other, scan: Scan },
}

/// The program for keys of one writer schema.
pub struct KeyProgram {
    /// `None` for the keys of Debezium's other records: they are right there and wrong on events.
    pub(crate) scan: Option<Scan>,
}

impl fmt::Debug for ValueProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueProgram")
    }
}

impl fmt::Debug for KeyProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyProgram")
    }
}

impl Plan {
    /// Reads the schema ids in a record's frames, or in the headers where the source says so. Nothing else of the record is
    /// looked at.
    ///
    /// # Errors
    /// `bad_frame`: a key or value that must be Avro has no frame. An empty one has none either. `bad_id_header`: the header
    /// that must hold the id is not there, or holds none. `headers_limit`: too many headers, or too large ones.
    pub fn ids(
        &self,
        source: u16,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> Result<Ids, Poison> {
        let size =
            |(name, value): &(&[u8], Option<&[u8]>)| name.len() + value.map_or(0, <[u8]>::len);
        if headers.len() > HEADERS_MAX || headers.iter().map(size).sum::<usize>() > HEADER_BYTES_MAX
        {
            let count = headers.len();
            let message = format!(
                "{count} headers: at most {HEADERS_MAX} with {HEADER_BYTES_MAX} bytes are read"
            );
            return Err(self.poison("headers_limit", builtin::DECODE, message));
        }
        let plan = &self.sources[usize::from(source)];
        let read = |bytes: &[u8], side: Side, step: &str| {
            let from = plan.id_from(side);
            let located = frame::locate(from, side, headers, bytes);
            located.map(|(id, _)| id).map_err(|reason| {
                let (what, size) = (side.name(), bytes.len());
                let message = match from.header(side) {
                    Some(header) if reason == "bad_id_header" => {
                        format!("the header {header}, which must hold the schema id of the {what}, is missing or holds none")
                    }
                    _ => format!("the {what} of {size} bytes is not in the Confluent wire format"),
                };
                self.poison(reason, step, message)
            })
        };
        Ok(Ids {
            key: match (&plan.key, key) {
                (KeyFormat::Avro(_), Some(bytes)) => Some(read(bytes, Side::Key, builtin::KEY)?),
                _ => None,
            },
            value: match value {
                Some(bytes) => Some(read(bytes, Side::Value, builtin::DECODE)?),
                None => None,
            },
        })
    }

    /// Compiles the program for values of a writer schema.
    ///
    /// # Errors
    /// The record has a foreign name, or some datum of the schema could not be read as the checked one.
    pub fn compile_value(
        &self,
        source: u16,
        id: impl Into<SchemaId>,
        writer: &Schema,
    ) -> Result<ValueProgram, Refusal> {
        let id = id.into();
        let plan = &self.sources[usize::from(source)];
        let code = &self.code[usize::from(source)];
        if let Some(foreign) = foreign(writer, &code.reader) {
            if let Some(kind) = Other::of_record(foreign) {
                let own = std::sync::Arc::new(writer.clone());
                let scan = Scan::compile(writer, &own, &[])
                    .map_err(|mismatches| Refusal::Wrong(because(id, foreign, &mismatches)))?;
                return Ok(ValueProgram {
                    kind: ValueKind::Other { kind, scan },
                });
            }
            let mut message = format!(
                "schema {id} is `{foreign}`, the topology was checked against `{}`",
                code.reader.root_name().unwrap_or("?")
            );
            if code.envelope.is_some()
                && code
                    .reader
                    .root_name()
                    .is_some_and(|name| is_row_of(foreign, name))
            {
                message.push_str("; flattened events need `envelope: none`");
            }
            return Err(Refusal::Wrong(message));
        }
        let wants = code.wants.value();
        let scan = Scan::compile_grown(writer, &code.reader, wants, &code.wants.asked()).map_err(
            |mismatches| Refusal::Incompatible(because(id, &plan.value.name, &mismatches)),
        )?;
        let emits = code
            .emissions
            .iter()
            .map(|emission| {
                let out = &self.schemas[usize::from(emission.schema)].schema;
                Emit::compile(&scan, scan.reader(), wants, out, &emission.fields)
            })
            .collect::<Result<_, _>>()
            .map_err(|why| {
                Refusal::Incompatible(format!("schema {id} cannot be written on: {why}"))
            })?;
        Ok(ValueProgram {
            kind: ValueKind::Event { scan, emits },
        })
    }

    /// Compiles the program for keys of a writer schema.
    ///
    /// # Errors
    /// As [`compile_value`](Self::compile_value); also if the source's key is not Avro.
    pub fn compile_key(
        &self,
        source: u16,
        id: impl Into<SchemaId>,
        writer: &Schema,
    ) -> Result<KeyProgram, Refusal> {
        let id = id.into();
        let code: &SourceCode = &self.code[usize::from(source)];
        let Some(reader) = &code.key_reader else {
            return Err(Refusal::Wrong(
                "the key of this source is not Avro".to_owned(),
            ));
        };
        if let Some(foreign) = foreign(writer, reader) {
            if Other::is_key(foreign) {
                return Ok(KeyProgram { scan: None });
            }
            return Err(Refusal::Wrong(format!(
                "key schema {id} is `{foreign}`, the topology was checked against `{}`",
                reader.root_name().unwrap_or("?")
            )));
        }
        let scan = Scan::compile(writer, reader, code.wants.key())
            .map_err(|mismatches| Refusal::Incompatible(because(id, "the key", &mismatches)))?;
        Ok(KeyProgram { scan: Some(scan) })
    }

    /// A poison judged at a built-in step.
    pub(crate) fn poison(
        &self,
        reason: &'static str,
        step: &str,
        message: impl Into<String>,
    ) -> Poison {
        Poison {
            class: Class::Poison,
            reason,
            step: self.step(step),
            route: None,
            message: sanitised(message.into()),
            declared: false,
        }
    }

    /// The index of a step.
    pub fn step(&self, name: &str) -> Option<u16> {
        self.steps
            .iter()
            .position(|step| step.name == name)
            .map(|at| at as u16)
    }
}

/// The writer's name, if it names another record than the reader's name and aliases do.
fn foreign<'w>(writer: &'w Schema, reader: &Schema) -> Option<&'w str> {
    let written = writer.root_name()?;
    let root = reader.node(reader.root);
    let known =
        root.name.as_deref() == Some(written) || root.aliases.iter().any(|alias| alias == written);
    (!known).then_some(written)
}

/// Whether `name` is the row of the envelope: `shop.public.orders.Value` of `shop.public.orders.Envelope`.
fn is_row_of(name: &str, envelope: &str) -> bool {
    name.rsplit_once('.').map(|(space, _)| space)
        == envelope.rsplit_once('.').map(|(space, _)| space)
}

fn because(id: SchemaId, what: &str, mismatches: &[Mismatch]) -> String {
    const SHOWN_MAX: usize = 5;
    let mut shown: Vec<String> = mismatches
        .iter()
        .take(SHOWN_MAX)
        .map(Mismatch::to_string)
        .collect();
    if mismatches.len() > SHOWN_MAX {
        shown.push(format!("{} more", mismatches.len() - SHOWN_MAX));
    }
    format!(
        "schema {id} cannot be read as `{what}`: {}",
        shown.join("; ")
    )
}

/// Longest message of a poison, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

/// A message without control characters, at most 512 bytes.
pub(crate) fn sanitised(message: String) -> String {
    if message.len() <= MESSAGE_BYTES_MAX && !message.chars().any(char::is_control) {
        return message;
    }
    let mut clean = String::with_capacity(MESSAGE_BYTES_MAX);
    for c in message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
    {
        if clean.len() + c.len_utf8() > MESSAGE_BYTES_MAX {
            break;
        }
        clean.push(c);
    }
    clean
}
