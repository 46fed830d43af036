//! Conditions that are decided before any record comes. A topology's text is compiled once for each source; only what
//! holds for all of them is told.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::topology::fault::{Fault, Faults, Severity, Source};

/// What a condition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A step that keeps what satisfies it.
    Keep,
    /// A step that drops what satisfies it.
    Drop,
    /// A step that dead-letters what does not satisfy it.
    Require,
    /// A route's condition.
    When,
    /// A route that no event is left for: the routes before it take all.
    Left,
}

/// What a condition is for, and its value for each source, if it is known.
type Judged = (Rule, Vec<Option<bool>>);

/// What was found for each place in the file.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// How many sources there are. One that has a fault is compiled for nothing: then nothing holds for all of them.
    sources: usize,
    /// Parts of conditions that are decided.
    parts: BTreeMap<(usize, usize), Vec<bool>>,
    /// Whole conditions.
    rules: BTreeMap<(usize, usize), Judged>,
}

impl Verdicts {
    /// Nothing found yet for so many sources.
    pub fn of(sources: usize) -> Verdicts {
        Verdicts {
            sources,
            ..Verdicts::default()
        }
    }

    /// A part of a condition is decided.
    pub fn part(&mut self, span: &Range<usize>, value: bool) {
        let all = self.parts.entry((span.start, span.end)).or_default();
        all.push(value);
    }

    /// A condition, and its value if it is decided.
    pub fn rule(&mut self, span: &Range<usize>, rule: Rule, value: Option<bool>) {
        let entry = self.rules.entry((span.start, span.end));
        let (_, all) = entry.or_insert_with(|| (rule, Vec::new()));
        all.push(value);
    }

    /// Adds what holds for all sources.
    pub fn report(&self, file: &Arc<Source>, faults: &mut Faults) {
        let mut told: Vec<Range<usize>> = Vec::new();
        let mut push = |span: Range<usize>, code, severity, message: &str, help: &str| {
            faults.push(Fault {
                code,
                severity,
                file: file.clone(),
                span,
                message: message.to_owned(),
                help: Some(help.to_owned()),
                names: Vec::new(),
            });
        };
        for ((start, end), (rule, all)) in &self.rules {
            let Some(value) = self.agreed(all.iter().copied().collect::<Option<Vec<_>>>()) else {
                continue;
            };
            told.push(*start..*end);
            let (code, severity, message) = said(*rule, value);
            push(*start..*end, code, severity, message, help(*rule, value));
        }
        for ((start, end), all) in &self.parts {
            let Some(value) = self.agreed(Some(all.clone())) else {
                continue;
            };
            let part = *start..*end;
            if told
                .iter()
                .any(|whole| whole.start <= part.start && part.end <= whole.end)
            {
                continue;
            }
            let message = match value {
                true => "this is always true",
                false => "this is never true",
            };
            let help = "the schema and the conditions before decide it: remove it, or correct it";
            push(part, "constant_condition", Severity::Warning, message, help);
        }
    }

    /// The value that a place has for every source.
    fn agreed(&self, all: Option<Vec<bool>>) -> Option<bool> {
        let all = all?;
        let first = *all.first()?;
        (all.len() == self.sources && all.iter().all(|value| *value == first)).then_some(first)
    }
}

fn said(rule: Rule, value: bool) -> (&'static str, Severity, &'static str) {
    use Severity::{Note, Warning};
    match (rule, value) {
        (Rule::Keep, true) => (
            "constant_condition",
            Warning,
            "this is true of every event that gets here: the step keeps all of them",
        ),
        (Rule::Keep, false) => (
            "nothing_passes",
            Warning,
            "this is true of no event that gets here: the step filters all of them",
        ),
        (Rule::Drop, true) => (
            "nothing_passes",
            Warning,
            "this is true of every event that gets here: the step drops all of them",
        ),
        (Rule::Drop, false) => (
            "constant_condition",
            Warning,
            "this is true of no event that gets here: the step drops none of them",
        ),
        (Rule::Require, true) => (
            "constant_condition",
            Warning,
            "this is true of every event that gets here: the step refuses none of them",
        ),
        (Rule::Require, false) => (
            "nothing_passes",
            Warning,
            "this is true of no event that gets here: the step dead-letters all of them",
        ),
        (Rule::When, true) => (
            "constant_condition",
            Note,
            "this is true of every event that gets here",
        ),
        (Rule::When, false) => (
            "unreachable_route",
            Warning,
            "nothing takes this route: its condition is true of no event that gets here",
        ),
        (Rule::Left, _) => (
            "unreachable_route",
            Warning,
            "nothing gets to this route: the ones before it take every event",
        ),
    }
}

fn help(rule: Rule, value: bool) -> &'static str {
    match (rule, value) {
        (Rule::Left, _) => "put it first, or write `match: all`",
        (Rule::When, true) => "`when` can be left out",
        _ => "the schema and the conditions before decide it: remove it, or correct it",
    }
}
