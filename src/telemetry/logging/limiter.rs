//! How many lines of one kind are written. Pure: the time is handed in.

use std::collections::HashMap;
use std::time::Duration;

use tracing::Level;
use tracing::callsite::Identifier;

/// The place in the code and the reason of an event.
pub(super) type Key = (Identifier, String);

/// Kinds remembered at once. Places are as many as the code has, reasons are codes: only a fault of ours gets here, and then
/// all further reasons of a place share one count.
const KINDS_MAX: usize = 1_000;

pub(super) struct Limiter {
    lines_max: u64,
    window: Duration,
    kinds: HashMap<Key, Window>,
}

struct Window {
    began: Duration,
    seen: u64,
    /// Level, target and message of the first line that was kept back, for the summary.
    description: Option<(Level, String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Write,
    /// Keep it back and [`Limiter::describe`] it.
    KeepBackFirst,
    KeepBack,
}

/// Lines of one kind that were kept back in a window.
#[derive(Debug, PartialEq)]
pub(super) struct Summary {
    pub level: Level,
    pub target: String,
    pub message: String,
    pub reason: String,
    pub count: u64,
}

impl Limiter {
    pub fn new(lines_max: u64, window: Duration) -> Self {
        Self {
            lines_max,
            window,
            kinds: HashMap::new(),
        }
    }

    /// Counts an event. A window that is over but not yet expired goes on, so that no count is lost.
    pub fn admit(&mut self, key: Key, now: Duration) -> Verdict {
        let key = self.bounded(key);
        let window = self.kinds.entry(key).or_insert(Window {
            began: now,
            seen: 0,
            description: None,
        });
        window.seen += 1;
        if window.seen <= self.lines_max {
            Verdict::Write
        } else if window.description.is_none() {
            Verdict::KeepBackFirst
        } else {
            Verdict::KeepBack
        }
    }

    pub fn describe(&mut self, key: &Key, level: Level, target: &str, message: &str) {
        let key = self.bounded(key.clone());
        if let Some(window) = self.kinds.get_mut(&key) {
            window.description = Some((level, target.to_owned(), message.to_owned()));
        }
    }

    /// Forgets the windows that are over at `now` (`None`: all) and tells what they kept back.
    pub fn expire(&mut self, now: Option<Duration>) -> Vec<Summary> {
        let (window, lines_max) = (self.window, self.lines_max);
        let over = |_: &Key, kind: &mut Window| {
            now.is_none_or(|now| now.saturating_sub(kind.began) >= window)
        };
        let summary = |((_, reason), kind): (Key, Window)| {
            let (level, target, message) = kind.description?;
            Some(Summary {
                level,
                target,
                message,
                reason,
                count: kind.seen - lines_max,
            })
        };
        let mut summaries: Vec<_> = self.kinds.extract_if(over).filter_map(summary).collect();
        summaries.sort_by(|a, b| {
            (&a.target, &a.reason, &a.message).cmp(&(&b.target, &b.reason, &b.message))
        });
        summaries
    }

    fn bounded(&self, key: Key) -> Key {
        if self.kinds.len() < KINDS_MAX || self.kinds.contains_key(&key) {
            key
        } else {
            (key.0, "overflow".to_owned())
        }
    }
}
