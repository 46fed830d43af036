//! Goal: what an expression writes out for the output, alone, behind conditions, in lists and bound to a name, decodes with
//! `apache-avro` to the values that stand in the text. Method: a type of the output and a seed are drawn (and shrunk) by
//! proptest; the text of each field and what it must become are made together.

use apache_avro::types::Value as Avro;
use lockgate::codec::frame;
use lockgate::pipeline::process::{Input, Outputs, Processor, Verdict};
use lockgate::topology::{self, Vars};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

use super::oracle::{Model, Ty, datum, oracle_reads, root, to_avro, to_json, to_schema, value};

const NUMBER: i64 = -70_000_000_007;
const TEXT: &str = "ein Täxt";

const TOPOLOGY: &str = "
id: written
sources:
  - topic: in
    envelope: none
    key: bytes
    value: { avro: event }
steps:
  - name: shape
    schema: out
    set:
SET
routes:
  - name: all
    kafka: { topic: out }
dead_letter: { topic: dlq }
";

fn event() -> Json {
    json!({"type": "record", "name": "Event", "fields": [
        {"name": "text", "type": "string"},
        {"name": "number", "type": "long"},
        {"name": "yes", "type": "boolean"},
        {"name": "maybe", "type": ["null", "string"]},
        {"name": "list", "type": {"type": "array", "items": {"type": "record", "name": "One", "fields": [
            {"name": "text", "type": "string"}, {"name": "number", "type": "long"}
        ]}}},
    ]})
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

fn bytes(bytes: &[u8]) -> String {
    let all = bytes.iter().map(|byte| format!("\\x{byte:02x}"));
    format!("b\"{}\"", all.collect::<String>())
}

fn has_record(ty: &Ty) -> bool {
    match ty {
        Ty::Record(_) | Ty::Union(..) => true,
        Ty::Array(inner) | Ty::Map(inner) | Ty::Nullable(inner, _) => has_record(inner),
        _ => false,
    }
}

/// The text of a value, and what it must be read as. `from` is what has a `text` and a `number`, if something has.
fn written(ty: &Ty, model: &Model, from: &str, rng: &mut StdRng) -> (String, Avro) {
    let plain = || to_json(&to_avro(ty, model));
    let text = match (ty, model) {
        (Ty::Null, _) => "null".to_owned(),
        (Ty::String, _) if rng.random_range(0..3) == 0 => {
            return (format!("{from}.text"), Avro::String(TEXT.to_owned()));
        }
        (Ty::Long, _) if rng.random_range(0..3) == 0 => {
            return (format!("{from}.number"), Avro::Long(NUMBER));
        }
        (_, Model::Bool(value)) => value.to_string(),
        (Ty::Int | Ty::Long, Model::Int(value)) => value.to_string(),
        (_, Model::Double(value)) => format!("{value:?}"),
        (Ty::Date, _) => format!("date({})", plain()),
        (Ty::Micros, _) => format!("timestamp({})", plain()),
        (Ty::Decimal, _) => format!("decimal({})", plain()),
        (_, Model::Bytes(value)) => bytes(value),
        (_, Model::Str(value)) => quoted(value),
        (Ty::Array(inner), Model::List(list)) => {
            let all = list.iter().map(|item| written(inner, item, from, rng));
            let (texts, values): (Vec<_>, Vec<_>) = all.unzip();
            return (format!("[{}]", texts.join(", ")), Avro::Array(values));
        }
        (Ty::Map(inner), Model::Map(map)) => {
            let mut texts = Vec::new();
            let mut values = std::collections::HashMap::new();
            for (key, item) in map {
                let (text, value) = written(inner, item, from, rng);
                texts.push(format!("{}: {text}", quoted(key)));
                values.insert(key.clone(), value);
            }
            return (format!("{{{}}}", texts.join(", ")), Avro::Map(values));
        }
        (Ty::Record(fields), Model::Map(values)) => {
            let mut texts = Vec::new();
            let mut all = Vec::new();
            for (ty, (name, item)) in fields.iter().zip(values) {
                let (text, value) = written(ty, item, from, rng);
                let is_default = matches!(ty, Ty::Nullable(_, true)) && text == "null";
                // What has a default may be left out; the order is anybody's.
                if !(is_default && rng.random()) {
                    let at = rng.random_range(0..=texts.len());
                    texts.insert(at, format!("{}: {text}", quoted(name)));
                }
                all.push((name.clone(), value));
            }
            return (format!("{{{}}}", texts.join(", ")), Avro::Record(all));
        }
        (Ty::Nullable(inner, first), Model::Branch(at, item)) => {
            let is_null = *at == usize::from(!first);
            let (text, value) = match is_null {
                true => ("null".to_owned(), Avro::Null),
                false => written(inner, item, from, rng),
            };
            return (text, Avro::Union(*at as u32, Box::new(value)));
        }
        (Ty::Union(inner, first), Model::Branch(..)) => {
            // Null, boolean, string, a record and an array, from that index on: the record is what is asked about.
            let at = 3 - first;
            let item = Model::Map(vec![("f0".to_owned(), value(inner, rng))]);
            let record = Ty::Record(vec![(**inner).clone()]);
            let (text, value) = match rng.random_range(0..3) {
                0 if *first < 3 => (quoted("text"), (2 - first, Avro::String("text".into()))),
                _ => {
                    let (text, value) = written(&record, &item, from, rng);
                    (text, (at, value))
                }
            };
            return (text, Avro::Union(value.0 as u32, Box::new(value.1)));
        }
        (ty, model) => panic!("{model:?} is no {ty:?}"),
    };
    (text, to_avro(ty, model))
}

/// The text of a field in one of the forms that may stand around what is written out.
fn field(ty: &Ty, rng: &mut StdRng) -> (String, Avro) {
    let model = value(ty, rng);
    if !has_record(ty) {
        return written(ty, &model, "event", rng);
    }
    match (ty, rng.random_range(0..5)) {
        (Ty::Array(inner), 0) => {
            let (text, value) = written(inner, &value(inner, rng), "i", rng);
            (
                format!("event.list.map(i, {text})"),
                Avro::Array(vec![value; 2]),
            )
        }
        (Ty::Array(inner), 1) => {
            let (text, value) = written(ty, &model, "event", rng);
            let (each, one) = written(inner, &self::value(inner, rng), "i", rng);
            let Avro::Array(mut all) = value else {
                unreachable!()
            };
            all.extend([one.clone(), one]);
            (
                format!("{text} + event.list.map(i, {each})"),
                Avro::Array(all),
            )
        }
        (_, 2) => {
            let (text, value) = written(ty, &model, "event", rng);
            let (other, _) = written(ty, &self::value(ty, rng), "event", rng);
            let condition = ["event.yes", "event.maybe == null"][rng.random_range(0..2)];
            (format!("{condition} ? {text} : {other}"), value)
        }
        (_, 3) => {
            let (text, value) = written(ty, &model, "b", rng);
            (format!("cel.bind(b, event.list[1], {text})"), value)
        }
        (Ty::Record(_), 4) => {
            let (text, value) = written(ty, &model, "event", rng);
            let (other, _) = written(ty, &self::value(ty, rng), "o", rng);
            (
                format!(
                    "event.?maybe.optMap(o, {}).orValue({text})",
                    other.replace("o.text", "o").replace("o.number", "1")
                ),
                value,
            )
        }
        _ => written(ty, &model, "event", rng),
    }
}

/// Gives every nullable field whose null comes first that default.
fn with_defaults(schema: &mut Json) {
    match schema {
        Json::Object(node) => {
            for field in node
                .get_mut("fields")
                .and_then(Json::as_array_mut)
                .into_iter()
                .flatten()
            {
                if field["type"]
                    .as_array()
                    .is_some_and(|all| all.len() == 2 && all[0] == "null")
                {
                    field["default"] = Json::Null;
                }
                with_defaults(&mut field["type"]);
            }
            for below in ["items", "values"] {
                node.get_mut(below).into_iter().for_each(with_defaults);
            }
        }
        Json::Array(branches) => branches.iter_mut().for_each(with_defaults),
        _ => {}
    }
}

fn outcome(fields: &[(String, String)], schema: &Json) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let set = fields
        .iter()
        .map(|(name, text)| format!("      {name}: {}\n", quoted(text)));
    let set = match fields {
        [] => "      {}".to_owned(),
        _ => set.collect(),
    };
    std::fs::write(at("event.avsc"), event().to_string()).unwrap();
    std::fs::write(at("out.avsc"), schema.to_string()).unwrap();
    std::fs::write(at("t.yaml"), TOPOLOGY.replace("SET", &set)).unwrap();
    let plan = topology::load(&[at("t.yaml")], Some(folder.path()), &Vars::new());
    let plan = plan
        .unwrap_or_else(|faults| panic!("{}", faults.render(false)))
        .remove(0);
    let one = Avro::Record(vec![
        ("text".into(), Avro::String(TEXT.into())),
        ("number".into(), Avro::Long(NUMBER)),
    ]);
    let record = Avro::Record(vec![
        ("text".into(), Avro::String(TEXT.into())),
        ("number".into(), Avro::Long(NUMBER)),
        ("yes".into(), Avro::Boolean(true)),
        ("maybe".into(), Avro::Union(0, Box::new(Avro::Null))),
        ("list".into(), Avro::Array(vec![one; 2])),
    ]);
    let mut framed = vec![0, 0, 0, 0, 1];
    framed.extend(datum(&event(), record).1);
    let program = plan
        .compile_value(0, 1, &plan.sources[0].value.schema)
        .unwrap();
    let input = Input {
        source: 0,
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        value: Some(&framed),
        headers: &[],
    };
    let mut outputs = Outputs::default();
    let mut processor = Processor::new(plan.clone(), vec![7; plan.schemas.len()]);
    let verdict = processor.process(None, Some(&program), &input, &mut outputs);
    assert_eq!(verdict, Verdict::Deliver, "{fields:?}");
    let value = outputs.part(outputs.list[0].value, None).unwrap();
    frame::split(value).unwrap().1.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_out_decodes_to_what_stands_in_the_text(ty in root(), seed in any::<u64>()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let Ty::Record(fields) = &ty else { unreachable!() };
        let mut schema = to_schema(&ty, "");
        with_defaults(&mut schema);
        let (mut texts, mut expected) = (Vec::new(), Vec::new());
        for (at, ty) in fields.iter().enumerate() {
            let (text, value) = field(ty, &mut rng);
            texts.push((format!("f{at}"), text));
            expected.push((format!("f{at}"), value));
        }
        let written = outcome(&texts, &schema);
        let oracle = apache_avro::Schema::parse_str(&schema.to_string()).unwrap();
        let found = oracle_reads(&oracle, &written).unwrap();
        prop_assert_eq!(found, Avro::Record(expected), "{:?}", texts);
    }
}
