//! `docs/TOPOLOGY.md` and `docs/ERRORS.md`, made from the tables of keys and codes, so that they cannot be wrong about them.

use std::fmt::Write;

use super::against::FINDINGS;
use super::codes::{self, KAFKA, PAUSES};
use super::keys::{Kind, LATER, OBJECTS, Object};

const TOPOLOGY_INTRO: &str = include_str!("topology_intro.md");

const ERRORS_INTRO: &str = "\
# Errors

*This page is made from the tables in `src/topology/codes.rs`; a test compares.*

Nothing is lost on any of these ways: a record ends as delivered, filtered by a named rule, or dead-lettered, and whatever is
neither keeps its offset uncommitted.

| What fails | What happens |
|---|---|
| a file, before the start | `lockgate check` names every fault at once, with file, line and help; nothing starts |
| one record | it is dead-lettered, with class, reason, step or route, and then its offset is committed |
| the world around it: broker, registry, a topic, an ACL, a schema | the partition waits and tries again; nothing is dead-lettered |

";

/// `docs/TOPOLOGY.md`.
pub fn topology() -> String {
    let mut out = String::from(TOPOLOGY_INTRO);
    for object in OBJECTS {
        let _ = write!(out, "\n## {}\n\n{}\n", title(object), object.doc);
        for key in object.keys {
            let _ = write!(
                out,
                "\n### `{}` in {}\n\n{}\n",
                key.name,
                article(object),
                key.doc
            );
            let need = match (key.required, key.default) {
                (true, _) => "Required.".to_owned(),
                (false, Some(default)) => format!("Default: `{default}`."),
                (false, None) => "Optional.".to_owned(),
            };
            let _ = write!(out, "\n{} {need}\n", kind(&key.kind));
            if let Some(words) = words(&key.kind) {
                out.push('\n');
                for (word, doc) in words {
                    let _ = writeln!(out, "- `{word}`: {doc}");
                }
            }
            let _ = write!(out, "\n```yaml\n{}\n```\n", key.example);
        }
    }
    let later: Vec<String> = LATER
        .iter()
        .map(|(object, key)| format!("`{key}` of a {object}"))
        .collect();
    let _ = write!(
        out,
        "\n## Not in this version\n\n{} and `delivery: exactly_once` are refused with the fault `not_available`.\n",
        later.join(", ")
    );
    out
}

/// `docs/ERRORS.md`.
pub fn errors() -> String {
    let mut out = String::from(ERRORS_INTRO);
    out.push_str(
        "## Reasons of dead letters\n\nHeader `lockgate.dlq.reason`, label `reason` of `lockgate_dead_letters_total`. Class `poison`: the \
         record is not tried again, because it would fail again; after the cause is mended, `lockgate dlq redrive` puts it back. A \
         reason marked *rule* is judged by the topology itself and does not count for the poison share.\n\n\
         | Reason | Class | Meaning | What to do |\n|---|---|---|---|\n",
    );
    for reason in codes::reasons() {
        let class = if reason.declared {
            "poison, *rule*"
        } else {
            "poison"
        };
        let _ = writeln!(
            out,
            "| `{}` | {class} | {} | {} |",
            reason.code,
            cell(reason.meaning),
            cell(reason.remedy)
        );
    }
    out.push_str(
        "\n## Reasons of pauses\n\nLabel `reason` of `lockgate_paused`, `paused` of `/status`. The partition waits; what has to do with the \
         world is tried again with back-off and ends by itself.\n\n| Reason | Meaning | What to do |\n|---|---|---|\n",
    );
    for pause in PAUSES {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            pause.code,
            cell(pause.meaning),
            cell(pause.remedy)
        );
    }
    out.push_str(
        "\n## Kafka's errors\n\nField `reason` of log lines, and of what `lockgate dlq redrive` says. Nothing is dead-lettered for any of them.\n\n\
         | Reason | Meaning | What to do |\n|---|---|---|\n",
    );
    for error in KAFKA {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            error.code,
            cell(error.meaning),
            cell(error.remedy)
        );
    }
    out.push_str(
        "\n## Faults of files\n\nReported by `lockgate check`, `lockgate test` and at the start of `lockgate run` (exit 64), with file, line, \
         column and help.\n\n| Code | Meaning | What to do |\n|---|---|---|\n",
    );
    for fault in codes::faults() {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            fault.code,
            cell(fault.meaning),
            cell(fault.remedy)
        );
    }
    out.push_str(
        "\n## Findings of `check --against`\n\nWhat a change of topologies and schemas does to others. A *break* ends with exit 1.\n\n\
         | Code | | For whom | What to do |\n|---|---|---|---|\n",
    );
    for finding in FINDINGS {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            finding.code,
            finding.severity.name(),
            cell(finding.consequence),
            cell(finding.remedy)
        );
    }
    out
}

fn title(object: &Object) -> String {
    let mut name = object.name.to_owned();
    name[..1].make_ascii_uppercase();
    name
}

fn article(object: &Object) -> String {
    let an = object.name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {}", if an { "an" } else { "a" }, object.name)
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "Text; `${vars.NAME}` is replaced.".to_owned(),
        Kind::Name => "A name.".to_owned(),
        Kind::Template => "Text with `${expression}` in it.".to_owned(),
        Kind::Expr => "A CEL expression.".to_owned(),
        Kind::Path => "A path to a record.".to_owned(),
        Kind::Flag => "`true` or `false`.".to_owned(),
        Kind::Words(_) => "One of the words below.".to_owned(),
        Kind::Scalar => "A single value.".to_owned(),
        Kind::Json => "Anything.".to_owned(),
        Kind::Object(object) => format!("A mapping: see {}.", title(object)),
        Kind::List(item) => match item {
            Kind::Object(object) => format!("A list; for its items see {}.", title(object)),
            Kind::Words(_) => "A list of the words below.".to_owned(),
            _ => "A list.".to_owned(),
        },
        Kind::Map(item) => match item {
            Kind::Object(object) => {
                format!("A mapping of names; for its values see {}.", title(object))
            }
            Kind::Expr => "A mapping of names to CEL expressions.".to_owned(),
            Kind::Template => {
                "A mapping of names to texts with `${expression}` in them.".to_owned()
            }
            _ => "A mapping of names.".to_owned(),
        },
        Kind::Either(Kind::Expr, object) => {
            format!("A CEL expression, or a mapping: see {}.", title(object))
        }
        Kind::Either(_, object) => format!(
            "One of the words below, or a mapping: see {}.",
            title(object)
        ),
    }
}

fn words(kind: &Kind) -> Option<Vec<(&'static str, &'static str)>> {
    match kind {
        Kind::Words(words) => Some(words.iter().map(|word| (word.word, word.doc)).collect()),
        Kind::Either(word, _) | Kind::List(word) => words(word),
        _ => None,
    }
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
