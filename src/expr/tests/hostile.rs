//! What data can do to an expression at worst: a fault, within the budget.

use super::*;

/// The outcome of an expression over a record of this schema, as it came: the value's text, or the reason of the fault.
fn outcome(schema: &str, datum: &[u8], text: &str) -> String {
    let schema = Arc::new(Schema::parse(schema).unwrap());
    let env = Env {
        event: Some(row(&schema)),
        out: None,
        ..env()
    };
    let mut wants = Wants::new();
    let compiled = compile(text, &env, &mut wants, &Facts::none())
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    on_datum(&compiled, &wants, &schema, datum, |outcome| {
        foreseen(&compiled, outcome)
    })
}

/// An Avro int or long.
fn long(value: i64) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

#[test]
fn a_decimal_of_an_absurd_scale_is_a_fault_and_no_panic() {
    let schema = r#"{"type":"record","name":"V","fields":[{"name":"v","type":{"type":"record","name":"VariableScaleDecimal",
        "namespace":"io.debezium.data","fields":[{"name":"scale","type":"int"},{"name":"value","type":"bytes"}],
        "connect.name":"io.debezium.data.VariableScaleDecimal"}}]}"#;
    let expressions = [
        "string(event.v)",
        "double(event.v)",
        "'%s %d %.2f %e'.format([event.v, event.v, event.v, event.v])",
        "json.encode({'v': event.v})",
        "math.greatest(event.v, decimal('1'))",
        "event.v * event.v",
        "event.v > 1",
    ];
    for scale in [1_001, 65_536, 70_000, i32::MAX, -1_001, i32::MIN] {
        let datum = [long(scale.into()), vec![2, 1]].concat();
        for text in expressions {
            assert_eq!(
                outcome(schema, &datum, text),
                "decimal_overflow",
                "{text}, a scale of {scale}"
            );
        }
    }
    let datum = [long(1_000), vec![2, 1]].concat();
    let text = outcome(schema, &datum, "string(event.v)");
    assert_eq!(text, format!("0.{}1", "0".repeat(999)));
    assert_eq!(outcome(schema, &datum, "double(event.v) == 0.0"), "true");
    assert_eq!(
        outcome(schema, &datum, "event.v * event.v"),
        "decimal_overflow"
    );
}

/// A record with one text.
const TEXT: &str = r#"{"type":"record","name":"T","fields":[{"name":"t","type":"string"}]}"#;

fn of_text(text: &str, expression: &str) -> String {
    let datum = [long(text.len() as i64), text.as_bytes().to_vec()].concat();
    outcome(TEXT, &datum, expression)
}

#[test]
fn a_search_counts_what_it_may_look_at_and_not_only_what_it_finds() {
    // Each find first looks for the end of the text: a square of its length.
    let numbers = "1 ".repeat(100_000);
    for expression in [
        "regex.extractAll(event.t, '([0-9]+ *)+kg|[0-9]+')",
        "regex.extractAll(event.t, '(?:[0-9]+ *)+kg|[0-9]+')",
        "regex.replace(event.t, '([0-9]+ *)+kg|[0-9]+', '')",
        "event.t.split(' ').exists(x, event.t.matches('a' + x))",
    ] {
        assert_eq!(
            of_text(&numbers, expression),
            "expression_limit",
            "{expression}"
        );
    }
    // Many places of the pattern stand at each byte.
    let letters = "ab".repeat(450_000);
    for pattern in ["[ab]*a[ab]{900}c", "([ab]{1,30}){1,30}c", "(a?b?){200}c"] {
        let expression = format!("event.t.matches('{pattern}')");
        assert_eq!(
            of_text(&letters, &expression),
            "expression_limit",
            "{pattern}"
        );
    }
    // The same where it is compiled for the record.
    assert_eq!(
        of_text(
            &letters,
            "event.t.matches(event.t == '' ? '' : '[ab]*a[ab]{100}c')"
        ),
        "expression_limit"
    );
    let found = checked("'a'.matches('(a{1,50}){1,50}b')", &Facts::none()).unwrap_err();
    assert_eq!(found[0].code, "bad_pattern");
    assert!(
        found[0].message.contains("2501 characters"),
        "{}",
        found[0].message
    );
    assert_eq!(
        of_text(
            "x",
            "event.t.matches(event.t == '' ? '' : '(a{1,50}){1,50}b')"
        ),
        "bad_pattern"
    );
}

#[test]
fn a_search_through_an_ordinary_text_is_no_matter() {
    let words = "lorem ipsum 2024-01-31 ".repeat(1_000);
    let ids = "id=123e4567-e89b-12d3-a456-426614174000; ".repeat(500);
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    for (text, expression, value) in [
        (&words, r"regex.extractAll(event.t, '[a-z]+').size() == 2000".to_owned(), "true"),
        (&words, r"regex.extractAll(event.t, r'\w+').size() == 5000".to_owned(), "true"),
        (
            &words,
            r"regex.replace(event.t, '([0-9]{4})-([0-9]{2})-([0-9]{2})', r'\3.\2.\1').contains('31.01.2024')".to_owned(),
            "true",
        ),
        (&ids, format!("regex.extractAll(event.t, '{uuid}').size() == 500"), "true"),
        (&ids, format!("regex.replace(event.t, '({uuid})', '-').size() == 3000"), "true"),
        (&words, "event.t.matches('this is a text of some length that is not there')".to_owned(), "false"),
    ] {
        let found = of_text(text, &expression);
        assert!(found == value || found == format!("Bool({value})"), "{expression}: {found}");
    }
}
