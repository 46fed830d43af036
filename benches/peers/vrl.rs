//! Jobs by the `vrl` crate, as Vector does them: datum to `apache-avro`'s values, to values of VRL, the program, and back again.
//!
//! J, `wide` and `text`; the other three need decimals to be calculated with, which VRL does not have.

use std::collections::HashMap;

use ::vrl::compiler::runtime::{Runtime, Terminate};
use ::vrl::compiler::{Program, TargetValue, TimeZone, compile};
use ::vrl::diagnostic::Formatter;
use ::vrl::value::{ObjectMap, Secrets, Value as Vrl};
use anyhow::{Context as _, anyhow, ensure};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::RecordField;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use chrono::DateTime;

use crate::job::{self, Ready, Way};

const J: &str = r#"
    if .op != "c" && .op != "u" { abort }
    country = .after.country_code
    region = if includes(["DE", "FR", "GB", "ES", "IT", "PL"], country) { "emea" }
        else if includes(["SE", "NO", "DK", "FI"], country) { "nordics" }
        else if includes(["US", "CA"], country) { "amer" }
        else if includes(["MX", "BR", "AR", "CL"], country) { "latam" }
        else if includes(["JP", "CN", "IN", "AU"], country) { "apac" }
        else { "other" }
    {
        "order_id": .after.id,
        "customer": .after.customer_id,
        "sku": upcase!(.after.sku),
        "title": .after.name,
        "total_weight": float!(.after.weight) * int!(.after.quantity),
        "price": .after.price,
        "created": replace(format_timestamp!(.after.created_at, "%Y-%m-%dT%H:%M:%S%.6f"), r'\.?0+$', "") + "Z",
        "status": .after.status,
        "region": region,
        "tags": .after.tags,
        "attributes": .after.attributes,
        "city": .after.address.city,
        "description": .after.description,
        "lsn": .source.lsn,
    }
"#;

const WIDE: &str = r#"{ "id": .c000, "name": .c102, "amount": .c199 }"#;

const TEXT: &str = r#"
    path = string!(.path)
    if !match(path, r'^/(shop|blog|api/v[0-9]+)/') { abort }
    host = string!(.host)
    agent = string!(.agent)
    sites = split(host, ".", limit: 2)
    sections = split(path, "/")
    slug, none = parse_regex(path, r'/(?P<it>[a-z0-9-]+)$')
    campaign = ""
    if .query != null {
        found, err = parse_regex(.query, r'(?:^|&)utm_campaign=(?P<it>[^&]*)')
        if err == null { campaign = found.it }
    }
    slug = if none == null { slug.it } else { "" }
    browser = if contains(agent, "Firefox/") { "firefox" } else if contains(agent, "Chrome/") { "chrome" } else { "other" }
    email = if .email == null { null } else { downcase(strip_whitespace!(.email)) }
    {
        "at": .at,
        "host": downcase(host),
        "site": sites[0],
        "section": sections[1],
        "slug": slug,
        "browser": browser,
        "email": email,
        "campaign": campaign,
        "message": strip_whitespace(replace(string!(.message), "\t", " ")),
        "good": int!(.status) < 400,
    }
"#;

/// The way of a job through the crate.
pub fn way(ready: &Ready) -> anyhow::Result<Option<Way<'_>>> {
    let Some(program) = program(ready.job.name)? else {
        return Ok(None);
    };
    let reader = GenericDatumReader::builder(&ready.avro[0]).build()?;
    let mut engine = Engine::new(program);
    let output = Output::of(ready)?;
    Ok(Some(Box::new(move |framed, out| {
        let event = to_vrl(job::read(&reader, framed)?)?;
        match engine.run(event)? {
            Some(made) => output.write(made, out)?,
            None => return Ok(false),
        }
        Ok(true)
    })))
}

/// The program alone: values are made of the records before, and outputs are written the first time only, to be compared.
pub fn program_alone(ready: &Ready) -> anyhow::Result<Option<Way<'_>>> {
    let Some(program) = program(ready.job.name)? else {
        return Ok(None);
    };
    let reader = GenericDatumReader::builder(&ready.avro[0]).build()?;
    let mut events = HashMap::new();
    for framed in &ready.values {
        events.insert(framed.as_ptr(), to_vrl(job::read(&reader, framed)?)?);
    }
    let mut engine = Engine::new(program);
    let output = Output::of(ready)?;
    let mut left = ready.values.len();
    Ok(Some(Box::new(move |framed, out| {
        // The program may change its event, so it works on a copy.
        let event = events.get(&framed.as_ptr()).context("an event")?.clone();
        let made = engine.run(event)?;
        let is_kept = made.is_some();
        if let (Some(made), 1..) = (made, left) {
            output.write(made, out)?;
        }
        left = left.saturating_sub(1);
        Ok(is_kept)
    })))
}

/// What writes outputs.
struct Output<'a> {
    writer: GenericDatumWriter<'a>,
    fields: &'a [RecordField],
}

impl<'a> Output<'a> {
    fn of(ready: &'a Ready) -> anyhow::Result<Output<'a>> {
        let Schema::Record(schema) = &ready.avro[1] else {
            return Err(anyhow!("an output is a record"));
        };
        Ok(Output {
            writer: GenericDatumWriter::builder(&ready.avro[1]).build()?,
            fields: &schema.fields,
        })
    }

    fn write(&self, made: Vrl, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let Vrl::Object(mut made) = made else {
            return Err(anyhow!("the program makes an object"));
        };
        let mut record = Vec::with_capacity(self.fields.len());
        for field in self.fields {
            let value = made.remove(field.name.as_str());
            let value = value.with_context(|| field.name.clone())?;
            let mut value = to_avro(value, &field.schema)?;
            if let ("sku", Value::String(text)) = (field.name.as_str(), &mut value) {
                ascii_only(text);
            }
            record.push((field.name.clone(), value));
        }
        job::write(&self.writer, Value::Record(record), out)
    }
}

/// Undoes what `upcase` does beyond ASCII, which the job does not ask for.
fn ascii_only(text: &mut String) {
    if !text.is_ascii() {
        let lower = |letter: char| match letter.is_ascii() {
            true => letter.to_string(),
            false => letter.to_lowercase().to_string(),
        };
        *text = text.chars().map(lower).collect();
    }
}

fn program(job: &str) -> anyhow::Result<Option<Program>> {
    let source = match job {
        "J" => J,
        "wide" => WIDE,
        "text" => TEXT,
        _ => return Ok(None),
    };
    let compiled = compile(source, &::vrl::stdlib::all())
        .map_err(|faults| anyhow!("vrl: {job}: {}", Formatter::new(source, faults)))?;
    ensure!(
        compiled.warnings.is_empty(),
        "vrl: {job}: {:?}",
        compiled.warnings
    );
    Ok(Some(compiled.program))
}

struct Engine {
    program: Program,
    runtime: Runtime,
    zone: TimeZone,
}

impl Engine {
    fn new(program: Program) -> Engine {
        Engine {
            program,
            runtime: Runtime::default(),
            zone: TimeZone::default(),
        }
    }

    /// What the program makes of an event; `None` if it does not keep it.
    fn run(&mut self, event: Vrl) -> anyhow::Result<Option<Vrl>> {
        let mut target = TargetValue {
            value: event,
            metadata: Vrl::Object(ObjectMap::new()),
            secrets: Secrets::new(),
        };
        let result = self.runtime.resolve(&mut target, &self.program, &self.zone);
        self.runtime.clear();
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Terminate::Abort(_)) => Ok(None),
            Err(why) => Err(anyhow!("vrl: {why}")),
        }
    }
}

/// A value as the crate has it; a decimal stays its bytes.
fn to_vrl(value: Value) -> anyhow::Result<Vrl> {
    Ok(match value {
        Value::Null => Vrl::Null,
        Value::Boolean(value) => value.into(),
        Value::Int(value) | Value::Date(value) => value.into(),
        Value::Long(value) => value.into(),
        Value::Double(value) => Vrl::from_f64_or_zero(value),
        Value::Bytes(bytes) => Vrl::Bytes(bytes.into()),
        Value::String(text) | Value::Enum(_, text) => text.into(),
        Value::Union(_, inner) => to_vrl(*inner)?,
        Value::Array(items) => {
            let items = items.into_iter().map(to_vrl);
            Vrl::Array(items.collect::<anyhow::Result<_>>()?)
        }
        Value::Map(entries) => object(entries)?,
        Value::Record(fields) => object(fields)?,
        Value::TimestampMillis(millis) => DateTime::from_timestamp_millis(millis)
            .context("a time")?
            .into(),
        Value::TimestampMicros(micros) => DateTime::from_timestamp_micros(micros)
            .context("a time")?
            .into(),
        Value::Decimal(decimal) => Vrl::Bytes(<Vec<u8>>::try_from(&decimal)?.into()),
        other => return Err(anyhow!("a value of the jobs, not {other:?}")),
    })
}

fn object(fields: impl IntoIterator<Item = (String, Value)>) -> anyhow::Result<Vrl> {
    let fields = fields
        .into_iter()
        .map(|(name, value)| Ok((name.into(), to_vrl(value)?)));
    Ok(Vrl::Object(fields.collect::<anyhow::Result<_>>()?))
}

/// A value for a field of this type.
fn to_avro(value: Vrl, schema: &Schema) -> anyhow::Result<Value> {
    Ok(match (schema, value) {
        (Schema::Boolean, Vrl::Boolean(value)) => Value::Boolean(value),
        (Schema::Int, Vrl::Integer(value)) => Value::Int(i32::try_from(value)?),
        (Schema::Long, Vrl::Integer(value)) => Value::Long(value),
        (Schema::Double, Vrl::Float(value)) => Value::Double(value.into_inner()),
        (Schema::String, value) => Value::String(text(value)?),
        (Schema::Bytes, Vrl::Bytes(bytes)) => Value::Bytes(bytes.into()),
        (Schema::Decimal(_), Vrl::Bytes(bytes)) => Value::Decimal(Vec::from(bytes).into()),
        (Schema::Enum(schema), value) => {
            let text = text(value)?;
            let at = schema.symbols.iter().position(|symbol| *symbol == text);
            Value::Enum(at.context("a symbol")? as u32, text)
        }
        (Schema::TimestampMillis, Vrl::Timestamp(at)) => {
            Value::TimestampMillis(at.timestamp_millis())
        }
        (Schema::Array(array), Vrl::Array(items)) => {
            let items = items.into_iter().map(|item| to_avro(item, &array.items));
            Value::Array(items.collect::<anyhow::Result<_>>()?)
        }
        (Schema::Map(schema), Vrl::Object(entries)) => {
            let entries = entries
                .into_iter()
                .map(|(name, value)| Ok((name.to_string(), to_avro(value, &schema.types)?)));
            Value::Map(entries.collect::<anyhow::Result<HashMap<_, _>>>()?)
        }
        (Schema::Union(union), value) => {
            let is_it = |one: &Schema| matches!(one, Schema::Null) == matches!(value, Vrl::Null);
            let at = union.variants().iter().position(is_it);
            let at = at.context("a branch")?;
            let inner = match value {
                Vrl::Null => Value::Null,
                value => to_avro(value, &union.variants()[at])?,
            };
            Value::Union(at as u32, Box::new(inner))
        }
        (_, other) => return Err(anyhow!("a value of the field's type, not {other:?}")),
    })
}

fn text(value: Vrl) -> anyhow::Result<String> {
    match value {
        Vrl::Bytes(bytes) => Ok(String::from_utf8(bytes.into())?),
        Vrl::String(text) => Ok(text.to_string()),
        other => Err(anyhow!("a text, not {other:?}")),
    }
}
