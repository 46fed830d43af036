//! Schemas by id over HTTP, under our own cache; and the registry for operators.
//!
//! On the road ([`Cache`]) an id is fetched once and kept for ever, for ids are immutable. An id that the registry does not
//! know is waited for first, because a member of the registry may lag behind, and then remembered as unknown for a short
//! time. Every other failure is an outage: retried with jittered backoff, visible, and never an answer to a caller, because
//! an outage of the registry says nothing about a record.
//!
//! ```text
//! pipeline thread ── get(id) ──► Cache ── hit ──► Answer
//!                 ── request(id, reply) ──► Desk (decides: pure) ──► Reader ──► Http ──► registry
//! ```

mod cache;
mod client;
mod desk;
pub mod fake;
mod http;
mod reader;
mod subjects;

#[cfg(test)]
mod tests;

pub use cache::{Answer, Cache, Outage, Stats};
pub use client::{Client, Latest, OutputFault, Place, Registered, changes};
pub use http::Failure;
pub use reader::Read;
pub use subjects::{Listed, Opinion};
