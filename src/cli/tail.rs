//! `lockgate tail`: a topic as JSON.

use super::{Exit, Global};

/// The words of `lockgate tail`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate tail --topic orders.big --from earliest --count 10\n  lockgate tail --topic orders.big --from -1h --json"
)]
pub struct Args {
    /// Topic to read.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// Kafka connection of the configuration.
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub connection: String,
    /// Where to begin: earliest, latest, -1h, an RFC 3339 time, or PARTITION:OFFSET.
    #[arg(
        long,
        default_value = "latest",
        allow_hyphen_values = true,
        value_name = "WHERE"
    )]
    pub from: String,
    /// End after so many records.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// One JSON object per record, with its position, key and headers.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate tail` is not built yet")
}
