//! `lockgate demo`: the main job on an embedded broker and registry.

use super::{Exit, Global};

/// The words of `lockgate demo`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate demo\n  lockgate demo --records 1000000 --json\n  lockgate demo --serve --rate 1000"
)]
pub struct Args {
    /// Source records to write, tombstones and poison included.
    #[arg(long, default_value_t = 200_000, value_name = "N")]
    pub records: u64,
    /// Records per second [default: as fast as it goes].
    #[arg(long, value_name = "R")]
    pub rate: Option<u64>,
    /// Seed of the generated events [default: a random one, which is printed].
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Share of poison records.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub poison: f64,
    /// Go on until Ctrl-C, so that the status page can be looked at.
    #[arg(long)]
    pub serve: bool,
    /// Print the account as JSON in the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate demo` is not built yet")
}
