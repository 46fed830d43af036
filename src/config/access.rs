//! How to reach and sign in: Kafka connections and the registry's credentials, judged once everything is read.

use super::connection::{Connection, Property};
use super::fault::ConfigFault;
use super::key::{self, Key, MAIN};
use super::layer::Assignment;
use super::librdkafka;
use super::load::{Reading, Wrong, fault, texts};
use super::promise::{self, Switches};
use super::secret::{self, Secret};
use super::slot::Credentials;
use super::types::Auth;

/// A connection being read.
#[derive(Default)]
pub struct Draft {
    pub brokers: Option<String>,
    pub switches: Switches,
    pub properties: Vec<Assignment>,
}

/// Properties that name a file with a private key.
const PRIVATE_FILES: &[&str] = &[
    "ssl.key.location",
    "ssl.keystore.location",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.assertion.private.key.file",
];

impl Reading<'_> {
    /// A connection whose properties are followed up, refused or accepted. `None`: it has no brokers.
    pub(super) fn connection(&mut self, name: String, draft: Draft) -> Option<Connection> {
        let mut properties = Vec::new();
        for assignment in draft.properties {
            let Key::Property { name: property, .. } = &assignment.key else {
                continue;
            };
            let text = texts(&assignment.value).map(|texts| texts.concat());
            let Ok(text) = text else { continue };
            if !self.resolve && secret::is_reference(&text) {
                continue;
            }
            match self.property(property, &text, draft.switches) {
                Ok(property) => {
                    let shown = match secret::is_reference(&text) {
                        true => text.clone(),
                        false => property.shown().to_owned(),
                    };
                    self.note(&assignment, shown, property.secret);
                    properties.push(property);
                }
                Err(message) => self.faults.push(fault(&assignment, message, None)),
            }
        }
        let Some(brokers) = draft.brokers else {
            // `kafka.properties` alone, with the brokers given elsewhere or not needed (offline commands), is no fault.
            if name != MAIN {
                self.faults.push(ConfigFault {
                    key: format!("{}.brokers", key::table_of(&name)),
                    source: String::new(),
                    message: format!("the connection `{name}` has no brokers"),
                    help: Some("write host:port, several separated by commas".to_owned()),
                });
            }
            return None;
        };
        self.warn_of_security(&name, &properties);
        Some(Connection {
            name,
            brokers,
            properties,
            consumer_protocol: draft.switches.consumer_protocol,
        })
    }

    fn property(&mut self, name: &str, text: &str, switches: Switches) -> Result<Property, String> {
        let resolved = secret::resolve(text, &self.sources.environment, &mut self.config.warnings)?;
        let by_reference = resolved.is_some();
        let value = resolved.unwrap_or_else(|| Secret::new(text));
        if let Some(reason) = promise::refusal(name, value.expose(), switches) {
            return Err(reason);
        }
        let mut native = rdkafka::ClientConfig::new();
        native.set(name, value.expose());
        // The library's own words repeat the value.
        if native.create_native_config().is_err() {
            return Err(
                "librdkafka does not accept the value (see its CONFIGURATION.md)".to_owned(),
            );
        }
        if PRIVATE_FILES.contains(&name) {
            secret::warn_if_open(value.expose(), &mut self.config.warnings);
        }
        Ok(Property {
            name: name.to_owned(),
            value,
            secret: by_reference || librdkafka::is_secret(name),
        })
    }

    fn warn_of_security(&mut self, connection: &str, properties: &[Property]) {
        let value = |name: &str| {
            properties
                .iter()
                .find(|property| property.name == name)
                .map(|property| property.value.expose().to_ascii_uppercase())
        };
        let protocol = value("security.protocol").unwrap_or_else(|| "PLAINTEXT".to_owned());
        for (named, needed) in [("sasl.", "SASL_"), ("ssl.", "SSL")] {
            let is_named = |property: &Property| property.name.starts_with(named);
            if properties.iter().any(is_named) && !protocol.contains(needed) {
                self.config.warnings.push(format!(
                    "the connection `{connection}` sets `{named}*`, which does nothing: `security.protocol` is {protocol}"
                ));
            }
        }
        let clear = protocol == "SASL_PLAINTEXT";
        if clear && value("sasl.mechanism").is_some_and(|mechanism| mechanism == "PLAIN") {
            self.config.warnings.push(format!(
                "the connection `{connection}` sends its password in the clear (SASL_PLAINTEXT with PLAIN): use SASL_SSL"
            ));
        }
    }

    /// Credentials of the registry: none, a pair, or a token.
    pub(super) fn registry(&mut self) {
        let Credentials {
            username,
            password,
            token,
        } = std::mem::take(&mut self.credentials);
        let fault = |key: &str, message: &str| ConfigFault {
            key: key.to_owned(),
            source: self.source_of(key),
            message: message.to_owned(),
            help: None,
        };
        let auth = match (username, password, token) {
            (None, None, None) => Auth::None,
            (Some(username), Some(password), None) => Auth::Basic(username, password),
            (None, None, Some(token)) => Auth::Bearer(token),
            (Some(_), None, None) => {
                let missing = fault("registry.username", "is set without `registry.password`");
                return self.faults.push(missing);
            }
            (None, Some(_), None) => {
                let missing = fault("registry.password", "is set without `registry.username`");
                return self.faults.push(missing);
            }
            (_, _, Some(_)) => {
                let both = fault(
                    "registry.token",
                    "is set beside `registry.username` or `registry.password`: one way to sign in, please",
                );
                return self.faults.push(both);
            }
        };
        let clear = self
            .config
            .registry
            .urls
            .iter()
            .any(|url| url.starts_with("http:"));
        if clear && !matches!(auth, Auth::None) {
            self.config
                .warnings
                .push("registry.url: credentials go over http in the clear: use https".to_owned());
        }
        self.config.registry.auth = auth;
    }
}

/// `host:port`, several separated by commas or in a list. Texts that may hold credentials are not repeated.
pub fn brokers(texts: &[String]) -> Result<String, Wrong> {
    let mut brokers = Vec::new();
    for broker in texts.iter().flat_map(|text| text.split(',')) {
        let broker = broker.trim();
        let valid = broker.rsplit_once(':').is_some_and(|(host, port)| {
            let host_ok = |c: char| c.is_ascii_alphanumeric() || ".-_[]:%".contains(c);
            !host.is_empty() && host.chars().all(host_ok) && port.parse::<u16>().is_ok()
        });
        if !valid {
            return Err((
                "must be host:port, several separated by commas".to_owned(),
                Some("the security protocol is `properties.\"security.protocol\"`, not part of the address".to_owned()),
            ));
        }
        brokers.push(broker);
    }
    Ok(brokers.join(","))
}
