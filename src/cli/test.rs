//! `lockgate test`: the test cases beside topologies.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::{Exit, Global, stdout};
use crate::topology::cases::{self, Outcome};
use crate::topology::{self, Faults, Plan};

/// The words of `lockgate test`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate test topologies/\n  lockgate test topologies/orders.yaml --json\n\nThe cases of orders.yaml are in orders.test.yaml beside it."
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A case that was run.
struct Done {
    topology: String,
    file: String,
    line: usize,
    name: String,
    outcome: Outcome,
}

/// Runs the command: exit 1 if a case failed, 64 if the topologies or the cases have faults.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.config()?.vars;
    let done =
        topology::load(&args.paths, args.avro.as_deref(), &vars).and_then(|plans| run_all(&plans));
    let mut out = stdout();
    let done = match done {
        Ok(done) => done,
        Err(faults) if args.json => {
            writeln!(out, "{}", faults.to_json())?;
            return Ok(Exit::Usage);
        }
        Err(faults) => {
            write!(super::stderr(), "{}", faults.render(true))?;
            return Ok(Exit::Usage);
        }
    };
    if args.json {
        print_json(&done, &mut out)?;
    } else {
        print_text(&done, &mut out)?;
    }
    let passed = done
        .iter()
        .all(|case| matches!(case.outcome, Outcome::Passed));
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn run_all(plans: &[Arc<Plan>]) -> Result<Vec<Done>, Faults> {
    let mut faults = Faults::default();
    let mut done = Vec::new();
    for plan in plans {
        let Some(path) = cases::beside(&plan.path) else {
            continue;
        };
        let Some(cases) = cases::read(&path, plan, &mut faults) else {
            continue;
        };
        for case in &cases.list {
            done.push(Done {
                topology: plan.id.clone(),
                file: path.display().to_string(),
                line: cases.file.position(case.span.start).0,
                name: case.name.clone(),
                outcome: cases::run(plan, case),
            });
        }
    }
    if faults.is_empty() {
        Ok(done)
    } else {
        Err(faults)
    }
}

fn print_text(done: &[Done], out: &mut impl Write) -> anyhow::Result<()> {
    let green = anstyle::AnsiColor::Green.on_default();
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let mut failed = 0;
    for case in done {
        let Done {
            topology,
            file,
            line,
            name,
            outcome,
        } = case;
        match outcome {
            Outcome::Passed => writeln!(out, "{green}ok{green:#}    {topology}: {name}")?,
            Outcome::Failed(differences) => {
                failed += 1;
                writeln!(out, "{red}FAIL{red:#}  {topology}: {name} ({file}:{line})")?;
                writeln!(out, "      - expected  + got")?;
                for difference in differences {
                    writeln!(
                        out,
                        "      {}",
                        difference.to_string().replace('\n', "\n      ")
                    )?;
                }
            }
            Outcome::Broken(why) => {
                failed += 1;
                writeln!(out, "{red}FAIL{red:#}  {topology}: {name} ({file}:{line})")?;
                writeln!(out, "      {why}")?;
            }
        }
    }
    match done.len() {
        0 => writeln!(
            out,
            "no test cases: write them into NAME.test.yaml beside NAME.yaml"
        )?,
        all => writeln!(out, "{} passed, {failed} failed", all - failed)?,
    }
    Ok(())
}

fn print_json(done: &[Done], out: &mut impl Write) -> anyhow::Result<()> {
    let cases: Vec<_> = done
        .iter()
        .map(|case| {
            let (passed, differences, error) = match &case.outcome {
                Outcome::Passed => (true, Vec::new(), None),
                Outcome::Failed(differences) => {
                    let list = differences
                        .iter()
                        .map(|one| json!({ "path": one.path, "expected": one.expected, "actual": one.actual }));
                    (false, list.collect(), None)
                }
                Outcome::Broken(why) => (false, Vec::new(), Some(why)),
            };
            json!({
                "topology": case.topology,
                "file": case.file,
                "line": case.line,
                "name": case.name,
                "passed": passed,
                "differences": differences,
                "error": error,
            })
        })
        .collect();
    let passed = done
        .iter()
        .filter(|case| matches!(case.outcome, Outcome::Passed))
        .count();
    let failed = done.len() - passed;
    writeln!(
        out,
        "{}",
        json!({ "cases": cases, "passed": passed, "failed": failed })
    )?;
    Ok(())
}
