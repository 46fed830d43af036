//! From layers to the effective configuration: merge, check, resolve secrets, and remember where each value came from.

use std::collections::BTreeMap;

use config::ValueKind;

use super::access::{Draft, brokers};
use super::fault::{ConfigFault, ConfigFaults};
use super::key::{self, Key};
use super::layer::{self, Assignment, Layer};
use super::librdkafka;
use super::secret;
use super::slot::{self, Credentials, Slot};
use super::types::{Config, Entry, Profile, Sources};

/// Reads the effective configuration, or every fault of every layer.
pub fn load(sources: &Sources) -> Result<Config, ConfigFaults> {
    read(sources, true)
}

/// As [`load`], for commands that connect to nothing: references to secrets are not followed, so that they may lead nowhere
/// here. What they would have given is not set.
pub fn load_offline(sources: &Sources) -> Result<Config, ConfigFaults> {
    read(sources, false)
}

fn read(sources: &Sources, resolve: bool) -> Result<Config, ConfigFaults> {
    let profile = sources.profile.unwrap_or_default();
    let mut reading = Reading {
        sources,
        resolve,
        config: Config {
            profile,
            ..Config::default()
        },
        credentials: Credentials::default(),
        connections: BTreeMap::new(),
        entries: BTreeMap::new(),
        faults: Vec::new(),
    };
    let plain: Vec<&'static str> = slot::slots(&mut Config::default(), &mut Credentials::default())
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let layers = reading.layers(profile, &plain);
    for layer in &layers {
        reading.check(layer);
    }
    let merged = merge(layers, &plain, &mut reading.faults);
    reading.apply(&merged);
    reading.finish()
}

/// Lays the layers over each other, the first lowest.
fn merge(
    layers: Vec<Layer>,
    plain: &[&'static str],
    faults: &mut Vec<ConfigFault>,
) -> Vec<Assignment> {
    let mut builder = config::Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    match builder.build().map(|merged| merged.cache.into_table()) {
        Ok(Ok(table)) => layer::walk(&table, plain, "", faults),
        // The sources only hand over what was read before; kept as a fault so that nothing is ever half configured.
        Ok(Err(_)) | Err(_) => {
            faults.push(ConfigFault {
                key: String::new(),
                source: String::new(),
                message: "the layers of the configuration cannot be merged".to_owned(),
                help: None,
            });
            Vec::new()
        }
    }
}

/// A configuration being read.
pub struct Reading<'a> {
    pub sources: &'a Sources,
    /// Whether references are followed.
    pub resolve: bool,
    pub config: Config,
    pub credentials: Credentials,
    connections: BTreeMap<String, Draft>,
    /// By key: what is shown, and where it came from.
    entries: BTreeMap<String, Entry>,
    pub faults: Vec<ConfigFault>,
}

/// What is wrong with a value, and what to write instead.
pub type Wrong = (String, Option<String>);

impl Reading<'_> {
    fn layers(&mut self, profile: Profile, plain: &[&'static str]) -> Vec<Layer> {
        let (faults, sources) = (&mut self.faults, self.sources);
        let base = match (&sources.file, &sources.folder) {
            (Some(file), _) => Some((file.clone(), true)),
            (None, Some(folder)) if folder.as_os_str() == "." => {
                Some(("lockgate.toml".into(), false))
            }
            (None, Some(folder)) => Some((folder.join("lockgate.toml"), false)),
            (None, None) => None,
        };
        let mut layers = Vec::new();
        if let Some((base, required)) = base {
            layers.extend(layer::file(&base, required, plain, faults));
            let overlay = base.with_extension(format!("{}.toml", profile.name()));
            layers.extend(layer::file(&overlay, false, plain, faults));
        }
        let warnings = &mut self.config.warnings;
        layers.push(layer::environment(sources, plain, faults, warnings));
        layers.push(layer::flags(sources, plain, faults));
        layers
    }

    /// Checks one layer on its own, on scratch values.
    fn check(&mut self, layer: &Layer) {
        let mut scratch = Reading {
            sources: self.sources,
            resolve: self.resolve,
            config: Config {
                profile: self.config.profile,
                ..Config::default()
            },
            credentials: Credentials::default(),
            connections: BTreeMap::new(),
            entries: BTreeMap::new(),
            faults: Vec::new(),
        };
        for assignment in &layer.0 {
            if let Err((message, help)) = scratch.assign(assignment, false) {
                self.faults.push(fault(assignment, message, help));
            }
        }
    }

    /// Applies the merged values. Their form was checked layer by layer; here references are followed.
    fn apply(&mut self, merged: &[Assignment]) {
        for assignment in merged {
            // A wrong form has been reported with its layer.
            if let Err((message, help)) = self.assign(assignment, self.resolve)
                && !self.faults.iter().any(|known| {
                    known.key == assignment.key.path() && known.source == assignment.origin
                })
            {
                self.faults.push(fault(assignment, message, help));
            }
        }
    }

    fn assign(&mut self, assignment: &Assignment, resolve: bool) -> Result<(), Wrong> {
        let texts = texts(&assignment.value)?;
        match &assignment.key {
            Key::Var(name) => {
                let value = json(&assignment.value);
                // Which variables are secrets, the topologies say, and they are not here: only references are shown.
                match value.as_str().filter(|text| secret::is_reference(text)) {
                    Some(reference) => self.note(assignment, reference.to_owned(), false),
                    None => self.note(assignment, HIDDEN.to_owned(), true),
                }
                self.config.vars.insert(name.clone(), value);
                Ok(())
            }
            Key::Plain(path) => self.assign_plain(path, texts, assignment, resolve),
            Key::Connection { name, field } => {
                let shown = texts.join(",");
                let draft = self.connections.entry(name.clone()).or_default();
                match *field {
                    "brokers" => draft.brokers = Some(brokers(&texts)?),
                    "allow_insecure" => Slot::Flag(&mut draft.switches.insecure)
                        .set(&texts)
                        .map_err(plain)?,
                    _ => Slot::Flag(&mut draft.switches.consumer_protocol)
                        .set(&texts)
                        .map_err(plain)?,
                }
                self.note(assignment, shown, false);
                Ok(())
            }
            Key::Property { connection, name } => {
                let [text] = &*texts else {
                    return Err(plain("takes one value, not a list"));
                };
                if librdkafka::scope(name).is_none() {
                    let meant = key::closest(name, librdkafka::names());
                    let help = meant.map(|meant| format!("did you mean `{meant}`?"));
                    return Err(("librdkafka has no property of this name".to_owned(), help));
                }
                if librdkafka::is_secret(name) {
                    self.inline_allowed(text)?;
                }
                let draft = self.connections.entry(connection.clone()).or_default();
                draft.properties.push(assignment.clone());
                Ok(())
            }
        }
    }

    fn assign_plain(
        &mut self,
        path: &str,
        mut texts: Vec<String>,
        assignment: &Assignment,
        resolve: bool,
    ) -> Result<(), Wrong> {
        let profile = self.config.profile;
        let mut slots = slot::slots(&mut self.config, &mut self.credentials);
        let (_, slot) = slots
            .iter_mut()
            .find(|(key, _)| *key == path)
            .expect("the key was found among the slots");
        let is_secret = matches!(slot, Slot::Secret(_));
        let is_credential = is_secret || matches!(slot, Slot::User(_));
        let reference = match &*texts {
            [text] if is_credential && secret::is_reference(text) => Some(text.clone()),
            [_] if is_secret && profile != Profile::Dev => return Err(inline_refused(profile)),
            _ => None,
        };
        let mut warnings = Vec::new();
        if let (Some(reference), true) = (&reference, resolve)
            && let Some(secret) =
                secret::resolve(reference, &self.sources.environment, &mut warnings)
                    .map_err(plain)?
        {
            texts = vec![secret.expose().to_owned()];
        }
        slot.set(&texts).map_err(plain)?;
        let shown = match (slot.show(), reference) {
            (Some(shown), _) => shown,
            (None, Some(reference)) => reference,
            (None, None) if is_secret => HIDDEN.to_owned(),
            (None, None) => texts.concat(),
        };
        drop(slots);
        self.config.warnings.append(&mut warnings);
        self.note(assignment, shown, is_secret);
        Ok(())
    }

    fn inline_allowed(&self, text: &str) -> Result<(), Wrong> {
        match self.config.profile {
            Profile::Dev => Ok(()),
            _ if secret::is_reference(text) => Ok(()),
            profile => Err(inline_refused(profile)),
        }
    }

    /// Remembers what is shown of a value.
    pub fn note(&mut self, assignment: &Assignment, value: String, secret: bool) {
        let key = assignment.key.path();
        let entry = Entry {
            key: key.clone(),
            value: Some(value),
            source: assignment.origin.clone(),
            secret,
        };
        self.entries.insert(key, entry);
    }

    /// What can only be judged once everything is read.
    fn finish(mut self) -> Result<Config, ConfigFaults> {
        for (name, draft) in std::mem::take(&mut self.connections) {
            if let Some(connection) = self.connection(name, draft) {
                self.config
                    .connections
                    .insert(connection.name.clone(), connection);
            }
        }
        // A refused value would look like a missing one.
        if !self
            .faults
            .iter()
            .any(|fault| fault.key.starts_with("registry."))
        {
            self.registry();
        }
        let limits = &self.config.limits;
        for (small_key, small, large_key, large) in [
            (
                "limits.in_flight_records_per_partition",
                limits.in_flight_records_per_partition,
                "limits.in_flight_records",
                limits.in_flight_records,
            ),
            (
                "limits.in_flight_bytes_per_partition",
                limits.in_flight_bytes_per_partition,
                "limits.in_flight_bytes",
                limits.in_flight_bytes,
            ),
        ] {
            if small > large {
                self.faults.push(ConfigFault {
                    key: small_key.to_owned(),
                    source: self.source_of(small_key),
                    message: format!(
                        "{small} for one partition is more than {large} for the process"
                    ),
                    help: Some(format!("lower it, or raise `{large_key}`")),
                });
            }
        }
        if !self.faults.is_empty() {
            return Err(ConfigFaults(self.faults));
        }
        // In the order of the table, then connections and variables by name; what is not set by anybody is a default.
        let mut entries = Vec::new();
        for (key, slot) in slot::slots(&mut self.config, &mut self.credentials) {
            entries.push(self.entries.remove(key).unwrap_or_else(|| Entry {
                key: key.to_owned(),
                value: slot.show(),
                source: "default".to_owned(),
                secret: matches!(slot, Slot::Secret(_)),
            }));
        }
        self.config.entries = self.entries.into_values().chain(entries).collect();
        Ok(self.config)
    }

    /// Where the value of a key came from; empty if nobody set it.
    pub fn source_of(&self, key: &str) -> String {
        let entry = self.entries.get(key);
        entry.map(|entry| entry.source.clone()).unwrap_or_default()
    }
}

/// Shown in place of a secret.
pub const HIDDEN: &str = "<hidden>";

fn plain(message: impl Into<String>) -> Wrong {
    (message.into(), None)
}

fn inline_refused(profile: Profile) -> Wrong {
    (
        format!(
            "is a secret written inline, which the profile `{}` does not permit",
            profile.name()
        ),
        Some("write `file:/path/of/secret` or `env:NAME_OF_VARIABLE`".to_owned()),
    )
}

/// A fault of one assignment.
pub fn fault(assignment: &Assignment, message: String, help: Option<String>) -> ConfigFault {
    ConfigFault {
        key: assignment.key.path(),
        source: assignment.origin.clone(),
        message,
        help,
    }
}

/// A value as texts: one, or those of a list.
pub fn texts(value: &ValueKind) -> Result<Vec<String>, Wrong> {
    let one = |kind: &ValueKind| match kind {
        ValueKind::String(text) => Ok(text.clone()),
        ValueKind::Boolean(value) => Ok(value.to_string()),
        ValueKind::I64(value) => Ok(value.to_string()),
        ValueKind::I128(value) => Ok(value.to_string()),
        ValueKind::U64(value) => Ok(value.to_string()),
        ValueKind::U128(value) => Ok(value.to_string()),
        ValueKind::Float(value) => Ok(value.to_string()),
        ValueKind::Nil => Err(plain("has no value")),
        ValueKind::Table(_) | ValueKind::Array(_) => {
            Err(plain("takes one value, or a list of values"))
        }
    };
    match value {
        ValueKind::Array(values) => values.iter().map(|value| one(&value.kind)).collect(),
        single => Ok(vec![one(single)?]),
    }
}

/// A value for topologies, with the type it was written in.
fn json(value: &ValueKind) -> serde_json::Value {
    match value {
        ValueKind::Boolean(value) => (*value).into(),
        ValueKind::I64(value) => (*value).into(),
        ValueKind::U64(value) => (*value).into(),
        ValueKind::Float(value) => (*value).into(),
        ValueKind::Array(values) => values.iter().map(|value| json(&value.kind)).collect(),
        ValueKind::String(text) => text.clone().into(),
        other => other.to_string().into(),
    }
}
