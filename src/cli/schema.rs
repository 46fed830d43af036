//! `lockgate schema`: JSON Schemas for editors.

use super::{Exit, Global};

/// The words of `lockgate schema`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lockgate schema topology > topology.schema.json")]
pub struct Args {
    /// Which schema.
    #[arg(value_enum, value_name = "WHAT")]
    pub what: What,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate schema` is not built yet")
}

/// The schemas there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// The format of topology files.
    Topology,
}
