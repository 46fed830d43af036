//! The log: one line per event on standard error, JSON or for people.
//!
//! What a line may hold is decided here, once, whoever writes it: control characters are escaped, fields are bounded, the field
//! `payload` is left out unless the configuration asks for it, and warnings, errors and every event with a `reason` are limited
//! per place and reason: the first ten in ten seconds, then one summary with the count. An outage or a flood of bad
//! records costs a few lines, not the disk.
//!
//! Events about a record are written with [`record_event!`](crate::record_event), so that each carries `source`
//! (topic/partition/offset), `correlation` and `reason`.

mod limiter;
mod line;

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use super::ledger::lock;
use crate::config::{LogConfig, LogFormat};
use limiter::{Limiter, Summary};
use line::{Fields, Look};

/// Lines of one place and reason in one window.
const LINES_MAX: u64 = 10;
/// How long a place and reason stays silenced after its first line.
const WINDOW: Duration = Duration::from_secs(10);

static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// Lines left out by the rate limit since the process started.
pub fn suppressed_lines() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// Sets up the log of this process. Keep the guard until the end: dropping it writes the last summaries.
pub fn init(config: &LogConfig) -> Result<LogGuard, LogError> {
    let stderr = std::io::stderr();
    let look = match config.format {
        LogFormat::Json => Look::Json,
        LogFormat::Auto if !stderr.is_terminal() => Look::Json,
        LogFormat::Human | LogFormat::Auto => Look::Human {
            colours: anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never,
        },
    };
    let filter = EnvFilter::builder()
        .parse(&config.filter)
        .map_err(|error| LogError::Filter(config.filter.clone(), error.to_string()))?;
    let lines = Arc::new(Lines::new(look, config.payloads, Box::new(stderr)));
    let guard = LogGuard::start(lines.clone()).map_err(LogError::Thread)?;
    Registry::default()
        .with(LinesLayer(lines).with_filter(filter))
        .try_init()
        .map_err(|_| LogError::Twice)?;
    Ok(guard)
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "log.filter `{0}` cannot be read: {1}; write a level, such as `info`, or `info,lockgate::registry=debug`"
    )]
    Filter(String, String),
    /// A program that uses the library has set up its own log.
    #[error("the log of this process has been set up before")]
    Twice,
    /// The system gave no thread.
    #[error("the thread of the log cannot be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// Writes summaries of what the rate limit left out, also when the flood is over.
#[derive(Debug)]
pub struct LogGuard {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl LogGuard {
    fn start(lines: Arc<Lines>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || summarise(&lines, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn summarise(lines: &Lines, stopped: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_secs(1)) {
        lines.summaries(Some(lines.began.elapsed()));
    }
    lines.summaries(None);
}

/// A record as log lines name it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Source topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The id that the record brought along, if any; otherwise its position is its id.
    pub correlation: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// The same on every attempt and every worker.
    pub fn correlation_id(&self) -> CorrelationId<'a> {
        CorrelationId(*self)
    }
}

/// Prints the id by which a record is followed through the systems it passes.
#[derive(Clone, Copy, Debug)]
pub struct CorrelationId<'a>(Source<'a>);

impl fmt::Display for CorrelationId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.correlation {
            Some(id) => f.write_str(id),
            None => self.0.fmt(f),
        }
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Writes a log event about a record: `record_event!(Level::WARN, source, "bad_frame", step, "went to the dead letters")`,
/// with a [`Source`](crate::telemetry::logging::Source), a reason code, then fields and a message as `tracing::event!` takes
/// them. A field called `payload` appears only if `log.payloads` is on.
#[macro_export]
macro_rules! record_event {
    ($level:expr, $source:expr, $reason:expr, $($rest:tt)+) => {{
        let source: &$crate::telemetry::logging::Source<'_> = &$source;
        ::tracing::event!($level, %source, correlation = %source.correlation_id(), reason = $reason, $($rest)+)
    }};
}

struct Lines {
    look: Look,
    with_payloads: bool,
    began: Instant,
    limiter: Mutex<Limiter>,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Lines {
    fn new(look: Look, with_payloads: bool, out: Box<dyn Write + Send>) -> Self {
        let limiter = Mutex::new(Limiter::new(LINES_MAX, WINDOW));
        Self {
            look,
            with_payloads,
            began: Instant::now(),
            limiter,
            out: Mutex::new(out),
        }
    }

    fn event(&self, event: &Event<'_>, now: Duration) {
        let metadata = event.metadata();
        let reason = line::reason(event);
        if reason.is_some() || *metadata.level() <= Level::WARN {
            let key = (metadata.callsite(), reason.unwrap_or_default());
            let is_first_kept_back = match lock(&self.limiter).admit(key, now) {
                limiter::Verdict::Write => false,
                limiter::Verdict::KeepBackFirst => true,
                limiter::Verdict::KeepBack => {
                    SUPPRESSED.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            };
            if is_first_kept_back {
                SUPPRESSED.fetch_add(1, Ordering::Relaxed);
                let fields = Fields::of(event, false);
                let key = (metadata.callsite(), fields.reason().to_owned());
                lock(&self.limiter).describe(
                    &key,
                    *metadata.level(),
                    fields.target(),
                    fields.message(),
                );
                return;
            }
        }
        self.write(
            &self
                .look
                .line(*metadata.level(), &Fields::of(event, self.with_payloads)),
        );
    }

    /// Writes what was kept back in windows that are over at `now`; `None`: in all.
    fn summaries(&self, now: Option<Duration>) {
        let summaries = lock(&self.limiter).expire(now);
        for Summary {
            level,
            target,
            message,
            reason,
            count,
        } in summaries
        {
            let fields = Fields::summary(&target, &message, &reason, count, WINDOW);
            self.write(&self.look.line(level, &fields));
        }
    }

    fn write(&self, line: &str) {
        // Nobody is left to tell if standard error is closed.
        let _ = lock(&self.out).write_all(line.as_bytes());
    }
}

struct LinesLayer(Arc<Lines>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LinesLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.event(event, self.0.began.elapsed());
    }
}

#[cfg(test)]
pub(crate) mod tests;
