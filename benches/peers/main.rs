//! The tables of `benches/codec` with a column for another expression engine, the `cel` crate.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- [--rounds N] [--only JOB[/CASE]]`

mod cel;
#[path = "../road/corpus.rs"]
#[allow(dead_code, reason = "the road bench uses the rest")]
mod corpus;
#[path = "../codec/hand.rs"]
mod hand;
#[path = "../codec/job.rs"]
mod job;
#[path = "../codec/jobs/mod.rs"]
mod jobs;
#[path = "../codec/measure.rs"]
mod measure;
#[path = "../codec/tables.rs"]
mod tables;

fn main() -> anyhow::Result<()> {
    tables::print(&[tables::Peer {
        name: "cel",
        way: cel::way,
    }])
}
