//! Errors in the place of records.
//!
//! An error of a partition (a refused fetch, bytes that fail their checksum) comes through the queue of its records, with the offset at which
//! the fetch stood. The batch call takes it for a record: the position that the library reports, and at which it goes on after a pause,
//! is behind it, and some errors let it leave out the records that they are about. So from such an error on nothing of the partition is
//! handed out, nor its position, until it has been fetched again from that offset. A record that was handed out before may then come twice.

use super::*;

/// Between an error and the next fetch from its offset: it may well fail again, and again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// A partition of which nothing is handed out.
pub(super) struct Halt {
    /// The first offset that may be missing.
    offset: i64,
    /// When to fetch again from there; `None` if it cannot be.
    due: Option<Instant>,
}

impl Consumer {
    /// An error has come in the place of a record. Tools, which are no members, end or go on behind it.
    pub(super) fn halt(&mut self, at: Tp, offset: i64, error: KafkaError) {
        let is_end = error.is(code::RD_KAFKA_RESP_ERR__PARTITION_EOF);
        if !self.is_member || at.partition < 0 || offset < 0 || is_end {
            return;
        }
        let is_lost = error.is(code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
        let due = (!is_lost).then(|| Instant::now() + RETRY_AFTER);
        match self.halted.get_mut(&at) {
            // The first one tells what is missing; a lost position is not fetched again.
            Some(halt) => halt.due = halt.due.and(due),
            None => {
                self.halted.insert(at, Halt { offset, due });
            }
        }
    }

    /// Fetches again what is due.
    pub(super) fn fetch_halted_again(&mut self) {
        if self.halted.is_empty() {
            return;
        }
        let (owned, assigned) = (&self.owned, &self.assigned);
        self.halted
            .retain(|at, _| owned.contains(at) && assigned.contains_key(at));
        let now = Instant::now();
        let is_due = |halt: &Halt| halt.due.is_some_and(|due| due <= now);
        let due: Vec<(Tp, i64)> = self
            .halted
            .iter()
            .filter(|(_, halt)| is_due(halt))
            .map(|(&at, halt)| (at, halt.offset))
            .collect();
        if due.is_empty() {
            return;
        }
        let list = self.client.list(due.iter().copied());
        // SAFETY: client and list are live; the library reads the list during the call only. The error object is ours.
        let sought = unsafe {
            check(
                "fetch again after an error",
                sys::rd_kafka_seek_partitions(self.client.native.as_ptr(), list.as_ptr(), 0),
            )
        };
        if let Err(error) = sought {
            tracing::warn!(%error, "partitions stand still after an error; tried again");
            return;
        }
        for (at, offset) in due {
            // What was fetched before is outdated from here on.
            self.halted.remove(&at);
            self.assigned.insert(at, offset);
        }
    }
}
