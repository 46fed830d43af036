//! Paths to plans: every file, then what holds across files. All faults at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{Fault, Faults, Severity, Source};
use super::files::{self, Schemas};
use super::plan::Plan;
use super::spec::{KafkaSpec, RouteSpec, Spec, Text};
use super::vars::{self, Absent, Secrets, Vars};
use super::{compile, read, yaml};
use crate::expr::Probes;

/// Reads, checks and compiles the topologies of files and folders, to work with them. Schemas are read from `avro_dir`, or
/// from the folder `avro` in or beside each topology's folder. `vars` are the configuration's values for `vars:`; the secrets
/// that they refer to must be there.
///
/// # Errors
/// Every error of all files, sorted; what [`check`] warns of is not among them.
pub fn load(
    paths: &[PathBuf],
    avro_dir: Option<&Path>,
    vars: &Vars,
) -> Result<Vec<Arc<Plan>>, Faults> {
    load_to_run(paths, avro_dir, vars).map(|(plans, _)| plans)
}

/// As [`load`], with the warnings that [`check`] cannot give where the configuration is another one.
///
/// # Errors
/// Every error of all files, sorted.
pub fn load_to_run(
    paths: &[PathBuf],
    avro_dir: Option<&Path>,
    vars: &Vars,
) -> Result<(Vec<Arc<Plan>>, Faults), Faults> {
    let (plans, mut faults) = compiled(paths, avro_dir, vars, Secrets::Needed);
    if faults.is_ok() {
        faults.keep(|fault| matches!(fault.code, "var_unknown" | "secret_short"));
        return Ok((plans, faults));
    }
    faults.keep(|fault| fault.severity == Severity::Error);
    Err(faults)
}

/// As [`load`], with what forbids nothing: the plans of the files without errors, and every error, warning and note of all
/// files, sorted. Secrets need not be there.
pub fn check(paths: &[PathBuf], avro_dir: Option<&Path>, vars: &Vars) -> (Vec<Arc<Plan>>, Faults) {
    compiled(paths, avro_dir, vars, Secrets::IfThere)
}

fn compiled(
    paths: &[PathBuf],
    avro_dir: Option<&Path>,
    vars: &Vars,
    secrets: Secrets,
) -> (Vec<Arc<Plan>>, Faults) {
    let mut faults = Faults::default();
    let sources = files::topologies(paths, &mut faults);
    let are_all_read = faults.is_ok();
    let specs = read_all(&sources, &mut faults);
    // What a file declares that could not be read is not known.
    if are_all_read && specs.len() == sources.len() {
        vars::unknown(&specs, vars, &mut faults);
    }
    let mut schemas = Schemas::new(avro_dir);
    let mut plans = compile_specs(&specs, &mut schemas, vars, secrets, &mut faults);
    // A file may have an error that only shows beside others.
    plans.retain(|plan| {
        let mut errors = faults
            .iter()
            .filter(|fault| fault.severity == Severity::Error);
        errors.all(|fault| fault.file.path != plan.path)
    });
    faults.sort();
    (plans, faults)
}

/// A topology that was compiled to be looked at, not to be run: for `lockgate test` and `lockgate trace`.
#[derive(Debug)]
pub struct Watched {
    /// The compiled topology; it notes how its conditions come out.
    pub plan: Arc<Plan>,
    /// Its conditions, by their places in the file.
    pub probes: Probes,
    /// As it is written.
    pub(super) spec: Spec,
    /// Secrets that have a stand-in.
    absent: Vec<Absent>,
}

impl Watched {
    /// Why what was made since this was last asked is worth nothing: it was made without a secret that it needs. `None` if
    /// all is well.
    pub fn lacks(&self) -> Option<&str> {
        Absent::used(&self.absent)
    }

    /// The topology with its first steps only, and one route that takes everything as it is then.
    pub(super) fn until(
        &self,
        steps: usize,
        schemas: &mut Schemas,
        vars: &Vars,
    ) -> Option<Arc<Plan>> {
        let mut spec = self.spec.clone();
        let span = spec.routes_span.clone();
        let text = |value: &str| Text {
            value: value.to_owned(),
            span: span.clone(),
        };
        spec.steps.truncate(steps);
        spec.routes = vec![RouteSpec {
            name: Some(text("so_far")),
            span: span.clone(),
            when: None,
            map: None,
            kafka: Some(KafkaSpec {
                connection: None,
                topic: Some(text("lockgate.so-far")),
                topics: Vec::new(),
                key: None,
                value: None,
                format: None,
                json: None,
                headers: Vec::new(),
                cleared_for: Vec::new(),
                unclear: Vec::new(),
            }),
            unclear: Vec::new(),
        }];
        let mut faults = Faults::default();
        let known = vars::settle(&spec, vars, Secrets::IfThere, &mut faults);
        compile::compile(&spec, schemas, &known, None, &mut faults).map(Arc::new)
    }
}

/// [`load`], with every condition watched, to be looked at: secrets need not be there, and [`Watched::lacks`] tells what was
/// made without one.
///
/// # Errors
/// Every fault of all files, sorted.
pub fn load_watched(
    paths: &[PathBuf],
    avro_dir: Option<&Path>,
    vars: &Vars,
) -> Result<Vec<Watched>, Faults> {
    let mut faults = Faults::default();
    let sources = files::topologies(paths, &mut faults);
    let all = watch_all(&sources, &mut Schemas::new(avro_dir), vars, &mut faults);
    if faults.is_ok() {
        Ok(all)
    } else {
        faults.sort();
        faults.keep(|fault| fault.severity == Severity::Error);
        Err(faults)
    }
}

/// [`compile_all`], with every condition watched.
pub(super) fn watch_all(
    sources: &[Arc<Source>],
    schemas: &mut Schemas,
    vars: &Vars,
    faults: &mut Faults,
) -> Vec<Watched> {
    let mut all = Vec::new();
    for spec in read_all(sources, faults) {
        let known = vars::settle(&spec, vars, Secrets::IfThere, faults);
        let probes = Probes::default();
        let watch = Some(probes.clone());
        if let Some(plan) = compile::compile(&spec, schemas, &known, watch, faults) {
            all.push(Watched {
                plan: Arc::new(plan),
                probes,
                spec,
                absent: known.absent,
            });
        }
    }
    all
}

/// Reads files, and checks what must hold across them.
fn read_all(sources: &[Arc<Source>], faults: &mut Faults) -> Vec<Spec> {
    let specs: Vec<Spec> = sources
        .iter()
        .filter_map(|source| {
            let root = yaml::parse(source, faults)?;
            Some(read::read(source, &root, faults))
        })
        .collect();
    across(&specs, faults);
    specs
}

/// Compiles files that have been read, to work with them. Plans of files without faults are returned even if other files
/// have some.
pub fn compile_all(
    sources: &[Arc<Source>],
    schemas: &mut Schemas,
    vars: &Vars,
    faults: &mut Faults,
) -> Vec<Arc<Plan>> {
    let specs = read_all(sources, faults);
    compile_specs(&specs, schemas, vars, Secrets::Needed, faults)
}

fn compile_specs(
    specs: &[Spec],
    schemas: &mut Schemas,
    vars: &Vars,
    secrets: Secrets,
    faults: &mut Faults,
) -> Vec<Arc<Plan>> {
    specs
        .iter()
        .filter_map(|spec| {
            let known = vars::settle(spec, vars, secrets, faults);
            compile::compile(spec, schemas, &known, None, faults).map(Arc::new)
        })
        .collect()
}

/// What must hold across files: every id once, no dead letter topic that another topology reads, no ring of topics.
fn across(specs: &[Spec], faults: &mut Faults) {
    rings(specs, faults);
    let place = |spec: &Spec, start: usize| {
        let (line, _) = spec.file.position(start);
        format!("{}:{line}", spec.file.path.display())
    };
    for (index, spec) in specs.iter().enumerate() {
        let Some(id) = &spec.id else { continue };
        let other = specs[..index].iter().find_map(|other| {
            Some((
                other,
                other.id.as_ref().filter(|known| known.value == id.value)?,
            ))
        });
        if let Some((other, known)) = other {
            let message = format!(
                "the id `{}` is taken by {}: both would share a consumer group",
                id.value,
                place(other, known.span.start)
            );
            faults.error(
                "duplicate_id",
                &spec.file,
                &id.span,
                message,
                "choose another id".to_owned(),
            );
        }
    }
    for spec in specs {
        let sink = spec.dead_letter.as_ref();
        let Some(topic) = sink.and_then(|sink| sink.topic.as_ref()) else {
            continue;
        };
        let connection = |text: &Option<super::spec::Text>| {
            text.as_ref().map_or("main", |text| &text.value).to_owned()
        };
        let on = connection(&sink.and_then(|sink| sink.connection.clone()));
        for other in specs
            .iter()
            .filter(|other| !Arc::ptr_eq(&other.file, &spec.file))
        {
            let reads = other
                .sources
                .iter()
                .filter_map(|source| source.topic.as_ref());
            let Some(read) = reads.into_iter().find(|read| read.value == topic.value) else {
                continue;
            };
            if connection(&other.connection) == on {
                let message = format!(
                    "the dead letter topic `{}` is read at {}",
                    topic.value,
                    place(other, read.span.start)
                );
                let help = "dead letters need a topic of their own".to_owned();
                faults.error("dead_letter_topic", &spec.file, &topic.span, message, help);
            }
        }
    }
}

/// Topologies that feed each other in a ring: what one writes comes back to it, over others. One that feeds itself is a
/// fault of its own file.
fn rings(specs: &[Spec], faults: &mut Faults) {
    let main = |text: &Option<Text>| text.as_ref().map_or("main", |text| &text.value).to_owned();
    // Topics with expressions are as written: they meet none by accident.
    let reads = |spec: &Spec, on: &str, topic: &str| {
        main(&spec.connection) == on
            && spec.sources.iter().any(|source| {
                source
                    .topic
                    .as_ref()
                    .is_some_and(|read| read.value == topic)
            })
    };
    for (first, spec) in specs.iter().enumerate() {
        for route in &spec.routes {
            let Some(kafka) = &route.kafka else { continue };
            let on = main(&kafka.connection);
            for text in kafka.topic.iter().chain(&kafka.topics) {
                // From the readers of this topic, over what they write, back to this topology?
                let mut reached: Vec<usize> = Vec::new();
                let mut open: Vec<usize> = (0..specs.len())
                    .filter(|at| *at != first && reads(&specs[*at], &on, &text.value))
                    .collect();
                while let Some(at) = open.pop() {
                    if reached.contains(&at) {
                        continue;
                    }
                    reached.push(at);
                    for kafka in specs[at]
                        .routes
                        .iter()
                        .filter_map(|route| route.kafka.as_ref())
                    {
                        let on = main(&kafka.connection);
                        for written in kafka.topic.iter().chain(&kafka.topics) {
                            let readers = specs.iter().enumerate();
                            let readers =
                                readers.filter(|(_, spec)| reads(spec, &on, &written.value));
                            open.extend(readers.map(|(reader, _)| reader));
                        }
                    }
                }
                if !reached.contains(&first) {
                    continue;
                }
                let over: Vec<String> = reached
                    .iter()
                    .filter(|at| **at != first)
                    .filter_map(|at| Some(format!("`{}`", specs[*at].id.as_ref()?.value)))
                    .collect();
                let message = format!(
                    "what this route writes to `{}` comes back to this topology, over {}",
                    text.value,
                    over.join(", ")
                );
                faults.push(Fault {
                    code: "topic_ring",
                    severity: Severity::Warning,
                    file: spec.file.clone(),
                    span: text.span.clone(),
                    message,
                    help: Some(
                        "make sure that some condition ends the ring, or write to another topic"
                            .to_owned(),
                    ),
                    names: Vec::new(),
                });
            }
        }
    }
}
