//! Keys and values for people and scripts: by their registered schema where there is one, as text where that is readable,
//! else as base64.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::codec::frame::{self, IdFrom, SchemaId, Side};
use crate::codec::json as avro_json;
use crate::config::RegistryConfig;
use crate::kafka::RawRecord;
use crate::registry::{Client, Read};
use crate::schema::Schema;

/// Ids remembered; random bytes may look like any id.
const IDS_MAX: usize = 10_000;
/// How long a registry that cannot be asked is left in peace.
const OUTAGE: Duration = Duration::from_secs(10);

/// Decodes by schema id. Without a registry, everything is text or bytes.
pub struct Decoder {
    runtime: tokio::runtime::Handle,
    client: Option<Client>,
    known: RefCell<HashMap<SchemaId, Known>>,
    outage: RefCell<Option<(Instant, Arc<str>)>>,
}

type Known = Result<Arc<Schema>, Arc<str>>;

impl Decoder {
    /// A decoder that asks this registry, if one is configured.
    pub fn new(
        registry: &RegistryConfig,
        runtime: &tokio::runtime::Handle,
    ) -> anyhow::Result<Decoder> {
        let client = match registry.urls.is_empty() {
            true => None,
            false => Some(Client::new(registry)?),
        };
        Ok(Decoder {
            runtime: runtime.clone(),
            client,
            known: RefCell::default(),
            outage: RefCell::default(),
        })
    }

    /// The schema with this id, or why there is none.
    pub fn schema(&self, id: SchemaId) -> Known {
        if let Some(known) = self.known.borrow().get(&id) {
            return known.clone();
        }
        if let Some((since, why)) = &*self.outage.borrow()
            && since.elapsed() < OUTAGE
        {
            return Err(why.clone());
        }
        let Some(client) = &self.client else {
            return Err("no registry is configured (`registry.url`)".into());
        };
        let known = match self.runtime.block_on(client.by_id(id)) {
            Ok(Read::Found(schema)) => Ok(schema),
            Ok(Read::Unknown) => Err(format!("the registry does not know the schema {id}").into()),
            Ok(Read::Unusable(why)) => Err(format!("the schema {id} {why}").into()),
            Err(error) => {
                let why: Arc<str> = format!("{error:#}").into();
                *self.outage.borrow_mut() = Some((Instant::now(), why.clone()));
                return Err(why);
            }
        };
        let mut all = self.known.borrow_mut();
        if all.len() >= IDS_MAX {
            all.clear();
        }
        all.insert(id, known.clone());
        known
    }

    /// Whether the registry could not be asked lately.
    pub fn is_outage(&self) -> bool {
        let outage = self.outage.borrow();
        outage
            .as_ref()
            .is_some_and(|(since, _)| since.elapsed() < OUTAGE)
    }

    /// A record's key as JSON (CONTRACTS: null is null; what no schema explains is a string, or `{"$base64": …}`).
    pub fn key(&self, record: &RawRecord) -> Value {
        self.part(record, Side::Key, record.key())
    }

    /// A record's value as JSON.
    pub fn value(&self, record: &RawRecord) -> Value {
        self.part(record, Side::Value, record.value())
    }

    fn part(&self, record: &RawRecord, side: Side, bytes: Option<&[u8]>) -> Value {
        let Some(bytes) = bytes else {
            return Value::Null;
        };
        // Whose headers these are, their names say; without one, the id stands in front of the datum.
        let headers: Vec<_> = record.headers().collect();
        let all = [
            IdFrom::ApicurioContent,
            IdFrom::ApicurioGlobal,
            IdFrom::Confluent,
        ];
        all.into_iter()
            .filter_map(|from| frame::locate(from, side, &headers, bytes).ok())
            .find_map(|(id, datum)| {
                let schema = self.schema(id).ok()?;
                avro_json::to_json(&schema, datum).ok()
            })
            .unwrap_or_else(|| raw(bytes))
    }
}

/// Bytes as a string if they are one, else `{"$base64": …}`.
pub fn raw(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "$base64": BASE64.encode(bytes) }),
    }
}

/// JSON on one line for a terminal: a string without quotes, and no control characters, which a terminal would obey.
pub fn line(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    printable(&text)
}

/// Text without control characters.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// A timestamp in milliseconds as RFC 3339; the number where it is beyond the calendar.
pub fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_base64() {
        assert_eq!(raw(b"abc"), json!("abc"));
        assert_eq!(raw(b"\xff\x00"), json!({ "$base64": "/wA=" }));
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let line = line(&json!("\u{1b}[31mred\u{9b}2J\n"));
        assert!(!line.chars().any(char::is_control), "{line}");
    }
}
