//! Processes a dead letter again, as the worker would have processed its original: same position, same headers, same plan code.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;

use super::letter::{Letter, PREFIX};
use super::outbox::Parcel;
use crate::cli::decode::Decoder;
use crate::codec::frame::SchemaId;
use crate::config::Config;
use crate::kafka::RawRecord;
use crate::pipeline::process::{Input, Outputs, Poison, Processor, Verdict};
use crate::registry::Client;
use crate::topology::Plan;
use crate::topology::plan::{OutputSchema, Refusal};
use crate::topology::program::{KeyProgram, ValueProgram};

/// What became of a dead letter.
pub enum Outcome {
    /// These are to be delivered.
    Deliver(Vec<Parcel>),
    /// A rule of the mended topology leaves nothing to deliver; the name of the step, or of the route that no longer takes it.
    Nothing(String),
    /// It fails again, with this reason code and message.
    Fails(String, String),
    /// It cannot be processed here; why.
    Skipped(&'static str),
}

/// A plan at work.
pub struct Machine {
    plan: Arc<Plan>,
    processor: Processor,
    values: HashMap<(u16, SchemaId), Result<ValueProgram, Refusal>>,
    keys: HashMap<(u16, SchemaId), Result<KeyProgram, Refusal>>,
    outputs: Outputs,
    /// Name of the header that is passed on.
    correlation: String,
}

impl Machine {
    /// Prepares a plan; looks its output schemas up in the registry.
    pub fn new(
        plan: Arc<Plan>,
        config: &Config,
        runtime: &tokio::runtime::Handle,
    ) -> anyhow::Result<Machine> {
        let mut ids = Vec::with_capacity(plan.schemas.len());
        if plan.schemas.iter().any(|output| output.is_framed) {
            let client = Client::new(&config.registry)?;
            for output in &plan.schemas {
                if !output.is_framed {
                    ids.push(OutputSchema::NO_ID);
                    continue;
                }
                let id = runtime.block_on(client.output_id(&output.subject, &output.schema));
                ids.push(id.with_context(|| {
                    format!("the topology {} cannot write {}", plan.id, output.subject)
                })?);
            }
        }
        Ok(Machine {
            processor: Processor::new(plan.clone(), ids),
            plan,
            values: HashMap::new(),
            keys: HashMap::new(),
            outputs: Outputs::default(),
            correlation: config.correlation_header.clone(),
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Processes the original of a dead letter. Fails if the registry cannot be asked: that says nothing about the record.
    pub fn process(
        &mut self,
        letter: &Letter,
        record: &RawRecord,
        decoder: &Decoder,
    ) -> anyhow::Result<Outcome> {
        if letter.is_stub {
            return Ok(Outcome::Skipped("stub: the original bytes are not here"));
        }
        let Some((topic, partition, offset)) = &letter.source else {
            return Ok(Outcome::Skipped("its headers name no source position"));
        };
        let Some(source) = self
            .plan
            .sources
            .iter()
            .position(|source| source.topic == *topic)
        else {
            return Ok(Outcome::Skipped(
                "the topology does not read its source topic any more",
            ));
        };
        let source = u16::try_from(source).expect("a plan numbers its sources with u16");
        let wanted = match &letter.route {
            // With `match: first` no other route has delivered it.
            Some(name) if self.plan.match_all => {
                let Some(route) = self
                    .plan
                    .routes
                    .iter()
                    .position(|route| route.name == *name)
                else {
                    return Ok(Outcome::Skipped("the topology has no such route any more"));
                };
                u16::try_from(route).ok()
            }
            _ => None,
        };
        let headers: Vec<(&[u8], Option<&[u8]>)> = record
            .headers()
            .filter(|(name, _)| !name.starts_with(PREFIX))
            .collect();
        let input = Input {
            source,
            partition: *partition,
            offset: *offset,
            timestamp_ms: letter.timestamp_ms,
            key: record.key(),
            value: record.value(),
            headers: &headers,
        };
        let ids = match self.plan.ids(source, input.key, input.value, &headers) {
            Ok(ids) => ids,
            Err(poison) => return Ok(fails(poison)),
        };
        for (id, is_key) in [(ids.key, true), (ids.value, false)] {
            if let Some(id) = id
                && let Some(outcome) = self.prepare(source, id, is_key, decoder)?
            {
                return Ok(outcome);
            }
        }
        let key = ids
            .key
            .and_then(|id| self.keys.get(&(source, id))?.as_ref().ok());
        let value = ids
            .value
            .and_then(|id| self.values.get(&(source, id))?.as_ref().ok());
        self.outputs.clear();
        let verdict = self
            .processor
            .process(key, value, &input, &mut self.outputs);
        Ok(match verdict {
            Verdict::Poison(poison) => fails(poison),
            Verdict::Filtered(step) => {
                Outcome::Nothing(self.plan.steps[usize::from(step)].name.clone())
            }
            Verdict::Deliver => self.collect(wanted, &input),
        })
    }

    /// Compiles what a schema id needs; an outcome if it cannot be used.
    fn prepare(
        &mut self,
        source: u16,
        id: SchemaId,
        is_key: bool,
        decoder: &Decoder,
    ) -> anyhow::Result<Option<Outcome>> {
        let place = (source, id);
        if !self.values.contains_key(&place) && !is_key || !self.keys.contains_key(&place) && is_key
        {
            let schema = match decoder.schema(id) {
                Ok(schema) => schema,
                Err(why) if decoder.is_outage() => anyhow::bail!("{why}"),
                Err(why) => {
                    return Ok(Some(Outcome::Fails(
                        "unknown_schema".into(),
                        why.to_string(),
                    )));
                }
            };
            if is_key {
                let program = self.plan.compile_key(source, id, &schema);
                self.keys.insert(place, program);
            } else {
                let program = self.plan.compile_value(source, id, &schema);
                self.values.insert(place, program);
            }
        }
        let refused = match is_key {
            true => self.keys[&place].as_ref().err(),
            false => self.values[&place].as_ref().err(),
        };
        Ok(refused.map(|refusal| match refusal {
            Refusal::Wrong(message) => Outcome::Fails("wrong_schema".into(), message.clone()),
            Refusal::Incompatible(message) => {
                Outcome::Fails("incompatible_schema".into(), message.clone())
            }
        }))
    }

    fn collect(&self, wanted: Option<u16>, input: &Input<'_>) -> Outcome {
        let is_wanted = |route: Option<u16>| wanted.is_none() || route == wanted;
        if let Some(poison) = self
            .outputs
            .failures
            .iter()
            .find(|poison| is_wanted(poison.route))
        {
            return fails(poison.clone());
        }
        let parcels: Vec<Parcel> = self
            .outputs
            .list
            .iter()
            .filter(|output| is_wanted(Some(output.route)))
            .map(|output| Parcel::pack(&self.plan, &self.outputs, output, input, &self.correlation))
            .collect();
        match (parcels.is_empty(), wanted) {
            (true, Some(route)) => {
                Outcome::Nothing(self.plan.routes[usize::from(route)].name.clone())
            }
            _ => Outcome::Deliver(parcels),
        }
    }
}

fn fails(poison: Poison) -> Outcome {
    Outcome::Fails(poison.reason.to_owned(), poison.message)
}
