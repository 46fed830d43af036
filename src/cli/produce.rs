//! `lockgate produce`: JSON lines to a topic.

use std::path::PathBuf;

use super::{Exit, Global};

/// The words of `lockgate produce`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate produce --topic orders --key id events.jsonl\n  cat events.jsonl | lockgate produce --topic orders"
)]
pub struct Args {
    /// JSON lines to read [default: standard input].
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Topic to write to; the schema is the latest of its value subject.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// Kafka connection of the configuration.
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub connection: String,
    /// Field that becomes the key.
    #[arg(long, value_name = "FIELD")]
    pub key: Option<String>,
}

/// Runs the command.
pub fn run(_args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("`lockgate produce` is not built yet")
}
