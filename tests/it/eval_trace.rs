//! `lockgate eval` and `lockgate trace` as a shell sees them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ORDER: &str = r#"{"order_id":"o1","customer_id":1,"status":"placed","currency":"EUR","price":"1.50","quantity":0,
    "total":"2.00","note":null,"placed_on":"2026-11-22","updated_at":"2026-11-22T18:08:13.411558","snapshot":false}"#;

/// Runs the binary in the repository with this on standard input.
fn lockgate(words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockgate"))
        .args(words)
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn eval(expr: &str) -> Value {
    let schema = "avro/orders.clean-value.avsc";
    let words = ["eval", expr, "--schema", schema, "--event", "-", "--json"];
    let output = lockgate(&words, ORDER);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{expr}: {}", text(&output.stderr)))
}

#[test]
fn an_expression_has_its_type_and_its_value() {
    for (expr, ty, value) in [
        ("event.total * decimal('2')", "decimal", "\"4.00\""),
        ("event.placed_on", "date", "\"2026-11-22\""),
        (
            "event.updated_at",
            "timestamp",
            "\"2026-11-22T18:08:13.411558Z\"",
        ),
        (
            "[event.total, event.price].map(x, x + x)",
            "list(decimal)",
            "[\"4.00\",\"3.00\"]",
        ),
        ("event.note", "string or null", "null"),
        ("{'a': event.quantity}", "map(string, int)", "{\"a\":0}"),
        ("b'\\x00\\xff'", "bytes", "\"AP8=\""),
        ("1.0 / 0.0", "double", "\"Infinity\""),
        // No flag.
        ("-event.total", "decimal", "\"-2.00\""),
        ("--1", "int", "1"),
    ] {
        let found = eval(expr);
        assert_eq!(found["type"], ty, "{expr}");
        assert_eq!(found["value"].to_string(), value, "{expr}");
    }
    // A record is shown as its events are.
    assert_eq!(eval("event")["value"]["total"], "2.00");
    assert_eq!(
        eval("event")["value"]["updated_at"],
        "2026-11-22T18:08:13.411558Z"
    );
    let output = lockgate(&["eval", "'a' + 'b'"], "");
    assert_eq!(text(&output.stdout), "type      string\nvalue     \"ab\"\n");
    let output = lockgate(
        &[
            "eval",
            "meta.key + 'b'",
            "--key",
            "a",
            "--given",
            "meta.key != null",
        ],
        "",
    );
    assert!(
        text(&output.stdout).ends_with("value     \"ab\"\n"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_fault_is_shown_in_its_place_and_ends_with_64() {
    let output = lockgate(
        &[
            "eval",
            "event.notee",
            "--schema",
            "avro/orders.clean-value.avsc",
        ],
        "",
    );
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        error.contains("1 | event.notee\n  | ^^^^^^^^^^^\n"),
        "{error}"
    );
    assert!(error.contains("did you mean `note`?"), "{error}");
    let schema = "avro/shop.public.orders-value.avsc";
    let output = lockgate(&["eval", "event.after.id", "--schema", schema], "");
    assert!(
        text(&output.stderr).contains("--given"),
        "{}",
        text(&output.stderr)
    );
    let given = [
        "eval",
        "event.after.id",
        "--schema",
        schema,
        "--given",
        "event.op == 'c'",
    ];
    let output = lockgate(&given, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = lockgate(&["eval", "event.x"], "");
    assert!(
        text(&output.stderr).contains("`--schema FILE`"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn an_evaluation_that_fails_says_why_and_ends_with_1() {
    let schema = "avro/orders.clean-value.avsc";
    let words = [
        "eval",
        "100 / event.quantity",
        "--schema",
        schema,
        "--event",
        "-",
    ];
    let output = lockgate(&words, ORDER);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("fails     division_by_zero: "),
        "{}",
        text(&output.stdout)
    );
    let output = lockgate(&words, "{\"order_id\": 1}");
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text(&output.stderr).contains("the event does not fit its schema: order_id: "),
        "{}",
        text(&output.stderr)
    );
    let output = lockgate(&words, "{\"order_id\": ");
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text(&output.stderr).contains("standard input is not JSON: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn an_expression_sees_what_its_topology_declares() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    let source = "sources:\n  - { topic: orders.clean, envelope: none, value: { avro: orders.clean-value } }\n";
    // Neither steps nor routes are right: who tries an expression is about to mend them.
    let rest = "vars:\n  rate: { type: decimal, default: \"1.5\" }\n  key: { type: secret, default: 'env:NO_SUCH_KEY' }\n\
        tables:\n  countries: { file: c.csv, key: name, columns: { vat: decimal } }\nsteps:\n  - { name: x, keep: event.totl }\n";
    std::fs::write(folder.path().join("c.csv"), "name,vat\nEUR,0.19\n").unwrap();
    std::fs::write(&path, format!("{source}{rest}")).unwrap();
    let eval = |expr: &str, more: &[&str]| {
        let path = path.to_str().unwrap();
        let words = ["eval", expr, "--topology", path, "--avro", "avro"];
        let output = lockgate(&[&words[..], more].concat(), ORDER);
        (
            text(&output.stdout) + &text(&output.stderr),
            output.status.code(),
        )
    };
    let (shown, code) = eval("vars.rate * 2", &[]);
    assert_eq!(
        (shown.ends_with("value     3.0\n"), code),
        (true, Some(0)),
        "{shown}"
    );
    let event = ["--event", "-"];
    for (expr, value) in [
        ("event.total * vars.rate", "3.000"),
        ("lookup('countries', event.currency, 'vat')", "0.19"),
    ] {
        let (shown, code) = eval(expr, &event);
        let line = format!("value     {value}\n");
        assert_eq!(
            (shown.ends_with(&line), code),
            (true, Some(0)),
            "{expr}: {shown}"
        );
    }
    let (shown, code) = eval("hash.hmac_sha256(vars.key, b'x')", &event);
    assert_eq!(code, Some(64), "{shown}");
    assert!(
        shown.contains("the secret `key` is needed and not there"),
        "{shown}"
    );
    for (expr, said) in [
        ("vars.raet", "did you mean `rate`?"),
        ("event.totl", "did you mean `total`?"),
    ] {
        let (shown, code) = eval(expr, &[]);
        assert_eq!(
            (shown.contains(said), code),
            (true, Some(64)),
            "{expr}: {shown}"
        );
    }
    // Of several sources one must be meant.
    let several = source.to_owned()
        + "  - { topic: other, envelope: none, value: { avro: orders.big-value } }\n";
    std::fs::write(&path, several).unwrap();
    assert!(
        eval("event.total", &event)
            .0
            .contains("--source TOPIC`: orders.clean, other")
    );
    assert!(
        eval("event.total", &[])
            .0
            .contains("say which source it is of")
    );
    let (shown, code) = eval("event.total", &["--event", "-", "--source", "orders.clean"]);
    assert_eq!(
        (shown.ends_with("value     2.00\n"), code),
        (true, Some(0)),
        "{shown}"
    );
    assert!(
        eval("event.total", &["--source", "orders"])
            .0
            .contains("no source is `orders`")
    );
    let (shown, code) = eval("event.total", &["--schema", "avro/orders.clean-value.avsc"]);
    assert_eq!(code, Some(64), "{shown}");
    std::fs::write(
        &path,
        "sources:\n  - { topic: t, envelope: none, value: { avro: gone } }\n",
    )
    .unwrap();
    assert!(eval("1 + 1", &[]).0.contains("schema_missing"));
}

fn trace(words: &[&str], input: &str) -> Value {
    let all: Vec<&str> = ["trace"]
        .into_iter()
        .chain(words.iter().copied())
        .chain(["--json"])
        .collect();
    let output = lockgate(&all, input);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{words:?}: {}", text(&output.stderr)))
}

#[test]
fn a_trace_shows_what_was_read_decided_and_written() {
    let found = trace(
        &[
            "topologies/customers.yaml",
            "--case",
            "who becomes a VIP is told",
        ],
        "",
    );
    assert_eq!(found["disposition"], "delivered");
    let stage = |at: usize| &found["stages"][at];
    assert_eq!(stage(0)["reads"]["event.op"], "u");
    assert_eq!(stage(0)["conditions"][0]["outcome"], "true");
    let shape = stage(1);
    let outcome = |text: &str| {
        let mut all = shape["conditions"].as_array().unwrap().iter();
        all.find(|one| one["text"] == text).unwrap()["outcome"].clone()
    };
    assert_eq!(outcome("event.before == null"), "false");
    assert_eq!(outcome("!event.before.vip"), "true");
    let field = |name: &str| {
        let mut all = shape["fields"].as_array().unwrap().iter();
        all.find(|one| one["name"] == name).unwrap().clone()
    };
    assert_eq!(field("became_vip")["value"], true);
    assert_eq!(field("email")["from"], "event.after.email");
    assert_eq!(stage(3)["outcome"], "taken");
    assert_eq!(stage(3)["reads"]["out.became_vip"], true);
    assert_eq!(stage(3)["delivery"]["value"]["display_name"], "Käthe 1");
    assert!(stage(3)["value_hex"].as_str().unwrap().starts_with("00"));
}

#[test]
fn a_trace_says_where_a_record_ended() {
    let of = |case: &str| trace(&["topologies/orders.yaml", "--case", case], "");
    let outcomes = |found: &Value| -> Vec<String> {
        let stages = found["stages"].as_array().unwrap().iter();
        stages
            .map(|stage| stage["outcome"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = of("a delete is filtered, its tombstone will follow");
    assert_eq!(
        outcomes(&found),
        [
            "filtered",
            "not_reached",
            "not_reached",
            "not_reached",
            "not_reached"
        ]
    );
    assert_eq!(found["disposition"], "filtered");
    let found = of("an order without quantity breaks a rule");
    assert_eq!(
        outcomes(&found),
        [
            "passed",
            "dead_lettered",
            "not_reached",
            "not_reached",
            "not_reached"
        ]
    );
    assert_eq!(found["stages"][1]["why"]["reason"], "rule");
    let found = of("one cent less is not big");
    assert_eq!(
        outcomes(&found),
        ["passed", "passed", "passed", "taken", "not_taken"]
    );
    assert_eq!(found["stages"][4]["conditions"][0]["outcome"], "false");
    assert_eq!(found["stages"][4]["reads"]["vars.big_from"], "1000");
    let found = of("the tombstone erases the order downstream, under the same key");
    assert_eq!(
        outcomes(&found),
        [
            "not_reached",
            "not_reached",
            "not_reached",
            "taken",
            "not_taken"
        ]
    );
    let found = of("what is not in the wire format is a dead letter");
    assert_eq!(found["dead_letters"][0]["reason"], "bad_frame");
    let first = [
        "tests/topologies/passes.yaml",
        "--avro",
        "avro",
        "--case",
        "the topic is built from the event, and the bytes pass",
    ];
    let found = trace(&first, "");
    assert_eq!(
        found["stages"][2]["why"]["message"],
        "an earlier route took it"
    );
}

#[test]
fn an_event_may_come_from_a_pipe_as_tail_writes_it() {
    let record = format!(
        "{{\"topic\": \"orders.clean\", \"partition\": 3, \"offset\": 42, \"key\": \"k\", \"value\": {ORDER}, \"headers\": []}}"
    );
    let words = [
        "tests/topologies/passes.yaml",
        "--avro",
        "avro",
        "--event",
        "-",
    ];
    let found = trace(&words, &record);
    assert_eq!(
        (&found["key"], &found["event"]["total"]),
        (&Value::from("k"), &Value::from("2.00"))
    );
    assert_eq!(found["dead_letters"][0]["reason"], "unmatched");
    // Both records of a stream, the value alone too.
    let all: Vec<&str> = ["trace"]
        .into_iter()
        .chain(words)
        .chain(["--key", "x", "--json"])
        .collect();
    let output = lockgate(&all, &format!("{record}\n{ORDER}"));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    for (words, input, said) in [
        (
            &[
                "tests/topologies/several.yaml",
                "--avro",
                "avro",
                "--event",
                "-",
            ][..],
            "{}",
            "say which source",
        ),
        (
            &words,
            "{\"topic\": \"orders.claen\", \"value\": null}",
            "no source is `orders.claen`; there are: orders.clean",
        ),
        (&words, "", "standard input holds no event"),
        (
            &["topologies/orders.yaml", "--case", "one cent less is big"],
            "",
            "did you mean `one cent less is not big`?",
        ),
        (&["topologies/orders.yaml"], "", "--event"),
    ] {
        let all: Vec<&str> = ["trace"].into_iter().chain(words.iter().copied()).collect();
        let output = lockgate(&all, input);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        assert!(
            text(&output.stderr).contains(said),
            "{said}: {}",
            text(&output.stderr)
        );
    }
}
