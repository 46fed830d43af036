//! Who judges whether a topology's sources and routes are poisoned: one gauge each, shared by its pipeline threads.

use super::process::Poison;
use crate::core::PoisonGauge;
use crate::telemetry::{Metrics, PoisonMetrics};
use crate::topology::plan::Plan;

/// The poison shares of a topology's sources and routes.
pub(super) struct Judges {
    sources: Vec<Judge>,
    routes: Vec<Judge>,
}

struct Judge {
    gauge: PoisonGauge,
    metrics: PoisonMetrics,
    what: String,
}

impl Judges {
    /// Judges that stop above `share_max` of the last `window` records.
    pub fn new(plan: &Plan, metrics: &Metrics, share_max: f64, window: usize) -> Judges {
        let judge = |scope: &'static str, name: &str| Judge {
            gauge: PoisonGauge::new(share_max, window),
            metrics: metrics.poison(&plan.id, scope, name),
            what: format!("{scope} {name}"),
        };
        Judges {
            sources: plan
                .sources
                .iter()
                .map(|source| judge("source", &source.topic))
                .collect(),
            routes: plan
                .routes
                .iter()
                .map(|route| judge("route", &route.name))
                .collect(),
        }
    }

    /// Counts a record of a source (index in the plan) before routing. Some, the reason, if the topology must stop.
    pub fn source(&self, source: u16, is_poison: bool) -> Option<String> {
        self.sources[usize::from(source)].judge(is_poison)
    }

    /// The same of an output of a route (index in the plan).
    pub fn route(&self, route: u16, is_poison: bool) -> Option<String> {
        self.routes[usize::from(route)].judge(is_poison)
    }

    /// Counts a record judged poison; what the topology declares itself does not count.
    pub fn poison(&self, poison: &Poison, source: u16) -> Option<String> {
        if poison.declared {
            return None;
        }
        let stop = match poison.route {
            Some(route) => self.route(route, true),
            None => self.source(source, true),
        };
        stop.map(|why| format!("{why}; last reason {}: {}", poison.reason, poison.message))
    }

    /// Publishes the shares, and which of them have stopped the topology. Any thread may.
    pub fn publish(&self) {
        for judge in self.sources.iter().chain(&self.routes) {
            judge.metrics.set_share(judge.gauge.share());
            if judge.gauge.is_tripped() {
                judge.metrics.stopped();
            }
        }
    }
}

impl Judge {
    fn judge(&self, is_poison: bool) -> Option<String> {
        self.gauge.judge(is_poison).then(|| {
            let (poison, judged) = self.gauge.counts();
            format!(
                "{poison} of the last {judged} records of {} are poison",
                self.what
            )
        })
    }
}
