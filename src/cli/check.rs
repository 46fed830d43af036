//! `lockgate check`: prove topologies, offline.

use std::path::PathBuf;

use super::{Exit, Global};

/// The words of `lockgate check`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate check topologies/\n  lockgate check topologies/orders.yaml --json"
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Print the faults as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate check` is not built yet")
}
