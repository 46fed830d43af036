//! The jobs by the `cel` crate: datum to `apache-avro`'s values, to values of `cel`, the expressions, and back again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use ::cel::objects::{Key, Opaque};
use ::cel::{Context, Env, Program, Value as Cel, extensions};
use anyhow::{Context as _, anyhow, ensure};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use base64::Engine;
use chrono::{DateTime, FixedOffset};
use regex::Regex;
use serde_json::{Map, Value as Json};

use crate::job::{self, Ready, Way};

/// The expressions of a job: those of its topology, but for functions that the crate does not have under that name.
struct Rules {
    keep: Option<&'static str>,
    fields: &'static [(&'static str, &'static str)],
}

const J: Rules = Rules {
    keep: Some(r#"event.op in ["c", "u"]"#),
    fields: &[
        ("order_id", "event.after.id"),
        ("customer", "event.after.customer_id"),
        ("sku", "event.after.sku.upperAscii()"),
        ("title", "event.after.name"),
        (
            "total_weight",
            "event.after.weight * double(event.after.quantity)",
        ),
        ("price", "event.after.price"),
        ("created", "text(event.after.created_at)"),
        ("status", "event.after.status"),
        (
            "region",
            r#"event.after.country_code in ["DE", "FR", "GB", "ES", "IT", "PL"] ? "emea" :
               event.after.country_code in ["SE", "NO", "DK", "FI"] ? "nordics" :
               event.after.country_code in ["US", "CA"] ? "amer" :
               event.after.country_code in ["MX", "BR", "AR", "CL"] ? "latam" :
               event.after.country_code in ["JP", "CN", "IN", "AU"] ? "apac" : "other""#,
        ),
        ("tags", "event.after.tags"),
        ("attributes", "event.after.attributes"),
        ("city", "event.after.address.city"),
        ("description", "event.after.description"),
        ("lsn", "event.source.lsn"),
    ],
};

const WIDE: Rules = Rules {
    keep: None,
    fields: &[
        ("id", "event.c000"),
        ("name", "event.c102"),
        ("amount", "event.c199"),
    ],
};

const NESTED: Rules = Rules {
    keep: None,
    fields: &[
        ("id", "event.id"),
        ("city", "event.customer.address.city"),
        ("carriers", "event.shipments.map(s, s.carrier.upperAscii())"),
        ("skus", "event.shipments.map(s, s.lines.map(l, l.sku))"),
        (
            "amounts",
            "event.shipments.map(s, s.lines.map(l, times(l.price, l.quantity)))",
        ),
        ("addresses", "event.shipments.map(s, s.address)"),
        ("heavy", "event.shipments.filter(s, s.weight > 20.0)"),
        (
            "names",
            r#"event.shipments.map(s, {"id": s.id, "carrier": s.carrier})"#,
        ),
        (
            "urgent",
            r#"event.shipments.exists(s, s.lines.exists(l, "urgent" in l.tags))"#,
        ),
        ("labels", "event.labels"),
    ],
};

const TEXT: Rules = Rules {
    keep: Some("isPage(event.path)"),
    fields: &[
        ("at", "event.at"),
        ("host", "event.host.lowerAscii()"),
        (
            "site",
            r#"event.host.substring(0, event.host.indexOf("."))"#,
        ),
        ("section", r#"event.path.split("/")[1]"#),
        ("slug", "slugOf(event.path)"),
        (
            "browser",
            r#"event.agent.contains("Firefox/") ? "firefox" : event.agent.contains("Chrome/") ? "chrome" : "other""#,
        ),
        (
            "email",
            "event.email == null ? null : event.email.trim().lowerAscii()",
        ),
        (
            "campaign",
            r#"event.query == null ? "" : campaignOf(event.query)"#,
        ),
        ("message", r#"event.message.replace("\t", " ").trim()"#),
        ("good", "event.status < 400"),
    ],
};

const MONEY: Rules = Rules {
    keep: None,
    fields: &[
        ("id", "event.id"),
        (
            "gross",
            "plus(times(event.amount, event.quantity), event.fee)",
        ),
        ("net", "rounded(product(event.amount, event.rate), 2)"),
        ("share", "third(event.amount)"),
        ("currency", "event.currency"),
        (
            "day",
            r#"timeText(event.booked_at, "%Y-%m-%d", "Europe/Berlin")"#,
        ),
        ("hour", r#"event.booked_at.getHours("America/New_York")"#),
        (
            "local",
            r#"timeText(event.booked_at, "%d.%m.%Y %H:%M", "Asia/Tokyo")"#,
        ),
        ("due", r#"event.booked_at + duration("720h")"#),
        (
            "late",
            r#"event.paid_at != null && event.paid_at - event.booked_at > duration("24h")"#,
        ),
        ("reference", "event.reference"),
    ],
};

const JSON: Rules = Rules {
    keep: None,
    fields: &[
        ("id", "event.id"),
        ("label", r#"event.address.city + " " + string(event.id)"#),
        ("name", "event.name"),
        ("email", "event.email"),
        ("balance", "event.balance"),
        ("created", "event.created"),
        ("born", "event.born"),
        ("active", "event.active"),
        ("score", "event.score"),
        ("tags", "event.tags"),
        ("attributes", "event.attributes"),
        ("address", "event.address"),
        ("history", "event.history"),
        ("token", "event.token"),
    ],
};

/// A decimal, which the crate has no type for.
#[derive(PartialEq, Eq)]
struct Decimal(i128, u32);

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e-{}", self.0, self.1)
    }
}

impl Opaque for Decimal {
    fn runtime_type_name(&self) -> &str {
        "bench.Decimal"
    }
}

/// A day, which it has no type for either.
#[derive(Debug, PartialEq, Eq)]
struct Day(i32);

impl Opaque for Day {
    fn runtime_type_name(&self) -> &str {
        "bench.Day"
    }
}

/// The way of a job through the crate.
pub fn way(ready: &Ready) -> anyhow::Result<Option<Way<'_>>> {
    let rules = match ready.job.name {
        "J" => J,
        "wide" => WIDE,
        "nested" => NESTED,
        "text" => TEXT,
        "money" => MONEY,
        "json" => JSON,
        _ => return Ok(None),
    };
    let mut env = Env::stdlib();
    let failed = |why: &dyn fmt::Debug| anyhow!("cel: {why:?}");
    env.add_extension(extensions::strings)
        .map_err(|why| failed(&why))?;
    let env = Arc::new(env);
    let compile = |text: &str| -> anyhow::Result<Program> {
        env.compile(text)
            .map_err(|why| anyhow!("cel: {text}: {why}"))
    };
    let keep = rules.keep.map(&compile).transpose()?;
    let fields = rules
        .fields
        .iter()
        .map(|(name, text)| Ok((*name, compile(text)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let root = functions(&env).map_err(|why| failed(&why))?;
    let reader = GenericDatumReader::builder(&ready.avro[0]).build()?;
    let writer = GenericDatumWriter::builder(&ready.avro[1]).build()?;
    let Schema::Record(schema) = &ready.avro[1] else {
        return Err(anyhow!("an output is a record"));
    };
    let is_json = ready.job.name == "json";
    let (types_in, types_out) = (Types::of(&ready.avro[0]), Types::of(&ready.avro[1]));
    Ok(Some(Box::new(move |framed, out| {
        let event = types_in.to_cel(job::read(&reader, framed)?, &ready.avro[0])?;
        let mut context = root.new_inner_scope();
        context.add_variable_from_value("event", event);
        let value = |program: &Program| {
            let value = program.execute(&context);
            value.map_err(|why| anyhow!("cel: {why}"))
        };
        if let Some(keep) = &keep
            && value(keep)? != Cel::Bool(true)
        {
            return Ok(false);
        }
        if is_json {
            let mut document = Map::with_capacity(fields.len());
            for (name, program) in &fields {
                let value = to_json(&value(program)?)?;
                if !value.is_null() {
                    document.insert((*name).to_owned(), value);
                }
            }
            serde_json::to_writer(out, &document)?;
            return Ok(true);
        }
        let mut record = Vec::with_capacity(fields.len());
        for ((name, program), field) in fields.iter().zip(&schema.fields) {
            ensure!(*name == field.name, "the fields stand in order");
            let value = types_out.to_avro(&value(program)?, &field.schema)?;
            record.push(((*name).to_owned(), value));
        }
        job::write(&writer, Value::Record(record), out)?;
        Ok(true)
    })))
}

static PAGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^/(shop|blog|api/v[0-9]+)/").expect("a pattern"));
static SLUG: LazyLock<Regex> = LazyLock::new(|| Regex::new("/([a-z0-9-]+)$").expect("a pattern"));
static CAMPAIGN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?:^|&)utm_campaign=([^&]*)").expect("a pattern"));

/// What the jobs need and the crate does not have. Patterns are compiled once; its own `matches` compiles them at every call.
fn functions(env: &Arc<Env>) -> Result<Context<'static, 'static>, ::cel::DeclarationError> {
    let mut root = Context::with_env(env.clone());
    let group = |pattern: &Regex, text: &str| -> String {
        let found = pattern.captures(text).and_then(|found| found.get(1));
        found.map_or(String::new(), |group| group.as_str().to_owned())
    };
    root.add_function("isPage", |text: Arc<String>| PAGE.is_match(&text))?;
    root.add_function("slugOf", move |text: Arc<String>| group(&SLUG, &text))?;
    root.add_function("campaignOf", move |text: Arc<String>| {
        group(&CAMPAIGN, &text)
    })?;
    root.add_function("text", |at: DateTime<FixedOffset>| {
        let text = at.to_utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        let text = text.trim_end_matches('0').trim_end_matches('.');
        format!("{text}Z")
    })?;
    root.add_function(
        "timeText",
        |at: DateTime<FixedOffset>, pattern: Arc<String>, zone: Arc<String>| {
            let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
            at.with_timezone(&zone).format(&pattern).to_string()
        },
    )?;
    let of = |value: &Arc<dyn Opaque>| match value.downcast_ref::<Decimal>() {
        Some(Decimal(digits, scale)) => (*digits, *scale),
        None => (0, 0),
    };
    let made = |digits: i128, scale: u32| -> Arc<dyn Opaque> { Arc::new(Decimal(digits, scale)) };
    root.add_function("times", move |a: Arc<dyn Opaque>, b: i64| {
        let (digits, scale) = of(&a);
        made(digits * i128::from(b), scale)
    })?;
    root.add_function("product", move |a: Arc<dyn Opaque>, b: Arc<dyn Opaque>| {
        let (a, b) = (of(&a), of(&b));
        made(a.0 * b.0, a.1 + b.1)
    })?;
    root.add_function("plus", move |a: Arc<dyn Opaque>, b: Arc<dyn Opaque>| {
        let (a, b) = (of(&a), of(&b));
        let scale = a.1.max(b.1);
        let raised = |(digits, own): (i128, u32)| digits * 10i128.pow(scale - own);
        made(raised(a) + raised(b), scale)
    })?;
    root.add_function("rounded", move |a: Arc<dyn Opaque>, scale: i64| {
        let ((digits, own), scale) = (of(&a), scale as u32);
        let divisor = 10i128.pow(own - scale);
        let (quotient, rest) = (digits / divisor, digits % divisor);
        let up = match (rest * 2).cmp(&divisor) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => quotient % 2,
            std::cmp::Ordering::Greater => 1,
        };
        made(quotient + up, scale)
    })?;
    root.add_function("third", move |a: Arc<dyn Opaque>| {
        let (digits, scale) = of(&a);
        made((digits * 2 + 3).div_euclid(6), scale)
    })?;
    Ok(root)
}

/// The named types of a schema, by their simple names.
struct Types<'s>(HashMap<&'s str, &'s Schema>);

impl<'s> Types<'s> {
    fn of(schema: &'s Schema) -> Types<'s> {
        fn collect<'s>(schema: &'s Schema, known: &mut HashMap<&'s str, &'s Schema>) {
            if let (Some(name), false) = (schema.name(), matches!(schema, Schema::Ref { .. })) {
                known.insert(name.name(), schema);
            }
            match schema {
                Schema::Array(array) => collect(&array.items, known),
                Schema::Map(map) => collect(&map.types, known),
                Schema::Union(union) => union.variants().iter().for_each(|one| collect(one, known)),
                Schema::Record(record) => {
                    let types = record.fields.iter().map(|field| &field.schema);
                    types.for_each(|one| collect(one, known));
                }
                _ => {}
            }
        }
        let mut known = HashMap::new();
        collect(schema, &mut known);
        Types(known)
    }

    fn get(&self, schema: &'s Schema) -> &'s Schema {
        match schema {
            Schema::Ref { name } => self.0.get(name.name()).copied().unwrap_or(schema),
            schema => schema,
        }
    }

    /// A value as the crate has it. What a decimal's scale is, only the schema tells.
    fn to_cel(&self, value: Value, schema: &'s Schema) -> anyhow::Result<Cel> {
        let instant = |time: Option<DateTime<chrono::Utc>>| -> anyhow::Result<Cel> {
            Ok(Cel::Timestamp(time.context("a time")?.fixed_offset()))
        };
        Ok(match (value, self.get(schema)) {
            (Value::Null, _) => Cel::Null,
            (Value::Boolean(value), _) => Cel::Bool(value),
            (Value::Int(value), _) => Cel::Int(value.into()),
            (Value::Long(value), _) => Cel::Int(value),
            (Value::Double(value), _) => Cel::Float(value),
            (Value::Bytes(bytes), _) => bytes.into(),
            (Value::String(text) | Value::Enum(_, text), _) => text.into(),
            (Value::Union(at, inner), Schema::Union(union)) => {
                self.to_cel(*inner, &union.variants()[at as usize])?
            }
            (Value::Array(items), Schema::Array(array)) => {
                let items = items
                    .into_iter()
                    .map(|item| self.to_cel(item, &array.items));
                Cel::List(Arc::new(items.collect::<anyhow::Result<_>>()?))
            }
            (Value::Map(entries), Schema::Map(map)) => {
                let mut all: HashMap<Key, Cel> = HashMap::with_capacity(entries.len());
                for (name, value) in entries {
                    all.insert(name.into(), self.to_cel(value, &map.types)?);
                }
                Cel::Map(all.into())
            }
            (Value::Record(fields), Schema::Record(record)) => {
                let mut all: HashMap<Key, Cel> = HashMap::with_capacity(fields.len());
                for ((name, value), field) in fields.into_iter().zip(&record.fields) {
                    all.insert(name.into(), self.to_cel(value, &field.schema)?);
                }
                Cel::Map(all.into())
            }
            (Value::Date(days), _) => Cel::Opaque(Arc::new(Day(days))),
            (Value::TimestampMillis(millis), _) => {
                instant(DateTime::from_timestamp_millis(millis))?
            }
            (Value::TimestampMicros(micros), _) => {
                instant(DateTime::from_timestamp_micros(micros))?
            }
            (decimal @ Value::Decimal(_), Schema::Decimal(schema)) => {
                let digits = crate::jobs::unscaled(&decimal)?;
                Cel::Opaque(Arc::new(Decimal(digits, schema.scale as u32)))
            }
            (other, _) => return Err(anyhow!("a value of the jobs, not {other:?}")),
        })
    }

    /// A value for a field of this type.
    fn to_avro(&self, value: &Cel, schema: &'s Schema) -> anyhow::Result<Value> {
        let get = |map: &::cel::objects::Map, name: &str| -> anyhow::Result<Cel> {
            let key = Key::String(Arc::new(name.to_owned()));
            map.map.get(&key).cloned().with_context(|| name.to_owned())
        };
        Ok(match (self.get(schema), value) {
            (Schema::Boolean, Cel::Bool(value)) => Value::Boolean(*value),
            (Schema::Int, Cel::Int(value)) => Value::Int(i32::try_from(*value)?),
            (Schema::Long, Cel::Int(value)) => Value::Long(*value),
            (Schema::Double, Cel::Float(value)) => Value::Double(*value),
            (Schema::String, Cel::String(text)) => Value::String(text.to_string()),
            (Schema::Bytes, Cel::Bytes(bytes)) => Value::Bytes(bytes.to_vec()),
            (Schema::Enum(schema), Cel::String(text)) => {
                let at = schema.symbols.iter().position(|symbol| symbol == &**text);
                Value::Enum(at.context("a symbol")? as u32, text.to_string())
            }
            (Schema::Decimal(schema), Cel::Opaque(opaque)) => {
                let Decimal(digits, scale) = opaque.downcast_ref().context("a decimal")?;
                let raised = 10i128.pow(
                    (schema.scale as u32)
                        .checked_sub(*scale)
                        .context("digits to cut")?,
                );
                crate::jobs::decimal(digits * raised)
            }
            (Schema::TimestampMillis, Cel::Timestamp(at)) => {
                Value::TimestampMillis(at.timestamp_millis())
            }
            (Schema::TimestampMicros, Cel::Timestamp(at)) => {
                Value::TimestampMicros(at.timestamp_micros())
            }
            (Schema::Array(array), Cel::List(items)) => {
                let items = items.iter().map(|item| self.to_avro(item, &array.items));
                Value::Array(items.collect::<anyhow::Result<_>>()?)
            }
            (Schema::Map(schema), Cel::Map(map)) => {
                let mut all = HashMap::with_capacity(map.map.len());
                for (key, value) in map.map.iter() {
                    let Key::String(key) = key else {
                        return Err(anyhow!("a text as key"));
                    };
                    all.insert(key.to_string(), self.to_avro(value, &schema.types)?);
                }
                Value::Map(all)
            }
            (Schema::Record(record), Cel::Map(map)) => {
                let mut fields = Vec::with_capacity(record.fields.len());
                for field in &record.fields {
                    let value = self.to_avro(&get(map, &field.name)?, &field.schema)?;
                    fields.push((field.name.clone(), value));
                }
                Value::Record(fields)
            }
            (Schema::Union(union), value) => {
                let is_it =
                    |one: &&Schema| matches!(one, Schema::Null) == matches!(value, Cel::Null);
                let at = union.variants().iter().position(|one| is_it(&one));
                let at = at.context("a branch")?;
                let inner = match value {
                    Cel::Null => Value::Null,
                    value => self.to_avro(value, &union.variants()[at])?,
                };
                Value::Union(at as u32, Box::new(inner))
            }
            (_, other) => return Err(anyhow!("a value of the field's type, not {other:?}")),
        })
    }
}

/// A value as the job writes it: see `benches/codec/jobs/json.rs`. Maps have no order here; it does not matter in JSON.
fn to_json(value: &Cel) -> anyhow::Result<Json> {
    Ok(match value {
        Cel::Null => Json::Null,
        Cel::Bool(value) => (*value).into(),
        Cel::Int(value) => (*value).into(),
        Cel::Float(value) => (*value).into(),
        Cel::String(text) => text.as_str().into(),
        Cel::Bytes(bytes) => base64::engine::general_purpose::STANDARD
            .encode(bytes.as_slice())
            .into(),
        Cel::List(items) => items
            .iter()
            .map(to_json)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Cel::Map(map) => {
            let mut all = Map::with_capacity(map.map.len());
            for (key, value) in map.map.iter() {
                let (Key::String(key), value) = (key, to_json(value)?) else {
                    return Err(anyhow!("a text as key"));
                };
                if !value.is_null() {
                    all.insert(key.to_string(), value);
                }
            }
            all.into()
        }
        Cel::Timestamp(at) if at.timestamp_subsec_millis() == 0 => {
            at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string().into()
        }
        Cel::Timestamp(at) => at
            .to_utc()
            .format("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string()
            .into(),
        Cel::Opaque(opaque) => match (
            opaque.downcast_ref::<Decimal>(),
            opaque.downcast_ref::<Day>(),
        ) {
            (Some(Decimal(cents, 2)), _) => {
                let text = format!("{}.{:02}", cents / 100, cents % 100);
                Json::Number(text.parse()?)
            }
            (_, Some(Day(days))) => {
                let day =
                    DateTime::from_timestamp(i64::from(*days) * 86_400, 0).context("a day")?;
                day.format("%Y-%m-%d").to_string().into()
            }
            _ => return Err(anyhow!("a decimal of two digits, or a day")),
        },
        other => return Err(anyhow!("a value of the jobs, not {other:?}")),
    })
}
