//! What the road holds to count with: of a lane thread, of a poison gauge, of the schema cache.

use std::sync::Arc;

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Gauge, IntCounter};

use super::metrics::Metrics;
use super::table;

/// The numbers of one lane thread. Counting touches memory of this thread only; [`flush`](Self::flush) makes it visible, and
/// so does dropping it.
pub struct LaneMetrics {
    pub(super) topology: String,
    pub(super) routes: Vec<RouteMetrics>,
    pub(super) event_age_seconds: LocalHistogram,
    /// Step, class, reason: few, so a search beats a hash.
    pub(super) dead_letters: Vec<(String, &'static str, &'static str, LocalIntCounter)>,
    pub(super) retries: Vec<(u16, &'static str, LocalIntCounter)>,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) struct RouteMetrics {
    pub(super) name: String,
    pub(super) delivered: LocalIntCounter,
    pub(super) dead_lettered: LocalIntCounter,
    pub(super) bytes: LocalIntCounter,
    pub(super) delivery_seconds: LocalHistogram,
}

impl LaneMetrics {
    /// A delivery arrived: its bytes (key and value), the time since the fetch, and the event's age if it has a timestamp.
    pub fn delivered(
        &self,
        route: u16,
        bytes: usize,
        delivery_seconds: f64,
        event_age_seconds: Option<f64>,
    ) {
        let route = &self.routes[usize::from(route)];
        route.delivered.inc();
        route.bytes.inc_by(bytes as u64);
        route.delivery_seconds.observe(delivery_seconds);
        if let Some(age) = event_age_seconds {
            // A producer's clock may run ahead of ours.
            self.event_age_seconds.observe(age.max(0.0));
        }
    }

    /// A delivery was given up and went to the dead letters.
    pub fn delivery_dead_lettered(&self, route: u16) {
        self.routes[usize::from(route)].dead_lettered.inc();
    }

    /// A delivery is attempted again because of an error of this class.
    pub fn retried(&mut self, route: u16, class: &'static str) {
        if let Some((_, _, counter)) = self
            .retries
            .iter()
            .find(|(r, c, _)| (*r, *c) == (route, class))
        {
            return counter.inc();
        }
        let labels = [
            &self.topology,
            self.routes[usize::from(route)].name.as_str(),
            class,
        ];
        let counter = self.metrics.counter(table::RETRIES, &labels).local();
        counter.inc();
        self.retries.push((route, class, counter));
    }

    /// A dead letter is on its way; `step` names the step or the route that gave up.
    pub fn dead_lettered(&mut self, step: &str, class: &'static str, reason: &'static str) {
        let known = self
            .dead_letters
            .iter()
            .find(|(s, c, r, _)| (s.as_str(), *c, *r) == (step, class, reason));
        if let Some((_, _, _, counter)) = known {
            return counter.inc();
        }
        let counter = self
            .metrics
            .counter(table::DEAD_LETTERS, &[&self.topology, step, class, reason])
            .local();
        counter.inc();
        self.dead_letters
            .push((step.to_owned(), class, reason, counter));
    }

    /// Adds what this thread has counted to what `/metrics` shows; meant for a few times a second.
    pub fn flush(&self) {
        for route in &self.routes {
            for counter in [&route.delivered, &route.dead_lettered, &route.bytes] {
                counter.flush();
            }
            route.delivery_seconds.flush();
        }
        self.event_age_seconds.flush();
        self.dead_letters
            .iter()
            .for_each(|(_, _, _, counter)| counter.flush());
        self.retries
            .iter()
            .for_each(|(_, _, counter)| counter.flush());
    }
}

impl Drop for LaneMetrics {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The share of poison of one source or route.
#[derive(Clone, Debug)]
pub struct PoisonMetrics {
    pub(super) share: Gauge,
    pub(super) stopped: Gauge,
}

impl PoisonMetrics {
    /// Share of the last records, 0 to 1.
    pub fn set_share(&self, share: f64) {
        self.share.set(share);
    }

    /// It made the topology stop. There is no way back but a restart.
    pub fn stopped(&self) {
        self.stopped.set(1.0);
    }
}

/// The schema cache's numbers. Cheap to clone, shared between threads.
#[derive(Clone, Debug)]
pub struct RegistryMetrics {
    pub(super) hits: IntCounter,
    pub(super) misses: IntCounter,
    pub(super) found: IntCounter,
    pub(super) not_found: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) outage: Gauge,
    pub(super) cached: Gauge,
}

impl RegistryMetrics {
    /// Takes over what the cache has counted since its start, whether the registry is out of order, and how many schemas the
    /// cache holds. One caller only, a few times a second.
    pub fn record(&self, stats: &crate::registry::Stats, is_out: bool) {
        let found = stats.asks.saturating_sub(stats.failures + stats.not_found);
        let totals = [
            (&self.hits, stats.hits),
            (&self.misses, stats.misses),
            (&self.found, found),
            (&self.not_found, stats.not_found),
            (&self.failed, stats.failures),
        ];
        for (counter, total) in totals {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.outage.set(f64::from(u8::from(is_out)));
        self.cached.set(stats.known as f64);
    }
}
