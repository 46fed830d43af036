//! The records of one lane, from the poll to their disposition, and the frontier that follows from them.
//!
//! ```text
//!           done              open or done          unprocessed
//! slots  [ D D D | O D O O D O D | u u u u ]
//!          ^ base  ^ frontier      ^ cursor            next: offset after the last
//! ```
//!
//! A slot is unprocessed, open (deliveries under way) or done. There is no failed state: a delivery that failed stays
//! open until it, or its dead letter, has arrived. The offset of the first slot that is not done is the frontier, the
//! only thing ever committed. Offsets may have gaps (transaction markers, compaction) and never go back.
use std::collections::VecDeque;

use super::delivery::{DELIVERIES_MAX, RECORDS_MAX, tag_after};
use super::{DeliveryId, Disposition, Epoch, Seq};

/// The records of one assignment of one partition. Owned by one thread; `T` is what the road keeps of a record.
#[derive(Debug)]
pub struct Tracker<T> {
    lane: u16,
    tag: u16,
    epoch: Epoch,
    slots: VecDeque<Slot<T>>,
    /// Sequence number of the front slot.
    base: u64,
    /// Slots done at the front, waiting to be popped. What is here is final: no rewind touches it.
    done: usize,
    /// Index of the first unprocessed slot.
    cursor: usize,
    /// Lowest offset that the next record may have; the frontier while every slot is done.
    next: i64,
    bytes: u64,
}

#[derive(Debug)]
struct Slot<T> {
    offset: i64,
    /// One bit per delivery that has not arrived yet.
    open: u64,
    /// One bit per delivery that goes, or went, to the dead letters instead.
    buried: u64,
    bytes: u32,
    state: State,
    payload: T,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unprocessed,
    Open,
    Done(Disposition),
}

/// A record came again, or out of order: below the lowest offset that may follow. It is dropped, and was not consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset} came again: the next one expected is {expected} or above")]
pub struct OutOfOrder {
    /// Offset of the record.
    pub offset: i64,
    /// Lowest offset that was expected.
    pub expected: i64,
}

/// What a delivery's report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// Nothing: it belongs to an earlier attempt, or was seen before.
    Stale,
    /// The delivery is closed, others of the record are open.
    Open,
    /// The record is done.
    Done,
}

/// Records in a lane by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Taken, not processed yet.
    pub unprocessed: u64,
    /// With deliveries under way.
    pub open: u64,
    /// Done, not popped yet.
    pub done: u64,
}

impl Pending {
    /// All of them: every record taken and not yet popped.
    pub fn total(self) -> u64 {
        self.unprocessed + self.open + self.done
    }
}

impl<T> Tracker<T> {
    /// An empty lane that begins at `position`. [`Lanes`](super::Lanes) knows which index and tag are free.
    pub fn new(lane: u16, tag: u16, epoch: Epoch, position: i64) -> Tracker<T> {
        Tracker {
            lane,
            tag,
            epoch,
            slots: VecDeque::new(),
            base: 0,
            done: 0,
            cursor: 0,
            next: position,
            bytes: 0,
        }
    }

    /// The assignment that this lane is about.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The tag of the current attempt.
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// Takes a record that was polled; `bytes` is what it holds in memory.
    pub fn take(&mut self, offset: i64, bytes: u32, payload: T) -> Result<Seq, OutOfOrder> {
        if offset < self.next {
            return Err(OutOfOrder {
                offset,
                expected: self.next,
            });
        }
        assert!(
            self.slots.len() < RECORDS_MAX,
            "the flow limits keep a lane below {RECORDS_MAX} records"
        );
        let seq = Seq(self.base + self.slots.len() as u64);
        self.slots.push_back(Slot {
            offset,
            open: 0,
            buried: 0,
            bytes,
            state: State::Unprocessed,
            payload,
        });
        self.next = offset.saturating_add(1);
        self.bytes += u64::from(bytes);
        Ok(seq)
    }

    /// Moves the frontier of an empty end past offsets that hold no record: `position` is where the consumer will read
    /// next, read under this epoch after the last record was taken.
    pub fn advance(&mut self, position: i64) {
        self.next = self.next.max(position);
    }

    /// The next record to process, in order, again and again until [`opened`](Self::opened) or
    /// [`dispose`](Self::dispose) moves on.
    pub fn next_unprocessed(&self) -> Option<(Seq, i64, &T)> {
        let slot = self.slots.get(self.cursor)?;
        Some((
            Seq(self.base + self.cursor as u64),
            slot.offset,
            &slot.payload,
        ))
    }

    /// The records that were not processed yet, in order: offset and payload.
    pub fn unprocessed(&self) -> impl Iterator<Item = (i64, &T)> {
        self.slots
            .iter()
            .skip(self.cursor)
            .map(|slot| (slot.offset, &slot.payload))
    }

    /// The record was processed into `deliveries` (1 to [`DELIVERIES_MAX`]), numbered from 0, which are now under way.
    /// `seq` is what [`next_unprocessed`](Self::next_unprocessed) gave.
    pub fn opened(&mut self, seq: Seq, deliveries: u8) {
        assert!(
            (1..=DELIVERIES_MAX).contains(&deliveries),
            "{deliveries} deliveries of one record"
        );
        self.opened_as(seq, u64::MAX >> (64 - u32::from(deliveries)));
    }

    /// As [`opened`](Self::opened), with the numbers of the deliveries as a set of bits: a road that numbers them by
    /// route can tell from a report which route it is about.
    pub fn opened_as(&mut self, seq: Seq, deliveries: u64) {
        assert!(
            deliveries != 0,
            "a record without deliveries is disposed of"
        );
        let slot = self.process(seq);
        slot.open = deliveries;
        slot.state = State::Open;
    }

    /// The record was processed and has no delivery. `seq` is what [`next_unprocessed`](Self::next_unprocessed) gave.
    pub fn dispose(&mut self, seq: Seq, disposition: Disposition) {
        self.process(seq).state = State::Done(disposition);
        self.settle();
    }

    /// The name of delivery `delivery` of record `seq` in this attempt.
    pub fn delivery(&self, seq: Seq, delivery: u8) -> DeliveryId {
        DeliveryId::new(self.lane, self.tag, seq, delivery)
    }

    /// The delivery has arrived, durable on the far side; as a dead letter if it was [buried](Self::bury).
    pub fn delivered(&mut self, id: DeliveryId) -> Acked {
        let Some(index) = self.find(id) else {
            return Acked::Stale;
        };
        let slot = &mut self.slots[index];
        slot.open &= !(1 << id.delivery());
        if slot.open != 0 {
            return Acked::Open;
        }
        let disposition = if slot.buried == 0 {
            Disposition::Delivered
        } else {
            Disposition::DeadLettered
        };
        slot.state = State::Done(disposition);
        self.settle();
        Acked::Done
    }

    /// The delivery goes to the dead letters from here on, under the same name. False if it is stale.
    pub fn bury(&mut self, id: DeliveryId) -> bool {
        let Some(index) = self.find(id) else {
            return false;
        };
        self.slots[index].buried |= 1 << id.delivery();
        true
    }

    /// Whether an open delivery goes to the dead letters.
    pub fn is_buried(&self, id: DeliveryId) -> bool {
        self.find(id)
            .is_some_and(|index| self.slots[index].buried & (1 << id.delivery()) != 0)
    }

    /// The record of a delivery that is open in this attempt: its offset and payload. `None` if it is stale: a failure
    /// of it then means nothing.
    pub fn get(&self, id: DeliveryId) -> Option<(Seq, i64, &T)> {
        let index = self.find(id)?;
        let slot = &self.slots[index];
        Some((Seq(self.base + index as u64), slot.offset, &slot.payload))
    }

    /// The payload of a record that was not popped yet.
    pub fn payload(&self, seq: Seq) -> Option<&T> {
        let index = usize::try_from(seq.0.checked_sub(self.base)?).ok()?;
        self.slots.get(index).map(|slot| &slot.payload)
    }

    /// Everything from the frontier on is unprocessed again, and every report still under way is stale. What was done
    /// behind the frontier goes again too: were only the open records sent, an older one could end up last at the sink.
    pub fn rewind(&mut self) {
        for slot in self.slots.iter_mut().skip(self.done) {
            slot.open = 0;
            slot.buried = 0;
            slot.state = State::Unprocessed;
        }
        self.cursor = self.done;
        self.tag = tag_after(self.tag);
    }

    /// The next offset to read, every record before it done: what may be committed.
    pub fn frontier(&self) -> i64 {
        self.slots
            .get(self.done)
            .map_or(self.next, |slot| slot.offset)
    }

    /// No delivery is under way and no record is half processed.
    pub fn is_idle(&self) -> bool {
        self.done == self.cursor
    }

    /// Records taken and not popped.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Nothing was taken, or all of it was popped.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What the records taken and not popped hold in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts the records by walking them, so that the balance of the counters means something.
    pub fn pending(&self) -> Pending {
        let mut pending = Pending::default();
        for slot in &self.slots {
            match slot.state {
                State::Unprocessed => pending.unprocessed += 1,
                State::Open => pending.open += 1,
                State::Done(_) => pending.done += 1,
            }
        }
        pending
    }

    /// The first record that is not done: its offset and payload.
    pub fn oldest(&self) -> Option<(Seq, i64, &T)> {
        let slot = self.slots.get(self.done)?;
        Some((
            Seq(self.base + self.done as u64),
            slot.offset,
            &slot.payload,
        ))
    }

    /// Hands back the records that are done at the front, in order. Returns how many.
    pub fn pop_done(&mut self, mut with: impl FnMut(i64, T, Disposition)) -> usize {
        let popped = std::mem::take(&mut self.done);
        for slot in self.slots.drain(..popped) {
            let State::Done(disposition) = slot.state else {
                unreachable!("only done slots are counted as done")
            };
            self.bytes -= u64::from(slot.bytes);
            with(slot.offset, slot.payload, disposition);
        }
        self.base += popped as u64;
        self.cursor -= popped;
        popped
    }

    /// Hands back the records that were not processed, newest first: a lane that drains begins nothing new, after a
    /// rewind neither. Returns how many. The frontier stays before them.
    pub fn release_unprocessed(&mut self, mut with: impl FnMut(i64, T)) -> u64 {
        let mut released = 0;
        while self.slots.len() > self.cursor {
            let Some(slot) = self.slots.pop_back() else {
                break;
            };
            self.bytes -= u64::from(slot.bytes);
            self.next = slot.offset;
            released += 1;
            with(slot.offset, slot.payload);
        }
        released
    }

    /// Checks what must always hold, in O(records); the message names what does not.
    pub fn check(&self) -> Result<(), String> {
        let mut bytes = 0;
        let mut last = None;
        for (index, slot) in self.slots.iter().enumerate() {
            bytes += u64::from(slot.bytes);
            let is_done = matches!(slot.state, State::Done(_));
            let holds = [
                (last < Some(slot.offset), "offsets rise"),
                (slot.offset < self.next, "next is above every offset"),
                (index >= self.done || is_done, "the front is done"),
                (
                    index != self.done || !is_done,
                    "the frontier stands at a record that is not done",
                ),
                (
                    (index >= self.cursor) == (slot.state == State::Unprocessed),
                    "the cursor parts the unprocessed",
                ),
                (
                    (slot.open != 0) == (slot.state == State::Open),
                    "open slots have open deliveries",
                ),
            ];
            if let Some((_, what)) = holds.iter().find(|(holds, _)| !holds) {
                return Err(format!(
                    "{what}: not at offset {}, slot {index} of {}",
                    slot.offset,
                    self.slots.len()
                ));
            }
            last = Some(slot.offset);
        }
        let holds =
            self.done <= self.cursor && self.cursor <= self.slots.len() && bytes == self.bytes;
        holds.then_some(()).ok_or_else(|| {
            let (done, cursor, records) = (self.done, self.cursor, self.slots.len());
            format!(
                "done {done} <= cursor {cursor} <= records {records}, bytes {} = {bytes}",
                self.bytes
            )
        })
    }

    fn process(&mut self, seq: Seq) -> &mut Slot<T> {
        assert_eq!(
            seq.0,
            self.base + self.cursor as u64,
            "records are processed in order"
        );
        let slot = &mut self.slots[self.cursor];
        self.cursor += 1;
        slot
    }

    fn find(&self, id: DeliveryId) -> Option<usize> {
        if id.tag() != self.tag || id.lane() != self.lane {
            return None;
        }
        let index = (id.seq_from(Seq(self.base)).0 - self.base) as usize;
        let slot = self.slots.get(index)?;
        (slot.open & (1 << id.delivery()) != 0).then_some(index)
    }

    fn settle(&mut self) {
        while let Some(Slot {
            state: State::Done(_),
            ..
        }) = self.slots.get(self.done)
        {
            self.done += 1;
        }
    }
}

#[cfg(test)]
mod tests;
