//! What is wrong with a configuration.

use std::fmt;

/// One fault: the key, the layer it comes from, what is wrong, what to write instead. Never a secret value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The key, such as `kafka.brokers`; empty where a whole source could not be read.
    pub key: String,
    /// Where the value comes from: a file, `environment variable LOCKGATE__…`, `flag --set`; empty where it is missing.
    pub source: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that can be said.
    pub help: Option<String>,
}

impl std::error::Error for ConfigFault {}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.source.is_empty() {
            write!(f, " (from {})", self.source)?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n    help: {help}")?;
        }
        Ok(())
    }
}

/// Every fault of a configuration. Anywhere in a chain of errors it means exit 64.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

impl std::error::Error for ConfigFaults {}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("a fault in the configuration")?,
            n => write!(f, "{n} faults in the configuration")?,
        }
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl From<ConfigFault> for ConfigFaults {
    fn from(fault: ConfigFault) -> ConfigFaults {
        ConfigFaults(vec![fault])
    }
}
