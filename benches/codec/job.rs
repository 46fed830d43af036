//! A job as data, and its ways through Lockgate and through `apache-avro`'s values.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use lockgate::codec::{frame, json};
use lockgate::pipeline::process::{Input, Outputs, Processor, Verdict};
use lockgate::schema::Schema;
use lockgate::topology::program::ValueProgram;
use lockgate::topology::{self, Plan};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::measure::Case;

pub use crate::corpus::{FRAME, ID_IN, ID_OUT};

/// Different records of a job.
pub const RECORDS: usize = 1000;

/// What a job is: schemas, a topology, records from a seed, and the same mapping as Rust over `apache-avro`'s values.
pub struct Job {
    pub name: &'static str,
    pub what: &'static str,
    pub topology: &'static str,
    /// File stem and text of the schemas of inputs and outputs.
    pub schemas: [(&'static str, &'static str); 2],
    /// The record of an index, as JSON.
    pub record: fn(&mut StdRng, usize) -> serde_json::Value,
    pub mapping: fn(Value) -> anyhow::Result<Option<Made>>,
}

/// What a mapping makes of a record.
pub enum Made {
    Avro(Value),
    Json(serde_json::Value),
}

/// A way from a record to its output: appends it, or says that the record is not kept.
pub type Way<'a> = Box<dyn FnMut(&[u8], &mut Vec<u8>) -> anyhow::Result<bool> + 'a>;

/// A job with its records, compiled.
pub struct Ready {
    pub job: &'static Job,
    pub values: Vec<Vec<u8>>,
    pub plan: Arc<Plan>,
    program: ValueProgram,
    /// What Lockgate makes of each record; `None` where it keeps none.
    pub outputs: Vec<Option<Vec<u8>>>,
    /// The schemas as `apache-avro` has them.
    pub avro: [apache_avro::Schema; 2],
}

impl Job {
    /// Makes the records and compiles the topology.
    pub fn ready(&'static self) -> anyhow::Result<Ready> {
        let folder = self.folder()?;
        let plan = load(folder.path())?;
        let writer = self.writer()?;
        let program = compile(&plan, &writer)?;
        let mut random = StdRng::seed_from_u64(42);
        let mut values = Vec::new();
        for index in 0..RECORDS {
            let mut value = Vec::new();
            frame::write(ID_IN, &mut value);
            let datum = json::from_json(&writer, &(self.record)(&mut random, index))
                .map_err(|fault| anyhow!("{}: record {index}: {fault}", self.name))?;
            value.extend_from_slice(&datum);
            values.push(value);
        }
        let [schema_in, schema_out] = self.schemas;
        let avro = [
            apache_avro::Schema::parse_str(schema_in.1)?,
            apache_avro::Schema::parse_str(schema_out.1)?,
        ];
        let mut ready = Ready {
            job: self,
            values,
            plan,
            program,
            outputs: Vec::new(),
            avro,
        };
        ready.outputs = ready.made().with_context(|| self.name)?;
        Ok(ready)
    }

    /// The topology and its schemas as files.
    pub fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("job.yaml"), self.topology)?;
        std::fs::create_dir(folder.path().join("avro"))?;
        for (name, schema) in self.schemas {
            std::fs::write(folder.path().join(format!("avro/{name}.avsc")), schema)?;
        }
        Ok(folder)
    }

    /// The schema of the inputs.
    pub fn writer(&self) -> anyhow::Result<Schema> {
        Schema::parse(self.schemas[0].1).map_err(|fault| anyhow!("{fault}"))
    }
}

/// Reads and compiles the topology of a folder.
pub fn load(folder: &std::path::Path) -> anyhow::Result<Arc<Plan>> {
    let plans = topology::load(&[folder.join("job.yaml")], None, &Default::default())
        .map_err(|faults| anyhow!("{}", faults.render(false)))?;
    plans.first().cloned().context("one topology")
}

/// Compiles the program for a writer's schema.
pub fn compile(plan: &Plan, writer: &Schema) -> anyhow::Result<ValueProgram> {
    plan.compile_value(0, ID_IN, writer)
        .map_err(|refusal| anyhow!("{refusal:?}"))
}

impl Ready {
    fn input<'a>(&self, at: usize, value: &'a [u8]) -> Input<'a> {
        Input {
            source: 0,
            partition: 0,
            offset: at as i64,
            timestamp_ms: Some(1_790_000_000_000),
            key: Some(b"bench"),
            value: Some(value),
            headers: &[],
        }
    }

    fn made(&self) -> anyhow::Result<Vec<Option<Vec<u8>>>> {
        let mut processor = Processor::new(self.plan.clone(), vec![ID_OUT]);
        let mut outputs = Outputs::default();
        let mut made = Vec::new();
        for (at, value) in self.values.iter().enumerate() {
            outputs.clear();
            let input = self.input(at, value);
            made.push(
                match processor.process(None, Some(&self.program), &input, &mut outputs) {
                    Verdict::Deliver => outputs
                        .part(outputs.list[0].value, None)
                        .map(<[u8]>::to_vec),
                    Verdict::Filtered(_) => None,
                    Verdict::Poison(poison) => anyhow::bail!("record {at} is refused: {poison:?}"),
                },
            );
        }
        Ok(made)
    }

    /// The job by Lockgate: from the record's bytes to the outputs of a batch.
    pub fn lockgate(&self, name: &str) -> Case<'_> {
        let mut processor = Processor::new(self.plan.clone(), vec![ID_OUT]);
        let mut outputs = Outputs::default();
        Case::new(name, self.values.len(), move |at| {
            // A batch of the pipeline has about this many records.
            if at % 500 == 0 {
                outputs.clear();
            }
            let input = self.input(at, black_box(&self.values[at]));
            let verdict = processor.process(None, Some(&self.program), &input, &mut outputs);
            assert!(!matches!(verdict, Verdict::Poison(_)));
            black_box(&outputs);
        })
    }

    /// The same by `apache-avro`: datum to values, the mapping in Rust, values to datum.
    pub fn by_value(&self) -> anyhow::Result<Way<'_>> {
        let reader = GenericDatumReader::builder(&self.avro[0]).build()?;
        let writer = GenericDatumWriter::builder(&self.avro[1]).build()?;
        let mapping = self.job.mapping;
        Ok(Box::new(move |framed, out| {
            match mapping(read(&reader, framed)?)? {
                None => return Ok(false),
                Some(Made::Avro(value)) => write(&writer, value, out)?,
                Some(Made::Json(value)) => serde_json::to_writer(out, &value)?,
            }
            Ok(true)
        }))
    }

    /// A case of another way, once its outputs are those of Lockgate.
    pub fn case<'a>(
        &'a self,
        name: &str,
        mut way: Way<'a>,
        is_same_bytes: bool,
    ) -> anyhow::Result<Case<'a>> {
        let reader = GenericDatumReader::builder(&self.avro[1]).build()?;
        let mut out = Vec::new();
        for (at, (value, ours)) in self.values.iter().zip(&self.outputs).enumerate() {
            out.clear();
            let place = || format!("{}, {name}: record {at}", self.job.name);
            let is_kept = way(value, &mut out).with_context(place)?;
            ensure!(is_kept == ours.is_some(), "{}: kept by one only", place());
            let Some(ours) = ours else { continue };
            if *ours == out {
                continue;
            }
            ensure!(!is_same_bytes, "{}: other bytes", place());
            if ours.first() == Some(&b'{') {
                let parse = |bytes| serde_json::from_slice::<serde_json::Value>(bytes);
                ensure!(
                    parse(ours)? == parse(&out)?,
                    "{}: {} is not {}",
                    place(),
                    String::from_utf8_lossy(&out),
                    String::from_utf8_lossy(ours)
                );
            } else {
                // The entries of maps have no order there.
                let (ours, other) = (read(&reader, ours)?, read(&reader, &out)?);
                ensure!(ours == other, "{}: {other:?} is not {ours:?}", place());
            }
        }
        Ok(Case::new(name, self.values.len(), move |at| {
            if at % 500 == 0 {
                out.clear();
            }
            let is_kept = way(black_box(&self.values[at]), &mut out);
            black_box(is_kept.expect("it did not fail before"));
            black_box(&out);
        }))
    }
}

/// A framed record as a value.
pub fn read(reader: &GenericDatumReader<'_>, framed: &[u8]) -> anyhow::Result<Value> {
    ensure!(framed.len() >= FRAME && framed[0] == 0, "no frame");
    let mut datum = &framed[FRAME..];
    let value = reader.read_value(&mut datum)?;
    ensure!(datum.is_empty(), "trailing bytes");
    Ok(value)
}

/// Appends a framed record.
pub fn write(
    writer: &GenericDatumWriter<'_>,
    value: Value,
    out: &mut Vec<u8>,
) -> anyhow::Result<()> {
    frame::write(ID_OUT, out);
    writer.write_value_ref(out, &value)?;
    Ok(())
}
