//! `lockgate dlq`: dead letters are a workflow. List them by cause, look at one, mend the cause, redrive.
//!
//! A redrive runs the mended plan over the original bytes, here, and writes what comes out: to the route that failed and to no
//! other. Nothing is written back to the source topic, which other readers share, and a record that fails again stays where
//! it is: it makes no second dead letter. What was redriven is remembered by a marker record in the dead letter topic.

use super::topic::Topic;
use super::{Exit, Global, signals};
use crate::config::Config;
use crate::kafka::Position;

mod letter;
mod list;
mod machine;
mod outbox;
mod redrive;
mod show;

use letter::{Entry, Positions};

/// The words of `lockgate dlq`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate dlq list --topic orders.dlq\n  lockgate dlq show --topic orders.dlq 0:17\n  lockgate dlq redrive topologies/orders.yaml --topic orders.dlq --reason bad_frame --dry-run"
)]
pub struct Args {
    /// What to do with the dead letters.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with dead letters.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Count those that wait, grouped by topology, route or step, and reason.
    List(list::Args),
    /// Show some: cause, origin, headers, key and value.
    Show(show::Args),
    /// Process them again with a mended topology, and deliver them to the route that failed only.
    Redrive(redrive::Args),
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let runtime = super::runtime()?;
    let stop = runtime.block_on(async { signals::listen() })?;
    match &args.command {
        Command::List(args) => list::run(args, &config, &stop),
        Command::Show(args) => show::run(args, &config, runtime.handle(), &stop),
        Command::Redrive(args) => redrive::run(args, &config, runtime.handle(), &stop),
    }
}

/// A dead letter topic as it was when the command began: what comes later is left alone.
struct Pile {
    topic: Topic,
    from: Vec<Position>,
    /// Next offset of each partition.
    ends: Vec<i64>,
    /// Redriven dead letters.
    redriven: Positions,
}

/// Opens a dead letter topic and reads its markers. `None` if a signal came.
fn open(
    config: &Config,
    connection: &str,
    name: &str,
    stop: &signals::Stop,
) -> anyhow::Result<Option<Pile>> {
    let topic = Topic::open(config, connection, name)?;
    let ends = topic.ends()?;
    let from = topic
        .partitions()
        .zip(&ends)
        .filter(|(_, ends)| ends.low < ends.high)
        .map(|(partition, ends)| Position {
            partition,
            offset: ends.low,
        })
        .collect();
    let mut pile = Pile {
        topic,
        from,
        ends: ends.iter().map(|ends| ends.high).collect(),
        redriven: Positions::new(),
    };
    let mut redriven = Positions::new();
    let is_done = pile.each(stop, |record, entry| {
        if let Entry::Marker(offset) = entry {
            redriven.insert((record.partition(), offset));
        }
        Ok(true)
    })?;
    pile.redriven = redriven;
    Ok(is_done.then_some(pile))
}

impl Pile {
    /// Hands out every record, until `each` says no. False if a signal came first.
    fn each(
        &mut self,
        stop: &signals::Stop,
        mut each: impl FnMut(&crate::kafka::RawRecord, Entry) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let ends = &self.ends;
        self.topic.read(&self.from, true, stop, |record| {
            if record.offset() >= ends[record.partition() as usize] {
                return Ok(true);
            }
            each(record, Entry::of(record))
        })
    }
}
