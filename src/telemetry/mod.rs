//! What Lockgate shows of itself: every metric in one table, the state of every topology and partition, the log.
//!
//! The road writes, scrapes read, and nothing here steers. A lane publishes one consistent [`Snapshot`] of its account a few
//! times a second; counters, gauges, lag and the balance are computed from it when somebody asks, all under one lock, so that
//! one scrape never contradicts itself. Per record the road touches only thread-local numbers ([`LaneMetrics`]).
//!
//! ```text
//! lane thread ── publish(&Snapshot) ──┐
//! poll thread ── track(&Position) ────┼─► Ledger ──┬─► Metrics::render()  /metrics
//! any thread  ── counters, gauges ────┘  Board  ───┴─► Metrics::status()  /status /live /ready
//! ```

pub mod logging;

mod handles;
mod ledger;
mod metrics;
mod process;
mod status;
mod table;

pub use handles::{LaneMetrics, PoisonMetrics, RegistryMetrics};
pub use ledger::{Account, DISPOSITIONS, PartitionMetrics, Position, Snapshot};
pub use metrics::Metrics;
pub use status::{PartitionStatus, SinkStatus, Status, StatusBoard, TopologyState, TopologyStatus};
pub use table::{Kind, MetricSpec, reference, table};

#[cfg(test)]
mod tests;
