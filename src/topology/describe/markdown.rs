//! A topology as a page of Markdown: its flow, and where every field of its outputs comes from. Made from the topology, so
//! that it cannot drift from it.

use std::fmt::Write;

use super::{acls, guarantee, key, line, mermaid, one_line, topics};
use crate::expr;
use crate::topology::code::{Body, Computed, Emission, SourceCode};
use crate::topology::load::Watched;
use crate::topology::origin::{Origin, names, origins};
use crate::topology::plan::{
    Envelope, OutputFormat, Plan, ReplicaIdentity, SourcePlan, StartFrom, Tombstones, Unavailable,
    Unmatched,
};
use crate::topology::proof::pii::{Tags, Taint};
use crate::topology::spec::{ActionSpec, MapSpec, RouteSpec};

/// The page of a topology.
pub fn markdown(watched: &Watched) -> String {
    let (plan, spec) = (&watched.plan, &watched.spec);
    let mut out = format!("# {}\n", plan.id);
    if let Some(description) = &plan.description {
        let _ = write!(out, "\n{description}\n");
    }
    let _ = write!(
        out,
        "\n*Made from `{}` by `lockgate describe --format markdown`.*\n",
        plan.path.display()
    );
    let _ = write!(out, "\n## Flow\n\n```mermaid\n{}```\n", mermaid(plan));
    sources(&mut out, plan);
    steps(&mut out, watched);
    routes(&mut out, watched);
    let mut known = Vec::new();
    for (index, step) in spec.steps.iter().enumerate() {
        if let (Some(ActionSpec::Map(map)), Some(name)) = (&step.action, &step.name) {
            let tags = tags(plan, |code| {
                let made = |emission: &Emission| emission.step == Some(index as u16);
                let at = code.emissions.iter().position(made)?;
                Some((at, &[]))
            });
            let of = format!("step {}", name.value);
            known = fields(&mut out, &of, map, plan, &known, &tags);
        }
    }
    for (index, route) in spec.routes.iter().enumerate() {
        if let (Some(map), Some(name)) = (&route.map, &route.name) {
            let tags = tags(plan, |code| {
                let route = code.routes.get(index)?;
                match &route.body {
                    Body::Emission(at) | Body::Json(at, _) => {
                        Some((usize::from(*at), &route.values[..]))
                    }
                    Body::Source | Body::Computed(_) => None,
                }
            });
            fields(
                &mut out,
                &format!("route {}", name.value),
                map,
                plan,
                &known,
                &tags,
            );
        }
    }
    line(
        &mut out,
        "\n## Topics and access\n\n| Connection | | Topic |\n|---|---|---|",
    );
    for (connection, operation, topic) in topics(plan) {
        line(
            &mut out,
            &format!("| {connection} | {operation} | {} |", code(topic)),
        );
    }
    for (connection, commands) in acls(plan) {
        let _ = write!(
            out,
            "\nOn the connection {connection}, and no more:\n\n```sh\n{}\n```\n",
            commands.join("\n")
        );
    }
    line(&mut out, "\n## Guarantee\n");
    for sentence in guarantee(plan) {
        line(&mut out, &format!("- {sentence}"));
    }
    out
}

fn sources(out: &mut String, plan: &Plan) {
    line(
        out,
        "\n## Sources\n\n| Topic | Envelope | Key | Value | Tombstones | Unavailable columns | Replica identity | Begins |\n|---|---|---|---|---|---|---|---|",
    );
    for source in &plan.sources {
        let identity = match (source.envelope, source.replica_identity) {
            (Envelope::None, _) => "",
            (_, ReplicaIdentity::Default) => "default",
            (_, ReplicaIdentity::Full) => "full",
            (_, ReplicaIdentity::Nothing) => "nothing",
        };
        let cells = [
            code(&source.topic),
            super::envelope(source).to_owned(),
            key(source),
            code(&source.value.subject),
            tombstones(source).to_owned(),
            unavailable(source).to_owned(),
            identity.to_owned(),
            match source.start_from {
                StartFrom::Earliest => "earliest",
                StartFrom::Latest => "latest",
            }
            .to_owned(),
        ];
        row(out, &cells);
    }
}

fn tombstones(source: &SourcePlan) -> &'static str {
    match source.tombstones {
        Tombstones::Forward => "forwarded",
        Tombstones::Drop => "filtered",
    }
}

fn unavailable(source: &SourcePlan) -> &'static str {
    match source.unavailable {
        Unavailable::DeadLetter => "dead letter",
        Unavailable::Null => "null",
        Unavailable::Optional => "optional values",
        Unavailable::Keep => "kept as text",
    }
}

fn steps(out: &mut String, watched: &Watched) {
    if watched.spec.steps.is_empty() {
        return;
    }
    line(
        out,
        "\n## Steps\n\n| Step | Does | What ends here |\n|---|---|---|",
    );
    for step in &watched.spec.steps {
        let (does, ends) = match &step.action {
            Some(ActionSpec::Keep(text)) => (
                format!("keeps {}", code(&text.value)),
                "filtered, if it is false",
            ),
            Some(ActionSpec::Drop(text)) => (
                format!("drops {}", code(&text.value)),
                "filtered, if it is true",
            ),
            Some(ActionSpec::Require(text)) => (
                format!("requires {}", code(&text.value)),
                "dead letter `rule`, if it is false",
            ),
            Some(ActionSpec::Map(map)) => (format!("maps to {}", code(&map.schema.name.value)), ""),
            None => continue,
        };
        let name = step.name.as_ref().map_or("", |name| &name.value);
        row(out, &[code(name), does, ends.to_owned()]);
    }
}

fn routes(out: &mut String, watched: &Watched) {
    let plan = &watched.plan;
    line(
        out,
        "\n## Routes\n\n| Route | When | Topic | Key | Headers | Value |\n|---|---|---|---|---|---|",
    );
    for (route, spec) in plan.routes.iter().zip(&watched.spec.routes) {
        let when = route.when.as_deref().map_or("always".to_owned(), code);
        let key = match (&route.key, &route.key_schema) {
            (Some(key), None) => code(key),
            (_, Some(schema)) => format!("{} in Avro", code(schema)),
            (None, None) => "the record's own".to_owned(),
        };
        let value = match (&route.format, &route.schema) {
            (OutputFormat::Plain(text), _) => code(text),
            (OutputFormat::Json(_), Some(schema)) => format!("{} as JSON", code(schema)),
            (OutputFormat::Json(_), None) => "the event as JSON".to_owned(),
            (OutputFormat::Avro, Some(schema)) => code(schema),
            (OutputFormat::Avro, None) => "as it came".to_owned(),
        };
        row(
            out,
            &[
                code(&route.name),
                when,
                code(&route.topic),
                key,
                headers(spec),
                value,
            ],
        );
    }
    let matching = match plan.match_all {
        true => "An event goes to every route whose condition holds",
        false => "An event goes to the first route whose condition holds",
    };
    let unmatched = match plan.unmatched {
        Unmatched::Drop => "filtered",
        Unmatched::DeadLetter => "dead-lettered",
    };
    let dead_letter = &plan.topics[usize::from(plan.dead_letter)].topic;
    let _ = write!(
        out,
        "\n{matching}; one that none takes is {unmatched}. Dead letters go to {}.\n",
        code(dead_letter)
    );
}

fn headers(route: &RouteSpec) -> String {
    let set = route.kafka.iter().flat_map(|kafka| &kafka.headers);
    let all: Vec<_> = set
        .map(|(name, text)| code(&format!("{}: {}", name.value, one_line(&text.value))))
        .collect();
    all.join("<br>")
}

/// The tagged fields of the sources that each field of a mapping carries; `find` names its emission for a source, and what
/// a route computes for it.
fn tags<'p>(
    plan: &'p Plan,
    find: impl Fn(&'p SourceCode) -> Option<(usize, &'p [Computed])>,
) -> Vec<Tags> {
    let mut all: Vec<Tags> = Vec::new();
    for code in &plan.code {
        let Some((at, values)) = find(code) else {
            continue;
        };
        let tags = Taint::of_steps(code).emission(at, values);
        all.resize(all.len().max(tags.len()), Tags::new());
        for (all, tags) in all.iter_mut().zip(tags) {
            all.extend(tags);
        }
    }
    all
}

/// The table of a mapping's fields; gives their names. `known` are those of the mapping before.
fn fields(
    out: &mut String,
    of: &str,
    map: &MapSpec,
    plan: &Plan,
    known: &[String],
    tags: &[Tags],
) -> Vec<String> {
    let Some((output, origins)) = origins(map, plan, known) else {
        return known.to_vec();
    };
    let schema = &output.schema;
    let _ = write!(
        out,
        "\n## Fields of {} ({of})\n\n| Field | Type | Source | Expression | Null | Default | PII |\n|---|---|---|---|---|---|---|\n",
        code(&output.subject)
    );
    for (index, (field, origin)) in schema.fields(schema.root).iter().zip(origins).enumerate() {
        let (source, expression) = match origin {
            Origin::Set(text) => {
                let paths = expr::paths(&text);
                let source = match paths.is_empty() {
                    true => "constant".to_owned(),
                    false => list(&paths),
                };
                (source, code(&text))
            }
            Origin::Copied(path) => (code(&path), "copied".to_owned()),
            Origin::Default => ("default".to_owned(), String::new()),
        };
        let (node, nullable) = schema.strip_null(field.ty);
        let default = field.default.as_ref().map(|value| code(&value.to_string()));
        let from: Vec<String> = tags.get(index).into_iter().flatten().cloned().collect();
        let pii = match (field.pii, from.is_empty()) {
            (true, true) => "tagged".to_owned(),
            (true, false) => format!("tagged; from {}", list(&from)),
            (false, false) => format!("from {}", list(&from)),
            (false, true) => String::new(),
        };
        row(
            out,
            &[
                code(&field.name),
                cell(&schema.describe(node)),
                source,
                expression,
                if nullable { "yes" } else { "no" }.to_owned(),
                default.unwrap_or_default(),
                pii,
            ],
        );
    }
    names(output)
}

fn list(paths: &[String]) -> String {
    let all: Vec<_> = paths.iter().map(|path| code(path)).collect();
    all.join(", ")
}

fn row(out: &mut String, cells: &[String]) {
    line(out, &format!("| {} |", cells.join(" | ")));
}

/// Text as code in a cell of a table.
fn code(text: &str) -> String {
    let text = cell(&one_line(text));
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
