//! Which librdkafka properties may not be changed, and why: each would break something that Lockgate promises.

/// Named switches of a connection that lift a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// `allow_insecure`: TLS without verification, tokens without signature, debug output that shows settings.
    pub insecure: bool,
    /// `allow_consumer_protocol`: the group protocol of KIP-848.
    pub consumer_protocol: bool,
}

/// Why this property may not have this value; `None` if it may. `name` is canonical (no alias).
pub fn refusal(name: &str, value: &str, switches: Switches) -> Option<String> {
    let value = value.trim().to_ascii_lowercase();
    if let Some((_, reason)) = OURS.iter().find(|(ours, _)| *ours == name) {
        return Some((*reason).to_owned());
    }
    if let Some((_, fixed, reason)) = FIXED.iter().find(|(fixed, ..)| *fixed == name)
        && !fixed.contains(&&*value)
    {
        return Some(format!("must stay `{}`: {reason}", fixed[0]));
    }
    let lifted_by = |lifted: bool, switch: &str, reason: &str| {
        (!lifted).then(|| format!("{reason}; `{switch} = true` on the connection permits it"))
    };
    match (name, &*value) {
        ("group.protocol", "consumer") => lifted_by(
            switches.consumer_protocol,
            "allow_consumer_protocol",
            "librdkafka below 2.15 can lose a revoke under the consumer protocol, and with it the drain before it",
        ),
        ("group.remote.assignor", _) if !switches.consumer_protocol => {
            Some("belongs to the consumer protocol, which is not in use".to_owned())
        }
        ("enable.ssl.certificate.verification", verify) if !is_true(verify) => lifted_by(
            switches.insecure,
            "allow_insecure",
            "without verification anyone on the way can read and change records and take the password",
        ),
        ("ssl.endpoint.identification.algorithm", "none") => lifted_by(
            switches.insecure,
            "allow_insecure",
            "without it the certificate of any other host is accepted",
        ),
        ("enable.sasl.oauthbearer.unsecure.jwt", unsecure) if is_true(unsecure) => lifted_by(
            switches.insecure,
            "allow_insecure",
            "a token without signature proves nothing",
        ),
        ("debug", contexts)
            if contexts
                .split(',')
                .any(|context| matches!(context.trim(), "all" | "conf" | "security")) =>
        {
            lifted_by(
                switches.insecure,
                "allow_insecure",
                "the contexts `all`, `conf` and `security` may write secrets to the log",
            )
        }
        ("max.in.flight.requests.per.connection", number)
            if !number
                .parse()
                .is_ok_and(|number: u32| (1..=5).contains(&number)) =>
        {
            Some("must be 1 to 5: with more, a retry would change the order of records".to_owned())
        }
        _ => None,
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "t" | "1")
}

/// Set by Lockgate itself, from elsewhere in the configuration or the topology.
const OURS: &[(&str, &str)] = &[
    (
        "bootstrap.servers",
        "is written as `brokers` of the connection",
    ),
    ("group.id", "is the topology's `id`"),
    (
        "transactional.id",
        "belongs to exactly-once delivery, where it follows from the topology's `id`",
    ),
    (
        "topic.blacklist",
        "would hide source topics without a trace; leave them out of the topology instead",
    ),
    (
        "plugin.library.paths",
        "would load foreign code into the worker",
    ),
    (
        "enabled_events",
        "decides how Lockgate hears of what happened",
    ),
    (
        "log.queue",
        "decides how Lockgate hears of the client's log",
    ),
    ("log_level", "is decided by `log.filter`"),
    (
        "internal.termination.signal",
        "belongs to Lockgate's own handling of signals",
    ),
];

/// Name, accepted values (the first is ours), reason.
const FIXED: &[(&str, &[&str], &str)] = &[
    (
        "enable.auto.commit",
        &["false", "f", "0"],
        "offsets are committed only after delivery",
    ),
    (
        "enable.auto.offset.store",
        &["false", "f", "0"],
        "offsets are committed only after delivery",
    ),
    (
        "auto.offset.reset",
        &["error"],
        "where a partition begins is the topology's `start_from`; a silent jump would lose records",
    ),
    (
        "isolation.level",
        &["read_committed"],
        "records of aborted transactions were never meant to exist",
    ),
    (
        "partition.assignment.strategy",
        &["cooperative-sticky"],
        "partitions that stay must go on flowing while others move",
    ),
    (
        "enable.partition.eof",
        &["false", "f", "0"],
        "the end of a partition is not a record",
    ),
    (
        "check.crcs",
        &["true", "t", "1"],
        "a record damaged on the way must not be delivered",
    ),
    (
        "enable.idempotence",
        &["true", "t", "1"],
        "without it a retry duplicates records and changes their order",
    ),
    (
        "acks",
        &["all", "-1"],
        "delivered means that every in-sync replica has the record",
    ),
    (
        "retries",
        &["2147483647"],
        "a record is retried until it is delivered or judged, never given up half way",
    ),
    (
        "message.timeout.ms",
        &["0"],
        "a record that timed out in the client may still arrive, so nothing true could be said of it",
    ),
    (
        "partitioner",
        &["murmur2_random"],
        "a key must land in the partition where Java's producers put it",
    ),
    (
        "enable.gapless.guarantee",
        &["false", "f", "0"],
        "the worker sets it by itself where it needs it; other clients of this connection have to stay without",
    ),
    (
        "delivery.report.only.error",
        &["false", "f", "0"],
        "a record counts as delivered by its report",
    ),
    ("queuing.strategy", &["fifo"], "records leave in order"),
    (
        "offset.store.method",
        &["broker"],
        "offsets live in Kafka, so that any worker can go on",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::librdkafka;

    #[test]
    fn every_rule_is_about_a_property_that_exists_under_its_canonical_name() {
        let fixed = FIXED.iter().map(|(name, ..)| *name);
        for name in OURS.iter().map(|(name, _)| *name).chain(fixed) {
            assert!(librdkafka::scope(name).is_some(), "{name}");
            assert_eq!(librdkafka::canonical(name), name);
        }
    }

    #[test]
    fn properties_that_would_break_a_promise_are_refused_with_the_reason() {
        for (name, value, reason) in [
            ("enable.auto.commit", "true", "after delivery"),
            ("enable.idempotence", "false", "duplicates"),
            ("acks", "1", "in-sync replica"),
            ("message.timeout.ms", "300000", "may still arrive"),
            ("partitioner", "consistent", "Java"),
            ("auto.offset.reset", "latest", "start_from"),
            ("isolation.level", "read_uncommitted", "aborted"),
            ("group.protocol", "consumer", "allow_consumer_protocol"),
            (
                "enable.ssl.certificate.verification",
                "false",
                "allow_insecure",
            ),
            (
                "ssl.endpoint.identification.algorithm",
                "none",
                "allow_insecure",
            ),
            ("max.in.flight.requests.per.connection", "6", "order"),
            ("debug", "broker,security", "secrets"),
        ] {
            let refused = refusal(name, value, Switches::default());
            let refused = refused.unwrap_or_else(|| panic!("{name}={value} was accepted"));
            assert!(refused.contains(reason), "{name}: {refused}");
        }
    }

    #[test]
    fn our_own_values_and_what_breaks_no_promise_are_accepted() {
        for (name, value) in [
            ("enable.auto.commit", "false"),
            ("acks", "-1"),
            ("linger.ms", "50"),
            ("max.in.flight.requests.per.connection", "1"),
            ("group.protocol", "classic"),
            ("debug", "broker,topic"),
            ("enable.ssl.certificate.verification", "true"),
        ] {
            assert_eq!(refusal(name, value, Switches::default()), None, "{name}");
        }
    }

    #[test]
    fn a_named_switch_lifts_its_refusal_and_no_other() {
        let insecure = Switches {
            insecure: true,
            ..Switches::default()
        };
        let verification = "enable.ssl.certificate.verification";
        assert_eq!(refusal(verification, "false", insecure), None);
        assert!(refusal("group.protocol", "consumer", insecure).is_some());
        assert!(refusal("acks", "1", insecure).is_some());
    }
}
