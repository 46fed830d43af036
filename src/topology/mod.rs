//! What to do, declared: YAML -> `Spec` (as written) -> `Plan` (compiled, valid), with every fault at once. Pure.
//!
//! ```text
//! files ─► yaml ─► read (by the table of keys) ─► Spec ─► compile (schemas, expressions) ─► Plan ─► program, per writer schema
//! ```
pub mod against;
pub mod cases;
pub mod code;
pub mod codes;
mod compile;
pub mod describe;
pub mod document;
pub mod fault;
pub mod files;
pub mod json_schema;
pub mod keys;
mod load;
mod origin;
pub mod plan;
pub mod program;
mod proof;
mod read;
mod setting;
mod spec;
mod tables;
pub mod trace;
mod vars;
pub mod yaml;

pub use compile::is_envelope;
pub use fault::{Fault, Faults};
pub use load::{Watched, check, compile_all, load, load_to_run, load_watched};
pub use plan::Plan;
pub use setting::{Setting, setting};
pub use vars::Vars;
