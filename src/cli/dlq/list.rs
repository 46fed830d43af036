//! `lockgate dlq list`.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::letter::{Entry, Filter, Letter};
use crate::cli::signals::Stop;
use crate::cli::table::table;
use crate::cli::{Exit, stdout};
use crate::config::Config;

/// Groups shown at most: headers are written by whoever may write to the topic.
const GROUPS_MAX: usize = 1_000;

/// The words of `lockgate dlq list`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate dlq list --topic orders.dlq\n  lockgate dlq list --topic orders.dlq --reason bad_frame --json"
)]
pub struct Args {
    /// The dead letter topic.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// Kafka connection of the configuration.
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub connection: String,
    #[command(flatten)]
    pub filter: Filter,
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Dead letters of one cause.
struct Group {
    count: u64,
    oldest: String,
    newest: String,
    example: Letter,
}

/// Runs the command.
pub fn run(args: &Args, config: &Config, stop: &Stop) -> anyhow::Result<Exit> {
    let Some(mut pile) = super::open(config, &args.connection, &args.topic, stop)? else {
        return Ok(Exit::Done);
    };
    let redriven = std::mem::take(&mut pile.redriven);
    let mut groups: BTreeMap<(String, String, String), Group> = BTreeMap::new();
    let (mut waiting, mut done, mut foreign, mut ungrouped) = (0u64, 0u64, 0u64, 0u64);
    pile.each(stop, |_, entry| {
        let letter = match entry {
            Entry::Letter(letter) if args.filter.takes(&letter) => letter,
            Entry::Letter(_) | Entry::Marker(_) => return Ok(true),
            Entry::Foreign => {
                foreign += 1;
                return Ok(true);
            }
        };
        if redriven.contains(&letter.position()) {
            done += 1;
            return Ok(true);
        }
        waiting += 1;
        let cause = (
            letter.topology.clone(),
            letter.place().to_owned(),
            letter.reason.clone(),
        );
        if groups.len() >= GROUPS_MAX && !groups.contains_key(&cause) {
            ungrouped += 1;
            return Ok(true);
        }
        let group = groups.entry(cause).or_insert_with(|| Group {
            count: 0,
            oldest: letter.time.clone(),
            newest: letter.time.clone(),
            example: (*letter).clone(),
        });
        group.count += 1;
        // RFC 3339 in UTC sorts as text.
        group.oldest = group.oldest.clone().min(letter.time.clone());
        group.newest = group.newest.clone().max(letter.time);
        Ok(true)
    })?;

    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
    let mut out = stdout();
    if args.json {
        let groups: Vec<_> = groups
            .iter()
            .map(|((topology, _, reason), group)| {
                json!({
                    "topology": topology,
                    "route": group.example.route,
                    "step": group.example.step,
                    "class": group.example.class,
                    "reason": reason,
                    "count": group.count,
                    "oldest": group.oldest,
                    "newest": group.newest,
                    "example": position(&group.example),
                    "message": group.example.message,
                })
            })
            .collect();
        let all = json!({
            "topic": args.topic,
            "waiting": waiting,
            "redriven": done,
            "foreign": foreign,
            "ungrouped": ungrouped,
            "groups": groups,
        });
        writeln!(out, "{all}")?;
        return Ok(Exit::Done);
    }
    writeln!(
        out,
        "{}: {waiting} dead letters wait, {done} redriven",
        args.topic
    )?;
    if foreign > 0 {
        writeln!(out, "{foreign} records were not written by lockgate")?;
    }
    let head = [
        "COUNT",
        "TOPOLOGY",
        "ROUTE OR STEP",
        "REASON",
        "NEWEST",
        "EXAMPLE",
        "MESSAGE",
    ];
    let rows = groups.iter().map(|((topology, place, reason), group)| {
        [
            group.count.to_string(),
            topology.clone(),
            place.clone(),
            reason.clone(),
            group.newest.clone(),
            position(&group.example),
            group.example.message.clone(),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    if rows.len() > 1 {
        writeln!(out)?;
        table(&mut out, &rows)?;
    }
    if ungrouped > 0 {
        writeln!(
            out,
            "and {ungrouped} of further causes; narrow the list with --id, --route, --step or --reason"
        )?;
    }
    Ok(Exit::Done)
}

fn position(letter: &Letter) -> String {
    format!("{}:{}", letter.partition, letter.offset)
}
