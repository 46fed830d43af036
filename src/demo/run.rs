//! The run: broker, registry, feed, the worker as `lockgate run` has it, audit; and the verdict.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::audit::Audit;
use super::broker::{Broker, CLIENT_PROPERTIES};
use super::embedded;
use super::feed::{Feed, lock};
use super::generate::{Generator, SOURCE_PARTITIONS, SchemaIds};
use super::shop::Table;
use super::truth::{DeadLetters, Truth};
use crate::cli::signals::Stop;
use crate::config::{AdminConfig, Config, Sources};
use crate::registry::fake::FakeRegistry;
use crate::service::Service;
use crate::telemetry::{Account, TopologyState};
use crate::topology::plan::Plan;

/// Partitions of each output topic; dead letter topics have one.
const OUTPUT_PARTITIONS: i32 = 4;

/// How often the run looks around.
const LOOK: Duration = Duration::from_millis(40);

/// Without any progress for this long, nothing more is waited for: what is missing will not come.
const STANDSTILL: Duration = Duration::from_secs(20);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Source records; without end if none.
    pub records: Option<u64>,
    /// Records per second at most.
    pub rate: Option<f64>,
    /// Seed of the events.
    pub seed: u64,
    /// Share of poison.
    pub poison: f64,
    /// Whether to go on, when all is done, until asked to stop.
    pub serve: bool,
}

/// What can be seen while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Where the status page is.
    pub page: Option<SocketAddr>,
    /// Since the start of the run.
    pub elapsed: Duration,
    /// All topologies together.
    pub account: Account,
    /// Whether all records are accounted for, and the process only goes on to be looked at.
    pub is_idle: bool,
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    /// The account of each topology, by id.
    pub accounts: Vec<(String, Account)>,
    /// From the first record polled to the last disposition.
    pub seconds: f64,
    /// Dead letters by topic and reason.
    pub dead_letters: DeadLetters,
    /// Outputs seen more than once.
    pub duplicates: u64,
    /// Number of contradictions to the generator's truth.
    pub mismatches: u64,
    /// The first of them, in words.
    pub complaints: Vec<String>,
}

impl Outcome {
    /// All topologies together.
    pub fn total(&self) -> Account {
        total(self.accounts.iter().map(|(_, account)| account))
    }
}

/// The configuration of the demo: defaults, what the user's flags say, and what an embedded broker needs.
pub fn config(flags: &[(String, String)]) -> anyhow::Result<Config> {
    let mut sources = Sources::none();
    let properties: Vec<_> = CLIENT_PROPERTIES
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let own = [
        ("kafka.brokers", "127.0.0.1:1".to_owned()),
        ("registry.url", "http://127.0.0.1".to_owned()),
        ("kafka.properties", properties.join(";")),
        // An id that is unknown stays so: nobody registers schemas while the demo runs.
        ("registry.unknown_wait_ms", "300".to_owned()),
        ("registry.unknown_ttl_ms", "600000".to_owned()),
        // Poison is spread evenly over each partition; a hundred records of all of them, in the order that they are judged in, may hold more.
        ("limits.poison_window", "1000".to_owned()),
        ("log.filter", "error".to_owned()),
    ];
    sources.flags = own.map(|(key, value)| (key.to_owned(), value)).into();
    sources.flags.extend(flags.iter().cloned());
    let mut config = crate::config::load(&sources)?;
    // Another worker may have the usual port; a port that the user names must be free.
    let is_named = flags.iter().any(|(key, _)| key == "admin.listen");
    let usual = AdminConfig::default().listen;
    if let (false, Some(usual)) = (is_named, usual)
        && std::net::TcpListener::bind(usual).is_err()
    {
        config.admin.listen = Some((usual.ip(), 0).into());
    }
    Ok(config)
}

/// Runs it on the current tokio runtime. `show` is called several times a second.
pub async fn run(
    options: &Options,
    mut config: Config,
    mut stop: Stop,
    mut show: impl FnMut(&Progress),
) -> anyhow::Result<Outcome> {
    let plans = embedded::plans().map_err(|faults| {
        anyhow::anyhow!(
            "the shipped topologies have faults:\n{}",
            faults.render(false)
        )
    })?;
    let topics = output_topics(&plans);
    let sources = Table::ALL.map(|table| (table.topic(), SOURCE_PARTITIONS as i32));
    let outputs = topics
        .iter()
        .map(|(topic, (partitions, _))| (topic.as_str(), *partitions));
    let broker = Broker::start(sources.into_iter().chain(outputs))?;
    let registry = FakeRegistry::start()
        .await
        .context("starting the embedded registry failed")?;
    let ids = register(&registry, &plans);

    let addresses = broker.addresses();
    config.registry.urls = vec![registry.url()];
    let connection = config
        .connections
        .get_mut("main")
        .context("the embedded broker is not configured")?;
    connection.brokers.clone_from(&addresses);

    let truth = Arc::new(Mutex::new(Truth::default()));
    let dead_letters = Arc::new(Mutex::new(DeadLetters::default()));
    let service = Service::start(&plans, config, false)?;

    let feed = Spawned::start("demo-feed", {
        let generator = Generator::new(options.seed, options.records, options.poison, ids);
        let (truth, addresses, rate) = (truth.clone(), addresses.clone(), options.rate);
        move |stop| {
            Feed {
                generator,
                rate,
                truth,
                stop,
            }
            .run(&addresses)
        }
    })?;
    let audit = Spawned::start("demo-audit", {
        let of = |is_wanted: bool| {
            let chosen = topics
                .iter()
                .filter(move |(_, (_, is_dead))| *is_dead || !is_wanted);
            chosen
                .map(|(topic, (partitions, _))| (topic.clone(), *partitions))
                .collect::<Vec<_>>()
        };
        let audit = Audit {
            topics: of(false),
            dead_letter_topics: of(true).into_iter().map(|(topic, _)| topic).collect(),
            truth: truth.clone(),
            dead_letters: dead_letters.clone(),
            stop: Arc::default(),
        };
        move |stop| Audit { stop, ..audit }.run(&addresses)
    })?;

    let mut pace = Pace::new();
    let mut is_told = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.changed(), if !is_told => {
                is_told = true;
                feed.stop.store(true, Ordering::Relaxed);
            }
        }
        let open = follow(&service, &plans, &truth);
        let accounts: Vec<_> = plans
            .iter()
            .map(|plan| service.metrics().account(&plan.id))
            .collect();
        let account = total(&accounts);
        let is_idle = feed.is_finished() && open == 0;
        show(&Progress {
            page: service.address(),
            elapsed: pace.started.elapsed(),
            account,
            is_idle,
        });
        pace.look(&account);
        if is_idle && (!options.serve || is_told) {
            break;
        }
        if feed.is_finished() && !is_idle && pace.has_stood_still() {
            break;
        }
        if audit.is_finished() || service.is_finished() {
            break;
        }
        if let Some((id, why)) = stopped(&service, &plans) {
            lock(&truth).complain(format!("the topology {id} stopped: {why}"));
            break;
        }
    }

    feed.end()?;
    service.stop();
    service.finished().await;
    let metrics = service.metrics().clone();
    let mut complaints = Vec::new();
    for (id, ended) in service.join() {
        let ended = ended.with_context(|| format!("the topology {id} failed"))?;
        if let Some(error) = ended.error {
            complaints.push(format!("the topology {id} failed: {error}"));
        }
        if !ended.leftovers.is_empty() {
            complaints.push(format!(
                "the topology {id} left {} partitions undrained",
                ended.leftovers.len()
            ));
        }
    }
    audit.end()?;
    drop(broker);

    let accounts: Vec<_> = plans
        .iter()
        .map(|plan| (plan.id.clone(), metrics.account(&plan.id)))
        .collect();
    let mut truth = lock(&truth);
    complaints
        .into_iter()
        .for_each(|complaint| truth.complain(complaint));
    compare(
        &mut truth,
        &total(accounts.iter().map(|(_, account)| account)),
    );
    let dead_letters = dead_letters
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Ok(Outcome {
        accounts,
        seconds: pace.seconds(),
        dead_letters,
        duplicates: truth.duplicates,
        mismatches: truth.mismatches,
        complaints: truth.complaints.clone(),
    })
}

/// Output topics by name: partitions, and whether dead letters go there.
fn output_topics(plans: &[Arc<Plan>]) -> BTreeMap<String, (i32, bool)> {
    let mut topics = BTreeMap::new();
    for plan in plans {
        for (index, output) in plan.topics.iter().enumerate() {
            let is_dead = index == usize::from(plan.dead_letter);
            topics.insert(
                output.topic.clone(),
                (if is_dead { 1 } else { OUTPUT_PARTITIONS }, is_dead),
            );
        }
    }
    topics
}

/// Registers what Debezium and an operator would have registered; the ids of the sources.
fn register(registry: &FakeRegistry, plans: &[Arc<Plan>]) -> [SchemaIds; 2] {
    let schemas = plans.iter().flat_map(|plan| &plan.schemas);
    for schema in schemas.filter(|schema| schema.is_framed) {
        registry.register(&schema.subject, &schema.schema.source);
    }
    Table::ALL.map(|table| {
        let [key, value] = embedded::source_schemas(table)
            .map(|(subject, text)| registry.register(&subject, text));
        SchemaIds { key, value }
    })
}

/// Takes over how far the worker is; the number of records that are not settled.
fn follow(service: &Service, plans: &[Arc<Plan>], truth: &Mutex<Truth>) -> u64 {
    let partitions: Vec<_> = plans
        .iter()
        .flat_map(|plan| service.metrics().partitions(&plan.id))
        .collect();
    let mut truth = lock(truth);
    for partition in partitions {
        truth.advance(
            &partition.topic,
            partition.partition,
            partition.frontier.unwrap_or(0),
        );
    }
    truth.open()
}

fn stopped(service: &Service, plans: &[Arc<Plan>]) -> Option<(String, String)> {
    plans.iter().find_map(|plan| {
        match service
            .metrics()
            .board()
            .topology(&plan.id, &plan.version)
            .state()
        {
            TopologyState::Stopped(why) => Some((plan.id.clone(), why)),
            _ => None,
        }
    })
}

/// The verdict: what was seen, and what the worker says of itself, against the truth.
fn compare(truth: &mut Truth, account: &Account) {
    truth.complain_of_missing();
    let [delivered, filtered, dead_lettered, released] = account.disposed;
    let written = truth.written;
    let said = [
        ("consumed", account.consumed, written.total()),
        ("delivered", delivered, written.delivered),
        ("filtered", filtered, written.filtered),
        ("dead-lettered", dead_lettered, written.dead_lettered),
        ("released", released, 0),
        ("pending", account.pending, 0),
    ];
    for (what, said, must) in said {
        if said != must {
            truth.complain(format!(
                "the worker counts {said} records as {what}, the generator {must}"
            ));
        }
    }
    if truth.duplicates > 0 {
        truth.complain(format!(
            "{} outputs were written twice, without any fault that would explain it",
            truth.duplicates
        ));
    }
}

fn total<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Account {
    accounts
        .into_iter()
        .fold(Account::default(), |mut sum, account| {
            sum.consumed += account.consumed;
            sum.pending += account.pending;
            for (total, count) in sum.disposed.iter_mut().zip(account.disposed) {
                *total += count;
            }
            sum
        })
}

/// A thread with a stop sign of its own.
struct Spawned {
    name: &'static str,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Spawned {
    fn start(
        name: &'static str,
        work: impl FnOnce(Arc<AtomicBool>) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let sign = stop.clone();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || work(sign));
        Ok(Spawned {
            name,
            stop,
            thread: thread.with_context(|| format!("starting the thread {name} failed"))?,
        })
    }

    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    fn end(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(ended) => ended,
            Err(_) => bail!(
                "the thread {} panicked: this is a defect of the demo",
                self.name
            ),
        }
    }
}

/// When the first record came and the last one was done.
struct Pace {
    started: Instant,
    first: Option<Instant>,
    last: Instant,
    seen: Account,
}

impl Pace {
    fn new() -> Self {
        let started = Instant::now();
        Pace {
            started,
            first: None,
            last: started,
            seen: Account::default(),
        }
    }

    fn look(&mut self, account: &Account) {
        if *account != self.seen {
            self.seen = *account;
            self.last = Instant::now();
            self.first.get_or_insert(self.last);
        }
    }

    fn has_stood_still(&self) -> bool {
        self.last.elapsed() > STANDSTILL
    }

    fn seconds(&self) -> f64 {
        self.first
            .map_or(0.0, |first| (self.last - first).as_secs_f64())
    }
}
