//! Which files belong to a set of paths, and the Avro schemas beside them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{Faults, Source, nearest};
use crate::schema::Schema;

/// The topology files of the paths, in order: files as given, folders by name without their `*.test.yaml`.
pub fn topologies(paths: &[PathBuf], faults: &mut Faults) -> Vec<Arc<Source>> {
    let mut sources: Vec<Arc<Source>> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = folder(path);
            if files.is_empty() {
                let message = format!("no topology in the folder {}", path.display());
                nowhere(
                    faults,
                    path,
                    "no_topology",
                    message,
                    "topologies are files named *.yaml",
                );
            }
            files
                .iter()
                .for_each(|file| sources.extend(open(file, faults)));
        } else {
            sources.extend(open(path, faults));
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

/// Whether a file holds test cases rather than a topology.
pub fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Reads a file; a fault if that fails.
pub fn open(path: &Path, faults: &mut Faults) -> Option<Arc<Source>> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Some(Arc::new(Source::new(
                path,
                text.strip_prefix('\u{feff}').unwrap_or(&text),
            ))),
            Err(_) => {
                let message = format!("{} is not UTF-8", path.display());
                nowhere(faults, path, "file_unreadable", message, "save it as UTF-8");
                None
            }
        },
        Err(error) => {
            let message = format!("reading {} failed: {error}", path.display());
            nowhere(faults, path, "file_unreadable", message, "check the path");
            None
        }
    }
}

fn nowhere(faults: &mut Faults, path: &Path, code: &'static str, message: String, help: &str) {
    let file = Arc::new(Source::new(path, ""));
    faults.error(code, &file, &(0..0), message, help.to_owned());
}

fn folder(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "yaml" || end == "yml")
        })
        .filter(|path| !is_test(path))
        .collect();
    files.sort();
    files
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

    /// Where the schemas of a topology file are: as given, else `avro` in its folder or beside its folder.
    pub fn folder(&self, topology: &Path) -> PathBuf {
        if let Some(given) = &self.given {
            return given.clone();
        }
        let beside = topology.parent().unwrap_or(Path::new(""));
        let inside = beside.join("avro");
        let above = match beside.parent() {
            Some(above) => above.join("avro"),
            None => beside.join("../avro"),
        };
        if !inside.is_dir() && above.is_dir() {
            above
        } else {
            inside
        }
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
        if !self.known.contains_key(&path) && (self.is_closed || !path.is_file()) {
            let message = format!("there is no schema `{name}` in {}", folder.display());
            let stems = stems(&folder);
            let stem = name.strip_suffix(".avsc").unwrap_or(name);
            let help = match nearest(stem, stems.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("put it into {}", path.display()),
            };
            faults.error("schema_missing", file, span, message, help);
            return None;
        }
        let read = self.known.entry(path.clone()).or_insert_with(|| {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            Schema::parse(&text)
                .map(Arc::new)
                .map_err(|fault| fault.to_string())
        });
        match read {
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
