//! The tables: job J piece by piece, all jobs against others, and what compiling takes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use lockgate::codec::{Scan, Slots, Want, frame};
use lockgate::schema::Schema;

use crate::job::{self, Job, Ready, Way};
use crate::measure::{Case, measure};
use crate::{hand, jobs};

/// Another engine that the jobs are given to; `None` for a job that it is not written for.
pub struct Peer {
    pub name: &'static str,
    pub way: for<'a> fn(&'a Ready) -> anyhow::Result<Option<Way<'a>>>,
}

/// Names of cases.
const OURS: &str = "lockgate";
const AGAIN: &str = "lockgate, again";
const VALUE: &str = "apache-avro";
const HAND: &str = "by hand for this schema";

struct Options {
    rounds: usize,
    job: Option<String>,
    case: Option<String>,
}

/// Measures everything and prints Markdown.
pub fn print(peers: &[Peer]) -> anyhow::Result<()> {
    let options = options()?;
    let mut rows = Vec::new();
    for job in jobs::ALL {
        if options.job.as_ref().is_some_and(|only| only != job.name) {
            continue;
        }
        let ready = job.ready()?;
        let mut cases = vec![ready.lockgate(OURS)];
        if job.name == "J" {
            cases.extend(pieces(&ready)?);
        }
        cases.push(ready.case(VALUE, ready.by_value()?, false)?);
        for peer in peers {
            if let Some(way) = (peer.way)(&ready)? {
                cases.push(ready.case(peer.name, way, false)?);
            }
        }
        cases.push(ready.lockgate(AGAIN));
        if let Some(only) = &options.case {
            cases.retain(|case| case.name == *only);
            anyhow::ensure!(!cases.is_empty(), "there is no case {only}");
        }
        measure(&mut cases, options.rounds)?;
        if job.name == "J" || options.case.is_some() {
            alone(job, &ready, &cases);
        }
        rows.push(row(job, &ready, &cases, peers));
    }
    if options.case.is_some() {
        return Ok(());
    }
    println!("## Six jobs\n");
    let others: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    let columns = |text: &str| -> String {
        others
            .iter()
            .map(|name| format!(" {text}{name} |"))
            .collect()
    };
    println!(
        "| job | bytes in, out | kept | lockgate ns | again | allocations | apache-avro ns | × |{}",
        columns("× ")
    );
    println!(
        "|---|---|---|---|---|---|---|---|{}",
        "---|".repeat(others.len())
    );
    rows.iter().for_each(|row| println!("{row}"));
    println!();
    compiling()
}

fn options() -> anyhow::Result<Options> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)
    };
    let only = value("--only").map(|only| match only.split_once('/') {
        Some((job, case)) => (job.to_owned(), Some(case.to_owned())),
        None => (only.clone(), None),
    });
    let (job, case) = only.map_or((None, None), |(job, case)| (Some(job), case));
    Ok(Options {
        rounds: value("--rounds").map_or(Ok(30), |text| text.parse())?,
        job,
        case,
    })
}

/// All cases of one job.
fn alone(job: &Job, ready: &Ready, cases: &[Case]) {
    let bytes: usize = ready.values.iter().map(Vec::len).sum();
    println!("## Job {}\n", job.name);
    println!(
        "{}; {} records of {} bytes, digest of the outputs {:016x}\n",
        job.what,
        ready.values.len(),
        bytes / ready.values.len(),
        digest(&ready.outputs)
    );
    let least = |name: &str| cases.iter().find(|case| case.name == name).map(Case::least);
    println!("| | ns, least | ns, median | × lockgate | × by hand | allocations |");
    println!("|---|---|---|---|---|---|");
    for case in cases {
        let times = |other: Option<f64>| {
            other.map_or(String::new(), |other| {
                format!("{:.2}", case.least() / other)
            })
        };
        println!(
            "| {} | {:.0} | {:.0} | {} | {} | {} |",
            case.name,
            case.least(),
            case.median(),
            times(least(OURS)),
            times(least(HAND)),
            case.allocations()
        );
    }
    println!();
}

fn row(job: &Job, ready: &Ready, cases: &[Case], peers: &[Peer]) -> String {
    let case = |name: &str| cases.iter().find(|case| case.name == name);
    let least = |name: &str| case(name).map_or(f64::NAN, Case::least);
    let times = |name: &str| match case(name) {
        Some(case) => format!(" {:.1} |", case.least() / least(OURS)),
        None => " |".to_owned(),
    };
    let sum_in: usize = ready.values.iter().map(Vec::len).sum();
    let kept: Vec<usize> = ready.outputs.iter().flatten().map(Vec::len).collect();
    let others: String = peers.iter().map(|peer| times(peer.name)).collect();
    format!(
        "| {}: {} | {}, {} | {:.0} % | {:.0} | {:.3} | {} | {:.0} |{}{others}",
        job.name,
        job.what,
        sum_in / ready.values.len(),
        kept.iter().sum::<usize>() / kept.len().max(1),
        kept.len() as f64 / ready.values.len() as f64 * 100.0,
        least(OURS),
        least(AGAIN) / least(OURS),
        case(OURS).map_or(f64::NAN, Case::allocations),
        least(VALUE),
        times(VALUE)
    )
}

/// Job J in pieces: copying alone (the control), the scan, and the whole of it as written for this one schema.
fn pieces(ready: &Ready) -> anyhow::Result<Vec<Case<'_>>> {
    let mut copy = Vec::with_capacity(1 << 16);
    let memcpy = Case::new("memcpy", ready.values.len(), move |at| {
        copy.clear();
        copy.extend_from_slice(black_box(&ready.values[at]));
        black_box(&copy);
    });
    let by_hand: Way = Box::new(|framed, out| {
        hand::run(framed, out).map_err(|bad| anyhow::anyhow!("the hand-written job: {bad:?}"))
    });
    Ok(vec![
        memcpy,
        scan("scan", ready, &[])?,
        scan("scan with captures", ready, READ)?,
        ready.case(HAND, by_hand, true)?,
    ])
}

/// What the job reads of an event, as paths of field indexes: the row after the change, `source.lsn` and `op`.
const READ: &[&[u32]] = &[
    &[0],
    &[1],
    &[4],
    &[1, 0],
    &[1, 1],
    &[1, 2],
    &[1, 3],
    &[1, 4],
    &[1, 5],
    &[1, 8],
    &[1, 10],
    &[1, 12],
    &[1, 14],
    &[1, 15],
    &[1, 16],
    &[1, 17, 1],
    &[1, 20],
    &[2, 10],
];

fn scan<'a>(name: &str, ready: &'a Ready, paths: &[&[u32]]) -> anyhow::Result<Case<'a>> {
    let schema = Arc::new(ready.job.writer()?);
    let want = |path: &&[u32]| Want {
        path: path.to_vec(),
    };
    let wants: Vec<Want> = paths.iter().map(want).collect();
    let scan = Scan::compile(&schema, &schema, &wants)
        .map_err(|mismatches| anyhow::anyhow!("{mismatches:?}"))?;
    let mut slots = Slots::new();
    Ok(Case::new(name, ready.values.len(), move |at| {
        let (_, datum) = frame::split(black_box(&ready.values[at])).expect("a frame");
        scan.run(datum, &mut slots).expect("a valid datum");
        black_box(&slots);
    }))
}

/// What compiling a topology, and a writer's schema for it, takes: wall time, files included.
fn compiling() -> anyhow::Result<()> {
    println!("## Compiling\n");
    println!("| job | topology, first | least of 20 | a writer's schema, first | least of 20 |");
    println!("|---|---|---|---|---|");
    for job in jobs::ALL {
        let folder = job.folder()?;
        let (plan, topology) = timed(|| job::load(folder.path()))?;
        let text = job.schemas[0].1;
        let (_, schema) = timed(|| {
            let writer = Schema::parse(text).map_err(|fault| anyhow::anyhow!("{fault}"))?;
            job::compile(&plan, &writer)
        })?;
        println!(
            "| {} | {:.2} ms | {:.2} ms | {:.3} ms | {:.3} ms |",
            job.name, topology.0, topology.1, schema.0, schema.1
        );
    }
    Ok(())
}

/// The first time and the least of twenty, in milliseconds.
fn timed<T>(mut run: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(T, (f64, f64))> {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..20 {
        let start = Instant::now();
        last = Some(run()?);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    Ok((last.context("it ran")?, (times[0], least)))
}

/// Tells outputs apart (FNV-1a): a change that should only be faster leaves it alone.
fn digest(outputs: &[Option<Vec<u8>>]) -> u64 {
    let bytes = outputs.iter().flat_map(|output| match output {
        Some(bytes) => bytes.as_slice(),
        None => b"filtered",
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
