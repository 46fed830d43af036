//! `lockgate check`: prove topologies, offline.

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::{Exit, Global, against, stdout};
use crate::topology;

/// The words of `lockgate check`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate check topologies/\n  lockgate check topologies/orders.yaml --json\n  lockgate check topologies/ --avro schemas/\n  lockgate check topologies/ --against main --level FULL_TRANSITIVE\n\nThe values of secrets are not needed. Exit 64 if there is an error, 1 if a change breaks somebody."
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` in or beside the folder of the topology].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Print the faults as JSON.
    #[arg(long)]
    pub json: bool,
    /// The earlier version.
    #[command(flatten)]
    pub against: against::Earlier,
}

/// Runs the command: every error, warning and note of all files; without an error, that the topologies are sound, and what
/// changed since the earlier version.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.vars()?;
    let avro = args.avro.as_deref();
    let (plans, faults) = topology::check(&args.paths, avro, &vars);
    let is_asked = !args.against.against.is_empty();
    let compared = match is_asked && faults.is_ok() {
        true => Some(against::run(&args.against, &args.paths, avro, &vars)?),
        false => None,
    };
    let exit = match &compared {
        _ if !faults.is_ok() => Exit::Usage,
        Some(compared) if !compared.is_fine() => Exit::Failed,
        _ => Exit::Done,
    };
    let mut out = stdout();
    if args.json {
        let mut object = faults.to_json();
        if is_asked {
            args.against.head(&mut object);
            // Not an empty list where nothing was compared.
            object["findings"] = Value::Null;
        }
        if let Some(compared) = &compared {
            compared.add_to(&mut object);
        }
        writeln!(out, "{object}")?;
        return Ok(exit);
    }
    write!(out, "{}", faults.render(true))?;
    // A verdict on some beside errors of others would be read as one on all.
    for plan in plans.iter().filter(|_| faults.is_ok()) {
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
    match &compared {
        Some(compared) => compared.show(&mut out)?,
        None if is_asked => {
            let earlier = args.against.against.join(", ");
            writeln!(
                out,
                "against {earlier}: not compared; mend the errors first"
            )?;
        }
        None => {}
    }
    Ok(exit)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
