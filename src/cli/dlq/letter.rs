//! What a record of a dead letter topic is: a dead letter, a marker that one was redriven, or something foreign.

use std::collections::HashSet;

use crate::cli::decode;
use crate::kafka::RawRecord;
use crate::sink::dead_letter;

/// What all our headers of dead letters begin with.
pub const PREFIX: &[u8] = dead_letter::PREFIX.as_bytes();
/// The header of a marker: the offset of the dead letter that was redriven, in the marker's own partition.
pub const REDRIVEN: &[u8] = b"lockgate.dlq.redriven";

/// Dead letters by partition and offset in their topic.
pub type Positions = HashSet<(i32, i64)>;

/// A record of a dead letter topic.
pub enum Entry {
    /// A dead letter.
    Letter(Box<Letter>),
    /// Says that the dead letter at this offset of the same partition was redriven.
    Marker(i64),
    /// Not ours.
    Foreign,
}

/// Why a record is here and where it came from, as its headers say. Texts are for people: control characters are escaped.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// Partition in the dead letter topic.
    pub partition: i32,
    /// Offset in the dead letter topic.
    pub offset: i64,
    /// The topology's id.
    pub topology: String,
    /// Version of the topology that judged.
    pub version: String,
    /// Error class.
    pub class: String,
    /// Reason code.
    pub reason: String,
    /// The step that failed.
    pub step: Option<String>,
    /// The route that failed; `None`: before routing.
    pub route: Option<String>,
    /// What is wrong, in words.
    pub message: String,
    /// Position of the original record.
    pub source: Option<(String, i32, i64)>,
    /// The original record's timestamp in milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: Option<i64>,
    /// When it was dead-lettered, RFC 3339.
    pub time: String,
    /// The payload did not fit and was replaced.
    pub is_stub: bool,
}

impl Entry {
    /// Reads the headers of a record.
    pub fn of(record: &RawRecord) -> Entry {
        let mut letter = Letter {
            partition: record.partition(),
            offset: record.offset(),
            ..Letter::default()
        };
        let (mut topic, mut partition, mut offset) = (None, None, None);
        for (name, value) in record.headers() {
            let Some(name) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let text = decode::printable(&String::from_utf8_lossy(value.unwrap_or_default()));
            match name {
                b"redriven" => {
                    return match text.parse() {
                        Ok(offset) => Entry::Marker(offset),
                        Err(_) => Entry::Foreign,
                    };
                }
                b"topology" => letter.topology = text,
                b"version" => letter.version = text,
                b"class" => letter.class = text,
                b"reason" => letter.reason = text,
                b"step" => letter.step = Some(text),
                b"route" => letter.route = Some(text),
                b"message" => letter.message = text,
                b"topic" => topic = Some(text),
                b"partition" => partition = text.parse().ok(),
                b"offset" => offset = text.parse().ok(),
                b"timestamp" => letter.timestamp_ms = text.parse().ok(),
                b"time" => letter.time = text,
                b"stub" => letter.is_stub = true,
                _ => {}
            }
        }
        if let (Some(topic), Some(partition), Some(offset)) = (topic, partition, offset) {
            letter.source = Some((topic, partition, offset));
        }
        match letter.reason.is_empty() {
            true => Entry::Foreign,
            false => Entry::Letter(Box::new(letter)),
        }
    }
}

impl Letter {
    /// Partition and offset in the dead letter topic.
    pub fn position(&self) -> (i32, i64) {
        (self.partition, self.offset)
    }

    /// Where it failed: the route, or the step.
    pub fn place(&self) -> &str {
        self.route
            .as_deref()
            .or(self.step.as_deref())
            .unwrap_or("-")
    }
}

/// Which dead letters a command is about.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this topology.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Only those that this route failed to deliver.
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<String>,
    /// Only those that failed in this step.
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Only those with this reason code.
    #[arg(long, value_name = "CODE")]
    pub reason: Option<String>,
}

impl Filter {
    /// Whether a dead letter is meant.
    pub fn takes(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, has: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| has == Some(wanted))
        };
        is(&self.id, Some(&letter.topology))
            && is(&self.route, letter.route.as_deref())
            && is(&self.step, letter.step.as_deref())
            && is(&self.reason, Some(&letter.reason))
    }
}
