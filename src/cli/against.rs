//! `lockgate check --against`: what changed since an earlier version, out of a folder or a git revision.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anstyle::AnsiColor;
use anyhow::Context;
use serde_json::{Value, json};

use super::UsageError;
use crate::schema::compat::Level;
use crate::topology::against::{Finding, Version, compare};
use crate::topology::fault::Source;
use crate::topology::files::{self, Schemas};
use crate::topology::{self, Vars, Watched};
use crate::words;

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

/// The files of a version.
#[derive(Default)]
struct Files {
    name: String,
    topologies: Vec<Arc<Source>>,
    /// Name and text.
    schemas: Vec<(String, String)>,
}

impl Files {
    fn add(&mut self, path: &Path, source: impl FnOnce(String) -> Source, text: Vec<u8>) {
        let text = String::from_utf8_lossy(&text).into_owned();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        match path.extension().and_then(|end| end.to_str()) {
            Some("avsc") => self.schemas.push((stem.into_owned(), text)),
            Some("yaml" | "yml") if !files::is_test(path) => {
                self.topologies.push(Arc::new(source(text)));
            }
            _ => {}
        }
    }
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

/// A folder or file of an earlier version that cannot be read.
fn unreadable(path: &Path, error: &io::Error) -> UsageError {
    let (why, help) = (words::of_io(error), words::remedy(error));
    UsageError(format!("{} cannot be read: {why}; {help}", path.display()))
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, UsageError> {
    let read = fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut entries = read.map_err(|error| unreadable(folder, &error))?;
    entries.sort();
    Ok(entries)
}

/// Reads the files of a folder, not of its folders.
fn read_folder(folder: &Path, into: &mut Files) -> Result<(), UsageError> {
    for path in entries(folder)?.iter().filter(|path| !path.is_dir()) {
        let is_ours = path
            .extension()
            .is_some_and(|end| end == "avsc" || end == "yaml" || end == "yml");
        if is_ours {
            let text = fs::read(path).map_err(|error| unreadable(path, &error))?;
            into.add(path, |text| Source::new(path, text), text);
        }
    }
    Ok(())
}

/// The version in a folder, or the versions in its folders.
fn of_folder(folder: &Path) -> anyhow::Result<Vec<Files>> {
    if let Some(files) = version_in(folder)? {
        return Ok(vec![files]);
    }
    let mut inner = entries(folder)?;
    inner.retain(|path| path.is_dir());
    inner.sort_by_key(|path| natural(&path.file_name().unwrap_or_default().to_string_lossy()));
    let mut versions = Vec::new();
    for path in &inner {
        versions.extend(version_in(path)?);
    }
    match versions.is_empty() {
        true => Err(UsageError(format!(
            "--against {}: the folder holds no `avro/`, no `topologies/`, no schemas and no folders of these",
            folder.display()
        ))
        .into()),
        false => Ok(versions),
    }
}

/// The version in a folder: in its `avro/` and `topologies/`, or in itself. The schemas of a folder of topologies are where
/// those of all topologies are.
fn version_in(folder: &Path) -> Result<Option<Files>, UsageError> {
    let mut files = Files {
        name: folder.display().to_string(),
        ..Files::default()
    };
    let inner = folder.join("topologies");
    match inner.is_dir() {
        true => read_folder(&inner, &mut files)?,
        false => read_folder(folder, &mut files)?,
    }
    let mut avro = folder.join("avro");
    if let (Some(topology), []) = (files.topologies.first(), files.schemas.as_slice())
        && !avro.is_dir()
    {
        avro = Schemas::new(None).folder(&topology.path);
    }
    if avro.is_dir() {
        read_folder(&avro, &mut files)?;
    }
    let is_empty = files.topologies.is_empty() && files.schemas.is_empty();
    Ok((!is_empty).then_some(files))
}

/// `v2` before `v10`: numbers count as numbers.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(text);
        let end = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let (digits, next) = after.split_at(end);
        parts.push((0, word.to_owned()));
        parts.push((digits.parse().unwrap_or(u64::MAX), String::new()));
        rest = next;
    }
    parts
}

/// The topologies of the paths, and the schemas of the folders, as they were at a revision.
fn of_revision(name: &str, paths: &[PathBuf], folders: &[PathBuf]) -> anyhow::Result<Files> {
    let first = paths.first().context("no path is given")?;
    let beside = match first.is_dir() {
        true => first.as_path(),
        false => first
            .parent()
            .filter(|path| !path.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    };
    let unknown = |why: String| {
        let what = match fs::metadata(name) {
            Ok(_) => "this is a file, not a folder".to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => "this is no folder".to_owned(),
            Err(error) => words::of_io(&error),
        };
        UsageError(format!(
            "--against {name}: {what}, and no git revision: {why}"
        ))
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let top = git(beside, &["rev-parse", "--show-toplevel"]).map_err(unknown)?;
    let top = fs::canonicalize(text(top)).context("the top of the git repository is gone")?;
    let wanted = format!("{name}^{{commit}}");
    let words = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &wanted,
    ];
    let commit = text(git(&top, &words).map_err(|why| {
        let why = if why.is_empty() {
            format!("the repository {} has none of this name", top.display())
        } else {
            why
        };
        unknown(why)
    })?);
    let mut found = Files {
        name: name.to_owned(),
        ..Files::default()
    };
    for path in paths.iter().chain(folders) {
        let whole = fs::canonicalize(path)
            .with_context(|| format!("{} cannot be found", path.display()))?;
        let Ok(inside) = whole.strip_prefix(&top) else {
            let message = format!(
                "{} is not in the git repository {}: its earlier version cannot be read",
                path.display(),
                top.display()
            );
            return Err(UsageError(message).into());
        };
        let folder = inside.to_string_lossy().into_owned();
        let pathspec = if folder.is_empty() {
            ".".to_owned()
        } else {
            format!(":(literal){folder}")
        };
        let words = [
            "ls-tree",
            "-r",
            "-z",
            "--name-only",
            &commit,
            "--",
            &pathspec,
        ];
        let list = git(&top, &words)
            .map_err(|why| anyhow::anyhow!("listing {folder} of {name} failed: {why}"))?;
        let list = String::from_utf8_lossy(&list).into_owned();
        for file in list.split('\0').filter(|file| !file.is_empty()) {
            let file = Path::new(file);
            // What the path names, not what lies deeper.
            if file != inside && file.parent() != Some(inside) {
                continue;
            }
            let text = blob(&top, &commit, file).map_err(|why| {
                anyhow::anyhow!("reading {} of {name} failed: {why}", file.display())
            })?;
            let source = |text| {
                let shown = format!("{name}:{}", file.display());
                let (top, commit, file) = (top.clone(), commit.clone(), file.to_owned());
                Source::new(shown, text).with_beside(move |name| {
                    let text = blob(&top, &commit, &from(&file, name));
                    let text = text.map_err(|_| io::Error::from(ErrorKind::NotFound))?;
                    String::from_utf8(text).map_err(|_| ErrorKind::InvalidData.into())
                })
            };
            found.add(file, source, text);
        }
    }
    if found.topologies.is_empty() && found.schemas.is_empty() {
        let list: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(UsageError(format!(
            "--against {name}: the revision has no {}",
            list.join(", ")
        ))
        .into());
    }
    Ok(found)
}

/// A file as it was in a commit.
fn blob(top: &Path, commit: &str, file: &Path) -> Result<Vec<u8>, String> {
    let object = format!("{commit}:{}", file.display());
    git(top, &["cat-file", "blob", &object])
}

/// The path of a file that another one names, without `..`: git knows none.
fn from(file: &Path, name: &str) -> PathBuf {
    let mut path = file.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(name).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// The output of git in a folder, or what it says is wrong.
fn git(folder: &Path, words: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().next().unwrap_or_default();
            Err(match first.contains("not a git repository") {
                true => format!("{} is in no git repository", folder.display()),
                false => first.trim_start_matches("fatal: ").to_owned(),
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("the program `git` was not found".to_owned())
        }
        Err(error) => Err(format!("running git failed: {}", words::of_io(&error))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_of_their_numbers() {
        let mut names = ["v10", "v9", "2026-02-1", "v2", "2026-01-31", "v2b"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["2026-01-31", "2026-02-1", "v2", "v2b", "v9", "v10"]);
    }
}
