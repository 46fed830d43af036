//! What a route sends: the value as it came, a record in Avro or JSON, or the text or bytes of an expression.

use std::sync::Arc;

use super::source::Scope;
use super::{Compiler, Sourced};
use crate::codec::frame::Side;
use crate::codec::json::{BigInts, Bytes, Decimals, NonFinite, Nulls, Policy, Times, Writer};
use crate::codec::{FieldSource, placeholder};
use crate::expr::{BrokenOut, Envelope, Type};
use crate::schema::Kind;
use crate::topology::code::{Body, Computed, Emission, KeyCode, SourceCode};
use crate::topology::plan::{KeyFormat, OutputFormat, RoutePlan, SourceSchema, Unavailable};
use crate::topology::spec::{KafkaSpec, RouteSpec, Text, Words};

impl Compiler<'_> {
    /// Compiles what a route sends for the records of one source.
    pub(super) fn body(
        &mut self,
        route: &RouteSpec,
        source: &SourceSchema,
        scope: &mut Scope,
        values: &mut Vec<Computed>,
    ) -> Option<Body> {
        let kafka = route.kafka.as_ref();
        let mapped = route
            .map
            .as_ref()
            .map(|map| self.route_mapping(map, scope, values));
        if let Some(text) = kafka.and_then(|kafka| kafka.value.as_ref()) {
            return self.computed_body(text, scope);
        }
        if route.unclear.contains(&"map")
            || kafka.is_none_or(|kafka| kafka.unclear.contains(&"value"))
        {
            return None;
        }
        let mapped = match mapped {
            Some(emission) => Some(emission?),
            // A mapping step had faults: it is not the event that would be sent.
            None if scope.env.broken == BrokenOut::All => return None,
            None => scope.out,
        };
        match (kafka.map_or(OutputFormat::Avro, format), mapped) {
            (OutputFormat::Json(policy), Some(emission)) => {
                let schema = scope.emissions[usize::from(emission)].schema;
                let writer = Writer::compile(&self.outputs[usize::from(schema)].schema, policy);
                Some(Body::Json(emission, Box::new(writer)))
            }
            (OutputFormat::Json(policy), None) => {
                self.sends_event(kafka?, scope)?;
                self.event_as_json(kafka?, source, policy, scope)
            }
            (_, Some(emission)) => Some(Body::Emission(emission)),
            (_, None) => {
                self.sends_event(kafka?, scope)?;
                Some(Body::Source)
            }
        }
    }

    fn computed_body(&mut self, text: &Text, scope: &mut Scope) -> Option<Body> {
        let compiled = self.expression(text, scope)?;
        self.findings(text, &compiled.findings);
        match compiled.ty.non_null() {
            Type::String | Type::Bytes | Type::Null => Some(Body::Computed(compiled.node)),
            other => {
                let message = format!("the value of an output is text or bytes, this is {other}");
                let help = match other {
                    Type::Optional(_) => format!("write `{}.orValue(…)`", text.value.trim()),
                    _ => format!("write `string({})`", text.value.trim()),
                };
                self.error("value_type", &text.span, message, help);
                None
            }
        }
    }

    /// A route that sends the whole event sends its columns, those that Debezium has left out with the rest.
    fn sends_event(&mut self, kafka: &KafkaSpec, scope: &mut Scope) -> Option<()> {
        let event = scope.env.event.as_ref()?;
        if let Some(first) = event.left_out.first() {
            let message = format!(
                "the event is sent as it came, and Debezium may have left out columns such as `{first}`"
            );
            let help = "give the route a `map`, or write `unavailable: keep` to send Debezium's placeholder".to_owned();
            let span = kafka.topic.as_ref().map(|topic| topic.span.clone());
            self.error("left_out", &span.unwrap_or_default(), message, help);
            return None;
        }
        scope.copies_event = true;
        let root = event.schema.root;
        let is_row = event.envelope == Envelope::None;
        if is_row
            && scope.unavailable != Unavailable::Keep
            && placeholder::of_value(&event.schema, root).any()
        {
            scope.wants.slot(&[]);
        }
        Some(())
    }

    /// The value as it came, as the checked schema reads it: its fields are copied one by one.
    fn event_as_json(
        &mut self,
        kafka: &KafkaSpec,
        source: &SourceSchema,
        policy: Policy,
        scope: &mut Scope,
    ) -> Option<Body> {
        let schema = &source.schema;
        let Kind::Record(fields) = &schema.node(schema.root).kind else {
            let message = format!("`{}` is not a record; an event is one", source.name);
            let help = "write `value: …` with an expression of text or bytes".to_owned();
            self.error(
                "schema_not_record",
                &kafka.format.as_ref()?.span,
                message,
                help,
            );
            return None;
        };
        let slots =
            (0..fields.len() as u32).map(|field| FieldSource::Slot(scope.wants.slot(&[field])));
        let emission = Emission {
            fields: slots.collect(),
            schema: self.output(source.clone()),
            step: None,
        };
        scope.emissions.push(emission);
        let writer = Writer::compile(schema, policy);
        Some(Body::Json(
            scope.emissions.len() as u16 - 1,
            Box::new(writer),
        ))
    }

    /// The keys that say how a value is written do not contradict each other.
    pub(super) fn check_format(&mut self, route: &RouteSpec) {
        let Some(kafka) = &route.kafka else { return };
        let is_json = kafka
            .format
            .as_ref()
            .is_some_and(|word| word.value == "json");
        if let (Some((span, _)), false) = (&kafka.json, is_json) {
            let message = "`json` says how JSON is written, and this route writes none";
            self.error(
                "conflicting_keys",
                span,
                message,
                "add `format: json`, or remove `json`".to_owned(),
            );
        }
        let Some(value) = &kafka.value else { return };
        if route.map.is_some() {
            let message = "the value is an expression, and `map` makes another one";
            self.error(
                "conflicting_keys",
                &value.span,
                message,
                "remove `map` or `value`".to_owned(),
            );
        }
        if let Some(format) = &kafka.format {
            let message = "the value is an expression: it is sent as it is, in no format";
            self.error(
                "conflicting_keys",
                &format.span,
                message,
                "remove `format` or `value`".to_owned(),
            );
        }
    }

    /// Finds out which schemas some output carries the id of.
    pub(super) fn mark_framed(&mut self, code: &[Arc<SourceCode>]) {
        for source in code {
            for route in &source.routes {
                if let Body::Emission(emission) = &route.body {
                    let schema = source.emissions[usize::from(*emission)].schema;
                    self.outputs[usize::from(schema)].is_framed = true;
                }
                if let KeyCode::Avro(key) = &route.key {
                    self.outputs[usize::from(key.schema)].is_framed = true;
                }
            }
        }
    }
}

/// The routes, with the names of the headers that pass with what passes unchanged and has its schema id in a header.
pub(super) fn passing_ids(
    mut routes: Vec<RoutePlan>,
    sources: &[Sourced],
    code: &[Arc<SourceCode>],
) -> Vec<RoutePlan> {
    for (source, code) in sources.iter().zip(code) {
        for (plan, route) in routes.iter_mut().zip(&code.routes) {
            let is_avro = matches!(source.plan.key, KeyFormat::Avro(_));
            let passing = [
                (Side::Key, is_avro && matches!(route.key, KeyCode::Source)),
                (Side::Value, matches!(route.body, Body::Source)),
            ];
            for (side, passes) in passing {
                if let (Some(name), true) = (source.plan.id_from(side).header(side), passes)
                    && !plan.headers.iter().any(|known| known == name)
                {
                    plan.headers.push(name.to_owned());
                }
            }
        }
    }
    routes
}

/// How a route writes its values.
pub(super) fn format(kafka: &KafkaSpec) -> OutputFormat {
    match (&kafka.value, &kafka.format) {
        (Some(text), _) => OutputFormat::Plain(text.value.clone()),
        (None, Some(word)) if word.value == "json" => OutputFormat::Json(
            kafka
                .json
                .as_ref()
                .map(|(_, words)| policy(words))
                .unwrap_or_default(),
        ),
        _ => OutputFormat::Avro,
    }
}

fn policy(words: &Words) -> Policy {
    let mut policy = Policy::default();
    for (key, word) in words {
        match (*key, word.value.as_str()) {
            ("decimals", "number") => policy.decimals = Decimals::Number,
            ("bytes", "hex") => policy.bytes = Bytes::Hex,
            ("big_ints", "string") => policy.big_ints = BigInts::Text,
            ("non_finite", "null") => policy.non_finite = NonFinite::Null,
            ("non_finite", "dead_letter") => policy.non_finite = NonFinite::Fault,
            ("times", "epoch_seconds") => policy.times = Times::Epoch(1),
            ("times", "epoch_millis") => policy.times = Times::Epoch(1_000),
            ("times", "epoch_micros") => policy.times = Times::Epoch(1_000_000),
            ("times", "epoch_nanos") => policy.times = Times::Epoch(1_000_000_000),
            ("nulls", "drop") => policy.nulls = Nulls::Drop,
            // The defaults; other words were refused with the file's shape.
            _ => {}
        }
    }
    policy
}
