//! `lockgate test`: the test cases beside topologies.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Exit, Global, stderr, stdout};
use crate::topology::cases::{self, Cases, Coverage, Outcome, Ran};
use crate::topology::files::Schemas;
use crate::topology::{self, Faults, Watched};

mod junit;
mod show;

/// The words of `lockgate test`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate test topologies/\n  lockgate test topologies/orders.yaml --update\n  lockgate test topologies/ --min-coverage 100 --junit report.xml\n\nThe cases of orders.yaml are in orders.test.yaml beside it. Exit 1 if a case failed or a topology's coverage is below the minimum."
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Write what came out into the failed cases' expectations, and say what changed.
    #[arg(long)]
    pub update: bool,
    /// Fail if a topology's cases show less than so many percent of its steps, routes and branches of conditions.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub min_coverage: Option<f64>,
    /// Write the results to a file as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("write a number from 0 to 100".to_owned()),
    }
}

/// A topology whose cases were run.
struct Suite {
    id: String,
    topology: String,
    /// The file of cases; `None` if there is none.
    file: Option<String>,
    cases: Vec<Done>,
    coverage: Coverage,
}

/// A case that was run.
struct Done {
    line: usize,
    name: String,
    ran: Ran,
    /// Its expectation was rewritten.
    updated: bool,
    took: Duration,
}

impl Done {
    /// Whether nothing is left to be mended.
    fn is_fine(&self) -> bool {
        self.updated || matches!(self.ran.outcome, Outcome::Passed)
    }
}

impl Suite {
    /// Whether its cases show less than what is asked for.
    fn lacks(&self, minimum: Option<f64>) -> bool {
        minimum.is_some_and(|minimum| self.coverage.percent() < minimum)
    }
}

/// Runs the command: exit 1 if a case failed or coverage is too low, 64 if the topologies or the cases have faults.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.vars()?;
    let avro = args.avro.as_deref();
    let ran = topology::load_watched(&args.paths, avro, &vars).and_then(|all| run_all(&all, avro));
    let mut out = stdout();
    let mut runs = match ran {
        Ok(runs) => runs,
        Err(faults) if args.json => {
            writeln!(out, "{}", faults.to_json())?;
            return Ok(Exit::Usage);
        }
        Err(faults) => {
            write!(stderr(), "{}", faults.render(true))?;
            return Ok(Exit::Usage);
        }
    };
    if args.update {
        for (suite, cases) in &mut runs {
            if let Some(cases) = cases {
                update(suite, cases)?;
            }
        }
    }
    let suites: Vec<Suite> = runs.into_iter().map(|(suite, _)| suite).collect();
    match args.json {
        true => show::json(&suites, &mut out)?,
        false => show::text(&suites, args.min_coverage, &mut out)?,
    }
    if let Some(path) = &args.junit {
        fs::write(path, junit::report(&suites, args.min_coverage))
            .with_context(|| format!("writing {} failed", path.display()))?;
    }
    let fine = suites
        .iter()
        .all(|suite| suite.cases.iter().all(Done::is_fine) && !suite.lacks(args.min_coverage));
    Ok(if fine { Exit::Done } else { Exit::Failed })
}

/// Every topology's cases, run; topologies without cases too, for they show nothing.
fn run_all(all: &[Watched], avro: Option<&Path>) -> Result<Vec<(Suite, Option<Cases>)>, Faults> {
    let mut faults = Faults::default();
    let mut schemas = Schemas::new(avro);
    let mut runs = Vec::new();
    for watched in all {
        let plan = &watched.plan;
        let path = cases::beside(&plan.path);
        let cases = match &path {
            Some(path) => match cases::read(path, plan, &mut schemas, &mut faults) {
                Some(cases) => Some(cases),
                None => continue,
            },
            None => None,
        };
        let done: Vec<Done> = cases
            .iter()
            .flat_map(|cases| cases.list.iter().map(|case| (&cases.file, case)))
            .map(|(file, case)| {
                let began = Instant::now();
                let mut ran = cases::run(plan, case);
                if let Some(why) = watched.lacks() {
                    ran.outcome = Outcome::Broken(why.to_owned());
                }
                Done {
                    line: file.position(case.span.start).0,
                    name: case.name.clone(),
                    ran,
                    updated: false,
                    took: began.elapsed(),
                }
            })
            .collect();
        let trails: Vec<_> = done.iter().map(|done| done.ran.trail.clone()).collect();
        let suite = Suite {
            id: plan.id.clone(),
            topology: plan.path.display().to_string(),
            file: path.map(|path| path.display().to_string()),
            cases: done,
            coverage: Coverage::of(watched, &trails),
        };
        runs.push((suite, cases));
    }
    if faults.is_empty() {
        Ok(runs)
    } else {
        Err(faults)
    }
}

/// Rewrites the expectations of the cases that failed. What could not be run stays as it is.
fn update(suite: &mut Suite, cases: &Cases) -> anyhow::Result<()> {
    let failed: Vec<_> = suite
        .cases
        .iter()
        .enumerate()
        .filter(|(_, done)| matches!(done.ran.outcome, Outcome::Failed(_)))
        .map(|(index, done)| (index, &done.ran.actual))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let path = &cases.file.path;
    let text = cases::update(cases, &failed)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("updating {} failed, it is unchanged", path.display()))?;
    fs::write(path, text).with_context(|| format!("writing {} failed", path.display()))?;
    for index in failed
        .into_iter()
        .map(|(index, _)| index)
        .collect::<Vec<_>>()
    {
        suite.cases[index].updated = true;
    }
    Ok(())
}
