//! The jobs: J, and five that are not J, chosen before anything was tuned for them.

mod j;
mod json;
mod money;
mod nested;
mod text;
mod wide;

use anyhow::{Context, anyhow};
use apache_avro::types::Value;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::job::Job;

/// All of them, J first.
pub static ALL: [&Job; 6] = [
    &j::JOB,
    &wide::JOB,
    &nested::JOB,
    &text::JOB,
    &money::JOB,
    &json::JOB,
];

/// The fields of a record, taken one by one.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(value: Value) -> anyhow::Result<Fields> {
        match value {
            Value::Record(fields) => Ok(Fields(fields)),
            Value::Union(_, inner) => Fields::of(*inner),
            other => Err(anyhow!("a record, not {other:?}")),
        }
    }

    fn take(&mut self, name: &str) -> anyhow::Result<Value> {
        let field = self.0.iter_mut().find(|(field, _)| field == name);
        let (_, value) = field.with_context(|| format!("the field {name}"))?;
        Ok(std::mem::replace(value, Value::Null))
    }

    fn text(&mut self, name: &str) -> anyhow::Result<String> {
        match self.take(name)? {
            Value::String(text) => Ok(text),
            other => Err(anyhow!("{name} is text, not {other:?}")),
        }
    }

    fn list(&mut self, name: &str) -> anyhow::Result<Vec<Value>> {
        match self.take(name)? {
            Value::Array(items) => Ok(items),
            other => Err(anyhow!("{name} is a list, not {other:?}")),
        }
    }
}

/// A record of an output.
fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

/// The digits of a decimal.
pub fn unscaled(value: &Value) -> anyhow::Result<i128> {
    let Value::Decimal(decimal) = value else {
        return Err(anyhow!("a decimal, not {value:?}"));
    };
    let bytes = <Vec<u8>>::try_from(decimal)?;
    let (first, rest) = bytes.split_first().context("digits")?;
    Ok(rest.iter().fold(i128::from(*first as i8), |number, byte| {
        number << 8 | i128::from(*byte)
    }))
}

/// A decimal of these digits, in as few bytes as there can be.
pub fn decimal(unscaled: i128) -> Value {
    let bytes = unscaled.to_be_bytes();
    let sign = if unscaled < 0 { 0xff } else { 0 };
    let is_filler = |at: &usize| bytes[*at] == sign && (bytes[*at + 1] ^ sign) < 0x80;
    let start = (0..15).take_while(is_filler).count();
    Value::Decimal(apache_avro::Decimal::from(&bytes[start..]))
}

const WORDS: &[&str] = &[
    "anvil", "birch", "copper", "delta", "ember", "façade", "granite", "harbour", "indigo",
    "jasper", "kiln", "lantern", "Münster", "north",
];

fn one<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.choose(random).expect("there are some")
}

fn word(random: &mut StdRng) -> &'static str {
    one(random, WORDS)
}

fn words(random: &mut StdRng, count: usize) -> String {
    let all: Vec<&str> = (0..count).map(|_| word(random)).collect();
    all.join(" ")
}

fn maybe(
    random: &mut StdRng,
    chance: f64,
    value: impl FnOnce(&mut StdRng) -> serde_json::Value,
) -> serde_json::Value {
    if random.random_bool(chance) {
        value(random)
    } else {
        serde_json::Value::Null
    }
}

/// An amount below `below` units, with so many digits after the point.
fn amount(random: &mut StdRng, below: u32, scale: usize) -> String {
    let fraction = random.random_range(0..10u32.pow(scale as u32));
    format!("{}.{fraction:0scale$}", random.random_range(0..below))
}
