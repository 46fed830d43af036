//! The job and its corpus: shared by the benches of the road and of the codec.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use lockgate::codec::{frame, json};
use lockgate::pipeline::process::{Input, Outputs, Processor, Verdict};
use lockgate::schema::Schema;
use lockgate::topology::program::ValueProgram;
use lockgate::topology::{self, Plan};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

pub const TOPOLOGY: &str = include_str!("job.yaml");
pub const SCHEMA_IN: &str = include_str!("job-in.avsc");
pub const SCHEMA_OUT: &str = include_str!("job-out.avsc");
/// Ids that the in-process registry gives to the first and the second schema.
pub const ID_IN: u32 = 1;
pub const ID_OUT: u32 = 2;

/// Bytes of the Confluent frame.
pub const FRAME: usize = 5;

/// Different records; the input repeats them.
pub const CORPUS: usize = 1000;

const WORDS: &[&str] = &[
    "anvil", "birch", "copper", "delta", "ember", "façade", "granite", "harbour", "indigo",
    "jasper", "kiln", "lantern", "Münster", "north",
];
const COUNTRIES: &[&str] = &[
    "DE", "FR", "GB", "US", "CA", "BR", "JP", "IN", "ZA", "NZ", "SE", "PL",
];
const STATES: &[&str] = &["NEW", "PAID", "SHIPPED", "DELIVERED", "CANCELLED"];

/// Records of the job.
pub struct Corpus {
    pub keys: Vec<[u8; 8]>,
    pub values: Vec<Vec<u8>>,
}

impl Corpus {
    /// The same corpus every time. Given a `size`, every value has about as many bytes: as few as the schema lets the row have, or a
    /// longer description, which is part of the output, too.
    pub fn make(size: Option<usize>) -> Corpus {
        let schema = Schema::parse(SCHEMA_IN).expect("the job's schema");
        let mut random = StdRng::seed_from_u64(42);
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for index in 0..CORPUS {
            keys.push((1_000_000 + index as u64).to_be_bytes());
            let mut value = Vec::new();
            frame::write(ID_IN, &mut value);
            let mut event = envelope(&mut random, index as i64);
            let datum = |event: &Value| {
                json::from_json(&schema, event).expect("the corpus fits its schema")
            };
            if let Some(size) = size {
                strip(&mut event);
                let rest = size.saturating_sub(datum(&event).len());
                describe(&mut event, rest);
            }
            value.extend_from_slice(&datum(&event));
            values.push(value);
        }
        Corpus { keys, values }
    }

    /// Which record a key belongs to.
    pub fn index(&self, key: &[u8]) -> anyhow::Result<usize> {
        let key: [u8; 8] = key.try_into().context("a key of 8 bytes")?;
        usize::try_from(u64::from_be_bytes(key) - 1_000_000).context("a key of the corpus")
    }

    /// What the job makes of each record; `None` where it keeps none.
    pub fn outputs(&self) -> anyhow::Result<Vec<Option<Vec<u8>>>> {
        let (plan, program) = plan()?;
        let mut processor = Processor::new(plan, vec![ID_OUT]);
        let mut outputs = Outputs::default();
        let mut made = Vec::new();
        for (key, value) in self.keys.iter().zip(&self.values) {
            outputs.clear();
            let (key, value) = (Some(key.as_slice()), Some(value.as_slice()));
            let input = Input {
                source: 0,
                partition: 0,
                offset: 0,
                timestamp_ms: None,
                key,
                value,
                headers: &[],
            };
            made.push(
                match processor.process(None, Some(&program), &input, &mut outputs) {
                    Verdict::Deliver => outputs
                        .part(outputs.list[0].value, value)
                        .map(<[u8]>::to_vec),
                    Verdict::Filtered(_) => None,
                    Verdict::Poison(poison) => {
                        anyhow::bail!("the job refuses its corpus: {poison:?}")
                    }
                },
            );
        }
        Ok(made)
    }
}

/// The plan of the job, and its program for the writer's schema.
pub fn plan() -> anyhow::Result<(Arc<Plan>, ValueProgram)> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("job.yaml"), TOPOLOGY)?;
    std::fs::create_dir(folder.path().join("avro"))?;
    std::fs::write(folder.path().join("avro/job-in.avsc"), SCHEMA_IN)?;
    std::fs::write(folder.path().join("avro/job-out.avsc"), SCHEMA_OUT)?;
    let plans = topology::load(&[folder.path().join("job.yaml")], None, &Default::default())
        .map_err(|faults| anyhow::anyhow!("{}", faults.render(false)))?;
    let plan = plans[0].clone();
    let writer = Schema::parse(SCHEMA_IN).map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let program = plan
        .compile_value(0, ID_IN, &writer)
        .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    Ok((plan, program))
}

fn words(random: &mut StdRng, count: usize) -> String {
    let word = |_| *WORDS.choose(random).expect("there are words");
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

fn maybe(random: &mut StdRng, chance: f64, value: impl FnOnce(&mut StdRng) -> Value) -> Value {
    if random.random_bool(chance) {
        value(random)
    } else {
        Value::Null
    }
}

fn amount(random: &mut StdRng, cents_max: u32) -> String {
    let cents = random.random_range(9..cents_max);
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn row(random: &mut StdRng, id: i64) -> Value {
    let tags: Vec<&str> = (0..random.random_range(0..6))
        .map(|_| *WORDS.choose(random).expect("words"))
        .collect();
    let attributes: BTreeMap<String, String> = (0..random.random_range(0..5))
        .map(|n| (format!("attr_{n}"), words(random, 1)))
        .collect();
    json!({
        "id": 1_000_000 + id, "customer_id": random.random_range(1..5_000_000), "quantity": random.random_range(1..200),
        "sku": format!("sku-{:06}-{}", random.random_range(0..999_999), words(random, 1)), "name": words(random, 3),
        "description": maybe(random, 0.8, |random| { let count = random.random_range(10..20); words(random, count).into() }),
        "email": maybe(random, 0.7, |random| format!("user{}@example.com", random.random_range(0..1_000_000)).into()),
        "active": random.random_bool(0.9), "weight": f64::from(random.random_range(1..40_000)) / 8.0,
        "discount": maybe(random, 0.3, |_| 0.125.into()), "price": amount(random, 9_999_999), "tax": amount(random, 999_999),
        "created_at": 1_700_000_000_000_000i64 + random.random_range(0..90_000_000_000_000i64),
        "updated_at": maybe(random, 0.6, |random| (1_790_000_000_000_000i64 + random.random_range(0..1_000_000_000_000i64)).into()),
        "status": STATES.choose(random).expect("states"), "tags": tags, "attributes": attributes,
        "address": {
            "street": format!("{} {} street", random.random_range(1..400), words(random, 1)), "city": words(random, 1),
            "zip": format!("{:05}", random.random_range(0..99_999)), "lat": 47.0 + f64::from(random.random_range(0..1000)) / 512.0,
            "lon": 8.0 + f64::from(random.random_range(0..1000)) / 512.0,
        },
        "notes": maybe(random, 0.5, |random| words(random, 8).into()), "version": random.random_range(1..50),
        "country_code": COUNTRIES.choose(random).expect("countries"),
    })
}

/// Leaves out of the rows what may be left out.
fn strip(event: &mut Value) {
    for side in ["before", "after"] {
        if let Some(row) = event[side].as_object_mut() {
            for name in ["description", "email", "notes", "discount", "updated_at"] {
                row.insert(name.into(), Value::Null);
            }
            row.insert("name".into(), "".into());
            row.insert("tags".into(), json!([]));
            row.insert("attributes".into(), json!({}));
        }
    }
}

/// Gives the row a description of so many bytes.
fn describe(event: &mut Value, length: usize) {
    let side = if event["after"].is_null() {
        "before"
    } else {
        "after"
    };
    if length > 0 {
        let text = "anvil birch copper delta ember "
            .chars()
            .cycle()
            .take(length);
        event[side]["description"] = text.collect::<String>().into();
    }
}

pub fn envelope(random: &mut StdRng, id: i64) -> Value {
    let (before, after, op) = match random.random_range(0..100) {
        0..46 => (Value::Null, row(random, id), "c"),
        46..92 => (Value::Null, row(random, id), "u"),
        _ => (row(random, id), Value::Null, "d"),
    };
    let ts_ms = 1_790_000_000_000i64 + id;
    json!({
        "before": before, "after": after,
        "source": {
            "version": "3.3.1.Final", "connector": "postgresql", "name": "shop", "ts_ms": ts_ms, "snapshot": "false", "db": "shopdb",
            "sequence": format!("[\"{}\",\"{}\"]", 24_023_128 + id, 24_023_128 + id), "schema": "public", "table": "orders",
            "txId": 5000 + id, "lsn": 24_023_128 + id, "xmin": null,
        },
        "transaction": null, "op": op, "ts_ms": ts_ms + 12,
    })
}
