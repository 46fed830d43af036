//! Where the fields of a mapping come from, as written: for those who show it. What is compiled settles the same in
//! `compile/mapping.rs`, with types.

use super::plan::{OutputSchema, Plan};
use super::spec::MapSpec;
use crate::schema::Schema;

/// Where a field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An expression under `set`.
    Set(String),
    /// A field of the same name: its path.
    Copied(String),
    /// The schema's default.
    Default,
}

/// The output of a mapping, and the origin of each of its fields in their order. `out` has the fields of the mapping before.
pub fn origins<'p>(
    map: &MapSpec,
    plan: &'p Plan,
    out: &[String],
) -> Option<(&'p OutputSchema, Vec<Origin>)> {
    let named = |schema: &&OutputSchema| schema.name == map.schema.name.value;
    let output = plan.schemas.iter().find(named)?;
    let schema = &output.schema;
    let origin = |name: &str| {
        if let Some((_, text)) = map.set.iter().find(|(key, _)| key.value == name) {
            return Origin::Set(text.value.clone());
        }
        let excepted = map.except.iter().any(|except| except.value == name);
        match &map.from {
            Some(from) if !excepted && has_field(plan, &from.value, out, name) => {
                Origin::Copied(format!("{}.{name}", from.value))
            }
            _ => Origin::Default,
        }
    };
    let fields = schema.fields(schema.root);
    Some((
        output,
        fields.iter().map(|field| origin(&field.name)).collect(),
    ))
}

/// The names of an output's fields.
pub fn names(output: &OutputSchema) -> Vec<String> {
    let schema = &output.schema;
    let fields = schema.fields(schema.root);
    fields.iter().map(|field| field.name.to_string()).collect()
}

/// Whether what is copied from has a field.
fn has_field(plan: &Plan, from: &str, out: &[String], name: &str) -> bool {
    let in_source = |schema: &Schema| {
        let mut node = schema.root;
        for part in from.split('.').skip(1) {
            match schema.field(schema.strip_null(node).0, part) {
                Some((_, field)) => node = field.ty,
                None => return false,
            }
        }
        schema.field(schema.strip_null(node).0, name).is_some()
    };
    match from {
        "out" => out.iter().any(|known| known == name),
        _ => plan
            .sources
            .iter()
            .any(|source| in_source(&source.value.schema)),
    }
}
