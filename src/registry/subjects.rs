//! The registry for operators' commands: subjects, versions, levels, registering, and what the registry says of a schema
//! that is not registered yet.
//!
//! `schema_registry_converter` lists and registers. Its reads are not used, and neither is its question of compatibility: it
//! reads bodies without limit and keeps the HTTP status only as text, so that "there is none" and "I cannot tell" look the
//! same, and of a refusal it keeps yes or no without the reasons.

use std::time::Duration;

use anyhow::Context;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_all_subjects, get_all_versions, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, SchemaType, SuppliedSchema};
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, Content};
use super::http::{self, Failure, Said, hidden, sanitised};
use super::reader;
use crate::config::{Auth, RegistryConfig};
use crate::schema::Schema;
use crate::words;

/// Reasons of a registry that are repeated.
const REASONS_MAX: usize = 10;

/// A version of a subject as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The id that records carry.
    pub id: u32,
    /// The version within the subject.
    pub version: u32,
    /// `AVRO`, or another type of schema.
    pub schema_type: String,
}

/// What a registry would do with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// Take it.
    Compatible,
    /// Refuse it, with these words; there may be none.
    Incompatible(Vec<String>),
}

/// The settings of `schema_registry_converter`, over a client with all our bounds but that on the size of a body.
pub(super) fn settings(config: &RegistryConfig) -> anyhow::Result<SrSettings> {
    let (first, more) = config
        .urls
        .split_first()
        .context("no schema registry is configured")?;
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
    settings
        .build_with(http::bounded(config)?)
        .map_err(|error| worded(error, &config.auth))
        .context("building the client of the schema registry failed")
}

impl Client {
    /// All subjects, sorted.
    pub async fn subjects(&self) -> anyhow::Result<Vec<String>> {
        let mut subjects = get_all_subjects(&self.settings)
            .await
            .map_err(|error| worded(error, &self.auth))
            .with_context(|| {
                let at = self.http.authorities();
                format!("listing the subjects of the schema registry at {at} failed")
            })?;
        subjects.sort();
        Ok(subjects)
    }

    /// The versions of a subject.
    pub async fn versions(&self, subject: &str) -> anyhow::Result<Vec<u32>> {
        get_all_versions(&self.settings, escaped(subject)?)
            .await
            .map_err(|error| worded(error, &self.auth))
            .with_context(|| {
                let at = self.http.authorities();
                format!("listing the versions of the subject {subject} at {at} failed")
            })
    }

    /// Registers a schema under a subject, if it is not there yet; its id.
    pub async fn register(&self, subject: &str, schema: &str) -> anyhow::Result<u32> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        let registered = post_schema(&self.settings, escaped(subject)?, supplied)
            .await
            .map_err(|error| worded(error, &self.auth))
            .with_context(|| {
                let at = self.http.authorities();
                format!("registering a schema under the subject {subject} at {at} failed")
            })?;
        Ok(registered.id)
    }

    /// A version (`latest`, or a number) of a subject, without its schema. `None`: there is none.
    pub async fn listed(&self, subject: &str, version: &str) -> anyhow::Result<Option<Listed>> {
        let attempted = || format!("reading version {version} of the subject {subject} failed");
        let body = reader::by_subject(&self.http, subject, version)
            .await
            .with_context(attempted)?;
        let Some(body) = body else { return Ok(None) };
        let (Some(id), Some(version)) = (body.id, body.version) else {
            anyhow::bail!("the registry names neither id nor version of the subject {subject}");
        };
        let schema_type = body.schema_type.as_deref().unwrap_or("AVRO");
        Ok(Some(Listed {
            id,
            version,
            schema_type: sanitised(schema_type),
        }))
    }

    /// Id and version under which a subject has exactly this schema, as the registry compares; `None` if it has not.
    pub async fn find(
        &self,
        subject: &str,
        schema: &Schema,
    ) -> anyhow::Result<Option<(u32, Option<u32>)>> {
        let found = self.by_content(subject, schema).await;
        let found = found.with_context(|| format!("looking up the subject {subject} failed"))?;
        Ok(found.map(|Content { id, version }| (id, version)))
    }

    /// The compatibility level of a subject, its own or that of all; `None` if the registry does not tell.
    pub async fn level(&self, subject: &str) -> anyhow::Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Level {
            compatibility_level: String,
        }
        let attempted =
            || format!("reading the compatibility level of the subject {subject} failed");
        let own = ["config", subject];
        let mut said = self.http.get(&own, "defaultToGlobal=true").await;
        if let Ok(Said::Refused { status: 404, .. }) = said {
            said = self.http.get(&["config"], "").await;
        }
        let Said::Ok(body) = said.with_context(attempted)? else {
            return Ok(None);
        };
        let level = serde_json::from_slice::<Level>(&body);
        Ok(level
            .ok()
            .map(|level| sanitised(&level.compatibility_level)))
    }

    /// Whether the registry would take a schema as the next version of a subject, which there is, at its level.
    pub async fn opinion(&self, subject: &str, schema: &Schema) -> anyhow::Result<Opinion> {
        #[derive(Deserialize)]
        struct Answer {
            is_compatible: bool,
            messages: Option<Vec<String>>,
        }
        let attempted = || {
            format!(
                "asking the schema registry for the compatibility with the subject {subject} failed"
            )
        };
        let question = json!({ "schema": schema.source }).to_string();
        let path = ["compatibility", "subjects", subject, "versions"];
        let said = self.http.post(&path, "verbose=true", question).await;
        let body = match said.with_context(attempted)? {
            Said::Ok(body) => body,
            Said::Refused { message, .. } => return Ok(Opinion::Incompatible(vec![message])),
        };
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| Failure("answered 200, but not with a verdict".into()))
            .with_context(attempted)?;
        if answer.is_compatible {
            return Ok(Opinion::Compatible);
        }
        let reasons = answer.messages.unwrap_or_default().into_iter();
        let reasons = reasons.take(REASONS_MAX);
        let reasons = reasons.map(|words| sanitised(&hidden(words, &self.auth)));
        Ok(Opinion::Incompatible(reasons.collect()))
    }
}

/// A subject as a segment of an address: `schema_registry_converter` escapes nothing but `/`.
fn escaped(subject: &str) -> anyhow::Result<String> {
    let mut url = reqwest::Url::parse("http://registry").context("an address was expected")?;
    // These two are dropped instead of escaped, and something else would be asked for.
    if matches!(subject, "" | "." | "..") {
        let message = format!("{subject:?} is not a usable subject name");
        anyhow::bail!(crate::cli::UsageError(message));
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(subject);
    }
    Ok(url.path().trim_start_matches('/').to_owned())
}

/// The error in words: what the crate attempted and the innermost cause, without the crate's flags. The cause may be the registry's
/// own message.
fn worded(error: SRCError, auth: &Auth) -> anyhow::Error {
    let mut innermost = std::error::Error::source(&error);
    while let Some(inner) = innermost.and_then(std::error::Error::source) {
        innermost = Some(inner);
    }
    let cause = match innermost {
        Some(inner) => match (inner.downcast_ref::<RawError>(), inner.downcast_ref()) {
            (Some(refusal), _) => Some(refusal.message.clone()),
            (None, Some(io)) => Some(words::of_io(io)),
            (None, None) => Some(inner.to_string()),
        },
        None => error.cause.as_ref().map(ToString::to_string),
    };
    let attempted = &error.error;
    let words = match cause {
        Some(cause) => format!("{attempted}: {cause}"),
        None => attempted.clone(),
    };
    anyhow::anyhow!(sanitised(&hidden(words, auth)))
}
