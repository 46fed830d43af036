//! The tables of `benches/codec` with columns for other expression engines, the `cel` crate and VRL.
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
mod vrl;

fn main() -> anyhow::Result<()> {
    tables::print(&[
        tables::Peer {
            name: "cel",
            way: cel::way,
        },
        tables::Peer {
            name: "vrl",
            way: vrl::way,
        },
        tables::Peer {
            name: "vrl, the program alone",
            way: vrl::program_alone,
        },
    ])
}
