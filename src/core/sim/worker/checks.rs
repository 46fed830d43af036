//! The invariants that are held against a worker.
use super::{Cx, LIMITS, POLL_MAX, Worker};
use crate::core::Tp;
use crate::core::flow::Reason;
use crate::core::sim::lanes::Pipeline;
use crate::core::sim::{Held, hold};

impl Worker {
    /// While our seat is valid nobody else commits, so an assignment begins exactly where the group stands.
    pub(super) fn check_start(&self, cx: &Cx, tp: Tp, offset: i64) -> Held {
        let is_fenced = self.client.generation != cx.broker.group.generation
            || !self
                .client
                .seat
                .is_some_and(|seat| cx.broker.group.seats.contains_key(&seat));
        let committed = cx
            .broker
            .committed
            .get(&tp)
            .map(|committed| committed.offset);
        let is_same = committed.is_none_or(|committed| committed == offset);
        hold(is_fenced || is_same, "I-4", || {
            format!("{tp:?}: begins at {offset}, the group stands at {committed:?}")
        })
    }

    /// Invariant I-7: bounded, and paused exactly if there is a reason.
    pub(super) fn check_flow(&self) -> Held {
        let total = self.flow.total();
        let slack = POLL_MAX * self.client.assigned.len() as u64;
        hold(
            total.records <= LIMITS.process.records + slack,
            "I-7",
            || format!("{} records in flight", total.records),
        )?;
        for tp in self.client.assigned.keys() {
            let (held, reasons) = (self.flow.held(*tp), self.flow.reasons(*tp));
            let is_bounded = held.records <= LIMITS.partition.records + POLL_MAX;
            hold(is_bounded, "I-7", || {
                format!("{tp:?}: {} records in flight", held.records)
            })?;
            let is_paused = self.client.paused.contains(tp);
            let is_right = is_paused != reasons.is_empty();
            hold(is_right, "I-7", || {
                format!("{tp:?}: paused {is_paused}, reasons {reasons:?}")
            })?;
            let is_full = held.records >= LIMITS.partition.records;
            hold(!is_full || is_paused, "I-7", || {
                format!("{tp:?}: full and not paused")
            })?;
            let is_low = held.records * 2 <= LIMITS.partition.records
                && held.bytes * 2 <= LIMITS.partition.bytes;
            let is_held_back = reasons.contains(Reason::Partition);
            hold(!is_low || !is_held_back, "I-7", || {
                format!("{tp:?}: half empty and still paused")
            })?;
        }
        Ok(())
    }

    /// Invariant I-12: a shutdown that names nothing has left nothing.
    pub fn check_done(&self, cx: &mut Cx) -> Held {
        let (Some(leftovers), Some(owned)) = (&self.done, &self.shutdown) else {
            return Ok(());
        };
        if !leftovers.is_empty() {
            cx.cover.hit("shutdown.leftovers");
            return Ok(());
        }
        cx.cover.hit("shutdown.clean");
        for (tp, epoch) in owned {
            let last = self.pipeline.closed.get(&(*tp, *epoch));
            let committed = cx
                .broker
                .committed
                .get(tp)
                .map_or(0, |committed| committed.offset);
            let is_clean =
                last.is_some_and(|(frontier, released)| *released == 0 && committed >= *frontier);
            hold(is_clean, "I-12", || {
                format!("{tp:?}: last word {last:?}, {committed} committed, nothing named")
            })?;
        }
        Ok(())
    }

    /// Invariant I-13: every record taken is accounted for.
    pub fn check_balance(&self) -> Held {
        let Pipeline {
            disposed,
            released,
            again,
            ..
        } = &self.pipeline;
        let on_the_way = self.pipeline.inbox_records();
        let pending = self.pipeline.pending();
        let accounted = disposed + released + again + pending + on_the_way;
        hold(self.consumed == accounted, "I-13", || {
            format!(
                "{} consumed, {disposed} disposed of, {released} released, {again} again, {pending} pending",
                self.consumed
            )
        })
    }
}
