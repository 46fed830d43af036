//! The effective configuration as the rest of the program reads it: valid, typed, with units in the names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::connection::Connection;
use super::fault::ConfigFault;
use super::secret::Secret;

/// How this process runs. `Debug` leaves the values of variables out: some may be secrets.
#[derive(Clone, Default)]
pub struct Config {
    /// The profile in force.
    pub profile: Profile,
    /// Kafka clusters by name. `main` is the one of `kafka.brokers`, and there only if that is set.
    pub connections: BTreeMap<String, Connection>,
    /// The schema registry.
    pub registry: RegistryConfig,
    /// Bounds on what is in flight, and times.
    pub limits: Limits,
    /// The endpoint for operators.
    pub admin: AdminConfig,
    /// Header that identifies a message across systems (`outputs.correlation_header`): passed on to outputs as it came.
    /// Empty: only the W3C trace headers are.
    pub correlation_header: String,
    /// Logs.
    pub log: LogConfig,
    /// Values for the `vars:` of topologies, by name, as written (`vars.NAME`).
    pub vars: BTreeMap<String, serde_json::Value>,
    /// What deserves a word but no stop. To be logged once the logs are up.
    pub warnings: Vec<String>,
    /// Every value that is in force and where it comes from, for people; no secrets.
    pub entries: Vec<Entry>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("profile", &self.profile)
            .field("connections", &self.connections)
            .field("registry", &self.registry)
            .field("limits", &self.limits)
            .field("admin", &self.admin)
            .field("correlation_header", &self.correlation_header)
            .field("log", &self.log)
            .field("vars", &self.vars.keys())
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The Kafka connection of that name, or a fault that says how to configure it.
    pub fn connection(&self, name: &str) -> Result<&Connection, ConfigFault> {
        self.connections.get(name).ok_or_else(|| {
            let (key, help) = match name {
                "main" => (
                    "kafka.brokers".to_owned(),
                    "set `kafka.brokers` in lockgate.toml, or LOCKGATE__KAFKA__BROKERS".to_owned(),
                ),
                other => (
                    format!("kafka.connections.{other}.brokers"),
                    format!("set `brokers` under [kafka.connections.{other}] in lockgate.toml"),
                ),
            };
            ConfigFault {
                key,
                source: String::new(),
                message: format!("the Kafka connection `{name}` is not configured"),
                help: Some(help),
            }
        })
    }
}

/// One value in force, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// The key, such as `limits.linger_ms`.
    pub key: String,
    /// The value; for a secret the reference it came by, or `<hidden>`; `None`: not set.
    pub value: Option<String>,
    /// `default`, or the file, environment variable or flag that set it.
    pub source: String,
    /// Whether the value itself is a secret.
    pub secret: bool,
}

/// Kind of place the process runs in. Chooses the overlay file; inline secrets are allowed in `dev` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// A developer's machine. The default.
    #[default]
    Dev,
    /// Before production.
    Staging,
    /// Production.
    Production,
}

impl Profile {
    /// The name, as in `lockgate.NAME.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Dev => "dev",
            Profile::Staging => "staging",
            Profile::Production => "production",
        }
    }
}

/// Bounds and times of the road. At a bound the partition is paused, nothing is dropped. More in flight than the defaults makes nothing faster
/// unless the sinks are far away: docs/PERFORMANCE.md.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Records of one partition that are not done yet.
    pub in_flight_records_per_partition: u64,
    /// Their bytes (key, value, headers).
    pub in_flight_bytes_per_partition: u64,
    /// Records of the whole process that are not done yet.
    pub in_flight_records: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// Bytes in the queues of all producers of the process (`queue.buffering.max.kbytes`), shared evenly by them: there is one per topology,
    /// pipeline thread and connection. A share is never smaller than the largest record that the producer's topics take.
    pub producer_queue_bytes: u64,
    /// Bytes that all consumers of the process fetch ahead, shared evenly by them, one per topology, and there by the partitions of its sources
    /// (`queued.max.messages.kbytes`, `fetch.message.max.bytes`). A topology's share is at least 1 MiB, if that much is configured, and a
    /// partition's at least 32 KiB.
    pub fetch_queue_bytes: u64,
    /// How long a revoke and a shutdown wait for what is in flight.
    pub drain_timeout_ms: u64,
    /// How often frontiers are committed.
    pub commit_interval_ms: u64,
    /// How long a producer waits for more records before it sends a batch (`linger.ms`).
    pub linger_ms: u64,
    /// Threads of each topology that decode, map and route; 0: half as many as there are processors, at most 4.
    pub pipeline_threads: u64,
    /// Share of poison above which a topology stops, of the last `poison_window` records of one of its sources or routes, whichever threads
    /// they are on.
    pub poison_share: f64,
    /// Records over which the share is taken; 100 if fewer.
    pub poison_window: u64,
    /// Whether positions say that they are owned, so that a record that ends the process is found.
    pub crash_loop_guard: bool,
    /// Largest record an output topic takes where the broker does not tell (`max.message.bytes`).
    pub output_record_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            in_flight_records_per_partition: 10_000,
            in_flight_bytes_per_partition: 8 << 20,
            in_flight_records: 25_000,
            in_flight_bytes: 16 << 20,
            producer_queue_bytes: 32 << 20,
            fetch_queue_bytes: 12 << 20,
            drain_timeout_ms: 20_000,
            commit_interval_ms: 1_000,
            linger_ms: 5,
            pipeline_threads: 0,
            poison_share: 0.20,
            poison_window: 100,
            crash_loop_guard: true,
            // The broker's default, librdkafka's too (`message.max.bytes`).
            output_record_bytes: 1_000_000,
        }
    }
}

/// The schema registry. `Debug` leaves the credentials out.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Base URLs of equal members of one registry; tried in turn. Empty: none configured.
    pub urls: Vec<String>,
    /// How to sign requests.
    pub auth: Auth,
    /// PEM file of the certificate authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Deadline of one request, connecting included.
    pub request_timeout_ms: u64,
    /// How long an unknown id is waited for before it is judged unknown: a follower of the registry may lag behind.
    pub unknown_wait_ms: u64,
    /// How long an id judged unknown stays so before it is asked for again.
    pub unknown_ttl_ms: u64,
    /// Requests per second at most.
    pub requests_per_second: u64,
    /// Whether output schemas are registered where they are missing; otherwise a missing one is a fault.
    pub register: bool,
}

impl Default for RegistryConfig {
    fn default() -> RegistryConfig {
        RegistryConfig {
            urls: Vec::new(),
            auth: Auth::None,
            ca_file: None,
            request_timeout_ms: 5_000,
            unknown_wait_ms: 30_000,
            unknown_ttl_ms: 60_000,
            requests_per_second: 50,
            register: false,
        }
    }
}

/// How requests to the registry are signed.
#[derive(Clone, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// User name and password.
    Basic(Secret, Secret),
    /// A token.
    Bearer(Secret),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Auth::None => "None",
            Auth::Basic(..) => "Basic(<hidden>)",
            Auth::Bearer(_) => "Bearer(<hidden>)",
        })
    }
}

/// The endpoint for operators: `/live`, `/ready`, `/metrics`, `/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where it listens; `None`: nowhere (`admin.listen = "off"`).
    pub listen: Option<SocketAddr>,
}

impl Default for AdminConfig {
    fn default() -> AdminConfig {
        AdminConfig {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 9400))),
        }
    }
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// What to log, in the notation of `tracing-subscriber`'s `EnvFilter`.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Whether record-related lines may show (sanitised, shortened) payloads.
    pub payloads: bool,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            filter: "info".into(),
            format: LogFormat::Auto,
            payloads: false,
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// Where a configuration is read from. Values of `environment` may be secret, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Sources {
    /// Folder of `lockgate.toml` and of the profile's file; `None`: read neither.
    pub folder: Option<PathBuf>,
    /// A configuration file that must exist, instead of `lockgate.toml`.
    pub file: Option<PathBuf>,
    /// The profile; `None`: `dev`.
    pub profile: Option<Profile>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Names of environment variables whose value is not text in UTF-8.
    pub unreadable: Vec<String>,
    /// Keys and values of flags; a later one outranks an earlier one.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The working directory and the environment of this process, no flags.
    pub fn of_process() -> Sources {
        let mut sources = Sources {
            folder: Some(PathBuf::from(".")),
            ..Sources::default()
        };
        for (name, value) in std::env::vars_os() {
            // A name that is not UTF-8 cannot be ours.
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => sources.environment.push((name, value)),
                (Ok(name), Err(_)) => sources.unreadable.push(name),
                (Err(_), _) => {}
            }
        }
        sources
    }

    /// Only what is said in code: neither files nor environment. For the demo and for tests.
    pub fn none() -> Sources {
        Sources::default()
    }
}
