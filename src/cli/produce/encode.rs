//! One line of JSON to one record, by the schemas that the topic has in the registry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::codec::{frame, json};
use crate::config::RegistryConfig;
use crate::registry::{Client, Registered};
use crate::schema::Kind;

/// Name and value of a header.
type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

/// A record to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// The key; `None` is null.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<OwnedHeader>,
}

/// What lines are encoded with.
pub struct Encoder {
    value: Registered,
    key_schema: Option<Registered>,
    /// The field that becomes the key, as a path.
    key_path: Option<Vec<String>>,
    is_keyed: bool,
}

impl Encoder {
    /// Looks up the topic's schemas. A topic without a value schema cannot be written to; without a key schema, keys are text.
    pub async fn look_up(
        registry: &RegistryConfig,
        topic: &str,
        key: Option<&str>,
        is_keyed: bool,
    ) -> anyhow::Result<Encoder> {
        let client = Client::new(registry)?;
        let subject = format!("{topic}-value");
        let Some(value) = client.latest(&subject).await? else {
            anyhow::bail!(
                "the registry has no subject {subject}: register the schema of the topic's values there"
            );
        };
        let key_schema = client.latest(&format!("{topic}-key")).await?;
        Ok(Encoder {
            value,
            key_schema,
            key_path: key.map(|path| path.split('.').map(str::to_owned).collect()),
            is_keyed,
        })
    }

    /// Encodes a line, or says what is wrong with it.
    pub fn encode(&self, line: &[u8]) -> Result<Record, String> {
        let parsed: Value =
            serde_json::from_slice(line).map_err(|error| format!("is not JSON: {error}"))?;
        if self.is_keyed {
            return self.keyed(parsed);
        }
        let key = match &self.key_path {
            None => None,
            Some(path) => {
                let name = path.join(".");
                if parsed.is_null() {
                    return Err(format!(
                        "a tombstone has no field {name}: write key and value, with --keyed"
                    ));
                }
                let field = path.iter().try_fold(&parsed, |value, name| value.get(name));
                let field =
                    field.ok_or_else(|| format!("there is no field {name}, which is the key"))?;
                let wrapped = path.last().map(String::as_str);
                self.key(field, wrapped)?
            }
        };
        Ok(Record {
            key,
            value: self.value(&parsed)?,
            headers: Vec::new(),
        })
    }

    fn keyed(&self, line: Value) -> Result<Record, String> {
        let Value::Object(line) = line else {
            return Err("is not an object of key and value".into());
        };
        let Some(value) = line.get("value") else {
            return Err("has no field value; a tombstone has the value null".into());
        };
        Ok(Record {
            key: self.key(line.get("key").unwrap_or(&Value::Null), None)?,
            value: self.value(value)?,
            headers: headers(&line)?,
        })
    }

    fn value(&self, value: &Value) -> Result<Option<Vec<u8>>, String> {
        match value {
            Value::Null => Ok(None),
            value => framed(&self.value, value).map(Some),
        }
    }

    /// `name` is the field that the key was taken from: a key schema that is a record gets the value under that name.
    fn key(&self, key: &Value, name: Option<&str>) -> Result<Option<Vec<u8>>, String> {
        let Some(schema) = &self.key_schema else {
            return Ok(match key {
                Value::Null => None,
                Value::String(text) => Some(text.clone().into_bytes()),
                other => Some(other.to_string().into_bytes()),
            });
        };
        if key.is_null() {
            return Ok(None);
        }
        let is_record = matches!(schema.schema.node(schema.schema.root).kind, Kind::Record(_));
        let encoded = match name {
            Some(name) if is_record && !key.is_object() => {
                let record = Value::Object(Map::from_iter([(name.to_owned(), key.clone())]));
                framed(schema, &record)
            }
            _ => framed(schema, key),
        };
        encoded.map(Some).map_err(|fault| format!("key: {fault}"))
    }
}

fn framed(schema: &Registered, value: &Value) -> Result<Vec<u8>, String> {
    let datum = json::from_json(&schema.schema, value).map_err(|fault| fault.to_string())?;
    let mut out = Vec::with_capacity(datum.len() + frame::HEADER_BYTES);
    frame::write(schema.id, &mut out);
    out.extend_from_slice(&datum);
    Ok(out)
}

/// Pairs of name and value, or an object; values are text, null, or `{"$base64": …}`.
fn headers(line: &Map<String, Value>) -> Result<Vec<OwnedHeader>, String> {
    let pairs: Vec<(Value, &Value)> = match line.get("headers") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(headers)) => headers
            .iter()
            .map(|(name, value)| (Value::from(name.as_str()), value))
            .collect(),
        Some(Value::Array(headers)) => headers
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([name, value]) => Ok((name.clone(), value)),
                _ => Err("a header is not a pair of name and value".to_owned()),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err("headers are neither pairs nor an object".into()),
    };
    pairs
        .into_iter()
        .map(|(name, value)| Ok((bytes(&name)?.unwrap_or_default(), bytes(value)?)))
        .collect()
}

fn bytes(value: &Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone().into_bytes())),
        Value::Object(object) => match object.get("$base64").and_then(Value::as_str) {
            Some(text) => BASE64
                .decode(text)
                .map(Some)
                .map_err(|error| format!("a header is not base64: {error}")),
            None => Err("a header is an object without $base64".into()),
        },
        other => Ok(Some(other.to_string().into_bytes())),
    }
}
