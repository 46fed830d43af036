//! The registry for operators' commands and for output schemas.
//!
//! `schema_registry_converter` lists and registers. Its reads are not used: it reads bodies without limit, caches errors,
//! and keeps the HTTP status only as text, so that "there is none" and "I cannot tell" look the same; looking up, comparing
//! and reading go over our own bounded requests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_all_subjects, get_all_versions, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{SchemaType, SuppliedSchema};
use serde_json::json;

use super::http::{self, Failure, Http, Said, hidden, sanitised};
use super::reader::{self, Read};
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
    http: Http,
    settings: SrSettings,
    auth: Auth,
    register: bool,
}

impl Client {
    /// Builds the client. Fails if no registry is configured; not if it cannot be reached.
    pub fn new(config: &RegistryConfig) -> anyhow::Result<Client> {
        let http = Http::new(config)?;
        let (first, more) = config
            .urls
            .split_first()
            .expect("Http::new wants an address");
        let mut settings = SrSettings::new_builder(first.clone());
        for url in more {
            settings.add_url(url.clone());
        }
        match &config.auth {
            Auth::None => {}
            Auth::Basic(user, password) => {
                settings.set_basic_authorization(user.expose(), Some(password.expose()));
            }
            Auth::Bearer(token) => {
                settings.set_token_authorization(token.expose());
            }
        }
        // The builder's own timeout, default 30 s, outranks that of the client it is given.
        settings.set_timeout(Duration::from_millis(config.request_timeout_ms));
        let settings = settings
            .build_with(http::bounded(config)?)
            .map_err(|error| worded(error, &config.auth))
            .context("building the client of the schema registry failed")?;
        Ok(Client {
            http,
            settings,
            auth: config.auth.clone(),
            register: config.register,
        })
    }

    /// The latest version of a subject; `None` if there is no such subject.
    pub async fn latest(&self, subject: &str) -> anyhow::Result<Option<Registered>> {
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
            Some((Some(id), Some(version), Read::Found(schema))) => Ok(Some(Registered {
                id,
                version,
                schema,
            })),
            Some((.., Read::Unusable(words))) => {
                anyhow::bail!("the latest schema of the subject {subject} {words}")
            }
            Some((.., Read::Unknown)) => {
                anyhow::bail!(
                    "the latest schema of the subject {subject} refers to one that does not exist"
                )
            }
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

    /// All subjects.
    pub async fn subjects(&self) -> anyhow::Result<Vec<String>> {
        get_all_subjects(&self.settings)
            .await
            .map_err(|error| worded(error, &self.auth))
            .context("listing the subjects of the schema registry failed")
    }

    /// The versions of a subject.
    pub async fn versions(&self, subject: &str) -> anyhow::Result<Vec<u32>> {
        let subject = usable(subject)?;
        get_all_versions(&self.settings, subject.to_owned())
            .await
            .map_err(|error| worded(error, &self.auth))
            .with_context(|| format!("listing the versions of the subject {subject} failed"))
    }

    /// Registers a schema under a subject, if it is not there yet; its id.
    pub async fn register(&self, subject: &str, schema: &str) -> anyhow::Result<u32> {
        let subject = usable(subject)?;
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        let registered = post_schema(&self.settings, subject.to_owned(), supplied)
            .await
            .map_err(|error| worded(error, &self.auth))
            .with_context(|| format!("registering a schema under the subject {subject} failed"))?;
        Ok(registered.id)
    }

    /// The id of an output schema: looked up by content, or registered if the configuration says so. Does not wait: an outage is the
    /// caller's to sit out.
    pub async fn output_id(&self, subject: &str, schema: &Schema) -> Result<u32, OutputFault> {
        // By content: the registry compares, and answers with the version that has exactly this schema.
        let question = json!({ "schema": schema.source }).to_string();
        match self
            .http
            .post(&["subjects", subject], question.clone())
            .await?
        {
            Said::Ok(body) => return id_of(&body),
            Said::Refused { status: 404, .. } if self.register => {}
            Said::Refused { status: 404, .. } => return Err(self.missing(subject, schema).await?),
            Said::Refused { message, .. } => {
                return Err(OutputFault::Refused(format!(
                    "the registry does not accept the schema {subject}: {message}"
                )));
            }
        }
        match self
            .http
            .post(&["subjects", subject, "versions"], question)
            .await?
        {
            Said::Ok(body) => id_of(&body),
            Said::Refused { message, .. } => Err(OutputFault::Refused(format!(
                "the registry refused to register a new version of {subject}: {message}"
            ))),
        }
    }

    /// Says in which way a schema is missing: no subject at all, or another latest version.
    async fn missing(&self, subject: &str, schema: &Schema) -> Result<OutputFault, Failure> {
        const HELP: &str = "register it (`registry.register = true` does so at the start), or take over the registered one into avro/";
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
            Read::Found(registered) => {
                let changes = difference(&registered, schema);
                let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
                match words.is_empty() {
                    true => {
                        "the same fields, with other documentation, defaults or order".to_owned()
                    }
                    false => words.join(", "),
                }
            }
            Read::Unknown | Read::Unusable(_) => "it cannot be read".to_owned(),
        };
        Ok(OutputFault::Missing(format!(
            "the output schema {subject} is registered in another version only (version {version}, seen from avro/: {changes}): {HELP}"
        )))
    }
}

fn id_of(body: &[u8]) -> Result<u32, OutputFault> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: u32,
    }
    let id: Result<Id, _> = serde_json::from_slice(body);
    id.map(|id| id.id).map_err(|_| {
        OutputFault::Outage(Failure(
            "answered 200, but not with an id: is `registry.url` right?".into(),
        ))
    })
}

/// `schema_registry_converter` escapes nothing but `/` in a subject.
fn usable(subject: &str) -> anyhow::Result<&str> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "?#%\\".contains(c);
    if subject.is_empty()
        || subject.split('/').any(|part| matches!(part, "." | ".."))
        || subject.contains(odd)
    {
        anyhow::bail!(crate::cli::UsageError(format!(
            "{subject:?} is not a usable subject name"
        )));
    }
    Ok(subject)
}

/// The error in words: what the crate attempted and the innermost cause, without the crate's flags. The cause may be the registry's
/// own message.
fn worded(error: SRCError, auth: &Auth) -> anyhow::Error {
    let mut words = error.error.clone();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        cause = inner.source();
        if cause.is_none() {
            words = format!("{words}: {inner}");
        }
    }
    if std::error::Error::source(&error).is_none()
        && let Some(cause) = &error.cause
    {
        words = format!("{words}: {cause}");
    }
    anyhow::anyhow!(sanitised(&hidden(words, auth)))
}
