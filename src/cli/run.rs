//! `lockgate run`: the worker.

use std::path::PathBuf;

use super::{Exit, Global};

/// The words of `lockgate run`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate run topologies/\n  lockgate run topologies/orders.yaml --until latest"
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Stop at the end offsets seen at the start, with exit 0: for back-fills.
    #[arg(long, value_enum, value_name = "END")]
    pub until: Option<Until>,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate run` is not built yet")
}

/// Where a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// At the end offsets seen at the start.
    Latest,
}
