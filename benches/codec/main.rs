//! What the pure part of the job costs per record: CPU time of the thread, without a broker.
//!
//! `cargo bench --bench codec -- [--rounds N] [--only CASE]` (one case alone is for a profiler). The cases take turns within a round, so that whatever else the machine does
//! meets all of them. `memcpy` is the control: it tells how much of a difference is the machine's.

#[path = "../road/corpus.rs"]
#[allow(dead_code, reason = "the road bench uses the rest")]
mod corpus;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use lockgate::codec::{Scan, Slots, Want, frame};
use lockgate::pipeline::process::{Input, Outputs, Processor, Verdict};
use lockgate::schema::Schema;

use corpus::{CORPUS, Corpus};

/// Passes over the corpus in one measurement.
const PASSES: usize = 10;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain cell of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What is measured, and what was measured of it.
struct Case<'a> {
    name: &'static str,
    /// Runs the record of this index.
    record: Box<dyn FnMut(usize) + 'a>,
    ns: Vec<f64>,
    allocations: u64,
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        words
            .iter()
            .position(|word| word == name)
            .and_then(|at| words.get(at + 1))
    };
    let rounds: usize = value("--rounds").map_or(Ok(100), |text| text.parse())?;
    let only = value("--only");

    let corpus = Corpus::make();
    let outputs = corpus.outputs()?;
    let kept = outputs.iter().flatten().count();
    let bytes: usize = corpus.values.iter().map(Vec::len).sum();
    println!(
        "{CORPUS} records of {} bytes, {kept} kept, digest of the outputs {:016x}",
        bytes / CORPUS,
        digest(&outputs)
    );

    let mut cases = vec![
        memcpy(&corpus),
        scan("scan", &corpus, &[])?,
        scan("scan + slots", &corpus, READ)?,
        process(&corpus)?,
    ];
    if let Some(only) = only {
        cases.retain(|case| case.name == *only);
    }
    for round in 0..rounds + 1 {
        for case in &mut cases {
            let (before, start) = (ALLOCATIONS.get(), cpu_ns()?);
            for _ in 0..PASSES {
                (0..CORPUS).for_each(&mut case.record);
            }
            let (ns, allocations) = (cpu_ns()? - start, ALLOCATIONS.get() - before);
            // The first round warms up.
            if round > 0 {
                case.ns.push(ns / (PASSES * CORPUS) as f64);
                case.allocations += allocations;
            }
        }
    }
    println!(
        "{:<14} {:>8} {:>8} allocations",
        "ns per record", "min", "median"
    );
    for case in &mut cases {
        case.ns.sort_by(f64::total_cmp);
        let records = (case.ns.len() * PASSES * CORPUS) as f64;
        println!(
            "{:<14} {:>8.1} {:>8.1} {}",
            case.name,
            case.ns[0],
            case.ns[case.ns.len() / 2],
            case.allocations as f64 / records
        );
    }
    anyhow::ensure!(
        cases.iter().all(|case| case.allocations == 0),
        "a record allocates"
    );
    Ok(())
}

fn memcpy(corpus: &Corpus) -> Case<'_> {
    let mut copy = Vec::with_capacity(1 << 16);
    Case::new("memcpy", move |at| {
        copy.clear();
        copy.extend_from_slice(black_box(&corpus.values[at]));
        black_box(&copy);
    })
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

fn scan<'a>(name: &'static str, corpus: &'a Corpus, paths: &[&[u32]]) -> anyhow::Result<Case<'a>> {
    let schema = Arc::new(Schema::parse(corpus::SCHEMA_IN)?);
    let want = |path: &&[u32]| Want {
        path: path.to_vec(),
    };
    let wants: Vec<Want> = paths.iter().map(want).collect();
    let scan = Scan::compile(&schema, &schema, &wants)
        .map_err(|mismatches| anyhow::anyhow!("{mismatches:?}"))?;
    let mut slots = Slots::new();
    Ok(Case::new(name, move |at| {
        let (_, datum) = frame::split(black_box(&corpus.values[at])).expect("a frame");
        scan.run(datum, &mut slots).expect("a valid datum");
        black_box(&slots);
    }))
}

fn process(corpus: &Corpus) -> anyhow::Result<Case<'_>> {
    let (plan, program) = corpus::plan()?;
    let mut processor = Processor::new(plan, vec![corpus::ID_OUT]);
    let mut outputs = Outputs::default();
    Ok(Case::new("process", move |at| {
        // A batch of the pipeline has about this many records.
        if at % 500 == 0 {
            outputs.clear();
        }
        let input = Input {
            source: 0,
            partition: 0,
            offset: at as i64,
            timestamp_ms: Some(1_790_000_000_000),
            key: Some(&corpus.keys[at]),
            value: Some(black_box(&corpus.values[at])),
            headers: &[],
        };
        let verdict = processor.process(None, Some(&program), &input, &mut outputs);
        assert!(!matches!(verdict, Verdict::Poison(_)));
        black_box(&outputs);
    }))
}

impl<'a> Case<'a> {
    fn new(name: &'static str, record: impl FnMut(usize) + 'a) -> Case<'a> {
        Case {
            name,
            record: Box::new(record),
            ns: Vec::new(),
            allocations: 0,
        }
    }
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

/// CPU time of this thread so far, in nanoseconds.
fn cpu_ns() -> anyhow::Result<f64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call fills the struct, which outlives it.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    anyhow::ensure!(result == 0, "the thread's CPU clock cannot be read");
    Ok(time.tv_sec as f64 * 1e9 + time.tv_nsec as f64)
}
