//! `lockgate trace`: a record's way through a topology.

use std::io::Write;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use anyhow::anyhow;
use serde_json::{Value, json};

use super::event::{self, Event};
use super::{Exit, Global, UsageError, stderr, stdout};
use crate::topology::cases::{self, Bytes, Case, Expect, Record, write};
use crate::topology::files::Schemas;
use crate::topology::trace::{Stage, StageOutcome, Trace, trace};
use crate::topology::{self, Faults, Plan, Watched};

/// The words of `lockgate trace`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate trace topologies/orders.yaml --case 'a big order is announced as well'\n  lockgate trace topologies/orders.yaml --event order.json --key '{\"id\": \"a\"}'\n  lockgate tail --topic shop.public.orders --from 3:1200 --count 1 --json | lockgate trace topologies/orders.yaml --event -"
)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["event", "case"])))]
pub struct Args {
    /// The topology file.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The event as JSON, or a record as `tail --json` writes it; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// A test case beside the topology, by its name.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// The source topic, if the topology has several and the event does not name one.
    #[arg(long, value_name = "TOPIC", conflicts_with = "case")]
    pub source: Option<String>,
    /// The record's key as JSON, if the event does not hold it.
    #[arg(long, value_name = "JSON", conflicts_with = "case")]
    pub key: Option<String>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// One JSON object per record.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let vars = global.vars()?;
    let avro = args.avro.as_deref();
    let loaded = topology::load_watched(std::slice::from_ref(&args.path), avro, &vars);
    let mut schemas = Schemas::new(avro);
    let records = loaded.and_then(|all| {
        let mut faults = Faults::default();
        let records = records(args, &all, &mut schemas, &mut faults);
        match faults.is_ok() {
            true => Ok((all, records)),
            false => Err(faults),
        }
    });
    let (all, records) = match records {
        Ok((all, records)) => (all, records?),
        Err(faults) => {
            write!(stderr(), "{}", faults.render(true))?;
            return Ok(Exit::Usage);
        }
    };
    let mut out = stdout();
    for (index, (at, record)) in records.iter().enumerate() {
        let watched = &all[*at];
        let trace = trace(watched, record, &mut schemas, &vars);
        if let Some(why) = watched.lacks() {
            return Err(UsageError(why.to_owned()).into());
        }
        let trace = trace.map_err(|why| anyhow!(why))?;
        match args.json {
            true => writeln!(out, "{}", object(&watched.plan, record, &trace))?,
            false => {
                if index > 0 {
                    writeln!(out)?;
                }
                show(&watched.plan, record, &trace, &mut out)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The records to trace, each with the index of its topology.
fn records(
    args: &Args,
    all: &[Watched],
    schemas: &mut Schemas,
    faults: &mut Faults,
) -> anyhow::Result<Vec<(usize, Record)>> {
    match (&args.case, &args.event) {
        (Some(name), _) => of_case(name, all, schemas, faults).map(|one| vec![one]),
        (None, Some(path)) => event::read(path)?
            .into_iter()
            .map(|event| of_event(args, all, event))
            .collect(),
        (None, None) => Ok(Vec::new()),
    }
}

fn of_case(
    name: &str,
    all: &[Watched],
    schemas: &mut Schemas,
    faults: &mut Faults,
) -> anyhow::Result<(usize, Record)> {
    let mut names = Vec::new();
    for (at, watched) in all.iter().enumerate() {
        let plan = &watched.plan;
        let Some(cases) =
            cases::beside(&plan.path).and_then(|path| cases::read(&path, plan, schemas, faults))
        else {
            continue;
        };
        if let Some(case) = cases.list.iter().find(|case| case.name == name) {
            let record = cases::record(plan, case)
                .map_err(|why| UsageError(format!("the case `{name}` cannot be run: {why}")))?;
            return Ok((at, record));
        }
        names.extend(cases.list.into_iter().map(|case| case.name));
    }
    let near = topology::fault::nearest(name, names.iter().map(String::as_str));
    let hint = match (near, names.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, true) => "there are no test cases beside the topology".to_owned(),
        (None, false) => format!("there are:\n  {}", names.join("\n  ")),
    };
    Err(UsageError(format!("there is no test case `{name}`; {hint}")).into())
}

fn of_event(args: &Args, all: &[Watched], event: Event) -> anyhow::Result<(usize, Record)> {
    let wanted = args.source.as_ref().or(event.topic.as_ref());
    let sources: Vec<(usize, &str)> = all
        .iter()
        .enumerate()
        .flat_map(|(at, watched)| {
            let sources = watched.plan.sources.iter();
            sources.map(move |source| (at, source.topic.as_str()))
        })
        .collect();
    let fits: Vec<_> = sources
        .iter()
        .filter(|(_, topic)| wanted.is_none_or(|wanted| wanted == topic))
        .collect();
    let [(at, topic)] = fits.as_slice() else {
        let list: Vec<_> = sources.iter().map(|(_, topic)| *topic).collect();
        let list = list.join(", ");
        let why = match (wanted, fits.is_empty()) {
            (Some(wanted), true) => format!("no source is `{wanted}`; there are: {list}"),
            (Some(wanted), false) => format!("several topologies read `{wanted}`: name one file"),
            (None, _) => format!("say which source the event is from, `--source TOPIC`: {list}"),
        };
        return Err(UsageError(why).into());
    };
    let plan = &all[*at].plan;
    let given = args.key.as_deref().map(event::key);
    let case = Case {
        name: String::new(),
        span: 0..0,
        topic: (*topic).to_owned(),
        key: given.or(event.key).unwrap_or(Bytes::Null),
        value: event.value,
        value_schema: None,
        headers: event.headers,
        position: event.position,
        expect: Expect::default(),
    };
    let record = cases::record(plan, &case).map_err(UsageError)?;
    Ok((*at, record))
}

fn object(plan: &Plan, record: &Record, trace: &Trace) -> Value {
    let stages: Vec<_> = trace.stages.iter().map(Stage::json).collect();
    json!({
        "topology": plan.id,
        "source": plan.sources[usize::from(record.source)].topic,
        "key": trace.key,
        "event": trace.event,
        "stages": stages,
        "disposition": trace.disposition,
        "deliveries": trace.ended["deliveries"],
        "filtered": trace.ended["filtered"],
        "dead_letters": trace.ended["dead_letters"],
    })
}

fn show(plan: &Plan, record: &Record, trace: &Trace, out: &mut impl Write) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    let source = &plan.sources[usize::from(record.source)].topic;
    let (partition, offset, _) = record.position;
    writeln!(
        out,
        "{bold}{}: a record of {source}, {partition}:{offset}{bold:#}",
        plan.id
    )?;
    writeln!(out, "  key    {}", super::decode::line(&trace.key))?;
    match (&record.value, &trace.event) {
        (None, _) => writeln!(out, "  event  none: a tombstone")?,
        (Some(bytes), Value::Null) => {
            writeln!(out, "  event  {} bytes that cannot be read", bytes.len())?
        }
        (Some(_), event) => {
            writeln!(out, "  event")?;
            block(event, 4, out)?;
        }
    }
    for stage in &trace.stages {
        writeln!(out)?;
        self::stage(stage, record.value.is_none(), out)?;
    }
    let green = AnsiColor::Green.on_default().bold();
    let yellow = AnsiColor::Yellow.on_default().bold();
    let red = AnsiColor::Red.on_default().bold();
    writeln!(out)?;
    let topics: Vec<_> = trace.ended["deliveries"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|delivery| delivery["topic"].as_str())
        .collect();
    if !topics.is_empty() {
        writeln!(out, "{green}delivered{green:#} to {}", topics.join(", "))?;
    }
    if let Some(step) = trace.ended["filtered"].as_str() {
        writeln!(out, "{yellow}filtered{yellow:#} by the step {step}")?;
    }
    for letter in trace.ended["dead_letters"].as_array().into_iter().flatten() {
        let at = ["step", "route"]
            .into_iter()
            .find_map(|what| Some(format!("{what} {}", letter[what].as_str()?)))
            .unwrap_or_default();
        let text = |name: &str| super::decode::line(&letter[name]);
        writeln!(
            out,
            "{red}dead-lettered{red:#} at the {at}: {}: {}",
            text("reason"),
            text("message")
        )?;
    }
    Ok(())
}

fn stage(stage: &Stage, is_tombstone: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let (sign, colour, said) = match &stage.outcome {
        StageOutcome::Passed => ("✓", AnsiColor::Green, "goes on".to_owned()),
        StageOutcome::Taken => ("✓", AnsiColor::Green, "taken".to_owned()),
        StageOutcome::Filtered => ("✗", AnsiColor::Yellow, "filtered here".to_owned()),
        StageOutcome::NotTaken(why) => {
            let why = why.map_or_else(|| "its condition is false".to_owned(), str::to_owned);
            ("·", AnsiColor::Yellow, format!("not taken: {why}"))
        }
        StageOutcome::DeadLettered(reason, message) => (
            "✗",
            AnsiColor::Red,
            format!("dead letter, {reason}: {message}"),
        ),
        StageOutcome::NotReached if is_tombstone => (
            "·",
            AnsiColor::BrightBlack,
            "passed by: a tombstone has no event".to_owned(),
        ),
        StageOutcome::NotReached => ("·", AnsiColor::BrightBlack, "not reached".to_owned()),
    };
    let colour = colour.on_default();
    let bold = Style::new().bold();
    let dim = Style::new().dimmed();
    let kind = if stage.is_route { "route" } else { "step" };
    let text = match stage.text.as_str() {
        "" => String::new(),
        text => format!("  {text}"),
    };
    writeln!(
        out,
        "{colour}{sign}{colour:#} {kind} {bold}{}{bold:#}{text}",
        stage.name
    )?;
    writeln!(
        out,
        "    {colour}{}{colour:#}",
        super::decode::printable(&said)
    )?;
    let width = stage
        .reads
        .iter()
        .map(|(path, _)| path.len())
        .max()
        .unwrap_or(0);
    for (path, value) in &stage.reads {
        writeln!(out, "    {path:width$} = {}", short(value))?;
    }
    // A condition alone is what became of the stage.
    let parts = stage.conditions.iter().filter(|one| !one.is_whole);
    for one in parts {
        let (line, column) = one.position;
        let outcome = one.outcome.unwrap_or("not needed");
        writeln!(
            out,
            "    {outcome:10} {}  {dim}{line}:{column}{dim:#}",
            one.text
        )?;
    }
    if !stage.fields.is_empty() {
        let width = stage
            .fields
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0);
        let values: Vec<_> = stage
            .fields
            .iter()
            .map(|(.., value)| short(value))
            .collect();
        let column = values
            .iter()
            .map(|value| value.chars().count())
            .max()
            .unwrap_or(0)
            .min(40);
        for ((name, from, _), value) in stage.fields.iter().zip(values) {
            writeln!(
                out,
                "    {name:width$} = {value:column$}  {dim}← {from}{dim:#}"
            )?;
        }
    }
    if let Some((delivery, bytes)) = &stage.delivery {
        writeln!(
            out,
            "    ─► {}  key {}",
            super::decode::line(&delivery["topic"]),
            short(&delivery["key"])
        )?;
        for (name, value) in delivery["headers"].as_object().into_iter().flatten() {
            writeln!(out, "       header {name}: {}", super::decode::line(value))?;
        }
        match bytes {
            None => writeln!(out, "       null: a tombstone")?,
            Some(bytes) => {
                writeln!(out, "       {} bytes, read back:", bytes.len())?;
                block(&delivery["value"], 9, out)?;
            }
        }
    }
    Ok(())
}

/// A value on one line, cut where it is long.
fn short(value: &Value) -> String {
    const SHOWN_MAX: usize = 100;
    let text = super::decode::printable(&value.to_string());
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn block(value: &Value, indent: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let mut text = String::new();
    write::block(&mut text, value, indent);
    for line in text.lines() {
        writeln!(out, "{}", super::decode::printable(line))?;
    }
    Ok(())
}
