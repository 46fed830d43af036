//! What the pure part of a record's way costs, without a broker: CPU time of the thread, and allocations.
//!
//! `cargo bench --bench codec -- [--rounds N] [--only JOB[/CASE]]` prints all tables of `docs/PERFORMANCE.md` but for the columns of the other
//! engines; `cargo run --release --manifest-path benches/peers/Cargo.toml` prints those too. One case alone is for a profiler.

#[path = "../road/corpus.rs"]
#[allow(dead_code, reason = "the road bench uses the rest")]
mod corpus;
mod hand;
mod job;
mod jobs;
mod measure;
mod tables;

fn main() -> anyhow::Result<()> {
    tables::print(&[])
}
