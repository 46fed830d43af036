//! `lockgate check --against`: what changed since an earlier version, out of a folder or a git revision.

mod version;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstyle::AnsiColor;
use serde_json::{Value, json};

use super::UsageError;
use crate::schema::compat::Level;
use crate::topology::against::{Finding, Version, compare};
use crate::topology::files::{self, Schemas};
use crate::topology::{self, Vars, Watched};
use version::{Files, of_folder, of_revision, read_folder};

/// The words about an earlier version.
#[derive(clap::Args)]
pub struct Earlier {
    /// Compare with an earlier version, exit 1 if the change breaks somebody: a git revision, or a folder of `avro/` and
    /// `topologies/`, or of topologies with `avro/` beside it, or of versions of these in the order of their names. May be given
    /// several times, oldest first. If files are checked and no folder, only they and their schemas are compared.
    #[arg(long, value_name = "REV|DIR")]
    pub against: Vec<String>,
    /// What versions of a schema owe each other: NONE, BACKWARD, FORWARD, FULL, or one of the latter with _TRANSITIVE, which
    /// counts all versions and not only the last.
    #[arg(long, value_name = "LEVEL", default_value = "BACKWARD", value_parser = level, requires = "against")]
    pub level: Level,
}

impl Earlier {
    /// Says in an object what is compared with, and how.
    pub fn head(&self, object: &mut Value) {
        object["against"] = json!(self.against);
        object["level"] = json!(self.level.name());
    }
}

fn level(text: &str) -> Result<Level, String> {
    let found = Level::ALL
        .into_iter()
        .find(|level| level.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names = Level::ALL.map(Level::name);
        format!("write one of {}", names.join(", "))
    })
}

/// What came of a comparison.
pub struct Compared {
    /// What the versions are called, oldest first.
    names: Vec<String>,
    level: Level,
    findings: Vec<Finding>,
}

/// Compares the topologies of the paths, which are sound, and their schemas with the earlier versions.
pub fn run(
    args: &Earlier,
    paths: &[PathBuf],
    avro: Option<&Path>,
    vars: &Vars,
) -> anyhow::Result<Compared> {
    let topologies = topology::load_watched(paths, avro, vars)
        .map_err(|faults| UsageError(faults.to_string()))?;
    let folders = schema_folders(&topologies, avro);
    let mut now = Files::default();
    for folder in &folders {
        read_folder(folder, &mut now)?;
    }
    let read = Version::read("the present version", &[], &now.schemas, vars);
    let new = Version {
        topologies,
        // Who names files asks about them, not about what lies beside them.
        is_part: !paths.iter().any(|path| path.is_dir()),
        ..read
    };
    let mut earlier = Vec::new();
    for name in &args.against {
        let found = match Path::new(name).is_dir() {
            true => of_folder(Path::new(name))?,
            false => vec![of_revision(name, paths, &folders)?],
        };
        for files in found {
            let topologies = files::without_tables(files.topologies);
            let version = Version::read(&files.name, &topologies, &files.schemas, vars);
            earlier.push(version);
        }
    }
    let findings = compare(&earlier, &new, args.level, vars);
    Ok(Compared {
        names: earlier.into_iter().map(|version| version.name).collect(),
        level: args.level,
        findings,
    })
}

fn schema_folders(topologies: &[Watched], avro: Option<&Path>) -> Vec<PathBuf> {
    let schemas = Schemas::new(avro);
    let mut folders: Vec<PathBuf> = topologies
        .iter()
        .map(|watched| schemas.folder(&watched.plan.path))
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

impl Compared {
    /// Whether nobody is broken.
    pub fn is_fine(&self) -> bool {
        !self.findings.iter().any(Finding::is_break)
    }

    /// Adds it to what `check` says as JSON.
    pub fn add_to(&self, object: &mut Value) {
        object["against"] = json!(self.names);
        object["findings"] = self.findings.iter().map(Finding::json).collect();
    }

    /// Shows it to a person.
    pub fn show(&self, out: &mut impl Write) -> io::Result<()> {
        show(&self.findings, &self.names, self.level, out)
    }
}

fn show(
    findings: &[Finding],
    versions: &[String],
    level: Level,
    out: &mut impl Write,
) -> io::Result<()> {
    let red = AnsiColor::Red.on_default().bold();
    let yellow = AnsiColor::Yellow.on_default().bold();
    let dim = anstyle::Style::new().dimmed();
    for finding in findings {
        let code = finding.code.code;
        match finding.is_break() {
            true => write!(out, "{red}break[{code}]{red:#}")?,
            false => write!(out, "{yellow}change[{code}]{yellow:#}")?,
        }
        writeln!(out, ": {}: {}", finding.subject, finding.message)?;
        if let Some((file, line)) = &finding.place {
            writeln!(out, "  {dim}--> {file}:{line}{dim:#}")?;
        }
        writeln!(out, "  = for whom: {}", finding.code.consequence)?;
        writeln!(out, "  = to do: {}\n", finding.code.remedy)?;
    }
    let breaks = findings.iter().filter(|finding| finding.is_break()).count();
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    writeln!(
        out,
        "against {} ({level}): {}, {}",
        versions.join(", "),
        count(breaks, "break"),
        count(findings.len() - breaks, "change")
    )
}
