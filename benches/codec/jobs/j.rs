//! Job J: Debezium's envelope in, an order event out. The job of the whole road, `benches/road`.

use anyhow::anyhow;
use apache_avro::types::Value;

use super::{Fields, record};
use crate::corpus;
use crate::job::{Job, Made};

pub static JOB: Job = Job {
    name: "J",
    what: "Debezium's envelope in, an order event out",
    topology: corpus::TOPOLOGY,
    schemas: [
        ("job-in", corpus::SCHEMA_IN),
        ("job-out", corpus::SCHEMA_OUT),
    ],
    record: |random, index| corpus::envelope(random, index as i64),
    mapping,
};

fn mapping(event: Value) -> anyhow::Result<Option<Made>> {
    let mut event = Fields::of(event)?;
    if !matches!(event.text("op")?.as_str(), "c" | "u") {
        return Ok(None);
    }
    let mut after = Fields::of(event.take("after")?)?;
    let mut source = Fields::of(event.take("source")?)?;
    let mut address = Fields::of(after.take("address")?)?;
    let (Value::Double(weight), Value::Int(quantity)) =
        (after.take("weight")?, after.take("quantity")?)
    else {
        return Err(anyhow!("weight and quantity"));
    };
    let Value::TimestampMicros(created) = after.take("created_at")? else {
        return Err(anyhow!("created_at"));
    };
    let created = jiff::Timestamp::from_microsecond(created)?.to_string();
    let region = match after.text("country_code")?.as_str() {
        "DE" | "FR" | "GB" | "ES" | "IT" | "PL" => "emea",
        "SE" | "NO" | "DK" | "FI" => "nordics",
        "US" | "CA" => "amer",
        "MX" | "BR" | "AR" | "CL" => "latam",
        "JP" | "CN" | "IN" | "AU" => "apac",
        _ => "other",
    };
    Ok(Some(Made::Avro(record([
        ("order_id", after.take("id")?),
        ("customer", after.take("customer_id")?),
        (
            "sku",
            Value::String(after.text("sku")?.to_ascii_uppercase()),
        ),
        ("title", after.take("name")?),
        ("total_weight", Value::Double(weight * f64::from(quantity))),
        ("price", after.take("price")?),
        ("created", Value::String(created)),
        ("status", after.take("status")?),
        ("region", Value::String(region.to_owned())),
        ("tags", after.take("tags")?),
        ("attributes", after.take("attributes")?),
        ("city", address.take("city")?),
        ("description", after.take("description")?),
        ("lsn", source.take("lsn")?),
    ]))))
}
