//! The steps and routes of a topology, compiled against the schemas of one source. Every source has its own types, its
//! own slots and its own facts; the same text is therefore compiled once per source.

use std::sync::Arc;

use super::{Compiler, Sourced, word};
use crate::codec::placeholder::{self, Forms};
use crate::expr::proof::{Finding, FindingKind};
use crate::expr::{
    self, BrokenOut, Compiled, Const, Env, ExprFault, Facts, Node, Target, Template, Type, Wants,
    proof,
};
use crate::schema::{NodeId, Schema};
use crate::topology::code::{
    Body, EnvelopeSlots, Guard, KeyCode, RouteCode, SourceCode, StepCode, TopicCode,
};
use crate::topology::plan::{
    Envelope, KeyFormat, Other, OtherOutcome, RoutePlan, SourceSchema, Tombstones, Unavailable,
};
use crate::topology::proof::{Rule, unread};
use crate::topology::spec::{ActionSpec, KeySpec, RouteSpec, Text};

/// What is known at a place of the steps.
pub(super) struct Scope {
    pub env: Env,
    pub wants: Wants,
    pub facts: Facts,
    /// What is known of tombstones, if they are forwarded: they come to the routes past the steps. It holds for events too.
    pub of_tombstones: Option<Facts>,
    /// The emission of the last mapping step.
    pub out: Option<u16>,
    /// Registers in use.
    pub regs: u16,
    /// A condition before had faults: what it would have proved is unknown.
    pub facts_broken: bool,
    /// The steps let nothing pass: what follows says nothing about the routes.
    pub dead: bool,
    /// What becomes of columns that Debezium left out.
    pub unavailable: Unavailable,
    pub emissions: Vec<crate::topology::code::Emission>,
    /// Whether a route sends the whole event, as it came or field by field.
    pub copies_event: bool,
    /// Nothing so far had a fault.
    pub whole: bool,
}

/// The code of a source, as far as it compiles.
pub(super) struct Built {
    /// Where something had a fault, what stands there reads nothing. Steps that are unknown are left out; routes are not.
    pub code: Arc<SourceCode>,
    /// Whether nothing had a fault: only then can the code be run.
    pub whole: bool,
}

/// Stands where an expression had a fault: it carries nothing.
const NOTHING: Node = Node::Const(Const::Null);

impl Scope {
    /// The place for the proof of values.
    pub fn seen(&self) -> proof::Scope<'_> {
        proof::Scope {
            env: &self.env,
            wants: &self.wants,
            facts: &self.facts,
            depth: 0,
        }
    }

    /// The faults that are the expression's own, and not what follows from a fault before it.
    pub fn own(&self, mut faults: Vec<ExprFault>) -> Vec<ExprFault> {
        faults.retain(|fault| !(self.facts_broken && fault.code == "nullable"));
        faults
    }
}

impl Compiler<'_> {
    /// Compiles all steps and routes for a source. `None` if its envelope is none.
    pub(super) fn source_code(
        &mut self,
        source: &Sourced,
        routes: &[Option<RoutePlan>],
    ) -> Option<Built> {
        let plan = &source.plan;
        let reader = plan.value.schema.clone();
        let mut wants = Wants::new();
        let mut facts = Facts::none();
        let mut envelope = None;
        if plan.envelope == Envelope::Debezium {
            let mut slot = |name: &str| {
                reader.field(reader.root, name).map(|(at, _)| match name {
                    "op" => wants.slot(&[at]),
                    _ => wants.asked_slot(&[at]),
                })
            };
            envelope = Some(EnvelopeSlots {
                op: slot("op")?,
                before: slot("before")?,
                after: slot("after")?,
            });
            let mut ops = vec!["c", "r", "u", "d"];
            for (other, op) in [(Other::Truncate, "t"), (Other::Message, "m")] {
                if plan.outcome(other) == OtherOutcome::Pass {
                    ops.push(op);
                }
            }
            facts = Facts::op_in(&ops);
        }
        let key_reader = match &plan.key {
            KeyFormat::Avro(key) => Some(key.schema.clone()),
            _ => None,
        };
        let env = self.env(plan);
        let event = env.event.as_ref();
        let left_out = event.map_or_else(Vec::new, |event| event.left_out.clone());
        let mut scope = Scope {
            env,
            wants,
            of_tombstones: (plan.tombstones == Tombstones::Forward).then(|| facts.clone()),
            facts,
            out: None,
            regs: 0,
            facts_broken: false,
            dead: false,
            unavailable: plan.unavailable,
            emissions: Vec::new(),
            copies_event: false,
            whole: true,
        };
        let spec = self.spec;
        let mut steps = Vec::new();
        if spec.unclear.contains(&"steps") {
            scope.whole = false;
            scope.facts_broken = true;
            scope.env.broken = BrokenOut::All;
        }
        for (index, step) in spec.steps.iter().enumerate() {
            let index = index as u16;
            let code = match &step.action {
                Some(ActionSpec::Keep(text)) => self.filter(text, index, true, &mut scope),
                Some(ActionSpec::Drop(text)) => self.filter(text, index, false, &mut scope),
                Some(ActionSpec::Require(text)) => self.require(text, index, &mut scope),
                Some(ActionSpec::Map(map)) => self.step_mapping(map, index, &mut scope),
                None => None,
            };
            match code {
                Some(code) => steps.push(code),
                None => {
                    scope.whole = false;
                    match &step.action {
                        Some(ActionSpec::Map(_)) => {}
                        Some(_) => scope.facts_broken = true,
                        // It may have been either.
                        None => {
                            scope.facts_broken = true;
                            scope.env.broken = BrokenOut::All;
                        }
                    }
                }
            }
        }
        let regs = usize::from(scope.regs);
        scope.dead = scope.facts.is_impossible();
        let all = word(&spec.matching, "first") == "all";
        let mut compiled = Vec::new();
        for (route, plan) in spec.routes.iter().zip(routes) {
            let value = &source.plan.value;
            compiled.push(self.route_code(route, plan.as_ref(), value, all, &mut scope));
        }
        // Without routes it is not known what they need.
        scope.whole &= !compiled.is_empty() && !spec.unclear.contains(&"routes");
        if !compiled.is_empty()
            && plan.tombstones == Tombstones::Forward
            && !compiled.iter().any(|route| route.tombstones)
        {
            let span = source
                .spec
                .words
                .iter()
                .find(|(key, _)| *key == "tombstones");
            let message = "no route can take tombstones: each needs the event in its `when`, `key`, `topic` or `headers`";
            let help = "give one route a `key` from `meta.key` and no condition on the event, or write `tombstones: drop`";
            self.error(
                "tombstone_route",
                &span.map(|(_, text)| text.span.clone()).unwrap_or_default(),
                message,
                help.to_owned(),
            );
            scope.whole = false;
        }
        let mut code = SourceCode {
            reader,
            key_reader,
            wants: std::mem::take(&mut scope.wants),
            envelope,
            guards: Vec::new(),
            placeholders: Forms::default(),
            guards_all: false,
            steps,
            routes: compiled,
            emissions: std::mem::take(&mut scope.emissions),
            regs,
        };
        if plan.unavailable != Unavailable::Keep {
            (code.guards, code.placeholders) =
                guards(&code, scope.copies_event, plan.envelope, &left_out);
            let passes = |route: &RouteCode| matches!(route.body, Body::Source);
            code.guards_all = code.routes.iter().any(passes);
        }
        Some(Built {
            code: Arc::new(code),
            whole: scope.whole,
        })
    }

    /// Compiles an expression; its faults are placed in the file.
    pub(super) fn expression(&mut self, text: &Text, scope: &mut Scope) -> Option<Compiled> {
        self.expression_as(text, None, scope)
    }

    /// The same for a value that is written as a node of an output.
    pub(super) fn expression_as(
        &mut self,
        text: &Text,
        target: Option<Target>,
        scope: &mut Scope,
    ) -> Option<Compiled> {
        self.named_schemas(text, &[(0, &text.value)], scope);
        let mark = self.mark();
        let Scope {
            env, wants, facts, ..
        } = scope;
        match expr::compile_for(&text.value, env, wants, facts, target) {
            Ok(mut compiled) => {
                self.place_probes(text, mark);
                if scope.facts_broken {
                    compiled.findings.retain(holds_anyway);
                } else {
                    self.branches(text, &mut compiled, target, scope);
                }
                Some(compiled)
            }
            Err(faults) => {
                self.place(text, scope.own(faults));
                None
            }
        }
    }

    /// Finds the schemas that expressions of a text read JSON by.
    fn named_schemas(&mut self, text: &Text, expressions: &[(usize, &str)], scope: &mut Scope) {
        for (start, expression) in expressions {
            for (name, span) in expr::schemas(expression) {
                let known = &mut scope.env.given.schemas;
                if known.iter().any(|(known, _)| *known == name) {
                    continue;
                }
                let span = self.within(text, start + span.start..start + span.end);
                let schema = self.schemas.get(&self.spec.file, &name, &span, self.faults);
                if let Some(schema) = &schema {
                    self.hash.text(&schema.source);
                }
                scope.env.given.schemas.push((name, schema));
            }
        }
    }

    fn condition(&mut self, text: &Text, scope: &mut Scope) -> Option<Compiled> {
        let mut compiled = self.expression(text, scope)?;
        if !matches!(compiled.ty, Type::Bool | Type::Dyn) {
            let message = format!("a condition is true or false, this is {}", compiled.ty);
            let help = "compare it with something".to_owned();
            self.error("not_a_condition", &text.span, message, help);
            return None;
        }
        self.findings(text, &compiled.findings);
        if let Some(probes) = &self.probes {
            let mark = probes.mark();
            compiled.node = probes.whole(compiled.node, &text.value);
            self.place_probes(text, mark);
        }
        Some(compiled)
    }

    fn filter(
        &mut self,
        text: &Text,
        step: u16,
        keep: bool,
        scope: &mut Scope,
    ) -> Option<StepCode> {
        let compiled = self.condition(text, scope)?;
        let rule = if keep { Rule::Keep } else { Rule::Drop };
        self.rule(text, rule, &compiled, scope);
        scope.facts = scope.facts.and(if keep {
            &compiled.if_true
        } else {
            &compiled.if_false
        });
        Some(StepCode::Filter {
            step,
            node: compiled.node,
            keep,
        })
    }

    fn require(&mut self, text: &Text, step: u16, scope: &mut Scope) -> Option<StepCode> {
        let compiled = self.condition(text, scope)?;
        self.rule(text, Rule::Require, &compiled, scope);
        scope.facts = scope.facts.and(&compiled.if_true);
        Some(StepCode::Require {
            step,
            node: compiled.node,
            text: text.value.clone(),
        })
    }

    fn route_code(
        &mut self,
        route: &RouteSpec,
        plan: Option<&RoutePlan>,
        source: &SourceSchema,
        all: bool,
        scope: &mut Scope,
    ) -> RouteCode {
        let outside = scope.facts.clone();
        let outside_broken = scope.facts_broken;
        // What a tombstone can reach is proved without what the steps have proved of events.
        let of_tombstones = scope.of_tombstones.clone();
        let of_tombstones = of_tombstones.filter(|_| self.takes_tombstones(route, scope));
        let mut head = of_tombstones.clone().unwrap_or_else(|| outside.clone());
        let registers = scope.regs;
        let mut only_meta = true;
        // Whether it is known which records take the route, and what is sent besides the value.
        let mut is_known = true;
        let mut when = None;
        let mut after = outside.clone();
        let left = !head.is_impossible() || scope.dead;
        if !left && let Some(name) = &route.name {
            self.verdicts.rule(&name.span, Rule::Left, Some(false));
        }
        if let Some(text) = &route.when {
            scope.facts = head.clone();
            match self.condition(text, scope) {
                Some(compiled) => {
                    if left {
                        self.rule(text, Rule::When, &compiled, scope);
                    }
                    only_meta &= compiled.reads_only_meta();
                    scope.facts = outside.and(&compiled.if_true);
                    if !all {
                        after = outside.and(&compiled.if_false);
                        if of_tombstones.is_some() {
                            scope.of_tombstones = Some(head.and(&compiled.if_false));
                        }
                    }
                    head = head.and(&compiled.if_true);
                    when = Some(compiled.node);
                }
                None => {
                    is_known = false;
                    scope.facts_broken = true;
                }
            }
        } else if route.unclear.contains(&"when") {
            is_known = false;
            scope.facts_broken = true;
        }
        let mut values = Vec::new();
        let body = self.body(route, source, scope, &mut values);
        scope.whole &= body.is_some();
        scope.facts = head;
        let mut key = KeyCode::Source;
        let mut topic = None;
        let mut headers = Vec::new();
        if let Some(kafka) = &route.kafka {
            is_known &= kafka.unclear.is_empty();
            if kafka.key.is_some() || kafka.unclear.contains(&"key") {
                let code = kafka.key.as_ref();
                let code = code.and_then(|spec| self.key(spec, scope, &mut only_meta));
                is_known &= code.is_some();
                key = code.unwrap_or(KeyCode::Computed(NOTHING));
            }
            if let Some(text) = &kafka.topic {
                topic = match (self.is_fixed(text), plan) {
                    (true, Some(plan)) => Some(TopicCode::Fixed(plan.topics[0])),
                    (true, None) => None,
                    (false, _) => {
                        let code = self.text(text, scope, &mut only_meta);
                        code.zip(plan).map(|(code, plan)| {
                            let names = plan.topics.iter().map(|at| {
                                let name = self.topics[usize::from(*at)].topic.clone();
                                (name, *at)
                            });
                            TopicCode::Chosen(code, names.collect())
                        })
                    }
                };
            }
            for (index, (_, text)) in kafka.headers.iter().enumerate() {
                match self.text(text, scope, &mut only_meta) {
                    Some(code) => headers.push((index as u16, code)),
                    None => is_known = false,
                }
            }
        }
        scope.facts = after;
        // What this route would have left to the next ones is unknown, unless they get everything.
        scope.facts_broken = outside_broken || scope.facts_broken && !all;
        scope.regs = registers;
        is_known &= topic.is_some();
        scope.whole &= is_known;
        let takes_tombstones =
            only_meta && (of_tombstones.is_some() || scope.of_tombstones.is_none());
        RouteCode {
            when,
            values,
            body: body.unwrap_or(Body::Computed(NOTHING)),
            topic: topic.unwrap_or(TopicCode::Fixed(0)),
            key,
            headers,
            tombstones: takes_tombstones || !is_known,
        }
    }

    /// Whether a route needs no event but for its value: then tombstones take it as well.
    fn takes_tombstones(&self, route: &RouteSpec, scope: &Scope) -> bool {
        let mut env = scope.env.clone();
        env.probes = None;
        // A null that the steps have ruled out is no fault of this question.
        let mut facts = scope.facts.clone();
        if let Some(when) = &route.when {
            match expr::compile(&when.value, &env, &mut scope.wants.clone(), &facts) {
                Ok(when) if when.reads_only_meta() => facts = facts.and(&when.if_true),
                _ => return false,
            }
        }
        let only_meta = |text: &Text| {
            expr::compile(&text.value, &env, &mut scope.wants.clone(), &facts)
                .is_ok_and(|compiled| compiled.reads_only_meta())
        };
        let template = |text: &Text| {
            Template::compile(&text.value, &env, &mut scope.wants.clone(), &facts)
                .is_ok_and(|template| template.reads_only_meta())
        };
        let Some(kafka) = &route.kafka else {
            return true;
        };
        let key = match &kafka.key {
            None => true,
            Some(KeySpec::Expr(text)) => text.value.trim() == "meta.key" || only_meta(text),
            Some(KeySpec::Avro { map, value }) => {
                let set = map.set.iter().map(|(_, text)| text);
                map.from.is_none() && set.chain(value).all(only_meta)
            }
        };
        let headers = kafka.headers.iter().map(|(_, text)| text);
        key && headers.chain(&kafka.topic).all(template)
    }

    fn text(&mut self, text: &Text, scope: &mut Scope, only_meta: &mut bool) -> Option<Template> {
        self.named_schemas(text, &Template::expressions(&text.value), scope);
        let mark = self.mark();
        match Template::compile(&text.value, &scope.env, &mut scope.wants, &scope.facts) {
            Ok(template) => {
                self.place_probes(text, mark);
                *only_meta &= template.reads_only_meta();
                let mut template = template;
                if scope.facts_broken {
                    template.findings.retain(holds_anyway);
                }
                self.findings(text, &template.findings);
                Some(template)
            }
            Err(faults) => {
                self.place(text, scope.own(faults));
                None
            }
        }
    }
}

/// Whether a finding follows from no condition before, so that it holds where one had a fault.
fn holds_anyway(finding: &Finding) -> bool {
    !matches!(finding.kind, FindingKind::CanFail(_))
}

/// The slots of columns that Debezium may fill with its placeholder, and the forms that it has there. Those that are
/// optional values are not among them.
fn guards(
    code: &SourceCode,
    copies_event: bool,
    envelope: Envelope,
    left_out: &[String],
) -> (Vec<Guard>, Forms) {
    let reader = &code.reader;
    // Whether a row is there says nothing of its columns: only a row whose value is used is looked into.
    let read = unread::read(code);
    let mut guards = Vec::new();
    let mut forms = Forms::default();
    // Where columns begin in a path.
    let depth = match envelope {
        Envelope::Debezium => 1,
        Envelope::None => 0,
    };
    for (slot, want) in code.wants.value().iter().enumerate() {
        let Some((names, node)) = follow(reader, &want.path) else {
            continue;
        };
        let is_row = match (envelope, names.first()) {
            (Envelope::Debezium, Some(name)) => matches!(name.as_str(), "before" | "after"),
            (Envelope::Debezium, None) => false,
            (Envelope::None, _) => true,
        };
        let is_whole = names.len() == depth;
        let is_optional = names.get(depth).is_some_and(|name| left_out.contains(name));
        let found = placeholder::of_value(reader, node);
        let is_used = !is_whole || copies_event || read.contains(&(slot as u16));
        if is_row && found.any() && !is_optional && is_used {
            forms = forms.and(found);
            guards.push(Guard {
                slot: slot as u16,
                path: ["event".to_owned()]
                    .into_iter()
                    .chain(names)
                    .collect::<Vec<_>>()
                    .join("."),
                // A row is not made null for the sake of one of its columns, and bytes that are sent as they came say
                // what they say.
                nullable: reader.strip_null(node).1 && !is_whole && !copies_event,
            });
        }
    }
    (guards, forms)
}

/// The field names along a path, and the node at its end.
pub(super) fn follow(schema: &Schema, path: &[u32]) -> Option<(Vec<String>, NodeId)> {
    let mut node = schema.root;
    let mut names = Vec::new();
    for index in path {
        let field = schema
            .fields(schema.strip_null(node).0)
            .get(*index as usize)?;
        names.push(field.name.to_string());
        node = field.ty;
    }
    Some((names, node))
}
