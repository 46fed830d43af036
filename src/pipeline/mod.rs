//! The road of a record: consume, process, deliver, ack, commit.
//!
//! ```text
//! worker      one topology at work: threads, from the start to the drain
//! outputs     the registry ids of the schemas that outputs are written with
//! watcher     asks the clusters what the output topics take; topics: what is known of them
//! consume     the consumer thread: polls, pauses, rebalances, commits; positions: where partitions begin
//! thread      a pipeline thread: owner of lanes; lane: one partition in one assignment
//! open        from a record to its deliveries; programs: compiled programs by schema id
//! process     one record through its plan, pure
//! deliver     runs per output partition, enqueued in order
//! messages    what travels between the threads
//! ```

mod consume;
mod deliver;
mod lane;
mod messages;
mod open;
mod outputs;
#[cfg(test)]
mod planted;
mod positions;
pub mod process;
mod programs;
mod thread;
mod topics;
mod watcher;
mod worker;

pub use consume::Ended;
pub(crate) use deliver::{SOURCE_HEADER, passes};
pub use worker::{Shared, Worker};

use process::{INTERNAL_PANIC, Input, Poison};

use crate::topology::plan::Plan;

/// Milliseconds since 1970-01-01 UTC.
fn epoch_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// The log line of a dead letter: where it came from and why, never what is in it.
fn tell_dead_letter(plan: &Plan, input: &Input<'_>, poison: &Poison) {
    let topic = &plan.sources[usize::from(input.source)].topic;
    let name = |index: Option<u16>, names: &dyn Fn(usize) -> String| {
        index.map(|index| names(usize::from(index)))
    };
    let step = name(poison.step, &|index| plan.steps[index].name.clone());
    let route = name(poison.route, &|index| plan.routes[index].name.clone());
    let source = format!("{topic}/{}/{}", input.partition, input.offset);
    if poison.reason == INTERNAL_PANIC {
        tracing::error!(
            topology = plan.id,
            source,
            reason = poison.reason,
            why = poison.message,
            "dead letter: a record on which Lockgate fails"
        );
        return;
    }
    tracing::warn!(
        topology = plan.id,
        source,
        reason = poison.reason,
        step,
        route,
        why = poison.message,
        "dead letter"
    );
}
