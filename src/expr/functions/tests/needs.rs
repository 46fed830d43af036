//! What the table says about failures is true: of constants that rule a reason out, of those that do not, and of anything
//! that the proof calls infallible.

use std::sync::Arc;

use super::*;
use crate::expr::proof::FindingKind;
use crate::expr::tests::row;

const SCHEMA: &str = r#"{"type":"record","name":"T","fields":[
 {"name":"t","type":"string"},
 {"name":"e","type":{"type":"enum","name":"E","symbols":["t","f"]}},
 {"name":"i","type":"long"},
 {"name":"n","type":"int"},
 {"name":"f","type":"double"},
 {"name":"b","type":"bytes"},
 {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":4}},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"day","type":{"type":"int","logicalType":"date"}},
 {"name":"l","type":{"type":"array","items":"int"}},
 {"name":"ls","type":{"type":"array","items":"string"}},
 {"name":"ld","type":{"type":"array","items":["int","string"]}}
]}"#;

pub(super) fn env() -> Env {
    Env {
        event: Some(row(&Arc::new(Schema::parse(SCHEMA).unwrap()))),
        ..given()
    }
}

/// A call that a reason is not ruled out of.
#[derive(Clone, Copy)]
enum Bad {
    /// It ends with it for some values.
    Can(&'static str),
    /// It ends with it for all values.
    Always(&'static str),
    /// It is a fault of the text.
    Refused(&'static str, &'static str),
}
use Bad::{Always, Can, Refused};

/// An entry, a reason of it, a call that constants rule it out of, and one that they do not.
#[rustfmt::skip]
const CALLS: &[(&str, &str, &str, Bad)] = &[
    ("bool(string) -> bool", "bad_bool", "bool(event.e)", Always("event.t == 'x' ? bool(event.t) : true")),
    ("int(uint) -> int", "int_overflow", "int(uint(event.n > 0 ? event.n : 0))", Can("int(uint(event.t))")),
    ("int(double) -> int", "int_overflow", "int(1.5)", Always("int(1e99)")),
    ("int(decimal) -> int", "int_overflow", "int(event.d)", Can("int(event.d * event.d * event.d)")),
    ("int(string) -> int", "bad_number", "event.t in ['1', '20'] ? int(event.t) : 0", Always("int('1.5')")),
    ("uint(int) -> uint", "int_overflow", "uint(event.n > 0 ? event.n : 0)", Always("uint(event.n < 0 ? event.n : -1)")),
    ("uint(double) -> uint", "int_overflow", "uint(1.5)", Can("uint(event.f)")),
    ("uint(decimal) -> uint", "int_overflow", "uint(math.abs(event.d))", Can("uint(event.d)")),
    ("uint(string) -> uint", "bad_number", "uint('1')", Always("uint('-1')")),
    ("double(string) -> double", "bad_number", "double('1e3')", Always("double('x')")),
    ("decimal(string) -> decimal", "bad_number", "event.t.matches('^[0-9]{1,9}$') ? decimal(event.t) : decimal(0)", Refused("decimal('x')", "bad_constant")),
    ("decimal(string) -> decimal", "decimal_overflow", "decimal('1')", Can("decimal(event.t)")),
    ("string(bytes) -> string", "bad_utf8", "string(b'abc')", Always(r"string(b'\xff')")),
    ("string(date) -> string", "time_range", "string(date('2024-01-31'))", Can("string(event.day)")),
    ("math.greatest(list(N)) -> N", "bad_argument", "math.greatest([event.n, event.i])", Can("math.greatest(event.l)")),
    ("math.least(list(N)) -> N", "bad_argument", "size(event.l) > 0 ? math.least(event.l) : 0", Always("math.least([])")),
    ("math.abs(int) -> int", "int_overflow", "math.abs(event.n)", Can("math.abs(event.i)")),
    ("math.bitShiftLeft(int, int) -> int", "bad_argument", "math.bitShiftLeft(event.i, 3)", Always("math.bitShiftLeft(event.i, -1)")),
    ("math.bitShiftLeft(uint, int) -> uint", "bad_argument", "math.bitShiftLeft(1u, size(event.t))", Can("math.bitShiftLeft(1u, event.n)")),
    ("math.bitShiftRight(int, int) -> int", "bad_argument", "math.bitShiftRight(event.i, 64)", Always("math.bitShiftRight(event.i, -64)")),
    ("math.bitShiftRight(uint, int) -> uint", "bad_argument", "math.bitShiftRight(1u, event.n < 3 ? 3 : event.n)", Can("math.bitShiftRight(1u, event.n)")),
    ("decimal(double) -> decimal", "bad_number", "decimal(0.1)", Always("decimal(1.0 / 0.0)")),
    ("decimal(double) -> decimal", "decimal_overflow", "decimal(0.1)", Can("decimal(event.f)")),
    ("decimal(int, int) -> decimal", "bad_argument", "decimal(event.i, 2)", Always("decimal(event.i, -2)")),
    ("decimal.round(int) -> decimal", "bad_argument", "event.d.round(2)", Always("event.d.round(-9999)")),
    ("decimal.round(int) -> decimal", "decimal_overflow", "event.d.round(2)", Can("event.d.round(31)")),
    ("decimal.round(int, string) -> decimal", "bad_argument", "event.d.round(2, 'half_up')", Can("event.d.round(2, 'exact')")),
    ("decimal.round(int, string) -> decimal", "decimal_overflow", "event.d.round(4, 'exact')", Can("event.d.round(-39, 'up')")),
    ("decimal.div(decimal, int) -> decimal", "bad_argument", "event.d.div(event.d, 4)", Always("event.d.div(event.d, -4)")),
    ("decimal.div(decimal, int) -> decimal", "decimal_overflow", "event.d.div(event.d, 4)", Can("event.d.div(event.d, 34)")),
    ("decimal.div(decimal, int) -> decimal", "division_by_zero", "event.d.div(decimal('1.5'), 4)", Can("event.d.div(event.d, 4)")),
    ("decimal.div(int, int) -> decimal", "bad_argument", "event.d.div(3, 4)", Always("event.d.div(3, -1)")),
    ("decimal.div(int, int) -> decimal", "decimal_overflow", "event.d.div(3, 4)", Can("event.d.div(3, 99)")),
    ("decimal.div(int, int) -> decimal", "division_by_zero", "event.d.div(event.n > 0 ? event.n : 1, 4)", Always("event.d.div(0, 4)")),
    ("decimal.div(decimal, int, string) -> decimal", "bad_argument", "event.d.div(event.d, 4, 'up')", Can("event.d.div(event.d, 4, 'exact')")),
    ("decimal.div(decimal, int, string) -> decimal", "decimal_overflow", "event.d.div(event.d, 4, 'up')", Can("event.d.div(event.d, 34, 'up')")),
    ("decimal.div(decimal, int, string) -> decimal", "division_by_zero", "event.d.div(decimal('0.5'), 4, 'up')", Always("event.d.div(decimal('0.0'), 4, 'up')")),
    ("decimal.div(int, int, string) -> decimal", "bad_argument", "event.d.div(3, 4, 'down')", Refused("event.d.div(3, 4, 'sideways')", "bad_constant")),
    ("decimal.div(int, int, string) -> decimal", "decimal_overflow", "event.d.div(3, 4, 'down')", Can("event.d.div(3, 40, 'down')")),
    ("decimal.div(int, int, string) -> decimal", "division_by_zero", "event.d.div(-3, 4, 'down')", Can("event.d.div(event.n, 4, 'down')")),
    ("decimal.unscaled() -> int", "int_overflow", "event.d.round(2).unscaled()", Can("event.d.round(12).unscaled()")),
    ("math.abs(decimal) -> decimal", "decimal_overflow", "math.abs(event.d)", Can("math.abs(decimal(event.t))")),
    ("string.format(list(dyn)) -> string", "bad_format", "'%s %d %.2f %x'.format([event.t, event.n, event.d, event.t])", Always("'%d'.format([event.t])")),
    ("string.format(list(dyn)) -> string", "time_range", "'%s'.format([timestamp(event.n)])", Can("'%s'.format([json.parse(event.t)])")),
    ("string.charAt(int) -> string", "index_out_of_range", "event.t.charAt(0)", Always("event.t.charAt(-1)")),
    ("string.indexOf(string, int) -> int", "index_out_of_range", "event.t.indexOf('a', 0)", Can("event.t.indexOf('a', 1)")),
    ("string.lastIndexOf(string, int) -> int", "index_out_of_range", "'abc'.lastIndexOf(event.t, 3)", Always("'abc'.lastIndexOf(event.t, 4)")),
    ("string.substring(int) -> string", "index_out_of_range", "size(event.t) > 3 ? event.t.substring(4) : ''", Can("event.t.substring(4)")),
    ("string.substring(int, int) -> string", "index_out_of_range", "size(event.t) > 3 ? event.t.substring(1, 3) : ''", Always("event.t.substring(3, 1)")),
    ("string.padStart(int, string) -> string", "bad_argument", "event.t.padStart(event.n, '0')", Refused("event.t.padStart(5, 'ab')", "bad_constant")),
    ("string.padEnd(int, string) -> string", "bad_argument", "event.t.padEnd(5, ' ')", Can("event.t.padEnd(5, event.t)")),
    ("string.truncate(int) -> string", "bad_argument", "event.t.truncate(4)", Always("event.t.truncate(-1)")),
    ("string.matches(string) -> bool", "bad_pattern", "event.t.matches('^a')", Refused("event.t.matches('(')", "bad_pattern")),
    ("matches(string, string) -> bool", "bad_pattern", "matches(event.t, '^a')", Can("matches(event.t, event.t)")),
    ("regex.extract(string, string) -> optional(string)", "bad_pattern", "regex.extract(event.t, '(a)')", Refused("regex.extract(event.t, '(a)(b)')", "bad_pattern")),
    ("regex.extractAll(string, string) -> list(string)", "bad_pattern", "regex.extractAll(event.t, 'a')", Can("regex.extractAll(event.t, event.t)")),
    ("regex.replace(string, string, string) -> string", "bad_pattern", "regex.replace(event.t, 'a', 'b')", Refused("regex.replace(event.t, '[', '')", "bad_pattern")),
    ("regex.replace(string, string, string) -> string", "bad_argument", r"regex.replace(event.t, '(a)', r'\1\1')", Always(r"regex.replace(event.t, '(a)', r'\2')")),
    ("regex.replace(string, string, string, int) -> string", "bad_pattern", "regex.replace(event.t, 'a', 'b', 1)", Can("regex.replace(event.t, event.t, 'b', 1)")),
    ("regex.replace(string, string, string, int) -> string", "bad_argument", "regex.replace(event.t, 'a', 'b', event.n)", Can("regex.replace(event.t, 'a', event.t, 1)")),
    ("timestamp(date) -> timestamp", "time_range", "timestamp(date('2024-01-31'))", Can("timestamp(event.day)")),
    ("timestamp(int) -> timestamp", "time_range", "timestamp(event.n)", Refused("timestamp(-99999999999999)", "bad_constant")),
    ("timestamp(string) -> timestamp", "bad_timestamp", "timestamp('2024-01-31T00:00:00Z')", Refused("timestamp('2024')", "bad_constant")),
    ("duration(string) -> duration", "bad_duration", "duration('1h')", Can("duration(event.t)")),
    ("date(string) -> date", "bad_timestamp", "date('2024-01-31')", Refused("date('31.01.2024')", "bad_constant")),
    ("time(string) -> time of day", "bad_timestamp", "time('10:20:30')", Can("time(event.t)")),
    ("date.getFullYear() -> int", "time_range", "date('2024-01-31').getFullYear()", Can("event.day.getFullYear()")),
    ("date.getMonth() -> int", "time_range", "date('2024-01-31').getMonth()", Can("event.day.getMonth()")),
    ("date.getDate() -> int", "time_range", "date('2024-01-31').getDate()", Can("event.day.getDate()")),
    ("date.getDayOfMonth() -> int", "time_range", "date('2024-01-31').getDayOfMonth()", Can("event.day.getDayOfMonth()")),
    ("date.getDayOfWeek() -> int", "time_range", "date('2024-01-31').getDayOfWeek()", Can("event.day.getDayOfWeek()")),
    ("date.getDayOfYear() -> int", "time_range", "date('2024-01-31').getDayOfYear()", Can("event.day.getDayOfYear()")),
    ("timestamp.format(string) -> string", "bad_format", "event.at.format('%F')", Refused("event.at.format('%Z')", "bad_constant")),
    ("timestamp.format(string) -> string", "time_range", "timestamp(event.n).format('%F')", Can("timestamp(event.n).format('%y')")),
    ("timestamp.format(string, string) -> string", "bad_format", "event.at.format('%F', event.t)", Refused("event.at.format('%F %Z', 'Europe/Berlin')", "bad_constant")),
    ("timestamp.format(string, string) -> string", "bad_timezone", "event.at.format('%F', 'Europe/Berlin')", Refused("event.at.format('%F', 'Berlin')", "bad_constant")),
    ("timestamp.format(string, string) -> string", "time_range", "timestamp(0).format('%F', 'Europe/Berlin')", Can("event.at.format('%F', 'Europe/Berlin')")),
    ("date.format(string) -> string", "bad_format", "event.day.format('%F')", Can("event.day.format(event.t)")),
    ("date.format(string) -> string", "time_range", "date('2024-01-31').format('%F')", Can("event.day.format('%F')")),
    ("timestamp(string, string) -> timestamp", "bad_timestamp", "timestamp('31.01.2024', '%d.%m.%Y')", Refused("timestamp(event.t, '%H:%M')", "bad_constant")),
    ("timestamp(string, string) -> timestamp", "time_range", "timestamp('31.01.2024', '%d.%m.%Y')", Can("timestamp(event.t, '%d.%m.%Y')")),
    ("timestamp(string, string, string) -> timestamp", "bad_timestamp", "timestamp('31.01.2024', '%d.%m.%Y', 'UTC')", Refused("timestamp(event.t, '%F %Z', 'UTC')", "bad_constant")),
    ("timestamp(string, string, string) -> timestamp", "bad_timezone", "timestamp(event.t, '%d.%m.%Y', 'UTC')", Refused("timestamp(event.t, '%F', 'utc+1')", "bad_constant")),
    ("timestamp(string, string, string) -> timestamp", "time_range", "timestamp('31.01.2024', '%d.%m.%Y', 'UTC')", Can("timestamp(event.t, '%d.%m.%Y', 'UTC')")),
    ("date(string, string) -> date", "bad_timestamp", "date('31.01.2024', '%d.%m.%Y')", Always("date('31.13.2024', '%d.%m.%Y')")),
    ("date(timestamp, string) -> date", "bad_timezone", "date(event.at, 'Europe/Berlin')", Refused("date(event.at, 'Berlin')", "bad_constant")),
    ("date.plusDays(int) -> date", "time_range", "date('2024-01-31').plusDays(1)", Can("date('2024-01-31').plusDays(event.n)")),
    ("epoch.nanos(timestamp) -> int", "int_overflow", "epoch.nanos(timestamp(0))", Can("epoch.nanos(event.at)")),
    ("epoch.fromSeconds(int) -> timestamp", "time_range", "epoch.fromSeconds(event.n)", Always("epoch.fromSeconds(253402300800)")),
    ("epoch.fromMillis(int) -> timestamp", "time_range", "epoch.fromMillis(253402300799999)", Always("epoch.fromMillis(253402300800000)")),
    ("epoch.fromMicros(int) -> timestamp", "time_range", "epoch.fromMicros(-62135596800000000)", Can("epoch.fromMicros(event.i)")),
    ("interval.months(string) -> int", "bad_duration", "interval.months('P1Y2M')", Can("interval.months(event.t)")),
    ("interval.days(string) -> int", "bad_duration", "interval.days('P1D')", Can("interval.days(event.t)")),
    ("interval.time(string) -> duration", "bad_duration", "interval.time('PT1H')", Can("interval.time(event.t)")),
    ("bits.test(bytes, int) -> bool", "bad_argument", "bits.test(event.b, 3)", Always("bits.test(event.b, -1)")),
    ("list(A).slice(int, int) -> list(A)", "index_out_of_range", "event.l.slice(0, 0)", Always("event.l.slice(1, 0)")),
    ("list(dyn).flatten(int) -> list(dyn)", "bad_argument", "event.ld.flatten(2)", Always("event.ld.flatten(-2)")),
    ("list(O).sort() -> list(O)", "no_such_overload", "event.l.sort()", Can("event.ld.sort()")),
    ("list(A).sortBy(list(O)) -> list(A)", "no_such_overload", "event.l.sortBy(x, -x)", Can("event.l.sortBy(x, json.parse(event.t))")),
    ("lists.range(int) -> list(int)", "bad_argument", "lists.range(3)", Always("lists.range(-3)")),
    ("base64.decode(string) -> bytes", "bad_encoding", "base64.decode('aGVsbG8')", Always("base64.decode('!')")),
    ("base64url.decode(string) -> bytes", "bad_encoding", "base64url.decode('-_8')", Can("base64url.decode(event.t)")),
    ("hex.decode(string) -> bytes", "bad_encoding", "event.t == 'ab' ? hex.decode(event.t) : b''", Always("hex.decode(event.e == 't' ? 'x' : 'y')")),
    ("url.decode(string) -> string", "bad_encoding", "url.decode('a%20b')", Always("url.decode('50%')")),
    ("url.decode(string) -> string", "bad_utf8", "url.decode('a%20b')", Always("url.decode('%ff')")),
    ("uuid5(string, string) -> string", "bad_argument", "uuid5('dns', event.t)", Refused("uuid5('x', event.t)", "bad_constant")),
    ("mask.keep_last(string, int) -> string", "bad_argument", "mask.keep_last(event.t, 4)", Always("mask.keep_last(event.t, -4)")),
    ("mask.keep_first(string, int) -> string", "bad_argument", "mask.keep_first(event.t, size(event.t))", Can("mask.keep_first(event.t, event.n)")),
    ("json.parse(string) -> dyn", "bad_encoding", "json.parse('{}')", Always("json.parse('{')")),
    ("json.parse(string, string) -> A", "bad_encoding", "json.parse('{\"sku\":\"a\",\"price\":1.5}', 'item').sku", Can("json.parse(event.t, 'item').sku")),
    ("json.parse(string, string) -> A", "json_mismatch", "json.parse('{\"sku\":\"a\",\"price\":1.5}', 'item').sku", Always("json.parse('{\"sku\":\"a\",\"price\":1.555}', 'item').sku")),
    ("json.encode(dyn) -> string", "bad_encoding", "json.encode({'a': event.t, 'b': [event.d, {'c': event.at}]})", Can("json.encode([event.f])")),
    ("json.encode(dyn) -> string", "bad_utf8", "json.encode(event.b)", Can("json.encode(json.parse(event.t))")),
    ("json.encode(dyn) -> string", "time_range", "json.encode(timestamp(event.n))", Can("json.encode(json.parse(event.t))")),
    ("optional(V).value() -> V", "no_value", "{'a': 1}.?a.value()", Always("{'a': 1}.?b.value()")),
];

/// The parts of a time at a zone are alike.
const PARTS: [&str; 10] = [
    "FullYear",
    "Month",
    "Date",
    "DayOfMonth",
    "DayOfWeek",
    "DayOfYear",
    "Hours",
    "Minutes",
    "Seconds",
    "Milliseconds",
];

#[test]
fn for_each_entry_that_can_fail_constants_rule_it_out_or_do_not() {
    let env = env();
    let compiled = |text: &str| compile(text, &env, &mut Wants::new(), &Facts::none());
    let good = |text: &str| compiled(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let mut missing = Vec::new();
    for function in FAMILIES.iter().flat_map(|family| family.functions) {
        let part = PARTS
            .iter()
            .find(|part| function.signature == format!("timestamp.get{part}(string) -> int"));
        if let Some(part) = part {
            let found = good(&format!("event.at.get{part}('Europe/Berlin')"));
            assert!(!found.can_fail.contains(&"bad_timezone"), "{part}");
            let found = good(&format!("event.at.get{part}(event.t)"));
            assert!(found.can_fail.contains(&"bad_timezone"), "{part}");
            let refused = compiled(&format!("event.at.get{part}('Berlin')")).unwrap_err();
            assert_eq!(refused[0].code, "bad_constant");
            continue;
        }
        for reason in function.fails {
            if *reason == "expression_limit" {
                continue;
            }
            let row = CALLS
                .iter()
                .find(|row| row.0 == function.signature && row.1 == *reason);
            let Some((_, _, never, bad)) = row else {
                missing.push(format!("{}: {reason}", function.signature));
                continue;
            };
            if good(never).can_fail.contains(reason) {
                missing.push(format!("{never}: {reason} is not ruled out"));
            }
            let (text, always) = match bad {
                Can(text) => (text, false),
                Always(text) => (text, true),
                Refused(text, code) => {
                    let faults = compiled(text).expect_err(text);
                    assert_eq!(faults[0].code, *code, "{text}: {faults:?}");
                    continue;
                }
            };
            let found = good(text);
            let told = FindingKind::AlwaysFails(reason);
            let is_told = found.findings.iter().any(|finding| finding.kind == told);
            if !found.can_fail.contains(reason) || is_told != always {
                missing.push(format!("{text}: {reason}: {:?}", found.findings));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
