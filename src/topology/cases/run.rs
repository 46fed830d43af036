//! A case on its road: encoded, framed, processed, decoded, compared. The road is the one that live records take.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::compare::{Difference, compare};
use super::{Bytes, Case};
use crate::codec::frame::{IdFrom, SchemaId, Side};
use crate::codec::{frame, json};
use crate::pipeline::process::{Input, Output, Outputs, Part, Poison, Processor, Verdict};
use crate::schema::Schema;
use crate::topology::plan::{KeyFormat, OutputFormat, Plan, Refusal, SourcePlan, builtin};

/// Made-up registry ids: outputs count from 1, values and keys of sources from here on.
const VALUE_IDS: u32 = 1_000;
const KEY_IDS: u32 = 2_000;

/// A case that was run.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// What became of its record: `deliveries`, `filtered`, `dead_letters`. Null if it could not be run.
    pub actual: Value,
    /// How far its record came.
    pub trail: Trail,
}

/// How a case ended.
#[derive(Debug)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Otherwise.
    Failed(Vec<Difference>),
    /// It could not be run: its event does not fit the schema, for one.
    Broken(String),
}

/// How far a record came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// How many of the declared steps it entered.
    pub steps: usize,
    /// The routes that delivered it, by index.
    pub routes: Vec<usize>,
}

/// A record as it would lie in its topic.
#[derive(Debug)]
pub struct Record {
    /// Index in [`Plan::sources`].
    pub source: u16,
    /// The key's bytes; `None` for null.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Partition, offset, timestamp in milliseconds.
    pub position: (i32, i64, Option<i64>),
    /// The schema that the value was written with, if it is not the checked one.
    pub value_schema: Option<Arc<Schema>>,
}

/// What became of a record.
pub struct Ended {
    /// The verdict.
    pub verdict: Verdict,
    /// What is sent.
    pub outputs: Outputs,
}

/// Runs a case on a plan.
pub fn run(plan: &Arc<Plan>, case: &Case) -> Ran {
    let mut trail = Trail::default();
    let done = record(plan, case).and_then(|record| {
        let ended = process(plan, &record);
        trail = ended.trail(plan, &record);
        ended.json(plan, &record)
    });
    let actual = match done {
        Ok(actual) => actual,
        Err(why) => {
            return Ran {
                outcome: Outcome::Broken(why),
                actual: Value::Null,
                trail,
            };
        }
    };
    // What is not expected must not happen: all three are compared even where the case is silent.
    let mut differences = Vec::new();
    let expect = &case.expect;
    let of = |name: &str| &actual[name];
    compare(
        "deliveries",
        &json!(expect.deliveries),
        of("deliveries"),
        &mut differences,
    );
    compare(
        "filtered",
        &json!(expect.filtered),
        of("filtered"),
        &mut differences,
    );
    match (expect.dead_letters.as_slice(), of("dead_letters")) {
        ([], Value::Array(found)) if found.is_empty() => {}
        ([wanted], Value::Array(found)) if found.len() == 1 => {
            compare("dead_letter", wanted, &found[0], &mut differences)
        }
        (wanted, found) => compare("dead_letters", &json!(wanted), found, &mut differences),
    }
    let outcome = match differences.is_empty() {
        true => Outcome::Passed,
        false => Outcome::Failed(differences),
    };
    Ran {
        outcome,
        actual,
        trail,
    }
}

/// The record of a case.
///
/// # Errors
/// What is wrong with the case: its JSON does not fit the schema, for one.
pub fn record(plan: &Plan, case: &Case) -> Result<Record, String> {
    let index = plan
        .sources
        .iter()
        .position(|source| source.topic == case.topic)
        .ok_or("the source is gone")?;
    let source = &plan.sources[index];
    let key_schema = match &source.key {
        KeyFormat::Avro(avro) => Some(&*avro.schema),
        _ => None,
    };
    let value_schema = case.value_schema.as_ref().unwrap_or(&source.value.schema);
    let mut headers: Vec<_> = case
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().map(String::into_bytes)))
        .collect();
    let mut placed = |side: Side, schema: Option<&Schema>, id: u32, bytes: &Bytes| {
        let framed = encoded(side.name(), schema, id, bytes)?;
        let is_framed = matches!(bytes, Bytes::Json(_)) && schema.is_some();
        Ok::<_, String>(match (framed, source.id_from(side).header(side)) {
            (Some(framed), Some(name)) if is_framed => {
                let (frame, datum) = framed.split_at(frame::HEADER_BYTES);
                let value = match source.id_from(side) {
                    IdFrom::Confluent => frame.to_vec(),
                    _ => u64::from(id).to_be_bytes().to_vec(),
                };
                headers.push((name.to_owned(), Some(value)));
                Some(datum.to_vec())
            }
            (framed, _) => framed,
        })
    };
    let ids = index as u32;
    let key = placed(Side::Key, key_schema, KEY_IDS + ids, &case.key)?;
    let value = placed(
        Side::Value,
        Some(value_schema),
        VALUE_IDS + ids,
        &case.value,
    )?;
    Ok(Record {
        source: index as u16,
        key,
        value,
        headers,
        position: case.position,
        value_schema: case.value_schema.clone(),
    })
}

/// The bytes of a key or value. `schema` is that of its JSON; without one, JSON is text.
pub fn encoded(
    what: &str,
    schema: Option<&Schema>,
    id: u32,
    bytes: &Bytes,
) -> Result<Option<Vec<u8>>, String> {
    let (value, schema) = match (bytes, schema) {
        (Bytes::Null, _) => return Ok(None),
        (Bytes::Raw(bytes), _) => return Ok(Some(bytes.clone())),
        (Bytes::Json(Value::String(text)), None) => return Ok(Some(text.clone().into_bytes())),
        (Bytes::Json(_), None) => {
            return Err(format!("the {what} is text: quote it, or write {what}_hex"));
        }
        (Bytes::Json(value), Some(schema)) => (value, schema),
    };
    let datum = json::from_json(schema, value)
        .map_err(|fault| format!("the {what} does not fit its schema: {fault}"))?;
    let mut bytes = Vec::new();
    frame::write(id, &mut bytes);
    bytes.extend_from_slice(&datum);
    Ok(Some(bytes))
}

/// The record through the plan. Ids that are not ours are unknown to the registry, as they would be there.
pub fn process(plan: &Arc<Plan>, record: &Record) -> Ended {
    let headers = record.header_parts();
    let input = record.input(&headers);
    let mut outputs = Outputs::default();
    let verdict = judge(plan, record, &input, &mut outputs).unwrap_or_else(Verdict::Poison);
    Ended { verdict, outputs }
}

fn judge(
    plan: &Arc<Plan>,
    record: &Record,
    input: &Input<'_>,
    outputs: &mut Outputs,
) -> Result<Verdict, Poison> {
    let ids = plan.ids(input.source, input.key, input.value, input.headers)?;
    let source = &plan.sources[usize::from(input.source)];
    let unknown = |id: SchemaId| {
        plan.poison(
            "unknown_schema",
            builtin::DECODE,
            format!("the registry does not know schema {id}"),
        )
    };
    let refused = |refusal: Refusal| match refusal {
        Refusal::Wrong(message) => plan.poison("wrong_schema", builtin::DECODE, message),
        Refusal::Incompatible(message) => {
            plan.poison("incompatible_schema", builtin::DECODE, message)
        }
    };
    let key = match (ids.key, &source.key) {
        (Some(id), KeyFormat::Avro(avro)) if id == (KEY_IDS + u32::from(input.source)).into() => {
            Some(
                plan.compile_key(input.source, id, &avro.schema)
                    .map_err(refused)?,
            )
        }
        (Some(id), _) => return Err(unknown(id)),
        (None, _) => None,
    };
    let writer = record.value_schema.as_ref().unwrap_or(&source.value.schema);
    let value = match ids.value {
        Some(id) if id == (VALUE_IDS + u32::from(input.source)).into() => Some(
            plan.compile_value(input.source, id, writer)
                .map_err(refused)?,
        ),
        Some(id) => return Err(unknown(id)),
        None => None,
    };
    let schema_ids = (1..=plan.schemas.len() as u32).collect();
    let mut processor = Processor::new(plan.clone(), schema_ids);
    Ok(processor.process(key.as_ref(), value.as_ref(), input, outputs))
}

impl Record {
    /// The key, decoded where that is possible.
    pub fn key_json(&self, plan: &Plan) -> Value {
        let source = &plan.sources[usize::from(self.source)];
        let key = match (&source.key, &self.key) {
            (KeyFormat::Avro(avro), Some(bytes)) => {
                let headers = self.header_parts();
                passed(source, Side::Key, &headers, bytes, &avro.schema).ok()
            }
            _ => None,
        };
        key.unwrap_or_else(|| shown(self.key.as_deref()))
    }

    /// The value, decoded; null for a tombstone, and where it cannot be read.
    pub fn value_json(&self, plan: &Plan) -> Value {
        let source = &plan.sources[usize::from(self.source)];
        let schema = self.value_schema.as_ref().unwrap_or(&source.value.schema);
        let bytes = self.value.as_deref().unwrap_or_default();
        passed(source, Side::Value, &self.header_parts(), bytes, schema).unwrap_or_default()
    }

    /// What expressions see as `meta`.
    pub fn meta_json(&self, plan: &Plan) -> Value {
        let (partition, offset, timestamp) = self.position;
        let headers: BTreeMap<_, _> = self
            .headers
            .iter()
            .map(|(name, value)| (name, shown(value.as_deref())))
            .collect();
        json!({
            "topic": plan.sources[usize::from(self.source)].topic,
            "partition": partition,
            "offset": offset,
            "timestamp": timestamp.map(|ms| {
                jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
            }),
            "key": self.key_json(plan),
            "headers": headers,
        })
    }

    fn header_parts(&self) -> Vec<(&[u8], Option<&[u8]>)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_deref()))
            .collect()
    }

    fn input<'a>(&'a self, headers: &'a [(&'a [u8], Option<&'a [u8]>)]) -> Input<'a> {
        Input {
            source: self.source,
            partition: self.position.0,
            offset: self.position.1,
            timestamp_ms: self.position.2,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }
}

impl Ended {
    /// How far the record came.
    pub fn trail(&self, plan: &Plan, record: &Record) -> Trail {
        let declared = plan.steps.iter().filter(|step| step.declared).count();
        let unmatched = plan.step(builtin::UNMATCHED).map(usize::from);
        // Declared steps come first; behind them a record can only end as unmatched.
        let entered = |step: Option<u16>| match step.map(usize::from) {
            Some(step) if step < declared => step + 1,
            step if step.is_none() || step == unmatched => declared,
            _ => 0,
        };
        let steps = match (&record.value, &self.verdict) {
            (None, _) => 0,
            (_, Verdict::Deliver) => declared,
            (_, Verdict::Filtered(step)) => entered(Some(*step)),
            (_, Verdict::Poison(poison)) => entered(poison.step),
        };
        let routes = self.outputs.list.iter();
        Trail {
            steps,
            routes: routes.map(|output| usize::from(output.route)).collect(),
        }
    }

    /// The dead letters.
    pub fn poisons(&self) -> Vec<&Poison> {
        match &self.verdict {
            Verdict::Deliver => self.outputs.failures.iter().collect(),
            Verdict::Filtered(_) => Vec::new(),
            Verdict::Poison(poison) => vec![poison],
        }
    }

    /// The step that filtered the record.
    pub fn filtered<'p>(&self, plan: &'p Plan) -> Option<&'p str> {
        match self.verdict {
            Verdict::Filtered(step) => Some(&plan.steps[usize::from(step)].name),
            _ => None,
        }
    }

    /// Deliveries, filter and dead letters as JSON.
    pub fn json(&self, plan: &Plan, record: &Record) -> Result<Value, String> {
        let headers = record.header_parts();
        let input = record.input(&headers);
        let mut deliveries = Vec::new();
        for output in &self.outputs.list {
            deliveries.push(self.delivery(plan, record, &input, output)?);
        }
        let dead_letters: Vec<_> = self
            .poisons()
            .iter()
            .map(|poison| dead_letter(plan, poison))
            .collect();
        Ok(json!({
            "deliveries": deliveries,
            "filtered": self.filtered(plan),
            "dead_letters": dead_letters,
        }))
    }

    fn delivery(
        &self,
        plan: &Plan,
        record: &Record,
        input: &Input<'_>,
        output: &Output,
    ) -> Result<Value, String> {
        let outputs = &self.outputs;
        let source: &SourcePlan = &plan.sources[usize::from(input.source)];
        let route = &plan.routes[usize::from(output.route)];
        let written = |part| {
            let bytes = outputs.part(part, None).unwrap_or_default();
            let (id, datum) =
                frame::split(bytes).map_err(|_| "an output without a frame".to_owned())?;
            let schema = plan
                .schemas
                .get((id as usize).wrapping_sub(1))
                .ok_or("an output of an unknown schema")?;
            json::to_json(&schema.schema, datum).map_err(|fault| fault.to_string())
        };
        let key = match (output.key, &source.key) {
            (Part::Source, KeyFormat::Avro(avro)) => {
                let bytes = input.key.unwrap_or_default();
                passed(source, Side::Key, input.headers, bytes, &avro.schema)?
            }
            (part @ Part::Range(..), _) if route.key_schema.is_some() => written(part)?,
            (part, _) => shown(outputs.part(part, input.key)),
        };
        let value = match (output.value, &route.format) {
            (Part::Null, _) => Value::Null,
            (Part::Source, _) => {
                let schema = record.value_schema.as_ref().unwrap_or(&source.value.schema);
                let bytes = input.value.unwrap_or_default();
                passed(source, Side::Value, input.headers, bytes, schema)?
            }
            (part, OutputFormat::Avro) => written(part)?,
            (part, OutputFormat::Json(_)) => {
                let bytes = outputs.part(part, None).unwrap_or_default();
                serde_json::from_slice(bytes)
                    .map_err(|error| format!("an output is no JSON: {error}"))?
            }
            (part, OutputFormat::Plain(_)) => shown(outputs.part(part, None)),
        };
        let set = &outputs.headers[output.headers.0 as usize..output.headers.1 as usize];
        let headers: BTreeMap<&str, Value> = set
            .iter()
            .map(|header| {
                let name = route.headers[usize::from(header.name)].as_str();
                (name, shown(outputs.part(header.value, None)))
            })
            .collect();
        Ok(json!({
            "route": route.name,
            "topic": plan.topics[usize::from(output.topic)].topic,
            "key": key,
            "value": value,
            "headers": headers,
        }))
    }
}

fn dead_letter(plan: &Plan, poison: &Poison) -> Value {
    json!({
        "reason": poison.reason,
        "step": poison.step.map(|step| &plan.steps[usize::from(step)].name),
        "route": poison.route.map(|route| &plan.routes[usize::from(route)].name),
        "message": poison.message,
    })
}

/// What passed unchanged, read back.
fn passed(
    source: &SourcePlan,
    side: Side,
    headers: &[(&[u8], Option<&[u8]>)],
    bytes: &[u8],
    schema: &Schema,
) -> Result<Value, String> {
    let (_, datum) = frame::locate(source.id_from(side), side, headers, bytes)
        .map_err(|_| format!("a {} without a schema id", side.name()))?;
    json::to_json(schema, datum).map_err(|fault| fault.to_string())
}

/// Bytes as text where they are some, else as hexadecimal.
pub fn shown(bytes: Option<&[u8]>) -> Value {
    match bytes {
        None => Value::Null,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        },
    }
}
