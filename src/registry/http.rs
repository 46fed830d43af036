//! Bounded requests to a schema registry: every timeout set, answers capped, no redirects, no proxy out of the environment,
//! several addresses in turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use crate::config::{Auth, RegistryConfig};
use crate::input;
use crate::words;

/// The media type of the Confluent API.
pub const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// A larger answer is not a schema that we would accept.
pub const BODY_BYTES_MAX: usize = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Below the idle timeout of common servers, so that we rarely write to a connection that the other side just closed.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// What the registry said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// 200, with the body.
    Ok(Vec<u8>),
    /// A refusal in the registry's own form.
    Refused {
        /// HTTP status.
        status: u16,
        /// The registry's `error_code`, such as 40403.
        code: u64,
        /// Its words, sanitised and short.
        message: String,
    },
}

/// Why nothing was said that concerns the question: unreachable, overloaded, not signed in, not a registry. In words,
/// without credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// The client.
pub struct Http {
    client: reqwest::Client,
    urls: Vec<Url>,
    /// Of `urls`: the one that is asked next.
    current: AtomicUsize,
    auth: Auth,
}

/// A `reqwest` client with every bound set, as its builder, so that the operators' client can be built on the same.
pub fn bounded(config: &RegistryConfig) -> anyhow::Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(Duration::from_millis(config.request_timeout_ms))
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(POOL_IDLE);
    if let Some(path) = &config.ca_file {
        let pem = input::bytes_of(path, input::FILE_BYTES_MAX)
            .with_context(|| format!("registry.ca_file: reading {} failed", path.display()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("registry.ca_file: {} is not PEM", path.display()))?;
        builder = builder.tls_certs_only(certificates);
    }
    Ok(builder)
}

impl Http {
    /// Builds the client. Fails if no address is configured or the CA file cannot be used.
    pub fn new(config: &RegistryConfig) -> anyhow::Result<Http> {
        let urls: Vec<Url> = config
            .urls
            .iter()
            .map(|url| url.parse())
            .collect::<Result<_, _>>()
            .context("registry.url is not an address")?;
        if urls.is_empty() {
            return Err(crate::cli::UsageError(
                "no schema registry is configured: set `registry.url` in lockgate.toml, or LOCKGATE__REGISTRY__URL".into(),
            )
            .into());
        }
        Ok(Http {
            client: bounded(config)?
                .build()
                .context("building the HTTP client of the schema registry failed")?,
            urls,
            current: AtomicUsize::new(0),
            auth: config.auth.clone(),
        })
    }

    /// The addresses without paths, as they are told to a person.
    pub fn authorities(&self) -> String {
        let names: Vec<&str> = self.urls.iter().map(|url| url.authority()).collect();
        names.join(", ")
    }

    /// GET of a path, given as unescaped segments.
    pub async fn get(&self, segments: &[&str], query: &str) -> Result<Said, Failure> {
        self.send(Method::GET, segments, query, None).await
    }

    /// POST of JSON to a path.
    pub async fn post(
        &self,
        segments: &[&str],
        query: &str,
        body: String,
    ) -> Result<Said, Failure> {
        self.send(Method::POST, segments, query, Some(body)).await
    }

    /// Lets the next request go to the next address.
    pub fn rotate(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }

    async fn send(
        &self,
        method: Method,
        segments: &[&str],
        query: &str,
        body: Option<String>,
    ) -> Result<Said, Failure> {
        let url = self.url(segments, query)?;
        let place = format!("{method} {} at {}", url.path(), url.authority());
        let mut request = self.client.request(method, url).header(ACCEPT, MEDIA_TYPE);
        request = match &self.auth {
            Auth::None => request,
            Auth::Basic(user, password) => {
                request.basic_auth(user.expose(), Some(password.expose()))
            }
            Auth::Bearer(token) => request.bearer_auth(token.expose()),
        };
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, MEDIA_TYPE).body(body);
        }
        let said = match request.send().await {
            Ok(response) => read(response, &self.auth).await,
            Err(error) => Err(chain(error)),
        };
        said.map_err(|problem| {
            self.rotate();
            Failure(format!("{place}: {problem}"))
        })
    }

    fn url(&self, segments: &[&str], query: &str) -> Result<Url, Failure> {
        let current = self.current.load(Ordering::Relaxed) % self.urls.len();
        let mut url = self.urls[current].clone();
        // `Url` drops these two instead of escaping them, and would ask for something else.
        if segments
            .iter()
            .any(|segment| matches!(*segment, "" | "." | ".."))
        {
            return Err(Failure(format!("no address can be made of {segments:?}")));
        }
        url.path_segments_mut()
            .map_err(|()| Failure("registry.url has no path".into()))?
            .pop_if_empty()
            .extend(segments);
        url.set_query((!query.is_empty()).then_some(query));
        Ok(url)
    }
}

/// The form of the registry's refusals.
#[derive(Deserialize)]
struct Refusal {
    error_code: u64,
    #[serde(default)]
    message: String,
}

async fn read(mut response: reqwest::Response, auth: &Auth) -> Result<Said, String> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(chain)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(format!("answered more than {BODY_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    if status == StatusCode::OK {
        return Ok(Said::Ok(body));
    }
    // Of all other answers only these speak about the question. A 404 without the registry's own code is a wrong address
    // or a proxy, and a 401 speaks about us.
    let about_question = matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY
    );
    let refusal: Option<Refusal> = serde_json::from_slice(&body).ok();
    // Of an incompatible schema the registry's own code is that of HTTP.
    let is_own = |code: u64| code >= 1000 || (code == 409 && status == StatusCode::CONFLICT);
    match refusal {
        Some(refusal) if about_question && is_own(refusal.error_code) => Ok(Said::Refused {
            status: status.as_u16(),
            code: refusal.error_code,
            message: sanitised(&hidden(refusal.message, auth)),
        }),
        refusal => {
            let words = match refusal {
                Some(refusal) => format!(": {}", sanitised(&hidden(refusal.message, auth))),
                None if status == StatusCode::NOT_FOUND => {
                    ", and not in the registry's own form: is `registry.url` right?".to_owned()
                }
                None => String::new(),
            };
            Err(format!("answered {status}{words}"))
        }
    }
}

/// The words of a registry, or of a proxy before it, without what we signed in with, which some repeat.
pub fn hidden(words: String, auth: &Auth) -> String {
    let secrets = match auth {
        Auth::None => return words,
        Auth::Basic(user, password) => {
            let pair = format!("{}:{}", user.expose(), password.expose());
            vec![STANDARD.encode(pair), password.expose().to_owned()]
        }
        Auth::Bearer(token) => vec![token.expose().to_owned()],
    };
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(words, |words, secret| words.replace(secret, "[secret]"))
}

/// An error and its causes, without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        // Beneath the system's own word the others are names of layers.
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.raw_os_error().is_some()
        {
            return sanitised(&words::of_io(io));
        }
        causes.push(inner.to_string());
        cause = inner.source();
    }
    match error.is_timeout() {
        true => "no answer in time (registry.request_timeout_ms)".to_owned(),
        false => sanitised(&causes.join(": ")),
    }
}

/// Foreign words for logs: short, without control characters.
pub fn sanitised(text: &str) -> String {
    const CHARACTERS_MAX: usize = 300;
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(CHARACTERS_MAX)
        .collect()
}
