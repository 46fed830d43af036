//! `lockgate test` as a shell sees it: differences, coverage, `--update`, JUnit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with a shipped topology, its cases and the schemas.
fn orders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["orders.yaml", "orders.test.yaml"] {
        fs::copy(
            root().join("topologies").join(name),
            folder.path().join(name),
        )
        .unwrap();
    }
    folder
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn test(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockgate"))
        .arg("test")
        .args([".", "--avro"])
        .arg(root().join("avro"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_shipped_topologies_are_covered_wholly() {
    let output = test(
        &root().join("topologies"),
        &["--min-coverage", "100", "--json"],
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{json}");
    for topology in json["coverage"].as_array().unwrap() {
        assert_eq!(topology["percent"], 100.0, "{topology}");
        assert!(topology["points"].as_u64().unwrap() > 10, "{topology}");
    }
}

#[test]
fn what_no_case_shows_is_named_and_can_be_refused() {
    let folder = orders();
    let cases = "cases:\n  - name: a delete is filtered\n    key: { id: 00000000-0000-4000-8000-000000000001 }\n    value:\n      op: d\n      \
                 source: { version: x, connector: postgresql, name: shop, ts_ms: 0, db: d, schema: s, table: t }\n      \
                 before: { id: x, customer_id: 0, price: \"0.00\", quantity: 0, placed_on: 0, updated_at: 0 }\n    \
                 expect: { filtered: live }\n";
    fs::write(folder.path().join("orders.test.yaml"), cases).unwrap();
    let output = test(folder.path(), &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for lack in [
        "step live: `event.op in [\"c\", \"u\", \"r\"]` is never true",
        "step quantity: no case gets there",
        "route big: no case takes it",
        "1 of 3 steps, 0 of 2 routes, 1 of 6 branches",
    ] {
        assert!(text.contains(lack), "{lack}\n{text}");
    }
    // Neither what is shown, nor the conditions of what no case gets to.
    assert_eq!(text.matches("is never").count(), 1, "{text}");
    let output = test(folder.path(), &["--min-coverage", "18"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let output = test(folder.path(), &["--min-coverage", "18.5"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    fs::remove_file(folder.path().join("orders.test.yaml")).unwrap();
    let output = test(folder.path(), &["--min-coverage", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let output = test(folder.path(), &["--min-coverage", "101"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn update_changes_what_came_out_otherwise_and_nothing_else() {
    let folder = orders();
    let path = folder.path().join("orders.test.yaml");
    let right = fs::read_to_string(&path).unwrap();
    let wrong = |from: &str, to: &str| edit(&path, from, to);
    // A value beside others, with a comment; a value in a flow mapping.
    wrong("total: \"59.97\"", "total: \"1.00\"   # exact");
    wrong("value: { total: \"999.99\" }", "value: { total: \"0.01\" }");
    // Expectations of another shape.
    wrong(
        "      filtered: live\n",
        "      # gone\n      dead_letter: { reason: rule }\n",
    );
    wrong(
        "expect:\n      dead_letter: { reason: rule, step: quantity }",
        "expect: { filtered: live }  # why",
    );
    wrong(
        "- { route: clean, value: { snapshot: true } }",
        "- { route: clean, value: { snapshot: true } }\n        - { route: big }",
    );
    let output = test(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("8 passed, 5 failed"),
        "{}",
        stdout(&output)
    );

    let output = test(folder.path(), &["--update"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("5 updated, 0 failed"), "{text}");
    assert!(
        text.contains("deliveries[0].value.total\n          - \"1.00\"\n          + \"59.97\""),
        "{text}"
    );
    let updated = fs::read_to_string(&path).unwrap();
    let expected = right
        .replace("total: \"59.97\"", "total: \"59.97\"   # exact")
        .replace(
            "expect:\n      dead_letter: { reason: rule, step: quantity }",
            "expect:\n      dead_letter:\n        reason: rule\n        step: quantity  # why",
        )
        .replace(
            "- { route: clean, value: { snapshot: true } }",
            "- route: clean\n          value:\n            snapshot: true",
        );
    assert_eq!(updated, expected);
    let output = test(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn update_leaves_a_case_alone_that_cannot_be_run() {
    let folder = orders();
    let path = folder.path().join("orders.test.yaml");
    edit(
        &path,
        "quantity: 3\n        weight_kg",
        "quantity: many\n        weight_kg",
    );
    let before = fs::read_to_string(&path).unwrap();
    let output = test(folder.path(), &["--update"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("the value does not fit its schema: after.quantity"),
        "{text}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_value_of_an_older_schema_is_read_as_the_road_reads_it() {
    let folder = orders();
    let avro = folder.path().join("avro");
    fs::create_dir(&avro).unwrap();
    for entry in fs::read_dir(root().join("avro")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, avro.join(path.file_name().unwrap())).unwrap();
    }
    let text = fs::read_to_string(avro.join("shop.public.orders-value.avsc")).unwrap();
    let mut older: Value = serde_json::from_str(&text).unwrap();
    let row = older["fields"][0]["type"][1]["fields"]
        .as_array_mut()
        .unwrap();
    row.retain(|field| field["name"] != "note");
    fs::write(avro.join("older.avsc"), older.to_string()).unwrap();
    let cases = "cases:\n  - name: before there were notes\n    value_schema: older\n    key: { id: a }\n    value:\n      op: c\n      \
                 source: { version: x, connector: postgresql, name: shop, ts_ms: 0, db: d, schema: s, table: t }\n      \
                 after: { id: a, customer_id: 17, price: \"1.00\", quantity: 3, placed_on: 2026-11-22, updated_at: 0 }\n    \
                 expect:\n      deliveries:\n        - { route: clean, value: { total: \"3.00\", note: null } }\n";
    fs::write(folder.path().join("orders.test.yaml"), cases).unwrap();
    let run = |text: &str| {
        fs::write(folder.path().join("orders.test.yaml"), text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .args(["test", "."])
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap()
    };
    let output = run(cases);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    // And that it was the older one: it has no notes.
    let output = run(&cases.replace("quantity: 3,", "quantity: 3, note: x,"));
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("after: there is no field \"note\""),
        "{}",
        stdout(&output)
    );
}

#[test]
fn junit_names_what_failed_and_counts_coverage_as_a_case() {
    let folder = orders();
    edit(
        &folder.path().join("orders.test.yaml"),
        "total: \"59.97\"",
        "total: \"<&>\"",
    );
    let report = folder.path().join("report.xml");
    let words = ["--min-coverage", "100", "--junit", report.to_str().unwrap()];
    let output = test(folder.path(), &words);
    assert_eq!(output.status.code(), Some(1));
    let xml = fs::read_to_string(report).unwrap();
    assert!(
        xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "),
        "{xml}"
    );
    for part in [
        "<testsuite name=\"orders\" tests=\"14\" failures=\"1\" errors=\"0\"",
        "<testcase classname=\"orders\" name=\"one cent less is not big\" file=\"./orders.test.yaml\"",
        "<failure message=\"the case failed\">",
        "- &quot;&lt;&amp;&gt;&quot;",
        "name=\"coverage is at least 100 %\"",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}
