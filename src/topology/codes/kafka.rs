//! Kafka's errors.

use super::{PauseCode, pause};

/// Kafka's errors by what they are about, as they stand in the log (`reason`). None of them makes a dead letter.
pub static KAFKA: &[PauseCode] = &[
    pause(
        "unknown_topic",
        "The cluster has no such topic.",
        "Create it: Lockgate never does.",
    ),
    pause(
        "unknown_partition",
        "The topic has no such partition.",
        "Nothing, if the topic was just recreated; else report it.",
    ),
    pause(
        "topic_recreated",
        "The topic was deleted and created again.",
        "Nothing; restart if it lasts.",
    ),
    pause(
        "invalid_topic",
        "The broker does not accept the topic's name, or a reserved topic is meant.",
        "Correct the name.",
    ),
    pause(
        "topic_not_authorized",
        "The principal may not write to, read or describe the topic.",
        "Add the ACL; `lockgate describe` lists the minimal ones.",
    ),
    pause(
        "group_not_authorized",
        "The principal may not read with the consumer group.",
        "Add the ACL; `lockgate describe` lists the minimal ones.",
    ),
    pause(
        "cluster_not_authorized",
        "The principal may not write idempotently on this cluster.",
        "Grant IdempotentWrite on the cluster; newer brokers do not ask for it.",
    ),
    pause(
        "transactional_id_not_authorized",
        "The principal may not use the transactional id.",
        "Add the ACL.",
    ),
    pause(
        "policy_violation",
        "A policy of the broker refuses the write.",
        "Ask whoever runs the cluster.",
    ),
    pause(
        "unsupported_compression",
        "The topic does not accept the compression.",
        "Set `compression.type` of the connection.",
    ),
    pause(
        "unsupported_message_format",
        "The topic's message format is too old for headers or idempotence.",
        "Upgrade the topic's message format.",
    ),
    pause(
        "invalid_required_acks",
        "The broker does not accept the producer's `acks`.",
        "Remove the override.",
    ),
    pause(
        "producer_fatal",
        "The producer can go on with nothing; a new one starts from the first record without an answer.",
        "Nothing; look at the brokers if it repeats.",
    ),
    pause(
        "producer_fenced",
        "Another producer has taken over the producer's id.",
        "Nothing; look for a second process if it repeats.",
    ),
    pause(
        "producer_sequence",
        "The broker misses a record before this one.",
        "Nothing: sent again in order. Look at the brokers if it repeats.",
    ),
    pause(
        "producer_id_expired",
        "The broker has forgotten the producer.",
        "Nothing: a new producer.",
    ),
    pause(
        "producer_closed",
        "The producer was closed before the record had an answer.",
        "Nothing: sent again.",
    ),
    pause(
        "purged",
        "We gave up the record with its producer.",
        "Nothing: sent again.",
    ),
    pause(
        "queue_full",
        "The producer's queue is full.",
        "Nothing; it is how back-pressure works.",
    ),
    pause(
        "timed_out",
        "The record or the request timed out in the client.",
        "Are the brokers reachable?",
    ),
    pause(
        "broker_timed_out",
        "The broker did not answer in time.",
        "Look at the brokers' load.",
    ),
    pause(
        "broker_unreachable",
        "No connection to the broker.",
        "Is the address right, is the broker up, may we connect?",
    ),
    pause(
        "authentication_failed",
        "The broker does not accept the credentials.",
        "Correct `sasl.username`, `sasl.password` or the mechanism.",
    ),
    pause(
        "tls_failed",
        "The TLS handshake failed.",
        "Check `ssl.ca.location`, the certificate's names and its dates.",
    ),
    pause(
        "no_leader",
        "The partition has no leader, or a new one.",
        "Nothing; look at the brokers if it lasts.",
    ),
    pause(
        "not_enough_replicas",
        "Fewer replicas in sync than `min.insync.replicas`.",
        "Look at the brokers.",
    ),
    pause(
        "broker_storage",
        "The broker's disk fails.",
        "Look at the broker.",
    ),
    pause(
        "corrupt_in_transit",
        "The bytes arrived broken.",
        "Nothing; look at the network if it repeats.",
    ),
    pause(
        "quota_exceeded",
        "The broker throttles us.",
        "Raise the quota, or have patience.",
    ),
    pause(
        "kafka_error",
        "Another error of Kafka; the text says which.",
        "Look at the text.",
    ),
    pause(
        "kafka_unknown_code",
        "A code that the client library does not know, of a newer broker.",
        "Look the number up in Kafka's protocol guide.",
    ),
    pause(
        "nothing_to_commit",
        "There was nothing to commit.",
        "Nothing.",
    ),
    pause(
        "group_moved_on",
        "The group has given the partition to another member; its records are that one's.",
        "Nothing; if it repeats, look for pauses of the process.",
    ),
    pause(
        "rebalance_in_progress",
        "The group is rebalancing; committed again.",
        "Nothing.",
    ),
    pause(
        "coordinator_unavailable",
        "The group's coordinator did not take the commit; committed again.",
        "Nothing; look at the brokers if it lasts.",
    ),
    pause(
        "metadata_too_large",
        "The broker does not take the text that is committed with an offset.",
        "Raise `offset.metadata.max.bytes` of the broker to its default.",
    ),
    pause(
        "commit_too_large",
        "The commit is larger than the broker takes.",
        "Run fewer partitions per worker.",
    ),
    pause(
        "instance_fenced",
        "Another member has the same `group.instance.id`.",
        "Give each member its own, or none.",
    ),
    pause(
        "consumer_fatal",
        "The consumer can go on with nothing.",
        "Restart; the text says why.",
    ),
    pause(
        "consumer_closed",
        "The consumer was closed before the commit had an answer.",
        "Nothing: read again by the next owner.",
    ),
];
