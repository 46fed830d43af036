//! What the brokers refuse the consumer for want of a grant.

use super::super::sources;
use super::*;

/// What the brokers refuse, and what would show that they do not any more besides an assignment.
#[derive(Debug, PartialEq)]
pub(super) struct MissingGrant {
    /// Records of this source, of any if it is not known which; for a group a commit.
    pub on: Granted,
    /// What to grant.
    pub grant: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Granted {
    Group,
    Source(Option<u16>),
}

/// What to grant, if that is what an error of the consumer is about. The library may name the topic in its text only.
pub(super) fn missing_grant(
    plan: &Plan,
    error: KafkaError,
    about: Option<Tp>,
    detail: &str,
) -> Option<MissingGrant> {
    match error.name() {
        "GROUP_AUTHORIZATION_FAILED" => Some(MissingGrant {
            on: Granted::Group,
            grant: format!("group_not_authorized: grant READ on group {}", plan.id),
        }),
        "TOPIC_AUTHORIZATION_FAILED" => {
            let is_named = |topic: &str| detail.split([' ', ':']).any(|word| word == topic);
            let mut sources = plan.sources.iter();
            let source = about.map(|at| at.topic).or_else(|| {
                let index = sources.position(|source| is_named(&source.topic))?;
                u16::try_from(index).ok()
            });
            let topic = source.map_or("of every source", |source| {
                &plan.sources[usize::from(source)].topic
            });
            Some(MissingGrant {
                on: Granted::Source(source),
                grant: sources::topic_not_authorized(topic),
            })
        }
        _ => None,
    }
}

impl ConsumerThread {
    /// Something has come that the brokers refuse without grants on what `is_granted` tells.
    pub(super) fn granted(&mut self, is_granted: impl Fn(Granted) -> bool) {
        self.missing_grant.take_if(|missing| is_granted(missing.on));
    }
}
