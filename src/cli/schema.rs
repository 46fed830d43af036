//! `lockgate schema`: JSON Schemas for editors.

use std::io::Write;

use super::{Exit, Global, stdout};
use crate::topology::json_schema;

/// The words of `lockgate schema`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lockgate schema topology > topology.schema.json")]
pub struct Args {
    /// Which schema.
    #[arg(value_enum, value_name = "WHAT")]
    pub what: What,
}

/// The schemas there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// The format of topology files.
    Topology,
}

/// Runs the command.
pub fn run(args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    let schema = match args.what {
        What::Topology => json_schema::topology(),
    };
    writeln!(stdout(), "{schema:#}")?;
    Ok(Exit::Done)
}
