//! Latency and CPU at a fixed rate: from the producer's call to the arrival of the output at a consumer, through the worker and through a
//! bare loop over the client library that copies what it reads. Then what each costs while nothing arrives.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lockgate::kafka::{EnqueueError, Producer};

use crate::{Options, corpus, job, median, partitions};

/// Records per second.
const RATE: u64 = 5_000;
/// After the first output has arrived.
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(15);
/// Until what is under way has arrived, and then the time without records.
const CALM: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(8);
const START_MAX: Duration = Duration::from_secs(60);

/// When each record was given to the producer, by partition and offset.
type Sent = Arc<Vec<Mutex<Vec<Instant>>>>;

struct Run {
    p50_ms: f64,
    p99_ms: f64,
    /// Processors in use at the rate, and while idle, in percent of one.
    busy_percent: f64,
    idle_percent: f64,
}

/// Runs both in turn, the bare loop twice per round, and prints medians.
pub fn measure(options: &Options) -> anyhow::Result<()> {
    let names = ["loop", "lockgate", "loop'"];
    let mut runs: [Vec<Run>; 3] = Default::default();
    for round in 0..options.rounds {
        for (index, name) in names.iter().enumerate() {
            let mode = name.trim_end_matches('\'');
            let run = one(
                options,
                mode,
                &format!("{}.{round}.{index}", std::process::id()),
            )?;
            eprintln!(
                "latency: round {} {name}: p50 {:.2} ms, p99 {:.2} ms, CPU {:.1} % at {RATE} records/s, {:.2} % idle",
                round + 1,
                run.p50_ms,
                run.p99_ms,
                run.busy_percent,
                run.idle_percent
            );
            runs[index].push(run);
        }
    }
    let of = |index: usize, figure: fn(&Run) -> f64| {
        median(&runs[index].iter().map(figure).collect::<Vec<_>>())
    };
    for (index, name) in names.iter().enumerate() {
        println!(
            "{name}: p50 {:.2} ms, p99 {:.2} ms, CPU {:.1} % at {RATE} records/s, {:.2} % idle",
            of(index, |run| run.p50_ms),
            of(index, |run| run.p99_ms),
            of(index, |run| run.busy_percent),
            of(index, |run| run.idle_percent)
        );
    }
    let bare = (of(0, |run| run.p50_ms) + of(2, |run| run.p50_ms)) / 2.0;
    println!(
        "p50 of lockgate: {:.2} times the bare loop's",
        of(1, |run| run.p50_ms) / bare
    );
    Ok(())
}

fn one(options: &Options, mode: &str, stamp: &str) -> anyhow::Result<Run> {
    let (input, output) = (
        format!("latency.in.{stamp}"),
        format!("latency.out.{stamp}"),
    );
    let admin = job::admin(&options.brokers)?;
    for topic in [&input, &output] {
        admin.create_topic(topic, partitions(), &[], Duration::from_secs(30))?;
    }
    let mut child = start(options, mode, &input, &output)?;
    let sent: Sent = Arc::new((0..partitions()).map(|_| Mutex::default()).collect());
    let is_over = Arc::new(AtomicBool::new(false));
    let feeding = std::thread::spawn({
        let (brokers, input, sent, is_over) = (
            options.brokers.clone(),
            input.clone(),
            sent.clone(),
            is_over.clone(),
        );
        move || feed(&brokers, &input, &sent, &is_over)
    });
    let result = watch(options, &output, &sent, child.id(), &is_over);
    is_over.store(true, Ordering::Relaxed);
    feeding.join().expect("the producer's thread")?;
    drop(child.stdin.take());
    ensure!(child.wait()?.success(), "{mode} failed");
    job::delete_topic(&options.brokers, &input);
    job::delete_topic(&options.brokers, &output);
    result
}

fn start(options: &Options, mode: &str, input: &str, output: &str) -> anyhow::Result<Child> {
    let count = partitions().to_string();
    let mode = format!("live-{mode}");
    let words = [
        "--child",
        &mode,
        "--in",
        input,
        "--out",
        output,
        "--brokers",
        &options.brokers,
        "--compression",
        &options.compression,
        "--partitions",
        &count,
    ];
    Command::new(std::env::current_exe()?)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("start a run")
}

/// Writes records of the job at the rate until told to stop.
fn feed(brokers: &str, input: &str, sent: &Sent, is_over: &AtomicBool) -> anyhow::Result<()> {
    let corpus = corpus::Corpus::make(crate::size());
    let mut properties = job::producer_properties(brokers, "none");
    // What is measured begins at the broker.
    properties.set("linger.ms", "0");
    let producer = Producer::new(&properties)?;
    let topic = producer.topic(input)?;
    let mut reports = Vec::new();
    let began = Instant::now();
    let mut count = 0u64;
    while !is_over.load(Ordering::Relaxed) {
        let due = began.elapsed().as_micros() as u64 * RATE / 1_000_000;
        while count < due {
            let at = count as usize % corpus::CORPUS;
            let partition = (count % partitions() as u64) as i32;
            let mut times = sent[partition as usize]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (key, value) = (
                Some(corpus.keys[at].as_slice()),
                Some(corpus.values[at].as_slice()),
            );
            times.push(Instant::now());
            match producer.enqueue(&topic, Some(partition), key, value, &[], None, 1) {
                Ok(()) => count += 1,
                Err(EnqueueError::Full) => {
                    times.pop();
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        job::delivered(&producer, Duration::from_millis(1), &mut reports)?;
    }
    job::finish(&producer, Duration::from_secs(30), &mut reports).context("write the input")
}

/// Reads the outputs and notes how long each took.
fn watch(
    options: &Options,
    output: &str,
    sent: &Sent,
    pid: u32,
    is_over: &AtomicBool,
) -> anyhow::Result<Run> {
    let mut properties = job::consumer_properties(&options.brokers, "latency-watch");
    // An answer as soon as there is something.
    properties.set("fetch.wait.max.ms", "500");
    let mut consumer = job::from_beginning(&properties, output)?;
    let (mut records, mut events) = (Vec::new(), Vec::new());
    let began = Instant::now();
    let mut first: Option<Instant> = None;
    let mut busy: Option<(Instant, f64)> = None;
    let mut taken_ms = Vec::new();
    loop {
        consumer.poll(1000, Duration::from_millis(20), &mut records, &mut events);
        events.clear();
        let now = Instant::now();
        ensure!(
            first.is_some() || began.elapsed() < START_MAX,
            "nothing has arrived in {START_MAX:?}"
        );
        for record in records.drain(..) {
            let first = *first.get_or_insert(now);
            if now < first + WARM_UP {
                continue;
            }
            let (_, source) = record
                .headers()
                .next()
                .context("an output without its source")?;
            let source = std::str::from_utf8(source.unwrap_or_default())?;
            let mut parts = source.rsplit('/');
            let offset: usize = parts.next().context("an offset")?.parse()?;
            let partition: usize = parts.next().context("a partition")?.parse()?;
            let times = sent[partition]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let at = times.get(offset).context("a record that was not sent")?;
            taken_ms.push((now - *at).as_secs_f64() * 1000.0);
        }
        let Some(first) = first else { continue };
        if now >= first + WARM_UP && busy.is_none() {
            busy = Some((now, cpu_seconds(pid)?));
        }
        if now >= first + WARM_UP + MEASURED {
            break;
        }
    }
    let (at, cpu) = busy.context("a measured time")?;
    let busy_percent = (cpu_seconds(pid)? - cpu) / at.elapsed().as_secs_f64() * 100.0;
    is_over.store(true, Ordering::Relaxed);
    std::thread::sleep(CALM);
    let (at, cpu) = (Instant::now(), cpu_seconds(pid)?);
    std::thread::sleep(IDLE);
    let idle_percent = (cpu_seconds(pid)? - cpu) / at.elapsed().as_secs_f64() * 100.0;
    ensure!(!taken_ms.is_empty(), "nothing was measured");
    taken_ms.sort_by(f64::total_cmp);
    let at = |share: f64| taken_ms[((taken_ms.len() - 1) as f64 * share) as usize];
    Ok(Run {
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        busy_percent,
        idle_percent,
    })
}

/// User and system time of another process, in seconds.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .context("a process")?
        .split_whitespace()
        .collect();
    let ticks: f64 = [11, 12]
        .iter()
        .filter_map(|at| fields.get(*at)?.parse::<f64>().ok())
        .sum();
    // SAFETY: asks for a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Ok(ticks / per_second)
}

/// The bare loop: no group, what is read is written as it is, with the header that says where it came from.
pub fn bare_loop(
    brokers: &str,
    input: &str,
    output: &str,
    compression: &str,
) -> anyhow::Result<()> {
    let is_over = until_end_of_input();
    let properties = job::consumer_properties(brokers, "latency-loop");
    let mut consumer = job::from_beginning(&properties, input)?;
    let producer = Producer::new(&job::producer_properties(brokers, compression))?;
    let topic = producer.topic(output)?;
    let (mut records, mut events, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        consumer.poll(1000, Duration::from_millis(100), &mut records, &mut events);
        events.clear();
        for record in records.drain(..) {
            let source = format!("{input}/{}/{}", record.partition(), record.offset());
            let headers = [(b"lockgate.source".as_slice(), Some(source.as_bytes()))];
            let (partition, timestamp) = (Some(record.partition()), record.timestamp_ms());
            let (key, value) = (record.key(), record.value());
            job::until_taken(&producer, &mut reports, || {
                producer.enqueue(&topic, partition, key, value, &headers, timestamp, 1)
            })?;
        }
        job::delivered(&producer, Duration::ZERO, &mut reports)?;
    }
    job::finish(&producer, Duration::from_secs(30), &mut reports)
}

/// Becomes true when whoever started this process closes its input.
pub fn until_end_of_input() -> Arc<AtomicBool> {
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = is_over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        seen.store(true, Ordering::Relaxed);
    });
    is_over
}
