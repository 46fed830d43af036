//! `lockgate check`: prove topologies, offline.

use std::io::Write;
use std::path::PathBuf;

use super::{Exit, Global, against, stdout};
use crate::topology;

/// The words of `lockgate check`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate check topologies/\n  lockgate check topologies/orders.yaml --json\n  lockgate check topologies/ --avro schemas/\n  lockgate check topologies/ --against main --level FULL_TRANSITIVE"
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
    /// The earlier version.
    #[command(flatten)]
    pub against: against::Earlier,
}

/// Runs the command: every error, warning and note of all files, and which topologies are sound. Only errors fail it.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.vars()?;
    let mut out = stdout();
    let avro = args.avro.as_deref();
    let (plans, faults) = topology::check(&args.paths, avro, &vars);
    let compares = faults.is_ok() && !args.against.against.is_empty();
    if args.json && compares {
        drop(out);
        let found = Some(faults.to_json());
        return against::run(&args.against, &args.paths, avro, &vars, found);
    }
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
    if compares {
        drop(out);
        return against::run(&args.against, &args.paths, avro, &vars, None);
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
