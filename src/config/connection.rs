//! A Kafka cluster, and the explicit librdkafka properties of each kind of client that talks to it.

use super::secret::Secret;

/// A named Kafka cluster. `Debug` leaves secret values out.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The name: `main`, or that of `kafka.connections.NAME`.
    pub name: String,
    /// Bootstrap servers, `host:port,host:port`.
    pub brokers: String,
    /// Further librdkafka properties, as configured; references are resolved.
    pub properties: Vec<Property>,
}

/// One librdkafka property.
#[derive(Clone)]
pub struct Property {
    /// librdkafka's name, such as `linger.ms`.
    pub name: String,
    /// The value; treated as secret, because some are.
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
            "<hidden>"
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
    },
    /// The producer of a topology, or of dead letters on another cluster.
    Producer,
    /// Topic settings, offsets, ACLs.
    Admin,
    /// The reader of an operator's command: no group, no commits.
    Tool,
}

impl Connection {
    /// The complete, explicit properties of a client.
    pub fn client(&self, _role: Role) -> Vec<Property> {
        let mut properties = vec![Property::plain("bootstrap.servers", &*self.brokers)];
        properties.extend(self.properties.iter().cloned());
        properties
    }
}
