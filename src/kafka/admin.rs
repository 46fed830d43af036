//! What a cluster says about topics, and topics created for tools and tests. Blocking, each call with a deadline.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys::rd_kafka_resp_err_t as code;

use super::conf::Properties;
use super::error::{ClientError, KafkaError};

/// A client for questions about a cluster.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
}

/// A topic as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// Number of partitions.
    pub partitions: i32,
    /// Partitions that have no leader now.
    pub leaderless: i32,
}

impl Admin {
    /// Creates a client. Properties that only consumers or producers know are accepted.
    pub fn new(properties: &Properties) -> Result<Admin, ClientError> {
        // Checks every property, and learns which values are secret.
        drop(properties.conf()?);
        let mut config = ClientConfig::new();
        for (name, value) in properties.iter() {
            config.set(name, value);
        }
        // The client behind it is a producer, to which the library allows to create the topics that it asks about.
        config.set("allow.auto.create.topics", "false");
        let client = config
            .create()
            .map_err(|error| failed("create a Kafka client", &error))?;
        Ok(Admin { client })
    }

    /// A topic's partitions, or an error whose code says that it does not exist or may not be seen.
    pub fn topic(&self, name: &str, timeout: Duration) -> Result<TopicState, ClientError> {
        let attempted = || format!("look up topic {name}");
        let metadata = self
            .client
            .inner()
            .fetch_metadata(Some(name), timeout)
            .map_err(|error| failed(attempted(), &error))?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Err(ClientError::new(
                attempted(),
                code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            ));
        };
        if let Some(error) = topic.error() {
            return Err(ClientError::new(attempted(), error));
        }
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        Ok(TopicState {
            partitions: count(topic.partitions().len()),
            leaderless: count(
                topic
                    .partitions()
                    .iter()
                    .filter(|partition| partition.leader() < 0)
                    .count(),
            ),
        })
    }

    /// One setting of each of several topics, such as `max.message.bytes`: the value, or why it is not known.
    pub fn topic_settings(
        &self,
        topics: &[&str],
        setting: &str,
        timeout: Duration,
    ) -> Result<Vec<Result<Option<String>, KafkaError>>, ClientError> {
        let attempted = || format!("read {setting} of {} topics", topics.len());
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let resources: Vec<_> = topics
            .iter()
            .map(|topic| ResourceSpecifier::Topic(topic))
            .collect();
        let options = AdminOptions::new().request_timeout(Some(timeout));
        let answer = block_on(self.client.describe_configs(&resources, &options), timeout)
            .ok_or_else(|| ClientError::new(attempted(), code::RD_KAFKA_RESP_ERR__TIMED_OUT))?
            .map_err(|error| failed(attempted(), &error))?;
        Ok(answer
            .into_iter()
            .map(|resource| match resource {
                Ok(resource) => Ok(resource.get(setting).and_then(|entry| entry.value.clone())),
                Err(error) => Err(KafkaError(error as i32)),
            })
            .collect())
    }

    /// Creates a topic with the cluster's defaults otherwise. One that exists already is an error with the code TOPIC_ALREADY_EXISTS.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let attempted = || format!("create topic {name}");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        for (setting, value) in settings {
            topic = topic.set(setting, value);
        }
        let options = AdminOptions::new()
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout));
        let answer = block_on(self.client.create_topics([&topic], &options), timeout)
            .ok_or_else(|| ClientError::new(attempted(), code::RD_KAFKA_RESP_ERR__TIMED_OUT))?
            .map_err(|error| failed(attempted(), &error))?;
        match answer.into_iter().next() {
            Some(Ok(_)) => Ok(()),
            Some(Err((_, error))) => Err(ClientError::new(attempted(), KafkaError(error as i32))),
            None => Err(ClientError::new(attempted(), code::RD_KAFKA_RESP_ERR__FAIL)),
        }
    }
}

/// Whether the error says that the topic is there already.
pub fn is_already_there(error: &ClientError) -> bool {
    error.error.is(code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
}

fn failed(attempted: impl Into<String>, error: &rdkafka::error::KafkaError) -> ClientError {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
    ClientError {
        attempted: attempted.into(),
        error: KafkaError(code as i32),
        detail: error.to_string(),
    }
}

/// Waits for a future of the library's own threads: it needs no runtime, and may be called on a runtime's thread that may block.
fn block_on<T>(future: impl Future<Output = T>, timeout: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let deadline = Instant::now() + timeout;
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(answer);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
