//! The registry for output schemas and for operators' commands: what is asked over our own bounded requests. What
//! `schema_registry_converter` does of it is in [`super::subjects`].

use std::sync::Arc;

use anyhow::Context;
use schema_registry_converter::async_impl::schema_registry::SrSettings;
use serde_json::json;

use super::http::{Failure, Http, Said};
use super::reader::{self, Read};
use super::subjects;
use crate::codec::frame::SchemaId;
use crate::config::{Auth, RegistryConfig};
use crate::schema::Schema;
use crate::schema::compare::difference;

/// A registered version of a subject.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The id that records carry.
    pub id: u32,
    /// The version within the subject.
    pub version: u32,
    /// The schema.
    pub schema: Arc<Schema>,
}

/// Where a registry has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The id that records carry.
    pub id: u32,
    /// The version within the subject.
    pub version: u32,
}

/// The latest version of a subject, of whatever kind.
#[derive(Clone, Debug)]
pub struct Latest {
    /// Where it is.
    pub place: Place,
    /// The schema, or why it is of no use.
    pub read: Read,
}

/// Why an output schema has no id.
#[derive(Debug, thiserror::Error)]
pub enum OutputFault {
    /// It is not registered, or another one is.
    #[error("{0}")]
    Missing(String),
    /// The registry refused to register it.
    #[error("{0}")]
    Refused(String),
    /// The registry could not be asked; says nothing about the schema.
    #[error("{0}")]
    Outage(#[from] Failure),
}

/// A client without a cache.
pub struct Client {
    pub(super) http: Http,
    pub(super) settings: SrSettings,
    pub(super) auth: Auth,
    register: bool,
}

impl Client {
    /// Builds the client. Fails if no registry is configured; not if it cannot be reached.
    pub fn new(config: &RegistryConfig) -> anyhow::Result<Client> {
        Ok(Client {
            http: Http::new(config)?,
            settings: subjects::settings(config)?,
            auth: config.auth.clone(),
            register: config.register,
        })
    }

    /// The latest version of a subject; `None` if there is no such subject.
    pub async fn latest(&self, subject: &str) -> anyhow::Result<Option<Registered>> {
        let Some(latest) = self.read_latest(subject).await? else {
            return Ok(None);
        };
        let schema = match latest.read {
            Read::Found(schema) => schema,
            Read::Unusable(words) => {
                anyhow::bail!("the latest schema of the subject {subject} {words}")
            }
            Read::Unknown => {
                anyhow::bail!(
                    "the latest schema of the subject {subject} refers to one that does not exist"
                )
            }
        };
        Ok(Some(Registered {
            id: latest.place.id,
            version: latest.place.version,
            schema,
        }))
    }

    /// As [`latest`](Self::latest), also of a schema that we cannot use.
    pub async fn read_latest(&self, subject: &str) -> anyhow::Result<Option<Latest>> {
        let read = async {
            let Some(body) = reader::by_subject(&self.http, subject, "latest").await? else {
                return Ok(None);
            };
            let (id, version) = (body.id, body.version);
            let read = reader::schema(&self.http, body).await?;
            Ok::<_, Failure>(Some((id, version, read)))
        };
        let read = read.await.with_context(|| {
            format!("reading the subject {subject} from the schema registry failed")
        })?;
        match read {
            None => Ok(None),
            Some((Some(id), Some(version), read)) => Ok(Some(Latest {
                place: Place { id, version },
                read,
            })),
            Some(_) => {
                anyhow::bail!("the registry names neither id nor version of the subject {subject}")
            }
        }
    }

    /// The schema under an id, without cache or patience.
    pub async fn by_id(&self, id: SchemaId) -> anyhow::Result<Read> {
        reader::by_id(&self.http, id)
            .await
            .with_context(|| format!("reading the schema id {id} from the schema registry failed"))
    }

    /// The id of an output schema: looked up by content, or registered if the configuration says so. Does not wait: an outage is the
    /// caller's to sit out.
    pub async fn output_id(&self, subject: &str, schema: &Schema) -> Result<u32, OutputFault> {
        if let Some(found) = self.by_content(subject, schema).await? {
            return Ok(found.id);
        }
        if !self.register {
            return Err(self.missing(subject, schema).await?);
        }
        let question = json!({ "schema": schema.source }).to_string();
        match self
            .http
            .post(&["subjects", subject, "versions"], "", question)
            .await?
        {
            Said::Ok(body) => Ok(content_of(&body)?.id),
            Said::Refused { message, .. } => {
                // Workers that start together all register it, and not every registry takes that as one thing.
                if let Some(found) = self.by_content(subject, schema).await? {
                    return Ok(found.id);
                }
                Err(OutputFault::Refused(format!(
                    "the registry refused to register a new version of {subject}: {message}"
                )))
            }
        }
    }

    /// Where a subject has exactly this schema: the registry compares. `None` if it has not.
    pub(super) async fn by_content(
        &self,
        subject: &str,
        schema: &Schema,
    ) -> Result<Option<Content>, OutputFault> {
        let question = json!({ "schema": schema.source }).to_string();
        match self.http.post(&["subjects", subject], "", question).await? {
            Said::Ok(body) => content_of(&body).map(Some),
            Said::Refused { status: 404, .. } => Ok(None),
            Said::Refused { message, .. } => Err(OutputFault::Refused(format!(
                "the registry does not accept the schema {subject}: {message}"
            ))),
        }
    }

    /// Says in which way a schema is missing: no subject at all, or another latest version.
    async fn missing(&self, subject: &str, schema: &Schema) -> Result<OutputFault, Failure> {
        const HELP: &str = "register it (`lockgate schema register`, or `registry.register = true` at the start), or take over the registered one into avro/";
        let latest = match reader::by_subject(&self.http, subject, "latest").await? {
            Some(body) => body,
            None => {
                return Ok(OutputFault::Missing(format!(
                    "the output schema {subject} is not registered: {HELP}"
                )));
            }
        };
        let version = latest.version.unwrap_or_default();
        let changes = match reader::schema(&self.http, latest).await? {
            Read::Found(registered) => changes(&registered, schema).join(", "),
            Read::Unknown | Read::Unusable(_) => "it cannot be read".to_owned(),
        };
        Ok(OutputFault::Missing(format!(
            "the output schema {subject} is registered in another version only (version {version}, seen from avro/: {changes}): {HELP}"
        )))
    }
}

/// What another schema changes, seen from ours, in words; never empty.
pub fn changes(other: &Schema, ours: &Schema) -> Vec<String> {
    let changes = difference(other, ours);
    match changes.is_empty() {
        true => vec!["the same fields, with other documentation, defaults or order".to_owned()],
        false => changes.iter().map(ToString::to_string).collect(),
    }
}

/// Where a registry has a schema: what it says of one that was looked up or registered.
#[derive(serde::Deserialize)]
pub(super) struct Content {
    pub id: u32,
    pub version: Option<u32>,
}

fn content_of(body: &[u8]) -> Result<Content, OutputFault> {
    serde_json::from_slice(body).map_err(|_| {
        OutputFault::Outage(Failure(
            "answered 200, but not with an id: is `registry.url` right?".into(),
        ))
    })
}
