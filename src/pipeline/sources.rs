//! What is known of the cluster that the sources are read from: whether it answers, has their topics, and where partitions end that
//! are paused. The client library knows an end from the answers to its fetches, and fetches little of a partition that nobody reads.
//!
//! The client library tells of every broken connection, and goes on by itself; of a connection that is well again it tells nothing, and an
//! idle topology has no records to show it. So its errors are only a reason to ask: a watcher thread asks the cluster for the topics, with the
//! consumer's own connections, when an error is told and now and again. A broker that restarts while others answer is no trouble.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::messages::Clock;
use crate::core::{Millis, Tp};
use crate::kafka::classify::{self, Reach};
use crate::kafka::{ConsumerHandle, KafkaError};
use crate::topology::plan::Plan;

/// Longest wait for the answer about one topic.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// Between two looks while something is wrong.
const INTERVAL_TROUBLED: Millis = Millis(500);

/// Between two looks otherwise: the cluster may fall silent without any error.
const INTERVAL: Millis = Millis(30_000);

/// Between two rounds of questions for the ends of partitions that are paused, and how long a round goes on.
const ENDS_INTERVAL: Millis = Millis(3_000);
const ENDS_TIMEOUT: Duration = Duration::from_secs(3);

/// Trouble is shown when every look has found it for so long. A reconnect, a new leader or the restart of a single broker is over
/// before; whoever is called for it could do nothing.
const SHOWN_AFTER: Millis = Millis(5_000);

/// The cause that was told last speaks for the silence of the cluster for so long. A refused login is told again within this time.
const CAUSE_AGE_MAX: Millis = Millis(60_000);

/// An error of the consumer, as it was told.
struct Heard {
    error: KafkaError,
    detail: String,
}

#[derive(Debug, Default)]
struct Shared {
    trouble: Mutex<Option<String>>,
    /// Partitions that are paused, with their ends when they were asked for last.
    ends: Mutex<BTreeMap<Tp, Option<i64>>>,
    /// Counts what only a cluster that answers can have sent.
    signs_of_life: AtomicU64,
}

/// The consumer thread's side. The watcher ends with it.
pub(super) struct Sources {
    shared: Arc<Shared>,
    heard: Sender<Heard>,
}

impl Sources {
    /// Why the sources cannot be read, beginning with a reason code; `None` if they can, as far as is known.
    pub fn trouble(&self) -> Option<String> {
        locked(&self.shared.trouble).clone()
    }

    /// The consumer has told an error, in these words.
    pub fn tell(&self, error: KafkaError, detail: &str) {
        let detail = detail.to_owned();
        // A watcher that is gone has nobody to tell any more.
        let _ = self.heard.send(Heard { error, detail });
    }

    /// These partitions, and no others, are paused.
    pub fn set_paused(&self, paused: &[Tp]) {
        let mut ends = locked(&self.shared.ends);
        ends.retain(|at, _| paused.contains(at));
        for &at in paused {
            ends.entry(at).or_default();
        }
    }

    /// The end of a paused partition, if it is known.
    pub fn end(&self, at: Tp) -> Option<i64> {
        locked(&self.shared.ends).get(&at).copied().flatten()
    }

    /// Records or an answer have come: the cluster is there, whatever becomes of the watcher's question meanwhile.
    pub fn note_life(&self) {
        self.shared.signs_of_life.fetch_add(1, Ordering::Relaxed);
    }
}

/// Nothing that is held under these locks can be left half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the cluster of the sources.
pub(super) struct SourcesWatcher {
    plan: Arc<Plan>,
    handle: ConsumerHandle,
    clock: Clock,
    shared: Arc<Shared>,
    heard: Receiver<Heard>,
    findings: Findings,
    /// The partition whose end was asked for last.
    asked: Option<Tp>,
}

/// What a look has found.
#[derive(Debug)]
enum Looked {
    Well,
    /// The cluster has not answered, and something came of it meanwhile, which may have been fetched before: no trouble yet, and to be
    /// looked at again soon.
    Lived,
    /// The cluster has not answered. The reason code, and the text.
    Silent(&'static str, String),
    /// The cluster has answered, and there is something about these topics.
    Topics(Vec<String>),
}

impl SourcesWatcher {
    /// The two sides.
    pub fn new(plan: Arc<Plan>, handle: ConsumerHandle, clock: Clock) -> (Sources, SourcesWatcher) {
        let shared = Arc::<Shared>::default();
        let (sender, heard) = channel();
        let sources = Sources {
            shared: shared.clone(),
            heard: sender,
        };
        let watcher = SourcesWatcher {
            plan,
            handle,
            clock,
            shared,
            heard,
            findings: Findings::default(),
            asked: None,
        };
        (sources, watcher)
    }

    /// Looks until the other side is gone.
    pub fn run(mut self) {
        let mut due = self.clock.now();
        let mut ends_due = due;
        let mut is_well = false;
        loop {
            if self.clock.now() >= ends_due {
                // A cluster that does not answer is a matter for the looks.
                if is_well {
                    self.ask_ends();
                }
                ends_due = Millis(self.clock.now().0 + ENDS_INTERVAL.0);
            }
            let left = due.min(ends_due).0.saturating_sub(self.clock.now().0);
            match self.heard.recv_timeout(Duration::from_millis(left)) {
                Ok(heard) => {
                    let now = self.clock.now();
                    self.findings.heard(now, heard.error, heard.detail);
                    due = due.min(Millis(now.0 + INTERVAL_TROUBLED.0));
                    continue;
                }
                Err(RecvTimeoutError::Timeout) if self.clock.now() < due => continue,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            is_well = self.look();
            let interval = if is_well { INTERVAL } else { INTERVAL_TROUBLED };
            due = Millis(self.clock.now().0 + interval.0);
        }
    }

    /// Asks for the ends of the partitions that are paused, going on where the last round stopped.
    fn ask_ends(&mut self) {
        let mut paused: Vec<Tp> = locked(&self.shared.ends).keys().copied().collect();
        let asked = paused.partition_point(|at| Some(*at) <= self.asked);
        paused.rotate_left(asked);
        let began = Instant::now();
        for at in paused {
            let Some(left) = ENDS_TIMEOUT.checked_sub(began.elapsed()) else {
                return;
            };
            self.asked = Some(at);
            // One that has no answer, for want of a leader say, keeps its last end.
            if let Ok(marks) = self.handle.query_watermarks(at, left)
                && let Some(end) = locked(&self.shared.ends).get_mut(&at)
            {
                *end = Some(marks.high);
            }
        }
    }

    /// Asks once for every topic, and takes note of the answers; true if all is well.
    fn look(&mut self) -> bool {
        let began = self.clock.now();
        let signs_before = self.shared.signs_of_life.load(Ordering::Relaxed);
        let mut looked = self.ask();
        let has_lived = self.shared.signs_of_life.load(Ordering::Relaxed) != signs_before;
        if matches!(looked, Looked::Silent(..)) && has_lived {
            looked = Looked::Lived;
        }
        let is_well = matches!(looked, Looked::Well);
        let trouble = self.findings.found(began, self.clock.now(), looked);
        let mut shown = locked(&self.shared.trouble);
        let (topology, connection) = (&self.plan.id, &self.plan.connection);
        match (&*shown, &trouble) {
            (None, Some(why)) => {
                tracing::warn!(
                    topology,
                    connection,
                    why,
                    "the sources cannot be read; tried again until they can"
                );
            }
            (Some(_), None) => {
                tracing::info!(topology, connection, "the sources can be read again");
            }
            _ => {}
        }
        *shown = trouble;
        is_well
    }

    fn ask(&self) -> Looked {
        let mut troubles = Vec::new();
        for (index, source) in self.plan.sources.iter().enumerate() {
            let Err(error) = self.handle.partition_count(index as u16, ASK_TIMEOUT) else {
                continue;
            };
            match classify::reach(error.error) {
                (Reach::Away | Reach::Shut, reason) => {
                    return Looked::Silent(reason, error.to_string());
                }
                (Reach::There, "unknown_topic") => {
                    let topic = &source.topic;
                    troubles.push(format!(
                        "unknown_topic: create topic {topic}; nothing is read of it until it exists"
                    ));
                }
                (Reach::There, "topic_not_authorized") => {
                    troubles.push(topic_not_authorized(&source.topic));
                }
                (Reach::There, reason) => troubles.push(format!("{reason}: {error}")),
            }
        }
        match troubles.is_empty() {
            true => Looked::Well,
            false => Looked::Topics(troubles),
        }
    }
}

/// What to grant on a source.
pub(super) fn topic_not_authorized(topic: &str) -> String {
    format!("topic_not_authorized: grant DESCRIBE and READ on topic {topic}")
}

/// Why a connection failed, as it was told.
#[derive(Debug)]
struct Cause {
    reach: Reach,
    reason: &'static str,
    detail: String,
    at: Millis,
}

/// What looks have found since the last one that was well, and what was told meanwhile.
#[derive(Debug, Default)]
struct Findings {
    /// When the first of the looks that found trouble began.
    since: Option<Millis>,
    cause: Option<Cause>,
}

impl Findings {
    /// Keeps the error if it says why no broker is reached. A refused login outranks the broken connection that follows from it.
    fn heard(&mut self, now: Millis, error: KafkaError, detail: String) {
        let (reach, reason) = classify::reach(error);
        if reach == Reach::There {
            return;
        }
        let is_outranked = self.cause.as_ref().is_some_and(|known| {
            let is_fresh = now.0.saturating_sub(known.at.0) < CAUSE_AGE_MAX.0;
            // How many are away says less than why one of them is.
            is_fresh && (known.reach > reach || classify::is_summary(error))
        });
        if !is_outranked {
            self.cause = Some(Cause {
                reach,
                reason,
                detail,
                at: now,
            });
        }
    }

    /// Takes note of a look; the trouble to be shown, if any.
    fn found(&mut self, began: Millis, ended: Millis, looked: Looked) -> Option<String> {
        let text = match looked {
            Looked::Well => {
                *self = Findings::default();
                return None;
            }
            Looked::Lived => {
                self.since = None;
                return None;
            }
            Looked::Topics(troubles) => troubles.join("; "),
            Looked::Silent(reason, text) => {
                let cause = self.cause.as_ref();
                let told = cause.map(|cause| format!("{}: {}", cause.reason, cause.detail));
                told.unwrap_or_else(|| format!("{reason}: {text}"))
            }
        };
        let since = *self.since.get_or_insert(began);
        (ended.0.saturating_sub(since.0) >= SHOWN_AFTER.0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use rdkafka_sys::rd_kafka_resp_err_t as code;

    use super::*;

    const REFUSED: &str = "b1:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused";

    fn silent() -> Looked {
        Looked::Silent("broker_unreachable", "look up the partitions".to_owned())
    }

    fn hear(findings: &mut Findings, at: u64, code: code, detail: &str) {
        findings.heard(Millis(at), code.into(), detail.to_owned());
    }

    #[test]
    fn trouble_is_shown_when_all_looks_of_five_seconds_have_found_it() {
        let mut findings = Findings::default();
        let mut look = |at, looked| findings.found(Millis(at), Millis(at + 3_000), looked);
        assert_eq!(look(0, silent()), None, "a reconnect");
        assert_eq!(look(3_500, Looked::Well), None);
        assert_eq!(look(10_000, silent()), None, "it begins anew");
        let shown = look(13_500, silent());
        assert_eq!(
            shown.as_deref(),
            Some("broker_unreachable: look up the partitions")
        );
        assert_eq!(look(17_000, Looked::Well), None, "gone with one answer");
    }

    #[test]
    fn what_was_fetched_before_an_outage_is_no_answer() {
        let mut findings = Findings::default();
        let told = code::RD_KAFKA_RESP_ERR__TRANSPORT;
        hear(&mut findings, 0, told, REFUSED);
        assert_eq!(
            findings.found(Millis(0), Millis(3_000), Looked::Lived),
            None
        );
        assert_eq!(findings.found(Millis(3_500), Millis(6_500), silent()), None);
        let shown = findings.found(Millis(7_000), Millis(10_000), silent());
        let why = shown.expect("silent for more than five seconds");
        assert!(why.ends_with(REFUSED), "the cause is remembered: {why}");
    }

    #[test]
    fn an_answer_about_a_topic_is_shown_as_it_is() {
        let mut findings = Findings::default();
        hear(
            &mut findings,
            0,
            code::RD_KAFKA_RESP_ERR__TRANSPORT,
            REFUSED,
        );
        let topics = || Looked::Topics(vec!["unknown_topic: a".into(), "unknown_topic: b".into()]);
        assert_eq!(findings.found(Millis(0), Millis(10), topics()), None);
        assert_eq!(
            findings
                .found(Millis(5_000), Millis(5_010), topics())
                .as_deref(),
            Some("unknown_topic: a; unknown_topic: b")
        );
    }

    #[test]
    fn silence_is_shown_with_the_most_telling_cause() {
        let shown = |findings: &mut Findings| findings.found(Millis(0), Millis(9_000), silent());
        let mut findings = Findings::default();
        // Says nothing of the cluster being away.
        hear(
            &mut findings,
            0,
            code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            "moved",
        );
        let all_down = code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
        hear(&mut findings, 0, all_down, "1/1 brokers are down");
        assert_eq!(
            shown(&mut findings).unwrap(),
            "broker_unreachable: 1/1 brokers are down"
        );
        hear(
            &mut findings,
            1,
            code::RD_KAFKA_RESP_ERR__TRANSPORT,
            REFUSED,
        );
        hear(&mut findings, 2, all_down, "1/1 brokers are down");
        let refused = format!("broker_unreachable: {REFUSED}");
        assert_eq!(shown(&mut findings).unwrap(), refused);
        hear(
            &mut findings,
            3,
            code::RD_KAFKA_RESP_ERR__AUTHENTICATION,
            "no such user",
        );
        hear(
            &mut findings,
            4,
            code::RD_KAFKA_RESP_ERR__TRANSPORT,
            REFUSED,
        );
        hear(&mut findings, 5, all_down, "1/1 brokers are down");
        assert_eq!(
            shown(&mut findings).unwrap(),
            "authentication_failed: no such user"
        );
        // It is not told any more: by now the broker is away.
        let later = 4 + CAUSE_AGE_MAX.0;
        hear(
            &mut findings,
            later,
            code::RD_KAFKA_RESP_ERR__TRANSPORT,
            REFUSED,
        );
        assert_eq!(shown(&mut findings).unwrap(), refused);
        assert_eq!(
            findings.found(Millis(later), Millis(later), Looked::Well),
            None
        );
        assert!(
            findings.cause.is_none(),
            "what was before an answer explains nothing after it"
        );
    }
}
