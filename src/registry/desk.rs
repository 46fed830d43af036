//! Decides which id is asked for, and when. Free of I/O, clock and randomness: requests, answers and `now` in, asks out.
//!
//! One ask per id at a time, a few at once, so many per second at most. While the registry fails, one ask at a time, after
//! a backoff, finds out whether it is back; all others wait for that.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use crate::codec::frame::SchemaId;
use crate::core::Millis;
use crate::core::retry::Backoff;

/// Asks under way at once, while the registry answers.
const ASKS_MAX: usize = 8;
/// The first wait after "no such id"; doubled each time, up to [`UNKNOWN_STEP_MAX`].
const UNKNOWN_STEP: u64 = 250;
const UNKNOWN_STEP_MAX: u64 = 8_000;
/// Backoff during an outage: first ceiling, and the highest.
const OUTAGE_BASE: Millis = Millis(100);
const OUTAGE_CAP: Millis = Millis(30_000);

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the registry for this id, then say how it went ([`Desk::answered`]).
    Ask(SchemaId),
    /// Nothing before this time, unless a request or an answer comes first. `None`: nothing at all before that.
    Wait(Option<Millis>),
}

/// How an ask went.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// There is a final answer.
    Answered,
    /// The registry says that there is no such id.
    Unknown,
    /// Anything else, in words.
    Failed(String),
}

/// What becomes of an id after an ask.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// Finally answered.
    Answered,
    /// Unknown, and waited for long enough.
    Unknown,
    /// It will be asked for again.
    Open,
}

/// The state of an outage.
#[derive(Debug, Clone)]
pub struct Failing {
    /// When the first ask failed.
    pub since: Millis,
    /// Probes that failed.
    pub failures: u32,
    /// What the last one said.
    pub message: String,
    until: Millis,
    backoff: Backoff,
}

/// The desk.
pub struct Desk {
    unknown_wait: u64,
    open: HashMap<SchemaId, Open>,
    /// Ids by the time of their next ask; the counter keeps the order of equal times.
    due: BTreeSet<(Millis, u64, SchemaId)>,
    counter: u64,
    asks: usize,
    pace: Pace,
    failing: Option<Failing>,
}

/// An id without a final answer.
struct Open {
    /// When the registry first said "no such id", without a failure since.
    unknown_since: Option<Millis>,
    unknowns: u32,
    backoff: Backoff,
}

impl Desk {
    /// `unknown_wait`: how long an unknown id is asked for again. `per_second`: asks per second at most.
    pub fn new(unknown_wait: Millis, per_second: u64) -> Desk {
        Desk {
            unknown_wait: unknown_wait.0,
            open: HashMap::new(),
            due: BTreeSet::new(),
            counter: 0,
            asks: 0,
            pace: Pace::new(per_second),
            failing: None,
        }
    }

    /// Somebody wants this id. One that is open already stays as it is.
    pub fn request(&mut self, now: Millis, id: SchemaId) {
        if let Entry::Vacant(entry) = self.open.entry(id) {
            entry.insert(Open {
                unknown_since: None,
                unknowns: 0,
                backoff: Backoff::new(OUTAGE_BASE, OUTAGE_CAP),
            });
            self.schedule(now, id);
        }
    }

    /// What to do next. Call again after each ask was started.
    pub fn step(&mut self, now: Millis) -> Step {
        let asks_max = if self.failing.is_some() { 1 } else { ASKS_MAX };
        let Some(&next @ (due, _, id)) = self.due.first() else {
            return Step::Wait(None);
        };
        if self.asks >= asks_max {
            return Step::Wait(None);
        }
        let probe = self.failing.as_ref().map(|failing| failing.until);
        let at = probe.map_or(due, |until| due.max(until));
        if at > now {
            return Step::Wait(Some(at));
        }
        if let Some(later) = self.pace.take(now) {
            return Step::Wait(Some(later));
        }
        self.due.remove(&next);
        self.asks += 1;
        Step::Ask(id)
    }

    /// An ask came back. `random` is evenly distributed over all values.
    pub fn answered(&mut self, now: Millis, id: SchemaId, asked: Asked, random: u64) -> Fate {
        self.asks -= 1;
        let open = self
            .open
            .get_mut(&id)
            .expect("an id stays open while it is asked for");
        match asked {
            Asked::Answered => {
                self.failing = None;
                self.open.remove(&id);
                Fate::Answered
            }
            Asked::Unknown => {
                self.failing = None;
                open.backoff.reset();
                let since = *open.unknown_since.get_or_insert(now);
                if now.0 - since.0 >= self.unknown_wait {
                    self.open.remove(&id);
                    return Fate::Unknown;
                }
                let step = UNKNOWN_STEP << open.unknowns.min(16);
                open.unknowns += 1;
                let next = now.0 + step.min(UNKNOWN_STEP_MAX);
                let next = Millis(next.min(since.0 + self.unknown_wait));
                self.schedule(next, id);
                Fate::Open
            }
            Asked::Failed(message) => {
                // What it said before the outage may come from a member that lagged: the wait starts anew.
                open.unknown_since = None;
                open.unknowns = 0;
                let next = Millis(now.0 + open.backoff.fail(random).0);
                self.schedule(next, id);
                self.fail(now, message, random);
                Fate::Open
            }
        }
    }

    /// The outage, if the registry fails.
    pub fn failing(&self) -> Option<&Failing> {
        self.failing.as_ref()
    }

    /// Ids without a final answer.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn schedule(&mut self, at: Millis, id: SchemaId) {
        self.counter += 1;
        self.due.insert((at, self.counter, id));
    }

    fn fail(&mut self, now: Millis, message: String, random: u64) {
        let failing = self.failing.get_or_insert_with(|| Failing {
            since: now,
            failures: 0,
            message: String::new(),
            until: now,
            backoff: Backoff::new(OUTAGE_BASE, OUTAGE_CAP),
        });
        failing.message = message;
        // Several asks that were under way when it began count once.
        if now >= failing.until {
            failing.failures += 1;
            failing.until = Millis(now.0 + failing.backoff.fail(random).0);
        }
    }
}

/// A token bucket that holds one second's worth.
struct Pace {
    per_second: u64,
    /// Thousandths of an ask that may be spent.
    tokens: u64,
    filled: Millis,
}

impl Pace {
    fn new(per_second: u64) -> Pace {
        Pace {
            per_second,
            tokens: per_second * 1000,
            filled: Millis(0),
        }
    }

    /// Spends one ask; or says when there will be one to spend.
    fn take(&mut self, now: Millis) -> Option<Millis> {
        let passed = now.0.saturating_sub(self.filled.0);
        let gained = passed.saturating_mul(self.per_second);
        self.tokens = self
            .tokens
            .saturating_add(gained)
            .min(self.per_second * 1000);
        self.filled = now;
        if self.tokens >= 1000 {
            self.tokens -= 1000;
            return None;
        }
        let missing = 1000 - self.tokens;
        Some(Millis(now.0 + missing.div_ceil(self.per_second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGHEST: u64 = u64::MAX;

    fn desk() -> Desk {
        Desk::new(Millis(30_000), 50)
    }

    type Asks = Vec<(u64, u32)>;
    type Fates = Vec<(u64, u32, Fate)>;

    /// Runs the desk against a registry until nothing is open or the time is over; returns every ask with its time.
    fn drive(
        desk: &mut Desk,
        mut now: u64,
        end: u64,
        registry: impl Fn(u64, u32) -> Asked,
    ) -> (Asks, Fates) {
        let (mut asks, mut fates) = (Vec::new(), Vec::new());
        while now <= end && desk.open() > 0 {
            match desk.step(Millis(now)) {
                Step::Ask(asked) => {
                    let SchemaId::Number(id) = asked else {
                        panic!("nobody asked for {asked}");
                    };
                    asks.push((now, id));
                    let fate = desk.answered(Millis(now), asked, registry(now, id), HIGHEST);
                    if fate != Fate::Open {
                        fates.push((now, id, fate));
                    }
                }
                Step::Wait(Some(at)) => {
                    assert!(at.0 > now, "no progress");
                    now = at.0;
                }
                Step::Wait(None) => panic!("open ids, none under way, and nothing to wait for"),
            }
        }
        (asks, fates)
    }

    fn failed() -> Asked {
        Asked::Failed("connection refused".into())
    }

    #[test]
    fn one_ask_per_id_at_a_time() {
        let mut desk = desk();
        for _ in 0..5 {
            desk.request(Millis(0), SchemaId::Number(7));
        }
        assert_eq!(desk.step(Millis(0)), Step::Ask(7.into()));
        desk.request(Millis(0), SchemaId::Number(7));
        assert_eq!(desk.step(Millis(0)), Step::Wait(None));
    }

    #[test]
    fn an_unknown_id_is_waited_for_and_the_waits_of_many_overlap() {
        let mut desk = desk();
        for id in 0..5 {
            desk.request(Millis(0), SchemaId::Number(id));
        }
        let (asks, fates) = drive(&mut desk, 0, u64::MAX, |_, _| Asked::Unknown);
        assert_eq!(fates.len(), 5);
        for (at, _, fate) in fates {
            assert_eq!(fate, Fate::Unknown);
            assert!((30_000..31_000).contains(&at), "{at}");
        }
        assert!(asks.len() <= 5 * 10, "{} asks", asks.len());
    }

    #[test]
    fn an_id_that_appears_while_it_is_waited_for_is_found() {
        let mut desk = desk();
        desk.request(Millis(0), SchemaId::Number(1));
        let lagging = |now, _| {
            if now < 10_000 {
                Asked::Unknown
            } else {
                Asked::Answered
            }
        };
        let (_, fates) = drive(&mut desk, 0, u64::MAX, lagging);
        assert!(
            matches!(fates[..], [(10_000..20_000, 1, Fate::Answered)]),
            "{fates:?}"
        );
    }

    #[test]
    fn an_outage_is_never_an_answer_and_is_probed_gently() {
        let mut desk = desk();
        for id in 0..100 {
            desk.request(Millis(0), SchemaId::Number(id));
        }
        let hour = 3_600_000;
        let back = |now, _| {
            if now < hour {
                failed()
            } else {
                Asked::Answered
            }
        };
        let (asks, fates) = drive(&mut desk, 0, u64::MAX, back);
        assert_eq!(fates.len(), 100);
        assert!(
            fates
                .iter()
                .all(|(at, _, fate)| *at >= hour && *fate == Fate::Answered)
        );
        let probes = asks.iter().filter(|(at, _)| *at < hour).count();
        // Half a minute apart at the longest backoff.
        assert!((100..200).contains(&probes), "{probes} probes in an hour");
        assert!(desk.failing().is_none());
    }

    #[test]
    fn unknown_before_an_outage_is_not_held_against_an_id_after_it() {
        let mut desk = desk();
        desk.request(Millis(0), SchemaId::Number(1));
        let registry = |now, _| match now {
            0..1_000 => Asked::Unknown,
            1_000..60_000 => failed(),
            _ => Asked::Unknown,
        };
        let (_, fates) = drive(&mut desk, 0, u64::MAX, registry);
        assert!(fates[0].0 >= 90_000, "{fates:?}");
    }

    #[test]
    fn an_id_that_always_fails_does_not_hold_up_the_others() {
        let mut desk = desk();
        for id in 0..20 {
            desk.request(Millis(0), SchemaId::Number(id));
        }
        let registry = |_, id| if id == 0 { failed() } else { Asked::Answered };
        let (_, fates) = drive(&mut desk, 0, 5_000, registry);
        assert_eq!(fates.len(), 19);
        assert!(fates.iter().all(|(at, ..)| *at < 1_000), "{fates:?}");
    }

    #[test]
    fn a_flood_of_random_ids_costs_bounded_calls_per_second() {
        let mut desk = desk();
        for id in 0..10_000 {
            desk.request(Millis(0), SchemaId::Number(id));
        }
        let (asks, _) = drive(&mut desk, 0, 60_000, |_, _| Asked::Unknown);
        for second in 0..60 {
            let within = |at: &u64| (second * 1000..(second + 1) * 1000).contains(at);
            let calls = asks.iter().filter(|(at, _)| within(at)).count();
            let burst = if second == 0 { 50 } else { 0 };
            assert!(calls <= 50 + burst, "{calls} calls in second {second}");
        }
        assert!(
            asks.len() > 2_500,
            "the pace is also used: {} asks",
            asks.len()
        );
    }
}
