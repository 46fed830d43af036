//! Outputs of a topology in two versions: topic, key, schema, fields, headers.

use std::collections::BTreeMap;

use super::Findings;
use super::schemas::told;
use super::topologies::{Side, changed};
use crate::schema::compare::{Change, difference};
use crate::schema::compat::unreadable;
use crate::topology::describe;
use crate::topology::origin::{Origin, names, origins};
use crate::topology::plan::{OutputSchema, RoutePlan};
use crate::topology::spec::{ActionSpec, KeySpec, MapSpec, RouteSpec};

/// Compares the routes by their names.
pub(super) fn compare(old: Side, new: Side, findings: &mut Findings) {
    let id = &new.plan().id;
    let at = |side: Side, name: &str| {
        let mut all = side.watched.plan.routes.iter();
        all.position(|route| route.name == name)
    };
    for (index, before) in old.plan().routes.iter().enumerate() {
        let subject = format!("{id}, route {}", before.name);
        match at(new, &before.name) {
            Some(other) => route(&subject, (old, index), (new, other), findings),
            None => {
                let message = format!("it wrote to `{}`", before.topic);
                findings.add("route_removed", &subject, message, None);
            }
        }
    }
    for (index, after) in new.plan().routes.iter().enumerate() {
        if at(old, &after.name).is_none() {
            let subject = format!("{id}, route {}", after.name);
            let message = format!("it writes to `{}`", after.topic);
            let place = new.place(new.watched.spec.routes[index].span.start);
            findings.add("route_added", &subject, message, place);
        }
    }
}

fn route(
    subject: &str,
    (old, old_at): (Side, usize),
    (new, new_at): (Side, usize),
    findings: &mut Findings,
) {
    let (before, after) = (&old.plan().routes[old_at], &new.plan().routes[new_at]);
    let (old_spec, new_spec) = (
        &old.watched.spec.routes[old_at],
        &new.watched.spec.routes[new_at],
    );
    let place = || new.place(new_spec.span.start);
    if let Some(message) = changed("the connection", &before.connection, &after.connection) {
        findings.add("connection_changed", subject, message, place());
    }
    if let Some(message) = changed("the topic", &topics(old, before), &topics(new, after)) {
        findings.add("topic_changed", subject, message, place());
    }
    let when = |side: Side, route: &RoutePlan| {
        let when = route.when.as_deref();
        when.map_or_else(|| "always".to_owned(), |when| side.settled(when))
    };
    if let Some(message) = changed("its condition", &when(old, before), &when(new, after)) {
        let at = new_spec
            .when
            .as_ref()
            .map_or(new_spec.span.start, |when| when.span.start);
        findings.add("filter_changed", subject, message, new.place(at));
    }
    if let Some(message) = changed("the key", &key(old, old_spec), &key(new, new_spec)) {
        findings.add("key_changed", subject, message, place());
    }
    let is_cleared = |route: &RouteSpec, tag: &str| {
        let mut all = route.kafka.iter().flat_map(|kafka| &kafka.cleared_for);
        all.any(|known| known.value == tag)
    };
    for tag in new_spec.kafka.iter().flat_map(|kafka| &kafka.cleared_for) {
        if !is_cleared(old_spec, &tag.value) {
            let message = format!("the topic is cleared for `{}` now", tag.value);
            findings.add("cleared", subject, message, new.place(tag.span.start));
        }
    }
    headers(subject, (old, old_spec), (new, new_spec), findings);
    value(subject, (old, old_at), (new, new_at), findings);
}

/// The topics that a route writes to, and how it chooses.
fn topics(side: Side, route: &RoutePlan) -> String {
    let plan = side.plan();
    let mut all: Vec<_> = route
        .topics
        .iter()
        .map(|at| plan.topics[usize::from(*at)].topic.as_str())
        .collect();
    all.sort_unstable();
    match all.as_slice() {
        [one] if *one == route.topic => (*one).to_owned(),
        all => format!("{} of {}", side.settled(&route.topic), all.join(", ")),
    }
}

fn key(side: Side, route: &RouteSpec) -> String {
    let key = route.kafka.as_ref().and_then(|kafka| kafka.key.as_ref());
    match key {
        None => "the record's own".to_owned(),
        Some(KeySpec::Expr(text)) if text.value.trim() == "meta.key" => {
            "the record's own".to_owned()
        }
        Some(KeySpec::Expr(text)) => side.settled(&text.value),
        Some(KeySpec::Avro { map, value }) => {
            let mut parts: Vec<String> = map
                .set
                .iter()
                .map(|(name, text)| format!("{}: {}", name.value, side.settled(&text.value)))
                .collect();
            parts.extend(value.iter().map(|text| side.settled(&text.value)));
            parts.extend(map.from.iter().map(|from| format!("from {}", from.value)));
            parts.extend(
                map.except
                    .iter()
                    .map(|except| format!("except {}", except.value)),
            );
            format!("{} of {}", map.schema.name.value, parts.join(", "))
        }
    }
}

fn headers(
    subject: &str,
    (old, before): (Side, &RouteSpec),
    (new, after): (Side, &RouteSpec),
    findings: &mut Findings,
) {
    let all = |side: Side, route: &RouteSpec| -> BTreeMap<String, (String, usize)> {
        let set = route.kafka.iter().flat_map(|kafka| &kafka.headers);
        set.map(|(name, text)| {
            (
                name.value.clone(),
                (side.settled(&text.value), text.span.start),
            )
        })
        .collect()
    };
    let (before, after) = (all(old, before), all(new, after));
    for (name, (was, _)) in &before {
        match after.get(name) {
            None => {
                let message = format!("the header `{name}` is gone");
                findings.add("header_removed", subject, message, None);
            }
            Some((is, at)) => {
                if let Some(message) = changed(&format!("the header `{name}`"), was, is) {
                    findings.add("header_changed", subject, message, new.place(*at));
                }
            }
        }
    }
    for (name, (_, at)) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let message = format!("the header `{name}` is new");
        findings.add("header_added", subject, message, new.place(*at));
    }
}

/// What a route sends: its schema, and where each field comes from, followed through the steps.
struct Sent<'a> {
    output: Option<&'a OutputSchema>,
    fields: BTreeMap<String, String>,
}

fn sent<'a>(side: &'a Side<'a>, index: usize) -> Sent<'a> {
    let spec = &side.watched.spec;
    let steps = spec.steps.iter().filter_map(|step| match &step.action {
        Some(ActionSpec::Map(map)) => Some(map),
        _ => None,
    });
    let maps: Vec<&MapSpec> = steps.chain(spec.routes[index].map.as_ref()).collect();
    let mut sent = Sent {
        output: None,
        fields: BTreeMap::new(),
    };
    for map in maps {
        let known: Vec<String> = sent.fields.keys().cloned().collect();
        let Some((output, list)) = origins(map, &side.watched.plan, &known) else {
            continue;
        };
        let mut fields = BTreeMap::new();
        for (name, origin) in names(output).into_iter().zip(list) {
            let from = match origin {
                Origin::Set(text) => side.settled(&text),
                // What a copy of `out` is made of is what the field before was made of.
                Origin::Copied(path) => match path.strip_prefix("out.") {
                    Some(field) => sent.fields.get(field).cloned().unwrap_or(path),
                    None => path,
                },
                Origin::Default => "the default".to_owned(),
            };
            fields.insert(name, from);
        }
        sent = Sent {
            output: Some(output),
            fields,
        };
    }
    sent
}

fn value(
    subject: &str,
    (old, old_at): (Side, usize),
    (new, new_at): (Side, usize),
    findings: &mut Findings,
) {
    let place = || new.place(new.watched.spec.routes[new_at].span.start);
    let (before, after) = (sent(&old, old_at), sent(&new, new_at));
    let forms = (
        describe::body(&old.plan().routes[old_at]),
        describe::body(&new.plan().routes[new_at]),
    );
    let subjects = |sent: &Sent| {
        let subject = sent.output.map(|output| output.subject.clone());
        subject.unwrap_or_else(|| "the value as it came".to_owned())
    };
    let schema = changed("the value's schema", &subjects(&before), &subjects(&after));
    if let Some(message) = schema.or_else(|| changed("the value", &forms.0, &forms.1)) {
        findings.add("output_schema_changed", subject, message, place());
    }
    let (Some(was), Some(is)) = (before.output, after.output) else {
        return;
    };
    let why = unreadable(&was.schema, &is.schema);
    if !why.is_empty() {
        findings.add("output_unreadable", subject, told(&why), place());
    }
    for change in difference(&is.schema, &was.schema) {
        let (code, message) = match &change {
            Change::FieldRemoved { path } => {
                ("field_removed", format!("the field `{path}` is gone"))
            }
            Change::FieldAdded { path } => ("field_added", format!("the field `{path}` is new")),
            Change::TypeChanged { .. } | Change::SymbolsChanged { .. } if !why.is_empty() => {
                continue;
            }
            other => ("field_type_changed", other.to_string()),
        };
        findings.add(code, subject, message, place());
    }
    for (name, was) in &before.fields {
        let is = after.fields.get(name);
        let message = is.and_then(|is| changed(&format!("the field `{name}`"), was, is));
        if let Some(message) = message {
            findings.add("field_origin_changed", subject, message, place());
        }
    }
}
