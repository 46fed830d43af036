//! `lockgate run`: the worker.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::{Exit, Global, UsageError, signals};
use crate::service::Service;
use crate::telemetry::logging;
use crate::topology;

/// The words of `lockgate run`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate run topologies/\n  lockgate run topologies/orders.yaml --until latest"
)]
pub struct Args {
    /// Topology files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// Stop at the end offsets seen at the start, with exit 0: for back-fills.
    #[arg(long, value_enum, value_name = "END")]
    pub until: Option<Until>,
}

/// Where a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// At the end offsets seen at the start.
    Latest,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let _log = logging::init(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!(warning, "configuration");
    }
    let avro = args.avro.as_deref();
    let plans = match topology::load_to_run(&args.paths, avro, &config.vars) {
        Ok((plans, warnings)) => {
            for fault in warnings.iter() {
                let help = fault.help.as_deref().unwrap_or_default();
                tracing::warn!(reason = fault.code, help, "{}", fault.message);
            }
            plans
        }
        Err(faults) => {
            let mut stderr = super::stderr();
            write!(stderr, "{}", faults.render(true)).context("write the faults")?;
            return Ok(Exit::Usage);
        }
    };
    if plans.is_empty() {
        return Err(UsageError(
            "there is no topology in these paths: give a file, or a folder that holds *.yaml files"
                .into(),
        )
        .into());
    }
    // Every connection that is missing, at once, before anything starts.
    let mut missing = Vec::new();
    for plan in &plans {
        let outputs = plan.topics.iter().map(|topic| topic.connection.as_str());
        for name in outputs.chain([plan.connection.as_str()]) {
            if let Err(fault) = config.connection(name)
                && !missing.contains(&fault)
            {
                missing.push(fault);
            }
        }
    }
    if !missing.is_empty() {
        return Err(crate::config::ConfigFaults(missing).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.context("start the runtime")?;
    let ended = runtime.block_on(async {
        let mut stop = signals::listen().context("listen for signals")?;
        let service = Service::start(&plans, config, args.until.is_some())?;
        if let Some(address) = service.address() {
            tracing::info!("status page on http://{address}/");
        }
        tokio::select! {
            () = service.finished() => {}
            // The channel closes only with the process.
            _ = stop.changed() => service.stop(),
        }
        service.finished().await;
        anyhow::Ok(service.join())
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(conclude(ended))
}

/// Tells what was left behind; 0 only if nothing was.
fn conclude(ended: Vec<(String, anyhow::Result<crate::pipeline::Ended>)>) -> Exit {
    let mut exit = Exit::Done;
    for (topology, ended) in ended {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(topology, "the topology failed: {error:#}");
                exit = Exit::Failed;
                continue;
            }
        };
        if let Some(error) = ended.error {
            tracing::error!(topology, %error, "the topology failed");
            exit = Exit::Failed;
        }
        for (topic, partition, why) in &ended.stuck {
            tracing::error!(
                topology,
                topic,
                partition,
                why,
                "this partition stands still before the end: see docs/OPERATIONS.md"
            );
            exit = Exit::Failed;
        }
        for (topic, partition, leftover) in &ended.leftovers {
            tracing::error!(
                topology,
                topic,
                partition,
                pending = leftover.records,
                uncommitted = leftover.uncommitted,
                "not drained in time: the next owner reads this again from the committed position"
            );
            exit = Exit::Failed;
        }
        tracing::info!(topology, "ended");
    }
    exit
}
