//! `lockgate schema list`.

use std::io::Write;

use anyhow::bail;
use serde_json::{Value, json};

use crate::cli::decode::printable;
use crate::cli::table::table;
use crate::cli::{Exit, Global, stdout};
use crate::registry::{Client, Listed};
use crate::topology::fault::nearest;

/// The words of `lockgate schema list`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate schema list\n  lockgate schema list --subject orders.clean-value\n  lockgate schema list --json"
)]
pub struct Args {
    /// The versions of this subject only.
    #[arg(long, value_name = "S")]
    pub subject: Option<String>,
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let (runtime, client) = super::registry(&global.config()?)?;
    match &args.subject {
        Some(subject) => one(&runtime.block_on(read_one(&client, subject))?, args.json)?,
        None => all(&runtime.block_on(read_all(&client))?, args.json)?,
    }
    Ok(Exit::Done)
}

/// A subject with its latest version.
struct Subject {
    name: String,
    versions: Vec<u32>,
    latest: Listed,
    level: Option<String>,
}

async fn read_all(client: &Client) -> anyhow::Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for name in client.subjects().await? {
        // One that was deleted meanwhile is not there.
        let Some(latest) = client.listed(&name, "latest").await? else {
            continue;
        };
        subjects.push(Subject {
            versions: client.versions(&name).await?,
            level: client.level(&name).await?,
            latest,
            name,
        });
    }
    Ok(subjects)
}

fn all(subjects: &[Subject], is_json: bool) -> std::io::Result<()> {
    let mut out = stdout();
    if is_json {
        let list: Vec<Value> = subjects
            .iter()
            .map(|subject| {
                json!({
                    "subject": subject.name,
                    "versions": subject.versions,
                    "version": subject.latest.version,
                    "id": subject.latest.id,
                    "type": subject.latest.schema_type,
                    "compatibility": subject.level,
                })
            })
            .collect();
        return writeln!(out, "{}", json!({ "subjects": list }));
    }
    let count = subjects.len();
    writeln!(out, "{count} subject{}", if count == 1 { "" } else { "s" })?;
    if subjects.is_empty() {
        return Ok(());
    }
    let head = ["SUBJECT", "VERSIONS", "LATEST ID", "TYPE", "COMPATIBILITY"].map(str::to_owned);
    let rows = subjects.iter().map(|subject| {
        [
            printable(&subject.name).to_string(),
            ranges(&subject.versions),
            subject.latest.id.to_string(),
            subject.latest.schema_type.clone(),
            subject.level.clone().unwrap_or_else(|| "?".into()),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    writeln!(out)?;
    table(&mut out, &rows)
}

/// A subject with all its versions.
struct Whole {
    name: String,
    versions: Vec<Listed>,
    level: Option<String>,
}

async fn read_one(client: &Client, subject: &str) -> anyhow::Result<Whole> {
    if client.listed(subject, "latest").await?.is_none() {
        let subjects = client.subjects().await?;
        match nearest(subject, subjects.iter().map(String::as_str)) {
            Some(near) => bail!("the registry has no subject {subject}: did you mean `{near}`?"),
            None => bail!(
                "the registry has no subject {subject}: `lockgate schema list` shows those it has"
            ),
        }
    }
    let mut versions = Vec::new();
    for version in client.versions(subject).await? {
        versions.extend(client.listed(subject, &version.to_string()).await?);
    }
    Ok(Whole {
        name: subject.to_owned(),
        versions,
        level: client.level(subject).await?,
    })
}

fn one(subject: &Whole, is_json: bool) -> std::io::Result<()> {
    let mut out = stdout();
    if is_json {
        let version = |listed: &Listed| json!({ "version": listed.version, "id": listed.id, "type": listed.schema_type });
        let versions: Vec<Value> = subject.versions.iter().map(version).collect();
        let object = json!({
            "subject": subject.name,
            "compatibility": subject.level,
            "versions": versions,
        });
        return writeln!(out, "{object}");
    }
    let level = subject.level.as_deref().unwrap_or("not told");
    writeln!(out, "{}: compatibility {level}\n", printable(&subject.name))?;
    let head = ["VERSION", "ID", "TYPE"].map(str::to_owned);
    let rows = subject.versions.iter().map(|listed| {
        let (version, id) = (listed.version.to_string(), listed.id.to_string());
        [version, id, listed.schema_type.clone()]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    table(&mut out, &rows)
}

/// Versions in a few characters: `1-3, 5`.
fn ranges(versions: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for version in versions {
        match parts.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(*version) => *end = *version,
            _ => parts.push((*version, *version)),
        }
    }
    let show = |(from, to): &(u32, u32)| match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    };
    parts.iter().map(show).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn versions_that_follow_each_other_are_one_range() {
        assert_eq!(ranges(&[1, 2, 3, 5, 7, 8]), "1-3, 5, 7-8");
        assert_eq!(ranges(&[4]), "4");
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[u32::MAX, 1]), format!("{}, 1", u32::MAX));
    }
}
