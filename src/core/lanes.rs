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
