//! The producer of a simulated pipeline thread: it keeps the order of each output partition, may die at any time, and its
//! reports come back in any order.
use std::collections::VecDeque;

use crate::core::sim::truth::Verdict;
use crate::core::sim::worker::Cx;
use crate::core::sim::{Held, Violation};
use crate::core::{DeliveryId, Epoch, Tp};

const OUTPUT_PARTITIONS: usize = 4;

/// A delivery in the producer's queue.
#[derive(Clone, Copy)]
pub struct Out {
    pub id: DeliveryId,
    pub sent: Sending,
    pub route: u8,
    pub is_dead_letter: bool,
}

/// What was sent, by names that are never used again: the truth about a delivery id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    pub tp: Tp,
    pub epoch: Epoch,
    pub attempt: u32,
    pub offset: i64,
}

/// A report on its way back.
pub struct Completion {
    pub out: Out,
    pub has_arrived: bool,
}

#[derive(Default)]
pub struct Producer {
    queues: [VecDeque<Out>; OUTPUT_PARTITIONS],
    reports: Vec<Completion>,
}

impl Producer {
    /// A delivery of `tp` is still queued: it can arrive later.
    pub fn has_queued(&self, tp: Tp) -> bool {
        self.queues.iter().flatten().any(|out| out.sent.tp == tp)
    }

    pub fn enqueue(&mut self, cx: &Cx, out: Out) {
        let key = cx.broker.truth.key(out.sent.tp, out.sent.offset) as usize;
        let queue = if out.is_dead_letter {
            OUTPUT_PARTITIONS - 1
        } else {
            (key + usize::from(out.route)) % 3
        };
        self.queues[queue].push_back(out);
    }

    /// The sink takes the oldest deliveries of one output partition, in order.
    pub fn sink(&mut self, cx: &mut Cx) -> Held {
        let queue = cx.rng.below(OUTPUT_PARTITIONS);
        for _ in 0..1 + cx.rng.below(3) {
            let Some(out) = self.queues[queue].pop_front() else {
                break;
            };
            let has_arrived = write(cx, &out)?;
            self.reports.push(Completion { out, has_arrived });
        }
        Ok(())
    }

    /// One of the reports on their way.
    pub fn report(&mut self, cx: &mut Cx) -> Option<Completion> {
        if self.reports.is_empty() {
            return None;
        }
        let index = cx.rng.below(self.reports.len());
        Some(self.reports.swap_remove(index))
    }

    /// It dies: some of its queue was written, nobody knows how much.
    pub fn die(&mut self, cx: &mut Cx) -> Held {
        for queue in 0..OUTPUT_PARTITIONS {
            let written = cx.rng.below(self.queues[queue].len() + 1);
            for (index, out) in std::mem::take(&mut self.queues[queue])
                .into_iter()
                .enumerate()
            {
                if index < written {
                    write(cx, &out)?;
                }
                // The purged ones are reported as failed, which says nothing about what was written.
                if cx.rng.per_mille(500) {
                    self.reports.push(Completion {
                        out,
                        has_arrived: false,
                    });
                }
            }
        }
        cx.cover.hit("producer.death");
        Ok(())
    }

    /// The process dies: some of the queue was written, the rest is gone.
    pub fn crash(&mut self, cx: &mut Cx) -> Held {
        for queue in &mut self.queues {
            let written = cx.rng.below(queue.len() + 1);
            for out in queue.drain(..).take(written) {
                write(cx, &out)?;
            }
        }
        Ok(())
    }
}

/// The far side takes a delivery or refuses it for good. True if it is durable there.
fn write(cx: &mut Cx, out: &Out) -> Result<bool, Violation> {
    let Sending { tp, offset, .. } = out.sent;
    let verdict = cx.broker.truth.verdict(tp, offset);
    let is_refused =
        matches!(verdict, Verdict::Deliver { refused, .. } if refused & (1 << out.route) != 0);
    if is_refused && !out.is_dead_letter {
        cx.cover.hit("sink.refused");
        return Ok(false);
    }
    cx.cover.hit(if out.is_dead_letter {
        "sink.dead_letter"
    } else {
        "sink.written"
    });
    cx.broker
        .truth
        .sunk(tp, offset, out.route, out.is_dead_letter)?;
    Ok(true)
}
