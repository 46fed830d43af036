//! The one-by-one phase of a lane whose owners died: a record is processed when the group's position says that it is being tried,
//! and nothing else of the process is processed meanwhile, so that a death is that record's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use super::*;
use crate::core::guard::Next;

/// The seats of all pipeline threads of the process, of every topology: a death would be everybody's.
static SEATS: Mutex<Vec<Arc<Mutex<()>>>> = Mutex::new(Vec::new());

/// Since records are being tried, somebody else has some to process or to try.
static IS_WAITED_FOR: AtomicBool = AtomicBool::new(false);

/// How long records of a lane are tried at a time. As long again the others have their turn, if they have records.
const TRIAL_TIME: Duration = Duration::from_millis(100);

/// How long a mark is waited for, or its end. Everything stands still meanwhile.
const MARK_TIMEOUT: Duration = Duration::from_secs(3);

/// How often to look whether it is there, if no bell rings.
const MARK_LOOK: Duration = Duration::from_millis(10);

/// How long everything stands still, without a mark, before a suspect is tried again.
const STILL_TIME: Duration = Duration::from_secs(1);

/// The right of one pipeline thread to process records. It takes its own seat for each round, a lock that nobody else
/// wants; who tries a record takes them all.
pub(super) struct Seat(Arc<Mutex<()>>);

impl Seat {
    pub fn new() -> Seat {
        let seat = Arc::new(Mutex::new(()));
        locked(&SEATS).push(seat.clone());
        Seat(seat)
    }

    /// A turn for a round; none while a record is tried.
    pub fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        free(&self.0)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        locked(&SEATS).retain(|seat| !Arc::ptr_eq(seat, &self.0));
    }
}

/// A thread that has panicked holds nothing of worth.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn free<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl PipelineThread {
    pub(super) fn is_guarded(&self, index: u16) -> bool {
        let lane = self.states[usize::from(index)].as_ref();
        lane.is_some_and(|lane| lane.guard.is_some())
    }

    /// Whether records of any lane are to be tried.
    pub(super) fn has_guarded(&self) -> bool {
        (0..self.states.len() as u16).any(|index| self.is_guarded(index))
    }

    /// Tries records of a guarded lane for a while. Returns whether anything was done.
    pub(super) fn trials(&mut self) -> bool {
        if !self.has_guarded() {
            return false;
        }
        self.end_guards();
        let now = self.clock.now();
        if now < self.trial_at || self.stop.is_stopped() || !self.flush() {
            return false;
        }
        let Some(index) = self.lane_to_try() else {
            return false;
        };
        // Somebody else has the turn now.
        let Some(seats) = free(&SEATS) else {
            self.is_held_up = true;
            IS_WAITED_FOR.store(true, Ordering::Relaxed);
            return false;
        };
        let alone: Vec<_> = seats.iter().map(|seat| locked(seat)).collect();
        IS_WAITED_FOR.store(false, Ordering::Relaxed);
        let begun = Instant::now();
        let mut tried = 0;
        while begun.elapsed() < TRIAL_TIME && self.try_next(index) {
            tried += 1;
        }
        self.mark(index, None);
        drop(alone);
        drop(seats);
        if IS_WAITED_FOR.load(Ordering::Relaxed) || self.has_untried() {
            let taken = Millis(begun.elapsed().as_millis() as u64);
            self.trial_at = self.clock.now().after(taken);
        }
        tried > 0
    }

    /// Another thread tries records: it gives way for a while if there is something to do here.
    pub(super) fn held_up(&mut self) {
        self.is_held_up = true;
        if self.has_untried() || !self.deliveries.is_empty() {
            IS_WAITED_FOR.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a lane that is not guarded has a record to be processed.
    fn has_untried(&mut self) -> bool {
        (0..self.states.len() as u16).any(|index| {
            let lane = self.states[usize::from(index)].as_ref();
            let is_open = |lane: &Lane| {
                lane.guard.is_none() && lane.block == Block::Open && !lane.is_draining
            };
            lane.is_some_and(is_open)
                && self
                    .lanes
                    .get_mut(index)
                    .is_some_and(|(_, tracker)| tracker.next_unprocessed().is_some())
        })
    }

    /// Lanes in which nothing is left to be tried go on as usual.
    fn end_guards(&mut self) {
        for index in 0..self.states.len() as u16 {
            if let Some((_, tracker)) = self.lanes.get_mut(index)
                && let Some(lane) = &mut self.states[usize::from(index)]
                && lane
                    .guard
                    .is_some_and(|guard| guard.is_over(tracker.frontier()))
            {
                end_guard(&self.plan, lane);
            }
        }
    }

    /// A guarded lane that can go on, in turn. Where records are sent singly, that lane only.
    fn lane_to_try(&mut self) -> Option<u16> {
        let (lanes, turn) = (self.states.len(), self.turn);
        let single = self.single_lane();
        if single.is_some() && self.sinks.iter().any(|sink| sink.outstanding() > 0) {
            return None;
        }
        (0..lanes)
            .map(|step| ((turn + step) % lanes) as u16)
            .filter(|index| single.is_none_or(|single| single == *index))
            .find(|index| {
                let next = self.next_trial(*index);
                next.is_some_and(|(_, next)| next != Next::Wait)
            })
    }

    /// The next record of a guarded lane, and what to do with it; `None` if it has none, or cannot go on.
    fn next_trial(&mut self, index: u16) -> Option<(i64, Next)> {
        let lane = self.states[usize::from(index)].as_ref()?;
        let guard = lane.guard?;
        if lane.block != Block::Open || lane.is_draining {
            return None;
        }
        let (_, tracker) = self.lanes.get_mut(index)?;
        if lane.careful_until.is_some() && !tracker.is_idle() {
            return None;
        }
        let (_, offset, _) = tracker.next_unprocessed()?;
        Some((offset, guard.next(offset, tracker.frontier())))
    }

    /// Processes and enqueues the next record of a guarded lane, alone. False if that is all for now.
    fn try_next(&mut self, index: u16) -> bool {
        let Some((offset, next)) = self.next_trial(index) else {
            return false;
        };
        let mark = match next {
            Next::Wait => return false,
            Next::Over => {
                if let Some(lane) = &mut self.states[usize::from(index)] {
                    end_guard(&self.plan, lane);
                }
                return false;
            }
            Next::TryAgain if !self.stand_still(index) => return false,
            Next::Try | Next::TryAgain => Some(offset),
            Next::Quarantine => None,
        };
        if !self.mark(index, mark) || !self.process_one(index) {
            return false;
        }
        if let Some(guard) = self.states[usize::from(index)]
            .as_mut()
            .and_then(|lane| lane.guard.as_mut())
        {
            guard.passed();
        }
        // What the queue has no room for is enqueued later, without a mark: it waits, as for its delivery. Records that are sent
        // singly stay alone.
        self.flush() && self.single_lane().is_none()
    }

    /// Lets a while pass in which nothing is processed and no mark stands. False if the lane cannot go on.
    fn stand_still(&mut self, index: u16) -> bool {
        if !self.mark(index, None) {
            return false;
        }
        let begun = Instant::now();
        let lane = self.states[usize::from(index)].as_ref();
        while !lane.is_none_or(|lane| lane.link().is_leaving()) {
            let Some(rest) = STILL_TIME.checked_sub(begun.elapsed()) else {
                return true;
            };
            std::thread::park_timeout(rest);
        }
        false
    }

    /// Has the group's position say which record of the lane is tried. False if it does not in time, or will not.
    fn mark(&mut self, index: u16, offset: Option<i64>) -> bool {
        let Some((tp, tracker)) = self.lanes.get_mut(index) else {
            return false;
        };
        let Some(lane) = &mut self.states[usize::from(index)] else {
            return false;
        };
        let link = lane.link().clone();
        if link.has_marked(offset) {
            return true;
        }
        link.ask_mark();
        let (epoch, frontier) = (lane.epoch, tracker.frontier());
        (self.outlet)(FromThread::Trying {
            tp,
            epoch,
            frontier,
            offset,
        });
        let begun = Instant::now();
        while !link.has_marked(offset) {
            if link.marks_no_more(offset) || begun.elapsed() >= MARK_TIMEOUT {
                return false;
            }
            std::thread::park_timeout(MARK_LOOK);
        }
        true
    }
}

fn end_guard(plan: &Plan, lane: &mut Lane) {
    tracing::info!(
        topic = plan.sources[usize::from(lane.tp.topic)].topic,
        partition = lane.tp.partition,
        "one by one is over: what the workers that died can have had in flight was passed"
    );
    lane.set_guard(None);
}
