//! `lockgate eval`: an expression, its type, and its value for an event.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bumpalo::Bump;
use serde_json::{Value, json};

use super::event::{self, Event};
use super::{Exit, Global, UsageError, stderr, stdout};
use crate::codec::{Scan, Slots, frame};
use crate::expr::{
    self, BeforeColumns, Compiled, Cx, Datum, Env, Envelope, EvalFault, EventEnv, ExprFault, Facts,
    Given, KeyEnv, Meta, Type, Wants,
};
use crate::input;
use crate::schema::Schema;
use crate::topology::cases::{Bytes, encoded};
use crate::topology::fault::{Faults, Source};
use crate::topology::files::Schemas;
use crate::topology::{self, Setting, Vars};
use crate::words;

/// The words of `lockgate eval`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("reads").args(["schema", "topology"])))]
#[command(
    after_help = "Examples:\n  lockgate eval '\"a-b\".split(\"-\")'\n  lockgate eval 'event.total * 2' --schema avro/orders.clean-value.avsc --event order.json\n  lockgate tail --topic shop.public.orders --count 1 --json | lockgate eval 'event.after.price' --schema avro/shop.public.orders-value.avsc --given 'event.after != null' --event -\n  lockgate eval 'event.after.price * 2 > vars.big_from' --topology topologies/orders.yaml --given 'event.after != null'\n\nExit 64 if the expression has a fault, 1 if it has no value for the event."
)]
pub struct Args {
    /// The expression. It reads `event` and `meta`, and `vars`, tables and secrets where `--topology` names what declares them.
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: String,
    /// Avro schema of the event.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// The topology that the expression is meant for: it has the variables, tables and secrets, and the schemas of event and key.
    /// The expression is read as in its first step; whether its steps and routes are right is not asked.
    #[arg(long, value_name = "FILE", conflicts_with = "key_schema")]
    pub topology: Option<PathBuf>,
    /// The source topic, if the topology has several and the event does not name one.
    #[arg(long, value_name = "TOPIC", requires = "topology")]
    pub source: Option<String>,
    /// Folder of the topology's Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR", requires = "topology")]
    pub avro: Option<PathBuf>,
    /// The event as JSON, or a record as `tail --json` writes it; `-` is standard input. Without it only the type is told.
    #[arg(long, value_name = "FILE", requires = "reads")]
    pub event: Option<PathBuf>,
    /// How the value wraps the change [default: debezium where the schema is Debezium's envelope].
    #[arg(long, value_enum, value_name = "ENVELOPE", requires = "schema")]
    pub envelope: Option<Wrapped>,
    /// Avro schema of the record's key; without it the key is text.
    #[arg(long, value_name = "FILE")]
    pub key_schema: Option<PathBuf>,
    /// The record's key as JSON, if the event does not hold it.
    #[arg(long, value_name = "JSON")]
    pub key: Option<String>,
    /// A condition that holds where the expression stands, as steps before it would ensure.
    #[arg(long, value_name = "CONDITION")]
    pub given: Vec<String>,
    /// Print the result, or the faults, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The envelopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wrapped {
    /// Debezium's `before`, `after`, `op`, `source`.
    Debezium,
    /// The value is the event.
    None,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let events = match &args.event {
        Some(path) => event::read(path)?,
        None => Vec::new(),
    };
    let seen = match &args.topology {
        Some(path) => in_topology(args, path, events.first(), &global.vars()?)?,
        None => Ok((alone(args)?, None)),
    };
    let mut wants = Wants::new();
    let compiled = seen.and_then(|(env, setting)| {
        let compiled = compile(args, &env, &mut wants)?;
        Ok((compiled, env, setting))
    });
    let (compiled, env, setting) = match compiled {
        Ok(all) => all,
        Err(faults) => {
            match args.json {
                true => writeln!(stdout(), "{}", faults.to_json())?,
                false => write!(stderr(), "{}", faults.render(true))?,
            }
            return Ok(Exit::Usage);
        }
    };
    let schema = env.event.map(|event| event.schema);
    let key_schema = match env.key {
        KeyEnv::Avro { schema, .. } => Some(schema),
        _ => None,
    };
    let evaluate = |record: &Record| {
        let result = evaluate(&compiled, record, &wants)?;
        match setting.as_ref().and_then(Setting::lacks) {
            Some(why) => Err(UsageError(why.to_owned())),
            None => Ok(result),
        }
    };
    let mut fine = true;
    if events.is_empty() {
        // Without an event there is a value still where nothing is read, or nothing but a key that was given.
        let key = args.key.as_deref().map(event::key);
        let has_value = compiled
            .reads
            .iter()
            .all(|path| key.is_some() && path.starts_with("meta.key"));
        let record = Record {
            key: datum("key", key_schema.as_ref(), &key.unwrap_or(Bytes::Null))?,
            key_schema: key_schema.clone(),
            ..Record::default()
        };
        let result = has_value.then(|| evaluate(&record));
        fine = show(args, &compiled, result.transpose()?)?;
    }
    for event in events {
        let key = args.key.as_deref().map(event::key).or(event.key.clone());
        let key = key.unwrap_or(Bytes::Null);
        let record = Record {
            value: schema
                .as_ref()
                .map(|schema| datum("event", Some(schema), &event.value))
                .transpose()?
                .flatten(),
            key: datum("key", key_schema.as_ref(), &key)?,
            value_schema: schema.clone(),
            key_schema: key_schema.clone(),
            event: Some(event),
        };
        let result = evaluate(&record)?;
        fine &= show(args, &compiled, Some(result))?;
    }
    Ok(if fine { Exit::Done } else { Exit::Failed })
}

/// What an expression is evaluated for.
#[derive(Default)]
struct Record {
    /// The value's datum, without a frame.
    value: Option<Vec<u8>>,
    /// The key's datum; its text where it has no schema.
    key: Option<Vec<u8>>,
    value_schema: Option<Arc<Schema>>,
    key_schema: Option<Arc<Schema>>,
    event: Option<Event>,
}

/// What the expression sees without a topology.
fn alone(args: &Args) -> Result<Env, UsageError> {
    let schema = args.schema.as_deref().map(read_schema).transpose()?;
    let key_schema = args.key_schema.as_deref().map(read_schema).transpose()?;
    let beside = args.schema.as_deref().and_then(Path::parent);
    let mut given = Given::default();
    name_schemas(args, beside.unwrap_or(Path::new("avro")), &mut given)?;
    Ok(Env {
        event: schema.map(|schema| EventEnv {
            envelope: envelope(args, &schema),
            schema,
            // No topology says what the replica identity carries.
            before: BeforeColumns::All,
            left_out: Vec::new(),
        }),
        key: match key_schema {
            Some(schema) => KeyEnv::Avro {
                schema,
                nullable: false,
            },
            None => KeyEnv::String,
        },
        given,
        ..Env::default()
    })
}

/// What the expression sees in a topology, for its one source, or for the one that is named.
fn in_topology(
    args: &Args,
    path: &Path,
    event: Option<&Event>,
    vars: &Vars,
) -> Result<Result<(Env, Option<Setting>), Faults>, UsageError> {
    let mut schemas = Schemas::new(args.avro.as_deref());
    let mut setting = match topology::setting(path, &mut schemas, vars) {
        Ok(setting) => setting,
        Err(faults) => return Ok(Err(faults)),
    };
    let named = args.source.as_ref();
    let wanted = named.or(event.and_then(|event| event.topic.as_ref()));
    let topics: Vec<_> = setting.sources.iter().map(|(topic, _)| topic).collect();
    let list = || {
        topics
            .iter()
            .map(|topic| topic.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let at = match (wanted, topics.len()) {
        (Some(wanted), _) => match topics.iter().position(|topic| *topic == wanted) {
            Some(at) => Some(at),
            None => {
                return Err(UsageError(format!(
                    "no source is `{wanted}`; there are: {}",
                    list()
                )));
            }
        },
        (None, 1) => Some(0),
        (None, _) if event.is_some() => {
            let why = "say which source the event is from, `--source TOPIC`";
            return Err(UsageError(format!("{why}: {}", list())));
        }
        (None, _) => None,
    };
    let mut env = match at {
        Some(at) => setting.sources.swap_remove(at).1,
        None => setting.without_event.clone(),
    };
    name_schemas(args, &schemas.folder(path), &mut env.given)?;
    Ok(Ok((env, Some(setting))))
}

/// Adds the schemas that the expressions read JSON by, as far as they are in the folder.
fn name_schemas(args: &Args, folder: &Path, given: &mut Given) -> Result<(), UsageError> {
    for (name, _) in args
        .given
        .iter()
        .chain([&args.expr])
        .flat_map(|text| expr::schemas(text))
    {
        let path = folder.join(format!("{name}.avsc"));
        if !name.contains(['/', '\\']) && path.is_file() {
            given.schemas.push((name, Some(read_schema(&path)?)));
        }
    }
    Ok(())
}

fn read_schema(path: &Path) -> Result<Arc<Schema>, UsageError> {
    let shown = path.display();
    let text = input::text_of(path, input::FILE_BYTES_MAX).map_err(|error| {
        let (why, help) = (words::of_io(&error), words::remedy(&error));
        UsageError(format!("the schema {shown} cannot be read: {why}; {help}"))
    })?;
    Schema::parse(&text)
        .map(Arc::new)
        .map_err(|fault| UsageError(format!("the schema {shown} is not valid: {fault}")))
}

fn envelope(args: &Args, schema: &Schema) -> Envelope {
    match args.envelope {
        Some(Wrapped::Debezium) => Envelope::Debezium,
        Some(Wrapped::None) => Envelope::None,
        None if topology::is_envelope(schema) => Envelope::Debezium,
        None => Envelope::None,
    }
}

/// Compiles the conditions of `--given`, each under those before it, then the expression.
fn compile(args: &Args, env: &Env, wants: &mut Wants) -> Result<Compiled, Faults> {
    let mut facts = Facts::none();
    for given in &args.given {
        let condition = expr::compile(given, env, wants, &facts)
            .map_err(|list| faults("--given", given, list))?;
        if !matches!(condition.ty, Type::Bool | Type::Dyn) {
            let message = format!("a condition is true or false, this is {}", condition.ty);
            let fault = ExprFault::new("not_a_condition", (0, given.len()), message);
            return Err(faults("--given", given, vec![fault]));
        }
        facts = facts.and(&condition.if_true);
    }
    expr::compile(&args.expr, env, wants, &facts).map_err(|mut list| {
        for fault in &mut list {
            match (fault.code, &mut fault.help) {
                ("no_event", help) => {
                    *help = Some(match args.topology {
                        Some(_) => "say which source it is of, `--source TOPIC`".to_owned(),
                        None => "name its schema with `--schema FILE`, or its topology with `--topology FILE`".to_owned(),
                    });
                }
                // Only a topology has variables, and here is none to declare them in.
                ("unknown_field", help)
                    if args.topology.is_none() && fault.message.contains("no variable") =>
                {
                    fault.message = "an expression alone has no variables".to_owned();
                    *help = Some(
                        "name the topology that declares them with `--topology FILE`, or write the value in its place".to_owned(),
                    );
                }
                ("nullable", Some(help)) => {
                    help.push_str("; or say what steps before ensure: `--given 'CONDITION'`");
                }
                _ => {}
            }
        }
        faults("expression", &args.expr, list)
    })
}

fn faults(name: &str, text: &str, list: Vec<ExprFault>) -> Faults {
    let file = Arc::new(Source::new(name, text));
    let mut faults = Faults::default();
    for fault in list {
        let span = fault.start..fault.end.max(fault.start);
        faults.error(fault.code, &file, &span, fault.message, fault.help);
    }
    faults
}

/// The datum of a key or value; without a schema, its text.
fn datum(
    what: &str,
    schema: Option<&Arc<Schema>>,
    bytes: &Bytes,
) -> Result<Option<Vec<u8>>, UsageError> {
    let framed = encoded(what, schema.map(|schema| &**schema), 1, bytes).map_err(UsageError)?;
    let (Some(framed), Some(_)) = (&framed, schema) else {
        return Ok(framed);
    };
    match frame::split(framed) {
        Ok((_, datum)) => Ok(Some(datum.to_vec())),
        Err(_) => Err(UsageError(format!(
            "the bytes of the {what} are not in the Confluent wire format"
        ))),
    }
}

/// The value as JSON, or why there is none. An error: the datum is not one of its schema.
fn evaluate(
    compiled: &Compiled,
    record: &Record,
    wants: &Wants,
) -> Result<Result<Value, EvalFault>, UsageError> {
    let scanned = |what: &str, schema: &Option<Arc<Schema>>, bytes: &Option<Vec<u8>>, wants| {
        let (Some(schema), Some(bytes)) = (schema, bytes) else {
            return Ok(None);
        };
        let unread = |why: String| UsageError(format!("the {what} cannot be read: {why}"));
        let scan = Scan::compile(schema, schema, wants)
            .map_err(|list| unread(list.iter().map(ToString::to_string).collect()))?;
        let mut slots = Slots::default();
        scan.run(bytes, &mut slots)
            .map_err(|fault| unread(fault.to_string()))?;
        Ok(Some((scan, slots)))
    };
    let value = scanned("event", &record.value_schema, &record.value, wants.value())?;
    let key = scanned("key", &record.key_schema, &record.key, wants.key())?;
    let headers: Vec<_> = record
        .event
        .iter()
        .flat_map(|event| &event.headers)
        .map(|(name, value)| (name.as_bytes(), value.as_deref().map(str::as_bytes)))
        .collect();
    let event = record.event.as_ref();
    let position = event.map_or((0, 0, None), |event| event.position);
    let meta = Meta {
        topic: event
            .and_then(|event| event.topic.as_deref())
            .unwrap_or_default(),
        partition: position.0,
        offset: position.1,
        timestamp_ms: position.2,
        key: record.key.as_deref(),
        headers: &headers,
    };
    let bump = Bump::new();
    let cx = Cx {
        value: datum_of(&value, &record.value),
        key: datum_of(&key, &record.key),
        regs: &[],
        meta: &meta,
        bump: &bump,
    };
    Ok(expr::eval(&compiled.node, &cx).map(|val| expr::to_json(val, &compiled.ty, &cx)))
}

fn datum_of<'a>(
    scanned: &'a Option<(Scan, Slots)>,
    bytes: &'a Option<Vec<u8>>,
) -> Option<Datum<'a>> {
    let (scan, slots) = scanned.as_ref()?;
    let bytes = bytes.as_deref()?;
    Some(Datum { scan, bytes, slots })
}

/// Prints the type and what came of an evaluation. False if that was a fault.
fn show(
    args: &Args,
    compiled: &Compiled,
    result: Option<Result<Value, EvalFault>>,
) -> anyhow::Result<bool> {
    let mut out = stdout();
    let ty = compiled.ty.to_string();
    let can_fail = &compiled.can_fail;
    let fine = !matches!(result, Some(Err(_)));
    if args.json {
        let mut object = json!({ "type": ty, "can_fail": can_fail });
        match result {
            Some(Ok(value)) => object["value"] = value,
            Some(Err(fault)) => {
                object["fault"] = json!({ "reason": fault.reason, "message": fault.message })
            }
            None => {}
        }
        writeln!(out, "{object}")?;
        return Ok(fine);
    }
    let bold = anstyle::Style::new().bold();
    let red = anstyle::AnsiColor::Red.on_default().bold();
    writeln!(out, "{bold}type{bold:#}      {ty}")?;
    if !can_fail.is_empty() {
        writeln!(out, "{bold}can fail{bold:#}  {}", can_fail.join(", "))?;
    }
    match result {
        Some(Ok(value)) => {
            let line = value.to_string();
            let text = match &value {
                // Only text has quotes here: a decimal or a time is none.
                Value::String(text) if *compiled.ty.non_null() != Type::String => text.clone(),
                Value::Object(_) | Value::Array(_) if line.len() > 90 => format!("{value:#}"),
                _ => line,
            };
            writeln!(out, "{bold}value{bold:#}     {text}")?;
        }
        Some(Err(fault)) => {
            writeln!(
                out,
                "{red}fails{red:#}     {}: {}",
                fault.reason, fault.message
            )?;
        }
        None => writeln!(out, "{bold}value{bold:#}     give an event: `--event FILE`")?,
    }
    Ok(fine)
}
