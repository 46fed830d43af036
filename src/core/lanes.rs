//! The lanes of one pipeline thread: which index is whose, and with which tag its next tenant begins.
use std::collections::VecDeque;

use super::delivery::tag_after;
use super::{DeliveryId, Epoch, Tp, Tracker};

/// Lanes by index. An index whose lane was closed is lent again last, and its tag goes on counting, so that a report
/// for an earlier tenant finds nothing.
#[derive(Debug)]
pub struct Lanes<T> {
    lanes: Vec<Lane<T>>,
    free: VecDeque<u16>,
}

#[derive(Debug)]
struct Lane<T> {
    tag: u16,
    tenant: Option<(Tp, Tracker<T>)>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Lanes {
            lanes: Vec::new(),
            free: VecDeque::new(),
        }
    }
}

impl<T> Lanes<T> {
    /// No lanes.
    pub fn new() -> Lanes<T> {
        Lanes::default()
    }

    /// Opens a lane for an assignment of `tp`; its index stays the same until it is closed.
    pub fn open(&mut self, tp: Tp, epoch: Epoch, position: i64) -> u16 {
        let index = self.free.pop_front().unwrap_or_else(|| {
            let index =
                u16::try_from(self.lanes.len()).expect("a thread has fewer than 65 536 lanes");
            self.lanes.push(Lane {
                tag: 1,
                tenant: None,
            });
            index
        });
        let lane = &mut self.lanes[usize::from(index)];
        lane.tenant = Some((tp, Tracker::new(index, lane.tag, epoch, position)));
        index
    }

    /// Closes a lane and hands back its records.
    pub fn close(&mut self, index: u16) -> Option<Tracker<T>> {
        let lane = self.lanes.get_mut(usize::from(index))?;
        let (_, tracker) = lane.tenant.take()?;
        lane.tag = tag_after(tracker.tag());
        self.free.push_back(index);
        Some(tracker)
    }

    /// The index of the lane of this assignment.
    pub fn find(&self, tp: Tp, epoch: Epoch) -> Option<u16> {
        self.iter()
            .find(|(_, t, tracker)| *t == tp && tracker.epoch() == epoch)
            .map(|(index, ..)| index)
    }

    /// The partition and the tracker of a lane.
    pub fn get_mut(&mut self, index: u16) -> Option<(Tp, &mut Tracker<T>)> {
        let (tp, tracker) = self.lanes.get_mut(usize::from(index))?.tenant.as_mut()?;
        Some((*tp, tracker))
    }

    /// The lane that a delivery's report is about; `None` if it was closed or belongs to an earlier attempt.
    pub fn of(&mut self, id: DeliveryId) -> Option<(Tp, &mut Tracker<T>)> {
        self.get_mut(id.lane())
            .filter(|(_, tracker)| tracker.tag() == id.tag())
    }

    /// All lanes, by index.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Tp, &Tracker<T>)> {
        self.lanes.iter().enumerate().filter_map(|(index, lane)| {
            let (tp, tracker) = lane.tenant.as_ref()?;
            Some((index as u16, *tp, tracker))
        })
    }

    /// All lanes, by index.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u16, Tp, &mut Tracker<T>)> {
        self.lanes
            .iter_mut()
            .enumerate()
            .filter_map(|(index, lane)| {
                let (tp, tracker) = lane.tenant.as_mut()?;
                Some((index as u16, *tp, tracker))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tracker::Acked;

    const TP: Tp = Tp {
        topic: 0,
        partition: 3,
    };

    fn open_record(lanes: &mut Lanes<()>, index: u16, offset: i64) -> DeliveryId {
        let (_, tracker) = lanes.get_mut(index).unwrap();
        let seq = tracker.take(offset, 1, ()).unwrap();
        tracker.opened(seq, 1);
        tracker.delivery(seq, 0)
    }

    #[test]
    fn a_report_for_an_earlier_tenant_of_the_index_finds_nothing() {
        let mut lanes = Lanes::new();
        let first = lanes.open(TP, Epoch(1), 0);
        let early = open_record(&mut lanes, first, 0);
        lanes.get_mut(first).unwrap().1.rewind();
        let late = open_record_again(&mut lanes, first);
        let tracker = lanes.close(first).unwrap();
        assert_eq!(
            (tracker.pending().open, lanes.find(TP, Epoch(1))),
            (1, None)
        );
        let second = lanes.open(TP, Epoch(2), 0);
        assert_eq!(first, second);
        let current = open_record(&mut lanes, second, 0);
        for stale in [early, late] {
            assert!(lanes.of(stale).is_none());
            assert_eq!(
                lanes.get_mut(second).unwrap().1.delivered(stale),
                Acked::Stale
            );
        }
        let (tp, tracker) = lanes.of(current).unwrap();
        assert_eq!((tp, tracker.delivered(current)), (TP, Acked::Done));
    }

    fn open_record_again(lanes: &mut Lanes<()>, index: u16) -> DeliveryId {
        let (_, tracker) = lanes.get_mut(index).unwrap();
        let (seq, ..) = tracker.next_unprocessed().unwrap();
        tracker.opened(seq, 1);
        tracker.delivery(seq, 0)
    }

    #[test]
    fn two_epochs_of_a_partition_can_be_open_at_once() {
        let mut lanes: Lanes<()> = Lanes::new();
        let (old, new) = (lanes.open(TP, Epoch(1), 0), lanes.open(TP, Epoch(2), 0));
        assert_eq!(
            (lanes.find(TP, Epoch(1)), lanes.find(TP, Epoch(2))),
            (Some(old), Some(new))
        );
        lanes.close(old);
        assert_eq!(
            (lanes.close(old).is_none(), lanes.iter().count()),
            (true, 1)
        );
        assert!(lanes.get_mut(99).is_none());
    }

    #[test]
    fn the_index_closed_last_is_lent_again_last() {
        let mut lanes: Lanes<()> = Lanes::new();
        let indexes: Vec<u16> = (0..3)
            .map(|epoch| lanes.open(TP, Epoch(epoch), 0))
            .collect();
        for index in [2, 0, 1] {
            lanes.close(indexes[index]);
        }
        let again: Vec<u16> = (3..7)
            .map(|epoch| lanes.open(TP, Epoch(epoch), 0))
            .collect();
        assert_eq!(again, [2, 0, 1, 3]);
    }
}
