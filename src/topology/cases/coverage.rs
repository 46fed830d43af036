//! How much of a topology its test cases show: every step entered, every route taken, every condition true and false.

use std::collections::BTreeMap;
use std::ops::Range;

use super::run::Trail;
use crate::topology::load::Watched;
use crate::topology::spec::{ActionSpec, KeySpec, MapSpec, RouteSpec, Spec, StepSpec, Text};

/// What the cases of a topology show of it.
#[derive(Debug)]
pub struct Coverage {
    /// Everything that can be shown, in the order of the file.
    pub points: Vec<Point>,
}

/// Something that a case can show.
#[derive(Debug, Clone)]
pub struct Point {
    /// What it is.
    pub kind: PointKind,
    /// The step or route that it belongs to: `step live`, `route big`.
    pub owner: String,
    /// Line and column in the topology, from 1.
    pub position: (usize, usize),
    /// The condition, on one line; empty for steps and routes.
    pub text: String,
    /// Whether a case shows it.
    pub is_covered: bool,
}

/// The kinds of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// A step that a record enters.
    Step,
    /// A route that a record takes.
    Route,
    /// A condition that comes out so: an operand of `&&` or `||`, what stands before `?`, what a macro asks of each element, a
    /// whole `keep`, `drop`, `require` or `when`.
    Branch(bool),
}

impl PointKind {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            PointKind::Step => "step",
            PointKind::Route => "route",
            PointKind::Branch(_) => "branch",
        }
    }
}

impl Point {
    /// What is missing, for a person.
    pub fn lack(&self) -> String {
        match self.kind {
            PointKind::Step => format!("{}: no case gets there", self.owner),
            PointKind::Route => format!("{}: no case takes it", self.owner),
            PointKind::Branch(outcome) => {
                format!("{}: `{}` is never {outcome}", self.owner, self.text)
            }
        }
    }
}

impl Coverage {
    /// What the cases with these trails show. They must have been run on the plan of `watched`.
    pub fn of(watched: &Watched, trails: &[Trail]) -> Coverage {
        let spec = &watched.spec;
        let at = |span: &Range<usize>| spec.file.position(span.start);
        let mut points = Vec::new();
        for (index, step) in spec.steps.iter().enumerate() {
            points.push(Point {
                kind: PointKind::Step,
                owner: named("step", &step.name),
                position: step.name.as_ref().map_or((1, 1), |name| at(&name.span)),
                text: String::new(),
                is_covered: trails.iter().any(|trail| trail.steps > index),
            });
        }
        for (index, route) in spec.routes.iter().enumerate() {
            points.push(Point {
                kind: PointKind::Route,
                owner: named("route", &route.name),
                position: at(&route.span),
                text: String::new(),
                is_covered: trails.iter().any(|trail| trail.routes.contains(&index)),
            });
        }
        // The same text is compiled once per source: it is enough that one of them shows it.
        let mut branches: BTreeMap<(usize, usize), [bool; 2]> = BTreeMap::new();
        for probe in watched.probes.list() {
            if !probe.outcomes.is_constant() {
                let seen = branches
                    .entry((probe.span.start, probe.span.end))
                    .or_default();
                seen[0] |= probe.outcomes.was(true);
                seen[1] |= probe.outcomes.was(false);
            }
        }
        for ((start, end), seen) in branches {
            for (is_covered, outcome) in seen.into_iter().zip([true, false]) {
                points.push(Point {
                    kind: PointKind::Branch(outcome),
                    owner: owner(spec, start),
                    position: spec.file.position(start),
                    text: one_line(&spec.file.text[start..end]),
                    is_covered,
                });
            }
        }
        points.sort_by_key(|point| point.position);
        Coverage { points }
    }

    /// Points of a kind: how many are covered, how many there are. All branches are of one kind here.
    pub fn count(&self, kind: PointKind) -> (usize, usize) {
        let same = |point: &&Point| point.kind.name() == kind.name();
        let all = self.points.iter().filter(same);
        let covered = all.clone().filter(|point| point.is_covered).count();
        (covered, all.count())
    }

    /// Covered points out of a hundred.
    pub fn percent(&self) -> f64 {
        let covered = self.points.iter().filter(|point| point.is_covered).count();
        match self.points.len() {
            0 => 100.0,
            all => covered as f64 * 100.0 / all as f64,
        }
    }

    /// What no case shows.
    pub fn lacks(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| !point.is_covered)
    }
}

fn named(what: &str, name: &Option<Text>) -> String {
    let name = name.as_ref().map_or("?", |name| name.value.as_str());
    format!("{what} {name}")
}

/// The step or route that a byte of the file belongs to.
pub(in crate::topology) fn owner(spec: &Spec, at: usize) -> String {
    let step = spec.steps.iter().find(|step| holds(&step_texts(step), at));
    if let Some(step) = step {
        return named("step", &step.name);
    }
    let route = spec
        .routes
        .iter()
        .find(|route| holds(&route_texts(route), at));
    named("route", &route.and_then(|route| route.name.clone()))
}

fn holds(texts: &[&Text], at: usize) -> bool {
    texts.iter().any(|text| text.span.contains(&at))
}

fn step_texts(step: &StepSpec) -> Vec<&Text> {
    match &step.action {
        Some(ActionSpec::Keep(text) | ActionSpec::Drop(text) | ActionSpec::Require(text)) => {
            vec![text]
        }
        Some(ActionSpec::Map(map)) => map_texts(map),
        None => Vec::new(),
    }
}

fn map_texts(map: &MapSpec) -> Vec<&Text> {
    map.set.iter().map(|(_, text)| text).collect()
}

fn route_texts(route: &RouteSpec) -> Vec<&Text> {
    let mut texts: Vec<&Text> = route.when.iter().collect();
    texts.extend(route.map.iter().flat_map(map_texts));
    if let Some(kafka) = &route.kafka {
        texts.extend(&kafka.topic);
        texts.extend(&kafka.value);
        match &kafka.key {
            Some(KeySpec::Expr(text)) => texts.push(text),
            Some(KeySpec::Avro { map, value }) => {
                texts.extend(map_texts(map));
                texts.extend(value);
            }
            None => {}
        }
        texts.extend(kafka.headers.iter().map(|(_, text)| text));
    }
    texts
}

/// Text over several lines, on one.
pub(in crate::topology) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
