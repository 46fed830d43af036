//! What an error says, about whom, and under which reason code it is shown. One function per question, one reason per branch.

use rdkafka_sys::rd_kafka_resp_err_t as code;

use super::error::KafkaError;

/// What is at fault, and so what may be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The cluster or the way to it: try again, the record is not to blame.
    Retry,
    /// The topic or our rights to it: every record of this topic fails until somebody acts. Never a dead letter.
    Topic,
    /// This one record.
    Record,
    /// The client: build a new one, start over from the first record without an answer.
    Fatal,
    /// We gave the record up ourselves.
    Purged,
}

/// Classifies the error of a delivery report or of a refused enqueue.
pub fn produce(error: KafkaError) -> (Class, &'static str) {
    let Ok(known) = code::try_from(error.code()) else {
        return (Class::Retry, "kafka_unknown_code");
    };
    match known {
        code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
        | code::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE => (Class::Record, "output_too_large"),
        code::RD_KAFKA_RESP_ERR_INVALID_RECORD => (Class::Record, "invalid_record"),
        code::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP => (Class::Record, "invalid_timestamp"),

        code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC | code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => {
            (Class::Topic, "unknown_topic")
        }
        code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION => (Class::Topic, "unknown_partition"),
        code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID => (Class::Topic, "topic_recreated"),
        code::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION => (Class::Topic, "invalid_topic"),
        code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
            (Class::Topic, "topic_not_authorized")
        }
        code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED => {
            (Class::Topic, "cluster_not_authorized")
        }
        code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
            (Class::Topic, "transactional_id_not_authorized")
        }
        code::RD_KAFKA_RESP_ERR_POLICY_VIOLATION => (Class::Topic, "policy_violation"),
        code::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE => {
            (Class::Topic, "unsupported_compression")
        }
        code::RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT => {
            (Class::Topic, "unsupported_message_format")
        }
        code::RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS => (Class::Topic, "invalid_required_acks"),

        code::RD_KAFKA_RESP_ERR__FATAL => (Class::Fatal, "producer_fatal"),
        code::RD_KAFKA_RESP_ERR__FENCED
        | code::RD_KAFKA_RESP_ERR_PRODUCER_FENCED
        | code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH => (Class::Fatal, "producer_fenced"),
        code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
        | code::RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE => (Class::Fatal, "producer_sequence"),
        code::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID
        | code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING => {
            (Class::Fatal, "producer_id_expired")
        }
        code::RD_KAFKA_RESP_ERR__DESTROY => (Class::Fatal, "producer_closed"),

        code::RD_KAFKA_RESP_ERR__PURGE_QUEUE | code::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT => {
            (Class::Purged, "purged")
        }

        code::RD_KAFKA_RESP_ERR__QUEUE_FULL => (Class::Retry, "queue_full"),
        code::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT | code::RD_KAFKA_RESP_ERR__TIMED_OUT => {
            (Class::Retry, "timed_out")
        }
        code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT => (Class::Retry, "broker_timed_out"),
        code::RD_KAFKA_RESP_ERR__TRANSPORT
        | code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        | code::RD_KAFKA_RESP_ERR__RESOLVE
        | code::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
        | code::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE => (Class::Retry, "broker_unreachable"),
        code::RD_KAFKA_RESP_ERR__AUTHENTICATION
        | code::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED => {
            (Class::Retry, "authentication_failed")
        }
        code::RD_KAFKA_RESP_ERR__SSL => (Class::Retry, "tls_failed"),
        code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        | code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
        | code::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE
        | code::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH => (Class::Retry, "no_leader"),
        code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            (Class::Retry, "not_enough_replicas")
        }
        code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR => (Class::Retry, "broker_storage"),
        code::RD_KAFKA_RESP_ERR_INVALID_MSG => (Class::Retry, "corrupt_in_transit"),
        code::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED => (Class::Retry, "quota_exceeded"),
        _ => (Class::Retry, "kafka_error"),
    }
}

/// What an error of a consumer, or of a question to the cluster, says of the way there. In the order of what it tells: why the
/// brokers let nobody in explains why none is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The cluster has answered: it is a topic, our rights, or the broker's own trouble.
    There,
    /// No answer: no connection, or nothing came over it in time.
    Away,
    /// A broker was reached and refuses the connection: credentials, certificates.
    Shut,
}

/// Classifies an error by what it says of the way to the cluster.
pub fn reach(error: KafkaError) -> (Reach, &'static str) {
    let reason = produce(error).1;
    let reach = match code::try_from(error.code()) {
        Ok(
            code::RD_KAFKA_RESP_ERR__AUTHENTICATION
            | code::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED
            | code::RD_KAFKA_RESP_ERR__SSL,
        ) => Reach::Shut,
        Ok(
            code::RD_KAFKA_RESP_ERR__TRANSPORT
            | code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
            | code::RD_KAFKA_RESP_ERR__RESOLVE
            | code::RD_KAFKA_RESP_ERR__TIMED_OUT
            | code::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
            | code::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE
            | code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ) => Reach::Away,
        _ => Reach::There,
    };
    (reach, reason)
}

/// Whether the error only sums up others: that all brokers are away, and not why.
pub fn is_summary(error: KafkaError) -> bool {
    error.is(code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
}

/// What to do about a commit, or a partition of it, that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitClass {
    /// Nothing is wrong: there was nothing to commit.
    Fine,
    /// Commit again from the frontier.
    Retry,
    /// The group has moved on: what was committed for belongs to another epoch. Do not repeat it.
    Moved,
    /// Somebody has to act: rights, metadata size.
    Refused,
    /// The member is of no further use.
    Fatal,
}

/// Classifies the error of a commit.
pub fn commit(error: KafkaError) -> (CommitClass, &'static str) {
    let Ok(known) = code::try_from(error.code()) else {
        return (CommitClass::Retry, "kafka_unknown_code");
    };
    match known {
        code::RD_KAFKA_RESP_ERR__NO_OFFSET => (CommitClass::Fine, "nothing_to_commit"),
        code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
        | code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
        | code::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH
        | code::RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH
        | code::RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST => (CommitClass::Moved, "group_moved_on"),
        code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS => {
            (CommitClass::Retry, "rebalance_in_progress")
        }
        code::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID => (CommitClass::Fatal, "instance_fenced"),
        code::RD_KAFKA_RESP_ERR__FATAL => (CommitClass::Fatal, "consumer_fatal"),
        code::RD_KAFKA_RESP_ERR__DESTROY => (CommitClass::Fatal, "consumer_closed"),
        code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => {
            (CommitClass::Refused, "group_not_authorized")
        }
        code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
            (CommitClass::Refused, "topic_not_authorized")
        }
        code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => (CommitClass::Refused, "unknown_topic"),
        code::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE => {
            (CommitClass::Refused, "metadata_too_large")
        }
        code::RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE => {
            (CommitClass::Refused, "commit_too_large")
        }
        _ => (CommitClass::Retry, "coordinator_unavailable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_record_itself_is_ever_to_blame_for_a_dead_letter() {
        let blamed: Vec<i32> = (-300..300)
            .filter(|&number| produce(KafkaError(number)).0 == Class::Record)
            .collect();
        // MSG_SIZE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_TIMESTAMP, INVALID_RECORD.
        assert_eq!(blamed, [10, 18, 32, 87]);
    }

    #[test]
    fn every_reason_is_explained_to_operators() {
        use crate::topology::codes;
        for number in -300..300 {
            let (class, reason) = produce(KafkaError(number));
            let of_commit = commit(KafkaError(number)).1;
            let dead_letter = codes::reasons().any(|known| known.code == reason);
            let is_known = |reason| codes::KAFKA.iter().any(|known| known.code == reason);
            match class {
                Class::Record => assert!(dead_letter, "{reason}"),
                _ => assert!(is_known(reason), "{reason}"),
            }
            assert!(is_known(of_commit), "{of_commit}");
        }
    }

    #[test]
    fn an_outage_is_told_by_its_reason_and_what_the_cluster_answers_is_none() {
        let outages: Vec<(Reach, &str)> = (-300..300)
            .map(|number| reach(KafkaError(number)))
            .filter(|(reach, _)| *reach != Reach::There)
            .collect();
        let count = |reason| outages.iter().filter(|(_, known)| *known == reason).count();
        let reasons = [
            ("broker_unreachable", 5),
            ("timed_out", 1),
            ("broker_timed_out", 1),
            ("authentication_failed", 2),
            ("tls_failed", 1),
        ];
        for (reason, codes) in reasons {
            assert_eq!(count(reason), codes, "{reason}");
        }
        assert_eq!(outages.len(), 10, "no other: {outages:?}");
        let topic = code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.into();
        assert_eq!(reach(topic), (Reach::There, "unknown_topic"));
        assert_eq!(reach(KafkaError(9999)).0, Reach::There);
        assert!(Reach::Shut > Reach::Away);
    }

    #[test]
    fn a_code_that_nobody_knows_is_tried_again() {
        assert_eq!(
            produce(KafkaError(9999)),
            (Class::Retry, "kafka_unknown_code")
        );
        assert_eq!(commit(KafkaError(9999)).0, CommitClass::Retry);
    }
}
