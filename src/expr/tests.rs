//! Tables of expressions with their types, faults and values, and properties over generated texts.

use std::sync::Arc;

use bumpalo::Bump;
use proptest::prelude::*;

use super::*;
use crate::codec::{Decimal, Val};
use crate::schema::Schema;

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
        }),
        out: Some(vec![
            OutField {
                name: "total".into(),
                ty: Type::Decimal,
                binding: Binding::Reg(0),
            },
            OutField {
                name: "note".into(),
                ty: Type::String.nullable(),
                binding: Binding::Reg(1),
            },
            OutField {
                name: "count".into(),
                ty: Type::Int,
                binding: Binding::Reg(2),
            },
        ]),
        key: KeyEnv::String,
        vars: vec![("limit".into(), Const::Int(10))],
        dialect: Dialect::default(),
        probes: None,
        supposed: Vec::new(),
    }
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
fn faults_name_the_place_and_the_reason() {
    for (text, expected) in [
        (
            "event.after.quantty > 1",
            "unknown_field [event.after.quantty] `Value` has no field `quantty`",
        ),
        ("evnt.after", "unknown_name [evnt] there is no `evnt`"),
        (
            "event.after.note.size()",
            "nullable [event.after.note] `event.after.note` may be null here",
        ),
        (
            "event.before.note == 'a'",
            "nullable [event.before] `event.before` may be null here",
        ),
        (
            "event.op == 'u' && event.before != null && event.before.quantity > 1",
            "before_not_carried [event.before.quantity] `event.before.quantity` is not real: under replica_identity \
             default only the key columns (`id`) are, Debezium fills the others with zeros and blanks",
        ),
        (
            "event.after.id == 'a'",
            "type_mismatch [event.after.id == 'a'] `==` compares an int with a string",
        ),
        (
            "event.after.id + 1.5",
            "type_mismatch [event.after.id + 1.5] `+` has no meaning for an int and a double",
        ),
        (
            "event.after.price > 1.5",
            "type_mismatch [event.after.price > 1.5] `>` compares a decimal with a double",
        ),
        (
            "event.after.id && true",
            "type_mismatch [event.after.id] a condition is needed here, this is an int",
        ),
        (
            "true ? 1 : 'a'",
            "type_mismatch [true ? 1 : 'a'] the branches have different types: an int and a string",
        ),
        (
            "event.op == 'create'",
            "unknown_symbol ['create'] `event.op` is never \"create\"",
        ),
        (
            "event.op in ['c', 'x']",
            "unknown_symbol [['c', 'x']] `event.op` is never \"x\"",
        ),
        (
            "'a'.toLowerCase()",
            "no_such_function ['a'.toLowerCase()] there is no function `toLowerCase`",
        ),
        (
            "size(1)",
            "no_such_function [size(1)] `size` cannot be called with an int",
        ),
        (
            "'a'.matches('(')",
            "bad_pattern ['('] the pattern cannot be used: unclosed group",
        ),
        (
            "'a'.matches(out.note)",
            "nullable [out.note] `out.note` may be null here",
        ),
        (
            "decimal('abc')",
            "bad_constant [decimal('abc')] this can never be: a text is not a decimal number",
        ),
        ("out", "bad_name [out] `out` is a scope, not a value"),
        (
            "out.x",
            "unknown_field [out.x] the mapped event has no field `x`",
        ),
        (
            "event.after == event.after",
            "type_mismatch [event.after == event.after] records cannot be compared",
        ),
        (
            "event.after.items.all(event, true)",
            "bad_name [event.after.items.all(event, true)] `event` is a scope and cannot be the name of a variable",
        ),
        (
            "event.after.id.x",
            "unknown_field [event.after.id.x] an int has no fields, so there is no `x`",
        ),
        (
            "1 in 'a'",
            "type_mismatch ['a'] `in` looks into a list or a map, this is a string",
        ),
        (
            "event.after.price / 2",
            "type_mismatch [event.after.price / 2] `/` has no meaning for a decimal and an int",
        ),
        (
            "Item{sku: 'a'}",
            "expr_unsupported [Item] messages are not part of the language here",
        ),
        (
            "[?1]",
            "type_mismatch [1] `?` needs an optional value, this is an int",
        ),
        (
            "event.after.?note.optFlatMap(n, n.size())",
            "type_mismatch [n.size()] an optional value is needed here, this is an int",
        ),
        (
            "event.after.?nte",
            "unknown_field [event.after.?nte] `Value` has no field `nte`",
        ),
        (
            "event.after.?note < event.after.?note",
            "type_mismatch [event.after.?note] an optional(string) has no order",
        ),
        (
            "[1].transformMapEntry(i, x, x)",
            "type_mismatch [x] a map of one entry is needed here, this is an int",
        ),
        (
            "cel.bind(event, 1, 2)",
            "bad_name [cel.bind(event, 1, 2)] `event` is a scope and cannot be the name of a variable",
        ),
    ] {
        let found = faults(text);
        assert_eq!(found, [expected], "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    assert_eq!(
        faults("event.after.x > 1 && event.after.y > 1 || foo()").len(),
        3
    );
}

#[test]
fn help_says_what_to_write() {
    for (text, expected) in [
        ("event.after.quantty > 1", "did you mean `quantity`?"),
        ("evnt.op", "did you mean `event`?"),
        ("quantity > 1", "did you mean `event.after.quantity`?"),
        ("op == 'c'", "did you mean `event.op`?"),
        ("total > 1", "did you mean `out.total`?"),
        ("meta.tpic", "did you mean `topic`?"),
        ("event.op == 'create'", "create is \"c\""),
        (
            "event.op == 'INSERT'",
            "it is \"c\" (create), \"r\" (snapshot read), \"u\" (update), \"d\" (delete), \"t\" (truncate) or \"m\" (message)",
        ),
        ("event.after.price > '1'", "write `decimal(\"…\")`"),
        (
            "event.after.id + 'x'",
            "convert one side with `int(…)` or `string(…)`",
        ),
        ("'a'.length()", "did you mean `size`?"),
        (
            "event.after.note.size()",
            "guard with `event.after.note != null && …`, or `event.after.note != null ? event.after.note : …`",
        ),
        ("vars.limt", "did you mean `limit`?"),
        ("vars.limit == 1 and true", "logical and is `&&`"),
    ] {
        assert_eq!(helps(text), [expected], "{text}");
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

fn value(text: &str) -> String {
    let compiled = compile(text, &env(), &mut Wants::new(), &Facts::none())
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let bump = Bump::new();
    let total = Decimal {
        unscaled: 123_450,
        scale: 2,
    };
    let regs = [Val::Decimal(&total), Val::Null, Val::Int(i64::MAX)];
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"trace", Some(b"abc")), (b"none", None)];
    let meta = Meta {
        topic: "t",
        partition: 3,
        offset: 7,
        timestamp_ms: Some(0),
        key: Some(b"k"),
        headers: &headers,
    };
    let cx = Cx {
        value: None,
        key: None,
        regs: &regs,
        meta: &meta,
        bump: &bump,
    };
    match eval(&compiled.node, &cx) {
        Ok(val) => show(val),
        Err(fault) => fault.reason.to_owned(),
    }
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
fn expressions_have_the_values_of_cel() {
    for (text, expected) in [
        ("out.total * 2", "2469.00"),
        ("out.total - decimal('0.5')", "1234.00"),
        ("out.total == decimal('1234.500')", "true"),
        ("out.total > 1234 && out.total < 1235", "true"),
        ("out.count + 1", "int_overflow"),
        ("['bb', 'a'].sortBy(x, x.size())", "[a, bb]"),
        ("out.count / (out.count - out.count)", "division_by_zero"),
        ("-9223372036854775808 / -1", "int_overflow"),
        ("out.note == null", "true"),
        ("out.note == 'x'", "false"),
        ("has(out.note)", "false"),
        ("out.note != null ? out.note : 'none'", "none"),
        ("out.count / 0 > 1 || true", "true"),
        ("out.count / 0 > 1 && false", "false"),
        ("out.count / 0 > 1 || false", "division_by_zero"),
        ("[out.count, 0].exists(x, 1 / x > 0 || x > 5)", "true"),
        ("[0, 1].all(x, 1 / x > 5)", "false"),
        (
            "[1, 2, 3].filter(x, x != 2).map(x, x * out.count / out.count)",
            "int_overflow",
        ),
        ("[1, 2, 3].filter(x, x != 2).map(x, x * 10)", "[10, 30]"),
        ("[1, 2, 3].exists_one(x, x > 2)", "true"),
        ("[[1], [2]].map(x, x.map(y, y + x[0]))", "[[2], [4]]"),
        ("out.count in [1, 2]", "false"),
        ("meta.topic in ['s', 't']", "true"),
        ("2 in [1, out.count, 2]", "true"),
        ("'trace' in meta.headers", "true"),
        (
            "string(meta.headers['trace'] == null ? b'' : meta.headers['trace'])",
            "abc",
        ),
        ("has(meta.headers.nothing)", "false"),
        ("meta.headers['nothing'] == null", "missing_key"),
        ("meta.key == 'k'", "true"),
        ("string(meta.timestamp)", "1970-01-01T00:00:00Z"),
        (
            "string(meta.timestamp + duration('1h30m'))",
            "1970-01-01T01:30:00Z",
        ),
        ("meta.timestamp.getHours('+02:00')", "2"),
        ("string(date(meta.timestamp))", "1970-01-01"),
        ("string(duration('90m'))", "5400s"),
        (
            "timestamp('2024-03-01T00:00:00Z') - timestamp('2024-02-28T00:00:00Z') == duration('48h')",
            "true",
        ),
        ("'héllo'.size()", "5"),
        ("'héllo'.substring(1, 3)", "él"),
        ("'héllo'.substring(9)", "index_out_of_range"),
        ("'Ab'.lowerAscii() + 'Ab'.upperAscii()", "abAB"),
        ("'a-b-c'.replace('-', '+', 1)", "a+b-c"),
        ("'abc'.replace('', '.')", ".a.b.c."),
        ("'a,b,c'.split(',', 2)", "[a, b,c]"),
        ("'abc'.matches('^a.c$')", "true"),
        ("int('12') + int(3.9) + int(decimal('4.9'))", "19"),
        (
            "string(1e21) + ' ' + string(0.00001) + ' ' + string(1.5)",
            "1e+21 1e-05 1.5",
        ),
        ("double('1.5') < 2", "true"),
        ("{'a': 1}['a'] + {'b': 2}.b", "3"),
        ("{'a': 1} == {'a': 1u}", "true"),
        ("dyn(1) == dyn('1')", "false"),
        ("dyn(1) + dyn('1') == 2", "no_such_overload"),
        ("meta.offset + meta.partition", "10"),
        ("vars.limit > 9", "true"),
        ("[1, 2].transformList(i, x, i * 10 + x)", "[1, 12]"),
        ("[5, 6].transformMap(i, x, x)[1]", "6"),
        ("['a'].transformMapEntry(i, x, {x: i}).a", "0"),
        (
            "['a', 'a'].transformMapEntry(i, x, {x: i}).a",
            "duplicate_key",
        ),
        ("{'a': 1}.all(k, v, k == 'a' && v == 1)", "true"),
        ("cel.bind(x, out.count, x == x)", "true"),
        (
            "meta.headers.?trace.optMap(x, x == null ? 0 : size(x)).orValue(0)",
            "3",
        ),
        ("meta.headers.?trace.value() == b'abc'", "true"),
        ("meta.headers.?other.value()", "no_value"),
        (
            "meta.headers.?other.or(meta.headers.?trace).hasValue()",
            "true",
        ),
        ("optional.of(1).orValue(1 / 0)", "1"),
        ("dyn(optional.of({'a': [1, 2]})).a[1].orValue(0)", "2"),
        ("dyn({'a': 1}).?a.value() + [?optional.of(1)][0]", "2"),
        ("has(dyn(optional.of({'a': 1})).b)", "false"),
        ("{dyn(1.5): 1}.size()", "no_such_overload"),
        (
            "type(out.total) == decimal && type(optional.none()) == optional_type",
            "true",
        ),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn macros_cannot_run_for_ever() {
    let list = format!("[{}]", vec!["1"; 300].join(","));
    let text = format!("{list}.all(x, {list}.all(y, {list}.all(z, x + y + z > 0)))");
    assert_eq!(value(&text), "expression_limit");
    let deep = "[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))";
    assert_eq!(
        faults(deep),
        ["expr_limit [[1].all(d, true)] more than 3 macros within macros"]
    );
}

#[test]
fn the_largest_expressions_are_evaluated_on_a_small_stack() {
    let run = || {
        let sum = vec!["out.count"; 62].join(" * 0 + ");
        let nested = format!("{}out.count{}", "(1 + ".repeat(45), ")".repeat(45));
        let chosen = format!("{}'z'", "out.count == 1 ? 'a' : ".repeat(45));
        let bound = format!(
            "{}x{}",
            "cel.bind(x, out.count, [x][0] == 0 ? 0 : ".repeat(20),
            ")".repeat(20)
        );
        let mapped = format!(
            "optional.of(out.count){}.value()",
            ".optMap(x, x)".repeat(60)
        );
        let sorted = format!("[2, 1]{}[0]", ".sortBy(x, x)".repeat(20));
        let looked = format!("dyn({{}}){}.hasValue()", ".?a".repeat(60));
        assert_eq!(value(&bound), "9223372036854775807");
        assert_eq!(value(&mapped), "9223372036854775807");
        assert_eq!(value(&sorted), "1");
        assert_eq!(value(&looked), "false");
        assert_eq!(value(&sum), "9223372036854775807");
        assert_eq!(value(&nested), "int_overflow");
        assert_eq!(value(&chosen), "z");
    };
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
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
        partition: 3,
        offset: 7,
        timestamp_ms: None,
        key: None,
        headers: &[],
    };
    let cx = Cx {
        value: None,
        key: None,
        regs: &regs,
        meta: &meta,
        bump: &bump,
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

/// The value of an expression for a record of the shop.
fn of_record(text: &str, facts: &Facts, record: &serde_json::Value) -> String {
    let env = env();
    let schema = env.event.as_ref().unwrap().schema.clone();
    let mut wants = Wants::new();
    let compiled = compile(text, &env, &mut wants, facts)
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let datum = crate::codec::json::from_json(&schema, record).unwrap();
    let scan = crate::codec::Scan::compile(&schema, &schema, wants.value()).unwrap();
    let mut slots = crate::codec::Slots::new();
    scan.run(&datum, &mut slots).unwrap();
    let bump = Bump::new();
    let meta = Meta {
        topic: "t",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        headers: &[],
    };
    let cx = Cx {
        value: Some(Datum {
            scan: &scan,
            bytes: &datum,
            slots: &slots,
        }),
        key: None,
        regs: &[],
        meta: &meta,
        bump: &bump,
    };
    match eval(&compiled.node, &cx) {
        Ok(val) => show(val),
        Err(fault) => fault.reason.to_owned(),
    }
}

/// An update of a row of the shop.
fn update() -> serde_json::Value {
    let row = serde_json::json!({
        "id": 7, "quantity": 3, "note": null, "price": "12.50", "created": "2024-01-31T10:00:00.5Z", "day": "2024-01-30",
        "at": "2024-01-31T12:00:00+02:00", "tags": ["a", null], "labels": {"x": "y"}, "weight": 1.5, "address": {"city": "Wien"},
        "items": [{"sku": "s1", "n": 1, "price": null}, {"sku": "s2", "n": 2, "price": "2.00"}]
    });
    serde_json::json!({"before": null, "after": row, "op": "u", "ts_ms": 5})
}

/// The rows of tables that say what an expression is: its text, and that of its value or `fails REASON`.
fn rows(text: &str) -> Vec<(String, String)> {
    let code = |cell: &str| {
        let long = cell
            .strip_prefix("`` ")
            .and_then(|cell| cell.strip_suffix(" ``"));
        let code = long.or_else(|| cell.strip_prefix('`')?.strip_suffix('`'))?;
        Some(code.replace("\\|", "|"))
    };
    let row = |line: &str| {
        let (left, right) = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split_once(" | ")?;
        match right.strip_prefix("fails ") {
            Some(reason) => Some((code(left)?, format!("fails {}", code(reason)?))),
            None => Some((code(left)?, code(right)?)),
        }
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn the_tables_of_the_language_are_true() {
    let rows = rows(include_str!("language_core.md"));
    assert_eq!(rows.len(), 69, "a row that is not read is not tested");
    for (written, is) in rows {
        let expected = match is.strip_prefix("fails ") {
            Some(reason) => reason.to_owned(),
            None => of_record(&is, &live(), &update()),
        };
        assert_eq!(
            of_record(&written, &live(), &update()),
            expected,
            "{written}"
        );
    }
}

#[test]
fn paths_read_what_the_record_holds() {
    let update = update();
    for (text, expected) in [
        ("event.after.id * event.after.quantity", "21"),
        ("event.after.price * event.after.quantity", "37.50"),
        (
            "event.after.price > 12 && event.after.price < decimal('12.51')",
            "true",
        ),
        (
            "event.after.note == null ? 'none' : event.after.note",
            "none",
        ),
        ("event.after.note == 'x'", "false"),
        ("has(event.after.note) || has(event.before.id)", "false"),
        (
            "has(event.after.address.city) && event.after.address.city == 'Wien'",
            "true",
        ),
        ("string(event.after.created)", "2024-01-31T10:00:00.5Z"),
        ("string(event.after.created - event.after.at)", "0.5s"),
        (
            "string(event.after.day) + '/' + string(event.after.day.getMonth())",
            "2024-01-30/0",
        ),
        ("event.after.at.getHours('+02:00')", "12"),
        ("event.after.tags", "[a, null]"),
        ("event.after.tags.size() + event.after.items.size()", "4"),
        (
            "'a' in event.after.tags && null in event.after.tags",
            "true",
        ),
        (
            "event.after.items.map(i, i.sku + string(i.n))",
            "[s11, s22]",
        ),
        (
            "event.after.items.filter(i, i.price != null && i.price == 2).map(i, i.price)",
            "[2.00]",
        ),
        ("event.after.items[1].sku", "s2"),
        ("event.after.items[2].sku", "index_out_of_range"),
        ("event.after.labels.x + event.after.labels['x']", "yy"),
        ("event.after.labels.z == ''", "missing_key"),
        ("has(event.after.labels.z)", "false"),
        ("event.before == null && event.after != null", "true"),
        ("event.?before.?id.orValue(0)", "0"),
        ("event.?after.?note.hasValue()", "false"),
        ("event.?after.?address.city.orValue('')", "Wien"),
        ("event.after.?address.optMap(a, a.city).orValue('')", "Wien"),
        ("has(event.?after.address)", "true"),
        (
            "event.after.items[?1].?price.optMap(p, string(p)).orValue('')",
            "2.00",
        ),
        (
            "event.after.items[?0].?price.hasValue() || event.after.items[?9].hasValue()",
            "false",
        ),
        ("event.after.labels.?x.orValue('')", "y"),
        ("event.after.labels.?z.orValue('')", ""),
        ("event.ts_ms != null && event.ts_ms > 4", "true"),
        ("event.op in ['c', 'u'] ? event.after.id : 0", "7"),
    ] {
        assert_eq!(of_record(text, &live(), &update), expected, "{text}");
    }
}

#[test]
fn a_record_that_breaks_its_envelopes_promise_is_a_fault_not_a_wrong_value() {
    let empty = serde_json::json!({"before": null, "after": null, "op": "c", "ts_ms": null});
    assert_eq!(
        of_record("event.after.id + 1", &live(), &empty),
        "unexpected_null"
    );
    assert_eq!(
        of_record("event.after.tags.exists(t, t == 'a')", &live(), &empty),
        "unexpected_null"
    );
    assert_eq!(
        of_record("event.after.price > 1", &live(), &empty),
        "unexpected_null"
    );
}

/// Words that expressions are made of, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "event",
        ".after",
        ".before",
        ".op",
        ".id",
        ".note",
        ".price",
        ".items",
        ".tags",
        "out",
        ".total",
        ".count",
        "meta",
        ".key",
        ".headers",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "?",
        ",",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        "&&",
        "||",
        "!",
        "null",
        "true",
        "1",
        "2u",
        "1.5",
        "'a'",
        "b'a'",
        "x",
        ".all(x, ",
        ".map(x, ",
        ".exists(x, ",
        "has(",
        "size(",
        "string(",
        "int(",
        "decimal(",
        "timestamp(",
        "duration(",
        ".size()",
        ".matches('a')",
        ".?",
        "[?",
        "{?",
        ".all(i, x, ",
        ".transformMap(i, x, ",
        ".optMap(x, ",
        "cel.bind(x, ",
        "optional.of(",
        "`a`",
        "'''",
        "r'",
        "é",
        "//",
        "\n",
        " ",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

/// Well-formed expressions, many of them well-typed, over registers of known types.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "out.total",
        "out.note",
        "out.count",
        "meta.topic",
        "meta.key",
        "meta.offset",
        "meta.timestamp",
        "vars.limit",
        "1",
        "0",
        "-1",
        "2u",
        "0.5",
        "'a'",
        "''",
        "null",
        "true",
        "false",
        "[1, 2]",
        "['a']",
        "[]",
        "{'a': 1}",
        "decimal('1.5')",
        "duration('1h')",
        "date('2024-01-31')",
        "b'a'",
        "dyn(1)",
        "dyn('a')",
        "meta.headers",
        "9223372036854775807",
        "optional.none()",
        "optional.of(1)",
        "dyn({'a': [1]})",
        "{1: 'a', 'b': 2u}",
        "int",
        "event.after.labels",
        "event.?after.?note",
        "event.after.items",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in",
        ]);
        let function = prop::sample::select(vec![
            "size",
            "string",
            "int",
            "uint",
            "double",
            "bool",
            "bytes",
            "decimal",
            "timestamp",
            "duration",
            "date",
            "dyn",
        ]);
        let method = prop::sample::select(vec![
            "size",
            "trim",
            "lowerAscii",
            "getHours",
            "getFullYear",
            "join",
            "contains",
            "startsWith",
            "split",
            "indexOf",
            "charAt",
            "substring",
        ]);
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (function, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (inner.clone(), method, prop::option::of(inner.clone()))
                .prop_map(|(a, f, b)| format!("{a}.{f}({})", b.unwrap_or_default())),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} != null ? {a} : {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("[{a}].map(x, x == {b} ? x : {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[?{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[?{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}, ?'a': {b}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.orValue({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.or({b}).value()")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("cel.bind(x, {a}, has(x.a) ? x.a : {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("cel.bind(o, {a}, o.hasValue() ? o.value() : {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.transformList(i, x, [i, x, {b}])")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.transformMap(i, x, i != {b}, x)")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.transformMapEntry(i, x, {{x: {b}}})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("optional.of({a}).optMap(x, x + {b})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{a}.optFlatMap(x, x.?a.or({b}))")),
            inner.clone().prop_map(|a| format!("{a}.?a")),
            inner.clone().prop_map(|a| format!("{a}.a")),
            inner.clone().prop_map(|a| format!("has({a}.?a.b)")),
            inner.clone().prop_map(|a| format!("type({a})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_makes_the_compiler_panic(text in prop_oneof![words(), "\\PC{0,40}"]) {
        if let Err(faults) = checked(&text, &Facts::none()) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(text.get(fault.start..fault.end).is_some(), "{fault:?}");
            }
        }
    }

    /// With the checker and without, which then leaves every fault of types to the evaluation.
    #[test]
    fn an_expression_has_a_value_of_its_type_or_fails_for_a_listed_reason(text in expression(), checked in any::<bool>()) {
        let mut env = env();
        env.dialect.checked = checked;
        let mut wants = Wants::new();
        let Ok(compiled) = compile(&text, &env, &mut wants, &live()) else { return Ok(()) };
        let schema = env.event.as_ref().unwrap().schema.clone();
        let row = serde_json::json!({
            "id": 7, "quantity": 3, "note": null, "price": "12.50", "created": 0, "day": 0, "at": "2024-01-31T12:00:00Z", "tags": [],
            "labels": {"a": "b"}, "weight": 1.5, "address": null, "items": [{"sku": "s1", "n": 1, "price": null}]
        });
        let record = serde_json::json!({"before": null, "after": row, "op": "u", "ts_ms": 5});
        let datum = crate::codec::json::from_json(&schema, &record).unwrap();
        let scan = crate::codec::Scan::compile(&schema, &schema, wants.value()).unwrap();
        let mut slots = crate::codec::Slots::new();
        scan.run(&datum, &mut slots).unwrap();
        let value = Some(Datum { scan: &scan, bytes: &datum, slots: &slots });
        let bump = Bump::new();
        let total = Decimal { unscaled: i128::MAX, scale: 2 };
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"abc")), (b"b", None)];
        let meta = Meta { topic: "t", partition: 3, offset: 7, timestamp_ms: Some(1), key: Some(b"k"), headers: &headers };
        for regs in [
            [Val::Decimal(&total), Val::Null, Val::Int(i64::MIN)],
            [Val::Decimal(&total), Val::Str("é"), Val::Int(0)],
        ] {
            let cx = Cx { value, key: None, regs: &regs, meta: &meta, bump: &bump };
            match eval(&compiled.node, &cx) {
                Ok(val) => prop_assert!(fits(val, &compiled.ty), "{text}: {val:?} is not {}", compiled.ty),
                Err(fault) => prop_assert!(
                    compiled.can_fail.contains(&fault.reason),
                    "{text}: {fault:?} is not one of {:?}", compiled.can_fail
                ),
            }
        }
    }
}

fn fits(val: Val, ty: &Type) -> bool {
    match (val, ty) {
        (_, Type::Dyn) | (Val::Null, Type::Null | Type::Nullable(_)) => true,
        (val, Type::Nullable(inner)) => fits(val, inner),
        (Val::Bool(_), Type::Bool)
        | (Val::Int(_), Type::Int | Type::Date)
        | (Val::Uint(_), Type::Uint)
        | (Val::Double(_), Type::Double)
        | (Val::Str(_), Type::String)
        | (Val::Bytes(_), Type::Bytes)
        | (Val::Decimal(_), Type::Decimal)
        | (Val::Timestamp(..), Type::Timestamp)
        | (Val::Duration(..), Type::Duration | Type::TimeOfDay) => true,
        (Val::Type(_), Type::Type) | (Val::Optional(None), Type::Optional(_)) => true,
        (Val::Optional(Some(val)), Type::Optional(inner)) => fits(*val, inner),
        // A record is looked into by its schema; what it is read as is tested there.
        (Val::Map(_), Type::Record(..)) => true,
        (Val::List(items), Type::List(item)) => items.iter().all(|one| fits(*one, item)),
        (Val::Map(items), Type::Map(key, value)) => {
            items.iter().all(|(k, v)| fits(*k, key) && fits(*v, value))
        }
        _ => false,
    }
}
