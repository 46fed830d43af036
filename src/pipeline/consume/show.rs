//! What the consumer thread shows of itself: positions, lags, states.

use super::*;

impl ConsumerThread {
    pub(super) fn show(&mut self) {
        let now = self.parts.clock.now();
        if now.0 < self.status_at.0 + STATUS_INTERVAL.0 {
            return;
        }
        self.status_at = now;
        let mut waits = self.unreadable();
        let source = if waits.is_empty() {
            Ok(())
        } else {
            Err(waits.join("; "))
        };
        self.parts.status.set_source(source);
        let (mut stops, mut all_paused) = (Vec::new(), Vec::new());
        for (tp, standing) in self.member.standings() {
            let topic = &self.parts.plan.sources[usize::from(tp.topic)].topic;
            let at = || format!("{topic}/{}", tp.partition);
            if let Some(why) = self.stands_still(tp, &standing) {
                stops.push(format!("{}: {why}", at()));
            }
            match standing {
                Standing::Resolving(Some(fault)) => waits.push(format!("{}: {fault}", at())),
                Standing::Resolving(None) | Standing::Stopped(_) => {}
                Standing::Running(positions) | Standing::Draining(positions) => {
                    let Some(link) = self.links.get(&tp) else {
                        continue;
                    };
                    let reasons = self.flow.reasons(tp);
                    let seen = self.handle.watermarks(tp).map(|marks| marks.high);
                    let paused: Vec<&'static str> = reasons.iter().map(Reason::as_str).collect();
                    if !paused.is_empty() {
                        all_paused.push(tp);
                    }
                    if let Some(reason) = [Reason::Schema, Reason::Sink]
                        .into_iter()
                        .find(|r| reasons.contains(*r))
                    {
                        waits.push(format!("{}: {}", at(), reason.as_str()));
                    }
                    if link.link.is_guarded() {
                        waits.push(format!("{}: one by one, after workers died here", at()));
                    }
                    link.metrics.track(&Position {
                        epoch: positions.epoch.0,
                        position: Some(link.position),
                        committed: Some(positions.committed),
                        end_offset: seen.max(self.parts.sources.end(tp)),
                        paused,
                    });
                }
            }
        }
        self.parts.sources.set_paused(&all_paused);
        if self.is_stopping {
            return;
        }
        let state = if let Some(why) = self.parts.poison.why() {
            TopologyState::Stopped(format!("poison: {why}"))
        } else if !stops.is_empty() {
            TopologyState::Stopped(some(&stops))
        } else if !waits.is_empty() {
            TopologyState::Waiting(some(&waits))
        } else if !self.parts.status.is_assigned() {
            TopologyState::Starting
        } else {
            TopologyState::Running
        };
        self.parts.status.set_state(state);
    }

    /// Why the sources cannot be read, if so: the brokers refuse the consumer, or the watcher has found something.
    fn unreadable(&self) -> Vec<String> {
        let trouble = self.parts.sources.trouble();
        let grant = self.missing_grant.as_ref().map(|missing| &missing.grant);
        // Either may come first.
        let is_said = |grant: &&String| !trouble.as_ref().is_some_and(|why| why.contains(*grant));
        let grant = grant.filter(is_said).cloned();
        trouble.into_iter().chain(grant).collect()
    }

    /// Why a partition goes no further until somebody acts, if so.
    pub(super) fn stands_still(&self, tp: Tp, standing: &Standing) -> Option<&'static str> {
        match standing {
            Standing::Resolving(_) => None,
            Standing::Stopped(StartFault::OutOfRange { .. }) => Some("position_out_of_range"),
            Standing::Stopped(_) => Some("position_lost"),
            Standing::Running(_) | Standing::Draining(_) => {
                let is_lost = self
                    .links
                    .get(&tp)
                    .is_some_and(|link| link.is_position_lost);
                let reasons = self.flow.reasons(tp);
                if is_lost {
                    Some("position_lost")
                } else if reasons.contains(Reason::IncompatibleSchema) {
                    Some("incompatible_schema")
                } else if self.parts.poison.is_stopped() {
                    Some("poison")
                } else {
                    None
                }
            }
        }
    }

    pub(super) fn names(&self, partitions: &[Tp]) -> String {
        let name = |at: &Tp| {
            format!(
                "{}/{}",
                self.parts.plan.sources[usize::from(at.topic)].topic,
                at.partition
            )
        };
        partitions.iter().map(name).collect::<Vec<_>>().join(" ")
    }
}

/// The first few of many.
fn some(all: &[String]) -> String {
    match all.len() {
        0..=3 => all.join("; "),
        count => format!("{}; and {} more", all[..3].join("; "), count - 3),
    }
}
