//! The whole worker: group, registry, tracker, headers, commits, metrics, as `lockgate run` starts it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use lockgate::config::{Config, Connection, Property};
use lockgate::registry::fake::FakeRegistry;
use lockgate::service::Service;
use lockgate::topology;

use crate::{corpus, job};

/// Runs the job until the end of the input, or, given `is_over`, until that becomes true.
pub fn run(
    brokers: &str,
    input: &str,
    output: &str,
    compression: &str,
    is_over: Option<&AtomicBool>,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = corpus::TOPOLOGY
        .replace("id: road", &format!("id: {output}"))
        .replace("road.dlq", &format!("{output}.dlq"))
        .replace("topic: road.in", &format!("topic: {input}"))
        .replace("topic: road.out", &format!("topic: {output}"));
    std::fs::write(folder.path().join("job.yaml"), text)?;
    std::fs::create_dir(folder.path().join("avro"))?;
    std::fs::write(folder.path().join("avro/job-in.avsc"), corpus::SCHEMA_IN)?;
    std::fs::write(folder.path().join("avro/job-out.avsc"), corpus::SCHEMA_OUT)?;
    let plans = topology::load(&[folder.path().join("job.yaml")], None, &Default::default())
        .map_err(|faults| anyhow::anyhow!("{}", faults.render(false)))?;
    let admin = job::admin(brokers)?;
    admin.create_topic(&format!("{output}.dlq"), 1, &[], Duration::from_secs(30))?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let registry = FakeRegistry::start().await?;
        anyhow::ensure!(
            registry.register("job-in", corpus::SCHEMA_IN) == corpus::ID_IN,
            "the id of the input schema"
        );
        anyhow::ensure!(
            registry.register("job-out", corpus::SCHEMA_OUT) == corpus::ID_OUT,
            "the id of the output schema"
        );
        let mut config = Config::default();
        let properties = vec![Property::plain("compression.type", compression)];
        let main = Connection {
            name: "main".into(),
            brokers: brokers.into(),
            properties,
            consumer_protocol: false,
        };
        config.connections.insert("main".into(), main);
        config.registry.urls = vec![registry.url()];
        config.admin.listen = Some(([127, 0, 0, 1], 0).into());
        let service = Service::start(&plans, config, is_over.is_none())?;
        if let Some(is_over) = is_over {
            while !is_over.load(Ordering::Relaxed) && !service.is_finished() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            service.stop();
        }
        service.finished().await;
        anyhow::Ok(service.join())
    })?;
    for (topology, ended) in ended {
        let ended = ended.with_context(|| topology.clone())?;
        anyhow::ensure!(
            ended.error.is_none() && ended.leftovers.is_empty(),
            "{topology} ended with {ended:?}"
        );
    }
    Ok(())
}
