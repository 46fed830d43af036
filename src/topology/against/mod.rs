//! What a change of topologies and schemas breaks, for whom, and what to do: the review that nobody can do by eye. Pure:
//! versions are compared as they were read.

mod codes;
mod routes;
mod schemas;
mod topologies;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

pub use codes::{Code, FINDINGS, Severity};

use super::fault::{Faults, Severity as FaultSeverity, Source};
use super::files::Schemas;
use super::load::{Watched, watch_all};
use super::vars::Vars;
use crate::schema::Schema;
use crate::schema::compat::Level;

/// Topologies and schemas at one time.
#[derive(Debug, Default)]
pub struct Version {
    /// What it is called: a revision, a folder.
    pub name: String,
    /// Its topologies, as far as they are sound.
    pub topologies: Vec<Watched>,
    /// Files of it that this program finds unsound: they cannot be compared.
    pub unsound: Vec<Unsound>,
    /// Its schemas by name.
    pub schemas: BTreeMap<String, Arc<Schema>>,
    /// Whether it is not all there is: what other versions have besides its topologies and their schemas is not in question.
    pub is_part: bool,
}

/// A file that cannot be compared.
#[derive(Debug)]
pub struct Unsound {
    /// The file, or the schema by its name.
    pub file: String,
    /// The first fault.
    pub why: String,
    /// The name, if it is a schema.
    schema: Option<String>,
}

impl Version {
    /// A version out of its files: topologies, and names and texts of schemas.
    pub fn read(
        name: &str,
        topologies: &[Arc<Source>],
        schemas: &[(String, String)],
        vars: &Vars,
    ) -> Version {
        let mut version = Version {
            name: name.to_owned(),
            ..Version::default()
        };
        for (stem, text) in schemas {
            match Schema::parse(text) {
                Ok(schema) => {
                    version.schemas.insert(stem.clone(), Arc::new(schema));
                }
                Err(fault) => version.unsound.push(Unsound {
                    file: format!("schema {stem}"),
                    why: fault.to_string(),
                    schema: Some(stem.clone()),
                }),
            }
        }
        let known = schemas
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        let mut faults = Faults::default();
        version.topologies =
            watch_all(topologies, &mut Schemas::embedded(known), vars, &mut faults);
        for fault in faults
            .iter()
            .filter(|fault| fault.severity == FaultSeverity::Error)
        {
            let file = fault.file.path.display().to_string();
            if !version.unsound.iter().any(|known| known.file == file) {
                let why = format!("line {}: {}", fault.position().0, fault.message);
                let schema = None;
                version.unsound.push(Unsound { file, why, schema });
            }
        }
        version
    }
}

/// Something that changed.
#[derive(Debug)]
pub struct Finding {
    /// What kind of change it is.
    pub code: &'static Code,
    /// What changed: `orders, route big`, `schema orders.clean-value`.
    pub subject: String,
    /// From what to what.
    pub message: String,
    /// File and line of the new version, where it is to be seen.
    pub place: Option<(String, usize)>,
}

impl Finding {
    /// Whether somebody is broken by it.
    pub fn is_break(&self) -> bool {
        self.code.severity == Severity::Break
    }

    /// The finding as a program reads it.
    pub fn json(&self) -> Value {
        json!({
            "code": self.code.code,
            "severity": self.code.severity.name(),
            "subject": self.subject,
            "message": self.message,
            "consequence": self.code.consequence,
            "help": self.code.remedy,
            "file": self.place.as_ref().map(|(file, _)| file),
            "line": self.place.as_ref().map(|(_, line)| line),
        })
    }
}

/// All findings, those of one comparison.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding. The code must be in the table.
    fn add(
        &mut self,
        code: &'static str,
        subject: &str,
        message: impl Into<String>,
        place: Option<(String, usize)>,
    ) {
        let known = FINDINGS.iter().find(|known| known.code == code);
        debug_assert!(known.is_some(), "{code} is not in the table");
        self.0.extend(known.map(|code| Finding {
            code,
            subject: subject.to_owned(),
            message: message.into(),
            place,
        }));
    }
}

/// Compares with earlier versions, oldest first. Topologies are compared with the last that has some; schemas, at a
/// transitive level, with all. `vars` are the configuration's values, the same for all versions.
pub fn compare(earlier: &[Version], new: &Version, level: Level, vars: &Vars) -> Vec<Finding> {
    let mut findings = Findings::default();
    let with_topologies = |version: &&Version| {
        let is_topology = |one: &Unsound| one.schema.is_none();
        !version.topologies.is_empty() || version.unsound.iter().any(is_topology)
    };
    let last = earlier.iter().rev().find(with_topologies);
    let counterparts = match last {
        Some(last) => topologies::compare(last, new, vars, &mut findings),
        None => Vec::new(),
    };
    let all = new.topologies.iter().chain(counterparts);
    let named: Option<BTreeSet<&str>> = new
        .is_part
        .then(|| all.flat_map(|watched| watched.spec.schemas()).collect());
    let is_asked = |name: &str| named.as_ref().is_none_or(|named| named.contains(name));
    schemas::compare(earlier, new, level, &is_asked, &mut findings);
    let is_in_question = |version: &Version, one: &Unsound| match &one.schema {
        Some(name) => {
            let is_last = earlier
                .last()
                .is_some_and(|last| std::ptr::eq(last, version));
            let counts = is_last || level.is_transitive() || std::ptr::eq(new, version);
            counts && is_asked(name)
        }
        None => last.is_some_and(|last| {
            let file = Path::new(&one.file).file_name();
            let mut files = new.topologies.iter();
            let is_asked = files.any(|watched| watched.plan.path.file_name() == file);
            std::ptr::eq(last, version) && (is_asked || !new.is_part)
        }),
    };
    for version in earlier.iter().chain([new]) {
        for one in version
            .unsound
            .iter()
            .filter(|one| is_in_question(version, one))
        {
            let subject = match one.file.contains(version.name.as_str()) {
                true => one.file.clone(),
                false => format!("{} of {}", one.file, version.name),
            };
            findings.add("not_compared", &subject, one.why.clone(), None);
        }
    }
    let mut found = findings.0;
    found.sort_by_key(|finding| !finding.is_break());
    found
}
