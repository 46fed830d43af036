//! Which files belong to a set of paths, and the Avro schemas beside them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::fault::{Faults, Source, nearest};
use crate::input::{FILE_BYTES_MAX, text_of};
use crate::schema::Schema;
use crate::words;

/// The topology files of the paths, in order: files as given, folders by name without their `*.test.yaml`.
pub fn topologies(paths: &[PathBuf], faults: &mut Faults) -> Vec<Arc<Source>> {
    let mut sources: Vec<Arc<Source>> = Vec::new();
    for path in paths {
        if is_test(path) {
            let message = format!("{} holds test cases, not a topology", path.display());
            let help = "name the topology that it stands beside";
            nowhere(faults, path, "no_topology", message, help);
            continue;
        }
        if !path.is_dir() {
            sources.extend(open(path, faults));
            continue;
        }
        match folder(path) {
            Ok(files) if files.is_empty() => {
                let message = format!("no topology in the folder {}", path.display());
                let help = "topologies are files named *.yaml";
                nowhere(faults, path, "no_topology", message, help);
            }
            Ok(files) => {
                let read = files.iter().filter_map(|file| open(file, faults));
                sources.extend(without_tables(read.collect()));
            }
            Err(error) => unreadable(faults, path, "the folder ", &error),
        }
    }
    let mut seen = Vec::new();
    sources.retain(|source| {
        let path = source
            .path
            .canonicalize()
            .unwrap_or_else(|_| source.path.clone());
        let new = !seen.contains(&path);
        seen.push(path);
        new
    });
    sources
}

/// Leaves out the tables of the topologies beside them: files that are a list, and that a topology names.
pub fn without_tables(mut files: Vec<Arc<Source>>) -> Vec<Arc<Source>> {
    let is_table = |file: &Arc<Source>| {
        let mut lines = file.text.lines().map(str::trim_start);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#') && *line != "---");
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let is_list = first.is_some_and(|line| line.starts_with(['-', '[']));
        let mut others = files.iter().filter(|other| !Arc::ptr_eq(other, file));
        is_list && others.any(|other| other.text.contains(&*name))
    };
    let tables: Vec<_> = files.iter().map(is_table).collect();
    let mut tables = tables.into_iter();
    files.retain(|_| !tables.next().unwrap_or_default());
    files
}

/// Whether a file holds test cases rather than a topology.
pub fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Reads a file; a fault if that fails.
pub fn open(path: &Path, faults: &mut Faults) -> Option<Arc<Source>> {
    match text_of(path, FILE_BYTES_MAX) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            Some(Arc::new(Source::new(path, text)))
        }
        Err(error) => {
            unreadable(faults, path, "", &error);
            None
        }
    }
}

fn unreadable(faults: &mut Faults, path: &Path, what: &str, error: &io::Error) {
    let why = words::of_io(error);
    let message = format!("{what}{} cannot be read: {why}", path.display());
    nowhere(
        faults,
        path,
        "file_unreadable",
        message,
        words::remedy(error),
    );
}

/// A fault of a file as a whole.
fn nowhere(faults: &mut Faults, path: &Path, code: &'static str, message: String, help: &str) {
    let file = Arc::new(Source::new(path, ""));
    faults.error(code, &file, &(0..0), message, help.to_owned());
}

fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let is_yaml = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        if is_yaml && !is_test(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The Avro schemas that topologies name, each read once.
#[derive(Debug, Default)]
pub struct Schemas {
    given: Option<PathBuf>,
    /// Whether there are no others than those known.
    is_closed: bool,
    known: BTreeMap<PathBuf, Result<Arc<Schema>, String>>,
}

impl Schemas {
    /// Schemas of the folder, or of the folder `avro` beside each topology.
    pub fn new(folder: Option<&Path>) -> Schemas {
        Schemas {
            given: folder.map(Path::to_owned),
            is_closed: false,
            known: BTreeMap::new(),
        }
    }

    /// Schemas that the program carries in itself: name and text.
    pub fn embedded<'a>(schemas: impl IntoIterator<Item = (&'a str, &'a str)>) -> Schemas {
        let folder = PathBuf::from("avro");
        let parse = |text| {
            Schema::parse(text)
                .map(Arc::new)
                .map_err(|fault| fault.to_string())
        };
        Schemas {
            known: schemas
                .into_iter()
                .map(|(name, text)| (folder.join(format!("{name}.avsc")), parse(text)))
                .collect(),
            given: Some(folder),
            is_closed: true,
        }
    }

    /// Where the schemas of a topology file are: as given, else `avro` in its folder or beside its folder. A link is looked
    /// for where it stands, then where it leads.
    pub fn folder(&self, topology: &Path) -> PathBuf {
        if let Some(given) = &self.given {
            return given.clone();
        }
        let here = topology.parent().unwrap_or(Path::new(""));
        let inside = here.join("avro");
        let mut places = vec![inside.clone(), above(here).join("avro")];
        if let Ok(real) = topology.canonicalize() {
            let folders = real.ancestors().skip(1).take(2);
            places.extend(folders.map(|folder| folder.join("avro")));
        }
        let found = places.into_iter().find(|place| place.is_dir());
        found.unwrap_or(inside)
    }

    /// The schema of a name; a fault at the place that names it if there is none.
    pub fn get(
        &mut self,
        file: &Arc<Source>,
        name: &str,
        span: &Range<usize>,
        faults: &mut Faults,
    ) -> Option<Arc<Schema>> {
        let folder = self.folder(&file.path);
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            let message = format!("`{name}` is not the name of a schema");
            let help = "write the name of a file in `avro/`, without folder and without `.avsc`"
                .to_owned();
            faults.error("bad_name", file, span, message, help);
            return None;
        }
        let path = folder.join(format!("{name}.avsc"));
        if !self.known.contains_key(&path) {
            let read = match self.is_closed {
                true => Err(ErrorKind::NotFound.into()),
                false => text_of(&path, FILE_BYTES_MAX),
            };
            match read {
                Ok(text) => {
                    let schema = Schema::parse(&text).map(Arc::new);
                    let read = schema.map_err(|fault| fault.to_string());
                    self.known.insert(path.clone(), read);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.missing(file, name, span, &folder, faults);
                }
                Err(error) => {
                    let why = words::of_io(&error);
                    let message = format!("the schema {} cannot be read: {why}", path.display());
                    let help = words::remedy(&error).to_owned();
                    faults.error("file_unreadable", file, span, message, help);
                }
            }
        }
        match self.known.get(&path)? {
            Ok(schema) => Some(schema.clone()),
            Err(why) => {
                let message = format!("the schema {} is not valid: {why}", path.display());
                faults.error(
                    "schema_invalid",
                    file,
                    span,
                    message,
                    "mend the schema".to_owned(),
                );
                None
            }
        }
    }

    fn missing(
        &self,
        file: &Arc<Source>,
        name: &str,
        span: &Range<usize>,
        folder: &Path,
        faults: &mut Faults,
    ) {
        let is_there = self.is_closed || folder.is_dir();
        let message = match is_there {
            true => format!("there is no schema `{name}` in {}", folder.display()),
            false => format!(
                "there is no schema `{name}`, and no folder {}",
                folder.display()
            ),
        };
        let stems = stems(folder);
        let stem = name.strip_suffix(".avsc").unwrap_or(name);
        let path = folder.join(format!("{stem}.avsc"));
        let help = match nearest(stem, stems.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if is_there => format!("put it into {}", path.display()),
            None if self.given.is_some() => "check the path after `--avro`".to_owned(),
            None => format!(
                "put it into {}, or name the folder of the schemas with `--avro`",
                path.display()
            ),
        };
        faults.error("schema_missing", file, span, message, help);
    }
}

/// The folder above a folder, as it is written: `..` where the path says nothing of it.
fn above(folder: &Path) -> PathBuf {
    match folder.components().next_back() {
        Some(Component::Normal(_)) => folder.parent().unwrap_or(Path::new("")).to_owned(),
        None | Some(Component::CurDir) => PathBuf::from(".."),
        Some(_) => folder.join(".."),
    }
}

fn stems(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "avsc"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect()
}
