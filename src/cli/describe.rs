//! `lockgate describe`: the flow of a topology.

use std::path::PathBuf;

use super::{Exit, Global};

/// The words of `lockgate describe`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lockgate describe topologies/orders.yaml")]
pub struct Args {
    /// A topology file.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate describe` is not built yet")
}
