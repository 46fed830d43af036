//! What `check` says of a topology, and what then becomes of its records: whole topologies, one promise each.

use std::sync::Arc;

use lockgate::codec::{frame, json};
use lockgate::topology::cases::run::{Record, process};
use lockgate::topology::{self, Faults, Plan, Vars};
use serde_json::{Value as Json, json};

/// A topology with the schemas of its folder, checked.
struct Checked {
    plan: Option<Arc<Plan>>,
    faults: Faults,
}

fn checked(text: &str, schemas: &[(&str, Json)]) -> Checked {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    std::fs::write(&path, text).unwrap();
    for (name, schema) in schemas {
        let file = folder.path().join(format!("{name}.avsc"));
        std::fs::write(file, schema.to_string()).unwrap();
    }
    let (mut plans, faults) = topology::check(&[path], Some(folder.path()), &Vars::new());
    Checked {
        plan: plans.pop(),
        faults,
    }
}

impl Checked {
    fn plan(&self) -> &Arc<Plan> {
        let plan = self.plan.as_ref().filter(|_| self.faults.is_ok());
        plan.unwrap_or_else(|| panic!("{}", self.faults.render(false)))
    }

    /// What becomes of a record: the values that are delivered, and the reasons of its dead letters.
    fn outcome(&self, key: &str, event: Option<&Json>) -> (Vec<Json>, Vec<String>) {
        let all = self.ended(key, event);
        let list = |name: &str| all[name].as_array().unwrap().clone();
        let values = list("deliveries")
            .into_iter()
            .map(|one| one["value"].clone());
        let reasons = list("dead_letters")
            .iter()
            .map(|one| one["reason"].as_str().unwrap().to_owned())
            .collect();
        (values.collect(), reasons)
    }

    /// The same with everything that is known of it.
    fn ended(&self, key: &str, event: Option<&Json>) -> Json {
        let (plan, record) = (self.plan(), self.record(key, event));
        process(plan, &record).json(plan, &record).unwrap()
    }

    /// The datum that is delivered, of which JSON does not show the branches of unions.
    fn datum(&self, key: &str, event: &Json) -> Vec<u8> {
        let record = self.record(key, Some(event));
        let outputs = process(self.plan(), &record).outputs;
        let value = outputs.part(outputs.list[0].value, record.value.as_deref());
        frame::split(value.unwrap()).unwrap().1.to_vec()
    }

    fn record(&self, key: &str, event: Option<&Json>) -> Record {
        let plan = self.plan();
        let value = event.map(|event| {
            let datum = json::from_json(&plan.sources[0].value.schema, event).unwrap();
            let mut framed = Vec::new();
            frame::write(1_000, &mut framed);
            framed.extend(datum);
            framed
        });
        Record {
            source: 0,
            key: Some(key.as_bytes().to_vec()),
            value,
            headers: Vec::new(),
            position: (0, 0, Some(0)),
            value_schema: None,
        }
    }
}

fn record(fields: Json) -> Json {
    json!({"type": "record", "name": "Event", "fields": fields})
}

/// Topologies with one source of key `string` without an envelope.
fn topology(source: &str, rest: &str) -> String {
    format!(
        "id: t
sources:
  - {{ topic: in, envelope: none, key: string, value: {{ avro: event }}{source} }}
{rest}
dead_letter: {{ topic: dlq }}
"
    )
}

/// The codes that `check` gives a topology.
fn codes(topology: &Checked) -> Vec<&str> {
    topology.faults.iter().map(|fault| fault.code).collect()
}

const PLACEHOLDER: &str = "__debezium_unavailable_value";

#[test]
fn a_placeholder_is_never_delivered_and_takes_no_neighbour_with_it() {
    let text = |name: &str| json!({"name": name, "type": ["null", "string"]});
    let event = record(json!([
        text("a"),
        text("b"),
        {"name": "n", "type": "long"},
        text("c"),
        {"name": "u", "type": ["null", "string", "long"]},
        {"name": "l", "type": ["null", {"type": "array", "items": ["null", "string", "long"]}]},
    ]));
    let whole = json!({"a": "A", "b": "B", "n": 7, "c": "C", "u": "U", "l": ["L"]});
    let mapping = "    map: { schema: event, from: event }";
    for (map, format) in [
        ("", ", format: json"),
        (mapping, ", format: json"),
        (mapping, ""),
    ] {
        let route = format!("routes:\n  - name: out\n{map}\n    kafka: {{ topic: out{format} }}");
        let topology = checked(
            &topology(", unavailable: 'null'", &route),
            &[("event", event.clone())],
        );
        assert_eq!(
            topology.outcome("k", Some(&whole)),
            (vec![whole.clone()], vec![])
        );
        for field in ["a", "b", "c", "u", "l"] {
            let (mut arrived, mut expected) = (whole.clone(), whole.clone());
            arrived[field] = match field {
                "l" => json!(["L", PLACEHOLDER]),
                _ => json!(PLACEHOLDER),
            };
            expected[field] = Json::Null;
            // What is sent as it came is not made null, and a union of several types is not nullable.
            let ends = match (map, field) {
                ("", _) | (_, "u") => (vec![], vec!["unavailable_value".to_owned()]),
                _ => (vec![expected], vec![]),
            };
            let found = topology.outcome("k", Some(&arrived));
            assert_eq!(found, ends, "{field} {map}{format}");
        }
    }
}

#[test]
fn a_row_that_is_copied_as_a_whole_hands_on_no_placeholder() {
    let row = json!({"type": "record", "name": "Row", "fields": [
        {"name": "id", "type": "long"}, {"name": "note", "type": ["null", "string"]}]});
    let envelope = record(json!([
        {"name": "before", "type": ["null", row]},
        {"name": "after", "type": ["null", "Row"]},
        {"name": "op", "type": "string"},
    ]));
    let out = json!({"type": "record", "name": "Out", "fields": [{"name": "after", "type": ["null", row]}]});
    let text = "id: t
sources:
  - { topic: in, envelope: debezium, key: string, value: { avro: event } }
routes:
  - name: out
    map: { schema: out, set: { after: event.after } }
    kafka: { topic: out }
dead_letter: { topic: dlq }
";
    let topology = checked(text, &[("event", envelope), ("out", out)]);
    let event = |note: &str| json!({"before": null, "after": {"id": 1, "note": note}, "op": "u"});
    let values = topology.outcome("k", Some(&event("n"))).0;
    assert_eq!(values, [json!({"after": {"id": 1, "note": "n"}})]);
    let ended = topology.outcome("k", Some(&event(PLACEHOLDER)));
    assert_eq!(ended, (vec![], vec!["unavailable_value".to_owned()]));
}

#[test]
fn a_tag_survives_every_way_to_a_field() {
    let tagged = |name: &str| {
        json!({"type": "record", "name": name, "fields": [
        {"name": "ssn", "type": "string", "pii": true}, {"name": "a", "type": "string"}]})
    };
    let event = record(json!([
        {"name": "person", "type": tagged("Person")},
        {"name": "u", "type": ["null", tagged("UA"), {"type": "record", "name": "UB", "fields": [{"name": "a", "type": "string"}]}]},
        {"name": "list", "type": {"type": "array", "items": "Person"}},
        {"name": "people", "type": {"type": "map", "values": "Person"}},
        {"name": "mixed", "type": {"type": "array", "items": ["null", "Person", "UB", "string"]}},
        {"name": "deep", "type": {"type": "array", "items": {"type": "array", "items": "Person"}}},
        {"name": "plain", "type": "string"},
    ]));
    let out = json!({"type": "record", "name": "Out", "fields": [{"name": "s", "type": "string"}]});
    let codes_of = |expression: &str| {
        let route = format!(
            "routes:\n  - name: out\n    map:\n      schema: out\n      set:\n        s: {expression:?}\n    kafka: {{ topic: out }}"
        );
        let topology = checked(
            &topology("", &route).replace("topic: dlq", "topic: dlq, cleared_for: [pii]"),
            &[("event", event.clone()), ("out", out.clone())],
        );
        assert!(
            topology.plan.is_some() || codes(&topology).contains(&"pii_not_cleared"),
            "{expression}: {}",
            topology.faults.render(false)
        );
        codes(&topology).contains(&"pii_not_cleared")
    };
    for expression in [
        "event.person.ssn",
        "string(event.u.ssn)",
        "string(event.u['ssn'])",
        "event['person']['ssn']",
        "string(event.u.?ssn.orValue(''))",
        "string(event.?u.?ssn.orValue(''))",
        "string(event.u[?'ssn'].orValue(''))",
        "string(dyn(event.person)['ssn'])",
        "string(dyn(event.person).ssn)",
        "string(dyn(event.person)[event.plain])",
        "string(dyn(event.list)[0].ssn)",
        "string(event.mixed[0].ssn)",
        "string(event.mixed.filter(x, x != null)[0].ssn)",
        "event.list.map(x, x.ssn).join(',')",
        "event.list.map(x, dyn(x)).map(x, string(x.ssn)).join(',')",
        "event.list.transformList(i, x, x.ssn).join(',')",
        "dyn(event.list).transformList(i, x, string(x.ssn)).join(',')",
        "event.people.transformMap(k, v, v.a != '', v.ssn)['x']",
        "json.encode(dyn(event.person).transformList(k, v, v))",
        "string(event.deep[0][0].ssn)",
        "event.deep.map(x, x.map(y, y.ssn).join(',')).join(',')",
        "event.people['x'].ssn",
        "event.people.transformList(k, v, v.ssn).join(',')",
        "string(event.people[?'x'].optMap(v, v.ssn).orValue(''))",
        "cel.bind(p, event.person, p.ssn)",
        "cel.bind(p, dyn(event.person), string(p.ssn))",
        "cel.bind(p, event.u, string(p.ssn))",
        "cel.bind(p, event.list, string(p[0].ssn))",
        "json.encode(dyn(event.person))",
        "json.encode(dyn(event.u))",
        "json.encode([dyn(event.person)])",
        "event.plain == 'x' ? event.person.ssn : ''",
    ] {
        assert!(codes_of(expression), "{expression} is said to carry no tag");
    }
    for expression in [
        "event.person.a",
        "string(event.u.a)",
        "string(dyn(event.person).a)",
        "event.list.map(x, x.a).join(',')",
        "string(event.mixed[0].a)",
        "event.people.map(k, k).join(',')",
        "event.person.ssn == null ? 'a' : 'b'",
        "event.plain",
    ] {
        assert!(!codes_of(expression), "{expression} is said to carry a tag");
    }
}

#[test]
fn a_value_goes_to_the_branch_of_its_own_type() {
    let event = record(json!([
        {"name": "d", "type": "double"}, {"name": "s", "type": "string"}, {"name": "b", "type": "bytes"},
        {"name": "l", "type": "long"}, {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    ]));
    let arrived = json!({"d": 0.1, "s": "text", "b": "AAE=", "l": 7, "day": "2024-01-31"});
    let symbols = json!({"type": "enum", "name": "E", "symbols": ["text"]});
    let date = json!({"type": "int", "logicalType": "date"});
    let written = |expression: &str, union: Json| {
        let out =
            json!({"type": "record", "name": "Out", "fields": [{"name": "f", "type": union}]});
        let route = format!(
            "routes:\n  - name: out\n    map: {{ schema: out, set: {{ f: \"{expression}\" }} }}\n    kafka: {{ topic: out }}"
        );
        checked(
            &topology("", &route),
            &[("event", event.clone()), ("out", out)],
        )
    };
    for (expression, union, expected) in [
        (
            "event.d + 0.0",
            json!(["null", "float", "double"]),
            json!(0.1),
        ),
        (
            "event.d + 0.0",
            json!(["null", "double", "float"]),
            json!(0.1),
        ),
        (
            "event.s + ''",
            json!(["null", "bytes", "string"]),
            json!("text"),
        ),
        (
            "event.s + ''",
            json!([symbols, "bytes", "string"]),
            json!("text"),
        ),
        (
            "event.l + 0",
            json!(["null", "float", "int", "long"]),
            json!(7),
        ),
        (
            "event.l + 9007199254740993",
            json!(["null", "double", "long"]),
            json!(9_007_199_254_741_000_i64),
        ),
        (
            "event.l + 9007199254740994",
            json!(["null", "int", "double", "string"]),
            Json::Null,
        ),
    ] {
        let topology = written(expression, union.clone());
        let (values, reasons) = topology.outcome("k", Some(&arrived));
        match expected {
            Json::Null => assert_eq!(reasons, ["unrepresentable"], "{expression} {union}"),
            expected => assert_eq!(values, [json!({"f": expected})], "{expression} {union}"),
        }
    }
    // What is chosen is what the check looks at.
    let notes = |topology: &Checked| {
        let notes = topology
            .faults
            .iter()
            .filter(|fault| fault.code == "unhandled_branch");
        notes.map(|fault| fault.message.clone()).collect::<Vec<_>>()
    };
    let topology = written("event.d + 0.0", json!(["null", "float", "double"]));
    assert!(
        notes(&topology)[0].contains("never written as `float`"),
        "{:?}",
        notes(&topology)
    );
    assert!(!codes(&topology).contains(&"float_narrowing"));
    let topology = written("event.d + 0.0", json!(["null", "float", "string"]));
    assert!(
        codes(&topology).contains(&"float_narrowing"),
        "{:?}",
        codes(&topology)
    );
    let topology = written("event.l + 0", json!(["null", "int", "string"]));
    assert!(
        codes(&topology).contains(&"int_narrowing"),
        "{:?}",
        codes(&topology)
    );
    // A date is a number of days: beside a branch of numbers it would be one of them.
    let topology = written(
        "event.day + duration('24h') > timestamp(0) ? event.day : event.day",
        json!(["null", "long", date]),
    );
    assert_eq!(codes(&topology), ["wrong_field_type"]);
}

#[test]
fn a_record_of_a_union_never_becomes_one_of_another_branch() {
    let node = |name: &str, more: Json| {
        let mut fields = vec![json!({"name": "left", "type": "long"})];
        fields.extend(more.as_array().unwrap().clone());
        json!({"type": "record", "name": name, "fields": fields})
    };
    let event = |and: Json, or: Json| {
        let tree = json!([and, or]);
        let whole = json!({"type": "record", "name": "Whole", "fields": [
            {"name": "tree", "type": tree}, {"name": "left_out", "type": "string"}]});
        record(json!([{"name": "whole", "type": whole}]))
    };
    let out = |and: Json, or: Json| {
        let part = json!({"type": "record", "name": "Part", "fields": [{"name": "tree", "type": [and, or]}]});
        json!({"type": "record", "name": "Out", "fields": [{"name": "whole", "type": part}]})
    };
    let route =
        "routes:\n  - name: out\n    map: { schema: out, from: event }\n    kafka: { topic: out }";
    let arrived = |branch: &str, value: Json| json!({"whole": {"tree": {"$type": branch, "value": value}, "left_out": ""}});
    // Of other fields: the value says which it is.
    let (and, or) = (
        node("And", json!([])),
        node("Or", json!([{"name": "right", "type": "long"}])),
    );
    let topology = checked(
        &topology("", route),
        &[
            ("event", event(and.clone(), or.clone())),
            ("out", out(and.clone(), or)),
        ],
    );
    // The second branch, 1, 2.
    let value = json!({"left": 1, "right": 2});
    assert_eq!(topology.datum("k", &arrived("Or", value)), [2, 2, 4]);
    // Of the same fields: nothing but the bytes says it, and here the record around it is built anew.
    let or = node("Or", json!([]));
    let schemas = [
        ("event", event(and.clone(), or.clone())),
        ("out", out(and.clone(), or.clone())),
    ];
    let refused = checked(&self::topology("", route), &schemas);
    assert_eq!(codes(&refused), ["wrong_field_type"]);
    // As bytes it stays what it is.
    let same =
        json!({"type": "record", "name": "Out", "fields": [{"name": "tree", "type": [and, or]}]});
    let route = "routes:\n  - name: out\n    map: { schema: out, set: { tree: event.whole.tree } }\n    kafka: { topic: out }";
    let topology = checked(
        &self::topology("", route),
        &[schemas[0].clone(), ("out", same)],
    );
    let value = json!({"left": 1});
    assert_eq!(topology.datum("k", &arrived("Or", value)), [2, 2]);
}

#[test]
fn a_union_is_built_anew_only_where_its_values_say_their_branch() {
    let node = |name: &str, fields: Json| json!({"type": "record", "name": name, "fields": fields});
    let of = |ty: Json| json!([{"name": "f", "type": ty}]);
    let date = json!({"type": "int", "logicalType": "date"});
    let symbols =
        |name: &str, symbols: Json| json!({"type": "enum", "name": name, "symbols": symbols});
    let fixed = |name: &str, size: u32| json!({"type": "fixed", "name": name, "size": size});
    let instant = json!({"type": "long", "logicalType": "timestamp-millis"});
    let decimal = json!({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 0});
    // The union, a value of its second branch, and what is delivered; none if `check` refuses.
    for (union, second, value, delivered) in [
        (
            json!([node("A", of(json!("string"))), node("B", of(json!("long")))]),
            "B",
            json!({"f": 3}),
            Some(vec![2, 6]),
        ),
        (
            json!([
                node("A", of(json!(["null", "string"]))),
                node("B", of(json!("long")))
            ]),
            "B",
            json!({"f": 3}),
            Some(vec![2, 6]),
        ),
        (
            json!([
                node("A", of(json!(["null", "string"]))),
                node("B", of(json!(["null", "long"])))
            ]),
            "B",
            json!({"f": null}),
            None,
        ),
        (
            json!([
                node("A", of(instant.clone())),
                node("B", of(json!("string")))
            ]),
            "B",
            json!({"f": "x"}),
            Some(vec![2, 2, b'x']),
        ),
        (
            json!([node("A", of(instant)), node("B", of(json!("long")))]),
            "B",
            json!({"f": 3}),
            None,
        ),
        (
            json!([node("A", of(decimal)), node("B", of(json!("int")))]),
            "B",
            json!({"f": 3}),
            None,
        ),
        (
            json!([
                node("A", of(json!("bytes"))),
                node("B", of(json!("string")))
            ]),
            "B",
            json!({"f": "x"}),
            None,
        ),
        (
            json!([
                node("A", of(node("In", of(json!("long"))))),
                node("B", of(json!("In")))
            ]),
            "B",
            json!({"f": {"f": 1}}),
            None,
        ),
        (
            json!([{"type": "map", "values": "long"}, node("B", of(json!("int")))]),
            "B",
            json!({"f": 3}),
            None,
        ),
        (
            json!([{"type": "map", "values": "string"}, node("B", of(json!("int")))]),
            "B",
            json!({"f": 3}),
            Some(vec![2, 6]),
        ),
        (json!(["long", date]), "int", json!("1970-01-04"), None),
        (
            json!([symbols("A", json!(["X"])), symbols("B", json!(["X", "Y"]))]),
            "B",
            json!("X"),
            None,
        ),
        (
            json!([symbols("A", json!(["X"])), symbols("B", json!(["Y"]))]),
            "B",
            json!("Y"),
            Some(vec![2, 0]),
        ),
        (
            json!([fixed("A", 1), fixed("B", 1)]),
            "B",
            json!("AA=="),
            None,
        ),
        (
            json!([fixed("A", 2), fixed("B", 1)]),
            "B",
            json!("AA=="),
            Some(vec![2, 0]),
        ),
        (
            json!(["null", "boolean", "string", "bytes", "double"]),
            "string",
            json!("x"),
            Some(vec![4, 2, b'x']),
        ),
    ] {
        let field = json!({"name": "one", "type": union});
        let whole = node(
            "Whole",
            json!([field, {"name": "left_out", "type": "string"}]),
        );
        let event = record(json!([{"name": "whole", "type": whole}]));
        let part = node("Part", json!([field]));
        let out = node("Out", json!([{"name": "whole", "type": part}]));
        let route = "routes:\n  - name: out\n    map: { schema: out, from: event }\n    kafka: { topic: out }";
        let topology = checked(&topology("", route), &[("event", event), ("out", out)]);
        match delivered {
            None => assert_eq!(codes(&topology), ["wrong_field_type"], "{union}"),
            Some(expected) => {
                let one = json!({"$type": second, "value": value});
                let arrived = json!({"whole": {"one": one, "left_out": ""}});
                assert_eq!(topology.datum("k", &arrived), expected, "{union}");
            }
        }
    }
}

#[test]
fn a_record_goes_into_the_branch_that_is_made_for_it() {
    let node = |name: &str, field: &str| json!({"type": "record", "name": name, "fields": [{"name": field, "type": "long", "default": 0}]});
    let event = record(json!([{"name": "a", "type": node("A", "n")}, {"name": "b", "type": "A"}]));
    let written = |union: Json| {
        let out =
            json!({"type": "record", "name": "Out", "fields": [{"name": "f", "type": union}]});
        let route = "routes:\n  - name: out\n    map: { schema: out, set: { f: 'event.a.n > 0 ? event.a : event.b' } }\n    kafka: { topic: out }";
        checked(
            &topology("", route),
            &[("event", event.clone()), ("out", out)],
        )
    };
    let arrived = json!({"a": {"n": 4}, "b": {"n": 5}});
    let topology = written(json!([node("Other", "m"), node("A", "n")]));
    assert_eq!(topology.datum("k", &arrived), [2, 8]);
    // Either takes it; or neither is made for it, and the first would take it without its field.
    for union in [
        json!([node("Other", "n"), node("A", "n")]),
        json!([node("Other", "m"), node("Another", "o")]),
    ] {
        assert_eq!(
            codes(&written(union.clone())),
            ["wrong_field_type"],
            "{union}"
        );
    }
}

#[test]
fn of_headers_of_one_name_the_last_counts() {
    let event = record(json!([{"name": "s", "type": "string"}]));
    let out = json!({"type": "record", "name": "Out", "fields": [{"name": "f", "type": "string"}]});
    let expression = "string(default(meta.headers[?'twice'], b'')) + ' ' + string(default(meta.headers[?'once'], b'')) + ' ' + string(size(meta.headers)) + ' ' + meta.headers.map(name, name).join(',')";
    let route = format!(
        "routes:\n  - name: out\n    map: {{ schema: out, set: {{ f: \"{expression}\" }} }}\n    kafka: {{ topic: out }}"
    );
    let topology = checked(&topology("", &route), &[("event", event), ("out", out)]);
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    let mut arrived = topology.record("k", Some(&json!({"s": ""})));
    arrived.headers = vec![
        header("twice", "1"),
        header("once", "x"),
        header("twice", "2"),
    ];
    let ended = process(topology.plan(), &arrived);
    let all = ended.json(topology.plan(), &arrived).unwrap();
    assert_eq!(
        all["deliveries"][0]["value"],
        json!({"f": "2 x 2 once,twice"}),
        "{all}"
    );
}

#[test]
fn what_tombstones_reach_is_proved_without_the_steps() {
    let event = record(json!([{"name": "s", "type": "string"}]));
    let steps = "steps:\n  - name: long\n    keep: meta.key != null && meta.key.size() > 2\n";
    let route = |when: &str, key: &str| {
        let text = format!(
            "{steps}routes:\n  - name: out\n{when}    kafka: {{ topic: out, key: \"{key}\" }}"
        );
        checked(&topology_of(&text), &[("event", event.clone())])
    };
    let prefix = "meta.key.substring(0, 2)";
    // The steps say nothing of a tombstone's key: neither that there is one, nor how long it is.
    assert!(codes(&route("", prefix)).contains(&"nullable"));
    let topology = route("    when: meta.key != null\n", prefix);
    assert!(
        codes(&topology).contains(&"can_fail"),
        "{:?}",
        codes(&topology)
    );
    assert_eq!(
        topology.outcome("a", None),
        (vec![], vec!["index_out_of_range".to_owned()])
    );
    assert_eq!(topology.outcome("abc", None), (vec![Json::Null], vec![]));
    let topology = route(
        "    when: meta.key != null && meta.key.size() > 2\n",
        prefix,
    );
    assert!(
        !codes(&topology).contains(&"can_fail"),
        "{:?}",
        codes(&topology)
    );
    assert_eq!(topology.outcome("a", None), (vec![], vec![]));
    // A route that needs the event is proved with what the steps know of it.
    let header = format!("{prefix}, headers: {{ s: '${{event.s}}' }}").replace("2)", "2)\"");
    let text = format!(
        "{steps}routes:\n  - name: out\n    kafka: {{ topic: out, key: \"{header} }}\n  - name: dead\n    kafka: {{ topic: out }}"
    );
    let topology = checked(&topology_of(&text), &[("event", event)]);
    assert!(
        !codes(&topology).contains(&"can_fail"),
        "{}",
        topology.faults.render(false)
    );
}

fn topology_of(text: &str) -> String {
    topology(", tombstones: forward", &format!("unmatched: drop\n{text}"))
}

#[test]
fn a_topic_that_is_not_allowed_does_not_say_what_it_is_made_of() {
    let event = record(json!([{"name": "ssn", "type": "string", "pii": true}]));
    let route = "routes:
  - name: out
    kafka: { topic: 'out-${event.ssn}', topics: [out-a], cleared_for: [pii] }";
    let text = topology("", route).replace("topic: dlq", "topic: dlq, cleared_for: [pii]");
    let topology = checked(&text, &[("event", event)]);
    let ended = topology.ended("k", Some(&json!({"ssn": "123-45-6789"})));
    assert_eq!(ended["dead_letters"][0]["reason"], "topic_not_allowed");
    assert!(!ended.to_string().contains("6789"), "{ended}");
}
