//! What every topology is doing and why, for `/status`, `/live`, `/ready` and the state metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::ledger::lock;

/// The poll loop counts as stuck after this long without a turn. It turns several times a second whatever the sinks do; the
/// broker would expel the consumer only after `max.poll.interval.ms` (300 s).
pub(super) const POLL_AGE_MAX: Duration = Duration::from_secs(30);

/// What a topology is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyState {
    /// Connecting, looking up topics and schemas, joining the group.
    Starting,
    /// Records flow, or would if there were any.
    Running,
    /// Goes on by itself once the reason is gone (a broker, the registry, a sink).
    Waiting(String),
    /// Needs a person: the reason says what for.
    Stopped(String),
    /// Takes no more records, finishes those in flight.
    Draining,
    /// Done.
    Ended,
}

impl TopologyState {
    /// Names of all states, as `/status` and the label `state` have them.
    pub const NAMES: [&'static str; 6] = [
        "starting", "running", "waiting", "stopped", "draining", "ended",
    ];

    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
            Self::Stopped(_) => "stopped",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Waiting(reason) | Self::Stopped(reason) => Some(reason),
            _ => None,
        }
    }
}

/// All topologies of the process.
#[derive(Debug)]
pub struct StatusBoard {
    started: Instant,
    topologies: Mutex<BTreeMap<String, Arc<TopologyStatus>>>,
}

/// One topology's place on the board. The poll thread beats it, the road says what it is doing.
#[derive(Debug)]
pub struct TopologyStatus {
    started: Instant,
    version: String,
    /// Milliseconds since `started` of the last turn of the poll loop, plus 1; 0 before the first.
    beat_ms: AtomicU64,
    /// Set at the first assignment, an empty one included: a standby is ready too. Never unset: a rebalance is no failure.
    assigned: AtomicBool,
    state: Mutex<TopologyState>,
    /// Why the sources cannot be read, if so.
    source: Mutex<Option<String>>,
    /// By name: `None` is usable, else why not.
    sinks: Mutex<BTreeMap<String, Option<String>>>,
}

impl StatusBoard {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            topologies: Mutex::default(),
        }
    }

    /// The topology's place, made on the first call. `version` is the plan's content hash.
    pub fn topology(&self, id: &str, version: &str) -> Arc<TopologyStatus> {
        let new = || {
            Arc::new(TopologyStatus {
                started: self.started,
                version: version.to_owned(),
                beat_ms: AtomicU64::new(0),
                assigned: AtomicBool::new(false),
                state: Mutex::new(TopologyState::Starting),
                source: Mutex::default(),
                sinks: Mutex::default(),
            })
        };
        lock(&self.topologies)
            .entry(id.to_owned())
            .or_insert_with(new)
            .clone()
    }

    /// Whether every poll loop that should turn does; if not, a sentence per topology that stands still.
    pub fn live(&self) -> Result<(), Vec<String>> {
        self.complaints(|id, topology| {
            let age = topology.poll_age()?;
            (age > POLL_AGE_MAX)
                .then(|| format!("{id}: the poll loop has not turned for {} s", age.as_secs()))
        })
    }

    /// Whether every topology has been assigned its partitions, can read and can deliver; if not, what each lacks. A board without
    /// topologies is not ready.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        if lock(&self.topologies).is_empty() {
            return Err(vec!["no topology has been started".to_owned()]);
        }
        self.complaints(|id, topology| {
            let state = topology.state();
            match &state {
                TopologyState::Ended => return None,
                TopologyState::Stopped(reason) => return Some(format!("{id}: stopped: {reason}")),
                TopologyState::Draining => return Some(format!("{id}: draining")),
                TopologyState::Starting | TopologyState::Running | TopologyState::Waiting(_) => {}
            }
            if !topology.is_assigned() {
                let reason = state
                    .reason()
                    .map(|reason| format!(" ({reason})"))
                    .unwrap_or_default();
                return Some(format!(
                    "{id}: no partitions have been assigned yet{reason}"
                ));
            }
            if let Some(why) = &*lock(&topology.source) {
                return Some(format!("{id}: cannot read: {why}"));
            }
            let sinks = lock(&topology.sinks);
            let unusable: Vec<_> = sinks
                .iter()
                .filter_map(|(sink, why)| Some(format!("{sink} ({})", why.as_ref()?)))
                .collect();
            (!unusable.is_empty()).then(|| format!("{id}: not usable: {}", unusable.join(", ")))
        })
    }

    fn complaints(
        &self,
        complaint: impl Fn(&str, &TopologyStatus) -> Option<String>,
    ) -> Result<(), Vec<String>> {
        let complaints: Vec<_> = self
            .all()
            .iter()
            .filter_map(|(id, topology)| complaint(id, topology))
            .collect();
        if complaints.is_empty() {
            Ok(())
        } else {
            Err(complaints)
        }
    }

    pub(super) fn all(&self) -> Vec<(String, Arc<TopologyStatus>)> {
        lock(&self.topologies)
            .iter()
            .map(|(id, topology)| (id.clone(), topology.clone()))
            .collect()
    }

    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

impl TopologyStatus {
    /// Called by the poll loop at every turn.
    pub fn beat(&self) {
        self.beat_ms.store(
            self.started.elapsed().as_millis() as u64 + 1,
            Ordering::Relaxed,
        );
    }

    /// Says what the topology is doing. At its end the poll loop stops on purpose: its age is forgotten.
    pub fn set_state(&self, state: TopologyState) {
        if state == TopologyState::Ended {
            self.beat_ms.store(0, Ordering::Relaxed);
        }
        *lock(&self.state) = state;
    }

    /// What the topology is doing.
    pub fn state(&self) -> TopologyState {
        lock(&self.state).clone()
    }

    /// Called at the first assignment and at later ones, also when it is empty.
    pub fn set_assigned(&self) {
        self.assigned.store(true, Ordering::Relaxed);
    }

    /// Whether there has been an assignment.
    pub fn is_assigned(&self) -> bool {
        self.assigned.load(Ordering::Relaxed)
    }

    /// Says whether the sources can be read; the error says why not, free of secrets.
    pub fn set_source(&self, usable: Result<(), String>) {
        *lock(&self.source) = usable.err();
    }

    /// Says whether a sink (by route or dead letter topic) takes deliveries; the error says why not, free of secrets.
    pub fn set_sink(&self, sink: &str, usable: Result<(), String>) {
        let mut sinks = lock(&self.sinks);
        match sinks.get_mut(sink) {
            Some(known) => *known = usable.err(),
            None => {
                sinks.insert(sink.to_owned(), usable.err());
            }
        }
    }

    /// Time since the poll loop last turned; `None` before its first turn and after its end.
    pub fn poll_age(&self) -> Option<Duration> {
        let beat_ms = self.beat_ms.load(Ordering::Relaxed).checked_sub(1)?;
        Some(
            self.started
                .elapsed()
                .saturating_sub(Duration::from_millis(beat_ms)),
        )
    }

    pub(super) fn sinks(&self) -> Vec<SinkStatus> {
        let row = |(name, reason): (&String, &Option<String>)| SinkStatus {
            name: name.clone(),
            usable: reason.is_none(),
            reason: reason.clone(),
        };
        lock(&self.sinks).iter().map(row).collect()
    }

    pub(super) fn status(
        &self,
        id: &str,
        partitions: Vec<PartitionStatus>,
        account: super::Account,
    ) -> TopologyReport {
        let state = self.state();
        let [delivered, filtered, dead_lettered, released] = account.disposed;
        TopologyReport {
            id: id.to_owned(),
            version: self.version.clone(),
            state: state.name(),
            reason: state.reason().map(str::to_owned),
            poll_age_seconds: self.poll_age().map(|age| age.as_secs_f64()),
            sinks: self.sinks(),
            account: AccountReport {
                consumed: account.consumed,
                delivered,
                filtered,
                dead_lettered,
                released,
                pending: account.pending,
                balance: account.balance(),
            },
            partitions,
        }
    }
}

/// The body of `/status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Version of the program.
    pub version: &'static str,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
    /// As `/live` answers.
    pub live: bool,
    /// As `/ready` answers.
    pub ready: bool,
    /// Why not live or not ready.
    pub complaints: Vec<String>,
    /// 1 while the schema registry is out of order.
    pub registry_outage: bool,
    /// Every topology, by id.
    pub topologies: Vec<TopologyReport>,
}

/// One topology in `/status`.
#[derive(Clone, Debug, Serialize)]
pub struct TopologyReport {
    id: String,
    version: String,
    state: &'static str,
    reason: Option<String>,
    poll_age_seconds: Option<f64>,
    sinks: Vec<SinkStatus>,
    account: AccountReport,
    partitions: Vec<PartitionStatus>,
}

#[derive(Clone, Debug, Serialize)]
struct AccountReport {
    consumed: u64,
    delivered: u64,
    filtered: u64,
    dead_lettered: u64,
    released: u64,
    pending: u64,
    balance: i64,
}

/// One sink in `/status`.
#[derive(Clone, Debug, Serialize)]
pub struct SinkStatus {
    /// Route, or dead letter topic.
    pub name: String,
    /// Whether it takes deliveries.
    pub usable: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// One owned partition in `/status`.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionStatus {
    /// Source topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Counter of assignments of this partition here.
    pub epoch: u32,
    /// Next offset that the consumer will take.
    pub position: Option<i64>,
    /// Next offset to read, all before it done.
    pub frontier: Option<i64>,
    /// Last offset that the broker confirmed as committed.
    pub committed: Option<i64>,
    /// Offsets between the frontier and the end.
    pub lag_records: Option<i64>,
    /// Age of the oldest record that is not done.
    pub lag_seconds: Option<f64>,
    /// Records consumed and not done.
    pub pending: u64,
    /// Why it is paused; empty when it flows.
    pub paused: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A board that has been up for `seconds`.
    fn board(seconds: u64) -> StatusBoard {
        let started = Instant::now()
            .checked_sub(Duration::from_secs(seconds))
            .unwrap();
        StatusBoard {
            started,
            topologies: Mutex::default(),
        }
    }

    #[test]
    fn a_poll_loop_that_does_not_turn_is_not_live_unless_it_has_ended() {
        let board = board(3_600);
        let topology = board.topology("orders", "ab12");
        assert!(board.live().is_ok(), "it has not begun");
        topology.beat();
        assert!(board.live().is_ok());
        topology.beat_ms.store(1, Ordering::Relaxed);
        for state in [
            TopologyState::Running,
            TopologyState::Stopped("poison".to_owned()),
            TopologyState::Draining,
        ] {
            topology.set_state(state);
            let complaints = board.live().unwrap_err();
            assert_eq!(
                complaints,
                ["orders: the poll loop has not turned for 3600 s"]
            );
        }
        topology.set_state(TopologyState::Ended);
        assert!(board.live().is_ok());
        // It ended because it failed.
        topology.set_state(TopologyState::Stopped("no such group".to_owned()));
        assert!(board.live().is_ok());
        assert!(board.ready().is_err());
    }

    #[test]
    fn a_sink_that_comes_back_makes_the_worker_ready_again() {
        let board = board(1);
        let topology = board.topology("orders", "ab12");
        topology.set_assigned();
        topology.set_sink("orders.big", Err("the topic does not exist".to_owned()));
        assert_eq!(
            board.ready().unwrap_err(),
            ["orders: not usable: orders.big (the topic does not exist)"]
        );
        topology.set_sink("orders.big", Ok(()));
        assert!(board.ready().is_ok());
    }

    #[test]
    fn sources_that_cannot_be_read_are_not_ready_until_they_can_and_a_standby_is() {
        let board = board(1);
        let topology = board.topology("orders", "ab12");
        let why = "broker_unreachable: refused";
        topology.set_state(TopologyState::Waiting(why.to_owned()));
        topology.set_source(Err(why.to_owned()));
        let unassigned = format!("orders: no partitions have been assigned yet ({why})");
        assert_eq!(board.ready().unwrap_err(), [unassigned]);
        topology.set_assigned();
        assert_eq!(
            board.ready().unwrap_err(),
            [format!("orders: cannot read: {why}")]
        );
        topology.set_source(Ok(()));
        assert!(
            board.ready().is_ok(),
            "what single partitions wait for leaves the others"
        );
    }
}
