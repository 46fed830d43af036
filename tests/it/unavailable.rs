//! Columns that Debezium leaves out of an update: what each word of `unavailable` makes of them, in every form that the
//! placeholder has. It is never written as data unless `keep` says so.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lockgate::codec::{frame, json, placeholder};
use lockgate::pipeline::process::{Input, Outputs, Processor, Verdict};
use lockgate::schema::Schema;
use lockgate::topology::{self, Plan, Vars};
use serde_json::{Value, json};

const UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";

/// The columns of the table, each with a value of its own and with its placeholder.
fn columns() -> Vec<(&'static str, Value, Value, Value)> {
    let named = |name: &str| json!({"type": "string", "connect.name": name});
    let text = placeholder::TEXT;
    let numbers: Vec<i64> = text.bytes().map(i64::from).collect();
    let array = |items: Value| json!({"type": "array", "items": ["null", items]});
    vec![
        ("note", json!("string"), json!("a"), json!(text)),
        (
            "doc",
            named("io.debezium.data.Json"),
            json!("{}"),
            json!(text),
        ),
        (
            "hstore_json",
            named("io.debezium.data.Json"),
            json!("{\"a\":\"b\"}"),
            json!(format!("{{\"{text}\":\"{text}\"}}")),
        ),
        (
            "payload",
            json!("bytes"),
            json!("AAE="),
            json!("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="),
        ),
        (
            "tags",
            array(json!("string")),
            json!(["a", null]),
            json!([text]),
        ),
        (
            "ints",
            array(json!("int")),
            json!([1, null]),
            json!(numbers),
        ),
        ("longs", array(json!("long")), json!([1]), json!(numbers)),
        (
            "uuids",
            array(named("io.debezium.data.Uuid")),
            json!(["00000000-0000-4000-8000-000000000001"]),
            json!([UUID]),
        ),
        (
            "hstore",
            json!({"type": "map", "values": ["null", "string"]}),
            json!({"a": null}),
            json!({text: text}),
        ),
    ]
}

/// A row: `id`, and the columns, which are nullable.
fn row(name: &str) -> Value {
    let columns = columns();
    let fields = columns
        .iter()
        .map(|(name, ty, ..)| json!({"name": name, "type": ["null", ty], "default": null}));
    let id = json!({"name": "id", "type": "string"});
    let fields: Vec<Value> = [id].into_iter().chain(fields).collect();
    json!({"type": "record", "name": name, "namespace": "t", "fields": fields})
}

fn value(column: Option<&str>) -> Value {
    let mut row = json!({"id": "k"});
    for (name, _, own, left_out) in columns() {
        row[name] = if column == Some(name) { left_out } else { own };
    }
    row
}

struct Table {
    _folder: tempfile::TempDir,
    plan: Arc<Plan>,
    processor: Processor,
    flat: bool,
}

/// A topology over the table: `source` are keys of the source, `rest` its steps and routes.
fn load(flat: bool, source: &str, rest: &str) -> Result<Table, String> {
    let folder = tempfile::tempdir().unwrap();
    let avro = folder.path().join("avro");
    fs::create_dir(&avro).unwrap();
    let write = |name: &str, schema: &Value| {
        fs::write(avro.join(format!("{name}.avsc")), schema.to_string()).unwrap();
    };
    let envelope = json!({"type": "record", "name": "Envelope", "namespace": "t", "fields": [
        {"name": "before", "type": ["null", row("Value")], "default": null},
        {"name": "after", "type": ["null", "Value"], "default": null},
        {"name": "op", "type": "string"},
    ]});
    let flat_value = row("Value");
    write("t-value", if flat { &flat_value } else { &envelope });
    write("out-value", &row("Out"));
    let key = json!({"type": "record", "name": "Key", "namespace": "t", "fields": [{"name": "id", "type": "string"}]});
    write("t-key", &key);
    let kind = if flat { "none" } else { "debezium" };
    let text = format!(
        "id: t\nsources:\n  - topic: t\n    envelope: {kind}\n    value: {{ avro: t-value }}\n{source}{rest}dead_letter: {{ topic: t.dlq }}\n"
    );
    let path = folder.path().join("t.yaml");
    fs::write(&path, text).unwrap();
    let plans = topology::load(&[path], Some(Path::new(&avro)), &Vars::new())
        .map_err(|faults| faults.render(false))?;
    let plan = plans[0].clone();
    let ids = (0..plan.schemas.len() as u32).map(|at| 100 + at).collect();
    Ok(Table {
        _folder: folder,
        processor: Processor::new(plan.clone(), ids),
        plan,
        flat,
    })
}

impl Table {
    /// What becomes of an update to this row: the verdict, and the first output's value.
    fn update(&mut self, row: &Value) -> (Verdict, Option<Value>) {
        let schema = self.plan.sources[0].value.schema.clone();
        self.update_by(&schema, row)
    }

    /// As `update`, under another version of the schema.
    fn update_by(&mut self, schema: &Schema, row: &Value) -> (Verdict, Option<Value>) {
        let event = match self.flat {
            true => row.clone(),
            false => json!({"before": null, "after": row, "op": "u"}),
        };
        let mut bytes = vec![0, 0, 0, 0, 7];
        bytes.extend(json::from_json(schema, &event).unwrap());
        let key = json::from_json(
            &Schema::parse(
                r#"{"type":"record","name":"Key","namespace":"t","fields":[{"name":"id","type":"string"}]}"#,
            )
            .unwrap(),
            &json!({"id": "k"}),
        )
        .unwrap();
        let key = [&[0, 0, 0, 0, 8][..], &key].concat();
        let ids = self.plan.ids(0, Some(&key), Some(&bytes), &[]).unwrap();
        let program = self
            .plan
            .compile_value(0, ids.value.unwrap(), schema)
            .unwrap();
        let key_program = ids.key.map(|id| {
            let lockgate::topology::plan::KeyFormat::Avro(reader) = &self.plan.sources[0].key
            else {
                unreachable!("only an Avro key has an id")
            };
            self.plan.compile_key(0, id, &reader.schema).unwrap()
        });
        let input = Input {
            source: 0,
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: Some(&key),
            value: Some(&bytes),
            headers: &[],
        };
        let mut outputs = Outputs::default();
        let verdict =
            self.processor
                .process(key_program.as_ref(), Some(&program), &input, &mut outputs);
        let sent = outputs.list.first().map(|output| {
            let sent = outputs.part(output.value, Some(&bytes)).unwrap();
            match frame::split(sent) {
                Ok((id, datum)) if id >= 100 => {
                    json::to_json(&self.plan.schemas[id as usize - 100].schema, datum).unwrap()
                }
                Ok((_, datum)) => json::to_json(schema, datum).unwrap(),
                Err(_) => serde_json::from_slice(sent).unwrap(),
            }
        });
        (verdict, sent)
    }

    fn reason(&mut self, row: &Value) -> &'static str {
        match self.update(row) {
            (Verdict::Poison(poison), None) => poison.reason,
            other => panic!("{other:?}"),
        }
    }
}

const COPY: &str = "steps:\n  - { name: live, keep: 'event.op == \"u\"' }\n  - { name: copy, schema: out-value, from: event.after }\nroutes:\n  - { name: all, kafka: { topic: out } }\n";
const FLAT_COPY: &str = "steps:\n  - { name: copy, schema: out-value, from: event }\nroutes:\n  - { name: all, kafka: { topic: out } }\n";
const AS_IT_CAME: &str = "routes:\n  - { name: all, kafka: { topic: out } }\n";
const AS_JSON: &str = "routes:\n  - { name: all, kafka: { topic: out, format: json } }\n";

#[test]
fn no_form_of_the_placeholder_is_written_as_data_unless_it_is_kept() {
    for (flat, rest) in [
        (false, COPY),
        (true, FLAT_COPY),
        (false, AS_IT_CAME),
        (true, AS_IT_CAME),
        (false, AS_JSON),
        (true, AS_JSON),
    ] {
        let mut table = load(flat, "", rest).unwrap();
        let (verdict, sent) = table.update(&value(None));
        assert!(matches!(verdict, Verdict::Deliver), "{rest}: {verdict:?}");
        assert!(sent.is_some());
        let mut kept = load(flat, "    unavailable: keep\n", rest).unwrap();
        for (column, ..) in columns() {
            let row = value(Some(column));
            assert_eq!(table.reason(&row), "unavailable_value", "{column} {rest}");
            let (_, sent) = kept.update(&row);
            let sent = sent.unwrap();
            let sent = sent.get("after").unwrap_or(&sent);
            assert_eq!(sent[column], row[column], "{column} {rest}");
        }
    }
}

#[test]
fn as_null_the_placeholder_is_null_where_fields_are_copied_and_a_dead_letter_where_the_event_is() {
    let null = "    unavailable: \"null\"\n";
    for (flat, rest) in [(false, COPY), (true, FLAT_COPY)] {
        let mut table = load(flat, null, rest).unwrap();
        for (column, ..) in columns() {
            let (_, sent) = table.update(&value(Some(column)));
            let mut wanted = value(None);
            wanted[column] = Value::Null;
            assert_eq!(sent.unwrap(), wanted, "{column}");
        }
    }
    for (flat, rest) in [
        (false, AS_IT_CAME),
        (true, AS_IT_CAME),
        (false, AS_JSON),
        (true, AS_JSON),
    ] {
        let mut table = load(flat, null, rest).unwrap();
        for (column, ..) in columns() {
            assert_eq!(table.reason(&value(Some(column))), "unavailable_value");
        }
    }
}

#[test]
fn as_optional_values_columns_are_data_only_with_a_value_in_their_place() {
    let optional = "    key: { avro: t-key }\n    unavailable: optional\n";
    for (flat, rest) in [
        (false, COPY),
        (true, FLAT_COPY),
        (false, AS_IT_CAME),
        (true, AS_JSON),
    ] {
        let faults = load(flat, optional, rest).err().unwrap();
        assert!(faults.contains("error[left_out]"), "{faults}");
    }
    for flat in [false, true] {
        let row = if flat { "event" } else { "event.after" };
        let sets = |then: &str| {
            let lines = columns().into_iter().map(|(name, ..)| {
                format!(
                    "      {name}: {}\n",
                    then.replace("X", &format!("{row}.{name}"))
                )
            });
            lines.collect::<String>()
        };
        let topology = |then: &str| {
            let live = if flat {
                "true || meta.offset == 0"
            } else {
                "event.op == \"u\""
            };
            format!(
                "steps:\n  - {{ name: live, keep: '{live}' }}\n  - name: copy\n    schema: out-value\n    set:\n      id: {row}.id\n{}routes:\n  - {{ name: all, kafka: {{ topic: out }} }}\n",
                sets(then)
            )
        };
        // Left out is not null: each is asked for, and told apart.
        let mut or_null = load(flat, optional, &topology("X.orValue(null)")).unwrap();
        let mut or_error = load(
            flat,
            optional,
            &topology("'X.hasValue() ? X.value() : error(\"gone\")'"),
        )
        .unwrap();
        let mut present = load(flat, optional, &topology("'has(X) ? X.value() : null'")).unwrap();
        for (column, ..) in columns() {
            let row = value(Some(column));
            let mut wanted = value(None);
            wanted[column] = Value::Null;
            assert_eq!(or_null.update(&row).1.unwrap(), wanted, "{column}");
            assert_eq!(present.update(&row).1.unwrap(), wanted, "{column}");
            assert_eq!(or_error.reason(&row), "gone", "{column}");
            let mut row = value(None);
            row[column] = Value::Null;
            for table in [&mut or_null, &mut or_error, &mut present] {
                assert_eq!(table.update(&row).1.unwrap(), row, "{column}");
            }
        }
        assert_eq!(or_error.update(&value(None)).1.unwrap(), value(None));
    }
}

#[test]
fn what_is_sent_as_it_came_holds_no_placeholder_of_a_newer_column_either() {
    let newer = |name: &str| {
        let mut row = row(name);
        let fields = row["fields"].as_array_mut().unwrap();
        fields.push(json!({"name": "newer", "type": ["null", "string"], "default": null}));
        Schema::parse(&row.to_string()).unwrap()
    };
    let mut left_out = value(None);
    left_out["newer"] = json!(placeholder::TEXT);
    let mut sent = left_out.clone();
    sent["newer"] = json!("__debezium_unavailable_value of another length");
    for (source, expected) in [("", false), ("    unavailable: keep\n", true)] {
        let mut table = load(true, source, AS_IT_CAME).unwrap();
        let (verdict, _) = table.update_by(&newer("Value"), &left_out);
        assert_eq!(matches!(verdict, Verdict::Deliver), expected, "{verdict:?}");
        let (verdict, _) = table.update_by(&newer("Value"), &sent);
        assert!(matches!(verdict, Verdict::Deliver), "{verdict:?}");
    }
}

#[test]
fn a_key_column_keeps_its_type_and_its_placeholder_is_a_dead_letter() {
    let optional = "    key: { avro: t-key }\n    unavailable: optional\n";
    let rest = "steps:\n  - { name: live, keep: 'event.op == \"u\" && event.after.id != \"\"' }\n  - { name: copy, schema: out-value, set: { id: event.after.id } }\nroutes:\n  - { name: all, kafka: { topic: out } }\n";
    let mut table = load(false, optional, rest).unwrap();
    let mut row = value(None);
    assert!(table.update(&row).1.is_some());
    row["id"] = json!(placeholder::TEXT);
    assert_eq!(table.reason(&row), "unavailable_value");
}

#[test]
fn what_is_asked_of_an_optional_column_is_typed() {
    let optional =
        "    key: { avro: t-key }\n    unavailable: optional\n    replica_identity: full\n";
    let routes = "routes:\n  - { name: all, kafka: { topic: out, value: \"string(1)\" } }\n";
    let check = |condition: &str| {
        let condition = condition.replace('\'', "''");
        let steps = format!(
            "steps:\n  - {{ name: live, keep: 'event.op == \"u\"' }}\n  - {{ name: ask, keep: '{condition}' }}\n"
        );
        load(false, optional, &(steps + routes)).map(|_| ())
    };
    for fine in [
        "event.after.note.has_value()",
        "event.after.note.orValue(null) == null",
        "default(event.after.note, \"\") == \"\"",
        "event.after.?note.orValue(\"\") == \"\"",
        "event.after.tags[?0].orValue(\"\") == \"a\"",
        "event.after.hstore.?a.orValue(\"\") == \"a\"",
        "event.after.note.hasValue() && event.after.note.value() != null && event.after.note.value().startsWith(\"x\")",
        "has(event.after.note) && event.after.note.value().startsWith(\"x\")",
        "event.before.?note.hasValue() || event.after != null",
        "event.after.note.optMap(n, n == \"x\").orValue(false)",
    ] {
        assert_eq!(check(fine), Ok(()), "{fine}");
    }
    for (refused, code) in [
        ("event.after.note == \"x\"", "type_mismatch"),
        ("event.after.note == null", "left_out"),
        ("event.after.note.startsWith(\"x\")", "no_such_function"),
        ("size(event.after.tags) > 0", "no_such_function"),
        ("event.after.tags.exists(t, t == \"x\")", "type_mismatch"),
        ("\"x\" in event.after.tags", "type_mismatch"),
        ("event.after in [event.before]", "left_out"),
        ("[event.after].size() == 1", "left_out"),
        ("[event].size() == 1", "left_out"),
    ] {
        let faults = check(refused).unwrap_err();
        assert!(
            faults.contains(&format!("error[{code}]")),
            "{refused}: {faults}"
        );
    }
}
