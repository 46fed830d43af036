//! The keys with a value of their own: where each lives in [`Config`], which texts it takes, how it is shown. One table, so
//! that a key cannot be readable but not settable, or settable but not shown.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::secret::Secret;
use super::types::{Config, LogFormat};

/// A place for a value.
pub enum Slot<'a> {
    /// A whole number within bounds.
    Whole(&'a mut u64, RangeInclusive<u64>),
    /// A share, 0 to 1.
    Share(&'a mut f64),
    /// true or false.
    Flag(&'a mut bool),
    /// Any text but an empty one.
    Text(&'a mut String),
    /// Where to listen; `off` for nowhere.
    Listen(&'a mut Option<SocketAddr>),
    /// `auto`, `human` or `json`.
    Format(&'a mut LogFormat),
    /// `http://` and `https://` addresses.
    Urls(&'a mut Vec<String>),
    /// A path.
    Path(&'a mut Option<PathBuf>),
    /// A user name: inline, or by reference.
    User(&'a mut Option<Secret>),
    /// A secret: by reference, inline in the profile `dev` only.
    Secret(&'a mut Option<Secret>),
}

/// Credentials before they become an `Auth`.
#[derive(Default)]
pub struct Credentials {
    /// `registry.username`.
    pub username: Option<Secret>,
    /// `registry.password`.
    pub password: Option<Secret>,
    /// `registry.token`.
    pub token: Option<Secret>,
}

const MINUTE_MS: u64 = 60_000;
const GIB: u64 = 1 << 30;

/// Every key with a value of its own, in the order in which they are shown.
pub fn slots<'a>(
    config: &'a mut Config,
    credentials: &'a mut Credentials,
) -> Vec<(&'static str, Slot<'a>)> {
    let limits = &mut config.limits;
    let registry = &mut config.registry;
    let records = 1..=10_000_000;
    vec![
        ("registry.url", Slot::Urls(&mut registry.urls)),
        ("registry.username", Slot::User(&mut credentials.username)),
        ("registry.password", Slot::Secret(&mut credentials.password)),
        ("registry.token", Slot::Secret(&mut credentials.token)),
        ("registry.ca_file", Slot::Path(&mut registry.ca_file)),
        (
            "registry.request_timeout_ms",
            Slot::Whole(&mut registry.request_timeout_ms, 10..=MINUTE_MS),
        ),
        (
            "registry.unknown_wait_ms",
            Slot::Whole(&mut registry.unknown_wait_ms, 0..=10 * MINUTE_MS),
        ),
        (
            "registry.unknown_ttl_ms",
            Slot::Whole(&mut registry.unknown_ttl_ms, 100..=60 * MINUTE_MS),
        ),
        (
            "registry.requests_per_second",
            Slot::Whole(&mut registry.requests_per_second, 1..=10_000),
        ),
        ("registry.register", Slot::Flag(&mut registry.register)),
        (
            "limits.in_flight_records_per_partition",
            Slot::Whole(&mut limits.in_flight_records_per_partition, records.clone()),
        ),
        (
            "limits.in_flight_bytes_per_partition",
            Slot::Whole(&mut limits.in_flight_bytes_per_partition, 1024..=16 * GIB),
        ),
        (
            "limits.in_flight_records",
            Slot::Whole(&mut limits.in_flight_records, records.clone()),
        ),
        (
            "limits.in_flight_bytes",
            Slot::Whole(&mut limits.in_flight_bytes, 1024..=64 * GIB),
        ),
        (
            "limits.producer_queue_bytes",
            // librdkafka's bounds, in kilobytes there.
            Slot::Whole(
                &mut limits.producer_queue_bytes,
                1024..=2_147_483_647 * 1024,
            ),
        ),
        (
            "limits.fetch_queue_bytes",
            Slot::Whole(&mut limits.fetch_queue_bytes, 1024..=2_097_151 * 1024),
        ),
        (
            "limits.drain_timeout_ms",
            Slot::Whole(&mut limits.drain_timeout_ms, 0..=60 * MINUTE_MS),
        ),
        (
            "limits.commit_interval_ms",
            Slot::Whole(&mut limits.commit_interval_ms, 10..=10 * MINUTE_MS),
        ),
        (
            "limits.linger_ms",
            Slot::Whole(&mut limits.linger_ms, 0..=900_000),
        ),
        (
            "limits.pipeline_threads",
            Slot::Whole(&mut limits.pipeline_threads, 0..=256),
        ),
        ("limits.poison_share", Slot::Share(&mut limits.poison_share)),
        (
            "limits.poison_window",
            Slot::Whole(&mut limits.poison_window, records),
        ),
        (
            "limits.crash_loop_guard",
            Slot::Flag(&mut limits.crash_loop_guard),
        ),
        (
            "limits.output_record_bytes",
            Slot::Whole(&mut limits.output_record_bytes, 1_000..=1_000_000_000),
        ),
        (
            "outputs.correlation_header",
            Slot::Text(&mut config.correlation_header),
        ),
        ("admin.listen", Slot::Listen(&mut config.admin.listen)),
        ("log.filter", Slot::Text(&mut config.log.filter)),
        ("log.format", Slot::Format(&mut config.log.format)),
        ("log.payloads", Slot::Flag(&mut config.log.payloads)),
    ]
}

impl Slot<'_> {
    /// Sets the value from its texts (more than one only where a list was given). Says what belongs there instead. Secrets
    /// arrive here resolved.
    pub fn set(&mut self, texts: &[String]) -> Result<(), String> {
        if let Slot::Urls(urls) = self {
            **urls = parse_urls(texts)?;
            return Ok(());
        }
        let [text] = texts else {
            return Err("takes one value, not a list".to_owned());
        };
        let text = text.trim();
        match self {
            Slot::Whole(number, bounds) => {
                let wanted = || {
                    format!(
                        "must be a whole number from {} to {}",
                        bounds.start(),
                        bounds.end()
                    )
                };
                // `1_000` is how TOML and people write large numbers.
                let parsed: u64 = text.replace('_', "").parse().map_err(|_| wanted())?;
                if !bounds.contains(&parsed) {
                    return Err(wanted());
                }
                **number = parsed;
            }
            Slot::Share(share) => {
                let parsed: Option<f64> = text.parse().ok();
                **share = parsed
                    .filter(|parsed| (0.0..=1.0).contains(parsed))
                    .ok_or("must be a share from 0 to 1, such as 0.2")?;
            }
            Slot::Flag(flag) => {
                **flag = text.parse().map_err(|_| "must be true or false")?;
            }
            Slot::Text(slot) => {
                if text.is_empty() {
                    return Err("must not be empty".to_owned());
                }
                **slot = text.to_owned();
            }
            Slot::Listen(address) => {
                **address = match text {
                    "off" => None,
                    text => Some(text.parse().map_err(
                        |_| "must be an IP address and a port, such as 127.0.0.1:9400, or `off`",
                    )?),
                }
            }
            Slot::Format(format) => {
                **format = match text {
                    "auto" => LogFormat::Auto,
                    "human" => LogFormat::Human,
                    "json" => LogFormat::Json,
                    _ => return Err("must be auto, human or json".to_owned()),
                }
            }
            Slot::Path(path) => **path = Some(PathBuf::from(text)),
            Slot::User(secret) | Slot::Secret(secret) => **secret = Some(Secret::new(text)),
            Slot::Urls(_) => unreachable!("taken care of above"),
        }
        Ok(())
    }

    /// The value for people; `None` if nothing is set. Secrets are not shown by anybody, so not here either.
    pub fn show(&self) -> Option<String> {
        match self {
            Slot::Whole(number, _) => Some(number.to_string()),
            Slot::Share(share) => Some(share.to_string()),
            Slot::Flag(flag) => Some(flag.to_string()),
            Slot::Text(text) => Some(text.to_string()),
            Slot::Listen(address) => Some(match address {
                Some(address) => address.to_string(),
                None => "off".to_owned(),
            }),
            Slot::Format(format) => Some(
                match format {
                    LogFormat::Auto => "auto",
                    LogFormat::Human => "human",
                    LogFormat::Json => "json",
                }
                .to_owned(),
            ),
            Slot::Urls(urls) => (!urls.is_empty()).then(|| urls.join(",")),
            Slot::Path(path) => path.as_ref().map(|path| path.display().to_string()),
            Slot::User(_) | Slot::Secret(_) => None,
        }
    }
}

/// Addresses of the registry, one text each or separated by commas. An address that may hold a password is not repeated.
fn parse_urls(texts: &[String]) -> Result<Vec<String>, String> {
    let mut urls = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        let text = text.trim();
        let url = reqwest::Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or("must be http:// or https:// addresses, such as http://localhost:8081")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "must not hold credentials: use registry.username and registry.password".to_owned(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must be a base address, without `?` or `#`".to_owned());
        }
        urls.push(url.as_str().trim_end_matches('/').to_owned());
    }
    Ok(urls)
}
