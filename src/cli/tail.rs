//! `lockgate tail`: a topic as JSON.

use std::io::Write;

use serde_json::{Value, json};

use super::decode::{self, Decoder};
use super::topic::Topic;
use super::{Exit, Global, UsageError, number, runtime, signals, stdout};
use crate::core::Tp;
use crate::kafka::{Position, RawRecord};

/// The words of `lockgate tail`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate tail --topic orders.big --from earliest --count 10\n  lockgate tail --topic orders.big --from -1h --json\n  lockgate tail --topic orders.big --from 3:1200 --count 1"
)]
pub struct Args {
    /// Topic to read.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// Kafka connection of the configuration.
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub connection: String,
    /// Where to begin: earliest, latest, -1h (also s, m, d), an RFC 3339 time, or PARTITION:OFFSET (that partition only).
    #[arg(
        long,
        default_value = "latest",
        allow_hyphen_values = true,
        value_name = "WHERE",
        value_parser = From::parse
    )]
    pub from: From,
    /// End after so many records.
    #[arg(long, value_name = "N", value_parser = number::whole::<u64>)]
    pub count: Option<u64>,
    /// One JSON object per record, with its position, key and headers.
    #[arg(long)]
    pub json: bool,
}

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the oldest records.
    Earliest,
    /// At the end.
    Latest,
    /// So many milliseconds ago.
    Ago(i64),
    /// At a time, in milliseconds since 1970-01-01 UTC.
    Time(i64),
    /// At an offset of one partition.
    At(i32, i64),
}

impl From {
    /// Reads the notation of `--from`.
    pub fn parse(text: &str) -> Result<From, String> {
        match text {
            "earliest" => return Ok(From::Earliest),
            "latest" => return Ok(From::Latest),
            _ => {}
        }
        if let Some(ago) = text.strip_prefix('-')
            && let Some(ms) = duration_ms(ago)
        {
            return Ok(From::Ago(ms));
        }
        if let Some((partition, offset)) = text.split_once(':')
            && let (Ok(partition), Ok(offset)) = (partition.parse::<i32>(), offset.parse::<i64>())
            && partition >= 0
            && offset >= 0
        {
            return Ok(From::At(partition, offset));
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(From::Time(time.as_millisecond()));
        }
        Err(
            "write earliest, latest, -30s, -5m, -1h, -2d, 2026-01-31T12:00:00Z or PARTITION:OFFSET"
                .into(),
        )
    }

    /// The positions to start at.
    pub fn positions(self, topic: &Topic) -> anyhow::Result<Vec<Position>> {
        match self {
            From::Time(ms) => topic.at_time(ms),
            From::Ago(ms) => {
                topic.at_time(jiff::Timestamp::now().as_millisecond().saturating_sub(ms))
            }
            From::At(partition, offset) => {
                let ends = topic.ends()?;
                let Some(end) = ends.get(partition as usize) else {
                    let count = ends.len();
                    anyhow::bail!(UsageError(format!(
                        "--from {partition}:{offset}: the topic has {count} partitions, 0 to {}",
                        count - 1
                    )));
                };
                if !(end.low..=end.high).contains(&offset) {
                    let held = match end.low == end.high {
                        true => format!("is empty; its next offset is {}", end.high),
                        false => format!(
                            "holds the offsets {} to {}; the next one is {}",
                            end.low,
                            end.high - 1,
                            end.high
                        ),
                    };
                    anyhow::bail!(UsageError(format!(
                        "--from {partition}:{offset}: partition {partition} {held}"
                    )));
                }
                let partition = Tp {
                    topic: 0,
                    partition,
                };
                Ok(vec![Position { partition, offset }])
            }
            From::Earliest | From::Latest => Ok(topic
                .partitions()
                .zip(topic.ends()?)
                .map(|(partition, ends)| {
                    let offset = match self {
                        From::Earliest => ends.low,
                        _ => ends.high,
                    };
                    Position { partition, offset }
                })
                .collect()),
        }
    }
}

fn duration_ms(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let number: i64 = text
        .strip_suffix(unit)?
        .parse()
        .ok()
        .filter(|number| *number >= 0)?;
    let ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    number.checked_mul(ms)
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let runtime = runtime()?;
    let decoder = Decoder::new(&config.registry, runtime.handle())?;
    let mut topic = Topic::open(&config, &args.connection, &args.topic)?;
    let from = args.from.positions(&topic)?;
    // Until here a signal ends the process: a cluster that does not answer is waited for, and nothing was begun.
    let stop = runtime.block_on(async { signals::listen() })?;
    let mut left = args.count.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(Exit::Done);
    }
    let mut out = stdout();
    topic.read(&from, false, &stop, |record| {
        if args.json {
            writeln!(out, "{}", object(record, &args.topic, &decoder))?;
        } else {
            let key = decoder.key(record);
            let value = decoder.value(record);
            let time = record.timestamp_ms().map_or("-".into(), decode::time);
            let (partition, offset) = (record.partition(), record.offset());
            let (key, value) = (decode::line(&key), decode::line(&value));
            writeln!(out, "{partition}:{offset}  {time}  {key}  {value}")?;
        }
        out.flush()?;
        left -= 1;
        Ok(left > 0 && !out.is_closed())
    })?;
    Ok(Exit::Done)
}

/// A record with its position, key, value and headers. Headers are pairs: a name may repeat.
fn object(record: &RawRecord, topic: &str, decoder: &Decoder) -> Value {
    let headers: Vec<Value> = record
        .headers()
        .map(|(name, value)| json!([decode::raw(name), value.map(decode::raw)]))
        .collect();
    json!({
        "topic": topic,
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": record.timestamp_ms().map(decode::time),
        "key": decoder.key(record),
        "value": decoder.value(record),
        "headers": headers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_reads_the_notations_of_the_contract() {
        for (text, from) in [
            ("earliest", From::Earliest),
            ("latest", From::Latest),
            ("-1h", From::Ago(3_600_000)),
            ("-90s", From::Ago(90_000)),
            ("3:1200", From::At(3, 1200)),
            ("1970-01-01T00:00:01Z", From::Time(1_000)),
            ("1970-01-01T01:00:01+01:00", From::Time(1_000)),
        ] {
            assert_eq!(From::parse(text), Ok(from), "{text}");
        }
        for text in [
            "",
            "-",
            "-1y",
            "--1h",
            "-99999999999999999999h",
            "-9223372036854775807d",
            "yesterday",
            "-1:5",
            "1:-5",
            "1:",
            "12:30",
            "2026-01-31",
        ] {
            let parsed = From::parse(text);
            // A partition and an offset look like a time of day; the contract gives them to partitions.
            match text {
                "12:30" => assert_eq!(parsed, Ok(From::At(12, 30))),
                _ => assert!(parsed.is_err(), "{text}: {parsed:?}"),
            }
        }
    }
}
