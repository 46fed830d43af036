//! Compiled programs by writer schema id, one cache per pipeline thread.
//!
//! A program is compiled where the schema's answer arrives, on the registry's runtime, never on a pipeline thread: only the
//! lanes that need the schema wait.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::codec::frame::SchemaId;
pub(super) use crate::codec::frame::Side;
use crate::schema::Schema;
use crate::schema::compare::difference;
use crate::telemetry::Metrics;
use crate::topology::plan::{Ids, KeyFormat, Plan, Refusal};
use crate::topology::program::{KeyProgram, ValueProgram};

/// Ids that are remembered as unknown to the registry, at most; the registry's own cache bounds what they cost it.
const UNKNOWN_MAX: usize = 1024;

/// How long an id that the registry does not know is judged without asking it again.
const UNKNOWN_AGE_MAX: Duration = Duration::from_secs(10);

/// Differences to the checked schema that are logged.
const CHANGES_SHOWN_MAX: usize = 10;

/// A schema id in the place where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Index of the source.
    pub source: u16,
    /// Key or value.
    pub side: Side,
    /// The id of the frame.
    pub id: SchemaId,
}

/// What is known of a schema id in its place.
#[derive(Clone)]
pub(super) enum Known {
    /// A value's program.
    Value(Arc<ValueProgram>),
    /// A key's program.
    Key(Arc<KeyProgram>),
    /// The schema cannot be used here.
    Refused(Arc<Refusal>),
    /// The registry does not know the id, and was given time to learn it.
    Unknown(Instant),
}

/// The programs of a record's two sides, where it has them.
type Both = (Option<Arc<KeyProgram>>, Option<Arc<ValueProgram>>);

/// What a record needs before it can be processed.
pub(super) enum Needs<'p> {
    /// Nothing: both programs, where the record has such a side.
    Ready(Option<&'p KeyProgram>, Option<&'p ValueProgram>),
    /// These have to be asked for.
    Missing(Vec<Place>),
    /// The schema at this place cannot be used.
    Refused(Place, Arc<Refusal>),
    /// The registry does not know this id.
    Unknown(Place),
}

/// The cache.
#[derive(Default)]
pub(super) struct Programs {
    known: HashMap<Place, Known>,
    unknown: usize,
    /// What the last record needed: most often also what the next one does.
    last: Option<Last>,
}

struct Last {
    source: u16,
    ids: Ids,
    key: Option<Arc<KeyProgram>>,
    value: Option<Arc<ValueProgram>>,
}

impl Programs {
    /// Takes an answer in.
    pub fn learn(&mut self, place: Place, known: Known) {
        if matches!(known, Known::Unknown(_)) {
            if self.unknown >= UNKNOWN_MAX {
                self.known
                    .retain(|_, known| !matches!(known, Known::Unknown(_)));
                self.unknown = 0;
            }
            self.unknown += 1;
        }
        self.known.insert(place, known);
    }

    /// The programs for the schemas of one record.
    pub fn find(&mut self, source: u16, ids: Ids) -> Needs<'_> {
        let is_last = |last: &Last| last.source == source && last.ids == ids;
        if !self.last.as_ref().is_some_and(is_last) {
            match self.look_up(source, ids) {
                Ok((key, value)) => {
                    self.last = Some(Last {
                        source,
                        ids,
                        key,
                        value,
                    })
                }
                Err(needs) => return needs,
            }
        }
        let last = self
            .last
            .as_ref()
            .expect("it was there or has just been set");
        Needs::Ready(last.key.as_deref(), last.value.as_deref())
    }

    fn look_up(&mut self, source: u16, ids: Ids) -> Result<Both, Needs<'static>> {
        let key = match ids.key.map(|id| Place {
            source,
            side: Side::Key,
            id,
        }) {
            None => None,
            Some(place) => match self.look(place) {
                Some(Known::Key(program)) => Some(program),
                Some(Known::Refused(refusal)) => return Err(Needs::Refused(place, refusal)),
                Some(Known::Unknown(_)) => return Err(Needs::Unknown(place)),
                Some(Known::Value(_)) | None => return Err(self.missing(source, ids)),
            },
        };
        let value = match ids.value.map(|id| Place {
            source,
            side: Side::Value,
            id,
        }) {
            None => None,
            Some(place) => match self.look(place) {
                Some(Known::Value(program)) => Some(program),
                Some(Known::Refused(refusal)) => return Err(Needs::Refused(place, refusal)),
                Some(Known::Unknown(_)) => return Err(Needs::Unknown(place)),
                Some(Known::Key(_)) | None => return Err(self.missing(source, ids)),
            },
        };
        Ok((key, value))
    }

    fn look(&mut self, place: Place) -> Option<Known> {
        match self.known.get(&place)? {
            Known::Unknown(since) if since.elapsed() > UNKNOWN_AGE_MAX => {
                self.known.remove(&place);
                self.unknown = self.unknown.saturating_sub(1);
                None
            }
            known => Some(known.clone()),
        }
    }

    fn missing(&mut self, source: u16, ids: Ids) -> Needs<'static> {
        let sides = [(Side::Key, ids.key), (Side::Value, ids.value)];
        let places = sides.into_iter().filter_map(|(side, id)| {
            Some(Place {
                source,
                side,
                id: id?,
            })
        });
        Needs::Missing(places.filter(|place| self.look(*place).is_none()).collect())
    }
}

/// The schema ids that a topology has met: the first sight of each is logged and counted, once for all threads.
#[derive(Default)]
pub(super) struct Sightings(Mutex<HashSet<Place>>);

impl Sightings {
    /// Takes note of an id and what became of it.
    pub fn note(
        &self,
        plan: &Plan,
        metrics: &Metrics,
        place: Place,
        writer: &Schema,
        known: &Known,
    ) {
        if !self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(place)
        {
            return;
        }
        let source = &plan.sources[usize::from(place.source)];
        let checked = match (place.side, &source.key) {
            (Side::Value, _) => Some(&source.value.schema),
            (Side::Key, KeyFormat::Avro(schema)) => Some(&schema.schema),
            (Side::Key, _) => None,
        };
        let changes = checked
            .map(|checked| difference(writer, checked))
            .unwrap_or_default();
        let change = match known {
            Known::Refused(refusal) => match &**refusal {
                Refusal::Wrong(_) => "wrong",
                Refusal::Incompatible(_) => "incompatible",
            },
            _ if changes.is_empty() => "equal",
            _ => "resolvable",
        };
        metrics.schema_seen(&plan.id, &source.topic, change);
        let shown: Vec<String> = changes
            .iter()
            .take(CHANGES_SHOWN_MAX)
            .map(ToString::to_string)
            .collect();
        tracing::info!(
            topology = plan.id,
            topic = source.topic,
            schema_id = %place.id,
            side = place.side.name(),
            change,
            changes = changes.len(),
            difference = shown.join("; "),
            "a schema id is seen for the first time"
        );
    }
}

/// Compiles the program for a schema in its place.
pub(super) fn compile(plan: &Plan, place: Place, writer: &Schema) -> Known {
    let compiled = match place.side {
        Side::Key => plan
            .compile_key(place.source, place.id, writer)
            .map(|program| Known::Key(Arc::new(program))),
        Side::Value => plan
            .compile_value(place.source, place.id, writer)
            .map(|program| Known::Value(Arc::new(program))),
    };
    compiled.unwrap_or_else(|refusal| Known::Refused(Arc::new(refusal)))
}
