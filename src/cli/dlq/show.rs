//! `lockgate dlq show`.

use std::io::Write;

use serde_json::json;

use super::letter::{Entry, Letter, PREFIX};
use crate::cli::decode::{self, Decoder};
use crate::cli::signals::Stop;
use crate::cli::tail::From;
use crate::cli::topic::Topic;
use crate::cli::{Exit, UsageError, stdout};
use crate::config::Config;
use crate::kafka::RawRecord;

/// The words of `lockgate dlq show`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate dlq show --topic orders.dlq 0:17\n  lockgate dlq show --topic orders.dlq 0:17 2:3 --json"
)]
pub struct Args {
    /// The dead letter topic.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// Kafka connection of the configuration.
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub connection: String,
    /// Which dead letters; `dlq list` names one of each cause.
    #[arg(required = true, value_name = "PARTITION:OFFSET", value_parser = position)]
    pub at: Vec<(i32, i64)>,
    /// One JSON object per dead letter.
    #[arg(long)]
    pub json: bool,
}

/// Reads `PARTITION:OFFSET`.
pub fn position(text: &str) -> Result<(i32, i64), String> {
    match From::parse(text) {
        Ok(From::At(partition, offset)) => Ok((partition, offset)),
        _ => Err("write PARTITION:OFFSET, such as 0:17".into()),
    }
}

/// Runs the command.
pub fn run(
    args: &Args,
    config: &Config,
    runtime: &tokio::runtime::Handle,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    let decoder = Decoder::new(&config.registry, runtime)?;
    let mut topic = Topic::open(config, &args.connection, &args.topic)?;
    let mut out = stdout();
    for &(partition, offset) in &args.at {
        let from = From::At(partition, offset).positions(&topic)?;
        let mut is_there = false;
        let ended = topic.read(&from, true, stop, |record| {
            is_there = record.offset() == offset;
            if is_there {
                let entry = Entry::of(record);
                match args.json {
                    true => writeln!(out, "{}", object(record, &entry, &decoder))?,
                    false => show(&mut out, record, &entry, &decoder)?,
                }
            }
            Ok(false)
        })?;
        if !ended {
            return Ok(Exit::Done);
        }
        if !is_there {
            anyhow::bail!(UsageError(format!(
                "there is no record at {partition}:{offset} of {}",
                args.topic
            )));
        }
    }
    Ok(Exit::Done)
}

fn show(
    out: &mut impl Write,
    record: &RawRecord,
    entry: &Entry,
    decoder: &Decoder,
) -> std::io::Result<()> {
    let (partition, offset) = (record.partition(), record.offset());
    match entry {
        Entry::Marker(of) => writeln!(
            out,
            "{partition}:{offset} is a marker: {partition}:{of} was redriven"
        )?,
        Entry::Foreign => writeln!(out, "{partition}:{offset} was not written by lockgate")?,
        Entry::Letter(letter) => cause(out, letter)?,
    }
    let headers = record.headers();
    let (ours, theirs): (Vec<_>, Vec<_>) = headers.partition(|(name, _)| name.starts_with(PREFIX));
    for (title, headers) in [("Original headers", theirs), ("Our headers", ours)] {
        if !headers.is_empty() {
            writeln!(out, "\n{title}:")?;
        }
        for (name, value) in headers {
            let value = value.map_or("null".into(), |value| decode::line(&decode::raw(value)));
            writeln!(out, "  {} = {value}", decode::line(&decode::raw(name)))?;
        }
    }
    writeln!(out, "\nKey:   {}", decode::line(&decoder.key(record)))?;
    writeln!(out, "Value: {}\n", decode::line(&decoder.value(record)))
}

fn cause(out: &mut impl Write, letter: &Letter) -> std::io::Result<()> {
    writeln!(
        out,
        "{}:{}  {} ({})",
        letter.partition, letter.offset, letter.reason, letter.class
    )?;
    writeln!(out, "  {}", letter.message)?;
    let place = match (&letter.route, &letter.step) {
        (Some(route), _) => format!("route {route}"),
        (None, Some(step)) => format!("step {step}"),
        (None, None) => "before any step".into(),
    };
    writeln!(
        out,
        "  topology {} ({}), {place}",
        letter.topology, letter.version
    )?;
    if let Some((topic, partition, offset)) = &letter.source {
        let time = letter.timestamp_ms.map_or(String::new(), |ms| {
            format!(", written {}", decode::time(ms))
        });
        writeln!(out, "  from {topic}/{partition}/{offset}{time}")?;
    }
    writeln!(out, "  dead-lettered {}", letter.time)?;
    if letter.is_stub {
        writeln!(
            out,
            "  a stub: the original did not fit; read it at its source"
        )?;
    }
    Ok(())
}

fn object(record: &RawRecord, entry: &Entry, decoder: &Decoder) -> serde_json::Value {
    let headers: Vec<_> = record
        .headers()
        .map(|(name, value)| json!([decode::raw(name), value.map(decode::raw)]))
        .collect();
    let cause = match entry {
        Entry::Letter(letter) => json!({
            "topology": letter.topology,
            "version": letter.version,
            "class": letter.class,
            "reason": letter.reason,
            "route": letter.route,
            "step": letter.step,
            "message": letter.message,
            "source": letter.source.as_ref().map(|(topic, partition, offset)| format!("{topic}/{partition}/{offset}")),
            "timestamp": letter.timestamp_ms.map(decode::time),
            "time": letter.time,
            "stub": letter.is_stub,
        }),
        Entry::Marker(of) => json!({ "redriven": of }),
        Entry::Foreign => json!(null),
    };
    json!({
        "partition": record.partition(),
        "offset": record.offset(),
        "cause": cause,
        "headers": headers,
        "key": decoder.key(record),
        "value": decoder.value(record),
    })
}
