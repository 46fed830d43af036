//! What a record costs on the whole road, against the cheapest loop known over the client library.
//!
//! `cargo bench --bench road -- --json`; needs a broker (`LOCKGATE__KAFKA__BROKERS`), or starts one (Java 17 and Maven, see `tests/stack/run`).
//! Each run is a process of its own that reads the same input topic once; CPU time is that process's, from its start to its
//! end. The floor runs twice per round, so that its spread against itself tells what the machine's noise is. `--naive` adds the usual
//! hand-written consumer to each round, `--by-hand` the floor's loop with the job written by hand for its one schema. `--latency` measures latency and CPU at a fixed rate instead.

mod broker;
mod by_hand;
mod corpus;
mod floor;
#[path = "../codec/hand.rs"]
mod hand;
mod job;
mod latency;
mod naive;
mod worker;

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use lockgate::kafka::{Properties, admin::Admin};
use serde_json::{Value, json};

/// As the program has it, for everything that is measured here.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static PARTITIONS: OnceLock<i32> = OnceLock::new();
static SIZE: OnceLock<usize> = OnceLock::new();

/// Partitions of the input and of the output topics (`--partitions`, 16).
pub fn partitions() -> i32 {
    *PARTITIONS.get().unwrap_or(&16)
}

/// Bytes of an input value (`--size`), if not as they come, about 425.
pub fn size() -> Option<usize> {
    SIZE.get().copied()
}

struct Options {
    records: u64,
    rounds: usize,
    is_json: bool,
    brokers: String,
    compression: String,
    has_naive: bool,
    has_by_hand: bool,
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        words
            .iter()
            .position(|word| word == name)
            .and_then(|at| words.get(at + 1))
            .cloned()
    };
    let number = |name: &str, default: u64| {
        value(name)
            .map_or(Ok(default), |text| text.parse())
            .context(name.to_owned())
    };
    let count = i32::try_from(number("--partitions", 16)?)?;
    PARTITIONS.get_or_init(|| count);
    if value("--size").is_some() {
        let size = usize::try_from(number("--size", 0)?)?;
        SIZE.get_or_init(|| size);
    }
    if let Some(mode) = value("--child") {
        let topics = (
            value("--in").context("--in")?,
            value("--out").context("--out")?,
        );
        let brokers = value("--brokers").context("--brokers")?;
        let compression = value("--compression").context("--compression")?;
        let records = number("--records", 0)?;
        return child(&mode, &brokers, &topics, records, &compression);
    }
    // cargo passes --bench.
    let known = [
        "--bench",
        "--json",
        "--records",
        "--rounds",
        "--compression",
        "--partitions",
        "--size",
        "--naive",
        "--by-hand",
        "--latency",
    ];
    if let Some(wrong) = words
        .iter()
        .find(|word| word.starts_with("--") && !known.contains(&word.as_str()))
    {
        bail!(
            "unknown word {wrong}: --records N, --rounds N, --partitions N, --size BYTES, --compression none|lz4, --naive, --by-hand, --latency, --json"
        );
    }
    let broker = broker::Broker::find()?;
    let options = Options {
        records: number("--records", 2_000_000)?,
        rounds: usize::try_from(number("--rounds", 6)?)?,
        is_json: words.iter().any(|word| word == "--json"),
        brokers: broker.address.clone(),
        compression: value("--compression").unwrap_or_else(|| "none".into()),
        has_naive: words.iter().any(|word| word == "--naive"),
        has_by_hand: words.iter().any(|word| word == "--by-hand"),
    };
    if words.iter().any(|word| word == "--latency") {
        return latency::measure(&options);
    }
    measure(&options)
}

fn measure(options: &Options) -> anyhow::Result<()> {
    let say = |text: String| eprintln!("road: {text}");
    let admin = Admin::new(
        &[("bootstrap.servers", options.brokers.as_str())]
            .into_iter()
            .collect::<Properties>(),
    )?;
    let stamp = std::process::id();
    let input = format!("road.in.{stamp}");
    let timeout = Duration::from_secs(30);
    admin.create_topic(&input, partitions(), &[], timeout)?;
    say(format!("writing {} records to {input}", options.records));
    job::fill(
        &options.brokers,
        &input,
        options.records,
        &options.compression,
    )?;

    let mut costs: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut memory: BTreeMap<&str, u64> = BTreeMap::new();
    let mut outputs = BTreeMap::new();
    for round in 0..options.rounds {
        // The floor on both sides of the worker, the order turned round by round.
        let mut order = vec![
            ("floor", "floor"),
            ("lockgate", "lockgate"),
            ("floor'", "floor"),
        ];
        if options.has_naive {
            order.push(("naive", "naive"));
        }
        if options.has_by_hand {
            order.push(("by hand", "by-hand"));
        }
        if round % 2 == 1 {
            order.reverse();
        }
        for (name, mode) in order {
            let output = format!("road.out.{stamp}.{mode}.{round}.{}", name.len());
            admin.create_topic(&output, partitions(), &[], timeout)?;
            let result = run(options, mode, &input, &output)?;
            let cost = result["cpu_us"].as_f64().context("cpu_us")? / options.records as f64;
            let rss = result["rss_kib"].as_u64().unwrap_or(0);
            say(format!(
                "round {} {name}: {cost:.3} us per record, {} MiB, {} waits",
                round + 1,
                rss / 1024,
                result["switches"]
            ));
            costs.entry(name).or_default().push(cost);
            let peak = memory.entry(name).or_default();
            *peak = rss.max(*peak);
            if round == 0 {
                outputs.insert(name, job::digest(&options.brokers, &output)?);
            }
            job::delete_topic(&options.brokers, &output);
        }
    }
    job::delete_topic(&options.brokers, &input);
    ensure!(
        outputs["floor"] == outputs["lockgate"],
        "the outputs differ: floor {:?}, lockgate {:?}",
        outputs["floor"],
        outputs["lockgate"]
    );
    say(format!("outputs are equal: {:?}", outputs["lockgate"]));
    ensure!(
        outputs
            .get("by hand")
            .is_none_or(|output| *output == outputs["floor"]),
        "the outputs differ: by hand {:?}, floor {:?}",
        outputs.get("by hand"),
        outputs["floor"]
    );
    if let Some((count, _)) = outputs.get("naive") {
        // Its maps have no order, so that its bytes are others.
        ensure!(
            *count == outputs["lockgate"].0,
            "naive wrote {count} records, lockgate {}",
            outputs["lockgate"].0
        );
    }

    let mut floors = costs["floor"].clone();
    floors.extend(&costs["floor'"]);
    let (floor, lockgate) = (median(&floors), median(&costs["lockgate"]));
    let spread = (median(&costs["floor"]) - median(&costs["floor'"])).abs() / floor;
    let row = |name: &str, cost: f64| {
        say(format!(
            "{name}: {cost:.3} us CPU per record, at most {} MiB",
            memory[name] / 1024
        ))
    };
    row("floor", floor);
    row("lockgate", lockgate);
    if let Some(by_hand) = costs.get("by hand").map(|costs| median(costs)) {
        row("by hand", by_hand);
        say(format!(
            "by hand costs {:.3} times the floor, lockgate {:.3} times as much as that",
            by_hand / floor,
            lockgate / by_hand
        ));
    }
    if let Some(naive) = costs.get("naive").map(|costs| median(costs)) {
        row("naive", naive);
        say(format!(
            "naive costs {:.1} times lockgate",
            naive / lockgate
        ));
    }
    say(format!(
        "ratio {:.3}; the floor against itself {:.1} %; {} rounds",
        lockgate / floor,
        spread * 100.0,
        options.rounds
    ));
    if options.is_json {
        let round = |number: f64| (number * 1000.0).round() / 1000.0;
        println!(
            "{}",
            json!({
                "lockgate_us": round(lockgate), "floor_us": round(floor), "ratio": round(lockgate / floor),
                "aa_spread": round(spread), "rounds": options.rounds, "rss_mib": memory["lockgate"] / 1024,
            })
        );
    }
    Ok(())
}

/// One run in a process of its own; its last line tells what it used.
fn run(options: &Options, mode: &str, input: &str, output: &str) -> anyhow::Result<Value> {
    let me = std::env::current_exe().context("find this program")?;
    let records = options.records.to_string();
    let count = partitions().to_string();
    let words = [
        "--child",
        mode,
        "--in",
        input,
        "--out",
        output,
        "--brokers",
        &options.brokers,
        "--records",
        &records,
        "--compression",
        &options.compression,
        "--partitions",
        &count,
    ];
    let size = size().map(|size| ["--size".to_owned(), size.to_string()]);
    let mut child = Command::new(me)
        .args(words)
        .args(size.iter().flatten())
        .stdout(Stdio::piped())
        .spawn()
        .context("start a run")?;
    let mut resident = Vec::new();
    let status = loop {
        if let Some(status) = child.try_wait().context("wait for a run")? {
            break status;
        }
        resident.extend(resident_mib(child.id()));
        std::thread::sleep(SAMPLE_INTERVAL);
    };
    let mut text = String::new();
    let mut stdout = child.stdout.take().context("the output of a run")?;
    stdout.read_to_string(&mut text)?;
    ensure!(status.success(), "a run of {mode} failed: {status}\n{text}");
    if mode == "lockgate" && resident.len() >= 10 {
        let at = |tenth: usize| resident[(resident.len() - 1) * tenth / 10];
        eprintln!(
            "road: MiB resident after a fifth of the time, two, three, four fifths: {}, {}, {}, {}",
            at(2),
            at(4),
            at(6),
            at(8)
        );
    }
    serde_json::from_str(text.trim().lines().last().unwrap_or_default())
        .context("read the result of a run")
}

/// How often the memory of a run is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// What a process has resident, in MiB.
fn resident_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

fn child(
    mode: &str,
    brokers: &str,
    topics: &(String, String),
    records: u64,
    compression: &str,
) -> anyhow::Result<()> {
    match mode {
        "naive" => naive::run(brokers, &topics.0, &topics.1, records, compression)?,
        "by-hand" => by_hand::run(brokers, &topics.0, &topics.1, records, compression)?,
        "floor" => floor::run(brokers, &topics.0, &topics.1, records, compression)?,
        "lockgate" => worker::run(brokers, &topics.0, &topics.1, compression, None)?,
        "live-loop" => latency::bare_loop(brokers, &topics.0, &topics.1, compression)?,
        "live-lockgate" => {
            let is_over = latency::until_end_of_input();
            worker::run(brokers, &topics.0, &topics.1, compression, Some(&is_over))?;
        }
        other => bail!("unknown mode {other}"),
    }
    let (cpu_us, rss_kib, switches) = usage();
    println!(
        "{}",
        json!({ "cpu_us": cpu_us, "rss_kib": rss_kib, "switches": switches })
    );
    Ok(())
}

/// User and system time of this process so far, in microseconds, its largest resident set, in KiB, and how often its threads began to wait.
fn usage() -> (f64, u64, i64) {
    // SAFETY: the struct is plain data that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let us = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    (
        us(usage.ru_utime) + us(usage.ru_stime),
        u64::try_from(usage.ru_maxrss).unwrap_or(0),
        usage.ru_nvcsw,
    )
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}
