//! Schemas of one name in several versions.

use super::{Findings, Version};
use crate::schema::Schema;
use crate::schema::compat::{Direction, Level, breaks, unreadable};
use crate::schema::resolve::{Mismatch, resolvable};

/// Reasons that are told of one schema.
const TOLD_MAX: usize = 5;

/// Compares every schema that is asked for with its earlier versions.
pub(super) fn compare(
    earlier: &[Version],
    new: &Version,
    level: Level,
    is_asked: &dyn Fn(&str) -> bool,
    findings: &mut Findings,
) {
    let Some(last) = earlier.last() else { return };
    for name in last.schemas.keys().filter(|name| is_asked(name)) {
        if !new.schemas.contains_key(name) {
            let message = format!("it was in {}", last.name);
            findings.add("schema_removed", &subject(name), message, None);
        }
    }
    for (name, schema) in new.schemas.iter().filter(|(name, _)| is_asked(name)) {
        let versions: Vec<(&Version, &Schema)> = earlier
            .iter()
            .filter_map(|version| Some((version, &**version.schemas.get(name)?)))
            .collect();
        let Some((_, before)) = versions.last() else {
            let message = format!("it is not in {}", last.name);
            findings.add("schema_added", &subject(name), message, None);
            continue;
        };
        let schemas: Vec<&Schema> = versions.iter().map(|(_, schema)| *schema).collect();
        for found in breaks(level, schema, &schemas) {
            let version = &versions[found.version].0.name;
            let who = match found.direction {
                Direction::Backward => format!("it cannot read data of {version}"),
                Direction::Forward => format!("{version} cannot read its data"),
            };
            let message = format!("not {level}: {who}: {}", told(&found.why));
            findings.add("schema_incompatible", &subject(name), message, None);
        }
        // What Avro lets pass and our own resolution does not is a change of meaning.
        if unreadable(schema, before).is_empty()
            && let Err(why) = resolvable(before, schema)
        {
            findings.add("schema_meaning_changed", &subject(name), told(&why), None);
        }
    }
}

fn subject(name: &str) -> String {
    format!("schema {name}")
}

/// The first reasons.
pub(super) fn told(why: &[Mismatch]) -> String {
    let mut list: Vec<String> = why.iter().take(TOLD_MAX).map(Mismatch::to_string).collect();
    if why.len() > TOLD_MAX {
        list.push(format!("{} more", why.len() - TOLD_MAX));
    }
    list.join("; ")
}
