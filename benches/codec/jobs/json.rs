//! A document with a list of records, a map, and all that JSON has no one form for, written as JSON.

use anyhow::{Context, anyhow};
use apache_avro::types::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value as Json, json};

use super::{amount, maybe, unscaled, word, words};
use crate::job::{Job, Made};

pub static JOB: Job = Job {
    name: "json",
    what: "JSON out",
    topology: include_str!("json/job.yaml"),
    schemas: [
        ("in", include_str!("json/in.avsc")),
        ("out", include_str!("json/out.avsc")),
    ],
    record: account,
    mapping,
};

const ACTIONS: &[&str] = &["OPENED", "PAID", "REFUNDED", "CLOSED"];

fn account(random: &mut StdRng, index: usize) -> Json {
    let change = |random: &mut StdRng| {
        json!({
            "at": 1_780_000_000_000i64 + random.random_range(0..1_000_000_000i64),
            "action": ACTIONS.choose(random),
            "amount": amount(random, 10_000, 2), "note": maybe(random, 0.4, |random| format!("\"{}\"\n{}", word(random), words(random, 4)).into()),
        })
    };
    let history: Vec<Json> = (0..random.random_range(0..5))
        .map(|_| change(random))
        .collect();
    let tags: Vec<&str> = (0..random.random_range(0..5))
        .map(|_| word(random))
        .collect();
    let attributes: Map<String, Json> = (0..random.random_range(0..4))
        .map(|n| (format!("attr_{n}"), word(random).into()))
        .collect();
    let token: [u8; 16] = random.random();
    json!({
        "id": 9_000_000 + index, "name": words(random, 2), "email": maybe(random, 0.7, |random| format!("user{}@example.com", random.random_range(0..9_999)).into()),
        "balance": amount(random, 100_000, 2), "created": 1_700_000_000_000i64 + random.random_range(0..90_000_000_000i64),
        "born": random.random_range(0..15_000), "active": random.random_bool(0.9), "score": f64::from(random.random_range(1..8_000)) / 8.0,
        "tags": tags, "attributes": attributes,
        "address": {
            "street": format!("{} {} street", random.random_range(1..400), word(random)), "city": word(random),
            "zip": format!("{:05}", random.random_range(0..99_999)), "lat": 47.5 + f64::from(random.random_range(0..64)) / 64.0,
            "lon": 8.5 + f64::from(random.random_range(0..64)) / 64.0,
        },
        "history": history, "token": STANDARD.encode(token),
    })
}

fn mapping(event: Value) -> anyhow::Result<Option<Made>> {
    let Json::Object(event) = written(event)? else {
        return Err(anyhow!("a record"));
    };
    let city = event.get("address").and_then(|address| address.get("city"));
    let city = city.and_then(Json::as_str).context("a city")?;
    let label = format!("{city} {}", event.get("id").context("an id")?);
    let mut document = Map::with_capacity(event.len() + 1);
    for (name, value) in event {
        let is_id = name == "id";
        document.insert(name, value);
        if is_id {
            document.insert("label".to_owned(), label.clone().into());
        }
    }
    Ok(Some(Made::Json(document.into())))
}

/// A value as the job writes it: decimals as numbers, times as ISO 8601, nulls of records left out, bytes in base64.
fn written(value: Value) -> anyhow::Result<Json> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Long(value) => value.into(),
        Value::Double(value) => value.into(),
        Value::String(text) | Value::Enum(_, text) => text.into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::Union(_, inner) => written(*inner)?,
        Value::Array(items) => items
            .into_iter()
            .map(written)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Value::Map(entries) => {
            let entry = |(key, value)| Ok((key, written(value)?));
            let entries: anyhow::Result<Map<String, Json>> =
                entries.into_iter().map(entry).collect();
            entries?.into()
        }
        Value::Record(fields) => {
            let mut record = Map::with_capacity(fields.len());
            for (name, value) in fields {
                let value = written(value)?;
                if !value.is_null() {
                    record.insert(name, value);
                }
            }
            record.into()
        }
        Value::Date(days) => {
            let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(days))?;
            date.to_string().into()
        }
        Value::TimestampMillis(millis) => {
            let digits = if millis % 1_000 == 0 { 0 } else { 3 };
            format!("{:.digits$}", Timestamp::from_millisecond(millis)?).into()
        }
        decimal @ Value::Decimal(_) => {
            let cents = unscaled(&decimal)?;
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            Json::Number(text.parse()?)
        }
        other => return Err(anyhow!("a value of the schema, not {other:?}")),
    })
}
