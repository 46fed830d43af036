//! What can be told of an expression beyond its types: which values it can have, hence which of its parts cannot fail,
//! which conditions are decided, which texts an enum never is.
//!
//! ```text
//! checker ─► every part, once checked ─► settle ─┬─► Facts: what a condition proves of values
//!                                                ├─► Finding: can fail, always true, never true
//!                                                └─► fault: a symbol that does not exist
//! ```
//!
//! The values are judged on the finished nodes ([`Scope::extent`]), so that the checker knows nothing of them.

mod assume;
mod call;
mod extent;
mod locals;
mod rules;
mod scope;
mod settle;
mod values;
mod walk;

pub use super::check::article;
pub use call::{Named, named};
pub use extent::{Extent, Number};
pub use rules::is_number;
pub use scope::Scope;
pub use settle::decided;
pub use values::Values;

/// Something worth knowing about a part of an expression that is no fault of its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// First byte of the part.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
    /// What it is.
    pub kind: FindingKind,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Some values of the right types make it fail, with this reason.
    CanFail(&'static str),
    /// Data that keeps to its schema can still be outside of what the language has, and no condition can ask for it: a
    /// time beyond the year 9999.
    BadData(&'static str),
    /// All values make it fail, with this reason.
    AlwaysFails(&'static str),
    /// A condition whose value is known.
    Always(bool),
}

/// Reasons that are limits of an evaluation: they bound what a record may cost, and no condition can ask for them, unless a
/// number decides how much is built ([`crate::expr::functions::Call::is_sized`]).
/// What is known at run time only may also be null, which `no_such_overload` already says.
const LIMITS: [&str; 3] = ["expression_limit", "avro_limit", "unexpected_null"];

#[cfg(test)]
mod tests;
