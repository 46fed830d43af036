//! Asks the cluster what `core::start` needs to know. Blocks, so it runs on a thread of its own.

use std::collections::HashMap;
use std::time::Duration;

use crate::core::Tp;
use crate::core::start::{self, Committed, Resolution, Start, StartFault, TopicView, Watermarks};
use crate::kafka::{ClientError, ConsumerHandle};
use crate::topology::plan::Plan;

/// Longest wait for one answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

type Positions = (Vec<(Tp, Start)>, Vec<(Tp, Result<Start, StartFault>)>);

/// Where these partitions begin, and the initial positions to be committed first, if that is ours to do.
pub(super) fn resolve(handle: &ConsumerHandle, plan: &Plan, tps: &[Tp]) -> Positions {
    let (mut initial, mut positions) = (Vec::new(), Vec::new());
    for (topic, asked) in start::by_topic(tps) {
        match resolve_topic(handle, plan, topic, &asked) {
            Ok(resolution) => resolution.append_to(topic, &mut initial, &mut positions),
            Err(error) => {
                let fault = StartFault::Unreadable(error.to_string());
                positions.extend(
                    asked
                        .iter()
                        .map(|&partition| (Tp { topic, partition }, Err(fault.clone()))),
                );
            }
        }
    }
    (initial, positions)
}

fn resolve_topic(
    handle: &ConsumerHandle,
    plan: &Plan,
    topic: u16,
    asked: &[i32],
) -> Result<Resolution, ClientError> {
    let count = handle.partition_count(topic, ASK_TIMEOUT)?;
    let all: Vec<Tp> = (0..count)
        .map(|partition| Tp { topic, partition })
        .collect();
    let mut committed = vec![None; all.len()];
    for (at, answer) in handle.committed(&all, ASK_TIMEOUT)? {
        let answer = answer.map_err(|error| ClientError {
            attempted: format!("look up the committed offset of partition {}", at.partition),
            error,
            detail: String::new(),
        })?;
        committed[at.partition as usize] = answer.map(|answer| {
            let metadata = std::str::from_utf8(&answer.metadata).unwrap_or_default();
            Committed::new(answer.offset, metadata)
        });
    }
    let is_first = committed.iter().all(Option::is_none);
    let mut watermarks = vec![None; all.len()];
    for at in &all {
        // While nothing is committed, the initial position of every partition has to be known.
        if is_first || asked.contains(&at.partition) {
            let marks = handle.query_watermarks(*at, ASK_TIMEOUT)?;
            watermarks[at.partition as usize] = Some(Watermarks {
                low: marks.low,
                high: marks.high,
            });
        }
    }
    let start_from = plan.sources[usize::from(topic)].start_from;
    Ok(start::resolve(
        &TopicView {
            committed: &committed,
            watermarks: &watermarks,
            start_from,
        },
        asked,
    ))
}

/// The end of every partition of every source.
pub(super) fn ends(handle: &ConsumerHandle, plan: &Plan) -> Result<HashMap<Tp, i64>, ClientError> {
    let mut ends = HashMap::new();
    for topic in 0..plan.sources.len() as u16 {
        for partition in 0..handle.partition_count(topic, ASK_TIMEOUT)? {
            let marks = handle.query_watermarks(Tp { topic, partition }, ASK_TIMEOUT)?;
            ends.insert(Tp { topic, partition }, marks.high);
        }
    }
    Ok(ends)
}
