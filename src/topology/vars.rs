//! Typed variables: what the topology declares, what the configuration sets, constants in the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::fault::{Faults, Source};
use super::spec::Spec;
use super::tables;
use crate::codec::Decimal;
use crate::expr::{Const, Given, Key};

/// Values of variables by name, as the configuration has them (`vars.NAME`).
pub type Vars = BTreeMap<String, Value>;

/// The variables of a topology as constants, and as text for `${vars.NAME}`.
#[derive(Debug, Default)]
pub struct Known {
    /// Name and value for expressions.
    pub consts: Vec<(String, Const)>,
    /// Name and value for literal text.
    pub texts: BTreeMap<String, String>,
    /// Tables and secrets.
    pub given: Given,
}

/// Settles all variables of a topology.
pub fn settle(spec: &Spec, given: &Vars, faults: &mut Faults) -> Known {
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
            continue;
        }
        let Some(ty) = &var.ty else { continue };
        let default = var
            .default
            .as_ref()
            .map(|node| (node.to_json(), &node.span));
        let (value, span) = match (given.get(name), default) {
            (Some(value), _) => (value.clone(), &var.name.span),
            (None, Some((value, span))) => (value, span),
            (None, None) => {
                let message = format!("the variable `{name}` has no value");
                let help = format!("add a `default`, or set vars.{name} in the configuration");
                faults.error("var_missing", &spec.file, &var.name.span, message, help);
                continue;
            }
        };
        if ty.value == "secret" {
            let place = (&spec.file, span);
            known
                .given
                .secrets
                .extend(secret(name, &value, place, faults));
            continue;
        }
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
            }
        }
    }
    known
}

/// The key that a reference leads to.
fn secret(
    name: &str,
    value: &Value,
    (file, span): (&Arc<Source>, &Range<usize>),
    faults: &mut Faults,
) -> Option<(String, Key)> {
    let why = match value.as_str().map(crate::config::secret_of) {
        Some(Ok(Some(secret))) => match Key::new(secret.expose().as_bytes()) {
            Some(key) => return Some((name.to_owned(), key)),
            None => "it is no key".to_owned(),
        },
        Some(Err(why)) => why,
        // What stands there may be the secret itself, so it is not repeated.
        Some(Ok(None)) | None => "what is set is not a reference".to_owned(),
    };
    let message = format!("the secret `{name}` is not there: {why}");
    let help = format!("set vars.{name} in the configuration to `env:NAME` or `file:PATH`");
    faults.error("secret_missing", file, span, message, help);
    // The fault forbids a plan; under this key the uses are checked all the same.
    Key::new(&[0; 32]).map(|key| (name.to_owned(), key))
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
