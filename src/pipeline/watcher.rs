//! The topics watcher: asks the clusters what the output topics can take, at the start and then now and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::topics::Topics;
use crate::kafka::admin::Admin;
use crate::kafka::{ClientError, KafkaError, classify};
use crate::telemetry::TopologyStatus;
use crate::topology::plan::Plan;

/// Longest wait for what is read at the start.
const START_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for one answer later.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks while something is wrong.
const INTERVAL_TROUBLED: Duration = Duration::from_millis(500);

/// Between two looks otherwise.
const INTERVAL: Duration = Duration::from_secs(30);

/// Between two looks at size limits.
const LIMITS_INTERVAL: Duration = Duration::from_secs(300);

pub(super) struct Watcher {
    plan: Arc<Plan>,
    topics: Arc<Topics>,
    status: Arc<TopologyStatus>,
    admins: BTreeMap<String, Admin>,
    limits_at: Option<Instant>,
}

impl Watcher {
    pub fn new(
        plan: Arc<Plan>,
        topics: Arc<Topics>,
        status: Arc<TopologyStatus>,
        admins: BTreeMap<String, Admin>,
    ) -> Watcher {
        Watcher {
            plan,
            topics,
            status,
            admins,
            limits_at: None,
        }
    }

    /// The first look, before the producers are made. Never fails: what is not known holds lanes up later.
    pub fn begin(&mut self) {
        self.read_limits(START_TIMEOUT);
        self.look(START_TIMEOUT);
    }

    /// Looks until the other end of `stop` is gone.
    pub fn run(mut self, stop: Receiver<()>) {
        let mut is_well = self.look(ASK_TIMEOUT);
        let mut looked_at = Instant::now();
        loop {
            match stop.recv_timeout(INTERVAL_TROUBLED) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            // A pipeline thread notes trouble too, and waits until it was looked at here.
            if is_well && !self.topics.has_trouble() && looked_at.elapsed() < INTERVAL {
                continue;
            }
            if self
                .limits_at
                .is_none_or(|at| at.elapsed() > LIMITS_INTERVAL)
            {
                self.read_limits(ASK_TIMEOUT);
            }
            is_well = self.look(ASK_TIMEOUT);
            looked_at = Instant::now();
        }
    }

    /// Looks every topic up; true if all can be written to.
    fn look(&self, timeout: Duration) -> bool {
        let mut is_well = true;
        // Asked once: each further topic of a cluster that is away would take the timeout again.
        let mut away: BTreeMap<&str, String> = BTreeMap::new();
        for (index, topic) in self.plan.topics.iter().enumerate() {
            let index = index as u16;
            let answer = match away.get(topic.connection.as_str()) {
                Some(why) => Err(Err(why.clone())),
                None => self.admins[&topic.connection]
                    .topic(&topic.topic, timeout)
                    .map_err(Ok),
            };
            let usable = match answer {
                Ok(state) => {
                    self.topics.found(index, state.partitions);
                    Ok(())
                }
                Err(Err(why)) => Err(why),
                Err(Ok(error)) => {
                    let (class, reason) = classify::produce(error.error);
                    // An unreachable cluster says nothing about the topic: the producer waits for it by itself.
                    if class == classify::Class::Topic {
                        let before = self.topics.trouble(index);
                        let why = format!("{reason}: {}", advice(&topic.topic, reason));
                        if before.as_deref() != Some(&why) {
                            tracing::warn!(topology = self.plan.id, topic = topic.topic, reason, %error, "an output topic cannot be used");
                        }
                        self.topics.set_trouble(index, Some(why.clone()));
                        Err(why)
                    } else {
                        let why = format!("{reason}: {error}");
                        // The library's own codes: nobody answered at all.
                        if error.error.code() < 0 {
                            away.insert(&topic.connection, why.clone());
                        }
                        Err(why)
                    }
                }
            };
            is_well &= usable.is_ok();
            self.status.set_sink(&topic.topic, usable);
        }
        is_well
    }

    fn read_limits(&mut self, timeout: Duration) {
        for (connection, admin) in &self.admins {
            let of_connection: Vec<(u16, &str)> = self
                .plan
                .topics
                .iter()
                .enumerate()
                .filter(|(_, topic)| topic.connection == *connection)
                .map(|(index, topic)| (index as u16, topic.topic.as_str()))
                .collect();
            let names: Vec<&str> = of_connection.iter().map(|(_, name)| *name).collect();
            let answers = admin.topic_settings(&names, "max.message.bytes", timeout);
            match answers {
                Ok(answers) => {
                    for ((index, name), answer) in of_connection.iter().zip(answers) {
                        self.note_limit(*index, name, answer);
                    }
                }
                Err(error) => self.tell_unknown(connection, &error),
            }
        }
        self.limits_at = Some(Instant::now());
    }

    fn note_limit(&self, index: u16, topic: &str, answer: Result<Option<String>, KafkaError>) {
        let held = self.topics.bytes_max(index);
        match answer
            .as_ref()
            .map(|value| value.as_deref().map(str::parse::<u32>))
        {
            Ok(Some(Ok(bytes_max))) => self.topics.limit(index, bytes_max),
            // A topic that is missing or forbidden has no settings; the crate keeps the broker's reason to itself.
            Ok(_) => tracing::warn!(
                topic,
                held,
                help = format!("if the topic exists: grant DESCRIBE_CONFIGS on topic {topic}"),
                "the topic's max.message.bytes was not told: the configured limit holds"
            ),
            Err(error) => {
                tracing::warn!(topic, held, %error, "the topic's max.message.bytes could not be read: the configured limit holds");
            }
        }
    }

    fn tell_unknown(&self, connection: &str, error: &ClientError) {
        if self.limits_at.is_none() {
            tracing::warn!(
                topology = self.plan.id, connection, %error,
                "the size limits of the output topics could not be read: the configured limit (limits.output_record_bytes) holds"
            );
        }
    }
}

fn advice(topic: &str, reason: &str) -> String {
    match reason {
        "unknown_topic" => format!("create topic {topic}; records wait until it exists"),
        "topic_not_authorized" => {
            format!("grant DESCRIBE and WRITE on topic {topic}; records wait until then")
        }
        _ => format!("look at topic {topic}; records wait"),
    }
}
