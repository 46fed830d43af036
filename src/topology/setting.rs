//! Where an expression stands that is in no file, but is meant for a topology: what it can see there.

use std::path::Path;

use super::fault::{Faults, Severity};
use super::files::{self, Schemas};
use super::vars::{self, Absent, Secrets, Vars};
use super::{compile, read, yaml};
use crate::expr::Env;

/// What expressions see in a topology before its first step.
#[derive(Debug)]
pub struct Setting {
    /// Of each source, by its topic.
    pub sources: Vec<(String, Env)>,
    /// Where nothing is known of the event: variables, tables and secrets.
    pub without_event: Env,
    /// Secrets that have a stand-in.
    absent: Vec<Absent>,
}

impl Setting {
    /// Why what was evaluated since this was last asked is worth nothing: it needed a secret that is not there. `None` if all is
    /// well.
    pub fn lacks(&self) -> Option<&str> {
        Absent::used(&self.absent)
    }
}

/// Reads the variables, tables and sources of a topology file. Whether its steps and routes are right is not asked: who tries an
/// expression is about to mend them.
///
/// # Errors
/// Every error of the variables, tables and sources, sorted.
pub fn setting(path: &Path, schemas: &mut Schemas, vars: &Vars) -> Result<Setting, Faults> {
    let mut faults = Faults::default();
    let found = files::open(path, &mut faults).and_then(|file| {
        let root = yaml::parse(&file, &mut faults)?;
        let spec = read::read(&file, &root, &mut Faults::default());
        let known = vars::settle(&spec, vars, Secrets::IfThere, &mut faults);
        let (sources, without_event) = compile::scopes(&spec, schemas, &known, &mut faults);
        Some(Setting {
            sources,
            without_event,
            absent: known.absent,
        })
    });
    faults.keep(|fault| fault.severity == Severity::Error);
    match found {
        Some(setting) if faults.is_ok() => Ok(setting),
        _ => {
            faults.sort();
            Err(faults)
        }
    }
}
