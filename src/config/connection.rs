//! A Kafka cluster, and the explicit librdkafka properties of each kind of client that talks to it.
//!
//! Every property we rely on is set, even where it equals the library's default. What would break a promise is fixed
//! (see [`super::promise`]); the rest may be overridden by configuration.

use super::librdkafka::{self, Scope};
use super::secret::Secret;
use super::types::Limits;

/// A named Kafka cluster. `Debug` leaves secret values out.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The name: `main`, or that of `kafka.connections.NAME`.
    pub name: String,
    /// Bootstrap servers, `host:port,host:port`.
    pub brokers: String,
    /// Further librdkafka properties, as configured: known names, aliases replaced, references resolved.
    pub properties: Vec<Property>,
    /// Whether the consumer group protocol of KIP-848 was asked for against our advice.
    pub consumer_protocol: bool,
}

/// One librdkafka property.
#[derive(Clone)]
pub struct Property {
    /// librdkafka's name, such as `linger.ms`.
    pub name: String,
    /// The value; behind [`Secret`] because some are.
    pub value: Secret,
    /// Whether the value is a secret, and must not be shown.
    pub secret: bool,
}

impl Property {
    /// A property whose value may be shown.
    pub fn plain(name: &str, value: impl Into<String>) -> Property {
        Property {
            name: name.to_owned(),
            value: Secret::new(value),
            secret: false,
        }
    }

    /// The value for people: `<hidden>` if it is a secret.
    pub fn shown(&self) -> &str {
        if self.secret {
            super::load::HIDDEN
        } else {
            self.value.expose()
        }
    }
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.name, self.shown())
    }
}

/// What a client is for; decides its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'a> {
    /// The consumer of a topology, in the group of that name.
    Consumer {
        /// `group.id`.
        group: &'a str,
        /// Partitions of its sources: each has a queue of its own.
        partitions: u64,
    },
    /// The producer of a topology, or of dead letters on another cluster.
    Producer,
    /// Topic settings, offsets, ACLs.
    Admin,
    /// The reader of an operator's command: no commits, not a member of any group.
    Tool,
}

impl Connection {
    /// The complete, explicit properties of a client; each name once. Sizes and times come from `limits`.
    ///
    /// A producer gets no `batch.size`: its owner sets that and `message.max.bytes` from the limits of its topics.
    pub fn client(&self, role: Role, limits: &Limits) -> Vec<Property> {
        let mut list = Properties(Vec::new());
        list.set("bootstrap.servers", &self.brokers);
        for (name, value) in COMMON {
            list.set(name, value);
        }
        let scope = match role {
            Role::Consumer { group, partitions } => {
                list.set("group.id", group);
                consumer(&mut list, limits, partitions);
                list.set("session.timeout.ms", "45000");
                list.set("max.poll.interval.ms", "300000");
                list.set("partition.assignment.strategy", "cooperative-sticky");
                list.set("group.protocol", "classic");
                Scope::Consumer
            }
            Role::Producer => {
                producer(&mut list, limits);
                Scope::Producer
            }
            Role::Admin => Scope::Any,
            Role::Tool => {
                // librdkafka wants a group.id of every consumer that assigns partitions; nothing is committed to it.
                list.set("group.id", "lockgate-tool");
                // All partitions come through one queue.
                consumer(&mut list, limits, 1);
                Scope::Consumer
            }
        };
        for property in &self.properties {
            let of_property = librdkafka::scope(&property.name);
            if of_property == Some(Scope::Any) || of_property == Some(scope) {
                list.put(property.clone());
            }
        }
        if self.consumer_protocol && matches!(role, Role::Consumer { .. }) {
            // The broker decides these three under KIP-848, and librdkafka refuses them.
            list.0.retain(|property| {
                !matches!(
                    &*property.name,
                    "partition.assignment.strategy"
                        | "session.timeout.ms"
                        | "heartbeat.interval.ms"
                )
            });
        }
        list.0
    }
}

/// Of every client.
const COMMON: &[(&str, &str)] = &[
    ("client.id", "lockgate"),
    ("socket.keepalive.enable", "true"),
    ("allow.auto.create.topics", "false"),
    ("enable.ssl.certificate.verification", "true"),
    ("ssl.endpoint.identification.algorithm", "https"),
    // A bound on what one answer may make us allocate, zstd's inflated size included.
    ("receive.message.max.bytes", "67108864"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "10000"),
];

/// KiB of one partition in one answer. Small, so that records are still in the caches when their turn comes, and little lies fetched:
/// docs/PERFORMANCE.md. Smaller ones cost more answers.
const FETCH_KIB: std::ops::RangeInclusive<u64> = 16..=256;

/// A queue is full of records of this size: smaller ones cost more to keep than they are long.
const FETCH_RECORD_BYTES: u64 = 128;
const FETCH_RECORDS_MAX: u64 = 40_000;

/// `partitions` share what may be fetched ahead: the library fetches for a queue until it is full, and then one answer more can come.
fn consumer(list: &mut Properties, limits: &Limits, partitions: u64) {
    let share = limits.fetch_queue_bytes / 1024 / partitions.max(1);
    let fetch = (share / 2).clamp(*FETCH_KIB.start(), *FETCH_KIB.end());
    let queue = share.saturating_sub(fetch).max(fetch);
    let records = (queue * 1024 / FETCH_RECORD_BYTES).min(FETCH_RECORDS_MAX);
    for (name, value) in [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "false"),
        ("check.crcs", "true"),
        // How soon a topic that was created, granted or widened is noticed; the library's 5 minutes are an outage.
        ("topic.metadata.refresh.interval.ms", "15000"),
        ("queued.min.messages", &records.to_string()),
        ("queued.max.messages.kbytes", &queue.to_string()),
        ("fetch.message.max.bytes", &(fetch * 1024).to_string()),
        // One answer of one broker.
        ("fetch.max.bytes", "8388608"),
        // A fetch that waits for idle partitions is not woken when the queue of a busy one has room again: with 50 ms a single busy
        // partition of 64 was read at half the speed.
        ("fetch.wait.max.ms", "10"),
        // The library's 1 000 ms would leave a partition idle that long each time its queue was full.
        ("fetch.queue.backoff.ms", "10"),
    ] {
        list.set(name, value);
    }
}

fn producer(list: &mut Properties, limits: &Limits) {
    for (name, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "5"),
        ("retries", "2147483647"),
        // Never given up by the client: a record that timed out may still arrive, and order would be lost.
        ("message.timeout.ms", "0"),
        ("partitioner", "murmur2_random"),
        ("enable.gapless.guarantee", "false"),
        ("delivery.report.only.error", "false"),
        ("compression.type", "lz4"),
        ("batch.num.messages", "10000"),
        ("queue.buffering.max.messages", "100000"),
    ] {
        list.set(name, value);
    }
    list.set("linger.ms", &limits.linger_ms.to_string());
    let kilobytes = (limits.producer_queue_bytes / 1024).max(1);
    list.set("queue.buffering.max.kbytes", &kilobytes.to_string());
}

/// Properties under construction; a later value replaces an earlier one in its place.
struct Properties(Vec<Property>);

impl Properties {
    fn set(&mut self, name: &str, value: &str) {
        self.put(Property::plain(name, value));
    }

    fn put(&mut self, property: Property) {
        match self.0.iter_mut().find(|known| known.name == property.name) {
            Some(known) => *known = property,
            None => self.0.push(property),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(list: &'a [Property], name: &str) -> Option<&'a str> {
        list.iter()
            .find(|property| property.name == name)
            .map(|property| property.value.expose())
    }

    fn connection(properties: Vec<Property>) -> Connection {
        Connection {
            name: "main".into(),
            brokers: "localhost:9092".into(),
            properties,
            consumer_protocol: false,
        }
    }

    const CONSUMER: Role = Role::Consumer {
        group: "g",
        partitions: 16,
    };

    fn roles() -> [Role<'static>; 4] {
        [CONSUMER, Role::Producer, Role::Admin, Role::Tool]
    }

    #[test]
    fn every_property_exists_is_of_the_right_scope_and_comes_once() {
        for role in roles() {
            let list = connection(Vec::new()).client(role, &Limits::default());
            for property in &list {
                let scope = librdkafka::scope(&property.name);
                assert!(scope.is_some(), "{role:?}: {}", property.name);
                let foreign = match role {
                    Role::Producer => Scope::Consumer,
                    _ => Scope::Producer,
                };
                assert_ne!(scope, Some(foreign), "{role:?}: {}", property.name);
                assert_eq!(librdkafka::canonical(&property.name), property.name);
            }
            let mut names: Vec<_> = list.iter().map(|property| &property.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), list.len(), "{role:?}");
        }
    }

    #[test]
    fn the_client_library_accepts_the_properties_of_every_role() {
        for role in roles() {
            let mut config = rdkafka::ClientConfig::new();
            for property in connection(Vec::new()).client(role, &Limits::default()) {
                config.set(&property.name, property.value.expose());
            }
            config
                .create_native_config()
                .unwrap_or_else(|error| panic!("{role:?}: {error}"));
        }
    }

    #[test]
    fn a_configured_property_replaces_ours_and_reaches_only_its_scope() {
        let connection = connection(vec![
            Property::plain("linger.ms", "50"),
            Property::plain("fetch.min.bytes", "1000"),
            Property::plain("socket.timeout.ms", "9000"),
        ]);
        let limits = Limits::default();
        let producer = connection.client(Role::Producer, &limits);
        assert_eq!(value(&producer, "linger.ms"), Some("50"));
        assert_eq!(value(&producer, "fetch.min.bytes"), None);
        assert_eq!(value(&producer, "socket.timeout.ms"), Some("9000"));
        let consumer = connection.client(CONSUMER, &limits);
        assert_eq!(value(&consumer, "linger.ms"), None);
        assert_eq!(value(&consumer, "fetch.min.bytes"), Some("1000"));
    }

    #[test]
    fn partitions_share_what_is_fetched_ahead() {
        let limits = Limits::default();
        let number = |partitions, name: &str| -> u64 {
            let group = "g";
            let list = connection(Vec::new()).client(Role::Consumer { group, partitions }, &limits);
            value(&list, name).unwrap().parse().unwrap()
        };
        for partitions in [0, 1, 3, 16, 64, 250] {
            let each = number(partitions, "queued.max.messages.kbytes") * 1024
                + number(partitions, "fetch.message.max.bytes");
            let all = each * partitions.max(1);
            assert!(all <= limits.fetch_queue_bytes, "{partitions}: {all}");
            assert!(
                all * 10 >= limits.fetch_queue_bytes * 9,
                "{partitions}: {all}"
            );
        }
        assert_eq!(number(1, "fetch.message.max.bytes"), 256 << 10);
        // Below that a fetch brings next to nothing: more is fetched ahead then.
        assert_eq!(number(10_000, "fetch.message.max.bytes"), 16 << 10);
        assert_eq!(number(10_000, "queued.max.messages.kbytes"), 16);
        assert_eq!(number(10_000, "queued.min.messages"), 128);
    }

    #[test]
    fn a_secret_property_is_hidden_from_debug() {
        let secret = Property {
            name: "sasl.password".into(),
            value: Secret::new("canary-77"),
            secret: true,
        };
        let shown = format!("{:?}", connection(vec![secret]));
        assert!(shown.contains("sasl.password=<hidden>") && !shown.contains("canary"));
    }
}
