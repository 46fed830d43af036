//! Arrays of records within arrays of records, mapped element by element.

use anyhow::anyhow;
use apache_avro::types::Value;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::{Fields, amount, decimal, maybe, record, unscaled, word, words};
use crate::job::{Job, Made};

pub static JOB: Job = Job {
    name: "nested",
    what: "lists of records in lists of records, element by element",
    topology: include_str!("nested/job.yaml"),
    schemas: [
        ("in", include_str!("nested/in.avsc")),
        ("out", include_str!("nested/out.avsc")),
    ],
    record: order,
    mapping,
};

fn order(random: &mut StdRng, index: usize) -> Json {
    let shipments: Vec<Json> = (0..random.random_range(1..4))
        .map(|n| shipment(random, n))
        .collect();
    json!({
        "id": index, "customer": { "name": words(random, 2), "address": address(random) }, "shipments": shipments,
        "labels": { "channel": "web", "campaign": word(random) },
    })
}

fn address(random: &mut StdRng) -> Json {
    json!({
        "street": format!("{} {} street", random.random_range(1..400), word(random)), "city": word(random),
        "zip": format!("{:05}", random.random_range(0..99_999)),
        "geo": maybe(random, 0.6, |random| json!({
            "lat": 47.0 + f64::from(random.random_range(0..1000)) / 512.0, "lon": 8.0 + f64::from(random.random_range(0..1000)) / 512.0,
        })),
    })
}

fn shipment(random: &mut StdRng, number: usize) -> Json {
    let line = |random: &mut StdRng| {
        let mut tags: Vec<&str> = (0..random.random_range(0..3))
            .map(|_| word(random))
            .collect();
        if random.random_bool(0.05) {
            tags.push("urgent");
        }
        json!({
            "sku": format!("sku-{:06}", random.random_range(0..999_999)), "title": words(random, 3), "quantity": random.random_range(1..50),
            "price": amount(random, 10_000, 2), "tags": tags, "note": maybe(random, 0.3, |random| words(random, 5).into()),
        })
    };
    let event = |random: &mut StdRng| {
        json!({
            "code": random.random_range(0..40), "at": 1_790_000_000_000i64 + random.random_range(0..1_000_000_000i64), "text": words(random, 2),
        })
    };
    let lines: Vec<Json> = (0..random.random_range(1..6))
        .map(|_| line(random))
        .collect();
    let events: Vec<Json> = (0..random.random_range(0..4))
        .map(|_| event(random))
        .collect();
    json!({
        "id": format!("s-{number}-{:05}", random.random_range(0..99_999)), "carrier": word(random),
        "weight": f64::from(random.random_range(1..400)) / 8.0, "address": address(random), "lines": lines, "events": events,
    })
}

fn mapping(event: Value) -> anyhow::Result<Option<Made>> {
    let mut event = Fields::of(event)?;
    let mut customer = Fields::of(event.take("customer")?)?;
    let mut home = Fields::of(customer.take("address")?)?;
    let (mut carriers, mut skus, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut addresses, mut heavy, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut urgent = false;
    for shipment in event.list("shipments")? {
        let Value::Record(fields) = &shipment else {
            return Err(anyhow!("a shipment is a record"));
        };
        let (mut own_skus, mut own_amounts) = (Vec::new(), Vec::new());
        let mut is_heavy = false;
        let mut name = std::collections::HashMap::new();
        for (field, value) in fields {
            match (field.as_str(), value) {
                ("id", id) => _ = name.insert("id".to_owned(), id.clone()),
                ("carrier", carrier @ Value::String(text)) => {
                    carriers.push(Value::String(text.to_ascii_uppercase()));
                    name.insert("carrier".to_owned(), carrier.clone());
                }
                ("weight", Value::Double(weight)) => is_heavy = *weight > 20.0,
                ("address", address) => addresses.push(address.clone()),
                ("lines", Value::Array(lines)) => {
                    for line in lines {
                        let Value::Record(line) = line else {
                            return Err(anyhow!("a line is a record"));
                        };
                        let (mut price, mut quantity) = (0, 0);
                        for (field, value) in line {
                            match (field.as_str(), value) {
                                ("sku", sku) => own_skus.push(sku.clone()),
                                ("price", value) => price = unscaled(value)?,
                                ("quantity", Value::Int(value)) => quantity = *value,
                                ("tags", Value::Array(tags)) => {
                                    let is_urgent = |tag: &Value| matches!(tag, Value::String(tag) if tag == "urgent");
                                    urgent |= tags.iter().any(is_urgent);
                                }
                                _ => {}
                            }
                        }
                        own_amounts.push(decimal(price * i128::from(quantity)));
                    }
                }
                _ => {}
            }
        }
        skus.push(Value::Array(own_skus));
        amounts.push(Value::Array(own_amounts));
        names.push(Value::Map(name));
        if is_heavy {
            heavy.push(shipment);
        }
    }
    Ok(Some(Made::Avro(record([
        ("id", event.take("id")?),
        ("city", home.take("city")?),
        ("carriers", Value::Array(carriers)),
        ("skus", Value::Array(skus)),
        ("amounts", Value::Array(amounts)),
        ("addresses", Value::Array(addresses)),
        ("heavy", Value::Array(heavy)),
        ("names", Value::Array(names)),
        ("urgent", Value::Boolean(urgent)),
        ("labels", event.take("labels")?),
    ]))))
}
