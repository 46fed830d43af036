//! A topology as a page of Markdown: its flow, and where every field of its outputs comes from. Made from the topology, so
//! that it cannot drift from it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{acls, guarantee, key, line, mermaid, one_line, topics};
use crate::expr;
use crate::schema::Schema;
use crate::topology::load::Watched;
use crate::topology::origin::{Origin, origins};
use crate::topology::plan::{
    Envelope, OutputFormat, Plan, ReplicaIdentity, SourcePlan, StartFrom, Tombstones, Unavailable,
    Unmatched,
};
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
    let mut tagged = Tagged::new(plan);
    for step in &spec.steps {
        if let (Some(ActionSpec::Map(map)), Some(name)) = (&step.action, &step.name) {
            fields(
                &mut out,
                &format!("step {}", name.value),
                map,
                plan,
                &mut tagged,
                true,
            );
        }
    }
    for route in &spec.routes {
        if let (Some(map), Some(name)) = (&route.map, &route.name) {
            fields(
                &mut out,
                &format!("route {}", name.value),
                map,
                plan,
                &mut tagged,
                false,
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

/// Paths that hold personal data: of the sources by their schemas, of `out` by what its fields are made of.
struct Tagged<'a> {
    sources: Vec<&'a Schema>,
    out: BTreeMap<String, Vec<String>>,
}

impl<'a> Tagged<'a> {
    fn new(plan: &'a Plan) -> Tagged<'a> {
        Tagged {
            sources: plan
                .sources
                .iter()
                .map(|source| &*source.value.schema)
                .collect(),
            out: BTreeMap::new(),
        }
    }

    /// The tagged paths of the event behind these paths.
    fn of(&self, paths: &[String]) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for path in paths {
            let found = match path.split_once('.') {
                Some(("event", rest))
                    if self.sources.iter().any(|source| is_tagged(source, rest)) =>
                {
                    vec![path.clone()]
                }
                Some(("out", rest)) => self.out.get(rest).cloned().unwrap_or_default(),
                _ => Vec::new(),
            };
            for path in found {
                if !all.contains(&path) {
                    all.push(path);
                }
            }
        }
        all
    }
}

/// Whether a field on the way of a path is tagged `pii`.
fn is_tagged(schema: &Schema, path: &str) -> bool {
    let mut node = schema.root;
    for name in path.split('.') {
        let Some((_, field)) = schema.field(schema.strip_null(node).0, name) else {
            return false;
        };
        if field.pii {
            return true;
        }
        node = field.ty;
    }
    false
}

/// The table of a mapping's fields. Those of a step are what `out` is from then on.
fn fields(
    out: &mut String,
    of: &str,
    map: &MapSpec,
    plan: &Plan,
    tagged: &mut Tagged<'_>,
    becomes_out: bool,
) {
    let known: Vec<String> = tagged.out.keys().cloned().collect();
    let Some((output, origins)) = origins(map, plan, &known) else {
        return;
    };
    let schema = &output.schema;
    let _ = write!(
        out,
        "\n## Fields of {} ({of})\n\n| Field | Type | Source | Expression | Null | Default | PII |\n|---|---|---|---|---|---|---|\n",
        code(&output.subject)
    );
    let mut new = BTreeMap::new();
    for (field, origin) in schema.fields(schema.root).iter().zip(origins) {
        let (paths, source, expression) = match origin {
            Origin::Set(text) => {
                let paths = expr::paths(&text);
                let source = match paths.is_empty() {
                    true => "constant".to_owned(),
                    false => list(&paths),
                };
                (paths, source, code(&text))
            }
            Origin::Copied(path) => (vec![path.clone()], code(&path), "copied".to_owned()),
            Origin::Default => (Vec::new(), "default".to_owned(), String::new()),
        };
        let (node, nullable) = schema.strip_null(field.ty);
        let default = field.default.as_ref().map(|value| code(&value.to_string()));
        let from = tagged.of(&paths);
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
        new.insert(field.name.to_string(), from);
    }
    if becomes_out {
        tagged.out = new;
    }
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
