//! The usual hand-written consumer of the same job: `StreamConsumer`, `apache-avro`'s `Value`, `FutureProducer`; the same group, header,
//! acks and commits after delivery.

#![expect(
    clippy::disallowed_types,
    reason = "this is what the road is compared with"
)]

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{CommitMode, Consumer, DefaultConsumerContext, StreamConsumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::AsyncRuntime;

use crate::corpus::{self, FRAME};

/// What the crate's feature `tokio` would be, without building the crate a second time for it.
struct Tokio;

impl AsyncRuntime for Tokio {
    type Delay = tokio::time::Sleep;

    fn spawn<T: Future<Output = ()> + Send + 'static>(task: T) {
        tokio::spawn(task);
    }

    fn delay_for(duration: Duration) -> Self::Delay {
        tokio::time::sleep(duration)
    }
}

type Input = StreamConsumer<DefaultConsumerContext, Tokio>;
type Output = FutureProducer<DefaultClientContext, Tokio>;

/// Deliveries under way at most.
const IN_FLIGHT: usize = 10_000;

/// Reads `records` records and writes what the job keeps of them.
pub fn run(
    brokers: &str,
    input: &str,
    output: &str,
    records: u64,
    compression: &str,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(work(brokers, input, output, records, compression))
}

async fn work(
    brokers: &str,
    input: &str,
    output: &str,
    records: u64,
    compression: &str,
) -> anyhow::Result<()> {
    let (schema_in, schema_out) = (
        Schema::parse_str(corpus::SCHEMA_IN)?,
        Schema::parse_str(corpus::SCHEMA_OUT)?,
    );
    let reader = GenericDatumReader::builder(&schema_in).build()?;
    let writer = GenericDatumWriter::builder(&schema_out).build()?;
    let consumer: Input = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", output)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", "1000")
        .create()?;
    consumer.subscribe(&[input])?;
    let producer: Output = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("partitioner", "murmur2_random")
        .set("compression.type", compression)
        .create()?;
    let mut under_way: VecDeque<(i32, i64, Option<DeliveryFuture>)> = VecDeque::new();
    for _ in 0..records {
        let message = consumer.recv().await?;
        let (partition, offset) = (message.partition(), message.offset());
        let sent = match job(&reader, &writer, message.payload().context("a value")?)? {
            None => None,
            Some(value) => {
                let source = format!("{input}/{partition}/{offset}");
                let header = Header {
                    key: "lockgate.source",
                    value: Some(&source),
                };
                let mut record = FutureRecord::to(output)
                    .key(message.key().unwrap_or_default())
                    .payload(&value)
                    .headers(OwnedHeaders::new().insert(header));
                record.timestamp = message.timestamp().to_millis();
                loop {
                    match producer.send_result(record) {
                        Ok(sent) => break Some(sent),
                        Err((error, back))
                            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                        {
                            record = back;
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                        Err((error, _)) => return Err(error.into()),
                    }
                }
            }
        };
        under_way.push_back((partition, offset, sent));
        if under_way.len() >= IN_FLIGHT {
            for _ in 0..IN_FLIGHT / 2 {
                settle(&consumer, input, under_way.pop_front()).await?;
            }
        }
    }
    while let Some(oldest) = under_way.pop_front() {
        settle(&consumer, input, Some(oldest)).await?;
    }
    consumer.commit_consumer_state(CommitMode::Sync)?;
    Ok(())
}

/// Waits for the oldest delivery; its record may be committed then.
async fn settle(
    consumer: &Input,
    input: &str,
    oldest: Option<(i32, i64, Option<DeliveryFuture>)>,
) -> anyhow::Result<()> {
    let Some((partition, offset, sent)) = oldest else {
        return Ok(());
    };
    if let Some(sent) = sent {
        sent.await?.map_err(|(error, _)| error)?;
    }
    Ok(consumer.store_offset(input, partition, offset)?)
}

/// Decodes, maps and encodes; `None` for what is not kept.
fn job(
    reader: &GenericDatumReader<'_>,
    writer: &GenericDatumWriter<'_>,
    payload: &[u8],
) -> anyhow::Result<Option<Vec<u8>>> {
    ensure!(payload.len() > FRAME && payload[0] == 0, "no frame");
    let mut envelope = fields(reader.read_value(&mut &payload[FRAME..])?)?;
    let Some(Value::String(op)) = envelope.get("op") else {
        return Err(anyhow!("op"));
    };
    if op != "c" && op != "u" {
        return Ok(None);
    }
    let mut after = fields(take(&mut envelope, "after")?)?;
    let mut source = fields(take(&mut envelope, "source")?)?;
    let mut address = fields(take(&mut after, "address")?)?;
    let (Value::Double(weight), Value::Int(quantity)) =
        (take(&mut after, "weight")?, take(&mut after, "quantity")?)
    else {
        return Err(anyhow!("weight and quantity"));
    };
    let Value::TimestampMicros(created) = take(&mut after, "created_at")? else {
        return Err(anyhow!("created_at"));
    };
    let (Value::String(sku), Value::String(country)) =
        (take(&mut after, "sku")?, take(&mut after, "country_code")?)
    else {
        return Err(anyhow!("sku and country_code"));
    };
    let region = match country.as_str() {
        "DE" | "FR" | "GB" | "ES" | "IT" | "PL" => "emea",
        "SE" | "NO" | "DK" | "FI" => "nordics",
        "US" | "CA" => "amer",
        "MX" | "BR" | "AR" | "CL" => "latam",
        "JP" | "CN" | "IN" | "AU" => "apac",
        _ => "other",
    };
    let created = jiff::Timestamp::from_microsecond(created)?.to_string();
    let record = Value::Record(
        [
            ("order_id", take(&mut after, "id")?),
            ("customer", take(&mut after, "customer_id")?),
            ("sku", Value::String(sku.to_ascii_uppercase())),
            ("title", take(&mut after, "name")?),
            ("total_weight", Value::Double(weight * f64::from(quantity))),
            ("price", take(&mut after, "price")?),
            ("created", Value::String(created)),
            ("status", take(&mut after, "status")?),
            ("region", Value::String(region.to_owned())),
            ("tags", take(&mut after, "tags")?),
            ("attributes", take(&mut after, "attributes")?),
            ("city", take(&mut address, "city")?),
            ("description", take(&mut after, "description")?),
            ("lsn", take(&mut source, "lsn")?),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    );
    let mut framed = payload[..1].to_vec();
    framed.extend_from_slice(&corpus::ID_OUT.to_be_bytes());
    framed.extend(writer.write_value_to_vec(record)?);
    Ok(Some(framed))
}

fn fields(value: Value) -> anyhow::Result<HashMap<String, Value>> {
    match value {
        Value::Record(fields) => Ok(fields.into_iter().collect()),
        Value::Union(_, inner) => fields(*inner),
        other => Err(anyhow!("a record, not {other:?}")),
    }
}

fn take(fields: &mut HashMap<String, Value>, name: &str) -> anyhow::Result<Value> {
    fields
        .remove(name)
        .with_context(|| format!("the field {name}"))
}
