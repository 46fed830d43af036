//! A schema registry in this process, on loopback: the part of the Confluent API that Lockgate uses, with faults on
//! command. For the demo and for tests; it forgets everything when it is dropped.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::codec::frame::SchemaId;

use super::http::{BODY_BYTES_MAX, MEDIA_TYPE};
use crate::schema::Schema;
use crate::schema::compat::{Level, breaks};

/// How often it is looked whether an answer still waits.
const LOOK: Duration = Duration::from_millis(10);

/// What goes wrong, until it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every request is answered with this status, and a body in the registry's form.
    Status(u16),
    /// 404 in the form of somebody else's server.
    ForeignNotFound,
    /// 200 with a page of HTML, as a proxy does it.
    Html,
    /// 200 with a body that is larger than any schema.
    HugeBody,
    /// A redirect to elsewhere.
    Redirect,
    /// Answers, but so late.
    Delay(Duration),
    /// Somebody else is quicker with every registration, and then it is refused.
    Outrun,
}

/// The registry. Its server ends when it is dropped.
pub struct FakeRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
    server: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct Shared(Mutex<Store>);

#[derive(Default)]
struct Store {
    /// By id - 1.
    schemas: Vec<Stored>,
    /// Ids by version - 1.
    subjects: HashMap<String, Vec<u32>>,
    fault: Fault,
    /// Compatibility levels of subjects, and of all others under the empty name.
    levels: HashMap<String, Level>,
    /// How many more times an id is to be unknown.
    hidden: HashMap<u32, u64>,
    /// Ids whose answers wait.
    held: HashSet<u32>,
    asked: HashMap<u32, u64>,
    requests: u64,
    /// The value that `Authorization` must have.
    authorization: Option<String>,
}

#[derive(Clone, PartialEq)]
struct Stored {
    schema: String,
    schema_type: String,
    references: Value,
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.down();
    }
}

impl FakeRegistry {
    /// Starts on a free port of loopback, on the current tokio runtime.
    pub async fn start() -> io::Result<FakeRegistry> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let registry = FakeRegistry {
            address: listener.local_addr()?,
            shared: Arc::default(),
            runtime: tokio::runtime::Handle::current(),
            server: Mutex::new(None),
        };
        registry.serve(listener);
        Ok(registry)
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Registers an Avro schema under a subject; its id. The same text has the same id everywhere.
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        self.register_as(subject, schema, "AVRO", json!([]))
    }

    /// Registers a schema of any type, with references in the form of the API.
    pub fn register_as(
        &self,
        subject: &str,
        schema: &str,
        schema_type: &str,
        references: Value,
    ) -> u32 {
        let stored = Stored {
            schema: schema.to_owned(),
            schema_type: schema_type.to_owned(),
            references,
        };
        self.shared.store().register(subject, stored)
    }

    /// The GUID of a registered schema: made of its text, as those of the real registry are.
    pub fn guid(&self, id: u32) -> [u8; 16] {
        let store = self.shared.store();
        store.schemas[id as usize - 1].guid()
    }

    /// Lets something go wrong from now on.
    pub fn fail_with(&self, fault: Fault) {
        self.shared.store().fault = fault;
    }

    /// Lets an id be unknown for that many requests, as to a member of the registry that lags behind.
    pub fn hide(&self, id: u32, requests: u64) {
        self.shared.store().hidden.insert(id, requests);
    }

    /// Lets requests for an id wait for their answer, until [`FakeRegistry::release`].
    pub fn hold(&self, id: u32) {
        self.shared.store().held.insert(id);
    }

    /// Answers the requests for an id that wait.
    pub fn release(&self, id: u32) {
        self.shared.store().held.remove(&id);
    }

    /// Sets the compatibility level of a subject, or of those that have none of their own under the empty name; `NONE`
    /// if it was never set. [`FakeRegistry::register`] does not ask for it, requests to register do.
    pub fn set_level(&self, subject: &str, level: Level) {
        self.shared.store().levels.insert(subject.to_owned(), level);
    }

    /// Demands this value of the header `Authorization`.
    pub fn require_authorization(&self, value: &str) {
        self.shared.store().authorization = Some(value.to_owned());
    }

    /// Requests received.
    pub fn requests(&self) -> u64 {
        self.shared.store().requests
    }

    /// Requests for one id received.
    pub fn requests_for(&self, id: u32) -> u64 {
        let store = self.shared.store();
        store.asked.get(&id).copied().unwrap_or_default()
    }

    /// Stops listening: connections are refused. Those that are open get 503 and are closed.
    pub fn down(&self) {
        self.fail_with(Fault::Status(503));
        if let Some(server) = self.server().take() {
            server.abort();
        }
    }

    /// Listens again, at the same address.
    pub async fn up(&self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.fail_with(Fault::None);
        self.serve(listener);
        Ok(())
    }

    fn server(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        let routes = Router::new()
            .route("/schemas/ids/{id}", get(by_id))
            .route("/schemas/guids/{guid}", get(by_guid))
            .route("/schemas/types", get(|| async { answer(json!(["AVRO"])) }))
            .route("/config", get(global_level))
            .route("/config/{subject}", get(level))
            .route("/compatibility/subjects/{subject}/versions", post(judge))
            .route("/subjects", get(subjects))
            .route("/subjects/{subject}", post(look_up))
            .route("/subjects/{subject}/versions", get(versions).post(register))
            .route("/subjects/{subject}/versions/{version}", get(by_version))
            .layer(middleware::from_fn_with_state(shared.clone(), disturb))
            .with_state(shared);
        let server = self.runtime.spawn(async move {
            // Only ends when it is aborted; a failed accept is retried inside.
            let _ = axum::serve(listener, routes).await;
        });
        *self.server() = Some(server.abort_handle());
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn register(&mut self, subject: &str, stored: Stored) -> u32 {
        let known = self.schemas.iter().position(|schema| *schema == stored);
        let index = known.unwrap_or_else(|| {
            self.schemas.push(stored);
            self.schemas.len() - 1
        });
        let id = index as u32 + 1;
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }

    fn version(&self, subject: &str, version: usize) -> Option<Value> {
        let id = *self.subjects.get(subject)?.get(version.checked_sub(1)?)?;
        let mut body = self.schemas.get(id as usize - 1)?.body();
        body["subject"] = subject.into();
        body["version"] = version.into();
        body["id"] = id.into();
        Some(body)
    }
}

impl Store {
    fn level(&self, subject: &str) -> Level {
        let level = self.levels.get(subject).or_else(|| self.levels.get(""));
        level.copied().unwrap_or(Level::None)
    }

    /// Why a schema may not become the next version of a subject, in the words of the real registry's form.
    fn objections(&self, subject: &str, new: &Stored) -> Vec<String> {
        let level = self.level(subject);
        let Ok(new) = Schema::parse(&new.schema) else {
            return Vec::new();
        };
        let ids = self.subjects.get(subject).into_iter().flatten();
        let earlier: Vec<Schema> = ids
            .filter_map(|id| Schema::parse(&self.schemas[*id as usize - 1].schema).ok())
            .collect();
        let earlier: Vec<&Schema> = earlier.iter().collect();
        let found = breaks(level, &new, &earlier).into_iter();
        let why = found.flat_map(|found| found.why);
        let mut words: Vec<String> = why
            .map(|why| format!("{{errorType:'INCOMPATIBLE', description:'{why}'}}"))
            .collect();
        if !words.is_empty() {
            words.push(format!("{{compatibility: '{level}'}}"));
        }
        words
    }
}

impl Stored {
    fn guid(&self) -> [u8; 16] {
        let mut guid = [0; 16];
        for (half, seed) in guid.chunks_exact_mut(8).zip([17u64, 19]) {
            let text = self.schema.bytes().chain(self.schema_type.bytes());
            let hash = text.fold(seed, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            half.copy_from_slice(&hash.to_be_bytes());
        }
        guid
    }

    fn body(&self) -> Value {
        let mut body = json!({ "schema": self.schema });
        if self.schema_type != "AVRO" {
            body["schemaType"] = self.schema_type.clone().into();
        }
        if self
            .references
            .as_array()
            .is_some_and(|list| !list.is_empty())
        {
            body["references"] = self.references.clone();
        }
        body
    }
}

/// Counts, checks credentials, and lets go wrong what is to go wrong.
async fn disturb(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let (fault, signed) = {
        let mut store = shared.store();
        store.requests += 1;
        let wanted = store.authorization.as_deref();
        let signed = wanted.is_none_or(|wanted| given.is_some_and(|given| given == wanted));
        (store.fault, signed)
    };
    if !signed {
        // As tactless as a registry can be.
        return refuse(401, 40101, &format!("Unauthorized: {given:?}"));
    }
    match fault {
        Fault::None => next.run(request).await,
        Fault::Status(status) => {
            let mut response = refuse(status, u64::from(status) * 100 + 1, "planted fault");
            let close = header::HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            response
        }
        Fault::ForeignNotFound => {
            (StatusCode::NOT_FOUND, "<h1>404 page not found</h1>").into_response()
        }
        Fault::Html => {
            "<html><body>Please sign in to the guest network</body></html>".into_response()
        }
        Fault::HugeBody => Body::from(vec![b' '; 2 * BODY_BYTES_MAX]).into_response(),
        Fault::Redirect => (
            StatusCode::FOUND,
            [(header::LOCATION, "http://127.0.0.1:1/")],
        )
            .into_response(),
        Fault::Outrun => {
            let registers =
                request.method() == "POST" && request.uri().path().ends_with("/versions");
            let answer = next.run(request).await;
            match registers {
                true => refuse(409, 40901, "An artifact version already exists"),
                false => answer,
            }
        }
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            next.run(request).await
        }
    }
}

async fn by_id(State(shared): State<Arc<Shared>>, Path(id): Path<u32>) -> Response {
    // Confluent's registry takes an int of Java, and has no such address for more.
    if i32::try_from(id).is_err() {
        return refuse(404, 404, "HTTP 404 Not Found");
    }
    *shared.store().asked.entry(id).or_default() += 1;
    while shared.store().held.contains(&id) {
        tokio::time::sleep(LOOK).await;
    }
    let mut store = shared.store();
    let hidden = store.hidden.get_mut(&id).is_some_and(|left| {
        let hides = *left > 0;
        *left = left.saturating_sub(1);
        hides
    });
    let index = (id as usize).wrapping_sub(1);
    match store.schemas.get(index).filter(|_| !hidden) {
        Some(stored) => answer(stored.body()),
        None => refuse(404, 40403, "Schema not found"),
    }
}

async fn by_guid(State(shared): State<Arc<Shared>>, Path(guid): Path<String>) -> Response {
    let store = shared.store();
    let found = store
        .schemas
        .iter()
        .find(|stored| SchemaId::Guid(stored.guid()).to_string() == guid);
    match found {
        Some(stored) => answer(stored.body()),
        None => refuse(404, 40403, "Schema not found"),
    }
}

async fn subjects(State(shared): State<Arc<Shared>>) -> Response {
    let store = shared.store();
    let mut subjects: Vec<&String> = store.subjects.keys().collect();
    subjects.sort();
    answer(json!(subjects))
}

async fn versions(State(shared): State<Arc<Shared>>, Path(subject): Path<String>) -> Response {
    match shared.store().subjects.get(&subject) {
        Some(ids) => answer(json!((1..=ids.len()).collect::<Vec<_>>())),
        None => refuse(404, 40401, "Subject not found"),
    }
}

async fn by_version(
    State(shared): State<Arc<Shared>>,
    Path((subject, version)): Path<(String, String)>,
) -> Response {
    let store = shared.store();
    let Some(ids) = store.subjects.get(&subject) else {
        return refuse(404, 40401, "Subject not found");
    };
    let version = match &*version {
        "latest" => ids.len(),
        number => number.parse().unwrap_or_default(),
    };
    match store.version(&subject, version) {
        Some(body) => answer(body),
        None => refuse(404, 40402, "Version not found"),
    }
}

/// What is posted to look up or to register.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Value,
}

impl Posted {
    fn parse(body: &str) -> Result<Stored, Box<Response>> {
        let posted: Posted = serde_json::from_str(body)
            .map_err(|error| Box::new(refuse(422, 42201, &error.to_string())))?;
        let schema_type = posted.schema_type.unwrap_or_else(|| "AVRO".into());
        if schema_type == "AVRO" && serde_json::from_str::<Value>(&posted.schema).is_err() {
            return Err(Box::new(refuse(422, 42201, "Invalid schema")));
        }
        Ok(Stored {
            schema: posted.schema,
            schema_type,
            references: match posted.references {
                Value::Null => json!([]),
                references => references,
            },
        })
    }
}

async fn look_up(
    State(shared): State<Arc<Shared>>,
    Path(subject): Path<String>,
    body: String,
) -> Response {
    let wanted = match Posted::parse(&body) {
        Ok(wanted) => wanted,
        Err(refusal) => return *refusal,
    };
    let store = shared.store();
    let Some(ids) = store.subjects.get(&subject) else {
        return refuse(404, 40401, "Subject not found");
    };
    // As JSON: white space makes no other schema.
    let meaning = |text: &str| serde_json::from_str::<Value>(text).ok();
    let version = ids.iter().position(|id| {
        let stored = &store.schemas[*id as usize - 1];
        meaning(&stored.schema) == meaning(&wanted.schema)
    });
    match version.and_then(|index| store.version(&subject, index + 1)) {
        Some(body) => answer(body),
        None => refuse(404, 40403, "Schema not found"),
    }
}

async fn register(
    State(shared): State<Arc<Shared>>,
    Path(subject): Path<String>,
    body: String,
) -> Response {
    let stored = match Posted::parse(&body) {
        Ok(stored) => stored,
        Err(refusal) => return *refusal,
    };
    let mut store = shared.store();
    let objections = store.objections(&subject, &stored);
    if !objections.is_empty() {
        let message = format!(
            "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: [{}]",
            objections.join(", ")
        );
        // The code of this refusal is that of HTTP in the real registry too.
        return refuse(409, 409, &message);
    }
    answer(json!({ "id": store.register(&subject, stored) }))
}

/// Whether a schema could be registered; of a subject that there is not, every one can.
async fn judge(
    State(shared): State<Arc<Shared>>,
    Path(subject): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> Response {
    let stored = match Posted::parse(&body) {
        Ok(stored) => stored,
        Err(refusal) => return *refusal,
    };
    let objections = shared.store().objections(&subject, &stored);
    let mut verdict = json!({ "is_compatible": objections.is_empty() });
    if query
        .get("verbose")
        .is_some_and(|verbose| verbose == "true")
    {
        verdict["messages"] = json!(objections);
    }
    answer(verdict)
}

async fn global_level(State(shared): State<Arc<Shared>>) -> Response {
    answer(json!({ "compatibilityLevel": shared.store().level("").name() }))
}

async fn level(
    State(shared): State<Arc<Shared>>,
    Path(subject): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let store = shared.store();
    let is_global = query
        .get("defaultToGlobal")
        .is_some_and(|word| word == "true");
    match store.levels.contains_key(&subject) || is_global {
        true => answer(json!({ "compatibilityLevel": store.level(&subject).name() })),
        false => refuse(
            404,
            40408,
            &format!("Subject '{subject}' does not have subject-level compatibility configured"),
        ),
    }
}

fn answer(body: Value) -> Response {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
}

fn refuse(status: u16, code: u64, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error_code": code, "message": message });
    (status, answer(body)).into_response()
}
