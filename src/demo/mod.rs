//! The main job on an embedded default: an in-process broker and registry, a generator of change events, and the real worker on the
//! shipped topologies. Every record's end is checked against what the generator knows it must be.
//!
//! ```text
//! shop ─► generate ─► feed ─► broker ─► the worker ─► broker ─► audit
//!            │                             │ frontier              │
//!            └── expect ──────────► truth ◄┴──────── what was seen ┘
//! ```

mod audit;
mod broker;
mod embedded;
mod encode;
mod expect;
mod feed;
mod generate;
pub mod run;
mod shop;
pub mod show;
mod truth;

pub use run::{Options, Outcome};
