//! `lockgate check`: prove topologies, offline.

use std::io::Write;
use std::path::PathBuf;

use super::{Exit, Global, stdout};
use crate::topology;

/// The words of `lockgate check`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate check topologies/\n  lockgate check topologies/orders.yaml --json\n  lockgate check topologies/ --avro schemas/"
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Print the faults as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command: every error, warning and note of all files, and which topologies are sound. Only errors fail it.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.config()?.vars;
    let mut out = stdout();
    let (plans, faults) = topology::check(&args.paths, args.avro.as_deref(), &vars);
    if args.json {
        writeln!(out, "{}", faults.to_json())?;
    } else {
        write!(out, "{}", faults.render(true))?;
        for plan in &plans {
            let (sources, routes) = (plan.sources.len(), plan.routes.len());
            writeln!(
                out,
                "{}: sound ({}, {sources} source{}, {routes} route{})",
                plan.id,
                plan.path.display(),
                plural(sources),
                plural(routes)
            )?;
        }
        if !faults.is_empty() {
            writeln!(out, "{}", faults.counted())?;
        }
    }
    Ok(if faults.is_ok() {
        Exit::Done
    } else {
        Exit::Usage
    })
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
