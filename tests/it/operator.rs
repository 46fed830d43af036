//! What an operator does by hand: produce, tail, and the life of a dead letter; the binary against librdkafka's mock cluster.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use lockgate::core::Tp;
use lockgate::kafka::{Consumer, Header, Producer, Properties};
use lockgate::registry::fake::FakeRegistry;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use serde_json::{Value, json};

const EVENT: &str = r#"{"type":"record","name":"Event","namespace":"it","fields":[
    {"name":"id","type":"string"},
    {"name":"amount","type":"long"},
    {"name":"note","type":["null","string"],"default":null}]}"#;
const OUT: &str = r#"{"type":"record","name":"Out","namespace":"it","fields":[
    {"name":"id","type":"string"},
    {"name":"doubled","type":"long"}]}"#;

/// A cluster, a registry, and a folder with a topology of two routes.
struct House {
    cluster: MockCluster<'static, DefaultProducerContext>,
    registry: FakeRegistry,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
    event_id: u32,
}

impl House {
    fn new() -> House {
        let cluster = MockCluster::new(1).expect("a mock cluster starts");
        for topic in ["events", "small", "all", "events.dlq"] {
            cluster
                .create_topic(topic, 2, 1)
                .expect("the topic is created");
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let registry = runtime
            .block_on(FakeRegistry::start())
            .expect("the registry starts");
        let event_id = registry.register("events-value", EVENT);
        registry.register("out-value", OUT);
        let folder = tempfile::tempdir().expect("a folder");
        let avro = folder.path().join("avro");
        std::fs::create_dir(&avro).expect("a folder");
        std::fs::write(avro.join("events-value.avsc"), EVENT).expect("written");
        std::fs::write(avro.join("out-value.avsc"), OUT).expect("written");
        let house = House {
            cluster,
            registry,
            runtime,
            folder,
            event_id,
        };
        house.topology("true");
        house
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events.yaml")
    }

    /// `require`: what the rule `fit` of the topology demands.
    fn topology(&self, require: &str) {
        let text = format!(
            r#"
id: events
sources:
  - topic: events
    envelope: none
    key: string
    value: {{ avro: events-value }}
    start_from: earliest
ordering: key
delivery: at_least_once
steps:
  - name: fit
    require: {require}
  - name: shape
    schema: out-value
    from: event
    set:
      doubled: event.amount * 2
match: all
routes:
  - name: all
    kafka: {{ topic: all, key: out.id }}
  - name: small
    when: out.doubled < 100
    kafka: {{ topic: small, key: out.id }}
unmatched: drop
dead_letter: {{ topic: events.dlq }}
"#
        );
        std::fs::write(self.path(), text).expect("written");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("LOCKGATE__KAFKA__BROKERS", self.cluster.bootstrap_servers())
            .env("LOCKGATE__REGISTRY__URL", self.registry.url())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> String {
        text(
            &self.command(words).output().expect("the binary runs"),
            words,
        )
    }

    fn tail(&self, topic: &str, count: usize) -> Vec<Value> {
        let count = count.to_string();
        let words = [
            "tail", "--topic", topic, "--from", "earliest", "--count", &count, "--json",
        ];
        let mut records: Vec<Value> = self
            .run(&words)
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect();
        records.sort_by_key(|record| record["value"]["id"].to_string());
        records
    }

    /// Records in a topic.
    fn count(&self, topic: &str) -> i64 {
        let properties: Properties = [
            ("bootstrap.servers", self.cluster.bootstrap_servers()),
            ("group.id", "count".into()),
        ]
        .into_iter()
        .collect();
        let consumer = Consumer::new(&properties, &[topic]).expect("a consumer");
        let patience = Duration::from_secs(30);
        (0..2)
            .map(|partition| Tp {
                topic: 0,
                partition,
            })
            .map(|at| {
                consumer
                    .handle()
                    .query_watermarks(at, patience)
                    .expect("known")
                    .high
            })
            .sum()
    }

    /// Waits until a topic has more records than so many.
    fn wait_for_more(&self, topic: &str, than: i64) {
        let begun = Instant::now();
        while self.count(topic) <= than {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "nothing was written to {topic}"
            );
        }
    }

    /// Dead letters as the worker writes them: (topic position, route, reason, value).
    fn bury(&self, letters: &[(i64, Option<&str>, &str, &[u8])]) {
        let properties: Properties = [("bootstrap.servers", self.cluster.bootstrap_servers())]
            .into_iter()
            .collect();
        let producer = Producer::new(&properties).expect("a producer");
        let topic = producer.topic("events.dlq").expect("a topic");
        for (offset, route, reason, value) in letters {
            let offset = offset.to_string();
            let mut headers: Vec<Header> = vec![
                (b"origin", Some(b"\xffkept")),
                (b"traceparent", Some(b"00-ab-cd-01")),
                (b"lockgate.dlq.class", Some(b"poison")),
                (b"lockgate.dlq.reason", Some(reason.as_bytes())),
                (b"lockgate.dlq.message", Some(b"what is \x1b[31mwrong")),
                (b"lockgate.dlq.topic", Some(b"events")),
                (b"lockgate.dlq.partition", Some(b"1")),
                (b"lockgate.dlq.offset", Some(offset.as_bytes())),
                (b"lockgate.dlq.timestamp", Some(b"1700000000000")),
                (b"lockgate.dlq.topology", Some(b"events")),
                (b"lockgate.dlq.version", Some(b"0a1b")),
                (b"lockgate.dlq.time", Some(b"2026-01-31T12:00:00Z")),
            ];
            match route {
                Some(route) => headers.push((b"lockgate.dlq.route", Some(route.as_bytes()))),
                None => headers.push((b"lockgate.dlq.step", Some(b"fit"))),
            }
            producer
                .enqueue(
                    &topic,
                    Some(0),
                    Some(b"key"),
                    Some(value),
                    &headers,
                    None,
                    0,
                )
                .expect("there is room");
        }
        assert!(producer.flush(Duration::from_secs(30), &mut Vec::new()));
    }

    /// An event of the source topic.
    fn event(&self, id: &str, amount: i64) -> Vec<u8> {
        let schema = lockgate::schema::Schema::parse(EVENT).expect("a schema");
        let value = json!({ "id": id, "amount": amount, "note": null });
        let datum = lockgate::codec::json::from_json(&schema, &value).expect("an event");
        let mut out = Vec::new();
        lockgate::codec::frame::write(self.event_id, &mut out);
        out.extend(datum);
        out
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.registry.down();
    }
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    signal(child, libc::SIGINT);
}

fn signal(child: &Child, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(child.id()).expect("a process");
    // SAFETY: the process is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

fn text(output: &Output, words: &[&str]) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {error}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn write(path: &Path, lines: &[&str]) -> String {
    std::fs::write(path, lines.join("\n")).expect("written");
    path.display().to_string()
}

#[test]
fn what_was_produced_is_tailed_and_can_be_produced_again() {
    let house = House::new();
    let file = write(
        &house.folder.path().join("events.jsonl"),
        &[
            r#"{"id":"a","amount":9007199254740993,"note":"ümlaut"}"#,
            "",
            r#"{"id":"b","amount":2,"note":null}"#,
        ],
    );
    let said = house.run(&["produce", "--topic", "events", "--key", "id", &file]);
    assert!(said.contains("2 records written to events"), "{said}");
    let records = house.tail("events", 2);
    assert_eq!(records[0]["key"], json!("a"));
    assert_eq!(
        records[0]["value"]["amount"].to_string(),
        "9007199254740993"
    );
    assert_eq!(
        records[1]["value"],
        json!({ "id": "b", "amount": 2, "note": null })
    );

    // A tombstone needs its key; what tail writes, produce reads.
    let keyed = write(
        &house.folder.path().join("keyed.jsonl"),
        &[
            r#"{"key":"a","value":null,"headers":[["h",{"$base64":"/wA="}],["n",null]]}"#,
            &records[1].to_string(),
        ],
    );
    house.run(&["produce", "--topic", "events", "--keyed", &keyed]);
    let records = house.tail("events", 4);
    let tombstone = records
        .iter()
        .find(|record| record["value"].is_null())
        .expect("a tombstone");
    assert_eq!(tombstone["key"], json!("a"));
    assert_eq!(
        tombstone["headers"],
        json!([["h", { "$base64": "/wA=" }], ["n", null]])
    );
    assert_eq!(
        records.iter().filter(|record| record["key"] == "b").count(),
        2
    );
}

#[test]
fn a_faulty_line_is_named_and_left_out_and_the_exit_code_says_so() {
    let house = House::new();
    let file = write(
        &house.folder.path().join("events.jsonl"),
        &[
            r#"{"id":"a","amount":1,"note":null}"#,
            r#"{"id":"b","amount":"many","note":null}"#,
            "no json",
            r#"{"amount":1,"note":null}"#,
            "null",
            r#"{"id":"e","amount":5,"note":null}"#,
        ],
    );
    let words = [
        "produce", "--topic", "events", "--key", "id", "--json", &file,
    ];
    let output = house.command(&words).output().expect("the binary runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let account: Value = serde_json::from_slice(&output.stdout).expect("an account");
    assert_eq!(
        account,
        json!({ "topic": "events", "lines": 6, "written": 2, "left_out": 4 })
    );
    for named in [
        "line 2: ",
        "amount",
        "line 3: is not JSON",
        "line 4: ",
        "line 5: a tombstone",
        "4 lines were left out",
    ] {
        assert!(error.contains(named), "{named}: {error}");
    }
    assert_eq!(house.tail("events", 2).len(), 2);
}

#[test]
fn a_topic_without_schema_or_that_does_not_exist_is_said_so() {
    let house = House::new();
    for (words, said) in [
        (&["produce", "--topic", "all"][..], "no subject all-value"),
        (
            &["tail", "--topic", "events", "--from", "5:0"],
            "2 partitions",
        ),
        (
            &["tail", "--topic", "events", "--from", "1:7"],
            "partition 1 is empty; its next offset is 0",
        ),
        (
            &["tail", "--topic", "events", "--connection", "other"],
            "kafka.connections.other.brokers",
        ),
    ] {
        let output = house.command(words).output().expect("the binary runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(said),
            "{words:?}: {error}"
        );
    }
}

/// Goal: the workflow of a dead letter. Method: letters of several causes; one is mended and redriven, to the failed route only; the others stay.
#[test]
fn dead_letters_are_listed_shown_and_redriven_once() {
    let house = House::new();
    house.topology("event.amount > 0");
    let (small, bad, rule) = (
        house.event("a", 10),
        house.event("b", -5),
        house.event("c", 7),
    );
    let letters: [(i64, Option<&str>, &str, &[u8]); 5] = [
        (0, Some("small"), "output_too_large", &small),
        (1, None, "requirement", &bad),
        (2, None, "bad_frame", b"not avro"),
        (3, None, "requirement", &rule),
        (4, Some("gone"), "output_too_large", &small),
    ];
    house.bury(&letters);

    let list: Value =
        serde_json::from_str(&house.run(&["dlq", "list", "--topic", "events.dlq", "--json"]))
            .expect("JSON");
    assert_eq!(
        (&list["waiting"], &list["redriven"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(list["groups"][0]["reason"], "requirement");
    assert_eq!(
        (&list["groups"][0]["count"], &list["groups"][0]["step"]),
        (&json!(2), &json!("fit"))
    );
    let list = house.run(&["dlq", "list", "--topic", "events.dlq"]);
    assert!(
        list.contains("5 dead letters wait") && list.contains("bad_frame"),
        "{list}"
    );

    let shown = house.run(&["dlq", "show", "--topic", "events.dlq", "0:1"]);
    for part in [
        "requirement (poison)",
        "step fit",
        "from events/1/1",
        r#""amount":-5"#,
        "origin",
        "lockgate.dlq.offset = 1",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "a terminal would obey: {shown}");

    let topology = house.path().display().to_string();
    // Its exit code tells whether any stays.
    let redrive = |more: &[&str]| -> Value {
        let words = [&["dlq", "redrive", topology.as_str(), "--json"], more].concat();
        let output = house.command(&words).output().expect("the binary runs");
        let error = String::from_utf8_lossy(&output.stderr);
        let account: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let counts =
            ["fails_again", "skipped"].map(|name| account[name].as_object().expect("counts"));
        let left: u64 = counts
            .iter()
            .flat_map(|counts| counts.values())
            .filter_map(Value::as_u64)
            .sum();
        let is_told = error.contains(&format!("{left} dead letters stay in events.dlq"));
        assert_eq!(
            (output.status.code(), is_told),
            (Some(i32::from(left > 0)), left > 0),
            "{words:?}: {error}"
        );
        account
    };
    let expected = |dry_run: bool| {
        json!({
            "topic": "events.dlq",
            "dry_run": dry_run,
            "redriven": 2,
            "nothing_to_deliver": 0,
            "fails_again": { "bad_frame": 1, "requirement": 1 },
            "skipped": { "the topology has no such route any more": 1 },
            "redriven_before": 0,
        })
    };
    let mut dry = redrive(&["--dry-run"]);
    let fails = dry["fails_again"].as_object().cloned().expect("an object");
    assert_eq!(fails.len(), 2, "{dry}");
    // The code of a broken requirement is the topology's business.
    let requirement = fails
        .keys()
        .find(|code| *code != "bad_frame")
        .expect("another code")
        .clone();
    dry["fails_again"] = json!({ "bad_frame": 1, "requirement": fails[&requirement] });
    assert_eq!(dry, expected(true));
    assert_eq!(
        (house.count("small"), house.count("events.dlq")),
        (0, 5),
        "a dry run writes nothing"
    );
    let mut done = redrive(&["--rate", "50"]);
    done["fails_again"] =
        json!({ "bad_frame": 1, "requirement": done["fails_again"][&requirement] });
    assert_eq!(done, expected(false));

    assert_eq!(
        (
            house.count("small"),
            house.count("all"),
            house.count("events.dlq")
        ),
        (2, 1, 7)
    );
    // The letter of route `small` went there and nowhere else; the other to all routes that take it.
    let to_small = house.tail("small", 2);
    assert_eq!(to_small[0]["value"], json!({ "id": "a", "doubled": 20 }));
    assert_eq!(to_small[1]["value"], json!({ "id": "c", "doubled": 14 }));
    let to_all = house.tail("all", 1);
    assert_eq!(to_all[0]["value"]["id"], "c");
    let headers = json!([
        ["lockgate.source", "events/1/3"],
        ["traceparent", "00-ab-cd-01"]
    ]);
    assert_eq!(
        to_all[0]["headers"], headers,
        "provenance, traces, and none of the dead letter's own"
    );

    // A second redrive finds only what was not mended.
    let again = redrive(&[]);
    assert_eq!((house.count("small"), house.count("events.dlq")), (2, 7));
    assert_eq!(
        (&again["redriven"], &again["redriven_before"]),
        (&json!(0), &json!(2))
    );
    let list: Value =
        serde_json::from_str(&house.run(&["dlq", "list", "--topic", "events.dlq", "--json"]))
            .expect("JSON");
    assert_eq!(
        (&list["waiting"], &list["redriven"], &list["foreign"]),
        (&json!(3), &json!(2), &json!(0))
    );

    // Mended, by filter; the rest is left alone.
    house.topology("true");
    let mended = redrive(&["--at", "0:1"]);
    assert_eq!(
        (&mended["redriven"], &mended["fails_again"]),
        (&json!(1), &json!({}))
    );
    assert_eq!(
        house.tail("all", 2)[0]["value"],
        json!({ "id": "b", "doubled": -10 })
    );
    let words = ["dlq", "redrive", &topology, "--at", "0:1", "--at", "1:99"];
    let output = house.command(&words).output().expect("the binary runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{error}");
    assert!(
        error.contains("there is no dead letter at 1:99 of events.dlq"),
        "{error}"
    );
    let nothing = redrive(&["--at", "0:1"]);
    assert_eq!(
        (&nothing["redriven"], &nothing["redriven_before"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn a_signal_ends_produce_while_its_input_is_silent() {
    let house = House::new();
    let mut command = house.command(&["produce", "--topic", "events", "--key", "id"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, r#"{{"id":"a","amount":1,"note":null}}"#).expect("written");
    house.wait_for_more("events", 0);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    // Only now: it did not end because its input did.
    drop(input);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words}");
    assert!(
        words.contains("stopped after line 1, the last that had come"),
        "{words}"
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 record written to events"), "{said}");
}

#[test]
fn a_signal_before_a_line_that_is_there_is_told_by_the_exit_code() {
    let house = House::new();
    // Lines without end.
    let mut lines = Command::new("yes")
        .arg(r#"{"id":"a","amount":1,"note":null}"#)
        .stdout(Stdio::piped())
        .spawn()
        .expect("yes runs");
    let child = house
        .command(&["produce", "--topic", "events", "--key", "id"])
        .stdin(lines.stdout.take().expect("a pipe"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    house.wait_for_more("events", 0);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    // Its reader is gone.
    lines.wait().expect("yes ends");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("what follows it was left out"), "{words}");
    let said = String::from_utf8_lossy(&output.stdout);
    let written = house.count("events");
    assert!(said.contains(&format!("{written} record")), "{said}");
    assert!(
        words.contains(&format!("stopped after line {written},")),
        "{words}"
    );
}

#[test]
fn a_signal_ends_a_redrive_and_what_is_left_is_redriven_later() {
    let house = House::new();
    let good = house.event("a", 10);
    let letters: Vec<_> = (0..30)
        .map(|offset| (offset, None, "requirement", good.as_slice()))
        .collect();
    house.bury(&letters);
    let topology = house.path().display().to_string();
    let words = ["dlq", "redrive", topology.as_str(), "--json"];
    let child = house
        .command(&[&words[..], &["--rate", "1"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    house.wait_for_more("events.dlq", 30);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("stopped; run it again for the rest"),
        "{said}"
    );
    let first: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rest: Value = serde_json::from_str(&house.run(&words)).expect("JSON");
    assert_eq!(first["redriven"], rest["redriven_before"]);
    let sum = |account: &Value| account["redriven"].as_i64().expect("a count");
    assert_eq!((sum(&first) + sum(&rest), house.count("all")), (30, 30));
}

#[test]
fn an_outage_ends_a_redrive_and_what_was_processed_before_is_delivered() {
    let house = House::new();
    let good = house.event("a", 10);
    let id = house
        .registry
        .register("other-value", &EVENT.replace("Event", "Other"));
    house.registry.hold(id);
    let mut other = good.clone();
    other[1..5].copy_from_slice(&id.to_be_bytes());
    house.bury(&[
        (0, None, "requirement", &good),
        (1, None, "requirement", &other),
    ]);
    let topology = house.path().display().to_string();
    let output = house
        .command(&["dlq", "redrive", &topology, "--json"])
        .env("LOCKGATE__REGISTRY__REQUEST_TIMEOUT_MS", "1000")
        .output()
        .expect("the binary runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&id.to_string()), "{error}");
    let account: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&account["redriven"], house.count("all")),
        (&json!(1), 1),
        "{error}"
    );
}

#[test]
fn a_signal_ends_a_command_that_still_waits_for_the_cluster() {
    use std::os::unix::process::ExitStatusExt;
    let house = House::new();
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = silent.local_addr().expect("its address").to_string();
    for words in [
        &["tail", "--topic", "events"][..],
        &["produce", "--topic", "events", "--key", "id"],
    ] {
        let child = house
            .command(words)
            .env("LOCKGATE__KAFKA__BROKERS", &address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let connection = silent.accept().expect("it asks");
        // Not SIGINT: a shell that runs the tests in the background lets its children ignore that.
        signal(&child, libc::SIGTERM);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            output.status.signal(),
            Some(libc::SIGTERM),
            "{words:?}: {output:?}"
        );
        drop(connection);
    }
}
