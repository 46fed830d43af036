//! A record's way through a topology: what each step and route saw, decided and made. Runs the road of live records, once
//! for the whole topology and once up to each mapping step, whose result is then a delivery like any other.

use serde_json::{Map, Value, json};

use super::cases::run::{Ended, Record, process};
use super::cases::{one_line, owner};
use super::fault::Faults;
use super::files::Schemas;
use super::load::Watched;
use super::origin::{Origin, names, origins};
use super::plan::{Plan, Tombstones, builtin};
use super::spec::{ActionSpec, MapSpec, RouteSpec};
use super::vars::{self, Secrets, Vars};
use crate::expr;
use crate::pipeline::process::{Poison, Verdict};

/// A record's way through a topology.
#[derive(Debug)]
pub struct Trace {
    /// The record's key, decoded.
    pub key: Value,
    /// The event: the record's value, decoded; null for a tombstone, and where it cannot be read.
    pub event: Value,
    /// The steps, then the routes, in order.
    pub stages: Vec<Stage>,
    /// Deliveries, filter and dead letters, as in a test case.
    pub ended: Value,
    /// `delivered`, `filtered` or `dead_lettered`.
    pub disposition: &'static str,
}

/// A step or route on a record's way.
#[derive(Debug)]
pub struct Stage {
    /// Whether it is a route.
    pub is_route: bool,
    /// Its name.
    pub name: String,
    /// What it does, as written, on one line.
    pub text: String,
    /// What became of the record there.
    pub outcome: StageOutcome,
    /// Values of the paths that its expressions name.
    pub reads: Vec<(String, Value)>,
    /// Its conditions and their parts, by their places in the file.
    pub conditions: Vec<Condition>,
    /// The fields of what it maps: name, where from, value.
    pub fields: Vec<(String, String, Value)>,
    /// What it sends, decoded, and the bytes of the value.
    pub delivery: Option<(Value, Option<Vec<u8>>)>,
}

/// What became of a record at a step or route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageOutcome {
    /// It goes on.
    Passed,
    /// A rule filters it.
    Filtered,
    /// The route takes it.
    Taken,
    /// The route does not take it; why, where it is not the condition.
    NotTaken(Option<&'static str>),
    /// It is dead-lettered here: reason and message.
    DeadLettered(&'static str, String),
    /// It ended before.
    NotReached,
}

impl StageOutcome {
    /// The name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            StageOutcome::Passed => "passed",
            StageOutcome::Filtered => "filtered",
            StageOutcome::Taken => "taken",
            StageOutcome::NotTaken(_) => "not_taken",
            StageOutcome::DeadLettered(..) => "dead_lettered",
            StageOutcome::NotReached => "not_reached",
        }
    }
}

/// A condition, or a part of one.
#[derive(Debug)]
pub struct Condition {
    /// As written, on one line.
    pub text: String,
    /// Line and column in the topology, from 1.
    pub position: (usize, usize),
    /// Whether it is all of a `keep`, `drop`, `require` or `when`.
    pub is_whole: bool,
    /// How it came out, `failed` included; `None` if it was not needed.
    pub outcome: Option<&'static str>,
}

/// Traces a record. `schemas` and `vars` are those that the topology was loaded with.
///
/// # Errors
/// A delivery cannot be decoded, which would be a fault of ours.
pub fn trace(
    watched: &Watched,
    record: &Record,
    schemas: &mut Schemas,
    vars: &Vars,
) -> Result<Trace, String> {
    let (plan, spec) = (&watched.plan, &watched.spec);
    watched.probes.forget();
    let ended = process(plan, record);
    let json = ended.json(plan, record)?;
    let entered = ended.trail(plan, record).steps;
    let (key, event) = (record.key_json(plan), record.value_json(plan));
    let known = vars::settle(spec, vars, Secrets::IfThere, &mut Faults::default());
    let texts = known.texts.into_iter();
    let mut scope = Scope {
        event: event.clone(),
        out: Value::Null,
        meta: record.meta_json(plan),
        vars: texts
            .map(|(name, text)| (name, Value::String(text)))
            .collect(),
    };
    let mut stages = Vec::new();
    let mut known_out = Vec::new();
    for (index, step) in spec.steps.iter().enumerate() {
        let name = step.name.as_ref().map_or("?", |name| &name.value);
        let outcome = match (&ended.verdict, entered > index) {
            (_, false) => StageOutcome::NotReached,
            (Verdict::Filtered(at), _) if usize::from(*at) == index => StageOutcome::Filtered,
            (Verdict::Poison(poison), _) if poison.step == Some(index as u16) => letter(poison),
            _ => StageOutcome::Passed,
        };
        let mut stage = Stage::new(false, name, plan.steps[index].text.clone(), outcome);
        if stage.outcome != StageOutcome::NotReached {
            stage.look(
                watched,
                &format!("step {name}"),
                &step_texts(&step.action),
                &scope,
            );
        }
        if let (Some(ActionSpec::Map(map)), StageOutcome::Passed) = (&step.action, &stage.outcome) {
            scope.out = mapped(watched, index + 1, record, schemas, vars);
            stage.fields = fields(map, plan, &known_out, &scope.out);
            if let Some((output, _)) = origins(map, plan, &known_out) {
                known_out = names(output);
            }
        }
        stages.push(stage);
    }
    let reached = reaches_routes(&ended, plan, record);
    let mut taken = false;
    for (index, route) in spec.routes.iter().enumerate() {
        let name = route.name.as_ref().map_or("?", |name| &name.value);
        let needs_event = !plan.code[usize::from(record.source)].routes[index].tombstones;
        let is_decided = taken && !plan.match_all;
        let outcome = match reached {
            true => route_outcome(
                &ended,
                index,
                is_decided,
                needs_event && record.value.is_none(),
            ),
            false => StageOutcome::NotReached,
        };
        taken |= matches!(
            outcome,
            StageOutcome::Taken | StageOutcome::DeadLettered(..)
        );
        let when = route.when.as_ref().map(|when| one_line(&when.value));
        let text = when.map(|when| format!("when {when}")).unwrap_or_default();
        let mut stage = Stage::new(true, name, text, outcome);
        if !matches!(
            stage.outcome,
            StageOutcome::NotReached | StageOutcome::NotTaken(Some(_))
        ) {
            stage.look(
                watched,
                &format!("route {name}"),
                &route_texts(route),
                &scope,
            );
        }
        let sent = ended.outputs.list.iter();
        if let Some(at) = sent
            .clone()
            .position(|output| usize::from(output.route) == index)
        {
            let delivery = json["deliveries"][at].clone();
            if let Some(map) = &route.map {
                stage.fields = fields(map, plan, &known_out, &delivery["value"]);
            }
            let value = ended
                .outputs
                .part(ended.outputs.list[at].value, record.value.as_deref());
            stage.delivery = Some((delivery, value.map(<[u8]>::to_vec)));
        }
        stages.push(stage);
    }
    Ok(Trace {
        key,
        event,
        stages,
        disposition: match (&ended.verdict, ended.poisons().is_empty()) {
            (_, false) => "dead_lettered",
            (Verdict::Filtered(_), _) => "filtered",
            _ => "delivered",
        },
        ended: json,
    })
}

fn letter(poison: &Poison) -> StageOutcome {
    StageOutcome::DeadLettered(poison.reason, poison.message.clone())
}

fn route_outcome(ended: &Ended, index: usize, is_decided: bool, lacks_event: bool) -> StageOutcome {
    let is_this = |poison: &&&Poison| poison.route == Some(index as u16);
    let poisons = ended.poisons();
    if let Some(poison) = poisons.iter().find(is_this) {
        return letter(poison);
    }
    let mut sent = ended.outputs.list.iter();
    if sent.any(|output| usize::from(output.route) == index) {
        return StageOutcome::Taken;
    }
    match () {
        () if is_decided => StageOutcome::NotTaken(Some("an earlier route took it")),
        () if lacks_event => {
            StageOutcome::NotTaken(Some("it needs the event, and a tombstone has none"))
        }
        () => StageOutcome::NotTaken(None),
    }
}

/// Whether the record came as far as the routes.
fn reaches_routes(ended: &Ended, plan: &Plan, record: &Record) -> bool {
    let source = &plan.sources[usize::from(record.source)];
    let step = match &ended.verdict {
        Verdict::Deliver => None,
        Verdict::Filtered(step) => Some(*step),
        Verdict::Poison(poison) => poison.step,
    };
    let Some(step) = step else { return true };
    match plan.steps[usize::from(step)].name.as_str() {
        builtin::UNMATCHED => true,
        builtin::TOMBSTONE => source.tombstones == Tombstones::Forward,
        _ => false,
    }
}

/// What expressions can see, as JSON.
struct Scope {
    event: Value,
    out: Value,
    meta: Value,
    vars: Map<String, Value>,
}

impl Scope {
    fn get(&self, path: &str) -> Option<Value> {
        let (root, rest) = path.split_once('.')?;
        let mut names = rest.split('.');
        let mut value = match root {
            "event" => self.event.clone(),
            "out" => self.out.clone(),
            "meta" => self.meta.clone(),
            _ => self.vars.get(names.next()?)?.clone(),
        };
        for name in names {
            if value.is_null() {
                return Some(Value::Null);
            }
            value = value.get_mut(name)?.take();
        }
        Some(value)
    }
}

impl Stage {
    fn new(is_route: bool, name: &str, text: String, outcome: StageOutcome) -> Stage {
        Stage {
            is_route,
            name: name.to_owned(),
            text: one_line(&text),
            outcome,
            reads: Vec::new(),
            conditions: Vec::new(),
            fields: Vec::new(),
            delivery: None,
        }
    }

    /// Notes the values that the texts name, and how the conditions in them came out.
    fn look(&mut self, watched: &Watched, of: &str, texts: &[String], scope: &Scope) {
        for path in texts.iter().flat_map(|text| expr::paths(text)) {
            let known = self.reads.iter().any(|(known, _)| *known == path);
            if let (false, Some(value)) = (known, scope.get(&path)) {
                self.reads.push((path, value));
            }
        }
        let spec = &watched.spec;
        for probe in watched.probes.list() {
            let (at, seen) = (probe.span.start, &probe.outcomes);
            if owner(spec, at) != of || seen.is_constant() {
                continue;
            }
            let outcome = match (seen.was(true), seen.was(false), seen.has_failed()) {
                (true, true, _) => Some("true and false"),
                (true, ..) => Some("true"),
                (_, true, _) => Some("false"),
                (.., true) => Some("failed"),
                _ => None,
            };
            let text = one_line(&spec.file.text[probe.span.clone()]);
            let known = self
                .conditions
                .iter_mut()
                .find(|other| other.position == spec.file.position(at) && other.text == text);
            match known {
                // Compiled once per source: this record is of one of them.
                Some(known) => known.outcome = known.outcome.or(outcome),
                None => self.conditions.push(Condition {
                    text,
                    position: spec.file.position(at),
                    is_whole: probe.is_whole,
                    outcome,
                }),
            }
        }
        self.conditions
            .sort_by_key(|one| (!one.is_whole, one.position));
    }

    /// The stage as JSON.
    pub fn json(&self) -> Value {
        let conditions: Vec<_> = self
            .conditions
            .iter()
            .map(|one| {
                let (line, column) = one.position;
                json!({ "text": one.text, "line": line, "column": column, "outcome": one.outcome })
            })
            .collect();
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(name, from, value)| json!({ "name": name, "from": from, "value": value }))
            .collect();
        let why = match &self.outcome {
            StageOutcome::DeadLettered(reason, message) => {
                json!({ "reason": reason, "message": message })
            }
            StageOutcome::NotTaken(Some(why)) => json!({ "message": why }),
            _ => Value::Null,
        };
        let bytes = self.delivery.as_ref().and_then(|(_, bytes)| bytes.as_ref());
        let hex = bytes.map(|bytes| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        });
        json!({
            "kind": if self.is_route { "route" } else { "step" },
            "name": self.name,
            "text": self.text,
            "outcome": self.outcome.name(),
            "why": why,
            "reads": self.reads.iter().cloned().collect::<Map<_, _>>(),
            "conditions": conditions,
            "fields": fields,
            "delivery": self.delivery.as_ref().map(|(delivery, _)| delivery),
            "value_hex": hex,
        })
    }
}

/// What the record is mapped to by so many steps.
fn mapped(
    watched: &Watched,
    steps: usize,
    record: &Record,
    schemas: &mut Schemas,
    vars: &Vars,
) -> Value {
    let Some(plan) = watched.until(steps, schemas, vars) else {
        return Value::Null;
    };
    let ended = process(&plan, record);
    match ended.json(&plan, record) {
        Ok(mut json) => json["deliveries"][0]["value"].take(),
        Err(_) => Value::Null,
    }
}

/// The fields of a mapping: name, where from, value. `out` has the fields of the mapping before.
fn fields(
    map: &MapSpec,
    plan: &Plan,
    out: &[String],
    value: &Value,
) -> Vec<(String, String, Value)> {
    let Some((output, origins)) = origins(map, plan, out) else {
        return Vec::new();
    };
    names(output)
        .into_iter()
        .zip(origins)
        .map(|(name, origin)| {
            let from = match origin {
                Origin::Set(text) => one_line(&text),
                Origin::Copied(path) => path,
                Origin::Default => "default".to_owned(),
            };
            let value = value[&name].clone();
            (name, from, value)
        })
        .collect()
}

fn step_texts(action: &Option<ActionSpec>) -> Vec<String> {
    match action {
        Some(ActionSpec::Keep(text) | ActionSpec::Drop(text) | ActionSpec::Require(text)) => {
            vec![text.value.clone()]
        }
        Some(ActionSpec::Map(map)) => map.set.iter().map(|(_, text)| text.value.clone()).collect(),
        None => Vec::new(),
    }
}

fn route_texts(route: &RouteSpec) -> Vec<String> {
    let map = route.map.iter().flat_map(|map| map.set.iter());
    let mut texts: Vec<_> = route.when.iter().map(|when| when.value.clone()).collect();
    texts.extend(map.map(|(_, text)| text.value.clone()));
    let value = route.kafka.as_ref().and_then(|kafka| kafka.value.as_ref());
    texts.extend(value.map(|text| text.value.clone()));
    texts
}
