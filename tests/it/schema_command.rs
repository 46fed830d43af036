//! `lockgate schema`: the binary against the in-process registry, the shipped topologies and schemas of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lockgate::registry::fake::{FakeRegistry, Fault};
use lockgate::schema::compat::Level;
use serde_json::Value;

const EVENT: &str = r#"{"type":"record","name":"it.Event","fields":[
    {"name":"id","type":"string"},{"name":"amount","type":"long"}]}"#;
const EVENT_GROWN: &str = r#"{"type":"record","name":"it.Event","fields":[
    {"name":"id","type":"string"},{"name":"amount","type":"long"},{"name":"note","type":"string"}]}"#;
const EVENT_BROKEN: &str =
    r#"{"type":"record","name":"it.Event","fields":[{"name":"id","type":"string"}]}"#;
const OUT: &str = r#"{"type":"record","name":"it.Out","fields":[
    {"name":"id","type":"string"},{"name":"doubled","type":"long"}]}"#;
const OUT_OLD: &str =
    r#"{"type":"record","name":"it.Out","fields":[{"name":"id","type":"string"}]}"#;

const TOPOLOGY: &str = "\
id: events
sources:
  - topic: events
    envelope: none
    key: { avro: event, subject: keys-of-events }
    value: { avro: event, subject: events-value }
steps:
  - name: shape
    schema: out
    from: event
    set:
      doubled: event.amount * 2
routes:
  - name: all
    kafka: { topic: all, key: out.id }
dead_letter: { topic: events.dlq }
";

/// A registry, and a folder with a topology that reads two subjects and writes one.
struct House {
    registry: FakeRegistry,
    _runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

/// How a command ended.
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

impl House {
    fn new() -> House {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let registry = runtime.block_on(FakeRegistry::start()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let house = House {
            registry,
            _runtime: runtime,
            folder,
        };
        std::fs::create_dir(house.folder.path().join("avro")).unwrap();
        house.write("events.yaml", TOPOLOGY);
        house.write("avro/event.avsc", EVENT);
        house.write("avro/out.avsc", OUT);
        house
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn run(&self, words: &[&str]) -> Done {
        self.run_with(words, "", &[])
    }

    fn run_with(&self, words: &[&str], input: &str, environment: &[(&str, &str)]) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .arg("schema")
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("LOCKGATE__REGISTRY__URL", self.registry.url())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// What `compare --json` says: its exit code, and per role the state and whether there is trouble.
    fn compare(&self, environment: &[(&str, &str)]) -> (Option<i32>, Vec<(String, String, bool)>) {
        let done = self.run_with(&["compare", "events.yaml", "--json"], "", environment);
        let json = done.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = json["schemas"].as_array().unwrap().iter();
        let list: Vec<_> = list
            .map(|one| {
                (
                    text(&one["role"]),
                    text(&one["state"]),
                    one["trouble"].is_string(),
                )
            })
            .collect();
        assert_eq!(json["is_fine"], !list.iter().any(|(.., trouble)| *trouble));
        (done.code, list)
    }
}

fn standing(role: &str, state: &str, trouble: bool) -> (String, String, bool) {
    (role.to_owned(), state.to_owned(), trouble)
}

#[test]
fn subjects_are_listed_with_versions_ids_and_levels() {
    let house = House::new();
    let none = house.run(&["list"]);
    assert_eq!(
        (none.code, &*none.out),
        (Some(0), "0 subjects\n"),
        "{}",
        none.err
    );
    let first = house.registry.register("events-value", EVENT);
    let second = house.registry.register("events-value", EVENT_GROWN);
    house.registry.register("odd name/%", OUT);
    house.registry.set_level("", Level::Backward);
    house.registry.set_level("events-value", Level::Full);
    let all = house.run(&["list"]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    let line = |start: &str| {
        let found = all.out.lines().find(|line| line.starts_with(start));
        let words = found.unwrap_or_default().split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let id = second.to_string();
    assert_eq!(
        line("events-value"),
        ["events-value", "1-2", &id, "AVRO", "FULL"]
    );
    assert!(
        line("odd name/%").ends_with(&["BACKWARD".to_owned()]),
        "{}",
        all.out
    );
    let json = house.run(&["list", "--json"]).json();
    let events = &json["subjects"][0];
    assert_eq!(events["versions"], serde_json::json!([1, 2]));
    assert_eq!(
        (&events["id"], &events["compatibility"]),
        (&second.into(), &"FULL".into())
    );

    let one = house
        .run(&["list", "--subject", "events-value", "--json"])
        .json();
    let ids: Vec<_> = one["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&Value::from(first), &Value::from(second)]);
    let one = house.run(&["list", "--subject", "events-value"]);
    assert!(
        one.out.starts_with("events-value: compatibility FULL\n"),
        "{}",
        one.out
    );
    let absent = house.run(&["list", "--subject", "event-value"]);
    assert_eq!(absent.code, Some(1));
    assert!(
        absent.err.contains("did you mean `events-value`?"),
        "{}",
        absent.err
    );
}

#[test]
fn registering_twice_is_registering_once() {
    let house = House::new();
    let words = ["register", "out", "avro/out.avsc"];
    let dry = house.run(&["register", "out", "avro/out.avsc", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert!(
        dry.out.contains("would be its first version"),
        "{}",
        dry.out
    );
    let first = house.run(&words);
    assert_eq!(
        (first.code, &*first.out),
        (Some(0), "out: registered as version 1, id 1\n")
    );
    let again = house.run(&words);
    let known = "out: is there as version 1, id 1; nothing to do\n";
    assert_eq!((again.code, &*again.out), (Some(0), known));
    // From standard input, and with other white space.
    let spaced = OUT.replace(',', " ,\n");
    let again = house
        .run_with(&["register", "out", "-", "--json"], &spaced, &[])
        .json();
    assert_eq!(
        (&again["outcome"], &again["version"]),
        (&"known".into(), &1.into())
    );
}

#[test]
fn a_schema_that_the_registry_refuses_is_refused_with_its_words() {
    let house = House::new();
    house.registry.register("out", OUT_OLD);
    house.registry.set_level("out", Level::Full);
    let dry = house.run(&["register", "out", "avro/out.avsc", "--dry-run"]);
    assert_eq!(dry.code, Some(1), "{}", dry.err);
    assert!(
        dry.out.starts_with("out: the registry would refuse it: "),
        "{}",
        dry.out
    );
    assert!(dry.out.contains("doubled"), "{}", dry.out);
    let json = house.run(&["register", "out", "avro/out.avsc", "--dry-run", "--json"]);
    assert_eq!(json.code, Some(1));
    assert_eq!(json.json()["outcome"], "would_be_refused");
    let done = house.run(&["register", "out", "avro/out.avsc"]);
    assert_eq!(done.code, Some(1));
    assert!(!done.err.contains("error_code"), "{}", done.err);
    assert!(
        done.err.contains("incompatible with an earlier schema"),
        "{}",
        done.err
    );
    house.registry.set_level("out", Level::Backward);
    let dry = house.run(&["register", "out", "avro/out.avsc", "--dry-run"]);
    assert_eq!(dry.code, Some(1), "a field without a default: {}", dry.out);
    house.registry.set_level("out", Level::Forward);
    let dry = house.run(&["register", "out", "avro/out.avsc", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.out);
    assert!(dry.out.contains("would take it"), "{}", dry.out);
    let versions = house.run(&["list", "--subject", "out", "--json"]).json();
    assert_eq!(
        versions["versions"].as_array().unwrap().len(),
        1,
        "nothing was registered"
    );
}

#[test]
fn what_is_no_whole_schema_is_refused_before_the_registry_is_asked() {
    let house = House::new();
    let line = r#"{"type":"record","name":"it.Order","fields":[{"name":"line","type":"it.Line"}]}"#;
    house.write("avro/order.avsc", line);
    for (file, words) in [
        ("avro/order.avsc", "the type it.Line is not defined"),
        ("avro/absent.avsc", "cannot be read"),
        ("events.yaml", "not JSON"),
    ] {
        let done = house.run(&["register", "orders", file]);
        assert_eq!(done.code, Some(64), "{file}: {}", done.out);
        assert!(done.err.contains(words), "{file}: {}", done.err);
    }
    let done = house.run(&["register", "..", "avro/out.avsc"]);
    assert_ne!(done.code, Some(0));
    assert!(
        house.registry.requests() == 0,
        "{} requests",
        house.registry.requests()
    );
}

#[test]
fn schemas_are_compared_as_a_worker_would_ask_for_them() {
    let house = House::new();
    let registers = [("LOCKGATE__REGISTRY__REGISTER", "true")];
    let (code, all) = house.compare(&[]);
    let missing = ["value", "key", "output"].map(|role| standing(role, "missing", true));
    assert_eq!((code, all.as_slice()), (Some(1), missing.as_slice()));
    // With `registry.register` the worker helps itself to outputs, and to nothing else.
    let (code, all) = house.compare(&registers);
    assert_eq!(
        (code, &all[2]),
        (Some(1), &standing("output", "missing", false))
    );

    house.registry.register("events-value", EVENT);
    house.registry.register("keys-of-events", EVENT);
    house.registry.register("out", OUT);
    let (code, all) = house.compare(&[]);
    let same = ["value", "key", "output"].map(|role| standing(role, "same", false));
    assert_eq!((code, all.as_slice()), (Some(0), same.as_slice()));
    let people = house.run(&["compare", "events.yaml"]);
    assert!(
        people
            .out
            .ends_with("3 schemas: 3 same, 0 differs, 0 missing\n"),
        "{}",
        people.out
    );

    // What can be read is a difference; what stops a partition is trouble.
    house.registry.register("events-value", EVENT_GROWN);
    house.registry.register("keys-of-events", EVENT_BROKEN);
    let (code, all) = house.compare(&[]);
    let now = [
        standing("value", "differs", false),
        standing("key", "differs", true),
    ];
    assert_eq!((code, &all[..2]), (Some(1), now.as_slice()));
    let people = house.run(&["compare", "events.yaml"]).out;
    assert!(
        people.contains("seen from avro/: field note added"),
        "{people}"
    );
    assert!(
        people.contains("seen from avro/: field amount removed"),
        "{people}"
    );
    assert!(people.contains("partitions stop at it"), "{people}");
}

#[test]
fn an_output_of_an_earlier_version_is_the_same_and_one_that_is_refused_is_trouble() {
    let house = House::new();
    house.registry.register("events-value", EVENT);
    house.registry.register("keys-of-events", EVENT);
    house.registry.register("out", OUT_OLD);
    let registers = [("LOCKGATE__REGISTRY__REGISTER", "true")];
    // Nobody refuses it, but without `registry.register` nobody registers it.
    assert_eq!(house.compare(&registers).0, Some(0));
    let (code, all) = house.compare(&[]);
    assert_eq!(
        (code, &all[2]),
        (Some(1), &standing("output", "differs", true))
    );
    let people = house.run(&["compare", "events.yaml"]).out;
    assert!(people.contains("lockgate schema register out "), "{people}");
    house.registry.set_level("out", Level::Full);
    let (code, all) = house.compare(&registers);
    assert_eq!(
        (code, &all[2]),
        (Some(1), &standing("output", "differs", true))
    );
    let people = house
        .run_with(&["compare", "events.yaml"], "", &registers)
        .out;
    assert!(people.contains("the registry refuses it: "), "{people}");
    // By content, wherever it stands in the subject.
    house.registry.set_level("out", Level::None);
    house.registry.register("out", OUT);
    house
        .registry
        .register("out", r#"{"type":"record","name":"it.Out","fields":[]}"#);
    let json = house.run(&["compare", "events.yaml", "--json"]).json();
    let out = &json["schemas"][2];
    assert_eq!(
        (&out["state"], &out["version"]),
        (&"same".into(), &2.into()),
        "{out}"
    );
}

#[test]
fn the_shipped_topologies_are_the_same_once_their_schemas_are_registered() {
    let house = House::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join("avro")).unwrap() {
        let path = entry.unwrap().path();
        let subject = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let done = house.run(&["register", &subject, path.to_str().unwrap()]);
        assert_eq!(done.code, Some(0), "{subject}: {}", done.err);
    }
    let topologies = root.join("topologies");
    let done = house.run(&["compare", topologies.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains(" 0 differs, 0 missing"), "{}", done.out);
}

#[test]
fn topologies_with_faults_are_not_compared() {
    let house = House::new();
    house.write("events.yaml", &TOPOLOGY.replace("amount * 2", "amuont * 2"));
    let done = house.run(&["compare", "events.yaml"]);
    assert_eq!(done.code, Some(64), "{}", done.out);
    assert!(done.err.contains("amuont"), "{}", done.err);
    let done = house.run(&["compare", "events.yaml", "--json"]);
    assert_eq!(done.code, Some(64));
    assert!(done.json()["faults"].is_array());
    assert_eq!(house.registry.requests(), 0);
}

#[test]
fn a_registry_that_is_down_or_refuses_the_login_ends_every_command_with_1_and_no_secret() {
    let house = House::new();
    let secrets = [
        ("LOCKGATE__REGISTRY__USERNAME", "ops"),
        ("LOCKGATE__REGISTRY__PASSWORD", "canary-81c4"),
    ];
    let commands: [&[&str]; 5] = [
        &["list"],
        &["list", "--subject", "out"],
        &["register", "out", "avro/out.avsc"],
        &["register", "out", "avro/out.avsc", "--dry-run"],
        &["compare", "events.yaml"],
    ];
    let all_fail = |what: &str| {
        for words in commands {
            let done = house.run_with(words, "", &secrets);
            let shown = done.out + &done.err;
            assert_eq!(done.code, Some(1), "{what}: {words:?}: {shown}");
            assert!(
                done.err.starts_with("error: "),
                "{what}: {words:?}: {shown}"
            );
            assert!(!shown.contains("canary"), "{what}: {words:?}: {shown}");
        }
    };
    house.registry.require_authorization("Basic other");
    all_fail("login");
    for fault in [Fault::Status(500), Fault::Html, Fault::ForeignNotFound] {
        house.registry.fail_with(fault);
        all_fail(&format!("{fault:?}"));
    }
    house.registry.down();
    all_fail("down");
    let address = house.registry.url().replace("http://", "");
    for words in commands {
        let done = house.run(words);
        assert!(done.err.contains(&address), "{words:?}: {}", done.err);
        assert!(
            done.err.contains("connection refused"),
            "{words:?}: {}",
            done.err
        );
    }
}
