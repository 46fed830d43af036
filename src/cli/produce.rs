//! `lockgate produce`: JSON lines to a topic.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::signals::Stop;
use super::topic;
use super::{Exit, Global, UsageError, runtime, signals, stderr, stdout};
use crate::config::Config;
use crate::kafka::{EnqueueError, Producer, Report, TopicHandle};
use crate::words::{self, counted};

mod encode;

use encode::{Encoder, Record};

/// Bytes of one line at most.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Faulty lines shown at most; the count is complete.
const FAULTS_SHOWN_MAX: u64 = 20;
/// How long records may go without a report before the command gives up.
const STALL: Duration = Duration::from_secs(60);
/// How often signals and reports are looked for while no line comes.
const LOOK: Duration = Duration::from_millis(100);
/// Input shorter than this needs no progress bar.
const LONG_BYTES: u64 = 1 << 20;

/// The words of `lockgate produce`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate produce --topic orders --key id events.jsonl\n  cat events.jsonl | lockgate produce --topic orders\n  lockgate tail --topic orders --from earliest --json | lockgate produce --topic copy --keyed\n\nA line is the value as JSON; `null` is a tombstone. A faulty line is named and left out; the command then ends with exit 1, as it does if a signal comes before a line that is there."
)]
pub struct Args {
    /// JSON lines to read [default: standard input].
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The same as a flag.
    #[arg(long, value_name = "FILE", hide = true, conflicts_with = "input")]
    pub file: Option<PathBuf>,
    /// Topic to write to; the schemas are the latest of its subjects, TOPIC-value and TOPIC-key.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// Kafka connection of the configuration.
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub connection: String,
    /// Field of the value that becomes the key; dots reach into records. Text where the topic has no key schema.
    #[arg(long, value_name = "FIELD")]
    pub key: Option<String>,
    /// Each line is an object of `key`, `value` and, if wanted, `headers`, as `tail --json` writes it.
    #[arg(long, conflicts_with = "key")]
    pub keyed: bool,
    /// Print the account as JSON: `topic`, `lines` read, records `written`, lines `left_out`.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let runtime = runtime()?;
    let path = args
        .input
        .as_ref()
        .or(args.file.as_ref())
        .filter(|path| *path != "-");
    let (input, length): (Box<dyn Read + Send>, Option<u64>) = match path {
        None => (Box::new(std::io::stdin()), None),
        Some(path) => {
            let file = File::open(path).map_err(|error| {
                let (why, help) = (words::of_io(&error), words::remedy(&error));
                UsageError(format!("{} cannot be read: {why}; {help}", path.display()))
            })?;
            let length = file.metadata().ok().map(|metadata| metadata.len());
            (Box::new(file), length)
        }
    };
    let encoder = runtime.block_on(Encoder::look_up(
        &config.registry,
        &args.topic,
        args.key.as_deref(),
        args.keyed,
    ))?;
    let mut writer = Writer::open(&config, &args.connection, &args.topic)?;
    // Until here a signal ends the process: a cluster that does not answer is waited for, and nothing was written.
    let stop = runtime.block_on(async { signals::listen() })?;
    let progress = progress(length);
    let end = feed(input, &encoder, &mut writer, &progress, &stop);
    let settled = writer.settle(&progress);
    progress.finish_and_clear();
    if args.json {
        let account = json!({
            "topic": args.topic,
            "lines": writer.line,
            "written": writer.written,
            "left_out": writer.faults,
        });
        writeln!(stdout(), "{account}")?;
    } else {
        let written = counted(writer.written, "record");
        writeln!(stdout(), "{written} written to {}", args.topic)?;
    }
    match writer.faults {
        0 => {}
        1 => writeln!(stderr(), "1 line was left out")?,
        faults => writeln!(stderr(), "{faults} lines were left out")?,
    }
    let end = end?;
    settled?;
    let line = writer.line;
    match end {
        End::Complete => {}
        End::Silent => writeln!(
            stderr(),
            "stopped after line {line}, the last that had come"
        )?,
        End::Cut => writeln!(
            stderr(),
            "stopped after line {line}, what follows it was left out"
        )?,
    }
    match writer.faults == 0 && end != End::Cut {
        true => Ok(Exit::Done),
        false => Ok(Exit::Failed),
    }
}

/// How the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With its last line.
    Complete,
    /// With a signal, when no line was left to read.
    Silent,
    /// With a signal, before a line that is there.
    Cut,
}

/// Encodes and enqueues every line, until a signal comes.
fn feed(
    input: Box<dyn Read + Send>,
    encoder: &Encoder,
    writer: &mut Writer,
    progress: &ProgressBar,
    stop: &Stop,
) -> anyhow::Result<End> {
    let batches = lines(input)?;
    loop {
        let batch = match batches.recv_timeout(LOOK) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Timeout) if *stop.borrow() => return Ok(End::Silent),
            Err(RecvTimeoutError::Timeout) => {
                writer.take(Duration::ZERO, progress);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(End::Complete),
        };
        for line in batch {
            if *stop.borrow() {
                return Ok(End::Cut);
            }
            let number = writer.line + 1;
            let line = line.with_context(|| format!("line {number} cannot be read"))?;
            if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
                bail!("line {number} is longer than {} MiB", LINE_BYTES_MAX >> 20);
            }
            writer.line = number;
            progress.inc(line.len() as u64);
            if line.trim_ascii().is_empty() {
                continue;
            }
            match encoder.encode(&line) {
                Ok(record) => writer.put(&record, progress)?,
                Err(fault) => writer.fault(number, &fault, progress),
            }
        }
    }
}

/// Lines that were there together, up to an error.
type Batch = Vec<std::io::Result<Vec<u8>>>;

/// Reads lines on a thread of its own: nothing interrupts a read from a terminal or a pipe that is silent, and a signal must.
fn lines(input: Box<dyn Read + Send>) -> anyhow::Result<Receiver<Batch>> {
    let (batches, received) = sync_channel(1);
    let read = move || {
        let mut input = BufReader::with_capacity(1 << 16, input);
        loop {
            let mut batch = Batch::new();
            let is_over = loop {
                let mut line = Vec::new();
                match input
                    .by_ref()
                    .take(LINE_BYTES_MAX)
                    .read_until(b'\n', &mut line)
                {
                    Ok(0) => break true,
                    Ok(_) => batch.push(Ok(line)),
                    Err(error) => {
                        batch.push(Err(error));
                        break true;
                    }
                }
                if input.buffer().is_empty() {
                    break false;
                }
            };
            // Nobody takes it any more after a signal.
            if batches.send(batch).is_err() || is_over {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("produce-input".into());
    thread.spawn(read).context("starting to read failed")?;
    Ok(received)
}

/// Writes in the order of the lines, and believes only delivery reports.
struct Writer {
    // Before the producer that it belongs to.
    topic: TopicHandle,
    producer: Producer,
    reports: Vec<Report>,
    /// Lines read.
    line: u64,
    written: u64,
    faults: u64,
}

impl Writer {
    fn open(config: &Config, connection: &str, name: &str) -> anyhow::Result<Writer> {
        let producer = topic::producer(config, connection, &[name])?;
        let topic = producer.topic(name)?;
        Ok(Writer {
            topic,
            producer,
            reports: Vec::new(),
            line: 0,
            written: 0,
            faults: 0,
        })
    }

    fn put(&mut self, record: &Record, progress: &ProgressBar) -> anyhow::Result<()> {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_deref()))
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let since = Instant::now();
        loop {
            match self
                .producer
                .enqueue(&self.topic, None, key, value, &headers, None, self.line)
            {
                Ok(()) => break,
                Err(EnqueueError::Full) if since.elapsed() < STALL => {
                    self.take(Duration::from_millis(100), progress)
                }
                Err(EnqueueError::TooLarge) => {
                    let fault = "the record is larger than the client's message.max.bytes";
                    self.fault(self.line, fault, progress);
                    break;
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("line {} cannot be written", self.line));
                }
            }
        }
        self.take(Duration::ZERO, progress);
        Ok(())
    }

    fn take(&mut self, timeout: Duration, progress: &ProgressBar) {
        let mut reports = std::mem::take(&mut self.reports);
        self.producer.poll_reports(timeout, &mut reports);
        for report in reports.drain(..) {
            match report.error {
                None => self.written += 1,
                Some(error) => self.fault(report.opaque, &error.to_string(), progress),
            }
        }
        self.reports = reports;
    }

    fn fault(&mut self, line: u64, fault: &str, progress: &ProgressBar) {
        self.faults += 1;
        if self.faults <= FAULTS_SHOWN_MAX {
            let fault = super::decode::printable(fault);
            // Nobody is left to tell if the stream is closed.
            progress.suspend(|| drop(writeln!(stderr(), "line {line}: {fault}")));
        }
    }

    /// Waits for all reports.
    fn settle(&mut self, progress: &ProgressBar) -> anyhow::Result<()> {
        let mut since = (Instant::now(), self.producer.outstanding());
        while self.producer.outstanding() > 0 {
            self.take(Duration::from_millis(100), progress);
            let outstanding = self.producer.outstanding();
            if outstanding < since.1 {
                since = (Instant::now(), outstanding);
            }
            if since.0.elapsed() > STALL {
                self.producer.purge()?;
                bail!(
                    "{outstanding} records wait for the cluster since {} s; whether they arrived is not known",
                    STALL.as_secs()
                );
            }
        }
        Ok(())
    }
}

/// A bar on a terminal for long input, nothing elsewhere.
fn progress(length: Option<u64>) -> ProgressBar {
    match length {
        Some(length) if length >= LONG_BYTES && std::io::stderr().is_terminal() => {
            let style = ProgressStyle::with_template(
                "{bar:30} {percent}% {bytes} of {total_bytes}, {bytes_per_sec}, {eta}",
            )
            .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
                .with_style(style)
        }
        _ => ProgressBar::hidden(),
    }
}
