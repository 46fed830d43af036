//! What to do, declared: YAML -> `Spec` (as written) -> `Plan` (compiled, valid), with every fault at once. Pure.
pub mod plan;

pub use plan::Plan;
