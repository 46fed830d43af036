//! Faults of texts: where, what, and what to write instead.

use super::*;

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
            "'%s'.format([1, 2])",
            "bad_constant [[1, 2]] 2 values are given, and the format has clauses for 1",
        ),
        (
            "'100%%'.format([out.count])",
            "bad_constant [[out.count]] 1 values are given, and the format has clauses for 0",
        ),
        (
            "math.greatest(decimal('1.5'), 2, 2.0)",
            "no_such_function [math.greatest(decimal('1.5'), 2, 2.0)] `math.greatest` cannot be called with a decimal, an int, a double",
        ),
        (
            "decimal('1.5') < 2.0",
            "type_mismatch [decimal('1.5') < 2.0] `<` compares a decimal with a double",
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
        (
            "timestamp(0).getHours('Mars')",
            "write a name of the IANA database such as \"Europe/Berlin\", an offset such as \"+02:00\", or \"UTC\"",
        ),
        ("vars.limit == 1 and true", "logical and is `&&`"),
    ] {
        assert_eq!(helps(text), [expected], "{text}");
    }
}

#[test]
fn a_date_and_a_time_of_day_do_not_lose_their_type() {
    for text in [
        "dyn(event.after.day)",
        "string(dyn(event.after.day))",
        "[event.after.day, 1]",
        "[event.after.day, dyn(1)]",
        "[[event.after.day], [dyn(1)]]",
        "{'d': event.after.day, 't': 'x'}",
        "json.encode({'d': date('2024-01-31'), 't': time('10:20:30')})",
        "json.encode({'d': date('2024-01-31')})",
        "'%s'.format([event.after.day])",
        "'%s %s'.format([event.after.day, 'x'])",
        "true ? dyn(1) : event.after.day",
        "[event.after.day] + [dyn(1)]",
        "optional.of(event.after.day).orValue(dyn(1))",
        "default(event.before == null ? null : event.after.day, dyn(1))",
        "[dyn(1)].contains(time('10:20:30'))",
    ] {
        let found = checked(text, &live()).expect_err(text);
        assert!(
            matches!(found[0].code, "type_mismatch" | "no_such_function"),
            "{text}: {found:?}"
        );
    }
    for text in [
        "json.encode({'d': string(event.after.day), 't': 1})",
        "'%s'.format([string(event.after.day)])",
        "event.after.day in [event.after.day, date('2024-01-31')]",
        "event.after.day == date('2024-01-31') ? event.after.day : date('2024-02-01')",
        "dyn(timestamp(event.after.day))",
    ] {
        checked(text, &live()).unwrap_or_else(|found| panic!("{text}: {found:?}"));
    }
}
