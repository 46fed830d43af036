//! `lockgate describe`: the flow of a topology.

use std::io::Write;
use std::path::PathBuf;

use super::{Exit, Global, stdout};
use crate::topology::{self, describe};

/// The words of `lockgate describe`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate describe topologies/orders.yaml\n  lockgate describe topologies/orders.yaml --format mermaid\n  lockgate describe topologies/orders.yaml --format markdown > orders.md\n  lockgate describe topologies/orders.yaml --json"
)]
pub struct Args {
    /// A topology file, or a folder of them.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
    /// Short for `--format json`.
    #[arg(long)]
    pub json: bool,
}

/// The ways to show a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal: flow, topics, ACLs, guarantee.
    Text,
    /// A Mermaid flow chart.
    Mermaid,
    /// One JSON object per topology.
    Json,
    /// A page of Markdown: flow, routes, and where every field of the outputs comes from.
    Markdown,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.vars()?;
    let mut out = stdout();
    let all = match topology::load_watched(
        std::slice::from_ref(&args.path),
        args.avro.as_deref(),
        &vars,
    ) {
        Ok(all) => all,
        Err(faults) => {
            write!(super::stderr(), "{}", faults.render(true))?;
            return Ok(Exit::Usage);
        }
    };
    let format = if args.json { Format::Json } else { args.format };
    for (index, watched) in all.iter().enumerate() {
        let plan = &watched.plan;
        match format {
            Format::Text => {
                if index > 0 {
                    writeln!(out)?;
                }
                write!(out, "{}", describe::text(plan))?;
            }
            Format::Markdown => {
                if index > 0 {
                    writeln!(out)?;
                }
                write!(out, "{}", describe::markdown(watched))?;
            }
            Format::Mermaid => write!(out, "{}", describe::mermaid(plan))?,
            Format::Json => writeln!(out, "{}", describe::json(plan))?,
        }
    }
    Ok(Exit::Done)
}
