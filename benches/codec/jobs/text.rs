//! Lines of a web server's log: patterns, cases, parts of texts.

use std::sync::LazyLock;

use anyhow::{Context, anyhow};
use apache_avro::types::Value;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use regex::Regex;
use serde_json::{Value as Json, json};

use super::{Fields, maybe, one, record, word, words};
use crate::job::{Job, Made};

pub static JOB: Job = Job {
    name: "text",
    what: "strings and regular expressions",
    topology: include_str!("text/job.yaml"),
    schemas: [
        ("in", include_str!("text/in.avsc")),
        ("out", include_str!("text/out.avsc")),
    ],
    record: visit,
    mapping,
};

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "curl/8.14.1",
];

const STATUS: &[i32] = &[200, 200, 200, 304, 404, 500];

fn visit(random: &mut StdRng, index: usize) -> Json {
    let first = one(random, &["shop", "blog", "api/v2", "static", "internal"]);
    let path = format!(
        "/{first}/{}/{}-{}",
        one(random, &["garden", "tools", "kitchen"]),
        one(random, &["red", "blue", "Green"]),
        random.random_range(1..99_999)
    );
    json!({
        "at": 1_790_000_000_000i64 + index as i64, "host": format!("{}.Shop.Example.COM", one(random, &["www", "m", "cdn-3"])),
        "path": path,
        "query": maybe(random, 0.6, |random| {
            let campaign = if random.random_bool(0.5) { "utm_campaign=autumn_sale&" } else { "" };
            format!("page={}&{campaign}sort=price", random.random_range(1..30)).into()
        }),
        "agent": AGENTS.choose(random),
        "email": maybe(random, 0.5, |random| format!(" {}.{}@Example.com", word(random), random.random_range(1..9_999)).into()),
        "status": STATUS.choose(random),
        "message": format!("  {}\t{}\t{} ", words(random, 3), words(random, 1), words(random, 4)),
    })
}

static PAGES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^/(shop|blog|api/v[0-9]+)/").expect("a pattern"));
static SLUG: LazyLock<Regex> = LazyLock::new(|| Regex::new("/([a-z0-9-]+)$").expect("a pattern"));
static CAMPAIGN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?:^|&)utm_campaign=([^&]*)").expect("a pattern"));

fn mapping(event: Value) -> anyhow::Result<Option<Made>> {
    let mut event = Fields::of(event)?;
    let path = event.text("path")?;
    if !PAGES.is_match(&path) {
        return Ok(None);
    }
    let (host, agent) = (event.text("host")?, event.text("agent")?);
    let group = |pattern: &Regex, text: &str| {
        let found = pattern.captures(text).and_then(|found| found.get(1));
        found.map_or(String::new(), |group| group.as_str().to_owned())
    };
    let browser = match () {
        () if agent.contains("Firefox/") => "firefox",
        () if agent.contains("Chrome/") => "chrome",
        () => "other",
    };
    let optional = |value: Value| match value {
        Value::Union(_, inner) => match *inner {
            Value::String(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            other => Err(anyhow!("text or null, not {other:?}")),
        },
        other => Err(anyhow!("a union, not {other:?}")),
    };
    let email = match optional(event.take("email")?)? {
        Some(text) => Value::Union(1, Box::new(Value::String(text.trim().to_ascii_lowercase()))),
        None => Value::Union(0, Box::new(Value::Null)),
    };
    let query = optional(event.take("query")?)?;
    let campaign = query.map_or(String::new(), |query| group(&CAMPAIGN, &query));
    let message = event.text("message")?.replace('\t', " ").trim().to_owned();
    let Value::Int(status) = event.take("status")? else {
        return Err(anyhow!("a status"));
    };
    let text = |text: &str| Value::String(text.to_owned());
    Ok(Some(Made::Avro(record([
        ("at", event.take("at")?),
        ("host", Value::String(host.to_ascii_lowercase())),
        ("site", text(host.split('.').next().context("a host")?)),
        (
            "section",
            text(path.split('/').nth(1).context("a section")?),
        ),
        ("slug", Value::String(group(&SLUG, &path))),
        ("browser", text(browser)),
        ("email", email),
        ("campaign", Value::String(campaign)),
        ("message", Value::String(message)),
        ("good", Value::Boolean(status < 400)),
    ]))))
}
