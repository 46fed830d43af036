//! Tables of expressions and their values.

use super::*;

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
        regs: &regs,
        ..Cx::without_record(&meta, &bump)
    };
    shown(eval(&compiled.node, &cx))
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
        ("'aaa'.replace('aa', 'b')", "ba"),
        ("'abcabcabd'.replace('abcabd', 'x')", "abcx"),
        (
            "'ä€ä'.replace('€', '') + 'ä€ä'.replace('ä', 'a', 1)",
            "ääa€ä",
        ),
        ("'tab\\tbed'.replace('\\t', ' ')", "tab bed"),
        ("'a,b,c'.split(',', 2)", "[a, b,c]"),
        ("'a,b'.split(',', 0)", "[]"),
        ("'a,b'.split(',', 1)", "[a,b]"),
        ("''.split(',').size()", "1"),
        ("',,'.split(',').size()", "3"),
        ("'a€€b€'.split('€€') + 'ä'.split('ä')", "[a, b€, , ]"),
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
        (
            r"'%s|%s'.format([b'\xff\xfeab\xe2\x82c\xff', [b'\xc3\xa9']])",
            "\u{fffd}ab\u{fffd}c\u{fffd}|[é]",
        ),
        ("{dyn(1.5): 1}.size()", "no_such_overload"),
        ("math.greatest([decimal('1.5'), 2])", "2"),
        ("math.greatest([decimal('1.5'), 2.0])", "no_such_overload"),
        (
            "math.least(dyn(decimal('1.5')), 3, dyn(2.0))",
            "no_such_overload",
        ),
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
    let deep = |macros| format!("{}true{}", "[1].all(x, ".repeat(macros), ")".repeat(macros));
    assert_eq!(value(&deep(8)), "true");
    assert_eq!(
        faults(&deep(9)),
        ["expr_limit [[1].all(x, true)] more than 8 macros within macros"]
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
        // As many macros as may be, each with two variables, and brackets up to the limit in the innermost.
        let innermost = format!("{}out.count{}", "(1 + ".repeat(35), ")".repeat(35));
        let folded = (0..8).fold(innermost, |body, at| {
            format!("{{'k': [1]}}.transformMap(k{at}, v{at}, v{at} == [1], {body})")
        });
        let walked = format!("{}1{}", "[1].map(x, ".repeat(8), ")".repeat(8));
        assert_eq!(value(&folded), "int_overflow");
        assert_eq!(value(&format!("{walked} == [[[[[[[[1]]]]]]]]")), "true");
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
