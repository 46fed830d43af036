//! Tables of expressions with their types, faults and values, and properties over generated texts.

use std::sync::Arc;

use super::*;
use crate::codec::{Decimal, Scan, Slots, Val};
use crate::schema::Schema;
use bumpalo::Bump;

mod faults;
mod hostile;
mod names;
mod properties;
mod records;
mod values;

const SHOP: &str = r#"{"type":"record","name":"Envelope","fields":[
 {"name":"before","type":["null",{"type":"record","name":"Value","fields":[
   {"name":"id","type":"long"},
   {"name":"quantity","type":"int"},
   {"name":"note","type":["null","string"]},
   {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
   {"name":"created","type":{"type":"long","connect.name":"io.debezium.time.MicroTimestamp"}},
   {"name":"day","type":{"type":"int","connect.name":"io.debezium.time.Date"}},
   {"name":"at","type":{"type":"string","connect.name":"io.debezium.time.ZonedTimestamp"}},
   {"name":"tags","type":{"type":"array","items":["null","string"]}},
   {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
      {"name":"sku","type":"string"},{"name":"n","type":"int"},{"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}]}]}}},
   {"name":"labels","type":{"type":"map","values":"string"}},
   {"name":"weight","type":"double"},
   {"name":"address","type":["null",{"type":"record","name":"Address","fields":[{"name":"city","type":"string"}]}]}
 ]}]},
 {"name":"after","type":["null","Value"]},
 {"name":"op","type":"string"},
 {"name":"ts_ms","type":["null","long"]}]}"#;

fn env() -> Env {
    let schema = Arc::new(Schema::parse(SHOP).unwrap());
    Env {
        event: Some(EventEnv {
            schema,
            envelope: Envelope::Debezium,
            before: BeforeColumns::Only(vec!["id".into()]),
            left_out: Vec::new(),
        }),
        out: Some(vec![
            OutField {
                name: "total".into(),
                ty: Type::Decimal,
                binding: Binding::Reg(0),
                parts: None,
            },
            OutField {
                name: "note".into(),
                ty: Type::String.nullable(),
                binding: Binding::Reg(1),
                parts: None,
            },
            OutField {
                name: "count".into(),
                ty: Type::Int,
                binding: Binding::Reg(2),
                parts: None,
            },
        ]),
        key: KeyEnv::String,
        vars: vec![("limit".into(), Const::Int(10))],
        given: Given::default(),
        dialect: Dialect::default(),
        probes: None,
        supposed: Vec::new(),
        broken: BrokenOut::None,
    }
}

/// Events of this schema, without an envelope.
pub(super) fn row(schema: &Arc<Schema>) -> EventEnv {
    EventEnv {
        schema: schema.clone(),
        envelope: Envelope::None,
        before: BeforeColumns::All,
        left_out: Vec::new(),
    }
}

/// Evaluates an expression for a datum of a schema.
pub(super) fn on_datum<T>(
    compiled: &Compiled,
    wants: &Wants,
    schema: &Arc<Schema>,
    datum: &[u8],
    ask: impl FnOnce(Result<Val, EvalFault>) -> T,
) -> T {
    let scan = Scan::compile(schema, schema, wants.value()).unwrap();
    let mut slots = Slots::new();
    scan.run(datum, &mut slots).unwrap();
    let (meta, bump) = (Meta::default(), Bump::new());
    let value = Datum {
        scan: &scan,
        bytes: datum,
        slots: &slots,
    };
    let cx = Cx {
        value: Some(value),
        ..Cx::without_record(&meta, &bump)
    };
    ask(eval(&compiled.node, &cx))
}

/// As [`on_datum`], for an event as JSON.
pub(super) fn on_record<T>(
    compiled: &Compiled,
    wants: &Wants,
    schema: &Arc<Schema>,
    record: &serde_json::Value,
    ask: impl FnOnce(Result<Val, EvalFault>) -> T,
) -> T {
    let datum = crate::codec::json::from_json(schema, record).unwrap();
    on_datum(compiled, wants, schema, &datum, ask)
}

/// The value of an outcome, or the reason of its fault.
fn shown(outcome: Result<Val, EvalFault>) -> String {
    match outcome {
        Ok(val) => show(val),
        Err(fault) => fault.reason.to_owned(),
    }
}

/// As [`shown`]; a fault must be one that the checker has listed.
fn foreseen(compiled: &Compiled, outcome: Result<Val, EvalFault>) -> String {
    if let Err(fault) = &outcome {
        let listed = &compiled.can_fail;
        assert!(
            listed.contains(&fault.reason),
            "{fault:?} is not one of {listed:?}"
        );
    }
    shown(outcome)
}

fn live() -> Facts {
    Facts::op_in(&["c", "u", "r"])
}

fn checked(text: &str, facts: &Facts) -> Result<Compiled, Vec<ExprFault>> {
    compile(text, &env(), &mut Wants::new(), facts)
}

/// The faults as `code: message (help)`, under the text that the caret covers.
fn faults(text: &str) -> Vec<String> {
    let faults = checked(text, &live()).expect_err(text);
    faults
        .iter()
        .map(|fault| {
            format!(
                "{} [{}] {}",
                fault.code,
                &text[fault.start..fault.end],
                fault.message
            )
        })
        .collect()
}

fn helps(text: &str) -> Vec<String> {
    checked(text, &live())
        .expect_err(text)
        .into_iter()
        .filter_map(|fault| fault.help)
        .collect()
}

#[test]
fn expressions_have_the_types_of_the_schema() {
    for (text, ty) in [
        ("event.after.id", "int"),
        ("event.after.note", "string or null"),
        ("event.after.price", "decimal"),
        ("event.after.price * event.after.quantity", "decimal"),
        ("event.after.created", "timestamp"),
        ("event.after.at", "timestamp"),
        ("event.after.day", "date"),
        ("event.after.created - event.after.day", "duration"),
        ("event.after.tags", "list(string or null)"),
        ("event.after.labels['a']", "string"),
        ("event.after.labels.a", "string"),
        ("event.after.items[0].sku", "string"),
        ("event.after.items.map(i, i.sku)", "list(string)"),
        ("event.after.items.filter(i, i.n > 1).size()", "int"),
        (
            "event.after.items.exists(i, i.price != null && i.price > 1)",
            "bool",
        ),
        (
            "event.after.note == null ? 'none' : event.after.note",
            "string",
        ),
        ("has(event.after.note) ? event.after.note.size() : 0", "int"),
        (
            "has(event.after.address.city) ? event.after.address.city : null",
            "string or null",
        ),
        (
            "event.after.address == null || event.after.address.city == 'x'",
            "bool",
        ),
        (
            "event.after.note == 'x' && event.after.note.startsWith('x')",
            "bool",
        ),
        (
            "event.after.note in ['x', 'y'] ? event.after.note : ''",
            "string",
        ),
        (
            "!(event.after.note == null) && event.after.note.size() > 1",
            "bool",
        ),
        ("event.op == 'u' && event.before == null", "bool"),
        ("event.before.id", "fault"),
        ("event.op == 'd' ? event.before.id : event.after.id", "int"),
        ("event['after']['id']", "int"),
        ("out.total > decimal('10') && out.total > 10", "bool"),
        ("meta.topic + string(meta.partition)", "string"),
        ("meta.key", "string or null"),
        ("meta.headers['x']", "bytes or null"),
        ("vars.limit + 1", "int"),
        ("[1, 2]", "list(int)"),
        ("[1, 'a']", "list(dyn)"),
        ("{'a': 1}", "map(string, int)"),
        ("timestamp('2024-01-31T00:00:00Z').getMonth()", "int"),
        ("event.after.day.getFullYear()", "int"),
        ("event.after.weight < 1", "bool"),
        ("'a,b'.split(',').join('-')", "string"),
        ("event.?after.?note", "optional(string)"),
        ("event.after.?address.city", "optional(string)"),
        ("event.after.?note.orValue('')", "string"),
        ("event.after.?note.orValue(null)", "string or null"),
        ("event.after.items[?0].?price", "optional(decimal)"),
        ("event.after.tags[?0]", "optional(string or null)"),
        ("event.after.items.first().optMap(i, i.n)", "optional(int)"),
        ("[optional.none(), optional.of(1)]", "list(optional(int))"),
        ("[[], [1]]", "list(list(int))"),
        ("[[1], ['a']]", "list(dyn)"),
        ("[[dyn(1)], [1]]", "list(list(dyn))"),
        ("[?event.after.?note]", "list(string)"),
        ("{?'a': event.after.?note, 'b': 'c'}", "map(string, string)"),
        ("[1.5].transformMap(i, x, x)", "map(int, double)"),
        ("[].map(x, x + 1)", "list(int)"),
        ("dyn(1) + 1", "dyn"),
        ("dyn('a') + 'b'", "string"),
        ("meta.timestamp + dyn(duration('1s'))", "timestamp"),
        ("dyn(1.5) * 2.5", "double"),
        (
            "{'a': 1}.transformMapEntry(k, v, {v: k})",
            "map(int, string)",
        ),
        (
            "{'a': 1}.transformList(k, v, k + string(v))",
            "list(string)",
        ),
        (
            "cel.bind(x, event.after.note, x == null ? '' : x)",
            "string",
        ),
        ("event.after.labels.x == '' ? type(1) : int", "type"),
    ] {
        let found =
            checked(text, &Facts::op_in(&["c", "u", "r", "d"])).or_else(|_| checked(text, &live()));
        let found = found.map_or_else(|_| "fault".into(), |compiled| compiled.ty.to_string());
        assert_eq!(found, ty, "{text}");
    }
}

#[test]
fn conditions_prove_what_they_test() {
    let holds = |text: &str, path: &str| {
        checked(text, &Facts::none())
            .unwrap()
            .if_true
            .is_non_null(path)
    };
    assert!(holds("event.op in ['c', 'u']", "event.after"));
    assert!(holds("event.op != null && event.op == 'd'", "event.before"));
    assert!(holds("has(event.after.note)", "event.after.note"));
    assert!(holds("has(event.after.note)", "event.after"));
    assert!(holds(
        "event.op == 'c' || event.after != null",
        "event.after"
    ));
    assert!(!holds("event.op == 'c' || event.op == 'd'", "event.after"));
    assert!(
        !holds("event.op != 'd'", "event.after"),
        "an unknown operation may have no after"
    );
    assert!(holds(
        "event.op != 'd' && event.after != null",
        "event.after"
    ));
    assert!(holds(
        "event.op == 'c' ? true : event.op == 'r'",
        "event.after"
    ));
    let unless = checked("event.op == 'd' || event.after == null", &Facts::none()).unwrap();
    assert!(unless.if_false.is_non_null("event.after"));
    let facts = Facts::op_in(&["d"]);
    let fault = &checked("event.after.id", &facts).unwrap_err()[0];
    assert_eq!(fault.message, "`event.after` is always null here");
}

#[test]
fn a_bare_path_is_a_slot_and_wants_nothing_else() {
    let mut wants = Wants::new();
    let path = compile("event.after.address", &env(), &mut wants, &live()).unwrap();
    assert_eq!(path.as_slot(), Some((Source::Value, 0)));
    assert_eq!(wants.path(Source::Value, 0), [1, 11]);
    let again = compile("(event.after.address)", &env(), &mut wants, &live()).unwrap();
    assert_eq!(again.as_slot(), Some((Source::Value, 0)));
    let computed = compile("event.after.id + 1", &env(), &mut wants, &live()).unwrap();
    assert_eq!(computed.as_slot(), None);
    assert_eq!(wants.value().len(), 2);
    assert_eq!(
        computed.reads.into_iter().collect::<Vec<_>>(),
        ["event.after.id"]
    );
}

#[test]
fn what_can_fail_is_listed() {
    let reasons = |text: &str| checked(text, &live()).unwrap().can_fail;
    assert_eq!(reasons("event.after.id == 1"), Vec::<&str>::new());
    assert_eq!(
        reasons("event.after.id / event.after.id"),
        ["division_by_zero", "int_overflow"]
    );
    assert_eq!(reasons("event.after.id / 2"), Vec::<&str>::new());
    assert_eq!(reasons("1 + 1 == event.after.id"), Vec::<&str>::new());
    assert_eq!(
        reasons("event.after.price + decimal('1')"),
        Vec::<&str>::new()
    );
    assert_eq!(
        reasons("event.after.price * event.after.price * event.after.price * event.after.price"),
        ["decimal_overflow"]
    );
    assert_eq!(
        reasons("event.after.at < timestamp('2024-01-01T00:00:00Z')"),
        ["bad_timestamp"]
    );
    assert_eq!(
        reasons("event.after.tags[0] == 'a'"),
        ["avro_limit", "index_out_of_range"]
    );
    assert_eq!(
        reasons("event.after.labels.x == ''"),
        ["avro_limit", "missing_key"]
    );
    for guarded in [
        "has(event.after.labels.x) ? event.after.labels.x == '' : false",
        "'x' in event.after.labels && event.after.labels['x'] == ''",
        "event.after.labels.?x.orValue('') == ''",
        "event.after.labels[?'x'].hasValue() && event.after.labels[?'x'].value() == ''",
        "cel.bind(x, event.after.tags[?0], !x.hasValue() || x.value() == null)",
    ] {
        assert_eq!(reasons(guarded), ["avro_limit"], "{guarded}");
    }
    assert_eq!(
        reasons("event.after.tags[?0].value() == 'a'"),
        ["avro_limit", "no_value"]
    );
    assert_eq!(
        reasons("event.?after.?note.orValue('')"),
        Vec::<&str>::new()
    );
    assert_eq!(
        reasons("{dyn(event.after.note): 1}"),
        ["duplicate_key", "no_such_overload", "unexpected_null"]
    );
}

fn show(val: Val) -> String {
    match val {
        Val::Decimal(decimal) => decimal.to_string(),
        Val::Str(text) => text.to_owned(),
        Val::List(items) => format!(
            "[{}]",
            items
                .iter()
                .map(|item| show(*item))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Val::Int(v) => v.to_string(),
        Val::Bool(v) => v.to_string(),
        Val::Null => "null".into(),
        other => format!("{other:?}"),
    }
}

#[test]
fn templates_are_typed() {
    let template = |text: &str| Template::compile(text, &env(), &mut Wants::new(), &live());
    let bump = Bump::new();
    let total = Decimal {
        unscaled: 5,
        scale: 1,
    };
    let regs = [Val::Decimal(&total), Val::Null, Val::Int(4)];
    let meta = Meta {
        topic: "t",
        ..Meta::default()
    };
    let cx = Cx {
        regs: &regs,
        ..Cx::without_record(&meta, &bump)
    };
    for (text, expected) in [
        ("orders", "orders"),
        ("orders.${out.count}-${out.total}.x", "orders.4-0.5.x"),
        ("${meta.topic}", "t"),
        ("$${a} ${'}'}", "${a} }"),
        ("${vars.limit}", "10"),
    ] {
        assert_eq!(
            template(text).unwrap().eval(&cx).unwrap(),
            expected,
            "{text}"
        );
    }
    assert_eq!(template("a${vars.limit}").unwrap().as_const(), Some("a10"));
    assert_eq!(template("a.${meta.topic}").unwrap().prefix(), "a.");
    let fault = |text: &str| template(text).unwrap_err().remove(0);
    assert_eq!((fault("a ${out.x}").start, fault("a ${out.x}").end), (4, 9));
    assert_eq!(fault("a ${out.note}").code, "nullable");
    assert_eq!(fault("a ${out.total").message, "`${` is not closed");
    assert_eq!(
        fault("a ${[1]}").message,
        "list(int) cannot be written into text"
    );
}
