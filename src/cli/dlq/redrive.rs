//! `lockgate dlq redrive`.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::letter::{Entry, Filter};
use super::machine::{Machine, Outcome};
use super::outbox::{Outbox, Parcel};
use super::show;
use crate::cli::decode::Decoder;
use crate::cli::signals::Stop;
use crate::cli::{Exit, UsageError, number, stderr, stdout};
use crate::config::Config;
use crate::topology;
use crate::topology::plan::OutputTopic;

/// Dead letters delivered together; their outputs are in memory.
const BATCH: usize = 200;
/// Bytes of outputs delivered together.
const BATCH_BYTES: usize = 8 << 20;
/// Lines of a dry run and of failures shown at most; the counts are complete.
const LINES_MAX: u64 = 50;

/// The words of `lockgate dlq redrive`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate dlq redrive topologies/orders.yaml --dry-run\n  lockgate dlq redrive topologies/orders.yaml --reason unknown_schema --rate 100\n  lockgate dlq redrive topologies/orders.yaml --at 0:17\n\nA dead letter that fails again, or cannot be processed, stays where it is, and the command ends with exit 1. Run it again as often as you like: what was redriven is marked."
)]
pub struct Args {
    /// Topology files or folders, with the cause mended.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder of the Avro schemas [default: `avro` beside the topologies].
    #[arg(long, value_name = "DIR")]
    pub avro: Option<PathBuf>,
    /// The dead letter topic [default: that of the topology].
    #[arg(long, value_name = "T")]
    pub topic: Option<String>,
    /// Kafka connection of the dead letter topic [default: that of the topology].
    #[arg(long, value_name = "NAME")]
    pub connection: Option<String>,
    #[command(flatten)]
    pub filter: Filter,
    /// Only this one; may be given several times.
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = show::position)]
    pub at: Vec<(i32, i64)>,
    /// So many at most.
    #[arg(long, value_name = "N", value_parser = number::whole::<u64>)]
    pub limit: Option<u64>,
    /// So many per second at most.
    #[arg(long, value_name = "R", value_parser = number::positive::<u32>)]
    pub rate: Option<u32>,
    /// Process, but write nothing: shows what would happen.
    #[arg(long)]
    pub dry_run: bool,
    /// End with the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What became of the dead letters.
#[derive(Default)]
struct Account {
    redriven: u64,
    nothing: u64,
    fails: BTreeMap<String, u64>,
    skipped: BTreeMap<String, u64>,
    before: u64,
    /// Those that stay although they were asked for: they fail again, or cannot be processed here.
    left: u64,
    lines: u64,
}

/// Dead letters whose outputs wait to be delivered, with the machine (index) that made them.
#[derive(Default)]
struct Batch {
    letters: Vec<((i32, i64), usize, Vec<Parcel>)>,
    bytes: usize,
}

/// Runs the command.
pub fn run(
    args: &Args,
    config: &Config,
    runtime: &tokio::runtime::Handle,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    let plans = match topology::load(&args.paths, args.avro.as_deref(), &config.vars) {
        Ok(plans) => plans,
        Err(faults) => {
            write!(
                stderr(),
                "{}",
                faults.render(std::io::stderr().is_terminal())
            )?;
            return Ok(Exit::Usage);
        }
    };
    let mut dead: Vec<OutputTopic> = plans
        .iter()
        .map(|plan| plan.topics[usize::from(plan.dead_letter)].clone())
        .filter(|topic| args.topic.as_ref().is_none_or(|name| topic.topic == *name))
        .collect();
    dead.sort_by(|a, b| (&a.connection, &a.topic).cmp(&(&b.connection, &b.topic)));
    dead.dedup();
    let mut dead = match (dead.as_slice(), &args.topic) {
        ([one], _) => one.clone(),
        (_, Some(name)) => OutputTopic {
            connection: "main".into(),
            topic: name.clone(),
        },
        (several, None) => anyhow::bail!(UsageError(format!(
            "the topologies have {} dead letter topics: name one with --topic",
            several.len()
        ))),
    };
    if let Some(connection) = &args.connection {
        dead.connection = connection.clone();
    }

    let decoder = Decoder::new(&config.registry, runtime)?;
    let mut machines = Vec::with_capacity(plans.len());
    for plan in plans {
        machines.push(Machine::new(plan, config, runtime)?);
    }
    let Some(mut pile) = super::open(config, &dead.connection, &dead.topic, stop)? else {
        writeln!(stderr(), "stopped before anything was redriven")?;
        return Ok(Exit::Failed);
    };
    let outbox = match args.dry_run {
        true => None,
        false => {
            let outputs = machines.iter().flat_map(|machine| &machine.plan().topics);
            Some(Outbox::open(config, outputs.chain([&dead]))?)
        }
    };

    let redriven = std::mem::take(&mut pile.redriven);
    let progress = progress();
    let mut account = Account::default();
    let mut batch = Batch::default();
    let mut pace = Pace::new(args.rate);
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut failed = None;
    let mut is_stopped = false;
    let mut missing = args.at.clone();
    let read = pile.each(stop, |record, entry| {
        let Entry::Letter(letter) = entry else {
            return Ok(true);
        };
        let is_named = args.at.is_empty() || args.at.contains(&letter.position());
        missing.retain(|position| *position != letter.position());
        if !is_named || !args.filter.takes(&letter) {
            return Ok(true);
        }
        if redriven.contains(&letter.position()) {
            account.before += 1;
            return Ok(true);
        }
        if left == 0 {
            return Ok(false);
        }
        if !pace.wait(stop) {
            is_stopped = true;
            return Ok(false);
        }
        left -= 1;
        progress.inc(1);
        let index = machines
            .iter()
            .position(|machine| machine.plan().id == letter.topology);
        let outcome = match index {
            Some(index) => machines[index].process(&letter, record, &decoder)?,
            None => Outcome::Skipped("it is of another topology"),
        };
        let (partition, offset) = letter.position();
        match outcome {
            Outcome::Deliver(parcels) => {
                let index = index.expect("a machine made them");
                if args.dry_run {
                    account.redriven += 1;
                    let topics = &machines[index].plan().topics;
                    let to: Vec<&str> = parcels
                        .iter()
                        .map(|parcel| topics[usize::from(parcel.topic)].topic.as_str())
                        .collect();
                    account.tell(
                        &progress,
                        &format!("{partition}:{offset}  to {}", to.join(", ")),
                    );
                } else {
                    batch.bytes += parcels.iter().map(Parcel::bytes).sum::<usize>();
                    batch.letters.push((letter.position(), index, parcels));
                }
            }
            Outcome::Nothing(rule) => {
                account.nothing += 1;
                account.tell(
                    &progress,
                    &format!("{partition}:{offset}  nothing to deliver: {rule}"),
                );
                if !args.dry_run {
                    batch
                        .letters
                        .push((letter.position(), index.unwrap_or(0), Vec::new()));
                }
            }
            Outcome::Fails(reason, message) => {
                account.tell(
                    &progress,
                    &format!("{partition}:{offset}  fails again: {reason}: {message}"),
                );
                *account.fails.entry(reason).or_default() += 1;
                account.left += 1;
            }
            Outcome::Skipped(why) => {
                *account.skipped.entry(why.to_owned()).or_default() += 1;
                // Those of other topologies were not meant.
                account.left += u64::from(index.is_some());
            }
        }
        if let Some(outbox) = &outbox
            && (batch.letters.len() >= BATCH
                || batch.bytes >= BATCH_BYTES
                || args
                    .rate
                    .is_some_and(|rate| batch.letters.len() as u32 >= rate))
            && let Err(error) = deliver(
                outbox,
                &dead,
                &machines,
                &mut batch,
                &mut account,
                &progress,
            )
        {
            failed = Some(error);
            return Ok(false);
        }
        Ok(true)
    });
    // What was processed before the registry or the cluster was gone is delivered all the same, and accounted for.
    if let (Some(outbox), None) = (&outbox, &failed) {
        failed = deliver(
            outbox,
            &dead,
            &machines,
            &mut batch,
            &mut account,
            &progress,
        )
        .err();
    }
    progress.finish_and_clear();
    account.print(args, &dead.topic)?;
    if let Some(error) = failed {
        return Err(error);
    }
    if !read? || is_stopped {
        writeln!(stderr(), "stopped; run it again for the rest")?;
        return Ok(Exit::Failed);
    }
    if left > 0 && !missing.is_empty() {
        let named = missing
            .iter()
            .map(|(partition, offset)| format!("{partition}:{offset}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let refused = format!("--at: there is no dead letter at {named} of {}", dead.topic);
        return Err(UsageError(refused).into());
    }
    if account.left > 0 {
        let (left, topic) = (account.left, &dead.topic);
        writeln!(
            stderr(),
            "{left} dead letters stay in {topic}, each for its cause above"
        )?;
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}

/// Delivers a batch, then marks what arrived. A crash in between delivers twice, never not at all.
fn deliver(
    outbox: &Outbox<'_>,
    dead: &OutputTopic,
    machines: &[Machine],
    batch: &mut Batch,
    account: &mut Account,
    progress: &ProgressBar,
) -> anyhow::Result<()> {
    let letters = std::mem::take(batch).letters;
    let parcels: Vec<(&OutputTopic, &Parcel)> = letters
        .iter()
        .flat_map(|(_, machine, parcels)| {
            let topics = &machines[*machine].plan().topics;
            parcels
                .iter()
                .map(move |parcel| (&topics[usize::from(parcel.topic)], parcel))
        })
        .collect();
    let mut results = outbox.deliver(&parcels)?;
    // The broker refuses a batch of the wire as a whole: whoever is to blame is found alone.
    for (result, parcel) in results.iter_mut().zip(&parcels) {
        if result.as_ref().is_err_and(|refused| refused.is_record) {
            *result = outbox
                .deliver(&[*parcel])?
                .pop()
                .expect("one answer per parcel");
        }
    }
    let mut results = results.into_iter();
    let mut arrived = Vec::new();
    let mut stopped = None;
    for ((partition, offset), _, parcels) in &letters {
        let refused = results
            .by_ref()
            .take(parcels.len())
            .filter_map(Result::err)
            .last();
        match refused {
            None => {
                account.redriven += u64::from(!parcels.is_empty());
                arrived.push((*partition, *offset));
            }
            Some(refused) => {
                account.tell(
                    progress,
                    &format!(
                        "{partition}:{offset}  fails again: {}: {}",
                        refused.reason, refused.message
                    ),
                );
                *account.fails.entry(refused.reason.to_owned()).or_default() += 1;
                account.left += 1;
                if !refused.is_record {
                    stopped = Some(anyhow::anyhow!("the redrive stops: {}", refused.message));
                }
            }
        }
    }
    outbox.mark(dead, &arrived)?;
    match stopped {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

impl Account {
    fn tell(&mut self, progress: &ProgressBar, line: &str) {
        self.lines += 1;
        let shown = match self.lines {
            1..LINES_MAX => line,
            LINES_MAX => "…",
            _ => return,
        };
        // Nobody is left to tell if the stream is closed.
        progress.suspend(|| drop(writeln!(stderr(), "{shown}")));
    }

    fn print(&self, args: &Args, topic: &str) -> anyhow::Result<()> {
        let mut out = stdout();
        if args.json {
            let account = json!({
                "topic": topic,
                "dry_run": args.dry_run,
                "redriven": self.redriven,
                "nothing_to_deliver": self.nothing,
                "fails_again": self.fails,
                "skipped": self.skipped,
                "redriven_before": self.before,
            });
            writeln!(out, "{account}")?;
            return Ok(());
        }
        let fails: u64 = self.fails.values().sum();
        let skipped: u64 = self.skipped.values().sum();
        if self.redriven + self.nothing + fails + skipped == 0 {
            writeln!(
                out,
                "{topic}: nothing to redrive ({} redriven before)",
                self.before
            )?;
            return Ok(());
        }
        let would = if args.dry_run {
            "would be redriven"
        } else {
            "redriven"
        };
        writeln!(
            out,
            "{topic}: {} {would}, {} have nothing to deliver, {fails} fail again, {skipped} skipped, {} redriven before",
            self.redriven, self.nothing, self.before
        )?;
        for (what, counts) in [("fail again", &self.fails), ("skipped", &self.skipped)] {
            for (why, count) in counts {
                writeln!(out, "  {count} {what}: {why}")?;
            }
        }
        Ok(())
    }
}

/// Spreads dead letters evenly over time.
struct Pace {
    interval: Option<Duration>,
    next: Instant,
}

impl Pace {
    fn new(rate: Option<u32>) -> Pace {
        Pace {
            interval: rate.map(|rate| Duration::from_secs(1) / rate),
            next: Instant::now(),
        }
    }

    /// Waits for the next turn; false if a signal came.
    fn wait(&mut self, stop: &Stop) -> bool {
        let Some(interval) = self.interval else {
            return !*stop.borrow();
        };
        loop {
            if *stop.borrow() {
                return false;
            }
            let left = self.next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left.min(Duration::from_millis(100)));
        }
        self.next = self.next.max(Instant::now()) + interval;
        true
    }
}

/// A counter on a terminal, nothing elsewhere.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} dead letters, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}
