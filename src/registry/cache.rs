//! The cache of schemas by id that the road reads.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;

use super::desk::{Asked, Desk, Fate, Step};
use super::http::{Failure, Http};
use super::reader::{self, Read};
use crate::codec::frame::SchemaId;
use crate::config::RegistryConfig;
use crate::core::Millis;
use crate::schema::Schema;

/// Final answers kept. A registry holds fewer schemas that one worker meets; beyond it an arbitrary one is forgotten, and
/// fetched again if it is wanted.
const FINAL_MAX: usize = 4_096;
/// Unknown ids remembered; beyond it the oldest is forgotten early. Few in tests, so that one can go beyond it.
pub(super) const UNKNOWN_MAX: usize = if cfg!(test) { 100 } else { 10_000 };
/// How often an outage that goes on is logged.
const REMIND: Duration = Duration::from_secs(30);

/// What there is under a schema id. Never an outage: during one there is no answer yet.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The schema.
    Found(Arc<Schema>),
    /// The registry knows no such id, and was given time to learn of it.
    Unknown,
    /// Another type of schema, or one beyond our limits; in words.
    Unusable(Arc<str>),
}

/// An outage of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// How long it has lasted, in milliseconds.
    pub for_ms: u64,
    /// Probes that failed since it began.
    pub failures: u32,
    /// What the last one said; without credentials.
    pub message: String,
}

/// Counts for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Final answers held.
    pub known: usize,
    /// Ids held as unknown.
    pub unknown: usize,
    /// Ids that are waited for.
    pub open: usize,
    /// Asks made since the start; following references takes several requests per ask.
    pub asks: u64,
    /// Asks that failed since the start.
    pub failures: u64,
    /// Asks answered with "no such id" since the start.
    pub not_found: u64,
    /// Looks into the cache since the start that found an answer.
    pub hits: u64,
    /// Looks that found none.
    pub misses: u64,
}

/// A handle to the cache; clones share it. Its task ends when the last handle is dropped.
#[derive(Clone)]
pub struct Cache {
    shared: Arc<Shared>,
    /// Held for its `Drop`.
    _task: Arc<Task>,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Called once with the answer, on an I/O thread: be quick.
type Reply = Box<dyn FnOnce(Answer) + Send>;

struct Shared {
    http: Http,
    started: Instant,
    unknown_ttl: Duration,
    answers: RwLock<Answers>,
    counter: Mutex<Counter>,
    hits: AtomicU64,
    misses: AtomicU64,
    /// A request came in.
    wake: Notify,
}

#[derive(Default)]
struct Answers {
    settled: HashMap<SchemaId, Answer>,
    unknown: HashMap<SchemaId, Instant>,
    /// The ids of `unknown` in the order of their end, which is that of their coming.
    ends: VecDeque<SchemaId>,
}

/// What is wanted and who waits for it.
struct Counter {
    desk: Desk,
    waiting: HashMap<SchemaId, Vec<Reply>>,
    asks: u64,
    failures: u64,
    not_found: u64,
    reminded: Option<Instant>,
}

impl Cache {
    /// Starts the cache's task on a runtime. Fails if no registry is configured or its CA file cannot be used; not if the
    /// registry cannot be reached.
    pub fn start(
        config: &RegistryConfig,
        runtime: &tokio::runtime::Handle,
    ) -> anyhow::Result<Cache> {
        let shared = Arc::new(Shared {
            http: Http::new(config)?,
            started: Instant::now(),
            unknown_ttl: Duration::from_millis(config.unknown_ttl_ms),
            answers: RwLock::default(),
            counter: Mutex::new(Counter {
                desk: Desk::new(Millis(config.unknown_wait_ms), config.requests_per_second),
                waiting: HashMap::new(),
                asks: 0,
                failures: 0,
                not_found: 0,
                reminded: None,
            }),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            wake: Notify::new(),
        });
        let task = runtime.spawn(serve(shared.clone())).abort_handle();
        Ok(Cache {
            shared,
            _task: Arc::new(Task(task)),
        })
    }

    /// The answer, if it is here. Cheap enough for once per batch and id; per record keep what was compiled from it.
    pub fn get(&self, id: impl Into<SchemaId>) -> Option<Answer> {
        let id = id.into();
        let answer = self.shared.get(id);
        let count = if answer.is_some() {
            &self.shared.hits
        } else {
            &self.shared.misses
        };
        count.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Calls back with the answer: at once on this thread if it is here, else later on an I/O thread, however long an
    /// outage lasts. Requests for one id share one fetch. Costs memory until then: the caller bounds how many it makes.
    pub fn request(&self, id: impl Into<SchemaId>, reply: impl FnOnce(Answer) + Send + 'static) {
        let id = id.into();
        let mut counter = self.shared.counter();
        // Looked up under the lock: an answer is stored before those who wait for it are taken from the counter.
        if let Some(answer) = self.get(id) {
            drop(counter);
            return reply(answer);
        }
        counter.waiting.entry(id).or_default().push(Box::new(reply));
        counter.desk.request(self.shared.now(), id);
        drop(counter);
        self.shared.wake.notify_one();
    }

    /// The answer, waited for.
    pub async fn fetch(&self, id: impl Into<SchemaId>) -> Answer {
        let (tell, told) = tokio::sync::oneshot::channel();
        self.request(id, move |answer| {
            // Whoever asked may have gone away.
            let _ = tell.send(answer);
        });
        told.await
            .expect("every request is answered while a handle is held")
    }

    /// The outage, while there is one.
    pub fn outage(&self) -> Option<Outage> {
        let counter = self.shared.counter();
        counter.desk.failing().map(|failing| Outage {
            for_ms: self.shared.now().0.saturating_sub(failing.since.0),
            failures: failing.failures,
            message: failing.message.clone(),
        })
    }

    /// Counts for metrics.
    pub fn stats(&self) -> Stats {
        let counter = self.shared.counter();
        let answers = self
            .shared
            .answers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Stats {
            known: answers.settled.len(),
            unknown: answers.unknown.len(),
            open: counter.desk.open(),
            asks: counter.asks,
            failures: counter.failures,
            not_found: counter.not_found,
            hits: self.shared.hits.load(Ordering::Relaxed),
            misses: self.shared.misses.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    fn now(&self) -> Millis {
        Millis(self.started.elapsed().as_millis() as u64)
    }

    // A panic while a lock is held cannot leave these half changed in a way that matters: go on with what is there.
    fn counter(&self) -> MutexGuard<'_, Counter> {
        self.counter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: SchemaId) -> Option<Answer> {
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.settled.get(&id) {
            return Some(answer.clone());
        }
        let end = answers.unknown.get(&id)?;
        (Instant::now() < *end).then_some(Answer::Unknown)
    }

    fn keep(&self, id: SchemaId, answer: &Answer) {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        let answers = &mut *answers;
        if let Answer::Found(_) | Answer::Unusable(_) = answer {
            if answers.settled.len() >= FINAL_MAX
                && let Some(forgotten) = answers.settled.keys().next().copied()
            {
                answers.settled.remove(&forgotten);
            }
            answers.settled.insert(id, answer.clone());
            return;
        }
        let now = Instant::now();
        while let Some(oldest) = answers.ends.front() {
            let over = answers.unknown.get(oldest).is_none_or(|end| *end <= now);
            if !over && answers.unknown.len() < UNKNOWN_MAX {
                break;
            }
            answers.unknown.remove(oldest);
            answers.ends.pop_front();
        }
        if answers.unknown.insert(id, now + self.unknown_ttl).is_none() {
            answers.ends.push_back(id);
        }
    }

    /// Takes the outcome of an ask and tells those who wait, if it is final.
    fn finish(&self, id: SchemaId, outcome: Result<Read, Failure>) {
        let (asked, answer) = match outcome {
            Ok(Read::Found(schema)) => (Asked::Answered, Some(Answer::Found(schema))),
            Ok(Read::Unusable(words)) => (Asked::Answered, Some(Answer::Unusable(words.into()))),
            Ok(Read::Unknown) => (Asked::Unknown, None),
            Err(Failure(message)) => (Asked::Failed(message), None),
        };
        let mut counter = self.counter();
        counter.log(&asked);
        let fate = counter.desk.answered(self.now(), id, asked, rand::random());
        let answer = match fate {
            Fate::Answered => answer.expect("an ask that was answered has an answer"),
            Fate::Unknown => Answer::Unknown,
            Fate::Open => return,
        };
        self.keep(id, &answer);
        let waiting = counter.waiting.remove(&id).unwrap_or_default();
        drop(counter);
        for reply in waiting {
            reply(answer.clone());
        }
    }
}

impl Counter {
    /// An outage is logged when it begins, while it lasts now and then, and when it ends.
    fn log(&mut self, asked: &Asked) {
        self.asks += 1;
        self.not_found += u64::from(matches!(asked, Asked::Unknown));
        let open = self.desk.open();
        if let Asked::Failed(message) = asked {
            self.failures += 1;
            if self.reminded.is_none_or(|last| last.elapsed() >= REMIND) {
                self.reminded = Some(Instant::now());
                tracing::warn!(
                    error = %message,
                    ids_waiting = open,
                    "the schema registry fails: partitions that need a new schema wait, nothing is dead-lettered"
                );
            }
        } else if self.reminded.take().is_some() {
            tracing::info!(ids_waiting = open, "the schema registry answers again");
        }
    }
}

/// The cache's task: asks what the desk says, when it says so.
async fn serve(shared: Arc<Shared>) {
    let mut asks = JoinSet::new();
    let mut ids = HashMap::new();
    loop {
        let step = {
            let now = shared.now();
            shared.counter().desk.step(now)
        };
        let until = match step {
            Step::Ask(id) => {
                let shared = shared.clone();
                let ask = asks.spawn(async move { reader::by_id(&shared.http, id).await });
                ids.insert(ask.id(), id);
                continue;
            }
            Step::Wait(until) => until,
        };
        let wait = async {
            match until {
                Some(at) => {
                    tokio::time::sleep_until(shared.started + Duration::from_millis(at.0)).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.wake.notified() => {}
            () = wait => {}
            Some(joined) = asks.join_next_with_id() => {
                let (task, outcome) = match joined {
                    Ok((task, outcome)) => (task, outcome),
                    Err(error) => (error.id(), Ok(broken(&error))),
                };
                let id = ids.remove(&task).expect("every ask is entered when it starts");
                shared.finish(id, outcome);
            }
        }
    }
}

/// An ask that panicked: the schema's text brought the parser down, and would again.
fn broken(error: &JoinError) -> Read {
    tracing::error!(%error, "reading a schema failed in an unforeseen way");
    Read::Unusable("reading it failed in an unforeseen way".into())
}
