//! `lockgate config`: the effective configuration and where each value comes from, secrets hidden.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::{Exit, Global, stdout};
use crate::config::{Config, Role};

/// The words of `lockgate config`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  lockgate config
  lockgate config --profile production --json
  lockgate config --client consumer")]
pub struct Args {
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
    /// Print the librdkafka properties that a client of this kind gets, instead.
    #[arg(long, value_enum, value_name = "KIND")]
    pub client: Option<Client>,
    /// The Kafka connection of that client.
    #[arg(long, default_value = "main", value_name = "NAME", requires = "client")]
    pub connection: String,
}

/// Kinds of Kafka clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// The consumer of a topology.
    Consumer,
    /// The producer of a topology.
    Producer,
    /// Topic settings, offsets, ACLs.
    Admin,
    /// The reader of an operator's command.
    Tool,
}

/// Prints the configuration. A faulty one is an error that names every fault.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let mut out = stdout();
    match (args.client, args.json) {
        (Some(client), json) => show_client(&mut out, &config, client, &args.connection, json)?,
        (None, true) => {
            let shown = json!({
                "profile": config.profile.name(),
                "values": config.entries,
                "warnings": config.warnings,
            });
            writeln!(out, "{shown:#}")?;
        }
        (None, false) => show(&mut out, &config)?,
    }
    Ok(Exit::Done)
}

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

fn show(out: &mut impl Write, config: &Config) -> io::Result<()> {
    writeln!(out, "profile {BOLD}{}{BOLD:#}", config.profile.name())?;
    let width = config.entries.iter().map(|entry| entry.key.len()).max();
    let width = width.unwrap_or_default();
    for entry in &config.entries {
        // Padded by hand: the width of a styled text counts its escapes.
        let (key, value) = (&entry.key, entry.value.as_deref().unwrap_or("-"));
        match &*entry.source {
            "default" => writeln!(out, "{DIM}{key:width$}  {value}{DIM:#}")?,
            source => writeln!(
                out,
                "{key:width$}  {BOLD}{value}{BOLD:#}  {DIM}{source}{DIM:#}"
            )?,
        }
    }
    let yellow = AnsiColor::Yellow.on_default();
    for warning in &config.warnings {
        writeln!(out, "{yellow}warning{yellow:#}: {warning}")?;
    }
    Ok(())
}

fn show_client(
    out: &mut impl Write,
    config: &Config,
    client: Client,
    connection: &str,
    json: bool,
) -> anyhow::Result<()> {
    let role = match client {
        Client::Consumer => Role::Consumer {
            group: "<the topology's id>",
            // The worker counts them at its start.
            partitions: 1,
        },
        Client::Producer => Role::Producer,
        Client::Admin => Role::Admin,
        Client::Tool => Role::Tool,
    };
    let connection = config.connection(connection)?;
    let properties = connection.client(role, &config.limits);
    if json {
        let shown: serde_json::Map<String, serde_json::Value> = properties
            .iter()
            .map(|property| (property.name.clone(), property.shown().into()))
            .collect();
        writeln!(out, "{:#}", serde_json::Value::Object(shown))?;
    } else {
        for property in properties {
            writeln!(out, "{}={}", property.name, property.shown())?;
        }
    }
    Ok(())
}
