//! The embedded broker: librdkafka's MockCluster on loopback. It keeps 5 MiB per partition and drops the oldest beyond that, so
//! whoever writes to it must stay close to those who read ([`OPEN_BYTES_MAX`]).

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// Bytes of a source partition that may be written and not settled. Well below the 5 MiB that the broker keeps, because batches
/// have heads and outputs may be larger than their sources.
pub const OPEN_BYTES_MAX: u64 = 2 << 20;

/// Client properties for this broker, beyond the addresses.
pub const CLIENT_PROPERTIES: [(&str, &str); 2] = [
    // New data does not wake a waiting fetch: it must not wait long.
    ("fetch.wait.max.ms", "10"),
    ("session.timeout.ms", "6000"),
];

/// A running broker; it ends when dropped.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Broker {
    /// Starts a broker with these topics, each with its number of partitions.
    pub fn start<'a>(topics: impl IntoIterator<Item = (&'a str, i32)>) -> anyhow::Result<Self> {
        let cluster = MockCluster::new(1).context("starting the embedded broker failed")?;
        for (topic, partitions) in topics {
            cluster
                .create_topic(topic, partitions, 1)
                .with_context(|| {
                    format!("creating the topic {topic} on the embedded broker failed")
                })?;
        }
        Ok(Broker { cluster })
    }

    /// Its addresses (`bootstrap.servers`).
    pub fn addresses(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// The configuration of a client of the broker at `addresses`.
pub fn client(addresses: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", addresses);
    client
}
