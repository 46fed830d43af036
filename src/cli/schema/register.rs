//! `lockgate schema register`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::{Exit, Global, UsageError, stdout};
use crate::input;
use crate::registry::{Client, Opinion};
use crate::schema::{SOURCE_BYTES_MAX, Schema};
use crate::words;

/// The words of `lockgate schema register`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate schema register orders.clean-value avro/orders.clean-value.avsc\n  lockgate schema register orders.clean-value avro/orders.clean-value.avsc --dry-run\n  jq .schema -r version.json | lockgate schema register orders.clean-value -\n\nThe file holds every type that it names, as those in `avro/` do; references to other subjects are not made. With `registry.register = true` a worker registers the schemas of its outputs itself. Exit 1 if the registry refuses the schema."
)]
pub struct Args {
    /// The subject.
    #[arg(value_name = "SUBJECT")]
    pub subject: String,
    /// The Avro schema; `-` reads standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Register nothing: ask the registry whether it would take the schema.
    #[arg(long)]
    pub dry_run: bool,
    /// Print what came of it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What came of it.
enum Outcome {
    /// The subject had it already.
    Known { id: u32, version: Option<u32> },
    /// It has it now.
    Registered { id: u32, version: Option<u32> },
    /// The registry would take it, as the first version if `is_first`.
    Would { is_first: bool },
    /// The registry would not take it, with its words.
    WouldNot(Vec<String>),
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let schema = read(&args.file)?;
    let (runtime, client) = super::registry(&global.config()?)?;
    let outcome = runtime.block_on(register(&client, &args.subject, &schema, args.dry_run))?;
    let mut out = stdout();
    match args.json {
        true => writeln!(out, "{}", outcome.json(&args.subject))?,
        false => writeln!(out, "{}: {}", args.subject, outcome.words())?,
    }
    match outcome {
        Outcome::WouldNot(_) => Ok(Exit::Failed),
        _ => Ok(Exit::Done),
    }
}

/// The schema of a file, as `check` would take it from `avro/`.
fn read(file: &Path) -> Result<Schema, UsageError> {
    let bytes_max = SOURCE_BYTES_MAX as u64;
    let (name, read) = match file == Path::new("-") {
        true => (
            "standard input".to_owned(),
            input::text(io::stdin().lock(), bytes_max),
        ),
        false => (file.display().to_string(), input::text_of(file, bytes_max)),
    };
    let text = read.map_err(|error| {
        let (why, help) = (words::of_io(&error), words::remedy(&error));
        UsageError(format!("the schema {name} cannot be read: {why}; {help}"))
    })?;
    Schema::parse(text.trim_start_matches('\u{feff}')).map_err(|fault| {
        UsageError(format!(
            "the schema {name} is not valid: {fault}; mend it: a file holds every type that it names"
        ))
    })
}

async fn register(
    client: &Client,
    subject: &str,
    schema: &Schema,
    is_dry_run: bool,
) -> anyhow::Result<Outcome> {
    if let Some((id, version)) = client.find(subject, schema).await? {
        return Ok(Outcome::Known { id, version });
    }
    if !is_dry_run {
        let id = client.register(subject, &schema.source).await?;
        let found = client.find(subject, schema).await?;
        let version = found.and_then(|(_, version)| version);
        return Ok(Outcome::Registered { id, version });
    }
    if client.listed(subject, "latest").await?.is_none() {
        return Ok(Outcome::Would { is_first: true });
    }
    Ok(match client.opinion(subject, schema).await? {
        Opinion::Compatible => Outcome::Would { is_first: false },
        Opinion::Incompatible(words) => Outcome::WouldNot(words),
    })
}

impl Outcome {
    fn words(&self) -> String {
        let place = |id: &u32, version: &Option<u32>| match version {
            Some(version) => format!("version {version}, id {id}"),
            None => format!("id {id}"),
        };
        match self {
            Outcome::Known { id, version } => {
                format!("is there as {}; nothing to do", place(id, version))
            }
            Outcome::Registered { id, version } => {
                format!("registered as {}", place(id, version))
            }
            Outcome::Would { is_first: true } => {
                "would be its first version; nothing was registered".to_owned()
            }
            Outcome::Would { is_first: false } => {
                "the registry would take it as a new version; nothing was registered".to_owned()
            }
            Outcome::WouldNot(words) => {
                format!("the registry would refuse it: {}", super::refusal(words))
            }
        }
    }

    fn json(&self, subject: &str) -> Value {
        let (outcome, id, version, reasons) = match self {
            Outcome::Known { id, version } => ("known", Some(*id), *version, &[][..]),
            Outcome::Registered { id, version } => ("registered", Some(*id), *version, &[][..]),
            Outcome::Would { is_first: true } => ("would_be_first", None, None, &[][..]),
            Outcome::Would { is_first: false } => ("would_be_taken", None, None, &[][..]),
            Outcome::WouldNot(words) => ("would_be_refused", None, None, words.as_slice()),
        };
        json!({
            "subject": subject,
            "outcome": outcome,
            "id": id,
            "version": version,
            "reasons": reasons,
        })
    }
}
