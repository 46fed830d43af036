//! The decisions, free of I/O, clock and randomness: events and `now` in, actions out. The simulator drives exactly this.
//!
//! ```text
//! start     where a partition begins                    consumer thread, before Assign
//! guard     what a death at a record leads to           both, and the metadata of commits
//! member    rebalance, epochs, commits, drain           consumer thread
//! flow      pause and resume, what is in flight         consumer thread
//! lanes     the lanes of one pipeline thread            pipeline thread
//! tracker   the records of one lane, its frontier       pipeline thread
//! retry     when to try again                           wherever something is tried
//! poison    when a stream, not a record, is bad         pipeline thread
//! ```
//!
//! A lane belongs to one pipeline thread, the member and the flow to the consumer thread. Between the two travel only
//! [`member::Action`]s to the lanes and [`member::Event`]s back; every one of them names the [`Epoch`] it is about.
pub mod delivery;
pub mod flow;
pub mod guard;
pub mod lanes;
pub mod member;
pub mod poison;
pub mod retry;
pub mod start;
pub mod tracker;

#[cfg(test)]
mod sim;

pub use delivery::{DeliveryId, Seq};
pub use flow::Flow;
pub use guard::{Guard, Note};
pub use lanes::Lanes;
pub use member::Member;
pub use poison::PoisonGauge;
pub use retry::Backoff;
pub use tracker::Tracker;

/// A partition of a source topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tp {
    /// Index of the source in its plan.
    pub topic: u16,
    /// Partition number.
    pub partition: i32,
}

/// Counter of the assignments of partitions to this member. Two assignments of one partition never share a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// Milliseconds on a monotonic clock, or a span of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// The moment `span` later.
    pub fn after(self, span: Millis) -> Millis {
        Millis(self.0.saturating_add(span.0))
    }
}

/// What became of a record, weakest first: with several deliveries the strongest counts. A record that is given back
/// at a revoke has none of these; it is counted as released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Left out by a named rule.
    Filtered,
    /// Durable on the far side, on every route.
    Delivered,
    /// At least one delivery became a dead letter, which is durable.
    DeadLettered,
}

impl Disposition {
    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Disposition::Filtered => "filtered",
            Disposition::Delivered => "delivered",
            Disposition::DeadLettered => "dead_lettered",
        }
    }
}
