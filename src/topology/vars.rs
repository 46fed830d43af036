//! Typed variables: what the topology declares, what the configuration sets, constants in the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::fault::{Fault, Faults, Severity, Source, nearest};
use super::spec::Spec;
use super::tables;
use crate::codec::Decimal;
use crate::expr::{Const, Given, Key};

/// Values of variables by name, as the configuration has them (`vars.NAME`).
pub type Vars = BTreeMap<String, Value>;

/// A secret with fewer bytes than this is warned about: it can be found by trying.
const SECRET_BYTES_MIN: usize = 16;

/// What a secret's value is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// To work with: a secret that is not there is a fault.
    Needed,
    /// To look at topologies: a secret that is not there has a stand-in.
    IfThere,
}

/// A secret that is not there.
#[derive(Debug)]
pub struct Absent {
    /// Which, why, and how to give it.
    pub why: String,
    /// Whether something was made with its stand-in.
    pub used: Arc<AtomicBool>,
}

impl Absent {
    /// Why what was made since this was last asked is worth nothing: one of these secrets had only its stand-in. `None` if all
    /// is well.
    pub fn used(all: &[Absent]) -> Option<&str> {
        let used = |absent: &&Absent| absent.used.swap(false, Ordering::Relaxed);
        // All of them are asked, so that none is still set the next time.
        let lacking: Vec<_> = all.iter().filter(used).collect();
        Some(&lacking.first()?.why)
    }
}

/// The variables of a topology as constants, and as text for `${vars.NAME}`.
#[derive(Debug, Default)]
pub struct Known {
    /// Name and value for expressions.
    pub consts: Vec<(String, Const)>,
    /// Name and value for literal text.
    pub texts: BTreeMap<String, String>,
    /// Tables and secrets.
    pub given: Given,
    /// Secrets that have a stand-in.
    pub absent: Vec<Absent>,
}

/// Settles all variables of a topology.
pub fn settle(spec: &Spec, given: &Vars, secrets: Secrets, faults: &mut Faults) -> Known {
    let mut known = Known::default();
    known.given.tables = tables::load(spec, faults);
    for var in &spec.vars {
        let name = &var.name.value;
        let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            let help = "letters, digits and `_`, not beginning with a digit".to_owned();
            let message = format!("`{name}` is not the name of a variable");
            faults.error("bad_name", &spec.file, &var.name.span, message, help);
            known.given.broken.push(name.clone());
            continue;
        }
        let Some(ty) = &var.ty else {
            known.given.broken.push(name.clone());
            continue;
        };
        let default = var
            .default
            .as_ref()
            .map(|node| (node.to_json(), &node.span));
        if ty.value == "secret" {
            let (value, span) = match (given.get(name), default) {
                (Some(value), _) => (Some(value.clone()), &var.name.span),
                (None, Some((value, span))) => (Some(value), span),
                (None, None) => (None, &var.name.span),
            };
            let key = secret(name, value, (&spec.file, span), faults);
            known.keep(name, key, secrets, (&spec.file, span), faults);
            continue;
        }
        let (value, span) = match (given.get(name), default) {
            (Some(value), _) => (value.clone(), &var.name.span),
            (None, Some((value, span))) => (value, span),
            (None, None) => {
                let message = format!("the variable `{name}` has no value");
                let help = format!("add a `default`, or set vars.{name} in the configuration");
                faults.error("var_missing", &spec.file, &var.name.span, message, help);
                known.given.broken.push(name.clone());
                continue;
            }
        };
        match constant(&ty.value, &value) {
            Some((value, text)) => {
                known.consts.push((name.clone(), value));
                known.texts.insert(name.clone(), text);
            }
            None => {
                let message = format!(
                    "the value of the variable `{name}` is not of the type {}",
                    ty.value
                );
                let help = match ty.value.as_str() {
                    "decimal" => "write it as text: \"12.50\"",
                    "bool" => "write true or false",
                    "string" => "quote it",
                    _ => "write a number of that type",
                };
                faults.error("var_type", &spec.file, span, message, help.to_owned());
                known.given.broken.push(name.clone());
            }
        }
    }
    known
}

/// Why there is no key.
enum NoKey {
    /// What is written is wrong wherever the topology is looked at.
    Wrong(&'static str),
    /// It may be there where the topology runs.
    Missing(String),
}

/// The key that a reference leads to.
fn secret(
    name: &str,
    value: Option<Value>,
    (file, span): (&Arc<Source>, &Range<usize>),
    faults: &mut Faults,
) -> Result<Key, NoKey> {
    let Some(value) = value else {
        return Err(NoKey::Missing(format!("vars.{name} is not set")));
    };
    // What stands there may be the secret itself, so it is not repeated.
    let text = value.as_str().unwrap_or_default();
    let secret = crate::config::secret_of(text).map_err(NoKey::Missing)?;
    let secret = secret.ok_or(NoKey::Wrong("what is set is not a reference"))?;
    let bytes = secret.expose().as_bytes();
    if bytes.len() < SECRET_BYTES_MIN {
        let message = format!(
            "the secret `{name}` has fewer than {SECRET_BYTES_MIN} bytes: it can be found by trying, and so can what it hides"
        );
        faults.push(Fault {
            code: "secret_short",
            severity: Severity::Warning,
            file: file.clone(),
            span: span.clone(),
            message,
            help: Some("make one of 32 random bytes: `openssl rand -hex 32`".to_owned()),
            names: Vec::new(),
        });
    }
    Key::new(bytes).ok_or(NoKey::Wrong("it is no key"))
}

impl Known {
    /// Keeps a secret's key, or a stand-in, so that its uses are checked all the same.
    fn keep(
        &mut self,
        name: &str,
        key: Result<Key, NoKey>,
        secrets: Secrets,
        (file, span): (&Arc<Source>, &Range<usize>),
        faults: &mut Faults,
    ) {
        let variable = name.to_ascii_uppercase();
        let help = format!(
            "under `[vars]` in lockgate.toml write `{name} = \"env:{variable}\"` and set {variable} in the environment, or \
             `{name} = \"file:/run/secrets/{name}\"` and put the secret into that file"
        );
        let why = match key {
            Ok(key) => {
                self.given.secrets.push((name.to_owned(), key));
                return;
            }
            Err(NoKey::Missing(why)) if secrets == Secrets::IfThere => {
                let why = format!("the secret `{name}` is needed and not there: {why}; {help}");
                let used = Arc::new(AtomicBool::new(false));
                let key = Key::stand_in(used.clone()).map(|key| (name.to_owned(), key));
                self.given.secrets.extend(key);
                self.absent.push(Absent { why, used });
                return;
            }
            Err(NoKey::Missing(why)) => why,
            Err(NoKey::Wrong(why)) => why.to_owned(),
        };
        let message = format!("the secret `{name}` is not there: {why}");
        faults.error("secret_missing", file, span, message, help);
        // The fault forbids a plan.
        let key = Key::new(&[0; 32]).map(|key| (name.to_owned(), key));
        self.given.secrets.extend(key);
    }
}

/// Warns of values in the configuration for variables that none of the topologies has: most are misspelt.
pub fn unknown(specs: &[Spec], given: &Vars, faults: &mut Faults) {
    let declared = || specs.iter().flat_map(|spec| &spec.vars);
    for name in given.keys() {
        if declared().any(|var| var.name.value == *name) {
            continue;
        }
        let known = declared().map(|var| var.name.value.as_str());
        let help = match nearest(name, known) {
            Some(near) => format!("did you mean `vars.{near}`?"),
            None => "remove it, or declare it under `vars:` of a topology; `lockgate config` tells where it is set".to_owned(),
        };
        faults.push(Fault {
            code: "var_unknown",
            severity: Severity::Warning,
            file: Arc::new(Source::new("configuration", "")),
            span: 0..0,
            message: format!(
                "vars.{name} is set in the configuration, and no topology here declares `{name}`"
            ),
            help: Some(help),
            names: Vec::new(),
        });
    }
}

/// The value as a constant of the type. Text is read as the type too: environment variables are always text.
pub(super) fn constant(ty: &str, value: &Value) -> Option<(Const, String)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => return None,
    };
    let value = match ty {
        "string" if value.is_string() => Const::Str(text.as_str().into()),
        "int" => Const::Int(text.parse().ok()?),
        "double" => Const::Double(text.parse().ok()?),
        "bool" => Const::Bool(text.parse().ok()?),
        "decimal" => Const::Decimal(Decimal::parse(&text).ok()?),
        _ => return None,
    };
    Some((value, text))
}
