//! `lockgate dlq`: dead letters.

use super::{Exit, Global};

/// The words of `lockgate dlq`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate dlq list --topic orders.dlq\n  lockgate dlq show --topic orders.dlq 0:17\n  lockgate dlq redrive --topic orders.dlq --reason bad_frame --dry-run"
)]
pub struct Args {
    /// What to do with the dead letters.
    #[command(subcommand)]
    pub command: Command,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate dlq` is not built yet")
}

/// What to do with dead letters.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Count them, grouped by topology, route and reason.
    List {
        /// The dead letter topic.
        #[arg(long, value_name = "T")]
        topic: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
}
