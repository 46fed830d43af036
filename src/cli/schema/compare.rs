//! `lockgate schema compare`: whether the registry has what the topologies were checked against and what they write.
//!
//! The questions are those of a worker. What a source reads comes with ids, and the latest version of its subject is what is
//! written now: that one must be readable. What an output carries is looked up by content.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anstyle::AnsiColor;
use serde_json::{Value, json};

use crate::cli::{Exit, Global, stderr, stdout};
use crate::registry::{Client, Latest, Opinion, Place, Read, changes};
use crate::schema::Schema;
use crate::topology::files::Schemas;
use crate::topology::plan::{KeyFormat, Refusal, SourceSchema};
use crate::topology::{self, Plan};

/// The words of `lockgate schema compare`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate schema compare topologies/\n  lockgate schema compare topologies/orders.yaml --json\n  lockgate schema compare topologies/ --avro schemas/\n\nA schema of `avro/` is the same as that of the registry, or differs, or is missing there. Exit 1 if a worker would stop or wait for one: it is missing, its data cannot be read, or the registry refuses it. An output that is to be registered is no reason with `registry.register = true`. Schemas that no output carries the id of need no registry and are left out."
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` in or beside the folder of the topology].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a topology does with a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Reads values of the source of this index.
    Value(u16),
    /// Reads keys of it.
    Key(u16),
    /// Writes outputs.
    Output,
}

/// A schema that a topology names.
struct Named<'p> {
    plan: &'p Plan,
    role: Role,
    name: &'p str,
    subject: &'p str,
    schema: &'p Arc<Schema>,
}

/// How it stands with a schema.
struct Standing {
    state: State,
    /// Where the registry has this schema, or the latest of its subject.
    place: Option<Place>,
    /// What the latest of the registry changes, seen from `avro/`.
    changes: Vec<String>,
    /// Why a worker would stop or wait; `None` if all is well.
    trouble: Option<String>,
    /// What a worker makes of the difference, if all is well.
    note: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Same,
    Differs,
    Missing,
}

impl State {
    const ALL: [State; 3] = [State::Same, State::Differs, State::Missing];

    fn name(self) -> &'static str {
        match self {
            State::Same => "same",
            State::Differs => "differs",
            State::Missing => "missing",
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let avro = args.avro.as_deref();
    let (plans, faults) = topology::check(&args.paths, avro, &config.vars);
    if !faults.is_ok() {
        match args.json {
            true => writeln!(stdout(), "{}", faults.to_json())?,
            false => write!(stderr(), "{}", faults.render(true))?,
        }
        return Ok(Exit::Usage);
    }
    let (runtime, client) = super::registry(&config)?;
    let registers = config.registry.register;
    let mut found = Vec::new();
    for named in plans.iter().flat_map(|plan| named(plan)) {
        let standing = runtime.block_on(named.ask(&client, registers))?;
        found.push((named, standing));
    }
    let is_fine = found.iter().all(|(_, standing)| standing.trouble.is_none());
    let schemas = Schemas::new(avro);
    match args.json {
        true => {
            let list: Vec<Value> = found
                .iter()
                .map(|(named, standing)| json(named, standing, &schemas))
                .collect();
            writeln!(
                stdout(),
                "{}",
                json!({ "is_fine": is_fine, "schemas": list })
            )?;
        }
        false => show(&found, &schemas, &mut stdout())?,
    }
    Ok(if is_fine { Exit::Done } else { Exit::Failed })
}

/// The schemas that a topology names and that a worker expects in the registry.
fn named(plan: &Plan) -> Vec<Named<'_>> {
    let mut all = Vec::new();
    for (index, source) in (0..).zip(&plan.sources) {
        all.push(read(plan, Role::Value(index), &source.value));
        if let KeyFormat::Avro(key) = &source.key {
            all.push(read(plan, Role::Key(index), key));
        }
    }
    let framed = plan.schemas.iter().filter(|output| output.is_framed);
    all.extend(framed.map(|output| Named {
        plan,
        role: Role::Output,
        name: &output.name,
        subject: &output.subject,
        schema: &output.schema,
    }));
    all
}

fn read<'p>(plan: &'p Plan, role: Role, schema: &'p SourceSchema) -> Named<'p> {
    Named {
        plan,
        role,
        name: &schema.name,
        subject: &schema.subject,
        schema: &schema.schema,
    }
}

impl Named<'_> {
    async fn ask(&self, client: &Client, registers: bool) -> anyhow::Result<Standing> {
        let same = |place| Standing {
            state: State::Same,
            place,
            changes: Vec::new(),
            trouble: None,
            note: None,
        };
        if self.role == Role::Output
            && let Some((id, version)) = client.find(self.subject, self.schema).await?
        {
            return Ok(same(version.map(|version| Place { id, version })));
        }
        let Some(Latest { place, read }) = client.read_latest(self.subject).await? else {
            let is_fine = registers && self.role == Role::Output;
            let trouble = match self.role {
                Role::Output => "a worker waits until it is registered",
                _ => "nothing was ever written with it, or the topology names another subject",
            };
            return Ok(Standing {
                state: State::Missing,
                place: None,
                changes: Vec::new(),
                trouble: (!is_fine).then(|| trouble.to_owned()),
                note: is_fine.then_some("a worker registers it at its start"),
            });
        };
        let latest = match read {
            Read::Found(latest) if is_same(&latest, self.schema) => return Ok(same(Some(place))),
            Read::Found(latest) => Ok(latest),
            Read::Unusable(why) => Err(format!("the registered schema {why}")),
            Read::Unknown => Err("the registered schema refers to one that does not exist".into()),
        };
        let (changes, trouble, note) = match (latest, self.role) {
            (latest, Role::Output) => {
                let changes = latest.map(|latest| changes(&latest, self.schema));
                let trouble = match client.opinion(self.subject, self.schema).await? {
                    Opinion::Incompatible(words) => Some(format!(
                        "the registry refuses it: {}",
                        super::refusal(&words)
                    )),
                    Opinion::Compatible if registers => None,
                    Opinion::Compatible => Some("a worker waits until it is registered".into()),
                };
                let note = "a worker registers it at its start";
                (changes.unwrap_or_else(|why| vec![why]), trouble, note)
            }
            (Ok(latest), role) => {
                let refusal = self.refusal(role, place.id, &latest);
                let note = "data of it can be read";
                (changes(&latest, self.schema), refusal, note)
            }
            (Err(why), _) => (Vec::new(), Some(why), ""),
        };
        Ok(Standing {
            state: State::Differs,
            place: Some(place),
            note: trouble.is_none().then_some(note),
            changes,
            trouble,
        })
    }

    /// Why a worker would not read data of a version.
    fn refusal(&self, role: Role, id: u32, writer: &Schema) -> Option<String> {
        let refusal = match role {
            Role::Value(source) => self.plan.compile_value(source, id, writer).err(),
            Role::Key(source) => self.plan.compile_key(source, id, writer).err(),
            Role::Output => None,
        };
        refusal.map(|refusal| match refusal {
            Refusal::Wrong(why) => format!("its records are dead letters: {why}"),
            Refusal::Incompatible(why) => format!("a worker's partitions stop at it: {why}"),
        })
    }

    /// What the topology does with it, in words.
    fn role(&self) -> String {
        let topic = |index: u16| &self.plan.sources[usize::from(index)].topic;
        match self.role {
            Role::Value(source) => format!("values of {}", topic(source)),
            Role::Key(source) => format!("keys of {}", topic(source)),
            Role::Output => "written".to_owned(),
        }
    }

    fn file(&self, schemas: &Schemas) -> PathBuf {
        let folder = schemas.folder(&self.plan.path);
        folder.join(format!("{}.avsc", self.name))
    }

    /// What to do about a standing that is no good.
    fn remedy(&self, standing: &Standing, file: &str) -> String {
        match (self.role, standing.state) {
            (Role::Output, _) => format!(
                "`lockgate schema register {} {file}`, or take over the registered one into avro/",
                self.subject
            ),
            (_, State::Missing) => {
                "let the producer write, or name its subject with `subject:`".to_owned()
            }
            _ => "take over the registered one into avro/ and adapt the topology until `lockgate check` passes".to_owned(),
        }
    }
}

/// Whether two schemas are the same text, but for white space.
fn is_same(one: &Schema, other: &Schema) -> bool {
    let value = |schema: &Schema| serde_json::from_str::<Value>(&schema.source).ok();
    one.source == other.source || value(one).is_some_and(|value_of| Some(value_of) == value(other))
}

fn json(named: &Named<'_>, standing: &Standing, schemas: &Schemas) -> Value {
    let file = named.file(schemas).display().to_string();
    let (role, topic) = match named.role {
        Role::Value(source) => ("value", Some(source)),
        Role::Key(source) => ("key", Some(source)),
        Role::Output => ("output", None),
    };
    let remedy = standing.trouble.as_ref();
    json!({
        "subject": named.subject,
        "file": file,
        "topology": named.plan.id,
        "role": role,
        "topic": topic.map(|index| &named.plan.sources[usize::from(index)].topic),
        "state": standing.state.name(),
        "version": standing.place.map(|place| place.version),
        "id": standing.place.map(|place| place.id),
        "difference": standing.changes,
        "trouble": standing.trouble,
        "help": remedy.map(|_| named.remedy(standing, &file)),
    })
}

fn show(
    found: &[(Named<'_>, Standing)],
    schemas: &Schemas,
    out: &mut impl Write,
) -> io::Result<()> {
    let red = AnsiColor::Red.on_default().bold();
    let yellow = AnsiColor::Yellow.on_default().bold();
    for (named, standing) in found {
        let word = standing.state.name();
        match (&standing.trouble, standing.state) {
            (Some(_), _) => write!(out, "{red}{word}{red:#}")?,
            (None, State::Same) => write!(out, "{word}")?,
            (None, _) => write!(out, "{yellow}{word}{yellow:#}")?,
        }
        write!(
            out,
            ": {} ({}, {})",
            named.subject,
            named.plan.id,
            named.role()
        )?;
        match (standing.place, standing.state) {
            (Some(place), State::Same) => {
                writeln!(out, ", version {}, id {}", place.version, place.id)?;
            }
            (Some(place), _) => {
                writeln!(
                    out,
                    ", registered is version {}, id {}",
                    place.version, place.id
                )?;
            }
            (None, _) => writeln!(out)?,
        }
        if !standing.changes.is_empty() {
            writeln!(out, "  = seen from avro/: {}", standing.changes.join("; "))?;
        }
        if let Some(note) = standing.note {
            writeln!(out, "  = {note}")?;
        }
        if let Some(trouble) = &standing.trouble {
            let file = named.file(schemas).display().to_string();
            writeln!(out, "  = trouble: {trouble}")?;
            writeln!(out, "  = to do: {}", named.remedy(standing, &file))?;
        }
    }
    let count = |state| {
        let of_state = found.iter().filter(|(_, standing)| standing.state == state);
        format!("{} {}", of_state.count(), State::name(state))
    };
    let counts = State::ALL.map(count).join(", ");
    let total = found.len();
    let plural = if total == 1 { "" } else { "s" };
    writeln!(out, "{total} schema{plural}: {counts}")
}
