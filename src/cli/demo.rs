//! `lockgate demo`: the main job on an embedded broker and registry.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use super::{Exit, Global, UsageError, number, signals};
use crate::demo::run::{self, Options};
use crate::demo::show::{self, Show};
use crate::telemetry::logging;

/// Records, unless said otherwise.
const RECORDS: u64 = 200_000;
/// Records per second of a demo without end, unless said otherwise: to be looked at, not to heat the room.
const SERVE_RATE: u64 = 2_000;

/// The words of `lockgate demo`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate demo\n  lockgate demo --records 1000000 --json\n  lockgate demo --serve --rate 1000"
)]
pub struct Args {
    /// Source records to write, tombstones and poison included [default: 200000; with --serve: without end].
    #[arg(long, value_name = "N", value_parser = number::positive::<u64>)]
    pub records: Option<u64>,
    /// Records per second [default: as fast as it goes; without end: 2000].
    #[arg(long, value_name = "R", value_parser = number::positive::<u64>)]
    pub rate: Option<u64>,
    /// Seed of the generated events [default: a random one, which is printed].
    #[arg(long, value_name = "S", value_parser = number::whole::<u64>)]
    pub seed: Option<u64>,
    /// Share of the source records that are poison, and end as dead letters: from 0 to `limits.poison_share` (0.2 unless set): with
    /// more a source stops.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE", value_parser = number::share)]
    pub poison: f64,
    /// Go on until Ctrl-C, so that the status page can be looked at.
    #[arg(long)]
    pub serve: bool,
    /// Print the account as JSON in the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let files = global.said.iter().map(|name| format!("--{name}"));
    let own = ["kafka.brokers", "registry.url"];
    let places = global
        .set
        .iter()
        .filter(|(key, _)| own.contains(&key.as_str()))
        .map(|(key, _)| format!("--set {key}"));
    if let Some(flag) = files.chain(places).next() {
        let refused = format!(
            "{flag} is refused: the demo has its own broker and registry and reads no configuration files; single values, such as limits, \
             are given with --set"
        );
        return Err(UsageError(refused).into());
    }
    let mut flags = global.set.clone();
    flags.extend(
        global
            .log
            .iter()
            .map(|filter| ("log.filter".to_owned(), filter.clone())),
    );
    let config = run::config(&flags)?;
    let limit = config.limits.poison_share;
    if !(0.0..=limit).contains(&args.poison) {
        let refused = format!(
            "--poison {} is refused: a source stops when more than {limit} of its records are judged poison (limits.poison_share), \
             so that a fault upstream never empties a stream into the dead letters; give a share from 0 to {limit}",
            args.poison
        );
        return Err(UsageError(refused).into());
    }
    let is_endless = args.serve && args.records.is_none();
    let options = Options {
        records: (!is_endless).then(|| args.records.unwrap_or(RECORDS)),
        rate: args
            .rate
            .or(is_endless.then_some(SERVE_RATE))
            .map(|rate| rate as f64),
        seed: args
            .seed
            .unwrap_or_else(|| u64::from(rand::random::<u32>())),
        poison: args.poison,
        serve: args.serve,
    };
    let _log = logging::init(&config.log)?;
    let runtime = super::runtime()?;
    let mut progress = Show::new(&options);
    let outcome = runtime.block_on(async {
        let stop = signals::listen().context("listening for signals failed")?;
        progress.say(&introduction(&options));
        run::run(&options, config, stop, |now| progress.update(now)).await
    });
    progress.end();
    let outcome = outcome?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    let mut out = super::stdout();
    let shown = show::account(&mut out, &options, &outcome).and_then(|()| {
        if args.json {
            writeln!(out, "{}", show::json(&outcome))
        } else {
            Ok(())
        }
    });
    shown.context("writing the account failed")?;
    Ok(if outcome.mismatches == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn introduction(options: &Options) -> String {
    let records = options.records.map_or_else(
        || "records until Ctrl-C".to_owned(),
        |records| format!("{records} records"),
    );
    format!(
        "{records}, {} % of them poison, seed {}: embedded broker and registry, shipped topologies",
        options.poison * 100.0,
        options.seed
    )
}
