//! The process at work: topologies, the admin endpoint, what they share. `run` and `demo` are two ways to start it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::admin::Admin;
use crate::config::Config;
use crate::pipeline::{Ended, Shared, Worker};
use crate::registry::Cache;
use crate::telemetry::Metrics;
use crate::topology::plan::Plan;

/// How often it looks whether the topologies have ended.
const LOOK: Duration = Duration::from_millis(50);

/// How often the registry's state is copied into the metrics.
const REGISTRY_INTERVAL: Duration = Duration::from_millis(500);

/// Topologies at work.
pub struct Service {
    metrics: Arc<Metrics>,
    workers: Vec<Worker>,
    admin: Option<Admin>,
}

impl Service {
    /// Starts everything. The admin endpoint is up before the first topology, so that a start that waits can be watched.
    ///
    /// Must be called within a tokio runtime. `until_latest`: topologies end at the end offsets seen at the start.
    pub fn start(
        plans: &[Arc<Plan>],
        config: Config,
        until_latest: bool,
    ) -> anyhow::Result<Service> {
        let runtime = tokio::runtime::Handle::current();
        let metrics = Metrics::new();
        metrics.set_build_info(&rdkafka::util::get_rdkafka_version().1);
        let admin = match config.admin.listen {
            Some(listen) => Some(Admin::start(listen, metrics.clone())?),
            None => None,
        };
        let registry = Cache::start(&config.registry, &runtime)?;
        runtime.spawn(watch_registry(registry.clone(), metrics.clone()));
        let shared = Shared {
            config: Arc::new(config),
            registry,
            metrics: metrics.clone(),
            runtime,
            topologies: plans.len().max(1) as u64,
        };
        let mut workers = Vec::with_capacity(plans.len());
        for plan in plans {
            let worker = Worker::start(plan.clone(), shared.clone(), until_latest);
            workers.push(worker.with_context(|| format!("start topology {}", plan.id))?);
        }
        Ok(Service {
            metrics,
            workers,
            admin,
        })
    }

    /// All metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Where the admin endpoint listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::address)
    }

    /// Asks all topologies to drain and end.
    pub fn stop(&self) {
        self.workers.iter().for_each(Worker::stop);
    }

    /// Whether all topologies have ended.
    pub fn is_finished(&self) -> bool {
        self.workers.iter().all(Worker::is_finished)
    }

    /// Waits until all topologies have ended.
    pub async fn finished(&self) {
        while !self.is_finished() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How each topology ended, by id. Waits for those that have not.
    pub fn join(self) -> Vec<(String, anyhow::Result<Ended>)> {
        self.workers
            .into_iter()
            .map(|worker| (worker.id().to_owned(), worker.join()))
            .collect()
    }
}

async fn watch_registry(registry: Cache, metrics: Arc<Metrics>) {
    let handles = metrics.registry();
    let mut ticks = tokio::time::interval(REGISTRY_INTERVAL);
    loop {
        ticks.tick().await;
        handles.record(&registry.stats(), registry.outage().is_some());
    }
}
