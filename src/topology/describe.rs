//! A plan for people and other programs: its flow, the topics it touches, the access it needs, what it guarantees.

mod markdown;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::codec::frame::Side;
pub use markdown::markdown;

use super::plan::{
    Delivery, Envelope, KeyFormat, Ordering, Other, OtherOutcome, OutputFormat, Plan,
    ReplicaIdentity, RoutePlan, SourcePlan, StartFrom, Tombstones, Unavailable, Unmatched,
};

/// The plan as text for a terminal.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let about = plan
        .description
        .as_deref()
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    line(&mut out, &format!("{}{about}", plan.id));
    line(
        &mut out,
        &format!("file {}, version {}", plan.path.display(), plan.version),
    );
    line(&mut out, "\nFlow");
    for source in &plan.sources {
        line(&mut out, &format!("  {}", source.topic));
        for said in source_words(source) {
            line(&mut out, &format!("      {said}"));
        }
    }
    let steps: Vec<_> = plan.steps.iter().filter(|step| step.declared).collect();
    let width = steps.iter().map(|step| step.name.len());
    let width = width
        .chain(plan.routes.iter().map(|route| route.name.len()))
        .max()
        .unwrap_or(0);
    for step in steps {
        line(
            &mut out,
            &format!(
                "    ├─ step  {:width$}  {}",
                step.name,
                one_line(&step.text)
            ),
        );
    }
    for route in &plan.routes {
        let when = route
            .when
            .as_deref()
            .map(|when| format!("when {} ", one_line(when)))
            .unwrap_or_default();
        let schema = body(route);
        let key = route.key.as_deref().unwrap_or("the record's own");
        line(
            &mut out,
            &format!(
                "    ├─ route {:width$}  {when}─► {} ({schema}, key: {})",
                route.name,
                route.topic,
                one_line(key)
            ),
        );
    }
    let matching = if plan.match_all {
        "every route that matches"
    } else {
        "the first route that matches"
    };
    let unmatched = match plan.unmatched {
        Unmatched::Drop => "dropped",
        Unmatched::DeadLetter => "dead-lettered",
    };
    line(
        &mut out,
        &format!("    ├─ takes {matching}; unmatched events are {unmatched}"),
    );
    let dead_letter = &plan.topics[usize::from(plan.dead_letter)];
    line(
        &mut out,
        &format!("    └─ dead letters ─► {}", dead_letter.topic),
    );
    line(&mut out, "\nTopics");
    for (connection, operation, topic) in topics(plan) {
        line(&mut out, &format!("  {connection}  {operation:5}  {topic}"));
    }
    line(&mut out, "\nSchemas written (registry subjects)");
    for schema in plan.schemas.iter().filter(|schema| schema.is_framed) {
        line(&mut out, &format!("  {}", schema.subject));
    }
    for (connection, commands) in acls(plan) {
        line(
            &mut out,
            &format!("\nAccess on the connection {connection}, and no more"),
        );
        for command in commands {
            line(&mut out, &format!("  {command}"));
        }
    }
    line(&mut out, "\nGuarantee");
    for sentence in guarantee(plan) {
        line(&mut out, &format!("  {sentence}"));
    }
    out
}

/// The plan as a Mermaid flow chart.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    for (index, source) in plan.sources.iter().enumerate() {
        line(&mut out, &format!("  s{index}[/{}/]", label(&source.topic)));
    }
    let steps: Vec<_> = plan.steps.iter().filter(|step| step.declared).collect();
    let mut before: Vec<String> = (0..plan.sources.len())
        .map(|index| format!("s{index}"))
        .collect();
    for (index, step) in steps.iter().enumerate() {
        let shape = label(&format!("{}: {}", step.name, one_line(&step.text)));
        line(&mut out, &format!("  t{index}[{shape}]"));
        for node in &before {
            line(&mut out, &format!("  {node} --> t{index}"));
        }
        before = vec![format!("t{index}")];
    }
    for (index, route) in plan.routes.iter().enumerate() {
        line(&mut out, &format!("  r{index}{{{}}}", label(&route.name)));
        for node in &before {
            match &route.when {
                Some(when) => line(
                    &mut out,
                    &format!("  {node} -->|{}| r{index}", label(&one_line(when))),
                ),
                None => line(&mut out, &format!("  {node} --> r{index}")),
            }
        }
        for topic in &route.topics {
            line(&mut out, &format!("  r{index} --> o{topic}"));
        }
    }
    for (index, topic) in plan.topics.iter().enumerate() {
        line(&mut out, &format!("  o{index}[/{}/]", label(&topic.topic)));
    }
    for node in &before {
        line(
            &mut out,
            &format!("  {node} -.->|never deliverable| o{}", plan.dead_letter),
        );
    }
    out
}

/// The plan as JSON.
pub fn json(plan: &Plan) -> Value {
    let sources: Vec<_> = plan
        .sources
        .iter()
        .map(|source| {
            json!({
                "topic": source.topic,
                "envelope": envelope(source),
                "key": key(source),
                "value": source.value.name,
                "said": source_words(source),
            })
        })
        .collect();
    let steps: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.declared)
        .map(|step| json!({ "name": step.name, "text": step.text }))
        .collect();
    let routes: Vec<_> = plan
        .routes
        .iter()
        .map(|route| {
            let topics: Vec<_> = route
                .topics
                .iter()
                .map(|at| &plan.topics[usize::from(*at)].topic)
                .collect();
            json!({
                "name": route.name,
                "when": route.when,
                "connection": route.connection,
                "topics": topics,
                "key": route.key,
                "key_schema": route.key_schema,
                "schema": route.schema,
                "value": body(route),
            })
        })
        .collect();
    let topics: Vec<_> = topics(plan)
        .into_iter()
        .map(|(connection, operation, topic)| {
            json!({ "connection": connection, "operation": operation, "topic": topic })
        })
        .collect();
    let framed = plan.schemas.iter().filter(|schema| schema.is_framed);
    let subjects: Vec<_> = framed.map(|schema| &schema.subject).collect();
    json!({
        "id": plan.id,
        "description": plan.description,
        "version": plan.version,
        "file": plan.path.display().to_string(),
        "sources": sources,
        "steps": steps,
        "match": if plan.match_all { "all" } else { "first" },
        "routes": routes,
        "topics": topics,
        "subjects": subjects,
        "acls": acls(plan),
        "guarantee": guarantee(plan),
    })
}

/// The `kafka-acls` commands that give a worker the access it needs and no more, by connection.
pub fn acls(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |connection: &str, operations: &[&str], resource: &str, name: &str| {
        let operations: String = operations
            .iter()
            .map(|operation| format!(" --operation {operation}"))
            .collect();
        let command = format!(
            "kafka-acls --bootstrap-server \"$BROKERS\" --add --allow-principal \"User:$LOCKGATE\"{operations} --{resource} {name}"
        );
        let commands = all.entry(connection.to_owned()).or_default();
        if !commands.contains(&command) {
            commands.push(command);
        }
    };
    add(&plan.connection, &["Read"], "group", &plan.id);
    for source in &plan.sources {
        add(&plan.connection, &["Read"], "topic", &source.topic);
    }
    for topic in &plan.topics {
        // DescribeConfigs: each output topic's size limit is read at the start.
        add(
            &topic.connection,
            &["Write", "DescribeConfigs"],
            "topic",
            &topic.topic,
        );
    }
    all
}

fn topics(plan: &Plan) -> Vec<(&str, &'static str, &str)> {
    let read = plan
        .sources
        .iter()
        .map(|source| (plan.connection.as_str(), "read", source.topic.as_str()));
    let written = plan
        .topics
        .iter()
        .map(|topic| (topic.connection.as_str(), "write", topic.topic.as_str()));
    read.chain(written).collect()
}

fn guarantee(plan: &Plan) -> Vec<String> {
    let mut said = Vec::new();
    said.push(match plan.delivery {
        Delivery::AtLeastOnce => "At least once: an offset is committed only after every output of its record, or its dead letter, is \
            acknowledged by all in-sync replicas. After a crash or a rebalance some records are sent again; none is lost."
            .to_owned(),
    });
    said.push(match plan.ordering {
        Ordering::Key => {
            "Order: records of one key are sent in the order of their partition.".to_owned()
        }
        Ordering::Partition => "Order: records of one partition are sent in its order.".to_owned(),
        Ordering::None => "Order: none; records may overtake each other.".to_owned(),
    });
    for route in plan.routes.iter().filter(|route| route.key.is_some()) {
        said.push(format!(
            "The route {} sets a key of its own: where two source keys come out as one, their order to each other is that of \
             their arrival.",
            route.name
        ));
    }
    said
}

/// What a route sends, in words.
pub(super) fn body(route: &RoutePlan) -> String {
    let schema = route.schema.as_deref().unwrap_or("the value as it came");
    match &route.format {
        OutputFormat::Avro => schema.to_owned(),
        OutputFormat::Json(_) => format!("{schema} as JSON"),
        OutputFormat::Plain(text) => format!("the value of {}", one_line(text)),
    }
}

fn envelope(source: &SourcePlan) -> &'static str {
    match source.envelope {
        Envelope::Debezium => "debezium",
        Envelope::None => "none",
    }
}

fn key(source: &SourcePlan) -> String {
    match &source.key {
        KeyFormat::Avro(schema) => format!("avro {}", schema.name),
        KeyFormat::Text => "string".to_owned(),
        KeyFormat::Bytes => "bytes".to_owned(),
    }
}

/// What becomes of the records of a source that are no ordinary events: the keys of a topology and their words,
/// `tombstones` and `unavailable` first.
pub(super) fn endings(source: &SourcePlan) -> Vec<(&'static str, &'static str)> {
    let tombstones = match source.tombstones {
        Tombstones::Forward => "forward",
        Tombstones::Drop => "drop",
    };
    let unavailable = match source.unavailable {
        Unavailable::DeadLetter => "dead_letter",
        Unavailable::Null => "null",
        Unavailable::Optional => "optional",
        Unavailable::Keep => "keep",
    };
    let others = source.others.iter().map(|(kind, outcome)| {
        let word = match outcome {
            OtherOutcome::DeadLetter => "dead_letter",
            OtherOutcome::Drop => "drop",
            OtherOutcome::Pass => "pass",
        };
        (kind.key(), word)
    });
    [("tombstones", tombstones), ("unavailable", unavailable)]
        .into_iter()
        .chain(others)
        .collect()
}

/// What a source's keys say, defaults included.
fn source_words(source: &SourcePlan) -> Vec<String> {
    let mut said = vec![format!(
        "envelope: {} · key: {} · value: avro {}",
        envelope(source),
        key(source),
        source.value.name
    )];
    for side in [Side::Key, Side::Value] {
        if let Some(header) = source.id_from(side).header(side) {
            said.push(format!(
                "schema ids of the {}: header {header}",
                side.name()
            ));
        }
    }
    let word = |name: &str| {
        let found = endings(source).into_iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, word)| word)
    };
    let (tombstones, unavailable) = (word("tombstones"), word("unavailable"));
    let start = match source.start_from {
        StartFrom::Earliest => "earliest",
        StartFrom::Latest => "latest",
    };
    let mut second =
        format!("tombstones: {tombstones} · unavailable: {unavailable} · start_from: {start}");
    if source.envelope == Envelope::Debezium {
        let identity = match source.replica_identity {
            ReplicaIdentity::Default => "default",
            ReplicaIdentity::Full => "full",
            ReplicaIdentity::Nothing => "nothing",
        };
        let _ = write!(second, " · replica_identity: {identity}");
    }
    said.push(second);
    let others: Vec<String> = endings(source)
        .into_iter()
        .skip(2)
        .filter(|(key, _)| source.envelope == Envelope::Debezium || *key != Other::Truncate.key())
        .map(|(key, word)| format!("{key}: {word}"))
        .collect();
    said.push(others.join(" · "));
    said
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// An expression over several lines, on one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text as a quoted Mermaid label.
fn label(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("\"{text}\"")
}
