//! Reads one schema and everything it refers to.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::http::{Failure, Http, Said, sanitised};
use crate::codec::frame::SchemaId;
use crate::schema::Schema;

/// Schemas that one schema may refer to, directly or not.
const REFERENCES_MAX: usize = 64;
/// Bytes of all of them.
const REFERENCES_BYTES_MAX: usize = 8 << 20;

/// The error codes by which a registry says "there is none": subject, version, schema not found.
const NOT_FOUND: [u64; 3] = [40401, 40402, 40403];

/// What there is under an id.
#[derive(Clone, Debug)]
pub enum Read {
    /// A schema.
    Found(Arc<Schema>),
    /// Nothing.
    Unknown,
    /// Something that we cannot use, and never will: another type of schema, or one beyond our limits. In words.
    Unusable(String),
}

/// `GET /schemas/ids/{id}` and `GET /subjects/{subject}/versions/{version}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// The schema's text.
    pub schema: String,
    /// `AVRO` is left out by registries.
    pub schema_type: Option<String>,
    /// What the schema refers to.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// The id; not repeated in answers by id.
    pub id: Option<u32>,
    /// The version within its subject; in answers by subject.
    pub version: Option<u32>,
}

/// A named type of another subject.
#[derive(Deserialize, Clone)]
pub struct Reference {
    /// The name by which the schema calls it.
    pub name: String,
    /// Where it is registered.
    pub subject: String,
    /// In which version.
    pub version: u32,
}

/// Reads the schema with this id.
pub async fn by_id(http: &Http, id: SchemaId) -> Result<Read, Failure> {
    let kind = match id {
        SchemaId::Number(_) => "ids",
        SchemaId::Guid(_) => "guids",
    };
    // Soft-deleted ones too: records written with them are still in the topics.
    let said = http
        .get(&["schemas", kind, &id.to_string()], "deleted=true")
        .await?;
    match body(http, said)? {
        Some(body) => schema(http, body).await,
        None => Ok(Read::Unknown),
    }
}

/// Reads a version (`latest`, or a number) of a subject, without what it refers to. `None`: there is none.
pub async fn by_subject(
    http: &Http,
    subject: &str,
    version: &str,
) -> Result<Option<Body>, Failure> {
    let said = http
        .get(&["subjects", subject, "versions", version], "")
        .await?;
    body(http, said)
}

/// Turns an answer into a schema, by reading what it refers to.
pub async fn schema(http: &Http, body: Body) -> Result<Read, Failure> {
    match body.schema_type.as_deref() {
        None | Some("AVRO") => {}
        Some(other) => {
            let words = format!("is a schema of type {}, not AVRO", sanitised(other));
            return Ok(Read::Unusable(words));
        }
    }
    let references = match references(http, body.references).await? {
        Ok(references) => references,
        Err(read) => return Ok(read),
    };
    Ok(match Schema::parse_with(&body.schema, &references) {
        Ok(schema) => Read::Found(Arc::new(schema)),
        Err(fault) => Read::Unusable(sanitised(&format!("cannot be used: {fault}"))),
    })
}

/// What a schema refers to, as (name, JSON), those that others need first. Level by level, without recursion: who
/// registers schemas decides how deep it goes.
async fn references(
    http: &Http,
    roots: Vec<Reference>,
) -> Result<Result<Vec<(String, String)>, Read>, Failure> {
    enum Visit {
        Enter(Reference),
        Leave(String, String),
    }
    let mut visits: Vec<Visit> = roots.into_iter().rev().map(Visit::Enter).collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut bytes = 0;
    while let Some(visit) = visits.pop() {
        let reference = match visit {
            Visit::Leave(name, json) => {
                found.push((name, json));
                continue;
            }
            Visit::Enter(reference) => reference,
        };
        if !seen.insert((reference.subject.clone(), reference.version)) {
            continue;
        }
        if matches!(&*reference.subject, "" | "." | "..") {
            return Ok(Err(Read::Unusable(
                "refers to a subject without a usable name".into(),
            )));
        }
        let version = reference.version.to_string();
        let path = ["subjects", &reference.subject, "versions", &version];
        let said = http.get(&path, "deleted=true").await?;
        let Some(body) = body(http, said)? else {
            return Ok(Err(Read::Unknown));
        };
        bytes += body.schema.len();
        if seen.len() > REFERENCES_MAX || bytes > REFERENCES_BYTES_MAX {
            let words = format!(
                "refers to more than {REFERENCES_MAX} schemas or {REFERENCES_BYTES_MAX} bytes of them"
            );
            return Ok(Err(Read::Unusable(words)));
        }
        visits.push(Visit::Leave(reference.name, body.schema));
        visits.extend(body.references.into_iter().rev().map(Visit::Enter));
    }
    Ok(Ok(found))
}

/// `None`: there is none. An answer that is not the registry's is a failure: a proxy's page says nothing about an id.
fn body(http: &Http, said: Said) -> Result<Option<Body>, Failure> {
    match said {
        Said::Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| {
            http.rotate();
            Failure("answered 200, but not with a schema: is `registry.url` right?".into())
        }),
        Said::Refused {
            status: 404, code, ..
        } if NOT_FOUND.contains(&code) => {
            // Another member may know it already.
            http.rotate();
            Ok(None)
        }
        Said::Refused {
            status, message, ..
        } => Err(Failure(format!("answered {status}: {message}"))),
    }
}
