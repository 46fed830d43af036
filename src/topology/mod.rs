//! What to do, declared: YAML -> `Spec` (as written) -> `Plan` (compiled, valid), with every fault at once. Pure.
pub mod fault;
pub mod keys;
pub mod plan;
pub mod read;
pub mod spec;
pub mod yaml;

pub use fault::{Fault, Faults};
pub use plan::Plan;
