//! Expressions over a record of the shop; the tables of `docs/LANGUAGE.md`.

use super::*;

/// The value of an expression for a record of the shop.
fn of_record(text: &str, facts: &Facts, record: &serde_json::Value) -> String {
    let env = env();
    let schema = env.event.as_ref().unwrap().schema.clone();
    let mut wants = Wants::new();
    let compiled = compile(text, &env, &mut wants, facts)
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    on_record(&compiled, &wants, &schema, record, shown)
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
    let rows = rows(include_str!("../language_core.md"));
    assert_eq!(rows.len(), 70, "a row that is not read is not tested");
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
