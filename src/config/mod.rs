//! How this process runs: connections, limits, secrets. What it does is a topology's business.
//!
//! Values are laid over each other: defaults < `lockgate.toml` < `lockgate.PROFILE.toml` < environment
//! (`LOCKGATE__KAFKA__BROKERS`) < flags. Every fault of every layer is reported at once, with the layer it comes from.
//! Secrets are given by reference (`file:PATH`, `env:NAME`); inline only in the profile `dev`.

mod access;
mod connection;
mod fault;
mod key;
mod layer;
mod librdkafka;
mod load;
mod promise;
mod secret;
mod slot;
mod types;

#[cfg(test)]
mod tests;

pub use connection::{Connection, Property, Role};
pub use fault::{ConfigFault, ConfigFaults};
pub use load::{HIDDEN, load, load_offline};
pub use secret::{Secret, secret_of};
pub use types::{
    AdminConfig, Auth, Config, Entry, Limits, LogConfig, LogFormat, Profile, RegistryConfig,
    Sources,
};
