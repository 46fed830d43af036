//! Topics and routes as the pipeline knows them: legal names, allow-lists, no loops, every event with an outcome.

use super::body::format;
use super::{Compiler, MAIN, Sourced, word};
use crate::topology::plan::{OutputTopic, RoutePlan};
use crate::topology::spec::{ActionSpec, KeySpec, RouteSpec, Text};

/// A record's deliveries are numbered by route, in a set of 64 bits; one number is for dead letters before the routes.
const ROUTES_MAX: usize = 60;

impl Compiler<'_> {
    /// A literal topic name, checked.
    pub(super) fn topic_name(&mut self, text: &Text) -> Option<String> {
        let name = self.literal(text)?;
        let legal = !name.is_empty()
            && name.len() <= 249
            && name != "."
            && name != ".."
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !legal {
            let message = format!("`{name}` is not a topic name");
            let help = "letters, digits, `.`, `_` and `-`, at most 249".to_owned();
            self.error("bad_topic", &text.span, message, help);
            return None;
        }
        Some(name)
    }

    /// The index of an output topic.
    pub(super) fn topic(&mut self, topic: OutputTopic) -> u16 {
        let at = self
            .topics
            .iter()
            .position(|known| *known == topic)
            .unwrap_or_else(|| {
                self.topics.push(topic);
                self.topics.len() - 1
            });
        u16::try_from(at).expect("a file of bounded size names fewer than 65 536 topics")
    }

    pub(super) fn dead_letter(&mut self) -> Option<OutputTopic> {
        let sink = self.spec.dead_letter.as_ref()?;
        let topic = self.topic_name(sink.topic.as_ref()?)?;
        Some(OutputTopic {
            connection: sink
                .connection
                .as_ref()
                .map_or(MAIN, |text| &text.value)
                .to_owned(),
            topic,
        })
    }

    /// What the pipeline knows of a route.
    pub(super) fn route(&mut self, route: &RouteSpec) -> Option<RoutePlan> {
        self.check_format(route);
        let kafka = route.kafka.as_ref()?;
        let topic = kafka.topic.as_ref()?;
        let connection = kafka
            .connection
            .as_ref()
            .map_or(MAIN, |text| &text.value)
            .to_owned();
        let fixed = self.is_fixed(topic);
        let names = match (fixed, kafka.topics.is_empty()) {
            (true, true) => std::slice::from_ref(topic),
            (true, false) => {
                let message =
                    "`topics` lists what a `topic` with expressions can be; this topic is fixed";
                let help = "remove `topics`".to_owned();
                self.error("conflicting_keys", &kafka.topics[0].span, message, help);
                std::slice::from_ref(topic)
            }
            (false, true) => {
                let message = "this topic depends on the event, and there is no `topics`";
                let help = "list what it can be: `topics: [orders.EUR, orders.USD]`".to_owned();
                self.error("topics_missing", &topic.span, message, help);
                return None;
            }
            (false, false) => kafka.topics.as_slice(),
        };
        let mut topics = Vec::new();
        for name in names {
            let topic = self.topic_name(name)?;
            topics.push(self.topic(OutputTopic {
                connection: connection.clone(),
                topic,
            }));
        }
        Some(RoutePlan {
            name: route.name.as_ref()?.value.clone(),
            connection,
            topics,
            headers: kafka
                .headers
                .iter()
                .map(|(name, _)| name.value.clone())
                .collect(),
            when: route.when.as_ref().map(|text| text.value.clone()),
            topic: topic.value.clone(),
            key: kafka.key.as_ref().map(key_text),
            key_schema: match &kafka.key {
                Some(KeySpec::Avro { map, .. }) => Some(map.schema.name.value.clone()),
                _ => None,
            },
            schema: match kafka.value {
                Some(_) => None,
                None => self.body_schema(route),
            },
            format: format(kafka),
        })
    }

    /// The name of the schema that a route writes.
    fn body_schema(&self, route: &RouteSpec) -> Option<String> {
        let last = self
            .spec
            .steps
            .iter()
            .rev()
            .find_map(|step| match &step.action {
                Some(ActionSpec::Map(map)) => Some(map),
                _ => None,
            });
        let map = route.map.as_ref().or(last)?;
        Some(map.schema.name.value.clone())
    }

    /// At most as many routes as a record's deliveries are numbered for.
    pub(super) fn count_routes(&mut self) {
        if let Some(route) = self.spec.routes.get(ROUTES_MAX) {
            let message = format!("a topology has at most {ROUTES_MAX} routes");
            let span = route.name.as_ref().map_or(&route.span, |name| &name.span);
            self.error(
                "too_many_routes",
                span,
                message,
                "split the topology".to_owned(),
            );
        }
    }

    /// No topic is read and written by the same topology; sources and dead letters have topics of their own.
    pub(super) fn no_loops(
        &mut self,
        connection: &str,
        sources: &[Sourced],
        dead_letter: Option<&OutputTopic>,
    ) {
        let spec = self.spec;
        for (index, source) in sources.iter().enumerate() {
            let again = sources[..index]
                .iter()
                .any(|other| other.plan.topic == source.plan.topic);
            if let (true, Some(topic)) = (again, &source.spec.topic) {
                let message = format!("the topic `{}` is already a source", source.plan.topic);
                self.error(
                    "duplicate_source",
                    &topic.span,
                    message,
                    "remove one of them".to_owned(),
                );
            }
        }
        let is_source = |topic: &OutputTopic| {
            topic.connection == connection
                && sources
                    .iter()
                    .any(|source| source.plan.topic == topic.topic)
        };
        for route in &spec.routes {
            let Some(kafka) = &route.kafka else { continue };
            let on = kafka.connection.as_ref().map_or(MAIN, |text| &text.value);
            for text in kafka.topic.iter().chain(&kafka.topics) {
                if !self.is_fixed(text) {
                    continue;
                }
                let Some(topic) = self.literal(text) else {
                    continue;
                };
                let topic = OutputTopic {
                    connection: on.to_owned(),
                    topic,
                };
                if is_source(&topic) {
                    let message = format!(
                        "this route writes to `{}`, which is a source: an endless loop",
                        topic.topic
                    );
                    self.error(
                        "topic_loop",
                        &text.span,
                        message,
                        "write to another topic".to_owned(),
                    );
                }
                if dead_letter == Some(&topic) {
                    let message = format!(
                        "this route writes to `{}`, the dead letter topic",
                        topic.topic
                    );
                    let help = "dead letters need a topic of their own".to_owned();
                    self.error("dead_letter_topic", &text.span, message, help);
                }
            }
        }
        if let Some(topic) = dead_letter
            && is_source(topic)
            && let Some(text) = spec
                .dead_letter
                .as_ref()
                .and_then(|sink| sink.topic.as_ref())
        {
            let message = format!(
                "the dead letter topic `{}` is a source: an endless loop",
                topic.topic
            );
            let help = "dead letters need a topic of their own".to_owned();
            self.error("dead_letter_topic", &text.span, message, help);
        }
    }

    /// Every event has an outcome, and every route can be reached.
    pub(super) fn routing(&mut self) {
        let spec = self.spec;
        let all = word(&spec.matching, "first") == "all";
        let takes_all =
            |route: &RouteSpec| route.when.is_none() && !route.unclear.contains(&"when");
        let open = spec.routes.iter().position(takes_all);
        match open {
            None if spec.unmatched.is_none() && !spec.routes.is_empty() => {
                let message = "every route has a condition, and `unmatched` does not say what becomes of other events";
                let help = "add `unmatched: drop` or `unmatched: dead_letter`".to_owned();
                self.error("missing_key", &spec.routes_span, message, help);
            }
            Some(open) if !all => {
                for route in &spec.routes[open + 1..] {
                    let span = route.name.as_ref().map_or(&route.span, |name| &name.span);
                    let before = spec.routes[open]
                        .name
                        .as_ref()
                        .map_or("?", |name| &name.value);
                    let message = format!(
                        "nothing gets to this route: `{before}` before it takes every event"
                    );
                    let help = "put it first, give the other one a `when`, or write `match: all`"
                        .to_owned();
                    self.error("unreachable_route", span, message, help);
                }
            }
            _ => {}
        }
    }
}

/// A key as written, on one line.
fn key_text(key: &KeySpec) -> String {
    let (map, value) = match key {
        KeySpec::Expr(text) => return text.value.clone(),
        KeySpec::Avro { map, value } => (map, value),
    };
    let said: Vec<String> = [("from", &map.from), ("value", value)]
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name}: {}", text.as_ref()?.value)))
        .chain(
            map.set
                .iter()
                .map(|(name, text)| format!("{}: {}", name.value, text.value)),
        )
        .collect();
    format!("{} {{ {} }}", map.schema.name.value, said.join(", "))
}
