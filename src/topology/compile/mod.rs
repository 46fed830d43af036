//! `Spec` -> `Plan`: names, topics, schemas, then the code of every source. Goes on behind a fault wherever something is
//! left to check, so that one run of `check` names all of them.

mod body;
mod branches;
mod env;
mod findings;
mod key;
mod mapping;
mod source;
mod topics;
mod written;

use std::collections::BTreeMap;
use std::ops::Range;

use super::fault::{Fault, Faults, Severity};
use super::files::Schemas;
use super::plan::{
    Delivery, Envelope, KeyFormat, Ordering, Other, OtherOutcome, OutputSchema, OutputTopic, Plan,
    ReplicaIdentity, SourcePlan, SourceSchema, StartFrom, Step, Tombstones, Unavailable, Unmatched,
    builtin,
};
use super::proof::Verdicts;
use super::spec::{ActionSpec, AvroSpec, SourceSpec, Spec, Text};
use super::vars::Known;
use crate::codec::frame::IdFrom;
use crate::expr::{Env, ExprFault, Facts, Probes, Template, Wants};
use crate::schema::{Kind, Schema};
use source::Built;

/// The connection that counts where none is named.
const MAIN: &str = "main";

/// Compiles a topology; its conditions are watched where `probes` are given. `None` if it has faults that forbid it; they
/// have been added.
pub fn compile(
    spec: &Spec,
    schemas: &mut Schemas,
    vars: &Known,
    probes: Option<Probes>,
    faults: &mut Faults,
) -> Option<Plan> {
    let before = faults.iter().count();
    let mut compiler = Compiler::new(spec, schemas, vars, probes, faults);
    let plan = compiler.plan();
    let verdicts = std::mem::take(&mut compiler.verdicts);
    verdicts.report(&spec.file, faults);
    if spec.strict {
        faults.forbid_warnings(&spec.file);
    }
    // Warnings do not stop; a fault found twice was not added twice.
    let new_errors = faults
        .iter()
        .skip(before)
        .any(|fault| fault.severity == Severity::Error);
    plan.filter(|_| !new_errors)
}

/// What expressions see of the sources of a topology, each with its topic; and without any.
pub fn scopes(
    spec: &Spec,
    schemas: &mut Schemas,
    vars: &Known,
    faults: &mut Faults,
) -> (Vec<(String, Env)>, Env) {
    let mut compiler = Compiler::new(spec, schemas, vars, None, faults);
    let sources = spec.sources.iter();
    let plans: Vec<_> = sources
        .filter_map(|source| compiler.source(source))
        .map(|source| source.plan)
        .collect();
    let scopes = plans.into_iter().map(|plan| {
        let env = compiler.env(&plan);
        (plan.topic, env)
    });
    (scopes.collect(), compiler.without_event())
}

/// The state of one compilation.
struct Compiler<'a> {
    spec: &'a Spec,
    vars: &'a Known,
    schemas: &'a mut Schemas,
    faults: &'a mut Faults,
    topics: Vec<OutputTopic>,
    outputs: Vec<OutputSchema>,
    verdicts: Verdicts,
    hash: Hash,
    probes: Option<Probes>,
}

/// A source whose schemas are known.
struct Sourced<'a> {
    spec: &'a SourceSpec,
    plan: SourcePlan,
}

impl<'a> Compiler<'a> {
    fn new(
        spec: &'a Spec,
        schemas: &'a mut Schemas,
        vars: &'a Known,
        probes: Option<Probes>,
        faults: &'a mut Faults,
    ) -> Compiler<'a> {
        Compiler {
            spec,
            vars,
            schemas,
            faults,
            topics: Vec::new(),
            outputs: Vec::new(),
            verdicts: Verdicts::of(spec.sources.len()),
            hash: Hash::new(),
            probes,
        }
    }
}

impl Compiler<'_> {
    fn error(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.faults
            .error(code, &self.spec.file, span, message, help);
    }

    /// Adds what is no error.
    fn told(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.faults.push(Fault {
            code,
            severity,
            file: self.spec.file.clone(),
            span: span.clone(),
            message: message.into(),
            help: Some(help.into()),
            names: Vec::new(),
        });
    }

    fn plan(&mut self) -> Option<Plan> {
        let spec = self.spec;
        self.hash.text(&spec.file.text);
        for table in super::tables::texts(spec) {
            self.hash.text(&table);
        }
        for (name, text) in &self.vars.texts {
            self.hash.text(name);
            self.hash.text(text);
        }
        if let Some(delivery) = &spec.delivery
            && delivery.value == "exactly_once"
        {
            let message = "`exactly_once` is not available in this version";
            let help = "write `at_least_once`".to_owned();
            self.error("not_available", &delivery.span, message, help);
        }
        let steps = self.names();
        let connection = spec
            .connection
            .as_ref()
            .map_or(MAIN, |text| &text.value)
            .to_owned();
        let sources: Vec<Sourced> = spec
            .sources
            .iter()
            .filter_map(|source| self.source(source))
            .collect();
        let dead_letter = self.dead_letter();
        let routes: Vec<_> = spec.routes.iter().map(|route| self.route(route)).collect();
        self.no_loops(&connection, &sources, dead_letter.as_ref());
        self.routing();
        self.count_routes();
        let built: Option<Vec<Built>> = sources
            .iter()
            .map(|source| self.source_code(source, &routes))
            .collect();
        let built = built?;
        // What had a fault hides nothing that can be seen beside it.
        self.tagged_fields(&built);
        for (source, built) in sources.iter().zip(&built) {
            // What had a fault may be what reads a field.
            if built.whole {
                self.unread_fields(source, &built.code);
            }
        }
        let code: Vec<_> = built
            .into_iter()
            .map(|built| built.whole.then_some(built.code))
            .collect::<Option<_>>()?;
        let dead_letter = self.topic(dead_letter?);
        self.mark_framed(&code);
        Some(Plan {
            id: spec.id.as_ref()?.value.clone(),
            description: spec.description.as_ref().map(|text| text.value.clone()),
            version: self.hash.short(),
            path: spec.file.path.clone(),
            connection,
            routes: body::passing_ids(routes.into_iter().collect::<Option<_>>()?, &sources, &code),
            sources: sources.into_iter().map(|source| source.plan).collect(),
            ordering: match word(&spec.ordering, "key") {
                "partition" => Ordering::Partition,
                "none" => Ordering::None,
                _ => Ordering::Key,
            },
            delivery: Delivery::AtLeastOnce,
            match_all: word(&spec.matching, "first") == "all",
            unmatched: match word(&spec.unmatched, "drop") {
                "dead_letter" => Unmatched::DeadLetter,
                _ => Unmatched::Drop,
            },
            topics: std::mem::take(&mut self.topics),
            dead_letter,
            schemas: std::mem::take(&mut self.outputs),
            steps,
            code,
        })
    }

    /// The names of steps and routes, each once; the declared steps, then the built-in ones.
    fn names(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut seen: BTreeMap<&str, &str> = builtin::ALL
            .iter()
            .map(|name| (*name, "a built-in step"))
            .collect();
        for step in &self.spec.steps {
            let name = step.name.as_ref();
            if let Some(name) = name
                && let Some(other) = seen.insert(&name.value, "another step")
            {
                let message = format!("`{}` is the name of {other}", name.value);
                self.error(
                    "duplicate_name",
                    &name.span,
                    message,
                    "choose another name".to_owned(),
                );
            }
            steps.push(Step {
                name: name.map_or_else(|| "?".to_owned(), |name| name.value.clone()),
                declared: true,
                text: match &step.action {
                    Some(ActionSpec::Keep(text)) => format!("keep {}", text.value),
                    Some(ActionSpec::Drop(text)) => format!("drop {}", text.value),
                    Some(ActionSpec::Require(text)) => format!("require {}", text.value),
                    Some(ActionSpec::Map(map)) => format!("map to {}", map.schema.name.value),
                    None => String::new(),
                },
            });
        }
        let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
        for route in &self.spec.routes {
            if let Some(name) = &route.name
                && seen.insert(&name.value, ()).is_some()
            {
                let message = format!("`{}` is the name of another route", name.value);
                self.error(
                    "duplicate_name",
                    &name.span,
                    message,
                    "choose another name".to_owned(),
                );
            }
        }
        steps.extend(builtin::ALL.iter().map(|name| Step {
            name: (*name).to_owned(),
            declared: false,
            text: String::new(),
        }));
        steps
    }

    /// Text in which only variables are replaced.
    fn literal(&mut self, text: &Text) -> Option<String> {
        match self.constant(text) {
            Ok(template) => match template.as_const() {
                Some(text) => Some(text.to_owned()),
                None => {
                    let message = "this text must be the same for all records";
                    let help =
                        "write `${vars.NAME}`; nothing else can stand in braces here".to_owned();
                    self.error("not_constant", &text.span, message, help);
                    None
                }
            },
            Err(faults) => {
                self.place(text, faults);
                None
            }
        }
    }

    /// The text as a template in which only variables are known.
    fn constant(&self, text: &Text) -> Result<Template, Vec<ExprFault>> {
        let env = self.without_event();
        Template::compile(&text.value, &env, &mut Wants::new(), &Facts::none())
    }

    /// Whether a text is the same for all records: it holds no expressions but of variables.
    fn is_fixed(&self, text: &Text) -> bool {
        match self.constant(text) {
            Ok(template) => template.as_const().is_some(),
            // Nothing but variables that have had their faults.
            Err(faults) => faults.is_empty(),
        }
    }

    /// Adds the faults of the expressions of a text.
    fn place(&mut self, text: &Text, faults: Vec<ExprFault>) {
        for fault in faults {
            let part = fault.start..fault.end.max(fault.start);
            let span = self.within(text, part);
            self.error(fault.code, &span, fault.message, fault.help);
        }
    }

    /// How many conditions are watched so far.
    fn mark(&self) -> usize {
        self.probes.as_ref().map_or(0, Probes::mark)
    }

    /// Gives the conditions that were found in a text since the mark their places in the file.
    fn place_probes(&self, text: &Text, mark: usize) {
        if let Some(probes) = &self.probes {
            probes.place(mark, |span| self.within(text, span));
        }
    }

    fn within(&self, text: &Text, part: Range<usize>) -> Range<usize> {
        self.spec.file.within(&text.span, &text.value, part)
    }

    fn schema(&mut self, avro: &AvroSpec) -> Option<SourceSchema> {
        let name = self.literal(&avro.name)?;
        let schema = self
            .schemas
            .get(&self.spec.file, &name, &avro.name.span, self.faults)?;
        self.hash.text(&schema.source);
        let subject = match &avro.subject {
            Some(subject) => self.literal(subject)?,
            None => name.clone(),
        };
        Some(SourceSchema {
            name,
            subject,
            schema,
        })
    }

    fn source<'s>(&mut self, source: &'s SourceSpec) -> Option<Sourced<'s>> {
        let topic = source
            .topic
            .as_ref()
            .and_then(|topic| self.topic_name(topic));
        let value = source.value.as_ref().and_then(|value| self.schema(value));
        let key = match (
            &source.key_avro,
            source.key_word.as_ref().map(|word| word.value.as_str()),
        ) {
            (Some(avro), _) => self.schema(avro).map(KeyFormat::Avro),
            (None, Some("string")) => Some(KeyFormat::Text),
            (None, _) => Some(KeyFormat::Bytes),
        };
        let said = |key: &str| {
            source
                .words
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, text)| text.value.as_str())
        };
        let envelope = match said("envelope")? {
            "debezium" => Envelope::Debezium,
            _ => Envelope::None,
        };
        if envelope == Envelope::None {
            for name in ["replica_identity", "truncate"] {
                if let Some((_, text)) = source.words.iter().find(|(key, _)| *key == name) {
                    let message = format!(
                        "`{name}` says something about Debezium's envelope, this source has none"
                    );
                    self.error(
                        "conflicting_keys",
                        &text.span,
                        message,
                        format!("remove `{name}`"),
                    );
                }
            }
        }
        let (topic, value, key) = (topic?, value?, key?);
        if envelope == Envelope::Debezium && !is_envelope(&value.schema) {
            let span = source
                .value
                .as_ref()
                .map(|avro| avro.name.span.clone())
                .unwrap_or_default();
            let message = format!("the schema `{}` is not Debezium's envelope", value.name);
            let help = "an envelope is a record with before, after and op; for flattened events write `envelope: none`";
            self.error("envelope_mismatch", &span, message, help.to_owned());
            return None;
        }
        let other = |kind: Other, key: &str, usual: &str| match said(key).unwrap_or(usual) {
            "drop" => (kind, OtherOutcome::Drop),
            "pass" => (kind, OtherOutcome::Pass),
            _ => (kind, OtherOutcome::DeadLetter),
        };
        Some(Sourced {
            spec: source,
            plan: SourcePlan {
                topic,
                envelope,
                key,
                key_id_from: id_from(&source.id_from[0]),
                value_id_from: id_from(&source.id_from[1]),
                value,
                replica_identity: match said("replica_identity").unwrap_or("default") {
                    "full" => ReplicaIdentity::Full,
                    "nothing" => ReplicaIdentity::Nothing,
                    _ => ReplicaIdentity::Default,
                },
                tombstones: match said("tombstones").unwrap_or("drop") {
                    "forward" => Tombstones::Forward,
                    _ => Tombstones::Drop,
                },
                unavailable: match said("unavailable").unwrap_or("dead_letter") {
                    "null" => Unavailable::Null,
                    "optional" => Unavailable::Optional,
                    "keep" => Unavailable::Keep,
                    _ => Unavailable::DeadLetter,
                },
                others: [
                    other(Other::Truncate, "truncate", "dead_letter"),
                    other(Other::Message, "messages", "dead_letter"),
                    other(Other::Heartbeat, "heartbeats", "drop"),
                    other(Other::SchemaChange, "schema_changes", "dead_letter"),
                    other(Other::Transaction, "transactions", "dead_letter"),
                ],
                start_from: match said("start_from").unwrap_or("earliest") {
                    "latest" => StartFrom::Latest,
                    _ => StartFrom::Earliest,
                },
            },
        })
    }
}

fn word<'a>(said: &'a Option<Text>, usual: &'a str) -> &'a str {
    said.as_ref().map_or(usual, |text| &text.value)
}

fn id_from(said: &Option<Text>) -> IdFrom {
    match word(said, "payload") {
        "confluent_header" => IdFrom::Confluent,
        "apicurio_content_id" => IdFrom::ApicurioContent,
        "apicurio_global_id" => IdFrom::ApicurioGlobal,
        _ => IdFrom::Payload,
    }
}

/// Whether a schema is Debezium's envelope: `op` is text, `before` and `after` are nullable records.
pub fn is_envelope(schema: &Schema) -> bool {
    let row = |name: &str| {
        schema.field(schema.root, name).is_some_and(|(_, field)| {
            let (node, nullable) = schema.strip_null(field.ty);
            nullable && matches!(schema.node(node).kind, Kind::Record(_))
        })
    };
    let op = schema
        .field(schema.root, "op")
        .is_some_and(|(_, field)| matches!(schema.node(field.ty).kind, Kind::String));
    matches!(schema.node(schema.root).kind, Kind::Record(_)) && op && row("before") && row("after")
}

/// FNV-1a over 64 bits: a stable, short name for a content, not a protection against anybody.
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn short(&self) -> String {
        format!("{:016x}", self.0)[..12].to_owned()
    }
}
