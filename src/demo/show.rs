//! What a person sees of the demo: a bar and rates on a terminal, plain lines elsewhere, and the account at the end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::expect::Spoiled;
use super::run::{Options, Outcome, Progress};
use crate::telemetry::Account;

/// Between two plain lines, and between two changes of the words beside the bar.
const LINE_INTERVAL: Duration = Duration::from_secs(2);
const BAR_INTERVAL: Duration = Duration::from_millis(500);

/// Shows the progress on standard error.
pub struct Show {
    bar: Option<ProgressBar>,
    records: Option<u64>,
    line_at: Duration,
    /// What the last plain line said.
    consumed: u64,
    is_idle: bool,
    has_named_page: bool,
}

impl Show {
    /// A bar if standard error is a terminal, else lines.
    pub fn new(options: &Options) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let (bar, template) = match options.records {
                Some(records) => (
                    ProgressBar::new(records),
                    "{bar:30} {human_pos}/{human_len} records  {msg}",
                ),
                None => (
                    ProgressBar::no_length(),
                    "{spinner} {human_pos} records  {msg}",
                ),
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.with_style(style)
        });
        Show {
            bar,
            records: options.records,
            line_at: Duration::ZERO,
            consumed: 0,
            is_idle: false,
            has_named_page: false,
        }
    }

    /// Says a sentence above the bar.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            // Standard error may be closed: nobody reads it then.
            None => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    /// Called several times a second.
    pub fn update(&mut self, progress: &Progress) {
        if let (Some(page), false) = (progress.page, self.has_named_page) {
            self.say(&format!("status page: http://{page}/"));
            self.has_named_page = true;
        }
        let since_line = progress.elapsed.saturating_sub(self.line_at);
        let has_ended = progress.is_idle && !self.is_idle;
        let interval = if self.bar.is_some() {
            BAR_INTERVAL
        } else {
            LINE_INTERVAL
        };
        let is_due = since_line >= interval && !self.is_idle;
        let account = &progress.account;
        if let Some(bar) = &self.bar {
            bar.set_position(disposed(account));
        }
        if is_due || has_ended {
            let rate = account.consumed.saturating_sub(self.consumed) as f64
                / since_line.as_secs_f64().max(0.001);
            let [delivered, filtered, dead_lettered, _] = account.disposed;
            let words = match account.consumed {
                0 => "the worker joins its consumer group".to_owned(),
                _ => format!(
                    "{delivered} delivered, {filtered} filtered, {dead_lettered} dead-lettered, {} pending, {rate:.0}/s",
                    account.pending
                ),
            };
            match (&self.bar, self.records) {
                (Some(bar), _) => bar.set_message(words),
                (None, Some(records)) => self.say(&format!(
                    "{} of {records} records: {words}",
                    disposed(account)
                )),
                (None, None) => self.say(&format!("{} records: {words}", disposed(account))),
            }
            self.line_at = progress.elapsed;
            self.consumed = account.consumed;
        }
        self.is_idle = progress.is_idle;
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn disposed(account: &Account) -> u64 {
    account.disposed.iter().sum()
}

/// Writes the account for people.
pub fn account(out: &mut impl Write, options: &Options, outcome: &Outcome) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<12}{:>10}{:>11}{:>10}{:>15}{:>9}",
        "topology", "consumed", "delivered", "filtered", "dead-lettered", "pending"
    )?;
    let total = outcome.total();
    let all = ("together".to_owned(), total);
    for (id, account) in outcome.accounts.iter().chain([&all]) {
        let [delivered, filtered, dead_lettered, _] = account.disposed;
        writeln!(
            out,
            "{id:<12}{:>10}{delivered:>11}{filtered:>10}{dead_lettered:>15}{:>9}",
            account.consumed, account.pending
        )?;
    }
    if !outcome.dead_letters.is_empty() {
        writeln!(out, "\ndead letters")?;
        for ((topic, reason), count) in &outcome.dead_letters {
            writeln!(
                out,
                "{count:>8}  {topic:<14} {reason:<15} {}",
                Spoiled::meaning(reason)
            )?;
        }
    }
    let seconds = outcome.seconds;
    writeln!(
        out,
        "\n{} records in {seconds:.2} s: {:.0} records/s (seed {})",
        total.consumed,
        per_second(outcome),
        options.seed
    )?;
    if outcome.mismatches == 0 {
        writeln!(
            out,
            "checked: each record ended as the generator knows it must, none is missing, none was written twice"
        )
    } else {
        writeln!(
            out,
            "NOT as it must be: {} contradictions to what the generator knows",
            outcome.mismatches
        )?;
        outcome
            .complaints
            .iter()
            .try_for_each(|complaint| writeln!(out, "  {complaint}"))
    }
}

/// The account as one line of JSON.
pub fn json(outcome: &Outcome) -> serde_json::Value {
    let total = outcome.total();
    let [delivered, filtered, dead_lettered, _] = total.disposed;
    serde_json::json!({
        "consumed": total.consumed,
        "delivered": delivered,
        "filtered": filtered,
        "dead_lettered": dead_lettered,
        "pending": total.pending,
        "seconds": (outcome.seconds * 1000.0).round() / 1000.0,
        "records_per_second": per_second(outcome).round(),
    })
}

fn per_second(outcome: &Outcome) -> f64 {
    if outcome.seconds > 0.0 {
        outcome.total().consumed as f64 / outcome.seconds
    } else {
        0.0
    }
}
