//! Topologies of one id in two versions: what they promise, read and keep.

use std::collections::BTreeMap;

use super::{Findings, Version, routes};
use crate::topology::cases::one_line;
use crate::topology::describe;
use crate::topology::fault::Faults;
use crate::topology::load::Watched;
use crate::topology::plan::{Delivery, KeyFormat, Ordering, Plan, SourcePlan, StartFrom};
use crate::topology::spec::ActionSpec;
use crate::topology::vars::{self, Secrets, Vars};

/// A topology on one side of a comparison.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub watched: &'a Watched,
    /// Names and values of its variables.
    pub vars: &'a BTreeMap<String, String>,
}

impl Side<'_> {
    pub fn plan(&self) -> &Plan {
        &self.watched.plan
    }

    /// File and line of a byte.
    pub fn place(&self, at: usize) -> Option<(String, usize)> {
        let file = &self.watched.spec.file;
        Some((file.path.display().to_string(), file.position(at).0))
    }

    /// An expression on one line, with the values of the variables that it names.
    pub fn settled(&self, text: &str) -> String {
        let mut shown = one_line(text);
        let named = self.vars.iter().filter(|(name, _)| {
            let path = format!("vars.{name}");
            text.match_indices(&path).any(|(at, _)| {
                let next = text[at + path.len()..].chars().next();
                !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        });
        let values: Vec<_> = named
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        if !values.is_empty() {
            shown = format!("{shown} (with {})", values.join(", "));
        }
        shown
    }
}

/// Compares the topologies of two versions by their ids. Returns those of the old one that the new one has too.
pub(super) fn compare<'a>(
    old: &'a Version,
    new: &Version,
    given: &Vars,
    findings: &mut Findings,
) -> Vec<&'a Watched> {
    let settle = |watched: &Watched| {
        let mut faults = Faults::default();
        vars::settle(&watched.spec, given, Secrets::IfThere, &mut faults).texts
    };
    let of = |version: &Version, id: &str| {
        let mut all = version.topologies.iter();
        all.position(|watched| watched.plan.id == id)
    };
    let mut taken = Vec::new();
    let mut counterparts = Vec::new();
    for before in &old.topologies {
        let id = &before.plan.id;
        let same = of(new, id);
        let found = same.or_else(|| {
            // Under another id: in the same file, or from the same sources to the same topics.
            let mut all = new.topologies.iter();
            all.position(|after| of(old, &after.plan.id).is_none() && is_same(before, after))
        });
        let Some(at) = found else {
            if new.is_part {
                continue;
            }
            let topics: Vec<_> = before
                .plan
                .topics
                .iter()
                .map(|topic| topic.topic.as_str())
                .collect();
            let message = format!("it wrote to {}", topics.join(", "));
            findings.add("topology_removed", id, message, None);
            continue;
        };
        let after = &new.topologies[at];
        taken.push(at);
        counterparts.push(before);
        let (old_vars, new_vars) = (settle(before), settle(after));
        let sides = (
            Side {
                watched: before,
                vars: &old_vars,
            },
            Side {
                watched: after,
                vars: &new_vars,
            },
        );
        if same.is_none() {
            let span = after.spec.id.as_ref().map_or(0, |id| id.span.start);
            let message = format!("the id was `{id}` and is `{}`", after.plan.id);
            findings.add("id_renamed", &after.plan.id, message, sides.1.place(span));
        }
        promises(sides.0, sides.1, findings);
        sources(sides.0, sides.1, findings);
        steps(sides.0, sides.1, findings);
        routes::compare(sides.0, sides.1, findings);
    }
    for (at, after) in new.topologies.iter().enumerate() {
        if !taken.contains(&at) {
            let message = format!("it is not in {}", old.name);
            findings.add("topology_added", &after.plan.id, message, None);
        }
    }
    counterparts
}

fn is_same(old: &Watched, new: &Watched) -> bool {
    let file = |watched: &Watched| watched.plan.path.file_name().map(ToOwned::to_owned);
    let sources = |watched: &Watched| -> Vec<String> {
        watched
            .plan
            .sources
            .iter()
            .map(|source| source.topic.clone())
            .collect()
    };
    let topics = |watched: &Watched| watched.plan.topics.clone();
    file(old) == file(new) || (sources(old) == sources(new) && topics(old) == topics(new))
}

/// `was … and is …`, if they differ.
pub(super) fn changed(what: &str, old: &str, new: &str) -> Option<String> {
    let shown = |text: &str| match text.is_empty() {
        true => "nothing".to_owned(),
        false => format!("`{text}`"),
    };
    (old != new).then(|| format!("{what} was {} and is {}", shown(old), shown(new)))
}

fn promises(old: Side, new: Side, findings: &mut Findings) {
    let (before, after) = (old.plan(), new.plan());
    let id = &after.id;
    let delivery = |plan: &Plan| match plan.delivery {
        Delivery::AtLeastOnce => "at_least_once",
    };
    if let Some(message) = changed("delivery", delivery(before), delivery(after)) {
        findings.add("delivery_changed", id, message, None);
    }
    let ordering = |plan: &Plan| match plan.ordering {
        Ordering::None => (0, "none"),
        Ordering::Key => (1, "key"),
        Ordering::Partition => (2, "partition"),
    };
    let (was, is) = (ordering(before), ordering(after));
    if let Some(message) = changed("ordering", was.1, is.1) {
        let code = match is.0 < was.0 {
            true => "ordering_weakened",
            false => "ordering_strengthened",
        };
        let at = new
            .watched
            .spec
            .ordering
            .as_ref()
            .map(|text| text.span.start);
        findings.add(code, id, message, at.and_then(|at| new.place(at)));
    }
    let dead_letter = |plan: &Plan| {
        let topic = &plan.topics[usize::from(plan.dead_letter)];
        format!("{} on {}", topic.topic, topic.connection)
    };
    let message = changed(
        "the dead letter topic",
        &dead_letter(before),
        &dead_letter(after),
    );
    if let Some(message) = message {
        findings.add("dead_letter_changed", id, message, None);
    }
    if let Some(message) = changed(
        "the connection of the sources",
        &before.connection,
        &after.connection,
    ) {
        findings.add("connection_changed", id, message, None);
    }
    let matching = |plan: &Plan| if plan.match_all { "all" } else { "first" };
    if let Some(message) = changed("match", matching(before), matching(after)) {
        findings.add("filter_changed", id, message, None);
    }
    let unmatched = |plan: &Plan| format!("{:?}", plan.unmatched);
    if unmatched(before) != unmatched(after) {
        let message = "`unmatched` is another word: events that no route takes end otherwise";
        findings.add("filter_changed", id, message, None);
    }
}

fn sources(old: Side, new: Side, findings: &mut Findings) {
    let id = &new.plan().id;
    let find = |side: Side, topic: &str| -> Option<SourcePlan> {
        let mut all = side.watched.plan.sources.iter();
        all.find(|source| source.topic == topic).cloned()
    };
    for before in &old.plan().sources {
        let topic = &before.topic;
        let subject = format!("{id}, source {topic}");
        let Some(after) = find(new, topic) else {
            findings.add(
                "source_removed",
                id,
                format!("`{topic}` was a source"),
                None,
            );
            continue;
        };
        let key = |source: &SourcePlan| match &source.key {
            KeyFormat::Avro(schema) => format!("avro {}", schema.subject),
            KeyFormat::Text => "string".to_owned(),
            KeyFormat::Bytes => "bytes".to_owned(),
        };
        for (what, was, is) in [
            (
                "the envelope",
                format!("{:?}", before.envelope),
                format!("{:?}", after.envelope),
            ),
            ("the key", key(before), key(&after)),
            (
                "the value's schema",
                before.value.subject.clone(),
                after.value.subject.clone(),
            ),
            (
                "where the schema ids of keys stand",
                format!("{:?}", before.key_id_from),
                format!("{:?}", after.key_id_from),
            ),
            (
                "where the schema ids of values stand",
                format!("{:?}", before.value_id_from),
                format!("{:?}", after.value_id_from),
            ),
        ] {
            if let Some(message) = changed(what, &was.to_lowercase(), &is.to_lowercase()) {
                findings.add("source_changed", &subject, message, None);
            }
        }
        let start = |source: &SourcePlan| match source.start_from {
            StartFrom::Earliest => "earliest",
            StartFrom::Latest => "latest",
        };
        if let Some(message) = changed("start_from", start(before), start(&after)) {
            findings.add("start_from_changed", &subject, message, None);
        }
        if before.replica_identity != after.replica_identity {
            let word =
                |source: &SourcePlan| format!("{:?}", source.replica_identity).to_lowercase();
            let message = changed("replica_identity", &word(before), &word(&after));
            findings.add(
                "replica_identity_changed",
                &subject,
                message.unwrap_or_default(),
                None,
            );
        }
        // Tombstones, placeholders and Debezium's other records, as `describe` says them.
        let ends = |source: &SourcePlan| describe::endings(source);
        for ((what, was), (_, is)) in ends(before).into_iter().zip(ends(&after)) {
            if let Some(message) = changed(what, was, is) {
                findings.add("filter_changed", &subject, message, None);
            }
        }
    }
    for after in &new.plan().sources {
        if find(old, &after.topic).is_none() {
            let message = format!("`{}` is a source now", after.topic);
            findings.add("source_added", id, message, None);
        }
    }
}

/// The rules among the steps, by name.
fn steps(old: Side, new: Side, findings: &mut Findings) {
    let rules = |side: Side| -> Vec<(String, String, usize)> {
        let steps = side.watched.spec.steps.iter();
        steps
            .filter_map(|step| {
                let (word, text) = match step.action.as_ref()? {
                    ActionSpec::Keep(text) => ("keep", text),
                    ActionSpec::Drop(text) => ("drop", text),
                    ActionSpec::Require(text) => ("require", text),
                    ActionSpec::Map(_) => return None,
                };
                let rule = format!("{word} {}", side.settled(&text.value));
                Some((step.name.as_ref()?.value.clone(), rule, text.span.start))
            })
            .collect()
    };
    let id = &new.plan().id;
    let (before, after) = (rules(old), rules(new));
    for (name, was, _) in &before {
        let subject = format!("{id}, step {name}");
        match after.iter().find(|(other, ..)| other == name) {
            None => {
                let message = format!("the rule `{was}` is gone");
                findings.add("filter_changed", &subject, message, None);
            }
            Some((_, is, at)) => {
                if let Some(message) = changed("the rule", was, is) {
                    findings.add("filter_changed", &subject, message, new.place(*at));
                }
            }
        }
    }
    for (name, is, at) in &after {
        if !before.iter().any(|(other, ..)| other == name) {
            let subject = format!("{id}, step {name}");
            let message = format!("the rule `{is}` is new");
            findings.add("filter_changed", &subject, message, new.place(*at));
        }
    }
}
