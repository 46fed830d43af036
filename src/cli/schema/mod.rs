//! `lockgate schema`: what the registry has and what the topologies need of it, and the JSON Schema of topology files.

use std::io::Write;

use super::{Exit, Global, stdout};
use crate::registry::Client;
use crate::topology::json_schema;

mod compare;
mod list;
mod register;

/// The words of `lockgate schema`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate schema list\n  lockgate schema register orders.clean-value avro/orders.clean-value.avsc --dry-run\n  lockgate schema compare topologies/\n  lockgate schema topology > topology.schema.json"
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with schemas.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the subjects of the registry, or the versions of one.
    List(list::Args),
    /// Register an Avro schema under a subject, or ask whether the registry would take it.
    Register(register::Args),
    /// Compare the schemas that topologies name with those of the registry; exit 1 if a worker could not work with these.
    Compare(compare::Args),
    /// Print the JSON Schema of topology files, for editors.
    #[command(after_help = "Examples:\n  lockgate schema topology > topology.schema.json")]
    Topology,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => list::run(args, global),
        Command::Register(args) => register::run(args, global),
        Command::Compare(args) => compare::run(args, global),
        Command::Topology => {
            writeln!(stdout(), "{:#}", json_schema::topology())?;
            Ok(Exit::Done)
        }
    }
}

/// The words of a registry about a schema that it would not take.
fn refusal(words: &[String]) -> String {
    match words.is_empty() {
        true => "it gives no reason".to_owned(),
        false => words.join("; "),
    }
}

/// A runtime, and the registry of the configuration.
fn registry(config: &crate::config::Config) -> anyhow::Result<(tokio::runtime::Runtime, Client)> {
    Ok((super::runtime()?, Client::new(&config.registry)?))
}
