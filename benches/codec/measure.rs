//! Cases that take turns: CPU time of the thread and allocations, per record.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// CPU time that one measurement of a case takes at least, in nanoseconds.
const MEASURED_NS: f64 = 4e6;

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
pub struct Case<'a> {
    pub name: String,
    /// Runs the record of this index.
    record: Box<dyn FnMut(usize) + 'a>,
    records: usize,
    /// Passes over the records in one measurement.
    passes: usize,
    ns: Vec<f64>,
    allocations: u64,
}

impl<'a> Case<'a> {
    pub fn new(
        name: impl Into<String>,
        records: usize,
        record: impl FnMut(usize) + 'a,
    ) -> Case<'a> {
        Case {
            name: name.into(),
            record: Box::new(record),
            records,
            passes: 1,
            ns: Vec::new(),
            allocations: 0,
        }
    }

    /// One pass over the records; a function of its own, so that a profiler can be told to look at nothing else.
    #[inline(never)]
    fn measured(&mut self) {
        (0..self.records).for_each(&mut self.record);
    }

    /// CPU nanoseconds per record of `passes` passes, and allocations of all of them.
    fn turn(&mut self) -> anyhow::Result<(f64, u64)> {
        let (allocations, start) = (ALLOCATIONS.get(), cpu_ns()?);
        for _ in 0..self.passes {
            self.measured();
        }
        let ns = cpu_ns()? - start;
        let records = (self.passes * self.records) as f64;
        Ok((ns / records, ALLOCATIONS.get() - allocations))
    }

    /// The least of all rounds, in CPU nanoseconds per record.
    pub fn least(&self) -> f64 {
        self.ns.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The median of all rounds.
    pub fn median(&self) -> f64 {
        let mut ns = self.ns.clone();
        ns.sort_by(f64::total_cmp);
        ns.get(ns.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Allocations per record.
    pub fn allocations(&self) -> f64 {
        self.allocations as f64 / (self.ns.len() * self.passes * self.records).max(1) as f64
    }
}

/// Measures the cases in turns, so that whatever else the machine does meets all of them.
pub fn measure(cases: &mut [Case], rounds: usize) -> anyhow::Result<()> {
    for case in &mut *cases {
        // The first pass warms up, the second says how many a measurement needs.
        case.turn()?;
        let ns = case.turn()?.0 * case.records as f64;
        case.passes = (MEASURED_NS / ns).ceil().clamp(1.0, 1e3) as usize;
    }
    for _ in 0..rounds {
        for case in &mut *cases {
            let (ns, allocations) = case.turn()?;
            case.ns.push(ns);
            case.allocations += allocations;
        }
    }
    Ok(())
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
