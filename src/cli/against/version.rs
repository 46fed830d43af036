//! The files of an earlier version: out of a folder, or of a git revision.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::UsageError;
use crate::input;
use crate::topology::fault::Source;
use crate::topology::files::{self, Schemas};
use crate::words;

/// The files of a version.
#[derive(Default)]
pub(super) struct Files {
    pub name: String,
    pub topologies: Vec<Arc<Source>>,
    /// Name and text.
    pub schemas: Vec<(String, String)>,
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
pub(super) fn read_folder(folder: &Path, into: &mut Files) -> Result<(), UsageError> {
    for path in entries(folder)?.iter().filter(|path| !path.is_dir()) {
        let is_ours = path
            .extension()
            .is_some_and(|end| end == "avsc" || end == "yaml" || end == "yml");
        if is_ours {
            let text = input::bytes_of(path, input::FILE_BYTES_MAX)
                .map_err(|error| unreadable(path, &error))?;
            into.add(path, |text| Source::new(path, text), text);
        }
    }
    Ok(())
}

/// The version in a folder, or the versions in its folders.
pub(super) fn of_folder(folder: &Path) -> anyhow::Result<Vec<Files>> {
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
pub(super) fn of_revision(
    name: &str,
    paths: &[PathBuf],
    folders: &[PathBuf],
) -> anyhow::Result<Files> {
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
