//! Lockgate reads change events from Kafka, validates them against Avro schemas, maps and routes them, and commits an
//! offset only after its record has arrived.
//!
//! The modules in the order a record meets them (see `docs/ARCHITECTURE.md` for the journeys):
//!
//! ```text
//! config    how this process runs: connections, limits, secrets
//! topology  what to do: YAML -> Spec -> Plan; faults, describe, test cases. Pure
//! schema    Avro schemas as we model them: parse, resolve, compare. Pure
//! registry  schemas by id over HTTP, under our own cache
//! expr      CEL: parse, infer types, compile to nodes over slots. Pure
//! codec     wire frame, the flat scan, splice and encode, JSON. Pure
//! core      sans-IO decisions: tracker, member, flow, retry, poison. Simulated
//! kafka     the client library, the only module with `unsafe`
//! pipeline  the road: consume, process, deliver, ack, commit
//! sink      where deliveries go: Kafka, dead letters
//! telemetry every metric in one table; tracing; the status board
//! admin     /live /ready /metrics /status: reads, never steers
//! cli       one file per command
//! demo      the main job on an embedded broker and registry
//! input     files and streams that are read whole, of a bounded size
//! words     causes in words: what the system and libraries say, for people
//! ```
#![warn(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::todo,
        clippy::dbg_macro
    )
)]

// Under its own name, as the integration tests know it: unit tests share their world.
#[cfg(test)]
extern crate self as lockgate;

pub mod admin;
pub mod cli;
pub mod codec;
pub mod config;
pub mod core;
pub mod demo;
pub mod expr;
mod input;
#[allow(unsafe_code)]
pub mod kafka;
pub mod pipeline;
pub mod registry;
pub mod schema;
pub mod service;
pub mod sink;
pub mod telemetry;
pub mod topology;
mod words;
