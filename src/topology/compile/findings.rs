//! What the proof of values found, placed in the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::source::{Built, Scope};
use super::{Compiler, Sourced};
use crate::expr::Compiled;
use crate::expr::proof::{Finding, FindingKind, decided};
use crate::schema::{Field, NodeId, Schema};
use crate::topology::code::{Body, SourceCode};
use crate::topology::fault::{Fault, Severity};
use crate::topology::proof::{Rule, fields, pii, reason, unread};
use crate::topology::spec::{ActionSpec, MapSpec, Spec, Text};

/// Names in one message, at most.
const SHOWN_MAX: usize = 12;

impl Compiler<'_> {
    /// The findings of an expression or a template.
    pub(super) fn findings(&mut self, text: &Text, findings: &[Finding]) {
        let mut noted = BTreeSet::new();
        for finding in findings {
            // A part and its own parts may read the same.
            if let FindingKind::BadData(code) = finding.kind
                && !noted.insert((finding.start, code))
            {
                continue;
            }
            let span = self.within(text, finding.start..finding.end);
            match finding.kind {
                FindingKind::CanFail(code) => {
                    let (meaning, remedy) = reason(code);
                    let message = format!("can fail: `{code}`: {meaning}");
                    self.told(Severity::Warning, "can_fail", &span, message, remedy);
                }
                FindingKind::AlwaysFails(code) => {
                    let (meaning, _) = reason(code);
                    let message = format!("this always fails: `{code}`: {meaning}");
                    let help = "correct it; `error(\"…\")` refuses a record on purpose";
                    self.told(Severity::Error, "always_fails", &span, message, help);
                }
                FindingKind::BadData(code) => {
                    let (meaning, remedy) = reason(code);
                    let message = format!("dead-lettered if the data is so: `{code}`: {meaning}");
                    self.told(Severity::Note, "bad_data", &span, message, remedy);
                }
                FindingKind::Always(value) => self.verdicts.part(&span, value),
            }
        }
    }

    /// A whole condition: whether it is decided where it stands.
    pub(super) fn rule(&mut self, text: &Text, rule: Rule, compiled: &Compiled, scope: &Scope) {
        let value = match scope.facts_broken {
            true => None,
            false => decided(&compiled.if_true, &compiled.if_false, &scope.facts),
        };
        self.verdicts.rule(&text.span, rule, value);
    }

    /// A computed value in its field.
    pub(super) fn computed(
        &mut self,
        field: &Field,
        schema: &Arc<Schema>,
        compiled: &Compiled,
        place: &Text,
        copied: bool,
        scope: &Scope,
    ) {
        if copied {
            // The offsets are those of a path that is not written anywhere.
            for finding in &compiled.findings {
                if let FindingKind::BadData(code) = finding.kind {
                    let (meaning, remedy) = reason(code);
                    let message = format!(
                        "`{}.{}` is converted, and dead-lettered if the data is so: `{code}`: {meaning}",
                        place.value, field.name
                    );
                    self.told(Severity::Note, "bad_data", &place.span, message, remedy);
                }
            }
        } else {
            self.findings(place, &compiled.findings);
        }
        self.narrowings(&field.name, schema, field.ty, compiled, place, scope);
    }

    /// What a value may lose in its type.
    pub(super) fn narrowings(
        &mut self,
        name: &str,
        schema: &Schema,
        target: NodeId,
        compiled: &Compiled,
        place: &Text,
        scope: &Scope,
    ) {
        if scope.facts_broken {
            return;
        }
        for found in fields::narrowings(name, compiled, schema, target, &scope.seen()) {
            self.told(
                found.severity,
                found.code,
                &place.span,
                found.message,
                found.help,
            );
        }
    }

    /// A note about the fields of a source that nothing reads.
    pub(super) fn unread_fields(&mut self, source: &Sourced, code: &SourceCode) {
        let (mut unread, all) = unread::fields(code);
        // What a mapping leaves out by name is left out on purpose.
        let spec = self.spec;
        let steps = spec.steps.iter().filter_map(|step| match &step.action {
            Some(ActionSpec::Map(map)) => Some(map),
            _ => None,
        });
        let maps = steps.chain(spec.routes.iter().filter_map(|route| route.map.as_ref()));
        for map in maps {
            unread.retain(|name| {
                let column = name.split_once('.').map_or(&**name, |(column, _)| column);
                !map.except.iter().any(|except| except.value == column)
            });
        }
        let (Some(value), false) = (&source.spec.value, unread.is_empty()) else {
            return;
        };
        let shown: Vec<_> = unread
            .iter()
            .take(SHOWN_MAX)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = match unread.len().checked_sub(SHOWN_MAX) {
            Some(more) if more > 0 => format!(" and {more} more"),
            _ => String::new(),
        };
        let message = format!(
            "nothing reads {}{more} ({} of the {all} fields of `{}`)",
            shown.join(", "),
            unread.len(),
            value.name.value,
        );
        self.faults.push(Fault {
            code: "unread_fields",
            severity: Severity::Note,
            file: self.spec.file.clone(),
            span: value.name.span.clone(),
            message,
            help: Some("list under `except` the columns that are left out on purpose".into()),
            names: unread,
        });
    }

    /// Fields tagged `pii` reach only sinks that are cleared for them.
    pub(super) fn tagged_fields(&mut self, code: &[Built]) {
        let spec = self.spec;
        let is_cleared = |tags: &[Text]| tags.iter().any(|tag| tag.value == "pii");
        let mut all = pii::Tags::new();
        for Built { code, .. } in code {
            all.extend(pii::tagged(&code.reader, "event"));
            if let Some(key) = &code.key_reader {
                all.extend(pii::tagged(key, "meta.key"));
            }
            let taint = pii::Taint::of_steps(code);
            for (route, compiled) in spec.routes.iter().zip(&code.routes) {
                let (Some(kafka), Some(name)) = (&route.kafka, &route.name) else {
                    continue;
                };
                if kafka.unclear.contains(&"cleared_for") {
                    continue;
                }
                let out = match &compiled.body {
                    Body::Emission(at) | Body::Json(at, _) => code.emissions.get(usize::from(*at)),
                    Body::Source | Body::Computed(_) => None,
                };
                let schema = out.map(|out| self.outputs[usize::from(out.schema)].schema.clone());
                let headers: Vec<String> = kafka
                    .headers
                    .iter()
                    .map(|(name, _)| name.value.clone())
                    .collect();
                let carriers = taint.route(compiled, &headers, schema.as_deref());
                if is_cleared(&kafka.cleared_for) {
                    let map = out.and_then(|out| map_of(spec, out.step, route.map.as_ref()));
                    self.untagged(&carriers, map);
                } else if let Some(topic) = &kafka.topic
                    && !carriers.is_empty()
                {
                    let what: Vec<String> = carriers.iter().map(carried).collect();
                    let message = format!(
                        "the route `{}` is not cleared for pii, and gets {}",
                        name.value,
                        what.join("; ")
                    );
                    self.error("pii_not_cleared", &topic.span, message, CLEAR.to_owned());
                }
            }
        }
        if let Some(sink) = &spec.dead_letter
            && let (Some(topic), false) = (&sink.topic, is_cleared(&sink.cleared_for))
            && !sink.unclear.contains(&"cleared_for")
            && !all.is_empty()
        {
            let message = format!(
                "a dead letter carries the whole record, with {} (pii), and the topic is not cleared for it",
                listed(&all)
            );
            let help = "restrict who reads the topic, and write `cleared_for: [pii]`";
            self.told(
                Severity::Warning,
                "dead_letter_not_cleared",
                &topic.span,
                message,
                help,
            );
        }
    }

    /// Fields that carry tags, in a schema that does not say so.
    fn untagged(&mut self, carriers: &[pii::Carrier], map: Option<&MapSpec>) {
        let untagged: Vec<String> = carriers
            .iter()
            .filter(|carrier| carrier.is_tagged == Some(false))
            .map(carried)
            .collect();
        if let (Some(map), false) = (map, untagged.is_empty()) {
            let message = format!(
                "`{}` does not tag what is pii: {}",
                map.schema.name.value,
                untagged.join("; ")
            );
            let help = "add `\"pii\": true` to the field, so that its readers know";
            self.told(
                Severity::Warning,
                "pii_untagged",
                &map.schema.name.span,
                message,
                help,
            );
        }
    }
}

/// The mapping that an emission is made by: a step's, or the route's own.
fn map_of<'m>(spec: &'m Spec, step: Option<u16>, own: Option<&'m MapSpec>) -> Option<&'m MapSpec> {
    match step {
        Some(step) => match &spec.steps.get(usize::from(step))?.action {
            Some(ActionSpec::Map(map)) => Some(map),
            _ => None,
        },
        None => own,
    }
}

const CLEAR: &str = "leave it out, redact it, or clear the sink: `cleared_for: [pii]`";

fn carried(carrier: &pii::Carrier) -> String {
    format!("{} (from {})", carrier.what, listed(&carrier.tags))
}

fn listed(tags: &pii::Tags) -> String {
    let shown: Vec<_> = tags
        .iter()
        .take(SHOWN_MAX)
        .map(|tag| format!("`{tag}`"))
        .collect();
    let more = if tags.len() > SHOWN_MAX {
        " and more"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}
