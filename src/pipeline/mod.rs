//! The road of a record: consume, process, deliver, ack, commit.
//!
//! ```text
//! worker      one topology at work: threads, from the start to the drain
//! outputs     the registry ids of the schemas that outputs are written with
//! watcher     asks the clusters what the output topics take; topics: what is known of them
//! sources     what is known of the cluster that the sources are read from, and the watcher that asks it
//! consume     the consumer thread: polls, pauses, rebalances, commits; positions: where partitions begin
//! thread      a pipeline thread: owner of lanes; lane: one partition in one assignment
//! open        from a record to its deliveries; programs: compiled programs by schema id; judges: the shares of poison
//! process     one record through its plan, pure
//! deliver     runs per output partition, enqueued in order
//! messages    what travels between the threads
//! ```

mod consume;
mod deliver;
mod judges;
mod lane;
mod messages;
mod open;
mod outputs;
#[cfg(test)]
mod planted;
mod positions;
pub mod process;
mod programs;
mod sources;
#[cfg(test)]
mod tests;
mod thread;
mod topics;
mod watcher;
mod worker;

pub use consume::Ended;
pub(crate) use deliver::{SOURCE_HEADER, passes};
pub use worker::{Shared, Worker};

use process::{INTERNAL_PANIC, Input, PROCESS_ABORTED, Poison};
use tracing::Level;

use crate::kafka::{Header, RawRecord};
use crate::record_event;
use crate::telemetry::logging::Source;
use crate::topology::plan::Plan;

/// Milliseconds since 1970-01-01 UTC.
fn epoch_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// The correlation id that a record brought along, in the header that the configuration names.
fn brought<'a>(
    mut headers: impl Iterator<Item = Header<'a>>,
    correlation: Option<&[u8]>,
) -> Option<&'a str> {
    let (_, value) = headers.find(|(name, _)| correlation == Some(*name))?;
    std::str::from_utf8(value?).ok()
}

/// What a log line says of where a record came from.
fn source_of<'a>(plan: &'a Plan, record: &'a RawRecord, correlation: Option<&str>) -> Source<'a> {
    Source {
        topic: &plan.sources[usize::from(record.topic())].topic,
        partition: record.partition(),
        offset: record.offset(),
        correlation: brought(record.headers(), correlation.map(str::as_bytes)),
    }
}

/// The log line of a dead letter: where it came from and why. What is in it is shown only if the configuration asks for it.
fn tell_dead_letter(plan: &Plan, input: &Input<'_>, poison: &Poison, correlation: Option<&[u8]>) {
    let name = |index: Option<u16>, names: &dyn Fn(usize) -> String| {
        index.map(|index| names(usize::from(index)))
    };
    let step = name(poison.step, &|index| plan.steps[index].name.clone());
    let route = name(poison.route, &|index| plan.routes[index].name.clone());
    let source = Source {
        topic: &plan.sources[usize::from(input.source)].topic,
        partition: input.partition,
        offset: input.offset,
        correlation: brought(input.headers.iter().copied(), correlation),
    };
    if [INTERNAL_PANIC, PROCESS_ABORTED].contains(&poison.reason) {
        record_event!(
            Level::ERROR,
            source,
            poison.reason,
            topology = plan.id,
            why = poison.message,
            "dead letter: a record on which Lockgate fails"
        );
        return;
    }
    record_event!(
        Level::WARN,
        source,
        poison.reason,
        topology = plan.id,
        step,
        route,
        why = poison.message,
        payload = %input.value.unwrap_or_default().escape_ascii(),
        "dead letter"
    );
}
