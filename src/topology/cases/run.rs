//! A case on its road: encoded, framed, processed, decoded, compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::compare::{Difference, compare};
use super::{Bytes, Case};
use crate::codec::{frame, json};
use crate::pipeline::process::{Input, Output, Outputs, Part, Poison, Processor, Verdict};
use crate::schema::Schema;
use crate::topology::plan::{KeyFormat, Plan, Refusal};

/// Made-up registry ids: outputs count from 1, values and keys of sources from here on.
const VALUE_IDS: u32 = 1_000;
const KEY_IDS: u32 = 2_000;

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

/// Runs a case on a plan.
pub fn run(plan: &Arc<Plan>, case: &Case) -> Outcome {
    match actual(plan, case) {
        Ok(actual) => {
            let mut differences = Vec::new();
            let expect = &case.expect;
            // What is not expected must not happen: all three are compared even where the case is silent.
            let expected = json!({
                "deliveries": expect.deliveries,
                "filtered": expect.filtered,
                "dead_letter": expect.dead_letter,
            });
            compare("", &expected, &actual, &mut differences);
            if differences.is_empty() {
                Outcome::Passed
            } else {
                Outcome::Failed(differences)
            }
        }
        Err(why) => Outcome::Broken(why),
    }
}

/// What becomes of the case's record, as JSON.
fn actual(plan: &Arc<Plan>, case: &Case) -> Result<Value, String> {
    let index = plan
        .sources
        .iter()
        .position(|source| source.topic == case.topic)
        .ok_or("the source is gone")?;
    let source = &plan.sources[index];
    let ids = index as u32;
    let key = match (&source.key, &case.key) {
        (KeyFormat::Avro(avro), Bytes::Json(value, _)) => {
            Some(framed("key", &avro.schema, KEY_IDS + ids, value)?)
        }
        (_, Bytes::Json(Value::String(text), _)) => Some(text.clone().into_bytes()),
        (_, Bytes::Json(..)) => {
            return Err("the key is text: quote it, or write key_hex".to_owned());
        }
        (_, Bytes::Raw(bytes)) => Some(bytes.clone()),
        (_, Bytes::Null) => None,
    };
    let value = match &case.value {
        Bytes::Json(value, _) => Some(framed(
            "value",
            &source.value.schema,
            VALUE_IDS + ids,
            value,
        )?),
        Bytes::Raw(bytes) => Some(bytes.clone()),
        Bytes::Null => None,
    };
    let headers: Vec<(&[u8], Option<&[u8]>)> = case
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_ref().map(String::as_bytes)))
        .collect();
    let input = Input {
        source: index as u16,
        partition: case.position.0,
        offset: case.position.1,
        timestamp_ms: case.position.2,
        key: key.as_deref(),
        value: value.as_deref(),
        headers: &headers,
    };
    let mut outputs = Outputs::default();
    let verdict = process(plan, &input, &mut outputs);
    let mut deliveries = Vec::new();
    for output in &outputs.list {
        deliveries.push(delivery(plan, source, &input, &outputs, output)?);
    }
    let (filtered, poison) = match verdict {
        Verdict::Deliver => (None, outputs.failures.first()),
        Verdict::Filtered(step) => (Some(plan.steps[usize::from(step)].name.as_str()), None),
        Verdict::Poison(ref poison) => (None, Some(poison)),
    };
    Ok(json!({
        "deliveries": deliveries,
        "filtered": filtered,
        "dead_letter": poison.map(|poison| dead_letter(plan, poison)),
    }))
}

fn framed(what: &str, schema: &Schema, id: u32, value: &Value) -> Result<Vec<u8>, String> {
    let datum = json::from_json(schema, value)
        .map_err(|fault| format!("the {what} does not fit its schema: {fault}"))?;
    let mut bytes = Vec::new();
    frame::write(id, &mut bytes);
    bytes.extend_from_slice(&datum);
    Ok(bytes)
}

/// The record through the plan. Ids that are not ours are unknown to the registry, as they would be there.
fn process(plan: &Arc<Plan>, input: &Input<'_>, outputs: &mut Outputs) -> Verdict {
    let ids = match plan.ids(input.source, input.key, input.value) {
        Ok(ids) => ids,
        Err(poison) => return Verdict::Poison(poison),
    };
    let source = &plan.sources[usize::from(input.source)];
    let unknown = |id: u32| {
        plan.poison(
            "unknown_schema",
            "decode",
            format!("the registry does not know schema {id}"),
        )
    };
    let refused = |refusal: Refusal| match refusal {
        Refusal::Wrong(message) => plan.poison("wrong_schema", "decode", message),
        Refusal::Incompatible(message) => plan.poison("incompatible_schema", "decode", message),
    };
    let key = match (ids.key, &source.key) {
        (Some(id), KeyFormat::Avro(avro)) if id == KEY_IDS + u32::from(input.source) => {
            match plan.compile_key(input.source, id, &avro.schema) {
                Ok(program) => Some(program),
                Err(refusal) => return Verdict::Poison(refused(refusal)),
            }
        }
        (Some(id), _) => return Verdict::Poison(unknown(id)),
        (None, _) => None,
    };
    let value = match ids.value {
        Some(id) if id == VALUE_IDS + u32::from(input.source) => {
            match plan.compile_value(input.source, id, &source.value.schema) {
                Ok(program) => Some(program),
                Err(refusal) => return Verdict::Poison(refused(refusal)),
            }
        }
        Some(id) => return Verdict::Poison(unknown(id)),
        None => None,
    };
    let schema_ids = (1..=plan.schemas.len() as u32).collect();
    Processor::new(plan.clone(), schema_ids).process(key.as_ref(), value.as_ref(), input, outputs)
}

fn delivery(
    plan: &Plan,
    source: &crate::topology::plan::SourcePlan,
    input: &Input<'_>,
    outputs: &Outputs,
    output: &Output,
) -> Result<Value, String> {
    let route = &plan.routes[usize::from(output.route)];
    let written = |part| {
        let bytes = outputs.part(part, None).unwrap_or_default();
        let (id, _) = frame::split(bytes).map_err(|_| "an output without a frame".to_owned())?;
        let schema = plan
            .schemas
            .get(id as usize - 1)
            .ok_or("an output of an unknown schema")?;
        decoded(Some(bytes), &schema.schema)
    };
    let key = match (output.key, &source.key) {
        (Part::Source, KeyFormat::Avro(avro)) => decoded(input.key, &avro.schema)?,
        (part @ Part::Range(..), _) if route.key_schema.is_some() => written(part)?,
        (part, _) => shown(outputs.part(part, input.key)),
    };
    let value = match output.value {
        Part::Null => Value::Null,
        Part::Source => decoded(input.value, &source.value.schema)?,
        part @ Part::Range(..) => written(part)?,
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

fn dead_letter(plan: &Plan, poison: &Poison) -> Value {
    json!({
        "reason": poison.reason,
        "step": poison.step.map(|step| &plan.steps[usize::from(step)].name),
        "route": poison.route.map(|route| &plan.routes[usize::from(route)].name),
        "message": poison.message,
    })
}

fn decoded(bytes: Option<&[u8]>, schema: &Schema) -> Result<Value, String> {
    let Some(bytes) = bytes else {
        return Ok(Value::Null);
    };
    let (_, datum) = frame::split(bytes).map_err(|_| "a value without a frame".to_owned())?;
    json::to_json(schema, datum).map_err(|fault| fault.to_string())
}

/// Bytes as text where they are some, else as hexadecimal.
fn shown(bytes: Option<&[u8]>) -> Value {
    match bytes {
        None => Value::Null,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        },
    }
}
